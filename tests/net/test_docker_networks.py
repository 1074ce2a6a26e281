#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What Docker's documentation says of each kind of network, of examples/docker-networks.yaml.

    [h1] front (bridge): web, db       office -- desk, VLAN 50: voice    macvlan: m1 m2, v1
         back  (bridge): store         campus -- printer                 ipvlan l2: i1 i2
         swarm (overlay): one          core   -- router                  ipvlan l3: r1 r2
    [h2] swarm: two
"""
import contextlib
import json
import os

from harness import check, equal, main, statement, wait_for
from labs import lab

STACK = contextlib.ExitStack()


def reaches(cloud, node, address):
    wait_for(lambda: cloud.ping(node, address), f"{node} to reach {address}", 30)


def apart(cloud, node, address):
    check(not cloud.run(node, "ping", "-n", "-c1", "-W1", address).returncode == 0,
          f"{node} reaches {address}")


def mac_of(cloud, node, device="eth0"):
    shown = cloud.run(node, "ip", "-j", "link", "show", device, accept=[0]).stdout
    return json.loads(shown)[0]["address"]


def mac_seen(cloud, node, address):
    shown = json.loads(cloud.run(node, "ip", "-j", "neigh", accept=[0]).stdout)
    return next((entry.get("lladdr") for entry in shown if entry["dst"] == address), None)


@statement("bridge: containers of one bridge reach one another on all ports, and no other bridge")
def bridge(_weft, cloud):
    reaches(cloud, "front/web", "172.18.0.11")
    cloud.serve("front/db", 5432)
    wait_for(lambda: cloud.fetch("front/web", "172.18.0.11", 5432) == "hello from front/db",
             "a port that nobody has published", 30)
    for node, address in (("front/web", "172.19.0.10"), ("back/store", "172.18.0.11")):
        cloud.run(node, "ip", "route", "replace", "default", "dev", "eth0", accept=[0])
        apart(cloud, node, address)


@statement("bridge: a user-defined one resolves names, which the other does not know")
def names(_weft, cloud):
    def asked(node, server, name):
        return cloud.run(node, "dig", "+short", "+time=2", f"@{server}", name).stdout.strip()
    wait_for(lambda: asked("front/web", "172.18.0.2", "db.front") == "172.18.0.11",
             "the address of db", 30)
    equal(asked("back/store", "172.19.0.2", "db.front"), "", "what the other network knows of it")


@statement("bridge: containers are connected and disconnected on the fly")
def on_the_fly(_weft, cloud):
    cloud.weft("port", "add", "back/guest", "--host", "h1", "--subnet", "bridge", "--address",
               "172.19.0.20", "--netns", "docker-networks-front-web", "--ifname", "eth1",
               "--group", "all")
    wait_for(lambda: cloud.run("front/web", "ping", "-n", "-c1", "-W1", "-I", "eth1",
                               "172.19.0.10").returncode == 0, "web to reach the other bridge", 30)
    cloud.weft("port", "remove", "back/guest")
    wait_for(lambda: "eth1" not in cloud.run("front/web", "ip", "link").stdout,
             "the device to go", 30)
    reaches(cloud, "front/web", "172.18.0.11")


@statement("overlay: containers of two hosts are in one network, by VXLAN, with names")
def overlay(_weft, cloud):
    reaches(cloud, "swarm/one", "10.0.1.12")
    reaches(cloud, "swarm/two", "10.0.1.11")
    wait_for(lambda: cloud.run("swarm/two", "dig", "+short", "+time=2", "@10.0.1.2",
                               "one.swarm").stdout.strip() == "10.0.1.11", "the name of one", 30)
    trace = cloud.weft("trace", "swarm/one", "--to", "10.0.1.12", "--icmp", "echo").stdout
    check("into the tunnel" in trace, trace)


@statement("macvlan: a MAC of its own on the physical network; the host is not reached")
def macvlan(_weft, cloud):
    cloud.run("h1", "ip", "address", "add", "192.168.32.9/24", "dev", "eth1", accept=[0])
    for node, address in (("macvlan/m1", "192.168.32.12"), ("macvlan/m1", "192.168.32.50"),
                          ("desk", "192.168.32.12"), ("desk", "192.168.32.9")):
        reaches(cloud, node, address)
    equal(mac_seen(cloud, "desk", "192.168.32.12"), mac_of(cloud, "macvlan/m2"),
          "m2's MAC at the desk")
    apart(cloud, "macvlan/m1", "192.168.32.9")


@statement("macvlan on eth1.50: a VLAN of the trunk, by no device of the kernel's")
def trunk(_weft, cloud):
    reaches(cloud, "macvlan/v1", "192.168.50.50")
    reaches(cloud, "voice", "192.168.50.11")
    check("eth1.50" not in cloud.run("h1", "ip", "link").stdout, "a VLAN device")


@statement("ipvlan l2: the MAC of the parent outside; broadcast is heard, the host is not reached")
def ipvlan_l2(_weft, cloud):
    cloud.run("h1", "ip", "address", "add", "192.168.40.9/24", "dev", "eth2", accept=[0])
    for node, address in (("ipvlan/i1", "192.168.40.12"), ("ipvlan/i1", "192.168.40.50"),
                          ("printer", "192.168.40.12")):
        reaches(cloud, node, address)
    equal(mac_seen(cloud, "printer", "192.168.40.12"), mac_of(cloud, "h1", "eth2"),
          "i2's MAC at the printer")
    apart(cloud, "ipvlan/i1", "192.168.40.9")


@statement("ipvlan l3: reached by a route to the host; no broadcast or multicast gets in")
def ipvlan_l3(_weft, cloud):
    cloud.run("h1", "ip", "address", "add", "10.99.0.10/24", "dev", "eth3", accept=[0])
    apart(cloud, "router", "192.168.214.11")
    cloud.run("router", "ip", "route", "add", "192.168.214.0/24", "via", "10.99.0.10", accept=[0])
    for node, address in (("router", "192.168.214.11"), ("routed/r1", "192.168.214.12"),
                          ("routed/r1", "10.99.0.1")):
        reaches(cloud, node, address)
    before = cloud.counter("broadcast") + cloud.counter("multicast")
    cloud.run("routed/r1", "ping", "-n", "-b", "-c1", "-W1", "192.168.214.255")
    cloud.run("routed/r1", "ping", "-n", "-c1", "-W1", "224.0.0.251")
    check(cloud.counter("broadcast") + cloud.counter("multicast") > before, "it is carried")


@statement("host: listed with its host, in the host's network, and nothing of the VPC is about it")
def host_network(_weft, cloud):
    shown = json.loads(cloud.weft("--json", "port", "show", "front/proxy").stdout)
    status = shown["status"]
    equal((status["state"], status["host"], status["device"]), ("plugged", "h1", None), "status")
    check("host's own network" in status["note"], status["note"])
    equal((shown["mac"], shown["addresses"], shown["security_groups"]), (None, [], []),
          "what it has of the VPC")
    own = os.readlink("/proc/self/ns/net")
    inside = cloud.run("front/proxy", "readlink", "/proc/self/ns/net", accept=[0]).stdout.strip()
    equal(inside, cloud.run("h1", "readlink", "/proc/self/ns/net", accept=[0]).stdout.strip(),
          "the network of the proxy and of its host")
    check(inside != own, "the lab's host is this machine")
    equal(cloud.run("front/web", "dig", "+short", "+time=2", "@172.18.0.2", "proxy.front",
                    accept=[0]).stdout.strip(), "", "the address of its name")
    for words in (("port", "set", "front/proxy", "--mtu", "1400"),
                  ("port", "set", "front/proxy", "--group", "all"),
                  ("port", "set", "front/proxy", "--send-rate", "10M"),
                  ("trace", "front/proxy", "--to", "172.18.0.11", "--icmp", "echo")):
        done = cloud.weft(*words, accept=(1,))
        check("the host's own stack (attach.host)" in done.stderr, f"{words}: {done.stderr}")
    check("attach: {host: true}" in cloud.weft("export").stdout, "the export has lost it")


@statement("host: a port gives up its device for it, and gets one again, live")
def host_network_changes(_weft, cloud):
    def state(name):
        return json.loads(cloud.weft("--json", "port", "show", name).stdout)
    cloud.weft("port", "add", "front/job", "--host", "h1", "--subnet", "bridge", "--address",
               "172.18.0.20", "--netns", "docker-networks-back-store", "--ifname", "eth1",
               "--group", "all")
    reaches(cloud, "front/web", "172.18.0.20")
    cloud.weft("port", "set", "front/job", "--host-network", "on")
    wait_for(lambda: "eth1" not in cloud.run("back/store", "ip", "link").stdout,
             "the device to go", 30)
    equal(state("front/job")["addresses"], [], "its addresses")
    apart(cloud, "front/web", "172.18.0.20")
    cloud.weft("port", "set", "front/job", "--netns", "docker-networks-back-store", "--ifname",
               "eth1", "--address", "172.18.0.20", "--group", "all")
    reaches(cloud, "front/web", "172.18.0.20")
    cloud.weft("port", "remove", "front/job")


@statement("none: a namespace with nothing plugged in")
def none(_weft, cloud):
    cloud.run("h1", "ip", "netns", "add", "docker-none", accept=[0])
    shown = cloud.run("h1", "ip", "-n", "docker-none", "-o", "link", accept=[0]).stdout
    equal(len(shown.splitlines()), 1, f"devices of a container with none: {shown}")
    cloud.run("h1", "ip", "netns", "delete", "docker-none", accept=[0])


@statement("nothing is left behind")
def down(_weft, _cloud):
    STACK.close()


main(lambda _weft: STACK.enter_context(lab("docker-networks")), start=False)
