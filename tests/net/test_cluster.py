#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Hosts that share one store: what one writes is on all, and a store that is away stops no packet.

      etcd ---- br0 ---- h1: blue/a1, blue/b1      h2: blue/a2
"""
import concurrent.futures
import shutil
import signal

from cluster import Hosts, converged, told
from harness import Netns, check, equal, main, statement, wait_for
from traffic import Load

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      one: {cidr: 10.0.1.0/24}
      two: {cidr: 10.0.2.0/24}
    security_groups:
      open:
        ingress: [{protocol: all, from: 10.0.0.0/16}]
        egress: [{protocol: all, to: 0.0.0.0/0}]
    ports:
      a1: {subnet: one, address: 10.0.1.11, security_groups: [open], host: h1, attach: {netns: a1}}
      b1: {subnet: two, address: 10.0.2.11, security_groups: [open], host: h1, attach: {netns: b1}}
      a2: {subnet: one, address: 10.0.1.12, security_groups: [open], host: h2, attach: {netns: a2}}
"""


class Cluster(Hosts):
    """Two hosts, one member of etcd."""

    def __init__(self):
        super().__init__(2)
        self.a1, self.b1, self.a2 = Netns("a1"), Netns("b1"), Netns("a2")
        self.start()

    def ready(self):
        for host in self.hosts:
            wait_for(lambda host=host: host.status()["daemon"]["state"] == "ready",
                     f"{host.name} is ready ({host.problems()})")

    def load(self):
        """Datagrams and connections from one host to the other."""
        return Load(self.a1, self.a2, "10.0.1.12", 7000, 7001)


@statement("what is applied on one host is on the other, and each plugs its own ports in")
@told
def shared(_, cluster):
    cluster.h1.apply(INTENT)
    converged(*cluster.hosts)
    cluster.h1.plugged("blue/a1", "blue/b1")
    cluster.h2.plugged("blue/a2")
    equal(cluster.h2.port_state("blue/a1"), "elsewhere", "a1 as h2 sees it")
    check(cluster.a1.reaches("10.0.2.11"), "a1 reaches b1 on the same host")


@statement("ports reach one another across hosts, in their subnet and between subnets")
@told
def across(_, cluster):
    wait_for(lambda: cluster.a1.ping("10.0.1.12"), "a1 reaches a2 on the other host")
    check(cluster.b1.reaches("10.0.1.12"), "b1 reaches a2 on the other host")
    check(cluster.a2.reaches("10.0.2.11", 5), "a2 reaches b1 on the other host")
    with cluster.load() as load:
        load.goes_on(200)
    wait_for(lambda: cluster.h1.host_status("h2")["path"] == "ok", "the path from h1 to h2")


@statement("hosts that write at the same time all succeed and give no address out twice")
@told
def together(_, cluster):
    def add(number):
        host = cluster.hosts[number % 2]
        return host.weft("port", "add", f"blue/p{number}", "--subnet", "one", "--host", host.name,
                         "--netns", f"p{number}").returncode
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        equal(list(pool.map(add, range(40))), [0] * 40, "exit statuses")
    converged(*cluster.hosts)
    ports = cluster.h2.get("/v1/vpcs/blue/ports")
    addresses = [address for port in ports.values() for address in port["addresses"]]
    equal(len(ports), 43, "ports")
    equal(len(set(addresses)), len(addresses), "addresses that only one port has")
    equal(len({port["mac"] for port in ports.values()}), 43, "MACs that only one port has")


@statement("of two changes of one object neither is lost")
@told
def conflict(_, cluster):
    def add(number):
        host = cluster.hosts[number % 2]
        return host.weft("rule", "add", "blue/open", "ingress", "tcp", str(1000 + number), "--from",
                         "10.0.0.0/16").returncode
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        equal(list(pool.map(add, range(12))), [0] * 12, "exit statuses")
    converged(*cluster.hosts)
    rules = cluster.h1.get("/v1/vpcs/blue/security_groups/open")["ingress"]
    equal(len(rules), 13, "rules")


