#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A virtual machine under QEMU on a tap of Weft's: examples/virtual-machine.yaml as on its page.

The machine is another kernel with virtio-net; it gets its address by DHCP, and large segments and
unfinished checksums pass between it and a namespace in both directions.
"""
import fcntl
import os
import select
import subprocess
import time

import underlay  # noqa: F401  pylint: disable=unused-import
from harness import Skip, check, equal, main, statement
from labs import lab

BOOT_SECONDS = 240  # a loaded machine without KVM
MAC = "02:00:00:00:00:20"
SIZE = 3_000_000


class Console:
    """What the machine says, and commands for its shell."""

    def __init__(self, cloud):
        self.process = cloud.start(
            "h1", "env", "ACCELERATOR=tcg", "examples/virtual-machine/boot", "tapvm", MAC, "2",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text = ""
        fcntl.fcntl(self.process.stdout, fcntl.F_SETFL, os.O_NONBLOCK)

    def read(self, expected, seconds):
        """Wait for a text; all that was said until then."""
        deadline = time.monotonic() + seconds
        while expected not in self.text:
            left = deadline - time.monotonic()
            check(left > 0, f"the machine did not say \"{expected}\": {self.text[-2000:]}")
            select.select([self.process.stdout], [], [], left)
            more = self.process.stdout.read()
            if more == b"":
                if self.process.wait() == 77:
                    raise Skip(self.text.strip().splitlines()[-1])
                check(False, f"the machine is gone: {self.text[-2000:]}")
            self.text += (more or b"").decode("utf-8", "replace")
        said, self.text = self.text.split(expected, 1)
        return said

    def shell(self, command, expected, seconds=60):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        return self.read(expected, seconds)


@statement("a virtual machine gets its address by DHCP, and talks to a namespace both ways")
def machine(_weft):
    with lab("virtual-machine") as cloud:
        console = Console(cloud)
        said = console.read("machine: ready", BOOT_SECONDS)
        check("machine: 2 queues" in said, f"queues: {said}")
        check("machine: address 10.0.1.20/24 router 10.0.1.1 " in said, f"the lease: {said}")
        check(cloud.ping("lan/client", "10.0.1.20"), "ping to the machine")
        page = cloud.run("lan/client", "curl", "-s", "-m20", "http://10.0.1.20/", accept=[0])
        check(page.stdout.startswith("hello from Linux"), f"the page: {page.stdout}")
        check("2 packets received" in console.shell("ping -c2 10.0.1.10", "round-trip"),
              "ping from the machine")
        # Large segments, out of the machine and into it.
        console.shell(f"head -c {SIZE} /dev/urandom >/www/big; "
                      "md5sum </www/big >/www/sum; echo made", "\nmade", 120)
        fetched = cloud.run("lan/client", "sh", "-c",
                            "curl -s -m60 http://10.0.1.20/big | md5sum", accept=[0])
        wanted = cloud.run("lan/client", "curl", "-s", "-m20", "http://10.0.1.20/sum", accept=[0])
        equal(fetched.stdout, wanted.stdout, "the sum of what came out of the machine")
        check(not cloud.ping("lan/client", "10.0.1.21"), "an address that nobody has")
        said = console.shell("ip address add 10.0.1.99/24 dev eth0; "
                             "ping -c1 -W1 -I 10.0.1.99 10.0.1.10", "packet loss")
        check("0 packets received" in said, f"ping from an address of nobody: {said}")
        check(cloud.counter("spoofed_address") > 0, "an address that is not the machine's")
        console.process.stdin.write(b"poweroff -f\n")
        console.process.stdin.flush()
        check(console.process.wait(60) is not None, "the machine ends")


if __name__ == "__main__":
    main(start=False)
