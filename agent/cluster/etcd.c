/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting, finding, watching and ending a member of etcd; see etcd.h.
 *
 * The process is watched by a descriptor of its own (pidfd), which works as well for one that an earlier
 * weftd started. One that dies at once again and again is started at growing intervals.
 */
#include "agent/cluster/etcd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"

#define AGAIN_SECONDS_MIN 1
#define AGAIN_SECONDS_MAX 30
#define SETTLED_SECONDS 60 /* one that ran for so long is started again without waiting longer */
#define END_MS 10000
#define LOG_SIZE_MAX (16 << 20)
#define ARGUMENTS_MAX 48
#define TXN_OPERATIONS "65536"
#define REQUEST_BYTES "33554432"

struct etcd {
	struct loop *loop;
	char *state;
	char *program;
	char *arguments[ARGUMENTS_MAX]; /* owned */
	size_t argument_count;
	pid_t pid;
	int fd; /* pidfd; -1: it does not run */
	uint64_t started_ns;
	unsigned int again_seconds;
	struct loop_timer again;
};

/* ---- processes ---- */

/* When a process was started, in ticks since boot; 0 if there is none, or it only waits to be collected. */
static unsigned long long start_time(pid_t pid)
{
	struct buf text = { 0 };
	unsigned long long ticks = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!file_read(path, 4096, &text, NULL) && text.size) {
		/* The name stands in parentheses and may hold anything. Field 22 is the time. */
		const char *rest = strrchr(text.data, ')');

		if (rest && strncmp(rest, ") Z", 3) != 0) {
			for (int field = 2; rest && field < 22; field++)
				rest = strchr(rest + 1, ' ');
			ticks = rest ? strtoull(rest + 1, NULL, 10) : 0;
		}
	}
	buf_fini(&text);
	return ticks;
}

/* A descriptor of the process that STATE/etcd/pid names; -1 if it does not run. */
static int find_process(const char *state, pid_t *pid)
{
	unsigned long long started = 0;
	char *text = NULL, *rest, *end;
	long number = 0;
	int fd = -1;

	if (!cluster_config_read_file(state, "etcd/pid", &text, NULL)) {
		number = strtol(text, &rest, 10);
		started = strtoull(rest, &end, 10);
		if (number > 0 && number <= INT_MAX && end > rest)
			fd = (int)syscall(SYS_pidfd_open, (pid_t)number, 0);
	}
	/* Compared while the descriptor holds the process: the pid cannot change hands any more. */
	if (fd >= 0 && (!started || start_time((pid_t)number) != started)) {
		close(fd);
		fd = -1;
	}
	free(text);
	*pid = (pid_t)number;
	return fd;
}

static int remember_process(struct etcd *etcd, struct error *error)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %llu\n", (int)etcd->pid, start_time(etcd->pid));
	return cluster_config_write_file(etcd->state, "etcd/pid", text, error);
}

/* The child: out of our session, with signals and standard files of its own, and on as etcd. */
static void become_etcd(const struct etcd *etcd, int report)
{
	char *path = cluster_config_path(etcd->state, "etcd/etcd.log");
	int null = open("/dev/null", O_RDONLY);
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	sigset_t none;
	int why;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	unsetenv("NOTIFY_SOCKET"); /* the service manager listens to weftd alone */
	if (null >= 0 && log >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	    dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0)
		execv(etcd->program, etcd->arguments);
	why = errno;
	if (write(report, &why, sizeof(why)) < 0)
		_exit(126);
	_exit(127);
}

/* Nothing ever makes the log smaller: the one before is kept, those before that are not. */
static void turn_log(const struct etcd *etcd)
{
	char *path = cluster_config_path(etcd->state, "etcd/etcd.log");
	char *before = cluster_config_path(etcd->state, "etcd/etcd.log.1");
	struct stat status;

	if (!stat(path, &status) && status.st_size > LOG_SIZE_MAX && rename(path, before))
		log_warning("etcd's log cannot be renamed", "text=\"%s\"", strerror(errno));
	free(before);
	free(path);
}

