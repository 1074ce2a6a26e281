/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of IPFIX (RFC 7011): templates and records of flows, appended to a buffer.
 *
 * Four templates, the same in every message stream: flows over IPv4 and over IPv6, each direction of a
 * connection a record of its own; the name of a port (an interface, to IPFIX) and of its VPC; and what the
 * exporter has sent and lost. A record that does not fit into the message is refused, and nothing of it is in.
 *
 * Neighbours: ipfix_session.c (who sends messages), flow_record.h (what is in them).
 */
#ifndef WEFT_AGENT_IPFIX_H
#define WEFT_AGENT_IPFIX_H

#include "agent/observe/flow_record.h"

#define IPFIX_HEADER_SIZE 16

/**
 * struct ipfix_message - one that is being written; release bytes with buf_fini()
 * @size_max: bytes it may have
 * @records: data records in it
 * @set: the open set, 0: none; it begins at @set_offset
 */
struct ipfix_message {
	struct buf bytes;
	size_t size_max;
	uint32_t records;
	uint16_t set;
	size_t set_offset;
};

/* What an exporter says of itself. */
struct ipfix_statistics {
	uint32_t domain;
	const char *name; /* of the domain */
	uint64_t messages, records, lost;
};

/** ipfix_begin - an empty message of at most @size_max bytes, 512 at least */
void ipfix_begin(struct ipfix_message *message, size_t size_max);

/*
 * Each appends something. Return: false if it does not fit; the message is then as it was.
 * ipfix_add_flow() is for records with FLOW_STATUS_OK.
 */
bool ipfix_add_templates(struct ipfix_message *message);
bool ipfix_add_flow(struct ipfix_message *message, const struct flow_record *record);
bool ipfix_add_interface(struct ipfix_message *message, uint32_t port_id, const char *name,
			 const char *vpc);
bool ipfix_add_statistics(struct ipfix_message *message, const struct ipfix_statistics *statistics);

/**
 * ipfix_finish - fill in the header; the message is complete then
 * @seconds: export time since 1970
 * @sequence: data records of the domain that were sent before
 */
void ipfix_finish(struct ipfix_message *message, uint32_t seconds, uint32_t sequence,
		  uint32_t domain);

#endif
