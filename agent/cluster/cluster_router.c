/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts that route VPCs for others: are they there?
 *
 * A host is away when its lease has ended and the underlay has no answer of it either. One of the two alone says too
 * little: a host that is cut off from the store goes on forwarding, and one that answers no probe may be behind a
 * filter that lets tunnels pass. While the router is away, what would go there is dropped where it is sent from, by
 * a verdict that names the host; else nobody could tell what becomes of it.
 *
 * Neighbours: cluster.c (leases), cluster_paths.c (the underlay), model/plan_tunnel.c (plan_router).
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/cluster/cluster_private.h"
#include "agent/reconcile_private.h"

bool cluster_host_away(void *context, uint32_t host_id)
{
	const struct cluster *cluster = context;
	const struct other_host *other = map_get_u32(&cluster->others, host_id);

	return other && other->away;
}

void cluster_settle_away(struct cluster *cluster, uint32_t host_id)
{
	struct other_host *other = map_get_u32(&cluster->others, host_id);
	struct path_state state;
	bool away;

	if (!other || !cluster->reconcile)
		return;
	away = !other->alive && path_probes_get(cluster->probes, host_id, &state) &&
	       state.since_ns && !state.answers;
	if (other->away == away)
		return;
	other->away = away;
	reconcile_router_changed(cluster->reconcile, host_id);
	cluster_refresh_routers(cluster);
}

void cluster_refresh_routers(struct cluster *cluster)
{
	struct problems *problems = &cluster->reconcile->problems;
	const struct intent *intent = reconcile_intent(cluster->reconcile);
	const struct object **vpcs;
	size_t count = intent_list(intent, 0, OBJECT_VPC, &vpcs);

	for (size_t i = 0; i < count; i++) {
		const struct host_object *router = intent_router(intent, vpcs[i]->id);
		char text[300];

		if (!router || !intent_has_part(intent, "", vpcs[i]->id) ||
		    !cluster_host_away(cluster, router->object.id)) {
			problems_clear(problems, PROBLEM_ROUTER, vpcs[i]->id);
			continue;
		}
		snprintf(text, sizeof(text),
			 "host %s routes vpc %s and is not there: its subnets do not reach one "
			 "another",
			 router->object.name, vpcs[i]->name);
		problems_raise(problems, PROBLEM_ROUTER, vpcs[i]->id, text);
	}
	free(vpcs);
}
