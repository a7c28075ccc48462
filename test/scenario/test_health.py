"""Health checks, panic, slow start, zones, and what the admin side shows of them."""
import collections
import concurrent.futures
import json
import shutil
import subprocess
import time
import unittest

import grpc

import test_upstreams
from harness import BINARY, SLOW, Service, environment, read_head, run, wait_for
from test_upstream_tls import SHOP, TlsNginx

CHECK = {"path": "/healthz", "interval": f"{int(200 * SLOW)}ms", "timeout": f"{int(500 * SLOW)}ms", "healthy_threshold": 2, "unhealthy_threshold": 2}


class Checked:
    """A service whose health check fails, or not; it says its name otherwise."""

    def __init__(self, name):
        self.name, self.healthy, self.checks, self.agents, self.count = name, True, 0, set(), 0
        self.service = Service(self.serve)
        self.address = self.service.address

    def serve(self, connection):
        while (got := read_head(connection)) is not None:
            if got[0].startswith("GET /healthz"):
                self.checks += 1
                self.agents.add(next(line for line in got[0].split("\r\n") if line.lower().startswith("user-agent")))
                status = "200 OK" if self.healthy else "503 Service Unavailable"
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
                continue
            self.count += 1
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.name)}\r\n\r\n{self.name}".encode())


