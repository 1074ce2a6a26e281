/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Worlds: JSON of intent to table rows, by the model and the planner that the daemon uses.
 *
 * Every port is plugged in as a veth, with an ifindex and a slot that follow from its id; what a test
 * needs otherwise it says in its intent (a port that "waits" is named wait-... and has no device).
 */
#include "tests/vectors/vector.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

const char *const world_wires[WORLD_WIRES] = {
	"tests/vectors/wires.json",
	"tests/vectors/wires-l3.json",
	"tests/vectors/direct.json",
	"tests/vectors/shared-l2.json",
	"tests/vectors/shared-l3.json",
	"tests/vectors/shared-l2-vepa.json",
	"tests/vectors/shared-l2-private.json",
	"tests/vectors/shared-l3-private.json",
	"tests/vectors/shared.json",
	"tests/vectors/shared-l3s.json",
	"tests/vectors/tags-wires.json",
};

static bool port_device(void *context, uint32_t port_id, struct port_device *device)
{
	const struct world *world = context;
	const struct object *port = intent_object(world->intent, port_id);

	memset(device, 0, sizeof(*device));
	device->slot = port_id % 1024;
	if (port && !strncmp(port->name, "wait-", 5))
		return true;
	/* A trunk's device is the one that the kernel's side runs programs at. */
	device->ifindex = port && !strncmp(port->name, "trunk", 5) ? 1 : 1000 + port_id;
	if (port && ((const struct port_object *)port)->attach.kind == ATTACH_CHILD) {
		device->ifindex = 1;
		device->kind = PORT_CHILD;
		return true;
	}
	device->kind = port && !strncmp(port->name, "tap-", 4) ? PORT_TAP : PORT_VETH;
	/* As the host uses it, too. */
	if (port && ((const struct port_object *)port)->attach.kind == ATTACH_DEVICE) {
		device->kind = PORT_TAP;
		device->attachment_flags = ATTACHMENT_SHARED;
	}
	if (port && attach_is_link(&((const struct port_object *)port)->attach))
		device->kind = PORT_LINK;
	return true;
}

static uint32_t vpc_slot(void *context, uint32_t vpc_id)
{
	(void)context;
	return vpc_id % 64;
}

static uint32_t vpc_generation(void *context, uint32_t vpc_id)
{
	(void)vpc_id;
	return ((struct world *)context)->generation;
}

static uint32_t object_slot(void *context, uint32_t id)
{
	(void)context;
	return id % 1024;
}

/* Every uplink is lo: there the kernel's side runs its programs. */
static uint32_t uplink_ifindex(void *context, const char *ifname)
{
	(void)context;
	(void)ifname;
	return 1;
}

static bool uplink_mac(void *context, const char *ifname, struct mac_address *mac)
{
	(void)context;
	(void)ifname;
	*mac = (struct mac_address){ { 0x02, 0, 0, 0, 0x55, 0x01 } };
	return true;
}

/* And so is the way to the host's own stack. */
static uint32_t stack_ifindex(void *context, uint32_t subnet_id, struct mac_address *mac)
{
	(void)context;
	(void)subnet_id;
	*mac = (struct mac_address){ { 0x02, 0, 0, 0, 0x55, 0x02 } };
	return 1;
}

static json_t *read_json(const char *path)
{
	json_error_t error;
	json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	if (!json)
		vector_fail("%s: line %d: %s", path, error.line, error.text);
	return json;
}

/* All rows of the intent as it is now. */
void world_plan(struct world *world)
{
	struct plan_host host = {
		.context = world,
		.port_device = port_device,
		.vpc_slot = vpc_slot,
		.vpc_generation = vpc_generation,
		.tunnel_slot = object_slot,
		.uplink_ifindex = uplink_ifindex,
		.uplink_mac = uplink_mac,
		.stack_ifindex = stack_ifindex,
		.flow_capacity = 4096,
		.flow_guarantee = 64,
	};
	struct unit *units;
	size_t count = plan_all(world->planner, world->intent, &units);

	rows_clear(&world->rows);
	for (size_t i = 0; i < count; i++)
		plan_unit(world->planner, world->intent, &host, &units[i], &world->rows);
	free(units);
	if (hosts_any())
		hosts_rows(world, world->here, &world->rows);
}

void world_read(struct world *world, const char *path)
{
	json_t *json = read_json(path);
	struct error error = { 0 };
	struct draft *draft;
	const struct change *changes;
	struct unit *units;
	uint32_t *vpcs;
	size_t change_count, unit_count, vpc_count;

	if (!world->intent) {
		world->intent = intent_new();
		intent_set_host(world->intent, "h1");
		world->planner = planner_new();
		world->generation = 1;
	}
	draft = draft_new(world->intent);
	if (draft_apply_tree(draft, json, true, &error) || draft_check(draft, &error))
		vector_fail("%s: %s: %s", path, error.path, error.text);
	draft_records(draft, &change_count);
	draft_commit(draft, ++world->revision);
	changes = draft_changes(draft, &change_count);
	plan_dirty(world->planner, world->intent, changes, change_count, &units, &unit_count, &vpcs,
		   &vpc_count);
	if (vpc_count)
		world->generation++;
	free(units);
	free(vpcs);
	world_plan(world);
	draft_free(draft);
	json_decref(json);
}

void world_free(struct world *world)
{
	rows_clear(&world->rows);
	planner_free(world->planner);
	intent_free(world->intent);
	memset(world, 0, sizeof(*world));
}

const struct port_object *world_port(const struct world *world, const char *name)
{
	char vpc[NAME_SIZE];
	const char *slash = strchr(name, '/');

	if (!slash || (size_t)(slash - name) >= sizeof(vpc))
		return NULL;
	memcpy(vpc, name, (size_t)(slash - name));
	vpc[slash - name] = '\0';
	return (const struct port_object *)intent_find(world->intent, vpc, OBJECT_PORT, slash + 1);
}

void world_attachment(const struct world *world, const struct port_object *port,
		      struct attachment *attachment)
{
	struct port_device device;
	uint32_t *children;

	port_device((void *)world, port->object.id, &device);
	memset(attachment, 0, sizeof(*attachment));
	attachment->port_id = port->object.id;
	attachment->port_slot = device.slot;
	attachment->vpc_slot = port->object.vpc_id % 64;
	if (intent_children(world->intent, port, &children))
		attachment->flags |= ATTACHMENT_TRUNK;
	free(children);
}
