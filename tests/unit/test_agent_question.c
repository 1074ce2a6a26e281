/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/api/question.c and agent/observe/trace_remote.c: two hosts and one store; what is malformed, too much or late.
 *
 * Each host sees the store's records through a watch, as the reconciler hands them on.
 */
#include "tests/unit/unit.h"

#include "agent/api/question.h"
#include "agent/observe/trace_remote.h"
#include "base/alloc.h"
#include "base/buf.h"

#define NONCE "0123456789abcdef0123456789abcdef"

struct host {
	uint32_t id;
	struct questions *questions;
	struct store_watch *watch;
	unsigned int asked;
	bool silent;
};

static struct clock now;
static struct loop *loop;
static struct store *store;
static struct host one, two;
static struct error error;
static json_t *got;
static unsigned int calls;

static uint32_t own_id(void *context)
{
	return ((const struct host *)context)->id;
}

static bool is_host(void *context, uint32_t host_id)
{
	(void)context;
	return host_id == 1 || host_id == 2;
}

/* Says what it was asked. */
static json_t *answer(void *context, const json_t *body)
{
	struct host *host = context;

	host->asked++;
	return host->silent ? NULL : json_pack("{s:i, s:O}", "host", (int)host->id, "body", body);
}

static void on_watch(void *context, const struct store_item *items, size_t count, uint64_t revision)
{
	struct host *host = context;

	(void)revision;
	for (size_t i = 0; i < count; i++)
		questions_record(host->questions, items[i].key, items[i].value);
}

static void host_start(struct host *host, uint32_t id)
{
	const struct questions_options options = {
		.loop = loop,
		.store = store,
		.clock = &now,
		.own_id = own_id,
		.is_host = is_host,
		.answer = answer,
		.context = host,
	};

	*host = (struct host){ .id = id, .questions = questions_new(&options) };
	assert_int_equal(store_watch(store, "/weft/1/", 0, on_watch, host, &host->watch, &error),
			 0);
}

static int set_up(void **state)
{
	(void)state;
	now = (struct clock){ .monotonic_ns = 100 * CLOCK_NS_PER_SECOND };
	got = NULL;
	calls = 0;
	assert_int_equal(loop_new(&loop, &now, &error), 0);
	store = store_open_memory(&now);
	assert_int_equal(store_attach(store, loop, &error), 0);
	host_start(&one, 1);
	host_start(&two, 2);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	questions_free(one.questions);
	questions_free(two.questions);
	store_detach(store);
	store_close(store);
	loop_free(loop);
	json_decref(got);
	return 0;
}

static void rounds(void)
{
	for (int i = 0; i < 10; i++)
		assert_int_equal(loop_run_once(loop, 0), 0);
}

static void done(void *context, const json_t *said)
{
	(void)context;
	calls++;
	json_decref(got);
	got = json_incref((json_t *)said);
}

static int ask(uint32_t host_id, const char *text, struct question **question)
{
	json_t *body = json_pack("{s:s}", "text", text);
	int code = questions_ask(one.questions, host_id, body, 3 * CLOCK_NS_PER_SECOND, done, NULL,
				 question, &error);

	json_decref(body);
	return code;
}

static void a_question_is_answered(void **state)
{
	struct question *question;

	(void)state;
	assert_int_equal(ask(2, "hello", &question), 0);
	rounds();
	assert_int_equal(calls, 1);
	assert_int_equal(json_integer_value(json_object_get(got, "host")), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(got, "body"), "text")), "hello");
	assert_int_equal(one.asked, 0);
	/* The time that is up later is of no question any more. */
	now.monotonic_ns += 4 * CLOCK_NS_PER_SECOND;
	rounds();
	assert_int_equal(calls, 1);
}

static int count_key(void *context, const struct store_item *item)
{
	(void)item;
	++*(unsigned int *)context;
	return 0;
}

static void nobody_answers(void **state)
{
	struct question *question;
	unsigned int keys = 0;

	(void)state;
	two.silent = true;
	assert_int_equal(ask(2, "hello", &question), 0);
	rounds();
	assert_int_equal(two.asked, 1);
	assert_int_equal(calls, 0);
	now.monotonic_ns += 4 * CLOCK_NS_PER_SECOND;
	rounds();
	assert_int_equal(calls, 1);
	assert_null(got);
	/* Nothing stays in the store. */
	now.monotonic_ns += 10 * CLOCK_NS_PER_SECOND;
	rounds();
	assert_int_equal(store_list(store, "/weft/1/question/", count_key, &keys, NULL, &error), 0);
	assert_int_equal(keys, 0);
	/* One that was dropped is not called back. */
	two.silent = false;
	assert_int_equal(ask(2, "hello", &question), 0);
	question_drop(question);
	rounds();
	assert_int_equal(two.asked, 2);
	assert_int_equal(calls, 1);
}

