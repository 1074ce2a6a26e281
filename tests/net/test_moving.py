#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A virtual machine that moves between hosts while others talk to it, as in live migration.

      etcd ---- br0 ---- h1: blue/client       h2: blue/vm (tap vm0)  ...>  h3: blue/vm (tap vm0)

The machine is a namespace whose frames a thread carries to and from the tap of the host that it
runs on: paused on h2, resumed on h3, where it says so by RARP, like QEMU. Its TCP connections, its
addresses and its MAC stay.
"""
import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import tempfile
import threading
import time

import groups
from cluster import Hosts, converged, told
from harness import Netns, check, equal, main, pair, run, statement, wait_for

MAC = "02:00:00:00:01:21"
INTENT = f"""
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    subnets:
      one: {{cidr: 10.0.1.0/24}}
      two: {{cidr: 10.0.2.0/24}}
      lan: {{cidr: [10.0.3.0/24, "fd00:b::/64"], mode: l2, multicast: snoop,
             query_interval: 1000}}
    security_groups:
      open:
        ingress: [{{protocol: all, from: 10.0.0.0/16}}, {{protocol: all, from: "fd00:b::/48"}}]
    ports:
      client: {{subnet: one, address: 10.0.1.11, security_groups: [open], host: h1,
                attach: {{netns: client}}}}
      near: {{subnet: two, address: 10.0.2.12, security_groups: [open], host: h2,
              attach: {{netns: near}}}}
      vm: {{subnet: one, address: 10.0.1.21, mac: "{MAC}", security_groups: [open], host: h2,
            attach: {{tap: vm0}}}}
      near-lan: {{subnet: lan, addresses: [10.0.3.11, "fd00:b::11"], security_groups: [open],
                  host: h1, attach: {{netns: nearlan}}}}
      roam: {{subnet: lan, addresses: [10.0.3.21, "fd00:b::21"], mac: "02:00:00:00:03:21",
              security_groups: [open], host: h2, attach: {{tap: roam0}}}}
