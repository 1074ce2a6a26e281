#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Security groups, ACLs and connection state: V37-V39, V41-V45, established keep and cut.

      subnet web 10.0.1.0/24                     subnet db 10.0.2.0/24 (ACL edge)
         web1 .11  groups lb                         db1 .11  groups db
         web2 .12  groups web, admin                 db2 .12  groups db
         web3 .13  group new (nothing said in it)
"""
import contextlib
import socket

from harness import (SECONDS, Netns, check, connect, equal, knock, listen, main, pair, statement,
                     talks, tcp_works, wait_for)
from packets import (ACK, ICMP, IPV4, RST, SYN, TCP, UDP, ethernet, icmp, icmp_echo, ipv4, tcp, udp)

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    established: keep
    subnets:
      web: {cidr: 10.0.1.0/24}
      db:  {cidr: 10.0.2.0/24, acl: edge}
    acls:
      edge:
        ingress:
          - {number: 200, action: allow, protocol: all, from: 0.0.0.0/0}
        egress:
          - {number: 200, action: allow, protocol: all, to: 0.0.0.0/0}
    security_groups:
      lb:
        ingress: [{protocol: icmp, from: 0.0.0.0/0}]
        egress: [{protocol: all, to: 0.0.0.0/0}]
      web:
        ingress:
          - {protocol: tcp, ports: "80,8000-8010", from: "group:lb"}
          - {protocol: udp, ports: 53, from: 10.0.0.0/16}
          - {protocol: icmp, type: 8, from: 10.0.1.11/32}
        egress: [{protocol: all, to: 0.0.0.0/0}]
      admin:
        ingress: [{protocol: tcp, ports: 22, from: 10.0.1.0/24}]
      db:
        ingress: [{protocol: tcp, ports: 5432, from: "group:web"},
                  {protocol: tcp, ports: 5433, from: 0.0.0.0/0}]
        egress: [{protocol: tcp, ports: 80, to: "group:web"}]
      new: {}
    ports:
      web1: {subnet: web, address: 10.0.1.11, security_groups: [lb], attach: {netns: web1}}
      web2: {subnet: web, address: 10.0.1.12, security_groups: [web, admin], attach: {netns: web2}}
      web3: {subnet: web, address: 10.0.1.13, security_groups: [new], attach: {netns: web3}}
      db1:  {subnet: db, address: 10.0.2.11, security_groups: [db], attach: {netns: db1}}
      db2:  {subnet: db, address: 10.0.2.12, security_groups: [db], attach: {netns: db2}}
"""


class Shop:
    """The workloads by name."""

    def __init__(self, weft):
        names = ("web1", "web2", "web3", "db1", "db2")
        for name in names:
            setattr(self, name, Netns(name))
        weft.apply(INTENT)
        weft.plugged(*(f"blue/{name}" for name in names))


def udp_round_trip(client, server, address, port):
    """Whether a datagram gets there and its answer back."""
    one = client.socket(kind=socket.SOCK_DGRAM, timeout=SECONDS)
    other = server.socket(kind=socket.SOCK_DGRAM, bind=("0.0.0.0", port), timeout=SECONDS)
    with one, other:
        one.sendto(b"question", (address, port))
        try:
            data, origin = other.recvfrom(100)
            other.sendto(data, origin)
            return one.recv(100) == b"question"
        except TimeoutError:
            return False


@statement("V37 rules allow, the union over all groups of a port counts")
def union(_weft, shop):
    check(tcp_works(shop.web1, shop.web2, "10.0.1.12", 80), "tcp 80 by group web")
    check(tcp_works(shop.web1, shop.web2, "10.0.1.12", 8005), "tcp 8005 by a range of group web")
    check(tcp_works(shop.web1, shop.web2, "10.0.1.12", 22), "tcp 22 by group admin")
    check(udp_round_trip(shop.web1, shop.web2, "10.0.1.12", 53), "udp 53 by group web")


@statement("V37 what no rule allows is refused, and the drop names the group")
def refused(weft, shop):
    with weft.dropped("group_ingress"), knock(shop.web1, "10.0.1.12", 81):
        pass
    with weft.dropped("group_ingress"), knock(shop.web1, "10.0.1.12", 8011):
        pass
    drop = wait_for(lambda: next((drop for drop in weft.get("/v1/drops?port=blue/web1")["drops"]
                                  if drop.get("destination_port") == 8011), None), "drop event")
    equal(drop["reason"], "group_ingress", "reason")
    check("security group blue/" in drop["object"], f"object: {drop['object']}")
    equal((drop["source"], drop["destination"], drop["protocol"]),
          ("10.0.1.11", "10.0.1.12", "tcp"), "the packet")


