/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon may still do once it is set up: the few capabilities it needs, and no way to more.
 */
#ifndef WEFT_AGENT_ISOLATE_H
#define WEFT_AGENT_ISOLATE_H

#include <stddef.h>

#include "base/error.h"

/**
 * isolate_check - whether the capabilities are there that the daemon cannot do without
 *
 * Return: 0, or -EPERM with the names of those that are missing and what they are for.
 */
int isolate_check(struct error *error);

/**
 * isolate_drop - give up every capability that is not in the list, for good
 *
 * Return: 0 or negative errno.
 */
int isolate_drop(struct error *error);

#endif
