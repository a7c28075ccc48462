"""Counters of a proxy's processes, and one run of the load generator against it."""
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LOAD = ROOT / "build/release/test/yett_load"
CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE = CORES[0]
LOAD_CORE = CORES[-1]


def pinned(core):
    return ["taskset", "-c", ",".join(map(str, core)) if isinstance(core, list) else str(core)]


def threads(pids):
    return [task for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").glob("*")]


def cpu_nanos(pids):
    """User and system time of all threads, from the scheduler's clock (not in ticks)."""
    total = 0
    for task in threads(pids):
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            pass
    return total


def resident_mib(pids):
    """Private and shared pages; pages shared by several processes count once per process."""
    total = 0
    for pid in pids:
        total += int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
    return total / 1024


def children(pid):
    out = [pid]
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        out += children(int(child))
    return out


@dataclasses.dataclass
class Load:
    """Options of the load generator."""
    connections: int = 32
    arguments: tuple = ()
    warmup: float = 0.4  # seconds

    def command(self, peer, seconds):
        words = [*pinned(LOAD_CORE), str(LOAD), f"127.0.0.1:{peer.port}", "-c", str(self.connections), "-s", str(seconds), "--warmup", str(self.warmup)]
        if peer.tls:
            words += ["--ca", peer.certs.ca, "--cert", peer.certs.client, "--key", peer.certs.client_key]
        return [*words, *map(str, self.arguments)]


def run_load(peer, load, seconds):
    """One measurement: what the load generator saw, and CPU microseconds of the proxy's processes per request."""
    process = subprocess.Popen(load.command(peer, seconds), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    marks = {}
    said = []

    def listen():
        for line in process.stderr:
            marks[line.strip()] = cpu_nanos(peer.pids)
            said.append(line)

    listener = threading.Thread(target=listen)
    listener.start()
    out = process.stdout.read()
    process.wait()
    listener.join()
    if not out.startswith("{"):
        raise RuntimeError(f"{peer.name}: {''.join(said)}")
    result = json.loads(out)
    if result["requests"] == 0 or result["errors"] > 0:
        raise RuntimeError(f"{peer.name}: {result['errors']} errors, {result['requests']} answers of {result['total']}\n{peer.log()}")
    result["cpu_us"] = (marks["measured"] - marks["measuring"]) / 1e3 / result["requests"]
    result["resident_mib"] = resident_mib(peer.pids)
    peer.requests += result["total"]
    return result


def system_calls(peer, load, seconds=1.5):
    """System calls per request, of all threads, in a separate run: tracing slows the proxy, which then finds more to do
    in each loop iteration. So this is a lower bound; the tests count only those of the event loop."""
    process = subprocess.Popen(load.command(peer, seconds + 1), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("measuring"):
            break
    command = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", ",".join(map(str, peer.pids)), "--", "sleep", str(seconds)]
    began = time.monotonic()
    try:
        traced = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        traced = subprocess.CompletedProcess(command, 1, "", "")
    took = time.monotonic() - began
    out = json.loads(process.stdout.read())
    process.wait()
    found = re.search(r"^(\d+),,raw_syscalls", traced.stderr, re.M)
    if not found:
        return None
    return int(found[1]) / (out["per_second"] * min(took, seconds + 0.02))


def stop(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
