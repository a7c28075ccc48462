"""What a request costs in counts that do not depend on the machine's load: system calls, heap allocations, memory,
instructions. test/bench measures times. Only for the optimised build; each test prints its figure."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

import harness
from harness import ROOT, Nginx, Yett, environment, wait_for

BUILD = ROOT / "build/release"
LOAD = BUILD / "test/yett_load"
POLICY = 'policy "p" {\n' + "".join(f'  allow "r{i}" {{ principal = "spiffe://example.org/svc{i}", path = "/svc{i}/**" }},\n' for i in range(9)) + \
    '  allow "hello" { principal = "spiffe://example.org/frontend", method = "GET", path = "/hello" },\n}\n'


def say(figure):
    print(f"\n  {figure}", flush=True)


class Request(unittest.TestCase):
    """The cost of a proxied mTLS request: policy with ten rules, batched audit, 32 connections, one worker."""

    def setUp(self):
        if not LOAD.exists() or pathlib.Path(harness.BINARY).resolve() != (BUILD / "yett").resolve():
            self.skipTest("the limits are for the optimised build")
        self.nginx = Nginx().__enter__()
        self.addCleanup(self.nginx.__exit__, None, None, None)
        self.yett = Yett(self.nginx.address, rules=POLICY, workers=1, access_log="off")

    def load(self, *words, connections=32):
        y = self.yett
        return [str(LOAD), f"127.0.0.1:{y.port}", "-c", str(connections), "--path", "/hello", "--ca", str(y.certs / "bundle.pem"), "--cert", str(y.certs / "frontend.pem"),
                "--key", str(y.certs / "frontend.key"), *map(str, words)]

    def loop_thread(self):
        """The id of the thread that has used the most CPU time."""
        subprocess.run(self.load("-n", 3000, "-s", 20), capture_output=True, check=True)
        tasks = pathlib.Path(f"/proc/{self.yett.process.pid}/task").glob("*")
        return max((int((t / "schedstat").read_text().split()[0]), t.name) for t in tasks)[1]

    def test_system_calls_of_the_loop(self):
        if not shutil.which("strace"):
            self.skipTest("strace is not installed")
        with self.yett as y:
            thread = self.loop_thread()
            report = y.dir / "strace"
            tracer = subprocess.Popen(["strace", "-c", "-p", thread, "-o", str(report)], stderr=subprocess.PIPE, text=True)
            if "attached" not in tracer.stderr.readline():
                tracer.wait()
                self.skipTest("strace may not attach to a process here")
            done = json.loads(subprocess.run(self.load("-n", 20_000, "-s", 60, "--warmup", 0), capture_output=True, check=True).stdout)
            tracer.send_signal(signal.SIGINT)
            tracer.wait(20)
            calls = {m[2]: int(m[1]) for m in re.finditer(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", report.read_text(), re.M)}
            total = calls.pop("total", None) or sum(calls.values())
            each = total / done["total"]
            often = ", ".join(f"{name} {n / done['total']:.2f}" for name, n in sorted(calls.items(), key=lambda c: -c[1])[:6])
            say(f"{each:.2f} system calls of the loop for each mTLS request (at most 4.5): {often}")
            self.assertLessEqual(each, 4.5)

    def test_heap_allocations(self):
        counter = BUILD / "test/liballocations.so"
        usual = harness.environment
        harness.environment = lambda: {**usual(), "LD_PRELOAD": str(counter)}
        self.addCleanup(setattr, harness, "environment", usual)
        with self.yett as y:
            def count():
                before = y.log().count("allocations ")
                os.kill(y.process.pid, signal.SIGUSR2)
                wait_for("the count", lambda: y.log().count("allocations ") > before)
                return int(re.findall(r"allocations (\d+)", y.log())[-1])

            counts = []
            process = subprocess.Popen(self.load("-s", 2, "--warmup", 1), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for line in process.stderr:
                if line.startswith("measur"):
                    counts.append(count())
            done = json.loads(process.stdout.read())
            process.wait()
            each = (counts[1] - counts[0]) / done["requests"]
            say(f"{each:.2f} heap allocations for each mTLS request, of all threads (at most 2)")
            self.assertLessEqual(each, 2)

    def test_memory_of_256_connections(self):
        with self.yett as y:
            subprocess.run(self.load("-s", 2, connections=256), capture_output=True, check=True)
            process = subprocess.Popen(self.load("-s", 2, connections=256), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(1.5)
            resident = y.rss_mib()
            process.communicate()
            say(f"{resident:.1f} MiB resident with 256 mTLS connections under load (at most 45)")
            self.assertLess(resident, 45)


    def test_memory_after_thousands_of_handshakes(self):
        """Sessions are kept for resumption, without the certificates of their clients."""
        handshakes = 3000
        with self.yett as y:
            def resident():
                return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{y.process.pid}/status").read_text())[1])

            subprocess.run(self.load("-n", 3000, "-s", 20), capture_output=True, check=True)
            before = resident()
            done = json.loads(subprocess.run(self.load("-n", handshakes, "-s", 60, "--warmup", 0, "--reconnect", "full", connections=8), capture_output=True, check=True).stdout)
            self.assertGreaterEqual(done["handshakes"] - done["resumed"], handshakes)
            grown = (resident() - before) / done["handshakes"]
            say(f"{grown:.2f} KiB more for each of {done['handshakes']} full handshakes (at most 2.5)")
            self.assertLessEqual(grown, 2.5)


class Start(unittest.TestCase):
    def ready(self, count):
        """Seconds from the start of the process until it serves: the best of three."""
        rules = "".join(f'allow "r{i}" {{ principal = "spiffe://example.org/ns/a/sa/s{i}", method = "GET", path = "/things/t{i}/{{id}}" }},\n' for i in range(count))
        best = 60.0
        for _ in range(3):
            y = Yett(rules=f'policy "p" {{ {rules} }}')
            began = time.monotonic()
            with y:
                best = min(best, time.monotonic() - began)
        return best

    def test_ready_soon_after_the_start(self):
        few, many = self.ready(10), self.ready(100_000)
        say(f"ready {few * 1000:.0f} ms after the start with 10 rules (at most 150), {many:.2f} s with 100,000 (at most 2, aim 1.5)")
        self.assertLess(few, 0.15)
        self.assertLess(many, 2)


class Instructions(unittest.TestCase):
    def test_steps_allocate_nothing(self):
        program = BUILD / "test/yett_micro_bench"
        if not program.exists():
            self.skipTest("it is part of the optimised build")
        out = subprocess.run([program, "--allocations"], capture_output=True, text=True, check=True, env=environment()).stdout
        steps = [line.split(" ", 1) for line in out.splitlines()]
        self.assertGreater(len(steps), 10)
        for each, what in steps:
            self.assertLess(float(each), 0.01, what)
        say(f"{len(steps)} steps of a request, parsing to audit: none allocates")

    def test_native_match(self):
        program = BUILD / "test/yett_micro_bench"
        if not program.exists() or not shutil.which("valgrind"):
            self.skipTest("it needs the optimised build and valgrind")

        def instructions(decisions):
            done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program), "--decisions", str(decisions)], capture_output=True, text=True, env=environment())
            self.assertEqual(done.returncode, 0, done.stderr)
            return int(re.search(r"Collected : (\d+)", done.stderr)[1])

        each = (instructions(6000) - instructions(1000)) / 5000
        say(f"{each:.0f} instructions for a native match (at most 2500)")
        self.assertLessEqual(each, 2500)


if __name__ == "__main__":
    unittest.main()
