# SPDX-License-Identifier: BSD-2-Clause
"""The networks that are measured side by side.

Each case joins a client and a server namespace of its own, with the same addresses, and differs
only in what lies between:

    veth         client ===== server                    one veth pair: the limit
    redirect     client == program == server            a program that redirects and nothing else:
                                                        the least that any eBPF datapath costs
    bridge       client == bridge == server             two veth pairs on a Linux bridge
    nft-N        the same, and nftables on the bridge   connection tracking, N rules
    weft-N       client == weft == server               two ports of a VPC, N rules

"N rules" is the same list everywhere: established connections first (nftables says it, Weft does
it by itself), then rules for one address and port that nothing matches, and last one rule per
address family that lets the bench in: the first packet of a connection meets the worst case.
"""
import os

import weft
from sandbox import BUILD, LOAD, Failed, run, start, stop, succeeds, wait_until

CLIENT = {4: "10.0.1.11", 6: "fd00:b:0:1::11"}
SERVER = {4: "10.0.1.12", 6: "fd00:b:0:1::12"}
PREFIX = {4: "10.0.0.0/16", 6: "fd00:b::/48"}
SUBNET_LENGTH = {4: 24, 6: 64}
PORT = 7000
IPERF_PORT = 7020
FLOW_LIMIT = 400000  # closed connections are remembered for a while, as in nf_conntrack


class Case:
    """A client and a server namespace with something between them."""

    def __init__(self, name, title, rules=None):
        self.name = name
        self.title = title
        self.rules = rules
        self.client = f"{name}-client"
        self.server = f"{name}-server"
        self.host = f"{name}-host"
        self.skipped = None
        self.mtu = None
        self.write = "128K"  # how much iperf3 writes at once: its own default
        self.processes = []

    def build(self, _context):
        """Make the namespaces and what is between them."""
        raise NotImplementedError

    def serve(self, cpu):
        """Start the servers, and wait until the client reaches them over both families."""
        self.processes.append(start(LOAD, "server", "--port", str(PORT), namespace=self.server,
                                    cpu=cpu, ready="ready"))
        self.processes.append(start("iperf3", "-s", "-p", str(IPERF_PORT),
                                    namespace=self.server, cpu=cpu))
        for family, address in SERVER.items():
            wait_until(lambda to=address: succeeds("ping", "-q", "-c1", "-W1", to,
                                                   namespace=self.client),
                       f"{self.name}: ping over IPv{family}", 15)
        self.mtu = read_mtu(self.client)

    def close(self):
        for process in self.processes:
            stop(process)


def read_mtu(namespace, device="eth0"):
    fields = run("ip", "-o", "link", "show", "dev", device, namespace=namespace).split()
    return int(fields[fields.index("mtu") + 1])


def configure(namespace, addresses):
    """Addresses of an eth0, as Weft sets them too."""
    for family, address in addresses.items():
        run("ip", "-n", namespace, "address", "add", f"{address}/{SUBNET_LENGTH[family]}",
            "dev", "eth0", *(["nodad"] if family == 6 else []))
    run("ip", "-n", namespace, "link", "set", "eth0", "up")


class Veth(Case):
    def build(self, _context):
        for namespace in (self.client, self.server):
            run("ip", "netns", "add", namespace)
        run("ip", "link", "add", "eth0", "netns", self.client, "type", "veth",
            "peer", "name", "eth0", "netns", self.server)
        configure(self.client, CLIENT)
        configure(self.server, SERVER)


class Redirect(Case):
    """Needs tcx (Linux 6.6)."""

    def build(self, _context):
        for namespace in (self.host, self.client, self.server):
            run("ip", "netns", "add", namespace)
        numbers = []
        for namespace, end, addresses in ((self.client, "client", CLIENT),
                                          (self.server, "server", SERVER)):
            run("ip", "-n", self.host, "link", "add", end, "up", "type", "veth", "peer", "name",
                "eth0", "netns", namespace)
            configure(namespace, addresses)
            numbers.append(run("ip", "-n", self.host, "-o", "link", "show", end).split(":")[0])
        self.processes.append(start(os.path.join(BUILD, "weft-bench-pipeline"), "straight",
                                    os.path.join(BUILD, "bpf/bench/pipeline.bpf.o"), *numbers,
                                    namespace=self.host, ready="ready"))


