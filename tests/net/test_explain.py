#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every drop says why, and the trace says the same as the kernel does.

      subnet web 10.0.1.0/24: web1 .11, web2 .12, away .13 (no namespace)
      subnet db  10.0.2.0/24: db1 .11

For each way a packet can end, the packet is sent for real and asked of `weft trace`: the reason
that the kernel counts, the drop event and the trace must be one and the same.
"""
import json
import subprocess

from harness import (SOCKET, WEFT, Lines, Netns, UnixConnection, check, equal, main, statement,
                     wait_for)
from packets import (ARP, BROADCAST, ICMP, IPV4, IPV6, SYN, TCP, UDP, arp, arp_request, ethernet,
                     icmp_echo, ipv4, ipv6, tcp, udp)

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      web: {cidr: 10.0.1.0/24}
      db: {cidr: 10.0.2.0/24, acl: edge}
    route_tables:
      main: {routes: [{to: 172.16.0.0/16, via: blackhole}]}
    acls:
      edge:
        ingress:
          - {number: 10, action: deny, protocol: tcp, ports: 23, from: 0.0.0.0/0}
          - {number: 20, action: allow, protocol: all, from: 0.0.0.0/0}
        egress: [{number: 20, action: allow, protocol: all, to: 0.0.0.0/0}]
    security_groups:
      web:
        ingress: [{protocol: tcp, ports: 80, from: 10.0.0.0/16}, {protocol: icmp, from: 0.0.0.0/0}]
        egress: [{protocol: tcp, to: 0.0.0.0/0}, {protocol: icmp, to: 0.0.0.0/0},
                 {protocol: udp, ports: 53, to: 0.0.0.0/0}]
    ports:
      web1: {subnet: web, address: 10.0.1.11, security_groups: [web], attach: {netns: web1}}
      web2: {subnet: web, address: 10.0.1.12, security_groups: [web], attach: {netns: web2}}
      away: {subnet: web, address: 10.0.1.13, security_groups: [web], attach: {netns: nowhere}}
      db1:  {subnet: db, address: 10.0.2.11, security_groups: [web], attach: {netns: db1}}
"""


class Explain:
    """Workloads, a wire, the gateway's MAC."""

    def __init__(self, weft):
        for name in ("web1", "web2", "db1"):
            setattr(self, name, Netns(name))
        weft.apply(INTENT)
        weft.plugged("blue/web1", "blue/web2", "blue/db1")
        self.wire = self.web1.wire()
        self.mac, self.mac2 = self.wire.mac, self.web2.mac()
        self.wire.send(arp_request(self.mac, "10.0.1.11", "10.0.1.1"))
        self.gateway = self.wire.expect(lambda packet: packet.ethertype == ARP and
                                        packet.sender == "10.0.1.1", "gateway").sender_mac

    def frames(self):
        """Reason and frame of every way to be dropped that one frame can show."""
        me, two = "10.0.1.11", "10.0.1.12"

        def packet(destination, transport, protocol, mac=None, source=me, source_mac=None):
            return ethernet(mac or self.gateway, source_mac or self.mac, IPV4,
                            ipv4(source, destination, protocol, transport))

        def syn(destination, port, flags=SYN):
            return tcp(me, destination, 41000, port, flags)
        return {
            "truncated": ethernet(self.mac2, self.mac, IPV4, b"\x45\0\0\x40" + bytes(20)),
            "bad_header": ethernet(self.mac2, self.mac, IPV4, b"\x41" + bytes(40)),
            "not_ip": ethernet(self.mac2, self.mac, 0x88B5, bytes(46)),
            "tagged": ethernet(self.mac2, self.mac, 0x8100, b"\0\x64\x08\0" + ipv4(
                me, two, ICMP, icmp_echo())),
            "spoofed_mac": packet(two, icmp_echo(), ICMP, self.mac2,
                                  source_mac="02:00:00:00:00:09"),
            "spoofed_address": packet(two, icmp_echo(), ICMP, self.mac2, source="10.0.1.99"),
            "spoofed_arp": ethernet(BROADCAST, self.mac, ARP, arp(
                1, self.mac, "10.0.1.99", "00:00:00:00:00:00", two)),
            "unknown_neighbour": arp_request(self.mac, me, "10.0.1.99"),
            "unknown_mac": packet(two, icmp_echo(), ICMP, "02:00:00:00:00:98"),
            "broadcast": packet("255.255.255.255", udp(me, "255.255.255.255", 1, 53), UDP,
                                BROADCAST),
            "multicast": packet("224.0.0.251", udp(me, "224.0.0.251", 1, 53), UDP,
                                "01:00:5e:00:00:fb"),
            "no_route": packet("192.0.2.1", icmp_echo(), ICMP),
            "blackhole": packet("172.16.0.1", icmp_echo(), ICMP),
            "no_endpoint": packet("10.0.2.77", icmp_echo(), ICMP),
            "not_own_gateway": packet("10.0.2.1", icmp_echo(), ICMP),
            "gateway_only_ping": packet("10.0.1.1", udp(me, "10.0.1.1", 1, 53), UDP),
            "port_down": packet("10.0.1.13", icmp_echo(), ICMP),
            "group_egress": packet(two, udp(me, two, 1, 54), UDP, self.mac2),
            "group_ingress": packet(two, syn(two, 81), TCP, self.mac2),
            "acl_ingress": packet("10.0.2.11", syn("10.0.2.11", 23), TCP),
            "no_connection": packet(two, syn(two, 80, 16), TCP, self.mac2),
            "bad_tcp_flags": packet(two, syn(two, 80, 6), TCP, self.mac2),
            "spoofed_address ": ethernet(self.mac2, self.mac, IPV6, ipv6(
                "2001:db8::1", "2001:db8::2", UDP, udp("2001:db8::1", "2001:db8::2", 1, 53))),
        }


