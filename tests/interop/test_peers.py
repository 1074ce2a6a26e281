#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The peers with one another: what fails here is not Weft's fault.

Each pair carries pings of all sizes and bulk TCP both ways in each form that both know; everything
on the wire is dissected.

      kernel vxlan 10.9.0.4 --- 10.9.0.3 Open vSwitch 10.9.0.3 --- 10.9.0.2 guest
"""
import contextlib
import os
import socket
import struct

from underlay import GUEST, KERNEL, SWITCH, Host, Underlay, address
from capture import Capture
from ends import traffic
from guest import Guest
from kernelvxlan import KernelVxlan
from openvswitch import OpenVSwitch
from harness import Failure, check, equal, main, statement
from packets import (ICMP, ICMPV6, IPV4, IPV6, Packet, ethernet, icmp_echo, icmpv6, ipv4, ipv6)


class Hosts:
    """The underlay, and each peer from when it is first asked for."""

    def __init__(self):
        self.underlay = Underlay()
        self.made = {}

    def get(self, kind):
        if kind not in self.made:
            try:
                self.made[kind] = kind(self.underlay)
            except Exception as reason:  # pylint: disable=broad-except
                self.made[kind] = reason  # and not tried again
        if isinstance(self.made[kind], Exception):
            raise self.made[kind]
        return self.made[kind]


def setup(_weft):
    return Hosts()


def carried(capture, field, wanted):
    """Every TCP segment in the field's protocol has this value, and there were some."""
    protocol = field.split(".", maxsplit=1)[0]
    values = {value for (value,) in capture.fields(f"{protocol} && tcp", field)}
    equal({int(value, 0) for value in values}, {wanted}, f"{field} on the wire")


# ---- forms that two peers know -------------------------------------------------------------------


@statement("vxlan: kernel and Open vSwitch")
def vxlan_kernel_switch(_weft, hosts):
    kernel, switch = hosts.get(KernelVxlan), hosts.get(OpenVSwitch)
    kernel.segment(70000, "10.1.0.4/24", [address(SWITCH)])
    switch.tunnel("vx70000", "vxlan", address(KERNEL), 70000, tag=1)
    workload = switch.workload("w1", "10.1.0.3/24", 1450, tag=1)
    with Capture(hosts.underlay, "kernel") as capture:
        traffic(kernel, workload, "10.1.0.4", "10.1.0.3", 1450)
    carried(capture, "vxlan.vni", 70000)
    capture.clean()


@statement("vxlan: kernel and guest, over IPv4 at port 8472 and over IPv6")
def vxlan_kernel_guest(_weft, hosts):
    kernel, guest = hosts.get(KernelVxlan), hosts.get(Guest)
    for vni, family, port, mtu in ((20, 4, 8472, 1450), (21, 6, 4789, 1430)):
        kernel.segment(vni, f"10.{vni}.0.4/24", [address(GUEST, family)], family, port, mtu=mtu)
        guest.tunnel(f"vx{vni}", "vxlan", f"id {vni} local {address(GUEST, family)} remote "
                     f"{address(KERNEL, family)} dstport {port} dev eth0", f"10.{vni}.0.2/24", mtu)
        with Capture(hosts.underlay, "kernel", [f"udp.port=={port},vxlan"]) as capture:
            traffic(kernel, guest, f"10.{vni}.0.4", f"10.{vni}.0.2", mtu)
        carried(capture, "vxlan.vni", vni)
        capture.clean()


@statement("vxlan: kernel and guest find one another by a multicast group and learn")
def vxlan_group(_weft, hosts):
    kernel, guest = hosts.get(KernelVxlan), hosts.get(Guest)
    kernel.segment(22, "10.22.0.4/24", group="239.1.1.22")
    guest.tunnel("vx22", "vxlan", f"id 22 local {address(GUEST)} group 239.1.1.22 dstport 4789 "
                 "dev eth0", "10.22.0.2/24", 1450)
    with Capture(hosts.underlay, "kernel") as capture:
        traffic(kernel, guest, "10.22.0.4", "10.22.0.2", 1450)
    check(capture.packets("ip.dst == 239.1.1.22 && arp"), "no ARP went to the group")
    equal(capture.packets("ip.dst == 239.1.1.22 && tcp"), 0, "TCP segments sent to the group")
    capture.clean()


