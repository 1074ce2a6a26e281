/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Links by rtnetlink; the contracts are in netlink.h, the socket is in netlink.c.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/netlink.h"
#include "base/netlink_private.h"

/* Making ------------------------------------------------------------------------------------- */

static void put_end(struct nlmsghdr *message, struct ifinfomsg *body, const struct veth_end *end,
		    uint32_t mtu)
{
	body->ifi_family = AF_UNSPEC;
	if (end->up) {
		body->ifi_flags = IFF_UP;
		body->ifi_change = IFF_UP;
	}
	mnl_attr_put_strz(message, IFLA_IFNAME, end->name);
	if (!mac_address_is_zero(&end->mac))
		mnl_attr_put(message, IFLA_ADDRESS, sizeof(end->mac.byte), end->mac.byte);
	if (mtu)
		mnl_attr_put_u32(message, IFLA_MTU, mtu);
	if (end->netns_fd >= 0)
		mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)end->netns_fd);
}

int netlink_link_add_veth(struct netlink *netlink, const struct veth_end *near_end,
			  const struct veth_end *far_end, uint32_t mtu, struct error *error)
{
	struct ifinfomsg *peer_body;
	struct nlmsghdr *message;
	struct ifinfomsg *body;
	struct nlattr *info;
	struct nlattr *data;
	struct nlattr *peer;
	int result;

	result = netlink_check_name(near_end->name, error);
	if (!result)
		result = netlink_check_name(far_end->name, error);
	if (!result && far_end->up)
		result = error_set(error, EINVAL, NULL,
				   "the far end %s can only be set up once it is there",
				   far_end->name);
	if (result)
		return result;
	message = netlink_request(netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*body),
				  &body);
	put_end(message, body, near_end, mtu);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_str(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	peer_body = mnl_nlmsg_put_extra_header(message, sizeof(*peer_body));
	put_end(message, peer_body, far_end, mtu);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	return netlink_finish(netlink, message, error, "make the veth pair %s and %s",
			      near_end->name, far_end->name);
}

int netlink_link_add(struct netlink *netlink, const char *kind, const char *name,
		     struct error *error)
{
	struct nlmsghdr *message;
	struct ifinfomsg *body;
	struct nlattr *info;
	int result;

	result = netlink_check_name(name, error);
	if (result)
		return result;
	if (strnlen(kind, LINK_NAME_SIZE) == LINK_NAME_SIZE)
		return error_set(error, EINVAL, NULL, "\"%.32s\" is no kind of device", kind);
	message = netlink_request(netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*body),
				  &body);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_str(message, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(message, info);
	return netlink_finish(netlink, message, error, "make the %s device %s", kind, name);
}

int netlink_link_add_tunnel(struct netlink *netlink, const char *kind, const char *name,
			    uint16_t port, struct error *error)
{
	const bool vxlan = !strcmp(kind, "vxlan");
	struct nlmsghdr *message;
	struct ifinfomsg *body;
	struct nlattr *info;
	struct nlattr *data;
	int result;

	result = netlink_check_name(name, error);
	if (!result && !vxlan && strcmp(kind, "geneve") != 0)
		result = error_set(error, EINVAL, NULL, "\"%.32s\" is no kind of tunnel device",
				   kind);
	if (result)
		return result;
	message = netlink_request(netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*body),
				  &body);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_str(message, IFLA_INFO_KIND, kind);
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	if (vxlan) {
		mnl_attr_put_u8(message, IFLA_VXLAN_COLLECT_METADATA, 1);
		mnl_attr_put_u8(message, IFLA_VXLAN_LEARNING, 0);
		mnl_attr_put_u16(message, IFLA_VXLAN_PORT, htons(port));
		mnl_attr_put_u8(message, IFLA_VXLAN_UDP_ZERO_CSUM6_RX, 1);
	} else {
		mnl_attr_put(message, IFLA_GENEVE_COLLECT_METADATA, 0, NULL);
		mnl_attr_put_u16(message, IFLA_GENEVE_PORT, htons(port));
		mnl_attr_put_u8(message, IFLA_GENEVE_UDP_ZERO_CSUM6_RX, 1);
	}
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	return netlink_finish(netlink, message, error, "make the %s device %s on port %u", kind,
			      name, port);
}

int netlink_link_delete(struct netlink *netlink, uint32_t ifindex, struct error *error)
{
	struct nlmsghdr *message;
	struct ifinfomsg *body;

	/* Index 0 with no name would be a wildcard to nothing; say so instead of EINVAL. */
	if (!ifindex)
		return error_set(error, ENODEV, NULL, "cannot delete device 0: there is none");
	message = netlink_request(netlink, RTM_DELLINK, 0, sizeof(*body), &body);
	body->ifi_index = (int)ifindex;
	return netlink_finish(netlink, message, error, "delete device %u", ifindex);
}

