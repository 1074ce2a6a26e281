/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/options.c and agent/notify.c: the command line, and what the service manager is told.
 */
#include "tests/unit/unit.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/notify.h"
#include "agent/options.h"

#define ARGUMENTS_MAX 8

/* A command line of words between blanks. The texts of the options live in it until the next call. */
static int read_line(struct options *options, const char *line, struct error *error)
{
	static char words[200];
	char *arguments[ARGUMENTS_MAX + 1] = { NULL }, *rest = words, *word;
	static char program[] = "weftd";
	int count = 1;

	arguments[0] = program;
	snprintf(words, sizeof(words), "%s", line);
	while (rest && *rest && (word = strsep(&rest, " ")) && count < ARGUMENTS_MAX)
		arguments[count++] = word;
	error_clear(error);
	return options_read(options, count, arguments, error);
}

static void what_is_not_given_is_filled_in(void **state)
{
	struct options options;
	struct error error = { 0 };

	(void)state;
	assert_int_equal(read_line(&options, "", &error), 0);
	assert_string_equal(options.name, "default");
	assert_string_equal(options.state, "/var/lib/weft/default");
	assert_string_equal(options.socket, "/run/weft/default.sock");
	assert_null(options.store);
	assert_int_equal(options.log_level, LOG_LEVEL_INFO);
	assert_null(options.host);
	assert_true(options.default_host[0] != '\0');
	assert_null(options.listen);
	assert_int_equal(read_line(&options, "--name h2 --flows 4096 --log-level debug", &error),
			 0);
	assert_string_equal(options.state, "/var/lib/weft/h2");
	assert_string_equal(options.socket, "/run/weft/h2.sock");
	assert_int_equal(options.flow_capacity, 4096);
	assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(read_line(&options, "--state=/a --socket=/b --host c", &error), 0);
	assert_string_equal(options.state, "/a");
	assert_string_equal(options.socket, "/b");
	assert_string_equal(options.host, "c");
}

static void wrong_usage_is_said_in_a_sentence(void **state)
{
	static const struct {
		const char *line, *part;
	} cases[] = {
		{ "--nonsense", "--nonsense" },
		{ "stray", "stray" },
		{ "--name", "needs a value" },
		{ "--name Upper", "--name" },
		{ "--name ../etc", "--name" },
		{ "--flows 0", "--flows" },
		{ "--flows 12x", "--flows" },
		{ "--flows -5", "--flows" },
		{ "--flows 99999999999999999999", "--flows" },
		{ "--log-level loud", "loud" },
		{ "--store etcds://h:2379", "--store-ca" },
		{ "--store etcd://h:2379 --store-key k", "nothing else" },
		{ "--underlay 10.0.0.x", "10.0.0.x" },
		{ "--store papyrus", "papyrus" },
		{ "--listen 127.0.0.1:1", "--tls-certificate" },
		{ "--tls-key k", "--listen" },
	};
	struct options options;
	struct error error = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(read_line(&options, cases[i].line, &error) < 0);
		if (!strstr(error.text, cases[i].part))
			fail_msg("%s: %s", cases[i].line, error.text);
	}
}

static void the_manager_is_told(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char directory[] = "/tmp/weft-test-XXXXXX", text[64];
	ssize_t size;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_manager("READY=1"), 0);
	assert_non_null(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	assert_int_equal(notify_manager("READY=1"), 0);
	size = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	assert_int_equal(size, 7);
	assert_memory_equal(text, "READY=1", 7);
	unlink(address.sun_path);
	rmdir(directory);
	assert_int_equal(notify_manager("READY=1"), -ENOENT);
	setenv("NOTIFY_SOCKET", "not/absolute", 1);
	assert_int_equal(notify_manager("READY=1"), -EINVAL);
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_given_is_filled_in),
		cmocka_unit_test(wrong_usage_is_said_in_a_sentence),
		cmocka_unit_test(the_manager_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
