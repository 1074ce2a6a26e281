/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The planner's memory: numbers of group sets, ids of classifiers, which port is in which set.
 *
 * Numbers only grow. After a restart the planner starts behind the numbers that the live tables
 * hold. Group sets get their old numbers back where it is plain which they are: an endpoint row in
 * the table says which number its port's set had, the intent says which groups the port has.
 * Without that, a restart would rename the groups of all endpoints one by one, and rules that name
 * a group would miss some of them for as long as that takes.
 *
 * Neighbours: planner.h (the contract), plan.c, dirty.c.
 */
#include "model/planner.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* ---- life ---- */

struct planner *planner_new(void)
{
	struct planner *planner = xcalloc(1, sizeof(*planner));

	planner->next_set = 1;
	planner->ids.next_classifier = 1;
	planner->ids.next_words = 1;
	planner->next_peer = PEER_ID_FIRST;
	planner->next_tunnel = 1;
	return planner;
}

bool planner_has_mirrors(const struct planner *planner)
{
	return planner->mirrors;
}

static void group_set_free(void *value)
{
	struct group_set *set = value;

	classifier_free(set->egress);
	classifier_free(set->ingress);
	free(set);
}

static void group_set_list_free(void *value)
{
	struct group_set_list *list = value;

	free(list->list);
	free(list);
}

static void acl_state_free(void *value)
{
	struct acl_state *state = value;

	classifier_free(state->egress);
	classifier_free(state->ingress);
	free(state);
}

void planner_free(struct planner *planner)
{
	if (!planner)
		return;
	map_fini(&planner->sets, group_set_free);
	map_fini(&planner->sets_by_id, NULL);
	map_fini(&planner->sets_of_group, group_set_list_free);
	map_fini(&planner->set_of_port, NULL);
	map_fini(&planner->acls, acl_state_free);
	map_fini(&planner->found, NULL);
	planner_tunnels_fini(planner);
	free(planner);
}

/* ---- what the tables hold ---- */

static void reserve(uint32_t *next, uint32_t used)
{
	if (used >= *next)
		*next = used + 1;
}

/* Tables that are not asked about hold no ids of ours. */
void planner_reserve(struct planner *planner, enum table_id table, const void *key,
		     const void *value)
{
	planner_reserve_tunnels(planner, table, key, value);
	if (table == TABLE_policies) {
		const struct policy_key *policy_key = key;
		const struct policy *policy = value;

		reserve(&planner->next_set, policy_key->group_set_id);
		reserve(&planner->ids.next_classifier, policy->egress);
		reserve(&planner->ids.next_classifier, policy->ingress);
	} else if (table == TABLE_subnets) {
		const struct subnet *subnet = value;

		reserve(&planner->ids.next_classifier, subnet->acl_egress);
		reserve(&planner->ids.next_classifier, subnet->acl_ingress);
	} else if (table == TABLE_rules) {
		const struct rule_key *rule_key = key;

		reserve(&planner->ids.next_classifier, rule_key->classifier_id);
	} else if (table == TABLE_classifier_addresses) {
		const struct classifier_address_key *address_key = key;

		reserve(&planner->ids.next_classifier, address_key->classifier_id);
	} else if (table == TABLE_classifier_services) {
		const struct classifier_service_key *service_key = key;

		reserve(&planner->ids.next_classifier, service_key->classifier_id);
	} else if (table == TABLE_classifier_groups) {
		const struct classifier_group_key *group_key = key;

		reserve(&planner->ids.next_classifier, group_key->classifier_id);
		reserve(&planner->next_set, group_key->group_set_id);
	} else if (table == TABLE_rule_words) {
		const struct rule_word_key *word_key = key;

		reserve(&planner->ids.next_words, word_key->row_id);
	} else if (table == TABLE_ports) {
		const struct port *port = value;

		reserve(&planner->next_set, port->group_set_id);
	} else if (table == TABLE_endpoints) {
		const struct endpoint *endpoint = value;

		reserve(&planner->next_set, endpoint->group_set_id);
		if (endpoint->port_id && endpoint->group_set_id)
			map_put_u32(&planner->found, endpoint->port_id,
				    (void *)(uintptr_t)endpoint->group_set_id);
	}
}

/* ---- sets ---- */

