/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: what is printed, what is sent, and the exit status.
 *
 * Commands run in this process, against a daemon made of canned answers. Texts that are long are kept
 * in tests/golden/cli/; with WEFT_GOLDEN=write in the environment they are written anew.
 */
#include "tests/unit/fake_daemon.h"

#include <sys/stat.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/nouns.h"

#define GOLDEN "tests/golden/cli/"

/* What a run left. */
struct run {
	int status;
	char *out, *err;
};

static void run_free(struct run *run)
{
	free(run->out);
	free(run->err);
}

/* Run a command line, words between blanks; socket NULL: of nobody. */
static struct run run_weft(const char *socket_path, const char *line)
{
	char *copy = xasprintf("weft %s", line), *rest = copy, *words[64];
	struct run run = { 0 };
	size_t out_size, err_size;
	FILE *out = open_memstream(&run.out, &out_size);
	FILE *err = open_memstream(&run.err, &err_size);
	int count = 0;

	while ((words[count] = strsep(&rest, " ")))
		count++;
	setenv("WEFT_SOCKET", socket_path ? socket_path : "/tmp/weft-nobody", 1);
	run.status = cli_run(count, words, out, err);
	fclose(out);
	fclose(err);
	free(copy);
	return run;
}

static void expect_golden(const char *name, const char *text)
{
	char *path = xasprintf("%s%s", GOLDEN, name);
	const char *mode = getenv("WEFT_GOLDEN");
	struct buf expected = { 0 };
	struct error error = { 0 };

	if (mode && strcmp(mode, "write") == 0) {
		assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, &error), 0);
	} else {
		if (file_read(path, 1 << 20, &expected, &error) < 0)
			fail_msg("%s", error.text);
		assert_string_equal(text, buf_text(&expected));
	}
	buf_fini(&expected);
	free(path);
}

static void expect(const char *socket_path, const char *line, int status, const char *out,
		   const char *err)
{
	struct run run = run_weft(socket_path, line);

	if (run.status != status || (out && strcmp(run.out, out)) || (err && strcmp(run.err, err)))
		fail_msg("weft %s\nstatus %d, not %d\nout: %s\nnot: %s\nerr: %s\nnot: %s", line,
			 run.status, status, run.out, out ? out : "?", run.err, err ? err : "?");
	run_free(&run);
}

static void test_help(void **state)
{
	struct buf all = { 0 };
	char line[128];
	struct run run;

	(void)state;
	run = run_weft(NULL, "--help");
	assert_int_equal(run.status, 0);
	buf_append_text(&all, run.out);
	run_free(&run);
	for (size_t i = 0; nouns[i]; i++) {
		snprintf(line, sizeof(line), "help %s", nouns[i]->name);
		run = run_weft(NULL, line);
		assert_int_equal(run.status, 0);
		buf_printf(&all, "\n==== weft %s ====\n%s", line, run.out);
		run_free(&run);
		for (const struct command *c = nouns[i]->commands; c->summary; c++) {
			if (!c->verb)
				continue;
			snprintf(line, sizeof(line), "%s %s --help", nouns[i]->name, c->verb);
			run = run_weft(NULL, line);
			assert_int_equal(run.status, 0);
			buf_printf(&all, "\n==== weft %s ====\n", line);
			/* The global options are the same for all and stand in the overview. */
			buf_append(&all, run.out,
				   (size_t)(strstr(run.out, "\nglobal options:") - run.out));
			run_free(&run);
		}
	}
	expect_golden("help.txt", buf_text(&all));
	buf_fini(&all);
}

