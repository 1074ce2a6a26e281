#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Flow logs (V48): records of what was admitted and refused, by port and interval, in a file.

      blue, web 10.0.1.0/24:   web1 .11   web2 .12   quiet .13 (records: none)
      web2 takes tcp 80 and icmp, nothing else

An interval may end by itself at any time, also in the middle of a statement: what it tells is then
in two records, which are read as one.
"""
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess

from harness import (RUN, SECONDS, Netns, check, connect, equal, knock, listen, main, run,
                     statement, tcp_works, wait_for)

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, fd00:b::/48]
    flow_log: {records: all}
    subnets:
      web: {cidr: [10.0.1.0/24, fd00:b:0:1::/64]}
    security_groups:
      web:
        ingress:
          - {protocol: tcp, ports: 80, from: 0.0.0.0/0}
          - {protocol: icmp, from: 0.0.0.0/0}
          - {protocol: icmp, from: "::/0"}
    ports:
      web1: {subnet: web, addresses: [10.0.1.11, "fd00:b:0:1::11"], security_groups: [web],
             attach: {netns: web1}}
      web2: {subnet: web, addresses: [10.0.1.12, "fd00:b:0:1::12"], security_groups: [web],
             attach: {netns: web2}}
      quiet: {subnet: web, addresses: [10.0.1.13, "fd00:b:0:1::13"], security_groups: [web],
              attach: {netns: quiet}, flow_log: {records: none}}
"""

PATH = f"{RUN}/state/flow-logs/blue.jsonl"


def joined(records):
    """The records, those of one thing that fell into several intervals added up."""
    found = {}
    for record in records:
        key = tuple(sorted((name, str(value)) for name, value in record.items()
                           if name not in ("start", "end", "packets", "bytes", "tcp_flags")))
        first = found.setdefault(key, record)
        if first is record:
            continue
        first["end"] = record["end"]
        for name in ("packets", "bytes"):
            if name in record:
                first[name] += record[name]
        if "tcp_flags" in record:
            flags = {*first["tcp_flags"].split(","), *record["tcp_flags"].split(",")} - {""}
            first["tcp_flags"] = ",".join(sorted(flags))
    return list(found.values())


class Log:
    """The file, read from where it was read last."""

    def __init__(self, weft):
        self.weft = weft
        self.offset = 0

    def records(self, **wanted):
        """Up to now, those that have these values."""
        self.weft.weft("flow-log", "write")
        return self.read(**wanted)

    def read(self, **wanted):
        return joined(self.lines(**wanted))

    def lines(self, **wanted):
        """As they are."""
        with open(PATH, encoding="utf-8") as file:
            file.seek(self.offset)
            text = file.read()
            self.offset = file.tell()
        found = [json.loads(line) for line in text.splitlines()]
        return [one for one in found if all(one.get(key) == wanted[key] for key in wanted)]


def one(records, what):
    equal(len(records), 1, f"records of {what}: {records}")
    return records[0]


class Lan:
    """The workloads by name, and the log."""

    def __init__(self, weft):
        for name in ("web1", "web2", "quiet"):
            setattr(self, name, Netns(name))
        weft.apply(INTENT)
        weft.plugged("blue/web1", "blue/web2", "blue/quiet")
        self.log = Log(weft)
        self.log.records()


@statement("V48: what was admitted is recorded at both ports, each direction for itself")
def accepted(weft, lan):
    check(lan.web1.reaches("10.0.1.12", 3), "ping")
    found = lan.log.records(log_status="OK", protocol="icmp")
    equal(sorted((r["port"], r["direction"], r["source"], r["packets"], r["bytes"])
                 for r in found),
          [("web1", "egress", "10.0.1.11", 3, 252), ("web1", "ingress", "10.0.1.12", 3, 252),
           ("web2", "egress", "10.0.1.12", 3, 252), ("web2", "ingress", "10.0.1.11", 3, 252)],
          "records of three pings")
    for record in found:
        equal((record["action"], record["vpc"], record["subnet"], record["type"], record["code"]),
              ("ACCEPT", "blue", "web", 8 if record["source"] == "10.0.1.11" else 0, 0), "record")
        check(record["start"] <= record["end"], f"start and end: {record}")
    ingress = next(r for r in found if (r["port"], r["direction"]) == ("web2", "ingress"))
    check("icmp" in ingress["rule"] and ingress["peer"] == "blue/web1", f"rule and peer: {ingress}")


