# SPDX-License-Identifier: BSD-2-Clause
"""Members of etcd and agents as processes on one machine, and what they cost.

An agent is the real weftd with `--simulate`: its tables are in memory, it makes no device and
probes no path; everything else (the store, the intent, the plan, the rows) is what every host runs.
All of them talk through the loopback device of a network namespace of their own.
"""
import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WEFTD = os.environ.get("WEFTD", os.path.join(ROOT, "build", "weftd"))
DEADLINE = 240


class Failed(Exception):
    """What did not work, in a sentence."""


def wait_for(condition, what, seconds=DEADLINE, step=0.05):
    """Ask until it is true; a deadline for everything."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(step)


def threads_cpu(pid):
    """Seconds of processor time of all threads of a process."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except OSError:
            pass  # it has just ended
    return total / 1e9


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path, timeout=DEADLINE):
        super().__init__("weft", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Etcd:
    """A cluster of etcd on 127.0.0.1, each write synced to the disk it is on."""

    def __init__(self, folder, count=3):
        self.folder, self.processes = folder, {}
        self.names = [f"e{number}" for number in range(1, count + 1)]
        for name in self.names:
            self.start(name)
        wait_for(lambda: all(self.healthy(name) for name in self.names), "etcd answers")

    def port(self, name, peer=False):
        return 23790 + 10 * int(name[1:]) + peer

    def url(self):
        return "etcd://" + ",".join(f"127.0.0.1:{self.port(name)}" for name in self.names)

    def start(self, name):
        client, peer = (f"http://127.0.0.1:{self.port(name, p)}" for p in (False, True))
        peers = ",".join(f"{other}=http://127.0.0.1:{self.port(other, True)}"
                         for other in self.names)
        with open(f"{self.folder}/{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                ["etcd", "--name", name, "--data-dir", f"{self.folder}/{name}",
                 "--listen-client-urls", client, "--advertise-client-urls", client,
                 "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                 "--initial-cluster", peers, "--max-txn-ops", "65536",
                 "--heartbeat-interval", "250", "--election-timeout", "2500",
                 "--max-request-bytes", "33554432", "--logger", "zap"], stdout=log, stderr=log)

    def alive(self):
        return [name for name, process in self.processes.items() if process.poll() is None]

    def post(self, name, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port(name)}{path}",
                                         json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def healthy(self, name):
        try:
            return self.post(name, "/v3/kv/range", {"key": "eA=="}) is not None
        except OSError:
            return False

    def leader(self):
        for name in self.alive():
            status = self.post(name, "/v3/maintenance/status", {})
            if status["leader"] == status["header"]["member_id"]:
                return name
        raise Failed("etcd has no leader")

    def revision(self):
        return int(self.post(self.alive()[0], "/v3/kv/range",
                   {"key": "eA=="})["header"]["revision"])

    def keys(self, prefix):
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        body = {"key": base64.b64encode(prefix.encode()).decode(), "keys_only": True,
                "range_end": base64.b64encode(end.encode()).decode()}
        return [base64.b64decode(entry["key"]).decode()
                for entry in self.post(self.alive()[0], "/v3/kv/range", body).get("kvs", [])]

    def size(self):
        """Keys and bytes of what the store holds."""
        body = {"key": "Lw==", "range_end": "MA=="}
        count = int(self.post(self.alive()[0], "/v3/kv/range",
                    {**body, "count_only": True})["count"])
        status = self.post(self.alive()[0], "/v3/maintenance/status", {})
        return count, int(status["dbSizeInUse"])

    def counters(self):
        """Sums over the members that live: what clients sent and got; keys written, once each."""
        wanted = {"etcd_network_client_grpc_sent_bytes_total": "sent",
                  "etcd_network_client_grpc_received_bytes_total": "received",
                  "etcd_debugging_mvcc_events_total": "events",
                  "etcd_disk_wal_write_bytes_total": "wal"}
        found = dict.fromkeys(wanted.values(), 0.0)
        puts = []
        for name in self.alive():
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port(name)}/metrics",
                                        timeout=10) as answer:
                for line in answer.read().decode().splitlines():
                    word, _, value = line.partition(" ")
                    if word in wanted:
                        found[wanted[word]] += float(value)
                    elif word in ("etcd_mvcc_put_total", "etcd_mvcc_delete_total"):
                        puts.append((name, float(value)))
        first = self.alive()[0]
        found["writes"] = sum(value for name, value in puts if name == first)
        return found

    def cpu(self):
        """Seconds of processor time so far, of the members that live."""
        return sum(threads_cpu(self.processes[name].pid) for name in self.alive())

    def kill(self, name):
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait(20)

    def close(self):
        for name in self.alive():
            self.kill(name)


