/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /v1/capture: the packets of a port or a subnet as pcapng, as long as the client listens.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/api_private.h"
#include "agent/devices/ports.h"
#include "agent/names.h"
#include "agent/observe/capture.h"

static bool query_number(struct api_call *call, const char *key, uint64_t maximum, uint64_t *number)
{
	const char *text = api_query(call, key);
	char *end;

	*number = 0;
	if (!text)
		return true;
	errno = 0;
	*number = strtoull(text, &end, 10);
	if (!errno && *text >= '0' && *text <= '9' && !*end && *number && *number <= maximum)
		return true;
	api_refuse(call, 400, key, "the parameter %s is a number from 1 to %llu", key,
		   (unsigned long long)maximum);
	return false;
}

/* One word of the filter, where it is given. */
static bool query_word(struct api_call *call, const char *key, struct filter *filter,
		       const char *(*read)(struct filter *filter, const char *text))
{
	const char *text = api_query(call, key), *wrong = text ? read(filter, text) : NULL;

	if (wrong)
		api_refuse(call, 400, key, "%s, not \"%s\"", wrong, text);
	return !wrong;
}

static bool query_filter(struct api_call *call, struct filter *filter)
{
	const char *wrong, *key;

	filter_init(filter);
	if (!query_word(call, "protocol", filter, filter_protocol) ||
	    !query_word(call, "ports", filter, filter_ports) ||
	    !query_word(call, "type", filter, filter_type) ||
	    !query_word(call, "code", filter, filter_code) ||
	    !query_word(call, "address", filter, filter_end) ||
	    !query_word(call, "peer", filter, filter_end))
		return false;
	wrong = filter_check(filter, &key);
	if (wrong)
		api_refuse(call, 400, key, "%s", wrong);
	return !wrong;
}

static bool query_direction(struct api_call *call, struct capture_options *options)
{
	const char *text = api_query(call, "direction");

	options->from = !text || strcmp(text, "to") != 0;
	options->to = !text || strcmp(text, "from") != 0;
	if (!text || strcmp(text, "both") == 0 || options->from != options->to)
		return true;
	api_refuse(call, 400, "direction", "the parameter direction is from, to or both");
	return false;
}

/* The port of this host that is meant. */
static bool query_port(struct api_call *call, struct capture_options *options)
{
	const struct object *object;
	const struct port_object *port;

	options->name = api_query(call, "port");
	if (!options->name) {
		api_refuse(call, 400, "port", "the parameter port or subnet says what is captured");
		return false;
	}
	if (!names_find(api_intent(call), OBJECT_PORT, options->name) &&
	    names_find(api_intent(call), OBJECT_SUBNET, options->name)) {
		api_refuse(call, 404, "port",
			   "there is no port %s, but a subnet of this name (--subnet)",
			   options->name);
		return false;
	}
	object = api_find(call, OBJECT_PORT, "port", options->name);
	if (!object)
		return false;
	options->port_id = object->id;
	options->vpc_id = object->vpc_id;
	port = (const struct port_object *)object;
	if (ports_is_local(reconcile_ports(call->api->reconcile), port))
		return true;
	api_refuse(call, 400, "port", "port %s is on host %s: capture it there", options->name,
		   port->host);
	return false;
}

/* A subnet, or a port of this host. */
static bool query_what(struct api_call *call, struct capture_options *options)
{
	const char *name = api_query(call, "subnet");
	const struct object *object;

	if (!name)
		return query_port(call, options);
	if (api_query(call, "port")) {
		api_refuse(call, 400, "subnet", "what is captured is a port or a subnet");
		return false;
	}
	object = api_find(call, OBJECT_SUBNET, "subnet", name);
	options->name = name;
	options->subnet_id = object ? object->id : 0;
	options->vpc_id = object ? object->vpc_id : 0;
	return object != NULL;
}

/* Groups are those of the VPC of what is captured. */
static bool query_groups(struct api_call *call, const struct capture_options *options)
{
	const struct object *vpc = intent_object(api_intent(call), options->vpc_id);

	for (size_t i = 0; vpc && i < options->filter.end_count; i++) {
		const char *name = options->filter.groups[i];
		const bool first = i == 0 && api_query(call, "address");
		char *path;
		bool found;

		if (!*name)
			continue;
		path = xasprintf("%s/%s", vpc->name, name);
		found = api_find(call, OBJECT_SECURITY_GROUP, first ? "address" : "peer", path) !=
			NULL;
		free(path);
		if (!found)
			return false;
	}
	return true;
}

void api_capture(struct api_call *call)
{
	struct capture_options options = { 0 };
	struct error error = { 0 };
	uint64_t sample, size;

	if (!query_what(call, &options) || !query_filter(call, &options.filter) ||
	    !query_groups(call, &options) || !query_direction(call, &options) ||
	    !query_number(call, "sample", UINT32_MAX, &sample) ||
	    !query_number(call, "size", CAPTURE_SIZE_MAX, &size) ||
	    !query_number(call, "count", INT64_MAX, &options.count) ||
	    !api_query_flag(call, "dropped", &options.dropped))
		return;
	options.sample = (uint32_t)sample;
	options.size = (uint32_t)size;
	if (capture_open(call->api->captures, &options, &call->response->source, &error)) {
		api_fail(call, &error);
		return;
	}
	call->response->status = 200;
	call->response->content_type = "application/x-pcapng";
	call->response->stream = true;
}
