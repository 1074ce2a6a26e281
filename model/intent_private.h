/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the model share among themselves; nobody else includes this.
 *
 * intent.c holds the published objects and the indexes over them. draft.c lays changed objects
 * over an intent: every look-up of a draft sees its own version first (draft_object, draft_find).
 * text_*.c turn objects into JSON and back, check.c and check_*.c judge, draft_store.c writes and
 * reads records.
 */
#ifndef WEFT_MODEL_INTENT_PRIVATE_H
#define WEFT_MODEL_INTENT_PRIVATE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/map.h"
#include "model/draft.h"
#include "model/object.h"

/* Who refers to whom: an object of the first kind names one of the second. */
enum reference {
	REFERENCE_PORT_SUBNET,
	REFERENCE_PORT_GROUP,
	REFERENCE_SUBNET_TABLE,
	REFERENCE_SUBNET_ACL,
	REFERENCE_TABLE_PORT, /* the one that may dangle (V24) */
	REFERENCE_GROUP_GROUP,
	REFERENCE_TUNNEL_SUBNET,
	REFERENCE_HOST_HOST,
	REFERENCES
};

/* No address of the subnet below these offsets is free; [0] IPv4, [1] IPv6. */
struct address_space {
	uint64_t lowest[2];
};

/* Indexes over hosts, segments and tunnels; intent_hosts.c. Sets count, by name or id. */
struct host_index {
	char own[NAME_SIZE];    /* name of the host this process is on */
	struct map of_vpc;      /* vpc id: struct map, host name: how many ports and tunnels */
	struct map of_subnet;   /* subnet id: the same */
	struct map taps_of;     /* subnet id: the same, only ports that are taps */
	struct map vpcs;        /* host name: struct map, vpc id: how many */
	struct map addresses;   /* address of the underlay: id of the host */
	struct map segment_ids; /* id of a segment: id of the subnet; others' keys as well */
	struct map udp_ports;   /* UDP port and kind: set of ids of subnets and tunnels */
	struct map ends;        /* end_key() of a tunnel: set of ids */
	struct map without_id;  /* kind and port of a segment without an id: set of subnets */
	struct map wires;       /* wire_key() of a segment: id of the subnet */
	struct map children;    /* "vpc/port": set of ids of ports with that parent */
	struct map *mtus;       /* vpc id: what was found in mtu.c; owned */
	uint32_t next_segment;  /* where the search for a free id of a segment begins */
};

struct intent {
	struct map objects;                /* id: struct object, owned */
	struct map names;                  /* name key: struct object */
	struct map members;                /* vpc id and kind: struct map, the set of ids */
	struct map references[REFERENCES]; /* id referred to: set of ids referring */
	struct map route_names; /* name key of a port: set of ids of tables that name it */
	struct map parts;       /* id of a rule or route: id of the object it is in */
	struct map addresses;   /* address key: id of the port */
	struct map macs;        /* MAC key: id of the port */
	struct map attachments; /* attachment key: id of the port */
	struct map links;       /* ids of ports that lead to other switches */
	struct map spaces;      /* subnet id: struct address_space, owned */
	struct map outlines;    /* ids of VPCs of which only the outline is here */
	struct host_index hosts;
	uint32_t next_id;          /* the first one that was never given out */
	uint32_t apart;            /* addresses to pass over when one is given out */
	uint64_t installation;     /* mixed into MACs; 0: none */
	uint32_t id_end;           /* of the block next_id is in; 0: all ids are this intent's */
	uint64_t next_id_revision; /* of its record, as it was read */
	uint64_t generation;       /* moves with every commit */
	struct draft *draft;       /* the youngest draft still alive, for names in sentences */
};

/* ---- object.c, object_compare.c ---- */

