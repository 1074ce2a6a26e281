/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts, and which host a port or tunnel is on.
 *
 * Two hosts must be able to reach one another: an address of the same family, and a kind of
 * encapsulation with room for an id that both offer. A pair that cannot would be a black hole in
 * every VPC that spans it, so the second host is refused. As soon as there are host objects, every
 * port and tunnel says which host it is on; those that said nothing so far are on the one that the
 * daemon runs on.
 *
 * Neighbours: check.c (the caller), check_tunnel.c (segments and tunnels), mtu.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/encapsulation.h"
#include "model/intent_private.h"

#define IPV6_MTU_MIN 1280
#define IPV4_MTU_MIN 576

/* ---- which host ---- */

static bool draft_has_hosts(const struct draft *draft)
{
	uint64_t key = member_key(0, OBJECT_HOST);
	const struct entry_list *touched = map_get(&draft->members, &key, sizeof(key));
	const struct map *set = intent_members(draft->intent, 0, OBJECT_HOST);
	size_t count = set ? map_count(set) : 0;

	for (size_t i = 0; touched && i < touched->count; i++) {
		if (touched->list[i]->after)
			return true;
		count -= touched->list[i]->before != NULL;
	}
	return count > 0;
}

/* The name of the host that things are on which name none; empty when that is not plain. */
static const char *default_host(const struct draft *draft, char name[NAME_SIZE])
{
	const struct object **hosts;
	size_t count;

	snprintf(name, NAME_SIZE, "%s", draft->intent->hosts.own);
	if (name[0] && draft_find(draft, 0, OBJECT_HOST, name))
		return name;
	count = draft_members(draft, 0, OBJECT_HOST, &hosts);
	snprintf(name, NAME_SIZE, "%s", count == 1 ? hosts[0]->name : "");
	free(hosts);
	return name;
}

static char *host_of(struct object *object)
{
	if (object->kind == OBJECT_PORT)
		return ((struct port_object *)object)->host;
	if (object->kind == OBJECT_TUNNEL)
		return ((struct tunnel_object *)object)->host;
	return NULL;
}

/* What a lone host has no use for: the name of a host, the id of a segment. */
static bool is_homeless(const struct object *object)
{
	const struct segment *segment = &((const struct subnet_object *)object)->segment;

	if (object->kind == OBJECT_SUBNET)
		return segment->type == SEGMENT_OVERLAY && !segment->id;
	return !host_of((struct object *)object)[0];
}

/* Everything of the intent that names no host becomes part of the draft. */
static void touch_homeless(struct draft *draft)
{
	static const enum object_kind kinds[] = { OBJECT_PORT, OBJECT_TUNNEL, OBJECT_SUBNET };
	const struct object **vpcs, **list;
	size_t vpc_count = draft_members(draft, 0, OBJECT_VPC, &vpcs);

	for (size_t i = 0; i < vpc_count; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(kinds); j++) {
			size_t count = draft_members(draft, vpcs[i]->id, kinds[j], &list);

			for (size_t k = 0; k < count; k++)
				if (is_homeless(list[k]))
					draft_edit(draft, list[k]);
			free(list);
		}
	}
	free(vpcs);
}

void check_complete_hosts(struct draft *draft)
{
	char name[NAME_SIZE];

	if (!draft_has_hosts(draft))
		return;
	if (!intent_has_hosts(draft->intent))
		touch_homeless(draft);
	default_host(draft, name);
	for (size_t i = 0; i < draft->entries.count; i++) {
		const struct draft_entry *entry = draft->entries.list[i];
		char *host = entry->after ? host_of(entry->after) : NULL;
		const char *before = entry->before ? host_of((struct object *)entry->before) : NULL;

		if (host && !host[0])
			snprintf(host, NAME_SIZE, "%s", before && before[0] ? before : name);
	}
}

/* ---- reach ---- */

/* Whether a host has an address by which the subnet is carried. */
static bool is_reached(const struct host_object *host, const struct subnet_object *subnet)
{
	const struct segment *segment = &subnet->segment;

	return segment->type != SEGMENT_OVERLAY || segment->underlay == UNDERLAY_ANY ||
	       host_address(host, segment, 0) || host_address(host, segment, 1);
}

static const char *underlay_words(const struct segment *segment, char text[IP_PREFIX_TEXT_SIZE])
{
	if (segment->underlay == UNDERLAY_PREFIX)
		return ip_prefix_format(&segment->underlay_prefix, text);
	return segment->underlay == UNDERLAY_IPV6 ? "IPv6" : "IPv4";
}

static int refuse_reach(struct draft *draft, const struct object *object, const char *key,
			const struct host_object *host, const struct subnet_object *subnet,
			struct error *error)
{
	char text[IP_PREFIX_TEXT_SIZE];

