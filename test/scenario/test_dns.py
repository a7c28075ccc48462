"""Endpoints that are names: changes, outages, SRV records, both address families."""
import collections
import contextlib
import http.client
import json
import shutil
import signal
import socket
import socketserver
import threading
import time
import unittest

from dns_server import A, AAAA, SRV, Dns
from harness import SLOW, Yett, free_port, read_head, wait_for
from test_upstreams import OPEN


def service(host, port, family=socket.AF_INET):
    """Says where it listens; returns its server."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                while read_head(self.request):
                    self.request.sendall(f"HTTP/1.1 200 OK\r\ncontent-length: {len(host)}\r\n\r\n{host}".encode())

    class Server(socketserver.ThreadingTCPServer):
        address_family, allow_reuse_address, daemon_threads = family, True, True

    server = Server((host, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Names(unittest.TestCase):
    def setUp(self):
        self.dns = Dns()
        self.addCleanup(self.dns.__exit__)
        self.y = y = Yett(rules=OPEN).plaintext()
        self.addCleanup(shutil.rmtree, y.dir, True)
        self.addCleanup(lambda: y.process and y.process.poll() is None and y.stop())
        y.config["workers"] = 1
        y.config["resolver"] = {"servers": [self.dns.address]}

    def service(self, host, port, family=socket.AF_INET):
        server = service(host, port, family)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def start(self, *endpoints, **more):
        self.y.config["clusters"] = [{"name": "app", "endpoints": list(endpoints), **more}]
        self.y.write_config()
        self.y.start()

    def get(self, path="/"):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.y.port, timeout=30 * SLOW)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def test_a_change_moves_the_traffic_within_its_ttl_and_no_request_fails(self):
        port = free_port()
        self.service("127.0.0.1", port)
        self.service("127.0.0.2", port)
        self.dns.records = {("app.test", A): ["127.0.0.1"]}
        self.start(f"dns:app.test:{port}")
        stop, seen = threading.Event(), []

        def load():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.y.port, timeout=30)) as connection:
                while not stop.is_set():
                    connection.request("GET", "/")
                    response = connection.getresponse()
                    seen.append((time.monotonic(), response.status, response.read().decode()))

        callers = [threading.Thread(target=load) for _ in range(4)]
        for caller in callers:
            caller.start()
        time.sleep(1)
        changed = time.monotonic()
        self.dns.records = {("app.test", A): ["127.0.0.2"]}
        wait_for("the change", lambda: seen[-1][2] == "127.0.0.2", 10 * SLOW)
        time.sleep(0.5)
        stop.set()
        for caller in callers:
            caller.join()
        last = max(at for at, _, host in seen if host == "127.0.0.1") - changed
        failed = sum(status != 200 for _, status, _ in seen)
        print(f"  DNS change with a TTL of {self.dns.ttl} s: the old address was used for {last:.2f} s, {failed} of {len(seen)} requests failed")
        self.assertEqual(failed, 0)
        self.assertLess(last, self.dns.ttl + 1 * SLOW)

    def test_all_addresses_of_a_name_are_used_and_named(self):
        port = free_port()
        hosts = [f"127.0.0.{i}" for i in (1, 2, 3)]
        for host in hosts:
            self.service(host, port)
        self.dns.records = {("app.test", A): hosts}
        self.start(f"app.test:{port}", balance="round_robin")  # without `dns:` it is a name too
        seen = collections.Counter(self.get()[1] for _ in range(30))
        self.assertEqual(seen, {host: 10 for host in hosts})
        self.assertIn(f"app.test:{port} (127.0.0.2:{port})", json.dumps(self.y.query()))

    def test_a_name_that_is_unknown_at_the_start_keeps_no_other_cluster_from_serving(self):
        port = free_port()
        self.service("127.0.0.1", port)
        self.y.listener["routes"] = [{"path": "/app/**", "cluster": "app"}, {"path": "/**", "cluster": "other"}]
        self.y.config["clusters"] = [{"name": "app", "endpoints": [f"dns:app.test:{port}"]}, {"name": "other", "endpoints": [f"127.0.0.1:{port}"]}]
        self.y.write_config()
        began = time.monotonic()
        self.y.start()
        self.assertLess(time.monotonic() - began, 2 * SLOW)
        self.assertEqual(self.get()[0], 200)
        self.assertEqual(self.get("/app/x")[0], 503)
        time.sleep(0.2)
        self.assertIn(f"`dns:app.test:{port}`: there is no such name", self.y.access_log()[-1]["detail"])
        self.assertEqual(self.y.log().count("name not resolved"), 1)
        self.assertIn("name not resolved", json.dumps(self.y.query("--events")))
        self.dns.records = {("app.test", A): ["127.0.0.1"]}
        wait_for("the name", lambda: self.get("/app/x")[0] == 200, 10 * SLOW)
        wait_for("the line", lambda: "name resolved" in self.y.log(), 5)  # it comes after the addresses

    def test_a_signal_resolves_at_once(self):
        port = free_port()
        self.service("127.0.0.1", port)
        self.service("127.0.0.2", port)
        self.dns.records, self.dns.ttl = {("app.test", A): ["127.0.0.1"]}, 300
        self.start(f"dns:app.test:{port}")
        self.assertEqual(self.get()[1], "127.0.0.1")
        self.dns.records = {("app.test", A): ["127.0.0.2"]}
        self.y.process.send_signal(signal.SIGHUP)
        wait_for("the change", lambda: self.get()[1] == "127.0.0.2", 5 * SLOW)

    def test_while_dns_is_down_the_last_addresses_stay(self):
        port = free_port()
        self.service("127.0.0.1", port)
        self.dns.records, self.dns.ttl = {("app.test", A): ["127.0.0.1"]}, 1
        self.start(f"dns:app.test:{port}")
        self.assertEqual(self.get()[0], 200)
        self.dns.down = True
        wait_for("the report", lambda: "name not resolved" in self.y.log(), 20 * SLOW)
        self.assertEqual(self.get()[0], 200)
        self.dns.records = {("other.test", A): ["127.0.0.1"]}  # the name is gone
        self.dns.down = False
        time.sleep(2)
        self.assertEqual(self.get()[0], 200)
        self.dns.records = {("app.test", A): ["127.0.0.1"]}
        wait_for("the recovery", lambda: "name resolved" in self.y.log(), 40 * SLOW)

    def test_srv_records_give_ports_and_weights_and_the_best_priority_counts(self):
        ports = [free_port() for _ in range(3)]
        for i, port in enumerate(ports):
            self.service(f"127.0.0.{i + 1}", port)
        self.dns.records = {("_http._tcp.app.test", SRV): [(1, 10, ports[0], "a.test"), (1, 30, ports[1], "b.test"), (2, 100, ports[2], "c.test")],
                            ("a.test", A): ["127.0.0.1"], ("b.test", A): ["127.0.0.2"], ("c.test", A): ["127.0.0.3"]}
        self.start("srv:_http._tcp.app.test", balance="round_robin")
        seen = collections.Counter(self.get()[1] for _ in range(40))
        self.assertEqual(seen, {"127.0.0.1": 10, "127.0.0.2": 30})
        self.dns.records[("_http._tcp.app.test", SRV)] = [(1, 1, ports[2], "c.test")]
        wait_for("the change", lambda: self.get()[1] == "127.0.0.3", 10 * SLOW)

    def test_a_service_on_one_of_two_address_families_is_reached(self):
        port = free_port()
        self.service("127.0.0.1", port)
        self.dns.records = {("app.test", A): ["127.0.0.1"], ("app.test", AAAA): ["::1"]}
        self.start(f"dns:app.test:{port}")
        self.assertEqual([self.get() for _ in range(20)], [(200, "127.0.0.1")] * 20)

    def test_a_family_that_does_not_answer_costs_a_quarter_of_a_second_once(self):
        port = free_port()
        self.service("127.0.0.1", port)
        with socket.socket(socket.AF_INET6) as full, contextlib.ExitStack() as stack:
            full.bind(("::1", port))
            full.listen(0)
            for _ in range(3):  # its backlog is full: more SYNs are dropped
                one = stack.enter_context(socket.socket(socket.AF_INET6))
                one.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    one.connect(("::1", port))
            time.sleep(0.1)
            self.dns.records = {("app.test", A): ["127.0.0.1"], ("app.test", AAAA): ["::1"]}
            self.start(f"dns:app.test:{port}", idle_timeout="100ms")
            times = []
            for _ in range(3):
                began = time.monotonic()
                self.assertEqual(self.get(), (200, "127.0.0.1"))
                times.append(time.monotonic() - began)
                time.sleep(0.3)  # the connection goes
            print("  a family that does not answer: " + ", ".join(f"{1000 * t:.0f} ms" for t in times))
            self.assertGreater(times[0], 0.2)
            self.assertLess(times[0], 0.6 * SLOW)
            self.assertLess(max(times[1:]), 0.15 * SLOW)

    def test_two_hundred_names_cost_nothing_while_they_are_good(self):
        self.dns.ttl = 300
        names = [f"app{i}.test" for i in range(200)]
        self.dns.records = {(name, A): ["127.0.0.1"] for name in names}
        self.start(*(f"dns:{name}:1" for name in names))
        time.sleep(1)
        asked, ticks = self.dns.questions, self.y.cpu_ticks()
        time.sleep(5)
        used = (self.y.cpu_ticks() - ticks) * 10 / 5
        print(f"  200 names: {used:.0f} ms of CPU per second, {self.dns.questions - asked} questions in 5 s")
        self.assertEqual(self.dns.questions, asked)
        self.assertLess(used, 15 * SLOW)

    def test_servers_that_are_none(self):
        for server in ("localhost", "10.0.0.1:0", "1.2.3.400"):
            self.y.config["resolver"] = {"servers": [server]}
            self.y.write_config()
            code, _, err = __import__("test_cli").yett("check", "-c", str(self.y.dir / "yett.json"))
            self.assertEqual(code, 2)
            self.assertIn("/resolver/servers: ", err)


if __name__ == "__main__":
    unittest.main()
