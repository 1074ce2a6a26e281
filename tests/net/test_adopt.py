#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Devices that somebody else has made, as ports.

      n1 .11 ---+                      +-- v0 === veth ===> eth0 .21  (namespace w1, made by hand)
                +-- lan 10.0.1.0/24 ---+
      n2 .12 ---+        weft          +-- nic0 === wire ===> eth0 .101 (namespace far)

nic0 is also the host's, .201, and it goes on using it. What is changed of a device is put back when
the port goes, whichever way.
"""
import contextlib
import fcntl
import json
import os
import select
import struct

from harness import (WEFTD, Netns, check, equal, main, run, statement, tcp_works, wait_for)
from packets import BROADCAST, ethernet

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      lan: {cidr: 10.0.1.0/24, mode: l2}
      web: {cidr: 10.0.2.0/24}
      guests: {cidr: 10.0.3.0/24, mode: l2}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
    ports:
      n1: {subnet: lan, address: 10.0.1.11, security_groups: [open], attach: {netns: n1}}
      n2: {subnet: web, address: 10.0.2.12, security_groups: [open], attach: {netns: n2}}
"""


def device(name, netns=None):
    """What the kernel says of a device; {} if there is none."""
    where = ("-n", netns) if netns else ()
    done = run("ip", *where, "-j", "-d", "link", "show", name)
    return json.loads(done.stdout)[0] if done.returncode == 0 else {}


def addresses(name):
    shown = json.loads(run("ip", "-j", "address", "show", name, accept=[0]).stdout)
    return [entry["local"] for entry in shown[0]["addr_info"] if entry["scope"] == "global"]


def cable(netns, ifname, host_end, address):
    """A veth pair as people make them by hand: one end here, the other in a namespace."""
    run("ip", "link", "add", host_end, "type", "veth", "peer", "name", ifname, "netns", netns.name,
        accept=[0])
    netns.run("ip", "address", "add", address, "dev", ifname, accept=[0])
    netns.run("ip", "link", "set", ifname, "up", accept=[0])
    run("ip", "link", "set", host_end, "up", accept=[0])


class Machine:
    """n1 and n2 are Weft's, w1 was made by hand; nic0 is a wire to far, and the host's."""

    def __init__(self, weft):
        self.n1, self.n2 = Netns("n1"), Netns("n2")
        self.w1, self.far = Netns("w1"), Netns("far")
        cable(self.w1, "eth0", "v0", "10.0.2.21/24")
        cable(self.far, "eth0", "nic0", "10.0.1.101/24")
        run("ip", "address", "add", "10.0.1.201/24", "dev", "nic0", accept=[0])
        weft.apply(INTENT)
        weft.plugged("blue/n1", "blue/n2")


def reason(weft, port):
    return weft.port(port)["status"]["reason"] or ""


@statement("a veth with a workload at its other end is a port: rules, addresses, all of it")
def veth(weft, machine):
    weft.weft("port", "add", "blue/w1", "--subnet", "web", "--device", "v0", "--address",
              "10.0.2.21", "--mac", machine.w1.mac(), "--group", "open")
    weft.plugged("blue/w1")
    machine.w1.run("ip", "route", "add", "default", "via", "10.0.2.1", accept=[0])
    check(machine.w1.reaches("10.0.2.12"), "it reaches a port")
    check(machine.n2.reaches("10.0.2.21"), "a port reaches it")
    check(tcp_works(machine.n2, machine.w1, "10.0.2.21", 7001), "TCP")
    machine.w1.run("ip", "address", "add", "10.0.2.99/24", "dev", "eth0", accept=[0])
    with weft.dropped("spoofed_address"):
        machine.w1.run("ping", "-c1", "-W0.05", "-I", "10.0.2.99", "10.0.2.12")
    machine.w1.run("ip", "address", "del", "10.0.2.99/24", "dev", "eth0", accept=[0])


