/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files and tokens of a cluster; see cluster_setup.h. How a host asks to join is in cluster_join.c.
 */
#include "agent/cluster/cluster_setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "agent/cluster/cluster_setup_private.h"
#include "agent/cluster/cluster_store.h"
#include "agent/cluster/etcd.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "model/object.h"

#define TOKEN_PREFIX "weft-"
#define SECRET_SIZE 20
#define TOKEN_FILE_SIZE_MAX 4096

/* ---- what is asked for ---- */

int cluster_wish_read(json_t *body, struct cluster_wish *wish, struct error *error)
{
	static const size_t length = 4096;
	struct json_reader reader;

	*wish = (struct cluster_wish){ 0 };
	json_reader_init(&reader, body, "", error);
	json_reader_text(&reader, "name", JSON_OPTIONAL, NAME_SIZE - 1, &wish->name);
	cluster_config_read_underlay(&reader, wish->underlay, &wish->underlay_count);
	json_reader_bool(&reader, "with_etcd", JSON_OPTIONAL, &wish->with_etcd);
	json_reader_text(&reader, "store", JSON_OPTIONAL, length, &wish->store);
	json_reader_text(&reader, "store_ca", JSON_OPTIONAL, length, &wish->store_ca);
	json_reader_text(&reader, "store_cert", JSON_OPTIONAL, length, &wish->store_certificate);
	json_reader_text(&reader, "store_key", JSON_OPTIONAL, length, &wish->store_key);
	json_reader_text(&reader, "address", JSON_OPTIONAL, length, &wish->address);
	json_reader_text(&reader, "token", JSON_OPTIONAL, CLUSTER_TOKEN_SIZE, &wish->token);
	return json_reader_finish(&reader);
}

int cluster_wish_check(const char *state, const struct cluster_wish *wish, struct error *error)
{
	struct cluster_config config;
	int code = cluster_config_read(state, &config, error);
	char *program;

	if (code)
		return code;
	if (config.store)
		code = error_set(error, EEXIST, NULL,
				 "this host is in a cluster already, as %s with the store %s; "
				 "remove %s/cluster.json to leave it",
				 config.host, config.store, state);
	cluster_config_fini(&config);
	if (code || !wish->with_etcd)
		return code;
	program = etcd_installed(error);
	free(program);
	return program ? 0 : error ? error->code : -ENOENT;
}

/* ---- tokens ---- */

