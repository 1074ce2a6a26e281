#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""direct: l3s, through the host's own stack, in both families, over restarts and to its end.

    s1 10.3.0.11  s2 .12  (fd00:3::b, ::c)
         \\        /
          weft == ws...h, the host's stack, nft, up0 .10 ===== eth0 .50 (namespace server)
                                        192.168.8.0/24, fd00:8::/64
"""
import json
import os
import signal

from harness import WEFTD, Netns, check, equal, main, run, statement, tcp_works, wait_for
from traffic import Load

INTENT = """
hosts: {HOST: {uplinks: {guarded: up0}}}
vpcs:
  blue:
    cidrs: [10.3.0.0/16, "fd00:3::/48"]
    subnets:
      l3s:
        cidr: [10.3.0.0/24, "fd00:3::/64"]
        segment: {type: flat, network: guarded, direct: l3s}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}, {protocol: all, from: "::/0"}]
    ports:
      s1:
        subnet: l3s
        addresses: [10.3.0.11, "fd00:3::b"]
        security_groups: [open]
        attach: {netns: s1}
      s2:
        subnet: l3s
        addresses: [10.3.0.12, "fd00:3::c"]
        security_groups: [open]
        attach: {netns: s2}
""".replace("HOST", os.uname().nodename)
BOTH = (("10.3.0.11", "10.3.0.12", "192.168.8.50"), ("fd00:3::b", "fd00:3::c", "fd00:8::50"))
GUARD = """
table inet guard {
    counter out4 {}
    counter in4 {}
    counter out6 {}
    counter in6 {}
    chain forward {
        type filter hook forward priority filter
        oifname "up0" meta nfproto ipv4 counter name out4
        oifname "up0" meta nfproto ipv6 counter name out6
        iifname "up0" ct state established,related meta nfproto ipv4 counter name in4 accept
        iifname "up0" ct state established,related meta nfproto ipv6 counter name in6 accept
        iifname "up0" counter drop
    }
}
"""


def forward(on):
    for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        run("sysctl", "-qw", f"{key}={on}", accept=[0])


def shown(*words):
    return json.loads(run("ip", "-j", *words, accept=[0]).stdout or "[]")


def state():
    """What a host's own tools say of it, without what changes by itself."""
    links = sorted((link["ifname"], "PROMISC" in link["flags"]) for link in shown("link"))
    routes = sorted((str(route.get("type")), route["dst"], route.get("gateway", ""), route["dev"])
                    for family in ("-4", "-6")
                    for route in shown(family, "route", "show", "table", "all"))
    rules = [run("ip", family, "rule", accept=[0]).stdout for family in ("-4", "-6")]
    kept = sorted((entry["dst"], entry["dev"]) for entry in shown("neigh", "show", "nud",
                                                                  "permanent"))
    filters = run("tc", "filter", "show", "dev", "up0", "ingress").stdout
    settings = [run("sysctl", "-n", key, accept=[0]).stdout
                for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding",
                            "net.ipv4.conf.up0.forwarding", "net.ipv6.conf.up0.forwarding",
                            "net.ipv4.conf.up0.rp_filter", "net.ipv4.conf.up0.proxy_arp")]
    pins = sorted(os.listdir("/sys/fs/bpf/weft")) if os.path.isdir("/sys/fs/bpf/weft") else []
    return {"links": links, "routes": routes, "rules": rules, "neighbours": kept,
            "filters": filters, "settings": settings, "pins": pins}


class Machine:
    """The host has up0, with a server at its other end that knows the way to the subnet."""

    def __init__(self, weft):
        self.server = Netns("server")
        run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", "server",
            accept=[0])
        run("sysctl", "-qw", "net.ipv6.conf.up0.accept_dad=0", accept=[0])
        for address in ("192.168.8.10/24", "fd00:8::10/64"):
            run("ip", "address", "add", address, "dev", "up0", "nodad", accept=[0])
        run("ip", "link", "set", "up0", "up", accept=[0])
        for words in (["address", "add", "192.168.8.50/24", "dev", "eth0"],
                      ["address", "add", "fd00:8::50/64", "dev", "eth0", "nodad"],
                      ["link", "set", "eth0", "up"],
                      ["route", "add", "10.3.0.0/24", "via", "192.168.8.10"],
                      ["route", "add", "fd00:3::/64", "via", "fd00:8::10"]):
            self.server.run("ip", *words, accept=[0])
        self.s1, self.s2 = Netns("s1"), Netns("s2")
        forward(0)
        weft.end()
        run(WEFTD, "--name", weft.name, "--state", weft.state, "--remove-datapath", accept=[0])
        self.before = state()
        weft.start()
        weft.apply(INTENT)
        weft.plugged("blue/s1", "blue/s2")

    def reached(self):
        for own, _, far in BOTH:
            wait_for(lambda a=far: self.s1.ping(a), f"s1 reaches {far}")
            wait_for(lambda a=own: self.server.ping(a), f"the server reaches {own}")


def routes():
    return {route["dst"] for family in ("-4", "-6") for route in shown(family, "route")}


def problems(weft):
    return weft.weft("status").stdout