@statement("a NIC with an address is a port and the host's: each gets what is its own")
def shared(weft, machine):
    weft.weft("port", "add", "blue/nic", "--subnet", "lan", "--device", "nic0", "--link", "on")
    weft.plugged("blue/nic")
    equal(addresses("nic0"), ["10.0.1.201"], "the host's addresses on it")
    weft.weft("port", "set", "blue/nic", "--receive-rate", "1M")
    wait_for(lambda: "host itself sends" in reason(weft, "blue/nic"), "a rate would hold the host")
    weft.weft("port", "set", "blue/nic", "--receive-rate", "0")
    weft.plugged("blue/nic")
    wait_for(lambda: machine.n1.ping("10.0.1.101"), "a port reaches the machine on the wire")
    check(machine.far.reaches("10.0.1.11"), "the machine reaches a port")
    check(machine.far.reaches("10.0.1.201"), "the machine reaches the host")
    check(run("ping", "-n", "-c1", "-W2", "10.0.1.101").returncode == 0, "the host reaches it")
    # To all: everybody hears it, and a port hears nothing that is for the host alone.
    wire, far = machine.n1.wire(), machine.far.wire()
    far.send(ethernet(device("nic0")["address"], far.mac, 0x88B5, b"for the host".ljust(46)))
    far.send(ethernet(BROADCAST, far.mac, 0x88B5, b"for all".ljust(46)))
    seen = wire.expect(lambda packet: packet.ethertype == 0x88B5, "the broadcast")
    check(b"for all" in seen.frame, "a port has heard what is for the host")
    machine.far.run("ip", "neigh", "flush", "dev", "eth0")
    done = machine.far.run("arping", "-c1", "-w30", "-I", "eth0", "10.0.1.201")
    check("1 response" in done.stdout or "reply from" in done.stdout, f"arping: {done.stdout}")


@contextlib.contextmanager
def wait_for_more(weft, port):
    """In this block the port sends at least one frame."""
    def count():
        return weft.get(f"/v1/counters?name={port}")["ports"][port]["received_packets"]
    before = count()
    yield
    wait_for(lambda: count() > before, f"a frame from {port}")


@statement("tags of nobody on a shared device are the host's, those of a child are the child's")
def tags(weft, machine):
    weft.weft("port", "add", "blue/t7", "--subnet", "web", "--parent", "nic", "--vlan", "7",
              "--address", "10.0.2.107", "--mac", machine.far.mac(), "--group", "open")
    weft.plugged("blue/t7")
    wire, here = machine.far.wire(), Netns("here", "nic0", make=False)
    here.path = "/proc/self/ns/net"
    own = here.wire()
    with wait_for_more(weft, "blue/t7"):
        wire.send(ethernet(BROADCAST, wire.mac, 0x8100, b"\x00\x07\x88\xb5" + b"tag 7".ljust(46)))
    own.drain()
    wire.send(ethernet(BROADCAST, wire.mac, 0x8100, b"\x00\x08\x88\xb5" + b"tag 8".ljust(46)))
    own.expect(lambda packet: b"tag 8" in packet.frame, "a frame with a tag of nobody's")
    weft.weft("port", "remove", "blue/t7")


@statement("a kernel bridge is the other end of a trunk: a tag is a segment with all its stations")
def bridge_trunk(weft, machine):
    run("ip", "link", "add", "br7", "type", "bridge", accept=[0])
    run("ip", "link", "set", "br7", "up", accept=[0])
    run("ip", "link", "add", "o7p", "type", "veth", "peer", "name", "eth7", "netns", "far",
        accept=[0])
    run("ip", "link", "set", "o7p", "master", "br7", "up", accept=[0])
    machine.far.run("ip", "link", "set", "eth7", "up", accept=[0])
    outside = Netns("far", "eth7", make=False).wire()
    weft.weft("port", "add", "blue/sw", "--subnet", "lan", "--bridge", "br7")
    weft.weft("port", "add", "blue/sw7", "--subnet", "guests", "--parent", "sw", "--vlan", "7",
              "--link", "on")
    weft.weft("port", "add", "blue/n7", "--subnet", "guests", "--address", "10.0.3.11", "--netns",
              "n1", "--ifname", "eth7", "--group", "open")
    weft.plugged("blue/sw", "blue/sw7", "blue/n7")
    inside = Netns("n1", "eth7", make=False).wire()
    frame = ethernet(BROADCAST, "02:00:00:00:77:07", 0x88B5, b"station".ljust(46, b"."))

    def heard():
        outside.send(frame[:12] + bytes.fromhex("81000007") + frame[12:])
        return inside.receive(lambda packet: packet.ethertype == 0x88B5, 0.2)
    check(b"station" in wait_for(heard, "a station of VLAN 7 is heard").frame, "its frame")
    inside.send(ethernet("02:00:00:00:77:07", inside.mac, 0x88B5, b"answer".ljust(46, b".")))
    outside.expect(lambda packet: b"answer" in packet.frame, "the answer, by the bridge")
    counters = weft.get("/v1/counters?name=blue/sw7")["ports"]["blue/sw7"]
    equal(counters["stations"], 1, "stations behind the tag")
    for port in ("sw7", "sw", "n7"):
        weft.weft("port", "remove", f"blue/{port}")
    run("ip", "link", "delete", "br7", accept=[0])
    run("ip", "link", "delete", "o7p", accept=[0])


