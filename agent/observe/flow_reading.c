/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From rows to records: the reading at the end of an interval; see flow_log.h.
 *
 * A row of the flow table is what one port sent to another. It is recorded at both, for each that has a log:
 * going out of the one, coming into the other. What the receiver's rules refuse has left the sender and is
 * accepted there, for so it is when the two are on different hosts.
 *
 * A reading walks the table in pieces, in rounds of the loop. What ends meanwhile is tallied and belongs to
 * this interval or the next, and is recorded once in any case: a mark stays as long as its row may be read.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/names.h"
#include "agent/observe/flow_log_private.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define ENDS_MAX 65536
#define ETHERNET_HEADER 14

/* One direction of one connection, or what was refused of it. */
struct seen {
	const struct flow_key *key;
	uint32_t peer_id;
	enum verdict verdict; /* VERDICT_DELIVERED: admitted */
	uint32_t object_id;
	struct tally sum;
};

static uint64_t processor_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* ---- records ---- */

/* What intent_describe() says of an id; remembered for the reading, for many records share a rule. */
static const char *describe(struct flow_logs *logs, uint32_t id)
{
	char text[400];
	char *known;

	if (!id)
		return NULL;
	known = map_get_u32(&logs->texts, id);
	if (!known) {
		if (!intent_describe(reconcile_intent(logs->options.reconcile), id, text,
				     sizeof(text)))
			return NULL;
		known = xstrdup(text);
		map_put_u32(&logs->texts, id, known);
	}
	return known;
}

static uint64_t time_of(const struct flow_logs *logs, uint32_t tick)
{
	int32_t ago = (int32_t)(logs->now - tick);

	return ago < 0 ? logs->realtime_ns : logs->realtime_ns - ((uint64_t)ago << 20);
}

static struct ip_address address_of(const struct address *address)
{
	struct ip_address result;

	memcpy(&result, address, sizeof(result));
	return result;
}

/*
 * The ports of a record. A key has of an ICMP query (identifier, type and code), and of its answer the same
 * the other way round, so that the two are of one connection: here each has the type that it had.
 */
static void set_ports(struct flow_record *record, const struct seen *seen)
{
	const uint16_t source = ntohs(seen->key->source_port);
	const unsigned int request = source >> 8;

	record->source_port = source;
	record->destination_port = ntohs(seen->key->destination_port);
	if ((record->protocol != IPPROTO_ICMP && record->protocol != IPPROTO_ICMPV6) ||
	    !seen->sum.reply)
		return;
	record->source_port = record->destination_port;
	record->destination_port = request == 8 ? 0 : (uint16_t)((request + 1) << 8);
}

/* At one port. outbound: it sends. rule_id: that let it pass there. */
static void record_at(struct flow_period *period, struct log_port *port, const struct seen *seen,
		      bool outbound, bool rejected, uint32_t rule_id)
{
	struct flow_logs *logs = period->logs;
	const struct flow_key *key = seen->key;
	const uint32_t peer_id = outbound ? seen->peer_id : key->port_id;
	const struct object *peer =
		intent_object(reconcile_intent(logs->options.reconcile), peer_id);
	const uint64_t headers = seen->sum.packets * ETHERNET_HEADER;
	struct flow_record record = {
		.outbound = outbound,
		.peer_id = peer ? peer_id : 0,
		.source = address_of(&key->source),
		.destination = address_of(&key->destination),
		.protocol = key->protocol,
		.tcp_flags = key->protocol == IPPROTO_TCP ? seen->sum.tcp_flags : 0,
		.rejected = rejected,
		.verdict = seen->verdict,
		.packets = seen->sum.packets,
		.bytes = seen->sum.bytes > headers ? seen->sum.bytes - headers : 0,
		.start_ns = time_of(logs, seen->sum.first),
		.end_ns = time_of(logs, seen->sum.last),
		.object = describe(logs, rejected ? seen->object_id : rule_id),
	};
	char path[PATH_NAME_SIZE];

	set_ports(&record, seen);
	if (!(port->log.records & (rejected ? FLOW_LOG_REJECT : FLOW_LOG_ACCEPT)))
		return;
	record.peer = peer ? names_path(reconcile_intent(logs->options.reconcile), peer, path)
			   : NULL;
	if (record.start_ns < period->start_ns)
		record.start_ns = period->start_ns;
	if (record.end_ns < record.start_ns)
		record.end_ns = record.start_ns;
	flow_logs_out(logs, port, &record);
}

/* The receiver's rules have refused it. */
static bool refused_inbound(enum verdict verdict)
{
	return verdict == VERDICT_GROUP_INGRESS || verdict == VERDICT_ACL_INGRESS ||
	       verdict == VERDICT_DESTINATION_CHECK;
}