@statement("V48: a TCP connection that ends between two readings is recorded whole, with its flags")
def tcp(weft, lan):
    check(tcp_works(lan.web1, lan.web2, "10.0.1.12", 80), "tcp 80")
    lines = []

    def settled():
        """Whether nothing is recorded again; the last segments may come after a reading."""
        weft.weft("flow-log", "write")
        more = lan.log.lines(protocol="tcp")
        lines.extend(more)
        return lines and not more
    wait_for(settled, "an interval without it")
    found = [record for record in joined(lines) if record["port"] == "web1"]
    equal(sorted(r["direction"] for r in found), ["egress", "ingress"], "records")
    for record in found:
        check({"syn", "ack", "fin"} <= set(record["tcp_flags"].split(",")), f"flags: {record}")
        check(3 <= record["packets"] < 10, f"packets: {record}")


@statement("a connection that goes on is recorded by differences; nothing is recorded twice")
def differences(weft, lan):
    with contextlib.closing(listen(lan.web2, 80)) as server:
        client = connect(lan.web1, "10.0.1.12", 80)
        accepted_end, _ = server.accept()
        total = 0
        for _ in range(3):
            client.sendall(b"x" * 1000)
            wait_for(lambda: len(accepted_end.recv(1000, socket.MSG_PEEK)) == 1000, "bytes")
            accepted_end.recv(1000)
            record = one(lan.log.records(port="web1", protocol="tcp", direction="egress"), "send")
            check(record["bytes"] >= 1000, f"bytes: {record}")
            check(total == 0 or "syn" not in record["tcp_flags"], f"flags of later: {record}")
            total += record["bytes"]
        check(3000 <= total < 4500, f"bytes in all: {total}")
        client.close()
        accepted_end.close()
    lan.log.records()


@statement("V48: what the receiver's rules refuse is REJECT there, with who decided")
def rejected(weft, lan):
    with weft.dropped("group_ingress"), knock(lan.web1, "10.0.1.12", 81):
        pass
    found = lan.log.records(protocol="tcp", destination_port=81)
    record = one([r for r in found if r["port"] == "web2"], "refused")
    equal((record["direction"], record["action"], record["reason"], record["source"]),
          ("ingress", "REJECT", "group_ingress", "10.0.1.11"), "record")
    check("blue/web" in record["object"], f"who decided: {record}")
    check("syn" in record["tcp_flags"], f"flags: {record}")
    record = one([r for r in found if r["port"] == "web1"], "sent")
    equal((record["direction"], record["action"]), ("egress", "ACCEPT"), "at the sender")


@statement("what the sender's own side refuses is REJECT there")
def refused_out(weft, lan):
    with weft.dropped("no_endpoint"):
        with lan.web1.socket(kind=socket.SOCK_DGRAM) as udp:
            udp.sendto(b"x", ("10.0.77.7", 9))
    record = one(lan.log.records(destination="10.0.77.7"), "refused")
    equal((record["port"], record["direction"], record["action"], record["reason"]),
          ("web1", "egress", "REJECT", "no_endpoint"), "record")


@statement("IPv6 likewise")
def ipv6(weft, lan):
    check(lan.web1.reaches("fd00:b:0:1::12"), "ping")
    found = lan.log.records(protocol="icmpv6", port="web2")
    equal(sorted((r["direction"], r["source"], r["type"], r["code"], r["packets"]) for r in found),
          [("egress", "fd00:b:0:1::12", 129, 0, 1), ("ingress", "fd00:b:0:1::11", 128, 0, 1)],
          "records of a ping")


