#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The examples of several hosts: what their headings say, over real underlays.

    two-hosts            h1 -- r1 -- r2 -- h2        routers between, VXLAN (T11)
    flood-group          h1, h2 and a foreign kernel's vxlan on one segment (T12)
    distributed-router   two VNIs joined on every host (T13)
    encapsulations       every form of tunnel side by side
    ipv6-underlay        IPv6 outside, both inside
    three-hosts          a host and a store member taken down and back
    moving-port          a port goes to another host while somebody talks to it
"""
import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile

from harness import WEFT, check, equal, main, run, statement, wait_for
from labs import lab

KINDS = ("vxlan", "geneve", "nvgre", "gretap", "gre", "ipip", "fou", "gue")


def pings(cloud, node, address, *options):
    """ping with options: whether every request was answered."""
    return cloud.run(node, "ping", "-n", "-c1", "-W30", *options, address).returncode == 0


def largest(cloud, node, address):
    """A packet as large as the device takes, which must not be fragmented: (arrives, MTU)."""
    link = json.loads(cloud.run(node, "ip", "-j", "link", "show", "dev", "eth0").stdout)[0]
    header = 48 if ":" in address else 28
    return pings(cloud, node, address, "-M", "do", "-s", str(link["mtu"] - header)), link["mtu"]


class Wire:
    """Packets that pass a device of a node while the block runs, as tcpdump prints them."""

    def __init__(self, cloud, node, device, *words):
        self.cloud, self.node, self.device, self.words = cloud, node, device, words

    def __enter__(self):
        # pylint: disable=consider-using-with
        self.file = tempfile.NamedTemporaryFile("w+")
        self.process = self.cloud.start(self.node, "tcpdump", "-lnne", "-i", self.device,
                                        *self.words, stdout=self.file,
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "listening on" in line:
                break
        return self

    def __exit__(self, *_unused):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def text(self):
        with open(self.file.name, encoding="utf-8") as file:
            return file.read()

    def wait(self, pattern):
        wait_for(lambda: re.search(pattern, self.text()), f"{pattern} on {self.node}")
        return self.text()


@statement("T11: VTEP-1 to VTEP-2 over two routers; the outer MAC is the router's, the id is 10")
def two_hosts(_weft):
    with lab("two-hosts") as cloud:
        check(cloud.reaches("lan/a", "10.10.0.12"), "a to b")
        check(cloud.reaches("lan/b", "10.10.0.11"), "b to a")
        router = json.loads(cloud.run("r1", "ip", "-j", "link", "show", "eth0").stdout)[0]
        with Wire(cloud, "h1", "eth0", "udp", "port", "4789") as wire:
            check(cloud.reaches("lan/a", "10.10.0.12"), "a to b")
            seen = wire.wait(r"192\.0\.2\.1\.\d+ > 198\.51\.100\.1\.4789: VXLAN.*vni 10")
        check(f"> {router['address']}" in seen, f"not to the router's MAC:\n{seen}")
        check(largest(cloud, "lan/a", "10.10.0.12")[0], "a packet of the device's MTU")
        trace = cloud.trace("lan/a", "--to", "10.10.0.12", "--icmp", "echo")
        equal((trace["verdict"], trace["to"]), ("delivered", {"host": "h2", "port": "lan/b"}),
              "the trace")
        followed(cloud)
        cloud.serve("lan/b", 8080)
        equal(cloud.fetch("lan/a", "10.10.0.12", 8080), "hello from lan/b", "TCP")
        status = json.loads(cloud.weft("--json", "port", "show", "lan/b").stdout)["status"]
        equal((status["state"], status["host"], status["since"]), ("elsewhere", "h2", None),
              "h1 knows of h2's port where it is, and no more")
        equal(cloud.trace("lan/b", "--to", "10.10.0.11")["note"],
              "port lan/b is on host h2, nothing of it begins here: trace it there",
              "a trace of h2's port on h1")
        lost(cloud)


def followed(cloud):
    """A trace goes to the other host and back, and each host judges for itself."""
    for words in (("--icmp", "echo"), ("--tcp", "8080", "--from-port", "40000"), ("--udp", "53")):
        trace = cloud.trace("lan/a", "--to", "10.10.0.12", *words)
        hosts = [stage["host"] for stage in trace["stages"]]
        turns = [host for i, host in enumerate(hosts) if i == 0 or hosts[i - 1] != host]
        back = trace["back"]
        equal(turns, ["h1", "h2", "h1"], f"hosts of {words}")
        equal((back["verdict"], back["to"]), ("delivered", {"host": "h1", "port": "lan/a"}),
              f"the way back of {words}")
        equal(hosts[back["first_stage"]], "h2", "where the way back begins")
        objects = [stage["object"] for stage in trace["stages"] if stage["stage"] == "tunnel"]
        equal(objects, ["port lan/b", "host h1 (vpc lan)", "port lan/a", "host h2 (vpc lan)"],
              "the tunnels")
    cloud.weft("rule", "remove", "lan/open", "ingress", "all", "--from", "10.10.0.0/16")
    wait_for(lambda: cloud.trace("lan/a", "--to", "10.10.0.12")["reason"] == "group_ingress",
             "the receiver's host drops it")
    trace = cloud.trace("lan/a", "--to", "10.10.0.12")
    equal((trace["verdict"], trace["stages"][-1]["host"]), ("dropped", "h2"), "who dropped it")
    cloud.weft("rule", "add", "lan/open", "ingress", "all", "--from", "10.10.0.0/16")
    wait_for(lambda: cloud.trace("lan/a", "--to", "10.10.0.12")["verdict"] == "delivered",
             "it passes again")


def lost(cloud):
    """A host that does not answer: what is known is said, and nobody else waits meanwhile."""
    run(WEFT, "lab", "kill", "two-hosts", "h2", accept=[0])
    asked = []

    def meanwhile():
        """Whether the trace waits while the daemon answers others; who is slow tries again."""
        asked.append(cloud.start("h1", WEFT, "trace", "lan/a", "--to", "10.10.0.12",
                                 stdout=subprocess.PIPE, text=True))
        left = cloud.start("h1", WEFT, "trace", "lan/a", "--to", "10.10.0.12",
                           stdout=subprocess.DEVNULL)
        cloud.weft("status")
        waits = asked[-1].poll() is None
        left.kill()
        return waits
    wait_for(meanwhile, "the trace waits while the daemon answers others")
    ask = asked[-1]
    text = ask.communicate(timeout=60)[0]
    equal(ask.returncode, 1, "status")
    check("sent to host h2, which did not answer" in text, text)
    cloud.weft("status")


@statement("T12: a segment flooded by a group, on port 8472, with a foreign kernel on it")
def flood_group(_weft):
    with lab("flood-group") as cloud:
        check(cloud.reaches("lan/a", "10.42.0.12"), "a to b")
        for words in ("link add vx type vxlan id 42 group 239.1.1.42 dstport 8472 dev eth0",
                      "address add 10.42.0.9/24 dev vx", "link set vx up"):
            cloud.run("other", "ip", *words.split(), accept=[0])
        for node in ("lan/a", "lan/b"):
            check(cloud.reaches(node, "10.42.0.9"), f"{node} to the foreign station")
        check(cloud.reaches("other", "10.42.0.11"), "the foreign station to a")
        check(cloud.reaches("other", "10.42.0.12"), "the foreign station to b")


@statement("T13: two VNIs are joined on every host; each direction crosses in the other's segment")
def distributed_router(_weft):
    with lab("distributed-router") as cloud:
        check(cloud.reaches("net/red1", "10.5.2.12"), "red1 to blue2")
        check(cloud.reaches("net/red1", "10.5.2.11"), "red1 to blue1, on the same host")
        with Wire(cloud, "h2", "eth0", "udp") as wire:
            check(cloud.reaches("net/red1", "10.5.2.12"), "red1 to blue2")
            wire.wait(r"192\.0\.2\.1\.\d+ > 192\.0\.2\.2\.6081: Geneve.*vni 0x258")
            wire.wait(r"192\.0\.2\.2\.\d+ > 192\.0\.2\.1\.4789: VXLAN.*vni 500")


@statement("every encapsulation carries a subnet, and the router joins them")
def encapsulations(_weft):
    with lab("encapsulations") as cloud:
        for index, kind in enumerate(KINDS):
            address = f"10.0.{index + 1}.12"
            check(cloud.reaches(f"all/{kind}1", address), f"{kind}: ping")
            fits, mtu = largest(cloud, f"all/{kind}1", address)
            check(fits, f"{kind}: a packet of {mtu} bytes")
            cloud.serve(f"all/{kind}2", 8080)
            equal(cloud.fetch(f"all/{kind}1", address, 8080), f"hello from all/{kind}2", kind)
            other = f"10.0.{(index + 3) % len(KINDS) + 1}.12"
            check(cloud.reaches(f"all/{kind}1", other), f"{kind} to {other}")


@statement("an IPv6 underlay carries IPv4 and IPv6")
def ipv6_underlay(_weft):
    with lab("ipv6-underlay") as cloud:
        for node, address in (("a1", "10.0.1.12"), ("a1", "fd00:6:0:1::12"), ("b1", "10.0.2.12"),
                              ("b1", "fd00:6:0:2::12"), ("a1", "10.0.2.12"),
                              ("a1", "fd00:6:0:2::12")):
            check(cloud.reaches(f"v6/{node}", address), f"{node} to {address}")
            check(largest(cloud, f"v6/{node}", address)[0], f"{node} to {address}, large")


def still_talks(cloud, what):
    check(cloud.reaches("shop/web1", "10.3.2.20"), f"web1 to db, {what}")
    check(cloud.reaches("shop/web2", "10.3.2.20"), f"web2 to db, {what}")


@statement("three hosts: a daemon and a store member die and come back, nobody notices")
def three_hosts(_weft):
    with lab("three-hosts") as cloud:
        still_talks(cloud, "all up")
        cloud.serve("shop/db", 5432)
        equal(cloud.fetch("shop/web1", "10.3.2.20", 5432), "hello from shop/db", "TCP")
        run(WEFT, "lab", "kill", "three-hosts", "h2", accept=[0])
        still_talks(cloud, "h2's daemon dead")
        run(WEFT, "lab", "kill", "three-hosts", "store1", accept=[0])
        still_talks(cloud, "and a store member")
        wait_for(lambda: cloud.weft("rule", "add", "shop/web", "ingress", "tcp", "8080", "--from",
                                    "10.3.0.0/16", accept=(0, 1)).returncode == 0,
                 "a change with two members of three")
        run(WEFT, "lab", "start", "three-hosts", "h2", accept=[0])
        still_talks(cloud, "h2 back")
        cloud.serve("shop/web2", 8080)
        wait_for(lambda: cloud.fetch("shop/web1", "10.3.1.12", 8080) == "hello from shop/web2",
                 "h2 has the rule that was made while it was down")
        run(WEFT, "lab", "start", "three-hosts", "store1", accept=[0])
        hosts = json.loads(cloud.weft("--json", "host", "list").stdout)
        check("h2" in json.dumps(hosts), "h2 is listed")


ECHO = """
import socket
server = socket.create_server(("", 8081))
talk, _ = server.accept()
while data := talk.recv(100):
    talk.sendall(data)
