#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A virtual machine under QEMU with a card on each kind of network (T20).

    Linux 6.1   eth0 tapiso ---- isolated, with DHCP      client
                eth1 tapbr ----- bridged      desk, near
                eth2 tappriv --- private      router, and not neighbour
                eth3 tapvepa --- vepa         switch, and beside by a switch that reflects
                eth4 tappass --- passthrough  sensor

of examples/virtual-machine-networks.yaml. tests/net/test_machine_networks.py says the same of a
program at the taps; here a kernel's own stack asks for its neighbours, in both directions.
"""
import contextlib
import socket
import subprocess
import tempfile

import underlay  # noqa: F401  pylint: disable=unused-import
from guest import Guest, machine, require
from harness import BUILD, check, equal, main, statement, wait_for
from labs import lab

TAPS = ("tapiso", "tapbr", "tappriv", "tapvepa", "tappass")
SECONDS = 60
STACK = contextlib.ExitStack()


class Machine(Guest):
    """It runs in the lab's host h1; its commands are no namespace's."""

    def __init__(self, cloud):  # pylint: disable=super-init-not-called
        require()
        (BUILD / "interop").mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="machine.", dir=BUILD / "interop")
        cards = [["-netdev", f"tap,id={tap},ifname={tap},script=no,downscript=no", "-device",
                  f"virtio-net-pci,netdev={tap},romfile=,mac=02:00:00:00:0{number}:20"]
                 for number, tap in enumerate(TAPS, 1)]
        self.rest, self.console = b"", f"{folder}/console"
        with open(self.console, "wb") as console:
            cloud.start("h1", *machine(folder, *cards), stdin=subprocess.DEVNULL, stdout=console,
                        stderr=console)
        self.port = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connect(f"{folder}/commands")
        self.run("".join(f"ip link set eth{index} up\n" for index in range(len(TAPS))), (0,))

    def run(self, script, accept=None, seconds=60, namespace="-"):
        return super().run(script, accept, seconds, namespace)

    def ping(self, target):
        return self.run(f"ping -n -c 1 -W 2 {target}").returncode == 0


class World:
    def __init__(self, _weft):
        self.cloud = STACK.enter_context(lab("virtual-machine-networks"))
        self.machine = Machine(self.cloud)

    def has(self, index):
        """The address of the card, as its port has it."""
        self.machine.run(f"ip address add 10.{index + 1}.0.20/24 dev eth{index}", (0,))

    def both_ways(self, node, address, own):
        wait_for(lambda: self.machine.ping(address), f"the machine reaches {node}", SECONDS)
        wait_for(lambda: self.cloud.ping(node, own), f"{node} reaches {own}", SECONDS)

    def apart(self, node, address, own):
        check(not self.machine.ping(address), f"the machine reaches {node}")
        check(not self.cloud.ping(node, own), f"{node} reaches {own}")


@statement("isolated: an address by DHCP, the others of the network, and nobody else")
def isolated(_weft, world):
    said = world.machine.run("udhcpc -i eth0 -n -q -t 20 -T 1 -s /bin/true", (0,)).stdout
    check("lease of 10.1.0.20 obtained" in said, f"the lease: {said}")
    world.has(0)
    world.both_ways("isolated/client", "10.1.0.10", "10.1.0.20")
    world.cloud.run("desk", "ip", "route", "add", "10.1.0.0/24", "dev", "eth0", accept=[0])
    check(not world.cloud.ping("desk", "10.1.0.20"), "the desk reaches it")


@statement("bridged: the wire and the machines of the host, by its own MAC, TCP as well")
def bridged(_weft, world):
    world.has(1)
    world.both_ways("desk", "10.2.0.50", "10.2.0.20")
    world.both_ways("machines/near", "10.2.0.10", "10.2.0.20")
    check("02:00:00:00:02:20" in world.cloud.run("desk", "ip", "neigh", accept=[0]).stdout,
          "its MAC at the desk")
    world.machine.run("(echo hello | nc -N -l 80) >/dev/null 2>&1 </dev/null &", (0,))
    equal(wait_for(lambda: world.cloud.fetch("desk", "10.2.0.20", 80), "the page", SECONDS),
          "hello", "what it says")


@statement("private: the wire, and no other machine of the host")
def private(_weft, world):
    world.has(2)
    world.both_ways("router", "10.3.0.50", "10.3.0.20")
    world.apart("machines/neighbour", "10.3.0.10", "10.3.0.20")


@statement("vepa: other machines of the host by the switch, which reflects")
def vepa(_weft, world):
    world.has(3)
    world.both_ways("switch", "10.4.0.50", "10.4.0.20")
    world.both_ways("machines/beside", "10.4.0.10", "10.4.0.20")


@statement("passthrough: it has the NIC, with what MAC it likes, and the host has none by it")
def passthrough(_weft, world):
    world.has(4)
    world.both_ways("sensor", "10.5.0.50", "10.5.0.20")
    world.cloud.run("h1", "ip", "address", "add", "10.5.0.9/24", "dev", "eth4", accept=[0])
    check(not world.cloud.ping("sensor", "10.5.0.9"), "the sensor reaches the host")
    world.machine.run("ip link set eth4 address 02:00:00:00:99:20", (0,))
    world.both_ways("sensor", "10.5.0.50", "10.5.0.20")


@statement("nothing is left behind")
def down(_weft, _world):
    STACK.close()


main(World, start=False)
