/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The objects of intent: what users ask for, as structs.
 *
 * An `intent` holds all objects of the installation, found by id or by path
 * ("vpcs.blue.ports.web1"). Objects refer to one another by id, never by pointer, so that one can
 * be replaced without touching the rest. A published object is never changed in place: a `draft`
 * (model/draft.h) collects new versions, check.c judges them, and committing the draft swaps them
 * in at once.
 *
 * text_*.c turn objects into JSON and back (the tree of weft.yaml and of the REST interface),
 * plan.c turns them into table rows. No I/O and no clock in this folder.
 */
#ifndef WEFT_MODEL_OBJECT_H
#define WEFT_MODEL_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "model/dhcp.h"
#include "model/flow_log.h"

#define NAME_SIZE 64 /* 63 characters and the NUL: [a-z0-9][a-z0-9-]{0,62} */
#define VPC_CIDRS_MAX 50
#define PORT_ADDRESSES_MAX 64
#define PORT_GROUPS_MAX 16
#define PORT_ALLOWED_MAX 64
#define RULE_PORTS_MAX 64    /* ranges in one rule */
#define GROUP_RULES_MAX 2048 /* per direction; a port's groups together: 4,096 */
#define ACL_RULES_MAX 4096
#define TABLE_ROUTES_MAX 1000
#define ROUTE_PORTS_MAX 32 /* ECMP */
#define HOST_ADDRESSES_MAX 16
#define HOST_ENCAPSULATIONS_MAX 9 /* the kinds of enum tunnel_kind, core/tables.h */
#define HOST_PEERS_MAX 4096
#define HOST_UPLINKS_MAX 64
#define HOST_RATES_MAX 64
#define PORT_SHARE_MAX 100
#define HOST_MTU_DEFAULT 1500
#define SEGMENT_TTL_DEFAULT 64
#define KEEPALIVE_RETRIES_DEFAULT 3
#define DNS_DOMAIN_SIZE 254
#define DNS_FORWARDERS_MAX 8
#define DNS_RECORDS_MAX 2000 /* of a VPC */
#define DNS_TEXT_MAX 1000    /* of a text record */
#define USER_DATA_MAX 16384  /* of a port, bytes */
#define FLOW_TIMEOUTS 8      /* in the order of enum flow_timeout, core/tables.h */
#define VPC_FLOW_LIMIT_DEFAULT 262144
#define PORT_FLOW_LIMIT_DEFAULT 65536

enum object_kind {
	OBJECT_VPC,
	OBJECT_SUBNET,
	OBJECT_PORT,
	OBJECT_ROUTE_TABLE,
	OBJECT_SECURITY_GROUP,
	OBJECT_ACL,
	OBJECT_TUNNEL,
	OBJECT_HOST, /* of no VPC: its vpc_id is 0 */
	OBJECT_KINDS,
	/* Parts of an object that have an id of their own, for drops and traces to name. */
	OBJECT_ROUTE = OBJECT_KINDS,
	OBJECT_GROUP_RULE,
	OBJECT_ACL_RULE,
};

/* What every object begins with. Ids come from one counter, are never used twice, never 0. */
struct object {
	enum object_kind kind;
	uint32_t id;
	uint32_t vpc_id;   /* of the VPC it is in; its own id for a VPC; 0 for a host */
	uint64_t revision; /* of the store when it was last written; the ETag */
	char name[NAME_SIZE];
};

enum established_policy { ESTABLISHED_KEEP, ESTABLISHED_CUT };

enum dns_record_kind { DNS_RECORD_ADDRESS, DNS_RECORD_ALIAS, DNS_RECORD_TEXT };

/* One record besides the ports' own names. */
struct dns_record {
	char *name; /* in the domain; "@" is the domain itself; with a dot at its end a whole name */
	enum dns_record_kind kind;
	struct ip_address address;
	char *text; /* DNS_RECORD_ALIAS: a name in the domain; DNS_RECORD_TEXT; else NULL */
};

