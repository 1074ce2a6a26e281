# SPDX-License-Identifier: BSD-2-Clause
"""Messages that no good client sends, made with scapy: a table for each protocol.

A row is Case(where, what, frame, then): the section that says what is to become of it, words, a
function that makes the frame or frames of a sender, and what must follow:

    counted(protocol, result)   metric weft_dhcp_messages_total moves
    metric(name)                another metric of weftd moves
    dropped(*verdicts)          the pipeline counts one of these
    answered(wanted)            an answer comes to the sender for which wanted(packet) holds

test_malformed.py sends them. A sender has `mac`, `address`, `address6`, `local6` (link-local), and
`gateway_mac`.
"""
import collections
import logging
import sys
import warnings

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's scapy, whichever python3 runs this
logging.getLogger("scapy").setLevel(logging.ERROR)
warnings.simplefilter("ignore")  # of what scapy imports of others
# pylint: disable=wrong-import-position
from scapy.all import (  # noqa: E402
    BOOTP, DHCP, DNS, DNSQR, DNSRROPT, IP, UDP, Dot1Q, DHCP6OptClientId, DHCP6OptElapsedTime,
    DHCP6OptIA_NA, DHCP6OptServerId, DHCP6_Confirm, DHCP6_Decline, DHCP6_InfoRequest,
    DHCP6_Rebind, DHCP6_Release, DHCP6_Renew, DHCP6_Request, DHCP6_Solicit, DUID_LL, Ether,
    ICMPv6MLDone, ICMPv6MLReport, ICMPv6MLReport2, ICMPv6MLDMultAddrRec, ICMPv6ND_NA, ICMPv6ND_NS,
    ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6ND_Redirect, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr,
    IPOption_Router_Alert, IPv6, IPv6ExtHdrHopByHop, Raw, RouterAlert, fragment)
from scapy.contrib.igmp import IGMP  # noqa: E402
from scapy.contrib.igmpv3 import IGMPv3, IGMPv3gr, IGMPv3mr  # noqa: E402

BROADCAST = "ff:ff:ff:ff:ff:ff"
Case = collections.namedtuple("Case", "where what frame then")
Then = collections.namedtuple("Then", "how words")


def counted(protocol, *results):
    return Then("counted", (protocol, *results))


def metric(name):
    return Then("metric", (name,))


def dropped(*verdicts):
    return Then("dropped", verdicts)


def answered(wanted):
    return Then("answered", (wanted,))


# ---- DHCPv4 --------------------------------------------------------------------------------------


def hardware(mac):
    return bytes.fromhex(mac.replace(":", "")) + bytes(10)


def dhcp4(options=(("message-type", "discover"), "end"), ip=None, udp=None, raw=None, **bootp):
    """A maker of frames: fields of BOOTP, options as scapy writes them, or all bytes behind UDP."""
    def frame(sender):
        fields = {"chaddr": hardware(sender.mac), "xid": 0x5701, "hlen": 6, **bootp}
        body = BOOTP(**fields) / DHCP(options=list(options))
        if raw:
            body = Raw(raw(bytes(body)))
        layers = {"src": "0.0.0.0", "dst": "255.255.255.255", **(ip or {})}
        return (Ether(src=sender.mac, dst=BROADCAST) / IP(**layers) /
                UDP(sport=68, dport=67, **(udp or {})) / body)
    return frame


def offer(packet):
    return packet.destination_port == 68 and packet.payload[240:243] == b"\x35\x01\x02"


def small_offer(packet):
    return offer(packet) and len(packet.payload) <= 548


def ack(packet):
    return packet.destination_port == 68 and packet.payload[240:243] == b"\x35\x01\x05"


def nak(packet):
    return packet.destination_port == 68 and packet.payload[240:243] == b"\x35\x01\x06"


TYPE = ("message-type", "discover")
MALFORMED4, UNEXPECTED4 = counted("dhcpv4", "malformed"), counted("dhcpv4", "unexpected")
OTHER4 = counted("dhcpv4", "other_client")

