/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can become of a packet, and what a stage can say of it: the one list of each.
 *
 * Metrics, CLI text, documentation, drop events and `weft trace` are made from these lists, so a new
 * verdict is one line here, one return in a stage, and one vector. The name is the reason that users
 * see (in lower case), the sentence says why, and "object" in trace and drop events says who decided.
 *
 * WEFT_VERDICTS: X(NAME, class, stage, sentence). Classes: PASS (the packet lives), DROP (it does not). The stage, of
 * WEFT_STAGES, is where the trace says that it was decided, unless the last note says more.
 * WEFT_NOTES: X(NAME, sentence): what a stage did on the way, for the trace only.
 */
#ifndef WEFT_CORE_VERDICT_H
#define WEFT_CORE_VERDICT_H

#define WEFT_VERDICTS(X)                                                                           \
	X(NEXT, PASS, PARSE, "goes on to the next stage")                                          \
	X(DELIVERED, PASS, DELIVER, "delivered to a port")                                         \
	X(ANSWERED, PASS, NEIGHBOUR, "answered on the spot")                                       \
	X(FLOODED, PASS, BRIDGE, "flooded to the members of the segment")                          \
	X(CONSUMED, PASS, NEIGHBOUR, "needs no answer and goes nowhere, as the protocol asks")     \
	X(PUNTED, PASS, PUNT, "handed to weftd, which answers it")                                 \
	X(NOT_OURS, PASS, TUNNEL, "the host's own traffic, left to its stack")                     \
	X(SERVED, PASS, SERVICE, "handed to a service of the host: DNS or metadata")               \
	X(SENT_ON, PASS, TUNNEL, "sent on to the host that its port has moved to")                 \
	X(OVERHEARD, PASS, WIRE, "on a network outside, for nobody on this host")                  \
	X(HELD, PASS, WIRE, "held by weftd until the machine on the wire has answered")            \
	/* parse */                                                                                \
	X(TRUNCATED, DROP, PARSE, "the frame is shorter than its headers say")                     \
	X(BAD_HEADER, DROP, PARSE, "a header field has a value no valid packet has")               \
	X(TOO_MANY_HEADERS, DROP, PARSE,                                                           \
	  "more IPv6 extension headers or VLAN tags than are followed")                            \
	X(NOT_IP, DROP, GUARD, "not an IP packet, and an l3 subnet carries nothing else")          \
	X(TAGGED, DROP, GUARD,                                                                     \
	  "a VLAN tag that no child of the port has, and the subnet is not vlan_transparent")      \
	X(FRAGMENT_LOST, DROP, PARSE, "a fragment whose first fragment was not seen")              \
	/* edge and guard */                                                                       \
	X(UNKNOWN_PORT, DROP, GUARD, "the device belongs to no port, or not yet")                  \
	X(UNKNOWN_SUBNET, DROP, GUARD, "the port's subnet is not known to the datapath")           \
	X(NOT_ACTIVE, DROP, GUARD,                                                                 \
	  "the port is not active on this host: it is about to move, or has moved")                \
	X(SPOOFED_MAC, DROP, GUARD, "the source MAC is not the port's")                            \
	X(SPOOFED_ADDRESS, DROP, GUARD, "the source address is not one of the port's")             \
	X(SPOOFED_OUTSIDE, DROP, GUARD,                                                            \
	  "a machine outside sends from an address that a port of this host has")                  \
	X(SPOOFED_ARP, DROP, NEIGHBOUR, "the ARP sender is not the port")                          \
	X(SPOOFED_ND, DROP, NEIGHBOUR,                                                             \
	  "the neighbour discovery message claims what is not the port's")                         \
	X(BAD_SOURCE, DROP, GUARD, "no host may send from this source address")                    \
	/* service */                                                                              \
	X(SERVICE_LIMIT, DROP, SERVICE,                                                            \
	  "the port asks DNS and metadata more often than it may (V46)")                           \
	X(SERVICE_DOWN, DROP, SERVICE, "the host's DNS and metadata do not run")                   \
	X(SERVICE_FRAGMENT, DROP, SERVICE, "a question to DNS or metadata in fragments")           \
	X(SERVICE_STRAY, DROP, SERVICE, "an answer of the host's services that no port waits for") \
	/* punt */                                                                                 \
	X(UNATTENDED, DROP, PUNT, "weftd alone could answer this, and it does not run")            \
	X(PUNT_LIMIT, DROP, PUNT, "the port asks weftd for more than it may in a second")          \
	/* neighbour, bridge */                                                                    \
	X(UNKNOWN_NEIGHBOUR, DROP, NEIGHBOUR, "nobody in the subnet has the address asked for")    \
	X(BAD_NEIGHBOUR, DROP, NEIGHBOUR,                                                          \
	  "a neighbour discovery message that no valid sender makes")                              \
	X(ADDRESS_CLAIM, DROP, NEIGHBOUR,                                                          \
	  "an address is moved by the API, not by an announcement")                                \
	X(UNKNOWN_MAC, DROP, BRIDGE, "nobody in the subnet has the destination MAC")               \
	X(BROADCAST, DROP, BRIDGE, "an l3 subnet carries no broadcast")                            \
	X(MULTICAST, DROP, BRIDGE, "an l3 subnet carries no multicast")                            \
	X(ROUTER_SOLICITATION, DROP, NEIGHBOUR,                                                    \
	  "router solicitations are not served in this subnet")                                    \
	X(FLOOD_LIMIT, DROP, BRIDGE, "the port floods more frames than its subnet allows")         \
	X(FLOOD_LOST, DROP, BRIDGE,                                                                \
	  "a flooded copy to a host whose neighbour is not resolved yet")                          \
	X(STATION_LIMIT, DROP, BRIDGE, "more addresses behind the port than its subnet allows")    \
	X(STATION_FLAPPING, DROP, BRIDGE,                                                          \
	  "the source MAC keeps moving between ports: a loop or a copy")                           \
	X(SAME_PORT, DROP, BRIDGE, "the destination is behind the port the frame came from")       \
	X(SEGMENT_FLOOD_LIMIT, DROP, BRIDGE,                                                       \
	  "the ports of the subnet flood more frames than it allows")                              \
	X(NO_LISTENER, DROP, BRIDGE, "nobody in the segment listens to the multicast group")       \
	X(BAD_MEMBERSHIP, DROP, BRIDGE, "an IGMP or MLD message that no valid sender makes")       \
	X(MEMBERSHIP_CHECKSUM, DROP, BRIDGE, "an IGMP or MLD message whose checksum is wrong")     \
	X(GROUP_LIMIT, DROP, BRIDGE, "more multicast groups behind the port than are remembered")  \
	X(LOOP, DROP, BRIDGE,                                                                      \
	  "a probe for loops came back to its own segment: one of its ends is held")               \
	X(PORT_HELD, DROP, BRIDGE, "the port is held, for frames go round in a loop through it")   \
	X(LINK_CONTROL, DROP, BRIDGE,                                                              \
	  "for the next bridge alone, and never passed on (IEEE 802.1Q)")                          \
	X(EMPTY_SEGMENT, DROP, BRIDGE, "no other member of the segment takes it")                  \
	X(ISOLATED, DROP, DELIVER, "the ports of a private segment do not hear one another")       \
	X(REFLECTED, DROP, BRIDGE,                                                                 \
	  "sent by a port of this host, and reflected by a switch outside")                        \
	X(TAG_TAKEN, DROP, DELIVER,                                                                \
	  "its VLAN tag is that of a child port or segment where it is to leave")                  \
	X(TAG_ROUTED, DROP, BRIDGE,                                                                \
	  "a VLAN tag on a frame to the gateway, which is in none of the VLANs")                   \
	/* route */                                                                                \
	X(NO_ROUTER, DROP, ROUTE,                                                                  \
	  "the subnet has no gateway: nothing is routed out of it or into it")                     \
	X(NO_ROUTE, DROP, ROUTE, "no route to the destination in the subnet's route table")        \
	X(BLACKHOLE, DROP, ROUTE, "the route is a blackhole, or its target is gone")               \
	X(TUNNEL_DOWN, DROP, ROUTE, "the route's tunnel is down: its keepalive gets no answer")    \
	X(RESERVED_DESTINATION, DROP, ROUTE, "the range is reserved and never routed")             \
	X(RESOLVING, DROP, WIRE,                                                                   \
	  "the address is asked for on the wire, and this packet is not held")                     \
	X(NO_ANSWER, DROP, WIRE, "nobody on the wire has answered for the address")                \
	X(NO_ENDPOINT, DROP, ROUTE, "inside the VPC, but no port has the address")                 \
	X(GATEWAY_ONLY_PING, DROP, ROUTE,                                                          \
	  "the gateway's own address answers ping and nothing else")                               \
	X(NOT_OWN_GATEWAY, DROP, ROUTE, "the gateway of another subnet does not answer")           \
	X(DESTINATION_CHECK, DROP, DELIVER,                                                        \
	  "not an address of the port, whose source/destination check is on")                      \
	X(ROUTE_LOOP, DROP, ROUTE, "the route leads back to the port the packet came from")        \
	X(PORT_DOWN, DROP, DELIVER, "the destination port is not plugged in")                      \
	X(ROUTER_AWAY, DROP, ROUTE, "the host that routes for the VPC is not there")               \
	X(TTL_EXPIRED, DROP, ROUTE, "its TTL ends at the router of the VPC")                       \
	X(TOO_BIG, DROP, DELIVER, "larger than the destination port's MTU; the sender was told")   \
	/* policy */                                                                               \
	X(GROUP_EGRESS, DROP, POLICY, "no security group rule of the sender allows it out")        \
	X(GROUP_INGRESS, DROP, POLICY, "no security group rule of the receiver allows it in")      \
	X(ACL_EGRESS, DROP, POLICY, "the ACL of the sender's subnet denies it")                    \
	X(ACL_INGRESS, DROP, POLICY, "the ACL of the receiver's subnet denies it")                 \
	/* flow */                                                                                 \
	X(NO_CONNECTION, DROP, FLOW, "TCP, but neither a SYN nor part of a known connection")      \
	X(BAD_TCP_FLAGS, DROP, FLOW, "a set of TCP flags that no valid segment has")               \
	X(ICMP_UNRELATED, DROP, POLICY, "an ICMP error about no connection of the receiver")       \
	X(FLOW_LIMIT_PORT, DROP, FLOW, "the port has as many connections as it may have")          \
	X(FLOW_LIMIT_VPC, DROP, FLOW, "the VPC has as many connections as it may have")            \
	X(FLOW_TABLE_FULL, DROP, FLOW, "the port is past its guarantee and the table has no room") \
	/* tunnel */                                                                               \
	X(OUTER_TRUNCATED, DROP, TUNNEL, "the outer packet is shorter than its headers say")       \
	X(OUTER_FRAGMENT, DROP, TUNNEL,                                                            \
	  "a fragment of an outer packet; tunnels are never fragmented")                           \
	X(OUTER_CHECKSUM, DROP, TUNNEL, "the checksum of the outer packet is wrong")               \
	X(TUNNEL_VERSION, DROP, TUNNEL, "a version of the tunnel header that is not known")        \
	X(TUNNEL_FLAGS, DROP, TUNNEL,                                                              \
	  "the tunnel header has flags that are not understood, or lacks one")                     \
	X(TUNNEL_LENGTH, DROP, TUNNEL, "lengths in the tunnel header disagree")                    \
	X(TUNNEL_OPTION, DROP, TUNNEL,                                                             \
	  "the tunnel header has a critical option that is not known")                             \
	X(TUNNEL_CONTROL, DROP, TUNNEL,                                                            \
	  "a control message of the tunnel, which is never forwarded")                             \
	X(TUNNEL_PAYLOAD, DROP, TUNNEL,                                                            \
	  "the tunnel does not carry what is inside: neither Ethernet nor IP, or the other IP")    \
	X(TUNNEL_SEGMENTS, DROP, TUNNEL,                                                           \
	  "a frame of several packets, for a tunnel that numbers or sums each one; or of more "    \
	  "than 64 KiB")                                                                           \
	X(TUNNEL_SEQUENCE, DROP, TUNNEL, "a packet out of order in a tunnel that keeps the order") \
	X(UNKNOWN_VTEP, DROP, TUNNEL, "the sender is no known tunnel end")                         \
	X(UNKNOWN_SEGMENT, DROP, TUNNEL, "the sender has no segment of this id here")              \
	X(INNER_TAGGED, DROP, TUNNEL, "a VLAN tag inside a tunnel that carries none")              \
	X(INNER_LOOP, DROP, TUNNEL, "the inner packet is from or to an end of its own tunnel")     \
	X(INNER_SOURCE, DROP, TUNNEL, "an inner source address that no tunnel may carry")          \
	X(INNER_ECN, DROP, TUNNEL, "congestion was marked on a packet that cannot carry the mark") \
	X(FOREIGN_SOURCE, DROP, TUNNEL, "the sending host has no port with this source (V8)")      \
	X(SPLIT_HORIZON, DROP, TUNNEL, "what came from another host is not sent to another host")  \
	X(NO_TUNNEL, DROP, TUNNEL, "no tunnel leads to the host the destination is on")            \
	X(UNDERLAY_UNREACHABLE, DROP, TUNNEL, "the underlay has no route to the other end")        \
	X(RATE_LIMIT, DROP, RATE, "the port sends more than its rate allows")                      \
	X(INTERNAL, DROP, FLOW, "a rewrite failed inside the datapath")                            \
	X(MIRROR_LOST, DROP, DELIVER,                                                              \
	  "a copy of a mirror that could not be sent; the packet itself lives")

