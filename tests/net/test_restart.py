#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""weftd may die, stop, start and be replaced: no packet is lost and no connection breaks.

      a 10.0.1.11  ~~~ datagrams, eight connections, new connections ~~~>  b 10.0.2.11
                     weftd: kill -9, SIGTERM, new program, another rule
"""
import re
import signal
from pathlib import Path

from harness import ROOT, WEFTD, Netns, check, connect, equal, main, run, statement, wait_for
from traffic import Load

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      one: {cidr: 10.0.1.0/24}
      two: {cidr: 10.0.2.0/24}
    security_groups:
      open:
        ingress:
          - {protocol: udp, ports: 7000, from: 10.0.1.0/24}
          - {protocol: tcp, ports: 7001, from: 10.0.1.0/24}
        egress: [{protocol: all, to: 0.0.0.0/0}]
    ports:
      a: {subnet: one, address: 10.0.1.11, security_groups: [open], attach: {netns: a}}
      b: {subnet: two, address: 10.0.2.11, security_groups: [open], attach: {netns: b}}
"""


class Two:
    """The two workloads."""

    def __init__(self, weft):
        self.a, self.b = Netns("a"), Netns("b")
        weft.apply(INTENT)
        weft.plugged("blue/a", "blue/b")

    def load(self):
        """Traffic that has begun to flow."""
        return Load(self.a, self.b, "10.0.2.11", 7000, 7001)


@statement("kill -9 under load loses no packet and breaks no connection")
def killed(weft, two):
    with two.load() as load:
        weft.end(signal.SIGKILL)
        load.goes_on(50)
        weft.start()
        weft.plugged("blue/a", "blue/b")
        load.goes_on(50)


@statement("SIGTERM and start under load loses no packet and breaks no connection")
def stopped(weft, two):
    with two.load() as load:
        equal(weft.end(), 0, "exit status of weftd")
        load.goes_on(50)
        weft.start()
        weft.plugged("blue/a", "blue/b")
        load.goes_on(50)


@statement("the program is replaced five times under load without loss")
def replaced(weft, two):
    with two.load() as load:
        for _ in range(5):
            weft.restart(signal.SIGKILL)
            weft.plugged("blue/a", "blue/b")
            load.goes_on(20)


@statement("rules changed under load, for other traffic, lose nothing")
def rules_change(weft, two):
    with two.load() as load:
        for port in range(9000, 9010):
            weft.weft("rule", "add", "blue/open", "ingress", "tcp", str(port), "--from",
                      "10.0.1.0/24")
            load.goes_on(5)


@statement("while weftd is down what its rules refuse stays refused")
def refused_while_down(weft, two):
    weft.end(signal.SIGKILL)
    check(connect(two.a, "10.0.2.11", 9999, timeout=0.3) is None, "port 9999 is open")
    check(two.a.reaches("10.0.1.1"), "the gateway does not answer while weftd is down")
    weft.start()


@statement("counters and connections are those from before the restart")
def kept(weft, two):
    with two.load() as load:
        before = weft.get("/v1/counters?name=blue/a")["ports"]["blue/a"]["received_packets"]
        weft.restart(signal.SIGKILL)
        weft.plugged("blue/a", "blue/b")
        after = weft.get("/v1/counters?name=blue/a")["ports"]["blue/a"]["received_packets"]
        check(after >= before > 100, f"received packets {before}, then {after}")
        flows = weft.get("/v1/flows?port=blue/a")["flows"]
        check(sum(flow["state"] == "established" for flow in flows) >= load.CONNECTIONS,
              f"established connections after the restart: {len(flows)} flows")


@statement("a change made while weftd is down in the namespaces is repaired at the start")
def repaired(weft, two):
    weft.end(signal.SIGKILL)
    two.b.run("ip", "link", "delete", "eth0")
    weft.start()
    weft.plugged("blue/a", "blue/b")
    with two.load():
        pass


@statement("a second weftd on the same state refuses to start, in one sentence")
def twice(weft, _two):
    done = run(WEFTD, "--name", "test", "--state", weft.state, "--socket", "/run/weft/other.sock")
    check(done.returncode != 0, "a second weftd started")
    check("already" in done.stderr or "running" in done.stderr or "lock" in done.stderr,
          f"it says: {done.stderr}")
    check(weft.answers(), "the first one no longer answers")


@statement("with 1,000 ports weftd takes less than 30 MB, and after a restart as well")
def memory(weft, _two):
    many = "".join(f"      p{number}: {{subnet: many, attach: {{netns: no-{number}}}}}\n"
                   for number in range(1000))
    weft.apply("vpcs:\n  large:\n    cidrs: [10.0.0.0/8]\n"
               f"    subnets: {{many: {{cidr: 10.1.0.0/16}}}}\n    ports:\n{many}")

    def resident():
        status = Path(f"/proc/{weft.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    # What was freed is given back a moment later.
    wait_for(lambda: resident() < 30e6, "less than 30 MB after the apply")
    weft.restart()
    wait_for(lambda: resident() < 30e6, "less than 30 MB after the restart")
    print(f"# {resident() / 1e6:.1f} MB")
    weft.weft("vpc", "remove", "large")


@statement("a weftd without privileges names all that it lacks, what for, and how to get it")
def unprivileged(weft, _two):
    done = run("setpriv", "--bounding-set=-all", WEFTD, "--name", "none", "--state",
               f"{weft.state}-none", "--socket", "/run/weft/none.sock", timeout=60)
    equal(done.returncode, 1, "exit status")
    for capability in ("NET_ADMIN", "BPF", "PERFMON", "SYS_ADMIN", "NET_RAW"):
        check(f"CAP_{capability} (to " in done.stderr, f"no {capability}: {done.stderr}")
    check(done.stderr.endswith("; run weftd as root or by its systemd unit\n"), done.stderr)
    equal(len(done.stderr.splitlines()), 1, "lines")


@statement("a weftd that runs has the capabilities that its manual names, and no way to others")
def capabilities(weft, _two):
    page = (ROOT / "docs/man/weftd.8").read_text(encoding="utf-8").split(".Sh REQUIREMENTS")[1]
    named = set(re.findall(r"CAP_[A-Z_]+", page.split(".Sh ")[0]))
    header = Path("/usr/include/linux/capability.h").read_text(encoding="utf-8")
    wanted = sum(1 << int(number) for name, number in
                 re.findall(r"#define (CAP_[A-Z_]+)\s+(\d+)\n", header) if name in named)
    status = Path(f"/proc/{weft.process.pid}/status").read_text(encoding="ascii")
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        found = int(re.search(rf"{kind}:\s+(\w+)", status)[1], 16)
        equal(hex(found), hex(wanted), f"{kind} and {sorted(named)}")
    check(re.search(r"NoNewPrivs:\s+1", status), "no_new_privs is not set")


main(Two)
