/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several hosts in a world: which ports are where, which segment is carried how, and the rows that one of
 * the hosts has of it.
 *
 * The rows of tunnels are written here and not by the planner, so that the vectors can say things that the
 * model refuses: reserved ids, a source without its end, a segment with every flag. What the planner
 * makes of intent with hosts has its own tests. README.md has the statements.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/vectors/vector.h"

#define NAME_ROOM 64
#define PEER_SLOT_FIRST 900
#define OBJECT_ID_FIRST 60000

struct host {
	char name[NAME_ROOM];
	struct ip_address address[2]; /* v4, v6 */
};

struct place {
	char port[NAME_ROOM];
	size_t host;
};

/* How a subnet is carried between hosts, or a tunnel object. */
struct carrier {
	char name[NAME_ROOM]; /* of the subnet, or of the tunnel object */
	uint32_t vpc_id;
	uint32_t subnet_id; /* 0: a tunnel object that routes */
	bool object;
	size_t host; /* of the tunnel object */
	struct ip_address remote, local;
	struct tunnel tunnel; /* kind, flags, id, mtu, ports, ttl, dscp */
	uint32_t source_flags;
	bool ipv6;
	struct ip_address allowed; /* with TUNNEL_SOURCE_LEARN */
	unsigned allowed_length;
	uint32_t group_set_id;
};

static const struct {
	const char *name;
	uint32_t kind;
	uint16_t port;
} kinds[] = {
	{ "vxlan", TUNNEL_VXLAN, 4789 }, { "geneve", TUNNEL_GENEVE, 6081 },
	{ "nvgre", TUNNEL_NVGRE, 0 },    { "gre", TUNNEL_GRE, 0 },
	{ "gretap", TUNNEL_GRETAP, 0 },  { "ipip", TUNNEL_IPIP, 0 },
	{ "sit", TUNNEL_SIT, 0 },        { "fou", TUNNEL_FOU, 5555 },
	{ "gue", TUNNEL_GUE, 6080 },
};

struct hosts {
	struct host host[HOSTS_MAX];
	size_t host_count;
	struct place place[64];
	size_t place_count;
	struct carrier carrier[64];
	size_t carrier_count;
	struct {
		uint32_t table_id, prefix_length;
		struct ip_address network;
		char object[NAME_ROOM];
	} route[16];
	size_t route_count;
	/* The VPC that one host routes; gone: nothing leads there. */
	uint32_t routed_vpc_id; /* 0: none */
	size_t router;
	bool router_gone;
};

static struct hosts hosts;

void hosts_clear(void)
{
	memset(&hosts, 0, sizeof(hosts));
}

bool hosts_any(void)
{
	return hosts.host_count > 0;
}

int hosts_find(const char *name)
{
	for (size_t i = 0; i < hosts.host_count; i++)
		if (!strcmp(hosts.host[i].name, name))
			return (int)i;
	return -1;
}

const struct ip_address *hosts_address(size_t host, bool ipv6)
{
	return &hosts.host[host].address[ipv6 ? 1 : 0];
}

/* ---- statements ---- */

static uint32_t number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (*end || !*text)
		vector_fail("\"%s\" is not a number", text);
	return (uint32_t)value;
}

static struct ip_address address(const char *text)
{
	struct ip_address result;

	if (ip_address_parse(text, &result))
		vector_fail("\"%s\" is not an address", text);
	return result;
}

static size_t host_named(const char *name)
{
	int i = hosts_find(name);

	if (i < 0)
		vector_fail("no host %s", name);
	return (size_t)i;
}

static const struct object *object_named(const struct world *world, enum object_kind kind,
					 const char *name)
{
	char vpc[NAME_SIZE];
	const char *slash = strchr(name, '/');
	const struct object *object;

	if (!slash)
		vector_fail("\"%s\" has no VPC in it", name);
	snprintf(vpc, sizeof(vpc), "%.*s", (int)(slash - name), name);
	object = intent_find(world->intent, vpc, kind, slash + 1);
	if (!object)
		vector_fail("no %s", name);
	return object;
}

