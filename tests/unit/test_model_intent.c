/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model/intent: the indexes. After each step of a changing intent, lists, owners and reverse references
 * are compared with what a walk over all objects finds.
 */
#include "model/intent_private.h"
#include "tests/unit/model_cases.h"

/* Hosts that name a host as a peer; nobody but a test asks. */
static size_t peers_of_host(const struct intent *intent, uint32_t host_id, uint32_t **ids)
{
	return set_list(intent_referrers(intent, REFERENCE_HOST_HOST, host_id), ids);
}

/* The kinds of reference, and how the intent answers them. */
static size_t (*const questions[REFERENCES])(const struct intent *, uint32_t, uint32_t **) = {
	[REFERENCE_PORT_SUBNET] = intent_ports_of_subnet,
	[REFERENCE_PORT_GROUP] = intent_ports_of_group,
	[REFERENCE_SUBNET_TABLE] = intent_subnets_of_table,
	[REFERENCE_SUBNET_ACL] = intent_subnets_of_acl,
	[REFERENCE_TABLE_PORT] = intent_tables_with_port,
	[REFERENCE_GROUP_GROUP] = intent_groups_naming_group,
	[REFERENCE_TUNNEL_SUBNET] = intent_tunnels_of_subnet,
	[REFERENCE_HOST_HOST] = peers_of_host,
};

struct search {
	enum reference reference;
	uint32_t target_id;
	bool found;
};

static void search_reference(void *context, enum reference reference, uint32_t target_id)
{
	struct search *search = context;

	if (reference == search->reference && target_id == search->target_id)
		search->found = true;
}

/* Every id there ever was, whether it is an object's or not, against all objects. */
static void check_references(const struct intent *intent)
{
	for (uint32_t target = 1; target < intent->next_id; target++) {
		for (enum reference reference = 0; reference < REFERENCES; reference++) {
			uint32_t *ids;
			size_t count = questions[reference](intent, target, &ids), expected = 0;

			for (uint32_t id = 1; id < intent->next_id; id++) {
				struct search search = { reference, target, false };

				if (!intent_object(intent, id))
					continue;
				object_references(intent_object(intent, id), search_reference,
						  &search);
				if (!search.found)
					continue;
				assert_true(expected < count);
				assert_int_equal(ids[expected++], id);
			}
			assert_int_equal(count, expected);
			free(ids);
		}
	}
}

static void check_lists(const struct intent *intent)
{
	size_t listed = 0, vpc_count;
	const struct object **vpcs;

	vpc_count = intent_list(intent, 0, OBJECT_VPC, &vpcs);
	for (size_t i = 0; i < vpc_count; i++) {
		for (enum object_kind kind = OBJECT_SUBNET; kind < OBJECT_KINDS; kind++) {
			const struct object **list;
			size_t count = intent_list(intent, vpcs[i]->id, kind, &list);

			for (size_t j = 0; j < count; j++) {
				assert_int_equal(list[j]->kind, kind);
				assert_int_equal(list[j]->vpc_id, vpcs[i]->id);
				assert_ptr_equal(intent_object(intent, list[j]->id), list[j]);
				assert_ptr_equal(intent_find(intent, vpcs[i]->name, kind,
							     list[j]->name),
						 list[j]);
				if (j)
					assert_true(strcmp(list[j - 1]->name, list[j]->name) < 0);
			}
			listed += count;
			free(list);
		}
		listed++;
	}
	free(vpcs);
	assert_int_equal(listed, map_count(&intent->objects));
	assert_int_equal(listed, map_count(&intent->names));
}

static void check_owners(const struct intent *intent)
{
	size_t addresses = 0, ports = 0, attached = 0;

	for (uint32_t id = 1; id < intent->next_id; id++) {
		const struct object *object = intent_object(intent, id);
		const struct port_object *port = (const struct port_object *)object;

		if (!object || object->kind != OBJECT_PORT)
			continue;
		for (size_t i = 0; i < port->address_count; i++)
			assert_int_equal(intent_address_owner(intent, object->vpc_id,
							      &port->addresses[i]),
					 id);
		addresses += port->address_count;
		attached += port->attach.kind != ATTACH_NONE;
		ports++;
	}
	/* Nothing is left of ports that are gone. */
	assert_int_equal(map_count(&intent->addresses), addresses);
	assert_int_equal(map_count(&intent->macs), ports);
	assert_int_equal(map_count(&intent->attachments), attached);
}

