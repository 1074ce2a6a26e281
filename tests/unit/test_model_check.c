/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model/check and model/text: every refusal with its sentence and path (V15, V16, V19, V21, V22, V42),
 * asked of an intent that is fine; nothing changes by any of them. Each case puts one object.
 */
#include "base/buf.h"
#include "tests/unit/model_cases.h"

static const char *const base_tree =
	"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16','fd00:b::/48'],"
	"'subnets':{'web':{'cidr':['10.0.1.0/24','fd00:b:0:1::/64']},'db':{'cidr':'10.0.2.0/24'},"
	"'own':{'cidr':'10.0.9.0/24','gateway':'10.0.9.9'},"
	"'bridged':{'cidr':'10.0.7.0/24','mode':'l2','acl':'edge'},"
	"'tabled':{'cidr':'10.0.8.0/24','route_table':'private'}},"
	"'route_tables':{'private':{'routes':[{'to':'10.0.2.0/24','via':'port:fw1'}]}},"
	"'security_groups':{'web':{},"
	"'lb':{'ingress':[{'protocol':'tcp','ports':80,'from':'group:web'}]}},"
	"'acls':{'edge':{}},"
	"'ports':{'web1':{'subnet':'web','address':'10.0.1.11','mac':'02:00:00:00:00:11',"
	"'security_groups':['web'],'attach':{'netns':'web1'}},"
	"'fw1':{'subnet':'web','address':'10.0.1.12','attach':{'tap':'tap0'}},"
	"'metal':{'subnet':'web','attach':{'host':true}}}},"
	"'red':{'cidrs':['10.0.0.0/16']}}}";

#define PORT "vpcs/blue/ports/new"
#define PORT_PATH "vpcs.blue.ports.new"
#define SUBNET "vpcs/blue/subnets/new"
#define SUBNET_PATH "vpcs.blue.subnets.new"
#define TABLE "vpcs/blue/route_tables/new"
#define TABLE_PATH "vpcs.blue.route_tables.new"
#define GROUP "vpcs/blue/security_groups/new"
#define GROUP_PATH "vpcs.blue.security_groups.new"
#define ACL "vpcs/blue/acls/new"
#define ACL_PATH "vpcs.blue.acls.new"
#define VPC "vpcs/new"
#define VPC_PATH "vpcs.new"

