/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The watcher of tunnels; see keepalive.h.
 *
 * Each tunnel has a timer. When it runs out, what became of the last question is settled, and the next one
 * leaves. Inner packets get their outer headers from the core itself, run natively on the live rows
 * (datapath_encapsulate()), and leave by a raw socket, routed like any packet of the host.
 */
#include "agent/devices/keepalive.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/checksum.h"
#include "base/log.h"
#include "base/map.h"
#include "datapath/trace.h"

#define ANSWERS_FOR_UP 2
#define ETHERNET_HEADER 14
#define ICMP_FILTER_OPTION 1 /* of SOL_RAW, linux/icmp.h */

/* An echo message of either family; the nonce says whose it is. */
struct echo {
	uint8_t type, code;
	uint16_t checksum, identifier, sequence;
	uint64_t nonce;
} __attribute__((packed));

struct keepalive {
	struct keepalives *keepalives;
	struct keepalive_target target;
	struct keepalive_state state;
	uint64_t nonce; /* of the question on its way; 0: none, or it was answered */
	uint64_t sent_ns;
	uint64_t received; /* packets out of the tunnel when the question left */
	bool asked, answered;
	uint32_t good, bad; /* questions in a row */
	struct loop_timer timer;
};

struct keepalives {
	struct loop *loop;
	struct datapath *datapath;
	keepalive_changed_callback *changed;
	void *context;
	struct map tunnels;  /* tunnel id -> struct keepalive */
	int echo[2], raw[2]; /* IPv4, IPv6; -1: not allowed */
};

/* ---- packets ---- */