@statement("a device that is somebody's already is refused with a sentence, until it is free")
def refused(weft, _machine):
    run("ip", "link", "add", "br9", "type", "bridge", accept=[0])
    run("ip", "link", "add", "m9", "type", "veth", "peer", "name", "m9p", accept=[0])
    run("ip", "link", "set", "m9", "master", "br9", accept=[0])
    weft.weft("port", "add", "blue/m9", "--subnet", "lan", "--device", "m9", "--link", "on")
    wait_for(lambda: weft.state_of("blue/m9") == "failed", "a member of a bridge fails")
    check("device m9 is a member of br9" in reason(weft, "blue/m9"), reason(weft, "blue/m9"))
    run("ip", "link", "set", "m9", "nomaster", accept=[0])
    weft.plugged("blue/m9")
    run("ip", "link", "set", "m9", "master", "br9", accept=[0])
    wait_for(lambda: weft.state_of("blue/m9") == "failed", "it became one again")
    done = weft.weft("port", "add", "blue/again", "--subnet", "lan", "--device", "nic0",
                     accept=(1,))
    check("device nic0 is taken by port blue/nic" in done.stderr, done.stderr)
    weft.weft("port", "set", "blue/m9", "--device", "br9", "--link", "on")
    wait_for(lambda: "say bridge: br9" in reason(weft, "blue/m9"), "a bridge is none")
    weft.weft("port", "set", "blue/m9", "--device", "lo", "--link", "on")
    wait_for(lambda: "loopback" in reason(weft, "blue/m9"), "nor is the loopback")
    name = weft.port("blue/n1")["status"]["device"]
    weft.weft("port", "set", "blue/m9", "--device", name, "--link", "on")
    wait_for(lambda: "is Weft's own" in reason(weft, "blue/m9"), "nor another port's device")
    weft.weft("port", "remove", "blue/m9")
    for link in ("br9", "m9"):
        run("ip", "link", "delete", link, accept=[0])


