#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A subnet that passes VLAN tags: each port is a whole trunk, and frames keep the tags they have.

    lan 10.0.1.0/24 (l2, vlan_transparent):   n1 .11   n2 .12   n3 .13 (no rule allows it anything)
                                              tap tp .14      parent tr .15 --- VLAN 100: child
    strict 10.0.2.0/24 (l2):                  s1 .11   s2 .12
    ring 10.0.6.0/24 (l2, vlan_transparent):  r .11   bridge ra --- a switch of VLAN 300 --- rb
    flat, vlan 50 (l2, vlan_transparent):     f .11    v .11  === up0 --- cable --- machine
"""
import contextlib
import os
import re
import select
import socket
import struct
import threading

from harness import Netns, Tap, check, equal, main, run, statement, wait_for
from packets import BROADCAST, IPV4, UDP, arp_request, ethernet, ipv4, mac_bytes, udp

INTENT = """
hosts:
  HOST: {underlay: 192.0.2.77/32, uplinks: {physnet1: up0}}
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      lan: {cidr: 10.0.1.0/24, mode: l2, vlan_transparent: true, station_limit: 3, flood_rate: 0}
      strict: {cidr: 10.0.2.0/24, mode: l2}
      child: {cidr: 10.0.3.0/24, mode: l2}
      ring: {cidr: 10.0.6.0/24, mode: l2, vlan_transparent: true}
      flat: {cidr: 10.0.4.0/24, mode: l2, vlan_transparent: true, flood_rate: 0,
             segment: {type: flat, network: physnet1}}
      vlan: {cidr: 10.0.5.0/24, mode: l2, vlan_transparent: true, flood_rate: 0,
             segment: {type: vlan, network: physnet1, tag: 50}}
    security_groups:
      open: {ingress: [{protocol: all, from: 0.0.0.0/0}]}
      closed: {ingress: [], egress: []}
    ports:
      n1: {subnet: lan, address: 10.0.1.11, security_groups: [open], attach: {netns: n1}}
      n2: {subnet: lan, address: 10.0.1.12, security_groups: [open], attach: {netns: n2}}
      n3: {subnet: lan, address: 10.0.1.13, security_groups: [closed], attach: {netns: n3}}
      tp: {subnet: lan, address: 10.0.1.14, security_groups: [open], attach: {tap: tp}}
      tr: {subnet: lan, address: 10.0.1.15, security_groups: [open], attach: {netns: tr}}
      child: {subnet: child, address: 10.0.3.15, security_groups: [open],
              attach: {parent: tr, vlan: 100}}
      other: {subnet: child, address: 10.0.3.16, security_groups: [open], attach: {netns: other}}
      s1: {subnet: strict, address: 10.0.2.11, security_groups: [open], attach: {netns: s1}}
      s2: {subnet: strict, address: 10.0.2.12, security_groups: [open], attach: {netns: s2}}
      r: {subnet: ring, address: 10.0.6.11, security_groups: [open], attach: {netns: r}}
      ra: {subnet: ring, attach: {bridge: ra}}
      rb: {subnet: ring, attach: {bridge: rb}}
      f: {subnet: flat, address: 10.0.4.11, security_groups: [open], attach: {netns: f}}
      v: {subnet: vlan, address: 10.0.5.11, security_groups: [open], attach: {netns: v}}
