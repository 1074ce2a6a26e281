#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""DHCP for ports: real clients, every kind of message, and what is no message.

      subnet web 10.0.1.0/24, dhcp with options       subnet plain 10.0.2.0/24, dhcp: true
          udhcpc .11  ---+                               plain1 .11
          dhclient .12 --+--- gateway .1 (weftd answers by the punt device)
          dhcpcd .13  ---+
          raw .14     ---+    frames written by this test
"""
import contextlib
import json
import os
import shutil
import signal
import stat

from dhcp import (ACK, DECLINE, DISCOVER, INFORM, NAK, OFFER, RELEASE, REQUEST, Dhcp4,
                  dhcp4_frame, dhcp4_request)
from harness import (RUN, Netns, Skip, check, equal, main, statement, wait_for)
from packets import BROADCAST, IPV4, UDP, ethernet, ipv4, udp

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      web:
        cidr: 10.0.1.0/24
        dhcp:
          lease: 600
          dns: [10.0.1.2, 192.0.2.53]
          ntp: 192.0.2.123
          domain: blue.example
          search: [blue.example, example.org]
          routes: [{to: 10.9.0.0/16, via: 10.0.1.14}]
          next_server: 192.0.2.69
          tftp_server: boot.example
          boot_file: pxe/start.0
          options: {"43": "hex:0104c0000201", "252": "http://wpad.example/wpad.dat"}
      plain: {cidr: 10.0.2.0/24, dhcp: true}
      silent: {cidr: 10.0.3.0/24}
      switch: {cidr: 10.0.4.0/24, mode: l2, gateway: 10.0.4.1, dhcp: true}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
        egress: [{protocol: all, to: 0.0.0.0/0}]
    ports:
      udhcpc:
        {subnet: web, address: 10.0.1.11, security_groups: [open],
         attach: {netns: udhcpc, configure: false}}
      dhclient:
        {subnet: web, address: 10.0.1.12, security_groups: [open],
         attach: {netns: dhclient, configure: false}}
      dhcpcd:
        {subnet: web, address: 10.0.1.13, security_groups: [open],
         attach: {netns: dhcpcd, configure: false}}
      raw:
        {subnet: web, address: 10.0.1.14, security_groups: [open],
         attach: {netns: raw, configure: false}}
      plain1:
        {subnet: plain, address: 10.0.2.11, security_groups: [open],
         attach: {netns: plain1, configure: false}}
      silent1:
        {subnet: silent, address: 10.0.3.11, attach: {netns: silent1, configure: false}}
      switch1:
        {subnet: switch, address: 10.0.4.11, attach: {netns: switch1, configure: false}}
      switch2:
        {subnet: switch, address: 10.0.4.12, attach: {netns: switch2, configure: false}}
"""

# What busybox's udhcpc calls with what it has got.
UDHCPC_SCRIPT = """#!/bin/sh
env > "$RESULT.$1"
case $1 in
deconfig) ip link set "$interface" up; ip address flush dev "$interface" ;;
bound|renew)
	ip address replace "$ip/$mask" dev "$interface"
	[ -z "$router" ] || ip route replace default via "${router%% *}"
	;;
esac
"""

# The same for ISC dhclient.
DHCLIENT_SCRIPT = """#!/bin/sh
env > "$RESULT.$reason"
case $reason in
PREINIT) ip link set "$interface" up ;;
BOUND|RENEW|REBIND|REBOOT)
	ip address replace "$new_ip_address/$new_subnet_mask" dev "$interface"
	ip route replace default via "${new_routers%% *}"
	;;
esac
exit 0
"""


def write_script(name, text):
    path = f"{RUN}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, stat.S_IRWXU)
    return path


def environment_of(path):
    """What a client's script wrote with env."""
    with open(path, encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)


class Clients:
    """The namespaces, and the wire of the port that has no client but this test."""

    def __init__(self, weft):
        names = ("udhcpc", "dhclient", "dhcpcd", "raw", "plain1", "silent1", "switch1", "switch2")
        for name in names:
            setattr(self, name, Netns(name))
        weft.apply(INTENT)
        weft.plugged(*(f"blue/{name}" for name in names))
        self.wires = {name: getattr(self, name).wire() for name in
                      ("raw", "plain1", "silent1", "switch1", "switch2")}

    def ask(self, name="raw", **fields):
        """The answer to a message, as Dhcp4, or None."""
        wire = self.wires[name]
        wire.drain()
        wire.send(dhcp4_frame(wire.mac, **fields))
        packet = wire.receive(lambda got: got.protocol == UDP and got.destination_port == 68)
        return Dhcp4(packet) if packet else None


def metric(weft, result, protocol="dhcpv4"):
    text = weft.http("GET", "/metrics", raw=True)[2].decode()
    name = f'weft_dhcp_messages_total{{protocol="{protocol}",result="{result}"}} '
    return sum(int(line[len(name):]) for line in text.splitlines() if line.startswith(name))


@contextlib.contextmanager
def counted(weft, result, count=1):
    """In this block at least so many messages end so."""
    before = metric(weft, result)
    yield
    wait_for(lambda: metric(weft, result) >= before + count, f"metric of {result}", 3)


def address_inside(netns):
    found = json.loads(netns.run("ip", "-j", "-4", "address", "show", "eth0").stdout)
    return [f"{info['local']}/{info['prefixlen']}" for info in found[0].get("addr_info", [])]


@statement("udhcpc gets the port's address, mask, router and options")
def udhcpc_gets(_weft, clients):
    script = write_script("udhcpc.sh", UDHCPC_SCRIPT)
    result = f"{RUN}/udhcpc"
    clients.udhcpc.run("busybox", "udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s", script,
                       "-O", "search", "-O", "staticroutes", "-O", "mtu", "-O", "ntpsrv",
                       environment=dict(os.environ, RESULT=result), accept=[0])
    got = environment_of(f"{result}.bound")
    for key, value in {"ip": "10.0.1.11", "mask": "24", "router": "10.0.1.1",
                       "serverid": "10.0.1.1", "lease": "600", "dns": "10.0.1.2 192.0.2.53",
                       "domain": "blue.example", "search": "blue.example example.org",
                       "mtu": "1500", "ntpsrv": "192.0.2.123", "siaddr": "192.0.2.69",
                       "hostname": "udhcpc",
                       "staticroutes": "10.9.0.0/16 10.0.1.14 0.0.0.0/0 10.0.1.1"}.items():
        equal(got.get(key), value, f"{key} as udhcpc has it")
    equal(address_inside(clients.udhcpc), ["10.0.1.11/24"], "addresses inside")
    check(clients.udhcpc.ping("10.0.1.1"), "ping of the gateway")


main(Clients)
