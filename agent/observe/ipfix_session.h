/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An exporter's session with one collector of IPFIX, by UDP or TCP (RFC 7011, section 10).
 *
 * In a session there are observation domains, a VPC each unless it says otherwise, with a sequence number of
 * their own. Templates go first: once over TCP, over UDP again with the records when a minute has passed.
 * Nothing waits for a collector: what a socket does not take is lost, and counted; over TCP up to 8 MiB wait.
 * A TCP connection that ends is made again, after 5 seconds.
 *
 * Neighbours: ipfix.h (bytes), flow_log.c.
 */
#ifndef WEFT_AGENT_IPFIX_SESSION_H
#define WEFT_AGENT_IPFIX_SESSION_H

#include "agent/observe/flow_record.h"
#include "base/loop.h"
#include "model/flow_log.h"

struct ipfix_session;

/**
 * struct ipfix_counts - since the session began
 * @records, @messages, @bytes: sent; names of ports and statistics are records, too
 * @lost: records that were not
 * @connected: over UDP: the socket is there
 * @error: of the last try, negative errno; 0: it went well
 */
struct ipfix_counts {
	uint64_t records, messages, bytes, lost;
	bool connected;
	int error;
};

/** ipfix_session_new - begin to connect; release with ipfix_session_free() */
struct ipfix_session *ipfix_session_new(struct loop *loop,
					const struct flow_log_collector *collector);

/** ipfix_session_free - end, what waits is lost. NULL is ignored. */
void ipfix_session_free(struct ipfix_session *session);

/** ipfix_session_add - a record of domain @id with FLOW_STATUS_OK; sent when the message is full, or by a flush */
void ipfix_session_add(struct ipfix_session *session, uint32_t id,
		       const struct flow_record *record);

/**
 * ipfix_session_flush - the reading has ended: names of ports, statistics, and all that waits
 *
 * Over TCP this waits for the collector no longer than the socket takes bytes.
 */
void ipfix_session_flush(struct ipfix_session *session);

void ipfix_session_count(const struct ipfix_session *session, struct ipfix_counts *counts);

#endif
