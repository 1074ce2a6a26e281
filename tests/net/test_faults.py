#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The store fails: traffic goes on, changes are refused in one sentence, a crash leaves no half.

      a 10.0.1.11  ~~~ traffic ~~~>  b 10.0.1.12        weftd's state on a small disk of its own
"""
import contextlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

from harness import (RUN, SOCKET, WEFT, WEFTD, Netns, UnixConnection, check, equal, main, run,
                     statement, tcp_works, wait_for)
from traffic import Load

INTENT = """
vpcs:
  blue:
    cidrs: [10.0.0.0/16]
    subnets:
      one: {cidr: 10.0.1.0/24}
      many: {cidr: 10.0.16.0/20}
      lan: {cidr: 10.0.32.0/24, mode: l2}
    security_groups:
      open:
        ingress: [{protocol: all, from: 0.0.0.0/0}]
        egress: [{protocol: all, to: 0.0.0.0/0}]
    ports:
      a: {subnet: one, address: 10.0.1.11, security_groups: [open], attach: {netns: a}}
      b: {subnet: one, address: 10.0.1.12, security_groups: [open], attach: {netns: b}}
"""
DISK = f"{RUN}/disk"


class Faults:
    """Two workloads; a disk of 32 MiB for the state. (400 ports come and go nine times, and the log
    of that may take 4 MiB before SQLite empties it.)"""

    def __init__(self, weft):
        os.makedirs(DISK)
        run("mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", DISK, accept=[0])
        weft.state = f"{DISK}/state"
        weft.start()
        self.a, self.b = Netns("a"), Netns("b")
        weft.apply(INTENT)
        weft.plugged("blue/a", "blue/b")

    def load(self):
        return Load(self.a, self.b, "10.0.1.12", 7000, 7001)


def fill():
    """Write until the disk has no room."""
    with open(f"{DISK}/filler", "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


@statement("a full disk: changes are refused with a clear error, traffic is untouched")
def full(weft, faults):
    with faults.load():
        before = weft.weft("export").stdout
        fill()
        many = "\n".join(f"      p{number}: {{subnet: many}}" for number in range(500))
        done = weft.apply(INTENT + many + "\n", accept=None)
        equal(done.returncode, 1, f"exit status ({done.stdout}{done.stderr})")
        equal(len(done.stderr.strip().splitlines()), 1, f"lines: {done.stderr}")
        check(any(word in done.stderr.lower() for word in ("full", "space", "room")),
              f"the sentence: {done.stderr}")
        equal(weft.weft("export").stdout, before, "the intent")


@statement("with room again changes work, without a restart")
def room(weft, _faults):
    os.unlink(f"{DISK}/filler")
    weft.weft("subnet", "add", "blue/later", "--cidr", "10.0.8.0/24")
    weft.weft("subnet", "remove", "blue/later")


@statement("another process holds the database: refused at once, with its name; tried again, done")
def held(weft, _faults):
    database = sqlite3.connect(f"{weft.state}/store.db", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        status, _, answer = weft.http("PUT", "/v1/vpcs/blue/subnets/later", {"cidr": "10.0.8.0/24"})
        equal((status, answer["error"]["code"]), (503, "busy"), "the answer")
        for word in (f"process {os.getpid()} ", "try again"):
            check(word in answer["error"]["message"], f"the sentence: {answer}")
        # A request that waits for five seconds would hold up the others for as long, each of them.
        began = time.monotonic()
        for _ in range(20):
            weft.http("PUT", "/v1/vpcs/blue/subnets/later", {"cidr": "10.0.8.0/24"})
        check(time.monotonic() - began < 60, "twenty requests took a minute")
        database.execute("ROLLBACK")
    finally:
        database.close()
    weft.weft("subnet", "add", "blue/later", "--cidr", "10.0.8.0/24")
    weft.weft("subnet", "remove", "blue/later")


@statement("a read-only store: weftd starts, traffic is untouched, changes are refused clearly")
def read_only(weft, faults):
    with faults.load():
        weft.end()
        run("mount", "-o", "remount,ro", DISK, accept=[0])
        weft.start()
        weft.plugged("blue/a", "blue/b")
        done = weft.weft("subnet", "add", "blue/later", "--cidr", "10.0.8.0/24", accept=None)
        equal(done.returncode, 1, f"exit status ({done.stderr})")
        check("read" in done.stderr and "only" in done.stderr, f"the sentence: {done.stderr}")
    weft.end()
    run("mount", "-o", "remount,rw", DISK, accept=[0])
    weft.start()
    weft.weft("subnet", "add", "blue/later", "--cidr", "10.0.8.0/24")
    weft.weft("subnet", "remove", "blue/later")


@statement("a damaged store: weftd refuses to start and says so, traffic is untouched")
def damaged(weft, faults):
    with faults.load():
        weft.end()
        database = max((os.path.join(weft.state, name) for name in os.listdir(weft.state)),
                       key=os.path.getsize)
        with open(database, "r+b") as file:
            kept = file.read()
            file.seek(0)
            file.write(os.urandom(len(kept)))
        done = run(WEFTD, "--name", "test", "--state", weft.state, "--socket", SOCKET, timeout=60)
        check(done.returncode != 0, "weftd started with a damaged store")
        check(any(word in done.stderr for word in ("damaged", "malformed", "not a database")),
              f"it says: {done.stderr[-400:]}")
    with open(database, "wb") as file:
        file.write(kept)
    weft.start()
    weft.plugged("blue/a", "blue/b")


@statement("killed in the middle of an apply: after the start all of it is there or nothing")
def mid_apply(weft, faults):
    ports = 400
    tree = INTENT + "".join(f"      p{number}: {{subnet: many, security_groups: [open]}}\n"
                            for number in range(ports))
    path = f"{RUN}/tree.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(tree)
    with faults.load():
        counts = []
        for milliseconds in (0, 5, 10, 20, 30, 45, 70, 100, 200):
            weft.apply(INTENT)
            with subprocess.Popen([WEFT, "apply", path], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as process:
                try:
                    process.wait(milliseconds / 1000)
                except subprocess.TimeoutExpired:
                    pass
                weft.end(signal.SIGKILL)
                process.wait(60)
            weft.start()
            counts.append(len(weft.get("/v1/vpcs/blue/ports")) - 2)
            check(counts[-1] in (0, ports), f"ports after the crash: {counts}")
            weft.plugged("blue/a", "blue/b")
            last = weft.http("GET", f"/v1/vpcs/blue/ports/p{ports - 1}")
            equal(last[0], 200 if counts[-1] else 404, "the last port of the file")
            if counts[-1]:
                address = last[2]["addresses"][0]
                trace = weft.trace("blue/a", "--to", address, "--tcp", "80")
                equal(trace["reason"], "port_down", f"trace to {address}, which waits")
    print(f"# ports after each crash: {counts}")


@statement("pins deleted and programs taken off behind its back: put back, and said in the log")
def taken_off(weft, faults):
    def put_back():
        return weft.log(400).count("pipeline put back")
    before = put_back()
    pins = f"/sys/fs/bpf/weft/{weft.name}"
    device = weft.port("blue/a")["status"]["device"]
    # Whichever it hangs on by now.
    run("tc", "qdisc", "del", "dev", device, "ingress")
    shutil.rmtree(pins, ignore_errors=True)
    for directory in os.listdir(pins) if os.path.isdir(pins) else ():
        shutil.rmtree(f"{pins}/{directory}", ignore_errors=True)
    wait_for(lambda: put_back() > before, "the log says that the pipeline was put back")
    wait_for(lambda: tcp_works(faults.a, faults.b, "10.0.1.12", 7100), "traffic")
    with faults.load():
        weft.restart(signal.SIGKILL)
        weft.plugged("blue/a", "blue/b")


class Kept:
    """A connection to the API that is there already, for a daemon that takes no other."""

    def __init__(self):
        self.connection = UnixConnection(SOCKET)
        self.connection.connect()

    def get(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        return json.loads(answer.read())

    def problems(self):
        return [problem["message"] for problem in self.get("/v1/status")["problems"]]

    def state_of(self, port):
        return self.get(f"/v1/vpcs/blue/ports/{port}")["status"]["state"]


@contextlib.contextmanager
def no_descriptors(pid):
    """The process can open nothing."""
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    limit = min(set(range(len(used) + 1)) - used)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@statement("out of descriptors: ports stay as they are, which is said once, and healed afterwards")
def descriptors(weft, faults):
    run("ip", "link", "add", "br0", "up", "type", "bridge", accept=[0])
    weft.weft("port", "add", "blue/t", "--subnet", "one", "--tap", "tap0")
    weft.weft("port", "add", "blue/m", "--subnet", "lan", "--bridge", "br0")
    weft.plugged("blue/t", "blue/m")
    def said_of(what):
        return weft.log(1000).count(what)
    before = said_of("port disturbed")
    programs = f"/sys/fs/bpf/weft/{weft.name}/links"
    ports = [weft.port(f"blue/{port}")["status"] for port in "abtm"]
    devices = [port["device"] for port in ports]
    links = {str(port["ifindex"]) for port in ports}
    wait_for(lambda: links <= set(os.listdir(programs)), "each device has a tcx link")
    kept = Kept()
    try:
        with faults.load():
            with no_descriptors(weft.process.pid):
                for device in devices:
                    run("ip", "link", "set", device, "mtu", "1400", accept=[0])
                said = wait_for(kept.problems, "the status says so")
                equal(len(said), 1, f"problems: {said}")
                check("Too many open files" in said[0], f"it says: {said}")
                wait_for(lambda: said_of("port disturbed") >= before + 4, "disturbances")
                for port in "abtm":
                    equal(kept.state_of(port), "plugged", f"state of {port}")
                equal(links - set(os.listdir(programs)), set(), "devices without the pipeline")
            wait_for(lambda: not kept.problems(), "no problem any more")
            equal(said_of("stays as it is"), 2, "lines: the problem and its end")
        for device in devices:
            wait_for(lambda name=device: "mtu 1400" not in run("ip", "link", "show", name).stdout,
                     f"the MTU of {device} is put right")
    finally:
        kept.connection.close()
    weft.weft("port", "remove", "blue/t")
    weft.weft("port", "remove", "blue/m")
    run("ip", "link", "delete", "br0", accept=[0])


@statement("its socket removed behind its back: made again, and who was connected goes on")
def socket_removed(weft, _faults):
    connection = UnixConnection(SOCKET)
    try:
        connection.request("GET", "/v1/events?kind=change")
        events = connection.getresponse()
        check(events.readline().startswith(b":"), "the stream of events does not begin")
        for remove in (lambda: os.unlink(SOCKET), lambda: os.rename(SOCKET, f"{SOCKET}.old")):
            remove()
            wait_for(weft.answers, "the daemon answers at its socket")
        check("made again" in weft.log(400), "the log does not say so")
        weft.weft("subnet", "add", "blue/later", "--cidr", "10.0.8.0/24")
        line = events.readline()
        while b"later" not in line:
            check(line, "the stream of events ended")
            line = events.readline()
        weft.weft("subnet", "remove", "blue/later")
    finally:
        connection.close()
    equal(weft.json("status")["problems"], [], "what the status complains of")


@statement("the tables are those of the intent after all this: the audit repairs nothing")
def audit(weft, _faults):
    weft.apply(INTENT)
    weft.restart()
    weft.plugged("blue/a", "blue/b")
    first = weft.get("/v1/status")["datapath"]["rows"]
    weft.restart(signal.SIGKILL)
    weft.plugged("blue/a", "blue/b")
    equal(weft.get("/v1/status")["datapath"]["rows"], first, "rows after another restart")


@statement("without a daemon the command ends with status 3 and says so in one line")
def no_daemon(weft, _faults):
    weft.end(signal.SIGKILL)
    done = weft.weft("status", accept=(3,))
    equal(len(done.stderr.strip().splitlines()), 1, f"lines: {done.stderr}")
    check(SOCKET in done.stderr, f"does not name the socket: {done.stderr}")
    weft.start()
    wait_for(weft.answers, "the daemon answers")


main(Faults, start=False)
