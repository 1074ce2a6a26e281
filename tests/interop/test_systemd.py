#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/operations.md on three machines that run systemd, typed as it is written there.

      br0 ---- m1 (init), m2, m3 (join): 192.0.2.11, .12, .13      machines.py says what they are

Each has weftd as `make install` puts it there. The page calls them h1, h2, h3.
"""
import re

import underlay  # noqa: F401  pylint: disable=unused-import
from machines import Machine, possible
from harness import ROOT, Failure, Lines, check, equal, main, run, statement, wait_for

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PORTS = {"a": 1, "b": 2, "c": 3}


def written(command):
    """A command that stands in the page, without its comment."""
    check(any(line.split("  #")[0].strip() == command for line in PAGE.splitlines()),
          f"docs/operations.md does not say: {command}")
    return command


class World:
    """Three machines with Weft installed, and nothing set up."""

    def __init__(self, _weft):
        possible()
        run("ip", "link", "add", "br0", "type", "bridge", accept=[0])
        run("ip", "link", "set", "br0", "up", accept=[0])
        self.machines = [Machine(number) for number in (1, 2, 3)]
        self.m1, self.m2, self.m3 = self.machines
        self.token = ""
        for machine in self.machines:
            run("make", "-C", ROOT, "--no-print-directory", "install", f"DESTDIR={machine.root}",
                accept=[0])
            machine.start()

    def workloads(self, *machines):
        """The namespaces of the ports, as whoever runs workloads makes them."""
        for name, number in PORTS.items():
            if not machines or self.machines[number - 1] in machines:
                self.machines[number - 1].shell(f"ip netns add {name}", accept=[0])

    def plugged(self, name):
        machine = self.machines[PORTS[name] - 1]
        wait_for(lambda: "plugged" in machine.shell(f"weft port show blue/{name}").stdout,
                 f"blue/{name} is plugged", 60)

    def address(self, name):
        text = self.machines[0].shell(f"weft port show blue/{name}", accept=[0]).stdout
        return re.search(r"10\.0\.1\.\d+", text).group()

    def all_reach(self):
        """Every port reaches every other one."""
        for name, number in PORTS.items():
            for other in PORTS:
                if other != name:
                    wait_for(lambda n=name, m=number, o=other: self.machines[m - 1].shell(
                        f"ip netns exec {n} ping -n -c 1 -W 2 {self.address(o)}").returncode == 0,
                        f"{name} reaches {other}", 60)

    def hosts(self, machine, states):
        """What `weft host list` says on a machine, once it is this."""
        said = []

        def so():
            said[:] = machine.shell("weft host list").stdout.splitlines()[1:]
            return [line.split()[1] for line in said] == states
        try:
            wait_for(so, f"hosts on {machine.name} are {states}", 60)
        except Failure as failure:
            raise Failure("\n".join([str(failure), *said])) from None

    def ready(self, *machines):
        """`weft status` ends without problems."""
        for machine in machines:
            wait_for(lambda machine=machine: machine.shell(
                "systemctl is-active weftd && weft status").returncode == 0 and not
                problems(machine), f"{machine.name}: no problems ({problems(machine)})", 60)


def problems(machine):
    """The problems that `weft status` ends with."""
    found = re.search(r'"problems": ?\[(.*?)\]', machine.shell("weft --json status").stdout, re.S)
    return found.group(1).strip() if found else "no answer"


def told(function):
    """When the statement does not hold, the ends of the journals are shown."""
    def wrapped(weft, world):
        try:
            function(weft, world)
        except Exception:
            for machine in world.machines:
                for line in machine.journal("-u weftd -n 15").splitlines():
                    print(f"# {machine.name}: {line}")
            raise
    return wrapped


@statement("the unit is in order, starts at once, and is there after the next start")
@told
def started(_weft, world):
    for machine in world.machines:
        machine.shell(written("systemctl disable --now etcd"), accept=[0])
        machine.shell(written("systemctl enable --now weftd"), accept=[0])
        equal(machine.shell("systemctl is-active weftd").stdout.strip(), "active", "weftd")
        check(machine.shell(written("weft status"), accept=[0]).stdout, "weft status says nothing")
    done = world.m1.shell("systemd-analyze verify weftd.service", accept=[0])
    equal(done.stdout + done.stderr, "", "systemd-analyze verify")
    world.ready(*world.machines)


@statement("host init and host join make a cluster of three")
@told
def cluster(_weft, world):
    done = world.m1.shell(written("weft host init --with-etcd --underlay 192.0.2.11"), accept=[0])
    world.token = re.search(r"weft-\w+-\w+", done.stdout).group()
    for machine in world.machines[1:]:
        machine.shell(written("weft host join 192.0.2.11 --with-etcd --token-file -"),
                      data=world.token + "\n", accept=[0])
        world.ready(machine)
    for number, machine in enumerate(world.machines):
        states = ["alive"] * 3
        states[number] = "here"
        world.hosts(machine, states)


@statement("a VPC over all of them: every port reaches every other")
@told
def reach(_weft, world):
    intent = re.search(r"```yaml\n(.*?)```", PAGE, re.S).group(1)
    for number in (1, 2, 3):
        intent = intent.replace(f"host: h{number}", f"host: m{number}")
    world.m1.file("/root/blue.yaml", intent)
    world.workloads()
    world.m1.shell("cd /root && " + written("weft apply blue.yaml"), accept=[0])
    for name in PORTS:
        world.plugged(name)
    world.all_reach()
    written("weft trace blue/a --to 10.0.1.5 --icmp echo")
    done = world.m1.shell(f"weft trace blue/a --to {world.address('b')} --icmp echo", accept=[0])
    check("delivered" in done.stdout, done.stdout)


def main_process(machine):
    return machine.shell("systemctl show -P MainPID weftd", accept=[0]).stdout.strip()


def etcd_process(machine):
    return machine.shell("cut -d ' ' -f 1 /var/lib/weft/default/etcd/pid",
                         accept=[0]).stdout.strip()


class Pings:
    """Echoes from a to c all the while; none may be lost."""

    def __init__(self, world):
        self.machine = world.m1
        self.process = world.m1.start_script(
            "echo $$ >/run/pings; "
            f"exec ip netns exec a ping -n -i 0.02 -W 5 {world.address('c')}")
        self.lines = Lines(self.process.stdout)

    def __enter__(self):
        self.go_on()
        return self

    def go_on(self):
        """Fifty more have come back."""
        for _ in range(50):
            check(self.lines.find("bytes from", 30), "the echoes end")

    def __exit__(self, *_):
        self.machine.shell("kill -INT $(cat /run/pings)")
        rest = self.process.communicate(timeout=60)[0].decode()
        check(" 0% packet loss" in rest, rest[-300:])


@statement("systemctl restart and stop: no packet is lost, and etcd goes on")
@told
def restarted(_weft, world):
    etcd, before = etcd_process(world.m1), main_process(world.m1)
    with Pings(world) as pings:
        world.m1.shell("systemctl restart weftd", accept=[0])
        pings.go_on()
        world.m1.shell("systemctl stop weftd", accept=[0])
        pings.go_on()
        world.m1.shell("systemctl start weftd", accept=[0])
        pings.go_on()
    check(main_process(world.m1) != before, "another weftd")
    taken = re.findall(r"datapath taken over.* rows=(\d+)", world.m1.journal("-u weftd"))
    check(int(taken[-1]) > 0, f"rows that were there already: {taken}")
    equal(etcd_process(world.m1), etcd, "pid of etcd")
    world.ready(*world.machines)


@statement("killed with -9 it is started again: no packet is lost, etcd and ports are found again")
@told
def killed(_weft, world):
    etcd, before = etcd_process(world.m1), main_process(world.m1)
    with Pings(world) as pings:
        world.m1.shell(f"kill -9 {before}", accept=[0])
        wait_for(lambda: main_process(world.m1) not in (before, "0"), "another weftd", 60)
        wait_for(lambda: world.m1.shell("weft status").returncode == 0, "weftd answers", 60)
        pings.go_on()
    equal(etcd_process(world.m1), etcd, "pid of etcd")
    world.plugged("a")
    world.ready(*world.machines)


@statement("a machine that is started again is in the cluster again, and its port in the VPC")
@told
def started_again(_weft, world):
    world.m2.shell("systemctl reboot")
    world.m2.ended()
    world.m1.shell("ip netns exec a ping -n -c 1 -W 5 " + world.address("c"), accept=[0])
    world.m2.start()
    equal(world.m2.shell("systemctl is-active weftd").stdout.strip(), "active", "weftd")
    world.workloads(world.m2)
    world.plugged("b")
    world.ready(*world.machines)
    world.hosts(world.m2, ["alive", "here", "alive"])
    world.all_reach()


@statement("so is one whose power failed, while traffic of the others goes on")
@told
def power_fails(_weft, world):
    world.m2.cut()
    with Pings(world) as pings:
        wait_for(lambda: world.m1.shell("weft host list").stdout.splitlines()[2].split()[1] in
                 ("late", "gone"), "m1 says that m2 is away", 60)
        pings.go_on()
        world.m2.start()
        world.workloads(world.m2)
        world.plugged("b")
        pings.go_on()
    world.ready(*world.machines)
    world.all_reach()


@statement("all machines are switched off and on, and everything is as it was")
@told
def all_again(_weft, world):
    before = world.m1.shell("weft export", accept=[0]).stdout
    for machine in world.machines:
        machine.shell("systemctl poweroff")
    for machine in world.machines:
        machine.ended()
    for machine in world.machines:
        machine.start()
    world.workloads()
    for name in PORTS:
        world.plugged(name)
    world.ready(*world.machines)
    equal(world.m1.shell("weft export", accept=[0]).stdout, before, "the intent")
    world.all_reach()


@statement("what systemd is told to permit is enough for all that weftd does")
@told
def permitted(_weft, world):
    """Each of these needs something that the unit names: a capability, a system call, an address
    family, a device, a place to write to."""
    m1 = world.m1
    m1.file("/root/more.yaml", """
