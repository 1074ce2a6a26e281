#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ports and their devices: veth by name, path and pid, tap, tun; and what happens to them.

      subnet web 10.0.1.0/24:  a .11 (netns a)   b .12 (netns b)   vm .13 (tap)   l3 .14 (tun)

A namespace that goes away and comes back, a device that somebody deletes, a MAC that is changed:
weftd puts it right by itself and says so.
"""
import json
import os
import socket
import struct
import subprocess
import time

from harness import (Netns, Tap, check, equal, main, run, statement, tcp_works, wait_for)
from packets import ARP, ICMP, IPV4, arp_request, ethernet, icmp_echo, ipv4

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets: {web: {cidr: 10.0.1.0/24}}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
        egress: [{protocol: all, to: 0.0.0.0/0}]
    ports:
      a:  {subnet: web, address: 10.0.1.11, security_groups: [open], attach: {netns: a}}
      b:  {subnet: web, address: 10.0.1.12, security_groups: [open], attach: {netns: b}}
      vm:
        {subnet: web, address: 10.0.1.13, security_groups: [open], attach: {tap: tapvm, queues: 4}}
      l3: {subnet: web, address: 10.0.1.14, security_groups: [open], attach: {tun: tunl3}}
"""


class Ports:
    """The two namespaces; the tap and the tun are of the machine."""

    def __init__(self, weft):
        self.a = Netns("a")
        weft.apply(INTENT)
        weft.plugged("blue/a", "blue/vm", "blue/l3")
        self.b = None


def devices(netns=None):
    words = ("ip", "-j", "link", "show") if netns is None else ("ip", "-n", netns, "-j", "link")
    return {link["ifname"]: link for link in json.loads(run(*words).stdout)}


@statement("a port whose namespace does not exist waits, and says so")
def waits(weft, _ports):
    status = weft.port("blue/b")["status"]
    equal(status["state"], "waiting", "state")
    check("b" in (status["reason"] or ""), f"reason: {status['reason']}")
    check("waiting" in weft.weft("port", "show", "blue/b").stdout, "port show does not say it")


@statement("it is plugged when the namespace appears, with addresses and routes")
def appears(weft, ports):
    ports.b = Netns("b")
    weft.plugged("blue/b")
    check(ports.a.reaches("10.0.1.12"), "ping to the new namespace")
    equal(ports.b.mac(), weft.port("blue/b")["mac"], "MAC inside")
    routes = ports.b.run("ip", "route").stdout
    check("default via 10.0.1.1" in routes, f"routes inside: {routes}")


@statement("a namespace that goes away and comes back is plugged again")
def comes_back(weft, ports):
    ports.b.delete()
    wait_for(lambda: weft.state_of("blue/b") == "waiting", "the port waits")
    ports.b = Netns("b")
    weft.plugged("blue/b")
    check(ports.a.reaches("10.0.1.12"), "ping to the namespace that came back")


@statement("a packet for a port that is not plugged is dropped as port_down")
def unplugged(weft, ports):
    mac_b = ports.b.mac()
    ports.b.delete()
    wait_for(lambda: weft.state_of("blue/b") == "waiting", "the port waits")
    wire = ports.a.wire()
    with weft.dropped("port_down"):
        wire.send(ethernet(mac_b, wire.mac, IPV4, ipv4("10.0.1.11", "10.0.1.12", ICMP,
                                                       icmp_echo())))
    ports.b = Netns("b")
    weft.plugged("blue/b")


@statement("the device is deleted inside the namespace: it is made again")
def deleted_inside(weft, ports):
    before = weft.port("blue/b")["status"]["ifindex"]
    ports.b.run("ip", "link", "delete", "eth0", accept=[0])
    wait_for(lambda: weft.port("blue/b")["status"]["ifindex"] not in (0, before), "a new device")
    weft.plugged("blue/b")
    wait_for(lambda: ports.a.ping("10.0.1.12"), "ping")


@statement("the device is deleted on the host's side: it is made again")
def deleted_outside(weft, ports):
    status = weft.port("blue/b")["status"]
    run("ip", "link", "delete", status["device"], accept=[0])
    wait_for(lambda: weft.port("blue/b")["status"]["ifindex"] not in (0, status["ifindex"]),
             "a new device")
    wait_for(lambda: ports.a.ping("10.0.1.12"), "ping")


@statement("the device is set down behind Weft's back: it is set up again")
def down_and_up(weft, ports):
    device = weft.port("blue/b")["status"]["device"]
    run("ip", "link", "set", device, "down", accept=[0])
    wait_for(lambda: "UP" in devices()[device]["flags"], "the device is up again")
    wait_for(lambda: ports.a.ping("10.0.1.12"), "ping")


