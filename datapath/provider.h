/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a kind of datapath brings: the functions behind datapath.h.
 *
 * datapath.c checks arguments against the list of tables and calls through; kernel.c and dummy.c
 * each have one struct datapath_operations. Only these files include this header. Contracts are
 * those of datapath.h; rooms and sizes are checked before a provider is called.
 */
#ifndef WEFT_DATAPATH_PROVIDER_H
#define WEFT_DATAPATH_PROVIDER_H

#include "datapath/datapath.h"

enum table_kind {
	TABLE_HASH,
	TABLE_HASH_PREALLOCATED,
	TABLE_LRU_HASH,
	TABLE_LPM_TRIE,
	TABLE_ARRAY,
	TABLE_PERCPU_ARRAY,
};

/* A line of WEFT_TABLES. Sizes in bytes. */
struct datapath_table {
	const char *name;
	enum table_kind kind;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t room;
};

extern const struct datapath_table datapath_tables[TABLES];

#define DATAPATH_FLOW_CAPACITY 131072
#define DATAPATH_EVENT_RATE 100
#define DATAPATH_ICMP_RATE 100        /* ICMP errors a port may get per second */
#define DATAPATH_SERVICE_RATE 1024    /* packets a port may send to services per second (V46) */
#define DATAPATH_PUNT_RATE 50         /* frames a port may hand to weftd per second */
#define DATAPATH_HOLD_RATE 128        /* packets of a port that may be held per second (ADR 26) */
#define DATAPATH_HOLD_TOTAL_RATE 2048 /* and of all ports together */

struct datapath_operations {
	void (*close)(struct datapath *datapath);
	int (*put_many)(struct datapath *datapath, enum table_id table, const void *keys,
			const void *values, size_t count, size_t *done);
	int (*remove)(struct datapath *datapath, enum table_id table, const void *key);
	int (*remove_many)(struct datapath *datapath, enum table_id table, const void *keys,
			   size_t count);
	int (*get)(struct datapath *datapath, enum table_id table, const void *key, void *value);
	int (*walk)(struct datapath *datapath, enum table_id table, datapath_row_fn *fn,
		    void *context);
	int (*table_fd)(struct datapath *datapath, enum table_id table);
	int (*attach)(struct datapath *datapath, uint32_t ifindex, uint32_t kind,
		      struct error *error);
	int (*attach_underlay)(struct datapath *datapath, uint32_t ifindex, struct error *error);
	int (*attach_uplink)(struct datapath *datapath, uint32_t ifindex, struct error *error);
	int (*attach_tunnel_device)(struct datapath *datapath, uint32_t ifindex, uint32_t kind,
				    uint16_t port, struct error *error);
	int (*attach_services)(struct datapath *datapath, uint32_t ifindex, struct error *error);
	int (*attach_punt)(struct datapath *datapath, uint32_t ifindex, struct error *error);
	int (*attach_segmenter)(struct datapath *datapath, uint32_t ifindex, struct error *error);
	int (*attach_mirror)(struct datapath *datapath, uint32_t ifindex, struct error *error);
	int (*detach)(struct datapath *datapath, enum datapath_role role, uint32_t ifindex);
	int (*settle)(struct datapath *datapath);
	size_t (*repair)(struct datapath *datapath); /* NULL: nobody else can undo anything */
	size_t (*attached)(struct datapath *datapath, enum datapath_role role,
			   uint32_t **ifindexes);
	int (*verdict)(struct datapath *datapath, enum verdict verdict,
		       struct verdict_counter *counter);
	int (*sweep)(struct datapath *datapath, struct error *error);
	int (*announce)(struct datapath *datapath, uint32_t ifindex, const void *frame,
			size_t size); /* NULL: it cannot */
	int (*events_fd)(struct datapath *datapath);
	int (*events_read)(struct datapath *datapath, datapath_event_fn *fn, void *context,
			   int max);
	int (*underlay_events_fd)(struct datapath *datapath);
	int (*underlay_events_read)(struct datapath *datapath, datapath_underlay_event_fn *fn,
				    void *context, int max);
	int (*captures_fd)(struct datapath *datapath);
	int (*captures_read)(struct datapath *datapath, datapath_capture_fn *fn, void *context,
			     int max);
	int (*flow_ends_fd)(struct datapath *datapath);
	int (*flow_ends_read)(struct datapath *datapath, datapath_flow_end_fn *fn, void *context,
			      int max);
	/* NULL: all rows are one piece, and a walk and a removal take them */
	struct datapath_pieces *(*pieces_begin)(struct datapath *datapath, enum table_id table);
	int (*pieces_next)(struct datapath_pieces *pieces, datapath_row_fn *fn, void *context);
	void (*pieces_end)(struct datapath_pieces *pieces);
	int (*take_rows)(struct datapath *datapath, enum table_id table, datapath_row_fn *fn,
			 void *context);
	const struct datapath_feature *(*features)(struct datapath *datapath, size_t *count);
	uint64_t (*memory)(struct datapath *datapath);
};

/* What every provider's walk in pieces begins with. */
struct datapath_pieces {
	struct datapath *datapath;
	enum table_id table;
};

/**
 * struct datapath - what every provider's struct begins with
 * @mapped: memory of the array tables that the pipeline shares; NULL for the other tables
 * @room: rows of each table as it was made, which may differ from that in the list
 */
struct datapath {
	const struct datapath_operations *operations;
	void *mapped[TABLES];
	uint32_t room[TABLES];
};

#endif