DHCP4 = [
    Case("RFC 2131, 2", "a message that ends in its fixed part", dhcp4(raw=lambda all: all[:100]),
         MALFORMED4),
    Case("RFC 2131, 2", "no message at all", dhcp4(raw=lambda all: b"\0"), MALFORMED4),
    Case("RFC 2131, 3", "another magic cookie",
         dhcp4(raw=lambda all: all[:236] + b"\x63\x82\x53\x64" + all[240:]), MALFORMED4),
    Case("RFC 2132, 2", "an option that runs past the end",
         dhcp4(raw=lambda all: all[:243] + b"\x37\xc8\x01"), MALFORMED4),
    Case("RFC 2132, 2", "an option without a length",
         dhcp4(raw=lambda all: all[:243] + b"\x0c"), MALFORMED4),
    Case("RFC 2132, 9.6", "a message type of two bytes",
         dhcp4(raw=lambda all: all[:240] + b"\x35\x02\x01\x01\xff"), MALFORMED4),
    Case("RFC 3396, 5", "two message types, which are one of two bytes",
         dhcp4(raw=lambda all: all[:240] + b"\x35\x01\x01\x35\x01\x01\xff"), MALFORMED4),
    Case("RFC 2132, 9.6", "message type 0", dhcp4([("message-type", 0), "end"]), UNEXPECTED4),
    Case("RFC 2132, 9.6", "message type 200", dhcp4([("message-type", 200), "end"]), UNEXPECTED4),
    Case("RFC 2131, 4.3", "what only a server says: OFFER",
         dhcp4([("message-type", "offer"), "end"]), UNEXPECTED4),
    Case("RFC 2131, 2", "a reply of a server", dhcp4(op=2), UNEXPECTED4),
    Case("RFC 1534, 2", "BOOTP, without a message type", dhcp4(["end"]), UNEXPECTED4),
    Case("RFC 2131, 2", "a hardware address of 17 bytes", dhcp4(hlen=17), MALFORMED4),
    Case("RFC 2131, 2", "a hardware address of no bytes", dhcp4(hlen=0), OTHER4),
    Case("RFC 2131, 2", "token ring", dhcp4(htype=6), OTHER4),
    Case("RFC 2131, 4.1", "in the name of another client",
         dhcp4(chaddr=hardware("02:00:00:00:00:99")), OTHER4),
    Case("RFC 1542, 4.1", "through a relay that a workload claims to be",
         dhcp4(giaddr="10.0.1.77", hops=3), OTHER4),
    Case("RFC 2132, 9.3", "overload into a field that is no list of options",
         dhcp4([TYPE, (52, b"\x01"), "end"], file=b"\x0c\xc8" + bytes(126)), MALFORMED4),
    Case("RFC 2132, 9.3", "overload of an unknown kind",
         dhcp4([TYPE, (52, b"\x80"), "end"]), answered(offer)),
    Case("RFC 2131, 4.1", "no end mark", dhcp4([TYPE]), answered(offer)),
    Case("RFC 2132, 3.1", "a hundred pads before the message type",
         dhcp4(raw=lambda all: all[:240] + bytes(100) + all[240:]), answered(offer)),
    Case("RFC 2132, 9.14", "a client identifier of no bytes",
         dhcp4([TYPE, (61, b""), "end"]), answered(offer)),
    Case("RFC 2132, 9.8", "an empty list of parameters",
         dhcp4([TYPE, (55, b""), "end"]), answered(offer)),
    Case("RFC 2132, 9.8", "a list of 255 parameters, all of them the end mark",
         dhcp4([TYPE, (55, b"\xff" * 255), "end"]), answered(offer)),
    Case("RFC 2132, 9.10", "a client that claims to take 64 bytes",
         dhcp4([TYPE, (57, b"\0\x40"), "end"]), answered(small_offer)),
    Case("RFC 2132, 9.10", "a size of three bytes",
         dhcp4([TYPE, (57, b"\1\2\3"), "end"]), answered(small_offer)),
    Case("RFC 2131, 4.3.2", "REQUEST of an address of five bytes",
         dhcp4([("message-type", "request"), (50, b"\x0a\0\1\x0e\0"), "end"]), answered(nak)),
    Case("RFC 2131, 4.3.2", "REQUEST of the broadcast address",
         dhcp4([("message-type", "request"), (50, b"\xff\xff\xff\xff"), "end"]), answered(nak)),
    Case("RFC 2131, 4.3.2", "REQUEST to a server of three bytes, which is no server",
         dhcp4([("message-type", "request"), (54, b"\x0a\0\1"), (50, b"\x0a\0\1\x0e"), "end"]),
         answered(ack)),
    Case("RFC 2131, 4.4.4", "DECLINE of no address",
         dhcp4([("message-type", "decline"), "end"]), counted("dhcpv4", "decline")),
    Case("RFC 2131, 4.4.6", "RELEASE of another's address",
         dhcp4([("message-type", "release"), "end"], ciaddr="10.0.1.99"),
         counted("dhcpv4", "release")),
    Case("RFC 1122, 4.1.3.4", "a wrong checksum of UDP", dhcp4(udp={"chksum": 0x1234}), MALFORMED4),
    Case("RFC 768", "no checksum of UDP", dhcp4(udp={"chksum": 0}), answered(offer)),
    Case("RFC 768", "a length of UDP past the packet", dhcp4(udp={"len": 2000}), MALFORMED4),
    Case("RFC 768", "a length of UDP below its header", dhcp4(udp={"len": 7}),
         dropped("bad_header")),
    Case("RFC 1122, 3.2.1.2", "a wrong checksum of IP", dhcp4(ip={"chksum": 0x1234}), MALFORMED4),
    Case("RFC 791, 3.1", "a length of IP past the frame", dhcp4(ip={"len": 1400}),
         dropped("truncated")),
    Case("RFC 791, 3.1", "an IP header of four words", dhcp4(ip={"ihl": 4}), dropped("bad_header")),
    Case("RFC 791, 3.2", "in fragments", lambda sender: fragment(dhcp4()(sender), 128),
         dropped("broadcast", "fragment_lost")),
    Case("RFC 2131, 4.1", "from an address that is not the port's",
         dhcp4(ip={"src": "10.0.1.99"}), answered(offer)),
    Case("RFC 1122, 3.2.1.3", "from the broadcast address", dhcp4(ip={"src": "255.255.255.255"}),
         dropped("bad_source")),
    Case("IEEE 802.1Q", "in a VLAN",
         lambda sender: Ether(src=sender.mac, dst=BROADCAST) / Dot1Q(vlan=7) /
         dhcp4()(sender).payload, dropped("tagged")),
]