/* Who is asked for names that are not the VPC's. */
enum dns_forward {
	DNS_FORWARD_OFF,
	DNS_FORWARD_HOST, /* those that the host itself asks */
	DNS_FORWARD_TO,
};

/* The resolver of a VPC (V46), which each host serves for its ports. */
struct vpc_dns {
	bool serve;
	char domain[DNS_DOMAIN_SIZE]; /* of its names; empty: NAME.internal */
	enum dns_forward forward;
	size_t forwarder_count;
	struct ip_address forwarders[DNS_FORWARDERS_MAX];
	size_t record_count;
	struct dns_record *records; /* owned; ascending by name, of a name as they were written */
};

struct vpc_object {
	struct object object;
	size_t cidr_count;
	struct ip_prefix cidrs[VPC_CIDRS_MAX]; /* canonical */
	enum established_policy established;
	uint32_t mtu;                     /* bytes of IP that ports get; 0: intent_vpc_mtu() */
	uint32_t flow_limit;              /* connections of the whole VPC */
	uint32_t timeouts[FLOW_TIMEOUTS]; /* seconds */
	uint32_t main_table_id; /* the table named main unless `main_route_table` says otherwise */
	uint32_t default_group_id;
	struct vpc_dns dns;
	bool metadata;             /* each port finds what is known of it at 169.254.169.254 */
	bool route_multicast;      /* between its subnets */
	struct flow_log *flow_log; /* owned; NULL: none (flow_log.h) */
	char router[NAME_SIZE];    /* the host that routes all of it; "": each its own ports' */
};

enum subnet_mode { SUBNET_MODE_L3, SUBNET_MODE_L2 };
enum segment_type {
	SEGMENT_OVERLAY,
	SEGMENT_LOCAL, /* never leaves the host */
	SEGMENT_FLAT,  /* a network outside, by the hosts' uplinks: what has no tag there */
	SEGMENT_VLAN,  /* the same: what has one tag */
};
/* What ports of a network outside are to one another and to its switch. */
enum direct_mode {
	DIRECT_BRIDGE,   /* the host is a switch between them */
	DIRECT_PRIVATE,  /* they do not hear one another */
	DIRECT_VEPA,     /* they do by the switch outside, which reflects */
	DIRECT_PASSTHRU, /* one port has all of the uplink */
	/* On the wire all have the MAC of the uplink, and are told apart by their addresses: */
	DIRECT_L2,  /* as on a switch */
	DIRECT_L3,  /* without broadcast, what is not theirs by the host's routes */
	DIRECT_L3S, /* the same through the host's own stack, in both directions */
	DIRECT_MODES,
};
enum underlay_kind { UNDERLAY_ANY, UNDERLAY_IPV4, UNDERLAY_IPV6, UNDERLAY_PREFIX };
enum checksum_kind { CHECKSUM_USUAL, CHECKSUM_OFF, CHECKSUM_ON };

struct port_mirror_to;

/* How the packets of a subnet travel between hosts. */
struct segment {
	enum segment_type type;
	uint8_t encapsulation; /* enum tunnel_kind, core/tables.h */
	uint8_t ttl;           /* of the outer header */
	uint8_t dscp;          /* of the outer header, unless copied */
	bool copy_dscp;
	bool id_automatic; /* none was named */
	uint16_t port;     /* UDP, host order; 0: the usual one of the kind */
	uint32_t id;       /* VNI, VSID or GRE key, of all subnets' only this one's; 0: local */
	enum checksum_kind udp_checksum; /* usual: one to ends over IPv6 that are not Weft */
	enum underlay_kind underlay;     /* which of the hosts' addresses carry it */
	struct ip_prefix underlay_prefix;
	struct ip_address group; /* floods go to this group of the underlay; zero: to each host */
	struct ip_prefix vteps;  /* ends that are not Weft and may send to the group; or length 0 */
	char network[NAME_SIZE]; /* flat, vlan: the network that uplinks lead to */
	uint16_t tag;            /* vlan: VID, 1 to 4094 */
	bool service_tag;        /* vlan: the tag is one of 802.1ad */
	enum direct_mode direct; /* flat, vlan */
	enum direct_mode siblings; /* where the MAC is shared: bridge, private or vepa */
	char router[NAME_SIZE]; /* flat, vlan: host whose gateway answers on the wire; or empty */
};

