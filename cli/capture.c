/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft capture: the packets of a port or a subnet, each with what became of it, as a stream of
 * pcapng.
 *
 * The words of the filter are those of rules: a protocol, ports, addresses. The stream goes to
 * standard output, for wireshark -k -i - or tshark -r -, or into a file.
 *
 * Neighbours: drops.c (what was dropped, in words), agent/api/api_capture.c (the other side).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/suggest.h"
#include "cli/nouns.h"
#include "cli/object.h"
#include "client/client.h"

static const struct option capture_options[] = {
	WORDS_OPTION("direction", "from|to|both",
		     "what the port sends, what is for it; both by default", NULL),
	FLAG_OPTION("subnet", 0, "the name is a subnet's: of each of its ports on this host", NULL),
	FLAG_OPTION("dropped", 0, "only what was dropped", NULL),
	INTEGER_OPTION("count", "PACKETS", "end after so many", NULL),
	INTEGER_OPTION("size", "BYTES", "keep so many of each packet; 16384 by default", NULL),
	INTEGER_OPTION("sample", "N", "one in N packets", NULL),
	{ "write", 'w', OPTION_TEXT, "FILE", "into a file, not to standard output", NULL,
	  COMPLETE_FILE },
	{ 0 },
};

/* The word behind the one at *i, which says what it is. NULL: there is none. */
static const char *word_of(const struct invocation *invocation, size_t *i)
{
	return *i + 1 < invocation->argument_count ? invocation->arguments[++*i] : NULL;
}

static const char *const protocols[] = { "all", "tcp", "udp", "icmp", "icmpv6", "arp" };
static const char *const words[] = { "port", "ports", "type", "code", "address", "host" };

static bool is_protocol(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcmp(word, protocols[i]) == 0)
			return true;
	return *word && !word[strspn(word, "0123456789")];
}

static int refuse_word(struct invocation *invocation, const char *word)
{
	struct suggestion suggestion;
	char hint[128];

	suggestion_init(&suggestion, word);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		suggestion_offer(&suggestion, words[i]);
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		suggestion_offer(&suggestion, protocols[i]);
	return report_usage(invocation,
			    "\"%s\" is neither a protocol nor port, type, code, address or "
			    "group:NAME%s",
			    word, suggestion_format(&suggestion, hint));
}

/* tcp port 80,443 address 10.0.0.0/8 group:web */
static int read_filter(struct invocation *invocation, struct client_capture *wish)
{
	for (size_t i = 1; i < invocation->argument_count; i++) {
		const char *word = invocation->arguments[i], **to;
		const bool group = strncmp(word, "group:", 6) == 0;

		if (strcmp(word, "port") == 0 || strcmp(word, "ports") == 0)
			to = &wish->ports;
		else if (strcmp(word, "type") == 0)
			to = &wish->type;
		else if (strcmp(word, "code") == 0)
			to = &wish->code;
		else if (group || strcmp(word, "address") == 0 || strcmp(word, "host") == 0)
			to = wish->address ? &wish->peer : &wish->address;
		else if (is_protocol(word))
			to = &wish->protocol;
		else
			return refuse_word(invocation, word);
		if (*to)
			return report_usage(invocation, "\"%s\": that was said already", word);
		*to = group || to == &wish->protocol ? word : word_of(invocation, &i);
		if (!*to)
			return report_usage(invocation, "\"%s\": which?", word);
	}
	return 0;
}

static int write_piece(void *context, const char *data, size_t size)
{
	FILE *file = context;

	if (fwrite(data, 1, size, file) != size || fflush(file))
		return errno == EPIPE ? -EPIPE : -EIO;
	return 0;
}

static int run_capture(struct invocation *invocation)
{
	const char *path = invocation_text(invocation, "write");
	struct client_capture wish = {
		.direction = invocation_text(invocation, "direction"),
		.sample = invocation_text(invocation, "sample"),
		.size = invocation_text(invocation, "size"),
		.count = invocation_text(invocation, "count"),
		.dropped = invocation_flag(invocation, "dropped"),
	};
	bool subnet = invocation_flag(invocation, "subnet");
	struct object_name name;
	struct error error = { 0 };
	FILE *file = invocation->out;
	int code;

	if (object_name_parse(invocation, subnet ? &subnet_noun : &port_noun,
			      invocation->arguments[0], &name))
		return EXIT_USAGE;
	object_name_fini(&name);
	*(subnet ? &wish.subnet : &wish.port) = invocation->arguments[0];
	if (read_filter(invocation, &wish))
		return EXIT_USAGE;
	if (!path && isatty(fileno(file)))
		return report_usage(invocation,
				    "packets are not for a terminal: | wireshark -k -i -, "
				    "| tshark -r -, or --write FILE");
	if (path)
		file = fopen(path, "wb");
	if (!file)
		return report_refused(invocation, "%s: %s", path, strerror(errno));
	code = client_capture(invocation_client(invocation), &wish, write_piece, file, &error);
	if (path && fclose(file) && !code)
		code = -EIO;
	if (code == 0 || code == -EPIPE)
		return EXIT_DONE;
	if (code == -EIO && !error.text[0])
		return report_refused(invocation, "the packets cannot be written: %s",
				      strerror(errno));
	return report_question(invocation, &error);
}

static const struct command capture_commands[] = {
	{
		.arguments =
			"VPC/PORT [PROTOCOL] [port PORTS] [type T] [address PREFIX|group:NAME]",
		.argument_min = 1,
		.argument_max = 10,
		.complete = COMPLETE_PORT,
		.summary = "packets of a port, each with what became of it, as pcapng",
		.text = "The words of the filter are those of rules: all, tcp, udp, icmp, icmpv6, arp or a "
			"number; ports such as 80,8000-8099; type and code of ICMP; an address, a prefix or "
			"group:NAME, a port in that security group, twice for both ends. A "
			"packet that the port sends is shown as it was sent, one for it as it arrives, and one "
			"that was dropped with the reason, as a comment:\n\n"
			"weft capture blue/web1 tcp port 80 | wireshark -k -i -\n\n"
			"With --subnet the name is VPC/SUBNET; of what goes from port to port there is one "
			"packet, its sender's, and the comment begins with the port.",
		.options = capture_options,
		.run = run_capture,
	},
	{ 0 },
};

const struct noun capture_noun = {
	.name = "capture",
	.summary = "packets of a port or a subnet, for wireshark",
	.commands = capture_commands,
};
