/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour: ARP and IPv6 neighbour discovery, answered on the spot from the endpoint table.
 *
 * In an l3 subnet nobody but the datapath sees a request: the gateway's address and every port's are
 * answered for (V1, V2), an address that nobody has is not (V4), announcements move nothing (V6), and a
 * port may speak for its own addresses only. In an l2 subnet only the gateway and the host's services
 * (service.c) are answered for; the rest is the bridge's.
 *
 * On a wire (wire.c) there are machines that nobody registered. To a port of an l3 subnet they are at the
 * gateway, which routes to them. They are answered for the ports of this host, with the port's own MAC, as
 * it is what the port sends to them from: switches then learn where it is, and a machine that looks who
 * uses an address finds one MAC for it, also after the port has moved to another host.
 *
 * Sources: RFC 826, 5227, 4861, 4862. Before: guard.c. Next: bridge.c.
 */
#include "core/arp.h"
#include "core/checksum.h"
#include "core/packet.h"
#include "core/router.h"

#define MLD_REPORT 131
#define MLD_DONE 132
#define MLD2_REPORT 143
#define ND_ROUTER_SOLICITATION 133
#define ND_ROUTER_ADVERTISEMENT 134
#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_REDIRECT 137
#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2
#define ND_HOP_LIMIT 255

#define ADVERTISEMENT_ROUTER 0x80000000
#define ADVERTISEMENT_SOLICITED 0x40000000
#define ADVERTISEMENT_OVERRIDE 0x20000000

struct solicitation {
	__u8 type, code;
	__be16 checksum;
	__be32 reserved;
	struct address target;
};

/* The first option, as far as it is one with a MAC. */
struct told_mac {
	__u8 option, option_length;
	__u8 mac[6];
};

struct advertisement_frame {
	__u8 destination_mac[6];
	__u8 source_mac[6];
	__be16 ethertype;
	/* IPv6 */
	__be16 version[2];
	__be16 payload_length;
	__u8 next, hop_limit;
	__u8 source[16];
	__u8 destination[16];
	/* ICMPv6 */
	__u8 type, code;
	__be16 checksum;
	__be16 flags[2];
	__u8 target[16];
	__u8 option, option_length;
	__u8 target_mac[6];
};

enum owner { OWNER_NOBODY, OWNER_GATEWAY, OWNER_SERVICE, OWNER_SELF, OWNER_OTHER, OWNER_WIRE };

/* An address of the host's DNS or metadata: on the link of every subnet, behind the gateway's MAC. */
static __always_inline int is_service(struct packet *p, const struct address *address)
{
	struct service_key key = { .vpc_id = p->vpc_id, .address = *address };

	return table_lookup(services, &key) != NULL;
}

/* A port of an l3 subnet asks for what may be a machine on the wire. */
static __always_inline int is_on_wire(const struct packet *p, const struct subnet *subnet,
				      const struct address *address)
{
	const int family = address_is_ipv4(address) ? 0 : 1;

	return (p->subnet_flags & (SUBNET_WIRE | SUBNET_L2)) == SUBNET_WIRE &&
	       !(p->flags & PACKET_FROM_WIRE) && subnet->prefix_length[family] &&
	       address_in(address, &subnet->network[family], subnet->prefix_length[family]);
}

/* Who in the asker's subnet has an address; its MAC goes to mac. */
static __always_inline enum owner find_owner(struct packet *p, const struct subnet *subnet,
					     const struct address *address, __u8 *mac,
					     __u32 *object_id)
{
	struct endpoint_key key = { .vpc_id = p->vpc_id, .address = *address };
	struct endpoint *endpoint;
	struct address link_local;

	address_link_local(&link_local, subnet->gateway_mac);
	if ((address_equal(address, &subnet->gateway[0]) ||
	     address_equal(address, &subnet->gateway[1]) || address_equal(address, &link_local) ||
	     is_router_alias(subnet, address)) &&
	    !address_is_unspecified(address)) {
		mac_copy(mac, subnet->gateway_mac);
		*object_id = p->subnet_id;
		return OWNER_GATEWAY;
	}
	if (address_is_link_local(address)) {
		address_link_local(&link_local, p->ethernet + 6);
		return address_equal(address, &link_local) ? OWNER_SELF : OWNER_NOBODY;
	}
	endpoint = table_lookup(endpoints, &key);
	if (!endpoint && is_service(p, address)) {
		mac_copy(mac, subnet->gateway_mac);
		*object_id = p->vpc_id;
		return OWNER_SERVICE;
	}
	if (!endpoint && is_on_wire(p, subnet, address)) {
		mac_copy(mac, subnet->gateway_mac);
		*object_id = p->subnet_id;
		return OWNER_WIRE;
	}
	if (!endpoint || endpoint->subnet_id != p->subnet_id || !endpoint->port_id)
		return OWNER_NOBODY;
	mac_copy(mac, endpoint->mac);
	*object_id = endpoint->port_id;
	return endpoint->port_id == p->port_id ? OWNER_SELF : OWNER_OTHER;
}

