#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""DHCP from an outside server: dnsmasq gives what real clients ask for, relayed by weftd.

      subnet web  10.0.1.0/24, fd00:b:0:1::/64      relay: 192.0.2.67, 2001:db8::67
          udhcpc .11 --+                                      |
          dhclient .12 +--- weftd 192.0.2.1, 2001:db8::1 --- dnsmasq
          raw .14    --+    (the gateway is nobody's server)
      red/web     10.0.1.0/24 again; dnsmasq tells the tenants apart by their circuits
"""
import json
import os
import socket
import struct

from dhcp import (ACK, DHCLIENT_SCRIPT, DISCOVER, OFFER, REQUEST, UDHCPC_SCRIPT, asked4, asked6,
                  counted, dhcp4_frame, dhcp6_frame, environment_of, ia_na, link_local, option4,
                  option6, write_script)
from harness import (END, RUN, SECONDS, Failure, Netns, check, equal, main, run, statement,
                     wait_for)
from judge import Capture
from packets import mac_bytes

SERVER, SERVER6 = "192.0.2.67", "2001:db8::67"
MACS = {"udhcpc": "02:00:00:00:01:11", "dhclient": "02:00:00:00:01:12",
        "raw": "02:00:00:00:01:14", "wrong": "02:00:00:00:01:15", "twin": "02:00:00:00:02:11"}
INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    subnets:
      web:
        cidr: [10.0.1.0/24, "fd00:b:0:1::/64"]
        ra: managed
        dhcp: {relay: [192.0.2.67, "2001:db8::67"]}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}, {protocol: all, from: "::/0"}]
    ports:
PORTS
  red:
    cidrs: [10.0.0.0/16]
    subnets: {web: {cidr: 10.0.1.0/24, dhcp: {relay: 192.0.2.67}}}
    ports:
      twin: {subnet: web, address: 10.0.1.21, mac: "02:00:00:00:02:11",
             attach: {netns: twin, configure: false}}
"""
NUMBERS = {"udhcpc": 11, "dhclient": 12, "raw": 14, "wrong": 15}


def intent():
    ports = "".join(
        f'      {name}: {{subnet: web, addresses: [10.0.1.{number}, "fd00:b:0:1::{number}"], '
        f'mac: "{MACS[name]}", security_groups: [open], '
        f"attach: {{netns: {name}, configure: false}}}}\n" for name, number in NUMBERS.items())
    return INTENT.replace("PORTS\n", ports)


class World:
    def __init__(self, weft):
        self.server = self.netns = Netns("server")  # netns: where the capture is
        run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", "server",
            accept=[0])
        for where, device, own in ((run, "up0", 1), (self.server.run, "eth0", 67)):
            where("ip", "address", "add", f"192.0.2.{own}/24", "dev", device, accept=[0])
            where("ip", "address", "add", f"2001:db8::{own:x}/64" if own == 1 else
                  "2001:db8::67/64", "dev", device, "nodad", accept=[0])
            where("ip", "link", "set", device, "up", accept=[0])
        run("ethtool", "-K", "up0", "tx", "off", accept=[0])  # whole checksums, as on a cable
        self.capture = Capture(self, "eth0")
        self.capture.__enter__()
        for name in (*NUMBERS, "twin"):
            setattr(self, name, Netns(name))
        self.process = None
        self.serve()
        weft.apply(intent())
        weft.plugged(*(f"blue/{name}" for name in NUMBERS), "red/twin")
        self.wire = self.raw.wire()

    def serve(self):
        """dnsmasq: each circuit has its one address, and a MAC its IPv6 address."""
        words = ["--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=eth0",
                 "--bind-interfaces", "--no-ping", "--user=root", "--log-dhcp", "--pid-file=",
                 f"--dhcp-leasefile={RUN}/leases", "--log-facility=-",
                 "--dhcp-range=fd00:b:0:1::1000,fd00:b:0:1::1fff,64,10m",
                 "--dhcp-option=option:dns-server,192.0.2.53",
                 "--dhcp-option=option:router,10.0.1.1",
                 "--dhcp-option=option6:dns-server,[2001:db8::53]"]
        for circuit, address in (("blue/udhcpc", "10.0.1.11"), ("blue/dhclient", "10.0.1.12"),
                                 ("blue/raw", "10.0.1.14"), ("blue/wrong", "10.0.1.99"),
                                 ("red/twin", "10.0.1.21")):
            tag = circuit.replace("/", "-")
            words += [f"--dhcp-circuitid=set:{tag},{circuit}",
                      f"--dhcp-range=tag:{tag},{address},{address},255.255.255.0,10m"]
        for name, number in NUMBERS.items():
            if name != "wrong":
                words.append(f"--dhcp-host={MACS[name]},[fd00:b:0:1::{number}]")
        self.log = open(f"{RUN}/dnsmasq.log", "ab")
        self.process = self.server.start("dnsmasq", *words, stdout=self.log, stderr=self.log)
        wait_for(lambda: ":67 " in self.server.run("ss", "-Hlnu").stdout, "dnsmasq listens")

    def stop(self):
        self.process.terminate()
        self.process.wait(END)

    def ask(self, wire=None, seconds=SECONDS, **fields):
        return asked4(wire or self.wire, seconds, **fields)

    def ask6(self, kind, *options, seconds=SECONDS):
        return asked6(self.wire, kind, *options, seconds=seconds)

    def said(self):
        with open(f"{RUN}/dnsmasq.log", encoding="utf-8", errors="replace") as file:
            return file.read()


