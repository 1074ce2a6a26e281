#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Mirrors into a tunnel, to a machine without Weft: VXLAN to the kernel's device, ERSPAN read by
tshark.

      web 10.0.1.0/24: web1 .11 (mirrored)  web2 .12     host 192.0.2.1 ---- 192.0.2.9 sensor
"""
import json
import struct

from harness import (RUN, Netns, Wire, Workloads, check, equal, main, run, statement, tcp_works,
                     wait_for)

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    mtu: 1450
    subnets:
      web: {cidr: 10.0.1.0/24}
    security_groups:
      web:
        ingress: [{protocol: tcp, ports: 80, from: 0.0.0.0/0}, {protocol: icmp, from: 0.0.0.0/0}]
    ports:
      web1: {subnet: web, address: 10.0.1.11, security_groups: [web], attach: {netns: web1}}
      web2: {subnet: web, address: 10.0.1.12, security_groups: [web], attach: {netns: web2}}
"""


class Sensor(Netns):
    """A machine without Weft, and what tshark finds on its cable."""

    def __init__(self):
        super().__init__("sensor")
        run("ip", "link", "add", "us0", "type", "veth", "peer", "name", "eth0", "netns",
            self.name, accept=[0])
        run("ip", "address", "add", "192.0.2.1/24", "dev", "us0", accept=[0])
        run("ip", "link", "set", "us0", "up", accept=[0])
        for words in (("link", "set", "eth0", "up"),
                      ("address", "add", "192.0.2.9/24", "dev", "eth0"),
                      ("link", "add", "vx", "type", "vxlan", "id", "99", "dstport", "4789",
                       "local", "192.0.2.9"),
                      ("link", "set", "vx", "up")):
            self.run("ip", *words, accept=[0])
        self.file, self.frames = f"{RUN}/sensor.pcap", []
        self.cable = self.wire()

    def behind(self, ifname):
        """What comes out of a device of its own."""
        kept, self.ifname = self.ifname, ifname
        try:
            return Wire(self)
        finally:
            self.ifname = kept

    def packets(self, *fields, only=""):
        """One list of the fields' texts for each frame so far that tshark finds so."""
        self.frames += [packet.frame for packet in self.cable.arrived(lambda _: True)]
        with open(self.file, "wb") as file:
            file.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for frame in self.frames:
                file.write(struct.pack("=IIII", 0, 0, len(frame), len(frame)) + frame)
        words = [word for field in fields for word in ("-e", field)]
        done = run("tshark", "-n", "-r", self.file, "-T", "fields", "-E", "separator=|", *words,
                   *(["-Y", only] if only else []))
        return [line.split("|") for line in done.stdout.splitlines()]


def world(weft):
    made = Workloads(weft, INTENT, "web1", "web2")
    made.sensor = Sensor()
    host = weft.json("status")["host"]["name"]
    status, _, body = weft.http("PUT", f"/v1/hosts/{host}", {"underlay": "192.0.2.1/24"})
    check(status in (200, 201), f"host: {body}")
    return made


def mirror(weft, **values):
    for value in [None, values] if values else [None]:
        status, _, body = weft.http("PATCH", "/v1/vpcs/blue/ports/web1", {"mirror": value})
        equal(status, 200, f"mirror {values}: {body}")


@statement("that copies for a port or tunnel of another host get nowhere is told")
def elsewhere(weft, _lan):
    status, _, body = weft.http("PUT", "/v1/hosts/away", {"underlay": "192.0.2.8/24"})
    check(status in (200, 201), f"host: {body}")
    weft.weft("port", "add", "blue/far", "--subnet", "web", "--netns", "far", "--host", "away")
    weft.weft("tunnel", "add", "blue/far", "--type", "erspan", "--id", "9", "--remote",
              "192.0.2.9", "--host", "away")
    for target in ("far", "tunnel:far"):
        mirror(weft, to=target)
        told = weft.port("blue/web1")["status"]["mirror"]
        check("far is on host away" in told["reason"], f"what is told of {target}: {told}")
    mirror(weft)
    weft.weft("port", "remove", "blue/far")
    weft.weft("tunnel", "remove", "blue/far")
    weft.weft("host", "remove", "away")