static void test_usage(void **state)
{
	static const char *const lines[] = {
		"",
		"prt",
		"xyzzy",
		"port",
		"port ad blue/web1",
		"port add",
		"port add blue/web1",
		"port add web1 --subnet web",
		"port add blue/ --subnet web",
		"port add a/b/c --subnet web",
		"port add blue/web1 --subnt web",
		"port add blue/web1 -x",
		"port add blue/web1 --subnet",
		"port add blue/web1 extra --subnet web",
		"port add blue/web1 --subnet web --tap t --netns n",
		"port add blue/web1 --subnet web --mtu big",
		"port add blue/web1 --subnet web --source-destination-check maybe",
		"port add blue/web1 --subnet web --mac \xff",
		"port set blue/web1",
		"vpc show blue/web",
		"vpc add blue",
		"status --json=yes",
		"route add blue/main 10.0.0.0/8",
		"rule add blue/web sideways tcp 80 --from 0.0.0.0/0",
		"rule add blue/web ingress tcp 80",
		"rule add blue/web ingress tcp 80 --to 0.0.0.0/0",
		"rule add blue/web ingress --from 0.0.0.0/0",
		"rule remove blue/web ingress zero",
		"rule add blue/web ingress icmp echo --from 10.0.0.0/8",
		"acl rule blue/edge ingress 0 allow tcp --from ::/0",
		"acl rule blue/edge ingress 1 permit tcp --from ::/0",
		"port show a\nb",
		"trace a --to 10.0.0.1",
		"trace blue/web1",
		"trace blue/web1 --tcp 80",
		"trace blue/web1 --to 10.0.0.1 --tcp 80 --udp 53",
		"trace blue/web1 --to 10.0.0.1 --icmp maybe",
		"completion fish",
		"help prt",
		"help port ad",
		"lab exec shop",
	};
	struct buf all = { 0 };
	struct run run;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		run = *lines[i] ? run_weft(NULL, lines[i]) : run_weft(NULL, "--quiet");
		if (run.status != EXIT_USAGE)
			fail_msg("weft %s: status %d: %s", lines[i], run.status, run.err);
		assert_string_equal(run.out, "");
		buf_printf(&all, "$ weft %s\n%s", lines[i], run.err);
		run_free(&run);
	}
	expect_golden("usage.txt", buf_text(&all));
	buf_fini(&all);
}

static void test_no_daemon(void **state)
{
	(void)state;
	expect(NULL, "status", EXIT_NO_DAEMON, "",
	       "weft: no daemon at /tmp/weft-nobody: start weftd, or name its socket by --socket\n");
	expect(NULL, "port show blue/web1", EXIT_NO_DAEMON, "", NULL);
	expect(NULL, "drops --follow", EXIT_NO_DAEMON, "", NULL);
	expect("", "port list --socket=/tmp/weft-nobody", EXIT_NO_DAEMON, "", NULL);
	expect(NULL, "version", EXIT_DONE, "weft " WEFT_VERSION "\n", "");
	expect(NULL, "--version", EXIT_DONE, "weft " WEFT_VERSION "\n", "");
}

