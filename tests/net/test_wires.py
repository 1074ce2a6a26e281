#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Segments on networks outside: flat and VLAN, with plain machines on the wire.

    local-networks       two networks on one host (T5)
    flat-network         h1 eth1 -- physnet1 -- eth1 h2, a plain machine (T6)
    routed-flat          the same, where ports see their router alone (mode: l3)
    vlan-networks        the same with tags 100 and 101 (T7)
    vlan-router          a router between VLANs, twice with the same addresses (T8)
    vlan-to-vxlan        a VLAN joined to a VNI by one host (T13)
    vlan-access          a switch with access ports (T2)
    vlan-trunks          workloads that tag for themselves (T3)
    vlan-transparent     the same where nobody told Weft which tags
"""
import json
import re
import subprocess

from harness import ROOT, WEFT, Netns, check, equal, main, run, statement, wait_for
from judge import judged
from labs import lab

# Counts frames of one kind that arrive, until the last one is the mark.
LISTENER = """
import socket
listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
listener.bind(("eth0", 0))
listener.settimeout(60)
print("ready", flush=True)
frames = []
while not frames or not frames[-1].endswith(b"the end"):
    frame, address = listener.recvfrom(100)
    if address[2] != socket.PACKET_OUTGOING:
        frames.append(frame)
print(len(frames))
"""
SENDER = """
import socket
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("eth0", 0))
mac = sender.getsockname()[4]
for text in TEXTS:
    sender.send(bytes([255] * 6) + mac + bytes([0x88, 0xb5]) + bytes(46) + text.encode())
