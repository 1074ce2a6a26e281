#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the host serves to its ports (V44, V46): DNS, asked by dig, and metadata, asked by curl.

      blue 10.0.0.0/16, fd00:b::/48              red 10.0.0.0/16
          web1 .1.11 ---+                            web1 .1.11 ---+
          web2 .1.12 ---+--- 10.0.0.2, 10.0.1.2      secret .1.66 -+--- the same, but other names
                             169.254.169.253, fd00:ec2::253
"""
import json
import select
import signal
import socket
import struct
import threading

from harness import SECONDS, Netns, check, equal, main, run, statement, wait_for
from packets import IPV4, SYN, TCP, ethernet, ipv4, tcp

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    subnets:
      web: {cidr: [10.0.1.0/24, "fd00:b:0:1::/64"], acl: nothing}
    acls:
      nothing: {}
    security_groups:
      closed: {ingress: [], egress: []}
    ports:
      web1: {subnet: web, addresses: [10.0.1.11, "fd00:b:0:1::11"], security_groups: [closed],
             attach: {netns: blue1}}
      web2: {subnet: web, addresses: [10.0.1.12, "fd00:b:0:1::12"], security_groups: [closed],
             attach: {netns: blue2}}
  red:
    cidrs: [10.0.0.0/16]
    dns: {domain: red.example}
    subnets:
      web: {cidr: 10.0.1.0/24}
    ports:
      web1: {subnet: web, address: 10.0.1.11, attach: {netns: red1}}
      secret: {subnet: web, address: 10.0.1.66, attach: {netns: red2}}
  off:
    cidrs: [10.3.0.0/16]
    dns: {serve: false}
    metadata: false
    subnets: {web: {cidr: 10.3.1.0/24}}
    ports: {a: {subnet: web, address: 10.3.1.11, attach: {netns: off1}}}
"""


class World:
    def __init__(self, weft):
        for name in ("blue1", "blue2", "red1", "red2", "off1"):
            setattr(self, name, Netns(name))
        weft.apply(INTENT)
        weft.plugged("blue/web1", "blue/web2", "red/web1", "red/secret", "off/a")


def dig(netns, server, *words):
    """The status and the records of the answer, as (name, type, data)."""
    done = netns.run("dig", "+time=5", "+tries=6", "+noall", "+comments", "+answer", f"@{server}",
                     *words)
    lines = done.stdout.splitlines()
    status = [line.split("status: ")[1].split(",")[0] for line in lines if "status: " in line]
    records = [line.split(None, 4) for line in lines if line and not line.startswith(";")]
    check(status, f"no answer of {server}: {done.stdout}")
    return status[0], [(record[0], record[3], record[4]) for record in records]


@statement("V46 the resolver answers at all its addresses, over UDP and TCP")
def all_addresses(_weft, world):
    for server in ("10.0.0.2", "10.0.1.2", "169.254.169.253", "fd00:ec2::253", "fd00:b:0:1::2",
                   "fd00:b::2"):
        for transport in ("+notcp", "+tcp"):
            equal(dig(world.blue1, server, transport, "web2.blue.internal"),
                  ("NOERROR", [("web2.blue.internal.", "A", "10.0.1.12")]), f"{server} {transport}")


@statement("V44 neither security groups nor ACLs block it (they block everything else)")
def not_blocked(weft, world):
    check(not world.blue1.ping("10.0.1.12"), "the rules let something through")
    equal(dig(world.blue1, "10.0.0.2", "web1.blue.internal")[0], "NOERROR", "status")


@statement("both families, the name with the subnet, and the reverse")
def names(_weft, world):
    equal(dig(world.blue1, "10.0.0.2", "web2.web.blue.internal", "AAAA"),
          ("NOERROR", [("web2.web.blue.internal.", "AAAA", "fd00:b:0:1::12")]), "AAAA")
    equal(dig(world.blue1, "10.0.0.2", "-x", "10.0.1.12")[1][0][2], "web2.blue.internal.", "PTR")
    equal(dig(world.blue1, "10.0.0.2", "-x", "fd00:b:0:1::12")[1][0][2], "web2.blue.internal.",
          "PTR of the IPv6 address")
    equal(dig(world.blue1, "10.0.0.2", "WEB2.Blue.internal")[1][0][2], "10.0.1.12", "other case")