/* May the port speak for this address? Its own, and what the API lets it send from besides. */
static __always_inline int may_claim(struct packet *p, const struct address *address)
{
	struct endpoint_key key = { .vpc_id = p->vpc_id, .address = *address };
	struct endpoint *endpoint = table_lookup(endpoints, &key);
	struct address link_local;

	if (endpoint && endpoint->port_id == p->port_id)
		return 1;
	address_link_local(&link_local, p->ethernet + 6);
	if (address_equal(address, &link_local))
		return 1;
	return (p->port_flags & PORT_EXTRA_ADDRESSES) && port_allows(p->port_id, address);
}

/* Whether this host's gateway is that of the asker: who is on a wire has one host's. */
static __always_inline int gateway_is_here(const struct packet *p)
{
	return !(p->flags & PACKET_FROM_WIRE) || (p->subnet_flags & SUBNET_WIRE_GATEWAY);
}

/* Is a machine on the wire of an l3 subnet answered here? For the ports of this host, and for the gateway by
 * one host; the rest is for others to answer. */
static __always_inline int is_answered_here(const struct packet *p, enum owner owner,
					    __u32 owner_id)
{
	struct port_key key = { .port_id = owner_id };
	struct port *port;

	if (owner == OWNER_GATEWAY)
		return gateway_is_here(p);
	if (owner != OWNER_OTHER)
		return 0;
	port = table_lookup(ports, &key);
	return port && port->ifindex && port->kind != PORT_TUNNEL && port->kind != PORT_WIRE;
}

static __always_inline int overheard(struct packet *p)
{
	p->object_id = p->subnet_id;
	return VERDICT_OVERHEARD;
}

/* Is it from a machine on the wire, and the subnet an l3 one? */
static __always_inline int is_outside(const struct packet *p)
{
	return (p->flags & PACKET_FROM_WIRE) && !(p->subnet_flags & SUBNET_L2);
}

/* Whether who is nobody's is reached by the host's routes, and so by the gateway. */
static __always_inline int is_behind_host(const struct packet *p)
{
	return (p->subnet_flags & SUBNET_HOST_ROUTED) && !(p->flags & PACKET_FROM_WIRE);
}

/* Turns the request in the frame into the answer "target is at mac". */
static __always_inline int arp_answer(struct frame *f, struct packet *p, const __u8 *mac)
{
	struct arp_frame reply = ARP_FRAME(ARP_REPLY);

	mac_copy(reply.destination, p->ethernet + 6);
	mac_copy(reply.source, mac);
	mac_copy(reply.sender_mac, mac);
	__builtin_memcpy(reply.sender, &p->key.destination.word[3], 4);
	mac_copy(reply.target_mac, p->ethernet + 6);
	__builtin_memcpy(reply.target, &p->key.source.word[3], 4);
	if (p->vlan_count)
		return VERDICT_TAGGED; /* the answer would not be tagged as the question was */
	if (frame_store(f, 0, &reply, sizeof(reply)))
		return VERDICT_INTERNAL;
	p->flags |= PACKET_REPLY;
	return VERDICT_ANSWERED;
}

