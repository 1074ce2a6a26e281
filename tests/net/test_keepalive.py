#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tunnels whose other end is watched, and routes that lead past one that is down.

      etcd ---- br0 ---- h1: blue/a, tunnels site1, site2, lan      h2: blue/b
                 +------ s1 192.0.2.201, s2 .202 (FOU, answer echo to 10.9.0.1), s3 .203 (vxlan)

The ends are not Weft: a thread that takes FOU apart and answers echo, and a device of the kernel's
for vxlan.
"""
import contextlib
import socket
import threading

from cluster import Hosts, converged, told
from harness import RUN, SECONDS, WEFT, Netns, check, equal, main, run, statement, wait_for

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      one: {cidr: 10.0.1.0/24}
      lan: {cidr: 10.0.3.0/24, mode: l2}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
    ports:
      a: {subnet: one, address: 10.0.1.11, security_groups: [open], host: h1, attach: {netns: a}}
      b: {subnet: one, address: 10.0.1.12, security_groups: [open], host: h2, attach: {netns: b}}
      c: {subnet: lan, address: 10.0.3.11, security_groups: [open], host: h1, attach: {netns: c}}
    tunnels:
      site1: {type: fou, remote: 192.0.2.201, host: h1, keepalive: KEEPALIVE}
      site2: {type: fou, remote: 192.0.2.202, host: h1, keepalive: KEEPALIVE}
      lan: {type: vxlan, id: 77, remote: 192.0.2.203, host: h1, subnet: lan,
            keepalive: {interval: 1, retries: 2, address: 10.0.3.77}}
    route_tables:
      main:
        routes:
          - {to: 10.9.0.0/16, via: ["tunnel:site1", "tunnel:site2"]}
          - {to: 10.8.0.0/16, via: "tunnel:site1"}
""".replace("KEEPALIVE", "{interval: 1, retries: 2, address: 10.9.0.1}")


def sum16(data):
    total = sum(int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return (~total & 0xffff).to_bytes(2, "big")


class Site(Netns):
    """An end that is not Weft; everything behind it answers echo."""

    def __init__(self, number):
        super().__init__(f"s{number}")
        self.address, self.asked, self.silent = f"192.0.2.{200 + number}", 0, False
        run("ip", "link", "add", f"us{number}", "type", "veth", "peer", "name", "eth0", "netns",
            self.name, accept=[0])
        run("ip", "link", "set", f"us{number}", "master", "br0", "up", accept=[0])
        self.run("ip", "link", "set", "eth0", "up", accept=[0])
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0", accept=[0])

    def answer(self):
        with self.inside():
            self.socket_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket_.bind((self.address, 5555))
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self):
        while True:
            packet, sender = self.socket_.recvfrom(65536)
            header = (packet[0] & 15) * 4
            if packet[9] != 1 or packet[header] != 8 or self.silent:
                continue
            self.asked += 1
            inner = bytearray(packet)
            inner[12:16], inner[16:20] = packet[16:20], packet[12:16]
            inner[header], inner[header + 2:header + 4] = 0, bytes(2)
            inner[header + 2:header + 4] = sum16(inner[header:] + bytes(len(inner) % 2))
            self.socket_.sendto(inner, (sender[0], 5555))


class Cluster(Hosts):
    """Two hosts, one member of etcd, three sites."""

    def __init__(self):
        super().__init__(2)
        self.s1, self.s2, self.s3 = Site(1).answer(), Site(2).answer(), Site(3)
        self.a, self.b, self.c = Netns("a"), Netns("b"), Netns("c")
        for words in (("link", "add", "vx", "type", "vxlan", "id", "77", "dstport", "4789",
                       "remote", "192.0.2.1", "local", "192.0.2.203"),
                      ("link", "set", "vx", "mtu", "1450", "up"),
                      ("address", "add", "10.0.3.77/24", "dev", "vx")):
            self.s3.run("ip", *words, accept=[0])
        self.start()
        self.h1.apply(INTENT)
        converged(*self.hosts)
        self.h1.plugged("blue/a", "blue/c")
        self.h2.plugged("blue/b")

    def state(self, name, host=None):
        return (host or self.h1).get(f"/v1/vpcs/blue/tunnels/{name}")["status"]["state"]

    def becomes(self, name, state):
        wait_for(lambda: self.state(name) == state, f"{name} is {state}")

    def answers(self, netns, address, count=8, seconds=SECONDS):
        """Of so many flows to the address, how many are answered."""
        return sum(netns.run("ping", "-n", "-c1", f"-W{seconds}", f"{address}.{i}").returncode == 0
                   for i in range(10, 10 + count))


