/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which ports have a log, when intervals end, and the files that records go to; see flow_log.h.
 *
 * The work of a change is in proportion to it: only ports that the change speaks of are looked at. Where what a
 * port records is another than before, or nothing from now on, what was is recorded first, as if the interval
 * ended: what is said acts at once and exactly. A port that is removed is remembered until what is left of it in
 * the flow table has been swept and recorded.
 */
#include "agent/observe/flow_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/observe/flow_log_private.h"
#include "agent/observe/ipfix_session.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define TICK_NS CLOCK_NS_PER_SECOND
#define REJECT_TICKS 5
#define REST_READINGS 2

static const uint32_t period_seconds[PERIODS] = {
	[PERIOD_SHORT] = FLOW_LOG_SHORT,
	[PERIOD_LONG] = FLOW_LOG_LONG,
};

void flow_logs_now(struct flow_logs *logs)
{
	logs->realtime_ns = clock_realtime_ns(NULL);
	logs->now = (uint32_t)(clock_monotonic_ns(NULL) >> 20); /* as clock_tick() */
}

/* ---- where records go ---- */

static void file_free(void *value)
{
	flow_file_fini(value);
	free(value);
}

static void session_free(void *value)
{
	ipfix_session_free(value);
}

static struct flow_file *file_of(struct flow_logs *logs, const struct log_port *port)
{
	struct flow_file *file = map_get_u32(&logs->files, port->vpc_id);
	struct error error = { 0 };
	char *path;

	if (file)
		return file;
	if (file_make_directories(logs->options.directory, 0750, &error))
		log_warning("no directory for flow logs", "text=\"%s\"", error.text);
	file = xcalloc(1, sizeof(*file));
	path = xasprintf("%s/%s.jsonl", logs->options.directory, port->vpc);
	flow_file_init(file, path);
	free(path);
	map_put_u32(&logs->files, port->vpc_id, file);
	return file;
}

/* Collectors are known by their text, which has no holes. */
static struct ipfix_session *session_of(struct flow_logs *logs,
					const struct flow_log_collector *collector)
{
	char text[FLOW_LOG_COLLECTOR_TEXT_SIZE];
	struct ipfix_session *session;

	flow_log_collector_format(collector, text);
	session = map_get_text(&logs->sessions, text);
	if (!session) {
		session = ipfix_session_new(logs->options.loop, collector);
		map_put_text(&logs->sessions, text, session);
	}
	return session;
}

static void send_record(struct flow_logs *logs, const struct log_port *port,
			const struct flow_record *record)
{
	const uint32_t domain = port->log.domain ? port->log.domain : port->vpc_id;

	for (size_t i = 0; i < port->log.collector_count; i++)
		ipfix_session_add(session_of(logs, &port->log.collectors[i]), domain, record);
}

void flow_logs_out(struct flow_logs *logs, struct log_port *port, struct flow_record *record)
{
	record->host = reconcile_host(logs->options.reconcile);
	record->vpc = port->vpc;
	record->subnet = port->subnet;
	record->port = port->name;
	record->vpc_id = port->vpc_id;
	record->subnet_id = port->subnet_id;
	record->port_id = port->id;
	port->records++;
	logs->records++;
	if (port->log.file) {
		struct flow_file *file = file_of(logs, port);

		flow_record_line(record, flow_file_line(file));
		flow_file_added(file);
	}
	if (record->status == FLOW_STATUS_OK)
		send_record(logs, port, record);
}

/* Sessions that no port's log names any more end. */
static void end_sessions(struct flow_logs *logs)
{
	struct map used = { 0 };

	MAP_FOR_EACH(&logs->ports, it) {
		const struct log_port *port = it.value;
		char text[FLOW_LOG_COLLECTOR_TEXT_SIZE];

		for (size_t i = 0; i < port->log.collector_count; i++)
			map_put_text(&used,
				     flow_log_collector_format(&port->log.collectors[i], text),
				     logs);
	}
	MAP_FOR_EACH(&logs->sessions, it) {
		struct ipfix_session *session = it.value;

		if (map_get_text(&used, it.key))
			continue;
		map_remove_text(&logs->sessions, it.key);
		ipfix_session_free(session);
	}
	map_fini(&used, NULL);
}

