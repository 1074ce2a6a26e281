#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A VPC that one host routes (T13, centralized): examples/centralized-router.yaml.

    h1: red1, blue1         h2: red2, blue2         h3: red3, and the router
         |                       |                       |
         +--- VNI 700 (red), VNI 701 (blue) over one underlay ---+
"""
import json
import re

from harness import WEFT, check, equal, main, run, statement, wait_for
from labs import lab

LOAD = """
import socket, sys
size = 50_000_000
with socket.create_connection(("ADDRESS", 80), timeout=60) as peer:
    if sys.argv[1] == "send":
        peer.sendall(b"x" * size)
        peer.shutdown(socket.SHUT_WR)
        print(peer.recv(100).decode())
"""
SINK = """
import socket
server = socket.create_server(("", 80))
while True:
    peer, _ = server.accept()
    total = 0
    while data := peer.recv(1 << 20):
        total += len(data)
    peer.sendall(str(total).encode())
    peer.close()
"""
TALK = """
import socket, sys
with socket.create_connection(("10.6.2.12", 80), timeout=60) as peer:
    for line in sys.stdin:
        peer.sendall(line.encode())
        print(peer.recv(100).decode().strip(), flush=True)
"""
ECHO = """
import socket
server = socket.create_server(("", 80))
while True:
    peer, _ = server.accept()
    while data := peer.recv(1000):
        peer.sendall(data)
"""

# Says who tells that the TTL of a packet has ended: ICMP type and code, and the address.
EXPIRE = """
import select, socket, sys
protocol, size = sys.argv[1], int(sys.argv[2])
with socket.socket(socket.AF_INET, getattr(socket, "SOCK_" + protocol)) as sender:
    sender.setsockopt(socket.SOL_IP, socket.IP_TTL, 1)
    sender.setsockopt(socket.SOL_IP, 11, 1)  # IP_RECVERR
    sender.setblocking(False)
    sender.connect_ex(("10.6.2.12", 80))
    if protocol == "DGRAM":
        sender.send(bytes(size))
    wait = select.poll()
    wait.register(sender, select.POLLERR)
    if not wait.poll(60000):
        sys.exit("nobody tells")
    data = sender.recvmsg(2000, 2000, socket.MSG_ERRQUEUE)[1][-1][2]
    print(data[5], data[6], socket.inet_ntoa(data[20:24]))
