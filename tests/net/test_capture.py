#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""weft capture: what a port sends and gets, each packet with its verdict, read by tshark.

      subnet web 10.0.1.0/24          subnet lan 10.0.9.0/24, l2
         web1 .11  web2 .12              l1 .11  l2 .12
         web2 takes tcp 80 and icmp, nothing else
"""
import contextlib
import os
import signal
import socket
import subprocess
import time

from harness import (END, RUN, SECONDS, WEFT, Netns, Workloads, check, equal, knock, listen, main,
                     run, statement, tcp_works, wait_for)

INBOUND, OUTBOUND = "0x00000001", "0x00000002"  # as tshark writes the flags

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      web: {cidr: 10.0.1.0/24}
      lan: {cidr: 10.0.9.0/24, mode: l2}
    security_groups:
      web:
        ingress:
          - {protocol: tcp, ports: 80, from: 0.0.0.0/0}
          - {protocol: icmp, from: 0.0.0.0/0}
        egress: [{protocol: all, to: 0.0.0.0/0}]
      late: {}
    ports:
      web1: {subnet: web, address: 10.0.1.11, security_groups: [web], attach: {netns: web1}}
      web2: {subnet: web, address: 10.0.1.12, security_groups: [web], attach: {netns: web2}}
      l1: {subnet: lan, address: 10.0.9.11, security_groups: [web], attach: {netns: l1}}
      l2: {subnet: lan, address: 10.0.9.12, security_groups: [web], attach: {netns: l2}}
"""


def workloads(weft):
    return Workloads(weft, INTENT, "web1", "web2", "l1", "l2")


