#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The edge between the pipeline and the underlay, without a daemon: rows are written by hand.

    p1 10.0.0.1 fd00::1 -- w0 [h1] u0 192.0.2.1 ------ 192.0.2.2 u0 [h2] w0 -- 10.0.0.2 fd00::2 p2
                                      2001:db8::1      2001:db8::2

build/test-underlay (tests/net/underlay.c) writes the rows of both hosts for one segment and
attaches the programs. Neighbours of the underlay are the kernel's to resolve.
"""
import contextlib
import fcntl
import itertools
import os
import select
import socket
import struct
import subprocess
import threading
import time

from harness import (BUILD, Netns, check, connect, equal, listen, main, run, statement,
                     wait_for)
from packets import (BROADCAST, ICMP, ICMPV6, IPV4, IPV6, UDP, checksum, ethernet, icmp, icmpv6,
                     ipv4, ipv6, pseudo_header, udp)

PROGRAM = str(BUILD / "test-underlay")
GRE_KEY, CHECKSUM, SEQUENCE = 1, 2, 4  # enum tunnel_flags
SOURCE_TAPS, SOURCE_SEQUENCE = 1, 8    # enum tunnel_source_flags

# Kind: bytes from the outer IP header (without it) to the inner IP packet, options of the program.
KINDS = {
    "vxlan": (8 + 8 + 14, {}),
    "geneve": (8 + 8 + 14, {}),
    "nvgre": (8 + 14, {}),
    "gre": (8, {"flags": GRE_KEY}),
    "gretap": (8 + 14, {"flags": GRE_KEY}),
    "ipip": (0, {}),
    "sit": (0, {}),
    "fou": (8, {}),
    "gue": (8 + 4, {}),
}


def mtu_of(kind, family=4):
    return 1500 - (20 if family == 4 else 40) - KINDS[kind][0]


class Rows:
    """The process that writes the rows of one host."""

    def __init__(self, netns):
        self.process = subprocess.Popen([PROGRAM, netns.name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        lines = []
        while True:
            line = self.process.stdout.readline()
            check(line, "test-underlay has ended")
            if line == "ok\n":
                return lines
            lines.append(line.split())

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.answer()


class Machine:
    """Stands in for a virtual machine: carries frames, offloads and all, between a tap of the host
    and one in the workload's namespace, whose network stack is the guest's."""

    def __init__(self, host, workload, mac, addresses):
        self.files = [self.tap(host, "t0"), self.tap(workload, "v0")]
        for address in addresses:
            run("ip", "-n", workload.name, "addr", "add", address, "dev", "v0", "nodad",
                accept=[0])
        run("ip", "-n", workload.name, "link", "set", "v0", "address", mac, "up", accept=[0])
        run("ip", "-n", host.name, "link", "set", "t0", "up", accept=[0])
        self.lengths = []  # of TCP frames for the guest
        self.joined = 0    # of them, such as stand for several packets
        self.stopping = False
        self.threads = [threading.Thread(target=self.carry, args=ends, daemon=True)
                        for ends in ((0, 1), (1, 0))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def tap(netns, name):
        with netns.inside():
            file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            # IFF_TAP, IFF_NO_PI, IFF_VNET_HDR; then TUNSETOFFLOAD: checksums and TSO
            fcntl.ioctl(file, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x5002))
            fcntl.ioctl(file, 0x400454D0, 7)
        return file

    def carry(self, source, target):
        while not self.stopping:
            if not select.select([self.files[source]], [], [], 0.1)[0]:
                continue
            frame = os.read(self.files[source], 1 << 17)
            if source == 0 and len(frame) > 200:
                self.lengths.append(len(frame) - 10)
                self.joined += frame[1] != 0
            while not self.stopping:
                try:
                    os.write(self.files[target], frame)
                    break
                except BlockingIOError:
                    select.select([], [self.files[target]], [], 0.1)
                except OSError:
                    break  # the device is down

    def end(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        for file in self.files:
            os.close(file)


class Hosts:
    """Two hosts with an underlay between them and a workload on each."""

    def __init__(self, _weft=None):
        self.hosts = [Netns("h1", "u0"), Netns("h2", "u0")]
        self.workloads = [Netns("p1"), Netns("p2")]
        run("ip", "-n", "h1", "link", "add", "u0", "type", "veth", "peer", "name", "u0", "netns",
            "h2", accept=[0])
        for number, host, workload in self.each():
            for address in (f"192.0.2.{number}/24", f"2001:db8::{number}/64"):
                run("ip", "-n", host.name, "addr", "add", address, "dev", "u0", "nodad",
                    accept=[0])
            run("ip", "-n", host.name, "link", "set", "u0", "up", accept=[0])
            run("ip", "-n", host.name, "link", "add", "w0", "type", "veth", "peer", "name", "eth0",
                "address", f"02:00:00:00:00:0{number}", "netns", workload.name, accept=[0])
            run("ip", "-n", host.name, "link", "set", "w0", "up", accept=[0])
            for address in (f"10.0.0.{number}/24", f"fd00::{number}/64"):
                run("ip", "-n", workload.name, "addr", "add", address, "dev", "eth0", "nodad",
                    accept=[0])
            run("ip", "-n", workload.name, "link", "set", "eth0", "up", accept=[0])
        self.rows = [Rows(host) for host in self.hosts]

    def each(self):
        return zip((1, 2), self.hosts, self.workloads)

    def up(self, kind="vxlan", family=4, **options):
        """Rows for a segment of a kind, in the place of what was there; no neighbour is known."""
        options = dict(KINDS[kind][1], **options)
        mtu = options.setdefault("mtu", mtu_of(kind, family))
        place = options.pop("here", "")  # DEVICE:KIND:HOST, where a port is not w0
        words = [f"{name}={value}" for name, value in options.items()]
        for number, host, workload in self.each():
            run("ip", "-n", host.name, "neigh", "flush", "all", accept=[0])
            here = [f"{name}={value}" for name, value in
                    zip(("name", "port"), place.split(":")) if place.endswith(f":{number}")]
            self.rows[number - 1].ask("up", f"host={number}", f"kind={kind}", f"family={family}",
                                      *words, *here)
            run("ip", "-n", workload.name, "link", "set", "eth0", "mtu", mtu, accept=[0])
            run("ip", "-n", workload.name, "neigh", "flush", "all", accept=[0])

    def counters(self, host):
        return {name: int(count) for name, count in self.rows[host - 1].ask("counters")}

    def news(self, host):
        return self.rows[host - 1].ask("news")

    def explain(self):
        return f"h1 {self.counters(1)}, h2 {self.counters(2)}"


@contextlib.contextmanager
def wire_view(host):
    """All frames of the host's underlay in this block, offloads visible; ends as a list."""
    with host.inside():
        view = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        view.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        view.bind(("u0", 3))
    frames = []
    try:
        yield frames
    finally:
        view.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, origin = view.recvfrom(1 << 17)
                frames.append((frame, origin[2] == socket.PACKET_OUTGOING))
        view.close()


