/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow logs: who talked to whom, by port and interval, into files and to collectors (V48).
 *
 * Nothing is asked of a packet for this. The rows of the flow table count anyway; at the end of an interval
 * they are read in pieces, and a mark says how much of each was recorded before (flow_marks.h). A row that
 * goes in between tells its end in a ring, and what is refused is counted in a table of its own
 * (core/flow_log.c). Whatever could not be told is counted too, and the port gets a record with SKIPDATA.
 *
 * A port has the log of its own, of its subnet or of its VPC (model/flow_log.h). Not in any log are DNS to
 * the resolver, DHCP, metadata, neighbour discovery, the router's address and copies of mirrors: none of
 * them is a connection of the flow table.
 *
 * Neighbours: flow_reading.c (readings and records), flow_file.h, ipfix.h; api_flow_logs.c (who asks).
 */
#ifndef WEFT_AGENT_FLOW_LOG_H
#define WEFT_AGENT_FLOW_LOG_H

#include <jansson.h>

#include "agent/reconcile.h"
#include "base/loop.h"

struct flow_logs;

/**
 * struct flow_logs_options - all borrowed
 * @directory: where the files are, VPC.jsonl; made when there is something to write
 */
struct flow_logs_options {
	struct loop *loop;
	struct datapath *datapath;
	struct reconcile *reconcile;
	const char *directory;
};

/**
 * struct flow_logs_counts - since the start
 * @records: written, by anyone
 * @lost: ends and refused packets that the datapath could not tell
 * @marks: rows that are followed; @tallies: connections that ended or were refused in this interval
 * @reading_ns: processor time of the last reading of all rows
 */
struct flow_logs_counts {
	uint64_t records, lost, readings;
	size_t ports, marks, tallies;
	uint64_t reading_ns;
};

/** flow_logs_new - follow the logs that the intent asks for, now and after each change */
struct flow_logs *flow_logs_new(const struct flow_logs_options *options);

/** flow_logs_free - write what there is and stop. NULL is ignored. */
void flow_logs_free(struct flow_logs *logs);

/** flow_logs_write - end the interval now, for all logs. Return: records written. */
uint64_t flow_logs_write(struct flow_logs *logs);

/** flow_logs_reopen - let go of all files; what is written next opens them by their names */
void flow_logs_reopen(struct flow_logs *logs);

/** flow_logs_end - a connection has ended; what the reader calls for each */
void flow_logs_end(struct flow_logs *logs, const struct flow_end *end);

/** flow_logs_count - the numbers as they are now */
void flow_logs_count(const struct flow_logs *logs, struct flow_logs_counts *counts);

/** flow_logs_json - ports with a log, files, collectors and counts. Return: new reference. */
json_t *flow_logs_json(const struct flow_logs *logs);

#endif
