/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments and tunnels: can it be carried so, and does nothing else come in the same way?
 *
 * A packet that arrives is told apart by who sent it, by the kind of encapsulation, by the UDP port
 * and by the id. Segments share hosts as senders, so their ids differ from one another, whatever the
 * kind, for two hosts may agree on another kind than the subnet's. Kinds without an id have room for
 * one segment for each address and port. A UDP port is of one kind on all hosts.
 *
 * Neighbours: check.c (the caller), check_host.c, encapsulation.c (facts).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/encapsulation.h"
#include "model/intent_private.h"

#define SEGMENT_ID_FIRST 4096 /* below are those that people like to choose, and NVGRE's own */
#define SEGMENT_ID_LAST 0xfffffe
#define PROBE_PORT 6082 /* between daemons: measures the path MTU */

/* ---- UDP ports ---- */

/* The object in @set that still is as the set says; NULL when there is none. */
static const struct object *first_untouched(const struct draft *draft, const struct map *set)
{
	if (!set)
		return NULL;
	MAP_FOR_EACH(set, it) {
		uint32_t id = *(const uint32_t *)it.key;

		/* What the draft touched makes its own claim. */
		if (!draft_entry(draft, id))
			return intent_object(draft->intent, id);
	}
	return NULL;
}

/* A port that another kind has. */
static int check_udp_port(struct draft *draft, const struct object *object, const char *key,
			  uint16_t port, uint8_t kind, struct error *error)
{
	char title[160];

	if (!port)
		return 0;
	if (port == PROBE_PORT)
		return draft_refuse(draft, object, key, EINVAL, error,
				    "port %u is used between the daemons of Weft", port);
	for (int i = TUNNEL_NONE + 1; i < TUNNEL_KINDS; i++) {
		const uint8_t other = (uint8_t)i;
		uint64_t use = udp_port_key(port, other);
		const struct object *user;

		if (other == kind || !encapsulation_port(other))
			continue;
		if (encapsulation_port(other) == port)
			return draft_refuse(draft, object, key, EINVAL, error,
					    "port %u is that of %s", port,
					    encapsulation_name(other));
		user = draft_object(draft,
				    value_to_id(map_get(&draft->udp_ports, &use, sizeof(use))));
		if (!user)
			user = first_untouched(draft, map_get(&draft->intent->hosts.udp_ports, &use,
							      sizeof(use)));
		if (user)
			return draft_refuse(draft, object, key, EINVAL, error,
					    "port %u carries %s already, for %s", port,
					    encapsulation_name(other),
					    draft_title(draft, user, title));
	}
	map_put(&draft->udp_ports, &(uint64_t){ udp_port_key(port, kind) }, sizeof(uint64_t),
		id_to_value(object->id));
	return 0;
}

/* ---- ids of segments ---- */

/* Return: the subnet that has an id already, 0 when it is free; then it is @subnet_id's. */
static uint32_t claim_id(struct draft *draft, uint32_t id, uint32_t subnet_id)
{
	uint32_t owner = value_to_id(map_get_u32(&draft->segment_ids, id));

	if (!owner) {
		owner = value_to_id(map_get_u32(&draft->intent->hosts.segment_ids, id));
		if (owner && draft_entry(draft, owner))
			owner = 0;
	}
	if (owner && owner != subnet_id)
		return owner;
	map_put_u32(&draft->segment_ids, id, id_to_value(subnet_id));
	return 0;
}

void check_keep_segment(struct draft *draft, const struct draft_entry *entry)
{
	struct subnet_object *subnet = (struct subnet_object *)entry->after;
	const struct subnet_object *before = (const struct subnet_object *)entry->before;
	struct segment *segment = &subnet->segment;

	if (segment->type != SEGMENT_OVERLAY || !segment->id_automatic)
		return;
	segment->id = 0;
	if (before && before->segment.type == SEGMENT_OVERLAY && before->segment.id &&
	    encapsulation_id_fits(segment->encapsulation, before->segment.id) &&
	    claim_id(draft, before->segment.id, subnet->object.id) == 0)
		segment->id = before->segment.id;
}

