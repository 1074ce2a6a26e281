/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments on networks outside: who may have which, and which hosts reach it.
 *
 * What comes in by a NIC is told apart by its tag, so a tag of a network, or what has none there, is of
 * one subnet. A port is on a host that has an uplink to the network; else nothing of it would ever
 * leave the host. (Hosts that only route into such a subnet do without: check_host.c does not ask.)
 *
 * Neighbours: check_tunnel.c (segments), check_port.c and check_host.c (the callers), plan_wire.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

/* Return: the subnet that has this part of a network already, 0: it is this one's now. */
static uint32_t claim_wire(struct draft *draft, const struct subnet_object *subnet)
{
	char *key = wire_key(&subnet->segment);
	uint32_t owner = value_to_id(map_get_text(&draft->wires, key));

	if (!owner) {
		owner = value_to_id(map_get_text(&draft->intent->hosts.wires, key));
		if (owner && draft_entry(draft, owner))
			owner = 0;
	}
	if (!owner || owner == subnet->object.id) {
		map_put_text(&draft->wires, key, id_to_value(subnet->object.id));
		owner = 0;
	}
	free(key);
	return owner;
}

static const struct host_object *host_named(const struct draft *draft, const char *name)
{
	return (const struct host_object *)draft_find(draft, 0, OBJECT_HOST,
						      name[0] ? name : draft->intent->hosts.own);
}

/* Refuses something about @object, because a host is not on the network of a subnet. */
static int check_on(struct draft *draft, const struct object *object, const char *key,
		    const struct subnet_object *subnet, const struct host_object *host,
		    struct error *error)
{
	const char *network = subnet->segment.network;

	if (host && host_uplink(host, network))
		return 0;
	if (!host)
		return draft_refuse(draft, object, key, EINVAL, error,
				    "subnet %s is on network %s, and no host says which of its "
				    "devices leads there (hosts: {h1: {uplinks: {%s: eth1}}})",
				    subnet->object.name, network, network);
	return draft_refuse(draft, object, key, EINVAL, error,
			    "host %s has no uplink to network %s, which subnet %s/%s is on",
			    host->object.name, network,
			    draft_vpc(draft, subnet->object.vpc_id)->object.name,
			    subnet->object.name);
}

/* The one host that routes for machines outside. */
static int check_router(struct draft *draft, const struct subnet_object *subnet,
			struct error *error)
{
	const char *name = subnet->segment.router;
	const struct host_object *host = host_named(draft, name);
	char hint[128];

	if (!name[0])
		return 0;
	if (!host)
		return draft_refuse(draft, &subnet->object, "segment.router", EINVAL, error,
				    "no host \"%.64s\"%s", name,
				    draft_suggest(draft, 0, OBJECT_HOST, name, hint));
	return check_on(draft, &subnet->object, "segment.router", subnet, host, error);
}

int check_wire(struct draft *draft, const struct subnet_object *subnet, struct error *error)
{
	const struct segment *segment = &subnet->segment;
	uint32_t owner = claim_wire(draft, subnet), *hosts;
	char title[160];
	size_t count;
	int code = 0;

	if (owner)
		draft_title(draft, draft_object(draft, owner), title);
	if (owner && segment->type == SEGMENT_VLAN)
		return draft_refuse(draft, &subnet->object, "segment.tag", EINVAL, error,
				    "tag %u of network %s is taken by %s", segment->tag,
				    segment->network, title);
	if (owner)
		return draft_refuse(draft, &subnet->object, "segment.network", EINVAL, error,
				    "network %s without a tag is taken by %s", segment->network,
				    title);
	code = check_direct(draft, subnet, error);
	if (!code)
		code = check_router(draft, subnet, error);
	count = intent_hosts_of_subnet(draft->intent, subnet->object.id, &hosts);
	for (size_t i = 0; i < count && !code; i++) {
		const struct object *host = draft_object(draft, hosts[i]);

		if (host)
			code = check_on(draft, &subnet->object, "segment.network", subnet,
					(const struct host_object *)host, error);
	}
	free(hosts);
	return code;
}

