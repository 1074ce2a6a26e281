/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts that route VPCs for others: are they there?
 *
 * A host forwards without its daemon and without the store, so neither says that it is gone. It is
 * away when its lease has ended, and its underlay address, which did answer echo requests before,
 * does not any more: its kernel does that. While the router is away, what would go there is dropped
 * where it is sent from, by a verdict that names the host; else nobody could tell what becomes of
 * it.
 *
 * Neighbours: cluster.c (leases), keepalive.c (asks), model/plan_tunnel.c (plan_router).
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/cluster/cluster_private.h"
#include "agent/reconcile_private.h"

#define ASK_SECONDS 3
#define ASK_RETRIES 3

bool cluster_host_away(void *context, uint32_t host_id)
{
	const struct cluster *cluster = context;
	const struct other_host *other = map_get_u32(&cluster->others, host_id);

	return other && other->away;
}

void cluster_settle_away(struct cluster *cluster, uint32_t host_id)
{
	struct other_host *other = map_get_u32(&cluster->others, host_id);
	struct keepalive_state state = { .life = KEEPALIVE_UNKNOWN };
	bool away;

	if (!other || !cluster->reconcile)
		return;
	if (cluster->keepalives)
		keepalives_get(cluster->keepalives, host_id, &state);
	other->answered |= state.life == KEEPALIVE_UP;
	away = !other->alive && other->answered && state.life == KEEPALIVE_DOWN;
	if (other->away == away)
		return;
	other->away = away;
	reconcile_router_changed(cluster->reconcile, host_id);
	cluster_refresh_routers(cluster);
}

static bool is_target(const struct keepalive_target *targets, size_t count, uint32_t id)
{
	for (size_t i = 0; i < count; i++)
		if (targets[i].tunnel_id == id)
			return true;
	return false;
}

size_t cluster_router_targets(const struct cluster *cluster, const struct host_object *own,
			      const uint32_t *vpc_ids, size_t vpc_count,
			      struct keepalive_target *targets, size_t count)
{
	const struct intent *intent = reconcile_intent(cluster->reconcile);

	for (size_t i = 0; i < vpc_count; i++) {
		const struct host_object *router = intent_router(intent, vpc_ids[i]);
		struct path_target path;

		if (!router || router == own || is_target(targets, count, router->object.id) ||
		    !cluster_choose_path(own, router, &path))
			continue;
		targets[count++] = (struct keepalive_target){
			.tunnel_id = router->object.id,
			.local = path.local,
			.remote = path.remote,
			.interval = ASK_SECONDS,
			.retries = ASK_RETRIES,
		};
	}
	return count;
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