@statement("V48: a port without traffic has NODATA; one whose log is off has nothing")
def nodata(weft, lan):
    lan.log.records()
    found = lan.log.records()
    equal(sorted((r["port"], r["log_status"]) for r in found),
          [("web1", "NODATA"), ("web2", "NODATA")], "an interval without packets")
    check(lan.quiet.reaches("10.0.1.12"), "ping")
    equal({r["port"] for r in lan.log.records(log_status="OK")}, {"web2"}, "ports")


@statement("V11, V48: the router, DNS and metadata are in no log")
def unlogged(weft, lan):
    lan.log.records()
    check(lan.web1.reaches("10.0.1.1"), "ping the router")
    lan.web1.silent_ping("169.254.169.123")
    with lan.web1.socket(kind=socket.SOCK_DGRAM) as udp:
        udp.settimeout(SECONDS)
        udp.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\4web2\4blue\10internal\0\0\1\0\1",
                   ("169.254.169.253", 53))
        check(len(udp.recv(512)) > 12, "an answer of the resolver")
    equal(lan.log.records(log_status="OK"), [], "records")


@statement("accept and reject alone; a subnet's log goes before the VPC's")
def chosen(weft, lan):
    weft.weft("subnet", "set", "blue/web", "--flow-log", "reject")
    lan.log.records()
    check(lan.web1.reaches("10.0.1.12"), "ping")
    with weft.dropped("group_ingress"), knock(lan.web1, "10.0.1.12", 82):
        pass
    equal([(r["port"], r["action"]) for r in lan.log.records(log_status="OK")],
          [("web2", "REJECT")], "reject alone")
    weft.weft("subnet", "set", "blue/web", "--flow-log", "accept")
    with weft.dropped("group_ingress"), knock(lan.web1, "10.0.1.12", 83):
        pass
    equal([(r["port"], r["action"]) for r in lan.log.records(destination_port=83)],
          [("web1", "ACCEPT")], "accept alone")
    weft.weft("subnet", "set", "blue/web", "--flow-log", "inherit")
    equal(weft.json("subnet", "show", "blue/web").get("flow_log"), None, "as before")


def fifty_thousand(lan, server):
    """Both ends of a connection by which so many bytes have come."""
    client = connect(lan.web1, "10.0.1.12", 80)
    end, _ = server.accept()
    client.sendall(b"y" * 50000)
    wait_for(lambda: len(end.recv(50000, socket.MSG_PEEK)) == 50000, "bytes before")
    return client, end


def a_hundred_more(client, end):
    client.sendall(b"z" * 100)
    wait_for(lambda: len(end.recv(60000, socket.MSG_PEEK)) == 50100, "bytes after")


@statement("none acts at once: what was before is recorded by then, nothing of what comes after")
def off(weft, lan):
    with contextlib.closing(listen(lan.web2, 80)) as server:
        lan.log.records()
        client, end = fifty_thousand(lan, server)
        weft.weft("port", "set", "blue/web1", "--flow-log", "none")
        before = lan.log.read(port="web1", protocol="tcp", direction="egress")
        check(one(before, "what was before")["bytes"] >= 50000, f"bytes before: {before}")
        a_hundred_more(client, end)
        check(lan.web1.reaches("10.0.1.12"), "a new connection")
        with weft.dropped("group_ingress"), knock(lan.web1, "10.0.1.12", 84):
            pass
        client.close()
        end.close()
    for _ in range(4):
        equal(lan.log.records(port="web1"), [], "of a port whose log is off")
    weft.weft("port", "set", "blue/web1", "--flow-log", "inherit")
    equal(lan.log.records(port="web1", log_status="OK"), [], "what it did while it had no log")