"""


def listen(cloud, node):
    process = cloud.start(node, "python3", "-c", LISTENER, stdout=subprocess.PIPE, text=True)
    equal(process.stdout.readline().strip(), "ready", f"listener at {node}")
    return process


def broadcast(cloud, node, *texts):
    done = cloud.run(node, "python3", "-c", SENDER.replace("TEXTS", repr(list(texts))))
    equal(done.returncode, 0, f"sender at {node}: {done.stderr}")


def device(cloud, node, name):
    shown = cloud.run(node, "ip", "-j", "-d", "link", "show", name, accept=[0]).stdout
    return json.loads(shown)[0]


@statement("local networks: the own is reached, the other is not, and no NIC takes part (T5)")
def local_networks(_weft):
    with lab("local-networks") as cloud:
        check(cloud.reaches("desk/vm0", "192.168.1.11"), "vm0 does not reach vm1")
        check(not cloud.ping("desk/vm0", "192.168.2.12"), "vm0 reaches vm2")
        check(not cloud.ping("desk/vm2", "192.168.1.10"), "vm2 reaches vm0")


@statement("a flat network: ports of two hosts and a plain machine reach one another (T6)")
def flat_network(_weft):
    with lab("flat-network") as cloud:
        addresses_by_dhcp(cloud)
        with judged(cloud, "h1", "eth1"):
            for node, address in (("lab/vm1", "172.16.1.104"), ("lab/vm2", "172.16.1.103"),
                                  ("lab/vm1", "172.16.1.50"), ("lab/vm2", "172.16.1.50"),
                                  ("plain", "172.16.1.103"), ("plain", "172.16.1.104")):
                check(cloud.reaches(node, address), f"{node} does not reach {address}")
        cloud.serve("lab/vm2", 80)
        equal(cloud.fetch("plain", "172.16.1.104", 80), "hello from lab/vm2", "at the plain one")
        macvlan_neighbours(cloud)
        traced(cloud, "lab/vm1", "172.16.1.104")
        uplink_survives(cloud)
        uplink_keeps_its_addresses(cloud)
        broadcast_once(cloud)
        leaves_by_the_wire(cloud)


def addresses_by_dhcp(cloud):
    """Of a real client, and what it and its host say to each other; the wire hears nothing."""
    def listen_for_dhcp(node):
        process = cloud.start(node, "timeout", "90", "tcpdump", "-lnnvi", "eth0",
                              "udp port 67 or udp port 68 or udp port 9", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        wait_for(lambda: "listening" in process.stderr.readline(), "tcpdump")
        return process

    outside = listen_for_dhcp("plain")
    for node, address in (("lab/vm1", "172.16.1.103"), ("lab/vm2", "172.16.1.104")):
        capture = listen_for_dhcp(node)
        shown = cloud.run(node, "busybox", "udhcpc", "-f", "-q", "-n", "-T", "20", "-i", "eth0",
                          "-s", ROOT / "examples" / "udhcpc.sh", accept=[0]).stdout
        check(f"address {address}/24 router  dns" in shown, f"what {node} has got: {shown}")
        said, line = [], "begin"
        while line and "ACK" not in said:
            line = capture.stdout.readline()
            said += re.findall(r"DHCP-Message .*: (\w+)$", line.rstrip())
        equal(said, ["Discover", "Offer", "Request", "ACK"], f"what {node} and its host have said")
        capture.terminate()
    # What comes behind it has come, and none of it before.
    cloud.run("lab/vm1", "python3", "-c", "import socket; socket.socket(socket.AF_INET, "
              "socket.SOCK_DGRAM).sendto(b'the end', ('172.16.1.50', 9))", accept=[0])
    while "172.16.1.50.9:" not in (line := outside.stdout.readline()):
        check(line and "BOOTP" not in line, f"the wire has heard {line or 'nothing at all'}")
    outside.terminate()


def leaves_by_the_wire(cloud):
    """A port that is removed says nothing of its groups any more: its host says it, to the
    switches and routers of the wire. Another port keeps the host on the wire."""
    cloud.weft("port", "add", "lab/late", "--subnet", "floor", "--host", "h1")
    cloud.weft("subnet", "set", "lab/floor", "--multicast", "snoop")
    cloud.run("lab/vm1", "ip", "address", "add", "239.1.1.1/32", "dev", "eth0", "autojoin",
              accept=[0])
    wait_for(lambda: "239.1.1.1" in cloud.weft("multicast", "--port", "lab/vm1").stdout,
             "h1 knows that vm1 listens")
    capture = cloud.start("plain", "timeout", "60", "tcpdump", "-lnni", "eth0", "-c1",
                          "dst host 224.0.0.2", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    wait_for(lambda: "listening" in capture.stderr.readline(), "tcpdump")
    cloud.weft("port", "remove", "lab/vm1")
    check("leave 239.1.1.1" in capture.communicate()[0], "what the wire hears of the group")


def traced(cloud, port, address):
    """A trace to a port of h2 by the wire: what both hosts do with it, and with the reply."""
    told = json.loads(cloud.weft("--json", "trace", port, "--to", address, "--icmp", "echo").stdout)
    equal((told["verdict"], told["to"]["host"]), ("delivered", "h2"), "the end of the way")
    equal((told["back"]["verdict"], told["back"]["to"]), ("delivered",
          {"host": "h1", "port": port}), "the end of the way back")
    steps = [(stage["host"], stage["stage"], stage["result"]) for stage in told["stages"]]
    wires = [step for step in steps if step[1] == "wire"]
    equal(wires, [("h1", "wire", "onto the wire of"), ("h2", "wire", "by the wire of"),
                  ("h2", "wire", "onto the wire of"), ("h1", "wire", "by the wire of")],
          "the stages of the wire")
    check(("h2", "policy", "allowed into the port by") in steps, f"h2 asks its rules: {steps}")


def macvlan_neighbours(cloud):
    """Two macvlan devices on a machine's NIC are neighbours, each with a MAC of its own."""
    machine = "weft-flat-network-plain"
    made = []
    for name, address in (("mv1", "172.16.1.61"), ("mv2", "172.16.1.62")):
        made.append(Netns(name))
        run("ip", "-n", machine, "link", "add", name, "link", "eth0", "type", "macvlan", "mode",
            "bridge", accept=[0])
        run("ip", "-n", machine, "link", "set", name, "netns", name, "name", "eth0", accept=[0])
        made[-1].run("ip", "address", "add", f"{address}/24", "dev", "eth0", accept=[0])
        made[-1].run("ip", "link", "set", "eth0", "up", accept=[0])
    for netns, own in zip(made, ("172.16.1.61", "172.16.1.62")):
        for port, address in (("lab/vm1", "172.16.1.103"), ("lab/vm2", "172.16.1.104")):
            check(netns.reaches(address), f"{own} does not reach {address}")
            check(cloud.reaches(port, own), f"{port} does not reach {own}")
    check(made[0].reaches("172.16.1.62"), "one macvlan device does not reach the other")
    for netns in made:
        netns.delete()


