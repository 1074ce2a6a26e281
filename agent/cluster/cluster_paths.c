/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The underlay's side of a cluster: devices, multicast groups, and the paths to other hosts; see cluster.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/cluster_private.h"
#include "agent/devices/segmenter.h"
#include "agent/devices/stack.h"
#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/log.h"
#include "model/encapsulation.h"

#define GONE_AFTER_NS (60 * CLOCK_NS_PER_SECOND)

static struct intent *intent_of(const struct cluster *cluster)
{
	return reconcile_intent(cluster->reconcile);
}

/* ---- paths ---- */

bool cluster_choose_path(const struct host_object *own, const struct host_object *other,
			 struct path_target *target)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < own->address_count; i++) {
			const struct ip_address *local = &own->addresses[i].address;

			if (ip_address_is_ipv4(local) != (pass == 0))
				continue;
			for (size_t j = 0; j < other->address_count; j++) {
				const struct ip_address *remote = &other->addresses[j].address;

				if (ip_address_is_ipv4(remote) != (pass == 0))
					continue;
				target->local = *local;
				target->remote = *remote;
				return true;
			}
		}
	}
	return false;
}

static void add_target(const struct cluster *cluster, const struct host_object *own,
		       uint32_t host_id, struct map *seen, struct path_target **targets,
		       size_t *count)
{
	const struct object *object = intent_object(intent_of(cluster), host_id);
	const struct host_object *other = (const struct host_object *)object;
	struct path_target target = { .host_id = host_id };

	if (!object || object->kind != OBJECT_HOST || host_id == own->object.id ||
	    map_put_u32(seen, host_id, seen) || !cluster_choose_path(own, other, &target))
		return;
	target.mtu = own->mtu < other->mtu ? own->mtu : other->mtu;
	*targets = xreallocarray(*targets, *count + 1, sizeof(**targets));
	(*targets)[(*count)++] = target;
}

static void refresh_paths(struct cluster *cluster, const struct host_object *own)
{
	struct ip_address addresses[HOST_ADDRESSES_MAX];
	struct path_target *targets = NULL;
	size_t target_count = 0, vpc_count;
	struct map seen = { 0 };
	uint32_t *vpcs;

	if (!cluster->probes)
		return;
	vpc_count = intent_vpcs_of_host(intent_of(cluster), own->object.name, &vpcs);
	for (size_t i = 0; i < vpc_count; i++) {
		uint32_t *hosts;
		size_t count = intent_hosts_of_vpc(intent_of(cluster), vpcs[i], &hosts);

		for (size_t j = 0; j < count; j++)
			add_target(cluster, own, hosts[j], &seen, &targets, &target_count);
		free(hosts);
	}
	for (size_t i = 0; i < own->address_count; i++)
		addresses[i] = own->addresses[i].address;
	path_probes_listen(cluster->probes, addresses, own->address_count);
	path_probes_set(cluster->probes, targets, target_count);
	path_probes_own(cluster->probes, own->object.id);
	path_probes_hear(cluster->probes, claims_heard, claims_agreed, cluster->claims);
	claims_send(cluster->claims, cluster->probes);
	map_fini(&seen, NULL);
	free(targets);
	free(vpcs);
}

void cluster_path_changed(void *context, uint32_t host_id)
{
	struct cluster *cluster = context;
	const struct object *host = intent_object(intent_of(cluster), host_id);
	struct path_state state;
	char text[200];

	if (!host || !path_probes_get(cluster->probes, host_id, &state))
		return;
	log_info("path", "host=%s mtu=%u full=%u answers=%d", host->name, state.mtu, state.full,
		 state.answers);
	if (state.mtu && state.mtu < state.full) {
		snprintf(text, sizeof(text),
			 state.here ? "the route of this host to host %s takes no packets over %u "
				      "bytes, though both hosts have an MTU of %u; tunnels use %u"
				    : "the underlay to host %s eats packets over %u bytes, though "
				      "both hosts have an MTU of %u; tunnels use %u",
			 host->name, state.mtu, state.full, state.mtu);
		problems_raise(&cluster->reconcile->problems, PROBLEM_PATH, host_id, text);
	} else {
		problems_clear(&cluster->reconcile->problems, PROBLEM_PATH, host_id);
	}
	reconcile_path_changed(cluster->reconcile, host_id,
			       state.mtu != (state.before ? state.before : state.full));
}

/* ---- groups ---- */

static void add_groups(const struct cluster *cluster, const struct host_object *own,
		       uint32_t vpc_id, struct underlay_group **groups, size_t *count)
{
	const struct object **subnets;
	size_t subnet_count = intent_list(intent_of(cluster), vpc_id, OBJECT_SUBNET, &subnets);

	for (size_t i = 0; i < subnet_count; i++) {
		const struct segment *segment =
			&((const struct subnet_object *)subnets[i])->segment;
		const struct ip_address *local;

		if (ip_address_is_unspecified(&segment->group) ||
		    !ip_address_is_multicast(&segment->group))
			continue;
		local = host_address(own, segment, ip_address_is_ipv4(&segment->group) ? 0 : 1);
		if (!local)
			continue;
		*groups = xreallocarray(*groups, *count + 1, sizeof(**groups));
		(*groups)[(*count)++] = (struct underlay_group){ segment->group, *local };
	}
	free(subnets);
}

