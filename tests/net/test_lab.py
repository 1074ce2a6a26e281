#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The life of a lab: up, exec, the daemon's faults, down, and what is left when it goes wrong.

What the examples do inside their labs is in test_examples.py; here it is the lab itself.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

from harness import ROOT, WEFT, Netns, Skip, check, equal, main, run, statement, wait_for

SHOP = """
lab: {name: shop}
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      web: {cidr: 10.0.1.0/24}
      db: {cidr: 10.0.2.0/24}
    ports:
      web1: {subnet: web, address: 10.0.1.11}
      db1: {subnet: db, address: 10.0.2.20, host: h1}
      two-a: {subnet: web, address: 10.0.1.30, attach: {netns: two, ifname: eth0}}
      two-b: {subnet: db, address: 10.0.2.30, attach: {netns: two, ifname: eth1}}
"""
STATES = "/var/lib/weft"
# A daemon that never answers, but takes its (absent) datapath away.
SLOW = """#!/bin/sh
case "$*" in *--remove-datapath*) exit 0 ;; esac
exec sleep 60
"""


def up(text, accept=(0,), environment=None):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        return run(WEFT, "lab", "up", file.name, accept=accept, environment=environment)


def execute(node, *words, accept=None, name="shop"):
    return run(WEFT, "lab", "exec", name, node, "--", *words, accept=accept)


def ping(node, address, name="shop"):
    return execute(node, "ping", "-n", "-c1", "-W30", address, name=name).returncode == 0


def state(name="shop"):
    labs = json.loads(run(WEFT, "lab", "list", "--json", accept=[0]).stdout)
    return [lab for lab in labs if lab["name"] == name]


def left():
    """Names, pins and folders of labs, which keep nothing where the machine's daemon does."""
    equal(os.listdir(STATES), [], f"what is in {STATES}")
    places = ("/run/netns", "/run/weft/lab", "/sys/fs/bpf/weft")
    return [sorted(os.listdir(place)) if os.path.isdir(place) else [] for place in places]


@contextlib.contextmanager
def slow_daemon():
    """An environment in which labs start a daemon that never gets ready."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weftd")
        with open(path, "w", encoding="utf-8") as file:
            file.write(SLOW)
        os.chmod(path, 0o755)
        yield dict(os.environ, WEFT_DAEMON=path)


@statement("up waits until every port is plugged in and lists the nodes")
def comes_up(_weft):
    table = up(SHOP).stdout
    for node in ("h1", "blue/web1", "blue/db1", "blue/two-a"):
        check(node in table, f"{node} is not in\n{table}")
    check("shop-two" in table, f"the namespace of two ports is not in\n{table}")
    check(ping("blue/web1", "10.0.2.20"), "web1 to db1")
    ports = json.loads(run(WEFT, "--lab", "shop", "--json", "port", "list", accept=[0]).stdout)
    equal([port["status"]["state"] for port in ports], ["plugged"] * 4, "states")


@statement("up refuses a name that is taken, and leaves that lab alone")
def taken(_weft):
    done = up(SHOP, accept=(1,))
    check("is there already" in done.stderr, done.stderr)
    check(ping("blue/web1", "10.0.2.20"), "web1 to db1")


@statement("exec runs on a workload with its devices in /sys, and passes the status on")
def on_workload(_weft):
    equal(execute("blue/two-a", "ls", "/sys/class/net").stdout.split(), ["eth0", "eth1", "lo"],
          "devices of two ports in one namespace")
    equal(execute("web1", "sh", "-c", "exit 7").returncode, 7, "status, by the short name")
    equal(execute("web1", "ping", "-c1", "-W20", "127.0.0.1").returncode, 0, "loopback")
    equal(execute("web1", "/run/weft/nothing").returncode, 127, "status of a program that is not")
    done = execute("blue/web9", "true", accept=[1])
    check('did you mean "blue/web1"?' in done.stderr, done.stderr)
    equal(execute("web1", "echo", "--", "-x").stdout.strip(), "-- -x", "what is passed on")


@statement("exec runs on a host with its daemon's socket and weft itself in PATH")
def on_host(_weft):
    status = json.loads(execute("h1", "weft", "status", "--json", accept=[0]).stdout)
    equal(status["daemon"]["name"], "lab-shop-h1", "instance")
    equal(status["host"]["name"], "h1", "host")


@statement("the lab's file applied again changes what changed in it, and unplugs nothing")
def applied_again(_weft):
    def apply(text):
        return run(WEFT, "--lab", "shop", "apply", "-", data=text, accept=[0]).stdout.splitlines()
    equal(apply(SHOP), ["nothing to change"], "the file as it is")
    changed = apply(SHOP.replace("address: 10.0.1.11", "address: 10.0.1.11, mtu: 1400"))
    equal(len(changed), 2, f"lines of {changed}")
    check(changed[0].startswith("~ port blue/web1: mtu"), changed[0])
    check(ping("blue/web1", "10.0.2.20"), "web1 to db1")
    exported = run(WEFT, "--lab", "shop", "export", accept=[0]).stdout
    equal(apply(exported), ["nothing to change"], "what was exported")


@statement("stop, start, kill and restart act on the daemon alone; packets go on")
def faults(_weft):
    for words, running in ((("kill",), False), (("start",), True), (("restart",), True),
                           (("stop",), False), (("restart",), True)):
        run(WEFT, "lab", *words, "shop", "h1", accept=[0])
        check(ping("blue/web1", "10.0.2.20"), f"web1 to db1 after {words}")
        found = run(WEFT, "lab", "list", accept=[0]).stdout
        check(("h1 running" if running else "h1 stopped") in found, found)
        equal(run(WEFT, "--lab", "shop", "status").returncode, 0 if running else 3, "status")
    run(WEFT, "lab", "start", "shop", "h1", accept=[1])
    run(WEFT, "lab", "stop", "shop", "h2", accept=[1])
    run(WEFT, "lab", "stop", "shop", "h1", accept=[0])
    run(WEFT, "lab", "stop", "shop", "h1", accept=[1])


@statement("a second lab with the same addresses is another world")
def second(_weft):
    up(SHOP.replace("name: shop", "name: second"))
    execute("db1", "ip", "link", "set", "eth0", "down", accept=[0])
    check(ping("web1", "10.0.2.20", name="second"), "web1 to db1 in the second")
    run(WEFT, "lab", "down", "second", accept=[0])
    equal(state("second"), [], "the second lab")
    equal(len(state("shop")), 1, "the first lab")


@statement("down ends what runs inside, leaves nothing behind, and may be repeated")
def goes_down(_weft):
    process = subprocess.Popen([WEFT, "lab", "exec", "shop", "web1", "--", "sleep", "1000"])
    wait_for(lambda: "sleep" in run("ps", "-o", "comm=", "-p", process.pid).stdout, "sleep")
    run(WEFT, "lab", "down", "shop", accept=[0])
    equal(process.wait(60), -signal.SIGTERM, "how the process inside ended")
    equal(left(), [[], [], []], "left behind")
    run(WEFT, "lab", "down", "shop", accept=[0])
    done = run(WEFT, "--lab", "shop", "status", accept=[1])
    equal(done.stderr, "weft: there is no lab shop\n", "to a lab that is not there")


@statement("an up that is refused by the daemon leaves nothing and says the line")
def refused(_weft):
    done = up(SHOP.replace("{subnet: web, address: 10.0.1.11}", "{subnet: webb}"), accept=(1,))
    check(":10: vpcs.blue.ports.web1.subnet: no subnet" in done.stderr, done.stderr)
    equal(len(done.stderr.splitlines()), 1, f"lines of {done.stderr}")
    equal(left(), [[], [], []], "left behind")


@statement("an up whose namespace is somebody else's leaves that one alone")
def not_ours(_weft):
    other = Netns("shop-blue-db1")
    done = up(SHOP, accept=(1,))
    check("shop-blue-db1" in done.stderr, done.stderr)
    equal(left(), [["shop-blue-db1"], [], []], "left behind")
    other.delete()


@statement("an up whose daemon does not start leaves nothing")
def no_daemon(_weft):
    done = up(SHOP, accept=(1,), environment=dict(os.environ, WEFT_DAEMON="/bin/true"))
    check("weftd did not start" in done.stderr, done.stderr)
    equal(left(), [[], [], []], "left behind")


def begin_slowly(environment):
    """A lab whose up has made its namespaces and waits for the daemon."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
        file.write(SHOP)
    process = subprocess.Popen([WEFT, "lab", "up", file.name], env=environment,
                               stderr=subprocess.PIPE, text=True)
    wait_for(lambda: os.path.exists("/run/weft/lab/shop/h1/weftd.log"), "the daemon's start")
    os.unlink(file.name)
    return process