"""
NAMES = ("n1", "n2", "n3", "tr", "other", "s1", "s2", "r", "f", "v")
SOL_PACKET, PACKET_AUXDATA, TAG_VALID = 263, 8, 1 << 4
NEW = "02:aa:00:00:00:01"


class Trunk:
    """The end of a cable, for frames with all their tags: the kernel tells of the first apart."""

    def __init__(self, where):
        """where: a namespace, or a device of the host's."""
        with where.inside() if isinstance(where, Netns) else contextlib.nullcontext():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.bind((where.ifname if isinstance(where, Netns) else where, 3))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.mac = ":".join(f"{byte:02x}" for byte in self.socket.getsockname()[4])

    def fileno(self):
        return self.socket.fileno()

    def send(self, frame):
        self.socket.send(frame)

    def read(self, seconds):
        """The next frame as it was on the cable, or None."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        frame, told, _, origin = self.socket.recvmsg(65536, 256)
        for level, kind, data in told:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, control, protocol = struct.unpack("=I12xHH", data[:20])
                if status & TAG_VALID:
                    frame = frame[:12] + struct.pack("!HH", protocol, control) + frame[12:]
        return b"" if origin[2] == socket.PACKET_OUTGOING else frame


def comes(end, frame, what):
    """The frame arrives, byte for byte; what the kernel says by itself is passed over."""
    wait_for(lambda: end.read(0.2) == frame, what)


def stays_out(end, frame, then, what):
    """Of two frames sent one after the other only the second arrives."""
    def next_one():
        seen = end.read(0.2)
        check(seen != frame, what)
        return seen == then
    wait_for(next_one, "the frame behind it")


def framed(to, source, tags, text):
    """A frame with these tags: of 802.1Q as numbers, of 802.1ad as ("ad", number); not IP."""
    words = b"".join(struct.pack("!HH", 0x88A8 if isinstance(tag, tuple) else 0x8100,
                                 tag[1] if isinstance(tag, tuple) else tag) for tag in tags)
    return (mac_bytes(to) + mac_bytes(source) + words + b"\x88\xb5" +
            text.encode().ljust(60, b"."))


def tagged(frame, tag):
    return frame[:12] + struct.pack("!HH", 0x8100, tag) + frame[12:]


class World:
    def __init__(self, weft):
        run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "cable", accept=[0])
        self.machine_netns = Netns("machine", "cable")
        run("ip", "link", "set", "cable", "netns", "machine", accept=[0])
        run("ip", "link", "set", "up0", "up", accept=[0])
        self.machine_netns.run("ip", "link", "set", "cable", "up", accept=[0])
        self.netns = {name: Netns(name) for name in NAMES}
        weft.apply(INTENT.replace("HOST", os.uname().nodename))
        weft.plugged(*(f"blue/{name}" for name in NAMES), "blue/tp", "blue/child")
        self.end = {name: Trunk(self.netns[name]) for name in NAMES}
        self.machine = Trunk(self.machine_netns)
        self.tap = Tap("tp", multi_queue=False)
        self.tap_mac = weft.port("blue/tp")["mac"]
        # Until the kernel has noticed that somebody holds it, it drops what goes there.
        wait_for(lambda: '"operstate":"UP"' in run("ip", "-j", "link", "show", "tp").stdout, "tap")

    def __getattr__(self, name):
        """The ends by their names."""
        if name in NAMES:
            return self.end[name]
        raise AttributeError(name)


@statement("frames keep their tags: 802.1Q and 802.1ad, priority, two and four of them")
def whole(_weft, world):
    for tags in ([300], [0xA12C], [("ad", 300)], [("ad", 300), 0x6005], [5, 6, 7, 8]):
        frame = framed(world.n2.mac, world.n1.mac, tags, f"tags {tags}")
        world.n1.send(frame)
        comes(world.n2, frame, f"the frame with {tags}")


@statement("a virtual machine's tap is a trunk as well, both ways")
def machine(_weft, world):
    for tags in ([300], [("ad", 300), 5]):
        frame = framed(world.n1.mac, world.tap_mac, tags, f"from the machine {tags}")
        world.tap.send(frame)
        comes(world.n1, frame, f"{tags} from the machine")
        frame = framed(world.tap_mac, world.n1.mac, tags, f"to the machine {tags}")
        world.n1.send(frame)
        comes(world.tap, frame, f"{tags} to the machine")


@statement("broadcast in any VLAN goes to all members, and no address in it is answered for")
def broadcast(_weft, world):
    frame = tagged(arp_request(world.n1.mac, "10.0.1.11", "10.0.1.1"), 300)
    world.n1.send(frame)
    for end in (world.n2, world.n3, world.tap, world.tr):
        comes(end, frame, "the question")
    then = framed(world.n1.mac, world.n2.mac, [], "behind it")
    world.n2.send(then)
    def next_one():
        seen = world.n1.read(0.2)
        check(not seen or seen[12:14] != b"\x81\x00", "the gateway has answered in a VLAN")
        return seen == then
    wait_for(next_one, "the frame behind it")


@statement("no rule is asked: IP with a tag passes where without one it is refused")
def rules(weft, world):
    packet = ipv4("10.0.1.11", "10.0.1.13", UDP, udp("10.0.1.11", "10.0.1.13", 1, 2, b"hello"))
    frame = ethernet(world.n3.mac, world.n1.mac, IPV4, packet)
    with weft.dropped("group_ingress"):
        world.n1.send(frame)
    world.n1.send(tagged(frame, 300))
    comes(world.n3, tagged(frame, 300), "the packet in VLAN 300")
    with weft.dropped("group_ingress"):
        world.n1.send(tagged(frame, 0xA000))  # a mark of priority is no VLAN


@statement("the source MAC is guarded and learned as that of any frame, once for all VLANs")
def stations(weft, world):
    with weft.dropped("spoofed_mac"):
        world.n1.send(framed(world.n2.mac, world.n3.mac, [300], "in another's name"))
    frame = framed(world.n2.mac, NEW, [300], "a station")
    world.n1.send(frame)
    comes(world.n2, frame, "the new station's frame")
    answer = framed(NEW, world.n2.mac, [301], "an answer in another VLAN")
    then = framed(BROADCAST, world.n2.mac, [301], "behind it")
    world.n2.send(answer)
    world.n2.send(then)
    comes(world.n1, answer, "the answer")
    stays_out(world.n3, answer, then, "what is for a learned station was flooded")
    with weft.dropped("station_limit"):
        for last in range(2, 6):
            world.n1.send(framed(world.n2.mac, f"02:aa:00:00:00:{last:02x}", [300 + last], "more"))


@statement("a child's tag is the child's: it comes to the parent from no other port")
def children(weft, world):
    child = weft.port("blue/child")["mac"]
    frame = framed(world.other.mac, child, [100], "by the child")
    world.tr.send(frame)
    comes(world.other, frame[:12] + frame[16:], "the child's frame, without the tag")
    frame = framed(world.n1.mac, world.tr.mac, [101], "by the parent")
    world.tr.send(frame)
    comes(world.n1, frame, "a tag of nobody's")
    with weft.dropped("tag_taken"):
        world.n1.send(framed(world.tr.mac, world.n1.mac, [100], "into the child's network"))
    flooded = framed(BROADCAST, world.n1.mac, [100], "to all")
    then = framed(BROADCAST, world.n1.mac, [101], "behind it")
    world.n1.send(flooded)
    world.n1.send(then)
    comes(world.n2, flooded, "at who has no such child")
    stays_out(world.tr, flooded, then, "a broadcast has come into the child's network")


@statement("flat: tags of no other segment are on the wire; vlan: the segment's tag is outside")
def wires(weft, world):
    station = "02:bb:00:00:00:01"
    for tags in ([300], [("ad", 300), 0xA005]):
        frame = framed(world.f.mac, station, tags, f"to f {tags}")
        world.machine.send(frame)
        comes(world.f, frame, f"{tags} from the wire")
        frame = framed(station, world.f.mac, tags, f"by f {tags}")
        world.f.send(frame)
        comes(world.machine, frame, f"{tags} on the wire")
    frame = framed(world.v.mac, station, [50, 7], "to v")
    world.machine.send(frame)
    comes(world.v, frame[:12] + frame[16:], "the frame with the inner tag")
    world.v.send(framed(station, world.v.mac, [0xA007], "by v"))
    comes(world.machine, framed(station, world.v.mac, [0xA032, 0xA007], "by v"), "both tags")
    with weft.dropped("tag_taken"):
        world.f.send(framed(station, world.f.mac, [50], "into the other segment"))
    heard = framed(BROADCAST, station, [301], "to all")
    world.machine.send(heard)
    comes(world.f, heard, "a broadcast in VLAN 301")


class Switch(threading.Thread):
    """Somebody's switch between two bridges, that carries one VLAN."""

    def __init__(self, ends, vlan):
        super().__init__(daemon=True)
        self.ends, self.vlan = ends, vlan
        self.ended = threading.Event()
        self.carried = []

    def run(self):
        while not self.ended.is_set():
            for end in select.select(self.ends, [], [], 0.2)[0]:
                frame = end.read(0)
                if frame and struct.unpack("!HH", frame[12:16]) == (0x8100, self.vlan):
                    self.carried.append(frame)
                    self.ends[1 - self.ends.index(end)].send(frame)


