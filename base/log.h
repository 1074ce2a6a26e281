/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log lines for people and for machines.
 *
 * One line on standard error per event: `level=info msg="port added" port=blue/web1 ms=2`.
 * Under systemd (JOURNAL_STREAM is set) the line starts with the journal's "<6>" priority.
 * The event is a constant phrase, what varies is in the fields. A field whose value may hold spaces
 * is written quoted by the caller: log_warning("store failed", "error=\"%s\"", error.text). Control
 * characters are escaped, and quotes and backslashes in what stands between quotes, so that no input
 * can forge a line or a field.
 */
#ifndef WEFT_BASE_LOG_H
#define WEFT_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/**
 * struct log_limit - a token bucket for one call site: a burst of 10 lines, then one a second
 * @full_at: monotonic nanoseconds at which the bucket is full again
 * @suppressed: lines left out since the last one written
 */
struct log_limit {
	uint64_t full_at;
	uint64_t suppressed;
};

/**
 * log_open - choose what is written, and look whether the journal listens
 * @level: the least important level that is written; before the call it is info
 */
void log_open(enum log_level level);

/**
 * log_level_parse - read a level's name: error, warning, notice, info, debug
 * @text: the name
 * @level: set on success
 *
 * Return: 0 or -EINVAL.
 */
int log_level_parse(const char *text, enum log_level *level);

/**
 * log_enabled - whether lines of @level are written, to skip costly preparation
 */
bool log_enabled(enum log_level level);

/**
 * log_write - write one line; use the macros below, whose format must be a literal
 * @level: importance
 * @event: what happened, a constant phrase
 * @format: a space, then the fields; of the conversions %s, %m, and %d, %u with l, ll, z
 */
void log_write(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * log_limit_take - take one token
 * @limit: the call site's bucket
 * @now: monotonic time in nanoseconds
 *
 * Return: true if the line may be written; otherwise it has been counted as suppressed.
 */
bool log_limit_take(struct log_limit *limit, uint64_t now);

/**
 * log_write_limited - as log_write(), at most as often as @limit allows
 *
 * A line that follows suppressed ones ends in " suppressed=N".
 */
void log_write_limited(struct log_limit *limit, enum log_level level, const char *event,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* log_info("port added", "port=%s", name); the fields may be left out. */
#define log_error(event, ...) log_write(LOG_LEVEL_ERROR, event, " " __VA_ARGS__)
#define log_warning(event, ...) log_write(LOG_LEVEL_WARNING, event, " " __VA_ARGS__)
#define log_notice(event, ...) log_write(LOG_LEVEL_NOTICE, event, " " __VA_ARGS__)
#define log_info(event, ...) log_write(LOG_LEVEL_INFO, event, " " __VA_ARGS__)
#define log_debug(event, ...) log_write(LOG_LEVEL_DEBUG, event, " " __VA_ARGS__)

/* The same with a token bucket per call site: log_limited(LOG_LEVEL_WARNING, "…", "…", …). */
#define log_limited(level, event, ...)                                                             \
	do {                                                                                       \
		static struct log_limit log_limit_here;                                            \
		log_write_limited(&log_limit_here, level, event, " " __VA_ARGS__);                 \
	} while (0)

#endif