static void test_objects(void **state)
{
	static const struct fake_answer answers[] = {
		{ "PUT /v1/vpcs/blue/ports/web1", 201,
		  "{\"subnet\":\"web\",\"addresses\":[\"10.0.1.11\",\"fd00::b\"],\"status\":{\"state\":"
		  "\"waiting\",\"reason\":\"there is no namespace web1\"}}",
		  NULL, false },
		{ "PUT /v1/vpcs/blue/ports/web2", 400,
		  "{\"error\":{\"code\":\"bad_request\",\"message\":\"no subnet \\\"webb\\\" in vpc blue "
		  "(did you mean \\\"web\\\"?)\",\"path\":\"vpcs.blue.ports.web2.subnet\"}}",
		  NULL, false },
		{ "PATCH /v1/vpcs/blue/ports/web1", 400,
		  "{\"error\":{\"code\":\"bad_request\",\"message\":\"must be from 68 to 65535\","
		  "\"path\":\"vpcs.blue.ports.web1.mtu\"}}",
		  NULL, false },
		{ "DELETE /v1/vpcs/blue", 200,
		  "{\"changes\":[{\"text\":\"- port blue/web1\"},{\"text\":\"- vpc blue\"}],"
		  "\"revision\":3}",
		  NULL, false },
		{ "GET /v1/vpcs/blue/ports/web1 ", 200,
		  "{\"id\":7,\"subnet\":\"web\",\"attach\":{\"netns\":\"web1\"},\"status\":{\"state\":"
		  "\"waiting\",\"reason\":\"no namespace web1\"}}",
		  NULL, false },
		{ "GET /v1/vpcs/blue/ports ", 200,
		  "{\"vm1\":{\"subnet\":\"web\",\"attach\":{\"tap\":\"tap0\"}},\"web1\":{\"subnet\":\"web\","
		  "\"addresses\":[\"10.0.1.11\"],\"mac\":\"02:00:00:00:00:01\",\"security_groups\":"
		  "[\"web\",\"lb\"],\"attach\":{\"netns\":\"web1\",\"ifname\":\"eth0\"},\"status\":"
		  "{\"state\":\"plugged\"}}}",
		  NULL, false },
		{ "GET /v1/vpcs ", 200, "{\"blue\":{\"cidrs\":[\"10.0.0.0/16\"],\"mtu\":9001}}",
		  NULL, false },
		{ NULL, 0, NULL, NULL, false },
	};
	static const char expected[] =
		"PUT /v1/vpcs/blue/ports/web1 [If-None-Match: *] {\"subnet\":\"web\",\"attach\":"
		"{\"netns\":\"web1\"},\"addresses\":[\"10.0.1.11\",\"fd00::b\"],\"security_groups\":"
		"[\"web\",\"lb\"],\"mtu\":1400,\"source_destination_check\":false}\n"
		"PUT /v1/vpcs/blue/ports/web2 [If-None-Match: *] {\"subnet\":\"webb\"}\n"
		"PATCH /v1/vpcs/blue/ports/web1 {\"mtu\":7}\n"
		"PATCH /v1/vpcs/blue/ports/web1 {\"attach\":{\"tap\":\"t\",\"netns\":null,\"pid\":null,"
		"\"tun\":null,\"bridge\":null,\"ovs_bridge\":null,\"device\":null,"
		"\"patch\":null,\"parent\":null,\"host\":null,\"vlan\":null,\"protocol\":null,\"native\":null}}\n"
		"DELETE /v1/vpcs/blue\n"
		"GET /v1/vpcs/blue/ports/web1\n"
		"GET /v1/vpcs\n"
		"GET /v1/vpcs/blue/ports\n"
		"GET /v1/vpcs/blue/ports\n"
		"GET /v1/vpcs\n"
		"GET /v1/vpcs/red/ports\n";
	struct fake_daemon daemon;
	char *requests;

	(void)state;
	fake_daemon_start(&daemon, answers);
	expect(daemon.path,
	       "port add blue/web1 --subnet web --netns web1 --address 10.0.1.11 --address fd00::b "
	       "--group web,lb --mtu 1400 --source-destination-check off",
	       0, "port blue/web1 added: 10.0.1.11,fd00::b (waiting: there is no namespace web1)\n",
	       "");
	expect(daemon.path, "port add blue/web2 --subnet webb", 1, "",
	       "weft: port blue/web2: no subnet \"webb\" in vpc blue (did you mean \"web\"?)\n");
	expect(daemon.path, "port set blue/web1 --mtu 7", 1, "",
	       "weft: port blue/web1: mtu: must be from 68 to 65535\n");
	expect(daemon.path, "port set blue/web1 --tap t", 1, "", NULL);
	expect(daemon.path, "vpc remove blue", 0, "- port blue/web1\n- vpc blue\n", "");
	expect(daemon.path, "port show blue/web1", 0,
	       "name: blue/web1\nid: 7\nsubnet: web\nattach: {netns: web1}\n"
	       "status: {state: waiting, reason: \"no namespace web1\"}\n",
	       "");
	expect(daemon.path, "port list", 0,
	       "NAME       SUBNET  HOST  ADDRESSES  MAC                GROUPS  STATE    ATTACHED "
	       "TO\n"
	       "blue/vm1   web     -     -          -                  -       -        tap tap0\n"
	       "blue/web1  web     -     10.0.1.11  02:00:00:00:00:01  web,lb  plugged  netns web1 "
	       "eth0\n",
	       "");
	expect(daemon.path, "port list --quiet --vpc blue", 0, "blue/vm1\nblue/web1\n", "");
	expect(daemon.path, "vpc list --json", 0,
	       "[\n  {\n    \"name\": \"blue\",\n    \"cidrs\": [\n      \"10.0.0.0/16\"\n    ],\n"
	       "    \"mtu\": 9001\n  }\n]\n",
	       "");
	expect(daemon.path, "port list --vpc red", 1, "", "weft: no such thing\n");
	requests = fake_daemon_stop(&daemon);
	assert_string_equal(requests, expected);
	free(requests);
}