"""
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000


def open_tap(netns, name):
    with netns.inside():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


class Machine(Netns):
    """A virtual machine: its kernel is a namespace, its hypervisor a thread."""

    def __init__(self, name, tap, mac, address):
        super().__init__(name)
        self.tap, self.mac_bytes = tap, bytes.fromhex(mac.replace(":", ""))
        self.inner, self.outer, self.thread = open_tap(self, "eth0"), None, None
        self.stop, self.wake = os.pipe()
        for words in (("link", "set", "eth0", "address", mac, "mtu", "1450"),
                      ("address", "add", f"{address}/24", "dev", "eth0"),
                      ("link", "set", "eth0", "up"),
                      ("route", "add", "default", "via", address.rsplit(".", 1)[0] + ".1")):
            self.run("ip", *words, accept=[0])

    def resume(self, host, say=True):
        """It runs on this host now, and says so."""
        self.outer = open_tap(host.netns, self.tap)
        if say:
            os.write(self.outer, b"\xff" * 6 + self.mac_bytes + bytes.fromhex(
                "8035" "0001" "0800" "06" "04" "0003") + (self.mac_bytes + bytes(4)) * 2 +
                bytes(18))
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def pause(self):
        os.write(self.wake, b"x")
        self.thread.join()
        os.read(self.stop, 1)
        os.close(self.outer)

    def carry(self):
        other = {self.inner: self.outer, self.outer: self.inner}
        while True:
            ready, _, _ = select.select([self.inner, self.outer, self.stop], [], [])
            if self.stop in ready:
                return
            for fd in ready:
                with contextlib.suppress(BlockingIOError, OSError):
                    os.write(other[fd], os.read(fd, 65536))


class Cluster(Hosts):
    """Three hosts, one member of etcd, and the machine."""

    def __init__(self):
        super().__init__(3)
        self.client, self.near = Netns("client"), Netns("near")
        self.lan = Netns("nearlan")
        self.start()
        self.h1.apply(INTENT)
        converged(*self.hosts)
        self.h1.plugged("blue/client", "blue/near-lan")
        self.h2.plugged("blue/vm", "blue/near")
        self.vm = Machine("vm", "vm0", MAC, "10.0.1.21")
        self.vm.resume(self.h2)
        self.talk = pair(self.client, self.vm, "10.0.1.21", 5000)
        self.inward = pair(self.vm, self.near, "10.0.2.12", 5001)

    def host_of(self, name="vm"):
        return self.h1.get(f"/v1/vpcs/blue/ports/{name}")["host"]

    def state(self, host, name="vm"):
        return host.get(f"/v1/vpcs/blue/ports/{name}")["status"]

    def dropped(self, host, reason):
        return host.json("counters", reason)["verdicts"].get(reason, {}).get("packets", 0)

    def says(self):
        """Both connections go on, both ways."""
        for one, other in (self.talk, self.inward):
            for sender, receiver in ((one, other), (other, one)):
                sender.sendall(b"hello")
                equal(receiver.recv(16), b"hello", "what arrives of the connection")

    def ready(self, host):
        wait_for(lambda: self.state(host)["state"] == "ready", f"vm is ready on {host.name}")
        converged(*self.hosts)


class Pings:
    """Pings without pause from a namespace; the longest time without an answer."""

    def __init__(self, netns, address, interval="0.002"):
        # pylint: disable=consider-using-with
        self.file = tempfile.NamedTemporaryFile("w+")
        self.process = netns.start("ping", "-n", "-D", "-i", interval, address, stdout=self.file)
        self.goes_on()

    def text(self):
        with open(self.file.name, encoding="utf-8") as file:
            return file.read()

    def goes_on(self, count=50):
        begin = self.text().count("icmp_seq")
        wait_for(lambda: self.text().count("icmp_seq") > begin + count, "pings are answered")

    def gap(self):
        self.goes_on()
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        times = [float(match) for match in re.findall(r"^\[([0-9.]+)\].*icmp_seq", self.text(),
                                                      re.M)]
        return max(b - a for a, b in zip(times, times[1:]))


@statement("a port that is to move is made ready on the other host and stays active where it is")
@told
def ready(_, cluster):
    cluster.says()
    cluster.h1.weft("port", "move", "blue/vm", "--to", "h3")
    cluster.ready(cluster.h3)
    equal(cluster.state(cluster.h3)["host"], "h2", "where it is active")
    equal(cluster.state(cluster.h2)["state"], "plugged", "its state on h2")
    check("first frame" in cluster.state(cluster.h3)["note"], "the note on h3")
    check(cluster.client.reaches("10.0.1.21"), "it answers from h2")
    cluster.says()


@statement("the first frame on the other host (RARP) makes it active there; no connection breaks, "
           "and the gap is told")
@told
def rarp(_, cluster):
    pings = Pings(cluster.client, "10.0.1.21")
    cluster.vm.pause()
    begin = time.monotonic()
    cluster.vm.resume(cluster.h3)
    gap = pings.gap()
    wait_for(lambda: cluster.host_of() == "h3", "the port is on h3")
    print(f"# paused to resumed on h3: the longest time without an answer {gap * 1000:.0f} ms, "
          f"port moved within {(time.monotonic() - begin) * 1000:.0f} ms", flush=True)
    check(gap < 20, f"the gap is {gap:.3f} s")
    cluster.says()
    wait_for(lambda: cluster.state(cluster.h3)["state"] == "plugged", "it is plugged on h3")
    equal(cluster.state(cluster.h3)["claim"], 2, "its claim")
    converged(*cluster.hosts)
    wait_for(lambda: cluster.state(cluster.h2)["state"] == "elsewhere", "h2 lets go of it")
    equal(cluster.h1.get("/v1/vpcs/blue/ports/vm")["moving_to"], None, "moving_to")


@statement("what an idle kernel sends does not make it active; a command does")
@told
def command(_, cluster):
    cluster.h2.weft("port", "move", "blue/vm", "--to", "h2", "--activation", "command")
    cluster.ready(cluster.h2)
    cluster.vm.pause()
    cluster.vm.resume(cluster.h2)
    wait_for(lambda: cluster.dropped(cluster.h2, "not_active") > 0, "frames on h2 are dropped")
    equal(cluster.host_of(), "h3", "where the port is")
    done = cluster.h1.weft("port", "activate", "blue/vm")
    check("is active" in done.stdout, done.stdout)
    wait_for(lambda: cluster.client.ping("10.0.1.21"), "it answers from h2")
    cluster.says()
    equal(cluster.h1.get("/v1/vpcs/blue/ports/vm")["activation"], "first-frame", "activation")
    done = cluster.h1.weft("port", "activate", "blue/vm", accept=[1])
    check("not about to move" in done.stderr, done.stderr)


@statement("refusals say why: a host that is not there, the host it is on, a process")
@told
def refusals(_, cluster):
    for words, sentence in ((("--to", "h9"), 'no host "h9"'),
                            (("--to", "h2"), "it is on host h2 already"),
                            (("--cancel", "--to", "h3"), "either --to")):
        done = cluster.h1.weft("port", "move", "blue/vm", *words, accept=[1, 2])
        check(sentence in done.stderr, f"{words}: {done.stderr}")
    cluster.h1.weft("port", "move", "blue/vm", "--to", "h3")
    cluster.ready(cluster.h3)
    cluster.h1.weft("port", "move", "blue/vm", "--cancel")
    wait_for(lambda: cluster.state(cluster.h3)["state"] == "elsewhere", "h3 lets go of it")
    cluster.says()


@statement("a host that has not heard of the move yet reaches the port by the host it was on")
@told
def stragglers(_, cluster):
    cluster.h1.weft("port", "move", "blue/vm", "--to", "h3")
    cluster.ready(cluster.h3)
    cluster.h1.pause()
    try:
        before = cluster.dropped(cluster.h2, "sent_on")
        cluster.vm.pause()
        cluster.vm.resume(cluster.h3)
        wait_for(lambda: cluster.state(cluster.h2)["state"] == "elsewhere", "h2 let go of it")
        check(cluster.client.reaches("10.0.1.21", 5), "h1, which does not know, reaches it")
        cluster.says()
        check(cluster.dropped(cluster.h2, "sent_on") > before, "h2 has sent on")
    finally:
        cluster.h1.pause(False)
    converged(*cluster.hosts)

    def straight():
        """Whether h2 has nothing to do with it; what was sent before may still be on its way."""
        after = cluster.dropped(cluster.h2, "sent_on")
        cluster.says()
        return cluster.dropped(cluster.h2, "sent_on") == after
    wait_for(straight, "no packet is sent on once h1 knows")


@statement("a host that is cut off the store lets go of a port that has moved away: the newer "
           "claim wins, and it says so")
@told
def older_claim(_, cluster):
    lost, other = (cluster.h3, cluster.h2) if cluster.host_of() == "h3" else (cluster.h2,
                                                                             cluster.h3)
    claim = cluster.state(lost)["claim"]
    # What is on its way in must not arrive either: a watch lives on a connection that is there.
    lost.netns.run("ip", "route", "add", "blackhole", "192.0.2.254/32", accept=[0])
    run("ip", "route", "add", "blackhole", f"{lost.address}/32", accept=[0])
    try:
        wait_for(lambda: "store" in lost.problems(), f"{lost.name} says that the store is away", 60)
        equal(cluster.state(lost)["state"], "plugged", f"its state on {lost.name}, cut off")
        cluster.h1.weft("port", "move", "blue/vm", "--to", other.name)
        wait_for(lambda: cluster.state(other)["state"] == "ready", "made ready")
        cluster.vm.pause()
        cluster.vm.resume(other)
        wait_for(lambda: cluster.state(lost)["state"] == "elsewhere", f"{lost.name} lets go of it")
        status = cluster.state(lost)
        check(f"{other.name} has the newer claim" in status["note"], status["note"])
        equal((status["host"], status["claim"]), (other.name, claim + 1), "where it is by then")
        check("store" in lost.problems(), f"{lost.name} is still cut off")
        cluster.says()
    finally:
        lost.netns.run("ip", "route", "delete", "blackhole", "192.0.2.254/32", accept=[0])
        run("ip", "route", "delete", "blackhole", f"{lost.address}/32", accept=[0])
    wait_for(lambda: lost.status()["daemon"]["state"] == "ready", f"{lost.name} is back", 60)
    converged(*cluster.hosts)
    wait_for(lambda: {cluster.state(host)["claim"] for host in cluster.hosts} == {claim + 1},
             "the claims")
    cluster.says()


@statement("in an l2 subnet a port that has moved is announced: gratuitous ARP, unsolicited "
           "neighbour advertisement")
@told
def announced(_, cluster):
    with tempfile.NamedTemporaryFile("w+") as file:
        process = cluster.lan.start("tcpdump", "-lnne", "-i", "eth0", "ether", "src",
                                    "02:00:00:00:03:21", stdout=file, stderr=subprocess.PIPE,
                                    text=True)
        for line in process.stderr:
            if "listening on" in line:
                break
        cluster.h1.weft("port", "set", "blue/roam", "--host", "h3")
        try:
            for text in ("Request who-has 10.0.3.21 (ff:ff:ff:ff:ff:ff) tell 10.0.3.21|"
                         "Request who-has 10.0.3.21 tell 10.0.3.21|Announcement 10.0.3.21",
                         "neighbor advertisement, tgt is fd00:b::21"):
                wait_for(lambda text=text: any(one in open(file.name, encoding="utf-8").read()
                                               for one in text.split("|")), text)
        finally:
            process.kill()
            process.wait()


@statement("what a machine listens to goes with it: it is asked where it has come to, long before "
           "everybody is")
@told
def listens(_, cluster):
    group = "239.1.2.3"
    machine = Machine("roam", "roam0", "02:00:00:00:03:21", "10.0.3.21")
    for words in (("ip", "link", "set", "eth0", "down"),
                  ("sysctl", "-qw", "net.ipv4.igmp_qrv=1"),  # it reports unasked, once
                  ("ip", "link", "set", "eth0", "up")):
        machine.run(*words, accept=[0])
    machine.resume(cluster.h3)

    def known(host):
        return [one["port"] for one in host.json("multicast")["members"]
                if one["group"] == group and one["port"] == "blue/roam"]
    with groups.listener(machine, group):
        wait_for(lambda: known(cluster.h3), "h3 knows that it listens")
        cluster.h1.weft("port", "move", "blue/roam", "--to", "h2")
        wait_for(lambda: cluster.state(cluster.h2, "roam")["state"] == "ready", "ready on h2")
        machine.pause()
        machine.resume(cluster.h2)
        wait_for(lambda: cluster.host_of("roam") == "h2", "the port is on h2")
        wait_for(lambda: known(cluster.h2), "h2 knows that it listens")


main(lambda weft: Cluster(), start=False)
