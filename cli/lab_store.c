/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store of a lab with several hosts: etcd, one member or three, in the underlay's namespace.
 *
 * Each member listens at an address of its own on the control network, speaks plain HTTP (the lab is one
 * machine's), and keeps its data below the lab's directory. `weft lab kill NAME store1` ends one the
 * hard way.
 *
 * Neighbours: lab_underlay.c (the network), lab_host.c (processes), lab_up.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/netns.h"
#include "cli/lab.h"

#define CLIENT_PORT 2379
#define PEER_PORT 2380

/* The option of etcd that says who the members are. */
static char *initial_cluster(const struct lab *lab)
{
	struct buf text = { 0 };
	const char *name;
	json_t *member;

	json_object_foreach(json_object_get(lab->registry, "stores"), name, member) {
		buf_printf(&text, "%s%s=http://%s:%d", text.size ? "," : "", name,
			   json_string_value(json_object_get(member, "address")), PEER_PORT);
	}
	return buf_steal(&text, NULL);
}

char *lab_store_url(const struct lab *lab)
{
	struct buf text = { 0 };
	const char *name;
	json_t *member;

	json_object_foreach(json_object_get(lab->registry, "stores"), name, member) {
		buf_printf(&text, "%s%s:%d", text.size ? "," : "etcd://",
			   json_string_value(json_object_get(member, "address")), CLIENT_PORT);
	}
	return text.size ? buf_steal(&text, NULL) : NULL;
}

void lab_store_exec(const struct lab *lab, const char *name)
{
	const json_t *member = lab_store(lab, name);
	const char *address = json_string_value(json_object_get(member, "address"));
	char *data = lab_path(lab->name, name, "data"), *all = initial_cluster(lab);
	char *client = xasprintf("http://%s:%d", address, CLIENT_PORT);
	char *peer = xasprintf("http://%s:%d", address, PEER_PORT);

	execlp("etcd", "etcd", "--name", name, "--data-dir", data, "--listen-client-urls", client,
	       "--advertise-client-urls", client, "--listen-peer-urls", peer,
	       "--initial-advertise-peer-urls", peer, "--initial-cluster", all,
	       "--initial-cluster-token", lab->name, "--pre-vote", "--max-txn-ops", "65536",
	       "--max-request-bytes", "16777216", "--auto-compaction-mode", "periodic",
	       "--auto-compaction-retention", "1h", "--logger", "zap", (char *)NULL);
	fprintf(stderr, "etcd: %s%s\n", strerror(errno),
		errno == ENOENT ? " (a lab of several hosts needs it: apt-get install etcd-server)"
				: "");
	_exit(127);
}

bool lab_store_answers(const struct lab *lab, const char *name)
{
	const json_t *member = lab_store(lab, name);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(CLIENT_PORT) };
	int netns, saved, fd;
	bool answers = false;

	inet_pton(AF_INET, json_string_value(json_object_get(member, "address")),
		  &address.sin_addr);
	netns = netns_open_name(json_string_value(json_object_get(member, "namespace")), NULL);
	if (netns < 0)
		return false;
	saved = netns_enter(netns, NULL);
	close(netns);
	if (saved < 0)
		return false;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		answers = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
		close(fd);
	}
	netns_leave(saved);
	return answers;
}