/* Of a subnet's addresses the first ones are no port's (V16): network, router, resolver, future. Nor is the last. */
#define SUBNET_RESERVED 4

struct subnet_object {
	struct object object;
	struct ip_prefix cidrs[2];     /* [0] IPv4, [1] IPv6; length 0: absent */
	struct ip_address gateways[2]; /* all zero: absent */
	enum subnet_mode mode;
	struct segment segment;
	uint32_t route_table_id;     /* the VPC's main table where none was named */
	bool route_table_implicit;   /* none was named: follows the main table (V18) */
	uint32_t acl_id;             /* 0: all passes */
	uint32_t flood_rate;         /* l2: frames per second and port; 0: no limit */
	uint32_t station_limit;      /* l2: learned addresses per port */
	uint32_t station_ageing;     /* l2: seconds */
	bool snoop;                  /* l2: multicast goes to its listeners alone */
	uint32_t query_interval;     /* l2: seconds between questions who listens */
	uint32_t segment_flood_rate; /* l2: frames per second of all ports; 0: no limit */
	bool route_multicast;        /* from and to others of the VPC, if the VPC does */
	bool vlan_transparent;       /* l2: VLAN tags are the workloads' own affair */
	struct mac_address
		gateway_mac;      /* given out; zero: made of the id alone (subnet_gateway_mac()) */
	struct subnet_dhcp *dhcp; /* owned; NULL: not served */
	struct subnet_ra *ra;     /* owned; NULL: no router advertisements */
	struct flow_log *flow_log;     /* owned; NULL: the VPC's */
	struct port_mirror_to *mirror; /* owned; of its ports that have none; NULL: none */
};

enum attach_kind {
	ATTACH_NONE,  /* not said: the lab fills it in; otherwise the port waits */
	ATTACH_NETNS, /* by name under /run/netns, or by path where it has a slash */
	ATTACH_PID,   /* the network namespace of a process */
	ATTACH_TAP,
	ATTACH_TUN,
	/* Links to other switches, with any number of stations behind them (attach_is_link()). */
	ATTACH_BRIDGE,     /* a bridge of the kernel on the host, joined by a veth pair of Weft's */
	ATTACH_OVS_BRIDGE, /* one of Open vSwitch, likewise */
	ATTACH_PATCH,      /* another port of the same host, which names this one (patches.h) */
	ATTACH_CHILD,      /* the device of another port, told apart by a VLAN tag */
	ATTACH_DEVICE,     /* a device of the host that somebody else has made */
	ATTACH_HOST, /* nowhere: the workload has the host's own stack, of which a VPC says nothing */
};

struct attach {
	enum attach_kind kind;
	char netns[256];
	uint32_t pid;
	char ifname[16]; /* inside the namespace, or the name of the tap, tun, bridge or device */
	bool configure;  /* addresses and routes are set inside the namespace */
	uint32_t queues; /* tap: number of queues allowed, 1 = single */
	char peer[2 * NAME_SIZE];   /* patch: "port" or "vpc/port" */
	char parent[2 * NAME_SIZE]; /* child: the port whose device it is, "vpc/port" */
	uint16_t vlan;              /* child: 1 to 4094 */
	bool service_tag;           /* child: the tag is one of 802.1ad */
	bool native;         /* child: what has no tag is its as well, and it sends without one */
	bool link;           /* device, child: leads to another switch, with stations behind it */
	bool take_addresses; /* device: the host's addresses there are put aside meanwhile */
};

/* Whether the port leads to another switch: it has no address of its own, and unless it names security
 * groups rules say nothing of it. */
bool attach_is_link(const struct attach *attach);

/* Whether the port is somebody in its VPC, with an address, a MAC and rules of its own. */
static inline bool attach_is_member(const struct attach *attach)
{
	return attach->kind != ATTACH_HOST && !attach_is_link(attach);
}