int check_assign_segment(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	struct subnet_object *subnet = (struct subnet_object *)entry->after;
	struct segment *segment = &subnet->segment;
	uint32_t *next = &draft->intent->hosts.next_segment;

	if (segment->type != SEGMENT_OVERLAY || segment->id)
		return 0;
	if (*next < SEGMENT_ID_FIRST)
		*next = SEGMENT_ID_FIRST;
	for (uint32_t tried = SEGMENT_ID_FIRST; tried <= SEGMENT_ID_LAST; tried++) {
		uint32_t id = *next;

		*next = id < SEGMENT_ID_LAST ? id + 1 : SEGMENT_ID_FIRST;
		if (claim_id(draft, id, subnet->object.id) == 0) {
			segment->id = id;
			return 0;
		}
	}
	return draft_refuse(draft, &subnet->object, "segment.id", ENOSPC, error,
			    "no id for its segment is free");
}

static int check_id(struct draft *draft, const struct subnet_object *subnet, struct error *error)
{
	const struct segment *segment = &subnet->segment;
	const struct object *owner;
	char title[160];
	uint32_t owner_id;

	if (segment->id_automatic)
		return 0;
	if (!encapsulation_id_fits(segment->encapsulation, segment->id))
		return draft_refuse(draft, &subnet->object, "segment.id", EINVAL, error,
				    "id %u is reserved: a VSID of NVGRE is from 4096 to 16777214",
				    segment->id);
	owner_id = claim_id(draft, segment->id, subnet->object.id);
	if (!owner_id)
		return 0;
	owner = draft_object(draft, owner_id);
	return draft_refuse(draft, &subnet->object, "segment.id", EINVAL, error,
			    "id %u is taken by %s", segment->id,
			    owner ? draft_title(draft, owner, title) : "a subnet of another host");
}

/* ---- segments ---- */

/* Whether two segments might be between the same two addresses. */
static bool underlays_meet(const struct segment *a, const struct segment *b)
{
	bool a_ipv6 = a->underlay == UNDERLAY_IPV6, b_ipv6 = b->underlay == UNDERLAY_IPV6;

	if (a->underlay == UNDERLAY_ANY || b->underlay == UNDERLAY_ANY)
		return true;
	if (a->underlay == UNDERLAY_PREFIX && b->underlay == UNDERLAY_PREFIX)
		return ip_prefix_overlaps(&a->underlay_prefix, &b->underlay_prefix);
	if (a->underlay == UNDERLAY_PREFIX)
		a_ipv6 = !ip_prefix_is_ipv4(&a->underlay_prefix);
	if (b->underlay == UNDERLAY_PREFIX)
		b_ipv6 = !ip_prefix_is_ipv4(&b->underlay_prefix);
	return a_ipv6 == b_ipv6;
}

static int refuse_second(struct draft *draft, const struct subnet_object *subnet,
			 const struct object *other, struct error *error)
{
	uint8_t kind = subnet->segment.encapsulation;
	char title[160];

	return draft_refuse(draft, &subnet->object, "segment.encapsulation", EINVAL, error,
			    "a second segment on %s, which has no id: %s has it; say an underlay "
			    "with another address%s, or a kind with an id",
			    encapsulation_name(kind), draft_title(draft, other, title),
			    encapsulation_port(kind) ? " or another port" : "");
}

static int check_alone(struct draft *draft, const struct subnet_object *subnet, struct error *error)
{
	const struct segment *segment = &subnet->segment;
	uint64_t key =
		udp_port_key(segment_port(segment, segment->encapsulation), segment->encapsulation);
	const struct map *sets[] = {
		map_get(&draft->intent->hosts.without_id, &key, sizeof(key)),
		map_get(&draft->without_id, &key, sizeof(key)),
	};

	if (encapsulation_has_id(segment->encapsulation))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		if (!sets[i])
			continue;
		MAP_FOR_EACH(sets[i], it) {
			uint32_t id = *(const uint32_t *)it.key;
			const struct object *other = draft_object(draft, id);

			if (!other || id == subnet->object.id || (i == 0 && draft_entry(draft, id)))
				continue;
			if (underlays_meet(segment,
					   &((const struct subnet_object *)other)->segment))
				return refuse_second(draft, subnet, other, error);
		}
	}
	set_add(&draft->without_id, &key, sizeof(key), subnet->object.id);
	return 0;
}

