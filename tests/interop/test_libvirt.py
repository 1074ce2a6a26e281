#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's libvirt starts the machine of examples/virtual-machine/domain.xml on a tap of Weft's.

    lan/client .10 (namespace) --- weft --- tapvm === QEMU <- libvirtd in the host h1 of the lab

libvirtd has folders and an account of its own, which only the mount namespace of this test knows.
Without KVM and vhost-net, which the XML asks for, the machine gets an emulated processor and QEMU's
own virtio.
"""
import os
import re
import shutil
import subprocess

import underlay  # noqa: F401  pylint: disable=unused-import
from console import Console, greeted
from harness import ROOT, RUN, Failure, Skip, check, equal, main, run, statement, wait_for
from labs import lab

XML = os.path.join(ROOT, "examples/virtual-machine/domain.xml")
SECONDS = 150  # before its first answer libvirtd asks QEMU what it can do, on a loaded machine
PROGRAM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
FOLDERS = ("/etc/libvirt", "/run/libvirt", "/var/cache/libvirt", "/var/lib/libvirt",
           "/var/log/libvirt")
ACCOUNTS = (("passwd", "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/bin/false"),
            ("group", "libvirt-qemu:x:64055:"))  # Debian's, made by a package that is not needed
QEMU_CONF = """
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
hugetlbfs_mount = []
stdio_handler = "file"
"""
LIBVIRTD_CONF = """
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
audit_level = 0
"""
# QEMU is no child of libvirtd's, and libvirtd waits until it is gone altogether: somebody must be
# its parent, and ask how it ended.
PARENT = """
import ctypes, os, signal, sys
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
child = os.fork()
if not child:
    os.execv(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
while True:
    ended, status = os.wait()
    if ended == child:
        sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""


def program(name, package):
    """Its path; skips where it is missing."""
    found = shutil.which(name, path=PROGRAM_PATH)
    if not found:
        raise Skip(f"{name} is not installed (Debian: {package})")
    return found


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


@statement("the XML of the example is what libvirt's schema allows, and has the port's MAC")
def schema(_weft):
    program("xmllint", "libxml2-utils")
    said = run(program("virt-xml-validate", "libvirt-clients"), XML, "domain")
    equal(said.returncode, 0, f"virt-xml-validate: {said.stdout}{said.stderr}")
    mac = re.search(r'mac: "([0-9a-f:]+)"',
                    text_of(os.path.join(ROOT, "examples/virtual-machine.yaml"))).group(1)
    check(f"<mac address='{mac}'/>" in text_of(XML), f"the XML does not have {mac}")


def own_folders():
    """What libvirtd reads and writes."""
    for folder in FOLDERS:
        os.makedirs(folder, exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", folder, accept=[0])
    write("/etc/libvirt/qemu.conf", QEMU_CONF)
    write("/etc/libvirt/libvirtd.conf", LIBVIRTD_CONF)
    for name, line in ACCOUNTS:
        text = text_of(f"/etc/{name}")
        if "libvirt-qemu:" not in text:
            write(f"{RUN}/{name}", f"{text.rstrip()}\n{line}\n")
            run("mount", "--bind", f"{RUN}/{name}", f"/etc/{name}", accept=[0])


def domain():
    """The XML, with where this copy of Weft is, and what every machine has."""
    changed = text_of(XML)
    for old, new in (("/usr/src/weft", str(ROOT)), ("type='kvm'", "type='qemu'"),
                     ("driver name='vhost'", "driver name='qemu'")):
        check(old in changed, f"the XML does not say {old}")
        changed = changed.replace(old, new)
    write(f"{RUN}/domain.xml", changed)
    return f"{RUN}/domain.xml"


class Libvirt:
    """libvirtd, in the host h1 of the lab."""

    def __init__(self, cloud, daemon):
        self.cloud = cloud
        with open(f"{RUN}/libvirtd.log", "wb") as log:
            self.process = cloud.start("h1", "python3", "-c", PARENT, daemon, "--config",
                                       "/etc/libvirt/libvirtd.conf", "--pid-file",
                                       f"{RUN}/libvirtd.pid", stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self):
        wait_for(self.answers, "libvirtd answers", SECONDS)
        return self

    def answers(self):
        check(self.process.poll() is None, "libvirtd is gone")
        return self.virsh("version").returncode == 0

    def __exit__(self, *_):
        self.virsh("destroy", "vm")
        self.process.terminate()
        self.process.wait(SECONDS)

    def virsh(self, *words, accept=None):
        return self.cloud.run("h1", "timeout", SECONDS, "virsh", "-q", "-c", "qemu:///system",
                              *words, accept=accept)

    def state(self):
        return self.virsh("domstate", "vm").stdout.strip()


class Terminal(Console):
    """The console that libvirt gives the machine."""

    def __init__(self, path):
        self.terminal = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        super().__init__(self.terminal, self.terminal)


def boots(cloud, libvirt):
    """It waits until its console is listened to."""
    libvirt.virsh("start", "--paused", "vm", accept=[0])
    console = Terminal(libvirt.virsh("ttyconsole", "vm", accept=[0]).stdout.strip())
    libvirt.virsh("resume", "vm", accept=[0])
    greeted(cloud, console)
    interface = libvirt.virsh("domiflist", "vm", accept=[0]).stdout.split()
    equal((interface[0], interface[1], interface[-1]), ("tapvm", "ethernet", "02:00:00:00:00:20"),
          "what libvirt says of the interface")


def described(function):
    """When it fails, what libvirtd said is told."""
    def wrapped(weft):
        try:
            function(weft)
        except Failure as failure:
            path = f"{RUN}/libvirtd.log"
            said = text_of(path)[-3000:] if os.path.exists(path) else ""
            raise Failure(f"{failure}\nlibvirtd: {said}") from failure
    return wrapped


@statement("libvirt boots it: address by DHCP, both ways to a namespace; the tap stays Weft's")
@described
def machine(_weft):
    daemon = program("libvirtd", "libvirt-daemon")
    program("virsh", "libvirt-clients")
    made = run(os.path.join(ROOT, "examples/virtual-machine/boot"), "files")
    if made.returncode == 77:
        raise Skip(made.stderr.strip().splitlines()[-1])
    equal(made.returncode, 0, f"the machine's files: {made.stdout}{made.stderr}")
    own_folders()
    with lab("virtual-machine") as cloud:
        with Libvirt(cloud, daemon) as libvirt:
            libvirt.virsh("define", domain(), accept=[0])
            boots(cloud, libvirt)
            libvirt.virsh("destroy", "vm", accept=[0])
            equal(libvirt.state(), "shut off", "the state after virsh destroy")
        cloud.run("h1", "ip", "link", "show", "tapvm", accept=[0])
        with Libvirt(cloud, daemon) as libvirt:  # another one, and the same tap
            boots(cloud, libvirt)


if __name__ == "__main__":
    main(start=False)
