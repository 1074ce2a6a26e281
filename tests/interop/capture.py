# SPDX-License-Identifier: BSD-2-Clause
"""What was on the wire, written by a packet socket and judged by tshark.

    with Capture(underlay, "guest") as capture:
        ... traffic ...
    capture.clean()
    capture.fields("geneve", "geneve.vni")

tshark is told to verify every checksum, of the outer and the inner headers. clean() requires that
it finds nothing of severity warning or error, and no malformed packet; exempted is HARMLESS, and
what a call names in `expected`. FOU and GUE, which Wireshark does not know, are
taught to it by gue.lua.
"""
import collections
import contextlib
import os
import select
import shutil
import socket
import struct
import tempfile
import threading
import time

from ends import PORTS
from harness import BUILD, ROOT, Failure, Skip, check, run

PREFERENCES = [word for setting in (
    "ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE",
    "tcp.analyze_sequence_numbers:FALSE",  # a network may lose and reorder
    "tcp.desegment_tcp_streams:FALSE") for word in ("-o", setting)]
BULK = ["-d", f"tcp.port=={PORTS[0]}-{PORTS[-1]},data"]  # random bytes look like anything
WARNING = 0x00600000  # of Wireshark's severities; an error is more
HARMLESS = (  # of the workloads' TCP, which may meet loss and reordering
    "0xffff instead of 0x0000",  # the same number to a checksum
    "D-SACK Sequence")
SOL_PACKET, PACKET_STATISTICS, RECEIVE_BUFFER_FORCE = 263, 6, 33
QUIET = 0.05  # seconds without a packet that end a capture


class Pcap:
    """A file of frames, and what tshark says of it; add() puts one in."""

    def __init__(self, name, decode_as=()):
        if not shutil.which("tshark"):
            raise Skip("tshark is not installed (Debian: tshark)")
        folder = BUILD / "interop"
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, self.path = tempfile.mkstemp(".pcap", f"{name}.", folder)
        os.fchmod(descriptor, 0o644)
        self.file = os.fdopen(descriptor, "wb")
        self.decode_as = [word for rule in decode_as for word in ("-d", rule)]
        self.count = 0
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))

    @classmethod
    def of(cls, path, decode_as=()):
        """A file that somebody else wrote."""
        made = cls.__new__(cls)
        made.path, made.file, made.count = path, None, 1
        made.decode_as = [word for rule in decode_as for word in ("-d", rule)]
        return made

    def add(self, frame):
        now = time.time()
        self.file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(frame),
                                    len(frame)) + frame)
        self.file.flush()
        self.count += 1

    # ---- what tshark says of it ----

    def tshark(self, *words):
        done = run("tshark", "-n", "-r", self.path, *PREFERENCES, *BULK, "-X",
                   f"lua_script:{ROOT}/tests/interop/gue.lua", *self.decode_as, *words,
                   timeout=240, environment=dict(os.environ, HOME="/nonexistent"))
        # run as root, tshark says that this is dangerous; any other word is a fault
        said = [line for line in done.stderr.splitlines()
                if line.strip() and not line.startswith("Running as user")]
        check(done.returncode == 0 and not said, f"tshark: {done.returncode} {said}")
        return [line for line in done.stdout.splitlines() if line]

    def fields(self, wanted, *names, joined=","):
        """The values of these fields in the packets that match the display filter: a list of
        tuples; where a field occurs several times, its values joined, outermost first."""
        lines = self.tshark("-Y", wanted, "-T", "fields", "-E", f"aggregator={joined}",
                            *(word for name in names for word in ("-e", name)))
        return [tuple((line.split("\t") + [""] * len(names))[:len(names)]) for line in lines]

    def packets(self, wanted):
        """How many packets match the display filter."""
        return len(self.fields(wanted, "frame.number"))

    def sees(self, wanted):
        """The same of a file that is being written: 0 while the last packet is half there."""
        with contextlib.suppress(Failure):
            return self.packets(wanted)
        return 0

    def clean(self, expected=(), only=""):
        """Nothing that tshark finds wrong. expected: words of expert messages that belong to what
        was done (a connection refused on purpose is a RST, which is a warning); only: a display
        filter of the packets that are judged."""
        check(self.count, "nothing was captured")
        found = collections.Counter()
        wrong = f"(_ws.malformed || _ws.expert.severity >= {WARNING})"
        for _number, malformed, severities, messages in self.fields(
                f"{wrong} && {only}" if only else wrong, "frame.number",
                "_ws.malformed", "_ws.expert.severity", "_ws.expert.message", joined="|"):
            for severity, message in zip(severities.split("|"), messages.split("|")):
                if int(severity or 0) >= WARNING and \
                        not any(words in message for words in (*HARMLESS, *expected)):
                    found[message] += 1
            if malformed:
                found[f"malformed {malformed}"] += 1
        check(not found, f"{self.path}: {dict(found)}")
        if self.file:
            os.unlink(self.path)


class Capture(Pcap):
    """All frames at one port, both directions, from `with` to its end. wire: the underlay, or what
    else has a `netns` in which the port is."""

    def __init__(self, wire, port, decode_as=()):
        super().__init__(port, decode_as)
        self.stopping = threading.Event()
        with wire.netns.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.bind((port, 3))
        self.socket.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER_FORCE, 128 << 20)
        self.thread = threading.Thread(target=self.write, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stopping.set()
        self.thread.join()
        lost = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        self.socket.close()
        self.file.close()
        if kind is None:
            check(not lost, f"{lost} packets are missing in the capture")

    def write(self):
        while True:
            stopping = self.stopping.is_set()
            if not select.select([self.socket], [], [], QUIET)[0]:
                if stopping:
                    return
                continue
            self.add(self.socket.recv(262144))