# ---- DHCPv6 --------------------------------------------------------------------------------------

ALL_SERVERS, ALL_SERVERS_MAC = "ff02::1:2", "33:33:00:01:00:02"


def dhcp6(message, *options, client=True, server=None, raw=b"", to=None, udp=None, ip=None):
    """A maker of frames. client: its identifier comes first; server: bytes of one, or True for the
    subnet's own; raw: bytes behind the options; to: function of the sender, a unicast address."""
    def frame(sender):
        body = message(trid=0x570157)
        if client:
            body /= DHCP6OptClientId(duid=DUID_LL(lladdr=sender.mac))
        if server:
            duid = DUID_LL(lladdr=sender.gateway_mac) if server is True else Raw(server)
            body /= DHCP6OptServerId(duid=duid)
        for option in options:
            body /= option
        if raw:
            body /= Raw(raw)
        mac, address = (sender.gateway_mac, to(sender)) if to else (ALL_SERVERS_MAC, ALL_SERVERS)
        return (Ether(src=sender.mac, dst=mac) /
                IPv6(src=sender.local6, dst=address, **(ip or {})) /
                UDP(sport=546, dport=547, **(udp or {})) / body)
    return frame


def only(kind):
    """A message of nothing but its type and a number."""
    def frame(sender):
        return (Ether(src=sender.mac, dst=ALL_SERVERS_MAC) /
                IPv6(src=sender.local6, dst=ALL_SERVERS) / UDP(sport=546, dport=547) /
                Raw(bytes([kind, 1, 2, 3])))
    return frame


def kind6(kind, status=None):
    """Whether a packet is such an answer; status: with this code, of the message as a whole."""
    def wanted(packet):
        if packet.destination_port != 546 or packet.payload[0] != kind:
            return False
        rest = packet.payload[4:]
        while rest:
            code, size = int.from_bytes(rest[:2], "big"), int.from_bytes(rest[2:4], "big")
            if code == 13 and status is not None:
                return int.from_bytes(rest[4:6], "big") == status
            rest = rest[4 + size:]
        return status is None
    return wanted


def gateway6(sender):
    return sender.gateway6


IA, TIME = DHCP6OptIA_NA(iaid=7), DHCP6OptElapsedTime()
MALFORMED6, UNEXPECTED6 = counted("dhcpv6", "malformed"), counted("dhcpv6", "unexpected")