static int check_group_of(struct draft *draft, const struct subnet_object *subnet,
			  struct error *error)
{
	const struct segment *segment = &subnet->segment;
	uint8_t kind = segment->encapsulation;
	bool ipv4 = ip_address_is_ipv4(&segment->group);

	if (!ip_address_is_multicast(&segment->group))
		return 0;
	if (subnet->mode != SUBNET_MODE_L2)
		return draft_refuse(draft, &subnet->object, "segment.flooding", EINVAL, error,
				    "an l3 subnet floods nothing, so it needs no group");
	if (kind != TUNNEL_VXLAN && kind != TUNNEL_GENEVE && kind != TUNNEL_NVGRE)
		return draft_refuse(draft, &subnet->object, "segment.flooding", EINVAL, error,
				    "a group goes with vxlan, geneve or nvgre, not with %s",
				    encapsulation_name(kind));
	if ((segment->underlay == UNDERLAY_IPV6 && ipv4) ||
	    (segment->underlay == UNDERLAY_IPV4 && !ipv4) ||
	    (segment->vteps.length && ip_prefix_is_ipv4(&segment->vteps) != ipv4))
		return draft_refuse(draft, &subnet->object, "segment.flooding", EINVAL, error,
				    "the group and the addresses of the hosts are of different "
				    "families");
	return 0;
}

static int check_kind(struct draft *draft, const struct subnet_object *subnet, struct error *error)
{
	const struct segment *segment = &subnet->segment;
	uint8_t kind = segment->encapsulation;
	bool ipv6 = segment->underlay == UNDERLAY_IPV6 ||
		    (segment->underlay == UNDERLAY_PREFIX &&
		     !ip_prefix_is_ipv4(&segment->underlay_prefix));

	if (subnet->mode == SUBNET_MODE_L2 && !encapsulation_has_ethernet(kind))
		return draft_refuse(draft, &subnet->object, "segment.encapsulation", EINVAL, error,
				    "an l2 subnet needs vxlan, geneve, nvgre or gretap; %s carries "
				    "no Ethernet",
				    encapsulation_name(kind));
	if (kind == TUNNEL_SIT && subnet->cidrs[0].length)
		return draft_refuse(draft, &subnet->object, "segment.encapsulation", EINVAL, error,
				    "sit carries IPv6 only, and the subnet has an IPv4 range");
	if (kind == TUNNEL_SIT && ipv6)
		return draft_refuse(draft, &subnet->object, "segment.underlay", EINVAL, error,
				    "sit is IPv6 in IPv4: its underlay is ipv4");
	if (segment->port && !encapsulation_port(kind))
		return draft_refuse(draft, &subnet->object, "segment.port", EINVAL, error,
				    "%s is not carried by UDP and has no port",
				    encapsulation_name(kind));
	return 0;
}

int check_segment(struct draft *draft, const struct subnet_object *subnet, struct error *error)
{
	const struct segment *segment = &subnet->segment;
	int code;

	if (segment_is_wire(segment))
		return check_wire(draft, subnet, error);
	if (segment->type != SEGMENT_OVERLAY)
		return 0;
	code = check_kind(draft, subnet, error);
	if (!code)
		code = check_udp_port(draft, &subnet->object, "segment.port",
				      segment_port(segment, segment->encapsulation),
				      segment->encapsulation, error);
	if (!code)
		code = check_group_of(draft, subnet, error);
	if (!code)
		code = check_id(draft, subnet, error);
	if (!code)
		code = check_alone(draft, subnet, error);
	return code ? code : check_subnet_reach(draft, subnet, error);
}

