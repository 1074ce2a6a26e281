/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of the pipeline's bench share; see pipeline.bpf.c. */
#ifndef BENCH_PIPELINE_H
#define BENCH_PIPELINE_H

#include <linux/types.h>

/* Ethernet, IPv4 without options, UDP, 22 bytes: 64 in all. */
#define PIPELINE_FRAME_SIZE 64
#define PIPELINE_SOURCE_PORT 34 /* offset of the UDP source port */
#define PIPELINE_DESTINATION_PORT 36

/* How the frame looks before each run. */
struct pipeline_frame {
	__u8 ethernet[12]; /* destination and source MAC */
	__u32 source_port; /* of the next run, host byte order */
	__u32 source_step; /* added to it after each run: 0 is one connection, 1 only first packets */
	__u32 destination_port; /* likewise */
	__u32 destination_step; /* 1: first packets of which the rules have not judged any like it */
};

#endif
