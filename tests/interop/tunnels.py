# SPDX-License-Identifier: BSD-2-Clause
"""Tunnels of a VPC to ends that are not Weft, in every form: what the tests of this folder vary.

      VPC blue            weftd 10.9.0.1, fd00:9::1                        10.9.0.2 guest
        lan 10.0.1.0/24 (l2)  near .11 ---+                                       |
        net 10.0.2.0/24       inner .11 --+--- tunnel `far` === underlay === the end's device
                                                                   .12 of lan, or .2 of 10.50.0.0/24
                                                                   behind a route

A tunnel that carries Ethernet is a member of `lan`; one that carries IP is the target of a route
to 10.50.0.0/24 and fd00:50::/64.
"""
import json
import os

from underlay import GUEST, WEFT, Host, address
from harness import wait_for

NEAR = {4: "10.0.1.11", 6: "fd00:b:0:1::11"}
INNER = {4: "10.0.2.11", 6: "fd00:b:0:2::11"}
FAR_LAN = {4: "10.0.1.12", 6: "fd00:b:0:1::12"}
FAR_NET = {4: "10.50.0.2", 6: "fd00:50::2"}
FAR_RANGES = {4: "10.50.0.0/24", 6: "fd00:50::/64"}
INNER_RANGES = {4: "10.0.2.0/24", 6: "fd00:b:0:2::/64"}


class Blue:
    """Weft's host on the underlay and the VPC's workloads; apply() gives it the tunnel."""

    def __init__(self, weft, wire):
        self.weft, self.wire = weft, wire
        wire.plug("weft", None, "uplink0", number=WEFT)
        self.near, self.inner = Host("near"), Host("inner")
        self.apply()
        weft.plugged("blue/near", "blue/inner")

    def apply(self, tunnel=None, mtu=None, segment=None, routed=False):
        """The whole intent, with this tunnel."""
        everything = {"security_groups": ["open"]}
        vpc = {
            "cidrs": ["10.0.0.0/16", "fd00:b::/48"],
            "subnets": {
                "lan": {"cidr": ["10.0.1.0/24", "fd00:b:0:1::/64"], "mode": "l2",
                        "segment": segment or {"type": "local"}},
                "net": {"cidr": ["10.0.2.0/24", "fd00:b:0:2::/64"], "segment": {"type": "local"}},
            },
            "security_groups": {"open": {
                "ingress": [{"protocol": "all", "from": "0.0.0.0/0"},
                            {"protocol": "all", "from": "::/0"}],
                "egress": [{"protocol": "all", "to": "0.0.0.0/0"},
                           {"protocol": "all", "to": "::/0"}]}},
            "ports": {
                "near": {"subnet": "lan", "addresses": list(NEAR.values()), **everything,
                         "attach": {"netns": "near"}},
                "inner": {"subnet": "net", "addresses": list(INNER.values()), **everything,
                          "attach": {"netns": "inner"}},
            },
        }
        if mtu:
            vpc["mtu"] = mtu
            for port in vpc["ports"].values():
                port["mtu"] = mtu
        if tunnel:
            vpc["tunnels"] = {"far": dict(tunnel, **({} if routed else {"subnet": "lan"}))}
        if routed:
            vpc["route_tables"] = {"main": {"routes": [{"to": one, "via": "tunnel:far"}
                                                       for one in FAR_RANGES.values()]}}
        own = {"underlay": [f"{address(WEFT)}/24", f"{address(WEFT, 6)}/64"]}
        self.weft.apply(json.dumps({"hosts": {os.uname().nodename: own}, "vpcs": {"blue": vpc}}))
        for end in (self.near, self.inner):  # the next far end has another MAC
            end.run("ip", "neigh", "flush", "all")
        for end in (self.near, self.inner) if mtu else ():
            wait_for(lambda one=end: f" mtu {mtu} " in one.run(
                "ip", "link", "show", "eth0").stdout, f"{end.name} has the MTU {mtu}")


def far_end(end, form, number=GUEST, remote=WEFT, own=None, ranges=None):
    """The device of a form in the guest, with the addresses of the tunnel's far end; of another
    form nothing is left. The last four say it for the near end, where the guest's twin is it."""
    words = form.options.format(w=address(remote, form.outer), g=address(number, form.outer))
    own = own or (FAR_NET if form.routed else FAR_LAN)
    ranges = ranges or INNER_RANGES
    end.run("ip link show far && ip link delete far; ip fou show | sed 's/^/ip fou del /' | sh")
    if form.setup:
        end.run(form.setup, accept=(0,))
    end.tunnel("far", form.device, words, [
        f"{own[family]}/{24 if family == 4 else 64}" for family in form.inner], form.mtu)
    if form.routed:
        end.run("".join(f"ip -{family} route replace {ranges[family]} dev far\n"
                        for family in form.inner), accept=(0,))


class Form:
    """One kind of tunnel: what Weft is told, the device of the guest, and what is on the wire."""

    def __init__(self, name, tunnel, device, options, mtu, **more):
        self.name, self.tunnel, self.mtu = name, tunnel, mtu
        self.device, self.options = device, options  # ip-link(8); {w} and {g} are the ends
        self.outer = more.get("outer", 4)            # family of the underlay
        self.inner = more.get("inner", (4, 6))       # families that it carries
        self.routed = more.get("routed", False)      # IP inside, not Ethernet
        self.setup = more.get("setup", "")           # script for the guest, before the device
        self.decode_as = more.get("decode_as", ())   # for tshark
        self.wanted = more.get("wanted", {})         # values of fields in every packet from Weft