/* ---- tunnels ---- */

static int refuse_tunnel(const struct draft *draft, const struct tunnel_object *tunnel,
			 const char *key, struct error *error, const char *sentence)
{
	return draft_refuse(draft, &tunnel->object, key, EINVAL, error, "%s %s",
			    tunnel_type_name(tunnel), sentence);
}

/* Types II and III: always numbered, with a session and, of the latter, the engine to choose. */
static int check_erspan(const struct draft *draft, const struct tunnel_object *tunnel,
			struct error *error)
{
	if (!tunnel->mirror)
		return refuse_tunnel(draft, tunnel, "mirror", error, "is for mirrors");
	if (tunnel->id > 1023)
		return refuse_tunnel(draft, tunnel, "id", error, "has sessions from 0 to 1023");
	if (tunnel->port)
		return refuse_tunnel(draft, tunnel, "port", error, "is not carried by UDP");
	if (tunnel->checksum == CHECKSUM_ON)
		return refuse_tunnel(draft, tunnel, "checksum", error, "has no checksum");
	if (tunnel->sequence)
		return refuse_tunnel(draft, tunnel, "sequence", error,
				     "is numbered whether or not that is said");
	return 0;
}

/* What gets copies alone has nothing that belongs to a member or to the target of a route. */
static int check_mirror_tunnel(const struct draft *draft, const struct tunnel_object *tunnel,
			       struct error *error)
{
	if (!encapsulation_has_ethernet(tunnel->encapsulation))
		return refuse_tunnel(draft, tunnel, "mirror", error,
				     "carries no Ethernet, and copies are frames");
	if (tunnel->subnet_id)
		return refuse_tunnel(draft, tunnel, "subnet", error,
				     "gets copies of mirrors alone, and is in no subnet");
	if (tunnel->filtered)
		return refuse_tunnel(draft, tunnel, "security_groups", error,
				     "gets copies of mirrors alone, which no rule is asked for");
	if (tunnel->keepalive_interval)
		return refuse_tunnel(draft, tunnel, "keepalive", error,
				     "gets copies of mirrors alone: nothing comes back by it");
	return 0;
}

static int check_tunnel_form(const struct draft *draft, const struct tunnel_object *tunnel,
			     struct error *error)
{
	uint8_t kind = tunnel->encapsulation;
	bool gre = kind == TUNNEL_GRE || kind == TUNNEL_GRETAP;

	if (tunnel->hardware_id && tunnel->erspan != 3)
		return refuse_tunnel(draft, tunnel, "hardware_id", error,
				     "has none; it is a field of erspan3");
	if (tunnel->erspan)
		return check_erspan(draft, tunnel, error);
	if (!encapsulation_has_id(kind) && tunnel->has_id)
		return refuse_tunnel(draft, tunnel, "id", error, "has no id");
	if (encapsulation_has_id(kind) && !gre && !tunnel->has_id)
		return refuse_tunnel(draft, tunnel, "id", error, "needs an id");
	if (tunnel->has_id && !encapsulation_id_fits(kind, tunnel->id))
		return refuse_tunnel(draft, tunnel, "id", error,
				     kind == TUNNEL_NVGRE
					     ? "has ids from 4096 to 16777214; the others are "
					       "reserved"
					     : "has ids up to 16777215");
	if (tunnel->port && !encapsulation_port(kind))
		return refuse_tunnel(draft, tunnel, "port", error, "is not carried by UDP");
	if (tunnel->checksum == CHECKSUM_ON && !gre && !encapsulation_port(kind))
		return refuse_tunnel(draft, tunnel, "checksum", error, "has no checksum");
	if (tunnel->sequence && !gre)
		return refuse_tunnel(draft, tunnel, "sequence", error, "has no sequence numbers");
	if (kind == TUNNEL_SIT && !ip_address_is_ipv4(&tunnel->remote))
		return refuse_tunnel(draft, tunnel, "remote", error,
				     "is IPv6 in IPv4: its ends are IPv4 addresses");
	return 0;
}

