/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rtnetlink socket: requests, answers, batches. The contracts are in netlink.h; what the
 * requests say is in netlink_link.c and netlink_address.c.
 *
 * rtnetlink works inside sendmsg(2): when it returns, all answers wait in the socket's queue.
 * A batch therefore sends many requests in one datagram and reads their acknowledgements
 * afterwards, a chunk at a time so that the answers surely fit in the queue. Each request has
 * a sequence number, counted up by one, which gives its place in the batch.
 */
#include "base/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/alloc.h"
#include "base/netlink_private.h"
#include "base/netns.h"

#define CHUNK_REQUESTS 128
#define CHUNK_SIZE 32768
#define RECEIVE_SIZE 65536
#define QUEUE_SIZE (4 << 20)
#define DUMP_ATTEMPTS 10

/* struct request - one request of a batch: its end in the queue, and what it does */
struct request {
	size_t end;
	char *what;
};

struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
	bool batching;
	struct buf queue;
	struct request *requests;
	size_t request_count;
	size_t request_capacity;
	char message[NETLINK_REQUEST_SIZE] __attribute__((aligned(8)));
	char received[RECEIVE_SIZE] __attribute__((aligned(8)));
};

/* Opening ------------------------------------------------------------------------------------ */

static void set_queue_size(int fd, int size)
{
	/* The forced form passes the system's limit; without the right to, what is allowed. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

int netlink_open_socket(struct mnl_socket **socket, int netns_fd, unsigned int groups,
			int receive_size, struct error *error)
{
	struct mnl_socket *fresh;
	int result = 0;
	int saved;

	saved = netns_enter(netns_fd, error);
	if (saved < 0)
		return saved;
	fresh = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!fresh)
		result = errno;
	netns_leave(saved);
	if (!result && mnl_socket_bind(fresh, groups, MNL_SOCKET_AUTOPID) < 0)
		result = errno;
	if (result) {
		if (fresh)
			mnl_socket_close(fresh);
		return error_set(error, result, NULL, "cannot open a netlink socket: %s",
				 strerror(result));
	}
	set_queue_size(mnl_socket_get_fd(fresh), receive_size);
	*socket = fresh;
	return 0;
}

int netlink_open(struct netlink **netlink, int netns_fd, struct error *error)
{
	struct timeval patience = { .tv_sec = 10 };
	struct mnl_socket *socket = NULL;
	struct netlink *fresh;
	int one = 1;
	int result;

	result = netlink_open_socket(&socket, netns_fd, 0, QUEUE_SIZE, error);
	if (result)
		return result;
	/* All three are on every kernel supported; strict checking makes filters work. */
	if (mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &one, sizeof(one)) ||
	    mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &one, sizeof(one)) ||
	    mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &one, sizeof(one)) ||
	    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience))) {
		result = error_set(error, errno, NULL, "cannot set up a netlink socket: %s",
				   strerror(errno));
		mnl_socket_close(socket);
		return result;
	}
	fresh = xcalloc(1, sizeof(*fresh));
	fresh->socket = socket;
	*netlink = fresh;
	return 0;
}

static void forget_batch(struct netlink *netlink)
{
	for (size_t i = 0; i < netlink->request_count; i++)
		free(netlink->requests[i].what);
	netlink->request_count = 0;
	buf_reset(&netlink->queue);
	netlink->batching = false;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	forget_batch(netlink);
	free(netlink->requests);
	buf_fini(&netlink->queue);
	mnl_socket_close(netlink->socket);
	free(netlink);
}

int netlink_check_name(const char *name, struct error *error)
{
	size_t length = strnlen(name, IFNAMSIZ);

	/* '%' is a pattern to the kernel, which would invent a name. */
	if (!length || length >= IFNAMSIZ || strpbrk(name, "/%: \t\n") || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return error_set(error, EINVAL, NULL, "\"%.32s\" is no name for a device", name);
	return 0;
}

/* Answers ------------------------------------------------------------------------------------ */

/* The kernel's own words in an acknowledgement, or NULL. */
static const char *kernel_text(const struct nlmsghdr *message)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
	size_t offset = sizeof(*answer);
	const struct nlattr *attribute;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	/* Without NLM_F_CAPPED the whole request comes back before the attributes. */
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		offset += mnl_nlmsg_get_payload_len(&answer->msg);
	mnl_attr_for_each(attribute, message, (unsigned int)offset) {
		if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			return mnl_attr_get_str(attribute);
	}
	return NULL;
}

