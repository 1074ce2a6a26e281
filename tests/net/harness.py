# SPDX-License-Identifier: BSD-2-Clause
"""What the system tests are made of: a machine of their own, a weftd, namespaces, wires.

A test file declares its statements and ends with main():

    @statement("V1 ARP for a neighbour is answered with its MAC")
    def neighbour(weft): ...

    main(setup)

`test_guide.py 2/3` runs every third statement, beginning with the second: a file whose statements
need nothing of one another is several programs for tests/run.

main() starts the file again inside network, mount and process namespaces of its own, with its
own /run/netns and BPF file system, so that tests run beside one another and touch nothing of the
machine; when it ends the kernel takes everything away. Statements run in order and each prints
one TAP line.

Nothing sleeps: wait_for() looks until a condition holds or its time is up. That a packet does NOT
arrive is shown by Weft's counter of the reason it was dropped for (weft.dropped), or by a later
packet on the same way that did arrive.
"""
import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from pathlib import Path

from packets import Packet

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WEFT_BUILD", ROOT / "build"))  # what is tested
WEFT = str(BUILD / "weft")
WEFTD = str(BUILD / "weftd")
RUN = "/run/weft"
SOCKET = f"{RUN}/test.sock"
INSIDE = "WEFT_TEST_INSIDE"
SO_RCVBUFFORCE = 33
SECONDS = 30  # how long a condition may take to become true, on a machine in use
END = 60  # and how long a process may take to begin or to end

_libc = ctypes.CDLL(None, use_errno=True)
_statements = []


class Failure(Exception):
    """A statement does not hold."""


class Skip(Exception):
    """A statement cannot be tried on this machine."""


def statement(title):
    """Declare a function as the test of a statement."""
    def register(function):
        _statements.append((title, function))
        return function
    return register


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(found, wanted, what):
    if found != wanted:
        raise Failure(f"{what}: found {found!r}, wanted {wanted!r}")


def wait_for(condition, what, seconds=SECONDS):
    """Look until the condition gives something true; that is returned."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {what}")
        select.select([], [], [], 0.01)


def run(*command, data=None, timeout=180, accept=None, environment=None):
    """Run a command; its output as text. accept: exit statuses that are no failure (None: all)."""
    done = subprocess.run([str(word) for word in command], input=data, capture_output=True,
                          text=True, timeout=timeout, env=environment, check=False)
    if accept is not None and done.returncode not in accept:
        raise Failure(f"{' '.join(map(str, command))}: status {done.returncode}\n"
                      f"{done.stdout}{done.stderr}")
    return done


class Netns:
    """A network namespace with a name, as a workload has one."""

    def __init__(self, name, ifname="eth0", make=True):
        self.name, self.ifname = name, ifname
        self.path = f"/run/netns/{name}"
        if make:
            run("ip", "netns", "add", name, accept=[0])
            run("ip", "-n", name, "link", "set", "lo", "up", accept=[0])

    def delete(self):
        run("ip", "netns", "delete", self.name, accept=[0])

    def run(self, *command, **options):
        return run("nsenter", f"--net={self.path}", *command, **options)

    def start(self, *command, **options):
        """A process inside; the caller ends it."""
        return subprocess.Popen(["nsenter", f"--net={self.path}", *map(str, command)], **options)

    @contextlib.contextmanager
    def inside(self):
        """Sockets made in this block belong to the namespace, for as long as they live."""
        with open("/proc/self/ns/net", "rb") as home, open(self.path, "rb") as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, bind=None, timeout=SECONDS):
        with self.inside():
            made = socket.socket(family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(timeout)
        if bind:
            made.bind(bind)
        return made

    def ping(self, address, count=1, *more):
        """Whether it answers within two seconds: for what is tried again, or is to fail."""
        return self.run("ping", "-n", "-c", count, "-i", "0.05", "-W", "2", *more,
                        address).returncode == 0

    def reaches(self, address, count=1, *more):
        """Whether the address answers; the packet is sent once, and may take its time."""
        return self.ping(address, count, *more, "-W", SECONDS)

    def silent_ping(self, address):
        """Send one echo request and wait for nothing: for what is to be dropped."""
        self.run("ping", "-n", "-c", "1", "-W", "0.05", address)

    def mac(self):
        link = json.loads(self.run("ip", "-j", "link", "show", self.ifname, accept=[0]).stdout)
        return link[0]["address"]

    def wire(self):
        return Wire(self)


def _setns(descriptor):
    if _libc.setns(descriptor, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


class Wire:
    """The end of a workload's cable: whole frames out and in."""

    def __init__(self, netns):
        with netns.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.bind((netns.ifname, 3))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)  # floods may wait in it
        self.mac = mac_of(self.socket)

    def close(self):
        self.socket.close()

    def send(self, frame):
        self.socket.send(frame)

    def drain(self):
        """Forget what has arrived so far."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recv(65536)

    def receive(self, wanted=lambda packet: True, seconds=SECONDS):
        """The next frame that is wanted, or None."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(deadline - time.monotonic(), 0)
            if not select.select([self.socket], [], [], left)[0]:
                return None
            frame, origin = self.socket.recvfrom(65536)
            if origin[2] == socket.PACKET_OUTGOING:
                continue
            packet = Packet(frame)
            if wanted(packet):
                return packet

    def expect(self, wanted, what):
        packet = self.receive(wanted)
        check(packet, f"did not arrive: {what}")
        return packet

    def arrived(self, wanted):
        """All that is wanted of what has arrived so far; waits for nothing."""
        found = []
        while True:
            packet = self.receive(seconds=0)
            if packet is None:
                return found
            if wanted(packet):
                found.append(packet)


