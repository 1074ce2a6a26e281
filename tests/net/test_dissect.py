#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Everything that Weft itself puts on a wire, dissected by tshark: not one warning.

      machine  a tap of subnet web: asks for all that the host answers, and this test is its kernel
      station  a tap of the l2 subnet lan, which snoops: queries, probes
      near, inner ---- tunnels of every form ---- 10.9.0.2, which takes what comes
      h1 ---- h2  the lab of all encapsulations, with the probes of the path between them

A tap without offloads gets packets with whole checksums, as a cable would; tshark verifies each.
The captures that `weft capture` writes are judged as well.
"""
import os
import signal
import socket
import struct
import subprocess
import sys

import malformed
from dhcp import DISCOVER, INFORM, REQUEST, Dhcp4, dhcp4_frame, dhcp6_frame, ia_na, option6
from harness import (BUILD, END, ROOT, RUN, SECONDS, WEFT, Failure, Netns, Tap, check, equal, knock,
                     main, run, statement, wait_for)
from labs import lab
from packets import (ICMP, ICMPV6, IPV4, IPV6, TCP, UDP, address_bytes, arp_request, ethernet,
                     icmp_echo, icmpv6, ipv4, ipv6, mac_bytes, neighbour_solicitation, tcp, udp)

sys.path.append(str(ROOT / "tests" / "interop"))
# pylint: disable=wrong-import-position
from capture import Capture, Pcap  # noqa: E402
from tunnels import ETHERNET, FAR_LAN, FAR_NET, ROUTED, Blue, Form  # noqa: E402
from underlay import GUEST, WEFT as OWN, Underlay, address  # noqa: E402

MAC, STATION_MAC = "02:00:00:00:01:14", "02:00:00:00:04:11"
OWN4, OWN6, OWN_LOCAL6 = "10.0.1.14", "fd00:b:0:1::14", "fe80::ff:fe00:114"
INTENT = f"""
vpcs:
  green:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    mtu: 1400
    dns: {{records: {{db: [10.0.2.20, "fd00:b::5"], www: "cname:machine", info: "txt:hello"}}}}
    subnets:
      web:
        cidr: [10.0.1.0/24, "fd00:b:0:1::/64"]
        ra: {{mode: managed, search: [blue.example], dns: "fd00:b:0:1::53"}}
        dhcp: {{ntp: [192.0.2.123, "fd00::123"], domain: blue.example, search: [blue.example],
               routes: [{{to: 10.9.0.0/16, via: 10.0.1.15}}], tftp_server: boot.example,
               next_server: 192.0.2.69, boot_file: pxe/start.0,
               options: {{"43": "hex:0104c0000201", "252": "http://wpad.example/wpad.dat"}}}}
      small: {{cidr: [10.0.2.0/24, "fd00:b:0:2::/64"]}}
      lan: {{cidr: [10.0.4.0/24, "fd00:b:0:4::/64"], mode: l2, multicast: snoop, query_interval: 2,
            gateway: [10.0.4.1, "fd00:b:0:4::1"]}}
    security_groups:
      open:
        ingress: [{{protocol: all, from: 0.0.0.0/0}}, {{protocol: all, from: "::/0"}}]
        egress: [{{protocol: all, to: 0.0.0.0/0}}, {{protocol: all, to: "::/0"}}]
    ports:
      machine: {{subnet: web, mac: "{MAC}", addresses: [{OWN4}, "{OWN6}"], mtu: 1400,
                security_groups: [open], attach: {{tap: machine}}}}
      small: {{subnet: small, addresses: [10.0.2.11, "fd00:b:0:2::11"], mtu: 1300,
              security_groups: [open], attach: {{netns: small}}}}
      station: {{subnet: lan, mac: "{STATION_MAC}", addresses: [10.0.4.11, "fd00:b:0:4::11"],
                security_groups: [open], attach: {{tap: station}}}}
