/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prober; see path_probe.h for why, and for the states of a path.
 *
 * Each path has at most one probe on its way and one timer: it runs until the answer is late, or until the
 * next probe is due.
 */
#include "agent/cluster/path_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"

#define LATE_NS (400 * CLOCK_NS_PER_MS)
#define SOON_NS (2 * CLOCK_NS_PER_SECOND)
#define IDLE_NS (10 * CLOCK_NS_PER_SECOND)
#define ATTEMPTS 3 /* of the full and of the least size */
#define SEARCH_ATTEMPTS 2
#define MTU_LEAST_IPV4 576
#define MTU_LEAST_IPV6 1280
#define ANSWERS_PER_SECOND 2000
#define MTU_MOST 65535
#define DATAGRAM_SIZE_MAX MTU_MOST
#define HEADERS_IPV4 28 /* IP and UDP */
#define HEADERS_IPV6 48
#define HASH_SIZE 32
#define MAGIC UINT32_C(0x57665031) /* "WfP1" */

enum message_kind {
	MESSAGE_PROBE = 1,
	MESSAGE_ANSWER = 2,
	MESSAGE_CLAIM = 3, /* nonce: port id and claim, size: id of the host that claims */
	MESSAGE_AGREED = 4 /* the same nonce, size: id of the host that agrees */
};

/* On the wire, big endian; a probe is padded behind it. */
struct message {
	uint32_t magic;
	uint8_t kind;
	uint8_t pad[3];
	uint64_t nonce;
	uint32_t size; /* of the probe's whole IP packet */
	uint8_t hash[HASH_SIZE];
} __attribute__((packed));

enum path_phase { PHASE_FULL, PHASE_SMALL, PHASE_SEARCH, PHASE_VERIFY };

struct path {
	struct path_probes *probes;
	struct path_target target;
	struct path_state state;
	enum path_phase phase;
	uint32_t attempts;
	uint32_t low, high; /* PHASE_SEARCH: comes through, does not */
	uint32_t size;      /* of the probe on its way */
	uint64_t nonce;     /* of the probe on its way; 0: there is none */
	uint64_t sent_ns;
	uint32_t refused; /* size that the kernel of this host has refused last */
	bool hurried;
	struct loop_timer timer;
};

struct path_socket {
	struct path_probes *probes;
	struct ip_address address;
	int fd;
};

struct path_probes {
	struct loop *loop;
	uint16_t port;
	uint8_t key[PATH_PROBE_KEY_SIZE];
	path_changed_callback *changed;
	void *context;
	struct map paths;   /* host id -> struct path */
	struct map sockets; /* address -> struct path_socket */
	uint64_t answer_second;
	uint32_t answers;
	path_claim_callback *claimed;
	path_agreed_callback *agreed;
	void *claim_context;
	uint32_t own_id;
	uint8_t *buffer; /* DATAGRAM_SIZE_MAX bytes, zero between uses */
};

/* ---- messages ---- */

static uint32_t header_size(const struct ip_address *address)
{
	return ip_address_is_ipv4(address) ? HEADERS_IPV4 : HEADERS_IPV6;
}

static int hash_message(const struct path_probes *probes, const struct message *message,
			uint8_t hash[HASH_SIZE])
{
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, probes->key, sizeof(probes->key), message,
				offsetof(struct message, hash), hash);
}

static bool message_is_good(const struct path_probes *probes, const struct message *message)
{
	uint8_t hash[HASH_SIZE];

	return ntohl(message->magic) == MAGIC && !hash_message(probes, message, hash) &&
	       gnutls_memcmp(hash, message->hash, sizeof(hash)) == 0;
}

/* Return: 0, or negative errno; a size that does not even leave this host is one. */
static int send_message(struct path_probes *probes, int fd, const struct sockaddr *to,
			socklen_t to_size, enum message_kind kind, uint64_t nonce, uint32_t size,
			size_t length)
{
	struct message *message = (struct message *)probes->buffer;
	ssize_t sent;
	int code = 0;

	*message = (struct message){
		.magic = htonl(MAGIC),
		.kind = (uint8_t)kind,
		.nonce = nonce,
		.size = htonl(size),
	};
	if (hash_message(probes, message, message->hash))
		return -EINVAL;
	sent = sendto(fd, probes->buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to_size);
	if (sent < 0)
		code = -errno;
	memset(message, 0, sizeof(*message));
	return code;
}

/* ---- the state of a path ---- */

static void path_send(struct path *path);

static void path_wait(struct path *path, uint64_t ns)
{
	loop_timer_start(path->probes->loop, &path->timer, ns, 0);
}