@statement("a loop in one VLAN alone is found, in the VLAN that is heard there, and cut")
def ring(weft, world):
    ends = []
    for name in ("ra", "rb"):
        run("ip", "link", "add", name, "type", "bridge", accept=[0])
        run("ip", "link", "add", f"{name}-in", "type", "veth", "peer", "name", f"{name}-out",
            accept=[0])
        run("ip", "link", "set", f"{name}-in", "master", name, accept=[0])
        for device in (name, f"{name}-in", f"{name}-out"):
            run("ip", "link", "set", device, "up", accept=[0])
        ends.append(Trunk(f"{name}-out"))
    weft.plugged("blue/ra", "blue/rb")
    switch = Switch(ends, 300)
    switch.start()
    for tags in ([], [300]):
        frame = framed(BROADCAST, world.r.mac, tags, f"round {tags}")
        world.r.send(frame)
    wait_for(lambda: weft.state_of("blue/rb") == "held", "the younger port is held")
    reason = weft.port("blue/rb")["status"]["reason"]
    check("VLAN 300" in reason and "blue/ra" in reason, f"where it is: {reason}")
    equal(weft.state_of("blue/ra"), "plugged", "the older port")
    carried = len(switch.carried)
    frame = framed(BROADCAST, world.r.mac, [300], "when it is cut")
    world.r.send(frame)
    wait_for(lambda: frame in switch.carried[carried:], "the older port carries on")
    switch.ended.set()
    switch.join()
    wait_for(lambda: weft.state_of("blue/rb") == "plugged", "it comes back")
    equal(switch.carried.count(frame), 1, "how often a broadcast went round")


