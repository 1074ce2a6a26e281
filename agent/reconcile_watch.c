/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that are looked at: which watches a port has, and the mark in its rows; see reconcile.h.
 *
 * A watch is not intent: it lasts as long as who asked for it, and ends with the daemon. The mark reaches
 * connections that are there with the next generation of their VPC, so they are looked at again once.
 *
 * Neighbours: core/watch.c (what a watch does), capture.c (who asks).
 */
#include <errno.h>
#include <string.h>

#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/log.h"

static bool forget_row(void *context, const void *key, const void *value)
{
	(void)context;
	(void)key;
	(void)value;
	return true;
}

void reconcile_watch_start(struct reconcile *reconcile)
{
	struct datapath *datapath = reconcile->options.datapath;
	const struct watch none = { 0 };

	/* Rows without a mark at their port are read of senders, so none is left of before. */
	datapath_take_rows(datapath, TABLE_port_watches, forget_row, reconcile);
	for (uint32_t slot = 0; slot < WATCHES; slot++)
		datapath_put(datapath, TABLE_watches, &(struct slot_key){ slot }, &none);
}

static uint64_t *mask_of(struct reconcile *reconcile, uint32_t port_id)
{
	uint64_t *mask = map_get_u32(&reconcile->watched, port_id);

	if (!mask) {
		mask = xcalloc(1, sizeof(*mask));
		map_put_u32(&reconcile->watched, port_id, mask);
	}
	return mask;
}

/* The port's row of watches, as the mask says. Return: 0 or negative errno. */
static int write_mask(struct reconcile *reconcile, uint32_t port_id, uint64_t mask)
{
	const struct port_key key = { .port_id = port_id };
	const struct port_watch row = { .mask = mask };
	int code;

	if (mask)
		return datapath_put(reconcile->options.datapath, TABLE_port_watches, &key, &row);
	code = datapath_remove(reconcile->options.datapath, TABLE_port_watches, &key);
	return code == -ENOENT ? 0 : code;
}

/* The ports' rows anew, and their connections are looked at again. */
static void mark_ports(struct reconcile *reconcile, const uint32_t *port_ids, size_t count)
{
	struct unit *units = xcalloc(2 * count + 1, sizeof(*units));
	struct map vpcs = { 0 };
	size_t unit_count = 0;

	for (size_t i = 0; i < count; i++) {
		const struct object *port = intent_object(reconcile->intent, port_ids[i]);

		if (!port)
			continue;
		units[unit_count++] = (struct unit){ UNIT_PORT, port_ids[i] };
		map_put_u32(&vpcs, port->vpc_id, reconcile);
	}
	MAP_FOR_EACH(&vpcs, it) {
		uint32_t vpc_id = *(const uint32_t *)it.key;

		reconcile->generations[slots_get(&reconcile->vpc_slots, vpc_id)]++;
		units[unit_count++] = (struct unit){ UNIT_VPC, vpc_id };
	}
	if (unit_count)
		reconcile_update_units(reconcile, units, unit_count);
	map_fini(&vpcs, NULL);
	free(units);
}

/* Adds a watch to ports. Those that were not looked at before get their mark. */
static int add_ports(struct reconcile *reconcile, int watch, const uint32_t *port_ids, size_t count)
{
	uint32_t *fresh = xcalloc(count + 1, sizeof(*fresh));
	size_t fresh_count = 0;
	int code = 0;

	for (size_t i = 0; i < count && !code; i++) {
		uint64_t *mask = mask_of(reconcile, port_ids[i]);

		if (!*mask)
			fresh[fresh_count++] = port_ids[i];
		*mask |= 1ULL << watch;
		code = write_mask(reconcile, port_ids[i], *mask);
	}
	mark_ports(reconcile, fresh, fresh_count);
	free(fresh);
	return code;
}

