/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The planner's memory of other hosts: numbers of peers and tunnels, and what tunnels take together.
 *
 * Rows of live connections hold the number of the tunnel they leave by and of the peer they came
 * from, so a number stays with what it stands for as long as that exists, over a restart as well:
 * the live rows say which is whose. Numbers only grow.
 *
 * A UDP port, the end of a kind without UDP, a group of the underlay are on the host once, however
 * many tunnels need them. They are counted here, and written by the one unit that is planned last.
 *
 * Neighbours: planner.h (contracts), planner.c (group sets), dirty_tunnels.c, plan_tunnel.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/planner.h"

struct pair_key {
	uint32_t subject, host;
};

/* ---- peers ---- */

bool planner_is_here(const struct intent *intent, uint32_t vpc_id)
{
	return !intent_has_hosts(intent) || intent_has_part(intent, "", vpc_id);
}

struct planner_peer *planner_find_peer(const struct planner *planner, uint32_t vpc_id,
				       uint32_t subnet_id, uint32_t host_id)
{
	const struct pair_key key = { subnet_id ? subnet_id : vpc_id, host_id };

	return map_get(&planner->peers, &key, sizeof(key));
}

static struct planner_peer *peer_new(struct planner *planner, uint32_t vpc_id, uint32_t subnet_id,
				     uint32_t host_id, uint32_t id)
{
	const struct pair_key key = { subnet_id ? subnet_id : vpc_id, host_id };
	struct planner_peer *peer = xcalloc(1, sizeof(*peer));

	peer->peer = (struct peer){
		.id = id, .vpc_id = vpc_id, .host_id = host_id, .subnet_id = subnet_id
	};
	peer->subnet_id = subnet_id;
	map_put(&planner->peers, &key, sizeof(key), peer);
	map_put_u32(&planner->peers_by_id, id, peer);
	return peer;
}

struct planner_peer *planner_take_peer(struct planner *planner, uint32_t vpc_id, uint32_t subnet_id,
				       uint32_t host_id)
{
	struct planner_peer *peer = planner_find_peer(planner, vpc_id, subnet_id, host_id);

	return peer ? peer : peer_new(planner, vpc_id, subnet_id, host_id, planner->next_peer++);
}

struct planner_peer *planner_peer_by_id(const struct planner *planner, uint32_t peer_id)
{
	return map_get_u32(&planner->peers_by_id, peer_id);
}

bool planner_peer(const struct planner *planner, uint32_t peer_id, struct peer *peer)
{
	const struct planner_peer *found = planner_peer_by_id(planner, peer_id);

	if (!found || !found->lives)
		return false;
	*peer = found->peer;
	return true;
}

/* ---- tunnels ---- */

static struct planner_tunnel *tunnel_new(struct planner *planner, uint32_t subject_id,
					 uint32_t host_id, uint32_t number)
{
	const struct pair_key key = { subject_id, host_id };
	struct planner_tunnel *tunnel = xcalloc(1, sizeof(*tunnel));

	tunnel->number = number;
	tunnel->subject_id = subject_id;
	tunnel->host_id = host_id;
	map_put(&planner->tunnels, &key, sizeof(key), tunnel);
	map_put_u32(&planner->tunnels_by_id, number, tunnel);
	return tunnel;
}

struct planner_tunnel *planner_take_tunnel(struct planner *planner, uint32_t subject_id,
					   uint32_t host_id)
{
	const struct pair_key key = { subject_id, host_id };
	struct planner_tunnel *tunnel = map_get(&planner->tunnels, &key, sizeof(key));

	return tunnel ? tunnel : tunnel_new(planner, subject_id, host_id, planner->next_tunnel++);
}

struct planner_tunnel *planner_tunnel_by_number(const struct planner *planner, uint32_t number)
{
	return map_get_u32(&planner->tunnels_by_id, number);
}

size_t plan_path_units(const struct planner *planner, uint32_t host_id, struct unit **units)
{
	size_t count = 0;

	*units = xcalloc(map_count(&planner->tunnels) + 1, sizeof(**units));
	MAP_FOR_EACH(&planner->tunnels, it) {
		const struct planner_tunnel *tunnel = it.value;

		if (tunnel->host_id == host_id)
			(*units)[count++] = (struct unit){ UNIT_TUNNEL, tunnel->number };
	}
	return count;
}

/* ---- what is taken ---- */

static bool is_set(const struct ip_address *address)
{
	static const struct ip_address zero;

	return !ip_address_equal(address, &zero);
}

static void change_end(struct map *ends, const struct ip_address *address, uint8_t kind, bool add)
{
	struct taken_end *end;

	if (!is_set(address))
		return;
	end = map_get(ends, address, sizeof(*address));
	if (!end) {
		end = xcalloc(1, sizeof(*end));
		end->address = *address;
		map_put(ends, address, sizeof(*address), end);
	}
	end->count += add ? 1u : -1u;
	end->kinds[kind] += add ? 1u : -1u;
	if (!end->count)
		free(map_remove(ends, address, sizeof(*address)));
}

