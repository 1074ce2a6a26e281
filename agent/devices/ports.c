/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * States of this host's ports; see ports.h.
 *
 * What happens to devices comes one port at a time and often many in a row (a namespace with five ports
 * goes). Ports that need another look are collected and plugged together in the next round of the loop.
 * What failed is tried again every few seconds, what waits when device.c says that it can be done.
 */
#include "agent/devices/ports.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "agent/devices/adoption.h"
#include "agent/devices/device.h"
#include "agent/devices/port_note.h"
#include "agent/devices/port_request.h"
#include "agent/names.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "model/patches.h"

/* What fails may only have to wait for another's end, such as that of a port that comes here. */
#define RETRY_FIRST_NS (20 * CLOCK_NS_PER_MS)
#define RETRY_LAST_NS (2 * CLOCK_NS_PER_SECOND)
#define CHECK_PORTS 64 /* compared with the kernel in one turn */

struct port_entry {
	uint32_t port_id;
	enum port_state state;
	uint32_t ifindex;
	uint32_t attached; /* ifindex of the device that the pipeline was put on last; 0: none */
	bool adopted;      /* that is somebody else's */
	bool shared;       /* and the host goes on using it */
	uint32_t kind;
	uint32_t attachment_flags;
	uint64_t since_ns;
	char *reason;     /* NULL: none */
	uint32_t peer_id; /* of a patch: what it was joined to when it was last looked at */
	bool cut;         /* of a patch: it would close a circle */
	bool looped;      /* plugged in, but the datapath holds it */
	bool unknown;     /* it could not be looked at: all is as it was */
	/* What is in a namespace may do either as often as it likes. */
	struct log_limit disturbed, changed;
	bool lacking; /* plugged in, but not all is set inside its namespace: the reason says what */
};

struct ports {
	struct ports_options options;
	struct devices *devices;
	struct map entries; /* port id -> struct port_entry */
	struct map pending; /* port ids that need another look */
	struct map said;    /* port id -> text, of ports that are elsewhere */
	struct loop_deferred look;
	bool patched; /* a patch was made or unmade: ports_options.patched is to be told */
	struct loop_timer retry;
	uint64_t retry_ns; /* doubles while something fails */
	struct ports_counts counts;
	size_t unknown_count; /* entries that are */
	uint32_t check_position;
};

static const char *const port_state_names[] = {
	[PORT_STATE_WAITING] = "waiting",
	[PORT_STATE_PLUGGED] = "plugged",
	[PORT_STATE_FAILED] = "failed",
	[PORT_STATE_HELD] = "held",
};
_Static_assert(ARRAY_SIZE(port_state_names) == PORT_STATES, "a name for each state of a port");

bool ports_is_local(const struct ports *ports, const struct port_object *port)
{
	return intent_is_local(ports->options.intent, port->host);
}

bool ports_is_here(const struct ports *ports, const struct port_object *port)
{
	return ports_is_local(ports, port) || intent_comes_here(ports->options.intent, port);
}

/* ---- entries ---- */

static size_t *state_count(struct ports *ports, enum port_state state)
{
	switch (state) {
	case PORT_STATE_PLUGGED: return &ports->counts.plugged;
	case PORT_STATE_FAILED: return &ports->counts.failed;
	case PORT_STATE_HELD: return &ports->counts.held;
	case PORT_STATE_WAITING:
	case PORT_STATES: break;
	}
	return &ports->counts.waiting;
}

static struct port_entry *ports_entry(struct ports *ports, uint32_t port_id)
{
	struct port_entry *entry = map_get_u32(&ports->entries, port_id);

	if (!entry) {
		entry = xcalloc(1, sizeof(*entry));
		entry->port_id = port_id;
		entry->state = PORT_STATE_WAITING;
		entry->since_ns = clock_realtime_ns(ports->options.clock);
		map_put_u32(&ports->entries, port_id, entry);
		free(map_remove_u32(&ports->said, port_id));
		ports->counts.waiting++;
	}
	return entry;
}

static void entry_free(void *value)
{
	struct port_entry *entry = value;

	free(entry->reason);
	free(entry);
}

