#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Frames of several packets, into tunnels that number or sum each packet.

      vm -- tap --+
      a -- veth --+-- h1 ==== gre, checksum, sequence   (subnet one, a route) ====+-- h2 -- far
      vm2 -- tap -+      ==== vxlan over IPv6, checksum (subnet lan, a member) ===+      -- far2
      b -- h3 == vxlan == h1

h1 (with h3) and h2 are installations of their own: each is a foreign end
for the other. build/weft-machine stands for the virtual machines: it carries large segments between
the tap and a device of theirs.
"""
import hashlib
import json
import shutil
import subprocess
import threading

from cluster import Etcd, Host, told, underlay
from harness import BUILD, Netns, Skip, check, equal, listen, main, statement, wait_for

SIZE = 8_000_000

NEAR = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      one: {cidr: 10.0.1.0/24}
      lan: {cidr: 10.0.3.0/24, mode: l2}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
        egress: [{protocol: all, to: 0.0.0.0/0}]
    ports:
      vm: {subnet: one, address: 10.0.1.10, host: h1, mac: "02:00:00:00:01:10",
           security_groups: [open], attach: {tap: tapvm}}
      a: {subnet: one, address: 10.0.1.11, host: h1, security_groups: [open], attach: {netns: a}}
      b: {subnet: one, address: 10.0.1.12, host: h3, security_groups: [open], attach: {netns: b}}
      vm2: {subnet: lan, address: 10.0.3.10, host: h1, mac: "02:00:00:00:03:10",
            security_groups: [open], attach: {tap: tapvm2}}
    tunnels:
      site: {type: gre, host: h1, remote: 192.0.2.2, checksum: true, sequence: true, id: 7}
      lan: {type: vxlan, host: h1, remote: "2001:db8::2", id: 77, checksum: true, subnet: lan}
    route_tables:
      main: {routes: [{to: 10.9.0.0/16, via: "tunnel:site"}]}
"""

FAR = """
hosts:
  h2: {underlay: [192.0.2.2/24, "2001:db8::2/64"]}
vpcs:
  site:
    cidrs: [10.9.0.0/16, 10.0.3.0/24]
    subnets:
      one: {cidr: 10.9.1.0/24}
      lan: {cidr: 10.0.3.0/24, mode: l2}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
        egress: [{protocol: all, to: 0.0.0.0/0}]
    ports:
      far: {subnet: one, address: 10.9.1.20, security_groups: [open], attach: {netns: far}}
      far2: {subnet: lan, address: 10.0.3.20, security_groups: [open], attach: {netns: far2}}
    tunnels:
      back: {type: gre, remote: 192.0.2.1, checksum: true, sequence: true, id: 7}
      lan: {type: vxlan, remote: "2001:db8::1", id: 77, checksum: true, subnet: lan}
    route_tables:
      main: {routes: [{to: 10.0.1.0/24, via: "tunnel:back"}]}
"""


class World:
    """Two installations, and machines behind taps."""

    def __init__(self, _weft):
        if not shutil.which("etcd"):
            raise Skip("etcd is not installed")
        underlay()
        store = ("--store", Etcd().url())
        self.h1, self.h2, self.h3 = self.hosts = [
            Host(number, ("--underlay", f"192.0.2.{number}/24,2001:db8::{number}/64",
                          *(store if number != 2 else ()))) for number in (1, 2, 3)]
        self.a, self.b = Netns("a"), Netns("b")
        self.far, self.far2 = Netns("far"), Netns("far2")
        self.vm, self.vm2 = Netns("vm"), Netns("vm2")
        for host in self.hosts:
            host.start()
        wait_for(lambda: len(self.h1.get("/v1/hosts")) == 2, "h1 knows h3", 30)
        self.h1.apply(NEAR)
        self.h2.apply(FAR)
        self.h1.plugged("blue/a", "blue/vm", "blue/vm2")
        self.h2.plugged("site/far", "site/far2")
        self.h3.plugged("blue/b")
        self.machines = [self.machine(self.vm, "tapvm", "02:00:00:00:01:10", "10.0.1.10/24",
                                      "10.0.1.1"),
                         self.machine(self.vm2, "tapvm2", "02:00:00:00:03:10", "10.0.3.10/24")]

    def machine(self, netns, tap, mac, address, gateway=None):
        mtu = json.loads(self.h1.netns.run("ip", "-j", "link", "show", tap,
                                           accept=[0]).stdout)[0]["mtu"]
        process = self.h1.netns.start(BUILD / "weft-machine", tap, netns.path, "eth0",
                                      stdout=subprocess.PIPE)
        equal(process.stdout.readline().strip(), b"ready", "what weft-machine says")
        netns.run("ip", "link", "set", "eth0", "address", mac, "mtu", mtu, accept=[0])
        netns.run("ip", "address", "add", address, "dev", "eth0", accept=[0])
        netns.run("ip", "link", "set", "eth0", "up", accept=[0])
        if gateway:
            netns.run("ip", "route", "add", "default", "via", gateway, accept=[0])
        return process


