/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules as words of a command line and as rows of a list, for security groups and ACLs alike.
 *
 * Neighbours: rule.c (security groups), acl.c.
 */
#ifndef WEFT_CLI_RULE_H
#define WEFT_CLI_RULE_H

#include "cli/command.h"

/**
 * rule_read - make a rule of words and options: PROTOCOL [PORTS] --from PEER, --to PEER
 * @direction: "ingress" or "egress"
 * @first: place of the protocol among the arguments
 * @rule: set on success, a new reference
 *
 * Return: 0, or EXIT_USAGE and the line is printed.
 */
int rule_read(struct invocation *invocation, const char *direction, size_t first, json_t **rule);

/** rule_direction - check a word; Return: 0, or EXIT_USAGE and the line is printed */
int rule_direction(struct invocation *invocation, const char *word);

/**
 * rule_list_print - the rules of groups or ACLs, as --json or as a table
 * @objects: as object_collect() made them
 * @holder: "security_group" or "acl": key and title of what a rule is in
 *
 * Return: an exit status.
 */
int rule_list_print(struct invocation *invocation, const json_t *objects, const char *holder);

/** --from and --to */
extern const struct option rule_options[];

#endif
