#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The first packet to a machine on a wire waits until the machine has answered.

    vlan-router    h1 -- VLAN 100, 101 -- h2, printer (100) and camera (101), a router between
    routed-flat    ports that see their router alone, a plain machine on the wire, both families

The camera and the plain machine get one address after another that nobody has spoken of; so each is
a machine that the router does not know yet.
"""
import contextlib
import json
import subprocess

from harness import WEFT, UnixConnection, check, equal, main, run, statement, wait_for
from judge import judged
from labs import lab

PINGS = 20
DATAGRAMS = 40
CONNECTIONS = 20
GONE = 172  # last number of the first address that nobody has

RECEIVER = """
import socket, sys
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("ADDRESS", 9000))
receiver.settimeout(60)
print("ready", flush=True)
got = []
while len(got) < COUNT:
    got.append(receiver.recv(9000).decode().split()[0])
print(" ".join(got))
"""
SENDER = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(COUNT):
    sender.sendto((str(number) + " " * PADDING).encode(), ("ADDRESS", 9000))
"""
FLOODER = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(6000):
    try:
        sender.sendto(b"x" * 1200, (f"172.16.101.{GONE + number % 60}", 9))
    except OSError:
        pass # told that nobody is there
print("done", flush=True)
"""


def fresh(cloud, node, addresses):
    """Addresses that the node has from now on, and has told nobody."""
    for address in addresses:
        cloud.run(node, "ip", "address", "add", address, "dev", "eth0", accept=[0])
    return [address.split("/")[0] for address in addresses]


def verdicts(cloud, host="h1"):
    shown = json.loads(cloud.weft("--json", "counters", host=host).stdout)["verdicts"]
    return {name: shown.get(name, {}).get("packets", 0)
            for name in ("held", "resolving", "no_answer")}


def nothing_lost(cloud, before, host="h1"):
    after = verdicts(cloud, host)
    equal((after["resolving"], after["no_answer"]), (before["resolving"], before["no_answer"]),
          f"packets that were not held, and not answered ({before}, {after})")
    return after["held"] - before["held"]


def first_ping(cloud, node, address):
    done = cloud.run(node, "ping", "-n", "-c1", "-W30", address)
    equal(done.returncode, 0, f"the first ping from {node} to {address}: {done.stdout}")


def datagrams(cloud, address, count, padding):
    """What arrives of datagrams that are sent at one go to a machine nobody knows."""
    receiver = cloud.start("camera", "python3", "-c", RECEIVER.replace("ADDRESS", address)
                           .replace("COUNT", str(count)), stdout=subprocess.PIPE, text=True)
    equal(receiver.stdout.readline().strip(), "ready", "the receiver")
    cloud.run("one/vm1", "python3", "-c", SENDER.replace("ADDRESS", address)
              .replace("COUNT", str(count)).replace("PADDING", str(padding)), accept=[0])
    return [int(number) for number in receiver.stdout.readline().split()]


@statement("the first ping to each of many machines is answered, from a port and from another wire")
def pings(_weft):
    with lab("vlan-router") as cloud:
        addresses = fresh(cloud, "camera", [f"172.16.101.{60 + i}/24" for i in range(PINGS)])
        before = verdicts(cloud)
        with judged(cloud, "h1", "eth1"):
            for address in addresses[:-3]:
                first_ping(cloud, "one/vm1", address)
            for address in addresses[-3:]:
                first_ping(cloud, "printer", address)
        check(nothing_lost(cloud, before) >= PINGS, "packets that were held")
        first_datagrams(cloud)
        first_connections(cloud)
        nobody(cloud)
        flood(cloud)
        without_daemon(cloud)


def first_datagrams(cloud):
    """Datagrams in a row arrive, all of them and once; so does one in fragments. The last that is
    given back may still be in another processor's queue when the next one passes by itself."""
    before = verdicts(cloud)
    address, other = fresh(cloud, "camera", ["172.16.101.90/24", "172.16.101.91/24"])
    equal(sorted(datagrams(cloud, address, DATAGRAMS, 0)), list(range(DATAGRAMS)), "datagrams")
    equal(sorted(datagrams(cloud, other, 3, 4000)), [0, 1, 2], "datagrams in fragments")
    check(nothing_lost(cloud, before) >= 2, "packets that were held")


