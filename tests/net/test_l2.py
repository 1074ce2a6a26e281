#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A subnet in l2 mode is an Ethernet switch: learning, flooding with a limit, moves noticed.

      lan 10.0.1.0/24 (l2, flood_rate 50, station_limit 4):
          n1 .11    n2 .12    n3 .13    n4 .14       (V1-V10 are off as a set)
"""
from harness import Netns, check, equal, in_order, main, statement, wait_for
from packets import BROADCAST, IPV4, UDP, Packet, ethernet, ipv4, udp

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      lan: {cidr: 10.0.1.0/24, mode: l2, flood_rate: 50, station_limit: 4}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
        egress: [{protocol: all, to: 0.0.0.0/0}]
    ports:
      n1: {subnet: lan, address: 10.0.1.11, security_groups: [open], attach: {netns: n1}}
      n2: {subnet: lan, address: 10.0.1.12, security_groups: [open], attach: {netns: n2}}
      n3: {subnet: lan, address: 10.0.1.13, security_groups: [open], attach: {netns: n3}}
      n4: {subnet: lan, address: 10.0.1.14, security_groups: [open], attach: {netns: n4}}
"""


class Switch:
    """Four workloads with a wire each."""

    def __init__(self, weft):
        self.netns = [Netns(f"n{number}") for number in range(1, 5)]
        weft.apply(INTENT)
        weft.plugged(*(f"blue/{netns.name}" for netns in self.netns))
        self.wires = [netns.wire() for netns in self.netns]
        self.macs = [wire.mac for wire in self.wires]


def frame(source, payload, destination=BROADCAST, ethertype=0x88B5):
    """A frame that is not IP, marked by its payload."""
    return ethernet(destination, source, ethertype, payload.ljust(46, b"."))


def holds(payload):
    return lambda packet: payload.ljust(46, b".") in packet.frame


@statement("a broadcast reaches each of the others once, and not its sender")
def broadcast(_weft, switch):
    with in_order():
        switch.wires[0].send(frame(switch.macs[0], b"to all"))
        switch.wires[0].send(frame(switch.macs[0], b"second"))
    for wire in switch.wires[1:]:
        wire.expect(holds(b"to all"), "the broadcast")
        seen = wire.expect(lambda packet: packet.ethertype == 0x88B5, "the next frame")
        check(holds(b"second")(seen), "the broadcast came twice")
    equal(switch.wires[0].arrived(holds(b"to all")), [], "the broadcast at its sender")


@statement("a frame to a port's MAC goes to that port only")
def unicast(_weft, switch):
    with in_order():
        switch.wires[0].send(frame(switch.macs[0], b"for n3", switch.macs[2]))
        switch.wires[0].send(frame(switch.macs[0], b"for all after"))
    switch.wires[2].expect(holds(b"for n3"), "the frame at n3")
    for wire in (switch.wires[1], switch.wires[3]):
        seen = wire.expect(lambda packet: packet.ethertype == 0x88B5, "the frame after")
        check(holds(b"for all after")(seen), "a frame for n3 arrived elsewhere")


@statement("a MAC behind a port is learned from its frames")
def learning(weft, switch):
    new = "02:aa:00:00:00:01"
    switch.wires[0].send(frame(new, b"hello"))
    switch.wires[1].expect(holds(b"hello"), "the frame with a new source MAC")
    with in_order():
        switch.wires[1].send(frame(switch.macs[1], b"answer", new))
        switch.wires[1].send(frame(switch.macs[1], b"behind the answer"))
    switch.wires[0].expect(holds(b"answer"), "the answer at the port that was learned")
    for wire in (switch.wires[2], switch.wires[3]):
        wire.expect(holds(b"hello"), "the first frame, flooded")
        seen = wire.expect(lambda packet: packet.ethertype == 0x88B5, "the frame behind")
        check(holds(b"behind the answer")(seen), "the answer was flooded")
    stations = weft.get("/v1/counters?name=blue/n1")["ports"]["blue/n1"]["stations"]
    equal(stations, 1, "stations learned at n1")


@statement("a learned MAC that moves is followed, one that keeps moving is stopped")
def moves(weft, switch):
    roaming = "02:aa:00:00:00:02"
    switch.wires[0].send(frame(roaming, b"from n1"))
    switch.wires[2].expect(holds(b"from n1"), "the frame from n1")
    switch.wires[1].send(frame(roaming, b"from n2"))
    switch.wires[2].expect(holds(b"from n2"), "the frame from n2")
    switch.wires[2].send(frame(switch.macs[2], b"where are you", roaming))
    switch.wires[1].expect(holds(b"where are you"), "the answer where it moved to")
    before = weft.counter("station_flapping")

    def stopped():
        for number in range(40):
            switch.wires[number % 2].send(frame(roaming, b"flap", switch.macs[2]))
        return weft.counter("station_flapping") > before
    wait_for(stopped, "drop for station_flapping")


@statement("the MAC of a port cannot be taken by another port")
def static(_weft, switch):
    switch.wires[0].send(frame(switch.macs[3], b"thief", switch.macs[2]))
    switch.wires[2].send(frame(switch.macs[2], b"to n4", switch.macs[3]))
    switch.wires[3].expect(holds(b"to n4"), "a frame for n4")


@statement("a port may have so many stations and no more")
def station_limit(weft, switch):
    with weft.dropped("station_limit"):
        for number in range(16, 32):
            switch.wires[0].send(frame(f"02:bb:00:00:00:{number:02x}", b"many", switch.macs[2]))


@statement("stations age, by what is said now")
def ageing(weft, _switch):
    weft.weft("subnet", "set", "blue/lan", "--station-ageing", "1")
    for name in ("blue/n1", "blue/n2"):
        wait_for(lambda one=name: weft.get(f"/v1/counters?name={one}")["ports"][one]["stations"]
                 == 0, f"the stations behind {name} are forgotten")


@statement("flooding is limited per port; other ports flood on")
def flood_limit(weft, switch):
    before = weft.counter("flood_limit")

    def storm():
        for number in range(400):
            switch.wires[0].send(frame(switch.macs[0], b"storm %d" % number))
        return weft.counter("flood_limit") >= before + 100
    wait_for(storm, "drop for flood_limit")
    switch.wires[1].send(frame(switch.macs[1], b"calm"))
    switch.wires[3].expect(holds(b"calm"), "a broadcast of another port")


@statement("ARP is the workloads' own affair, ping works")
def ping(_weft, switch):
    for address in ("10.0.1.12", "10.0.1.13", "10.0.1.14"):
        wait_for(lambda to=address: switch.netns[0].ping(to), f"ping {address}")


@statement("security groups hold in l2 mode")
def groups(weft, switch):
    weft.weft("group", "add", "blue/shut")
    weft.weft("port", "set", "blue/n4", "--group", "shut")
    datagram = ethernet(switch.macs[3], switch.macs[0], IPV4, ipv4(
        "10.0.1.11", "10.0.1.14", UDP, udp("10.0.1.11", "10.0.1.14", 1, 2, b"shut")))
    check(Packet(datagram).payload == b"shut", "the datagram reads as what it is")
    with weft.dropped("group_ingress"):
        switch.wires[0].send(datagram)


main(Switch)