static const struct refusal port_refusals[] = {
	{ PORT, "{}", PORT_PATH ".subnet", "port blue/new: subnet: is missing" },
	{ PORT, "[]", PORT_PATH "", "port blue/new: must be an object, not an array" },
	{ PORT, "{'subnet':7}", PORT_PATH ".subnet",
	  "port blue/new: subnet: must be a string, not a whole number" },
	{ PORT, "{'subnet':'webb'}", PORT_PATH ".subnet",
	  "port blue/new: no subnet \"webb\" in vpc blue (did you mean \"web\"?)" },
	{ PORT, "{'subnet':'web','adress':'10.0.1.13'}", PORT_PATH ".adress",
	  "port blue/new: adress: unknown key (did you mean \"address\"?)" },
	{ PORT, "{'subnet':'web','address':'10.0.1.300'}", PORT_PATH ".address",
	  "port blue/new: address \"10.0.1.300\" is not an IPv4 or IPv6 address" },
	{ PORT, "{'subnet':'web','address':['10.0.1.13']}", PORT_PATH ".address",
	  "port blue/new: address: must be a string, not an array" },
	{ PORT, "{'subnet':'web','address':'10.0.2.13'}", PORT_PATH ".address",
	  "port blue/new: address 10.0.2.13 is not in subnet blue/web (10.0.1.0/24, "
	  "fd00:b:0:1::/64)" },
	{ PORT, "{'subnet':'db','address':'fd00:b:0:1::10'}", PORT_PATH ".address",
	  "port blue/new: address fd00:b:0:1::10 is not in subnet blue/db (10.0.2.0/24)" },
	{ PORT, "{'subnet':'web','address':'10.0.1.0'}", PORT_PATH ".address",
	  "port blue/new: address 10.0.1.0 is reserved: it is one of the first four of "
	  "subnet blue/web (10.0.1.0/24, fd00:b:0:1::/64)" },
	{ PORT, "{'subnet':'web','address':'10.0.1.1'}", PORT_PATH ".address",
	  "port blue/new: address 10.0.1.1 is reserved: it is one of the first four of "
	  "subnet blue/web (10.0.1.0/24, fd00:b:0:1::/64)" },
	{ PORT, "{'subnet':'web','address':'10.0.1.3'}", PORT_PATH ".address",
	  "port blue/new: address 10.0.1.3 is reserved: it is one of the first four of "
	  "subnet blue/web (10.0.1.0/24, fd00:b:0:1::/64)" },
	{ PORT, "{'subnet':'web','address':'10.0.1.255'}", PORT_PATH ".address",
	  "port blue/new: address 10.0.1.255 is reserved: it is the last of subnet "
	  "blue/web (10.0.1.0/24, fd00:b:0:1::/64)" },
	{ PORT, "{'subnet':'web','address':'fd00:b:0:1::3'}", PORT_PATH ".address",
	  "port blue/new: address fd00:b:0:1::3 is reserved: it is one of the first four "
	  "of subnet blue/web (10.0.1.0/24, fd00:b:0:1::/64)" },
	{ PORT, "{'subnet':'web','address':'fd00:b:0:1:ffff:ffff:ffff:ffff'}", PORT_PATH ".address",
	  "port blue/new: address fd00:b:0:1:ffff:ffff:ffff:ffff is reserved: it is the "
	  "last of subnet blue/web (10.0.1.0/24, fd00:b:0:1::/64)" },
	{ PORT, "{'subnet':'own','address':'10.0.9.9'}", PORT_PATH ".address",
	  "port blue/new: address 10.0.9.9 is the gateway of subnet blue/own (10.0.9.0/24)" },
	{ PORT, "{'subnet':'web','address':'10.0.1.11'}", PORT_PATH ".address",
	  "port blue/new: address 10.0.1.11 is taken by port blue/web1" },
	{ PORT, "{'subnet':'web','addresses':['10.0.1.13','10.0.1.13']}", PORT_PATH ".addresses",
	  "port blue/new: address 10.0.1.13 stands twice" },
	{ PORT, "{'subnet':'web','address':'10.0.1.13','addresses':['10.0.1.14']}",
	  PORT_PATH ".address", "port blue/new: a port has address or addresses, not both" },
	{ PORT, "{'subnet':'web','mac':'02:00:00:00:00:11'}", PORT_PATH ".mac",
	  "port blue/new: mac 02:00:00:00:00:11 is taken by port blue/web1" },
	{ PORT, "{'subnet':'web','mac':'01:00:5e:00:00:01'}", PORT_PATH ".mac",
	  "port blue/new: mac 01:00:5e:00:00:01 is a multicast address; a port needs one "
	  "of its own" },
	{ PORT, "{'subnet':'web','mac':'ff:ff:ff:ff:ff:ff'}", PORT_PATH ".mac",
	  "port blue/new: mac ff:ff:ff:ff:ff:ff is a multicast address; a port needs one "
	  "of its own" },
	{ PORT, "{'subnet':'web','mac':'00:00:00:00:00:00'}", PORT_PATH ".mac",
	  "port blue/new: mac 00:00:00:00:00:00 is all zero" },
	{ PORT, "{'subnet':'web','mac':'06:57:00:00:00:01'}", PORT_PATH ".mac",
	  "port blue/new: mac 06:57:00:00:00:01 is reserved: 06:57 begins the MACs of gateways" },
	{ PORT, "{'subnet':'web','mac':'2:0:0:0:0:1'}", PORT_PATH ".mac",
	  "port blue/new: mac \"2:0:0:0:0:1\" is not six pairs of hexadecimal digits with "
	  "colons" },
	{ PORT, "{'subnet':'web','security_groups':['wep']}", PORT_PATH ".security_groups",
	  "port blue/new: no security group \"wep\" in vpc blue (did you mean \"web\"?)" },
	{ PORT, "{'subnet':'web','security_groups':['web','web']}", PORT_PATH ".security_groups",
	  "port blue/new: security group web stands twice" },
	{ PORT, "{'subnet':'web','security_groups':'web'}", PORT_PATH ".security_groups",
	  "port blue/new: security_groups: must be a list of strings, not a string" },
	{ PORT, "{'subnet':'web','security_groups':[1]}", PORT_PATH ".security_groups",
	  "port blue/new: security_groups: element 1 must be a string, not a whole number" },
	{ PORT, "{'subnet':'web','allowed_addresses':['10.0.0.0/33']}",
	  PORT_PATH ".allowed_addresses",
	  "port blue/new: allowed_addresses \"10.0.0.0/33\" is neither an address nor "
	  "ADDRESS/LENGTH" },
	{ PORT, "{'subnet':'web','source_destination_check':'no'}",
	  PORT_PATH ".source_destination_check",
	  "port blue/new: source_destination_check: must be true or false, not a string" },
	{ PORT, "{'subnet':'web','mtu':500}", PORT_PATH ".mtu",
	  "port blue/new: mtu: must be from 576 to 65535, not 500" },
	{ PORT, "{'subnet':'web','mtu':1000}", PORT_PATH ".mtu",
	  "port blue/new: mtu 1000 is too small for IPv6, which needs 1280" },
	{ PORT, "{'subnet':'web','flow_limit':0}", PORT_PATH ".flow_limit",
	  "port blue/new: flow_limit: must be from 1 to 16777216, not 0" },
	{ PORT, "{'subnet':'web','attach':{}}", PORT_PATH ".attach",
	  "port blue/new: attach names exactly one of netns, pid, tap, tun, bridge, "
	  "ovs_bridge, device, patch, parent and host" },
	{ PORT, "{'subnet':'web','attach':{'netns':'a','tap':'b'}}", PORT_PATH ".attach",
	  "port blue/new: attach names exactly one of netns, pid, tap, tun, bridge, "
	  "ovs_bridge, device, patch, parent and host" },
	{ PORT, "{'subnet':'web','attach':{'parent':'nobody','vlan':5}}",
	  PORT_PATH ".attach.parent",
	  "port blue/new: no port \"blue/nobody\" that could be its parent" },
	{ PORT, "{'subnet':'web','attach':{'parent':'nobody'}}", PORT_PATH ".attach.vlan",
	  "port blue/new: attach.vlan: is missing: 1 to 4094" },
	{ PORT, "{'subnet':'web','attach':{'device':'a/b'}}", PORT_PATH ".attach.device",
	  "port blue/new: device \"a/b\" is not a device name: 1 to 15 characters without spaces, "
	  "\"/\", \":\" or \"%\"" },
	{ PORT, "{'subnet':'web','attach':{'device':'eth1','link':true}}", PORT_PATH ".attach",
	  "port blue/new: only a subnet with mode: l2 can be joined to another switch; web is l3" },
	{ PORT, "{'subnet':'web','attach':{'tap':'t','link':true}}", PORT_PATH ".attach.link",
	  "port blue/new: link goes with device or parent" },
	{ PORT, "{'subnet':'web','attach':{'tap':'t','take_addresses':true}}",
	  PORT_PATH ".attach.take_addresses", "port blue/new: take_addresses goes with device" },
	{ PORT, "{'subnet':'web','attach':{'device':'eth1','native':true}}",
	  PORT_PATH ".attach.native", "port blue/new: native goes with parent" },
	{ PORT, "{'subnet':'web','attach':{'parent':'web1','vlan':5,'protocol':'isl'}}",
	  PORT_PATH ".attach.protocol",
	  "port blue/new: protocol is 802.1q or 802.1ad, not \"isl\"" },
	{ PORT, "{'subnet':'web','attach':{'bridge':'br0'}}", PORT_PATH ".attach",
	  "port blue/new: only a subnet with mode: l2 can be joined to another switch; web is l3" },
	{ PORT, "{'subnet':'web','attach':{'netsn':'a'}}", PORT_PATH ".attach.netsn",
	  "port blue/new: attach.netsn: unknown key (did you mean \"netns\"?)" },
	{ PORT, "{'subnet':'web','attach':{'netns':'web1'}}", PORT_PATH ".attach",
	  "port blue/new: eth0 in namespace web1 is taken by port blue/web1; say another "
	  "ifname" },
	{ PORT, "{'subnet':'web','attach':{'netns':'../etc'}}", PORT_PATH ".attach.netns",
	  "port blue/new: netns \"../etc\" is neither a name nor an absolute path" },
	{ PORT, "{'subnet':'web','attach':{'netns':'a','ifname':'a-name-too-long-for-it'}}",
	  PORT_PATH ".attach.ifname",
	  "port blue/new: ifname \"a-name-too-long-for-it\" is not a device name: 1 to 15 "
	  "characters without spaces, \"/\", \":\" or \"%\"" },
	{ PORT, "{'subnet':'web','attach':{'netns':'a','queues':4}}", PORT_PATH ".attach.queues",
	  "port blue/new: queues goes with tap" },
	{ PORT, "{'subnet':'web','attach':{'tap':'tap0'}}", PORT_PATH ".attach",
	  "port blue/new: device tap0 is taken by port blue/fw1" },
	{ PORT, "{'subnet':'web','attach':{'tun':'tap0'}}", PORT_PATH ".attach",
	  "port blue/new: device tap0 is taken by port blue/fw1" },
	{ PORT, "{'subnet':'web','attach':{'tap':'a/b'}}", PORT_PATH ".attach.tap",
	  "port blue/new: tap \"a/b\" is not a device name: 1 to 15 characters without "
	  "spaces, \"/\", \":\" or \"%\"" },
	{ PORT, "{'subnet':'web','attach':{'tap':'tap1','ifname':'eth0'}}",
	  PORT_PATH ".attach.ifname",
	  "port blue/new: ifname goes with netns or pid; a device of the host is named by its key" },
	{ PORT, "{'subnet':'web','attach':{'tap':'tap1','configure':false}}",
	  PORT_PATH ".attach.configure", "port blue/new: configure goes with netns or pid" },
	{ PORT, "{'subnet':'web','attach':{'pid':0}}", PORT_PATH ".attach.pid",
	  "port blue/new: attach.pid: must be from 1 to 4194304, not 0" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'address':'10.0.1.13'}",
	  PORT_PATH ".addresses",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of addresses would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'mac':'02:00:00:00:00:13'}",
	  PORT_PATH ".mac",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of mac would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'security_groups':['web']}",
	  PORT_PATH ".security_groups",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of security_groups would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'allowed_addresses':['10.9.0.0/16']}",
	  PORT_PATH ".allowed_addresses",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of allowed_addresses would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'source_destination_check':false}",
	  PORT_PATH ".source_destination_check",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of source_destination_check would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'mtu':1400}", PORT_PATH ".mtu",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of mtu would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'flow_limit':7}", PORT_PATH ".flow_limit",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of flow_limit would hold for it" },
	{ PORT, "{'subnet':'web','send_rate':'10Mbit'}", PORT_PATH ".send_rate",
	  "port blue/new: send_rate is bits a second, a number or a text such as \"10M\" or \"2.5G\", "
	  "from 8000 to 1000000000000, or 0 for none" },
	{ PORT, "{'subnet':'web','send_burst':'64kB'}", PORT_PATH ".send_burst",
	  "port blue/new: send_burst is bytes, a number or a text such as \"10M\" or \"2.5G\", from "
	  "1514 to 268435456, or 0 for none" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'send_rate':'10M'}", PORT_PATH ".send_rate",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of send_rate would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'receive_rate':'10M'}",
	  PORT_PATH ".receive_rate",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of receive_rate would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'rate_burst':'64k'}",
	  PORT_PATH ".rate_burst",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of rate_burst would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'share':3}", PORT_PATH ".share",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of share would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'dscp':46}", PORT_PATH ".dscp",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of dscp would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'mirror':{'to':'fw1'}}",
	  PORT_PATH ".mirror",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of mirror would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'netns':'x','vlan':5}}", PORT_PATH ".attach.vlan",
	  "port blue/new: vlan goes with parent: the port whose frames have the tag" },
	{ PORT, "{'subnet':'web','attach':{'parent':'fw1','vlam':5}}", PORT_PATH ".attach.vlam",
	  "port blue/new: attach.vlam: unknown key (did you mean \"vlan\"?)" },
	{ PORT, "{'subnet':'web','mirror':{'to':'metal'}}", PORT_PATH ".mirror.to",
	  "port blue/new: port metal has the host's own stack (attach.host), and no copy gets to it" },
	{ PORT, "{'subnet':'web','mirror':{'to':'fw1','address':'group:wep'}}",
	  PORT_PATH ".mirror.address",
	  "port blue/new: no security group \"wep\" in vpc blue (did you mean \"web\"?)" },
	{ PORT, "{'subnet':'web','mirror':{'to':'fw1','address':'::/0','peer':'group:red'}}",
	  PORT_PATH ".mirror.peer", "port blue/new: no security group \"red\" in vpc blue" },
	{ PORT, "{'subnet':'web','mirror':{'to':'fw1','peer':'group:'}}", PORT_PATH ".mirror.peer",
	  "port blue/new: an end that is a group is group:NAME, not \"group:\"" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'flow_log':{}}", PORT_PATH ".flow_log",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of flow_log would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true},'user_data':'x'}", PORT_PATH ".user_data",
	  "port blue/new: its workload has the host's own stack (attach.host), and nothing that a "
	  "vpc says of user_data would hold for it" },
	{ PORT, "{'subnet':'web','attach':{'host':true,'netns':'a'}}", PORT_PATH ".attach",
	  "port blue/new: attach names exactly one of netns, pid, tap, tun, bridge, "
	  "ovs_bridge, device, patch, parent and host" },
	{ PORT, "{'subnet':'web','attach':{'host':true,'ifname':'eth0'}}",
	  PORT_PATH ".attach.ifname",
	  "port blue/new: ifname goes with netns or pid; a device of the host is named by its key" },
	{ PORT, "{'subnet':'web','attach':{'parent':'metal','vlan':5}}", PORT_PATH ".attach.parent",
	  "port blue/new: port blue/metal is no device with Ethernet that carries tags" },
	{ PORT, "{'subnet':'web','host':'H 1'}", PORT_PATH ".host",
	  "port blue/new: host \"H 1\" is not a host's name" },
};

