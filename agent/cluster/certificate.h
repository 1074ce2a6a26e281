/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * X.509 for the hosts of a cluster: one authority, and a certificate of it for each host.
 *
 * The first host makes the authority; a host that joins makes its own key, which never leaves it, and asks
 * for a certificate with a request. The same certificate proves a host to etcd, to other members of etcd
 * and to hosts that join. Keys are ECDSA on P-256. Texts are PEM.
 *
 * Neighbours: cluster_setup.c (init, join), join_server.c (signs), cluster_config.c (files).
 */
#ifndef WEFT_AGENT_CERTIFICATE_H
#define WEFT_AGENT_CERTIFICATE_H

#include <stddef.h>

#include "base/addr.h"
#include "base/error.h"

/* SHA-256 in hexadecimal, with the terminator. */
#define CERTIFICATE_HASH_SIZE 65

/**
 * struct certificate_pair - a certificate and its key, PEM, owned; release with certificate_pair_fini()
 */
struct certificate_pair {
	char *certificate;
	char *key;
};

/** certificate_pair_fini - wipe the key and release both; an all-zero pair is allowed */
void certificate_pair_fini(struct certificate_pair *pair);

/**
 * certificate_authority_new - an authority that signs the hosts of one cluster
 * @pair: set on success
 *
 * Return: 0 or negative errno.
 */
int certificate_authority_new(struct certificate_pair *pair, struct error *error);

/**
 * certificate_request_new - a new key, and a request to certify it
 * @name: of the host
 * @key, @request: set on success to PEM owned by the caller
 *
 * Return: 0 or negative errno.
 */
int certificate_request_new(const char *name, char **key, char **request, struct error *error);

/**
 * certificate_issue - certify the key of a request, as server and as client
 * @request: PEM, from anywhere; its signature is checked
 * @name: of the host; what the request says of itself is not taken over
 * @addresses: the host's; loopback is added
 * @certificate: set on success to PEM owned by the caller
 *
 * Return: 0; -EINVAL for a request that is none; or another negative errno.
 */
int certificate_issue(const struct certificate_pair *authority, const char *request,
		      const char *name, const struct ip_address *addresses, size_t address_count,
		      char **certificate, struct error *error);

/**
 * certificate_hash - SHA-256 of a certificate, by which a host that joins knows the authority
 *
 * Return: 0 or -EINVAL.
 */
int certificate_hash(const char *text, char hash[CERTIFICATE_HASH_SIZE], struct error *error);

#endif
