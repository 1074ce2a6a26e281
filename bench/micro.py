# SPDX-License-Identifier: BSD-2-Clause
"""The program alone: nanoseconds per packet, by BPF_PROG_TEST_RUN.

weftd makes a VPC for each case (10, 200, 2000 rules; 10 rules and many routes), each with a client
and a server in two subnets, so that every first packet is routed and judged. Then the daemon is
stopped; program and tables stay, and build/weft-bench-pipeline runs the one on the other. Cases
take turns over several rounds; medians count.
"""
import glob
import json
import os
import statistics

import weft
from sandbox import BUILD, Failed, run, succeeds, wait_until

PIPELINE = os.path.join(BUILD, "weft-bench-pipeline")
OBJECT = os.path.join(BUILD, "bpf", "bench", "pipeline.bpf.o")
PREFIX = "10.0.0.0/16"
CLIENT, SERVER, GATEWAY = "10.0.1.11", "10.0.2.12", "10.0.1.1"
CASES = [  # name, rules, routes beside the VPC's own
    ("rules-10", 10, 0), ("rules-200", 200, 0), ("rules-2000", 2000, 0),
    ("routes-1000", 10, 1000), ("routes-100000", 10, 100000),
]
ROUNDS = 5
FIRST_PORT, PORTS_PER_ROUND = 2048, 12000  # a round's first packets have source ports of their own


def vpc_lines(name, rules):
    lines = [f"  {name}:", f"    cidrs: [{PREFIX}]", "    flow_limit: 400000", "    subnets:",
             "      web: {cidr: 10.0.1.0/24}", "      db: {cidr: 10.0.2.0/24}",
             "    security_groups:"]
    lines += weft.group_lines("client", 1, [PREFIX])
    lines += weft.group_lines("server", rules, [PREFIX])
    limit = "flow_limit: 400000, "
    return lines + ["    ports:",
                    weft.port_line("client", "web", [CLIENT], "client", f"{name}-client", limit),
                    weft.port_line("server", "db", [SERVER], "server", f"{name}-server", limit)]


def client_device(name):
    """What a frame of the client needs: the host's device, the client's MAC, the gateway's."""
    namespace = f"{name}-client"
    device = json.loads(run("ip", "-n", namespace, "-j", "link", "show", "dev", "eth0"))[0]
    neighbours = json.loads(run("ip", "-n", namespace, "-j", "neighbour", "show", "to", GATEWAY))
    if not neighbours or "lladdr" not in neighbours[0]:
        raise Failed(f"{name}: the gateway has no MAC in the client's neighbour table")
    return str(device["link_index"]), device["address"], neighbours[0]["lladdr"]


def prepare(daemon):
    """Make all VPCs; return {case: device}."""
    lines = ["vpcs:"]
    for name, rules, _routes in CASES:
        for end in ("client", "server"):
            run("ip", "netns", "add", f"{name}-{end}")
        lines += vpc_lines(name, rules)
    daemon.apply("\n".join(lines) + "\n")
    devices = {}
    for name, _rules, _routes in CASES:
        wait_until(lambda client=f"{name}-client": succeeds(
            "ping", "-q", "-c1", "-W1", SERVER, namespace=client), f"{name}: ping", 15)
        devices[name] = client_device(name)
    return devices


def run_micro(options, say):
    """Measure; return the document that is written as JSON."""
    if weft.missing() or not os.access(PIPELINE, os.X_OK):
        raise Failed(weft.missing() or "build/weft-bench-pipeline is not built")
    with weft.Daemon("bench-micro", ("--flows", "524288")) as daemon:
        devices = prepare(daemon)
    pins = glob.glob(os.path.join(weft.PINS, "bench-micro", "*", "routes"))
    if len(pins) != 1:
        raise Failed(f"{len(pins)} tables of routes are pinned, not one")
    for name, _rules, routes in CASES:
        if routes:
            run(PIPELINE, "routes", os.path.dirname(pins[0]), devices[name][0], SERVER,
                str(routes))
    samples = []
    for number in range(ROUNDS):
        for name, _rules, _routes in CASES:
            device, mac, gateway_mac = devices[name]
            text = run(PIPELINE, "run", OBJECT, device, CLIENT, SERVER, mac, gateway_mac,
                       str(FIRST_PORT + number * PORTS_PER_ROUND), cpu=options.server_cpu)
            samples.append({"round": number, "case": name, **json.loads(text)})
        say(f"micro, round {number + 1}: done")
    return {"samples": samples, "rows": rows(samples), "failures": []}


def rows(samples):
    def median(key, name=None):
        return statistics.median(s[key] for s in samples if name in (None, s["case"]))

    result = [{"title": "program that returns at once", "ns": median("floor_hit_ns"),
               "net_ns": 0}]
    for name, rules, routes in CASES:
        what = f"{rules} rules" + (f", {routes:,} routes" if routes else "")
        for kind, title in (("hit", "known connection"), ("first", "first packet"),
                            ("kind", "first packet of a new kind")):
            if kind == "hit" and name != "rules-200":
                continue  # the same look-up in all cases; one row is enough
            result.append({"title": f"{title}, {what}", "ns": median(f"{kind}_ns", name),
                           "net_ns": median(f"{kind}_ns", name) - median(f"floor_{kind}_ns",
                                                                       name)})
    return result
