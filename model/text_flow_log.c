/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow logs: JSON to struct and back, and which one counts for a port; see flow_log.h.
 */
#include "model/flow_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/text_private.h"

static const char *const records_words[] = {
	[FLOW_LOG_NONE] = "none",
	[FLOW_LOG_ACCEPT] = "accept",
	[FLOW_LOG_REJECT] = "reject",
	[FLOW_LOG_ALL] = "all",
};

/* ---- collectors ---- */

const char *flow_log_collector_format(const struct flow_log_collector *collector,
				      char text[FLOW_LOG_COLLECTOR_TEXT_SIZE])
{
	const bool ipv4 = ip_address_is_ipv4(&collector->address);
	char address[IP_ADDRESS_TEXT_SIZE];

	snprintf(text, FLOW_LOG_COLLECTOR_TEXT_SIZE, "%s:%s%s%s:%u", collector->tcp ? "tcp" : "udp",
		 ipv4 ? "" : "[", ip_address_format(&collector->address, address), ipv4 ? "" : "]",
		 collector->port);
	return text;
}

/* The port behind an address: "" or ":4739". */
static bool parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long number;

	*port = IPFIX_PORT;
	if (!*text)
		return true;
	if (*text++ != ':' || *text < '0' || *text > '9' || strlen(text) > 5)
		return false;
	number = strtoul(text, &end, 10);
	*port = (uint16_t)number;
	return !*end && number >= 1 && number <= 65535;
}

bool flow_log_collector_parse(const char *text, struct flow_log_collector *collector)
{
	char address[IP_ADDRESS_TEXT_SIZE] = "";
	const char *end;
	size_t len;
	bool bracket;

	collector->tcp = strncmp(text, "tcp:", 4) == 0;
	if (!collector->tcp && strncmp(text, "udp:", 4) != 0)
		return false;
	text += 4;
	bracket = *text == '[';
	text += bracket ? 1 : 0;
	end = bracket ? strchr(text, ']') : text + strcspn(text, ":");
	if (!end)
		return false;
	len = (size_t)(end - text);
	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	if (ip_address_parse(address, &collector->address) ||
	    ip_address_is_ipv4(&collector->address) == bracket ||
	    ip_address_is_unspecified(&collector->address))
		return false;
	return parse_port(end + (bracket ? 1 : 0), &collector->port);
}

static bool collector_equal(const struct flow_log_collector *a, const struct flow_log_collector *b)
{
	return ip_address_equal(&a->address, &b->address) && a->port == b->port && a->tcp == b->tcp;
}

/* ---- logs ---- */

bool flow_log_equal(const struct flow_log *a, const struct flow_log *b)
{
	if (!a || !b)
		return a == b;
	if (a->records != b->records || a->interval != b->interval || a->file != b->file ||
	    a->domain != b->domain || a->collector_count != b->collector_count)
		return false;
	for (size_t i = 0; i < a->collector_count; i++)
		if (!collector_equal(&a->collectors[i], &b->collectors[i]))
			return false;
	return true;
}

struct flow_log *flow_log_copy(const struct flow_log *log)
{
	return log ? xmemdup(log, sizeof(*log)) : NULL;
}

const struct flow_log *intent_flow_log(const struct intent *intent, const struct port_object *port)
{
	const struct flow_log *log = port->flow_log;
	const struct object *subnet = intent_object(intent, port->subnet_id);
	const struct object *vpc = intent_object(intent, port->object.vpc_id);

	if (!log && subnet && subnet->kind == OBJECT_SUBNET)
		log = ((const struct subnet_object *)subnet)->flow_log;
	if (!log && vpc && vpc->kind == OBJECT_VPC)
		log = ((const struct vpc_object *)vpc)->flow_log;
	return log && log->records != FLOW_LOG_NONE ? log : NULL;
}

/* ---- reading ---- */

/* Return: false where the log of what is around is to count, as if nothing were said. */
static bool read_records(struct reading *reading, struct json_reader *child, struct flow_log *log)
{
	const char *text;

	if (!json_reader_text(child, "records", JSON_OPTIONAL, 16, &text))
		return true;
	if (strcmp(text, "inherit") == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(records_words); i++) {
		if (strcmp(text, records_words[i]) == 0) {
			log->records = (enum flow_log_records)i;
			return true;
		}
	}
	text_refuse(reading->draft, child, "records",
		    "records is all, accept, reject, none or inherit, not \"%.16s\"", text);
	return true;
}

