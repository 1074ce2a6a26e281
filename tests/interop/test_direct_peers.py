#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ports with direct attachment beside a kernel's ipvlan, macvlan and VLAN devices on one wire.

    d1 .11, d2 .12 --- weft eth0 ===== segment ===== eth0 of the guest: ipvlan l2, l3, l3s; a VLAN
                                          |
                                          +========= eth0 of its twin: macvlan, and one on a VLAN
"""
import json
import os
import re

from underlay import GUEST, WEFT, Host, Underlay, address
from guest import Guest, Twin
from harness import check, equal, main, run, statement, wait_for

INTENT = """
hosts: {HOST: {underlay: 10.9.0.1/24, uplinks: {physnet1: eth0}}}
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      SUBNET: {cidr: PREFIX.0/24, mode: MODE, segment: {network: physnet1, SEGMENT}}
    security_groups:
      open: {ingress: [{protocol: all, from: 0.0.0.0/0}]}
    ports:
      d1: {subnet: SUBNET, address: PREFIX.11, security_groups: [open], attach: {netns: d1}}
      d2: {subnet: SUBNET, address: PREFIX.12, security_groups: [open], attach: {netns: d2}}
"""
SECONDS = 60  # the guest is emulated, and may not have the processor to itself


class World:
    def __init__(self, weft):
        self.wire = Underlay()
        self.wire.plug("weft", number=WEFT)
        self.guest = Guest(self.wire)
        self.twin = Twin(self.guest)
        self.ports = {name: Host(name) for name in ("d1", "d2")}
        self.weft = weft

    def use(self, subnet, prefix, segment, mode="l2"):
        words = {"HOST": os.uname().nodename, "SUBNET": subnet, "PREFIX": prefix, "MODE": mode,
                 "SEGMENT": segment}
        self.weft.apply(re.sub("HOST|SUBNET|PREFIX|MODE|SEGMENT", lambda m: words[m[0]], INTENT))
        self.weft.plugged("blue/d1", "blue/d2")

    def both_ways(self, end, netns, far, own):
        """Each of the first packets may be the one that asks."""
        for name in self.ports:
            wait_for(lambda n=name: self.ports[n].ping(far), f"{name} reaches {far}", SECONDS)
        for target in own:
            wait_for(lambda t=target: end.run(f"ip netns exec {netns} ping -c 1 -W 2 {t}")
                     .returncode == 0, f"{far} reaches {target}", SECONDS)

    def siblings(self, target, meet=True):
        if meet:
            wait_for(lambda: self.ports["d1"].ping(target), f"d1 reaches {target}", SECONDS)
        else:
            check(not self.ports["d1"].ping(target), f"d1 reaches {target}")


def of(prefix):
    return f"{prefix}.11", f"{prefix}.12"


def mac_at(where, device="eth0"):
    return json.loads(where("ip", "-j", "link", "show", device, accept=[0]).stdout)[0]["address"]


def seen_macs(end, netns, targets):
    """At which MAC a kernel's neighbour table has them."""
    seen = end.run(f"ip -n {netns} neigh", accept=(0,)).stdout
    found = [re.search(rf"{re.escape(target)} .*lladdr (\S+)", seen) for target in targets]
    check(all(found), f"{netns} has not all of {targets}: {seen}")
    return [match[1] for match in found]


def attach(end, netns, address_text, *links):
    """A namespace of the guest with the device `out` as these lines make it on eth0."""
    script = "\n".join(links)
    end.run(f"""
        ip -n {netns} link delete out
        ip netns delete {netns}
        set -e
        ip netns add {netns}
        {script}
        ip link set out netns {netns}
        ip -n {netns} address add {address_text} dev out
        ip -n {netns} link set out up""", accept=(0,))


