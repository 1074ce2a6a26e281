/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports: their addresses, MACs and devices, each owned by one port; and what a port gets that
 * named none.
 *
 * Ports that the draft touches claim what they name; a claim fails against another claim or
 * against a port of the intent that the draft leaves alone. Addresses that were not named are
 * given out after all claims, the lowest free one of each family of the subnet. Per subnet an
 * offset is kept below which nothing is free, so that giving out does not walk over what is taken
 * again and again.
 *
 * Neighbours: check.c (the caller), intent.c (who has what).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"
#include "model/patches.h"

#define APART_TRIES 1024
#define MAC_ATTEMPTS 168 /* what the second byte of a derived MAC leaves */

/* ---- claims ---- */

/* The port that has the key once the draft is published; 0: nobody yet. */
static uint32_t owner_of(const struct draft *draft, const struct map *claims,
			 const struct map *published, const void *key, size_t key_size)
{
	uint32_t id = value_to_id(map_get(claims, key, key_size));

	if (id)
		return id;
	id = value_to_id(map_get(published, key, key_size));
	/* What a touched port still has it claims itself. */
	return id && !draft_entry(draft, id) ? id : 0;
}

/* Return: 0, or the id of the port that has it. */
static uint32_t claim(struct draft *draft, struct map *claims, const struct map *published,
		      const void *key, size_t key_size, uint32_t port_id)
{
	uint32_t owner = owner_of(draft, claims, published, key, key_size);

	if (owner && owner != port_id)
		return owner;
	map_put(claims, key, key_size, id_to_value(port_id));
	return 0;
}

static uint32_t claim_address(struct draft *draft, const struct port_object *port,
			      const struct ip_address *address)
{
	unsigned char key[ADDRESS_KEY_SIZE];

	address_key(key, port->object.vpc_id, address);
	return claim(draft, &draft->addresses, &draft->intent->addresses, key, sizeof(key),
		     port->object.id);
}

static uint32_t claim_mac(struct draft *draft, const struct port_object *port)
{
	unsigned char key[MAC_KEY_SIZE];

	mac_key(key, port->object.vpc_id, &port->mac);
	return claim(draft, &draft->macs, &draft->intent->macs, key, sizeof(key), port->object.id);
}

/* ---- addresses ---- */

/* Why a port cannot have an address of the subnet; NULL: it can. */
static const char *why_not(const struct subnet_object *subnet, const struct ip_address *address)
{
	int family = family_of(address);
	const struct ip_prefix *cidr = &subnet->cidrs[family];
	struct ip_address last = ip_prefix_last(cidr);
	uint64_t offset;

	if (cidr->length == 0 || !ip_prefix_contains(cidr, address))
		return "is not in";
	if (ip_address_offset(&cidr->address, address, &offset) == 0 && offset < SUBNET_RESERVED)
		return "is reserved: it is one of the first four of";
	if (ip_address_equal(address, &last))
		return "is reserved: it is the last of";
	if (subnet->mode == SUBNET_MODE_L3 && ip_address_equal(address, &subnet->gateways[family]))
		return "is the gateway of";
	return NULL;
}

int check_addresses(const struct draft *draft, const struct port_object *port, struct error *error)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)draft_object(draft, port->subnet_id);
	char address[IP_ADDRESS_TEXT_SIZE], ranges[2][IP_PREFIX_TEXT_SIZE] = { "", "" };

	for (int family = 0; family < 2; family++)
		if (subnet->cidrs[family].length)
			ip_prefix_format(&subnet->cidrs[family], ranges[family]);
	for (size_t i = 0; i < port->address_count; i++) {
		const char *why = why_not(subnet, &port->addresses[i]);

		if (why)
			return draft_refuse(draft, &port->object, "address", EINVAL, error,
					    "address %s %s subnet %s/%s (%s%s%s)",
					    ip_address_format(&port->addresses[i], address), why,
					    draft_vpc(draft, port->object.vpc_id)->object.name,
					    subnet->object.name, ranges[0],
					    ranges[0][0] && ranges[1][0] ? ", " : "", ranges[1]);
	}
	return 0;
}