static void there_is_a_limit(void **state)
{
	struct question *questions[QUESTIONS_OPEN_MAX], *question;
	char *large = xmalloc(QUESTION_SIZE_MAX);

	(void)state;
	memset(large, 'x', QUESTION_SIZE_MAX - 1);
	large[QUESTION_SIZE_MAX - 1] = '\0';
	assert_int_equal(ask(2, large, &question), -EMSGSIZE);
	free(large);
	two.silent = true;
	for (size_t i = 0; i < QUESTIONS_OPEN_MAX; i++)
		assert_int_equal(ask(2, "x", &questions[i]), 0);
	assert_int_equal(ask(2, "x", &question), -EBUSY);
	rounds();
	assert_int_equal(two.asked, QUESTIONS_OPEN_MAX);
	for (size_t i = 0; i < QUESTIONS_OPEN_MAX; i++)
		question_drop(questions[i]);
	/* The rest of this second's, and no more; then there are some again. */
	for (int i = 0; i < 2 * QUESTIONS_PER_SECOND; i++) {
		assert_int_equal(ask(2, "x", &question), 0);
		question_drop(question);
		rounds();
	}
	assert_int_equal(two.asked, QUESTIONS_PER_SECOND);
	now.monotonic_ns += CLOCK_NS_PER_SECOND / 2;
	assert_int_equal(ask(2, "x", &question), 0);
	rounds();
	assert_int_equal(two.asked, QUESTIONS_PER_SECOND + 1);
	question_drop(question);
	/* A host that is none of the cluster asks nobody. */
	one.id = 0;
	assert_int_equal(ask(2, "x", &question), -ENOENT);
}

static void put(const char *key, const char *value)
{
	assert_int_equal(store_put(store, key, value, NULL, &error), 0);
	rounds();
}

static void malformed_records_are_left_alone(void **state)
{
	static const char *const envelopes[] = {
		"[]",
		"{}",
		"7",
		"{\"from\":1}",
		"{\"from\":1,\"body\":7}",
		"{\"from\":1,\"body\":null}",
		"{\"from\":0,\"body\":{}}",
		"{\"from\":-1,\"body\":{}}",
		"{\"from\":4294967296,\"body\":{}}",
		"{\"from\":\"1\",\"body\":{}}",
		"{\"from\":1,\"body\":{},\"more\":1}",
		"{\"from\":9,\"body\":{}}", /* nobody */
	};
	uint32_t from;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(envelopes); i++) {
		now.monotonic_ns += CLOCK_NS_PER_SECOND;
		put("/weft/1/question/2/" NONCE, envelopes[i]);
		assert_int_equal(two.asked, 0);
	}
	assert_null(question_parse("{\"from\":1,\"body\":{}", &from));
	put("/weft/1/question/2/" NONCE, "{\"from\":1,\"body\":{}}");
	assert_int_equal(two.asked, 1);
	/* An answer to what nobody asked. */
	put("/weft/1/answer/1/" NONCE, "{\"x\":1}");
	assert_int_equal(calls, 0);
}

static void keys_are_taken_by_the_letter(void **state)
{
	static const char *const others[] = {
		"/weft/1/question/2/",
		"/weft/1/question/2/0123",
		"/weft/1/question/2/" NONCE "0",
		"/weft/1/question/2/" NONCE "/x",
		"/weft/1/question/+2/" NONCE,
		"/weft/1/question/02/" NONCE,
		"/weft/1/question/x/" NONCE,
		"/weft/1/question/2/0123456789ABCDEF0123456789abcdef",
		"/weft/1/answer/4294967298/" NONCE,
	};
	char text[QUESTION_KEY_LENGTH_MAX], nonce[QUESTION_NONCE_LENGTH + 1];
	uint32_t host_id;
	bool is_answer;

	(void)state;
	for (int i = 0; i < 2; i++) {
		question_key(i, 4294967295u, NONCE, text);
		assert_true(question_key_parse(text, &is_answer, &host_id, nonce));
		assert_int_equal(is_answer, i);
		assert_int_equal(host_id, 4294967295u);
		assert_string_equal(nonce, NONCE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_false(question_key_parse(others[i], &is_answer, &host_id, nonce));
		/* None of the intent's all the same. */
		assert_true(questions_record(two.questions, others[i], "{}"));
	}
	assert_false(questions_record(two.questions, "/weft/1/host/2/alive", "{}"));
}

/* ---- what is in an answer ---- */

#define STAGE "{\"host\":\"liar\",\"stage\":\"parse\",\"result\":\"well formed\",\"object\":null}"
#define VERDICT(word) "\"verdict\":\"" word "\",\"reason\":\"r\",\"sentence\":\"s\",\"object\":null"
#define TO "\"to\":{\"host\":\"h2\",\"port\":\"lan/b\"}"
#define NEXT ",\"next\":\"h3\""
#define LEG VERDICT("delivered") "," TO ",\"stages\":[" STAGE "]"

static int read_answer(const char *text, struct trace_answer *told)
{
	json_t *document = json_loads(text, 0, NULL);
	int code;

	assert_non_null(document);
	code = trace_answer_read(document, "h2", told, &error);
	json_decref(document);
	return code;
}

static void answers_are_read(void **state)
{
	struct trace_answer told;

	(void)state;
	assert_int_equal(read_answer("{\"there\":{" LEG "},\"back\":{" LEG NEXT
				     ",\"frame\":\"00ff\"}}",
				     &told),
			 0);
	/* A host speaks for itself only. */
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(told.there.stages, 0), "host")),
		"h2");
	assert_string_equal(json_string_value(json_object_get(told.back.verdict, "verdict")),
			    "delivered");
	assert_int_equal(told.back.frame.size, 2);
	assert_memory_equal(told.back.frame.bytes, "\x00\xff", 2);
	assert_string_equal(told.back.next, "h3");
	assert_null(told.there.frame.bytes);
	trace_answer_fini(&told);
	assert_int_equal(
		read_answer("{\"there\":{" VERDICT("dropped") ",\"to\":null,\"stages\":[]},"
							      "\"back\":null}",
			    &told),
		0);
	assert_null(told.back.verdict);
	assert_null(told.back.frame.bytes);
	trace_answer_fini(&told);
}

