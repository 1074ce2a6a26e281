#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A Linux bridge that snoops, in a subnet that snoops: each knows of the listeners of the other.

      lan 10.0.1.0/24, fd00:0:0:1::/64 (l2, multicast: snoop):
          n1 .11    n2 .12    br === br0 (mcast_snooping 1) --- o1 .101, o2 .102

      n1's stream -> Weft -> br, if a report came out of br0 -> br0 -> o1, if it has listened
      o1's stream -> br0 -> Weft, for its queries make it a multicast router (RFC 4541) -> n2
"""
import contextlib
import json
import socket
import time

import groups
from harness import SECONDS, Netns, check, equal, in_order, main, run, statement, wait_for

GROUPS = ("239.1.2.3", "ff15::1:2:3")
INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00::/48"]
    subnets:
      lan: {cidr: [10.0.1.0/24, "fd00:0:0:1::/64"], mode: l2, multicast: snoop, query_interval: 120,
            gateway: [10.0.1.1, "fd00:0:0:1::1"], flood_rate: 0}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}, {protocol: all, from: "::/0"}]
    ports:
      n1: {subnet: lan, security_groups: [open], attach: {netns: n1}}
      n2: {subnet: lan, security_groups: [open], attach: {netns: n2}}
      br: {subnet: lan, attach: {bridge: br0}}
"""


class World:
    def __init__(self, weft):
        run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "1", accept=[0])
        run("ip", "link", "set", "br0", "up", accept=[0])
        self.netns = {name: Netns(name) for name in ("n1", "n2")}
        for name, number in (("o1", 101), ("o2", 102)):
            self.netns[name] = netns = Netns(name)
            run("ip", "link", "add", f"{name}-p", "type", "veth", "peer", "name", "eth0", "netns",
                name, accept=[0])
            run("ip", "link", "set", f"{name}-p", "master", "br0", "up", accept=[0])
            for address in (f"10.0.1.{number}/24", f"fd00:0:0:1::{number}/64"):
                netns.run("ip", "address", "add", address, "dev", "eth0", "nodad", accept=[0])
            netns.run("ip", "link", "set", "eth0", "up", accept=[0])
        weft.apply(INTENT)
        weft.plugged("blue/n1", "blue/n2", "blue/br")
        self.count = 0
        self.port = next(link["ifname"] for link in
                         json.loads(run("ip", "-j", "link", "show", "master", "br0").stdout)
                         if link["ifname"] not in ("o1-p", "o2-p"))

    def join(self, name, group):
        return groups.listener(self.netns[name], group, timeout=0)

    def send(self, name, group):
        self.count += 1
        word = b"group %06d." % self.count
        groups.send(self.netns[name], group, word)
        return word

    def hears(self, listener, name, group, seconds=0.3):
        """Whether a datagram of a workload's arrives at a socket that has joined."""
        word = self.send(name, group)
        with contextlib.suppress(OSError):
            listener.settimeout(seconds)
            while listener.recv(100) != word:
                pass
            return True
        return False

    def takers(self, name, group):
        """At whose device a datagram arrives, whether it listens or not; broadcast says when all is
        there."""
        wires = {other: netns.wire() for other, netns in self.netns.items() if other != name}
        with self.netns[name].socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, in_order():
            word = self.send(name, group)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sender.sendto(b"end of " + word, ("10.0.1.255", 7701))
        got = set()
        for other, wire in wires.items():
            seen = wire.expect(lambda packet: word in packet.frame, f"the end at {other}")
            if b"end of " not in seen.frame:
                got.add(other)
            wire.close()
        return got

    def known(self, group):
        """Whether the bridge has heard that somebody listens behind Weft's port."""
        found = json.loads(run("bridge", "-j", "mdb", "show", "dev", "br0", accept=[0]).stdout)
        return any((one["port"], one["grp"]) == (self.port, group)
                   for one in (found[0].get("mdb", []) if found else []))

    def routers(self):
        """Ports of the bridge with a multicast router behind them."""
        found = json.loads(run("bridge", "-j", "-d", "mdb", "show", accept=[0]).stdout)
        return str(found[0]["router"].get("br0", [])) if found else ""