struct object *object_new(enum object_kind kind);
struct object *object_copy(const struct object *object);
void object_free(struct object *object); /* accepts NULL */
/* Of a security group or an ACL; NULL for the others. */
struct rule_list *object_rules(const struct object *object, bool ingress);
bool object_equal(const struct object *a, const struct object *b);
void port_set_addresses(struct port_object *port, const struct ip_address *list, size_t count);
void port_set_groups(struct port_object *port, const uint32_t *list, size_t count);
void port_set_allowed(struct port_object *port, const struct ip_prefix *list, size_t count);
/* Copies; what it had is not freed. */
void host_set_peers(struct host_object *host, const struct host_peer *list, size_t count);
void host_set_uplinks(struct host_object *host, const struct host_uplink *list, size_t count);
void host_set_rates(struct host_object *host, const struct host_rate *list, size_t count);
bool dns_equal(const struct vpc_dns *a, const struct vpc_dns *b);
/* The records of @dns are another's so far. */
void dns_copy_records(struct vpc_dns *dns);
void dns_free_records(struct vpc_dns *dns);
size_t dns_text_bound(const struct vpc_dns *dns); /* of the records in JSON, bytes at most */
bool segment_equal(const struct segment *a, const struct segment *b);
bool tunnel_equal_groups(const struct tunnel_object *a, const struct tunnel_object *b);
void route_set_room(struct route_object *route, size_t count); /* for ports; it has none so far */
void route_fini(struct route_object *route);
bool route_equal(const struct route_object *a, const struct route_object *b); /* ids left out */
void rule_list_add(struct rule_list *list, const struct rule_object *rule);
bool rule_equal(const struct rule_object *a, const struct rule_object *b); /* ids left out */
void group_default_ingress(const struct security_group_object *group, struct rule_list *list);
void group_default_egress(struct rule_list *list);
bool rule_list_equal(const struct rule_list *a, const struct rule_list *b); /* ids left out */

/* Rules and routes without an id take the one that equal content had in @before, or a new one. */
void object_identify_parts(struct object *object, const struct object *before, struct draft *draft);

/* Calls @visit for everything @object refers to, the same target perhaps more than once. */
void object_references(const struct object *object,
		       void (*visit)(void *context, enum reference reference, uint32_t target_id),
		       void *context);

/* More bytes than the rules or routes of @object take in a record. */
size_t object_text_bound(const struct object *object);

/* Calls @visit with the id of each rule and route in @object. */
void object_parts(const struct object *object, void (*visit)(void *context, uint32_t part_id),
		  void *context);

#define NAME_KEY_SIZE (5 + NAME_SIZE)
#define ADDRESS_KEY_SIZE 20
#define MAC_KEY_SIZE 10
#define ATTACHMENT_KEY_SIZE 384

size_t name_key(unsigned char key[NAME_KEY_SIZE], uint32_t vpc_id, enum object_kind kind,
		const char *name);
void address_key(unsigned char key[ADDRESS_KEY_SIZE], uint32_t vpc_id,
		 const struct ip_address *address);
void mac_key(unsigned char key[MAC_KEY_SIZE], uint32_t vpc_id, const struct mac_address *mac);
/* On a host, the one that it is on or moves to. Return: false when the port's attachment needs no place of
 * its own. */
bool attachment_key(char key[ATTACHMENT_KEY_SIZE], const struct port_object *port,
		    const char *host);
/* The same of the frames without a tag that a port behind another's device has. */
bool attachment_native_key(char key[ATTACHMENT_KEY_SIZE], const struct port_object *port);
uint64_t member_key(uint32_t vpc_id, enum object_kind kind);

bool name_is_valid(const char *name);
struct mac_address port_mac_of_id(uint64_t installation, uint32_t port_id, uint32_t attempt);
/* For a new subnet or host; zero without an installation. */
void give_gateway_mac(const struct intent *intent, struct subnet_object *subnet);
void give_router_mac(const struct intent *intent, struct host_object *host);
/* Whether the MAC of a port is one that is made of its id. */
bool port_mac_is_own(const struct intent *intent, const struct port_object *port);
bool object_kind_from_plural(const char *word, enum object_kind *kind); /* not "vpcs" */
static inline int family_of(const struct ip_address *address)
{
	return ip_address_is_ipv4(address) ? 0 : 1;
}

static inline void *id_to_value(uint32_t id)
{
	return (void *)(uintptr_t)id;
}

static inline uint32_t value_to_id(const void *value)
{
	return (uint32_t)(uintptr_t)value;
}

#define END_KEY_SIZE (NAME_SIZE + 32)
/* What tunnels of one host must differ in, but for their local ends: remote end, kind, port, id. */
size_t end_key(unsigned char key[END_KEY_SIZE], const struct tunnel_object *tunnel);

/* UDP port, host order, of a tunnel object; 0: none. */
uint16_t tunnel_port(const struct tunnel_object *tunnel);

/* ---- intent_hosts.c ---- */