class Bridge(Case):
    def build(self, _context):
        for namespace in (self.host, self.client, self.server):
            run("ip", "netns", "add", namespace)
        filtered = "1" if self.rules else "0"
        # A new namespace filters all bridges; here each bridge says for itself.
        run("sh", "-c", "for table in ip ip6 arp; do "
            "echo 0 >/proc/sys/net/bridge/bridge-nf-call-${table}tables; done",
            namespace=self.host)
        run("ip", "-n", self.host, "link", "add", "bridge0", "up", "type", "bridge",
            "nf_call_iptables", filtered, "nf_call_ip6tables", filtered)
        for namespace, end, addresses in ((self.client, "client", CLIENT),
                                          (self.server, "server", SERVER)):
            run("ip", "-n", self.host, "link", "add", end, "up", "master", "bridge0", "type",
                "veth", "peer", "name", "eth0", "netns", namespace)
            configure(namespace, addresses)
        if self.rules:
            run("nft", "-f", "-", namespace=self.host, given=nft_rules(self.rules))


def nft_rules(count):
    """The list of rules in nftables' words; ND is let through, which Weft answers itself."""
    lines = ["table inet bench { chain forward {",
             "type filter hook forward priority 0; policy drop;",
             "ct state established,related accept", "ct state invalid drop",
             "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"]
    for index in range(count - len(PREFIX)):
        address, port = weft.filler_rule(index)
        lines.append(f"ip saddr {address} tcp dport {port} ct state new accept")
    lines.append(f"ip saddr {PREFIX[4]} ct state new accept")
    lines.append(f"ip6 saddr {PREFIX[6]} ct state new accept")
    return "\n".join(lines + ["}", "}"]) + "\n"


class Weft(Case):
    """All Weft cases are VPCs of one daemon, with the same addresses in each."""

    def build(self, context):
        reason = weft.missing()
        if reason:
            self.skipped = reason
            return
        for namespace in (self.client, self.server):
            run("ip", "netns", "add", namespace)
        if context.get("daemon") is None:
            context["daemon"] = weft.Daemon()
        context.setdefault("vpcs", []).extend(self.lines())
        context["daemon"].apply("\n".join(["vpcs:"] + context["vpcs"]) + "\n")
        wait_until(lambda: succeeds("ip", "link", "show", "dev", "eth0", namespace=self.server)
                   and succeeds("ip", "link", "show", "dev", "eth0", namespace=self.client),
                   f"{self.name}: both ports to be plugged in", 15)

    def lines(self):
        """The VPC of this case in weft.yaml."""
        lines = [f"  {self.name}:",
                 f'    cidrs: ["{PREFIX[4]}", "{PREFIX[6]}"]',
                 f"    flow_limit: {FLOW_LIMIT}",
                 "    subnets:",
                 '      web: {cidr: ["10.0.1.0/24", "fd00:b:0:1::/64"]}',
                 "    security_groups:"]
        lines += weft.group_lines("client", len(PREFIX), PREFIX.values())
        lines += weft.group_lines("server", self.rules, PREFIX.values())
        limit = f"flow_limit: {FLOW_LIMIT}, "
        return lines + ["    ports:",
                        weft.port_line("client", "web", CLIENT.values(), "client", self.client,
                                       limit),
                        weft.port_line("server", "web", SERVER.values(), "server", self.server,
                                       limit)]


def all_cases():
    """Every case, the limit first."""
    return [
        Veth("veth", "bare veth pair"),
        Redirect("redirect", "program that redirects"),
        Bridge("bridge", "Linux bridge"),
        Bridge("nft-10", "bridge + nftables, 10 rules", 10),
        Bridge("nft-200", "bridge + nftables, 200 rules", 200),
        Weft("weft-10", "Weft, 10 rules", 10),
        Weft("weft-200", "Weft, 200 rules", 200),
        Weft("weft-2000", "Weft, 2000 rules", 2000),
    ]


def build_all(chosen, context, cpu, say):
    """Build cases; one that cannot be built is skipped with its reason."""
    for case in chosen:
        try:
            case.build(context)
            if not case.skipped:
                case.serve(cpu)
        except Failed as error:
            case.skipped = str(error)
        if case.skipped:
            say(f"{case.name}: skipped: {case.skipped}")
    return chosen
