/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The punt device; see punt.h.
 *
 * The tap is not persistent: the kernel takes it away with the daemon, however that ends, and this is how
 * the pipeline knows. Nothing of the host's own ever leaves by it, for it has no address; what comes
 * without a header is counted and forgotten.
 */
#include "agent/services/punt.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/devices/own_device.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/tap.h"

#define ETHERNET_HEADER_SIZE 14
#define DEVICE_MTU 9216
#define QUEUE_LENGTH                                                                               \
	4096         /* frames that wait while the daemon is busy: one for each of many clients */
#define READ_MAX 256 /* per round of the loop, so that a flood does not starve the rest */
#define RETRY_NS (10 * CLOCK_NS_PER_SECOND)

struct punt {
	struct loop *loop;
	struct datapath *datapath;
	char name[OWN_NAME_SIZE];
	int fd; /* -1: there is no device */
	struct loop_timer retry;
	struct {
		punt_callback *callback;
		void *context;
	} handlers[PUNT_REASONS];
	struct punt_counts counts;
	uint8_t buffer[PUNT_FRAME_MAX];
};

/* ---- what comes in ---- */

/* ARP, which has no header of the pipeline's, or neighbour discovery (core/wire.c). */
static bool is_answer(const struct punt *punt, size_t size)
{
	const uint8_t *type = punt->buffer + 12;

	return size > ETHERNET_HEADER_SIZE && punt->handlers[PUNT_ANSWERED].callback &&
	       ((type[0] == 0x08 && type[1] == 0x06) || (type[0] == 0x86 && type[1] == 0xdd));
}

static void take_frame(struct punt *punt, size_t size)
{
	struct punt_header header;
	struct punt_frame frame;

	if (size < ETHERNET_HEADER_SIZE + sizeof(header))
		goto foreign;
	memcpy(&header, punt->buffer + ETHERNET_HEADER_SIZE, sizeof(header));
	if (header.version != PUNT_VERSION || header.reason >= PUNT_ANSWERED)
		goto foreign;
	punt->counts.received++;
	if (!punt->handlers[header.reason].callback)
		return;
	memmove(punt->buffer + sizeof(header), punt->buffer, ETHERNET_HEADER_SIZE);
	frame = (struct punt_frame){
		.reason = (enum punt_reason)header.reason,
		.port_id = header.port_id,
		.subnet_id = header.subnet_id,
		.vlan = header.vlan,
		.wire_id = header.wire_id,
		.data = punt->buffer + sizeof(header),
		.size = size - sizeof(header),
	};
	punt->handlers[header.reason].callback(punt->handlers[header.reason].context, &frame);
	return;
foreign:
	if (is_answer(punt, size))
		punt->handlers[PUNT_ANSWERED].callback(punt->handlers[PUNT_ANSWERED].context, NULL);
	else
		punt->counts.foreign++;
}

static void close_device(struct punt *punt)
{
	datapath_attach_punt(punt->datapath, 0, NULL);
	if (punt->fd < 0)
		return;
	loop_remove_fd(punt->loop, punt->fd);
	close(punt->fd);
	punt->fd = -1;
}

/* Somebody has deleted the device, or it cannot be read: a new one, in a while. */
static void lose_device(struct punt *punt, int code)
{
	log_warning("the device for DHCP and router advertisements is gone",
		    "device=%s text=\"%s\"", punt->name, strerror(code));
	close_device(punt);
	loop_timer_start(punt->loop, &punt->retry, CLOCK_NS_PER_SECOND, 0);
}

static void device_ready(void *context, int fd, uint32_t events)
{
	struct punt *punt = context;

	(void)events;
	for (int i = 0; i < READ_MAX && punt->fd == fd; i++) {
		ssize_t got = read(fd, punt->buffer, sizeof(punt->buffer));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			if (errno != EAGAIN)
				lose_device(punt, errno);
			return;
		}
		take_frame(punt, (size_t)got);
	}
}

/* ---- the device ---- */

