/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the devices that a daemon has for itself: one of each kind for each instance on a machine.
 *
 * Neighbours: mirrors.c, agent/services/punt.c (who use them).
 */
#ifndef WEFT_AGENT_OWN_NAME_H
#define WEFT_AGENT_OWN_NAME_H

#define OWN_NAME_SIZE 16

/**
 * own_name - "wp-default"; of a long name a number made of it
 * @prefix: "wp-", three characters that say what the device is
 */
void own_name(char name[OWN_NAME_SIZE], const char *prefix, const char *instance);

#endif
