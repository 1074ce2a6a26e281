/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that wait for a machine on a wire; see hold.h.
 *
 * The row of the machine in wire_neighbours says that it is wanted before it is asked for, so no answer is
 * missed: the pipeline writes the MAC into it and sends a copy of the message here. Should that copy be lost, the
 * row is looked at all the same, after 10 ms, 20, 40 and so on. A row that is known when a packet comes means
 * that the answer was faster than the packet, which goes on at once.
 *
 * When a machine has answered, what waits goes on in order, then what came after it; only in the next round of
 * the loop, when the device was read to its end, does the row say that others need not come here any more.
 */
#include "agent/services/hold.h"

#include <stdlib.h>
#include <string.h>

#include "agent/services/hold_packet.h"
#include "base/alloc.h"
#include "base/map.h"

#define TICK_NS (10 * CLOCK_NS_PER_MS)
#define LOOK_MAX_NS (250 * CLOCK_NS_PER_MS)
#define ALL_NS                                                                                     \
	16000 /* that looking at one row may cost of the time, so that answers do not starve the rest */
#define FRESH_TICKS (300 * TICKS_PER_SECOND)

struct held {
	struct held *next;
	struct punt_frame frame; /* its data is behind this struct */
};

enum machine_stage {
	MACHINE_WAITING,
	MACHINE_OPEN, /* answered: what still comes here goes on at once */
};

/* A machine that is waited for. */
struct machine {
	struct wire_neighbour_key key;
	uint32_t port_id; /* that it counts for */
	enum machine_stage stage;
	struct held *first, **last;
	size_t packets, bytes;
	uint64_t look_ns, wait_ns; /* when its row is looked at, and after how long again */
	uint64_t question_ns;      /* when it is asked for again, or given up */
	unsigned int questions;
};

/* What a port has here. */
struct sender {
	size_t machines, bytes;
	uint64_t refilled_ns;
	uint32_t tokens; /* of messages to it */
};

struct hold {
	struct loop *loop;
	struct punt *punt;
	struct datapath *datapath;
	struct reconcile *reconcile;
	struct map machines; /* wire_neighbour_key -> struct machine, owned */
	struct map senders;  /* port id -> struct sender, owned */
	struct loop_timer timer;
	struct loop_deferred round;
	bool woken;      /* somebody has answered */
	uint64_t all_ns; /* when all may be looked at again because of that */
	size_t open;     /* machines in MACHINE_OPEN */
	struct hold_counts counts;
};

static uint64_t now_of(const struct hold *hold)
{
	return clock_monotonic_ns(loop_clock(hold->loop));
}

static struct sender *sender_of(struct hold *hold, uint32_t port_id)
{
	struct sender *sender = map_get_u32(&hold->senders, port_id);

	if (sender)
		return sender;
	sender = xcalloc(1, sizeof(*sender));
	sender->tokens = HOLD_ERROR_RATE;
	sender->refilled_ns = now_of(hold);
	map_put_u32(&hold->senders, port_id, sender);
	return sender;
}

/* ---- packets ---- */

/* The row of a machine; false: there is none that is worth anything. */
static bool read_row(const struct hold *hold, const struct wire_neighbour_key *key,
		     struct wire_neighbour *row)
{
	const uint32_t now = (uint32_t)(now_of(hold) >> 20);

	return !datapath_get(hold->datapath, TABLE_wire_neighbours, key, row) &&
	       (int32_t)(now - row->seen) <= (int32_t)FRESH_TICKS;
}

static void give_back(struct hold *hold, enum punt_reason reason, const struct punt_frame *frame)
{
	punt_give_back(hold->punt, reason, frame);
	if (reason == PUNT_HOLD)
		hold->counts.sent_on++;
	else if (reason == PUNT_GIVE_UP)
		hold->counts.unanswered++;
	else
		hold->counts.no_room++;
}

static void append(struct hold *hold, struct machine *machine, const struct punt_frame *frame)
{
	struct held *held = xmalloc(sizeof(*held) + frame->size);

	held->next = NULL;
	held->frame = *frame;
	held->frame.data = (const uint8_t *)(held + 1);
	memcpy(held + 1, frame->data, frame->size);
	*machine->last = held;
	machine->last = &held->next;
	machine->packets++;
	machine->bytes += frame->size;
	sender_of(hold, frame->port_id)->bytes += frame->size;
	hold->counts.packets++;
	hold->counts.bytes += frame->size;
}