static void test_parts(void **state)
{
	static const struct fake_answer answers[] = {
		{ "GET /v1/vpcs/blue/route_tables/main", 200,
		  "{\"routes\":[{\"to\":\"10.9.0.0/16\",\"via\":\"blackhole\",\"status\":\"blackhole\"},"
		  "{\"to\":\"10.0.0.0/16\",\"via\":\"local\",\"status\":\"active\"}]}",
		  "\"5\"", false },
		{ "GET /v1/vpcs/blue/security_groups/web", 200,
		  "{\"ingress\":[{\"protocol\":\"tcp\",\"ports\":\"80\",\"from\":\"0.0.0.0/0\"},"
		  "{\"protocol\":\"icmp\",\"from\":\"group:web\"}],\"egress\":[]}",
		  "\"6\"", false },
		{ "GET /v1/vpcs/blue/acls/edge", 200,
		  "{\"ingress\":[{\"number\":100,\"action\":\"allow\",\"protocol\":\"all\",\"from\":"
		  "\"0.0.0.0/0\"}],\"egress\":[]}",
		  "\"7\"", false },
		{ "PATCH ", 200, "{}", NULL, false },
		{ NULL, 0, NULL, NULL, false },
	};
	struct fake_daemon daemon;
	char *requests;

	(void)state;
	fake_daemon_start(&daemon, answers);
	expect(daemon.path, "route add blue/main 10.8.0.0/16 --via port:fw1 --via port:fw2", 0,
	       "route 10.8.0.0/16 of route table blue/main added\n", "");
	expect(daemon.path, "route add blue/main 10.8.0.0/16 blackhole", 0, NULL, "");
	expect(daemon.path, "route add blue/main 10.9.0.0/16 --via local", 1, "",
	       "weft: route table blue/main: there is a route to 10.9.0.0/16 already; remove it first\n");
	/* V19: the local route is led elsewhere by a route to the range of the VPC. */
	expect(daemon.path, "route add blue/main 10.0.0.0/16 --via port:fw1", 0, NULL, "");
	expect(daemon.path, "route remove blue/main 10.9.0.0/16", 0, NULL, "");
	expect(daemon.path, "route remove blue/main 10.7.0.0/16", 1, "",
	       "weft: route table blue/main: no route to 10.7.0.0/16\n");
	expect(daemon.path, "route remove blue/main 10.0.0.0/16", 1, "",
	       "weft: route table blue/main: 10.0.0.0/16 is a range of the VPC; its local route "
	       "cannot be removed\n");
	expect(daemon.path, "route list blue/main", 0,
	       "ROUTE TABLE  TO           VIA        STATUS\nblue/main    10.9.0.0/16  blackhole  "
	       "blackhole\nblue/main    10.0.0.0/16  local      active\n",
	       "");
	expect(daemon.path, "rule add blue/web ingress tcp 443 --from group:lb", 0,
	       "rule 3 of security group blue/web ingress added\n", "");
	expect(daemon.path, "rule add blue/web egress icmp 8 --to 10.0.0.0/8", 0, NULL, "");
	expect(daemon.path, "rule remove blue/web ingress 1", 0,
	       "rule 1 of security group blue/web ingress removed\n", "");
	expect(daemon.path, "rule remove blue/web ingress icmp --from group:web", 0,
	       "rule 2 of security group blue/web ingress removed\n", "");
	expect(daemon.path, "rule remove blue/web ingress 3", 1, "",
	       "weft: security group blue/web: no such ingress rule; weft rule list blue/web\n");
	expect(daemon.path, "rule list blue/web", 0,
	       "GROUP     DIRECTION  NUMBER  PROTOCOL  PORTS  PEER\n"
	       "blue/web  ingress    1       tcp       80     0.0.0.0/0\n"
	       "blue/web  ingress    2       icmp      -      group:web\n",
	       "");
	expect(daemon.path, "acl rule blue/edge ingress 50 deny tcp 22 --from 0.0.0.0/0", 0, NULL,
	       "");
	expect(daemon.path, "acl remove-rule blue/edge ingress 100", 0, NULL, "");
	expect(daemon.path, "acl remove-rule blue/edge egress 100", 1, "",
	       "weft: acl blue/edge: no egress rule 100\n");
	expect(daemon.path, "acl rules blue/edge", 0,
	       "ACL        DIRECTION  NUMBER  ACTION  PROTOCOL  PORTS  PEER\n"
	       "blue/edge  ingress    100     allow   all       -      0.0.0.0/0\n",
	       "");
	requests = fake_daemon_stop(&daemon);
	expect_golden("requests.txt", requests);
	free(requests);
}

/* What an empty text takes away, the timeouts of a VPC, and one of a kind. */
static void test_set(void **state)
{
	static const struct fake_answer answers[] = {
		{ "PATCH ", 200, "{}", NULL, false },
		{ "GET /v1/status", 200,
		  "{\"objects\":{\"vpcs\":1,\"route_tables\":2,\"acls\":0},\"ports\":{\"plugged\":1}}",
		  NULL, false },
		{ NULL, 0, NULL, NULL, false },
	};
	struct fake_daemon daemon;
	struct run run;
	char *requests;

	(void)state;
	fake_daemon_start(&daemon, answers);
	expect(daemon.path, "subnet set blue/web --cidr 10.0.9.0/24 --acl ", 0,
	       "subnet blue/web changed\n", "");
	expect(daemon.path, "vpc set blue --timeout-icmp 7 --timeout-tcp-established 86400", 0,
	       "vpc blue changed\n", "");
	run = run_weft(daemon.path, "status");
	assert_int_equal(run.status, 0);
	assert_non_null(strstr(run.out, " 1 vpc, 2 route tables\n"));
	assert_non_null(strstr(run.out, " 1 plugged\n"));
	run_free(&run);
	requests = fake_daemon_stop(&daemon);
	assert_string_equal(
		requests,
		"PATCH /v1/vpcs/blue/subnets/web {\"cidr\":[\"10.0.9.0/24\"],\"acl\":null}\n"
		"PATCH /v1/vpcs/blue {\"timeouts\":{\"icmp\":7,\"tcp_established\":86400}}\n"
		"GET /v1/status\n");
	free(requests);
}

