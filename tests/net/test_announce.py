#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A change that puts a silent workload elsewhere is told to who would go on sending where it was.

      n1 .11, n2 .12 -- lan 10.0.1.0/24, flat -- nic0 === wire ===+
                                                                  +-- switch -- station .50
                                                 nic1 === wire ===+
"""
import json
import socket

from harness import SECONDS, Netns, check, equal, main, run, statement, wait_for

INTENT = """
hosts:
  HOST: {underlay: 192.0.2.77/32, uplinks: {floor: nic0}}
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      lan: {cidr: 10.0.1.0/24, gateway: 10.0.1.1, mode: l2,
            segment: {type: flat, network: floor}}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
    ports:
      n1: {subnet: lan, address: 10.0.1.11, security_groups: [open], attach: {netns: n1}}
      n2: {subnet: lan, address: 10.0.1.12, security_groups: [open], attach: {netns: n2}}
"""


class Floor:
    """A switch with a station and both NICs of the host; workloads say nothing by themselves."""

    def __init__(self, weft):
        self.switch, self.station = Netns("switch"), Netns("station")
        self.n1, self.n2 = Netns("n1"), Netns("n2")
        for netns in (self.n1, self.n2, self.station):
            netns.run("sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=1",
                      "net.ipv6.conf.default.disable_ipv6=1", accept=[0])
        run("ip", "-n", "switch", "link", "add", "sw", "type", "bridge", accept=[0])
        run("ip", "-n", "switch", "link", "set", "sw", "up", accept=[0])
        for end, netns in (("nic0", None), ("nic1", None), ("eth0", "station")):
            words = ("netns", netns) if netns else ("netns", "1")
            run("ip", "-n", "switch", "link", "add", f"{end}p", "type", "veth", "peer", "name",
                end, *words, accept=[0])
            run("ip", "-n", "switch", "link", "set", f"{end}p", "master", "sw", "up", accept=[0])
            run("ip", *(("-n", netns) if netns else ()), "link", "set", end, "up", accept=[0])
        self.station.run("ip", "address", "add", "10.0.1.50/24", "dev", "eth0", accept=[0])
        self.host = weft.get("/v1/status")["host"]["name"]
        weft.apply(INTENT.replace("HOST", self.host))
        weft.plugged("blue/n1", "blue/n2")

    def behind(self, mac):
        """The switch's port that frames to this MAC go to; None: it does not know."""
        shown = json.loads(self.switch.run("bridge", "-j", "fdb", "show", "br", "sw").stdout)
        return next((entry["ifname"] for entry in shown
                     if entry["mac"] == mac and entry.get("master")), None)


def known(netns, address):
    """The MAC that a machine would send to."""
    shown = json.loads(netns.run("ip", "-j", "neigh", "show", address, accept=[0]).stdout)
    return shown[0].get("lladdr") if shown else None


def mac_of(name):
    return json.loads(run("ip", "-j", "link", "show", name, accept=[0]).stdout)[0]["address"]


@statement("another NIC is the uplink: the switch sends there what is for ports and gateway")
def uplink(weft, floor):
    for mode in ("l2", "l3"):
        weft.weft("subnet", "set", "blue/lan", "--mode", mode, "--router", floor.host)
        wait_for(lambda: floor.station.ping("10.0.1.11"), "the station reaches n1")
        wait_for(lambda: floor.station.ping("10.0.1.1"), "and the gateway")
        macs = [known(floor.station, address) for address in ("10.0.1.11", "10.0.1.1")]
        for nic in ("nic1", "nic0"):
            weft.weft("host", "set", floor.host, "--uplink", f"floor={nic}")
            for mac in macs:
                wait_for(lambda m=mac, n=nic: floor.behind(m) == f"{n}p", f"{mode}: {mac} at {nic}")
            check(floor.station.reaches("10.0.1.11"), f"{mode}: n1 by {nic}")
            check(floor.station.reaches("10.0.1.1"), f"{mode}: the gateway by {nic}")
    weft.weft("subnet", "set", "blue/lan", "--mode", "l2", "--router", "")


