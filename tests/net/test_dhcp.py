#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""DHCP for ports: real clients, every kind of message, and what is no message.

      subnet web 10.0.1.0/24, dhcp with options       subnet plain 10.0.2.0/24, dhcp: true
          udhcpc .11  ---+                               plain1 .11
          dhclient .12 --+--- gateway .1 (weftd answers by the punt device)
          dhcpcd .13  ---+
          raw .14     ---+    frames written by this test
"""
import contextlib
import json
import os
import signal
import stat
import subprocess

from dhcp import (ACK, DECLINE, DHCLIENT_SCRIPT, DISCOVER, INFORM, NAK, OFFER, RELEASE, REQUEST,
                  UDHCPC_SCRIPT, address_inside, asked4, counted, dhcp4_frame, dhcp4_request,
                  environment_of, metric, write_script)
from harness import RUN, SECONDS, Netns, check, equal, main, run, statement, wait_for
from packets import BROADCAST, IPV4, UDP, ethernet, ipv4, udp

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      web:
        cidr: 10.0.1.0/24
        dhcp:
          lease: 600
          dns: [10.0.1.2, 192.0.2.53]
          ntp: 192.0.2.123
          domain: blue.example
          search: [blue.example, example.org]
          routes: [{to: 10.9.0.0/16, via: 10.0.1.14}]
          next_server: 192.0.2.69
          tftp_server: boot.example
          boot_file: pxe/start.0
          options: {"43": "hex:0104c0000201", "252": "http://wpad.example/wpad.dat"}
      plain: {cidr: 10.0.2.0/24, dhcp: true}
      silent: {cidr: 10.0.3.0/24}
      switch: {cidr: 10.0.4.0/24, mode: l2, gateway: 10.0.4.1, dhcp: true}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
        egress: [{protocol: all, to: 0.0.0.0/0}]
    ports:
      udhcpc:
        {subnet: web, address: 10.0.1.11, security_groups: [open],
         attach: {netns: udhcpc, configure: false}}
      dhclient:
        {subnet: web, address: 10.0.1.12, security_groups: [open],
         attach: {netns: dhclient, configure: false}}
      dhcpcd:
        {subnet: web, address: 10.0.1.13, security_groups: [open],
         attach: {netns: dhcpcd, configure: false}}
      raw:
        {subnet: web, address: 10.0.1.14, security_groups: [open],
         attach: {netns: raw, configure: false}}
      plain1:
        {subnet: plain, address: 10.0.2.11, security_groups: [open],
         attach: {netns: plain1, configure: false}}
      silent1:
        {subnet: silent, address: 10.0.3.11, attach: {netns: silent1, configure: false}}
      switch1:
        {subnet: switch, address: 10.0.4.11, attach: {netns: switch1, configure: false}}
      switch2:
        {subnet: switch, address: 10.0.4.12, attach: {netns: switch2, configure: false}}
  dark:
    cidrs: [10.0.0.0/16]
    dns: {serve: false}
    metadata: false
    subnets: {lan: {cidr: 10.0.0.0/24, mode: l2, dhcp: true}}
    ports: {alone: {subnet: lan, address: 10.0.0.11, attach: {netns: alone, configure: false}}}
"""

class Clients:
    """The namespaces, and the wire of the port that has no client but this test."""

    def __init__(self, weft):
        self.alone, self.full = Netns("alone"), Netns("full")
        names = ("udhcpc", "dhclient", "dhcpcd", "raw", "plain1", "silent1", "switch1", "switch2")
        for name in names:
            setattr(self, name, Netns(name))
        weft.apply(INTENT)
        weft.plugged(*(f"blue/{name}" for name in names))
        self.wires = {name: getattr(self, name).wire() for name in
                      ("raw", "plain1", "silent1", "switch1", "switch2")}

    def ask(self, name="raw", seconds=SECONDS, **fields):
        """The answer to a message, as Dhcp4, or None."""
        wire = self.wires[name]
        return asked4(wire, seconds, **fields)