void host_index_init(struct host_index *index);
void free_set(void *set);
void host_index_change(struct intent *intent, const struct object *object, bool add);
void host_index_fini(struct host_index *index);
/* The name that `host` of a port stands for: the own one where it is empty. */
const char *intent_host_name(const struct intent *intent, const char *host);
uint64_t udp_port_key(uint16_t port, uint8_t kind);
/*
 * What of a network a segment is, "physnet1/8100/100", by which it is found; the caller's to
 * free().
 */
char *wire_key(const struct segment *segment);

/* ---- intent.c ---- */

void set_add(struct map *sets, const void *key, size_t key_size, uint32_t id);
void set_remove(struct map *sets, const void *key, size_t key_size, uint32_t id);
size_t set_list(const struct map *set, uint32_t **ids); /* ascending; @set may be NULL */

void intent_insert(struct intent *intent, struct object *object);         /* takes it over */
void intent_withdraw(struct intent *intent, const struct object *object); /* the caller's again */
const struct map *intent_referrers(const struct intent *intent, enum reference reference,
				   uint32_t target_id); /* NULL when nobody */
const struct map *intent_members(const struct intent *intent, uint32_t vpc_id,
				 enum object_kind kind); /* NULL when none */

/*
 * The name of an object, of the intent or of its youngest draft, removed ones included; NULL if
 * unknown.
 */
const struct object *intent_named(const struct intent *intent, uint32_t id);

/* ---- draft.c ---- */

struct draft_entry {
	const struct object *before; /* the intent's; the draft's own after the commit */
	struct object *after;        /* the draft's own until the commit; NULL: removed */
	bool automatic_addresses;    /* none were said: those it had are kept while they fit */
	bool automatic_mac;
	bool same; /* found by the check: after equals before */
};

struct entry_list {
	size_t count, room;
	struct draft_entry **list;
};

struct subnet_range {
	struct ip_prefix prefix;
	const struct subnet_object *subnet;
};

struct subnet_ranges {
	size_t count;
	struct subnet_range *ranges; /* ascending */
};

struct draft {
	struct intent *intent;
	uint64_t generation; /* of the intent when the draft was opened */
	uint32_t next_id;
	bool checked, committed;
	bool taken;                /* news from the store: objects have their revisions */
	bool own_sentence;         /* the reader that failed said all itself, its key included */
	struct entry_list entries; /* in the order they were touched; owned */
	struct map by_id;          /* id: struct draft_entry */
	struct map by_name;        /* name key: struct draft_entry */
	struct map members;        /* vpc id and kind: struct entry_list, owned */
	/* Made anew by each check. */
	struct map addresses, macs,
		attachments;    /* claims of changed ports: keys as in the intent */
	struct map segment_ids; /* id of a segment: subnet */
	struct map wires;       /* wire_key() of a segment: subnet */
	struct map udp_ports;   /* udp_port_key(): one that has it */
	struct map underlay;    /* address: host */
	struct map without_id;  /* as in the intent: set of subnets */
	struct map ends;        /* end_key(): set of tunnels */
	struct map reached;     /* VPC and host: anything */
	struct map spaces;      /* subnet id: struct address_space, owned */
	struct map ranges;      /* vpc id: struct subnet_ranges, owned */
	struct change *changes;
	size_t change_count;
	struct record *records;
	size_t record_count, record_room;
	struct comparison *comparisons;
	size_t comparison_count, comparison_room;
};

const struct object *draft_object(const struct draft *draft, uint32_t id);
struct draft_entry *draft_entry(const struct draft *draft, uint32_t id); /* NULL: untouched */
const struct object *draft_find(const struct draft *draft, uint32_t vpc_id, enum object_kind kind,
				const char *name);
/* All objects of a kind as the draft has them, by name; the array is the caller's to free(). */
size_t draft_members(const struct draft *draft, uint32_t vpc_id, enum object_kind kind,
		     const struct object ***list);
/* An object with this name, defaults in it, in place of what was there. */
uint32_t draft_new_id(struct draft *draft);
struct draft_entry *draft_declare(struct draft *draft, uint32_t vpc_id, enum object_kind kind,
				  const char *name);
/* The same with an id that is known, for records. */
struct draft_entry *draft_declare_id(struct draft *draft, uint32_t vpc_id, enum object_kind kind,
				     const char *name, uint32_t id);