static void carrier_kind(struct carrier *c, const char *name)
{
	if (!strcmp(name, "none"))
		return; /* the ways of this segment have gone */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name)) {
			c->tunnel.kind = kinds[i].kind;
			c->tunnel.destination_port =
				(uint16_t)(kinds[i].port << 8 | kinds[i].port >> 8);
			return;
		}
	vector_fail("no kind of tunnel \"%s\"", name);
}

static void carrier_words(const struct world *world, struct carrier *c, char **words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *word = words[i];
		const char *next = i + 1 < count ? words[i + 1] : "";

		if (!strcmp(word, "id")) {
			c->tunnel.id = number(next);
			i++;
		} else if (!strcmp(word, "mtu")) {
			c->tunnel.mtu = number(next);
			i++;
		} else if (!strcmp(word, "port")) {
			uint32_t port = number(next);

			c->tunnel.destination_port = (uint16_t)(port << 8 | port >> 8);
			i++;
		} else if (!strcmp(word, "ttl")) {
			c->tunnel.ttl = (uint8_t)number(next);
			i++;
		} else if (!strcmp(word, "dscp")) {
			c->tunnel.dscp = (uint8_t)number(next);
			i++;
		} else if (!strcmp(word, "subnet")) {
			c->subnet_id = object_named(world, OBJECT_SUBNET, next)->id;
			i++;
		} else if (!strcmp(word, "learn")) {
			char text[NAME_ROOM];
			char *slash;

			snprintf(text, sizeof(text), "%s", next);
			slash = strchr(text, '/');
			if (!slash)
				vector_fail("learn wants a prefix");
			*slash = '\0';
			c->allowed = address(text);
			c->allowed_length =
				number(slash + 1) + (ip_address_is_ipv4(&c->allowed) ? 96 : 0);
			c->source_flags |= TUNNEL_SOURCE_LEARN;
			c->tunnel.flags |= TUNNEL_MULTICAST;
			i++;
		} else if (!strcmp(word, "erspan")) {
			c->tunnel.flags |= TUNNEL_ERSPAN | TUNNEL_SEQUENCE;
		} else if (!strcmp(word, "erspan3")) {
			c->tunnel.flags |= TUNNEL_ERSPAN | TUNNEL_ERSPAN3 | TUNNEL_SEQUENCE;
			c->tunnel.hardware_id = (uint8_t)number(next);
			i++;
		} else if (!strcmp(word, "key")) {
			c->tunnel.flags |= TUNNEL_KEY;
		} else if (!strcmp(word, "checksum")) {
			c->tunnel.flags |= TUNNEL_CHECKSUM;
		} else if (!strcmp(word, "sequence")) {
			c->tunnel.flags |= TUNNEL_SEQUENCE;
			c->source_flags |= TUNNEL_SOURCE_SEQUENCE;
		} else if (!strcmp(word, "copy-dscp")) {
			c->tunnel.flags |= TUNNEL_COPY_DSCP;
		} else if (!strcmp(word, "no-entropy")) {
			c->tunnel.flags |= TUNNEL_NO_ENTROPY;
			c->tunnel.source_port = 0x3412;
		} else if (!strcmp(word, "strict")) {
			c->source_flags |= TUNNEL_SOURCE_STRICT;
		} else if (!strcmp(word, "checksum6")) {
			c->source_flags |= TUNNEL_SOURCE_CHECKSUM6;
			c->tunnel.flags |= TUNNEL_CHECKSUM6;
		} else if (!strcmp(word, "ipv6")) {
			c->ipv6 = true;
		} else {
			vector_fail("no word \"%s\" for a tunnel", word);
		}
	}
}

static struct carrier *carrier_new(const char *name)
{
	struct carrier *c = &hosts.carrier[hosts.carrier_count];