/* Files of VPCs that are not there any more; their ports' last records are in them. */
static void end_files(struct flow_logs *logs)
{
	const struct intent *intent = reconcile_intent(logs->options.reconcile);
	struct map used = { 0 };

	MAP_FOR_EACH(&logs->ports, it)
		map_put_u32(&used, ((const struct log_port *)it.value)->vpc_id, logs);
	MAP_FOR_EACH(&logs->files, it) {
		const uint32_t vpc_id = *(const uint32_t *)it.key;
		struct flow_file *file = it.value;

		if (intent_object(intent, vpc_id) || map_get_u32(&used, vpc_id))
			continue;
		reconcile_flow_log(logs->options.reconcile, vpc_id, NULL);
		map_remove_u32(&logs->files, vpc_id);
		file_free(file);
	}
	map_fini(&used, NULL);
}

void flow_logs_flush(struct flow_logs *logs)
{
	MAP_FOR_EACH(&logs->sessions, it)
		ipfix_session_flush(it.value);
	end_sessions(logs);
	MAP_FOR_EACH(&logs->files, it) {
		struct flow_file *file = it.value;
		const uint32_t vpc_id = *(const uint32_t *)it.key;
		char why[400];

		if (!flow_file_flush(file)) {
			reconcile_flow_log(logs->options.reconcile, vpc_id, NULL);
			continue;
		}
		snprintf(why, sizeof(why),
			 "the flow log %.250s cannot be written: %s; %" PRIu64 " records are lost",
			 file->path, strerror(-file->error), file->lost);
		reconcile_flow_log(logs->options.reconcile, vpc_id, why);
	}
	end_files(logs);
}

void flow_logs_reopen(struct flow_logs *logs)
{
	if (!logs)
		return;
	MAP_FOR_EACH(&logs->files, it)
		flow_file_reopen(it.value);
}

/* ---- which ports have a log ---- */

void flow_logs_forget(struct flow_logs *logs, struct log_port *port)
{
	port->period->port_count--;
	free(map_remove_u32(&logs->ports, port->id));
}

/* Packets have gone through it: there may be connections that were begun before the log. */
static bool has_talked(const struct flow_logs *logs, uint32_t port_id)
{
	uint32_t slot = reconcile_port_slot(logs->options.reconcile, port_id);
	struct port_counts counts;

	return slot && !datapath_port_counts(logs->options.datapath, slot, &counts) &&
	       counts.received_packets + counts.sent_packets;
}

static void set_names(const struct intent *intent, struct log_port *known,
		      const struct port_object *port)
{
	const struct object *vpc = intent_object(intent, port->object.vpc_id);
	const struct object *subnet = intent_object(intent, port->subnet_id);

	known->vpc_id = port->object.vpc_id;
	known->subnet_id = port->subnet_id;
	snprintf(known->vpc, sizeof(known->vpc), "%s", vpc ? vpc->name : "");
	snprintf(known->subnet, sizeof(known->subnet), "%s", subnet ? subnet->name : "");
	snprintf(known->name, sizeof(known->name), "%s", port->object.name);
}

static void readable(void *context, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	flow_logs_drain(context, false);
}

/* The kernel's ring takes 4 MiB of the daemon's memory: it is mapped for the first port that has a log. */
static void listen_once(struct flow_logs *logs)
{
	if (logs->fd >= 0)
		return;
	logs->fd = datapath_flow_ends_fd(logs->options.datapath);
	if (logs->fd >= 0)
		loop_add_fd(logs->options.loop, logs->fd, EPOLLIN, readable, logs);
}