#define REFUSED(key, sentence)                                                                     \
	"{\"error\":{\"code\":\"bad_request\",\"message\":\"" sentence "\","                       \
	"\"path\":\"vpcs.blue." key "\"}}"

/* The key of a refusal stands in front of the sentence, where that does not say it. */
static void test_key_is_said_once(void **state)
{
	static const struct fake_answer answers[] = {
		{ "PATCH /v1/vpcs/blue/ports/a", 400,
		  REFUSED("ports.a.send_rate", "port blue/a: send_rate is a number"), NULL, false },
		{ "PATCH /v1/vpcs/blue/ports/b", 400,
		  REFUSED("ports.b.security_groups[0]", "port blue/b: no security group \\\"x\\\""),
		  NULL, false },
		{ "PATCH /v1/vpcs/blue/ports/c", 400,
		  REFUSED("ports.c.mtu", "port blue/c: 9000 is too large"), NULL, false },
		{ NULL, 0, NULL, NULL, false },
	};
	struct fake_daemon daemon;

	(void)state;
	fake_daemon_start(&daemon, answers);
	expect(daemon.path, "port set blue/a --send-rate fast", 1, "",
	       "weft: port blue/a: send_rate is a number\n");
	expect(daemon.path, "port set blue/b --group x", 1, "",
	       "weft: port blue/b: no security group \"x\"\n");
	expect(daemon.path, "port set blue/c --mtu 9000", 1, "",
	       "weft: port blue/c: mtu: 9000 is too large\n");
	free(fake_daemon_stop(&daemon));
}

