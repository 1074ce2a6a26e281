# SPDX-License-Identifier: BSD-2-Clause
"""The wire between the hosts: one Ethernet segment, and what a host does to stand on it.

      underlay 10.9.0.0/24, fd00:9::/64, MTU 1500 (a bridge in a namespace of its own)
        |.1          |.2            |.3              |.4
       Weft         guest        Open vSwitch     kernel vxlan

Offloads are off on all of it, so that what a capture holds is what a cable would carry: no packet
is larger than the MTU and every checksum is complete.

Imports of this folder begin with this module: it makes those of tests/net known.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "net"))

# pylint: disable=wrong-import-position
from harness import Netns, run  # noqa: E402

MTU = 1500
WEFT, GUEST, SWITCH, KERNEL, TWIN = 1, 2, 3, 4, 5  # the guest has a twin within itself
OFFLOADS = [word for name in ("tx", "rx", "sg", "tso", "gso", "gro") for word in (name, "off")]


def address(number, family=4):
    """The underlay address of a host."""
    return f"10.9.0.{number}" if family == 4 else f"fd00:9::{number}"


def no_offloads(device, netns=None):
    """Nothing is left for a network card to do; netns: path of where the device is."""
    command = ["ethtool", "-K", device, *OFFLOADS]
    if netns:
        command = ["nsenter", f"--net={netns}", *command]
    run(*command, accept=[0])


class Host(Netns):
    """A namespace that takes scripts, as the guest does."""

    def shell(self, script, accept=None, seconds=60):
        return self.run("sh", "-c", script, accept=accept, timeout=seconds)


class Underlay:
    """The segment; plug() gives a host a card on it."""

    def __init__(self):
        self.netns = Netns("underlay")
        self.netns.run("ip", "link", "add", "segment", "type", "bridge", "mcast_snooping", "0",
                       accept=[0])
        self.netns.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", accept=[0])
        self.netns.run("ip", "link", "set", "segment", "up", accept=[0])

    def plug(self, port, netns=None, device="eth0", number=None, mtu=MTU):
        """A cable from the segment's port to a device in the namespace at this path (None: here).
        number: its addresses are set as well."""
        inside = ["nsenter", f"--net={netns}"] if netns else []
        run("ip", "link", "add", port, "netns", self.netns.name, "mtu", mtu, "type", "veth",
            "peer", "name", f"{port}-end", accept=[0])
        run("ip", "link", "set", f"{port}-end", *(["netns", netns] if netns else []), "name",
            device, "mtu", mtu, accept=[0])
        no_offloads(port, self.netns.path)
        no_offloads(device, netns)
        self.netns.run("ip", "link", "set", port, "master", "segment", "up", accept=[0])
        if number:
            for family, length in ((4, 24), (6, 64)):
                run(*inside, "ip", "address", "add", f"{address(number, family)}/{length}", "dev",
                    device, *(["nodad"] if family == 6 else []), accept=[0])
        run(*inside, "ip", "link", "set", device, "up", accept=[0])
