/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a port's device is to be, as device.c is asked for it; see port_request.h.
 */
#include "agent/devices/port_request.h"

#include "base/alloc.h"

static bool gateway_is_set(const struct ip_address *gateway)
{
	static const struct ip_address none;

	return !ip_address_equal(gateway, &none);
}

static void request_addresses(struct device_request *request, struct port_request_memory *memory,
			      const struct port_object *port, const struct subnet_object *subnet)
{
	bool has[2] = { false, false };

	memory->addresses = xcalloc(port->address_count, sizeof(*memory->addresses));
	for (size_t i = 0; i < port->address_count; i++) {
		size_t family = ip_address_is_ipv4(&port->addresses[i]) ? 0 : 1;
		uint8_t length = subnet->cidrs[family].length;

		has[family] = true;
		memory->addresses[i].address = port->addresses[i];
		memory->addresses[i].length = length ? length : 128;
	}
	request->addresses = memory->addresses;
	request->address_count = port->address_count;
	request->gateways = memory->gateways;
	for (size_t family = 0; family < 2; family++)
		if (has[family] && gateway_is_set(&subnet->gateways[family]))
			memory->gateways[request->gateway_count++] = subnet->gateways[family];
}

bool port_request_make(const struct intent *intent, const struct port_object *port,
		       struct device_request *request, struct port_request_memory *memory)
{
	const struct object *object = &port->object;
	const struct subnet_object *subnet =
		(const struct subnet_object *)intent_object(intent, port->subnet_id);
	const struct object *vpc = intent_object(intent, object->vpc_id);

	if (!subnet || !vpc || port->attach.kind == ATTACH_CHILD)
		return false;
	*request = (struct device_request){
		.port_id = object->id,
		.port_name = names_path(intent, object, memory->name),
		.attach = &port->attach,
		.mac = port->mac,
		.mtu = intent_port_mtu(intent, port),
		.send_rate = port->send_rate,
		.receive_rate = port->receive_rate,
		.send_burst = port_send_burst(port),
		.receive_burst = port_receive_burst(port),
		.no_segmentation = !intent_vpc_offloads(intent, object->vpc_id),
	};
	request_addresses(request, memory, port, subnet);
	if (port->attach.kind == ATTACH_PATCH) {
		intent_patch(intent, port, &memory->patch);
		request->peer_id = memory->patch.peer_id;
		request->wait = memory->patch.sentence;
	}
	return true;
}
