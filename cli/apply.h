/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of intent: what apply and lab do alike with them.
 *
 * Neighbours: apply.c, lab.c.
 */
#ifndef WEFT_CLI_APPLY_H
#define WEFT_CLI_APPLY_H

#include "cli/command.h"
#include "client/yaml.h"

/**
 * apply_read_file - read a weft.yaml
 * @path: "-" is standard input
 * @document: filled in on success; yaml_unload()
 *
 * Return: 0, or an exit status after the fault was printed with its line.
 */
int apply_read_file(struct invocation *invocation, const char *path,
		    struct yaml_document *document);

/**
 * apply_report - print a refusal of the daemon with the place in the file
 *
 * Return: the exit status.
 */
int apply_report(struct invocation *invocation, const char *path,
		 const struct yaml_document *document, const struct error *error);

#endif