/* For lack of descriptors or memory nothing is known of some: said once for all, with the sentence of the first. */
static void ports_set_unknown(struct ports *ports, struct port_entry *entry, bool unknown,
			      const char *sentence)
{
	char text[500];

	if (entry->unknown == unknown)
		return;
	entry->unknown = unknown;
	ports->unknown_count += unknown ? 1 : (size_t)-1;
	if (!ports->unknown_count)
		problems_clear(ports->options.problems, PROBLEM_DEVICE, 0);
	if (!unknown || problems_get(ports->options.problems, PROBLEM_DEVICE, 0))
		return;
	snprintf(text, sizeof(text), "devices of ports cannot be looked at, all stays as it is: %s",
		 sentence);
	problems_raise(ports->options.problems, PROBLEM_DEVICE, 0, text);
}

static void ports_forget(struct ports *ports, uint32_t port_id)
{
	struct port_entry *entry = map_remove_u32(&ports->entries, port_id);

	map_remove_u32(&ports->pending, port_id);
	problems_clear(ports->options.problems, PROBLEM_DEVICE, port_id);
	problems_clear(ports->options.problems, PROBLEM_LOOP, port_id);
	problems_clear(ports->options.problems, PROBLEM_DHCP, port_id);
	if (!entry)
		return;
	ports_set_unknown(ports, entry, false, NULL);
	--*state_count(ports, entry->looped ? PORT_STATE_HELD : entry->state);
	entry_free(entry);
}