	return draft_refuse(draft, object, key, EINVAL, error,
			    "host %s has no address of %s, by which subnet %s/%s is carried",
			    host->object.name, underlay_words(&subnet->segment, text),
			    draft_vpc(draft, subnet->object.vpc_id)->object.name,
			    subnet->object.name);
}

/* All subnets of a VPC must reach a host that has part in it. Asked once in a check. */
int check_reach(struct draft *draft, const struct object *object, const char *key, uint32_t vpc_id,
		const struct host_object *host, struct error *error)
{
	const uint32_t pair[] = { vpc_id, host->object.id };
	const struct object **list;
	size_t count;
	int code = 0;

	if (map_put(&draft->reached, pair, sizeof(pair), draft))
		return 0;
	count = draft_members(draft, vpc_id, OBJECT_SUBNET, &list);
	for (size_t i = 0; i < count && !code; i++) {
		const struct subnet_object *subnet = (const struct subnet_object *)list[i];

		if (!is_reached(host, subnet))
			code = refuse_reach(draft, object, key, host, subnet, error);
	}
	free(list);
	return code;
}

int check_subnet_reach(struct draft *draft, const struct subnet_object *subnet, struct error *error)
{
	uint32_t *hosts;
	size_t count;
	int code = 0;

	if (subnet->segment.type != SEGMENT_OVERLAY || subnet->segment.underlay == UNDERLAY_ANY)
		return 0;
	count = intent_hosts_of_vpc(draft->intent, subnet->object.vpc_id, &hosts);
	for (size_t i = 0; i < count && !code; i++) {
		const struct host_object *host =
			(const struct host_object *)draft_object(draft, hosts[i]);

		if (host && !is_reached(host, subnet))
			code = refuse_reach(draft, &subnet->object, "segment.underlay", host,
					    subnet, error);
	}
	free(hosts);
	return code;
}

int check_host_of(struct draft *draft, const struct object *object, const char *host,
		  struct error *error)
{
	const struct object *found;
	char hint[128];

	if (!draft_has_hosts(draft))
		return 0;
	if (!host[0])
		return draft_refuse(draft, object, "host", EINVAL, error,
				    "host is missing: which of the hosts it is on must be said");
	found = draft_find(draft, 0, OBJECT_HOST, host);
	if (found)
		return check_reach(draft, object, "host", object->vpc_id,
				   (const struct host_object *)found, error);
	return draft_refuse(draft, object, "host", EINVAL, error, "no host \"%.64s\"%s", host,
			    draft_suggest(draft, 0, OBJECT_HOST, host, hint));
}

/* ---- moving ---- */

void check_complete_move(struct draft_entry *entry)
{
	struct port_object *port = (struct port_object *)entry->after;
	const struct port_object *before = (const struct port_object *)entry->before;
	bool moved = before && strcmp(before->host, port->host) != 0;

	/* Records of a version without claims have none. */
	port->claim = before && before->claim ? before->claim : 1;
	port->claim += moved;
	if (moved && strcmp(port->moving_to, port->host) == 0)
		port->moving_to[0] = '\0'; /* it has arrived */
	if (before && before->moving_to[0] && !port->moving_to[0])
		port->moves_on_command = false;
}

int check_move(struct draft *draft, const struct port_object *port, struct error *error)
{
	const struct object *found;
	char hint[128];

	if (!port->moving_to[0] && port->moves_on_command)
		return draft_refuse(draft, &port->object, "activation", EINVAL, error,
				    "activation goes with moving_to");
	if (!port->moving_to[0])
		return 0;
	if (!draft_has_hosts(draft))
		return draft_refuse(draft, &port->object, "moving_to", EINVAL, error,
				    "there are no hosts to move it to");
	found = draft_find(draft, 0, OBJECT_HOST, port->moving_to);
	if (!found)
		return draft_refuse(draft, &port->object, "moving_to", EINVAL, error,
				    "no host \"%.64s\"%s", port->moving_to,
				    draft_suggest(draft, 0, OBJECT_HOST, port->moving_to, hint));
	if (strcmp(port->moving_to, port->host) == 0)
		return draft_refuse(draft, &port->object, "moving_to", EINVAL, error,
				    "it is on host %s already", port->host);
	if (port->attach.kind == ATTACH_PID)
		return draft_refuse(
			draft, &port->object, "moving_to", EINVAL, error,
			"it is attached to process %u of host %s; a port that moves has "
			"netns, tap or tun, which mean the same on both hosts",
			port->attach.pid, port->host);
	return check_reach(draft, &port->object, "moving_to", port->object.vpc_id,
			   (const struct host_object *)found, error);
}

/* ---- a host by itself ---- */

static int check_addresses_of(struct draft *draft, const struct host_object *host,
			      struct error *error)
{
	char text[IP_ADDRESS_TEXT_SIZE], title[160];