static const struct refusal subnet_refusals[] = {
	{ SUBNET, "{}", SUBNET_PATH ".cidr", "subnet blue/new: cidr: is missing" },
	{ SUBNET, "{'cidr':'10.0.3.0'}", SUBNET_PATH ".cidr",
	  "subnet blue/new: cidr \"10.0.3.0\" is not ADDRESS/LENGTH" },
	{ SUBNET, "{'cidr':'10.0.3.0/29'}", SUBNET_PATH ".cidr",
	  "subnet blue/new: 10.0.3.0/29: an IPv4 subnet is a /16 to /28" },
	{ SUBNET, "{'cidr':'10.0.0.0/15'}", SUBNET_PATH ".cidr",
	  "subnet blue/new: 10.0.0.0/15: an IPv4 subnet is a /16 to /28" },
	{ SUBNET, "{'cidr':'fd00:b:0:3::/65'}", SUBNET_PATH ".cidr",
	  "subnet blue/new: fd00:b:0:3::/65: an IPv6 subnet is exactly a /64" },
	{ SUBNET, "{'cidr':'::/0'}", SUBNET_PATH ".cidr",
	  "subnet blue/new: an IPv6 subnet is exactly a /64, not ::/0" },
	{ SUBNET, "{'cidr':'10.1.0.0/24'}", SUBNET_PATH ".cidr",
	  "subnet blue/new: 10.1.0.0/24 is in none of the ranges of vpc blue" },
	{ SUBNET, "{'cidr':'10.0.1.128/25'}", SUBNET_PATH ".cidr",
	  "subnet blue/new: 10.0.1.128/25 overlaps 10.0.1.0/24 of subnet blue/web" },
	{ SUBNET, "{'cidr':'10.0.0.0/20'}", SUBNET_PATH ".cidr",
	  "subnet blue/new: 10.0.0.0/20 overlaps 10.0.1.0/24 of subnet blue/web" },
	{ SUBNET, "{'cidr':'10.0.2.0/24'}", SUBNET_PATH ".cidr",
	  "subnet blue/new: 10.0.2.0/24 overlaps 10.0.2.0/24 of subnet blue/db" },
	{ SUBNET, "{'cidr':'fd00:b:0:1::/64'}", SUBNET_PATH ".cidr",
	  "subnet blue/new: fd00:b:0:1::/64 overlaps fd00:b:0:1::/64 of subnet blue/web" },
	{ SUBNET, "{'cidr':['10.0.3.0/24','10.0.4.0/24']}", SUBNET_PATH ".cidr",
	  "subnet blue/new: a subnet has one IPv4 range, one IPv6 range, or one of each" },
	{ SUBNET, "{'cidr':[]}", SUBNET_PATH ".cidr",
	  "subnet blue/new: a subnet has one IPv4 range, one IPv6 range, or one of each" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','gateway':'10.0.4.1'}", SUBNET_PATH ".gateway",
	  "subnet blue/new: gateway 10.0.4.1 is not in 10.0.3.0/24" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','gateway':'10.0.3.255'}", SUBNET_PATH ".gateway",
	  "subnet blue/new: gateway 10.0.3.255 is the first or last address of 10.0.3.0/24" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','gateway':'fd00:b:0:3::1'}", SUBNET_PATH ".gateway",
	  "subnet blue/new: gateway fd00:b:0:3::1: the subnet has no IPv6 range" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','gateway':['10.0.3.1','10.0.3.2']}",
	  SUBNET_PATH ".gateway", "subnet blue/new: a subnet has one gateway of each family" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','mode':'l4'}", SUBNET_PATH ".mode",
	  "subnet blue/new: mode is l3 or l2, not \"l4\"" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','route_table':'privat'}", SUBNET_PATH ".route_table",
	  "subnet blue/new: no route table \"privat\" in vpc blue (did you mean \"private\"?)" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','acl':'egde'}", SUBNET_PATH ".acl",
	  "subnet blue/new: no acl \"egde\" in vpc blue (did you mean \"edge\"?)" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','dhcp':7}", SUBNET_PATH ".dhcp",
	  "subnet blue/new: dhcp: must be true, false or a map of options, not a whole number" },
	{ SUBNET, "{'cidr':'fd00:b:0:3::/64','dhcp':true}", SUBNET_PATH ".dhcp",
	  "subnet blue/new: dhcp gives IPv4 addresses, and the subnet has no IPv4 range; for "
	  "IPv6 there is ra: managed" },
	{ SUBNET, "{'cidr':'fd00:b:0:3::/64','ra':'slaac','dhcp':true}", SUBNET_PATH ".dhcp",
	  "subnet blue/new: dhcp gives IPv4 addresses, and the subnet has no IPv4 range; for "
	  "IPv6 there is ra: managed" },
	{ SUBNET, "{'cidr':'fd00:b:0:3::/64','ra':'managed','dhcp':{'boot_file':'a'}}",
	  SUBNET_PATH ".dhcp",
	  "subnet blue/new: dhcp.boot_file is of IPv4, and the subnet has no IPv4 range" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','dhcp':{'lease':30}}", SUBNET_PATH ".dhcp.lease",
	  "subnet blue/new: lease is a number of seconds, at least 60, or infinite" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','dhcp':{'routers':'fd00::1'}}",
	  SUBNET_PATH ".dhcp.routers", "subnet blue/new: routers of DHCP are IPv4 addresses" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','dhcp':{'domain':'a..b'}}", SUBNET_PATH ".dhcp.domain",
	  "subnet blue/new: domain \"a..b\" is not a domain name" },
	{ SUBNET,
	  "{'cidr':'10.0.3.0/24','dhcp':{'routes':[{'to':'10.9.0.0/16','via':'10.0.4.9'}]}}",
	  SUBNET_PATH ".dhcp.routes",
	  "subnet blue/new: a route given by DHCP leads to a neighbour, and 10.0.4.9 is not in "
	  "10.0.3.0/24" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','dhcp':{'options':{'6':'x'}}}",
	  SUBNET_PATH ".dhcp.options", "subnet blue/new: DHCP option 6 is said by the key dns" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','dhcp':{'options':{'53':'x'}}}",
	  SUBNET_PATH ".dhcp.options", "subnet blue/new: DHCP option 53 is made by Weft itself" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','dhcp':{'options':{'300':'x'}}}",
	  SUBNET_PATH ".dhcp.options",
	  "subnet blue/new: \"300\" is not the number of a DHCP option, 1 to 254" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','dhcp':{'options':{'43':'hex:0'}}}",
	  SUBNET_PATH ".dhcp.options",
	  "subnet blue/new: DHCP option 43 is a text, \"hex:\" and pairs of digits, or a list of "
	  "IPv4 addresses; 1 to 255 bytes" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','ra':'slaac'}", SUBNET_PATH ".ra",
	  "subnet blue/new: ra gives IPv6 addresses, and the subnet has no IPv6 range" },
	{ SUBNET, "{'cidr':'fd00:b:0:3::/64','mode':'l2','ra':'slaac'}", SUBNET_PATH ".ra",
	  "subnet blue/new: router advertisements are sent by the gateway, and the subnet has none "
	  "for IPv6; name one" },
	{ SUBNET, "{'cidr':'fd00:b:0:3::/64','ra':'stateful'}", SUBNET_PATH ".ra",
	  "subnet blue/new: router advertisements are slaac, stateless, managed or off, not "
	  "\"stateful\"" },
	{ SUBNET, "{'cidr':'fd00:b:0:3::/64','ra':{'mode':'slaac','lifetime':60}}",
	  SUBNET_PATH ".ra.lifetime",
	  "subnet blue/new: lifetime is 0 or at least the interval of 600 seconds, or hosts lose "
	  "their router in between" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','segment':{}}", SUBNET_PATH ".segment.type",
	  "subnet blue/new: segment.type: is missing" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','mode':'l2','segment':{'type':'flat'}}",
	  SUBNET_PATH ".segment.network", "subnet blue/new: segment.network: is missing" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','mode':'l2','segment':{'type':'vlan','network':'p'}}",
	  SUBNET_PATH ".segment.tag", "subnet blue/new: segment.tag: is missing: 1 to 4094" },
	{ SUBNET,
	  "{'cidr':'10.0.3.0/24','mode':'l2','segment':{'type':'vlan','network':'p','tag':4095}}",
	  SUBNET_PATH ".segment.tag",
	  "subnet blue/new: segment.tag: must be from 1 to 4094, not 4095" },
	{ SUBNET,
	  "{'cidr':'10.0.3.0/24','mode':'l2','segment':{'type':'vlan','network':'p','tag':1,"
	  "'protocol':'isl'}}",
	  SUBNET_PATH ".segment.protocol",
	  "subnet blue/new: protocol is 802.1q or 802.1ad, not \"isl\"" },
	{ SUBNET,
	  "{'cidr':'10.0.3.0/24','mode':'l2','segment':{'type':'flat','network':'p','router':'x'}}",
	  SUBNET_PATH ".segment.router", "subnet blue/new: no host \"x\"" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','segment':{'type':'vxlan'}}", SUBNET_PATH ".segment.type",
	  "subnet blue/new: a segment's type is overlay, local, flat or vlan, not \"vxlan\"" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','segment':{'type':'local','id':7}}",
	  SUBNET_PATH ".segment.id", "subnet blue/new: segment.id: unknown key" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','flood_rate':-1}", SUBNET_PATH ".flood_rate",
	  "subnet blue/new: flood_rate: must be from 0 to 1000000, not -1" },
	{ SUBNET, "{'cidr':'10.0.3.0/24','station_limit':0}", SUBNET_PATH ".station_limit",
	  "subnet blue/new: station_limit: must be from 1 to 65536, not 0" },
};