@statement("udhcpc gets its address from dnsmasq, which knows the port by its circuit")
def udhcpc(weft, world):
    script = write_script("udhcpc.sh", UDHCPC_SCRIPT)
    result = f"{RUN}/udhcpc"
    with counted(weft, "relayed", 2), counted(weft, "returned", 2):
        world.udhcpc.run("busybox", "udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s", script,
                         environment=dict(os.environ, RESULT=result), accept=[0])
    got = environment_of(f"{result}.bound")
    equal((got["ip"], got["serverid"], got["dns"], got["router"]),
          ("10.0.1.11", "10.0.1.1", "192.0.2.53", "10.0.1.1"), "what udhcpc has")
    check(world.udhcpc.reaches("10.0.1.1"), "ping of the gateway")


@statement("V17 a port of another tenant, whose subnet has the same range, has its own circuit")
def tenants(weft, world):
    wire = world.twin.wire()
    offer = world.ask(wire, kind=DISCOVER)
    equal((offer.kind, offer.your), (OFFER, "10.0.1.21"), "the twin's offer")
    check(weft.state_of("red/twin") == "plugged", "state")


@statement("dhclient gets it, renews with the gateway, and gives it back")
def dhclient(weft, world):
    script = write_script("dhclient.sh", DHCLIENT_SCRIPT)
    result = f"{RUN}/dhclient"
    words = ("dhclient", "-4", "-cf", "/dev/null", "-sf", script, "-lf", f"{result}.leases", "-pf",
             f"{result}.pid", "-e", f"RESULT={result}")
    world.dhclient.run(*words, "-1", "eth0", accept=[0])
    equal(environment_of(f"{result}.BOUND")["new_ip_address"], "10.0.1.12", "dhclient's address")
    with counted(weft, "relayed"):
        world.dhclient.run(*words, "-r", "eth0", accept=[0])
    wait_for(lambda: "DHCPRELEASE" in world.said(), "dnsmasq hears the release")


@statement("RFC 3046 2.2, RFC 5107: clients do not see what the relay adds; renewals come to it")
def by_hand(_weft, world):
    offer = world.ask(kind=DISCOVER, transaction=77)
    equal((offer.kind, offer.your, offer.transaction), (OFFER, "10.0.1.14", 77), "the offer")
    equal((82 in offer.options, offer.relay, offer.addresses(54)),
          (False, "10.0.1.1", ["10.0.1.1"]), "option 82, giaddr, server")
    equal((offer.packet.source, offer.packet.destination), ("10.0.1.1", "10.0.1.14"), "addresses")
    ack = world.ask(kind=REQUEST, requested="10.0.1.14", server="10.0.1.1")
    equal((ack.kind, ack.your), (ACK, "10.0.1.14"), "the ACK")
    renewed = world.ask(kind=REQUEST, client="10.0.1.14", source="10.0.1.14",
                        destination="10.0.1.1", destination_mac=offer.packet.source_mac)
    equal((renewed.kind, renewed.packet.destination), (ACK, "10.0.1.14"), "a unicast renewal")
    wide = world.ask(kind=DISCOVER, flags=0x8000)
    equal(wide.packet.destination, "255.255.255.255", "with the broadcast flag")


