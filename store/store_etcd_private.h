/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of store_etcd share; nobody else includes this.
 *
 * store_etcd.c opens, closes, reads and grants; store_etcd_commit.c commits and learns what became
 * of a commit; store_etcd_watch.c keeps streams of events and store_etcd_stream.c one of them;
 * store_etcd_http.c makes requests that wait; store_etcd_transfer.c runs those that do not, and
 * streams, on the loop; store_etcd_json.c is the gateway's way of writing things down.
 */
#ifndef WEFT_STORE_STORE_ETCD_PRIVATE_H
#define WEFT_STORE_STORE_ETCD_PRIVATE_H

#include <curl/curl.h>
#include <jansson.h>

#include "base/buf.h"
#include "store/store_etcd.h"
#include "store/store_private.h"

/* Keys of this store's own, below the prefix; hidden from lists and watches. */
#define ETCD_MARKER_PREFIX "/weft/tx/"

/* A reply or line longer than this is not read. */
#define ETCD_REPLY_SIZE_MAX (256U << 20)

/**
 * struct etcd_store - a client of a cluster
 * @headers: of every request; holds the token, if there is one
 * @easy: of the requests that wait; it has a connection of its own
 * @multi: of everything else
 * @loop: that runs @multi: store.loop, or @own_loop, which only store_dispatch() turns
 * @endpoint: index of the one that requests go to; @watch_endpoint: streams
 * @token: of the user; NULL if there is none yet, "" if etcd wants none
 * @reachable: else @why; a store in no loop tries again after @retry_ns
 * @choice_end_ns: until then a change waits for a leader; 0 when it has been waited for
 * @stale_retry_ns: the same for reads that need no quorum
 * @marker: wire key of the marker; @marker_revision: its mod revision if @marker_known
 * @watch_ids: number to struct etcd_watch, for those that are on a stream
 */
struct etcd_store {
	struct store store;
	char **endpoints;
	size_t endpoint_count;
	char *ca_file;
	char *cert_file;
	char *key_file;
	char *user;
	char *password;
	char *prefix;
	size_t prefix_len;
	uint64_t deadline_ns;
	uint64_t quiet_ns;
	bool stale_reads;
	bool one_watch_per_stream;

	struct curl_slist *headers;
	CURL *easy;
	CURLM *multi;
	struct loop *loop;
	struct loop *own_loop;
	struct list sockets;
	struct list transfers;
	struct loop_timer curl_timer;
	size_t endpoint;
	size_t watch_endpoint;
	char *token;

	bool reachable;
	struct error why;
	uint64_t choice_end_ns;
	uint64_t retry_ns;
	uint64_t stale_retry_ns;
	uint64_t probe_delay_ns;
	struct loop_timer probe_timer;
	bool probing;

	char *marker;
	bool marker_temporary;
	bool marker_known;
	uint64_t marker_revision;

	struct list watches;
	struct list streams;
	struct map watch_ids;
	uint64_t last_watch_id;
	unsigned int watch_failures;
	unsigned int unanswered;
	struct loop_timer watch_timer;
	struct loop_timer stream_timer;
	struct loop_timer quiet_timer;
};

static inline struct etcd_store *etcd_from(struct store *store)
{
	return container_of(store, struct etcd_store, store);
}

/* store_etcd_json.c -------------------------------------------------------------------------- */

/** etcd_base64_append - @size bytes in base64 */
void etcd_base64_append(struct buf *buf, const char *data, size_t size);

/** etcd_append_bytes - `"name":"base64 of @size bytes"`, with a comma in front if one is due */
void etcd_append_bytes(struct buf *buf, const char *name, const char *data, size_t size);

/** etcd_append_number - `"name":"number"`, the same way */
void etcd_append_number(struct buf *buf, const char *name, uint64_t number);

/** etcd_append_key - as etcd_append_bytes(): @key of the store behind the prefix */
void etcd_append_key(const struct etcd_store *self, struct buf *buf, const char *name,
		     const char *key);