@statement("what is not there: NXDOMAIN, an empty answer, or refused")
def not_there(_weft, world):
    equal(dig(world.blue1, "10.0.0.2", "nobody.blue.internal"), ("NXDOMAIN", []), "no such port")
    equal(dig(world.blue1, "10.0.0.2", "-x", "10.0.1.99"), ("NXDOMAIN", []), "nobody's address")
    equal(dig(world.red1, "10.0.0.2", "secret.red.example", "AAAA"), ("NOERROR", []), "no AAAA")
    equal(dig(world.blue1, "10.0.0.2", "www.example.com"), ("REFUSED", []), "the world's name")
    equal(dig(world.blue1, "10.0.0.2", "web1.blue.internal", "CH", "TXT")[0], "REFUSED", "class")


@statement("V17 two tenants with the same addresses have each their own names, and only those")
def tenants(_weft, world):
    equal(dig(world.red1, "10.0.0.2", "secret.red.example")[1][0][2], "10.0.1.66", "own name")
    equal(dig(world.red1, "10.0.0.2", "-x", "10.0.1.11")[1][0][2], "web1.red.example.", "own PTR")
    equal(dig(world.blue1, "10.0.0.2", "-x", "10.0.1.11")[1][0][2], "web1.blue.internal.",
          "the other's PTR")
    equal(dig(world.red1, "10.0.0.2", "web2.blue.internal"), ("REFUSED", []), "the other's name")
    equal(dig(world.red1, "10.0.0.2", "-x", "10.0.1.12"), ("NXDOMAIN", []), "the other's address")


@statement("a name follows the port: it comes, moves and goes with it")
def follows(weft, world):
    weft.weft("port", "add", "red/new", "--subnet", "web", "--address", "10.0.1.70")
    equal(dig(world.red1, "10.0.0.2", "new.red.example")[1][0][2], "10.0.1.70", "new")
    weft.weft("port", "set", "red/new", "--address", "10.0.1.71")
    equal(dig(world.red1, "10.0.0.2", "new.red.example")[1][0][2], "10.0.1.71", "changed")
    weft.weft("port", "remove", "red/new")
    equal(dig(world.red1, "10.0.0.2", "new.red.example")[0], "NXDOMAIN", "removed")
    weft.weft("vpc", "set", "red", "--dns-domain", "crimson.example")
    equal(dig(world.red1, "10.0.0.2", "secret.crimson.example")[0], "NOERROR", "another domain")
    weft.weft("vpc", "set", "red", "--dns-domain", "red.example")


@statement("a VPC without it has it not, and may have it at once")
def switched(weft, world):
    made = world.off1.socket(kind=socket.SOCK_DGRAM)
    with weft.dropped("unknown_neighbour"):
        made.sendto(b"question", ("10.3.1.2", 53))
    with weft.dropped("reserved_destination"):
        made.sendto(b"question", ("169.254.169.253", 53))
    made.close()
    weft.weft("vpc", "set", "off", "--dns", "on")
    equal(dig(world.off1, "10.3.1.2", "a.off.internal")[0], "NOERROR", "switched on")
    weft.weft("vpc", "set", "off", "--dns", "off")


def ask(world, message, seconds, size=512):
    """What is said to a message within these seconds, or None."""
    made = world.blue2.socket(kind=socket.SOCK_DGRAM, timeout=seconds)
    made.sendto(message, ("10.0.0.2", 53))
    try:
        return made.recv(size)
    except TimeoutError:
        return None
    finally:
        made.close()


QUESTION = b"\x04web1\x04blue\x08internal\x00\x00\x01\x00\x01"


