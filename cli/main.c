/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft, the command: main() alone, so that tests can link everything else.
 *
 * Neighbours: run.c (one run from a command line to an exit status), nouns.c (the table of all of
 * it).
 */
#include <locale.h>
#include <signal.h>

#include "cli/command.h"

int main(int argument_count, char **arguments)
{
	setlocale(LC_CTYPE, "");
	/* A closed pipe is seen as an error of the write, by those who stream. */
	signal(SIGPIPE, SIG_IGN);
	return cli_run(argument_count, arguments, stdout, stderr);
}
