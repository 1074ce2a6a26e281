/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of commands for weft(1). Neighbours: manual.c, run.c (weft help --mdoc). */
#ifndef WEFT_CLI_MANUAL_H
#define WEFT_CLI_MANUAL_H

#include "cli/command.h"

/** manual_print - all commands and options as sections of mdoc(7) */
void manual_print(FILE *out);

#endif
