/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asking others; see dns_forward.h.
 *
 * A question is open while one resolver after the other is asked, each at least once and each for a
 * while: as long as a client waits, divided by their number. One that is not there, or refuses, ends
 * its while at once. Over TCP the answer comes in pieces; over UDP in one, and what does not fit the
 * client is cut to a truncated answer, for the client to ask again over TCP.
 *
 * So many may be open. Where all places are taken, the VPC with the most gives up its oldest question for
 * one of a VPC with less, so that no tenant's silent resolver leaves the others without names.
 */
#include "agent/services/dns_forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/list.h"
#include "base/map.h"

#define QUESTIONS_MAX 512
#define QUESTIONS_PER_PORT 64
#define ATTEMPTS_LEAST 3
#define ATTEMPTS_NS (4500 * CLOCK_NS_PER_MS) /* all of them; clients wait for five seconds */
#define PORT_DNS 53
#define OWN_PAYLOAD 1232
#define LENGTH_SIZE 2 /* in front of a message over TCP */
#define RESOLV_CONF_MAX 65536
#define RESOLV_CONF_NS CLOCK_NS_PER_SECOND /* as long as it is not read again */

struct question {
	struct list node;
	struct dns_forwards *forwards;
	struct dns_client client;
	struct dns_query query;
	uint32_t vpc_id;
	bool asked_already; /* by another question that is still open */
	bool gave_way;      /* it has no place any more, and ends soon */
	size_t resolver_count;
	struct ip_address resolvers[DNS_FORWARDERS_MAX];
	unsigned int attempt;
	int fd;
	uint8_t asked[LENGTH_SIZE + DNS_UDP_SIZE]; /* length, then the message */
	size_t asked_size;
	size_t sent;      /* over TCP */
	struct buf input; /* over TCP */
	struct loop_timer timer;
};

struct dns_forwards {
	struct loop *loop;
	char *resolv_conf;
	dns_forwards_callback *answered;
	void *context;
	struct dns_cache *cache;
	struct list questions; /* the oldest first */
	size_t count;
	struct map of_vpcs; /* VPC id -> how many of them */
	struct dns_forwards_counts counts;
	uint64_t read_ns; /* when the host's resolvers were read last */
	size_t host_count;
	struct ip_address host[DNS_FORWARDERS_MAX];
	uint8_t answer[LENGTH_SIZE + DNS_MESSAGE_SIZE_MAX];
};

static void attempt_begin(struct question *question);

/* ---- places ---- */

static size_t open_of(const struct dns_forwards *forwards, uint32_t vpc_id)
{
	return (uintptr_t)map_get_u32(&forwards->of_vpcs, vpc_id);
}

static void place_take(struct dns_forwards *forwards, uint32_t vpc_id)
{
	forwards->count++;
	map_put_u32(&forwards->of_vpcs, vpc_id, (void *)(open_of(forwards, vpc_id) + 1));
}

static void place_leave(struct dns_forwards *forwards, uint32_t vpc_id)
{
	const size_t left = open_of(forwards, vpc_id) - 1;

	forwards->count--;
	if (left)
		map_put_u32(&forwards->of_vpcs, vpc_id, (void *)left);
	else
		map_remove_u32(&forwards->of_vpcs, vpc_id);
}

/* ---- the end of a question ---- */

static void attempt_end(struct question *question)
{
	loop_timer_stop(&question->timer);
	if (question->fd < 0)
		return;
	loop_remove_fd(question->forwards->loop, question->fd);
	close(question->fd);
	question->fd = -1;
	question->sent = 0;
	buf_fini(&question->input);
}

static void question_free(struct question *question)
{
	attempt_end(question);
	list_remove(&question->node);
	if (!question->gave_way)
		place_leave(question->forwards, question->vpc_id);
	free(question);
}

/* The answer, or what stands for it, goes to who asked. */
static void question_end(struct question *question, const uint8_t *answer, size_t size)
{
	struct dns_forwards *forwards = question->forwards;
	const struct dns_client client = question->client;

	question_free(question);
	forwards->answered(forwards->context, &client, answer, size);
}

/* An answer without records. */
static void question_end_empty(struct question *question, uint16_t flags, enum dns_rcode rcode)
{
	uint8_t answer[DNS_UDP_SIZE];
	struct dns_reply reply;
	size_t size;

	dns_reply_begin(&reply, &question->query, question->asked + LENGTH_SIZE, answer,
			sizeof(answer));
	size = dns_reply_end(&reply, &question->query, flags | DNS_FLAG_RECURSION_AVAILABLE, rcode);
	question_end(question, answer, size);
}