static int claim_addresses(struct draft *draft, const struct port_object *port, struct error *error)
{
	char text[IP_ADDRESS_TEXT_SIZE], title[160];

	for (size_t i = 0; i < port->address_count; i++) {
		uint32_t owner = claim_address(draft, port, &port->addresses[i]);

		for (size_t j = 0; j < i; j++)
			if (ip_address_equal(&port->addresses[i], &port->addresses[j]))
				return draft_refuse(draft, &port->object, "addresses", EINVAL,
						    error, "address %s stands twice",
						    ip_address_format(&port->addresses[i], text));
		if (owner)
			return draft_refuse(draft, &port->object, "address", EINVAL, error,
					    "address %s is taken by %s",
					    ip_address_format(&port->addresses[i], text),
					    draft_title(draft, draft_object(draft, owner), title));
	}
	return 0;
}

static int check_attachment(struct draft *draft, const struct port_object *port, const char *host,
			    struct error *error)
{
	char key[ATTACHMENT_KEY_SIZE], title[160];
	const struct attach *attach = &port->attach;
	const char *where = attach->netns;
	uint32_t owner;

	if (!attachment_key(key, port, host))
		return 0;
	owner = claim(draft, &draft->attachments, &draft->intent->attachments, key, strlen(key),
		      port->object.id);
	if (!owner)
		return 0;
	draft_title(draft, draft_object(draft, owner), title);
	if (attach->kind == ATTACH_TAP || attach->kind == ATTACH_TUN ||
	    attach->kind == ATTACH_DEVICE)
		return draft_refuse(draft, &port->object, "attach", EINVAL, error,
				    "device %s is taken by %s", attach->ifname, title);
	if (attach->kind == ATTACH_CHILD)
		return draft_refuse(draft, &port->object, "attach.vlan", EINVAL, error,
				    "tag %u of port %s is taken by %s", attach->vlan,
				    attach->parent, title);
	if (attach->kind == ATTACH_PID)
		where = "of the process";
	return draft_refuse(draft, &port->object, "attach", EINVAL, error,
			    "%s in namespace %s is taken by %s; say another ifname", attach->ifname,
			    where, title);
}

/* Of the ports behind one device one gets the frames without a tag. */
static int check_native(struct draft *draft, const struct port_object *port, struct error *error)
{
	char key[ATTACHMENT_KEY_SIZE], title[160];
	uint32_t owner;

	if (!attachment_native_key(key, port))
		return 0;
	owner = claim(draft, &draft->attachments, &draft->intent->attachments, key, strlen(key),
		      port->object.id);
	if (!owner)
		return 0;
	return draft_refuse(draft, &port->object, "attach.native", EINVAL, error,
			    "the frames without a tag of port %s are those of %s",
			    port->attach.parent,
			    draft_title(draft, draft_object(draft, owner), title));
}

/* What a port gets waits at its device, and a child has none of its own. */
static int check_rates(const struct draft *draft, const struct port_object *port,
		       struct error *error)
{
	if (port->attach.kind != ATTACH_CHILD || !port->receive_rate)
		return 0;
	return draft_refuse(draft, &port->object, "receive_rate", EINVAL, error,
			    "what it gets waits at the device of port %s, with all that others "
			    "behind it get: give that port a receive_rate, or this one a send_rate",
			    port->attach.parent);
}

/* A patch whose other end is there: can the two ever be joined? */
static int check_patch(const struct draft *draft, const struct port_object *port,
		       struct error *error)
{
	char vpc_name[NAME_SIZE], name[NAME_SIZE], title[160];
	const struct object *vpc, *found = NULL;
	const struct port_object *peer;

