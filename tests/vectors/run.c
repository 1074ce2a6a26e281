/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vectors' runner: reads .vec files, runs each vector on the native side and, with --kernel, on both,
 * and compares with what is expected and with one another. Speaks TAP.
 *
 *     run [--kernel] FILE.vec...
 *     run --seeds FOLDER FILE.vec...      also writes the frames of each vector, for tests/fuzz/pipeline.c
 *
 * A vector starts with empty connections, counters and learned addresses. Its lines run in order; the
 * first line that does not hold fails it. On both sides the verdict, the object that decided, the port,
 * the bytes, and in the end the flow table must be the same.
 */
#include <ctype.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors/vector.h"

#define WORDS_MAX 64
#define LINES_MAX 64
#define ROWS_MAX 8192

struct vector {
	char name[200];
	char *lines[LINES_MAX];
	size_t line_count;
};

static char place[PATH_MAX + 32]; /* file and line, for errors */
static char folder[PATH_MAX];
static char why[1000];
static const struct side *sides[2] = { &native_side, &kernel_side };
static size_t side_count = 1;
static size_t test_number;
static size_t failures;
static struct world world;
static struct rows written;
static FILE *seeds;
static const char *seeds_folder;

#define VERDICT_NAME(name, class, sentence) #name,
static const char *const verdict_names[VERDICTS] = { WEFT_VERDICTS(VERDICT_NAME) };

void vector_fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", place);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	printf("not ok %zu - %s\n", ++test_number, place);
	exit(1);
}

__attribute__((format(printf, 1, 2))) static bool no(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	return false;
}

/* ---- tables ---- */

/* The rows of the world onto every side; rows of the world before that are no more are removed. */
static void write_world(void)
{
	struct step *steps;
	size_t count = diff_rows(&written, &world.rows, &steps);

	for (size_t s = 0; s < side_count; s++)
		for (size_t i = 0; i < count; i++) {
			const struct row *row = steps[i].row;

			if (steps[i].action == STEP_PUT)
				sides[s]->put(row->table, row->bytes, row->bytes + row->key_size);
			else
				sides[s]->remove(row->table, row->bytes);
		}
	free(steps);
	rows_clear(&written);
	for (size_t i = 0; i < world.rows.count; i++) {
		const struct row *row = world.rows.list[i];

		rows_add(&written, row->table, row->bytes, row->bytes + row->key_size);
	}
}

struct collected {
	size_t count, key_size, value_size;
	unsigned char *bytes; /* key and value, one row after the other */
};

static void collect_row(void *context, const void *key, const void *value)
{
	struct collected *rows = context;
	unsigned char *at = rows->bytes + rows->count * (rows->key_size + rows->value_size);

	if (rows->count >= ROWS_MAX)
		vector_fail("more than %d rows", ROWS_MAX);
	memcpy(at, key, rows->key_size);
	memcpy(at + rows->key_size, value, rows->value_size);
	rows->count++;
}

static struct collected collect(const struct side *side, enum table_id table)
{
	struct collected rows = { .key_size = table_key_size(table),
				  .value_size = table_value_size(table) };

	rows.bytes = malloc(ROWS_MAX * (rows.key_size + rows.value_size));
	if (!rows.bytes)
		vector_fail("out of memory");
	side->walk(table, collect_row, &rows);
	return rows;
}

static void forget(const struct side *side)
{
	static const enum table_id of_packets[] = { TABLE_flows, TABLE_fragments, TABLE_stations };
	struct port_stats no_port_stats = { 0 };
	struct vpc_stats no_vpc_stats = { 0 };

	for (size_t t = 0; t < 3; t++) {
		struct collected rows = collect(side, of_packets[t]);

		for (size_t i = 0; i < rows.count; i++)
			side->remove(of_packets[t],
				     rows.bytes + i * (rows.key_size + rows.value_size));
		free(rows.bytes);
	}
	for (uint32_t slot = 0; slot < 1024; slot++) {
		struct slot_key key = { slot };

		side->put(TABLE_port_stats, &key, &no_port_stats);
		if (slot < 64)
			side->put(TABLE_vpc_stats, &key, &no_vpc_stats);
	}
	for (size_t i = 0; i < world.rows.count; i++) {
		const struct row *row = world.rows.list[i];

		if (row->table == TABLE_stations)
			side->put(TABLE_stations, row->bytes, row->bytes + row->key_size);
	}
}