static uint64_t now_seconds(const struct dns_forwards *forwards)
{
	return clock_monotonic_ns(loop_clock(forwards->loop)) / CLOCK_NS_PER_SECOND;
}

/*
 * What is kept was asked once: with many questions open for one name, the first of as many guesses at an id and a
 * port would do (RFC 5452, 5).
 */
static void keep(const struct question *question, const uint8_t *answer, size_t size)
{
	const struct dns_cache_key key = {
		.vpc_id = question->vpc_id,
		.resolver_count = question->resolver_count,
		.resolvers = question->resolvers,
		.query = &question->query,
	};

	if (!question->asked_already)
		dns_cache_put(question->forwards->cache, &key, answer, size,
			      now_seconds(question->forwards));
}

/* Answered; @answer is the forwards' own buffer. */
static void question_answered(struct question *question, uint8_t *answer, size_t size)
{
	keep(question, answer, size);
	if (size > question->client.limit) {
		question_end_empty(question, DNS_FLAG_TRUNCATED, DNS_NOERROR);
		return;
	}
	answer[0] = (uint8_t)(question->query.id >> 8);
	answer[1] = (uint8_t)question->query.id;
	question_end(question, answer, size);
}

static unsigned int attempts_of(const struct question *question)
{
	return question->resolver_count > ATTEMPTS_LEAST ? (unsigned int)question->resolver_count
							 : ATTEMPTS_LEAST;
}

/* This resolver says nothing; the next one may. */
static void attempt_failed(struct question *question)
{
	attempt_end(question);
	if (!question->gave_way && ++question->attempt < attempts_of(question)) {
		attempt_begin(question);
		return;
	}
	if (question->gave_way)
		question->forwards->counts.refused++;
	else
		question->forwards->counts.late++;
	question_end_empty(question, 0, DNS_SERVFAIL);
}

static void attempt_late(void *context)
{
	attempt_failed(context);
}

/* ---- an attempt ---- */

static bool matches(const struct question *question, const uint8_t *answer, size_t size)
{
	return dns_answer_matches(answer, size, question->asked + LENGTH_SIZE,
				  question->asked_size);
}

/* Whether it does not want to say, or cannot, and there is one that was not asked yet. */
static bool is_for_next(const struct question *question, const uint8_t *answer)
{
	const enum dns_rcode rcode = (enum dns_rcode)(answer[3] & DNS_FLAG_RCODE);

	return question->attempt + 1 < question->resolver_count &&
	       (rcode == DNS_SERVFAIL || rcode == DNS_NOTIMP || rcode == DNS_REFUSED);
}

static void udp_ready(void *context, int fd, uint32_t events)
{
	struct question *question = context;
	struct dns_forwards *forwards = question->forwards;
	ssize_t size = recv(fd, forwards->answer, DNS_MESSAGE_SIZE_MAX, 0);

	(void)events;
	if (size < 0 && errno == EAGAIN)
		return;
	if (size < 0) { /* ICMP says nobody is there */
		attempt_failed(question);
		return;
	}
	if (!matches(question, forwards->answer, (size_t)size)) {
		forwards->counts.stray++;
		return;
	}
	if (is_for_next(question, forwards->answer))
		attempt_failed(question);
	else
		question_answered(question, forwards->answer, (size_t)size);
}

/* Return: false when the resolver has gone. */
static bool tcp_send(struct question *question)
{
	size_t all = LENGTH_SIZE + question->asked_size;
	ssize_t size = send(question->fd, question->asked + question->sent, all - question->sent,
			    MSG_NOSIGNAL);

	if (size < 0)
		return errno == EAGAIN;
	question->sent += (size_t)size;
	if (question->sent == all)
		loop_modify_fd(question->forwards->loop, question->fd, EPOLLIN);
	return true;
}

static void tcp_ready(void *context, int fd, uint32_t events)
{
	struct question *question = context;
	struct dns_forwards *forwards = question->forwards;
	const uint8_t *input;
	size_t length;
	ssize_t size;

	if ((events & EPOLLOUT) && !(events & EPOLLERR)) {
		if (!tcp_send(question))
			attempt_failed(question);
		return;
	}
	size = recv(fd, forwards->answer, sizeof(forwards->answer), 0);
	if (size < 0 && errno == EAGAIN)
		return;
	if (size <= 0) {
		attempt_failed(question);
		return;
	}
	buf_append(&question->input, forwards->answer, (size_t)size);
	input = (const uint8_t *)question->input.data;
	if (question->input.size < LENGTH_SIZE)
		return;
	length = (size_t)input[0] << 8 | input[1];
	if (question->input.size < LENGTH_SIZE + length)
		return;
	if (!matches(question, input + LENGTH_SIZE, length)) {
		forwards->counts.stray++;
		attempt_failed(question);
		return;
	}
	if (is_for_next(question, input + LENGTH_SIZE)) {
		attempt_failed(question);
		return;
	}
	memcpy(forwards->answer, input + LENGTH_SIZE, length);
	question_answered(question, forwards->answer, length);
}

