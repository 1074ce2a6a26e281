# SPDX-License-Identifier: BSD-2-Clause
"""From the bench's JSON to Markdown: tables a person reads, and the targets they are held to."""
import statistics

TARGETS = [  # test, comparison with the bare veth pair, limit
    ("bulk", "at least", 0.90),
    ("latency", "at most", 1.10),
    ("latency-one-cpu", "at most", 1.10),
    ("connect", "at least", 0.90),
    ("packets", "at least", 0.85),
]
JUDGED = "weft-200"  # the case that the targets are about
LIKE = ("weft-10", "weft-2000")  # cases that must be within 5 % of it


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def number(value):
    """Three digits that say something, without an exponent."""
    if value is None:
        return "-"
    for limit, digits in ((1000, 0), (100, 0), (10, 1)):
        if abs(value) >= limit:
            return f"{value:,.{digits}f}"
    return f"{value:.2f}"


def ratio(entry):
    if not entry or "ratio" not in entry:
        return "-"
    return (f"{entry['ratio']:.2f} ({entry['ratio_least']:.2f}-{entry['ratio_most']:.2f}; "
            f"{entry['ratio_best']:.2f})")


def forwarding(document):
    """Tables of ratios and of medians for each address family."""
    return traffic(document, "Forwarding", "the bare veth pair") + targets(document)


def traffic(document, what, limit):
    """What was measured over some cases, and how it compares with their limit."""
    lines, tests = [], document["tests"]
    for family, summary in document["summary"].items():
        runs = max((entry["runs"] for test in summary.values() for entry in test.values()),
                   default=0)
        lines += ["", f"### {what}, IPv{family}: ratio to {limit}", "",
                  f"Median of {runs} round{'s' if runs != 1 else ''} (least-most; best run to "
                  "best run). Requests: less is better.", ""]
        lines += table(["case"] + [test["title"] for test in tests],
                       [[case["title"]] + ([ratio(summary.get(test["name"], {}).get(case["name"]))
                                            for test in tests] if not case["skipped"]
                                           else [f"skipped: {case['skipped']}"] +
                                           ["-"] * (len(tests) - 1))
                        for case in document["cases"]])
        lines += ["", f"### {what}, IPv{family}: what was measured (medians)", ""]
        lines += table(["case"] + [f"{test['title']}, {test['unit']}" for test in tests],
                       [[case["title"]] + [measured(summary.get(test["name"], {}).get(
                           case["name"])) for test in tests]
                        for case in document["cases"] if not case["skipped"]])
        lines += ["", f"### {what}, IPv{family}: seconds of all processors", ""]
        lines += table(["case"] + [f"{test['title']}, s per " +
                                   ("GB" if test["name"].startswith("bulk") else "million")
                                   for test in tests],
                       [[case["title"]] + [number(summary.get(test["name"], {}).get(
                           case["name"], {}).get("cpu")) for test in tests]
                        for case in document["cases"] if not case["skipped"]])
    if document["failures"]:
        lines += ["", "Failed: " + "; ".join(
            f"{f['case']} {f['test']} IPv{f['family']}: {f['error']}"
            for f in document["failures"])]
    return lines


WIRES = {"whole": "offloads kept on the wire", "wire": "packets of the MTU's size on the wire",
         "tap": "the server behind a tap"}
LIMITS = {"tap": "kernel vxlan + bridge with a tap"}
OVERLAY_TARGETS = {  # test: comparison with the bare routed underlay, limit
    "whole": {"bulk": ("at least", 0.85), "latency": ("at most", 1.20),
              "connect": ("at least", 0.85), "packets": ("at least", 0.75)},
    "wire": {"bulk": ("at least", 0.80)},
    "tap": {"bulk": ("at least", 1.00)},
}


def overlay(document):
    """Two hosts: a table for each kind of wire, and the targets."""
    lines = []
    for part, measured_part in document["parts"].items():
        lines += traffic(measured_part, f"Two hosts, {WIRES[part]}",
                         LIMITS.get(part, "the bare routed underlay"))
        lines += overlay_targets(part, measured_part)
    absent = [kind for kind, there in document["kernel"].items() if not there]
    if absent:
        lines += ["", f"This kernel has no {' and no '.join(absent)} device, which packets of that "
                  "kind need to be put together on receipt (GRO): small packets on the wire stay "
                  "small there."]
    return lines