static void malformed_answers_are_refused(void **state)
{
	static const char *const answers[] = {
		"{}",
		"[]",
		"{\"there\":7}",
		"{\"there\":{" LEG ",\"more\":1}}",
		"{\"there\":{" LEG "},\"more\":1}",
		"{\"there\":{" VERDICT("perhaps") "," TO ",\"stages\":[]}}",
		"{\"there\":{" VERDICT("dropped") "," TO "}}",
		"{\"there\":{" VERDICT("dropped") "," TO ",\"stages\":{}}}",
		"{\"there\":{" VERDICT("dropped") "," TO ",\"stages\":[7]}}",
		"{\"there\":{" VERDICT("dropped") "," TO ",\"stages\":[{}]}}",
		"{\"there\":{" VERDICT("dropped") ",\"to\":7,\"stages\":[]}}",
		"{\"there\":{" VERDICT("dropped") ",\"to\":{\"host\":\"h2\"},\"stages\":[]}}",
		"{\"there\":{" LEG "},\"back\":7}",
		"{\"there\":{" LEG "},\"back\":{}}",
		"{\"there\":{" LEG "},\"back\":{" LEG NEXT ",\"frame\":\"0\"}}",
		"{\"there\":{" LEG "},\"back\":{" LEG NEXT ",\"frame\":\"xx\"}}",
		"{\"there\":{" LEG "},\"back\":{" LEG NEXT ",\"frame\":7}}",
		"{\"there\":{" LEG "},\"back\":{" LEG ",\"frame\":\"00\"}}",
		"{\"there\":{" LEG ",\"next\":7}}",
	};
	struct trace_answer told;
	struct buf many = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		if (read_answer(answers[i], &told) != -EINVAL)
			fail_msg("taken: %s", answers[i]);
	buf_append_text(&many, "{\"there\":{" VERDICT("dropped") "," TO ",\"stages\":[" STAGE);
	for (int i = 0; i < TRACE_STAGES_MAX; i++)
		buf_append_text(&many, "," STAGE);
	buf_append_text(&many, "]}}");
	assert_int_equal(read_answer(buf_text(&many), &told), -EINVAL);
	buf_fini(&many);
}

/* What is no packet is not run: neither a datapath nor an intent is looked at. */
static void malformed_questions_are_refused(void **state)
{
	static const char *const questions[] = {
		"{}",
		"{\"frame\":7}",
		"{\"frame\":\"\"}",
		"{\"frame\":\"0\"}",
		"{\"frame\":\"0g\"}",
		"{\"frame\":\"00\",\"more\":1}",
		"{\"frame\":\"00\",\"before\":7}",
	};
	json_t *document, *large;
	char *text;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		document = json_loads(questions[i], 0, NULL);
		assert_non_null(document);
		assert_null(trace_answer_make(NULL, NULL, document));
		json_decref(document);
	}
	text = xmalloc(2 * TRACE_FRAME_MAX + 3);
	memset(text, '0', 2 * TRACE_FRAME_MAX + 2);
	text[2 * TRACE_FRAME_MAX + 2] = '\0';
	large = json_pack("{s:s}", "frame", text);
	assert_null(trace_answer_make(NULL, NULL, large));
	json_decref(large);
	free(text);
}

#define WITH_HOSTS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOSTS(a_question_is_answered),
		WITH_HOSTS(nobody_answers),
		WITH_HOSTS(there_is_a_limit),
		WITH_HOSTS(malformed_records_are_left_alone),
		WITH_HOSTS(keys_are_taken_by_the_letter),
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(malformed_answers_are_refused),
		cmocka_unit_test(malformed_questions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
