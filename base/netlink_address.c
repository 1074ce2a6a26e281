/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses, routes and neighbours by rtnetlink; the contracts are in netlink.h.
 *
 * The kernel keeps IPv4 and IPv6 apart; here is the one place where the single address type of
 * this program is turned into the kernel's two, and back.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/netlink.h"
#include "base/netlink_private.h"

#define IPV4_OFFSET 96
#define IPV4_SIZE 4
#define IPV6_SIZE 16
#define NETLINK_RECORD_SIZE (NETLINK_REQUEST_SIZE - 64)

/* The bytes of @address that the kernel wants, and how many. */
static const uint8_t *address_bytes(const struct ip_address *address, size_t *size)
{
	bool ipv4 = ip_address_is_ipv4(address);

	*size = ipv4 ? IPV4_SIZE : IPV6_SIZE;
	return ipv4 ? address->byte + IPV6_SIZE - IPV4_SIZE : address->byte;
}

static uint8_t address_family(const struct ip_address *address)
{
	return ip_address_is_ipv4(address) ? AF_INET : AF_INET6;
}

static void put_address(struct nlmsghdr *message, uint16_t type, const struct ip_address *address)
{
	size_t size;
	const uint8_t *bytes = address_bytes(address, &size);

	mnl_attr_put(message, type, size, bytes);
}

/* Return: false if the attribute has not the size of an address. */
static bool parse_address(const struct nlattr *attribute, struct ip_address *address)
{
	uint16_t size = mnl_attr_get_payload_len(attribute);

	if (size != IPV4_SIZE && size != IPV6_SIZE)
		return false;
	*address = ip_address_from_ipv4(0);
	memcpy(address->byte + IPV6_SIZE - size, mnl_attr_get_payload(attribute), size);
	return true;
}

static struct netlink_record record_of(const struct nlmsghdr *message)
{
	return (struct netlink_record){ .type = message->nlmsg_type,
					.size = (uint32_t)mnl_nlmsg_get_payload_len(message),
					.bytes = mnl_nlmsg_get_payload(message) };
}

/* Addresses ---------------------------------------------------------------------------------- */

static uint8_t scope_of(const struct ip_address *address)
{
	if (ip_address_is_loopback(address))
		return RT_SCOPE_HOST;
	return ip_address_is_link_local(address) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

static int change_address(struct netlink *netlink, uint16_t type, uint16_t flags,
			  const struct address_info *address, const char *verb, struct error *error)
{
	const struct ip_address *local = &address->address.address;
	char text[IP_PREFIX_TEXT_SIZE];
	struct nlmsghdr *message;
	struct ifaddrmsg *body;

	ip_prefix_format(&address->address, text);
	if (ip_address_is_ipv4(local) && address->address.length < IPV4_OFFSET)
		return error_set(error, EINVAL, NULL, "%s has no length an address can have", text);
	message = netlink_request(netlink, type, flags, sizeof(*body), &body);
	body->ifa_family = address_family(local);
	body->ifa_prefixlen = ip_prefix_family_length(&address->address);
	body->ifa_scope = scope_of(local);
	body->ifa_index = address->ifindex;
	put_address(message, IFA_LOCAL, local);
	put_address(message, IFA_ADDRESS, local);
	if (address->no_dad && body->ifa_family == AF_INET6)
		mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_NODAD);
	return netlink_finish(netlink, message, error, "%s address %s on device %u", verb, text,
			      address->ifindex);
}

int netlink_address_add(struct netlink *netlink, const struct address_info *address,
			struct error *error)
{
	return change_address(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address, "add",
			      error);
}

int netlink_address_delete(struct netlink *netlink, const struct address_info *address,
			   struct error *error)
{
	return change_address(netlink, RTM_DELADDR, 0, address, "delete", error);
}

struct address_listing {
	uint32_t ifindex;
	address_callback *callback;
	void *context;
};

