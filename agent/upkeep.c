/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the reconciler does by the clock: sweep the flow table, try again what was refused, compare one
 * more table with the plan.
 *
 * One timer ticks each second. The audit looks at one table a turn, so that it never holds up a
 * request for long; all tables together take about half a minute.
 */
#include <malloc.h>
#include <string.h>

#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/log.h"

#define SWEEP_TICKS 5
#define SWEEP_SOON_FLOWS 4096 /* with so many connections the table is swept each second */
#define AUDIT_TICKS 2
#define DEVICE_TICKS 10
#define SETTLE_NS (CLOCK_NS_PER_SECOND / 10)

int reconcile_sweep(struct reconcile *reconcile)
{
	struct error error = { 0 };
	int code = datapath_sweep(reconcile->options.datapath, &error);

	if (code) {
		reconcile->counts.sweep_errors++;
		problems_raise(&reconcile->problems, PROBLEM_DATAPATH, 0, error.text);
		return code;
	}
	reconcile->counts.sweeps++;
	problems_clear(&reconcile->problems, PROBLEM_DATAPATH, 0);
	slots_swept(&reconcile->port_slots);
	slots_swept(&reconcile->vpc_slots);
	return 0;
}

/* Connections that are charged to some VPC now, as the pipeline counts them. */
static uint64_t flows_now(const struct reconcile *reconcile)
{
	uint64_t sum = 0;

	for (uint32_t slot = 0; slot < reconcile->vpc_slots.next; slot++) {
		struct vpc_stats *stats = datapath_vpc_stats(reconcile->options.datapath, slot);

		if (stats)
			sum += __atomic_load_n(&stats->flows, __ATOMIC_RELAXED);
	}
	return sum;
}

size_t reconcile_audit(struct reconcile *reconcile)
{
	size_t repaired = tables_audit(reconcile->tables);

	reconcile->counts.audits++;
	reconcile->counts.audit_repairs += repaired;
	return repaired;
}

/*
 * Devices are moved to the cheaper hook one by one, while nobody waits for a change: each takes the kernel
 * some 13 ms.
 */
static void reconcile_settle(void *context)
{
	struct reconcile *reconcile = context;

	if (reconcile->counts.commits != reconcile->quiet_commits ||
	    !datapath_settle(reconcile->options.datapath))
		loop_timer_stop(&reconcile->settle);
}

/* Were there changes since the last tick? */
static void settle_when_quiet(struct reconcile *reconcile)
{
	if (reconcile->counts.commits == reconcile->quiet_commits)
		loop_timer_start(reconcile->options.loop, &reconcile->settle, SETTLE_NS, SETTLE_NS);
	reconcile->quiet_commits = reconcile->counts.commits;
}

/*
 * Rows that found no room are tried again. When some of them are there, connections are looked at again, and what the
 * rules have said meanwhile (core/policy.c) holds no longer: it was said without these rows.
 */
static void try_again(struct reconcile *reconcile)
{
	const struct object **vpcs;
	struct unit *units;
	size_t count, unit_count = 0;

	if (!tables_retry(reconcile->tables))
		return;
	count = intent_list(reconcile->intent, 0, OBJECT_VPC, &vpcs);
	units = xcalloc(count + 1, sizeof(*units));
	for (size_t i = 0; i < count; i++) {
		uint32_t slot = slots_get(&reconcile->vpc_slots, vpcs[i]->id);

		if (!slot)
			continue;
		reconcile->generations[slot]++;
		units[unit_count++] = (struct unit){ UNIT_VPC, vpcs[i]->id };
	}
	reconcile_update_units(reconcile, units, unit_count);
	free(units);
	free(vpcs);
}

static void reconcile_tick(void *context)
{
	struct reconcile *reconcile = context;

	reconcile->ticks++;
	reconcile_look_at_store(reconcile);
	reconcile_vpcs_tick(reconcile);
	reconcile->counts.audit_repairs += datapath_repair(reconcile->options.datapath);
	/* Without any intent every row and device would look like one too many. */
	if (reconcile->blind)
		return;
	/* A large change leaves much freed memory behind; it goes back once things are quiet. */
	if (reconcile->counts.commits != reconcile->trimmed_commits) {
		reconcile->trimmed_commits = reconcile->counts.commits;
		malloc_trim(0);
	}
	settle_when_quiet(reconcile);
	try_again(reconcile);
	reconcile_end_moves(reconcile);
	/* Many short connections: a port would come to its limit by those that are over. */
	if (reconcile->ticks % SWEEP_TICKS == 0 || flows_now(reconcile) >= SWEEP_SOON_FLOWS)
		reconcile_sweep(reconcile);
	if (reconcile->ticks % AUDIT_TICKS == 0)
		reconcile_audit(reconcile);
	if (reconcile->ticks % DEVICE_TICKS == 0) {
		reconcile->counts.audit_repairs += ports_check(reconcile->ports);
		mirrors_want(reconcile->mirrors, planner_has_mirrors(reconcile->planner));
	}
}

void reconcile_upkeep_start(struct reconcile *reconcile)
{
	loop_timer_init(&reconcile->settle, reconcile_settle, reconcile);
	loop_timer_init(&reconcile->tick, reconcile_tick, reconcile);
	loop_timer_start(reconcile->options.loop, &reconcile->tick, CLOCK_NS_PER_SECOND,
			 CLOCK_NS_PER_SECOND);
}