/** etcd_append_range - "key" and "range_end" of all keys that start with @prefix */
void etcd_append_range(const struct etcd_store *self, struct buf *buf, const char *prefix,
		       const char *from);

/** etcd_number - the number under @name of an object (may be NULL), written either way; else 0 */
uint64_t etcd_number(const json_t *object, const char *name);

/** etcd_revision - the revision of the store in a reply's header */
uint64_t etcd_revision(const json_t *reply);

/**
 * etcd_bytes - the base64 under @name, decoded
 *
 * Return: terminated memory owned by the caller; NULL if it is none. What is absent is empty.
 */
char *etcd_bytes(const json_t *object, const char *name, size_t *size);

/**
 * etcd_item - read a kv object of a reply
 * @item: key (below the prefix) and value are the caller's to free, with etcd_item_free()
 *
 * Return: false for a key that is not the store's to tell.
 */
bool etcd_item(const struct etcd_store *self, const json_t *kv, struct store_item *item);

/** etcd_item_free - release what etcd_item() made */
void etcd_item_free(struct store_item *item);

/**
 * struct etcd_events - the events of a message that are still to be read, as text; borrowed
 */
struct etcd_events {
	const char *text;
	size_t size;
};

/**
 * etcd_message - read a message of a stream but for its events
 * @events: set to those; its text is that of @line
 *
 * Return: the message, whose "events" is an empty list then; NULL if it is no JSON.
 */
json_t *etcd_message(const char *line, size_t size, struct etcd_events *events);

/**
 * etcd_next_event - read the next event
 * @event: set to it, the caller's; NULL if there is none left
 *
 * Return: false if it cannot be read.
 */
bool etcd_next_event(struct etcd_events *events, json_t **event);

/* What became of a request. */
enum etcd_outcome {
	ETCD_DONE,    /* answered as wished */
	ETCD_REFUSED, /* answered: no; nothing happened */
	ETCD_RENEW,   /* the token is too old; nothing happened */
	ETCD_AGAIN,   /* this member cannot now; nothing happened */
	ETCD_NOT_SENT,
	ETCD_UNKNOWN, /* sent; it may have happened */
};

/** etcd_judge - what a reply with an error says; sets @error in every case */
enum etcd_outcome etcd_judge(long status, const char *body, size_t size, struct error *error);

/** etcd_judge_message - the same for the message alone */
enum etcd_outcome etcd_judge_message(const char *message, struct error *error);

/* store_etcd_http.c -------------------------------------------------------------------------- */

/** etcd_prepare - set @easy up for a POST to @path at an endpoint; its body is the caller's part */
void etcd_prepare(struct etcd_store *self, CURL *easy, size_t endpoint, const char *path,
		  struct curl_slist *headers);

/** etcd_judge_curl - what a transfer that did not end well says; sets @error */
enum etcd_outcome etcd_judge_curl(struct etcd_store *self, CURL *easy, CURLcode code,
				  size_t endpoint, const char *text, struct error *error);

/** etcd_deadline - when a call that begins now has to end */
uint64_t etcd_deadline(const struct etcd_store *self);

/**
 * etcd_request - ask, wait, and ask another member when one cannot answer
 * @path: "/v3/kv/range"
 * @deadline: monotonic nanoseconds of the system's clock
 * @unknown: NULL if asking twice does no harm; else set if it may have happened although this
 *	returns an error, and then it was asked once
 * @reply: set on success; the caller's
 *
 * Return: 0, or negative errno with @error, also of the kinds that say etcd is unreachable.
 */
int etcd_request(struct etcd_store *self, const char *path, const struct buf *body,
		 uint64_t deadline, bool *unknown, json_t **reply, struct error *error);

/**
 * etcd_read - a range request, also while there is no quorum if stale reads are wanted
 *
 * Return: 0, or negative errno with @error.
 */
