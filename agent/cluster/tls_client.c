/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A blocking HTTPS client of one request, by GnuTLS; see tls_client.h.
 */
#include "agent/cluster/tls_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/cluster/certificate.h"
#include "base/addr.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#define ANSWER_SIZE_MAX (1U << 20)

struct connection {
	const struct tls_question *question;
	struct error *error;
	uint64_t deadline_ns;
	int fd;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	char *authority; /* PEM, owned */
};

static int fail(struct connection *connection, int code, const char *what)
{
	const struct tls_question *question = connection->question;

	return error_set(connection->error, code, NULL, "%s port %u: %s", question->host,
			 question->port, what);
}

/* Milliseconds that are left. */
static int time_left(const struct connection *connection)
{
	uint64_t now = clock_monotonic_ns(NULL);

	if (now >= connection->deadline_ns)
		return 0;
	return (int)((connection->deadline_ns - now) / CLOCK_NS_PER_MS);
}

static int wait_for(struct connection *connection, short events)
{
	struct pollfd wait = { .fd = connection->fd, .events = events };

	if (poll(&wait, 1, time_left(connection)) != 1)
		return fail(connection, ETIMEDOUT, "no answer in time");
	return 0;
}

static int connect_to(struct connection *connection)
{
	const struct tls_question *question = connection->question;
	struct sockaddr_in ipv4 = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)question->port) };
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6,
				     .sin6_port = htons((uint16_t)question->port) };
	bool is_ipv4 = inet_pton(AF_INET, question->host, &ipv4.sin_addr) == 1;
	int why = 0, code;
	socklen_t size = sizeof(why);

	if (!is_ipv4 && inet_pton(AF_INET6, question->host, &ipv6.sin6_addr) != 1)
		return fail(connection, EINVAL, "not an IP address");
	connection->fd =
		socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connection->fd < 0)
		return fail(connection, errno, strerror(errno));
	code = is_ipv4 ? connect(connection->fd, (const struct sockaddr *)&ipv4, sizeof(ipv4))
		       : connect(connection->fd, (const struct sockaddr *)&ipv6, sizeof(ipv6));
	if (code && errno != EINPROGRESS)
		return fail(connection, errno, strerror(errno));
	code = wait_for(connection, POLLOUT);
	if (code)
		return code;
	getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &why, &size);
	return why ? fail(connection, why, strerror(why)) : 0;
}

/* ---- TLS ---- */

static int tls_fail(struct connection *connection, int result)
{
	return fail(connection, EPROTO, gnutls_strerror(result));
}

/* Whether GnuTLS only wants to go on later; waits then. */
static bool again(struct connection *connection, int result, int *code)
{
	if (result != GNUTLS_E_AGAIN && result != GNUTLS_E_INTERRUPTED)
		return false;
	*code = wait_for(connection,
			 gnutls_record_get_direction(connection->session) ? POLLOUT : POLLIN);
	return !*code;
}

