/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How etcd's JSON gateway writes things down: bytes as base64, 64-bit numbers as strings, zeros
 * and empty things left out; and what its errors mean. Errors are told apart by their sentence:
 * the codes of gRPC put "no space" and "too many requests" into one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/store_etcd_private.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void etcd_base64_append(struct buf *buf, const char *data, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)data;
	char *to = buf_reserve(buf, (size + 2) / 3 * 4);
	char *start = to;
	size_t i;

	for (i = 0; i + 2 < size; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2];

		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = digits[group >> 6 & 63];
		*to++ = digits[group & 63];
	}
	if (i < size) {
		bool two = i + 1 < size;
		uint32_t group = (uint32_t)bytes[i] << 16 | (two ? bytes[i + 1] << 8 : 0);

		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = two ? digits[group >> 6 & 63] : '=';
		*to++ = '=';
	}
	buf_commit(buf, (size_t)(to - start));
}

static int digit_value(char digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	if (digit == '+')
		return 62;
	return digit == '/' ? 63 : -1;
}

static char *base64_decode(const char *text, size_t length, size_t *size)
{
	char *data = xmalloc(length / 4 * 3 + 4);
	uint32_t group = 0;
	unsigned int bits = 0;

	while (length && text[length - 1] == '=')
		length--;
	*size = 0;
	for (size_t i = 0; i < length; i++) {
		int value = digit_value(text[i]);

		if (value < 0) {
			free(data);
			return NULL;
		}
		group = group << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			data[(*size)++] = (char)(group >> bits);
			group &= (1U << bits) - 1;
		}
	}
	data[*size] = '\0';
	return data;
}

/* Writing ------------------------------------------------------------------------------------ */

static void append_name(struct buf *buf, const char *name)
{
	char last = buf->size ? buf->data[buf->size - 1] : '{';

	if (last != '{' && last != '[')
		buf_append_char(buf, ',');
	buf_printf(buf, "\"%s\":\"", name);
}

void etcd_append_bytes(struct buf *buf, const char *name, const char *data, size_t size)
{
	append_name(buf, name);
	etcd_base64_append(buf, data, size);
	buf_append_char(buf, '"');
}

void etcd_append_number(struct buf *buf, const char *name, uint64_t number)
{
	append_name(buf, name);
	buf_printf(buf, "%llu\"", (unsigned long long)number);
}

void etcd_append_key(const struct etcd_store *self, struct buf *buf, const char *name,
		     const char *key)
{
	struct buf wire = { 0 };

	buf_append(&wire, self->prefix, self->prefix_len);
	buf_append_text(&wire, key);
	etcd_append_bytes(buf, name, wire.data, wire.size);
	buf_fini(&wire);
}

/*
 * Every key starts with '/', so that the range of no prefix is that of "/". No key holds a byte
 * over '~', so that the last byte of a prefix can always be counted up.
 */
void etcd_append_range(const struct etcd_store *self, struct buf *buf, const char *prefix,
		       const char *from)
{
	struct buf wire = { 0 };

	if (from) {
		/* The first key behind @from is that with a zero byte added. */
		buf_append(&wire, self->prefix, self->prefix_len);
		buf_append(&wire, from, strlen(from) + 1);
		etcd_append_bytes(buf, "key", wire.data, wire.size);
	} else {
		etcd_append_key(self, buf, "key", prefix[0] ? prefix : "/");
	}
	buf_reset(&wire);
	buf_append(&wire, self->prefix, self->prefix_len);
	buf_append_text(&wire, prefix[0] ? prefix : "/");
	wire.data[wire.size - 1]++;
	etcd_append_bytes(buf, "range_end", wire.data, wire.size);
	buf_fini(&wire);
}

/* Reading ------------------------------------------------------------------------------------ */

uint64_t etcd_number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_integer(value))
		return (uint64_t)json_integer_value(value);
	if (json_is_string(value))
		return strtoull(json_string_value(value), NULL, 10);
	return 0;
}

