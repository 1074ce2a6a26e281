/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real members of etcd for tests: started on free ports of 127.0.0.1 with their data in memory
 * (/dev/shm) where there is such a place, and ended by their process ids. They die with the test.
 */
#ifndef WEFT_TESTS_UNIT_ETCD_MEMBERS_H
#define WEFT_TESTS_UNIT_ETCD_MEMBERS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "tests/unit/unit.h"

#define ETCD_MEMBERS_MAX 3
#define ETCD_PATIENCE_MS 60000
#define ETCD_FIRST_PORT 10000

struct etcd_member {
	pid_t pid;
	int client_port;
	int peer_port;
	char url[64];
};

/*
 * @tls: a folder with ca.pem, server.pem and server.key; NULL for plain HTTP
 * @small: etcd's own limits, and a small quota
 */
struct etcd_members {
	char directory[64];
	const char *tls;
	bool small;
	int count;
	struct etcd_member members[ETCD_MEMBERS_MAX];
};

/* A network of the test's own, with loopback and nothing else. False: who runs the test may not make one. */
static inline bool etcd_own_network(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;
	bool up;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	close(fd);
	assert_true(up);
	return up;
}

/* A port that the kernel gives out; somebody else may have it before etcd does. */
static inline int etcd_random_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int port = 0;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		port = ntohs(address.sin_port);
	close(fd);
	return port;
}

/* In a network of its own: the next one below those that connections get, so nobody else has it. */
static inline int etcd_free_port(void)
{
	static int next;

	if (!next)
		next = etcd_own_network() ? ETCD_FIRST_PORT : -1;
	return next < 0 ? etcd_random_port() : next++;
}

static inline void etcd_exec(const struct etcd_members *cluster, int number)
{
	const struct etcd_member *member = &cluster->members[number];
	struct buf peers = { 0 };
	char *arguments[40];
	int count = 0;
	char name[16];
	char data[128];
	char path[128];
	char peer[64];
	char pem[3][160];
	int log;

	for (int i = 0; i < cluster->count; i++)
		buf_printf(&peers, "%sm%d=http://127.0.0.1:%d", i ? "," : "", i,
			   cluster->members[i].peer_port);
	snprintf(name, sizeof(name), "m%d", number);
	snprintf(data, sizeof(data), "%s/m%d", cluster->directory, number);
	snprintf(peer, sizeof(peer), "http://127.0.0.1:%d", member->peer_port);
#define ARGUMENT(flag, value)                                                                      \
	do {                                                                                       \
		arguments[count++] = (char *)(uintptr_t)(flag);                                    \
		arguments[count++] = (char *)(uintptr_t)(value);                                   \
	} while (0)
	arguments[count++] = (char *)(uintptr_t) "etcd";
	ARGUMENT("--name", name);
	ARGUMENT("--data-dir", data);
	ARGUMENT("--listen-client-urls", member->url);
	ARGUMENT("--advertise-client-urls", member->url);
	ARGUMENT("--listen-peer-urls", peer);
	ARGUMENT("--initial-advertise-peer-urls", peer);
	ARGUMENT("--initial-cluster", buf_text(&peers));
	ARGUMENT("--heartbeat-interval", "50");
	ARGUMENT("--election-timeout", "500");
	if (cluster->small) {
		ARGUMENT("--quota-backend-bytes", "20000000");
	} else {
		ARGUMENT("--max-txn-ops", "65536");
		ARGUMENT("--max-request-bytes", "16777216");
	}
	ARGUMENT("--logger", "zap");
	ARGUMENT("--log-level", "error");
	if (cluster->tls) {
		snprintf(pem[0], sizeof(pem[0]), "%s/server.pem", cluster->tls);
		snprintf(pem[1], sizeof(pem[1]), "%s/server.key", cluster->tls);
		snprintf(pem[2], sizeof(pem[2]), "%s/ca.pem", cluster->tls);
		ARGUMENT("--cert-file", pem[0]);
		ARGUMENT("--key-file", pem[1]);
		ARGUMENT("--trusted-ca-file", pem[2]);
		arguments[count++] = (char *)(uintptr_t) "--client-cert-auth";
	}
#undef ARGUMENT
	arguments[count] = NULL;
	snprintf(path, sizeof(path), "%s/m%d.log", cluster->directory, number);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	clearenv();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp("etcd", arguments);
	_exit(127);
}

static inline void etcd_member_start(struct etcd_members *cluster, int number)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		etcd_exec(cluster, number);
	cluster->members[number].pid = pid;
}

/* @signal_number: SIGKILL or SIGTERM */
static inline void etcd_member_end(struct etcd_members *cluster, int number, int signal_number)
{
	struct etcd_member *member = &cluster->members[number];

	if (!member->pid)
		return;
	kill(member->pid, signal_number);
	kill(member->pid, SIGCONT);
	waitpid(member->pid, NULL, 0);
	member->pid = 0;
}

/* Wait until a TCP connection to the member is taken. */
static inline bool etcd_member_listens(const struct etcd_members *cluster, int number)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	uint64_t deadline = clock_monotonic_ms(NULL) + ETCD_PATIENCE_MS;
	bool listens = false;

	address.sin_port = htons((uint16_t)cluster->members[number].client_port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while (!listens && clock_monotonic_ms(NULL) < deadline) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		listens = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
		close(fd);
		if (waitpid(cluster->members[number].pid, NULL, WNOHANG) != 0)
			return false;
		if (!listens)
			poll(NULL, 0, 10);
	}
	return listens;
}

/* Return: 0 when each member takes connections; it may take a moment until they have a leader. */
static inline int etcd_members_start(struct etcd_members *cluster, int count, const char *tls)
{
	cluster->count = count;
	cluster->tls = tls;
	snprintf(cluster->directory, sizeof(cluster->directory), "%s/weft-test-etcd-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(cluster->directory))
		return -1;
	for (int i = 0; i < count; i++) {
		struct etcd_member *member = &cluster->members[i];

		member->client_port = etcd_free_port();
		member->peer_port = etcd_free_port();
		snprintf(member->url, sizeof(member->url), "%s://127.0.0.1:%d",
			 tls ? "https" : "http", member->client_port);
	}
	for (int i = 0; i < count; i++)
		etcd_member_start(cluster, i);
	for (int i = 0; i < count; i++) {
		if (!etcd_member_listens(cluster, i)) {
			print_message("# etcd does not start, see %s\n", cluster->directory);
			return -1;
		}
	}
	return 0;
}

static inline int etcd_remove_one(const char *path, const struct stat *status, int kind,
				  struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static inline int etcd_members_stop(struct etcd_members *cluster)
{
	int result;

	for (int i = 0; i < cluster->count; i++)
		etcd_member_end(cluster, i, SIGKILL);
	result = nftw(cluster->directory, etcd_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	*cluster = (struct etcd_members){ 0 };
	return result;
}

#endif