static int spawn(struct etcd *etcd, struct error *error)
{
	int report[2], why = 0;
	ssize_t got;

	turn_log(etcd);
	if (pipe2(report, O_CLOEXEC))
		return error_set(error, errno, NULL, "no pipe: %s", strerror(errno));
	etcd->pid = fork();
	if (etcd->pid == 0)
		become_etcd(etcd, report[1]);
	close(report[1]);
	got = etcd->pid < 0 ? (why = errno, -1) : read(report[0], &why, sizeof(why));
	close(report[0]);
	if (etcd->pid < 0 || got > 0) {
		if (etcd->pid > 0)
			waitpid(etcd->pid, NULL, 0);
		return error_set(error, why, NULL, "%s cannot be started: %s", etcd->program,
				 strerror(why));
	}
	etcd->fd = (int)syscall(SYS_pidfd_open, etcd->pid, 0);
	if (etcd->fd < 0)
		return error_set(error, errno, NULL, "etcd cannot be watched: %s", strerror(errno));
	log_notice("etcd started", "pid=%d log=%s/etcd/etcd.log", (int)etcd->pid, etcd->state);
	return remember_process(etcd, error);
}

/* ---- watching ---- */

static void etcd_ended(void *context, int fd, uint32_t events);

static int watch(struct etcd *etcd, struct error *error)
{
	int code;

	etcd->started_ns = clock_monotonic_ns(NULL);
	code = loop_add_fd(etcd->loop, etcd->fd, EPOLLIN, etcd_ended, etcd);
	return code ? error_set(error, code, NULL, "etcd cannot be watched: %s", strerror(-code))
		    : 0;
}

static void start_again(void *context)
{
	struct etcd *etcd = context;
	struct error error = { 0 };
	int code = spawn(etcd, &error);

	if (!code)
		code = watch(etcd, &error);
	if (!code)
		return;
	log_warning("etcd does not start", "text=\"%s\"", error.text);
	loop_timer_start(etcd->loop, &etcd->again, etcd->again_seconds * CLOCK_NS_PER_SECOND, 0);
}

static void etcd_ended(void *context, int fd, uint32_t events)
{
	struct etcd *etcd = context;
	uint64_t ran_ns = clock_monotonic_ns(NULL) - etcd->started_ns;

	(void)events;
	loop_remove_fd(etcd->loop, fd);
	close(fd);
	etcd->fd = -1;
	waitpid(etcd->pid, NULL, WNOHANG); /* another weftd's child is init's to collect */
	if (ran_ns > SETTLED_SECONDS * CLOCK_NS_PER_SECOND)
		etcd->again_seconds = AGAIN_SECONDS_MIN;
	log_warning("etcd has ended; it is started again", "pid=%d seconds=%u", (int)etcd->pid,
		    etcd->again_seconds);
	loop_timer_start(etcd->loop, &etcd->again, etcd->again_seconds * CLOCK_NS_PER_SECOND, 0);
	etcd->again_seconds *= 2;
	if (etcd->again_seconds > AGAIN_SECONDS_MAX)
		etcd->again_seconds = AGAIN_SECONDS_MAX;
}

/* ---- how it is called ---- */

char *etcd_installed(struct error *error)
{
	const char *path = getenv("PATH");
	char *list = xstrdup(path ? path : "/usr/bin:/bin"), *rest = list, *folder;
	char *program = NULL;

	while (!program && (folder = strsep(&rest, ":"))) {
		program = xasprintf("%s/etcd", *folder ? folder : ".");
		if (access(program, X_OK)) {
			free(program);
			program = NULL;
		}
	}
	free(list);
	if (!program)
		error_set(error, ENOENT, NULL,
			  "there is no etcd on this host: apt-get install etcd-server, or name one "
			  "that runs elsewhere with --store");
	return program;
}

char *etcd_url(const struct ip_address *address, unsigned int port)
{
	char text[IP_ADDRESS_TEXT_SIZE];
	bool ipv4 = ip_address_is_ipv4(address);

	ip_address_format(address, text);
	return xasprintf("https://%s%s%s:%u", ipv4 ? "" : "[", text, ipv4 ? "" : "]", port);
}

static void argument(struct etcd *etcd, const char *name, char *value)
{
	etcd->arguments[etcd->argument_count++] = xasprintf("--%s=%s", name, value);
	free(value);
}

