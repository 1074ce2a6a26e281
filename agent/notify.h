/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tell the service manager how far we are (sd_notify(3), without its library).
 */
#ifndef WEFT_AGENT_NOTIFY_H
#define WEFT_AGENT_NOTIFY_H

/**
 * notify_manager - send @state, such as "READY=1", to the socket in NOTIFY_SOCKET
 *
 * Nothing happens when there is no such variable.
 *
 * Return: 0 or negative errno.
 */
int notify_manager(const char *state);

#endif
