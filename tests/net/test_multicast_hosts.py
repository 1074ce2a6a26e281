#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Multicast between subnets and hosts: who gets what, once, and whose host is spared.

The lab is examples/multicast-hosts.yaml. Senders and receivers are sockets of the kernel, which
joins by IGMP or MLD.
"""
import contextlib
import json
import re
import subprocess
import time

from harness import WEFT, Lines, check, equal, main, run, statement, wait_for
from judge import judged
from labs import lab

GROUP = "239.1.1.1"
GROUP6 = "ff15::7700"
RECEIVER = """
import socket, struct, sys
group, source = sys.argv[1], sys.argv[2]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((group, 7700))
s.setsockopt(0, 12, 1)  # IP_RECVTTL
if source:
    s.setsockopt(0, 39, socket.inet_aton(group) + socket.inet_aton("0.0.0.0") +
                 socket.inet_aton(source))  # IP_ADD_SOURCE_MEMBERSHIP
else:
    s.setsockopt(0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + struct.pack("!I", 0))
print("joined", flush=True)
while True:
    data, more, _, sender = s.recvmsg(100, 100)
    print(data.decode(), sender[0], more[0][2][0], flush=True)
"""
JOIN6 = """
import signal, socket, struct, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(41, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, sys.argv[1]) +
             struct.pack("@i", socket.if_nametoindex("eth0")))
print("joined", flush=True)
signal.pause()
"""
SENDER = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(0, socket.IP_MULTICAST_TTL, int(sys.argv[2]))
number = 0
while True:
    s.sendto(b"word%d" % number, (sys.argv[1], 7700))
    number += 1
    time.sleep(0.05)
"""