/* From all ports that are not among these. */
static void remove_ports(struct reconcile *reconcile, int watch, const struct map *staying)
{
	uint32_t *bare = xcalloc(map_count(&reconcile->watched) + 1, sizeof(*bare));
	size_t bare_count = 0;

	MAP_FOR_EACH(&reconcile->watched, it) {
		uint64_t *mask = it.value;

		if (!(*mask & 1ULL << watch) || map_get_u32(staying, *(const uint32_t *)it.key))
			continue;
		*mask &= ~(1ULL << watch);
		if (!*mask)
			memcpy(&bare[bare_count++], it.key, sizeof(*bare));
		else
			write_mask(reconcile, *(const uint32_t *)it.key, *mask);
	}
	for (size_t i = 0; i < bare_count; i++)
		free(map_remove_u32(&reconcile->watched, bare[i]));
	mark_ports(reconcile, bare, bare_count);
	for (size_t i = 0; i < bare_count; i++)
		write_mask(reconcile, bare[i], 0);
	free(bare);
}

/* The ports that a subnet has on this host, with their slots. Return: how many; *ids is the caller's. */
static size_t ports_here(const struct reconcile *reconcile, uint32_t subnet_id, uint32_t **ids)
{
	size_t count = intent_ports_of_subnet(reconcile->intent, subnet_id, ids), here = 0;

	for (size_t i = 0; i < count; i++)
		if (slots_get(&reconcile->port_slots, (*ids)[i]))
			(*ids)[here++] = (*ids)[i];
	return here;
}

/* Ports that have come get the watch, those that have left lose it. Return: 0 or negative errno. */
static int follow(struct reconcile *reconcile, int watch)
{
	struct map staying = { 0 };
	uint32_t *ids;
	size_t count = ports_here(reconcile, reconcile->watch_subnets[watch], &ids);
	int code;

	for (size_t i = 0; i < count; i++)
		map_put_u32(&staying, ids[i], reconcile);
	remove_ports(reconcile, watch, &staying);
	code = add_ports(reconcile, watch, ids, count);
	map_fini(&staying, NULL);
	free(ids);
	return code;
}

void reconcile_watch_follow(struct reconcile *reconcile, const struct change *changes, size_t count)
{
	bool ports = false;

	for (size_t i = 0; i < count; i++)
		ports = ports || changes[i].kind == OBJECT_PORT;
	for (int watch = 0; ports && watch < WATCHES; watch++)
		if (reconcile->watch_subnets[watch] && follow(reconcile, watch))
			log_limited(LOG_LEVEL_WARNING, "a port of a subnet is not looked at",
				    "watch=%d", watch);
}

int reconcile_watch(struct reconcile *reconcile, const struct watch *row, const uint32_t *port_ids,
		    size_t count, uint32_t subnet_id, struct error *error)
{
	struct slot_key key = { 0 };
	int code;

	while (key.slot < WATCHES && (reconcile->watches & 1ULL << key.slot))
		key.slot++;
	if (key.slot == WATCHES)
		return error_set(
			error, EDQUOT, NULL,
			"%d captures and mirrors are at work on this host already, as many "
			"as there can be",
			WATCHES);
	code = datapath_put(reconcile->options.datapath, TABLE_watches, &key, row);
	if (!code) {
		reconcile->watches |= 1ULL << key.slot;
		reconcile->watch_subnets[key.slot] = subnet_id;
		code = subnet_id ? follow(reconcile, (int)key.slot)
				 : add_ports(reconcile, (int)key.slot, port_ids, count);
		if (code)
			reconcile_unwatch(reconcile, (int)key.slot);
	}
	return code ? error_set(error, -code, NULL, "the tables cannot be written: %s",
				strerror(-code))
		    : (int)key.slot;
}

bool reconcile_watch_counts(const struct reconcile *reconcile, int watch, uint64_t *matched,
			    uint64_t *taken)
{
	const struct slot_key key = { .slot = (uint32_t)watch };
	struct watch row;

	if (watch < 0 || watch >= WATCHES || !(reconcile->watches & 1ULL << watch) ||
	    datapath_get(reconcile->options.datapath, TABLE_watches, &key, &row))
		return false;
	*matched = row.matched;
	*taken = row.taken;
	return true;
}

void reconcile_unwatch(struct reconcile *reconcile, int watch)
{
	const struct slot_key key = { .slot = (uint32_t)watch };
	const struct watch none = { 0 };
	const struct map nobody = { 0 };

	if (watch < 0 || watch >= WATCHES)
		return;
	reconcile->watch_subnets[watch] = 0;
	remove_ports(reconcile, watch, &nobody);
	datapath_put(reconcile->options.datapath, TABLE_watches, &key, &none);
	reconcile->watches &= ~(1ULL << watch);
}