static int refused(const struct nlmsghdr *message, int code, const char *what, struct error *error)
{
	const char *text = kernel_text(message);

	return error_set(error, code, NULL, "cannot %s: %s%s%s%s", what, strerror(code),
			 text ? " (" : "", text ? text : "", text ? ")" : "");
}

/* The errno in an acknowledgement, positive; 0 if the request was done. */
static int answer_code(const struct nlmsghdr *message)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_len < mnl_nlmsg_size(sizeof(*answer)))
		return EBADMSG;
	return answer->error < 0 ? -answer->error : answer->error;
}

/* Return: bytes in netlink->received, or negative errno. */
static ssize_t receive(struct netlink *netlink, struct error *error)
{
	for (;;) {
		ssize_t size = mnl_socket_recvfrom(netlink->socket, netlink->received,
						   sizeof(netlink->received));

		if (size >= 0)
			return size;
		if (errno != EINTR)
			return error_set(error, errno, NULL,
					 "cannot read the answer of rtnetlink: %s",
					 strerror(errno));
	}
}

static int transmit(struct netlink *netlink, const void *data, size_t size, struct error *error)
{
	if (mnl_socket_sendto(netlink->socket, data, size) < 0)
		return error_set(error, errno, NULL, "cannot send to rtnetlink: %s",
				 strerror(errno));
	return 0;
}

/* Requests ----------------------------------------------------------------------------------- */

struct nlmsghdr *netlink_request(struct netlink *netlink, uint16_t type, uint16_t flags,
				 size_t body_size, void *body)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(netlink->message);
	void *room;

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	room = mnl_nlmsg_put_extra_header(message, body_size);
	memcpy(body, &room, sizeof(room)); /* whatever type of pointer it is */
	return message;
}

/* Return: the request in the queue, whose description is still to be set. */
static struct request *enqueue(struct netlink *netlink, const struct nlmsghdr *message)
{
	static const char padding[NLMSG_ALIGNTO];
	size_t size = message->nlmsg_len;

	if (netlink->request_count == netlink->request_capacity) {
		netlink->request_capacity = netlink->request_capacity * 2 + 64;
		netlink->requests = xreallocarray(netlink->requests, netlink->request_capacity,
						  sizeof(*netlink->requests));
	}
	buf_append(&netlink->queue, message, size);
	buf_append(&netlink->queue, padding, NLMSG_ALIGN(size) - size);
	netlink->requests[netlink->request_count] = (struct request){ .end = netlink->queue.size };
	return &netlink->requests[netlink->request_count++];
}

int netlink_finish(struct netlink *netlink, struct nlmsghdr *message, struct error *error,
		   const char *what, ...)
{
	va_list arguments;

	va_start(arguments, what);
	enqueue(netlink, message)->what = xvasprintf(what, arguments);
	va_end(arguments);
	if (netlink->batching)
		return 0;
	return netlink_batch_commit(netlink, NULL, NULL, error);
}

/* Batches ------------------------------------------------------------------------------------ */

void netlink_batch_begin(struct netlink *netlink)
{
	netlink->batching = true;
}

size_t netlink_batch_count(const struct netlink *netlink)
{
	return netlink->request_count;
}

/* struct batch - a batch being sent: whom to tell, and the first failure */
struct batch {
	netlink_batch_callback *failed;
	void *context;
	struct error first;
};

static void batch_failed(struct batch *batch, size_t index, const struct error *error)
{
	if (!batch->first.code)
		batch->first = *error;
	if (batch->failed)
		batch->failed(batch->context, index, error);
}

/* Read the acknowledgements of requests @first to @last - 1. */
static int read_answers(struct netlink *netlink, struct batch *batch, size_t first, size_t last,
			uint32_t first_sequence, struct error *error)
{
	size_t answered = 0;

	while (answered < last - first) {
		ssize_t size = receive(netlink, error);
		const struct nlmsghdr *message = (const void *)netlink->received;
		int left = (int)size;

		if (size < 0)
			return (int)size;
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			uint32_t place = message->nlmsg_seq - first_sequence;
			struct error problem = { 0 };
			int code;

			/* Answers to an earlier request that was given up are passed over. */
			if (message->nlmsg_type != NLMSG_ERROR || place >= last - first)
				continue;
			answered++;
			code = answer_code(message);
			if (!code)
				continue;
			refused(message, code, netlink->requests[first + place].what, &problem);
			batch_failed(batch, first + place, &problem);
		}
	}
	return 0;
}