static const struct refusal table_refusals[] = {
	{ TABLE, "{'routes':{}}", TABLE_PATH ".routes",
	  "route table blue/new: routes: must be an array, not an object" },
	{ TABLE, "{'routes':[{'to':'10.9.0.0/16'}]}", TABLE_PATH ".routes[0].via",
	  "route table blue/new: routes[0].via: is missing" },
	{ TABLE, "{'routes':[{'to':'10.9.0.0','via':'blackhole'}]}", TABLE_PATH ".routes[0].to",
	  "route table blue/new: to \"10.9.0.0\" is not ADDRESS/LENGTH" },
	{ TABLE, "{'routes':[{'to':'10.9.0.0/16','via':'nowhere'}]}", TABLE_PATH ".routes[0].via",
	  "route table blue/new: via is blackhole, local, port:NAME, tunnel:NAME or a list of "
	  "these names,"
	  " not \"nowhere\"" },
	{ TABLE, "{'routes':[{'to':'10.9.0.0/16','via':'port:fw'}]}", TABLE_PATH ".routes[0].via",
	  "route table blue/new: no port \"fw\" in vpc blue (did you mean \"fw1\"?)" },
	{ TABLE, "{'routes':[{'to':'10.9.0.0/16','via':[]}]}", TABLE_PATH ".routes[0].via",
	  "route table blue/new: via is blackhole, local, port:NAME, tunnel:NAME or a list of 1 to 32 "
	  "of these names" },
	{ TABLE, "{'routes':[{'to':'10.9.0.0/16','via':['port:fw1','port:fw1']}]}",
	  TABLE_PATH ".routes[0].via", "route table blue/new: port fw1 stands twice" },
	{ TABLE, "{'routes':[{'to':'10.9.0.0/16','via':['port:fw1','blackhole']}]}",
	  TABLE_PATH ".routes[0].via",
	  "route table blue/new: via is blackhole, local, port:NAME, tunnel:NAME or a list of "
	  "these names,"
	  " not \"blackhole\"" },
	{ TABLE, "{'routes':[{'to':'10.9.0.0/16','via':'port:metal'}]}", TABLE_PATH ".routes[0]",
	  "route table blue/new: route 10.9.0.0/16: its workload has the host's own stack "
	  "(attach.host), and takes no packets of the vpc" },
	{ TABLE, "{'routes':[{'to':'10.9.0.0/16','via':'local'}]}", TABLE_PATH ".routes[0].via",
	  "route table blue/new: route 10.9.0.0/16: via local is only for the ranges of "
	  "the vpc itself" },
	{ TABLE,
	  "{'routes':[{'to':'10.9.0.0/16','via':'blackhole'},{'to':'10.9.1.1/16',"
	  "'via':'port:fw1'}]}",
	  TABLE_PATH ".routes[1]", "route table blue/new: route 10.9.0.0/16: stands twice" },
	{ TABLE, "{'routes':[{'to':'10.0.2.0/24','via':'blackhole'}]}", TABLE_PATH ".routes[0]",
	  "route table blue/new: route 10.0.2.0/24: inside the vpc a route more specific "
	  "than the local one leads to a port" },
	{ TABLE, "{'routes':[{'to':'10.0.2.0/25','via':'blackhole'}]}", TABLE_PATH ".routes[0]",
	  "route table blue/new: route 10.0.2.0/25: inside the vpc a route more specific "
	  "than the local one leads to a port" },
	{ TABLE, "{'routes':[{'to':'10.0.0.0/16','via':'blackhole'}]}", TABLE_PATH ".routes[0]",
	  "route table blue/new: route 10.0.0.0/16: the local route of the vpc may be led to a "
	  "port, it cannot be made a blackhole" },
	/* The place in the file, also where a local route stands before it and prefixes sort otherwise. */
	{ TABLE,
	  "{'routes':[{'to':'10.0.0.0/16','via':'local'},{'to':'10.9.0.0/16','via':'blackhole'},"
	  "{'to':'10.0.2.0/24','via':'blackhole'}]}",
	  TABLE_PATH ".routes[2]",
	  "route table blue/new: route 10.0.2.0/24: inside the vpc a route more specific "
	  "than the local one leads to a port" },
	{ TABLE, "{'routes':[{'to':'10.0.2.0/25','via':'port:fw1'}]}", TABLE_PATH ".routes[0]",
	  "route table blue/new: route 10.0.2.0/25: inside the vpc a route more specific "
	  "than the local one is the range of a whole subnet" },
	{ TABLE, "{'routes':[{'to':'10.0.0.0/20','via':'port:fw1'}]}", TABLE_PATH ".routes[0]",
	  "route table blue/new: route 10.0.0.0/20: inside the vpc a route more specific "
	  "than the local one is the range of a whole subnet" },
	{ TABLE, "{'routes':[{'to':'10.0.2.0/24','via':'local'}]}", TABLE_PATH ".routes[0].via",
	  "route table blue/new: route 10.0.2.0/24: via local is only for the ranges of "
	  "the vpc itself" },
	{ TABLE, "{'routes':[{'to':'169.254.169.0/24','via':'blackhole'}]}",
	  TABLE_PATH ".routes[0]",
	  "route table blue/new: route 169.254.169.0/24: the range is reserved and never "
	  "routed" },
	{ TABLE, "{'routes':[{'to':'169.254.168.0/22','via':'port:fw1'}]}", TABLE_PATH ".routes[0]",
	  "route table blue/new: route 169.254.168.0/22: the range is reserved and never "
	  "routed" },
	{ TABLE, "{'routes':[{'to':'fd00:ec2::/32','via':'port:fw1'}]}", TABLE_PATH ".routes[0]",
	  "route table blue/new: route fd00:ec2::/32: the range is reserved and never routed" },
	{ TABLE, "{'routes':[{'to':'fd00:ec2::254/128','via':'port:fw1'}]}",
	  TABLE_PATH ".routes[0]",
	  "route table blue/new: route fd00:ec2::254/128: the range is reserved and never "
	  "routed" },
	{ TABLE, "{'routes':[{'to':'10.9.0.0/16','via':'blackhole','metric':5}]}",
	  TABLE_PATH ".routes[0].metric", "route table blue/new: routes[0].metric: unknown key" },
};

