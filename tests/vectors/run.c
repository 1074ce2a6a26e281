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

#include "base/clock.h"
#include "tests/vectors/vector.h"

#define WORDS_MAX 64
#define LINES_MAX 64
#define SEED_UNDERLAY 255
#define SEED_UPLINK 252

struct vector {
	char name[200];
	char *lines[LINES_MAX];
	size_t line_count;
};

static char place[PATH_MAX + 32]; /* file and line, for errors */
static char folder[PATH_MAX];
static char why[1000];
static size_t test_number;
static size_t failures;
static FILE *seeds;
static const char *seeds_folder;
static int seed_uplink; /* the byte of an uplink of this world in them */
/* Lines about hosts behind `world`, for each of its vectors. */
static char *statements[LINES_MAX];
static size_t statement_count;

#define VERDICT_NAME(name, class, stage, sentence) #name,
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

bool vector_no(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	return false;
}

/* ---- one vector ---- */

uint32_t vector_checksum(uint32_t sum, const uint8_t *data, size_t size)
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

		if (vector_checksum(0, ip, 20) != 0xffff)
			return vector_no("%s: the IPv4 checksum of the answer is wrong",
					 side->name);
		if (length + 14 > o->size || vector_checksum(0, ip + 20, length - 20) != 0xffff)
			return vector_no("%s: the ICMP checksum of the answer is wrong",
					 side->name);
		return true;
	}
	if (o->size < 54)
		return vector_no("%s: the answer is too short", side->name);
	sum = vector_checksum(0, ip + 8, 32);
	pseudo[2] = ip[4];
	pseudo[3] = ip[5];
	sum = vector_checksum(sum, pseudo, 4);
	if (vector_checksum(sum, ip + 40, (size_t)ip[4] << 8 | ip[5]) != 0xffff)
		return vector_no("%s: the ICMPv6 checksum of the answer is wrong", side->name);
	return true;
}

/* What both sides have made of a frame is the same. */
static bool sides_agree(const struct outcome outcomes[2], const bool ran[2])
{
	size_t from = outcomes[0].outer ? 14 : 0; /* the header of the way out is the edge's */

	if (side_count < 2 || !ran[1])
		return true;
	if (outcomes[0].verdict != outcomes[1].verdict)
		return vector_no(
			"native says %s, kernel says %s", verdict_names[outcomes[0].verdict],
			outcomes[1].verdict < VERDICTS ? verdict_names[outcomes[1].verdict] : "?");
	if (outcomes[0].object_id != outcomes[1].object_id)
		return vector_no("native names object %u, kernel %u", outcomes[0].object_id,
				 outcomes[1].object_id);
	if (outcomes[0].out_port_id != outcomes[1].out_port_id)
		return vector_no("native goes to port %u, kernel to %u", outcomes[0].out_port_id,
				 outcomes[1].out_port_id);
	if (outcomes[0].replied != outcomes[1].replied)
		return vector_no("only one of native and kernel answers");
	/* A frame that goes nowhere has no tag to speak of. */
	if (outcomes[0].tag != outcomes[1].tag &&
	    (outcomes[0].verdict == VERDICT_DELIVERED || outcomes[0].replied))
		return vector_no("native leaves with tag %x, kernel with %x", outcomes[0].tag,
				 outcomes[1].tag);
	if (outcomes[0].verdict == VERDICT_OVERHEARD || outcomes[0].verdict == VERDICT_FLOODED)
		return true; /* nobody gets the frame itself: it may have lost its tag */
	if (outcomes[0].size != outcomes[1].size ||
	    memcmp(outcomes[0].data + from, outcomes[1].data + from, outcomes[0].size - from))
		return vector_no("the frames differ (%zu and %zu bytes)", outcomes[0].size,
				 outcomes[1].size);
	return true;
}

/* port: as tests/fuzz/pipeline.c has it. */
static void write_seed(int port, const struct vector_frame *frame)
{
	if (!seeds)
		return;
	fputc(port, seeds);
	fputc((int)(frame->size >> 8), seeds);
	fputc((int)(frame->size & 0xff), seeds);
	fwrite(frame->data, 1, frame->size, seeds);
}