/* A port of this host: what it sends and this host refuses has not been on its way. */
static bool is_here(const struct flow_logs *logs, uint32_t id)
{
	const struct intent *intent = reconcile_intent(logs->options.reconcile);
	const struct object *object = intent_object(intent, id);

	return object && object->kind == OBJECT_PORT &&
	       intent_is_local(intent, ((const struct port_object *)object)->host);
}

/* At both ends, as far as they have a log of this period. */
static void record(struct flow_period *period, const struct seen *seen)
{
	struct log_port *sender = flow_logs_port(period->logs, seen->key->port_id);
	struct log_port *receiver = flow_logs_port(period->logs, seen->peer_id);
	const bool rejected = seen->verdict != VERDICT_DELIVERED;
	const bool inbound = refused_inbound(seen->verdict);

	if (sender && sender->period == period)
		record_at(period, sender, seen, true, rejected && !inbound,
			  seen->sum.egress_rule_id);
	if (receiver && receiver->period == period &&
	    (!rejected || inbound || !is_here(period->logs, seen->key->port_id)))
		record_at(period, receiver, seen, false, rejected, seen->sum.ingress_rule_id);
}

/* ---- tallies ---- */

static void add(struct tally *to, const struct tally *sum)
{
	if (!to->packets || (int32_t)(sum->first - to->first) < 0)
		to->first = sum->first;
	if (!to->packets || (int32_t)(sum->last - to->last) > 0)
		to->last = sum->last;
	to->packets += sum->packets;
	to->bytes += sum->bytes;
	to->tcp_flags |= sum->tcp_flags;
	to->reply = sum->reply;
	if (sum->egress_rule_id)
		to->egress_rule_id = sum->egress_rule_id;
	if (sum->ingress_rule_id)
		to->ingress_rule_id = sum->ingress_rule_id;
}

/* A record at once where there is no room to wait for the rest of the interval. */
static void tally(struct flow_period *period, const struct flow_reject_key *key,
		  const struct tally *sum)
{
	struct tally *known = map_get(&period->tallies, key, sizeof(*key));
	const struct seen seen = { &key->flow, key->out_port_id, (enum verdict)key->verdict,
				   key->object_id, *sum };

	if (!sum->packets)
		return;
	if (known) {
		add(known, sum);
	} else if (map_count(&period->tallies) < TALLIES_MAX) {
		map_put(&period->tallies, key, sizeof(*key), xmemdup(sum, sizeof(*sum)));
	} else {
		flow_logs_now(period->logs);
		record(period, &seen);
	}
}

static void record_tallies(struct flow_period *period)
{
	MAP_FOR_EACH(&period->tallies, it) {
		const struct flow_reject_key *key = it.key;
		const struct tally *sum = it.value;
		const struct seen seen = { &key->flow, key->out_port_id, (enum verdict)key->verdict,
					   key->object_id, *sum };

		record(period, &seen);
	}
	map_fini(&period->tallies, free);
}

/* What was admitted of this connection before, under another row: into the sum, and not a record more. */
static void take_tally(struct flow_period *period, const struct flow_key *key, uint32_t peer_id,
		       struct tally *sum)
{
	struct flow_reject_key name = {
		.flow = *key,
		.out_port_id = peer_id,
		.verdict = VERDICT_DELIVERED,
	};
	struct tally *known = map_count(&period->tallies)
				      ? map_remove(&period->tallies, &name, sizeof(name))
				      : NULL;

	if (known)
		add(sum, known);
	free(known);
}

/* ---- rows ---- */

static bool concerns(const struct flow_period *period, const struct log_port *port)
{
	return port && port->period == period;
}

/* What is new since the mark, which follows. */
static void advance(struct flow_mark *mark, struct tally *sum, uint32_t born)
{
	const struct flow_mark before = *mark;
	const bool same = before.born == born && before.packets <= sum->packets;

	mark->born = born;
	mark->packets = sum->packets;
	mark->bytes = sum->bytes;
	mark->tcp_flags = sum->tcp_flags;
	if (!same)
		return;
	sum->packets -= before.packets;
	sum->bytes = sum->bytes > before.bytes ? sum->bytes - before.bytes : 0;
	sum->tcp_flags &= (uint8_t)~before.tcp_flags;
}

static struct tally sum_of_row(const struct flow *flow)
{
	return (struct tally){
		.packets = flow->packets,
		.bytes = flow->bytes,
		.first = flow->born,
		.last = flow->seen,
		.egress_rule_id = flow->egress_rule_id,
		.ingress_rule_id = flow->ingress_rule_id,
		.tcp_flags = flow->tcp_flags,
		.reply = !(flow->flags & FLOW_ORIGINAL),
	};
}