@statement("another log acts at once, too: each packet is judged by the log of its time")
def at_once(weft, lan):
    lan.log.records()
    check(lan.web1.reaches("10.0.1.12"), "ping by the log of all")
    weft.weft("subnet", "set", "blue/web", "--flow-log", "reject")
    equal(len(lan.log.read(protocol="icmp")), 4, "what was accepted before")
    check(lan.web1.reaches("10.0.1.12"), "ping by the log of what is refused")
    weft.weft("subnet", "set", "blue/web", "--flow-log", "inherit")
    equal(lan.log.records(protocol="icmp"), [], "what was accepted meanwhile")


@statement("what a connection had before its port got a log is not recorded")
def baseline(weft, lan):
    weft.weft("vpc", "set", "blue", "--flow-log", "none")
    with contextlib.closing(listen(lan.web2, 80)) as server:
        client, end = fifty_thousand(lan, server)
        weft.weft("vpc", "set", "blue", "--flow-log", "all")
        a_hundred_more(client, end)
        record = one(lan.log.records(port="web1", protocol="tcp", direction="egress"), "after")
        check(record["bytes"] < 1000, f"bytes after: {record}")
        client.close()
        end.close()
    lan.log.records()


@statement("rotated by name, by SIGHUP, and by copy and truncate: no line is lost or cut")
def rotated(weft, lan):
    lan.log.records()
    os.rename(PATH, f"{PATH}.1")
    check(lan.web1.reaches("10.0.1.12"), "ping")
    lan.log.offset = 0
    equal(len(lan.log.records(protocol="icmp")), 4, "in the new file")
    os.truncate(PATH, 0)
    lan.log.offset = 0
    check(lan.web1.reaches("10.0.1.12"), "ping")
    equal(len(lan.log.records(protocol="icmp")), 4, "after it was truncated")
    check("blue.jsonl" in weft.weft("flow-log", "list").stdout, "flow-log list")


@statement("the file of a VPC that is removed is closed, and stays where it is")
def removed(weft, _lan):
    weft.weft("vpc", "add", "short", "--cidr", "10.9.0.0/16", "--flow-log", "all")
    weft.weft("subnet", "add", "short/lan", "--cidr", "10.9.1.0/24")
    weft.weft("port", "add", "short/one", "--subnet", "lan", "--netns", "nowhere")
    weft.weft("flow-log", "write")
    path = PATH.replace("blue", "short")
    folder = f"/proc/{weft.process.pid}/fd"

    def is_open():
        with contextlib.suppress(FileNotFoundError):
            return path in [os.readlink(f"{folder}/{number}") for number in os.listdir(folder)]
        return True

    check(is_open() and path in weft.weft("flow-log", "list").stdout, "the file is open")
    weft.weft("vpc", "remove", "short")
    wait_for(lambda: weft.weft("flow-log", "write") and not is_open(), "the file is closed")
    check(path not in weft.weft("flow-log", "list").stdout, "nothing is said of it")
    check(os.path.getsize(path) > 0, "it is still there")


def is_sent(record):
    return record.get("protocol") == "tcp" and record["direction"] == "egress"


@statement("a restart records what there is; later traffic is recorded, marked with SKIPDATA")
def restarted(weft, lan):
    with contextlib.closing(listen(lan.web2, 80)) as server:
        lan.log.records()
        client, end = fifty_thousand(lan, server)
        weft.restart()
        weft.plugged("blue/web1", "blue/web2")
        found = lan.log.read(port="web1")
        record = one([r for r in found if is_sent(r)], "at the end")
        check(record["bytes"] >= 50000, f"bytes before: {record}")
        # An interval may have ended since: what says so is in that one.
        skipped = {r["log_status"] for r in found}
        a_hundred_more(client, end)
        found = lan.log.records(port="web1")
        skipped |= {r["log_status"] for r in found}
        check("SKIPDATA" in skipped, f"skipped: {found}")
        record = one([r for r in found if is_sent(r)], "after")
        check(record["bytes"] < 1000, f"bytes after: {record}")
        client.close()
        end.close()
    lan.log.records()


