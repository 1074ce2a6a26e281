/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ids of the datapath's tables as JSON that people can read.
 *
 * Rows, drops and traces carry ids. An id may outlive its object (a drop of a minute ago, a
 * connection of a port that was just removed); it is then shown as a number, never left out.
 */
#ifndef WEFT_AGENT_NAMES_H
#define WEFT_AGENT_NAMES_H

#include <jansson.h>

#include "core/tables.h"
#include "core/verdict.h"
#include "model/draft.h"
#include "model/plan.h"

/* A name as users write it: "blue" or "blue/web1", with its NUL. */
#define PATH_NAME_SIZE (2 * NAME_SIZE)

/** names_path - "blue" for a VPC, "blue/web1" for what is in one. Return: @text. */
const char *names_path(const struct intent *intent, const struct object *object,
		       char text[PATH_NAME_SIZE]);

/** names_know_peers - where the numbers of peers are known; NULL: nowhere any more */
void names_know_peers(const struct planner *planner);

/** names_object - what intent_describe() says, null for id 0. Return: new reference. */
json_t *names_object(const struct intent *intent, uint32_t id);

/** names_port - "blue/web1", null for id 0. Also for VPCs. Return: new reference. */
json_t *names_port(const struct intent *intent, uint32_t id);

/**
 * names_changes - what a draft changes: an array of {"action", "kind", "name", "text"}
 *
 * Works before and after the commit, also for what is in a VPC that comes or goes. Return: new
 * reference.
 */
json_t *names_changes(const struct intent *intent, const struct change *changes, size_t count);

/**
 * names_all - the objects of one kind in all VPCs, by VPC and name
 * @list: an array the caller frees; the objects are borrowed
 *
 * Return: how many.
 */
size_t names_all(const struct intent *intent, enum object_kind kind, const struct object ***list);

/** names_find - Return: what of a VPC is called "blue/web1", NULL if there is none */
const struct object *names_find(const struct intent *intent, enum object_kind kind,
				const char *path);

/** names_address - text of a table's address. Return: new reference. */
json_t *names_address(const struct address *address);

/** names_protocol - "tcp", "udp", "icmp", "icmpv6", or the number as text. Return: new reference. */
json_t *names_protocol(uint8_t protocol);

/**
 * names_add_transport - what is behind the addresses of a packet: ports, or type and code of ICMP
 * @document: gets source_port and destination_port, or type and code, or nothing
 * @source_port, @destination_port: network order; of ICMP the second is type and code
 */
void names_add_transport(json_t *document, uint8_t protocol, uint16_t source_port,
			 uint16_t destination_port);

/** names_lower - an upper-case name of an X-list in lower case. Return: @text. */
const char *names_lower(const char *name, char *text, size_t size);

/*
 * Of core/verdict.h: the reason in lower case ("group_ingress"), the sentence, whether it is a
 * drop.
 */
const char *names_verdict(enum verdict verdict);
const char *names_verdict_sentence(enum verdict verdict);
bool names_verdict_is_drop(enum verdict verdict);
const char *names_stage(enum stage stage);
enum stage names_note_stage(enum note note);
const char *names_note_sentence(enum note note);

#endif
