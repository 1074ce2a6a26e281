/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three transactions with OVSDB; see ovsdb.h.
 *
 * A set of one element is written as the element itself (RFC 7047, 5.1), so what is read is looked at by
 * set_first() and set_has(). The rows of Port and Interface are no roots: what no bridge refers to is
 * collected by the server.
 */
#include "agent/devices/ovsdb.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"

#define ANSWER_NS CLOCK_NS_PER_SECOND
#define ANSWER_SIZE_MAX (1 << 20)

/* ---- the socket ---- */

static int server_connect(const char *path, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = 1 };
	int fd, code;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, ENAMETOOLONG, NULL, "the path %.100s is too long", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error, errno, NULL, "no socket to Open vSwitch: %s",
				 strerror(errno));
	if (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) &&
	    !connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	code = errno;
	close(fd);
	return error_set(error, ENOTCONN, NULL, "Open vSwitch is not running (%s: %s)", path,
			 strerror(code));
}

static int send_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return -EIO;
		text += sent;
		length -= (size_t)sent;
	}
	return 0;
}

/* One value of JSON, which nothing but its own end delimits. Return: new reference, or NULL. */
static json_t *receive(int fd)
{
	uint64_t until = clock_monotonic_ns(NULL) + ANSWER_NS;
	struct buf text = { 0 };
	json_t *answer = NULL;
	char chunk[4096];

	while (!answer && text.size < ANSWER_SIZE_MAX && clock_monotonic_ns(NULL) < until) {
		ssize_t size = recv(fd, chunk, sizeof(chunk), 0);

		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			break;
		buf_append(&text, chunk, (size_t)size);
		answer = json_loadb(text.data, text.size, JSON_DISABLE_EOF_CHECK, NULL);
	}
	buf_fini(&text);
	return answer;
}

/* ---- a transaction ---- */

/* What went wrong in one of its operations, in the words of the server. */
static int refused(const json_t *answer, struct error *error)
{
	const json_t *results = json_object_get(answer, "result"), *result;
	const char *fault = NULL, *details = NULL;
	size_t i;

	json_array_foreach(results, i, result) {
		fault = json_string_value(json_object_get(result, "error"));
		details = json_string_value(json_object_get(result, "details"));
		if (fault)
			break;
	}
	if (!fault && json_is_array(results))
		return 0;
	return error_set(error, EIO, NULL, "Open vSwitch refuses: %.100s%s%.200s",
			 fault ? fault : "an answer that is none", details ? ": " : "",
			 details ? details : "");
}

/* Steals @operations. Return: 0 with the answer, a new reference; or negative errno. */
static int transact(const char *socket_path, json_t *operations, json_t **answer,
		    struct error *error)
{
	json_t *request, *params = json_pack("[s]", "Open_vSwitch");
	int fd = server_connect(socket_path, error), code = 0;
	char *text;

	json_array_extend(params, operations);
	json_decref(operations);
	request = json_pack("{s:s, s:o, s:i}", "method", "transact", "params", params, "id", 1);
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	*answer = NULL;
	if (fd < 0) {
		free(text);
		return fd;
	}
	if (!send_all(fd, text, strlen(text)))
		*answer = receive(fd);
	free(text);
	close(fd);
	if (!*answer)
		return error_set(error, ENOTCONN, NULL, "Open vSwitch does not answer at %s",
				 socket_path);
	code = refused(*answer, error);
	if (code) {
		json_decref(*answer);
		*answer = NULL;
	}
	return code;
}

/* The rows that the operation with this index has selected. */
static const json_t *rows_of(const json_t *answer, size_t index)
{
	return json_object_get(json_array_get(json_object_get(answer, "result"), index), "rows");
}

static json_t *select_by_name(const char *table, const char *name, const char *first,
			      const char *second)
{
	return json_pack("{s:s, s:s, s:[[s, s, s]], s:[s, s]}", "op", "select", "table", table,
			 "where", "name", "==", name, "columns", first, second);
}