class Receiver:
    """A socket that listens; its lines are read as they come."""

    def __init__(self, cloud, node, source="", group=GROUP):
        self.node = node
        self.process = cloud.start(node, "python3", "-uc", RECEIVER, group, source,
                                   stdout=subprocess.PIPE, text=True)
        equal(self.process.stdout.readline(), "joined\n", f"{node} joins")

    def line(self):
        """word, sender, TTL."""
        return self.process.stdout.readline().split()

    def end(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def sending(cloud, node, ttl, group=GROUP):
    process = cloud.start(node, "python3", "-uc", SENDER, group, str(ttl))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def carried(cloud, host, count=1, seconds=3):
    """Whether packets to the group come to a host through the underlay."""
    done = cloud.run(host, "timeout", str(seconds), "tcpdump", "-lnni", "eth0", "-c", str(count),
                     "udp", "port", "4789")
    return bool(re.search(rf"> {re.escape(GROUP)}\.7700", done.stdout))


def members(cloud, host="h1", group=GROUP):
    found = json.loads(cloud.weft("--json", "multicast", host=host).stdout)["members"]
    return {(one["subnet"], one["port"]) for one in found if one["group"] == group}


@statement("listeners of other subnets and hosts get each datagram once, with a TTL less by one")
def between(_weft):
    with lab("multicast-hosts") as cloud:
        receivers = {node: Receiver(cloud, f"media/{node}") for node in ("n1", "n2", "sw")}
        with sending(cloud, "media/cam", 5), judged(cloud, "h1", "eth0"):
            for node, receiver in receivers.items():
                lines = [receiver.line() for _ in range(12)]
                equal({(sender, ttl) for _, sender, ttl in lines}, {("10.121.1.10", "4")},
                      f"sender and TTL at {node}")
                words = [word for word, _, _ in lines]
                equal(len(words), len(set(words)), f"datagrams at {node} that came twice")
            for host, member in (("h1", ("media/home", "media/n1")),
                                 ("h1", ("media/home", "host h2 (vpc media)")),
                                 ("h2", ("media/lan", "media/sw"))):
                wait_for(lambda at=host, one=member: one in members(cloud, at),
                         f"{host} knows of {member}")
            spared(cloud)
            source_specific(cloud)
            silent_daemon(cloud)
            removed(cloud)
            receivers.pop("sw").end()
            host_leaves(cloud)
        for receiver in receivers.values():
            receiver.end()


def spared(cloud):
    wait_for(lambda: not carried(cloud, "h3", 200), "h3 has no listeners and gets nothing", 60)
    wait_for(lambda: carried(cloud, "h2", 200), "h2 gets what its ports listen to")
    late = Receiver(cloud, "media/n3")
    equal(late.line()[1:], ["10.121.1.10", "4"], "what n3 gets when it has joined")
    late.end()
    wait_for(lambda: not carried(cloud, "h3", 200), "h3 is spared when n3 has left", 60)


def source_specific(cloud):
    wrong = Receiver(cloud, "media/n3", source="10.121.2.11")
    right = Receiver(cloud, "media/n3", source="10.121.1.10")
    equal(right.line()[1:], ["10.121.1.10", "4"], "what n3 gets of the source it names")
    for receiver in (wrong, right):
        receiver.end()


def silent_daemon(cloud):
    """Who listens goes on listening while its host's daemon is away."""
    late = Receiver(cloud, "media/n3")
    late.line()
    run(WEFT, "lab", "kill", cloud.name, "h3", accept=[0])
    speakers = 2 * 2 + 10  # seconds that a word of a daemon counts
    for _ in range(20 * (speakers + 6)):
        late.line()
    equal(late.line()[1:], ["10.121.1.10", "4"], "what n3 gets without its daemon")
    run(WEFT, "lab", "start", cloud.name, "h3", accept=[0])
    late.end()


ROUTER = """
import socket, struct, sys, time
def total(data):
    words = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while words >> 16:
        words = (words & 0xffff) + (words >> 16)
    return words ^ 0xffff
def sealed(data, at):
    return data[:at] + struct.pack("!H", total(data)) + data[at + 2:]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 3))
query = sealed(struct.pack("!BBHI", 0x11, 100, 0, 0), 2)
header = sealed(struct.pack("!BBHHHBBH4s4sI", 0x46, 0xc0, 32, 0, 0, 1, 2, 0,
                            socket.inet_aton(sys.argv[1]), socket.inet_aton("224.0.0.1"),
                            0x94040000), 10)
s.send(bytes.fromhex("01005e000001") + s.getsockname()[4] + b"\\x08\\0" + header + query)
own = [bytes.fromhex(line[:32]) for line in open("/proc/net/if_inet6")
       if line.startswith("fe80") and line.split()[5] == "eth0"][0]
to = socket.inet_pton(socket.AF_INET6, "ff02::1")
query = struct.pack("!BBHHH16x", 130, 0, 0, 10000, 0)
query = query[:2] + sealed(own + to + struct.pack("!II", 24, 58) + query, 42)[42:]
s.send(bytes.fromhex("333300000001") + s.getsockname()[4] + b"\\x86\\xdd" +
       struct.pack("!IHBB", 6 << 28, 32, 0, 1) + own + to +
       bytes.fromhex("3a00050200000100") + query)
print("asked", flush=True)
while True:
    frame = s.recv(2000)
    if frame[12:14] == b"\\x08\\0" and frame[23] == 2:
        at = 14 + 4 * (frame[14] & 15)
        print("%#x" % frame[at], socket.inet_ntoa(frame[at + 4:at + 8]), flush=True)
    if frame[12:14] == b"\\x86\\xdd" and frame[20] == 0 and frame[54] == 58:
        print("%#x" % frame[62], socket.inet_ntop(socket.AF_INET6, frame[70:86]), flush=True)
"""


def host_leaves(cloud):
    """The last port of a subnet on a host goes: that host can say nothing, the routers behind
    other hosts' ports hear of it."""
    def known(group=GROUP):
        return ("media/lan", "host h3 (vpc media)") in members(cloud, group=group)
    cloud.weft("subnet", "set", "media/lan", "--query-interval", "100")
    router = cloud.start("media/sv", "python3", "-uc", ROUTER, "10.121.3.11",
                         stdout=subprocess.PIPE, text=True)
    said = Lines(router.stdout)
    check(said.find("asked"), "the router asks")
    last = Receiver(cloud, "media/sx")
    last6 = cloud.start("media/sx", "python3", "-uc", JOIN6, GROUP6, stdout=subprocess.PIPE)
    check(Lines(last6.stdout).find("joined"), "sx joins by MLD")
    for group in (GROUP, GROUP6):
        wait_for(lambda one=group: known(one), f"h1 knows that h3 listens to {group}", 60)
    cloud.weft("port", "remove", "media/sx")
    missing, deadline = {f"0x17 {GROUP}", f"0x84 {GROUP6}"}, time.monotonic() + 60
    while missing and time.monotonic() < deadline:
        missing.discard((said.find("0x", 60) or "").strip())
    check(not missing, f"the router does not hear of {missing}")
    for group in (GROUP, GROUP6):
        wait_for(lambda one=group: not known(one), f"h1 forgets h3 and {group}")
    for process in (router, last6):
        process.kill()
        process.wait()
    last.end()


def removed(cloud):
    """The last listener of a host is no port any more: the sender's host hears of it long before
    the row has aged."""
    cloud.weft("subnet", "set", "media/home", "--query-interval", "100")
    late = Receiver(cloud, "media/n3")
    late.line()
    wait_for(lambda: ("media/home", "host h3 (vpc media)") in members(cloud), "h1 knows of n3")
    cloud.weft("port", "remove", "media/n3")
    wait_for(lambda: ("media/home", "host h3 (vpc media)") not in members(cloud),
             "h1 has forgotten n3", 60)
    late.end()


@statement("a TTL of 1 stays in its subnet")
def short(_weft):
    with lab("multicast-hosts") as cloud:
        receiver = Receiver(cloud, "media/n1")
        with sending(cloud, "media/cam", 1):
            wait_for(lambda: cloud.counter("no_listener") > 20, "datagrams end in their subnet")
        with sending(cloud, "media/cam", 2):
            equal(receiver.line()[1:], ["10.121.1.10", "1"], "what arrives has a TTL of 2")
        receiver.end()


FLOOD = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sender.sendto(b"WORD", ("10.121.3.255", 7007))
"""
HEAR = """
import socket
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("", 7007))
print("ready", flush=True)
while True:
    print(heard.recv(100).decode(), flush=True)
