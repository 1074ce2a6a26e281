/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mirror device: a tap of Weft's by which copies go that are to be cut or to leave by a tunnel.
 *
 * The pipeline puts a copy in at the device as if it had come in there, and the program at its ingress sees to
 * the rest (core/mirror.c). So nobody reads or writes the tap, which is there for being a device and nothing
 * else; it is persistent, for copies go on without the daemon. It is made with the first mirror.
 *
 * Neighbours: reconcile_host.c (the caller), target/bpf/mirror.bpf.c.
 */
#ifndef WEFT_AGENT_MIRRORS_H
#define WEFT_AGENT_MIRRORS_H

#include <stdbool.h>

#include "base/error.h"
#include "datapath/datapath.h"

struct mirrors;

/**
 * mirrors_open - no device yet, and one of an earlier run stays for now
 * @devices: false: none is ever made (tests)
 */
struct mirrors *mirrors_open(struct datapath *datapath, const char *instance, bool devices);

/** mirrors_close - the device stays (NULL is ignored) */
void mirrors_close(struct mirrors *mirrors);

/**
 * mirrors_want - whether there are mirrors: makes the device, also when somebody has deleted it, or takes it away
 *
 * Cheap when nothing changes. Trouble is logged, and met with another try at the next call after a while.
 */
void mirrors_want(struct mirrors *mirrors, bool wanted);

/** mirrors_remove - the device of an instance, for good; none is fine. Return: 0 or negative errno. */
int mirrors_remove(const char *instance, struct error *error);

#endif
