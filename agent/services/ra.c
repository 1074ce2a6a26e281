/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Router advertisements; see ra.h.
 *
 * Once a second the sender looks at the subnets that have them. Which those are is found anew when the
 * intent has moved; in between it costs a comparison for each. The first three go out soon after each
 * other (RFC 4861, 6.2.4), later ones after a random time up to the interval, so that the subnets of a host
 * do not all fall on one moment.
 */
#include "agent/services/ra.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/devices/ports.h"
#include "agent/names.h"
#include "base/alloc.h"
#include "base/map.h"

#define TYPE_ADVERTISEMENT 134
#define FLAG_MANAGED 0x80
#define FLAG_OTHER 0x40
#define PREFIX_ON_LINK 0x80
#define PREFIX_AUTONOMOUS 0x40
#define OPTION_SOURCE 1
#define OPTION_PREFIX 3
#define OPTION_MTU 5
#define OPTION_DNS 25 /* RFC 8106 */
#define OPTION_SEARCH 31
#define HOP_LIMIT 64
#define VALID_SECONDS 2592000 /* RFC 4861, 6.2.1 */
#define PREFERRED_SECONDS 604800
#define SECOND_NS CLOCK_NS_PER_SECOND
#define INITIAL_COUNT 3
#define INITIAL_SECONDS 16

/* ---- the message ---- */

static void append_u16(struct buf *message, uint32_t value)
{
	buf_append_char(message, (char)(value >> 8));
	buf_append_char(message, (char)value);
}

static void append_u32(struct buf *message, uint32_t value)
{
	append_u16(message, value >> 16);
	append_u16(message, value & 0xffff);
}

static void append_prefix(struct buf *message, const struct subnet_object *subnet)
{
	const struct ip_prefix *prefix = &subnet->cidrs[1];
	const bool autonomous = subnet->ra && subnet->ra->mode != RA_MANAGED;

	buf_append_char(message, OPTION_PREFIX);
	buf_append_char(message, 4);
	buf_append_char(message, (char)prefix->length);
	buf_append_char(message, (char)(PREFIX_ON_LINK | (autonomous ? PREFIX_AUTONOMOUS : 0)));
	append_u32(message, VALID_SECONDS);
	append_u32(message, PREFERRED_SECONDS);
	append_u32(message, 0);
	buf_append(message, prefix->address.byte, sizeof(prefix->address.byte));
}

/* Those are told that live longer than the next two advertisements may take. */
static void append_names(struct buf *message, const struct subnet_ra *ra,
			 const struct dhcp_names *names)
{
	struct buf search = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < names->dns_count; i++)
		count += !ip_address_is_ipv4(&names->dns[i]);
	if (count) {
		buf_append_char(message, OPTION_DNS);
		buf_append_char(message, (char)(1 + 2 * count));
		append_u16(message, 0);
		append_u32(message, 3 * ra->interval);
	}
	for (size_t i = 0; i < names->dns_count; i++)
		if (!ip_address_is_ipv4(&names->dns[i]))
			buf_append(message, names->dns[i].byte, sizeof(names->dns[i].byte));
	for (size_t i = 0; i < names->search_count; i++)
		dhcp_append_name(&search, names->search[i]);
	while (search.size % 8)
		buf_append_char(&search, '\0');
	if (search.size && search.size / 8 < 255) {
		buf_append_char(message, OPTION_SEARCH);
		buf_append_char(message, (char)(1 + search.size / 8));
		append_u16(message, 0);
		append_u32(message, 3 * ra->interval);
		buf_append(message, search.data, search.size);
	}
	buf_fini(&search);
}

void ra_write(const struct subnet_object *subnet, const struct dhcp_names *names, uint32_t mtu,
	      struct buf *message)
{
	static const uint8_t flags[] = {
		[RA_SLAAC] = 0, [RA_STATELESS] = FLAG_OTHER, [RA_MANAGED] = FLAG_MANAGED | FLAG_OTHER
	};
	const struct mac_address mac = subnet_gateway_mac(subnet);
	const struct subnet_ra *ra = subnet->ra;

	buf_append_char(message, (char)TYPE_ADVERTISEMENT);
	buf_append_char(message, 0);
	append_u16(message, 0);
	buf_append_char(message, HOP_LIMIT);
	buf_append_char(message, ra ? (char)flags[ra->mode] : 0);
	append_u16(message, ra ? ra->lifetime : 0);
	append_u32(message, 0); /* times of neighbour discovery: as they are */
	append_u32(message, 0);
	buf_append_char(message, OPTION_SOURCE);
	buf_append_char(message, 1);
	buf_append(message, mac.byte, sizeof(mac.byte));
	if (!ra)
		return;
	buf_append_char(message, OPTION_MTU);
	buf_append_char(message, 1);
	append_u16(message, 0);
	append_u32(message, mtu);
	append_prefix(message, subnet);
	append_names(message, ra, names);
}

/* ---- when ---- */

