/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the readers of objects (text_read.c, text_port.c, text_segment.c, text_host.c, text_rules.c)
 * share, and the writers (text_write.c, text_segment.c, text_host.c).
 */
#ifndef WEFT_MODEL_TEXT_PRIVATE_H
#define WEFT_MODEL_TEXT_PRIVATE_H

#include "model/intent_private.h"

/* One reading: what is filled, and whether the JSON is a record of the store. */
struct reading {
	struct draft *draft;
	struct draft_entry *entry;
	struct json_reader *reader;
	bool record;
};

/**
 * text_refuse - refuse with a sentence that needs no key in front
 *
 * The first refusal of a reader stays.
 *
 * Return: false.
 */
bool text_refuse(struct draft *draft, struct json_reader *reader, const char *key,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/**
 * text_resolve - the object a name under @key means
 *
 * Return: its id; 0 when there is none, which is then refused.
 */
uint32_t text_resolve(struct draft *draft, struct json_reader *reader, const char *key,
		      uint32_t vpc_id, enum object_kind kind, const char *name);

/* The key under attach that names a device of the host ("tap", "bridge", …); NULL: not that kind. */
const char *text_attach_device(const struct attach *attach);

/** text_read_number - a whole number into a field that may be left out */
void text_read_number(struct json_reader *reader, const char *key, int64_t minimum, int64_t maximum,
		      uint32_t *number);

/**
 * text_read_texts - the texts under @key: a list, or a single one where @single allows
 * @texts: room for @count_max; borrowed from the document
 * @present: whether the key is there, which tells an empty list from none
 *
 * Return: how many; 0 when the key is absent or wrong.
 */
size_t text_read_texts(struct reading *reading, const char *key, enum json_presence presence,
		       bool single, const char **texts, size_t count_max, bool *present);

/** text_parse_address - an address out of the text under @key. Return: whether it is one */
bool text_parse_address(struct reading *reading, const char *key, const char *text,
			struct ip_address *address);

/** text_parse_range - a range out of the text under @key, its host bits cleared (V15) */
bool text_parse_range(struct reading *reading, const char *key, const char *text,
		      struct ip_prefix *range);

/** text_read_port - fill the port of @reading */
void text_read_port(struct reading *reading);
/* text_read_mirror - "mirror" of a port or subnet into *@kept, which is freed (text_mirror.c) */
void text_read_mirror(struct reading *reading, struct port_mirror_to **kept);
json_t *text_mirror(const struct port_mirror_to *mirror);
/* text_rate.c */
void text_read_rates(struct reading *reading, struct port_object *port);
void text_read_device_rates(struct reading *reading, struct host_object *host);
/* text_read_flow_log - "flow_log" of a VPC, subnet or port into *@kept, which is freed (text_flow_log.c) */
void text_read_flow_log(struct reading *reading, struct flow_log **kept);

/** text_read_host_name - the name of a host under @key into @host, which has room for NAME_SIZE */
void text_read_host_name(struct reading *reading, const char *key, char *host);

/**
 * text_read_groups - the names of security groups
 * @ids: room for PORT_GROUPS_MAX; ascending
 * @present: whether the key is there
 *
 * Return: how many.
 */
size_t text_read_groups(struct reading *reading, uint32_t *ids, bool *present);

/** text_read_segment - the segment of the subnet of @reading */
void text_read_segment(struct reading *reading, struct segment *segment);

/** text_read_dns - the resolver of the VPC of @reading */
void text_read_dns(struct reading *reading, struct vpc_dns *dns);
/** text_read_dhcp, text_read_ra - "dhcp" and "ra" of the subnet of @reading */
void text_read_dhcp(struct reading *reading, struct subnet_object *subnet);
void text_read_ra(struct reading *reading, struct subnet_object *subnet);

/** text_read_encapsulation - a word for a kind of encapsulation into @kind */
void text_read_encapsulation(struct reading *reading, const char *key, enum json_presence presence,
			     uint8_t *kind);

/** text_read_outer - what segments and tunnels say of the outer header: ttl, dscp, port */
void text_read_outer(struct reading *reading, uint8_t *ttl, uint8_t *dscp, bool *copy_dscp,
		     uint16_t *port);

/** text_read_tunnel - fill the tunnel of @reading */
void text_read_tunnel(struct reading *reading);

/** text_read_host - fill the host of @reading */
void text_read_host(struct reading *reading);

/** text_read_given_mac - a MAC that was given out; only records have one */
void text_read_given_mac(struct reading *reading, const char *key, struct mac_address *mac);

/* ---- writing ---- */

/* What is written, and how. */
struct writing {
	const struct intent *intent;
	enum text_form form;
	json_t *json;
};

/** text_write_value - one key; left out of an export where it @is_default. Takes @value over. */
void text_write_value(const struct writing *writing, const char *key, bool is_default,
		      json_t *value);

/** text_write_given_mac - the same, into records; nothing where none was given out */
void text_write_given_mac(const struct writing *writing, const char *key,
			  const struct mac_address *mac);

/** text_write_rates - rates, share and DSCP of a port (text_rate.c) */
void text_write_rates(const struct writing *writing, const struct port_object *port);
/** text_write_device_rates - what devices of a host carry (text_rate.c) */
void text_write_device_rates(const struct writing *writing, const struct host_object *host);

/** text_write_flow_log - @log NULL: there is none */
void text_write_flow_log(const struct writing *writing, const struct flow_log *log);

/** text_write_number - a number; left out of an export where it is @usual */
void text_write_number(const struct writing *writing, const char *key, uint32_t value,
		       uint32_t usual);

json_t *text_name(const struct writing *writing, uint32_t id);
json_t *text_prefix(const struct ip_prefix *prefix);
json_t *text_address(const struct ip_address *address);

/** text_one_or_list - a list of one as that one. Takes @list over. */
json_t *text_one_or_list(json_t *list);

/** text_write_outer - the way back of text_read_outer() */
void text_write_outer(const struct writing *writing, uint8_t ttl, uint8_t dscp, bool copy_dscp,
		      uint16_t port);

void text_write_dns(const struct writing *writing, const struct vpc_object *vpc);
void text_write_dhcp(const struct writing *writing, const struct subnet_object *subnet);
void text_write_segment(const struct writing *writing, const struct segment *segment);
void text_write_tunnel(const struct writing *writing, const struct tunnel_object *tunnel);
void text_write_host(const struct writing *writing, const struct host_object *host);

#endif
