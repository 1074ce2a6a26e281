#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Weft with the running kernel's vxlan device and with Open vSwitch.

      VPC blue, lan 10.0.1.0/24 (l2)                    10.9.0.4 kernel: vx100 on br100, .12 of lan
        near .11 --- weftd 10.9.0.1 === underlay ===
                                                        10.9.0.3 Open vSwitch: workload .2 of lan

As tunnel objects, and as ends that are not Weft in a segment which floods by a multicast group and
learns from what arrives.
"""
from underlay import KERNEL, SWITCH, WEFT, Underlay, address
from capture import Capture
from ends import answers, bulk, sizes
from kernelvxlan import KernelVxlan
from openvswitch import OpenVSwitch
from tunnels import FAR_LAN, NEAR, Blue
from harness import check, equal, main, statement

FAR = [f"{FAR_LAN[4]}/24", f"{FAR_LAN[6]}/64"]
GROUP = "239.1.1.1"


class World:
    """Weft's host; the others from when they are first asked for."""

    def __init__(self, weft):
        self.wire = Underlay()
        self.blue = Blue(weft, self.wire)
        self.made = {}

    def get(self, kind):
        if kind not in self.made:
            self.made[kind] = kind(self.wire)
        return self.made[kind]


def both_ways(world, far, mtu, families=(4, 6)):
    """Pings of all sizes and TCP between Weft's workload and the other end."""
    for family in families:
        for end, target in ((world.blue.near, FAR_LAN), (far, NEAR)):
            answers(end, target[family])
            sizes(end, target[family], mtu)
        bulk(world.blue.near, far, FAR_LAN[family])
        bulk(far, world.blue.near, NEAR[family])


# ---- the kernel's vxlan --------------------------------------------------------------------------


def kernel_tunnel(world, family, port, mtu):
    kernel = world.get(KernelVxlan)
    world.blue.apply({"type": "vxlan", "id": 100, "port": port,
                      "remote": address(KERNEL, family)}, mtu)
    kernel.segment(100, FAR, [address(WEFT, family)], family, port, mtu=mtu)
    with Capture(world.wire, "kernel", [f"udp.port=={port},vxlan"]) as capture:
        both_ways(world, kernel, mtu)
    equal({value for (value,) in capture.fields("vxlan && tcp", "vxlan.vni")}, {"100"}, "VNI")
    capture.clean()


@statement("kernel vxlan: a tunnel over IPv4")
def kernel_ipv4(_weft, world):
    kernel_tunnel(world, 4, 4789, 1450)


@statement("kernel vxlan: a tunnel over IPv4 at port 8472")
def kernel_port(_weft, world):
    kernel_tunnel(world, 4, 8472, 1450)


@statement("kernel vxlan: a tunnel over IPv6")
def kernel_ipv6(_weft, world):
    kernel_tunnel(world, 6, 4789, 1430)


def kernel_group(world, port):
    kernel = world.get(KernelVxlan)
    world.blue.apply(mtu=1450, segment={
        "type": "overlay", "encapsulation": "vxlan", "id": 100, "port": port,
        "flooding": {"group": GROUP, "vteps": "10.9.0.0/24"}})
    kernel.segment(100, FAR, group=GROUP, port=port)
    with Capture(world.wire, "kernel", [f"udp.port=={port},vxlan"]) as capture:
        both_ways(world, kernel, 1450)
    sent = f"ip.src == {address(WEFT)} && ip.dst == {GROUP}"
    check(capture.packets(f"{sent} && arp"), "Weft sent no ARP to the group")
    equal(capture.packets(f"{sent} && tcp"), 0, "TCP segments that Weft sent to the group")
    capture.clean()


@statement("kernel vxlan: a segment that floods by a multicast group and learns (T12)")
def group(_weft, world):
    kernel_group(world, 4789)


@statement("kernel vxlan: the same at port 8472")
def group_port(_weft, world):
    kernel_group(world, 8472)


# ---- Open vSwitch --------------------------------------------------------------------------------


def switch_tunnel(world, tunnel, kind, mtu, family=4, **options):
    """The workload of Open vSwitch, behind a port of this kind."""
    switch = world.get(OpenVSwitch)
    world.blue.apply(dict(tunnel, remote=address(SWITCH, family)), mtu)
    workload = switch.workload("work", FAR, mtu)
    switch.tunnel("far", kind, address(WEFT, family), **options)
    if options.get("key") == "flow":
        switch.nvgre(tunnel["id"], "far", "work")
    try:
        with Capture(world.wire, "switch") as capture:
            both_ways(world, workload, mtu)
    finally:
        switch.remove("far", workload)
    capture.clean()


@statement("Open vSwitch: vxlan")
def switch_vxlan(_weft, world):
    switch_tunnel(world, {"type": "vxlan", "id": 100}, "vxlan", 1450, key=100)


@statement("Open vSwitch: vxlan over IPv6")
def switch_vxlan_ipv6(_weft, world):
    switch_tunnel(world, {"type": "vxlan", "id": 100}, "vxlan", 1430, 6, key=100, csum="true")


@statement("Open vSwitch: geneve")
def switch_geneve(_weft, world):
    switch_tunnel(world, {"type": "geneve", "id": 100}, "geneve", 1450, key=100)


@statement("Open vSwitch: geneve over IPv6")
def switch_geneve_ipv6(_weft, world):
    switch_tunnel(world, {"type": "geneve", "id": 100}, "geneve", 1430, 6, key=100, csum="true")


@statement("Open vSwitch: gre with Ethernet inside and a key")
def switch_gre(_weft, world):
    switch_tunnel(world, {"type": "gretap", "id": 100}, "gre", 1458, key=100)


@statement("Open vSwitch: gre with Ethernet inside, a key and checksums")
def switch_gre_checksum(_weft, world):
    switch_tunnel(world, {"type": "gretap", "id": 100, "checksum": True}, "gre", 1454, key=100,
                  csum="true")


@statement("Open vSwitch: nvgre, as gre with its key set by flows")
def switch_nvgre(_weft, world):
    switch_tunnel(world, {"type": "nvgre", "id": 5000}, "gre", 1458, key="flow")


if __name__ == "__main__":
    main(World)
