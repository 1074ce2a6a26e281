# SPDX-License-Identifier: BSD-2-Clause
"""Traffic between two ends, each a Host (a namespace) or the Guest: both take shell scripts.

Everything is Debian's ping and nc, on both sides; what is sent is random and compared by its hash.
"""
import itertools

import underlay  # noqa: F401  pylint: disable=unused-import
from harness import Failure, check, wait_for

SIZE = 3 << 20  # bytes of a bulk transfer
PORTS = range(31000, 32000)  # of bulk transfers
_ports = itertools.cycle(PORTS)


def ping(end, address, *options, count=3):
    """The output of ping when the address did not answer each time, else nothing."""
    done = end.shell(f"ping -n -c {count} -i 0.1 -W 10 {' '.join(map(str, options))} {address}")
    return "" if f" {count} received" in done.stdout else done.stdout or "ping said nothing"


def answers(end, address, *options, count=3):
    """The address answers every one of so many; a first one may be lost to the search of MACs."""
    end.shell(f"ping -n -c 1 -W 5 {address}")
    lost = ping(end, address, *options, count=count)
    check(not lost, f"ping {' '.join(map(str, options))} {address}: {lost}")


def sizes(end, address, mtu, more=()):
    """Pings up to the MTU, which must not be cut, answered whole; and larger than the MTU, in
    fragments. mtu: of the inner IP; more: further payload sizes."""
    header = 48 if ":" in address else 28
    for size in (0, 1, 56, 511, 1000, mtu - header - 1, mtu - header, *more):
        answers(end, address, "-M", "do", "-s", size, count=1)
    for size in (mtu - header + 1, 2 * mtu, 5000):
        answers(end, address, "-M", "dont", "-s", size, count=1)


def listening(end, port):
    """Whether a TCP socket listens at the port."""
    return end.shell(f"grep -qiE ':{port:04X} 0+:0000 0A' /proc/net/tcp /proc/net/tcp6"
                     ).returncode == 0


def bulk(sender, receiver, address, size=SIZE):
    """So many random bytes over TCP, arriving as they were sent."""
    port = next(_ports)
    version = "-6" if ":" in address else "-4"
    receiver.shell(f"rm -f /tmp/got.{port} /tmp/end.{port}; "
                   f"(nc {version} -d -l {port} >/tmp/got.{port} 2>&1; echo $? >/tmp/end.{port}) "
                   f"</dev/null >/dev/null 2>&1 &", accept=(0,))
    wait_for(lambda: listening(receiver, port), f"something listens at TCP port {port}")
    sent = sender.shell(f"head -c {size} /dev/urandom >/tmp/put.{port}; "
                        f"nc -N {version} -w 40 {address} {port} </tmp/put.{port}; "
                        f"status=$?; sha256sum </tmp/put.{port}; rm -f /tmp/put.{port}; "
                        f"exit $status")
    try:
        wait_for(lambda: receiver.shell(f"[ -e /tmp/end.{port} ]").returncode == 0,
                 f"the transfer to {address} port {port} ends ({sent.stdout}{sent.stderr})", 60)
    except Failure:
        count = receiver.shell(f"wc -c </tmp/got.{port}").stdout.strip()
        raise Failure(f"TCP to {address}: {count} of {size} bytes arrived: "
                      f"{sent.stdout}{sent.stderr}") from None
    got = receiver.shell(f"sha256sum </tmp/got.{port}; rm -f /tmp/got.{port} /tmp/end.{port}")
    check(sent.returncode == 0, f"nc to {address}: {sent.stdout}{sent.stderr}")
    check(sent.stdout == got.stdout, f"TCP to {address}: other bytes arrived than were sent")


def traffic(one, other, address_one, address_other, mtu):
    """What every pair of ends must do: pings of all sizes and bulk TCP, both ways."""
    for end, address in ((one, address_other), (other, address_one)):
        answers(end, address)
        sizes(end, address, mtu)
    bulk(one, other, address_other)
    bulk(other, one, address_one)
