/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON input that is refused with a path; the contracts are in json.h.
 *
 * jansson parses; this file adds what its users must not forget: limits before and after
 * parsing, a path in every refusal, and a list of the keys that were asked for, so that what is
 * left over can be named. Paths are cut, never overflown: they are for people.
 */
#include "base/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/suggest.h"

#define DEPTH_MAX 128

/*
 * Nesting is checked on the text, before anything is built: jansson's own limit of 2048 levels
 * costs stack. Brackets inside strings do not count.
 */
static bool nests_too_deep(const char *text, size_t size)
{
	unsigned int depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if ((c == ']' || c == '}') && depth) {
			depth--;
		}
	}
	return false;
}

/* One bracket that is open at a place of the text. */
struct json_level {
	const char *key; /* of an object, the last one; not terminated, as it is written */
	size_t key_len;
	size_t index; /* of an array */
	bool is_object;
	bool is_value; /* behind a colon */
};

static void append_level(struct buf *path, const struct json_level *level)
{
	if (!level->is_object) {
		buf_printf(path, "[%zu]", level->index);
	} else if (level->key) {
		buf_append_text(path, path->size ? "." : "");
		buf_append(path, level->key, level->key_len);
	}
}

/*
 * Where the first @size bytes of a text end: "vpcs.blue.cidrs[0]". They are well formed as far as
 * they go, and nest no deeper than DEPTH_MAX.
 */
static void append_path(struct buf *path, const char *text, size_t size)
{
	struct json_level levels[DEPTH_MAX + 1] = { 0 }, *top = levels;

	for (size_t i = 0; i < size; i++) {
		size_t start = i + 1;

		switch (text[i]) {
		case '"':
			for (i++; i < size && text[i] != '"'; i++)
				i += text[i] == '\\';
			if (top->is_object && !top->is_value && i < size) {
				top->key = text + start;
				top->key_len = i - start;
			}
			break;
		case '{':
		case '[':
			if (top < levels + DEPTH_MAX)
				*++top = (struct json_level){ .is_object = text[i] == '{' };
			break;
		case '}':
		case ']': top -= top > levels; break;
		case ',':
			top->index++;
			top->is_value = false;
			break;
		case ':': top->is_value = true; break;
		default: break;
		}
	}
	for (const struct json_level *level = levels + 1; level <= top; level++)
		append_level(path, level);
}

int json_load_text(const char *text, size_t size, size_t size_max, json_t **document,
		   struct error *error)
{
	struct buf path = { 0 };
	json_error_t problem;
	json_t *result;
	int code;

	if (size > size_max)
		return error_set(error, EFBIG, NULL, "the document is larger than %zu bytes",
				 size_max);
	if (nests_too_deep(text, size))
		return error_set(error, EINVAL, NULL, "the document nests deeper than %d levels",
				 DEPTH_MAX);
	result = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
	if (result) {
		*document = result;
		return 0;
	}
	if (json_error_code(&problem) == json_error_duplicate_key && problem.position > 0)
		append_path(&path, text,
			    (size_t)problem.position < size ? (size_t)problem.position : size);
	code = error_set(error, EINVAL, buf_text(&path), "not valid JSON: line %d column %d: %s",
			 problem.line, problem.column, problem.text);
	buf_fini(&path);
	return code;
}

const char *json_type_name(const json_t *value)
{
	if (!value)
		return "nothing";
	switch (json_typeof(value)) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "an array";
	case JSON_STRING: return "a string";
	case JSON_INTEGER: return "a whole number";
	case JSON_REAL: return "a number with a fraction";
	case JSON_TRUE:
	case JSON_FALSE: return "true or false";
	case JSON_NULL: return "null";
	}
	return "something else";
}

/* @path ends up as "base.key", "key" or "base"; cut if too long. */
static void join_path(char *path, size_t size, const char *base, const char *key)
{
	bool dot = base[0] && key;

	if (snprintf(path, size, "%s%s%s", base, dot ? "." : "", key ? key : "") < 0)
		path[0] = '\0';
}

int json_reader_fail(struct json_reader *reader, const char *key, int code, const char *format, ...)
{
	char path[sizeof(reader->path) + 128];
	va_list arguments;

	if (reader->code)
		return reader->code;
	join_path(path, sizeof(path), reader->path, key);
	va_start(arguments, format);
	reader->code = error_vset(reader->error, code, path, format, arguments);
	va_end(arguments);
	return reader->code;
}

void json_reader_missing(struct json_reader *reader, const char *key, const char *what)
{
	if (reader->code)
		return;
	json_reader_fail(reader, key, EINVAL, "is missing%s%s", what ? ": " : "", what ? what : "");
	reader->missing = key;
}

bool json_reader_failed(const struct json_reader *reader)
{
	return reader->code;
}

void json_reader_init(struct json_reader *reader, json_t *value, const char *path,
		      struct error *error)
{
	reader->object = value;
	reader->error = error;
	reader->code = 0;
	reader->missing = NULL;
	reader->known_count = 0;
	join_path(reader->path, sizeof(reader->path), path, NULL);
	if (!json_is_object(value))
		json_reader_fail(reader, NULL, EINVAL, "must be an object, not %s",
				 json_type_name(value));
}

static bool is_known(const struct json_reader *reader, const char *key)
{
	for (size_t i = 0; i < reader->known_count; i++)
		if (strcmp(reader->known[i], key) == 0)
			return true;
	return false;
}

