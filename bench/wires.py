# SPDX-License-Identifier: BSD-2-Clause
"""Wires: workloads on the network of a NIC, beside a Linux bridge that has the NIC for a member.

    client -- [host a] u ======= u [host b] -- server

    bridge       a Linux bridge on each host: the NIC (u) and the workload are its members
    bridge-nft   the same with connection tracking and the 10 rules that the Weft cases have
    bridge-vlan  as bridge, with a VLAN device of the NIC as a member, where the kernel has such
    weft-flat    a daemon of its own on each host, `type: flat`, `mode: l2`, 10 rules
    weft-vlan    the same, `type: vlan`: a tag is put on by the one host and taken off by the other
    weft-routed  as weft-flat, with `mode: l3`

The two daemons have a store each, so to each the other's workload is a machine on the wire.
Where the kernel has no VLAN devices, weft-vlan is beside the bridge without a tag, which has less
to do. The rest is as in forwarding.py.
"""
import argparse

import weft
from cases import CLIENT, PREFIX, SERVER, build_all, configure, nft_rules
from forwarding import measure_rounds
from overlay_cases import UNDERLAY, Overlay
from sandbox import run, succeeds, wait_until

BASE = "bridge"
TAG = 100


class Bridge(Overlay):
    """A bridge with the NIC, or a VLAN device of it."""

    def __init__(self, name, title, tag=None, rules=None):
        super().__init__(name, title, rules)
        self.tag = tag

    def join(self, _context):
        filtered = "1" if self.rules else "0"
        for index, host in enumerate(self.hosts):
            uplink = "u"
            run("ip", "-n", host, "address", "flush", "dev", "u")
            run("sh", "-c", "for table in ip ip6 arp; do "
                "echo 0 >/proc/sys/net/bridge/bridge-nf-call-${table}tables; done",
                namespace=host)
            run("ip", "-n", host, "link", "add", "bridge0", "up", "type", "bridge",
                "nf_call_iptables", filtered, "nf_call_ip6tables", filtered)
            if self.rules:
                run("nft", "-f", "-", namespace=host, given=nft_rules(self.rules))
            if self.tag:
                uplink = "tagged"
                if not succeeds("ip", "-n", host, "link", "add", "link", "u", "name", uplink,
                                "up", "type", "vlan", "id", str(self.tag)):
                    self.skipped = "this kernel has no VLAN devices"
                    return
            run("ip", "-n", host, "link", "set", uplink, "master", "bridge0")
            configure(self.workload(index, "bridge0"), (CLIENT, SERVER)[index])


class Weft(Overlay):
    """A daemon on each host, whose uplink is u."""

    def __init__(self, name, title, segment, mode="l2"):
        super().__init__(name, title, rules=10)
        self.segment, self.mode = segment, mode
        self.daemons = []

    def join(self, _context):
        self.skipped = weft.missing()
        if self.skipped:
            return
        for index, host in enumerate(self.hosts):
            self.daemons.append(weft.Daemon(host, ("--host", f"h{index + 1}"), namespace=host))
            # MACs of routers are made of ids; those of the second daemon are to be other ones.
            if index:
                self.daemons[-1].apply("vpcs: {pad: {cidrs: [10.99.0.0/16]}}\n")
            self.daemons[-1].apply("\n".join(self.lines(index)) + "\n")
        wait_until(lambda: all(succeeds("ip", "link", "show", "dev", "eth0", namespace=namespace)
                               for namespace in (self.client, self.server)),
                   f"{self.name}: both ports to be plugged in", 20)

    def lines(self, index):
        lines = ["hosts:", f"  h{index + 1}: {{underlay: {UNDERLAY[index]}/24, "
                           "uplinks: {physnet1: u}}",
                 "vpcs:", "  blue:", f'    cidrs: ["{PREFIX[4]}", "{PREFIX[6]}"]',
                 "    mtu: 1500", "    flow_limit: 400000", "    subnets:",
                 f'      web: {{cidr: ["10.0.1.0/24", "fd00:b:0:1::/64"], mode: {self.mode}, '
                 f"segment: {{{self.segment}, network: physnet1}}}}",
                 "    security_groups:"]
        lines += weft.group_lines("own", self.rules, PREFIX.values())
        # A MAC that the other daemon does not give out too.
        return lines + ["    ports:",
                        weft.port_line("own", "web", (CLIENT, SERVER)[index].values(), "own",
                                       (self.client, self.server)[index],
                                       f'mac: "02:57:00:00:88:0{index + 1}", '
                                       "flow_limit: 400000, ")]

    def close(self):
        for daemon in self.daemons:
            daemon.stop()
        super().close()


def all_cases():
    """Every case, the limit first."""
    return [
        Bridge("bridge", "Linux bridge"),
        Bridge("bridge-nft", "Linux bridge + nftables, 10 rules", rules=10),
        Bridge("bridge-vlan", "Linux bridge, VLAN device", TAG),
        Weft("weft-flat", "Weft, flat", "type: flat"),
        Weft("weft-vlan", "Weft, VLAN", f"type: vlan, tag: {TAG}"),
        Weft("weft-routed", "Weft, flat, mode l3", "type: flat", "l3"),
    ]


def run_wires(options, say):
    """Measure; return the document that is written as JSON."""
    changed = argparse.Namespace(**vars(options))
    changed.rounds6 = 0
    return measure_rounds(build_all(all_cases(), {}, options.server_cpu, say), BASE, changed, say)