#define VERDICT_ENUM(name, class, stage, sentence) VERDICT_##name,
enum verdict { WEFT_VERDICTS(VERDICT_ENUM) VERDICTS };
#undef VERDICT_ENUM

/* The stages, by the names of their files. */
#define WEFT_STAGES(X)                                                                             \
	X(PARSE, "parse")                                                                          \
	X(FLOW, "flow")                                                                            \
	X(GUARD, "guard")                                                                          \
	X(NEIGHBOUR, "neighbour")                                                                  \
	X(BRIDGE, "bridge")                                                                        \
	X(ROUTE, "route")                                                                          \
	X(POLICY, "policy")                                                                        \
	X(ICMP, "icmp")                                                                            \
	X(DELIVER, "deliver")                                                                      \
	X(TUNNEL, "tunnel")                                                                        \
	X(SERVICE, "service")                                                                      \
	X(PUNT, "punt")                                                                            \
	X(WIRE, "wire")                                                                            \
	X(RATE, "rate")

#define STAGE_ENUM(name, text) STAGE_##name,
enum stage { WEFT_STAGES(STAGE_ENUM) STAGES };
#undef STAGE_ENUM

/* X(NAME, stage, sentence): one step of the trace; the object, where there is one, is printed after it. */
#define WEFT_NOTES(X)                                                                              \
	X(PARSED, PARSE, "well formed")                                                            \
	X(TAGS_KEPT, PARSE, "a VLAN tag of the workload's own: no rules are asked")                \
	X(FLOW_HIT, FLOW, "established connection")                                                \
	X(FLOW_MISS, FLOW, "first packet of a connection")                                         \
	X(FLOW_WAY, FLOW, "a connection begins like the one before it")                            \
	X(FLOW_STALE, FLOW, "known connection, looked at again")                                   \
	X(FLOW_REPLY, FLOW, "first reply of a connection")                                         \
	X(FLOW_RELATED, FLOW, "ICMP error of a known connection")                                  \
	X(FLOW_WRITTEN, FLOW, "connection entered")                                                \
	X(FLOW_PICKED_UP, FLOW, "picked up in the middle: it began on another host")               \
	X(GUARD_OWN, GUARD, "source is the port's own")                                            \
	X(GUARD_EXTRA, GUARD, "source is an allowed extra address")                                \
	X(GUARD_OFF, GUARD, "source check is off")                                                 \
	X(NEIGHBOUR_ANSWERED, NEIGHBOUR, "answered for")                                           \
	X(BRIDGE_STATION, BRIDGE, "destination MAC is at")                                         \
	X(BRIDGE_ADDRESS, BRIDGE, "the NIC's MAC is shared, and the address is of")                \
	X(BRIDGE_LEARNED, BRIDGE, "source MAC learned")                                            \
	X(BRIDGE_FLOOD, BRIDGE, "flooded in")                                                      \
	X(ROUTE_LOCAL, ROUTE, "local route of the VPC in")                                         \
	X(ROUTE_PORT, ROUTE, "route via a port")                                                   \
	X(ROUTE_GROUP, ROUTE, "route over several ports")                                          \
	X(ROUTE_GATEWAY, ROUTE, "the subnet's own gateway answers")                                \
	X(ROUTE_AWAY, ROUTE, "to the router of the VPC, on")                                       \
	X(ROUTE_HOP, ROUTE, "this host routes the VPC: the TTL is one less; from")                 \
	X(POLICY_ACL_EGRESS, POLICY, "allowed out of the subnet by")                               \
	X(POLICY_ACL_INGRESS, POLICY, "allowed into the subnet by")                                \
	X(POLICY_EGRESS, POLICY, "allowed out of the port by")                                     \
	X(POLICY_INGRESS, POLICY, "allowed into the port by")                                      \
	X(POLICY_REPLY, POLICY, "a reply passes whatever the rules say")                           \
	X(POLICY_KEPT, POLICY, "rules changed, established connections are kept")                  \
	X(ICMP_TOO_BIG, ICMP, "told the sender the MTU of")                                        \
	X(ICMP_EXPIRED, ICMP, "told the sender that the TTL has ended in")                         \
	X(DELIVER_PORT, DELIVER, "to")                                                             \
	X(TUNNEL_FROM, TUNNEL, "out of the tunnel from")                                           \
	X(TUNNEL_TO, TUNNEL, "into the tunnel to")                                                 \
	X(TUNNEL_SENT_ON, TUNNEL, "sent on by the host that the port came from; for")              \
	X(SERVICE_RESOLVER, SERVICE, "asks the resolver of the VPC, whatever the rules say")       \
	X(SERVICE_METADATA, SERVICE, "asks for metadata, whatever the rules say")                  \
	X(SERVICE_ANSWER, SERVICE, "answered by a service of the host to")                         \
	X(PUNTED, PUNT, "handed to weftd for")                                                     \
	X(WIRE_FROM, WIRE, "by the wire of")                                                       \
	X(WIRE_TO, WIRE, "onto the wire of")                                                       \
	X(WIRE_STACK, WIRE, "to the host's own stack, whose rules and routes come next, by")       \
	X(WIRE_HELD, WIRE, "held until there is an answer on the wire of")                         \
	X(RATE_SENDS, RATE, "within what it may send:")                                            \
	X(RATE_MARKED, RATE, "given the mark of")                                                  \
	X(RATE_QUEUE, RATE, "through a queue, which holds it to a rate or share; of")

#define NOTE_ENUM(name, stage, sentence) NOTE_##name,
enum note { WEFT_NOTES(NOTE_ENUM) NOTES };
#undef NOTE_ENUM

#endif
