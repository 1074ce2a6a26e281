/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The headers of IP as they stand in a packet (RFC 791, RFC 8200), without options and extensions.
 *
 * Read by parse.c, for what a workload sends, and by tunnel_parse.c, for what carries it between hosts.
 */
#ifndef WEFT_CORE_IP_H
#define WEFT_CORE_IP_H

#include "core/tables.h"

struct ipv4_header {
	__u8 version_length;
	__u8 service;
	__be16 length;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be32 source;
	__be32 destination;
};

struct ipv6_header {
	__be32 version_class_label;
	__be16 payload_length;
	__u8 next;
	__u8 hop_limit;
	struct address source;
	struct address destination;
};

#endif
