/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nouns, each defined in the file of its name.
 *
 * Neighbours: nouns.c puts them in order.
 */
#ifndef WEFT_CLI_NOUNS_H
#define WEFT_CLI_NOUNS_H

#include "cli/command.h"

extern const struct noun acl_noun;
extern const struct noun apply_noun;
extern const struct noun capture_noun;
extern const struct noun completion_noun;
extern const struct noun counters_noun;
extern const struct noun drops_noun;
extern const struct noun events_noun;
extern const struct noun export_noun;
extern const struct noun flow_log_noun;
extern const struct noun flows_noun;
extern const struct noun group_noun;
extern const struct noun help_noun;
extern const struct noun host_noun;
extern const struct noun lab_noun;
extern const struct noun multicast_noun;
extern const struct noun port_noun;
extern const struct noun route_noun;
extern const struct noun route_table_noun;
extern const struct noun rule_noun;
extern const struct noun status_noun;
extern const struct noun subnet_noun;
extern const struct noun trace_noun;
extern const struct noun tunnel_noun;
extern const struct noun version_noun;
extern const struct noun vpc_noun;

#endif
