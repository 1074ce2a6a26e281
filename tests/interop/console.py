# SPDX-License-Identifier: BSD-2-Clause
"""The serial console of the machine of examples/virtual-machine, whoever has started it.

      test_machine.py   QEMU itself: its standard input and output
      test_libvirt.py   libvirt: the terminal that `virsh ttyconsole` names
"""
import os
import select
import time

from harness import check

BOOT_SECONDS = 240  # a loaded machine without KVM


class Console:
    """What the machine says, and commands for its shell. source, sink: descriptors, the first of
    which does not wait."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.text = ""

    def gone(self):
        """Nothing more will be said."""
        check(False, f"the machine is gone: {self.text[-2000:]}")

    def read(self, expected, seconds):
        """Wait for a text; all that was said until then."""
        deadline = time.monotonic() + seconds
        while expected not in self.text:
            left = deadline - time.monotonic()
            check(left > 0, f"the machine did not say \"{expected}\": {self.text[-2000:]}")
            if not select.select([self.source], [], [], left)[0]:
                continue
            more = os.read(self.source, 65536)
            if not more:
                self.gone()
            self.text += more.decode("utf-8", "replace")
        said, self.text = self.text.split(expected, 1)
        return said

    def shell(self, command, expected, seconds=60):
        os.write(self.sink, command.encode() + b"\n")
        return self.read(expected, seconds)

    def reaches(self, *command):
        """Whether a ping of the machine's is answered; command: what precedes it, the address."""
        *before, address = command
        return "1 packets received" in self.shell(
            " ".join((*before, "ping -c1 -W2", address, "; echo over")), "\r\nover")


def greeted(cloud, console):
    """It got its address from Weft, and it and the namespace reach one another."""
    said = console.read("machine: ready", BOOT_SECONDS)
    check("machine: 2 queues" in said, f"queues: {said}")
    check("machine: address 10.0.1.20/24 router 10.0.1.1 " in said, f"the lease: {said}")
    check(cloud.ping("lan/client", "10.0.1.20"), "ping to the machine")
    page = cloud.run("lan/client", "curl", "-s", "-m20", "http://10.0.1.20/", accept=[0])
    check(page.stdout.startswith("hello from Linux"), f"the page: {page.stdout}")
    check("2 packets received" in console.shell("ping -c2 10.0.1.10", "round-trip"),
          "ping from the machine")
