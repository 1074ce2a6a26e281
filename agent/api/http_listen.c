/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets for http.c: the unix socket that may be left over from before, and the address of TCP.
 */
#include "agent/api/http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/api/http.h"
#include "base/file.h"

/*
 * How many may wait to be accepted. A client with a time limit connects without blocking, and on a
 * unix socket a full queue turns it away at once (EAGAIN of unix(7)'s connect) instead of letting it
 * wait: the queue holds what comes while the loop is busy with a large change.
 */
#define BACKLOG 1024

/*
 * Whether somebody accepts at the path, or will once there is room in its queue; a socket left over from a
 * killed daemon refuses.
 */
static bool socket_answers(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool answers;

	if (fd < 0)
		return false;
	answers = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		  errno == EAGAIN;
	close(fd);
	return answers;
}

static int make_directory_of(const char *path, struct error *error)
{
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;

	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (!slash || slash == directory)
		return 0;
	*slash = '\0';
	return file_make_directories(directory, 0755, error);
}

int http_listen_unix(const char *path, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t old_mask;
	struct stat status;
	int fd, result;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, EINVAL, NULL,
				 "the socket path \"%s\" is longer than %zu characters", path,
				 sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (make_directory_of(path, error))
		return error ? error->code : -EINVAL;
	if (socket_answers(&address))
		return error_set(error, EADDRINUSE, NULL,
				 "another daemon answers at %s; stop it or choose another --socket",
				 path);
	/* What a killed daemon left is replaced; anything else at the path is somebody's. */
	if (!lstat(path, &status) && !S_ISSOCK(status.st_mode))
		return error_set(error, EEXIST, NULL,
				 "%s is there already and is no socket; choose another --socket",
				 path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error, errno, NULL, "no socket: %s", strerror(errno));
	unlink(path);
	/* The mode is there from the first moment: no other user can slip in. */
	old_mask = umask(0117);
	result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(old_mask);
	if (result || listen(fd, BACKLOG)) {
		result = error_set(error, errno, NULL, "cannot listen at %s: %s", path,
				   strerror(errno));
		close(fd);
		return result;
	}
	return fd;
}

bool http_place_look(const char *path, struct http_place *place)
{
	struct stat status;

	if (lstat(path, &status) || !S_ISSOCK(status.st_mode))
		return false;
	*place = (struct http_place){ .device = status.st_dev, .inode = status.st_ino };
	return true;
}

bool http_place_equal(const struct http_place *a, const struct http_place *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/* The two halves of "ADDRESS:PORT", brackets taken off. */
static int split_listen(const char *text, char host[64], unsigned long *port)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	char *end;

	if (!len || !colon[1])
		return -EINVAL;
	*port = strtoul(colon + 1, &end, 10);
	if (*end || colon[1] < '0' || colon[1] > '9' || *port < 1 || *port > 65535)
		return -EINVAL;
	if (text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= 64)
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	return 0;
}

int http_parse_listen(const char *text, struct sockaddr_storage *address, unsigned int *size,
		      struct error *error)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)address;
	unsigned long port;
	char host[64];

	memset(address, 0, sizeof(*address));
	if (split_listen(text, host, &port))
		return error_set(error, EINVAL, NULL,
				 "--listen is ADDRESS:PORT or [ADDRESS]:PORT, not \"%s\"", text);
	if (inet_pton(AF_INET, host, &ipv4->sin_addr) == 1) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons((uint16_t)port);
		*size = sizeof(*ipv4);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &ipv6->sin6_addr) == 1) {
		ipv6->sin6_family = AF_INET6;
		ipv6->sin6_port = htons((uint16_t)port);
		*size = sizeof(*ipv6);
		return 0;
	}
	return error_set(error, EINVAL, NULL, "--listen: \"%s\" is not an IP address", host);
}

int http_listen_tcp(const char *listen_at, struct error *error)
{
	struct sockaddr_storage address = { 0 };
	unsigned int size = 0;
	int fd, on = 1;

	if (http_parse_listen(listen_at, &address, &size, error))
		return error ? error->code : -EINVAL;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error, errno, NULL, "no socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address, size) || listen(fd, BACKLOG)) {
		int result = error_set(error, errno, NULL, "cannot listen at %s: %s", listen_at,
				       strerror(errno));

		close(fd);
		return result;
	}
	return fd;
}
