/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Indexes over hosts: who has part in what, which numbers of segments and ports are in use.
 *
 * A host has part in a VPC as long as one of its ports or tunnels is there; what is planned for whom
 * hangs on that, so it must be one look-up. Hosts are known by name here, as ports name them, so
 * that the order in which objects enter the intent does not matter.
 *
 * Neighbours: intent.c (the caller and the other indexes), dirty.c and check_host.c (who ask).
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/encapsulation.h"
#include "model/intent_private.h"

/* ---- counted sets ---- */

static void free_counts(void *counts)
{
	map_fini(counts, NULL);
	free(counts);
}

/* One more or one less of @name among the counts of @key; what is not there any more has no entry. */
static void count_change(struct map *all, const void *key, size_t key_size, const void *name,
			 size_t name_size, bool add)
{
	struct map *counts = map_get(all, key, key_size);
	uintptr_t count;

	if (!counts) {
		counts = xcalloc(1, sizeof(*counts));
		map_put(all, key, key_size, counts);
	}
	count = (uintptr_t)map_get(counts, name, name_size);
	count = add ? count + 1 : count - 1;
	if (count)
		map_put(counts, name, name_size, (void *)count);
	else
		map_remove(counts, name, name_size);
	if (map_count(counts) == 0) {
		map_remove(all, key, key_size);
		free_counts(counts);
	}
}

static void change_part(struct intent *intent, uint32_t vpc_id, uint32_t subnet_id,
			const char *host, bool add)
{
	struct host_index *index = &intent->hosts;
	const char *name = intent_host_name(intent, host);
	size_t length = strlen(name);

	count_change(&index->of_vpc, &vpc_id, sizeof(vpc_id), name, length, add);
	count_change(&index->vpcs, name, length, &vpc_id, sizeof(vpc_id), add);
	if (subnet_id)
		count_change(&index->of_subnet, &subnet_id, sizeof(subnet_id), name, length, add);
}

/* A port has part where it is, and where it is about to go. */
static void change_port_part(struct intent *intent, const struct port_object *port,
			     const char *host, bool add)
{
	const char *name = intent_host_name(intent, host);

	/* With the host's own stack its subnet does not come to its host. */
	change_part(intent, port->object.vpc_id,
		    port->attach.kind == ATTACH_HOST ? 0 : port->subnet_id, host, add);
	if (attach_is_outside(&port->attach))
		count_change(&intent->hosts.taps_of, &port->subnet_id, sizeof(port->subnet_id),
			     name, strlen(name), add);
}

static void change_child(struct intent *intent, const struct port_object *port, bool add)
{
	const char *parent = port->attach.parent;

	if (port->attach.kind != ATTACH_CHILD)
		return;
	if (add)
		set_add(&intent->hosts.children, parent, strlen(parent), port->object.id);
	else
		set_remove(&intent->hosts.children, parent, strlen(parent), port->object.id);
}

/* ---- kinds ---- */

uint64_t udp_port_key(uint16_t port, uint8_t kind)
{
	return (uint64_t)port << 8 | kind;
}

static void change_set(struct map *sets, uint64_t key, uint32_t id, bool add)
{
	if (add)
		set_add(sets, &key, sizeof(key), id);
	else
		set_remove(sets, &key, sizeof(key), id);
}

char *wire_key(const struct segment *segment)
{
	return xasprintf("%s/%s/%u", segment->network,
			 segment->type == SEGMENT_FLAT ? "0"
			 : segment->service_tag        ? "88a8"
						       : "8100",
			 segment->tag);
}

static void change_wire(struct intent *intent, const struct subnet_object *subnet, bool add)
{
	char *key = wire_key(&subnet->segment);

	if (add)
		map_put_text(&intent->hosts.wires, key, id_to_value(subnet->object.id));
	else if (value_to_id(map_get_text(&intent->hosts.wires, key)) == subnet->object.id)
		map_remove_text(&intent->hosts.wires, key);
	free(key);
}

static void change_segment(struct intent *intent, const struct subnet_object *subnet, bool add)
{
	const struct segment *segment = &subnet->segment;
	uint16_t port = segment_port(segment, segment->encapsulation);
	uint64_t key = udp_port_key(port, segment->encapsulation);
	uint32_t id = subnet->object.id;

	if (segment_is_wire(segment))
		change_wire(intent, subnet, add);
	if (segment->type != SEGMENT_OVERLAY)
		return;
	if (port)
		change_set(&intent->hosts.udp_ports, key, id, add);
	if (!encapsulation_has_id(segment->encapsulation))
		change_set(&intent->hosts.without_id, key, id, add);
	if (!segment->id)
		return; /* of a version that gave out none */
	if (add)
		map_put_u32(&intent->hosts.segment_ids, segment->id, id_to_value(id));
	else if (value_to_id(map_get_u32(&intent->hosts.segment_ids, segment->id)) == id)
		map_remove_u32(&intent->hosts.segment_ids, segment->id);
}