DHCP6 = [
    Case("RFC 8415, 8", "less than a header",
         lambda sender: (Ether(src=sender.mac, dst=ALL_SERVERS_MAC) /
                         IPv6(src=sender.local6, dst=ALL_SERVERS) / UDP(sport=546, dport=547) /
                         Raw(b"\x01\x02")), MALFORMED6),
    Case("RFC 8415, 16.2", "SOLICIT of nobody",
         dhcp6(DHCP6_Solicit, IA, client=False), UNEXPECTED6),
    Case("RFC 8415, 16.2", "SOLICIT that names a server", dhcp6(DHCP6_Solicit, IA, server=True),
         UNEXPECTED6),
    Case("RFC 8415, 16.4", "REQUEST without a server", dhcp6(DHCP6_Request, IA), UNEXPECTED6),
    Case("RFC 8415, 16.4", "REQUEST to another server",
         dhcp6(DHCP6_Request, IA, server=b"\0\3\0\1another"), counted("dhcpv6", "other_server")),
    Case("RFC 8415, 16.5", "CONFIRM that names a server", dhcp6(DHCP6_Confirm, IA, server=True),
         UNEXPECTED6),
    Case("RFC 8415, 18.3.3", "CONFIRM of no address", dhcp6(DHCP6_Confirm, IA), UNEXPECTED6),
    Case("RFC 8415, 16.6", "RENEW without a server", dhcp6(DHCP6_Renew, IA), UNEXPECTED6),
    Case("RFC 8415, 16.7", "REBIND that names a server", dhcp6(DHCP6_Rebind, IA, server=True),
         UNEXPECTED6),
    Case("RFC 8415, 16.8", "DECLINE without a server", dhcp6(DHCP6_Decline, IA), UNEXPECTED6),
    Case("RFC 8415, 16.9", "RELEASE without a server", dhcp6(DHCP6_Release, IA), UNEXPECTED6),
    Case("RFC 8415, 16.12", "INFORMATION-REQUEST to another server",
         dhcp6(DHCP6_InfoRequest, server=b"\0\3\0\1another"), counted("dhcpv6", "other_server")),
    Case("RFC 8415, 16.12", "INFORMATION-REQUEST that asks for an address",
         dhcp6(DHCP6_InfoRequest, IA), UNEXPECTED6),
    Case("RFC 8415, 16.3", "ADVERTISE, which servers say", only(2), UNEXPECTED6),
    Case("RFC 8415, 16.10", "REPLY, which servers say", only(7), UNEXPECTED6),
    Case("RFC 8415, 16.11", "RECONFIGURE, which servers say", only(10), UNEXPECTED6),
    Case("RFC 8415, 16.13", "RELAY-FORW of a workload", only(12), UNEXPECTED6),
    Case("RFC 8415, 16.14", "RELAY-REPL of a workload", only(13), UNEXPECTED6),
    Case("RFC 8415, 16", "message type 0", only(0), UNEXPECTED6),
    Case("RFC 8415, 16", "message type 255", only(255), UNEXPECTED6),
    Case("RFC 8415, 16", "SOLICIT to one server's address",
         dhcp6(DHCP6_Solicit, IA, to=gateway6), UNEXPECTED6),
    Case("RFC 8415, 16", "INFORMATION-REQUEST to one server's address",
         dhcp6(DHCP6_InfoRequest, to=gateway6), UNEXPECTED6),
    Case("RFC 8415, 18.3.2", "REQUEST to one server's address, which was not allowed",
         dhcp6(DHCP6_Request, IA, server=True, to=gateway6), answered(kind6(7, 5))),
    Case("RFC 8415, 18.3.4", "RENEW to one server's address, which was not allowed",
         dhcp6(DHCP6_Renew, IA, server=True, to=gateway6), answered(kind6(7, 5))),
    Case("RFC 8415, 21.1", "an option past the end", dhcp6(DHCP6_Solicit, raw=b"\0\3\0\x28\0"),
         MALFORMED6),
    Case("RFC 8415, 21.1", "an option of 65,535 bytes", dhcp6(DHCP6_Solicit, raw=b"\0\1\xff\xff"),
         MALFORMED6),
    Case("RFC 8415, 21.1", "half an option's header", dhcp6(DHCP6_Solicit, raw=b"\0\3\0"),
         MALFORMED6),
    Case("RFC 8415, 21.4", "an identity association of four bytes",
         dhcp6(DHCP6_Solicit, raw=b"\0\3\0\4\0\0\0\1"), MALFORMED6),
    Case("RFC 8415, 11.1", "a client identifier of no bytes",
         dhcp6(DHCP6_Solicit, client=False, raw=b"\0\1\0\0"), MALFORMED6),
    Case("RFC 8415, 11.1", "a client identifier of 131 bytes",
         dhcp6(DHCP6_Solicit, client=False, raw=b"\0\1\0\x83" + bytes(131)), MALFORMED6),
    Case("RFC 8415, 21.6", "an address of three bytes within an association",
         dhcp6(DHCP6_Solicit, raw=b"\0\3\0\x13\0\0\0\7" + bytes(8) + b"\0\5\0\3abc"),
         answered(kind6(2))),
    Case("RFC 8415, 21.4", "forty associations",
         dhcp6(DHCP6_Solicit, *[DHCP6OptIA_NA(iaid=number) for number in range(40)]),
         answered(kind6(2))),
    Case("RFC 8415, 21.7", "a list of options of an odd size",
         dhcp6(DHCP6_Solicit, IA, raw=b"\0\6\0\3abc"), answered(kind6(2))),
    Case("RFC 8200, 8.1", "no checksum of UDP", dhcp6(DHCP6_Solicit, IA, udp={"chksum": 0}),
         MALFORMED6),
    Case("RFC 8200, 8.1", "a wrong checksum of UDP",
         dhcp6(DHCP6_Solicit, IA, udp={"chksum": 0x1234}), MALFORMED6),
    Case("RFC 8200, 3", "a length past the frame", dhcp6(DHCP6_Solicit, IA, ip={"plen": 1000}),
         dropped("truncated")),
]