@statement("RFC 3046 2.1, RFC 1542 4.1.1: who plays the relay, or has come too far, is not relayed")
def forged(weft, world):
    with counted(weft, "forged", 2):
        world.wire.send(dhcp4_frame(world.wire.mac, DISCOVER, relay="10.0.1.77"))
        world.wire.send(dhcp4_frame(world.wire.mac, DISCOVER,
                                    options=option4(82, b"\x01\x09blue/wrong")))
    frame = bytearray(dhcp4_frame(world.wire.mac, DISCOVER))
    frame[14 + 20 + 8 + 3] = 16
    frame[14 + 20 + 6:14 + 20 + 8] = b"\0\0"  # without a checksum of UDP
    with counted(weft, "too_far"):
        world.wire.send(bytes(frame))
    with counted(weft, "other_client"):
        world.wire.send(dhcp4_frame(world.wire.mac, DISCOVER, hardware="02:00:00:00:00:99"))
    with counted(weft, "forged", protocol="dhcpv6"):
        world.wire.send(dhcp6_frame(world.wire.mac, link_local(world.wire.mac), 12, bytes(32)))


@statement("V8 a lease that is not the port's address is refused, counted and a problem")
def foreign(weft, world):
    wire = world.wrong.wire()
    with counted(weft, "foreign_lease"):
        check(world.ask(wire, 0.5, kind=DISCOVER) is None, "the wrong lease was passed on")
    problem = [one for one in weft.get("/v1/status")["problems"] if "wrong" in one["object"]]
    check(problem and "192.0.2.67" in problem[0]["message"], f"problems: {problem}")
    weft.weft("port", "set", "blue/wrong", "--address", "10.0.1.99", "--address",
              "fd00:b:0:1::15")
    wait_for(lambda: world.ask(wire, 3, kind=DISCOVER), "an offer of the agreed address")
    check(not [one for one in weft.get("/v1/status")["problems"] if "wrong" in one["object"]],
          "the problem is still there")


@statement("DHCPv6: RELAY-FORW with Interface-ID and MAC; the server's address comes back")
def dhcp6(weft, world):
    client = option6(1, bytes.fromhex("00030001") + mac_bytes(world.wire.mac))
    with counted(weft, "returned", protocol="dhcpv6"):
        advertise = wait_for(lambda: world.ask6(1, client, ia_na(7), seconds=3), "an ADVERTISE")
    equal((advertise.kind, advertise.addresses[0][0]), (2, "fd00:b:0:1::14"), "ADVERTISE")
    server = option6(2, advertise.options[2])
    reply = world.ask6(3, client, server, ia_na(7, "fd00:b:0:1::14"))
    equal((reply.kind, reply.addresses[0][0]), (7, "fd00:b:0:1::14"), "REPLY")
    check(reply.options[23] == socket.inet_pton(socket.AF_INET6, "2001:db8::53"), "DNS")
    equal(reply.packet.source[:4], "fe80", "from the gateway")


@statement("dhclient -6 gets it")
def dhclient6(_weft, world):
    result = f"{RUN}/dhclient6"
    script = write_script("dhclient6.sh", DHCLIENT_SCRIPT.replace("PREINIT)", "PREINIT6)"))
    world.dhclient.run("ip", "link", "set", "eth0", "up", accept=[0])
    wait_for(lambda: "fe80" in world.dhclient.run("ip", "-6", "address", "show", "dev", "eth0",
                                                  "-tentative").stdout, "a link-local address")
    world.dhclient.run("dhclient", "-6", "-D", "LL", "-cf", "/dev/null", "-sf", script, "-lf",
                       f"{result}.leases", "-pf", f"{result}.pid", "-e", f"RESULT={result}", "-1",
                       "eth0", accept=[0])
    got = environment_of(f"{result}.BOUND6")
    equal(got["new_ip6_address"], "fd00:b:0:1::12", "dhclient's address")