"""
TALK = """
import socket
with socket.create_connection(("10.7.0.12", 8081), timeout=30) as talk:
    while True:
        for _ in range(100):
            talk.sendall(b".")
            talk.recv(1)
        print("hundred", flush=True)
"""


@contextlib.contextmanager
def conversation(cloud):
    """One TCP connection from client to server, which must still be good at the end."""
    cloud.start("move/server", "python3", "-c", ECHO)
    wait_for(lambda: ":8081 " in cloud.run("move/server", "ss", "-Hltn").stdout, "the server")
    with tempfile.NamedTemporaryFile("w+") as file:
        talk = cloud.start("move/client", "python3", "-c", TALK, stdout=file)

        def said():
            return open(file.name, encoding="utf-8").read().count("hundred")

        wait_for(lambda: said() > 3, "the connection")
        yield
        before = said()
        wait_for(lambda: said() > before + 3, "the connection goes on after the move")
        check(talk.poll() is None, "the client has given up")


@statement("moving-port: the port goes to another host, the talk goes on; the gap is told")
def moving_port(_weft):
    with lab("moving-port") as cloud, conversation(cloud):
        check(cloud.reaches("move/client", "10.7.0.12"), "before")
        with tempfile.NamedTemporaryFile("w+") as file:
            ping = cloud.start("move/client", "ping", "-n", "-D", "-i", "0.01", "10.7.0.12",
                               stdout=file)
            wait_for(lambda: open(file.name, encoding="utf-8").read().count("icmp_seq") > 20,
                     "twenty answers")
            cloud.weft("port", "set", "move/server", "--host", "h3")
            at = len(open(file.name, encoding="utf-8").read())
            wait_for(lambda: open(file.name, encoding="utf-8").read()[at:].count("icmp_seq") > 50,
                     "fifty more answers")
            ping.send_signal(signal.SIGINT)
            ping.wait()
            times = [float(match) for match in re.findall(
                r"^\[([0-9.]+)\].*icmp_seq", open(file.name, encoding="utf-8").read(), re.M)]
        gap = max(b - a for a, b in zip(times, times[1:]))
        print(f"the longest time without an answer: {gap * 1000:.0f} ms", flush=True)
        check(cloud.reaches("move/client", "10.7.0.12"), "after")
        where = json.loads(cloud.weft("--json", "port", "show", "move/server").stdout)
        equal(where["host"], "h3", "where it is")


os.environ.setdefault("LC_ALL", "C")
main(start=False)