static void list_address(void *context, const struct nlmsghdr *message)
{
	const struct address_listing *listing = context;
	const struct ifaddrmsg *body = mnl_nlmsg_get_payload(message);
	struct address_info address = { 0 };
	const struct nlattr *attribute;
	bool has_address = false;
	bool has_local = false;
	uint32_t flags;

	if (message->nlmsg_type != RTM_NEWADDR ||
	    message->nlmsg_len < mnl_nlmsg_size(sizeof(*body)) ||
	    (listing->ifindex && body->ifa_index != listing->ifindex))
		return;
	flags = body->ifa_flags;
	mnl_attr_for_each(attribute, message, sizeof(*body)) {
		uint16_t type = mnl_attr_get_type(attribute);

		/* The local one is the device's own where both are given. */
		if (type == IFA_LOCAL)
			has_local = parse_address(attribute, &address.address.address);
		else if (type == IFA_ADDRESS && !has_local)
			has_address = parse_address(attribute, &address.address.address);
		else if (type == IFA_FLAGS && mnl_attr_get_payload_len(attribute) >= 4)
			flags = mnl_attr_get_u32(attribute);
	}
	if (!has_address && !has_local)
		return;
	address.record = record_of(message);
	address.ifindex = body->ifa_index;
	address.scope = body->ifa_scope;
	address.no_dad = flags & IFA_F_NODAD;
	address.address.length =
		(uint8_t)(body->ifa_prefixlen + (body->ifa_family == AF_INET ? IPV4_OFFSET : 0));
	listing->callback(listing->context, &address);
}

int netlink_address_list(struct netlink *netlink, uint32_t ifindex, address_callback *callback,
			 void *context, struct error *error)
{
	struct address_listing listing = {
		.ifindex = ifindex,
		.callback = callback,
		.context = context,
	};
	struct nlmsghdr *message;
	struct ifaddrmsg *body;

	message = netlink_request(netlink, RTM_GETADDR, NLM_F_DUMP, sizeof(*body), &body);
	body->ifa_index = ifindex;
	return netlink_ask(netlink, message, list_address, &listing, error, "list addresses");
}

/* Routes ------------------------------------------------------------------------------------- */

static void put_gateway(struct nlmsghdr *message, const struct route_info *route, uint8_t family)
{
	uint8_t gateway_family = address_family(&route->gateway);
	struct {
		uint16_t family;
		uint8_t bytes[IPV6_SIZE];
	} via = { .family = gateway_family };
	const uint8_t *bytes;
	size_t size;

	if (gateway_family == family) {
		put_address(message, RTA_GATEWAY, &route->gateway);
		return;
	}
	/* A gateway of the other family: IPv4 over an IPv6 next hop. */
	bytes = address_bytes(&route->gateway, &size);
	memcpy(via.bytes, bytes, size);
	mnl_attr_put(message, RTA_VIA, sizeof(via.family) + size, &via);
}

static int change_route(struct netlink *netlink, uint16_t type, uint16_t flags,
			const struct route_info *route, const char *verb, struct error *error)
{
	bool add = type == RTM_NEWROUTE;
	char text[IP_PREFIX_TEXT_SIZE];
	struct nlmsghdr *message;
	struct ip_address first;
	struct rtmsg *body;

	ip_prefix_format(&route->destination, text);
	first = ip_prefix_first(&route->destination);
	message = netlink_request(netlink, type, flags, sizeof(*body), &body);
	body->rtm_family = ip_prefix_is_ipv4(&route->destination) ? AF_INET : AF_INET6;
	body->rtm_dst_len = ip_prefix_family_length(&route->destination);
	body->rtm_table = RT_TABLE_UNSPEC;
	body->rtm_protocol = add ? RTPROT_STATIC : RTPROT_UNSPEC;
	body->rtm_type = RTN_UNICAST;
	body->rtm_scope = RT_SCOPE_NOWHERE; /* to delete: whichever */
	if (add)
		body->rtm_scope = route->has_gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	if (route->onlink)
		body->rtm_flags = RTNH_F_ONLINK;
	mnl_attr_put_u32(message, RTA_TABLE, route->table ? route->table : RT_TABLE_MAIN);
	if (body->rtm_dst_len)
		put_address(message, RTA_DST, &first);
	if (route->has_gateway)
		put_gateway(message, route, body->rtm_family);
	if (route->ifindex)
		mnl_attr_put_u32(message, RTA_OIF, route->ifindex);
	if (route->metric)
		mnl_attr_put_u32(message, RTA_PRIORITY, route->metric);
	return netlink_finish(netlink, message, error, "%s route %s", verb, text);
}