static void change_tunnel(struct intent *intent, const struct tunnel_object *tunnel, bool add)
{
	uint32_t id = tunnel->object.id;
	uint16_t port = tunnel_port(tunnel);
	unsigned char key[END_KEY_SIZE];
	size_t size = end_key(key, tunnel);

	/* Nothing is planned of an outline. */
	if (!intent_is_outline(intent, tunnel->object.vpc_id))
		change_part(intent, tunnel->object.vpc_id, tunnel->subnet_id, tunnel->host, add);
	if (port)
		change_set(&intent->hosts.udp_ports, udp_port_key(port, tunnel->encapsulation), id,
			   add);
	if (add)
		set_add(&intent->hosts.ends, key, size, id);
	else
		set_remove(&intent->hosts.ends, key, size, id);
}

/* Whoever routes a VPC has part in it, with or without ports. */
static void change_vpc(struct intent *intent, const struct vpc_object *vpc, bool add)
{
	if (vpc->router[0])
		change_part(intent, vpc->object.id, 0, vpc->router, add);
	map_remove_u32(intent->hosts.mtus, vpc->object.id);
}

static void change_host(struct intent *intent, const struct host_object *host, bool add)
{
	for (size_t i = 0; i < host->address_count; i++) {
		const struct ip_address *address = &host->addresses[i].address;

		if (add)
			map_put(&intent->hosts.addresses, address, sizeof(*address),
				id_to_value(host->object.id));
		else if (value_to_id(map_get(&intent->hosts.addresses, address,
					     sizeof(*address))) == host->object.id)
			map_remove(&intent->hosts.addresses, address, sizeof(*address));
	}
}

void host_index_change(struct intent *intent, const struct object *object, bool add)
{
	switch (object->kind) {
	case OBJECT_PORT: {
		const struct port_object *port = (const struct port_object *)object;

		change_port_part(intent, port, port->host, add);
		if (port->moving_to[0])
			change_port_part(intent, port, port->moving_to, add);
		change_child(intent, port, add);
		break;
	}
	case OBJECT_SUBNET:
		change_segment(intent, (const struct subnet_object *)object, add);
		map_remove_u32(intent->hosts.mtus, object->vpc_id);
		break;
	case OBJECT_TUNNEL:
		change_tunnel(intent, (const struct tunnel_object *)object, add);
		map_remove_u32(intent->hosts.mtus, object->vpc_id);
		break;
	case OBJECT_HOST:
		change_host(intent, (const struct host_object *)object, add);
		map_fini(intent->hosts.mtus, NULL);
		map_init(intent->hosts.mtus);
		break;
	case OBJECT_VPC: change_vpc(intent, (const struct vpc_object *)object, add); break;
	case OBJECT_ROUTE_TABLE:
	case OBJECT_SECURITY_GROUP:
	case OBJECT_ACL:
	case OBJECT_KINDS:
	case OBJECT_GROUP_RULE:
	case OBJECT_ACL_RULE: break;
	}
}

void host_index_init(struct host_index *index)
{
	index->mtus = xcalloc(1, sizeof(*index->mtus));
}

void host_index_fini(struct host_index *index)
{
	map_fini(&index->of_vpc, free_counts);
	map_fini(&index->of_subnet, free_counts);
	map_fini(&index->taps_of, free_counts);
	map_fini(&index->vpcs, free_counts);
	map_fini(&index->addresses, NULL);
	map_fini(&index->segment_ids, NULL);
	map_fini(&index->udp_ports, free_set);
	map_fini(&index->ends, free_set);
	map_fini(&index->without_id, free_set);
	map_fini(&index->wires, NULL);
	map_fini(&index->children, free_set);
	map_fini(index->mtus, NULL);
	free(index->mtus);
}

/* ---- look-ups ---- */

const char *host_uplink(const struct host_object *host, const char *network)
{
	for (size_t i = 0; i < host->uplink_count; i++)
		if (strcmp(host->uplinks[i].network, network) == 0)
			return host->uplinks[i].ifname;
	return NULL;
}

const struct port_object *intent_parent(const struct intent *intent,
					const struct port_object *child)
{
	char vpc[NAME_SIZE];
	const char *slash = strchr(child->attach.parent, '/');

	if (child->attach.kind != ATTACH_CHILD || !slash ||
	    (size_t)(slash - child->attach.parent) >= sizeof(vpc))
		return NULL;
	memcpy(vpc, child->attach.parent, (size_t)(slash - child->attach.parent));
	vpc[slash - child->attach.parent] = '\0';
	return (const struct port_object *)intent_find(intent, vpc, OBJECT_PORT, slash + 1);
}

size_t intent_children(const struct intent *intent, const struct port_object *port, uint32_t **ids)
{
	const struct object *vpc = intent_object(intent, port->object.vpc_id);
	char key[2 * NAME_SIZE];

	*ids = NULL;
	if (!vpc || !map_count(&intent->hosts.children))
		return 0;
	snprintf(key, sizeof(key), "%s/%s", vpc->name, port->object.name);
	return set_list(map_get(&intent->hosts.children, key, strlen(key)), ids);
}