static const struct refusal group_refusals[] = {
	{ GROUP, "{'ingress':[{'from':'0.0.0.0/0'}]}", GROUP_PATH ".ingress[0].protocol",
	  "security group blue/new: ingress[0].protocol: is missing" },
	{ GROUP, "{'ingress':[{'protocol':'tpc','from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].protocol",
	  "security group blue/new: protocol is all, tcp, udp, icmp, icmpv6 or a number "
	  "from 0 to 255, not \"tpc\"" },
	{ GROUP, "{'ingress':[{'protocol':256,'from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].protocol",
	  "security group blue/new: protocol is all, tcp, udp, icmp, icmpv6 or a number "
	  "from 0 to 255, not 256" },
	{ GROUP, "{'ingress':[{'protocol':'tcp'}]}", GROUP_PATH ".ingress[0].from",
	  "security group blue/new: ingress[0].from: is missing" },
	{ GROUP, "{'ingress':[{'protocol':'tcp','to':'0.0.0.0/0'}]}", GROUP_PATH ".ingress[0].to",
	  "security group blue/new: a rule of ingress has from, not to" },
	{ GROUP, "{'egress':[{'protocol':'tcp','from':'0.0.0.0/0'}]}", GROUP_PATH ".egress[0].from",
	  "security group blue/new: a rule of egress has to, not from" },
	{ GROUP, "{'ingress':[{'protocol':'tcp','from':'everywhere'}]}",
	  GROUP_PATH ".ingress[0].from",
	  "security group blue/new: from \"everywhere\" is neither ADDRESS/LENGTH nor "
	  "group:NAME" },
	{ GROUP, "{'ingress':[{'protocol':'tcp','from':'group:weeb'}]}",
	  GROUP_PATH ".ingress[0].from",
	  "security group blue/new: no security group \"weeb\" in vpc blue (did you mean "
	  "\"web\"?)" },
	{ GROUP, "{'ingress':[{'protocol':'tcp','ports':'80-','from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].ports",
	  "security group blue/new: ports \"80-\" is not a list such as \"80,8000-8099\" "
	  "of numbers up to 65535" },
	{ GROUP, "{'ingress':[{'protocol':'tcp','ports':'90-80','from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].ports",
	  "security group blue/new: ports \"90-80\" is not a list such as \"80,8000-8099\" "
	  "of numbers up to 65535" },
	{ GROUP, "{'ingress':[{'protocol':'tcp','ports':'65536','from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].ports",
	  "security group blue/new: ports \"65536\" is not a list such as \"80,8000-8099\" "
	  "of numbers up to 65535" },
	{ GROUP, "{'ingress':[{'protocol':'tcp','ports':70000,'from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].ports",
	  "security group blue/new: ports is a number from 0 to 65535 or a list such as "
	  "\"80,8000-8099\"" },
	{ GROUP, "{'ingress':[{'protocol':'icmp','ports':80,'from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].ports",
	  "security group blue/new: ports goes with protocol tcp or udp" },
	{ GROUP, "{'ingress':[{'protocol':'tcp','type':8,'from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].type",
	  "security group blue/new: type and code go with protocol icmp or icmpv6" },
	{ GROUP, "{'ingress':[{'protocol':'icmp','code':0,'from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].code", "security group blue/new: code needs a type beside it" },
	{ GROUP, "{'ingress':[{'protocol':'icmp','type':256,'from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].type",
	  "security group blue/new: ingress[0].type: must be from 0 to 255, not 256" },
	{ GROUP, "{'ingress':[{'protocol':'icmpv6','from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].protocol",
	  "security group blue/new: icmpv6 never has an IPv4 address; write icmp for 0.0.0.0/0" },
	{ GROUP,
	  "{'ingress':[{'protocol':'tcp','ports':80,'from':'::/0'},{'protocol':'tcp',"
	  "'ports':'80-80','from':'::/0'}]}",
	  GROUP_PATH ".ingress",
	  "security group blue/new: ingress rule 2 stands there already: tcp 80 from ::/0" },
	{ GROUP, "{'ingress':[{'number':1,'protocol':'tcp','from':'0.0.0.0/0'}]}",
	  GROUP_PATH ".ingress[0].number",
	  "security group blue/new: ingress[0].number: unknown key" },
};

