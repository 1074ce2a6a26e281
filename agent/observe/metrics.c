/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics; see metrics.h. One function a family, in the order they are printed.
 */
#include "agent/observe/metrics.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "agent/api/api.h"
#include "agent/cluster/cluster.h"
#include "agent/devices/ports.h"
#include "agent/names.h"
#include "agent/observe/listeners.h"
#include "agent/observe/queues.h"
#include "agent/services/dhcp.h"
#include "agent/services/dns_forward.h"
#include "agent/services/hold.h"
#include "agent/services/leaving.h"
#include "agent/services/querier.h"
#include "agent/services/services.h"
#include "base/alloc.h"
#include "base/file.h"

static void family(struct buf *text, const char *name, const char *type, const char *help)
{
	buf_printf(text, "# HELP weft_%s %s\n# TYPE weft_%s %s\n", name, help, name, type);
}

static void single(struct buf *text, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	family(text, name, type, help);
	buf_printf(text, "weft_%s %" PRIu64 "\n", name, value);
}

static void write_verdicts(const struct api *api, struct buf *text)
{
	struct verdict_counter counters[VERDICTS] = { 0 };

	for (unsigned int verdict = 0; verdict < VERDICTS; verdict++)
		datapath_verdict(api->datapath, (enum verdict)verdict, &counters[verdict]);
	family(text, "packets_total", "counter", "Packets by verdict.");
	for (unsigned int verdict = VERDICT_NEXT + 1; verdict < VERDICTS; verdict++)
		buf_printf(text, "weft_packets_total{verdict=\"%s\",class=\"%s\"} %llu\n",
			   names_verdict((enum verdict)verdict),
			   names_verdict_is_drop((enum verdict)verdict) ? "drop" : "pass",
			   (unsigned long long)counters[verdict].packets);
	family(text, "bytes_total", "counter", "Bytes of frames by verdict.");
	for (unsigned int verdict = VERDICT_NEXT + 1; verdict < VERDICTS; verdict++)
		buf_printf(text, "weft_bytes_total{verdict=\"%s\"} %llu\n",
			   names_verdict((enum verdict)verdict),
			   (unsigned long long)counters[verdict].bytes);
}

struct metric {
	const char *name, *type, *help;
	size_t offset; /* in the row of counters */
};

static const struct metric port_metrics[] = {
	{ "port_received_packets_total", "counter", "Packets from the workload.",
	  offsetof(struct port_stats, received_packets) },
	{ "port_received_bytes_total", "counter", "Bytes from the workload.",
	  offsetof(struct port_stats, received_bytes) },
	{ "port_dropped_packets_total", "counter", "Packets from the workload that were dropped.",
	  offsetof(struct port_stats, dropped_packets) },
	{ "port_sent_packets_total", "counter", "Packets to the workload.",
	  offsetof(struct port_stats, sent_packets) },
	{ "port_sent_bytes_total", "counter", "Bytes to the workload.",
	  offsetof(struct port_stats, sent_bytes) },
	{ "port_refused_packets_total", "counter", "Packets for the workload that were dropped.",
	  offsetof(struct port_stats, refused_packets) },
	{ "port_flows", "gauge", "Connections the port has begun.",
	  offsetof(struct port_stats, flows) },
	{ "port_service_excess_total", "counter",
	  "Packets to DNS and metadata over the port's limit.",
	  offsetof(struct port_stats, service_excess) },
};

static uint64_t read_counter(const void *base, size_t offset)
{
	return __atomic_load_n((const __u64 *)(const void *)((const char *)base + offset),
			       __ATOMIC_RELAXED);
}

static const struct metric vpc_metrics[] = {
	{ "vpc_flows", "gauge", "Connections of the VPC.", offsetof(struct vpc_stats, flows) },
	{ "vpc_refused_flows_total", "counter", "Connections refused for a limit.",
	  offsetof(struct vpc_stats, refused_flows) },
	{ "vpc_picked_up_flows_total", "counter",
	  "Connections of ports that came from another host, entered in the middle.",
	  offsetof(struct vpc_stats, picked_up) },
};

/* The counters of one object. */
union counters {
	struct port_stats port;
	struct vpc_stats vpc;
};

