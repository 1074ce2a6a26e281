# SPDX-License-Identifier: BSD-2-Clause
"""Weft as the bench drives it: a daemon of its own, intent written as weft.yaml.

Nothing here knows more of Weft than its two commands and the YAML of weft.yaml(5), so the bench
measures what a user gets. The YAML is written by hand, line by line, because it is generated in
bulk and its shape is fixed.
"""
import json
import os
import shutil
import subprocess
import tempfile
import time

from sandbox import BUILD, Failed, run, start, stop, succeeds, wait_until

WEFT = os.path.join(BUILD, "weft")
WEFTD = os.path.join(BUILD, "weftd")
PINS = "/sys/fs/bpf/weft"


def missing():
    """Why Weft cannot be measured, or None."""
    for path in (WEFTD, WEFT):
        if not os.access(path, os.X_OK):
            return f"{os.path.relpath(path, os.path.dirname(BUILD))} is not built"
    return None


class Daemon:
    """One weftd with an empty state; use as a context manager or call stop()."""

    def __init__(self, instance="bench", options=(), namespace=None):
        self.instance = instance
        # The store is on a disk, as it is in use: a change is only done when it is durable.
        self.folder = tempfile.mkdtemp(prefix="state-", dir=os.path.join(BUILD, "bench"))
        self.socket = f"/run/weft-{instance}.sock"
        self.log = os.path.join(BUILD, "bench", f"weftd-{instance}.log")
        self.process = start(WEFTD, "--name", instance, "--state",
                             os.path.join(self.folder, "state"), "--socket", self.socket,
                             *options, namespace=namespace, log=self.log)
        try:
            wait_until(self._answers, f"weftd to answer (see {self.log})", 15)
        except Failed:
            self.stop()
            raise

    def _answers(self):
        if self.process.poll() is not None:
            raise Failed(f"weftd ended with {self.process.returncode} (see {self.log})")
        return succeeds(WEFT, "--socket", self.socket, "status")

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self.stop()

    def stop(self):
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *arguments, given=None, timeout=300):
        """Run `weft ARGUMENTS` against this daemon and return what it printed."""
        return run(WEFT, "--socket", self.socket, *arguments, given=given, timeout=timeout)

    def apply(self, text):
        """Apply a weft.yaml; return the seconds the command took."""
        path = os.path.join(self.folder, "weft.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        begin = time.monotonic()
        self.command("apply", path)
        return time.monotonic() - begin

    def cpu_seconds(self):
        """CPU time of the daemon's process with all its threads, in nanosecond steps."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def memory_bytes(self):
        """Resident memory of the daemon."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise Failed("weftd has no VmRSS")

    def table_bytes(self):
        """Memory of each of the pinned tables, from the kernel's own account."""
        folder, sizes = os.path.join(PINS, self.instance), {}
        for parent, _folders, files in os.walk(folder):
            for name in files:
                done = subprocess.run(["bpftool", "-j", "map", "show", "pinned",
                                       os.path.join(parent, name)], text=True, check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                if done.returncode == 0:  # programs and links are pinned there too
                    sizes[name] = int(json.loads(done.stdout).get("bytes_memlock", 0))
        if not sizes:
            raise Failed(f"no tables are pinned under {folder}")
        return sizes


def filler_rule(index):
    """Address and port of a rule that nothing in the bench matches."""
    return f"172.16.{index // 256}.{index % 256}", 10000 + index


def group_lines(name, rule_count, prefixes):
    """A security group: rules that do not match, and at the end those that let prefixes in."""
    lines = [f"      {name}:", "        ingress:"]
    for index in range(rule_count - len(prefixes)):
        address, port = filler_rule(index)
        lines.append(f'          - {{protocol: tcp, ports: "{port}", from: {address}/32}}')
    for prefix in prefixes:
        lines.append(f'          - {{protocol: all, from: "{prefix}"}}')
    lines += ["        egress:", '          - {protocol: all, to: 0.0.0.0/0}',
              '          - {protocol: all, to: "::/0"}']
    return lines


def port_line(name, subnet, addresses, group, netns, more=""):
    """A port in a namespace that the bench has made or will make; MORE is further keys."""
    listed = ", ".join(f'"{address}"' for address in addresses)
    key = f"addresses: [{listed}]" if len(addresses) > 1 else f"address: {listed}"
    return (f"      {name}: {{{more}subnet: {subnet}, {key}, security_groups: [{group}], "
            f"attach: {{netns: {netns}, ifname: eth0}}}}")
