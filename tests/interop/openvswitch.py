# SPDX-License-Identifier: BSD-2-Clause
"""Open vSwitch of Debian with its user-space datapath, as a foreign host.

      workload ---veth--- br-int --- tunnel port ... br-phy 10.9.0.3 --- eth0 --- underlay

ovsdb-server and ovs-vswitchd run by hand in the namespace, with folders of their own; nothing of an
Open vSwitch that the machine may run is touched. The tunnels are user space too: ovs-vswitchd looks
in the kernel's routes of the namespace and sends through br-phy.
"""
import os
import shutil
import subprocess
import tempfile

from underlay import SWITCH, Host, address, no_offloads
from harness import Skip, check, run, wait_for

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def installed():
    for program in ("ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovsdb-tool"):
        if not shutil.which(program):
            raise Skip(f"{program} is not installed (Debian: openvswitch-switch)")


class Switch:
    """The daemons. run() and start() of who inherits it say in which namespace."""

    def open(self, name):
        installed()
        self.folder = tempfile.mkdtemp(prefix=f"{name}.", dir="/run/weft")
        self.database = f"{self.folder}/db.sock"
        self.environment = dict(os.environ, OVS_RUNDIR=self.folder, OVS_DBDIR=self.folder,
                                OVS_LOGDIR=self.folder, OVS_SYSCONFDIR=self.folder)
        self.processes = []

    def start_daemons(self):
        database, server = f"{self.folder}/conf.db", self.database
        run("ovsdb-tool", "create", database, SCHEMA, accept=[0])
        self.daemon("ovsdb-server", database, f"--remote=punix:{server}")
        wait_for(lambda: os.path.exists(server), f"ovsdb-server listens at {server}")
        self.vsctl("--no-wait", "init")
        self.daemon("ovs-vswitchd", f"unix:{server}")

    def daemon(self, program, *words):
        with open(f"{self.folder}/{program}.log", "wb") as log:
            self.processes.append(self.start(
                program, *words, f"--unixctl={self.folder}/{program}.ctl", stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=self.environment))

    def end(self):
        """The daemons, by their numbers; ovs-vswitchd first."""
        for process in reversed(self.processes):
            process.terminate()
            process.wait(60)

    def log(self, lines=20):
        with open(f"{self.folder}/ovs-vswitchd.log", encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def vsctl(self, *words):
        done = self.run("ovs-vsctl", f"--db=unix:{self.database}", "--timeout=20", *words,
                        environment=self.environment)
        check(done.returncode == 0, f"ovs-vsctl {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout.strip()

    def appctl(self, *words):
        done = self.run("ovs-appctl", f"--target={self.folder}/ovs-vswitchd.ctl", *words,
                        environment=self.environment)
        check(done.returncode == 0, f"ovs-appctl {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    def flow(self, text):
        """An OpenFlow rule of br-int."""
        done = self.run("ovs-ofctl", "add-flow", f"unix:{self.folder}/br-int.mgmt", text,
                        environment=self.environment)
        check(done.returncode == 0, f"ovs-ofctl add-flow {text}: {done.stderr}")


class HereSwitch(Switch):
    """Open vSwitch in the test's own namespace, beside weftd, with bridges of its own."""

    def __init__(self, name="ovs"):
        self.open(name)

    def run(self, *command, **options):
        return run(*command, **options)

    def start(self, *command, **options):
        return subprocess.Popen(list(map(str, command)), **options)

    def bridge(self, name):
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")


class OpenVSwitch(Host, Switch):
    """The namespace of the switch; workload() makes an end for ends.py."""

    def __init__(self, wire, name="switch", number=SWITCH):
        installed()
        super().__init__(name)
        self.open(name)
        wire.plug(name, self.path)
        # the kernel hears what comes to eth0 as well, and would answer for br-phy
        self.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", accept=[0])
        self.start_daemons()
        self.vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                   f"other-config:hwaddr=02:09:00:00:00:{number:02x}", "--", "add-port", "br-phy",
                   "eth0", "--", "add-br", "br-int", "--", "set", "bridge", "br-int",
                   "datapath_type=netdev")
        for family, length in ((4, 24), (6, 64)):
            self.run("ip", "address", "add", f"{address(number, family)}/{length}", "dev", "br-phy",
                     *(["nodad"] if family == 6 else []), accept=[0])
        self.run("ip", "link", "set", "br-phy", "up", accept=[0])

    def tunnel(self, name, kind, peer, key=None, tag=None, **options):
        """A tunnel port of br-int: vxlan, geneve or gre. tag: it is joined with the workloads of
        this VLAN, without a tag inside the tunnel."""
        if key is not None:
            options["key"] = key
        self.vsctl("add-port", "br-int", name, *([f"tag={tag}"] if tag else []), "--", "set",
                   "interface", name, f"type={kind}",
                   f"options:remote_ip={peer}",
                   *(f"options:{option}={value}" for option, value in options.items()))
        fault = self.vsctl("get", "interface", name, "error")
        check(fault in ("[]", '""'), f"Open vSwitch refuses {name}: {fault}")

    def nvgre(self, vsid, name, workload):
        """Join a gre port whose key is `flow` with a workload as NVGRE (RFC 7637): the id is in the
        upper 24 bits of the key, FlowIDs are taken as they come and sent as 0."""
        self.flow(f"priority=9,in_port={workload}-port,"
                  f"actions=set_field:{vsid << 8}->tun_id,output:{name}")
        self.flow(f"priority=9,in_port={name},tun_id={vsid << 8}/0xffffff00,"
                  f"actions=output:{workload}-port")
        self.flow(f"priority=8,in_port={name},actions=drop")

    def remove(self, name, workload):
        """A tunnel port and a workload."""
        self.run("ovs-ofctl", "del-flows", f"unix:{self.folder}/br-int.mgmt",
                 f"in_port={name}", accept=[0], environment=self.environment)
        self.run("ovs-ofctl", "del-flows", f"unix:{self.folder}/br-int.mgmt",
                 f"in_port={workload.name}-port", accept=[0], environment=self.environment)
        self.vsctl("del-port", "br-int", name, "--", "del-port", "br-int", f"{workload.name}-port")
        self.run("ip", "link", "delete", f"{workload.name}-port", accept=[0])
        workload.delete()

    def workload(self, name, own, mtu, tag=None, mac=None):
        """A namespace on br-int with these addresses (with their prefix lengths)."""
        made = Host(name)
        self.run("ip", "link", "add", f"{name}-port", "type", "veth", "peer", "name", f"{name}-end",
                 accept=[0])
        self.run("ip", "link", "set", f"{name}-end", "netns", made.path, "name", "eth0", "mtu", mtu,
                 *(["address", mac] if mac else []), accept=[0])
        no_offloads(f"{name}-port", self.path)
        no_offloads("eth0", made.path)
        self.run("ip", "link", "set", f"{name}-port", "up", accept=[0])
        for one in [own] if isinstance(own, str) else own:
            made.run("ip", "address", "add", one, "dev", "eth0", *(["nodad"] if ":" in one else []),
                     accept=[0])
        made.run("ip", "link", "set", "eth0", "up", accept=[0])
        self.vsctl("add-port", "br-int", f"{name}-port", *([f"tag={tag}"] if tag else []))
        return made
