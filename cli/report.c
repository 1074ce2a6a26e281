/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said to the user, and the exit status that goes with it.
 *
 * One line for what went wrong, always on stderr and always beginning with "weft: ". A refusal of
 * the daemon names a path of the tree; the command knows what it was about, so that only the key
 * below it is of interest: "weft: port blue/web1: mtu: must be …".
 *
 * Neighbours: every command.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cli/command.h"
#include "client/client.h"

struct client *invocation_client(struct invocation *invocation)
{
	if (!invocation->client)
		invocation->client = client_open(invocation->socket);
	return invocation->client;
}

/* Ends the line. A name is the user's own: with control characters in it, it is still one line. */
static void put_line(FILE *file, struct buf *line)
{
	fputs("weft: ", file);
	for (const char *c = buf_text(line); *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte == '\n')
			fputs("\\n", file);
		else if (byte < 0x20 || byte == 0x7f)
			fprintf(file, "\\x%02x", byte);
		else
			fputc(byte, file);
	}
	fputc('\n', file);
	buf_fini(line);
}

int report_usage(struct invocation *invocation, const char *format, ...)
{
	struct buf line = { 0 };
	va_list arguments;

	va_start(arguments, format);
	buf_vprintf(&line, format, arguments);
	va_end(arguments);
	buf_append_text(&line, "; see weft");
	if (invocation->noun)
		buf_printf(&line, " %s", invocation->noun->name);
	if (invocation->command && invocation->command->verb)
		buf_printf(&line, " %s", invocation->command->verb);
	buf_append_text(&line, " --help");
	put_line(invocation->err, &line);
	return EXIT_USAGE;
}

int report_refused(struct invocation *invocation, const char *format, ...)
{
	struct buf line = { 0 };
	va_list arguments;

	va_start(arguments, format);
	buf_vprintf(&line, format, arguments);
	va_end(arguments);
	put_line(invocation->err, &line);
	return EXIT_REFUSED;
}

static int exit_status(const struct error *error)
{
	return error->code == -ECONNREFUSED ? EXIT_NO_DAEMON : EXIT_REFUSED;
}

int report_failure(struct invocation *invocation, const struct error *error)
{
	report_refused(invocation, "%s%s%s", error->path, *error->path ? ": " : "", error->text);
	return exit_status(error);
}

/*
 * What of the path lies inside the object: behind "vpcs.blue.ports.web1" or, where the third step
 * is no collection, behind "vpcs.blue" and "hosts.h1".
 */
static const char *key_of(const char *path)
{
	static const char *const collections[] = {
		"subnets.", "ports.", "route_tables.", "security_groups.", "acls.", "tunnels.",
	};
	const char *key = path;
	int steps = 2;

	if (strncmp(path, "vpcs.", 5) != 0 && strncmp(path, "hosts.", 6) != 0)
		return path;
	for (int step = 0; step < steps; step++) {
		key = strchr(key, '.');
		if (!key)
			return path + strlen(path);
		key++;
		for (size_t i = 0; step == 1 && i < ARRAY_SIZE(collections); i++)
			if (strncmp(key, collections[i], strlen(collections[i])) == 0)
				steps = 4;
	}
	return key;
}

/*
 * Whether the sentence already says the key, as it is written or in words: "send_rate" and
 * `send_rate is a number`, "security_groups[0]" and `no security group "x"`.
 */
static bool is_said(const char *sentence, const char *key)
{
	const char *last = strrchr(key, '.') ? strrchr(key, '.') + 1 : key;
	size_t length = strcspn(last, "[");

	if (length > 1 && last[length - 1] == 's')
		length--;
	for (; *sentence; sentence++) {
		size_t same = 0;

		while (same < length && (sentence[same] == last[same] ||
					 (last[same] == '_' && sentence[same] == ' ')))
			same++;
		if (same == length)
			return true;
	}
	return length == 0;
}

/*
 * How the sentence calls what the path names: " blue/web1: ", " blue: ", " h1: ". Return: false:
 * the path names nothing.
 */
static bool owner_of(const char *path, char *owner, size_t size)
{
	const bool vpc = strncmp(path, "vpcs.", 5) == 0;
	const char *first = vpc ? path + 5 : path + 6, *name;
	const int length = (int)strcspn(first, ".");

	if (!vpc && strncmp(path, "hosts.", 6) != 0)
		return false;
	name = vpc && first[length] ? strchr(first + length + 1, '.') : NULL;
	if (name && key_of(path) > first + length + 1)
		snprintf(owner, size, " %.*s/%.*s: ", length, first, (int)strcspn(name + 1, "."),
			 name + 1);
	else
		snprintf(owner, size, " %.*s: ", length, first);
	return true;
}

const char *report_sentence(const struct error *error)
{
	const char *sentence = error->text, *found;
	char owner[160];

	if (!owner_of(error->path, owner, sizeof(owner)))
		return sentence;
	/* Only words, "route table", stand in front of the name. */
	found = strstr(sentence, owner);
	if (found && strspn(sentence, "abcdefghijklmnopqrstuvwxyz ") >= (size_t)(found - sentence))
		sentence = found + strlen(owner);
	return sentence;
}

int report_refusal(struct invocation *invocation, const char *about, const struct error *error)
{
	const char *key = key_of(error->path), *sentence = report_sentence(error);
	struct buf line = { 0 };

	if (error->code == -ECONNREFUSED)
		return report_failure(invocation, error);
	/* Of another object than the command's: that one stays in front. */
	if (about && sentence != error->text && strncmp(error->text, about, strlen(about)) != 0) {
		sentence = error->text;
		key = "";
	}
	if (about && strncmp(sentence, about, strlen(about)) != 0)
		buf_printf(&line, "%s: ", about);
	if (*key && !is_said(sentence, key))
		buf_printf(&line, "%s: ", key);
	buf_append_text(&line, sentence);
	put_line(invocation->err, &line);
	return exit_status(error);
}

int report_question(struct invocation *invocation, const struct error *error)
{
	report_refused(invocation, "%s", error->text);
	return exit_status(error);
}

int report_json(struct invocation *invocation, const json_t *document)
{
	if (json_dumpf(document, invocation->out, JSON_INDENT(2) | JSON_ENCODE_ANY) < 0 ||
	    fputc('\n', invocation->out) == EOF || fflush(invocation->out) == EOF) {
		report_refused(invocation, "output: %s", strerror(errno));
		return EXIT_REFUSED;
	}
	return EXIT_DONE;
}

void report_line(struct invocation *invocation, const char *format, ...)
{
	va_list arguments;

	if (invocation->quiet || invocation->json)
		return;
	va_start(arguments, format);
	vfprintf(invocation->out, format, arguments);
	va_end(arguments);
	fputc('\n', invocation->out);
}