def broadcast_once(cloud):
    """A broadcast is seen once by everybody, whichever way it might take."""
    listeners = [listen(cloud, node) for node in ("lab/vm2", "plain")]
    broadcast(cloud, "lab/vm1", "one", "the end")
    for listener in listeners:
        equal(listener.stdout.readline().strip(), "2", "frames at a listener")


def uplink_survives(cloud):
    """The daemon dies and comes back: the wire carries on."""
    run(WEFT, "lab", "kill", "flat-network", "h1", accept=[0])
    check(cloud.reaches("lab/vm1", "172.16.1.50"), "no way out without the daemon")
    check("PROMISC" in device(cloud, "h1", "eth1")["flags"], "the uplink has forgotten it")
    run(WEFT, "lab", "start", "flat-network", "h1", accept=[0])
    check(cloud.reaches("plain", "172.16.1.103"), "no way in after the restart")


def uplink_keeps_its_addresses(cloud):
    """A host that has an address on its uplink keeps it."""
    cloud.run("h1", "ip", "address", "add", "172.16.1.200/24", "dev", "eth1", accept=[0])
    check(cloud.reaches("plain", "172.16.1.200"), "the host's own address is gone")
    check(cloud.reaches("h1", "172.16.1.104"), "the host does not reach a port of another")
    check(cloud.reaches("lab/vm1", "172.16.1.50"), "the port has lost its wire")


@statement("a flat network in l3 mode: ports see their router alone, machines outside a neighbour "
           "for each port; nothing is flooded")
def routed_flat(_weft):
    with lab("routed-flat") as cloud:
        v6 = {name: addresses_of(cloud, f"lab/{name}")[1] for name in ("vm1", "vm2", "db")}
        for node, address in (("plain", "172.16.1.103"), ("plain", "172.16.1.104"),
                              ("lab/vm1", "172.16.1.104"), ("lab/vm1", v6["vm2"]),
                              ("plain", v6["vm1"]), ("plain", v6["vm2"]),
                              ("lab/vm1", "172.16.2.11"),
                              ("plain", "172.16.1.1"), ("plain", "172.16.2.11")):
            check(cloud.reaches(node, address), f"{node} does not reach {address}")
        # Whom the router has not heard of it asks for; the packet that makes it ask is lost.
        for node, address in (("lab/vm1", "172.16.1.51"), ("lab/vm2", "172.16.1.50"),
                              ("lab/vm2", "fd00:16:0:1::50"), ("lab/db", "172.16.1.50")):
            wait_for(lambda n=node, a=address: cloud.ping(n, a), f"{node} to reach {address}")
        plain_ipv6_behind_the_router(cloud, v6)
        one_neighbour_for_each_port(cloud)
        traced(cloud, "lab/vm1", "172.16.1.104")
        only_the_router(cloud)


def plain_ipv6_behind_the_router(cloud, v6):
    cloud.run("plain", "ip", "-6", "route", "add", "fd00:16::/48", "via", "fd00:16:0:1::1",
              accept=[0])
    wait_for(lambda: cloud.ping("plain", v6["db"]), "plain to reach another subnet over IPv6")
    wait_for(lambda: cloud.ping("lab/db", "fd00:16:0:1::50"), "the other way")