int netlink_route_add(struct netlink *netlink, const struct route_info *route, struct error *error)
{
	return change_route(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, "add", error);
}

int netlink_route_delete(struct netlink *netlink, const struct route_info *route,
			 struct error *error)
{
	return change_route(netlink, RTM_DELROUTE, 0, route, "delete", error);
}

static void parse_via(const struct nlattr *attribute, struct route_info *route)
{
	const uint8_t *bytes = mnl_attr_get_payload(attribute);
	size_t size = mnl_attr_get_payload_len(attribute);

	if (size != sizeof(uint16_t) + IPV6_SIZE)
		return;
	memcpy(route->gateway.byte, bytes + sizeof(uint16_t), IPV6_SIZE);
	route->has_gateway = true;
}

static void parse_route_attribute(const struct nlattr *attribute, struct route_info *route)
{
	bool is_u32 = mnl_attr_get_payload_len(attribute) >= sizeof(uint32_t);

	switch (mnl_attr_get_type(attribute)) {
	case RTA_DST: parse_address(attribute, &route->destination.address); break;
	case RTA_GATEWAY: route->has_gateway = parse_address(attribute, &route->gateway); break;
	case RTA_VIA: parse_via(attribute, route); break;
	case RTA_OIF:
		if (is_u32)
			route->ifindex = mnl_attr_get_u32(attribute);
		break;
	case RTA_PRIORITY:
		if (is_u32)
			route->metric = mnl_attr_get_u32(attribute);
		break;
	case RTA_TABLE:
		if (is_u32)
			route->table = mnl_attr_get_u32(attribute);
		break;
	default: break;
	}
}

struct route_listing {
	route_callback *callback;
	void *context;
};

static void list_route(void *context, const struct nlmsghdr *message)
{
	const struct rtmsg *body = mnl_nlmsg_get_payload(message);
	const struct route_listing *listing = context;
	const struct nlattr *attribute;
	struct route_info route = { 0 };

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    message->nlmsg_len < mnl_nlmsg_size(sizeof(*body)) || body->rtm_type != RTN_UNICAST ||
	    (body->rtm_flags & RTM_F_CLONED))
		return;
	if (body->rtm_family == AF_INET)
		route.destination.address = ip_address_from_ipv4(0);
	else if (body->rtm_family != AF_INET6)
		return;
	route.destination.length =
		(uint8_t)(body->rtm_dst_len + (body->rtm_family == AF_INET ? IPV4_OFFSET : 0));
	route.table = body->rtm_table;
	route.onlink = body->rtm_flags & RTNH_F_ONLINK;
	mnl_attr_for_each(attribute, message, sizeof(*body)) {
		parse_route_attribute(attribute, &route);
	}
	route.record = record_of(message);
	if (route.table != RT_TABLE_LOCAL)
		listing->callback(listing->context, &route);
}

int netlink_route_list(struct netlink *netlink, route_callback *callback, void *context,
		       struct error *error)
{
	struct route_listing listing = { .callback = callback, .context = context };
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < sizeof(families); i++) {
		struct nlmsghdr *message;
		struct rtmsg *body;
		int result;

		message = netlink_request(netlink, RTM_GETROUTE, NLM_F_DUMP, sizeof(*body), &body);
		body->rtm_family = families[i];
		result = netlink_ask(netlink, message, list_route, &listing, error, "list routes");
		if (result)
			return result;
	}
	return 0;
}

