/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/api*.c: routes against openapi.json, answers, refusals, concurrency.
 */
#include <arpa/inet.h>

#include "tests/unit/agent_world.h"

#include "agent/api/openapi.h"

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* ---- the description ---- */

static json_t *load_description(void)
{
	struct error error = { 0 };
	json_t *document;

	if (json_load_text(openapi_text, openapi_len(), 1U << 20, &document, &error))
		fail_msg("openapi.json: %s", error.text);
	return document;
}

static void lower(const char *text, char *lowered)
{
	do
		*lowered++ = *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text;
	while (*text++);
}

static void every_route_is_described(void **state)
{
	json_t *document = load_description(), *paths = json_object_get(document, "paths");
	const char *method, *pattern;
	char lowered[16];

	(void)state;
	for (size_t i = 0; api_route_at(i, &method, &pattern); i++) {
		lower(method, lowered);
		if (!json_object_get(json_object_get(paths, pattern), lowered))
			fail_msg("%s %s is served but not described", method, pattern);
	}
	json_decref(document);
}

static bool is_served(const char *lowered, const char *path)
{
	const char *method, *pattern;
	char served[16];

	for (size_t i = 0; api_route_at(i, &method, &pattern); i++) {
		lower(method, served);
		if (strcmp(served, lowered) == 0 && strcmp(pattern, path) == 0)
			return true;
	}
	return false;
}

static void everything_described_is_served(void **state)
{
	json_t *document = load_description(), *item, *operation;
	const char *path, *method;
	size_t count = 0;

	(void)state;
	json_object_foreach(json_object_get(document, "paths"), path, item) {
		json_object_foreach(item, method, operation) {
			if (strcmp(method, "parameters") == 0)
				continue;
			count++;
			if (!is_served(method, path))
				fail_msg("%s %s is described but not served", method, path);
			assert_non_null(json_object_get(operation, "operationId"));
			assert_non_null(json_object_get(operation, "responses"));
		}
	}
	assert_true(count > 40);
	json_decref(document);
}

/* Every reference in the description leads somewhere. */
static void check_references(const json_t *root, const json_t *value)
{
	const char *key;
	json_t *entry;
	size_t index;

	if (json_is_array(value)) {
		json_array_foreach(value, index, entry)
			check_references(root, entry);
		return;
	}
	json_object_foreach((json_t *)value, key, entry) {
		const json_t *found = root;
		char *path, *rest, *part;

		if (strcmp(key, "$ref") != 0) {
			check_references(root, entry);
			continue;
		}
		rest = path = strdup(json_string_value(entry));
		strsep(&rest, "/"); /* the "#" */
		while (found && (part = strsep(&rest, "/")))
			found = json_object_get(found, part);
		if (!found)
			fail_msg("%s leads nowhere", json_string_value(entry));
		free(path);
	}
}

static void references_lead_somewhere(void **state)
{
	json_t *document = load_description();

	(void)state;
	check_references(document, document);
	json_decref(document);
}

/* Keys of an answer are those that the schema names, and required ones are there. */
static void check_schema(const char *name, const json_t *answer)
{
	json_t *document = load_description();
	json_t *schema = json_object_get(
		json_object_get(json_object_get(document, "components"), "schemas"), name);
	json_t *properties = json_object_get(schema, "properties"), *entry;
	const char *key;
	size_t index;

	assert_non_null(schema);
	json_object_foreach((json_t *)answer, key, entry)
		if (!json_object_get(properties, key))
			fail_msg("%s.%s is answered but not described", name, key);
	json_array_foreach(json_object_get(schema, "required"), index, entry)
		if (!json_object_get(answer, json_string_value(entry)))
			fail_msg("%s.%s is required but not answered", name,
				 json_string_value(entry));
	json_decref(document);
}

/* ---- objects ---- */

