/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of the state directory about the cluster; see cluster_config.h.
 */
#include "agent/cluster/cluster_config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"

#define CONFIG_NAME "cluster.json"
#define FILE_SIZE_MAX (256U << 10)
#define TEXT_LENGTH_MAX 4096

char *cluster_config_path(const char *state, const char *name)
{
	return xasprintf("%s/%s", state, name);
}

int cluster_config_write_file(const char *state, const char *name, const char *text,
			      struct error *error)
{
	char *path = cluster_config_path(state, name), *slash = strrchr(path, '/');
	int code;

	*slash = '\0';
	code = file_make_directories(path, 0700, error);
	*slash = '/';
	if (!code)
		code = file_write_atomic(path, text, strlen(text), 0600, error);
	free(path);
	return code;
}

int cluster_config_read_file(const char *state, const char *name, char **text, struct error *error)
{
	char *path = cluster_config_path(state, name);
	struct buf content = { 0 };
	int code = file_read(path, FILE_SIZE_MAX, &content, error);

	free(path);
	if (!code)
		*text = buf_steal(&content, NULL);
	buf_fini(&content);
	return code;
}

/* ---- reading ---- */

void cluster_config_read_underlay(struct json_reader *reader,
				  struct ip_prefix underlay[CLUSTER_UNDERLAY_MAX], size_t *count)
{
	json_t *list = NULL, *value;
	size_t i;

	if (!json_reader_array(reader, "underlay", JSON_OPTIONAL, CLUSTER_UNDERLAY_MAX, &list))
		return;
	json_array_foreach(list, i, value) {
		const char *text = json_string_value(value);

		if (!text || ip_prefix_parse_or_address(text, &underlay[i])) {
			json_reader_fail(reader, "underlay", EINVAL, "\"%s\" is no address",
					 text ? text : "");
			return;
		}
		*count = i + 1;
	}
}

static void read_etcd(struct cluster_config *config, struct json_reader *reader)
{
	struct json_reader child;
	const char *cluster;

	if (!json_reader_object(reader, "etcd", JSON_OPTIONAL, &child))
		return;
	if (json_reader_text(&child, "cluster", JSON_REQUIRED, TEXT_LENGTH_MAX, &cluster))
		config->etcd_cluster = xstrdup(cluster);
	json_reader_bool(&child, "existing", JSON_REQUIRED, &config->etcd_existing);
	json_reader_finish(&child);
}

static int read_document(struct cluster_config *config, json_t *document, struct error *error)
{
	struct json_reader reader;
	const char *text;

	json_reader_init(&reader, document, "", error);
	if (json_reader_text(&reader, "host", JSON_REQUIRED, 63, &text))
		config->host = xstrdup(text);
	if (json_reader_text(&reader, "store", JSON_REQUIRED, TEXT_LENGTH_MAX, &text))
		config->store = xstrdup(text);
	if (json_reader_text(&reader, "store_ca", JSON_OPTIONAL, TEXT_LENGTH_MAX, &text))
		config->store_ca = xstrdup(text);
	if (json_reader_text(&reader, "store_cert", JSON_OPTIONAL, TEXT_LENGTH_MAX, &text))
		config->store_certificate = xstrdup(text);
	if (json_reader_text(&reader, "store_key", JSON_OPTIONAL, TEXT_LENGTH_MAX, &text))
		config->store_key = xstrdup(text);
	cluster_config_read_underlay(&reader, config->underlay, &config->underlay_count);
	read_etcd(config, &reader);
	return json_reader_finish(&reader);
}

int cluster_config_read(const char *state, struct cluster_config *config, struct error *error)
{
	char *path = cluster_config_path(state, CONFIG_NAME), *text = NULL;
	json_t *document = NULL;
	int code = 0;

	*config = (struct cluster_config){ 0 };
	if (access(path, F_OK) == 0 || errno != ENOENT) {
		code = cluster_config_read_file(state, CONFIG_NAME, &text, error);
		if (!code)
			code = json_load_text(text, strlen(text), FILE_SIZE_MAX, &document, error);
		if (!code)
			code = read_document(config, document, error);
		if (code)
			error_prefix(error, "%s", path);
	}
	json_decref(document);
	free(text);
	free(path);
	if (code)
		cluster_config_fini(config);
	return code;
}

/* ---- writing ---- */

int cluster_config_write(const char *state, const struct cluster_config *config,
			 struct error *error)
{
	json_t *underlay = json_array(), *document;
	char *text;
	int code;

	for (size_t i = 0; i < config->underlay_count; i++) {
		char prefix[IP_PREFIX_TEXT_SIZE];

		json_array_append_new(underlay,
				      json_string(ip_prefix_format(&config->underlay[i], prefix)));
	}
	document = json_pack("{s:s, s:s, s:o, s:s*, s:s*, s:s*}", "host", config->host, "store",
			     config->store, "underlay", underlay, "store_ca", config->store_ca,
			     "store_cert", config->store_certificate, "store_key",
			     config->store_key);
	if (config->etcd_cluster)
		json_object_set_new(document, "etcd",
				    json_pack("{s:s, s:b}", "cluster", config->etcd_cluster,
					      "existing", config->etcd_existing));
	text = json_dumps(document, JSON_INDENT(2));
	json_decref(document);
	code = cluster_config_write_file(state, CONFIG_NAME, text, error);
	free(text);
	return code;
}

bool cluster_config_add_member(struct cluster_config *config, const char *address)
{
	char *list = xstrdup(strstr(config->store, "://") + 3), *rest = list, *word, *longer;
	bool known = false;

	while (!known && (word = strsep(&rest, ",")))
		known = strcmp(word, address) == 0;
	free(list);
	if (known)
		return false;
	longer = xasprintf("%s,%s", config->store, address);
	free(config->store);
	config->store = longer;
	return true;
}

void cluster_config_fini(struct cluster_config *config)
{
	free(config->host);
	free(config->store);
	free(config->store_ca);
	free(config->store_certificate);
	free(config->store_key);
	free(config->etcd_cluster);
	*config = (struct cluster_config){ 0 };
}