vpcs:
  more:
    cidrs: [10.8.0.0/16, "fd08::/48"]
    subnets:
      lan: {cidr: [10.8.1.0/24, "fd08:0:0:1::/64"], dhcp: true, ra: slaac}
      wires: {cidr: 10.8.2.0/24, mode: l2}
    tunnels:
      site: {type: gre, host: m1, remote: 192.0.2.99, keepalive: {interval: 1}}
    ports:
      dhcp: {subnet: lan, host: m1, attach: {netns: dhcp, configure: false}}
      tap: {subnet: lan, host: m1, attach: {tap: tap-more}}
      adopted: {subnet: lan, host: m1, attach: {device: v0}}
      switch: {subnet: wires, host: m1, attach: {bridge: br-more}}
""")
    m1.shell("ip netns add dhcp && ip link add v0 type veth peer v1 && ip link set v1 up && "
             "ip link add br-more type bridge && ip link set br-more up", accept=[0])
    m1.shell("weft apply /root/more.yaml", accept=[0])
    for name in ("dhcp", "tap", "adopted", "switch"):
        wait_for(lambda name=name: "plugged" in m1.shell(f"weft port show more/{name}").stdout,
                 f"more/{name} is plugged", 60)
    m1.shell("ip netns exec dhcp busybox udhcpc -i eth0 -n -q -t 5 -s /bin/true", accept=[0])
    m1.shell("weft capture more/dhcp --count 1 -w /root/more.pcapng >/root/said 2>&1 & "
             "sleep 0", accept=[0])
    wait_for(lambda: re.search(r"site.*\b(up|down)\b", m1.shell("weft tunnel list").stdout),
             "the keepalive of the tunnel says something", 60)
    m1.shell("weft apply --prune /root/blue.yaml", accept=[0])


@statement("the journal has nothing in it that a person would have to look into")
@told
def quiet(_weft, world):
    for machine in world.machines:
        for line in machine.journal("-u weftd -o cat").splitlines():
            check(not re.search(r"permitted|denied|level=error|Got notification"
                                r"|file system mounted", line), line)


@statement("a host is taken out as the page says")
@told
def taken_out(_weft, world):
    world.m3.shell("weft port remove blue/c", accept=[0])
    world.m3.shell(written("systemctl disable --now weftd && weftd --stop-etcd"), accept=[0])
    world.m3.shell(written("weftd --remove-datapath && rm -r /var/lib/weft/default"), accept=[0])
    written("weft host remove h3")
    world.m1.shell("weft host remove m3", accept=[0])
    members = "\n".join(map(written, (
        "cd /var/lib/weft/default/tls",
        "export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=https://192.0.2.11:2379",
        "export ETCDCTL_CACERT=ca.pem ETCDCTL_CERT=host.pem ETCDCTL_KEY=host.key",
        "etcdctl member list"))) + "\n"
    ids = {line.split(", ")[2]: line.split(", ")[0]
           for line in world.m1.shell(members, accept=[0]).stdout.splitlines()}
    equal(sorted(ids), ["m1", "m2", "m3"], "members")
    remove = written("etcdctl member remove ID").replace("ID", ids["m3"])
    world.m1.shell(members + remove, accept=[0])
    world.ready(world.m1, world.m2)
    world.hosts(world.m1, ["here", "alive"])
    for machine in world.machines:  # nothing of them is to stay
        machine.shell("systemctl poweroff")
    for machine in world.machines:
        machine.ended()


if __name__ == "__main__":
    main(World, start=False)