	if (port->attach.kind != ATTACH_PATCH ||
	    !patch_split(port->attach.peer, draft_vpc(draft, port->object.vpc_id)->object.name,
			 vpc_name, name))
		return 0;
	vpc = draft_find(draft, 0, OBJECT_VPC, vpc_name);
	if (vpc)
		found = draft_find(draft, vpc->id, OBJECT_PORT, name);
	if (!found)
		return 0;
	peer = (const struct port_object *)found;
	if (found->id == port->object.id)
		return draft_refuse(draft, &port->object, "attach", EINVAL, error,
				    "a patch leads to another port, not to itself");
	draft_title(draft, found, title);
	if (peer->subnet_id == port->subnet_id)
		return draft_refuse(draft, &port->object, "attach", EINVAL, error,
				    "%s is in the same subnet; a patch joins two", title);
	if (strcmp(peer->host, port->host) != 0)
		return draft_refuse(draft, &port->object, "attach", EINVAL, error,
				    "%s is on another host; both ends of a patch are on one",
				    title);
	return 0;
}

/* What is joined by a link has stations that nobody registered: a switch's affair. */
static int check_link(const struct draft *draft, const struct port_object *port,
		      struct error *error)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)draft_object(draft, port->subnet_id);

	if (!attach_is_link(&port->attach))
		return 0;
	if (subnet->mode == SUBNET_MODE_L2)
		return check_patch(draft, port, error);
	return draft_refuse(draft, &port->object, "attach", EINVAL, error,
			    "only a subnet with mode: l2 can be joined to another switch; %s is l3",
			    subnet->object.name);
}

static int check_port_mtu(struct draft *draft, const struct port_object *port, struct error *error)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)draft_object(draft, port->subnet_id);

	const struct vpc_object *vpc = draft_vpc(draft, port->object.vpc_id);
	const struct subnet_object *smallest = NULL;
	uint32_t mtu = port->mtu ? draft_vpc_mtu(draft, vpc, &smallest) : 0;

	if (smallest && port->mtu > mtu)
		return draft_refuse(draft, &port->object, "mtu", EINVAL, error,
				    "mtu %u is more than the %u that the vpc has", port->mtu, mtu);
	if (port->mtu && port->mtu < 1280 && subnet->cidrs[1].length)
		return draft_refuse(draft, &port->object, "mtu", EINVAL, error,
				    "mtu %u is too small for IPv6, which needs 1280", port->mtu);
	return 0;
}

int check_port(struct draft *draft, struct draft_entry *entry, struct error *error)
{
	struct port_object *port = (struct port_object *)entry->after;
	char mac[MAC_ADDRESS_TEXT_SIZE], title[160];
	uint32_t owner;
	int code = check_children(draft, port, error);

	if (code)
		return code;
	if (port->attach.kind == ATTACH_HOST) {
		code = check_host_stack(draft, port, error);
		return code ? code : check_host_of(draft, &port->object, port->host, error);
	}
	code = check_port_mtu(draft, port, error);
	if (!code)
		code = check_host_of(draft, &port->object, port->host, error);
	if (!code)
		code = check_link(draft, port, error);
	if (!code)
		code = check_uplink_of(draft, port, error);
	if (!code)
		code = check_routed_port(draft, port, error);
	if (!code)
		code = check_direct_port(draft, port, error);
	if (!code)
		code = check_parent(draft, port, error);
	if (!code)
		code = check_adopted(draft, port, error);
	if (!code)
		code = check_move(draft, port, error);
	if (!code)
		code = check_attachment(draft, port, port->host, error);
	if (!code)
		code = check_native(draft, port, error);
	if (!code)
		code = check_rates(draft, port, error);
	if (!code && port->moving_to[0])
		code = check_attachment(draft, port, port->moving_to, error);
	if (!code && !entry->automatic_addresses) {
		code = check_addresses(draft, port, error);
		if (!code)
			code = claim_addresses(draft, port, error);
	}
	if (code || entry->automatic_mac)
		return code;
	owner = claim_mac(draft, port);
	if (!owner)
		return 0;
	return draft_refuse(draft, &port->object, "mac", EINVAL, error, "mac %s is taken by %s",
			    mac_address_format(&port->mac, mac),
			    draft_title(draft, draft_object(draft, owner), title));
}

/* ---- what is given out ---- */

