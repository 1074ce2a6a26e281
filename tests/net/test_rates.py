#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Rates of ports: what a port gets and sends, changed while it is used, and DSCP.

      subnet web 10.0.1.0/24:   web1 .11  free    web2 .12  limited
"""
import contextlib
import json
import re
import socket
import time

from harness import Netns, check, equal, main, run, statement, wait_for
from packets import VLAN, ethernet, ipv4, udp
from traffic import throughput

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    subnets:
      web: {cidr: [10.0.1.0/24, "fd00:b:0:1::/64"]}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}, {protocol: all, from: "::/0"}]
    ports:
      web1: {subnet: web, addresses: [10.0.1.11, "fd00:b:0:1::11"], security_groups: [open],
             attach: {netns: web1}}
      web2: {subnet: web, addresses: [10.0.1.12, "fd00:b:0:1::12"], security_groups: [open],
             attach: {netns: web2}}
"""
# of each measurement, after the first queue is full: some hundred large frames
SECONDS = {"10M": 4, "200M": 1, "1G": 1}
SO_RCVBUFFORCE = 33


class Pair:
    """The workloads by name."""

    def __init__(self, weft):
        self.web1, self.web2 = Netns("web1"), Netns("web2")
        weft.apply(INTENT)
        weft.plugged("blue/web1", "blue/web2")


def held_to(measure, text, what):
    """Never above the rate, and some of it, unless the machine stood still meanwhile: how near is
    bench/rates.py's to say, on a quiet machine.

    The payload of a TCP segment of 1448 bytes is in a frame of 1514.
    """
    wanted = float(text[:-1]) * {"M": 1e6, "G": 1e9}[text[-1]] * 1448 / 1514

    def some():
        found = measure()
        check(found < wanted * 1.05,
              f"{what}: {found / 1e6:.2f} Mbit/s of payload, {wanted / 1e6:.2f} allowed")
        return found > wanted / 10
    wait_for(some, f"{what}: a tenth of it")


def setting(weft, **values):
    status, _, body = weft.http("PATCH", "/v1/vpcs/blue/ports/web2", values)
    equal(status, 200, f"PATCH {values}: {body}")


@statement("a port gets what its receive_rate says, and its connections that were there, too")
def receive(weft, pair):
    for rate in ("10M", "200M", "1G"):
        setting(weft, receive_rate=rate)
        held_to(lambda long=SECONDS[rate]: throughput(pair.web1, pair.web2, "10.0.1.12", long),
                rate, f"receive {rate}")
    check("tbf" in weft_qdiscs(), "the queue that holds it back")
    check('weft_port_delayed_total{port="blue/web2"} ' in metrics(weft), "it had to wait")
    setting(weft, receive_rate="0")
    wait_for(lambda: "tbf" not in weft_qdiscs(), "no rate, no queue")


@statement("a port sends what its send_rate says")
def send(weft, pair):
    for rate in ("10M", "200M", "1G"):
        setting(weft, send_rate=rate)
        held_to(lambda long=SECONDS[rate]: throughput(pair.web2, pair.web1, "10.0.1.11", long),
                rate, f"send {rate}")


@statement("a workload that takes its queue away is held to its rate all the same")
def cheat(weft, pair):
    setting(weft, send_rate="50M")
    pair.web2.run("tc", "qdisc", "del", "dev", "eth0", "root", accept=[0])
    with pair.web2.socket(kind=socket.SOCK_DGRAM) as sender, \
            pair.web1.socket(kind=socket.SOCK_DGRAM, bind=("0.0.0.0", 9)) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        with weft.dropped("rate_limit", 100):
            begin, now = time.monotonic(), time.monotonic()
            while now < begin + 1.5:
                for _ in range(50):
                    sender.sendto(bytes(1400), ("10.0.1.11", 9))
                now = time.monotonic()
        receiver.setblocking(False)
        total = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                total += len(receiver.recv(2000)) + 42
        allowed = 50e6 / 8 * (now - begin) + 50e6 / 8 / 20 + (1 << 19)
        check(total < allowed * 1.05,
              f"{total} bytes in {now - begin:.2f} s, {allowed:.0f} allowed")
    check(over_rate(weft, "send") > 100, "the metric of what it sent over its rate")
    setting(weft, send_rate="0")


def metrics(weft):
    return weft.http("GET", "/metrics", raw=True)[2].decode()


def over_rate(weft, direction):
    """Packets of web2 that were dropped for its rate, as the metrics tell."""
    found = re.search(rf'^weft_port_over_rate_packets_total{{port="blue/web2",'
                      rf'direction="{direction}"}} (\d+)$', metrics(weft), re.M)
    check(found, f"no metric of {direction}")
    return int(found.group(1))


