#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What Weft does to a packet on its way into a tunnel, seen from the other end and on the wire.

tunnels.py draws it; the workloads here have a larger MTU than the tunnel.
"""
import contextlib
import re
import socket

from underlay import GUEST, MTU, WEFT, Underlay, address
from capture import Capture
from ends import answers, bulk
from guest import Guest
from tunnels import (ETHERNET, FAR_LAN, FAR_NET, INNER, NEAR, ROUTED, Blue, far_end)
from harness import check, equal, main, statement

FORMS = {form.name: form for form in ETHERNET + ROUTED}


class World:
    """Weft's host and the guest on one underlay."""

    def __init__(self, weft):
        self.wire = Underlay()
        self.guest = Guest(self.wire)
        self.blue = Blue(weft, self.wire)

    def use(self, name, mtu, **more):
        """Weft's workload, its addresses and those of the far end, joined by a tunnel."""
        form = FORMS[name]
        self.blue.apply(dict(form.tunnel, remote=address(GUEST, form.outer), **more), mtu,
                        routed=form.routed)
        far_end(self.guest, form)
        if form.routed:
            return form, self.blue.inner, INNER, FAR_NET
        return form, self.blue.near, NEAR, FAR_LAN


def declare_large(name):
    @statement(f"{name}: a packet too large for it is answered with its MTU, and TCP fits")
    def large(_weft, world):
        form, near, own, far = world.use(name, MTU)
        with Capture(world.wire, "weft", form.decode_as) as capture:
            for family in form.inner:
                answers(near, far[family])
                size = MTU - (28 if family == 4 else 48)
                said = near.shell(f"ping -n -M do -c 1 -W 3 -s {size} {far[family]}").stdout
                found = re.search(r"mtu ?= ?(\d+)", said)
                check(found, f"no answer that the packet is too large: {said}")
                equal(int(found[1]), form.mtu, "MTU in the answer")
                answers(near, far[family], "-M", "do", "-s", size - MTU + form.mtu, count=1)
                near.run("ip", f"-{family}", "route", "flush", "cache", accept=[0])
                bulk(near, world.guest, far[family])
                bulk(world.guest, near, own[family])
        capture.clean()


for each in ("vxlan", "geneve over IPv6", "gretap with a key", "gre", "ipip", "sit",
             "fou with IPv4 inside", "gue with IPv6 inside"):
    declare_large(each)


def outer_of_pings(world, near, target, options):
    """DSCP and ECN, each outer and inner, of the echo requests that Weft sent."""
    with Capture(world.wire, "weft") as capture:
        answers(near, target, *options)
    requests = capture.fields(f"ip.src == {address(WEFT)} && icmp.type == 8 && "
                              "ip.dsfield != 0", "ip.dsfield.dscp", "ip.dsfield.ecn")
    check(requests, "no echo request from Weft")
    capture.clean()
    return set(requests)


@statement("DSCP is kept inside and not shown outside; ECN is shown outside (RFC 6040)")
def marks(_weft, world):
    for name in ("vxlan", "geneve", "gre", "ipip", "gue with IPv4 inside"):
        form, near, _, far = world.use(name, FORMS[name].mtu)
        equal(outer_of_pings(world, near, far[4], ("-Q", "0xba")), {("0,46", "2,2")},
              f"outer and inner DSCP and ECN of {form.name}")


@statement("DSCP is copied where the tunnel says so")
def copied(_weft, world):
    _, near, _, far = world.use("geneve", 1450, dscp="copy")
    equal(outer_of_pings(world, near, far[4], ("-Q", "0xb9")), {("46,46", "1,1")},
          "outer and inner DSCP and ECN")


@statement("the source port tells connections apart, one has always the same")
def entropy(_weft, world):
    for name, port in (("vxlan", 4789), ("geneve", 6081), ("gue with IPv4 inside", 6080)):
        form, near, _, far = world.use(name, FORMS[name].mtu)
        answers(near, far[4])
        with Capture(world.wire, "weft", form.decode_as) as capture:
            for _ in range(16):
                with near.socket(kind=socket.SOCK_DGRAM) as end:
                    end.connect((far[4], 9))
                    for _ in range(3):
                        with contextlib.suppress(ConnectionRefusedError):
                            end.send(b"weft")
        sent = capture.fields(f"ip.src == {address(WEFT)} && udp.dstport == {port} && "
                              "udp.dstport == 9", "udp.srcport")
        pairs = {value for (value,) in sent}
        ports = {value.split(",")[0] for value in pairs}
        equal(len({value.split(",")[1] for value in pairs}), len(pairs),
              f"{name}: outer source ports to one inner port")
        check(len(ports) > 8, f"{name}: 16 connections have the source ports {ports}")
        check(all(int(value) >= 49152 for value in ports), f"{name}: source ports {ports}")


if __name__ == "__main__":
    main(World)