/* What the gauges of connections may rise to. */
static uint32_t port_limit(const struct object *object)
{
	return ((const struct port_object *)object)->flow_limit;
}

static uint32_t vpc_limit(const struct object *object)
{
	return ((const struct vpc_object *)object)->flow_limit;
}

/* What is counted for each object of a kind. @read: its counters; false when it has none here. */
struct counted {
	enum object_kind kind;
	const char *label;
	const struct metric *metrics;
	size_t metric_count;
	bool (*read)(const struct api *api, uint32_t id, union counters *row);
	uint32_t (*limit)(const struct object *object);
};

/* The row that all CPUs share, and what each of them has counted. */
static bool read_port(const struct api *api, uint32_t id, union counters *row)
{
	uint32_t slot = reconcile_port_slot(api->reconcile, id);
	const struct port_stats *stats = slot ? datapath_port_stats(api->datapath, slot) : NULL;
	struct port_counts counts;

	if (!stats || datapath_port_counts(api->datapath, slot, &counts))
		return false;
	row->port = *stats;
	row->port.received_packets = counts.received_packets;
	row->port.received_bytes = counts.received_bytes;
	row->port.sent_packets = counts.sent_packets;
	row->port.sent_bytes = counts.sent_bytes;
	return true;
}

static bool read_vpc(const struct api *api, uint32_t id, union counters *row)
{
	uint32_t slot = reconcile_vpc_slot(api->reconcile, id);
	const struct vpc_stats *stats = slot ? datapath_vpc_stats(api->datapath, slot) : NULL;

	if (stats)
		row->vpc = *stats;
	return stats;
}

static const struct counted counted_ports = { OBJECT_PORT,  "port",
					      port_metrics, ARRAY_SIZE(port_metrics),
					      read_port,    port_limit };
static const struct counted counted_vpcs = { OBJECT_VPC,  "vpc",
					     vpc_metrics, ARRAY_SIZE(vpc_metrics),
					     read_vpc,    vpc_limit };

static void write_counted(const struct api *api, const struct counted *counted, struct buf *text)
{
	const struct intent *intent = reconcile_intent(api->reconcile);
	const struct object **objects;
	size_t count = names_all(intent, counted->kind, &objects), found = 0;
	union counters *rows = xcalloc(count + 1, sizeof(*rows));
	char name[PATH_NAME_SIZE], limit[32];

	for (size_t i = 0; i < count; i++) {
		if (counted->read(api, objects[i]->id, &rows[found]))
			objects[found++] = objects[i];
	}
	for (size_t metric = 0; metric < counted->metric_count; metric++) {
		const struct metric *row = &counted->metrics[metric];

		family(text, row->name, row->type, row->help);
		for (size_t i = 0; i < found; i++)
			buf_printf(text, "weft_%s{%s=\"%s\"} %" PRIu64 "\n", row->name,
				   counted->label, names_path(intent, objects[i], name),
				   read_counter(&rows[i], row->offset));
	}
	snprintf(limit, sizeof(limit), "%s_flow_limit", counted->label);
	family(text, limit, "gauge", "Connections that it may have at a time.");
	for (size_t i = 0; i < found; i++)
		buf_printf(text, "weft_%s{%s=\"%s\"} %" PRIu32 "\n", limit, counted->label,
			   names_path(intent, objects[i], name), counted->limit(objects[i]));
	free(rows);
	free(objects);
}

static void write_objects(const struct api *api, struct buf *text)
{
	const struct intent *intent = reconcile_intent(api->reconcile);
	struct ports_counts ports;

	family(text, "objects", "gauge", "Objects of the intent by kind.");
	for (unsigned int kind = 0; kind < OBJECT_KINDS; kind++) {
		const struct object **list;
		size_t count = names_all(intent, (enum object_kind)kind, &list);

		free(list);
		buf_printf(text, "weft_objects{kind=\"%s\"} %zu\n",
			   object_kind_plural((enum object_kind)kind), count);
	}
	ports_count(reconcile_ports(api->reconcile), &ports);
	family(text, "ports", "gauge", "Ports of this host by state.");
	buf_printf(text,
		   "weft_ports{state=\"plugged\"} %zu\nweft_ports{state=\"waiting\"} %zu\n"
		   "weft_ports{state=\"failed\"} %zu\nweft_ports{state=\"held\"} %zu\n",
		   ports.plugged, ports.waiting, ports.failed, ports.held);
	family(text, "table_rows", "gauge", "Rows written by the daemon, by table.");
	for (unsigned int table = 0; table < TABLES; table++)
		if (tables_is_planned((enum table_id)table))
			buf_printf(text, "weft_table_rows{table=\"%s\"} %zu\n",
				   table_name((enum table_id)table),
				   reconcile_rows(api->reconcile, (enum table_id)table));
}