uint64_t etcd_revision(const json_t *reply)
{
	return etcd_number(json_object_get(reply, "header"), "revision");
}

char *etcd_bytes(const json_t *object, const char *name, size_t *size)
{
	const json_t *value = json_object_get(object, name);

	if (!value) {
		*size = 0;
		return xstrdup("");
	}
	if (!json_is_string(value))
		return NULL;
	return base64_decode(json_string_value(value), json_string_length(value), size);
}

void etcd_item_free(struct store_item *item)
{
	free((char *)item->key);
	free((char *)item->value);
}

bool etcd_item(const struct etcd_store *self, const json_t *kv, struct store_item *item)
{
	size_t size;
	char *wire = etcd_bytes(kv, "key", &size);
	bool mine = wire && size > self->prefix_len && strlen(wire) == size &&
		    memcmp(wire, self->prefix, self->prefix_len) == 0 &&
		    strncmp(wire + self->prefix_len, ETCD_MARKER_PREFIX,
			    strlen(ETCD_MARKER_PREFIX)) != 0;

	*item = (struct store_item){ 0 };
	if (mine) {
		item->key = xstrdup(wire + self->prefix_len);
		item->value = etcd_bytes(kv, "value", &item->value_len);
		item->revision = etcd_number(kv, "mod_revision");
		item->lease = etcd_number(kv, "lease");
		mine = item->value;
	}
	free(wire);
	if (!mine)
		etcd_item_free(item);
	return mine;
}

/* Events ------------------------------------------------------------------------------------- */

/*
 * Behind the list that begins at @text[0], counting brackets outside of strings.
 * Return: its size; 0 if it does not end.
 */
static size_t list_size(const char *text, size_t size)
{
	bool quoted = false;
	size_t depth = 0;

	for (size_t i = 0; i < size; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '[' || text[i] == '{'))
			depth++;
		else if (!quoted && (text[i] == ']' || text[i] == '}') && --depth == 0)
			return i + 1;
	}
	return 0;
}

json_t *etcd_message(const char *line, size_t size, struct etcd_events *events)
{
	/* Within a string the quotation marks would have backslashes, and no other object has such a key. */
	static const char name[] = "\"events\":[";
	const char *found = memmem(line, size, name, sizeof(name) - 1);
	const char *list = found ? found + sizeof(name) - 2 : line + size;
	size_t left = (size_t)(line + size - list), length = list_size(list, left);
	struct buf rest = { 0 };
	json_t *message;

	*events = (struct etcd_events){ NULL, 0 };
	if (!length)
		return json_loadb(line, size, 0, NULL);
	*events = (struct etcd_events){ list + 1, length - 2 };
	buf_append(&rest, line, (size_t)(list - line));
	buf_append_text(&rest, "[]");
	buf_append(&rest, list + length, left - length);
	message = json_loadb(rest.data, rest.size, 0, NULL);
	buf_fini(&rest);
	return message;
}

bool etcd_next_event(struct etcd_events *events, json_t **event)
{
	json_error_t place;

	*event = NULL;
	while (events->size && strchr(", \t\r", events->text[0])) {
		events->text++;
		events->size--;
	}
	if (!events->size)
		return true;
	*event = json_loadb(events->text, events->size, JSON_DISABLE_EOF_CHECK, &place);
	if (!*event)
		return false;
	events->text += place.position;
	events->size -= (size_t)place.position;
	return true;
}

/* Errors ------------------------------------------------------------------------------------- */

struct verdict {
	const char *words;
	enum etcd_outcome outcome;
	int code;
	const char *sentence;
};