@statement("V37 a new group: nothing in, everything out")
def new_group(weft, shop):
    with weft.dropped("group_ingress"):
        shop.web1.silent_ping("10.0.1.13")
    check(shop.web3.reaches("10.0.1.11"), "ping out of the new group")


@statement("V37 ICMP rules look at the type")
def icmp_types(weft, shop):
    check(shop.web1.reaches("10.0.1.12"), "echo request is allowed")
    wire = shop.web1.wire()
    with weft.dropped("group_ingress"):
        wire.send(ethernet(shop.web2.mac(), wire.mac, IPV4, ipv4(
            "10.0.1.11", "10.0.1.12", ICMP, icmp(13, 0, b"\0\1\0\1", bytes(12)))))


@statement("V37 egress rules: what the sender's groups do not allow does not leave")
def egress(weft, shop):
    with weft.dropped("group_egress"), knock(shop.db1, "10.0.1.11", 443):
        pass
    trace = weft.trace("blue/db1", "--to", "10.0.1.11", "--tcp", "443")
    equal(trace["reason"], "group_egress", "reason of the trace")
    check("blue/db" in trace["object"], f"object of the trace: {trace['object']}")


@statement("V38 replies pass whatever the rules say, in both directions")
def replies(_weft, shop):
    # web1 has no rule that lets tcp in, db1 none that lets 5433's answers out.
    check(tcp_works(shop.web1, shop.db1, "10.0.2.11", 5433), "connection into db1")
    check(shop.web3.reaches("10.0.1.11"), "the answer to a ping comes into group new")


@statement("V38 an ICMP error that belongs to a connection passes, another does not")
def related(weft, shop):
    # db1 may send nothing but tcp 80 of its own; the answer to a closed UDP port is related.
    weft.http("PATCH", "/v1/vpcs/blue/security_groups/db", {"ingress": [
        {"protocol": "tcp", "ports": "5432", "from": "group:web"},
        {"protocol": "tcp", "ports": "5433", "from": "0.0.0.0/0"},
        {"protocol": "udp", "ports": "9999", "from": "0.0.0.0/0"}]})
    with shop.web3.socket(kind=socket.SOCK_DGRAM) as client:
        client.connect(("10.0.2.11", 9999))

        def refused_by_peer():
            try:
                client.send(b"anybody?")
            except ConnectionRefusedError:
                return True
            return False
        wait_for(refused_by_peer, "port unreachable reaches the sender")
    wire = shop.web1.wire()
    inner = ipv4("10.0.1.12", "10.0.1.11", UDP, udp("10.0.1.12", "10.0.1.11", 1, 2, b"never sent"))
    with weft.dropped("icmp_unrelated"):
        wire.send(ethernet(shop.web2.mac(), wire.mac, IPV4, ipv4(
            "10.0.1.11", "10.0.1.12", ICMP, icmp(3, 3, bytes(4), inner[:28]))))


@statement("V38 TCP that is neither a SYN nor of a known connection is dropped")
def no_connection(weft, shop):
    wire = shop.web1.wire()

    def segment(flags):
        return ethernet(shop.web2.mac(), wire.mac, IPV4, ipv4("10.0.1.11", "10.0.1.12", TCP, tcp(
            "10.0.1.11", "10.0.1.12", 40000, 80, flags)))
    with weft.dropped("no_connection", 2):
        wire.send(segment(ACK))
        wire.send(segment(SYN | ACK))
    with weft.dropped("bad_tcp_flags"):
        wire.send(segment(SYN | RST))


@statement("V38 other protocols are tracked by addresses and protocol")
def other_protocol(weft, shop):
    weft.http("PATCH", "/v1/vpcs/blue/security_groups/admin", {"ingress": [
        {"protocol": "tcp", "ports": "22", "from": "10.0.1.0/24"},
        {"protocol": 132, "from": "10.0.1.11/32"}]})
    one, other = shop.web1.wire(), shop.web2.wire()
    one.send(ethernet(other.mac, one.mac, IPV4, ipv4("10.0.1.11", "10.0.1.12", 132, b"ask " * 5)))
    other.expect(lambda packet: packet.protocol == 132, "protocol 132 at web2")
    other.send(ethernet(one.mac, other.mac, IPV4, ipv4("10.0.1.12", "10.0.1.11", 132, b"ans " * 5)))
    one.expect(lambda packet: packet.protocol == 132, "its answer, which no rule allows")


