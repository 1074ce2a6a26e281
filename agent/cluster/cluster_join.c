/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a host joins: the question to the first host, and becoming a member of etcd; see cluster_setup.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/cluster/cluster_setup_private.h"
#include "agent/cluster/etcd.h"
#include "agent/cluster/tls_client.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/netlink.h"

#define MEMBER_WAIT_MS 30000
#define MEMBER_STEP_MS 500

/* ---- the addresses of this host ---- */

/* The source address that packets to @to get; nothing is sent. Return: 0 or negative errno. */
static int source_towards(const struct ip_address *to, struct ip_address *from)
{
	struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	bool is_ipv4 = ip_address_is_ipv4(to);
	socklen_t size = is_ipv4 ? sizeof(ipv4) : sizeof(ipv6);
	struct sockaddr *address = is_ipv4 ? (struct sockaddr *)&ipv4 : (struct sockaddr *)&ipv6;
	int fd = socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), code = 0;

	if (fd < 0)
		return -errno;
	memcpy(&ipv4.sin_addr, to->byte + 12, 4);
	memcpy(&ipv6.sin6_addr, to->byte, 16);
	if (connect(fd, address, size) || getsockname(fd, address, &size))
		code = -errno;
	close(fd);
	if (code)
		return code;
	if (is_ipv4)
		*from = ip_address_from_ipv4(ntohl(ipv4.sin_addr.s_addr));
	else
		memcpy(from->byte, &ipv6.sin6_addr, 16);
	return 0;
}

struct search {
	struct ip_prefix *wanted;
	bool found;
};

static void match_address(void *context, const struct address_info *address)
{
	struct search *search = context;

	if (ip_address_equal(&address->address.address, &search->wanted->address)) {
		search->wanted->length = address->address.length;
		search->found = true;
	}
}

static int check_addresses(struct cluster_wish *wish, struct error *error)
{
	struct netlink *netlink;
	int code = netlink_open(&netlink, -1, error);

	for (size_t i = 0; !code && i < wish->underlay_count; i++) {
		struct search search = { .wanted = &wish->underlay[i] };
		char text[IP_ADDRESS_TEXT_SIZE];

		code = netlink_address_list(netlink, 0, match_address, &search, error);
		if (!code && !search.found)
			code = error_set(error, EADDRNOTAVAIL, "underlay",
					 "this host has no address %s",
					 ip_address_format(&wish->underlay[i].address, text));
	}
	netlink_close(netlink);
	return code;
}

int cluster_underlay_find(struct cluster_wish *wish, struct error *error)
{
	static const char *const anywhere[] = { "198.51.100.1", "2001:db8::1" };
	struct ip_address to;

	if (!wish->underlay_count && wish->address && !ip_address_parse(wish->address, &to) &&
	    !source_towards(&to, &wish->underlay[0].address))
		wish->underlay_count = 1;
	for (size_t i = 0; !wish->underlay_count && i < ARRAY_SIZE(anywhere); i++)
		if (!ip_address_parse(anywhere[i], &to) &&
		    !source_towards(&to, &wish->underlay[0].address) &&
		    !ip_address_is_unspecified(&wish->underlay[0].address))
			wish->underlay_count = 1;
	if (!wish->underlay_count)
		return error_set(error, EINVAL, "underlay",
				 "no route leaves this host; say its address with --underlay");
	return check_addresses(wish, error);
}

/* ---- the question ---- */

static json_t *join_body(const struct cluster_wish *wish, const char *request)
{
	json_t *addresses = json_array();

	for (size_t i = 0; i < wish->underlay_count; i++) {
		char text[IP_ADDRESS_TEXT_SIZE];

		ip_address_format(&wish->underlay[i].address, text);
		json_array_append_new(addresses, json_string(text));
	}
	return json_pack("{s:s, s:o, s:s, s:b}", "name", wish->name, "addresses", addresses,
			 "request", request, "member", wish->with_etcd);
}

static int ask_first_host(const struct cluster_wish *wish, const char *request, char **authority,
			  json_t **answer, struct error *error)
{
	struct tls_question question = {
		.host = wish->address,
		.port = CLUSTER_PORT,
		.path = "/v1/join",
	};
	char secret[CLUSTER_TOKEN_SIZE];
	json_t *body;
	int code = cluster_token_split(wish->token, secret, sizeof(secret),
				       &question.authority_hash, error);

	if (code)
		return code;
	question.bearer = secret;
	body = join_body(wish, request);
	question.body = body;
	code = tls_ask(&question, authority, answer, error);
	json_decref(body);
	explicit_bzero(secret, sizeof(secret));
	return code;
}

/* ---- a member of etcd ---- */

/* etcd takes the next member only when those before have been well for some seconds. */
static bool not_yet(const struct error *error)
{
	return strstr(error->text, "unhealthy cluster") ||
	       strstr(error->text, "not enough started members");
}