# ---- router and neighbour discovery --------------------------------------------------------------

ALL_ROUTERS, ALL_NODES = "ff02::2", "ff02::1"


def nd(message, hops=255, source=None, to=ALL_ROUTERS, mac=None):
    """A maker of frames with a message of ICMPv6; message, source: values or functions of the
    sender."""
    def frame(sender):
        made = message(sender) if callable(message) and not hasattr(message, "fields") else message
        origin = source(sender) if callable(source) else source or sender.local6
        last = [f"{byte:02x}" for byte in bytes(IPv6(dst=to))[36:40]]
        ether = Ether(src=sender.mac, dst=mac or "33:33:" + ":".join(last))
        return ether / IPv6(src=origin, dst=to, hlim=hops, nh=58) / made
    return frame


def own_mac(sender):
    return ICMPv6NDOptSrcLLAddr(lladdr=sender.mac)


def solicitation(sender, **fields):
    return ICMPv6ND_NS(tgt=sender.gateway6, **fields) / own_mac(sender)


RA_MALFORMED = counted("ra", "malformed")
NOT_ND = dropped("bad_neighbour")

DISCOVERY = [
    Case("RFC 4861, 6.1.1", "a router solicitation that was forwarded",
         nd(ICMPv6ND_RS(), hops=254), RA_MALFORMED),
    Case("RFC 4861, 6.1.1", "a router solicitation with a wrong checksum",
         nd(ICMPv6ND_RS(cksum=0x1234)), RA_MALFORMED),
    Case("RFC 4861, 6.1.1", "a router solicitation of code 1", nd(ICMPv6ND_RS(code=1)),
         RA_MALFORMED),
    Case("RFC 4861, 6.1.1", "a router solicitation with an option of no size",
         nd(ICMPv6ND_RS() / Raw(b"\1\0" + bytes(6))), RA_MALFORMED),
    Case("RFC 4861, 6.1.1", "a router solicitation with an option past the end",
         nd(ICMPv6ND_RS() / Raw(b"\1\2" + bytes(6))), RA_MALFORMED),
    Case("RFC 4861, 6.1.1", "a router solicitation of :: that names a MAC",
         nd(lambda sender: ICMPv6ND_RS() / own_mac(sender), source="::"), RA_MALFORMED),
    Case("RFC 4861, 6.1.2", "a workload that says it is the router",
         nd(lambda sender: ICMPv6ND_RA() / own_mac(sender), to=ALL_NODES), dropped("spoofed_nd")),
    Case("RFC 4861, 8.1", "a workload that redirects its neighbours",
         nd(lambda sender: ICMPv6ND_Redirect(tgt=sender.local6, dst=sender.gateway6),
            to=ALL_NODES), dropped("spoofed_nd")),
    Case("RFC 4861, 7.1.1", "a neighbour solicitation that was forwarded",
         nd(solicitation, hops=64, to="ff02::1:ff00:1"), NOT_ND),
    Case("RFC 4861, 7.1.1", "a neighbour solicitation of code 1",
         nd(lambda sender: solicitation(sender, code=1), to="ff02::1:ff00:1"), NOT_ND),
    Case("RFC 4861, 7.1.1", "a neighbour solicitation without a target",
         nd(lambda sender: Raw(bytes([135, 0, 0, 0]) + bytes(8)), to="ff02::1:ff00:1"), NOT_ND),
    Case("RFC 4861, 7.1.1", "a neighbour solicitation for a group",
         nd(ICMPv6ND_NS(tgt="ff02::1"), to="ff02::1:ff00:1"), NOT_ND),
    Case("RFC 4861, 7.1.2", "a neighbour advertisement that was forwarded",
         nd(lambda sender: ICMPv6ND_NA(tgt=sender.local6), hops=1, to=ALL_NODES), NOT_ND),
    Case("RFC 4861, 7.1.2", "a neighbour advertisement for a group",
         nd(ICMPv6ND_NA(tgt="ff02::1"), to=ALL_NODES), NOT_ND),
    Case("RFC 4861, 7.2.5", "a neighbour advertisement of another's address",
         nd(lambda sender: ICMPv6ND_NA(tgt=sender.gateway6) /
            ICMPv6NDOptDstLLAddr(lladdr=sender.mac), to=ALL_NODES), dropped("spoofed_nd")),
]

