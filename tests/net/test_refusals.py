#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Wrong intent is refused with one sentence and the path, and nothing changes: V15-V22.

No packets: one daemon, a VPC that stands, and one wrong change after the other.
"""
from harness import check, equal, main, statement

GOOD = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16, "fd00:b::/48"]
    subnets:
      web: {cidr: 10.0.1.0/24, route_table: private}
      db:  {cidr: 10.0.2.0/24}
    route_tables:
      private: {routes: [{to: 10.9.0.0/16, via: blackhole}]}
    security_groups:
      web: {ingress: [{protocol: tcp, ports: 80, from: 0.0.0.0/0}]}
    ports:
      web1: {subnet: web, address: 10.0.1.11, mac: "02:00:00:00:00:11"}
"""


def vpc(body, cidrs="[10.0.0.0/16]"):
    """A file with one VPC `green` of these lines."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    return f"vpcs:\n  green:\n    cidrs: {cidrs}\n{lines}\n"


def setup(weft):
    weft.apply(GOOD)


def refuse(weft, body, *words, cidrs="[10.0.0.0/16]"):
    return weft.refused(vpc(body, cidrs), *words)


@statement("V15 a subnet larger than /16 or smaller than /28 is refused")
def subnet_size(weft):
    refuse(weft, "subnets: {a: {cidr: 10.0.0.0/15}}", "10.0.0.0/15", cidrs="[10.0.0.0/8]")
    refuse(weft, "subnets: {a: {cidr: 10.0.0.0/29}}", "10.0.0.0/29")
    weft.apply(vpc("subnets: {a: {cidr: 10.0.0.0/28}}"), "--dry-run")
    weft.apply(vpc("subnets: {a: {cidr: 10.0.0.0/16}}"), "--dry-run")


@statement("V15 overlapping subnets of one VPC are refused, both named")
def subnet_overlap(weft):
    refuse(weft, "subnets: {a: {cidr: 10.0.0.0/20}, b: {cidr: 10.0.8.0/24}}", "overlap", "10.0.8.0")


@statement("V15 a subnet outside the CIDRs of its VPC is refused")
def subnet_outside(weft):
    refuse(weft, "subnets: {a: {cidr: 10.1.0.0/24}}", "10.1.0.0/24")


@statement("V15 a CIDR with host bits is stored canonical")
def canonical(weft):
    weft.apply(vpc("subnets: {a: {cidr: 100.68.0.18/18}}", "[100.68.0.0/16]"))
    equal(weft.get("/v1/vpcs/green/subnets/a")["cidr"], "100.68.0.0/18", "the subnet's CIDR")
    weft.weft("vpc", "remove", "green")


@statement("V16 the reserved addresses of an IPv4 subnet cannot be assigned")
def reserved(weft):
    for last in (0, 1, 2, 3, 255):
        refuse(weft, f"""
subnets: {{a: {{cidr: 10.0.1.0/24}}}}
ports: {{p: {{subnet: a, address: 10.0.1.{last}}}}}""", f"10.0.1.{last}")
    weft.apply(vpc("""
subnets: {a: {cidr: 10.0.1.0/24}}
ports: {p: {subnet: a, address: 10.0.1.4}, q: {subnet: a, address: 10.0.1.254}}"""), "--dry-run")


@statement("V16 an IPv6 subnet is a /64, its first four addresses and its last cannot be assigned")
def reserved_ipv6(weft):
    cidrs = '["fd00:c::/48"]'
    for length in (63, 65, 96):
        refuse(weft, f'subnets: {{a: {{cidr: "fd00:c::/{length}"}}}}', "/64", cidrs=cidrs)
    for address in ("fd00:c::", "fd00:c::1", "fd00:c::2", "fd00:c::3",
                    "fd00:c::ffff:ffff:ffff:ffff"):
        refuse(weft, f"""
subnets: {{a: {{cidr: "fd00:c::/64"}}}}
ports: {{p: {{subnet: a, address: "{address}"}}}}""", "fd00:c::", cidrs=cidrs)


@statement("V17 two VPCs may use the same CIDR and the same addresses")
def same_cidr(weft):
    weft.apply(vpc("""