/* An outer packet comes in by the underlay. */
static bool receive_frame(const struct vector_frame *frame, struct outcome outcomes[2], bool ran[2])
{
	write_seed(SEED_UNDERLAY, frame);
	for (size_t s = 0; s < side_count; s++) {
		memset(&outcomes[s], 0, sizeof(outcomes[s]));
		ran[s] = sides[s]->run_underlay(frame, &outcomes[s]);
		if (ran[s] && outcomes[s].replied && !outcomes[0].outer &&
		    !answer_is_sound(sides[s], &outcomes[s]))
			return false;
	}
	return sides_agree(outcomes, ran);
}

/* A frame comes in by the uplink, built as from a port. */
static bool hear_frame(char **words, size_t count, struct outcome outcomes[2], bool ran[2])
{
	const struct port_object *port = world_port(&tables_world, words[0]);
	static struct vector_frame frame;

	if (!port)
		vector_fail("no port %s", words[0]);
	frame_build(&tables_world, port, words + 1, count - 1, &frame);
	write_seed(seed_uplink, &frame);
	for (size_t s = 0; s < side_count; s++) {
		memset(&outcomes[s], 0, sizeof(outcomes[s]));
		ran[s] = sides[s]->run_uplink(&frame, &outcomes[s]);
		if (ran[s] && outcomes[s].replied && !answer_is_sound(sides[s], &outcomes[s]))
			return false;
	}
	return sides_agree(outcomes, ran);
}

/* tagged none | TAG | TYPE TAG [priority]: that the frame leaves with. */
static bool check_tag(char **words, size_t count, const struct outcome *o)
{
	uint32_t type = 0x8100, wanted = 0;

	if (count > 1)
		type = (uint32_t)strtoul(*words++, NULL, 0);
	if (strcmp(words[0], "none") != 0)
		wanted = type << 16 | (uint32_t)strtoul(words[0], NULL, 0);
	return o->tag == wanted ? true
				: vector_no("leaves with tag %x, expected %x", o->tag, wanted);
}

/* class PORT|none: the port that the frame says has sent it, to the queue that it leaves by. */
static bool check_class(const char *name, const struct outcome outcomes[2])
{
	const struct port_object *port = world_port(&tables_world, name);
	uint32_t wanted = 0;
	struct port_key key;
	struct port row;

	if (port) {
		key.port_id = port->object.id;
		if (!sides[0]->get(TABLE_ports, &key, &row))
			return vector_no("port %s has no row", name);
		wanted = SHARE_CLASS(row.port_slot);
	} else if (strcmp(name, "none") != 0) {
		vector_fail("no port %s", name);
	}
	for (size_t s = 0; s < side_count; s++)
		if (outcomes[s].class != wanted)
			return vector_no("%s: class %x, expected %x", sides[s]->name,
					 outcomes[s].class, wanted);
	return true;
}

/* The outer packet that has just left arrives at another host. */
static bool cross(const char *host, struct outcome outcomes[2], bool ran[2])
{
	static struct vector_frame frame;

	if (!outcomes[0].outer)
		return vector_no("no outer packet has left: %s",
				 verdict_names[outcomes[0].verdict]);
	memcpy(frame.data, outcomes[0].data, outcomes[0].size);
	frame.size = outcomes[0].size;
	memset(frame.data, 2, 12);
	frame.data[12] = frame.data[14] >> 4 == 4 ? 0x08 : 0x86;
	frame.data[13] = frame.data[14] >> 4 == 4 ? 0x00 : 0xdd;
	tables_switch_host(host);
	return receive_frame(&frame, outcomes, ran);
}

/* leaves WORDS: the frame is this outer packet, from the IP header to the end. */
static bool check_leaves(char **words, size_t count, const struct outcome *o)
{
	static struct vector_frame frame;

	outer_build(&tables_world, words, count, o, &frame);
	if (!o->outer)
		return vector_no("no outer packet has left: %s", verdict_names[o->verdict]);
	for (size_t i = 14; i < frame.size && i < o->size; i++)
		if (frame.data[i] != o->data[i])
			return vector_no("byte %zu of the outer packet is %02x, expected %02x",
					 i - 14, o->data[i], frame.data[i]);
	return o->size == frame.size ? true
				     : vector_no("the outer packet has %zu bytes, expected %zu",
						 o->size - 14, frame.size - 14);
}

/* RFC 6040, figure 4, by [inner][outer]: Not-ECT, ECT(1), ECT(0), CE as on the wire; -1 is a drop. */
static const int ecn_table[4][4] = {
	{ 0, 0, 0, -1 },
	{ 1, 1, 1, 3 },
	{ 2, 1, 2, 3 },
	{ 3, 3, 3, 3 },
};

