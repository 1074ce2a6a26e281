/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which tunnels are watched, and what follows when one is down.
 *
 * A tunnel is watched on the host where it begins. Routes that lead to it are on all hosts, so what is down
 * stands in that host's record of life, and each host plans its routes by what all of them say.
 *
 * Neighbours: keepalive.c (asks), cluster.c (records), plan.c (routes).
 */
#include <stdio.h>
#include <string.h>

#include "agent/cluster/cluster_private.h"
#include "agent/names.h"
#include "agent/observe/probe.h"
#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/log.h"

#define PROTOCOL_ICMP 1
#define PROTOCOL_ICMPV6 58
#define ECHO_REQUEST 8
#define ECHO_REQUEST6 128

static const struct ip_address none;
static const struct mac_address broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

static bool is_set(const struct ip_address *address)
{
	return !ip_address_equal(address, &none);
}

static const struct tunnel_object *tunnel_named(const struct cluster *cluster, uint32_t id)
{
	const struct object *object =
		cluster->reconcile ? intent_object(reconcile_intent(cluster->reconcile), id) : NULL;

	return object && object->kind == OBJECT_TUNNEL ? (const struct tunnel_object *)object
						       : NULL;
}

/* ---- what is asked ---- */

/* The subnet in whose gateway's name the far side is asked: the tunnel's, or the first of its VPC. */
static const struct subnet_object *asking_subnet(const struct intent *intent,
						 const struct tunnel_object *tunnel, int family)
{
	const struct subnet_object *first = NULL;
	const struct object **subnets;
	size_t count;

	if (tunnel->subnet_id)
		return (const struct subnet_object *)intent_object(intent, tunnel->subnet_id);
	count = intent_list(intent, tunnel->object.vpc_id, OBJECT_SUBNET, &subnets);
	for (size_t i = 0; i < count; i++) {
		const struct subnet_object *subnet = (const struct subnet_object *)subnets[i];

		if (is_set(&subnet->gateways[family]) &&
		    (!first || subnet->object.id < first->object.id))
			first = subnet;
	}
	free(subnets);
	return first;
}

/* A question for the address behind the tunnel. Without anybody to ask in whose name, the outer end is asked. */
static void make_frame(const struct intent *intent, const struct tunnel_object *tunnel,
		       struct keepalive_target *target)
{
	const struct ip_address *address = &tunnel->keepalive_address;
	bool ipv4 = ip_address_is_ipv4(address);
	const struct subnet_object *subnet = asking_subnet(intent, tunnel, ipv4 ? 0 : 1);
	struct mac_address mac;
	struct probe probe;

	if (!subnet)
		return;
	mac = subnet_gateway_mac(subnet);
	if (tunnel->subnet_id) {
		struct ip_address from = subnet->gateways[ipv4 ? 0 : 1];

		if (!is_set(&from) && ipv4)
			from = ip_address_from_ipv4(0);
		target->frame_size = ipv4 ? probe_build_arp(&mac, &from, address, target->frame)
					  : probe_build_nd(&mac, &from, address, target->frame);
		return;
	}
	probe = (struct probe){
		.source_mac = mac,
		.destination_mac = broadcast,
		.source = subnet->gateways[ipv4 ? 0 : 1],
		.destination = *address,
		.protocol = ipv4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6,
		.icmp_type = ipv4 ? ECHO_REQUEST : ECHO_REQUEST6,
	};
	if (probe_build(&probe, target->frame, sizeof(target->frame), &target->frame_size, NULL))
		target->frame_size = 0;
}

static bool local_end(const struct host_object *own, const struct tunnel_object *tunnel,
		      struct ip_address *local)
{
	for (size_t i = 0; i < own->address_count; i++) {
		*local = own->addresses[i].address;
		if (is_set(&tunnel->local)
			    ? ip_address_equal(local, &tunnel->local)
			    : ip_address_is_ipv4(local) == ip_address_is_ipv4(&tunnel->remote))
			return true;
	}
	return false;
}

void cluster_refresh_keepalives(struct cluster *cluster, const struct host_object *own)
{
	const struct intent *intent = reconcile_intent(cluster->reconcile);
	const struct object **tunnels;
	size_t count = names_all(intent, OBJECT_TUNNEL, &tunnels), made = 0;
	uint32_t *vpc_ids = NULL;
	const size_t vpc_count = own ? intent_vpcs_of_host(intent, own->object.name, &vpc_ids) : 0;
	struct keepalive_target *targets = xcalloc(count + vpc_count, sizeof(*targets));

	for (size_t i = 0; i < count; i++) {
		const struct tunnel_object *tunnel = (const struct tunnel_object *)tunnels[i];
		struct keepalive_target *target = &targets[made];

		*target = (struct keepalive_target){
			.tunnel_id = tunnel->object.id,
			.remote = tunnel->remote,
			.interval = tunnel->keepalive_interval,
			.retries = tunnel->keepalive_retries,
		};
		if (!tunnel->keepalive_interval || !own || !intent_is_local(intent, tunnel->host) ||
		    !local_end(own, tunnel, &target->local))
			continue;
		if (is_set(&tunnel->keepalive_address))
			make_frame(intent, tunnel, target);
		made++;
	}
	if (own)
		made = cluster_router_targets(cluster, own, vpc_ids, vpc_count, targets, made);
	keepalives_set(cluster->keepalives, targets, made);
	free(vpc_ids);
	free(targets);
	free(tunnels);
}