@statement("both hosts are seen alive; one whose daemon was killed is late, and nothing of it goes")
@told
def liveness(_, cluster):
    for host in cluster.hosts:
        wait_for(lambda host=host: sorted(host.others().values()) == ["alive", "here"],
                 f"{host.name} sees the other alive")
    cluster.h2.end(signal.SIGKILL)
    wait_for(lambda: cluster.h1.others()["h2"] in ("late", "gone"), "h2 is late", 60)
    equal(len(cluster.h1.get("/v1/vpcs/blue/ports")), 43, "ports")
    cluster.h2.start()
    wait_for(lambda: cluster.h1.others()["h2"] == "alive", "h2 is alive again")


@statement("without the store traffic goes on, changes are refused with a reason, and all "
           "converges after")
@told
def outage(_, cluster):
    with cluster.load() as load:
        cluster.etcd.end("e1")
        load.goes_on(50)
        wait_for(lambda: "store" in cluster.h1.problems(), "h1 says that the store is away")
        equal(cluster.h1.status()["daemon"]["state"], "degraded", "state of h1")
        done = cluster.h1.weft("vpc", "add", "red", "--cidr", "10.0.0.0/16", accept=[1])
        check("traffic goes on" in done.stderr or "reach" in done.stderr, done.stderr)
        load.goes_on(50)
        cluster.etcd.start("e1")
        cluster.ready()
        cluster.h1.weft("vpc", "add", "red", "--cidr", "10.0.0.0/16")
        converged(*cluster.hosts)
        load.goes_on(50)


@statement("a daemon that starts while the store is away knows its ports, and converges when it is "
           "back")
@told
def start_alone(_, cluster):
    with cluster.load() as load:
        cluster.etcd.end("e1")
        cluster.h1.end(signal.SIGKILL)
        load.goes_on(50)
        cluster.h1.start()
        cluster.h1.plugged("blue/a1", "blue/b1")
        wait_for(lambda: "store" in cluster.h1.problems(), "h1 says that the store is away")
        load.goes_on(50)
        # A workload's namespace that comes now is served from the copy of the intent.
        cluster.p0 = Netns("p0")
        cluster.h1.plugged("blue/p0")
        cluster.etcd.start("e1")
        cluster.ready()
        cluster.h2.weft("port", "remove", "blue/p1")
        converged(*cluster.hosts)
        load.goes_on(50)


@statement("a daemon without any copy touches nothing until the store is there")
@told
def blind(_, cluster):
    with cluster.load() as load:
        cluster.etcd.end("e1")
        cluster.h1.end(signal.SIGKILL)
        shutil.rmtree(cluster.h1.state)
        cluster.h1.start()
        load.goes_on(100)
        equal(cluster.h1.get("/v1/vpcs"), {}, "VPCs that h1 knows")
        cluster.h1.weft("vpc", "add", "green", "--cidr", "10.0.0.0/16", accept=[1])
        cluster.etcd.start("e1")
        cluster.ready()
        converged(*cluster.hosts)
        load.goes_on(50)
    cluster.h1.plugged("blue/a1", "blue/b1")


@statement("changes that the store has forgotten by the time are found: those made, and those "
           "removed")
@told
def forgotten(_, cluster):
    cluster.h2.pause()
    try:
        cluster.h1.weft("port", "remove", "blue/p2")
        cluster.h1.weft("port", "remove", "blue/p3")
        cluster.h1.weft("port", "add", "blue/late", "--subnet", "two", "--host", "h2")
        cluster.etcd.compact()
        # Its stream is cut, so that what it missed must be asked for.
        cluster.etcd.end("e1")
        cluster.etcd.start("e1")
        wait_for(cluster.etcd.healthy, "etcd answers")
    finally:
        cluster.h2.pause(False)
    converged(*cluster.hosts)
    check(not cluster.h2.has("/v1/vpcs/blue/ports/p2"), "p2 is gone on h2")
    check(cluster.h2.has("/v1/vpcs/blue/ports/late"), "late is there on h2")


@statement("the daemons end well")
@told
def ends(_, cluster):
    for host in cluster.hosts:
        equal(host.end(), 0, f"exit status of {host.name}")


main(lambda weft: Cluster(), start=False)