subnets: {web: {cidr: 10.0.1.0/24}}
ports: {web1: {subnet: web, address: 10.0.1.11}}"""))
    equal(weft.port("green/web1")["addresses"], weft.port("blue/web1")["addresses"], "addresses")
    weft.weft("vpc", "remove", "green")


@statement("V18 a subnet without a table uses the main table, which cannot be removed")
def main_table(weft):
    equal(weft.get("/v1/vpcs/blue/subnets/db")["route_table"], None, "route table of db")
    done = weft.weft("route-table", "remove", "blue/main", accept=(1,))
    check("main" in done.stderr, f"does not name the table: {done.stderr}")


@statement("V18 a table that a subnet uses cannot be removed")
def used_table(weft):
    done = weft.weft("route-table", "remove", "blue/private", accept=(1,))
    check("web" in done.stderr, f"does not name the subnet: {done.stderr}")


@statement("V19 the local routes are there from the start and cannot be removed")
def local_routes(weft):
    routes = {route["to"]: route["via"]
              for route in weft.get("/v1/vpcs/blue/route_tables/private")["routes"]}
    equal(routes.get("10.0.0.0/16"), "local", "local route, IPv4")
    equal(routes.get("fd00:b::/48"), "local", "local route, IPv6")
    weft.weft("route", "remove", "blue/private", "10.0.0.0/16", accept=(1,))


@statement("V19 the local route can be retargeted to a port, never made a blackhole")
def local_route_target(weft):
    base = "subnets: {a: {cidr: 10.0.1.0/24}}\nports: {fw: {subnet: a, address: 10.0.1.9}}\n"
    refuse(weft, base + "route_tables: {t: {routes: [{to: 10.0.0.0/16, via: blackhole}]}}",
           "10.0.0.0/16", "local route", "vpcs.green.route_tables.t.routes")
    weft.apply(vpc(base + "route_tables: {t: {routes: [{to: 10.0.0.0/16, via: 'port:fw'}]}}"),
               "--dry-run")
    weft.weft("route", "add", "blue/private", "10.0.0.0/16", "--via", "blackhole", accept=(1,))
    weft.weft("route", "add", "blue/private", "10.0.0.0/16", "--via", "port:web1")
    weft.weft("route", "remove", "blue/private", "10.0.0.0/16")
    equal(weft.get("/v1/vpcs/blue/route_tables/private")["routes"][0],
          {"to": "10.0.0.0/16", "via": "local", "status": "active"}, "the local route again")


@statement("V21 a route more specific than local is refused, unless it is a whole subnet to a port")
def more_specific(weft):
    base = "subnets: {a: {cidr: 10.0.1.0/24}}\nports: {fw: {subnet: a, address: 10.0.1.9}}\n"
    refuse(weft, base + "route_tables: {t: {routes: [{to: 10.0.1.128/25, via: 'port:fw'}]}}",
           "10.0.1.128/25")
    for inside in ("10.0.1.0/24", "10.0.1.128/25", "10.0.9.0/24"):
        refuse(weft, base + f"route_tables: {{t: {{routes: [{{to: {inside}, via: blackhole}}]}}}}",
               inside, "vpcs.green.route_tables.t.routes")
    weft.apply(vpc(base + "route_tables: {t: {routes: [{to: 10.0.1.0/24, via: 'port:fw'}]}}"),
               "--dry-run")


@statement("V22 routes into 169.254.168.0/22 and fd00:ec2::/32 are refused, a covering one is not")
def reserved_routes(weft):
    for target in ("169.254.168.0/22", "169.254.169.0/24", "169.254.169.254/32"):
        refuse(weft, f"route_tables: {{t: {{routes: [{{to: {target}, via: blackhole}}]}}}}",
               "169.254.")
    for target in ("fd00:ec2::/32", "fd00:ec2::254/128"):
        refuse(weft, f"route_tables: {{t: {{routes: [{{to: '{target}', via: blackhole}}]}}}}",
               "fd00:ec2")
    weft.apply(vpc("route_tables: {t: {routes: [{to: 169.254.0.0/16, via: blackhole}]}}"),
               "--dry-run")


@statement("an address outside its subnet is refused")
def outside(weft):
    refuse(weft, "subnets: {a: {cidr: 10.0.1.0/24}}\nports: {p: {subnet: a, address: 10.0.2.9}}",
           "10.0.2.9", "vpcs.green.ports.p")


@statement("a duplicate address and a duplicate MAC are refused")
def duplicates(weft):
    refuse(weft, """
subnets: {a: {cidr: 10.0.1.0/24}}
ports: {p: {subnet: a, address: 10.0.1.9}, q: {subnet: a, address: 10.0.1.9}}""", "10.0.1.9")
    refuse(weft, """
subnets: {a: {cidr: 10.0.1.0/24}}
ports:
  p: {subnet: a, mac: "02:00:00:00:00:01"}
  q: {subnet: a, mac: "02:00:00:00:00:01"}""", "02:00:00:00:00:01")


@statement("a route into nowhere and references to nothing are refused, with the nearest name")
def nowhere(weft):
    refuse(weft, "route_tables: {t: {routes: [{to: 0.0.0.0/0, via: 'port:ghost'}]}}", "ghost")
    sentence = refuse(weft, """