@statement("udhcpc gets the port's address, mask, router and options")
def udhcpc_gets(_weft, clients):
    script = write_script("udhcpc.sh", UDHCPC_SCRIPT)
    result = f"{RUN}/udhcpc"
    clients.udhcpc.run("busybox", "udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s", script,
                       "-O", "search", "-O", "staticroutes", "-O", "mtu", "-O", "ntpsrv",
                       environment=dict(os.environ, RESULT=result), accept=[0])
    got = environment_of(f"{result}.bound")
    for key, value in {"ip": "10.0.1.11", "mask": "24", "router": "10.0.1.1",
                       "serverid": "10.0.1.1", "lease": "600", "dns": "10.0.1.2 192.0.2.53",
                       "domain": "blue.example", "search": "blue.example example.org",
                       "mtu": "1500", "ntpsrv": "192.0.2.123", "siaddr": "192.0.2.69",
                       "hostname": "udhcpc",
                       "staticroutes": "10.9.0.0/16 10.0.1.14 0.0.0.0/0 10.0.1.1"}.items():
        equal(got.get(key), value, f"{key} as udhcpc has it")
    equal(address_inside(clients.udhcpc), ["10.0.1.11/24"], "addresses inside")
    check(clients.udhcpc.reaches("10.0.1.1"), "ping of the gateway")


@statement("ISC dhclient gets it, and gives it back")
def dhclient_gets(weft, clients):
    script = write_script("dhclient.sh", DHCLIENT_SCRIPT)
    result, leases, pid = f"{RUN}/dhclient", f"{RUN}/dhclient.leases", f"{RUN}/dhclient.pid"
    config = f"{RUN}/dhclient.conf"
    with open(config, "w", encoding="utf-8") as file:
        file.write("request subnet-mask, routers, domain-name-servers, domain-name, host-name,\n"
                   "  interface-mtu, ntp-servers, domain-search;\n")
    words = ("dhclient", "-4", "-cf", config, "-sf", script, "-lf", leases, "-pf", pid, "-e",
             f"RESULT={result}")
    clients.dhclient.run(*words, "-1", "eth0", accept=[0])
    got = environment_of(f"{result}.BOUND")
    for key, value in {"ip_address": "10.0.1.12", "subnet_mask": "255.255.255.0",
                       "routers": "10.0.1.1", "dhcp_server_identifier": "10.0.1.1",
                       "domain_name_servers": "10.0.1.2 192.0.2.53",
                       "domain_name": "blue.example", "interface_mtu": "1500",
                       "dhcp_lease_time": "600", "host_name": "dhclient",
                       "domain_search": "blue.example. example.org."}.items():
        equal(got.get(f"new_{key}"), value, f"{key} as dhclient has it")
    check(clients.dhclient.reaches("10.0.1.11"), "ping of the neighbour that udhcpc has configured")
    with counted(weft, "release"):
        clients.dhclient.run(*words, "-r", "eth0", accept=[0])


@statement("dhcpcd gets it")
def dhcpcd_gets(_weft, clients):
    for folder in ("/var/lib/dhcpcd", "/run/dhcpcd"):  # leases are this test's own
        if os.path.isdir(folder):
            run("mount", "-t", "tmpfs", "none", folder, accept=[0])
    config = f"{RUN}/dhcpcd.conf"
    with open(config, "w", encoding="utf-8") as file:
        file.write("hostname\nclientid\noption domain_name_servers, domain_name, interface_mtu\n"
                   "option classless_static_routes\nrequire dhcp_server_identifier\n"
                   "noipv6\nnohook resolv.conf, hostname, timesyncd, ntp.conf\n")
    process = clients.dhcpcd.start("dhcpcd", "-4", "-B", "-f", config, "-L", "--noarp", "eth0",
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: address_inside(clients.dhcpcd) == ["10.0.1.13/24"], "dhcpcd's address")
        wait_for(lambda: "10.9.0.0/16 via 10.0.1.14" in clients.dhcpcd.run("ip", "route").stdout,
                 "the classless route")
        check(clients.dhcpcd.reaches("10.0.1.1"), "ping of the gateway")
    finally:
        process.kill()
        process.wait()


