#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every command in docs/guide and the five of the README run as they are printed.

No picture: each page draws its own. A page is one shell session; a line `$ command` must end with
status 0, or with N where the page says `# exit N`; what stands between them without `$` is among
what they print. By hand needs a daemon, the labs bring theirs.
"""
import os
import re
import subprocess

from harness import BUILD, ROOT, Netns, check, equal, main, statement

COMMAND = re.compile(r"^\$ (.*?)(?:\s+# exit (\d+))?$")


def lines(page):
    """The lines of a page that show a session."""
    text = (ROOT / "docs" / "guide" / page).read_text(encoding="utf-8")
    for block in re.findall(r"^```console\n(.*?)^```", text, re.M | re.S):
        yield from block.splitlines()


def commands(page):
    """The commands of a page with the status each should end with."""
    for line in lines(page):
        match = COMMAND.match(line)
        if match:
            yield match.group(1), int(match.group(2) or 0)


def session(listed, folder=ROOT):
    """Run the commands in one shell, as a reader does; say which one ended otherwise."""
    script = ["set -u"]
    for command, status in listed:
        background = command.endswith("&")
        script.append(command)
        if not background:
            ended = f"ENDED WITH $got, not {status}: "
            script.append(f'got=$?; [ $got = {status} ] || '
                          f'{{ echo "{ended}" {quote(command)}; exit 1; }}')
    done = subprocess.run(["bash"], input="\n".join(script), capture_output=True, text=True,
                          cwd=folder, timeout=300, check=False,
                          env=dict(os.environ, PATH=f"{BUILD}:{os.environ['PATH']}"))
    equal((done.returncode, "ENDED WITH" in done.stdout), (0, False),
          f"the session\n{done.stdout[-1500:]}{done.stderr[-500:]}")
    return done.stdout + done.stderr


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def page_runs(page):
    listed = list(commands(page))
    check(len(listed) >= 4, f"only {len(listed)} commands in {page}")
    printed = session(listed).splitlines()
    for line in lines(page):
        check(COMMAND.match(line) or line in printed, f"{page} shows what was not printed: {line}")
    check(not [line for line in printed if line.startswith("libbpf: ")], "a library's own messages")


@statement("README: the five commands join two namespaces")
def readme(weft):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"## Two namespaces by hand.*?```\n(.*?)```", text, re.S).group(1)
    listed = [(line, 0) for line in block.strip().splitlines()]
    equal(len(listed), 5, "commands in the README")
    two = Netns("a"), Netns("b")
    check("1 received" in session(listed), "the ping at the end")
    weft.weft("vpc", "remove", "blue")
    for netns in two:
        netns.delete()


@statement("guide: by hand")
def by_hand(weft):
    session(list(commands("by-hand.md")), "/run/weft")
    weft.weft("vpc", "remove", "blue")


@statement("guide: two tenants")
def two_tenants(_weft):
    page_runs("two-tenants.md")


@statement("guide: two route tables and a firewall")
def firewall(_weft):
    page_runs("two-tables-firewall.md")


@statement("guide: an Ethernet switch")
def switch(_weft):
    page_runs("l2-broadcast.md")


@statement("guide: multicast to its listeners")
def multicast(_weft):
    page_runs("multicast.md")


@statement("guide: multicast between subnets")
def multicast_hosts(_weft):
    page_runs("multicast-hosts.md")


@statement("guide: a bridge that is there already")
def adopted_bridge(_weft):
    page_runs("adopted-bridge.md")


@statement("guide: devices that are there already")
def adopted_devices(_weft):
    page_runs("adopted-devices.md")


@statement("guide: a whole trunk for a machine")
def trunk_to_a_guest(_weft):
    page_runs("trunk-to-a-guest.md")


@statement("guide: three switches in a row")
def three_switches(_weft):
    page_runs("three-switches.md")


@statement("guide: IPv4 and IPv6")
def dual_stack(_weft):
    page_runs("dual-stack.md")


@statement("guide: local networks")
def local_networks(_weft):
    page_runs("local-networks.md")


@statement("guide: direct attachment")
def direct_attachment(_weft):
    page_runs("direct-attachment.md")


@statement("guide: sharing a NIC's MAC")
def direct_shared(_weft):
    page_runs("direct-shared.md")


@statement("guide: networks as Docker has them")
def docker_networks(_weft):
    page_runs("docker-networks.md")


@statement("guide: networks of virtual machines")
def virtual_machine_networks(_weft):
    page_runs("virtual-machine-networks.md")


@statement("guide: access ports")
def vlan_access(_weft):
    page_runs("vlan-access.md")


@statement("guide: trunks")
def vlan_trunks(_weft):
    page_runs("vlan-trunks.md")


@statement("guide: a subnet that passes VLANs")
def vlan_transparent(_weft):
    page_runs("vlan-transparent.md")


@statement("guide: a flat network")
def flat_network(_weft):
    page_runs("flat-network.md")


@statement("guide: a flat network, routed")
def routed_flat(_weft):
    page_runs("routed-flat.md")


@statement("guide: VLANs")
def vlan_networks(_weft):
    page_runs("vlan-networks.md")


@statement("guide: shares")
def shares(_weft):
    page_runs("shares.md")


@statement("guide: names and metadata")
def names_and_metadata(_weft):
    page_runs("names-and-metadata.md")


@statement("guide: a router between VLANs")
def vlan_router(_weft):
    page_runs("vlan-router.md")


@statement("guide: a VLAN joined to a VNI")
def vlan_to_vxlan(_weft):
    page_runs("vlan-to-vxlan.md")


@statement("guide: a tap")
def tap(_weft):
    page_runs("tap-port.md")


@statement("guide: addresses by DHCP")
def dhcp(_weft):
    page_runs("dhcp.md")


@statement("guide: addresses from a server that is there already")
def dhcp_relay(_weft):
    page_runs("dhcp-relay.md")


@statement("guide: two hosts")
def two_hosts(_weft):
    page_runs("two-hosts.md")


@statement("guide: flooding by multicast")
def flood_group(_weft):
    page_runs("flood-group.md")


@statement("guide: a router on every host")
def distributed_router(_weft):
    page_runs("distributed-router.md")


@statement("guide: one host as the router")
def centralized_router(_weft):
    page_runs("centralized-router.md")


@statement("guide: every encapsulation")
def encapsulations(_weft):
    page_runs("encapsulations.md")


@statement("guide: an IPv6 underlay")
def ipv6_underlay(_weft):
    page_runs("ipv6-underlay.md")


@statement("guide: three hosts")
def three_hosts(_weft):
    page_runs("three-hosts.md")


@statement("guide: a port that moves")
def moving_port(_weft):
    page_runs("moving-port.md")


@statement("guide: a virtual machine, without the machine")
def virtual_machine(_weft):
    page_runs("virtual-machine.md")


@statement("guide: two workloads and a mirror")
def mirror(_weft):
    page_runs("mirror.md")


@statement("guide: flow logs")
def flow_logs(_weft):
    page_runs("flow-logs.md")


@statement("every page of the guide is run here, and the index names it")
def complete(_weft):
    index = (ROOT / "docs" / "guide" / "README.md").read_text(encoding="utf-8")
    source = open(__file__, encoding="utf-8").read()
    for page in sorted(os.listdir(ROOT / "docs" / "guide")):
        if page != "README.md":
            check(f"({page})" in index, f"{page} is not in the index")
            check(f'"{page}"' in source, f"{page} is not run")
    check(set(os.listdir("/run/netns")) <= {"a", "b"}, "namespaces are left of the labs")


main()