"""
RESOLVER = "10.0.1.2"


class Machine:
    """The end of a tap: what it gets is written to a capture."""

    def __init__(self, device, mac):
        self.tap, self.mac = Tap(device, multi_queue=False, vnet_header=False), mac
        self.pcap = Pcap(device)

    def ask(self, frame, wanted, what, seconds=SECONDS):
        """Sends a frame until something comes that is wanted."""
        def once():
            self.tap.send(frame)
            return self.receive(wanted, 0.3)
        return wait_for(once, what, seconds)

    def receive(self, wanted, seconds):
        return self.tap.receive(lambda packet: (self.pcap.add(packet.frame), wanted(packet))[1],
                                seconds)


class World:
    """One weftd: the taps first, the tunnels later with another intent."""

    def __init__(self, weft):
        self.weft = weft
        self.small = Netns("small")
        weft.apply(INTENT)
        weft.plugged("green/machine", "green/station", "green/small")
        self.machine, self.station = Machine("machine", MAC), Machine("station", STATION_MAC)
        answer = self.machine.ask(dhcp4_frame(MAC, DISCOVER), is_dhcp4, "an OFFER")
        self.gateway_mac = answer.source_mac


def is_dhcp4(packet):
    return packet.protocol == UDP and packet.destination_port == 68


def is_dhcp6(packet):
    return packet.protocol == UDP and packet.destination_port == 546


@statement("the judge sees what is wrong: a checksum, a length, an option cut off")
def judge(_weft, world):
    good = ethernet(MAC, world.gateway_mac, IPV4, ipv4("10.0.1.1", OWN4, UDP, udp(
        "10.0.1.1", OWN4, 67, 68, bytes(240) + b"\xff")))
    for number, frame in enumerate((good[:40] + b"\x12\x34" + good[42:], good[:60],
                                    dhcp4_frame(MAC, DISCOVER, options=b"\x0c\xc8web"))):
        pcap = Pcap(f"judge{number}")
        pcap.add(frame)
        try:
            pcap.clean()
        except Failure:
            os.unlink(pcap.path)
            continue
        raise Failure(f"nothing was found wrong in frame {number}")


@statement("DHCPv4: OFFER, ACK, NAK, the answer to INFORM, with every option")
def dhcp4(_weft, world):
    machine = world.machine
    everything = list(range(1, 82)) + [119, 121, 252]
    offer = Dhcp4(machine.ask(dhcp4_frame(MAC, DISCOVER, wanted=everything), is_dhcp4, "OFFER"))
    equal(offer.your, OWN4, "the address")
    machine.ask(dhcp4_frame(MAC, REQUEST, requested=OWN4, server="10.0.1.1", flags=0x8000),
                is_dhcp4, "ACK")
    machine.ask(dhcp4_frame(MAC, REQUEST, requested="10.0.1.99"), is_dhcp4, "NAK")
    machine.ask(dhcp4_frame(MAC, INFORM, client=OWN4, source=OWN4), is_dhcp4, "ACK of INFORM")


@statement("DHCPv6: ADVERTISE, REPLY to each message, and what is refused")
def dhcp6(_weft, world):
    client = option6(1, bytes.fromhex("00030001") + mac_bytes(MAC))
    server = option6(2, bytes.fromhex("00030001") + mac_bytes(world.gateway_mac))
    for kind, options in ((1, ia_na(7)), (1, ia_na(7) + option6(14, b"")), (3, server + ia_na(7)),
                          (5, server + ia_na(7, "fd00:b:0:1::99")), (4, ia_na(7, OWN6)),
                          (4, ia_na(7, "fd00::1")), (6, ia_na(7, OWN6)), (11, b""),
                          (9, server + ia_na(7, OWN6)), (8, server + ia_na(7, OWN6)),
                          (1, ia_na(7) + ia_na(8))):
        world.machine.ask(dhcp6_frame(MAC, OWN_LOCAL6, kind, client + options), is_dhcp6,
                          f"the answer to a message of kind {kind}")
    machine = type("Sender", (), {"mac": MAC, "local6": OWN_LOCAL6, "gateway6": "fd00:b:0:1::1",
                                  "gateway_mac": world.gateway_mac})
    frame = malformed.dhcp6(malformed.DHCP6_Request, malformed.IA, server=True,
                            to=malformed.gateway6)(machine)
    world.machine.ask(bytes(frame), is_dhcp6, "UseMulticast")


@statement("router advertisements, neighbour advertisements, ARP")
def neighbours(_weft, world):
    machine = world.machine
    solicitation = icmpv6(OWN_LOCAL6, "ff02::2", 133, 0, bytes(4))
    machine.ask(ethernet("33:33:00:00:00:02", MAC, IPV6,
                         ipv6(OWN_LOCAL6, "ff02::2", ICMPV6, solicitation, 255)),
                lambda packet: packet.kind == 134, "a router advertisement")
    for target in ("fd00:b:0:1::1", "fd00:b:0:1::2"):
        machine.ask(neighbour_solicitation(MAC, OWN6, target), lambda packet: packet.kind == 136,
                    f"a neighbour advertisement for {target}")
    for target in ("10.0.1.1", RESOLVER):
        machine.ask(arp_request(MAC, OWN4, target), lambda packet, own=target:
                    packet.operation == 2 and packet.sender == own, f"ARP for {target}")


@statement("echo replies of the gateway, and packets that are too big, in both families")
def icmp(_weft, world):
    def send(layer, wanted, what):
        world.machine.ask(ethernet(world.gateway_mac, MAC, IPV6 if layer[0] >> 4 == 6 else IPV4,
                                   layer), wanted, what)
    send(ipv4(OWN4, "10.0.1.1", ICMP, icmp_echo(1, 1)), lambda got: got.kind == 0, "echo reply")
    send(ipv6(OWN6, "fd00:b:0:1::1", ICMPV6, icmpv6(OWN6, "fd00:b:0:1::1", 128, 0, bytes(8))),
         lambda got: got.kind == 129, "echo reply")
    for size in (1331, 1380):
        send(ipv4(OWN4, "10.0.2.11", UDP, udp(OWN4, "10.0.2.11", 1, 2, bytes(size - 28)), flags=2),
             lambda got: (got.kind, got.code) == (3, 4), "fragmentation needed")
        send(ipv6(OWN6, "fd00:b:0:2::11", UDP, udp(OWN6, "fd00:b:0:2::11", 1, 2,
                                                   bytes(size - 48))),
             lambda got: got.kind == 2, "packet too big")


def dns_question(name, kind="A", **fields):
    return bytes(malformed.question(name, qtype=kind, **fields))


QUESTIONS = [
    ("machine.green.internal", "A"), ("machine.green.internal", "AAAA"),
    ("machine.green.internal", "ANY"), ("db.green.internal", "A"), ("www.green.internal", "A"),
    ("www.green.internal", "CNAME"), ("info.green.internal", "TXT"), ("green.internal", "SOA"),
    ("green.internal", "NS"), ("nobody.green.internal", "A"), ("machine.green.internal", "MX"),
    ("14.1.0.10.in-addr.arpa", "PTR"), ("99.1.0.10.in-addr.arpa", "PTR"), ("example.com", "A"),
    ("\\000\\255.green.internal", "A"), ("a" * 63 + ".green.internal", "A")]


@statement("DNS over UDP: every kind of record, of no, and of error")
def dns(_weft, world):
    messages = [dns_question(name, kind) for name, kind in QUESTIONS]
    messages += [dns_question("db.green.internal", opt=malformed.DNSRROPT(version=7)),
                 dns_question("db.green.internal", "ANY",
                              opt=malformed.DNSRROPT(rclass=4096, z=0x8000)),
                 malformed.HEADER[:4] + bytes(8), dns_question("db.green.internal", opcode=4)]
    for number, message in enumerate(messages):
        frame = ethernet(world.gateway_mac, MAC, IPV4, ipv4(OWN4, RESOLVER, UDP, udp(
            OWN4, RESOLVER, 5000 + number, 53, message)))
        world.machine.ask(frame, lambda packet, port=5000 + number:
                          packet.source_port == 53 and packet.destination_port == port,
                          f"the answer to question {number}")
    frame = ethernet(world.gateway_mac, MAC, IPV6, ipv6(OWN6, "fd00:b:0:1::2", UDP, udp(
        OWN6, "fd00:b:0:1::2", 5100, 53, messages[0])))
    world.machine.ask(frame, lambda packet: packet.destination_port == 5100, "an answer over IPv6")


class Connection:
    """TCP by hand, as much as one question needs."""

    def __init__(self, world, to, own_port, port):
        self.world, self.to, self.own_port, self.port = world, to, own_port, port
        self.next, self.seen, self.got = 1000, 0, b""
        self.say(2, wanted=lambda packet: packet.flags & 0x12 == 0x12)
        self.next += 1
        self.say(0x10)

    def say(self, flags, payload=b"", wanted=None):
        frame = ethernet(self.world.gateway_mac, MAC, IPV4, ipv4(OWN4, self.to, TCP, tcp(
            OWN4, self.to, self.own_port, self.port, flags, self.next, self.seen, payload)))
        if not wanted:
            self.world.machine.tap.send(frame)
            return
        packet = self.world.machine.ask(frame, lambda got: got.protocol == TCP and
                                        got.destination_port == self.own_port and wanted(got),
                                        f"TCP of {self.to}")
        self.hear(packet)

    def hear(self, packet):
        sequence = int.from_bytes(packet.frame[38:42], "big")
        self.got += packet.payload
        self.seen = (sequence + len(packet.payload) + (packet.flags & 3 != 0)) & 0xFFFFFFFF

    def ask(self, payload):
        self.say(0x18, payload, lambda packet: packet.payload)
        self.next += len(payload)
        self.say(0x11)
        return self.got


@statement("DNS over TCP, and metadata over HTTP")
def over_tcp(_weft, world):
    question = dns_question("machine.green.internal", "ANY")
    answer = Connection(world, RESOLVER, 6000, 53).ask(struct.pack("!H", len(question)) + question)
    check(len(answer) > len(question), "an answer over TCP")
    for number, path in enumerate(("/latest/meta-data/", "/nothing", "/latest/meta-data/mac")):
        request = f"GET {path} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n"
        answer = Connection(world, "169.254.169.254", 6001 + number, 80).ask(request.encode())
        check(answer.startswith(b"HTTP/1.1 "), f"an answer of metadata: {answer}")


@statement("tshark finds nothing wrong in what the machine got")
def machine_clean(_weft, world):
    for wanted, count in (("dhcp.option.dhcp == 2", 1), ("dhcp.option.dhcp == 5", 2),
                          ("dhcp.option.dhcp == 6", 1), ("dhcpv6.msgtype == 2", 1),
                          ("dhcpv6.msgtype == 7", 8), ("dns.flags.response == 1 && udp", 20),
                          ("dns.flags.response == 1 && tcp", 1), ("http.response", 3),
                          ("icmpv6.type == 134", 1)):
        found = world.machine.pcap.packets(wanted)
        check(found >= count, f"{found} packets with {wanted}, not {count}")
    world.machine.pcap.clean(expected=("DNS query retransmission", "Connection establish",
                                       "Connection finish", "Connection reset"))


@statement("IGMP and MLD queries, DHCP, ARP and probes in an l2 subnet: nothing wrong")
def station(_weft, world):
    machine = world.station
    for protocol in ("igmp", "mld"):
        kind = 2 if protocol == "igmp" else ICMPV6
        found = machine.receive(lambda packet, kind=kind: packet.protocol == kind or
                                (kind == ICMPV6 and packet.protocol == 0), SECONDS)
        check(found, f"a query of {protocol}")
    machine.ask(arp_request(STATION_MAC, "10.0.4.11", "10.0.4.1"),
                lambda packet: packet.operation == 2, "ARP of the gateway")
    machine.ask(neighbour_solicitation(STATION_MAC, "fd00:b:0:4::11", "fd00:b:0:4::1"),
                lambda packet: packet.kind == 136, "ND of the gateway")
    machine.pcap.clean()


# ---- tunnels -------------------------------------------------------------------------------------

NVGRE = Form("nvgre", {"type": "nvgre", "id": 5000}, "", "", 1400,
             decode_as=(), wanted={"gre.proto": "0x6558"})
KEEPALIVES = [
    ("vxlan", "10.0.1.2", "arp.opcode == 1"), ("geneve over IPv6", "fd00:b:0:1::2",
                                               "icmpv6.type == 135"),
    ("gre", "10.50.0.2", "icmp.type == 8"), ("ipip over IPv6", "10.50.0.2", "icmp.type == 8"),
    ("gue with IPv6 inside", "fd00:50::2", "icmpv6.type == 128"), ("sit", None, "icmp.type == 8")]


class Tunnels:
    """The host on an underlay whose far end takes everything."""

    def __init__(self, weft):
        run(WEFT, "vpc", "remove", "green", accept=[0])
        self.wire = Underlay()
        self.far = Netns("far")
        self.wire.plug("sink", self.far.path, number=GUEST)
        self.blue = Blue(weft, self.wire)
        self.mac = run("cat", "/sys/class/net/uplink0/address", accept=[0]).stdout.strip()
        for end, targets in ((self.blue.near, FAR_LAN),):
            for target in targets.values():
                end.run("ip", "neigh", "replace", target, "dev", "eth0", "lladdr",
                        "02:00:00:00:99:99", "nud", "permanent", accept=[0])

    def use(self, form, **more):
        self.blue.apply(dict(form.tunnel, remote=address(GUEST, form.outer), **more), form.mtu,
                        routed=form.routed)
        for target in FAR_LAN.values():
            self.blue.near.run("ip", "neigh", "replace", target, "dev", "eth0", "lladdr",
                               "02:00:00:00:99:99", "nud", "permanent", accept=[0])
        return (self.blue.inner, FAR_NET) if form.routed else (self.blue.near, FAR_LAN)

    def capture(self, form):
        return Capture(self.wire, "weft", form.decode_as)

    def own(self, capture, more):
        return capture.packets(f"eth.src == {self.mac} && {more}")


_tunnels = []


def tunnels_of(weft):
    if not _tunnels:
        _tunnels.append(Tunnels(weft))
    return _tunnels[0]


def send_some(near, target, form):
    """Datagrams of every size that fits, a ping, and the beginning of a connection."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with near.socket(family, socket.SOCK_DGRAM) as sender:
        for size in (0, 1, 17, 700, form.mtu - (48 if ":" in target else 28)):
            sender.sendto(bytes(size), (target, 9))
    near.silent_ping(target)
    knock(near, target, 9).close()