# ---- DNS -----------------------------------------------------------------------------------------

RESOLVER = "10.0.1.2"


def dns(message=None, raw=None, ip=None, udp=None):
    """A maker of frames to the resolver. raw: the bytes of the message, or what is made of them."""
    def frame(sender):
        body = bytes(message if message is not None else question())
        if raw is not None:
            body = raw(body) if callable(raw) else raw
        return (Ether(src=sender.mac, dst=sender.gateway_mac) /
                IP(**{"src": sender.address, "dst": RESOLVER, **(ip or {})}) /
                UDP(sport=5300, dport=53, **(udp or {})) / Raw(body))
    return frame


def question(name="good.blue.internal", opt=None, **fields):
    kind = fields.pop("qtype", "A")
    return DNS(id=0x5702, rd=1, qd=DNSQR(qname=name, qtype=kind), ar=opt, **fields)


def rcode(code, extended=False):
    """Whether a packet is an answer of this kind; extended: the upper bits are in OPT."""
    def wanted(packet):
        body = packet.payload
        if packet.source_port != 53 or len(body) < 12 or not body[2] & 0x80:
            return False
        if extended:
            return DNS(body).ar.extrcode << 4 | body[3] & 15 == code
        return body[3] & 15 == code and body[:2] == b"\x57\x02"
    return wanted


def truncated(packet):
    return rcode(0)(packet) and packet.payload[2] & 2 and len(packet.payload) <= 512


HEADER = b"\x57\x02\x01\0\0\1\0\0\0\0\0\0"
FORMERR, NOTIMP, REFUSED = (answered(rcode(code)) for code in (1, 4, 5))
SILENT = metric("weft_dns_malformed_total")