/* From the tunnel's own address. Return: 0 or negative errno. */
static int send_echo(const struct keepalive *keepalive)
{
	const struct keepalive_target *target = &keepalive->target;
	bool ipv4 = ip_address_is_ipv4(&target->remote);
	struct echo echo = { .type = ipv4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
			     .identifier = htons((uint16_t)target->tunnel_id),
			     .sequence = htons((uint16_t)keepalive->state.sent),
			     .nonce = keepalive->nonce };
	struct sockaddr_storage to;
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] __attribute__((aligned(8))) = { 0 };
	struct iovec bytes = { &echo, sizeof(echo) };
	struct msghdr message = { .msg_name = &to,
				  .msg_namelen = ip_address_to_socket(&target->remote, 0, &to),
				  .msg_iov = &bytes,
				  .msg_iovlen = 1,
				  .msg_control = control };
	struct cmsghdr *header = (struct cmsghdr *)control;

	if (ipv4) {
		struct in_pktinfo source = { 0 };

		echo.checksum = htons(checksum(&echo, sizeof(echo)));
		memcpy(&source.ipi_spec_dst, target->local.byte + 12, 4);
		header->cmsg_level = IPPROTO_IP;
		header->cmsg_type = IP_PKTINFO;
		header->cmsg_len = CMSG_LEN(sizeof(source));
		memcpy(CMSG_DATA(header), &source, sizeof(source));
		message.msg_controllen = CMSG_SPACE(sizeof(source));
	} else {
		struct in6_pktinfo source = { 0 };

		memcpy(&source.ipi6_addr, target->local.byte, 16);
		header->cmsg_level = IPPROTO_IPV6;
		header->cmsg_type = IPV6_PKTINFO;
		header->cmsg_len = CMSG_LEN(sizeof(source));
		memcpy(CMSG_DATA(header), &source, sizeof(source));
		message.msg_controllen = CMSG_SPACE(sizeof(source));
	}
	if (sendmsg(keepalive->keepalives->echo[!ipv4], &message, MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}

static int send_inner(const struct keepalive *keepalive)
{
	const struct keepalive_target *target = &keepalive->target;
	uint8_t outer[KEEPALIVE_FRAME_MAX + DATAPATH_OUTER_MAX];
	bool ipv4 = ip_address_is_ipv4(&target->remote);
	struct sockaddr_storage to;
	socklen_t to_size = ip_address_to_socket(&target->remote, 0, &to);
	ssize_t size = datapath_encapsulate(keepalive->keepalives->datapath, target->tunnel_id,
					    target->frame, target->frame_size, outer,
					    sizeof(outer));

	if (size < 0)
		return (int)size;
	if (size <= ETHERNET_HEADER)
		return -EINVAL;
	if (sendto(keepalive->keepalives->raw[!ipv4], outer + ETHERNET_HEADER,
		   (size_t)size - ETHERNET_HEADER, MSG_DONTWAIT, (struct sockaddr *)&to,
		   to_size) < 0)
		return -errno;
	return 0;
}

/* ---- the state ---- */

static uint64_t received_packets(const struct keepalive *keepalive)
{
	struct port_key key = { .port_id = keepalive->target.tunnel_id };
	struct datapath *datapath = keepalive->keepalives->datapath;
	struct port_counts counts;
	struct port row;

	if (datapath_get(datapath, TABLE_ports, &key, &row) ||
	    datapath_port_counts(datapath, row.port_slot, &counts))
		return 0;
	return counts.received_packets;
}

static void become(struct keepalive *keepalive, enum keepalive_life life)
{
	struct keepalives *keepalives = keepalive->keepalives;

	if (keepalive->state.life == life)
		return;
	keepalive->state.life = life;
	keepalive->state.since_ns = clock_realtime_ns(loop_clock(keepalives->loop));
	keepalives->changed(keepalives->context, keepalive->target.tunnel_id);
}

static void settle(struct keepalive *keepalive)
{
	if (!keepalive->asked)
		return;
	keepalive->asked = false;
	if (keepalive->target.frame_size)
		keepalive->answered = received_packets(keepalive) != keepalive->received;
	if (keepalive->answered) {
		keepalive->good++;
		keepalive->bad = 0;
	} else {
		keepalive->state.lost++;
		keepalive->bad++;
		keepalive->good = 0;
	}
	if (keepalive->bad >= keepalive->target.retries)
		become(keepalive, KEEPALIVE_DOWN);
	else if (keepalive->good >= ANSWERS_FOR_UP ||
		 (keepalive->good && keepalive->state.life == KEEPALIVE_UNKNOWN))
		become(keepalive, KEEPALIVE_UP);
}

static void ask(void *context)
{
	struct keepalive *keepalive = context;
	const struct keepalives *keepalives = keepalive->keepalives;
	bool ipv4 = ip_address_is_ipv4(&keepalive->target.remote), inner;
	int code;

	settle(keepalive);
	inner = keepalive->target.frame_size != 0;
	if ((inner ? keepalives->raw : keepalives->echo)[!ipv4] < 0)
		return;
	if (getrandom(&keepalive->nonce, sizeof(keepalive->nonce), GRND_NONBLOCK) < 0)
		return;
	keepalive->nonce |= 1;
	keepalive->asked = true;
	keepalive->answered = false;
	keepalive->received = received_packets(keepalive);
	keepalive->sent_ns = clock_monotonic_ns(NULL);
	keepalive->state.sent++;
	/* What cannot even leave is not answered either. */
	code = inner ? send_inner(keepalive) : send_echo(keepalive);
	if (code)
		log_limited(LOG_LEVEL_INFO, "a tunnel's end cannot be asked",
			    "tunnel=%u text=\"%s\"", keepalive->target.tunnel_id, strerror(-code));
}

/* ---- answers of outer addresses ---- */

static void take_answer(struct keepalives *keepalives, uint64_t nonce)
{
	MAP_FOR_EACH(&keepalives->tunnels, it) {
		struct keepalive *keepalive = it.value;

		if (!keepalive->asked || keepalive->answered || keepalive->nonce != nonce)
			continue;
		keepalive->answered = true;
		keepalive->state.round_trip_us =
			(uint32_t)((clock_monotonic_ns(NULL) - keepalive->sent_ns) / 1000);
		/* The first one tells at once. */
		if (keepalive->state.life == KEEPALIVE_UNKNOWN)
			become(keepalive, KEEPALIVE_UP);
		return;
	}
}

static void echo_ready(void *context, int fd, uint32_t events)
{
	struct keepalives *keepalives = context;
	bool ipv4 = fd == keepalives->echo[0];
	uint8_t bytes[128];

	(void)events;
	for (int i = 0; i < 64; i++) {
		ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		size_t offset = 0;
		struct echo echo;

		if (got < 0)
			return;
		/* IPv4 hands over its header as well. */
		if (ipv4 && got > 0)
			offset = (size_t)(bytes[0] & 15) * 4;
		if ((size_t)got < offset + sizeof(echo))
			continue;
		memcpy(&echo, bytes + offset, sizeof(echo));
		if (echo.type == (ipv4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
			take_answer(keepalives, echo.nonce);
	}
}

/* ---- targets ---- */

static void keepalive_free(void *value)
{
	struct keepalive *keepalive = value;

	loop_timer_stop(&keepalive->timer);
	free(keepalive);
}

static bool same_target(const struct keepalive_target *a, const struct keepalive_target *b)
{
	return a->interval == b->interval && a->retries == b->retries &&
	       ip_address_equal(&a->local, &b->local) && ip_address_equal(&a->remote, &b->remote) &&
	       a->frame_size == b->frame_size && memcmp(a->frame, b->frame, a->frame_size) == 0;
}

static void begin(struct keepalives *keepalives, const struct keepalive_target *target)
{
	struct keepalive *keepalive = map_get_u32(&keepalives->tunnels, target->tunnel_id);

	if (keepalive && same_target(&keepalive->target, target))
		return;
	if (keepalive)
		keepalive_free(map_remove_u32(&keepalives->tunnels, target->tunnel_id));
	keepalive = xcalloc(1, sizeof(*keepalive));
	keepalive->keepalives = keepalives;
	keepalive->target = *target;
	loop_timer_init(&keepalive->timer, ask, keepalive);
	map_put_u32(&keepalives->tunnels, target->tunnel_id, keepalive);
	loop_timer_start(keepalives->loop, &keepalive->timer, CLOCK_NS_PER_MS,
			 target->interval * CLOCK_NS_PER_SECOND);
}

void keepalives_set(struct keepalives *keepalives, const struct keepalive_target *targets,
		    size_t count)
{
	struct map wanted = { 0 };

	for (size_t i = 0; i < count; i++)
		map_put_u32(&wanted, targets[i].tunnel_id, keepalives);
	MAP_FOR_EACH(&keepalives->tunnels, it) {
		uint32_t tunnel_id = *(const uint32_t *)it.key;
		struct keepalive *keepalive = it.value;
		bool was_down = keepalive->state.life == KEEPALIVE_DOWN;

		if (map_get_u32(&wanted, tunnel_id))
			continue;
		keepalive_free(map_remove_u32(&keepalives->tunnels, tunnel_id));
		/* What is not watched is used. */
		if (was_down)
			keepalives->changed(keepalives->context, tunnel_id);
	}
	map_fini(&wanted, NULL);
	for (size_t i = 0; i < count; i++)
		begin(keepalives, &targets[i]);
}

bool keepalives_get(const struct keepalives *keepalives, uint32_t tunnel_id,
		    struct keepalive_state *state)
{
	const struct keepalive *keepalive =
		keepalives ? map_get_u32(&keepalives->tunnels, tunnel_id) : NULL;

	if (keepalive)
		*state = keepalive->state;
	return keepalive != NULL;
}

/* ---- open and close ---- */

static int open_socket(int family, int protocol)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd < 0)
		log_warning("tunnels of this family cannot be watched", "family=%s text=\"%s\"",
			    family == AF_INET ? "IPv4" : "IPv6", strerror(errno));
	return fd;
}

/* Only answers; all else that ICMP says is not for us. */
static void filter_echo(const struct keepalives *keepalives)
{
	uint32_t ipv4 = ~(1u << ICMP_ECHOREPLY);
	struct icmp6_filter ipv6;

	ICMP6_FILTER_SETBLOCKALL(&ipv6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &ipv6);
	if ((keepalives->echo[0] >= 0 &&
	     setsockopt(keepalives->echo[0], SOL_RAW, ICMP_FILTER_OPTION, &ipv4, sizeof(ipv4))) ||
	    (keepalives->echo[1] >= 0 &&
	     setsockopt(keepalives->echo[1], IPPROTO_ICMPV6, ICMP6_FILTER, &ipv6, sizeof(ipv6))))
		log_info("echo sockets hear more than answers", "text=\"%s\"", strerror(errno));
}

struct keepalives *keepalives_new(struct loop *loop, struct datapath *datapath,
				  keepalive_changed_callback *changed, void *context)
{
	struct keepalives *keepalives = xcalloc(1, sizeof(*keepalives));

	keepalives->loop = loop;
	keepalives->datapath = datapath;
	keepalives->changed = changed;
	keepalives->context = context;
	keepalives->echo[0] = open_socket(AF_INET, IPPROTO_ICMP);
	keepalives->echo[1] = open_socket(AF_INET6, IPPROTO_ICMPV6);
	keepalives->raw[0] = open_socket(AF_INET, IPPROTO_RAW);
	keepalives->raw[1] = open_socket(AF_INET6, IPPROTO_RAW);
	filter_echo(keepalives);
	for (int i = 0; i < 2; i++)
		if (keepalives->echo[i] >= 0)
			loop_add_fd(loop, keepalives->echo[i], EPOLLIN, echo_ready, keepalives);
	return keepalives;
}

void keepalives_free(struct keepalives *keepalives)
{
	if (!keepalives)
		return;
	map_fini(&keepalives->tunnels, keepalive_free);
	for (int i = 0; i < 2; i++) {
		if (keepalives->echo[i] >= 0) {
			loop_remove_fd(keepalives->loop, keepalives->echo[i]);
			close(keepalives->echo[i]);
		}
		if (keepalives->raw[i] >= 0)
			close(keepalives->raw[i]);
	}
	free(keepalives);
}
