#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the host serves to its ports (V44, V46): DNS, asked by dig.

      blue 10.0.0.0/16, fd00:b::/48              red 10.0.0.0/16
          web1 .1.11 ---+                            web1 .1.11 ---+
          web2 .1.12 ---+--- 10.0.0.2, 10.0.1.2      secret .1.66 -+--- the same, but other names
                             169.254.169.253, fd00:ec2::253
"""
import signal
import socket
import struct

from harness import Netns, check, equal, main, statement, wait_for

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
    done = netns.run("dig", "+time=3", "+tries=1", "+noall", "+comments", "+answer", f"@{server}",
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


def ask(world, message, size=512):
    """What is said to a message, or None within half a second."""
    made = world.blue2.socket(kind=socket.SOCK_DGRAM, timeout=0.5)
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
            (head.pack(7, 0x0100, 1, 0, 0, 1) + QUESTION + b"\x00\x00\x29\xff\xff\x00\x07\x00\x00\x00\x00",
             0)):
        answer = ask(world, message)
        if rcode is None:
            check(answer is None, f"{message!r} was answered")
            continue
        check(answer, f"{message!r} was not answered")
        equal(answer[3] & 15, rcode, f"rcode of {message!r}")
        equal(answer[:2], b"\x00\x07", "id")


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
    equal(dig(world.blue1, "10.0.0.2", "web1.blue.internal")[0], "NOERROR", "another port")
    made.close()


@statement("a daemon that starts again serves again")
def restarted(weft, world):
    weft.restart()
    equal(dig(world.blue1, "10.0.0.2", "web1.blue.internal")[0], "NOERROR", "after a restart")
    weft.restart(signal.SIGKILL)
    equal(dig(world.blue1, "10.0.0.2", "web1.blue.internal")[0], "NOERROR", "after a kill")


main(World)