def first_connections(cloud):
    """The SYN itself arrives: nothing is dropped on the way to machines nobody knows. (From vm2:
    its host is the camera's gateway, too, so it sees both directions.)"""
    addresses = fresh(cloud, "camera", [f"172.16.101.{100 + i}/24" for i in range(CONNECTIONS)])
    cloud.serve("camera", 80)
    before = verdicts(cloud, "h2")
    for address in addresses:
        equal(cloud.fetch("one/vm2", address, 80), "hello from camera", f"from {address}")
    check(nothing_lost(cloud, before, "h2") >= CONNECTIONS, "packets that were held")


def nobody(cloud):
    """Who sends to a machine that is not there is told so by its gateway."""
    before = verdicts(cloud)
    told = cloud.run("one/vm1", "ping", "-n", "-c1", "-W20", f"172.16.101.{GONE}").stdout
    check("From 172.16.100.1 icmp_seq=1 Destination Host Unreachable" in told, f"told: {told}")
    told = cloud.run("printer", "ping", "-n", "-c1", "-W20", f"172.16.101.{GONE}").stdout
    check("From 172.16.100.1 icmp_seq=1 Destination Host Unreachable" in told,
          f"told on the wire: {told}")
    wait_for(lambda: verdicts(cloud)["no_answer"] == before["no_answer"] + 2, "what is counted")


def metrics(cloud):
    """Of h1, by name."""
    connection = UnixConnection(f"/run/weft/lab/{cloud.name}/h1/weftd.sock")
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        shown = connection.getresponse().read().decode()
    lines = [line.split() for line in shown.splitlines() if line.startswith("weft_held")]
    return {name: int(value) for name, value in lines}


def flood(cloud):
    """A port that floods to machines that are not there fills its own share, and no other's."""
    addresses = fresh(cloud, "camera", [f"172.16.101.{130 + i}/24" for i in range(5)])
    flooder = cloud.start("one/vm1", "python3", "-c", FLOODER.replace("GONE", str(GONE)),
                          stdout=subprocess.PIPE, text=True)
    for address in addresses:
        first_ping(cloud, "printer", address)
    equal(flooder.stdout.readline().strip(), "done", "the flood")
    check(verdicts(cloud)["resolving"] > 1000, f"more is dropped than held: {verdicts(cloud)}")
    now = metrics(cloud)
    check(now["weft_held_bytes"] <= 512 * 1024, f"more is held than a port may have: {now}")
    wait_for(lambda: metrics(cloud)["weft_held_packets"] == 0, "the end of it", 60)


def without_daemon(cloud):
    """While weftd is away it is as without: the packet that asks is lost, the next one passes."""
    (address,) = fresh(cloud, "camera", ["172.16.101.140/24"])
    run(WEFT, "lab", "kill", "vlan-router", "h1", accept=[0])
    wait_for(lambda: cloud.ping("one/vm1", address), "a machine without the daemon")
    run(WEFT, "lab", "start", "vlan-router", "h1", accept=[0])
    (address,) = fresh(cloud, "camera", ["172.16.101.141/24"])
    first_ping(cloud, "one/vm1", address)


@statement("in an l3 subnet on a flat network, over both families")
def routed_flat(_weft):
    with lab("routed-flat") as cloud, judged(cloud, "plain", "eth0"):
        addresses = fresh(cloud, "plain", ["172.16.1.60/24", "172.16.1.61/24"])
        six = fresh(cloud, "plain", ["fd00:16:0:1::60/64", "fd00:16:0:1::61/64"])
        before = verdicts(cloud)
        for address in addresses + six:
            first_ping(cloud, "lab/vm1", address)
        check(nothing_lost(cloud, before) >= 4, "packets that were held")
        told = cloud.run("lab/vm1", "ping", "-n", "-c1", "-W20", "fd00:16:0:1::99").stdout
        check("Destination unreachable: Address unreachable" in told, f"told: {told}")


main(start=False)