static void refresh_groups(struct cluster *cluster, const struct host_object *own)
{
	struct underlay_group *groups = NULL;
	uint32_t *vpcs;
	size_t count = 0;
	size_t vpc_count = intent_vpcs_of_host(intent_of(cluster), own->object.name, &vpcs);

	for (size_t i = 0; i < vpc_count; i++)
		add_groups(cluster, own, vpcs[i], &groups, &count);
	underlay_join(cluster->underlay, groups, count);
	free(groups);
	free(vpcs);
}

/* ---- uplinks ---- */

/* The addresses of the ports that are here, of a segment through the host's stack. */
static struct stack_wish stack_of(const struct cluster *cluster, const struct host_object *own,
				  const struct subnet_object *subnet)
{
	struct stack_wish wish = { .subnet_id = subnet->object.id };
	const struct intent *intent = intent_of(cluster);
	uint32_t *ids;
	size_t count = intent_ports_of_subnet(intent, subnet->object.id, &ids);

	snprintf(wish.uplink, sizeof(wish.uplink), "%.15s",
		 host_uplink(own, subnet->segment.network));
	for (size_t i = 0; i < count; i++) {
		const struct port_object *port =
			(const struct port_object *)intent_object(intent, ids[i]);

		if (!intent_is_local(intent, port->host))
			continue;
		wish.addresses = xreallocarray(wish.addresses,
					       wish.address_count + port->address_count,
					       sizeof(*wish.addresses));
		for (size_t j = 0; j < port->address_count; j++)
			wish.addresses[wish.address_count++] = port->addresses[j];
	}
	free(ids);
	return wish;
}

static void refresh_stacks(struct cluster *cluster, const struct host_object *own)
{
	struct stack_wish *wishes = NULL;
	size_t count = 0, vpc_count;
	uint32_t *vpcs;

	vpc_count = own ? intent_vpcs_of_host(intent_of(cluster), own->object.name, &vpcs) : 0;
	for (size_t i = 0; i < vpc_count; i++) {
		const struct object **subnets;
		size_t subnet_count =
			intent_list(intent_of(cluster), vpcs[i], OBJECT_SUBNET, &subnets);

		for (size_t j = 0; j < subnet_count; j++) {
			const struct subnet_object *subnet =
				(const struct subnet_object *)subnets[j];

			if (!segment_is_stacked(&subnet->segment) ||
			    !host_uplink(own, subnet->segment.network))
				continue;
			wishes = xreallocarray(wishes, count + 1, sizeof(*wishes));
			wishes[count++] = stack_of(cluster, own, subnet);
		}
		free(subnets);
	}
	if (own)
		free(vpcs);
	if (uplinks_set_stacks(cluster->uplinks, wishes, count))
		cluster->uplinks_changed = true;
}

static void refresh_uplinks(struct cluster *cluster, const struct host_object *own)
{
	struct problems *problems = &cluster->reconcile->problems;

	refresh_stacks(cluster, own);
	uplinks_set(cluster->uplinks, own ? own->uplinks : NULL, own ? own->uplink_count : 0);
	for (size_t i = 0; i < HOST_UPLINKS_MAX; i++) {
		const char *trouble = uplinks_trouble(cluster->uplinks, i);
		char text[400];

		if (!trouble || !own || i >= own->uplink_count) {
			problems_clear(problems, PROBLEM_UPLINK, (uint32_t)i);
			continue;
		}
		snprintf(text, sizeof(text), "the uplink to network %s: %s",
			 own->uplinks[i].network, trouble);
		problems_raise(problems, PROBLEM_UPLINK, (uint32_t)i, text);
	}
	if (cluster->uplinks_changed) {
		cluster->uplinks_changed = false;
		reconcile_wires_changed(cluster->reconcile);
	}
}

/* ---- shares ---- */

static int compare_shares(const void *a, const void *b)
{
	uint32_t x = ((const struct share *)a)->slot, y = ((const struct share *)b)->slot;

	return (x > y) - (x < y);
}

/* The ports of this host, in the order of their slots. The array is the caller's to free(). */
static size_t members_of(const struct cluster *cluster, const struct host_object *own,
			 struct share **members)
{
	const struct intent *intent = intent_of(cluster);
	size_t count = 0, vpc_count;
	uint32_t *vpcs;

	*members = NULL;
	vpc_count = intent_vpcs_of_host(intent, own->object.name, &vpcs);
	for (size_t i = 0; i < vpc_count; i++) {
		const struct object **ports;
		size_t port_count = intent_list(intent, vpcs[i], OBJECT_PORT, &ports);

		*members = xreallocarray(*members, count + port_count + 1, sizeof(**members));
		for (size_t j = 0; j < port_count; j++) {
			const struct port_object *port = (const struct port_object *)ports[j];
			uint32_t slot = slots_get(&cluster->reconcile->port_slots, port->object.id);

			if (slot && intent_is_local(intent, port->host))
				(*members)[count++] = (struct share){ slot, port->share };
		}
		free(ports);
	}
	free(vpcs);
	if (count)
		qsort(*members, count, sizeof(**members), compare_shares);
	return count;
}

