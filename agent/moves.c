/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that come to this host; see moves.h.
 *
 * An event is read in the middle of others, so what it asks for is done in the next round of the loop. A
 * change that fails, for the store is away, is tried again each second as long as the port is to come here.
 */
#include "agent/moves.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "agent/names.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"

#define RETRY_NS CLOCK_NS_PER_SECOND
#define ETHERTYPE_IPV6 0x86dd
#define MLD_QUERY 130
#define MLD_DONE 132
#define ROUTER_SOLICITATION 133
#define MLD2_REPORT 143

struct moves {
	struct loop *loop;
	struct reconcile *reconcile;
	struct map arrived; /* port ids whose workload is here */
	struct loop_deferred act;
	struct loop_timer retry;
};

bool moves_is_arrival(const struct drop_event *event, const struct mac_address *mac)
{
	static const struct address none;
	unsigned int type = ntohs(event->destination_port) >> 8;

	if (memcmp(event->ethernet + 6, mac->byte, sizeof(mac->byte)) != 0)
		return false;
	if (ntohs(event->ethertype) != ETHERTYPE_IPV6)
		return true;
	if (memcmp(&event->source, &none, sizeof(none)) == 0)
		return false;
	return event->protocol != IPPROTO_ICMPV6 ||
	       !((type >= MLD_QUERY && type <= ROUTER_SOLICITATION) || type == MLD2_REPORT);
}

/* The port, if it is to come here by its first frame; NULL. */
static const struct port_object *coming(const struct moves *moves, uint32_t port_id)
{
	const struct intent *intent = reconcile_intent(moves->reconcile);
	const struct object *object = intent_object(intent, port_id);
	const struct port_object *port = (const struct port_object *)object;

	if (!object || object->kind != OBJECT_PORT || port->moves_on_command ||
	    !intent_comes_here(intent, port))
		return NULL;
	return port;
}

void moves_heard(void *context, const struct drop_event *event)
{
	struct moves *moves = context;
	const struct port_object *port;

	if (event->verdict != VERDICT_NOT_ACTIVE)
		return;
	port = coming(moves, event->port_id);
	if (!port || !moves_is_arrival(event, &port->mac) ||
	    map_put_u32(&moves->arrived, event->port_id, moves))
		return;
	loop_defer(moves->loop, &moves->act);
}

/* ---- activation ---- */

struct activation {
	const struct moves *moves;
	uint32_t port_id;
};

static int fill(void *context, struct draft *draft, struct error *error)
{
	const struct activation *activation = context;
	const struct intent *intent = reconcile_intent(activation->moves->reconcile);
	const struct port_object *port = coming(activation->moves, activation->port_id);
	const struct object *vpc = port ? intent_object(intent, port->object.vpc_id) : NULL;
	const char *path[4] = { "vpcs", vpc ? vpc->name : "", "ports",
				port ? port->object.name : "" };
	json_t *body;
	int code;

	if (!vpc)
		return 0; /* it came by a command, or does not come any more */
	body = json_pack("{s:s}", "host", port->moving_to);
	code = draft_patch(draft, path, ARRAY_SIZE(path), body, error);
	json_decref(body);
	return code;
}

/* Return: whether it is to be tried again. */
static bool activate(struct moves *moves, uint32_t port_id)
{
	struct activation activation = { moves, port_id };
	const struct port_object *port = coming(moves, port_id);
	struct draft *draft = NULL;
	struct error error = { 0 };
	char name[PATH_NAME_SIZE];
	uint64_t revision;
	int code;

	if (!port)
		return false;
	names_path(reconcile_intent(moves->reconcile), &port->object, name);
	code = reconcile_change(moves->reconcile, fill, &activation, &draft, &revision, &error);
	draft_free(draft);
	if (code) {
		log_limited(LOG_LEVEL_WARNING, "a port that has come cannot be made active",
			    "port=%s text=\"%s\"", name, error.text);
		return true;
	}
	log_notice("a port has come, its first frame was seen", "port=%s", name);
	return false;
}

static void act(void *context)
{
	struct moves *moves = context;
	size_t count = 0;
	uint32_t *ids = xcalloc(map_count(&moves->arrived), sizeof(*ids));
	bool again = false;

	MAP_FOR_EACH(&moves->arrived, it)
		memcpy(&ids[count++], it.key, sizeof(*ids));
	for (size_t i = 0; i < count; i++) {
		if (activate(moves, ids[i]))
			again = true;
		else
			map_remove_u32(&moves->arrived, ids[i]);
	}
	free(ids);
	if (again)
		loop_timer_start(moves->loop, &moves->retry, RETRY_NS, 0);
}

struct moves *moves_new(struct loop *loop, struct reconcile *reconcile)
{
	struct moves *moves = xcalloc(1, sizeof(*moves));

	moves->loop = loop;
	moves->reconcile = reconcile;
	loop_deferred_init(&moves->act, act, moves);
	loop_timer_init(&moves->retry, act, moves);
	return moves;
}

void moves_free(struct moves *moves)
{
	if (!moves)
		return;
	loop_deferred_cancel(&moves->act);
	loop_timer_stop(&moves->retry);
	map_fini(&moves->arrived, NULL);
	free(moves);
}