	for (size_t i = 0; i < hosts.carrier_count; i++)
		if (!strcmp(hosts.carrier[i].name, name)) {
			c = &hosts.carrier[i];
			memset(c, 0, sizeof(*c));
		}
	if (c == &hosts.carrier[hosts.carrier_count] && ++hosts.carrier_count >= 64)
		vector_fail("too many segments");
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->tunnel.mtu = 1400;
	return c;
}

/* segment SUBNET KIND WORDS */
static void segment_statement(const struct world *world, char **words, size_t count)
{
	const struct object *subnet = object_named(world, OBJECT_SUBNET, words[0]);
	struct carrier *c = carrier_new(words[0]);

	c->vpc_id = subnet->vpc_id;
	c->subnet_id = subnet->id;
	carrier_kind(c, words[1]);
	carrier_words(world, c, words + 2, count - 2);
}

/* tunnel VPC/NAME HOST KIND REMOTE WORDS */
static void tunnel_statement(const struct world *world, char **words, size_t count)
{
	struct carrier *c = carrier_new(words[0]);
	char vpc[NAME_ROOM];

	snprintf(vpc, sizeof(vpc), "%s", words[0]);
	vpc[strcspn(vpc, "/")] = '\0';
	c->vpc_id = intent_find(world->intent, vpc, OBJECT_VPC, vpc)->id;
	c->object = true;
	c->host = host_named(words[1]);
	carrier_kind(c, words[2]);
	c->remote = address(words[3]);
	c->ipv6 = !ip_address_is_ipv4(&c->remote);
	c->source_flags |= TUNNEL_SOURCE_OBJECT;
	c->tunnel.flags |= TUNNEL_OBJECT;
	carrier_words(world, c, words + 4, count - 4);
}

/* via SUBNET PREFIX TUNNEL: a route of the subnet's table. */
static void via_statement(const struct world *world, char **words)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)object_named(world, OBJECT_SUBNET, words[0]);
	char text[NAME_ROOM];
	char *slash;

	if (hosts.route_count >= 16)
		vector_fail("too many routes");
	snprintf(text, sizeof(text), "%s", words[1]);
	slash = strchr(text, '/');
	if (!slash)
		vector_fail("\"%s\" is not a prefix", words[1]);
	*slash = '\0';
	hosts.route[hosts.route_count].network = address(text);
	hosts.route[hosts.route_count].prefix_length =
		number(slash + 1) + (strchr(text, ':') ? 0 : 96);
	hosts.route[hosts.route_count].table_id = subnet->object.id;
	snprintf(hosts.route[hosts.route_count].object, NAME_ROOM, "%s", words[2]);
	hosts.route_count++;
}

/* router VPC HOST [gone], router VPC none */
static void router_statement(const struct world *world, char **words, size_t count)
{
	const struct object *vpc = intent_find(world->intent, words[0], OBJECT_VPC, words[0]);

	if (!vpc || (count == 3 && strcmp(words[2], "gone") != 0))
		vector_fail("no vpc %s, or it is not said that its router is gone", words[0]);
	hosts.routed_vpc_id = strcmp(words[1], "none") != 0 ? vpc->id : 0;
	hosts.router = hosts.routed_vpc_id ? host_named(words[1]) : 0;
	hosts.router_gone = count == 3;
}

bool hosts_statement(const struct world *world, char **words, size_t count)
{
	if (!strcmp(words[0], "host") && count == 4) {
		struct host *host = &hosts.host[hosts.host_count];

		if (hosts.host_count++ >= HOSTS_MAX)
			vector_fail("too many hosts");
		snprintf(host->name, sizeof(host->name), "%s", words[1]);
		host->address[0] = address(words[2]);
		host->address[1] = address(words[3]);
	} else if (!strcmp(words[0], "place") && count == 3) {
		struct place *place = NULL;

		for (size_t i = 0; i < hosts.place_count; i++)
			if (!strcmp(hosts.place[i].port, words[1]))
				place = &hosts.place[i];
		if (!place)
			place = &hosts.place[hosts.place_count++];
		if (hosts.place_count > 64 || !world_port(world, words[1]))
			vector_fail("no port %s, or too many of them", words[1]);
		snprintf(place->port, sizeof(place->port), "%s", words[1]);
		place->host = host_named(words[2]);
	} else if (!strcmp(words[0], "segment") && count >= 3) {
		segment_statement(world, words + 1, count - 1);
	} else if (!strcmp(words[0], "tunnel") && count >= 5) {
		tunnel_statement(world, words + 1, count - 1);
	} else if (!strcmp(words[0], "router") && (count == 3 || count == 4)) {
		router_statement(world, words + 1, count - 1);
	} else if (!strcmp(words[0], "via") && count == 4) {
		via_statement(world, words + 1);
	} else {
		return false;
	}
	return true;
}