@statement("an up that is interrupted leaves nothing")
def interrupted(_weft):
    with slow_daemon() as environment:
        process = begin_slowly(environment)
        process.send_signal(signal.SIGTERM)
        equal(process.wait(60), 1, f"status ({process.stderr.read()})")
    equal(left(), [[], [], []], "left behind")


@statement("networks of a lab may be called p0 and p1, too")
def names_of_networks(_weft):
    up("lab: {name: nets, networks: {p0: {}, p1: {}}}\n"
       "hosts: {h1: {underlay: 192.0.2.1/24, uplinks: {p0: eth1, p1: eth2}}}\n")
    check(execute("h1", "ip", "link", "show", "eth2", name="nets").returncode == 0, "no uplink")
    run(WEFT, "lab", "down", "nets", accept=[0])


@statement("what an up that was killed left is taken away by down")
def killed(_weft):
    with slow_daemon() as environment:
        process = begin_slowly(environment)
        children = run("ps", "-o", "pid=", "--ppid", process.pid).stdout.split()
        process.kill()
        process.wait()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        equal(state()[0]["state"], "starting", "state")
        up(SHOP, accept=(1,))
        wait_for(lambda: run(WEFT, "lab", "down", "shop", environment=environment).returncode == 0,
                 "lab down")
    equal(left(), [[], [], []], "left behind")


@statement("an up whose store stands still for a while, as on a busy machine, waits for it")
def silent_store(_weft):
    if not shutil.which("etcd"):
        raise Skip("etcd is not installed")
    place = "/run/weft/lab/moving-port"
    with subprocess.Popen([WEFT, "lab", "up", ROOT / "examples/moving-port.yaml"],
                          stdout=subprocess.DEVNULL) as process:
        def said(host, words):
            path = f"{place}/{host}/weftd.log"
            with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
                return words in file.read()
            return False
        wait_for(lambda: said("h3", 'msg="ready"'), "the last daemon is ready", 60)
        store = list(map(int, run("pidof", "etcd", accept=[0]).stdout.split()))
        for pid in store:
            os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: said("h1", "etcd unreachable"), "h1 notices", 60)
        for pid in store:
            os.kill(pid, signal.SIGCONT)
        equal(process.wait(120), 0, "status of up")
    run(WEFT, "lab", "down", "moving-port", accept=[0])
    equal(left(), [[], [], []], "left behind")


def setup(_weft):
    """A place of the test's own for states of the machine's daemons."""
    os.makedirs(STATES, exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", STATES, accept=[0])


main(setup, start=False)
