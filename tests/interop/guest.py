# SPDX-License-Identifier: BSD-2-Clause
"""Debian's Linux 6.1 under QEMU as the foreign host: every tunnel the kernel has.

One guest serves the whole suite: tests/interop/run boots it and puts

      net       the namespace of QEMU, with the taps of the guest's cards on the bridge `cable`
      commands  the socket of the guest's second serial port
      lock      held by the test that uses the guest

in the folder that WEFT_GUEST names (or the reason why there is none, in `reason`). A test that is
run by itself boots its own. guest.sh says how commands travel.
"""
import base64
import contextlib
import fcntl
import os
import secrets
import select
import socket
import subprocess
import tempfile
import time

from underlay import GUEST, TWIN, Underlay, address, no_offloads
from harness import BUILD, ROOT, Failure, Netns, Skip, check, run

FOLDER = "WEFT_GUEST"
SPARE_SECONDS = 30  # after which the guest is not just slow but gone
BOOT_SECONDS = 120  # a loaded machine; it takes six when there is nothing else to do
CARDS = {"peer": GUEST, "twin": TWIN}  # a namespace of the guest for each of its two cards
NO_OFFLOADS = ",".join(["csum=off", "guest_csum=off", "gso=off", "mrg_rxbuf=off",
                        *(f"{side}_{offload}=off" for side in ("guest", "host")
                          for offload in ("tso4", "tso6", "ecn", "ufo"))])


def card(number):
    """What QEMU is told of a card on the tap of this number."""
    return ["-netdev", f"tap,id=cable{number},ifname=tap{number},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=cable{number},romfile=,{NO_OFFLOADS},"
                       f"mac=02:09:00:00:00:{number:02x}"]


def prepare():
    """Its kernel and files, made once, and the kernel lent to the virtual machine of the examples,
    which could not download it inside a test. What became of it."""
    made = run(ROOT / "tests/interop/guest.sh", BUILD / "kernel61", timeout=240)
    machine = BUILD / "virtual-machine"
    machine.mkdir(parents=True, exist_ok=True)
    for name in ("vmlinuz", "modules"):
        if (BUILD / "kernel61" / name).exists() and not (machine / name).exists():
            (machine / name).symlink_to(BUILD / "kernel61" / name)
    return made


def machine(folder, *cards):
    """How QEMU is called for a guest that takes commands at `commands` in the folder."""
    place = BUILD / "kernel61"
    return ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "512",
            "-smp", "1", "-display", "none", "-no-reboot", "-nodefaults", "-serial", "stdio",
            "-serial", f"unix:{folder}/commands,server=on,wait=off",
            *(word for words in cards for word in words),
            "-kernel", f"{place}/vmlinuz", "-initrd", f"{place}/peer-initramfs",
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable "
                       "no_timer_check"]


def require():
    """The guest's kernel and files; skips where there can be none."""
    made = prepare()
    if made.returncode == 77:
        raise Skip(made.stdout.strip().splitlines()[-1])
    check(made.returncode == 0, f"guest.sh: {made.stdout}{made.stderr}")


def boot(folder):
    """Start the guest; the folder then holds what is said above. It ends with the caller's
    namespaces."""
    require()
    home = Netns("guest")
    home.run("ip", "link", "add", "cable", "type", "bridge", "mcast_snooping", "0", accept=[0])
    home.run("ip", "link", "set", "cable", "up", accept=[0])
    for number in CARDS.values():
        home.run("ip", "tuntap", "add", f"tap{number}", "mode", "tap", accept=[0])
        home.run("ip", "link", "set", f"tap{number}", "master", "cable", "up", accept=[0])
        no_offloads(f"tap{number}", home.path)
    open(f"{folder}/net", "w", encoding="ascii").close()
    run("mount", "--bind", home.path, f"{folder}/net", accept=[0])
    open(f"{folder}/lock", "w", encoding="ascii").close()
    with open(f"{folder}/console", "wb") as console:
        home.start(*machine(folder, *(card(number) for number in CARDS.values())),
                   stdin=subprocess.DEVNULL, stdout=console, stderr=console)


def boot_for_all():
    """For the runner: boot, and say in the environment where the guest is."""
    (BUILD / "interop").mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="guest.", dir=BUILD / "interop")
    os.environ[FOLDER] = folder
    try:
        boot(folder)
    except Skip as reason:
        with open(f"{folder}/reason", "w", encoding="utf-8") as file:
            file.write(str(reason))


