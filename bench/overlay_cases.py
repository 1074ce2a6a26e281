# SPDX-License-Identifier: BSD-2-Clause
"""The networks between two hosts that are measured side by side.

Every case has two hosts joined by a wire of its own (a veth pair, "u" on both), and a client behind
the one and a server behind the other, with the same addresses everywhere:

    client -- [host a] u ======= u [host b] -- server

    routed        the hosts forward, the workloads are on networks of their own: the limit
    vxlan         the kernel's vxlan device and a bridge on each host
    vxlan-nft-10  the same, with connection tracking and 10 rules on both bridges
    ovs-KIND      Open vSwitch (userspace), a tunnel port and a tap-less port to the workload
    weft-KIND     two daemons on one store, a VPC that spans both, 10 rules in its groups

A case says how much smaller its packets are inside (mtu); with wire=True the wire carries packets
of the MTU's size, as between real NICs, while the receiver may put them together again. With
tap=True the server is a virtual machine as far as the host sees: behind a tap, whose frames
build/weft-machine carries to the machine's own card.
"""
import os
import shutil
import tempfile

import weft
from cases import CLIENT, PREFIX, SERVER, Case, configure, nft_rules, read_mtu
from sandbox import BUILD, run, start, stop, succeeds, wait_until

UNDERLAY = ("192.0.2.1", "192.0.2.2")
STORE_PORT = 2379
MACHINE = os.path.join(BUILD, "weft-machine")
MAC = "02:57:00:00:77:01"  # of the server's card behind a tap


class Overlay(Case):
    """Two hosts and a wire."""

    def __init__(self, name, title, rules=None, mtu=1500, wire=False, tap=False):
        super().__init__(name + ("-wire" if wire else "") + ("-tap" if tap else ""), title, rules)
        self.inside = mtu
        self.wire = wire
        # Of each write a rest is left that fills no frame of 64 KiB: of 128 KiB it is every third
        # frame, or two of four, as the length of a segment happens to divide it.
        self.write = "1M" if wire else self.write
        self.tap = tap
        self.hosts = (f"{self.name}-a", f"{self.name}-b")
        self.folder = None

    def build(self, context):
        for namespace in (*self.hosts, self.client, self.server):
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "link", "add", "u", "netns", self.hosts[0], "type", "veth",
            "peer", "name", "u", "netns", self.hosts[1])
        for host, address in zip(self.hosts, UNDERLAY):
            run("ip", "-n", host, "address", "add", f"{address}/24", "dev", "u")
            run("ip", "-n", host, "link", "set", "u", "up")
            if self.wire:
                run("ethtool", "-K", "u", "tx", "off", "tso", "off", "gso", "off",
                    namespace=host)
                run("ethtool", "-K", "u", "gro", "on", namespace=host)
        self.join(context)

    def join(self, context):
        """What is between the workloads and the wire."""
        raise NotImplementedError

    def workload(self, index, near=None):
        """A veth from a host into its workload; the host's end is called w."""
        namespace = (self.client, self.server)[index]
        if self.tap and index == 1:
            run("ip", "-n", self.hosts[1], "tuntap", "add", "w", "mode", "tap", "vnet_hdr")
            run("ip", "-n", self.hosts[1], "link", "set", "w", "mtu", str(self.inside), "up",
                *(["master", near] if near else []))
            self.machine()
            run("ip", "-n", namespace, "link", "set", "eth0", "mtu", str(self.inside))
            return namespace
        run("ip", "-n", self.hosts[index], "link", "add", "w", "mtu", str(self.inside), "up",
            *(["master", near] if near else []), "type", "veth", "peer", "name", "eth0", "mtu",
            str(self.inside), "netns", namespace)
        return namespace

    def machine(self):
        """The server's card: eth0 in its namespace, on the other side of the tap w."""
        self.processes.append(start(MACHINE, "w", f"/run/netns/{self.server}", "eth0",
                                    namespace=self.hosts[1], cpu=0, ready="ready"))

    def close(self):
        super().close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