/* The value under @key, and @key is known from now on. Return: NULL if there is none. */
static json_t *take(struct json_reader *reader, const char *key, enum json_presence presence)
{
	json_t *value;

	if (reader->known_count == JSON_READER_KEYS_MAX)
		abort(); /* a reader of more keys needs a larger table */
	reader->known[reader->known_count++] = key;
	if (reader->code)
		return NULL;
	value = json_object_get(reader->object, key);
	if (value && !json_is_null(value))
		return value;
	if (presence == JSON_REQUIRED)
		json_reader_missing(reader, key, NULL);
	return NULL;
}

static bool refuse_type(struct json_reader *reader, const char *key, const char *wanted,
			const json_t *value)
{
	json_reader_fail(reader, key, EINVAL, "must be %s, not %s", wanted, json_type_name(value));
	return false;
}

bool json_reader_text(struct json_reader *reader, const char *key, enum json_presence presence,
		      size_t length_max, const char **value)
{
	json_t *found = take(reader, key, presence);

	if (!found)
		return false;
	if (!json_is_string(found))
		return refuse_type(reader, key, "a string", found);
	if (json_string_length(found) > length_max) {
		json_reader_fail(reader, key, EINVAL, "is longer than %zu characters", length_max);
		return false;
	}
	*value = json_string_value(found);
	return true;
}

bool json_reader_bool(struct json_reader *reader, const char *key, enum json_presence presence,
		      bool *value)
{
	json_t *found = take(reader, key, presence);

	if (!found)
		return false;
	if (!json_is_boolean(found))
		return refuse_type(reader, key, "true or false", found);
	*value = json_is_true(found);
	return true;
}

bool json_reader_integer(struct json_reader *reader, const char *key, enum json_presence presence,
			 int64_t minimum, int64_t maximum, int64_t *value)
{
	json_t *found = take(reader, key, presence);

	if (!found)
		return false;
	if (!json_is_integer(found))
		return refuse_type(reader, key, "a whole number", found);
	if (json_integer_value(found) < minimum || json_integer_value(found) > maximum) {
		json_reader_fail(reader, key, EINVAL, "must be from %lld to %lld, not %lld",
				 (long long)minimum, (long long)maximum,
				 (long long)json_integer_value(found));
		return false;
	}
	*value = json_integer_value(found);
	return true;
}

bool json_reader_array(struct json_reader *reader, const char *key, enum json_presence presence,
		       size_t count_max, json_t **value)
{
	json_t *found = take(reader, key, presence);

	if (!found)
		return false;
	if (!json_is_array(found))
		return refuse_type(reader, key, "an array", found);
	if (json_array_size(found) > count_max) {
		json_reader_fail(reader, key, EINVAL, "has more than %zu elements", count_max);
		return false;
	}
	*value = found;
	return true;
}

bool json_reader_names(struct json_reader *reader, const char *key, enum json_presence presence,
		       json_t **value)
{
	json_t *found = take(reader, key, presence);

	if (!found)
		return false;
	if (!json_is_object(found))
		return refuse_type(reader, key, "an object", found);
	*value = found;
	return true;
}

bool json_reader_value(struct json_reader *reader, const char *key, enum json_presence presence,
		       json_t **value)
{
	json_t *found = take(reader, key, presence);

	if (!found)
		return false;
	*value = found;
	return true;
}

bool json_reader_object(struct json_reader *reader, const char *key, enum json_presence presence,
			struct json_reader *child)
{
	char path[sizeof(reader->path)];
	json_t *found;

	if (!json_reader_names(reader, key, presence, &found))
		return false;
	join_path(path, sizeof(path), reader->path, key);
	json_reader_init(child, found, path, reader->error);
	return true;
}

void json_reader_element(struct json_reader *parent, const char *key, size_t index, json_t *value,
			 struct json_reader *child)
{
	char path[sizeof(parent->path) + 160];
	size_t used;

	join_path(path, sizeof(path) - 32, parent->path, key);
	used = strlen(path);
	snprintf(path + used, sizeof(path) - used, "[%zu]", index);
	json_reader_init(child, value, path, parent->error);
}

void json_reader_member(struct json_reader *parent, const char *key, const char *name,
			json_t *value, struct json_reader *child)
{
	char above[sizeof(parent->path)];
	char path[sizeof(parent->path)];

	join_path(above, sizeof(above), parent->path, key);
	join_path(path, sizeof(path), above, name);
	json_reader_init(child, value, path, parent->error);
}

static void refuse_unknown(struct json_reader *reader, const char *key)
{
	struct suggestion suggestion;
	char hint[128];

	suggestion_init(&suggestion, key);
	for (size_t i = 0; i < reader->known_count; i++)
		suggestion_offer(&suggestion, reader->known[i]);
	json_reader_fail(reader, key, EINVAL, "unknown key%s",
			 suggestion_format(&suggestion, hint));
}

/*
 * Who wrote "cdir" is told of that word, and not that "cidr" is missing. Only now, for what looks
 * like it may be a key that is asked for later.
 */
static void refuse_misspelt(struct json_reader *reader)
{
	struct suggestion suggestion;
	const char *key, *written;
	json_t *value;

	suggestion_init(&suggestion, reader->missing);
	json_object_foreach(reader->object, key, value)
		if (!is_known(reader, key))
			suggestion_offer(&suggestion, key);
	written = suggestion_nearest(&suggestion);
	if (!written)
		return;
	reader->code = 0;
	json_reader_fail(reader, written, EINVAL, "unknown key (did you mean \"%s\"?)",
			 reader->missing);
}

int json_reader_finish(struct json_reader *reader)
{
	const char *key;
	json_t *value;

	if (reader->missing)
		refuse_misspelt(reader);
	reader->missing = NULL;
	if (reader->code)
		return reader->code;
	json_object_foreach(reader->object, key, value) {
		if (!is_known(reader, key)) {
			refuse_unknown(reader, key);
			break;
		}
	}
	return reader->code;
}