@statement("vxlan: a kernel device with external metadata, and the guest")
def vxlan_external(_weft, hosts):
    kernel, guest = hosts.get(KernelVxlan), hosts.get(Guest)
    kernel.external("10.23.0.4/24", port=4790)
    guest.tunnel("vx23", "vxlan", f"id 23 local {address(GUEST)} remote {address(KERNEL)} "
                 "dstport 4790 dev eth0", "10.23.0.2/24", 1450)
    mac = guest.run("ip -br link show vx23").stdout.split()[2]
    kernel.route(23, "10.23.0.2", mac, address(GUEST))
    with Capture(hosts.underlay, "kernel", ["udp.port==4790,vxlan"]) as capture:
        traffic(kernel, guest, "10.23.0.4", "10.23.0.2", 1450)
    carried(capture, "vxlan.vni", 23)
    capture.clean()


@statement("geneve: guest and Open vSwitch, with UDP checksums, over IPv4 and IPv6")
def geneve(_weft, hosts):
    guest, switch = hosts.get(Guest), hosts.get(OpenVSwitch)
    for vni, family, checksum, mtu in ((30, 4, "udpcsum", 1450), (31, 6, "udp6zerocsumrx", 1430)):
        guest.tunnel(f"gnv{vni}", "geneve", f"id {vni} remote {address(SWITCH, family)} {checksum}",
                     f"10.{vni}.0.2/24", mtu)
        switch.tunnel(f"gnv{vni}", "geneve", address(GUEST, family), vni, tag=vni, csum="true")
        workload = switch.workload(f"w{vni}", f"10.{vni}.0.3/24", mtu, tag=vni)
        with Capture(hosts.underlay, "guest") as capture:
            traffic(guest, workload, f"10.{vni}.0.2", f"10.{vni}.0.3", mtu)
        carried(capture, "geneve.vni", vni)
        capture.clean()


# Not both together: Open vSwitch 3.1 takes the checksum before it writes the sequence number.
@statement("gre with Ethernet inside: guest's gretap and Open vSwitch; key, checksum, sequence")
def gretap(_weft, hosts):
    guest, switch = hosts.get(Guest), hosts.get(OpenVSwitch)
    for key, options, more, mtu in ((40, "", {}, 1458), (41, "csum", {"csum": "true"}, 1454),
                                    (42, "seq", {"seq": "true"}, 1454)):
        guest.tunnel(f"gt{key}", "gretap", f"local {address(GUEST)} remote {address(SWITCH)} "
                     f"nopmtudisc key {key} {options}", f"10.{key}.0.2/24", mtu)
        switch.tunnel(f"gt{key}", "gre", address(GUEST), key, tag=key, **more)
        workload = switch.workload(f"w{key}", f"10.{key}.0.3/24", mtu, tag=key)
        with Capture(hosts.underlay, "guest") as capture:
            traffic(guest, workload, f"10.{key}.0.2", f"10.{key}.0.3", mtu)
        carried(capture, "gre.key", key)
        capture.clean()


@statement("nvgre: guest's gretap with the id in its key, and Open vSwitch with flows")
def nvgre(_weft, hosts):
    guest, switch = hosts.get(Guest), hosts.get(OpenVSwitch)
    guest.tunnel("nv", "gretap", f"local {address(GUEST)} remote {address(SWITCH)} nopmtudisc "
                 f"key {5000 << 8}", "10.45.0.2/24", 1458)
    switch.tunnel("nv", "gre", address(GUEST), "flow")
    workload = switch.workload("w45", "10.45.0.3/24", 1458)
    switch.nvgre(5000, "nv", "w45")
    with Capture(hosts.underlay, "guest") as capture:
        traffic(guest, workload, "10.45.0.2", "10.45.0.3", 1458)
    carried(capture, "gre.key", 5000 << 8)
    switch.remove("nv", workload)
    capture.clean()


# ---- forms that only the guest knows: their other end is made here, byte by byte -----------------