def bulk(sender, receiver, address, port):
    """So many bytes over TCP, which arrive as they were sent."""
    data = hashlib.shake_256(address.encode()).digest(1 << 16) * (SIZE >> 16)
    got = hashlib.sha256()
    with listen(receiver, port) as server, sender.socket(timeout=60) as client:
        def take():
            end, _ = server.accept()
            end.settimeout(60)
            while block := end.recv(1 << 20):
                got.update(block)
            end.close()
        server.settimeout(60)
        taker = threading.Thread(target=take)
        taker.start()
        client.connect((address, port))
        client.sendall(data)
        client.shutdown(1)
        taker.join(60)
    equal(got.hexdigest(), hashlib.sha256(data).hexdigest(), f"what came of TCP to {address}")


def frames(world, device):
    """Frames and bytes that came in by a tap."""
    link = json.loads(world.h1.netns.run("ip", "-j", "-s", "link", "show", device,
                                         accept=[0]).stdout)[0]["stats64"]["rx"]
    return link["packets"], link["bytes"]


def large(world, machine, tap, far, address, port):
    """TCP both ways between a virtual machine that sends large frames and the far end."""
    wait_for(lambda: machine.ping(address), f"{address} answers", 30)
    packets, size = frames(world, tap)
    bulk(machine, far, address, port)
    after, more = frames(world, tap)
    check((more - size) / (after - packets) > 2000,
          f"frames of several packets came in: {more - size} bytes in {after - packets}")
    equal(world.h1.counter("tunnel_segments"), 0, "frames dropped")


@statement("a virtual machine's large frames go through GRE with checksums and numbers")
@told
def gre(_weft, world):
    large(world, world.vm, "tapvm", world.far, "10.9.1.20", 7001)
    bulk(world.far, world.vm, "10.0.1.10", 7002)


@statement("and through VXLAN over IPv6 with checksums, to an end that wants them")
@told
def vxlan(_weft, world):
    large(world, world.vm2, "tapvm2", world.far2, "10.0.3.20", 7003)
    bulk(world.far2, world.vm2, "10.0.3.10", 7004)


@statement("so does TCP of a namespace, also when it turns segmentation on again")
@told
def namespace(_weft, world):
    wait_for(lambda: world.a.ping("10.9.1.20"), "far answers", 30)
    bulk(world.a, world.far, "10.9.1.20", 7005)
    bulk(world.far, world.a, "10.0.1.11", 7006)
    world.a.run("ethtool", "-K", "eth0", "tx", "on", "tso", "on", "gso", "on", accept=[0])
    bulk(world.a, world.far, "10.9.1.20", 7015)
    equal(world.h1.counter("tunnel_segments"), 0, "frames dropped")


@statement("and what the NIC has joined on its way from another host to the tunnel")
@told
def joined(_weft, world):
    world.h1.netns.run("ethtool", "-K", "eth0", "gro", "on", accept=[0])
    wait_for(lambda: world.b.ping("10.9.1.20"), "far answers", 30)
    bulk(world.b, world.far, "10.9.1.20", 7009)
    bulk(world.far, world.b, "10.0.1.12", 7010)
    equal(world.h1.counter("tunnel_segments"), 0, "frames dropped")


@statement("the pair of devices is there as long as a VPC needs it")
@told
def pair(_weft, world):
    def there():
        return "ws-h1" in world.h1.netns.run("ip", "-br", "link", accept=[0]).stdout
    check(there(), "the pair is there")
    world.h1.end()
    world.h1.start()
    check(world.vm.reaches("10.9.1.20"), "far answers after a restart")
    bulk(world.vm, world.far, "10.9.1.20", 7007)
    world.h1.apply(NEAR.replace("checksum: true, sequence: true, ", "")
                   .replace("checksum: true", "checksum: false"))
    wait_for(lambda: not there(), "the pair is gone")
    world.h1.apply(NEAR)
    wait_for(there, "the pair is there again")
    wait_for(lambda: world.vm.ping("10.9.1.20"), "far answers", 30)
    bulk(world.vm, world.far, "10.9.1.20", 7008)


if __name__ == "__main__":
    main(World, start=False)
