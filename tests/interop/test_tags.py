#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A kernel that tags for itself, and what it makes of its NIC, as the neighbours on Weft's wire.

    workloads --- weft eth0 ===== segment ===== eth0 of the guest (Linux 6.1 under QEMU)
    q .11  VLAN 100 (802.1Q)                    eth0.100, with PCP
    ad .11 VLAN 100 (802.1ad)                   a VLAN device of 802.1ad, and one of 802.1Q on it
    flat .11, routed (mode: l3)                 macvlan, ipvlan l2
    trunk, VLAN 200 that passes tags            802.1Q in 802.1Q, and 802.1ad in it
"""
import os
import re
import subprocess

from underlay import WEFT, Host, Underlay
from capture import Capture
from ends import bulk
from guest import Guest
from harness import check, main, statement, wait_for

INTENT = """
hosts:
  HOST: {underlay: 10.9.0.1/24, uplinks: {physnet1: eth0}}
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    subnets:
      q:
        cidr: [10.0.1.0/24, "fd00:b:0:1::/64"]
        mode: l2
        segment: {type: vlan, network: physnet1, tag: 100}
      ad:
        cidr: 10.0.2.0/24
        mode: l2
        segment: {type: vlan, network: physnet1, tag: 100, protocol: 802.1ad}
      flat:
        cidr: [10.0.3.0/24, "fd00:b:0:3::/64"]
        segment: {type: flat, network: physnet1}
      trunk:
        cidr: 10.0.4.0/24
        mode: l2
        vlan_transparent: true
        segment: {type: vlan, network: physnet1, tag: 200}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}, {protocol: all, from: "::/0"}]
    ports:
      q:
        subnet: q
        addresses: [10.0.1.11, "fd00:b:0:1::11"]
        security_groups: [open]
        attach: {netns: q}
      ad: {subnet: ad, address: 10.0.2.11, security_groups: [open], attach: {netns: ad}}
      flat:
        subnet: flat
        addresses: [10.0.3.11, "fd00:b:0:3::11"]
        security_groups: [open]
        attach: {netns: flat}
      trunk: {subnet: trunk, address: 10.0.4.11, attach: {netns: trunk}}
"""

# A workload with a whole trunk: answers ARP and echo requests for an address in any VLAN, with the
# tags of the question. The kernel tells of the outermost tag apart.
ANSWERER = """
import socket, struct
trunk = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
trunk.bind(("eth0", 3))
trunk.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
mac, own = trunk.getsockname()[4], socket.inet_aton("ADDRESS")
print("ready", flush=True)
while True:
    frame, told, _, origin = trunk.recvmsg(65536, 256)
    if origin[2] == socket.PACKET_OUTGOING:
        continue
    for _, _, data in told:
        status, control, protocol = struct.unpack("=I12xHH", data[:20])
        if status & 16:
            frame = frame[:12] + struct.pack("!HH", protocol, control) + frame[12:]
    at = 12
    while frame[at:at + 2] in (b"\\x81\\x00", b"\\x88\\xa8"):
        at += 4
    head, body = frame[6:12] + mac + frame[12:at + 2], frame[at + 2:]
    kind = frame[at:at + 2] if at > 12 else b""
    if kind == b"\\x08\\x06" and body[6:8] == b"\\0\\x01" and body[24:28] == own:
        trunk.send(head + body[:6] + b"\\0\\x02" + mac + own + body[8:18])
    elif kind == b"\\x08\\0" and body[9] == 1 and body[20] == 8:
        # A reply's checksum is 0x800 more: its type is that much less.
        total = struct.unpack("!H", body[22:24])[0] + 0x800
        total = (total & 0xffff) + (total >> 16)
        trunk.send(head + body[:12] + body[16:20] + body[12:16] + b"\\0\\0" +
                   struct.pack("!H", total) + body[24:])
