/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What packets have left in the flow table, on both sides; for run.c.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/vectors/vector.h"

/* row A > B: the settled row of a plain connection between two ports of one subnet, every field of its
 * way out compared with what the table of ports says of B. */
static bool check_row(const struct side *side, uint32_t from_id, uint32_t to_id)
{
	struct collected rows = tables_collect(side, TABLE_flows);
	struct port_key from_key = { from_id }, to_key = { to_id };
	struct port from, to;
	size_t found = 0;

	if (!side->get(TABLE_ports, &from_key, &from) || !side->get(TABLE_ports, &to_key, &to))
		vector_fail("%s: no row of a port", side->name);
	for (size_t i = 0; i < rows.count; i++) {
		const unsigned char *at = rows.bytes + i * (rows.key_size + rows.value_size);
		struct flow_key key;
		struct flow flow;
		uint8_t macs[12];

		memcpy(&key, at, sizeof(key));
		memcpy(&flow, at + rows.key_size, sizeof(flow));
		if (key.port_id != from_id || flow.peer_port_id != to_id)
			continue;
		found++;
		memcpy(macs, to.mac, 6);
		memcpy(macs + 6, from.mac, 6);
		if (flow.flags & FLOW_UNRESOLVED)
			vector_no("%s: the row is not settled", side->name);
		else if (flow.out_ifindex != to.ifindex || flow.out_kind != to.kind)
			vector_no("%s: out of device %u of kind %u, expected %u of kind %u",
				  side->name, flow.out_ifindex, flow.out_kind, to.ifindex, to.kind);
		else if (flow.out_slot != to.port_slot || flow.vpc_slot != to.vpc_slot)
			vector_no("%s: slot %u of VPC slot %u, expected %u of %u", side->name,
				  flow.out_slot, flow.vpc_slot, to.port_slot, to.vpc_slot);
		else if (flow.mtu != to.mtu)
			vector_no("%s: MTU %u, expected %u", side->name, flow.mtu, to.mtu);
		else if (memcmp(flow.ethernet_in, macs, 12) || memcmp(flow.ethernet_out, macs, 12))
			vector_no("%s: other MACs than those of the two ports", side->name);
		else
			continue;
		free(rows.bytes);
		return false;
	}
	free(rows.bytes);
	return found == 1 ? true : vector_no("%s: %zu such rows", side->name, found);
}

bool rows_check(const char *from_name, const char *to_name)
{
	const struct port_object *from = world_port(&tables_world, from_name);
	const struct port_object *to = world_port(&tables_world, to_name);

	if (!from || !to)
		vector_fail("no port %s or %s", from_name, to_name);
	for (size_t s = 0; s < side_count; s++)
		if (!check_row(sides[s], from->object.id, to->object.id))
			return false;
	return true;
}

bool rows_check_flows(size_t wanted)
{
	struct collected rows[2];
	bool same = true;

	for (size_t s = 0; s < side_count; s++) {
		rows[s] = tables_collect(sides[s], TABLE_flows);
		if (wanted != SIZE_MAX && rows[s].count != wanted)
			same = vector_no("%s has %zu rows of connections, expected %zu",
					 sides[s]->name, rows[s].count, wanted);
	}
	for (size_t i = 0; same && side_count == 2 && i < rows[0].count; i++) {
		unsigned char *key = rows[0].bytes + i * (rows[0].key_size + rows[0].value_size);
		struct flow native, kernel;

		memcpy(&native, key + rows[0].key_size, sizeof(native));
		if (!kernel_side.get(TABLE_flows, key, &kernel)) {
			same = vector_no("the kernel lacks a connection");
			break;
		}
		/* Clocks differ; everything else is the same. */
		native.seen = kernel.seen = native.born = kernel.born = 0;
		native.renew = kernel.renew = 0;
		if (memcmp(&native, &kernel, sizeof(native)))
			same = vector_no(
				"a connection differs: state %u/%u flags %x/%x packets %llu/%llu",
				native.state, kernel.state, native.flags, kernel.flags,
				native.packets, kernel.packets);
	}
	if (same && side_count == 2 && rows[0].count != rows[1].count)
		same = vector_no("native has %zu connections, kernel %zu", rows[0].count,
				 rows[1].count);
	for (size_t s = 0; s < side_count; s++)
		free(rows[s].bytes);
	return same;
}
