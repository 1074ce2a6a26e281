/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The card of a virtual machine without the machine: frames go between a tap of the host and a tap that
 * stands for the machine's own card, as QEMU carries them between a tap and virtio-net.
 *
 *	weft-machine TAP NETNS DEVICE
 *
 * TAP is opened where this program runs, as Weft or who else has made it; DEVICE is made in the namespace
 * NETNS (a path). Both carry a virtio header and take large segments and unfinished checksums, so
 * what is measured is whether whoever feeds TAP keeps them whole. Says "ready" and goes on until killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/tap.h"

#define FRAME_SIZE_MAX (65536 + 64)
#define FRAMES_A_TURN 64

static int open_end(const char *name, int netns_fd)
{
	const struct tap_options options = {
		.name = name,
		.netns_fd = netns_fd,
		.vnet_header = true,
		.owner = (uid_t)-1,
	};
	struct error error = { 0 };
	int fd = tap_open(&options, &error);

	if (fd >= 0 && tap_set_offload(fd, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, &error) == 0)
		return fd;
	fprintf(stderr, "weft-machine: %s\n", error.text);
	exit(1);
}

/* Carries what is there, some frames at most. What the other side does not take is lost, as on a wire. */
static void carry(int from, int to)
{
	static char frame[FRAME_SIZE_MAX];

	for (int i = 0; i < FRAMES_A_TURN; i++) {
		ssize_t size = read(from, frame, sizeof(frame));

		if (size < 0 && (errno == EAGAIN || errno == EIO))
			return; /* EIO: the device is down */
		if (size <= 0) {
			perror("weft-machine: read");
			exit(1);
		}
		if (write(to, frame, (size_t)size) < 0 && errno != EAGAIN && errno != EIO &&
		    errno != EINVAL)
			perror("weft-machine: write");
	}
}

int main(int count, char **words)
{
	struct pollfd ends[2];
	int netns;

	if (count != 4) {
		fprintf(stderr, "usage: weft-machine TAP NETNS DEVICE\n");
		return 2;
	}
	netns = open(words[2], O_RDONLY | O_CLOEXEC);
	if (netns < 0) {
		perror(words[2]);
		return 1;
	}
	ends[0] = (struct pollfd){ .fd = open_end(words[1], -1), .events = POLLIN };
	ends[1] = (struct pollfd){ .fd = open_end(words[3], netns), .events = POLLIN };
	puts("ready");
	fflush(stdout);
	while (poll(ends, 2, -1) >= 0) {
		for (int i = 0; i < 2; i++)
			if (ends[i].revents)
				carry(ends[i].fd, ends[1 - i].fd);
	}
	perror("weft-machine: poll");
	return 1;
}