static struct address_space *space_of(struct draft *draft, uint32_t subnet_id)
{
	struct address_space *space = map_get_u32(&draft->spaces, subnet_id);
	const struct address_space *published;

	if (space)
		return space;
	published = map_get_u32(&draft->intent->spaces, subnet_id);
	space = published ? xmemdup(published, sizeof(*space)) : xcalloc(1, sizeof(*space));
	map_put_u32(&draft->spaces, subnet_id, space);
	return space;
}

/* What a touched port had may be free now. */
static void release_addresses(struct draft *draft, const struct port_object *before)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)intent_object(draft->intent, before->subnet_id);
	struct address_space *space = space_of(draft, before->subnet_id);

	for (size_t i = 0; subnet && i < before->address_count; i++) {
		int family = family_of(&before->addresses[i]);
		uint64_t offset;

		if (ip_address_offset(&subnet->cidrs[family].address, &before->addresses[i],
				      &offset) == 0 &&
		    offset < space->lowest[family])
			space->lowest[family] = offset;
	}
}

void check_spaces_begin(struct draft *draft)
{
	for (size_t i = 0; i < draft->entries.count; i++) {
		const struct object *before = draft->entries.list[i]->before;

		if (before && before->kind == OBJECT_PORT)
			release_addresses(draft, (const struct port_object *)before);
	}
	/* Another range, another gateway: begin again. */
	for (size_t i = 0; i < draft->entries.count; i++) {
		const struct object *before = draft->entries.list[i]->before;

		if (before && before->kind == OBJECT_SUBNET)
			*space_of(draft, before->id) = (struct address_space){ { 0, 0 } };
	}
}

static void add_address(struct port_object *port, const struct ip_address *address)
{
	struct ip_address list[PORT_ADDRESSES_MAX + 1];

	memcpy(list, port->addresses, port->address_count * sizeof(*list));
	list[port->address_count] = *address;
	port_set_addresses(port, list, port->address_count + 1);
}

/* Whether it was free; the port has it then. */
static bool try_address(struct draft *draft, struct port_object *port,
			const struct subnet_object *subnet, int family,
			const struct ip_address *address)
{
	/* In an l2 subnet a port may have the gateway's address, but only by name. */
	if (why_not(subnet, address) || ip_address_equal(address, &subnet->gateways[family]) ||
	    claim_address(draft, port, address))
		return false;
	add_address(port, address);
	return true;
}

/*
 * Others take the lowest at the same time: the first free one from a place on that they hardly begin at as
 * well; in a small subnet from one that is in it.
 */
static bool give_apart(struct draft *draft, struct port_object *port,
		       const struct subnet_object *subnet, int family, uint64_t lowest)
{
	uint64_t apart = draft->intent->apart;
	struct ip_address address;

	while (apart && ip_prefix_nth(&subnet->cidrs[family], lowest + apart, &address))
		apart /= 2;
	for (uint64_t i = 0; apart && i < APART_TRIES; i++) {
		if (ip_prefix_nth(&subnet->cidrs[family], lowest + apart + i, &address))
			return false;
		if (try_address(draft, port, subnet, family, &address))
			return true;
	}
	return false;
}

static int give_address(struct draft *draft, struct port_object *port, int family,
			struct error *error)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)draft_object(draft, port->subnet_id);
	uint64_t *lowest = &space_of(draft, port->subnet_id)->lowest[family];
	struct ip_address address;

	if (draft->intent->apart && give_apart(draft, port, subnet, family, *lowest))
		return 0;
	for (;; (*lowest)++) {
		if (ip_prefix_nth(&subnet->cidrs[family], *lowest, &address))
			return draft_refuse(draft, &port->object, "subnet", ENOSPC, error,
					    "subnet %s/%s has no free %s address left",
					    draft_vpc(draft, port->object.vpc_id)->object.name,
					    subnet->object.name, family ? "IPv6" : "IPv4");
		if (try_address(draft, port, subnet, family, &address))
			break;
	}
	(*lowest)++;
	return 0;
}

/*
 * The addresses the port had, as far as the subnet still allows them and nobody named them since.
 */