static void ports_publish(struct ports *ports, const struct port_entry *entry)
{
	const struct event_ports about = { .port_id = entry->port_id };
	json_t *event;

	if (!events_wanted(ports->options.events, EVENT_PORT, about))
		return;
	event = json_pack("{s:o, s:o}", "port", names_port(ports->options.intent, entry->port_id),
			  "status", ports_status_json(ports, entry->port_id));
	events_publish(ports->options.events, EVENT_PORT, about, event);
	json_decref(event);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Takes the pipeline off a device. @shared: the host uses it as well */
static void ports_detach(struct ports *ports, uint32_t ifindex, bool shared)
{
	if (shared)
		datapath_detach_uplink(ports->options.datapath, ifindex);
	else
		datapath_detach(ports->options.datapath, ifindex);
}

/* That it cannot be asked for says nothing. */
static bool device_is_gone(uint32_t ifindex)
{
	char name[IF_NAMESIZE];

	return !if_indextoname(ifindex, name) && errno == ENXIO;
}

/*
 * The pipeline is let go of where the device is gone, or the port has another one. It stays on a
 * device that the port cannot use for now: it drops what it has no row for, and without it a
 * workload's frames would reach the host's own stack. A device of somebody else's is as it was then.
 */
static void ports_let_go(struct ports *ports, struct port_entry *entry, uint32_t ifindex)
{
	if (entry->attached && entry->attached != ifindex &&
	    (ifindex || entry->adopted || device_is_gone(entry->attached))) {
		ports_detach(ports, entry->attached, entry->shared);
		entry->attached = 0;
	}
	if (ifindex)
		entry->attached = ifindex;
}

static void ports_set_reason(struct ports *ports, struct port_entry *entry, const char *reason)
{
	char *fresh = reason ? xstrdup(reason) : NULL;

	entry->since_ns = clock_realtime_ns(ports->options.clock);
	free(entry->reason);
	entry->reason = fresh;
}

/* As users are told. */
static enum port_state ports_state(const struct port_entry *entry)
{
	return entry->looped ? PORT_STATE_HELD : entry->state;
}

void ports_set_held(struct ports *ports, uint32_t port_id, bool held, uint32_t with_id,
		    uint32_t vlan)
{
	struct port_entry *entry = map_get_u32(&ports->entries, port_id);
	char with[400], reason[540], in[24] = "";

	if (!entry || entry->looped == held || (held && entry->state != PORT_STATE_PLUGGED))
		return;
	if (!intent_describe(ports->options.intent, with_id, with, sizeof(with)))
		snprintf(with, sizeof(with), "a port that is gone");
	if (vlan)
		snprintf(in, sizeof(in), "of VLAN %u ", vlan);
	snprintf(reason, sizeof(reason),
		 "a loop: frames %sgo round through it and %s; it is held until some seconds after "
		 "the loop ends",
		 in, with_id == port_id ? "back by itself" : with);
	--*state_count(ports, ports_state(entry));
	entry->looped = held;
	++*state_count(ports, ports_state(entry));
	ports_set_reason(ports, entry, held ? reason : NULL);
	if (held)
		problems_raise(ports->options.problems, PROBLEM_LOOP, port_id, reason);
	else
		problems_clear(ports->options.problems, PROBLEM_LOOP, port_id);
	ports_publish(ports, entry);
}

/* Take over what became of a request. */
static void ports_take_result(struct ports *ports, uint32_t port_id, const char *name,
			      enum attach_kind attach_kind, const struct device_result *result)
{
	static const enum port_state states[] = {
		[DEVICE_PLUGGED] = PORT_STATE_PLUGGED,
		[DEVICE_WAITING] = PORT_STATE_WAITING,
		[DEVICE_FAILED] = PORT_STATE_FAILED,
	};
	struct port_entry *entry = ports_entry(ports, port_id);
	enum port_state state = states[result->state];
	const char *reason = state == PORT_STATE_PLUGGED && !result->lacking ? NULL
									     : result->sentence;
	bool differs;

	ports_set_unknown(ports, entry, result->unknown, result->sentence);
	if (result->unknown)
		return;
	/* What is plugged in anew is held anew, if the loop is still there. */
	if (entry->looped && entry->ifindex != result->ifindex)
		ports_set_held(ports, port_id, false, 0, 0);
	if (entry->looped && state == PORT_STATE_PLUGGED)
		reason = entry->reason;
	if (entry->cut && state == PORT_STATE_WAITING)
		state = PORT_STATE_HELD;
	differs = entry->state != state || entry->ifindex != result->ifindex;

	ports_let_go(ports, entry, result->ifindex);
	if (result->ifindex) {
		entry->adopted = attach_kind == ATTACH_DEVICE;
		entry->shared = result->attachment_flags & ATTACHMENT_SHARED;
	}
	if (differs || (result->changed && state == PORT_STATE_PLUGGED && !entry->lacking))
		log_write_limited(&entry->changed, LOG_LEVEL_INFO, "port",
				  " port=%s state=%s ifindex=%u text=\"%s\"", name,
				  port_state_names[state], result->ifindex, result->sentence);
	if (differs || !same_text(entry->reason, reason))
		ports_set_reason(ports, entry, reason);
	if (!entry->looped) {
		--*state_count(ports, entry->state);
		++*state_count(ports, state);
	}
	entry->state = state;
	entry->ifindex = result->ifindex;
	entry->kind = result->kind;
	entry->lacking = result->lacking && state == PORT_STATE_PLUGGED;
	entry->attachment_flags = result->attachment_flags;
	if (state == PORT_STATE_FAILED || entry->lacking)
		problems_raise(ports->options.problems, PROBLEM_DEVICE, port_id, result->sentence);
	else
		problems_clear(ports->options.problems, PROBLEM_DEVICE, port_id);
	if (differs)
		ports_publish(ports, entry);
}

/* ---- requests ---- */

/* Return: false when the port is not to be plugged in here. */
static bool ports_request(const struct ports *ports, uint32_t port_id,
			  struct device_request *request, struct port_request_memory *memory)
{
	const struct object *object = intent_object(ports->options.intent, port_id);
	const struct port_object *port = (const struct port_object *)object;

	return object && object->kind == OBJECT_PORT && ports_is_here(ports, port) &&
	       port_request_make(ports->options.intent, port, request, memory);
}

static void results_without_devices(size_t count, struct device_result *results)
{
	static const struct device_result result = { .state = DEVICE_WAITING,
						     .sentence = "this daemon makes no devices" };

	for (size_t i = 0; i < count; i++)
		results[i] = result;
}

/* @fresh: something failed that did not before: soon again, and then ever later. */
static void ports_retry_later(struct ports *ports, bool fresh)
{
	if (!ports->counts.failed && !ports->unknown_count)
		return;
	if (fresh)
		ports->retry_ns = RETRY_FIRST_NS;
	else if (loop_timer_is_running(&ports->retry))
		return;
	loop_timer_start(ports->options.loop, &ports->retry, ports->retry_ns, 0);
	ports->retry_ns *= 2;
	if (ports->retry_ns > RETRY_LAST_NS)
		ports->retry_ns = RETRY_LAST_NS;
}

static bool ports_failed(const struct ports *ports, uint32_t port_id)
{
	const struct port_entry *entry = map_get_u32(&ports->entries, port_id);

	return entry && (entry->state == PORT_STATE_FAILED || entry->unknown);
}

static void ports_take_patch(struct ports *ports, uint32_t port_id, const struct patch *patch)
{
	struct port_entry *entry = ports_entry(ports, port_id);

	ports->patched |= patch->peer_id != entry->peer_id;
	entry->peer_id = patch->peer_id;
	entry->cut = patch->cut;
}

static void ports_look_at(struct ports *ports, uint32_t port_id)
{
	map_put_u32(&ports->pending, port_id, ports);
	loop_defer(ports->options.loop, &ports->look);
}

/* A port that came or went may change what other patches are: joined, waiting or cut. */
static void ports_look_at_patches(struct ports *ports)
{
	const struct intent *intent = ports->options.intent;
	uint32_t *ids;
	size_t count = intent_patches(intent, &ids);

	if (ports->patched && ports->options.patched)
		ports->options.patched(ports->options.context);
	ports->patched = false;
	for (size_t i = 0; i < count; i++) {
		const struct port_entry *entry = map_get_u32(&ports->entries, ids[i]);
		struct patch patch;

		if (!entry)
			continue;
		intent_patch(intent, (const struct port_object *)intent_object(intent, ids[i]),
			     &patch);
		if (patch.peer_id != entry->peer_id || patch.cut != entry->cut)
			ports_look_at(ports, ids[i]);
	}
	free(ids);
}

/* A port behind another port's device is plugged in as long as that one is. */
static void ports_plug_child(struct ports *ports, uint32_t port_id)
{
	const struct intent *intent = ports->options.intent;
	const struct object *object = intent_object(intent, port_id);
	const struct port_object *port = (const struct port_object *)object, *parent;
	struct device_result result = { .state = DEVICE_WAITING };
	char name[PATH_NAME_SIZE];

	if (!object || object->kind != OBJECT_PORT || port->attach.kind != ATTACH_CHILD ||
	    !ports_is_local(ports, port))
		return;
	parent = intent_parent(intent, port);
	if (!parent) {
		snprintf(result.sentence, sizeof(result.sentence), "there is no port %s",
			 port->attach.parent);
	} else {
		const struct port_entry *entry = map_get_u32(&ports->entries, parent->object.id);

		if (entry && entry->state == PORT_STATE_PLUGGED && entry->ifindex)
			result.state = DEVICE_PLUGGED;
		else
			snprintf(result.sentence, sizeof(result.sentence),
				 "port %s is not plugged in", port->attach.parent);
	}
	result.kind = result.state == DEVICE_PLUGGED ? PORT_CHILD : PORT_UNPLUGGED;
	ports_take_result(ports, port_id, names_path(intent, object, name), ATTACH_CHILD, &result);
}

static void ports_plug_children(struct ports *ports, const uint32_t *port_ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct object *port = intent_object(ports->options.intent, port_ids[i]);
		uint32_t *children;
		size_t child_count;

		if (!port || port->kind != OBJECT_PORT)
			continue;
		ports_plug_child(ports, port_ids[i]);
		child_count = intent_children(ports->options.intent,
					      (const struct port_object *)port, &children);
		for (size_t j = 0; j < child_count; j++)
			ports_plug_child(ports, children[j]);
		free(children);
	}
}

