/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach: {host: true}: a workload that has the host's own stack, as container runtimes know it (docker run
 * --network host, hostNetwork of Kubernetes).
 *
 * None of its packets passes the pipeline, so whatever is said of an address, a rule, a rate or a copy would
 * be said in vain; and what is in vain is refused, for a rule that does not hold is worse than none. The
 * port is there to be listed: who is on a host without isolation.
 *
 * Neighbours: check_port.c (the caller), plan.c (which plans nothing for it).
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "model/filter.h"
#include "model/intent_private.h"

/* The first key that would mean nothing; NULL: there is none. */
static const char *in_vain(const struct port_object *port)
{
	const struct {
		const char *key;
		bool said;
	} keys[] = {
		{ "addresses", port->address_count != 0 },
		{ "mac", !mac_address_is_zero(&port->mac) },
		{ "security_groups", port->group_count != 0 },
		{ "allowed_addresses", port->allowed_count != 0 },
		{ "source_destination_check", !port->source_destination_check },
		{ "mtu", port->mtu != 0 },
		{ "flow_limit", port->flow_limit != PORT_FLOW_LIMIT_DEFAULT },
		{ "send_rate", port->send_rate != 0 },
		{ "receive_rate", port->receive_rate != 0 },
		{ "rate_burst", port->rate_burst != 0 },
		{ "send_burst", port->send_burst != 0 },
		{ "receive_burst", port->receive_burst != 0 },
		{ "share", port->share != 1 },
		{ "dscp", port->dscp_mark != 0 },
		{ "mirror", port->mirror != NULL },
		{ "flow_log", port->flow_log != NULL },
		{ "user_data", port->user_data != NULL },
		{ "moving_to", port->moving_to[0] != '\0' },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].said)
			return keys[i].key;
	return NULL;
}

/* Nor does a copy get to it: no port or subnet may be mirrored to it. */
static int check_no_copies(const struct draft *draft, const struct port_object *port,
			   struct error *error)
{
	static const enum object_kind kinds[] = { OBJECT_PORT, OBJECT_SUBNET };
	const struct object **list;
	int code = 0;

	for (size_t k = 0; k < ARRAY_SIZE(kinds) && !code; k++) {
		size_t count = draft_members(draft, port->object.vpc_id, kinds[k], &list);

		for (size_t i = 0; i < count && !code; i++) {
			const struct port_mirror_to *mirror = object_mirror(list[i]);

			if (mirror && !mirror->tunnel && strcmp(mirror->to, port->object.name) == 0)
				code = draft_refuse(draft, &port->object, "attach", EINVAL, error,
						    "%s %s is mirrored to it, and no copy gets to "
						    "the host's own stack (attach.host)",
						    object_kind_word(kinds[k]), list[i]->name);
		}
		free(list);
	}
	return code;
}

int check_host_stack(const struct draft *draft, const struct port_object *port, struct error *error)
{
	const char *key = in_vain(port);

	return key ? draft_refuse(
			     draft, &port->object, key, EINVAL, error,
			     "its workload has the host's own stack (attach.host), and nothing "
			     "that a vpc says of %s would hold for it",
			     key)
		   : check_no_copies(draft, port, error);
}

int check_mirror(const struct draft *draft, const struct object *object, struct error *error)
{
	const struct port_mirror_to *mirror = object_mirror(object);
	const struct object *target =
		mirror && !mirror->tunnel
			? draft_find(draft, object->vpc_id, OBJECT_PORT, mirror->to)
			: NULL;

	if (!target || ((const struct port_object *)target)->attach.kind != ATTACH_HOST)
		return 0;
	return draft_refuse(
		draft, object, "mirror.to", EINVAL, error,
		"port %s has the host's own stack (attach.host), and no copy gets to it",
		mirror->to);
}
