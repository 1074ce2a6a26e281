#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A host that routes for others, and what it makes of frames that have come out of a tunnel.

      h1: blue/a (red) ---- h3, the router ---- h2: blue/b (green)
                             |      |
                          eth1      + - - - 192.0.2.9, an end that is not Weft
                     a machine, 10.0.3.50

Here such frames are marked by the kernel as inside of a tunnel, for their sender is on the same
machine: it neither cuts nor grows them, nor makes one packet of those that stand for several.
"""
import json
import re

from cluster import Hosts, converged, told
from harness import Netns, check, equal, main, pair, run, statement, wait_for
from packets import IPV4 as ETHERTYPE_IPV4
from packets import UDP, ethernet, ipv4, udp

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    routing: host:h3
    subnets:
      red: {cidr: [10.0.1.0/24, "fd00:b:0:1::/64"]}
      green: {cidr: [10.0.2.0/24, "fd00:b:0:2::/64"]}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}, {protocol: all, from: "::/0"}]
        egress: [{protocol: all, to: 0.0.0.0/0}, {protocol: all, to: "::/0"}]
    ports:
      a: {subnet: red, addresses: [10.0.1.11, "fd00:b:0:1::11"], security_groups: [open], host: h1,
          attach: {netns: a}}
      b: {subnet: green, addresses: [10.0.2.12, "fd00:b:0:2::12"], security_groups: [open],
          host: h2, attach: {netns: b}}
"""
OVERHEAD = 50  # VXLAN over IPv4
NARROW = 1400
IPV4, IPV6 = "10.0.2.12", "fd00:b:0:2::12"


class Cluster(Hosts):
    def __init__(self):
        super().__init__(3)
        self.a, self.b = Netns("a"), Netns("b")
        self.start()
        self.h1.apply(INTENT)
        converged(*self.hosts)
        self.h1.plugged("blue/a")
        self.h2.plugged("blue/b")
        for one, other in ((self.h1, "h3"), (self.h3, "h2"), (self.h3, "h1")):
            self.path(one, other, "ok")
        for address in (IPV4, IPV6):
            wait_for(lambda address=address: self.a.ping(address), f"a reaches {address}", 60)

    def path(self, host, other, text):
        wait_for(lambda: host.host_status(other).get("path") == text,
                 f"the path from {host.name} to {other}: {text}", 60)

    def lock(self, mtu):
        self.h3.netns.run("ip", "route", "replace", "192.0.2.2/32", "dev", "eth0", "mtu", "lock",
                          mtu, accept=[0])

    def said(self, address, size, seconds=30):
        """What ping says of a packet of this size that may not be cut."""
        for path in ("-4", "-6"):
            self.a.run("ip", path, "route", "flush", "cache")
        header = 48 if ":" in address else 28
        done = self.a.run("ping", "-n", "-M", "do", "-c", "1", "-W", seconds, "-s", size - header,
                          address)
        return done.returncode, done.stdout + done.stderr

    def counter(self, host, reason):
        return host.json("counters", reason)["verdicts"].get(reason, {}).get("packets", 0)


@statement("what fits the underlay comes through the router")
@told
def wide(_, cluster):
    for address in (IPV4, IPV6):
        equal(cluster.said(address, 1500 - OVERHEAD)[0], 0, f"ping {address}")


@statement("a route of the router's that takes less: from its gateway comes what fits")
@told
def narrow(_, cluster):
    cluster.lock(NARROW)
    fits = NARROW - OVERHEAD
    for address, gateway, words in ((IPV4, "10.0.1.1", "Frag needed and DF set"),
                                    (IPV6, "fd00:b:0:1::1", "Packet too big")):
        wanted = re.compile(f"From {gateway} icmp_seq=1 {words}.*mtu ?= ?{fits}")
        wait_for(lambda address=address, wanted=wanted:
                 wanted.search(cluster.said(address, 1500 - OVERHEAD, 2)[1]),
                 f"{gateway} tells that {fits} bytes fit ({cluster.said(address, 1450, 2)[1]})", 60)
        equal(cluster.said(address, fits)[0], 0, f"{fits} bytes to {address}")
    path = cluster.h3.host_status("h2")
    equal((path["path"], path["path_mtu"]), (f"route takes up to {NARROW}", NARROW), "the path")
    check(f"takes no packets over {NARROW}" in cluster.h3.problems(), cluster.h3.problems())


@statement("frames of several packets that are too big are answered as single ones are")
@told
def large(_, cluster):
    cluster.lock(1500)
    cluster.path(cluster.h3, "h2", "ok")
    for address in (IPV4, IPV6):
        before = cluster.counter(cluster.h3, "internal")
        one, other = pair(cluster.a, cluster.b, address, 7000)
        with one, other:
            other.settimeout(60)
            send(one, other, 4 << 20)
            cluster.lock(NARROW)
            cluster.path(cluster.h3, "h2", f"route takes up to {NARROW}")
            for _ in range(4):
                send(one, other, 4 << 20)
        equal(cluster.counter(cluster.h3, "internal") - before, 0, "dropped without a word")
        check(cluster.counter(cluster.h3, "too_big") > 0, "the router has found it too big")
        cluster.lock(1500)
        cluster.path(cluster.h3, "h2", "ok")


