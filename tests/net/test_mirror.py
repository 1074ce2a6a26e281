#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Mirrors: copies of a port's or a subnet's packets for another port, by a filter; what happens
when it goes.

      subnet web 10.0.1.0/24:   web1 .11 (mirrored)   web2 .12   tap1 .13   tap2 .14
      subnet app 10.0.2.0/24:   app1 .11
"""
import contextlib

from harness import Workloads, check, equal, knock, listen, main, statement, tcp_works

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      web: {cidr: 10.0.1.0/24}
      app: {cidr: 10.0.2.0/24}
    security_groups:
      web:
        ingress: [{protocol: tcp, ports: 80, from: 0.0.0.0/0}, {protocol: icmp, from: 0.0.0.0/0}]
      shut: {}
    ports:
      web1: {subnet: web, address: 10.0.1.11, security_groups: [web], attach: {netns: web1}}
      web2: {subnet: web, address: 10.0.1.12, security_groups: [web], attach: {netns: web2}}
      tap1: {subnet: web, address: 10.0.1.13, security_groups: [shut], attach: {netns: tap1}}
      tap2: {subnet: web, address: 10.0.1.14, security_groups: [shut], attach: {netns: tap2}}
      app1: {subnet: app, address: 10.0.2.11, security_groups: [web], attach: {netns: app1}}
"""


def workloads(weft):
    return Workloads(weft, INTENT, "web1", "web2", "tap1", "tap2", "app1")


def mirror(weft, port, **values):
    """A patch merges: what was said before is taken away first."""
    for value in [None, values] if values else [None]:
        status, _, body = weft.http("PATCH", f"/v1/vpcs/blue/ports/{port}", {"mirror": value})
        equal(status, 200, f"mirror {values}: {body}")


def between(one, other):
    return lambda packet: {packet.source, packet.destination} == {one, other}


@statement("both directions are copied, of connections that were there, too")
def both(weft, lan):
    check(lan.web1.reaches("10.0.1.12"), "before")
    wire = lan.tap1.wire()
    mirror(weft, "web1", to="tap1")
    check(lan.web1.reaches("10.0.1.12", 3), "ping while it is mirrored")
    found = [wire.expect(between("10.0.1.11", "10.0.1.12"), f"copy {i}") for i in range(6)]
    equal(sorted(packet.source for packet in found),
          ["10.0.1.11"] * 3 + ["10.0.1.12"] * 3, "copies")
    equal(wire.arrived(between("10.0.1.11", "10.0.1.12")), [], "more copies than packets")
    wire.close()


@statement("what the port sends and the rules drop is copied; the sensor can still not be reached")
def dropped(weft, lan):
    wire = lan.tap1.wire()
    with weft.dropped("group_ingress"), knock(lan.web1, "10.0.1.12", 81):
        wire.expect(lambda packet: packet.destination_port == 81, "the copy of what is dropped")
    with weft.dropped("group_ingress"):
        lan.web2.silent_ping("10.0.1.13")
    wire.close()


@statement("the filter chooses")
def chosen(weft, lan):
    wire = lan.tap1.wire()
    mirror(weft, "web1", to="tap1", protocol="tcp", ports="80", direction="to")
    check(lan.web1.reaches("10.0.1.12"), "ping")
    with contextlib.closing(listen(lan.web1, 80)):
        check(tcp_works(lan.web1, lan.web2, "10.0.1.12", 80), "tcp 80")
    wire.expect(lambda packet: packet.source == "10.0.1.12" and packet.source_port == 80,
                "the reply")
    equal(wire.arrived(lambda packet: packet.source == "10.0.1.11" or packet.protocol == 1), [],
          "what was not chosen")
    wire.close()


@statement("no copies of copies: two ports that mirror to one another")
def no_loop(weft, lan):
    mirror(weft, "web1", to="tap1")
    mirror(weft, "tap1", to="web1")
    wire = lan.tap1.wire()
    check(lan.web1.reaches("10.0.1.12"), "ping")
    wire.expect(between("10.0.1.11", "10.0.1.12"), "the request")
    wire.expect(between("10.0.1.11", "10.0.1.12"), "the reply")
    check(lan.web1.reaches("10.0.1.12"), "ping again")
    for i in range(2):
        wire.expect(between("10.0.1.11", "10.0.1.12"), f"copy {i} of the second")
    equal(wire.arrived(between("10.0.1.11", "10.0.1.12")), [], "copies of copies")
    mirror(weft, "tap1")
    wire.close()


