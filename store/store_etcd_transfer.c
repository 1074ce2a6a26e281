/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfers that nobody waits for: libcurl's multi handle on the event loop.
 *
 * libcurl says which descriptors and which timeout it wants (two callbacks), the loop says what
 * happened; ended transfers are collected after each such call, never inside one of libcurl's
 * callbacks, because a handle must not be removed there. A store in no loop has one of its own
 * that turns only in store_dispatch(): then everything here is the same for both.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "base/log.h"
#include "store/store_etcd_private.h"

struct etcd_socket {
	struct list node;
	int fd;
	uint32_t events;
};

/* After every call into the multi handle. */
static void look_after(struct etcd_store *self)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(self->multi, &left))) {
		struct etcd_transfer *transfer = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		curl_multi_remove_handle(self->multi, transfer->easy);
		list_remove(&transfer->node);
		transfer->finished(transfer, code);
	}
	etcd_streams_look(self);
}

/* Descriptors and the timeout ---------------------------------------------------------------- */

static void on_socket(void *context, int fd, uint32_t events)
{
	struct etcd_store *self = context;
	int running;
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(self->multi, fd, what, &running);
	look_after(self);
}

static void watch_socket(struct etcd_store *self, const struct etcd_socket *entry)
{
	int result = loop_add_fd(self->loop, entry->fd, entry->events, on_socket, self);

	/* Without it the transfer stands still until it is given up. */
	if (result)
		log_limited(LOG_LEVEL_ERROR, "cannot watch a connection to etcd", "errno=%d",
			    -result);
}

/* Count the sockets of the transfer that @easy is of: one without any has been closed. */
static void count_socket(CURL *easy, int change)
{
	struct etcd_transfer *transfer = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
	if (transfer)
		transfer->socket_count += change;
}

static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
	struct etcd_store *self = context;
	struct etcd_socket *entry = known;

	if (what == CURL_POLL_REMOVE) {
		loop_remove_fd(self->loop, fd);
		if (entry) {
			list_remove(&entry->node);
			count_socket(easy, -1);
		}
		free(entry);
		return 0;
	}
	if (!entry) {
		entry = xcalloc(1, sizeof(*entry));
		entry->fd = fd;
		list_push_back(&self->sockets, &entry->node);
		curl_multi_assign(self->multi, fd, entry);
		count_socket(easy, 1);
	} else {
		loop_remove_fd(self->loop, fd);
	}
	entry->events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
			(what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
	watch_socket(self, entry);
	return 0;
}

static int timeout_wanted(CURLM *multi, long timeout_ms, void *context)
{
	struct etcd_store *self = context;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_stop(&self->curl_timer);
	else
		loop_timer_start(self->loop, &self->curl_timer,
				 (uint64_t)timeout_ms * CLOCK_NS_PER_MS, 0);
	return 0;
}

