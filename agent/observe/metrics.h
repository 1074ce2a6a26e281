/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's numbers in the text format 0.0.4 of Prometheus.
 *
 * All are read at the moment they are asked for; nothing is kept for them alone. Names of drop reasons
 * are those of core/verdict.h.
 */
#ifndef WEFT_AGENT_METRICS_H
#define WEFT_AGENT_METRICS_H

#include "base/buf.h"

struct api;

/** metrics_write - append all metrics to @text */
void metrics_write(const struct api *api, struct buf *text);

/** metrics_resident - Return: bytes of memory this process has resident, 0 if unknown */
unsigned long long metrics_resident(void);

#endif