def declare(form):
    @statement(f"tunnel: {form.name}")
    def encapsulated(weft, _world):
        tunnels = tunnels_of(weft)
        near, far = tunnels.use(form)
        with tunnels.capture(form) as capture:
            for family in form.inner:
                wait_for(lambda f=family: near.run("ip", "route", "get", far[f]).returncode == 0,
                         f"a route of {near.name} to {far[family]}")
                send_some(near, far[family], form)
                send_some(near, far[family], form)
        wanted = " && ".join(f"{field} == {value}" for field, value in form.wanted.items())
        check(tunnels.own(capture, wanted or "ip") >= 5 * len(form.inner),
              "packets from Weft in the tunnel")
        capture.clean(expected=("unreachable",), only=f"eth.src == {tunnels.mac}")


for each in (*ETHERNET, NVGRE, *ROUTED):
    declare(each)


def asked(weft):
    """Keepalives that the tunnel has sent."""
    return weft.get("/v1/vpcs/blue/tunnels/far")["status"].get("asked", 0)


@statement("keepalives: to the outer end, and ARP, ND and echo through the tunnel")
def keepalives(weft, _world):
    tunnels = tunnels_of(weft)
    forms = {form.name: form for form in (*ETHERNET, *ROUTED)}
    for name, inner, wanted in KEEPALIVES:
        form = forms[name]
        keepalive = {"interval": 1, "retries": 2, **({"address": inner} if inner else {})}
        with tunnels.capture(form) as capture:
            tunnels.use(form, keepalive=keepalive)
            before = asked(weft)
            wait_for(lambda begin=before: asked(weft) >= begin + 2, "two keepalives")
        check(tunnels.own(capture, wanted), f"a keepalive of {name}")
        capture.clean(only=f"eth.src == {tunnels.mac}")


