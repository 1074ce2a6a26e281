#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Segments in a row, and ways round: by patches of Weft's, and over bridges of the host's.

      n1 --- a/lan === b/lan === c/lan --- n3        patches; all 10.120.1.0/24
             |  |        |
             x  y        z       ports in the host's br0, which come and go

A broadcast is seen once at the other end whatever is plugged in.
"""
from harness import Netns, check, equal, in_order, main, run, statement, tcp_works, wait_for
from packets import BROADCAST, ethernet

VPC = """
  {name}:
    cidrs: [10.120.0.0/16]
    subnets:
      lan: {{cidr: 10.120.1.0/24, gateway: 10.120.1.25{number}, mode: l2}}
    security_groups:
      open:
        ingress: [{{protocol: all, from: 0.0.0.0/0}}]
    ports:
{ports}"""
PORTS = {
    "a": """      n1:
        {subnet: lan, address: 10.120.1.11, security_groups: [open], attach: {netns: n1}}
      right: {subnet: lan, attach: {patch: b/left}}
""",
    "b": """      left: {subnet: lan, attach: {patch: a/right}}
      right: {subnet: lan, attach: {patch: c/left}}
""",
    "c": """      n3:
        {subnet: lan, address: 10.120.1.12, security_groups: [open], attach: {netns: n3}}
      left: {subnet: lan, attach: {patch: b/right}}