@statement("V41 a group as peer matches its members, and follows a change of membership")
def group_peer(weft, shop):
    check(tcp_works(shop.web2, shop.db1, "10.0.2.11", 5432), "member of web to db")
    with weft.dropped("group_ingress"), knock(shop.web1, "10.0.2.11", 5432):
        pass
    weft.weft("port", "set", "blue/web1", "--group", "lb", "--group", "web")
    check(tcp_works(shop.web1, shop.db1, "10.0.2.11", 5432), "new member of web to db")
    weft.weft("port", "set", "blue/web1", "--group", "lb")
    with weft.dropped("group_ingress"), knock(shop.web1, "10.0.2.11", 5432):
        pass


@statement("V41 default group: its own members reach one another, nobody else gets in")
def default_group(weft, shop):
    for port in ("web3", "db2"):
        weft.http("PATCH", f"/v1/vpcs/blue/ports/{port}", {"security_groups": ["default"]})
    check(shop.web3.reaches("10.0.2.12"), "member to member")
    with weft.dropped("group_ingress"):
        shop.web1.silent_ping("10.0.2.12")


def set_acl(weft, ingress, egress="allow"):
    allow = {"number": 200, "action": "allow", "protocol": "all"}
    weft.http("PUT", "/v1/vpcs/blue/acls/edge", {
        "ingress": ingress + [dict(allow, **{"from": "0.0.0.0/0"})],
        "egress": [dict(allow, to="0.0.0.0/0")] if egress == "allow" else egress})


@statement("V42 ACL: the lowest number decides")
def acl_order(weft, shop):
    set_acl(weft, [{"number": 100, "action": "deny", "protocol": "tcp", "ports": "5433",
                    "from": "10.0.1.11/32"},
                   {"number": 90, "action": "allow", "protocol": "tcp", "ports": "5433",
                    "from": "10.0.1.12/32"}])
    with weft.dropped("acl_ingress"), knock(shop.web1, "10.0.2.11", 5433):
        pass
    check(tcp_works(shop.web2, shop.db1, "10.0.2.11", 5433), "rule 90 comes before rule 100")
    trace = weft.trace("blue/web1", "--to", "10.0.2.11", "--tcp", "5433")
    check("rule 100" in trace["object"] and "blue/edge" in trace["object"],
          f"object of the trace: {trace['object']}")


@statement("V42 ACL: nothing matches, the final deny decides; a new ACL denies all")
def acl_final(weft, shop):
    weft.http("PUT", "/v1/vpcs/blue/acls/edge", {"ingress": [], "egress": []})
    with weft.dropped("acl_ingress"), knock(shop.web2, "10.0.2.11", 5433):
        pass
    with weft.dropped("acl_egress"), knock(shop.db1, "10.0.1.12", 80):
        pass


@statement("V42 ACL: between ports of one subnet it is not asked")
def acl_inside(weft, shop):
    weft.http("PATCH", "/v1/vpcs/blue/ports/db2", {"security_groups": ["db", "default"]})
    weft.http("PATCH", "/v1/vpcs/blue/ports/db1", {"security_groups": ["db", "default"]})
    check(tcp_works(shop.db1, shop.db2, "10.0.2.12", 5433), "db1 to db2, the ACL denies all")


@statement("V43 ACL: it keeps no state, a reply needs a rule of its own")
def acl_stateless(weft, shop):
    set_acl(weft, [], egress=[])
    with weft.dropped("acl_egress"), contextlib.closing(listen(shop.db1, 5433)), \
            knock(shop.web2, "10.0.2.11", 5433):
        pass
    set_acl(weft, [], egress=[{"number": 10, "action": "allow", "protocol": "tcp",
                               "ports": "1024-65535", "to": "10.0.1.0/24"}])
    check(tcp_works(shop.web2, shop.db1, "10.0.2.11", 5433), "with a rule for ephemeral ports")


@statement("V43 ACL: adding a deny breaks live connections")
def acl_cuts(weft, shop):
    set_acl(weft, [])
    one, other = pair(shop.web2, shop.db1, "10.0.2.11", 5433)
    with one, other:
        check(talks(one, other), "before the deny")
        set_acl(weft, [{"number": 5, "action": "deny", "protocol": "tcp", "from": "0.0.0.0/0"}])
        with weft.dropped("acl_ingress"):
            one.sendall(b"blocked")
    set_acl(weft, [])