/* The program is there before anything can be written, for what is written must not reach the host. */
static int open_device(struct punt *punt, struct error *error)
{
	const struct tap_options options = {
		.name = punt->name,
		.netns_fd = -1,
		.owner = (uid_t)-1,
	};
	uint32_t ifindex;
	int code;

	punt->fd = tap_open(&options, error);
	if (punt->fd < 0)
		return punt->fd;
	code = own_device_set_up(punt->name, "weft punt", DEVICE_MTU, QUEUE_LENGTH, &ifindex,
				 error);
	if (!code)
		code = datapath_attach_punt(punt->datapath, ifindex, error);
	if (!code) {
		code = loop_add_fd(punt->loop, punt->fd, EPOLLIN, device_ready, punt);
		if (code)
			error_set(error, code, NULL, "cannot watch %s: %s", punt->name,
				  strerror(-code));
	}
	if (code)
		close_device(punt);
	return code;
}

static void try_open(void *context)
{
	struct punt *punt = context;
	struct error error = { 0 };

	if (!open_device(punt, &error)) {
		log_info("punt device open", "device=%s", punt->name);
		return;
	}
	log_limited(LOG_LEVEL_WARNING, "DHCP and router advertisements are not served",
		    "text=\"%s\"", error.text);
	datapath_attach_punt(punt->datapath, 0, NULL);
	loop_timer_start(punt->loop, &punt->retry, RETRY_NS, 0);
}

int punt_open(struct loop *loop, struct datapath *datapath, const char *instance,
	      struct punt **punt, struct error *error)
{
	(void)error;
	*punt = xcalloc(1, sizeof(**punt));
	(*punt)->loop = loop;
	(*punt)->datapath = datapath;
	(*punt)->fd = -1;
	own_name((*punt)->name, "wp-", instance);
	loop_timer_init(&(*punt)->retry, try_open, *punt);
	try_open(*punt);
	return 0;
}

void punt_close(struct punt *punt)
{
	if (!punt)
		return;
	loop_timer_stop(&punt->retry);
	close_device(punt);
	free(punt);
}

void punt_handle(struct punt *punt, enum punt_reason reason, punt_callback *callback, void *context)
{
	punt->handlers[reason].callback = callback;
	punt->handlers[reason].context = context;
}

/* ---- what goes out ---- */

static int write_frame(struct punt *punt, struct punt_header *header, const void *frame,
		       size_t size)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)frame;
	const struct iovec parts[] = {
		{ bytes, ETHERNET_HEADER_SIZE },
		{ header, sizeof(*header) },
		{ bytes + ETHERNET_HEADER_SIZE, size - ETHERNET_HEADER_SIZE },
	};

	if (size <= ETHERNET_HEADER_SIZE || size > DEVICE_MTU)
		return -EMSGSIZE;
	if (punt->fd < 0 || writev(punt->fd, parts, ARRAY_SIZE(parts)) < 0) {
		punt->counts.failed++;
		return punt->fd < 0 ? -ENODEV : -errno;
	}
	punt->counts.sent++;
	return 0;
}

int punt_send(struct punt *punt, uint32_t port_id, uint16_t vlan, const void *frame, size_t size)
{
	struct punt_header header = { .version = PUNT_VERSION, .vlan = vlan, .port_id = port_id };

	return write_frame(punt, &header, frame, size);
}

int punt_give_back(struct punt *punt, enum punt_reason reason, const struct punt_frame *frame)
{
	struct punt_header header = {
		.version = PUNT_VERSION,
		.reason = (uint8_t)reason,
		.vlan = frame->vlan,
		.port_id = frame->port_id,
		.subnet_id = frame->subnet_id,
		.wire_id = frame->wire_id,
	};

	return write_frame(punt, &header, frame->data, frame->size);
}

int punt_send_hosts(struct punt *punt, uint32_t subnet_id, const void *frame, size_t size)
{
	struct punt_header header = { .version = PUNT_VERSION, .subnet_id = subnet_id };

	return write_frame(punt, &header, frame, size);
}

bool punt_is_there(const struct punt *punt)
{
	return punt->fd >= 0;
}

const struct punt_counts *punt_counts(const struct punt *punt)
{
	return &punt->counts;
}
