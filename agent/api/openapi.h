/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of agent/api/openapi.json, which is part of the binary, so that what a daemon says it serves is
 * what it was built with.
 */
#ifndef WEFT_AGENT_OPENAPI_H
#define WEFT_AGENT_OPENAPI_H

#include <stddef.h>
#include <stdint.h>

/* Terminated, for the convenience of debuggers. */
extern const char openapi_text[];
extern const uint64_t openapi_size;

/** openapi_len - Return: bytes of openapi_text */
size_t openapi_len(void);

#endif
