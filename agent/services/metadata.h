/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a port finds at 169.254.169.254 about itself, over HTTP.
 *
 * /latest/… is laid out as EC2's, for cloud-init and others that look there: meta-data/ (instance-id,
 * hostname, local-ipv4, mac, network/interfaces/macs/…), user-data, and the session token of IMDSv2, which
 * is given and checked but not asked for. /weft/v1/port is the same as one JSON document. Who asks is
 * known by the pipeline's alias; nothing in the request says it, so no port can ask for another.
 *
 * Neighbours: metadata_tree.c (what is said), services.c (sockets and clients).
 */
#ifndef WEFT_AGENT_METADATA_H
#define WEFT_AGENT_METADATA_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/object.h"

/* ---- metadata_tree.c ---- */

/** metadata_port - /weft/v1/port. New reference. */
json_t *metadata_port(const struct intent *intent, const struct port_object *port);

/** metadata_tree - what is below /latest/meta-data: objects are folders, strings are leaves. New reference. */
json_t *metadata_tree(const struct intent *intent, const struct port_object *port);

/**
 * metadata_look_up - the text of a path in a tree
 * @path: without a slash in front; "" is the whole
 * @text: appended to: a leaf as it is, a folder as a list of names, each with a slash if it is a folder
 *
 * Return: false if there is no such path.
 */
bool metadata_look_up(const json_t *tree, const char *path, struct buf *text);

/* Session tokens: for one port, for a while. */

#define METADATA_KEY_SIZE 32
#define METADATA_TOKEN_SIZE 81 /* 80 hexadecimal digits */

/** metadata_token - a token for @port_id that holds until @expires (seconds of the monotonic clock) */
void metadata_token(const uint8_t key[METADATA_KEY_SIZE], uint32_t port_id, uint64_t expires,
		    char token[METADATA_TOKEN_SIZE]);

/** metadata_token_holds - whether @token is one for @port_id, at the second @now */
bool metadata_token_holds(const uint8_t key[METADATA_KEY_SIZE], uint32_t port_id, uint64_t now,
			  const char *token);

#endif