def one_neighbour_for_each_port(cloud):
    """One answer to each question, with the port's own MAC; no host answers for another's port."""
    for port, address in (("vm1", "172.16.1.103"), ("vm2", "172.16.1.104")):
        shown = cloud.run("plain", "arping", "-c", "2", "-I", "eth0", address).stdout
        equal(shown.count("reply from"), 2, f"answers for {port} ({shown})")
        mac = json.loads(cloud.weft("--json", "port", "show", f"lab/{port}").stdout)["mac"]
        equal(shown.lower().count(mac), 2, f"answers with the MAC of {port} ({shown})")
    shown = cloud.run("plain", "arping", "-c", "1", "-w", "1", "-I", "eth0", "172.16.1.60").stdout
    equal(shown.count("reply from"), 0, "answers for nobody")


def only_the_router(cloud):
    """A port has the gateway's MAC for who is outside, and hears no broadcast."""
    cloud.ping("lab/vm1", "172.16.1.51")
    neighbours = cloud.run("lab/vm1", "ip", "-j", "neighbour", "show", "dev", "eth0").stdout
    macs = {entry["dst"]: entry.get("lladdr", "") for entry in json.loads(neighbours)}
    check(macs["172.16.1.51"].startswith("06:57:"), f"the neighbour is not the router: {macs}")
    listener = listen(cloud, "lab/vm1")
    broadcast(cloud, "plain", "one", "the end")
    broadcast(cloud, "lab/vm2", "one", "the end")
    listener.kill()
    equal(listener.communicate()[0], "", "what a port has heard of broadcasts")


@statement("VLANs: the same one is reached on both hosts and the wire, another one never (T7)")
def vlan_networks(_weft):
    with lab("vlan-networks") as cloud:
        for node, address in (("office/vm1", "172.16.100.12"), ("office/vm2", "172.16.100.11"),
                              ("office/vm1", "172.16.100.50"), ("printer", "172.16.100.12"),
                              ("office/vm3", "172.16.101.50"), ("other", "172.16.101.13")):
            check(cloud.reaches(node, address), f"{node} does not reach {address}")
        listeners = [listen(cloud, node) for node in ("office/vm3", "other")]
        broadcast(cloud, "office/vm1", "not for them", "nor this")
        broadcast(cloud, "printer", "nor this")
        broadcast(cloud, "office/vm3", "the end")
        broadcast(cloud, "other", "the end")
        for listener in listeners:
            equal(listener.stdout.readline().strip(), "1", "frames in the other VLAN")
        not_routed(cloud)
        uplink_comes_back(cloud)


def not_routed(cloud):
    """No gateway, no router: not even for a workload that knows the MAC a gateway would have."""
    def mac_of(node, gateway):
        cloud.weft("subnet", "set", "office/staff" if node == "office/vm1" else "office/guests",
                   "--gateway", gateway)
        wait_for(lambda: cloud.ping(node, gateway), f"{gateway} to answer")
        return cloud.run(node, "ip", "neigh", "show", gateway, accept=[0]).stdout.split()[4]

    told = cloud.trace("office/vm1", "--to", "172.16.101.13", "--icmp", "echo")
    equal((told["reason"], told["object"]), ("no_router", "subnet office/staff"), "the trace")
    # As long as there is a router they talk, also when they have come to know each other.
    ways = (("office/vm1", "172.16.100.1", "172.16.101.0/24"),
            ("office/vm3", "172.16.101.1", "172.16.100.0/24"))
    for node, gateway, other in ways:
        mac = mac_of(node, gateway)
        cloud.run(node, "ip", "neigh", "replace", gateway, "lladdr", mac, "dev", "eth0", accept=[0])
        cloud.run(node, "ip", "route", "replace", other, "via", gateway, accept=[0])
    wait_for(lambda: cloud.ping("office/vm1", "172.16.101.13"), "the way by the router")
    pinging = cloud.start("office/vm1", "ping", "-n", "-i", "0.05", "172.16.101.13",
                          stdout=subprocess.PIPE, text=True)
    check("64 bytes" in [pinging.stdout.readline() for _ in range(2)][1], "it pings")
    for subnet in ("office/staff", "office/guests"):
        cloud.weft("subnet", "set", subnet, "--gateway", "")
    before = cloud.counter("no_router")
    wait_for(lambda: cloud.counter("no_router") > before, "drops of what goes on to the gateway")
    pinging.kill()
    pinging.wait()
    check(not cloud.ping("office/vm1", "172.16.101.13"), "it is routed without a gateway")
    # Into it neither.
    cloud.weft("subnet", "set", "office/staff", "--gateway", "172.16.100.1")
    told = cloud.trace("office/vm1", "--to", "172.16.101.13", "--icmp", "echo")
    equal((told["reason"], told["object"]), ("no_router", "subnet office/guests"), "the trace")
    told = cloud.trace("office/vm1", "--to", "172.16.101.50", "--icmp", "echo")
    equal((told["reason"], told["object"]), ("no_router", "subnet office/guests"), "onto its wire")
    done = cloud.weft("trace", "office/vm1", "--to", "172.16.100.50", "--icmp", "echo", accept=(1,))
    check("no port of subnet office/staff has 172.16.100.50" in done.stderr,
          f"what the trace asks for: {done.stderr}")
    mac = device(cloud, "printer", "eth0")["address"]
    told = cloud.trace("office/vm1", "--to", "172.16.100.50", "--mac", mac, "--icmp", "echo")
    equal((told["reason"], told["to"]["port"] if told["to"] else None),
          ("delivered", "network physnet1 (subnet office/staff)"), "the trace to a machine")
    cloud.weft("subnet", "set", "office/staff", "--gateway", "")