HAND = 6  # the number of a host without any tunnel
FORMS = {  # device, its options, inner family, protocol of the outer header or UDP port, header
    "gre with IP inside, key": ("gre", "key 50", 4, 47, struct.pack("!HHI", 0x2000, IPV4, 50)),
    "ipip": ("ipip", "", 4, 4, b""),
    "sit": ("sit", "", 6, 41, b""),
    "fou with IPv4 inside": ("ipip", "encap fou encap-sport auto encap-dport 5555", 4, "5555", b""),
    "fou with IPv6 inside": ("sit", "encap fou encap-sport auto encap-dport 5556", 6, "5556", b""),
    "gue with IPv4 inside": ("ipip", "encap gue encap-sport auto encap-dport 6080", 4, "6080",
                             bytes([0, 4, 0, 0])),
    "gue with IPv6 inside": ("sit", "encap gue encap-sport auto encap-dport 6080", 6, "6080",
                             bytes([0, 41, 0, 0])),
}


def echo(family):
    """An echo request from .5 to .2 of the inner network."""
    if family == 4:
        return ipv4("10.50.0.5", "10.50.0.2", ICMP, icmp_echo())
    one, other = "fd00:50::5", "fd00:50::2"
    return ipv6(one, other, ICMPV6, icmpv6(one, other, 128, 0, b"\0\1\0\1weft"))


def answered(answer, family):
    """Whether this inner packet is the reply to echo()."""
    packet = Packet(bytes(12) + struct.pack("!H", IPV4 if family == 4 else IPV6) + answer)
    return (packet.kind, packet.source) == ((0, "10.50.0.2") if family == 4 else
                                            (129, "fd00:50::2"))


@statement("gre, ipip, sit, fou and gue: the guest answers what is made by hand")
def hand(_weft, hosts):
    guest, host = hosts.get(Guest), Host("hand")
    hosts.underlay.plug("hand", host.path, number=HAND)
    guest.run("ip fou add port 5555 ipproto 4; ip fou add port 5556 ipproto 41; "
              "ip fou add port 6080 gue", accept=(0,))
    with Capture(hosts.underlay, "hand") as capture:
        for name, (kind, options, family, outer, header) in FORMS.items():
            guest.tunnel("hand", kind, f"local {address(GUEST)} remote {address(HAND)} {options}",
                         ["10.50.0.2/24"] if family == 4 else ["fd00:50::2/64"])
            with host.inside():
                end = socket.socket(socket.AF_INET, *(
                    (socket.SOCK_DGRAM, 0) if isinstance(outer, str) else
                    (socket.SOCK_RAW, outer)))
            with end:
                if isinstance(outer, str):
                    end.bind(("", int(outer)))
                end.sendto(header + echo(family), (address(GUEST), int(outer)))
                answers = listen_for(end, len(header) if isinstance(outer, str) else
                                     20 + len(header))
                check(any(answered(answer, family) for answer in answers),
                      f"{name}: the guest does not answer")
            guest.run("ip link delete hand", accept=(0,))
    equal(capture.packets("fou && icmp"), 2, "FOU packets that tshark understands")
    equal(capture.packets("gue && icmp"), 2, "GUE packets that tshark understands")
    capture.clean()


def listen_for(end, header_size):
    """Inner packets, until there are no more for a second."""
    end.settimeout(1)
    with contextlib.suppress(TimeoutError):
        while True:
            yield end.recv(2048)[header_size:]


# ---- the judge -----------------------------------------------------------------------------------


@statement("tshark finds an inner checksum that is wrong, and a header that cannot be right")
def judge(_weft, hosts):
    host = Host("liar")
    hosts.underlay.plug("liar", host.path, number=HAND + 1)
    nobody = address(HAND + 2)
    host.run("ip", "neighbour", "add", nobody, "lladdr", "02:09:00:00:00:99", "dev", "eth0",
             accept=[0])
    inner = ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", IPV4,
                     echo(4)[:-1] + b"?")
    for port, payload, word in ((4789, struct.pack("!II", 0x08000000, 7 << 8) + inner, "checksum"),
                                (6081, struct.pack("!BBHI", 63, 0, 0x6558, 7 << 8), "alformed"),
                                (6080, b"\x1f\0\0\0", "gue")):
        with Capture(hosts.underlay, "liar") as capture, \
                host.socket(kind=socket.SOCK_DGRAM) as end:
            end.sendto(payload, (nobody, port))
        try:
            capture.clean()
        except Failure as failure:
            check(word in str(failure).lower(), f"not found for its reason: {failure}")
            os.unlink(capture.path)
        else:
            raise Failure(f"a wrong packet to port {port} passes for clean")


main(setup, start=False)
