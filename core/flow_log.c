/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_log: what is refused to ports that have a flow log, counted by connection and by who refused it.
 *
 * Called from pipeline.h for a packet that was dropped, and for ports with PORT_LOGGED alone; what is
 * admitted is counted by the rows of flows. One row stands for all packets of a connection that one object
 * refuses, until the daemon takes it; so a flood costs a counter, and a scan is held to a rate of rows.
 *
 * Neighbours: tables_flow_log.h, agent/observe/flow_log.c (who makes records of it).
 */
#include "core/packet.h"

#include "core/police.h"

/* No flow of a tenant's (V48): the services of the host, neighbours, what has many receivers, the router. */
static __always_inline int verdict_is_logged(int verdict)
{
	return !(verdict >= VERDICT_SERVICE_LIMIT && verdict <= VERDICT_ADDRESS_CLAIM) &&
	       verdict != VERDICT_SPOOFED_ARP && verdict != VERDICT_SPOOFED_ND &&
	       verdict != VERDICT_ROUTER_SOLICITATION && verdict != VERDICT_GATEWAY_ONLY_PING &&
	       verdict != VERDICT_NOT_OWN_GATEWAY && verdict >= VERDICT_TRUNCATED;
}

/* 169.254.0.0/16: metadata, resolver and time of every VPC */
static __always_inline int is_host_service(const struct address *a)
{
	return address_is_ipv4(a) && (a->word[3] & be32(0xffff0000)) == be32(0xa9fe0000);
}

static __always_inline int is_dhcp(const struct flow_key *key)
{
	return key->protocol == PROTOCOL_UDP &&
	       (key->destination_port == be16(67) || key->destination_port == be16(68) ||
		key->destination_port == be16(546) || key->destination_port == be16(547));
}

static __always_inline void count_lost(__u32 port_slot)
{
	struct slot_key slot = { .slot = port_slot };
	struct flow_log_port *port = table_lookup(flow_log_ports, &slot);

	if (port)
		atomic_add(&port->lost, 1);
}

/* A row for what was not refused before. Return: 0, or that another CPU was faster. */
static __always_inline int reject_new(struct packet *p, const struct flow_reject_key *key,
				      __u32 now)
{
	struct slot_key slot = { .slot = p->port_slot };
	struct flow_log_port *port = table_lookup(flow_log_ports, &slot);
	struct flow_reject row = { .packets = 1, .bytes = p->frame_length };
	int error = -1;

	row.first = now;
	row.last = now;
	row.tcp_flags = p->tcp_flags;
	if (port && bucket_take(&port->reject_tokens, FLOW_REJECT_RATE, now))
		error = (int)table_add(flow_rejects, key, &row);
	if (!error || error == TABLE_ROW_EXISTS)
		return error;
	count_lost(p->port_slot);
	if (p->out_slot)
		count_lost(p->out_slot);
	return 0;
}

/*
 * Counts a packet that was dropped. p: of a port with PORT_LOGGED, or for one. Return: 0.
 */
int flow_log_reject(struct frame *f, struct packet *p, int verdict)
{
	struct flow_reject_key key = {};
	struct flow_reject *row;
	__u32 now = clock_tick();

	(void)f;
	if (!p || !(p->flags & PACKET_IP) || !verdict_is_logged(verdict) ||
	    address_is_multicast(&p->key.destination) || is_host_service(&p->key.destination) ||
	    is_dhcp(&p->key))
		return 0;
	key.flow = p->key;
	key.out_port_id = p->out_port_id;
	key.verdict = (__u32)verdict;
	key.object_id = p->object_id;
	row = table_lookup(flow_rejects, &key);
	if (!row) {
		if (!reject_new(p, &key, now))
			return 0;
		row = table_lookup(flow_rejects, &key);
		if (!row)
			return 0;
	}
	atomic_add(&row->packets, 1);
	atomic_add(&row->bytes, p->frame_length);
	row->last = now;
	row->tcp_flags |= p->tcp_flags;
	return 0;
}