int etcd_read(struct etcd_store *self, const struct buf *body, json_t **reply, struct error *error);

/** etcd_await_leader - in the first moment of an outage wait for its end, once */
void etcd_await_leader(struct etcd_store *self);

/** etcd_check_reachable - 0, or the reason why a call should not be tried now */
int etcd_check_reachable(struct etcd_store *self, struct error *error);

/** etcd_note_revision - a reply (of a read with quorum that began at @known, if not 0) had it */
void etcd_note_revision(struct etcd_store *self, uint64_t revision, uint64_t known);

/** etcd_set_reachable, etcd_set_unreachable - say so once, and try again by and by */
void etcd_set_reachable(struct etcd_store *self, size_t endpoint);
void etcd_set_unreachable(struct etcd_store *self, const struct error *why);

/** etcd_write_question - the request that any member answers that has a quorum; its revision is told */
void etcd_write_question(const struct etcd_store *self, struct buf *body);

/** etcd_probe - ask without waiting whether there is a quorum; in the next round: from anywhere */
void etcd_probe(struct etcd_store *self);
void etcd_probe_soon(struct etcd_store *self);

/** etcd_log_in - get a token if there is a user, no token yet, and a member to ask */
void etcd_log_in(struct etcd_store *self);

/** etcd_forget_token - log in again before the next request */
void etcd_forget_token(struct etcd_store *self);

/* store_etcd_transfer.c ---------------------------------------------------------------------- */

/**
 * struct etcd_transfer - what runs on the loop; the first member of its kind
 * @socket_count: of its connection
 * @finished: called when it ended by itself, when it is in no list any more
 */
struct etcd_transfer {
	struct list node;
	struct etcd_store *self;
	CURL *easy;
	struct curl_slist *headers;
	size_t endpoint;
	int socket_count;
	char text[CURL_ERROR_SIZE];
	void (*finished)(struct etcd_transfer *transfer, CURLcode code);
	void (*release)(struct etcd_transfer *transfer);
};

/** etcd_transfers_open - make the multi handle and the own loop */
int etcd_transfers_open(struct etcd_store *self, struct error *error);

/** etcd_transfers_close - end all transfers, releasing them */
void etcd_transfers_close(struct etcd_store *self);

/** etcd_transfers_move - to the loop that is store.loop now, or the own one */
void etcd_transfers_move(struct etcd_store *self);

/** etcd_transfer_init - an easy handle prepared for @path at @endpoint */
void etcd_transfer_init(struct etcd_transfer *transfer, struct etcd_store *self, size_t endpoint,
			const char *path);

/** etcd_transfer_start - let it run */
void etcd_transfer_start(struct etcd_transfer *transfer);

/** etcd_transfer_stop - take it out; it is not told; release what etcd_transfer_init() made */
void etcd_transfer_stop(struct etcd_transfer *transfer);

/** etcd_transfer_resume - it has something to send again */
void etcd_transfer_resume(struct etcd_transfer *transfer);

/**
 * etcd_ask - a request that nobody waits for
 * @done: called with the outcome; @reply (borrowed) is NULL but for ETCD_DONE; @known is the
 *	store's revision when it was sent
 */
typedef void etcd_ask_callback(struct etcd_store *self, uint64_t cookie, enum etcd_outcome outcome,
			       const json_t *reply, uint64_t asked_ns, uint64_t known,
			       const struct error *error);
void etcd_ask(struct etcd_store *self, const char *path, struct buf *body, etcd_ask_callback *done,
	      uint64_t cookie);

/* store_etcd_commit.c ------------------------------------------------------------------------ */

int etcd_commit(struct store *store, const struct store_transaction *transaction,
		uint64_t *revision, struct error *error);

/** etcd_marker_delete - at the end, if the name was made up */
void etcd_marker_delete(struct etcd_store *self);

struct etcd_stream;

/* store_etcd_watch.c ------------------------------------------------------------------------- */