/* Whether the frames of the port go to somebody who is not a namespace of this host: a virtual machine, a
 * switch, a wire. */
static inline bool attach_is_outside(const struct attach *attach)
{
	return attach->kind == ATTACH_TAP || attach->kind == ATTACH_DEVICE ||
	       attach_is_link(attach);
}

/* A rate's bucket and queue. The bucket of the policer is larger than that of the queue before it, so that
 * what the queue lets through is not dropped. Bytes. */
struct port_object;
uint32_t port_rate_burst(uint64_t rate, uint32_t burst);
uint32_t port_rate_queue(uint64_t rate, uint32_t burst);
uint64_t port_rate_slack(const struct port_object *port);
/* Of one direction; 0: as the rate asks for. */
uint32_t port_send_burst(const struct port_object *port);
uint32_t port_receive_burst(const struct port_object *port);

struct port_object {
	struct object object;
	uint32_t subnet_id;
	struct mac_address mac;
	/* The arrays are owned and never NULL, with room for exactly what is in them. */
	size_t address_count;
	struct ip_address *addresses; /* first of each family is the primary */
	size_t group_count;
	uint32_t *group_ids; /* ascending */
	size_t allowed_count;
	struct ip_prefix *allowed; /* extra addresses it may send from */
	bool source_destination_check;
	uint32_t mtu;          /* 0: the VPC's */
	uint32_t flow_limit;   /* connections it may have begun */
	uint64_t send_rate;    /* bits per second; 0: no limit */
	uint64_t receive_rate; /* the same of what it gets */
	uint32_t rate_burst;   /* bytes beyond them; 0: as the rate asks for */
	uint32_t send_burst;   /* of one direction; 0: as rate_burst says */
	uint32_t receive_burst;
	uint32_t share;                /* of a device or rate that others want, too; 1 and up */
	struct port_mirror_to *mirror; /* owned; NULL: nobody gets copies */
	struct flow_log *flow_log;     /* owned; NULL: the subnet's */
	uint8_t dscp_mark;             /* its packets get this DSCP less one; 0: they keep theirs */
	struct attach attach;
	char host[NAME_SIZE]; /* empty: this one; as long as there are no hosts */
	/* Where it is about to go: made ready there, and active where it is until then; empty: nowhere. */
	char moving_to[NAME_SIZE];
	bool moves_on_command; /* not by the first frame from its device there */
	uint32_t claim;        /* one more with each host it is on: the newest one holds */
	char *user_data;       /* owned; what its metadata hands to the workload; NULL: nothing */
};

/*
 * A point-to-point tunnel of a VPC to an end that is not Weft: a member of an l2 subnet, or
 * (without a subnet) the target of routes.
 */
struct tunnel_object {
	struct object object;
	uint8_t encapsulation; /* enum tunnel_kind, core/tables.h */
	uint8_t ttl, dscp;
	bool copy_dscp, sequence;
	bool mirror;    /* gets copies alone: it is in no subnet, and nothing comes in by it */
	uint8_t erspan; /* TUNNEL_GRETAP with the header of this type, 2 or 3; a mirror; 0: none */
	uint8_t hardware_id;         /* type III: which engine of the host */
	enum checksum_kind checksum; /* usual: of UDP over IPv6 */
	bool has_id;
	uint16_t port; /* UDP, host order; 0: the usual one of the kind */
	uint32_t id;   /* VNI, VSID or GRE key */
	char host[NAME_SIZE];
	struct ip_address remote;
	struct ip_address local; /* zero: the host's first of the family */
	uint32_t subnet_id;      /* 0: none */
	uint32_t mtu;            /* 0: as much as the underlay takes */
	bool filtered;           /* has security groups; else rules say nothing of it */
	size_t group_count;
	uint32_t group_ids[PORT_GROUPS_MAX]; /* ascending */
	uint32_t keepalive_interval;         /* seconds; 0: none */
	uint32_t keepalive_retries;
	struct ip_address keepalive_address; /* inside the tunnel; zero: by the tunnel's own means */
};