/* ["uuid", "…"] among the elements of a set. */
static bool set_has(const json_t *set, const json_t *value)
{
	const json_t *element;
	size_t i;

	if (json_equal(set, value))
		return true;
	json_array_foreach(json_array_get(set, 1), i, element) {
		if (json_equal(element, value))
			return true;
	}
	return false;
}

/* The element of a set of at most one text. */
static const char *set_text(const json_t *set)
{
	const char *text = json_string_value(set);

	return text ? text : json_string_value(json_array_get(json_array_get(set, 1), 0));
}

/* ---- what is asked ---- */

int ovsdb_look(const char *socket_path, const char *bridge, const char *device,
	       struct ovsdb_bridge *found, struct error *error)
{
	json_t *operations = json_pack("[o, o, o]",
				       select_by_name("Bridge", bridge, "datapath_type", "ports"),
				       select_by_name("Port", device, "_uuid", "name"),
				       select_by_name("Interface", device, "error", "name"));
	const json_t *row, *port;
	const char *text;
	json_t *answer;
	int code = transact(socket_path, operations, &answer, error);

	*found = (struct ovsdb_bridge){ 0 };
	if (code)
		return code;
	row = json_array_get(rows_of(answer, 0), 0);
	port = json_object_get(json_array_get(rows_of(answer, 1), 0), "_uuid");
	text = json_string_value(json_object_get(row, "datapath_type"));
	found->user_space = text && strcmp(text, "netdev") == 0;
	found->member = row && port && set_has(json_object_get(row, "ports"), port);
	found->elsewhere = port && !found->member;
	text = set_text(json_object_get(json_array_get(rows_of(answer, 2), 0), "error"));
	snprintf(found->fault, sizeof(found->fault), "%s", text ? text : "");
	if (!row)
		code = error_set(error, ENODEV, NULL, "Open vSwitch has no bridge %s", bridge);
	json_decref(answer);
	return code;
}

int ovsdb_add(const char *socket_path, const char *bridge, const char *device, const char *owner,
	      struct error *error)
{
	json_t *interface = json_pack("{s:s, s:s, s:s, s:{s:s, s:[s, [[s, s]]]}}", "op", "insert",
				      "table", "Interface", "uuid-name", "device", "row", "name",
				      device, "external_ids", "map", "weft", owner);
	json_t *port = json_pack("{s:s, s:s, s:s, s:{s:s, s:[s, s], s:[s, [[s, s]]]}}", "op",
				 "insert", "table", "Port", "uuid-name", "member", "row", "name",
				 device, "interfaces", "named-uuid", "device", "external_ids",
				 "map", "weft", owner);
	json_t *join = json_pack("{s:s, s:s, s:[[s, s, s]], s:[[s, s, [s, s]]]}", "op", "mutate",
				 "table", "Bridge", "where", "name", "==", bridge, "mutations",
				 "ports", "insert", "named-uuid", "member");
	json_t *answer;
	int code = transact(socket_path, json_pack("[o, o, o]", interface, port, join), &answer,
			    error);

	json_decref(answer);
	return code;
}

int ovsdb_remove(const char *socket_path, const char *device, struct error *error)
{
	json_t *answer, *operation, *uuid;
	int code = transact(socket_path,
			    json_pack("[o]", select_by_name("Port", device, "_uuid", "name")),
			    &answer, error);

	if (code)
		return code;
	uuid = json_object_get(json_array_get(rows_of(answer, 0), 0), "_uuid");
	if (uuid) {
		operation = json_pack("{s:s, s:s, s:[[s, s, O]], s:[[s, s, O]]}", "op", "mutate",
				      "table", "Bridge", "where", "ports", "includes", uuid,
				      "mutations", "ports", "delete", uuid);
		json_decref(answer);
		code = transact(socket_path, json_pack("[o]", operation), &answer, error);
	}
	json_decref(answer);
	return code;
}
