#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How near a port is held to its rate: TCP, both directions, 10 Mbit/s to 5 Gbit/s.

    sudo WEFT_BENCH_SECONDS=10 bench/rates.py

Joins two namespaces by a weftd of its own (the machine of tests/net/harness.py), sets the rate
and compares what arrives in so many seconds with the payload that so many bits of frames carry.
Prints a line for each rate and ends with status 1 when an error is over 2 %.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/net"))

from harness import Netns, check, equal, main, statement  # noqa: E402
from traffic import throughput  # noqa: E402

RATES = (("10M", 10e6), ("100M", 100e6), ("1G", 1e9), ("2500M", 2.5e9), ("5G", 5e9))
SECONDS = float(os.environ.get("WEFT_BENCH_SECONDS", "10"))
PAYLOAD, FRAME = 1448, 1514
INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets: {web: {cidr: 10.0.1.0/24}}
    ports:
      a: {subnet: web, address: 10.0.1.11, attach: {netns: a}}
      b: {subnet: web, address: 10.0.1.12, attach: {netns: b}}
"""


class Pair:
    """The workloads by name."""

    def __init__(self, weft):
        self.a, self.b = Netns("a"), Netns("b")
        weft.apply(INTENT)
        weft.plugged("blue/a", "blue/b")


def rates(weft, pair, key):
    worst = 0
    for name, rate in RATES:
        status, _, body = weft.http("PATCH", "/v1/vpcs/blue/ports/b", {key: name})
        equal(status, 200, f"{body}")
        ends = (pair.a, pair.b, "10.0.1.12") if key == "receive_rate" else \
            (pair.b, pair.a, "10.0.1.11")
        found = throughput(*ends, SECONDS)
        error = found / (rate * PAYLOAD / FRAME) - 1
        worst = max(worst, abs(error))
        print(f"# {key} {name:>6}: {found / 1e6:9.2f} Mbit/s of payload, error {error:+.2%}",
              flush=True)
    weft.http("PATCH", "/v1/vpcs/blue/ports/b", {key: "0"})
    check(worst < 0.02, f"an error of {worst:.2%}")


@statement("what a port gets is within 2 % of its rate")
def receive(weft, pair):
    rates(weft, pair, "receive_rate")


@statement("what a port sends is within 2 % of its rate")
def send(weft, pair):
    rates(weft, pair, "send_rate")


main(Pair)