@statement("a host that does not forward is told which setting is missing, of each family")
def told(weft, _machine):
    wait_for(lambda: "net.ipv4.ip_forward=1" in problems(weft), "IPv4 is named")
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", accept=[0])
    weft.weft("subnet", "set", "blue/l3s", "--dhcp")
    wait_for(lambda: "net.ipv6.conf.all.forwarding=1" in problems(weft), "IPv6 is named")
    run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", accept=[0])
    weft.weft("subnet", "set", "blue/l3s", "--no-dhcp")
    wait_for(lambda: "forwarding" not in problems(weft), "all is well")


@statement("IPv6 as IPv4: both ways, siblings, the host itself, TCP, and the host's firewall")
def both(_weft, machine):
    machine.reached()
    for own, sibling, far in BOTH:
        check(machine.s1.reaches(sibling), f"s1 reaches {sibling}")
        check(run("ping", "-n", "-c1", "-W2", own).returncode == 0, f"the host reaches {own}")
        check(tcp_works(machine.s1, machine.server, far, 7001), f"TCP to {far}")
        check(tcp_works(machine.server, machine.s2, sibling, 7002), f"TCP to {sibling}")
    run("nft", GUARD, accept=[0])
    for own, sibling, far in BOTH:
        check(machine.s1.reaches(far), f"s1 reaches {far} past the firewall")
        check(not machine.server.ping(own), f"the firewall lets a new one to {own} in")
        check(machine.s1.reaches(sibling), "siblings are not the host's affair")
    listed = json.loads(run("nft", "-j", "list", "counters", accept=[0]).stdout)["nftables"]
    seen = {entry["counter"]["name"]: entry["counter"]["packets"] for entry in listed
            if "counter" in entry}
    check(all(seen[name] for name in ("out4", "in4", "out6", "in6")), f"the firewall saw {seen}")
    run("nft", "delete", "table", "inet", "guard", accept=[0])


@statement("large packets: fragments of both families, and \"too big\" of the host for a port")
def large(_weft, machine):
    for own, _, far in BOTH:
        check(machine.s1.reaches(far, 1, "-s", "4000"), f"fragments to {far}")
        check(machine.server.reaches(own, 1, "-s", "4000"), f"fragments to {own}")
    machine.server.run("ip", "link", "set", "eth0", "mtu", "1300", accept=[0])
    run("ip", "link", "set", "up0", "mtu", "1300", accept=[0])
    for _, _, far in BOTH:
        def learned(address=far):
            machine.s1.run("ping", "-n", "-c1", "-W0.2", "-M", "do", "-s", "1400", address)
            return "mtu 1300" in machine.s1.run("ip", "route", "get", address).stdout
        wait_for(learned, f"s1 learns what {far} takes")
    machine.server.run("ip", "link", "set", "eth0", "mtu", "1500", accept=[0])
    run("ip", "link", "set", "up0", "mtu", "1500", accept=[0])


@statement("weftd stops, dies and starts under load, in both families: no packet is lost")
def restarts(weft, machine):
    machine.reached()
    for own, _, far in BOTH:
        with Load(machine.s1, machine.server, far, 7100, 7101) as out, \
                Load(machine.server, machine.s1, own, 7102, 7103) as back:
            for how in (signal.SIGKILL, signal.SIGTERM):
                weft.end(how)
                out.goes_on()
                back.goes_on()
                weft.start()
                weft.plugged("blue/s1", "blue/s2")
                out.goes_on()
                back.goes_on()


@statement("what somebody has deleted is there again after a restart, and what is too much is gone")
def repaired(weft, machine):
    check({"10.3.0.11", "10.3.0.12", "fd00:3::b", "fd00:3::c"} <= routes(), str(routes()))
    device = next(route["dev"] for route in shown("route") if route["dst"] == "10.3.0.11")
    weft.end(signal.SIGKILL)
    run("ip", "route", "delete", "10.3.0.11", accept=[0])
    run("ip", "-6", "route", "delete", "fd00:3::b", accept=[0])
    run("ip", "route", "add", "10.3.0.77", "via", "169.254.87.1", "dev", device, "onlink",
        accept=[0])
    run("ip", "neigh", "flush", "dev", device, "nud", "permanent")
    weft.start()
    weft.plugged("blue/s1", "blue/s2")
    wait_for(lambda: {"10.3.0.11", "fd00:3::b"} <= routes() and "10.3.0.77" not in routes(),
             "the routes are those of the ports")
    machine.reached()


@statement("a port's routes go with it, the pair with the last l3s segment")
def routes_go(weft, machine):
    weft.weft("port", "remove", "blue/s2")
    wait_for(lambda: not {"10.3.0.12", "fd00:3::c"} & routes(), "both routes of s2 go")
    weft.weft("subnet", "set", "blue/l3s", "--direct", "l3")
    wait_for(lambda: not {"10.3.0.11", "fd00:3::b"} & routes(), "the routes of s1 go")
    pairs = [link["ifname"] for link in shown("link") if link["ifname"].startswith("w") and
             link["ifname"].endswith("h")]
    equal(pairs, [], "pairs that are left")
    weft.weft("subnet", "set", "blue/l3s", "--direct", "l3s")
    machine.reached()


@statement("--remove-datapath leaves the host as it was: devices, routes, rules, filters, settings")
def removed(weft, machine):
    weft.end()
    run(WEFTD, "--name", weft.name, "--state", weft.state, "--remove-datapath", accept=[0])
    forward(0)
    after = state()
    for what, before in machine.before.items():
        equal(after[what], before, what)
    forward(1)
    weft.start()
    weft.plugged("blue/s1")
    machine.reached()


main(Machine)