void ports_plug(struct ports *ports, const uint32_t *port_ids, size_t count)
{
	struct device_request *requests = xcalloc(count, sizeof(*requests));
	struct port_request_memory *memory = xcalloc(count, sizeof(*memory));
	struct device_result *results;
	size_t made = 0;
	bool failed = false;

	for (size_t i = 0; i < count; i++)
		if (ports_request(ports, port_ids[i], &requests[made], &memory[made]))
			made++;
	results = xcalloc(made, sizeof(*results));
	if (ports->devices && made)
		devices_plug(ports->devices, requests, made, results);
	else
		results_without_devices(made, results);
	for (size_t i = 0; i < made; i++) {
		bool before = ports_failed(ports, requests[i].port_id);

		map_remove_u32(&ports->pending, requests[i].port_id);
		ports_take_patch(ports, requests[i].port_id, &memory[i].patch);
		failed |= (results[i].state == DEVICE_FAILED || results[i].unknown) && !before;
		ports_take_result(ports, requests[i].port_id, requests[i].port_name,
				  requests[i].attach->kind, &results[i]);
		free(memory[i].addresses);
	}
	free(results);
	free(memory);
	free(requests);
	ports_plug_children(ports, port_ids, count);
	ports_retry_later(ports, failed);
	ports_look_at_patches(ports);
}