/* The oldest packet that waits for the machine leaves. */
static void let_go(struct hold *hold, struct machine *machine, enum punt_reason reason)
{
	struct held *held = machine->first;

	machine->first = held->next;
	if (!machine->first)
		machine->last = &machine->first;
	machine->packets--;
	machine->bytes -= held->frame.size;
	sender_of(hold, held->frame.port_id)->bytes -= held->frame.size;
	hold->counts.packets--;
	hold->counts.bytes -= held->frame.size;
	give_back(hold, reason, &held->frame);
	free(held);
}

/* Its sender learns that nobody is there, as often as it may. */
static void tell(struct hold *hold, const struct punt_frame *frame)
{
	const struct object *object =
		intent_object(reconcile_intent(hold->reconcile), frame->subnet_id);
	const struct subnet_object *subnet = (const struct subnet_object *)object;
	struct sender *sender = sender_of(hold, frame->port_id);
	uint8_t message[HOLD_MESSAGE_MAX];
	struct ip_address destination;
	const struct ip_address *gateway;
	size_t size;

	if (!object || object->kind != OBJECT_SUBNET || !sender->tokens ||
	    hold_destination(frame->data, frame->size, &destination))
		return;
	gateway = &subnet->gateways[ip_address_is_ipv4(&destination) ? 0 : 1];
	size = hold_unreachable(frame->data, frame->size, gateway, message);
	if (!size || punt_send(hold->punt, frame->port_id, 0, message, size))
		return;
	sender->tokens--;
	hold->counts.told++;
}

/* ---- machines ---- */

static void ask(struct hold *hold, const struct wire_neighbour_key *key)
{
	uint8_t bytes[128];
	struct ip_address address;
	struct punt_frame question = { .wire_id = key->port_id, .data = bytes };

	memcpy(address.byte, &key->address, sizeof(address.byte));
	question.size = hold_question(&address, bytes, sizeof(bytes));
	if (question.size && !punt_give_back(hold->punt, PUNT_ASK, &question))
		hold->counts.asked++;
}

/* The row as it is to be while the machine is waited for; whoever answers finds it. */
static void want(struct hold *hold, const struct wire_neighbour_key *key)
{
	const struct wire_neighbour row = {
		.flags = NEIGHBOUR_WANTED,
		.seen = (uint32_t)(now_of(hold) >> 20),
	};

	datapath_put(hold->datapath, TABLE_wire_neighbours, key, &row);
}

/* @machine, which has nothing that waits for it, is forgotten. */
static void forget(struct hold *hold, struct machine *machine)
{
	struct sender *sender = sender_of(hold, machine->port_id);

	sender->machines--;
	if (machine->stage == MACHINE_OPEN)
		hold->open--;
	map_remove(&hold->machines, &machine->key, sizeof(machine->key));
	hold->counts.machines--;
	free(machine);
}

static void open_way(struct hold *hold, struct machine *machine)
{
	machine->stage = MACHINE_OPEN;
	hold->open++;
	while (machine->first)
		let_go(hold, machine, PUNT_HOLD);
	loop_defer(hold->loop, &hold->round);
}

/* All has gone on that had come here: others need not come any more. */
static void close_way(struct hold *hold, struct machine *machine)
{
	struct wire_neighbour row;

	if (read_row(hold, &machine->key, &row) && (row.flags & NEIGHBOUR_WANTED)) {
		row.flags = 0;
		datapath_put(hold->datapath, TABLE_wire_neighbours, &machine->key, &row);
	}
	forget(hold, machine);
}

static void give_up(struct hold *hold, struct machine *machine)
{
	datapath_remove(hold->datapath, TABLE_wire_neighbours, &machine->key);
	while (machine->first) {
		tell(hold, &machine->first->frame);
		let_go(hold, machine, PUNT_GIVE_UP);
	}
	forget(hold, machine);
}

