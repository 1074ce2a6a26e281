# SPDX-License-Identifier: BSD-2-Clause
"""Frames, built and read byte by byte: what the tests put on a wire and look for on it.

Builders return bytes and nest: ethernet(a, b, IPV4, ipv4(x, y, UDP, udp(x, y, 1, 2, b"hi"))).
Checksums are right unless a test asks otherwise. `Packet` reads a frame as far as it understands
it; fields that are not there are None.
"""
import ipaddress
import struct

ARP, IPV4, IPV6, VLAN = 0x0806, 0x0800, 0x86DD, 0x8100
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(raw):
    return ":".join(f"{byte:02x}" for byte in raw)


def address_bytes(address):
    return ipaddress.ip_address(address).packed


def checksum(data):
    """The internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(source, destination, protocol, length):
    source, destination = address_bytes(source), address_bytes(destination)
    if len(source) == 4:
        return source + destination + struct.pack("!BBH", 0, protocol, length)
    return source + destination + struct.pack("!I3xB", length, protocol)


def ethernet(destination, source, ethertype, payload):
    return mac_bytes(destination) + mac_bytes(source) + struct.pack("!H", ethertype) + payload


def arp(operation, sender_mac, sender, target_mac, target):
    return (struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + mac_bytes(sender_mac) +
            address_bytes(sender) + mac_bytes(target_mac) + address_bytes(target))


def arp_request(mac, sender, target):
    return ethernet(BROADCAST, mac, ARP, arp(1, mac, sender, "00:00:00:00:00:00", target))


def ipv4(source, destination, protocol, payload, ttl=64, identification=0, flags=0, offset=0):
    """flags: 2 don't fragment, 1 more fragments; offset in units of eight bytes."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identification,
                         flags << 13 | offset, ttl, protocol, 0, address_bytes(source),
                         address_bytes(destination))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(source, destination, next_header, payload, hops=64):
    return (struct.pack("!IHBB", 6 << 28, len(payload), next_header, hops) +
            address_bytes(source) + address_bytes(destination) + payload)


def udp(source, destination, source_port, destination_port, payload=b""):
    header = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0)
    total = checksum(pseudo_header(source, destination, UDP, 8 + len(payload)) + header + payload)
    return header[:6] + struct.pack("!H", total or 0xFFFF) + payload


def tcp(source, destination, source_port, destination_port, flags, sequence=1000, acknowledge=0,
        payload=b"", window=65535):
    header = struct.pack("!HHIIBBHHH", source_port, destination_port, sequence, acknowledge,
                         5 << 4, flags, window, 0, 0)
    total = checksum(pseudo_header(source, destination, TCP, 20 + len(payload)) + header + payload)
    return header[:16] + struct.pack("!H", total) + header[18:] + payload


def icmp(kind, code, rest=b"\0\0\0\0", payload=b""):
    header = struct.pack("!BBH", kind, code, 0) + rest
    return header[:2] + struct.pack("!H", checksum(header + payload)) + header[4:] + payload


def icmp_echo(identifier=1, sequence=1, payload=b"weft", reply=False):
    return icmp(0 if reply else 8, 0, struct.pack("!HH", identifier, sequence), payload)


def icmpv6(source, destination, kind, code, body):
    header = struct.pack("!BBH", kind, code, 0)
    pseudo = pseudo_header(source, destination, ICMPV6, 4 + len(body))
    return header[:2] + struct.pack("!H", checksum(pseudo + header + body)) + body


def neighbour_solicitation(mac, source, target):
    """A frame that asks who has an IPv6 address."""
    last = address_bytes(target)[-3:]
    group = ipaddress.ip_address(bytes.fromhex("ff0200000000000000000001ff") + last)
    body = bytes(4) + address_bytes(target) + b"\x01\x01" + mac_bytes(mac)
    return ethernet("33:33:ff:" + mac_text(last), mac, IPV6,
                    ipv6(source, str(group), ICMPV6, icmpv6(source, str(group), 135, 0, body), 255))


class Packet:
    """What a frame says."""

    def __init__(self, frame):
        self.frame = frame
        self.destination_mac = mac_text(frame[0:6])
        self.source_mac = mac_text(frame[6:12])
        self.ethertype = struct.unpack("!H", frame[12:14])[0]
        self.operation = self.sender_mac = self.sender = self.target = None
        self.source = self.destination = self.protocol = self.ttl = None
        self.source_port = self.destination_port = self.flags = None
        self.kind = self.code = None
        self.payload = b""
        body = frame[14:]
        try:
            if self.ethertype == ARP:
                self.operation = struct.unpack("!H", body[6:8])[0]
                self.sender_mac = mac_text(body[8:14])
                self.sender = str(ipaddress.ip_address(body[14:18]))
                self.target = str(ipaddress.ip_address(body[24:28]))
            elif self.ethertype == IPV4:
                self.read_ipv4(body)
            elif self.ethertype == IPV6:
                self.read_ipv6(body)
        except (struct.error, ValueError, IndexError):
            pass

    def read_ipv4(self, body):
        length = (body[0] & 15) * 4
        total, self.identification, fragment = struct.unpack("!HHH", body[2:8])
        self.offset = fragment & 0x1FFF
        self.ttl, self.protocol = body[8], body[9]
        self.source = str(ipaddress.ip_address(body[12:16]))
        self.destination = str(ipaddress.ip_address(body[16:20]))
        self.read_transport(body[length:total])

    def read_ipv6(self, body):
        length, self.protocol, self.ttl = struct.unpack("!HBB", body[4:8])
        self.offset = 0
        self.source = str(ipaddress.ip_address(body[8:24]))
        self.destination = str(ipaddress.ip_address(body[24:40]))
        self.read_transport(body[40:40 + length])

    def read_transport(self, body):
        if self.offset:
            self.payload = body
        elif self.protocol == UDP:
            self.source_port, self.destination_port = struct.unpack("!HH", body[:4])
            self.payload = body[8:]
        elif self.protocol == TCP:
            self.source_port, self.destination_port = struct.unpack("!HH", body[:4])
            self.sequence, self.acknowledge = struct.unpack("!II", body[4:12])
            self.flags = body[13] & 0x3F
            self.payload = body[(body[12] >> 4) * 4:]
        elif self.protocol in (ICMP, ICMPV6):
            self.kind, self.code = body[0], body[1]
            self.rest = body[4:8]
            self.payload = body[8:]
        else:
            self.payload = body

    def __repr__(self):
        return self.frame[:80].hex()