static int check_tunnel_place(struct draft *draft, const struct tunnel_object *tunnel,
			      struct error *error)
{
	bool ethernet = encapsulation_has_ethernet(tunnel->encapsulation);
	const struct subnet_object *subnet;
	int code;

	if (tunnel->mirror)
		return check_mirror_tunnel(draft, tunnel, error);
	if (!tunnel->subnet_id)
		return ethernet ? refuse_tunnel(draft, tunnel, "subnet", error,
						"carries Ethernet: it is a member of an l2 subnet, "
						"which must be named")
				: 0;
	code = check_present(draft, &tunnel->object, "subnet", tunnel->subnet_id, error);
	if (code)
		return code;
	subnet = (const struct subnet_object *)draft_object(draft, tunnel->subnet_id);
	if (!ethernet)
		return refuse_tunnel(draft, tunnel, "subnet", error,
				     "carries no Ethernet: it is the target of routes and a member "
				     "of no subnet");
	if (subnet->mode != SUBNET_MODE_L2)
		return draft_refuse(draft, &tunnel->object, "subnet", EINVAL, error,
				    "subnet %s is l3; a tunnel is a member of an l2 subnet",
				    subnet->object.name);
	return 0;
}

static int check_tunnel_remote(struct draft *draft, const struct tunnel_object *tunnel,
			       struct error *error)
{
	const struct ip_address *remote = &tunnel->remote;
	const struct object *host;
	char text[IP_ADDRESS_TEXT_SIZE], title[160];

	ip_address_format(remote, text);
	if (ip_address_is_multicast(remote) || ip_address_is_unspecified(remote) ||
	    ip_address_is_loopback(remote) || ip_address_is_broadcast(remote))
		return draft_refuse(draft, &tunnel->object, "remote", EINVAL, error,
				    "%s is not the address of another end", text);
	host = draft_object(draft, value_to_id(map_get(&draft->intent->hosts.addresses, remote,
						       sizeof(*remote))));
	if (!host)
		host = draft_object(
			draft, value_to_id(map_get(&draft->underlay, remote, sizeof(*remote))));
	if (host)
		return draft_refuse(draft, &tunnel->object, "remote", EINVAL, error,
				    "%s is an address of %s, which Weft reaches by itself", text,
				    draft_title(draft, host, title));
	return 0;
}

int check_tunnel_ends(struct draft *draft, const struct tunnel_object *tunnel, struct error *error)
{
	const struct host_object *host = (const struct host_object *)draft_find(
		draft, 0, OBJECT_HOST, tunnel->host[0] ? tunnel->host : draft->intent->hosts.own);
	bool named = !ip_address_is_unspecified(&tunnel->local), found = false;
	char text[IP_ADDRESS_TEXT_SIZE];

	if (!host)
		return draft_refuse(draft, &tunnel->object, "host", EINVAL, error,
				    "a tunnel needs a host whose addresses are known: make one "
				    "under hosts");
	for (size_t i = 0; i < host->address_count; i++) {
		const struct ip_address *address = &host->addresses[i].address;

		found |= named ? ip_address_equal(address, &tunnel->local)
			       : family_of(address) == family_of(&tunnel->remote);
	}
	if (!found && named)
		return draft_refuse(draft, &tunnel->object, "local", EINVAL, error,
				    "%s is not an address of host %s",
				    ip_address_format(&tunnel->local, text), host->object.name);
	if (!found)
		return draft_refuse(draft, &tunnel->object, "remote", EINVAL, error,
				    "host %s has no %s address to reach %s from", host->object.name,
				    family_of(&tunnel->remote) ? "IPv6" : "IPv4",
				    ip_address_format(&tunnel->remote, text));
	if (named && family_of(&tunnel->local) != family_of(&tunnel->remote))
		return draft_refuse(draft, &tunnel->object, "local", EINVAL, error,
				    "local and remote are of different families");
	return 0;
}