@statement("a macvlan, promiscuous meanwhile; renamed, deleted and back, down again in the end")
def macvlan(weft, machine):
    run("ip", "link", "add", "low", "type", "veth", "peer", "name", "lowp", "netns", "w1",
        accept=[0])
    run("ip", "link", "set", "low", "up", accept=[0])
    make = ("ip", "link", "add", "mv0", "link", "low", "type", "macvlan", "mode", "passthru")
    run(*make, accept=[0])
    machine.w1.run("ip", "link", "set", "lowp", "up", accept=[0])
    machine.w1.run("ip", "address", "add", "10.0.1.77/24", "dev", "lowp", accept=[0])
    before = device("mv0")
    weft.weft("port", "add", "blue/mv", "--subnet", "lan", "--device", "mv0", "--link", "on")
    weft.plugged("blue/mv")
    check("PROMISC" in device("mv0")["flags"], "it takes frames to all MACs")
    wait_for(lambda: machine.n1.ping("10.0.1.77"), "what is behind it is reached")
    run("ip", "link", "set", "mv0", "down", accept=[0])
    run("ip", "link", "set", "mv0", "name", "mv9", accept=[0])
    wait_for(lambda: weft.state_of("blue/mv") == "waiting", "it waits for the name")
    check("there is no device mv0" in reason(weft, "blue/mv"), reason(weft, "blue/mv"))
    wait_for(lambda: "PROMISC" not in device("mv9")["flags"], "what has another name is left")
    run("ip", "link", "set", "mv9", "name", "mv0", accept=[0])
    weft.plugged("blue/mv")
    run("ip", "link", "delete", "mv0", accept=[0])
    wait_for(lambda: weft.state_of("blue/mv") == "waiting", "it waits for the device")
    run(*make, accept=[0])
    weft.plugged("blue/mv")
    wait_for(lambda: machine.n1.ping("10.0.1.77"), "what is behind it is reached again")
    weft.weft("port", "add", "blue/low", "--subnet", "lan", "--device", "low", "--link", "on")
    wait_for(lambda: "macvlan mv0 on top" in reason(weft, "blue/low"), "below a macvlan")
    weft.weft("port", "remove", "blue/low")
    weft.weft("port", "remove", "blue/mv")
    as_before("mv0", before)


class Tap:
    """The file of a macvtap device: what a virtual machine has in its hands."""
    SET_FLAGS, TAP_NO_HEADER = 0x400454CA, 0x1002

    def __init__(self, name):
        folder = f"/sys/class/net/{name}/tap{device(name)['ifindex']}/dev"
        with open(folder, encoding="ascii") as file:
            major, minor = map(int, file.read().split(":"))
        self.path = f"/run/weft/{name}"
        os.mknod(self.path, 0o20600, os.makedev(major, minor))
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        request = struct.pack("16sH22x", name.encode(), self.TAP_NO_HEADER)
        fcntl.ioctl(self.fd, self.SET_FLAGS, request)

    def send(self, frame):
        os.write(self.fd, frame)

    def receive(self, text):
        """A frame with this text in it, or None; what else comes is forgotten."""
        while select.select([self.fd], [], [], 0.2)[0]:
            frame = os.read(self.fd, 65536)
            if text in frame:
                return frame
        return None

    def close(self):
        os.close(self.fd)
        os.unlink(self.path)


def macvtap_on_cable(name, address):
    """NAME on one end of a cable, whose other end is eth0 in a namespace."""
    far = Netns(f"{name}f")
    cable(far, "eth0", f"{name}l", address)
    run("ip", "link", "set", f"{name}l", "up", accept=[0])
    run("ip", "link", "add", name, "link", f"{name}l", "type", "macvtap", "mode", "passthru",
        accept=[0])
    return far


def text(words):
    return words.ljust(46, b".")


@statement("a macvtap is a port: what is behind it is reached, and its file is without frames")
def macvtap(weft, machine):
    far = macvtap_on_cable("mt0", "10.0.1.78/24")
    run("ip", "link", "set", "mt0", "up", accept=[0])
    before, tap = device("mt0"), Tap("mt0")
    outside = far.wire()
    outside.send(ethernet(BROADCAST, outside.mac, 0x88B5, text(b"before")))
    check(wait_for(lambda: tap.receive(b"before"), "the file hears the wire"), "a frame")
    weft.weft("port", "add", "blue/mt", "--subnet", "lan", "--device", "mt0", "--link", "on")
    weft.plugged("blue/mt")
    wait_for(lambda: machine.n1.ping("10.0.1.78"), "what is behind it is reached")
    check(far.reaches("10.0.1.11"), "and reaches a port")
    inside = machine.n1.wire()
    outside.send(ethernet(inside.mac, outside.mac, 0x88B5, text(b"for the port")))
    inside.expect(lambda packet: b"for the port" in packet.frame, "a frame by the macvtap")
    check(tap.receive(b"for the port") is None, "the file has a frame that is the port's")
    tap.send(ethernet(outside.mac, device("mt0")["address"], 0x88B5, text(b"by the file")))
    outside.expect(lambda packet: b"by the file" in packet.frame, "what the file sends")
    weft.weft("port", "remove", "blue/mt")
    as_before("mt0", before)
    outside.send(ethernet(BROADCAST, outside.mac, 0x88B5, text(b"after")))
    wait_for(lambda: tap.receive(b"after"), "the file hears the wire again")
    tap.close()


