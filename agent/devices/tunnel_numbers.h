/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The numbers that packets of a GRE tunnel with `sequence` carry (RFC 2890): the next one to send,
 * the next one to be received.
 *
 * They are no part of the plan: the pipeline moves them with each packet, and a row that is planned
 * would be put back to what the plan says. But without a row the pipeline drops what the tunnel
 * should carry, so a row of zeros is made before such a tunnel is written and taken out after the
 * tunnel. A live row is kept as long as its tunnel leads to the same end, also over a restart of
 * the daemon: the other end drops what is behind the numbers it has seen.
 *
 * Neighbours: tables.c (the only caller), core/tunnel_push.c and core/tunnel_pop.c, which count.
 */
#ifndef WEFT_AGENT_TUNNEL_NUMBERS_H
#define WEFT_AGENT_TUNNEL_NUMBERS_H

#include <stddef.h>

#include "base/map.h"
#include "datapath/datapath.h"

/**
 * tunnel_numbers_prepare - before the row of a tunnel is written: it has numbers if it needs them
 * @wanted: the row that will be written
 * @old: becomes the row that is there now, or zeros
 *
 * Return: 0, or negative errno: the tunnel must not be written, it would carry nothing.
 */
int tunnel_numbers_prepare(struct datapath *datapath, const struct tunnel_key *key,
			   const struct tunnel *wanted, struct tunnel *old);

/**
 * tunnel_numbers_settle - after the row of a tunnel was written: numbers of what it was before go
 * @written: the row that is there now
 * @old: what tunnel_numbers_prepare() found
 *
 * A failure is logged; tunnel_numbers_audit() takes out what is left over.
 */
void tunnel_numbers_settle(struct datapath *datapath, const struct tunnel_key *key,
			   const struct tunnel *written, const struct tunnel *old);

/** tunnel_numbers_remove - after a tunnel was removed, which was @old; a failure is logged */
void tunnel_numbers_remove(struct datapath *datapath, const struct tunnel_key *key,
			   const struct tunnel *old);

/**
 * tunnel_numbers_audit - every tunnel that needs numbers has them, and no other has
 * @tunnels: struct tunnel_key -> struct tunnel: all that are written, with numbers or without
 *
 * Return: how many rows were made or removed.
 */
size_t tunnel_numbers_audit(struct datapath *datapath, const struct map *tunnels);

#endif
