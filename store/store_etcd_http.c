/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to etcd that wait for the answer, the choice of a member, users' tokens, and whether
 * etcd can be reached at all.
 *
 * Requests have a handle of libcurl, and so a connection, of their own: etcd is known to starve a
 * stream of events that shares one with large reads. HTTP/1.1 is asked for with TLS too, for the
 * same reason. A daemon that waits for a cluster that is not there would stand still with every
 * call; so the first failure closes the door, and only a probe that the loop runs opens it again.
 *
 * A leader that dies or is cut off is no reason to refuse a change: the others choose a new one within
 * a second or two. Members that answer, but not with what was asked, are asked until the deadline; and
 * of those who find the door closed since a moment only, the first waits for it.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/log.h"
#include "store/store_etcd_private.h"

/* A store in no loop tries again after this time; the loop probes after these. */
#define CLOSED_NS CLOCK_NS_PER_SECOND
#define PROBE_FIRST_NS (100 * CLOCK_NS_PER_MS)
#define PROBE_LAST_NS (2 * CLOCK_NS_PER_SECOND)

/* The least time a member is given before another one is asked. */
#define ATTEMPT_MS 300

/* How long the choice of a leader may take, and how often members are asked meanwhile. */
#define CHOICE_NS (3 * CLOCK_NS_PER_SECOND)
#define CHOICE_STEP_MS 50

/* The most that a read without quorum takes while etcd is thought to be unreachable. */
#define STALE_NS (500 * CLOCK_NS_PER_MS)

/* How often a request is repeated because the token was too old. */
#define RENEWALS 2

/* Programs that the daemon starts have no part in its connections. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)context;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void etcd_prepare(struct etcd_store *self, CURL *easy, size_t endpoint, const char *path,
		  struct curl_slist *headers)
{
	char *url = xasprintf("%s%s", self->endpoints[endpoint], path);

	/* None of these can fail but for want of memory, which shows when the transfer runs. */
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 5L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 2L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (self->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, self->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (self->cert_file)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, self->cert_file);
	if (self->key_file)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, self->key_file);
	free(url);
}

enum etcd_outcome etcd_judge_curl(struct etcd_store *self, CURL *easy, CURLcode code,
				  size_t endpoint, const char *text, struct error *error)
{
	const char *why = text && text[0] ? text : curl_easy_strerror(code);
	curl_off_t sent = 0;
	long request = 0;

	/* Not one byte of a request has left while the connection was being made. */
	curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request);
	curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	if (code == CURLE_WRITE_ERROR)
		error_set(error, EFBIG, NULL, "etcd answers with more than can be taken");
	else
		error_set(error, code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EHOSTUNREACH, NULL,
			  "%s: %s", self->endpoints[endpoint], why);
	return request || sent ? ETCD_UNKNOWN : ETCD_NOT_SENT;
}

uint64_t etcd_deadline(const struct etcd_store *self)
{
	return clock_monotonic_ns(NULL) + self->deadline_ns;
}

/* Reachable or not --------------------------------------------------------------------------- */

int etcd_check_reachable(struct etcd_store *self, struct error *error)
{
	if (self->reachable || (!self->store.loop && clock_monotonic_ns(NULL) >= self->retry_ns))
		return 0;
	return error_set(error, self->why.code == -ETIMEDOUT ? EHOSTUNREACH : self->why.code, NULL,
			 "etcd cannot be reached: %s", self->why.text);
}

void etcd_set_reachable(struct etcd_store *self, size_t endpoint)
{
	self->endpoint = endpoint;
	if (self->reachable)
		return;
	self->reachable = true;
	loop_timer_stop(&self->probe_timer);
	log_notice("etcd reachable", "endpoint=%s", self->endpoints[endpoint]);
	store_leases_renew_soon(&self->store);
	etcd_watches_restart(self);
}