void ports_set_up(struct ports *ports, const uint32_t *port_ids, size_t count)
{
	struct device_result result = { .state = DEVICE_FAILED };
	uint32_t *failed = xcalloc(count + 1, sizeof(*failed));
	struct error error = { 0 };
	size_t failed_count =
		ports->devices ? devices_set_up(ports->devices, port_ids, count, failed, &error)
			       : 0;

	snprintf(result.sentence, sizeof(result.sentence), "%s", error.text);
	for (size_t i = 0; i < failed_count; i++) {
		const struct object *port = intent_object(ports->options.intent, failed[i]);
		char name[PATH_NAME_SIZE];

		if (port)
			ports_take_result(ports, failed[i],
					  names_path(ports->options.intent, port, name),
					  ATTACH_NONE, &result);
	}
	if (failed_count) {
		ports->retry_ns = RETRY_LAST_NS;
		ports_retry_later(ports, false);
	}
	free(failed);
}

void ports_unplug(struct ports *ports, const uint32_t *port_ids, size_t count)
{
	struct error error = { 0 };
	struct {
		uint32_t ifindex;
		bool shared;
	} * attached;

	if (!count)
		return;
	attached = xcalloc(count, sizeof(*attached));
	for (size_t i = 0; i < count; i++) {
		const struct port_entry *entry = map_get_u32(&ports->entries, port_ids[i]);

		attached[i].ifindex = entry ? entry->attached : 0;
		attached[i].shared = entry && entry->shared;
		ports->patched |= entry && entry->peer_id;
		ports_forget(ports, port_ids[i]);
	}
	if (ports->devices && devices_unplug(ports->devices, port_ids, count, &error))
		log_warning("device not removed", "text=\"%s\"", error.text);
	/* Not before the device is gone: until then its frames would reach the host's own stack. */
	for (size_t i = 0; i < count; i++)
		if (attached[i].ifindex)
			ports_detach(ports, attached[i].ifindex, attached[i].shared);
	free(attached);
	ports_look_at_patches(ports);
}

/* ---- what happens by itself ---- */

/* All that need another look: plug, then have their rows written. */
static void ports_look(void *context)
{
	struct ports *ports = context;
	size_t count = 0;
	uint32_t *ids = xcalloc(map_count(&ports->pending), sizeof(*ids));

	MAP_FOR_EACH(&ports->pending, it)
		memcpy(&ids[count++], it.key, sizeof(*ids));
	map_fini(&ports->pending, NULL);
	ports_plug(ports, ids, count);
	if (count)
		ports->options.changed(ports->options.context, ids, count);
	ports_set_up(ports, ids, count);
	free(ids);
}

static void ports_event(void *context, uint32_t port_id, enum device_event_kind kind,
			const char *sentence)
{
	struct ports *ports = context;
	const struct object *object = intent_object(ports->options.intent, port_id);
	struct port_entry *entry = map_get_u32(&ports->entries, port_id);
	char name[PATH_NAME_SIZE];

	(void)kind;
	if (!entry)
		return;
	log_write_limited(&entry->disturbed, LOG_LEVEL_INFO, "port disturbed",
			  " port=%s text=\"%s\"",
			  object ? names_path(ports->options.intent, object, name) : "-", sentence);
	ports_look_at(ports, port_id);
}

