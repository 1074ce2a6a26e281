#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a workload sees of its neighbours and its gateway: V1-V7, V9, V10.

      subnet web 10.0.1.0/24, fd00:b:0:1::/64        subnet db 10.0.2.0/24, fd00:b:0:2::/64
          web1 .11  ---+
          web2 .12  ---+--- gateway .1 ...... gateway .1 --- db1 .11
          web3 .13  ---+    (no host of its own: the pipeline answers)
"""
from harness import SECONDS, Netns, check, equal, main, statement, wait_for
from packets import (ARP, BROADCAST, ICMP, ICMPV6, IPV4, IPV6, UDP, arp, arp_request, ethernet,
                     icmp_echo, icmpv6, ipv4, ipv6, mac_bytes, neighbour_solicitation, udp)

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    subnets:
      web: {cidr: [10.0.1.0/24, "fd00:b:0:1::/64"]}
      db:  {cidr: [10.0.2.0/24, "fd00:b:0:2::/64"]}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}, {protocol: all, from: "::/0"}]
        egress:  [{protocol: all, to: 0.0.0.0/0}, {protocol: all, to: "::/0"}]
    ports:
      web1:
        {subnet: web, addresses: [10.0.1.11, "fd00:b:0:1::11"], security_groups: [open],
         attach: {netns: web1}}
      web2:
        {subnet: web, addresses: [10.0.1.12, "fd00:b:0:1::12"], security_groups: [open],
         attach: {netns: web2}}
      web3:
        {subnet: web, addresses: [10.0.1.13], security_groups: [open],
         source_destination_check: false, attach: {netns: web3}}
      db1:
        {subnet: db, addresses: [10.0.2.11, "fd00:b:0:2::11"], security_groups: [open],
         attach: {netns: db1}}
"""


class Blue:
    """Namespaces and wires of the four workloads."""

    def __init__(self, weft):
        names = ("web1", "web2", "web3", "db1")
        for name in names:
            setattr(self, name, Netns(name))
        weft.apply(INTENT)
        weft.plugged(*(f"blue/{name}" for name in names))
        self.wire1, self.wire2 = self.web1.wire(), self.web2.wire()
        self.wire3, self.wire_db = self.web3.wire(), self.db1.wire()
        self.mac1, self.mac2, self.mac3 = (port.mac() for port in (self.web1, self.web2, self.web3))
        self.mac_db = self.db1.mac()
        self.gateway = self.ask("10.0.1.1").sender_mac

    def ask(self, address, seconds=SECONDS):
        """The answer to an ARP request of web1."""
        self.wire1.send(arp_request(self.mac1, "10.0.1.11", address))
        return self.wire1.receive(lambda packet: packet.ethertype == ARP and
                                  packet.operation == 2 and packet.sender == address, seconds)

    def udp_frame(self, payload, destination="10.0.1.12", mac=None, source_mac=None,
                  source="10.0.1.11"):
        return ethernet(mac or self.mac2, source_mac or self.mac1, IPV4,
                        ipv4(source, destination, UDP, udp(source, destination, 5000, 5001,
                                                           payload)))


@statement("V1 ARP for a neighbour is answered with its MAC")
def neighbour_is_answered(_weft, blue):
    answer = blue.ask("10.0.1.12")
    check(answer, "no answer")
    equal(answer.sender_mac, blue.mac2, "MAC in the answer")
    equal(answer.source_mac, blue.mac2, "source MAC of the frame")


@statement("V1 the neighbour itself never sees the request")
def neighbour_does_not_see(_weft, blue):
    blue.wire2.drain()
    check(blue.ask("10.0.1.12"), "no answer")
    blue.wire1.send(blue.udp_frame(b"after"))
    blue.wire2.expect(lambda packet: packet.payload == b"after", "the packet after the request")
    equal(blue.wire2.arrived(lambda packet: packet.ethertype == ARP and packet.operation == 1),
          [], "ARP requests at the neighbour")


@statement("V1 IPv6 neighbour solicitation is answered with the neighbour's MAC")
def solicitation_is_answered(_weft, blue):
    blue.wire1.send(neighbour_solicitation(blue.mac1, "fd00:b:0:1::11", "fd00:b:0:1::12"))
    answer = blue.wire1.expect(lambda packet: packet.protocol == ICMPV6 and packet.kind == 136 and
                               packet.source == "fd00:b:0:1::12", "neighbour advertisement")
    check(mac_bytes(blue.mac2) in answer.payload, "the neighbour's MAC is not in the answer")
    equal(answer.ttl, 255, "hop limit of the advertisement")


@statement("V2 ARP and ND for the subnet's gateway are answered with the gateway's MAC")
def gateway_is_answered(_weft, blue):
    answer = blue.ask("10.0.1.1")
    check(answer, "no answer")
    check(answer.sender_mac not in (blue.mac1, blue.mac2, blue.mac3, blue.mac_db),
          "the gateway's MAC is that of a port")
    blue.wire1.send(neighbour_solicitation(blue.mac1, "fd00:b:0:1::11", "fd00:b:0:1::1"))
    advertisement = blue.wire1.expect(
        lambda packet: packet.protocol == ICMPV6 and packet.kind == 136 and
        packet.source == "fd00:b:0:1::1", "advertisement of the gateway")
    check(mac_bytes(answer.sender_mac) in advertisement.payload, "IPv6 has another gateway MAC")