/* The draft's own version of an object that is there, to be changed. */
struct object *draft_edit(struct draft *draft, const struct object *object);
void draft_forget(struct draft *draft, const struct object *object);
void draft_clear_results(struct draft *draft); /* changes and records */
void draft_compare(struct draft *draft);       /* fills the changes, draft_change.c */
const struct vpc_object *draft_vpc(const struct draft *draft, uint32_t vpc_id);
/* " (did you mean "web"?)" among the names of a kind, or "". */
const char *draft_suggest(const struct draft *draft, uint32_t vpc_id, enum object_kind kind,
			  const char *name, char text[128]);
/* "port blue/web1"; for sentences. */
const char *draft_title(const struct draft *draft, const struct object *object, char text[160]);
/* Refuses something about an object: path with @key, sentence behind its title. */
int draft_refuse(const struct draft *draft, const struct object *object, const char *key, int code,
		 struct error *error, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* ---- draft_store.c, draft_load.c ---- */

#define STORE_PREFIX "/weft/1/"
/*
 * Where a draft goes on that has used its block up: it cannot be written, only counted. No object
 * has such an id.
 */
#define BEYOND_ID 0x7f000000U

#define NEXT_ID_KEY STORE_PREFIX "ids/next"
#define ADDRESS_PREFIX STORE_PREFIX "ipam/"
#define NAME_PREFIX STORE_PREFIX "name/"
#define SEGMENT_ID_PREFIX STORE_PREFIX "ids/vni/"
#define WIRE_PREFIX STORE_PREFIX "ids/wire/"

/* The record an object is in. The caller's to free(). */
char *object_key(const struct object *object);

/* News that are judged already: published as they are. */
void draft_publish_taken(struct draft *draft);

/* ---- outline.c ---- */

bool outline_kind(enum object_kind kind);
char *outline_key(const struct object *object);
/* Of a record's value; NULL if that is no JSON. */
char *outline_value(const char *record);

/* ---- mtu.c ---- */

/* The same as intent_vpc_mtu(), of a VPC as the draft has it; @subnet: the one that says least. */
uint32_t draft_vpc_mtu(const struct draft *draft, const struct vpc_object *vpc,
		       const struct subnet_object **subnet);

/* ---- check*.c ---- */

int check_vpc(struct draft *draft, const struct draft_entry *entry, struct error *error);
int check_subnet(struct draft *draft, const struct draft_entry *entry, struct error *error);
int check_tables_with(struct draft *draft, const struct subnet_object *before, struct error *error);
int check_group(struct draft *draft, const struct draft_entry *entry, struct error *error);
int check_acl(struct draft *draft, const struct acl_object *acl, struct error *error);
int check_port_rules(struct draft *draft, const struct port_object *port, struct error *error);
int check_present(struct draft *draft, const struct object *object, const char *key,
		  uint32_t target_id, struct error *error);
int check_unreferenced(const struct draft *draft, const struct object *object, struct error *error);
/* "dhcp" and "ra" of a subnet. */
int check_dhcp(struct draft *draft, const struct subnet_object *subnet, struct error *error);

int check_segment(struct draft *draft, const struct subnet_object *subnet, struct error *error);
int check_subnet_reach(struct draft *draft, const struct subnet_object *subnet,
		       struct error *error);
/* What a new or moved port's claim is; a port that has arrived is not about to move any more. */
void check_complete_move(struct draft_entry *entry);
int check_move(struct draft *draft, const struct port_object *port, struct error *error);
int check_host_of(struct draft *draft, const struct object *object, const char *host,
		  struct error *error);
int check_reach(struct draft *draft, const struct object *object, const char *key, uint32_t vpc_id,
		const struct host_object *host, struct error *error);
/*
 * Whether one host can route all of a VPC; and that what is added to such a VPC fits
 * (check_router.c).
 */
int check_routing(struct draft *draft, const struct vpc_object *vpc, struct error *error);
int check_routed_subnet(struct draft *draft, const struct subnet_object *subnet,
			struct error *error);
int check_routed_port(struct draft *draft, const struct port_object *port, struct error *error);
int check_routed_tunnel(struct draft *draft, const struct tunnel_object *tunnel,
			struct error *error);
/* A segment on a network outside: nobody else's, and all its hosts are on the network. */
int check_wire(struct draft *draft, const struct subnet_object *subnet, struct error *error);
/*
 * Whether a subnet, a port of it and a tunnel can be attached to an uplink the way that the subnet
 * says.
 */
int check_direct(struct draft *draft, const struct subnet_object *subnet, struct error *error);
int check_direct_port(struct draft *draft, const struct port_object *port, struct error *error);

/*
 * check_host_stack - of a port with attach.host: nothing is said of it that would not hold
 * (check_host_stack.c)
 */
int check_host_stack(const struct draft *draft, const struct port_object *port,
		     struct error *error);
/*
 * check_mirror - of a port or subnet: its copies get somewhere, as far as the intent can say
 * (check_host_stack.c)
 */
int check_mirror(const struct draft *draft, const struct object *object, struct error *error);
int check_direct_tunnel(struct draft *draft, const struct tunnel_object *tunnel,
			struct error *error);
/* Whether another port's device can carry this one. */
int check_parent(struct draft *draft, const struct port_object *port, struct error *error);
/* The same of the ports that are behind this one, which may have changed. */
int check_children(struct draft *draft, const struct port_object *port, struct error *error);
/* Whether the host of a port is on the network of its subnet. */
int check_adopted(struct draft *draft, const struct port_object *port, struct error *error);
int check_uplink_of(struct draft *draft, const struct port_object *port, struct error *error);
/* Whether each device leads to one network, and is no port's. */
int check_uplink_devices(struct draft *draft, const struct host_object *host, struct error *error);
/* Whether a host is on the networks of the subnets that it has ports in or routes for. */
int check_uplinks(struct draft *draft, const struct host_object *host, struct error *error);
/* Refuses to take away the host that a subnet names as its router. */
int check_router_removed(const struct draft *draft, const struct object *host, struct error *error);
int check_tunnel(struct draft *draft, const struct draft_entry *entry, struct error *error);
int check_tunnel_ends(struct draft *draft, const struct tunnel_object *tunnel, struct error *error);
int check_host(struct draft *draft, const struct draft_entry *entry, struct error *error);
int check_host_removed(const struct draft *draft, const struct object *host, struct error *error);
/* A segment that names no id keeps the one it had; without it gets a free one. */
void check_keep_segment(struct draft *draft, const struct draft_entry *entry);
int check_assign_segment(struct draft *draft, const struct draft_entry *entry, struct error *error);
/* Ports and tunnels that name no host get one as soon as there are hosts. */
void check_complete_hosts(struct draft *draft);
int check_routes(struct draft *draft, const struct route_table_object *table, struct error *error);
int check_port(struct draft *draft, struct draft_entry *entry, struct error *error);
int check_addresses(const struct draft *draft, const struct port_object *port, struct error *error);
void check_spaces_begin(struct draft *draft);
/*
 * Over all ports: what was given before is kept before anybody's claims are judged, so that naming
 * a running workload's address is refused; the others get theirs last.
 */
void check_keep(struct draft *draft, struct draft_entry *entry);
int check_assign(struct draft *draft, struct draft_entry *entry, struct error *error);
const struct subnet_ranges *check_ranges(struct draft *draft, uint32_t vpc_id);
void check_reset(struct draft *draft); /* forgets what the last check found */

/* ---- text_*.c ---- */

enum text_form {
	TEXT_EXPORT, /* only what differs from the defaults */
	TEXT_FULL,   /* all */
	TEXT_RECORD, /* all, with the ids */
};

/* Fills entry->after from JSON; @record: rules and routes carry ids. 0 or -EINVAL. */
int text_read(struct draft *draft, struct draft_entry *entry, struct json_reader *reader,
	      bool record);
int text_read_rules(struct draft *draft, struct draft_entry *entry, struct json_reader *reader,
		    bool record);
json_t *text_write(const struct intent *intent, const struct object *object, enum text_form form);
json_t *text_write_rules(const struct intent *intent, const struct object *object, bool ingress,
			 enum text_form form);
void text_rule(const struct intent *intent, const struct rule_object *rule, bool ingress,
	       struct buf *text);
void text_ports(const struct rule_object *rule, struct buf *text);

extern const char *const timeout_names[FLOW_TIMEOUTS];

/* Path of names, "vpcs.blue.ports.web1", of at most @size bytes. */
void object_path(const struct intent *intent, const struct object *object, char *path, size_t size);

#endif
