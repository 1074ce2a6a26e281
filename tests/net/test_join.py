#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Three hosts become a cluster by `weft host init` and `weft host join`, each a member of etcd.

      br0 ---- h1 (init), h2, h3 (join)      TLS between all, an authority of their own

Then members are killed, the quorum is lost, a host is cut off: traffic goes on, and all converges
after.
"""
import os
import shutil
import signal
import ssl
import socket

from cluster import Host, converged, told, underlay
from harness import RUN, WEFTD, Netns, Skip, check, equal, main, run, statement, wait_for
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
      a1: {subnet: one, address: 10.0.1.11, security_groups: [open], attach: {netns: a1}}
      b1: {subnet: two, address: 10.0.2.11, security_groups: [open], attach: {netns: b1}}
"""


class Cluster:
    """Three hosts that do not know of one another yet; the first has an intent of its own."""

    def __init__(self):
        if not shutil.which("etcd"):
            raise Skip("etcd is not installed")
        underlay()
        self.hosts = [Host(number) for number in (1, 2, 3)]
        self.h1, self.h2, self.h3 = self.hosts
        self.a1, self.b1 = Netns("a1"), Netns("b1")
        self.token = None
        for host in self.hosts:
            host.start()
        self.h1.apply(INTENT)
        self.h1.plugged("blue/a1", "blue/b1")

    def load(self):
        """Traffic on the first host."""
        return Load(self.a1, self.b1, "10.0.2.11", 7000, 7001)

    def load_across(self):
        """Traffic from the first host to the third."""
        return Load(self.a1, self.c3, "10.0.1.13", 7000, 7001)

    def etcd_pid(self, host):
        with open(f"{host.state}/etcd/pid", encoding="ascii") as file:
            return int(file.read().split()[0])

    def ready(self, *hosts):
        for host in hosts:
            wait_for(lambda host=host: host.status()["daemon"]["state"] == "ready",
                     f"{host.name} is ready ({host.problems()})")


@statement("init takes the intent of a lone host along, and its traffic does not notice")
@told
def init(_, cluster):
    with cluster.load() as load:
        load.goes_on(50)
        answer = cluster.h1.json("host", "init", "--with-etcd", "--underlay", cluster.h1.address)
        cluster.token = answer["token"]
        load.goes_on(50)
    cluster.h1.plugged("blue/a1", "blue/b1")
    equal(cluster.h1.get("/v1/vpcs/blue/ports/a1")["host"], "h1", "host of a1")
    wait_for(lambda: cluster.h1.others() == {"h1": "here"}, "h1 is a host")
    check("in a cluster already" in
          cluster.h1.weft("host", "init", "--with-etcd", accept=[1]).stderr, "no second init")


@statement("a wrong token and a wrong authority are refused with a sentence")
@told
def wrong(_, cluster):
    prefix, secret, authority = cluster.token.split("-")
    done = cluster.h2.weft("host", "join", cluster.h1.address, "--token",
                           f"{prefix}-{'0' * len(secret)}-{authority}", accept=[1])
    check("token" in done.stderr, done.stderr)
    done = cluster.h2.weft("host", "join", cluster.h1.address, "--token",
                           f"{prefix}-{secret}-{'0' * len(authority)}", accept=[1])
    check("nothing was sent" in done.stderr, done.stderr)
    equal(cluster.h2.status()["daemon"]["store"], "sqlite", "store of h2")


@statement("two hosts join, one with the token in a file")
@told
def join(_, cluster):
    cluster.h2.weft("host", "join", cluster.h1.address, "--token", cluster.token, "--with-etcd")
    path = f"{RUN}/token"
    with open(path, "w", encoding="ascii") as file:
        file.write(cluster.token + "\n")
    cluster.h3.weft("host", "join", cluster.h1.address, "--token-file", path, "--with-etcd")
    cluster.ready(*cluster.hosts)
    for host in cluster.hosts:
        wait_for(lambda host=host: sorted(host.others().values()) == ["alive", "alive", "here"],
                 f"{host.name} sees all alive")
    converged(*cluster.hosts)
    cluster.h3.weft("port", "add", "blue/c3", "--subnet", "one", "--host", "h3", "--netns", "c3",
                    "--address", "10.0.1.13", "--group", "open")
    cluster.c3 = Netns("c3")
    cluster.h3.plugged("blue/c3")
    for host in cluster.hosts:
        wait_for(lambda host=host: host.status()["daemon"]["store"].count(":2379") == 3,
                 f"{host.name} knows three members")


@statement("who runs a member of the store lets hosts in while the first host is away; others "
           "do not")
@told
def other_signs(_, cluster):
    for host in cluster.hosts:
        equal(os.stat(f"{host.state}/tls/ca.key").st_mode & 0o777, 0o600, f"mode on {host.name}")
    h4 = Host(4)
    h4.start()
    token = cluster.h2.json("host", "token")["token"]
    cluster.h1.pause()
    try:
        h4.weft("host", "join", cluster.h2.address, "--token", token)
        cluster.ready(h4)
        wait_for(lambda: cluster.h3.others().get("h4") == "alive", "h3 sees h4")
    finally:
        cluster.h1.pause(False)
    done = h4.weft("host", "token", accept=[1])
    check("another that runs a member of the store: 192.0.2." in done.stderr, done.stderr)
    check(not os.path.exists(f"{h4.state}/tls/ca.key"), "h4 has no key of the authority")
    equal(h4.end(), 0, "exit status of h4")
    cluster.h1.weft("host", "remove", "h4")


