/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a port of the intent to the request for its device: how it is attached, its MTU, rates, and what is to be
 * set inside its namespace.
 *
 * Apart from ports.c because it knows the model only, and nothing of how a port is right now.
 */
#ifndef WEFT_AGENT_PORT_REQUEST_H
#define WEFT_AGENT_PORT_REQUEST_H

#include "agent/devices/device.h"
#include "agent/names.h"
#include "model/patches.h"

/* What a request points to, until the call is over; the caller frees @addresses. */
struct port_request_memory {
	char name[PATH_NAME_SIZE];
	struct ip_prefix *addresses;
	struct ip_address gateways[2];
	struct patch patch;
};

/**
 * port_request_make - what the device of @port is to be
 * @request: set on success; borrows from @memory and from @intent
 *
 * Return: false when the port has no device of its own: it is behind another port's, or half of the intent is
 * not there.
 */
bool port_request_make(const struct intent *intent, const struct port_object *port,
		       struct device_request *request, struct port_request_memory *memory);

#endif
