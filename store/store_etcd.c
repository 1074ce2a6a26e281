/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store in an etcd cluster: opening, reading and leases; the contracts are in store_etcd.h and
 * store_private.h, and store_etcd_private.h says what is in which file.
 *
 * Large prefixes are read in pages, all at the revision of the first one, so that a list is a
 * snapshot. Numbers of leases are chosen here, not by etcd: then asking twice for one, because the
 * first answer was lost, does not leave a second one behind.
 */
#include "store/store_etcd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/store_etcd_private.h"

/* Keys read in one request; less if their values are so large that the answer is. */
#define PAGE_KEYS 1000

/* Rounds of the own loop in one dispatch: enough for what has come, and no endless turning. */
#define PUMP_ROUNDS 32

/* Most endpoints of one cluster. */
#define ENDPOINTS_MAX 64

/* Reading ------------------------------------------------------------------------------------ */

static void append_staleness(const struct etcd_store *self, struct buf *body)
{
	if (self->stale_reads)
		buf_append_text(body, ",\"serializable\":true");
}

/* A read was answered, with quorum if the store is not content with less. */
static void note_read(struct etcd_store *self, uint64_t revision, uint64_t known)
{
	etcd_note_revision(self, revision, self->stale_reads ? 0 : known);
}

static int etcd_get(struct store *store, const char *key, store_item_callback *callback,
		    void *context, struct error *error)
{
	struct etcd_store *self = etcd_from(store);
	uint64_t known = store->revision;
	struct buf body = { 0 };
	json_t *reply = NULL;
	struct store_item item;
	int result;

	buf_append_char(&body, '{');
	etcd_append_key(self, &body, "key", key);
	append_staleness(self, &body);
	buf_append_char(&body, '}');
	result = etcd_read(self, &body, &reply, error);
	buf_fini(&body);
	if (result)
		return result;
	note_read(self, etcd_revision(reply), known);
	if (etcd_item(self, json_array_get(json_object_get(reply, "kvs"), 0), &item)) {
		result = callback(context, &item);
		etcd_item_free(&item);
	} else {
		result = -ENOENT;
	}
	json_decref(reply);
	return result;
}

/**
 * struct page - where a list is
 * @from: the last key told; NULL at the start
 * @revision: of all pages; 0 at the start
 * @limit: keys asked for at a time
 * @more: there is another page
 */
struct page {
	char *from;
	uint64_t revision;
	unsigned int limit;
	bool more;
};

static int read_page(struct etcd_store *self, const char *prefix, const struct page *page,
		     json_t **reply, struct error *error)
{
	struct buf body = { 0 };
	int result;

	buf_append_char(&body, '{');
	etcd_append_range(self, &body, prefix, page->from);
	etcd_append_number(&body, "limit", page->limit);
	if (page->revision)
		etcd_append_number(&body, "revision", page->revision);
	append_staleness(self, &body);
	buf_append_char(&body, '}');
	result = etcd_read(self, &body, reply, error);
	buf_fini(&body);
	return result;
}

static int tell_page(struct etcd_store *self, const json_t *reply, struct page *page,
		     store_item_callback *callback, void *context, struct error *error)
{
	const json_t *kvs = json_object_get(reply, "kvs");
	size_t count = json_array_size(kvs);
	struct store_item item;
	int result = 0;

	page->more = json_is_true(json_object_get(reply, "more"));
	if (page->more && !count)
		return error_set(error, EPROTO, NULL, "etcd's list makes no progress");
	for (size_t i = 0; !result && i < count; i++) {
		if (!etcd_item(self, json_array_get(kvs, i), &item))
			continue;
		result = callback(context, &item);
		etcd_item_free(&item);
	}
	free(page->from);
	page->from = NULL;
	if (page->more) {
		size_t size;
		char *wire = etcd_bytes(json_array_get(kvs, count - 1), "key", &size);

		if (wire && size >= self->prefix_len)
			page->from = xstrdup(wire + self->prefix_len);
		else if (!result)
			result = error_set(error, EPROTO, NULL, "etcd's list cannot be read");
		free(wire);
	}
	return result;
}

