/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The numbers of tcx (Linux 6.6), which the headers of Debian 12 do not know yet.
 *
 * From the kernel's include/uapi/linux/bpf.h, where they are part of the ABI.
 */
#ifndef WEFT_DATAPATH_KERNEL_TCX_H
#define WEFT_DATAPATH_KERNEL_TCX_H

#include <stdint.h>

#define TCX_INGRESS 46   /* enum bpf_attach_type: BPF_TCX_INGRESS */
#define TCX_LINK_TYPE 11 /* enum bpf_link_type: BPF_LINK_TYPE_TCX */

/* What struct bpf_link_info holds in its union for a tcx link. */
struct tcx_link_info {
	uint32_t ifindex; /* 0: the device is gone */
	uint32_t attach_type;
};

#endif