/* What else two tunnels of one kind may differ in. */
static const char *told_apart_by(const struct tunnel_object *tunnel)
{
	if (tunnel->erspan)
		return "another session (id) or address tells";
	if (!encapsulation_has_id(tunnel->encapsulation))
		return encapsulation_port(tunnel->encapsulation) ? "another port or address tells"
								 : "another address tells";
	if (tunnel->encapsulation == TUNNEL_GRE || tunnel->encapsulation == TUNNEL_GRETAP)
		return "another key (id) or address tells";
	return encapsulation_port(tunnel->encapsulation) ? "another id, port or address tells"
							 : "another id or address tells";
}

/* Two tunnels of a host must not be told apart by nothing. */
static int check_tunnel_twin(struct draft *draft, const struct tunnel_object *tunnel,
			     struct error *error)
{
	unsigned char key[END_KEY_SIZE];
	size_t size = end_key(key, tunnel);
	const struct map *sets[] = { map_get(&draft->intent->hosts.ends, key, size),
				     map_get(&draft->ends, key, size) };
	char title[160];

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		if (!sets[i])
			continue;
		MAP_FOR_EACH(sets[i], it) {
			uint32_t id = *(const uint32_t *)it.key;
			const struct tunnel_object *other =
				(const struct tunnel_object *)draft_object(draft, id);

			if (!other || id == tunnel->object.id || (i == 0 && draft_entry(draft, id)))
				continue;
			if (ip_address_is_unspecified(&tunnel->local) ||
			    ip_address_is_unspecified(&other->local) ||
			    ip_address_equal(&tunnel->local, &other->local))
				return draft_refuse(draft, &tunnel->object, "remote", EINVAL, error,
						    "%s has the same ends; %s them apart",
						    draft_title(draft, &other->object, title),
						    told_apart_by(tunnel));
		}
	}
	set_add(&draft->ends, key, size, tunnel->object.id);
	return 0;
}

static int check_tunnel_groups(struct draft *draft, const struct tunnel_object *tunnel,
			       struct error *error)
{
	int code = 0;

	for (size_t i = 0; i < tunnel->group_count && !code; i++)
		code = check_present(draft, &tunnel->object, "security_groups",
				     tunnel->group_ids[i], error);
	return code;
}

static int check_keepalive(struct draft *draft, const struct tunnel_object *tunnel,
			   struct error *error)
{
	static const struct ip_address none;
	const struct ip_address *address = &tunnel->keepalive_address;

	if (!tunnel->keepalive_interval || ip_address_equal(address, &none))
		return 0;
	if (tunnel->sequence)
		return draft_refuse(draft, &tunnel->object, "keepalive.address", EINVAL, error,
				    "with sequence numbers nothing can be asked inside the tunnel: "
				    "leave the address out, and its outer end is asked");
	if (tunnel->encapsulation == TUNNEL_SIT && ip_address_is_ipv4(address))
		return draft_refuse(draft, &tunnel->object, "keepalive.address", EINVAL, error,
				    "sit carries IPv6 only");
	return 0;
}

int check_tunnel(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	const struct tunnel_object *tunnel = (const struct tunnel_object *)entry->after;
	int code = check_host_of(draft, &tunnel->object, tunnel->host, error);

	if (!code)
		code = check_tunnel_form(draft, tunnel, error);
	if (!code)
		code = check_tunnel_place(draft, tunnel, error);
	if (!code)
		code = check_routed_tunnel(draft, tunnel, error);
	if (!code)
		code = check_direct_tunnel(draft, tunnel, error);
	if (!code)
		code = check_tunnel_remote(draft, tunnel, error);
	if (!code)
		code = check_tunnel_ends(draft, tunnel, error);
	if (!code)
		code = check_udp_port(draft, &tunnel->object, "port", tunnel_port(tunnel),
				      tunnel->encapsulation, error);
	if (!code)
		code = check_tunnel_twin(draft, tunnel, error);
	if (!code)
		code = check_keepalive(draft, tunnel, error);
	return code ? code : check_tunnel_groups(draft, tunnel, error);
}