"""


class World:
    def __init__(self, weft):
        self.wire = Underlay()
        self.wire.plug("weft", number=WEFT)
        self.guest = Guest(self.wire)
        self.ports = {name: Host(name) for name in ("q", "ad", "flat", "trunk")}
        weft.apply(INTENT.replace("HOST", os.uname().nodename))
        for name in self.ports:
            weft.plugged(f"blue/{name}")
        self.weft = weft

    def tagged(self):
        """Frames dropped for their tag."""
        shown = self.weft.weft("counters", "tagged").stdout
        return int(re.search(r"^tagged +(\d+)", shown, re.M)[1])


def both_ways(world, port, own, far):
    """Ping in both directions; the first packet may be the one that asks."""
    wait_for(lambda: world.ports[port].ping(far), f"blue/{port} reaches {far}", 20)
    done = world.guest.run(f"ping -c 2 -W 3 {own}")
    check(done.returncode == 0, f"the guest does not reach {own}: {done.stdout}")


@statement("802.1Q of the guest's kernel: ping over both families, a stream, a clean capture")
def dot1q(_weft, world):
    world.guest.run("""set -e
        ip link add link eth0 name v100 type vlan id 100 egress 0:5
        ip address add 10.0.1.50/24 dev v100
        ip address add fd00:b:0:1::50/64 dev v100 nodad
        ip link set v100 up""", accept=(0,))
    with Capture(world.wire, "weft") as capture:
        both_ways(world, "q", "10.0.1.11", "10.0.1.50")
        both_ways(world, "q", "fd00:b:0:1::11", "fd00:b:0:1::50")
        bulk(world.ports["q"], world.guest, "10.0.1.50")
        capture.clean()


@statement("802.1ad, and a customer's tag in it, which no port of Weft's takes")
def dot1ad(_weft, world):
    before = world.tagged()
    world.guest.run("""set -e
        ip link add link eth0 name s100 type vlan proto 802.1ad id 100
        ip address add 10.0.2.50/24 dev s100
        ip link set s100 up
        ip link add link s100 name c7 type vlan id 7
        ip address add 10.0.2.60/24 dev c7
        ip link set c7 up""", accept=(0,))
    both_ways(world, "ad", "10.0.2.11", "10.0.2.50")
    done = world.guest.run("ping -c 2 -W 1 -I c7 10.0.2.11")
    check(done.returncode != 0, "a frame with two tags is answered")
    check(world.tagged() > before, "no frame with two tags was dropped as tagged")


@statement("a whole trunk: VLAN devices of the guest's kernel in those of a VLAN segment")
def trunk(_weft, world):
    world.guest.run("""set -e
        ip link add link eth0 name v200 type vlan id 200
        ip link set v200 up
        ip link add link v200 name c300 type vlan id 300 egress 0:5
        ip link add link v200 name s301 type vlan proto 802.1ad id 301
        ip address add 10.0.7.50/24 dev c300
        ip address add 10.0.8.50/24 dev s301
        ip link set c300 up
        ip link set s301 up""", accept=(0,))
    for address, device in (("10.0.7.11", "c300"), ("10.0.8.11", "s301")):
        answerer = world.ports["trunk"].start("python3", "-c", ANSWERER.replace("ADDRESS", address),
                                              stdout=subprocess.PIPE, text=True)
        check(answerer.stdout.readline() == "ready\n", "the workload does not start")
        wait_for(lambda far=address: world.guest.run(f"ping -c 1 -W 3 {far}").returncode == 0,
                 f"the guest reaches {address} by {device}", 60)
        done = world.guest.run(f"ping -c 2 -W 5 -s 1400 {address}")
        check(done.returncode == 0, f"long packets by {device}: {done.stdout}")
        answerer.kill()
        answerer.wait()


@statement("macvlan of the guest's kernel, to a port of a routed segment")
def macvlan(_weft, world):
    world.guest.run("""set -e
        ip link add mv link eth0 type macvlan mode private
        ip address add 10.0.3.61/24 dev mv
        ip address add fd00:b:0:3::61/64 dev mv nodad
        ip link set mv up""", accept=(0,))
    both_ways(world, "flat", "10.0.3.11", "10.0.3.61")
    both_ways(world, "flat", "fd00:b:0:3::11", "fd00:b:0:3::61")
    world.guest.run("ip link delete mv", accept=(0,))


@statement("ipvlan, which shares the NIC's MAC with its host")
def ipvlan(_weft, world):
    world.guest.run("""set -e
        ip netns add iv
        ip link add iv0 link eth0 type ipvlan mode l2
        ip link set iv0 netns iv
        ip -n iv address add 10.0.3.71/24 dev iv0
        ip -n iv link set iv0 up""", accept=(0,))
    wait_for(lambda: world.ports["flat"].ping("10.0.3.71"), "blue/flat reaches ipvlan", 20)
    done = world.guest.run("ip netns exec iv ping -c 2 -W 3 10.0.3.11")
    check(done.returncode == 0, f"ipvlan does not reach 10.0.3.11: {done.stdout}")
    shown = world.guest.run("ip -n iv neigh show 10.0.3.11; ip -o link show eth0", accept=(0,))
    check(re.search(r"10\.0\.3\.11 .*lladdr", shown.stdout), f"no neighbour: {shown.stdout}")


main(World)