def uplink_comes_back(cloud):
    """An uplink that is taken away is a problem that the status shows, until it is there again."""
    def trouble():
        return "physnet1" in cloud.weft("status").stdout

    cloud.run("h1", "ip", "link", "set", "eth1", "name", "away", accept=[0])
    wait_for(trouble, "the status says that the uplink is gone")
    check(not cloud.ping("office/vm1", "172.16.100.50"), "there is still a way out")
    cloud.run("h1", "ip", "link", "set", "away", "name", "eth1", accept=[0])
    wait_for(lambda: not trouble(), "the status says that the uplink is back")
    wait_for(lambda: cloud.ping("office/vm1", "172.16.100.50"), "a way out again")


@statement("a router joins VLANs, for ports of both hosts and plain machines; tenants never "
           "meet (T8)")
def vlan_router(_weft):
    with lab("vlan-router") as cloud:
        for node, address in (("one/vm1", "172.16.101.13"), ("one/vm2", "172.16.101.13"),
                              ("one/vm3", "172.16.100.11"), ("two/vm1", "172.16.101.13"),
                              ("printer", "172.16.100.1"), ("camera", "172.16.101.1")):
            check(cloud.reaches(node, address), f"{node} does not reach {address}")
        # The first packet to a plain machine asks for it on the wire.
        for node, address in (("one/vm1", "172.16.101.50"), ("printer", "172.16.101.50"),
                              ("printer", "172.16.101.13"), ("camera", "172.16.100.11"),
                              ("one/vm3", "172.16.100.50")):
            wait_for(lambda n=node, a=address: cloud.ping(n, a), f"{node} to reach {address}")
        traced(cloud, "one/vm1", "172.16.101.13")
        cloud.serve("one/vm3", 80)
        equal(cloud.fetch("printer", "172.16.101.13", 80), "hello from one/vm3", "routed TCP")
        # There by the port's host, back by the host that is the machine's gateway; both ways.
        cloud.serve("camera", 80)
        cloud.serve("one/vm1", 80)
        for node, address, name in (("one/vm1", "172.16.101.50", "camera"),
                                    ("printer", "172.16.101.50", "camera"),
                                    ("camera", "172.16.100.11", "one/vm1")):
            wait_for(lambda n=node, a=address, w=name: cloud.fetch(n, a, 80) == f"hello from {w}",
                     f"TCP from {node} to {name}")
        check(not cloud.ping("two/vm1", "172.16.101.50"), "a tenant reaches the other's machine")
        one_gateway_on_the_wire(cloud)
        another_router(cloud)