static void an_object_is_made_read_changed_removed(void **state)
{
	struct world *world = *state;

	world_expect(world, 201, "PUT", "/v1/vpcs/blue", "{'cidrs': ['10.0.0.0/16']}");
	assert_true(world->etag[0] == '"');
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/subnets/web", "{'cidr': '10.0.1.0/24'}");
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/ports/web1",
		     "{'subnet': 'web', 'address': '10.0.1.11'}");
	world_expect(world, 200, "GET", "/v1/vpcs/blue/ports/web1", NULL);
	check_schema("Port", world->answer);
	assert_string_equal(world_text(world, "subnet"), "web");
	assert_string_equal(world_text(world, "status.state"), "waiting");
	check_schema("PortStatus", json_object_get(world->answer, "status"));
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/ports/web1",
		     "{'source_destination_check': false}");
	assert_true(json_is_false(json_object_get(world->answer, "source_destination_check")));
	world_expect(world, 200, "DELETE", "/v1/vpcs/blue/ports/web1", NULL);
	check_schema("Applied", world->answer);
	check_schema("Change", json_array_get(json_object_get(world->answer, "changes"), 0));
	assert_string_equal(world_text(world, "changes.0.text"), "- port blue/web1");
	assert_string_equal(world_text(world, "changes.0.name"), "blue/web1");
	world_expect(world, 404, "GET", "/v1/vpcs/blue/ports/web1", NULL);
	world_expect(world, 200, "DELETE", "/v1/vpcs/blue", NULL);
	world_expect(world, 404, "GET", "/v1/vpcs/blue", NULL);
}

static void every_kind_can_be_read_back_and_written(void **state)
{
	static const char *const paths[] = {
		"/v1/vpcs/blue",
		"/v1/vpcs/blue/subnets/web",
		"/v1/vpcs/blue/ports/web1",
		"/v1/vpcs/blue/route_tables/main",
		"/v1/vpcs/blue/security_groups/web",
	};
	static const char *const schemas[] = { "Vpc", "Subnet", "Port", "RouteTable",
					       "SecurityGroup" };
	struct world *world = *state;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		uint64_t revision = reconcile_revision(world->reconcile);
		char *body;

		world_expect(world, 200, "GET", paths[i], NULL);
		check_schema(schemas[i], world->answer);
		body = json_dumps(world->answer, 0);
		world_expect(world, 200, "PUT", paths[i], body);
		assert_int_equal(reconcile_revision(world->reconcile), revision);
		free(body);
	}
}

static void hosts_and_tunnels_are_objects_too(void **state)
{
	struct world *world = *state;

	world_expect(world, 201, "PUT", "/v1/hosts/h1", "{'underlay': '192.0.2.1/24'}");
	world_expect(world, 201, "PUT", "/v1/hosts/h2",
		     "{'underlay': '192.0.2.2/24', 'peers': {'h1': {'encapsulation': 'gre'}}}");
	world_expect(world, 200, "GET", "/v1/hosts/h2", NULL);
	check_schema("Host", world->answer);
	assert_string_equal(world_text(world, "underlay.0"), "192.0.2.2/24");
	assert_true(world->etag[0] == '"');
	world_expect(world, 200, "GET", "/v1/hosts", NULL);
	assert_non_null(json_object_get(world->answer, "h1"));
	world_expect(world, 409, "DELETE", "/v1/hosts/h1", NULL);
	world_expect(world, 404, "GET", "/v1/hosts/h3", NULL);
	world_expect(world, 200, "PATCH", "/v1/hosts/h2", "{'peers': null, 'mtu': 9000}");
	world_expect(world, 200, "DELETE", "/v1/hosts/h1", NULL);
	assert_string_equal(world_text(world, "changes.0.text"), "- host h1");
	assert_string_equal(world_text(world, "changes.0.name"), "h1");
	world_expect(world, 201, "PUT", "/v1/vpcs/blue", "{'cidrs': ['10.0.0.0/16']}");
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/tunnels/site",
		     "{'type': 'ipip', 'remote': '198.51.100.7', 'host': 'h2', "
		     "'keepalive': {'interval': 10}}");
	world_expect(world, 200, "GET", "/v1/vpcs/blue/tunnels/site", NULL);
	check_schema("Tunnel", world->answer);
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/subnets/web",
		     "{'cidr': '10.0.1.0/24', 'segment': {'type': 'overlay', 'id': 7}}");
	world_expect(world, 200, "GET", "/v1/vpcs/blue/subnets/web", NULL);
	check_schema("Segment", json_object_get(world->answer, "segment"));
}

