# SPDX-License-Identifier: BSD-2-Clause
"""Forwarding: the same traffic over every case, in turns.

A round measures each test over all cases before it goes on to the next test, and every round
begins with another case: what is compared has run within seconds of each other, and a machine
that slows down meanwhile is shared out fairly. Each measurement is divided by that of the bare
veth pair in the same round; the medians of these ratios are the result.
"""
import json
import statistics

from cases import IPERF_PORT, PORT, SERVER, all_cases, build_all
from sandbox import LOAD, Failed, cpu_seconds, run

BASE = "veth"


def measure_bulk(case, family, options, streams=1):
    """Throughput of TCP by iperf3, client to server."""
    cpu = cpu_seconds()
    text = run("iperf3", "-J", "-c", SERVER[family], "-p", str(IPERF_PORT), "-P", str(streams),
               "-l", case.write, "-t", str(max(1, round(options.seconds))), namespace=case.client,
               cpu=options.client_cpu)
    cpu = cpu_seconds() - cpu
    end = json.loads(text)["end"]["sum_received"]
    return {"rate": end["bits_per_second"] / 1e9, "seconds": end["seconds"], "cpu_seconds": cpu,
            "cpu_seconds_per_gb": cpu / (end["bytes"] / 1e9)}


def measure_load(case, family, options, test, *arguments, cpu=None):
    text = run(LOAD, test, "--to", SERVER[family], "--port", str(PORT), "--seconds",
               str(options.seconds), *arguments, namespace=case.client,
               cpu=options.client_cpu if cpu is None else cpu)
    return json.loads(text)


class Test:
    """One kind of traffic: what to run, which number counts, and whether more is better."""

    def __init__(self, name, title, unit, value, cpu, measure, smaller_is_better=False):
        self.name = name
        self.title = title
        self.unit = unit
        self.value = value
        self.cpu = cpu
        self.measure = measure
        self.smaller_is_better = smaller_is_better


TESTS = [
    Test("bulk", "TCP, 1 stream", "Gb/s", "rate", "cpu_seconds_per_gb", measure_bulk),
    Test("bulk4", "TCP, 4 streams", "Gb/s", "rate", "cpu_seconds_per_gb",
         lambda case, family, options: measure_bulk(case, family, options, 4)),
    Test("latency", "request p50, two CPUs", "us", "p50_us", "cpu_seconds_per_million",
         lambda case, family, options: measure_load(case, family, options, "latency"), True),
    Test("latency-one-cpu", "request p50, one CPU", "us", "p50_us", "cpu_seconds_per_million",
         lambda case, family, options: measure_load(case, family, options, "latency",
                                                    cpu=options.server_cpu), True),
    Test("connect", "connect-request-close", "1/s", "rate", "cpu_seconds_per_million",
         lambda case, family, options: measure_load(case, family, options, "connect")),
    Test("packets", "UDP, 64 bytes", "packets/s", "rate", "cpu_seconds_per_million",
         lambda case, family, options: measure_load(case, family, options, "packets")),
    Test("packets-one-way", "UDP, 64 bytes, no answer", "packets/s", "rate",
         "cpu_seconds_per_million",
         lambda case, family, options: measure_load(case, family, options, "packets",
                                                    "--one-way")),
]
DEFAULT_TESTS = [test.name for test in TESTS if test.name not in ("bulk4", "packets-one-way")]


def run_rounds(options, say):
    """Measure; return the document that is written as JSON."""
    context = {}
    names = options.cases if BASE in options.cases else [BASE] + options.cases
    cases = build_all([case for case in all_cases() if case.name in names], context,
                      options.server_cpu, say)
    document = measure_rounds(cases, BASE, options, say)
    if context.get("daemon"):
        context["daemon"].stop()
    return document


def measure_rounds(cases, base, options, say):
    """All tests over all cases, in turns; the cases end with it."""
    samples, failures = [], []
    tests = [test for test in TESTS if test.name in options.tests]
    for number in range(max(options.rounds, options.rounds6)):
        for family in (4, 6):
            if number >= (options.rounds if family == 4 else options.rounds6):
                continue
            for test in tests:
                turn = number % len(cases)
                for case in cases[turn:] + cases[:turn]:
                    if case.skipped:
                        continue
                    where = {"round": number, "family": family, "test": test.name,
                             "case": case.name}
                    try:
                        result = test.measure(case, family, options)
                        samples.append({**result, **where})
                    except Failed as error:
                        failures.append({**where, "error": str(error)})
                        say(f"{case.name} {test.name} IPv{family}: {error}")
            say(f"round {number + 1}, IPv{family}: done")
    for case in cases:
        case.close()
    return {
        "cases": [{"name": case.name, "title": case.title, "rules": case.rules,
                   "mtu": case.mtu, "skipped": case.skipped} for case in cases],
        "tests": [{"name": test.name, "title": test.title, "unit": test.unit,
                   "smaller_is_better": test.smaller_is_better} for test in tests],
        "samples": samples, "failures": failures, "summary": summarize(samples, tests, base),
    }


def summarize(samples, tests, base_case):
    """Medians and ranges: {family: {test: {case: {...}}}}."""
    summary = {}
    for family in sorted({sample["family"] for sample in samples}):
        for test in tests:
            rows = [s for s in samples if s["family"] == family and s["test"] == test.name]
            base = {row["round"]: row[test.value] for row in rows if row["case"] == base_case}
            for name in sorted({row["case"] for row in rows}):
                own = [row for row in rows if row["case"] == name]
                ratios = [row[test.value] / base[row["round"]] for row in own
                          if row["round"] in base]
                entry = {
                    "value": statistics.median(row[test.value] for row in own),
                    "cpu": statistics.median(row[test.cpu] for row in own),
                    "runs": len(own),
                }
                if ratios:
                    best = min if test.smaller_is_better else max
                    entry.update(ratio=statistics.median(ratios), ratio_least=min(ratios),
                                 ratio_most=max(ratios),
                                 ratio_best=best(row[test.value] for row in own) /
                                 best(base.values()))
                for extra in ("p99_us", "loss"):
                    values = [row[extra] for row in own if extra in row]
                    if values:
                        entry[extra] = statistics.median(values)
                summary.setdefault(str(family), {}).setdefault(test.name, {})[name] = entry
    return summary
