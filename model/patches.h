/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Patches: two ports of one host that are joined to one another, and so their segments.
 *
 * Each names the other, so that neither VPC is joined to another one without its own word. Segments and patches are
 * a graph; a patch that would close a circle in it is cut, for an Ethernet segment has no hop limit. Of a
 * circle the patch made last is cut, on every host alike, and it comes to life when another goes.
 *
 * Neighbours: agent/devices/ports.c, who makes the devices; check_port.c, who refuses what can never be. Loops through
 * other people's switches are found by probes (core/loop.c).
 */
#ifndef WEFT_MODEL_PATCHES_H
#define WEFT_MODEL_PATCHES_H

#include "model/object.h"

/**
 * struct patch - what becomes of a port with attach: {patch: NAME}
 * @peer_id: the port it is joined to; 0: it is not
 * @cut: it would close a circle
 * @sentence: why it is not joined; "" if it is
 */
struct patch {
	uint32_t peer_id;
	bool cut;
	char sentence[400];
};

/** intent_patch - how the patch @port is now. Cost: all patches there are. */
void intent_patch(const struct intent *intent, const struct port_object *port, struct patch *patch);

/** intent_links - ids of all ports that lead to other switches; likewise */
size_t intent_links(const struct intent *intent, uint32_t **ids);

/** intent_patches - ids of all ports that are patches; the array is the caller's. Return: how many. */
size_t intent_patches(const struct intent *intent, uint32_t **ids);

/**
 * patch_split - the VPC and the port of "port" or "vpc/port"
 * @own_vpc: that is meant where none is named
 *
 * Return: false if a name is too long.
 */
bool patch_split(const char *text, const char *own_vpc, char vpc[NAME_SIZE], char port[NAME_SIZE]);

#endif