@statement("l2 beside ipvlan l2 and macvlan: each at the MAC of its NIC, or at its own")
def shared(_weft, world):
    own = of("10.0.3")
    world.use("shared", "10.0.3", "type: flat, direct: l2")
    attach(world.guest, "iv", "10.0.3.71/24", "ip link add name out link eth0 type ipvlan mode l2")
    attach(world.twin, "mv", "10.0.3.61/24",
           "ip link add name out link eth0 type macvlan mode bridge")
    world.both_ways(world.guest, "iv", "10.0.3.71", own)
    world.both_ways(world.twin, "mv", "10.0.3.61", own)
    for end, netns in ((world.guest, "iv"), (world.twin, "mv")):
        equal(set(seen_macs(end, netns, own)), {mac_at(run)}, f"the MAC of the ports in {netns}")
    world.siblings("10.0.3.12")


@statement("bridge and private beside ipvlan l2 and macvlan: each port at a MAC of its own")
def own_macs(_weft, world):
    own = of("10.0.7")
    attach(world.guest, "iv", "10.0.7.71/24", "ip link add name out link eth0 type ipvlan mode l2")
    attach(world.twin, "mv", "10.0.7.61/24",
           "ip link add name out link eth0 type macvlan mode private")
    for direct in ("bridge", "private"):
        world.use("plain", "10.0.7", f"type: flat, direct: {direct}")
        world.both_ways(world.guest, "iv", "10.0.7.71", own)
        world.both_ways(world.twin, "mv", "10.0.7.61", own)
        equal(seen_macs(world.twin, "mv", own),
              [mac_at(world.ports[name].run) for name in ("d1", "d2")], f"MACs with {direct}")
        world.siblings("10.0.7.12", direct == "bridge")


@statement("vepa beside macvlan: siblings by the switch that reflects, the wire as ever")
def vepa(_weft, world):
    world.use("plain", "10.0.7", "type: flat, direct: vepa")
    world.siblings("10.0.7.12", False)
    world.wire.netns.run("bridge", "link", "set", "dev", "weft", "hairpin", "on", accept=[0])
    world.siblings("10.0.7.12")
    world.both_ways(world.twin, "mv", "10.0.7.61", of("10.0.7"))
    world.wire.netns.run("bridge", "link", "set", "dev", "weft", "hairpin", "off", accept=[0])


@statement("l3 and l3s beside ipvlan l3 and l3s: by the routes of both hosts")
def routed(_weft, world):
    run("ip", "route", "add", "10.77.5.0/24", "via", address(GUEST), accept=[0])
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", accept=[0])
    world.guest.run(f"ip route replace 10.0.4.0/24 via {address(WEFT)}", accept=(0,))
    for direct in ("l3", "l3s"):
        world.use("routed", "10.0.4", f"type: flat, direct: {direct}", mode="l3")
        for mode in ("l3", "l3s"):
            attach(world.guest, "iv", "10.77.5.71/32",
                   f"ip link add name out link eth0 type ipvlan mode {mode}")
            world.guest.run("ip -n iv route add default dev out", accept=(0,))
            world.both_ways(world.guest, "iv", "10.77.5.71", of("10.0.4"))
        world.siblings("10.0.4.12")


@statement("a VLAN, bridge and private, beside a kernel's VLAN device and a macvlan on one")
def tagged(_weft, world):
    own = of("10.0.6")
    attach(world.guest, "iv", "10.0.6.71/24",
           "ip link add link eth0 name out type vlan id 100")
    attach(world.twin, "mv", "10.0.6.61/24",
           "ip link add link eth0 name eth0.100 type vlan id 100", "ip link set eth0.100 up",
           "ip link add name out link eth0.100 type macvlan mode bridge")
    for direct in ("bridge", "private"):
        world.use("tagged", "10.0.6", f"type: vlan, tag: 100, direct: {direct}")
        world.both_ways(world.guest, "iv", "10.0.6.71", own)
        world.both_ways(world.twin, "mv", "10.0.6.61", own)
        world.siblings("10.0.6.12", direct == "bridge")


main(World)