@statement("malformed messages are answered with FORMERR or not at all, and counted")
def malformed(weft, world):
    head = struct.Struct("!HHHHHH")
    for message, rcode in (
            (b"", None), (b"\x00\x01", None), (head.pack(7, 0x8180, 1, 0, 0, 0) + QUESTION, None),
            (head.pack(7, 0x0100, 1, 0, 0, 0), 1), (head.pack(7, 0x0100, 2, 0, 0, 0) + QUESTION, 1),
            (head.pack(7, 0x0100, 1, 0, 0, 0) + b"\xc0\x0c\x00\x01\x00\x01", 1),
            (head.pack(7, 0x0100, 1, 0, 0, 0) + QUESTION[:-3], 1),
            (head.pack(7, 0x2900, 1, 0, 0, 0) + QUESTION, 4),
            (head.pack(7, 0x0100, 1, 0, 0, 1) + QUESTION +
             b"\x00\x00\x29\xff\xff\x00\x07\x00\x00\x00\x00", 0)):
        answer = ask(world, message, 0.5 if rcode is None else SECONDS)
        if rcode is None:
            check(answer is None, f"{message!r} was answered")
            continue
        check(answer, f"{message!r} was not answered")
        equal(answer[3] & 15, rcode, f"rcode of {message!r}")
        equal(answer[:2], b"\x00\x07", "id")


@statement("RFC 2308: what is not there comes with the SOA of its zone, and how long that holds")
def negative(_weft, world):
    for name, kind in (("nobody.blue.internal", "A"), ("web1.blue.internal", "MX")):
        said = world.blue1.run("dig", "+noall", "+authority", "@10.0.0.2", name, kind,
                               accept=[0]).stdout.split()
        equal((said[0], said[3]), ("blue.internal.", "SOA"), f"authority of {name}")
        equal(said[1], said[-1], "the SOA's TTL and its last number")


@statement("RFC 6891: an answer is as large as the client takes, and says when it is not whole")
def sizes(weft, world):
    many = [f"10.0.9.{number}" for number in range(1, 61)]
    weft.weft("vpc", "set", "red", *(word for one in many for word in
                                     ("--dns-record", f"many={one}")))
    for words, count in ((("+noedns", "+ignore"), 0), (("+bufsize=600", "+ignore"), 0),
                         (("+bufsize=1232",), 60), (("+noedns",), 60), (("+tcp",), 60)):
        done = world.red1.run("dig", "+noall", "+comments", "+answer", *words, "@10.0.0.2",
                              "many.red.example", accept=[0]).stdout
        records = [line for line in done.splitlines() if line and not line.startswith(";")]
        flags = done.split("flags: ", 1)[1].split(";", 1)[0].split()
        equal((len(records) if count else "tc" in flags), count or True, f"{words}: {flags}")
    weft.weft("vpc", "set", "red", "--dns-record", "many=")


@statement("RFC 7766: questions behind one another on one connection are answered, all of them")
def pipelined(_weft, world):
    count = 1400
    question = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + QUESTION
    made = world.blue2.socket(kind=socket.SOCK_STREAM, timeout=SECONDS)
    made.connect(("10.0.0.2", 53))
    made.sendall((struct.pack("!H", len(question)) + question) * count)
    with made, made.makefile("rb") as answers:
        for number in range(count):
            head = answers.read(2)
            equal(len(head), 2, f"bytes of the length of answer {number}")
            size = struct.unpack("!H", head)[0]
            answer = answers.read(size)
            equal((len(answer), answer[:2], answer[3] & 15), (size, b"\x00\x07", 0),
                  f"answer {number}")


# ---- records and forwarding ----------------------------------------------------------------------


