/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One question over TLS, one answer: what a host that joins asks the first host and etcd.
 *
 * The other side is known by the authority's certificate, or, when that is not here yet, by its hash, which
 * is a part of the token: nothing is sent before the chain that the other side shows ends in it.
 * Calls block, with a deadline of TLS_CLIENT_SECONDS for all.
 */
#ifndef WEFT_AGENT_TLS_CLIENT_H
#define WEFT_AGENT_TLS_CLIENT_H

#include <jansson.h>

#include "base/error.h"

#define TLS_CLIENT_SECONDS 15

/**
 * struct tls_question - borrowed for the call
 * @host: IP address
 * @authority: PEM that the other side's certificate must be of; NULL: see @authority_hash
 * @authority_hash: of it (certificate_hash()); its PEM is then set in tls_ask()
 * @certificate, @key: PEM to show; NULL for none
 * @bearer: secret in the header; NULL for none
 * @path: such as "/v1/join"
 */
struct tls_question {
	const char *host;
	unsigned int port;
	const char *authority;
	const char *authority_hash;
	const char *certificate;
	const char *key;
	const char *bearer;
	const char *path;
	const json_t *body;
};

/**
 * tls_ask - POST the body, read the answer
 * @authority: set to the PEM of the authority that was found by its hash, owned by the caller; may be NULL
 * @answer: set to the JSON of an answer with status 200; a new reference
 *
 * Return: 0; -EACCES if the other side is not who it should be; -EPROTO for an answer that makes no
 * sense; what an error document of the other side says; or another negative errno.
 */
int tls_ask(const struct tls_question *question, char **authority, json_t **answer,
	    struct error *error);

#endif
