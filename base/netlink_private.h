/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the netlink*.c files share; nobody else includes this.
 *
 * A request is put together in the socket's one message buffer, between netlink_request() and
 * netlink_finish(), with libmnl's functions for attributes.
 */
#ifndef WEFT_BASE_NETLINK_PRIVATE_H
#define WEFT_BASE_NETLINK_PRIVATE_H

#include <libmnl/libmnl.h>

#include "base/buf.h"
#include "base/netlink.h"

/* Room for any request made here: the longest, a veth pair, takes about 200 bytes. */
#define NETLINK_REQUEST_SIZE 1024

/**
 * netlink_request - begin a request
 * @type: RTM_…
 * @flags: NLM_F_… beside REQUEST and ACK
 * @body_size: size of the fixed struct behind the header
 * @body: a pointer to the pointer that is set to that struct, all zero
 *
 * Return: the message, in the socket's buffer until the next call.
 */
struct nlmsghdr *netlink_request(struct netlink *netlink, uint16_t type, uint16_t flags,
				 size_t body_size, void *body);

/**
 * netlink_finish - send the request and wait for the answer, or queue it in a batch
 * @what: what is being done, for "cannot WHAT: reason"
 *
 * Return: 0 or negative errno.
 */
int netlink_finish(struct netlink *netlink, struct nlmsghdr *message, struct error *error,
		   const char *what, ...) __attribute__((format(printf, 4, 5)));

typedef void netlink_message_callback(void *context, const struct nlmsghdr *message);

/**
 * netlink_ask - send a request whose answer is data: one object, or a dump of many
 * @message: from netlink_request(); a dump has NLM_F_DUMP set
 * @callback: called for each answer once all are there, so that it may use the socket
 *
 * Return: 0 or negative errno; -ENODATA if nothing was answered to a request for one object.
 */
int netlink_ask(struct netlink *netlink, struct nlmsghdr *message,
		netlink_message_callback *callback, void *context, struct error *error,
		const char *what, ...) __attribute__((format(printf, 6, 7)));

/**
 * netlink_parse_link - read an RTM_NEWLINK or RTM_DELLINK message
 *
 * Return: false if it is about something else, such as the bridge's view of its port.
 */
bool netlink_parse_link(const struct nlmsghdr *message, struct link_info *link);

/**
 * netlink_open_socket - a NETLINK_ROUTE socket made inside a namespace
 * @groups: bits of the multicast groups to join
 * @receive_size: bytes the kernel may queue for it
 *
 * Return: 0 or negative errno.
 */
int netlink_open_socket(struct mnl_socket **socket, int netns_fd, unsigned int groups,
			int receive_size, struct error *error);

/**
 * netlink_check_name - whether @name can be the name of a device
 *
 * Return: 0 or -EINVAL with a sentence.
 */
int netlink_check_name(const char *name, struct error *error);

#endif
