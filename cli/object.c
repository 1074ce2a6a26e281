/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all kinds of objects have in common: a name, a body of options, a line in a list.
 *
 * Neighbours: the nouns (their tables), client/client.c (the calls).
 */
#include "cli/object.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/table.h"
#include "client/yaml.h"

#define EDIT_ATTEMPTS 5

/* VPCs and hosts are in nothing else. */
static bool is_at_top(const struct noun *noun)
{
	return strcmp(noun->kind, "vpcs") == 0 || strcmp(noun->kind, "hosts") == 0;
}

int object_name_parse(struct invocation *invocation, const struct noun *noun, const char *text,
		      struct object_name *name)
{
	char vpc[ERROR_NAME_SIZE], shown[ERROR_NAME_SIZE];
	bool is_top = is_at_top(noun);
	char *slash;

	memset(name, 0, sizeof(*name));
	name->text = xstrdup(text);
	slash = strchr(name->text, '/');
	if (is_top ? slash || !*text
		   : !slash || slash == name->text || !slash[1] || strchr(slash + 1, '/')) {
		object_name_fini(name);
		if (is_top)
			return report_usage(invocation, "\"%s\" is not the name of a %s", text,
					    noun->word);
		return report_usage(invocation, "\"%s\" is not VPC/NAME, such as blue/%s", text,
				    *text && !strchr(text, '/') ? text : "web");
	}
	name->steps[0] = is_top ? noun->kind : "vpcs";
	name->steps[1] = name->text;
	name->step_count = 2;
	if (slash) {
		*slash = '\0';
		name->steps[2] = noun->kind;
		name->steps[3] = slash + 1;
		name->step_count = 4;
		name->about = xasprintf("%s %s/%s", noun->word, error_name(name->text, vpc),
					error_name(slash + 1, shown));
	} else {
		name->about = xasprintf("%s %s", noun->word, error_name(name->text, shown));
	}
	return 0;
}

void object_name_fini(struct object_name *name)
{
	free(name->text);
	free(name->about);
	memset(name, 0, sizeof(*name));
}

/* @object with its name as the first key: what --json shows. */
static json_t *named(const char *name, const json_t *object)
{
	json_t *whole = json_pack("{s:s}", "name", name);

	json_object_update(whole, (json_t *)object);
	return whole;
}

/* A port that does not forward yet: why, for a name that was misspelt waits for ever. */
static void append_reason(struct buf *text, const json_t *stored)
{
	const json_t *status = json_object_get(stored, "status");
	const char *state = json_string_value(json_object_get(status, "state"));
	const char *reason = json_string_value(json_object_get(status, "reason"));

	if (state && reason && strcmp(state, "plugged") != 0)
		buf_printf(text, " (%s: %s)", state, reason);
}

static int finish_write(struct invocation *invocation, const struct object_name *name,
			const json_t *stored, const char *done)
{
	const json_t *addresses = json_object_get(stored, "addresses");
	struct buf text = { 0 };
	json_t *whole;
	int status;

	if (invocation->json) {
		whole = named(invocation->arguments[0], stored);
		status = report_json(invocation, whole);
		json_decref(whole);
		return status;
	}
	buf_printf(&text, "%s %s", name->about, done);
	if (json_array_size(addresses) > 0) {
		buf_append_text(&text, ": ");
		object_append_value(&text, addresses);
	}
	append_reason(&text, stored);
	report_line(invocation, "%s", buf_text(&text));
	buf_fini(&text);
	return EXIT_DONE;
}

/* Without a target there is no mirror, whatever else is said of it. */
static void end_mirror(json_t *body)
{
	if (json_is_null(json_object_get(json_object_get(body, "mirror"), "to")))
		json_object_set_new(body, "mirror", json_null());
}

int object_add_as(struct invocation *invocation, json_t *body)
{
	struct object_name name;
	struct error error = { 0 };
	json_t *stored = NULL;
	int status;

	end_mirror(body);
	status = object_name_parse(invocation, invocation->noun, invocation->arguments[0], &name);
	if (status) {
		json_decref(body);
		return status;
	}
	if (client_put(invocation_client(invocation), name.steps, name.step_count,
		       CLIENT_PUT_CREATE, body, &stored, &error) < 0)
		status = report_refusal(invocation, name.about, &error);
	else
		status = finish_write(invocation, &name, stored, "added");
	json_decref(stored);
	json_decref(body);
	object_name_fini(&name);
	return status;
}

int object_add(struct invocation *invocation)
{
	return object_add_as(invocation, invocation_object(invocation));
}