static int etcd_list(struct store *store, const char *prefix, store_item_callback *callback,
		     void *context, uint64_t *revision, struct error *error)
{
	struct etcd_store *self = etcd_from(store);
	struct page page = { .limit = PAGE_KEYS, .more = true };
	uint64_t known = store->revision;
	int result = 0;

	while (!result && page.more) {
		json_t *reply = NULL;

		result = read_page(self, prefix, &page, &reply, error);
		if (result == -EFBIG && page.limit > 1) {
			page.limit /= 10;
			result = 0;
			continue;
		}
		if (result)
			break;
		if (!page.revision) {
			page.revision = etcd_revision(reply);
			note_read(self, page.revision, known);
		}
		result = tell_page(self, reply, &page, callback, context, error);
		json_decref(reply);
	}
	free(page.from);
	*revision = page.revision;
	return result;
}

/* Leases ------------------------------------------------------------------------------------- */

/* Positive, growing with time, and not the same as another client's of the same microsecond. */
static uint64_t choose_lease(void)
{
	uint16_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		abort(); /* cannot fail for so few bytes */
	return (clock_realtime_ns(NULL) / 1000 << 11 | (random & 0x7ff)) & INT64_MAX;
}

static int etcd_lease_add(struct store *store, uint64_t ttl_ms, uint64_t *lease,
			  struct error *error)
{
	struct etcd_store *self = etcd_from(store);
	uint64_t deadline = etcd_deadline(self);
	struct buf body = { 0 };
	json_t *reply = NULL;
	int result;

	do {
		*lease = choose_lease();
		buf_reset(&body);
		buf_append_char(&body, '{');
		etcd_append_number(&body, "ID", *lease);
		etcd_append_number(&body, "TTL", (ttl_ms + 999) / 1000);
		buf_append_char(&body, '}');
		result =
			etcd_request(self, "/v3/lease/grant", &body, deadline, NULL, &reply, error);
		/* Somebody else's, or the first answer was lost: that one ends by itself. */
	} while (result == -EEXIST);
	json_decref(reply);
	buf_fini(&body);
	return result;
}

static void write_lease(struct buf *body, uint64_t lease)
{
	buf_append_char(body, '{');
	etcd_append_number(body, "ID", lease);
	buf_append_char(body, '}');
}

static int etcd_lease_remove(struct store *store, uint64_t lease, uint64_t *revision,
			     struct error *error)
{
	struct etcd_store *self = etcd_from(store);
	struct buf body = { 0 };
	json_t *reply = NULL;
	int result;

	write_lease(&body, lease);
	result = etcd_request(self, "/v3/lease/revoke", &body, etcd_deadline(self), NULL, &reply,
			      error);
	buf_fini(&body);
	*revision = store->revision;
	if (result == -ENOENT) {
		error_clear(error); /* etcd was faster */
		return 0;
	}
	if (!result)
		*revision = etcd_revision(reply);
	json_decref(reply);
	return result;
}

/* A lease that is over is answered with a time to live that is not there, or 0. */
static int judge_renewal(const json_t *reply)
{
	return etcd_number(reply, "TTL") ? 0 : -ENOENT;
}

static int etcd_lease_renew(struct store *store, uint64_t lease, struct error *error)
{
	struct etcd_store *self = etcd_from(store);
	struct buf body = { 0 };
	json_t *reply = NULL;
	int result;

	write_lease(&body, lease);
	result = etcd_request(self, "/v3/lease/keepalive", &body, etcd_deadline(self), NULL, &reply,
			      error);
	buf_fini(&body);
	if (!result)
		result = judge_renewal(reply);
	json_decref(reply);
	return result;
}

static void renewal_answered(struct etcd_store *self, uint64_t lease, enum etcd_outcome outcome,
			     const json_t *reply, uint64_t asked_ns, uint64_t known,
			     const struct error *error)
{
	int result = error->code;

	(void)known;
	if (outcome == ETCD_DONE) {
		result = judge_renewal(reply);
		if (result == 0)
			etcd_set_reachable(self, self->endpoint);
	} else if (outcome == ETCD_RENEW) {
		etcd_forget_token(self);
	} else if (outcome != ETCD_REFUSED) {
		self->endpoint = (self->endpoint + 1) % self->endpoint_count;
		/* Whether there is a quorum is the probe's to say. */
		etcd_probe(self);
	}
	store_lease_renewed(&self->store, lease, asked_ns, result);
}

static void etcd_lease_renew_start(struct store *store, uint64_t lease)
{
	struct buf body = { 0 };

	write_lease(&body, lease);
	etcd_ask(etcd_from(store), "/v3/lease/keepalive", &body, renewal_answered, lease);
}