/* ---- rows ---- */

static size_t host_of(const struct world *world, uint32_t port_id)
{
	for (size_t i = 0; i < hosts.place_count; i++)
		if (world_port(world, hosts.place[i].port)->object.id == port_id)
			return hosts.place[i].host;
	return 0;
}

static struct address row_address(const struct ip_address *address)
{
	struct address result;

	memcpy(&result, address->byte, sizeof(result));
	return result;
}

static uint32_t peer_id(uint32_t vpc_id, size_t host)
{
	return PEER_ID_FIRST + vpc_id * HOSTS_MAX + (uint32_t)host;
}

static uint32_t peer_slot(uint32_t vpc_id, size_t host)
{
	return PEER_SLOT_FIRST + (uint32_t)(vpc_id * HOSTS_MAX + host) % 100;
}

/* A number of this host for the way to another host in a segment. */
static uint32_t tunnel_id(size_t carrier, size_t host)
{
	return (uint32_t)(1 + carrier * HOSTS_MAX + host);
}

static int carrier_of_subnet(uint32_t subnet_id)
{
	for (size_t i = 0; i < hosts.carrier_count; i++)
		if (!hosts.carrier[i].object && hosts.carrier[i].subnet_id == subnet_id)
			return (int)i;
	return -1;
}

uint32_t hosts_object(const char *name)
{
	for (size_t i = 0; i < hosts.carrier_count; i++)
		if (hosts.carrier[i].object && !strcmp(hosts.carrier[i].name, name))
			return OBJECT_ID_FIRST + (uint32_t)i;
	for (size_t i = 0; i < hosts.carrier_count; i++) {
		size_t length = strcspn(hosts.carrier[i].name, "/");
		const char *slash = strchr(name, '/');
		int host = slash ? hosts_find(slash + 1) : -1;

		if (host >= 0 && length == (size_t)(slash - name) &&
		    !strncmp(name, hosts.carrier[i].name, length))
			return peer_id(hosts.carrier[i].vpc_id, (size_t)host);
	}
	return 0;
}

static bool has_udp(uint32_t kind)
{
	return kind == TUNNEL_VXLAN || kind == TUNNEL_GENEVE || kind == TUNNEL_FOU ||
	       kind == TUNNEL_GUE;
}

static bool has_id(uint32_t kind, uint32_t flags)
{
	return kind == TUNNEL_VXLAN || kind == TUNNEL_GENEVE || kind == TUNNEL_NVGRE ||
	       ((kind == TUNNEL_GRE || kind == TUNNEL_GRETAP) && (flags & TUNNEL_KEY));
}