int object_set_as(struct invocation *invocation, json_t *changes)
{
	struct object_name name;
	struct error error = { 0 };
	json_t *stored = NULL;
	int status;

	if (json_object_size(changes) == 0) {
		json_decref(changes);
		return report_usage(invocation, "nothing to set: name at least one option");
	}
	end_mirror(changes);
	status = object_name_parse(invocation, invocation->noun, invocation->arguments[0], &name);
	if (status) {
		json_decref(changes);
		return status;
	}
	if (client_patch(invocation_client(invocation), name.steps, name.step_count, changes, NULL,
			 &stored, &error) < 0)
		status = report_refusal(invocation, name.about, &error);
	else
		status = finish_write(invocation, &name, stored, "changed");
	json_decref(stored);
	json_decref(changes);
	object_name_fini(&name);
	return status;
}

void object_set_dscp(const struct invocation *invocation, json_t *body, const char *key)
{
	const char *text = invocation_text(invocation, "dscp"), *dot = strchr(key, '.');
	long long number;
	json_t *value;

	if (!text)
		return;
	value = parse_number(text, 255, &number) ? json_integer(number) : json_string(text);
	if (dot) {
		char level[64];

		snprintf(level, sizeof(level), "%.*s", (int)(dot - key), key);
		if (!json_object_get(body, level))
			json_object_set_new(body, level, json_object());
		body = json_object_get(body, level);
		key = dot + 1;
	}
	json_object_set_new(body, key, value);
}

int object_set(struct invocation *invocation)
{
	return object_set_as(invocation, invocation_object(invocation));
}

/* What is not set needs no line for a person. */
static void drop_nulls(json_t *object)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, key, value)
	{
		if (json_is_null(value))
			json_object_del(object, key);
		else if (json_is_object(value))
			drop_nulls(value);
	}
}

int object_show(struct invocation *invocation)
{
	struct object_name name;
	struct error error = { 0 };
	json_t *object = NULL, *whole;
	struct buf text = { 0 };
	int status;

	status = object_name_parse(invocation, invocation->noun, invocation->arguments[0], &name);
	if (status)
		return status;
	if (client_get(invocation_client(invocation), name.steps, name.step_count, &object, NULL,
		       &error) < 0) {
		status = report_refusal(invocation, name.about, &error);
	} else {
		whole = named(invocation->arguments[0], object);
		if (invocation->json) {
			status = report_json(invocation, whole);
		} else {
			drop_nulls(whole);
			yaml_emit(&text, whole, 1);
			fputs(buf_text(&text), invocation->out);
		}
		json_decref(whole);
	}
	json_decref(object);
	buf_fini(&text);
	object_name_fini(&name);
	return status;
}

static void print_changes(struct invocation *invocation, const json_t *changes)
{
	json_t *change;
	size_t index;

	json_array_foreach(changes, index, change) {
		report_line(invocation, "%s", json_string_value(json_object_get(change, "text")));
	}
}

int object_remove(struct invocation *invocation)
{
	struct object_name name;
	struct error error = { 0 };
	json_t *applied = NULL;
	int status;

	status = object_name_parse(invocation, invocation->noun, invocation->arguments[0], &name);
	if (status)
		return status;
	if (client_remove(invocation_client(invocation), name.steps, name.step_count, &applied,
			  &error) < 0)
		status = report_refusal(invocation, name.about, &error);
	else if (invocation->json)
		status = report_json(invocation, applied);
	else
		print_changes(invocation, json_object_get(applied, "changes"));
	json_decref(applied);
	object_name_fini(&name);
	return status;
}

const json_t *object_key(const json_t *object, const char *key)
{
	char step[64];
	size_t length;

	while (object && *key) {
		length = strcspn(key, ".");
		snprintf(step, sizeof(step), "%.*s", (int)length, key);
		object = json_object_get(object, step);
		key += length + (key[length] == '.');
	}
	return object;
}

