/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A filter of packets: which ones a capture or a mirror takes. Its words are those of rules.
 *
 * A rule has a direction and so a source and a destination; a filter speaks of the two ends of a
 * connection: a port or an address may be at either.
 *
 * Neighbours: text_rules.c (the same words in rules), core/watch.c (who matches).
 */
#ifndef WEFT_MODEL_FILTER_H
#define WEFT_MODEL_FILTER_H

#include "base/addr.h"
#include "core/tables.h"
#include "model/object.h"

#define FILTER_GROUP "group:"
#define FILTER_END_SIZE (sizeof(FILTER_GROUP) - 1 + NAME_SIZE) /* a prefix, or group:NAME */

/**
 * struct filter - what has to hold of a packet; see filter_init()
 * @protocol: IP protocol number or PROTOCOL_ALL
 * @icmp_both: written as "icmp": 1 and 58 alike
 * @arp: ARP, and no IP
 * @type, @code: of ICMP, as in rules; -1: any
 * @range_count: 0: all ports
 * @end_count: prefixes or groups that the two ends have to be in, in either order
 * @groups: names of security groups, in the place of the prefixes in @ends; "": a prefix
 */
struct filter {
	int protocol;
	bool icmp_both;
	bool arp;
	int type, code;
	uint8_t range_count;
	struct port_range ranges[WATCH_RANGES];
	uint8_t end_count;
	struct ip_prefix ends[2];
	char groups[2][NAME_SIZE];
};

/**
 * struct port_mirror_to - who gets copies of the packets of a port, or of each port of a subnet
 * @to: a port or (@tunnel) a tunnel of the VPC, by name: it may come and go
 * @sends, @receives: of what the port sends, of what it gets
 * @sample: one in so many; 0, 1: each
 * @truncate: bytes of a frame that are copied; 0: all
 * @protocol, @ports, @address, @peer: the filter as it was written; "" where it says nothing; type and code of
 *	ICMP are in @filter
 */
struct port_mirror_to {
	char to[NAME_SIZE];
	bool tunnel;
	bool sends, receives;
	uint32_t sample;
	uint32_t truncate;
	char protocol[16];
	char ports[100];
	char address[FILTER_END_SIZE];
	char peer[FILTER_END_SIZE];
	struct filter filter;
};

bool port_mirror_equal(const struct port_mirror_to *a, const struct port_mirror_to *b);
struct port_mirror_to *port_mirror_copy(const struct port_mirror_to *mirror); /* NULL of NULL */

/** object_mirror - that of a port or subnet itself; NULL: it says none */
const struct port_mirror_to *object_mirror(const struct object *object);

/** filter_init - everything passes */
void filter_init(struct filter *filter);

/*
 * One word each. Return: NULL, or the sentence that says what is wrong with the word, a constant.
 * filter_ports() gives "80,8000-8099" to the filter, filter_end() a prefix, an address or
 * "group:NAME", at most two.
 */
const char *filter_protocol(struct filter *filter, const char *text);
const char *filter_ports(struct filter *filter, const char *text);
const char *filter_type(struct filter *filter, const char *text);
const char *filter_code(struct filter *filter, const char *text);
const char *filter_end(struct filter *filter, const char *text);

/**
 * filter_check - do the words go together?
 * @key: set to the word that does not
 *
 * Return: NULL, or the sentence.
 */
const char *filter_check(const struct filter *filter, const char **key);

/**
 * filter_watch - the filter's part of a row of watches
 *
 * Of groups it says that they are some, which have no members: filter_watch_groups() says which.
 */
void filter_watch(const struct filter *filter, struct watch *row);

/**
 * filter_watch_groups - the groups that the filter names, in a row that filter_watch() has filled
 * @vpc_id: whose groups; one that is not there has no members
 */
void filter_watch_groups(const struct filter *filter, const struct intent *intent, uint32_t vpc_id,
			 struct watch *row);

/** filter_names_group - whether one of its ends is a group of this name */
bool filter_names_group(const struct filter *filter, const char *name);

#endif