static void path_settle(struct path *path, uint32_t mtu, bool answers)
{
	struct path_state *state = &path->state;
	bool here = answers && path->refused == mtu + 1;

	path->nonce = 0;
	path->attempts = 0;
	path->phase = PHASE_FULL;
	path_wait(path, answers && !path->hurried ? IDLE_NS : SOON_NS);
	path->hurried = false;
	path->refused = 0;
	if (state->since_ns && state->mtu == mtu && state->answers == answers &&
	    state->here == here)
		return;
	state->before = state->mtu;
	state->mtu = mtu;
	state->answers = answers;
	state->here = here;
	state->since_ns = clock_realtime_ns(loop_clock(path->probes->loop));
	path->probes->changed(path->probes->context, path->target.host_id);
}

static uint32_t least_size(const struct path *path)
{
	return ip_address_is_ipv4(&path->target.remote) ? MTU_LEAST_IPV4 : MTU_LEAST_IPV6;
}

static void path_search_step(struct path *path)
{
	bool found = path->high - path->low <= 1;

	path->phase = found ? PHASE_VERIFY : PHASE_SEARCH;
	path->size = found ? path->high : path->low + (path->high - path->low) / 2;
	path->attempts = 0;
	path_send(path);
}

static void path_answered(struct path *path)
{
	path->nonce = 0;
	switch (path->phase) {
	case PHASE_FULL: path_settle(path, path->size, true); break;
	case PHASE_SMALL:
		path->low = path->size;
		path->high = path->state.full;
		/* What came through last time is the best guess. */
		if (path->state.mtu > path->low && path->state.mtu < path->high) {
			path->phase = PHASE_SEARCH;
			path->size = path->state.mtu;
			path->attempts = 0;
			path_send(path);
		} else {
			path_search_step(path);
		}
		break;
	case PHASE_SEARCH:
		path->low = path->size;
		path_search_step(path);
		break;
	case PHASE_VERIFY:
		/* It was late, or lost for another reason: all over. */
		path->phase = PHASE_FULL;
		path->attempts = 0;
		path_wait(path, SOON_NS);
		break;
	}
}

/* No answer to the last attempt. */
static void path_silent(struct path *path)
{
	path->nonce = 0;
	switch (path->phase) {
	case PHASE_FULL:
		path->phase = PHASE_SMALL;
		path->size = least_size(path);
		path->attempts = 0;
		if (path->size >= path->state.full)
			path_settle(path, path->state.mtu, false);
		else
			path_send(path);
		break;
	case PHASE_SMALL: path_settle(path, path->state.mtu, false); break;
	case PHASE_SEARCH:
		path->high = path->size;
		path_search_step(path);
		break;
	case PHASE_VERIFY: path_settle(path, path->low, true); break;
	}
}

static void path_send(struct path *path)
{
	struct path_probes *probes = path->probes;
	const struct path_socket *from =
		map_get(&probes->sockets, &path->target.local, sizeof(path->target.local));
	struct sockaddr_storage to;
	socklen_t to_size = ip_address_to_socket(&path->target.remote, probes->port, &to);
	size_t length = path->size - header_size(&path->target.remote);

	path->attempts++;
	path_wait(path, LATE_NS);
	if (!from || getrandom(&path->nonce, sizeof(path->nonce), GRND_NONBLOCK) < 0)
		return;
	path->nonce |= 1; /* 0: none is on its way */
	path->sent_ns = clock_monotonic_ns(NULL);
	if (send_message(probes, from->fd, (const struct sockaddr *)&to, to_size, MESSAGE_PROBE,
			 path->nonce, path->size, length) == -EMSGSIZE) {
		/* More than the route or the device takes: no use in waiting, or in asking again. */
		path->attempts = ATTEMPTS;
		path->refused = path->size;
		path_wait(path, CLOCK_NS_PER_MS);
	}
}

static void path_timer(void *context)
{
	struct path *path = context;
	uint32_t most = path->phase == PHASE_SEARCH ? SEARCH_ATTEMPTS : ATTEMPTS;

	if (path->attempts == 0) {
		path->size = path->state.full;
		path_send(path);
	} else if (path->attempts < most) {
		path_send(path);
	} else {
		path_silent(path);
	}
}

/* ---- receiving ---- */

static void take_answer(struct path_probes *probes, const struct message *message)
{
	MAP_FOR_EACH(&probes->paths, it) {
		struct path *path = it.value;

		if (!path->nonce || path->nonce != message->nonce)
			continue;
		path->state.round_trip_us =
			(uint32_t)((clock_monotonic_ns(NULL) - path->sent_ns) / 1000);
		path_answered(path);
		return;
	}
}