class Routed(Overlay):
    """The same addresses as everywhere, each a host route."""

    def join(self, _context):
        for index, (own, other) in enumerate(((CLIENT, SERVER), (SERVER, CLIENT))):
            host, namespace = self.hosts[index], self.workload(index)
            run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; "
                "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding", namespace=host)
            run("ip", "-n", host, "address", "add", f"2001:db8::{index + 1}/64", "dev", "u",
                "nodad")
            run("ip", "-n", namespace, "link", "set", "eth0", "up")
            for family, gateway in ((4, "169.254.1.1"), (6, "fe80::1")):
                bits = 32 if family == 4 else 128
                flags = ["nodad"] if family == 6 else []
                run("ip", "-n", host, "address", "add", f"{gateway}/{bits}", "dev", "w", *flags)
                run("ip", "-n", host, "route", "add", f"{own[family]}/{bits}", "dev", "w")
                via = UNDERLAY[1 - index] if family == 4 else f"2001:db8::{2 - index}"
                run("ip", "-n", host, "route", "add", f"{other[family]}/{bits}", "via", via)
                run("ip", "-n", namespace, "address", "add", f"{own[family]}/{bits}", "dev",
                    "eth0", *flags)
                run("ip", "-n", namespace, f"-{family}", "route", "add", "default", "via",
                    gateway, "dev", "eth0", "onlink")


class KernelVxlan(Overlay):
    def join(self, _context):
        filtered = "1" if self.rules else "0"
        for index, host in enumerate(self.hosts):
            run("sh", "-c", "for table in ip ip6 arp; do "
                "echo 0 >/proc/sys/net/bridge/bridge-nf-call-${table}tables; done",
                namespace=host)
            run("ip", "-n", host, "link", "add", "bridge0", "up", "type", "bridge",
                "nf_call_iptables", filtered, "nf_call_ip6tables", filtered)
            run("ip", "-n", host, "link", "add", "vxlan0", "mtu", str(self.inside), "up",
                "master", "bridge0", "type", "vxlan", "id", "77", "local", UNDERLAY[index],
                "remote", UNDERLAY[1 - index], "dstport", "4789", "dev", "u")
            namespace = self.workload(index, "bridge0")
            configure(namespace, (CLIENT, SERVER)[index])
            if self.rules:
                run("nft", "-f", "-", namespace=host, given=nft_rules(self.rules))


class OpenVswitch(Overlay):
    """ovs-vswitchd with the datapath in user space, as it comes from Debian."""

    def __init__(self, kind, **more):
        super().__init__(f"ovs-{kind}", f"Open vSwitch (userspace), {kind}", mtu=1450, **more)
        self.kind = kind

    def join(self, _context):
        if not shutil.which("ovs-vswitchd"):
            self.skipped = "openvswitch-switch is not installed"
            return
        self.folder = tempfile.mkdtemp(prefix="ovs-")
        for index, host in enumerate(self.hosts):
            self.switch(index, host, os.path.join(self.folder, host))
            namespace = self.workload(index)
            # What crosses a userspace switch has to have its checksums.
            run("ethtool", "-K", "eth0", "tx", "off", namespace=namespace)
            run("ethtool", "-K", "w", "tx", "off", namespace=host)
            configure(namespace, (CLIENT, SERVER)[index])
            self.control(host, "add-port", "br-int", "w")

    def control(self, host, *words):
        folder = os.path.join(self.folder, host)
        run("ovs-vsctl", f"--db=unix:{folder}/db.sock", "--timeout=10", *words, namespace=host)

    def switch(self, index, host, folder):
        os.mkdir(folder)
        run("ovsdb-tool", "create", f"{folder}/conf.db",
            "/usr/share/openvswitch/vswitch.ovsschema")
        log = os.path.join(BUILD, "bench", f"{host}.log")
        self.processes.append(start(
            "ovsdb-server", f"{folder}/conf.db", f"--remote=punix:{folder}/db.sock",
            f"--unixctl={folder}/db.ctl", namespace=host, log=log))
        wait_until(lambda: os.path.exists(f"{folder}/db.sock"), f"{host}: ovsdb-server")
        self.control(host, "--no-wait", "init")
        self.processes.append(start(
            "ovs-vswitchd", f"unix:{folder}/db.sock", f"--unixctl={folder}/vs.ctl",
            namespace=host, log=log))
        self.control(host, "add-br", "br-phy", "--", "set", "bridge", "br-phy",
                     "datapath_type=netdev", "--", "add-br", "br-int", "--", "set", "bridge",
                     "br-int", "datapath_type=netdev")
        self.control(host, "add-port", "br-phy", "u", "--", "add-port", "br-int", "t0", "--",
                     "set", "interface", "t0", f"type={self.kind}",
                     f"options:remote_ip={UNDERLAY[1 - index]}",
                     f"options:local_ip={UNDERLAY[index]}", "options:key=77")
        # The underlay's address moves to the switch, which is the tunnel's end now.
        run("ip", "-n", host, "address", "flush", "dev", "u")
        run("ip", "-n", host, "address", "add", f"{UNDERLAY[index]}/24", "dev", "br-phy")
        run("ip", "-n", host, "link", "set", "br-phy", "up")