@statement("V44 what the host serves itself, ARP and the gateway's ping, no group or ACL blocks")
def services(weft, shop):
    set_acl(weft, [{"number": 5, "action": "deny", "protocol": "all", "from": "0.0.0.0/0"}],
            egress=[])
    shop.db1.run("ip", "neigh", "flush", "dev", "eth0")
    check(shop.db1.reaches("10.0.2.1"), "the gateway of a subnet whose ACL denies all")
    set_acl(weft, [])


@statement("V45 on the way in the ACL comes before the group, on the way out after it")
def order(weft, shop):
    weft.http("PATCH", "/v1/vpcs/blue/ports/db1", {"security_groups": ["db"]})
    set_acl(weft, [{"number": 5, "action": "deny", "protocol": "all", "from": "0.0.0.0/0"}],
            egress=[])
    with weft.dropped("acl_ingress"), knock(shop.web1, "10.0.2.11", 9):
        pass
    with weft.dropped("group_egress"), knock(shop.db1, "10.0.1.11", 9):
        pass
    set_acl(weft, [])


def rules(weft, *ports):
    weft.http("PATCH", "/v1/vpcs/blue/security_groups/admin", {"ingress": [
        {"protocol": "tcp", "ports": str(port), "from": "10.0.1.0/24"} for port in ports]})


@statement("V39 established: keep - a connection survives its rule, a new one does not")
def keep(weft, shop):
    rules(weft, 22, 23)
    one, other = pair(shop.web1, shop.web2, "10.0.1.12", 23)
    with one, other:
        check(talks(one, other), "before")
        rules(weft, 22)
        for _ in range(3):
            check(talks(one, other), "after its rule was removed")
        with weft.dropped("group_ingress"), knock(shop.web1, "10.0.1.12", 23):
            pass


@statement("V39 established: cut - exactly the connections that no rule allows any more are cut")
def cut(weft, shop):
    weft.http("PATCH", "/v1/vpcs/blue", {"established": "cut"})
    rules(weft, 22, 23)
    one, other = pair(shop.web1, shop.web2, "10.0.1.12", 23)
    three, four = pair(shop.web1, shop.web2, "10.0.1.12", 22)
    with one, other, three, four:
        check(talks(one, other) and talks(three, four), "before")
        rules(weft, 22)
        with weft.dropped("group_ingress"):
            one.sendall(b"cut")
        other.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            check(not other.recv(10), "bytes passed a connection that was cut")
        check(talks(three, four), "the connection that is still allowed")
        rules(weft, 22, 23)


@statement("V39 established: cut - a reply direction is cut as well")
def cut_reply(weft, shop):
    rules(weft, 22, 23)
    one, other = pair(shop.web1, shop.web2, "10.0.1.12", 23)
    with one, other:
        check(talks(one, other), "before")
        rules(weft, 22)
        with weft.dropped("group_ingress"):
            other.sendall(b"cut")
    weft.http("PATCH", "/v1/vpcs/blue", {"established": "keep"})


@statement("flows show the connection with its state and the rules that admitted it")
def flows(weft, shop):
    one, other = pair(shop.web1, shop.web2, "10.0.1.12", 80)
    with one, other:
        check(talks(one, other), "the connection")
        flow = wait_for(lambda: next((flow for flow in weft.get("/v1/flows?port=blue/web1")["flows"]
                                      if flow.get("destination_port") == 80 and
                                      flow["state"] == "established"), None), "flow")
        equal((flow["protocol"], flow["source"], flow["destination"]),
              ("tcp", "10.0.1.11", "10.0.1.12"), "the flow")
        check("blue/web" in (flow.get("ingress_rule") or ""), f"rule: {flow}")
        check(flow["packets"] >= 3 and flow["reply_packets"] >= 2, f"counters: {flow}")


@statement("a TCP connection that was closed may be made again with the same ports at once")
def port_reuse(_weft, shop):
    for _ in range(3):
        with contextlib.closing(listen(shop.web2, 80)) as server:
            client = connect(shop.web1, "10.0.1.12", 80, bind=("10.0.1.11", 45678))
            check(client, "the connection is made")
            end, _peer = server.accept()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            end.close()


main(Shop)
