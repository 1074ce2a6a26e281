#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The interface over TCP: only with TLS, only with the token; over the socket only for root.

      client --- TLS, token --- 127.0.0.1:8443 weftd /run/weft/test.sock --- weft
"""
import http.client
import json
import os
import socket
import ssl

from harness import RUN, SOCKET, WEFTD, check, equal, main, run, statement

TOKEN = "correct-horse-battery-staple"


def setup(weft):
    os.chmod(RUN, 0o755)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
        "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{RUN}/key.pem",
        "-out", f"{RUN}/certificate.pem", accept=[0])
    with open(f"{RUN}/token", "w", encoding="utf-8") as file:
        file.write(TOKEN + "\n")
    os.chmod(f"{RUN}/token", 0o600)
    weft.start("--listen", "127.0.0.1:8443", "--tls-certificate", f"{RUN}/certificate.pem",
               "--tls-key", f"{RUN}/key.pem", "--token-file", f"{RUN}/token")


def request(path, token=None, method="GET", body=None):
    """Status and body over TLS, with the certificate checked."""
    context = ssl.create_default_context(cafile=f"{RUN}/certificate.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", 8443, context=context, timeout=60)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


@statement("with the token the interface is there")
def with_token(_weft):
    status, body = request("/v1/status", TOKEN)
    equal(status, 200, f"status ({body})")
    check("daemon" in json.loads(body), "the status document")
    status, body = request("/v1/vpcs/remote", TOKEN, "PUT", '{"cidrs": ["10.0.0.0/16"]}')
    equal(status, 201, f"status of a change ({body})")


@statement("without the token, with a wrong one, with a part of it: 401 and nothing said")
def without_token(weft):
    for token in (None, "wrong", TOKEN[:-1], TOKEN + "x", "", "\u00e4"):
        for path in ("/v1/status", "/v1/vpcs", "/metrics", "/v1/export"):
            status, body = request(path, token.encode().decode("latin-1") if token else token)
            equal(status, 401, f"status of {path} with {token!r}")
            check(b"daemon" not in body and b"cidrs" not in body, f"it says {body}")
    equal(request("/v1/vpcs/remote", "wrong", "DELETE")[0], 401, "status of a removal")
    weft.weft("vpc", "show", "remote")


@statement("plain HTTP at the TLS port is not answered")
def plain(weft):
    with socket.create_connection(("127.0.0.1", 8443), timeout=30) as client:
        client.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            answer = client.recv(4096)
        except OSError:
            answer = b""
        check(b"200" not in answer and b"daemon" not in answer, f"it answered {answer}")
    check(weft.answers(), "the daemon still answers")


@statement("--listen without certificate, key or token refuses to start and says what is missing")
def incomplete(_weft):
    done = run(WEFTD, "--name", "other", "--state", f"{RUN}/other", "--socket",
               f"{RUN}/other.sock", "--listen", "127.0.0.1:8444", timeout=60)
    check(done.returncode not in (0, None), "it started")
    check("tls" in done.stderr.lower() or "certificate" in done.stderr.lower(),
          f"it says {done.stderr}")


@statement("another user is not let in at the socket")
def other_user(_weft):
    program = ("import os, socket\nos.setgid(65534)\nos.setuid(65534)\n"
               "client = socket.socket(socket.AF_UNIX)\n"
               f"try:\n    client.connect('{SOCKET}')\n"
               "except PermissionError:\n    print('refused')\n    raise SystemExit\n"
               "client.sendall(b'PUT /v1/vpcs/evil HTTP/1.1\\r\\nHost: w\\r\\n"
               "Content-Length: 25\\r\\n\\r\\n{\"cidrs\":[\"10.0.0.0/16\"]}')\n"
               "print(client.recv(100).split()[1].decode())\n")
    done = run("python3", "-c", program)
    check(done.stdout.strip() in ("refused", "403", "401"), f"{done.stdout}{done.stderr}")


main(setup, start=False)