/* A port has a log now, or another one. Return: whether its connections are to be marked. */
static bool follow(struct flow_logs *logs, const struct port_object *port,
		   const struct flow_log *log)
{
	struct flow_period *period =
		&logs->periods[log->interval == FLOW_LOG_LONG ? PERIOD_LONG : PERIOD_SHORT];
	struct log_port *known = flow_logs_port(logs, port->object.id);
	bool fresh = !known || known->gone || known->period != period;
	struct flow_log_port row = { 0 };

	listen_once(logs);
	if (!known) {
		known = xcalloc(1, sizeof(*known));
		known->id = port->object.id;
		map_put_u32(&logs->ports, known->id, known);
	}
	set_names(reconcile_intent(logs->options.reconcile), known, port);
	known->log = *log;
	known->gone = false;
	/* Connected before there is something to send. */
	for (size_t i = 0; i < log->collector_count; i++)
		session_of(logs, &log->collectors[i]);
	if (!fresh)
		return false;
	if (known->period)
		known->period->port_count--;
	period->port_count++;
	known->period = period;
	known->since = logs->now;
	known->fresh = has_talked(logs, known->id);
	datapath_get(logs->options.datapath, TABLE_flow_log_ports,
		     &(struct slot_key){ reconcile_port_slot(logs->options.reconcile, known->id) },
		     &row);
	known->lost = row.lost;
	return known->fresh;
}

/* The port, as long as it is this host's; NULL: it is not, or not any more. */
static const struct port_object *port_here(const struct flow_logs *logs, uint32_t port_id)
{
	const struct intent *intent = reconcile_intent(logs->options.reconcile);
	const struct object *object = intent_object(intent, port_id);
	const struct port_object *port =
		object && object->kind == OBJECT_PORT ? (const struct port_object *)object : NULL;

	return port && intent_is_local(intent, port->host) ? port : NULL;
}

/* Return: whether connections of the port are to be marked. */
static bool look_at_port(struct flow_logs *logs, uint32_t port_id)
{
	const struct port_object *port = port_here(logs, port_id);
	const struct flow_log *log =
		port ? intent_flow_log(reconcile_intent(logs->options.reconcile), port) : NULL;
	struct log_port *known = flow_logs_port(logs, port_id);

	if (log)
		return follow(logs, port, log);
	if (known && port) {
		flow_logs_forget(logs, known); /* all that was is on record: settle() */
	} else if (known && !known->gone) {
		known->gone = true;
		known->rest = REST_READINGS;
	}
	return false;
}

/* What the port records is not what it was; *periods: those that it is in. */
static void find_moved(const struct flow_logs *logs, uint32_t port_id, bool periods[PERIODS])
{
	const struct port_object *port = port_here(logs, port_id);
	const struct log_port *known = flow_logs_port(logs, port_id);

	if (port && known && !known->gone &&
	    !flow_log_equal(&known->log,
			    intent_flow_log(reconcile_intent(logs->options.reconcile), port)))
		periods[known->period - logs->periods] = true;
}

static bool look_at_list(struct flow_logs *logs, uint32_t vpc_id, uint32_t subnet_id)
{
	const struct object **ports;
	size_t count =
		intent_list(reconcile_intent(logs->options.reconcile), vpc_id, OBJECT_PORT, &ports);
	bool fresh = false;

	for (size_t i = 0; i < count; i++)
		if (!subnet_id || ((const struct port_object *)ports[i])->subnet_id == subnet_id)
			fresh |= look_at_port(logs, ports[i]->id);
	free(ports);
	return fresh;
}

static bool look_at_all(struct flow_logs *logs)
{
	const struct object **vpcs;
	size_t count = intent_list(reconcile_intent(logs->options.reconcile), 0, OBJECT_VPC, &vpcs);
	bool fresh = false;

	for (size_t i = 0; i < count; i++)
		fresh |= look_at_list(logs, vpcs[i]->id, 0);
	free(vpcs);
	return fresh;
}