static void ports_retry(void *context)
{
	struct ports *ports = context;

	MAP_FOR_EACH(&ports->entries, it) {
		const struct port_entry *entry = it.value;

		if (entry->state == PORT_STATE_FAILED || entry->unknown)
			ports_look_at(ports, entry->port_id);
	}
}

/* Only a device of somebody else's can be. */
static bool is_underlay(const struct ports *ports, uint32_t ifindex)
{
	bool found = false;
	uint32_t *list;
	size_t count;

	if (!ports->options.adoptions || !adoption_is_port(ports->options.adoptions, ifindex))
		return false;
	count = datapath_attached_as(ports->options.datapath, DATAPATH_UNDERLAY, &list);
	for (size_t i = 0; i < count; i++)
		found |= list[i] == ifindex;
	free(list);
	return found;
}

static int ports_attach(void *context, uint32_t ifindex, uint32_t kind, struct error *error)
{
	struct ports *ports = context;

	if (kind == PORT_WIRE)
		return datapath_attach_uplink(ports->options.datapath, ifindex, error);
	if (is_underlay(ports, ifindex))
		return error_set(
			error, EBUSY, NULL,
			"the device carries the tunnels of this host; a port can share it, "
			"without take_addresses");
	return datapath_attach(ports->options.datapath, ifindex, kind, error);
}

void ports_prune(struct ports *ports)
{
	struct error error = { 0 };
	struct map used = { 0 };
	uint32_t *ids = NULL, *attached;
	size_t attached_count;
	int count;

	if (!ports->devices)
		return;
	count = devices_list(ports->devices, &ids, &error);
	if (count < 0)
		log_warning("devices cannot be listed", "text=\"%s\"", error.text);
	for (int i = 0; i < count; i++) {
		if (map_get_u32(&ports->entries, ids[i]))
			continue;
		log_info("device of no port removed", "port=%u", ids[i]);
		ports_unplug(ports, &ids[i], 1);
	}
	free(ids);
	MAP_FOR_EACH(&ports->entries, it) {
		const struct port_entry *entry = it.value;

		if (entry->attached)
			map_put_u32(&used, entry->attached, ports);
	}
	attached_count = datapath_attached(ports->options.datapath, &attached);
	for (size_t i = 0; i < attached_count; i++)
		if (!map_get_u32(&used, attached[i]))
			datapath_detach(ports->options.datapath, attached[i]);
	free(attached);
	map_fini(&used, NULL);
}

size_t ports_check(struct ports *ports)
{
	size_t repaired = 0, position = 0, end = ports->check_position + CHECK_PORTS;
	const size_t unknown = ports->unknown_count;

	if (!ports->devices)
		return 0;
	MAP_FOR_EACH(&ports->entries, it) {
		struct port_entry *entry = it.value;
		struct device_request request;
		struct port_request_memory memory = { 0 };
		struct device_result result;

		if (position++ < ports->check_position)
			continue;
		if (position > end)
			break;
		if (entry->state == PORT_STATE_FAILED ||
		    !ports_request(ports, entry->port_id, &request, &memory))
			continue;
		if (!devices_check(ports->devices, &request, &result) &&
		    (entry->state == PORT_STATE_PLUGGED || result.state != DEVICE_WAITING)) {
			if (!entry->lacking)
				log_warning("port not as it should be", "port=%s text=\"%s\"",
					    request.port_name, result.sentence);
			ports_look_at(ports, entry->port_id);
			repaired += !entry->lacking;
		} else if (result.unknown) {
			ports_set_unknown(ports, entry, true, result.sentence);
		}
		free(memory.addresses);
	}
	ports_retry_later(ports, ports->unknown_count > unknown);
	ports->check_position = end < map_count(&ports->entries) ? (uint32_t)end : 0;
	return repaired;
}

void ports_say(struct ports *ports, uint32_t port_id, const char *text)
{
	free(map_put_u32(&ports->said, port_id, xstrdup(text)));
}

/* ---- looking in ---- */