@statement("DISCOVER is answered by OFFER, REQUEST by ACK, from the gateway")
def four_messages(weft, clients):
    with counted(weft, "offer"), counted(weft, "ack"):
        offer = clients.ask(kind=DISCOVER, transaction=77)
        equal((offer.kind, offer.your, offer.transaction, offer.operation),
              (OFFER, "10.0.1.14", 77, 2), "the offer")
        equal((offer.packet.source, offer.packet.destination), ("10.0.1.1", "10.0.1.14"),
              "addresses of the offer")
        equal(offer.packet.destination_mac, clients.wires["raw"].mac, "MAC of the offer")
        ack = clients.ask(kind=REQUEST, requested="10.0.1.14", server="10.0.1.1")
    equal((ack.kind, ack.your, ack.addresses(54)), (ACK, "10.0.1.14", ["10.0.1.1"]), "the ACK")
    equal(ack.file, b"pxe/start.0", "the field file")
    equal(ack.next_server, "192.0.2.69", "siaddr")
    equal((ack.options[66], ack.options[67]), (b"boot.example", b"pxe/start.0"), "options 66, 67")
    equal((ack.options[43], ack.options[252]),
          (bytes.fromhex("0104c0000201"), b"http://wpad.example/wpad.dat"), "options by number")
    equal([int.from_bytes(ack.options[code], "big") for code in (51, 58, 59)], [600, 300, 525],
          "lease, T1, T2")


@statement("the broadcast flag and rapid commit are honoured")
def flags(_weft, clients):
    offer = clients.ask(kind=DISCOVER, flags=0x8000)
    equal((offer.packet.destination, offer.packet.destination_mac, offer.flags),
          ("255.255.255.255", BROADCAST, 0x8000), "where the offer went")
    ack = clients.ask(kind=DISCOVER, options=bytes([80, 0]))
    equal((ack.kind, 80 in ack.options), (ACK, True), "answer to rapid commit")


@statement("network boot and options by number, asked for by dhclient")
def network_boot(_weft, clients):
    script = write_script("boot.sh", DHCLIENT_SCRIPT)
    result, config = f"{RUN}/boot", f"{RUN}/boot.conf"
    with open(config, "w", encoding="utf-8") as file:
        file.write("option wpad code 252 = text;\n"
                   "request subnet-mask, routers, tftp-server-name, bootfile-name, wpad,\n"
                   "  vendor-encapsulated-options, rfc3442-classless-static-routes;\n"
                   "option rfc3442-classless-static-routes code 121 = "
                   "array of unsigned integer 8;\n")
    words = ("dhclient", "-4", "-cf", config, "-sf", script, "-lf", f"{result}.leases", "-pf",
             f"{result}.pid", "-e", f"RESULT={result}")
    clients.dhclient.run(*words, "-1", "eth0", accept=[0])
    got = environment_of(f"{result}.BOUND")
    for key, value in {"tftp_server_name": "boot.example", "bootfile_name": "pxe/start.0",
                       "filename": "pxe/start.0", "next_server": "192.0.2.69",
                       "wpad": "http://wpad.example/wpad.dat",
                       "vendor_encapsulated_options": "1:4:c0:0:2:1",
                       "rfc3442_classless_static_routes":
                       "16 10 9 10 0 1 14 0 10 0 1 1"}.items():
        equal(got.get(f"new_{key}"), value, f"{key} as dhclient has it")
    clients.dhclient.run(*words, "-x", "eth0", accept=[0])


