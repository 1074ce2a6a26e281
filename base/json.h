/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON input that is refused with a path.
 *
 * A struct json_reader reads one object key by key. The first thing that is wrong is recorded
 * with its path ("vpcs.blue.ports.web1.mtu") and everything after it does nothing, so that a
 * reader is a list of calls and one check at the end: json_reader_finish(), which also refuses
 * keys nobody asked for ("did you mean"). Values are jansson's; nothing read here is owned by
 * the caller but what json_load_text() returns.
 */
#ifndef WEFT_BASE_JSON_H
#define WEFT_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define JSON_READER_KEYS_MAX 48

enum json_presence {
	JSON_OPTIONAL, /* absent or null: the result keeps what it had */
	JSON_REQUIRED,
};

/**
 * struct json_reader - one object being read; private, kept on the caller's stack
 */
struct json_reader {
	json_t *object;
	struct error *error;
	int code;
	const char *missing; /* the required key that was not there: why code is set */
	size_t known_count;
	const char *known[JSON_READER_KEYS_MAX];
	char path[512];
};

/**
 * json_load_text - parse a document
 * @text: not terminated
 * @size: bytes of @text
 * @size_max: most bytes accepted
 * @document: set on success; owned by the caller (json_decref())
 *
 * Duplicate keys, NUL in strings, nesting over 128 levels (the library's limit is 2048) and
 * anything behind the document are refused.
 *
 * Return: 0, -EFBIG, or -EINVAL with line and column in the sentence; a duplicate key also has
 * its path.
 */
int json_load_text(const char *text, size_t size, size_t size_max, json_t **document,
		   struct error *error);

/**
 * json_reader_init - read @value, which must be an object
 * @value: borrowed until the reader is finished
 * @path: where it stands in the document, "" at the top
 */
void json_reader_init(struct json_reader *reader, json_t *value, const char *path,
		      struct error *error);

/* Each of the following returns true if the key is there and right, and then sets the result. */

/** json_reader_text - a string of at most @length_max bytes; borrowed from the document */
bool json_reader_text(struct json_reader *reader, const char *key, enum json_presence presence,
		      size_t length_max, const char **value);

/** json_reader_bool - true or false */
bool json_reader_bool(struct json_reader *reader, const char *key, enum json_presence presence,
		      bool *value);

/** json_reader_integer - a whole number from @minimum to @maximum */
bool json_reader_integer(struct json_reader *reader, const char *key, enum json_presence presence,
			 int64_t minimum, int64_t maximum, int64_t *value);

/** json_reader_array - an array of at most @count_max elements; borrowed */
bool json_reader_array(struct json_reader *reader, const char *key, enum json_presence presence,
		       size_t count_max, json_t **value);

/** json_reader_object - a reader for the object under @key; finish it like its parent */
bool json_reader_object(struct json_reader *reader, const char *key, enum json_presence presence,
			struct json_reader *child);

/** json_reader_value - whatever is there, type unseen; borrowed */
bool json_reader_value(struct json_reader *reader, const char *key, enum json_presence presence,
		       json_t **value);

/** json_reader_names - an object whose keys are free (names); borrowed; for json_object_foreach */
bool json_reader_names(struct json_reader *reader, const char *key, enum json_presence presence,
		       json_t **value);

/** json_reader_element - a reader for element @index of the array under @key */
void json_reader_element(struct json_reader *parent, const char *key, size_t index, json_t *value,
			 struct json_reader *child);

/** json_reader_member - a reader for the object called @name below the names under @key */
void json_reader_member(struct json_reader *parent, const char *key, const char *name,
			json_t *value, struct json_reader *child);

/**
 * json_reader_fail - refuse what stands under @key for a reason of the caller's
 * @key: NULL for the object itself
 *
 * Return: the negative errno recorded (that of an earlier failure, if there was one).
 */
int json_reader_fail(struct json_reader *reader, const char *key, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * json_reader_missing - refuse that @key is not there, as if it had been asked for as required
 * @what: what it has to be, for the sentence; NULL: nothing is said of that
 */
void json_reader_missing(struct json_reader *reader, const char *key, const char *what);

/** json_reader_failed - whether something was wrong already */
bool json_reader_failed(const struct json_reader *reader);

/**
 * json_reader_finish - refuse keys nobody asked for, and say how it went
 *
 * Where a required key is missing and one that nobody asked for is spelled nearly like it, that is
 * what the failure speaks of; so readers ask for all their keys, whatever was wrong with the first.
 *
 * Return: 0, or the negative errno of the first failure.
 */
int json_reader_finish(struct json_reader *reader);

/** json_type_name - "an object", "a string", … for sentences */
const char *json_type_name(const json_t *value);

#endif
