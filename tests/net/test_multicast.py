#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""IGMP and MLD snooping in an l2 subnet: kernels that join, a bridge with listeners behind it.

      lan 10.0.1.0/24, fd00:0:0:1::/64 (l2, multicast: snoop, query_interval 2):
          n1 .11 sends    n2 .12    n3 .13    br === br0 --- o1 .101, o2 .102
"""
import contextlib
import re
import socket
import struct

import groups
from harness import SECONDS, Netns, check, equal, in_order, main, run, statement, wait_for
from packets import ethernet

GROUP4, GROUP6 = "239.1.2.3", "ff15::1:2:3"
MCAST_JOIN_GROUP, MCAST_BLOCK_SOURCE, MCAST_JOIN_SOURCE_GROUP = 42, 43, 46  # linux/in.h
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


def with_checksum(data, at):
    """The bytes with their Internet checksum at an offset, where zero is."""
    words = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return data[:at] + struct.pack("!H", ~total & 0xffff) + data[at + 2:]


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
        if version:
            self.netns[name].run("sysctl", "-qw",
                                 f"net.ipv4.conf.eth0.force_igmp_version={version}", accept=[0])
        return groups.listener(self.netns[name], group)

    def address(self, name, family):
        """Of its own, not of the link."""
        text = self.netns[name].run("ip", family, "-o", "address", "show", "dev", "eth0", "scope",
                                    "global", accept=[0]).stdout
        return text.split()[3].split("/")[0]

    @staticmethod
    def member(weft, group, port):
        """What the daemon lists of the port and the group, None: nothing."""
        found = [one for one in weft.json("multicast")["members"]
                 if (one["group"], one["port"]) == (group, port)]
        return found[0] if found else None

    def filtered(self, name, group, option, source):
        """A socket that listens to the group from one source (MCAST_JOIN_SOURCE_GROUP), or from all
        but one (MCAST_BLOCK_SOURCE)."""
        def storage(address):
            if ":" in address:
                return struct.pack("@HHI16sI", socket.AF_INET6, 0, 0,
                                   socket.inet_pton(socket.AF_INET6, address), 0).ljust(128, b"\0")
            return struct.pack("@HH4s", socket.AF_INET, 0,
                               socket.inet_aton(address)).ljust(128, b"\0")

        made = self.netns[name].socket(groups.family_of(group), socket.SOCK_DGRAM,
                                       bind=("", groups.PORT))
        level = 41 if ":" in group else 0
        index = struct.pack("@I4x", groups.index(self.netns[name]))
        if option == MCAST_BLOCK_SOURCE:
            made.setsockopt(level, MCAST_JOIN_GROUP, index + storage(group))
        made.setsockopt(level, option, index + storage(group) + storage(source))
        return made

    def send(self, group, source="n1"):
        """A datagram to the group; the words in it."""
        self.count += 1
        word = b"group %06d." % self.count
        groups.send(self.netns[source], group, word)
        return word

    def takers(self, group, source="n1"):
        """Who gets a datagram to the group. A broadcast behind it shows that all have arrived."""
        for wire in self.wires.values():
            wire.drain()
        with in_order():
            word = self.send(group, source)
            end = b"end of %06d." % self.count
            wire = self.wires[source]
            wire.send(ethernet("ff:ff:ff:ff:ff:ff", wire.mac, 0x88B5, end.ljust(46, b".")))
        got = set()
        for name in {"n1", "n2", "n3", "o1", "o2"} - {source}:
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
    for name, group, version in (("n2", GROUP4, 3), ("n3", GROUP4, 2), ("n3", GROUP4, 1)):
        before = listeners.takers(group)
        with listeners.join(name, group, version):
            wait_for(lambda one=name, it=group: one in listeners.takers(it), f"{name} gets {group}")
            equal(listeners.takers(group) - before, {name}, f"who gets {group} more")
        wait_for(lambda one=name, it=group: one not in listeners.takers(it),
                 f"{name} has left {group}", 60)
    listeners.netns["n3"].run("sysctl", "-qw", "net.ipv4.conf.eth0.force_igmp_version=0",
                              accept=[0])
    with listeners.join("n2", GROUP6):
        wait_for(lambda: listeners.takers(GROUP6) == {"n2"}, f"n2 alone gets {GROUP6}")
    wait_for(lambda: listeners.takers(GROUP6) == set(), f"n2 has left {GROUP6}")


@statement("a listener of one source gets that one's, and one that blocks a source all others'")
def sources(weft, listeners):
    for group, family in ((GROUP4, "-4"), (GROUP6, "-6")):
        n1, n3 = (listeners.address(name, family) for name in ("n1", "n3"))
        with listeners.filtered("n2", group, MCAST_JOIN_SOURCE_GROUP, n1):
            wait_for(lambda it=group: "n2" in listeners.takers(it), f"n2 gets {group} from {n1}")
            equal(listeners.takers(group, "n3"), set(), f"who gets {group} from {n3}")
            member = listeners.member(weft, group, "blue/n2")
            equal((member["filter"], member["sources"]), ("include", [n1]), "the member")
        wait_for(lambda it=group: not listeners.takers(it), f"n2 has left {group}")
        with listeners.filtered("n2", group, MCAST_BLOCK_SOURCE, n1):
            wait_for(lambda it=group: "n2" in listeners.takers(it, "n3"),
                     f"n2 gets {group} from {n3}")
            wait_for(lambda it=group: not listeners.takers(it), f"n2 blocks {n1}")
            member = listeners.member(weft, group, "blue/n2")
            equal((member["filter"], member["sources"]), ("exclude", [n1]), "the member")
        wait_for(lambda it=group: not listeners.takers(it, "n3"), f"n2 has left {group}")


@statement("members and queriers are listed, counted, and forgotten")
def listed(weft, listeners):
    with listeners.join("n2", GROUP4, 3):
        wait_for(lambda: listeners.member(weft, GROUP4, "blue/n2"), "n2 is listed")
        check("blue/lan  239.1.2.3" in weft.weft("multicast").stdout, weft.weft("multicast").stdout)
        check(GROUP4 not in weft.weft("multicast", "--port", "blue/n3").stdout, "n3 is none")
        queriers = weft.json("multicast")["queriers"]
        equal([(one["subnet"], one["interval"]) for one in queriers], [("blue/lan", 2)], "queriers")
        check(queriers[0]["sent"] > 1, queriers)
        metrics = weft.http("GET", "/metrics", raw=True)[2]
        check(b'weft_multicast_members{subnet="blue/lan"}' in metrics, "the metric")
    wait_for(lambda: not listeners.member(weft, GROUP4, "blue/n2"), "n2 is forgotten")
    wait_for(lambda: re.search(rb"^weft_multicast_leaves_total [1-9]",
                               weft.http("GET", "/metrics", raw=True)[2], re.M),
             "leaves are counted")
    check("consumed" not in weft.weft("drops").stdout, "a leave is no drop")


@statement("a listener behind a bridge is known by its port, and forgotten when it answers no "
           "query")
def behind(_weft, listeners):
    with listeners.join("o1", GROUP4):
        wait_for(lambda: "o1" in listeners.takers(GROUP4), "o1 gets the group")
        check(not listeners.takers(GROUP4) & {"n2", "n3"}, "others do not")
    wait_for(lambda: listeners.takers(GROUP4) == set(), "it ages", 60)


@statement("the querier asks, and who listens stays known as long as it answers")
def querier(_weft, listeners):
    with listeners.join("n2", GROUP4, 3):
        wait_for(lambda: "n2" in listeners.takers(GROUP4), "n2 gets the group")
        for name in ("n2", "o1"):
            seen = listeners.wires[name].receive(
                lambda packet: packet.frame[12:14] == b"\x08\x00" and packet.frame[23] == 2 and
                packet.frame[38] == 0x11, SECONDS)
            check(seen, f"a query at {name}")
        query = seen.frame[38:50]
        equal(sum(struct.unpack("!6H", query)) % 0xffff, 0, "the checksum of the query")
        seen = listeners.wires["n2"].receive(
            lambda packet: packet.frame[12:14] == b"\x86\xdd" and packet.frame[62] == 130,
            SECONDS)
        check(seen, "an MLD query at n2")


@statement("groups of the link are always flooded, and so is what is not IP")
def of_link(_weft, listeners):
    for group in ("224.0.0.251", "ff02::fb"):
        equal(listeners.takers(group), {"n2", "n3", "o1", "o2"}, f"who gets {group}")


@statement("reports reach multicast routers alone")
def reports(weft, listeners):
    wire = listeners.wires["o1"]
    query = with_checksum(bytes.fromhex("11640000" "00000000" "027d0000"), 2)
    head = with_checksum(bytes.fromhex("46c0002400000000010200000a000165e000000194040000"), 10)
    is_report = lambda packet: packet.frame[12:14] == b"\x08\x00" and packet.frame[23] == 2 and \
        packet.frame[38] in (0x16, 0x22)
    for name in ("n3", "o1"):
        listeners.wires[name].drain()
    wire.send(ethernet("01:00:5e:00:00:01", wire.mac, 0x0800, head + query))
    with listeners.join("n2", "239.7.7.7", 3):
        check(wire.receive(is_report, SECONDS), "the router sees the report")
        equal(listeners.wires["n3"].arrived(is_report), [], "a workload sees no report")
        check("o1" in listeners.takers("239.9.9.9"), "the router gets every group")


@statement("what is malformed is dropped and counted, and so is what has a wrong checksum")
def malformed(weft, listeners):
    wire = listeners.wires["n3"]
    for body, summed, verdict in (
            ("16000000" "ef010203", False, "membership_checksum"),
            ("22000000" "00000001" "04000000" "ef010203", False, "membership_checksum"),
            ("22000000" "00000005", True, "bad_membership"),
            ("22000000" "00000001" "0400ffff" "ef010203", True, "bad_membership"),
            ("11640000" "00000000" "0000", True, "bad_membership")):
        packet = bytes.fromhex(body)
        if summed:
            packet = with_checksum(packet, 2)
        head = with_checksum(bytes.fromhex("4500%04x00000000010200000a00010de0000016" %
                                           (20 + len(packet))), 10)
        with weft.dropped(verdict):
            wire.send(ethernet("01:00:5e:00:00:16", wire.mac, 0x0800,
                               (head + packet).ljust(46, b"\0")))
    equal(listeners.member(weft, GROUP4, "blue/n3"), None, "what n3 listens to")


@statement("without snooping everything is flooded; all ports of a subnet share a limit")
def plain(weft, listeners):
    before = weft.counter("segment_flood_limit")

    def storm():
        for number in range(60):
            for name in ("p1", "p2"):
                wire = listeners.wires[name]
                wire.send(ethernet("ff:ff:ff:ff:ff:ff", wire.mac, 0x88B5,
                                   (b"storm %d" % number).ljust(46, b".")))
        return weft.counter("segment_flood_limit") >= before + 50
    wait_for(storm, "drop for segment_flood_limit")
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
    wait_for(lambda: listeners.takers(GROUP4) <= {"o1", "o2"}, "nobody gets it")


@statement("who joins while weftd is away gets every datagram when it is back, snooping or not yet")
def joined_while_away(weft, listeners):
    weft.end(9)
    with listeners.join("n2", GROUP4) as heard:
        heard.setblocking(False)
        weft.start()
        sent, got = [], set()

        def hear():
            with contextlib.suppress(BlockingIOError):
                while True:
                    got.add(heard.recv(100))

        def snooping():
            sent.append(listeners.send(GROUP4))
            hear()
            return listeners.takers(GROUP6) <= {"o1", "o2"}

        def last():
            hear()
            return sent[-1] in got
        wait_for(snooping, "nobody gets what nobody has joined")
        sent.append(listeners.send(GROUP4))
        wait_for(last, "the last datagram")
        equal([word for word in sent if word not in got], [], f"lost of {len(sent)}")


main(Listeners)