static void collections_are_objects_by_name(void **state)
{
	struct world *world = *state;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	world_expect(world, 200, "GET", "/v1/vpcs", NULL);
	assert_int_equal(json_object_size(world->answer), 2);
	world_expect(world, 200, "GET", "/v1/vpcs/blue/ports", NULL);
	assert_int_equal(json_object_size(world->answer), 2);
	assert_string_equal(world_text(world, "db1.status.state"), "waiting");
	world_expect(world, 404, "GET", "/v1/vpcs/green/ports", NULL);
	world_expect(world, 405, "DELETE", "/v1/vpcs/blue/ports", NULL);
}

/* ---- concurrency ---- */

static void if_match_guards_a_change(void **state)
{
	struct world *world = *state;
	struct api_request request = {
		.method = "PATCH",
		.path = "/v1/vpcs/blue",
		.body = "{\"mtu\": 1400}",
		.body_size = 13,
	};
	char old[32];

	world_expect(world, 201, "PUT", "/v1/vpcs/blue", "{'cidrs': ['10.0.0.0/16']}");
	snprintf(old, sizeof(old), "%s", world->etag);
	request.if_match = old;
	world_send(world, &request);
	assert_int_equal(world->status, 200);
	assert_string_not_equal(world->etag, old);
	request.body = "{\"mtu\": 1300}";
	world_send(world, &request);
	assert_int_equal(world->status, 412);
	world_expect(world, 200, "GET", "/v1/vpcs/blue", NULL);
	assert_int_equal(json_integer_value(json_object_get(world->answer, "mtu")), 1400);
	request.if_match = "*";
	world_send(world, &request);
	assert_int_equal(world->status, 200);
}

static void if_none_match_makes_only_what_is_new(void **state)
{
	struct world *world = *state;
	struct api_request request = {
		.method = "PUT",
		.path = "/v1/vpcs/blue",
		.if_none_match = "*",
		.body = "{\"cidrs\": [\"10.0.0.0/16\"]}",
		.body_size = 26,
	};

	world_send(world, &request);
	assert_int_equal(world->status, 201);
	world_send(world, &request);
	assert_int_equal(world->status, 412);
}

/* ---- apply, export ---- */

static void export_applied_again_changes_nothing(void **state)
{
	struct world *world = *state;
	uint64_t revision;
	char *tree;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	check_schema("Applied", world->answer);
	assert_true(json_array_size(json_object_get(world->answer, "changes")) >= 10);
	revision = reconcile_revision(world->reconcile);
	world_expect(world, 200, "GET", "/v1/export", NULL);
	tree = json_dumps(world->answer, 0);
	world_expect(world, 200, "POST", "/v1/apply", tree);
	assert_int_equal(json_array_size(json_object_get(world->answer, "changes")), 0);
	assert_int_equal(reconcile_revision(world->reconcile), revision);
	free(tree);
}

static void dry_run_changes_nothing(void **state)
{
	struct world *world = *state;

	world_expect(world, 200, "POST", "/v1/apply?dry_run=1", WORLD_TENANTS);
	assert_string_equal(world_text(world, "changes.0.text"), "+ vpc blue");
	assert_string_equal(world_text(world, "changes.0.name"), "blue");
	world_expect(world, 200, "GET", "/v1/vpcs", NULL);
	assert_int_equal(json_object_size(world->answer), 0);
	assert_int_equal(reconcile_revision(world->reconcile), 0);
	world_expect(world, 400, "POST", "/v1/apply?dry_run=maybe", WORLD_TENANTS);
}

static void prune_removes_what_is_not_in_the_tree(void **state)
{
	struct world *world = *state;
	const char *green = "{'vpcs': {'green': {'cidrs': ['10.0.0.0/16']}}}";

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	world_expect(world, 200, "POST", "/v1/apply", green);
	world_expect(world, 200, "GET", "/v1/vpcs", NULL);
	assert_int_equal(json_object_size(world->answer), 3);
	world_expect(world, 200, "POST", "/v1/apply?prune=1", green);
	world_expect(world, 200, "GET", "/v1/vpcs", NULL);
	assert_int_equal(json_object_size(world->answer), 1);
}