static void keep_addresses(struct draft *draft, const struct draft_entry *entry)
{
	const struct port_object *before = (const struct port_object *)entry->before;
	struct port_object *port = (struct port_object *)entry->after;
	const struct subnet_object *subnet =
		(const struct subnet_object *)draft_object(draft, port->subnet_id);
	struct ip_address list[PORT_ADDRESSES_MAX];
	size_t count = 0;

	port_set_addresses(port, list, 0);
	if (!attach_is_member(&port->attach))
		return;
	if (!before || !subnet || before->subnet_id != port->subnet_id)
		return;
	for (size_t i = 0; i < before->address_count; i++)
		if (!why_not(subnet, &before->addresses[i]) &&
		    claim_address(draft, port, &before->addresses[i]) == 0)
			list[count++] = before->addresses[i];
	port_set_addresses(port, list, count);
}

/* What was given out once stays, and so does that nothing was (mac.c). */
static void keep_gateway_mac(struct draft_entry *entry)
{
	if (entry->before && entry->after->kind == OBJECT_SUBNET)
		((struct subnet_object *)entry->after)->gateway_mac =
			((const struct subnet_object *)entry->before)->gateway_mac;
	if (entry->before && entry->after->kind == OBJECT_HOST)
		((struct host_object *)entry->after)->router_mac =
			((const struct host_object *)entry->before)->router_mac;
}

void check_keep(struct draft *draft, struct draft_entry *entry)
{
	const struct port_object *before = (const struct port_object *)entry->before;
	struct port_object *port = (struct port_object *)entry->after;

	if (entry->after->kind == OBJECT_SUBNET)
		check_keep_segment(draft, entry);
	keep_gateway_mac(entry);
	if (entry->after->kind != OBJECT_PORT)
		return;
	if (entry->automatic_addresses)
		keep_addresses(draft, entry);
	if (!entry->automatic_mac)
		return;
	port->mac = (struct mac_address){ { 0 } };
	if (!before || port->attach.kind == ATTACH_HOST)
		return;
	port->mac = before->mac;
	if (claim_mac(draft, port))
		port->mac = (struct mac_address){ { 0 } };
}

static int give_addresses(struct draft *draft, struct port_object *port, struct error *error)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)draft_object(draft, port->subnet_id);
	bool has[2] = { false, false };
	int code = 0;

	for (size_t i = 0; i < port->address_count; i++)
		has[family_of(&port->addresses[i])] = true;
	for (int family = 0; family < 2 && !code; family++)
		if (subnet->cidrs[family].length && !has[family])
			code = give_address(draft, port, family, error);
	return code;
}

static int give_mac(struct draft *draft, struct port_object *port, struct error *error)
{
	for (uint32_t attempt = 0; attempt < MAC_ATTEMPTS; attempt++) {
		port->mac = port_mac_of_id(draft->intent->installation, port->object.id, attempt);
		if (claim_mac(draft, port) == 0)
			return 0;
	}
	return draft_refuse(draft, &port->object, "mac", ENOSPC, error,
			    "every MAC derived from its id is taken; name one");
}

int check_assign(struct draft *draft, struct draft_entry *entry, struct error *error)
{
	struct port_object *port = (struct port_object *)entry->after;
	int code = 0;

	if (!entry->before && entry->after->kind == OBJECT_SUBNET)
		give_gateway_mac(draft->intent, (struct subnet_object *)entry->after);
	if (!entry->before && entry->after->kind == OBJECT_HOST)
		give_router_mac(draft->intent, (struct host_object *)entry->after);
	if (entry->after->kind == OBJECT_SUBNET)
		return check_assign_segment(draft, entry, error);
	if (entry->after->kind != OBJECT_PORT)
		return 0;
	if (port->attach.kind == ATTACH_HOST)
		return 0;
	if (entry->automatic_addresses && attach_is_member(&port->attach))
		code = give_addresses(draft, port, error);
	if (!code && mac_address_is_zero(&port->mac))
		code = give_mac(draft, port, error);
	return code;
}
