#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What others have answered is kept as long as it holds, for the VPC that asked, and nothing else.

      blue 10.0.0.0/16  a .1.11 ---+--- 10.0.0.2 ---- 127.0.0.77 (one resolver)
      red  10.0.0.0/16  a .1.11 ---+                  127.0.0.78 (another)
"""
import collections
import socket
import struct
import threading

from harness import Netns, check, equal, main, statement, wait_for

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    dns: {forward: 127.0.0.77}
    subnets: {web: {cidr: 10.0.1.0/24}}
    ports: {a: {subnet: web, address: 10.0.1.11, attach: {netns: blue}}}
  red:
    cidrs: [10.0.0.0/16]
    dns: {forward: 127.0.0.77}
    subnets: {web: {cidr: 10.0.1.0/24}}
    ports: {a: {subnet: web, address: 10.0.1.11, attach: {netns: red}}}
"""
SOA = b"\xc0\x0c\0\6\0\1\0\0\0\x3c\0\x18\xc0\x0c\xc0\x0c" + bytes(16) + b"\0\0\0\x1e"  # 60, 30


class Resolver(threading.Thread):
    """An address for every name, and how it is said by the first label of the name:

    gone      NXDOMAIN with an SOA record      bare   NXDOMAIN without
    short     for one second                   fails  SERVFAIL
    big       90 records, over TCP             late   when told to
    """

    def __init__(self, last):
        super().__init__(daemon=True)
        self.last, self.asked, self.clients = last, collections.Counter(), []
        self.late = []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for made in (self.udp, self.tcp):
            made.bind((f"127.0.0.{last}", 53))
        self.tcp.listen()
        self.start()
        threading.Thread(target=self.run_tcp, daemon=True).start()

    def answer(self, question, tcp=False):
        label = question[13:13 + question[12]].lower().decode()
        end = question.index(b"\0", 12) + 5
        self.asked[label] += 1
        kind = label.rstrip("0123456789")
        flags = {"gone": 0x8183, "bare": 0x8183, "fails": 0x8182}.get(kind, 0x8180)
        count = {"gone": 0, "bare": 0, "fails": 0, "big": 90 if tcp else 0}.get(kind, 1)
        if kind == "big" and not tcp:
            flags |= 0x0200
        ttl = 1 if kind == "short" else 60
        record = b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", ttl, 4) + bytes([192, 0, 2, self.last])
        return question[:2] + struct.pack("!HHHHH", flags, 1, count, kind == "gone", 0) + \
            question[12:end] + record * count + (SOA if kind == "gone" else b"")

    def run(self):
        while True:
            question, client = self.udp.recvfrom(4096)
            answer = self.answer(question)
            if question[13:17].lower() == b"late":
                self.late.append((answer, client))
                continue
            self.udp.sendto(answer, client)

    def run_tcp(self):
        while True:
            made, _ = self.tcp.accept()
            answer = self.answer(made.recv(4096)[2:], True)
            made.sendall(struct.pack("!H", len(answer)) + answer)
            made.close()


class World:
    def __init__(self, weft):
        self.blue, self.red = Netns("blue"), Netns("red")
        self.one, self.other = Resolver(77), Resolver(78)
        weft.apply(INTENT)
        weft.plugged("blue/a", "red/a")


def dig(netns, *words):
    """Status, flags and records of an answer: (name, seconds, data)."""
    said = netns.run("dig", "+time=5", "+tries=2", "+noall", "+comments", "+answer", "@10.0.0.2",
                     *words, accept=[0]).stdout
    records = [line.split(None, 4) for line in said.splitlines()
               if line and not line.startswith(";")]
    return (said.split("status: ")[1].split(",")[0],
            said.split("flags: ", 1)[1].split(";", 1)[0].split(),
            [(one[0], int(one[1]), one[4]) for one in records])


def counts(weft):
    text = weft.http("GET", "/metrics", raw=True)[2].decode()
    return {word: int(text.split(f"\nweft_dns_cache_{word} ")[1].split()[0])
            for word in ("hits_total", "misses_total", "answers", "bytes")}


def asked(weft, world, label, wanted, what):
    """The resolver was asked so often for a name; or more often, as far as weftd has waited in vain
    for an answer and asked again, as on a busy machine."""
    text = weft.http("GET", "/metrics", raw=True)[2].decode()
    late = int(text.split("\nweft_dns_forward_late_total ")[1].split()[0])
    found = world.one.asked[label]
    check(wanted <= found <= wanted + late, f"{what}: {found}, not {wanted} ({late} were late)")


@statement("the second question is answered at once, in the asker's spelling, for less time")
def kept(weft, world):
    equal(dig(world.blue, "www.example.com")[2], [("www.example.com.", 60, "192.0.2.77")], "first")
    before = counts(weft)

    def younger():
        status, flags, records = dig(world.blue, "wWw.Example.com")
        equal((status, records[0][0], records[0][2]), ("NOERROR", "wWw.Example.com.", "192.0.2.77"),
              "the answer")
        check("ra" in flags and "aa" not in flags, flags)
        return records[0][1] < 60
    wait_for(younger, "the TTL becomes less")
    asked(weft, world, "www", 1, "how often the resolver was asked")
    after = counts(weft)
    check(after["hits_total"] > before["hits_total"] and after["answers"] >= 1 and
          after["bytes"] > 0, f"{before} {after}")


