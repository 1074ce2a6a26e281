#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Router advertisements and DHCPv6: the kernel's SLAAC, dhclient -6, dhcpcd, and frames by hand.

      subnet auto fd00:b:0:1::/64    ra: slaac       kernel (accept_ra) ... other
      subnet both fd00:b:0:2::/64    ra: stateless   mixed, raw (frames of this test)
      subnet given fd00:b:0:3::/64   ra: managed     dhclient, dhcpcd
      subnet quiet fd00:b:0:4::/64   none            quiet
      subnet chosen fd00:b:0:5::/64  ra: slaac, any  private (RFC 7217, 8981), picky (frames)
"""
import contextlib
import json
import os
import stat
import struct
import subprocess

from dhcp import asked6, dhcp6_frame, ia_na, link_local, option6
from harness import RUN, SECONDS, Netns, check, equal, main, run, statement, wait_for
from packets import (ICMPV6, IPV6, address_bytes, ethernet, icmpv6, ipv6, mac_bytes)

INTENT = """
vpcs:
  blue:
    cidrs: ["fd00:b::/48"]
    subnets:
      auto: {cidr: "fd00:b:0:1::/64", ra: slaac}
      both:
        cidr: "fd00:b:0:2::/64"
        ra: {mode: stateless, lifetime: 900, interval: 60, dns: "fd00:b:0:2::53",
             search: [both.example]}
      given: {cidr: "fd00:b:0:3::/64", ra: managed}
      quiet: {cidr: "fd00:b:0:4::/64"}
      chosen: {cidr: "fd00:b:0:5::/64", ra: {mode: slaac, identifiers: any}}
    security_groups:
      open:
        ingress: [{protocol: all, from: "::/0"}]
        egress: [{protocol: all, to: "::/0"}]
    ports:
      kernel: {subnet: auto, security_groups: [open], attach: {netns: kernel, configure: false}}
      private:
        {subnet: chosen, address: "fd00:b:0:5::10", security_groups: [open],
         attach: {netns: private, configure: false}}
      picky:
        {subnet: chosen, address: "fd00:b:0:5::11", security_groups: [open],
         attach: {netns: picky, configure: false}}
      other: {subnet: auto, security_groups: [open], attach: {netns: other}}
      mixed: {subnet: both, security_groups: [open], attach: {netns: mixed, configure: false}}
      raw:
        {subnet: given, address: "fd00:b:0:3::10", security_groups: [open],
         attach: {netns: raw, configure: false}}
      dhclient:
        {subnet: given, address: "fd00:b:0:3::11", security_groups: [open],
         attach: {netns: dhclient, configure: false}}
      dhcpcd:
        {subnet: given, address: "fd00:b:0:3::12", security_groups: [open],
         attach: {netns: dhcpcd, configure: false}}
      quiet: {subnet: quiet, security_groups: [open], attach: {netns: quiet, configure: false}}