@statement("records besides the ports' names; a name that is another's goes through them")
def records(weft, world):
    weft.weft("vpc", "set", "blue", "--dns-record", "db=10.0.2.20", "--dns-record", "db=fd00:b::5",
              "--dns-record", "www=cname:web1", "--dns-record", "info=txt:hello world",
              "--dns-record", "@=10.0.0.99", "--dns-record", "api.example.com.=10.9.9.9")
    equal(dig(world.blue1, "10.0.0.2", "db.blue.internal")[1],
          [("db.blue.internal.", "A", "10.0.2.20")], "A")
    equal(dig(world.blue1, "10.0.0.2", "db.blue.internal", "AAAA")[1],
          [("db.blue.internal.", "AAAA", "fd00:b::5")], "AAAA")
    equal(dig(world.blue1, "10.0.0.2", "www.blue.internal")[1],
          [("www.blue.internal.", "CNAME", "web1.blue.internal."),
           ("web1.blue.internal.", "A", "10.0.1.11")], "alias")
    _, answers = dig(world.blue1, "10.0.0.2", "info.blue.internal", "TXT")[:2]
    equal(answers[0][2], '"hello world"', "TXT")
    equal(dig(world.blue1, "10.0.0.2", "blue.internal")[1][0][2], "10.0.0.99", "the domain")
    equal(dig(world.blue1, "10.0.0.2", "api.example.com")[1][0][2], "10.9.9.9", "a whole name")
    equal(dig(world.red1, "10.0.0.2", "api.example.com")[0], "REFUSED", "the other tenant")
    weft.weft("vpc", "set", "blue", "--dns-record", "info=")
    equal(dig(world.blue1, "10.0.0.2", "info.blue.internal", "TXT")[0], "NXDOMAIN", "taken away")
    exported = weft.weft("export").stdout
    equal(weft.apply(exported).stdout.strip(), "nothing to change", "apply of the export")


@statement("RFC 2308, 8020: an alias to nobody is NXDOMAIN, and what has names below it is there")
def aliases(weft, world):
    weft.weft("vpc", "set", "blue", "--dns-record", "old=cname:nobody",
              "--dns-record", "older=cname:old",
              "--dns-record", "_http._tcp.eu=txt:hello", "--dns-record", "v4=10.0.9.9",
              "--dns-record", "four=cname:v4", "--dns-record", "old.example.com.=cname:nobody")
    for name, kind, status, count, zones in (
            ("old.blue.internal", "A", "NXDOMAIN", 1, 1),
            ("v4.blue.internal", "A", "NOERROR", 1, 0),
            ("old.blue.internal", "CNAME", "NOERROR", 1, 0),
            ("old.blue.internal", "ANY", "NOERROR", 1, 0),
            ("older.blue.internal", "A", "NXDOMAIN", 2, 1),
            ("four.blue.internal", "AAAA", "NOERROR", 1, 1),
            ("four.blue.internal", "A", "NOERROR", 2, 0),
            ("eu.blue.internal", "A", "NOERROR", 0, 1),
            ("_tcp.eu.blue.internal", "TXT", "NOERROR", 0, 1),
            ("tcp.eu.blue.internal", "TXT", "NXDOMAIN", 0, 1),
            ("u.blue.internal", "A", "NXDOMAIN", 0, 1),
            ("old.example.com", "A", "NXDOMAIN", 1, 0)):
        said = world.blue1.run("dig", "+noall", "+comments", "+answer", "+authority", "@10.0.0.2",
                               name, kind, accept=[0]).stdout
        found = [line.split() for line in said.splitlines() if line and not line.startswith(";")]
        equal((said.split("status: ")[1].split(",")[0],
               len([record for record in found if record[3] != "SOA"]),
               [record[0] for record in found if record[3] == "SOA"]),
              (status, count, ["blue.internal."] * zones), f"{name} {kind}")
    names = ("old", "older", "_http._tcp.eu", "v4", "four", "old.example.com.")
    weft.weft("vpc", "set", "blue", *(word for name in names
                                      for word in ("--dns-record", f"{name}=")))


