#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Shares of a device: two ports 1:3 on a NIC, straight on the wire and through a tunnel.

    lab shares:   h1 gold (3), silver (1) -- eth1 20M -- sink h2
                  h1 web3 (3), web1 (1)   -- eth0 20M, VXLAN -- web h2
"""
import contextlib
import json
import re
import subprocess
import time

from harness import WEFT, check, equal, main, run, statement, wait_for
from labs import lab

# Reads whatever comes, by TCP and UDP.
SINK = """
import select, socket
server = socket.create_server(("", 9))
packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
packets.bind(("", 9))
print("ready", flush=True)
sources = [server, packets]
while True:
    for source in select.select(sources, [], [])[0]:
        if source is server:
            sources.append(server.accept()[0])
        elif not source.recv(1 << 20) and source is not packets:
            sources.remove(source)
            source.close()
"""
SOURCE = """
import socket
if KIND == "tcp":
    out, data = socket.create_connection((ADDRESS, 9), timeout=60), bytes(65536)
    out.settimeout(None)
else:
    out, data = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), bytes(1400)
    out.connect((ADDRESS, 9))
print("ready", flush=True)
while True:
    out.send(data)
"""
ENOUGH = 5000000  # bytes that a measurement is made of: many turns of all classes


def classes(cloud, device):
    """The classes of a shared device: bytes sent, rate, quantum, leaf by slot."""
    shown = cloud.run("h1", "tc", "-s", "-d", "class", "show", "dev", device, accept=[0]).stdout
    found = {}
    for text in shown.split("class htb ")[1:]:
        slot = int(re.match(r"5745:([0-9a-f]+)", text).group(1), 16)
        leaf, quantum = re.search(r"leaf (\w+)", text), re.search(r"quantum (\d+)", text)
        found[slot] = {"sent": int(re.search(r"Sent (\d+) bytes", text).group(1)),
                       "leaf": leaf and leaf.group(1), "quantum": quantum and int(quantum.group(1)),
                       "rate": re.search(r"rate (\w+)", text).group(1)}
    return found


def ports(found):
    return {slot: row for slot, row in found.items() if slot < 0x4000}


def started(cloud, node, program):
    process = cloud.start(node, "python3", "-c", program, stdout=subprocess.PIPE, text=True)
    equal(process.stdout.readline().strip(), "ready", f"a program at {node}")
    return process


@contextlib.contextmanager
def flows(cloud, target, address, senders):
    """Each of the senders, (node, kind), sends to the target all it can."""
    processes = [started(cloud, target, SINK)]
    try:
        for node, kind in senders:
            processes.append(started(cloud, node, SOURCE.replace("KIND", repr(kind)).replace(
                "ADDRESS", repr(address))))
        yield
    finally:
        for process in reversed(processes):  # who sends first, or he is told that nobody listens
            process.kill()
            process.wait()


def sent(cloud, device, weights):
    """What the classes with these quanta have sent while all were busy, by weight."""
    def busy():
        rows = ports(classes(cloud, device))
        return all(any(row["quantum"] == weight * 68000 and row["sent"] > 200000
                       for row in rows.values()) for weight in weights)

    wait_for(busy, f"packets of all senders at {device}")
    begin = time.monotonic()
    moved = sorted(moved_after(cloud, device))[-2:]
    return moved, sum(moved) * 8 / (time.monotonic() - begin)


def moved_after(cloud, device):
    """Bytes that each class has sent, when they are enough to tell."""
    before = ports(classes(cloud, device))

    def moved():
        after = ports(classes(cloud, device))
        found = [row["sent"] - before[slot]["sent"] for slot, row in after.items()]
        return sum(found) > ENOUGH and found

    return wait_for(moved, f"traffic at {device}")


def ratio(cloud, device, target, address, senders):
    with flows(cloud, target, address, senders):
        moved, rate = sent(cloud, device, (3, 1))
    # bench/rates.py measures; this is for any machine under any load
    check(2.2 < moved[1] / moved[0] < 4, f"{device} {senders}: {moved}, not 1 to 3")
    check(rate < 20e6 * 1.2, f"{device} {senders}: {rate / 1e6:.1f} Mbit/s in all, 20 carried")


@statement("two ports share a NIC 1:3, with TCP and UDP, on the wire and in a tunnel")
def one_to_three(_weft):
    with lab("shares") as cloud:
        queue_is_made(cloud)
        for kinds in (("tcp", "tcp"), ("udp", "udp"), ("tcp", "udp")):
            ratio(cloud, "eth1", "shop/sink", "10.0.1.20",
                  [("shop/gold", kinds[0]), ("shop/silver", kinds[1])])
        ratio(cloud, "eth0", "shop/web", "10.0.2.20", [("shop/web3", "tcp"), ("shop/web1", "tcp")])
        equal_ports(cloud)
        shares_move(cloud)
        restart_takes_over(cloud)
        queue_of_others(cloud)
        rate_goes(cloud)


def queue_is_made(cloud):
    rows = wait_for(lambda: len(ports(classes(cloud, "eth1"))) == 4 and classes(cloud, "eth1"),
                    "a class for each port of h1")
    equal(sorted(row["quantum"] for row in ports(rows).values()),
          [68000, 68000, 3 * 68000, 3 * 68000], "turns")
    # 3 + 1 + 3 + 1 and the host itself: of 16 parts each is sure of its own
    equal(sorted(row["rate"] for row in ports(rows).values()),
          ["1250Kbit", "1250Kbit", "3750Kbit", "3750Kbit"], "what is sure")
    equal(classes(cloud, "eth1")[0xffff]["rate"], "20Mbit", "in all")


def equal_ports(cloud):
    """With equal shares equal parts, and what is set acts on connections that are there."""
    with flows(cloud, "shop/sink", "10.0.1.20", [("shop/gold", "tcp"), ("shop/silver", "tcp")]):
        cloud.weft("port", "set", "shop/gold", "--share", "1")
        wait_for(lambda: sorted(row["quantum"] for row in ports(classes(cloud, "eth1")).values())
                 == [68000] * 3 + [3 * 68000], "the new share")
        moved = sorted(moved_after(cloud, "eth1"))[-2:]
    check(moved[1] < 1.5 * moved[0], f"equal shares: {moved}")
    cloud.weft("port", "set", "shop/gold", "--share", "3")


def shares_move(cloud):
    """A port that comes has a class; one that goes takes it along."""
    cloud.weft("port", "add", "shop/late", "--subnet", "web", "--share", "100")
    rows = wait_for(lambda: len(ports(classes(cloud, "eth0"))) == 5 and classes(cloud, "eth0"),
                    "a class for the port that came")
    check(any(row["quantum"] == 100 * 68000 for row in rows.values()), f"its turn: {rows}")
    cloud.weft("port", "remove", "shop/late")
    wait_for(lambda: len(ports(classes(cloud, "eth0"))) == 4, "no class of the port that went")
    for share, sentence in (("0", "share"), ("101", "share"), ("x", "share")):
        done = cloud.weft("port", "set", "shop/gold", "--share", share, accept=(1, 2))
        check(sentence in done.stderr, f"--share {share}: {done.stderr}")


def restart_takes_over(cloud):
    """The next daemon leaves the queues as they are: no frame in them is lost."""
    before = {slot: row["leaf"] for slot, row in classes(cloud, "eth1").items()}
    run(WEFT, "lab", "kill", "shares", "h1", accept=[0])
    run(WEFT, "lab", "start", "shares", "h1", accept=[0])
    cloud.weft("port", "set", "shop/silver", "--share", "2")
    wait_for(lambda: sum(row["quantum"] == 136000 for row in ports(classes(cloud, "eth1")).values())
             == 1, "the share that was set after the restart")
    equal({slot: row["leaf"] for slot, row in classes(cloud, "eth1").items()}, before, "the queues")


def queue_of_others(cloud):
    """A queue that somebody else has put there is told, and left alone."""
    cloud.run("h1", "tc", "qdisc", "replace", "dev", "eth1", "root", "handle", "7:", "pfifo",
              accept=[0])
    cloud.weft("port", "set", "shop/silver", "--share", "1")
    wait_for(lambda: "pfifo 7:" in cloud.weft("status").stdout, "the status tells of the queue")
    # once a queue of somebody else's, which goes, and once the own one
    for _ in range(2):
        cloud.run("h1", "tc", "qdisc", "del", "dev", "eth1", "root", accept=[0])
        wait_for(lambda: len(ports(classes(cloud, "eth1"))) == 4, "the classes are there again")
    wait_for(lambda: "pfifo 7:" not in cloud.weft("status").stdout, "nothing is told any more")
    check(cloud.reaches("shop/gold", "10.0.1.20"), "gold reaches the sink")


def rate_goes(cloud):
    """Without a rate the device has its own queue, and packets go on."""
    for words, sentence in ((("eth1=900k",), "device_rates"), (("eth1=fast",), "device_rates"),
                            (("eth1",), "DEVICE=BITS")):
        done = cloud.weft("host", "set", "h1", "--device-rate", *words, accept=(1, 2))
        check(sentence in done.stderr, f"{words}: {done.stderr}")
    cloud.weft("host", "set", "h1", "--device-rate", "eth1=", "--device-rate", "nic9=1G")
    shown = cloud.run("h1", "tc", "qdisc", "show", "dev", "eth1", accept=[0]).stdout
    check("htb" not in shown, f"eth1 without a rate: {shown}")
    check("nic9" in cloud.weft("status").stdout, "a device that is not there is told")
    host = json.loads(cloud.weft("--json", "host", "show", "h1").stdout)
    equal(host["device_rates"], {"eth0": "20M", "nic9": "1G"}, "what is shown")
    check(cloud.reaches("shop/gold", "10.0.1.20"), "gold reaches the sink")
    check(cloud.reaches("shop/web3", "10.0.2.20"), "web3 reaches web")


main(start=False)
