/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ids of new objects, where several hosts give them out.
 *
 * One counter in the store, and each writer would compare it: of two hosts that add a port at once, one
 * would be refused, whatever VPCs they add it to. So a host moves the counter on by a block at a time and
 * gives out the ids of the block by itself. What it has not given out when it ends is nobody's: ids
 * are never used twice, and there are two thousand million of them.
 *
 * Neighbours: reconcile_news.c (the caller), model/draft.c (who gives them out), model/draft_store.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"

#define NEXT_ID_KEY STORE_PREFIX "ids/next"
#define BLOCK_SIZE 1024U
#define TAKE_ATTEMPTS 64
#define ID_LAST 0x7effffffU /* BEYOND_ID of the model, and the ids of peers, are above */

static int read_next(const char *text, uint32_t *next, struct error *error)
{
	struct json_reader reader;
	json_t *document = NULL;
	int64_t value = 1;
	int code = json_load_text(text, strlen(text), STORE_VALUE_LENGTH_MAX, &document, error);

	if (code)
		return code;
	json_reader_init(&reader, document, "", error);
	json_reader_integer(&reader, "next", JSON_REQUIRED, 1, ID_LAST, &value);
	code = json_reader_finish(&reader);
	json_decref(document);
	*next = (uint32_t)value;
	return code;
}

/* Return: 0 with the block's first id, -EAGAIN if another host was faster, or what the store says. */
static int take(struct store *store, uint32_t size, uint32_t *first, struct error *error)
{
	struct store_transaction *transaction;
	uint64_t revision = 0;
	char *text = NULL;
	int code = store_get(store, NEXT_ID_KEY, &text, &revision, error);

	*first = 1;
	if (!code)
		code = read_next(text, first, error);
	else if (code == -ENOENT)
		code = 0;
	free(text);
	if (code)
		return code;
	if (*first + size > ID_LAST)
		return error_set(error, EDQUOT, NULL, "all ids of the cluster were given out");
	text = xasprintf("{\"next\":%" PRIu32 "}", *first + size);
	transaction = store_transaction_new();
	store_transaction_require_revision(transaction, NEXT_ID_KEY, revision);
	store_transaction_put(transaction, NEXT_ID_KEY, text, 0);
	code = store_commit(store, transaction, NULL, error);
	store_transaction_free(transaction);
	free(text);
	return code;
}

int reconcile_take_ids(struct reconcile *reconcile, uint32_t count, struct error *error)
{
	uint32_t size = count > BLOCK_SIZE / 2 ? 2 * count : BLOCK_SIZE, first = 0;
	int code = -EAGAIN;

	for (int i = 0; code == -EAGAIN && i < TAKE_ATTEMPTS; i++) {
		error_clear(error);
		code = take(reconcile->options.store, size, &first, error);
	}
	if (code == -EAGAIN)
		return error_set(error, EBUSY, NULL,
				 "other hosts take ids all the time; try again");
	if (code)
		return code;
	intent_give_ids(reconcile->intent, first, first + size);
	log_info("ids taken", "first=%" PRIu32 " count=%" PRIu32, first, size);
	return 0;
}
