#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every file of examples/ comes up as a lab, does what its heading says, and leaves nothing behind.

Each lab draws its own picture in its file. Commands run inside with `weft lab exec`, as a reader of
the guide would type them.
"""
import json
import os
import subprocess

from harness import BUILD, ROOT, WEFT, Lines, check, equal, main, run, statement, wait_for
from labs import lab, left

@statement("two-tenants: same addresses, each tenant reaches its own and only its own")
def two_tenants(_weft):
    with lab("two-tenants") as cloud:
        for tenant in ("blue", "red"):
            check(cloud.reaches(f"{tenant}/web1", "10.0.2.20"), f"{tenant}: ping web to db")
            cloud.serve(f"{tenant}/db1", 5432)
        for tenant in ("blue", "red"):
            equal(cloud.fetch(f"{tenant}/web1", "10.0.2.20", 5432), f"hello from {tenant}/db1",
                  f"{tenant}: what web1 reaches at 10.0.2.20")
        before = cloud.counter("unknown_neighbour")
        check(not cloud.ping("red/web1", "10.0.1.11"), "red reaches blue's web2")
        wait_for(lambda: cloud.counter("unknown_neighbour") > before, "the drop is counted")
        before = cloud.counter("group_ingress")
        equal(cloud.fetch("blue/web1", "10.0.2.20", 5433, 0.3), None, "port 5433, without a rule")
        wait_for(lambda: cloud.counter("group_ingress") > before, "the refusal is counted")
        trace = cloud.trace("blue/web1", "--to", "10.0.2.20", "--tcp", "5433")
        equal(trace["reason"], "group_ingress", "reason")


@statement("names-and-metadata: each tenant has its own names and its ports their own metadata")
def names_and_metadata(_weft):
    with lab("names-and-metadata") as cloud:
        def said(node, *words):
            return cloud.run(node, *words, accept=[0]).stdout.strip()
        equal(said("blue/web1", "dig", "+short", "@10.0.0.2", "db.blue.example"),
              "db1.blue.example.\n10.0.2.20", "blue's database")
        equal(said("red/web1", "dig", "+short", "@10.0.0.2", "db1.red.internal"), "10.0.2.21",
              "red's database")
        check("REFUSED" in said("red/web1", "dig", "@10.0.0.2", "db1.blue.example"),
              "red sees blue's names")
        equal(said("blue/db1", "dig", "+short", "@169.254.169.253", "-x", "10.0.1.11"),
              "web1.blue.example.", "asked in spite of the rules")
        for tenant, name in (("blue", "web1.blue.example"), ("red", "web1.red.internal")):
            equal(said(f"{tenant}/web1", "curl", "-s",
                       "http://169.254.169.254/latest/meta-data/hostname"), name, "hostname")
        equal(said("blue/web1", "curl", "-s", "http://169.254.169.254/latest/user-data"),
              "#!/bin/sh\necho blue", "user data")
        trace = cloud.trace("blue/db1", "--to", "10.0.0.2", "--udp", "53")
        equal((trace["reason"], trace["stages"][-1]["stage"]), ("served", "service"), "trace")


@statement("two-tables-firewall: only the subnet with the table reaches the firewall")
def two_tables(_weft):
    with lab("two-tables-firewall") as cloud:
        cloud.run("shop/fw", "ip", "addr", "add", "172.16.0.1/32", "dev", "lo", accept=[0])
        check(cloud.reaches("shop/pc1", "172.16.0.1"), "office through the firewall")
        before = cloud.counter("no_route")
        check(not cloud.ping("shop/phone1", "172.16.0.1"), "guests reach the firewall's network")
        wait_for(lambda: cloud.counter("no_route") > before, "the drop is counted")
        check(cloud.reaches("shop/phone1", "10.0.1.10"), "guests to office inside the VPC")
        trace = cloud.trace("shop/pc1", "--to", "172.16.0.1", "--icmp", "echo")
        equal(trace["to"]["port"], "shop/fw", "where the trace ends")


@statement("l2-broadcast: a broadcast of one is seen once by each of the others")
def l2_broadcast(_weft):
    with lab("l2-broadcast") as cloud:
        names = ("office/n2", "office/n3", "office/n4")
        watch = {}
        for name in names:
            watch[name] = cloud.start(
                name, "tcpdump", "-lnU", "-i", "eth0", "--immediate-mode", "arp", "or", "ether",
                "proto", "0x88b5", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name in names:
            check(Lines(watch[name].stderr).find("listening"), f"tcpdump at {name}")
        done = cloud.run("office/n1", "arping", "-c1", "-w30", "-I", "eth0", "10.0.1.14")
        check("1 response" in done.stdout or "reply from" in done.stdout, f"arping: {done.stdout}")
        for name in names:
            check(Lines(watch[name].stdout).find("who-has 10.0.1.14"),
                  f"{name} did not see the broadcast")
        for name in ("10.0.1.12", "10.0.1.13", "10.0.1.14"):
            check(cloud.reaches("office/n1", name), f"ping {name}")
        cloud.run("office/n1", "ip", "neigh", "flush", "dev", "eth0")
        check(cloud.run("office/n1", "ping", "-n", "-b", "-c1", "-W1", "10.0.1.255").returncode
              in (0, 1), "a broadcast ping can be sent")


# Asks by a tap who has an address, with each of some tags, and says what the answer has.
TAGGED = """
import sys, time
sys.path.insert(0, "tests/net")
from harness import Tap
from packets import arp_request
tap = Tap("tapvm")
for tag, sender, gateway in (("", "10.1.0.20", "10.1.0.1"), ("81000001", "10.1.0.20", "10.1.0.1"),
                             ("81000064", "10.100.0.20", "10.100.0.1"),
                             ("88a8012c", "10.30.0.20", "10.30.0.1"),
                             ("81000063", "10.1.0.20", "10.1.0.1")):
    frame = arp_request("02:00:00:00:00:20", sender, gateway)
    wanted, answer = bytes.fromhex(tag + "0806"), b""
    deadline = time.monotonic() + (1 if tag == "81000063" else 10)
    while not answer and time.monotonic() < deadline:
        tap.send(frame[:12] + bytes.fromhex(tag) + frame[12:])
        answer = tap.read(0.2) or b""
        if answer[12:].find(wanted) != 0 or answer[12 + len(wanted):][6:8] != bytes([0, 2]):
            answer = b""
    print(tag or "none", "answered" if answer else "silence")
