/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions from one daemon to another, through the store that both have.
 *
 *	/weft/1/question/HOST/NONCE	{"from": host id, "body": {…}}, for host HOST
 *	/weft/1/answer/HOST/NONCE	the answer, for the host that asked
 *
 * Both die with a lease of ten seconds. Who may write to the store may ask: no further port is open and
 * no further secret is kept. Each daemon gets at most a few questions a second answered by another; what
 * is too large, malformed, or from nobody is left unanswered, and who asked gives up after a while.
 *
 * Neighbours: cluster.c hands in the records of the store, trace_remote.c asks and answers.
 */
#ifndef WEFT_AGENT_QUESTION_H
#define WEFT_AGENT_QUESTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "store/store.h"

#define QUESTION_SIZE_MAX (256U << 10)
#define QUESTIONS_OPEN_MAX 16
#define QUESTIONS_PER_SECOND 20
#define QUESTION_KEY_LENGTH_MAX 96
#define QUESTION_NONCE_LENGTH 32

struct questions;
struct question;

/**
 * struct questions_options - borrowed
 * @own_id: id of this host; 0 as long as it has none
 * @is_host: whether an id is that of a host
 * @answer: what this host says to a question of another; NULL leaves it unanswered. New reference.
 */
struct questions_options {
	struct loop *loop;
	struct store *store;
	const struct clock *clock;
	uint32_t (*own_id)(void *context);
	bool (*is_host)(void *context, uint32_t host_id);
	json_t *(*answer)(void *context, const json_t *body);
	void *context;
};

/* @answer borrowed; NULL: none came in time. The question is over. */
typedef void question_callback(void *context, const json_t *answer);

/** questions_new - nothing asked yet; release with questions_free() */
struct questions *questions_new(const struct questions_options *options);

/** questions_free - forget all; open questions are not called back (NULL is ignored) */
void questions_free(struct questions *questions);

/** questions_record - a record of the store; NULL @value: gone. Return: whether it is one of these. */
bool questions_record(struct questions *questions, const char *key, const char *value);

/**
 * questions_ask - ask a host
 * @body: borrowed
 * @done: called once, from the loop, unless the question is dropped
 * @question: set on success; over when @done is called
 *
 * Return: 0; -EBUSY if too many are open; -EMSGSIZE; or the store's error.
 */
int questions_ask(struct questions *questions, uint32_t host_id, const json_t *body,
		  uint64_t timeout_ns, question_callback *done, void *context,
		  struct question **question, struct error *error);

/** question_drop - the answer is of no interest any more (NULL is ignored) */
void question_drop(struct question *question);

/* The names and the envelope, for the tests. */

/** question_key - the key of a question or an answer for @host_id. Return: @text. */
const char *question_key(bool answer, uint32_t host_id, const char *nonce,
			 char text[QUESTION_KEY_LENGTH_MAX]);

/**
 * question_key_parse - the parts of a key
 *
 * Return: false if it is no key that question_key() makes.
 */
bool question_key_parse(const char *key, bool *answer, uint32_t *host_id,
			char nonce[QUESTION_NONCE_LENGTH + 1]);

/**
 * question_parse - the envelope of a question
 * @from: set to who asks
 *
 * Return: the body, new reference; NULL if it is not well formed.
 */
json_t *question_parse(const char *text, uint32_t *from);

#endif
