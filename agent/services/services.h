/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host serves to its ports: DNS (V46) and metadata.
 *
 * The kernel's own UDP and TCP do the work, in a network namespace that has no name and nothing in it but
 * one end of a veth; the other end hands questions in and takes answers out by the pipeline
 * (core/service.c). A client's address there is an alias that the pipeline gave it, and says which port
 * asks; a tenant's packet never meets the host's own stack. The sockets are opened inside once and served
 * by the daemon's loop like all others. The namespace ends with the daemon: without it nobody answers, and
 * the next one makes it anew.
 *
 * Neighbours: dns_server.c, dns_zone.c, metadata.c; core/service.c, datapath.h (datapath_attach_services).
 */
#ifndef WEFT_AGENT_SERVICES_H
#define WEFT_AGENT_SERVICES_H

#include <sys/socket.h>

#include "agent/reconcile.h"

struct services;

/**
 * struct services_options - borrowed for the life of the services
 * @instance: name of the daemon
 */
struct services_options {
	struct loop *loop;
	struct datapath *datapath;
	struct reconcile *reconcile;
	const char *instance;
};

/**
 * struct services_counts - what was asked and said since the start
 * @dns_queries: over UDP and TCP, well formed
 * @dns_malformed: answered with FORMERR or not at all
 * @dns_answers: by rcode; the last for all others
 * @dns_connections_refused: for want of room
 * @metadata_requests: answered, @metadata_refused of them with an error
 * @metadata_connections_refused: for want of room
 */
struct services_counts {
	uint64_t dns_queries;
	uint64_t dns_malformed;
	uint64_t dns_answers[7];
	uint64_t dns_connections_refused;
	uint64_t metadata_requests;
	uint64_t metadata_refused;
	uint64_t metadata_connections_refused;
};

/**
 * services_open - make namespace and device, open the sockets, and let ports ask
 *
 * What cannot be made now is tried again every few seconds, and so is what somebody took away; until then it
 * is a problem, and a verdict to whoever asks.
 *
 * Return: release with services_close().
 */
struct services *services_open(const struct services_options *options);

/** services_up - whether they are served */
bool services_up(const struct services *services);

/** services_close - nobody is served any more (NULL is ignored) */
void services_close(struct services *services);

/** services_forwards - what was asked of other resolvers; NULL if @services is NULL */
struct dns_forwards_counts;
const struct dns_forwards_counts *services_forwards(const struct services *services);

/** services_dns_cache - what is kept of their answers; NULL if @services is NULL */
struct dns_cache_counts;
const struct dns_cache_counts *services_dns_cache(const struct services *services);

/** services_counts - Return: NULL if @services is NULL */
const struct services_counts *services_counts(const struct services *services);

/**
 * services_client - the port that an address inside stands for
 *
 * Return: borrowed until the intent changes; NULL when it stands for none.
 */
const struct port_object *services_client(const struct services *services,
					  const struct sockaddr *address);

#endif