@statement("etcd wants a certificate of the cluster, and secrets are in nobody's arguments")
@told
def secured(_, cluster):
    context = ssl.create_default_context(cafile=f"{cluster.h1.state}/tls/ca.pem")
    with cluster.h2.netns.inside():
        plain = socket.create_connection((cluster.h1.address, 2379), 30)
    try:
        with context.wrap_socket(plain, server_hostname=cluster.h1.address) as wrapped:
            wrapped.sendall(b"POST /v3/kv/range HTTP/1.1\r\nHost: h1\r\nContent-Length: 14\r\n\r\n"
                            b'{"key":"eA=="}')
            check(b"200" not in wrapped.recv(4096)[:20], "an answer without a certificate")
    except (ssl.SSLError, ConnectionResetError):
        pass
    secret = cluster.token.split("-")[1]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                check(secret.encode() not in file.read(), f"the secret is in /proc/{pid}/cmdline")
        except OSError:
            pass
    for host in cluster.hosts:
        done = run("find", host.state, "-name", "*.key", "-perm", "/077")
        equal(done.stdout, "", "keys that others may read")


@statement("an etcd that is killed is started again, and one that outlives weftd is found again")
@told
def etcd_lives(_, cluster):
    with cluster.load_across() as load:
        before = cluster.etcd_pid(cluster.h2)
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: cluster.etcd_pid(cluster.h2) != before, "h2 starts its etcd again")
        pid = cluster.etcd_pid(cluster.h1)
        cluster.h1.end(signal.SIGKILL)
        cluster.h1.start()
        cluster.h3.end(signal.SIGKILL)
        cluster.h3.start()
        load.goes_on(50)
    equal(cluster.etcd_pid(cluster.h1), pid, "pid of h1's etcd")
    check("etcd runs already" in cluster.h1.log(400), "h1 says so")
    cluster.ready(*cluster.hosts)


@statement("one member of three is away: changes go on everywhere")
@told
def one_away(_, cluster):
    for host in cluster.hosts:
        pid = cluster.etcd_pid(host)
        os.kill(pid, signal.SIGSTOP)
        try:
            cluster.h1.add_vpc(f"v{host.number}")
        finally:
            os.kill(pid, signal.SIGCONT)
    cluster.ready(*cluster.hosts)
    converged(*cluster.hosts)


@statement("without a quorum traffic goes on, changes are refused, and all converges after")
@told
def no_quorum(_, cluster):
    pids = [cluster.etcd_pid(host) for host in (cluster.h2, cluster.h3)]
    with cluster.load_across() as load:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        load.goes_on(50)
        wait_for(lambda: "store" in cluster.h1.problems(), "h1 says that the store is away", 60)
        cluster.h1.weft("vpc", "add", "never", "--cidr", "10.0.0.0/16", accept=[1])
        load.goes_on(50)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        cluster.ready(*cluster.hosts)
        cluster.h1.add_vpc("after")
        load.goes_on(50)
    converged(*cluster.hosts)


@statement("a host that is cut off keeps its ports, is late for the others, and catches up")
@told
def cut_off(_, cluster):
    with cluster.load() as load:
        cluster.h1.cable(False)
        cluster.h2.add_vpc("meanwhile")  # h1's member may have been the leader
        wait_for(lambda: cluster.h2.others()["h1"] in ("late", "gone"), "h1 is late", 60)
        load.goes_on(50)
        cluster.h1.plugged("blue/a1", "blue/b1")
        cluster.h1.cable(True)
        cluster.ready(cluster.h1)
        load.goes_on(50)
    converged(*cluster.hosts)
    wait_for(lambda: cluster.h2.others()["h1"] == "alive", "h1 is alive again")


@statement("weftd --stop-etcd ends what it started; --end-etcd does so at its own end")
@told
def ends(_, cluster):
    for host in cluster.hosts:
        pid = cluster.etcd_pid(host)
        equal(host.end(), 0, f"exit status of {host.name}")
        check(os.path.exists(f"/proc/{pid}"), f"etcd of {host.name} goes on")
    for host in cluster.hosts[1:]:
        pid = cluster.etcd_pid(host)
        host.netns.run(WEFTD, "--state", host.state, "--stop-etcd",
                       accept=[0])
        wait_for(lambda pid=pid: gone(pid), f"etcd of {host.name} has ended")
    cluster.h1.start("--end-etcd")
    pid = cluster.etcd_pid(cluster.h1)
    equal(cluster.h1.end(), 0, "exit status of h1")
    wait_for(lambda: gone(pid), "etcd of h1 has ended")


def gone(pid):
    """Ended, whether or not somebody has collected it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


main(lambda weft: Cluster(), start=False)
