"""Faults of the upstream side that a review has found, each as it was shown."""
import concurrent.futures
import contextlib
import http.client
import json
import shutil
import socket
import ssl
import struct
import threading
import time
import unittest

from dns_server import A, SRV, Dns
from h2_peer import H2Service
from harness import SLOW, Service, Yett, read_head, run, wait_for
from test_upstreams import OPEN
from test_upstream_tls import SHOP

SETTINGS, HEADERS = 4, 1


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Found(unittest.TestCase):
    def yett(self, *endpoints, **cluster):
        y = Yett(rules=OPEN).plaintext()
        self.addCleanup(shutil.rmtree, y.dir, True)
        self.addCleanup(lambda: y.process and y.process.poll() is None and y.stop())
        y.config["workers"] = 1
        y.config["clusters"] = [{"name": "app", "endpoints": list(endpoints), **cluster}]
        y.write_config()
        return y

    def service(self, handle):
        made = Service(handle)
        self.addCleanup(made.__exit__, None, None, None)
        return made

    def get(self, y, timeout=30):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", y.port, timeout=timeout * SLOW)) as connection:
            connection.request("GET", "/")
            response = connection.getresponse()
            return response.status, response.read()

    def endpoints(self, y):
        return json.loads(y.socket_get("/clusters"))["clusters"][0]["endpoints"]

    def test_two_targets_with_one_address_are_one_endpoint(self):
        """They were two, and after a change the pool used connections that were gone."""
        open_now = []

        def handle(connection):
            open_now.append(connection)
            while read_head(connection) is not None:
                time.sleep(0.05)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        service = self.service(handle)
        port = int(service.address.split(":")[1])
        records = {("_h.app.test", SRV): [(0, 1, port, "a.test"), (0, 2, port, "b.test")], ("a.test", A): ["127.0.0.1"], ("b.test", A): ["127.0.0.1"], ("c.test", A): ["127.0.0.3"]}
        with Dns(records, ttl=1) as dns:
            y = self.yett("srv:_h.app.test", idle_timeout="1h")
            y.config["resolver"] = {"servers": [dns.address]}
            y.write_config()
            y.start()
            self.assertEqual([(one["weight"], one["name"]) for one in self.endpoints(y)], [(3, f"_h.app.test (127.0.0.1:{port})")])
            for turn in range(3):
                callers = [threading.Thread(target=self.get, args=(y,)) for _ in range(8)]
                for caller in callers:
                    caller.start()
                for caller in callers:
                    caller.join()
                dns.records[("_h.app.test", SRV)] = records[("_h.app.test", SRV)] + ([(0, 1, port, "c.test")] if turn % 2 == 0 else [])
                wait_for("the change", lambda: len(self.endpoints(y)) == (2 if turn % 2 == 0 else 1), 10 * SLOW)
                while open_now:
                    with contextlib.suppress(OSError):
                        open_now.pop().shutdown(socket.SHUT_RDWR)
            self.assertEqual(self.get(y), (200, b"ok"))

    def test_a_target_that_dns_does_not_tell_keeps_the_last_addresses(self):
        service = self.service(lambda connection: None)
        port = int(service.address.split(":")[1])
        records = {("_h.app.test", SRV): [(0, 1, port, "a.test"), (0, 1, port, "b.test")], ("a.test", A): ["127.0.0.1"], ("b.test", A): ["127.0.0.2"]}

        class Half(Dns):
            silent = False

            def answer(self, question):  # a server that knows nothing of b.test for a while (SERVFAIL)
                out = super().answer(question)
                return out[:3] + bytes([out[3] & 0xF0 | 2]) + out[4:6] + bytes(6) + question[12:] if self.silent and b"\1b\4test" in question else out

        with Half(records, ttl=1) as dns:
            y = self.yett("srv:_h.app.test")
            y.config["resolver"] = {"servers": [dns.address]}
            y.write_config()
            y.start()
            self.assertEqual(len(self.endpoints(y)), 2)
            dns.silent = True
            wait_for("the report", lambda: "name not resolved" in y.log(), 20 * SLOW)
            self.assertEqual(len(self.endpoints(y)), 2)

    def test_reloads_and_a_stop_while_checks_are_under_way(self):
        """A check called back after its endpoint was gone."""
        def silent(connection):
            with contextlib.suppress(OSError):
                connection.recv(1 << 16)
                time.sleep(2)

        services = [self.service(silent) for _ in range(2)]
        port = int(services[0].address.split(":")[1])
        check = {"path": "/", "interval": "100ms", "timeout": "50ms"}
        y = self.yett(*(f"127.1.0.{i}:{port}" for i in range(1, 60)), services[1].address, health_check=check, connect_timeout="50ms")
        y.start()
        for turn in range(8):
            y.config["clusters"][0]["endpoints"] = [f"127.{turn + 2}.0.{i}:{port}" for i in range(1, 60)] + [services[1].address]
            y.write_config()
            wait_for("the reload", lambda: y.log().count("reloaded") == turn + 1, 10 * SLOW)
        y.stop()  # expects 0

    def test_stalled_uploads_eject_nobody(self):
        """The service gives them up, as any would; a caller could eject half of it."""
        def handle(connection):
            while (got := read_head(connection)) is not None:
                if got[0].startswith("PUT"):
                    connection.settimeout(0.3)
                    with contextlib.suppress(OSError):
                        while connection.recv(100):
                            pass
                    return
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        services = [self.service(handle) for _ in range(4)]
        y = self.yett(*(one.address for one in services))
        y.start()
        with contextlib.ExitStack() as stack:
            for _ in range(60):
                upload = stack.enter_context(y.raw())
                upload.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab")
            time.sleep(1.5 * SLOW)
            self.assertNotIn("ejected", y.log())
            self.assertEqual(self.get(y), (200, b"ok"))

    def test_a_reload_sends_nobody_away_who_waits_for_settings(self):
        def handle(connection):
            time.sleep(1)
            connection.sendall(frame(SETTINGS))
            seen = b""
            while data := connection.recv(65536):
                seen += data
                if frame(HEADERS, 5, 1)[3:9] in seen:
                    connection.sendall(frame(SETTINGS, 1) + frame(HEADERS, 5, 1, b"\x88"))
                    seen = b""

        y = self.yett(self.service(handle).address, protocol="http2")
        y.start()
        got = []
        caller = threading.Thread(target=lambda: got.append(self.get(y)))
        caller.start()
        time.sleep(0.3)
        y.config["clusters"][0]["max_response_fields"] = 200
        y.write_config()
        caller.join()
        self.assertEqual(got, [(200, b"")])
        self.assertEqual(self.endpoints(y)[0]["failures"], 0)

    def test_a_service_that_says_goodbye_at_once_holds_nobody_up(self):
        """As a gRPC server does that is shutting down: who waited for its settings waited for the end of the connection."""
        words = [frame(SETTINGS) + frame(7, payload=struct.pack(">II", 0, 0))]  # GOAWAY

        def leaving(connection):
            connection.sendall(words[0])
            with contextlib.suppress(OSError):
                connection.settimeout(10 * SLOW)
                while connection.recv(65536):
                    pass
                time.sleep(10 * SLOW)

        def serve(connection, stream, headers, body):
            connection.send_headers(stream, [(":status", "200")])
            connection.respond(stream, b"ok")

        y = self.yett(self.service(leaving).address, H2Service(serve).address, protocol="http2")
        y.start()
        for said in (words[0], b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"):
            words[0] = said
            for _ in range(4):
                began = time.monotonic()
                self.assertEqual(self.get(y), (200, b"ok"))
                self.assertLess(time.monotonic() - began, 0.7 * SLOW)

    def test_a_full_cluster_sends_nothing_to_an_ejected_endpoint(self):
        """An idle connection to it was lent, because the cluster had no room for another."""
        busy = threading.Event()

        def good(connection):
            while (got := read_head(connection)) is not None:
                if got[0].startswith("GET /slow"):
                    busy.set()
                    time.sleep(1.5 * SLOW)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        def bad(connection):
            while read_head(connection) is not None:
                connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno")

        y = self.yett(self.service(bad).address, self.service(good).address, balance="round_robin", outlier_detection={"consecutive_failures": 2},
                      circuit_breakers={"max_connections": 2})
        y.start()
        for _ in range(6):
            self.get(y)
        self.assertTrue(self.endpoints(y)[0]["ejected"])
        self.assertEqual([one["connections"] for one in self.endpoints(y)], [1, 1])
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", y.port, timeout=30 * SLOW)) as slow:
            slow.request("GET", "/slow")
            self.assertTrue(busy.wait(10 * SLOW))
            self.assertEqual(self.get(y), (200, b"ok"))
            self.assertEqual(slow.getresponse().status, 200)

    def test_workers_give_up_idle_connections_that_others_need(self):
        """The idle connections of one worker held the limit of the cluster: requests of the others were 503 for 30 s."""
        def serve(connection):
            while (got := read_head(connection)) is not None:
                time.sleep(0.3 * SLOW if got[0].startswith("GET /slow") else 0)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        def status(caller, path="/"):
            caller.request("GET", path)
            response = caller.getresponse()
            response.read()
            return response.status

        address = self.service(serve).address
        for other in range(1, 8):
            y = self.yett(address, circuit_breakers={"max_connections": 2})
            y.config["workers"] = 2
            y.write_config()
            with y, contextlib.ExitStack() as stack:
                callers = [stack.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", y.port, timeout=30 * SLOW))) for _ in range(8)]
                for caller in callers:
                    caller.connect()
                time.sleep(0.1 * SLOW)
                with concurrent.futures.ThreadPoolExecutor(2) as pool:  # of the same worker, now and then
                    self.assertEqual(list(pool.map(lambda caller: status(caller, "/slow"), (callers[0], callers[other]))), [200, 200])
                if all(status(caller) == 200 for caller in callers):
                    continue
                wait_for("room for everybody", lambda: [status(caller) for caller in callers] == [200] * 8, 6)
                return
        self.skipTest("one worker accepted all callers")

    def test_answers_that_callers_can_provoke_keep_no_endpoint_in(self):
        def bad(connection):
            while (got := read_head(connection)) is not None:
                status = "501 Not Implemented" if got[0].startswith("FOO") else "500 No"
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

        y = self.yett(*(self.service(bad).address for _ in range(2)), balance="round_robin", outlier_detection={"consecutive_failures": 3})
        y.start()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", y.port, timeout=30 * SLOW)) as connection:
            for method in ("GET", "GET", "FOO", "FOO") * 3:
                connection.request(method, "/")
                connection.getresponse().read()
        self.assertEqual(sum(one["ejected"] for one in self.endpoints(y)), 1)
        self.assertGreater(self.endpoints(y)[0]["latency_micros"], 0)

    def test_a_service_without_room_gets_one_connection(self):
        def handle(connection):
            connection.sendall(frame(SETTINGS, payload=struct.pack(">HI", 3, 0)))  # SETTINGS_MAX_CONCURRENT_STREAMS 0
            with contextlib.suppress(OSError):
                while connection.recv(65536):
                    pass

        service = self.service(handle)
        y = self.yett(service.address, protocol="http2")
        y.start()
        self.assertEqual(self.get(y)[0], 503)
        self.assertEqual(service.connections, 1)
        time.sleep(0.2 * SLOW)
        self.assertIn("the service takes no requests", y.access_log()[-1]["detail"])

    def tls_service(self, y, handle):
        run("certs", "issue", SHOP, "--dir", str(y.certs))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(y.certs / "shop.pem", y.certs / "shop.key")
        return self.service(lambda plain: handle(context.wrap_socket(plain, server_side=True)))

    def test_an_answer_that_is_cut_is_not_complete(self):
        """Anybody on the way can end a TCP connection; only the service can end TLS."""
        for orderly in (False, True):
            def handle(connection, orderly=orderly):
                with contextlib.suppress(OSError):
                    read_head(connection)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\namount=100")
                    time.sleep(0.1)
                    if orderly:
                        connection.unwrap().close()
                    else:
                        socket.socket(fileno=connection.detach()).close()

            y = self.yett("127.0.0.1:1")
            y.config["clusters"][0] |= {"endpoints": [self.tls_service(y, handle).address], "tls": {"peer": SHOP}, "protocol": "http1"}
            y.write_config()
            y.start()
            if orderly:
                self.assertEqual(self.get(y), (200, b"amount=100"))
            else:
                with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                    self.get(y)
                time.sleep(0.2 * SLOW)
                self.assertIn("without close_notify", y.access_log()[-1]["detail"])
            y.stop()

    def test_switching_tls_on_ends_what_was_plaintext(self):
        def handle(connection):
            with contextlib.suppress(OSError):
                read_head(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")
                time.sleep(20)

        y = self.yett(self.service(handle).address)
        y.start()
        with y.raw() as caller:
            caller.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            seen = b""
            while b"begin" not in seen:
                seen += caller.recv(4096)
            y.config["clusters"][0]["tls"] = {"peer": SHOP}
            y.write_config()
            caller.settimeout(10 * SLOW)
            with contextlib.suppress(ConnectionResetError):
                while caller.recv(4096):
                    pass
        time.sleep(0.2 * SLOW)
        self.assertIn("must prove who it is", y.access_log()[-1]["detail"])

    def test_authorities_that_cannot_be_read_stay_refused(self):
        """After another part had changed, they counted as taken."""
        y = self.yett("127.0.0.1:1", tls={"peer_name": "shop.internal", "ca": "ca.pem"})
        (y.dir / "ca.pem").write_text((y.certs / "bundle.pem").read_text())
        y.start()
        y.replace("ca.pem", "garbage")
        wait_for("the refusal", lambda: "`ca`" in y.socket_get("/policies"), 10)
        y.write_rules('policy "p" { allow "more" { principal = anyone } }')
        wait_for("the policy", lambda: " reloaded " in y.log(), 10)
        time.sleep(2.5 * SLOW)
        self.assertIn("`ca`", y.socket_get("/policies"))

    def test_numbers_that_overflow(self):
        from test_cli import yett
        for limit, wanted in (({"requests": 1, "per": "1d", "burst": 200_000}, "burst"), ({"requests": 1, "per": "200000d"}, "at most 366d")):
            y = self.yett("127.0.0.1:1")
            y.listener["rate_limits"] = [limit]
            y.write_config()
            code, _, err = yett("check", "-c", str(y.dir / "yett.json"))
            self.assertEqual(code, 2, err)
            self.assertIn(wanted, err)


if __name__ == "__main__":
    unittest.main()