static bool read_row(void *context, const void *key, const void *value)
{
	struct flow_period *period = context;
	const struct flow_key *flow_key = key;
	const struct flow *flow = value;
	struct flow_mark *mark;
	struct seen seen = { flow_key, flow->peer_port_id, VERDICT_DELIVERED, 0, { 0 } };

	if (!(flow->flags & FLOW_LOGGED) ||
	    (!concerns(period, flow_logs_port(period->logs, flow_key->port_id)) &&
	     !concerns(period, flow_logs_port(period->logs, flow->peer_port_id))))
		return true;
	seen.sum = sum_of_row(flow);
	mark = flow_marks_take(&period->marks, flow_key);
	mark->stamp = period->stamp;
	advance(mark, &seen.sum, flow->born);
	take_tally(period, flow_key, flow->peer_port_id, &seen.sum);
	if (seen.sum.packets)
		record(period, &seen);
	return true;
}

/* Whether the port had a log when the connection began; if not, how much of it is new is not known. */
static bool begun_since(struct log_port *port, uint32_t born)
{
	if ((int32_t)(born - port->since) >= 0)
		return true;
	port->skip = true;
	return false;
}

void flow_logs_end(struct flow_logs *logs, const struct flow_end *end)
{
	const struct flow_reject_key name = {
		.flow = end->key,
		.out_port_id = end->peer_port_id,
		.verdict = VERDICT_DELIVERED,
	};
	struct log_port *ports[] = { flow_logs_port(logs, end->key.port_id),
				     flow_logs_port(logs, end->peer_port_id) };

	for (size_t i = 0; i < PERIODS; i++) {
		struct flow_period *period = &logs->periods[i];
		struct log_port *port = concerns(period, ports[0])   ? ports[0]
					: concerns(period, ports[1]) ? ports[1]
								     : NULL;
		struct tally sum = {
			.packets = end->packets,
			.bytes = end->bytes,
			.first = end->born,
			.last = end->seen,
			.egress_rule_id = end->egress_rule_id,
			.ingress_rule_id = end->ingress_rule_id,
			.tcp_flags = end->tcp_flags,
			.reply = !(end->flags & FLOW_ORIGINAL),
		};
		struct flow_mark *mark;

		if (!port)
			continue;
		mark = flow_marks_find(&period->marks, &end->key);
		if (mark)
			advance(mark, &sum, end->born);
		else if (!begun_since(port, end->born))
			continue;
		tally(period, &name, &sum);
	}
}

/* Type and code as keys have them, of a message that is answered. */
static bool icmp_query(uint16_t message)
{
	const unsigned int type = message >> 8;

	return (message & 0xff) == 0 &&
	       (type == 8 || type == 13 || type == 15 || type == 17 || type == 128);
}

static bool take_reject(void *context, const void *key, const void *value)
{
	struct flow_logs *logs = context;
	const struct flow_reject_key *name = key;
	const struct flow_reject *row = value;
	const struct tally sum = {
		.packets = row->packets,
		.bytes = row->bytes,
		.first = row->first,
		.last = row->last,
		.tcp_flags = (uint8_t)row->tcp_flags,
		.reply = icmp_query(ntohs(name->flow.source_port)) &&
			 !icmp_query(ntohs(name->flow.destination_port)),
	};

	for (size_t i = 0; i < PERIODS; i++) {
		struct flow_period *period = &logs->periods[i];

		if (concerns(period, flow_logs_port(logs, name->flow.port_id)) ||
		    concerns(period, flow_logs_port(logs, name->out_port_id)))
			tally(period, name, &sum);
	}
	return true;
}

static void take_end(void *context, const struct flow_end *end)
{
	flow_logs_end(context, end);
}

void flow_logs_drain(struct flow_logs *logs, bool rejects)
{
	datapath_flow_ends_read(logs->options.datapath, take_end, logs, ENDS_MAX);
	if (rejects)
		datapath_take_rows(logs->options.datapath, TABLE_flow_rejects, take_reject, logs);
}

/* ---- readings ---- */

/* Ends and refused packets of the port that could not be told since the last time. */
static uint64_t read_lost(struct flow_logs *logs, struct log_port *port)
{
	const struct slot_key key = { reconcile_port_slot(logs->options.reconcile, port->id) };
	struct flow_log_port row = { 0 };
	uint64_t lost = 0;

	if (key.slot && !datapath_get(logs->options.datapath, TABLE_flow_log_ports, &key, &row) &&
	    row.lost > port->lost)
		lost = row.lost - port->lost;
	if (key.slot)
		port->lost = row.lost;
	return lost;
}

static void record_status(struct flow_period *period, struct log_port *port,
			  enum flow_status status)
{
	struct flow_record record = {
		.status = status,
		.start_ns = period->start_ns,
		.end_ns = period->end_ns,
	};

	flow_logs_out(period->logs, port, &record);
}

