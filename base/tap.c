/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tap and tun devices through /dev/net/tun; the contracts are in tap.h.
 *
 * A device belongs to the namespace in which /dev/net/tun was opened, so only that and the
 * attaching happen inside the target namespace.
 */
#include "base/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/netns.h"

static int fail(struct error *error, int code, const char *what, const char *name)
{
	return error_set(error, code, NULL, "cannot %s %s: %s", what, name, strerror(code));
}

static int attach_failed(const struct tap_options *options, int code, struct error *error)
{
	const char *kind = options->tun ? "tun" : "tap";

	if (code == EBUSY)
		return error_set(error, code, NULL, "%s %s is in use by another program", kind,
				 options->name);
	if (code == EINVAL)
		return error_set(error, code, NULL,
				 "device %s is there already and is not a %s%s device",
				 options->name, options->multi_queue ? "multi-queue " : "", kind);
	if (code == EPERM)
		return error_set(error, code, NULL,
				 "cannot open %s %s: it needs CAP_NET_ADMIN or another owner", kind,
				 options->name);
	return fail(error, code, "open", options->name);
}

/* In the target namespace already. */
static int open_here(const struct tap_options *options, struct error *error)
{
	struct ifreq request = { 0 };
	int result;
	int fd;

	request.ifr_flags = (short)(IFF_NO_PI | (options->tun ? IFF_TUN : IFF_TAP) |
				    (options->multi_queue ? IFF_MULTI_QUEUE : 0) |
				    (options->vnet_header ? IFF_VNET_HDR : 0) |
				    (options->exclusive ? IFF_TUN_EXCL : 0));
	memcpy(request.ifr_name, options->name, strlen(options->name));
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail(error, errno, "open", "/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &request)) {
		result = attach_failed(options, errno, error);
		goto close_fd;
	}
	if (options->owner != (uid_t)-1 && ioctl(fd, TUNSETOWNER, (unsigned long)options->owner)) {
		result = fail(error, errno, "set the owner of", options->name);
		goto close_fd;
	}
	return fd;
close_fd:
	close(fd);
	return result;
}

int tap_open(const struct tap_options *options, struct error *error)
{
	size_t length = strlen(options->name);
	int saved;
	int fd;

	/* '%' is a pattern to the kernel, which would invent a name. */
	if (!length || length >= IFNAMSIZ || strpbrk(options->name, "%/ "))
		return error_set(error, EINVAL, NULL, "\"%.32s\" is no name for a device",
				 options->name);
	saved = netns_enter(options->netns_fd, error);
	if (saved < 0)
		return saved;
	fd = open_here(options, error);
	netns_leave(saved);
	return fd;
}

int tap_create(const struct tap_options *options, struct error *error)
{
	int result;
	int fd;

	fd = tap_open(options, error);
	if (fd < 0)
		return fd;
	result = tap_set_persistent(fd, true, error);
	close(fd);
	return result;
}

int tap_set_persistent(int fd, bool persistent, struct error *error)
{
	if (ioctl(fd, TUNSETPERSIST, persistent ? 1UL : 0UL))
		return fail(error, errno, "make persistent", "the device");
	return 0;
}

int tap_set_offload(int fd, unsigned int offload, struct error *error)
{
	if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)offload))
		return fail(error, errno, "set the offloads of", "the device");
	return 0;
}