DNS_CASES = [
    Case("RFC 1035, 4.1.1", "less than a header", dns(raw=b"\x57\x02\x01"), SILENT),
    Case("RFC 1035, 4.1.1", "an answer", dns(question(qr=1)), SILENT),
    Case("RFC 1035, 4.1.1", "no question", dns(raw=HEADER[:5] + bytes(7)), FORMERR),
    Case("RFC 9619, 4", "two questions", dns(raw=lambda all: all[:5] + b"\2" + all[6:]), FORMERR),
    Case("RFC 1035, 4.1.1", "65,535 questions, and one is there",
         dns(raw=lambda all: all[:4] + b"\xff\xff" + all[6:]), FORMERR),
    Case("RFC 1035, 4.1.1", "65,535 additional records, and none is there",
         dns(raw=lambda all: all[:10] + b"\xff\xff" + all[12:]), FORMERR),
    Case("RFC 1035, 4.1.1", "records of an answer in a question",
         dns(raw=lambda all: all[:6] + b"\0\1" + all[8:]), FORMERR),
    Case("RFC 1035, 4.1.1", "a question cut off by its sender", dns(question(tc=1)), FORMERR),
    Case("RFC 1035, 4.1.4", "a name that points to itself", dns(raw=HEADER + b"\xc0\x0c\0\1\0\1"),
         FORMERR),
    Case("RFC 1035, 4.1.4", "two names that point to each other",
         dns(raw=HEADER + b"\xc0\x0e\xc0\x0c\0\1\0\1"), FORMERR),
    Case("RFC 1035, 4.1.4", "a name that points past the end",
         dns(raw=HEADER + b"\xff\xff\0\1\0\1"), FORMERR),
    Case("RFC 6891, 5", "a label of the extended kind", dns(raw=HEADER + b"\x41\1\0\0\1\0\1"),
         FORMERR),
    Case("RFC 1035, 2.3.4", "a name of 300 bytes",
         dns(raw=HEADER + (b"\x3b" + b"a" * 59) * 5 + b"\0\0\1\0\1"), FORMERR),
    Case("RFC 1035, 4.1.2", "a label past the end", dns(raw=HEADER + b"\x3fabc"), FORMERR),
    Case("RFC 1035, 4.1.2", "a question without a class", dns(raw=lambda all: all[:-2]), FORMERR),
    Case("RFC 1035, 3.2.2", "a question of type 0", dns(question(qtype=0)), FORMERR),
    Case("RFC 6891, 6.1.1", "a question of type OPT", dns(question(qtype=41)), FORMERR),
    Case("RFC 6891, 6.1.1", "two OPT records",
         dns(question(opt=DNSRROPT() / DNSRROPT(), arcount=2)), FORMERR),
    Case("RFC 6891, 6.1.2", "an OPT record with a name",
         dns(question(opt=DNSRROPT(rrname="opt.example"))), FORMERR),
    Case("RFC 6891, 6.1.2", "an OPT record longer than the message",
         dns(raw=lambda all: all[:11] + b"\1" + all[12:] + b"\0\0\x29\4\xd0\0\0\0\0\xff\xff"),
         FORMERR),
    Case("RFC 6891, 6.1.3", "EDNS version 7", dns(question(opt=DNSRROPT(version=7))),
         answered(rcode(16, True))),
    Case("RFC 6891, 6.2.3", "a client that claims to take no byte at all",
         dns(question(opt=DNSRROPT(rclass=0))), answered(rcode(0))),
    Case("RFC 6891, 6.1.2", "options of EDNS that nobody knows",
         dns(raw=lambda all: all[:11] + b"\1" + all[12:] +
             b"\0\0\x29\4\xd0\0\0\0\0\0\x08\xfe\x09\0\4abcd"), answered(rcode(0))),
    Case("RFC 1035, 4.1.1", "bytes behind the question", dns(raw=lambda all: all + b"rest"),
         answered(rcode(0))),
    Case("RFC 3425, 3", "an inverse query", dns(question(opcode=1)), NOTIMP),
    Case("RFC 1996, 3.12", "NOTIFY", dns(question(opcode=4)), NOTIMP),
    Case("RFC 2136, 2.2", "UPDATE", dns(question(opcode=5)), NOTIMP),
    Case("RFC 1035, 4.1.1", "opcode 15", dns(question(opcode=15)), NOTIMP),
    Case("RFC 5936, 4.2", "a transfer of the zone over UDP", dns(question("blue.internal",
                                                                      qtype=252)), REFUSED),
    Case("RFC 1122, 4.1.3.4", "a wrong checksum of UDP, and no answer; then a good one",
         lambda sender: [dns(udp={"chksum": 0x1234})(sender), dns()(sender)], answered(rcode(0))),
    Case("RFC 768", "a length of UDP below its header", dns(udp={"len": 5}), dropped("bad_header")),
    Case("RFC 791, 3.1", "a length of IP past the frame", dns(ip={"len": 1400}),
         dropped("truncated")),
    Case("V7", "in the name of another port", dns(ip={"src": "10.0.1.15"}),
         dropped("spoofed_address")),
]

# ---- IGMP and MLD, in an l2 subnet that snoops ---------------------------------------------------


def igmp(message, to="224.0.0.22", **fields):
    """A maker of frames. message: IGMP as scapy has it, or bytes (a checksum of 0 is filled in)."""
    def frame(sender):
        body = message
        if isinstance(body, bytes):
            body = Raw(body)
        last = [int(part) for part in to.split(".")[1:]]
        mac = f"01:00:5e:{last[0] & 127:02x}:{last[1]:02x}:{last[2]:02x}"
        return (Ether(src=sender.mac, dst=mac) /
                IP(src=sender.address, dst=to, ttl=1, proto=2, **fields,
                   options=[IPOption_Router_Alert()]) / body)
    return frame


def report3(*records, count=None):
    return IGMPv3(type=0x22) / IGMPv3mr(numgrp=len(records) if count is None else count,
                                       records=list(records))


def mld(message, hops=1, to="ff02::16", source=None):
    def frame(sender):
        last = [f"{byte:02x}" for byte in bytes(IPv6(dst=to))[36:40]]
        return (Ether(src=sender.mac, dst="33:33:" + ":".join(last)) /
                IPv6(src=source or sender.local6, dst=to, hlim=hops) /
                IPv6ExtHdrHopByHop(nh=58, options=[RouterAlert()]) / message)
    return frame