/* A subnet that has them. */
struct advertised {
	struct subnet_ra ra;
	struct subnet_dhcp dhcp; /* zero: none; names come from it */
	uint64_t due_ns;
	uint32_t sent;
	bool seen; /* in the walk that is under way */
};

struct ra_sender {
	struct loop *loop;
	struct reconcile *reconcile;
	ra_send_callback *send;
	void *context;
	struct loop_timer timer;
	uint64_t version; /* the intent's when `subnets` was made */
	bool known;
	struct map subnets; /* id -> struct advertised, owned */
};

static uint64_t random_below(uint64_t bound)
{
	uint64_t value = 0;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) < 0)
		value = clock_monotonic_ns(NULL);
	return value % bound;
}

/* To every port of the subnet that is here and plugged in. */
static void send_all(struct ra_sender *sender, const struct subnet_object *subnet)
{
	const struct intent *intent = reconcile_intent(sender->reconcile);
	uint32_t *ids;
	size_t count = intent_ports_of_subnet(intent, subnet->object.id, &ids);

	for (size_t i = 0; i < count; i++) {
		const struct port_object *port =
			(const struct port_object *)intent_object(intent, ids[i]);
		struct port_device device = { 0 };

		if (!port || !intent_is_local(intent, port->host))
			continue;
		ports_device(reconcile_ports(sender->reconcile), ids[i], &device);
		if (device.ifindex)
			sender->send(sender->context, subnet, port);
	}
	free(ids);
}

static void look_at_subnet(struct ra_sender *sender, const struct subnet_object *subnet,
			   uint64_t now_ns)
{
	struct advertised *advertised = map_get_u32(&sender->subnets, subnet->object.id);
	const struct subnet_dhcp none = { 0 }, *dhcp = subnet->dhcp ? subnet->dhcp : &none;

	if (!advertised) {
		advertised = xcalloc(1, sizeof(*advertised));
		map_put_u32(&sender->subnets, subnet->object.id, advertised);
	}
	advertised->seen = true;
	if (subnet_ra_equal(&advertised->ra, subnet->ra) &&
	    subnet_dhcp_equal(&advertised->dhcp, dhcp))
		return;
	advertised->ra = *subnet->ra;
	advertised->dhcp = *dhcp;
	advertised->sent = 0;
	advertised->due_ns = now_ns;
}

/* One that is no more: its ports are told, if they are still there. */
static void end_subnet(struct ra_sender *sender, uint32_t subnet_id)
{
	const struct object *object = intent_object(reconcile_intent(sender->reconcile), subnet_id);

	if (object && object->kind == OBJECT_SUBNET)
		send_all(sender, (const struct subnet_object *)object);
	free(map_remove_u32(&sender->subnets, subnet_id));
}

static void look_at_intent(struct ra_sender *sender, uint64_t now_ns)
{
	const struct object **list;
	size_t count = names_all(reconcile_intent(sender->reconcile), OBJECT_SUBNET, &list);

	for (size_t i = 0; i < count; i++) {
		const struct subnet_object *subnet = (const struct subnet_object *)list[i];

		if (subnet->ra)
			look_at_subnet(sender, subnet, now_ns);
	}
	free(list);
	MAP_FOR_EACH(&sender->subnets, it) {
		struct advertised *advertised = it.value;

		if (!advertised->seen)
			end_subnet(sender, *(const uint32_t *)it.key);
		else
			advertised->seen = false;
	}
}

static void on_second(void *context)
{
	struct ra_sender *sender = context;
	const uint64_t version = reconcile_version(sender->reconcile);
	const uint64_t now_ns = clock_monotonic_ns(loop_clock(sender->loop));

	if (!sender->known || version != sender->version)
		look_at_intent(sender, now_ns);
	sender->known = true;
	sender->version = version;
	MAP_FOR_EACH(&sender->subnets, it) {
		struct advertised *advertised = it.value;
		const struct object *subnet = intent_object(reconcile_intent(sender->reconcile),
							    *(const uint32_t *)it.key);
		uint64_t interval = advertised->ra.interval;

		if (now_ns < advertised->due_ns || !subnet)
			continue;
		send_all(sender, (const struct subnet_object *)subnet);
		if (++advertised->sent < INITIAL_COUNT && interval > INITIAL_SECONDS)
			interval = INITIAL_SECONDS;
		interval *= SECOND_NS;
		advertised->due_ns = now_ns + interval / 3 + random_below(interval * 2 / 3);
	}
}

struct ra_sender *ra_sender_new(struct loop *loop, struct reconcile *reconcile,
				ra_send_callback *send, void *context)
{
	struct ra_sender *sender = xcalloc(1, sizeof(*sender));

	sender->loop = loop;
	sender->reconcile = reconcile;
	sender->send = send;
	sender->context = context;
	loop_timer_init(&sender->timer, on_second, sender);
	loop_timer_start(loop, &sender->timer, SECOND_NS, SECOND_NS);
	return sender;
}

void ra_sender_free(struct ra_sender *sender)
{
	if (!sender)
		return;
	loop_timer_stop(&sender->timer);
	map_fini(&sender->subnets, free);
	free(sender);
}
