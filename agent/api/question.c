/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions through the store; see question.h.
 *
 * Records come in the middle of the store's callbacks, where it may not be written to: questions are put
 * into a queue, and answered from the loop. A lease is used for all that is written within a few seconds.
 */
#include "agent/api/question.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/list.h"
#include "base/log.h"

#define PREFIX_QUESTION STORE_PREFIX "question/"
#define PREFIX_ANSWER STORE_PREFIX "answer/"
#define LEASE_MS 10000
#define LEASE_LEFT_MS 6000 /* one that lives shorter than this is not used any more */

struct question {
	struct list node;
	struct questions *questions;
	char nonce[QUESTION_NONCE_LENGTH + 1];
	struct loop_timer timeout;
	struct loop_deferred arrived;
	json_t *answer; /* NULL: none yet */
	question_callback *done;
	void *context;
};

/* Of another host, not yet answered. */
struct request {
	struct list node;
	char nonce[QUESTION_NONCE_LENGTH + 1];
	uint32_t from;
	json_t *body;
};

struct questions {
	struct questions_options options;
	struct list open; /* struct question */
	size_t open_count;
	struct list requests; /* struct request */
	size_t request_count;
	struct loop_deferred work;
	uint64_t lease;
	uint64_t tokens_ns; /* of the rate: filled up to here, in monotonic time */
};

/* ---- keys and envelope ---- */

const char *question_key(bool answer, uint32_t host_id, const char *nonce,
			 char text[QUESTION_KEY_LENGTH_MAX])
{
	snprintf(text, QUESTION_KEY_LENGTH_MAX, "%s%" PRIu32 "/%s",
		 answer ? PREFIX_ANSWER : PREFIX_QUESTION, host_id, nonce);
	return text;
}

bool question_key_parse(const char *key, bool *answer, uint32_t *host_id,
			char nonce[QUESTION_NONCE_LENGTH + 1])
{
	char again[QUESTION_KEY_LENGTH_MAX];
	const char *rest;
	char *end;

	*answer = strncmp(key, PREFIX_ANSWER, strlen(PREFIX_ANSWER)) == 0;
	if (!*answer && strncmp(key, PREFIX_QUESTION, strlen(PREFIX_QUESTION)) != 0)
		return false;
	rest = key + strlen(*answer ? PREFIX_ANSWER : PREFIX_QUESTION);
	*host_id = (uint32_t)strtoul(rest, &end, 10);
	if (*end != '/' || strlen(end + 1) != QUESTION_NONCE_LENGTH ||
	    strspn(end + 1, "0123456789abcdef") != QUESTION_NONCE_LENGTH)
		return false;
	memcpy(nonce, end + 1, QUESTION_NONCE_LENGTH + 1);
	/* Signs, blanks and what follows are not written back. */
	return strcmp(question_key(*answer, *host_id, nonce, again), key) == 0;
}

static json_t *load(const char *text)
{
	json_t *document = NULL;

	if (json_load_text(text, strlen(text), QUESTION_SIZE_MAX, &document, NULL))
		return NULL;
	if (json_is_object(document))
		return document;
	json_decref(document);
	return NULL;
}

json_t *question_parse(const char *text, uint32_t *from)
{
	json_t *document = load(text), *body;
	int64_t id = 0;
	struct json_reader reader;

	if (!document)
		return NULL;
	json_reader_init(&reader, document, "", NULL);
	json_reader_integer(&reader, "from", JSON_REQUIRED, 1, UINT32_MAX, &id);
	json_reader_value(&reader, "body", JSON_REQUIRED, &body);
	if (json_reader_finish(&reader) || !json_is_object(body))
		body = NULL;
	*from = (uint32_t)id;
	json_incref(body);
	json_decref(document);
	return body;
}

/* ---- writing ---- */