class Upstream(threading.Thread):
    """A resolver of the host: 192.0.2.77 for every name, over UDP in more bytes than fit for big.*;
    lies with another id before it answers lie.*, and says nothing to silent.*."""

    def __init__(self, address="127.0.0.77"):
        super().__init__(daemon=True)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, 53))
        self.tcp.listen()
        self.ports, self.ids = set(), set()
        self.start()

    @staticmethod
    def answer(question, count=1, last=77):
        end = question.index(b"\0", 12) + 5
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([192, 0, 2, last])
        return question[:2] + struct.pack("!HHHHH", 0x8180, 1, count, 0, 0) + question[12:end] + \
            record * count

    def run(self):
        while True:
            ready, _, _ = select.select([self.udp, self.tcp], [], [])
            if self.udp in ready:
                question, client = self.udp.recvfrom(4096)
                self.ports.add(client[1])
                self.ids.add(question[:2])
                name = question[13:13 + question[12]].lower()
                if name == b"silent":
                    continue
                if name == b"lie":
                    wrong = bytes([question[0] ^ 1]) + question[1:]
                    self.udp.sendto(self.answer(wrong, last=66), client)
                self.udp.sendto(self.answer(question, 90 if name == b"big" else 1), client)
            if self.tcp in ready:
                made, _ = self.tcp.accept()
                question = made.recv(4096)[2:]
                answer = self.answer(question, 90)
                for at in range(0, len(answer), 500):
                    made.sendall((struct.pack("!H", len(answer)) if at == 0 else b"") +
                                 answer[at:at + 500])
                made.close()


@statement("other names are asked of whom the VPC says: each with an id and a port of its own")
def forwarded(weft, world):
    upstream = Upstream()
    weft.weft("vpc", "set", "blue", "--dns-forward", "127.0.0.77")
    for name in ("www.example.com", "lie.example.com"):
        equal(dig(world.blue1, "10.0.0.2", name)[1], [(f"{name}.", "A", "192.0.2.77")], name)
    for number in range(8):
        equal(dig(world.blue1, "10.0.0.2", f"n{number}.example.com")[0], "NOERROR", "status")
    check(len(upstream.ports) >= 8 and len(upstream.ids) >= 8, "ports or ids are used again")
    equal(dig(world.red1, "10.0.0.2", "www.example.com")[0], "REFUSED", "the other tenant")
    equal(dig(world.blue1, "10.0.0.2", "nobody.blue.internal")[0], "NXDOMAIN", "own names are not")
    equal(dig(world.blue1, "10.0.0.2", "-x", "10.0.1.99")[0], "NXDOMAIN", "nor own addresses")


@statement("an answer that does not fit is asked again over TCP, and comes whole")
def truncated(_weft, world):
    equal(len(dig(world.blue1, "10.0.0.2", "big.example.com")[1]), 90, "records")
    equal(dig(world.blue1, "10.0.0.2", "+ignore", "big.example.com")[1], [], "records over UDP")


def late(weft):
    """Questions that nobody has answered in time."""
    text = weft.http("GET", "/metrics", raw=True)[2].decode()
    return int(text.split("\nweft_dns_forward_late_total ")[1].split()[0])


@statement("a resolver that says nothing: SERVFAIL")
def silent(weft, world):
    before = late(weft)
    equal(dig(world.blue1, "10.0.0.2", "+time=8", "silent.example.com")[0], "SERVFAIL", "status")
    check(late(weft) > before, "it is not counted")
    weft.weft("vpc", "set", "blue", "--dns-forward", "off")
    equal(dig(world.blue1, "10.0.0.2", "www.example.com")[0], "REFUSED", "switched off")


class Refusing(Upstream):
    """A resolver that tells nobody anything."""

    @staticmethod
    def answer(question, count=1, last=77):
        end = question.index(b"\0", 12) + 5
        return question[:2] + struct.pack("!HHHHH", 0x8185, 1, 0, 0, 0) + question[12:end]


@statement("where a resolver is not there, or refuses, the next one is asked, up to the last")
def next_resolver(weft, world):
    Refusing("127.0.0.76")
    away = [f"127.0.0.{last}" for last in range(70, 76)]
    weft.weft("vpc", "set", "blue", *(word for one in (*away, "127.0.0.76", "127.0.0.77")
                                      for word in ("--dns-forward", one)))
    for transport, count in (("+notcp", 1), ("+tcp", 90)):
        status, records = dig(world.blue1, "10.0.0.2", transport, f"{transport[1:]}.example.com")
        equal((status, len(records)), ("NOERROR", count), transport)
    weft.weft("vpc", "set", "blue", "--dns-forward", "127.0.0.76")
    equal(dig(world.blue1, "10.0.0.2", "refused.example.com"), ("REFUSED", []), "by all of them")
    weft.weft("vpc", "set", "blue", "--dns-forward", "off")