# ---- captures, and two hosts ---------------------------------------------------------------------


@statement("what weft capture writes: drops, deliveries, both directions, snapped short")
def own_capture(weft, _world):
    inner = tunnels_of(weft).blue.inner
    for name, words in (("whole", ()), ("short", ("--size", "60"))):
        path = f"{RUN}/own-{name}.pcapng"
        process = subprocess.Popen([WEFT, "capture", "blue/inner", *words, "--write", path],
                                   stderr=subprocess.PIPE, text=True)
        wait_for(lambda made=path: os.path.exists(made) and os.path.getsize(made), "the file")
        for gateway in ("10.0.2.1", "fd00:b:0:2::1"):
            check(inner.reaches(gateway, 3), f"{gateway} answers")
        inner.silent_ping("10.0.2.99")
        inner.silent_ping("10.9.9.9")
        knock(inner, "10.0.2.1", 80).close()
        judged = Pcap.of(path)
        wait_for(lambda one=judged: one.sees("tcp"), "the last packet")
        process.send_signal(signal.SIGINT)
        process.wait(END)
        # The workload leaves the checksum of TCP to its device, and expects answers.
        judged.clean(expected=("Bad checksum", "No response seen"))
        check(judged.packets("icmp || icmpv6") >= 12, "packets in the capture")