/* What carries packets between this host and another, whatever their subnets say. */
struct host_peer {
	uint32_t host_id;
	uint8_t encapsulation; /* enum tunnel_kind */
};

struct host_uplink {
	char network[NAME_SIZE];
	char ifname[16];
	bool take_addresses; /* the host's addresses there are put aside meanwhile */
};

/* What a device of a host carries, so that ports that send by it get their shares of it. */
struct host_rate {
	char ifname[16];
	uint64_t rate; /* bits per second of frames */
};

struct host_object {
	struct object object;
	struct mac_address
		router_mac; /* given out, for its gateways on wires; zero: made of the id alone */
	size_t address_count;
	struct ip_prefix addresses[HOST_ADDRESSES_MAX]; /* the underlay's; not canonical */
	uint32_t mtu;                                   /* of the underlay */
	size_t encapsulation_count;
	uint8_t encapsulations[HOST_ENCAPSULATIONS_MAX]; /* enum tunnel_kind, the liked first */
	size_t peer_count;
	struct host_peer *peers; /* owned; ascending by id */
	size_t uplink_count;
	struct host_uplink *uplinks; /* owned; ascending by name */
	size_t rate_count;
	struct host_rate *rates; /* owned; ascending by device */
};

enum via_kind { VIA_LOCAL, VIA_BLACKHOLE, VIA_PORTS };

struct route_object {
	uint32_t id;
	uint32_t place; /* in the list it was read from, for refusals */
	struct ip_prefix to;
	enum via_kind via;
	size_t port_count;
	/*
	 * Owned; NULL when there is none. A port that was removed keeps its name here; its id is
	 * found no more, the route is a blackhole (V24).
	 */
	uint32_t *port_ids;
	char (*port_names)[NAME_SIZE];
	enum object_kind *port_kinds; /* OBJECT_PORT or OBJECT_TUNNEL */
};

/*
 * Every table has a local route for each CIDR of its VPC (V19). It is not in the list: only a
 * route with exactly that prefix is, when the local route was retargeted. VIA_LOCAL therefore is
 * never stored.
 */
struct route_table_object {
	struct object object;
	size_t route_count;
	struct route_object *routes; /* owned; ascending by prefix */
};

struct port_range {
	uint16_t first, last; /* host order; ICMP: type << 8 | code, first to last */
};

enum peer_kind { PEER_PREFIX, PEER_GROUP };

#define PROTOCOL_ALL (-1)
/*
 * "icmp" in a rule means ICMP (1) for IPv4 peers and ICMPv6 (58) for IPv6 peers; a group peer:
 * both.
 */

struct rule_object {
	uint32_t id;
	int protocol;       /* IP protocol number or PROTOCOL_ALL */
	bool icmp_both;     /* written as "icmp": 1 and 58 alike */
	size_t range_count; /* 0: all ports, all types */
	struct port_range ranges[RULE_PORTS_MAX];
	enum peer_kind peer;
	struct ip_prefix prefix; /* PEER_PREFIX */
	uint32_t group_id;       /* PEER_GROUP */
	uint32_t number;         /* ACL: 1-32766, lowest decides first */
	bool deny;               /* ACL only */
};

struct rule_list {
	size_t count;
	struct rule_object *rules; /* owned; ACL: ascending by number */
};

/*
 * "Everything out" of a group written without egress is two stored rules: all to 0.0.0.0/0 and to
 * ::/0.
 */
struct security_group_object {
	struct object object;
	struct rule_list ingress, egress;
};

struct acl_object {
	struct object object;
	struct rule_list ingress, egress; /* of the subnet: ingress is what enters it */
};

struct intent; /* all objects; owned by the agent */

struct intent *intent_new(void);
void intent_free(struct intent *intent);

/*
 * Any object (never a route or rule) by id; NULL when there is none. Borrowed until the next
 * commit.
 */
const struct object *intent_object(const struct intent *intent, uint32_t id);

/* By VPC name and, for anything but a VPC, kind and name; a host by name, @vpc says nothing
 * then. NULL when there is none. */