@statement("for every reason: kernel counter, drop event and trace agree")
def agree(weft, explain):
    wrong = []
    for name, frame in explain.frames().items():
        reason = name.strip()
        trace = weft.trace("blue/web1", "--hex", frame.hex())
        if trace["reason"] != reason:
            wrong.append(f"{reason}: trace says {trace['reason']} ({trace['sentence']})")
        before = weft.counter(reason)
        explain.wire.send(frame)
        try:
            wait_for(lambda: weft.counter(reason) > before, reason)
        except Exception:  # pylint: disable=broad-except
            wrong.append(f"{reason}: the kernel did not count it; last {weft.last_drops(1)}")
            continue

        def event():
            drops = weft.get("/v1/drops?port=blue/web1")["drops"]
            return next((drop for drop in reversed(drops) if drop["reason"] == reason), None)
        drop = wait_for(event, f"drop event for {reason}")
        if (drop["object"], drop["sentence"]) != (trace["object"], trace["sentence"]):
            wrong.append(f"{reason}: event names {drop['object']}, trace {trace['object']}")
    equal(wrong, [], "reasons that do not agree")


@statement("for every packet that passes: the trace says delivered, to the port that got it")
def delivered(weft, explain):
    for words, to in ((("--to", "10.0.1.12", "--tcp", "80"), "blue/web2"),
                      (("--to", "10.0.1.12", "--icmp", "echo"), "blue/web2"),
                      (("--to", "10.0.2.11", "--tcp", "80", "--from-port", "40000"), "blue/db1")):
        trace = weft.trace("blue/web1", *words)
        equal((trace["verdict"], (trace["to"] or {}).get("port")), ("delivered", to), str(words))
        stages = [stage["stage"] for stage in trace["stages"]]
        for stage in ("parse", "guard", "policy"):
            check(stage in stages, f"no stage {stage} in {stages}")
    check(explain.web1.reaches("10.0.1.12"), "the ping that the trace promised")
    trace = weft.trace("blue/web1", "--arp", "10.0.1.1")
    equal(trace["reason"], "answered", "reason for an ARP request")


@statement("a drop event carries the five-tuple, ports, object and sentence")
def event_fields(weft, explain):
    with weft.dropped("group_ingress"):
        explain.wire.send(explain.frames()["group_ingress"])
    drop = wait_for(lambda: next((drop for drop in reversed(
        weft.get("/v1/drops?port=blue/web1")["drops"]) if drop["reason"] == "group_ingress"),
        None), "event")
    equal((drop["port"], drop["vpc"], drop["protocol"], drop["source"], drop["destination"],
           drop["source_port"], drop["destination_port"]),
          ("blue/web1", "blue", "tcp", "10.0.1.11", "10.0.1.12", 41000, 81), "fields")
    check("blue/web" in drop["object"], f"object: {drop['object']}")
    equal(drop.get("out_port"), "blue/web2", "where it would have gone")


