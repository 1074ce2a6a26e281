#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""IGMP and MLD snooping in an l2 subnet: kernels that join, a bridge with listeners behind it.

      lan 10.0.1.0/24, fd00:0:0:1::/64 (l2, multicast: snoop, query_interval 2):
          n1 .11 sends    n2 .12    n3 .13    br === br0 --- o1 .101, o2 .102
"""
import socket
import struct

from harness import Netns, check, equal, main, run, statement, wait_for
from packets import ethernet

GROUP4, GROUP6 = "239.1.2.3", "ff15::1:2:3"
INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00::/48"]
    subnets:
      lan: {cidr: [10.0.1.0/24, "fd00:0:0:1::/64"], mode: l2, multicast: snoop, query_interval: 2,
            flood_rate: 0}
      plain: {cidr: 10.0.2.0/24, mode: l2, segment_flood_rate: 50, flood_rate: 0}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}, {protocol: all, from: "::/0"}]
    ports:
      n1: {subnet: lan, security_groups: [open], attach: {netns: n1}}
      n2: {subnet: lan, security_groups: [open], attach: {netns: n2}}
      n3: {subnet: lan, security_groups: [open], attach: {netns: n3}}
      br: {subnet: lan, attach: {bridge: br0}}
      p1: {subnet: plain, security_groups: [open], attach: {netns: p1}}
      p2: {subnet: plain, security_groups: [open], attach: {netns: p2}}
      p3: {subnet: plain, security_groups: [open], attach: {netns: p3}}
"""


def outsider(name, address):
    netns = Netns(name)
    run("ip", "link", "add", f"{name}-p", "type", "veth", "peer", "name", "eth0", "netns", name,
        accept=[0])
    run("ip", "link", "set", f"{name}-p", "master", "br0", "up", accept=[0])
    netns.run("ip", "address", "add", f"{address}/24", "dev", "eth0", accept=[0])
    netns.run("ip", "link", "set", "eth0", "up", accept=[0])
    return netns


class Listeners:
    def __init__(self, weft):
        run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0", accept=[0])
        run("ip", "link", "set", "br0", "up", accept=[0])
        self.netns = {name: Netns(name) for name in ("n1", "n2", "n3", "p1", "p2", "p3")}
        weft.apply(INTENT)
        weft.plugged(*(f"blue/{name}" for name in (*self.netns, "br")))
        for name, address in (("o1", "10.0.1.101"), ("o2", "10.0.1.102")):
            self.netns[name] = outsider(name, address)
        self.wires = {name: netns.wire() for name, netns in self.netns.items()}
        self.count = 0

    def join(self, name, group, version=None):
        """A socket that listens to the group: the kernel reports it."""
        family = socket.AF_INET6 if ":" in group else socket.AF_INET
        if version:
            self.netns[name].run("sysctl", "-qw",
                                 f"net.ipv4.conf.eth0.force_igmp_version={version}", accept=[0])
        made = self.netns[name].socket(family, socket.SOCK_DGRAM, bind=("", 7700))
        index = struct.pack("@i", self.index(name))
        if family == socket.AF_INET6:
            made.setsockopt(41, socket.IPV6_JOIN_GROUP,
                            socket.inet_pton(family, group) + index)
        else:
            made.setsockopt(0, socket.IP_ADD_MEMBERSHIP,
                            socket.inet_aton(group) + socket.inet_aton("0.0.0.0") + index)
        return made

    def index(self, name):
        return int(self.netns[name].run("ip", "-o", "link", "show", "eth0",
                                        accept=[0]).stdout.split(":")[0])

    def send(self, group):
        """A datagram from n1 to the group; the words in it."""
        self.count += 1
        word = b"group %06d." % self.count
        family = socket.AF_INET6 if ":" in group else socket.AF_INET
        with self.netns["n1"].socket(family, socket.SOCK_DGRAM) as sender:
            if family == socket.AF_INET6:
                sender.setsockopt(41, socket.IPV6_MULTICAST_HOPS, 4)
                sender.sendto(word, (group, 7700, 0, self.index("n1")))
            else:
                sender.setsockopt(0, socket.IP_MULTICAST_TTL, 4)
                sender.setsockopt(0, socket.IP_MULTICAST_IF,
                                  struct.pack("@8xi", self.index("n1")))
                sender.sendto(word, (group, 7700))
        return word

    def takers(self, group):
        """Who gets a datagram to the group. A broadcast behind it shows that all have arrived."""
        for wire in self.wires.values():
            wire.drain()
        word = self.send(group)
        end = b"end of %06d." % self.count
        self.wires["n1"].send(ethernet("ff:ff:ff:ff:ff:ff", self.wires["n1"].mac, 0x88B5,
                                       end.ljust(46, b".")))
        got = set()
        for name in ("n2", "n3", "o1", "o2"):
            seen = self.wires[name].expect(lambda packet: word in packet.frame or
                                           end in packet.frame, f"the end at {name}")
            while end not in seen.frame:
                got.add(name)
                seen = self.wires[name].expect(lambda packet: word in packet.frame or
                                               end in packet.frame, f"the end at {name}")
        return got


@statement("to a group that nobody listens to nothing is delivered, and it is counted")
def nobody(weft, listeners):
    with weft.dropped("no_listener"):
        equal(listeners.takers(GROUP4), set(), "who gets 239.1.2.3")
    with weft.dropped("no_listener"):
        equal(listeners.takers(GROUP6), set(), "who gets ff15::1:2:3")