/* Has it answered? Is it to be asked again, or given up? */
static void look(struct hold *hold, struct machine *machine, uint64_t now_ns)
{
	struct wire_neighbour row;
	bool known = read_row(hold, &machine->key, &row);

	if (known && (!(row.flags & NEIGHBOUR_WANTED) || (row.flags & NEIGHBOUR_ANSWERED))) {
		open_way(hold, machine);
		return;
	}
	machine->look_ns = now_ns + machine->wait_ns;
	machine->wait_ns = machine->wait_ns * 2 < LOOK_MAX_NS ? machine->wait_ns * 2 : LOOK_MAX_NS;
	if (now_ns < machine->question_ns)
		return;
	if (machine->questions == HOLD_QUESTIONS) {
		give_up(hold, machine);
		return;
	}
	if (!known)
		want(hold, &machine->key); /* pushed out by others */
	machine->questions++;
	machine->question_ns = now_ns + HOLD_QUESTION_NS;
	ask(hold, &machine->key);
}

/* May another machine be waited for, because of this frame? */
static bool has_room_for_machine(const struct hold *hold, const struct sender *sender)
{
	return hold->counts.machines < HOLD_MACHINES_MAX &&
	       sender->machines < HOLD_PORT_MACHINES_MAX;
}

static bool has_room(const struct hold *hold, const struct sender *sender,
		     const struct punt_frame *frame)
{
	return hold->counts.bytes + frame->size <= HOLD_BYTES_MAX &&
	       sender->bytes + frame->size <= HOLD_PORT_BYTES_MAX &&
	       frame->size <= HOLD_MACHINE_BYTES_MAX;
}

static struct machine *machine_new(struct hold *hold, const struct wire_neighbour_key *key,
				   uint32_t port_id)
{
	struct machine *machine = xcalloc(1, sizeof(*machine));
	const uint64_t now_ns = now_of(hold);

	machine->key = *key;
	machine->port_id = port_id;
	machine->last = &machine->first;
	machine->wait_ns = TICK_NS;
	machine->look_ns = now_ns + TICK_NS;
	machine->question_ns = now_ns + HOLD_QUESTION_NS;
	machine->questions = 1;
	map_put(&hold->machines, &machine->key, sizeof(machine->key), machine);
	hold->counts.machines++;
	sender_of(hold, port_id)->machines++;
	if (!loop_timer_is_running(&hold->timer))
		loop_timer_start(hold->loop, &hold->timer, TICK_NS, TICK_NS);
	return machine;
}

/* ---- what comes from the pipeline ---- */

static int key_of(const struct punt_frame *frame, struct wire_neighbour_key *key)
{
	struct ip_address destination;

	memset(key, 0, sizeof(*key));
	key->port_id = frame->wire_id;
	if (hold_destination(frame->data, frame->size, &destination))
		return -1;
	memcpy(&key->address, destination.byte, sizeof(key->address));
	return 0;
}

/* The first packet for a machine. Return: NULL if it has left again. */
static struct machine *begin(struct hold *hold, const struct punt_frame *frame,
			     const struct wire_neighbour_key *key)
{
	struct sender *sender = sender_of(hold, frame->port_id);
	struct machine *machine;
	struct wire_neighbour row;
	const bool known = read_row(hold, key, &row);

	if (known && !(row.flags & NEIGHBOUR_WANTED)) {
		give_back(hold, PUNT_HOLD, frame); /* the answer was faster */
		return NULL;
	}
	if (!has_room_for_machine(hold, sender) || !has_room(hold, sender, frame)) {
		give_back(hold, PUNT_NO_ROOM, frame);
		return NULL;
	}
	machine = machine_new(hold, key, frame->port_id);
	if (known && (row.flags & NEIGHBOUR_ANSWERED)) {
		open_way(hold, machine); /* of another weftd, which has gone */
		return machine;
	}
	want(hold, key);
	ask(hold, key);
	return machine;
}

static void on_held(void *context, const struct punt_frame *frame)
{
	struct hold *hold = context;
	struct wire_neighbour_key key;
	struct machine *machine;

	hold->counts.taken++;
	if (key_of(frame, &key)) {
		give_back(hold, PUNT_NO_ROOM, frame);
		return;
	}
	machine = map_get(&hold->machines, &key, sizeof(key));
	if (!machine)
		machine = begin(hold, frame, &key);
	if (!machine)
		return;
	if (machine->stage == MACHINE_OPEN) {
		give_back(hold, PUNT_HOLD, frame);
		return;
	}
	if (!has_room(hold, sender_of(hold, frame->port_id), frame)) {
		give_back(hold, PUNT_NO_ROOM, frame);
		return;
	}
	append(hold, machine, frame);
	while (machine->packets > HOLD_MACHINE_PACKETS_MAX ||
	       machine->bytes > HOLD_MACHINE_BYTES_MAX)
		let_go(hold, machine, PUNT_NO_ROOM);
}

