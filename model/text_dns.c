/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The resolver of a VPC as text: `dns: {serve: true, domain: blue.example}`, both ways.
 *
 * Names are kept in lower case, without the dot of the root at the end.
 *
 * Neighbours: text_read.c and text_write.c (the VPC), agent/services/dns_zone.c (who answers with it).
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "model/text_private.h"

#define LABEL_MAX 63
#define RECORDS_OF_NAME_MAX 64

bool dns_name_is_valid(const char *name)
{
	size_t length = strlen(name), label = 0;

	if (length == 0 || length >= DNS_DOMAIN_SIZE)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (name[i] == '.') {
			if (i == 0 || label == 0 || name[i - 1] == '-')
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

/* ---- records ---- */

static bool record_equal(const struct dns_record *a, const struct dns_record *b)
{
	return a->kind == b->kind && strcmp(a->name, b->name) == 0 &&
	       (a->kind == DNS_RECORD_ADDRESS ? ip_address_equal(&a->address, &b->address)
					      : strcmp(a->text, b->text) == 0);
}

bool dns_equal(const struct vpc_dns *a, const struct vpc_dns *b)
{
	if (a->serve != b->serve || strcmp(a->domain, b->domain) != 0 || a->forward != b->forward ||
	    a->forwarder_count != b->forwarder_count || a->record_count != b->record_count)
		return false;
	for (size_t i = 0; i < a->forwarder_count; i++)
		if (!ip_address_equal(&a->forwarders[i], &b->forwarders[i]))
			return false;
	for (size_t i = 0; i < a->record_count; i++)
		if (!record_equal(&a->records[i], &b->records[i]))
			return false;
	return true;
}

void dns_copy_records(struct vpc_dns *dns)
{
	if (dns->record_count == 0) {
		dns->records = NULL;
		return;
	}
	dns->records = xmemdup(dns->records, dns->record_count * sizeof(*dns->records));
	for (size_t i = 0; i < dns->record_count; i++) {
		struct dns_record *record = &dns->records[i];

		record->name = xstrdup(record->name);
		record->text = record->text ? xstrdup(record->text) : NULL;
	}
}

void dns_free_records(struct vpc_dns *dns)
{
	for (size_t i = 0; i < dns->record_count; i++) {
		free(dns->records[i].name);
		free(dns->records[i].text);
	}
	free(dns->records);
	dns->records = NULL;
	dns->record_count = 0;
}

size_t dns_records_find(const struct vpc_dns *dns, const char *name,
			const struct dns_record **first)
{
	size_t low = 0, high = dns->record_count, count = 0;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(dns->records[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*first = &dns->records[low];
	while (low + count < dns->record_count && strcmp(dns->records[low + count].name, name) == 0)
		count++;
	return count;
}

size_t dns_text_bound(const struct vpc_dns *dns)
{
	size_t size = 0;

	/* "name": ["txt:…"], each character of a text at most two */
	for (size_t i = 0; i < dns->record_count; i++)
		size += strlen(dns->records[i].name) + 60 +
			(dns->records[i].text ? 2 * strlen(dns->records[i].text) : 0);
	return size;
}

/* ---- reading ---- */

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

/* Who is asked: off, host or a list of addresses. */
static void read_forward(struct reading *reading, struct vpc_dns *dns)
{
	const char *texts[DNS_FORWARDERS_MAX];
	bool present;
	size_t count = text_read_texts(reading, "forward", JSON_OPTIONAL, true, texts,
				       DNS_FORWARDERS_MAX, &present);

	if (count == 1 && (strcmp(texts[0], "off") == 0 || strcmp(texts[0], "host") == 0)) {
		dns->forward = texts[0][0] == 'h' ? DNS_FORWARD_HOST : DNS_FORWARD_OFF;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (ip_address_parse(texts[i], &dns->forwarders[i]) ||
		    ip_address_is_multicast(&dns->forwarders[i]) ||
		    ip_address_is_unspecified(&dns->forwarders[i])) {
			text_refuse(reading->draft, reading->reader, "forward",
				    "forward is off, host or a list of addresses of resolvers, not "
				    "\"%.64s\"",
				    texts[i]);
			return;
		}
	}
	dns->forwarder_count = count;
	dns->forward = count ? DNS_FORWARD_TO : DNS_FORWARD_OFF;
}

/* A name in lower case; relative to the domain where there is no dot at the end. */
static bool parse_record_name(const char *text, bool whole, char name[DNS_DOMAIN_SIZE])
{
	size_t length = strlen(text);

	if (length == 0 || length >= DNS_DOMAIN_SIZE)
		return false;
	for (size_t i = 0; i <= length; i++)
		name[i] = (char)tolower((unsigned char)text[i]);
	if (strcmp(name, "@") == 0)
		return true;
	if (whole && name[length - 1] == '.') {
		bool valid;

		name[length - 1] = '\0';
		valid = dns_name_is_valid(name);
		name[length - 1] = '.';
		return valid;
	}
	return dns_name_is_valid(name);
}

static bool is_plain_text(const char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			return false;
	return true;
}

/* "10.0.2.20", "cname:NAME" or "txt:TEXT". Return: false after a refusal. */
static bool read_value(struct reading *reading, const char *name, const char *text,
		       struct dns_record *record)
{
	char target[DNS_DOMAIN_SIZE] = "";

	if (strncmp(text, "cname:", 6) == 0) {
		if (!parse_record_name(text + 6, false, target))
			return text_refuse(reading->draft, reading->reader, name,
					   "\"%.64s\" is not a name in the domain of the vpc",
					   text + 6);
		record->kind = DNS_RECORD_ALIAS;
		record->text = xstrdup(target);
	} else if (strncmp(text, "txt:", 4) == 0) {
		if (strlen(text + 4) > DNS_TEXT_MAX || !is_plain_text(text + 4))
			return text_refuse(reading->draft, reading->reader, name,
					   "a text record has at most %d characters of ASCII",
					   DNS_TEXT_MAX);
		record->kind = DNS_RECORD_TEXT;
		record->text = xstrdup(text + 4);
	} else if (ip_address_parse(text, &record->address)) {
		return text_refuse(reading->draft, reading->reader, name,
				   "a record is an address, cname:NAME or txt:TEXT, not \"%.64s\"",
				   text);
	}
	record->name = xstrdup(name);
	return true;
}

/* All records of one name. Return: false after a refusal. */
static bool read_records_of(struct reading *reading, const char *key, struct vpc_dns *dns)
{
	const char *texts[RECORDS_OF_NAME_MAX];
	char name[DNS_DOMAIN_SIZE] = "";
	bool present;
	size_t count;

	if (!parse_record_name(key, true, name))
		return text_refuse(
			reading->draft, reading->reader, key,
			"\"%.64s\" is neither a name in the domain, nor a whole name with a "
			"dot at its end, nor @",
			key);
	count = text_read_texts(reading, key, JSON_REQUIRED, true, texts, RECORDS_OF_NAME_MAX,
				&present);
	if (dns->record_count + count > DNS_RECORDS_MAX)
		return text_refuse(reading->draft, reading->reader, key,
				   "a vpc has at most %d records", DNS_RECORDS_MAX);
	dns->records =
		xreallocarray(dns->records, dns->record_count + count + 1, sizeof(*dns->records));
	for (size_t i = 0; i < count; i++) {
		struct dns_record *record = &dns->records[dns->record_count];

		memset(record, 0, sizeof(*record));
		if (!read_value(reading, name, texts[i], record)) {
			free(record->text);
			return false;
		}
		dns->record_count++;
		if (count > 1 && record->kind == DNS_RECORD_ALIAS)
			return text_refuse(reading->draft, reading->reader, key,
					   "a name with cname: has no other record");
	}
	return true;
}

static int compare_names(const void *a, const void *b)
{
	const char *left = *(const char *const *)a, *right = *(const char *const *)b;
	int order = strcasecmp(left, right);

	return order ? order : strcmp(left, right);
}

/* By name in lower case, whatever the order they came in. */
static void read_records(struct reading *reading, struct vpc_dns *dns)
{
	json_t *names, *value;
	char path[sizeof(reading->reader->path) + sizeof(".records")];
	const char **keys, *key;
	size_t count = 0;

	if (!json_reader_names(reading->reader, "records", JSON_OPTIONAL, &names))
		return;
	snprintf(path, sizeof(path), "%s.records", reading->reader->path);
	keys = xcalloc(json_object_size(names) + 1, sizeof(*keys));
	json_object_foreach(names, key, value)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), compare_names);
	dns_free_records(dns);
	for (size_t i = 0; i < count; i++) {
		struct reading inner = *reading;
		struct json_reader child;
		json_t *one = json_pack("{s:O}", keys[i], json_object_get(names, keys[i]));
		size_t before = dns->record_count;
		bool good;

		json_reader_init(&child, one, path, reading->reader->error);
		inner.reader = &child;
		good = read_records_of(&inner, keys[i], dns);
		if (good && before && dns->record_count > before &&
		    strcmp(dns->records[before - 1].name, dns->records[before].name) >= 0)
			good = text_refuse(reading->draft, &child, keys[i],
					   "the name stands twice, in another case");
		reading->reader->code = json_reader_finish(&child);
		json_decref(one);
		if (!good || reading->reader->code)
			break;
	}
	free(keys);
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
	read_forward(&inner, dns);
	read_records(&inner, dns);
	reading->reader->code = json_reader_finish(&child);
}

/* ---- writing ---- */

static json_t *value_json(const struct dns_record *record)
{
	if (record->kind == DNS_RECORD_ADDRESS)
		return text_address(&record->address);
	return json_sprintf("%s:%s", record->kind == DNS_RECORD_ALIAS ? "cname" : "txt",
			    record->text);
}

static json_t *records_json(const struct vpc_dns *dns)
{
	json_t *names = json_object();

	for (size_t i = 0; i < dns->record_count;) {
		const struct dns_record *first;
		size_t count = dns_records_find(dns, dns->records[i].name, &first);
		json_t *values = json_array();

		for (size_t j = 0; j < count; j++)
			json_array_append_new(values, value_json(&first[j]));
		json_object_set_new(names, first->name, text_one_or_list(values));
		i += count;
	}
	return names;
}

static json_t *forward_json(const struct vpc_dns *dns)
{
	json_t *list;

	if (dns->forward != DNS_FORWARD_TO)
		return json_string(dns->forward == DNS_FORWARD_HOST ? "host" : "off");
	list = json_array();
	for (size_t i = 0; i < dns->forwarder_count; i++)
		json_array_append_new(list, text_address(&dns->forwarders[i]));
	return list;
}

void text_write_dns(const struct writing *writing, const struct vpc_object *vpc)
{
	struct writing inner = { writing->intent, writing->form, json_object() };
	char domain[DNS_DOMAIN_SIZE];

	text_write_value(&inner, "serve", vpc->dns.serve, json_boolean(vpc->dns.serve));
	if (vpc->dns.domain[0] || writing->form == TEXT_FULL)
		json_object_set_new(inner.json, "domain", json_string(vpc_domain(vpc, domain)));
	text_write_value(&inner, "forward", vpc->dns.forward == DNS_FORWARD_OFF,
			 forward_json(&vpc->dns));
	text_write_value(&inner, "records", vpc->dns.record_count == 0, records_json(&vpc->dns));
	text_write_value(writing, "dns",
			 json_object_size(inner.json) == 0 && writing->form == TEXT_EXPORT,
			 inner.json);
}
