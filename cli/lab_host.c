/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemons of a lab: started inside the namespace of their host, found again by pid and start
 * time.
 *
 * A pid alone may by now be another process's; with the time the process was started it is not.
 * Waiting is done on a descriptor of the process (pidfd), so that a daemon that dies is noticed
 * at once and one that is slow is not killed for it.
 *
 * Neighbours: lab_up.c, lab.c (stop, start, kill, restart).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/netns.h"
#include "cli/lab.h"
#include "client/client.h"

#define START_DEADLINE_MS 60000
#define STOP_DEADLINE_MS 30000
#define ATTEMPT_INTERVAL_MS 20

char *lab_program(const char *name)
{
	static const char *const places[] = { "", "../sbin/", "../bin/" };
	char self[PATH_MAX], *slash, *path;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (strcmp(name, "weftd") == 0 && getenv("WEFT_DAEMON"))
		return xstrdup(getenv("WEFT_DAEMON"));
	if (length <= 0)
		return xstrdup(name);
	self[length] = '\0';
	slash = strrchr(self, '/');
	slash[1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		path = xasprintf("%s%s%s", self, places[i], name);
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return xstrdup(name); /* wherever PATH has it */
}

/* When a process was started, in ticks since boot; -1 if there is no such process. */
static long long start_time(pid_t pid)
{
	struct buf text = { 0 };
	long long ticks = -1;
	char path[64], *field, *rest;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(path, 4096, &text, NULL) == 0 && text.size > 0) {
		/* The name stands in parentheses and may hold anything; field 3 is behind it. */
		rest = strrchr(text.data, ')');
		field = rest ? strsep(&rest, " ") : NULL;
		for (int number = 3; field && number <= 22; number++) {
			field = strsep(&rest, " ");
			/* One that has ended and waits to be collected runs no more. */
			if (number == 3 && field && *field == 'Z')
				field = NULL;
		}
		if (field && !parse_number(field, LLONG_MAX, &ticks))
			ticks = -1;
	}
	buf_fini(&text);
	return ticks;
}

/* The entry of a host, or of a member of the store. */
static json_t *daemon_entry(const struct lab *lab, const char *host)
{
	json_t *entry = lab_host(lab, host);

	return entry ? entry : lab_store(lab, host);
}

/* A descriptor of the host's daemon, or -1 if it does not run. */
static int open_process(const struct lab *lab, const char *host, pid_t *pid)
{
	const json_t *entry = daemon_entry(lab, host);
	long long started = json_integer_value(json_object_get(entry, "started"));
	int fd;

	*pid = (pid_t)json_integer_value(json_object_get(entry, "pid"));
	if (*pid <= 0)
		return -1;
	fd = (int)syscall(SYS_pidfd_open, *pid, 0);
	/* Compared while the descriptor holds the process: the pid cannot change hands any more. */
	if (fd >= 0 && start_time(*pid) != started) {
		close(fd);
		return -1;
	}
	return fd;
}