/**
 * struct etcd_watch - what came for one watch
 * @front: its owner
 * @id: its number on the stream; 0 while it is on none
 * @stream: NULL while it waits for one
 * @asked: the stream was asked for it; @created: and has said yes
 * @partial: the events of a revision have come in part
 * @after: the revision up to which everything has come; @seen: the last one of which something has
 * @pending: key to struct store_item, not taken yet; @pending_size: bytes, about
 * @lost: etcd has forgotten what happened up to @after, or it was too much
 */
struct etcd_watch {
	struct list node;
	struct store_watch *front;
	uint64_t id;
	struct etcd_stream *stream;
	bool asked;
	bool created;
	bool partial;
	bool lost;
	uint64_t after;
	uint64_t seen;
	struct map pending;
	size_t pending_size;
};

void etcd_watch_add(struct store *store, struct store_watch *front);
void etcd_watch_remove(struct store *store, struct store_watch *front);
void etcd_watch_rewind(struct store *store, struct store_watch *front);
int etcd_watch_take(struct store *store, struct store_watch *front, store_item_callback *callback,
		    void *context, uint64_t *revision);

/** etcd_watches_init - nothing is watched yet */
void etcd_watches_init(struct etcd_store *self);

/** etcd_watches_restart - the timers' loop has changed, or a member is there again */
void etcd_watches_restart(struct etcd_store *self);

/** etcd_watches_lose - etcd is at an older revision than it was: all begin anew */
void etcd_watches_lose(struct etcd_store *self, uint64_t revision);

/**
 * etcd_watch_hear - one "result" of a stream, and its events
 *
 * Return: false when an event cannot be read.
 */
bool etcd_watch_hear(struct etcd_store *self, const json_t *result, struct etcd_events *events);

/** etcd_streams_look - what has to be done after events of the loop */
void etcd_streams_look(struct etcd_store *self);

/** etcd_stream_failed - its watches go on elsewhere; @why for the log */
void etcd_stream_failed(struct etcd_stream *stream, const struct error *why);

/* store_etcd_stream.c ------------------------------------------------------------------------ */

/**
 * struct etcd_stream - one request for watches, whose body and reply go on for ever
 * @duplex: the body is kept open, so that watches can be added and cancelled
 * @out: of the body, to be sent
 * @line: of the reply, not complete yet; no end of line in its first @searched bytes
 * @answered: the reply has begun
 * @padding: bytes of filling that may still be sent; @padded: that were
 * @resumes: it has something to send again
 * @watch_count: of the watches on it
 * @asked_ns: when something was asked last, of the system's clock
 * @heard_ns: when something came last; @pinged: since then it was asked for a sign of life
 * @failed: why it has to end; .code 0: it has not
 */
struct etcd_stream {
	struct etcd_transfer transfer;
	struct list node;
	bool duplex;
	bool answered;
	bool resumes;
	struct buf out;
	struct buf line;
	size_t searched;
	size_t padding;
	size_t padded;
	size_t watch_count;
	uint64_t asked_ns;
	uint64_t heard_ns;
	bool pinged;
	struct error failed;
};

/** etcd_stream_open - with @body to begin with */
struct etcd_stream *etcd_stream_open(struct etcd_store *self, bool duplex, struct buf *body);

/** etcd_stream_send - more of the body; for a duplex one */
void etcd_stream_send(struct etcd_stream *stream, const struct buf *body);

/**
 * etcd_stream_is_closed - whether it has failed, which is then said in @stream->failed
 *
 * libcurl does not end a transfer whose reply has ended while its body waits for more; it only
 * loses interest in the socket.
 */
bool etcd_stream_is_closed(struct etcd_stream *stream);

/** etcd_stream_pad - some more filling for one without an answer */
void etcd_stream_pad(struct etcd_stream *stream);

/** etcd_stream_close - without a word to its watches */
void etcd_stream_close(struct etcd_stream *stream);

#endif
