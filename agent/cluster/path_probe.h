/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which packets the underlay really carries to another host: an active probe of the path MTU.
 *
 * A router or firewall between two hosts that drops large packets without a word would make a black hole
 * of every tunnel over it. So hosts that share a VPC send each other datagrams of the size their
 * underlay promises, never fragmented, and wait for a short answer. When that size does not come through but
 * small ones do, a binary search finds what does. The probes also keep the neighbours of both hosts warm.
 *
 * A probe carries a random number that the answer repeats, and both a keyed hash (HMAC-SHA256 with a key
 * of the cluster), so that nobody outside can make a path look narrow or wide. Answers are shorter than
 * probes and limited per second: this cannot be used to flood somebody.
 *
 * States of a path, by what was sent last:
 *	FULL	the whole size. Answer: that is the path MTU; again after a while. Silence: SMALL
 *	SMALL	the least size. Answer: SEARCH between the two. Silence: no answer at all; FULL after a while
 *	SEARCH	a size between what came through and what did not, until they are next to each other
 *	VERIFY	the least size that did not, once more. Silence: the path MTU is found. Answer: FULL
 *
 * Neighbours: cluster.c (which hosts, what follows).
 */
#ifndef WEFT_AGENT_PATH_PROBE_H
#define WEFT_AGENT_PATH_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"

#define PATH_PROBE_KEY_SIZE 32

struct path_probes;

/**
 * struct path_target - a host to probe
 * @mtu: of the underlay as both hosts have it, bytes of IP
 */
struct path_target {
	uint32_t host_id;
	uint32_t mtu;
	struct ip_address local;
	struct ip_address remote;
};

/**
 * struct path_state - what is known of the way to a host
 * @mtu: largest packet that came through and was answered; 0: nothing is known yet
 * @before: the same before it changed last
 * @full: what the underlay promises
 * @answers: the last probe of any size was answered
 * @here: it is the kernel of this host that takes no larger ones, by its route or by what a router has told it
 * @round_trip_us: of the last answer
 * @since_ns: real time since when @mtu and @answers are so
 */
struct path_state {
	uint32_t mtu;
	uint32_t before;
	uint32_t full;
	bool answers;
	bool here;
	uint32_t round_trip_us;
	uint64_t since_ns;
};

/* The state of the way to a host is another one. */
typedef void path_changed_callback(void *context, uint32_t host_id);

/**
 * path_probes_new - probe nothing yet
 * @port: UDP port of both sides
 * @key: of the cluster
 */
struct path_probes *path_probes_new(struct loop *loop, uint16_t port,
				    const uint8_t key[PATH_PROBE_KEY_SIZE],
				    path_changed_callback *changed, void *context);

/**
 * struct path_claim - a host says that a port is its own
 * @claim: as struct port_object.claim
 * @host_id: who says so; in the answer: who agrees
 */
struct path_claim {
	uint32_t port_id, claim, host_id;
};

/* Another host claims a port. Return: whether this host agrees; then it answers so, as @host_id. */
typedef bool path_claim_callback(void *context, const struct path_claim *claim);

/* Another host agrees. */
typedef void path_agreed_callback(void *context, const struct path_claim *claim);

/** path_probes_hear - who is told of claims; until then nothing is answered */
void path_probes_hear(struct path_probes *probes, path_claim_callback *claimed,
		      path_agreed_callback *agreed, void *context);

/** path_probes_own - id of this host, for answers */
void path_probes_own(struct path_probes *probes, uint32_t host_id);

/** path_probes_claim - send a claim once, with the key of the cluster */
void path_probes_claim(struct path_probes *probes, const struct ip_address *local,
		       const struct ip_address *remote, const struct path_claim *claim);

/** path_probes_free - stop (NULL is ignored) */
void path_probes_free(struct path_probes *probes);

/**
 * path_probes_listen - answer at these addresses of the host, and at no others
 *
 * An address that is not there (yet) is tried again with each call.
 */
void path_probes_listen(struct path_probes *probes, const struct ip_address *addresses,
			size_t count);

/** path_probes_set - probe these hosts and no others; a target that stays keeps its state */
void path_probes_set(struct path_probes *probes, const struct path_target *targets, size_t count);

/** path_probes_hurry - something was too big on the way to @remote: look now. NULL as @probes is ignored */
void path_probes_hurry(struct path_probes *probes, const struct ip_address *remote);

/** path_probes_get - Return: whether @host_id is probed; @state is set then */
bool path_probes_get(const struct path_probes *probes, uint32_t host_id, struct path_state *state);

#endif
