# SPDX-License-Identifier: BSD-2-Clause
"""Overlay: the same traffic between two hosts, over every case of overlay_cases.py, in turns.

Three parts: with the offloads of the wire kept, as a veth pair and a NIC with tunnel offloads have
it; with packets of the MTU's size on the wire, as a plain NIC sends them (throughput only); with
the server behind a tap, as a virtual machine is, beside the kernel's vxlan and bridge (throughput
only). IPv4 inside; the rest is as in forwarding.py.
"""
import argparse
import os
import subprocess

from cases import build_all
from forwarding import measure_rounds
from overlay_cases import all_cases, tap_cases

BASE = "routed"
TAP_BASE = "vxlan-tap"


def kernel_knows(kind):
    """Whether the kernel can make a device of a kind; what GRO of a UDP tunnel needs."""
    name = f"probe{os.getpid() % 1000}"
    made = subprocess.run(["ip", "link", "add", name, "type", kind, "external"], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    subprocess.run(["ip", "link", "delete", name], check=False, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return made


def measure_taps(options, say):
    """Throughput to a machine behind a tap."""
    wanted = options.overlay_cases
    cases = [case for case in tap_cases() if not wanted or case.name == TAP_BASE or
             case.name.removesuffix("-tap") in wanted]
    changed = argparse.Namespace(**vars(options))
    changed.rounds6 = 0
    changed.tests = [test for test in options.tests if test == "bulk"]
    return measure_rounds(build_all(cases, {}, options.server_cpu, say), TAP_BASE, changed, say)


def run_overlay(options, say):
    """Measure; return the document that is written as JSON: one part for each kind of wire."""
    parts = {}
    for wire in (False, True):
        base = BASE + ("-wire" if wire else "")
        wanted = None
        if options.overlay_cases:
            wanted = {name + ("-wire" if wire else "") for name in options.overlay_cases} | {base}
        chosen = [case for case in all_cases(wire) if wanted is None or case.name in wanted]
        cases = build_all(chosen, {}, options.server_cpu, say)
        changed = argparse.Namespace(**vars(options))
        changed.rounds6 = 0
        if wire:
            changed.tests = [test for test in options.tests if test.startswith("bulk")]
        parts["wire" if wire else "whole"] = measure_rounds(cases, base, changed, say)
    parts["tap"] = measure_taps(options, say)
    return {"parts": parts, "failures": [failure for part in parts.values()
                                         for failure in part["failures"]],
            "kernel": {kind: kernel_knows(kind) for kind in ("vxlan", "geneve")}}