@statement("VXLAN: the kernel's device takes the copies, whole and unchanged")
def vxlan(weft, lan):
    weft.weft("tunnel", "add", "blue/watch", "--type", "vxlan", "--id", "99", "--remote",
              "192.0.2.9", "--mirror", "on")
    mirror(weft, to="tunnel:watch", protocol="icmp")
    wire = lan.sensor.behind("vx")
    run("ip", "neighbour", "flush", "dev", "us0")
    check(lan.web1.reaches("10.0.1.12"), "ping")
    for i in range(2):
        wire.expect(lambda packet: packet.protocol == 1,
                    f"copy {i}, which waits until the sensor's MAC is known")
    check(lan.web1.reaches("10.0.1.12", 2, "-s", "1400"), "ping")
    for _ in range(4):
        copy = wire.expect(lambda packet: packet.protocol == 1 and len(packet.frame) == 1442,
                           "copies of 1400 bytes")
        equal({copy.source, copy.destination}, {"10.0.1.11", "10.0.1.12"}, "ends")
    wire.close()


@statement("ERSPAN type II: session, sequence numbers, whole frames; TCP goes on")
def erspan(weft, lan):
    weft.weft("tunnel", "add", "blue/span", "--type", "erspan", "--id", "5", "--remote",
              "192.0.2.9")
    mirror(weft, to="tunnel:span")
    check(lan.web1.reaches("10.0.1.12", 3), "ping")
    check(tcp_works(lan.web2, lan.web1, "10.0.1.11", 80), "TCP of a mirrored port")
    found = wait_for(lambda: (lambda rows: rows if len(rows) >= 6 else None)(
        lan.sensor.packets("gre.sequence_number", "erspan.spanid", "erspan.version", "ip.src",
                           only="erspan && icmp.type != 3")), "six copies of pings")
    numbers = [int(row[0]) for row in found]
    equal(numbers, sorted(set(numbers)), "sequence numbers")
    equal({(row[1], row[2]) for row in found}, {("5", "1")}, "session and version")
    equal({row[3].split(",")[1] for row in found}, {"10.0.1.11", "10.0.1.12"}, "who is inside")
    wait_for(lambda: lan.sensor.packets("frame.number", only="erspan && tcp.flags.fin == 1"),
             "TCP to its end")


def spans(lan, *fields, only, count):
    """So many rows at least of what is carried by ERSPAN so far."""
    return wait_for(lambda: (lambda rows: rows if len(rows) >= count else None)(
        lan.sensor.packets(*fields, only=only)), f"{count} of {only}")


@statement("ERSPAN type III: time, engine, direction")
def erspan3(weft, lan):
    weft.weft("tunnel", "add", "blue/span3", "--type", "erspan3", "--id", "7", "--hardware-id",
              "33", "--remote", "192.0.2.9")
    mirror(weft, to="tunnel:span3", protocol="icmp")
    check(lan.web1.reaches("10.0.1.12", 3), "ping")
    rows = spans(lan, "erspan.spanid", "erspan.hw", "erspan.direction", "erspan.timestamp",
                 "ip.src", "erspan.gra", only="erspan.version == 2", count=6)
    equal({row[0] for row in rows}, {"7"}, "session")
    equal({int(row[1], 0) for row in rows}, {33}, "engine")
    equal({(row[2], row[4].split(",")[1]) for row in rows},
          {("0", "10.0.1.11"), ("1", "10.0.1.12")}, "direction of what is sent and of what arrives")
    times = [int(row[3]) for row in rows]
    passed = (times[-1] - times[0]) % 2**32
    check(0 < passed < 3 * 10**8, f"units of 100 ns between the first and the last: {times}")
    equal({int(row[5]) for row in rows}, {1}, "granularity")


@statement("truncation: the copy is cut and says so, the packet arrives whole")
def cut(weft, lan):
    for tunnel, session in (("span", 5), ("span3", 7)):
        mirror(weft, to=f"tunnel:{tunnel}", protocol="icmp", direction="from", truncate=100)
        check(lan.web1.reaches("10.0.1.12", 2, "-s", "1200"), "ping of 1200 bytes")
        rows = spans(lan, "erspan.truncated", "ip.len", "frame.len",
                     only=f"erspan.spanid == {session} && erspan.truncated == 1", count=2)
        header = 8 if session == 5 else 12
        equal({int(row[2]) for row in rows}, {14 + 20 + 8 + header + 100}, "size of the copies")
        equal({row[1].split(",")[1] for row in rows}, {"1228"}, "the packet's own length in them")
    shown = json.loads(weft.weft("port", "show", "blue/web1", "--json").stdout)
    equal(shown["mirror"]["truncate"], 100, "what the port says")


