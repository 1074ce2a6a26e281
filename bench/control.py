# SPDX-License-Identifier: BSD-2-Clause
"""The control plane: what making ports costs, and what they take.

In turn: many ports by one `weft apply`, beside `ip -batch` making the same devices and addresses
in the same namespaces; then many more endpoints, and one more port on top of them; memory at each
step. The namespaces exist beforehand and are not counted. Endpoints beyond the first ports are
ports whose namespace does not exist ("waiting"): they have rows in the store and in the tables,
and no device.
"""
import ctypes
import json
import os
import socket
import statistics
import struct
import threading
import time

import weft
from sandbox import LOAD, Failed, run, start, stop, wait_until

VPC = "bench"
PREFIX = "10.0.0.0/16"
MANY = "10.0.64.0/18"  # where the many ports are
MORE = "10.0.1.0/24"   # where the one more is: reached through the gateway, so ARP has no part
PORT = 7000
TIMES = 9              # how often one more port is made
SETTLE_SECONDS = 0.3   # after which a change is over, for the daemon's CPU time


BATCH = "batch"        # the namespace that stands for the host when iproute2 makes the devices


def socket_in(namespace):
    """A netlink socket of a named namespace, or of this one."""
    if namespace is None:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as here, \
            open(f"/run/netns/{namespace}", "rb") as there:
        if libc.setns(there.fileno(), 0):
            raise Failed(f"cannot enter {namespace}: {os.strerror(ctypes.get_errno())}")
        try:
            return socket_in(None)
        finally:
            libc.setns(here.fileno(), 0)


class DeviceWatch:
    """Notes when each new device of a namespace appears, from the kernel's notifications."""

    NEW_LINK = 16
    LINK_GROUP = 1
    RECEIVE_BUFFER_FORCE = 33

    def __init__(self, namespace=None):
        self.times = {}
        self._socket = socket_in(namespace)
        self._socket.setsockopt(socket.SOL_SOCKET, self.RECEIVE_BUFFER_FORCE, 64 << 20)
        self._socket.bind((0, self.LINK_GROUP))
        self._socket.settimeout(0.05)
        self._over = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                if self._over:
                    return
                continue
            now, offset = time.monotonic(), 0
            while offset + 32 <= len(data):
                length, kind = struct.unpack_from("=IH", data, offset)
                family, = struct.unpack_from("=B", data, offset + 16)
                if kind == self.NEW_LINK and family == socket.AF_UNSPEC:
                    self.times.setdefault(struct.unpack_from("=i", data, offset + 20)[0], now)
                offset += (length + 3) & ~3

    def close(self, ports):
        """Stop; return milliseconds per port over the first and over the last tenth."""
        self._over = True
        self._thread.join()
        self._socket.close()
        times = sorted(self.times.values())
        tenth = len(times) // 10
        if not tenth:
            return {}
        per_port = 1000 * 10 / ports
        return {"first_tenth_ms": (times[tenth] - times[0]) * per_port,
                "last_tenth_ms": (times[-1] - times[-1 - tenth]) * per_port}


def address_of(index):
    """The address of the many's port INDEX; the first usable one is the gateway's."""
    index += 16
    return f"10.0.{64 + index // 256}.{index % 256}"


def row(what, ports, seconds, tenths=None):
    return {"what": what, "ports": ports, "seconds": seconds,
            "ms_per_port": seconds * 1000 / ports, **(tenths or {})}


def make_by_batch(ports):
    """The same devices and addresses by iproute2: the rows of the table; all is removed again.

    From a host of its own, for a host keeps the number of each namespace it had a device into, and
    the kernel looks through these for every device.
    """
    run("ip", "netns", "add", BATCH)
    devices = "".join(f"link add b{i} up type veth peer name eth0 netns w{i}\n"
                      for i in range(ports))
    # One ip for each namespace: a batch cannot change namespaces on its way.
    addresses = "".join(
        f"ip -n w{i} -batch - <<.\naddress add {address_of(i)}/18 dev eth0\n"
        f"link set eth0 up\nroute add default via 10.0.64.1\n.\n" for i in range(ports))
    watch = DeviceWatch(BATCH)
    begin = time.monotonic()
    run("ip", "-n", BATCH, "-batch", "-", given=devices, timeout=600)
    middle = time.monotonic()
    tenths = watch.close(ports)
    run("sh", "-e", given=addresses, timeout=600)
    end = time.monotonic()
    run("ip", "-n", BATCH, "-batch", "-",
        given="".join(f"link delete b{i}\n" for i in range(ports)), timeout=600)
    run("ip", "netns", "delete", BATCH)
    return [row("`ip -batch`, devices alone", ports, middle - begin, tenths),
            row("`ip -batch` and one `ip` in each namespace for the addresses", ports,
                end - begin)]