/* Records ------------------------------------------------------------------------------------ */

/* What the kernel says of it, and does not want to hear. */
static void make_sayable(struct nlmsghdr *message)
{
	struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);
	struct rtmsg *route = mnl_nlmsg_get_payload(message);
	struct nlattr *attribute;

	if (message->nlmsg_type == RTM_NEWROUTE) {
		route->rtm_flags &= RTNH_F_ONLINK;
		return;
	}
	if (message->nlmsg_type != RTM_NEWADDR || address->ifa_family != AF_INET6)
		return;
	address->ifa_flags |= IFA_F_NODAD;
	mnl_attr_for_each(attribute, message, sizeof(*address)) {
		uint32_t *flags = mnl_attr_get_payload(attribute);

		if (mnl_attr_get_type(attribute) == IFA_FLAGS &&
		    mnl_attr_get_payload_len(attribute) == sizeof(*flags))
			*flags |= IFA_F_NODAD;
	}
}

static int say_record(struct netlink *netlink, const struct netlink_record *record, bool add,
		      struct error *error)
{
	bool route = record->type == RTM_NEWROUTE;
	size_t least = route ? sizeof(struct rtmsg) : sizeof(struct ifaddrmsg);
	uint16_t type = record->type;
	struct nlmsghdr *message;
	void *body;

	if ((!route && type != RTM_NEWADDR) || record->size < least ||
	    record->size > NETLINK_RECORD_SIZE)
		return error_set(error, EINVAL, NULL, "this is no address and no route");
	if (!add)
		type = route ? RTM_DELROUTE : RTM_DELADDR;
	message = netlink_request(netlink, type, add ? NLM_F_CREATE | NLM_F_EXCL : 0, record->size,
				  &body);
	memcpy(body, record->bytes, record->size);
	make_sayable(message);
	return netlink_finish(netlink, message, error, "%s %s again", add ? "make" : "delete",
			      route ? "a route" : "an address");
}

int netlink_record_add(struct netlink *netlink, const struct netlink_record *record,
		       struct error *error)
{
	return say_record(netlink, record, true, error);
}

int netlink_record_delete(struct netlink *netlink, const struct netlink_record *record,
			  struct error *error)
{
	return say_record(netlink, record, false, error);
}

/* Neighbours --------------------------------------------------------------------------------- */

int netlink_neighbour_replace(struct netlink *netlink, uint32_t ifindex,
			      const struct ip_address *address, const struct mac_address *mac,
			      struct error *error)
{
	char text[IP_ADDRESS_TEXT_SIZE];
	struct nlmsghdr *message;
	struct ndmsg *body;

	message = netlink_request(netlink, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
				  sizeof(*body), &body);
	body->ndm_family = address_family(address);
	body->ndm_ifindex = (int)ifindex;
	body->ndm_state = NUD_PERMANENT;
	put_address(message, NDA_DST, address);
	mnl_attr_put(message, NDA_LLADDR, sizeof(mac->byte), mac->byte);
	return netlink_finish(netlink, message, error, "set neighbour %s on device %u",
			      ip_address_format(address, text), ifindex);
}

int netlink_neighbour_delete(struct netlink *netlink, uint32_t ifindex,
			     const struct ip_address *address, struct error *error)
{
	char text[IP_ADDRESS_TEXT_SIZE];
	struct nlmsghdr *message;
	struct ndmsg *body;

	message = netlink_request(netlink, RTM_DELNEIGH, 0, sizeof(*body), &body);
	body->ndm_family = address_family(address);
	body->ndm_ifindex = (int)ifindex;
	put_address(message, NDA_DST, address);
	return netlink_finish(netlink, message, error, "delete neighbour %s on device %u",
			      ip_address_format(address, text), ifindex);
}
