# SPDX-License-Identifier: BSD-2-Clause
"""Sockets and multicast groups: who joins one, who sends to one.

Of either family, at eth0 of a namespace.

Neighbours: test_multicast.py, test_multicast_bridge.py; omping.py, which runs inside.
"""
import socket
import struct

from harness import SECONDS

PORT = 7700


def family_of(group):
    return socket.AF_INET6 if ":" in group else socket.AF_INET


def index(netns):
    with netns.inside():
        return socket.if_nametoindex("eth0")


def listener(netns, group, timeout=SECONDS):
    """A socket that listens to the group: the kernel reports it."""
    family, device = family_of(group), struct.pack("@i", index(netns))
    made = netns.socket(family, socket.SOCK_DGRAM, bind=("", PORT), timeout=timeout)
    if family == socket.AF_INET6:
        made.setsockopt(41, socket.IPV6_JOIN_GROUP, socket.inet_pton(family, group) + device)
    else:
        made.setsockopt(0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + bytes(4) + device)
    return made


def send(netns, group, word):
    """A datagram to the group, from this namespace, as far as four routers."""
    family = family_of(group)
    with netns.socket(family, socket.SOCK_DGRAM) as sender:
        if family == socket.AF_INET6:
            sender.setsockopt(41, socket.IPV6_MULTICAST_HOPS, 4)
            sender.sendto(word, (group, PORT, 0, index(netns)))
        else:
            sender.setsockopt(0, socket.IP_MULTICAST_TTL, 4)
            sender.setsockopt(0, socket.IP_MULTICAST_IF, struct.pack("@8xi", index(netns)))
            sender.sendto(word, (group, PORT))