def intent(ports, endpoints):
    """A VPC with this many ports whose namespaces exist, and endpoints without."""
    lines = ["vpcs:", f"  {VPC}:", f"    cidrs: [{PREFIX}]", "    subnets:",
             f"      many: {{cidr: {MANY}}}", f"      more: {{cidr: {MORE}}}",
             "    security_groups:"]
    lines += weft.group_lines("all", 1, [PREFIX])
    lines.append("    ports:")
    for index in range(max(ports, endpoints)):
        namespace = f"w{index}" if index < ports else f"absent{index}"
        lines.append(weft.port_line(f"p{index}", "many", [address_of(index)], "all", namespace))
    return "\n".join(lines) + "\n"


def all_configured(indexes):
    """Whether the ports with these numbers have their address in their namespace."""
    return all(address_of(index) in run("ip", "-n", f"w{index}", "-4", "-o", "address", "show")
               for index in indexes)


def make_by_weft(daemon, ports):
    """Many ports by one apply, until all are plugged in and configured."""
    text = intent(ports, 0)
    probes = [*range(0, ports, max(1, ports // 10)), ports - 1]
    watch = DeviceWatch()
    begin = time.monotonic()
    seconds = daemon.apply(text)
    wait_until(lambda: len(watch.times) >= ports, f"{ports} devices", 120)
    seconds = max(seconds, max(watch.times.values()) - begin)
    if not all_configured(probes):
        wait_until(lambda: all_configured(probes), "addresses", 60)
        seconds = time.monotonic() - begin
    return row("`weft apply`, all of it", ports, seconds, watch.close(ports))


def make_one(daemon, index, knock):
    """One more port; return (ms from the command to the first packet or None, CPU ms)."""
    namespace, target = f"x{index}", f"10.0.1.{10 + index}"
    run("ip", "netns", "add", namespace)
    arrive = sender = None
    if knock:
        arrive = start(LOAD, "arrive", "--port", str(PORT), "--seconds", "10",
                       namespace=namespace, ready="ready")
        sender = start(LOAD, "knock", "--to", target, "--port", str(PORT), "--seconds", "20",
                       namespace="w0")
        # The packets before must have met the closed path, as a waiting client's do.
        time.sleep(SETTLE_SECONDS)
    cpu, begin = daemon.cpu_seconds(), time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    daemon.command("port", "add", f"{VPC}/{namespace}", "--subnet", "more", "--netns", namespace,
                   "--ifname", "eth0", "--address", target, "--group", "all")
    if knock:
        try:
            text = arrive.communicate(timeout=15)[0]
            if arrive.returncode:
                raise Failed(f"no packet reached port {namespace} within 10 s")
            return (json.loads(text)["monotonic_ns"] - begin) / 1e6, None
        finally:
            stop(sender)
    time.sleep(SETTLE_SECONDS)
    return None, (daemon.cpu_seconds() - cpu) * 1000


def one_more(daemon, endpoints, times):
    """Time and CPU are measured apart: the knocking packets cause work of their own."""
    forwarding = [make_one(daemon, i, True)[0] for i in range(times)]
    cpu = [make_one(daemon, times + i, False)[1] for i in range(times)]
    return {"endpoints": endpoints, "times": times,
            "cpu_ms": statistics.median(cpu), "cpu_ms_most": max(cpu),
            "forwarding_ms": statistics.median(forwarding),
            "forwarding_ms_most": max(forwarding)}


def memory(daemon, ports):
    tables = daemon.table_bytes()
    return {"ports": ports, "daemon_bytes": daemon.memory_bytes(),
            "tables_bytes": sum(tables.values()), "tables": tables}


def run_control(options, say):
    """Measure; return the document that is written as JSON."""
    ports, endpoints, failures = options.ports, options.endpoints, []
    document = {"making": [], "memory": [], "failures": failures, "notes": []}
    run("ip", "-batch", "-", given="".join(f"netns add w{i}\n" for i in range(ports)),
        timeout=600)
    document["making"] += make_by_batch(ports)
    say("control: ip -batch: done")
    if weft.missing():
        document["notes"].append(f"Weft was skipped: {weft.missing()}.")
        say(f"control: skipped: {weft.missing()}")
        return document
    try:
        with weft.Daemon("bench-control") as daemon:
            document["memory"].append(memory(daemon, 0))
            document["making"].append(make_by_weft(daemon, ports))
            document["memory"].append(memory(daemon, ports))
            say(f"control: {ports} ports: done")
            seconds = daemon.apply(intent(ports, endpoints))
            document["making"].append(row("`weft apply`, endpoints without a namespace",
                                          max(1, endpoints - ports), seconds))
            document["memory"].append(memory(daemon, endpoints))
            document["notes"].append(f"Of {endpoints:,} ports {ports:,} have a device; the "
                                     "others wait for a namespace that does not exist.")
            say(f"control: {endpoints} endpoints: done")
            document["one_more"] = one_more(daemon, endpoints, TIMES)
    except Failed as error:
        failures.append({"error": str(error)})
        document["notes"].append(f"Failed: {error}.")
        say(f"control: {error}")
    return document