static void apply_is_all_or_nothing(void **state)
{
	struct world *world = *state;

	world_expect(world, 400, "POST", "/v1/apply",
		     "{'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'], 'subnets': {'web':"
		     " {'cidr': '10.0.1.0/24'}}, 'ports': {'web1': {'subnet': 'webb'}}}}}");
	assert_string_equal(world_text(world, "error.path"), "vpcs.blue.ports.web1.subnet");
	assert_non_null(strstr(world_text(world, "error.message"), "did you mean"));
	world_expect(world, 200, "GET", "/v1/vpcs", NULL);
	assert_int_equal(json_object_size(world->answer), 0);
}

/* ---- refusals ---- */

static void bad_input_is_refused_with_a_path(void **state)
{
	static const struct {
		const char *body, *path;
	} cases[] = {
		{ "{'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'], 'colour': 1}}}",
		  "vpcs.blue.colour" },
		{ "{'vpcs': {'blue': {'cidrs': 7}}}", "vpcs.blue.cidrs" },
		{ "{'vpcs': []}", "vpcs" },
		{ "{'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'], 'cidrs': ['10.1.0.0/16']}}}",
		  NULL },
		{ "{'vpcs'", NULL },
		{ "[]", NULL },
		{ "{} x", NULL },
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_expect(world, 400, "POST", "/v1/apply", cases[i].body);
		check_schema("Error", world->answer);
		assert_true(strlen(world_text(world, "error.message")) > 5);
		if (cases[i].path)
			assert_string_equal(world_text(world, "error.path"), cases[i].path);
	}
	world_expect(world, 400, "POST", "/v1/apply", NULL);
	assert_int_equal(reconcile_revision(world->reconcile), 0);
}

static void unknown_places_are_404_and_405(void **state)
{
	struct world *world = *state;

	world_expect(world, 404, "GET", "/", NULL);
	world_expect(world, 404, "GET", "/v1", NULL);
	world_expect(world, 404, "GET", "/v1/vpcs/", NULL);
	world_expect(world, 404, "GET", "/v1/vpcs/blue/subnets/web/more/and/more", NULL);
	world_expect(world, 404, "GET", "nonsense", NULL);
	world_expect(world, 404, "PUT", "/v1/vpcs/none/subnets/web", "{'cidr': '10.0.1.0/24'}");
	world_expect(world, 405, "PUT", "/v1/status", "{}");
	world_expect(world, 405, "BREW", "/v1/vpcs", NULL);
}

static void what_is_used_is_not_removed(void **state)
{
	struct world *world = *state;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	world_expect(world, 409, "DELETE", "/v1/vpcs/blue/subnets/web", NULL);
	assert_string_equal(world_text(world, "error.code"), "in_use");
}

static void a_full_store_refuses_and_nothing_changes(void **state)
{
	struct world *world = *state;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	world_store_code = ENOSPC;
	world_put_rows = 0;
	world_expect(world, 507, "DELETE", "/v1/vpcs/blue/ports/web1", NULL);
	assert_string_equal(world_text(world, "error.code"), "storage_full");
	assert_non_null(strstr(world_text(world, "error.message"), "nothing was changed"));
	assert_int_equal(world_put_rows, 0);
	world_store_code = EROFS;
	world_expect(world, 503, "PUT", "/v1/vpcs/green", "{'cidrs': ['10.0.0.0/16']}");
	world_expect(world, 200, "GET", "/v1/status", NULL);
	assert_string_equal(world_text(world, "daemon.state"), "degraded");
	world_expect(world, 200, "GET", "/v1/vpcs/blue/ports/web1", NULL);
	world_store_code = 0;
	world_expect(world, 200, "DELETE", "/v1/vpcs/blue/ports/web1", NULL);
	world_expect(world, 200, "GET", "/v1/status", NULL);
	assert_string_equal(world_text(world, "daemon.state"), "ready");
}

/* ---- the rest ---- */

