# SPDX-License-Identifier: BSD-2-Clause
"""Machines that run systemd as their first process, with this machine's kernel and programs.

A machine is a set of namespaces (processes, mounts, network, name, IPC, cgroups), a root folder
that is this machine's with a layer of its own over it, and a cable to a bridge. Of the services
that are set up on this machine it starts none: /etc/systemd is empty in its layer. Devices are the
few that a container gets, so there is no udev; all else is as systemd does it on a machine: cgroups
of version 2, the BPF file system, the journal, what units say about capabilities and system calls.

      br0 ---- m1, m2, m3       192.0.2.11, .12, .13 on eth0

A machine can be started again, by itself too: the layer stays, as a disk does, and everything else
is new. Units that the test adds (unit()) are in the layer.
"""
import contextlib
import os
import signal
import subprocess
from pathlib import Path

from harness import RUN, Failure, Netns, Skip, check, run, wait_for

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SYSTEMD = "/lib/systemd/systemd"
CGROUPS = "/run/weft-cgroups"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "net/tun")
BOOT_SECONDS = 90  # on a loaded machine; it takes one or two

# In the namespaces of the machine: mount what a container has, and become its first process.
BEGIN = """
set -e
cd "$1"
mount --make-rprivate /
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/net dev/pts dev/shm
for device in $3; do
	touch dev/$device
	mount --bind /dev/$device dev/$device
done
ln -s /proc/self/fd dev/fd
hostname "$2"
pivot_root . mnt
umount -l /mnt
mount --make-rshared /
exec env -i container=weft PATH="$4" %s --show-status=0 --log-target=journal
""" % SYSTEMD


def possible():
    """Skip where systemd cannot be started, with the reason."""
    if not os.path.exists(SYSTEMD):
        raise Skip("systemd is not installed")
    os.makedirs(CGROUPS, exist_ok=True)
    if run("mount", "-t", "cgroup2", "cgroup2", CGROUPS).returncode:
        raise Skip("no cgroups of version 2")
    sweep()
    try:
        os.mkdir(f"{CGROUPS}/weft-{os.getpid()}-try")
        os.rmdir(f"{CGROUPS}/weft-{os.getpid()}-try")
    except OSError as error:
        raise Skip(f"no cgroup can be made: {error}") from None
    place = f"{RUN}/try"
    for name in ("upper", "work", "root"):
        os.makedirs(f"{place}/{name}")
    if overlay(place).returncode:
        raise Skip("no overlay file system over this machine's root")
    run("umount", f"{place}/root", accept=[0])


def overlay(place):
    return run("mount", "-t", "overlay", "overlay", "-o",
               f"lowerdir=/,upperdir={place}/upper,workdir={place}/work", f"{place}/root")


def sweep():
    """Remove cgroups of machines that are gone; those of a machine that runs cannot be removed."""
    for top in Path(CGROUPS).glob("weft-machine-*"):
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


