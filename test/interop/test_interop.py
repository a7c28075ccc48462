"""Yett against peers that Debian does not package; test/interop/install.sh installs them. Missing ones are skipped."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "test/scenario"))

from harness import Nginx, Yett, free_port, wait_for  # noqa: E402
from test_audit import flood  # noqa: E402

BIN = ROOT / "build/interop"
OPEN = 'policy "p" { allow "all" { principal = anyone } }'
GRPC_CASES = ["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream", "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message",
              "special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service", "rpc_soak", "channel_soak"]


def peer(test, name):
    if not (BIN / name).exists():
        test.skipTest(f"{name} is not installed")
    return str(BIN / name)


class H2Spec(unittest.TestCase):
    def run_against(self, y, *more):
        done = subprocess.run([peer(self, "h2spec"), "-h", "127.0.0.1", "-p", str(y.port), "-P", "/hello", "-o", "5", *more], capture_output=True, text=True, timeout=500)
        summary = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", done.stdout)
        self.assertTrue(summary, done.stdout[-2000:])
        print(f"  h2spec{' over TLS' if more else ''}: {summary[0]}")
        self.assertEqual(int(summary[4]), 0, done.stdout[done.stdout.find("Failures"):])

    def test_plaintext(self):
        with Nginx() as up:
            y = Yett(up.address, rules=OPEN).plaintext()
            y.listener["protocol"] = "http2"  # otherwise input without the preface is read as HTTP/1.1
            y.write_config()
            with y:
                self.run_against(y)

    def test_tls(self):
        with Nginx() as up:
            y = Yett(up.address, rules=OPEN)
            y.listener["tls"] = {"client_certificate": "none"}
            y.write_config()
            with y:
                self.run_against(y, "-t", "-k")


class GrpcInterop(unittest.TestCase):
    """grpc-go's interoperability client against its server."""

    def test_all_cases(self):
        port = free_port()
        client = peer(self, "grpc_client")
        server = subprocess.Popen([peer(self, "grpc_server"), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for protocol in ("http2", "auto"):
                y = Yett(f"127.0.0.1:{port}", rules=OPEN).plaintext()
                y.config["clusters"][0]["protocol"] = protocol
                y.write_config()
                with y:
                    for case in GRPC_CASES:
                        done = subprocess.run([client, "--server_host=127.0.0.1", f"--server_port={y.port}", f"--test_case={case}", "--soak_iterations=200"], capture_output=True, text=True, timeout=120)
                        self.assertEqual(done.returncode, 0, f"{case}: {done.stderr[-1000:]}")
            print(f"  grpc interop: {len(GRPC_CASES)} cases pass")
        finally:
            server.terminate()
            server.wait(10)


class Leaving(unittest.TestCase):
    """The audit log sent to a Kafka broker and the OpenTelemetry Collector's decoder, which go down and come back."""

    RECORDS = int(os.environ.get("YETT_TEST_RECORDS") or 4_000)

    def check(self, name, *args, topic=()):
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "out"

            def start():
                process = subprocess.Popen([peer(self, name), str(port), *topic, str(out)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                self.assertEqual(process.stdout.readline(), "ready\n")
                return process

            process = None if topic else start()  # an in-memory broker starts late instead of restarting
            try:
                y = Yett("127.0.0.1:1", rules='policy "p" { deny "closed" { path = "/**", public_reason = "admin is closed" } }', audit={
                    "database": "yett.db", "sinks": [{"name": "out", "timeout": "5s", **{k: v.format(port=port) for k, v in args[0].items()}}]}).plaintext()
                with y:
                    if process:
                        flood(y, 400)
                        wait_for("the first records", lambda: len(out.read_text().splitlines()) >= 800, 30)
                        process.kill()
                        process.communicate()
                    flood(y, self.RECORDS // 2)
                    process = start()
                    head = max(row["seq"] for row in y.query())
                    wait_for("all records", lambda: f'{{"seq":{head},' in out.read_text(), 120)
                    got = [json.loads(line)["seq"] for line in out.read_text().splitlines()]
                    self.assertEqual(set(range(1, head + 1)) - set(got), set())
                    again = len(got) - len(set(got))
                    self.assertLessEqual(again, 500)
                    print(f"  {name}: {len(set(got))} records, {again} twice")
            finally:
                if process:
                    process.kill()
                    process.communicate()

    def test_kafka(self):
        self.check("kafka_peer", {"type": "kafka", "brokers": "127.0.0.1:{port}", "topic": "audit"}, topic=("audit",))

    def test_otlp(self):
        self.check("otlp_peer", {"type": "otlp", "url": "http://127.0.0.1:{port}/v1/logs"})


if __name__ == "__main__":
    unittest.main()
