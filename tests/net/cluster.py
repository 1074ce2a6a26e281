# SPDX-License-Identifier: BSD-2-Clause
"""Hosts of a cluster as namespaces: each with its own weftd and state, joined by an underlay.

      store (etcd) ---- br0 ---- h1, h2, h3 …      192.0.2.0/24, 2001:db8::/64

Host hN has 192.0.2.N and 2001:db8::N on eth0. The machine itself is 192.0.2.254; what every host
talks to can be cut off it, and a host off the others, by taking its cable out.
"""
import difflib
import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request

from harness import (END, RUN, SECONDS, WEFT, WEFTD, Failure, Netns, Skip, UnixConnection, check,
                     equal, run, wait_for)

STORE = "192.0.2.254"


class Etcd:
    """Members of etcd on addresses of the machine, without TLS."""

    def __init__(self, count=1):
        self.names = [f"e{number}" for number in range(1, count + 1)]
        self.processes = {}
        for number, _ in enumerate(self.names):
            if number:
                run("ip", "address", "add", f"192.0.2.{254 - number}/24", "dev", "br0", accept=[0])
        for name in self.names:
            self.start(name)
        wait_for(self.healthy, "etcd answers", 60)

    def address(self, name):
        return f"192.0.2.{255 - int(name[1:])}"

    def start(self, name):
        url = f"http://{self.address(name)}"
        peers = ",".join(f"{other}=http://{self.address(other)}:2380" for other in self.names)
        with open(f"{RUN}/etcd-{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                ["etcd", "--name", name, "--data-dir", f"{RUN}/etcd-{name}",
                 "--listen-client-urls", f"{url}:2379", "--advertise-client-urls", f"{url}:2379",
                 "--listen-peer-urls", f"{url}:2380", "--initial-advertise-peer-urls",
                 f"{url}:2380", "--initial-cluster", peers, "--max-txn-ops", "65536",
                 "--max-request-bytes", "33554432", "--logger", "zap"], stdout=log, stderr=log)

    def end(self, name, how=signal.SIGKILL):
        self.processes[name].send_signal(how)
        self.processes[name].wait(END)

    def post(self, path, body, name=None):
        request = urllib.request.Request(f"http://{self.address(name or self.names[0])}:2379{path}",
                                         json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    def healthy(self):
        try:
            return self.post("/v3/kv/range", {"key": "eA=="}) is not None
        except OSError:
            return False

    def compact(self):
        revision = self.post("/v3/kv/range", {"key": "eA=="})["header"]["revision"]
        self.post("/v3/kv/compaction", {"revision": revision, "physical": True})

    def url(self):
        return "etcd://" + ",".join(f"{self.address(name)}:2379" for name in self.names)


class Host:
    """A host: a namespace with a cable to the underlay, and a weftd."""

    def __init__(self, number, options=()):
        self.number, self.name = number, f"h{number}"
        self.netns = Netns(self.name, make=True)
        self.state, self.socket = f"{RUN}/{self.name}", f"{RUN}/{self.name}.sock"
        self.log_path = f"{RUN}/{self.name}.log"
        self.address, self.options, self.process = f"192.0.2.{number}", options, None
        run("ip", "link", "add", f"u{self.name}", "type", "veth", "peer", "name", "eth0", "netns",
            self.name, accept=[0])
        run("ip", "link", "set", f"u{self.name}", "master", "br0", "up", accept=[0])
        self.netns.run("ip", "link", "set", "eth0", "up", accept=[0])
        self.netns.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0", accept=[0])
        self.netns.run("ip", "address", "add", f"2001:db8::{number}/64", "dev", "eth0", "nodad",
                       accept=[0])

    # ---- the daemon ----

    def start(self, *options, wait=True):
        os.makedirs(self.state, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = self.netns.start(
                WEFTD, "--name", self.name, "--state", self.state, "--socket", self.socket,
                "--host", self.name, *self.options, *options, stdout=log, stderr=log)
        if wait:
            wait_for(self.answers, f"weftd of {self.name} answers", 60)

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(f"weftd of {self.name} ended: {self.process.returncode}\n{self.log()}")
        try:
            return self.http("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(END)

    def pause(self, on=True):
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def log(self, lines=40):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    # ---- the underlay ----

    def cable(self, plugged):
        run("ip", "link", "set", f"u{self.name}", "up" if plugged else "down", accept=[0])

    # ---- the command and the interface ----

    def weft(self, *words, data=None, accept=(0,), timeout=120):
        return self.netns.run(WEFT, "--socket", self.socket, *words, data=data, accept=accept,
                              timeout=timeout)

    def add_vpc(self, name):
        """Made at last, while the store may be choosing its leader: whether the first try was done
        is not always known."""
        wait_for(lambda: self.weft("vpc", "add", name, "--cidr", "10.0.0.0/16",
                                   accept=None).returncode == 0 or self.has(f"/v1/vpcs/{name}"),
                 f"{self.name} makes {name}")

    def json(self, *words, accept=(0,)):
        return json.loads(self.weft("--json", *words, accept=accept).stdout)

    def apply(self, text, *options, accept=(0,)):
        return self.weft("apply", *options, "-", data=text, accept=accept)

    def http(self, method, path, body=None):
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text
        finally:
            connection.close()

    def get(self, path):
        status, body = self.http("GET", path)
        equal(status, 200, f"status of GET {path} on {self.name} ({body})")
        return body

    def counter(self, reason):
        return self.get(f"/v1/counters?name={reason}")["verdicts"].get(reason, {}).get("packets", 0)

    def has(self, path):
        return self.http("GET", path)[0] == 200

    def status(self):
        return self.get("/v1/status")

    def problems(self):
        return " / ".join(problem["message"] for problem in self.status()["problems"])

    def revision(self):
        return self.status()["daemon"]["revision"]

    def others(self):
        """The state of every host, as this one sees it."""
        return {name: host["status"]["state"] for name, host in self.get("/v1/hosts").items()}

    def host_status(self, name):
        return self.get(f"/v1/hosts/{name}")["status"]

    def port_state(self, name):
        vpc, port = name.split("/")
        return self.get(f"/v1/vpcs/{vpc}/ports/{port}").get("status", {}).get("state")

    def plugged(self, *ports):
        for port in ports:
            wait_for(lambda name=port: self.port_state(name) == "plugged",
                     f"{port} is plugged on {self.name}")


def underlay(mtu=1500):
    """The bridge that hosts are joined to. Without an address of its own it would take that of a
    device that a test adds, and the hosts would look for the store at the old one for seconds."""
    run("ip", "link", "add", "br0", "address", "02:00:00:00:fe:00", "type", "bridge", accept=[0])
    run("ip", "link", "set", "br0", "up", accept=[0])
    run("ip", "address", "add", f"{STORE}/24", "dev", "br0", accept=[0])
    run("ip", "address", "add", "2001:db8::fe/64", "dev", "br0", "nodad", accept=[0])
    equal(mtu, 1500, "MTU of the underlay")


def same(*hosts):
    """All hosts have the same intent. One that cannot read the store at the moment has none."""
    exports = [host.weft("export", accept=None) for host in hosts]
    return not any(done.returncode for done in exports) and len({d.stdout for d in exports}) == 1


class Hosts:
    """So many hosts h1, h2, ... that know one another, and one member of etcd."""

    def __init__(self, count):
        if not shutil.which("etcd"):
            raise Skip("etcd is not installed")
        underlay()
        self.etcd = Etcd()
        self.hosts = [Host(number, ("--store", self.etcd.url(),
                                    "--underlay", f"192.0.2.{number}/24"))
                      for number in range(1, count + 1)]
        for number, host in enumerate(self.hosts, 1):
            setattr(self, f"h{number}", host)

    def start(self):
        for host in self.hosts:
            host.start()
        for host in self.hosts:
            wait_for(lambda host=host: len(host.get("/v1/hosts")) == len(self.hosts),
                     f"{host.name} knows all hosts")


def converged(*hosts, seconds=SECONDS):
    try:
        wait_for(lambda: same(*hosts), "all hosts have the same intent", seconds)
    except Failure as failure:
        texts = [host.weft("export", accept=None) for host in hosts]
        texts = [(done.stdout + done.stderr).splitlines() for done in texts]
        differences = difflib.unified_diff(texts[0], texts[-1], hosts[0].name, hosts[-1].name,
                                           lineterm="", n=2)
        raise Failure("\n".join([str(failure), *list(differences)[:30]])) from None


def explain(hosts):
    for host in hosts:
        if os.path.exists(host.log_path):
            for line in host.log(12).splitlines():
                print(f"# {host.name}: {line}")



def told(function):
    """When the statement does not hold, the ends of the logs are shown."""
    def wrapped(weft, cluster):
        try:
            function(weft, cluster)
        except Exception:
            explain(cluster.hosts)
            raise
    return wrapped


__all__ = ["Etcd", "Host", "Hosts", "converged", "explain", "same", "told",
           "underlay", "check", "socket"]