/* It is used and was not heard of for long: what it answers is read by the pipeline. */
static void on_refresh(void *context, const struct punt_frame *frame)
{
	struct hold *hold = context;
	struct wire_neighbour_key key;

	if (!key_of(frame, &key))
		ask(hold, &key);
}

static void on_answer(void *context, const struct punt_frame *frame)
{
	struct hold *hold = context;

	(void)frame;
	hold->woken = true;
	loop_defer(hold->loop, &hold->round);
}

/* ---- time ---- */

static void look_at_all(struct hold *hold, bool now)
{
	const uint64_t now_ns = now_of(hold);

	MAP_FOR_EACH(&hold->machines, it) {
		struct machine *machine = it.value;

		if (machine->stage == MACHINE_WAITING && (now || now_ns >= machine->look_ns))
			look(hold, machine, now_ns);
	}
}

/* Between two rounds of reading: the ways that were opened in the last one are closed, and if somebody has
 * answered, those that wait are looked at; of very many not each time. */
static void on_round(void *context)
{
	struct hold *hold = context;

	if (hold->open)
		MAP_FOR_EACH(&hold->machines, it) {
			struct machine *machine = it.value;

			if (machine->stage == MACHINE_OPEN)
				close_way(hold, machine);
		}
	if (hold->woken && now_of(hold) >= hold->all_ns) {
		hold->woken = false;
		hold->all_ns = now_of(hold) + hold->counts.machines * ALL_NS;
		look_at_all(hold, true);
	}
}

static void refill(struct hold *hold, uint64_t now_ns)
{
	MAP_FOR_EACH(&hold->senders, it) {
		struct sender *sender = it.value;

		if (now_ns - sender->refilled_ns < CLOCK_NS_PER_SECOND)
			continue;
		sender->tokens = HOLD_ERROR_RATE;
		sender->refilled_ns = now_ns;
		if (!sender->machines && !sender->bytes)
			free(map_remove_u32(&hold->senders, *(const uint32_t *)it.key));
	}
}

static void on_tick(void *context)
{
	struct hold *hold = context;

	look_at_all(hold, hold->woken && now_of(hold) >= hold->all_ns);
	refill(hold, now_of(hold));
	if (!map_count(&hold->machines) && !map_count(&hold->senders))
		loop_timer_stop(&hold->timer);
}

/* ---- life ---- */

struct hold *hold_new(struct loop *loop, struct punt *punt, struct datapath *datapath,
		      struct reconcile *reconcile)
{
	struct hold *hold = xcalloc(1, sizeof(*hold));

	hold->loop = loop;
	hold->punt = punt;
	hold->datapath = datapath;
	hold->reconcile = reconcile;
	loop_timer_init(&hold->timer, on_tick, hold);
	loop_deferred_init(&hold->round, on_round, hold);
	punt_handle(punt, PUNT_HOLD, on_held, hold);
	punt_handle(punt, PUNT_REFRESH, on_refresh, hold);
	punt_handle(punt, PUNT_ANSWERED, on_answer, hold);
	return hold;
}

void hold_free(struct hold *hold)
{
	if (!hold)
		return;
	punt_handle(hold->punt, PUNT_HOLD, NULL, NULL);
	punt_handle(hold->punt, PUNT_REFRESH, NULL, NULL);
	punt_handle(hold->punt, PUNT_ANSWERED, NULL, NULL);
	MAP_FOR_EACH(&hold->machines, it) {
		struct machine *machine = it.value;

		if (machine->stage == MACHINE_WAITING)
			datapath_remove(hold->datapath, TABLE_wire_neighbours, &machine->key);
		while (machine->first)
			let_go(hold, machine, PUNT_NO_ROOM);
		if (machine->stage == MACHINE_OPEN)
			close_way(hold, machine);
		else
			forget(hold, machine);
	}
	loop_timer_stop(&hold->timer);
	loop_deferred_cancel(&hold->round);
	map_fini(&hold->machines, free);
	map_fini(&hold->senders, free);
	free(hold);
}

const struct hold_counts *hold_counts(const struct hold *hold)
{
	return &hold->counts;
}