@statement("V3 a frame to a neighbour's MAC is delivered without the route table")
def neighbour_mac_bypasses_routes(weft, blue):
    weft.weft("route", "add", "blue/main", "172.16.9.0/24", "--via", "blackhole")
    # To a neighbour's MAC the route does not matter, and web3 takes what is not its own; to the
    # gateway's MAC the same address meets the blackhole.
    blue.wire3.drain()
    blue.wire1.send(blue.udp_frame(b"direct", "172.16.9.9", blue.mac3))
    blue.wire3.expect(lambda packet: packet.payload == b"direct", "frame to the neighbour's MAC")
    with weft.dropped("blackhole"):
        blue.wire1.send(blue.udp_frame(b"routed", "172.16.9.9", blue.gateway))


@statement("V4 ARP for an address nobody owns gets no answer and is not flooded")
def unknown_address(weft, blue):
    for wire in (blue.wire2, blue.wire3):
        wire.drain()
    with weft.dropped("unknown_neighbour"):
        blue.wire1.send(arp_request(blue.mac1, "10.0.1.11", "10.0.1.99"))
    for wire in (blue.wire1, blue.wire2, blue.wire3):
        equal(wire.arrived(lambda packet: packet.ethertype == ARP and "10.0.1.99" in
                           (packet.target, packet.sender)), [], "ARP frames")


@statement("V5 frames that are not IP are dropped")
def not_ip(weft, blue):
    with weft.dropped("not_ip"):
        blue.wire1.send(ethernet(blue.mac2, blue.mac1, 0x88B5, b"experimental" * 5))


@statement("V5 IPv4 broadcast and multicast are dropped")
def broadcast(weft, blue):
    with weft.dropped("broadcast", 2):
        blue.wire1.send(blue.udp_frame(b"all", "255.255.255.255", BROADCAST))
        blue.wire1.send(blue.udp_frame(b"subnet", "10.0.1.255", BROADCAST))
    with weft.dropped("multicast"):
        blue.wire1.send(blue.udp_frame(b"group", "239.1.2.3", "01:00:5e:01:02:03"))


@statement("V5 IPv6 unicast is forwarded")
def ipv6_unicast(_weft, blue):
    check(blue.web1.reaches("fd00:b:0:1::12"), "no answer to ping in the subnet")
    check(blue.web1.reaches("fd00:b:0:2::11"), "no answer to ping across subnets")


@statement("V6 a gratuitous ARP moves no address and nobody sees it")
def gratuitous(weft, blue):
    blue.wire2.drain()
    blue.wire1.send(ethernet(BROADCAST, blue.mac1, ARP,
                             arp(1, blue.mac1, "10.0.1.11", BROADCAST, "10.0.1.11")))
    blue.wire3.send(ethernet(BROADCAST, blue.mac3, ARP,
                             arp(2, blue.mac3, "10.0.1.13", BROADCAST, "10.0.1.13")))
    with weft.dropped("address_claim"):  # the port without source check
        blue.wire3.send(ethernet(BROADCAST, blue.mac3, ARP,
                                 arp(1, blue.mac3, "10.0.1.11", BROADCAST, "10.0.1.11")))
    with weft.dropped("spoofed_arp"):
        blue.wire1.send(ethernet(BROADCAST, blue.mac1, ARP,
                                 arp(2, blue.mac1, "10.0.1.13", BROADCAST, "10.0.1.13")))
    blue.wire1.send(blue.udp_frame(b"behind"))
    seen = blue.wire2.expect(lambda packet: packet.payload == b"behind" or
                             (packet.ethertype == ARP and packet.target == packet.sender),
                             "the packet behind the announcements")
    equal(seen.payload, b"behind", "what a neighbour saw first")
    equal(blue.ask("10.0.1.13").sender_mac, blue.mac3, "MAC of the address claimed")


@statement("V6 an unsolicited neighbour advertisement of another's address is dropped")
def gratuitous_nd(weft, blue):
    body = b"\x20\0\0\0" + bytes.fromhex("fd00000b000000010000000000000012") + \
        b"\x02\x01" + mac_bytes(blue.mac1)
    message = icmpv6("fd00:b:0:1::11", "ff02::1", 136, 0, body)
    with weft.dropped("spoofed_nd"):
        blue.wire1.send(ethernet("33:33:00:00:00:01", blue.mac1, IPV6,
                                 ipv6("fd00:b:0:1::11", "ff02::1", ICMPV6, message, 255)))


@statement("V7 a source MAC that is not the port's is dropped")
def spoofed_mac(weft, blue):
    with weft.dropped("spoofed_mac"):
        blue.wire1.send(blue.udp_frame(b"mac", source_mac="02:00:00:00:00:99"))


