/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the readers of objects (text_read.c, text_port.c, text_rules.c) share.
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

/** text_read_port - fill the port of @reading */
void text_read_port(struct reading *reading);

#endif