class Machine:
    """A machine with a name and an address on the bridge br0, which is there."""

    def __init__(self, number):
        self.number, self.name = number, f"m{number}"
        self.address = f"192.0.2.{10 + number}"
        self.place = f"{RUN}/{self.name}"
        self.root = f"{self.place}/root"
        self.cgroup = f"{CGROUPS}/weft-machine-{os.stat('/proc/self/ns/pid').st_ino}-{self.name}"
        self.process, self.first = None, 0
        for name in ("upper", "work", "root"):
            os.makedirs(f"{self.place}/{name}")
        check(overlay(self.place).returncode == 0, "an overlay file system")
        self.clean()

    def clean(self):
        """A layer in which nothing is set up, and the network card is a unit as it is elsewhere."""
        run("sh", "-c", 'cd "$1" && rm -rf etc/systemd/* etc/rc?.d/* etc/fstab var/log/journal '
            "var/lib/weft && mkdir -p etc/systemd/system var/log/journal", "sh", self.root,
            accept=[0])
        self.file("/etc/machine-id", f"{self.number:032x}\n")
        self.file("/etc/hostname", self.name + "\n")
        for unit in ("getty.target", "systemd-logind.service", "networking.service"):
            os.symlink("/dev/null", f"{self.root}/etc/systemd/system/{unit}")
        self.unit("cable.service", f"""
            [Unit]
            Description=The network card
            After=network-pre.target
            Before=network.target
            [Service]
            Type=oneshot
            RemainAfterExit=yes
            ExecStart=/usr/sbin/ip address add {self.address}/24 dev eth0
            ExecStart=/usr/sbin/ip link set eth0 up
            """)

    def file(self, path, text):
        """A file of the machine."""
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w", encoding="utf-8") as file:
            file.write(text)

    def unit(self, name, text):
        """A unit that starts with the machine."""
        self.file(f"/etc/systemd/system/{name}",
                  "".join(line.strip() + "\n" for line in text.splitlines()))
        wants = f"{self.root}/etc/systemd/system/multi-user.target.wants"
        os.makedirs(wants, exist_ok=True)
        os.symlink(f"../{name}", f"{wants}/{name}")

    # ---- on and off ----

    def start(self):
        """Switch on; the end of the start is waited for."""
        netns = Netns(self.name)
        run("ip", "link", "add", f"u{self.name}", "type", "veth", "peer", "name", "eth0", "netns",
            self.name, accept=[0])
        run("ip", "link", "set", f"u{self.name}", "master", "br0", "up", accept=[0])
        os.makedirs(self.cgroup, exist_ok=True)
        with open(f"{self.place}/console", "ab") as console:
            self.process = subprocess.Popen(
                ["sh", "-c", f"echo $$ >{self.cgroup}/cgroup.procs && exec nsenter "
                 f"--net={netns.path} unshare --pid --fork --kill-child --mount --uts --ipc "
                 "--cgroup "
                 'sh -c "$1" sh "$2" "$3" "$4" "$5"', "sh", BEGIN, self.root, self.name,
                 " ".join(DEVICES), PATH],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        self.first = wait_for(self.child, f"{self.name} has a first process", BOOT_SECONDS)
        wait_for(self.started, f"{self.name} has started", BOOT_SECONDS)

    def child(self):
        """The first process, as this namespace numbers it."""
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended: {self.said()}")
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as file:
            return int((file.read().split() or [0])[0])

    def started(self):
        return os.readlink(f"/proc/{self.first}/exe").endswith("systemd") and \
            self.shell("systemctl is-system-running").stdout.strip() in ("running", "degraded")

    def said(self):
        with open(f"{self.place}/console", encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-20:])

    def ended(self):
        """Wait until the machine is off, after somebody told it to; its network goes with it. Of a
        machine that is off no kernel is left that has data to send, here one is: to whoever was cut
        off before, for minutes. It keeps its namespace, and the cable is pulled out of it."""
        try:
            self.process.wait(BOOT_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} does not end: {self.said()}") from None
        Netns(self.name, make=False).delete()
        run("ip", "link", "delete", f"u{self.name}")
        wait_for(lambda: run("ip", "link", "show", f"u{self.name}").returncode != 0,
                 "the cable is gone", 30)
        sweep()

    def cut(self):
        """The power fails."""
        os.kill(self.first, signal.SIGKILL)
        self.ended()

    # ---- what a person does there ----

    def command(self, script):
        """The words that run a script there."""
        return ["nsenter", "-t", str(self.first), "-m", "-u", "-i", "-n", "-p", "-C", "env", "-i",
                f"PATH={PATH}", "HOME=/root", "sh", "-c", script]

    def shell(self, script, data=None, accept=None, seconds=120):
        """Run a script on the machine, as root does who logged in."""
        return run(*self.command(script), data=data, accept=accept, timeout=seconds)

    def start_script(self, script):
        """A script that goes on; what it prints is in its stdout. The caller ends it."""
        return subprocess.Popen(self.command(script), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def journal(self, *words):
        """Lines of the journal of this start."""
        return self.shell("journalctl -b -q --no-pager " + " ".join(words), accept=(0, 1)).stdout
