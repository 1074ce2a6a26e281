/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DHCP and router advertisements for the ports of this host: what they ask comes by the punt device, what
 * they get follows from the intent. There is no lease file and no process for a network.
 *
 * Neighbours: punt.h (frames), dhcp4.h (what is answered), reconcile.h (the intent).
 */
#ifndef WEFT_AGENT_DHCP_H
#define WEFT_AGENT_DHCP_H

#include "agent/reconcile.h"
#include "agent/services/dhcp_common.h"
#include "agent/services/punt.h"

enum dhcp_protocol { DHCP_PROTOCOL_4, DHCP_PROTOCOL_6, DHCP_PROTOCOL_RA, DHCP_PROTOCOLS };

struct dhcp;

/** dhcp_new - serve; release with dhcp_free(), before what is borrowed here. Never fails. */
struct dhcp *dhcp_new(struct loop *loop, struct punt *punt, struct reconcile *reconcile);
void dhcp_free(struct dhcp *dhcp); /* accepts NULL */

/** dhcp_count - how many messages of a protocol ended so */
uint64_t dhcp_count(const struct dhcp *dhcp, enum dhcp_protocol protocol, enum dhcp_result result);

/* Words for metrics. */
const char *dhcp_protocol_name(enum dhcp_protocol protocol);
const char *dhcp_result_name(enum dhcp_result result);

#endif