static void write_datapath(const struct api *api, struct buf *text)
{
	const struct datapath_state *state = datapath_state(api->datapath);

	single(text, "datapath_memory_bytes", "gauge", "Kernel memory behind the tables.",
	       datapath_memory(api->datapath));
	if (!state)
		return;
	single(text, "shared_flows", "gauge", "Connections beyond the guarantees of their ports.",
	       read_counter(state, offsetof(struct datapath_state, shared_flows)));
	single(text, "shared_flows_limit", "gauge", "Room for such connections.",
	       read_counter(state, offsetof(struct datapath_state, shared_limit)));
	single(text, "flow_rows", "gauge", "Rows of the flow table that the last sweep kept.",
	       read_counter(state, offsetof(struct datapath_state, sweep_kept)));
	single(text, "drop_events_suppressed_total", "counter",
	       "Drops that caused no event because of the rate limit.",
	       read_counter(state, offsetof(struct datapath_state, suppressed_events)));
}

static void write_dhcp(const struct api *api, struct buf *text)
{
	const struct punt_counts *counts;

	if (!api->punt || !api->dhcp)
		return;
	counts = punt_counts(api->punt);
	single(text, "punt_device", "gauge", "1 if frames of ports can reach the daemon.",
	       punt_is_there(api->punt));
	single(text, "punt_received_frames_total", "counter", "Frames of ports for the daemon.",
	       counts->received);
	single(text, "punt_sent_frames_total", "counter", "Frames of the daemon to ports.",
	       counts->sent);
	single(text, "punt_failed_frames_total", "counter", "Such frames that could not be sent.",
	       counts->failed);
	family(text, "dhcp_messages_total", "counter",
	       "DHCP messages and router solicitations, by what became of them.");
	for (unsigned int protocol = 0; protocol < DHCP_PROTOCOLS; protocol++)
		for (unsigned int result = 0; result < DHCP_RESULT_COUNT; result++) {
			uint64_t count = dhcp_count(api->dhcp, (enum dhcp_protocol)protocol,
						    (enum dhcp_result)result);

			if (count)
				buf_printf(text,
					   "weft_dhcp_messages_total{protocol=\"%s\",result=\"%s\"}"
					   " %" PRIu64 "\n",
					   dhcp_protocol_name((enum dhcp_protocol)protocol),
					   dhcp_result_name((enum dhcp_result)result), count);
		}
}

/* Packets for machines on wires whose MAC is not known yet. */
static void write_hold(const struct api *api, struct buf *text)
{
	const struct hold_counts *counts;

	if (!api->hold)
		return;
	counts = hold_counts(api->hold);
	single(text, "held_machines", "gauge", "Machines on wires that are waited for.",
	       counts->machines);
	single(text, "held_packets", "gauge", "Packets that wait for them.", counts->packets);
	single(text, "held_bytes", "gauge", "Bytes of these packets.", counts->bytes);
	single(text, "held_questions_total", "counter", "Questions to machines on wires.",
	       counts->asked);
	single(text, "held_unreachable_told_total", "counter",
	       "Messages to senders that a machine does not answer.", counts->told);
	family(text, "held_packets_total", "counter",
	       "Packets that have waited, by what became of them.");
	buf_printf(text, "weft_held_packets_total{result=\"sent_on\"} %" PRIu64 "\n",
		   counts->sent_on);
	buf_printf(text, "weft_held_packets_total{result=\"no_answer\"} %" PRIu64 "\n",
		   counts->unanswered);
	buf_printf(text, "weft_held_packets_total{result=\"no_room\"} %" PRIu64 "\n",
		   counts->no_room);
}