static void status_and_counters_are_as_described(void **state)
{
	struct world *world = *state;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	world_expect(world, 200, "GET", "/v1/status", NULL);
	check_schema("Status", world->answer);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(world->answer, "objects"), "ports")),
			 3);
	world_expect(world, 200, "GET", "/v1/counters", NULL);
	check_schema("Counters", world->answer);
	assert_int_equal(json_object_size(json_object_get(world->answer, "ports")), 3);
	world_expect(world, 200, "GET", "/v1/counters?name=blue/web1", NULL);
	assert_int_equal(json_object_size(json_object_get(world->answer, "ports")), 1);
	check_schema("PortCounters",
		     json_object_get(json_object_get(world->answer, "ports"), "blue/web1"));
	world_expect(world, 404, "GET", "/v1/counters?name=nobody", NULL);
	world_expect(world, 200, "GET", "/v1/drops", NULL);
	world_expect(world, 404, "GET", "/v1/drops?port=blue/none", NULL);
	world_expect(world, 400, "GET", "/v1/flows?limit=x", NULL);
	world_expect(world, 200, "GET", "/healthz", NULL);
	world_expect(world, 200, "GET", "/openapi.json", NULL);
}

static void metrics_have_names_values_and_help(void **state)
{
	struct world *world = *state;
	struct api_request request = { .method = "GET", .path = "/metrics" };
	struct api_response response;
	char *text, *line, *rest;
	size_t count = 0;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	api_handle(&world->api, &request, &response);
	assert_int_equal(response.status, 200);
	assert_non_null(strstr(response.content_type, "version=0.0.4"));
	rest = text = buf_steal(&response.body, NULL);
	while ((line = strsep(&rest, "\n")) && *line) {
		char name[64];
		double value;

		count++;
		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%63[a-z_]", name), 1);
		assert_int_equal(strncmp(name, "weft_", 5), 0);
		assert_int_equal(sscanf(strrchr(line, ' '), " %lf", &value), 1);
	}
	assert_true(count > 100);
	free(text);
	api_response_fini(&response);
}

static void flows_show_both_directions(void **state)
{
	struct world *world = *state;
	struct flow_key key = { .protocol = 6, .source_port = 0x409c, .destination_port = 0x3815 };
	struct flow_key back = { .protocol = 6, .source_port = 0x3815, .destination_port = 0x409c };
	struct flow flow = {
		.packets = 3, .bytes = 300, .flags = FLOW_ORIGINAL, .state = FLOW_ESTABLISHED
	};
	struct flow reply = { .packets = 2, .bytes = 200, .state = FLOW_ESTABLISHED };
	struct ip_address web1, db1;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	assert_int_equal(ip_address_parse("10.0.1.11", &web1), 0);
	assert_int_equal(ip_address_parse("10.0.2.20", &db1), 0);
	key.port_id =
		intent_find(reconcile_intent(world->reconcile), "blue", OBJECT_PORT, "web1")->id;
	back.port_id =
		intent_find(reconcile_intent(world->reconcile), "blue", OBJECT_PORT, "db1")->id;
	memcpy(&key.source, &web1, 16);
	memcpy(&key.destination, &db1, 16);
	memcpy(&back.source, &db1, 16);
	memcpy(&back.destination, &web1, 16);
	flow.peer_port_id = back.port_id;
	reply.peer_port_id = key.port_id;
	assert_int_equal(datapath_put(world->datapath, TABLE_flows, &key, &flow), 0);
	assert_int_equal(datapath_put(world->datapath, TABLE_flows, &back, &reply), 0);
	world_expect(world, 200, "GET", "/v1/flows?port=blue/db1", NULL);
	assert_int_equal(json_array_size(json_object_get(world->answer, "flows")), 1);
	check_schema("Flow", json_array_get(json_object_get(world->answer, "flows"), 0));
	assert_string_equal(world_text(world, "flows.0.port"), "blue/web1");
	assert_string_equal(world_text(world, "flows.0.peer"), "blue/db1");
	assert_string_equal(world_text(world, "flows.0.destination"), "10.0.2.20");
	assert_string_equal(world_text(world, "flows.0.state"), "established");
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(world->answer, "flows"), 0),
				 "reply_packets")),
			 2);
	world_expect(world, 200, "GET", "/v1/flows?port=red/web1", NULL);
	assert_int_equal(json_array_size(json_object_get(world->answer, "flows")), 0);
}