static void hexadecimal(const uint8_t *bytes, size_t size, char *text)
{
	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* Whether the store is one that Weft runs, on some hosts. */
static bool own_store(const char *state, const struct cluster_config *config)
{
	char *path = cluster_config_path(state, "tls/ca.pem");
	bool own = config->store_ca && strcmp(config->store_ca, path) == 0;

	free(path);
	return own;
}

/* Who signs: the host that made the cluster, and those that run a member of its store. */
static int refuse_token(const char *state, struct error *error)
{
	struct cluster_config config;
	int code = cluster_config_read(state, &config, error);

	if (code)
		return code;
	if (!config.store)
		error_set(error, ENOENT, NULL,
			  "this host is in no cluster: `weft host init` makes one");
	else
		error_set(error, ENOENT, NULL,
			  "this host cannot let others in: ask the one where `weft host init` was "
			  "done%s%s",
			  own_store(state, &config)
				  ? ", or another that runs a member of the store: "
				  : "",
			  own_store(state, &config) ? strstr(config.store, "://") + 3 : "");
	cluster_config_fini(&config);
	return -ENOENT;
}

int cluster_token(const char *state, char **token, struct error *error)
{
	char hash[CERTIFICATE_HASH_SIZE], secret[2 * SECRET_SIZE + 1], *path, *text, *authority;
	uint8_t bytes[SECRET_SIZE];
	json_t *document;
	int code;

	path = cluster_config_path(state, "tls/ca.key");
	code = access(path, R_OK) ? -errno : 0;
	free(path);
	if (code)
		return refuse_token(state, error);
	code = cluster_config_read_file(state, "tls/ca.pem", &authority, error);
	if (code)
		return code;
	code = certificate_hash(authority, hash, error);
	free(authority);
	if (!code && getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		code = error_set(error, EIO, NULL, "no random numbers: %s", strerror(errno));
	if (code)
		return code;
	hexadecimal(bytes, sizeof(bytes), secret);
	document = json_pack("{s:s, s:I}", "secret", secret, "expires",
			     (json_int_t)time(NULL) + CLUSTER_TOKEN_HOURS * 3600);
	text = json_dumps(document, JSON_COMPACT);
	json_decref(document);
	code = cluster_config_write_file(state, "tls/join.token", text, error);
	free(text);
	if (!code)
		*token = xasprintf(TOKEN_PREFIX "%s-%s", secret, hash);
	return code;
}

/* Takes as long whatever is wrong. */
static bool secret_equal(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned char differs = a_len != b_len;

	for (size_t i = 0; i < b_len; i++)
		differs |= (unsigned char)(a[i < a_len ? i : 0] ^ b[i]);
	return !differs;
}

bool cluster_token_fits(const char *state, const char *secret)
{
	char *text = NULL;
	json_t *document = NULL;
	const char *wanted;
	bool fits = false;

	if (cluster_config_read_file(state, "tls/join.token", &text, NULL))
		return false;
	if (!json_load_text(text, strlen(text), TOKEN_FILE_SIZE_MAX, &document, NULL)) {
		wanted = json_string_value(json_object_get(document, "secret"));
		fits = wanted && *wanted && secret_equal(secret, wanted) &&
		       json_integer_value(json_object_get(document, "expires")) >
			       (json_int_t)time(NULL);
	}
	json_decref(document);
	free(text);
	return fits;
}

int cluster_token_split(const char *token, char *secret, size_t size, const char **hash,
			struct error *error)
{
	const char *dash;

	if (strncmp(token, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) == 0) {
		token += strlen(TOKEN_PREFIX);
		dash = strchr(token, '-');
		if (dash && (size_t)(dash - token) < size &&
		    strlen(dash + 1) == CERTIFICATE_HASH_SIZE - 1) {
			snprintf(secret, size, "%.*s", (int)(dash - token), token);
			*hash = dash + 1;
			return 0;
		}
	}
	return error_set(error, EINVAL, NULL,
			 "that is no token: it is the line that `weft host init` or "
			 "`weft host token` prints, and begins with weft-");
}

/* ---- files ---- */

int cluster_write_identity(const char *state, const char *authority, const char *certificate,
			   const char *key, struct error *error)
{
	int code = cluster_config_write_file(state, "tls/ca.pem", authority, error);

	if (!code)
		code = cluster_config_write_file(state, "tls/host.pem", certificate, error);
	if (!code)
		code = cluster_config_write_file(state, "tls/host.key", key, error);
	return code;
}

void cluster_own_store(const char *state, struct cluster_config *config)
{
	free(config->store_ca);
	free(config->store_certificate);
	free(config->store_key);
	config->store_ca = cluster_config_path(state, "tls/ca.pem");
	config->store_certificate = cluster_config_path(state, "tls/host.pem");
	config->store_key = cluster_config_path(state, "tls/host.key");
}

void cluster_config_of_wish(const struct cluster_wish *wish, struct cluster_config *config)
{
	*config = (struct cluster_config){
		.host = xstrdup(wish->name),
		.store = xstrdup(wish->store),
		.store_ca = xstrdup(wish->store_ca),
		.store_certificate = xstrdup(wish->store_certificate),
		.store_key = xstrdup(wish->store_key),
		.underlay_count = wish->underlay_count,
	};
	memcpy(config->underlay, wish->underlay, sizeof(config->underlay));
}

/* A certificate of the authority for a key that is made here. */
static int certify_self(const char *state, const struct certificate_pair *authority,
			const struct cluster_wish *wish, struct error *error)
{
	struct ip_address addresses[CLUSTER_UNDERLAY_MAX];
	char *key = NULL, *request = NULL, *certificate = NULL;
	int code = certificate_request_new(wish->name, &key, &request, error);

	for (size_t i = 0; i < wish->underlay_count; i++)
		addresses[i] = wish->underlay[i].address;
	if (!code)
		code = certificate_issue(authority, request, wish->name, addresses,
					 wish->underlay_count, &certificate, error);
	if (!code)
		code = cluster_write_identity(state, authority->certificate, certificate, key,
					      error);
	if (key)
		explicit_bzero(key, strlen(key));
	free(key);
	free(request);
	free(certificate);
	return code;
}

/* "etcds://192.0.2.1:2379" of "https://…". */
char *cluster_store_of_url(const char *url)
{
	return xasprintf("etcds://%s", url + strlen("https://"));
}

static void configure_etcd(const char *state, const struct cluster_wish *wish,
			   struct cluster_config *config)
{
	char *client = etcd_url(&wish->underlay[0].address, ETCD_CLIENT_PORT);
	char *peer = etcd_url(&wish->underlay[0].address, ETCD_PEER_PORT);

	config->store = cluster_store_of_url(client);
	config->etcd_cluster = xasprintf("%s=%s", wish->name, peer);
	cluster_own_store(state, config);
	free(peer);
	free(client);
}

/* The store answers, and the intent of this host is in it. */
static int begin_store(struct loop *loop, const char *state, struct store *intent,
		       const struct cluster_config *config, struct error *error)
{
	struct etcd *etcd = NULL;
	struct store *store = NULL;
	int code = 0;

	if (config->etcd_cluster)
		code = etcd_open(loop, state, config, &etcd, error);
	if (!code)
		code = cluster_store_open(config, &store, error);
	if (!code)
		code = cluster_store_wait(store, error);
	if (!code)
		code = cluster_store_import(intent, store, config->host, error);
	store_close(store);
	etcd_close(etcd, code != 0);
	return code;
}

static int prepare(const char *state, struct cluster_wish *wish, char **token,
		   struct cluster_config *config, struct error *error)
{
	struct certificate_pair authority = { 0 };
	int code = certificate_authority_new(&authority, error);

	if (!code)
		code = certify_self(state, &authority, wish, error);
	if (!code)
		code = cluster_config_write_file(state, "tls/ca.key", authority.key, error);
	if (!code)
		code = cluster_token(state, token, error);
	certificate_pair_fini(&authority);
	cluster_config_of_wish(wish, config);
	if (!code && wish->with_etcd)
		configure_etcd(state, wish, config);
	return code;
}

int cluster_init(struct loop *loop, const char *state, struct store *intent,
		 struct cluster_wish *wish, char **token, struct error *error)
{
	struct cluster_config config = { 0 };
	int code = cluster_wish_check(state, wish, error);

	*token = NULL;
	if (code)
		return code;
	if (!wish->with_etcd == !wish->store)
		return error_set(
			error, EINVAL, NULL,
			"a cluster needs a store: --with-etcd runs one here, --store names "
			"one that runs");
	code = cluster_underlay_find(wish, error);
	if (!code)
		code = prepare(state, wish, token, &config, error);
	if (!code)
		code = begin_store(loop, state, intent, &config, error);
	if (!code)
		code = cluster_config_write(state, &config, error);
	cluster_config_fini(&config);
	if (code) {
		free(*token);
		*token = NULL;
	}
	return code;
}

/* ---- the first host's answer to one that joins ---- */

static int read_joiner(json_t *body, const char **name, struct ip_address *addresses, size_t *count,
		       const char **request, bool *member, struct error *error)
{
	struct json_reader reader;
	json_t *list = NULL, *value;
	size_t i;

	json_reader_init(&reader, body, "", error);
	json_reader_text(&reader, "name", JSON_REQUIRED, NAME_SIZE - 1, name);
	json_reader_text(&reader, "request", JSON_REQUIRED, 16384, request);
	json_reader_bool(&reader, "member", JSON_OPTIONAL, member);
	*count = 0;
	if (json_reader_array(&reader, "addresses", JSON_REQUIRED, CLUSTER_UNDERLAY_MAX, &list)) {
		json_array_foreach(list, i, value) {
			const char *text = json_string_value(value);

			if (!text || ip_address_parse(text, &addresses[i]))
				return json_reader_fail(&reader, "addresses", EINVAL,
							"an address is none");
			*count = i + 1;
		}
	}
	return json_reader_finish(&reader);
}

int cluster_admit(const char *state, json_t *body, json_t **answer, struct error *error)
{
	struct ip_address addresses[CLUSTER_UNDERLAY_MAX];
	struct certificate_pair authority = { 0 };
	struct cluster_config config = { 0 };
	const char *name = NULL, *request = NULL;
	char *certificate = NULL;
	bool member = false;
	size_t count;
	int code = read_joiner(body, &name, addresses, &count, &request, &member, error);

	if (!code)
		code = cluster_config_read(state, &config, error);
	if (!code && config.host && strcmp(config.host, name) == 0)
		code = error_set(error, EEXIST, "name",
				 "this cluster has a host %s; choose another --name", name);
	if (!code)
		code = cluster_config_read_file(state, "tls/ca.pem", &authority.certificate, error);
	if (!code)
		code = cluster_config_read_file(state, "tls/ca.key", &authority.key, error);
	if (!code)
		code = certificate_issue(&authority, request, name, addresses, count, &certificate,
					 error);
	if (!code) {
		*answer = json_pack("{s:s, s:s, s:b}", "certificate", certificate, "store",
				    config.store, "own_store", config.etcd_cluster != NULL);
		/* Who has all the data of the cluster may let hosts in as well. */
		if (member && config.etcd_cluster)
			json_object_set_new(*answer, "authority_key", json_string(authority.key));
		log_notice("a host joins", "host=%s", name);
	}
	free(certificate);
	certificate_pair_fini(&authority);
	cluster_config_fini(&config);
	return code;
}