@statement("a machine at the file of a macvtap, behind a cable that is a port")
def macvtap_machine(weft, machine):
    run("ip", "link", "add", "c0", "type", "veth", "peer", "name", "c1", accept=[0])
    run("ip", "link", "set", "c1", "up", accept=[0])
    run("ip", "link", "add", "mt1", "link", "c1", "type", "macvtap", "mode", "bridge", accept=[0])
    run("ip", "link", "set", "mt1", "up", accept=[0])
    tap, inside, mac = Tap("mt1"), machine.n1.wire(), device("mt1")["address"]
    weft.weft("port", "add", "blue/vm", "--subnet", "lan", "--device", "c0", "--link", "on")
    weft.plugged("blue/vm")
    inside.send(ethernet(BROADCAST, inside.mac, 0x88B5, text(b"to all")))
    wait_for(lambda: tap.receive(b"to all"), "the machine hears a broadcast")
    tap.send(ethernet(inside.mac, mac, 0x88B5, text(b"from the machine")))
    inside.expect(lambda packet: b"from the machine" in packet.frame, "what it sends")
    inside.send(ethernet(mac, inside.mac, 0x88B5, text(b"to the machine")))
    wait_for(lambda: tap.receive(b"to the machine"), "the machine hears what is its own")
    weft.weft("port", "remove", "blue/vm")
    tap.close()
    run("ip", "link", "delete", "c0", accept=[0])


@statement("a macvtap is an uplink: the kernel says of all its frames that they are the host's")
def macvtap_uplink(weft, machine):
    far = macvtap_on_cable("mt2", "10.0.4.78/24")
    before = device("mt2")
    host = weft.get("/v1/status")["host"]["name"]
    weft.apply(f"hosts: {{{host}: {{underlay: 192.0.2.77/32, uplinks: {{taps: mt2}}}}}}")
    weft.weft("subnet", "add", "blue/taps", "--cidr", "10.0.4.0/24", "--mode", "l2", "--segment",
              "flat", "--network", "taps")
    weft.weft("port", "add", "blue/n4", "--subnet", "taps", "--address", "10.0.4.11", "--netns",
              "n1", "--ifname", "eth4", "--group", "open")
    weft.plugged("blue/n4")
    wait_for(lambda: machine.n1.ping("10.0.4.78"), "a station behind the uplink is reached")
    check(far.reaches("10.0.4.11"), "and reaches the port")
    run("ip", "address", "add", "10.0.4.99/24", "dev", "mt2", accept=[0])
    wait_for(lambda: far.ping("10.0.4.99"), "an address that the host gives it later")
    run("ip", "address", "delete", "10.0.4.99/24", "dev", "mt2", accept=[0])
    wait_for(lambda: far.ping("10.0.4.11"), "without it the port is reached again")
    weft.weft("port", "remove", "blue/n4")
    weft.weft("subnet", "remove", "blue/taps")
    weft.weft("host", "set", host, "--uplink", "taps=")
    as_before("mt2", before)


def as_before(name, before):
    """Flags, MAC, MTU, alias and filters of a device are as they were."""
    def same():
        now = device(name)
        return all(now.get(key) == before.get(key)
                   for key in ("address", "mtu", "ifalias", "link")) and \
            {"UP", "PROMISC"} & set(now["flags"]) == {"UP", "PROMISC"} & set(before["flags"])
    wait_for(same, f"{name} is as it was: {before}, {device(name)}")
    for where in ("ingress", "egress"):
        wait_for(lambda at=where: not run("tc", "filter", "show", "dev", name, at).stdout,
                 f"no {where} filters of {name}")
    wait_for(lambda: "clsact" not in run("tc", "qdisc", "show", "dev", name).stdout, "no qdisc")


