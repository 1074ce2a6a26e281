/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON as weft.yaml, the way a person would write it.
 *
 * The upper levels are blocks, a line for each key; below them, what fits into a line is written
 * on one: `web1: {subnet: web, address: 10.0.1.11}`. Keys keep their order. A text is written
 * plain where it is read back as the same text, and between double quotes otherwise.
 *
 * Neighbours: yaml.c, which must read all of this back.
 */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "client/yaml.h"

/* Words that the core schema, or YAML 1.1 of older readers, does not take as text. */
static bool is_reserved(const char *text)
{
	static const char *const words[] = {
		"~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", ".nan",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

/*
 * Whether a reader might take the text for a number. Two dots or a slash make an address or a
 * prefix; with colons it is one only to YAML 1.1 (190:20:30), and not with a leading zero, as most
 * MACs have.
 */
static bool looks_like_number(const char *text)
{
	const char *dot = strchr(text, '.');

	if (!strchr("0123456789+-.", *text) || (dot && strchr(dot + 1, '.')))
		return false;
	if (strchr(text, ':'))
		return *text != '0' && text[strspn(text, "0123456789+-:.")] == '\0';
	return text[strspn(text, "0123456789+-.eExXoOabcdfABCDF_")] == '\0';
}

static bool is_plain(const char *text)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-+";
	size_t length = strlen(text);

	if (length == 0 || text[strspn(text, letters)] != '\0')
		return false;
	if (strchr("-:", text[0]) || text[length - 1] == ':')
		return false;
	return !is_reserved(text) && !looks_like_number(text);
}

/* The next character of valid UTF-8; *@size is how many bytes it has. */
static unsigned int decode(const unsigned char *text, size_t *size)
{
	unsigned int character = text[0];

	if (character < 0x80) {
		*size = 1;
		return character;
	}
	*size = character < 0xe0 ? 2 : character < 0xf0 ? 3 : 4;
	character &= 0x7fU >> *size;
	for (size_t i = 1; i < *size; i++)
		character = character << 6 | (text[i] & 0x3f);
	return character;
}

/* What YAML does not let stand as it is, or takes for the end of a line. */
static bool needs_escape(unsigned int character)
{
	return character < 0x20 || (character >= 0x7f && character <= 0xa0) ||
	       character == 0x2028 || character == 0x2029 || character == 0xfeff ||
	       character == 0xfffe || character == 0xffff;
}

static void emit_text(struct buf *out, const char *text)
{
	unsigned int character;
	size_t size;

	if (is_plain(text)) {
		buf_append_text(out, text);
		return;
	}
	buf_append_char(out, '"');
	for (; *text; text += size) {
		character = decode((const unsigned char *)text, &size);
		if (character == '"' || character == '\\')
			buf_printf(out, "\\%c", (int)character);
		else if (character == '\n')
			buf_append_text(out, "\\n");
		else if (needs_escape(character))
			buf_printf(out, "\\u%04X", character);
		else
			buf_append(out, text, size);
	}
	buf_append_char(out, '"');
}

static void emit_flow(struct buf *out, const json_t *value);

static void emit_flow_map(struct buf *out, const json_t *value)
{
	const char *key, *between = "";
	json_t *member;

	buf_append_char(out, '{');
	/* jansson's walk wants a map it might change; this one does not. */
	json_object_foreach((json_t *)value, key, member) {
		buf_append_text(out, between);
		emit_text(out, key);
		buf_append_text(out, ": ");
		emit_flow(out, member);
		between = ", ";
	}
	buf_append_char(out, '}');
}

static void emit_flow(struct buf *out, const json_t *value)
{
	char *number;

	switch (json_typeof(value)) {
	case JSON_OBJECT: emit_flow_map(out, value); return;
	case JSON_ARRAY:
		buf_append_char(out, '[');
		for (size_t i = 0; i < json_array_size(value); i++) {
			buf_append_text(out, i ? ", " : "");
			emit_flow(out, json_array_get(value, i));
		}
		buf_append_char(out, ']');
		return;
	case JSON_STRING: emit_text(out, json_string_value(value)); return;
	case JSON_INTEGER:
	case JSON_REAL:
		number = json_dumps(value, JSON_ENCODE_ANY);
		buf_append_text(out, number);
		free(number);
		return;
	case JSON_TRUE:
	case JSON_FALSE: buf_append_text(out, json_is_true(value) ? "true" : "false"); return;
	case JSON_NULL:
	default: buf_append_text(out, "null"); return;
	}
}

static bool is_empty(const json_t *value)
{
	return (json_is_object(value) && json_object_size(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0);
}

/* Levels of maps and lists in @value that hold something; a scalar has none. */
static int height(const json_t *value)
{
	const char *key;
	json_t *member;
	int highest = 0, below;

	if (is_empty(value))
		return 0;
	if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++) {
			below = height(json_array_get(value, i));
			highest = below > highest ? below : highest;
		}
		return highest + 1;
	}
	if (!json_is_object(value))
		return 0;
	json_object_foreach((json_t *)value, key, member) {
		below = height(member);
		highest = below > highest ? below : highest;
	}
	return highest + 1;
}

/*
 * Write @value on the rest of the line if that is how it should stand. @column: where the rest
 * begins. Lists of maps always are blocks: rules and routes are read one to a line.
 */
static bool emit_inline(struct buf *out, const json_t *value, int block_levels, size_t column)
{
	struct buf line = { 0 };
	bool fits;

	if (!is_empty(value)) {
		if (json_is_object(value) && (block_levels > 0 || height(value) > 2))
			return false;
		if (json_is_array(value) && height(value) > 1)
			return false;
	}
	emit_flow(&line, value);
	fits = column + line.size <= YAML_WIDTH || is_empty(value) || height(value) == 0;
	if (fits)
		buf_append(out, line.data, line.size);
	buf_fini(&line);
	return fits;
}

static void emit_indent(struct buf *out, int indent)
{
	buf_printf(out, "%*s", indent, "");
}

/* The entries of a map or list as lines; with @continued the first one's indent is there. */
static void emit_block(struct buf *out, const json_t *value, int block_levels, int indent,
		       bool continued)
{
	size_t begin, index;
	const char *key;
	json_t *member;

	if (json_is_array(value)) {
		json_array_foreach(value, index, member) {
			if (!continued)
				emit_indent(out, indent);
			continued = false;
			buf_append_text(out, "- ");
			if (emit_inline(out, member, 0, (size_t)indent + 2))
				buf_append_char(out, '\n');
			else
				emit_block(out, member, 0, indent + 2, true);
		}
		return;
	}
	json_object_foreach((json_t *)value, key, member) {
		begin = out->size;
		if (!continued)
			emit_indent(out, indent);
		else
			begin -= (size_t)indent;
		continued = false;
		emit_text(out, key);
		buf_append_char(out, ':');
		buf_append_char(out, ' ');
		if (emit_inline(out, member, block_levels - 1, out->size - begin)) {
			buf_append_char(out, '\n');
			continue;
		}
		out->data[out->size - 1] = '\n';
		emit_block(out, member, block_levels - 1, indent + 2, false);
	}
}

void yaml_emit(struct buf *out, const json_t *value, int block_levels)
{
	if (emit_inline(out, value, block_levels, 0))
		buf_append_char(out, '\n');
	else
		emit_block(out, value, block_levels, 0, false);
}