static char *write_file(const char *text)
{
	char *path = xstrdup("/tmp/weft-test-XXXXXX.yaml");
	int fd = mkstemps(path, 5);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static void test_apply(void **state)
{
	static const struct fake_answer answers[] = {
		{ "POST /v1/apply?dry_run=1", 200, "{\"changes\":[],\"revision\":1}", NULL, false },
		{ "POST /v1/apply?prune=1", 400,
		  "{\"error\":{\"code\":\"bad_request\",\"message\":\"no subnet \\\"webb\\\" in vpc blue "
		  "(did you mean \\\"web\\\"?)\",\"path\":\"vpcs.blue.ports.web1.subnet\"}}",
		  NULL, false },
		{ "POST /v1/apply", 200,
		  "{\"changes\":[{\"action\":\"add\",\"text\":\"+ vpc blue\"},{\"action\":\"modify\",\"text\":"
		  "\"~ port blue/web1\"},{\"action\":\"remove\",\"text\":\"- vpc red\"}],\"revision\":2}",
		  NULL, false },
		{ "GET /v1/export", 200,
		  "{\"vpcs\":{\"blue\":{\"cidrs\":[\"10.0.0.0/16\"],\"subnets\":{\"web\":{\"cidr\":"
		  "\"10.0.1.0/24\"}}}}}",
		  NULL, false },
		{ NULL, 0, NULL, NULL, false },
	};
	char *path = write_file("vpcs:\n  blue:\n    ports:\n      web1:\n        subnet: webb\n");
	char *twice = write_file("vpcs: {}\nvpcs: {}\n"), *line, *err;
	struct fake_daemon daemon;

	(void)state;
	fake_daemon_start(&daemon, answers);
	line = xasprintf("apply %s", path);
	expect(daemon.path, line, 0,
	       "+ vpc blue\n~ port blue/web1\n- vpc red\n1 added, 1 changed, 1 removed\n", "");
	free(line);
	line = xasprintf("apply --dry-run %s", path);
	expect(daemon.path, line, 0, "nothing to change\n", "");
	free(line);
	line = xasprintf("apply --prune %s", path);
	err = xasprintf(
		"weft: %s:5: vpcs.blue.ports.web1.subnet: no subnet \"webb\" in vpc blue (did "
		"you mean \"web\"?)\n",
		path);
	expect(daemon.path, line, 1, "", err);
	free(line);
	free(err);
	line = xasprintf("apply %s", twice);
	err = xasprintf("weft: %s:2: the key \"vpcs\" is there twice (first on line 1)\n", twice);
	expect(daemon.path, line, 1, "", err);
	free(line);
	free(err);
	expect(daemon.path, "apply /tmp/weft-there-is-no-such-file", 1, "", NULL);
	expect(daemon.path, "export", 0,
	       "vpcs:\n  blue:\n    cidrs: [10.0.0.0/16]\n    subnets:\n      web: {cidr: 10.0.1.0/24}\n",
	       "");
	free(fake_daemon_stop(&daemon));
	unlink(path);
	unlink(twice);
	free(path);
	free(twice);
}

#define STAGES                                                                                          \
	"\"stages\":[{\"host\":\"h1\",\"stage\":\"parse\",\"result\":\"well formed\",\"object\":null}," \
	"{\"host\":\"h1\",\"stage\":\"guard\",\"result\":\"source is the port's own\",\"object\":"      \
	"\"port blue/web1\"}]"

static void test_trace(void **state)
{
	static const struct fake_answer answers[] = {
		{ "*\"udp\"", 200,
		  "{\"verdict\":\"dropped\",\"reason\":\"no_route\",\"sentence\":\"no route to the "
		  "destination in the subnet's route table\",\"object\":\"route table blue/main\"," STAGES
		  ",\"to\":null,\"frame\":\"00\"}",
		  NULL, false },
		{ "*\"protocol\":47", 200,
		  "{\"verdict\":\"delivered\",\"reason\":\"delivered\",\"sentence\":\"delivered to a "
		  "port\",\"object\":null," STAGES
		  ",\"to\":{\"host\":\"h1\",\"port\":\"network office (subnet blue/lan)\"},"
		  "\"frame\":\"00\"}",
		  NULL, false },
		{ "POST /v1/trace", 200,
		  "{\"verdict\":\"delivered\",\"reason\":\"delivered\",\"sentence\":\"delivered to a "
		  "port\",\"object\":null," STAGES
		  ",\"to\":{\"host\":\"h1\",\"port\":\"blue/db1\"},"
		  "\"frame\":\"00\"}",
		  NULL, false },
		{ NULL, 0, NULL, NULL, false },
	};
	struct fake_daemon daemon;
	struct run run;
	char *requests;

	(void)state;
	fake_daemon_start(&daemon, answers);
	expect(daemon.path, "trace blue/web1 --to 10.0.2.20 --tcp 5432", 0,
	       "parse  well formed\n"
	       "guard  source is the port's own  port blue/web1\n"
	       "delivered: delivered to a port: port blue/db1\n",
	       "");
	expect(daemon.path, "trace blue/web1 --to 10.0.2.20 --protocol 47", 0,
	       "parse  well formed\n"
	       "guard  source is the port's own  port blue/web1\n"
	       "delivered: delivered to a port: network office (subnet blue/lan)\n",
	       "");
	expect(daemon.path, "trace blue/web1 --to 10.0.2.20 --udp 5432 --from-port 7 --size 100", 4,
	       "parse  well formed\n"
	       "guard  source is the port's own  port blue/web1\n"
	       "dropped (no_route): no route to the destination in the subnet's route table: route "
	       "table blue/main\n",
	       "");
	run = run_weft(daemon.path, "trace blue/web1 --arp 10.0.1.1 --json");
	assert_int_equal(run.status, 0);
	expect_golden("trace.json", run.out);
	run_free(&run);
	expect(daemon.path, "trace blue/web1 --to 10.0.1.1 --icmp 3/4 --quiet", 0, NULL, "");
	requests = fake_daemon_stop(&daemon);
	assert_non_null(strstr(requests,
			       "{\"to\":\"10.0.2.20\",\"port\":\"blue/web1\",\"protocol\":"
			       "\"tcp\",\"destination_port\":5432}"));
	assert_non_null(strstr(requests, "{\"arp\":\"10.0.1.1\",\"port\":\"blue/web1\"}"));
	assert_non_null(strstr(requests, "\"protocol\":\"icmp\",\"type\":3,\"code\":4}"));
	free(requests);
}

#define AT(host, stage)                                                                            \
	"{\"host\":\"" host "\",\"stage\":\"" stage "\",\"result\":\"to\",\"object\":null}"
#define VERDICT(word, text)                                                                        \
	"\"verdict\":\"" word "\",\"reason\":\"delivered\",\"sentence\":\"" text                   \
	"\",\"object\":null"

static void test_trace_over_hosts(void **state)
{
	static const struct fake_answer answers[] = {
		{ "*\"udp\"", 200,
		  "{" VERDICT(
			  "sent",
			  "sent to host h2, which did not answer within 3 s") ","
									      "\"stages\":[" AT("h1", "guard") "," AT(
										      "h2",
										      "tunnel") "],"
												"\"to\":{\"host\":\"h2\",\"port\":\"blue/db1\"},\"frame\":\"00\"}",
		  NULL, false },
		{ "*\"icmp\"", 200,
		  "{" VERDICT(
			  "delivered",
			  "delivered to a port") ","
						 "\"stages\":[" AT("h1", "guard") "," AT(
							 "h1",
							 "guard") "],"
								  "\"to\":{\"host\":\"h1\",\"port\":\"blue/db1\"},\"frame\":\"00\",\"back\":{"
								  "\"verdict\":\"dropped\",\"reason\":\"acl_egress\",\"sentence\":\"no\","
								  "\"object\":\"rule 1\",\"to\":null,\"first_stage\":1}}",
		  NULL, false },
		{ "POST /v1/trace", 200,
		  "{" VERDICT(
			  "delivered",
			  "delivered to a port") ","
						 "\"stages\":[" AT("h1", "guard") "," AT("h2", "deliver") "," AT(
							 "h2",
							 "guard") "," AT("h1",
									 "deliver") "],"
										    "\"to\":{\"host\":\"h2\",\"port\":\"blue/db1\"},\"frame\":\"00\",\"back\":{" VERDICT(
											    "delivered",
											    "delivered to a port") ",\"first_stage\":2,"
														   "\"to\":{\"host\":\"h1\",\"port\":\"blue/web1\"}}}",
		  NULL, false },
		{ NULL, 0, NULL, NULL, false },
	};
	struct fake_daemon daemon;

	(void)state;
	fake_daemon_start(&daemon, answers);
	expect(daemon.path, "trace blue/web1 --to 10.0.2.20 --tcp 5432", 0,
	       "on host h1\n"
	       "guard  to\n"
	       "on host h2\n"
	       "deliver  to\n"
	       "and back, on host h2\n"
	       "guard  to\n"
	       "on host h1\n"
	       "deliver  to\n"
	       "delivered: delivered to a port: port blue/db1 on host h2\n"
	       "and back: delivered: delivered to a port: port blue/web1 on host h1\n",
	       "");
	expect(daemon.path, "trace blue/web1 --to 10.0.2.20 --icmp echo", 0,
	       "guard  to\n"
	       "and back\n"
	       "guard  to\n"
	       "delivered: delivered to a port: port blue/db1\n"
	       "and back: dropped (acl_egress): no: rule 1\n",
	       "");
	expect(daemon.path, "trace blue/web1 --to 10.0.2.20 --udp 53", 1,
	       "on host h1\n"
	       "guard  to\n"
	       "on host h2\n"
	       "tunnel  to\n"
	       "sent to host h2, which did not answer within 3 s: port blue/db1\n",
	       "");
	free(fake_daemon_stop(&daemon));
}

#define DROP                                                                                       \
	"{\"time\":\"2026-11-21T03:04:05.678Z\",\"host\":\"h1\",\"reason\":\"group_ingress\","     \
	"\"sentence\":\"no rule allows it in\",\"object\":\"security group blue/db\",\"port\":"    \
	"\"blue/web1\",\"protocol\":\"tcp\",\"source\":\"10.0.1.11\",\"source_port\":40000,"       \
	"\"destination\":\"10.0.2.20\",\"destination_port\":22,\"length\":60,\"suppressed\":3}"

static void test_watching(void **state)
{
	static const struct fake_answer answers[] = {
		{ "GET /v1/drops", 200, "{\"drops\":[" DROP "]}", NULL, false },
		{ "GET /v1/events?kind=drop", 200, "event: drop\ndata: " DROP "\n\n", NULL, true },
		{ "GET /v1/flows", 200,
		  "{\"flows\":[{\"port\":\"blue/web1\",\"peer\":null,\"protocol\":\"icmp\",\"source\":"
		  "\"10.0.1.11\",\"destination\":\"10.0.1.12\",\"type\":8,\"code\":0,\"identifier\":77,"
		  "\"state\":\"new\",\"packets\":1,\"bytes\":84,\"reply_packets\":0,\"reply_bytes\":0,"
		  "\"idle\":1,\"timeout\":30},{\"port\":\"blue/web1\",\"peer\":\"blue/db1\",\"protocol\":\"tcp\","
		  "\"source\":\"fd00::1\",\"source_port\":40000,\"destination\":\"fd00::2\","
		  "\"destination_port\":22,\"state\":\"established\",\"packets\":4,\"bytes\":400,"
		  "\"reply_packets\":3,\"reply_bytes\":300,\"idle\":2,\"timeout\":60}],\"truncated\":true}",
		  NULL, false },
		{ "GET /v1/multicast", 200,
		  "{\"members\":[{\"subnet\":\"blue/lan\",\"group\":\"239.1.1.1\",\"port\":\"blue/n1\","
		  "\"router\":false,\"filter\":\"exclude\",\"sources\":[\"10.0.1.5\",\"10.0.1.6\"],"
		  "\"expires\":250},{\"subnet\":\"blue/lan\",\"group\":null,\"port\":\"blue/br\","
		  "\"router\":true,\"filter\":\"all\",\"sources\":[],\"expires\":9}],\"queriers\":["
		  "{\"subnet\":\"blue/lan\",\"interval\":125,\"sent\":2,\"next\":31}]}",
		  NULL, false },
		{ "GET /v1/counters", 200,
		  "{\"verdicts\":{\"delivered\":{\"packets\":5,\"bytes\":300},\"no_route\":{\"packets\":0,"
		  "\"bytes\":0}},\"vpcs\":{\"blue\":{\"flows\":1,\"refused_flows\":0}}}",
		  NULL, false },
		{ NULL, 0, NULL, NULL, false },
	};
	struct fake_daemon daemon;
	struct run run;

	(void)state;
	setenv("TZ", "UTC", 1);
	fake_daemon_start(&daemon, answers);
	run = run_weft(daemon.path, "drops");
	expect_golden("drops.txt", run.out);
	run_free(&run);
	run = run_weft(daemon.path, "drops --follow");
	assert_int_equal(run.status, 1);
	expect_golden("drops-follow.txt", run.out);
	run_free(&run);
	expect(daemon.path, "flows", 0,
	       "PORT       PEER      CONNECTION                            STATE        PACKETS  "
	       "BYTES    IDLE  TIMEOUT\n"
	       "blue/web1  -         icmp 8/0 10.0.1.11 > 10.0.1.12 id 77  new          1/0      "
	       "84/0     1s    30s\n"
	       "blue/web1  blue/db1  tcp [fd00::1]:40000 > [fd00::2]:22    established  4/3      "
	       "400/300  2s    60s\n",
	       "weft: there are more; --limit shows them\n");
	expect(daemon.path, "multicast", 0,
	       "SUBNET    GROUP         PORT     SOURCES                     EXPIRES\n"
	       "blue/lan  239.1.1.1     blue/n1  all but 10.0.1.5, 10.0.1.6  250s\n"
	       "blue/lan  any (router)  blue/br  all                         9s\n\n"
	       "SUBNET    INTERVAL  ASKED  NEXT\nblue/lan  125s      2      31s\n",
	       "");
	expect(daemon.path, "counters", 0,
	       "VPC   FLOWS  REFUSED FLOWS\nblue  1      0\n\nVERDICT    PACKETS  BYTES\n"
	       "delivered  5        300\n",
	       "");
	free(fake_daemon_stop(&daemon));
}

/* The shells themselves say whether the scripts are theirs; bash also completes with it. */
static void test_completion(void **state)
{
	struct run run = run_weft(NULL, "completion bash");
	char *path, *line, reply[256];
	FILE *shell;

	(void)state;
	assert_int_equal(run.status, 0);
	path = write_file(run.out);
	run_free(&run);
	line = xasprintf(
		"bash -c 'source %s; t() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _weft; "
		"echo \"${COMPREPLY[*]}\"; }; t weft vp; t weft --lab x port li; "
		"t weft vpc add blue --est; t weft vpc add blue --established c; "
		"t weft completion z; t weft help sub'",
		path);
	shell = popen(line, "r");
	assert_non_null(shell);
	for (const char *const *expected =
		     (const char *const[]){ "vpc\n", "list\n", "--established\n", "cut\n", "zsh\n",
					    "subnet\n", NULL };
	     *expected; expected++) {
		assert_non_null(fgets(reply, sizeof(reply), shell));
		assert_string_equal(reply, *expected);
	}
	assert_int_equal(pclose(shell), 0);
	unlink(path);
	free(path);
	free(line);
	run = run_weft(NULL, "completion zsh");
	assert_int_equal(strncmp(run.out, "#compdef weft\n", 14), 0);
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_key_is_said_once),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_trace_over_hosts),
		cmocka_unit_test(test_watching),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