/* Time passes: what was seen was seen longer ago. */
static void age(const struct side *side, uint32_t seconds)
{
	uint32_t ticks = seconds * TICKS_PER_SECOND;
	struct collected rows = collect(side, TABLE_flows);

	for (size_t i = 0; i < rows.count; i++) {
		unsigned char *key = rows.bytes + i * (rows.key_size + rows.value_size);
		struct flow flow;

		memcpy(&flow, key + rows.key_size, sizeof(flow));
		flow.seen -= ticks;
		flow.renew -= ticks;
		flow.born -= ticks;
		side->put(TABLE_flows, key, &flow);
	}
	free(rows.bytes);
	rows = collect(side, TABLE_stations);
	for (size_t i = 0; i < rows.count; i++) {
		unsigned char *key = rows.bytes + i * (rows.key_size + rows.value_size);
		struct station station;

		memcpy(&station, key + rows.key_size, sizeof(station));
		station.seen -= ticks;
		station.moved_at -= ticks;
		side->put(TABLE_stations, key, &station);
	}
	free(rows.bytes);
}

/* ---- one vector ---- */

static uint32_t checksum(uint32_t sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* What the pipeline makes by itself has right checksums. */
static bool answer_is_sound(const struct side *side, const struct outcome *o)
{
	const uint8_t *ip = o->data + 14;
	uint8_t pseudo[4] = { 0, 58, 0, 0 };
	uint32_t sum;

	if (o->size < 34 || (o->data[12] == 8 && o->data[13] == 6))
		return true;
	if (o->data[12] == 8) {
		size_t length = (size_t)ip[2] << 8 | ip[3];

		if (checksum(0, ip, 20) != 0xffff)
			return no("%s: the IPv4 checksum of the answer is wrong", side->name);
		if (length + 14 > o->size || checksum(0, ip + 20, length - 20) != 0xffff)
			return no("%s: the ICMP checksum of the answer is wrong", side->name);
		return true;
	}
	if (o->size < 54)
		return no("%s: the answer is too short", side->name);
	sum = checksum(0, ip + 8, 32);
	pseudo[2] = ip[4];
	pseudo[3] = ip[5];
	sum = checksum(sum, pseudo, 4);
	if (checksum(sum, ip + 40, (size_t)ip[4] << 8 | ip[5]) != 0xffff)
		return no("%s: the ICMPv6 checksum of the answer is wrong", side->name);
	return true;
}

static bool send_frame(char **words, size_t count, struct outcome outcomes[2], bool ran[2])
{
	const struct port_object *port = world_port(&world, words[0]);
	struct attachment attachment;
	static struct vector_frame frame;

	if (!port)
		vector_fail("no port %s", words[0]);
	world_attachment(&world, port, &attachment);
	frame_build(&world, port, words + 1, count - 1, &frame);
	if (seeds) {
		fputc((int)(port->object.id & 0xff), seeds);
		fputc((int)(frame.size >> 8), seeds);
		fputc((int)(frame.size & 0xff), seeds);
		fwrite(frame.data, 1, frame.size, seeds);
	}
	for (size_t s = 0; s < side_count; s++) {
		memset(&outcomes[s], 0, sizeof(outcomes[s]));
		ran[s] = sides[s]->run(&attachment, &frame, &outcomes[s]);
		if (ran[s] && outcomes[s].replied && !answer_is_sound(sides[s], &outcomes[s]))
			return false;
	}
	if (side_count < 2 || !ran[1])
		return true;
	if (outcomes[0].verdict != outcomes[1].verdict)
		return no("native says %s, kernel says %s", verdict_names[outcomes[0].verdict],
			  outcomes[1].verdict < VERDICTS ? verdict_names[outcomes[1].verdict]
							 : "?");
	if (outcomes[0].object_id != outcomes[1].object_id)
		return no("native names object %u, kernel %u", outcomes[0].object_id,
			  outcomes[1].object_id);
	if (outcomes[0].out_port_id != outcomes[1].out_port_id)
		return no("native goes to port %u, kernel to %u", outcomes[0].out_port_id,
			  outcomes[1].out_port_id);
	if (outcomes[0].replied != outcomes[1].replied)
		return no("only one of native and kernel answers");
	if (outcomes[0].size != outcomes[1].size ||
	    memcmp(outcomes[0].data, outcomes[1].data, outcomes[0].size))
		return no("the frames differ (%zu and %zu bytes)", outcomes[0].size,
			  outcomes[1].size);
	return true;
}

/*
 * A frame that only the flow table can forward: the sender's port row is away while it runs, so that the
 * slow stages, on either side, know no such port.
 */
static bool send_hit(char **words, size_t count, struct outcome outcomes[2], bool ran[2])
{
	const struct port_object *port = world_port(&world, words[0]);
	struct port_key key = { .port_id = port ? port->object.id : 0 };
	struct port row;
	bool good;

	if (!port || !native_side.get(TABLE_ports, &key, &row))
		vector_fail("no port %s", words[0]);
	for (size_t s = 0; s < side_count; s++)
		sides[s]->remove(TABLE_ports, &key);
	good = send_frame(words, count, outcomes, ran);
	for (size_t s = 0; s < side_count; s++)
		sides[s]->put(TABLE_ports, &key, &row);
	if (good && outcomes[0].verdict != VERDICT_DELIVERED)
		return no("%s, not a hit in the flow table", verdict_names[outcomes[0].verdict]);
	return good;
}

/* row A > B: the settled row of a plain connection between two ports of one subnet, every field of its
 * way out compared with what the table of ports says of B. */
static bool check_row(const struct side *side, uint32_t from_id, uint32_t to_id)
{
	struct collected rows = collect(side, TABLE_flows);
	struct port_key from_key = { from_id }, to_key = { to_id };
	struct port from, to;
	size_t found = 0;

	if (!side->get(TABLE_ports, &from_key, &from) || !side->get(TABLE_ports, &to_key, &to))
		vector_fail("%s: no row of a port", side->name);
	for (size_t i = 0; i < rows.count; i++) {
		const unsigned char *at = rows.bytes + i * (rows.key_size + rows.value_size);
		struct flow_key key;
		struct flow flow;
		uint8_t macs[12];

		memcpy(&key, at, sizeof(key));
		memcpy(&flow, at + rows.key_size, sizeof(flow));
		if (key.port_id != from_id || flow.peer_port_id != to_id)
			continue;
		found++;
		memcpy(macs, to.mac, 6);
		memcpy(macs + 6, from.mac, 6);
		if (flow.flags & FLOW_UNRESOLVED)
			no("%s: the row is not settled", side->name);
		else if (flow.out_ifindex != to.ifindex || flow.out_kind != to.kind)
			no("%s: out of device %u of kind %u, expected %u of kind %u", side->name,
			   flow.out_ifindex, flow.out_kind, to.ifindex, to.kind);
		else if (flow.out_slot != to.port_slot || flow.vpc_slot != to.vpc_slot)
			no("%s: slot %u of VPC slot %u, expected %u of %u", side->name,
			   flow.out_slot, flow.vpc_slot, to.port_slot, to.vpc_slot);
		else if (flow.mtu != to.mtu)
			no("%s: MTU %u, expected %u", side->name, flow.mtu, to.mtu);
		else if (memcmp(flow.ethernet_in, macs, 12) || memcmp(flow.ethernet_out, macs, 12))
			no("%s: other MACs than those of the two ports", side->name);
		else
			continue;
		free(rows.bytes);
		return false;
	}
	free(rows.bytes);
	return found == 1 ? true : no("%s: %zu such rows", side->name, found);
}

static bool check_rows(const char *from_name, const char *to_name)
{
	const struct port_object *from = world_port(&world, from_name);
	const struct port_object *to = world_port(&world, to_name);

	if (!from || !to)
		vector_fail("no port %s or %s", from_name, to_name);
	for (size_t s = 0; s < side_count; s++)
		if (!check_row(sides[s], from->object.id, to->object.id))
			return false;
	return true;
}

/* expect VERDICT [at TEXT] */
static bool check_verdict(char **words, size_t count, const struct outcome *o)
{
	char object[600] = "", wanted[400] = "";
	size_t i;

	if (o->object_id)
		intent_describe(world.intent, o->object_id, object, sizeof(object));
	for (i = 0; verdict_names[o->verdict][i]; i++)
		if (tolower(verdict_names[o->verdict][i]) != words[0][i])
			break;
	if (verdict_names[o->verdict][i] || words[0][i])
		return no("expected %s, got %s at %s", words[0], verdict_names[o->verdict], object);
	if (count < 3)
		return true;
	for (i = 2; i < count; i++) {
		strncat(wanted, words[i], sizeof(wanted) - strlen(wanted) - 1);
		if (i + 1 < count)
			strncat(wanted, " ", sizeof(wanted) - strlen(wanted) - 1);
	}
	return strstr(object, wanted) ? true
				      : no("expected object \"%s\", got \"%s\"", wanted, object);
}

static bool check_answer(char **words, size_t count, const struct port_object *from,
			 const struct outcome *o)
{
	static struct vector_frame frame;

	frame_build(&world, from, words, count, &frame);
	for (size_t i = 0; i < frame.size && i < o->size; i++)
		if (frame.data[i] != o->data[i])
			return no("byte %zu of the frame is %02x, expected %02x", i, o->data[i],
				  frame.data[i]);
	return o->size >= frame.size
		       ? true
		       : no("the frame has %zu bytes, expected %zu", o->size, frame.size);
}

/* bytes OFFSET HEX */
static bool check_bytes(char **words, const struct outcome *o)
{
	size_t offset = strtoul(words[0], NULL, 0);
	unsigned byte;

	for (const char *hex = words[1]; hex[0] && hex[1]; hex += 2, offset++) {
		if (sscanf(hex, "%2x", &byte) != 1)
			vector_fail("\"%s\" is not hexadecimal", words[1]);
		if (offset >= o->size || o->data[offset] != byte)
			return no("byte %zu is %02x, expected %02x", offset,
				  offset < o->size ? o->data[offset] : 0, byte);
	}
	return true;
}

static bool check_flows(size_t wanted)
{
	struct collected rows[2];
	bool same = true;

	for (size_t s = 0; s < side_count; s++) {
		rows[s] = collect(sides[s], TABLE_flows);
		if (wanted != SIZE_MAX && rows[s].count != wanted)
			same = no("%s has %zu rows of connections, expected %zu", sides[s]->name,
				  rows[s].count, wanted);
	}
	for (size_t i = 0; same && side_count == 2 && i < rows[0].count; i++) {
		unsigned char *key = rows[0].bytes + i * (rows[0].key_size + rows[0].value_size);
		struct flow native, kernel;

		memcpy(&native, key + rows[0].key_size, sizeof(native));
		if (!kernel_side.get(TABLE_flows, key, &kernel)) {
			same = no("the kernel lacks a connection");
			break;
		}
		/* Clocks differ; everything else is the same. */
		native.seen = kernel.seen = native.born = kernel.born = 0;
		native.renew = kernel.renew = 0;
		if (memcmp(&native, &kernel, sizeof(native)))
			same = no("a connection differs: state %u/%u flags %x/%x packets %llu/%llu",
				  native.state, kernel.state, native.flags, kernel.flags,
				  native.packets, kernel.packets);
	}
	if (same && side_count == 2 && rows[0].count != rows[1].count)
		same = no("native has %zu connections, kernel %zu", rows[0].count, rows[1].count);
	for (size_t s = 0; s < side_count; s++)
		free(rows[s].bytes);
	return same;
}

static size_t split(char *line, char **words)
{
	size_t count = 0;

	for (char *word = strtok(line, " \t"); word; word = strtok(NULL, " \t")) {
		if (count == WORDS_MAX)
			vector_fail("more than %d words", WORDS_MAX);
		words[count++] = word;
	}
	return count;
}

static bool run_line(char **words, size_t count, struct outcome outcomes[2], bool ran[2],
		     const struct port_object **from)
{
	char path[PATH_MAX * 2];

	if (!strcmp(words[0], "send") && count > 1) {
		*from = world_port(&world, words[1]);
		return send_frame(words + 1, count - 1, outcomes, ran);
	}
	if (!strcmp(words[0], "hit") && count > 1) {
		*from = world_port(&world, words[1]);
		return send_hit(words + 1, count - 1, outcomes, ran);
	}
	if (!strcmp(words[0], "row") && count == 4 && !strcmp(words[2], ">"))
		return check_rows(words[1], words[3]);
	if (!strcmp(words[0], "expect") && count > 1)
		return check_verdict(words + 1, count - 1, &outcomes[0]);
	if (!strcmp(words[0], "to") && count == 2) {
		const struct port_object *port = world_port(&world, words[1]);

		return port && port->object.id == outcomes[0].out_port_id
			       ? true
			       : no("went to port id %u, not to %s", outcomes[0].out_port_id,
				    words[1]);
	}
	if (!strcmp(words[0], "frame"))
		return check_answer(words + 1, count - 1, *from, &outcomes[0]);
	if (!strcmp(words[0], "bytes") && count == 3)
		return check_bytes(words + 1, &outcomes[0]);
	if (!strcmp(words[0], "flows") && count == 2)
		return check_flows(strtoul(words[1], NULL, 10));
	if (!strcmp(words[0], "change") && count == 2) {
		snprintf(path, sizeof(path), "%s/%s", folder, words[1]);
		world_read(&world, path);
		write_world();
		return true;
	}
	if (!strcmp(words[0], "clock") && count == 2) {
		for (size_t s = 0; s < side_count; s++)
			age(sides[s], (uint32_t)strtoul(words[1], NULL, 10));
		return true;
	}
	vector_fail("no line \"%s\" in a vector", words[0]);
}

static void run_vector(struct vector *vector, const char *world_file)
{
	static struct outcome outcomes[2];
	bool ran[2] = { false, false }, good = true;
	const struct port_object *from = NULL;
	char *words[WORDS_MAX], shown[400] = "";

	if (seeds_folder) {
		snprintf(shown, sizeof(shown), "%s/%zu", seeds_folder, test_number);
		seeds = fopen(shown, "w");
		if (!seeds)
			vector_fail("%s cannot be written", shown);
	}
	world_read(&world, world_file);
	write_world();
	for (size_t s = 0; s < side_count; s++)
		forget(sides[s]);
	for (size_t i = 0; good && i < vector->line_count; i++) {
		size_t count;

		snprintf(shown, sizeof(shown), "%s", vector->lines[i]);
		count = split(vector->lines[i], words);
		good = run_line(words, count, outcomes, ran, &from);
	}
	if (seeds)
		fclose(seeds);
	seeds = NULL;
	if (good)
		good = check_flows(SIZE_MAX);
	printf("%s %zu - %s%s\n", good ? "ok" : "not ok", ++test_number, vector->name,
	       side_count == 2 ? " [kernel = native]" : " [native]");
	if (!good) {
		printf("# %s: %s\n# %s\n", place, shown, why);
		failures++;
	}
}

/* Runs the collected vector, if there is one, and empties it. */
static void flush(struct vector *vector, const char *world_file)
{
	if (vector->name[0])
		run_vector(vector, world_file);
	for (size_t i = 0; i < vector->line_count; i++)
		free(vector->lines[i]);
	memset(vector, 0, sizeof(*vector));
}

static void start_world(void)
{
	world_free(&world);
	rows_clear(&written);
	for (size_t s = 0; s < side_count; s++)
		sides[s]->load();
}

static void run_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[1000], copy[PATH_MAX], world_file[PATH_MAX * 2] = "";
	struct vector vector = { 0 };
	int number = 0;

	snprintf(place, sizeof(place), "%s", path);
	if (!file)
		vector_fail("cannot be read");
	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(folder, sizeof(folder), "%s", dirname(copy));
	while (fgets(line, sizeof(line), file)) {
		char *text = line + strspn(line, " \t");

		number++;
		text[strcspn(text, "\n")] = '\0';
		if (*text == '#' || !*text)
			continue;
		if (!strncmp(text, "world ", 6)) {
			flush(&vector, world_file);
			snprintf(world_file, sizeof(world_file), "%s/%s", folder, text + 6);
			start_world();
		} else if (!strncmp(text, "vector ", 7)) {
			flush(&vector, world_file);
			snprintf(place, sizeof(place), "%s:%d", path, number);
			snprintf(vector.name, sizeof(vector.name), "%s", text + 7);
		} else {
			if (vector.line_count == LINES_MAX || !vector.name[0])
				vector_fail("line %d is in no vector, or one too many", number);
			vector.lines[vector.line_count] = strdup(text);
			if (!vector.lines[vector.line_count++])
				vector_fail("out of memory");
		}
	}
	flush(&vector, world_file);
	fclose(file);
}

int main(int argc, char **argv)
{
	int first = 1;

	if (argc > 1 && !strcmp(argv[1], "--kernel")) {
		side_count = 2;
		first = 2;
	} else if (argc > 2 && !strcmp(argv[1], "--seeds")) {
		seeds_folder = argv[2];
		first = 3;
	}
	for (int i = first; i < argc; i++)
		run_file(argv[i]);
	world_free(&world);
	rows_clear(&written);
	for (size_t s = 0; s < side_count; s++)
		sides[s]->unload();
	printf("1..%zu\n", test_number);
	return failures ? 1 : 0;
}