void etcd_set_unreachable(struct etcd_store *self, const struct error *why)
{
	if (self->reachable) {
		log_warning("etcd unreachable", "error=\"%s\"", why->text);
		self->choice_end_ns = clock_monotonic_ns(NULL) + CHOICE_NS;
		self->probe_delay_ns = PROBE_FIRST_NS;
	}
	self->reachable = false;
	self->why = *why;
	self->retry_ns = clock_monotonic_ns(NULL) + CLOSED_NS;
	if (!self->probing && !loop_timer_is_running(&self->probe_timer)) {
		loop_timer_start(self->loop, &self->probe_timer, self->probe_delay_ns, 0);
		self->probe_delay_ns *= 2;
		if (self->probe_delay_ns > PROBE_LAST_NS)
			self->probe_delay_ns = PROBE_LAST_NS;
	}
}

void etcd_write_question(const struct etcd_store *self, struct buf *body)
{
	buf_append_char(body, '{');
	etcd_append_bytes(body, "key", self->marker, strlen(self->marker));
	buf_append_text(body, ",\"count_only\":true}");
}

static void probed(struct etcd_store *self, uint64_t endpoint, enum etcd_outcome outcome,
		   const json_t *reply, uint64_t asked_ns, uint64_t known,
		   const struct error *error)
{
	(void)asked_ns;
	self->probing = false;
	/* Being refused for want of a user or the like is an answer too. */
	if (outcome == ETCD_DONE || outcome == ETCD_REFUSED || outcome == ETCD_RENEW) {
		if (outcome == ETCD_RENEW)
			etcd_forget_token(self);
		etcd_set_reachable(self, endpoint);
		etcd_note_revision(self, etcd_revision(reply), known);
		return;
	}
	self->endpoint = (endpoint + 1) % self->endpoint_count;
	etcd_set_unreachable(self, error);
}

void etcd_probe(struct etcd_store *self)
{
	struct buf body = { 0 };

	if (self->probing)
		return;
	self->probing = true;
	etcd_write_question(self, &body);
	etcd_ask(self, "/v3/kv/range", &body, probed, self->endpoint);
}

void etcd_probe_soon(struct etcd_store *self)
{
	loop_timer_start(self->loop, &self->probe_timer, 0, 0);
}

void etcd_note_revision(struct etcd_store *self, uint64_t revision, uint64_t known)
{
	if (revision && revision < known) {
		log_error("etcd is older than it was", "revision=%" PRIu64 " was=%" PRIu64,
			  revision, known);
		self->store.revision = revision;
		self->marker_known = false;
		etcd_watches_lose(self, revision);
	} else if (revision > self->store.revision) {
		store_moved_on(&self->store, revision);
	}
}

/* Tokens ------------------------------------------------------------------------------------- */

static void set_headers(struct etcd_store *self)
{
	curl_slist_free_all(self->headers);
	self->headers = curl_slist_append(NULL, "Expect:");
	self->headers = curl_slist_append(self->headers, "Content-Type: application/json");
	if (self->token && self->token[0]) {
		char *header = xasprintf("Authorization: %s", self->token);

		self->headers = curl_slist_append(self->headers, header);
		free(header);
	}
}

void etcd_forget_token(struct etcd_store *self)
{
	free(self->token);
	self->token = NULL;
}

/* One request ---------------------------------------------------------------------------------- */

static size_t take_reply(char *data, size_t size, size_t count, void *context)
{
	struct buf *reply = context;

	if (reply->size + size * count > ETCD_REPLY_SIZE_MAX)
		return 0;
	buf_append(reply, data, size * count);
	return size * count;
}

static json_t *parse(const struct buf *body, struct error *error)
{
	json_error_t why;
	json_t *reply = json_loadb(buf_text(body), body->size, JSON_DISABLE_EOF_CHECK, &why);

	/* One-shot answers of streams come as {"result":…}. */
	if (json_object_get(reply, "result")) {
		json_t *result = json_incref(json_object_get(reply, "result"));

		json_decref(reply);
		reply = result;
	}
	if (!json_is_object(reply)) {
		error_set(error, EPROTO, NULL, "etcd's answer cannot be read: %s", why.text);
		json_decref(reply);
		return NULL;
	}
	return reply;
}

