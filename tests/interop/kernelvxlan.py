# SPDX-License-Identifier: BSD-2-Clause
"""The running kernel's own vxlan device with a bridge on it, as a foreign host.

      workload address on br<VNI> --- vx<VNI> --- eth0 10.9.0.4 --- underlay
"""
from underlay import KERNEL, Host, address
from harness import Skip, check


class KernelVxlan(Host):
    """The namespace of the host; an end for ends.py, with the address of its segment."""

    def __init__(self, wire, name="kernel", number=KERNEL):
        super().__init__(name)
        self.number = number
        wire.plug(name, self.path, number=number)

    def segment(self, vni, own, peers=(), family=4, port=4789, group=None, mtu=1450, options=()):
        """A vxlan device and its bridge, which gets the addresses (with their prefix lengths).
        peers: underlay addresses that frames to unknown and to all are sent to (head-end); group:
        a multicast group for them instead. Sources are learned from what arrives in both cases."""
        device, bridge = f"vx{vni}", f"br{vni}"
        self.remove(vni)
        where = ["group", group, "dev", "eth0"] if group else []
        made = self.run("ip", "link", "add", device, "type", "vxlan", "id", vni, "local",
                        address(self.number, family), "dstport", port, *where, *options)
        if "not supported" in made.stderr:
            raise Skip("the running kernel has no vxlan device")
        check(made.returncode == 0, f"ip link add {device} type vxlan: {made.stderr}")
        for words in (["link", "set", device, "mtu", mtu],
                      ["link", "add", bridge, "type", "bridge", "mcast_snooping", "0"],
                      ["link", "set", device, "master", bridge, "up"],
                      *(["address", "add", one, "dev", bridge, *(["nodad"] if ":" in one else [])]
                        for one in ([own] if isinstance(own, str) else own)),
                      ["link", "set", bridge, "mtu", mtu, "up"]):
            self.run("ip", *words, accept=[0])
        for peer in peers:
            self.run("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", device, "dst", peer,
                     accept=[0])
        return bridge

    def remove(self, vni):
        """The device and the bridge of a segment, where there is one."""
        for device in (f"vx{vni}", f"br{vni}"):
            self.run("ip", "link", "delete", device)

    def external(self, own, port=4789, family=4, mtu=1450):
        """One device for every VNI (collect metadata): route() says which packet has which."""
        self.run("ip", "link", "add", "vxany", "type", "vxlan", "external", "local",
                 address(self.number, family), "dstport", port, accept=[0])
        self.run("ip", "address", "add", own, "dev", "vxany", accept=[0])
        self.run("ip", "link", "set", "vxany", "mtu", mtu, "up", accept=[0])

    def route(self, vni, target, mac, peer):
        """To this overlay address through the external device."""
        kind = "ip6" if ":" in peer else "ip"
        self.run("ip", "route", "replace", target, "encap", kind, "id", vni, "dst", peer, "dev",
                 "vxany", accept=[0])
        self.run("ip", "neighbour", "replace", target, "lladdr", mac, "dev", "vxany", accept=[0])
