/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows the daemon has written, and the way from them to the rows it should have written.
 *
 * Rows are kept by unit (model/plan.h), so a change costs what the units it touches cost. An update
 * plans those units anew, compares with what they had (diff.c orders the steps so that no hole opens)
 * and writes, many rows of a table at once. A row that the datapath refuses is left out of what is
 * remembered: the next update of its unit tries again. The cache is a belief; the audit checks it against the
 * live tables, a slice at a time, and repairs what somebody else changed.
 *
 * Neighbours: reconcile.c is the only caller; problems.c hears what was refused.
 */
#ifndef WEFT_AGENT_TABLES_H
#define WEFT_AGENT_TABLES_H

#include "agent/observe/problems.h"
#include "datapath/datapath.h"
#include "model/plan.h"

struct tables;

/** tables_new - nothing written yet; all arguments are borrowed; release with tables_free() */
struct tables *tables_new(struct datapath *datapath, struct planner *planner,
			  const struct intent *intent, const struct plan_host *host,
			  struct problems *problems);

/** tables_free - forget (NULL is ignored); the rows stay in the datapath */
void tables_free(struct tables *tables);

/* Sees a live row at tables_adopt(): numbers in it are taken. */
typedef void tables_row_callback(void *context, enum table_id table, const void *key,
				 const void *value);

/**
 * tables_adopt - take over the rows that the datapath has from before
 * @seen: called for each, may be NULL
 *
 * They belong to no unit: the next tables_update() removes what it does not plan. That update must be of
 * all units. Return: how many rows, or negative errno.
 */
int64_t tables_adopt(struct tables *tables, tables_row_callback *seen, void *context);

/**
 * tables_update - make the rows of some units what the intent asks now
 *
 * Return: how many rows were written or removed. Refused rows are in the problems, and the unit is
 * waiting (tables_retry()).
 */
size_t tables_update(struct tables *tables, const struct unit *units, size_t count);

/** tables_retry - update the units that have refused rows. Return: how many rows were written or removed */
size_t tables_retry(struct tables *tables);

/** tables_audit - compare one more table with the cache and repair. Return: rows repaired. */
size_t tables_audit(struct tables *tables);

/** tables_rows - Return: rows of @table that the daemon has written */
size_t tables_rows(const struct tables *tables, enum table_id table);

/** tables_is_planned - whether rows of @table come from the plan (and not from the pipeline) */
bool tables_is_planned(enum table_id table);

#endif