@statement("an l2 subnet without a gateway, resolver or metadata: udhcpc renews with the server")
def without_gateway(weft, clients):
    script = write_script("alone.sh", UDHCPC_SCRIPT)
    with counted(weft, "ack"):
        process = clients.alone.start("busybox", "udhcpc", "-f", "-i", "eth0", "-s", script,
                                      env=dict(os.environ, RESULT=f"{RUN}/alone"),
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: address_inside(clients.alone) == ["10.0.0.11/24"], "the address")
        equal(environment_of(f"{RUN}/alone.bound")["serverid"], "10.0.0.2", "the server")
        with counted(weft, "ack"):  # SIGUSR1: renew, by unicast from a socket of the kernel
            os.kill(process.pid, signal.SIGUSR1)
        wait_for(lambda: os.path.exists(f"{RUN}/alone.renew"), "udhcpc has renewed")
        neighbours = clients.alone.run("ip", "neigh", "show", "10.0.0.2").stdout
        check("lladdr" in neighbours, f"the server's MAC was asked for: {neighbours}")
    finally:
        process.kill()
        process.wait()


@statement("only what the client asks for of routes and network boot is sent")
def parameter_list(_weft, clients):
    ack = clients.ask(kind=DISCOVER, wanted=[1, 3, 6])
    equal([code in ack.options for code in (1, 3, 6, 66, 67, 119, 121)],
          [True, True, True, False, False, False, False], "options in the answer")
    small = clients.ask(kind=DISCOVER)
    check(small.size <= 576 - 28, f"an answer of {small.size} bytes to a client that takes 548")


@statement("renewing and rebinding: ACK for the port's address, NAK for any other")
def renew(_weft, clients):
    wire = clients.wires["raw"]
    gateway = clients.ask(kind=DISCOVER).packet.source_mac
    ack = clients.ask(kind=REQUEST, client="10.0.1.14", source="10.0.1.14",
                      destination="10.0.1.1", destination_mac=gateway)
    equal((ack.kind, ack.client, ack.packet.destination), (ACK, "10.0.1.14", "10.0.1.14"),
          "answer to a renewal")
    ack = clients.ask(kind=REQUEST, client="10.0.1.14", source="10.0.1.14")
    equal(ack.kind, ACK, "answer to a rebinding")
    for fields in ({"requested": "10.0.1.99"}, {"client": "10.0.1.99", "source": "10.0.1.99"},
                   {"requested": "10.0.1.99", "server": "10.0.1.1"}):
        nak = clients.ask(kind=REQUEST, **fields)
        equal((nak.kind, nak.your, nak.packet.destination), (NAK, "0.0.0.0", "255.255.255.255"),
              f"answer to {fields}")
        equal(nak.packet.destination_mac, BROADCAST, "MAC of a NAK")
    wire.drain()


@statement("INFORM is answered without an address, DECLINE and RELEASE are counted")
def inform(weft, clients):
    answer = clients.ask(kind=INFORM, client="10.0.1.14", source="10.0.1.14")
    equal((answer.kind, answer.your, 51 in answer.options), (ACK, "0.0.0.0", False),
          "answer to INFORM")
    with counted(weft, "decline"):
        clients.wires["raw"].send(dhcp4_frame(clients.wires["raw"].mac, DECLINE,
                                              requested="10.0.1.14", server="10.0.1.1"))
    with counted(weft, "release"):
        clients.wires["raw"].send(dhcp4_frame(clients.wires["raw"].mac, RELEASE,
                                              client="10.0.1.14", source="10.0.1.14",
                                              server="10.0.1.1"))


@statement("who chose another server, or speaks for another MAC, is not answered")
def ignored(weft, clients):
    wire = clients.wires["raw"]
    with counted(weft, "other_server"):
        wire.send(dhcp4_frame(wire.mac, REQUEST, requested="10.0.1.14", server="10.0.1.77"))
    with counted(weft, "other_client", 2):
        wire.send(dhcp4_frame(wire.mac, DISCOVER, hardware="02:00:00:00:00:99"))
        wire.send(dhcp4_frame(wire.mac, DISCOVER, relay="10.0.1.77"))
    with counted(weft, "unexpected", 3):
        wire.send(dhcp4_frame(wire.mac, OFFER))
        wire.send(dhcp4_frame(wire.mac, DISCOVER, operation=2))
        wire.send(dhcp4_frame(wire.mac, 0))
    with weft.dropped("spoofed_mac"):
        wire.send(dhcp4_frame("02:00:00:00:00:99", DISCOVER))