struct set_key {
	size_t size; /* bytes of words that count */
	uint32_t words[PORT_GROUPS_MAX + 1];
};

static struct set_key set_key_make(const uint32_t *group_ids, size_t count)
{
	struct set_key key = { 0 };

	key.words[0] = (uint32_t)count;
	if (count)
		memcpy(key.words + 1, group_ids, count * sizeof(*group_ids));
	key.size = (count + 1) * sizeof(key.words[0]);
	return key;
}

static struct group_set *set_new(struct planner *planner, const struct set_key *key, uint32_t id)
{
	size_t count = key->words[0];
	struct group_set *set = xcalloc(1, sizeof(*set) + count * sizeof(set->group_ids[0]));

	set->id = id;
	set->egress = classifier_new();
	set->ingress = classifier_new();
	set->group_count = count;
	memcpy(set->group_ids, key->words + 1, count * sizeof(set->group_ids[0]));
	map_put(&planner->sets, key->words, key->size, set);
	map_put_u32(&planner->sets_by_id, id, set);
	return set;
}

struct group_set *planner_set_of_groups(struct planner *planner, const uint32_t *group_ids,
					size_t count)
{
	struct set_key key;
	struct group_set *set;

	if (count > PORT_GROUPS_MAX)
		count = PORT_GROUPS_MAX;
	key = set_key_make(group_ids, count);
	set = map_get(&planner->sets, key.words, key.size);
	return set ? set : set_new(planner, &key, planner->next_set++);
}

struct group_set *planner_set_of_tunnel(struct planner *planner, const struct tunnel_object *tunnel)
{
	if (!tunnel->filtered)
		return NULL;
	return planner_set_of_groups(planner, tunnel->group_ids, tunnel->group_count);
}

uint32_t planner_group_set(struct planner *planner, const uint32_t *group_ids, size_t count)
{
	return planner_set_of_groups(planner, group_ids, count)->id;
}

struct group_set *planner_set_by_id(const struct planner *planner, uint32_t id)
{
	return map_get_u32(&planner->sets_by_id, id);
}

const struct group_set_list *planner_sets_of_group(const struct planner *planner, uint32_t group_id)
{
	static const struct group_set_list none;
	const struct group_set_list *list = map_get_u32(&planner->sets_of_group, group_id);

	return list ? list : &none;
}

void planner_set_forget(struct planner *planner, struct group_set *set)
{
	struct set_key key = set_key_make(set->group_ids, set->group_count);

	map_remove(&planner->sets, key.words, key.size);
	map_remove_u32(&planner->sets_by_id, set->id);
	group_set_free(set);
}

/* ---- ports ---- */

static void set_list(struct planner *planner, struct group_set *set)
{
	for (size_t i = 0; i < set->group_count; i++) {
		struct group_set_list *list =
			map_get_u32(&planner->sets_of_group, set->group_ids[i]);

		if (!list) {
			list = xcalloc(1, sizeof(*list));
			map_put_u32(&planner->sets_of_group, set->group_ids[i], list);
		}
		if (list->count == list->room) {
			list->room = list->room ? list->room * 2 : 4;
			list->list =
				xreallocarray(list->list, list->room, sizeof(struct group_set *));
		}
		list->list[list->count++] = set;
	}
}

static void set_unlist(struct planner *planner, const struct group_set *set)
{
	for (size_t i = 0; i < set->group_count; i++) {
		struct group_set_list *list =
			map_get_u32(&planner->sets_of_group, set->group_ids[i]);

		for (size_t j = 0; list && j < list->count; j++) {
			if (list->list[j] == set)
				list->list[j] = list->list[--list->count];
		}
		if (list && !list->count) {
			map_remove_u32(&planner->sets_of_group, set->group_ids[i]);
			group_set_list_free(list);
		}
	}
}

bool planner_port_move(struct planner *planner, uint32_t port_id, struct group_set *set,
		       struct group_set **emptied)
{
	struct group_set *had = map_get_u32(&planner->set_of_port, port_id);

	*emptied = NULL;
	if (had == set)
		return false;
	if (had && !--had->port_count) {
		set_unlist(planner, had);
		*emptied = had;
	}
	if (!set) {
		map_remove_u32(&planner->set_of_port, port_id);
		return false;
	}
	map_put_u32(&planner->set_of_port, port_id, set);
	if (set->port_count++)
		return false;
	set_list(planner, set);
	return true;
}

