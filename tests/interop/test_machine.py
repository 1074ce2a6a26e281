#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Virtual machines under QEMU on a tap of Weft's, as on the pages of their examples.

    virtual-machine      another kernel with virtio-net; it gets its address by DHCP, and large
                         segments and unfinished checksums pass between it and a namespace
    trunk-to-a-guest     it has a whole trunk, which its own 802.1Q and 802.1ad take apart (T4)
"""
import os
import subprocess

import underlay  # noqa: F401  pylint: disable=unused-import
from console import BOOT_SECONDS, Console, greeted
from harness import Skip, check, equal, main, statement
from labs import lab

MAC = "02:00:00:00:00:20"
SIZE = 3_000_000


class Machine(Console):
    """It runs in the lab's host h1."""

    def __init__(self, cloud, *words):
        self.process = cloud.start(
            "h1", "env", "ACCELERATOR=tcg", "examples/virtual-machine/boot", "tapvm", MAC, "2",
            *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        super().__init__(self.process.stdout.fileno(), self.process.stdin.fileno())

    def gone(self):
        if self.process.wait() == 77:
            raise Skip(self.text.strip().splitlines()[-1])
        super().gone()

    def end(self):
        os.write(self.sink, b"poweroff -f\n")
        check(self.process.wait(60) is not None, "the machine ends")


@statement("a virtual machine gets its address by DHCP, and talks to a namespace both ways")
def machine(_weft):
    with lab("virtual-machine") as cloud:
        console = Machine(cloud)
        greeted(cloud, console)
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
        console.end()


@statement("a machine with a whole trunk: its own VLAN devices, on its card and on a bridge (T4)")
def trunk(_weft):
    with lab("trunk-to-a-guest") as cloud:
        console = Machine(cloud, "100,200,ad300")
        said = console.read("machine: ready", BOOT_SECONDS)
        for name, network in (("eth0", "10.1.0"), ("eth0.100", "10.100.0"),
                              ("eth0.200", "10.200.0"), ("eth0.300", "10.30.0")):
            check(any(f"address {network}.20/24" in line and f"on {name}" in line
                      for line in said.splitlines()), f"the lease on {name}: {said}")
            check(console.reaches(f"{network}.10"), f"out by {name}")
        for node, address in (("office/desk", "10.1.0.20"), ("red/client", "10.100.0.20"),
                              ("green/client", "10.200.0.20"), ("blue/client", "10.30.0.20")):
            check(cloud.ping(node, address), f"{node} does not reach {address}")
            page = cloud.run(node, "curl", "-s", "-m20", f"http://{address}/", accept=[0])
            check(page.stdout.startswith("hello from Linux"), f"the page: {page.stdout}")
        check(not cloud.ping("red/client", "10.200.0.20"), "red reaches green")
        # A VLAN device that was moved into a namespace.
        console.shell("unshare -n sleep 9999 & echo started", "\r\nstarted")
        inside = "nsenter -t $(pidof sleep) -n"
        console.shell("ip link set eth0.200 netns $(pidof sleep); "
                      f"{inside} ip link set eth0.200 up; "
                      f"{inside} ip address add 10.200.0.20/24 dev eth0.200; echo moved",
                      "\r\nmoved")
        check(console.reaches(inside, "10.200.0.10"), "a VLAN device in a namespace")
        # VLAN devices on top of a bridge whose member the card is.
        console.shell("ip link delete eth0.100; ip address flush dev eth0; "
                      "ip link add br0 type bridge; ip link set eth0 master br0; "
                      "ip link set br0 address " + MAC + " up; "
                      "ip link add link br0 name br0.100 type vlan id 100; "
                      "ip link set br0.100 up; ip address add 10.100.0.20/24 dev br0.100; "
                      "ip address add 10.1.0.20/24 dev br0; echo bridged", "\r\nbridged")
        check(console.reaches("10.100.0.10"), "a VLAN device on top of a bridge")
        check(console.reaches("10.1.0.10"), "the bridge itself, without a tag")
        check(cloud.ping("red/client", "10.100.0.20"), "the bridge's VLAN device is not reached")
        console.end()


if __name__ == "__main__":
    main(start=False)