# ---- metadata ------------------------------------------------------------------------------------


def curl(netns, path, *words, host="169.254.169.254"):
    """Status and body."""
    done = netns.run("curl", "-sS", "-m", "30", "-w", "\n%{http_code}", *words,
                     f"http://{host}{path}", accept=[0])
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@statement("each port finds itself at 169.254.169.254 and fd00:ec2::254, in EC2's layout and as "
           "JSON")
def metadata(weft, world):
    for netns, name, mac in ((world.blue1, "web1.blue.internal", world.blue1.mac()),
                             (world.red1, "web1.red.example", world.red1.mac())):
        equal(curl(netns, "/latest/meta-data/hostname"), (200, name), "hostname")
        equal(curl(netns, "/2021-03-23/meta-data/local-ipv4"), (200, "10.0.1.11"), "local-ipv4")
        equal(curl(netns, "/latest/meta-data/network/interfaces/macs/"), (200, f"{mac}/"), "macs")
        path = f"/latest/meta-data/network/interfaces/macs/{mac}/subnet-ipv4-cidr-block"
        equal(curl(netns, path), (200, "10.0.1.0/24"), "subnet")
    equal(curl(world.blue1, "/latest/meta-data/ipv6", host="[fd00:ec2::254]"),
          (200, "fd00:b:0:1::11"), "over IPv6")
    document = json.loads(curl(world.blue1, "/weft/v1/port")[1])
    equal((document["vpc"], document["name"], document["addresses"], document["security_groups"]),
          ("blue", "web1", ["10.0.1.11", "fd00:b:0:1::11"], ["closed"]), "the document")
    equal(curl(world.blue1, "/latest/meta-data/nothing")[0], 404, "no such path")
    equal(curl(world.blue1, "/latest/meta-data/../../etc/passwd", "--path-as-is")[0], 404,
          "no file")
    equal(curl(world.blue1, "/latest/", "-X", "POST", "-d", "x=1")[0], 405, "POST")


@statement("user data is the port's own")
def user_data(weft, world):
    text = "#!/bin/sh\necho hello äöü\n" + "x" * 9000
    with open("/run/user-data", "w", encoding="utf-8") as file:
        file.write(text)
    weft.weft("port", "set", "blue/web1", "--user-data", "/run/user-data")
    equal(curl(world.blue1, "/latest/user-data"), (200, text), "user data")
    equal(curl(world.blue2, "/latest/user-data")[0], 404, "user data of the neighbour")
    equal(curl(world.red1, "/latest/user-data")[0], 404, "user data of the other tenant")
    weft.weft("port", "set", "blue/web1", "--user-data", "")
    equal(curl(world.blue1, "/latest/user-data")[0], 404, "taken away")


@statement("a session token holds for the port that got it")
def token(_weft, world):
    status, made = curl(world.blue1, "/latest/api/token", "-X", "PUT", "-H",
                        "X-aws-ec2-metadata-token-ttl-seconds: 60")
    equal(status, 200, "status")
    header = ("-H", f"X-aws-ec2-metadata-token: {made}")
    equal(curl(world.blue1, "/latest/meta-data/hostname", *header)[0], 200, "its own")
    equal(curl(world.blue2, "/latest/meta-data/hostname", *header)[0], 401, "another's")
    equal(curl(world.blue1, "/latest/api/token", "-X", "PUT")[0], 400, "no time to live")
    equal(curl(world.blue1, "/latest/api/token", "-X", "PUT", "-H", "X-Forwarded-For: 10.0.1.12",
               "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60")[0], 403, "a proxy")


