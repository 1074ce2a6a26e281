/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow logs: which connections of a port are recorded, how often, and where the records go.
 *
 * A VPC, a subnet or a port may have one; the nearest counts, whole: a port's own, else its subnet's, else
 * its VPC's. `records: none` turns off what is said further out.
 *
 * Neighbours: text_flow_log.c (JSON to this and back), agent/observe/flow_log.h (who keeps the log).
 */
#ifndef WEFT_MODEL_FLOW_LOG_H
#define WEFT_MODEL_FLOW_LOG_H

#include "base/addr.h"

#define FLOW_LOG_COLLECTORS_MAX 4
#define FLOW_LOG_SHORT 60 /* seconds of an interval (V48) */
#define FLOW_LOG_LONG 600
#define IPFIX_PORT 4739

enum flow_log_records {
	FLOW_LOG_NONE = 0,
	FLOW_LOG_ACCEPT = 1,
	FLOW_LOG_REJECT = 2,
	FLOW_LOG_ALL = 3,
};

/* Who gets the records by IPFIX. */
struct flow_log_collector {
	struct ip_address address;
	uint16_t port; /* host order */
	bool tcp;
};

/**
 * struct flow_log - what is recorded
 * @records: enum flow_log_records, a set
 * @interval: seconds, FLOW_LOG_SHORT or FLOW_LOG_LONG
 * @file: into the host's file of the VPC
 * @domain: observation domain in IPFIX; 0: the VPC's id
 */
struct flow_log {
	enum flow_log_records records;
	uint32_t interval;
	bool file;
	uint32_t domain;
	uint8_t collector_count;
	struct flow_log_collector collectors[FLOW_LOG_COLLECTORS_MAX];
};

struct intent;
struct port_object;

bool flow_log_equal(const struct flow_log *a, const struct flow_log *b); /* NULL: none */
struct flow_log *flow_log_copy(const struct flow_log *log);              /* NULL of NULL */

/** flow_log_collector_format - "udp:192.0.2.9:4739" into @text. Return: @text. */
#define FLOW_LOG_COLLECTOR_TEXT_SIZE 64
const char *flow_log_collector_format(const struct flow_log_collector *collector,
				      char text[FLOW_LOG_COLLECTOR_TEXT_SIZE]);

/** flow_log_collector_parse - the reverse; without a port it is IPFIX_PORT. Return: whether it is one. */
bool flow_log_collector_parse(const char *text, struct flow_log_collector *collector);

/** intent_flow_log - the log that counts for a port; NULL: none */
const struct flow_log *intent_flow_log(const struct intent *intent, const struct port_object *port);

#endif