@statement("drops --follow shows a live drop")
def follow(weft, explain):
    with subprocess.Popen([WEFT, "drops", "--follow", "--port", "blue/web1"],
                          stdout=subprocess.PIPE) as process:
        lines = Lines(process.stdout)

        def line():  # until it follows, drops go by unseen
            explain.wire.send(explain.frames()["blackhole"])
            return lines.find("172.16.0.1", 0.1)
        seen = wait_for(line, "a line with the drop")
        process.kill()
    check("blackhole" in seen, f"printed: {seen}")


@statement("trace writes nothing: no flow, no counter, no packet")
def no_effect(weft, explain):
    def found():
        return (len(weft.get("/v1/flows?port=blue/web1")["flows"]),
                weft.get("/v1/counters?name=blue/web1")["ports"]["blue/web1"])

    def sent():
        shown = explain.web1.run("ip", "-s", "-j", "link", "show", "eth0", accept=[0]).stdout
        return json.loads(shown)[0]["stats64"]["tx"]["packets"]

    def compared():
        """Flows and counters, while the workload's own kernel said nothing (MLD, ND)."""
        quiet, before = sent(), found()
        for _ in range(3):
            weft.trace("blue/web1", "--to", "10.0.1.12", "--tcp", "80", "--from-port", "43210")
        after = found()
        return (before, after) if sent() == quiet else None

    before, after = wait_for(compared, "a workload that sends nothing")
    equal(after, before, "flows and counters")


@statement("trace for people: the stages by their files, the sentence, exit status 4 for a drop")
def text(weft, _explain):
    done = weft.weft("trace", "blue/web1", "--to", "172.16.0.1", "--tcp", "80", accept=(4,))
    for word in ("parse", "guard", "route", "blackhole", "172.16.0.0/16"):
        check(word in done.stdout, f"no \"{word}\" in:\n{done.stdout}")
    # It cannot send at all, which is no matter of addresses that are spoofed.
    done = weft.weft("trace", "blue/web1", "--to", "2001:db8::1", "--tcp", "80", accept=(1,))
    check("no IPv6 address" in done.stderr, f"without an IPv6 address: {done.stderr}")


@statement("status shows the drops of the last minute by reason, and the ports")
def status(weft, explain):
    explain.wire.send(explain.frames()["blackhole"])
    wait_for(lambda: weft.json("status")["drops_last_minute"].get("blackhole", 0) > 0, "the drop")
    answer = weft.json("status")
    equal(answer["ports"]["waiting"], 1, "ports that wait")
    check("blackhole" in weft.weft("status").stdout, "status for people names no reason")


@statement("metrics have the same reasons and counts")
def metrics(weft, _explain):
    before = weft.counter("blackhole")
    _, _, body = weft.http("GET", "/metrics", raw=True)
    line = next((line for line in body.decode().splitlines() if '"blackhole"' in line and
                 "packets" in line and not line.startswith("#")), None)
    check(line, "no metric for blackhole")
    found = int(float(line.split()[-1]))
    check(before <= found <= weft.counter("blackhole"), f"{before}, then {line}")


@statement("an event stream gives changes, port states and drops as JSON")
def events(weft, explain):
    connection = UnixConnection(SOCKET)
    connection.request("GET", "/v1/events")
    answer = connection.getresponse()
    equal(answer.headers.get("Content-Type", "").split(";")[0], "text/event-stream", "type")
    weft.weft("route", "add", "blue/main", "172.18.0.0/16", "--via", "blackhole")
    explain.wire.send(explain.frames()["blackhole"])
    kinds, kind = set(), None
    while not {"change", "drop"} <= kinds:
        line = answer.readline().decode()
        check(line, "the stream ended")
        if line.startswith("event:"):
            kind = line.split(":", 1)[1].strip()
        elif line.startswith("data:"):
            json.loads(line.split(":", 1)[1])
            kinds.add(kind)
    connection.close()


main(Explain)