static int handshake(struct connection *connection)
{
	const struct tls_question *question = connection->question;
	int code = 0, result = gnutls_certificate_allocate_credentials(&connection->credentials);

	if (!result && question->certificate) {
		const gnutls_datum_t certificate = { (unsigned char *)question->certificate,
						     (unsigned int)strlen(question->certificate) };
		const gnutls_datum_t key = { (unsigned char *)question->key,
					     (unsigned int)strlen(question->key) };

		result = gnutls_certificate_set_x509_key_mem(connection->credentials, &certificate,
							     &key, GNUTLS_X509_FMT_PEM);
	}
	if (!result)
		result = gnutls_init(&connection->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	if (!result)
		result = gnutls_set_default_priority(connection->session);
	if (!result)
		result = gnutls_credentials_set(connection->session, GNUTLS_CRD_CERTIFICATE,
						connection->credentials);
	if (result)
		return tls_fail(connection, result);
	gnutls_transport_set_int(connection->session, connection->fd);
	do
		result = gnutls_handshake(connection->session);
	while (again(connection, result, &code));
	if (code)
		return code;
	return result ? tls_fail(connection, result) : 0;
}

/* ---- who is it ---- */

/* The certificate of the chain that has the hash of the token. */
static char *find_authority(const gnutls_datum_t *chain, unsigned int count, const char *wanted)
{
	char *found = NULL;

	for (unsigned int i = 0; i < count && !found; i++) {
		gnutls_datum_t text = { 0 };
		char hash[CERTIFICATE_HASH_SIZE];
		char *pem;

		if (gnutls_pem_base64_encode2("CERTIFICATE", &chain[i], &text))
			continue;
		pem = xstrndup((const char *)text.data, text.size);
		gnutls_free(text.data);
		if (!certificate_hash(pem, hash, NULL) && strcmp(hash, wanted) == 0)
			found = pem;
		else
			free(pem);
	}
	return found;
}

/* The shown certificate, checked against the authority: signature, time, purpose and address. */
static int check_against(struct connection *connection)
{
	const gnutls_datum_t authority = { (unsigned char *)connection->authority,
					   (unsigned int)strlen(connection->authority) };
	gnutls_typed_vdata_st data[] = {
		{ .type = GNUTLS_DT_IP_ADDRESS },
		{ .type = GNUTLS_DT_KEY_PURPOSE_OID,
		  .data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER },
	};
	struct ip_address address;
	unsigned int status = 0;
	int result;

	if (ip_address_parse(connection->question->host, &address))
		return fail(connection, EINVAL, "not an IP address");
	data[0].data = address.byte + (ip_address_is_ipv4(&address) ? 12 : 0);
	data[0].size = ip_address_is_ipv4(&address) ? 4 : 16;
	result = gnutls_certificate_set_x509_trust_mem(connection->credentials, &authority,
						       GNUTLS_X509_FMT_PEM);
	if (result < 0)
		return tls_fail(connection, result);
	result = gnutls_certificate_verify_peers(connection->session, data, ARRAY_SIZE(data),
						 &status);
	if (result < 0)
		return tls_fail(connection, result);
	if (status & GNUTLS_CERT_NOT_ACTIVATED || status & GNUTLS_CERT_EXPIRED)
		return fail(
			connection, EACCES,
			"its certificate is not valid at this time; is this host's clock right?");
	if (status)
		return fail(connection, EACCES,
			    "its certificate is not one of the cluster for this address");
	return 0;
}

static int check_peer(struct connection *connection)
{
	const struct tls_question *question = connection->question;
	unsigned int count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(connection->session, &count);

	if (question->authority)
		connection->authority = xstrdup(question->authority);
	else if (chain)
		connection->authority = find_authority(chain, count, question->authority_hash);
	if (!connection->authority)
		return fail(connection, EACCES,
			    "it is not of the cluster that the token is from; nothing was sent");
	return check_against(connection);
}

/* ---- HTTP ---- */

static int send_all(struct connection *connection, const char *data, size_t size)
{
	int code = 0;

	while (size) {
		ssize_t sent = gnutls_record_send(connection->session, data, size);

		if (sent > 0) {
			data += sent;
			size -= (size_t)sent;
		} else if (!again(connection, (int)sent, &code)) {
			return code ? code : tls_fail(connection, (int)sent);
		}
	}
	return 0;
}

static int receive_all(struct connection *connection, struct buf *answer)
{
	int code = 0;

	for (;;) {
		char *room = buf_reserve(answer, 4096);
		ssize_t got = gnutls_record_recv(connection->session, room, 4096);

		if (got > 0) {
			buf_commit(answer, (size_t)got);
			if (answer->size > ANSWER_SIZE_MAX)
				return fail(connection, EPROTO, "the answer is too large");
		} else if (got == 0 || got == GNUTLS_E_PREMATURE_TERMINATION) {
			return 0;
		} else if (!again(connection, (int)got, &code)) {
			return code ? code : tls_fail(connection, (int)got);
		}
	}
}

/* Lines "SIZE\r\nBYTES\r\n" until size 0; in place. */
static void unchunk(char *body)
{
	char *to = body, *from = body, *end = body + strlen(body);

	for (;;) {
		unsigned long size = strtoul(from, &from, 16);

		from = strstr(from, "\r\n");
		if (!from || !size || size > (unsigned long)(end - from - 2))
			break;
		memmove(to, from + 2, size);
		to += size;
		from += 2 + size;
		if (strncmp(from, "\r\n", 2) == 0)
			from += 2;
	}
	*to = '\0';
}

static int read_answer(struct connection *connection, struct buf *text, json_t **answer)
{
	unsigned long status;
	char *end, *body = text->size ? strstr(text->data, "\r\n\r\n") : NULL;
	const char *message;
	json_t *document = NULL;

	if (!body ||
	    (strncmp(text->data, "HTTP/1.0 ", 9) != 0 && strncmp(text->data, "HTTP/1.1 ", 9) != 0))
		return fail(connection, EPROTO, "the answer is no HTTP");
	status = strtoul(text->data + 9, &end, 10);
	if (end == text->data + 9)
		return fail(connection, EPROTO, "the answer is no HTTP");
	*body = '\0';
	body += 4;
	if (strcasestr(text->data, "transfer-encoding: chunked"))
		unchunk(body);
	if (json_load_text(body, strlen(body), ANSWER_SIZE_MAX, &document, NULL))
		return fail(connection, EPROTO, "the answer is no JSON");
	if (status == 200) {
		*answer = document;
		return 0;
	}
	message = json_string_value(json_object_get(json_object_get(document, "error"), "message"));
	if (!message)
		message = json_string_value(json_object_get(document, "message")); /* etcd */
	fail(connection, status == 401 || status == 403 ? EACCES : EINVAL,
	     message ? message : "it refuses");
	json_decref(document);
	return status == 401 || status == 403 ? -EACCES : -EINVAL;
}

static int exchange(struct connection *connection, json_t **answer)
{
	const struct tls_question *question = connection->question;
	char *body = json_dumps(question->body, JSON_COMPACT);
	bool ipv6 = strchr(question->host, ':') != NULL;
	struct buf text = { 0 };
	int code;

	buf_printf(&text,
		   "POST %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nConnection: close\r\n"
		   "Content-Type: application/json\r\nContent-Length: %zu\r\n",
		   question->path, ipv6 ? "[" : "", question->host, ipv6 ? "]" : "", question->port,
		   strlen(body));
	if (question->bearer)
		buf_printf(&text, "Authorization: Bearer %s\r\n", question->bearer);
	buf_append_text(&text, "\r\n");
	buf_append_text(&text, body);
	code = send_all(connection, text.data, text.size);
	explicit_bzero(text.data, text.size);
	buf_reset(&text);
	if (!code)
		code = receive_all(connection, &text);
	if (!code)
		code = read_answer(connection, &text, answer);
	buf_fini(&text);
	free(body);
	return code;
}

int tls_ask(const struct tls_question *question, char **authority, json_t **answer,
	    struct error *error)
{
	struct connection connection = {
		.question = question,
		.error = error,
		.deadline_ns = clock_monotonic_ns(NULL) + TLS_CLIENT_SECONDS * CLOCK_NS_PER_SECOND,
		.fd = -1,
	};
	int code = connect_to(&connection);

	if (!code)
		code = handshake(&connection);
	if (!code)
		code = check_peer(&connection);
	if (!code)
		code = exchange(&connection, answer);
	if (!code && authority) {
		*authority = connection.authority;
		connection.authority = NULL;
	}
	if (connection.session)
		gnutls_deinit(connection.session);
	if (connection.credentials)
		gnutls_certificate_free_credentials(connection.credentials);
	if (connection.fd >= 0)
		close(connection.fd);
	free(connection.authority);
	return code;
}