/* Does a port of an l3 subnet say what is so? */
static __always_inline int arp_claims(struct packet *p, const __u8 *sender_mac, __be16 operation)
{
	if ((p->port_flags & PORT_CHECK_MAC) && !mac_equal(sender_mac, p->ethernet + 6))
		return VERDICT_SPOOFED_ARP;
	/* Sender 0.0.0.0 is a probe (RFC 5227) and claims nothing. */
	if (address_is_unspecified(&p->key.source) || may_claim(p, &p->key.source))
		return VERDICT_NEXT;
	if (p->port_flags & PORT_CHECK_SOURCE)
		return VERDICT_SPOOFED_ARP;
	/* A router asks with the source of what it forwards; that claims nothing. */
	return operation != be16(ARP_REQUEST) || address_equal(&p->key.source, &p->key.destination)
		       ? VERDICT_ADDRESS_CLAIM
		       : VERDICT_NEXT;
}

static __always_inline int arp(struct frame *f, struct packet *p, const struct subnet *subnet)
{
	int l2 = p->subnet_flags & SUBNET_L2;
	struct arp_frame *request;
	int verdict;
	__u8 sender_mac[6];
	__be16 operation;
	__u8 mac[6] = {};
	__u32 owner_id = 0;
	enum owner owner;

	request = frame_header(f, p->l3_offset - ETHERNET_SIZE, sizeof(*request));
	if (!request)
		return VERDICT_TRUNCATED;
	operation = request->operation;
	mac_copy(sender_mac, request->sender_mac);
	if ((p->flags & (PACKET_FROM_WIRE | PACKET_FROM_PEER)) == PACKET_FROM_WIRE) {
		mac_copy(p->port_mac, sender_mac);
		p->told = p->key.source;
		verdict = wire_heard(f, p);
		if (!l2 && verdict)
			return verdict;
		if (operation != be16(ARP_REQUEST) && mac_equal(p->ethernet, p->gateway_mac))
			return VERDICT_CONSUMED; /* what this host's gateway has asked for */
	}
	if (!l2 && !is_outside(p)) {
		verdict = arp_claims(p, sender_mac, operation);
		if (verdict)
			return verdict;
	}
	owner = find_owner(p, subnet, &p->key.destination, mac, &owner_id);
	if (operation == be16(ARP_REQUEST) &&
	    ((owner == OWNER_GATEWAY && gateway_is_here(p)) || owner == OWNER_SERVICE)) {
		note(f, NOTE_NEIGHBOUR_ANSWERED, owner_id);
		return arp_answer(f, p, mac);
	}
	if (l2)
		return VERDICT_NEXT;
	if (is_outside(p) &&
	    (operation != be16(ARP_REQUEST) || !is_answered_here(p, owner, owner_id)))
		return overheard(p);
	if (operation != be16(ARP_REQUEST) || owner == OWNER_SELF)
		return VERDICT_CONSUMED;
	if (owner == OWNER_NOBODY && is_behind_host(p)) {
		owner_id = p->subnet_id;
		mac_copy(mac, subnet->gateway_mac);
	} else if (owner == OWNER_NOBODY) {
		p->object_id = p->subnet_id;
		return VERDICT_UNKNOWN_NEIGHBOUR;
	}
	note(f, NOTE_NEIGHBOUR_ANSWERED, owner_id);
	return arp_answer(f, p, mac);
}

/* Turns the solicitation in the frame into the advertisement "target is at mac" (RFC 4861, 4.4). */
static __always_inline int nd_answer(struct frame *f, struct packet *p,
				     const struct address *target, const __u8 *mac, int router)
{
	/* Who has no address yet is told together with all others (RFC 4862, 5.4.3). */
	const int all = address_is_unspecified(&p->key.source);
	struct address to = { .word = { be32(0xff020000), 0, 0, be32(1) } };
	__u32 flags = (all ? 0 : ADVERTISEMENT_SOLICITED) | ADVERTISEMENT_OVERRIDE |
		      (router ? ADVERTISEMENT_ROUTER : 0);
	struct advertisement_frame reply = {
		.ethertype = be16(ETHERTYPE_IPV6),
		.version = { be16(0x6000), 0 },
		.payload_length = be16(32),
		.next = PROTOCOL_ICMPV6,
		.hop_limit = 255,
		.type = ND_ADVERTISEMENT,
		.flags = { be16(flags >> 16), 0 },
		.option = ND_OPTION_TARGET,
		.option_length = 1,
	};
	__u32 sum;

	if (!all)
		to = p->key.source;
	mac_copy(reply.destination_mac, p->ethernet + 6);
	mac_copy(reply.source_mac, mac);
	__builtin_memcpy(reply.source, target, 16);
	__builtin_memcpy(reply.destination, &to, 16);
	__builtin_memcpy(reply.target, target, 16);
	mac_copy(reply.target_mac, mac);
	sum = checksum_pseudo6(target, &to, 32, PROTOCOL_ICMPV6);
	reply.checksum = (__be16)~checksum_fold(checksum_add(sum, &reply.type, 32));
	if (p->vlan_count)
		return VERDICT_TAGGED;
	/* One that stays longer, for an unfinished checksum behind it (wire.c), is read as far as it says. */
	if ((frame_resize(f, sizeof(reply)) && frame_length(f) < sizeof(reply)) ||
	    frame_store(f, 0, &reply, sizeof(reply)))
		return VERDICT_INTERNAL;
	p->flags |= PACKET_REPLY;
	return VERDICT_ANSWERED;
}