subnets: {web: {cidr: 10.0.1.0/24}}
ports: {p: {subnet: webb}}""", "webb", "vpcs.green.ports.p.subnet")
    check('did you mean "web"' in sentence, f"no suggestion: {sentence}")
    refuse(weft, "subnets: {a: {cidr: 10.0.1.0/24, route_table: ghost}}", "ghost")
    refuse(weft, "subnets: {a: {cidr: 10.0.1.0/24, acl: ghost}}", "ghost")
    refuse(weft, """
subnets: {a: {cidr: 10.0.1.0/24}}
ports: {p: {subnet: a, security_groups: [ghost]}}""", "ghost")
    refuse(weft, "security_groups: {g: {ingress: [{protocol: tcp, from: 'group:ghost'}]}}", "ghost")


@statement("an unknown key is refused with its name and line")
def unknown_key(weft):
    refuse(weft, "subnets:\n  web: {cidr: 10.0.1.0/24}\n  db: {cidr: 10.0.2.0/24, colour: red}",
           "colour", "input:6")


@statement("a duplicate key, wrong types and broken YAML are refused")
def broken_yaml(weft):
    refuse(weft, "subnets:\n  web: {cidr: 10.0.1.0/24}\n  web: {cidr: 10.0.2.0/24}", "web")
    refuse(weft, "subnets: [1, 2]", "subnets")
    refuse(weft, "subnets: {a: {cidr: [[]]}}", "cidr")
    weft.refused("vpcs: {blue: {cidrs: [\n", "input:2")
    weft.refused("- vpcs\n")


@statement("names of 300 characters, with capitals or with a slash are refused")
def bad_names(weft):
    for name in ("a" * 300, "a" * 64, "Web", "-web", "we_b", '"we/b"', '""'):
        refuse(weft, f"subnets: {{{name}: {{cidr: 10.0.1.0/24}}}}", "name")
    weft.apply(vpc(f"subnets: {{{'a' * 63}: {{cidr: 10.0.1.0/24}}}}"), "--dry-run")


@statement("wrong ports, protocols, numbers and prefixes are refused")
def bad_values(weft):
    for rule in ("{protocol: tcp, ports: 65536, from: 0.0.0.0/0}",
                 "{protocol: tcp, ports: 90-80, from: 0.0.0.0/0}",
                 "{protocol: tcp, ports: http, from: 0.0.0.0/0}",
                 "{protocol: tpc, from: 0.0.0.0/0}",
                 "{protocol: tcp, ports: 80, from: 10.0.0.0/33}",
                 "{protocol: tcp, ports: 80, from: 300.0.0.1/8}",
                 "{protocol: icmp, ports: 80, from: 0.0.0.0/0}",
                 "{protocol: tcp, ports: 80}"):
        refuse(weft, f"security_groups: {{g: {{ingress: [{rule}]}}}}",
               "vpcs.green.security_groups.g")
    for rule in ("{number: 0, action: allow, protocol: all, from: 0.0.0.0/0}",
                 "{number: 32767, action: allow, protocol: all, from: 0.0.0.0/0}",
                 "{number: 1, action: maybe, protocol: all, from: 0.0.0.0/0}"):
        refuse(weft, f"acls: {{e: {{ingress: [{rule}]}}}}", "vpcs.green.acls.e")


@statement("apply is atomic: one fault at the end of a large file and nothing of it is there")
def atomic(weft):
    ports = "\n".join(f"  p{number}: {{subnet: a}}" for number in range(200))
    refuse(weft, f"subnets: {{a: {{cidr: 10.0.0.0/16}}}}\nports:\n{ports}\n  last: {{subnet: b}}",
           "last")
    equal(weft.http("GET", "/v1/vpcs/green")[0], 404, "status of the VPC that was refused")


@statement("apply of the export changes nothing")
def export_round_trip(weft):
    text = weft.weft("export").stdout
    done = weft.json("apply", "--dry-run", *stdin_file(weft, text))
    equal(done["changes"], [], "changes by applying the export")
    weft.apply(text)
    equal(weft.weft("export").stdout, text, "export after applying the export")


def stdin_file(weft, text):
    path = f"{weft.state}/../export.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return [path]


@statement("apply leaves VPCs alone that it does not name, --prune removes them")
def prune(weft):
    weft.apply(vpc("subnets: {a: {cidr: 10.0.1.0/24}}"))
    equal(sorted(weft.get("/v1/vpcs")), ["blue", "green"], "VPCs after an apply of one")
    weft.apply(GOOD, "--prune")
    equal(sorted(weft.get("/v1/vpcs")), ["blue"], "VPCs after an apply with --prune")


main(setup)