@statement("DHCPv6: a lease that is not the port's is refused")
def foreign6(weft, world):
    wire = world.wrong.wire()
    with counted(weft, "foreign_lease", protocol="dhcpv6"):
        wire.send(dhcp6_frame(wire.mac, link_local(wire.mac), 1, option6(
            1, bytes.fromhex("00030001") + mac_bytes(wire.mac)) + ia_na(7)))


DHCPD = """
authoritative;
subnet 192.0.2.0 netmask 255.255.255.0 {}
subnet 10.0.1.0 netmask 255.255.255.0 { option routers 10.0.1.1; }
class "raw" { match if option agent.circuit-id = "blue/raw"; }
subnet 10.0.3.0 netmask 255.255.255.0 {}
host raw { hardware ethernet MAC; fixed-address 10.0.1.14; }
"""


@statement("ISC dhcpd gives it as well; its clients rebind by broadcast")
def dhcpd(_weft, world):
    world.stop()
    with open(f"{RUN}/dhcpd.conf", "w", encoding="utf-8") as file:
        file.write(DHCPD.replace("MAC", MACS["raw"]))
    for name in ("dhcpd.leases", "dhcpd.pid"):
        with open(f"{RUN}/{name}", "w", encoding="utf-8"):
            pass
    with open(f"{RUN}/dhcpd.log", "wb") as log:
        process = world.server.start("dhcpd", "-4", "-f", "-d", "-cf", f"{RUN}/dhcpd.conf", "-lf",
                                     f"{RUN}/dhcpd.leases", "-pf", f"{RUN}/dhcpd.pid", "eth0",
                                     stdout=log, stderr=log)
    try:
        offer = wait_for(lambda: world.ask(seconds=3, kind=DISCOVER), "dhcpd's offer")
        equal((offer.your, 82 in offer.options), ("10.0.1.14", False), "the offer")
        server = offer.addresses(54)[0]
        ack = world.ask(kind=REQUEST, requested="10.0.1.14", server=server)
        equal((ack.kind, ack.your), (ACK, "10.0.1.14"), "the ACK")
        ack = world.ask(kind=REQUEST, client="10.0.1.14", source="10.0.1.14")
        equal((ack.kind, ack.your), (ACK, "10.0.1.14"), "rebinding")
    finally:
        process.terminate()
        process.wait(END)
        world.serve()


def kea(family):
    """What kea-dhcp4 or kea-dhcp6 is told: IPv4 by circuit, IPv6 by the MAC of RFC 6939."""
    six = family == "6"
    held = [{"hw-address": MACS[name], "ip-addresses": [f"fd00:b:0:1::{number}"]} if six else
            {"circuit-id": f"'blue/{name}'", "ip-address": f"10.0.1.{number}"}
            for name, number in NUMBERS.items() if name != "wrong"]
    subnet = {"id": 1, "subnet": "fd00:b:0:1::/64" if six else "10.0.1.0/24", "reservations": held,
              "option-data": [{"name": "dns-servers", "data": "2001:db8::53"} if six else
                              {"name": "routers", "data": "10.0.1.1"}]}
    return {f"Dhcp{family}": {
        "interfaces-config": {"interfaces": [f"eth0/{SERVER6}" if six else "eth0"],
                              **({} if six else {"dhcp-socket-type": "udp"})},
        "lease-database": {"type": "memfile", "persist": False}, "valid-lifetime": 600,
        "host-reservation-identifiers": ["hw-address"] if six else ["circuit-id"],
        **({"mac-sources": ["client-link-addr-option"],
            "server-id": {"type": "LL", "htype": 1, "identifier": "020000000067",
                          "persist": False}} if six else {}),
        f"subnet{family}": [subnet],
        "loggers": [{"name": f"kea-dhcp{family}", "severity": "INFO",
                     "output_options": [{"output": "stdout"}]}]}}