/*
 * What every message about a neighbour must be (RFC 4861, 7.1.1 and 7.1.2): not forwarded by a router, whole,
 * and about a host. Whom it is about; NULL when it is not valid.
 */
static __always_inline const struct address *nd_target(struct frame *f, const struct packet *p)
{
	struct solicitation *message = frame_header(f, p->l4_offset, sizeof(*message));

	if (!message || p->ttl != ND_HOP_LIMIT || p->icmp_code ||
	    p->l4_offset + sizeof(*message) > p->l3_offset + p->ip_length ||
	    address_is_multicast(&message->target))
		return NULL;
	return &message->target;
}

/*
 * A machine on the wire tells where it is: in what it asks of itself (source), or of the address that it
 * advertises. VERDICT_NEXT, or the drop where the address is not its own.
 */
static __always_inline int told(struct frame *f, struct packet *p, const struct address *address,
				__u8 option)
{
	struct told_mac *told =
		frame_header(f, p->l4_offset + sizeof(struct solicitation), sizeof(*told));

	if (told && told->option == option && told->option_length == 1)
		mac_copy(p->port_mac, told->mac);
	else if (option == ND_OPTION_TARGET)
		mac_copy(p->port_mac, p->ethernet + 6);
	else
		return VERDICT_NEXT;
	p->told = *address;
	return wire_heard(f, p);
}

/* A solicitation: who is asked for, and who asks. */
static __always_inline int nd_solicitation(struct frame *f, struct packet *p,
					   const struct subnet *subnet)
{
	const struct address *wanted = nd_target(f, p);
	struct address target;
	__u8 mac[6] = {};
	__u32 owner_id = 0;
	enum owner owner;

	if (!wanted) /* a switch passes it on, but answers it no more than anybody does */
		return p->subnet_flags & SUBNET_L2 ? VERDICT_NEXT : VERDICT_BAD_NEIGHBOUR;
	target = *wanted;
	if (address_is_ipv4(&target))
		return VERDICT_BAD_HEADER;
	if ((p->flags & (PACKET_FROM_WIRE | PACKET_FROM_PEER)) == PACKET_FROM_WIRE)
		told(f, p, &p->key.source, ND_OPTION_SOURCE);
	owner = find_owner(p, subnet, &target, mac, &owner_id);
	if ((p->subnet_flags & SUBNET_L2) && owner != OWNER_SERVICE &&
	    (owner != OWNER_GATEWAY || !gateway_is_here(p)))
		return VERDICT_NEXT;
	if (is_outside(p)) {
		if (!is_answered_here(p, owner, owner_id))
			return overheard(p);
		note(f, NOTE_NEIGHBOUR_ANSWERED, owner_id);
		return nd_answer(f, p, &target, mac, owner == OWNER_GATEWAY);
	}
	/* From :: it is duplicate address detection (RFC 4862): right for one's own, idle for others'. */
	if (address_is_unspecified(&p->key.source))
		return owner == OWNER_SELF || may_claim(p, &target) ? VERDICT_CONSUMED
								    : VERDICT_ADDRESS_CLAIM;
	if (owner == OWNER_SELF)
		return VERDICT_CONSUMED;
	if (owner == OWNER_NOBODY && is_behind_host(p) && !address_is_link_local(&target)) {
		owner_id = p->subnet_id;
		mac_copy(mac, subnet->gateway_mac);
	} else if (owner == OWNER_NOBODY) {
		p->object_id = p->subnet_id;
		return VERDICT_UNKNOWN_NEIGHBOUR;
	}
	note(f, NOTE_NEIGHBOUR_ANSWERED, owner_id);
	return nd_answer(f, p, &target, mac, owner == OWNER_GATEWAY);
}