@statement("a full disk: lost records are counted, daemon and traffic go on, and so does the file")
def full(weft, lan):
    folder = os.path.dirname(PATH)
    weft.restart()
    weft.plugged("blue/web1", "blue/web2")
    run("mount", "-t", "tmpfs", "-o", "size=8k", "none", folder)

    def lost():
        return sum(file["lost"] for file in weft.json("flow-log", "list")["files"])

    def fill():
        check(lan.web1.reaches("10.0.1.12"), "ping while the disk is full")
        weft.weft("flow-log", "write")
        return lost() > before

    before = lost()
    wait_for(fill, "records that are lost")
    shown = weft.weft("flow-log", "list").stdout
    check("o space" in shown, f"flow-log list: {shown}")
    check("cannot be written" in weft.weft("status").stdout, "status")
    lan.log.offset = os.path.getsize(PATH)
    run("mount", "-o", "remount,size=8m", folder)
    check(lan.web1.reaches("10.0.1.12"), "ping")
    weft.weft("flow-log", "write")
    with open(PATH, encoding="utf-8") as file:
        file.seek(lan.log.offset)
        lan.log.offset += len(file.readline())  # the end of the line that was cut off
    check(lan.log.read(protocol="icmp"), "lines once there is room, each of them whole")
    check("cannot be written" not in weft.weft("status").stdout, "status afterwards")


class Collector:
    """nfcapd, and tshark beside it on the loopback, which must find nothing to complain of."""

    def __init__(self, number, transport="udp"):
        self.directory = f"{RUN}/nfcapd-{number}"
        os.makedirs(self.directory)
        self.capture = f"{RUN}/ipfix-{number}.pcapng"
        self.tshark = subprocess.Popen(
            ["tshark", "-q", "-i", "lo", "-f", f"{transport} port {number}", "-w", self.capture],
            stderr=subprocess.PIPE, text=True)
        wait_for(lambda: "Capturing" in self.tshark.stderr.readline(), "tshark")
        wait_for(lambda: os.path.exists(self.capture), "the capture")
        self.number = number
        self.transport = transport
        self.nfcapd = None

    def listen(self):
        self.nfcapd = subprocess.Popen(["nfcapd", "-p", str(self.number), "-b", "127.0.0.1", "-w",
                                        self.directory, "-t", "3600", "-E"],
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_for(lambda: str(self.number) in
                 run("ss", "-lun", "sport", "=", f":{self.number}").stdout, "nfcapd")

    def has_read_all(self):
        """Whether nothing waits in nfcapd's socket; what does is lost when it is told to end."""
        lines = run("ss", "-Hlun", "sport", "=", f":{self.number}").stdout.split()
        return lines[1:2] == ["0"]

    def flows(self):
        """What nfcapd has understood, once it has ended."""
        wait_for(lambda: self.packets("frame.number", only="cflow"), "a message in the capture")
        wait_for(self.has_read_all, "nfcapd to read")
        self.nfcapd.send_signal(signal.SIGTERM)
        text, _ = self.nfcapd.communicate(timeout=60)
        done = run("nfdump", "-q", "-R", self.directory, "-o",
                   "fmt:%sa|%da|%sp|%dp|%pr|%pkt|%byt|%flg|%in|%out|%dir")
        return [[word.strip() for word in line.split("|")]
                for line in done.stdout.splitlines() if "|" in line], text

    def packets(self, *fields, only=""):
        words = [word for field in fields for word in ("-e", field)]
        done = run("tshark", "-n", "-r", self.capture, "-d",
                   f"{self.transport}.port=={self.number},cflow", "-T", "fields", "-E",
                   "separator=|", *words, *(["-Y", only] if only else []))
        return [line.split("|") for line in done.stdout.splitlines()]

    def end(self):
        wait_for(lambda: self.packets("frame.number", only="cflow"), "a message in the capture")
        self.tshark.send_signal(signal.SIGINT)
        self.tshark.wait(20)
        equal(self.packets("_ws.expert.message", only="_ws.expert.severity >= 0x00400000"), [],
              "what tshark complains of")
        equal(self.packets("frame.number", only="cflow.template_id == 0 || _ws.malformed"), [],
              "malformed")


@statement("IPFIX by UDP: nfcapd takes every record, tshark has no warning; IPv4, IPv6, names")
def ipfix_udp(weft, lan):
    lan.log.records()
    collector = Collector(4739)
    collector.listen()
    weft.weft("vpc", "set", "blue", "--flow-log-to", "udp:127.0.0.1:4739", "--flow-log-to", "file")
    check(lan.web1.reaches("10.0.1.12", 2), "ping")
    check(lan.web1.reaches("fd00:b:0:1::12"), "ping by IPv6")
    check(tcp_works(lan.web1, lan.web2, "10.0.1.12", 80), "tcp 80")
    with weft.dropped("group_ingress"), knock(lan.web1, "10.0.1.12", 84):
        pass
    weft.weft("flow-log", "write")
    lines = lan.log.lines(log_status="OK")
    flows, said = collector.flows()
    check(flows, f"nothing: {said}")
    equal(len(flows), len(lines), f"records: {flows} {lines}")
    equal(sorted((int(flow[5]), int(flow[6])) for flow in flows),
          sorted((line["packets"], line["bytes"]) for line in lines), "packets and bytes")
    check(any(flow[0] == "10.0.1.11" and flow[3] == "84" for flow in flows),
          f"the refused: {flows}")
    collector.end()
    sequences = [int(row[0]) for row in collector.packets("cflow.sequence", only="cflow")]
    equal(sequences[0], 0, "the first sequence number")
    names = ",".join(row[0] for row in collector.packets("cflow.if_name", only="cflow.if_name"))
    check("blue/web1" in names and "blue/web2" in names, f"names of ports: {names}")
    collectors = weft.json("flow-log", "list")["collectors"]
    equal((collectors[0]["to"], collectors[0]["lost"]), ("udp:127.0.0.1:4739", 0), "status")


@statement("IPFIX: sequence numbers count records of a domain, templates come again")
def ipfix_sequence(weft, lan):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 4740))
        collector.settimeout(SECONDS)
        weft.weft("vpc", "set", "blue", "--flow-log-to", "udp:127.0.0.1:4740",
                  "--flow-log-domain", "77")
        counted = 0
        for turn in range(3):
            check(lan.web1.reaches("10.0.1.12"), "ping")
            weft.weft("flow-log", "write")
            sets = message_sets(collector.recv(2000), counted)
            equal(2 in sets and 3 in sets, turn == 0, "templates")
            names = sets.get(258, b"").count(b"blue/web")
            counted += len(sets.get(256, b"")) // 63 + names + 1
            equal(len(sets.get(256, b"")) % 63, 0, "whole records")