/* Changing ----------------------------------------------------------------------------------- */

static struct nlmsghdr *request_set(struct netlink *netlink, uint32_t ifindex,
				    struct ifinfomsg **body)
{
	struct nlmsghdr *message = netlink_request(netlink, RTM_SETLINK, 0, sizeof(**body), body);

	(*body)->ifi_index = (int)ifindex;
	return message;
}

int netlink_link_set_up(struct netlink *netlink, uint32_t ifindex, bool up, struct error *error)
{
	struct ifinfomsg *body;
	struct nlmsghdr *message = request_set(netlink, ifindex, &body);

	body->ifi_flags = up ? IFF_UP : 0;
	body->ifi_change = IFF_UP;
	return netlink_finish(netlink, message, error, "set device %u %s", ifindex,
			      up ? "up" : "down");
}

int netlink_link_set_promiscuous(struct netlink *netlink, uint32_t ifindex, bool on,
				 struct error *error)
{
	struct ifinfomsg *body;
	struct nlmsghdr *message = request_set(netlink, ifindex, &body);

	body->ifi_flags = on ? IFF_PROMISC : 0;
	body->ifi_change = IFF_PROMISC;
	return netlink_finish(netlink, message, error, "make device %u %s", ifindex,
			      on ? "take all frames" : "take its own frames only");
}

int netlink_link_set_mac(struct netlink *netlink, uint32_t ifindex, const struct mac_address *mac,
			 struct error *error)
{
	struct ifinfomsg *body;
	struct nlmsghdr *message = request_set(netlink, ifindex, &body);

	mnl_attr_put(message, IFLA_ADDRESS, sizeof(mac->byte), mac->byte);
	return netlink_finish(netlink, message, error, "set the MAC of device %u", ifindex);
}

int netlink_link_set_mtu(struct netlink *netlink, uint32_t ifindex, uint32_t mtu,
			 struct error *error)
{
	struct ifinfomsg *body;
	struct nlmsghdr *message = request_set(netlink, ifindex, &body);

	mnl_attr_put_u32(message, IFLA_MTU, mtu);
	return netlink_finish(netlink, message, error, "set the MTU of device %u to %u", ifindex,
			      mtu);
}

int netlink_link_change(struct netlink *netlink, uint32_t ifindex, const struct link_change *change,
			struct error *error)
{
	struct ifinfomsg *body;
	struct nlmsghdr *message = request_set(netlink, ifindex, &body);
	struct nlattr *families;
	struct nlattr *family;

	if (change->up || change->down) {
		body->ifi_flags = change->up ? IFF_UP : 0;
		body->ifi_change = IFF_UP;
	}
	if (change->mac)
		mnl_attr_put(message, IFLA_ADDRESS, sizeof(change->mac->byte), change->mac->byte);
	if (change->mtu)
		mnl_attr_put_u32(message, IFLA_MTU, change->mtu);
	if (change->group)
		mnl_attr_put_u32(message, IFLA_GROUP, change->group);
	if (change->alias)
		mnl_attr_put(message, IFLA_IFALIAS, strnlen(change->alias, LINK_ALIAS_SIZE - 1),
			     change->alias);
	if (change->link_local != LINK_LOCAL_KEEP) {
		families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
		family = mnl_attr_nest_start(message, AF_INET6);
		mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, (uint8_t)change->link_local);
		mnl_attr_nest_end(message, family);
		mnl_attr_nest_end(message, families);
	}
	return netlink_finish(netlink, message, error, "change device %u", ifindex);
}

int netlink_link_delete_group(struct netlink *netlink, uint32_t group, struct error *error)
{
	struct nlmsghdr *message;
	struct ifinfomsg *body;

	if (!group)
		return error_set(error, EINVAL, NULL, "group 0 holds all devices");
	message = netlink_request(netlink, RTM_DELLINK, 0, sizeof(*body), &body);
	mnl_attr_put_u32(message, IFLA_GROUP, group);
	return netlink_finish(netlink, message, error, "delete the devices of group %u", group);
}

int netlink_link_set_name(struct netlink *netlink, uint32_t ifindex, const char *name,
			  struct error *error)
{
	struct nlmsghdr *message;
	struct ifinfomsg *body;
	int result;

	result = netlink_check_name(name, error);
	if (result)
		return result;
	message = request_set(netlink, ifindex, &body);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	return netlink_finish(netlink, message, error, "name device %u %s", ifindex, name);
}

int netlink_link_set_netns(struct netlink *netlink, uint32_t ifindex, int netns_fd,
			   struct error *error)
{
	struct ifinfomsg *body;
	struct nlmsghdr *message = request_set(netlink, ifindex, &body);

	mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	return netlink_finish(netlink, message, error, "move device %u to another namespace",
			      ifindex);
}