def both_ways(world, group):
    with world.join("o1", group) as outside:
        wait_for(lambda: world.hears(outside, "n1", group), f"o1 gets {group} of n1")
        # The bridge snoops when it has known of a querier for some seconds.
        wait_for(lambda: world.takers("n1", group) == {"o1"}, f"o1 alone gets {group} of n1", 60)
        with world.join("n2", group) as inside:
            for name in ("n1", "o2"):
                wait_for(lambda one=name: world.hears(inside, one, group),
                         f"n2 gets {group} of {name}")
            equal(world.takers("o2", group), {"o1", "n2"}, f"who gets {group} of o2")
    wait_for(lambda: not world.takers("n1", group), f"nobody gets {group} of n1 any more", 60)


@statement("the bridge that snoops sees a multicast router in Weft, and passes reports on")
def passes(_weft, world):
    wait_for(lambda: world.port in world.routers(), f"{world.port} leads to a router", 30)
    for group in GROUPS:
        both_ways(world, group)


@statement("one of two listeners behind the bridge leaves, the other goes on; then both have left")
def leaves(weft, world):
    for group in GROUPS:
        with world.join("o1", group) as stays:
            with world.join("o2", group) as goes:
                for listener in (stays, goes):
                    wait_for(lambda one=listener: world.hears(one, "n1", group), "both listen")
            end = time.monotonic() + 5  # more than what is left for an answer
            while time.monotonic() < end:
                check(world.hears(stays, "n1", group, SECONDS),
                      f"o1 misses {group} when o2 has left")
        wait_for(lambda it=group: not world.takers("n1", it), f"nobody gets {group}", 60)
        wait_for(lambda it=group: it not in weft.weft("multicast").stdout, "the row ends", 60)


@statement("a bridge that asks itself, from an address lower or higher than the gateway's")
def asks(weft, world):
    for address in ("10.0.1.250/24", "10.0.1.0/31"):
        run("ip", "address", "flush", "dev", "br0", accept=[0])
        run("ip", "address", "add", address, "dev", "br0", accept=[0])
        run("ip", "link", "set", "br0", "type", "bridge", "mcast_query_use_ifaddr", "1",
            "mcast_querier", "1", "mcast_query_interval", "100", "mcast_startup_query_interval",
            "100", accept=[0])
        for state in ("down", "up"):  # it begins anew, and asks before it hears another querier
            run("ip", "link", "set", "br0", state, accept=[0])
        wait_for(lambda: [one for one in weft.json("multicast")["members"]
                          if one["router"] and one["port"] == "blue/br"], "br is a router", 30)
        for group in GROUPS:
            with world.join("o1", group) as outside, world.join("n2", group) as inside:
                for listener, name in ((outside, "n1"), (inside, "o2"), (inside, "n1"),
                                       (outside, "o2")):
                    wait_for(lambda one=listener, it=name: world.hears(one, it, group),
                             f"{group} of {name}", 30)


@statement("a port that is removed has left its groups: who else listens stays, then the router "
           "hears of it")
def removed(weft, world):
    def member(port, group):
        return any((one["port"], one["group"]) == (port, group)
                   for one in weft.json("multicast")["members"])

    for group in GROUPS:
        with world.join("n1", group), world.join("n2", group):
            for port in ("blue/n1", "blue/n2"):
                wait_for(lambda one=port, it=group: member(one, it), f"{port} listens")
            wait_for(lambda it=group: world.known(it), f"the bridge knows of {group}", 30)
            weft.weft("port", "remove", "blue/n2")
            check(not member("blue/n2", group), f"blue/n2 is a member of {group} still")
            heard = time.monotonic() + 5  # more than the questions take
            while time.monotonic() < heard:
                check(member("blue/n1", group), f"blue/n1 is no member of {group} any more")
            check(world.known(group), f"the bridge has forgotten {group}, which n1 listens to")
            weft.weft("port", "remove", "blue/n1")
            wait_for(lambda it=group: not world.known(it), f"the bridge forgets {group}", 60)
        weft.apply(INTENT)
        weft.plugged("blue/n1", "blue/n2")


main(World)