/* ICMP has no ports, whatever the key keeps in their place; other protocols have neither. */
static void put_listener(struct world *world, uint32_t port_id, const char *group, uint32_t flags,
			 const char *source, uint32_t source_flags)
{
	const uint32_t later = (uint32_t)(clock_monotonic_ns(NULL) >> 20) + 100 * TICKS_PER_SECOND;
	const struct object *subnet =
		intent_find(reconcile_intent(world->reconcile), "blue", OBJECT_SUBNET, "web");
	struct group_source_key key = { .group = { .subnet_id = subnet->id, .port_id = port_id } };
	struct group_source source_row = { .expires = later, .epoch = 7, .flags = source_flags };
	struct group row = { .expires = later, .flags = flags, .epoch = 7 };
	struct ip_address address = { { 0 } };

	if (group)
		assert_int_equal(ip_address_parse(group, &address), 0);
	memcpy(&key.group.address, &address, 16);
	assert_int_equal(datapath_put(world->datapath, TABLE_groups, &key.group, &row), 0);
	if (!source)
		return;
	assert_int_equal(ip_address_parse(source, &address), 0);
	memcpy(&key.source, &address, 16);
	assert_int_equal(datapath_put(world->datapath, TABLE_group_sources, &key, &source_row), 0);
	/* Of a report that holds no more. */
	source_row.epoch = 6;
	key.source.word[3] ^= 1;
	assert_int_equal(datapath_put(world->datapath, TABLE_group_sources, &key, &source_row), 0);
}

static void listeners_are_listed(void **state)
{
	struct world *world = *state;
	json_t *members;
	uint32_t web1, db1;
	size_t i;
	json_t *member;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	web1 = intent_find(reconcile_intent(world->reconcile), "blue", OBJECT_PORT, "web1")->id;
	db1 = intent_find(reconcile_intent(world->reconcile), "blue", OBJECT_PORT, "db1")->id;
	put_listener(world, web1, NULL, 0, NULL, 0);
	put_listener(world, web1, "239.1.1.1", 0, NULL, 0);
	put_listener(world, web1, "239.1.1.2", GROUP_SOURCES, "10.0.1.12", 0);
	put_listener(world, db1, "ff15::1", 0, "fd00::1", GROUP_SOURCE_BLOCKED);
	world_expect(world, 200, "GET", "/v1/multicast", NULL);
	members = json_object_get(world->answer, "members");
	assert_int_equal(json_array_size(members), 4);
	json_array_foreach(members, i, member)
		check_schema("MulticastMember", member);
	assert_true(json_is_true(json_object_get(json_array_get(members, 0), "router")));
	assert_string_equal(world_text(world, "members.1.group"), "239.1.1.1");
	assert_string_equal(world_text(world, "members.1.filter"), "all");
	assert_string_equal(world_text(world, "members.1.subnet"), "blue/web");
	assert_string_equal(world_text(world, "members.2.filter"), "include");
	assert_string_equal(world_text(world, "members.2.sources.0"), "10.0.1.12");
	assert_int_equal(json_array_size(json_object_get(json_array_get(members, 2), "sources")),
			 1);
	assert_string_equal(world_text(world, "members.3.filter"), "exclude");
	assert_string_equal(world_text(world, "members.3.sources.0"), "fd00::1");
	world_expect(world, 200, "GET", "/v1/multicast?port=blue/db1", NULL);
	assert_int_equal(json_array_size(json_object_get(world->answer, "members")), 1);
	world_expect(world, 404, "GET", "/v1/multicast?port=blue/none", NULL);
}

