/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does the other end of a tunnel answer?
 *
 * The end is not Weft, so nothing of Weft's own is asked of it. Without an address behind the tunnel it gets
 * ICMP echo requests at its outer address, which says that the machine is there. With one, a packet goes
 * through the tunnel (echo, or in a segment ARP or neighbour discovery) with all its headers, and
 * whatever comes out of the tunnel until the next is due counts as an answer: it is the tunnel that lives.
 *
 *	unknown --answer--> up --`retries` in a row without one--> down --2 in a row with one--> up
 *
 * A tunnel of which nothing is known yet is used like one that is up.
 *
 * Neighbours: cluster_keepalive.c (which tunnels, and what follows from their state).
 */
#ifndef WEFT_AGENT_KEEPALIVE_H
#define WEFT_AGENT_KEEPALIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "datapath/datapath.h"

#define KEEPALIVE_FRAME_MAX 96

enum keepalive_life { KEEPALIVE_UNKNOWN, KEEPALIVE_UP, KEEPALIVE_DOWN };

/**
 * struct keepalive_target - a tunnel to watch
 * @local, @remote: its outer addresses
 * @interval: seconds
 * @retries: so many unanswered in a row mean that it is down
 * @frame: the inner packet to send, with an Ethernet header; @frame_size 0: ask the outer address
 */
struct keepalive_target {
	uint32_t tunnel_id;
	struct ip_address local, remote;
	uint32_t interval, retries;
	size_t frame_size;
	uint8_t frame[KEEPALIVE_FRAME_MAX];
};

/**
 * struct keepalive_state - what is known of it
 * @since_ns: real time since when @life is so; 0 while it is unknown
 * @round_trip_us: of the last answer; 0: not known
 * @lost: of @sent, so many without an answer
 */
struct keepalive_state {
	enum keepalive_life life;
	uint64_t since_ns;
	uint32_t round_trip_us;
	uint64_t sent, lost;
};

struct keepalives;

/* A tunnel has come up or gone down. Called from the loop. */
typedef void keepalive_changed_callback(void *context, uint32_t tunnel_id);

/**
 * keepalives_new - watch nothing yet; opens raw sockets, so before capabilities are dropped
 *
 * Where that is not allowed nothing is sent, and all stays unknown; the log says so.
 */
struct keepalives *keepalives_new(struct loop *loop, struct datapath *datapath,
				  keepalive_changed_callback *changed, void *context);

/** keepalives_free - NULL is ignored */
void keepalives_free(struct keepalives *keepalives);

/** keepalives_set - watch these and no others; what is as before goes on */
void keepalives_set(struct keepalives *keepalives, const struct keepalive_target *targets,
		    size_t count);

/** keepalives_get - Return: false if the tunnel is not watched */
bool keepalives_get(const struct keepalives *keepalives, uint32_t tunnel_id,
		    struct keepalive_state *state);

#endif