@statement("RFC 9110, 9112: a wrong method is told the right ones; a target may be a URL")
def methods(_weft, world):
    for method, path, allowed in (("POST", "/latest/meta-data/mac", "GET, HEAD"),
                                  ("DELETE", "/", "GET, HEAD"),
                                  ("GET", "/latest/api/token", "PUT")):
        status, head = curl(world.blue1, path, "-i", "-X", method)
        equal((status, f"\nAllow: {allowed}\n" in head.replace("\r", "")), (405, True),
              f"{method} {path}: {head}")
    root = curl(world.blue1, "/")[1]
    for target, wanted in (("http://169.254.169.254/latest/meta-data/local-ipv4", "10.0.1.11"),
                           ("HTTP://169.254.169.254", root)):
        equal(curl(world.blue1, "/", "--request-target", target), (200, wanted), target)
    equal(curl(world.blue1, "/", "--request-target", "http:/latest")[0], 404, "half a URL")


@statement("V7 nobody asks for metadata in another port's name")
def forged(weft, world):
    wire = world.blue2.wire()
    gateway = world.blue2.run("ip", "neigh", "show", "10.0.1.1").stdout.split("lladdr ")[1].split()
    for source in ("10.0.1.11", "169.254.169.254"):
        with weft.dropped("spoofed_address"):
            segment = tcp(source, "169.254.169.254", 40000, 80, SYN)
            wire.send(ethernet(gateway[0], wire.mac, IPV4,
                               ipv4(source, "169.254.169.254", TCP, segment)))
    wire.close()


@statement("one port cannot take all connections")
def connections(_weft, world):
    made = [world.blue2.socket() for _ in range(40)]
    for one in made:
        one.connect(("169.254.169.254", 80))
    equal(curl(world.blue1, "/latest/meta-data/hostname")[0], 200, "status for another port")
    for one in made:
        one.close()
    wait_for(lambda: world.blue2.run("curl", "-s", "-m", "2", "http://169.254.169.254/",
                                     "-o", "/dev/null").returncode == 0, "its own again")


@statement("V46 more than 1,024 packets a second are dropped and counted, others' are not")
def limited(weft, world):
    before = weft.counter("service_limit")
    made = world.blue2.socket(kind=socket.SOCK_DGRAM)
    message = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + QUESTION

    def flood():
        for _ in range(500):
            made.sendto(message, ("10.0.0.2", 53))
        return weft.counter("service_limit") > before

    wait_for(flood, "a drop")
    metrics = weft.http("GET", "/metrics", raw=True)[2].decode()
    excess = [line.split()[1] for line in metrics.splitlines()
              if line.startswith('weft_port_service_excess_total{port="blue/web2"}')]
    check(excess and int(excess[0]) > 0, f"excess of the port: {excess}")
    equal(dig(world.blue1, "10.0.0.2", "web1.blue.internal")[0], "NOERROR", "another port")
    made.close()


def device():
    """The end of the services' wire on the host."""
    for link in json.loads(run("ip", "-j", "link", accept=[0]).stdout):
        if link["ifname"].endswith("services"):
            return link["ifname"]
    return None


@statement("a device that somebody took away is made again")
def device_gone(weft, world):
    run("ip", "link", "delete", "dev", device(), accept=[0])
    wait_for(device, "the device")
    equal(dig(world.blue1, "10.0.0.2", "web1.blue.internal")[0], "NOERROR", "answered again")


@statement("what is asked while weftd is away is dropped with a verdict of its own")
def away(weft, world):
    before = weft.counter("service_down")
    weft.end(signal.SIGKILL)
    wait_for(lambda: not device(), "the device goes with who had made it")
    with world.blue1.socket(kind=socket.SOCK_DGRAM) as client:
        for _ in range(3):
            client.sendto(bytes(12), ("10.0.0.2", 53))
    weft.start()
    wait_for(lambda: weft.counter("service_down") >= before + 3, "drops while nobody was there")


@statement("a daemon that starts again serves again")
def restarted(weft, world):
    weft.restart()
    equal(dig(world.blue1, "10.0.0.2", "web1.blue.internal")[0], "NOERROR", "after a restart")
    weft.restart(signal.SIGKILL)
    equal(dig(world.blue1, "10.0.0.2", "web1.blue.internal")[0], "NOERROR", "after a kill")


main(World)