@statement("TCP of a mirrored port goes on, its copies cut")
def cut_tcp(weft, lan):
    mirror(weft, to="tunnel:span", truncate=64)
    check(tcp_works(lan.web2, lan.web1, "10.0.1.11", 80), "TCP")


@statement("tshark finds nothing wrong in any whole copy, and of cut ones only that they are short")
def clean(weft, lan):
    mirror(weft)
    equal(lan.sensor.packets("frame.number", "_ws.expert.message",
                             only="(erspan.truncated == 0 || vxlan) && "
                                  "_ws.expert.severity >= 0x00600000"), [],
          "what tshark complains of")
    equal(lan.sensor.packets("frame.number", only="_ws.malformed && !(erspan.truncated == 1)"), [],
          "malformed")
    for row in lan.sensor.packets("_ws.expert.message", only="erspan.truncated == 1 && "
                                                             "_ws.expert.severity >= 0x00600000"):
        check("total length exceeds packet length" in row[0], f"a cut copy: {row}")


@statement("two mirrors into one sensor are told apart by id, key, session or kind, or refused")
def two(weft, lan):
    for kind, number in (("vxlan", 201), ("vxlan", 202), ("gretap", 9), ("erspan", 9)):
        weft.weft("tunnel", "add", f"blue/to-{kind}-{number}", "--type", kind, "--id", number,
                  "--remote", "192.0.2.9", "--mirror", "on")
    for kinds, fields, wanted in (
            (("vxlan-201", "vxlan-202"), ("vxlan.vni", "vxlan"), {"201", "202"}),
            (("gretap-9", "erspan-9"), ("gre.proto", "gre && icmp"), {"0x6558", "0x88be"})):
        for port, tunnel in zip(("web1", "web2"), kinds):
            weft.weft("port", "set", f"blue/{port}", "--mirror-to", f"tunnel:to-{tunnel}")
        lan.sensor.frames.clear()

        def seen(fields=fields):
            lan.web1.ping("10.0.1.12")
            return {row[0] for row in lan.sensor.packets(fields[0], only=fields[1])}
        wait_for(lambda seen=seen, wanted=wanted: wanted <= seen(), f"copies of both: {wanted}")
    done = weft.weft("tunnel", "add", "blue/again", "--type", "erspan", "--id", "9", "--remote",
                     "192.0.2.9", accept=None)
    check(done.returncode and "another session (id) or address tells them apart" in done.stderr,
          f"the same session twice: {done.stderr}")
    for port in ("web1", "web2"):
        equal(weft.http("PATCH", f"/v1/vpcs/blue/ports/{port}", {"mirror": None})[0], 200, port)


@statement("a tunnel of mirrors is nothing else: not in a subnet, no target of routes")
def nothing_else(weft, lan):
    for wrong, sentence in (({"subnet": "web"}, "in no subnet"), ({"id": 1024}, "1023"),
                            ({"keepalive": {"interval": 1}}, "comes back"),
                            ({"checksum": True}, "checksum"), ({"mirror": False}, "mirrors"),
                            ({"security_groups": ["web"]}, "no rule")):
        status, _, body = weft.http("PATCH", "/v1/vpcs/blue/tunnels/span", wrong)
        equal(status, 400, f"{wrong}: {body}")
        check(sentence in json.dumps(body), f"{wrong}: {body}")
    status, _, body = weft.http("PUT", "/v1/vpcs/blue/tunnels/bare",
                                {"type": "ipip", "remote": "192.0.2.9", "mirror": True})
    check(status == 400 and "no Ethernet" in json.dumps(body), f"ipip: {body}")
    done = weft.weft("route", "add", "blue/main", "10.9.0.0/16", "--via", "tunnel:span",
                     accept=(0, 1))
    check(done.returncode == 1 and "nothing else" in done.stderr, f"route: {done.stderr}")
    before = weft.weft("export").stdout
    check("type: erspan" in before and "mirror: true" in before, f"export: {before}")
    weft.apply(before)
    equal(weft.weft("export").stdout, before, "export after applying it")


main(world)