@statement("addresses are taken when told to, and come back with their routes")
def taken(weft, machine):
    run("ip", "route", "add", "192.0.2.0/24", "via", "10.0.1.101", "metric", "7", accept=[0])
    run("ip", "address", "add", "fd00:1::201/64", "dev", "nic0", "nodad", accept=[0])
    weft.weft("port", "set", "blue/nic", "--take-addresses", "on")
    wait_for(lambda: addresses("nic0") == [], "the host has none there")
    check(not machine.far.ping("10.0.1.201"), "the host answers all the same")
    wait_for(lambda: machine.far.ping("10.0.1.11"), "the port goes on")
    weft.weft("port", "set", "blue/nic", "--take-addresses", "off")
    wait_for(lambda: sorted(addresses("nic0")) == ["10.0.1.201", "fd00:1::201"], "they are back")
    wait_for(lambda: machine.far.ping("10.0.1.201"), "the host answers")
    check("192.0.2.0/24 via 10.0.1.101 dev nic0" in run("ip", "route").stdout, "so is the route")


@statement("a kill -9 forgets nothing: what the port had goes back when it goes")
def restart(weft, machine):
    weft.weft("port", "set", "blue/nic", "--take-addresses", "on")
    wait_for(lambda: addresses("nic0") == [], "the host has none there")
    weft.restart(9)
    weft.plugged("blue/nic", "blue/w1")
    check(machine.far.reaches("10.0.1.11"), "the wire carries on")
    equal(addresses("nic0"), [], "the host's addresses after the restart")
    weft.weft("port", "remove", "blue/nic")
    wait_for(lambda: sorted(addresses("nic0")) == ["10.0.1.201", "fd00:1::201"], "they are back")
    check("192.0.2.0/24 via 10.0.1.101 dev nic0" in run("ip", "route").stdout, "so is the route")
    wait_for(lambda: machine.far.ping("10.0.1.201"), "the host answers")
    as_before("nic0", device("nic0"))


@statement("an export says what was written, and the device is in the list")
def exported(weft, _machine):
    check("device: v0" in weft.weft("export").stdout, "the device in the export")
    check("device v0" in weft.weft("port", "list").stdout, "the device in the list of ports")
    equal(weft.port("blue/w1")["status"]["device"], "v0", "the device in the status")


@statement("--remove-datapath puts back what ports and uplinks had")
def removed(weft, _machine):
    run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up0p", accept=[0])
    run("ip", "link", "set", "up0", "up", accept=[0])
    run("ip", "address", "add", "10.8.8.8/24", "dev", "up0", accept=[0])
    run("ip", "address", "add", "10.9.9.9/24", "dev", "v0", accept=[0])
    before, veth_before = device("up0"), device("v0")
    weft.weft("port", "set", "blue/w1", "--take-addresses", "on")
    wait_for(lambda: addresses("v0") == [], "the host has none there")
    host = weft.get("/v1/status")["host"]["name"]
    weft.apply(f"hosts: {{{host}: {{underlay: 192.0.2.77/32, uplinks: {{net1: up0}}}}}}")
    wait_for(lambda: "PROMISC" in device("up0")["flags"], "the uplink takes frames to all MACs")
    equal(addresses("up0"), ["10.8.8.8"], "the addresses of an uplink")
    weft.weft("host", "set", host, "--uplink", "net1=up0:take-addresses")
    wait_for(lambda: addresses("up0") == [], "the addresses of the uplink are taken")
    check("take_addresses: true" in weft.weft("export").stdout, "the export says so")
    done = weft.weft("port", "add", "blue/up", "--subnet", "lan", "--device", "up0", accept=(1,))
    check("device up0 is the uplink of host" in done.stderr, done.stderr)
    weft.end()
    run(WEFTD, "--name", weft.name, "--state", weft.state, "--remove-datapath", accept=[0])
    equal(addresses("v0"), ["10.9.9.9"], "the addresses of the port's device")
    equal(addresses("up0"), ["10.8.8.8"], "the addresses of the uplink")
    as_before("up0", before)
    as_before("v0", veth_before)
    weft.start()
    weft.plugged("blue/w1", "blue/n1")
    wait_for(lambda: "PROMISC" in device("up0")["flags"], "it is the uplink again")


main(Machine)
