#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ports with direct attachment beside a kernel's ipvlan and macvlan on one wire.

    d1 .11, d2 .12 --- weft eth0 ===== segment ===== eth0 of the guest: ipvlan l2
                                          |
                                          +========= eth0 of its twin: macvlan
"""
import json
import os
import re

from underlay import WEFT, Host, Underlay
from guest import Guest, Twin
from harness import check, equal, main, run, statement, wait_for

HOSTS = "hosts: {HOST: {underlay: 10.9.0.1/24, uplinks: {physnet1: eth0}}}\n"
INTENT = HOSTS + """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      lan: {cidr: CIDR, mode: MODE, segment: {type: flat, network: physnet1, direct: DIRECT}}
    security_groups:
      open: {ingress: [{protocol: all, from: 0.0.0.0/0}]}
    ports:
      d1: {subnet: lan, address: PREFIX.11, security_groups: [open], attach: {netns: d1}}
      d2: {subnet: lan, address: PREFIX.12, security_groups: [open], attach: {netns: d2}}
"""


class World:
    def __init__(self, weft):
        self.wire = Underlay()
        self.wire.plug("weft", number=WEFT)
        self.guest = Guest(self.wire)
        self.twin = Twin(self.guest)
        self.ports = {name: Host(name) for name in ("d1", "d2")}
        self.weft = weft

    def use(self, prefix, mode, direct):
        words = {"HOST": os.uname().nodename, "CIDR": f"{prefix}.0/24", "PREFIX": prefix,
                 "MODE": mode, "DIRECT": direct}
        self.weft.apply(re.sub("HOST|CIDR|PREFIX|MODE|DIRECT", lambda m: words[m[0]], INTENT))
        self.weft.plugged("blue/d1", "blue/d2")

    def both_ways(self, end, far, own, netns):
        """Each of the first packets may be the one that asks."""
        wait_for(lambda: self.ports["d1"].ping(far), f"d1 reaches {far}", 30)
        for target in own:
            wait_for(lambda t=target: end.run(f"ip netns exec {netns} ping -c 1 -W 1 {t}")
                     .returncode == 0, f"{far} reaches {target}", 30)


def own_mac():
    return json.loads(run("ip", "-j", "link", "show", "eth0", accept=[0]).stdout)[0]["address"]


@statement("direct l2 beside ipvlan l2 and macvlan: each at the MAC of its NIC, or at its own")
def shared(_weft, world):
    world.use("10.0.3", "l2", "l2")
    world.guest.run("""set -e
        ip netns add iv
        ip link add iv0 link eth0 type ipvlan mode l2
        ip link set iv0 netns iv
        ip -n iv address add 10.0.3.71/24 dev iv0
        ip -n iv link set iv0 up""", accept=(0,))
    world.twin.run("""set -e
        ip netns add mv
        ip link add mv0 link eth0 type macvlan mode bridge
        ip link set mv0 netns mv
        ip -n mv address add 10.0.3.61/24 dev mv0
        ip -n mv link set mv0 up""", accept=(0,))
    world.both_ways(world.guest, "10.0.3.71", ("10.0.3.11", "10.0.3.12"), "iv")
    world.both_ways(world.twin, "10.0.3.61", ("10.0.3.11", "10.0.3.12"), "mv")
    for end, netns in ((world.guest, "iv"), (world.twin, "mv")):
        seen = end.run(f"ip -n {netns} neigh", accept=(0,)).stdout
        for target in ("10.0.3.11", "10.0.3.12"):
            found = re.search(rf"{re.escape(target)} .*lladdr (\S+)", seen)
            check(found, f"{netns} has no neighbour {target}: {seen}")
            equal(found[1], own_mac(), f"MAC of {target} in {netns}")
    wait_for(lambda: world.ports["d1"].ping("10.0.3.12"), "siblings", 30)


main(World)