/* ecn WORDS: a packet with each mark outside ($outer) and inside ($inner). */
static bool check_ecn(char **words, size_t count, struct outcome outcomes[2], bool ran[2])
{
	static struct vector_frame frame;
	char *changed[WORDS_MAX], outer[16], inner[16];

	for (int cell = 0; cell < 16; cell++) {
		const struct outcome *o = &outcomes[0];
		int wanted = ecn_table[cell & 3][cell >> 2], mark;

		snprintf(outer, sizeof(outer), "%d", cell >> 2);
		snprintf(inner, sizeof(inner), "%d", 0x28 << 2 | (cell & 3));
		for (size_t i = 0; i < count; i++)
			changed[i] = !strcmp(words[i], "$outer")   ? outer
				     : !strcmp(words[i], "$inner") ? inner
								   : words[i];
		outer_build(&tables_world, changed, count, NULL, &frame);
		if (!receive_frame(&frame, outcomes, ran))
			return false;
		if (wanted < 0 && o->verdict == VERDICT_INNER_ECN)
			continue;
		if (wanted < 0 || o->verdict != VERDICT_DELIVERED)
			return vector_no("inner %d, outer %d: %s", cell & 3, cell >> 2,
					 verdict_names[o->verdict]);
		mark = o->data[12] == 0x08 ? o->data[15] : (o->data[14] << 4 | o->data[15] >> 4);
		if ((mark & 0xff) != (0x28 << 2 | wanted))
			return vector_no("inner %d, outer %d: service is %02x, expected mark %d",
					 cell & 3, cell >> 2, mark & 0xff, wanted);
		if (o->data[12] == 0x08 && vector_checksum(0, o->data + 14, 20) != 0xffff)
			return vector_no("inner %d, outer %d: wrong IPv4 checksum", cell & 3,
					 cell >> 2);
	}
	return true;
}

/* A service answers: what it was asked, or with what the words say. */
static bool answer_frame(const struct port_object *from, char **words, size_t count,
			 struct outcome outcomes[2], bool ran[2])
{
	static struct vector_frame frame;

	if (count)
		frame_build(&tables_world, from, words, count, &frame);
	else if (!services_turn_round(&outcomes[0], &frame))
		return vector_no("nothing was handed to a service: %s",
				 verdict_names[outcomes[0].verdict]);
	for (size_t s = 0; s < side_count; s++) {
		memset(&outcomes[s], 0, sizeof(outcomes[s]));
		ran[s] = sides[s]->run_service(&frame, &outcomes[s]);
	}
	return sides_agree(outcomes, ran);
}

/* A frame that weftd writes to the punt device. */
static bool write_punt(const struct vector_frame *frame, struct outcome outcomes[2], bool ran[2])
{
	for (size_t s = 0; s < side_count; s++) {
		memset(&outcomes[s], 0, sizeof(outcomes[s]));
		ran[s] = sides[s]->run_punt(frame, &outcomes[s]);
	}
	return sides_agree(outcomes, ran);
}

/* Whether there is a device that leads to weftd; and whether it has yet to ask who listens. */
static void set_attended(bool attended, bool unasked)
{
	struct slot_key zero = { 0 };
	struct datapath_state state;

	for (size_t s = 0; s < side_count; s++) {
		if (!sides[s]->get(TABLE_state, &zero, &state))
			vector_fail("%s: no state row", sides[s]->name);
		state.punt_ifindex = attended;
		state.unasked = unasked;
		sides[s]->put(TABLE_state, &zero, &state);
	}
}

static bool send_frame(char **words, size_t count, struct outcome outcomes[2], bool ran[2])
{
	const struct port_object *port = world_port(&tables_world, words[0]);
	struct attachment attachment;
	static struct vector_frame frame;

	if (!port)
		vector_fail("no port %s", words[0]);
	world_attachment(&tables_world, port, &attachment);
	attachment.flags |= watch_attachment_flags(port->object.id);
	frame_build(&tables_world, port, words + 1, count - 1, &frame);
	write_seed((int)(port->object.id & 0xff), &frame);
	for (size_t s = 0; s < side_count; s++) {
		memset(&outcomes[s], 0, sizeof(outcomes[s]));
		ran[s] = sides[s]->run(&attachment, &frame, &outcomes[s]);
		if (ran[s] && outcomes[s].replied && !outcomes[0].outer &&
		    !answer_is_sound(sides[s], &outcomes[s]))
			return false;
	}
	if (outcomes[0].verdict == VERDICT_SERVED && !services_sum_is_right(&outcomes[0]))
		return vector_no("a checksum of what the service gets is wrong");
	return sides_agree(outcomes, ran);
}