int netlink_link_set_master(struct netlink *netlink, uint32_t ifindex, uint32_t master_ifindex,
			    struct error *error)
{
	struct ifinfomsg *body;
	struct nlmsghdr *message = request_set(netlink, ifindex, &body);

	mnl_attr_put_u32(message, IFLA_MASTER, master_ifindex);
	return netlink_finish(netlink, message, error, "put device %u under device %u", ifindex,
			      master_ifindex);
}

int netlink_link_set_reflecting(struct netlink *netlink, uint32_t ifindex, struct error *error)
{
	struct ifinfomsg *body;
	struct nlmsghdr *message = request_set(netlink, ifindex, &body);
	struct nlattr *port;

	body->ifi_family = AF_BRIDGE;
	port = mnl_attr_nest_start(message, IFLA_PROTINFO);
	mnl_attr_put_u8(message, IFLA_BRPORT_MODE, BRIDGE_MODE_HAIRPIN);
	mnl_attr_nest_end(message, port);
	return netlink_finish(netlink, message, error, "make the bridge of device %u reflect",
			      ifindex);
}

int netlink_link_set_queue_length(struct netlink *netlink, uint32_t ifindex, uint32_t packets,
				  struct error *error)
{
	struct ifinfomsg *body;
	struct nlmsghdr *message = request_set(netlink, ifindex, &body);

	mnl_attr_put_u32(message, IFLA_TXQLEN, packets);
	return netlink_finish(netlink, message, error, "set the queue length of device %u",
			      ifindex);
}

/* Reading ------------------------------------------------------------------------------------ */

static void parse_kind(const struct nlattr *info, struct link_info *link)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, info) {
		if (mnl_attr_get_type(attribute) != IFLA_INFO_KIND ||
		    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0)
			continue;
		strncpy(link->kind, mnl_attr_get_str(attribute), sizeof(link->kind) - 1);
	}
}

/* An attribute of 32 bits; anything shorter is left out. */
static void parse_u32(const struct nlattr *attribute, uint32_t *value)
{
	if (mnl_attr_get_payload_len(attribute) >= sizeof(*value))
		*value = mnl_attr_get_u32(attribute);
}

static void parse_attribute(const struct nlattr *attribute, struct link_info *link)
{
	uint32_t id;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			strncpy(link->name, mnl_attr_get_str(attribute), sizeof(link->name) - 1);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attribute) == sizeof(link->mac.byte))
			memcpy(link->mac.byte, mnl_attr_get_payload(attribute),
			       sizeof(link->mac.byte));
		break;
	case IFLA_MTU: parse_u32(attribute, &link->mtu); break;
	case IFLA_LINK: parse_u32(attribute, &link->peer_ifindex); break;
	case IFLA_LINK_NETNSID:
		id = UINT32_MAX;
		parse_u32(attribute, &id);
		link->peer_netnsid = (int32_t)id;
		break;
	case IFLA_MASTER: parse_u32(attribute, &link->master_ifindex); break;
	case IFLA_TXQLEN: parse_u32(attribute, &link->transmit_queue_length); break;
	case IFLA_OPERSTATE:
		if (mnl_attr_get_payload_len(attribute) >= 1)
			link->operational_state = mnl_attr_get_u8(attribute);
		break;
	case IFLA_QDISC:
		if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			strncpy(link->qdisc, mnl_attr_get_str(attribute), sizeof(link->qdisc) - 1);
		break;
	case IFLA_IFALIAS:
		if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			strncpy(link->alias, mnl_attr_get_str(attribute), sizeof(link->alias) - 1);
		break;
	case IFLA_LINKINFO: parse_kind(attribute, link); break;
	default: break;
	}
}

bool netlink_parse_link(const struct nlmsghdr *message, struct link_info *link)
{
	const struct ifinfomsg *body = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;

	if ((message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) ||
	    message->nlmsg_len < mnl_nlmsg_size(sizeof(*body)) || body->ifi_family != AF_UNSPEC)
		return false;
	*link = (struct link_info){
		.ifindex = (uint32_t)body->ifi_index,
		.flags = body->ifi_flags,
		.type = body->ifi_type,
		.peer_netnsid = -1,
		.netnsid = -1,
	};
	mnl_attr_for_each(attribute, message, sizeof(*body)) {
		parse_attribute(attribute, link);
	}
	return true;
}

static void store_link(void *context, const struct nlmsghdr *message)
{
	struct link_info link;

	if (netlink_parse_link(message, &link))
		*(struct link_info *)context = link;
}