static const struct verdict verdicts[] = {
	{ "required revision has been compacted", ETCD_REFUSED, ESTALE,
	  "etcd has forgotten that revision: list again" },
	{ "required revision is a future revision", ETCD_AGAIN, EHOSTUNREACH,
	  "this member of etcd is behind the others" },
	{ "database space exceeded", ETCD_REFUSED, ENOSPC,
	  "etcd's quota is used up, so that it can be read but not written: compact and defragment "
	  "it, or raise --quota-backend-bytes, then run etcdctl alarm disarm" },
	{ "too many operations in txn", ETCD_REFUSED, E2BIG,
	  "too many changes at once for etcd: start its members with --max-txn-ops=65536" },
	{ "request is too large", ETCD_REFUSED, E2BIG,
	  "too much at once for etcd: start its members with --max-request-bytes=16777216" },
	{ "larger than max", ETCD_REFUSED, E2BIG,
	  "too much at once for etcd: start its members with --max-request-bytes=16777216" },
	{ "requested lease not found", ETCD_REFUSED, ENOENT, "the lease has expired" },
	{ "lease already exists", ETCD_REFUSED, EEXIST, "a lease with that number exists already" },
	{ "invalid auth token", ETCD_RENEW, EACCES, "etcd refuses the user's token" },
	{ "revision of auth store is old", ETCD_RENEW, EACCES, "etcd refuses the user's token" },
	{ "user name is empty", ETCD_REFUSED, EACCES, "etcd wants a user and a password" },
	{ "user name not found", ETCD_REFUSED, EACCES, "etcd does not know the user" },
	{ "authentication failed", ETCD_REFUSED, EACCES, "etcd refuses the user or the password" },
	{ "permission denied", ETCD_REFUSED, EACCES, "etcd does not let this user do that" },
	{ "authentication is not enabled", ETCD_REFUSED, ENOTSUP, "etcd has no users" },
	{ "too many requests", ETCD_AGAIN, EHOSTUNREACH,
	  "etcd has more requests than it can take" },
	{ "not capable", ETCD_AGAIN, EHOSTUNREACH, "etcd is being upgraded" },
	{ "no leader", ETCD_UNKNOWN, EHOSTUNREACH, "etcd has no quorum" },
	{ "leader changed", ETCD_UNKNOWN, EHOSTUNREACH, "etcd has just lost its leader" },
	{ "request timed out", ETCD_UNKNOWN, EHOSTUNREACH, "etcd has no quorum" },
};

enum etcd_outcome etcd_judge_message(const char *message, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		if (!strstr(message, verdicts[i].words))
			continue;
		error_set(error, verdicts[i].code, NULL, "%s", verdicts[i].sentence);
		return verdicts[i].outcome;
	}
	error_set(error, EHOSTUNREACH, NULL, "etcd says: %s", message);
	return ETCD_UNKNOWN;
}

/* {"error":"…","message":"…","code":N}, or {"error":{"message":"…"}} from a stream */
enum etcd_outcome etcd_judge(long status, const char *body, size_t size, struct error *error)
{
	json_t *reply = json_loadb(body, size, JSON_DISABLE_EOF_CHECK, NULL);
	const json_t *inner = json_object_get(reply, "error");
	const char *message = json_string_value(json_object_get(reply, "message"));
	enum etcd_outcome outcome;

	if (!message && json_is_object(inner))
		message = json_string_value(json_object_get(inner, "message"));
	if (!message)
		message = json_string_value(inner);
	if (message) {
		outcome = etcd_judge_message(message, error);
		/* 400: the fault is in what was asked, and asking another member does not help. */
		if (outcome == ETCD_UNKNOWN && status == 400) {
			error_set(error, EPROTO, NULL, "etcd refuses the request: %s", message);
			outcome = ETCD_REFUSED;
		}
	} else if (status == 404) {
		error_set(error, EPROTO, NULL,
			  "what answers is not etcd 3.4 or later with its JSON gateway");
		outcome = ETCD_NOT_SENT;
	} else {
		error_set(error, EHOSTUNREACH, NULL, "etcd answers with HTTP status %ld", status);
		outcome = ETCD_UNKNOWN;
	}
	json_decref(reply);
	return outcome;
}