/* Listeners are counted by subnet; they come in that order. */
static void write_multicast(const struct api *api, struct buf *text)
{
	const struct intent *intent = reconcile_intent(api->reconcile);
	const struct leaving_counts *leaves = leaving_counts(querier_leaving(api->querier));
	struct listeners listeners = { 0 };
	char name[PATH_NAME_SIZE];

	single(text, "multicast_queries_total", "counter",
	       "Questions to ports which groups they listen to.", querier_sent(api->querier));
	single(text, "multicast_leaves_total", "counter",
	       "Ports that have left a group, or want fewer of its sources.", leaves->heard);
	single(text, "multicast_leave_queries_total", "counter",
	       "Questions to ports whether they still listen to a group that another has left.",
	       leaves->asked);
	single(text, "multicast_leaves_missed_total", "counter",
	       "Leaves that nobody was asked for, for there were too many: listeners age.",
	       leaves->missed);
	if (listeners_read(api->datapath, &listeners))
		return;
	family(text, "multicast_members", "gauge",
	       "Groups that somebody behind a port listens to, by subnet.");
	for (size_t i = 0, begin = 0; i < listeners.count; i++) {
		const uint32_t subnet_id = listeners.list[i].subnet_id;
		const struct object *subnet = intent_object(intent, subnet_id);

		if (i + 1 < listeners.count && listeners.list[i + 1].subnet_id == subnet_id)
			continue;
		if (subnet)
			buf_printf(text, "weft_multicast_members{subnet=\"%s\"} %zu\n",
				   names_path(intent, subnet, name), i + 1 - begin);
		begin = i + 1;
	}
	listeners_fini(&listeners);
}

static void write_apply(const struct reconcile_counts *counts, struct buf *text)
{
	uint64_t sum = 0;

	family(text, "apply_seconds", "histogram", "Time from a checked change to its end.");
	for (size_t i = 0; i < APPLY_BUCKETS; i++) {
		sum += counts->apply[i];
		buf_printf(text, "weft_apply_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
			   apply_bucket_ms[i] / 1000.0, sum);
	}
	sum += counts->apply[APPLY_BUCKETS];
	buf_printf(text,
		   "weft_apply_seconds_bucket{le=\"+Inf\"} %" PRIu64
		   "\nweft_apply_seconds_sum %.6f\nweft_apply_seconds_count %" PRIu64 "\n",
		   sum, (double)counts->apply_ns / 1e9, sum);
}

static void write_tunnels(const struct api *api, struct buf *text)
{
	const struct intent *intent = reconcile_intent(api->reconcile);
	const struct object **tunnels;
	size_t count = names_all(intent, OBJECT_TUNNEL, &tunnels);
	char name[PATH_NAME_SIZE];

	family(text, "tunnel_up", "gauge", "Whether the other end of a watched tunnel answers.");
	for (size_t i = 0; i < count && api->cluster; i++) {
		json_t *status = cluster_tunnel_json(api->cluster, tunnels[i]->id);
		const char *state = json_string_value(json_object_get(status, "state"));
		bool up = state && strcmp(state, "up") == 0;

		if (up || (state && strcmp(state, "down") == 0))
			buf_printf(text, "weft_tunnel_up{tunnel=\"%s\"} %d\n",
				   names_path(intent, tunnels[i], name), up);
		json_decref(status);
	}
	free(tunnels);
}

