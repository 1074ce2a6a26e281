/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft trace: what would become of a packet, and of the answer to it.
 *
 * The packet is described by options and built by the daemon, which runs it through the pipeline on
 * the live tables, and asks other hosts to go on where it comes to them. One line a stage under the
 * name of the host, the verdicts at the end; status 4 says it was dropped.
 *
 * Neighbours: drops.c, which shows the same verdicts of packets that were.
 */
#include <string.h>

#include "base/alloc.h"
#include "cli/nouns.h"
#include "cli/object.h"
#include "cli/table.h"
#include "client/client.h"

static const struct option trace_options[] = {
	TEXT_OPTION("to", "ADDRESS", "destination", "to"),
	INTEGER_OPTION("tcp", "PORT", "a TCP SYN to this port", NULL),
	INTEGER_OPTION("udp", "PORT", "a UDP datagram to this port", NULL),
	TEXT_OPTION("icmp", "echo|TYPE[/CODE]", "an ICMP or ICMPv6 message", NULL),
	INTEGER_OPTION("protocol", "NUMBER", "a packet of another IP protocol", NULL),
	INTEGER_OPTION("from-port", "PORT", "source port; 40000 by default", "source_port"),
	TEXT_OPTION("from", "ADDRESS", "source; the port's own by default", "from"),
	INTEGER_OPTION("size", "BYTES", "of the IP packet", "size"),
	TEXT_OPTION("arp", "ADDRESS", "an ARP request for this address", "arp"),
	TEXT_OPTION("nd", "ADDRESS", "a neighbour solicitation for this address", "nd"),
	LIST_OPTION("vlan", "TAG", "VLAN tags of it, the outer first: 300, 300/5, 802.1ad:300",
		    "vlan"),
	TEXT_OPTION("mac", "MAC", "whom it is for; who has the address by default", "mac"),
	TEXT_OPTION("hex", "FRAME", "a whole Ethernet frame in hexadecimal", "hex"),
	{ 0 },
};

/* --icmp echo, --icmp 3/4 */
static int read_icmp(struct invocation *invocation, json_t *request, const char *text)
{
	char type[8] = "";
	const char *slash = strchr(text, '/');
	long long type_number, code_number;

	if (strcmp(text, "echo") == 0)
		return 0;
	snprintf(type, sizeof(type), "%.*s", (int)strcspn(text, "/"), text);
	if (!parse_number(type, 255, &type_number) ||
	    (slash && !parse_number(slash + 1, 255, &code_number)))
		return report_usage(invocation,
				    "--icmp takes echo, a type or TYPE/CODE, not \"%s\"", text);
	json_object_set_new(request, "type", json_integer(type_number));
	if (slash)
		json_object_set_new(request, "code", json_integer(code_number));
	return 0;
}

static int read_protocol(struct invocation *invocation, json_t *request)
{
	static const char *const kinds[] = { "tcp", "udp", "icmp", "protocol", "arp", "nd", "hex" };
	const char *given = NULL, *text;
	bool whole;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!invocation_flag(invocation, kinds[i]))
			continue;
		if (given)
			return report_usage(invocation, "--%s and --%s: one packet is one of them",
					    given, kinds[i]);
		given = kinds[i];
	}
	whole = given && (!strcmp(given, "arp") || !strcmp(given, "nd") || !strcmp(given, "hex"));
	if (!whole && !invocation_flag(invocation, "to"))
		return report_usage(invocation,
				    "--to is missing: where to? (or --arp, --nd, --hex)");
	if (!given)
		return 0;
	text = invocation_text(invocation, given);
	if ((strcmp(given, "tcp") == 0 || strcmp(given, "udp") == 0) &&
	    invocation_integer(invocation, given, 0) > 65535)
		return report_usage(invocation, "--%s takes a port up to 65535, not %s", given,
				    text);
	if (strcmp(given, "tcp") == 0 || strcmp(given, "udp") == 0) {
		json_object_set_new(request, "protocol", json_string(given));
		json_object_set_new(request, "destination_port",
				    json_integer(invocation_integer(invocation, given, 0)));
	} else if (strcmp(given, "protocol") == 0) {
		json_object_set_new(request, "protocol",
				    json_integer(invocation_integer(invocation, given, 0)));
	} else if (strcmp(given, "icmp") == 0) {
		json_object_set_new(request, "protocol", json_string("icmp"));
		return read_icmp(invocation, request, text);
	}
	return 0;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/*
 * The stages of one host in a row, from @first on; @host is given the name. Return: behind the
 * last.
 */
static size_t leg_end(const json_t *stages, size_t first, size_t end, const char **host)
{
	size_t i = first;

	*host = text_of(json_array_get(stages, first), "host");
	while (i < end && strcmp(text_of(json_array_get(stages, i), "host"), *host) == 0)
		i++;
	return i;
}

static void print_stages(struct invocation *invocation, const json_t *stages, size_t first,
			 size_t end)
{
	struct table table = { .column_count = 3 };

	for (size_t i = first; i < end; i++) {
		const json_t *stage = json_array_get(stages, i);
		const char *subject = text_of(stage, "object");

		table_cell(&table, text_of(stage, "stage"));
		table_cell(&table, text_of(stage, "result"));
		table_cell(&table, *subject ? subject : " ");
	}
	table_print(&table, invocation->out, 0);
	table_fini(&table);
}