static void flows_of_icmp_have_no_ports(void **state)
{
	struct world *world = *state;
	struct flow_key key = { .protocol = 1,
				.source_port = htons(77),
				.destination_port = htons(8 << 8) };
	struct flow flow = { .flags = FLOW_ORIGINAL };
	const json_t *found;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	key.port_id =
		intent_find(reconcile_intent(world->reconcile), "blue", OBJECT_PORT, "web1")->id;
	assert_int_equal(datapath_put(world->datapath, TABLE_flows, &key, &flow), 0);
	world_expect(world, 200, "GET", "/v1/flows", NULL);
	found = json_array_get(json_object_get(world->answer, "flows"), 0);
	check_schema("Flow", found);
	assert_null(json_object_get(found, "source_port"));
	assert_null(json_object_get(found, "destination_port"));
	assert_int_equal(json_integer_value(json_object_get(found, "type")), 8);
	assert_int_equal(json_integer_value(json_object_get(found, "code")), 0);
	assert_int_equal(json_integer_value(json_object_get(found, "identifier")), 77);
	assert_int_equal(datapath_remove(world->datapath, TABLE_flows, &key), 0);
	key.protocol = 47;
	assert_int_equal(datapath_put(world->datapath, TABLE_flows, &key, &flow), 0);
	world_expect(world, 200, "GET", "/v1/flows", NULL);
	found = json_array_get(json_object_get(world->answer, "flows"), 0);
	assert_null(json_object_get(found, "source_port"));
	assert_null(json_object_get(found, "type"));
}

static void drops_are_kept_and_named(void **state)
{
	struct world *world = *state;
	struct drop_event event = {
		.verdict = VERDICT_GROUP_INGRESS,
		.length = 74,
		.protocol = 6,
		.tcp_flags = 2,
		.source_port = 0x409c,
		.destination_port = 0x3815,
		.ethertype = 0x0008,
	};
	struct ip_address address;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	assert_int_equal(ip_address_parse("10.0.1.11", &address), 0);
	memcpy(&event.source, &address, 16);
	event.port_id =
		intent_find(reconcile_intent(world->reconcile), "blue", OBJECT_PORT, "web1")->id;
	event.object_id = intent_find(reconcile_intent(world->reconcile), "blue",
				      OBJECT_SECURITY_GROUP, "default")
				  ->id;
	event.out_port_id = 999999;
	for (int i = 0; i < DROPS_KEPT + 10; i++)
		drops_take(world->drops, &event);
	world_expect(world, 200, "GET", "/v1/drops?port=blue/web1", NULL);
	assert_int_equal(json_array_size(json_object_get(world->answer, "drops")), DROPS_KEPT);
	check_schema("Drop", json_array_get(json_object_get(world->answer, "drops"), 0));
	assert_string_equal(world_text(world, "drops.0.reason"), "group_ingress");
	assert_string_equal(world_text(world, "drops.0.port"), "blue/web1");
	assert_string_equal(world_text(world, "drops.0.out_port"), "port 999999 (removed)");
	assert_string_equal(world_text(world, "drops.0.tcp_flags"), "syn");
	assert_string_equal(world_text(world, "drops.0.ethertype"), "0x0800");
	world_expect(world, 200, "GET", "/v1/drops?port=red/web1", NULL);
	assert_int_equal(json_array_size(json_object_get(world->answer, "drops")), 0);
}

/* Whom a frame is for in an l2 subnet, where the address is no port's: its stations have not told Weft. */
static void trace_asks_for_the_mac_of_a_station(void **state)
{
	static const struct {
		unsigned int status;
		const char *body;
	} cases[] = {
		{ 400, "{'port': 'blue/s', 'to': '10.0.7.77'}" },
		{ 503, "{'port': 'blue/s', 'to': '10.0.7.77', 'mac': '02:00:00:00:77:01'}" },
		{ 503, "{'port': 'blue/s', 'arp': '10.0.7.77'}" },
		{ 503, "{'port': 'blue/s', 'to': '10.0.7.10'}" },
		{ 503, "{'port': 'blue/s', 'to': '10.0.7.2', 'protocol': 'udp'}" },
		{ 503, "{'port': 'blue/s', 'to': '10.0.7.255'}" },
		{ 503, "{'port': 'blue/s', 'to': '10.0.1.77'}" },
		{ 503, "{'port': 'blue/web1', 'to': '10.0.1.77'}" },
	};
	struct world *world = *state;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/subnets/switch",
		     "{'cidr': '10.0.7.0/24', 'mode': 'l2'}");
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/ports/s", "{'subnet': 'switch'}");
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/ports/t",
		     "{'subnet': 'switch', 'address': '10.0.7.10'}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_expect(world, cases[i].status, "POST", "/v1/trace", cases[i].body);
		if (cases[i].status == 400)
			assert_string_equal(world_text(world, "error.path"), "mac");
	}
}

