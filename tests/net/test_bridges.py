#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A Linux bridge of the host's is a member of an l2 subnet: stations on both sides are one segment.

      n1 .11 --- lan 10.0.1.0/24 (l2) --- port br --- br0 (the host's) --- o1 .101, o2 .102
      n2 .12 ---/        weft                          kernel bridge, nobody of Weft's
"""
import json
import os

from harness import Netns, check, equal, in_order, main, run, statement, tcp_works, wait_for
from packets import BROADCAST, ethernet

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      lan: {cidr: 10.0.1.0/24, mode: l2, station_limit: 8}
      flat: {cidr: 10.0.2.0/24}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
    ports:
      n1: {subnet: lan, address: 10.0.1.11, security_groups: [open], attach: {netns: n1}}
      n2: {subnet: lan, address: 10.0.1.12, security_groups: [open], attach: {netns: n2}}
      br: {subnet: lan, attach: {bridge: br0}}
"""


def outsider(name, address, bridge):
    """A namespace with a cable to a bridge of the host's."""
    netns = Netns(name)
    run("ip", "link", "add", f"{name}-p", "type", "veth", "peer", "name", "eth0", "netns", name,
        accept=[0])
    run("ip", "link", "set", f"{name}-p", "master", bridge, "up", accept=[0])
    netns.run("ip", "address", "add", f"{address}/24", "dev", "eth0", accept=[0])
    netns.run("ip", "link", "set", "eth0", "up", accept=[0])
    return netns


def member(name):
    """What the kernel says of a device here; {} if there is none."""
    done = run("ip", "-j", "link", "show", name)
    return json.loads(done.stdout)[0] if done.returncode == 0 else {}


class Machine:
    def __init__(self, weft):
        self.netns = [Netns("n1"), Netns("n2")]
        weft.apply(INTENT)
        weft.plugged("blue/n1", "blue/n2")
        self.far = None
        self.outside = []


@statement("a port waits for a bridge that is not there, and is plugged when it comes")
def waits(weft, machine):
    status = wait_for(lambda: weft.port("blue/br")["status"], "the status")
    equal(status["state"], "waiting", "the state without a bridge")
    check("there is no bridge br0" in status["reason"], f"the reason: {status['reason']}")
    run("ip", "link", "add", "br0", "type", "bridge", accept=[0])
    run("ip", "link", "set", "br0", "up", accept=[0])
    weft.plugged("blue/br")
    device = weft.port("blue/br")["status"]["device"]
    machine.far = f"{device}b"
    equal(member(machine.far).get("master"), "br0", f"the master of {machine.far}")
    machine.outside = [outsider("o1", "10.0.1.101", "br0"), outsider("o2", "10.0.1.102", "br0")]


@statement("workloads and the bridge's stations reach one another, both ways")
def both_ways(_weft, machine):
    wait_for(lambda: machine.netns[0].ping("10.0.1.101"), "n1 reaches o1")
    wait_for(lambda: machine.outside[1].ping("10.0.1.12"), "o2 reaches n2")
    check(tcp_works(machine.netns[0], machine.outside[1], "10.0.1.102", 7001), "TCP n1 to o2")
    check(tcp_works(machine.outside[0], machine.netns[1], "10.0.1.12", 7002), "TCP o1 to n2")


@statement("a broadcast is seen once on the other side")
def once(_weft, machine):
    wires = [machine.netns[0].wire(), machine.outside[0].wire()]
    for sender, receiver in (wires, reversed(wires)):
        with in_order():
            for word in (b"first", b"second"):
                sender.send(ethernet(BROADCAST, sender.mac, 0x88B5, word.ljust(46, b".")))
        receiver.expect(lambda packet: b"first.." in packet.frame, "the broadcast")
        seen = receiver.expect(lambda packet: packet.ethertype == 0x88B5, "the next one")
        check(b"second.." in seen.frame, "the broadcast came twice")


@statement("stations behind the bridge are learned, and their number is limited")
def stations(weft, machine):
    counters = weft.get("/v1/counters?name=blue/br")["ports"]["blue/br"]
    check(counters["stations"] >= 2, f"stations behind the bridge: {counters['stations']}")
    wire = machine.outside[0].wire()
    with weft.dropped("station_limit"):
        for number in range(16):
            wire.send(ethernet(BROADCAST, f"02:cc:00:00:00:{number:02x}", 0x88B5, b"many" * 12))


@statement("the port has no address, no rules, and is exported as it was written")
def as_written(weft, _machine):
    port = weft.port("blue/br")
    equal((port["addresses"], port["security_groups"]), ([], []), "addresses and groups")
    check("bridge: br0" in weft.weft("export").stdout, "the bridge in the export")
    check("bridge br0" in weft.weft("port", "list").stdout, "the bridge in the list of ports")


@statement("what was changed by hand is repaired: membership, state of the far end")
def repaired(weft, machine):
    run("ip", "link", "set", machine.far, "nomaster", accept=[0])
    wait_for(lambda: member(machine.far).get("master") == "br0", "it is in the bridge again", 30)
    run("ip", "link", "set", machine.far, "down", accept=[0])
    wait_for(lambda: "UP" in member(machine.far).get("flags", []), "it is up again", 30)
    weft.plugged("blue/br")
    wait_for(lambda: machine.netns[0].ping("10.0.1.101"), "n1 reaches o1")


@statement("the pair and its connections survive a kill -9 of the daemon")
def restart(weft, machine):
    before = member(machine.far)["ifindex"]
    weft.end(9)
    check(machine.netns[0].reaches("10.0.1.101"), "n1 reaches o1 without a daemon")
    weft.start()
    weft.plugged("blue/br")
    equal(member(machine.far)["ifindex"], before, "the far end's ifindex after a restart")


@statement("the bridge goes: the port waits; it comes again: the port is in it")
def bridge_again(weft, machine):
    run("ip", "link", "delete", "br0", accept=[0])
    wait_for(lambda: weft.state_of("blue/br") == "waiting", "the port waits")
    run("ip", "link", "add", "br0", "type", "bridge", accept=[0])
    run("ip", "link", "set", "br0", "up", accept=[0])
    for name in ("o1", "o2"):
        run("ip", "link", "set", f"{name}-p", "master", "br0", accept=[0])
    weft.plugged("blue/br")
    wait_for(lambda: machine.netns[0].ping("10.0.1.102"), "n1 reaches o2")


@statement("another bridge is joined instead, the first one is left")
def moved(weft, machine):
    run("ip", "link", "add", "br1", "type", "bridge", accept=[0])
    run("ip", "link", "set", "br1", "up", accept=[0])
    weft.weft("port", "set", "blue/br", "--bridge", "br1")
    weft.plugged("blue/br")
    equal(member(machine.far).get("master"), "br1", "the bridge it is in")
    equal(os.listdir("/sys/class/net/br0/brif"), ["o1-p", "o2-p"], "members of the first bridge")


@statement("refused: a bridge in an l3 subnet, two attachments; a device that is no bridge fails")
def refused(weft, _machine):
    weft.refused(INTENT.replace("br: {subnet: lan", "br: {subnet: flat"), "mode: l2", "flat is l3")
    weft.refused(INTENT.replace("{bridge: br0}", "{bridge: br0, tap: t0}"), "exactly one")
    weft.refused(INTENT.replace("{bridge: br0}", "{bridge: br0, ifname: x}"), "ifname")
    run("ip", "tuntap", "add", "dummy7", "mode", "tap", accept=[0])
    weft.weft("port", "set", "blue/br", "--bridge", "dummy7")
    wait_for(lambda: weft.state_of("blue/br") == "failed", "the port fails")
    check("is no bridge" in weft.port("blue/br")["status"]["reason"], "the reason")


@statement("the port is removed: so are its devices, and the bridge stays")
def removed(weft, machine):
    weft.weft("port", "set", "blue/br", "--bridge", "br0")
    weft.plugged("blue/br")
    weft.weft("port", "remove", "blue/br")
    wait_for(lambda: not member(machine.far), "the far end is gone")
    check(member("br0"), "br0 stays")


main(Machine)