/* ---- what follows ---- */

json_t *cluster_tunnels_down(const struct cluster *cluster)
{
	const struct object **tunnels;
	json_t *list = json_array();
	struct keepalive_state state;
	size_t count;

	if (!cluster->reconcile)
		return list;
	count = names_all(reconcile_intent(cluster->reconcile), OBJECT_TUNNEL, &tunnels);
	for (size_t i = 0; i < count; i++)
		if (keepalives_get(cluster->keepalives, tunnels[i]->id, &state) &&
		    state.life == KEEPALIVE_DOWN)
			json_array_append_new(list, json_integer(tunnels[i]->id));
	free(tunnels);
	return list;
}

static bool is_listed(const json_t *document, uint32_t tunnel_id)
{
	json_t *value;
	size_t index;

	json_array_foreach(json_object_get(document, "tunnels_down"), index, value) {
		if (json_integer_value(value) == tunnel_id)
			return true;
	}
	return false;
}

bool cluster_tunnel_down(void *context, uint32_t tunnel_id)
{
	const struct cluster *cluster = context;
	const struct tunnel_object *tunnel = tunnel_named(cluster, tunnel_id);
	const struct host_object *host;
	const struct other_host *other;
	struct keepalive_state state;

	if (!tunnel || !tunnel->keepalive_interval)
		return false;
	if (keepalives_get(cluster->keepalives, tunnel_id, &state))
		return state.life == KEEPALIVE_DOWN;
	/* Of a host that is not heard of what it has said last is the best there is. */
	host = intent_host(reconcile_intent(cluster->reconcile), tunnel->host);
	other = host ? map_get_u32(&cluster->others, host->object.id) : NULL;
	return other && is_listed(other->document, tunnel_id);
}

static void changed_in(struct cluster *cluster, const json_t *list, const json_t *other)
{
	json_t *value;
	size_t index;

	json_array_foreach(json_object_get(list, "tunnels_down"), index, value) {
		uint32_t id = (uint32_t)json_integer_value(value);

		if (!is_listed(other, id))
			reconcile_tunnel_changed(cluster->reconcile, id);
	}
}

void cluster_tunnels_said(struct cluster *cluster, const json_t *before, const json_t *after)
{
	if (!cluster->reconcile)
		return;
	changed_in(cluster, before, after);
	changed_in(cluster, after, before);
}

void cluster_keepalive_changed(void *context, uint32_t tunnel_id)
{
	struct cluster *cluster = context;
	const struct tunnel_object *tunnel = tunnel_named(cluster, tunnel_id);
	const struct event_ports about = { .port_id = tunnel_id };
	char name[PATH_NAME_SIZE];
	json_t *status, *event;

	if (!tunnel) {
		cluster_settle_away(cluster, tunnel_id);
		return;
	}
	names_path(reconcile_intent(cluster->reconcile), &tunnel->object, name);
	status = cluster_tunnel_json(cluster, tunnel_id);
	log_notice("tunnel", "tunnel=%s state=%s", name,
		   json_string_value(json_object_get(status, "state")));
	event = json_pack("{s:s, s:o}", "tunnel", name, "status", status);
	events_publish(cluster->reconcile->options.events, EVENT_TUNNEL, about, event);
	json_decref(event);
	reconcile_tunnel_changed(cluster->reconcile, tunnel_id);
	loop_defer(cluster->options.loop, &cluster->settle);
}

/* ---- showing ---- */

json_t *cluster_tunnel_json(const struct cluster *cluster, uint32_t tunnel_id)
{
	static const char *const lives[] = {
		[KEEPALIVE_UNKNOWN] = "unknown", [KEEPALIVE_UP] = "up", [KEEPALIVE_DOWN] = "down"
	};
	const struct tunnel_object *tunnel = tunnel_named(cluster, tunnel_id);
	struct keepalive_state state;
	char since[CLOCK_RFC3339_SIZE];
	json_t *status;

	if (!tunnel)
		return json_null();
	if (!tunnel->keepalive_interval)
		return json_pack("{s:s}", "state", "unwatched");
	if (!keepalives_get(cluster->keepalives, tunnel_id, &state))
		return json_pack("{s:s}", "state",
				 cluster_tunnel_down((void *)cluster, tunnel_id) ? "down"
										 : "elsewhere");
	status = json_pack("{s:s, s:I, s:I}", "state", lives[state.life], "asked",
			   (json_int_t)state.sent, "unanswered", (json_int_t)state.lost);
	if (state.round_trip_us)
		json_object_set_new(status, "round_trip_us", json_integer(state.round_trip_us));
	if (state.since_ns)
		json_object_set_new(status, "since",
				    json_string(clock_rfc3339_format(state.since_ns, since)));
	return status;
}
