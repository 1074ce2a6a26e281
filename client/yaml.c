/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft.yaml into JSON: libyaml's events, one stack, no recursion.
 *
 * Each event either opens a map or a sequence (a frame is pushed), closes one, or is a scalar. In
 * a map, scalars are keys and values in turn; a frame that holds a key waits for its value. The
 * path of what is being read is kept as text and cut back with each value, and every value and
 * key leaves its line in the map of lines.
 *
 * Neighbours: yaml_emit.c (the way back).
 */
#include "client/yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"

/* However it is escaped, a key of this size stays below the 1024 that YAML allows in a line. */
#define YAML_KEY_SIZE_MAX 320
#define YAML_PATH_SIZE_MAX 4096

/* A map or a sequence that is open. */
struct frame {
	json_t *value;    /* borrowed from its parent, or the root */
	char *key;        /* of a map: read, its value not yet; else NULL */
	size_t path_size; /* of the path of the container itself */
};

struct reader {
	yaml_parser_t parser;
	struct yaml_document *document;
	struct error *error;
	struct frame frames[YAML_DEPTH_MAX];
	size_t depth;
	struct buf path;
	size_t *line;
	bool complete; /* the document's root was read to its end */
};

static int refuse(struct reader *reader, const yaml_mark_t *mark, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int refuse(struct reader *reader, const yaml_mark_t *mark, int code, const char *format, ...)
{
	va_list arguments;

	*reader->line = mark ? mark->line + 1 : 0;
	va_start(arguments, format);
	code = error_vset(reader->error, code, NULL, format, arguments);
	va_end(arguments);
	return code;
}

/* Numbers ---------------------------------------------------------------------------------- */

static bool all_of(const char *text, const char *set)
{
	return *text && text[strspn(text, set)] == '\0';
}

/* [-+]?[0-9]+, 0o[0-7]+, 0x[0-9a-fA-F]+ of the core schema. */
static bool is_integer(const char *text, int *base, const char **digits)
{
	*base = 10;
	*digits = text;
	if (text[0] == '0' && (text[1] == 'o' || text[1] == 'x')) {
		*base = text[1] == 'o' ? 8 : 16;
		*digits = text + 2;
		return all_of(*digits, *base == 8 ? "01234567" : "0123456789abcdefABCDEF");
	}
	return all_of(text + (*text == '-' || *text == '+'), "0123456789");
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_real(const char *text)
{
	static const char digits[] = "0123456789";
	size_t before, after = 0;

	text += *text == '-' || *text == '+';
	before = strspn(text, digits);
	text += before;
	if (*text == '.') {
		after = strspn(++text, digits);
		text += after;
	}
	if (before + after == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		return all_of(text, digits);
	}
	return *text == '\0';
}

static bool is_infinite(const char *text)
{
	static const char *const words[] = { ".inf", ".Inf", ".INF" };

	if (!strcmp(text, ".nan") || !strcmp(text, ".NaN") || !strcmp(text, ".NAN"))
		return true;
	text += *text == '-' || *text == '+';
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(text, words[i]))
			return true;
	return false;
}

/* A plain scalar's value by the core schema; a new reference in *@value. */
static int resolve_plain(struct reader *reader, const yaml_event_t *event, const char *text,
			 json_t **value)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	static const char *const trues[] = { "true", "True", "TRUE" };
	static const char *const falses[] = { "false", "False", "FALSE" };
	const char *digits;
	int base;

	for (size_t i = 0; i < ARRAY_SIZE(nulls); i++) {
		if (!strcmp(text, nulls[i])) {
			*value = json_null();
			return 0;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(trues); i++) {
		if (!strcmp(text, trues[i]) || !strcmp(text, falses[i])) {
			*value = json_boolean(!strcmp(text, trues[i]));
			return 0;
		}
	}
	if (is_infinite(text))
		return refuse(reader, &event->start_mark, EINVAL, "%s is not a number here", text);
	if (is_integer(text, &base, &digits)) {
		errno = 0;
		*value = json_integer(strtoll(digits, NULL, base));
		if (errno) {
			json_decref(*value);
			return refuse(reader, &event->start_mark, ERANGE,
				      "the number %.40s is too large", text);
		}
		return 0;
	}
	if (is_real(text)) {
		*value = json_real(strtod(text, NULL));
		return *value ? 0
			      : refuse(reader, &event->start_mark, ERANGE,
				       "the number %.40s is too large", text);
	}
	*value = json_string(text);
	return *value ? 0 : refuse(reader, &event->start_mark, EINVAL, "not valid UTF-8");
}

/* The tree ---------------------------------------------------------------------------------- */

/* The step of the path that the next value of @frame has; empty at the root. */
static void push_step(struct reader *reader, const struct frame *frame)
{
	if (!frame)
		return;
	if (reader->path.size > 0)
		buf_append_char(&reader->path, '.');
	if (frame->key)
		buf_append_text(&reader->path, frame->key);
	else
		buf_printf(&reader->path, "%zu", json_array_size(frame->value));
}

static void cut_path(struct reader *reader, size_t size)
{
	size_t kept = size < reader->path.size ? size : reader->path.size;
	char *text = xstrndup(buf_text(&reader->path), kept);

	buf_reset(&reader->path);
	buf_append_text(&reader->path, text);
	free(text);
}

static void record_line(struct reader *reader, size_t line)
{
	/* The number itself is the value; it is never 0, so that no entry looks absent. */
	if (reader->path.size > 0)
		map_put(&reader->document->lines, buf_text(&reader->path), reader->path.size,
			(void *)(uintptr_t)line);
}

static struct frame *top(struct reader *reader)
{
	return reader->depth > 0 ? &reader->frames[reader->depth - 1] : NULL;
}

/* Put @value (a reference that is taken over) where it belongs: a key, an element or the root. */
static void place(struct reader *reader, json_t *value)
{
	struct frame *frame = top(reader);

	if (!frame) {
		reader->document->tree = value;
		return;
	}
	if (frame->key) {
		json_object_set_new(frame->value, frame->key, value);
		free(frame->key);
		frame->key = NULL;
	} else {
		json_array_append_new(frame->value, value);
	}
}

static bool expects_key(const struct frame *frame)
{
	return frame && json_is_object(frame->value) && !frame->key;
}

static int read_key(struct reader *reader, const yaml_event_t *event, const char *text)
{
	struct frame *frame = top(reader);
	size_t size = reader->path.size;
	int code = 0;

	if (event->data.scalar.length > YAML_KEY_SIZE_MAX)
		return refuse(reader, &event->start_mark, EINVAL,
			      "a key of %zu bytes: more than %d are not accepted",
			      event->data.scalar.length, YAML_KEY_SIZE_MAX);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20)
			return refuse(reader, &event->start_mark, EINVAL,
				      "a key holds a control character");
	frame->key = xstrdup(text);
	push_step(reader, frame);
	if (json_object_get(frame->value, text)) {
		code = refuse(reader, &event->start_mark, EEXIST,
			      "the key \"%.300s\" is there twice (first on line %zu)",
			      buf_text(&reader->path),
			      yaml_line(reader->document, buf_text(&reader->path)));
	} else {
		record_line(reader, event->start_mark.line + 1);
		/* Known at once, so that a twin inside its own value's map is seen as one. */
		if (json_object_set_new(frame->value, text, json_null()) < 0)
			code = refuse(reader, &event->start_mark, EINVAL, "not valid UTF-8");
	}
	cut_path(reader, size);
	return code;
}