@statement("what a port sends is marked with its DSCP, both families, ECN as it was")
def dscp(weft, pair):
    setting(weft, dscp=46)
    wire = pair.web1.wire()
    for family, address, level, option in (
            (socket.AF_INET, "10.0.1.11", socket.IPPROTO_IP, socket.IP_TOS),
            (socket.AF_INET6, "fd00:b:0:1::11", socket.IPPROTO_IPV6, socket.IPV6_TCLASS)):
        with pair.web2.socket(family, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(level, option, 0x2a)  # DSCP 10, ECT(0)
            sender.sendto(b"marked", (address, 9))
        frame = wire.expect(lambda packet: b"marked" in packet.frame, f"to {address}").frame
        service = frame[15] if family == socket.AF_INET else (frame[14] << 4 | frame[15] >> 4)
        equal(service & 0xff, 46 << 2 | 2, f"service to {address}")
    wire.close()
    setting(weft, dscp="off")


def bucket(netns=None):
    """Bytes of the bucket of web2's queue, at one end or the other."""
    words = ("tc", "-j", "qdisc", "show")
    shown = (netns.run(*words) if netns else run(*words)).stdout
    return [one["options"]["burst"] for one in json.loads(shown) if one["kind"] == "tbf"]


@statement("each direction has a burst of its own, or that of both")
def bursts(weft, pair):
    setting(weft, send_rate="50M", receive_rate="50M", rate_burst="200k")
    for values, sends, gets in (({}, 200000, 200000), ({"send_burst": "100k"}, 100000, 200000),
                                ({"receive_burst": "300k"}, 100000, 300000)):
        setting(weft, **values)
        wait_for(lambda: len(bucket()) == len(bucket(pair.web2)) == 1, "a queue at both ends")
        for found, wanted in ((bucket(pair.web2)[0], sends), (bucket()[0], gets)):
            check(abs(found - wanted) < wanted / 100, f"{values}: {found} bytes, not {wanted}")
    setting(weft, send_rate="0", receive_rate="0", rate_burst="0", send_burst="0",
            receive_burst="0")


@statement("rates are written back as they were meant, and wrong ones refused")
def text(weft, _pair):
    setting(weft, send_rate=2500000000, receive_rate="1500k", rate_burst="100k", dscp=0)
    port = weft.port("blue/web2")
    equal([port[key] for key in ("send_rate", "receive_rate", "rate_burst", "dscp")],
          ["2500M", "1500k", "100k", "0"], "what is written back")
    before = weft.weft("export").stdout
    weft.apply(before)
    equal(weft.weft("export").stdout, before, "the export, applied")
    for key, value in (("send_rate", "fast"), ("send_rate", "7k"), ("receive_rate", "2000G"),
                       ("rate_burst", 100), ("send_burst", 100), ("dscp", 64),
                       ("send_rate", "1.0005k")):
        status, _, body = weft.http("PATCH", "/v1/vpcs/blue/ports/web2", {key: value})
        equal(status, 400, f"{key}: {value}")
        check(key in body["error"]["message"], f"the sentence: {body}")
    weft.weft("port", "set", "blue/web2", "--send-rate", "0", "--receive-rate", "20M", "--dscp",
              "off")
    wait_for(lambda: "rate 20Mbit" in weft_qdiscs(), "the queue of 20 Mbit/s")
    weft.restart()
    check("rate 20Mbit" in weft_qdiscs(), "the queue after a restart")


MORE = """
vpcs:
  other:
    cidrs: [10.1.0.0/16]
    subnets:
      lan: {cidr: 10.1.1.0/24, mode: l2}
    security_groups:
      open: {ingress: [{protocol: all, from: 0.0.0.0/0}]}
    ports:
      child: {subnet: lan, address: 10.1.1.11, security_groups: [open], send_rate: 1M, dscp: 46,
              attach: {parent: blue/web2, vlan: 100}}
      near: {subnet: lan, address: 10.1.1.12, security_groups: [open], attach: {netns: near}}
      office: {subnet: lan, send_rate: 1M, receive_rate: 7M, attach: {bridge: br0}}
"""


@statement("a child is held to what it may send; what it gets is its parent's; bridges have both")
def others(weft, pair):
    near = Netns("near")
    run("ip", "link", "add", "br0", "type", "bridge", accept=[0])
    run("ip", "link", "set", "br0", "up", accept=[0])
    run("ip", "address", "add", "10.1.1.20/24", "dev", "br0", accept=[0])
    weft.apply(MORE)
    weft.plugged("other/child", "other/near", "other/office")
    wire, trunk = near.wire(), pair.web2.wire()
    tagged = ethernet(wire.mac, weft.port("other/child")["mac"], VLAN, b"\0\x64\x08\0" +
                      ipv4("10.1.1.11", "10.1.1.12", 17, udp("10.1.1.11", "10.1.1.12", 9, 9,
                                                             bytes(1400))))
    trunk.send(tagged)
    frame = wire.expect(lambda packet: packet.frame[26:30] == bytes([10, 1, 1, 11]), "it").frame
    equal(frame[15], 46 << 2, "its mark")
    mirrored(weft, trunk, tagged, wire)
    with weft.dropped("rate_limit", 100):
        for _ in range(1000):
            trunk.send(tagged)
    wire.close()
    trunk.close()
    status, _, body = weft.http("PATCH", "/v1/vpcs/other/ports/child", {"receive_rate": "1M"})
    equal(status, 400, "a receive_rate of a child")
    check("blue/web2" in body["error"]["message"], f"the sentence: {body}")
    check("rate 7Mbit" in weft_qdiscs(), "the queue to the bridge")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        with weft.dropped("rate_limit", 100):
            for _ in range(1000):
                host.sendto(bytes(1400), ("10.1.1.12", 9))
    by_tcp(weft, near)
    weft.weft("vpc", "remove", "other")
    run("ip", "link", "del", "br0", accept=[0])


class Host:
    """The machine itself, for connect()."""

    @staticmethod
    def socket(family=socket.AF_INET, kind=socket.SOCK_STREAM, timeout=30, bind=None):
        made = socket.socket(family, kind)
        made.settimeout(timeout)
        if bind:
            made.bind(bind)
        return made


def by_tcp(weft, near):
    """What is too much is dropped here, for there is no queue of ours before: TCP comes to its rate
    in spite of that, by what it may send after it had to wait."""
    status, _, body = weft.http("PATCH", "/v1/vpcs/other/ports/office", {"send_rate": "50M"})
    equal(status, 200, f"another rate: {body}")

    def near_it():
        found = throughput(Host, near, "10.1.1.12", 4)
        check(found < 50e6 * 1.2, f"{found / 1e6:.2f} of 50 Mbit/s")
        return found > 50e6 * 0.4  # dropped without time to make up for it: a quarter
    wait_for(near_it, "most of 50 Mbit/s by TCP")


def mirrored(weft, trunk, tagged, wire):
    """A mirror of the port behind a tag: the copy is without the tag, and as it was sent."""
    status, _, body = weft.http("PATCH", "/v1/vpcs/other/ports/child",
                                {"mirror": {"to": "near", "direction": "from"}})
    equal(status, 200, f"a mirror of a child: {body}")
    trunk.send(tagged)
    wire.expect(lambda packet: packet.frame[26:30] == bytes([10, 1, 1, 11]) and
                packet.frame[15] == 0, "the copy, which has no mark")
    told = weft.port("other/child")["status"]["mirror"]
    check(told["copies"] >= 1 and told["sent_packets"] >= 1, f"what is told of it: {told}")
    status, _, body = weft.http("PATCH", "/v1/vpcs/other/ports/child", {"mirror": None})
    equal(status, 200, f"no mirror: {body}")


@statement("port show and trace say what limits a port, and what was dropped for it")
def told(weft, pair):
    setting(weft, send_rate="1M", receive_rate="2M")
    check(pair.web1.reaches("10.0.1.12"), "ping")
    rates = weft.port("blue/web2")["status"]["rates"]
    equal(rates["send"]["rate"], 1000000, "what it may send")
    check("dropped_packets" in rates["send"], f"dropped: {rates}")
    equal(rates["receive"]["rate"], 2000000, "what it gets")
    check("delayed" in rates["receive"], f"the queue: {rates}")
    check("rates" in weft.weft("port", "show", "blue/web2").stdout, "port show")
    trace = weft.trace("blue/web2", "--to", "10.0.1.11", "--udp", "9")
    stages = [stage for stage in trace["stages"] if stage["stage"] == "rate"]
    check("1000000 bit/s" in stages[0]["result"] and stages[0]["object"] == "port blue/web2",
          f"stages: {stages}")
    trace = weft.trace("blue/web1", "--to", "10.0.1.12", "--udp", "9")
    check(any("2000000 bit/s" in stage["result"] for stage in trace["stages"]),
          f"the queue of the receiver: {trace['stages']}")
    setting(weft, send_rate="0", receive_rate="0")


def weft_qdiscs():
    return run("tc", "qdisc", accept=[0]).stdout


@statement("a queue that somebody takes away is put back")
def put_back(weft, pair):
    setting(weft, receive_rate="5M")
    device = weft.port("blue/web2")["status"]["device"]

    def root():
        return run("tc", "qdisc", "show", "dev", device, "root", accept=[0]).stdout

    check("tbf" in root(), f"the queue: {root()}")
    for words in (("del",), ("replace", "pfifo")):
        run("tc", "qdisc", words[0], "dev", device, "root", *words[1:], accept=[0])
        wait_for(lambda: "tbf" in root(), f"the queue, after {words}")
    check(pair.web1.reaches("10.0.1.12"), "ping")
    setting(weft, receive_rate="0")
    check("tbf" not in root(), f"no queue without a rate: {root()}")


main(Pair)