def overlay_targets(part, document):
    rows = []
    for summary in document["summary"].values():
        for test, (word, limit) in OVERLAY_TARGETS[part].items():
            entries = summary.get(test, {})
            kernel = next((entry.get("ratio") for name, entry in entries.items()
                           if name in ("vxlan", "vxlan-wire")), None)
            for case in document["cases"]:
                ratio_is = entries.get(case["name"], {}).get("ratio")
                if not case["name"].startswith("weft-") or not ratio_is:
                    continue
                good = ratio_is >= limit if word == "at least" else ratio_is <= limit
                better = "-"
                if kernel:
                    more = ratio_is > kernel if word == "at least" else ratio_is < kernel
                    better = "yes" if more else "**no**"
                rows.append([case["title"], test, f"{word} {limit:.2f}", f"{ratio_is:.2f}",
                             "yes" if good else "**no**", better])
    if not rows:
        return []
    return ["", f"Targets, {WIRES[part]}", ""] + table(
        ["case", "test", "target", "measured", "met", "better than kernel vxlan + bridge"], rows)


def measured(entry):
    if not entry:
        return "-"
    text = number(entry["value"])
    if "p99_us" in entry:
        text += f" (p99 {number(entry['p99_us'])} us)"
    if entry.get("loss", 0) >= 0.0005:
        text += f" ({entry['loss']:.1%} lost)"
    return text


def targets(document):
    """Which of the targets are met; nothing when the judged case was not measured."""
    rows = []
    for family, summary in document["summary"].items():
        for test, word, limit in TARGETS:
            entry = summary.get(test, {}).get(JUDGED, {})
            if "ratio" in entry:
                good = entry["ratio"] >= limit if word == "at least" else entry["ratio"] <= limit
                rows.append([f"IPv{family} {test}", f"{word} {limit:.2f} of the veth pair",
                             f"{entry['ratio']:.2f}", "yes" if good else "**no**"])
        for test in ("connect", "packets"):
            own, bridge = (summary.get(test, {}).get(name, {}).get("ratio")
                           for name in (JUDGED, "bridge"))
            if own and bridge:
                rows.append([f"IPv{family} {test}", f"more than the bridge ({bridge:.2f})",
                             f"{own:.2f}", "yes" if own > bridge else "**no**"])
        for other in LIKE:
            for test in summary:
                own, like = (summary[test].get(name, {}).get("ratio") for name in (JUDGED, other))
                if own and like:
                    rows.append([f"IPv{family} {test}", f"{other} within 5 % of {JUDGED}",
                                 f"{like / own:.2f}", "yes" if abs(like / own - 1) <= 0.05
                                 else "**no**"])
    if not rows:
        return []
    return ["", f"### Targets ({JUDGED})", ""] + table(["test", "target", "measured", "met"], rows)


def control(document):
    """Making ports, one port among many, memory."""
    lines = ["", "### Making ports", ""]
    lines += table(["what", "ports", "total, s", "ms per port", "first tenth", "last tenth"],
                   [[row["what"], str(row["ports"]), number(row["seconds"]),
                     number(row["ms_per_port"]), number(row.get("first_tenth_ms")),
                     number(row.get("last_tenth_ms"))] for row in document["making"]])
    if document.get("one_more"):
        one = document["one_more"]
        lines += ["", f"One more port with {one['endpoints']:,} endpoints there "
                  f"({one['times']} times, medians): {number(one['cpu_ms'])} ms of weftd's CPU, "
                  f"{number(one['forwarding_ms'])} ms from the command to the first packet "
                  f"through it (most: {number(one['cpu_ms_most'])} and "
                  f"{number(one['forwarding_ms_most'])} ms)."]
    if document.get("memory"):
        lines += ["", "### Memory", ""]
        lines += table(["ports", "weftd resident, MB", "tables, MB"],
                       [[f"{row['ports']:,}", number(row["daemon_bytes"] / 1e6),
                         number(row["tables_bytes"] / 1e6)] for row in document["memory"]])
    for note in document.get("notes", []):
        lines += ["", note]
    return lines


def dhcp(document):
    """Clients that ask at once."""
    lines = ["", "### Clients that ask for an address at the same moment", ""]
    lines += table(["server", "clients", "all served, s", "most, s", "server's CPU, s",
                    "had to ask again"],
                   [[row["what"], f"{row['clients']:,}", number(row["seconds"]),
                     number(row["seconds_most"]), number(row["cpu_seconds"]), str(row["again"])]
                    for row in document["rows"]])
    for note in document.get("notes", []):
        lines += ["", note]
    return lines


def wires(document):
    """On the network of a NIC: as fast as a bridge?"""
    rows = []
    for test in document["tests"]:
        entries = document["summary"].get("4", {}).get(test["name"], {})
        for case in document["cases"]:
            ratio_is = entries.get(case["name"], {}).get("ratio")
            if case["name"].startswith("weft-") and ratio_is:
                good = ratio_is <= 1 if test["smaller_is_better"] else ratio_is >= 1
                rules = entries.get("bridge-nft", {}).get("ratio")
                rows.append([case["title"], test["title"], f"{ratio_is:.2f}",
                             "yes" if good else "**no**",
                             f"{ratio_is / rules:.2f}" if rules else "-"])
    return traffic(document, "On the network of a NIC", "the Linux bridge") + (
        ["", "At least as fast as the Linux bridge on the same NIC", ""] +
        table(["case", "test", "ratio", "met", "to the bridge with the same rules"], rows)
        if rows else [])