@statement("tunnels come up: asked through the tunnel, whatever it carries, and nothing is dropped "
           "for it")
@told
def up(_, cluster):
    for name in ("site1", "site2", "lan"):
        cluster.becomes(name, "up")
    check(cluster.s1.asked > 0, "the far side was asked inside")
    equal(cluster.h1.counter("not_own_gateway"), 0, "answers that were dropped")
    equal(cluster.h1.counter("not_ip"), 0, "ARP answers that were dropped")
    check("up" in cluster.h1.weft("tunnel", "list").stdout, "tunnel list shows it")
    equal(cluster.state("site1", cluster.h2), "elsewhere", "as h2 sees it")
    equal(cluster.answers(cluster.a, "10.9.1"), 8, "answers by either tunnel")
    metrics = cluster.h1.http("GET", "/metrics")[1].decode()
    check('weft_tunnel_up{tunnel="blue/site1"} ' in metrics, "the metric")


@statement("a tunnel that gives no answer is down: routes go to the other, or drop with a "
           "verdict of their own, on every host")
@told
def down(_, cluster):
    with events(cluster.h1) as seen:
        cluster.s1.silent = True
        cluster.becomes("site1", "down")
        wait_for(lambda: "blue/site1 down" in seen(), "the event")
    cluster.becomes("site2", "up")
    equal(cluster.answers(cluster.a, "10.9.2"), 8, "answers by the one that is left")
    equal(cluster.answers(cluster.a, "10.8.2", 1, 1), 0, "answers by the route to it alone")
    check(cluster.h1.counter("tunnel_down") > 0, "its verdict on h1")
    wait_for(lambda: cluster.state("site1", cluster.h2) == "down", "h2 knows")
    equal(cluster.answers(cluster.b, "10.9.3"), 8, "answers for h2 by the one that is left")
    equal(cluster.answers(cluster.b, "10.8.3", 1, 1), 0, "answers for h2 by the route to it alone")
    check(cluster.h2.counter("tunnel_down") > 0, "its verdict on h2")
    metrics = cluster.h1.http("GET", "/metrics")[1].decode()
    check('weft_tunnel_up{tunnel="blue/site1"} 0' in metrics, "the metric")


@statement("it comes up again, and so do its routes")
@told
def again(_, cluster):
    cluster.s1.silent = False
    cluster.becomes("site1", "up")
    wait_for(lambda: cluster.answers(cluster.a, "10.8.4", 1, 1), "the route to it alone works")
    wait_for(lambda: cluster.answers(cluster.b, "10.8.4", 1, 1), "for h2 as well")


@statement("a member of a segment is asked by ARP; without an address the outer end by echo")
@told
def other_ways(_, cluster):
    cluster.s3.run("ip", "link", "set", "vx", "down", accept=[0])
    cluster.becomes("lan", "down")
    cluster.s3.run("ip", "link", "set", "vx", "up", accept=[0])
    cluster.becomes("lan", "up")
    cluster.h1.http("PATCH", "/v1/vpcs/blue/tunnels/site2",
                    {"keepalive": {"interval": 1, "retries": 2, "address": None}})
    cluster.becomes("site2", "up")
    check(cluster.h1.get("/v1/vpcs/blue/tunnels/site2")["status"].get("round_trip_us", 0) > 0,
          "the round trip of an echo")
    run("ip", "link", "set", "us2", "down", accept=[0])
    cluster.becomes("site2", "down")
    run("ip", "link", "set", "us2", "up", accept=[0])
    cluster.becomes("site2", "up")
    cluster.h1.http("PATCH", "/v1/vpcs/blue/tunnels/site2", {"keepalive": None})
    equal(cluster.state("site2"), "unwatched", "without a keepalive")


@contextlib.contextmanager
def events(host):
    """What `weft events` prints while the block runs."""
    path = f"{RUN}/events-{host.name}"
    with open(path, "w", encoding="utf-8") as file:
        process = host.netns.start("env", f"WEFT_SOCKET={host.socket}", WEFT, "events", "--kind",
                                   "tunnel", stdout=file)

    def text():
        with open(path, encoding="utf-8") as file:
            return file.read()
    try:
        wait_for(lambda: "weft_event_subscribers 1" in host.http("GET", "/metrics")[1].decode(),
                 "somebody listens")
        yield text
    finally:
        process.kill()
        process.wait()


main(lambda weft: Cluster(), start=False)