void ports_device(const struct ports *ports, uint32_t port_id, struct port_device *device)
{
	const struct port_entry *entry = map_get_u32(&ports->entries, port_id);

	*device = (struct port_device){ .kind = PORT_UNPLUGGED };
	if (!entry || entry->state != PORT_STATE_PLUGGED)
		return;
	if (entry->kind == PORT_CHILD) {
		const struct object *object = intent_object(ports->options.intent, port_id);
		const struct port_object *parent =
			object ? intent_parent(ports->options.intent,
					       (const struct port_object *)object)
			       : NULL;

		entry = parent ? map_get_u32(&ports->entries, parent->object.id) : NULL;
		if (!entry || entry->state != PORT_STATE_PLUGGED)
			return;
		device->ifindex = entry->ifindex;
		device->kind = PORT_CHILD;
		return;
	}
	device->ifindex = entry->ifindex;
	device->kind = entry->kind;
	device->attachment_flags = entry->attachment_flags;
}

void ports_count(const struct ports *ports, struct ports_counts *counts)
{
	*counts = ports->counts;
}

static json_t *device_name_json(const struct ports *ports, const struct port_entry *entry)
{
	const struct object *object = intent_object(ports->options.intent, entry->port_id);
	const struct port_object *port = (const struct port_object *)object;
	char name[IF_NAMESIZE];

	if (!object || entry->state != PORT_STATE_PLUGGED)
		return json_null();
	if (entry->kind == PORT_TAP || entry->kind == PORT_TUN)
		return json_string(port->attach.ifname);
	return if_indextoname(entry->ifindex, name) ? json_string(name) : json_null();
}

static const char *ports_note(const struct ports *ports, const struct port_entry *entry)
{
	const struct object *object = intent_object(ports->options.intent, entry->port_id);

	return object ? port_note(ports->options.intent, (const struct port_object *)object,
				  entry->kind, entry->adopted, entry->shared)
		      : NULL;
}

json_t *ports_status_json(const struct ports *ports, uint32_t port_id)
{
	const struct port_entry *entry = map_get_u32(&ports->entries, port_id);
	const struct object *object = intent_object(ports->options.intent, port_id);
	const struct port_object *port = (const struct port_object *)object;
	char since[CLOCK_RFC3339_SIZE];
	bool comes;

	/* Whether it is plugged in there is that host's to say. */
	if (!entry)
		return json_pack("{s:s, s:n, s:s?, s:s, s:i, s:i, s:n, s:n}", "state", "elsewhere",
				 "reason", "note", map_get_u32(&ports->said, port_id), "host",
				 port ? port->host : "", "claim", port ? (int)port->claim : 0,
				 "ifindex", 0, "device", "since");
	comes = port && intent_comes_here(ports->options.intent, port);
	return json_pack("{s:s, s:s?, s:s?, s:s, s:i, s:i, s:o, s:s}", "state",
			 comes && entry->state == PORT_STATE_PLUGGED
				 ? "ready"
				 : port_state_names[ports_state(entry)],
			 "reason", entry->reason, "note", ports_note(ports, entry), "host",
			 comes ? port->host : ports->options.host, "claim",
			 port ? (int)port->claim : 0, "ifindex", (int)entry->ifindex, "device",
			 device_name_json(ports, entry), "since",
			 clock_rfc3339_format(entry->since_ns, since));
}

/* ---- open and close ---- */

int ports_open(const struct ports_options *options, struct ports **ports, struct error *error)
{
	struct ports *new = xcalloc(1, sizeof(*new));
	const struct device_options devices = {
		.loop = options->loop,
		.instance = options->instance,
		.ovsdb = options->ovsdb,
		.adoptions = options->adoptions,
		.attach = ports_attach,
		.event = ports_event,
		.context = new,
	};
	int code = 0;

	new->options = *options;
	loop_deferred_init(&new->look, ports_look, new);
	loop_timer_init(&new->retry, ports_retry, new);
	if (options->devices)
		code = devices_open(&devices, &new->devices, error);
	if (code) {
		ports_close(new);
		return code;
	}
	*ports = new;
	return 0;
}

void ports_close(struct ports *ports)
{
	if (!ports)
		return;
	loop_timer_stop(&ports->retry);
	loop_deferred_cancel(&ports->look);
	devices_close(ports->devices);
	map_fini(&ports->pending, NULL);
	map_fini(&ports->said, free);
	map_fini(&ports->entries, entry_free);
	free(ports);
}