static int read_scalar(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t size = reader->path.size;
	json_t *value = NULL;
	int code = 0;

	if (strlen(text) != event->data.scalar.length)
		return refuse(reader, &event->start_mark, EINVAL, "a text holds a NUL character");
	if (expects_key(top(reader)))
		return read_key(reader, event, text);
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		code = resolve_plain(reader, event, text, &value);
	} else {
		value = json_string(text);
		if (!value)
			code = refuse(reader, &event->start_mark, EINVAL, "not valid UTF-8");
	}
	if (code < 0)
		return code;
	push_step(reader, top(reader));
	record_line(reader, event->start_mark.line + 1);
	cut_path(reader, size);
	place(reader, value);
	return 0;
}

static int open_container(struct reader *reader, const yaml_event_t *event, json_t *value)
{
	struct frame *parent = top(reader);
	size_t path_size = reader->path.size;

	if (expects_key(parent)) {
		json_decref(value);
		return refuse(reader, &event->start_mark, EINVAL, "a key must be a text");
	}
	if (reader->depth == YAML_DEPTH_MAX || path_size > YAML_PATH_SIZE_MAX) {
		json_decref(value);
		return refuse(reader, &event->start_mark, EINVAL, "nested deeper than %d levels",
			      YAML_DEPTH_MAX);
	}
	push_step(reader, parent);
	/* A block begins on the line after its key; the key's line is the better one. */
	if (!parent || !parent->key)
		record_line(reader, event->start_mark.line + 1);
	place(reader, value);
	reader->frames[reader->depth] = (struct frame){ .value = value, .path_size = path_size };
	reader->depth++;
	return 0;
}

static void close_container(struct reader *reader)
{
	reader->depth--;
	cut_path(reader, reader->frames[reader->depth].path_size);
}

