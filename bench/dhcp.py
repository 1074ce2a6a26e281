# SPDX-License-Identifier: BSD-2-Clause
"""DHCP: many clients that ask at the same moment, beside dnsmasq with as many reservations.

    Weft:      1,000 taps, each a port of one subnet; weftd answers by its punt device
    dnsmasq:   1,000 taps, ports of one Linux bridge, isolated from each other so that a DISCOVER
               reaches the server alone; one dnsmasq on the bridge with 1,000 lines of dhcp-host,
               no ping before an offer

The clients are this program: it holds all taps, writes 1,000 DISCOVERs, answers each OFFER with a
REQUEST and stops the clock at the last ACK. Who has no answer after a second asks again, and is
counted.
"""
import fcntl
import os
import resource
import select
import socket
import statistics
import struct
import time

import weft
from sandbox import Failed, run, start, stop, succeeds, wait_until

SUBNET, GATEWAY, SERVER = "10.0.0.0/20", "10.0.0.1", socket.inet_aton("10.0.0.1")
TIMES = 5
RETRY_SECONDS = 1.0
GIVE_UP_SECONDS = 20.0
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 2, 0x1000, 0x4000
VNET_HEADER = 10
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


def address_of(index):
    return f"10.0.{(index + 16) // 250}.{(index + 16) % 250 + 1}"


def mac_of(index):
    return bytes([2, 0, 0, 1, index >> 8, index & 0xFF])


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def request(index, kind, options=b""):
    """A client's frame; UDP without a checksum, which IPv4 allows."""
    mac = mac_of(index)
    body = struct.pack("!BBBBIHH16x", 1, 1, 6, 0, 0x57000000 + index, 0, 0) + mac + bytes(202)
    body += bytes.fromhex("63825363") + bytes([53, 1, kind]) + options + b"\xff"
    udp = struct.pack("!HHHH", 68, 67, 8 + len(body), 0) + body
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4),
                         b"\xff" * 4)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return bytes(VNET_HEADER) + b"\xff" * 6 + mac + b"\x08\x00" + header + udp


def answer_kind(frame, index):
    """The type of an answer to this client; 0: something else."""
    body = frame[VNET_HEADER + 14 + 20 + 8:]
    if len(body) < 243 or body[28:34] != mac_of(index) or body[:1] != b"\x02":
        return 0
    at = 240
    while at + 2 < len(body) and body[at] != 255:
        if body[at] == 53:
            return body[at + 2]
        at += 2 + body[at + 1]
    return 0