"""


def hear(cloud, node):
    """What arrives at a node of what is sent to all, a line each."""
    lines = Lines(cloud.start(node, "python3", "-c", HEAR, stdout=subprocess.PIPE).stdout)
    check(lines.find("ready"), f"{node} hears")
    return lines


def forget(cloud, *devices_down):
    """h1 knows no neighbour any more; what the daemons send may change that at once."""
    for host in devices_down:
        cloud.run(host, "ip", "link", "set", "eth0", "down", accept=[0])
    # It gives up, and says so, when neighbours come back as fast as they go.
    cloud.run("h1", "ip", "neigh", "flush", "dev", "eth0")


@statement("a flooded frame reaches all hosts, also those whose neighbours are not resolved")
def unresolved(_weft):
    with lab("multicast-hosts") as cloud:
        check(cloud.reaches("media/sv", "10.121.3.12"), "sv reaches sw")
        hearers = [hear(cloud, node) for node in ("media/sw", "media/sx")]
        before = cloud.counter("flood_lost")
        for number in range(25):  # a way once found is remembered for a second
            word = f"word-{number}-"
            forget(cloud)
            cloud.run("media/sv", "python3", "-c", FLOOD.replace("WORD", word), accept=[0])
            for lines in hearers:
                check(lines.find(word, 60), f"{word} has not come to all")
        equal(cloud.counter("flood_lost"), before, "copies that were lost")


@statement("while weftd does not run a copy to one more unresolved host is lost, and counted")
def unattended(_weft):
    with lab("multicast-hosts") as cloud:
        check(cloud.reaches("media/sv", "10.121.3.12"), "sv reaches sw")
        before = cloud.counter("flood_lost")
        run(WEFT, "lab", "kill", cloud.name, "h1", accept=[0])
        forget(cloud, "h2", "h3")
        end = time.monotonic() + 4  # a way once found is remembered for a second
        while time.monotonic() < end:
            cloud.run("media/sv", "python3", "-c", FLOOD)
        for host in ("h2", "h3"):
            cloud.run(host, "ip", "link", "set", "eth0", "up", accept=[0])
        run(WEFT, "lab", "start", cloud.name, "h1", accept=[0])
        wait_for(lambda: cloud.counter("flood_lost") > before, "one of two copies is counted", 60)
        wait_for(lambda: cloud.ping("media/sv", "10.121.3.12"), "sv reaches sw again", 60)


main(start=False)
