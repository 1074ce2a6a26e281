/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates of ports and devices: text to numbers, back, and what buckets and queues follow from them.
 *
 * A rate is a number or a text with k, M or G (thousands), a burst likewise. Written back it is the
 * shortest text of the same number.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/text_private.h"

#define RATE_MIN 8000ULL
#define RATE_MAX 1000000000000ULL
#define DEVICE_RATE_MIN 1000000ULL
#define BURST_MAX (256U << 20)
#define FRAME_MAX 68000 /* a frame that stands for several packets, with its headers */
#define QUEUE_MIN (256U << 10)

/* "2.5G" to 2500000000. Return: whether it is a number that is whole. */
static bool parse_amount(const char *text, uint64_t *amount)
{
	static const struct {
		char letter;
		uint64_t factor;
	} units[] = { { 'k', 1000 }, { 'K', 1000 }, { 'M', 1000000 }, { 'G', 1000000000 } };
	uint64_t factor = 1, whole = 0, part = 0, part_of = 1;
	const char *c = text;

	while (*c >= '0' && *c <= '9' && c - text < 13)
		whole = whole * 10 + (uint64_t)(*c++ - '0');
	if (c == text)
		return false;
	if (*c == '.') {
		const char *first = ++c;

		for (; *c >= '0' && *c <= '9' && c - first < 9; c++, part_of *= 10)
			part = part * 10 + (uint64_t)(*c - '0');
		if (c == first)
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (*c && *c == units[i].letter)
			factor = units[i].factor;
	if (factor > 1)
		c++;
	if (*c || whole > RATE_MAX || part * factor % part_of)
		return false;
	*amount = whole * factor + part * factor / part_of;
	return true;
}

static bool amount_of(const json_t *value, uint64_t *amount)
{
	if (json_is_string(value))
		return parse_amount(json_string_value(value), amount);
	*amount = json_is_integer(value) && json_integer_value(value) >= 0
			  ? (uint64_t)json_integer_value(value)
			  : 0;
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

/* The value of a key as an amount in a unit, 0 or of least to most. Return: whether there is one. */
static bool read_amount(struct reading *reading, const char *key, const char *unit, uint64_t least,
			uint64_t most, uint64_t *amount)
{
	uint64_t number = 0;
	json_t *value;

	if (!json_reader_value(reading->reader, key, JSON_OPTIONAL, &value))
		return false;
	if (amount_of(value, &number) && (!number || (number >= least && number <= most))) {
		*amount = number;
		return true;
	}
	text_refuse(reading->draft, reading->reader, key,
		    "%s is %s, a number or a text such as \"10M\" or \"2.5G\", from %" PRIu64
		    " to %" PRIu64 ", or 0 for none",
		    key, unit, least, most);
	return false;
}

static void read_dscp(struct reading *reading, struct port_object *port)
{
	json_t *value;
	uint64_t number = 64;

	if (!json_reader_value(reading->reader, "dscp", JSON_OPTIONAL, &value))
		return;
	if (json_is_string(value) && strcmp(json_string_value(value), "off") == 0) {
		port->dscp_mark = 0;
		return;
	}
	if (!amount_of(value, &number) || number > 63)
		text_refuse(reading->draft, reading->reader, "dscp",
			    "dscp is a number from 0 to 63, or off");
	else
		port->dscp_mark = (uint8_t)(number + 1);
}

static void read_burst(struct reading *reading, const char *key, uint32_t *kept)
{
	uint64_t burst;

	if (read_amount(reading, key, "bytes", 1514, BURST_MAX, &burst))
		*kept = (uint32_t)burst;
}

void text_read_rates(struct reading *reading, struct port_object *port)
{
	read_amount(reading, "send_rate", "bits a second", RATE_MIN, RATE_MAX, &port->send_rate);
	read_amount(reading, "receive_rate", "bits a second", RATE_MIN, RATE_MAX,
		    &port->receive_rate);
	read_burst(reading, "rate_burst", &port->rate_burst);
	read_burst(reading, "send_burst", &port->send_burst);
	read_burst(reading, "receive_burst", &port->receive_burst);
	text_read_number(reading->reader, "share", 1, PORT_SHARE_MAX, &port->share);
	read_dscp(reading, port);
}

static int compare_rates(const void *a, const void *b)
{
	return strcmp(((const struct host_rate *)a)->ifname, ((const struct host_rate *)b)->ifname);
}

void text_read_device_rates(struct reading *reading, struct host_object *host)
{
	json_t *rates, *value;
	const char *name;

	if (!json_reader_names(reading->reader, "device_rates", JSON_OPTIONAL, &rates))
		return;
	if (json_object_size(rates) > HOST_RATES_MAX) {
		json_reader_fail(reading->reader, "device_rates", EINVAL,
				 "has more than %d devices", HOST_RATES_MAX);
		return;
	}
	host->rates = xcalloc(json_object_size(rates) + 1, sizeof(*host->rates));
	json_object_foreach(rates, name, value) {
		struct host_rate *rate = &host->rates[host->rate_count];

		if (!name[0] || strlen(name) >= sizeof(rate->ifname) || strchr(name, '/') ||
		    !amount_of(value, &rate->rate) || rate->rate < DEVICE_RATE_MIN ||
		    rate->rate > RATE_MAX) {
			text_refuse(reading->draft, reading->reader, "device_rates",
				    "device_rates are the name of a device and what it carries, "
				    "from 1M to 1000G, such as eth1: 10G; \"%.64s\" is not",
				    name);
			return;
		}
		snprintf(rate->ifname, sizeof(rate->ifname), "%s", name);
		host->rate_count++;
	}
	qsort(host->rates, host->rate_count, sizeof(*host->rates), compare_rates);
}

static json_t *amount_json(uint64_t amount)
{
	static const struct {
		uint64_t factor;
		const char *letter;
	} units[] = { { 1000000000, "G" }, { 1000000, "M" }, { 1000, "k" }, { 1, "" } };
	size_t i = 0;

	while (amount % units[i].factor)
		i++;
	return amount ? json_sprintf("%" PRIu64 "%s", amount / units[i].factor, units[i].letter)
		      : json_string("0");
}

void text_write_rates(const struct writing *writing, const struct port_object *port)
{
	text_write_value(writing, "send_rate", !port->send_rate, amount_json(port->send_rate));
	text_write_value(writing, "receive_rate", !port->receive_rate,
			 amount_json(port->receive_rate));
	text_write_value(writing, "rate_burst", !port->rate_burst, amount_json(port->rate_burst));
	text_write_value(writing, "send_burst", !port->send_burst, amount_json(port->send_burst));
	text_write_value(writing, "receive_burst", !port->receive_burst,
			 amount_json(port->receive_burst));
	text_write_number(writing, "share", port->share, 1);
	text_write_value(writing, "dscp", !port->dscp_mark,
			 port->dscp_mark ? json_sprintf("%d", port->dscp_mark - 1)
					 : json_string("off"));
}

void text_write_device_rates(const struct writing *writing, const struct host_object *host)
{
	json_t *rates = json_object();

	for (size_t i = 0; i < host->rate_count; i++)
		json_object_set_new(rates, host->rates[i].ifname, amount_json(host->rates[i].rate));
	text_write_value(writing, "device_rates", host->rate_count == 0, rates);
}

/* Timers come late by some hundred microseconds, and on a busy machine by milliseconds: the bucket holds
 * five. */
uint32_t port_rate_burst(uint64_t rate, uint32_t burst)
{
	uint64_t bytes = rate / 8 / 200;

	if (burst)
		return burst < FRAME_MAX ? FRAME_MAX : burst;
	return bytes < FRAME_MAX ? FRAME_MAX : bytes > BURST_MAX ? BURST_MAX : (uint32_t)bytes;
}

/* 50 ms, and what is beyond the bucket at one time. */
uint32_t port_rate_queue(uint64_t rate, uint32_t burst)
{
	uint64_t bytes = rate / 8 / 20 + burst;

	return bytes < QUEUE_MIN        ? QUEUE_MIN
	       : bytes > UINT32_MAX / 2 ? UINT32_MAX / 2
					: (uint32_t)bytes;
}

uint32_t port_send_burst(const struct port_object *port)
{
	return port->send_burst ? port->send_burst : port->rate_burst;
}

uint32_t port_receive_burst(const struct port_object *port)
{
	return port->receive_burst ? port->receive_burst : port->rate_burst;
}

/*
 * Before a namespace there is a queue, where senders wait. All others meet the policer, and TCP rests for 200 ms then at
 * least, for all that it had sent is lost: it comes to its rate if it may make up for that.
 */
uint64_t port_rate_slack(const struct port_object *port)
{
	const bool queued = port->attach.kind == ATTACH_NETNS || port->attach.kind == ATTACH_PID;
	const uint32_t burst = port_send_burst(port);
	uint64_t twice = 2ULL * port_rate_burst(port->send_rate, burst) + QUEUE_MIN / 2;
	uint64_t waits = port->send_rate / 8 / 20, rests = port->send_rate / 8 / 4;

	rests = rests > BURST_MAX ? BURST_MAX : rests;
	if (!queued && rests > waits)
		waits = rests;
	return waits > twice && !burst ? waits : twice;
}
