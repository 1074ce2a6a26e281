# SPDX-License-Identifier: BSD-2-Clause
"""DHCP messages, built and read byte by byte, for the tests that are a client themselves; and what
tests of real clients have in common."""
import contextlib
import ipaddress
import itertools
import json
import os
import stat
import struct

from harness import RUN, SECONDS, wait_for
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


_transactions = itertools.count(0x10000)


def asked4(wire, seconds=SECONDS, **fields):
    """The answer to a message from a wire, as Dhcp4, or None; those to others are passed over."""
    fields.setdefault("transaction", next(_transactions))
    wire.drain()
    wire.send(dhcp4_frame(wire.mac, **fields))
    packet = wire.receive(lambda got: got.protocol == UDP and got.destination_port == 68 and
                          Dhcp4(got).transaction == fields["transaction"], seconds)
    return Dhcp4(packet) if packet else None


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


def asked6(wire, kind, *options, seconds=SECONDS):
    """The answer to a message from a wire's link-local address, as Dhcp6, or None."""
    transaction = next(_transactions)
    wire.drain()
    wire.send(dhcp6_frame(wire.mac, link_local(wire.mac), kind, b"".join(options), transaction))
    packet = wire.receive(lambda got: got.protocol == UDP and got.destination_port == 546 and
                          got.payload[1:4] == transaction.to_bytes(3, "big"), seconds)
    return Dhcp6(packet) if packet else None


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


def link_local(mac):
    raw = bytearray(mac_bytes(mac))
    raw[0] ^= 2
    return "fe80::%x:%x:%x:%x" % struct.unpack("!4H", bytes(raw[:3]) + b"\xff\xfe" + bytes(raw[3:]))


# ---- real clients ----

# What busybox's udhcpc calls with what it has got.
UDHCPC_SCRIPT = """#!/bin/sh
env > "$RESULT.$1"
case $1 in
deconfig) ip link set "$interface" up; ip address flush dev "$interface" ;;
bound|renew)
	ip address replace "$ip/$mask" dev "$interface"
	[ -z "$router" ] || ip route replace default via "${router%% *}"
	;;
esac
"""

# The same for ISC dhclient.
DHCLIENT_SCRIPT = """#!/bin/sh
env > "$RESULT.$reason"
case $reason in
PREINIT) ip link set "$interface" up ;;
BOUND|RENEW|REBIND|REBOOT)
	ip address replace "$new_ip_address/$new_subnet_mask" dev "$interface"
	ip route replace default via "${new_routers%% *}"
	;;
esac
exit 0
"""


def write_script(name, text):
    path = f"{RUN}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, stat.S_IRWXU)
    return path


def environment_of(path):
    """What a client's script wrote with env."""
    with open(path, encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)


def metric(weft, result, protocol="dhcpv4"):
    text = weft.http("GET", "/metrics", raw=True)[2].decode()
    name = f'weft_dhcp_messages_total{{protocol="{protocol}",result="{result}"}} '
    return sum(int(line[len(name):]) for line in text.splitlines() if line.startswith(name))


@contextlib.contextmanager
def counted(weft, result, count=1, protocol="dhcpv4"):
    """In this block at least so many messages end so."""
    before = metric(weft, result, protocol)
    yield
    wait_for(lambda: metric(weft, result, protocol) >= before + count, f"metric of {result}")


def address_inside(netns):
    found = json.loads(netns.run("ip", "-j", "-4", "address", "show", "eth0").stdout)
    return [f"{info['local']}/{info['prefixlen']}" for info in
            (found[0].get("addr_info", []) if found else [])]