/* One way to another end, and what may come from there. */
static void add_way(struct rows *rows, const struct carrier *c, uint32_t id, uint32_t port_id,
		    uint32_t slot, uint32_t host_id, const struct ip_address *local,
		    const struct ip_address *remote)
{
	struct tunnel_key tunnel_key = { .tunnel_id = id };
	struct tunnel tunnel = c->tunnel;
	struct tunnel_sequence sequence = { 0 };
	struct tunnel_source_key key = {
		.remote = row_address(remote),
		.local = row_address(local),
		.id = has_id(tunnel.kind, tunnel.flags) ? tunnel.id : 0,
		.port = has_udp(tunnel.kind) ? tunnel.destination_port : 0,
		.kind = (uint8_t)tunnel.kind,
		.has_id = tunnel.flags & TUNNEL_KEY ? 1 : 0,
	};
	struct tunnel_source source = {
		.vpc_id = c->vpc_id,
		.vpc_slot = c->vpc_id % 64,
		.subnet_id = c->subnet_id,
		.host_id = host_id,
		.port_id = port_id,
		.port_slot = slot,
		.flags = c->source_flags,
		.tunnel_id = id,
		.allowed = row_address(&c->allowed),
		.allowed_length = (uint8_t)c->allowed_length,
	};

	if (hosts.routed_vpc_id == c->vpc_id && host_id == hosts.router + 1)
		source.flags |= TUNNEL_SOURCE_ROUTER;
	tunnel.local = row_address(local);
	tunnel.remote = row_address(remote);
	tunnel.port_id = port_id;
	tunnel.port_slot = slot;
	rows_add(rows, TABLE_tunnels, &tunnel_key, &tunnel);
	if (tunnel.flags & TUNNEL_SEQUENCE)
		rows_add(rows, TABLE_tunnel_sequences, &tunnel_key, &sequence);
	if (source.flags & TUNNEL_SOURCE_LEARN) {
		/* What comes to the group, and what foreign ends send to this host alone. */
		memset(&key.remote, 0, sizeof(key.remote));
		rows_add(rows, TABLE_tunnel_sources, &key, &source);
		key.local = row_address(remote);
	}
	rows_add(rows, TABLE_tunnel_sources, &key, &source);
}

static void add_vtep(struct rows *rows, const struct ip_address *address, uint32_t host_id,
		     bool local)
{
	struct vtep_key key = { .address = row_address(address) };
	struct vtep row = { .host_id = host_id };

	if (local) {
		row.flags = VTEP_LOCAL;
		row.kinds = 1u << TUNNEL_GRE | 1u << TUNNEL_GRETAP | 1u << TUNNEL_NVGRE |
			    1u << TUNNEL_IPIP | 1u << TUNNEL_SIT;
	}
	rows_add(rows, TABLE_vteps, &key, &row);
}

static void add_peer(struct rows *rows, uint32_t vpc_id, size_t host)
{
	struct port_key key = { .port_id = peer_id(vpc_id, host) };
	struct port row = {
		.vpc_id = vpc_id,
		.vpc_slot = vpc_id % 64,
		.port_slot = peer_slot(vpc_id, host),
		.kind = PORT_TUNNEL,
		.flow_limit = 1000,
		.flow_guarantee = 64,
		.host_id = (uint32_t)host + 1,
	};

	for (size_t i = 0; i < rows->count; i++)
		if (rows->list[i]->table == TABLE_ports &&
		    !memcmp(rows->list[i]->bytes, &key, sizeof(key)))
			return;
	rows_add(rows, TABLE_ports, &key, &row);
}

static void add_object(struct rows *rows, const struct carrier *c, size_t i, size_t here)
{
	struct port_key key = { .port_id = OBJECT_ID_FIRST + (uint32_t)i };
	uint32_t slot = PEER_SLOT_FIRST + 100 + (uint32_t)i % 20;
	struct port row = {
		.vpc_id = c->vpc_id,
		.vpc_slot = c->vpc_id % 64,
		.port_slot = slot,
		.subnet_id = c->subnet_id,
		.kind = PORT_TUNNEL,
		.flags = PORT_UNFILTERED,
		.flow_limit = 1000,
		.flow_guarantee = 64,
		.host_id = (uint32_t)here + 1,
		.tunnel_id = tunnel_id(i, here),
	};

	rows_add(rows, TABLE_ports, &key, &row);
	add_vtep(rows, &c->remote, 0, (c->source_flags & TUNNEL_SOURCE_LEARN) != 0);
	add_way(rows, c, row.tunnel_id, key.port_id, slot, 0, &hosts.host[here].address[c->ipv6],
		&c->remote);
}