@statement("an uplink that somebody sets down is told of, and works when it is up again")
def uplink_down(weft, world):
    run("ip", "link", "set", "up0", "down", accept=[0])
    wait_for(lambda: "physnet1: the device was set down" in weft.weft("status").stdout, "told")
    run("ip", "link", "set", "up0", "up", accept=[0])
    wait_for(lambda: "set down" not in weft.weft("status").stdout, "nothing to tell any more")
    frame = framed("02:bb:00:00:00:01", world.f.mac, [300], "up again")
    wait_for(lambda: world.f.send(frame) or world.machine.read(0.2) == frame, "the wire", 30)


@statement("what is for the host's own VLAN devices stays the host's")
def host(_weft, world):
    mac = run("ip", "-j", "link", "show", "up0", accept=[0]).stdout
    mac = re.search(r'"address": *"([^"]+)"', mac)[1]
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x88B5))
    listener.bind(("up0", 0x88B5))
    own = framed(mac, "02:bb:00:00:00:02", [300], "for the host")
    world.machine.send(own)
    check(select.select([listener], [], [], 30)[0], "the host does not get its own")
    then = framed(world.f.mac, "02:bb:00:00:00:02", [300], "behind it")
    world.machine.send(then)
    stays_out(world.f, own, then, "a port has got what was for the host")
    listener.close()


@statement("without the key tagged frames are dropped, and the sentence names it; it acts at once")
def switched(weft, world):
    frame = framed(world.s2.mac, world.s1.mac, [300], "hello")
    with weft.dropped("tagged"):
        world.s1.send(frame)
    shown = weft.weft("trace", "blue/s1", "--hex", frame.hex(), accept=(4,)).stdout
    check("vlan_transparent" in shown, f"the sentence does not name the key: {shown}")
    weft.weft("subnet", "set", "blue/strict", "--vlan-transparent", "on")
    world.s1.send(frame)
    comes(world.s2, frame, "the same with the key")
    check("vlan_transparent: true" in weft.weft("export").stdout, "export does not say it")
    weft.weft("subnet", "set", "blue/strict", "--vlan-transparent", "off")
    with weft.dropped("tagged"):
        world.s1.send(frame)