static int take_lease(struct questions *questions, struct error *error)
{
	struct store *store = questions->options.store;

	if (questions->lease && store_lease_left_ms(store, questions->lease) > LEASE_LEFT_MS)
		return 0;
	questions->lease = 0;
	return store_lease_grant(store, LEASE_MS, &questions->lease, error);
}

static int write_record(struct questions *questions, const char *key, const json_t *document,
			struct error *error)
{
	struct store_transaction *transaction;
	char *text;
	int code;

	text = json_dumps(document, JSON_COMPACT);
	if (strlen(text) >= QUESTION_SIZE_MAX) {
		free(text);
		return error_set(error, EMSGSIZE, NULL, "the packet is too large to be passed on");
	}
	code = take_lease(questions, error);
	if (!code) {
		transaction = store_transaction_new();
		store_transaction_put(transaction, key, text, questions->lease);
		code = store_commit(questions->options.store, transaction, NULL, error);
		store_transaction_free(transaction);
	}
	if (code)
		questions->lease = 0;
	free(text);
	return code;
}

/* ---- answering ---- */

static void request_free(struct questions *questions, struct request *request)
{
	list_remove(&request->node);
	questions->request_count--;
	json_decref(request->body);
	free(request);
}

static void reply(struct questions *questions, const struct request *request)
{
	json_t *answer = questions->options.answer(questions->options.context, request->body);
	char key[QUESTION_KEY_LENGTH_MAX];
	struct error error = { 0 };

	if (!answer) {
		log_limited(LOG_LEVEL_NOTICE, "a question of another host is not understood",
			    "host=%" PRIu32, request->from);
		return;
	}
	question_key(true, request->from, request->nonce, key);
	if (write_record(questions, key, answer, &error))
		log_limited(LOG_LEVEL_WARNING, "a question of another host stays unanswered",
			    "host=%" PRIu32 " text=\"%s\"", request->from, error.text);
	json_decref(answer);
}

static void questions_work(void *context)
{
	struct questions *questions = context;
	struct request *request, *following;

	LIST_FOR_EACH_SAFE(request, following, &questions->requests, node) {
		reply(questions, request);
		request_free(questions, request);
	}
}

/* A bucket that holds the questions of a second. */
static bool may_answer(struct questions *questions)
{
	uint64_t now = clock_monotonic_ns(questions->options.clock);
	const uint64_t price = CLOCK_NS_PER_SECOND / QUESTIONS_PER_SECOND;

	if (questions->tokens_ns + CLOCK_NS_PER_SECOND < now)
		questions->tokens_ns = now - CLOCK_NS_PER_SECOND;
	if (questions->tokens_ns + price > now)
		return false;
	questions->tokens_ns += price;
	return true;
}

static void take_question(struct questions *questions, const char *nonce, const char *value)
{
	struct request *request;
	uint32_t from = 0;
	json_t *body;

	if (questions->request_count >= QUESTIONS_OPEN_MAX || !may_answer(questions)) {
		log_limited(LOG_LEVEL_NOTICE, "too many questions of other hosts");
		return;
	}
	body = question_parse(value, &from);
	if (!body || !questions->options.is_host(questions->options.context, from)) {
		log_limited(LOG_LEVEL_NOTICE, "a question of nobody, or malformed");
		json_decref(body);
		return;
	}
	request = xcalloc(1, sizeof(*request));
	snprintf(request->nonce, sizeof(request->nonce), "%s", nonce);
	request->from = from;
	request->body = body;
	list_push_back(&questions->requests, &request->node);
	questions->request_count++;
	loop_defer(questions->options.loop, &questions->work);
}

/* ---- asking ---- */

void question_drop(struct question *question)
{
	if (!question)
		return;
	loop_timer_stop(&question->timeout);
	loop_deferred_cancel(&question->arrived);
	list_remove(&question->node);
	question->questions->open_count--;
	json_decref(question->answer);
	free(question);
}