class Capture:
    """A running weft capture, and what tshark finds in its file."""

    def __init__(self, *words):
        self.path = f"{RUN}/capture.pcapng"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.process = subprocess.Popen([WEFT, "capture", *words, "--write", self.path],
                                        stderr=subprocess.PIPE, text=True)
        wait_for(self.begun, f"weft capture {' '.join(words)}")

    def begun(self):
        if self.process.poll() not in (None, 0):
            raise AssertionError(self.process.stderr.read())
        return os.path.exists(self.path) and os.path.getsize(self.path) > 0

    def fields(self, *names, only=""):
        """One list of the fields' texts for each packet, as tshark reads the file now."""
        words = [word for name in names for word in ("-e", name)]
        done = run("tshark", "-n", "-r", self.path, "-T", "fields", "-E", "separator=|", *words,
                   *(["-Y", only] if only else []))
        return [line.split("|") for line in done.stdout.splitlines()]

    def packets(self, count, *names, only=""):
        return wait_for(lambda: (lambda found: found if len(found) >= count else None)(
            self.fields(*names, only=only)), f"{count} packets of {only or 'any kind'}")

    def end(self):
        """Ends it as Ctrl-C does; nothing in the file is malformed and tshark warns of nothing."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(END)
        done = run("tshark", "-n", "-r", self.path, "-Y", "_ws.malformed")
        words = [line for line in done.stderr.splitlines() if "Running as user" not in line]
        equal((done.returncode, done.stdout, words), (0, "", []), "what tshark complains of")



@statement("a port's packets in both directions, each with what became of it")
def both(_weft, lan):
    capture = Capture("blue/web1", "icmp", "address", "10.0.1.12")
    check(lan.web1.reaches("10.0.1.12", 3), "ping while it is captured")
    found = capture.packets(6, "icmp.type", "ip.src", "frame.packet_flags_direction",
                            "frame.comment")
    capture.end()
    equal([packet[:3] for packet in found[:2]],
          [["8", "10.0.1.11", OUTBOUND], ["0", "10.0.1.12", INBOUND]], "request and reply")
    check("delivered to blue/web2" in found[0][3], f"comment: {found[0]}")
    check("from blue/web2" in found[1][3], f"comment: {found[1]}")


@statement("a packet that is dropped is there, at both ends, with the rule that decided")
def dropped(_weft, lan):
    capture = Capture("blue/web2", "tcp", "port", "81", "--dropped")
    with knock(lan.web1, "10.0.1.12", 81):
        found = capture.packets(1, "tcp.dstport", "frame.comment", only="tcp.flags.syn == 1")
    capture.end()
    equal(found[0][0], "81", "port")
    check("dropped (group_ingress)" in found[0][1] and "blue/web" in found[0][1],
          f"comment: {found[0]}")


@statement("connections that were there before the capture are seen from the first packet on")
def established(_weft, lan):
    with listen(lan.web2, 80) as server:
        one = lan.web1.socket()
        one.connect(("10.0.1.12", 80))
        other, _ = server.accept()
        with one, other:
            one.sendall(b"before")
            equal(other.recv(100), b"before", "before the capture")
            capture = Capture("blue/web2", "tcp", "port", "80")
            for _ in range(5):
                one.sendall(b"while")
                equal(other.recv(100), b"while", "while it is captured")
            capture.packets(10, "tcp.len", only="tcp")
            found = capture.fields("tcp.len", "ip.src", only="tcp.len == 5")
            capture.end()
            equal(len(found), 5, "segments with data")
            equal({packet[1] for packet in found}, {"10.0.1.11"}, "their source")
            one.sendall(b"after")
            equal(other.recv(100), b"after", "after the capture")


@statement("the filter takes protocol, ports and addresses; others are not in the file")
def filters(_weft, lan):
    capture = Capture("blue/web1", "udp", "port", "9,5000-5010", "address", "10.0.1.12")
    with lan.web1.socket(kind=socket.SOCK_DGRAM) as sender:
        for port in (8, 9, 4999, 5005, 5011):
            sender.sendto(b"x", ("10.0.1.12", port))
        sender.sendto(b"x", ("10.0.1.99", 9))
        sender.sendto(b"x", ("10.0.1.12", 5010))
    found = capture.packets(3, "udp.dstport", "ip.dst")
    capture.end()
    equal([packet[0] for packet in found], ["9", "5005", "5010"], "ports")


@statement("an end that is a security group: its ports, and one that joins while it is captured")
def grouped(weft, lan):
    capture = Capture("blue/web1", "icmp", "group:late", "--direction", "from")
    for size, groups in (("100", ["web"]), ("101", ["web", "late"]), ("102", ["web"]),
                         ("103", ["late", "web"])):
        weft.weft("port", "set", "blue/web2", *(f"--group={group}" for group in groups))
        check(lan.web1.reaches("10.0.1.12", 1, "-s", size), f"ping while web2 is in {groups}")
    found = capture.packets(2, "frame.len", "ip.dst")
    capture.end()
    equal(found, [[str(42 + size), "10.0.1.12"] for size in (101, 103)], "packets")
    weft.weft("port", "set", "blue/web2", "--group", "web")


@statement("what the switch answers, and the question, are in the file")
def arp(_weft, lan):
    lan.web1.run("ip", "neighbour", "flush", "all")
    capture = Capture("blue/web1", "arp")
    check(lan.web1.reaches("10.0.1.12"), "ping")
    found = capture.packets(2, "arp.opcode", "frame.packet_flags_direction", "frame.comment")
    capture.end()
    equal([packet[:2] for packet in found[:2]], [["1", OUTBOUND], ["2", INBOUND]],
          "request and answer")
    check("answered" in found[0][2], f"comment: {found[0]}")


@statement("a flooded frame is seen at its sender and at a member")
def flooded(_weft, lan):
    for port in ("blue/l1", "blue/l2"):
        lan.l1.run("ip", "neighbour", "flush", "all")
        capture = Capture(port, "arp")
        check(lan.l1.reaches("10.0.9.12"), "ping")
        found = capture.packets(1, "arp.opcode", "arp.src.proto_ipv4", "frame.comment",
                                only="arp.opcode == 1 && arp.src.proto_ipv4 == 10.0.9.11")
        capture.end()
        check("flooded" in found[0][2], f"comment at {port}: {found[0]}")


@statement("count ends the capture, size cuts packets, sample takes one in N")
def bounds(_weft, lan):
    capture = Capture("blue/web1", "icmp", "--direction", "from", "--count", "4", "--size", "60")
    check(lan.web1.reaches("10.0.1.12", 6, "-s", "500"), "ping")
    equal(capture.process.wait(END), 0, "exit status")
    found = capture.fields("frame.cap_len", "frame.len")
    capture.end()
    equal(found, [["60", "542"]] * 4, "sizes")
    capture = Capture("blue/web1", "icmp", "--direction", "from", "--sample", "5")
    check(lan.web1.reaches("10.0.1.12", 20), "ping")
    found = capture.packets(4, "icmp.seq")
    capture.end()
    equal(len(found), 4, "packets of 20, one in 5")


@statement("type and code of ICMP are words of the filter, as in rules")
def types(_weft, lan):
    capture = Capture("blue/web1", "icmp", "type", "8", "code", "0")
    check(lan.web1.reaches("10.0.1.12", 3), "ping while it is captured")
    found = capture.packets(3, "icmp.type")
    capture.end()
    equal({packet[0] for packet in found}, {"8"}, "types in the file")


@statement("a subnet: one packet of what goes from port to port; ports that come and go")
def subnet(weft, lan):
    capture = Capture("blue/web", "--subnet", "icmp")
    check(lan.web1.reaches("10.0.1.12", 3), "ping while it is captured")
    found = capture.packets(6, "icmp.type", "ip.src", "frame.comment", only="icmp")
    equal([packet[:2] for packet in found[:2]], [["8", "10.0.1.11"], ["0", "10.0.1.12"]],
          "request and reply, each once")
    check(found[0][2].startswith("blue/web1: delivered to blue/web2"), f"comment: {found[0]}")
    late = Netns("late")
    weft.weft("port", "add", "blue/late", "--subnet", "web", "--address", "10.0.1.13", "--group",
              "web", "--netns", "late")
    weft.plugged("blue/late")
    check(late.reaches("10.0.1.1"), "ping of the gateway")
    capture.packets(8, "icmp.type", only="icmp")
    check(lan.web1.reaches("10.0.1.13"), "ping of the port that has come")
    capture.packets(10, "icmp.type", only="icmp")
    weft.weft("port", "remove", "blue/late")
    check(lan.web2.reaches("10.0.1.11"), "ping once it has gone")
    found = capture.packets(12, "icmp.type", only="icmp")
    capture.end()
    equal(len(found), 12, "packets in the file")
    late.delete()


@statement("captures do not meet, and each ends with its client")
def many(weft, lan):
    first = Capture("blue/web1", "icmp")
    os.rename(first.path, first.path + ".1")
    first.path += ".1"
    second = Capture("blue/web1", "tcp")
    check(lan.web1.reaches("10.0.1.12"), "ping")
    check(tcp_works(lan.web1, lan.web2, "10.0.1.12", 80), "tcp 80")
    first.packets(2, "frame.number")
    second.packets(3, "frame.number")
    equal(first.fields("frame.number", only="!icmp"), [], "other than ICMP in the first")
    equal(second.fields("frame.number", only="!tcp"), [], "other than TCP in the second")
    first.end()
    second.end()
    wait_for(lambda: "port_watches" not in weft.log() and lan.web1.ping("10.0.1.12"), "ping")


@statement("what cannot be captured is refused with a sentence")
def refused(weft, _lan):
    done = weft.weft("capture", "blue/web1", "tpc", accept=[2])
    check('did you mean "tcp"' in done.stderr, f"no word for a word: {done.stderr}")
    done = weft.weft("capture", "web1", accept=[2])
    check("is not VPC/NAME" in done.stderr, f"what a name is: {done.stderr}")
    for words, sentence in (
            (("blue/none",), "none"),
            (("blue/web",), "no port blue/web, but a subnet of this name (--subnet)"),
            (("blue/web1", "300"), "protocol is all, tcp, udp"),
            (("blue/web1", "icmp", "port", "80"), "ports goes with protocol"),
            (("blue/web1", "tcp", "port", "99999"), "ports are numbers"),
            (("blue/web1", "address", "10.0.0.300"), "an end is an address"),
            (("blue/web1", "--size", "99999"), "from 1 to 16384")):
        done = weft.weft("capture", *words, accept=None)
        equal(done.returncode, 1, f"status of capture {words}: {done.stdout}{done.stderr}")
        check(sentence in done.stderr, f"no \"{sentence}\" in: {done.stderr}")


def ended(capture, what):
    equal(capture.process.wait(END), 1, f"status of a capture without {what}")
    text = capture.process.stderr.read()
    check("has ended the capture" in text, f"without {what}: {text}")
    capture.end()


@statement("a capture whose port, subnet or daemon goes says so, and the file is whole")
def without(weft, lan):
    weft.weft("subnet", "add", "blue/short", "--cidr", "10.0.7.0/24")
    weft.weft("port", "add", "blue/brief", "--subnet", "short", "--netns", "nowhere")
    capture = Capture("blue/brief")
    weft.weft("port", "remove", "blue/brief")
    ended(capture, "port")
    capture = Capture("blue/short", "--subnet")
    weft.weft("subnet", "remove", "blue/short")
    ended(capture, "subnet")
    for how, count in ((signal.SIGTERM, ()), (signal.SIGKILL, ("--count", "100"))):
        capture = Capture("blue/web1", "icmp", *count)
        check(lan.web1.reaches("10.0.1.12"), "ping while it is captured")
        capture.packets(2, "frame.number")
        weft.restart(how)
        ended(capture, "daemon")
        weft.plugged("blue/web1", "blue/web2")


@statement("a tag of 802.1ad is one in the file")
def outer_tag(_weft, lan):
    capture = Capture("blue/web1", "--direction", "from", "--dropped", "--count", "2")
    head = bytes.fromhex("020000000002" + lan.web1.mac().replace(":", ""))
    wire = lan.web1.wire()
    for tag in ("88a8012d", "81000063"):
        wire.send(head + bytes.fromhex(tag + "0800") + bytes(60))
    found = capture.packets(2, "eth.type", "ieee8021ad.id", "vlan.id")
    equal(found, [["0x88a8", "301", ""], ["0x8100", "", "99"]], "types and ids")
    wire.close()
    capture.end()


@statement("a capture of a bulk transfer loses packets of the file, never of the workload")
def bulk(_weft, lan):
    capture = Capture("blue/web2", "tcp")
    with listen(lan.web2, 80) as server:
        one = lan.web1.socket()
        one.connect(("10.0.1.12", 80))
        other, _ = server.accept()
        with one, other:
            total, end = 0, time.monotonic() + SECONDS
            one.setblocking(False)
            other.setblocking(False)
            while total <= 10 << 20 and time.monotonic() < end:
                with contextlib.suppress(BlockingIOError):
                    one.send(bytes(65536))
                with contextlib.suppress(BlockingIOError):
                    total += len(other.recv(1 << 20))
            check(total > 10 << 20, f"bytes that have come: {total}")
    capture.packets(100, "frame.number")
    capture.end()


main(workloads)
