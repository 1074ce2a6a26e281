/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls to weftd: HTTP and JSON over its unix socket.
 *
 * This is the only way in for the command line and for plug-ins. One struct client is one
 * daemon; each call is a connection of its own, and one thread makes them. What
 * the daemon refuses comes back as the struct error it sent: the sentence, the path in the
 * input, and an errno that its code stands for. Paths are names from the tree ("vpcs", "blue",
 * "ports", "web1"); they are escaped here, so that any text a user typed may be passed.
 *
 * Neighbours: http.c (one exchange), agent/api/openapi.json (the other side).
 */
#ifndef WEFT_CLIENT_CLIENT_H
#define WEFT_CLIENT_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct client;

/* The revision of an object as the daemon writes it into ETag, quotes included. */
#define CLIENT_TAG_SIZE 64

/* How put behaves towards an object of that name. */
enum client_put_mode {
	CLIENT_PUT_CREATE, /* refuse if it is there: -EEXIST */
	CLIENT_PUT_REPLACE,
};

/**
 * client_open - get ready to talk to the daemon at a socket; nothing is sent yet
 * @socket_path: copied
 *
 * Return: a client owned by the caller, never NULL.
 */
struct client *client_open(const char *socket_path);

/** client_close - release @client (may be NULL) */
void client_close(struct client *client);

/** client_socket_path - where the daemon is expected; borrowed */
const char *client_socket_path(const struct client *client);

/*
 * All calls below: 0, or a negative errno with the sentence in @error: -ECONNREFUSED if no daemon
 * answers at the socket, -ENOENT not found, -EEXIST, -EBUSY still used, -ESTALE changed by
 * somebody else meanwhile, -EINVAL refused with a path, -EAGAIN unavailable for now, -ENOSPC,
 * -EPROTO an answer that is not what the interface says, or another one. A json_t result is a new
 * reference of the caller's; a result pointer may be NULL where it is not wanted.
 */

/**
 * client_get - an object, or a collection by name
 * @names: names from the top of the tree, @name_count of them
 * @tag: filled with the object's revision; may be NULL
 */
int client_get(struct client *client, const char *const *names, size_t name_count, json_t **object,
	       char tag[CLIENT_TAG_SIZE], struct error *error);

/** client_put - make or replace an object; @stored is what it became, defaults included */
int client_put(struct client *client, const char *const *names, size_t name_count,
	       enum client_put_mode mode, const json_t *object, json_t **stored,
	       struct error *error);

/**
 * client_patch - merge @changes into an object (RFC 7396)
 * @tag: only if the object still is at this revision, else -ESTALE; NULL: in any case
 */
int client_patch(struct client *client, const char *const *names, size_t name_count,
		 const json_t *changes, const char *tag, json_t **stored, struct error *error);

/** client_remove - remove an object; @applied lists the changes, {"changes": [...]} */
int client_remove(struct client *client, const char *const *names, size_t name_count,
		  json_t **applied, struct error *error);

/** client_apply - make the intent as @tree says; @prune also removes VPCs it does not name */
int client_apply(struct client *client, const json_t *tree, bool dry_run, bool prune,
		 json_t **applied, struct error *error);

/**
 * client_cluster - make a cluster or become a part of one
 * @verb: "init", "join", "token"
 * @wish: as ClusterWish of the interface
 */
int client_cluster(struct client *client, const char *verb, const json_t *wish, json_t **answer,
		   struct error *error);

/** client_export - the whole intent as a tree */
int client_export(struct client *client, json_t **tree, struct error *error);

/** client_trace - what would become of a packet; @packet as TraceRequest of the interface */
int client_trace(struct client *client, const json_t *packet, json_t **trace, struct error *error);

/** client_status - the daemon, the host, the objects */
int client_status(struct client *client, json_t **status, struct error *error);

/** client_drops - the last drops that were sampled, of @port or (NULL) of all */
int client_drops(struct client *client, const char *port, json_t **drops, struct error *error);

/** client_flow_logs - where flow logs go, or with @write: end the interval now */
int client_flow_logs(struct client *client, bool write, json_t **answer, struct error *error);

/** client_flows - connections of @port or (NULL) of all, at most @limit (0: the daemon's limit) */
int client_flows(struct client *client, const char *port, unsigned long limit, json_t **flows,
		 struct error *error);

/** client_multicast - who listens to which group, behind @port or (NULL) all; and the queriers */
int client_multicast(struct client *client, const char *port, json_t **multicast,
		     struct error *error);

/** client_counters - of a port, a VPC or a verdict; NULL: of everything */
int client_counters(struct client *client, const char *name, json_t **counters,
		    struct error *error);

/**
 * An event of the stream.
 * @event: "change", "port", "drop", "tunnel", "lost"
 * @data: borrowed until the callback returns
 *
 * Return: 0 to go on, anything else ends the stream and is returned by client_events().
 */
typedef int client_event_callback(void *context, const char *event, const json_t *data);

/**
 * client_events - receive events until the callback or the daemon ends it
 * @kind: "change", "port", "drop" or "tunnel"; NULL for all
 * @port: only of this port; NULL for all
 * @ready: called once when the daemon has accepted, so that what follows is not missed; its
 *	return value is used as the callback's; may be NULL
 * @deadline_ms: end after so long with -ETIMEDOUT; 0: never
 *
 * Return: the callback's value if that ended it; -ECONNRESET if the daemon did; or negative errno.
 */
int client_events(struct client *client, const char *kind, const char *port,
		  int (*ready)(void *context), client_event_callback *callback, void *context,
		  unsigned long deadline_ms, struct error *error);

/**
 * struct client_capture - what is to be captured; texts as the parameters of GET /v1/capture, NULL: not said
 */
struct client_capture {
	const char *port, *subnet; /* one of them */
	const char *protocol, *ports, *type, *code, *address, *peer;
	const char *direction, *sample, *size, *count;
	bool dropped;
};

/**
 * client_capture - receive captured packets as pcapng until the callback or the daemon ends it
 * @piece: called with the bytes as they come; a value other than 0 ends it
 *
 * Return: 0 when the daemon ended it; the callback's value if that did; or negative errno.
 */
int client_capture(struct client *client, const struct client_capture *wish,
		   int (*piece)(void *context, const char *data, size_t size), void *context,
		   struct error *error);

#endif
