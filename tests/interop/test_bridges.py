#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A bridge of Open vSwitch is a member of an l2 subnet, by OVSDB and a veth pair of Weft's.

      n1 .11 --- lan 10.0.1.0/24 (l2) ------ port ovs ---+--- br-int (netdev) --- o1 .101, o2 .102
      n7 .11 --- guests 10.0.7.0/24 (l2) --- VLAN 7 -----+                        o7 .107 (tag=7)
                   weft                            Open vSwitch, its datapath a process
"""
import json

import underlay  # noqa: F401  pylint: disable=unused-import
from openvswitch import HereSwitch
from underlay import no_offloads
from harness import Netns, check, equal, main, run, statement, tcp_works, wait_for
from packets import BROADCAST, ethernet

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      lan: {cidr: 10.0.1.0/24, mode: l2}
      guests: {cidr: 10.0.7.0/24, mode: l2}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
    ports:
      n1: {subnet: lan, address: 10.0.1.11, security_groups: [open], attach: {netns: n1}}
      n7: {subnet: guests, address: 10.0.7.11, security_groups: [open], attach: {netns: n7}}
      ovs: {subnet: lan, attach: {ovs_bridge: br-int}}
      ovs7: {subnet: guests, attach: {parent: ovs, vlan: 7, link: true}}
"""


class Machine:
    def __init__(self, weft):
        self.switch = HereSwitch()
        self.netns, self.tagged = Netns("n1"), Netns("n7")
        self.far, self.outside = None, []
        weft.start("--ovsdb", self.switch.database)
        weft.apply(INTENT)
        weft.plugged("blue/n1")

    def outsider(self, name, address, *words):
        made = Netns(name)
        run("ip", "link", "add", f"{name}-p", "type", "veth", "peer", "name", "eth0", "netns",
            name, accept=[0])
        no_offloads(f"{name}-p")
        no_offloads("eth0", made.path)
        run("ip", "link", "set", f"{name}-p", "up", accept=[0])
        made.run("ip", "address", "add", f"{address}/24", "dev", "eth0", accept=[0])
        made.run("ip", "link", "set", "eth0", "up", accept=[0])
        self.switch.vsctl("add-port", "br-int", f"{name}-p", *words)
        return made

    def ports(self, bridge="br-int"):
        return self.switch.vsctl("list-ports", bridge).split()


@statement("a port waits while Open vSwitch is not running, and while it has no such bridge")
def waits(weft, machine):
    status = weft.port("blue/ovs")["status"]
    equal(status["state"], "waiting", "the state without Open vSwitch")
    check("not running" in status["reason"], f"the reason: {status['reason']}")
    machine.switch.start_daemons()
    wait_for(lambda: weft.weft("port", "set", "blue/ovs", "--mtu", "1400") and
             "has no bridge br-int" in (weft.port("blue/ovs")["status"]["reason"] or ""),
             "it says that there is no such bridge")
    weft.weft("port", "set", "blue/ovs", "--mtu", "1500")
    machine.switch.bridge("br-int")
    weft.plugged("blue/ovs")
    machine.far = weft.port("blue/ovs")["status"]["device"] + "b"
    equal(machine.ports(), [machine.far], "the ports of br-int")
    equal(machine.switch.vsctl("get", "port", machine.far, "external_ids"),
          '{weft="blue/ovs"}', "whose port it is")
    machine.outside = [machine.outsider("o1", "10.0.1.101"), machine.outsider("o2", "10.0.1.102")]


@statement("workloads and stations of Open vSwitch reach one another: ping and TCP, both ways")
def both_ways(_weft, machine):
    wait_for(lambda: machine.netns.ping("10.0.1.101"), "n1 reaches o1", 20)
    wait_for(lambda: machine.outside[1].ping("10.0.1.11"), "o2 reaches n1")
    check(tcp_works(machine.netns, machine.outside[1], "10.0.1.102", 7001), "TCP n1 to o2")
    check(tcp_works(machine.outside[0], machine.netns, "10.0.1.11", 7002), "TCP o1 to n1")


