/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet vectors: intent, frames, and what must become of them, on both targets.
 *
 * A .vec file names a world (the JSON tree of weft.yaml, in the same folder) and holds vectors:
 * frames sent by ports, each with the expected verdict. The world goes through the real model and
 * planner; the rows go into the native tables and into kernel maps; each frame runs through both
 * builds of core/, and verdict, deciding object, bytes and connections must be the same. README.md
 * has the syntax.
 *
 * frame.c builds frames from words, outer.c outer packets, hosts.c makes several hosts of a world,
 * world.c makes rows of intent, tables.c writes them, run.c reads the files and compares, kernel.c
 * and native.c are the two sides.
 */
#ifndef WEFT_TESTS_VECTOR_H
#define WEFT_TESTS_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tables.h"
#include "core/verdict.h"
#include "model/draft.h"
#include "model/object.h"
#include "model/plan.h"

#define VECTOR_FRAME_MAX 4096

/*
 * Of the state row of both sides: the device of the host's services, and how often a port may ask.
 */
#define SERVICE_IFINDEX 1
#define SERVICE_RATE 4

struct world {
	struct intent *intent;
	struct planner *planner;
	struct rows rows; /* all rows as planned */
	uint32_t generation;
	uint64_t revision;
	size_t here; /* the host whose rows these are, where there are several */
};

struct vector_frame {
	uint8_t data[VECTOR_FRAME_MAX];
	size_t size;
	uint32_t segment_size; /* it stands for several packets with so much payload each; 0: for itself */
	bool returned;         /* weftd had held it */
};

struct outcome {
	uint32_t verdict;
	uint32_t object_id;
	uint32_t out_port_id;
	bool replied; /* native only knows; the kernel's redirect tells */
	bool outer;   /* the frame is an outer packet now (native only) */
	uint8_t data[VECTOR_FRAME_MAX];
	size_t size;
	uint32_t class; /* of the queue that it leaves by */
	uint32_t tag;   /* beside the frame: type << 16 | control information; 0: none */
};

/* One build of the core. All calls abort the program with a sentence on an error of their own. */
struct side {
	const char *name;
	void (*load)(void); /* empty tables */
	void (*put)(enum table_id table, const void *key, const void *value);
	void (*remove)(enum table_id table, const void *key);
	bool (*get)(enum table_id table, const void *key, void *value);
	/* Every row; the callback may not change the table. */
	void (*walk)(enum table_id table, void (*fn)(void *, const void *, const void *), void *);
	/* False: this side cannot take such a frame (shorter than an Ethernet header). */
	bool (*run)(const struct attachment *attachment, const struct vector_frame *frame,
		    struct outcome *outcome);
	/* The same for an outer packet that comes in by the underlay. */
	bool (*run_underlay)(const struct vector_frame *frame, struct outcome *outcome);
	/* And for what a service of the host sends. */
	bool (*run_service)(const struct vector_frame *frame, struct outcome *outcome);
	/* The same for a frame that weftd writes to the punt device. */
	bool (*run_punt)(const struct vector_frame *frame, struct outcome *outcome);
	/* And for a copy that comes in by the mirror device. */
	bool (*run_mirror)(const struct vector_frame *frame, uint32_t mark,
			   struct outcome *outcome);
	/* The same for a frame that an uplink hands in. */
	bool (*run_uplink)(const struct vector_frame *frame, struct outcome *outcome);
	/* How many connections with a log have ended since this was asked, and the last of them. */
	size_t (*ends)(struct flow_end *last);
	void (*unload)(void);
};

extern const struct side native_side;
extern const struct side kernel_side;

/* Worlds with wires, which the fuzzer of the pipeline knows by their place here. */
#define WORLD_WIRES 11
extern const char *const world_wires[WORLD_WIRES];

/* Makes the world of a JSON file, or changes it to another file's intent (live connections stay). The
 * rows of the new world are in world->rows; the caller writes them. Exits with a sentence on an error. */
void world_read(struct world *world, const char *path);
/* The rows again, as another host or after a statement about hosts. */
void world_plan(struct world *world);
void world_free(struct world *world);
/* A port by "vpc/name"; NULL when there is none. */
const struct port_object *world_port(const struct world *world, const char *name);
void world_attachment(const struct world *world, const struct port_object *port,
		      struct attachment *attachment);

/* What the vectors run on (tables.c). */
extern const struct side *const sides[2];
extern size_t side_count;                        /* 1: the native one alone */
extern const struct datapath_state tables_state; /* of both sides to begin with */
extern struct world tables_world;

struct collected {
	size_t count, key_size, value_size;
	unsigned char *bytes; /* key and value, one row after the other */
};