class Guest:
    """The guest, plugged into the underlay of this test and fresh: no tunnel, no address but its
    own. The test has it until it ends."""

    def __init__(self, underlay: Underlay):
        self.number, self.rest = 0, b""
        if FOLDER not in os.environ:
            boot_for_all()
        folder = os.environ[FOLDER]
        with contextlib.suppress(FileNotFoundError):
            with open(f"{folder}/reason", encoding="utf-8") as file:
                raise Skip(file.read())
        self.lock = open(f"{folder}/lock", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        cable = "up" + secrets.token_hex(4)  # that of the test before may linger
        self.netns = Netns("guest", make=False)  # tap2 and tap5 are there, for a Capture
        self.netns.path = f"{folder}/net"
        underlay.plug("guest", f"{folder}/net", cable)
        run("nsenter", f"--net={folder}/net", "ip", "link", "set", cable, "master", "cable",
            accept=[0])
        self.port = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.console = f"{folder}/console"
        self.connect(f"{folder}/commands")
        self.fresh()

    def connect(self, path):
        """The guest answers when its modules are loaded; a first command finds that moment."""
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                self.port.connect(path)
                break
            check(time.monotonic() < deadline, "QEMU did not start: " + self.said())
            select.select([], [], [], 0.05)
        self.number = int(time.monotonic() * 1000)  # unlike the numbers of another test
        while True:
            with contextlib.suppress(TimeoutError):
                self.ask("true", 2, "-", 0)
                return
            check(time.monotonic() < deadline, "the guest does not answer: " + self.said())

    def said(self):
        with open(self.console, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-20:])

    def fresh(self):
        """New namespaces with a card each; the old ones take their tunnels and ports with them. The
        namespaces of the test before go, and first its devices, for one on top of a card (ipvlan,
        macvlan, VLAN) stays there when the card moves. The kernel's own (tunl0) cannot be
        deleted."""
        self.run(f"""
            for namespace in $(ip netns list | cut -d " " -f 1); do
                ip -n $namespace -br link | while read -r device rest; do
                    case $namespace/$device in
                    {"|".join(f"{namespace}/eth0" for namespace in CARDS)}) ;;
                    *) ip -n $namespace link delete ${{device%@*}} 2>/dev/null ;;
                    esac
                done
                case $namespace in
                {"|".join(CARDS)}) ;;
                *) ip netns delete $namespace ;;
                esac
            done
            true""", (0,), 60, "-")
        for index, (namespace, number) in enumerate(CARDS.items()):
            self.run(f"""
                if [ -e /run/netns/{namespace} ]; then
                    ip -n {namespace} link set eth0 netns 1 name eth{index}
                    ip netns delete {namespace}
                fi
                ip netns add {namespace}
                ip link set eth{index} netns {namespace} name eth0""", (0,), 30, "-")
            self.run(f"""
                ip link set lo up
                sysctl -qw net.ipv6.conf.eth0.accept_dad=0
                ip address add {address(number)}/24 dev eth0
                ip address add {address(number, 6)}/64 dev eth0 nodad
                ip link set eth0 up""", (0,), 30, namespace)

    def run(self, script, accept=None, seconds=60, namespace="peer"):
        """Run a script in the guest; what it printed and its status, like harness.run(). What it
        leaves running must not hold its output; a script that takes longer is ended."""
        words = self.ask(script, seconds, namespace, SPARE_SECONDS)
        output = base64.b64decode(words[3]).decode("utf-8", "replace")
        done = subprocess.CompletedProcess(script, int(words[2]), output, "")
        if accept is not None and done.returncode not in accept:
            raise Failure(f"in the guest: {script}: status {done.returncode}\n{output}")
        return done

    def ask(self, script, seconds, namespace, spare):
        """Send a script; the words of the answer to it."""
        self.number += 1
        self.port.sendall(f"{self.number} {seconds} {namespace} ".encode() +
                          base64.b64encode(script.encode()) + b"\n")
        deadline = time.monotonic() + seconds + spare
        while True:
            words = self.line(deadline).split(" ")  # until the guest is ready, also its echo
            if words[:2] == ["=", str(self.number)]:
                return words

    def line(self, deadline):
        while b"\n" not in self.rest:
            if not select.select([self.port], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise TimeoutError(f"the guest's answer to command {self.number}")
            more = self.port.recv(65536)
            check(more, "the guest is gone: " + self.said())
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode("ascii", "replace").rstrip("\r")

    def tunnel(self, name, kind, options, own, mtu=None):
        """A tunnel device, its options as ip-link(8) says, with these addresses (and their prefix
        lengths); the guest itself is the end behind it."""
        addresses = "".join(f"ip address add {one} dev {name} {'nodad' if ':' in one else ''}\n"
                            for one in ([own] if isinstance(own, str) else own))
        self.run(f"set -e; ip link add {name} type {kind} {options}\n{addresses}"
                 f"ip link set {name} {f'mtu {mtu}' if mtu else ''} up", accept=(0,))

    shell = run  # as Host has it, so that either can be an end of ends.py


class Twin:
    """A second host in the guest, with a card, an address and tunnels of its own."""

    def __init__(self, guest):
        self.guest = guest

    def run(self, script, accept=None, seconds=60):
        return self.guest.run(script, accept, seconds, "twin")

    shell, tunnel = run, Guest.tunnel
