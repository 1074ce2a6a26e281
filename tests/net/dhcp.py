# SPDX-License-Identifier: BSD-2-Clause
"""DHCP messages, built and read byte by byte, for the tests that are a client themselves."""
import ipaddress
import struct

from packets import (BROADCAST, IPV4, IPV6, UDP, address_bytes, ethernet, ipv4, ipv6, mac_bytes,
                     udp)

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
COOKIE = bytes.fromhex("63825363")


def option4(code, value):
    return bytes([code, len(value)]) + value


def dhcp4_request(mac, kind, transaction=0x1234, client="0.0.0.0", flags=0, options=b"",
                  relay="0.0.0.0", operation=1, end=b"\xff"):
    """The payload of a client's message."""
    header = struct.pack("!BBBBIHH4s4s4s4s", operation, 1, 6, 0, transaction, 0, flags,
                         address_bytes(client), bytes(4), bytes(4), address_bytes(relay))
    return (header + mac_bytes(mac) + bytes(10 + 64 + 128) + COOKIE +
            (option4(53, bytes([kind])) if kind else b"") + options + end)


def dhcp4_frame(mac, kind, source="0.0.0.0", destination="255.255.255.255",
                destination_mac=BROADCAST, requested=None, server=None, wanted=None, hardware=None,
                options=b"", **fields):
    """A whole frame of a client. hardware: chaddr, where it is not the sender's MAC."""
    if requested:
        options += option4(50, address_bytes(requested))
    if server:
        options += option4(54, address_bytes(server))
    if wanted:
        options += option4(55, bytes(wanted))
    payload = dhcp4_request(hardware or mac, kind, options=options, **fields)
    return ethernet(destination_mac, mac, IPV4, ipv4(source, destination, UDP, udp(
        source, destination, 68, 67, payload)))


def address_list(raw):
    return [str(ipaddress.ip_address(raw[at:at + 4])) for at in range(0, len(raw), 4)]


class Dhcp4:
    """What an answer says. packet: where it came in."""

    def __init__(self, packet):
        body = packet.payload
        self.packet, self.size = packet, len(body)
        self.operation = body[0]
        self.transaction, self.seconds, self.flags = struct.unpack("!IHH", body[4:12])
        self.client, self.your, self.next_server, self.relay = address_list(body[12:28])
        self.file = body[108:236].rstrip(b"\0")
        self.options = {}
        rest = body[240:]
        while rest and rest[0] != 255:
            if rest[0]:
                value = rest[2:2 + rest[1]]
                self.options[rest[0]] = self.options.get(rest[0], b"") + value
                rest = rest[2 + rest[1]:]
            else:
                rest = rest[1:]
        self.kind = self.options.get(53, b"\0")[0]

    def addresses(self, code):
        return address_list(self.options.get(code, b""))


# ---- DHCPv6 ----

def option6(code, value):
    return struct.pack("!HH", code, len(value)) + value


def ia_na(identifier, *held):
    """An identity association, with addresses that the client holds."""
    body = struct.pack("!III", identifier, 0, 0)
    for address in held:
        body += option6(5, address_bytes(address) + struct.pack("!II", 100, 200))
    return option6(3, body)


def dhcp6_frame(mac, source, kind, options, transaction=0x123456):
    """A whole frame of a client, to all servers on the link."""
    payload = struct.pack("!I", kind << 24 | transaction) + options
    return ethernet("33:33:00:01:00:02", mac, IPV6, ipv6(source, "ff02::1:2", UDP, udp(
        source, "ff02::1:2", 546, 547, payload)))


def options6(raw):
    while raw:
        code, size = struct.unpack("!HH", raw[:4])
        yield code, raw[4:4 + size]
        raw = raw[4 + size:]


class Dhcp6:
    """What an answer says: addresses with their valid lifetimes, status, options."""

    def __init__(self, packet):
        body = packet.payload
        self.packet, self.kind = packet, body[0]
        self.options, self.addresses, self.association, self.status = {}, [], None, None
        for code, value in options6(body[4:]):
            self.options[code] = value
            if code == 13:
                self.status = struct.unpack("!H", value[:2])[0]
            if code == 3:
                self.association = struct.unpack("!I", value[:4])[0]
                for inner, held in options6(value[12:]):
                    if inner == 5:
                        self.addresses.append((str(ipaddress.ip_address(held[:16])),
                                               struct.unpack("!I", held[20:24])[0]))
