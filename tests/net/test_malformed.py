#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Messages that no good client sends: ignored or answered as the RFCs say, counted, never fatal.

The tables are in malformed.py; here they are sent, one statement for each row. After each table the
same weftd still runs, and answers a good client that comes from another port.

      subnet web (l3) 10.0.1.0/24, fd00:b:0:1::/64: raw .14 (the bad one), good .15
      subnet lan (l2, snooping) 10.0.4.0/24:        station .11
"""
import time

import malformed
from dhcp import DISCOVER, Dhcp6, dhcp4_frame, dhcp6_frame, ia_na, option6
from harness import SECONDS, Failure, Netns, check, equal, main, statement, wait_for
from packets import UDP, mac_bytes

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    subnets:
      web: {cidr: [10.0.1.0/24, "fd00:b:0:1::/64"], dhcp: true, ra: managed}
      lan: {cidr: [10.0.4.0/24, "fd00:b:0:4::/64"], mode: l2, multicast: snoop, flood_rate: 0}
    ports:
      raw: {subnet: web, addresses: [10.0.1.14, "fd00:b:0:1::14"],
            attach: {netns: raw, configure: false}}
      good: {subnet: web, addresses: [10.0.1.15, "fd00:b:0:1::15"], attach: {netns: good}}
      station: {subnet: lan, address: 10.0.4.11, attach: {netns: station}}
      other: {subnet: lan, address: 10.0.4.12, attach: {netns: other}}
"""
NEXT_SECOND = 0.02  # a port may ask weftd a hundred times a second


class Sender:
    """A port, its wire, and its gateway."""

    def __init__(self, netns, address, address6, gateway6):
        self.wire, self.mac = netns.wire(), netns.mac()
        self.address, self.address6, self.gateway6 = address, address6, gateway6
        raw = bytearray(mac_bytes(self.mac))
        raw[0] ^= 2
        self.local6 = "fe80::%02x%02x:%02xff:fe%02x:%02x%02x" % tuple(raw)
        self.gateway_mac = None

    def send(self, frames):
        for frame in frames if isinstance(frames, list) else list(frames):
            self.wire.send(bytes(frame))


class World:
    def __init__(self, weft):
        self.weft, self.pid = weft, weft.process.pid
        for name in ("raw", "good", "station", "other"):
            setattr(self, name, Netns(name))
        weft.apply(INTENT)
        weft.plugged("blue/raw", "blue/good", "blue/station", "blue/other")
        self.bad = Sender(self.raw, "10.0.1.14", "fd00:b:0:1::14", "fd00:b:0:1::1")
        self.client = Sender(self.good, "10.0.1.15", "fd00:b:0:1::15", "fd00:b:0:1::1")
        self.lan = Sender(self.station, "10.0.4.11", "fd00:b:0:4::11", "fd00:b:0:4::1")
        self.bad.gateway_mac = self.ask4(self.bad).source_mac
        self.client.gateway_mac = self.bad.gateway_mac
        self.last = time.monotonic()

    def ask4(self, sender):
        def once():
            sender.wire.send(dhcp4_frame(sender.mac, DISCOVER))
            return sender.wire.receive(lambda packet: packet.destination_port == 68, 1)
        return wait_for(once, "an OFFER")

    def metric(self, name):
        text = self.weft.http("GET", "/metrics", raw=True)[2].decode()
        return sum(int(line.split(" ")[-1]) for line in text.splitlines()
                   if line.startswith(name))

    def hold_back(self):
        """A port may ask only so often; the next row is no flood."""
        wait_for(lambda: time.monotonic() - self.last > NEXT_SECOND, "the next row's time")
        self.last = time.monotonic()

    def alive(self):
        check(self.weft.process.poll() is None and self.weft.process.pid == self.pid,
              "weftd has ended")
        equal(self.weft.http("GET", "/healthz")[0], 200, "status of /healthz")


