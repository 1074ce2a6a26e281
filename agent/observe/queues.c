/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that wait or are dropped for a rate or a share; see queues.h.
 */
#include "agent/observe/queues.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/cluster.h"
#include "agent/devices/ports.h"
#include "agent/devices/shares.h"
#include "agent/names.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/netlink.h"

static void family(struct buf *text, const char *name, const char *type, const char *help)
{
	buf_printf(text, "# HELP weft_%s %s\n# TYPE weft_%s %s\n", name, help, name, type);
}

/* ---- rates ---- */

uint64_t queues_over_rate(const struct api *api, uint32_t port_id)
{
	const struct slot_key key = { .slot = reconcile_port_slot(api->reconcile, port_id) };
	struct rate_state state;

	if (!key.slot || datapath_get(api->datapath, TABLE_rate_states, &key, &state))
		return 0;
	return state.dropped_packets;
}

static void keep_root(void *context, const struct qdisc_info *root)
{
	struct map *roots = context;

	if (strcmp(root->kind, "tbf") == 0)
		free(map_put_u32(roots, root->ifindex, xmemdup(root, sizeof(*root))));
}

/* The queues at the host's ends of ports, by ifindex. */
static void read_roots(struct map *roots)
{
	struct netlink *netlink = NULL;

	map_init(roots);
	if (!netlink_open(&netlink, -1, NULL))
		netlink_qdisc_roots(netlink, keep_root, roots, NULL);
	netlink_close(netlink);
}

static const struct qdisc_info *root_of(const struct api *api, const struct map *roots,
					uint32_t port_id)
{
	struct port_device device = { 0 };

	ports_device(reconcile_ports(api->reconcile), port_id, &device);
	return device.ifindex ? map_get_u32(roots, device.ifindex) : NULL;
}

static void write_rates(const struct api *api, struct buf *text)
{
	const struct intent *intent = reconcile_intent(api->reconcile);
	const struct object **ports;
	size_t count = names_all(intent, OBJECT_PORT, &ports);
	struct buf delayed = { 0 };
	char name[PATH_NAME_SIZE];
	struct map roots;

	read_roots(&roots);
	family(text, "port_over_rate_packets_total", "counter",
	       "Packets dropped for a rate of the port, by direction.");
	for (size_t i = 0; i < count; i++) {
		const struct port_object *port = (const struct port_object *)ports[i];
		const struct qdisc_info *root;

		names_path(intent, ports[i], name);
		if (port->send_rate)
			buf_printf(text,
				   "weft_port_over_rate_packets_total{port=\"%s\","
				   "direction=\"send\"} %" PRIu64 "\n",
				   name, queues_over_rate(api, ports[i]->id));
		root = port->receive_rate ? root_of(api, &roots, ports[i]->id) : NULL;
		if (!root)
			continue;
		buf_printf(text,
			   "weft_port_over_rate_packets_total{port=\"%s\",direction=\"receive\"} "
			   "%" PRIu64 "\n",
			   name, root->stats.dropped);
		buf_printf(&delayed, "weft_port_delayed_total{port=\"%s\"} %" PRIu64 "\n", name,
			   root->stats.delayed);
	}
	family(text, "port_delayed_total", "counter",
	       "Times that what a port gets had to wait for its rate.");
	buf_append(text, buf_text(&delayed), delayed.size);
	buf_fini(&delayed);
	map_fini(&roots, free);
	free(ports);
}

/* ---- shares ---- */

struct share_row {
	char ifname[16];
	uint32_t slot;
	struct queue_stats stats;
};

struct share_rows {
	size_t count;
	struct share_row *list;
};

static void add_row(void *context, const char *ifname, uint32_t slot,
		    const struct queue_stats *stats)
{
	struct share_rows *rows = context;
	struct share_row *row;

	rows->list = xreallocarray(rows->list, rows->count + 1, sizeof(*rows->list));
	row = &rows->list[rows->count++];
	*row = (struct share_row){ .slot = slot, .stats = *stats };
	strncpy(row->ifname, ifname, sizeof(row->ifname) - 1);
}

/* The ports by their slots. */
static void read_slots(const struct api *api, struct map *by_slot)
{
	const struct object **ports;
	size_t count = names_all(reconcile_intent(api->reconcile), OBJECT_PORT, &ports);

	map_init(by_slot);
	for (size_t i = 0; i < count; i++) {
		uint32_t slot = reconcile_port_slot(api->reconcile, ports[i]->id);

		if (slot)
			map_put_u32(by_slot, slot, (void *)(uintptr_t)ports[i]->id);
	}
	free(ports);
}

static const char *owner_of(const struct api *api, const struct map *by_slot, uint32_t slot,
			    char name[PATH_NAME_SIZE])
{
	const struct intent *intent = reconcile_intent(api->reconcile);
	uint32_t id = (uint32_t)(uintptr_t)map_get_u32(by_slot, slot);
	const struct object *port = id ? intent_object(intent, id) : NULL;

	return port ? names_path(intent, port, name) : "";
}

static void write_shares(const struct api *api, struct buf *text)
{
	static const struct {
		const char *name, *type, *help;
	} families[] = {
		{ "share_bytes_total", "counter",
		  "Bytes of frames that left by a shared device, by port; no port: the host." },
		{ "share_dropped_packets_total", "counter",
		  "Of its packets, dropped for want of room." },
		{ "share_waiting_bytes", "gauge", "Bytes that wait there now." },
	};
	struct share_rows rows = { 0 };
	char name[PATH_NAME_SIZE];
	struct map by_slot;

	shares_stats(cluster_shares(api->cluster), add_row, &rows);
	if (!rows.count)
		return;
	read_slots(api, &by_slot);
	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		family(text, families[f].name, families[f].type, families[f].help);
		for (size_t i = 0; i < rows.count; i++) {
			const struct queue_stats *stats = &rows.list[i].stats;
			uint64_t value = f == 0   ? stats->bytes
					 : f == 1 ? stats->dropped
						  : stats->waiting;

			buf_printf(text, "weft_%s{device=\"%s\",port=\"%s\"} %" PRIu64 "\n",
				   families[f].name, rows.list[i].ifname,
				   owner_of(api, &by_slot, rows.list[i].slot, name), value);
		}
	}
	map_fini(&by_slot, NULL);
	free(rows.list);
}

void queues_write(const struct api *api, struct buf *text)
{
	if (reconcile_ports(api->reconcile))
		write_rates(api, text);
	if (api->cluster)
		write_shares(api, text);
}