@statement("a trunk: a VLAN of Open vSwitch is a segment of its own, and sees nothing of the other")
def trunk(weft, machine):
    access = machine.outsider("o7", "10.0.7.107", "tag=7")
    weft.plugged("blue/ovs7", "blue/n7")
    wait_for(lambda: machine.tagged.ping("10.0.7.107"), "n7 reaches o7", 20)
    check(access.ping("10.0.7.11"), "o7 reaches n7")
    check(tcp_works(machine.tagged, access, "10.0.7.107", 7005), "TCP n7 to o7")
    wire, other = access.wire(), machine.netns.wire()
    wire.send(ethernet(BROADCAST, wire.mac, 0x88B5, b"tagged".ljust(46, b".")))
    lan = machine.outside[0].wire()
    lan.send(ethernet(BROADCAST, lan.mac, 0x88B5, b"plain".ljust(46, b".")))
    seen = other.expect(lambda packet: packet.ethertype == 0x88B5, "a broadcast of br-int")
    check(b"plain" in seen.frame, "VLAN 7 is heard without its tag")
    machine.switch.vsctl("del-port", "br-int", "o7-p")


@statement("large writes arrive whole: frames are finished before the process reads them")
def large(_weft, machine):
    server = machine.outside[0].socket(bind=("0.0.0.0", 7003))
    server.listen(1)
    client = machine.netns.socket()
    client.connect(("10.0.1.101", 7003))
    end, _ = server.accept()
    end.settimeout(10)
    data, got = bytes(range(256)) * 2000, b""
    client.sendall(data[:200000])
    while len(got) < 200000:
        more = end.recv(65536)
        check(more, "the connection ended")
        got += more
    check(got == data[:200000], "what arrived is not what was sent")


@statement("a broadcast is seen once on the other side")
def once(_weft, machine):
    wires = [machine.netns.wire(), machine.outside[0].wire()]
    for sender, receiver in (wires, reversed(wires)):
        for word in (b"first", b"second"):
            sender.send(ethernet(BROADCAST, sender.mac, 0x88B5, word.ljust(46, b".")))
        receiver.expect(lambda packet: b"first.." in packet.frame, "the broadcast")
        seen = receiver.expect(lambda packet: packet.ethertype == 0x88B5, "the next one")
        check(b"second.." in seen.frame, "the broadcast came twice")


@statement("a port taken off by hand is put back")
def repaired(_weft, machine):
    machine.switch.vsctl("del-port", machine.far)
    wait_for(lambda: machine.far in machine.ports(), "it is on the bridge again", 30)
    wait_for(lambda: machine.netns.ping("10.0.1.101"), "n1 reaches o1")


@statement("the pair survives a kill -9 of the daemon")
def restart(weft, machine):
    def index():
        return json.loads(run("ip", "-j", "link", "show", machine.far, accept=[0]).stdout)[0]
    before = index()["ifindex"]
    weft.end(9)
    check(machine.netns.ping("10.0.1.101"), "n1 reaches o1 without a daemon")
    weft.start("--ovsdb", machine.switch.database)
    weft.plugged("blue/ovs")
    equal(index()["ifindex"], before, "the far end's ifindex after a restart")


@statement("another bridge is joined instead, the first one is left")
def moved(weft, machine):
    machine.switch.bridge("br-two")
    weft.weft("port", "set", "blue/ovs", "--ovs-bridge", "br-two")
    weft.plugged("blue/ovs")
    equal(machine.ports("br-two"), [machine.far], "ports of br-two")
    equal(sorted(machine.ports()), ["o1-p", "o2-p"], "ports of br-int")


@statement("the port is removed: Open vSwitch does not know it any more")
def removed(weft, machine):
    weft.weft("port", "remove", "blue/ovs")
    wait_for(lambda: machine.ports("br-two") == [], "br-two has no port")
    equal(machine.switch.vsctl("--columns=name", "--format=csv", "--no-headings", "list", "port"
                               ).count(machine.far), 0, "rows of the port")
    machine.switch.end()


main(Machine, start=False)