/* A heading for each host, where there are several. */
static void print_legs(struct invocation *invocation, const json_t *stages, size_t first,
		       size_t end, const char *before, bool hosts)
{
	if (first == end && *before)
		fprintf(invocation->out, "%s\n", before);
	while (first < end) {
		const char *host;
		size_t next = leg_end(stages, first, end, &host);

		if (hosts)
			fprintf(invocation->out, "%s%son host %s\n", before, *before ? ", " : "",
				host);
		else if (*before)
			fprintf(invocation->out, "%s\n", before);
		print_stages(invocation, stages, first, next);
		first = next;
		before = "";
	}
}

static void print_verdict(struct invocation *invocation, const json_t *about, bool hosts)
{
	const json_t *to = json_object_get(about, "to");
	const char *object = text_of(about, "object"), *verdict = text_of(about, "verdict");

	/* "sent" has a sentence that says so. */
	if (strcmp(verdict, "sent") != 0) {
		fprintf(invocation->out, "%s", verdict);
		if (strcmp(verdict, text_of(about, "reason")) != 0)
			fprintf(invocation->out, " (%s)", text_of(about, "reason"));
		fprintf(invocation->out, ": ");
	}
	fprintf(invocation->out, "%s", text_of(about, "sentence"));
	if (json_is_object(to) && strcmp(verdict, "dropped") != 0) {
		const char *name = text_of(to, "port");

		/* What is no port, a network of a NIC for one, says so by more than one word. */
		fprintf(invocation->out, ": %s%s", strchr(name, ' ') ? "" : "port ", name);
		if (hosts && strcmp(verdict, "sent") != 0)
			fprintf(invocation->out, " on host %s", text_of(to, "host"));
	} else if (*object) {
		fprintf(invocation->out, ": %s", object);
	}
	fputc('\n', invocation->out);
}

static void print_trace(struct invocation *invocation, const json_t *trace)
{
	const json_t *stages = json_object_get(trace, "stages");
	const json_t *back = json_object_get(trace, "back");
	size_t count = json_array_size(stages), turn = count;
	const char *first;
	bool hosts = leg_end(stages, 0, count, &first) < count;

	if (json_is_object(back))
		turn = (size_t)json_integer_value(json_object_get(back, "first_stage"));
	if (turn > count)
		turn = count;
	if (*text_of(trace, "note"))
		fprintf(invocation->out, "%s\n", text_of(trace, "note"));
	print_legs(invocation, stages, 0, turn, "", hosts);
	if (json_is_object(back))
		print_legs(invocation, stages, turn, count, "and back", hosts);
	print_verdict(invocation, trace, hosts);
	if (json_is_object(back)) {
		fprintf(invocation->out, "and back: ");
		print_verdict(invocation, back, hosts);
	}
}

/*
 * The contract's keys in its order; "back" where there was a reply, "note" if the port is not here.
 */
static int print_json(struct invocation *invocation, const json_t *trace)
{
	json_t *document = json_pack(
		"{s:O, s:O, s:O, s:O, s:O, s:O}", "verdict", json_object_get(trace, "verdict"),
		"reason", json_object_get(trace, "reason"), "sentence",
		json_object_get(trace, "sentence"), "object", json_object_get(trace, "object"),
		"stages", json_object_get(trace, "stages"), "to", json_object_get(trace, "to"));
	json_t *back = json_object_get(trace, "back"), *note = json_object_get(trace, "note");
	int status;

	if (document && back)
		json_object_set(document, "back", back);
	if (document && note)
		json_object_set(document, "note", note);
	status = document ? report_json(invocation, document) : EXIT_REFUSED;

	if (!document)
		report_refused(invocation, "the daemon's answer lacks a key");
	json_decref(document);
	return status;
}

static int run_trace(struct invocation *invocation)
{
	json_t *request = invocation_object(invocation), *trace = NULL;
	struct error error = { 0 };
	struct object_name name;
	int status = object_name_parse(invocation, &port_noun, invocation->arguments[0], &name);

	if (status) {
		json_decref(request);
		return status;
	}
	json_object_set_new(request, "port", json_string(invocation->arguments[0]));
	status = read_protocol(invocation, request);
	if (status == 0) {
		if (client_trace(invocation_client(invocation), request, &trace, &error) < 0)
			status = report_refusal(invocation, name.about, &error);
		else if (invocation->json)
			status = print_json(invocation, trace);
		else if (!invocation->quiet)
			print_trace(invocation, trace);
	}
	if (status == EXIT_DONE && strcmp(text_of(trace, "verdict"), "sent") == 0)
		status = EXIT_REFUSED;
	else if (status == EXIT_DONE && strcmp(text_of(trace, "verdict"), "delivered") != 0)
		status = EXIT_DROPPED;
	json_decref(trace);
	json_decref(request);
	object_name_fini(&name);
	return status;
}

static const struct command trace_commands[] = {
	{
		.arguments = "VPC/PORT",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_PORT,
		.summary = "what would become of a packet that the port sends, stage by stage",
		.text = "weft trace blue/web1 --to 10.0.2.20 --tcp 5432\n"
			"weft trace blue/web1 --arp 10.0.1.1\n"
			"weft trace blue/trunk --vlan 100 --to 10.0.3.12 --tcp 22\n"
			"The pipeline runs on the live tables; nothing is sent and nothing is changed.\n"
			"A packet to another host is followed there; so is what the port that gets it\n"
			"answers (to a ping, a SYN, a datagram), all the way back. Of a port that is not\n"
			"plugged in the first line says so, and the others what would become of its packet.\n"
			"Exit status 4: the packet would be dropped; the end says why, and which object\n"
			"decided. 1: another host did not say what becomes of it.",
		.options = trace_options,
		.run = run_trace,
	},
	{ 0 },
};

const struct noun trace_noun = {
	.name = "trace",
	.summary = "what would become of a packet, stage by stage, and why",
	.commands = trace_commands,
};