@statement("a sensor that goes takes no traffic with it, and one of its name gets copies again")
def gone(weft, lan):
    mirror(weft, "web1", to="tap2")
    weft.weft("port", "remove", "blue/tap2")
    check(lan.web1.reaches("10.0.1.12"), "ping without the sensor")
    told = weft.port("blue/web1")["status"]["mirror"]
    equal((told["to"], told["reason"]), (None, 'there is no port "tap2"'), "what is told of it")
    weft.weft("port", "add", "blue/tap2", "--subnet", "web", "--netns", "tap2", "--group", "shut")
    weft.plugged("blue/tap2")
    told = weft.port("blue/web1")["status"]["mirror"]
    check(told["to"] == "port blue/tap2" and "reason" not in told, f"told of it again: {told}")
    wire = lan.tap2.wire()
    check(lan.web1.reaches("10.0.1.12"), "ping")
    wire.expect(between("10.0.1.11", "10.0.1.12"), "the copy")
    wire.close()


def mirror_subnet(weft, **values):
    for value in [None, values] if values else [None]:
        status, _, body = weft.http("PATCH", "/v1/vpcs/blue/subnets/web", {"mirror": value})
        equal(status, 200, f"mirror of the subnet {values}: {body}")


@statement("an end that is a security group: its ports; removed and made again, it counts again")
def group(weft, lan):
    weft.weft("group", "add", "blue/peers")
    weft.weft("port", "set", "blue/web1", "--mirror-to", "tap1", "--mirror-direction", "from",
              "--mirror-protocol", "icmp", "--mirror-peer", "group:peers")
    check("peer: group:peers" in weft.weft("export").stdout, "the group in the export")
    weft.weft("group", "remove", "blue/peers")
    weft.weft("group", "add", "blue/peers")
    wire = lan.tap1.wire()
    weft.weft("port", "set", "blue/app1", "--group", "web", "--group", "peers")
    check(lan.web1.reaches("10.0.1.12"), "ping of who is not in the group")
    check(lan.web1.reaches("10.0.2.11"), "ping of who is")
    wire.expect(between("10.0.1.11", "10.0.2.11"), "the copy")
    equal(wire.arrived(lambda packet: packet.protocol == 1 and "10.0.1.12" in
                       (packet.source, packet.destination)), [], "copies of another's packets")
    wire.close()
    weft.weft("port", "set", "blue/app1", "--group", "web")
    mirror(weft, "web1")
    weft.weft("group", "remove", "blue/peers")


@statement("a subnet: one copy of what goes from port to port, one of what comes in or goes out")
def subnet(weft, lan):
    mirror(weft, "web1")
    mirror_subnet(weft, to="tap1", protocol="icmp")
    wire = lan.tap1.wire()
    check(lan.web1.reaches("10.0.1.12"), "within the subnet")
    found = [wire.expect(between("10.0.1.11", "10.0.1.12"), f"copy {i}") for i in range(2)]
    equal(sorted(packet.source for packet in found), ["10.0.1.11", "10.0.1.12"], "copies")
    check(lan.app1.reaches("10.0.1.12"), "into the subnet")
    for i in range(2):
        wire.expect(between("10.0.2.11", "10.0.1.12"), f"copy {i} of what came from outside")
    with weft.dropped("group_ingress"):
        lan.web1.silent_ping("10.0.1.13")
    wire.expect(between("10.0.1.11", "10.0.1.13"), "what the sensor itself was asked")
    equal(wire.arrived(lambda packet: packet.source in ("10.0.1.11", "10.0.1.12", "10.0.2.11")),
          [], "more copies than packets")
    wire.close()


@statement("a port's own mirror goes before its subnet's; without either there are no copies")
def own(weft, lan):
    mirror(weft, "web2", to="tap2", direction="to", protocol="icmp")
    one, other = lan.tap1.wire(), lan.tap2.wire()
    check(lan.web1.reaches("10.0.1.12"), "ping")
    other.expect(between("10.0.1.11", "10.0.1.12"), "the request, by the port's own")
    for i in range(2):
        one.expect(between("10.0.1.11", "10.0.1.12"), f"copy {i} by web1's")
    mirror(weft, "web2")
    mirror_subnet(weft)
    for wire in (one, other):
        wire.drain()
        wire.socket.setblocking(True)
    check(lan.web1.reaches("10.0.1.12"), "ping")
    for wire in (one, other):
        equal(wire.arrived(between("10.0.1.11", "10.0.1.12")), [], "copies of nobody's mirror")
        wire.close()


@statement("one packet in so many")
def sampled(weft, lan):
    mirror(weft, "web1", to="tap1", protocol="icmp", direction="from", sample=5)
    wire = lan.tap1.wire()
    check(lan.web1.reaches("10.0.1.12", 20, "-i", "0.01"), "20 pings")
    for i in range(4):
        wire.expect(between("10.0.1.11", "10.0.1.12"), f"copy {i}")
    # One more if something else of web1's was counted before the pings.
    check(len(wire.arrived(between("10.0.1.11", "10.0.1.12"))) <= 1, "more than one in five")
    mirror(weft, "web1")
    wire.close()