class Agent:
    """One simulated host."""

    def __init__(self, folder, store, number):
        self.name, self.number = f"h{number}", number
        self.state = f"{folder}/{self.name}"
        self.socket, self.log = f"{self.state}.sock", f"{self.state}.log"
        os.makedirs(self.state, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [WEFTD, "--simulate", "--name", self.name, "--host", self.name,
                 "--state", self.state, "--socket", self.socket, "--store", store,
                 "--log-level", os.environ.get("WEFT_SCALE_LOG", "warning"),
                 "--underlay", f"192.168.{number // 250}.{number % 250 + 1}/16"],
                stdout=log, stderr=log)

    def http(self, method, path, body=None, accept=(200, 201)):
        connection = Connection(self.socket)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status not in accept:
            raise Failed(f"{self.name}: {method} {path}: {answer.status} {text[:300]}")
        return json.loads(text) if text[:1] in (b"{", b"[") else text.decode()

    def insist(self, method, path, body=None):
        """As http(), again and again while the store, which has few processors, is late."""
        end = time.monotonic() + DEADLINE
        while True:
            try:
                return self.http(method, path, body)
            except Failed as failure:
                if ": 503 " not in str(failure) or time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def ready(self):
        if self.process.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise Failed(f"{self.name} ended: {log.read()[-1000:]}")
        try:
            return self.http("GET", f"/v1/hosts/{self.name}", accept=(200, 404)) and True
        except OSError:
            return False

    def metric(self, name):
        for line in self.http("GET", "/metrics").splitlines():
            if line.startswith(name) and not line.startswith("#"):
                return float(line.rsplit(" ", 1)[1])
        return None

    def cpu(self):
        """Seconds of processor time so far."""
        return threads_cpu(self.process.pid)

    def memory(self):
        """Bytes that are its own: code and libraries are shared by all agents of a machine."""
        own = 0
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith(("Private_Clean", "Private_Dirty")):
                    own += int(line.split()[1]) * 1024
        return own


class Listener(threading.Thread):
    """The changes that an agent tells of, which it does when their rows are written."""

    def __init__(self, agent):
        super().__init__(daemon=True)
        self.agent, self.heard, self.changed = agent, {}, threading.Condition()
        self.connection = Connection(agent.socket, 3600)
        self.connection.request("GET", "/v1/events?kind=change")
        self.answer = self.connection.getresponse()
        if self.answer.status != 200:
            raise Failed(f"{agent.name}: no events: {self.answer.status} {self.answer.read(300)}")
        self.start()

    def run(self):
        try:
            for line in self.answer:
                if not line.startswith(b"data:"):
                    continue
                name = json.loads(line[5:]).get("name")
                with self.changed:
                    self.heard.setdefault(name, time.monotonic())
                    self.changed.notify_all()
        except (OSError, ValueError, AttributeError):
            pass  # the end of the run

    def wait(self, name, seconds=60):
        with self.changed:
            if not self.changed.wait_for(lambda: name in self.heard, seconds):
                raise Failed(f"{self.agent.name} has not heard of {name} in {seconds} s")
            return self.heard[name]
