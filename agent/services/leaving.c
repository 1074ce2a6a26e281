/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leaves; see leaving.h.
 *
 * An event is read in the middle of others, so questions wait for the next round of the loop: who
 * leaves many groups at once, or one group through many ports, causes one question for each group
 * and second. What a tenant can make wait is bounded for its subnet and for all.
 */
#include "agent/services/leaving.h"

#include <stdlib.h>
#include <string.h>

#include "agent/devices/ports.h"
#include "agent/services/querier.h"
#include "base/alloc.h"
#include "base/map.h"
#include "model/plan.h"

#define ROUNDS 2 /* RFC 3376, 8.9 */
#define ROUND_NS CLOCK_NS_PER_SECOND
#define SOON_NS (5 * CLOCK_NS_PER_MS)
#define GROUPS_PER_SUBNET 64
#define GROUPS_IN_ALL 256

/* A group of a subnet that is asked for. */
struct left {
	struct group_key key; /* port_id 0 */
	unsigned int rounds;  /* still to come */
	bool told;            /* the other hosts have heard of it */
	bool gone;            /* a port is, and has told nobody */
	bool away; /* a host has none in the subnet any more: each host tells its own routers */
	uint64_t due_ns;
};

struct leaving {
	struct loop *loop;
	struct punt *punt;
	struct reconcile *reconcile;
	struct datapath *datapath;
	struct loop_timer timer;
	struct map groups; /* struct group_key -> struct left, owned */
	struct leaving_counts counts;
};

static const struct subnet_object *subnet_of(const struct leaving *leaving, uint32_t subnet_id)
{
	const struct object *object =
		intent_object(reconcile_intent(leaving->reconcile), subnet_id);

	return object && object->kind == OBJECT_SUBNET ? (const struct subnet_object *)object
						       : NULL;
}

/* ---- a round ---- */

/* Whether the port has listened to the group until now; or a router is there, which the question is news to if it is
 * not the one that asks (RFC 3376, 6.6.1). */
static bool is_asked(const struct leaving *leaving, const struct left *left, uint32_t port_id)
{
	struct group_key key = left->key;
	struct group row;

	key.port_id = port_id;
	if (!datapath_get(leaving->datapath, TABLE_groups, &key, &row))
		return true;
	memset(&key.address, 0, sizeof(key.address));
	return !datapath_get(leaving->datapath, TABLE_groups, &key, &row);
}

static uint32_t now_ticks(const struct leaving *leaving)
{
	return (uint32_t)(clock_monotonic_ns(loop_clock(leaving->loop)) >> 20);
}

/* ---- rows ---- */

/* What walks over the rows of groups look for, and what they have found. */
struct search {
	const struct map *ports;       /* rows of these; NULL: of those of this host */
	bool peers;                    /* of other hosts */
	uint32_t subnet_id;            /* in this subnet; 0: in all */
	const struct address *address; /* for this group; NULL: for each */
	uint32_t slack;                /* those that have aged so many ticks ago, too */
	uint32_t now;
	struct group_key *found; /* owned by the caller */
	size_t count;
};

static bool look_at_row(void *context, const void *key_bytes, const void *value)
{
	struct search *search = context;
	struct group_key key;
	struct group row;

	memcpy(&key, key_bytes, sizeof(key));
	memcpy(&row, value, sizeof(row));
	if ((search->ports ? !map_get_u32(search->ports, key.port_id)
			   : (key.port_id >= PEER_ID_FIRST) != search->peers) ||
	    (search->subnet_id && key.subnet_id != search->subnet_id) ||
	    (search->address && memcmp(&key.address, search->address, sizeof(key.address)) != 0) ||
	    (int32_t)(row.expires - search->now + search->slack) <= 0)
		return true;
	search->found = xreallocarray(search->found, search->count + 1, sizeof(*search->found));
	search->found[search->count++] = key;
	return true;
}