BAD = dropped("bad_membership")
WRONG_SUM = dropped("membership_checksum")
GROUP, GROUP6 = "239.1.2.3", "ff15::1:2:3"

MEMBERSHIP = [
    Case("RFC 2236, 2", "four bytes", igmp(b"\x16\0\xe9\xff"), BAD),
    Case("RFC 2236, 2.3", "a version 2 report with a wrong checksum",
         igmp(IGMP(type=0x16, gaddr=GROUP, chksum=0x1234), GROUP), WRONG_SUM),
    Case("RFC 3376, 4.2.2", "a version 3 report with a wrong checksum",
         igmp(IGMPv3(type=0x22, chksum=0x1234) /
              IGMPv3mr(numgrp=1, records=[IGMPv3gr(rtype=4, maddr=GROUP)])), WRONG_SUM),
    Case("RFC 3376, 7.1", "a query of ten bytes",
         igmp(b"\x11\x64\xee\x9b\0\0\0\0\0\0", "224.0.0.1"), BAD),
    Case("RFC 2710, 3.3", "an MLD report with a wrong checksum",
         mld(ICMPv6MLReport(mladdr=GROUP6, cksum=0x1234), to=GROUP6), WRONG_SUM),
    Case("RFC 3810, 5.2.2", "an MLD version 2 report with a wrong checksum",
         mld(ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=4, dst=GROUP6)],
                             records_number=1, cksum=0x1234)), WRONG_SUM),
    Case("RFC 3810, 5.2.13", "a report from an address that is not of the link",
         mld(ICMPv6MLReport(mladdr=GROUP6), to=GROUP6, source="fd00:b::99"), BAD),
    Case("RFC 2236, 2.4", "a version 2 report of no group",
         igmp(IGMP(type=0x16, gaddr="10.0.4.99"), GROUP), BAD),
    Case("RFC 2236, 2.4", "a version 1 report of no group",
         igmp(IGMP(type=0x12, gaddr="0.0.0.0"), GROUP), BAD),
    Case("RFC 2236, 2.4", "leaving what is no group",
         igmp(IGMP(type=0x17, gaddr="10.0.4.99"), "224.0.0.2"), BAD),
    Case("RFC 3376, 4.2", "a version 3 report that ends in its header",
         igmp(b"\x22\0\xdd\xff\0\0"), BAD),
    Case("RFC 3376, 4.2.9", "a version 3 report with fewer records than it says",
         igmp(report3(IGMPv3gr(rtype=4, maddr=GROUP), count=9)), BAD),
    Case("RFC 3376, 4.2.6", "a record with more sources than the message",
         igmp(report3(IGMPv3gr(rtype=4, maddr=GROUP, numsrc=500))), BAD),
    Case("RFC 3376, 4.2.5", "a record with more auxiliary data than the message",
         igmp(report3(IGMPv3gr(rtype=4, maddr=GROUP, auxdlen=255))), BAD),
    Case("RFC 3376, 4.2.8", "a record of no group",
         igmp(report3(IGMPv3gr(rtype=4, maddr="10.0.4.99"))), BAD),
    Case("RFC 2710, 3.7", "an MLD report of four bytes",
         mld(Raw(bytes([131, 0, 0, 0]))), dropped("truncated")),
    Case("RFC 2710, 3", "an MLD report that was forwarded",
         mld(ICMPv6MLReport(mladdr=GROUP6), hops=64, to=GROUP6), BAD),
    Case("RFC 2710, 3.6", "an MLD report of no group",
         mld(ICMPv6MLReport(mladdr="fd00::1"), to=GROUP6), BAD),
    Case("RFC 2710, 3.6", "leaving what is no group",
         mld(ICMPv6MLDone(mladdr="fd00::1"), to=ALL_ROUTERS), BAD),
    Case("RFC 3810, 6.2", "a version 2 report that was forwarded",
         mld(ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=4, dst=GROUP6)],
                             records_number=1), hops=255), BAD),
    Case("RFC 3810, 5.2.3", "a version 2 report with fewer records than it says",
         mld(ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=4, dst=GROUP6)],
                             records_number=9)), BAD),
    Case("RFC 3810, 5.2.6", "a record with more sources than the message",
         mld(ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=4, dst=GROUP6,
                                                           sources_number=900)],
                             records_number=1)), BAD),
    Case("RFC 3810, 5.2.5", "a record of no group",
         mld(ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=4, dst="fd00::1")],
                             records_number=1)), BAD),
]
