# SPDX-License-Identifier: BSD-2-Clause
"""Labs of examples/ as tests use them: up, commands on their nodes, down, and nothing left.

    +-- lab NAME --------------------------------------------+
    |  host h1 (weftd) -- underlay -- host h2 (weftd)  ...    |   lab("NAME") brings it up;
    |     |                              |                    |   run(), ping(), serve() go to
    |  workload vpc/port             workload vpc/port        |   a node by its name
    +---------------------------------------------------------+
"""
import contextlib
import json
import os
import subprocess

from harness import ROOT, SECONDS, WEFT, check, equal, run, wait_for

SERVER = """
import socket
server = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    client, _ = server.accept()
    client.sendall(b"hello from NAME")
    client.close()
"""
CLIENT = """
import socket, sys
try:
    with socket.create_connection(("ADDRESS", PORT), timeout=SECONDS) as client:
        print(client.recv(100).decode())
except OSError as error:
    sys.exit(f"no connection: {error}")
"""


class Lab:
    """A lab that is up."""

    def __init__(self, name):
        self.name, self.processes = name, []

    def command(self, node, *words):
        return [WEFT, "lab", "exec", self.name, node, "--", *map(str, words)]

    def run(self, node, *words, accept=None):
        return run(*self.command(node, *words), accept=accept)

    def start(self, node, *words, **options):
        process = subprocess.Popen(self.command(node, *words), **options)
        self.processes.append(process)
        return process

    def ping(self, node, address, seconds=2):
        return self.run(node, "ping", "-n", "-c1", f"-W{seconds}", address).returncode == 0

    def reaches(self, node, address):
        """As ping(), but the answer may take its time."""
        return self.ping(node, address, SECONDS)

    def serve(self, node, port):
        """A TCP server that says hello."""
        self.start(node, "python3", "-c", SERVER.replace("PORT", str(port)).replace("NAME", node))
        wait_for(lambda: f":{port} " in self.run(node, "ss", "-Hltn").stdout, f"server at {node}")

    def fetch(self, node, address, port, seconds=SECONDS):
        """What the server says, or None."""
        done = self.run(node, "python3", "-c", CLIENT.replace("ADDRESS", address)
                        .replace("PORT", str(port)).replace("SECONDS", str(seconds)))
        return done.stdout.strip() if done.returncode == 0 else None

    def weft(self, *words, accept=(0,), host="h1"):
        """The lab's weft, as on one of its hosts."""
        return self.run(host, WEFT, *words, accept=accept)

    def trace(self, *words):
        """As JSON; asked again while another host is too busy to answer in time."""
        def asked():
            done = self.weft("--json", "trace", *words, accept=(0, 1, 4))
            check(done.stdout, f"trace {words}: {done.stderr}")
            return done if done.returncode != 1 else None
        return json.loads(wait_for(asked, f"trace {words}").stdout)

    def counter(self, reason, host="h1"):
        verdicts = json.loads(self.weft("--json", "counters", reason, host=host).stdout)["verdicts"]
        return verdicts.get(reason, {}).get("packets", 0)


@contextlib.contextmanager
def lab(name):
    """The example as a lab; taken down at the end, and nothing of it is left."""
    before = left()
    run(WEFT, "lab", "up", ROOT / "examples" / f"{name}.yaml", accept=[0])
    made = Lab(name)
    try:
        check(name in run(WEFT, "lab", "list", accept=[0]).stdout, "lab list does not show it")
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.wait()
        down = run(WEFT, "lab", "down", name)
    equal(down.returncode, 0, f"status of lab down ({down.stderr})")
    equal(left(), before, "what is left after lab down")


def left():
    """What a lab may leave on the machine: namespaces, links, pins, daemons."""
    links = [link["ifname"] for link in json.loads(run("ip", "-j", "link").stdout)]
    pins = sorted(os.listdir("/sys/fs/bpf/weft")) if os.path.isdir("/sys/fs/bpf/weft") else []
    return sorted(os.listdir("/run/netns")), sorted(links), pins, daemons()


def daemons():
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            name, state = file.read().split()[1:3]
            found += name == "(weftd)" and state != "Z"
    return found