/* Rows that have not aged. Return: how many; none where the table cannot be read. */
static size_t find_rows(const struct leaving *leaving, struct search *search)
{
	search->now = now_ticks(leaving);
	datapath_walk(leaving->datapath, TABLE_groups, look_at_row, search);
	return search->count;
}

static void ask(struct leaving *leaving, const struct subnet_object *subnet, struct left *left)
{
	const struct intent *intent = reconcile_intent(leaving->reconcile);
	const struct mac_address mac = subnet_gateway_mac(subnet);
	uint8_t frame[QUERIER_FRAME_SIZE];
	struct querier_question question = {
		.mac = &mac,
		.source = &subnet->gateways[0],
		.response_seconds = 1,
		.interval = subnet->query_interval,
	};
	uint32_t *ids;
	size_t size, count = intent_ports_of_subnet(intent, subnet->object.id, &ids);

	memcpy(question.group.byte, &left->key.address, sizeof(question.group.byte));
	question.ipv4 = ip_address_is_ipv4(&question.group);
	size = querier_write(&question, frame);
	for (size_t i = 0; i < count; i++) {
		struct port_device device = { 0 };

		ports_device(reconcile_ports(leaving->reconcile), ids[i], &device);
		if (device.ifindex && device.kind != PORT_TUN && is_asked(leaving, left, ids[i]) &&
		    !punt_send(leaving->punt, ids[i], 0, frame, size))
			leaving->counts.asked++;
	}
	free(ids);
	if (left->told || !intent_has_hosts(intent))
		return;
	/* Of IPv4 from nobody: a gateway's address is no host's (V8). */
	question.source = NULL;
	size = querier_write(&question, frame);
	punt_send_hosts(leaving->punt, subnet->object.id, frame, size);
	left->told = true;
}

/* By each wire of the subnet, as this host speaks there. */
static void tell_wires(struct leaving *leaving, uint32_t subnet_id,
		       const struct querier_question *question)
{
	struct querier_question own = *question;
	struct flood_key key = { .subnet_id = subnet_id };
	uint8_t frame[QUERIER_FRAME_SIZE];
	struct mac_address mac;
	struct port_key port;
	struct flood member;
	struct port row;

	for (; !datapath_get(leaving->datapath, TABLE_floods, &key, &member); key.index++) {
		port.port_id = member.port_id;
		if (datapath_get(leaving->datapath, TABLE_ports, &port, &row) ||
		    row.kind != PORT_WIRE)
			continue;
		memcpy(mac.byte, row.mac, sizeof(mac.byte));
		own.mac = &mac;
		punt_send(leaving->punt, port.port_id, 0, frame, querier_write(&own, frame));
	}
}

/* Whether somebody listens whom a router behind this port hears of by Weft alone. */
static bool listens_elsewhere(const struct search *listeners, uint32_t router_id)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (listeners->found[i].port_id != router_id)
			return true;
	return false;
}

/*
 * The last listener of this host was a port that is gone: what it would have said itself. A router
 * asks then who else listens, so it does no harm where others do. IPv4 from nobody, as to other
 * hosts.
 */
static void tell_routers(struct leaving *leaving, const struct subnet_object *subnet,
			 const struct left *left)
{
	static const struct address routers;
	const struct mac_address mac = subnet_gateway_mac(subnet);
	struct querier_question question = { .mac = &mac, .leave = true };
	struct search listeners = { .subnet_id = subnet->object.id, .address = &left->key.address };
	struct search search = { .subnet_id = subnet->object.id, .address = &routers };
	uint8_t frame[QUERIER_FRAME_SIZE];
	size_t size;

	memcpy(question.group.byte, &left->key.address, sizeof(question.group.byte));
	question.ipv4 = ip_address_is_ipv4(&question.group);
	size = querier_write(&question, frame);
	find_rows(leaving, &listeners);
	find_rows(leaving, &search);
	for (size_t i = 0; i < search.count; i++)
		if (!listens_elsewhere(&listeners, search.found[i].port_id))
			punt_send(leaving->punt, search.found[i].port_id, 0, frame, size);
	if (!listeners.count && !left->away) {
		if (intent_has_hosts(reconcile_intent(leaving->reconcile)))
			punt_send_hosts(leaving->punt, subnet->object.id, frame, size);
		tell_wires(leaving, subnet->object.id, &question);
	}
	free(listeners.found);
	free(search.found);
}

