#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Route tables and what they decide: V12, V18-V20, V22, V24, V26, and ECMP.

     subnet web 10.0.1.0/24 (table main)      subnet edge 10.0.3.0/24
        web1 .11 ---+                           +--- fw1 .11  (source/destination check off)
     subnet db 10.0.2.0/24 (table private)      +--- fw2 .12  (source/destination check off)
        db1  .11 ---+--- router ----------------+--- strict .13 (check on)
                                                +--- small .14  (MTU 1300)
"""
from harness import Netns, check, equal, main, statement, wait_for
from packets import ICMP, ICMPV6, IPV4, IPV6, UDP, ethernet, icmp_echo, ipv4, ipv6, udp

OPEN = """      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}, {protocol: all, from: "::/0"}]
        egress:  [{protocol: all, to: 0.0.0.0/0}, {protocol: all, to: "::/0"}]
"""
INTENT = f"""
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    subnets:
      web:  {{cidr: [10.0.1.0/24, "fd00:b:0:1::/64"]}}
      db:   {{cidr: 10.0.2.0/24, route_table: private}}
      edge: {{cidr: [10.0.3.0/24, "fd00:b:0:3::/64"]}}
    route_tables:
      main:
        routes:
          - {{to: 172.16.0.0/12, via: "port:fw1"}}
          - {{to: 172.16.5.0/24, via: "port:fw2"}}
          - {{to: 172.17.0.0/16, via: blackhole}}
          - {{to: 192.0.2.0/24, via: "port:strict"}}
          - {{to: 198.51.100.0/24, via: ["port:fw1", "port:fw2"]}}
          - {{to: 169.254.0.0/16, via: "port:fw1"}}
      private:
        routes:
          - {{to: 172.16.0.0/12, via: "port:fw2"}}
    security_groups:
{OPEN}    ports:
      web1:
        {{subnet: web, addresses: [10.0.1.11, "fd00:b:0:1::11"], security_groups: [open],
         attach: {{netns: web1}}}}
      db1: {{subnet: db, address: 10.0.2.11, security_groups: [open], attach: {{netns: db1}}}}
      fw1:
        {{subnet: edge, address: 10.0.3.11, security_groups: [open],
         source_destination_check: false, attach: {{netns: fw1}}}}
      fw2:
        {{subnet: edge, address: 10.0.3.12, security_groups: [open],
         source_destination_check: false, attach: {{netns: fw2}}}}
      strict:
        {{subnet: edge, address: 10.0.3.13, security_groups: [open], attach: {{netns: strict}}}}
      small:
        {{subnet: edge, addresses: [10.0.3.14, "fd00:b:0:3::14"], security_groups: [open],
         mtu: 1300, attach: {{netns: small}}}}