"""

DHCLIENT_SCRIPT = """#!/bin/sh
env > "$RESULT.$reason"
case $reason in
PREINIT6) ip link set "$interface" up ;;
BOUND6|RENEW6|REBIND6) ip -6 address replace "$new_ip6_address/128" dev "$interface" ;;
esac
exit 0
"""


def addresses(netns, scope="global"):
    found = json.loads(netns.run("ip", "-j", "-6", "address", "show", "eth0").stdout)
    return [info["local"] for info in (found[0].get("addr_info", []) if found else [])
            if info["scope"] == scope]


class Hosts:
    """The namespaces."""

    def __init__(self, weft):
        names = ("kernel", "other", "mixed", "raw", "dhclient", "dhcpcd", "quiet", "picky",
                 "private")
        for name in names:
            setattr(self, name, Netns(name))
            if name == "private":  # RFC 7217, and RFC 8981 beside
                self.private.run("sysctl", "-qw", "net.ipv6.conf.default.accept_ra=1",
                                 "net.ipv6.conf.default.stable_secret=fd00::7217",
                                 "net.ipv6.conf.default.use_tempaddr=2", accept=[0])
                continue
            # The kernel of the workload; a host that forwards takes none of them.
            getattr(self, name).run("sysctl", "-qw", "net.ipv6.conf.default.accept_ra=1",
                                    "net.ipv6.conf.default.accept_dad=0", accept=[0])
        weft.apply(INTENT)
        weft.plugged(*(f"blue/{name}" for name in names))
        self.wire, self.quiet_wire = self.raw.wire(), self.quiet.wire()
        self.link_local = link_local(self.wire.mac)

    def ask(self, kind, *options, seconds=SECONDS):
        """The answer to a DHCPv6 message, as Dhcp6, or None."""
        return asked6(self.wire, kind, *options, seconds=seconds)

    def solicit(self, source=None, body=b"", hops=255, code=0, wire=None):
        wire = wire or self.wire
        source = source or self.link_local
        message = icmpv6(source, "ff02::2", 133, code, bytes(4) + body)
        wire.send(ethernet("33:33:00:00:00:02", wire.mac, IPV6,
                           ipv6(source, "ff02::2", ICMPV6, message, hops)))

    def advertisement(self):
        return self.wire.receive(lambda got: got.protocol == ICMPV6 and got.kind == 134)


def metric(weft, protocol, result):
    text = weft.http("GET", "/metrics", raw=True)[2].decode()
    name = f'weft_dhcp_messages_total{{protocol="{protocol}",result="{result}"}} '
    return sum(int(line[len(name):]) for line in text.splitlines() if line.startswith(name))


@contextlib.contextmanager
def counted(weft, protocol, result, count=1):
    before = metric(weft, protocol, result)
    yield
    wait_for(lambda: metric(weft, protocol, result) >= before + count,
             f"metric of {protocol} {result}")


@statement("a namespace's kernel makes its address by SLAAC, and reaches its neighbour with it")
def kernel_slaac(weft, hosts):
    mac = hosts.kernel.mac()
    wanted = link_local(mac).replace("fe80:", "fd00:b:0:1")
    wait_for(lambda: addresses(hosts.kernel), "an address by SLAAC")
    equal(addresses(hosts.kernel), [wanted], "addresses of the kernel")
    other = weft.port("blue/other")["addresses"][0]
    wait_for(lambda: hosts.kernel.ping(other), "ping of a neighbour, from the address of SLAAC")
    check(hosts.other.reaches(wanted), "ping to the address of SLAAC")
    routes = hosts.kernel.run("ip", "-6", "route").stdout
    check("default via fe80::" in routes and "proto ra" in routes, f"routes: {routes}")
    check(hosts.kernel.reaches("fd00:b:0:1::1"), "ping of the gateway")


@statement("the kernel takes the MTU from the advertisement")
def kernel_mtu(weft, hosts):
    mtu = weft.get("/v1/vpcs/blue")["effective_mtu"]
    equal(int(hosts.kernel.run("cat", "/proc/sys/net/ipv6/conf/eth0/mtu").stdout), mtu, "MTU")


@statement("stateless: SLAAC, and the rest by DHCPv6")
def stateless(_weft, hosts):
    wait_for(lambda: addresses(hosts.mixed), "an address by SLAAC")
    result = f"{RUN}/mixed"
    script = f"{RUN}/mixed.sh"
    with open(script, "w", encoding="utf-8") as file:
        file.write(DHCLIENT_SCRIPT)
    os.chmod(script, stat.S_IRWXU)
    hosts.mixed.run("dhclient", "-6", "-S", "-1", "-sf", script, "-lf", f"{result}.leases",
                    "-pf", f"{result}.pid", "-e", f"RESULT={result}", "eth0", accept=[0])
    with open(f"{result}.RENEW6" if os.path.exists(f"{result}.RENEW6") else f"{result}.BOUND6",
              encoding="utf-8") as file:
        got = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    equal(got.get("new_dhcp6_name_servers"), "fd00:b:0:2::2", "DNS")


@statement("managed: dhclient -6 gets the port's address, and gives it back")
def dhclient(weft, hosts):
    result = f"{RUN}/dhclient6"
    script = f"{RUN}/dhclient6.sh"
    with open(script, "w", encoding="utf-8") as file:
        file.write(DHCLIENT_SCRIPT)
    os.chmod(script, stat.S_IRWXU)
    words = ("dhclient", "-6", "-sf", script, "-lf", f"{result}.leases", "-pf", f"{result}.pid",
             "-e", f"RESULT={result}")
    hosts.dhclient.run(*words, "-1", "eth0", accept=[0])
    with open(f"{result}.BOUND6", encoding="utf-8") as file:
        got = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    equal(got.get("new_ip6_address"), "fd00:b:0:3::11", "address")
    equal(got.get("new_dhcp6_name_servers"), "fd00:b:0:3::2", "DNS: the VPC's resolver")
    wait_for(lambda: hosts.dhclient.ping("fd00:b:0:3::1"), "ping of the gateway")
    with counted(weft, "dhcpv6", "release"):
        hosts.dhclient.run(*words, "-r", "eth0", accept=[0])


@statement("managed: dhcpcd gets it by itself from the flags of the advertisement")
def dhcpcd(_weft, hosts):
    for folder in ("/var/lib/dhcpcd", "/run/dhcpcd"):  # leases are this test's own
        if os.path.isdir(folder):
            run("mount", "-t", "tmpfs", "none", folder, accept=[0])
    config = f"{RUN}/dhcpcd.conf"
    with open(config, "w", encoding="utf-8") as file:
        file.write("duid\nnoipv4\nslaac hwaddr\noption dhcp6_name_servers\n"
                   "nohook resolv.conf, hostname, timesyncd, ntp.conf\n")
    process = hosts.dhcpcd.start("dhcpcd", "-B", "-f", config, "eth0",
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: "fd00:b:0:3::12" in addresses(hosts.dhcpcd), "dhcpcd's address")
        wait_for(lambda: hosts.dhcpcd.ping("fd00:b:0:3::1"), "ping of the gateway")
    finally:
        process.kill()
        process.wait()


@statement("an advertisement says what the subnet says: flags, lifetime, prefix, MTU, RDNSS, DNSSL")
def advertisement(weft, hosts):
    hosts.wire.drain()
    hosts.solicit()
    packet = hosts.advertisement()
    check(packet, "no advertisement")
    equal((packet.ttl, packet.destination), (255, "ff02::1"), "hop limit and destination")
    body = packet.rest + packet.payload
    equal((body[0], body[1], struct.unpack("!H", body[2:4])[0]), (64, 0xc0, 1800),
          "hop limit, flags M and O, lifetime")
    options, rest = {}, body[12:]
    while rest:
        options[rest[0]] = rest[2:rest[1] * 8]
        rest = rest[rest[1] * 8:]
    equal(packet.source, link_local(":".join(f"{byte:02x}" for byte in options[1])),
          "the source is the link-local address of the MAC in it")
    equal(struct.unpack("!I", options[5][2:6])[0], weft.get("/v1/vpcs/blue")["effective_mtu"],
          "MTU")
    equal((options[3][0], options[3][1], options[3][14:30]),
          (64, 0x80, address_bytes("fd00:b:0:3::")), "prefix: on link, not for SLAAC")
    equal(options[25][6:], address_bytes("fd00:b:0:3::2"), "RDNSS")


@statement("solicitations that are not valid are ignored and counted")
def bad_solicitations(weft, hosts):
    with counted(weft, "ra", "malformed", 4):
        hosts.solicit(hops=64)
        hosts.solicit(code=1)
        hosts.solicit(body=b"\x01\x00" + bytes(6))
        hosts.solicit(source="::", body=b"\x01\x01" + mac_bytes(hosts.wire.mac))
    with counted(weft, "ra", "router"):
        hosts.solicit(source="::")


@statement("a subnet without ra sends none")
def quiet(weft, hosts):
    with weft.dropped("router_solicitation"):
        hosts.solicit(link_local(hosts.quiet_wire.mac), wire=hosts.quiet_wire)
    equal(addresses(hosts.quiet), [], "addresses in a subnet without ra")


@statement("RFC 7217, 8981: addresses that a kernel picks are the port's once it has proven them")
def private(weft, hosts):
    def settled():
        found = json.loads(hosts.private.run("ip", "-j", "-6", "address", "show", "eth0").stdout)
        return [info["local"] for info in found[0]["addr_info"] if info["scope"] == "global" and
                not info.get("tentative")]
    wait_for(lambda: len(settled()) >= 2, "a stable and a temporary address")
    chosen = settled()
    check(not any("ff:fe" in address for address in chosen), f"addresses of the MAC: {chosen}")
    wait_for(lambda: set(chosen) <= set(weft.port("blue/private")["addresses"]),
             "they are the port's")
    for address in chosen:
        wait_for(lambda own=address: hosts.private.ping("fd00:b:0:5::1", 1, "-I", own),
                 f"ping of the gateway from {address}")
        check(hosts.other.reaches(address), f"ping from another subnet to {address}")


def ask_for(wire, target):
    """Duplicate address detection of an address."""
    body, group = bytes(4) + address_bytes(target), "ff02::1:ff00:0"
    wire.send(ethernet("33:33:ff:00:00:00", wire.mac, IPV6,
                       ipv6("::", group, ICMPV6, icmpv6("::", group, 135, 0, body), 255)))


@statement("RFC 4862 5.4: another's address is defended; a port may take so many in a while")
def proven(weft, hosts):
    wire = hosts.picky.wire()
    wire.drain()
    with counted(weft, "ra", "duplicate", 2):
        for target in ("fd00:b:0:5::10", "fd00:b:0:5::1"):
            ask_for(wire, target)
            answer = wire.expect(lambda got: got.kind == 136, f"an advertisement of {target}")
            equal((answer.source, answer.destination), (target, "ff02::1"), "who says so")
    with counted(weft, "ra", "malformed"):
        wire.send(ethernet("33:33:ff:00:00:00", wire.mac, IPV6, ipv6(
            "::", "ff02::1:ff00:99", ICMPV6, icmpv6("::", "ff02::1:ff00:99", 135, 0,
                                                  bytes(4) + address_bytes("fd00:b:0:5::99")), 64)))
    before = len(weft.port("blue/picky")["addresses"])
    with counted(weft, "ra", "proven", 8):
        for number in range(8):
            ask_for(wire, f"fd00:b:0:5:1::{number + 0x20:x}")
    with counted(weft, "ra", "too_many"):
        ask_for(wire, "fd00:b:0:5:1::99")
    equal(len(weft.port("blue/picky")["addresses"]), before + 8, "addresses of the port")
    for target in ("fe80::1:2:3", "fd00:b:0:9::1"):  # link-local, and of no range here
        ask_for(wire, target)
    check(weft.process.poll() is None, "weftd has ended")


@statement("DHCPv6 by hand: SOLICIT, REQUEST, RENEW, REBIND, CONFIRM, DECLINE, RELEASE, "
           "INFORMATION-REQUEST")
def by_hand(weft, hosts):
    client = option6(1, bytes.fromhex("00030001") + mac_bytes(hosts.wire.mac))
    advertise = hosts.ask(1, client, ia_na(7))
    equal((advertise.kind, advertise.addresses), (2, [("fd00:b:0:3::10", 3600)]), "ADVERTISE")
    server = option6(2, advertise.options[2])
    reply = hosts.ask(3, client, server, ia_na(7))
    equal((reply.kind, reply.addresses, reply.association), (7, [("fd00:b:0:3::10", 3600)], 7),
          "REPLY to REQUEST")
    reply = hosts.ask(5, client, server, ia_na(7, "fd00:b:0:3::99"))
    equal(sorted(reply.addresses), [("fd00:b:0:3::10", 3600), ("fd00:b:0:3::99", 0)],
          "REPLY to RENEW of an address that is not the port's")
    reply = hosts.ask(6, client, ia_na(7, "fd00:b:0:3::10"))
    equal((reply.kind, reply.addresses), (7, [("fd00:b:0:3::10", 3600)]), "REPLY to REBIND")
    equal(hosts.ask(4, client, ia_na(7, "fd00:b:0:3::10")).status, 0, "CONFIRM of the own")
    equal(hosts.ask(4, client, ia_na(7, "fd00:b:0:3::99")).status, 4, "CONFIRM of another")
    equal(hosts.ask(8, client, server, ia_na(7, "fd00:b:0:3::10")).status, 0, "RELEASE")
    with counted(weft, "dhcpv6", "decline"):
        equal(hosts.ask(9, client, server, ia_na(7, "fd00:b:0:3::10")).status, 0, "DECLINE")
    reply = hosts.ask(11)
    equal((reply.kind, reply.addresses, reply.options[23]),
          (7, [], address_bytes("fd00:b:0:3::2")), "INFORMATION-REQUEST")
    reply = hosts.ask(1, client, ia_na(7), option6(14, b""))
    equal((reply.kind, 14 in reply.options), (7, True), "rapid commit")
    with counted(weft, "dhcpv6", "other_server"):
        check(hosts.ask(3, client, option6(2, b"\0\1other"), ia_na(7), seconds=0.2) is None,
              "an answer for another server")


@statement("a subnet without IPv4 has lease, DNS, NTP and search of DHCPv6 as well")
def without_ipv4(weft, hosts):
    client = option6(1, bytes.fromhex("00030001") + mac_bytes(hosts.wire.mac))
    said = {"lease": 7200, "dns": "fd00:b:0:3::53", "ntp": "fd00:b:0:3::123",
            "search": ["a.example"]}
    status, _, body = weft.http("PATCH", "/v1/vpcs/blue/subnets/given", {"dhcp": said})
    equal(status, 200, f"status ({body})")
    reply = hosts.ask(1, client, ia_na(7), option6(14, b""))
    equal((reply.addresses, reply.options[23], reply.options[24], reply.options[56]),
          ([("fd00:b:0:3::10", 7200)], address_bytes("fd00:b:0:3::53"), b"\1a\7example\0",
           b"\0\1\0\x10" + address_bytes("fd00:b:0:3::123")), "what the client is told")
    exported = weft.weft("export").stdout
    equal(weft.apply(exported).stdout.strip(), "nothing to change", "apply of the export")
    weft.weft("subnet", "set", "blue/given", "--no-dhcp")
    equal(hosts.ask(11).options[23], address_bytes("fd00:b:0:3::2"), "DNS as before")


@statement("malformed DHCPv6 messages are ignored and counted")
def malformed(weft, hosts):
    client = option6(1, bytes.fromhex("00030001") + mac_bytes(hosts.wire.mac))
    bodies = (client[:-3], client + b"\0\3\0\x28\0", client + b"\0\3\0\4\0\0\0\1",
              option6(1, b""), option6(1, bytes(200)), client + b"\0\1\xff\xff")
    with counted(weft, "dhcpv6", "malformed", len(bodies)):
        for body in bodies:
            hosts.wire.send(dhcp6_frame(hosts.wire.mac, hosts.link_local, 1, body))
    with counted(weft, "dhcpv6", "unexpected", 3):
        for kind in (1, 2, 12):  # a SOLICIT of nobody, an ADVERTISE, a relay's
            hosts.wire.send(dhcp6_frame(hosts.wire.mac, hosts.link_local, kind, b""))


@statement("names of search that no message has room for are refused")
def search(weft, _hosts):
    names = [f"{'x' * 60}.{'y' * 60}.number{number}.example" for number in range(4)]
    for change in ({"ra": {"mode": "managed", "search": names}}, {"dhcp": {"search": names}}):
        status, _, body = weft.http("PATCH", "/v1/vpcs/blue/subnets/given", change)
        equal(status, 400, f"status ({body})")
        check("512 bytes" in body["error"]["message"], f"what is wrong: {body}")


@statement("ra is switched off: a last advertisement ends the router")
def ends(weft, hosts):
    check("default" in hosts.kernel.run("ip", "-6", "route").stdout, "no default route before")
    weft.weft("subnet", "set", "blue/auto", "--ra", "off")
    wait_for(lambda: "default" not in hosts.kernel.run("ip", "-6", "route").stdout,
             "the default route is gone")
    weft.weft("subnet", "set", "blue/auto", "--ra", "slaac")
    wait_for(lambda: "default" in hosts.kernel.run("ip", "-6", "route").stdout,
             "the default route is back, unasked")


main(Hosts)
