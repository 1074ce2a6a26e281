/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a host remembers of its cluster, in the state directory: written by `weft host init` and
 * `weft host join`, read by each start of weftd.
 *
 *	STATE/cluster.json	name, underlay, addresses of the store, the etcd that is run here
 *	STATE/tls/		ca.pem, host.pem, host.key; and ca.key, join.token on the host that signs
 *	STATE/etcd/		data, log and pid of the etcd that is run here
 *
 * A host without cluster.json is alone and has its intent in SQLite.
 */
#ifndef WEFT_AGENT_CLUSTER_CONFIG_H
#define WEFT_AGENT_CLUSTER_CONFIG_H

#include <stdbool.h>

#include "agent/cluster/certificate.h"
#include "base/addr.h"
#include "base/error.h"
#include "base/json.h"

#define CLUSTER_UNDERLAY_MAX 8
#define CLUSTER_PORT 6082 /* TCP: joining; UDP: the path probe */
#define CLUSTER_TOKEN_SIZE 128

/**
 * struct cluster_config - texts owned; release with cluster_config_fini()
 * @host: name of this host; NULL: not said
 * @store: "etcd://A:2379,B:2379" or "etcds://…"; NULL: none, the host is alone
 * @store_ca, @store_certificate, @store_key: paths of PEM files, for etcds://; NULL: none
 * @underlay: addresses of this host with the length of their prefix (128: unknown)
 * @etcd_cluster: members as etcd wants them at its first start; NULL: no etcd is run here
 * @etcd_existing: it joins members that are there
 */
struct cluster_config {
	char *host;
	char *store;
	char *store_ca;
	char *store_certificate;
	char *store_key;
	struct ip_prefix underlay[CLUSTER_UNDERLAY_MAX];
	size_t underlay_count;
	char *etcd_cluster;
	bool etcd_existing;
};

/**
 * cluster_config_read - read STATE/cluster.json
 * @config: all NULL if there is no such file
 *
 * Return: 0 (also without a file), or negative errno.
 */
int cluster_config_read(const char *state, struct cluster_config *config, struct error *error);

/**
 * cluster_config_read_underlay - the addresses under the key "underlay", with or without a length
 * @reader: of an object; fails when one is no address
 * @count: set when there are any
 */
void cluster_config_read_underlay(struct json_reader *reader,
				  struct ip_prefix underlay[CLUSTER_UNDERLAY_MAX], size_t *count);

/** cluster_config_write - write it; after a crash the old or the new is there */
int cluster_config_write(const char *state, const struct cluster_config *config,
			 struct error *error);

/**
 * cluster_config_add_member - one more address of the store
 * @address: "192.0.2.2:2379"
 *
 * Return: whether it was not known before.
 */
bool cluster_config_add_member(struct cluster_config *config, const char *address);

/** cluster_config_fini - release the texts */
void cluster_config_fini(struct cluster_config *config);

/** cluster_config_path - STATE/NAME, owned by the caller */
char *cluster_config_path(const char *state, const char *name);

/** cluster_config_write_file - STATE/NAME with @text in it, for its owner only */
int cluster_config_write_file(const char *state, const char *name, const char *text,
			      struct error *error);

/** cluster_config_read_file - what is in STATE/NAME, owned by the caller. Return: 0 or negative errno. */
int cluster_config_read_file(const char *state, const char *name, char **text, struct error *error);

#endif
