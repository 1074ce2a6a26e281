# SPDX-License-Identifier: BSD-2-Clause
"""What it costs to be looked at: mirrors and flow logs.

    client == weft == server          two ports of a VPC, 10 rules
                |
                +-- sensor            a port that gets copies
                +-- collector         a machine that gets them by ERSPAN, over a veth

Mirrors: the traffic of forwarding.py over a port without a mirror, and over others with one: whole
or cut to 128 bytes, for a port or a collector; and over a Linux bridge, without and with tc's
mirred. A copy is work, so a mirrored port is slower by it: what mirred costs the bridge is the
measure.

Flow logs: the same packets with a log and without, each log beside one that has FLOWS connections
in its table; what a reading of them costs the daemon, in processor time and memory.
"""
import argparse
import sys

import weft
from cases import SERVER, Bridge, Weft, build_all
from forwarding import measure_load, measure_rounds
from sandbox import Failed, run, succeeds

BASE = "weft"
CUT = 128
COLLECTOR = "observed-collector"
FLOWS = 100000
FILL_PORTS = 50000

# So many datagrams to ports of one address that nobody listens at: a connection each.
FILL = """
import socket, sys, time
to, count, ports = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
out = None
for index in range(count):
    if index % ports == 0:
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    out.sendto(b"x", (to, 10000 + index % ports))
    if index % 200 == 199:
        time.sleep(0.002)
"""


class Mirrored(Weft):
    """A VPC whose client port has a mirror."""

    def __init__(self, name, title, mirror=None, options=()):
        super().__init__(name, title, 10)
        self.mirror = mirror
        self.options = options
        self.sensor = f"{name}-sensor"

    def build(self, context):
        run("ip", "netns", "add", self.sensor)
        if not succeeds("ip", "link", "show", "dev", "collect"):
            run("ip", "netns", "add", COLLECTOR)
            run("ip", "link", "add", "collect", "type", "veth", "peer", "name", "eth0", "netns",
                COLLECTOR)
            run("ip", "address", "add", "192.0.2.1/24", "dev", "collect")
            run("ip", "link", "set", "collect", "up")
            run("ip", "-n", COLLECTOR, "address", "add", "192.0.2.9/24", "dev", "eth0")
            run("ip", "-n", COLLECTOR, "link", "set", "eth0", "mtu", "9000", "up")
            run("ip", "link", "set", "collect", "mtu", "9000")
        if context.get("daemon") is None and not weft.missing():
            context["daemon"] = weft.Daemon("bench", ("--host", "h1", *self.options))
            context["daemon"].apply("hosts: {h1: {underlay: 192.0.2.1/24}}\n")
        super().build(context)

    def lines(self):
        lines = super().lines()
        lines.append(weft.port_line("sensor", "web", ["10.0.1.13"], "client", self.sensor))
        if self.mirror:
            at = next(i for i, line in enumerate(lines) if line.startswith("      client: {subnet")
                      or line.startswith("      client: {flow"))
            lines[at] = lines[at].replace("{", f"{{mirror: {{{self.mirror}}}, ", 1)
        if self.mirror and "tunnel" in self.mirror:
            lines += ["    tunnels:", f"      span: {{type: erspan, id: {len(self.name)}, "
                                      "remote: 192.0.2.9}"]
        return lines


class Mirred(Bridge):
    """A bridge, and tc copies what the client sends and gets to a third device."""

    def build(self, context):
        super().build(context)
        run("ip", "netns", "add", f"{self.name}-sensor")
        run("ip", "-n", self.host, "link", "add", "sensor", "up", "type", "veth", "peer", "name",
            "eth0", "netns", f"{self.name}-sensor")
        run("ip", "-n", f"{self.name}-sensor", "link", "set", "eth0", "up")
        run("tc", "qdisc", "add", "dev", "client", "clsact", namespace=self.host)
        if not succeeds("tc", "filter", "add", "dev", "client", "ingress", "matchall", "action",
                        "mirred", "egress", "mirror", "dev", "sensor",
                        namespace=self.host):
            self.skipped = "this kernel has no matchall or mirred"
            return
        run("tc", "filter", "add", "dev", "client", "egress", "matchall", "action", "mirred",
            "egress", "mirror", "dev", "sensor", namespace=self.host)


def mirror_cases():
    """Every case, the base first."""
    return [
        Mirrored("weft", "Weft"),
        Mirrored("weft-port", "Weft, copies to a port", "to: sensor"),
        Mirrored("weft-cut", f"Weft, to a port, cut to {CUT}", f"to: sensor, truncate: {CUT}"),
        Mirrored("weft-span", "Weft, by ERSPAN", 'to: "tunnel:span"'),
        Mirrored("weft-span-cut", f"Weft, by ERSPAN, cut to {CUT}",
                 f'to: "tunnel:span", truncate: {CUT}'),
        Bridge("bridge", "Linux bridge"),
        Mirred("bridge-tc", "Linux bridge, tc mirred to a device"),
    ]


def run_mirror(options, say):
    """Measure; return the document that is written as JSON."""
    changed = argparse.Namespace(**vars(options))
    changed.rounds6 = 0
    context = {}
    try:
        return measure_rounds(build_all(mirror_cases(), context, options.server_cpu, say), BASE,
                              changed, say)
    finally:
        if context.get("daemon"):
            context["daemon"].stop()


# ---- flow logs ----

def logged(daemon, on):
    daemon.command("vpc", "set", "logged", "--flow-log", "all" if on else "none")


def fill(case, count):
    """Connections of the client to the server, one datagram each; how many are followed then."""
    run(sys.executable, "-c", FILL, SERVER[4], str(count), str(FILL_PORTS),
        namespace=case.client, timeout=120)


def reading(daemon):
    """Processor time of the daemon for the records of all there is, and what it has then."""
    cpu = daemon.cpu_seconds()
    daemon.command("flow-log", "write")
    return {"cpu_seconds": daemon.cpu_seconds() - cpu, "memory_bytes": daemon.memory_bytes()}


def measure_log(case, daemon, options, count, on, say):
    """One row: with a log or without, and so many connections."""
    logged(daemon, on)
    before = daemon.memory_bytes()
    fill(case, count)
    row = {"log": on, "flows": count, "memory_before": before}
    row.update(reading(daemon))
    cpu = daemon.cpu_seconds()
    row["rates"] = [measure_load(case, 4, options, "packets")["rate"]
                    for _ in range(options.rounds)]
    row["daemon_seconds"] = daemon.cpu_seconds() - cpu
    row.update({f"again_{key}": value for key, value in reading(daemon).items()})
    say(f"flow-logs: {'with' if on else 'without'} a log, {count} connections: "
        f"{row['cpu_seconds']:.3f} s, {row['memory_bytes'] >> 20} MB")
    return row


def run_flow_logs(options, say):
    """Measure; return the document that is written as JSON."""
    document = {"rows": [], "failures": []}
    if weft.missing():
        raise Failed(weft.missing())
    context, count = {}, FLOWS // 20 if options.quick else FLOWS
    # Those of the first filling are still there in the second.
    chosen = [Mirrored("logged", "Weft", options=("--flows", str(4 * FLOWS)))]
    build_all(chosen, context, options.server_cpu, say)
    if chosen[0].skipped:
        raise Failed(chosen[0].skipped)
    try:
        for on in (False, True):
            document["rows"].append(measure_log(chosen[0], context["daemon"], options, count, on,
                                                say))
    except (Failed, OSError) as error:
        document["failures"].append({"error": str(error)})
        say(f"flow-logs: {error}")
    chosen[0].close()
    context["daemon"].stop()
    return document