/*
 * moved PORT [HOST]: it is where it is since just now, and was on that host before; moving PORT HOST: it is
 * about to go there.
 */
static void port_moved(const char *name, const char *other, bool moved)
{
	int host = other ? hosts_find(other) : -1;
	const struct port_object *port = world_port(&tables_world, name);
	struct port_key key = { .port_id = port ? port->object.id : 0 };
	struct port row;

	if (!port || !native_side.get(TABLE_ports, &key, &row))
		vector_fail("no port %s", name);
	if (other && host < 0)
		vector_fail("no host %s", other);
	row.other_host_id = (uint32_t)(host + 1);
	row.moved_until = moved ? (uint32_t)(clock_monotonic_ns(NULL) >> 20) + MOVED_TICKS : 0;
	if (moved && row.kind == PORT_TUNNEL && host == (int)tables_world.here)
		row.flags |= PORT_MOVED_AWAY;
	for (size_t s = 0; s < side_count; s++)
		sides[s]->put(TABLE_ports, &key, &row);
}

/* expect VERDICT [at TEXT] */
static bool check_verdict(char **words, size_t count, const struct outcome *o)
{
	char object[600] = "", wanted[400] = "";
	size_t i;

	if (o->object_id)
		intent_describe(tables_world.intent, o->object_id, object, sizeof(object));
	for (i = 0; verdict_names[o->verdict][i]; i++)
		if (tolower(verdict_names[o->verdict][i]) != words[0][i])
			break;
	if (verdict_names[o->verdict][i] || words[0][i])
		return vector_no("expected %s, got %s at %s", words[0], verdict_names[o->verdict],
				 object);
	if (count < 3)
		return true;
	if (count == 3 && hosts_object(words[2]))
		return o->object_id == hosts_object(words[2])
			       ? true
			       : vector_no("expected object %s, got %u %s", words[2], o->object_id,
					   object);
	for (i = 2; i < count; i++) {
		strncat(wanted, words[i], sizeof(wanted) - strlen(wanted) - 1);
		if (i + 1 < count)
			strncat(wanted, " ", sizeof(wanted) - strlen(wanted) - 1);
	}
	return strstr(object, wanted)
		       ? true
		       : vector_no("expected object \"%s\", got \"%s\"", wanted, object);
}

static bool check_answer(char **words, size_t count, const struct port_object *from,
			 const struct outcome *o)
{
	static struct vector_frame frame;

	frame_build(&tables_world, from, words, count, &frame);
	for (size_t i = 0; i < frame.size && i < o->size; i++)
		if (frame.data[i] != o->data[i])
			return vector_no("byte %zu of the frame is %02x, expected %02x", i,
					 o->data[i], frame.data[i]);
	return o->size >= frame.size
		       ? true
		       : vector_no("the frame has %zu bytes, expected %zu", o->size, frame.size);
}

/* to PORT, or a peer or tunnel object. */
static bool check_port(const char *name, const struct outcome *o)
{
	const struct port_object *port = world_port(&tables_world, name);
	uint32_t id = port ? port->object.id : hosts_object(name);

	return id && id == o->out_port_id
		       ? true
		       : vector_no("went to port id %u, not to %s", o->out_port_id, name);
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
			return vector_no("byte %zu is %02x, expected %02x", offset,
					 offset < o->size ? o->data[offset] : 0, byte);
	}
	return true;
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

