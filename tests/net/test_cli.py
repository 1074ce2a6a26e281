#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command as scripts see it: exit status, one line on stderr, stable JSON.

No packets: a daemon, and every command of the manual with good and bad arguments.
"""
import json
import os
import shutil

from harness import SOCKET, WEFT, check, equal, main, run, statement


@statement("objects are made, listed, shown, changed and removed by the commands of the manual")
def life(weft):
    for words in (("vpc", "add", "blue", "--cidr", "10.0.0.0/16", "--cidr", "fd00:b::/48"),
                  ("subnet", "add", "blue/web", "--cidr", "10.0.1.0/24"),
                  ("subnet", "add", "blue/db", "--cidr", "10.0.2.0/24", "--mode", "l3"),
                  ("group", "add", "blue/web"),
                  ("rule", "add", "blue/web", "ingress", "tcp", "80,443", "--from", "0.0.0.0/0"),
                  ("rule", "add", "blue/web", "ingress", "udp", "53", "--from", "group:web"),
                  ("port", "add", "blue/web1", "--subnet", "web", "--netns", "web1",
                   "--address", "10.0.1.11", "--group", "web"),
                  ("port", "add", "blue/vm1", "--subnet", "web", "--tap", "tapvm1"),
                  ("route-table", "add", "blue/private"),
                  ("route", "add", "blue/private", "10.9.0.0/16", "--via", "port:web1"),
                  ("route", "add", "blue/private", "10.8.0.0/16", "--via", "blackhole"),
                  ("subnet", "set", "blue/db", "--route-table", "private")):
        weft.weft(*words)
    for noun, name in (("vpc", "blue"), ("subnet", "blue/web"), ("port", "blue/web1"),
                       ("group", "blue/web"), ("route-table", "blue/private")):
        table = weft.weft(noun, "list").stdout
        check(name.split("/")[-1] in table, f"{noun} list does not show {name}:\n{table}")
        check(weft.weft(noun, "show", name).stdout, f"{noun} show {name} prints nothing")
        weft.json(noun, "list")
        weft.json(noun, "show", name)
    weft.weft("port", "remove", "blue/vm1")
    weft.weft("port", "show", "blue/vm1", accept=(1,))


@statement("exit status 1 for what is refused or not found, with one line on stderr")
def refused(weft):
    for words in (("vpc", "show", "ghost"), ("port", "show", "blue/ghost"),
                  ("vpc", "add", "blue", "--cidr", "10.0.0.0/16"),
                  ("subnet", "add", "blue/bad", "--cidr", "10.0.1.0/25"),
                  ("port", "add", "blue/bad", "--subnet", "webb", "--netns", "x"),
                  ("trace", "blue/ghost", "--to", "10.0.1.1")):
        done = weft.weft(*words, accept=(1,))
        equal(len(done.stderr.strip().splitlines()), 1, f"lines of {words}: {done.stderr}")
        check(done.stderr.startswith("weft: "), f"{words}: {done.stderr}")
        equal(done.stdout, "", f"stdout of {words}")
    # What is in the way is another object than the one that was to change: both are named.
    done = weft.weft("vpc", "set", "blue", "--cidr", "10.7.0.0/16", accept=(1,))
    check(done.stderr.startswith("weft: vpc blue: subnet blue/"), done.stderr)
    # A name that can be none is said once, as much of it as is needed to know it again.
    for noun, before in (("vpc", ""), ("subnet", "blue/")):
        done = weft.weft(noun, "add", before + "n" * 300, "--cidr", "10.0.9.0/24", accept=(1,))
        equal(done.stderr, f"weft: {noun} {before}{'n' * 60}…: the name has 300 characters, at "
              "most 63 are allowed\n", f"a {noun} with a long name")


@statement("a misspelt name is answered with the nearest one")
def suggestion(weft):
    done = weft.weft("port", "add", "blue/bad", "--subnet", "webb", "--netns", "x", accept=(1,))
    check('did you mean "web"?' in done.stderr, done.stderr)
    done = weft.weft("capture", "blue/web1", "tcp", "prot", "80", accept=(2,))
    check('did you mean "port"?' in done.stderr, done.stderr)
    # A key that is written wrongly in a file is named once, with its place.
    done = weft.apply("hosts: {h9: {uplinks: {p1: {devise: eth0}}}}", accept=(1,))
    equal(done.stderr, "weft: standard input:1: hosts.h9.uplinks.p1.devise: unknown key "
          '(did you mean "device"?)\n', "a host's key")


@statement("exit status 2 for wrong usage")
def usage(weft):
    for words in ((), ("nonsense",), ("vpc",), ("vpc", "nonsense"), ("vpc", "add"),
                  ("vpc", "add", "red", "--nonsense"), ("vpc", "list", "--cidr"),
                  ("trace",), ("rule", "add", "blue/web", "sideways", "tcp", "80")):
        done = weft.weft(*words, accept=(2,))
        check(done.stderr, f"{words} says nothing")


@statement("exit status 3 when there is no daemon at the socket")
def no_daemon(weft):
    done = weft.weft("--socket", "/run/weft/nobody.sock", "status", accept=(3,))
    check("/run/weft/nobody.sock" in done.stderr, done.stderr)


@statement("exit status 4 for a trace that ends in a drop")
def dropped(weft):
    done = weft.weft("trace", "blue/web1", "--to", "10.0.2.77", accept=(1, 4))
    check(done.returncode == 4 or "plugged" in done.stderr, done.stderr)


@statement("a trace from a port that is not plugged in says so, and why, before it shows the way")
def trace_unplugged(weft):
    done = weft.weft("trace", "blue/web1", "--arp", "10.0.1.1")
    equal(done.stdout.splitlines()[0], "port blue/web1 is not plugged in, nothing leaves it now: "
          'there is no network namespace "web1"', "the first line")
    check("delivered" in done.stdout.splitlines()[-1], done.stdout)
    answer = weft.json("trace", "blue/web1", "--arp", "10.0.1.1")
    check(answer["note"] in done.stdout and answer["verdict"] == "delivered", str(answer))


@statement("help is there for every noun, and version says one")
def help_text(weft):
    text = weft.weft("--help").stdout
    for noun in ("vpc", "subnet", "port", "route", "route-table", "group", "rule", "trace",
                 "drops", "flows", "counters", "lab", "status", "apply", "export"):
        check(noun in text, f"no {noun} in help")
        check(weft.weft("help", noun).stdout, f"no help for {noun}")
        check(weft.weft(noun, "--help").stdout, f"no {noun} --help")
    check(weft.weft("version").stdout.strip(), "no version")


@statement("completion for bash and zsh is generated")
def completion(weft):
    for shell in ("bash", "zsh"):
        check("route-table" in weft.weft("completion", shell).stdout, f"completion {shell}")
    script = weft.weft("completion", "bash").stdout
    equal(run("bash", "-n", data=script).returncode, 0, "bash reads the completion")

    def complete(*words):
        line = " ".join(f"'{word}'" for word in ("weft", *words))
        return run("bash", data=f"""{script}
            unset WEFT_SOCKET
            PATH={os.path.dirname(WEFT)}:$PATH COMP_WORDS=({line}) COMP_CWORD={len(words)}
            _weft; printf '%s\\n' "${{COMPREPLY[@]}}" """, accept=[0]).stdout.split()

    check("route-table" in complete("ro"), f"nouns: {complete('ro')}")
    check("add" in complete("port", ""), f"verbs: {complete('port', '')}")
    equal(complete("port", "add", "blue/x", "--sub"), ["--subnet"], "options")
    equal(complete("subnet", "add", "blue/x", "--mode", ""), ["l3", "l2"], "values")
    # Names are those of the daemon that the command line speaks of; none is at the usual place.
    equal(complete("--socket", SOCKET, "subnet", "show", "blue/w"), ["blue/web"], "names")
    equal(complete("subnet", "show", "blue/w"), [], "names without a daemon")
    if shutil.which("zsh"):
        script = weft.weft("completion", "zsh").stdout
        equal(run("zsh", "-n", data=script).returncode, 0, "zsh reads the completion")


@statement("--quiet is quiet, --json prints one document")
def output(weft):
    equal(weft.weft("--quiet", "subnet", "add", "blue/q", "--cidr", "10.0.7.0/24").stdout, "",
          "output with --quiet")
    json.loads(weft.weft("--json", "subnet", "remove", "blue/q").stdout or "{}")
    json.loads(weft.weft("--json", "export").stdout)


@statement("apply prints the plan, and a dry run changes nothing")
def plan(weft):
    tree = weft.weft("export").stdout
    added = tree.replace("subnets:", "subnets:\n      new:\n        cidr: 10.0.40.0/24", 1)
    done = weft.apply(added, "--dry-run")
    check("+ subnet blue/new" in done.stdout, done.stdout)
    weft.weft("subnet", "show", "blue/new", accept=(1,))
    check("+ subnet blue/new" in weft.apply(added).stdout, "the plan of the real apply")
    check("- subnet blue/new" in weft.apply(tree).stdout, "the plan of the way back")


@statement("it runs on a closed standard output and on a file that is not there")
def closed(weft):
    weft.weft("apply", "/nonexistent.yaml", accept=(1, 2))
    done = run("sh", "-c", f"{WEFT} vpc list >&-")
    check(done.returncode in (0, 1), f"status {done.returncode}")


main()
