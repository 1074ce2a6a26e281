#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Direct attachment to a NIC, with real neighbours on the wire.

    [h1] eth1 -- floor  -- printer      bridge: the host is a switch between its ports
         eth2 -- hotel  -- router       private: ports do not hear one another
         eth3 -- office -- filter       vepa: by the switch outside alone, a bridge that reflects
         eth4 -- probe  -- sensor       passthru: one port is the wire

    [h1] eth1 -- floor  -- printer      l2: its ports have the MAC of eth1 outside
         eth2 -- uplink -- router       l3: and go by the routes of the host
"""
import contextlib
import json
import subprocess

from harness import BUILD, check, equal, main, statement, wait_for
from labs import lab

# Counts frames of one kind that arrive, by their last bytes, until one says that it is the end.
LISTENER = """
import socket
listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
listener.bind(("eth0", 0))
listener.settimeout(60)
print("ready", flush=True)
heard = []
while not heard or heard[-1] != "end":
    frame, address = listener.recvfrom(100)
    if address[2] != socket.PACKET_OUTGOING:
        heard.append(frame[14:].decode().strip())
print(" ".join(heard))
"""
SENDER = """
import socket, sys
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("eth0", 0))
to, source = (bytes.fromhex(text.replace(":", "")) for text in sys.argv[1:3])
for text in sys.argv[3:]:
    sender.send(to + source + bytes.fromhex("TYPE") + text.ljust(46).encode())