static void read_interval(struct reading *reading, struct json_reader *child, struct flow_log *log)
{
	int64_t seconds;

	if (!json_reader_integer(child, "interval", JSON_OPTIONAL, 0, 1 << 20, &seconds))
		return;
	if (seconds != FLOW_LOG_SHORT && seconds != FLOW_LOG_LONG)
		text_refuse(reading->draft, child, "interval",
			    "the interval of a flow log is 60 or 600 seconds (V48)");
	else
		log->interval = (uint32_t)seconds;
}

/* One place: "file", or a collector. */
static void read_place(struct reading *reading, struct json_reader *child, struct flow_log *log,
		       const json_t *value)
{
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	struct flow_log_collector collector;

	if (strcmp(text, "file") == 0) {
		log->file = true;
		return;
	}
	if (!flow_log_collector_parse(text, &collector)) {
		text_refuse(reading->draft, child, "to",
			    "a flow log goes to \"file\", or by IPFIX to a collector such as "
			    "\"udp:192.0.2.9:4739\" or \"tcp:[2001:db8::9]:4739\"");
		return;
	}
	for (size_t i = 0; i < log->collector_count; i++)
		if (collector_equal(&log->collectors[i], &collector))
			return;
	if (log->collector_count == FLOW_LOG_COLLECTORS_MAX)
		text_refuse(reading->draft, child, "to", "a flow log has at most %d collectors",
			    FLOW_LOG_COLLECTORS_MAX);
	else
		log->collectors[log->collector_count++] = collector;
}

static void read_places(struct reading *reading, struct json_reader *child, struct flow_log *log)
{
	json_t *value;

	log->file = true;
	if (!json_reader_value(child, "to", JSON_OPTIONAL, &value))
		return;
	log->file = false;
	if (!json_is_array(value)) {
		read_place(reading, child, log, value);
		return;
	}
	for (size_t i = 0; i < json_array_size(value); i++)
		read_place(reading, child, log, json_array_get(value, i));
	if (!json_array_size(value))
		text_refuse(reading->draft, child, "to",
			    "a flow log goes somewhere: to \"file\", or to a collector");
}

void text_read_flow_log(struct reading *reading, struct flow_log **kept)
{
	struct json_reader child;
	struct flow_log *log;
	int64_t domain;
	bool own;

	if (!json_reader_object(reading->reader, "flow_log", JSON_OPTIONAL, &child))
		return;
	log = xcalloc(1, sizeof(*log));
	log->records = FLOW_LOG_ALL;
	log->interval = FLOW_LOG_SHORT;
	free(*kept);
	*kept = log;
	own = read_records(reading, &child, log);
	read_interval(reading, &child, log);
	read_places(reading, &child, log);
	if (json_reader_integer(&child, "domain", JSON_OPTIONAL, 1, UINT32_MAX, &domain))
		log->domain = (uint32_t)domain;
	reading->reader->code = json_reader_finish(&child);
	if (own)
		return;
	free(log);
	*kept = NULL;
}

/* ---- writing ---- */

static json_t *places_json(const struct flow_log *log)
{
	char text[FLOW_LOG_COLLECTOR_TEXT_SIZE];
	json_t *list = json_array();

	if (log->file)
		json_array_append_new(list, json_string("file"));
	for (size_t i = 0; i < log->collector_count; i++)
		json_array_append_new(
			list, json_string(flow_log_collector_format(&log->collectors[i], text)));
	return text_one_or_list(list);
}

static json_t *flow_log_json(const struct flow_log *log)
{
	json_t *json = json_pack("{s:s, s:i, s:o}", "records", records_words[log->records],
				 "interval", (int)log->interval, "to", places_json(log));

	if (log->domain)
		json_object_set_new(json, "domain", json_integer(log->domain));
	return json;
}

void text_write_flow_log(const struct writing *writing, const struct flow_log *log)
{
	text_write_value(writing, "flow_log", !log, log ? flow_log_json(log) : json_null());
}
