#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Connection limits and timeouts: V40. A port that floods is refused; the others do not notice.

      greedy 10.0.1.11 (flow_limit 200) ---+
      quiet  10.0.1.12 --------------------+--- server 10.0.1.13       subnet web 10.0.1.0/24
"""
import contextlib

from harness import (Netns, check, equal, main, pair, statement, talks, tcp_works, wait_for)
from packets import IPV4, SYN, TCP, UDP, ethernet, ipv4, tcp, udp

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    timeouts: {tcp_opening: 2, udp_unreplied: 1, udp_replied: 2, tcp_closed: 1}
    subnets: {web: {cidr: 10.0.1.0/24}}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
        egress: [{protocol: all, to: 0.0.0.0/0}]
    ports:
      greedy:
        {subnet: web, address: 10.0.1.11, security_groups: [open], flow_limit: 200,
         attach: {netns: greedy}}
      quiet: {subnet: web, address: 10.0.1.12, security_groups: [open], attach: {netns: quiet}}
      server: {subnet: web, address: 10.0.1.13, security_groups: [open], attach: {netns: server}}
"""


class Limits:
    """The workloads and the wire of the one that floods."""

    def __init__(self, weft):
        for name in ("greedy", "quiet", "server"):
            setattr(self, name, Netns(name))
        weft.apply(INTENT)
        weft.plugged("blue/greedy", "blue/quiet", "blue/server")
        self.wire = self.greedy.wire()
        self.target = self.server.mac()

    def flood(self, count, first=1024):
        """So many connections begun, none ever answered."""
        for number in range(count):
            self.wire.send(ethernet(self.target, self.wire.mac, IPV4, ipv4(
                "10.0.1.11", "10.0.1.13", UDP,
                udp("10.0.1.11", "10.0.1.13", first + number, 9, b"flood"))))

    def flooded(self, weft, reason, count, first=1024, drops=100):
        """Begin so many connections, again and again, until so many were dropped for this reason:
        the first may have timed out before the last of them has begun."""
        before = weft.counter(reason)

        def enough():
            self.flood(count, first)
            return weft.counter(reason) >= before + drops
        wait_for(enough, f"drop for {reason}")


@statement("V40 a port at its limit: new connections are dropped, counted and named")
def limit(weft, limits):
    limits.flooded(weft, "flow_limit_port", 300)
    drop = wait_for(lambda: next((drop for drop in reversed(
        weft.get("/v1/drops?port=blue/greedy")["drops"]) if drop["reason"] == "flow_limit_port"),
        None), "a drop event with the reason")
    check("blue/greedy" in (drop["object"] or ""), f"object: {drop['object']}")
    flows = weft.get("/v1/counters?name=blue/greedy")["ports"]["blue/greedy"]["flows"]
    check(flows <= 200, f"connections of the port: {flows}")
    # How much room there is left can be seen before there is none.
    metrics = weft.http("GET", "/metrics")[2].decode()
    check('weft_port_flow_limit{port="blue/greedy"} 200\n' in metrics, "the limit of the port")
    check('weft_vpc_flow_limit{vpc="blue"} ' in metrics, "the limit of the VPC")


@statement("V40 established connections of others live on, and they make new ones")
def others(weft, limits):
    one, other = pair(limits.quiet, limits.server, "10.0.1.13", 80)
    with one, other:
        limits.flooded(weft, "flow_limit_port", 1500, 2000, 1000)
        check(talks(one, other), "the connection of another port")
        check(tcp_works(limits.quiet, limits.server, "10.0.1.13", 81), "a new connection")
        check(talks(one, other), "the connection after the flood")


@statement("V40 the greedy port's own established connection lives on under its flood")
def own(weft, limits):
    wait_for(lambda: weft.get("/v1/counters?name=blue/greedy")["ports"]["blue/greedy"]["flows"]
             < 100, "the flood's connections time out")
    one, other = pair(limits.greedy, limits.server, "10.0.1.13", 82)
    with one, other:
        limits.flooded(weft, "flow_limit_port", 400, 4000)
        check(talks(one, other), "its connection")


@statement("timeouts: unanswered datagrams and half-open connections make room again")
def timeouts(weft, limits):
    for number in range(50):
        limits.wire.send(ethernet(limits.target, limits.wire.mac, IPV4, ipv4(
            "10.0.1.11", "10.0.1.99", TCP,
            tcp("10.0.1.11", "10.0.1.99", 6000 + number, 80, SYN))))
    wait_for(lambda: weft.get("/v1/counters?name=blue/greedy")["ports"]["blue/greedy"]["flows"]
             == 0, "all connections of the port are gone")
    equal(weft.get("/v1/flows?port=blue/greedy")["flows"], [], "its rows in the flow table")


@statement("timeouts: an established connection that is idle for longer than an opening one lives")
def idle(weft, limits):
    one, other = pair(limits.greedy, limits.server, "10.0.1.13", 83)
    with one, other:
        check(talks(one, other), "before")
        limits.flood(1, 9000)
        wait_for(lambda: not any(flow["protocol"] == "udp" for flow in
                                 weft.get("/v1/flows?port=blue/greedy")["flows"]),
                 "a datagram begun later has timed out")
        check(talks(one, other), "after")


@statement("V40 the limit of the VPC holds over all its ports and is named")
def vpc_limit(weft, limits):
    weft.http("PATCH", "/v1/vpcs/blue", {"flow_limit": 20})
    limits.flooded(weft, "flow_limit_vpc", 60, 12000, 10)
    weft.http("PATCH", "/v1/vpcs/blue", {"flow_limit": 100000})
    with contextlib.suppress(KeyError):
        check(weft.get("/v1/counters?name=blue")["vpcs"]["blue"]["refused_flows"] >= 10,
              "the VPC's counter of refused connections")
    check(tcp_works(limits.quiet, limits.server, "10.0.1.13", 84), "a connection with room again")


@statement("drop events are sampled: a flood of drops costs a bounded number of events")
def sampled(weft, limits):
    before = weft.counter("spoofed_address")
    for number in range(5000):
        limits.wire.send(ethernet(limits.target, limits.wire.mac, IPV4, ipv4(
            "10.0.1.200", "10.0.1.13", UDP, udp("10.0.1.200", "10.0.1.13", number, 9))))
    wait_for(lambda: weft.counter("spoofed_address") >= before + 5000, "all drops are counted")
    drops = wait_for(lambda: [drop for drop in weft.get("/v1/drops?port=blue/greedy")["drops"]
                              if drop["reason"] == "spoofed_address"], "an event")
    check(len(drops) < 2500, f"events of 5000 drops: {len(drops)}")


main(Limits)
