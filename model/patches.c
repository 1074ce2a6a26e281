/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The graph of segments and patches; see patches.h.
 *
 * Links are taken in the order of their younger ends, and each joins two sets of segments (union-find) or
 * is cut. A segment that never leaves its host is another one on each host.
 */
#include "model/patches.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

struct node {
	uint32_t subnet_id;
	char host[NAME_SIZE]; /* of a local segment; else empty */
};

struct link {
	uint32_t ports[2]; /* the older first */
	uint32_t nodes[2];
	bool cut;
};

struct graph {
	size_t node_count, link_count;
	struct node *nodes;
	uint32_t *sets; /* union-find, by node */
	struct link *links;
};

bool patch_split(const char *text, const char *own_vpc, char vpc[NAME_SIZE], char port[NAME_SIZE])
{
	const char *slash = strchr(text, '/');
	size_t vpc_len = slash ? (size_t)(slash - text) : strlen(own_vpc);
	const char *name = slash ? slash + 1 : text;

	if (vpc_len >= NAME_SIZE || strlen(name) >= NAME_SIZE)
		return false;
	memcpy(vpc, slash ? text : own_vpc, vpc_len);
	vpc[vpc_len] = '\0';
	memcpy(port, name, strlen(name) + 1);
	return true;
}

/* ---- who is joined to whom ---- */

static const struct port_object *named(const struct intent *intent, const struct port_object *port)
{
	const struct object *own = intent_object(intent, port->object.vpc_id);
	char vpc[NAME_SIZE], name[NAME_SIZE];

	if (port->attach.kind != ATTACH_PATCH || !own ||
	    !patch_split(port->attach.peer, own->name, vpc, name))
		return NULL;
	return (const struct port_object *)intent_find(intent, vpc, OBJECT_PORT, name);
}

static bool same_host(const struct intent *intent, const struct port_object *a,
		      const struct port_object *b)
{
	return strcmp(intent_host_name(intent, a->host), intent_host_name(intent, b->host)) == 0;
}

/* The other end, where both name one another. */
static const struct port_object *peer_of(const struct intent *intent,
					 const struct port_object *port)
{
	const struct port_object *peer = named(intent, port);

	return peer && peer != port && named(intent, peer) == port && same_host(intent, port, peer)
		       ? peer
		       : NULL;
}

size_t intent_links(const struct intent *intent, uint32_t **ids)
{
	size_t count = 0;

	*ids = xcalloc(map_count(&intent->links), sizeof(**ids));
	MAP_FOR_EACH(&intent->links, it)
		memcpy(&(*ids)[count++], it.key, sizeof(**ids));
	return count;
}

size_t intent_patches(const struct intent *intent, uint32_t **ids)
{
	size_t count = intent_links(intent, ids), patches = 0;

	for (size_t i = 0; i < count; i++) {
		const struct port_object *port =
			(const struct port_object *)intent_object(intent, (*ids)[i]);

		if (port && port->attach.kind == ATTACH_PATCH)
			(*ids)[patches++] = (*ids)[i];
	}
	return patches;
}

/* ---- the graph ---- */

static uint32_t set_of(const struct graph *graph, uint32_t node)
{
	while (graph->sets[node] != node)
		node = graph->sets[node];
	return node;
}

static uint32_t node_of(struct graph *graph, const struct intent *intent,
			const struct port_object *port)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)intent_object(intent, port->subnet_id);
	struct node node = { .subnet_id = port->subnet_id };

	if (subnet && subnet->segment.type == SEGMENT_LOCAL)
		snprintf(node.host, sizeof(node.host), "%s", intent_host_name(intent, port->host));
	for (uint32_t i = 0; i < graph->node_count; i++)
		if (graph->nodes[i].subnet_id == node.subnet_id &&
		    strcmp(graph->nodes[i].host, node.host) == 0)
			return i;
	graph->nodes[graph->node_count] = node;
	graph->sets[graph->node_count] = (uint32_t)graph->node_count;
	return (uint32_t)graph->node_count++;
}

static int compare_links(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	return (x->ports[1] > y->ports[1]) - (x->ports[1] < y->ports[1]);
}