/* Every row of a table; bytes are the caller's to free(). */
struct collected tables_collect(const struct side *side, enum table_id table);
/* The rows of the world onto every side; those of the world before that are no more are removed. */
void tables_write_world(void);
/* What weftd writes to the punt device (punt.c): from-weftd VERSION PORT WORDS, with the header in between that
 * weftd gives it, PORT or a number; or back REASON, what it was just handed to hold. */
const struct vector_frame *punt_frame(char **words, size_t count);
const struct vector_frame *punt_given_back(const char *reason, const struct outcome *last);
/* wanted ADDRESS: weftd waits for this machine on the wire that the last packet was held for. */
void punt_wanted(const char *text, const struct outcome *last);
void tables_forget_world(void); /* the sides are empty again */
/* What packets have left behind: to be forgotten, or seconds older. */
void tables_forget(const struct side *side);
void tables_age(const struct side *side, uint32_t seconds);
/* The tables become those of another host, which remembers its own packets. */
void tables_switch_host(const char *name);
void tables_forget_kept(void);

/* ---- hit.c ---- */

/*
 * hit: a frame that only the flow table can forward: the sender's port row is away while it runs, so that the slow
 * stages, on either side, know no such port. miss: one that it cannot. words: with this first word.
 */
bool hit_pass(char **words, size_t count, struct outcome outcomes[2], bool ran[2],
	      bool (*pass)(char **, size_t, struct outcome[2], bool[2]));
/* The ways that connections have gone, older by so much; one of them in every place of the table, as when kinds
 * get the same place; and gone. */
void hit_age(const struct side *side, uint32_t ticks);
void hit_everywhere(void);
void hit_forget(const struct side *side);

/* Builds a frame from words (README.md). Exits with a sentence on a word it does not know. */
void frame_build(const struct world *world, const struct port_object *from, char **words,
		 size_t count, struct vector_frame *frame);

/*
 * Several hosts (hosts.c). A statement is a line of a world (README.md); false: it is none.
 * hosts_rows turns the rows of a world of one host into those that the host numbered `here` has.
 */
#define HOSTS_MAX 4
void hosts_clear(void);
bool hosts_any(void);
bool hosts_statement(const struct world *world, char **words, size_t count);
void hosts_rows(const struct world *world, size_t here, struct rows *rows);
int hosts_find(const char *name); /* -1: there is none */
const struct ip_address *hosts_address(size_t host, bool ipv6);
/* Id of a tunnel object VPC/NAME, or of the peer VPC/HOST; 0: none. */
uint32_t hosts_object(const char *name);

/* One port that is looked at (watch.c): PORT from|to|both WORDS; until the vector ends. */
void watch_statement(char **words, size_t count);
void watch_clear(void);
/* The intent has changed, and with it the rows of the port. */
void watch_again(void);
/* PORT COST BURST DSCP: a row of port_rates; likewise */
void rate_statement(char **words);
/* PORT|tunnels: packets that leave there say who sends; likewise */
void shaped_statement(const char *what);
uint32_t watch_attachment_flags(uint32_t port_id);
/* MATCHED TAKEN */
bool watch_check(char **words);

/* Marks a port as looked at; nothing is captured. */
void watch_look_at(uint32_t port_id);

/* One mirror (mirrors.c): PORT from|to|both TARGET WORDS; until the vector ends. */
void mirror_statement(char **words, size_t count);
void mirror_clear(void);
/* PORT HOW WORDS: a copy of such a frame comes in by the mirror device. */
void mirror_run(char **words, size_t count, struct outcome outcomes[2], bool ran[2]);
/* MADE SENT CUT */
bool mirror_check(char **words);

/* Flow logs (logs.c): a line that looks at rows of theirs, *good: what it says; and one that leaves a port no
 * room for refusals, until the vector ends. False: it is no such line. */
bool logs_check(char **words, size_t count, const struct outcome *last, bool *good);
bool logs_statement(char **words, size_t count);
void logs_clear(void);

/* Builds an outer packet from words. seen: what it will be compared with, or NULL. */
void outer_build(const struct world *world, char **words, size_t count, const struct outcome *seen,
		 struct vector_frame *frame);

/*
 * What was handed to a service comes back, with both ends swapped; false: nothing was. services.c
 */
bool services_turn_round(const struct outcome *o, struct vector_frame *frame);
/* Whether the checksums of what a service gets are right. */
bool services_sum_is_right(const struct outcome *o);

uint32_t vector_checksum(uint32_t sum, const uint8_t *data, size_t size); /* folded; run.c */

/* The settled row of a plain connection between two ports (rows.c); and how many rows there are, the same on
 * both sides. SIZE_MAX: any number. */
bool rows_check(const char *from_name, const char *to_name);
bool rows_check_flows(size_t wanted);

/* Why the vector fails. Return: false. */
bool vector_no(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says file, line and sentence, and ends the program. */
void vector_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