static void trace_refuses_what_it_cannot_build(void **state)
{
	static const struct {
		unsigned int status;
		const char *body;
	} cases[] = {
		{ 404, "{'port': 'blue/none', 'to': '10.0.2.20'}" },
		{ 400, "{'port': 'blue/web1'}" },
		{ 400, "{'port': 'blue/web1', 'to': '10.0.2.20', 'arp': '10.0.1.1'}" },
		{ 400, "{'port': 'blue/web1', 'to': 'there'}" },
		{ 400, "{'port': 'blue/web1', 'to': '10.0.2.20', 'from': 'fd00::1'}" },
		{ 400, "{'port': 'blue/web1', 'to': '10.0.2.20', 'protocol': 'carrier-pigeon'}" },
		{ 400, "{'port': 'blue/web1', 'to': '10.0.2.20', 'size': 5}" },
		{ 400, "{'port': 'blue/web1', 'arp': 'fd00::1'}" },
		{ 400, "{'port': 'blue/web1', 'nd': '10.0.1.1'}" },
		{ 400, "{'port': 'blue/web1', 'hex': 'zz'}" },
		{ 400, "{'port': 'blue/web1', 'hex': '00', 'vlan': [3]}" },
		{ 400, "{'port': 'blue/web1', 'arp': '10.0.1.1', 'vlan': ['4095']}" },
		{ 400, "{'port': 'blue/web1', 'arp': '10.0.1.1', 'vlan': ['3/8']}" },
		{ 400, "{'port': 'blue/web1', 'arp': '10.0.1.1', 'vlan': [true]}" },
		{ 400, "{'port': 'blue/web1', 'arp': '10.0.1.1', 'vlan': 3}" },
		{ 400, "{'port': 'blue/web1', 'to': '10.0.2.20', 'mac': 'x'}" },
		{ 400, "{'port': 'blue/web1', 'tcp': 80, 'to': '10.0.2.20'}" },
		{ 503, "{'port': 'blue/web1', 'to': '10.9.9.9', 'vlan': [3]}" },
		{ 503, "{'port': 'blue/web1', 'to': '10.0.2.20', 'protocol': 'tcp'}" },
		{ 503, "{'port': 'blue/web1', 'nd': 'fd00::1'}" },
	};
	struct world *world = *state;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		world_expect(world, cases[i].status, "POST", "/v1/trace", cases[i].body);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_described),
		cmocka_unit_test(everything_described_is_served),
		cmocka_unit_test(references_lead_somewhere),
		WITH_WORLD(an_object_is_made_read_changed_removed),
		WITH_WORLD(every_kind_can_be_read_back_and_written),
		WITH_WORLD(hosts_and_tunnels_are_objects_too),
		WITH_WORLD(collections_are_objects_by_name),
		WITH_WORLD(if_match_guards_a_change),
		WITH_WORLD(if_none_match_makes_only_what_is_new),
		WITH_WORLD(export_applied_again_changes_nothing),
		WITH_WORLD(dry_run_changes_nothing),
		WITH_WORLD(prune_removes_what_is_not_in_the_tree),
		WITH_WORLD(apply_is_all_or_nothing),
		WITH_WORLD(bad_input_is_refused_with_a_path),
		WITH_WORLD(unknown_places_are_404_and_405),
		WITH_WORLD(what_is_used_is_not_removed),
		WITH_WORLD(a_full_store_refuses_and_nothing_changes),
		WITH_WORLD(status_and_counters_are_as_described),
		WITH_WORLD(metrics_have_names_values_and_help),
		WITH_WORLD(flows_show_both_directions),
		WITH_WORLD(listeners_are_listed),
		WITH_WORLD(flows_of_icmp_have_no_ports),
		WITH_WORLD(drops_are_kept_and_named),
		WITH_WORLD(trace_refuses_what_it_cannot_build),
		WITH_WORLD(trace_asks_for_the_mac_of_a_station),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