static const struct port_object *parent_in(const struct draft *draft, const char *path)
{
	const struct object *vpc, *port;
	const char *slash = strchr(path, '/');
	char name[NAME_SIZE];

	if (!slash || (size_t)(slash - path) >= sizeof(name))
		return NULL;
	memcpy(name, path, (size_t)(slash - path));
	name[slash - path] = '\0';
	vpc = draft_find(draft, 0, OBJECT_VPC, name);
	port = vpc ? draft_find(draft, vpc->id, OBJECT_PORT, slash + 1) : NULL;
	return (const struct port_object *)port;
}

/* A parent that was there once may have gone since: the port waits for it. */
static bool was_behind(const struct draft *draft, const struct port_object *port)
{
	const struct object *object = intent_object(draft->intent, port->object.id);
	const struct port_object *before = (const struct port_object *)object;

	return object && object->kind == OBJECT_PORT && before->attach.kind == ATTACH_CHILD &&
	       strcmp(before->attach.parent, port->attach.parent) == 0;
}

int check_parent(struct draft *draft, const struct port_object *port, struct error *error)
{
	const struct port_object *parent;
	const char *path = port->attach.parent;

	if (port->attach.kind != ATTACH_CHILD)
		return 0;
	parent = parent_in(draft, path);
	if (!parent && was_behind(draft, port))
		return 0;
	if (!parent)
		return draft_refuse(draft, &port->object, "attach.parent", EINVAL, error,
				    "no port \"%.128s\" that could be its parent", path);
	if (parent->attach.kind == ATTACH_CHILD)
		return draft_refuse(draft, &port->object, "attach.parent", EINVAL, error,
				    "port %s is behind another port itself", path);
	if (parent->attach.kind == ATTACH_TUN || parent->attach.kind == ATTACH_PATCH ||
	    parent->attach.kind == ATTACH_HOST)
		return draft_refuse(draft, &port->object, "attach.parent", EINVAL, error,
				    "port %s is no device with Ethernet that carries tags", path);
	if (strcmp(parent->host, port->host) != 0)
		return draft_refuse(draft, &port->object, "host", EINVAL, error,
				    "its parent %s is on host %s", path, parent->host);
	if (port->moving_to[0] || parent->moving_to[0])
		return draft_refuse(draft, &port->object, "moving_to", EINVAL, error,
				    "a port and those behind it do not move");
	return 0;
}

int check_children(struct draft *draft, const struct port_object *port, struct error *error)
{
	const struct object *before = intent_object(draft->intent, port->object.id);
	uint32_t *ids = NULL;
	size_t count = 0;
	int code = 0;

	if (before && before->kind == OBJECT_PORT)
		count = intent_children(draft->intent, (const struct port_object *)before, &ids);
	for (size_t i = 0; i < count && !code; i++) {
		const struct object *child = draft_object(draft, ids[i]);

		if (child && child->kind == OBJECT_PORT)
			code = check_parent(draft, (const struct port_object *)child, error);
	}
	free(ids);
	return code;
}

/* The claim of a device by a port that the draft leaves alone. Return: that port's id, 0: none. */
static uint32_t port_with_device(const struct draft *draft, const char *host, const char *ifname)
{
	char key[NAME_SIZE + 32];
	uint32_t owner;

	snprintf(key, sizeof(key), "%s device %s", host, ifname);
	owner = value_to_id(map_get_text(&draft->attachments, key));
	if (!owner)
		owner = value_to_id(map_get_text(&draft->intent->attachments, key));
	return owner && draft_object(draft, owner) ? owner : 0;
}

int check_adopted(struct draft *draft, const struct port_object *port, struct error *error)
{
	const struct host_object *host = host_named(draft, port->host);

	if (port->attach.kind != ATTACH_DEVICE)
		return 0;
	for (size_t i = 0; host && i < host->uplink_count; i++)
		if (strcmp(host->uplinks[i].ifname, port->attach.ifname) == 0)
			return draft_refuse(draft, &port->object, "attach.device", EINVAL, error,
					    "device %s is the uplink of host %s to network %s",
					    port->attach.ifname, host->object.name,
					    host->uplinks[i].network);
	return 0;
}

