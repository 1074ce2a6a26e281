/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names that are not a VPC's: others are asked, from the host's own namespace.
 *
 * Each question goes out by a socket of its own, so that the kernel picks its port, with an id of its own;
 * only an answer from who was asked, with that id and that question, is taken (RFC 5452). What came
 * over TCP is asked over TCP. There are bounds for all and for each port; when nobody answers in time the
 * client hears SERVFAIL. Answers are kept for the VPC as long as they hold (dns_cache.h).
 *
 * Neighbours: dns_server.c (who asks here), base/dns.h (messages).
 */
#ifndef WEFT_AGENT_DNS_FORWARD_H
#define WEFT_AGENT_DNS_FORWARD_H

#include <sys/socket.h>

#include "agent/services/dns_cache.h"
#include "base/dns.h"
#include "base/loop.h"
#include "model/object.h"

struct dns_forwards;

/**
 * struct dns_client - who waits for an answer
 * @connection: over TCP; NULL: over UDP, by @udp_fd to @address
 * @limit: bytes the answer may have
 */
struct dns_client {
	uint32_t port_id;
	void *connection;
	int udp_fd;
	struct sockaddr_storage address;
	socklen_t address_size;
	size_t limit;
};

/* @answer: a whole message with the client's id; borrowed. */
typedef void dns_forwards_callback(void *context, const struct dns_client *client,
				   const uint8_t *answer, size_t size);

/**
 * struct dns_forwards_counts - since the start
 * @asked: questions that went out
 * @late: not answered by anybody
 * @refused: not asked, or not to the end, for want of room
 * @stray: messages that were no answer to the question
 */
struct dns_forwards_counts {
	uint64_t asked;
	uint64_t late;
	uint64_t refused;
	uint64_t stray;
};

/** dns_forwards_new - @resolv_conf: file with the host's own resolvers; release with dns_forwards_free() */
struct dns_forwards *dns_forwards_new(struct loop *loop, const char *resolv_conf,
				      dns_forwards_callback *answered, void *context);

/** dns_forwards_free - nobody is called any more (NULL is ignored) */
void dns_forwards_free(struct dns_forwards *forwards);

/**
 * dns_forwards_ask - ask whom the VPC says
 * @message: the bytes @query was read from
 *
 * Return: 0, and @answered is called once, later; -ENOENT if there is nobody to ask; -EBUSY if too many
 * questions are open; or another negative errno.
 */
int dns_forwards_ask(struct dns_forwards *forwards, const struct vpc_object *vpc,
		     const struct dns_client *client, const struct dns_query *query,
		     const uint8_t *message);

/**
 * dns_forwards_recall - what others have answered before, if it still holds
 * @client: its limit says how much of it fits; more is a truncated answer
 * @message: the bytes @query was read from
 * @answer: room for DNS_MESSAGE_SIZE_MAX bytes
 *
 * Return: bytes of the answer; 0: they have to be asked.
 */
size_t dns_forwards_recall(struct dns_forwards *forwards, const struct vpc_object *vpc,
			   const struct dns_client *client, const struct dns_query *query,
			   const uint8_t *message, uint8_t *answer);

/** dns_forwards_drop - a connection has ended: what it asked is of no interest any more */
void dns_forwards_drop(struct dns_forwards *forwards, const void *connection);

const struct dns_forwards_counts *dns_forwards_counts(const struct dns_forwards *forwards);

/** dns_forwards_cache_counts - of what is kept of answers */
const struct dns_cache_counts *dns_forwards_cache_counts(const struct dns_forwards *forwards);

/** dns_resolvers_read - the addresses behind "nameserver" in a file as resolv.conf(5). Return: how many. */
size_t dns_resolvers_read(const char *path, struct ip_address *addresses, size_t count_max);

#endif