static void refresh_shares(struct cluster *cluster, const struct host_object *own)
{
	struct problems *problems = &cluster->reconcile->problems;
	size_t rate_count = own ? own->rate_count : 0;
	struct share *members = NULL;
	size_t count = rate_count ? members_of(cluster, own, &members) : 0;
	bool changed =
		shares_set(cluster->shares, own ? own->rates : NULL, rate_count, members, count);

	free(members);
	for (size_t i = 0; i < HOST_RATES_MAX; i++) {
		const char *trouble = shares_trouble(cluster->shares, i);
		char text[400];

		if (!trouble || i >= rate_count) {
			problems_clear(problems, PROBLEM_SHARES, (uint32_t)i);
			continue;
		}
		snprintf(text, sizeof(text), "device %s is not shared: %s", own->rates[i].ifname,
			 trouble);
		problems_raise(problems, PROBLEM_SHARES, (uint32_t)i, text);
	}
	if (changed)
		reconcile_shares_changed(cluster->reconcile);
}

/* ---- frames of several packets ---- */

/* While any VPC has a tunnel that numbers or sums each packet. */
static void refresh_segmenter(struct cluster *cluster)
{
	bool wanted = cluster->reconcile->one_packet_vpcs != 0;
	struct error error = { 0 };

	if (!cluster->options.devices || (cluster->segments_seen && cluster->segments == wanted))
		return;
	if (segmenter_set(cluster->options.datapath, cluster->reconcile->options.instance, wanted,
			  &error)) {
		log_limited(LOG_LEVEL_WARNING, "large frames cannot be taken apart", "text=\"%s\"",
			    error.text);
		return;
	}
	cluster->segments_seen = true;
	cluster->segments = wanted;
}

/* ---- all of it ---- */

void cluster_refresh(void *context)
{
	struct cluster *cluster = context;
	const struct host_object *own;

	/* Without any intent nothing is known, and nothing is taken away. */
	if (cluster->reconcile->blind)
		return;
	own = intent_own_host(intent_of(cluster));
	refresh_segmenter(cluster);
	cluster_refresh_routers(cluster);
	refresh_shares(cluster, own);
	refresh_uplinks(cluster, own);
	if (!own) {
		underlay_set(cluster->underlay, NULL, 0);
		if (cluster->keepalives)
			cluster_refresh_keepalives(cluster, NULL);
		return;
	}
	underlay_set(cluster->underlay, own->addresses, own->address_count);
	underlay_tunnel_devices(cluster->underlay);
	refresh_groups(cluster, own);
	refresh_paths(cluster, own);
	if (cluster->keepalives)
		cluster_refresh_keepalives(cluster, own);
	if (cluster->devices_changed) {
		cluster->devices_changed = false;
		reconcile_underlay_changed(cluster->reconcile);
	}
}

/* ---- showing ---- */

static const char *life(const struct cluster *cluster, const struct other_host *other, bool own)
{
	if (own)
		return "here";
	if (!other)
		return "unknown";
	if (other->alive)
		return "alive";
	if (clock_realtime_ns(cluster->options.clock) - other->since_ns < GONE_AFTER_NS)
		return "late";
	return "gone";
}

static void add_path(json_t *status, const struct path_state *state)
{
	char since[CLOCK_RFC3339_SIZE], text[64];

	if (!state->since_ns)
		snprintf(text, sizeof(text), "not known yet");
	else if (!state->answers)
		snprintf(text, sizeof(text), "no answer");
	else if (state->mtu < state->full)
		snprintf(text, sizeof(text),
			 state->here ? "route takes up to %u" : "eats packets over %u", state->mtu);
	else
		snprintf(text, sizeof(text), "ok");
	json_object_set_new(status, "path", json_string(text));
	json_object_set_new(status, "path_mtu", json_integer(state->mtu));
	json_object_set_new(status, "round_trip_us", json_integer(state->round_trip_us));
	if (state->since_ns)
		json_object_set_new(status, "path_since",
				    json_string(clock_rfc3339_format(state->since_ns, since)));
}

json_t *cluster_host_json(const struct cluster *cluster, uint32_t host_id)
{
	const struct other_host *other = map_get_u32(&cluster->others, host_id);
	const struct host_object *own = cluster->reconcile ? intent_own_host(intent_of(cluster))
							   : NULL;
	bool is_own = own && own->object.id == host_id;
	json_t *status = json_pack("{s:s}", "state", life(cluster, other, is_own));
	struct path_state state;
	char since[CLOCK_RFC3339_SIZE];

	if (other && other->since_ns)
		json_object_set_new(status, "since",
				    json_string(clock_rfc3339_format(other->since_ns, since)));
	if (other && other->document) {
		json_t *version = json_object_get(other->document, "version");

		if (version)
			json_object_set(status, "version", version);
	}
	if (!is_own && path_probes_get(cluster->probes, host_id, &state))
		add_path(status, &state);
	return status;
}