@statement("a MAC changed inside the namespace is set back")
def mac_changed(weft, ports):
    wanted = weft.port("blue/b")["mac"]
    ports.b.run("ip", "link", "set", "eth0", "address", "02:00:00:00:00:77", accept=[0])
    wait_for(lambda: ports.b.mac() == wanted, "the MAC is set back")
    wait_for(lambda: ports.a.ping("10.0.1.12"), "ping")


@statement("a namespace that changes its device without end fills no log: the rest is counted")
def fills_no_log(weft, ports):
    def lines():
        with open(weft.log_path, encoding="utf-8") as file:
            return [line for line in file if "port=blue/a" in line]
    before, began, mac = len(lines()), time.monotonic(), ports.a.mac()
    for _ in range(100):
        ports.a.run("ip", "link", "set", "eth0", "address", "02:00:00:00:99:99", accept=[0])
        wait_for(lambda: ports.a.mac() == mac, "the MAC is set back")
    # Of each kind of line a burst of ten, then one a second.
    most = 2 * (12 + time.monotonic() - began)
    found = lines()[before:]
    check(len(found) <= most, f"{len(found)} lines, at most {most:.0f}: {found[-2:]}")


@statement("an address changed by `weft port set` reaches the workload, the old one is gone")
def address_changed(weft, ports):
    weft.weft("port", "set", "blue/b", "--address", "10.0.1.22")
    wait_for(lambda: "10.0.1.22" in ports.b.run("ip", "addr").stdout, "the address inside")
    wait_for(lambda: "10.0.1.12/" not in ports.b.run("ip", "addr").stdout, "the old one is gone")
    check(ports.a.reaches("10.0.1.22"), "ping of the new address")
    with weft.dropped("unknown_neighbour"):
        ports.a.run("ip", "neigh", "flush", "dev", "eth0")
        ports.a.silent_ping("10.0.1.12")
    weft.weft("port", "set", "blue/b", "--address", "10.0.1.12")
    wait_for(lambda: ports.a.ping("10.0.1.12"), "ping of the first address")


@statement("a namespace given by its path and by a process is plugged")
def path_and_pid(weft, ports):
    there = Netns("bypath")
    weft.weft("port", "add", "blue/bypath", "--subnet", "web", "--netns", there.path,
              "--group", "open", "--address", "10.0.1.31")
    with subprocess.Popen(["unshare", "--net", "sleep", "600"]) as process:
        def moved():
            return os.readlink(f"/proc/{process.pid}/ns/net") != os.readlink("/proc/self/ns/net")
        wait_for(moved, "the process has a namespace of its own")
        weft.http("PUT", "/v1/vpcs/blue/ports/bypid", {
            "subnet": "web", "address": "10.0.1.32", "security_groups": ["open"],
            "attach": {"pid": process.pid}})
        weft.plugged("blue/bypath", "blue/bypid")
        check(ports.a.reaches("10.0.1.31"), "ping by path")
        check(ports.a.reaches("10.0.1.32"), "ping by pid")
        process.kill()
    weft.weft("port", "remove", "blue/bypath")
    weft.weft("port", "remove", "blue/bypid")


@statement("a tap answers ARP and carries IP both ways")
def tap(weft, ports):
    vm = Tap("tapvm")
    mac = weft.port("blue/vm")["mac"]

    def ask():  # the kernel takes a moment to open a device's queue after its carrier is there
        vm.send(arp_request(mac, "10.0.1.13", "10.0.1.11"))
        return vm.receive(lambda packet: packet.ethertype == ARP and packet.operation == 2, 0.2)
    answer = wait_for(ask, "an ARP answer at the tap")

    def echo():
        vm.send(ethernet(answer.sender_mac, mac, IPV4, ipv4("10.0.1.13", "10.0.1.11", ICMP,
                                                            icmp_echo(5, 1, b"from a tap"))))
        return vm.receive(lambda packet: packet.protocol == ICMP, 0.2)
    reply = wait_for(echo, "an echo reply at the tap")
    check(reply and reply.kind == 0 and reply.payload == b"from a tap", f"echo reply: {reply}")
    with weft.dropped("spoofed_mac"):
        vm.send(ethernet(answer.sender_mac, "02:00:00:00:00:66", IPV4,
                         ipv4("10.0.1.13", "10.0.1.11", ICMP, icmp_echo())))
    with ports.a.socket(kind=2) as client:
        client.sendto(b"to the tap", ("10.0.1.13", 4000))
        packet = vm.receive(lambda found: found.destination_port == 4000)
        check(packet and packet.payload == b"to the tap", "datagram to the tap")
    vm.close()


@statement("a tap has several queues and outlives the program that held it")
def tap_queues(weft, _ports):
    first, second = Tap("tapvm"), Tap("tapvm")
    first.close()
    second.close()
    weft.plugged("blue/vm")
    Tap("tapvm").close()


