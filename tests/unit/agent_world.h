/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole daemon without HTTP, devices or kernel, for tests of agent/: a store in memory, the dummy datapath,
 * the reconciler and the API. The daemon can be ended and started again on the same store and datapath,
 * as after a crash. Store and datapath can be made to refuse.
 */
#ifndef WEFT_TESTS_UNIT_AGENT_WORLD_H
#define WEFT_TESTS_UNIT_AGENT_WORLD_H

#include "tests/unit/unit.h"

#include "agent/api/api.h"
#include "agent/devices/ports.h"
#include "agent/observe/capture.h"
#include "base/json.h"
#include "datapath/provider.h"
#include "store/store_private.h"

struct world {
	struct clock clock;
	struct loop *loop;
	struct store *store;
	struct datapath *datapath;
	struct events *events;
	struct reconcile *reconcile;
	struct drops *drops;
	struct captures *captures;
	struct api api;
	const char *host;     /* NULL: h1 */
	struct world *shares; /* the world whose store this one uses; NULL: its own */
	bool shared;          /* others write to the store */
	/* The last answer. */
	unsigned int status;
	char etag[32];
	json_t *answer;
	/* Stand-ins for the operations of store and datapath. */
	struct store_ops store_ops;
	struct datapath_operations datapath_operations;
};

/* What the stand-ins refuse with, 0 for not at all; and from which row on. */
static int world_store_code;
static int world_put_code;
static enum table_id world_put_table;
static const struct store_ops *world_store_ops;
static const struct datapath_operations *world_datapath_operations;
static size_t world_put_rows; /* rows written since it was set to 0 */

static int world_commit(struct store *store, const struct store_transaction *transaction,
			uint64_t *revision, struct error *error)
{
	if (world_store_code)
		return error_set(error, world_store_code, NULL,
				 "the disk is full; nothing was changed");
	return world_store_ops->commit(store, transaction, revision, error);
}

static int world_put_many(struct datapath *datapath, enum table_id table, const void *keys,
			  const void *values, size_t count, size_t *done)
{
	if (world_put_code && table == world_put_table) {
		*done = 0;
		return world_put_code;
	}
	world_put_rows += count;
	return world_datapath_operations->put_many(datapath, table, keys, values, count, done);
}

static inline void world_start(struct world *world)
{
	struct reconcile_options options = { 0 };
	struct error error = { 0 };

	assert_int_equal(loop_new(&world->loop, &world->clock, &error), 0);
	world->events = events_new();
	options.loop = world->loop;
	options.clock = &world->clock;
	options.store = world->store;
	options.datapath = world->datapath;
	options.events = world->events;
	options.host = world->host ? world->host : "h1";
	options.shared = world->shared;
	options.instance = "default";
	options.flow_capacity = 100000;
	options.flow_guarantee = 32;
	if (reconcile_open(&options, &world->reconcile, &error))
		fail_msg("%s: %s", error.path, error.text);
	world->drops = drops_new(world->loop, world->datapath, reconcile_intent(world->reconcile),
				 world->events, "h1");
	world->captures = captures_new(world->loop, world->datapath, world->reconcile);
	world->api = (struct api){
		.reconcile = world->reconcile,
		.datapath = world->datapath,
		.events = world->events,
		.drops = world->drops,
		.captures = world->captures,
		.clock = &world->clock,
		.instance = "default",
		.store_name = "memory",
	};
}

static inline void world_stop(struct world *world)
{
	captures_free(world->captures);
	drops_free(world->drops);
	reconcile_close(world->reconcile);
	events_free(world->events);
	loop_free(world->loop);
}

static inline struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct datapath_options options = { .instance = "test" };

	world->clock.monotonic_ns = 1000 * CLOCK_NS_PER_SECOND;
	world->store = store_open_memory(&world->clock);
	world->datapath = datapath_open_dummy(&options);
	world_store_code = 0;
	world_put_code = 0;
	world_store_ops = world->store->ops;
	world->store_ops = *world_store_ops;
	world->store_ops.commit = world_commit;
	world->store->ops = &world->store_ops;
	world_datapath_operations = world->datapath->operations;
	world->datapath_operations = *world_datapath_operations;
	world->datapath_operations.put_many = world_put_many;
	world->datapath->operations = &world->datapath_operations;
	world_start(world);
	return world;
}

