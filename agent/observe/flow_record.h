/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One record of a flow log (V48), and the line of JSON that it is written as.
 *
 * A record speaks of one port, one direction of one connection, and one interval. Neighbours: flow_log.c
 * makes them, flow_file.c keeps lines, ipfix.c sends the same to collectors.
 */
#ifndef WEFT_AGENT_FLOW_RECORD_H
#define WEFT_AGENT_FLOW_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "core/verdict.h"

enum flow_status {
	FLOW_STATUS_OK,
	FLOW_STATUS_NODATA,   /* nothing in the interval */
	FLOW_STATUS_SKIPDATA, /* something, of which there are no records */
};

/**
 * struct flow_record - all borrowed
 * @host, @vpc, @subnet, @port: names of where it was seen; @vpc_id, @subnet_id, @port_id likewise
 * @peer: the port at the other end, "blue/web2"; NULL: not known. @peer_id: 0: not known
 * @outbound: the workload sends; else it receives
 * @source, @destination: as the sender wrote them; @source_port, @destination_port: host order, of ICMP
 *	the identifier, and type << 8 | code
 * @tcp_flags: of the segments that opened and closed it
 * @bytes: of IP packets with their headers
 * @start_ns, @end_ns: since 1970-01-01 UTC
 * @rejected: @verdict says why, @object who decided; else @object is the rule that let it pass. NULL: none
 */
struct flow_record {
	enum flow_status status;
	const char *host, *vpc, *subnet, *port, *peer, *object;
	uint32_t vpc_id, subnet_id, port_id, peer_id;
	bool outbound;
	struct ip_address source, destination;
	uint16_t source_port, destination_port;
	uint8_t protocol;
	uint8_t tcp_flags;
	bool rejected;
	enum verdict verdict;
	uint64_t packets, bytes;
	uint64_t start_ns, end_ns;
};

/** flow_record_line - append the record as one line of JSON, with its newline */
void flow_record_line(const struct flow_record *record, struct buf *text);

#endif
