/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bridges of Open vSwitch: which there are, and ports of Weft's put on them and taken off.
 *
 * Open vSwitch keeps what it is to do in a database of its own, OVSDB, that speaks JSON-RPC on a unix socket
 * (RFC 7047). Three transactions are all that is needed here, so each call opens the socket, asks, and closes
 * it again; nothing is kept. A server that does not answer within a second is one that is not running.
 *
 * Neighbours: device_link.c, the caller.
 */
#ifndef WEFT_AGENT_OVSDB_H
#define WEFT_AGENT_OVSDB_H

#include <stdbool.h>

#include "base/error.h"

#define OVSDB_SOCKET_DEFAULT "/run/openvswitch/db.sock"

/**
 * struct ovsdb_bridge - a bridge, and what it knows of one device
 * @user_space: its datapath is a process, which reads frames as they are on the wire
 * @member: the device is a port of the bridge
 * @elsewhere: it is a port of another bridge
 * @fault: why Open vSwitch cannot use it; "" if it can, or has not tried yet
 */
struct ovsdb_bridge {
	bool user_space;
	bool member;
	bool elsewhere;
	char fault[200];
};

/**
 * ovsdb_look - ask for a bridge, and for a device on it
 * @socket_path: of the database's server
 * @device: name of an interface, which may be unknown there
 *
 * Return: 0; -ENODEV if there is no such bridge; -ENOTCONN if no Open vSwitch is running; or another
 *	negative errno.
 */
int ovsdb_look(const char *socket_path, const char *bridge, const char *device,
	       struct ovsdb_bridge *found, struct error *error);

/**
 * ovsdb_add - make a device a port of a bridge
 * @owner: whose it is, kept there for people ("external_ids: weft")
 *
 * Return: 0 or negative errno, as of ovsdb_look().
 */
int ovsdb_add(const char *socket_path, const char *bridge, const char *device, const char *owner,
	      struct error *error);

/**
 * ovsdb_remove - take a device off whatever bridge it is on
 *
 * Return: 0, also if it is on none; or negative errno, as of ovsdb_look().
 */
int ovsdb_remove(const char *socket_path, const char *device, struct error *error);

#endif