@statement("an answer that holds for a second is asked for again")
def expires(_weft, world):
    dig(world.blue, "short.example.com")
    wait_for(lambda: dig(world.blue, "short.example.com") and world.one.asked["short"] > 1,
             "it is asked again")


@statement("RFC 2308: that there is nothing is kept with the SOA's seconds; without one it is not")
def negative(weft, world):
    for name, times in (("gone", 1), ("bare", 3)):
        for _ in range(3):
            equal(dig(world.blue, f"{name}.example.com")[0], "NXDOMAIN", f"status of {name}")
        asked(weft, world, name, times, f"how often {name} was asked")
    for _ in range(2):
        equal(dig(world.blue, "fails.example.com")[0], "SERVFAIL", "a failure")
    asked(weft, world, "fails", 2, "failures are not kept")
    authority = world.blue.run("dig", "+noall", "+authority", "@10.0.0.2", "gone.example.com",
                               accept=[0]).stdout.split()
    check(int(authority[1]) <= 30, f"how long nothing is nothing: {authority}")


@statement("V17 another VPC asks for itself; and so does the same, when it has another resolver")
def apart(weft, world):
    dig(world.blue, "apart.example.com")
    asked(weft, world, "apart", 1, "blue's question")
    dig(world.red, "apart.example.com")
    asked(weft, world, "apart", 2, "red's question")
    weft.weft("vpc", "set", "blue", "--dns-forward", "127.0.0.78")
    equal(dig(world.blue, "apart.example.com")[2][0][2], "192.0.2.78", "the other's answer")
    weft.weft("vpc", "set", "blue", "--dns-forward", "127.0.0.77")
    equal(dig(world.blue, "apart.example.com")[2][0][2], "192.0.2.77", "the first's again")
    asked(weft, world, "apart", 2, "which is kept")
    dig(world.blue, "+dnssec", "apart.example.com")
    asked(weft, world, "apart", 3, "a question for DNSSEC is another one")


@statement("a large answer is asked for over TCP once, and what does not fit over UDP is cut")
def large(weft, world):
    equal(len(dig(world.blue, "big.example.com")[2]), 90, "records")
    before = world.one.asked["big"]
    for words, count in ((("+tcp",), 90), (("+ignore",), 0), (("+ignore", "+bufsize=4096"), 0),
                         (("+ignore", "+noedns"), None), ((), 90)):
        _, flags, records = dig(world.blue, *words, "big.example.com")
        if count is not None:
            equal((len(records), "tc" in flags), (count, not count), f"{words}")
    # Without EDNS it is another question, whose answer over UDP says only that it is cut.
    asked(weft, world, "big", before + 1, "how often it was asked")


def asked_late(world, label, count):
    """So many questions for one name; what the resolver would say, to whom, once all have come. A
    question waits a second and a half for its answer, which a busy machine may let pass."""
    head = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0)
    question = head + bytes([len(label)]) + label.encode() + b"\7example\3com\0\0\1\0\1"
    made = world.blue.socket(kind=socket.SOCK_DGRAM, timeout=30)
    for _ in range(count):
        made.sendto(question, ("10.0.0.2", 53))

    def waiting():
        return [one for one in world.one.late if label.encode() in one[0]]
    wait_for(lambda: len(waiting()) >= count, "all are asked")
    return made, waiting()[:count]


def tries(once):
    """Once must go well; each try is with another name."""
    for number in range(5):
        if once(f"late{number}{once.__name__}"):
            return
    check(False, "it went wrong each time")


@statement("RFC 5452: of what is asked many times at once, one answer alone may be kept")
def birthday(_weft, world):
    def once(label):
        made, waiting = asked_late(world, label, 8)
        if len({client for _, client in waiting}) != 8:
            return False
        # A later one's answer comes first: it goes to who asked, and is not kept.
        answer, client = waiting[5]
        world.one.udp.sendto(answer[:-1] + b"\x42", client)
        told = made.recv(512)[-1]
        for number in (0, 1, 2, 3, 4, 6, 7):
            world.one.udp.sendto(*waiting[number])
            made.recv(512)
        made.close()
        times = world.one.asked[label]
        kept_one = dig(world.blue, "+noedns", f"{label}.example.com")
        return (told, kept_one[0], times) == (0x42, "NOERROR", world.one.asked[label]) and \
            kept_one[2][0][2] == "192.0.2.77"
    tries(once)


@statement("what does not come from who was asked, or with another id, is not kept")
def forged(_weft, world):
    def forged_once(label):
        made, waiting = asked_late(world, label, 1)
        answer, client = waiting[0]
        wrong = answer[:-1] + b"\x66"
        world.other.udp.sendto(wrong, client)
        world.one.udp.sendto(bytes([wrong[0] ^ 1]) + wrong[1:], client)
        world.one.udp.sendto(wrong.replace(b"late", b"lame"), client)
        world.one.udp.sendto(answer, client)
        told = made.recv(512)
        made.close()
        check(told[-1] != 0x66, "a forged answer was passed on")
        times = world.one.asked[label]
        status, _, records = dig(world.blue, "+noedns", f"{label}.example.com")
        check(not records or records[0][2] == "192.0.2.77", f"a forged answer was kept: {records}")
        return (status, told[-1], times) == ("NOERROR", 77, world.one.asked[label])
    tries(forged_once)


main(World)