@contextlib.contextmanager
def in_order():
    """Frames that this thread sends in the block are not reordered: each processor has a queue of
    its own, and the first of two may be busy with something else."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def mac_of(packet_socket):
    return ":".join(f"{byte:02x}" for byte in packet_socket.getsockname()[4])


class Tap:
    """The end of a tap or tun device that a virtual machine or a program holds."""

    def __init__(self, name, tun=False, multi_queue=True, vnet_header=True):
        flags = (1 if tun else 2) | 0x1000  # IFF_TUN, IFF_TAP; IFF_NO_PI
        flags |= (0x100 if multi_queue else 0) | (0x4000 if vnet_header else 0)
        self.header = 10 if vnet_header else 0
        self.file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.file, 0x400454CA, struct.pack("16sH22x", name.encode(), flags))

    def send(self, frame):
        os.write(self.file, bytes(self.header) + frame)

    def read(self, seconds=2):
        if not select.select([self.file], [], [], seconds)[0]:
            return None
        return os.read(self.file, 70000)[self.header:]

    def receive(self, wanted=lambda packet: True, seconds=SECONDS):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            frame = self.read(deadline - time.monotonic())
            if frame is None:
                return None
            packet = Packet(frame)
            if wanted(packet):
                return packet
        return None

    def close(self):
        os.close(self.file)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the daemon's socket."""

    def __init__(self, path, timeout=30):
        super().__init__("weft", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Weft:
    """One weftd with its state, and the commands a user has."""

    def __init__(self, state=f"{RUN}/state", name="test"):
        self.state, self.name, self.process = state, name, None
        self.log_path = f"{RUN}/{name}.log"
        os.environ["WEFT_SOCKET"] = SOCKET

    # ---- the daemon ----

    def start(self, *options, wait=True):
        os.makedirs(self.state, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [WEFTD, "--name", self.name, "--state", self.state, "--socket", SOCKET, *options],
                stdout=log, stderr=log)
        if wait:
            wait_for(self.answers, f"weftd answers at {SOCKET}", END)

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(f"weftd ended with status {self.process.returncode}\n{self.log()}")
        try:
            return self.http("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def end(self, how=signal.SIGTERM):
        """Send the signal, wait for the end; the exit status."""
        self.process.send_signal(how)
        return self.process.wait(END)

    def restart(self, how=signal.SIGTERM):
        self.end(how)
        self.start()

    def log(self, lines=40):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    # ---- the command ----

    def weft(self, *words, data=None, accept=(0,), timeout=120):
        return run(WEFT, *words, data=data, accept=accept, timeout=timeout)

    def json(self, *words, accept=(0,)):
        return json.loads(self.weft("--json", *words, accept=accept).stdout)

    def apply(self, text, *options, accept=(0,)):
        return self.weft("apply", *options, "-", data=text, accept=accept)

    def refused(self, text, *words):
        """apply must refuse; the sentence must hold these words, and nothing may change."""
        before = self.weft("export").stdout
        done = self.apply(text, accept=None)
        equal(done.returncode, 1, f"exit status of apply ({done.stdout}{done.stderr})")
        lines = done.stderr.strip().splitlines()
        equal(len(lines), 1, f"lines on stderr ({done.stderr!r})")
        for word in words:
            check(word.lower() in lines[0].lower(), f"no \"{word}\" in: {lines[0]}")
        equal(self.weft("export").stdout, before, "the intent after a refusal")
        return lines[0]

    # ---- the interface ----

    def http(self, method, path, body=None, headers=None, raw=False):
        """Status, headers and body (JSON where it is) of one request."""
        connection = UnixConnection(SOCKET)
        try:
            if body is not None and not isinstance(body, (str, bytes)):
                body = json.dumps(body)
            connection.request(method, path, body,
                               dict({"Content-Type": "application/json"} if body else {},
                                    **(headers or {})))
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.headers.get("Content-Type", "")
            if not raw and "json" in kind and text:
                text = json.loads(text)
            return answer.status, answer.headers, text
        finally:
            connection.close()

    def get(self, path):
        status, _, body = self.http("GET", path)
        equal(status, 200, f"status of GET {path} ({body})")
        return body

    def port(self, name):
        vpc, port = name.split("/")
        return self.get(f"/v1/vpcs/{vpc}/ports/{port}")

    def state_of(self, name):
        return self.port(name).get("status", {}).get("state")

    def plugged(self, *ports):
        for port in ports:
            wait_for(lambda name=port: self.state_of(name) == "plugged", f"{port} is plugged")

    def counter(self, reason):
        verdicts = self.get(f"/v1/counters?name={reason}")["verdicts"]
        return verdicts.get(reason, {}).get("packets", 0)

    @contextlib.contextmanager
    def dropped(self, reason, count=1):
        """In this block at least so many packets are dropped for this reason."""
        before = self.counter(reason)
        yield
        try:
            wait_for(lambda: self.counter(reason) >= before + count, f"drop for {reason}")
        except Failure as failure:
            raise Failure(f"{failure}\nlast drops: {self.last_drops()}") from None

    def last_drops(self, count=3):
        with contextlib.suppress(Exception):
            return [f"{drop['reason']} {drop.get('source')} -> {drop.get('destination')}"
                    f" {drop.get('protocol')} at {drop.get('port')}"
                    for drop in self.get("/v1/drops")["drops"][-count:]]
        return []

    def trace(self, *words):
        """The trace as JSON; checks that the exit status agrees with the verdict."""
        done = self.weft("--json", "trace", *words, accept=(0, 4))
        answer = json.loads(done.stdout)
        equal(done.returncode, 0 if answer["verdict"] == "delivered" else 4, "exit status of trace")
        return answer


class Lines:
    """What a running process prints, line by line, without ever waiting for longer than asked."""

    def __init__(self, stream):
        self.descriptor, self.rest = stream.fileno(), b""

    def find(self, text, seconds=SECONDS):
        """The next line that holds the text; None when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            while b"\n" in self.rest:
                line, self.rest = self.rest.split(b"\n", 1)
                if text in line.decode("utf-8", "replace"):
                    return line.decode("utf-8", "replace")
            left = max(deadline - time.monotonic(), 0)
            if not select.select([self.descriptor], [], [], left)[0]:
                return None
            more = os.read(self.descriptor, 65536)
            if not more:
                return None
            self.rest += more


# ---- connections ---------------------------------------------------------------------------------


def listen(netns, port, family=socket.AF_INET):
    server = netns.socket(family, bind=("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    server.listen(512)
    return server


def connect(netns, address, port, timeout=SECONDS, bind=None):
    """A connected socket, or None when it is refused or times out."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    client = netns.socket(family, timeout=timeout, bind=bind)
    try:
        client.connect((address, port))
        return client
    except OSError:
        client.close()
        return None


def pair(client_netns, server_netns, address, port, timeout=SECONDS):
    """Both ends of a TCP connection that was made through the network."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.closing(listen(server_netns, port, family)) as server:
        client = connect(client_netns, address, port, timeout)
        check(client, f"no TCP connection to {address} port {port}")
        end, _ = server.accept()
        end.settimeout(timeout)
        return client, end


def talks(one, other):
    """Whether bytes go through a connection both ways."""
    try:
        for sender, receiver in ((one, other), (other, one)):
            sender.sendall(b"weft")
            if receiver.recv(16) != b"weft":
                return False
        return True
    except OSError:
        return False


def tcp_works(client_netns, server_netns, address, port):
    one, other = pair(client_netns, server_netns, address, port)
    with one, other:
        return talks(one, other)


def knock(netns, address, port):
    """One SYN, without waiting for what comes back: for what is to be dropped."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    client = netns.socket(family)
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect((address, port))
    return client


# ---- running -------------------------------------------------------------------------------------


def private_machine():
    """What the mount namespace needs to be a machine of its own."""
    def mount(*words):
        run("mount", *words, accept=[0])
    mount("--make-rprivate", "/")
    os.makedirs("/run/netns", exist_ok=True)
    mount("-t", "tmpfs", "tmpfs", "/run/netns")
    mount("--make-shared", "/run/netns")
    os.makedirs(RUN, exist_ok=True)
    mount("-t", "tmpfs", "tmpfs", RUN)
    mount("-t", "sysfs", "sysfs", "/sys")
    mount("-t", "bpf", "bpf", "/sys/fs/bpf")
    run("ip", "link", "set", "lo", "up", accept=[0])


def enter(path):
    """Start the test again in its own namespaces; gives back its exit status."""
    if os.geteuid() != 0:
        print(f"ok 1 - {Path(path).stem} # SKIP needs root for network namespaces")
        return 0
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
               sys.executable, path, *sys.argv[1:]]
    return subprocess.run(command, env=dict(os.environ, **{INSIDE: "1"}), check=False).returncode


def explain(weft, failure):
    """What helps to find the fault, as TAP comments."""
    text = str(failure) if isinstance(failure, Failure) else traceback.format_exc()
    for line in text.splitlines():
        print(f"# {line}")
    if weft.process and os.path.exists(weft.log_path):
        for line in weft.log(15).splitlines():
            print(f"# weftd: {line}")


class Workloads:
    """An intent of VPC blue and the namespaces of its ports, each an attribute."""

    def __init__(self, weft, intent, *names):
        for name in names:
            setattr(self, name, Netns(name))
        weft.apply(intent)
        weft.plugged(*(f"blue/{name}" for name in names))


def part_of(statements, part="1/1"):
    """Those that "2/3" stands for."""
    first, step = map(int, part.split("/"))
    return statements[first - 1::step]


def main(setup=None, start=True, ends_well=True):
    """Run the statements of the calling file. setup(weft) comes first; its value goes to each
    statement as second argument where there is one."""
    path = os.path.abspath(sys.modules["__main__"].__file__)
    if INSIDE not in os.environ:
        sys.exit(enter(path))
    # A shell's job in the background ignores it, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    private_machine()
    sys.stdout.reconfigure(line_buffering=True)
    numbered = part_of(list(enumerate(_statements, 1)), *sys.argv[1:])
    print(f"1..{len(numbered)}")
    weft, made, broken, failed = Weft(), None, None, 0
    try:
        if start:
            weft.start()
        made = setup(weft) if setup else None
    except Skip as reason:  # the machine cannot have what all statements need
        broken = reason
    except Exception as error:  # pylint: disable=broad-except
        explain(weft, error)
        broken = error
    for number, (title, function) in numbered:
        try:
            if isinstance(broken, Skip):
                raise broken
            if broken:
                raise Failure("the set-up failed")
            function(weft) if setup is None or made is None else function(weft, made)
            print(f"ok {number} - {title}")
        except Skip as reason:
            print(f"ok {number} - {title} # SKIP {reason}")
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {title}")
            explain(weft, error)
    if weft.process and weft.process.poll() is None and ends_well and not broken:
        status = weft.end()
        if status != 0:
            failed += 1
            print(f"not ok {len(_statements) + 1} - weftd ends well (status {status})")
            explain(weft, Failure("the end of its log:"))
    sys.stdout.flush()
    os._exit(1 if failed else 0)  # threads and children end with the namespace
