/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The resolver of a VPC as text: `dns: {serve: true, domain: blue.example}`, both ways.
 *
 * Names are kept in lower case, without the dot of the root at the end.
 *
 * Neighbours: text_read.c and text_write.c (the VPC), agent/dns_zone.c (who answers with it).
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "model/text_private.h"

#define LABEL_MAX 63

bool dns_name_is_valid(const char *name)
{
	size_t length = strlen(name), label = 0;

	if (length == 0 || length >= DNS_DOMAIN_SIZE)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (name[i] == '.') {
			if (label == 0 || name[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' &&
		    (name[i] != '-' || label == 0))
			return false;
		if (++label > LABEL_MAX)
			return false;
	}
	return label > 0 && name[length - 1] != '-';
}

bool dns_equal(const struct vpc_dns *a, const struct vpc_dns *b)
{
	return a->serve == b->serve && strcmp(a->domain, b->domain) == 0;
}

const char *vpc_domain(const struct vpc_object *vpc, char domain[DNS_DOMAIN_SIZE])
{
	if (vpc->dns.domain[0])
		snprintf(domain, DNS_DOMAIN_SIZE, "%s", vpc->dns.domain);
	else
		snprintf(domain, DNS_DOMAIN_SIZE, "%s.internal", vpc->object.name);
	return domain;
}

static void read_domain(struct reading *reading, struct vpc_dns *dns)
{
	char usual[NAME_SIZE + sizeof(".internal")];
	const char *text;
	size_t length;

	if (!json_reader_text(reading->reader, "domain", JSON_OPTIONAL, 400, &text))
		return;
	length = strlen(text);
	if (length && text[length - 1] == '.')
		length--;
	if (length >= DNS_DOMAIN_SIZE) {
		text_refuse(reading->draft, reading->reader, "domain",
			    "a domain has at most %d characters", DNS_DOMAIN_SIZE - 1);
		return;
	}
	for (size_t i = 0; i < length; i++)
		dns->domain[i] = (char)tolower((unsigned char)text[i]);
	dns->domain[length] = '\0';
	if (!dns_name_is_valid(dns->domain))
		text_refuse(reading->draft, reading->reader, "domain",
			    "domain \"%.64s\" is not a name such as blue.example", text);
	/* What it would be anyway is as if it were left out. */
	snprintf(usual, sizeof(usual), "%s.internal", reading->entry->after->name);
	if (strcmp(dns->domain, usual) == 0)
		dns->domain[0] = '\0';
}

void text_read_dns(struct reading *reading, struct vpc_dns *dns)
{
	struct reading inner = *reading;
	struct json_reader child;

	if (!json_reader_object(reading->reader, "dns", JSON_OPTIONAL, &child))
		return;
	inner.reader = &child;
	json_reader_bool(&child, "serve", JSON_OPTIONAL, &dns->serve);
	read_domain(&inner, dns);
	reading->reader->code = json_reader_finish(&child);
}

void text_write_dns(const struct writing *writing, const struct vpc_object *vpc)
{
	struct writing inner = { writing->intent, writing->form, json_object() };
	char domain[DNS_DOMAIN_SIZE];
	bool usual = vpc->dns.domain[0] == '\0';

	text_write_value(&inner, "serve", vpc->dns.serve, json_boolean(vpc->dns.serve));
	if (!usual || writing->form == TEXT_FULL)
		json_object_set_new(inner.json, "domain", json_string(vpc_domain(vpc, domain)));
	text_write_value(writing, "dns", json_object_size(inner.json) == 0, inner.json);
}
