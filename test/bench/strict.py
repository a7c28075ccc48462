#!/usr/bin/env python3
"""The cost of strict durability: requests per second with 64 connections in both modes, in alternating rounds, its added
latency per request, and for comparison one fsync on the same disk. Needs h2load (Debian: nghttp2-client).
Exits with 1 if strict reaches less than half the throughput of batched."""
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenario"))
from harness import Nginx, Yett, hello_times  # noqa: E402

OPEN = 'policy "p" { allow "all" { principal = anyone, path = "/**" } }'
SECONDS = 4


def fsync_time(folder):
    with tempfile.NamedTemporaryFile(dir=folder) as f:
        times = []
        for _ in range(200):
            f.write(b"x" * 8192)
            f.flush()
            began = time.perf_counter()
            os.fsync(f.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def throughput(y):
    out = subprocess.run(["h2load", "--h1", "-c", "64", "-t", "1", "-D", str(SECONDS), "--warm-up-time", "1", f"http://127.0.0.1:{y.port}/hello"],
                         capture_output=True, text=True, timeout=60).stdout
    return float(re.search(r"finished in [\d.]+m?s, ([\d.]+) req/s", out)[1])


with Nginx() as up:
    made = {}
    for mode in ("batched", "strict"):
        made[mode] = Yett(up.address, rules=OPEN, workers=1, audit={"database": "yett.db", "durability": mode, "queue_records": 1000000, "queue_bytes": "4GiB"}).plaintext()
        made[mode].config["access_log"] = "off"
        made[mode].write_config()
    with made["batched"] as batched, made["strict"] as strict:
        rates = {"batched": [], "strict": []}
        for _ in range(3):
            for mode, y in (("batched", batched), ("strict", strict)):
                rates[mode].append(throughput(y))
        one = {mode: statistics.median(hello_times(y, 10, 500)) for mode, y in (("batched", batched), ("strict", strict))}
        disk = fsync_time(strict.dir)
ratio = statistics.median(rates["strict"]) / statistics.median(rates["batched"])
print(f"  64 connections: batched {statistics.median(rates['batched']):.0f} requests/s, strict {statistics.median(rates['strict']):.0f}: ratio {ratio:.2f} (at least 0.5){'' if ratio >= 0.5 else '  UNDER'}")
print(f"  one request at a time: batched {one['batched'] * 1e3:.2f} ms, strict {one['strict'] * 1e3:.2f} ms; one fsync of 8 KiB on this disk {disk * 1e3:.2f} ms")
sys.exit(0 if ratio >= 0.5 else 1)
