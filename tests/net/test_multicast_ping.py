#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Multicast between hosts in both families: pings of all to all, and hosts that leave.

The lab is examples/multicast-hosts.yaml; omping.py runs in its workloads as omping would.
"""
import contextlib
import json
import os
import re
import subprocess

from harness import ROOT, check, equal, main, statement, wait_for
from labs import lab

OMPING = os.path.join(ROOT, "tests/net/omping.py")
STREAM = """
import socket, struct, sys, time
group, listen = sys.argv[1], sys.argv[2] == "listen"
ipv6 = ":" in group
s = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
index = socket.if_nametoindex("eth0")
if listen:
    s.bind((group, 7700))
    if ipv6:
        s.setsockopt(41, socket.IPV6_JOIN_GROUP,
                     socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index))
    else:
        s.setsockopt(0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + struct.pack("!I", 0))
    print("joined", flush=True)
    while True:
        print(s.recv(100).decode(), flush=True)
s.setsockopt(41 if ipv6 else 0, socket.IPV6_MULTICAST_HOPS if ipv6 else socket.IP_MULTICAST_TTL, 5)
number = 0
while True:
    s.sendto(b"%d" % number, (group, 7700, 0, index) if ipv6 else (group, 7700))
    number += 1
    time.sleep(0.05)
"""
GROUPS = {"IPv4": "239.1.1.1", "IPv6": "ff15::1:1"}


def addresses(family, *numbers):
    return [f"10.121.{subnet}.{host}" if family == "IPv4" else f"fd00:121:0:{subnet}::{host}"
            for subnet, host in numbers]


def ping_all(cloud, nodes, group, hops, *more):
    """Each of the nodes (name: address) asks all others, and hears each answer both ways, once."""
    processes = {}
    for node, address in nodes.items():
        peers = [other for other in nodes.values() if other != address]
        processes[node] = cloud.start(f"media/{node}", "python3", OMPING, *more, group, address,
                                      *peers, stdout=subprocess.PIPE, text=True)
    try:
        for node, process in processes.items():
            result = json.loads(process.stdout.readline())
            equal(set(result), set(nodes.values()) - {nodes[node]}, f"peers of {node}")
            for peer, counts in result.items():
                check(counts["unicast"] >= 20 and counts["multicast"] >= 20,
                      f"{node} of {peer} in {group}: {counts}")
                equal((counts["twice"], counts["hops"]), (0, [hops]), f"{node} of {peer}")
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


@statement("omping between three hosts, any source and one source, in a switch and between "
           "subnets")
def pings(_weft):
    with lab("multicast-hosts") as cloud:
        for family, any_group, one_group in (("IPv4", "239.7.7.7", "232.7.7.7"),
                                             ("IPv6", "ff15::7:7", "ff35::7:7")):
            switched = dict(zip(("sv", "sw", "sx"), addresses(family, (3, 11), (3, 12), (3, 13))))
            ping_all(cloud, switched, any_group, 8)
            ping_all(cloud, switched, one_group, 8, "--ssm")
            routed = dict(zip(("cam", "sv", "n3"), addresses(family, (1, 10), (3, 11), (2, 13))))
            ping_all(cloud, routed, any_group, 7)
            ping_all(cloud, routed, one_group, 7, "--ssm")


class Listener:
    def __init__(self, cloud, node, group):
        self.process = cloud.start(f"media/{node}", "python3", "-uc", STREAM, group, "listen",
                                   stdout=subprocess.PIPE, text=True)
        equal(self.process.stdout.readline(), "joined\n", f"{node} joins")

    def number(self):
        return int(self.process.stdout.readline())

    def end(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def sending(cloud, node, group):
    process = cloud.start(f"media/{node}", "python3", "-uc", STREAM, group, "send")
    try:
        yield
    finally:
        process.kill()
        process.wait()


def carried(cloud, host, group):
    """Whether packets to the group come to a host through the underlay."""
    done = cloud.run(host, "timeout", "2", "tcpdump", "-lnni", "eth0", "-c", "200", "udp", "port",
                     "4789")
    return bool(re.search(rf"> {re.escape(group)}\.7700", done.stdout))


def members(cloud, group, host="h1"):
    found = json.loads(cloud.weft("--json", "multicast", host=host).stdout)["members"]
    return {one["port"] for one in found if one["group"] == group}


def slow_queries(cloud):
    """So that rows age in minutes, and only leaving explains what goes before."""
    for subnet in ("studio", "home", "lan"):
        cloud.weft("subnet", "set", f"media/{subnet}", "--query-interval", "120")


@statement("the last listener of a host leaves, and the other hosts know within seconds")
def leaves(_weft):
    with lab("multicast-hosts") as cloud:
        slow_queries(cloud)
        for family, group in GROUPS.items():
            with sending(cloud, "cam", group):
                wait_for(lambda it=group: not carried(cloud, "h3", it), "h3 is spared", 60)
                one, other, far = (Listener(cloud, node, group) for node in ("n2", "n4", "n3"))
                for listener in (one, other, far):
                    listener.number()
                wait_for(lambda it=group: members(cloud, it) >=
                         {"host h2 (vpc media)", "host h3 (vpc media)"}, "h1 knows both", 30)
                one.end()
                wait_for(lambda it=group: "media/n2" not in members(cloud, it, "h2"),
                         f"h2 knows that n2 has left, {family}", 30)
                far.end()
                wait_for(lambda it=group: "host h3 (vpc media)" not in members(cloud, it),
                         f"h1 knows that h3 has no listener, {family}", 30)
                check(not carried(cloud, "h3", group), f"h3 gets no {family} any more")
                first = other.number()
                equal([other.number() for _ in range(100)],
                      list(range(first + 1, first + 101)), "what n4 has got meanwhile")
                check("host h2 (vpc media)" in members(cloud, group), "h2 goes on listening")
                other.end()
                wait_for(lambda it=group: not members(cloud, it), "h2 listens no more", 30)


if __name__ == "__main__":
    main(start=False)