def transfer(source, target, address, size=20_000_000, port=5000):
    """Bulk TCP; the bytes that arrived."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    arrived = []

    def receive(server):
        end, _ = server.accept()
        with end:
            total = 0
            while True:
                some = end.recv(1 << 18)
                if not some:
                    break
                total += len(some)
            arrived.append(total)

    with contextlib.closing(listen(target, port, family)) as server:
        thread = threading.Thread(target=receive, args=(server,), daemon=True)
        thread.start()
        client = connect(source, address, port)
        check(client, f"no TCP connection to {address}")
        with client:
            client.settimeout(60)
            client.sendall(bytes(size))
        thread.join(60)
    return arrived[0] if arrived else 0


def all_ways(hosts, kind, inner=(4, 6)):
    """Ping, large ping, TCP both ways."""
    one, two = hosts.workloads
    for family in inner:
        addresses = ("10.0.0.1", "10.0.0.2") if family == 4 else ("fd00::1", "fd00::2")
        check(one.reaches(addresses[1], 3), f"{kind}: no ping to {addresses[1]}: {hosts.explain()}")
        check(two.reaches(addresses[0]), f"{kind}: no ping to {addresses[0]}: {hosts.explain()}")
        check(one.reaches(addresses[1], 2, "-s", "3000"),
              f"{kind}: no large ping: {hosts.explain()}")
        for source, target, address in ((one, two, addresses[1]), (two, one, addresses[0])):
            equal(transfer(source, target, address), 20_000_000,
                  f"{kind}: bytes of TCP to {address} ({hosts.explain()})")


@statement("the host's own traffic goes on as before")
def own_traffic(_weft, hosts):
    hosts.up("vxlan")
    one, two = hosts.hosts
    for address in ("192.0.2.2", "2001:db8::2"):
        check(one.reaches(address, 3), f"ping {address}")
        check(one.reaches(address, 2, "-s", "3000"), f"ping {address} in fragments")
        equal(transfer(one, two, address), 20_000_000, f"TCP to {address}")


def every_kind(kind, family):
    inner = (6,) if kind == "sit" else (4,) if kind == "ipip" and family == 4 else (4, 6)

    @statement(f"{kind} over IPv{family}: ping, fragments and TCP both ways")
    def carries(_weft, hosts):
        hosts.up(kind, family)
        all_ways(hosts, kind, inner)


for KIND, FAMILY in itertools.product(KINDS, (4, 6)):
    if (KIND, FAMILY) != ("sit", 6):
        every_kind(KIND, FAMILY)


@statement("frames of many packets cross the underlay whole")
def whole(_weft, hosts):
    hosts.up("vxlan")
    one, two = hosts.workloads
    check(one.reaches("10.0.0.2"), "ping")
    with wire_view(hosts.hosts[1]) as frames:
        transfer(one, two, "10.0.0.2", 5_000_000)
    lengths = [len(frame) for frame, outgoing in frames if not outgoing]
    data = sum(length > 1514 for length in lengths)
    check(max(lengths) > 30000, f"the longest frame has {max(lengths)} bytes")
    check(sum(lengths) / max(data, 1) > 10000, f"{data} long frames of {len(lengths)}")


def layers(frame):
    """Checks every checksum of an outer IPv4 packet with VXLAN; gives the inner frame."""
    outer = frame[14:]
    equal(checksum(outer[:20]), 0, "checksum of the outer header")
    length, = struct.unpack("!H", outer[2:4])
    equal(length, len(outer), "length of the outer packet")
    equal(struct.unpack("!H", outer[24:26])[0], length - 20, "length of UDP")
    inner = outer[20 + 8 + 8:]
    packet = inner[14:]
    if inner[12:14] == b"\x08\x00":
        equal(checksum(packet[:20]), 0, "checksum of the inner header")
        body, protocol = packet[20:struct.unpack("!H", packet[2:4])[0]], packet[9]
        ends = [".".join(map(str, packet[at:at + 4])) for at in (12, 16)]
        if protocol == 6:
            equal(checksum(pseudo_header(*ends, 6, len(body)) + body), 0, "checksum of TCP")
    return inner


@statement("what is cut for the wire has right lengths and checksums everywhere")
def cut(_weft, hosts):
    hosts.up("vxlan")
    one, two = hosts.workloads
    for feature in ("tx", "tso", "gso"):
        hosts.hosts[0].run("ethtool", "-K", "u0", feature, "off")
    try:
        with wire_view(hosts.hosts[1]) as frames:
            equal(transfer(one, two, "10.0.0.2", 2_000_000), 2_000_000, "bytes of TCP")
        seen = [frame for frame, outgoing in frames
                if not outgoing and frame[12:14] == b"\x08\x00" and frame[23] == UDP]
        check(len(seen) > 1300, f"{len(seen)} frames")
        equal(max(map(len, seen)), 1514, "longest frame")
        for frame in seen:
            layers(frame)
    finally:
        for feature in ("tx", "tso", "gso"):
            hosts.hosts[0].run("ethtool", "-K", "u0", feature, "on")


@statement("an l2 segment: ARP and broadcast through the tunnel, over either family")
def flood(_weft, hosts):
    for family in (4, 6):
        hosts.up("vxlan", family, l2=1)
        one, two = hosts.workloads
        check(one.reaches("10.0.0.2", 3), f"IPv{family}: ping with ARP: {hosts.explain()}")
        wires = one.wire(), two.wire()
        payload = b"weft flood".ljust(46, b".")
        for sender, receiver in (wires, wires[::-1]):
            sender.send(ethernet(BROADCAST, sender.mac, 0x88B5, payload))
            packet = receiver.expect(lambda seen: payload in seen.frame,
                                     f"IPv{family}: the broadcast ({hosts.explain()})")
            equal(packet.ethertype, 0x88B5, "ethertype")


@statement("an underlay group carries broadcasts")
def group(_weft, hosts):
    for family, address, mac in ((4, "239.1.2.3", "01005e010203"),
                                 (6, "ff05::1:203", "333300010203")):
        hosts.up("vxlan", family, l2=1, group=address)
        one, two = hosts.workloads
        for host in hosts.hosts:  # the daemon joins the group; here the device takes all
            run("ip", "-n", host.name, "link", "set", "u0", "allmulticast", "on", accept=[0])
        wires = one.wire(), two.wire()
        payload = b"weft group".ljust(46, b".")
        with wire_view(hosts.hosts[1]) as frames:
            wires[0].send(ethernet(BROADCAST, wires[0].mac, 0x88B5, payload))
            wires[1].expect(lambda seen: payload in seen.frame,
                            f"the broadcast by {address} ({hosts.explain()})")
        sent = [frame for frame, outgoing in frames if payload in frame and not outgoing]
        equal([frame[:6].hex() for frame in sent], [mac], "MAC of the group")


@statement("frames of many packets reach a tap whole, by the kernel's tunnel device")
def tap(_weft, hosts):
    guest = Netns("p3")
    machine = Machine(hosts.hosts[1], guest, "02:00:00:00:00:02", ("10.0.0.2/24", "fd00::2/64"))
    try:
        for family, device in itertools.product((4, 6), (1, 0)):
            hosts.up("vxlan", family, source=SOURCE_TAPS, device=device, here="t0:tap:2")
            run("ip", "-n", "p3", "link", "set", "v0", "mtu", mtu_of("vxlan", family), accept=[0])
            check(hosts.workloads[0].reaches("10.0.0.2", 2), f"ping: {hosts.explain()}")
            machine.lengths.clear()
            machine.joined = 0
            equal(transfer(hosts.workloads[0], guest, "10.0.0.2"), 20_000_000,
                  f"bytes over IPv{family}, device {device} ({hosts.explain()})")
            longest = max(machine.lengths)
            if device:
                check(longest > 20000 and machine.joined > len(machine.lengths) / 2,
                      f"longest {longest}, {machine.joined} joined of {len(machine.lengths)}")
    finally:
        machine.end()


@statement("a route that goes away is noticed, counted, and used again when it comes back")
def unreachable(_weft, hosts):
    hosts.up("vxlan")
    one = hosts.workloads[0]
    check(one.reaches("10.0.0.2"), "ping")
    for kind in ("blackhole", "unreachable", "prohibit"):
        run("ip", "-n", "h1", "route", "add", kind, "192.0.2.2/32", accept=[0])
        wait_for(lambda: not one.ping("10.0.0.2"), f"{kind}: pings are lost")
        check(hosts.counters(1).get("UNDERLAY_UNREACHABLE", 0) > 0, "no verdict was counted")
        run("ip", "-n", "h1", "route", "del", kind, "192.0.2.2/32", accept=[0])
        wait_for(lambda: one.ping("10.0.0.2"), f"after {kind}: pings come back")


@statement("a neighbour that changes its MAC is followed")
def neighbour(_weft, hosts):
    hosts.up("vxlan")
    one = hosts.workloads[0]
    check(one.reaches("10.0.0.2"), "ping")
    run("ip", "-n", "h2", "link", "set", "u0", "address", "02:aa:00:00:00:02", accept=[0])
    run("ip", "-n", "h1", "neigh", "flush", "all", accept=[0])
    wait_for(lambda: one.ping("10.0.0.2"), "pings come back")


@statement("a packet over the route's MTU is refused and told to the daemon")
def too_big_here(_weft, hosts):
    hosts.up("vxlan")
    one = hosts.workloads[0]
    run("ip", "-n", "h1", "route", "add", "192.0.2.2/32", "dev", "u0", "mtu", "lock",
        "1300", accept=[0])
    try:
        wait_for(lambda: not one.ping("10.0.0.2", 1, "-s", "1400", "-M", "do"),
                 "large pings are lost")
        check(one.reaches("10.0.0.2", 1, "-s", "1000"), "no small ping passed")
        equal(hosts.news(1)[:1], [["2", "1300", "::ffff:192.0.2.2", "::ffff:192.0.2.1"]], "news")
    finally:
        run("ip", "-n", "h1", "route", "del", "192.0.2.2/32", "dev", "u0", accept=[0])


@statement("routers that find our packets too big are heard, for our packets only, at a rate")
def too_big_there(_weft, hosts):
    hosts.up("vxlan")
    wire = hosts.hosts[1].wire()
    mac = hosts.hosts[0].mac()
    inner = udp("192.0.2.1", "192.0.2.2", 50000, 4789, bytes(8))

    def tell(source, about, mtu=1400):
        rest = struct.pack("!HH", 0, mtu)
        message = icmp(3, 4, rest, ipv4(*about, UDP, inner))
        wire.send(ethernet(mac, wire.mac, IPV4, ipv4(source, "192.0.2.1", ICMP, message)))

    tell("192.0.2.7", ("192.0.2.1", "192.0.2.9"))  # to nobody's end
    tell("192.0.2.7", ("192.0.2.9", "192.0.2.2"))  # from nobody's end
    tell("192.0.2.7", ("192.0.2.1", "192.0.2.2"))
    wanted = ["1", "1400", "::ffff:192.0.2.2", "::ffff:192.0.2.7"]
    equal(wait_for(lambda: hosts.news(1), "news"), [wanted], "news")
    begin, heard = time.monotonic(), []
    for _ in range(200):
        tell("192.0.2.7", ("192.0.2.1", "192.0.2.2"))
    wait_for(lambda: heard.extend(hosts.news(1)) or len(heard) >= 10, "news")
    most = 60 * (1 + time.monotonic() - begin)
    check(len(heard) <= most, f"{len(heard)} of 200 were told, at most {most:.0f}")

    hosts.up("vxlan", 6)
    about = ipv6("2001:db8::1", "2001:db8::2", UDP, inner)
    message = icmpv6("2001:db8::7", "2001:db8::1", 2, 0, struct.pack("!I", 1380) + about)

    def tell6():
        wire.send(ethernet(mac, wire.mac, IPV6,
                           ipv6("2001:db8::7", "2001:db8::1", ICMPV6, message)))
        return hosts.news(1)

    equal(wait_for(tell6, "news")[0], ["1", "1380", "2001:db8::2", "2001:db8::7"], "news")


main(Hosts, start=False)