static void make_arguments(struct etcd *etcd, const struct cluster_config *config)
{
	static const char *const files[][2] = {
		{ "cert-file", "tls/host.pem" },     { "key-file", "tls/host.key" },
		{ "trusted-ca-file", "tls/ca.pem" }, { "peer-cert-file", "tls/host.pem" },
		{ "peer-key-file", "tls/host.key" }, { "peer-trusted-ca-file", "tls/ca.pem" },
		{ "data-dir", "etcd/data" },
	};
	static const char *const values[][2] = {
		{ "client-cert-auth", "true" },
		{ "peer-client-cert-auth", "true" },
		/* A member that comes back after a partition does not put down the leader there is. */
		{ "pre-vote", "true" },
		{ "max-txn-ops", TXN_OPERATIONS },
		{ "max-request-bytes", REQUEST_BYTES },
		{ "auto-compaction-mode", "periodic" },
		{ "auto-compaction-retention", "1h" },
		{ "logger", "zap" },
		{ "log-level", "warn" },
	};
	const struct ip_address *address = &config->underlay[0].address;

	etcd->arguments[etcd->argument_count++] = xstrdup("etcd");
	argument(etcd, "name", xstrdup(config->host));
	argument(etcd, "listen-client-urls", etcd_url(address, ETCD_CLIENT_PORT));
	argument(etcd, "advertise-client-urls", etcd_url(address, ETCD_CLIENT_PORT));
	argument(etcd, "listen-peer-urls", etcd_url(address, ETCD_PEER_PORT));
	argument(etcd, "initial-advertise-peer-urls", etcd_url(address, ETCD_PEER_PORT));
	argument(etcd, "initial-cluster", xstrdup(config->etcd_cluster));
	argument(etcd, "initial-cluster-state",
		 xstrdup(config->etcd_existing ? "existing" : "new"));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		argument(etcd, files[i][0], cluster_config_path(etcd->state, files[i][1]));
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		argument(etcd, values[i][0], xstrdup(values[i][1]));
}

/* ---- open and close ---- */

/* etcd refuses a data directory that others may read. */
static int make_folder(const char *state, struct error *error)
{
	char *path = cluster_config_path(state, "etcd/data");
	int code = file_make_directories(path, 0700, error);

	free(path);
	return code;
}

int etcd_open(struct loop *loop, const char *state, const struct cluster_config *config,
	      struct etcd **etcd, struct error *error)
{
	struct etcd *new;
	int code = 0;
	char *program = etcd_installed(error);

	if (!program)
		return -ENOENT;
	new = xcalloc(1, sizeof(*new));
	new->loop = loop;
	new->state = xstrdup(state);
	new->program = program;
	new->again_seconds = AGAIN_SECONDS_MIN;
	loop_timer_init(&new->again, start_again, new);
	make_arguments(new, config);
	new->fd = find_process(state, &new->pid);
	if (new->fd >= 0) {
		log_info("etcd runs already", "pid=%d", (int)new->pid);
	} else {
		code = make_folder(state, error);
		if (!code)
			code = spawn(new, error);
	}
	if (!code)
		code = watch(new, error);
	if (code) {
		etcd_close(new, true);
		return code;
	}
	*etcd = new;
	return 0;
}

/* Return: 0, or -ETIME when it had to be killed. */
static int end_process(int fd, pid_t pid)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int code = 0;

	syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
	if (poll(&wait, 1, END_MS) != 1) {
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
		poll(&wait, 1, END_MS);
		code = -ETIME;
	}
	waitpid(pid, NULL, WNOHANG);
	return code;
}

void etcd_close(struct etcd *etcd, bool end)
{
	if (!etcd)
		return;
	loop_timer_stop(&etcd->again);
	if (etcd->fd >= 0) {
		loop_remove_fd(etcd->loop, etcd->fd);
		if (end && end_process(etcd->fd, etcd->pid))
			log_warning("etcd did not end by itself and was killed", "pid=%d",
				    (int)etcd->pid);
		close(etcd->fd);
	}
	for (size_t i = 0; i < etcd->argument_count; i++)
		free(etcd->arguments[i]);
	free(etcd->program);
	free(etcd->state);
	free(etcd);
}

int etcd_stop(const char *state, struct error *error)
{
	pid_t pid;
	int fd = find_process(state, &pid), code;

	if (fd < 0)
		return 0;
	code = end_process(fd, pid);
	close(fd);
	return code ? error_set(error, ETIME, NULL,
				"etcd (pid %d) did not end by itself and was killed", (int)pid)
		    : 0;
}