def vxlan(name, mtu, outer=4, options="", **tunnel):
    port = tunnel.get("port", 4789)
    return Form(name, {"type": "vxlan", "id": 100, **tunnel}, "vxlan",
                f"id 100 local {{g}} remote {{w}} dstport {port} dev eth0 {options}", mtu,
                outer=outer, decode_as=[f"udp.port=={port},vxlan"],
                wanted={"vxlan.vni": "100", "vxlan.flag_i": "1"})


def geneve(name, mtu, outer=4, options="", **tunnel):
    port = tunnel.get("port", 6081)
    return Form(name, {"type": "geneve", "id": 100, **tunnel}, "geneve",
                f"id 100 remote {{w}} dstport {port} {options}", mtu, outer=outer,
                decode_as=[f"udp.port=={port},geneve"], wanted={"geneve.vni": "0x000064"})


def gretap(name, mtu, outer=4, options="", wanted="0x0000", **tunnel):
    return Form(name, {"type": "gretap", **tunnel}, "gretap" if outer == 4 else "ip6gretap",
                f"local {{g}} remote {{w}} {options}", mtu, outer=outer,
                wanted={"gre.flags_and_version": wanted, "gre.proto": "0x6558"})


def gre(name, mtu, outer=4, options="", wanted="0x0000", **tunnel):
    return Form(name, {"type": "gre", **tunnel}, "gre" if outer == 4 else "ip6gre",
                f"local {{g}} remote {{w}} {options}", mtu, outer=outer, routed=True,
                wanted={"gre.flags_and_version": wanted})


def plain(name, kind, device, mtu, options="", **more):
    tunnel = more.pop("tunnel", {})
    return Form(name, {"type": kind, **tunnel}, device, f"local {{g}} remote {{w}} {options}", mtu,
                routed=True, **more)


NO_LIMIT = "encaplimit none"  # Linux adds an option to IPv6 otherwise
FOU = "encap {} encap-sport auto encap-dport {}"

ETHERNET = [
    vxlan("vxlan", 1450),
    vxlan("vxlan over IPv6", 1430, outer=6),
    vxlan("vxlan at port 8472 with UDP checksums", 1450, options="udpcsum", port=8472,
          checksum=True),
    geneve("geneve", 1450),
    geneve("geneve over IPv6", 1430, outer=6),
    geneve("geneve at port 6091 with UDP checksums", 1450, options="udpcsum", port=6091,
           checksum=True),
    gretap("gretap", 1462),
    gretap("gretap with a key", 1458, options="key 70000", wanted="0x2000", id=70000),
    gretap("gretap with key and checksum", 1454, options="key 1 csum", wanted="0xa000", id=1,
           checksum=True),
    gretap("gretap with key, checksum and sequence", 1450, options="key 1 csum seq",
           wanted="0xb000", id=1, checksum=True, sequence=True),
    gretap("gretap with a key over IPv6", 1438, outer=6, options=f"key 5 {NO_LIMIT}",
           wanted="0x2000", id=5),
]

ROUTED = [
    gre("gre", 1476),
    gre("gre with key, checksum and sequence", 1464, options="key 9 csum seq", wanted="0xb000",
        id=9, checksum=True, sequence=True),
    gre("gre with a key over IPv6", 1452, outer=6, options=f"key 5 {NO_LIMIT}", wanted="0x2000",
        id=5),
    plain("ipip", "ipip", "ipip", 1480, inner=(4,), wanted={"ip.proto": "4"}),
    plain("ipip over IPv6", "ipip", "ip6tnl", 1460, f"mode any {NO_LIMIT}", outer=6,
          wanted={}),
    plain("sit", "sit", "sit", 1480, inner=(6,), wanted={"ip.proto": "41"}),
    plain("fou with IPv4 inside", "fou", "ipip", 1472, FOU.format("fou", 5555), inner=(4,),
          setup="ip fou add port 5555 ipproto 4", tunnel={"port": 5555},
          wanted={"udp.dstport": "5555"}),
    plain("fou with IPv6 inside", "fou", "sit", 1472, FOU.format("fou", 5556), inner=(6,),
          setup="ip fou add port 5556 ipproto 41", tunnel={"port": 5556},
          wanted={"udp.dstport": "5556"}),
    plain("fou with IPv4 inside over IPv6", "fou", "ip6tnl", 1452,
          f"mode ipip6 {NO_LIMIT} {FOU.format('fou', 5555)} encap-udp6-csum", inner=(4,), outer=6,
          setup="ip fou add port 5555 ipproto 4 -6", tunnel={"port": 5555},
          wanted={"udp.dstport": "5555"}),
    plain("gue with IPv4 inside", "gue", "ipip", 1468, FOU.format("gue", 6080), inner=(4,),
          setup="ip fou add port 6080 gue", wanted={"gue.variant": "0", "gue.proto": "4"}),
    plain("gue with IPv6 inside", "gue", "sit", 1468, FOU.format("gue", 6080), inner=(6,),
          setup="ip fou add port 6080 gue", wanted={"gue.variant": "0", "gue.proto": "41"}),
]