class Weft(Overlay):
    """A VPC over two daemons that share an etcd."""

    def __init__(self, kind, title, **more):
        super().__init__(f"weft-{kind}", title, rules=10, **more)
        self.kind = kind
        self.daemons = []

    def join(self, _context):
        reason = weft.missing() or (None if shutil.which("etcd") else
                                    "etcd-server is not installed")
        if reason:
            self.skipped = reason
            return
        self.folder = tempfile.mkdtemp(prefix="etcd-", dir=os.path.join(BUILD, "bench"))
        url = f"http://{UNDERLAY[0]}:{STORE_PORT}"
        self.processes.append(start(
            "etcd", "--data-dir", f"{self.folder}/data", "--listen-client-urls", url,
            "--advertise-client-urls", url, "--listen-peer-urls", f"http://{UNDERLAY[0]}:2380",
            "--max-txn-ops", "65536", namespace=self.hosts[0],
            log=os.path.join(BUILD, "bench", f"{self.name}-etcd.log")))
        wait_until(lambda: succeeds("bash", "-c", f"exec 3<>/dev/tcp/{UNDERLAY[0]}/{STORE_PORT}",
                                    namespace=self.hosts[0]), f"{self.name}: etcd", 15)
        for index, host in enumerate(self.hosts):
            self.daemons.append(weft.Daemon(
                host, ("--host", f"h{index + 1}", "--store",
                       f"etcd://{UNDERLAY[0]}:{STORE_PORT}"), namespace=host))
        self.daemons[0].apply("\n".join(self.lines()) + "\n")
        ports = [(self.client, "eth0"), (self.hosts[1], "w") if self.tap else
                 (self.server, "eth0")]
        wait_until(lambda: all(succeeds("ip", "link", "show", "dev", device, namespace=namespace)
                               for namespace, device in ports),
                   f"{self.name}: both ports to be plugged in", 20)
        if self.tap:
            self.machine()
            run("ip", "-n", self.server, "link", "set", "eth0", "address", MAC, "mtu",
                str(read_mtu(self.hosts[1], "w")))
            configure(self.server, SERVER)

    def lines(self):
        lines = ["hosts:"]
        for index, address in enumerate(UNDERLAY):
            lines.append(f"  h{index + 1}: {{underlay: {address}/24}}")
        lines += ["vpcs:", "  blue:", f'    cidrs: ["{PREFIX[4]}", "{PREFIX[6]}"]',
                  "    flow_limit: 400000", "    subnets:",
                  '      web: {cidr: ["10.0.1.0/24", "fd00:b:0:1::/64"], '
                  f"segment: {{type: overlay, encapsulation: {self.kind}}}}}",
                  "    security_groups:"]
        lines += weft.group_lines("client", len(PREFIX), PREFIX.values())
        lines += weft.group_lines("server", self.rules, PREFIX.values())
        more = "flow_limit: 400000, host: {}, "
        return lines + ["    ports:",
                        weft.port_line("client", "web", CLIENT.values(), "client", self.client,
                                       more.format("h1")),
                        self.server_line(more.format("h2"))]

    def server_line(self, more):
        line = weft.port_line("server", "web", SERVER.values(), "server", self.server, more)
        if not self.tap:
            return line
        return line.replace(f"attach: {{netns: {self.server}, ifname: eth0}}",
                            f'mac: "{MAC}", attach: {{tap: w}}')

    def close(self):
        for daemon in self.daemons:
            daemon.stop()
        super().close()


def all_cases(wire=False):
    """Every case, the limit first."""
    return [
        Routed("routed", "bare routed underlay", wire=wire),
        KernelVxlan("vxlan", "kernel vxlan + bridge", mtu=1450, wire=wire),
        KernelVxlan("vxlan-nft-10", "kernel vxlan + bridge + nftables, 10 rules", 10, mtu=1450,
                    wire=wire),
        OpenVswitch("vxlan", wire=wire),
        OpenVswitch("geneve", wire=wire),
        Weft("vxlan", "Weft, VXLAN", wire=wire),
        Weft("geneve", "Weft, GENEVE", wire=wire),
        Weft("gre", "Weft, GRE", wire=wire),
        Weft("ipip", "Weft, IPIP", wire=wire),
    ]


def tap_cases():
    """With the server behind a tap; the first is what the others are compared with."""
    return [
        KernelVxlan("vxlan", "kernel vxlan + bridge, tap", mtu=1450, tap=True),
        Weft("vxlan", "Weft, VXLAN, tap", tap=True),
        Weft("geneve", "Weft, GENEVE, tap", tap=True),
    ]