def kea_start(world, family):
    path = f"{RUN}/kea{family}.conf"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(kea(family), file)
    with open(f"{RUN}/kea{family}.log", "wb") as log:
        process = world.server.start(
            "env", f"KEA_PIDFILE_DIR={RUN}", "KEA_LOCKFILE_DIR=none", f"kea-dhcp{family}", "-c",
            path, stdout=log, stderr=log)
    port = {"4": f"{SERVER}:67 ", "6": f"[{SERVER6}]:547 "}[family]
    try:
        wait_for(lambda: port in world.server.run("ss", "-Hlnu").stdout, f"kea at {port}")
    except Failure as failure:
        process.kill()
        with open(f"{RUN}/kea{family}.log", encoding="utf-8", errors="replace") as file:
            raise Failure(f"{failure}\n{file.read()[-2000:]}") from failure
    return process


@statement("kea gives it: by circuit, in the subnet that the relay names; its clients rebind")
def kea4(weft, world):
    world.stop()
    process = kea_start(world, "4")
    try:
        offer = wait_for(lambda: world.ask(seconds=3, kind=DISCOVER), "kea's offer")
        equal((offer.your, 82 in offer.options, offer.addresses(3)),
              ("10.0.1.14", False, ["10.0.1.1"]), "the offer")
        ack = world.ask(kind=REQUEST, requested="10.0.1.14", server=offer.addresses(54)[0])
        equal((ack.kind, ack.your), (ACK, "10.0.1.14"), "the ACK")
        rebound = world.ask(kind=REQUEST, client="10.0.1.14", source="10.0.1.14")
        equal((rebound.kind, rebound.your), (ACK, "10.0.1.14"), "rebinding")
        result = f"{RUN}/udhcpc-kea"
        with counted(weft, "returned", 2):
            world.udhcpc.run("busybox", "udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s",
                             write_script("udhcpc.sh", UDHCPC_SCRIPT),
                             environment=dict(os.environ, RESULT=result), accept=[0])
        equal(environment_of(f"{result}.bound")["ip"], "10.0.1.11", "what udhcpc has")
    finally:
        process.terminate()
        process.wait(END)
        world.serve()


@statement("kea gives IPv6 addresses by the MAC that the relay says (RFC 6939)")
def kea6(weft, world):
    world.stop()
    process = kea_start(world, "6")
    client = option6(1, bytes.fromhex("00030001") + mac_bytes(world.wire.mac)) + \
        option6(6, b"\0\x17")  # DNS servers are wanted
    try:
        with counted(weft, "returned", protocol="dhcpv6"):
            advertise = wait_for(lambda: world.ask6(1, client, ia_na(9), seconds=3),
                                 "kea's ADVERTISE")
        equal((advertise.kind, advertise.addresses[0][0]), (2, "fd00:b:0:1::14"), "ADVERTISE")
        held = ia_na(9, "fd00:b:0:1::14")
        server = option6(2, advertise.options[2])
        for kind, *more in ((3, server), (5, server), (6,)):  # REQUEST, RENEW, REBIND
            reply = world.ask6(kind, client, *more, held)
            equal((reply.kind, reply.addresses[0][0]), (7, "fd00:b:0:1::14"), f"REPLY to {kind}")
        check(reply.options[23] == socket.inet_pton(socket.AF_INET6, "2001:db8::53"), "DNS")
    finally:
        process.terminate()
        process.wait(END)
        world.serve()