/* Ask the member at @endpoint once, for at most @timeout_ms. */
static enum etcd_outcome attempt(struct etcd_store *self, size_t endpoint, const char *path,
				 const struct buf *body, long timeout_ms, json_t **reply,
				 struct error *error)
{
	char text[CURL_ERROR_SIZE] = "";
	struct buf answer = { 0 };
	enum etcd_outcome outcome;
	long status = 0;
	CURLcode code;

	set_headers(self);
	curl_easy_reset(self->easy);
	etcd_prepare(self, self->easy, endpoint, path, self->headers);
	curl_easy_setopt(self->easy, CURLOPT_ERRORBUFFER, text);
	curl_easy_setopt(self->easy, CURLOPT_POSTFIELDS, buf_text(body));
	curl_easy_setopt(self->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
	curl_easy_setopt(self->easy, CURLOPT_WRITEFUNCTION, take_reply);
	curl_easy_setopt(self->easy, CURLOPT_WRITEDATA, &answer);
	curl_easy_setopt(self->easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	code = curl_easy_perform(self->easy);
	curl_easy_setopt(self->easy, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code) {
		outcome = etcd_judge_curl(self, self->easy, code, endpoint, text, error);
	} else if (status != 200) {
		outcome = etcd_judge(status, buf_text(&answer), answer.size, error);
	} else {
		*reply = parse(&answer, error);
		outcome = *reply ? ETCD_DONE : ETCD_UNKNOWN;
	}
	buf_fini(&answer);
	return outcome;
}

/* Milliseconds the next attempt may take: half of what is left, if something can be done then. */
static long attempt_ms(const struct etcd_store *self, uint64_t deadline, bool once)
{
	uint64_t now = clock_monotonic_ns(NULL);
	uint64_t left = now < deadline ? (deadline - now) / CLOCK_NS_PER_MS : 0;

	if ((self->endpoint_count > 1 || once) && left > ATTEMPT_MS)
		left = left / 2 > ATTEMPT_MS ? left / 2 : ATTEMPT_MS;
	return (long)left;
}

/*
 * Ask one member after the other, each at most twice, until one says yes or no; until the deadline as
 * long as somebody takes the request and does not time out, as members do that choose a leader.
 * @once: not again if it may have happened
 */
static enum etcd_outcome ask_members(struct etcd_store *self, const char *path,
				     const struct buf *body, uint64_t deadline, bool once,
				     json_t **reply, struct error *error)
{
	size_t attempts = 2 * self->endpoint_count;
	enum etcd_outcome outcome = ETCD_NOT_SENT;
	bool choosing = false;
	long timeout_ms;

	error_set(error, ETIMEDOUT, NULL, "no time is left");
	while (attempts-- && (timeout_ms = attempt_ms(self, deadline, once)) > 0) {
		size_t endpoint = self->endpoint;

		outcome = attempt(self, endpoint, path, body, timeout_ms, reply, error);
		if (outcome == ETCD_DONE || outcome == ETCD_REFUSED || outcome == ETCD_RENEW)
			return outcome;
		self->endpoint = (endpoint + 1) % self->endpoint_count;
		if (error->code == -EFBIG || (once && outcome == ETCD_UNKNOWN))
			return outcome;
		choosing |= outcome == ETCD_UNKNOWN && error->code == -EHOSTUNREACH;
		if (!attempts && choosing) {
			attempts = self->endpoint_count;
			choosing = false;
			poll(NULL, 0, CHOICE_STEP_MS);
		}
	}
	return outcome;
}

/* Return: ETCD_DONE with a token, or with an empty one if etcd has no users. */
static enum etcd_outcome log_in(struct etcd_store *self, uint64_t deadline, struct error *error)
{
	enum etcd_outcome outcome;
	struct buf body = { 0 };
	json_t *reply = NULL;
	json_t *request;
	char *text;

	if (!self->user || self->token)
		return ETCD_DONE;
	request = json_pack("{s:s, s:s}", "name", self->user, "password",
			    self->password ? self->password : "");
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!text) {
		error_set(error, EINVAL, NULL, "the user or the password is not UTF-8");
		return ETCD_REFUSED;
	}
	buf_append_text(&body, text);
	free(text);
	outcome = ask_members(self, "/v3/auth/authenticate", &body, deadline, false, &reply, error);
	buf_fini(&body);
	if (outcome == ETCD_DONE)
		self->token = xstrdup(json_string_value(json_object_get(reply, "token")));
	else if (outcome == ETCD_REFUSED && error->code == -ENOTSUP)
		self->token = xstrdup("");
	json_decref(reply);
	if (self->token)
		return ETCD_DONE;
	if (outcome == ETCD_DONE) {
		error_set(error, EPROTO, NULL, "etcd gives no token");
		return ETCD_REFUSED;
	}
	/* A login that may have happened is none. */
	return outcome == ETCD_UNKNOWN ? ETCD_NOT_SENT : outcome;
}

void etcd_log_in(struct etcd_store *self)
{
	struct error why = { 0 };

	if (self->reachable && log_in(self, etcd_deadline(self), &why) != ETCD_DONE)
		log_limited(LOG_LEVEL_WARNING, "etcd login failed", "error=\"%s\"", why.text);
}

/* A request with the token of the user, a new one if the last one is too old. */
static enum etcd_outcome ask_as_user(struct etcd_store *self, const char *path,
				     const struct buf *body, uint64_t deadline, bool once,
				     json_t **reply, struct error *error)
{
	enum etcd_outcome outcome = ETCD_RENEW;

	for (int i = 0; outcome == ETCD_RENEW && i < RENEWALS; i++) {
		if (i)
			etcd_forget_token(self);
		outcome = log_in(self, deadline, error);
		if (outcome == ETCD_DONE)
			outcome = ask_members(self, path, body, deadline, once, reply, error);
	}
	return outcome;
}

int etcd_request(struct etcd_store *self, const char *path, const struct buf *body,
		 uint64_t deadline, bool *unknown, json_t **reply, struct error *error)
{
	struct error why = { 0 };
	enum etcd_outcome outcome;

	if (etcd_check_reachable(self, &why))
		return error_set(error, why.code, NULL, "%s", why.text);
	outcome = ask_as_user(self, path, body, deadline, unknown, reply, &why);
	if (outcome == ETCD_DONE || outcome == ETCD_REFUSED || outcome == ETCD_RENEW) {
		etcd_set_reachable(self, self->endpoint);
	} else if (outcome == ETCD_UNKNOWN && unknown) {
		*unknown = true;
	} else if (outcome != ETCD_AGAIN && why.code != -EFBIG) {
		etcd_set_unreachable(self, &why);
		self->choice_end_ns = 0;
	}
	return outcome == ETCD_DONE ? 0 : error_set(error, why.code, NULL, "%s", why.text);
}

void etcd_await_leader(struct etcd_store *self)
{
	uint64_t deadline = self->choice_end_ns;
	struct error why = { 0 };
	struct buf body = { 0 };
	json_t *reply = NULL;

	if (self->reachable || clock_monotonic_ns(NULL) >= deadline)
		return;
	self->choice_end_ns = 0;
	etcd_write_question(self, &body);
	if (ask_as_user(self, "/v3/kv/range", &body, deadline, false, &reply, &why) == ETCD_DONE)
		etcd_set_reachable(self, self->endpoint);
	json_decref(reply);
	buf_fini(&body);
}

int etcd_read(struct etcd_store *self, const struct buf *body, json_t **reply, struct error *error)
{
	uint64_t now = clock_monotonic_ns(NULL);
	struct error why = { 0 };
	enum etcd_outcome outcome;

	if (!self->stale_reads || !etcd_check_reachable(self, &why))
		return etcd_request(self, "/v3/kv/range", body, etcd_deadline(self), NULL, reply,
				    error);
	/* Without a quorum some member may be there; but if none is, that must not take long. */
	if (now < self->stale_retry_ns)
		return error_set(error, why.code, NULL, "%s", why.text);
	outcome = ask_as_user(self, "/v3/kv/range", body, now + STALE_NS, false, reply, &why);
	if (outcome == ETCD_DONE)
		return 0;
	if (outcome == ETCD_UNKNOWN || outcome == ETCD_NOT_SENT)
		self->stale_retry_ns = clock_monotonic_ns(NULL) + CLOSED_NS;
	return error_set(error, why.code, NULL, "%s", why.text);
}
