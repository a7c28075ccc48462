"""Real services that break under load: what callers notice, and how soon all is well again.

Three instances each of nginx, node and Go's gRPC server; one breaks. Two routes: one retries, one does not.
"""
import collections
import contextlib
import http.client
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "test/scenario"))

from harness import Yett, free_port, run, wait_for  # noqa: E402

BIN = ROOT / "build/interop"
SERVICE = ROOT / "test/interop/services/outage_service.js"
OPEN = 'policy "p" { allow "all" { principal = anyone } }'
BROKEN, HEALED = 4.0, 5.0  # seconds
RETRY = {"num_retries": 2, "on": ["connect", "reset", "500", "502", "503", "504"], "per_try_timeout": "300ms"}


class Node:
    def __init__(self, tls=()):
        self.port = free_port()
        self.process = subprocess.Popen(["node", str(SERVICE), str(self.port), *map(str, tls)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "listening\n"

    def do(self, what):
        if what in ("kill", "stop", "go on"):
            self.process.send_signal({"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "go on": signal.SIGCONT}[what])
            return
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def end(self):
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()


class Nginx(Node):
    def __init__(self):
        self.port = free_port()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-nginx-"))
        (self.dir / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {self.dir}/pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {self.dir}/b; proxy_temp_path {self.dir}/p; fastcgi_temp_path {self.dir}/f; uwsgi_temp_path {self.dir}/u; scgi_temp_path {self.dir}/s;
  server {{
    listen 127.0.0.1:{self.port};
    location / {{ if (-f {self.dir}/failing) {{ return 500 "failing"; }} return 200 "from {self.port}"; }}
  }}
}}
""")
        self.start()

    def start(self):
        self.process = subprocess.Popen(["nginx", "-c", str(self.dir / "nginx.conf"), "-p", str(self.dir)], stderr=subprocess.DEVNULL)

    def do(self, what):
        if what == "500":
            (self.dir / "failing").touch()
        elif what == "ok":
            (self.dir / "failing").unlink(missing_ok=True)
        else:
            super().do(what)

    def end(self):
        super().end()
        shutil.rmtree(self.dir, True)


class Load:
    """Callers that ask one after the other; keeps what each got and when it asked."""

    def __init__(self, port, path, callers=4):
        self.port, self.path, self.seen, self.stop = port, path, [], threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(callers)]
        for thread in self.threads:
            thread.start()

    def run(self):
        connection = None
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                connection.request("GET", self.path)
                response = connection.getresponse()
                got = response.read().decode() if response.status == 200 else response.read() and response.status
            except (http.client.HTTPException, OSError) as e:
                connection, got = None, type(e).__name__
            self.seen.append((began, got))
            time.sleep(0.002)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class Outages(unittest.TestCase):
    def setUp(self):
        if not shutil.which("node") or not shutil.which("nginx"):
            self.skipTest("node or nginx is missing")
        self.y = Yett(rules=OPEN).plaintext()
        self.addCleanup(shutil.rmtree, self.y.dir, True)
        self.addCleanup(lambda: self.y.process and self.y.process.poll() is None and self.y.stop())

    def serve(self, services, **more):
        for one in services:
            self.addCleanup(one.end)
        y = self.y
        y.config["clusters"] = [{"name": "app", "endpoints": [f"127.0.0.1:{one.port}" for one in services],
                                 "outlier_detection": {"base_ejection_time": "2s"}, "connect_timeout": "300ms", **more}]
        y.listener["routes"] = [{"path": "/retry", "cluster": "app", "retry": RETRY, "response_timeout": "3s"},
                                {"path": "/**", "cluster": "app", "response_timeout": "300ms"}]
        y.write_config()
        y.start()

    def outage(self, kind, what, victim, heal, services):
        """Breaks `victim` while both routes are used, heals it, and prints what callers noticed."""
        loads = [Load(self.y.port, path) for path in ("/plain", "/retry")]
        time.sleep(1)
        broken = time.monotonic()
        victim.do(what)
        time.sleep(BROKEN)
        healed = time.monotonic()
        heal()
        time.sleep(HEALED)
        for load in loads:
            load.end()
        names = [f"from {one.port}" for one in services]
        mine = f"from {victim.port}"
        plain = [one for one in loads[0].seen if not str(one[1]).startswith("from ")]
        late = [one for one in plain if one[0] > broken + 1]
        retried = [one for one in loads[1].seen if not str(one[1]).startswith("from ")]
        both = loads[0].seen + loads[1].seen
        others = collections.Counter(got for at, got in both if broken + 1 < at < healed and got in names and got != mine)
        uneven = max(others.values()) / min(others.values()) - 1
        back = min((at for at, got in both if at > healed and got == mine), default=None)
        late_share = collections.Counter(got for at, got in both if at > healed + HEALED - 1.5)
        share = late_share[mine] / sum(late_share.values())
        print(f"  {kind}, {what}: of {len(loads[0].seen)} requests {len(plain)} failed, {len(late)} of them asked after the first second; "
              f"{len(retried)} of {len(loads[1].seen)} with retries; others even within {100 * uneven:.0f} %; back after {-1 if back is None else back - healed:.1f} s, with {share:.2f} of the requests", flush=True)
        self.assertLessEqual(len(late), 1, late[:5])
        self.assertEqual(retried, [])
        self.assertLess(uneven, 0.1)
        self.assertIsNotNone(back)
        self.assertLess(back - healed, 10)
        time.sleep(2.5)  # no ejection reaches into the next outage

    def test_nginx(self):
        services = [Nginx() for _ in range(3)]
        self.serve(services)
        victim = services[0]

        def restart():
            victim.process.wait()
            victim.start()

        self.outage("nginx", "kill", victim, restart, services)
        self.outage("nginx", "stop", victim, lambda: victim.do("go on"), services)
        self.outage("nginx", "500", victim, lambda: victim.do("ok"), services)

    def test_node(self):
        services = [Node() for _ in range(3)]
        self.serve(services)
        victim = services[1]
        self.outage("node", "500", victim, lambda: victim.do("ok"), services)
        self.outage("node", "slow", victim, lambda: victim.do("ok"), services)
        self.outage("node", "stop", victim, lambda: victim.do("go on"), services)

    def test_node_that_breaks_its_answers_off(self):
        """The head has gone to the caller, so no retry can hide it: ejection must end it."""
        services = [Node() for _ in range(3)]
        self.serve(services)
        victim = services[1]
        load = Load(self.y.port, "/plain")
        time.sleep(1)
        broken = time.monotonic()
        victim.do("reset")
        time.sleep(BROKEN)
        victim.do("ok")
        healed = time.monotonic()
        time.sleep(HEALED)
        load.end()
        failed = [one for one in load.seen if not str(one[1]).startswith("from ")]
        back = min(at for at, got in load.seen if at > healed and got == f"from {victim.port}") - healed
        late = [one for one in failed if one[0] > broken + 1]
        print(f"  node, reset in an answer: of {len(load.seen)} requests {len(failed)} failed, {len(late)} of them asked after the first second; back after {back:.1f} s")
        # After its ejection (2 s), one request finds that it still breaks its answers off.
        self.assertLessEqual(len(late), 5, late)

    def test_node_over_tls(self):
        certs = self.y.certs
        run("certs", "issue", "spiffe://example.org/shop", "--dir", str(certs))
        tls = (certs / "shop.pem", certs / "shop.key", certs / "bundle.pem")
        services = [Node(tls) for _ in range(3)]
        self.serve(services, tls={"peer": "spiffe://example.org/shop"})
        victim = services[2]
        self.outage("node over TLS", "notls", victim, lambda: victim.do("ok"), services)

    def test_go_grpc(self):
        if not (BIN / "grpc_server").exists() or not (BIN / "grpc_client").exists():
            self.skipTest("the gRPC peers are missing: test/interop/install.sh")
        ports = [free_port() for _ in range(3)]

        def start(port):
            return subprocess.Popen([BIN / "grpc_server", "-port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        import grpc
        servers = [start(port) for port in ports]
        self.addCleanup(lambda: [(one.kill(), one.wait()) for one in servers])
        y = self.y
        y.config["clusters"] = [{"name": "app", "endpoints": [f"127.0.0.1:{port}" for port in ports], "protocol": "http2",
                                 "outlier_detection": {"base_ejection_time": "2s"}, "connect_timeout": "300ms"}]
        y.write_config()
        y.start()
        time.sleep(1)
        for what in ("kill", "stop"):
            channel = grpc.insecure_channel(f"127.0.0.1:{y.port}")
            call = channel.unary_unary("/grpc.testing.TestService/EmptyCall")
            seen, began = [], time.monotonic()
            broken = healed = None
            while time.monotonic() - began < 16:
                now = time.monotonic()
                if broken is None and now - began > 1:
                    broken = now
                    servers[0].send_signal(signal.SIGKILL if what == "kill" else signal.SIGSTOP)
                if healed is None and now - began > 10:
                    healed = now
                    if what == "kill":
                        servers[0].wait()
                        servers[0] = start(ports[0])
                    else:
                        servers[0].send_signal(signal.SIGCONT)
                try:
                    call(b"", timeout=0.5)
                    seen.append((now, "ok"))
                except grpc.RpcError as e:
                    seen.append((now, e.code().name))
                time.sleep(0.005)
            failed = [one for one in seen if one[1] != "ok"]
            late = [one for one in failed if one[0] > broken + 7]
            print(f"  Go's gRPC, {what}: of {len(seen)} calls {len(failed)} failed, {len(late)} of them asked after seven seconds", flush=True)
            # A deadline that the caller chose ejects nobody; the PING that it causes ends the connection within five seconds.
            self.assertLessEqual(len(late), 1)
            if what == "kill":
                self.assertLessEqual(len(failed), 1)
            channel.close()


if __name__ == "__main__":
    unittest.main()