@statement("what comes to the relay from others than the server is counted and goes nowhere")
def stray(weft, world):
    other = Netns("other")
    run("ip", "link", "add", "up1", "type", "veth", "peer", "name", "eth0", "netns", "other",
        accept=[0])
    run("ip", "address", "add", "198.51.100.1/24", "dev", "up1", accept=[0])
    run("ip", "link", "set", "up1", "up", accept=[0])
    other.run("ip", "address", "add", "198.51.100.67/24", "dev", "eth0", accept=[0])
    other.run("ip", "link", "set", "eth0", "up", accept=[0])
    other.run("ip", "route", "add", "192.0.2.0/24", "via", "198.51.100.1", accept=[0])
    message = struct.pack("!BBBBIHH", 2, 1, 6, 0, 1, 0, 0) + bytes(4) + \
        socket.inet_aton("10.0.1.14") + bytes(4) + socket.inet_aton("192.0.2.1") + \
        mac_bytes(world.wire.mac) + bytes(10 + 192) + bytes.fromhex("63825363") + \
        option4(53, b"\x05") + option4(82, option4(1, b"blue/raw") +
                                       option4(2, mac_bytes(world.wire.mac))) + b"\xff"
    world.wire.drain()
    with other.socket(kind=socket.SOCK_DGRAM, bind=("198.51.100.67", 67)) as sender, \
            counted(weft, "stray_reply"):
        sender.sendto(message, ("192.0.2.1", 67))
    for spoiled in (message[:240] + option4(53, b"\x05") + b"\xff",  # no relay information
                    message.replace(b"blue/raw", b"blue/any"),
                    message.replace(mac_bytes(world.wire.mac) + b"\xff", bytes(6) + b"\xff")):
        world.stop()
        with world.server.socket(kind=socket.SOCK_DGRAM, bind=(SERVER, 67)) as sender, \
                counted(weft, "stray_reply"):
            sender.sendto(spoiled, ("192.0.2.1", 67))
        world.serve()
    check(not world.wire.arrived(lambda got: got.destination_port == 68), "a stray reply arrived")


@statement("tshark finds nothing wrong in anything that the relay has sent to servers")
def clean(_weft, world):
    mac = json.loads(run("ip", "-j", "link", "show", "up0", accept=[0]).stdout)[0]["address"]
    world.capture.__exit__(None, None, None)
    for words in ("dhcp.option.agent_information_option.agent_circuit_id", "dhcpv6.msgtype == 12"):
        check(world.capture.packets(f"eth.src == {mac} && {words}"), f"packets with {words}")
    world.capture.clean(only=f"eth.src == {mac}")


@statement("a server that cannot be reached is a problem, until it can be")
def unreachable(weft, world):
    weft.weft("subnet", "set", "blue/web", "--dhcp-relay", "203.0.113.9")
    with counted(weft, "no_server"):
        world.ask(seconds=0.1, kind=DISCOVER)
    check([one for one in weft.get("/v1/status")["problems"] if "203.0.113.9" in one["message"]],
          "no problem is told")
    weft.weft("subnet", "set", "blue/web", "--dhcp-relay", SERVER, "--dhcp-relay", SERVER6)
    wait_for(lambda: world.ask(seconds=3, kind=DISCOVER), "an offer")
    check(not [one for one in weft.get("/v1/status")["problems"]
               if "203.0.113.9" in one["message"]], "the problem stays")


@statement("a family without an outside server is served by weftd; without relay both are")
def own(weft, world):
    weft.weft("subnet", "set", "blue/web", "--dhcp-relay", SERVER6)
    with counted(weft, "offer"):
        equal(world.ask(kind=DISCOVER).your, "10.0.1.14", "weftd's own offer")
    exported = weft.weft("export").stdout
    check("relay: 2001:db8::67" in exported or 'relay: "2001:db8::67"' in exported or
          "2001:db8::67" in exported, "the export has the relay")
    equal(weft.apply(exported).stdout.strip(), "nothing to change", "apply of the export")


@statement("what cannot be relayed is refused with a sentence")
def refused(weft, _world):
    web = "vpcs: {blue: {cidrs: [10.0.0.0/16, \"fd00:b::/48\"], subnets: {web: {cidr: CIDR}}}}"
    for cidr, words in (("10.0.1.0/24, dhcp: {relay: 192.0.2.67, lease: 60}", "lease"),
                        ("10.0.1.0/24, dhcp: {relay: 224.0.0.1}", "224.0.0.1"),
                        ("10.0.1.0/24, dhcp: {relay: nobody}", "nobody"),
                        ("\"fd00:b:0:1::/64\", dhcp: {relay: 192.0.2.67}", "IPv4"),
                        ("\"fd00:b:0:1::/64\", ra: slaac, dhcp: {relay: \"2001:db8::67\"}",
                         "managed")):
        weft.refused(web.replace("CIDR", cidr), words)


main(World)