static void check_everything(const struct intent *intent)
{
	check_references(intent);
	check_lists(intent);
	check_owners(intent);
}

static void test_indexes(void **state)
{
	struct intent *intent = intent_new();
	static const struct {
		enum request request;
		const char *path, *body;
	} steps[] = {
		{ REQUEST_APPLY, NULL,
		  "{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],"
		  "'subnets':{'web':{'cidr':'10.0.1.0/24'},'db':{'cidr':'10.0.2.0/24','acl':'e',"
		  "'route_table':'t'}},'acls':{'e':{},'f':{}},"
		  "'security_groups':{'a':{'ingress':[{'protocol':'all','from':'group:b'}]},'b':{}},"
		  "'route_tables':{'t':{'routes':[{'to':'0.0.0.0/0','via':['port:p','port:q']},"
		  "{'to':'11.0.0.0/8','via':'port:p'}]}},"
		  "'ports':{'p':{'subnet':'web','attach':{'netns':'n'}},"
		  "'q':{'subnet':'db','security_groups':['a','b'],'attach':{'tap':'t'}}}},"
		  "'red':{'cidrs':['10.0.0.0/16'],'subnets':{'web':{'cidr':'10.0.1.0/24'}},"
		  "'ports':{'p':{'subnet':'web','attach':{'pid':7}}}}}}" },
		{ REQUEST_PATCH, "vpcs/blue/ports/q", "{'security_groups':['b'],'subnet':'web'}" },
		{ REQUEST_PATCH, "vpcs/blue/ports/q", "{'attach':{'tap':'u'}}" },
		{ REQUEST_REMOVE, "vpcs/blue/ports/p", NULL },
		{ REQUEST_PUT, "vpcs/blue/ports/p", "{'subnet':'db'}" },
		{ REQUEST_PATCH, "vpcs/blue/subnets/db", "{'acl':'f','route_table':null}" },
		{ REQUEST_PUT, "vpcs/blue/route_tables/main",
		  "{'routes':[{'to':'11.0.0.0/8',"
		  "'via':'port:q'}]}" },
		{ REQUEST_REMOVE, "vpcs/blue/route_tables/t", NULL },
		{ REQUEST_PUT, "vpcs/blue/security_groups/a", "{}" },
		{ REQUEST_REMOVE, "vpcs/red", NULL },
		{ REQUEST_PATCH, "vpcs/blue", "{'main_route_table':'main','ports':{'p':null}}" },
		{ REQUEST_APPLY, NULL, "{'vpcs':{}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		request(intent, steps[i].request, steps[i].path, steps[i].body, NULL);
		check_everything(intent);
	}
	assert_int_equal(map_count(&intent->objects), 0);
	assert_int_equal(map_count(&intent->members), 0);
	assert_int_equal(map_count(&intent->parts), 0);
	assert_int_equal(map_count(&intent->route_names), 0);
	assert_int_equal(map_count(&intent->spaces), 0);
	intent_free(intent);
}

static void test_empty(void **state)
{
	struct intent *intent = intent_new();
	const struct object **list;
	uint32_t *ids;

	(void)state;
	assert_int_equal(intent_list(intent, 0, OBJECT_VPC, &list), 0);
	free(list);
	assert_int_equal(intent_ports_of_subnet(intent, 1, &ids), 0);
	free(ids);
	assert_null(intent_object(intent, 0));
	assert_null(intent_find(intent, "blue", OBJECT_VPC, "blue"));
	intent_free(intent);
	intent_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_indexes),
	};

	return cmocka_run_group_tests_name("model_intent", tests, NULL, NULL);
}