/* Statistics would be half of each answer. */
static void put_filter(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

int netlink_link_get(struct netlink *netlink, uint32_t ifindex, struct link_info *link,
		     struct error *error)
{
	struct nlmsghdr *message;
	struct ifinfomsg *body;

	if (!ifindex)
		return error_set(error, ENODEV, NULL, "there is no device 0");
	message = netlink_request(netlink, RTM_GETLINK, 0, sizeof(*body), &body);
	body->ifi_index = (int)ifindex;
	put_filter(message);
	return netlink_ask(netlink, message, store_link, link, error, "look up device %u", ifindex);
}

int netlink_link_get_by_name(struct netlink *netlink, const char *name, struct link_info *link,
			     struct error *error)
{
	struct nlmsghdr *message;
	struct ifinfomsg *body;
	int result;

	result = netlink_check_name(name, error);
	if (result)
		return result;
	message = netlink_request(netlink, RTM_GETLINK, 0, sizeof(*body), &body);
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	put_filter(message);
	return netlink_ask(netlink, message, store_link, link, error, "look up device %s", name);
}

struct link_listing {
	link_callback *callback;
	void *context;
};

static void list_link(void *context, const struct nlmsghdr *message)
{
	const struct link_listing *listing = context;
	struct link_info link;

	if (netlink_parse_link(message, &link))
		listing->callback(listing->context, &link);
}

int netlink_link_list(struct netlink *netlink, link_callback *callback, void *context,
		      struct error *error)
{
	struct link_listing listing = { .callback = callback, .context = context };
	struct nlmsghdr *message;
	struct ifinfomsg *body;

	message = netlink_request(netlink, RTM_GETLINK, NLM_F_DUMP, sizeof(*body), &body);
	put_filter(message);
	return netlink_ask(netlink, message, list_link, &listing, error, "list devices");
}

int netlink_ingress_add(struct netlink *netlink, uint32_t ifindex, struct error *error)
{
	struct nlmsghdr *message;
	struct tcmsg *body;

	message = netlink_request(netlink, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, sizeof(*body),
				  &body);
	body->tcm_family = AF_UNSPEC;
	body->tcm_ifindex = (int)ifindex;
	body->tcm_parent = TC_H_INGRESS;
	body->tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0);
	mnl_attr_put_strz(message, TCA_KIND, "ingress");
	return netlink_finish(netlink, message, error, "make the ingress qdisc of device %u",
			      ifindex);
}

/* Ids of namespaces -------------------------------------------------------------------------- */

/* -1 where the message has none. */
static int32_t read_netnsid(const struct nlmsghdr *message)
{
	const struct nlattr *attribute;
	uint32_t id = UINT32_MAX;

	mnl_attr_for_each(attribute, message, sizeof(struct rtgenmsg)) {
		if (mnl_attr_get_type(attribute) == NETNSA_NSID)
			parse_u32(attribute, &id);
	}
	return (int32_t)id;
}

static void store_netnsid(void *context, const struct nlmsghdr *message)
{
	*(int32_t *)context = read_netnsid(message);
}

int netlink_netnsid(struct netlink *netlink, int netns_fd, int32_t *netnsid, struct error *error)
{
	struct nlmsghdr *message;
	struct rtgenmsg *body;

	message = netlink_request(netlink, RTM_GETNSID, 0, sizeof(*body), &body);
	mnl_attr_put_u32(message, NETNSA_FD, (uint32_t)netns_fd);
	return netlink_ask(netlink, message, store_netnsid, netnsid, error,
			   "look up the id of a network namespace");
}

int netlink_netnsid_set(struct netlink *netlink, int netns_fd, int32_t netnsid, struct error *error)
{
	struct nlmsghdr *message;
	struct rtgenmsg *body;

	message = netlink_request(netlink, RTM_NEWNSID, 0, sizeof(*body), &body);
	mnl_attr_put_u32(message, NETNSA_FD, (uint32_t)netns_fd);
	mnl_attr_put_u32(message, NETNSA_NSID, (uint32_t)netnsid);
	return netlink_finish(netlink, message, error, "give a network namespace the id %d",
			      netnsid);
}

struct lowest_id {
	int32_t from;
	int32_t lowest;
};

static void keep_lowest(void *context, const struct nlmsghdr *message)
{
	struct lowest_id *search = context;
	int32_t id = read_netnsid(message);

	if (id >= search->from && (search->lowest < 0 || id < search->lowest))
		search->lowest = id;
}

int netlink_netnsid_lowest(struct netlink *netlink, int32_t from, int32_t *lowest,
			   struct error *error)
{
	struct lowest_id search = { .from = from, .lowest = -1 };
	struct nlmsghdr *message;
	struct rtgenmsg *body;
	int result;

	message = netlink_request(netlink, RTM_GETNSID, NLM_F_DUMP, sizeof(*body), &body);
	result = netlink_ask(netlink, message, keep_lowest, &search, error,
			     "list the ids of network namespaces");
	*lowest = search.lowest;
	return result;
}
