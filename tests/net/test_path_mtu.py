#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An underlay that eats large packets is noticed, and is no black hole.

      h1: blue/a ---- br0 ---- h2: blue/b

The way to h2 drops what is larger than 1400 bytes, without a word.
"""
import shutil
import socket

from cluster import Etcd, Host, converged, told, underlay
from harness import Netns, Skip, check, equal, main, pair, run, statement, wait_for

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    subnets:
      one: {cidr: [10.0.1.0/24, "fd00:b:0:1::/64"]}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}, {protocol: all, from: "::/0"}]
        egress: [{protocol: all, to: 0.0.0.0/0}, {protocol: all, to: "::/0"}]
    ports:
      a: {subnet: one, addresses: [10.0.1.11, "fd00:b:0:1::11"], security_groups: [open], host: h1,
          attach: {netns: a}}
      b: {subnet: one, addresses: [10.0.1.12, "fd00:b:0:1::12"], security_groups: [open], host: h2,
          attach: {netns: b}}
"""
OVERHEAD = 50  # VXLAN over IPv4
NARROW = 1400


class Cluster:
    """Two hosts with one port each."""

    def __init__(self):
        if not shutil.which("etcd"):
            raise Skip("etcd is not installed")
        underlay()
        etcd = Etcd()
        self.hosts = [Host(number, ("--store", etcd.url(), "--underlay", f"192.0.2.{number}/24"))
                      for number in (1, 2)]
        self.h1, self.h2 = self.hosts
        self.a, self.b = Netns("a"), Netns("b")
        for host in self.hosts:
            host.start()
        wait_for(lambda: len(self.h1.get("/v1/hosts")) == 2, "two hosts")
        self.h1.apply(INTENT)
        converged(*self.hosts)
        self.h1.plugged("blue/a")
        self.h2.plugged("blue/b")
        self.path("ok")

    def path(self, text, seconds=60):
        for one, other in ((self.h1, "h2"), (self.h2, "h1")):
            wait_for(lambda one=one, other=other: one.host_status(other).get("path") == text,
                     f"the path from {one.name}: {text}", seconds)

    def set_width(self, mtu):
        """The bridge drops what is larger than the MTU of the port it goes out by."""
        run("ip", "link", "set", "uh2", "mtu", mtu, accept=[0])

    def largest(self, address, most):
        """The largest packet that is answered unfragmented."""
        header = 48 if ":" in address else 28
        low, high = 1000, most + 1
        while high - low > 1:
            size = (low + high) // 2
            done = self.a.run("ping", "-n", "-M", "do", "-c", "1", "-W", "10", "-s", size - header,
                              address)
            low, high = (size, high) if done.returncode == 0 else (low, size)
        return low

    def transfer(self, address, size=1 << 20):
        """A megabyte through a new connection; whether all of it arrived."""
        one, other = pair(self.a, self.b, address, 7000)
        with one, other:
            other.settimeout(60)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            one.sendall(bytes(size))
            got = 0
            while got < size:
                got += len(other.recv(65536))
        return got == size


@statement("ports get what the underlay leaves, and exactly that comes through")
@told
def wide(_, cluster):
    equal(cluster.h1.host_status("h2")["path_mtu"], 1500, "path MTU")
    equal(cluster.largest("10.0.1.12", 1500), 1500 - OVERHEAD, "largest IPv4 packet")
    equal(cluster.largest("fd00:b:0:1::12", 1500), 1500 - OVERHEAD, "largest IPv6 packet")
    check(cluster.transfer("10.0.1.12"), "a megabyte")


@statement("a way that eats large packets is found to the byte, and `weft host list` says so")
@told
def narrow(_, cluster):
    cluster.set_width(NARROW)
    wait_for(lambda: cluster.h1.host_status("h2")["path"] == f"eats packets over {NARROW}",
             "h1 finds the width", 60)
    # The other way: a veth takes four bytes more, the room of a VLAN tag.
    wait_for(lambda: cluster.h2.host_status("h1")["path_mtu"] == NARROW + 4, "h2 finds it", 60)
    check(f"eats packets over {NARROW}" in cluster.h1.weft("host", "list").stdout, "host list")
    check(f"over {NARROW}" in cluster.h1.problems(), cluster.h1.problems())


@statement("tenants are told the size that fits, and large transfers go through, old and new")
@told
def no_black_hole(_, cluster):
    equal(cluster.largest("10.0.1.12", 1450), NARROW - OVERHEAD, "largest IPv4 packet")
    equal(cluster.largest("fd00:b:0:1::12", 1450), NARROW - OVERHEAD, "largest IPv6 packet")
    done = cluster.a.run("ping", "-n", "-M", "do", "-c", "1", "-W", "10", "-s", 1400, "10.0.1.12")
    said = (done.stdout + done.stderr).replace("mtu = ", "mtu=")
    check(f"mtu={NARROW - OVERHEAD}" in said, said)
    check(cluster.transfer("10.0.1.12"), "a megabyte over IPv4")
    check(cluster.transfer("fd00:b:0:1::12"), "a megabyte over IPv6")


@statement("when the way is wide again that is found as well")
@told
def wide_again(_, cluster):
    cluster.set_width(1500)
    cluster.path("ok")
    equal(cluster.h1.problems(), "", "problems of h1")
    cluster.a.run("ip", "route", "flush", "cache")
    check(cluster.transfer("10.0.1.12"), "a megabyte")


@statement("a host that does not answer is shown, and its rows stay")
@told
def silent(_, cluster):
    cluster.h2.cable(False)
    wait_for(lambda: cluster.h1.host_status("h2")["path"] == "no answer", "no answer", 60)
    cluster.h2.cable(True)
    cluster.path("ok")
    check(cluster.a.reaches("10.0.1.12", 3), "a reaches b")


main(lambda weft: Cluster(), start=False)
