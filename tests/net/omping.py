#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Unicast and multicast pings to a group of peers, as omping does them: everybody asks everybody.

    omping.py GROUP OWN PEER...      ask each peer until it has answered COUNT times both ways
    omping.py --ssm GROUP OWN PEER...     listen to the peers' sources alone

A question goes to a peer by unicast; the peer answers it twice, by unicast and to the group.
Answers carry the asker's address and number, so that everybody sees all answers in the group and
counts its own. The result is one line of JSON, when all are there or the time is over; it goes on
answering others until it is killed.

      {"10.0.1.12": {"unicast": 20, "multicast": 20, "twice": 0, "hops": [3]}, ...}
"""
import argparse
import json
import select
import socket
import struct
import time

PORT = 4321
INTERVAL = 0.1
ANY_SOURCE, ONE_SOURCE = 42, 46  # MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP of linux/in.h


def storage(address):
    """struct sockaddr_storage"""
    if ":" in address:
        return struct.pack("@HHI16sI", socket.AF_INET6, 0, 0,
                           socket.inet_pton(socket.AF_INET6, address), 0).ljust(128, b"\0")
    return struct.pack("@HH4s", socket.AF_INET, 0, socket.inet_aton(address)).ljust(128, b"\0")


class Pinger:
    def __init__(self, options):
        self.options = options
        self.ipv6 = ":" in options.group
        self.level = 41 if self.ipv6 else 0
        self.index = socket.if_nametoindex("eth0")
        self.counts = {peer: {"unicast": set(), "multicast": set(), "twice": 0, "hops": set()}
                       for peer in options.peers}
        self.number = 0
        self.unicast = self.socket(options.own)
        self.group = self.socket(options.group)
        self.join()

    def socket(self, address):
        made = socket.socket(socket.AF_INET6 if self.ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(self.level, 51 if self.ipv6 else 12, 1)  # RECVHOPLIMIT, RECVTTL
        made.bind((address, PORT))
        if self.ipv6:
            made.setsockopt(41, socket.IPV6_MULTICAST_HOPS, 8)
            made.setsockopt(41, socket.IPV6_MULTICAST_IF, self.index)
        else:
            made.setsockopt(0, socket.IP_MULTICAST_TTL, 8)
            made.setsockopt(0, socket.IP_MULTICAST_IF, struct.pack("@8xi", self.index))
        made.setsockopt(self.level, socket.IPV6_MULTICAST_LOOP if self.ipv6 else
                        socket.IP_MULTICAST_LOOP, 0)
        return made

    def join(self):
        group = struct.pack("@I4x", self.index) + storage(self.options.group)
        if not self.options.ssm:
            self.group.setsockopt(self.level, ANY_SOURCE, group)
            return
        for peer in self.options.peers:
            self.group.setsockopt(self.level, ONE_SOURCE, group + storage(peer))

    def ask(self):
        self.number += 1
        for peer in self.options.peers:
            self.send(f"ask {self.options.own} {self.number}", peer)

    def send(self, text, to):
        try:
            self.unicast.sendto(text.encode(), (to, PORT))
        except OSError:
            pass  # a peer that is not there yet

    def take(self, made):
        data, more, _, sender = made.recvmsg(200, 200)
        words = data.decode().split()
        if words[0] == "ask":
            for to in (sender[0], self.options.group):
                self.send(f"answer {words[1]} {words[2]}", to)
        elif words[1] == self.options.own and sender[0] in self.counts:
            counts = self.counts[sender[0]]
            way = "multicast" if made is self.group else "unicast"
            counts["twice"] += words[2] in counts[way]
            counts[way].add(words[2])
            if way == "multicast":
                counts["hops"].add(struct.unpack("@i", more[0][2])[0])

    def done(self):
        return all(min(len(one["unicast"]), len(one["multicast"])) >= self.options.count
                   for one in self.counts.values())

    def result(self):
        return json.dumps({peer: {"unicast": len(one["unicast"]),
                                  "multicast": len(one["multicast"]),
                                  "twice": one["twice"], "hops": sorted(one["hops"])}
                           for peer, one in self.counts.items()})

    def run(self):
        end = time.monotonic() + self.options.seconds
        next_ask, told = 0, False
        while True:
            now = time.monotonic()
            if not told and (self.done() or now > end):
                print(self.result(), flush=True)
                told = True
            if not told and now >= next_ask:
                self.ask()
                next_ask = now + INTERVAL
            for made in select.select([self.unicast, self.group], [], [], INTERVAL)[0]:
                self.take(made)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ssm", action="store_true")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("group")
    parser.add_argument("own")
    parser.add_argument("peers", nargs="+")
    Pinger(parser.parse_args()).run()


if __name__ == "__main__":
    main()