/* ---- all ports ---- */

/* What a number found in the tables stands for, as far as its ports agree. */
struct found_set {
	bool differs;
	struct set_key key;
};

/* Give sets their numbers of before the restart back. Runs once, before any port is counted. */
static void found_adopt(struct planner *planner, const struct object *const *ports, size_t count)
{
	struct map numbers = { 0 }; /* number -> struct found_set */

	for (size_t i = 0; i < count; i++) {
		const struct port_object *port = (const struct port_object *)ports[i];
		uintptr_t id = (uintptr_t)map_get_u32(&planner->found, port->object.id);
		struct set_key key = set_key_make(port->group_ids, port->group_count);
		struct found_set *found;

		if (!id)
			continue;
		found = map_get_u32(&numbers, (uint32_t)id);
		if (!found) {
			found = xcalloc(1, sizeof(*found));
			found->key = key;
			map_put_u32(&numbers, (uint32_t)id, found);
		} else if (found->key.size != key.size ||
			   memcmp(found->key.words, key.words, key.size) != 0) {
			found->differs = true;
		}
	}
	MAP_FOR_EACH(&numbers, it) {
		const struct found_set *found = it.value;
		uint32_t id = *(const uint32_t *)it.key;

		if (!found->differs && !planner_set_by_id(planner, id) &&
		    !map_get(&planner->sets, found->key.words, found->key.size))
			set_new(planner, &found->key, id);
	}
	map_fini(&numbers, free);
	map_fini(&planner->found, NULL);
}

/* Every port, or every tunnel, of the intent. The array is the caller's to free(). */
static size_t ports_list(const struct intent *intent, enum object_kind kind,
			 const struct object ***ports)
{
	const struct object **vpcs, **all = NULL;
	size_t vpc_count = intent_list(intent, 0, OBJECT_VPC, &vpcs);
	size_t count = 0;

	for (size_t i = 0; i < vpc_count; i++) {
		const struct object **some;
		size_t some_count = intent_list(intent, vpcs[i]->id, kind, &some);

		all = xreallocarray(all, count + some_count, sizeof(const struct object *));
		if (some_count)
			memcpy(all + count, some, some_count * sizeof(const struct object *));
		count += some_count;
		free(some);
	}
	free(vpcs);
	*ports = all;
	return count;
}

void planner_recount(struct planner *planner, const struct intent *intent)
{
	const struct object **ports;
	struct group_set *emptied;
	size_t count = ports_list(intent, OBJECT_PORT, &ports);

	if (map_count(&planner->found))
		found_adopt(planner, ports, count);
	MAP_FOR_EACH(&planner->set_of_port, it) {
		uint32_t port_id = *(const uint32_t *)it.key;

		if (!intent_object(intent, port_id))
			planner_port_move(planner, port_id, NULL, &emptied);
	}
	for (size_t i = 0; i < count; i++) {
		const struct port_object *port = (const struct port_object *)ports[i];

		planner_port_move(planner, port->object.id,
				  planner_set_of_groups(planner, port->group_ids,
							port->group_count),
				  &emptied);
	}
	free(ports);
	count = ports_list(intent, OBJECT_TUNNEL, &ports);
	for (size_t i = 0; i < count; i++) {
		const struct tunnel_object *tunnel = (const struct tunnel_object *)ports[i];

		planner_port_move(planner, tunnel->object.id,
				  planner_set_of_tunnel(planner, tunnel), &emptied);
	}
	free(ports);
}

/* ---- ACLs ---- */

struct acl_state *planner_acl(struct planner *planner, uint32_t acl_id)
{
	struct acl_state *state = map_get_u32(&planner->acls, acl_id);

	if (!state) {
		state = xcalloc(1, sizeof(*state));
		state->egress = classifier_new();
		state->ingress = classifier_new();
		map_put_u32(&planner->acls, acl_id, state);
	}
	return state;
}

void planner_acl_forget(struct planner *planner, uint32_t acl_id)
{
	struct acl_state *state = map_remove_u32(&planner->acls, acl_id);

	if (state)
		acl_state_free(state);
}