def another_router(cloud):
    """Who becomes the router of the wire says so there: the switches outside know at once."""
    def gateway_at():
        line = next((line.split() for line in run(
            "ip", "netns", "exec", "weft-vlan-router-underlay", "bridge", "fdb", "show", "br",
            "physnet1", accept=[0]).stdout.splitlines() if line.startswith(mac)), None)
        return line[2] if line else None

    known = cloud.run("printer", "ip", "neigh", "show", "172.16.100.1", accept=[0]).stdout
    mac = known.split()[4]
    before = gateway_at()
    cloud.weft("subnet", "set", "one/staff", "--router", "h2")
    wait_for(lambda: gateway_at() not in (before, None), "the switch hears of the other router")
    wait_for(lambda: cloud.ping("printer", "172.16.101.50"), "the way by it")
    there = gateway_at()
    cloud.weft("subnet", "set", "one/staff", "--router", "h1")
    wait_for(lambda: gateway_at() == before, f"the switch hears that it is back, from {there}")
    wait_for(lambda: cloud.ping("printer", "172.16.101.50"), "the way by the first one")


def one_gateway_on_the_wire(cloud):
    """The gateway answers plain machines by one host, and no MAC is sent from by two."""
    shown = cloud.run("printer", "arping", "-c", "2", "-I", "eth0", "172.16.100.1").stdout
    equal(shown.count("reply from"), 2, f"answers for the gateway ({shown})")
    hosts = {host: device(cloud, host, "eth1")["address"] for host in ("h1", "h2")}
    equal(len(set(hosts.values())), 2, "MACs of the uplinks")
    seen = [line.split() for line in
            run("ip", "netns", "exec", "weft-vlan-router-underlay", "bridge", "fdb", "show",
                "br", "physnet1", accept=[0]).stdout.splitlines()]
    routers = [(line[0], line[2]) for line in seen
               if line[0].startswith(("06:57", "06:59")) and "dev" in line]
    equal(len({mac for mac, _port in routers}), len(set(routers)),
          f"a router's MAC twice: {routers}")


@statement("an L2 gateway joins a VLAN and a VNI: one segment, and a broadcast is seen once (T13)")
def vlan_to_vxlan(_weft):
    with lab("vlan-to-vxlan") as cloud:
        check(cloud.reaches("overlay/a", "10.30.0.50"), "the VNI does not reach the VLAN")
        check(cloud.reaches("printer", "10.30.0.11"), "the VLAN does not reach the VNI")
        cloud.serve("printer", 80)
        equal(cloud.fetch("overlay/a", "10.30.0.50", 80), "hello from printer", "TCP")
        for node, other in (("overlay/a", "printer"), ("printer", "overlay/a")):
            listener = listen(cloud, other)
            broadcast(cloud, node, "one", "the end")
            equal(listener.stdout.readline().strip(), "2", f"frames at {other}")


@statement("access ports: one VLAN sees not one frame of another (T2)")
def vlan_access(_weft):
    with lab("vlan-access") as cloud:
        for address in ("10.120.1.12", "10.120.2.21"):
            check(cloud.reaches("vlan100/w11", address), f"no {address}")
        check(not cloud.ping("vlan100/w11", "10.120.3.31"), "VLAN 300 is reached from VLAN 100")
        listener = listen(cloud, "vlan300/w31")
        broadcast(cloud, "vlan100/w11", "not for them", "nor this")
        cloud.ping("vlan100/w12", "10.120.3.31")
        cloud.run("vlan300/w31", "python3", "-c", SENDER.replace("TEXTS", "['x']"), accept=[0])
        wait_for(lambda: cloud.counter("empty_segment") > 0, "w31 is alone in its VLAN")
        listener.kill()
        equal(listener.communicate()[0], "", "what VLAN 300 has seen")