/* A line that looks at what has become of the last frame. *good: what it says. False: it is no such line. */
static bool check_line(char **words, size_t count, struct outcome outcomes[2],
		       const struct port_object *from, bool *good)
{
	const struct outcome *o = &outcomes[0];

	if (!strcmp(words[0], "expect") && count > 1)
		*good = check_verdict(words + 1, count - 1, o);
	else if (!strcmp(words[0], "to") && count == 2)
		*good = check_port(words[1], o);
	else if (!strcmp(words[0], "frame"))
		*good = check_answer(words + 1, count - 1, from, o);
	else if (!strcmp(words[0], "frame-of") && count > 2)
		*good = check_answer(words + 2, count - 2, world_port(&tables_world, words[1]), o);
	else if (!strcmp(words[0], "leaves") && count > 1)
		*good = check_leaves(words + 1, count - 1, o);
	else if (!strcmp(words[0], "tagged") && count > 1)
		*good = check_tag(words + 1, count - 1, o);
	else if (!strcmp(words[0], "class") && count == 2)
		*good = check_class(words[1], outcomes);
	else if (!strcmp(words[0], "bytes") && count == 3)
		*good = check_bytes(words + 1, o);
	else if (!strcmp(words[0], "flows") && count == 2)
		*good = rows_check_flows(strtoul(words[1], NULL, 10));
	else if (!strcmp(words[0], "watched") && count == 3)
		*good = watch_check(words + 1);
	else if (!strcmp(words[0], "copies") && count == 4)
		*good = mirror_check(words + 1);
	else if (!strcmp(words[0], "row") && count == 4 && !strcmp(words[2], ">"))
		*good = rows_check(words[1], words[3]);
	else
		return logs_check(words, count, o, good);
	return true;
}

/* A line that makes a frame. *good and Return: as check_line. */
static bool frame_line(char **words, size_t count, struct outcome outcomes[2], bool ran[2],
		       const struct port_object **from, bool *good)
{
	static struct vector_frame frame;

	if (!strcmp(words[0], "answer")) {
		*good = answer_frame(*from, words + 1, count - 1, outcomes, ran);
		return true;
	}
	if (count < 2)
		return false;
	if (!strcmp(words[0], "send")) {
		*from = world_port(&tables_world, words[1]);
		*good = send_frame(words + 1, count - 1, outcomes, ran);
	} else if (!strcmp(words[0], "hit") || !strcmp(words[0], "miss")) {
		*from = world_port(&tables_world, words[1]);
		*good = hit_pass(words, count, outcomes, ran, send_frame);
	} else if (!strcmp(words[0], "hit-uplink")) {
		*from = world_port(&tables_world, words[1]);
		*good = hit_pass(words, count, outcomes, ran, hear_frame);
	} else if (!strcmp(words[0], "receive")) {
		outer_build(&tables_world, words + 1, count - 1, NULL, &frame);
		*good = receive_frame(&frame, outcomes, ran);
	} else if (!strcmp(words[0], "uplink")) {
		*from = world_port(&tables_world, words[1]);
		*good = hear_frame(words + 1, count - 1, outcomes, ran);
	} else if (!strcmp(words[0], "across")) {
		*good = cross(words[1], outcomes, ran);
	} else if (!strcmp(words[0], "copy") && count > 3) {
		*from = world_port(&tables_world, words[1]);
		mirror_run(words + 1, count - 1, outcomes, ran);
		*good = sides_agree(outcomes, ran);
	} else if (!strcmp(words[0], "from-weftd")) {
		*from = world_port(&tables_world, "blue/web1");
		*good = write_punt(punt_frame(words + 1, count - 1), outcomes, ran);
	} else if (!strcmp(words[0], "back")) {
		*good = write_punt(punt_given_back(words[1], &outcomes[0]), outcomes, ran);
	} else if (!strcmp(words[0], "ecn")) {
		*good = check_ecn(words + 1, count - 1, outcomes, ran);
	} else {
		return false;
	}
	return true;
}

/* A line about what is done to a port's packets. Return: whether it is one. */
static bool port_line(char **words, size_t count)
{
	if (!strcmp(words[0], "everywhere") && count == 1)
		hit_everywhere();
	else if (!strcmp(words[0], "rate") && count == 5)
		rate_statement(words + 1);
	else if (!strcmp(words[0], "shaped") && count == 2)
		shaped_statement(words[1]);
	else if (!strcmp(words[0], "mirror") && count > 3)
		mirror_statement(words + 1, count - 1);
	else if (!strcmp(words[0], "watch") && count > 2)
		watch_statement(words + 1, count - 1);
	else
		return logs_statement(words, count);
	return true;
}

/* A line about weftd: whether it is there, and has asked who listens. Return: whether it is one. */
static bool attended_line(char **words, size_t count)
{
	const bool unattended = !strcmp(words[0], "unattended"),
		   unasked = !strcmp(words[0], "unasked");

	if (count != 1 || (!unattended && !unasked && strcmp(words[0], "asked") != 0))
		return false;
	set_attended(!unattended, unasked);
	return true;
}

