/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps, one for each table of core/tables.h, and the ring of drop events.
 *
 * Defined once here; everybody else sees them as extern through target.h. The loader
 * (datapath/kernel_load.c) changes the room of some before they are made, and pins them.
 */
#include "target.h"

#define TABLE_DEFINE(table, kind, key_type, value_type, room)                                      \
	struct table_##table table SEC(".maps");
WEFT_TABLES(TABLE_DEFINE)

struct drop_ring drop_events SEC(".maps");
