/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Copies into tunnels where no underlay is attached: there is no way out. underlay.bpf.c has the real
 * one, which takes this one's place.
 */
#include "target.h"

#include "core/packet.h"

__attribute__((weak)) int frame_copy_underlay(struct frame *f, struct packet *p)
{
	return p && f->len ? -1 : 0;
}
