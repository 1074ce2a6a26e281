# SPDX-License-Identifier: BSD-2-Clause
"""tshark as the judge of what passes a cable while a test goes on.

    with judged(cloud, "h1", "eth1"):     a device of a lab's node
        ... pings, joins, questions ...

Pcap and Capture, which do the work, are those of tests/interop.
"""
import contextlib
import os
import subprocess
import sys

from harness import END, ROOT, RUN, wait_for

sys.path.append(str(ROOT / "tests" / "interop"))
# pylint: disable=wrong-import-position
from capture import Capture, Pcap  # noqa: E402

OWN = "arp || icmp || icmpv6 || igmp"  # protocols that Weft speaks on the wires of a lab

__all__ = ("Capture", "judged")


@contextlib.contextmanager
def judged(cloud, node, device, expected=()):
    """tshark finds nothing wrong in what passes a device of a node meanwhile. TCP and UDP are
    passed over, except tunnels of the rest: workloads leave checksums to devices."""
    path = f"{RUN}/judged.{cloud.name}.{node}.pcap"
    process = cloud.start(node, "tcpdump", "--immediate-mode", "-Ui", device, "-w", path,
                          stderr=subprocess.PIPE, text=True)
    wait_for(lambda: "listening" in process.stderr.readline(), "tcpdump")
    yield
    pcap = Pcap.of(path)
    wait_for(lambda: pcap.sees(OWN), "something to judge")
    process.terminate()
    process.wait(END)
    pcap.clean(expected=("No response seen", *expected), only=f"({OWN} || !(tcp || udp))")
    os.unlink(path)