@statement("a copy that is cut; the packet is whole, and what became of the copies is told")
def cut(weft, lan):
    mirror(weft, "web1", to="tap1", protocol="icmp", direction="from", truncate=100)
    wire = lan.tap1.wire()
    check(lan.web1.reaches("10.0.1.12", 3, "-s", "1000"), "pings of 1000 bytes")
    for i in range(3):
        copy = wire.expect(between("10.0.1.11", "10.0.1.12"), f"copy {i}")
        equal(len(copy.frame), 100, "bytes of a copy")
    wire.close()
    found = weft.json("port", "show", "blue/web1")["status"]["mirror"]
    check(found["to"] == "port blue/tap1" and found["cut_packets"] >= 3 and
          found["lost_packets"] == 0, f"what is told: {found}")
    status, _, body = weft.http("PATCH", "/v1/vpcs/blue/ports/web1", {"mirror": {"truncate": 63}})
    check(status == 400 and "64" in body["error"]["message"], f"63 bytes: {status} {body}")
    mirror(weft, "web1")


@statement("written back as it was meant; kept over a restart; wrong ones refused")
def text(weft, lan):
    mirror(weft, "web1")
    weft.weft("port", "set", "blue/web1", "--mirror-to", "tap1", "--mirror-protocol", "icmp",
              "--mirror-type", "8", "--mirror-code", "0", "--mirror-peer", "10.0.0.0/8")
    before = weft.weft("export").stdout
    for word in ("to: tap1", "protocol: icmp", "type: 8", "code: 0", "peer: 10.0.0.0/8"):
        check(word in before, f"{word} in the export: {before}")
    weft.apply(before)
    equal(weft.weft("export").stdout, before, "the export, applied")
    weft.restart()
    wire = lan.tap1.wire()
    check(lan.web1.reaches("10.0.1.12"), "ping after a restart")
    wire.expect(between("10.0.1.11", "10.0.1.12"), "the copy after a restart")
    check(lan.web1.reaches("10.0.1.12"), "another ping")
    equal(wire.arrived(lambda packet: packet.kind == 0 and packet.protocol == 1), [],
          "copies of another type of ICMP")
    wire.close()
    for wrong, word in (({"to": "web1"}, "itself"), ({"to": "none"}, "none"),
                        ({"to": "tunnel:none"}, "none"),
                        ({"to": "tap1", "protocol": "x"}, "protocol"),
                        ({"to": "tap1", "direction": "up"}, "direction"),
                        ({"to": "tap1", "protocol": "icmp", "ports": "1"}, "ports"),
                        ({"to": "tap1", "protocol": "tcp", "type": 8}, "type"),
                        ({"to": "tap1", "protocol": "icmp", "type": 256}, "type"),
                        ({"to": "tap1", "protocol": "icmp", "code": 0}, "code")):
        status, _, body = weft.http("PATCH", "/v1/vpcs/blue/ports/web1",
                                    {"mirror": None})
        equal(status, 200, f"no mirror: {body}")
        status, _, body = weft.http("PATCH", "/v1/vpcs/blue/ports/web1", {"mirror": wrong})
        check(status in (400, 404, 409) and word in body["error"]["message"],
              f"{wrong}: {status} {body}")


@statement("on the command line an empty text takes a word of it away, or all of it")
def unsaid(weft, _lan):
    mirror(weft, "web1")
    for words, left in (
            (("--mirror-to", "tap1", "--mirror-protocol", "icmp", "--mirror-type", "8",
              "--mirror-code", "0", "--mirror-sample", "5"),
             {"protocol": "icmp", "type": 8, "code": 0, "sample": 5}),
            (("--mirror-protocol", "tcp", "--mirror-type", "", "--mirror-code", "",
              "--mirror-sample", "", "--mirror-ports", "80"), {"protocol": "tcp", "ports": "80"}),
            (("--mirror-protocol", "", "--mirror-ports", ""), {})):
        weft.weft("port", "set", "blue/web1", *words)
        equal(weft.port("blue/web1")["mirror"], {"to": "tap1"} | left, f"after {words}")
    weft.weft("port", "set", "blue/web1", "--mirror-to", "")
    check(not weft.port("blue/web1").get("mirror"), "the mirror is gone")
    mirror_subnet(weft, to="tap1")
    weft.weft("subnet", "set", "blue/web", "--mirror-to", "")
    check(not weft.json("subnet", "show", "blue/web").get("mirror"), "that of the subnet, too")


main(workloads)