const struct object *intent_find(const struct intent *intent, const char *vpc,
				 enum object_kind kind, const char *name);

/* The objects of a VPC of one kind, by name; vpc_id 0 and OBJECT_VPC: all VPCs, and with
 * OBJECT_HOST: all hosts. O(result).
 * The array is the caller's to free(); the objects are borrowed. Returns the count. */
size_t intent_list(const struct intent *intent, uint32_t vpc_id, enum object_kind kind,
		   const struct object ***list);

/*
 * Reverse references, kept up to date at commit; each O(result), the array is the caller's to
 * free().
 */
size_t intent_ports_of_subnet(const struct intent *intent, uint32_t subnet_id, uint32_t **ids);
size_t intent_ports_of_group(const struct intent *intent, uint32_t group_id, uint32_t **ids);
size_t intent_subnets_of_table(const struct intent *intent, uint32_t table_id, uint32_t **ids);
size_t intent_tables_with_port(const struct intent *intent, uint32_t port_id, uint32_t **ids);
size_t intent_groups_naming_group(const struct intent *intent, uint32_t group_id, uint32_t **ids);
size_t intent_subnets_of_acl(const struct intent *intent, uint32_t acl_id, uint32_t **ids);
size_t intent_tunnels_of_subnet(const struct intent *intent, uint32_t subnet_id, uint32_t **ids);

/*
 * The host this process is on, by name; told once, before anything is read or planned. Ports and
 * tunnels that name no host are on it.
 */
void intent_set_host(struct intent *intent, const char *name);

/* Whether a port or tunnel with this `host` is on this host. */
bool intent_is_local(const struct intent *intent, const char *host);

/* Whether a port is about to move to this host, which makes its device ready. */
bool intent_comes_here(const struct intent *intent, const struct port_object *port);

/* Whether there are host objects. Without, there is one host, and nothing travels. */
bool intent_has_hosts(const struct intent *intent);

/* Whether a segment is a network outside, which hosts reach by their uplinks. */
static inline bool segment_is_wire(const struct segment *segment)
{
	return segment->type == SEGMENT_FLAT || segment->type == SEGMENT_VLAN;
}

/* Whether all ports of a segment have the MAC of the uplink there. */
static inline bool segment_shares_mac(const struct segment *segment)
{
	return segment_is_wire(segment) &&
	       (segment->direct == DIRECT_L2 || segment->direct == DIRECT_L3 ||
		segment->direct == DIRECT_L3S);
}

/* Whether what is for nobody in the VPC goes by the host's routes. */
static inline bool segment_is_host_routed(const struct segment *segment)
{
	return segment_is_wire(segment) &&
	       (segment->direct == DIRECT_L3 || segment->direct == DIRECT_L3S);
}

/* Whether it goes through the host's own stack. */
static inline bool segment_is_stacked(const struct segment *segment)
{
	return segment_is_wire(segment) && segment->direct == DIRECT_L3S;
}

/* Whether each port of a segment has one MAC, and is no way to other switches. */
static inline bool segment_has_single_stations(const struct segment *segment)
{
	return segment_is_wire(segment) && segment->direct != DIRECT_BRIDGE &&
	       segment->direct != DIRECT_PASSTHRU;
}

/* The device by which a host is on a network; NULL: it is not. */
const char *host_uplink(const struct host_object *host, const char *network);

/*
 * The host whose gateway answers on the wire of a segment: the one that it names, or of those that have part
 * in its VPC and an uplink the first; of an l3 subnet only the one that it names. NULL: none.
 */
const struct host_object *intent_wire_router(const struct intent *intent,
					     const struct subnet_object *subnet);

/* The one host that routes all of a VPC; NULL: each host routes what its own ports send, or there is no such host. */
const struct host_object *intent_router(const struct intent *intent, uint32_t vpc_id);

/* Is multicast routed between this subnet and others of its VPC? */
bool intent_routes_multicast(const struct intent *intent, const struct subnet_object *subnet);

/* This host; NULL as long as nobody made an object of it. A lone host needs none. */
const struct host_object *intent_own_host(const struct intent *intent);