/* Requests from @first on that fit in one datagram. Return: the first that does not. */
static size_t chunk_end(const struct netlink *netlink, size_t first, size_t start)
{
	size_t last = first + 1;

	while (last < netlink->request_count && last - first < CHUNK_REQUESTS &&
	       netlink->requests[last].end - start <= CHUNK_SIZE)
		last++;
	return last;
}

static int send_chunk(struct netlink *netlink, struct batch *batch, size_t first, size_t last,
		      size_t start, struct error *error)
{
	uint32_t first_sequence = netlink->sequence + 1;
	size_t end = netlink->requests[last - 1].end;
	size_t at = start;
	int result;

	for (size_t i = first; i < last; i++) {
		struct nlmsghdr *message = (void *)(netlink->queue.data + at);

		message->nlmsg_seq = ++netlink->sequence;
		at = netlink->requests[i].end;
	}
	result = transmit(netlink, netlink->queue.data + start, end - start, error);
	if (result)
		return result;
	return read_answers(netlink, batch, first, last, first_sequence, error);
}

int netlink_batch_commit(struct netlink *netlink, netlink_batch_callback *failed, void *context,
			 struct error *error)
{
	struct batch batch = { .failed = failed, .context = context };
	size_t start = 0;
	size_t last;

	for (size_t first = 0; first < netlink->request_count; first = last) {
		struct error problem = { 0 };

		last = chunk_end(netlink, first, start);
		/* A socket that fails says nothing about single requests: all of them failed. */
		if (send_chunk(netlink, &batch, first, last, start, &problem))
			for (size_t i = first; i < last; i++)
				batch_failed(&batch, i, &problem);
		start = netlink->requests[last - 1].end;
	}
	forget_batch(netlink);
	if (batch.first.code && error)
		*error = batch.first;
	return batch.first.code;
}

/* Questions ---------------------------------------------------------------------------------- */

/* struct harvest - answers collected so far */
struct harvest {
	struct buf data;
	bool finished;
	bool interrupted; /* the list changed while it was read */
};

static int take_answer(const struct nlmsghdr *message, struct harvest *harvest, const char *what,
		       struct error *error)
{
	static const char padding[NLMSG_ALIGNTO];
	int code;

	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		harvest->interrupted = true;
	if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
		harvest->finished = true;
		code = message->nlmsg_type == NLMSG_ERROR ? answer_code(message) : 0;
		return code ? refused(message, code, what, error) : 0;
	}
	buf_append(&harvest->data, message, message->nlmsg_len);
	buf_append(&harvest->data, padding, NLMSG_ALIGN(message->nlmsg_len) - message->nlmsg_len);
	return 0;
}

static int collect(struct netlink *netlink, struct nlmsghdr *request, struct harvest *harvest,
		   const char *what, struct error *error)
{
	int result;

	request->nlmsg_seq = ++netlink->sequence;
	result = transmit(netlink, request, request->nlmsg_len, error);
	while (!result && !harvest->finished) {
		ssize_t size = receive(netlink, error);
		const struct nlmsghdr *message = (const void *)netlink->received;
		int left = (int)size;

		if (size < 0)
			return (int)size;
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			if (message->nlmsg_seq == netlink->sequence && !result)
				result = take_answer(message, harvest, what, error);
	}
	return result;
}

static void deliver(struct harvest *harvest, netlink_message_callback *callback, void *context)
{
	const struct nlmsghdr *message = (const void *)harvest->data.data;
	int left = (int)harvest->data.size;

	for (; message && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		callback(context, message);
}

int netlink_ask(struct netlink *netlink, struct nlmsghdr *message,
		netlink_message_callback *callback, void *context, struct error *error,
		const char *what, ...)
{
	bool dump = (message->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	struct harvest harvest = { 0 };
	va_list arguments;
	char *doing;
	int result;

	va_start(arguments, what);
	doing = xvasprintf(what, arguments);
	va_end(arguments);
	if (dump)
		message->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	for (int attempt = 0;; attempt++) {
		result = collect(netlink, message, &harvest, doing, error);
		if (result || !harvest.interrupted)
			break;
		if (attempt == DUMP_ATTEMPTS) {
			result = error_set(error, EAGAIN, NULL,
					   "cannot %s: it changes faster than it can be read",
					   doing);
			break;
		}
		buf_reset(&harvest.data);
		harvest.finished = false;
		harvest.interrupted = false;
	}
	if (!result && !dump && !harvest.data.size)
		result = error_set(error, ENODATA, NULL, "cannot %s: no answer", doing);
	if (!result)
		deliver(&harvest, callback, context);
	buf_fini(&harvest.data);
	free(doing);
	return result;
}