static const struct flow_log *log_of(const struct object *object)
{
	if (object && object->kind == OBJECT_VPC)
		return ((const struct vpc_object *)object)->flow_log;
	return object ? ((const struct subnet_object *)object)->flow_log : NULL;
}

static void start_ticking(struct flow_logs *logs)
{
	if (!map_count(&logs->ports) && !map_count(&logs->sessions)) {
		loop_timer_stop(&logs->tick);
		return;
	}
	if (loop_timer_is_running(&logs->tick))
		return;
	loop_timer_start(logs->options.loop, &logs->tick, TICK_NS, TICK_NS);
	/* Nothing was read for a while. */
	for (size_t i = 0; i < PERIODS; i++) {
		logs->periods[i].start_ns = logs->realtime_ns;
		logs->periods[i].number =
			logs->realtime_ns / CLOCK_NS_PER_SECOND / logs->periods[i].seconds;
	}
}

static bool log_changed(const struct change *change)
{
	return (change->kind == OBJECT_VPC || change->kind == OBJECT_SUBNET) && change->before &&
	       change->after && !flow_log_equal(log_of(change->before), log_of(change->after));
}

/* Before a log is another one, or none: what there is up to now is recorded by the old one. */
static void settle(struct flow_logs *logs, const struct change *changes, size_t count)
{
	bool periods[PERIODS] = { false }, all = false;

	for (size_t i = 0; i < count; i++) {
		if (changes[i].kind == OBJECT_PORT && changes[i].after)
			find_moved(logs, changes[i].after->id, periods);
		all |= log_changed(&changes[i]);
	}
	MAP_FOR_EACH(&logs->ports, it) {
		if (all)
			find_moved(logs, *(const uint32_t *)it.key, periods);
	}
	for (size_t i = 0; i < PERIODS; i++)
		if (periods[i])
			flow_period_complete(&logs->periods[i]);
}

static void changed(void *context, const struct change *changes, size_t count)
{
	struct flow_logs *logs = context;
	bool fresh = false;

	flow_logs_now(logs);
	settle(logs, changes, count);
	for (size_t i = 0; i < count; i++) {
		const struct object *before = changes[i].before, *after = changes[i].after;
		const struct object *either = after ? after : before;

		if (changes[i].kind == OBJECT_PORT)
			fresh |= look_at_port(logs, either->id);
		else if (log_changed(&changes[i]))
			fresh |= look_at_list(logs, either->vpc_id,
					      either->kind == OBJECT_SUBNET ? either->id : 0);
	}
	if (fresh)
		flow_logs_baseline(logs);
	start_ticking(logs);
}

/* ---- time ---- */

static void on_tick(void *context)
{
	struct flow_logs *logs = context;

	logs->ticks++;
	flow_logs_now(logs);
	flow_logs_drain(logs, logs->ticks % REJECT_TICKS == 0);
	/* They had some time for what was left to send. */
	if (logs->ticks % REJECT_TICKS == 0)
		end_sessions(logs);
	for (size_t i = 0; i < PERIODS; i++) {
		struct flow_period *period = &logs->periods[i];

		if (period->port_count &&
		    logs->realtime_ns / CLOCK_NS_PER_SECOND / period->seconds != period->number)
			flow_period_begin(period);
	}
	start_ticking(logs);
}

uint64_t flow_logs_write(struct flow_logs *logs)
{
	const uint64_t before = logs->records;

	for (size_t i = 0; i < PERIODS; i++)
		if (logs->periods[i].port_count)
			flow_period_complete(&logs->periods[i]);
	return logs->records - before;
}

/* ---- what is told of it ---- */