static inline void world_free(struct world *world)
{
	world_stop(world);
	json_decref(world->answer);
	datapath_close(world->datapath);
	if (!world->shares)
		store_close(world->store);
	free(world);
}

/* Another host on the store of @first, which is started again as one of several. */
static inline struct world *world_join(struct world *first, const char *host)
{
	struct world *world = calloc(1, sizeof(*world));
	struct datapath_options options = { .instance = "test" };

	world_stop(first);
	first->shared = true;
	world_start(first);
	world->clock = first->clock;
	world->store = first->store;
	world->shares = first;
	world->shared = true;
	world->host = host;
	world->datapath = datapath_open_dummy(&options);
	world_start(world);
	return world;
}

/* The daemon dies and starts again; store and tables are what they were. */
static inline void world_restart(struct world *world)
{
	world_stop(world);
	world_start(world);
}

static inline void world_send(struct world *world, const struct api_request *request)
{
	struct api_response response;
	struct error error = { 0 };

	json_decref(world->answer);
	world->answer = NULL;
	api_handle(&world->api, request, &response);
	world->status = response.status;
	snprintf(world->etag, sizeof(world->etag), "%s", response.etag);
	if (response.content_type && strcmp(response.content_type, "application/json") == 0 &&
	    json_load_text(response.body.data, response.body.size, 64U << 20, &world->answer,
			   &error))
		fail_msg("the answer is not JSON: %s", error.text);
	api_response_fini(&response);
}

/* Single quotes in @body stand for double ones. Return: the status. */
static inline unsigned int world_request(struct world *world, const char *method, const char *path,
					 const char *body)
{
	char *text = body ? strdup(body) : NULL;
	char *place = strdup(path), *question = strchr(place, '?');
	struct api_request request = { .method = method, .path = place, .body = text };

	for (char *c = text; c && *c; c++)
		if (*c == '\'')
			*c = '"';
	request.body_size = text ? strlen(text) : 0;
	for (char *part = question; part; part = strchr(part, '&')) {
		char *equals;

		*part++ = '\0';
		equals = strchr(part, '=');
		if (!equals)
			break;
		*equals = '\0';
		request.query[request.query_count].key = part;
		request.query[request.query_count++].value = equals + 1;
		part = equals + 1;
	}
	world_send(world, &request);
	free(place);
	free(text);
	return world->status;
}

/* A text in the last answer, found by a path of keys and indexes: "error.path", "changes.0.text". */
static inline const char *world_text(const struct world *world, const char *path)
{
	char key[128], *part, *rest = key;
	json_t *value = world->answer;

	snprintf(key, sizeof(key), "%s", path);
	while (value && (part = strsep(&rest, ".")))
		value = json_is_array(value) ? json_array_get(value, (size_t)atoi(part))
					     : json_object_get(value, part);
	return json_string_value(value);
}

/* A request that must be answered with @status; otherwise the answer is shown. */
static inline void world_expect(struct world *world, unsigned int status, const char *method,
				const char *path, const char *body)
{
	char *text;

	if (world_request(world, method, path, body) == status)
		return;
	text = json_dumps(world->answer, JSON_COMPACT | JSON_ENCODE_ANY);
	fail_msg("%s %s: %u, not %u: %s", method, path, world->status, status, text);
}

/* Two tenants with the same addresses. */
#define WORLD_TENANTS                                                                              \
	"{'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'],"                                             \
	" 'subnets': {'web': {'cidr': '10.0.1.0/24'}, 'db': {'cidr': '10.0.2.0/24'}},"             \
	" 'security_groups': {'web': {'ingress': [{'protocol': 'tcp', 'ports': '80',"              \
	" 'from': '0.0.0.0/0'}], 'egress': [{'protocol': 'all', 'to': '0.0.0.0/0'}]}},"            \
	" 'ports': {'web1': {'subnet': 'web', 'address': '10.0.1.11', 'security_groups': ['web']," \
	" 'attach': {'netns': 'web1'}}, 'db1': {'subnet': 'db', 'address': '10.0.2.20',"           \
	" 'attach': {'netns': 'db1'}}}},"                                                          \
	" 'red': {'cidrs': ['10.0.0.0/16'], 'subnets': {'web': {'cidr': '10.0.1.0/24'}},"          \
	" 'ports': {'web1': {'subnet': 'web', 'address': '10.0.1.11',"                             \
	" 'attach': {'netns': 'red1'}}}}}}"

#endif