bool lab_host_running(const struct lab *lab, const char *host)
{
	pid_t pid;
	int fd = open_process(lab, host, &pid);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The child: into the namespace, out of the terminal, and on as the daemon. */
static void become_daemon(const struct lab *lab, const char *host, const char *namespace,
			  const char *instance)
{
	char *socket_path = lab_path(lab->name, host, "weftd.sock");
	char *log_path = lab_path(lab->name, host, "weftd.log");
	char *state = lab_path(lab->name, host, "state"), *program = lab_program("weftd");
	char *store = lab_store_url(lab);
	struct error error = { 0 };
	int netns, log, null;

	log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (log < 0 || null < 0)
		_exit(126);
	dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	setsid();
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	unsetenv("NOTIFY_SOCKET");
	netns = netns_open_name(namespace, &error);
	if (netns < 0 || netns_enter(netns, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		_exit(126);
	}
	if (lab_store(lab, host))
		lab_store_exec(lab, host);
	execlp(program, "weftd", "--name", instance, "--host", host, "--state", state, "--socket",
	       socket_path, store ? "--store" : NULL, store, (char *)NULL);
	fprintf(stderr, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

/* The last line a daemon wrote, for the sentence about why it is not there. */
static char *last_log_line(const struct lab *lab, const char *host)
{
	char *path = lab_path(lab->name, host, "weftd.log"), *line, *begin;
	struct buf text = { 0 };
	size_t end;

	if (file_read(path, (size_t)64 << 20, &text, NULL) < 0 || text.size == 0) {
		line = xstrdup("it said nothing");
	} else {
		end = text.size;
		while (end > 0 && text.data[end - 1] == '\n')
			end--;
		text.data[end] = '\0';
		begin = strrchr(text.data, '\n');
		line = xstrdup(begin ? begin + 1 : text.data);
	}
	buf_fini(&text);
	free(path);
	return line;
}

static int refuse_start(const struct lab *lab, const char *host, int code, const char *what,
			struct error *error)
{
	char *line = last_log_line(lab, host);

	error_set(error, code, NULL, "host %s: %s %s: %s", host,
		  lab_store(lab, host) ? "etcd" : "weftd", what, line);
	free(line);
	return -code;
}

static bool daemon_answers(const struct lab *lab, const char *host, struct client *client)
{
	json_t *status = NULL;
	int code;

	if (lab_store(lab, host))
		return lab_store_answers(lab, host);
	code = client_status(client, &status, NULL);
	json_decref(status);
	return code == 0;
}

/* Until it answers, has died, or the time is over. */
static int wait_ready(const struct lab *lab, const char *host, pid_t pid, struct error *error)
{
	uint64_t deadline = clock_monotonic_ms(NULL) + START_DEADLINE_MS;
	char *socket_path = lab_path(lab->name, host, "weftd.sock");
	struct client *client = client_open(socket_path);
	int process = (int)syscall(SYS_pidfd_open, pid, 0), code;
	struct pollfd waiting = { .fd = process, .events = POLLIN };

	for (;;) {
		code = 0;
		if (daemon_answers(lab, host, client))
			break;
		if (process < 0 || poll(&waiting, 1, ATTEMPT_INTERVAL_MS) > 0) {
			waitpid(pid, NULL, WNOHANG);
			code = refuse_start(lab, host, ECHILD, "did not start", error);
			break;
		}
		if (clock_monotonic_ms(NULL) > deadline) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			code = refuse_start(lab, host, ETIMEDOUT, "does not answer", error);
			break;
		}
	}
	if (process >= 0)
		close(process);
	client_close(client);
	free(socket_path);
	return code;
}

int lab_host_start(struct lab *lab, const char *host, struct error *error)
{
	json_t *entry = daemon_entry(lab, host);
	const char *namespace = json_string_value(json_object_get(entry, "namespace"));
	const char *instance = json_string_value(json_object_get(entry, "instance"));
	char *directory = lab_path(lab->name, host, NULL);
	int code = file_make_directories(directory, 0755, error);
	pid_t pid;

	free(directory);
	if (code < 0)
		return code;
	if (!namespace || (!instance && !lab_store(lab, host)))
		return error_set(error, EINVAL, NULL, "lab %s: lab.json lacks host %s", lab->name,
				 host);
	if (lab_host_running(lab, host))
		return error_set(error, EALREADY, NULL, "host %s: its daemon is running already",
				 host);
	pid = fork();
	if (pid < 0)
		return error_set(error, errno, NULL, "fork: %s", strerror(errno));
	if (pid == 0)
		become_daemon(lab, host, namespace, instance);
	json_object_set_new(entry, "pid", json_integer(pid));
	json_object_set_new(entry, "started", json_integer(start_time(pid)));
	code = lab_save(lab, error);
	return code < 0 ? code : wait_ready(lab, host, pid, error);
}

int lab_host_stop(struct lab *lab, const char *host, bool kill_it, struct error *error)
{
	struct pollfd waiting = { .events = POLLIN };
	pid_t pid;
	int code = 0, ready;

	waiting.fd = open_process(lab, host, &pid);
	if (waiting.fd < 0)
		return error_set(error, ESRCH, NULL, "host %s: its daemon does not run", host);
	if (syscall(SYS_pidfd_send_signal, waiting.fd, kill_it ? SIGKILL : SIGTERM, NULL, 0) < 0)
		code = error_set(error, errno, NULL, "host %s: pid %d: %s", host, (int)pid,
				 strerror(errno));
	if (code == 0) {
		do
			ready = poll(&waiting, 1, STOP_DEADLINE_MS);
		while (ready < 0 && errno == EINTR);
		if (ready == 0)
			code = error_set(error, ETIMEDOUT, NULL,
					 "host %s: its daemon (pid %d) did not end in %d seconds",
					 host, (int)pid, STOP_DEADLINE_MS / 1000);
	}
	close(waiting.fd);
	/* If it is a child of this process it has to be collected; otherwise this does nothing. */
	waitpid(pid, NULL, WNOHANG);
	return code;
}

/* In the child: as the daemon, but to end after having cleaned up. */
static void become_cleaner(const struct lab *lab, const char *host, const char *instance)
{
	char *log_path = lab_path(lab->name, host, "weftd.log"), *program = lab_program("weftd");
	char *state = lab_path(lab->name, host, "state");
	int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (log < 0)
		_exit(126);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	/* The state directory has what devices of others were like, and is not to be made elsewhere. */
	execlp(program, "weftd", "--name", instance, "--state", state, "--remove-datapath",
	       (char *)NULL);
	fprintf(stderr, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

int lab_host_remove_datapath(const struct lab *lab, const char *host, struct error *error)
{
	const char *instance = json_string_value(json_object_get(lab_host(lab, host), "instance"));
	char *directory = lab_path(lab->name, host, NULL), *line;
	int status = 0, code = 0;
	bool was_there = access(directory, F_OK) == 0;
	pid_t pid;

	free(directory);
	if (!instance || !was_there)
		return 0; /* no daemon was ever started here */
	pid = fork();
	if (pid < 0)
		return error_set(error, errno, NULL, "fork: %s", strerror(errno));
	if (pid == 0)
		become_cleaner(lab, host, instance);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		line = last_log_line(lab, host);
		code = error_set(error, EIO, NULL, "host %s: weftd --remove-datapath failed: %s",
				 host, line);
		free(line);
	}
	return code;
}