/* The store ---------------------------------------------------------------------------------- */

static bool etcd_reachable(const struct store *store, struct error *why)
{
	const struct etcd_store *self = container_of(store, struct etcd_store, store);

	if (!self->reachable && why)
		*why = self->why;
	return self->reachable;
}

static void etcd_loop_changed(struct store *store)
{
	etcd_transfers_move(etcd_from(store));
}

static void etcd_pump(struct store *store)
{
	struct etcd_store *self = etcd_from(store);

	for (int i = 0; self->loop == self->own_loop && i < PUMP_ROUNDS; i++)
		loop_run_once(self->own_loop, 0);
}

/* All watches have been cancelled. */
static void etcd_close(struct store *store)
{
	struct etcd_store *self = etcd_from(store);

	if (self->multi && self->easy)
		etcd_marker_delete(self);
	loop_timer_stop(&self->probe_timer);
	loop_timer_stop(&self->watch_timer);
	loop_timer_stop(&self->stream_timer);
	loop_timer_stop(&self->quiet_timer);
	etcd_transfers_close(self);
	curl_slist_free_all(self->headers);
	map_fini(&self->watch_ids, NULL);
	for (size_t i = 0; i < self->endpoint_count; i++)
		free(self->endpoints[i]);
	free(self->endpoints);
	free(self->ca_file);
	free(self->cert_file);
	free(self->key_file);
	free(self->user);
	if (self->password)
		explicit_bzero(self->password, strlen(self->password));
	free(self->password);
	free(self->prefix);
	free(self->marker);
	free(self->token);
	free(self);
	curl_global_cleanup();
}

static const struct store_ops etcd_ops = {
	.get = etcd_get,
	.list = etcd_list,
	.commit = etcd_commit,
	.lease_add = etcd_lease_add,
	.lease_remove = etcd_lease_remove,
	.close = etcd_close,
	.reachable = etcd_reachable,
	.loop_changed = etcd_loop_changed,
	.pump = etcd_pump,
	.watch_add = etcd_watch_add,
	.watch_remove = etcd_watch_remove,
	.watch_rewind = etcd_watch_rewind,
	.watch_take = etcd_watch_take,
	.lease_renew = etcd_lease_renew,
	.lease_renew_start = etcd_lease_renew_start,
};

/* Options ------------------------------------------------------------------------------------ */

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < '!' || *text > '~')
			return false;
	return true;
}

static int check_endpoint(const char *endpoint, struct error *error)
{
	CURLU *url = curl_url();
	char *scheme = NULL;
	char *path = NULL;
	bool good = url && !curl_url_set(url, CURLUPART_URL, endpoint, 0) &&
		    !curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) &&
		    !curl_url_get(url, CURLUPART_PATH, &path, 0) &&
		    (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
		    strcmp(path, "/") == 0 && is_plain(endpoint);

	curl_free(scheme);
	curl_free(path);
	curl_url_cleanup(url);
	if (good)
		return 0;
	return error_set(error, EINVAL, NULL,
			 "\"%s\" is no endpoint of etcd, such as https://10.0.0.1:2379", endpoint);
}

static int check_file(const char *path, struct error *error)
{
	if (!path || access(path, R_OK) == 0)
		return 0;
	return error_set(error, errno, NULL, "cannot read %s: %s", path, strerror(errno));
}

static int check_options(const struct store_etcd_options *options, struct error *error)
{
	int result = 0;

	if (!options->endpoint_count || options->endpoint_count > ENDPOINTS_MAX)
		return error_set(error, EINVAL, NULL, "an etcd cluster needs 1 to %d endpoints",
				 ENDPOINTS_MAX);
	if (!options->cert_file != !options->key_file)
		return error_set(error, EINVAL, NULL,
				 "a certificate and its key are given together or not at all");
	if (options->prefix && !is_plain(options->prefix))
		return error_set(error, EINVAL, NULL,
				 "a prefix of keys holds what is not printable ASCII");
	if (options->name && (!options->name[0] || !is_plain(options->name)))
		return error_set(error, EINVAL, NULL,
				 "the name of this client is empty or not printable ASCII");
	for (size_t i = 0; !result && i < options->endpoint_count; i++)
		result = check_endpoint(options->endpoints[i], error);
	if (!result)
		result = check_file(options->ca_file, error);
	if (!result)
		result = check_file(options->cert_file, error);
	if (!result)
		result = check_file(options->key_file, error);
	return result;
}