static void on_time(void *context)
{
	struct leaving *leaving = context;
	const uint64_t now_ns = clock_monotonic_ns(loop_clock(leaving->loop));
	uint64_t next_ns = UINT64_MAX;

	MAP_FOR_EACH(&leaving->groups, it) {
		struct left *left = it.value;
		const struct subnet_object *subnet = subnet_of(leaving, left->key.subnet_id);

		if (now_ns >= left->due_ns) {
			if (left->rounds && subnet && punt_is_there(leaving->punt)) {
				ask(leaving, subnet, left);
				left->rounds--;
				left->due_ns = now_ns + ROUND_NS;
			} else {
				if (left->gone && subnet && punt_is_there(leaving->punt))
					tell_routers(leaving, subnet, left);
				free(map_remove(&leaving->groups, it.key, sizeof(left->key)));
				continue;
			}
		}
		if (left->due_ns < next_ns)
			next_ns = left->due_ns;
	}
	if (next_ns != UINT64_MAX)
		loop_timer_start(leaving->loop, &leaving->timer, next_ns - now_ns + 1, 0);
}

/* ---- what is heard ---- */

static bool has_room(const struct leaving *leaving, uint32_t subnet_id)
{
	size_t count = 0;

	if (map_count(&leaving->groups) >= GROUPS_IN_ALL)
		return false;
	MAP_FOR_EACH(&leaving->groups, it)
		count += ((const struct left *)it.value)->key.subnet_id == subnet_id;
	return count < GROUPS_PER_SUBNET;
}

/*
 * The row of who has left ends so many ticks from now, unless it is refreshed: others may listen
 * behind the same port.
 */
static void shorten(struct leaving *leaving, const struct group_key *key, uint32_t ticks)
{
	const uint32_t end = now_ticks(leaving) + ticks;
	struct group row;

	if (datapath_get(leaving->datapath, TABLE_groups, key, &row) ||
	    (int32_t)(row.expires - end) <= 0)
		return;
	row.expires = end;
	if ((int32_t)(row.any_until - end) > 0)
		row.any_until = end;
	datapath_put(leaving->datapath, TABLE_groups, key, &row);
}

/* A port listens to a group no more: who else does is asked soon. NULL: there is no room to ask. */
static struct left *begin(struct leaving *leaving, struct group_key key)
{
	struct left *left;

	leaving->counts.heard++;
	key.port_id = 0;
	left = map_get(&leaving->groups, &key, sizeof(key));
	if (!left) {
		if (!has_room(leaving, key.subnet_id)) {
			leaving->counts.missed++;
			return NULL;
		}
		left = xcalloc(1, sizeof(*left));
		left->key = key;
		left->due_ns = clock_monotonic_ns(loop_clock(leaving->loop)) + SOON_NS;
		map_put(&leaving->groups, &key, sizeof(key), left);
	}
	left->rounds = ROUNDS;
	left->told = false;
	loop_timer_start(leaving->loop, &leaving->timer, SOON_NS, 0);
	return left;
}

void leaving_heard(struct leaving *leaving, const struct drop_event *event)
{
	const struct group_key key = {
		.subnet_id = event->object_id,
		.port_id = event->port_id,
		.address = event->destination,
	};

	if (event->verdict != VERDICT_CONSUMED || !subnet_of(leaving, key.subnet_id))
		return;
	shorten(leaving, &key, GROUP_LEFT_TICKS);
	begin(leaving, key);
}