static bool may_answer(struct path_probes *probes)
{
	uint64_t second = clock_monotonic_ns(NULL) / CLOCK_NS_PER_SECOND;

	if (second != probes->answer_second) {
		probes->answer_second = second;
		probes->answers = 0;
	}
	return probes->answers++ < ANSWERS_PER_SECOND;
}

static void take_claim(struct path_probes *probes, int fd, const struct message *message,
		       const struct sockaddr *from, socklen_t from_size)
{
	const struct path_claim claim = {
		.port_id = (uint32_t)(message->nonce >> 32),
		.claim = (uint32_t)message->nonce,
		.host_id = ntohl(message->size),
	};

	if (!probes->claimed)
		return;
	if (message->kind == MESSAGE_AGREED)
		probes->agreed(probes->claim_context, &claim);
	else if (probes->claimed(probes->claim_context, &claim) && may_answer(probes))
		send_message(probes, fd, from, from_size, MESSAGE_AGREED, message->nonce,
			     probes->own_id, sizeof(*message));
}

static void socket_ready(void *context, int fd, uint32_t events)
{
	struct path_socket *socket = context;
	struct path_probes *probes = socket->probes;
	struct sockaddr_storage from;
	struct message message;

	(void)events;
	for (int i = 0; i < 64; i++) {
		socklen_t from_size = sizeof(from);
		ssize_t got = recvfrom(fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC,
				       (struct sockaddr *)&from, &from_size);

		if (got < 0 && errno != ECONNREFUSED)
			break;
		if (got < (ssize_t)sizeof(message) || !message_is_good(probes, &message))
			continue;
		if (message.kind == MESSAGE_ANSWER)
			take_answer(probes, &message);
		else if (message.kind == MESSAGE_CLAIM || message.kind == MESSAGE_AGREED)
			take_claim(probes, fd, &message, (const struct sockaddr *)&from, from_size);
		else if (message.kind == MESSAGE_PROBE && may_answer(probes) &&
			 (uint32_t)got + header_size(&socket->address) == ntohl(message.size))
			send_message(probes, fd, (const struct sockaddr *)&from, from_size,
				     MESSAGE_ANSWER, message.nonce, ntohl(message.size),
				     sizeof(message));
	}
}

/* ---- sockets ---- */

static void socket_free(void *value)
{
	struct path_socket *entry = value;

	loop_remove_fd(entry->probes->loop, entry->fd);
	close(entry->fd);
	free(entry);
}

/*
 * Never fragmented, and no larger than the kernel takes for this path: the pipeline asks the kernel as well
 * (target/bpf/underlay.h), and what the route of the operator or a router's message rules out there comes through for
 * no probe and for no tunnel.
 */
static int make_socket(const struct ip_address *address, uint16_t port)
{
	struct sockaddr_storage here;
	socklen_t size = ip_address_to_socket(address, port, &here);
	bool ipv4 = ip_address_is_ipv4(address);
	int fd = socket(here.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int how_ipv4 = IP_PMTUDISC_DO, how_ipv6 = IPV6_PMTUDISC_DO, on = 1, code;

	if (fd < 0)
		return -errno;
	if (ipv4)
		code = setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how_ipv4, sizeof(how_ipv4));
	else
		code = setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &how_ipv6,
				  sizeof(how_ipv6)) ||
		       setsockopt(fd, IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof(on)) ||
		       setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (code || bind(fd, (const struct sockaddr *)&here, size)) {
		code = -errno;
		close(fd);
		return code;
	}
	return fd;
}

static void listen_at(struct path_probes *probes, const struct ip_address *address)
{
	struct path_socket *entry;
	char text[IP_ADDRESS_TEXT_SIZE];
	int fd;

	if (map_get(&probes->sockets, address, sizeof(*address)))
		return;
	fd = make_socket(address, probes->port);
	if (fd < 0) {
		log_limited(LOG_LEVEL_WARNING, "the path probe cannot listen",
			    "address=%s port=%u text=\"%s\"", ip_address_format(address, text),
			    probes->port, strerror(-fd));
		return;
	}
	entry = xcalloc(1, sizeof(*entry));
	*entry = (struct path_socket){ .probes = probes, .address = *address, .fd = fd };
	map_put(&probes->sockets, address, sizeof(*address), entry);
	if (loop_add_fd(probes->loop, fd, EPOLLIN, socket_ready, entry)) {
		map_remove(&probes->sockets, address, sizeof(*address));
		close(fd);
		free(entry);
	}
}