static const struct refusal acl_refusals[] = {
	{ ACL, "{'ingress':[{'action':'allow','protocol':'all','from':'0.0.0.0/0'}]}",
	  ACL_PATH ".ingress[0].number", "acl blue/new: ingress[0].number: is missing" },
	{ ACL, "{'ingress':[{'number':0,'action':'allow','protocol':'all','from':'0.0.0.0/0'}]}",
	  ACL_PATH ".ingress[0].number",
	  "acl blue/new: ingress[0].number: must be from 1 to 32766, not 0" },
	{ ACL,
	  "{'ingress':[{'number':32767,'action':'allow','protocol':'all',"
	  "'from':'0.0.0.0/0'}]}",
	  ACL_PATH ".ingress[0].number",
	  "acl blue/new: ingress[0].number: must be from 1 to 32766, not 32767" },
	{ ACL, "{'ingress':[{'number':1,'action':'drop','protocol':'all','from':'0.0.0.0/0'}]}",
	  ACL_PATH ".ingress[0].action", "acl blue/new: action is allow or deny, not \"drop\"" },
	{ ACL, "{'ingress':[{'number':1,'action':'deny','protocol':'all','from':'group:web'}]}",
	  ACL_PATH ".ingress[0].from",
	  "acl blue/new: a rule of an acl names a range, not a group" },
	{ ACL,
	  "{'egress':[{'number':1,'action':'deny','protocol':'all','to':'::/0'},"
	  "{'number':1,'action':'allow','protocol':'tcp','to':'::/0'}]}",
	  ACL_PATH ".egress", "acl blue/new: egress has two rules with number 1" },
};