@statement("two hosts: all encapsulations, and the probes of the path between them")
def two_hosts(_weft, _world):
    with lab("encapsulations") as cloud:
        path = str(BUILD / "interop" / "hosts.pcap")
        if os.path.exists(path):  # of a run that failed
            os.unlink(path)
        for host, own in (("h2", "192.0.2.2"), ("h1", "192.0.2.1")):
            name = cloud.run(host, "ip", "-o", "-4", "address", "show", "to",
                             own).stdout.split()[1]
            cloud.run(host, "ethtool", "-K", name, "tx", "off", accept=[0])  # whole checksums
        process = cloud.start("h1", "tcpdump", "-i", name, "-U", "-w", path, "not", "tcp",
                              stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(path), "tcpdump writes")
        for number, kind in enumerate(("vxlan", "geneve", "nvgre", "gretap", "gre", "ipip", "fou",
                                       "gue"), 1):
            wait_for(lambda a=f"all/{kind}1", b=f"10.0.{number}.12": cloud.ping(a, b),
                     f"ping by {kind}")
        judged = Pcap.of(path, ["udp.port==5555,ip"])
        wait_for(lambda: judged.sees("udp.port == 6082"), "a probe of the path", 60)
        process.terminate()
        process.wait(END)
        for kind in ("vxlan", "geneve", "gre", "ip.proto == 4", "udp.port == 5555"):
            check(judged.packets(f"{kind} && icmp"), f"packets of {kind}")
        judged.clean()
    os.unlink(path)


main(World)