	for (size_t i = 0; i < host->address_count; i++) {
		const struct ip_address *address = &host->addresses[i].address;
		uint32_t owner = value_to_id(
			map_get(&draft->intent->hosts.addresses, address, sizeof(*address)));
		uint32_t claimed =
			value_to_id(map_get(&draft->underlay, address, sizeof(*address)));

		ip_address_format(address, text);
		if (ip_address_is_multicast(address) || ip_address_is_unspecified(address) ||
		    ip_address_is_loopback(address) || ip_address_is_broadcast(address))
			return draft_refuse(draft, &host->object, "underlay", EINVAL, error,
					    "%s is not an address of a host", text);
		if (claimed == host->object.id)
			return draft_refuse(draft, &host->object, "underlay", EINVAL, error,
					    "address %s stands twice", text);
		if (!claimed && owner != host->object.id && owner && !draft_entry(draft, owner))
			claimed = owner;
		if (claimed)
			return draft_refuse(draft, &host->object, "underlay", EINVAL, error,
					    "address %s is taken by %s", text,
					    draft_title(draft, draft_object(draft, claimed),
							title));
		map_put(&draft->underlay, address, sizeof(*address), id_to_value(host->object.id));
	}
	return 0;
}

static int check_peers(struct draft *draft, const struct host_object *host, struct error *error)
{
	for (size_t i = 0; i < host->peer_count; i++) {
		const struct host_peer *peer = &host->peers[i];
		const char *kind = encapsulation_name(peer->encapsulation);
		const struct host_object *other;
		int code = check_present(draft, &host->object, "peers", peer->host_id, error);

		if (code)
			return code;
		other = (const struct host_object *)draft_object(draft, peer->host_id);
		if (other == host)
			return draft_refuse(draft, &host->object, "peers", EINVAL, error,
					    "a host is no peer of itself");
		if (!encapsulation_has_id(peer->encapsulation))
			return draft_refuse(draft, &host->object, "peers", EINVAL, error,
					    "%s: %s has no id, so it carries one segment only; a "
					    "subnet may ask for it",
					    other->object.name, kind);
		if (!host_offers(host, peer->encapsulation) ||
		    !host_offers(other, peer->encapsulation))
			return draft_refuse(draft, &host->object, "peers", EINVAL, error,
					    "%s: %s is not among the encapsulations of %s",
					    other->object.name, kind,
					    host_offers(host, peer->encapsulation) ? "that host"
										   : "this host");
	}
	return 0;
}

static bool has_family(const struct host_object *host, int family)
{
	for (size_t i = 0; i < host->address_count; i++)
		if (family_of(&host->addresses[i].address) == family)
			return true;
	return false;
}

static int check_pair(struct draft *draft, const struct host_object *host,
		      const struct host_object *other, struct error *error)
{
	bool family = false, kind = false;

	for (int i = 0; i < 2; i++)
		family |= has_family(host, i) && has_family(other, i);
	if (!family)
		return draft_refuse(draft, &host->object, "underlay", EINVAL, error,
				    "it and host %s have no addresses of one family",
				    other->object.name);
	/* Of these, some carry Ethernet: an l2 subnet must be able to travel as well. */
	for (size_t i = 0; i < host->encapsulation_count; i++)
		kind |= encapsulation_has_id(host->encapsulations[i]) &&
			encapsulation_has_ethernet(host->encapsulations[i]) &&
			host_offers(other, host->encapsulations[i]);
	if (!kind)
		return draft_refuse(draft, &host->object, "encapsulations", EINVAL, error,
				    "it and host %s need one of vxlan, geneve, nvgre and gretap "
				    "that both have",
				    other->object.name);
	return 0;
}

/* ---- a host among the others ---- */

static int check_pairs(struct draft *draft, const struct host_object *host, struct error *error)
{
	const struct object **others;
	size_t count = draft_members(draft, 0, OBJECT_HOST, &others);
	int code = 0;

	for (size_t i = 0; i < count && !code; i++)
		if (others[i] != &host->object)
			code = check_pair(draft, host, (const struct host_object *)others[i],
					  error);
	free(others);
	return code;
}

/* The subnets that are there must still carry what they have to. */
static int check_room(struct draft *draft, const struct host_object *host, struct error *error)
{
	const struct object **vpcs;
	size_t count = draft_members(draft, 0, OBJECT_VPC, &vpcs);
	int code = 0;

	for (size_t i = 0; i < count && !code; i++) {
		const struct vpc_object *vpc = (const struct vpc_object *)vpcs[i];
		const struct subnet_object *subnet;
		uint32_t mtu = draft_vpc_mtu(draft, vpc, &subnet), least = IPV4_MTU_MIN;

		for (size_t j = 0; j < vpc->cidr_count; j++)
			if (!ip_prefix_is_ipv4(&vpc->cidrs[j]))
				least = IPV6_MTU_MIN;
		if (subnet && mtu < least)
			code = draft_refuse(draft, &host->object, "mtu", EINVAL, error,
					    "mtu %u leaves subnet %s/%s %u bytes in %s, and it "
					    "needs %u",
					    host->mtu, vpc->object.name, subnet->object.name, mtu,
					    encapsulation_name(subnet->segment.encapsulation),
					    least);
	}
	free(vpcs);
	return code;
}