"""


def until(condition, what):
    wait_for(condition, what, seconds=60)


def state_of(cloud, host):
    return json.loads(cloud.weft("--json", "host", "show", host).stdout)["status"]["state"]


def ttl(cloud, node, address):
    """The TTL that an answer to ping comes with; None without one."""
    said = cloud.run(node, "ping", "-n", "-c1", "-W20", address).stdout
    found = re.search(r"ttl=(\d+)", said)
    return int(found.group(1)) if found else None


def hosts_of(trace):
    hosts = [stage["host"] for stage in trace["stages"]]
    return [host for i, host in enumerate(hosts) if i == 0 or hosts[i - 1] != host]


def ways(cloud):
    for node, address, left in (("red1", "10.6.2.12", 63), ("red1", "10.6.2.11", 63),
                                ("red3", "10.6.2.12", 63), ("blue2", "10.6.1.13", 63),
                                ("red1", "10.6.1.12", 64), ("red3", "10.6.1.12", 64)):
        equal(ttl(cloud, f"net/{node}", address), left, f"TTL from {address} at {node}")


def told(cloud, *options):
    """From whom, and what, the sender of an echo request is told."""
    said = cloud.run("net/red1", "ping", "-n", "-c1", "-W20", *options, "10.6.2.12").stdout
    found = re.search(r"From (\S+) icmp_seq=1 (.*)", said)
    return found.groups() if found else said


def errors(cloud):
    """What the router tells the senders of short and long packets, and of unfinished checksums."""
    for size in (10, 56, 1000, 1400):
        equal(told(cloud, "-t1", f"-s{size}"), ("10.6.1.1", "Time to live exceeded"),
              f"TTL 1, {size} bytes")
    for words in (("STREAM", "0"), ("DGRAM", "1"), ("DGRAM", "40"), ("DGRAM", "1200")):
        done = cloud.run("net/red1", "python3", "-c", EXPIRE, *words)
        equal(done.stdout.strip(), "11 0 10.6.1.1", f"TTL 1, {words} ({done.stderr})")
    check(cloud.counter("ttl_expired", "h3") >= 8, "h3 counts them")


def traces(cloud):
    trace = cloud.trace("net/red1", "--to", "10.6.2.12", "--icmp", "echo")
    equal((trace["verdict"], trace["to"]), ("delivered", {"host": "h2", "port": "net/blue2"}),
          "the trace to h2")
    equal(hosts_of(trace), ["h1", "h3", "h2", "h3", "h1"], "the hosts it passes")
    equal(trace["back"]["to"], {"host": "h1", "port": "net/red1"}, "the way back")
    check("host h3" in [stage["object"] for stage in trace["stages"]], "the router is named")
    trace = cloud.trace("net/red1", "--to", "10.6.2.11", "--tcp", "80")
    equal((trace["verdict"], hosts_of(trace)), ("delivered", ["h1", "h3", "h1", "h3", "h1"]),
          "to a port of the same host")
    equal(hosts_of(cloud.trace("net/red1", "--to", "10.6.1.12")), ["h1", "h2", "h1"],
          "inside the subnet")
    trace = cloud.trace("net/red1", "--to", "10.6.2.99")
    equal((trace["reason"], trace["stages"][-1]["host"]), ("no_endpoint", "h3"), "nobody's")
    trace = cloud.trace("net/red1", "--to", "10.6.2.12", "--udp", "53")
    equal((trace["reason"], trace["stages"][-1]["host"]), ("group_ingress", "h2"),
          "refused at the receiver")


def bulk(cloud):
    sink = cloud.start("net/blue2", "python3", "-c", SINK)
    until(lambda: ":80 " in cloud.run("net/blue2", "ss", "-Hltn").stdout, "the sink")
    done = cloud.run("net/red1", "python3", "-c", LOAD.replace("ADDRESS", "10.6.2.12"), "send")
    equal(done.stdout.strip(), "50000000", f"bytes by TCP ({done.stderr})")
    for host in ("h1", "h2", "h3"):
        equal(cloud.counter("internal", host) + cloud.counter("tunnel_segments", host), 0,
              f"frames of several packets lost on {host}")
    sink.kill()
    sink.wait()


@statement("T13: one host routes between subnets; rules, TTL and trace are those of its way")
def centralized(_weft):
    with lab("centralized-router") as cloud:
        until(lambda: ttl(cloud, "net/red1", "10.6.2.12"), "the way over h3")
        ways(cloud)
        errors(cloud)
        traces(cloud)
        bulk(cloud)
        told = json.loads(cloud.weft("--json", "vpc", "show", "net", host="h2").stdout)
        equal(told["routing"], "host:h3", "vpc show")
        for host in ("h1", "h2"):
            equal(json.loads(cloud.weft("--json", "port", "show", "net/red1", host=host).stdout)
                  ["status"]["routing"], "host:h3", f"port show on {host}")
        check("routing: host:h3" in cloud.weft("export").stdout, "export")


def refuse(cloud, words, part):
    done = cloud.weft(*words, accept=None)
    check(done.returncode not in (0, None) and part in done.stderr,
          f"{' '.join(words)}: {done.returncode} {done.stderr}")


@statement("what one host cannot route is refused in words")
def refusals(_weft):
    with lab("centralized-router") as cloud:
        refuse(cloud, ["vpc", "set", "net", "--routing", "host:h9"], 'no host "h9"')
        refuse(cloud, ["vpc", "set", "net", "--routing", "h2"],
               "routing is distributed or host:NAME")
        refuse(cloud, ["vpc", "set", "net", "--route-multicast", "on"], "route_multicast")
        refuse(cloud, ["subnet", "add", "net/x", "--cidr", "10.6.9.0/24", "--segment", "overlay",
                       "--encapsulation", "ipip"], "does not carry Ethernet")
        refuse(cloud, ["subnet", "add", "net/x", "--cidr", "10.6.9.0/24", "--segment", "overlay",
                       "--encapsulation", "gretap"], "not carried alike")
        cloud.weft("subnet", "add", "net/x", "--cidr", "10.6.9.0/24", "--segment", "local")
        refuse(cloud, ["port", "add", "net/y", "--subnet", "x", "--host", "h1"],
               "has to be on that host")
        cloud.weft("port", "remove", "net/red3")
        refuse(cloud, ["host", "remove", "h3"], "it routes vpc net")


class Talk:
    """A TCP connection on which lines go and come back."""

    def __init__(self, cloud):
        self.process = cloud.start("net/red1", "python3", "-u", "-c", TALK, stdin=-1, stdout=-1,
                                   text=True)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        equal(self.process.stdout.readline().strip(), line, "the line that comes back")


@statement("another host becomes the router, and none: a connection goes on")
def another(_weft):
    with lab("centralized-router") as cloud:
        cloud.start("net/blue2", "python3", "-c", ECHO)
        until(lambda: ":80 " in cloud.run("net/blue2", "ss", "-Hltn").stdout, "the server")
        talk = Talk(cloud)
        talk.say("by h3")
        for routing, route in (("host:h2", ["h1", "h2", "h1"]),
                               ("distributed", ["h1", "h2", "h1"]),
                               ("host:h3", ["h1", "h3", "h2", "h3", "h1"])):
            cloud.weft("vpc", "set", "net", "--routing", routing)
            until(lambda route=route: hosts_of(cloud.trace(
                "net/red1", "--to", "10.6.2.12", "--icmp", "echo")) == route, routing)
            until(lambda: ttl(cloud, "net/red1", "10.6.2.12"), f"ping with {routing}")
            talk.say(routing)


@statement("a router goes on without its daemon; one that is gone is named by drops and status")
def gone(_weft):
    with lab("centralized-router") as cloud:
        until(lambda: ttl(cloud, "net/red1", "10.6.2.12"), "the way over h3")
        run(WEFT, "lab", "kill", "centralized-router", "h3", accept=[0])
        until(lambda: state_of(cloud, "h3") != "alive", "its lease ends")
        equal(ttl(cloud, "net/red1", "10.6.2.12"), 63, "TTL without the daemon")
        equal(cloud.counter("router_away"), 0, "dropped while it forwards")
        cloud.run("h3", "ip", "link", "set", "eth0", "down", accept=[0])
        until(lambda: "host h3 routes vpc net" in cloud.weft("status").stdout, "status says so")
        cloud.run("net/red1", "ping", "-n", "-c1", "-W1", "10.6.2.12")
        trace = cloud.trace("net/red1", "--to", "10.6.2.12")
        equal((trace["verdict"], trace["reason"], trace["object"]),
              ("dropped", "router_away", "host h3"), "the trace")
        check(cloud.counter("router_away") > 0, "it is counted")
        check("host h3" in cloud.weft("drops").stdout, "the drop names the host")
        equal(ttl(cloud, "net/red1", "10.6.1.12"), 64, "inside the subnet nothing is different")
        cloud.weft("vpc", "set", "net", "--routing", "host:h2")
        until(lambda: ttl(cloud, "net/red1", "10.6.2.12"), "another router")
        until(lambda: "host h3 routes" not in cloud.weft("status").stdout, "status")


main(start=False)
