/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether two objects say the same.
 *
 * Comparison is by content, field by field, never by memory: only the used part of the fixed
 * arrays counts. What is equal is no change, so that applying an export does nothing.
 *
 * Neighbours: object.c (everything else of one object), draft_change.c (who asks).
 */
#include <string.h>

#include "model/filter.h"
#include "model/intent_private.h"

bool rule_equal(const struct rule_object *a, const struct rule_object *b)
{
	if (a->protocol != b->protocol || a->icmp_both != b->icmp_both || a->peer != b->peer ||
	    a->number != b->number || a->deny != b->deny || a->range_count != b->range_count)
		return false;
	if (a->peer == PEER_GROUP ? a->group_id != b->group_id
				  : !ip_prefix_equal(&a->prefix, &b->prefix))
		return false;
	for (size_t i = 0; i < a->range_count; i++)
		if (a->ranges[i].first != b->ranges[i].first ||
		    a->ranges[i].last != b->ranges[i].last)
			return false;
	return true;
}

bool rule_list_equal(const struct rule_list *a, const struct rule_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!rule_equal(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

bool route_equal(const struct route_object *a, const struct route_object *b)
{
	if (!ip_prefix_equal(&a->to, &b->to) || a->via != b->via || a->port_count != b->port_count)
		return false;
	for (size_t i = 0; i < a->port_count; i++)
		if (a->port_ids[i] != b->port_ids[i] || a->port_kinds[i] != b->port_kinds[i] ||
		    strcmp(a->port_names[i], b->port_names[i]) != 0)
			return false;
	return true;
}

static bool vpc_equal(const struct vpc_object *a, const struct vpc_object *b)
{
	if (a->cidr_count != b->cidr_count || a->established != b->established ||
	    a->mtu != b->mtu || a->flow_limit != b->flow_limit ||
	    a->main_table_id != b->main_table_id || a->default_group_id != b->default_group_id ||
	    memcmp(a->timeouts, b->timeouts, sizeof(a->timeouts)) != 0 ||
	    strcmp(a->router, b->router) != 0 || a->metadata != b->metadata ||
	    a->route_multicast != b->route_multicast || !dns_equal(&a->dns, &b->dns) ||
	    !flow_log_equal(a->flow_log, b->flow_log))
		return false;
	for (size_t i = 0; i < a->cidr_count; i++)
		if (!ip_prefix_equal(&a->cidrs[i], &b->cidrs[i]))
			return false;
	return true;
}

bool segment_equal(const struct segment *a, const struct segment *b)
{
	return a->type == b->type && a->encapsulation == b->encapsulation && a->ttl == b->ttl &&
	       a->dscp == b->dscp && a->copy_dscp == b->copy_dscp &&
	       a->id_automatic == b->id_automatic && a->port == b->port && a->id == b->id &&
	       a->udp_checksum == b->udp_checksum && a->underlay == b->underlay &&
	       ip_prefix_equal(&a->underlay_prefix, &b->underlay_prefix) &&
	       ip_address_equal(&a->group, &b->group) && ip_prefix_equal(&a->vteps, &b->vteps) &&
	       strcmp(a->network, b->network) == 0 && a->tag == b->tag &&
	       a->service_tag == b->service_tag && a->direct == b->direct &&
	       a->siblings == b->siblings && strcmp(a->router, b->router) == 0;
}

static bool subnet_equal(const struct subnet_object *a, const struct subnet_object *b)
{
	for (int family = 0; family < 2; family++)
		if (!ip_prefix_equal(&a->cidrs[family], &b->cidrs[family]) ||
		    !ip_address_equal(&a->gateways[family], &b->gateways[family]))
			return false;
	return a->mode == b->mode && segment_equal(&a->segment, &b->segment) &&
	       a->route_table_id == b->route_table_id &&
	       a->route_table_implicit == b->route_table_implicit && a->acl_id == b->acl_id &&
	       a->flood_rate == b->flood_rate && a->station_limit == b->station_limit &&
	       a->station_ageing == b->station_ageing && a->snoop == b->snoop &&
	       a->query_interval == b->query_interval && a->route_multicast == b->route_multicast &&
	       a->segment_flood_rate == b->segment_flood_rate &&
	       a->vlan_transparent == b->vlan_transparent && subnet_dhcp_equal(a->dhcp, b->dhcp) &&
	       subnet_ra_equal(a->ra, b->ra) && port_mirror_equal(a->mirror, b->mirror) &&
	       flow_log_equal(a->flow_log, b->flow_log);
}

static bool attach_equal(const struct attach *a, const struct attach *b)
{
	return a->kind == b->kind && strcmp(a->netns, b->netns) == 0 && a->pid == b->pid &&
	       strcmp(a->ifname, b->ifname) == 0 && a->configure == b->configure &&
	       a->queues == b->queues && strcmp(a->peer, b->peer) == 0 &&
	       strcmp(a->parent, b->parent) == 0 && a->vlan == b->vlan &&
	       a->service_tag == b->service_tag && a->native == b->native && a->link == b->link &&
	       a->take_addresses == b->take_addresses;
}

/* Records of a version without claims have none. */
static bool claims_differ(const struct port_object *a, const struct port_object *b)
{
	return a->claim && b->claim && a->claim != b->claim;
}

/* Rates, mark and mirror. */
static bool quality_equal(const struct port_object *a, const struct port_object *b)
{
	return a->send_rate == b->send_rate && a->receive_rate == b->receive_rate &&
	       a->rate_burst == b->rate_burst && a->send_burst == b->send_burst &&
	       a->receive_burst == b->receive_burst && a->share == b->share &&
	       a->dscp_mark == b->dscp_mark && port_mirror_equal(a->mirror, b->mirror) &&
	       flow_log_equal(a->flow_log, b->flow_log);
}

static bool port_equal(const struct port_object *a, const struct port_object *b)
{
	if (a->subnet_id != b->subnet_id || !mac_address_equal(&a->mac, &b->mac) ||
	    a->address_count != b->address_count || a->group_count != b->group_count ||
	    a->allowed_count != b->allowed_count ||
	    a->source_destination_check != b->source_destination_check || a->mtu != b->mtu ||
	    a->flow_limit != b->flow_limit || !quality_equal(a, b) ||
	    !attach_equal(&a->attach, &b->attach) || strcmp(a->host, b->host) != 0 ||
	    strcmp(a->moving_to, b->moving_to) != 0 || a->moves_on_command != b->moves_on_command ||
	    claims_differ(a, b) ||
	    strcmp(a->user_data ? a->user_data : "", b->user_data ? b->user_data : "") != 0)
		return false;
	for (size_t i = 0; i < a->address_count; i++)
		if (!ip_address_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	for (size_t i = 0; i < a->allowed_count; i++)
		if (!ip_prefix_equal(&a->allowed[i], &b->allowed[i]))
			return false;
	return memcmp(a->group_ids, b->group_ids, a->group_count * sizeof(a->group_ids[0])) == 0;
}

static bool table_equal(const struct route_table_object *a, const struct route_table_object *b)
{
	if (a->route_count != b->route_count)
		return false;
	for (size_t i = 0; i < a->route_count; i++)
		if (!route_equal(&a->routes[i], &b->routes[i]))
			return false;
	return true;
}

bool tunnel_equal_groups(const struct tunnel_object *a, const struct tunnel_object *b)
{
	return a->filtered == b->filtered && a->group_count == b->group_count &&
	       memcmp(a->group_ids, b->group_ids, a->group_count * sizeof(a->group_ids[0])) == 0;
}

static bool tunnel_equal(const struct tunnel_object *a, const struct tunnel_object *b)
{
	return a->encapsulation == b->encapsulation && a->ttl == b->ttl && a->dscp == b->dscp &&
	       a->copy_dscp == b->copy_dscp && a->checksum == b->checksum &&
	       a->sequence == b->sequence && a->mirror == b->mirror && a->erspan == b->erspan &&
	       a->hardware_id == b->hardware_id && a->has_id == b->has_id && a->port == b->port &&
	       a->id == b->id && strcmp(a->host, b->host) == 0 &&
	       ip_address_equal(&a->remote, &b->remote) && ip_address_equal(&a->local, &b->local) &&
	       a->subnet_id == b->subnet_id && a->mtu == b->mtu && tunnel_equal_groups(a, b) &&
	       a->keepalive_interval == b->keepalive_interval &&
	       a->keepalive_retries == b->keepalive_retries &&
	       ip_address_equal(&a->keepalive_address, &b->keepalive_address);
}

static bool host_equal(const struct host_object *a, const struct host_object *b)
{
	if (a->address_count != b->address_count || a->mtu != b->mtu ||
	    a->encapsulation_count != b->encapsulation_count || a->peer_count != b->peer_count ||
	    a->uplink_count != b->uplink_count || a->rate_count != b->rate_count)
		return false;
	for (size_t i = 0; i < a->address_count; i++)
		if (!ip_prefix_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	for (size_t i = 0; i < a->peer_count; i++)
		if (a->peers[i].host_id != b->peers[i].host_id ||
		    a->peers[i].encapsulation != b->peers[i].encapsulation)
			return false;
	for (size_t i = 0; i < a->uplink_count; i++)
		if (strcmp(a->uplinks[i].network, b->uplinks[i].network) != 0 ||
		    strcmp(a->uplinks[i].ifname, b->uplinks[i].ifname) != 0 ||
		    a->uplinks[i].take_addresses != b->uplinks[i].take_addresses)
			return false;
	for (size_t i = 0; i < a->rate_count; i++)
		if (a->rates[i].rate != b->rates[i].rate ||
		    strcmp(a->rates[i].ifname, b->rates[i].ifname) != 0)
			return false;
	return memcmp(a->encapsulations, b->encapsulations, a->encapsulation_count) == 0;
}

bool object_equal(const struct object *a, const struct object *b)
{
	if (a->kind != b->kind || a->id != b->id || a->vpc_id != b->vpc_id ||
	    strcmp(a->name, b->name) != 0)
		return false;
	switch (a->kind) {
	case OBJECT_VPC:
		return vpc_equal((const struct vpc_object *)a, (const struct vpc_object *)b);
	case OBJECT_SUBNET:
		return subnet_equal((const struct subnet_object *)a,
				    (const struct subnet_object *)b);
	case OBJECT_PORT:
		return port_equal((const struct port_object *)a, (const struct port_object *)b);
	case OBJECT_ROUTE_TABLE:
		return table_equal((const struct route_table_object *)a,
				   (const struct route_table_object *)b);
	case OBJECT_SECURITY_GROUP:
	case OBJECT_ACL:
		return rule_list_equal(object_rules(a, true), object_rules(b, true)) &&
		       rule_list_equal(object_rules(a, false), object_rules(b, false));
	case OBJECT_TUNNEL:
		return tunnel_equal((const struct tunnel_object *)a,
				    (const struct tunnel_object *)b);
	case OBJECT_HOST:
		return host_equal((const struct host_object *)a, (const struct host_object *)b);
	case OBJECT_KINDS:
	case OBJECT_GROUP_RULE:
	case OBJECT_ACL_RULE: break;
	}
	return false;
}
