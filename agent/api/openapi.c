/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes in agent/api/openapi.json at assembly time, from the root of the project, where the compiler runs.
 */
#include "agent/api/openapi.h"

__asm__(".pushsection .rodata\n"
	".global openapi_text\n"
	".global openapi_size\n"
	"openapi_text:\n"
	".incbin \"agent/api/openapi.json\"\n"
	"0:\n"
	".byte 0\n"
	".balign 8\n"
	"openapi_size:\n"
	".quad 0b - openapi_text\n"
	".popsection\n");

size_t openapi_len(void)
{
	return (size_t)openapi_size;
}