"""


class Edge:
    """The workloads, with a wire each."""

    def __init__(self, weft):
        self.netns, self.wires, self.macs = {}, {}, {}
        names = ("web1", "db1", "fw1", "fw2", "strict", "small")
        for name in names:
            self.netns[name] = Netns(name)
        weft.apply(INTENT)
        weft.plugged(*(f"blue/{name}" for name in names))
        for name in names:
            self.wires[name] = self.netns[name].wire()
            self.macs[name] = self.netns[name].mac()
        self.gateways = {name: self.gateway(name, network)
                         for name, network in (("web1", "10.0.1"), ("db1", "10.0.2"))}

    def gateway(self, name, network):
        """The gateway's MAC as the workload's own stack finds it out."""
        def found():
            self.netns[name].silent_ping(f"{network}.1")
            words = self.netns[name].run("ip", "neigh", "show", f"{network}.1").stdout.split()
            return words[words.index("lladdr") + 1] if "lladdr" in words else None
        return wait_for(found, f"MAC of the gateway of {name}")

    def send(self, name, destination, port=5000, payload=None, size=0, flags=0):
        """One UDP packet from a workload through its gateway; the payload marks it."""
        source = {"web1": "10.0.1.11", "db1": "10.0.2.11"}[name]
        payload = payload or f"{name} to {destination} {port}".encode()
        payload += bytes(max(size - 28 - len(payload), 0))
        self.wires[name].send(ethernet(
            self.gateways[name], self.macs[name], IPV4,
            ipv4(source, destination, UDP, udp(source, destination, port, 53, payload),
                 flags=flags)))
        return payload

    def arrives(self, at, name, destination, **options):
        payload = self.send(name, destination, **options)
        return self.wires[at].expect(lambda packet: packet.payload == payload,
                                     f"{payload[:40]} at {at}")


@statement("V20 the longest prefix wins")
def longest_prefix(_weft, edge):
    edge.arrives("fw1", "web1", "172.16.4.9")
    edge.arrives("fw2", "web1", "172.16.5.9")


@statement("V20 a blackhole inside a larger route drops, and names the route")
def blackhole(weft, edge):
    with weft.dropped("blackhole"):
        edge.send("web1", "172.17.1.1")
    trace = weft.trace("blue/web1", "--to", "172.17.1.1", "--udp", "53")
    equal(trace["reason"], "blackhole", "reason of the trace")
    check("172.17.0.0/16" in trace["object"], f"object of the trace: {trace['object']}")


@statement("V18 each subnet uses its own table")
def own_table(_weft, edge):
    edge.arrives("fw2", "db1", "172.16.4.9")
    edge.arrives("fw1", "web1", "172.16.4.9")


@statement("V18 a subnet without a table follows a change of the main table")
def main_table_changes(weft, edge):
    weft.weft("route", "add", "blue/main", "203.0.113.0/24", "--via", "port:fw2")
    edge.arrives("fw2", "web1", "203.0.113.7")
    with weft.dropped("no_route"):
        edge.send("db1", "203.0.113.7")
    weft.weft("route", "remove", "blue/main", "203.0.113.0/24")
    with weft.dropped("no_route"):
        edge.send("web1", "203.0.113.7", port=5001)


@statement("V18 a subnet that is given another table is routed by it at once")
def table_switch(weft, edge):
    weft.http("PATCH", "/v1/vpcs/blue/subnets/db", {"route_table": "main"})
    edge.arrives("fw1", "db1", "172.16.4.9", port=5002)
    weft.http("PATCH", "/v1/vpcs/blue/subnets/db", {"route_table": "private"})
    edge.arrives("fw2", "db1", "172.16.4.9", port=5003)


@statement("V19 the local route reaches every subnet of the VPC from every table")
def local(_weft, edge):
    check(edge.netns["db1"].reaches("10.0.1.11"), "db1 to web1")
    check(edge.netns["web1"].reaches("10.0.2.11"), "web1 to db1")


@statement("V19 inside the VPC's range an address without a port is dropped, not sent to 0.0.0.0/0")
def no_endpoint(weft, edge):
    weft.weft("route", "add", "blue/main", "0.0.0.0/0", "--via", "port:fw1")
    with weft.dropped("no_endpoint"):
        edge.send("web1", "10.0.77.7")
    edge.arrives("fw1", "web1", "8.8.8.8")


@statement("V19 0.0.0.0/0 says nothing about ::/0")
def families(weft, edge):
    with weft.dropped("no_route"):
        edge.wires["web1"].send(ethernet(
            edge.gateways["web1"], edge.macs["web1"], IPV6, ipv6(
                "fd00:b:0:1::11", "2001:db8::1", UDP,
                udp("fd00:b:0:1::11", "2001:db8::1", 1, 53, b"v6"))))


@statement("V22 a covering route does not forward into the reserved ranges")
def reserved(weft, edge):
    edge.arrives("fw1", "web1", "169.254.1.1")
    with weft.dropped("reserved_destination"):
        edge.send("web1", "169.254.169.254")


@statement("V26 with the source/destination check on a port gets nothing that is not its own")
def destination_check(weft, edge):
    with weft.dropped("destination_check"):
        edge.send("web1", "192.0.2.9")
    weft.http("PATCH", "/v1/vpcs/blue/ports/strict", {"source_destination_check": False})
    edge.arrives("strict", "web1", "192.0.2.9", port=5004)


@statement("ECMP: flows spread over the ports of a route, each flow keeps its port")
def ecmp(_weft, edge):
    for wire in ("fw1", "fw2"):
        edge.wires[wire].drain()
    payloads = {}
    for port in range(6000, 6064):
        for _ in range(2):
            payloads[edge.send("web1", "198.51.100.7", port=port)] = port
    last = edge.send("web1", "198.51.100.7", port=6064)

    def collect(name):
        seen = {}
        for packet in edge.wires[name].arrived(lambda packet: packet.protocol == UDP):
            if packet.payload in payloads:
                seen[packet.source_port] = seen.get(packet.source_port, 0) + 1
            done.append(packet.payload == last)
        return seen
    done, seen = [], {"fw1": {}, "fw2": {}}

    def all_there():
        for name, ports in seen.items():
            for port, count in collect(name).items():
                ports[port] = ports.get(port, 0) + count
        return any(done) and sum(sum(ports.values()) for ports in seen.values()) >= 128
    wait_for(all_there, "all packets arrive")
    equal(sum(len(ports) for ports in seen.values()), 64, "flows seen")
    check(all(count == 2 for ports in seen.values() for count in ports.values()),
          f"a flow was split: {seen}")
    check(min(len(ports) for ports in seen.values()) >= 12, f"badly spread: {seen}")


@statement("V12 over the destination's MTU with DF: ICMP type 3 code 4 comes from the gateway")
def too_big(weft, edge):
    edge.wires["web1"].drain()
    with weft.dropped("too_big"):
        edge.send("web1", "10.0.3.14", size=1400, flags=2)
    answer = edge.wires["web1"].expect(lambda packet: packet.protocol == ICMP and packet.kind == 3,
                                       "ICMP destination unreachable")
    equal(answer.code, 4, "code")
    equal(int.from_bytes(answer.rest[2:4], "big"), 1300, "MTU in the message")
    equal(answer.source, "10.0.1.1", "source of the message")


@statement("V12 IPv6 over the destination's MTU: ICMPv6 packet too big")
def too_big_ipv6(_weft, edge):
    edge.wires["web1"].drain()
    edge.wires["web1"].send(ethernet(
        edge.gateways["web1"], edge.macs["web1"], IPV6, ipv6(
            "fd00:b:0:1::11", "fd00:b:0:3::14", UDP,
            udp("fd00:b:0:1::11", "fd00:b:0:3::14", 1, 53, bytes(1352)))))
    answer = edge.wires["web1"].expect(lambda packet: packet.protocol == ICMPV6 and
                                       packet.kind == 2, "packet too big")
    equal(int.from_bytes(answer.rest, "big"), 1300, "MTU in the message")


@statement("V12 a real client finds the MTU out and large pings pass then")
def path_mtu(_weft, edge):
    web1 = edge.netns["web1"]
    web1.run("ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "1372", "10.0.3.14")
    wait_for(lambda: "mtu 1300" in web1.run("ip", "route", "get", "10.0.3.14").stdout,
             "the workload's kernel learned the MTU")
    check(web1.reaches("10.0.3.14", 1, "-M", "do", "-s", "1272"), "ping of 1300 bytes")


@statement("V24 a route whose target is removed stays as a blackhole and does not fall through")
def target_gone(weft, edge):
    edge.arrives("fw2", "web1", "172.16.5.9", port=5005)
    weft.weft("port", "remove", "blue/fw2")
    with weft.dropped("blackhole", 2):
        edge.send("web1", "172.16.5.9", port=5005)
        edge.send("web1", "172.16.5.9", port=5006)
    routes = weft.get("/v1/vpcs/blue/route_tables/main")["routes"]
    route = next((route for route in routes if route["to"] == "172.16.5.0/24"), None)
    check(route, f"the route is gone: {routes}")
    check("blackhole" in str(route), f"does not say that it is a blackhole: {route}")


@statement("V24 ECMP goes on over the ports that are left")
def ecmp_left(_weft, edge):
    for port in range(6100, 6108):
        edge.arrives("fw1", "web1", "198.51.100.7", port=port)


@statement("a route that leads back to the port it came from is dropped")
def loop(weft, edge):
    wire, mac = edge.wires["fw1"], edge.macs["fw1"]
    with weft.dropped("route_loop"):
        wire.send(ethernet(edge.gateway("fw1", "10.0.3"), mac, IPV4, ipv4(
            "10.0.3.11", "172.16.4.9", ICMP, icmp_echo())))


main(Edge)