def found_of(world, then):
    """What the counters of a row say now."""
    if then.how == "counted":
        protocol, *results = then.words
        return sum(world.metric(f'weft_dhcp_messages_total{{protocol="{protocol}",'
                                f'result="{result}"}} ') for result in results)
    if then.how == "metric":
        return world.metric(then.words[0] + " ")
    return sum(world.weft.counter(verdict) for verdict in then.words)


def try_case(world, sender, case):
    frames = case.frame(sender)
    if not isinstance(frames, list):
        frames = [frames]
    world.hold_back()
    sender.wire.drain()
    if case.then.how == "answered":
        sender.send(frames)
        check(sender.wire.receive(case.then.words[0], SECONDS), "no such answer")
        return
    before = found_of(world, case.then)
    sender.send(frames)
    try:
        wait_for(lambda: found_of(world, case.then) > before, f"{case.then.words} counts it")
    except Failure as failure:
        raise Failure(f"{failure}; last drops: {world.weft.last_drops()}") from None


def declare(protocol, sender, table):
    for case in table:
        def row(_weft, world, case=case):
            try_case(world, getattr(world, sender), case)
        statement(f"{protocol}: {case.what} ({case.where})")(row)


declare("DHCPv4", "bad", malformed.DHCP4)


@statement("DHCPv4: weftd runs on and serves a good client")
def good4(_weft, world):
    world.alive()
    equal(world.ask4(world.client).destination, "10.0.1.15", "the good client's address")


declare("DHCPv6", "bad", malformed.DHCP6)


@statement("DHCPv6: weftd runs on and serves a good client")
def good6(_weft, world):
    world.alive()
    client = option6(1, bytes.fromhex("00030001") + mac_bytes(world.client.mac))
    world.client.wire.send(dhcp6_frame(world.client.mac, world.client.local6, 1,
                                       client + ia_na(7)))
    packet = world.client.wire.expect(lambda got: got.protocol == UDP and
                                      got.destination_port == 546, "an ADVERTISE")
    equal(Dhcp6(packet).addresses[0][0], "fd00:b:0:1::15", "the good client's address")


declare("discovery", "bad", malformed.DISCOVERY)


@statement("discovery: weftd runs on and tells a good client the router")
def good_nd(_weft, world):
    world.alive()
    world.client.wire.drain()
    world.client.send([malformed.nd(malformed.ICMPv6ND_RS())(world.client)])
    world.client.wire.expect(lambda got: got.kind == 134, "a router advertisement")
    check(world.good.reaches("fd00:b:0:1::1"), "ping of the gateway")


declare("DNS", "bad", malformed.DNS_CASES)


@statement("DNS: weftd runs on and answers a good client")
def good_dns(_weft, world):
    world.alive()
    done = world.good.run("dig", "+short", "+time=5", "+tries=6", "@10.0.1.2",
                          "raw.blue.internal", accept=[0])
    equal(done.stdout.strip(), "10.0.1.14", "the good client's answer")


declare("multicast", "lan", malformed.MEMBERSHIP)


@statement("multicast: a report that is right is still taken")
def good_group(weft, world):
    world.alive()
    listener = world.other.socket(kind=2, bind=("", 7700))
    listener.setsockopt(0, 35, bytes([239, 1, 2, 3, 10, 0, 4, 12]))  # IP_ADD_MEMBERSHIP
    frame = (malformed.Ether(src=world.lan.mac, dst="01:00:5e:01:02:03") /
             malformed.IP(src="10.0.4.11", dst="239.1.2.3", ttl=4) /
             malformed.UDP(sport=7700, dport=7700) / malformed.Raw(b"to the group"))
    listener.settimeout(0.1)

    def heard():
        world.lan.send([frame])
        try:
            return listener.recv(100) == b"to the group"
        except TimeoutError:
            return False
    wait_for(heard, "the group's datagram")
    listener.close()
    check(weft.process.poll() is None, "weftd has ended")


main(World)