static void graph_build(struct graph *graph, const struct intent *intent)
{
	uint32_t *ids;
	size_t count = intent_patches(intent, &ids);

	*graph = (struct graph){
		.nodes = xcalloc(2 * count, sizeof(struct node)),
		.sets = xcalloc(2 * count, sizeof(uint32_t)),
		.links = xcalloc(count, sizeof(struct link)),
	};
	for (size_t i = 0; i < count; i++) {
		const struct port_object *port =
			(const struct port_object *)intent_object(intent, ids[i]);
		const struct port_object *peer = port ? peer_of(intent, port) : NULL;
		struct link *link = &graph->links[graph->link_count];

		if (!peer || peer->object.id < port->object.id)
			continue;
		*link = (struct link){
			.ports = { port->object.id, peer->object.id },
			.nodes = { node_of(graph, intent, port), node_of(graph, intent, peer) },
		};
		graph->link_count++;
	}
	free(ids);
	qsort(graph->links, graph->link_count, sizeof(*graph->links), compare_links);
	for (size_t i = 0; i < graph->link_count; i++) {
		struct link *link = &graph->links[i];
		uint32_t a = set_of(graph, link->nodes[0]), b = set_of(graph, link->nodes[1]);

		link->cut = a == b;
		graph->sets[a] = b;
	}
}

static void graph_free(struct graph *graph)
{
	free(graph->nodes);
	free(graph->sets);
	free(graph->links);
}

/* ---- the circle, for people ---- */

/* Whether @to is reached from @from by living links; the way is written to @path. Return: its length. */
static size_t find_path(const struct graph *graph, uint32_t from, uint32_t to, uint32_t before,
			uint32_t *path)
{
	path[0] = from;
	if (from == to)
		return 1;
	for (size_t i = 0; i < graph->link_count; i++) {
		const struct link *link = &graph->links[i];
		size_t end = link->nodes[1] == from, length;

		if (link->cut || (link->nodes[0] != from && link->nodes[1] != from) ||
		    link->nodes[!end] == before)
			continue;
		length = find_path(graph, link->nodes[!end], to, from, path + 1);
		if (length)
			return length + 1;
	}
	return 0;
}

static void describe_circle(const struct graph *graph, const struct link *link,
			    const struct intent *intent, struct patch *patch)
{
	uint32_t *path = xcalloc(graph->node_count + 1, sizeof(*path));
	size_t length = find_path(graph, link->nodes[0], link->nodes[1], UINT32_MAX, path);
	size_t size = sizeof(patch->sentence), used;

	used = (size_t)snprintf(patch->sentence, size, "cut, for it would close a circle:");
	path[length] = link->nodes[0];
	for (size_t i = 0; i <= length && used < size; i++) {
		const struct object *subnet =
			intent_object(intent, graph->nodes[path[i]].subnet_id);
		const struct object *vpc = subnet ? intent_object(intent, subnet->vpc_id) : NULL;

		used += (size_t)snprintf(patch->sentence + used, size - used, "%s %s/%s",
					 i ? " -" : "", vpc ? vpc->name : "?",
					 subnet ? subnet->name : "?");
	}
	free(path);
}

/* ---- contracts in patches.h ---- */

void intent_patch(const struct intent *intent, const struct port_object *port, struct patch *patch)
{
	const struct port_object *other = named(intent, port), *peer = peer_of(intent, port);
	struct graph graph;

	*patch = (struct patch){ 0 };
	if (!peer) {
		snprintf(patch->sentence, sizeof(patch->sentence),
			 !other                         ? "there is no port %s"
			 : named(intent, other) == port ? "port %s is on another host"
							: "port %s does not name this one",
			 port->attach.peer);
		return;
	}
	graph_build(&graph, intent);
	for (size_t i = 0; i < graph.link_count; i++) {
		const struct link *link = &graph.links[i];

		if (link->ports[0] != port->object.id && link->ports[1] != port->object.id)
			continue;
		patch->cut = link->cut;
		if (link->cut)
			describe_circle(&graph, link, intent, patch);
		else
			patch->peer_id = peer->object.id;
	}
	graph_free(&graph);
}