@statement("a trace of a frame with a tag: no rules, and the port that it goes to")
def traced(weft, world):
    frame = framed(world.n3.mac, world.n1.mac, [300], "traced")
    told = weft.trace("blue/n1", "--hex", frame.hex())
    equal((told["verdict"], told["to"]["port"]), ("delivered", "blue/n3"), "the end")
    steps = [stage["result"] for stage in told["stages"]]
    check("a VLAN tag of the workload's own: no rules are asked" in steps, f"steps: {steps}")
    told = weft.trace("blue/n1", "--hex", framed(world.tr.mac, world.n1.mac, [100], "no").hex())
    equal(told["reason"], "tag_taken", "the reason")


@statement("trace --vlan says of a tagged frame what the kernel does with it, and of the answer")
def traced_tags(weft, world):
    answer = ("delivered", "blue/n1")
    for words, tags in ((["300"], [300]), (["300/5"], [0xA12C]),
                        (["802.1ad:300,5"], [("ad", 300), 5])):
        told = weft.trace("blue/n1", "--vlan", words[0], "--to", "10.0.1.12", "--icmp", "echo")
        equal((told["verdict"], told["to"]["port"]), ("delivered", "blue/n2"), f"{words}")
        equal((told["back"]["verdict"], told["back"]["to"]["port"]), answer, f"{words}: the answer")
        frame = framed(world.n2.mac, world.n1.mac, tags, f"as the trace of {words}")
        world.n1.send(frame)
        comes(world.n2, frame, f"{words} in the kernel")
    told = weft.trace("blue/tr", "--vlan", "100", "--to", "10.0.3.16", "--udp", "9")
    equal((told["verdict"], told["to"]["port"]), ("delivered", "blue/other"), "by the child")
    equal(told["back"]["to"]["port"], "blue/child", "the answer to the child")
    frame = framed(world.other.mac, weft.port("blue/child")["mac"], [100], "by the child")
    told = weft.trace("blue/tr", "--hex", frame.hex())
    equal((told["verdict"], told["to"]["port"]), ("delivered", "blue/other"), "the child's frame")
    told = weft.trace("blue/n1", "--vlan", "100", "--to", "10.0.1.15")
    equal((told["reason"], told["stages"][-1]["stage"]), ("tag_taken", "deliver"), "a child's tag")
    told = weft.trace("blue/n1", "--vlan", "300", "--arp", "10.0.1.1")
    check("flooded" in told["reason"], f"a question in a VLAN: {told['reason']}")
    for address in ("10.0.2.12", "10.77.0.1"):
        equal(weft.trace("blue/s1", "--vlan", "300", "--to", address)["reason"], "tagged",
              "where tags do not pass")
    done = weft.weft("trace", "blue/n2", "--vlan", "301", "--to", "10.77.0.1", accept=(1,))
    check("with mac which MAC" in done.stderr, f"who has it is not known: {done.stderr}")
    told = weft.trace("blue/n2", "--vlan", "301", "--to", "10.77.0.1", "--mac", world.n1.mac)
    equal(told["to"]["port"], "blue/n1", "a station that is known by its MAC")
    for words in (["4095"], ["300/8"], ["x"], ["1,2,3,4,5"]):
        weft.weft("trace", "blue/n1", "--vlan", *words, "--to", "10.0.1.12", accept=(1,))


@statement("what does not go together is refused with a sentence")
def refusals(weft, _world):
    for words, sentence in (
            (["blue/strict", "--vlan-transparent", "on", "--mode", "l3"], "mode: l2"),
            (["blue/flat", "--direct", "private"], "direct: bridge")):
        done = weft.weft("subnet", "set", *words, accept=(1,))
        check(sentence in done.stderr, f"{words}: {done.stderr}")


@statement("a daemon that dies and comes back: tags pass on")
def restart(weft, world):
    frame = framed(world.n2.mac, world.n1.mac, [300], "before")
    weft.end(9)
    world.n1.send(frame)
    comes(world.n2, frame, "without a daemon")
    weft.start()
    frame = framed(world.n2.mac, world.n1.mac, [300], "after")
    world.n1.send(frame)
    comes(world.n2, frame, "after the restart")


main(World)