static const struct refusal vpc_refusals[] = {
	{ VPC, "{}", VPC_PATH ".cidrs", "vpc new: cidrs: is missing" },
	{ VPC, "{'cidrs':[]}", VPC_PATH ".cidrs", "vpc new: a vpc needs at least one range" },
	{ VPC, "{'cidrs':['10.0.0.0/16','10.0.128.0/17']}", VPC_PATH ".cidrs",
	  "vpc new: 10.0.128.0/17 overlaps 10.0.0.0/16" },
	{ VPC, "{'cidrs':['10.0.0.0/4']}", VPC_PATH ".cidrs",
	  "vpc new: 0.0.0.0/4: a vpc's IPv4 range is a /8 to /28" },
	{ VPC, "{'cidrs':['0.0.0.0/0']}", VPC_PATH ".cidrs",
	  "vpc new: 0.0.0.0/0: a vpc's IPv4 range is a /8 to /28" },
	{ VPC, "{'cidrs':['224.0.0.0/16']}", VPC_PATH ".cidrs",
	  "vpc new: 224.0.0.0/16 is not a range of unicast addresses" },
	{ VPC, "{'cidrs':['127.0.0.0/16']}", VPC_PATH ".cidrs",
	  "vpc new: 127.0.0.0/16 is not a range of unicast addresses" },
	{ VPC, "{'cidrs':['169.254.0.0/16']}", VPC_PATH ".cidrs",
	  "vpc new: 169.254.0.0/16 is not a range of unicast addresses" },
	{ VPC, "{'cidrs':['fd00::/8']}", VPC_PATH ".cidrs",
	  "vpc new: fd00::/8: a vpc's IPv6 range is a /16 to /64" },
	{ VPC, "{'cidrs':['10.0.0.0/16','fd00:b::/48'],'mtu':1279}", VPC_PATH ".mtu",
	  "vpc new: mtu 1279 is too small for IPv6, which needs 1280" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'mtu':70000}", VPC_PATH ".mtu",
	  "vpc new: mtu: must be from 576 to 65535, not 70000" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'established':'drop'}", VPC_PATH ".established",
	  "vpc new: established is keep or cut, not \"drop\"" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'timeouts':{'tcp':5}}", VPC_PATH ".timeouts.tcp",
	  "vpc new: timeouts.tcp: unknown key" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'timeouts':{'icmp':0}}", VPC_PATH ".timeouts.icmp",
	  "vpc new: timeouts.icmp: must be from 1 to 8640000, not 0" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'main_route_table':'private'}",
	  VPC_PATH ".main_route_table", "vpc new: no route table \"private\" in vpc new" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'dns':{'domain':'-blue'}}", VPC_PATH ".dns.domain",
	  "vpc new: domain \"-blue\" is not a name such as blue.example" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'dns':{'forward':'google'}}", VPC_PATH ".dns.forward",
	  "vpc new: forward is off, host or a list of addresses of resolvers, not \"google\"" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'dns':{'forward':['192.0.2.53','host']}}",
	  VPC_PATH ".dns.forward",
	  "vpc new: forward is off, host or a list of addresses of resolvers, not \"host\"" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'dns':{'records':{'a':'10.0.0.300'}}}",
	  VPC_PATH ".dns.records.a",
	  "vpc new: a record is an address, cname:NAME or txt:TEXT, not \"10.0.0.300\"" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'dns':{'records':{'a..b':'10.0.0.3'}}}",
	  VPC_PATH ".dns.records.a..b",
	  "vpc new: \"a..b\" is neither a name in the domain, nor a whole name with a dot at its "
	  "end, nor @" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'dns':{'records':{'a':['cname:b','10.0.0.3']}}}",
	  VPC_PATH ".dns.records.a", "vpc new: a name with cname: has no other record" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'dns':{'records':{'a':'cname:b.example.'}}}",
	  VPC_PATH ".dns.records.a",
	  "vpc new: \"b.example.\" is not a name in the domain of the vpc" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'dns':{'records':{'a':'10.0.0.3','A':'10.0.0.4'}}}",
	  VPC_PATH ".dns.records.a", "vpc new: the name stands twice, in another case" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'subnet':{}}", VPC_PATH ".subnet",
	  "vpc new: subnet: unknown key (did you mean \"subnets\"?)" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'subnets':[]}", VPC_PATH ".subnets",
	  "vpc new: subnets: must be an object, not an array" },
	{ VPC,
	  "{'cidrs':['10.0.0.0/16'],'subnets':{'a':{'cidr':'10.0.1.0/24'},"
	  "'b':{'cidr':'10.0.1.0/24'}}}",
	  VPC_PATH ".subnets.a.cidr",
	  "subnet new/a: 10.0.1.0/24 overlaps 10.0.1.0/24 of subnet new/b" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'subnets':{'Web':{'cidr':'10.0.1.0/24'}}}",
	  VPC_PATH ".subnets.Web",
	  "subnet new/Web: a name has only a-z, 0-9 and -, and begins with a letter or a digit" },
	{ VPC, "{'cidrs':['10.0.0.0/16'],'subnets':{'-':{'cidr':'10.0.1.0/24'}}}",
	  VPC_PATH ".subnets.-",
	  "subnet new/-: a name has only a-z, 0-9 and -, and begins with a letter or a digit" },
};

static void refuse_in_base(const struct refusal *list, size_t count)
{
	struct intent *intent = intent_new();

	request(intent, REQUEST_APPLY, NULL, base_tree, NULL);
	refuse_all(intent, list, count);
	intent_free(intent);
}

static void test_port(void **state)
{
	(void)state;
	refuse_in_base(port_refusals, ARRAY_SIZE(port_refusals));
}

static void test_subnet(void **state)
{
	(void)state;
	refuse_in_base(subnet_refusals, ARRAY_SIZE(subnet_refusals));
}

static void test_table(void **state)
{
	(void)state;
	refuse_in_base(table_refusals, ARRAY_SIZE(table_refusals));
}

static void test_group(void **state)
{
	(void)state;
	refuse_in_base(group_refusals, ARRAY_SIZE(group_refusals));
}

static void test_acl(void **state)
{
	(void)state;
	refuse_in_base(acl_refusals, ARRAY_SIZE(acl_refusals));
}

static void test_vpc(void **state)
{
	(void)state;
	refuse_in_base(vpc_refusals, ARRAY_SIZE(vpc_refusals));
}