def malformed_payloads(mac):
    """Messages that are none."""
    good = dhcp4_request(mac, DISCOVER)
    yield b""
    yield good[:100]
    yield good[:239]
    yield good[:236] + b"\x63\x82\x53\x64" + good[240:]  # the cookie
    yield good[:-1] + bytes([55, 200, 1])  # an option past the end
    yield good[:-1] + bytes([12])
    yield dhcp4_request(mac, 0, options=bytes([53, 2, 1, 1]))  # a type of two bytes
    yield good[:2] + bytes([17]) + good[3:]  # an address of 17 bytes
    yield good[:-1] + bytes([52, 1, 3, 255])  # overload, and nothing but zeros there: well formed
    yield good[:108] + bytes([12, 200]) + good[110:-1] + bytes([52, 1, 1, 255])


@statement("malformed messages are ignored and counted, and the next client is served")
def malformed(weft, clients):
    wire = clients.wires["raw"]
    payloads = list(malformed_payloads(wire.mac))
    for payload in payloads:
        before = sum(metric(weft, result) for result in ("malformed", "offer"))
        wire.send(ethernet(BROADCAST, wire.mac, IPV4, ipv4(
            "0.0.0.0", "255.255.255.255", UDP, udp("0.0.0.0", "255.255.255.255", 68, 67, payload))))
        wait_for(lambda was=before: sum(metric(weft, result) for result in
                                        ("malformed", "offer")) > was, "the message is counted")
    check(metric(weft, "malformed") >= len(payloads) - 1, "malformed messages counted")
    wait_for(lambda: clients.ask(seconds=3, kind=DISCOVER), "an offer afterwards")


@statement("a port that asks too often is held back, the others are not")
def limit(weft, clients):
    wire = clients.wires["raw"]
    frame = dhcp4_frame(wire.mac, DISCOVER)
    before = weft.counter("punt_limit")

    def held_back():
        for _ in range(250):
            wire.send(frame)
        return weft.counter("punt_limit") >= before + 100
    wait_for(held_back, "drop for punt_limit")
    equal(clients.ask("plain1", kind=DISCOVER).your, "10.0.2.11", "the other port's address")


@statement("dhcp: true gives address, mask, router, the VPC's resolver and domain, MTU and name")
def plain(_weft, clients):
    answer = clients.ask("plain1", kind=DISCOVER)
    equal(sorted(answer.options), [1, 3, 6, 12, 15, 26, 51, 53, 54, 58, 59], "options")
    equal((answer.addresses(6), answer.options[15]), (["10.0.2.2"], b"blue.internal"),
          "resolver and domain")
    equal((answer.options[12], int.from_bytes(answer.options[51], "big")), (b"plain1", 3600),
          "host name and lease")


@statement("a subnet without dhcp answers nothing")
def silent(weft, clients):
    wire = clients.wires["silent1"]
    with weft.dropped("broadcast"):
        wire.send(dhcp4_frame(wire.mac, DISCOVER))


@statement("an l2 subnet serves its ports, and nobody else sees the request")
def switch(_weft, clients):
    clients.wires["switch2"].drain()
    answer = clients.ask("switch1", kind=DISCOVER)
    equal((answer.your, answer.addresses(3)), ("10.0.4.11", ["10.0.4.1"]), "address and router")
    equal(clients.wires["switch2"].arrived(lambda packet: packet.destination_port == 67), [],
          "requests at the other port")