class Health(unittest.TestCase):
    yett, ask = test_upstreams.Upstreams.yett, test_upstreams.Upstreams.ask

    def setUp(self):
        self.services = [Checked(name) for name in "abc"]
        for one in self.services:
            self.addCleanup(one.service.__exit__, None, None, None)

    def names(self, y, count=60):
        return collections.Counter(body for status, body in self.ask(y, count) if status == 200)

    def test_an_endpoint_that_fails_its_checks_gets_no_requests_until_it_passes(self):
        bad = self.services[0]
        with self.yett(balance="round_robin", health_check=CHECK) as y:
            self.assertEqual(self.names(y), {"a": 20, "b": 20, "c": 20})
            bad.healthy = False
            wait_for("the failure", lambda: "endpoint unhealthy" in y.log(), 10 * SLOW)
            time.sleep(0.1)
            self.assertEqual(set(self.names(y)), {"b", "c"})
            self.assertRegex(y.log(), f'endpoint unhealthy cluster=app endpoint={bad.address} why="2 checks failed, the last: status 503"')
            shown = json.loads(y.socket_get("/clusters"))["clusters"][0]
            self.assertEqual([one["healthy"] for one in shown["endpoints"]], [False, True, True])
            self.assertIn('yett_upstream_healthy_endpoints{cluster="app"} 2', y.admin("/metrics")[1])
            out = subprocess.run([BINARY, "admin", "clusters", "-c", str(y.dir / "yett.json")], capture_output=True, text=True, env=environment()).stdout
            self.assertIn(f"UNHEALTHY  {bad.address}", out)
            self.assertEqual(y.admin("/readyz")[0], 200)  # Yett is ready, whatever its services do
            bad.healthy = True
            wait_for("the recovery", lambda: "endpoint healthy" in y.log(), 10 * SLOW)
            time.sleep(0.1)
            self.assertEqual(set(self.names(y)), {"a", "b", "c"})
            events = json.dumps(y.query("--events"))
            self.assertIn("endpoint unhealthy", events)
            self.assertIn("endpoint healthy", events)
        self.assertEqual({agent.split(": ")[1] for one in self.services for agent in one.agents}, {"yett-health-check"})

    def test_an_endpoint_that_never_passed_gets_nothing(self):
        self.services[0].healthy = False
        with self.yett(health_check={**CHECK, "unhealthy_threshold": 1000}) as y:
            wait_for("the failure", lambda: "endpoint unhealthy" in y.log(), 10 * SLOW)
            time.sleep(0.1)
            self.assertEqual(set(self.names(y)), {"b", "c"})

    def test_one_that_accepts_and_says_nothing_is_unhealthy(self):
        def silent(connection):
            connection.recv(1 << 16)
            time.sleep(5)

        with Service(silent) as service:
            self.services.append(type("Silent", (), {"address": service.address}))
            with self.yett((1, 1, 1, 1), health_check=CHECK) as y:
                wait_for("the failure", lambda: "no answer within the timeout" in y.log(), 10 * SLOW)
                time.sleep(0.1)
                self.assertEqual(set(self.names(y)), {"a", "b", "c"})

    def test_panic_uses_all_and_says_so(self):
        with self.yett(health_check=CHECK, panic_threshold=50) as y:
            self.names(y)
            for one in self.services[:2]:
                one.healthy = False
            wait_for("both", lambda: y.log().count("endpoint unhealthy") == 2, 10 * SLOW)
            time.sleep(0.1)
            self.assertEqual(set(self.names(y)), {"a", "b", "c"})
            self.assertRegex(y.log(), 'too few healthy endpoints: all are used cluster=app endpoint=all why="1 of 3 endpoints are healthy"')
            for one in self.services[:2]:
                one.healthy = True
            wait_for("the recovery", lambda: self.names(y) and "enough healthy endpoints again" in y.log(), 10 * SLOW)

    def test_a_changed_check_and_a_removed_one(self):
        self.services[0].healthy = False
        with self.yett(health_check=CHECK) as y:
            wait_for("the failure", lambda: "endpoint unhealthy" in y.log(), 10 * SLOW)
            y.config["clusters"][0].pop("health_check")
            y.write_config()
            wait_for("the reload", lambda: "reloaded" in y.log(), 10 * SLOW)
            wait_for("all", lambda: set(self.names(y)) == {"a", "b", "c"}, 5 * SLOW)
            checks = self.services[1].checks
            time.sleep(1)
            self.assertEqual(self.services[1].checks, checks)

    def test_checks_of_tcp_and_over_tls(self):
        y = self.yett()
        run("certs", "issue", SHOP, "--dir", str(y.certs))
        with TlsNginx(y.certs / "shop.pem", y.certs / "shop.key", y.certs / "bundle.pem") as up:
            for check in ({**CHECK, "path": "/"}, {key: value for key, value in CHECK.items() if key != "path"} | {"tcp": True}):
                with self.subTest(check):
                    y.config["clusters"] = [{"name": "app", "endpoints": [up.address, "127.0.0.1:1"], "tls": {"peer": SHOP}, "health_check": check}]
                    y.write_config()
                    before = y.log().count("endpoint unhealthy")
                    y.start()
                    wait_for("the failure", lambda: y.log().count("endpoint unhealthy") > before, 10 * SLOW)
                    time.sleep(0.5 * SLOW)
                    states = [one["healthy"] for one in json.loads(y.socket_get("/clusters"))["clusters"][0]["endpoints"]]
                    self.assertEqual(states, [True, False])
                    y.stop()

    def test_grpc_health(self):
        states = {"": 1, "shop": 1}

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                if details.method != "/grpc.health.v1.Health/Check":
                    return None

                def check(request, context):
                    name = request[2:].decode()
                    if name not in states:
                        context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
                    return bytes([8, states[name]])

                return grpc.unary_unary_rpc_method_handler(check)

        server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[Handler()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(server.stop, None)
        check = {key: value for key, value in CHECK.items() if key != "path"}
        y = self.yett()
        for service, wanted in (("", None), ("shop", None), ("none", "gRPC status 5 no such service")):
            y.config["clusters"] = [{"name": "app", "endpoints": [f"127.0.0.1:{port}"], "protocol": "http2", "health_check": {**check, "grpc": service or True}}]
            y.write_config()
            y.start()
            try:
                if wanted is None:
                    time.sleep(0.5 * SLOW)
                    self.assertTrue(json.loads(y.socket_get("/clusters"))["clusters"][0]["endpoints"][0]["healthy"])
                    states[service] = 2
                    wait_for("NOT_SERVING", lambda: "the service says NOT_SERVING" in y.log(), 10 * SLOW)
                    states[service] = 1
                else:
                    wait_for(wanted, lambda: wanted in y.log(), 10 * SLOW)
            finally:
                y.stop()

    def test_slow_start_gives_a_returning_endpoint_a_growing_share(self):
        back = self.services[0]
        with self.yett(balance="random", health_check=CHECK, slow_start=f"{int(4 * SLOW)}s") as y:
            back.healthy = False
            wait_for("the failure", lambda: "endpoint unhealthy" in y.log(), 10 * SLOW)
            self.names(y)
            back.healthy = True
            wait_for("the recovery", lambda: "endpoint healthy" in y.log(), 10 * SLOW)
            began, shares = time.monotonic(), []
            while time.monotonic() - began < 6 * SLOW:
                got = self.names(y, 600)
                shares.append((time.monotonic() - began, got["a"] / sum(got.values())))
            first, last = shares[0][1], shares[-1][1]
            print(f"  slow start: {first:.2f} of the requests at first, {last:.2f} after {shares[-1][0]:.0f} s")
            self.assertLess(first, 0.2)
            self.assertAlmostEqual(last, 1 / 3, delta=0.07)

    def test_requests_stay_in_the_own_zone_while_it_has_enough(self):
        y = self.yett(health_check=CHECK, prefer_own_zone=True, balance="round_robin")
        y.config["zone"] = "one"
        endpoints = y.config["clusters"][0]["endpoints"]
        for endpoint, zone in zip(endpoints, ("one", "one", "two")):
            endpoint["zone"] = zone
        y.write_config()
        with y:
            self.assertEqual(set(self.names(y)), {"a", "b"})
            self.services[0].healthy = False
            wait_for("the failure", lambda: "endpoint unhealthy" in y.log(), 10 * SLOW)
            time.sleep(0.1)
            got = self.names(y, 1000)
            print(f"  half of the own zone is left: {got['c'] / 1000:.2f} of the requests go elsewhere (0.30 expected)")
            self.assertEqual(set(got), {"b", "c"})
            self.assertAlmostEqual(got["c"] / 1000, 0.3, delta=0.08)
            self.services[1].healthy = False
            wait_for("the failure", lambda: y.log().count("endpoint unhealthy") == 2, 10 * SLOW)
            time.sleep(0.1)
            self.assertEqual(set(self.names(y)), {"c"})

    def test_settings_that_cannot_work(self):
        for more, wanted in (({"health_check": {}}, "say how to check"), ({"health_check": {"path": "x"}}, "must begin with `/`"),
                             ({"health_check": {"path": "/a b"}}, "is not a path"), ({"health_check": {"path": "/", "tcp": True}}, "say how to check"),
                             ({"health_check": {"grpc": "a"}, "protocol": "http1"}, "needs `\"protocol\": \"http2\"`"), ({"prefer_own_zone": True}, "needs `/zone`")):
            with self.subTest(more):
                y = self.yett(**more)
                code, _, err = __import__("test_cli").yett("check", "-c", str(y.dir / "yett.json"))
                self.assertEqual(code, 2, err)
                self.assertIn(wanted, err)


if __name__ == "__main__":
    unittest.main()