static void write_daemon(const struct api *api, struct buf *text)
{
	const struct reconcile_counts *counts = reconcile_counts(api->reconcile);

	single(text, "commits_total", "counter", "Changes of the intent.", counts->commits);
	write_apply(counts, text);
	single(text, "rows_written_total", "counter", "Table rows written or removed.",
	       counts->rows);
	single(text, "audits_total", "counter", "Tables compared with the plan.", counts->audits);
	single(text, "audit_repairs_total", "counter", "Rows that were not as planned.",
	       counts->audit_repairs);
	single(text, "store_errors_total", "counter", "Changes that the store refused.",
	       counts->store_errors);
	single(text, "store_events_total", "counter", "Records that the store told of.",
	       counts->store_events);
	single(text, "store_event_bytes_total", "counter", "Bytes of their keys and values.",
	       counts->store_event_bytes);
	single(text, "sweeps_total", "counter", "Sweeps of the flow table.", counts->sweeps);
	single(text, "sweep_errors_total", "counter", "Sweeps that failed.", counts->sweep_errors);
	single(text, "problems", "gauge", "What does not work at the moment.",
	       problems_count(reconcile_problems(api->reconcile)));
	single(text, "store_revision", "gauge", "Revision of the intent.",
	       reconcile_revision(api->reconcile));
	single(text, "event_subscribers", "gauge", "Listeners of /v1/events.",
	       events_subscribers(api->events));
	single(text, "resident_bytes", "gauge", "Memory of the daemon.", metrics_resident());
	family(text, "build_info", "gauge", "The version that runs.");
	buf_printf(text, "weft_build_info{version=\"%s\"} 1\n", WEFT_VERSION);
}

unsigned long long metrics_resident(void)
{
	struct buf text = { 0 };
	const char *second;
	unsigned long long pages = 0;

	/* The first number is what is mapped, the second what is resident. */
	if (file_read("/proc/self/statm", 256, &text, NULL) == 0) {
		second = strchr(buf_text(&text), ' ');
		pages = second ? strtoull(second, NULL, 10) : 0;
	}
	buf_fini(&text);
	return pages * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static void write_services(const struct api *api, struct buf *text)
{
	static const char *const rcodes[] = { "noerror", "formerr", "servfail", "nxdomain",
					      "notimp",  "refused", "other" };
	const struct services_counts *counts = services_counts(api->services);
	const struct dns_forwards_counts *forwards = services_forwards(api->services);
	const struct dns_cache_counts *cache = services_dns_cache(api->services);

	single(text, "services_up", "gauge", "Whether DNS and metadata are served.",
	       services_up(api->services));
	if (!counts || !forwards || !cache)
		return;
	single(text, "dns_queries_total", "counter", "Questions of ports, well formed.",
	       counts->dns_queries);
	single(text, "dns_malformed_total", "counter", "Messages that were no question.",
	       counts->dns_malformed);
	family(text, "dns_answers_total", "counter", "Answers to ports by what they say.");
	for (size_t i = 0; i < ARRAY_SIZE(rcodes); i++)
		buf_printf(text, "weft_dns_answers_total{rcode=\"%s\"} %" PRIu64 "\n", rcodes[i],
			   counts->dns_answers[i]);
	single(text, "dns_forwarded_total", "counter", "Questions passed on to other resolvers.",
	       forwards->asked);
	single(text, "dns_forward_late_total", "counter", "Of these, not answered by anybody.",
	       forwards->late);
	single(text, "dns_forward_refused_total", "counter", "Questions not passed on, too many.",
	       forwards->refused);
	single(text, "dns_cache_hits_total", "counter",
	       "Questions answered by what others had answered before.", cache->hits);
	single(text, "dns_cache_misses_total", "counter",
	       "Questions that others had to be asked, for no answer was kept.", cache->misses);
	single(text, "dns_cache_answers", "gauge", "Answers of others that are kept.",
	       cache->answers);
	single(text, "dns_cache_bytes", "gauge", "Memory that these take.", cache->bytes);
	single(text, "dns_forward_stray_total", "counter", "Messages that answered no question.",
	       forwards->stray);
	single(text, "metadata_requests_total", "counter", "Requests for metadata.",
	       counts->metadata_requests);
	single(text, "metadata_refused_total", "counter", "Of these, answered with an error.",
	       counts->metadata_refused);
	single(text, "services_connections_refused_total", "counter",
	       "Connections to DNS and metadata refused, too many.",
	       counts->dns_connections_refused + counts->metadata_connections_refused);
}

void metrics_write(const struct api *api, struct buf *text)
{
	write_verdicts(api, text);
	write_counted(api, &counted_ports, text);
	queues_write(api, text);
	write_counted(api, &counted_vpcs, text);
	write_tunnels(api, text);
	write_objects(api, text);
	write_dhcp(api, text);
	write_hold(api, text);
	write_multicast(api, text);
	write_datapath(api, text);
	write_services(api, text);
	write_daemon(api, text);
}
