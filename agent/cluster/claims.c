/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Claims to ports; see claims.h.
 */
#include "agent/cluster/claims.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/names.h"
#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"

#define SEND_NS CLOCK_NS_PER_SECOND

struct claims {
	struct loop *loop;
	struct reconcile *reconcile;
	struct path_probes *probes;
	struct map pending; /* port id -> id of the host that is to agree */
	struct loop_timer timer;
};

static const struct port_object *port_named(const struct claims *claims, uint32_t port_id)
{
	const struct object *object = intent_object(reconcile_intent(claims->reconcile), port_id);

	return object && object->kind == OBJECT_PORT ? (const struct port_object *)object : NULL;
}

static const struct host_object *host_named(const struct claims *claims, uint32_t host_id)
{
	const struct object *object = intent_object(reconcile_intent(claims->reconcile), host_id);

	return object && object->kind == OBJECT_HOST ? (const struct host_object *)object : NULL;
}

/* ---- claiming ---- */

void claims_changed(struct claims *claims, const struct change *changes, size_t count)
{
	const struct intent *intent = reconcile_intent(claims->reconcile);

	for (size_t i = 0; i < count; i++) {
		const struct port_object *before = (const struct port_object *)changes[i].before;
		const struct port_object *after = (const struct port_object *)changes[i].after;
		const struct host_object *from;

		if (changes[i].kind != OBJECT_PORT || !before || !after ||
		    strcmp(before->host, after->host) == 0)
			continue;
		map_remove_u32(&claims->pending, after->object.id);
		from = intent_host(intent, before->host);
		if (from && intent_is_local(intent, after->host))
			map_put_u32(&claims->pending, after->object.id,
				    (void *)(uintptr_t)from->object.id);
	}
	if (map_count(&claims->pending))
		claims_send(claims, claims->probes);
}

/* From an address of this host to one of the same family. */
static void send_to(struct claims *claims, const struct host_object *own,
		    const struct host_object *other, const struct path_claim *claim)
{
	for (size_t i = 0; i < own->address_count; i++) {
		const struct ip_address *local = &own->addresses[i].address;

		for (size_t j = 0; j < other->address_count; j++) {
			const struct ip_address *remote = &other->addresses[j].address;

			if (ip_address_is_ipv4(local) != ip_address_is_ipv4(remote))
				continue;
			path_probes_claim(claims->probes, local, remote, claim);
			return;
		}
	}
}

static void send_pending(void *context)
{
	struct claims *claims = context;
	const struct host_object *own = intent_own_host(reconcile_intent(claims->reconcile));

	MAP_FOR_EACH(&claims->pending, it) {
		uint32_t port_id = *(const uint32_t *)it.key;
		const struct port_object *port = port_named(claims, port_id);
		const struct host_object *other = host_named(claims, (uint32_t)(uintptr_t)it.value);
		struct path_claim claim = { .port_id = port_id };

		if (!own || !other || !port ||
		    !intent_is_local(reconcile_intent(claims->reconcile), port->host)) {
			map_remove_u32(&claims->pending, port_id);
			continue;
		}
		claim.claim = port->claim;
		claim.host_id = own->object.id;
		send_to(claims, own, other, &claim);
	}
	if (map_count(&claims->pending))
		loop_timer_start(claims->loop, &claims->timer, SEND_NS, 0);
}

void claims_send(struct claims *claims, struct path_probes *probes)
{
	claims->probes = probes;
	if (probes)
		send_pending(claims);
}

void claims_agreed(void *context, const struct path_claim *claim)
{
	struct claims *claims = context;
	const struct port_object *port = port_named(claims, claim->port_id);

	if (port && port->claim == claim->claim &&
	    (uint32_t)(uintptr_t)map_get_u32(&claims->pending, claim->port_id) == claim->host_id)
		map_remove_u32(&claims->pending, claim->port_id);
}

/* ---- hearing of a claim ---- */

static void yield(struct claims *claims, const struct port_object *port,
		  const struct host_object *to, uint32_t claim)
{
	uint32_t port_id = port->object.id;
	char text[200], name[PATH_NAME_SIZE];

	snprintf(text, sizeof(text),
		 "host %s has the newer claim to it, %" PRIu32 " over %" PRIu32
		 " of this host, which let go of it before the store told",
		 to->object.name, claim, port->claim);
	names_path(reconcile_intent(claims->reconcile), &port->object, name);
	log_notice("a port is another host's", "port=%s text=\"%s\"", name, text);
	reconcile_yield(claims->reconcile, port_id, to->object.name, claim);
	ports_say(reconcile_ports(claims->reconcile), port_id, text);
}

bool claims_heard(void *context, const struct path_claim *claim)
{
	struct claims *claims = context;
	const struct intent *intent = reconcile_intent(claims->reconcile);
	const struct port_object *port = port_named(claims, claim->port_id);
	const struct host_object *to = host_named(claims, claim->host_id);

	/* Of a port or host that is not known here the store will tell; there is nothing to let go of. */
	if (!port || !to || claims->reconcile->blind)
		return !claims->reconcile->blind;
	if (claim->claim > port->claim && strcmp(to->object.name, port->host) != 0) {
		if (intent_is_local(intent, port->host))
			yield(claims, port, to, claim->claim);
		return true;
	}
	return claim->claim >= port->claim;
}

/* ---- open and close ---- */

struct claims *claims_new(struct loop *loop, struct reconcile *reconcile)
{
	struct claims *claims = xcalloc(1, sizeof(*claims));

	claims->loop = loop;
	claims->reconcile = reconcile;
	loop_timer_init(&claims->timer, send_pending, claims);
	return claims;
}

void claims_free(struct claims *claims)
{
	if (!claims)
		return;
	loop_timer_stop(&claims->timer);
	map_fini(&claims->pending, NULL);
	free(claims);
}