@statement("IPFIX by UDP goes on by itself when the host gets another address, templates first")
def ipfix_renumbered(weft, lan):
    run("ip", "link", "add", "out0", "type", "veth", "peer", "out1", accept=[0])
    far = Netns("far")
    run("ip", "link", "set", "out1", "netns", "far", accept=[0])
    run("ip", "address", "add", "192.0.2.1/24", "dev", "out0", accept=[0])
    run("ip", "link", "set", "out0", "up", accept=[0])
    far.run("ip", "address", "add", "192.0.2.9/24", "dev", "out1", accept=[0])
    far.run("ip", "link", "set", "out1", "up", accept=[0])
    with far.socket(kind=socket.SOCK_DGRAM, bind=("192.0.2.9", 4742)) as collector:
        weft.weft("vpc", "set", "blue", "--flow-log-to", "udp:192.0.2.9:4742",
                  "--flow-log-domain", "77")
        for address in ("192.0.2.1", "192.0.2.2"):
            run("ip", "address", "flush", "dev", "out0", accept=[0])
            run("ip", "address", "add", f"{address}/24", "dev", "out0", accept=[0])
            check(lan.web1.reaches("10.0.1.12"), "ping")
            weft.weft("flow-log", "write")
            message, (source, _) = collector.recvfrom(2000)
            equal(source, address, "whom it comes from")
            sets = message_sets(message, 0)
            if 256 not in sets:  # the templates were sent ahead
                check(2 in sets, f"the first of {address}: {sets.keys()}")
                sets = message_sets(collector.recv(2000), 0)
            check(len(sets[256]) >= 4 * 63, f"records from {address}: {sets.keys()}")
    told = weft.json("flow-log", "list")["collectors"][0]
    equal((told["lost"], told.get("error")), (0, None), f"what is told: {told}")
    weft.weft("vpc", "set", "blue", "--flow-log-to", "file")
    run("ip", "link", "delete", "out0", accept=[0])
    far.delete()