"""}
ALL = ("a/n1", "a/right", "b/left", "b/right", "c/left", "c/n3")


def intent():
    return "vpcs:" + "".join(VPC.format(name=name, number=number, ports=PORTS[name])
                             for number, name in enumerate("abc", 1))


class Row:
    def __init__(self, weft):
        self.weft = weft
        self.n1, self.n3 = Netns("n1"), Netns("n3")
        weft.apply(intent())
        weft.plugged(*ALL)
        self.wires = [self.n1.wire(), self.n3.wire()]
        self.count = 0

    def passes(self, sender, receiver):
        """Whether a broadcast gets there: what has gone round has used up the limits of floods."""
        sender.send(ethernet(BROADCAST, sender.mac, 0x88B6, bytes(46)))
        return receiver.receive(lambda packet: packet.ethertype == 0x88B6, 0.2)

    def once(self):
        """A broadcast of each is seen by the other, once, and not by itself."""
        for sender, receiver in (self.wires, self.wires[::-1]):
            wait_for(lambda ends=(sender, receiver): self.passes(*ends), "a broadcast passes")
            wait_for(lambda ends=(sender, receiver): self.came_once(*ends), "three in a row pass")

    def came_once(self, sender, receiver):
        """Three broadcasts; False: the limit of floods has stopped one of them."""
        before = self.weft.counter("flood_limit")
        words, seen = [], []
        for wire in self.wires:
            wire.drain()
        with in_order():
            for _ in range(3):
                self.count += 1
                words.append(b"frame %06d." % self.count)
                sender.send(ethernet(BROADCAST, sender.mac, 0x88B5, words[-1].ljust(46, b".")))

        def limited():
            return self.weft.counter("flood_limit") > before

        def there():
            seen.extend(receiver.arrived(lambda packet: packet.ethertype == 0x88B5))
            return len(seen) >= 3 or limited()
        wait_for(there, "three broadcasts")
        if limited():
            return False
        equal([packet.frame[14:28] for packet in seen], [word.ljust(14, b".") for word in words],
              "what was seen")
        equal(receiver.arrived(lambda packet: packet.ethertype == 0x88B5), [], "copies")
        equal(sender.arrived(lambda packet: packet.ethertype == 0x88B5), [], "its own")
        return True


def state(weft, port):
    status = weft.port(port)["status"]
    return status["state"], status["reason"] or ""


@statement("T1 two workloads on the first and the last of three switches reach one another")
def reach(_weft, row):
    wait_for(lambda: row.n1.ping("10.120.1.12"), "n1 reaches n3")
    check(tcp_works(row.n1, row.n3, "10.120.1.12", 7001), "TCP")
    row.once()


@statement("T1 a link from the last to the first by mistake is cut, with a sentence; no storm")
def cut(weft, row):
    weft.weft("port", "add", "a/wrong", "--subnet", "lan", "--patch", "c/wrong")
    equal(state(weft, "a/wrong"), ("waiting", "there is no port c/wrong"), "one end alone")
    weft.weft("port", "add", "c/wrong", "--subnet", "lan", "--patch", "a/wrong")
    for port in ("a/wrong", "c/wrong"):
        wait_for(lambda one=port: state(weft, one)[0] == "held", f"{port} is held")
        check("a/lan - b/lan - c/lan - a/lan" in state(weft, port)[1] or
              "c/lan - b/lan - a/lan - c/lan" in state(weft, port)[1],
              f"the circle: {state(weft, port)}")
    row.once()
    check("held" in weft.weft("port", "list").stdout, "the list says so")
    equal(weft.get("/v1/status")["ports"]["held"], 2, "ports that are held")


@statement("it comes to life when another link of the circle goes, and is cut when it is back")
def life(weft, row):
    weft.weft("port", "remove", "b/right")
    weft.plugged("a/wrong", "c/wrong")
    wait_for(lambda: row.n1.ping("10.120.1.12"), "n1 reaches n3 by the other way")
    row.once()
    equal(state(weft, "c/left"), ("waiting", "there is no port b/right"), "the end that is left")
    weft.weft("port", "add", "b/right", "--subnet", "lan", "--patch", "c/left")
    wait_for(lambda: state(weft, "b/right")[0] == "held", "the youngest link is cut")
    row.once()
    for port in ("a/wrong", "c/wrong"):
        weft.weft("port", "remove", port)
    weft.plugged("b/right", "c/left")
    wait_for(lambda: row.n1.ping("10.120.1.12"), "n1 reaches n3")
    row.once()


@statement("two ports in one bridge: the younger is held, nothing storms, and it comes back")
def bridge_twice(weft, row):
    run("ip", "link", "add", "br0", "type", "bridge", accept=[0])
    run("ip", "link", "set", "br0", "up", accept=[0])
    weft.weft("port", "add", "a/x", "--subnet", "lan", "--bridge", "br0")
    weft.plugged("a/x")
    row.once()
    with weft.dropped("loop"):
        weft.weft("port", "add", "a/y", "--subnet", "lan", "--bridge", "br0")
        wait_for(lambda: state(weft, "a/y")[0] == "held", "the younger port is held")
    check("a/x" in state(weft, "a/y")[1], f"who is at the other end: {state(weft, 'a/y')}")
    equal(state(weft, "a/x")[0], "plugged", "the older port")
    row.once()
    check("loop" in weft.weft("status").stdout, "the status speaks of it")
    with weft.dropped("port_held"):
        run("ip", "link", "set", "br0", "down", accept=[0])
        run("ip", "link", "set", "br0", "up", accept=[0])
        wait_for(lambda: row.wires[0].send(ethernet(BROADCAST, row.wires[0].mac, 0x88B5,
                                                    b"again".ljust(46, b"."))) or
                 weft.counter("port_held"), "a frame reaches the held port")
    weft.weft("port", "remove", "a/x")
    wait_for(lambda: state(weft, "a/y")[0] == "plugged", "it comes back")
    row.once()


@statement("a way round over a patch and a bridge is cut in one place, and the segments stay "
           "joined")
def patch_and_bridge(weft, row):
    weft.weft("port", "add", "c/z", "--subnet", "lan", "--bridge", "br0")
    wait_for(lambda: [port for port in (*ALL, "a/y", "c/z") if state(weft, port)[0] == "held"],
             "one port is held")
    row.once()
    for _ in range(3):
        held = [port for port in (*ALL, "a/y", "c/z") if state(weft, port)[0] == "held"]
        equal(len(held), 1, f"ports that are held: {held}")
        row.once()
    check(row.n1.reaches("10.120.1.12"), "n1 reaches n3")
    weft.weft("port", "remove", "c/z")
    for port in (*ALL, "a/y"):
        wait_for(lambda one=port: state(weft, one)[0] == "plugged", f"{port} is plugged again")


@statement("probes of one segment are not seen by workloads, and another installation's are "
           "ignored")
def probes(weft, row):
    wire = row.wires[0]
    wire.drain()
    before = weft.counter("loop")
    forged = bytes.fromhex("0657460001010000" + "00" * 8) + b"\0\0\0\x05\0\0\0\x07"
    wire.send(ethernet("07:57:46:00:00:01", wire.mac, 0x88B7, forged.ljust(46, b"\0")))
    row.once()
    equal(weft.counter("loop"), before, "loops found by a forged probe")
    equal(row.wires[1].arrived(lambda packet: packet.ethertype == 0x88B7), [], "probes seen")


@statement("refused: to itself, within one subnet, in an l3 subnet")
def refused(weft, _row):
    weft.refused(intent().replace("patch: b/left", "patch: a/right"), "itself")
    weft.refused(intent().replace("patch: b/left", "patch: n1"), "same subnet")
    weft.refused(intent().replace("patch: b/left", "patch: b/left/x"), "neither the name")


@statement("all of it is there again after a kill -9")
def restart(weft, row):
    weft.end(9)
    check(row.n1.reaches("10.120.1.12"), "n1 reaches n3 without a daemon")
    weft.start()
    weft.plugged(*ALL)
    row.once()


main(Row)
