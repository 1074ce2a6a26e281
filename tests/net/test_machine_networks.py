#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What libvirt says of each kind of network, of examples/virtual-machine-networks.yaml.

    [h1] isolated: client, vm (tap)       office -- desk     bridged: near, vm
                                          hotel  -- router   private: neighbour, vm
                                          campus -- switch   vepa: beside, vm (it reflects)
                                          probe  -- sensor   passthrough: vm

build/tap-echo stands for the machines; they know no ARP, so who pings has their MAC.
"""
import contextlib
import subprocess

from harness import BUILD, check, main, statement, wait_for
from labs import lab

STACK = contextlib.ExitStack()
TAPS = ("tapiso", "tapbr", "tappriv", "tapvepa", "tappass")


def up(_weft):
    cloud = STACK.enter_context(lab("virtual-machine-networks"))
    for tap in TAPS:
        cloud.start("h1", BUILD / "tap-echo", tap, stdout=subprocess.DEVNULL)
    return cloud


def knows(cloud, node, number):
    cloud.run(node, "ip", "neigh", "replace", f"10.{number}.0.20", "lladdr",
              f"02:00:00:00:0{number}:20", "dev", "eth0", accept=[0])


def reaches(cloud, node, address):
    wait_for(lambda: cloud.ping(node, address), f"{node} to reach {address}", 30)


def apart(cloud, node, address):
    check(cloud.run(node, "ping", "-n", "-c1", "-W1", address).returncode != 0,
          f"{node} reaches {address}")


@statement("isolated: machines reach one another, nothing outside, and nothing outside them")
def isolated(_weft, cloud):
    reaches(cloud, "isolated/client", "10.1.0.20")
    apart(cloud, "isolated/client", "10.2.0.50")
    cloud.run("desk", "ip", "route", "add", "10.1.0.0/24", "dev", "eth0", accept=[0])
    apart(cloud, "desk", "10.1.0.20")


@statement("bridged: machines on the host and on the wire are one network")
def bridged(_weft, cloud):
    for node in ("machines/near", "desk"):
        knows(cloud, node, 2)
        reaches(cloud, node, "10.2.0.20")
    reaches(cloud, "machines/near", "10.2.0.50")


@statement("direct, private: the wire is reached, another machine of the host is not")
def private(_weft, cloud):
    for node in ("machines/neighbour", "router"):
        knows(cloud, node, 3)
    reaches(cloud, "router", "10.3.0.20")
    apart(cloud, "machines/neighbour", "10.3.0.20")


@statement("direct, vepa: another machine of the host is reached by the switch, which reflects")
def vepa(_weft, cloud):
    for node in ("machines/beside", "switch"):
        knows(cloud, node, 4)
        reaches(cloud, node, "10.4.0.20")


@statement("direct, passthrough: the machine has the NIC, and the host has none by it")
def passthrough(_weft, cloud):
    knows(cloud, "sensor", 5)
    reaches(cloud, "sensor", "10.5.0.20")
    cloud.run("h1", "ip", "address", "add", "10.5.0.9/24", "dev", "eth4", accept=[0])
    apart(cloud, "sensor", "10.5.0.9")


@statement("nothing is left behind")
def down(_weft, _cloud):
    STACK.close()


main(up, start=False)
