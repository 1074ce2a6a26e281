# SPDX-License-Identifier: BSD-2-Clause
"""Rates and shares: how near ports are held to what their intent says.

    a, b, c (namespaces) -- ports of one weftd -- u (uplink with a rate) -- wire (a plain machine)

Rates: one TCP connection between a and b, whose rate is set, in both directions. Shares: a and b
send to the wire by an uplink that carries less than they want, TCP and UDP, one connection or many.
What is compared is what arrives in the receivers, once the connections have found their pace:
payload and the headers of the frames that it came in.
"""
import json
import sys

import weft
from sandbox import Failed, run, start, stop, wait_until

RATES = (("10M", 10e6), ("100M", 100e6), ("1G", 1e9), ("2500M", 2.5e9), ("5G", 5e9))
UPLINKS = (("10M", 10e6), ("100M", 100e6), ("1G", 1e9))
WARM_SECONDS = 3.0
SECONDS_LEAST = 4.0
SLOW, SLOW_SECONDS = 20e6, 10.0  # below this rate turns are long, and many are to be seen
TCP_FRAME, TCP_PAYLOAD = 1514, 1448
UDP_FRAME, UDP_PAYLOAD = 1442, 1400
PORT = 7100
HOST, WIRE = "rates-host", "rates-wire"
WORKLOADS = ("a", "b", "c")
NAMESPACE = "rates-{}"
ADDRESS = {"a": "10.0.1.11", "b": "10.0.1.12", "c": "10.0.1.13", "wire": "10.0.1.20"}

# Counts what arrives of each sender, told apart by its address.
SINK = """
import json, select, socket, sys, time
warm, seconds, senders = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
server = socket.create_server(("", PORT), backlog=64)
packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
packets.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
packets.bind(("", PORT))
print("ready", flush=True)
poll, sources, counts, begin = select.poll(), {}, {}, None
for source in (server, packets):
    poll.register(source, select.POLLIN)
now = time.monotonic()
start = end = None
while end is None or now < end:
    for descriptor, _ in poll.poll(100):
        if descriptor == server.fileno():
            source, address = server.accept()
            sources[source.fileno()] = (source, address[0])
            poll.register(source, select.POLLIN)
            counts.setdefault(address[0], [0, 0])
            continue
        if descriptor == packets.fileno():
            data, address = packets.recvfrom(2000)
            counts.setdefault(address[0], [0, 0])[1] += len(data)
            continue
        source, address = sources[descriptor]
        data = source.recv(1 << 20)
        counts[address][0] += len(data)
        if not data:
            poll.unregister(descriptor)
    now = time.monotonic()
    if start is None and len(counts) >= senders:
        start = now + warm
    if begin is None and start is not None and now >= start:
        counts = {address: [0, 0] for address in counts}
        begin, end = now, now + seconds
print(json.dumps({"seconds": now - begin, "counts": counts}), flush=True)
"""
SOURCE = """
import select, socket, sys
address, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
if kind == "udp":
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((address, PORT))
    data = bytes(1400)
    while True:
        try:
            out.send(data)
        except ConnectionRefusedError:
            pass
poll, outs, data = select.poll(), {}, bytes(262144)
for _ in range(count):
    out = socket.create_connection((address, PORT), timeout=10)
    out.setblocking(False)
    outs[out.fileno()] = out
    poll.register(out, select.POLLOUT)
while True:
    for descriptor, _ in poll.poll():
        try:
            outs[descriptor].send(data)
        except BlockingIOError:
            pass
"""


def intent(uplink, ports):
    """The world with an uplink of a rate, and keys for some of the ports."""
    lines = ["hosts:", f"  h1: {{underlay: 192.0.2.1/24, uplinks: {{lan: u}}, "
             f"device_rates: {{u: {uplink}}}}}" if uplink else
             "  h1: {underlay: 192.0.2.1/24, uplinks: {lan: u}}",
             "vpcs:", "  bench:", "    cidrs: [10.0.0.0/16]", "    subnets:",
             "      lan: {cidr: 10.0.1.0/24, mode: l2, segment: {type: flat, network: lan}}",
             "    security_groups:"]
    lines += weft.group_lines("open", 1, ["0.0.0.0/0"])
    lines.append("    ports:")
    for name in WORKLOADS:
        lines.append(weft.port_line(name, "lan", [ADDRESS[name]], "open", NAMESPACE.format(name),
                                    f"host: h1, {ports.get(name, '')}"))
    return "\n".join(lines) + "\n"