static char *copy_endpoint(const char *endpoint)
{
	size_t length = strlen(endpoint);

	return xstrndup(endpoint, endpoint[length - 1] == '/' ? length - 1 : length);
}

static void take_options(struct etcd_store *self, const struct store_etcd_options *options)
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		abort(); /* cannot fail for so few bytes */
	self->endpoint_count = options->endpoint_count;
	self->endpoints = xcalloc(options->endpoint_count, sizeof(char *));
	for (size_t i = 0; i < options->endpoint_count; i++)
		self->endpoints[i] = copy_endpoint(options->endpoints[i]);
	/* Clients spread over the members. */
	self->endpoint = random[0] % self->endpoint_count;
	self->watch_endpoint = self->endpoint;
	self->ca_file = xstrdup(options->ca_file);
	self->cert_file = xstrdup(options->cert_file);
	self->key_file = xstrdup(options->key_file);
	self->user = xstrdup(options->user);
	self->password = xstrdup(options->password);
	self->prefix = xstrdup(options->prefix ? options->prefix : "");
	self->prefix_len = strlen(self->prefix);
	self->deadline_ns = (options->deadline_ms ? options->deadline_ms : STORE_ETCD_DEADLINE_MS) *
			    CLOCK_NS_PER_MS;
	self->quiet_ns =
		(options->quiet_ms ? options->quiet_ms : STORE_ETCD_QUIET_MS) * CLOCK_NS_PER_MS;
	self->stale_reads = options->stale_reads;
	self->one_watch_per_stream = options->one_watch_per_stream;
	self->marker_temporary = !options->name;
	/* Nobody had this random one before. */
	self->marker_known = self->marker_temporary;
	if (options->name)
		self->marker = xasprintf("%s" ETCD_MARKER_PREFIX "%s", self->prefix, options->name);
	else
		self->marker = xasprintf("%s" ETCD_MARKER_PREFIX "%016" PRIx64 "%016" PRIx64,
					 self->prefix, random[0], random[1]);
}

static void probe_from_loop(void *context)
{
	etcd_probe(context);
}

/* Learn the revision, and whether anybody is there. */
static void look_around(struct etcd_store *self)
{
	struct buf body = { 0 };
	json_t *reply = NULL;

	etcd_write_question(self, &body);
	if (!etcd_request(self, "/v3/kv/range", &body, etcd_deadline(self), NULL, &reply, NULL))
		etcd_note_revision(self, etcd_revision(reply), 0);
	json_decref(reply);
	buf_fini(&body);
}

int store_open_etcd(const struct store_etcd_options *options, struct store **store,
		    struct error *error)
{
	struct etcd_store *self;
	int result;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return error_set(error, ENOMEM, NULL, "libcurl does not start");
	result = check_options(options, error);
	if (result) {
		curl_global_cleanup();
		return result;
	}
	self = xcalloc(1, sizeof(*self));
	store_init(&self->store, &etcd_ops, options->clock);
	take_options(self, options);
	etcd_watches_init(self);
	loop_timer_init(&self->probe_timer, probe_from_loop, self);
	self->reachable = true;
	result = etcd_transfers_open(self, error);
	if (result) {
		store_close(&self->store);
		return result;
	}
	look_around(self);
	*store = &self->store;
	return 0;
}

int store_etcd_add_endpoint(struct store *store, const char *endpoint, struct error *error)
{
	struct etcd_store *self = container_of(store, struct etcd_store, store);
	int result = check_endpoint(endpoint, error);

	if (result)
		return result;
	for (size_t i = 0; i < self->endpoint_count; i++)
		if (strcmp(self->endpoints[i], endpoint) == 0)
			return 0;
	if (self->endpoint_count == ENDPOINTS_MAX)
		return error_set(error, E2BIG, NULL, "an etcd cluster needs 1 to %d endpoints",
				 ENDPOINTS_MAX);
	/* At the end: what goes on at the moment goes by the number of its endpoint. */
	self->endpoints = xreallocarray(self->endpoints, self->endpoint_count + 1, sizeof(char *));
	self->endpoints[self->endpoint_count++] = copy_endpoint(endpoint);
	return 0;
}