@statement("a kernel that joins by IGMP v3, v2, and MLD v2 gets the group, others do not")
def joined(_weft, listeners):
    for name, group, version in (("n2", GROUP4, 3), ("n3", GROUP4, 2)):
        before = listeners.takers(group)
        with listeners.join(name, group, version):
            wait_for(lambda one=name, it=group: one in listeners.takers(it), f"{name} gets {group}")
            equal(listeners.takers(group) - before, {name}, f"who gets {group} more")
        wait_for(lambda one=name, it=group: one not in listeners.takers(it),
                 f"{name} has left {group}")
    with listeners.join("n2", GROUP6):
        wait_for(lambda: listeners.takers(GROUP6) == {"n2"}, f"n2 alone gets {GROUP6}")
    wait_for(lambda: listeners.takers(GROUP6) == set(), f"n2 has left {GROUP6}")


@statement("a listener behind a bridge is known by its port, and forgotten when it answers no "
           "query")
def behind(_weft, listeners):
    with listeners.join("o1", GROUP4):
        wait_for(lambda: "o1" in listeners.takers(GROUP4), "o1 gets the group")
        check(not listeners.takers(GROUP4) & {"n2", "n3"}, "others do not")
    wait_for(lambda: listeners.takers(GROUP4) == set(), "it ages", 40)


@statement("the querier asks, and who listens stays known as long as it answers")
def querier(_weft, listeners):
    with listeners.join("n2", GROUP4, 3):
        wait_for(lambda: "n2" in listeners.takers(GROUP4), "n2 gets the group")
        for name in ("n2", "o1"):
            seen = listeners.wires[name].receive(
                lambda packet: packet.frame[12:14] == b"\x08\x00" and packet.frame[23] == 2 and
                packet.frame[38] == 0x11, 6)
            check(seen, f"a query at {name}")
        query = seen.frame[38:50]
        equal(sum(struct.unpack("!6H", query)) % 0xffff, 0, "the checksum of the query")
        seen = listeners.wires["n2"].receive(
            lambda packet: packet.frame[12:14] == b"\x86\xdd" and packet.frame[62] == 130, 6)
        check(seen, "an MLD query at n2")


@statement("groups of the link are always flooded, and so is what is not IP")
def of_link(_weft, listeners):
    for group in ("224.0.0.251", "ff02::fb"):
        equal(listeners.takers(group), {"n2", "n3", "o1", "o2"}, f"who gets {group}")


@statement("reports reach multicast routers alone")
def reports(weft, listeners):
    wire = listeners.wires["o1"]
    query = bytes.fromhex("11640000" "00000000" "027d0000")
    total = sum(struct.unpack("!6H", query))
    query = query[:2] + struct.pack("!H", ~total & 0xffff) + query[4:]
    head = bytes.fromhex("46c0002400000000010200000a000165e000000194040000")
    total = sum(struct.unpack("!12H", head))
    total = (total & 0xffff) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:]
    is_report = lambda packet: packet.frame[12:14] == b"\x08\x00" and packet.frame[23] == 2 and \
        packet.frame[38] in (0x16, 0x22)
    for name in ("n3", "o1"):
        listeners.wires[name].drain()
    wire.send(ethernet("01:00:5e:00:00:01", wire.mac, 0x0800, head + query))
    with listeners.join("n2", "239.7.7.7", 3):
        check(wire.receive(is_report, 5), "the router sees the report")
        equal(listeners.wires["n3"].arrived(is_report), [], "a workload sees no report")
        check("o1" in listeners.takers("239.9.9.9"), "the router gets every group")


@statement("what is malformed is dropped and counted")
def malformed(weft, listeners):
    wire = listeners.wires["n3"]
    for body in ("1600000a" "ef010203", "22000000" "00000005",
                 "22000000" "00000001" "0400ffff" "ef010203"):
        packet = bytes.fromhex(body)
        head = bytes.fromhex("4500%04x00000000010200000a00010de0000016" % (20 + len(packet)))
        total = sum(struct.unpack("!10H", head))
        total = (total & 0xffff) + (total >> 16)
        head = head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:]
        with weft.dropped("bad_membership"):
            wire.send(ethernet("01:00:5e:00:00:16", wire.mac, 0x0800,
                               (head + packet).ljust(46, b"\0")))


@statement("without snooping everything is flooded; all ports of a subnet share a limit")
def plain(weft, listeners):
    with weft.dropped("segment_flood_limit", 50):
        for number in range(60):
            for name in ("p1", "p2"):
                wire = listeners.wires[name]
                wire.send(ethernet("ff:ff:ff:ff:ff:ff", wire.mac, 0x88B5,
                                   (b"storm %d" % number).ljust(46, b".")))
    weft.weft("subnet", "set", "blue/lan", "--multicast", "flood")
    equal(listeners.takers(GROUP4), {"n2", "n3", "o1", "o2"}, "who gets the group")
    check("segment_flood_rate: 50" in weft.weft("export").stdout, "the export has the limit")


@statement("without a daemon nobody would ask, so everything is flooded")
def no_daemon(weft, listeners):
    weft.weft("subnet", "set", "blue/lan", "--multicast", "snoop")
    wait_for(lambda: listeners.takers(GROUP4) <= {"o1", "o2"}, "nobody but the router gets it")
    weft.end(9)
    equal(listeners.takers(GROUP4), {"n2", "n3", "o1", "o2"}, "who gets the group")
    weft.start()
    wait_for(lambda: listeners.takers(GROUP4) <= {"o1", "o2"}, "nobody gets it", 30)


main(Listeners)