/* Anchors and tags may stand at any node. */
static int check_decoration(struct reader *reader, const yaml_event_t *event,
			    const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		return refuse(reader, &event->start_mark, EINVAL,
			      "anchors (&%s) are not accepted: write it out", anchor);
	if (tag)
		return refuse(reader, &event->start_mark, EINVAL,
			      "tags (%s) are not accepted: put text into quotes instead", tag);
	return 0;
}

static int read_event(struct reader *reader, const yaml_event_t *event)
{
	int code;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return refuse(reader, &event->start_mark, EINVAL,
			      "aliases (*%s) are not accepted: write it out",
			      event->data.alias.anchor);
	case YAML_SCALAR_EVENT:
		code = check_decoration(reader, event, event->data.scalar.anchor,
					event->data.scalar.tag);
		return code ? code : read_scalar(reader, event);
	case YAML_MAPPING_START_EVENT:
		code = check_decoration(reader, event, event->data.mapping_start.anchor,
					event->data.mapping_start.tag);
		return code ? code : open_container(reader, event, json_object());
	case YAML_SEQUENCE_START_EVENT:
		code = check_decoration(reader, event, event->data.sequence_start.anchor,
					event->data.sequence_start.tag);
		return code ? code : open_container(reader, event, json_array());
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT: close_container(reader); return 0;
	case YAML_DOCUMENT_START_EVENT:
		if (reader->complete)
			return refuse(reader, &event->start_mark, EINVAL,
				      "a second document: one file holds one");
		return 0;
	case YAML_DOCUMENT_END_EVENT: reader->complete = true; return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	default: return 0;
	}
}

/* What libyaml stumbled over, in one line. */
static int refuse_syntax(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;

	if (parser->error == YAML_MEMORY_ERROR)
		return refuse(reader, NULL, ENOMEM, "out of memory");
	if (parser->error == YAML_READER_ERROR) /* has no mark, only an offset */
		return refuse(reader, &parser->mark, EINVAL, "%s (at byte %zu)", parser->problem,
			      parser->problem_offset);
	if (parser->context && parser->context_mark.line != parser->problem_mark.line)
		return refuse(reader, &parser->problem_mark, EINVAL,
			      "%s (%s that begins on line %zu)", parser->problem, parser->context,
			      parser->context_mark.line + 1);
	/* Nearly always a tab, which YAML does not take for indentation and editors do not show. */
	if (parser->problem && strstr(parser->problem, "cannot start any token"))
		return refuse(
			reader, &parser->problem_mark, EINVAL,
			"indent by spaces, not by tabs, and put a text that begins with @, %% or ` "
			"into quotes (%s)",
			parser->problem);
	return refuse(reader, &parser->problem_mark, EINVAL, "%s",
		      parser->problem ? parser->problem : "not YAML");
}

int yaml_load(const char *text, size_t size, struct yaml_document *document, size_t *line,
	      struct error *error)
{
	struct reader reader = { .document = document, .error = error, .line = line };
	bool ended = false;
	yaml_event_t event;
	int code = 0;

	memset(document, 0, sizeof(*document));
	*line = 0;
	if (size > YAML_SIZE_MAX)
		return refuse(&reader, NULL, EFBIG, "larger than %zu MiB", YAML_SIZE_MAX >> 20);
	if (!yaml_parser_initialize(&reader.parser))
		return refuse(&reader, NULL, ENOMEM, "out of memory");
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
	while (code == 0 && !ended) {
		if (!yaml_parser_parse(&reader.parser, &event)) {
			code = refuse_syntax(&reader);
			break;
		}
		ended = event.type == YAML_STREAM_END_EVENT;
		code = read_event(&reader, &event);
		yaml_event_delete(&event);
	}
	if (code == 0 && !document->tree)
		code = refuse(&reader, NULL, EINVAL, "there is nothing in it");
	for (size_t i = 0; i < reader.depth; i++)
		free(reader.frames[i].key);
	yaml_parser_delete(&reader.parser);
	buf_fini(&reader.path);
	if (code < 0)
		yaml_unload(document);
	return code;
}

void yaml_unload(struct yaml_document *document)
{
	json_decref(document->tree);
	document->tree = NULL;
	map_fini(&document->lines, NULL);
}

size_t yaml_line(const struct yaml_document *document, const char *path)
{
	char *steps = xcalloc(1, strlen(path) + 1), *end = steps;
	uintptr_t line = 0;

	/* "routes[2].via" is looked up as "routes.2.via". */
	for (; *path; path++) {
		if (*path == '[' && end > steps)
			*end++ = '.';
		else if (*path != '[' && *path != ']')
			*end++ = *path;
	}
	while (end > steps && !line) {
		line = (uintptr_t)map_get(&document->lines, steps, (size_t)(end - steps));
		while (end > steps && *--end != '.')
			;
	}
	free(steps);
	return line;
}
