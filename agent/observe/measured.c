/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is measured of one port; see measured.h.
 */
#include "agent/observe/measured.h"

#include <stdio.h>
#include <string.h>

#include "agent/cluster/cluster.h"
#include "agent/devices/ports.h"
#include "agent/devices/shares.h"
#include "agent/names.h"
#include "agent/observe/queues.h"
#include "base/netlink.h"
#include "model/filter.h"

/* ---- rates ---- */

struct root_wanted {
	uint32_t ifindex;
	bool found;
	struct qdisc_info info;
};

static void keep_wanted(void *context, const struct qdisc_info *root)
{
	struct root_wanted *wanted = context;

	if (root->ifindex != wanted->ifindex || strcmp(root->kind, "tbf") != 0)
		return;
	wanted->found = true;
	wanted->info = *root;
}

/* What it gets waits at the host's end of its device. */
static json_t *receive_json(const struct api *api, const struct port_object *port)
{
	struct root_wanted wanted = { 0 };
	struct netlink *netlink = NULL;
	struct port_device device = { 0 };
	json_t *json = json_pack("{s:I}", "rate", (json_int_t)port->receive_rate);

	ports_device(reconcile_ports(api->reconcile), port->object.id, &device);
	wanted.ifindex = device.ifindex;
	if (device.ifindex && !netlink_open(&netlink, -1, NULL))
		netlink_qdisc_roots(netlink, keep_wanted, &wanted, NULL);
	netlink_close(netlink);
	if (wanted.found) {
		json_object_set_new(json, "dropped_packets",
				    json_integer((json_int_t)wanted.info.stats.dropped));
		json_object_set_new(json, "delayed",
				    json_integer((json_int_t)wanted.info.stats.delayed));
		json_object_set_new(json, "waiting_bytes",
				    json_integer((json_int_t)wanted.info.stats.waiting));
	}
	return json;
}

struct shares_of {
	uint32_t slot, share;
	const struct host_object *host;
	json_t *list;
};

static json_int_t device_rate_of(const struct host_object *host, const char *ifname)
{
	for (size_t i = 0; host && i < host->rate_count; i++)
		if (strcmp(host->rates[i].ifname, ifname) == 0)
			return (json_int_t)host->rates[i].rate;
	return 0;
}

static void add_class(void *context, const char *ifname, uint32_t slot,
		      const struct queue_stats *stats)
{
	struct shares_of *of = context;

	if (slot != of->slot)
		return;
	json_array_append_new(of->list,
			      json_pack("{s:s, s:I, s:i, s:I, s:I, s:I}", "device", ifname,
					"device_rate", device_rate_of(of->host, ifname), "share",
					(int)of->share, "bytes", (json_int_t)stats->bytes,
					"dropped_packets", (json_int_t)stats->dropped,
					"waiting_bytes", (json_int_t)stats->waiting));
}

json_t *measured_rates(const struct api *api, const struct port_object *port)
{
	struct shares_of of = {
		.slot = reconcile_port_slot(api->reconcile, port->object.id),
		.share = port->share,
		.host = intent_own_host(reconcile_intent(api->reconcile)),
	};
	json_t *json = json_object();

	if (!of.slot || !reconcile_ports(api->reconcile)) {
		json_decref(json);
		return NULL;
	}
	of.list = json_array();
	if (port->send_rate)
		json_object_set_new(json, "send",
				    json_pack("{s:I, s:I}", "rate", (json_int_t)port->send_rate,
					      "dropped_packets",
					      (json_int_t)queues_over_rate(api, port->object.id)));
	if (port->receive_rate)
		json_object_set_new(json, "receive", receive_json(api, port));
	if (api->cluster)
		shares_stats(cluster_shares(api->cluster), add_class, &of);
	if (json_array_size(of.list))
		json_object_set(json, "shares", of.list);
	json_decref(of.list);
	if (json_object_size(json))
		return json;
	json_decref(json);
	return NULL;
}

/* ---- mirrors ---- */

static const struct port_mirror_to *mirror_of(const struct intent *intent,
					      const struct port_object *port)
{
	const struct object *subnet = intent_object(intent, port->subnet_id);

	if (port->mirror || !subnet)
		return port->mirror;
	return ((const struct subnet_object *)subnet)->mirror;
}

/* Why nobody gets the copies. Return: @text; NULL: somebody does, or the port itself is meant by its subnet. */
static const char *mirror_reason(const struct intent *intent, const struct port_object *port,
				 char *text, size_t size)
{
	const struct port_mirror_to *mirror = mirror_of(intent, port);
	const struct object *vpc = intent_object(intent, port->object.vpc_id);
	const struct object *target;
	const char *kind, *host;

	if (!mirror || !vpc)
		return NULL;
	kind = mirror->tunnel ? "tunnel" : "port";
	target = intent_find(intent, vpc->name, mirror->tunnel ? OBJECT_TUNNEL : OBJECT_PORT,
			     mirror->to);
	if (!target) {
		snprintf(text, size, "there is no %s \"%s\"", kind, mirror->to);
		return text;
	}
	host = mirror->tunnel ? ((const struct tunnel_object *)target)->host
			      : ((const struct port_object *)target)->host;
	if (intent_is_local(intent, host))
		return NULL;
	snprintf(text, size,
		 "%s %s is on host %s: copies go to ports and tunnels of this host alone", kind,
		 mirror->to, host);
	return text;
}

json_t *measured_mirror(const struct api *api, const struct port_object *port)
{
	const struct intent *intent = reconcile_intent(api->reconcile);
	const struct slot_key slot = { reconcile_port_slot(api->reconcile, port->object.id) };
	const struct port_key key = { .port_id = port->object.id };
	struct port_mirror row = { 0 };
	struct mirror_count count;
	char text[400];
	const char *reason = mirror_reason(intent, port, text, sizeof(text));

	if (!slot.slot ||
	    (datapath_get(api->datapath, TABLE_port_mirrors, &key, &row) && !reason) ||
	    datapath_get(api->datapath, TABLE_mirror_counts, &slot, &count))
		return NULL;
	/* The slot may have been another port's. */
	if (count.port_id != port->object.id)
		count = (struct mirror_count){ 0 };
	return json_pack("{s:o, s:s*, s:I, s:I, s:I, s:I, s:I, s:I}", "to",
			 names_object(intent, row.watch.target_id), "reason", reason, "copies",
			 (json_int_t)count.copies, "sent_packets", (json_int_t)count.sent_packets,
			 "sent_bytes", (json_int_t)count.sent_bytes, "cut_packets",
			 (json_int_t)count.cut_packets, "waited_packets",
			 (json_int_t)count.waiting_packets, "lost_packets",
			 (json_int_t)(count.copies > count.sent_packets
					      ? count.copies - count.sent_packets
					      : 0));
}