/* Answered, or out of time. */
static void question_over(void *context)
{
	struct question *question = context;
	question_callback *done = question->done;
	void *done_context = question->context;
	json_t *answer = json_incref(question->answer);

	question_drop(question);
	done(done_context, answer);
	json_decref(answer);
}

static void take_answer(struct questions *questions, const char *nonce, const char *value)
{
	struct question *question;

	LIST_FOR_EACH(question, &questions->open, node) {
		if (strcmp(question->nonce, nonce) != 0 || question->answer)
			continue;
		question->answer = load(value);
		if (question->answer)
			loop_defer(questions->options.loop, &question->arrived);
		return;
	}
}

bool questions_record(struct questions *questions, const char *key, const char *value)
{
	char nonce[QUESTION_NONCE_LENGTH + 1];
	uint32_t host_id;
	bool answer;

	if (!question_key_parse(key, &answer, &host_id, nonce))
		return strncmp(key, PREFIX_QUESTION, strlen(PREFIX_QUESTION)) == 0 ||
		       strncmp(key, PREFIX_ANSWER, strlen(PREFIX_ANSWER)) == 0;
	if (!value || !host_id || host_id != questions->options.own_id(questions->options.context))
		return true;
	if (answer)
		take_answer(questions, nonce, value);
	else
		take_question(questions, nonce, value);
	return true;
}

static int make_nonce(char nonce[QUESTION_NONCE_LENGTH + 1], struct error *error)
{
	uint8_t bytes[QUESTION_NONCE_LENGTH / 2];

	if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) != sizeof(bytes))
		return error_set(error, EIO, NULL, "the machine has no random numbers yet");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int questions_ask(struct questions *questions, uint32_t host_id, const json_t *body,
		  uint64_t timeout_ns, question_callback *done, void *context,
		  struct question **question, struct error *error)
{
	uint32_t own_id = questions->options.own_id(questions->options.context);
	char nonce[QUESTION_NONCE_LENGTH + 1], key[QUESTION_KEY_LENGTH_MAX];
	struct question *new;
	json_t *envelope;
	int code;

	if (questions->open_count >= QUESTIONS_OPEN_MAX)
		return error_set(error, EBUSY, NULL, "too many other hosts are being asked");
	if (!own_id)
		return error_set(error, ENOENT, NULL, "this host is none of the cluster yet");
	if (!store_reachable(questions->options.store, error))
		return error->code;
	code = make_nonce(nonce, error);
	if (code)
		return code;
	envelope = json_pack("{s:I, s:O}", "from", (json_int_t)own_id, "body", body);
	code = write_record(questions, question_key(false, host_id, nonce, key), envelope, error);
	json_decref(envelope);
	if (code)
		return code;
	new = xcalloc(1, sizeof(*new));
	new->questions = questions;
	memcpy(new->nonce, nonce, sizeof(nonce));
	new->done = done;
	new->context = context;
	loop_timer_init(&new->timeout, question_over, new);
	loop_deferred_init(&new->arrived, question_over, new);
	loop_timer_start(questions->options.loop, &new->timeout, timeout_ns, 0);
	list_push_back(&questions->open, &new->node);
	questions->open_count++;
	*question = new;
	return 0;
}

/* ---- open and close ---- */

struct questions *questions_new(const struct questions_options *options)
{
	struct questions *questions = xcalloc(1, sizeof(*questions));

	questions->options = *options;
	list_init(&questions->open);
	list_init(&questions->requests);
	loop_deferred_init(&questions->work, questions_work, questions);
	return questions;
}

void questions_free(struct questions *questions)
{
	struct question *question, *next_question;
	struct request *request, *next_request;

	if (!questions)
		return;
	loop_deferred_cancel(&questions->work);
	LIST_FOR_EACH_SAFE(question, next_question, &questions->open, node)
		question_drop(question);
	LIST_FOR_EACH_SAFE(request, next_request, &questions->requests, node)
		request_free(questions, request);
	free(questions);
}