/* What is to be said of the ports themselves. */
static void record_ports(struct flow_period *period)
{
	struct flow_logs *logs = period->logs;

	MAP_FOR_EACH(&logs->ports, it) {
		struct log_port *port = it.value;
		uint64_t lost;

		if (port->period != period)
			continue;
		lost = read_lost(logs, port);
		logs->lost += lost;
		if (lost || port->skip || period->error)
			record_status(period, port, FLOW_STATUS_SKIPDATA);
		else if (!port->records && !port->gone)
			record_status(period, port, FLOW_STATUS_NODATA);
		port->records = 0;
		port->skip = false;
		if (port->gone && port->rest-- == 0)
			flow_logs_forget(logs, port);
	}
}

static void finish(struct flow_period *period)
{
	struct flow_logs *logs = period->logs;

	datapath_pieces_end(period->pieces);
	period->pieces = NULL;
	loop_deferred_cancel(&period->next);
	record_tallies(period);
	record_ports(period);
	flow_logs_flush(logs);
	if (!period->error)
		flow_marks_keep(&period->marks, period->stamp);
	map_fini(&logs->texts, free);
	period->start_ns = period->end_ns;
	logs->readings++;
}

/* One piece. Return: whether there is more. */
static bool read_piece(struct flow_period *period)
{
	const uint64_t before = processor_ns();
	int result;

	flow_logs_now(period->logs);
	result = datapath_pieces_next(period->pieces, read_row, period);
	if (result < 0) {
		period->error = result;
		log_warning("the flow table cannot be read for flow logs", "error=%s",
			    strerror(-result));
	}
	period->reading_ns += processor_ns() - before;
	return result > 0;
}

static void read_on(void *context)
{
	struct flow_period *period = context;

	if (!period->pieces)
		return;
	if (read_piece(period))
		loop_defer(period->logs->options.loop, &period->next);
	else
		finish(period);
}

static void begin(struct flow_period *period)
{
	struct flow_logs *logs = period->logs;

	flow_logs_drain(logs, true);
	flow_logs_now(logs);
	period->end_ns = logs->realtime_ns;
	period->number = period->end_ns / CLOCK_NS_PER_SECOND / period->seconds;
	period->stamp = period->stamp == UINT8_MAX ? 1 : (uint8_t)(period->stamp + 1);
	period->reading_ns = 0;
	period->error = 0;
	period->pieces = datapath_pieces_begin(logs->options.datapath, TABLE_flows);
}

void flow_period_begin(struct flow_period *period)
{
	if (period->pieces)
		return;
	begin(period);
	loop_defer(period->logs->options.loop, &period->next);
}

void flow_period_complete(struct flow_period *period)
{
	if (!period->pieces)
		begin(period);
	while (read_piece(period))
		;
	finish(period);
}

void flow_period_init(struct flow_logs *logs, struct flow_period *period, uint32_t seconds)
{
	period->logs = logs;
	period->seconds = seconds;
	period->stamp = 1;
	period->start_ns = logs->realtime_ns;
	period->number = period->start_ns / CLOCK_NS_PER_SECOND / seconds;
	flow_marks_init(&period->marks);
	loop_deferred_init(&period->next, read_on, period);
}

void flow_period_fini(struct flow_period *period)
{
	datapath_pieces_end(period->pieces);
	loop_deferred_cancel(&period->next);
	map_fini(&period->tallies, free);
	flow_marks_fini(&period->marks);
}

/* ---- the beginning of a log ---- */

/* A mark where there is none: another port's log may have recorded the row up to there. */
static void mark_row(struct flow_logs *logs, struct log_port *port, const struct flow_key *key,
		     const struct flow *flow)
{
	struct flow_mark *mark;

	if (!port || !port->fresh)
		return;
	/* What the daemon that was here before has recorded of it is not known. */
	if (logs->starting && (flow->flags & FLOW_LOGGED))
		port->skip = true;
	mark = flow_marks_take(&port->period->marks, key);
	if (!mark->packets && !mark->stamp) {
		struct tally sum = sum_of_row(flow);

		advance(mark, &sum, flow->born);
		mark->stamp = port->period->stamp;
	}
}

static bool baseline_row(void *context, const void *key, const void *value)
{
	struct flow_logs *logs = context;
	const struct flow *flow = value;
	const struct flow_key *flow_key = key;

	mark_row(logs, flow_logs_port(logs, flow_key->port_id), flow_key, flow);
	mark_row(logs, flow_logs_port(logs, flow->peer_port_id), flow_key, flow);
	return true;
}

void flow_logs_baseline(struct flow_logs *logs)
{
	datapath_walk(logs->options.datapath, TABLE_flows, baseline_row, logs);
	MAP_FOR_EACH(&logs->ports, it)
		((struct log_port *)it.value)->fresh = false;
}