@statement("a change of the subnet's options is in the next answer")
def changed(weft, clients):
    weft.weft("subnet", "set", "blue/plain", "--dns", "192.0.2.1", "--lease", "120")
    answer = clients.ask("plain1", kind=DISCOVER)
    equal((answer.addresses(6), int.from_bytes(answer.options[51], "big")), (["192.0.2.1"], 120),
          "DNS and lease")
    weft.weft("subnet", "set", "blue/plain", "--no-dhcp")
    equal(weft.get("/v1/vpcs/blue/subnets/plain")["dhcp"], False, "dhcp")
    with weft.dropped("broadcast"):
        clients.wires["plain1"].send(dhcp4_frame(clients.wires["plain1"].mac, DISCOVER))
    weft.weft("subnet", "set", "blue/plain", "--dhcp")


FULL = {
    "lease": 900, "ntp": ["192.0.2.1", "192.0.2.2"], "tftp_server": "boot.department.example",
    "search": [f"search{number}.department.example" for number in range(2)],
    "routes": [{"to": f"10.{number}.0.0/16", "via": "10.0.2.11"} for number in range(100, 128)],
    "options": {"43": "hex:" + "01" * 30, "252": "http://wpad.example/" + "x" * 40}}
FULL_WORDS = {"search": " ".join(FULL["search"]), "ntpsrv": "192.0.2.1 192.0.2.2",
              "tftp": FULL["tftp_server"], "wpad": FULL["options"]["252"],
              "staticroutes": "10.100.0.0/16 10.0.2.11"}


@statement("RFC 2132 9.3: options in the other fields are read; what fits nowhere is counted")
def overload(weft, clients):
    dhcp = dict(FULL, options=dict(FULL["options"], **{"224": "y" * 200}))
    weft.apply(json.dumps({"vpcs": {"full": {"cidrs": ["10.0.0.0/16"], "subnets": {
        "lan": {"cidr": "10.0.2.0/24", "dhcp": FULL}}, "ports": {"full": {
            "subnet": "lan", "address": "10.0.2.11",
            "attach": {"netns": "full", "configure": False}}}}}}))
    weft.plugged("full/full")
    script = write_script("full.sh", UDHCPC_SCRIPT)

    def ask():
        clients.full.run("busybox", "udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s", script, "-O",
                         "search", "-O", "staticroutes", "-O", "ntpsrv", "-O", "tftp", "-O", "43",
                         "-O", "wpad", environment=dict(os.environ, RESULT=f"{RUN}/full"),
                         accept=[0])
        return environment_of(f"{RUN}/full.bound")
    left_out = metric(weft, "left_out")
    got = ask()
    for key, value in FULL_WORDS.items():
        equal(got.get(key, "")[:len(value)], value, f"{key} as udhcpc has it")
    equal(metric(weft, "left_out"), left_out, "answers without all options")
    equal(weft.http("PATCH", "/v1/vpcs/full/subnets/lan", {"dhcp": dhcp})[0], 200, "status")
    with counted(weft, "left_out", 2):
        equal(ask().get("ip"), "10.0.2.11", "the address, without an option")
    check("left out" in weft.log(40) and "full/full" in weft.log(40), "the log says so")
    weft.weft("vpc", "remove", "full")


@statement("what is exported is what was applied")
def exported(weft, _clients):
    text = weft.weft("export").stdout
    check("no changes" in weft.apply(text).stdout.lower() or
          not [line for line in weft.apply(text).stdout.splitlines() if line[:1] in "+~-"],
          "applying the export changes something")


@statement("weftd is away: the drop says so; it comes back and serves")
def away(weft, clients):
    wire = clients.wires["raw"]
    before = weft.counter("unattended")
    weft.end(signal.SIGKILL)
    for _ in range(3):
        wire.send(dhcp4_frame(wire.mac, DISCOVER))
    weft.start()
    wait_for(lambda: weft.counter("unattended") >= before + 3, "drops while nobody was there")
    wait_for(lambda: clients.ask(seconds=3, kind=DISCOVER), "an offer after the restart")


main(Clients)