void flow_logs_count(const struct flow_logs *logs, struct flow_logs_counts *counts)
{
	*counts = (struct flow_logs_counts){
		.records = logs->records,
		.lost = logs->lost,
		.readings = logs->readings,
		.ports = map_count(&logs->ports),
	};
	for (size_t i = 0; i < PERIODS; i++) {
		counts->marks += logs->periods[i].marks.count;
		counts->tallies += map_count(&logs->periods[i].tallies);
		if (logs->periods[i].reading_ns > counts->reading_ns)
			counts->reading_ns = logs->periods[i].reading_ns;
	}
}

static json_t *files_json(const struct flow_logs *logs)
{
	json_t *list = json_array();

	MAP_FOR_EACH(&logs->files, it) {
		const struct flow_file *file = it.value;

		json_array_append_new(
			list, json_pack("{s:s, s:I, s:I, s:I, s:s*}", "path", file->path, "records",
					(json_int_t)file->lines, "bytes", (json_int_t)file->bytes,
					"lost", (json_int_t)file->lost, "error",
					file->error ? strerror(-file->error) : NULL));
	}
	return list;
}

static json_t *collectors_json(const struct flow_logs *logs)
{
	json_t *list = json_array();

	MAP_FOR_EACH(&logs->sessions, it) {
		struct ipfix_counts counts;

		ipfix_session_count(it.value, &counts);
		json_array_append_new(
			list,
			json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:s*}", "to", it.key, "connected",
				  counts.connected, "records", (json_int_t)counts.records,
				  "messages", (json_int_t)counts.messages, "bytes",
				  (json_int_t)counts.bytes, "lost", (json_int_t)counts.lost,
				  "error", counts.error ? strerror(-counts.error) : NULL));
	}
	return list;
}

static json_t *ports_json(const struct flow_logs *logs)
{
	json_t *list = json_array();

	MAP_FOR_EACH(&logs->ports, it) {
		const struct log_port *port = it.value;

		if (!port->gone)
			json_array_append_new(list, json_sprintf("%s/%s", port->vpc, port->name));
	}
	return list;
}

json_t *flow_logs_json(const struct flow_logs *logs)
{
	struct flow_logs_counts counts;

	flow_logs_count(logs, &counts);
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "ports", ports_json(logs),
			 "files", files_json(logs), "collectors", collectors_json(logs), "records",
			 (json_int_t)counts.records, "lost", (json_int_t)counts.lost, "followed",
			 (json_int_t)counts.marks, "waiting", (json_int_t)counts.tallies,
			 "reading_us", (json_int_t)(counts.reading_ns / 1000));
}

/* ---- begin and end ---- */

struct flow_logs *flow_logs_new(const struct flow_logs_options *options)
{
	struct flow_logs *logs = xcalloc(1, sizeof(*logs));

	logs->options = *options;
	flow_logs_now(logs);
	for (size_t i = 0; i < PERIODS; i++)
		flow_period_init(logs, &logs->periods[i], period_seconds[i]);
	loop_timer_init(&logs->tick, on_tick, logs);
	logs->fd = -1;
	logs->starting = true;
	if (look_at_all(logs))
		flow_logs_baseline(logs);
	logs->starting = false;
	start_ticking(logs);
	logs->listener.changed = changed;
	logs->listener.context = logs;
	reconcile_listen(options->reconcile, &logs->listener);
	return logs;
}

void flow_logs_free(struct flow_logs *logs)
{
	if (!logs)
		return;
	flow_logs_write(logs);
	reconcile_unlisten(&logs->listener);
	loop_timer_stop(&logs->tick);
	if (logs->fd >= 0)
		loop_remove_fd(logs->options.loop, logs->fd);
	for (size_t i = 0; i < PERIODS; i++)
		flow_period_fini(&logs->periods[i]);
	map_fini(&logs->files, file_free);
	map_fini(&logs->sessions, session_free);
	map_fini(&logs->ports, free);
	map_fini(&logs->texts, free);
	free(logs);
}
