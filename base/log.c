/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log lines on standard error; the contracts are in log.h.
 *
 * A line is put together in one buffer and written with one write(2), so that lines of several
 * processes on one terminal do not mix. Lines are cut at 2 KiB. A log that cannot be written
 * is no reason to stop: the result of that write is the one error nobody is told.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

#define LINE_SIZE 2048
#define LIMIT_BURST 10
#define LIMIT_INTERVAL_NS CLOCK_NS_PER_SECOND

static const struct {
	const char *name;
	int priority; /* as in syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },   [LOG_LEVEL_WARNING] = { "warning", 4 },
	[LOG_LEVEL_NOTICE] = { "notice", 5 }, [LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static enum log_level least_level = LOG_LEVEL_INFO;
static bool journal_listens;

struct line {
	char text[LINE_SIZE];
	size_t size;
};

void log_open(enum log_level level)
{
	const char *stream = getenv("JOURNAL_STREAM");

	least_level = level;
	journal_listens = stream && *stream;
}

int log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool log_enabled(enum log_level level)
{
	return level <= least_level;
}

/* One byte is always left for the newline. */
static void line_add(struct line *line, const char *bytes, size_t size)
{
	size_t room = sizeof(line->text) - 1 - line->size;

	if (size > room)
		size = room;
	memcpy(line->text + line->size, bytes, size);
	line->size += size;
}

static void line_add_escaped(struct line *line, const char *text, bool quoted)
{
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		char escape[5];

		if (byte == '\n') {
			line_add(line, "\\n", 2);
		} else if (byte < 0x20 || byte == 0x7f) {
			snprintf(escape, sizeof(escape), "\\x%02x", byte);
			line_add(line, escape, 4);
		} else if (quoted && (byte == '"' || byte == '\\')) {
			line_add(line, "\\", 1);
			line_add(line, text, 1);
		} else {
			line_add(line, text, 1);
		}
	}
}

/* @size: "", "l", "ll" or "z" in front of the conversion. */
static int64_t take_signed(const char *size, va_list *arguments)
{
	if (strncmp(size, "ll", 2) == 0)
		return va_arg(*arguments, long long);
	if (*size == 'l')
		return va_arg(*arguments, long);
	if (*size == 'z')
		return va_arg(*arguments, ssize_t);
	return va_arg(*arguments, int);
}

static uint64_t take_unsigned(const char *size, va_list *arguments)
{
	if (strncmp(size, "ll", 2) == 0)
		return va_arg(*arguments, unsigned long long);
	if (*size == 'l')
		return va_arg(*arguments, unsigned long);
	if (*size == 'z')
		return va_arg(*arguments, size_t);
	return va_arg(*arguments, unsigned int);
}

/*
 * printf's work, done here for one reason: what was put between quotes cannot be told from what the
 * format has around it once it is printed. At another conversion the line ends with the format as it is.
 */
static void add_fields(struct line *line, const char *format, va_list *arguments, int error_number)
{
	bool quoted = false;

	for (; *format; format++) {
		const char *size = format + 1, *text = NULL;
		const char *conversion = size + strspn(size, "lz");
		char number[24];

		if (*format != '%') {
			quoted ^= *format == '"';
			line_add(line, format, 1);
			continue;
		}
		switch (*conversion) {
		case 's': text = va_arg(*arguments, const char *); break;
		case 'm': text = strerror(error_number); break;
		case '%': text = "%"; break;
		case 'd':
			snprintf(number, sizeof(number), "%" PRId64, take_signed(size, arguments));
			text = number;
			break;
		case 'u':
			snprintf(number, sizeof(number), "%" PRIu64,
				 take_unsigned(size, arguments));
			text = number;
			break;
		default: line_add(line, format, strlen(format)); return;
		}
		line_add_escaped(line, text ? text : "(null)", quoted);
		format = conversion;
	}
}

static void __attribute__((format(printf, 3, 0)))
write_line(enum log_level level, const char *event, const char *format, va_list arguments,
	   uint64_t suppressed)
{
	struct line line = { .size = 0 };
	char part[64];
	ssize_t written;
	int saved = errno; /* the fields may use %m */
	va_list fields;

	if (journal_listens) {
		snprintf(part, sizeof(part), "<%d>", levels[level].priority);
		line_add(&line, part, strlen(part));
	}
	snprintf(part, sizeof(part), "level=%s msg=\"", levels[level].name);
	line_add(&line, part, strlen(part));
	line_add_escaped(&line, event, true);
	line_add(&line, "\"", 1);

	va_copy(fields, arguments);
	if (format[0] && format[1]) /* more than the space in front */
		add_fields(&line, format, &fields, saved);
	va_end(fields);
	if (suppressed) {
		snprintf(part, sizeof(part), " suppressed=%" PRIu64, suppressed);
		line_add(&line, part, strlen(part));
	}
	line.text[line.size++] = '\n';
	written = write(STDERR_FILENO, line.text, line.size);
	(void)written;
	errno = saved;
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
	va_list arguments;

	if (!log_enabled(level))
		return;
	va_start(arguments, format);
	write_line(level, event, format, arguments, 0);
	va_end(arguments);
}

/*
 * The bucket is kept as the time at which it will be full: each line moves that one interval
 * on, and a line that would move it more than a burst ahead of now has to wait.
 */
bool log_limit_take(struct log_limit *limit, uint64_t now)
{
	uint64_t full_at = limit->full_at > now ? limit->full_at : now;

	if (full_at + LIMIT_INTERVAL_NS > now + LIMIT_BURST * LIMIT_INTERVAL_NS) {
		limit->suppressed++;
		return false;
	}
	limit->full_at = full_at + LIMIT_INTERVAL_NS;
	return true;
}

void log_write_limited(struct log_limit *limit, enum log_level level, const char *event,
		       const char *format, ...)
{
	va_list arguments;
	int saved = errno;

	if (!log_enabled(level) || !log_limit_take(limit, clock_monotonic_ns(NULL)))
		return;
	errno = saved;
	va_start(arguments, format);
	write_line(level, event, format, arguments, limit->suppressed);
	va_end(arguments);
	limit->suppressed = 0;
}