static bool run_line(char **words, size_t count, struct outcome outcomes[2], bool ran[2],
		     const struct port_object **from)
{
	char path[PATH_MAX * 2];
	bool good = true;

	if (check_line(words, count, outcomes, *from, &good) ||
	    frame_line(words, count, outcomes, ran, from, &good) || attended_line(words, count) ||
	    port_line(words, count))
		return good;
	if (hosts_statement(&tables_world, words, count)) {
		/* Who routes is news to live connections. */
		if (strcmp(words[0], "router") == 0)
			tables_world.generation++;
		world_plan(&tables_world);
		tables_write_world();
	} else if (!strcmp(words[0], "on") && count == 2) {
		tables_switch_host(words[1]);
	} else if (!strcmp(words[0], "change") && count == 2) {
		snprintf(path, sizeof(path), "%s/%s", folder, words[1]);
		world_read(&tables_world, path);
		tables_write_world();
		watch_again();
	} else if (!strcmp(words[0], "wanted") && count == 2) {
		punt_wanted(words[1], &outcomes[0]);
	} else if (!strcmp(words[0], "moved") && (count == 2 || count == 3)) {
		port_moved(words[1], count == 3 ? words[2] : NULL, true);
	} else if (!strcmp(words[0], "moving") && count == 3) {
		port_moved(words[1], words[2], false);
	} else if (!strcmp(words[0], "clock") && count == 2) {
		for (size_t s = 0; s < side_count; s++)
			tables_age(sides[s], (uint32_t)strtoul(words[1], NULL, 10));
	} else {
		vector_fail("no line \"%s\" in a vector", words[0]);
	}
	return true;
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
		seed_uplink = SEED_UPLINK;
		for (int i = 0; i < WORLD_WIRES; i++)
			if (!strcmp(world_file, world_wires[i]))
				seed_uplink = SEED_UPLINK - i;
	}
	hosts_clear();
	tables_world.here = 0;
	world_read(&tables_world, world_file);
	for (size_t i = 0; i < statement_count; i++) {
		snprintf(shown, sizeof(shown), "%s", statements[i]);
		if (!hosts_statement(&tables_world, words, split(shown, words)))
			vector_fail("\"%s\" is in no vector", statements[i]);
	}
	if (statement_count)
		world_plan(&tables_world);
	tables_write_world();
	tables_forget_kept();
	for (size_t s = 0; s < side_count; s++)
		tables_forget(sides[s]);
	set_attended(true, false);
	for (size_t i = 0; good && i < vector->line_count; i++) {
		size_t count;

		snprintf(shown, sizeof(shown), "%s", vector->lines[i]);
		count = split(vector->lines[i], words);
		good = run_line(words, count, outcomes, ran, &from);
	}
	logs_clear();
	mirror_clear();
	watch_clear();
	if (seeds)
		fclose(seeds);
	seeds = NULL;
	if (good)
		good = rows_check_flows(SIZE_MAX);
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
	world_free(&tables_world);
	tables_forget_world();
	for (size_t s = 0; s < side_count; s++)
		sides[s]->load();
}

static void forget_statements(void)
{
	while (statement_count)
		free(statements[--statement_count]);
}

static void remember_statement(const char *text)
{
	if (statement_count == LINES_MAX)
		vector_fail("too many lines about hosts");
	statements[statement_count] = strdup(text);
	if (!statements[statement_count++])
		vector_fail("out of memory");
}

static void begin_vector(struct vector *vector, const char *text, const char *path, int number)
{
	snprintf(place, sizeof(place), "%s:%d", path, number);
	snprintf(vector->name, sizeof(vector->name), "%s", text + 7);
}

static void run_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[4096], copy[PATH_MAX], world_file[PATH_MAX * 2] = "";
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
			forget_statements();
		} else if (!vector.name[0] && world_file[0]) {
			if (strncmp(text, "vector ", 7))
				remember_statement(text);
			else
				begin_vector(&vector, text, path, number);
		} else if (!strncmp(text, "vector ", 7)) {
			flush(&vector, world_file);
			begin_vector(&vector, text, path, number);
		} else {
			if (vector.line_count == LINES_MAX || !vector.name[0])
				vector_fail("line %d is in no vector, or one too many", number);
			vector.lines[vector.line_count] = strdup(text);
			if (!vector.lines[vector.line_count++])
				vector_fail("out of memory");
		}
	}
	flush(&vector, world_file);
	forget_statements();
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
	world_free(&tables_world);
	tables_forget_world();
	for (size_t s = 0; s < side_count; s++)
		sides[s]->unload();
	printf("1..%zu\n", test_number);
	return failures ? 1 : 0;
}