/* Behind a device there is one network: what comes in by it is told apart by its tags alone. */
static int check_uplinks_apart(struct draft *draft, const struct host_object *host,
			       struct error *error)
{
	for (size_t i = 0; i < host->uplink_count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(host->uplinks[i].ifname, host->uplinks[j].ifname) == 0)
				return draft_refuse(draft, &host->object, "uplinks", EINVAL, error,
						    "device %s leads to network %s, and to %s it "
						    "needs another",
						    host->uplinks[i].ifname,
						    host->uplinks[j].network,
						    host->uplinks[i].network);
	return 0;
}

/* No uplink is a port's device. */
int check_uplink_devices(struct draft *draft, const struct host_object *host, struct error *error)
{
	char title[160];
	int code = check_uplinks_apart(draft, host, error);

	for (size_t i = 0; i < host->uplink_count && !code; i++) {
		uint32_t owner =
			port_with_device(draft, host->object.name, host->uplinks[i].ifname);
		const struct port_object *port =
			owner ? (const struct port_object *)draft_object(draft, owner) : NULL;

		if (port && port->attach.kind == ATTACH_DEVICE &&
		    strcmp(port->attach.ifname, host->uplinks[i].ifname) == 0)
			return draft_refuse(draft, &host->object, "uplinks", EINVAL, error,
					    "device %s is taken by %s", port->attach.ifname,
					    draft_title(draft, &port->object, title));
	}
	return code;
}

int check_uplink_of(struct draft *draft, const struct port_object *port, struct error *error)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)draft_object(draft, port->subnet_id);

	if (!subnet || !segment_is_wire(&subnet->segment))
		return 0;
	return check_on(draft, &port->object, "subnet", subnet, host_named(draft, port->host),
			error);
}

static int check_uplinks_of(struct draft *draft, const struct host_object *host, uint32_t vpc_id,
			    struct error *error)
{
	const struct object **subnets;
	size_t count = draft_members(draft, vpc_id, OBJECT_SUBNET, &subnets);
	int code = 0;

	for (size_t i = 0; i < count && !code; i++) {
		const struct subnet_object *subnet = (const struct subnet_object *)subnets[i];
		uint32_t *hosts;
		size_t host_count;

		if (!segment_is_wire(&subnet->segment))
			continue;
		host_count = intent_hosts_of_subnet(draft->intent, subnet->object.id, &hosts);
		for (size_t j = 0; j < host_count && !code; j++)
			if (hosts[j] == host->object.id)
				code = check_on(draft, &host->object, "uplinks", subnet, host,
						error);
		free(hosts);
	}
	free(subnets);
	return code;
}

/* The first subnet whose router a host is, and would not be without the uplinks that @host does not have. */
static const struct subnet_object *routed_by(const struct draft *draft, const char *name,
					     const struct host_object *host)
{
	const struct subnet_object *found = NULL;
	const struct object **vpcs, **subnets;
	size_t count = draft_members(draft, 0, OBJECT_VPC, &vpcs);

	for (size_t i = 0; i < count && !found; i++) {
		size_t members = draft_members(draft, vpcs[i]->id, OBJECT_SUBNET, &subnets);

		for (size_t j = 0; j < members && !found; j++) {
			const struct subnet_object *subnet =
				(const struct subnet_object *)subnets[j];

			if (segment_is_wire(&subnet->segment) &&
			    strcmp(subnet->segment.router, name) == 0 &&
			    !(host && host_uplink(host, subnet->segment.network)))
				found = subnet;
		}
		free(subnets);
	}
	free(vpcs);
	return found;
}

int check_router_removed(const struct draft *draft, const struct object *host, struct error *error)
{
	const struct subnet_object *subnet = routed_by(draft, host->name, NULL);
	char title[160];

	if (!subnet)
		return 0;
	return draft_refuse(draft, host, NULL, EBUSY, error,
			    "it is the router of %s, which must name another first",
			    draft_title(draft, &subnet->object, title));
}

int check_uplinks(struct draft *draft, const struct host_object *host, struct error *error)
{
	const struct subnet_object *routed = routed_by(draft, host->object.name, host);
	uint32_t *vpc_ids;
	size_t count = intent_vpcs_of_host(draft->intent, host->object.name, &vpc_ids);
	int code = 0;

	if (routed)
		code = check_on(draft, &host->object, "uplinks", routed, host, error);
	for (size_t i = 0; i < count && !code; i++)
		code = check_uplinks_of(draft, host, vpc_ids[i], error);
	free(vpc_ids);
	return code;
}