@statement("IPFIX by UDP: a collector that comes later gets the templates again")
def ipfix_late_collector(weft, lan):
    weft.weft("vpc", "set", "blue", "--flow-log-to", "udp:127.0.0.1:4743",
              "--flow-log-domain", "77")
    check(lan.web1.reaches("10.0.1.12"), "ping")
    weft.weft("flow-log", "write")
    told = weft.json("flow-log", "list")["collectors"][0]
    check(told["records"] >= 4, f"sent to nobody: {told}")
    weft.weft("flow-log", "write")
    told = weft.json("flow-log", "list")["collectors"][0]
    check("refused" in told.get("error", ""), f"nobody listens: {told}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 4743))
        collector.settimeout(SECONDS)
        check(lan.web1.reaches("10.0.1.12"), "ping")
        weft.weft("flow-log", "write")
        sets = message_sets(collector.recv(2000), told["records"])
        check(2 in sets and 3 in sets, f"the first: {sets.keys()}")
        sets = message_sets(collector.recv(2000), told["records"])
        check(len(sets[256]) >= 4 * 63, f"the second: {sets.keys()}")
    weft.weft("vpc", "set", "blue", "--flow-log-to", "file")


def message_sets(message, counted):
    """What a message to the domain 77 holds, by number; so many records came before it."""
    version, size, _, sequence, domain = struct.unpack("!HHIII", message[:16])
    equal((version, size, domain), (10, len(message), 77), "header")
    equal(sequence, counted, "sequence")
    sets = {}
    offset = 16
    while offset < size:
        number, length = struct.unpack("!HH", message[offset:offset + 4])
        sets[number] = message[offset + 4:offset + length]
        offset += length
    return sets


@statement("IPFIX by TCP: templates once in a connection, and again when it is made anew")
def ipfix_tcp(weft, lan):
    with contextlib.closing(socket.create_server(("127.0.0.1", 4741))) as server:
        server.settimeout(SECONDS)
        weft.weft("vpc", "set", "blue", "--flow-log-to", "tcp:127.0.0.1:4741")
        for _ in range(2):
            collector, _ = server.accept()
            collector.settimeout(SECONDS)
            wait_for(lambda: weft.json("flow-log", "list")["collectors"][0]["connected"], "TCP")
            check(lan.web1.reaches("10.0.1.12"), "ping")
            weft.weft("flow-log", "write")
            message = collector.recv(8192)
            equal(struct.unpack("!HH", message[:4])[0], 10, "version")
            equal(struct.unpack("!I", message[8:12])[0], 0, "sequence")
            equal(struct.unpack("!H", message[16:18])[0], 2, "templates first")
            collector.close()
    weft.weft("vpc", "set", "blue", "--flow-log-to", "file")


@statement("written back as it was meant; wrong ones refused with a sentence")
def text(weft, lan):
    check("records: all" in weft.weft("export").stdout, "export")
    for wrong, sentence in (({"interval": 61}, "60 or 600"), ({"to": "udp:"}, "collector"),
                            ({"to": []}, "somewhere"), ({"records": "some"}, "accept"),
                            ({"to": "udp:10.0.0.300:1"}, "collector")):
        status, _, body = weft.http("PATCH", "/v1/vpcs/blue", {"flow_log": wrong})
        equal(status, 400, f"{wrong}: {body}")
        check(sentence in json.dumps(body), f"{wrong}: {body}")


main(Lan)