static void change_port(struct planner *planner, const struct tunnel_use *use, bool add)
{
	struct taken_port *port;

	if (!use->port)
		return;
	port = map_get_u32(&planner->taken_ports, use->port);
	if (!port) {
		port = xcalloc(1, sizeof(*port));
		port->port = use->port;
		map_put_u32(&planner->taken_ports, use->port, port);
	}
	port->kind = add ? use->kind : port->kind;
	port->count += add ? 1u : -1u;
	if (!port->count)
		free(map_remove_u32(&planner->taken_ports, use->port));
}

static void change_use(struct planner *planner, const struct tunnel_use *use, bool add)
{
	if (use->kind == TUNNEL_NONE)
		return;
	change_port(planner, use, add);
	if (!use->port)
		change_end(&planner->taken_locals, &use->local, use->kind, add);
	change_end(&planner->taken_groups, &use->group, use->kind, add);
	change_end(&planner->taken_remotes, &use->remote, use->kind, add);
}

void planner_use(struct planner *planner, struct planner_tunnel *tunnel,
		 const struct tunnel_use *use)
{
	static const struct tunnel_use nothing;

	if (!use)
		use = &nothing;
	change_use(planner, use, true);
	change_use(planner, &tunnel->use, false);
	tunnel->use = *use;
}

void planner_forget_tunnel(struct planner *planner, struct planner_tunnel *tunnel)
{
	const struct pair_key key = { tunnel->subject_id, tunnel->host_id };

	planner_use(planner, tunnel, NULL);
	map_remove(&planner->tunnels, &key, sizeof(key));
	map_remove_u32(&planner->tunnels_by_id, tunnel->number);
	free(tunnel);
}

void planner_forget_peer(struct planner *planner, struct planner_peer *peer)
{
	const struct pair_key key = { peer->subnet_id ? peer->subnet_id : peer->peer.vpc_id,
				      peer->peer.host_id };

	map_remove(&planner->peers, &key, sizeof(key));
	map_remove_u32(&planner->peers_by_id, peer->peer.id);
	free(peer);
}

/* ---- what the tables hold ---- */

static void reserve_tunnel(struct planner *planner, uint32_t subject_id, uint32_t host_id,
			   uint32_t number)
{
	const struct pair_key key = { subject_id, host_id };

	if (number && subject_id && !map_get(&planner->tunnels, &key, sizeof(key)) &&
	    !planner_tunnel_by_number(planner, number))
		tunnel_new(planner, subject_id, host_id, number);
}

static void reserve_source(struct planner *planner, const struct tunnel_source *source)
{
	const bool object = source->flags & TUNNEL_SOURCE_OBJECT;

	reserve_tunnel(planner, object ? source->port_id : source->subnet_id,
		       object ? 0 : source->host_id, source->tunnel_id);
}

static void reserve_port(struct planner *planner, uint32_t id, const struct port *port)
{
	const uint32_t subnet_id = port->host_id ? 0 : port->subnet_id;

	if (id < PEER_ID_FIRST)
		return;
	if (id >= planner->next_peer)
		planner->next_peer = id + 1;
	if (!planner_find_peer(planner, port->vpc_id, subnet_id, port->host_id) &&
	    !planner_peer_by_id(planner, id))
		peer_new(planner, port->vpc_id, subnet_id, port->host_id, id);
}

void planner_reserve_tunnels(struct planner *planner, enum table_id table, const void *key,
			     const void *value)
{
	if (table == TABLE_tunnels) {
		const struct tunnel_key *tunnel_key = key;
		const struct tunnel *tunnel = value;

		/* Nothing comes in by a tunnel of mirrors: it has no source. */
		if (tunnel->port_id < PEER_ID_FIRST)
			reserve_tunnel(planner, tunnel->port_id, 0, tunnel_key->tunnel_id);
		if (tunnel_key->tunnel_id >= planner->next_tunnel)
			planner->next_tunnel = tunnel_key->tunnel_id + 1;
	} else if (table == TABLE_tunnel_sources) {
		const struct tunnel_source *source = value;

		reserve_source(planner, source);
		if (source->tunnel_id >= planner->next_tunnel)
			planner->next_tunnel = source->tunnel_id + 1;
	} else if (table == TABLE_ports) {
		reserve_port(planner, ((const struct port_key *)key)->port_id, value);
	}
}

void planner_tunnels_fini(struct planner *planner)
{
	map_fini(&planner->here, NULL);
	map_fini(&planner->mtus, NULL);
	map_fini(&planner->taps, NULL);
	map_fini(&planner->peers, free);
	map_fini(&planner->peers_by_id, NULL);
	map_fini(&planner->peers_of_host, NULL);
	map_fini(&planner->tunnels, free);
	map_fini(&planner->tunnels_by_id, NULL);
	map_fini(&planner->taken_ports, free);
	map_fini(&planner->taken_locals, free);
	map_fini(&planner->taken_groups, free);
	map_fini(&planner->taken_remotes, free);
}