static void add_carriers(struct rows *rows, size_t here)
{
	for (size_t i = 0; i < hosts.carrier_count; i++) {
		const struct carrier *c = &hosts.carrier[i];
		struct tunnel_port_key key = { .port = c->tunnel.destination_port };
		struct tunnel_port port = { .kind = c->tunnel.kind };

		if (has_udp(c->tunnel.kind))
			rows_add(rows, TABLE_tunnel_ports, &key, &port);
		if (c->object && c->host == here)
			add_object(rows, c, i, here);
		for (size_t h = 0; !c->object && h < hosts.host_count; h++) {
			if (h == here || !c->tunnel.kind)
				continue;
			add_peer(rows, c->vpc_id, h);
			add_way(rows, c, tunnel_id(i, h), peer_id(c->vpc_id, h),
				peer_slot(c->vpc_id, h), (uint32_t)h + 1,
				&hosts.host[here].address[c->ipv6],
				&hosts.host[h].address[c->ipv6]);
		}
	}
}

/* A flood list anew: local ports, then peers, then tunnel objects. */
static uint32_t add_floods(struct rows *rows, const uint32_t *members, size_t member_count,
			   uint32_t subnet_id, size_t here, uint32_t *total)
{
	int carrier = carrier_of_subnet(subnet_id);
	struct flood_key key = { .subnet_id = subnet_id };
	uint32_t remote = 0;

	for (size_t i = 0; i < member_count; i++, key.index++) {
		struct flood row = { .port_id = members[i] };

		rows_add(rows, TABLE_floods, &key, &row);
	}
	for (size_t h = 0; carrier >= 0 && h < hosts.host_count; h++) {
		struct flood row = { 0 };

		if (h == here)
			continue;
		row.port_id = peer_id(hosts.carrier[carrier].vpc_id, h);
		row.tunnel_id = tunnel_id((size_t)carrier, h);
		rows_add(rows, TABLE_floods, &key, &row);
		key.index++;
		remote++;
	}
	for (size_t i = 0; i < hosts.carrier_count; i++) {
		struct flood row = { .port_id = OBJECT_ID_FIRST + (uint32_t)i,
				     .tunnel_id = tunnel_id(i, here) };

		if (!hosts.carrier[i].object || hosts.carrier[i].host != here ||
		    hosts.carrier[i].subnet_id != subnet_id)
			continue;
		rows_add(rows, TABLE_floods, &key, &row);
		key.index++;
		remote++;
	}
	*total = key.index;
	return remote;
}

static void change_routed(struct subnet *subnet, uint32_t subnet_id, size_t here)
{
	int carrier = carrier_of_subnet(subnet_id);

	if (hosts.routed_vpc_id != subnet->vpc_id)
		return;
	if (here == hosts.router) {
		subnet->flags |= SUBNET_ROUTES_ALL;
		return;
	}
	subnet->flags |= SUBNET_ROUTED_AWAY;
	subnet->router_host_id = (uint32_t)hosts.router + 1;
	if (carrier < 0 || hosts.router_gone)
		return;
	subnet->router_port_id = peer_id(subnet->vpc_id, hosts.router);
	subnet->router_tunnel_id = tunnel_id((size_t)carrier, hosts.router);
}

static void change_subnet(struct rows *to, const struct rows *from, const struct row *row,
			  size_t here, const struct world *world)
{
	struct subnet_key key;
	struct subnet subnet;
	uint32_t members[64];
	size_t count = 0;

	memcpy(&key, row->bytes, sizeof(key));
	memcpy(&subnet, row->bytes + sizeof(key), sizeof(subnet));
	if (subnet.flags & (SUBNET_L2 | SUBNET_MULTICAST)) {
		for (size_t i = 0; i < from->count; i++) {
			struct flood_key flood_key;
			struct flood flood;

			if (from->list[i]->table != TABLE_floods)
				continue;
			memcpy(&flood_key, from->list[i]->bytes, sizeof(flood_key));
			memcpy(&flood, from->list[i]->bytes + sizeof(flood_key), sizeof(flood));
			if (flood_key.subnet_id == key.subnet_id &&
			    host_of(world, flood.port_id) == here && count < 64)
				members[count++] = flood.port_id;
		}
		subnet.remote_flood_count =
			add_floods(to, members, count, key.subnet_id, here, &subnet.flood_count);
	}
	change_routed(&subnet, key.subnet_id, here);
	rows_add(to, TABLE_subnets, &key, &subnet);
}

