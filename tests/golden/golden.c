/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Golden files of the model: tests/golden/model/NAME.json is applied to an empty intent, and NAME.export
 * is what the export then is, byte by byte, followed by the lines of the changes. The export is applied
 * again, which must change nothing.
 *
 *	build/test/tests/golden/golden --write		writes the files anew, to be looked at and committed
 */
#include <dirent.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "model/draft.h"
#include "tests/unit/unit.h"

#define DIRECTORY "tests/golden/model"

static bool write_anew;

static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	struct buf text = { 0 };
	char chunk[4096];

	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	for (size_t count; (count = fread(chunk, 1, sizeof(chunk), file)) > 0;)
		buf_append(&text, chunk, count);
	fclose(file);
	return buf_steal(&text, size);
}

/* Applies @tree and appends a line for each change. */
static void apply(struct intent *intent, const json_t *tree, struct buf *lines)
{
	struct draft *draft = draft_new(intent);
	struct error error = { 0 };
	size_t count;

	if (draft_apply_tree(draft, tree, true, &error) || draft_check(draft, &error))
		fail_msg("%s: %s", error.path, error.text);
	for (const struct change *change = draft_changes(draft, &count); count > 0;
	     change++, count--) {
		char *line = change_text(intent, change);

		buf_printf(lines, "%s\n", line);
		free(line);
	}
	draft_commit(draft, 1);
	draft_free(draft);
}

/* What the golden file of @name is to hold. */
static char *produce(const char *name)
{
	struct intent *intent = intent_new();
	struct buf text = { 0 }, lines = { 0 }, again = { 0 };
	struct error error = { 0 };
	json_t *tree = NULL, *export;
	char *path = xasprintf(DIRECTORY "/%s", name), *dump;
	size_t size;
	char *input = read_file(path, &size);

	if (json_load_text(input, size, 1 << 20, &tree, &error))
		fail_msg("%s: %s", path, error.text);
	apply(intent, tree, &lines);
	export = intent_export(intent);
	apply(intent, export, &again);
	assert_string_equal(buf_text(&again), "");
	dump = json_dumps(export, JSON_INDENT(2));
	buf_printf(&text, "%s\n%s", dump, buf_text(&lines));
	free(dump);
	free(input);
	free(path);
	json_decref(export);
	json_decref(tree);
	buf_fini(&lines);
	buf_fini(&again);
	intent_free(intent);
	return buf_steal(&text, NULL);
}

static void check_file(const char *name)
{
	char *path = xasprintf(DIRECTORY "/%.*s.export", (int)(strlen(name) - 5), name);
	char *produced = produce(name), *expected;

	print_message("%s\n", name);
	if (write_anew) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs(produced, file);
		assert_int_equal(fclose(file), 0);
	} else {
		expected = read_file(path, NULL);
		assert_string_equal(produced, expected);
		free(expected);
	}
	free(produced);
	free(path);
}

static int is_json(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

static void test_golden(void **state)
{
	struct dirent **list;
	int count = scandir(DIRECTORY, &list, is_json, alphasort);

	(void)state;
	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		check_file(list[i]->d_name);
		free(list[i]);
	}
	free(list);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_golden) };

	write_anew = argc > 1 && strcmp(argv[1], "--write") == 0;
	return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