/* Return: 0 or negative errno: this resolver cannot even be asked. */
static int ask_resolver(struct question *question)
{
	bool tcp = question->client.connection;
	const struct ip_address *resolver =
		&question->resolvers[question->attempt % question->resolver_count];
	struct sockaddr_storage address;
	socklen_t size = ip_address_to_socket(resolver, PORT_DNS, &address);
	int fd = socket(address.ss_family,
			(tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int code;

	if (fd < 0)
		return -errno;
	question->fd = fd;
	code = loop_add_fd(question->forwards->loop, fd, tcp ? EPOLLOUT : EPOLLIN,
			   tcp ? tcp_ready : udp_ready, question);
	if (code) {
		close(fd);
		question->fd = -1;
		return code;
	}
	if (connect(fd, (const struct sockaddr *)&address, size) && errno != EINPROGRESS)
		return -errno;
	if (!tcp && send(fd, question->asked + LENGTH_SIZE, question->asked_size, 0) < 0)
		return -errno;
	return 0;
}

/* A resolver that cannot be asked is left to its timer: nothing ends while its caller still works on it. */
static void attempt_begin(struct question *question)
{
	int code = ask_resolver(question);

	loop_timer_start(question->forwards->loop, &question->timer,
			 code ? CLOCK_NS_PER_MS : ATTEMPTS_NS / attempts_of(question), 0);
}

/* ---- who is asked ---- */

size_t dns_resolvers_read(const char *path, struct ip_address *addresses, size_t count_max)
{
	struct buf text = { 0 };
	size_t count = 0;
	char *rest, *line;

	if (file_read(path, RESOLV_CONF_MAX, &text, NULL)) {
		buf_fini(&text);
		return 0;
	}
	rest = text.data;
	while (rest && count < count_max && (line = strsep(&rest, "\n"))) {
		char *word = strsep(&line, " \t");

		if (!word || strcmp(word, "nameserver") != 0 || !line)
			continue;
		line += strspn(line, " \t");
		line[strcspn(line, " \t\r#;")] = '\0';
		if (!ip_address_parse(line, &addresses[count]))
			count++;
	}
	buf_fini(&text);
	return count;
}

/* Return: how many there are. */
static size_t find_resolvers(struct dns_forwards *forwards, const struct vpc_dns *dns,
			     struct ip_address resolvers[DNS_FORWARDERS_MAX])
{
	uint64_t now = clock_monotonic_ns(loop_clock(forwards->loop));

	if (dns->forward == DNS_FORWARD_TO) {
		memcpy(resolvers, dns->forwarders, sizeof(dns->forwarders));
		return dns->forwarder_count;
	}
	if (!forwards->read_ns || now - forwards->read_ns > RESOLV_CONF_NS) {
		forwards->host_count = dns_resolvers_read(forwards->resolv_conf, forwards->host,
							  ARRAY_SIZE(forwards->host));
		forwards->read_ns = now;
	}
	memcpy(resolvers, forwards->host, sizeof(forwards->host));
	return forwards->host_count;
}

/* The oldest question of a VPC ends, in a moment: nothing ends while its caller still works on it. */
static void give_way(struct dns_forwards *forwards, uint32_t vpc_id)
{
	struct question *question;

	LIST_FOR_EACH(question, &forwards->questions, node) {
		if (question->vpc_id != vpc_id || question->gave_way)
			continue;
		attempt_end(question);
		question->gave_way = true;
		place_leave(forwards, vpc_id);
		loop_timer_start(forwards->loop, &question->timer, CLOCK_NS_PER_MS, 0);
		return;
	}
}

/* Whether there is a place for a question of a VPC, or one that another has to leave. */
static bool find_place(struct dns_forwards *forwards, uint32_t vpc_id)
{
	uint32_t most_id = vpc_id;

	if (forwards->count < QUESTIONS_MAX)
		return true;
	MAP_FOR_EACH(&forwards->of_vpcs, it)
		if ((uintptr_t)it.value > open_of(forwards, most_id))
			most_id = *(const uint32_t *)it.key;
	if (open_of(forwards, most_id) <= open_of(forwards, vpc_id) + 1)
		return false;
	give_way(forwards, most_id);
	return true;
}

static bool is_full(const struct dns_forwards *forwards, uint32_t port_id)
{
	struct question *question;
	size_t count = 0;

	LIST_FOR_EACH(question, &forwards->questions, node)
		count += question->client.port_id == port_id;
	return count >= QUESTIONS_PER_PORT;
}

/* Whether the same is asked for the same VPC at this moment. */
static bool is_open(const struct dns_forwards *forwards, const struct question *asked)
{
	const struct question *question;

	LIST_FOR_EACH(question, &forwards->questions, node)
		if (question != asked && question->vpc_id == asked->vpc_id &&
		    question->query.type == asked->query.type &&
		    strcmp(question->query.name, asked->query.name) == 0)
			return true;
	return false;
}

size_t dns_forwards_recall(struct dns_forwards *forwards, const struct vpc_object *vpc,
			   const struct dns_client *client, const struct dns_query *query,
			   const uint8_t *message, uint8_t *answer)
{
	struct ip_address resolvers[DNS_FORWARDERS_MAX];
	const struct dns_cache_key key = {
		.vpc_id = vpc->object.id,
		.resolver_count = find_resolvers(forwards, &vpc->dns, resolvers),
		.resolvers = resolvers,
		.query = query,
	};
	struct dns_reply reply;
	size_t size = dns_cache_get(forwards->cache, &key, message, answer, now_seconds(forwards));

	if (size <= client->limit)
		return size;
	dns_reply_begin(&reply, query, message, answer, client->limit);
	return dns_reply_end(&reply, query, DNS_FLAG_TRUNCATED | DNS_FLAG_RECURSION_AVAILABLE,
			     DNS_NOERROR);
}

int dns_forwards_ask(struct dns_forwards *forwards, const struct vpc_object *vpc,
		     const struct dns_client *client, const struct dns_query *query,
		     const uint8_t *message)
{
	struct question *question;
	uint16_t id;

	if (vpc->dns.forward == DNS_FORWARD_OFF)
		return -ENOENT;
	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return -errno;
	question = xcalloc(1, sizeof(*question));
	question->resolver_count = find_resolvers(forwards, &vpc->dns, question->resolvers);
	if (!question->resolver_count) {
		free(question);
		return -ENOENT;
	}
	if (is_full(forwards, client->port_id) || !find_place(forwards, vpc->object.id)) {
		forwards->counts.refused++;
		free(question);
		return -EBUSY;
	}
	question->forwards = forwards;
	question->client = *client;
	question->query = *query;
	question->vpc_id = vpc->object.id;
	question->asked_already = is_open(forwards, question);
	question->fd = -1;
	question->asked_size =
		dns_question_write(query, message, question->asked + LENGTH_SIZE, id, OWN_PAYLOAD);
	question->asked[0] = (uint8_t)(question->asked_size >> 8);
	question->asked[1] = (uint8_t)question->asked_size;
	list_push_back(&forwards->questions, &question->node);
	place_take(forwards, question->vpc_id);
	forwards->counts.asked++;
	loop_timer_init(&question->timer, attempt_late, question);
	attempt_begin(question);
	return 0;
}

void dns_forwards_drop(struct dns_forwards *forwards, const void *connection)
{
	struct question *question, *next;

	LIST_FOR_EACH_SAFE(question, next, &forwards->questions, node)
		if (question->client.connection == connection)
			question_free(question);
}

/* ---- open and close ---- */

struct dns_forwards *dns_forwards_new(struct loop *loop, const char *resolv_conf,
				      dns_forwards_callback *answered, void *context)
{
	struct dns_forwards *forwards = xcalloc(1, sizeof(*forwards));

	forwards->loop = loop;
	forwards->resolv_conf = xstrdup(resolv_conf);
	forwards->answered = answered;
	forwards->context = context;
	forwards->cache = dns_cache_new();
	list_init(&forwards->questions);
	return forwards;
}

void dns_forwards_free(struct dns_forwards *forwards)
{
	struct question *question, *next;

	if (!forwards)
		return;
	LIST_FOR_EACH_SAFE(question, next, &forwards->questions, node)
		question_free(question);
	map_fini(&forwards->of_vpcs, NULL);
	dns_cache_free(forwards->cache);
	free(forwards->resolv_conf);
	free(forwards);
}

const struct dns_forwards_counts *dns_forwards_counts(const struct dns_forwards *forwards)
{
	return &forwards->counts;
}

const struct dns_cache_counts *dns_forwards_cache_counts(const struct dns_forwards *forwards)
{
	return dns_cache_counts(forwards->cache);
}