static void on_timeout(void *context)
{
	struct etcd_store *self = context;
	int running;

	curl_multi_socket_action(self->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look_after(self);
}

/* Opening, closing, moving ------------------------------------------------------------------- */

int etcd_transfers_open(struct etcd_store *self, struct error *error)
{
	int result = loop_new(&self->own_loop, NULL, error);

	list_init(&self->sockets);
	list_init(&self->transfers);
	loop_timer_init(&self->curl_timer, on_timeout, self);
	if (result)
		return result;
	self->loop = self->own_loop;
	self->easy = curl_easy_init();
	self->multi = curl_multi_init();
	if (!self->easy || !self->multi)
		return error_set(error, ENOMEM, NULL, "libcurl does not start");
	curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
	curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
	curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, timeout_wanted);
	curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
	curl_multi_setopt(self->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return 0;
}

void etcd_transfers_close(struct etcd_store *self)
{
	struct etcd_socket *following;
	struct etcd_socket *entry;

	while (!list_is_empty(&self->transfers)) {
		struct etcd_transfer *transfer =
			container_of(self->transfers.next, struct etcd_transfer, node);

		etcd_transfer_stop(transfer);
		transfer->release(transfer);
	}
	curl_multi_cleanup(self->multi);
	curl_easy_cleanup(self->easy);
	loop_timer_stop(&self->curl_timer);
	LIST_FOR_EACH_SAFE(entry, following, &self->sockets, node)
		free(entry);
	loop_free(self->own_loop);
}

/* A timer that runs goes on at once in the other loop: all of them bear being early. */
static void move_timer(struct loop *loop, struct loop_timer *timer)
{
	if (loop_timer_is_running(timer))
		loop_timer_start(loop, timer, 0, 0);
}

void etcd_transfers_move(struct etcd_store *self)
{
	struct loop *loop = self->store.loop ? self->store.loop : self->own_loop;
	struct etcd_socket *entry;

	if (loop == self->loop)
		return;
	LIST_FOR_EACH(entry, &self->sockets, node)
		loop_remove_fd(self->loop, entry->fd);
	self->loop = loop;
	LIST_FOR_EACH(entry, &self->sockets, node)
		watch_socket(self, entry);
	move_timer(loop, &self->curl_timer);
	move_timer(loop, &self->probe_timer);
	move_timer(loop, &self->watch_timer);
	move_timer(loop, &self->stream_timer);
	move_timer(loop, &self->quiet_timer);
}

/* One transfer ------------------------------------------------------------------------------- */

void etcd_transfer_init(struct etcd_transfer *transfer, struct etcd_store *self, size_t endpoint,
			const char *path)
{
	list_init(&transfer->node);
	transfer->self = self;
	transfer->endpoint = endpoint;
	transfer->easy = curl_easy_init();
	if (!transfer->easy)
		abort();
	/* Asks a member that has lost its leader to say so instead of being silent. */
	transfer->headers = curl_slist_append(NULL, "Grpc-Metadata-hasleader: true");
	transfer->headers = curl_slist_append(transfer->headers, "Expect:");
	transfer->headers = curl_slist_append(transfer->headers, "Content-Type: application/json");
	if (self->token && self->token[0]) {
		char *header = xasprintf("Authorization: %s", self->token);

		transfer->headers = curl_slist_append(transfer->headers, header);
		free(header);
	}
	etcd_prepare(self, transfer->easy, endpoint, path, transfer->headers);
	curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(transfer->easy, CURLOPT_ERRORBUFFER, transfer->text);
}

void etcd_transfer_start(struct etcd_transfer *transfer)
{
	list_push_back(&transfer->self->transfers, &transfer->node);
	curl_multi_add_handle(transfer->self->multi, transfer->easy);
}

void etcd_transfer_stop(struct etcd_transfer *transfer)
{
	if (!list_is_empty(&transfer->node))
		curl_multi_remove_handle(transfer->self->multi, transfer->easy);
	list_remove(&transfer->node);
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	transfer->easy = NULL;
	transfer->headers = NULL;
}

void etcd_transfer_resume(struct etcd_transfer *transfer)
{
	curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
}

/* Requests ----------------------------------------------------------------------------------- */

struct question {
	struct etcd_transfer transfer; /* first */
	struct buf body;
	struct buf answer;
	etcd_ask_callback *done;
	uint64_t cookie;
	uint64_t asked_ns;
	uint64_t known;
};

static void release_question(struct etcd_transfer *transfer)
{
	struct question *question = container_of(transfer, struct question, transfer);

	buf_fini(&question->body);
	buf_fini(&question->answer);
	free(question);
}

/* Set @reply if there is one. */
static enum etcd_outcome judge_answer(struct question *question, CURLcode code, json_t **reply,
				      struct error *error)
{
	struct etcd_transfer *transfer = &question->transfer;
	const struct buf *answer = &question->answer;
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code)
		return etcd_judge_curl(transfer->self, transfer->easy, code, transfer->endpoint,
				       transfer->text, error);
	if (status == 200)
		*reply = json_loadb(buf_text(answer), answer->size, JSON_DISABLE_EOF_CHECK, NULL);
	/* Errors of what etcd calls a stream can come with a good status. */
	if (!*reply || json_object_get(*reply, "error"))
		return etcd_judge(status, buf_text(answer), answer->size, error);
	return ETCD_DONE;
}

static void question_finished(struct etcd_transfer *transfer, CURLcode code)
{
	struct question *question = container_of(transfer, struct question, transfer);
	struct error error = { 0 };
	json_t *reply = NULL;
	enum etcd_outcome outcome = judge_answer(question, code, &reply, &error);
	const json_t *result = json_object_get(reply, "result");

	etcd_transfer_stop(transfer);
	question->done(transfer->self, question->cookie, outcome,
		       outcome == ETCD_DONE && result ? result : reply, question->asked_ns,
		       question->known, &error);
	json_decref(reply);
	release_question(transfer);
}

static size_t take_answer(char *data, size_t size, size_t count, void *context)
{
	struct question *question = context;

	if (question->answer.size + size * count > ETCD_REPLY_SIZE_MAX)
		return 0;
	buf_append(&question->answer, data, size * count);
	return size * count;
}

void etcd_ask(struct etcd_store *self, const char *path, struct buf *body, etcd_ask_callback *done,
	      uint64_t cookie)
{
	struct question *question = xcalloc(1, sizeof(*question));
	CURL *easy;

	etcd_transfer_init(&question->transfer, self, self->endpoint, path);
	question->transfer.finished = question_finished;
	question->transfer.release = release_question;
	question->body = *body;
	*body = (struct buf){ 0 };
	question->done = done;
	question->cookie = cookie;
	question->asked_ns = clock_monotonic_ns(self->store.clock);
	question->known = self->store.revision;
	easy = question->transfer.easy;
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, buf_text(&question->body));
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)question->body.size);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, question);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(self->deadline_ns / CLOCK_NS_PER_MS));
	etcd_transfer_start(&question->transfer);
}