/* What is on the host is judged by its addresses. */
static int check_parts_of(struct draft *draft, const struct object *host, struct error *error)
{
	uint32_t *vpc_ids;
	size_t count = intent_vpcs_of_host(draft->intent, host->name, &vpc_ids);
	int code = 0;

	for (size_t i = 0; i < count && !code; i++) {
		const struct object **list;
		size_t tunnels = draft_members(draft, vpc_ids[i], OBJECT_TUNNEL, &list);

		code = check_reach(draft, host, "underlay", vpc_ids[i],
				   (const struct host_object *)host, error);

		for (size_t j = 0; j < tunnels && !code; j++) {
			const struct tunnel_object *tunnel = (const struct tunnel_object *)list[j];

			if (strcmp(tunnel->host, host->name) == 0)
				code = check_tunnel_ends(draft, tunnel, error);
		}
		free(list);
	}
	free(vpc_ids);
	return code;
}

/* The first host of all, while ports are here: they are this host's, and nobody has said to move them. */
static int check_first(struct draft *draft, const struct host_object *host, struct error *error)
{
	const char *own = draft->intent->hosts.own;
	const struct map *vpcs = intent_members(draft->intent, 0, OBJECT_VPC);
	bool ports = false;

	if (!vpcs || intent_has_hosts(draft->intent) || !own[0] ||
	    draft_find(draft, 0, OBJECT_HOST, own))
		return 0;
	MAP_FOR_EACH(vpcs, vpc) {
		const uint32_t vpc_id = *(const uint32_t *)vpc.key;
		const struct map *members = intent_members(draft->intent, vpc_id, OBJECT_PORT);

		ports = ports || (members && map_count(members));
	}
	if (!ports)
		return 0;
	return draft_refuse(draft, &host->object, NULL, EINVAL, error,
			    "the ports that are here belong to this host, %s: add that one first",
			    own);
}

int check_host(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	const struct host_object *host = (const struct host_object *)entry->after;
	int code;

	if (host->encapsulation_count == 0)
		return draft_refuse(draft, &host->object, "encapsulations", EINVAL, error,
				    "a host needs at least one encapsulation");
	code = check_first(draft, host, error);
	if (!code)
		code = check_addresses_of(draft, host, error);
	if (!code)
		code = check_peers(draft, host, error);
	if (!code)
		code = check_pairs(draft, host, error);
	if (!code)
		code = check_room(draft, host, error);
	if (!code)
		code = check_uplink_devices(draft, host, error);
	if (!code && entry->before)
		code = check_uplinks(draft, host, error);
	if (!code && entry->before)
		code = check_parts_of(draft, &host->object, error);
	return code;
}

/* ---- removal ---- */

static bool needs_host(const struct object *object, const char *name)
{
	return strcmp(host_of((struct object *)object), name) == 0 ||
	       (object->kind == OBJECT_PORT &&
		strcmp(((const struct port_object *)object)->moving_to, name) == 0);
}

int check_host_removed(const struct draft *draft, const struct object *host, struct error *error)
{
	static const enum object_kind kinds[] = { OBJECT_PORT, OBJECT_TUNNEL };
	uint32_t *vpc_ids;
	size_t count = intent_vpcs_of_host(draft->intent, host->name, &vpc_ids);
	char title[160];
	int code = 0;

	for (size_t i = 0; i < count * ARRAY_SIZE(kinds) && !code; i++) {
		const struct object **list;
		size_t members = draft_members(draft, vpc_ids[i / ARRAY_SIZE(kinds)],
					       kinds[i % ARRAY_SIZE(kinds)], &list);

		for (size_t j = 0; j < members && !code; j++)
			if (needs_host(list[j], host->name))
				code = draft_refuse(draft, host, NULL, EBUSY, error,
						    "%s is on it and must be moved or removed "
						    "first",
						    draft_title(draft, list[j], title));
		free(list);
	}
	for (size_t i = 0; i < count && !code; i++) {
		const struct vpc_object *vpc = draft_vpc(draft, vpc_ids[i]);

		if (vpc && strcmp(vpc->router, host->name) == 0)
			code = draft_refuse(draft, host, NULL, EBUSY, error,
					    "it routes vpc %s, which must have another routing "
					    "first",
					    vpc->object.name);
	}
	free(vpc_ids);
	return code ? code : check_router_removed(draft, host, error);
}