@statement("V7 a source address that is not the port's is dropped, IPv4 and IPv6")
def spoofed_address(weft, blue):
    with weft.dropped("spoofed_address", 2):
        blue.wire1.send(blue.udp_frame(b"v4", source="10.0.1.13"))
        blue.wire1.send(ethernet(blue.mac2, blue.mac1, IPV6, ipv6(
            "fd00:b:0:1::99", "fd00:b:0:1::12", UDP,
            udp("fd00:b:0:1::99", "fd00:b:0:1::12", 1, 2, b"v6"))))


@statement("V7 with the source/destination check off any source address passes")
def check_off(_weft, blue):
    blue.wire2.drain()
    frame = ethernet(blue.mac2, blue.mac3, IPV4, ipv4(
        "192.0.2.77", "10.0.1.12", UDP, udp("192.0.2.77", "10.0.1.12", 7, 7, b"foreign")))
    blue.wire3.send(frame)
    blue.wire2.expect(lambda packet: packet.payload == b"foreign", "packet with a foreign source")


@statement("V7 an allowed extra address passes, its neighbour in number does not")
def extra_address(weft, blue):
    weft.http("PATCH", "/v1/vpcs/blue/ports/web1", {"allowed_addresses": ["172.31.0.0/30"]})

    def frame(source):
        return ethernet(blue.mac2, blue.mac1, IPV4, ipv4(source, "10.0.1.12", UDP, udp(
            source, "10.0.1.12", 8, 8, source.encode())))

    def passes():
        blue.wire1.send(frame("172.31.0.2"))
        return blue.wire2.receive(lambda packet: packet.payload == b"172.31.0.2", 0.05)
    wait_for(passes, "a packet from the extra address arrives")
    with weft.dropped("spoofed_address"):
        blue.wire1.send(frame("172.31.0.4"))


@statement("V9 the TTL is not decremented, in a subnet and across subnets, IPv4 and IPv6")
def ttl(_weft, blue):
    blue.wire2.drain()
    blue.wire_db.drain()
    for destination, mac, wire in (("10.0.1.12", blue.mac2, blue.wire2),
                                   ("10.0.2.11", blue.gateway, blue.wire_db)):
        payload = f"ttl {destination}".encode()
        blue.wire1.send(ethernet(mac, blue.mac1, IPV4, ipv4("10.0.1.11", destination, UDP, udp(
            "10.0.1.11", destination, 9, 9, payload), ttl=1)))
        packet = wire.expect(lambda found, want=payload: found.payload == want, str(payload))
        equal(packet.ttl, 1, f"TTL on arrival at {destination}")
    blue.wire1.send(ethernet(blue.gateway, blue.mac1, IPV6, ipv6(
        "fd00:b:0:1::11", "fd00:b:0:2::11", UDP,
        udp("fd00:b:0:1::11", "fd00:b:0:2::11", 9, 9, b"hops"), hops=1)))
    packet = blue.wire_db.expect(lambda found: found.payload == b"hops", "IPv6 packet")
    equal(packet.ttl, 1, "hop limit on arrival")


@statement("V9 a packet across subnets arrives with the gateway's MAC as source")
def routed_source_mac(_weft, blue):
    blue.wire_db.drain()
    blue.wire1.send(blue.udp_frame(b"across", "10.0.2.11", blue.gateway))
    packet = blue.wire_db.expect(lambda found: found.payload == b"across", "packet across subnets")
    equal(packet.destination_mac, blue.mac_db, "destination MAC")
    check(packet.source_mac != blue.mac1, "the sender's MAC crossed the router")


@statement("V10 the own subnet's gateway answers ping, IPv4 and IPv6")
def own_gateway(_weft, blue):
    check(blue.web1.reaches("10.0.1.1"), "no answer of the IPv4 gateway")
    check(blue.web1.reaches("fd00:b:0:1::1"), "no answer of the IPv6 gateway")


@statement("V10 another subnet's gateway does not answer ping")
def other_gateway(weft, blue):
    with weft.dropped("not_own_gateway"):
        blue.web1.silent_ping("10.0.2.1")


@statement("V10 the gateway answers nothing but ping")
def gateway_only_ping(weft, blue):
    with weft.dropped("gateway_only_ping"):
        blue.wire1.send(blue.udp_frame(b"dns?", "10.0.1.1", blue.gateway))
    blue.wire1.drain()
    blue.wire1.send(ethernet(blue.gateway, blue.mac1, IPV4, ipv4(
        "10.0.1.11", "10.0.1.1", ICMP, icmp_echo(77, 1, b"payload"))))
    answer = blue.wire1.expect(lambda packet: packet.protocol == ICMP and packet.kind == 0,
                               "echo reply")
    equal(answer.payload, b"payload", "payload of the echo reply")


@statement("real clients: ping and arping find neighbour and gateway")
def real_clients(_weft, blue):
    check(blue.web1.reaches("10.0.1.12", 3), "ping of a neighbour")
    check(blue.web1.reaches("10.0.2.11", 3), "ping across subnets")
    done = blue.web1.run("arping", "-c", "1", "-w", "30", "-I", "eth0", "10.0.1.12")
    check(blue.mac2.lower() in done.stdout.lower(), f"arping says: {done.stdout}")


main(Blue)