"""
STACK = contextlib.ExitStack()
SHARED = {}
ALL = "ff:ff:ff:ff:ff:ff"


def listen(cloud, node):
    process = cloud.start(node, "python3", "-c", LISTENER, stdout=subprocess.PIPE, text=True)
    equal(process.stdout.readline().strip(), "ready", f"listener at {node}")
    return process


def mac_of(cloud, node, device="eth0"):
    shown = cloud.run(node, "ip", "-j", "link", "show", device, accept=[0]).stdout
    return json.loads(shown)[0]["address"]


def send(cloud, node, to, *texts, source=None, tag=""):
    done = cloud.run(node, "python3", "-c", SENDER.replace("TYPE", tag + "88b5"), to,
                     source or mac_of(cloud, node), *texts)
    equal(done.returncode, 0, f"sender at {node}: {done.stderr}")


def heard(cloud, listener, by):
    """What a listener has heard when it has heard the end from somebody it does hear."""
    send(cloud, by, ALL, "end")
    return listener.stdout.readline().split()


@statement("bridge: ports, machines on the wire and a kernel's macvlan device reach one another")
def bridge(_weft, cloud):
    for node, address in (("direct/b1", "10.1.0.12"), ("direct/b1", "10.1.0.50"),
                          ("printer", "10.1.0.12")):
        check(cloud.reaches(node, address), f"{node} does not reach {address}")
    for words in (["add", "mv0", "link", "eth0", "type", "macvlan", "mode", "bridge"],
                  ["set", "mv0", "up"]):
        cloud.run("printer", "ip", "link", *words, accept=[0])
    cloud.run("printer", "ip", "address", "add", "10.1.0.60/24", "dev", "mv0", accept=[0])
    wait_for(lambda: cloud.ping("direct/b1", "10.1.0.60"), "the macvlan device to be reached")


@statement("private: the wire is reached, a neighbour on the host is not, broadcast included")
def private(_weft, cloud):
    for node, address in (("direct/p1", "10.2.0.50"), ("router", "10.2.0.12")):
        check(cloud.reaches(node, address), f"{node} does not reach {address}")
    listener, router = listen(cloud, "direct/p2"), listen(cloud, "router")
    send(cloud, "direct/p1", ALL, "broadcast")
    before = cloud.counter("isolated")
    send(cloud, "direct/p1", mac_of(cloud, "direct/p2"), "straight")
    wait_for(lambda: cloud.counter("isolated") > before, "the drop is counted")
    equal(heard(cloud, listener, "router"), ["end"], "what p2 has heard of p1")
    equal(heard(cloud, router, "direct/p1"), ["broadcast", "end"], "what the router has heard")
    check(not cloud.ping("direct/p1", "10.2.0.12"), "p1 reaches p2")
    trace = cloud.trace("direct/p1", "--arp", "10.2.0.12")
    equal(trace["verdict"], "delivered", "the question goes out")
    trace = cloud.trace("direct/p1", "--to", "10.2.0.12")
    equal((trace["reason"], trace["stages"][-1]["stage"]), ("isolated", "deliver"), "where it ends")


@statement("vepa: ports meet by the switch outside, each frame once, and none comes to its sender")
def vepa(_weft, cloud):
    for node, address in (("direct/v1", "10.3.0.12"), ("direct/v2", "10.3.0.50"),
                          ("filter", "10.3.0.11")):
        check(cloud.reaches(node, address), f"{node} does not reach {address}")
    sender, receiver = listen(cloud, "direct/v1"), listen(cloud, "direct/v2")
    outside = listen(cloud, "filter")
    send(cloud, "direct/v1", ALL, "broadcast")
    equal(heard(cloud, receiver, "direct/v1"), ["broadcast", "end"], "what v2 has heard")
    equal(outside.stdout.readline().split(), ["broadcast", "end"], "what the filter has heard")
    equal(heard(cloud, sender, "direct/v2"), ["end"], "what v1 has heard of itself")
    cloud.serve("direct/v2", 80)
    equal(cloud.fetch("direct/v1", "10.3.0.12", 80), "hello from direct/v2", "TCP by the switch")


@statement("vepa: a switch that does not reflect keeps them apart")
def vepa_filter(_weft, cloud):
    switch = ["ip", "netns", "exec", "weft-direct-attachment-underlay"]
    port = json.loads(subprocess.run([*switch, "bridge", "-j", "fdb", "show", "br", "office"],
                                     capture_output=True, text=True, check=True).stdout)
    mac = mac_of(cloud, "direct/v1")
    device = next(entry["ifname"] for entry in port if entry["mac"] == mac)
    for state, reached in (("off", False), ("on", True)):
        subprocess.run([*switch, "bridge", "link", "set", "dev", device, "hairpin", state],
                       check=True)
        if reached:
            wait_for(lambda: cloud.ping("direct/v1", "10.3.0.12"), "v1 to reach v2 again")
        else:
            check(not cloud.ping("direct/v1", "10.3.0.12"), f"with hairpin {state}")


@statement("passthru: any MAC, any tag and what is for the NIC's own MAC are the port's")
def passthru(_weft, cloud):
    check(cloud.reaches("direct/w1", "10.4.0.50"), "w1 does not reach the sensor")
    listener, outside = listen(cloud, "direct/w1"), listen(cloud, "sensor")
    send(cloud, "sensor", "02:00:00:00:99:99", "anybody's")
    send(cloud, "sensor", mac_of(cloud, "h1", "eth4"), "the NIC's")
    equal(heard(cloud, listener, "sensor"), ["anybody's", "the", "NIC's", "end"], "at w1")
    send(cloud, "direct/w1", ALL, "as another", source="02:00:00:00:99:98")
    equal(heard(cloud, outside, "direct/w1"), ["as", "another", "end"], "at the sensor")
    for node, other in (("direct/w1", "sensor"), ("sensor", "direct/w1")):
        listener = listen(cloud, other)
        send(cloud, node, ALL, "tagged", tag="81000007")
        equal(heard(cloud, listener, node), ["tagged", "end"], f"of VLAN 7 at {other}")


@statement("a file whose attachments cannot be says why")
def refusals(_weft, cloud):
    for words, sentence in (
            (("port", "add", "direct/w2", "--subnet", "passthru"), "one port of a host has all"),
            (("port", "add", "direct/br", "--subnet", "vepa", "--bridge", "br0"),
             "leads to another switch"),
            (("subnet", "set", "direct/bridge", "--direct", "passthru"), "one port of a host"),
            (("subnet", "set", "direct/passthru", "--dhcp"), "no more than a wire"),
            (("subnet", "set", "direct/vepa", "--direct", "vepaa"), "vepa")):
        done = cloud.weft(*words, accept=(1, 2))
        check(sentence in done.stderr, f"{' '.join(words)}: {done.stderr}")


@statement("the mode changes under live ports, and the export has it")
def changes(_weft, cloud):
    cloud.weft("subnet", "set", "direct/private", "--direct", "bridge")
    wait_for(lambda: cloud.ping("direct/p1", "10.2.0.12"), "p1 to reach p2")
    cloud.weft("subnet", "set", "direct/private", "--direct", "private")
    check(not cloud.ping("direct/p1", "10.2.0.12"), "p1 still reaches p2")
    check("direct: vepa" in cloud.weft("export").stdout, "the export has lost the mode")


@statement("a tap is attached like a namespace")
def tap(_weft, cloud):
    cloud.weft("port", "add", "direct/vm", "--subnet", "private", "--address", "10.2.0.20",
               "--mac", "02:00:00:00:0a:20", "--tap", "tapvm", "--group", "open")
    cloud.start("h1", BUILD / "tap-echo", "tapvm", stdout=subprocess.DEVNULL)
    for node in ("router", "direct/p1"):
        cloud.run(node, "ip", "neigh", "add", "10.2.0.20", "lladdr", "02:00:00:00:0a:20",
                  "dev", "eth0", accept=[0])
    wait_for(lambda: cloud.ping("router", "10.2.0.20"), "the router to reach the tap")
    check(not cloud.ping("direct/p1", "10.2.0.20"), "a private neighbour reaches the tap")


def macs_of(cloud, node):
    """Who is at which MAC, as a machine on the wire has learned it."""
    shown = json.loads(cloud.run(node, "ip", "-j", "neigh", accept=[0]).stdout)
    return {entry["dst"]: entry.get("lladdr") for entry in shown}


@statement("l2: all have the MAC of the NIC outside, the host keeps what is its own")
def l2(_weft, _cloud):
    cloud = SHARED["cloud"] = STACK.enter_context(lab("direct-shared"))
    cloud.run("h1", "ip", "address", "add", "10.1.0.200/24", "dev", "eth1", accept=[0])
    for node, address in (("shared/a1", "10.1.0.50"), ("shared/a1", "10.1.0.12"),
                          ("printer", "10.1.0.12"), ("printer", "10.1.0.200")):
        check(cloud.reaches(node, address), f"{node} does not reach {address}")
    nic, seen = mac_of(cloud, "h1", "eth1"), macs_of(cloud, "printer")
    equal({seen[address] for address in ("10.1.0.11", "10.1.0.12", "10.1.0.200")}, {nic},
          "the MAC of all of them")
    check(mac_of(cloud, "shared/a1") != nic, "inside a port has a MAC of its own")
    cloud.serve("shared/a2", 80)
    equal(cloud.fetch("printer", "10.1.0.12", 80), "hello from shared/a2", "TCP from outside")
    equal(cloud.fetch("shared/a1", "10.1.0.12", 80), "hello from shared/a2", "TCP inside")
    for node, device in (("printer", "eth0"), ("shared/a1", "eth0")):
        others = {"printer": "shared/a1", "shared/a1": "printer"}
        shown = json.loads(cloud.run(others[node], "ip", "-j", "-6", "address", "show", "dev",
                                     device, "scope", "link", accept=[0]).stdout)
        local = next(entry["local"] for entry in shown[0]["addr_info"])
        wait_for(lambda n=node, a=local: cloud.ping(n, f"{a}%eth0"), f"{node} to reach {local}")


@statement("l2: siblings apart, where the file says so; then by the switch alone")
def siblings(_weft, _cloud):
    cloud = SHARED["cloud"]
    cloud.weft("subnet", "set", "shared/l2", "--siblings", "private")
    check(not cloud.ping("shared/a1", "10.1.0.12"), "siblings meet")
    check(cloud.reaches("shared/a1", "10.1.0.50"), "the wire is gone")
    cloud.weft("subnet", "set", "shared/l2", "--siblings", "vepa")
    check(not cloud.ping("shared/a1", "10.1.0.12"), "siblings meet without a reflecting switch")
    switch = ["ip", "netns", "exec", "weft-direct-shared-underlay", "bridge"]
    table = json.loads(subprocess.run([*switch, "-j", "fdb", "show", "br", "floor"],
                                      capture_output=True, text=True, check=True).stdout)
    device = next(entry["ifname"] for entry in table
                  if entry["mac"] == mac_of(cloud, "h1", "eth1"))
    subprocess.run([*switch, "link", "set", "dev", device, "hairpin", "on"], check=True)
    cloud.run("shared/a1", "ip", "neigh", "flush", "dev", "eth0", accept=[0])
    cloud.run("shared/a2", "ip", "neigh", "flush", "dev", "eth0", accept=[0])
    wait_for(lambda: cloud.ping("shared/a1", "10.1.0.12"), "siblings to meet by the switch")
    cloud.weft("subnet", "set", "shared/l2", "--siblings", "bridge")


@statement("l3: the host's routes lead out, its address leads in, and nothing is broadcast")
def l3(_weft, _cloud):
    cloud = SHARED["cloud"]
    cloud.run("h1", "ip", "address", "add", "192.168.7.10/24", "dev", "eth2", accept=[0])
    cloud.run("router", "ip", "route", "add", "10.2.0.0/24", "via", "192.168.7.10", accept=[0])
    wait_for(lambda: cloud.ping("shared/c1", "192.168.7.50"), "the router to be reached")
    for node, address in (("router", "10.2.0.12"), ("router", "192.168.7.10"),
                          ("shared/c1", "10.2.0.12")):
        check(cloud.reaches(node, address), f"{node} does not reach {address}")
    cloud.run("router", "ip", "address", "add", "203.0.113.7/32", "dev", "lo", accept=[0])
    cloud.run("h1", "ip", "route", "add", "203.0.113.0/24", "via", "192.168.7.50", accept=[0])
    check(cloud.reaches("shared/c1", "203.0.113.7"), "the host's route is not taken")
    before = cloud.counter("not_ip")
    send(cloud, "shared/c1", ALL, "broadcast")
    wait_for(lambda: cloud.counter("not_ip") > before, "broadcast is refused")
    cloud.start("h1", BUILD / "tap-echo", "tapvm", stdout=subprocess.DEVNULL)
    wait_for(lambda: cloud.ping("router", "10.2.0.20"), "the router to reach the tap")


FILTER = """
table inet guard {
    counter passed {}
    chain forward {
        type filter hook forward priority filter
        iifname "eth3" ct state established,related counter name passed accept
        iifname "eth3" counter drop
        oifname "eth3" tcp dport 81 reject with tcp reset
        oifname "eth3" counter name passed
    }
}
"""


def passed(cloud):
    shown = json.loads(cloud.run("h1", "nft", "-j", "list", "counter", "inet", "guard", "passed",
                                 accept=[0]).stdout)
    return next(entry["counter"]["packets"] for entry in shown["nftables"] if "counter" in entry)


@statement("l3s: the host forwards, says so if it does not, and its firewall has both ways")
def l3s(_weft, _cloud):
    cloud = SHARED["cloud"]
    cloud.run("h1", "ip", "address", "add", "192.168.8.10/24", "dev", "eth3", accept=[0])
    cloud.run("server", "ip", "route", "add", "10.3.0.0/24", "via", "192.168.8.10", accept=[0])
    cloud.run("h1", "sysctl", "-w", "net.ipv4.conf.eth3.forwarding=0", accept=[0])
    cloud.weft("subnet", "set", "shared/l3s", "--dhcp")
    wait_for(lambda: "net.ipv4.ip_forward=1" in cloud.weft("status").stdout,
             "the status says that the host does not forward")
    cloud.run("h1", "sysctl", "-w", "net.ipv4.ip_forward=1", accept=[0])
    cloud.weft("subnet", "set", "shared/l3s", "--no-dhcp")
    wait_for(lambda: "ip_forward" not in cloud.weft("status").stdout, "and then that it does")
    wait_for(lambda: cloud.ping("shared/s1", "192.168.8.50"), "the server to be reached")
    for node, address in (("server", "10.3.0.12"), ("shared/s1", "10.3.0.12"),
                          ("h1", "10.3.0.11"), ("shared/s1", "192.168.8.10")):
        check(cloud.reaches(node, address), f"{node} does not reach {address}")
    cloud.run("h1", "nft", FILTER, accept=[0])
    before = passed(cloud)
    check(cloud.reaches("shared/s1", "192.168.8.50"), "s1 does not reach the server")
    check(passed(cloud) >= before + 2, "the host's firewall has not seen both directions")
    check(not cloud.ping("server", "10.3.0.11"), "the host's firewall lets a new one in")
    check(cloud.reaches("shared/s1", "10.3.0.12"), "siblings are not the host's affair")
    for port, answer in ((80, "hello from server"), (81, None)):
        cloud.serve("server", port)
        if answer:
            wait_for(lambda: cloud.fetch("shared/s1", "192.168.8.50", 80) == "hello from server",
                     "TCP through the host's stack")
        else:
            check(not cloud.fetch("shared/s1", "192.168.8.50", port), "the host's reset is lost")
    trace = cloud.weft("trace", "shared/s1", "--to", "192.168.8.50", "--icmp", "echo").stdout
    check("the host's own stack" in trace, trace)
    check("direct: l3s" in cloud.weft("export").stdout, "the export has lost the mode")


@statement("l3s: routes follow the ports; l3: a port's address from outside is refused")
def l3s_routes(_weft, _cloud):
    cloud = SHARED["cloud"]
    cloud.run("h1", "nft", "delete", "table", "inet", "guard", accept=[0])

    def routes():
        return cloud.run("h1", "ip", "route", accept=[0]).stdout
    check("10.3.0.11 via" in routes() and "10.3.0.12 via" in routes(), routes())
    cloud.weft("port", "remove", "shared/s2")
    wait_for(lambda: "10.3.0.12 via" not in routes(), "the route to go with its port")

    def refused():
        before = cloud.counter("spoofed_outside")
        cloud.run("router", "ping", "-c1", "-W0.2", "-I", "10.2.0.12", "10.2.0.11")
        return cloud.counter("spoofed_outside") > before
    cloud.run("router", "ip", "address", "add", "10.2.0.12/32", "dev", "lo", accept=[0])
    wait_for(refused, "who uses a port's address outside to be refused")


def up(_weft):
    cloud = STACK.enter_context(lab("direct-attachment"))
    return cloud


@statement("nothing is left behind")
def down(_weft, _cloud):
    STACK.close()


main(up, start=False)