void object_append_value(struct buf *text, const json_t *value)
{
	const char *between = "";
	json_t *element;
	size_t index;

	if (json_is_string(value))
		buf_append_text(text, json_string_value(value));
	else if (json_is_integer(value))
		buf_printf(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		buf_append_text(text, json_is_true(value) ? "on" : "off");
	else if (json_is_array(value))
		json_array_foreach(value, index, element) {
			buf_append_text(text, between);
			object_append_value(text, element);
			between = ",";
		}
}

/* Names of all VPCs, or of the one of --vpc, as an array; NULL after a failure. */
static json_t *list_vpcs(struct invocation *invocation, int *status)
{
	static const char *const steps[] = { "vpcs" };
	const char *chosen = invocation_text(invocation, "vpc"), *name;
	json_t *vpcs = NULL, *names, *vpc;
	struct error error = { 0 };

	if (chosen)
		return json_pack("[s]", chosen);
	if (client_get(invocation_client(invocation), steps, 1, &vpcs, NULL, &error) < 0) {
		*status = report_failure(invocation, &error);
		return NULL;
	}
	names = json_array();
	json_object_foreach(vpcs, name, vpc) {
		json_array_append_new(names, json_string(name));
	}
	json_decref(vpcs);
	return names;
}

/* One object by its name, as an array; NULL after a failure. */
static json_t *collect_one(struct invocation *invocation, const struct noun *noun, const char *text,
			   int *status)
{
	struct object_name name;
	struct error error = { 0 };
	json_t *object, *all = NULL;

	*status = object_name_parse(invocation, noun, text, &name);
	if (*status)
		return NULL;
	if (client_get(invocation_client(invocation), name.steps, name.step_count, &object, NULL,
		       &error) < 0) {
		*status = report_refusal(invocation, name.about, &error);
	} else {
		all = json_array();
		json_array_append_new(all, named(text, object));
		json_decref(object);
	}
	object_name_fini(&name);
	return all;
}

json_t *object_collect(struct invocation *invocation, const struct noun *noun, const char *text,
		       int *status)
{
	const char *steps[] = { is_at_top(noun) ? noun->kind : "vpcs", NULL, noun->kind };
	bool is_top = is_at_top(noun);
	json_t *vpcs, *all, *found, *object, *vpc;
	struct error error = { 0 };
	const char *name;
	char *whole;
	size_t index;

	if (text)
		return collect_one(invocation, noun, text, status);
	vpcs = is_top ? json_pack("[s]", "") : list_vpcs(invocation, status);
	if (!vpcs)
		return NULL;
	all = json_array();
	json_array_foreach(vpcs, index, vpc) {
		steps[1] = json_string_value(vpc);
		if (client_get(invocation_client(invocation), steps, is_top ? 1 : 3, &found, NULL,
			       &error) < 0) {
			*status = report_refusal(invocation, NULL, &error);
			json_decref(all);
			json_decref(vpcs);
			return NULL;
		}
		json_object_foreach(found, name, object) {
			whole = is_top ? xstrdup(name) : xasprintf("%s/%s", steps[1], name);
			json_array_append_new(all, named(whole, object));
			free(whole);
		}
		json_decref(found);
	}
	json_decref(vpcs);
	return all;
}

static void print_list(struct invocation *invocation, const json_t *all,
		       const struct column *columns)
{
	const char *titles[TABLE_COLUMNS_MAX] = { "NAME" };
	struct buf text = { 0 };
	struct table table;
	json_t *object;
	size_t index, i;

	for (i = 0; columns[i].title; i++)
		titles[i + 1] = columns[i].title;
	table_init(&table, titles);
	json_array_foreach(all, index, object) {
		table_cell(&table, json_string_value(json_object_get(object, "name")));
		for (i = 0; columns[i].title; i++) {
			buf_reset(&text);
			if (columns[i].render)
				columns[i].render(object, &text);
			else
				object_append_value(&text, object_key(object, columns[i].key));
			table_cell(&table, buf_text(&text));
		}
	}
	table_print(&table, invocation->out, 0);
	table_fini(&table);
	buf_fini(&text);
}

static void print_names(struct invocation *invocation, const json_t *all)
{
	json_t *object;
	size_t index;

	json_array_foreach(all, index, object) {
		fprintf(invocation->out, "%s\n",
			json_string_value(json_object_get(object, "name")));
	}
}

int object_list_columns(struct invocation *invocation, const struct column *columns)
{
	int status = EXIT_DONE;
	json_t *all;

	all = object_collect(invocation, invocation->noun, NULL, &status);
	if (!all)
		return status;
	if (invocation->json)
		status = report_json(invocation, all);
	else if (invocation->quiet)
		print_names(invocation, all);
	else
		print_list(invocation, all, columns);
	json_decref(all);
	return status;
}

int object_edit(struct invocation *invocation, const struct object_name *name,
		int (*edit)(struct invocation *invocation, const json_t *object, json_t *changes,
			    void *context),
		void *context)
{
	struct client *client = invocation_client(invocation);
	char tag[CLIENT_TAG_SIZE];
	struct error error = { 0 };
	json_t *object, *changes, *stored;
	int status, code = -ESTALE;

	for (int attempt = 0; attempt < EDIT_ATTEMPTS && code == -ESTALE; attempt++) {
		error_clear(&error);
		code = client_get(client, name->steps, name->step_count, &object, tag, &error);
		if (code < 0)
			break;
		changes = json_object();
		status = edit(invocation, object, changes, context);
		json_decref(object);
		if (status) {
			json_decref(changes);
			return status;
		}
		stored = NULL;
		code = client_patch(client, name->steps, name->step_count, changes, tag, &stored,
				    &error);
		if (code == 0 && invocation->json)
			status = report_json(invocation, stored);
		json_decref(stored);
		json_decref(changes);
		if (code == 0)
			return status;
	}
	return report_refusal(invocation, name->about, &error);
}