@statement("trunks: a tag leads to its own segment, and a child comes and goes (T3)")
def vlan_trunks(_weft):
    with lab("vlan-trunks") as cloud:
        check(cloud.reaches("red/p11", "10.120.1.12"), "VLAN 100 does not reach itself")
        check(cloud.reaches("green/p13", "10.120.2.21"), "VLAN 200 does not reach itself")
        check(not cloud.ping("red/p11", "10.120.1.13"), "VLAN 100 reaches VLAN 200")
        check(cloud.reaches("switch/w1", address_of(cloud, "switch/w2")), "the trunk's own segment")
        cloud.weft("port", "set", "red/p12", "--vlan", "101", "--parent", "switch/w2")
        check(not cloud.ping("red/p11", "10.120.1.12"), "a tag that is another's now")
        cloud.weft("port", "set", "red/p12", "--vlan", "100", "--parent", "switch/w2")
        check(cloud.reaches("red/p11", "10.120.1.12"), "the tag is back")
        cloud.weft("port", "remove", "switch/w2")
        state = json.loads(cloud.weft("--json", "port", "show", "red/p12").stdout)["status"]
        equal(state["state"], "waiting", "a child without its parent")


# Takes a great deal by TCP; says how much has come, and how large frames were at eth0 on average.
BULK = """
import socket
def frames():
    with open("/sys/class/net/eth0/statistics/rx_packets") as packets:
        with open("/sys/class/net/eth0/statistics/rx_bytes") as size:
            return int(packets.read()), int(size.read())
server = socket.create_server(("ADDRESS", 5001))
print("ready", flush=True)
client, _ = server.accept()
before, total = frames(), 0
while data := client.recv(1 << 20):
    total += len(data)
after = frames()
print(total, (after[1] - before[1]) // max(after[0] - before[0], 1))
"""
SEND_BULK = """
import socket
with socket.create_connection(("ADDRESS", 5001), timeout=60) as client:
    client.sendall(bytes(30_000_000))
"""


def bulk(cloud, sender, receiver, address):
    """30 MB over a tagged device: all of it, in frames of many packets as without a tag."""
    process = cloud.start(receiver, "python3", "-c", BULK.replace("ADDRESS", address),
                          stdout=subprocess.PIPE, text=True)
    equal(process.stdout.readline().strip(), "ready", f"server at {receiver}")
    done = cloud.run(sender, "python3", "-c", SEND_BULK.replace("ADDRESS", address))
    equal(done.returncode, 0, f"{sender} to {address}: {done.stderr}")
    total, average = map(int, process.stdout.readline().split())
    equal(total, 30_000_000, "what has come")
    check(average > 2000, f"frames were cut to {average} bytes at {receiver}")


@statement("a subnet that passes VLANs: on one host and over two, large frames whole")
def vlan_transparent(_weft):
    with lab("vlan-transparent") as cloud:
        for node, address in (("lan/fw", "10.1.0.12"), ("lan/w", "10.2.0.11"),
                              ("lan/sw", "10.1.0.11"), ("lan/sw", "10.1.0.12"),
                              ("lan/fw", "10.120.0.12"), ("access/n", "10.30.0.13")):
            wait_for(lambda by=node, far=address: cloud.ping(by, far), f"{node} reaches {address}")
        equal(device(cloud, "lan/fw", "eth0")["mtu"], 1446, "a tag has room in the tunnel")
        full = cloud.run("lan/fw", "ping", "-c1", "-W30", "-M", "do", "-s", "1418", "10.1.0.12")
        equal(full.returncode, 0, "a full packet with a tag, over the tunnel")
        bulk(cloud, "lan/fw", "lan/sw", "10.1.0.13")
        bulk(cloud, "lan/fw", "lan/w", "10.1.0.12")
        check(not cloud.ping("lan/sw", "10.2.0.11"), "who has no VLAN 200 reaches it")
        run(WEFT, "lab", "kill", "vlan-transparent", "h1", accept=[0])
        wait_for(lambda: cloud.ping("lan/w", "10.1.0.11"), "a way without the daemon")


def addresses_of(cloud, port):
    return json.loads(cloud.weft("--json", "port", "show", port).stdout)["addresses"]


def address_of(cloud, port):
    return addresses_of(cloud, port)[0]


main(start=False)