"""


@statement("trunk-to-a-guest: each tag is answered with itself, the native one with or without")
def trunk_to_a_guest(_weft):
    with lab("trunk-to-a-guest") as cloud:
        said = cloud.run("h1", "python3", "-c", TAGGED, accept=[0]).stdout.split()
        equal(dict(zip(said[::2], said[1::2])),
              {"none": "answered", "81000001": "answered", "81000064": "answered",
               "88a8012c": "answered", "81000063": "silence"}, "the answers")
        wait_for(lambda: cloud.counter("tagged") > 0, "a tag of nobody's is counted")
        trace = cloud.trace("red/client", "--to", "10.100.0.20", "--icmp", "echo")
        equal(trace["to"]["port"], "red/vm", "where the trace ends")
        for tag, address, port in (([], "10.1.0.10", "office/desk"),
                                   (["--vlan", "1"], "10.1.0.10", "office/desk"),
                                   (["--vlan", "100"], "10.100.0.10", "red/client"),
                                   (["--vlan", "802.1ad:300"], "10.30.0.10", "blue/client")):
            trace = cloud.trace("edge/vm", *tag, "--to", address, "--icmp", "echo")
            equal(trace["to"]["port"], port, f"where the machine's frame with {tag} ends")
        trace = cloud.trace("edge/vm", "--vlan", "99", "--to", "10.100.0.10", "--icmp", "echo")
        equal(trace["reason"], "tagged", "a tag of nobody's")


def by_hand(cloud, *lines):
    for line in lines:
        cloud.run("h1", *line.split(), accept=[0])


@statement("adopted-devices: a container's veth, a NIC of the host's, a cable of macvlans (T4)")
def adopted_devices(_weft):
    names = [f"adopted-{name}" for name in ("c1", "c2", "far")]
    with lab("adopted-devices") as cloud:
        def plugged(port):
            wait_for(lambda: "plugged" in cloud.weft("port", "show", port).stdout, f"{port} is in")
        try:
            for name in names:
                run("ip", "netns", "add", name, accept=[0])
            by_hand(cloud, "ip link add c1-host type veth peer name eth0 "
                           "address 02:00:00:00:01:21 netns adopted-c1",
                    "ip link add e0 type veth peer name eth0 netns adopted-far",
                    "ip address add 10.120.1.200/24 dev e0", "ip link set e0 up",
                    "ip link add t0 type veth peer name t1", "ip link set t1 up",
                    "ip link add link t1 name mv2 type macvlan mode bridge",
                    "ip link set mv2 netns adopted-c2",
                    "ip -n adopted-c1 address add 10.120.1.21/24 dev eth0",
                    "ip -n adopted-c1 link set eth0 up",
                    "ip -n adopted-far address add 10.120.1.50/24 dev eth0",
                    "ip -n adopted-far link set eth0 up",
                    "ip -n adopted-c2 address add 10.120.1.31/24 dev mv2",
                    "ip -n adopted-c2 link set mv2 up")
            for port, *words in (
                    ("c1", "--device", "c1-host", "--address", "10.120.1.21", "--mac",
                     "02:00:00:00:01:21", "--group", "open"),
                    ("nic", "--device", "e0", "--link", "on"),
                    ("trunk", "--device", "t0", "--link", "on"),
                    ("tag", "--parent", "trunk", "--vlan", "100", "--link", "on")):
                cloud.weft("port", "add", f"office/{port}", "--subnet",
                           "guests" if port == "tag" else "lan", *words)
                plugged(f"office/{port}")
            for address in ("10.120.1.21", "10.120.1.50", "10.120.1.31"):
                wait_for(lambda a=address: cloud.ping("office/n1", a), f"n1 reaches {address}")
            check(cloud.reaches("h1", "10.120.1.50"), "the host has lost its NIC")
            far = run("ip", "netns", "exec", "adopted-far", "ping", "-c1", "-W2", "10.120.1.31")
            equal(far.returncode, 0, "from the wire to a macvlan")
        finally:
            for name in names:
                run("ip", "netns", "delete", name)


@statement("T1 three-switches: a broadcast is seen once, and a link by mistake is cut")
def three_switches(_weft):
    with lab("three-switches") as cloud:
        check(cloud.reaches("s1/n1", "10.120.1.12"), "n1 reaches n3")
        watch = cloud.start("s3/n3", "tcpdump", "-lnU", "-i", "eth0", "--immediate-mode", "arp",
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(Lines(watch.stderr).find("listening"), "tcpdump at n3")
        for one, other in (("s1", "s3"), ("s3", "s1")):
            cloud.weft("port", "add", f"{one}/wrong", "--subnet", "lan", "--patch",
                       f"{other}/wrong")
        wait_for(lambda: "held" in cloud.weft("port", "show", "s1/wrong").stdout, "the link is cut")
        for address in ("10.120.1.97", "10.120.1.98"):
            cloud.run("s1/n1", "arping", "-c1", "-I", "eth0", address)
        lines = Lines(watch.stdout)
        check(lines.find("who-has 10.120.1.97"), "the broadcast")
        check("10.120.1.98" in lines.find("who-has"), "the broadcast came twice")


@statement("dual-stack: both families pass the same rules")
def dual_stack(_weft):
    with lab("dual-stack") as cloud:
        cloud.serve("site/b1", 8080)
        cloud.serve("site/b1", 8081)
        for address in ("10.0.2.10", "fd00:b:0:2::10"):
            check(cloud.reaches("site/f1", address), f"ping {address}")
            equal(cloud.fetch("site/f1", address, 8080), "hello from site/b1", f"tcp to {address}")
            before = cloud.counter("group_ingress")
            equal(cloud.fetch("site/f1", address, 8081, 0.3), None, f"tcp 8081 to {address}")
            wait_for(lambda b=before: cloud.counter("group_ingress") > b, "the refusal is counted")
        for gateway in ("10.0.1.1", "fd00:b:0:1::1"):
            check(cloud.reaches("site/f1", gateway), f"ping of the gateway {gateway}")


@statement("tap-port: a program behind a tap answers ping")
def tap_port(_weft):
    with lab("tap-port") as cloud:
        program = cloud.start("h1", BUILD / "tap-echo", "tapvm", stdout=subprocess.PIPE)
        lines = Lines(program.stdout)
        check(lines.find("holds tapvm"), "the program holds the tap")
        wait_for(lambda: cloud.ping("lan/client", "10.0.1.20"), "the tap answers")
        check(lines.find("reply 1"), "the program saw the request")


@statement("dhcp: workloads that were not set up ask, and reach the one that was")
def dhcp(_weft):
    with lab("dhcp") as cloud:
        script = str(ROOT / "examples" / "udhcpc.sh")
        for name, address in (("acme/pc", "10.0.1.11"), ("acme/pad", "10.0.1.12")):
            check(not cloud.ping(name, "10.0.1.20"), f"{name} has an address before it asks")
            said = cloud.run(name, "busybox", "udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s",
                             script, "-O", "staticroutes", accept=[0]).stdout
            check(f"address {address}/24 router 10.0.1.1 dns 10.0.1.2 domain acme.example "
                  "lease 7200" in said, f"what udhcpc got: {said}")
            check(cloud.reaches(name, "10.0.1.20"), f"{name} reaches the server")
        check("192.168.0.0/16 via 10.0.1.20" in cloud.run("acme/pc", "ip", "route").stdout,
              "the classless route")
        wait_for(lambda: cloud.ping("acme/pc", "fd00:c:0:1::20"), "the address of SLAAC works")
        cloud.run("acme/box", "busybox", "udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s", script,
                  accept=[0])
        check(cloud.reaches("acme/box", "10.0.1.20"), "from the other subnet, by the router it got")


@statement("dhcp-relay: a dnsmasq beside the host gives what the port has")
def dhcp_relay(_weft):
    with lab("dhcp-relay") as cloud:
        cloud.start("server", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
                    "--port=0", "--interface=eth0", "--bind-interfaces", "--no-ping",
                    "--user=root", "--pid-file=", "--leasefile-ro",
                    "--dhcp-circuitid=set:pc,acme/pc",
                    "--dhcp-option=option:router,10.0.1.1",
                    "--dhcp-range=tag:pc,10.0.1.11,10.0.1.11,255.255.255.0",
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: ":67 " in cloud.run("server", "ss", "-Hlnu").stdout, "dnsmasq listens")
        said = cloud.run("acme/pc", "busybox", "udhcpc", "-f", "-q", "-n", "-i", "eth0", "-s",
                         str(ROOT / "examples" / "udhcpc.sh"), accept=[0]).stdout
        check("address 10.0.1.11/24 router 10.0.1.1" in said, f"what udhcpc got: {said}")
        check(cloud.reaches("acme/pc", "10.0.1.1"), "ping of the gateway")


@statement("mirror: the sensor sees TCP port 80 of the client, both directions, and nothing else")
def mirror(_weft):
    with lab("mirror") as cloud:
        cloud.serve("shop/server", 80)
        watch = cloud.start("shop/sensor", "tcpdump", "-lvnU", "-i", "eth0", "--immediate-mode",
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(Lines(watch.stderr).find("listening"), "tcpdump at the sensor")
        lines = Lines(watch.stdout)
        check(cloud.reaches("shop/client", "10.0.1.12"), "ping, which is not chosen")
        equal(cloud.fetch("shop/client", "10.0.1.12", 80), "hello from shop/server", "tcp 80")
        first = lines.find("(tos")
        check(first and "proto TCP" in first, f"the first copy: {first}")
        check(lines.find("10.0.1.12.80 > 10.0.1.11"), "the reply")
        check(not cloud.ping("shop/client", "10.0.1.13"), "the sensor is reached")


@statement("flow-logs: the file says what was let through and what was refused, and IPFIX leaves")
def flow_logs(_weft):
    with lab("flow-logs") as cloud:
        cloud.serve("blue/db1", 5432)
        equal(cloud.fetch("blue/web1", "10.0.2.20", 5432), "hello from blue/db1", "tcp 5432")
        equal(cloud.fetch("blue/web1", "10.0.2.20", 22, 0.3), None, "tcp 22")
        cloud.weft("flow-log", "write")
        path = "/run/weft/lab/flow-logs/h1/state/flow-logs/blue.jsonl"
        with open(path, encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        for number, action in ((5432, "ACCEPT"), (22, "REJECT")):
            equal({record["action"] for record in records if record["port"] == "db1" and
                   record.get("destination_port") == number}, {action}, f"tcp {number} at db1")
        collectors = json.loads(cloud.weft("--json", "flow-log", "list").stdout)["collectors"]
        check(collectors[0]["records"] >= len(records), f"sent by IPFIX: {collectors}")


@statement("a lab's daemon may be killed, stopped, started and restarted by its commands")
def lab_daemon(_weft):
    with lab("two-tenants") as cloud:
        for verb in ("kill", "start", "stop", "start", "restart"):
            run(WEFT, "lab", verb, "two-tenants", "h1", accept=[0])
            check(cloud.reaches("blue/web1", "10.0.2.20"), f"ping after {verb}")
        equal(json.loads(cloud.weft("--json", "status").stdout)["objects"]["vpcs"], 2, "VPCs")


@statement("a lab file with a fault is refused and leaves nothing")
def bad_lab(_weft):
    before = left()
    path = "/run/weft/bad.yaml"
    outside = "vpcs: {a: {cidrs: [10.0.0.0/16], subnets: {s: {cidr: 11.0.0.0/24}}}}\n"
    for text in ("lab: {name: bad}\n" + outside, "lab: {nam: bad}\n",
                 "lab: {name: bad}\nvpcs: [\n"):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = run(WEFT, "lab", "up", path)
        equal(done.returncode, 1, f"status for {text!r} ({done.stderr})")
        check(done.stderr.startswith("weft: "), done.stderr)
        equal(left(), before, "what is left")
    equal(run(WEFT, "lab", "exec", "ghost", "h1", "--", "true").returncode, 1, "exec in no lab")


main(start=False)