@statement("ports share the MAC of the NIC from now on, or no longer: the station knows at once")
def direct(weft, floor):
    weft.weft("subnet", "set", "blue/lan", "--gateway", "")
    wait_for(lambda: floor.station.ping("10.0.1.11"), "the station reaches n1")
    own = weft.port("blue/n1")["mac"]
    equal(known(floor.station, "10.0.1.11"), own, "the MAC of n1 outside")
    for mode, mac in (("l2", mac_of("nic0")), ("private", own)):
        weft.weft("subnet", "set", "blue/lan", "--direct", mode)
        wait_for(lambda m=mac: known(floor.station, "10.0.1.11") == m, f"{mode}: {mac}")
        check(floor.station.reaches("10.0.1.11"), f"n1, with direct: {mode}")
    weft.weft("subnet", "set", "blue/lan", "--direct", "bridge")


@statement("a port has another MAC, or the address of another one: its neighbours know at once")
def mac(weft, floor):
    for netns in (floor.n2, floor.station):
        wait_for(lambda n=netns: n.ping("10.0.1.11"), "n1 is reached")
    other = "02:00:00:00:11:11"
    weft.weft("port", "set", "blue/n1", "--mac", other)
    for netns in (floor.n2, floor.station):
        wait_for(lambda n=netns: known(n, "10.0.1.11") == other, f"what {netns.name} knows")
        check(netns.reaches("10.0.1.11"), f"n1 from {netns.name}")
    check(floor.station.reaches("10.0.1.12"), "n2 is reached")
    weft.weft("port", "remove", "blue/n2")
    weft.weft("port", "set", "blue/n1", "--address", "10.0.1.12")
    wait_for(lambda: known(floor.station, "10.0.1.12") == other, "who has the address of n2 now")
    check(floor.station.reaches("10.0.1.12"), "n1 by it")


@statement("an uplink that somebody has set down stays so while another one comes and goes")
def down(weft, floor):
    run("ip", "link", "set", "nic0", "down", accept=[0])
    wait_for(lambda: "was set down" in weft.weft("status").stdout, "the status tells")
    for device in ("nic1", ""):
        weft.weft("host", "set", floor.host, "--uplink", f"other={device}")
        check("was set down" in weft.weft("status").stdout, f"it is still told, with \"{device}\"")
        flags = json.loads(run("ip", "-j", "link", "show", "nic0", accept=[0]).stdout)[0]["flags"]
        check("UP" not in flags, f"nic0 was set up again, with \"{device}\": {flags}")
    run("ip", "link", "set", "nic0", "up", accept=[0])
    wait_for(lambda: "was set down" not in weft.weft("status").stdout, "the status says no more")
    check(floor.station.reaches("10.0.1.12"), "n1 is reached again")


@statement("of a segment that is new nobody is told anything; of one that changes at once")
def new(weft, floor):
    n3 = Netns("n3")
    n3.run("sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=1",
           "net.ipv6.conf.default.disable_ipv6=1", accept=[0])
    with floor.station.inside():
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    listener.settimeout(SECONDS)
    intent = INTENT.replace("HOST", floor.host).replace("floor: nic0", "floor: nic0, up: nic1")
    intent = intent.replace("    security_groups:\n      open", """\
      late: {cidr: 10.0.2.0/24, mode: l2, segment: {type: flat, network: up}}
    security_groups:
      open""") + "      n3: {subnet: late, address: 10.0.2.11, attach: {netns: n3}}\n"
    weft.apply(intent)
    weft.plugged("blue/n3")
    weft.weft("subnet", "set", "blue/late", "--direct", "l2")
    shared, said = bytes.fromhex(mac_of("nic1").replace(":", "")), []
    while shared not in said:
        frame = listener.recv(100)
        if frame[28:32] == bytes([10, 0, 2, 11]):
            said.append(frame[22:28])
    equal(said, [shared], "MACs that were told for n3")


main(Floor)
