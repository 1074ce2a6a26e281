/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS messages: questions that somebody sent are read, answers are written (RFC 1035, 6891).
 *
 * Names are text in lower case without the dot at the end, "" is the root; a byte of a label that is no
 * letter, digit or one of -_ stands there as \DDD, so that two names are equal exactly if their texts
 * are. An answer repeats the question's bytes as they came, so the asker finds its own spelling again.
 * Nothing here knows sockets or zones.
 */
#ifndef WEFT_BASE_DNS_H
#define WEFT_BASE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define DNS_NAME_SIZE 1024 /* 255 bytes on the wire, each at most four characters */
#define DNS_HEADER_SIZE 12
#define DNS_UDP_SIZE 512 /* of an answer to who says nothing of itself */
#define DNS_MESSAGE_SIZE_MAX 65535

#define DNS_FLAG_RESPONSE 0x8000
#define DNS_FLAG_OPCODE 0x7800
#define DNS_FLAG_AUTHORITATIVE 0x0400
#define DNS_FLAG_TRUNCATED 0x0200
#define DNS_FLAG_RECURSION_DESIRED 0x0100
#define DNS_FLAG_RECURSION_AVAILABLE 0x0080
#define DNS_FLAG_CHECKING_DISABLED 0x0010
#define DNS_FLAG_RCODE 0x000f

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_IXFR = 251,
	DNS_TYPE_AXFR = 252,
	DNS_TYPE_ANY = 255,
};

#define DNS_CLASS_IN 1

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,
};

/**
 * struct dns_query - a message that asks
 * @id, @flags: of the header, host order
 * @name: of the question
 * @question_size: bytes of the question behind the header; 0: there is none to repeat
 * @edns: it has an OPT record; @payload_size is the answer it takes then, @dnssec its DO bit
 */
struct dns_query {
	uint16_t id;
	uint16_t flags;
	uint16_t type;
	uint16_t class;
	uint16_t question_size;
	uint16_t payload_size;
	bool edns;
	bool dnssec;
	uint8_t edns_version;
	char name[DNS_NAME_SIZE];
};

/**
 * dns_query_read - read a message that claims to be a question
 * @query: filled as far as it can be read
 *
 * Return: 0; a positive enum dns_rcode to refuse it with; or -EBADMSG for what is not to be answered at all:
 * shorter than a header, or itself an answer.
 */
int dns_query_read(const void *message, size_t size, struct dns_query *query);

enum dns_section { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

/**
 * struct dns_reply - an answer being written; private but for @size
 * @size: bytes so far
 * @owner: where the name stands that the next records are of
 */
struct dns_reply {
	uint8_t *data;
	size_t size, limit;
	size_t records_from;
	uint16_t owner;
	uint16_t counts[DNS_SECTIONS];
	bool truncated;
	bool edns;
};

/**
 * dns_reply_begin - answer @query
 * @message: the bytes @query was read from
 * @data: room for @limit bytes, at least DNS_UDP_SIZE; borrowed until dns_reply_end()
 */
void dns_reply_begin(struct dns_reply *reply, const struct dns_query *query, const void *message,
		     void *data, size_t limit);

/* Records of the name asked for, or of the last dns_reply_alias(). What does not fit is left out and the
 * answer marked as truncated. Times to live in seconds. */
void dns_reply_address(struct dns_reply *reply, uint32_t ttl, const struct ip_address *address);
void dns_reply_pointer(struct dns_reply *reply, uint32_t ttl, const char *name);
void dns_reply_text(struct dns_reply *reply, uint32_t ttl, const char *text);
void dns_reply_name_server(struct dns_reply *reply, uint32_t ttl, const char *name);
/* A CNAME record; the records that follow are of @name. */
void dns_reply_alias(struct dns_reply *reply, uint32_t ttl, const char *name);
/* The SOA record of @zone, in the answer or, for how long there is nothing, in the authority section. */
void dns_reply_zone(struct dns_reply *reply, enum dns_section section, uint32_t ttl,
		    const char *zone);

/**
 * dns_reply_end - write the header and, where the query had one, the OPT record
 * @flags: to be set besides DNS_FLAG_RESPONSE
 *
 * Return: bytes of the answer.
 */
size_t dns_reply_end(struct dns_reply *reply, const struct dns_query *query, uint16_t flags,
		     enum dns_rcode rcode);

/**
 * dns_question_write - ask somebody else what was asked
 * @message: the bytes @query was read from
 * @data: room for DNS_UDP_SIZE bytes
 * @id: of the new question
 * @payload_size: the largest answer over UDP that is taken
 *
 * Return: bytes of the question.
 */
size_t dns_question_write(const struct dns_query *query, const void *message, void *data,
			  uint16_t id, uint16_t payload_size);

/**
 * dns_answer_matches - whether a message answers the question that was asked
 * @question: as dns_question_write() wrote it
 *
 * The id and the bytes of the question are the same but for the case of letters.
 */
bool dns_answer_matches(const void *answer, size_t answer_size, const void *question,
			size_t question_size);

/**
 * dns_reverse_parse - the address that a name below in-addr.arpa or ip6.arpa is of
 *
 * Return: 0; -EINVAL if it is no such name; -ENOENT if it is one, but of no whole address.
 */
int dns_reverse_parse(const char *name, struct ip_address *address);

/** dns_name_below - whether @name is @domain or in it; @rest, if not NULL: length of what is in front */
bool dns_name_below(const char *name, const char *domain, size_t *rest);

#endif