/* The ports of other hosts are behind tunnels. */
static void change_port(struct rows *to, const struct row *row, size_t here,
			const struct world *world)
{
	struct port_key key;
	struct port port;
	size_t host;
	int carrier;

	memcpy(&key, row->bytes, sizeof(key));
	memcpy(&port, row->bytes + sizeof(key), sizeof(port));
	host = host_of(world, key.port_id);
	port.host_id = (uint32_t)host + 1;
	if (host != here) {
		carrier = carrier_of_subnet(port.subnet_id);
		port.ifindex = 0;
		port.kind = PORT_TUNNEL;
		port.port_slot = peer_slot(port.vpc_id, host);
		port.tunnel_id = carrier >= 0 ? tunnel_id((size_t)carrier, host) : 0;
	}
	rows_add(to, TABLE_ports, &key, &port);
}

static void add_routes(struct rows *to, const struct rows *from)
{
	for (size_t i = 0; i < hosts.route_count; i++) {
		struct route_key key = { .prefix_length = 32 + hosts.route[i].prefix_length,
					 .address = row_address(&hosts.route[i].network) };
		struct route row = { .kind = ROUTE_PORT, .target = 0 };

		if (!strcmp(hosts.route[i].object, "down"))
			row.kind = ROUTE_DOWN;
		else
			row.target = hosts_object(hosts.route[i].object);

		for (size_t r = 0; r < from->count; r++) {
			struct subnet subnet;

			if (from->list[r]->table != TABLE_subnets ||
			    memcmp(from->list[r]->bytes, &hosts.route[i].table_id, 4))
				continue;
			memcpy(&subnet, from->list[r]->bytes + sizeof(struct subnet_key),
			       sizeof(subnet));
			key.table_id = subnet.route_table_id;
			row.route_id = subnet.route_table_id;
		}
		rows_add(to, TABLE_routes, &key, &row);
	}
}

static bool is_l2(const struct rows *rows, uint32_t subnet_id)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct subnet subnet;

		if (rows->list[i]->table != TABLE_subnets ||
		    memcmp(rows->list[i]->bytes, &subnet_id, 4))
			continue;
		memcpy(&subnet, rows->list[i]->bytes + sizeof(struct subnet_key), sizeof(subnet));
		return subnet.flags & SUBNET_L2;
	}
	return false;
}

void hosts_rows(const struct world *world, size_t here, struct rows *rows)
{
	struct rows planned = *rows;

	memset(rows, 0, sizeof(*rows));
	for (size_t i = 0; i < hosts.carrier_count; i++)
		if (is_l2(&planned, hosts.carrier[i].subnet_id))
			hosts.carrier[i].source_flags |= TUNNEL_SOURCE_L2;
	for (size_t i = 0; i < planned.count; i++) {
		const struct row *row = planned.list[i];

		if (row->table == TABLE_ports)
			change_port(rows, row, here, world);
		else if (row->table == TABLE_subnets)
			change_subnet(rows, &planned, row, here, world);
		else if (row->table != TABLE_floods)
			rows_add(rows, (enum table_id)row->table, row->bytes,
				 row->bytes + row->key_size);
	}
	for (size_t h = 0; h < hosts.host_count; h++)
		for (int family = 0; family < 2; family++)
			add_vtep(rows, &hosts.host[h].address[family], (uint32_t)h + 1, h == here);
	add_carriers(rows, here);
	add_routes(rows, &planned);
	rows_clear(&planned);
}