def send(one, other, size):
    """Bytes through a connection that is there."""
    one.settimeout(60)
    sent = got = 0
    data = bytes(1 << 18)
    while got < size:
        while sent < size and sent - got < 1 << 18:
            sent += one.send(data[:min(len(data), size - sent)])
        got += len(other.recv(1 << 18))


@statement("the trace says what fits, and which host says so")
@told
def traced(_, cluster):
    cluster.lock(NARROW)
    cluster.path(cluster.h3, "h2", f"route takes up to {NARROW}")
    for size, said in ((NARROW - OVERHEAD, "delivered"), (NARROW - OVERHEAD + 1, "dropped")):
        done = cluster.h1.weft("--json", "trace", "blue/a", "--to", IPV4, "--icmp", "echo",
                               "--size", size, accept=(0, 4))
        trace = json.loads(done.stdout)
        equal(trace["verdict"], said, f"a packet of {size} bytes")
    equal(trace["reason"], "too_big", "why")
    check("h3" in [stage["host"] for stage in trace["stages"]], "and where")
    cluster.lock(1500)


class Outside(Netns):
    """A machine of its own, with a cable."""

    def __init__(self, name, *addresses):
        super().__init__(name)
        self.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "cable", accept=[0])
        self.run("ip", "link", "set", "eth0", "up", accept=[0])
        for address in addresses:
            family = ("nodad",) if ":" in address else ()
            self.run("ip", "address", "add", address, "dev", "eth0", *family, accept=[0])

    def plug(self, netns, ifname):
        self.run("ip", "link", "set", "cable", "netns", netns, "name", ifname, accept=[0])
        run("nsenter", f"--net=/run/netns/{netns}", "ip", "link", "set", ifname, "up", accept=[0])


def put(host, path, body):
    status, _ = host.http("PATCH" if path.startswith("/v1/hosts") else "PUT", path, body)
    check(status in (200, 201), f"PUT {path}: {status}")


@statement("a machine on the router's wire is asked for, in the place of a packet out of a tunnel")
@told
def machine(_, cluster):
    outside = Outside("machine", "10.0.3.50/24", "fd00:b:0:3::50/64")
    outside.plug("h3", "eth1")
    for gateway in ("10.0.3.1", "fd00:b:0:3::1"):
        outside.run("ip", "route", "add", "default", "via", gateway, accept=[0])
    put(cluster.h1, "/v1/hosts/h3", {"uplinks": {"physnet1": "eth1"}})
    put(cluster.h1, "/v1/vpcs/blue/subnets/yard",
        {"cidr": ["10.0.3.0/24", "fd00:b:0:3::/64"],
         "segment": {"type": "flat", "network": "physnet1", "router": "h3"}})
    converged(*cluster.hosts)
    for address in ("10.0.3.50", "fd00:b:0:3::50"):
        wait_for(lambda address=address: cluster.a.ping(address), f"a reaches {address}", 60)


@statement("a frame that Ethernet has filled up goes on into a tunnel that carries IP alone")
@told
def filled_up(_, cluster):
    end = Outside("end", "192.0.2.9/24")
    end.run("ip", "link", "set", "cable", "netns", "1", accept=[0])
    run("ip", "link", "set", "cable", "master", "br0", "up", accept=[0])
    put(cluster.h1, "/v1/vpcs/blue/tunnels/site",
        {"type": "gre", "host": "h3", "remote": "192.0.2.9"})
    cluster.h1.weft("route", "add", "blue/main", "10.9.0.0/16", "--via", "tunnel:site")
    converged(*cluster.hosts)
    check(cluster.a.reaches("10.0.1.1"), "a reaches its gateway")
    shown = cluster.a.run("ip", "-j", "neigh", "show", "10.0.1.1", accept=[0]).stdout
    gateway = json.loads(shown)[0]["lladdr"]
    cable, wire = cluster.a.wire(), end.wire()
    body = ipv4("10.0.1.11", "10.9.0.7", UDP, udp("10.0.1.11", "10.9.0.7", 7, 7, b"word"))
    frame = ethernet(gateway, cable.mac, ETHERTYPE_IPV4, body).ljust(60, b"\0")
    before = cluster.counter(cluster.h3, "internal")

    def arrives():
        cable.send(frame)
        return wire.receive(lambda packet: body[28:] in packet.frame, 1)
    wait_for(arrives, "what a sends", 60)
    equal(cluster.counter(cluster.h3, "internal") - before, 0, "dropped without a word")
    wire.close()
    cable.close()


main(lambda weft: Cluster(), start=False)