static int ask_etcd(const struct cluster_wish *wish, const char *authority, const char *certificate,
		    const char *key, const char *peer, json_t **answer, struct error *error)
{
	json_t *body = json_pack("{s:[s]}", "peerURLs", peer);
	const struct tls_question question = {
		.host = wish->address,
		.port = ETCD_CLIENT_PORT,
		.authority = authority,
		.certificate = certificate,
		.key = key,
		.path = "/v3/cluster/member/add",
		.body = body,
	};
	int code = -EAGAIN;

	for (int waited = 0; waited <= MEMBER_WAIT_MS; waited += MEMBER_STEP_MS) {
		error_clear(error);
		code = tls_ask(&question, NULL, answer, error);
		if (!code || !not_yet(error))
			break;
		poll(NULL, 0, MEMBER_STEP_MS);
	}
	json_decref(body);
	if (code)
		error_prefix(error, "no member of etcd can be added");
	return code;
}

/* "h1=https://…,h2=https://…" of the answer; the one without a name yet is this host's. */
static char *member_list(const char *name, const json_t *answer, struct buf *store)
{
	json_t *members = json_object_get(answer, "members"), *member;
	struct buf text = { 0 };
	size_t i;

	json_array_foreach(members, i, member) {
		const char *its_name = json_string_value(json_object_get(member, "name"));
		const char *peer =
			json_string_value(json_array_get(json_object_get(member, "peerURLs"), 0));
		const char *client =
			json_string_value(json_array_get(json_object_get(member, "clientURLs"), 0));

		if (peer)
			buf_printf(&text, "%s%s=%s", text.size ? "," : "",
				   its_name && *its_name ? its_name : name, peer);
		if (client && strncmp(client, "https://", 8) == 0)
			buf_printf(store, ",%s", client + 8);
	}
	return buf_steal(&text, NULL);
}

static int become_member(const struct cluster_wish *wish, const char *authority,
			 const char *certificate, const char *key, struct cluster_config *config,
			 struct error *error)
{
	char *peer = etcd_url(&wish->underlay[0].address, ETCD_PEER_PORT);
	char *client = etcd_url(&wish->underlay[0].address, ETCD_CLIENT_PORT);
	struct buf store = { 0 };
	json_t *answer = NULL;
	int code = ask_etcd(wish, authority, certificate, key, peer, &answer, error);

	if (!code) {
		/* Its own member first: no other is nearer. */
		buf_printf(&store, "etcds://%s", client + strlen("https://"));
		config->etcd_cluster = member_list(wish->name, answer, &store);
		config->etcd_existing = true;
		free(config->store);
		config->store = buf_steal(&store, NULL);
	}
	buf_fini(&store);
	json_decref(answer);
	free(client);
	free(peer);
	return code;
}

/* ---- joining ---- */

static int join_with(const char *state, const struct cluster_wish *wish, const char *key,
		     const char *authority, const json_t *answer, struct error *error)
{
	const char *certificate = json_string_value(json_object_get(answer, "certificate"));
	const char *store = json_string_value(json_object_get(answer, "store"));
	const char *authority_key = json_string_value(json_object_get(answer, "authority_key"));
	bool own = json_is_true(json_object_get(answer, "own_store"));
	struct cluster_config config = { 0 };
	int code;

	if (!certificate || !store)
		return error_set(error, EPROTO, NULL, "%s: the answer makes no sense",
				 wish->address);
	if (wish->with_etcd && !own)
		return error_set(
			error, EINVAL, NULL,
			"the cluster's store was started by its operator (%s): a member of "
			"it is not for Weft to add",
			store);
	code = cluster_write_identity(state, authority, certificate, key, error);
	if (!code && authority_key)
		code = cluster_config_write_file(state, "tls/ca.key", authority_key, error);
	if (code)
		return code;
	cluster_config_of_wish(wish, &config);
	free(config.store);
	config.store = xstrdup(store);
	if (own)
		cluster_own_store(state, &config);
	if (wish->with_etcd)
		code = become_member(wish, authority, certificate, key, &config, error);
	if (!code)
		code = cluster_config_write(state, &config, error);
	cluster_config_fini(&config);
	return code;
}

int cluster_join(const char *state, struct cluster_wish *wish, struct error *error)
{
	char *key = NULL, *request = NULL, *authority = NULL;
	json_t *answer = NULL;
	int code;

	if (!wish->address || !wish->token)
		return error_set(error, EINVAL, NULL, "to join needs an address and a token");
	code = cluster_wish_check(state, wish, error);
	if (!code)
		code = cluster_underlay_find(wish, error);
	if (!code)
		code = certificate_request_new(wish->name, &key, &request, error);
	if (!code)
		code = ask_first_host(wish, request, &authority, &answer, error);
	if (!code)
		code = join_with(state, wish, key, authority, answer, error);
	if (key)
		explicit_bzero(key, strlen(key));
	free(key);
	free(request);
	free(authority);
	json_decref(answer);
	return code;
}