/* A host by name; an empty name is this host's. NULL: there is none. */
const struct host_object *intent_host(const struct intent *intent, const char *name);

/*
 * Who has part in a VPC: hosts with at least one port or tunnel of it, and its router (ids, ascending); of one of
 * its subnets; and the VPCs that a host has part in. O(result), the array is the caller's.
 */
size_t intent_hosts_of_vpc(const struct intent *intent, uint32_t vpc_id, uint32_t **ids);
size_t intent_hosts_of_subnet(const struct intent *intent, uint32_t subnet_id, uint32_t **ids);
size_t intent_vpcs_of_host(const struct intent *intent, const char *host, uint32_t **ids);

/* Whether a host has part in a VPC; whether it has taps in a subnet. O(1). */
bool intent_has_part(const struct intent *intent, const char *host, uint32_t vpc_id);
bool intent_has_taps(const struct intent *intent, const char *host, uint32_t subnet_id);

/*
 * Largest IP packet of the VPC's ports, bytes: what was asked for, and no more than its subnets
 * carry between the hosts there are. And that of one port.
 */
uint32_t intent_vpc_mtu(const struct intent *intent, uint32_t vpc_id);
uint32_t intent_port_mtu(const struct intent *intent, const struct port_object *port);

/*
 * Whether ports of the VPC may send frames that stand for several packets (TSO). Such a frame cannot
 * be given a checksum or sequence number of its tunnel, and any port may send to any tunnel.
 */
bool intent_vpc_offloads(const struct intent *intent, uint32_t vpc_id);

/*
 * The port whose device a child is behind; NULL: there is none of that name (now). And the children of
 * a port, which may be one that was removed: ids, ascending; the array is the caller's to free().
 */
const struct port_object *intent_parent(const struct intent *intent,
					const struct port_object *child);
size_t intent_children(const struct intent *intent, const struct port_object *port, uint32_t **ids);

/*
 * The number of this installation of Weft, which is mixed into the MACs that are given out from now on, so that those
 * of two installations on one wire differ. 0, or never called: they are made of ids alone.
 */
void intent_number_installation(struct intent *intent, uint64_t number);

/* The MAC of the gateway of a subnet; and of one that was made while there was no number of the installation. */
struct mac_address gateway_mac_of_id(uint32_t subnet_id);
struct mac_address subnet_gateway_mac(const struct subnet_object *subnet);

/* The MAC that the gateways on the wires of a host have, where another host is the router. */
struct mac_address host_router_mac(const struct host_object *host);

/* The port of a VPC that owns an address; 0 when none does. O(1). */
uint32_t intent_address_owner(const struct intent *intent, uint32_t vpc_id,
			      const struct ip_address *address);

/** vpc_domain - the domain that the names of a VPC's ports are in, in lower case. Return: @domain. */
const char *vpc_domain(const struct vpc_object *vpc, char domain[DNS_DOMAIN_SIZE]);

/**
 * dns_records_find - the records of a name in a VPC's domain, or of a whole name with a dot at its end
 * @first: set to the first of them
 *
 * Return: how many.
 */
size_t dns_records_find(const struct vpc_dns *dns, const char *name,
			const struct dns_record **first);

/** dns_name_is_valid - labels of letters, digits, - and _ with dots between them, none at the end */
bool dns_name_is_valid(const char *name);

/*
 * What a person calls the thing with this id, whatever its kind: "port blue/web1", "rule 2 of
 * security group blue/web ingress (tcp 80 from 0.0.0.0/0)", "route 10.9.0.0/16 of route table
 * blue/private". Writes at most size bytes with the NUL. Returns false when the id is unknown.
 */
bool intent_describe(const struct intent *intent, uint32_t id, char *text, size_t size);

/* The words used in JSON paths and URLs for a kind: "vpcs", "subnets", "ports", "route_tables",
 * "security_groups", "acls", "tunnels", "hosts"; and in the singular with spaces ("route table"). */
const char *object_kind_plural(enum object_kind kind);
const char *object_kind_word(enum object_kind kind);

#endif
