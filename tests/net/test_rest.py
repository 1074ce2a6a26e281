#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every route of agent/api/openapi.json, and hostile input against them.

Each answer's status must be one the document lists for the operation, and its body must fit the
schema. The walk makes, reads, changes and removes an object of every kind; then come names of 300
characters, bodies of 10 MiB, unknown and duplicate keys, wrong types, broken HTTP and many
connections.
"""
import contextlib
import json
import re
import signal
import socket

from harness import (ROOT, SOCKET, UnixConnection, check, equal, main, statement, wait_for)

API = json.loads((ROOT / "agent" / "api" / "openapi.json").read_text(encoding="utf-8"))
TREE = {"vpcs": {"blue": {"cidrs": ["10.0.0.0/16"],
                          "subnets": {"web": {"cidr": "10.0.1.0/24"}},
                          "ports": {"web1": {"subnet": "web"}}}}}
BODIES = {
    "subnets": ({"cidr": "10.0.2.0/24"}, {"route_table": "main"}),
    "ports": ({"subnet": "web", "address": "10.0.1.50"}, {"mtu": 1400}),
    "route_tables": ({"routes": [{"to": "10.9.0.0/16", "via": "blackhole"}]}, {"routes": []}),
    "security_groups": ({"ingress": [{"protocol": "tcp", "ports": "80", "from": "0.0.0.0/0"}]},
                        {"ingress": []}),
    "acls": ({"ingress": [{"number": 10, "action": "deny", "protocol": "all",
                           "from": "0.0.0.0/0"}]}, {"ingress": []}),
}


def resolve(schema):
    while "$ref" in schema:
        target = API
        for part in schema["$ref"].lstrip("#/").split("/"):
            target = target[part]
        schema = target
    return schema


TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
         "number": (int, float)}


def fit(value, schema, path="$"):
    """Faults of a value against the part of JSON Schema that the document uses."""
    schema = resolve(schema)
    if value is None and schema.get("nullable"):
        return []
    if "oneOf" in schema:
        tries = [fit(value, option, path) for option in schema["oneOf"]]
        return [] if any(not faults for faults in tries) else tries[0]
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or
                 (kind == "integer" and isinstance(value, bool))):
        return [f"{path}: {value!r} is no {kind}"]
    faults = []
    if "enum" in schema and value not in schema["enum"]:
        faults.append(f"{path}: {value!r} is none of {schema['enum']}")
    if kind == "object":
        for name in schema.get("required", []):
            if name not in value:
                faults.append(f"{path}: no {name}")
        extra = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name in schema.get("properties", {}):
                faults += fit(item, schema["properties"][name], f"{path}.{name}")
            elif extra is False:
                faults.append(f"{path}: {name} is not in the document")
            elif isinstance(extra, dict):
                faults += fit(item, extra, f"{path}.{name}")
    if kind == "array":
        for number, item in enumerate(value):
            faults += fit(item, schema.get("items", {}), f"{path}[{number}]")
    return faults


_seen = set()


def call(weft, method, template, names=(), body=None, query="", headers=None, want=None):
    """One request, judged by the document."""
    parts, path = list(names), template
    while "{" in path:
        path = re.sub(r"\{\w+\}", parts.pop(0), path, count=1)
    status, answer_headers, answer = weft.http(method, path + query, body, headers)
    operation = API["paths"][template][method.lower()]
    what = f"{method} {path}{query}"
    check(str(status) in operation["responses"],
          f"{what}: status {status} is not in the document ({answer})")
    content = resolve(operation["responses"][str(status)]).get("content", {})
    kind = answer_headers.get("Content-Type", "").split(";")[0]
    check(not content or kind in content, f"{what}: content type {kind}")
    if kind == "application/json":
        equal(fit(answer, content[kind]["schema"]), [], f"{what}: body against the schema")
    if want is not None:
        equal(status, want, f"status of {what} ({answer})")
    _seen.add((method.lower(), template))
    return answer, answer_headers


def setup(weft):
    call(weft, "POST", "/v1/apply", body=TREE, want=200)


@statement("the daemon serves the document it is tested against")
def document(weft):
    answer, _ = call(weft, "GET", "/openapi.json", want=200)
    equal(answer, API, "the document")


@statement("plain reads: healthz, status, metrics, export, counters, flows, drops")
def reads(weft):
    for path in ("/healthz", "/v1/status", "/metrics", "/v1/export", "/v1/counters", "/v1/flows",
                 "/v1/drops", "/v1/multicast"):
        call(weft, "GET", path, want=200)
    call(weft, "GET", "/v1/multicast", query="?port=blue/ghost", want=404)
    call(weft, "GET", "/v1/counters", query="?name=blue/web1", want=200)
    call(weft, "GET", "/v1/counters", query="?name=blue/ghost", want=404)
    call(weft, "GET", "/v1/flows", query="?port=blue/ghost", want=404)
    call(weft, "GET", "/v1/flows", query="?limit=no", want=400)
    call(weft, "GET", "/v1/drops", query="?port=blue/ghost", want=404)


@statement("vpc: list, make, read, change, remove")
def vpcs(weft):
    call(weft, "GET", "/v1/vpcs", want=200)
    call(weft, "PUT", "/v1/vpcs/{vpc}", ["red"], {"cidrs": ["10.0.0.0/16"]}, want=201)
    call(weft, "PUT", "/v1/vpcs/{vpc}", ["red"], {"cidrs": ["10.0.0.0/16"]},
         headers={"If-None-Match": "*"}, want=412)
    call(weft, "PATCH", "/v1/vpcs/{vpc}", ["red"], {"established": "cut"}, want=200)
    answer, _ = call(weft, "GET", "/v1/vpcs/{vpc}", ["red"], want=200)
    equal(answer["established"], "cut", "established")
    call(weft, "DELETE", "/v1/vpcs/{vpc}", ["red"], want=200)
    call(weft, "GET", "/v1/vpcs/{vpc}", ["red"], want=404)
    call(weft, "DELETE", "/v1/vpcs/{vpc}", ["red"], want=404)


@statement("every kind of object: list, make, read, change with ETag, remove")
def objects(weft):
    for kind, (body, changes) in BODIES.items():
        collection, path = f"/v1/vpcs/{{vpc}}/{kind}", f"/v1/vpcs/{{vpc}}/{kind}/{{name}}"
        names = ["blue", "x1"]
        call(weft, "GET", collection, ["blue"], want=200)
        call(weft, "GET", collection, ["ghost"], want=404)
        call(weft, "GET", path, names, want=404)
        call(weft, "PUT", path, names, body, want=201)
        _, headers = call(weft, "GET", path, names, want=200)
        tag = headers["ETag"]
        call(weft, "PATCH", path, names, changes, headers={"If-Match": tag}, want=200)
        call(weft, "PATCH", path, names, changes, headers={"If-Match": '"0"'}, want=412)
        call(weft, "PUT", path, names, body, headers={"If-Match": '"0"'}, want=412)
        call(weft, "PUT", path, names, body, want=200)
        call(weft, "PUT", path, names, dict(body, colour="red"), want=400)
        call(weft, "DELETE", path, names, headers={"If-Match": '"0"'}, want=412)
        call(weft, "DELETE", path, names, want=200)
        call(weft, "DELETE", path, names, want=404)


@statement("capture: the stream opens, and bad parameters are named")
def capture(weft):
    weft.http("PUT", "/v1/vpcs/blue/ports/seen", {"subnet": "web", "attach": {"tap": "seen0"}})
    connection = UnixConnection(SOCKET)
    connection.request("GET", "/v1/capture?port=blue/seen")
    answer = connection.getresponse()
    equal((answer.status, answer.getheader("Content-Type")), (200, "application/x-pcapng"),
          "status and type")
    equal(answer.read(4), bytes.fromhex("0a0d0d0a"), "a section header of pcapng")
    connection.close()
    for query in ("", "?port=blue/seen&direction=up", "?port=blue/seen&size=none",
                  "?port=blue/seen&protocol=xyz", "?port=blue/seen&count=-1"):
        call(weft, "GET", "/v1/capture", query=query, want=400)
    call(weft, "GET", "/v1/capture", query="?port=blue/nobody", want=404)
    weft.http("DELETE", "/v1/vpcs/blue/ports/seen")


@statement("flow logs: where they go, and what an early end of their interval records")
def flow_logs(weft):
    call(weft, "GET", "/v1/flow_logs")
    call(weft, "POST", "/v1/flow_logs/write")


@statement("hosts and tunnels: list, make, read, change, remove")
def hosts(weft):
    host = {"underlay": ["192.0.2.77/24"]}
    tunnel = {"type": "vxlan", "host": "h77", "remote": "198.51.100.7", "subnet": "tunnelled",
              "id": 77}
    call(weft, "GET", "/v1/hosts", want=200)
    call(weft, "PUT", "/v1/hosts/{name}", ["h77"], host, want=400)  # the ports are not there
    own = weft.get("/v1/status")["host"]["name"]
    call(weft, "PUT", "/v1/hosts/{name}", [own], {"underlay": ["192.0.2.76/24"]}, want=201)
    call(weft, "PUT", "/v1/hosts/{name}", ["h77"], host, want=201)
    call(weft, "GET", "/v1/hosts/{name}", ["h77"], want=200)
    call(weft, "PATCH", "/v1/hosts/{name}", ["h77"], {"encapsulations": ["vxlan"]}, want=200)
    call(weft, "PATCH", "/v1/hosts/{name}", ["h77"], {"underlay": "nonsense"}, want=400)
    subnet = {"cidr": "10.0.77.0/24", "mode": "l2"}
    call(weft, "PUT", "/v1/vpcs/{vpc}/subnets/{name}", ["blue", "tunnelled"], subnet, want=201)
    names = ["blue", "t1"]
    path = "/v1/vpcs/{vpc}/tunnels/{name}"
    call(weft, "GET", "/v1/vpcs/{vpc}/tunnels", ["blue"], want=200)
    call(weft, "PUT", path, names, tunnel, want=201)
    call(weft, "GET", path, names, want=200)
    call(weft, "PATCH", path, names, {"id": 78}, want=200)
    call(weft, "PATCH", path, names, {"id": 1 << 24}, want=400)
    call(weft, "DELETE", path, names, want=200)
    call(weft, "DELETE", path, names, want=404)
    call(weft, "DELETE", "/v1/vpcs/{vpc}/subnets/{name}", ["blue", "tunnelled"], want=200)
    call(weft, "DELETE", "/v1/hosts/{name}", ["h77"])


@statement("cluster: what cannot be asked of a lone host is refused")
def cluster(weft):
    call(weft, "POST", "/v1/cluster/token")
    call(weft, "POST", "/v1/cluster/init", body={"colour": "red"}, want=400)
    call(weft, "POST", "/v1/cluster/join", body={"colour": "red"})


@statement("what PUT takes GET gives back, and putting that again changes nothing")
def idempotent(weft):
    for kind, (body, _) in BODIES.items():
        path = f"/v1/vpcs/blue/{kind}/same"
        weft.http("PUT", path, body)
        first = weft.get(path)
        again = {key: value for key, value in first.items() if key not in ("id", "status")}
        status, _, answer = weft.http("PUT", path, again)
        equal(status, 200, f"status of PUT {path} with its own GET ({answer})")
        second = weft.get(path)
        for both in (first, second):
            both.pop("status", None)
        equal(second, first, f"{kind} after the second PUT")
        weft.http("DELETE", path)


@statement("apply: dry run says what would be, a fault comes with its path")
def apply(weft):
    tree = json.loads(json.dumps(TREE))
    tree["vpcs"]["blue"]["subnets"]["db"] = {"cidr": "10.0.2.0/24"}
    answer, _ = call(weft, "POST", "/v1/apply", body=tree, query="?dry_run=1", want=200)
    equal([(change["action"], change["kind"], change["name"]) for change in answer["changes"]],
          [("add", "subnet", "blue/db")], "changes")
    call(weft, "GET", "/v1/vpcs/{vpc}/subnets/{name}", ["blue", "db"], want=404)
    tree["vpcs"]["blue"]["subnets"]["db"] = {"cidr": "10.0.1.0/25"}
    answer, _ = call(weft, "POST", "/v1/apply", body=tree, want=400)
    check(answer["error"]["path"].startswith("vpcs.blue.subnets"), f"path: {answer}")


@statement("trace: a known port, an unknown one, nonsense")
def trace(weft):
    call(weft, "POST", "/v1/trace", body={"port": "blue/web1", "to": "10.0.1.1"})
    call(weft, "POST", "/v1/trace", body={"port": "blue/ghost", "to": "10.0.1.1"}, want=404)
    for body in ({}, {"port": 1}, {"port": "blue/web1", "to": "nonsense"},
                 {"port": "blue/web1", "hex": "zz"}, {"port": "blue/web1", "hex": "00" * 70000},
                 {"port": "blue/web1", "to": "10.0.1.1", "protocol": "tcp",
                  "destination_port": 70000}):
        call(weft, "POST", "/v1/trace", body=body, want=400)


@statement("events: the stream opens")
def events(weft):
    connection = UnixConnection(SOCKET)
    connection.request("GET", "/v1/events?kind=change")
    answer = connection.getresponse()
    equal(answer.status, 200, "status")
    weft.http("PUT", "/v1/vpcs/blue/subnets/seen", {"cidr": "10.0.9.0/24"})
    wait_for(lambda: b"blue/seen" in answer.readline(), "the change in the stream")
    connection.close()
    call(weft, "GET", "/v1/events", query="?kind=nonsense", want=400)


@statement("every operation of the document was called")
def complete(_weft):
    operations = {(method, path) for path, item in API["paths"].items() for method in item
                  if method in ("get", "put", "patch", "post", "delete")}
    equal(sorted(operations - _seen - {("get", "/v1/events")}), [], "operations not called")


def unchanged(weft, before):
    equal(weft.get("/v1/export"), before, "the intent after hostile input")
    check(weft.answers(), "the daemon still answers")


@statement("unknown paths and methods are refused with an error document")
def unknown(weft):
    for method, path, want in (("GET", "/v2/vpcs", 404), ("GET", "/v1/vpcs/blue/colours", 404),
                               ("GET", "/v1/vpcs/blue/ports/web1/x", 404), ("GET", "/", 404),
                               ("DELETE", "/v1/vpcs", 405), ("POST", "/v1/status", 405)):
        status, _, body = weft.http(method, path)
        equal(status, want, f"status of {method} {path}")
        check(body["error"]["message"], f"no sentence: {body}")


@statement("hostile names: 300 characters, capitals, dots, escapes, NUL")
def names(weft):
    before = weft.get("/v1/export")
    for name in ("a" * 300, "a" * 64, "Blue", "..", "%2e%2e", "a%00b", "a%2fb", "%zz", "a%20b",
                 "%c3%a4", "-a"):
        for path in (f"/v1/vpcs/{name}", f"/v1/vpcs/blue/subnets/{name}"):
            status, _, _ = weft.http("PUT", path, {"cidrs": ["10.3.0.0/16"]})
            check(status in (400, 404), f"PUT {path[:60]}: status {status}")
    unchanged(weft, before)


@statement("hostile bodies: 10 MiB, not JSON, duplicate keys, deep nesting, wrong types")
def bodies(weft):
    before = weft.get("/v1/export")
    large = '{"vpcs": {"x": {"cidrs": ["' + "1" * (10 << 20) + '"]}}}'
    try:
        status = weft.http("POST", "/v1/apply", large)[0]
        equal(status, 400, "status for 10 MiB")
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before all of it was sent
    for body in ("{", "nonsense", '"text"', "[]", "null", '{"vpcs": {"a": {}, "a": {}}}',
                 '{"vpcs": []}', '{"vpcs": {"a": {"cidrs": {}}}}',
                 '{"vpcs": {"a": {"cidrs": [1]}}}', '{"vpcs": {"a": {"colour": 1}}}',
                 "[" * 100000, '{"a":' * 50000, '{"vpcs": {"a": {"cidrs": ["10.0.0.0/16"], '
                 '"mtu": 1e400}}}', '{"vpcs": {"a": {"cidrs": ["\\ud800"]}}}', '{"vpcs": 5}',
                 b'{"vpcs": {"\xff\xfe": {}}}', '{"vpcs": {"a\\u0000b": {}}}',
                 '{"vpcs": {"a": {"cidrs": ["10.0.0.0/16"], "mtu": 99999999999999999999}}}',
                 '{"vpcs": {"a": {"cidrs": ["10.0.0.0/16"], "flow_limit": -1}}}'):
        status, _, answer = weft.http("POST", "/v1/apply", body)
        equal(status, 400, f"status for {body[:60]!r} ({answer})")
        check(answer["error"]["message"], "no sentence")
    unchanged(weft, before)


@statement("hostile HTTP: garbage, endless headers, a body that never comes, early ends")
def raw(weft):
    before = weft.get("/v1/export")
    for data in (b"\0\1\2\3\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                 b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
                 b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 200000 + b"\r\n\r\n",
                 b"POST /v1/apply HTTP/1.1\r\nHost: w\r\nContent-Length: -5\r\n\r\n{}",
                 b"POST /v1/apply HTTP/1.1\r\nHost: w\r\nContent-Length: " + b"9" * 30 +
                 b"\r\n\r\n",
                 b"POST /v1/apply HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\n{",
                 b"POST /v1/apply HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(SOCKET)
            client.settimeout(0.2)
            try:
                client.sendall(data)
                client.recv(100)
            except OSError:
                pass
    unchanged(weft, before)


@statement("two hundred idle connections do not keep the next one out, with a busy daemon too")
def idle(weft):
    with contextlib.ExitStack() as held:
        weft.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(200):
                client = held.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(20)  # connects without blocking: a full queue is an error
                client.connect(SOCKET)
                client.sendall(b"GET /v1/status HT")
        finally:
            weft.process.send_signal(signal.SIGCONT)
        equal(weft.http("GET", "/healthz")[0], 200, "status beside them")


@statement("of two writers with the same ETag one wins and the other is told")
def concurrent(weft):
    weft.http("PUT", "/v1/vpcs/blue/subnets/race", {"cidr": "10.0.30.0/24"})
    tag = weft.http("GET", "/v1/vpcs/blue/subnets/race")[1]["ETag"]
    statuses = sorted(weft.http("PATCH", "/v1/vpcs/blue/subnets/race", {"flood_rate": rate},
                                {"If-Match": tag})[0] for rate in (10, 20))
    equal(statuses, [200, 412], "statuses of the two")


main(setup)