/* An advertisement by a machine on the wire: the router knows where it is now. */
static __always_inline int advertised(struct frame *f, struct packet *p)
{
	const struct address *claimed = nd_target(f, p);
	struct address target;
	int verdict;

	if (!claimed)
		return p->subnet_flags & SUBNET_L2 ? VERDICT_NEXT : VERDICT_BAD_NEIGHBOUR;
	target = *claimed;
	verdict = told(f, p, &target, ND_OPTION_TARGET);
	if (p->subnet_flags & SUBNET_L2)
		return VERDICT_NEXT;
	return verdict ? verdict : overheard(p);
}

static __always_inline int neighbour_discovery(struct frame *f, struct packet *p,
					       const struct subnet *subnet)
{
	int l2 = p->subnet_flags & SUBNET_L2;
	const struct address *claimed;
	struct address target;

	if (p->icmp_type == ND_SOLICITATION)
		return nd_solicitation(f, p, subnet);
	if (p->icmp_type == ND_ADVERTISEMENT &&
	    (p->flags & (PACKET_FROM_WIRE | PACKET_FROM_PEER)) == PACKET_FROM_WIRE)
		return advertised(f, p);
	if (l2)
		return VERDICT_NEXT;
	if (is_outside(p))
		return overheard(p);
	if (p->icmp_type == ND_ROUTER_SOLICITATION) {
		p->object_id = p->subnet_id;
		return VERDICT_ROUTER_SOLICITATION;
	}
	if (p->icmp_type != ND_ADVERTISEMENT)
		return VERDICT_SPOOFED_ND; /* router advertisements and redirects are the router's */
	claimed = nd_target(f, p);
	if (!claimed)
		return VERDICT_BAD_NEIGHBOUR;
	target = *claimed;
	return may_claim(p, &target) ? VERDICT_CONSUMED : VERDICT_SPOOFED_ND;
}

/* Which groups a workload listens to (RFC 2710, 3810): every IPv6 stack says so, nobody here asks. */
static __always_inline int is_listener_report(const struct packet *p)
{
	return p->key.protocol == PROTOCOL_ICMPV6 &&
	       !(p->flags & (PACKET_IPV4 | PACKET_FRAGMENT_LATER)) &&
	       (p->icmp_type == MLD_REPORT || p->icmp_type == MLD_DONE ||
		p->icmp_type == MLD2_REPORT);
}

/* p: guarded. Returns VERDICT_NEXT for what is not ARP or neighbour discovery, and in l2 subnets for what
 * the bridge shall carry. */
int neighbour(struct frame *f, struct packet *p)
{
	struct subnet_key key;
	struct subnet *subnet;

	if (!p)
		return VERDICT_INTERNAL;
	if (!(p->subnet_flags & (SUBNET_L2 | SUBNET_MULTICAST)) && is_listener_report(p))
		return VERDICT_CONSUMED;
	if (p->ethertype != be16(ETHERTYPE_ARP) &&
	    (p->key.protocol != PROTOCOL_ICMPV6 || p->icmp_type < ND_ROUTER_SOLICITATION ||
	     p->icmp_type > ND_REDIRECT || (p->flags & (PACKET_IPV4 | PACKET_FRAGMENT_LATER))))
		return VERDICT_NEXT;
	key.subnet_id = p->subnet_id;
	subnet = table_lookup(subnets, &key);
	if (!subnet)
		return VERDICT_UNKNOWN_SUBNET;
	p->object_id = p->port_id;
	if (p->ethertype == be16(ETHERTYPE_ARP))
		return arp(f, p, subnet);
	return neighbour_discovery(f, p, subnet);
}