/* What only a whole tree can have wrong, and names. */
static void test_tree(void **state)
{
	struct intent *intent = intent_new();
	char body[1024], name[301], sentence[400];

	(void)state;
	refuse(intent, REQUEST_APPLY, NULL, "[]", -EINVAL, "", "must be an object, not an array");
	refuse(intent, REQUEST_APPLY, NULL, "{'vpc':{}}", -EINVAL, "vpc",
	       "vpc: unknown key (did you mean \"vpcs\"?)");
	refuse(intent, REQUEST_APPLY, NULL, "{'vpcs':{'Blue':{}}}", -EINVAL, "vpcs.Blue",
	       "vpc Blue: a name has only a-z, 0-9 and -, and begins with a letter or a digit");
	refuse(intent, REQUEST_APPLY, NULL,
	       "{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],'ports':{'a':{'subnet':'web'}}}}}",
	       -EINVAL, "vpcs.blue.ports.a.subnet", "port blue/a: no subnet \"web\" in vpc blue");
	memset(name, 'x', 300);
	name[300] = '\0';
	snprintf(body, sizeof(body), "{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],'acls':{'%s':{}}}}}",
		 name);
	snprintf(sentence, sizeof(sentence),
		 "acl blue/%.60s…: the name has 300 characters, at most 63 are allowed", name);
	snprintf(body + 600, sizeof(body) - 600, "vpcs.blue.acls.%.64s", name);
	refuse(intent, REQUEST_APPLY, NULL, body, -EINVAL, body + 600, sentence);
	/* A lab's key is somebody else's. */
	request(intent, REQUEST_APPLY, NULL, "{'lab':{'name':'x'},'vpcs':null}", "");
	intent_free(intent);
}

/* More than the limits: of ports in ranges, rules, routes. */
static void test_limits(void **state)
{
	struct intent *intent = intent_new();
	struct buf body = { 0 };

	(void)state;
	request(intent, REQUEST_APPLY, NULL, base_tree, NULL);
	buf_append_text(&body, "{'ingress':[");
	for (int i = 0; i < 2049; i++)
		buf_printf(&body, "%s{'protocol':'tcp','ports':%d,'from':'::/0'}", i ? "," : "", i);
	buf_append_text(&body, "]}");
	refuse(intent, REQUEST_PUT, GROUP, buf_text(&body), -EINVAL, GROUP_PATH ".ingress",
	       "security group blue/new: ingress: has more than 2048 elements");
	buf_reset(&body);
	buf_append_text(&body, "{'routes':[");
	for (int i = 0; i < 1001; i++)
		buf_printf(&body, "%s{'to':'11.%d.%d.0/24','via':'blackhole'}", i ? "," : "",
			   i / 256, i % 256);
	buf_append_text(&body, "]}");
	refuse(intent, REQUEST_PUT, TABLE, buf_text(&body), -EINVAL, TABLE_PATH ".routes",
	       "route table blue/new: routes: has more than 1000 elements");
	buf_reset(&body);
	buf_append_text(&body, "{'ingress':[{'protocol':'tcp','from':'::/0','ports':'");
	for (int i = 0; i < 65; i++)
		buf_printf(&body, "%s%d", i ? "," : "", 2 * i);
	buf_append_text(&body, "'}]}");
	refuse(intent, REQUEST_PUT, GROUP, buf_text(&body), -EINVAL, GROUP_PATH ".ingress[0].ports",
	       "security group blue/new: a rule has at most 64 ranges of ports");
	buf_fini(&body);
	intent_free(intent);
}

/* What is allowed one by one may be too much for one record. */
static void test_record_size(void **state)
{
	struct intent *intent = intent_new();
	struct buf body = { 0 };

	(void)state;
	request(intent, REQUEST_APPLY, NULL, base_tree, NULL);
	buf_append_text(&body, "{'ingress':[");
	for (int i = 0; i < 1050; i++) {
		buf_printf(&body, "%s{'protocol':'tcp','from':'10.%d.%d.0/24','ports':'",
			   i ? "," : "", i / 256, i % 256);
		for (int j = 0; j < 64; j++)
			buf_printf(&body, "%s%d-%d", j ? "," : "", 10000 + 100 * j,
				   10050 + 100 * j);
		buf_append_text(&body, "'}");
	}
	buf_append_text(&body, "]}");
	refuse(intent, REQUEST_PUT, GROUP, buf_text(&body), -EFBIG, GROUP_PATH,
	       "security group blue/new: its lists are too long to be stored: 1006280 bytes, at "
	       "most 1000000");
	buf_fini(&body);
	intent_free(intent);
}

/* Three groups with 2,048 rules each are one too many for a port, when it joins and when one grows. */
static void test_rules_of_port(void **state)
{
	struct intent *intent = intent_new();
	struct buf body = { 0 };

	(void)state;
	request(intent, REQUEST_APPLY, NULL, base_tree, NULL);
	buf_append_text(&body, "{'ingress':[");
	for (int i = 0; i < 2048; i++)
		buf_printf(&body, "%s{'protocol':'tcp','ports':%d,'from':'::/0'}", i ? "," : "", i);
	buf_append_text(&body, "]}");
	request(intent, REQUEST_PUT, "vpcs/blue/security_groups/a", buf_text(&body), NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/security_groups/b", buf_text(&body), NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/web1",
		"{'subnet':'web','security_groups':['a','b','web']}", NULL);
	refuse(intent, REQUEST_PUT, "vpcs/blue/ports/web1",
	       "{'subnet':'web','security_groups':['a','b','lb']}", -EINVAL,
	       "vpcs.blue.ports.web1.security_groups",
	       "port blue/web1: its security groups have 4097 ingress rules together, at most 4096 "
	       "are allowed");
	refuse(intent, REQUEST_PUT, "vpcs/blue/security_groups/web",
	       "{'ingress':[{'protocol':'all','from':'::/0'}]}", -EINVAL,
	       "vpcs.blue.ports.web1.security_groups",
	       "port blue/web1: its security groups have 4097 ingress rules together, at most 4096 "
	       "are allowed");
	buf_fini(&body);
	intent_free(intent);
}

/* A port that copies go to does not give up its device for the host's. */
static void test_mirror_to_host(void **state)
{
	struct intent *intent = intent_new();

	(void)state;
	request(intent, REQUEST_APPLY, NULL, base_tree, NULL);
	refuse(intent, REQUEST_PATCH, "vpcs/blue/subnets/web", "{'mirror':{'to':'metal'}}", -EINVAL,
	       "vpcs.blue.subnets.web.mirror.to",
	       "subnet blue/web: port metal has the host's own stack (attach.host), and no copy "
	       "gets to it");
	request(intent, REQUEST_PUT, "vpcs/blue/ports/tap", "{'subnet':'web'}", NULL);
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/web", "{'mirror':{'to':'tap'}}", NULL);
	refuse(intent, REQUEST_PUT, "vpcs/blue/ports/tap",
	       "{'subnet':'web','attach':{'host':true}}", -EINVAL, "vpcs.blue.ports.tap.attach",
	       "port blue/tap: subnet web is mirrored to it, and no copy gets to the host's own stack "
	       "(attach.host)");
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/web", "{'mirror':null}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/tap",
		"{'subnet':'web','attach':{'host':true}}", NULL);
	intent_free(intent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mirror_to_host),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_subnet),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_acl),
		cmocka_unit_test(test_vpc),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_record_size),
		cmocka_unit_test(test_rules_of_port),
	};

	return cmocka_run_group_tests_name("model_check", tests, NULL, NULL);
}