RATE_LIMIT, SHARE_LIMIT = 0.02, 0.05  # how far off the mark is still well


def rates(document):
    """How near ports are held to their rates, and to their shares."""
    lines = ["", "### Rates of a port", ""]
    lines += table(["rate", "direction", "in frames, Mbit/s", "off by", "under 2 %"],
                   [[row["rate"], row["direction"].removesuffix("_rate"),
                     f"{row['found'] / 1e6:,.2f}", f"{row['error']:+.2%}",
                     "yes" if abs(row["error"]) < RATE_LIMIT else "**no**"]
                    for row in document["rows"]])
    lines += ["", "### Shares of an uplink", ""]
    lines += table(["uplink", "who sends", "parts", "off by at most", "within 5 %",
                    "of the uplink's rate"],
                   [[row["uplink"], row["what"],
                     " : ".join(f"{part:.3f}" for part in row["found"]), f"{row['worst']:.2%}",
                     "yes" if row["worst"] <= SHARE_LIMIT else "**no**", f"{row['used']:.1%}"]
                    for row in document["shares"]])
    return lines


def mirror(document):
    """What a mirror costs the port whose packets are copied."""
    return traffic(document, "A port with a mirror", "the port without one")


def flow_logs(document):
    """What logged connections cost."""
    lines = ["", "### Connections with a flow log", ""]
    return lines + table(
        ["log", "connections", "first reading, CPU s", "memory before, MB", "and then, MB",
         "another reading, CPU s", "UDP 64 B, packets/s", "daemon meanwhile, CPU s"],
        [["on" if row["log"] else "off", f"{row['flows']:,}", f"{row['cpu_seconds']:.3f}",
          str(row["memory_before"] >> 20), str(row["memory_bytes"] >> 20),
          f"{row['again_cpu_seconds']:.3f}", f"{statistics.median(row['rates']):,.0f}",
          f"{row['daemon_seconds']:.3f}"] for row in document["rows"]])


def micro(document):
    """Nanoseconds per packet in the kernel's test run."""
    lines = ["", "### The program alone: nanoseconds per packet (BPF_PROG_TEST_RUN)", ""]
    return lines + table(["case", "ns", "without the empty program"],
                         [[row["title"], number(row["ns"]), number(row["net_ns"])]
                          for row in document["rows"]])


def machine(document):
    """One line about where and when a part was measured."""
    facts = document["machine"]
    return (f"{facts['date']}, {facts['cpus']} x {facts['cpu']}, Linux {facts['kernel']}, "
            f"commit {facts['commit']}, load before {facts['load_before']:.2f}"
            f"{', TCP ' + facts['congestion_control'] if 'congestion_control' in facts else ''}; "
            f"`{facts['command']}`")


WRITERS = {"forwarding": forwarding, "micro": micro, "control": control, "overlay": overlay,
           "dhcp": dhcp, "wires": wires, "rates": rates, "mirror": mirror, "flow-logs": flow_logs}


def heading(part):
    return f"## {part.replace('-', ' ').capitalize()}"


def markdown(documents):
    """The whole report from the parts that exist: {part: document}."""
    lines = []
    for part, writer in WRITERS.items():
        if part in documents:
            lines += ["", heading(part), "", machine(documents[part])]
            lines += writer(documents[part])
    return "\n".join(lines).strip() + "\n"


def sections(text):
    """A report by its parts: {heading: heading and text}, without empty lines around."""
    found = {}
    for line in text.strip().splitlines():
        if line.startswith("## ") or not found:
            current = found.setdefault(line, [])
        current.append(line)
    return {head: "\n".join(lines).strip() for head, lines in found.items()}


def joined(old, new):
    """The new report, and of the old one the parts that the new one does not have."""
    parts = {**sections(old), **sections(new)}
    order = [heading(part) for part in WRITERS]
    order += [head for head in parts if head not in order]
    return "\n\n".join(parts[head] for head in order if head in parts) + "\n"


def write_between(path, text, begin="<!-- bench: begin -->", end="<!-- bench: end -->"):
    """Put the parts of a report between the two marks of a page; those that it has not stay."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    before, _, rest = page.partition(begin)
    old, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{path} has no {begin} and {end}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{begin}\n{joined(old, text)}{end}{after}")