void path_probes_listen(struct path_probes *probes, const struct ip_address *addresses,
			size_t count)
{
	MAP_FOR_EACH(&probes->sockets, it) {
		bool kept = false;

		for (size_t i = 0; i < count && !kept; i++)
			kept = memcmp(it.key, &addresses[i], sizeof(addresses[i])) == 0;
		if (!kept)
			socket_free(map_remove(&probes->sockets, it.key, it.key_size));
	}
	for (size_t i = 0; i < count; i++)
		listen_at(probes, &addresses[i]);
}

/* ---- claims ---- */

void path_probes_hear(struct path_probes *probes, path_claim_callback *claimed,
		      path_agreed_callback *agreed, void *context)
{
	probes->claimed = claimed;
	probes->agreed = agreed;
	probes->claim_context = context;
}

void path_probes_own(struct path_probes *probes, uint32_t host_id)
{
	probes->own_id = host_id;
}

void path_probes_claim(struct path_probes *probes, const struct ip_address *local,
		       const struct ip_address *remote, const struct path_claim *claim)
{
	const struct path_socket *socket = map_get(&probes->sockets, local, sizeof(*local));
	struct sockaddr_storage to;
	socklen_t to_size = ip_address_to_socket(remote, probes->port, &to);

	if (socket)
		send_message(probes, socket->fd, (const struct sockaddr *)&to, to_size,
			     MESSAGE_CLAIM, (uint64_t)claim->port_id << 32 | claim->claim,
			     claim->host_id, sizeof(struct message));
}

/* ---- targets ---- */

static void path_free(void *value)
{
	struct path *path = value;

	loop_timer_stop(&path->timer);
	free(path);
}

static bool same_target(const struct path_target *a, const struct path_target *b)
{
	return a->mtu == b->mtu && ip_address_equal(&a->local, &b->local) &&
	       ip_address_equal(&a->remote, &b->remote);
}

static void path_begin(struct path_probes *probes, const struct path_target *target)
{
	struct path *path = map_get_u32(&probes->paths, target->host_id);

	if (path && same_target(&path->target, target))
		return;
	if (path) {
		path_free(map_remove_u32(&probes->paths, target->host_id));
	}
	path = xcalloc(1, sizeof(*path));
	path->probes = probes;
	path->target = *target;
	path->state.full = target->mtu < MTU_MOST ? target->mtu : MTU_MOST;
	loop_timer_init(&path->timer, path_timer, path);
	map_put_u32(&probes->paths, target->host_id, path);
	path_wait(path, CLOCK_NS_PER_MS);
}

void path_probes_set(struct path_probes *probes, const struct path_target *targets, size_t count)
{
	struct map wanted = { 0 };

	for (size_t i = 0; i < count; i++)
		map_put_u32(&wanted, targets[i].host_id, probes);
	MAP_FOR_EACH(&probes->paths, it) {
		struct path *path = it.value;

		if (map_get_u32(&wanted, path->target.host_id))
			continue;
		map_remove_u32(&probes->paths, path->target.host_id);
		path_free(path);
	}
	map_fini(&wanted, NULL);
	for (size_t i = 0; i < count; i++)
		path_begin(probes, &targets[i]);
}

void path_probes_hurry(struct path_probes *probes, const struct ip_address *remote)
{
	if (!probes)
		return;
	MAP_FOR_EACH(&probes->paths, it) {
		struct path *path = it.value;

		if (!ip_address_equal(&path->target.remote, remote))
			continue;
		if (path->attempts)
			path->hurried = true; /* in the middle of it: once more, soon */
		else
			path_wait(path, CLOCK_NS_PER_MS);
	}
}

bool path_probes_get(const struct path_probes *probes, uint32_t host_id, struct path_state *state)
{
	const struct path *path = probes ? map_get_u32(&probes->paths, host_id) : NULL;

	if (path)
		*state = path->state;
	return path != NULL;
}

struct path_probes *path_probes_new(struct loop *loop, uint16_t port,
				    const uint8_t key[PATH_PROBE_KEY_SIZE],
				    path_changed_callback *changed, void *context)
{
	struct path_probes *probes = xcalloc(1, sizeof(*probes));

	probes->loop = loop;
	probes->port = port;
	memcpy(probes->key, key, sizeof(probes->key));
	probes->changed = changed;
	probes->context = context;
	probes->buffer = xcalloc(1, DATAGRAM_SIZE_MAX);
	return probes;
}

void path_probes_free(struct path_probes *probes)
{
	if (!probes)
		return;
	map_fini(&probes->paths, path_free);
	map_fini(&probes->sockets, socket_free);
	explicit_bzero(probes->key, sizeof(probes->key));
	free(probes->buffer);
	free(probes);
}