class World:
    """The namespaces and the daemon."""

    def __init__(self):
        self.daemon = None
        for name in [HOST, WIRE] + [NAMESPACE.format(name) for name in WORKLOADS]:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", HOST, "address", "add", "192.0.2.1/24", "dev", "lo")
        run("ip", "link", "add", "u", "netns", HOST, "type", "veth", "peer", "name", "w",
            "netns", WIRE)
        run("ip", "-n", HOST, "link", "set", "u", "up")
        run("ip", "-n", WIRE, "link", "set", "w", "up")
        run("ip", "-n", WIRE, "address", "add", f"{ADDRESS['wire']}/24", "dev", "w")
        self.daemon = weft.Daemon("bench-rates", ("--host", "h1"), namespace=HOST)

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self.daemon.stop()
        for name in [HOST, WIRE] + [NAMESPACE.format(name) for name in WORKLOADS]:
            run("ip", "netns", "delete", name)

    def apply(self, uplink, ports):
        self.daemon.apply(intent(uplink, ports))
        wait_until(lambda: "plugged" in self.daemon.command("port", "list", "--vpc", "bench") and
                   "waiting" not in self.daemon.command("port", "list", "--vpc", "bench"),
                   "ports are plugged in", 20)

    def measure(self, seconds, to, senders):
        """Bits a second in frames that arrive of each sender: [(name, kind, connections)]."""
        place = WIRE if to == "wire" else NAMESPACE.format(to)
        processes = [start(sys.executable, "-c", SINK.replace("PORT", str(PORT)),
                           str(WARM_SECONDS), str(seconds), str(len(senders)), namespace=place,
                           ready="ready")]
        try:
            for name, kind, connections in senders:
                processes.append(start(
                    sys.executable, "-c", SOURCE.replace("PORT", str(PORT)), ADDRESS[to], kind,
                    str(connections), namespace=NAMESPACE.format(name)))
            said = processes[0].stdout.readline()
        finally:
            for process in processes:
                stop(process)
        if not said:
            raise Failed("nothing arrived")
        found = json.loads(said)
        return [frames(found["counts"].get(ADDRESS[name], [0, 0])) * 8 / found["seconds"]
                for name, _, _ in senders]


def frames(counts):
    """Bytes of frames for the payload of TCP and UDP."""
    return counts[0] * TCP_FRAME / TCP_PAYLOAD + counts[1] * UDP_FRAME / UDP_PAYLOAD


SHARES = (  # what, keys of a and b, senders, their parts
    ("TCP 1:3", ("share: 1, ", "share: 3, "), (("a", "tcp", 1), ("b", "tcp", 1)), (0.25, 0.75)),
    ("UDP 1:3", ("share: 1, ", "share: 3, "), (("a", "udp", 1), ("b", "udp", 1)), (0.25, 0.75)),
    ("UDP 1, TCP 3", ("share: 1, ", "share: 3, "), (("a", "udp", 1), ("b", "tcp", 1)),
     (0.25, 0.75)),
    ("TCP 1:1", ("", ""), (("a", "tcp", 1), ("b", "tcp", 1)), (0.5, 0.5)),
    ("TCP 1:1, 16 connections beside one", ("", ""), (("a", "tcp", 16), ("b", "tcp", 1)),
     (0.5, 0.5)),
    ("TCP 1:3, the 3 is silent", ("share: 1, ", "share: 3, "), (("a", "tcp", 1),), (1.0,)),
)


def length(rate, seconds):
    """How long is measured at a rate."""
    return max(seconds, SLOW_SECONDS) if rate < SLOW else seconds


def rates(world, seconds, say):
    """A row for each rate and direction."""
    rows = []
    for key in ("receive_rate", "send_rate"):
        for name, rate in RATES:
            world.apply(None, {"b": f"{key}: {name}, "})
            ends = ("b", [("a", "tcp", 1)]) if key == "receive_rate" else ("a", [("b", "tcp", 1)])
            found = world.measure(length(rate, seconds), *ends)[0]
            rows.append({"direction": key, "rate": name, "found": found,
                         "error": found / rate - 1})
            say(f"rates: {key} {name}: {found / 1e6:.2f} Mbit/s, {found / rate - 1:+.2%}")
    return rows


def shares(world, seconds, say):
    """A row for each way to share."""
    rows = []
    for name, rate in UPLINKS:
        for what, keys, senders, parts in SHARES:
            world.apply(name, dict(zip(("a", "b"), keys)))
            found = world.measure(length(rate, seconds), "wire", list(senders))
            total = sum(found)
            worst = max(abs(one / total / part - 1) for one, part in zip(found, parts))
            rows.append({"uplink": name, "what": what, "found": [one / total for one in found],
                         "worst": worst, "used": total / rate})
            said = " ".join(f"{one / total:.4f}" for one in found)
            say(f"rates: {name} {what}: {said}, {worst:.2%} off, {total / rate:.2%} of the rate")
    return rows


def run_rates(options, say):
    """Measure; return the document that is written as JSON."""
    document = {"rows": [], "shares": [], "failures": [], "notes": []}
    if weft.missing():
        raise Failed(weft.missing())
    seconds = options.seconds if options.quick else max(options.seconds, SECONDS_LEAST)
    with World() as world:
        for key, part in (("rows", rates), ("shares", shares)):
            try:
                document[key] = part(world, seconds, say)
            except (Failed, OSError) as error:
                document["failures"].append({"error": str(error)})
                say(f"rates: {error}")
    return document