void leaving_unplugged(struct leaving *leaving, const uint32_t *port_ids, size_t count)
{
	static const struct address routers;
	struct map gone = { 0 };
	struct search search = { .ports = &gone };

	for (size_t i = 0; i < count; i++) {
		struct port_device device = { 0 };

		ports_device(reconcile_ports(leaving->reconcile), port_ids[i], &device);
		if (!device.ifindex)
			map_put_u32(&gone, port_ids[i], leaving);
	}
	if (map_count(&gone))
		find_rows(leaving, &search);
	for (size_t i = 0; i < search.count; i++) {
		const struct group_key *key = &search.found[i];
		struct left *left = NULL;

		shorten(leaving, key, 0);
		if (memcmp(&key->address, &routers, sizeof(routers)) != 0 &&
		    subnet_of(leaving, key->subnet_id))
			left = begin(leaving, *key);
		if (left) {
			left->gone = true;
			left->away = false;
		}
	}
	free(search.found);
	map_fini(&gone, NULL);
}

/* Whether frames of a subnet are flooded to a host. */
static bool is_member(const struct leaving *leaving, uint32_t subnet_id, uint32_t peer_id)
{
	struct flood_key key = { .subnet_id = subnet_id };
	struct flood member;

	for (; !datapath_get(leaving->datapath, TABLE_floods, &key, &member); key.index++)
		if (member.port_id == peer_id)
			return true;
	return false;
}

/* By subnet and port, so that rows of one host in one subnet are in a row. */
static int compare_rows(const void *a, const void *b)
{
	const struct group_key *left = a, *right = b;
	int order = (left->subnet_id > right->subnet_id) - (left->subnet_id < right->subnet_id);

	return order ? order : (left->port_id > right->port_id) - (left->port_id < right->port_id);
}

void leaving_hosts(struct leaving *leaving)
{
	/*
	 * It may have said before that its ports are asked, and the rows have ended by that;
	 * routers know nothing.
	 */
	struct search search = { .peers = true, .slack = GROUP_PEER_TICKS };
	struct {
		uint32_t subnet_id, peer_id;
	} last = { 0 };
	bool stays = false;

	if (!intent_has_hosts(reconcile_intent(leaving->reconcile)))
		return;
	find_rows(leaving, &search);
	if (search.count)
		qsort(search.found, search.count, sizeof(*search.found), compare_rows);
	for (size_t i = 0; i < search.count; i++) {
		const struct group_key *key = &search.found[i];
		struct left *left;

		if (key->subnet_id != last.subnet_id || key->port_id != last.peer_id)
			stays = is_member(leaving, key->subnet_id, key->port_id);
		last.subnet_id = key->subnet_id;
		last.peer_id = key->port_id;
		if (stays || !subnet_of(leaving, key->subnet_id))
			continue;
		shorten(leaving, key, (uint32_t)-GROUP_PEER_TICKS);
		left = begin(leaving, *key);
		if (left && !left->gone)
			left->gone = left->away = true;
	}
	free(search.found);
}

const struct leaving_counts *leaving_counts(const struct leaving *leaving)
{
	static const struct leaving_counts none;

	return leaving ? &leaving->counts : &none;
}

/* ---- open and close ---- */

struct leaving *leaving_new(struct loop *loop, struct punt *punt, struct reconcile *reconcile,
			    struct datapath *datapath)
{
	struct leaving *leaving = xcalloc(1, sizeof(*leaving));

	leaving->loop = loop;
	leaving->punt = punt;
	leaving->reconcile = reconcile;
	leaving->datapath = datapath;
	loop_timer_init(&leaving->timer, on_time, leaving);
	return leaving;
}

void leaving_free(struct leaving *leaving)
{
	if (!leaving)
		return;
	loop_timer_stop(&leaving->timer);
	map_fini(&leaving->groups, free);
	free(leaving);
}