@statement("a tun carries IP without Ethernet both ways")
def tun(_weft, ports):
    l3 = Tap("tunl3", tun=True, multi_queue=False, vnet_header=False)

    def reply():  # the kernel takes a moment to open a device's queue after its carrier is there
        l3.send(ipv4("10.0.1.14", "10.0.1.11", ICMP, icmp_echo(6, 1, b"from a tun")))
        packet = l3.read(0.2)
        return packet if packet and packet[9] == ICMP and packet.endswith(b"from a tun") else None
    packet = wait_for(reply, "echo reply at the tun")
    equal(packet[20], 0, "ICMP type")
    with ports.a.socket(kind=2) as client:
        client.sendto(b"to the tun", ("10.0.1.14", 4000))
        wait_for(lambda: (l3.read(2) or b"").endswith(b"to the tun"), "datagram at the tun")
    l3.close()


@statement("nothing of a port is lost because its device was up before the pipeline knew it")
def known_first(weft, _ports):
    before = weft.counter("unknown_port")
    names = [f"new{number}" for number in range(20)]
    for name in names:
        Netns(name)
        weft.weft("port", "add", f"blue/{name}", "--subnet", "web", "--netns", name)
    weft.weft("port", "add", "blue/late", "--subnet", "web", "--netns", "late")
    late = Netns("late")
    weft.plugged(*(f"blue/{name}" for name in names), "blue/late")
    check(late.ping("10.0.1.1"), "the gateway does not answer")
    equal(weft.counter("unknown_port"), before, "packets that came before their port was known")
    for name in [*names, "late"]:
        weft.weft("port", "remove", f"blue/{name}")
        run("ip", "netns", "delete", name, accept=[0])


@statement("a port that is removed takes its devices with it")
def removed(weft, ports):
    device = weft.port("blue/b")["status"]["device"]
    weft.weft("port", "remove", "blue/b")
    wait_for(lambda: device not in devices(), "the host's end is gone")
    check("eth0" not in devices("b"), "eth0 is still in the namespace")
    weft.weft("port", "remove", "blue/vm")
    wait_for(lambda: "tapvm" not in devices(), "the tap is gone")
    check(ports.a.reaches("10.0.1.1"), "the port that stayed works")


@statement("segmentation offload passes: a large transfer arrives whole")
def offload(weft, ports):
    ports.b.delete()
    ports.b = Netns("b")
    weft.weft("port", "add", "blue/b", "--subnet", "web", "--netns", "b", "--group", "open")
    weft.plugged("blue/b")
    address = weft.port("blue/b")["addresses"][0]
    check(tcp_works(ports.a, ports.b, address, 5000), "connection")
    transfer(ports, address)


@statement("so does one in frames of more than 64 KiB (BIG TCP)")
def big(weft, ports):
    def drops():
        verdicts = weft.get("/v1/counters")["verdicts"]
        return {name: verdicts[name]["packets"] for name in ("bad_header", "too_big")}
    before = drops()
    for netns in (ports.a, ports.b):
        set_gso_size(netns, devices(netns.name)["eth0"]["ifindex"], 185000)
    transfer(ports, weft.port("blue/b")["addresses"][0])
    equal(drops(), before, "dropped packets")


def set_gso_size(netns, ifindex, size):
    """IFLA_GSO_IPV4_MAX_SIZE and IFLA_GSO_MAX_SIZE, of which iproute2 here knows one."""
    with netns.inside():
        rtnetlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with rtnetlink:
        body = struct.pack("=BxHiII", 0, 0, ifindex, 0, 0)
        body += b"".join(struct.pack("=HHI", 8, kind, size) for kind in (63, 41))
        rtnetlink.send(struct.pack("=IHHII", 16 + len(body), 16, 5, 1, 0) + body)
        equal(struct.unpack("=i", rtnetlink.recv(4096)[16:20])[0], 0, "the kernel's answer")


def transfer(ports, address):
    """200 MB from a to b, which arrive as they are sent."""
    with subprocess.Popen(["nsenter", "--net=/run/netns/b", "sh", "-c",
                           "nc -l 5001 | sha256sum"], stdout=subprocess.PIPE, text=True) as sink:
        def listening():
            return ":5001" in ports.b.run("ss", "-ltn").stdout
        wait_for(listening, "nc listens")
        ports.a.run("sh", "-c", f"head -c 200000000 /dev/zero | nc -N {address} 5001", accept=[0])
        digest = sink.communicate(timeout=180)[0].split()[0]
    wanted = run("sh", "-c", "head -c 200000000 /dev/zero | sha256sum").stdout.split()[0]
    equal(digest, wanted, "digest of what arrived")


main(Ports)
