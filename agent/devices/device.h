/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices of ports: made, adopted, watched, repaired, taken away.
 *
 *	devices_plug()     makes it so for any number of ports at once; safe to repeat at any time
 *	devices_set_up()   sets up those that are down, once the pipeline knows them
 *	callback           something happened behind our back: call devices_plug() for that port again
 *	devices_unplug()   removes what Weft made, never what it found
 *
 * A veth port has its end on the host named "w" and the port's id in hex; its alias ("weft
 * blue/web1 (port 26)") says whose it is, to people and to the next daemon. The other end is made
 * inside the namespace with its final name, MAC and MTU. A tap or tun has the name the user chose,
 * and the alias only if Weft made it. A port in a bridge is a pair whose far end ("b" behind the
 * name) is a member there. Offloads of a tap are settings of whoever opens it (QEMU), not of the
 * device.
 *
 * Devices live in the namespace that the thread was in at devices_open(). One thread, one loop.
 * device_veth.c, device_tap.c, device_link.c, device_adopt.c and device_netns.c do it,
 * device_watch.c watches; ports.c is the caller.
 */
#ifndef WEFT_AGENT_DEVICE_H
#define WEFT_AGENT_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/devices/adoption.h"
#include "base/addr.h"
#include "base/error.h"
#include "base/loop.h"
#include "core/tables.h"
#include "model/object.h"

enum device_state {
	DEVICE_PLUGGED, /* there, as asked for, with the pipeline attached */
	DEVICE_WAITING, /* its namespace or process does not exist; the callback tells when it does */
	DEVICE_FAILED, /* the sentence says why; it is tried again when devices_plug() is called */
};

/**
 * struct device_request - what a port's device is to be; borrowed for the call
 * @port_name: "blue/web1"
 * @attach: where it goes; ATTACH_NONE waits for ever
 * @mtu: bytes of IP
 * @addresses: with the length of the subnet's prefix (mapped space: IPv4 /24 is 120)
 * @gateways: default routes, at most one of each family
 * @peer_id: of a patch: the port that it is joined to; 0: none, and @wait says why
 * @send_rate, @receive_rate: bits per second, 0: no limit
 * @send_burst, @receive_burst: bytes beyond them; 0: as the rate asks for
 * @no_segmentation: the far end of a veth hands over no frames that stand for several packets
 *
 * Addresses and gateways are set inside the namespace if @attach->configure.
 */
struct device_request {
	uint32_t port_id;
	const char *port_name;
	const struct attach *attach;
	struct mac_address mac;
	uint32_t mtu;
	size_t address_count;
	const struct ip_prefix *addresses;
	size_t gateway_count;
	const struct ip_address *gateways;
	uint32_t peer_id;
	const char *wait;
	bool no_segmentation;
	uint64_t send_rate, receive_rate;
	uint32_t send_burst, receive_burst;
};

/**
 * struct device_result - what became of a request
 * @ifindex: on the host; 0 unless plugged
 * @kind: enum port_kind; PORT_UNPLUGGED unless plugged
 * @attachment_flags: enum attachment_flags
 * @changed: something was made or repaired; the sentence says what
 * @lacking: plugged, but something inside the namespace could not be set; the sentence says what
 * @unknown: it could not be looked at, for lack of descriptors or memory: all is as it was before. The sentence
 *	says what failed; plug it again later
 * @sentence: why it waits or failed, or what was changed; "" otherwise
 */
struct device_result {
	enum device_state state;
	uint32_t ifindex;
	uint32_t kind;
	uint32_t attachment_flags;
	bool changed;
	bool lacking;
	bool unknown;
	char sentence[400];
};

enum device_event_kind {
	DEVICE_NAMESPACE_APPEARED, /* a port that waits can be plugged in */
	DEVICE_NAMESPACE_GONE,     /* its name is gone; if nobody is in it the device is, too */
	DEVICE_GONE,               /* the device was deleted or moved away */
	DEVICE_CHANGED,            /* MAC, MTU, name or state were changed by somebody */
};

/* The port should be plugged again. Called from the loop, never from within a call of this module; it
 * may call all of them. @sentence: what happened, for log and events. */
typedef void device_event_fn(void *context, uint32_t port_id, enum device_event_kind kind,
			     const char *sentence);

/* Attaches the pipeline to a device before it is set up, so that the host's own stack never sees a
 * packet of a workload. Idempotent. @kind: enum port_kind; PORT_WIRE: the host goes on using it. */
typedef int device_attach_fn(void *context, uint32_t ifindex, uint32_t kind, struct error *error);

/**
 * struct device_options - borrowed for the call, the loop for the life of the devices
 * @instance: of the daemon; devices of other instances are left alone
 * @ovsdb: socket of Open vSwitch's database; NULL: the usual one
 * @adoptions: how devices of others were; NULL: that is forgotten in the end
 * @attach: may be NULL in tests
 * @event: may be NULL in tests
 */
struct device_options {
	struct loop *loop;
	const char *instance;
	const char *ovsdb;
	struct adoptions *adoptions;
	device_attach_fn *attach;
	device_event_fn *event;
	void *context;
};

struct devices;

/**
 * devices_open - begin to watch; makes nothing
 * @devices: set on success; release with devices_close()
 *
 * Return: 0 or negative errno.
 */
int devices_open(const struct device_options *options, struct devices **devices,
		 struct error *error);

/** devices_close - stop watching; the devices stay. NULL is ignored. */
void devices_close(struct devices *devices);

/**
 * devices_plug - make each port's device what is asked for, and say how it is now
 * @requests: any number, of different ports; one call for many is much cheaper
 * @results: as many, filled in; every request gets an answer whatever becomes of the others
 *
 * A device that is right already is adopted and not touched. What differs is repaired without
 * making it anew where the kernel allows; but what is down stays so until devices_set_up(), for a
 * packet that comes before the pipeline knows the port is lost. A port whose namespace has another
 * identity than that of its device is moved: the old device goes.
 */
void devices_plug(struct devices *devices, const struct device_request *requests, size_t count,
		  struct device_result *results);

/**
 * devices_set_up - set up those of these ports' devices that devices_plug() has found or left down
 * @failed: room for @count; the ports whose device could not be set up
 * @error: the sentence of the first
 *
 * Return: how many failed.
 */
size_t devices_set_up(struct devices *devices, const uint32_t *port_ids, size_t count,
		      uint32_t *failed, struct error *error);

/**
 * devices_check - compare one device with what is asked for; changes nothing
 * @result: as devices_plug() would leave it; where something would be repaired, state is
 *	DEVICE_FAILED and the sentence says what
 *
 * Return: true if devices_plug() would have nothing to do.
 */
bool devices_check(struct devices *devices, const struct device_request *request,
		   struct device_result *result);

/**
 * devices_unplug - remove the devices that Weft made for these ports, and forget the ports
 *
 * Ports that have none are passed over. A tap that was adopted is set down and stays.
 *
 * Return: 0, or the first negative errno; the others are removed all the same.
 */
int devices_unplug(struct devices *devices, const uint32_t *port_ids, size_t count,
		   struct error *error);

/**
 * devices_list - ids of all ports that this instance has made a device for, found by alias, or
 * adopted one
 * @port_ids: the caller's to free()
 *
 * For finding what a crash left behind: ports that the intent does not know.
 *
 * Return: how many, or negative errno.
 */
int devices_list(struct devices *devices, uint32_t **port_ids, struct error *error);

/* "plugged", "waiting", "failed". */
const char *device_state_name(enum device_state state);

#endif