def open_tap(name):
    """A tap, which is made if it is not there."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF,
                struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    return descriptor


def ask_all(taps):
    """Every client asks. Seconds until the last has its address, and how many had to ask again."""
    poll = select.epoll()
    clients = {}
    for index, tap in enumerate(taps):
        while True:  # what was left from before
            try:
                os.read(tap, 2048)
            except BlockingIOError:
                break
        poll.register(tap, select.EPOLLIN)
        clients[tap] = index
    frames = [request(index, DISCOVER) for index in range(len(taps))]
    accept = [request(index, REQUEST, bytes([50, 4]) + socket.inet_aton(address_of(index)) +
                      bytes([54, 4]) + SERVER) for index in range(len(taps))]
    left, again = set(taps), 0
    begin = retry = time.monotonic()
    for index, tap in enumerate(taps):
        os.write(tap, frames[index])
    while left:
        now = time.monotonic()
        if now - retry > RETRY_SECONDS:
            again += len(left)
            retry = now
            for tap in left:
                os.write(tap, frames[clients[tap]])
        if now - begin > GIVE_UP_SECONDS:
            raise Failed(f"{len(left)} of {len(taps)} clients have no address after "
                         f"{GIVE_UP_SECONDS:.0f} s")
        for tap, _ in poll.poll(0.05, 256):
            try:
                kind = answer_kind(os.read(tap, 2048), clients[tap])
            except BlockingIOError:
                continue
            if kind == OFFER and tap in left:
                os.write(tap, accept[clients[tap]])
            elif kind == ACK:
                left.discard(tap)
                poll.unregister(tap)
    return time.monotonic() - begin, again


def wait_for_carrier(prefix, count):
    """A device whose reader has just come takes packets only when the kernel has seen to it."""
    def is_up(index):
        with open(f"/sys/class/net/{prefix}{index}/operstate", encoding="ascii") as file:
            return file.read().strip() in ("up", "unknown")

    wait_until(lambda: all(is_up(index) for index in range(count)), "taps have a carrier", 30)


def process_seconds(process):
    return time.clock_gettime((~process.pid << 3) | 2)


def measure(what, taps, process, say):
    """A row: medians over some rounds."""
    seconds, cpu, again = [], [], 0
    for _ in range(TIMES):
        before = process_seconds(process)
        took, retried = ask_all(taps)
        seconds.append(took)
        cpu.append(process_seconds(process) - before)
        again += retried
    say(f"dhcp: {what}: {statistics.median(seconds):.3f} s")
    return {"what": what, "clients": len(taps), "seconds": statistics.median(seconds),
            "seconds_most": max(seconds), "cpu_seconds": statistics.median(cpu), "again": again}


def intent(count):
    lines = ["vpcs:", "  bench:", f"    cidrs: [{SUBNET}]", "    subnets:",
             f"      lan: {{cidr: {SUBNET}, segment: {{type: local}}, dhcp: true}}", "    ports:"]
    for index in range(count):
        mac = ":".join(f"{byte:02x}" for byte in mac_of(index))
        lines.append(f"      c{index}: {{subnet: lan, address: {address_of(index)}, "
                     f'mac: "{mac}", attach: {{tap: c{index}}}}}')
    return "\n".join(lines) + "\n"


def by_weft(count, say):
    with weft.Daemon("bench-dhcp") as daemon:
        daemon.apply(intent(count))
        taps = [open_tap(f"c{index}") for index in range(count)]
        try:
            wait_for_carrier("c", count)
            return measure("weftd", taps, daemon.process, say)
        finally:
            for tap in taps:
                os.close(tap)


def by_dnsmasq(count, say):
    taps = [open_tap(f"d{index}") for index in range(count)]
    batch = ["link add br0 type bridge", f"address add {GATEWAY}/20 dev br0", "link set br0 up"]
    for index in range(count):
        batch += [f"link set d{index} master br0", f"link set d{index} up",
                  f"link set d{index} type bridge_slave isolated on"]
    run("ip", "-batch", "-", given="\n".join(batch) + "\n", timeout=300)
    hosts = "/run/dnsmasq-hosts"
    with open(hosts, "w", encoding="utf-8") as file:
        for index in range(count):
            mac = ":".join(f"{byte:02x}" for byte in mac_of(index))
            file.write(f"{mac},{address_of(index)}\n")
    process = start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
                    "--interface=br0", "--bind-interfaces", "--no-ping", "--dhcp-authoritative",
                    "--dhcp-range=10.0.0.0,static,255.255.240.0,1h", "--user=root",
                    f"--dhcp-lease-max={2 * count}", f"--dhcp-hostsfile={hosts}",
                    "--dhcp-leasefile=/run/dnsmasq-leases", "--pid-file=/run/dnsmasq.pid",
                    log="/run/dnsmasq.log")
    try:
        wait_until(lambda: os.path.exists("/run/dnsmasq.pid"), "dnsmasq runs")
        wait_for_carrier("d", count)
        return measure("dnsmasq on a bridge", taps, process, say)
    finally:
        stop(process)
        for tap in taps:
            os.close(tap)
        run("ip", "link", "delete", "br0")


def run_dhcp(options, say):
    """Measure; return the document that is written as JSON."""
    count = options.ports
    document = {"rows": [], "failures": [], "notes": []}
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    cases = [by_weft] if not weft.missing() else []
    if succeeds("dnsmasq", "--version"):
        cases.append(by_dnsmasq)
    else:
        document["notes"].append("dnsmasq is not installed.")
    for case in cases:
        try:
            document["rows"].append(case(count, say))
        except (Failed, OSError) as error:
            document["failures"].append({"error": str(error)})
            document["notes"].append(f"Failed: {error}.")
            say(f"dhcp: {error}")
    return document
