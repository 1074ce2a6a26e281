# SPDX-License-Identifier: BSD-2-Clause
"""Traffic that runs beside a fault and counts what it lost.

A `Load` sends numbered datagrams one way without pause, keeps TCP connections talking, and makes
new connections, all in threads; stop(), or the end of a `with` block, requires that nothing was
lost. The receiver's buffer is large and every datagram is waited for at the end, so that what is
missing was lost on the way.
"""
import contextlib
import select
import socket
import struct
import threading
import time

from harness import SECONDS, check, connect, equal, listen, pair, wait_for


class Load:
    """Traffic from one namespace to another address, until stop()."""

    CONNECTIONS = 8
    INTERVAL = 0.0005  # seconds between datagrams

    def __init__(self, client, server, address, udp_port, tcp_port):
        self.stopping = threading.Event()
        self.faults = []
        self.sent, self.received, self.exchanges, self.made = 0, set(), 0, 0
        self.last = None
        self.client, self.address, self.tcp_port = client, address, tcp_port
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        any_address = "::" if family == socket.AF_INET6 else "0.0.0.0"
        self.sink = server.socket(family, socket.SOCK_DGRAM, bind=(any_address, udp_port),
                                  timeout=0.2)
        self.sink.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.source = client.socket(family, socket.SOCK_DGRAM)
        self.source.connect((address, udp_port))
        self.pairs = [pair(client, server, address, tcp_port) for _ in range(self.CONNECTIONS)]
        self.server = listen(server, tcp_port, family)
        self.server.settimeout(0.2)
        self.threads = [threading.Thread(target=self.guard, args=(work,), daemon=True)
                        for work in (self.send, self.receive, self.talk, self.accept, self.make)]
        for thread in self.threads:
            thread.start()
        self.goes_on()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        """At the end of a block: stop() and its judgement, or after a fault just an end."""
        if kind is None:
            self.stop()
        else:
            self.end()

    def guard(self, work):
        try:
            work()
        except Exception as error:  # pylint: disable=broad-except
            self.faults.append(f"{work.__name__}: {error!r}")

    def send(self):
        while not self.stopping.wait(self.INTERVAL):
            self.source.send(struct.pack("!I", self.sent))
            self.sent += 1
        self.last = self.sent

    def receive(self):
        deadline = None
        while True:
            with contextlib.suppress(TimeoutError):
                self.received.add(struct.unpack("!I", self.sink.recv(64))[0])
            if self.last is not None:
                deadline = deadline or time.monotonic() + SECONDS
                if len(self.received) >= self.last or time.monotonic() > deadline:
                    return

    def talk(self):
        while not self.stopping.is_set():
            for one, other in self.pairs:
                for sender, receiver in ((one, other), (other, one)):
                    sender.sendall(b"weft")
                    if receiver.recv(16) != b"weft":
                        raise OSError("connection closed")
                self.exchanges += 1

    def accept(self):
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                self.server.accept()[0].close()

    def make(self):
        while not self.stopping.wait(0.005):
            client = connect(self.client, self.address, self.tcp_port)
            if client is None:
                raise OSError("a new connection was not made")
            client.close()
            self.made += 1

    def progress(self):
        """How much has gone through; for waiting until the load runs on."""
        return min(len(self.received), self.exchanges, self.made)

    def goes_on(self, count=20):
        """Wait until the traffic has made progress of so much since now."""
        begin = self.progress()
        wait_for(lambda: self.faults or self.progress() >= begin + count, "the traffic goes on")

    def end(self):
        """Stop the threads and close everything."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(2 * SECONDS)
        for one, other in self.pairs:
            one.close()
            other.close()
        for end in (self.server, self.source, self.sink):
            end.close()

    def stop(self):
        """End and require that nothing was lost, broken or refused."""
        self.end()
        equal(self.faults, [], "faults of the traffic")
        check(self.sent > 20 and self.exchanges > 10, f"hardly any traffic: {self.sent} datagrams")
        equal(self.sent - len(self.received), 0, f"datagrams lost of {self.sent}")


def repaired(connection):
    """Whether nothing is missing that was sent: what waits behind a hole arrives all at once."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 2)[1] == 0  # TCP_CA_Open


def drain(connection):
    """Forget what has arrived so far."""
    with contextlib.suppress(BlockingIOError):
        while connection.recv(1 << 20):
            pass


def throughput(sender, receiver, address, seconds):
    """Bits a second of the payload that arrives, once the connection is in its stride."""
    with contextlib.closing(listen(receiver, 5001)) as server:
        one = connect(sender, address, 5001)
        check(one, f"no connection to {address}")
        other, _ = server.accept()
        with one, other:
            one.setblocking(False)
            other.setblocking(False)
            total, begin, now = 0, None, time.monotonic()
            start = now + 1
            while begin is None or now < begin + seconds:
                ready = select.select([other], [one], [], 0.1)
                if ready[1]:
                    with contextlib.suppress(BlockingIOError):
                        one.send(bytes(262144))
                if ready[0]:
                    size = len(other.recv(1 << 20))
                    total += size if begin else 0
                now = time.monotonic()
                if begin is None and now >= start and repaired(one):
                    begin = now = time.monotonic()  # first: what comes meanwhile is no part of it
                    drain(other)  # of before: on a machine in use it may be much
            return total * 8 / (now - begin)