bool intent_routes_multicast(const struct intent *intent, const struct subnet_object *subnet)
{
	const struct object *vpc = intent_object(intent, subnet->object.vpc_id);

	return subnet->route_multicast && vpc && vpc->kind == OBJECT_VPC &&
	       ((const struct vpc_object *)vpc)->route_multicast;
}

const struct host_object *intent_router(const struct intent *intent, uint32_t vpc_id)
{
	const struct vpc_object *vpc = (const struct vpc_object *)intent_object(intent, vpc_id);

	return vpc && vpc->object.kind == OBJECT_VPC && vpc->router[0]
		       ? intent_host(intent, vpc->router)
		       : NULL;
}

const struct host_object *intent_wire_router(const struct intent *intent,
					     const struct subnet_object *subnet)
{
	const struct host_object *found = intent_router(intent, subnet->object.vpc_id);
	uint32_t *hosts;
	size_t count;

	if (!segment_is_wire(&subnet->segment))
		return NULL;
	/* Where one host routes, it does on the wire as well; whoever has no uplink cannot. */
	if (found && subnet->mode == SUBNET_MODE_L2)
		return host_uplink(found, subnet->segment.network) ? found : NULL;
	found = NULL;
	if (subnet->segment.router[0])
		return intent_host(intent, subnet->segment.router);
	/* One always has a gateway, and the network outside may have a router of that address already. */
	if (subnet->mode == SUBNET_MODE_L3)
		return NULL;
	count = intent_hosts_of_vpc(intent, subnet->object.vpc_id, &hosts);
	for (size_t i = 0; i < count && !found; i++) {
		const struct host_object *host =
			(const struct host_object *)intent_object(intent, hosts[i]);

		if (host && host_uplink(host, subnet->segment.network))
			found = host;
	}
	free(hosts);
	return found;
}

void intent_set_host(struct intent *intent, const char *name)
{
	snprintf(intent->hosts.own, sizeof(intent->hosts.own), "%s", name);
}

const char *intent_host_name(const struct intent *intent, const char *host)
{
	return host[0] ? host : intent->hosts.own;
}

bool intent_has_hosts(const struct intent *intent)
{
	return intent_members(intent, 0, OBJECT_HOST) != NULL;
}

bool intent_is_local(const struct intent *intent, const char *host)
{
	return !host[0] || strcmp(host, intent->hosts.own) == 0;
}

bool intent_comes_here(const struct intent *intent, const struct port_object *port)
{
	return port->moving_to[0] && intent_is_local(intent, port->moving_to) &&
	       !intent_is_local(intent, port->host);
}

const struct host_object *intent_host(const struct intent *intent, const char *name)
{
	return (const struct host_object *)intent_find(intent, "", OBJECT_HOST,
						       intent_host_name(intent, name));
}

const struct host_object *intent_own_host(const struct intent *intent)
{
	return intent_host(intent, "");
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Ids of the hosts whose names are counted; names of no host object are left out. */
static size_t hosts_counted(const struct intent *intent, const struct map *counts, uint32_t **ids)
{
	size_t count = 0;

	*ids = xcalloc(counts ? map_count(counts) + 1 : 1, sizeof(**ids));
	if (!counts)
		return 0;
	MAP_FOR_EACH(counts, it) {
		char name[NAME_SIZE];
		const struct host_object *host;

		snprintf(name, sizeof(name), "%.*s", (int)it.key_size, (const char *)it.key);
		host = intent_host(intent, name);
		if (host)
			(*ids)[count++] = host->object.id;
	}
	qsort(*ids, count, sizeof(**ids), compare_ids);
	return count;
}

size_t intent_hosts_of_vpc(const struct intent *intent, uint32_t vpc_id, uint32_t **ids)
{
	return hosts_counted(intent, map_get_u32(&intent->hosts.of_vpc, vpc_id), ids);
}

size_t intent_hosts_of_subnet(const struct intent *intent, uint32_t subnet_id, uint32_t **ids)
{
	return hosts_counted(intent, map_get_u32(&intent->hosts.of_subnet, subnet_id), ids);
}

size_t intent_vpcs_of_host(const struct intent *intent, const char *host, uint32_t **ids)
{
	const char *name = intent_host_name(intent, host);

	return set_list(map_get(&intent->hosts.vpcs, name, strlen(name)), ids);
}

bool intent_has_part(const struct intent *intent, const char *host, uint32_t vpc_id)
{
	const char *name = intent_host_name(intent, host);
	const struct map *counts = map_get_u32(&intent->hosts.of_vpc, vpc_id);

	return counts && map_get(counts, name, strlen(name));
}

bool intent_has_taps(const struct intent *intent, const char *host, uint32_t subnet_id)
{
	const char *name = intent_host_name(intent, host);
	const struct map *counts = map_get_u32(&intent->hosts.taps_of, subnet_id);

	return counts && map_get(counts, name, strlen(name));
}
