/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What flow_log.c (ports, files, timers) and flow_reading.c (rows to records) share.
 */
#ifndef WEFT_AGENT_FLOW_LOG_PRIVATE_H
#define WEFT_AGENT_FLOW_LOG_PRIVATE_H

#include "agent/observe/flow_file.h"
#include "agent/observe/flow_log.h"
#include "agent/observe/flow_marks.h"
#include "agent/observe/flow_record.h"
#include "base/map.h"

#define TALLIES_MAX 65536

enum { PERIOD_SHORT, PERIOD_LONG, PERIODS };

/* What was seen of one connection that is not in the table any more, or never was: until the interval ends. */
struct tally {
	uint64_t packets, bytes;
	uint32_t first, last; /* ticks */
	uint32_t egress_rule_id, ingress_rule_id;
	uint8_t tcp_flags;
	bool reply; /* not the direction of the first packet */
};

/**
 * struct flow_period - the logs of one length of interval
 * @tallies: struct flow_reject_key -> struct tally, owned; of what was admitted the verdict is
 *	VERDICT_DELIVERED and the object 0
 * @pieces: the reading that is under way; NULL: none
 * @number: of the running interval, counted from 1970
 * @start_ns, @end_ns: of the interval that is read
 */
struct flow_period {
	struct flow_logs *logs;
	uint32_t seconds;
	size_t port_count;
	struct flow_marks marks;
	struct map tallies;
	struct datapath_pieces *pieces;
	struct loop_deferred next;
	uint8_t stamp;
	uint64_t number;
	uint64_t start_ns, end_ns;
	uint64_t reading_ns;
	int error;
};

/**
 * struct log_port - a port of this host with a log
 * @since: tick from which on it has it
 * @gone: the port is no more; what is still told of it is recorded until @rest readings have ended
 * @fresh: connections that it has are not marked yet
 * @skip: something was lost in this interval
 * @lost: of its slot's row of flow_log_ports, when that was last read
 */
struct log_port {
	uint32_t id, vpc_id, subnet_id;
	char vpc[NAME_SIZE], subnet[NAME_SIZE], name[NAME_SIZE];
	struct flow_log log;
	struct flow_period *period;
	uint32_t since;
	bool gone, fresh, skip;
	uint8_t rest;
	uint64_t lost, records;
};

struct flow_logs {
	struct flow_logs_options options;
	struct reconcile_listener listener;
	struct map ports;    /* id -> struct log_port, owned */
	struct map files;    /* VPC id -> struct flow_file, owned */
	struct map sessions; /* struct flow_log_collector -> struct ipfix_session, owned */
	struct map texts;    /* object id -> its description, owned; for one reading */
	struct flow_period periods[PERIODS];
	struct loop_timer tick;
	uint32_t ticks;
	bool starting; /* connections are there that another daemon has followed */
	int fd;
	uint64_t records, lost, readings;
	/* The two clocks, when the reading began. */
	uint64_t realtime_ns;
	uint32_t now;
};

/* ---- flow_reading.c ---- */

/** flow_period_init - @seconds long */
void flow_period_init(struct flow_logs *logs, struct flow_period *period, uint32_t seconds);
void flow_period_fini(struct flow_period *period);

/** flow_period_begin - end the running interval: read all rows, piece by piece */
void flow_period_begin(struct flow_period *period);

/** flow_period_complete - the same, or what is left of it, before this returns */
void flow_period_complete(struct flow_period *period);

/** flow_logs_baseline - connections of ports that are fresh are marked: what they had is not recorded */
void flow_logs_baseline(struct flow_logs *logs);

/** flow_logs_drain - take what the datapath has to tell: ends of connections, and with @rejects the refused */
void flow_logs_drain(struct flow_logs *logs, bool rejects);

/* ---- flow_log.c ---- */

/** flow_logs_out - a record of a port to where its log goes */
void flow_logs_out(struct flow_logs *logs, struct log_port *port, struct flow_record *record);

/** flow_logs_flush - nothing more will come of this reading */
void flow_logs_flush(struct flow_logs *logs);

/** flow_logs_port - the port with this id, if it has a log; else NULL */
static inline struct log_port *flow_logs_port(const struct flow_logs *logs, uint32_t port_id)
{
	return port_id ? map_get_u32(&logs->ports, port_id) : NULL;
}

/** flow_logs_forget - a port that is gone, for good */
void flow_logs_forget(struct flow_logs *logs, struct log_port *port);

/** flow_logs_now - read both clocks */
void flow_logs_now(struct flow_logs *logs);

#endif
