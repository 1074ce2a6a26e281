# SPDX-License-Identifier: BSD-2-Clause
"""The place the bench runs in: network, mounts and processes of its own.

enter() starts the program again in new namespaces, so that whatever the bench makes (devices,
named network namespaces, nftables rules, pinned BPF tables, daemons) is invisible to the machine
and vanishes with the program, however it ends. The rest are helpers to run commands in there.

`ip netns exec` mounts a new /sys and so hides the BPF file system; commands go through `nsenter
--net` instead.
"""
import os
import subprocess
import sys
import time

INSIDE = "WEFT_BENCH_INSIDE"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")
LOAD = os.path.join(BUILD, "weft-load")


class Failed(Exception):
    """A command or a measurement failed; the text says which and why."""


def enter():
    """Run this program again in namespaces of its own; return only inside them."""
    if os.environ.get(INSIDE):
        for arguments in (["--make-rprivate", "/"], ["-t", "tmpfs", "run", "/run"],
                          ["-t", "sysfs", "sysfs", "/sys"], ["-t", "bpf", "bpf", "/sys/fs/bpf"]):
            run("mount", *arguments)
        os.mkdir("/run/netns")
        run("ip", "link", "set", "lo", "up")
        return
    if os.geteuid() != 0:
        sys.exit("bench: needs root: it makes network namespaces (everything it makes is in "
                 "namespaces of its own and vanishes with it)")
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
                          "--mount-proc", sys.executable] + sys.argv)


def within(namespace, command, cpu=None):
    """The command line that runs a command in a named namespace, pinned to a processor."""
    line = list(command)
    if cpu is not None:
        line = ["taskset", "--cpu-list", str(cpu)] + line
    if namespace is not None:
        line = ["nsenter", f"--net=/run/netns/{namespace}"] + line
    return line


def run(*command, namespace=None, cpu=None, given=None, timeout=120):
    """Run a command to its end and return its output; raise Failed with what it said."""
    try:
        done = subprocess.run(within(namespace, command, cpu), input=given, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{' '.join(command[:3])}: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failed(f"{' '.join(command[:3])}: exit {done.returncode}: "
                     f"{said[0] if said else 'no output'}")
    return done.stdout


def start(*command, namespace=None, cpu=None, ready=None, log=None):
    """Start a command in the background; wait for the line that says it is ready."""
    stderr = open(log, "w", encoding="utf-8") if log else subprocess.DEVNULL
    process = subprocess.Popen(within(namespace, command, cpu), text=True, stderr=stderr,
                               stdout=subprocess.PIPE if ready else subprocess.DEVNULL)
    if ready and process.stdout.readline().strip() != ready:
        process.kill()
        raise Failed(f"{' '.join(command[:2])} did not start")
    return process


def stop(process):
    """End a process that start() began."""
    if process is not None and process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(condition, what, seconds=10.0):
    """Call a condition until it is true; raise Failed when the time is up."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


def succeeds(*command, namespace=None):
    """Whether a command exits with 0."""
    return subprocess.run(within(namespace, command), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def cpu_seconds():
    """Seconds all processors together were busy since boot, soft interrupts included."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _idle, _wait, interrupt, soft = map(int, file.readline().split()[1:8])
    return (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")
