#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every form of tunnels.py between two hosts with Linux 6.1, one of them in Weft's place.

What fails here is not Weft's fault. The two are namespaces of one guest, each with a card on the
underlay (which they never leave QEMU's end of).
"""
from underlay import GUEST, TWIN, Underlay
from capture import Capture
from ends import answers, bulk, ping
from guest import Guest, Twin
from tunnels import ETHERNET, FAR_LAN, FAR_NET, FAR_RANGES, INNER, NEAR, ROUTED, far_end
from harness import check, main, statement


class World:
    """The guest and its twin on one underlay."""

    def __init__(self, _weft):
        self.guest = Guest(Underlay())
        self.twin = Twin(self.guest)


def carries(world, form):
    own, far = (INNER, FAR_NET) if form.routed else (NEAR, FAR_LAN)
    far_end(world.guest, form, GUEST, TWIN)
    far_end(world.twin, form, TWIN, GUEST, own, FAR_RANGES)
    with Capture(world.guest, "tap2", form.decode_as) as capture:
        for family in form.inner:
            answers(world.twin, far[family], count=1)
            lost = ping(world.guest, own[family], "-s", 3000, count=1)
            check(not lost, f"fragments: {lost}")
            bulk(world.twin, world.guest, far[family], 200000)
    for field, value in form.wanted.items():
        check(capture.packets(f"tcp && {field} == {value}"), f"no packet has {field} {value}")
    capture.clean()


def declare(form):
    @statement(form.name)
    def one(_weft, world):
        carries(world, form)


for each in ETHERNET + ROUTED:
    declare(each)

if __name__ == "__main__":
    main(World, start=False)
