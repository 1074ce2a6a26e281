#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A tunnel of a VPC to Linux 6.1, in every form there is; tunnels.py draws it.

Each form carries pings of all sizes and bulk TCP both ways, in each family that it can carry;
tshark finds nothing wrong in what was on the wire, and every packet that Weft sent says what the
form must say.
"""
from underlay import GUEST, WEFT, Underlay, address
from capture import Capture
from ends import answers, bulk, sizes
from guest import Guest
from tunnels import ETHERNET, FAR_LAN, FAR_NET, INNER, NEAR, ROUTED, Blue, far_end
from harness import check, equal, main, statement


class World:
    """Weft's host and the guest on one underlay."""

    def __init__(self, weft):
        self.wire = Underlay()
        self.guest = Guest(self.wire)
        self.blue = Blue(weft, self.wire)


def outer_fields(capture, form):
    """What every packet of the form from Weft must say."""
    name = "ip.src" if form.outer == 4 else "ipv6.src"
    wanted = f"{name} == {address(WEFT, form.outer)} && tcp"
    packets = capture.fields(wanted, "ip.ttl" if form.outer == 4 else "ipv6.hlim", "ip.flags.df",
                             *form.wanted)
    check(packets, f"no packet from Weft ({wanted})")
    for values in packets:
        equal(values[0].split(",")[0], "64", "outer TTL")
        if form.outer == 4:
            equal(values[1].split(",")[0], "1", "outer don't-fragment bit")
        for field, found in zip(form.wanted, values[2:]):
            equal(int(found.split(",")[0], 0), int(form.wanted[field], 0), field)


def carries(world, form):
    """The whole test of a form."""
    guest, blue = world.guest, world.blue
    tunnel = dict(form.tunnel, remote=address(GUEST, form.outer))
    blue.apply(tunnel, form.mtu, routed=form.routed)
    far_end(guest, form)
    near, own, far = (blue.inner, INNER, FAR_NET) if form.routed else (blue.near, NEAR, FAR_LAN)
    with Capture(world.wire, "weft", form.decode_as) as capture:
        for family in form.inner:
            answers(near, far[family])
            answers(guest, own[family])
            sizes(near, far[family], form.mtu)
            sizes(guest, own[family], form.mtu)
            bulk(near, guest, far[family])
            bulk(guest, near, own[family])
    outer_fields(capture, form)
    capture.clean()


def declare(form):
    @statement(form.name)
    def one(_weft, world):
        carries(world, form)


for each in ETHERNET + ROUTED:
    declare(each)

if __name__ == "__main__":
    main(World)
