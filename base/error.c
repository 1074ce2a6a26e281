/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One sentence about what went wrong; the contracts are in error.h.
 *
 * Texts are formatted into a second buffer first, since a sentence may wrap the one it replaces.
 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int negative(int code)
{
	if (!code)
		return -EINVAL;
	return code < 0 ? code : -code;
}

/* The length of the UTF-8 character at @text; 0 if it is cut or none at all. */
static size_t character_length(const unsigned char *text)
{
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

	if ((text[0] >= 0x80 && text[0] < 0xc2) || text[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

/*
 * Sentences quote what somebody sent, cut to some length: half a character would make them no
 * text at all for JSON, and control characters would act on a terminal. Both become "?".
 */
static void make_printable(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c;) {
		size_t length = character_length(c);

		if (length == 0 || *c < 0x20 || *c == 0x7f) {
			*c = '?';
			length = 1;
		}
		c += length;
	}
}

int error_vset(struct error *error, int code, const char *path, const char *format,
	       va_list arguments)
{
	struct error fresh = { .code = negative(code) };

	if (!error)
		return fresh.code;
	vsnprintf(fresh.text, sizeof(fresh.text), format, arguments);
	snprintf(fresh.path, sizeof(fresh.path), "%s", path ? path : "");
	make_printable(fresh.text);
	make_printable(fresh.path);
	*error = fresh;
	return error->code;
}

int error_set(struct error *error, int code, const char *path, const char *format, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = error_vset(error, code, path, format, arguments);
	va_end(arguments);
	return result;
}

int error_prefix(struct error *error, const char *format, ...)
{
	char text[2 * sizeof(error->text) + 2]; /* room for both; cut at the end */
	va_list arguments;
	size_t used;

	if (!error || !error->code)
		return 0;
	va_start(arguments, format);
	vsnprintf(text, sizeof(error->text), format, arguments);
	va_end(arguments);
	used = strlen(text);
	snprintf(text + used, sizeof(text) - used, ": %s", error->text);
	memcpy(error->text, text, sizeof(error->text) - 1);
	make_printable(error->text);
	return error->code;
}

const char *error_name(const char *name, char shown[ERROR_NAME_SIZE])
{
	static const char more[] = "…";
	size_t length = strlen(name);

	if (length < ERROR_NAME_SIZE) {
		memcpy(shown, name, length + 1);
	} else {
		/* Not in the middle of a character. */
		length = ERROR_NAME_SIZE - sizeof(more);
		while (length && ((unsigned char)name[length] & 0xc0) == 0x80)
			length--;
		snprintf(shown, ERROR_NAME_SIZE, "%.*s%s", (int)length, name, more);
	}
	make_printable(shown);
	return shown;
}

void error_clear(struct error *error)
{
	if (error)
		*error = (struct error){ 0 };
}

bool error_is_shortage(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOMEM || code == -ENOBUFS;
}
