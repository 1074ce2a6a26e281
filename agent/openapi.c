/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes in agent/openapi.json at assembly time, from the root of the project, where the compiler runs.
 */
#include "agent/openapi.h"

__asm__(".pushsection .rodata\n"
	".global openapi_text\n"
	".global openapi_end\n"
	"openapi_text:\n"
	".incbin \"agent/openapi.json\"\n"
	"openapi_end:\n"
	".byte 0\n"
	".popsection\n");

size_t openapi_len(void)
{
	return (size_t)(openapi_end - openapi_text);
}
