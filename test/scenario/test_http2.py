"""HTTP/2 on both sides of the real program: bodies, protocol rules, drain, HTTP/2 upstreams, floods."""
import os
import random
import signal
import socket
import statistics
import struct
import subprocess
import threading
import time
import unittest

import h2.exceptions

from h2_peer import CONTINUATION, DATA, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, H2Client, H2Service, frame
from harness import SLOW, Nginx, Service, Yett, echo, environment, free_port, hello_times, read_head, wait_for
from test_policy import answer_with_request

OPEN = 'policy "p" { allow "all" { principal = authenticated }, deny "admin" { path = "/admin/**", public_reason = "admin is closed" } }'


def echo_body(connection, stream, headers, body):
    """An HTTP/2 service that answers with the request's body, or with its headers if there is no body."""
    text = body or "\n".join(f"{k}: {v}" for k, v in headers).encode()
    connection.send_headers(stream, [(":status", "200"), ("x-size", str(len(body)))])
    connection.respond(stream, text, [("x-sum", str(sum(text)))])


class Serving(unittest.TestCase):
    def test_curl_and_node_use_http2_over_mutual_tls(self):
        with Nginx() as up:
            blob = os.urandom(3_000_000)
            (up.dir / "www/blob").write_bytes(blob)
            with Yett(up.address, rules=OPEN) as y:
                self.assertEqual(y.curl("/blob", "--http2").stdout, blob)
                head = y.curl("/hello", "--http2", "-i").stdout.decode()
                self.assertTrue(head.startswith("HTTP/2 200"), head)
                denied = y.curl("/admin/x", "--http2", "-i").stdout.decode()
                self.assertTrue(denied.startswith("HTTP/2 403"), denied)
                self.assertIn("admin is closed", denied)
                self.assertIn("x-yett-decision-id", denied)
                self.assertTrue(y.curl("/blob", "--http2", "-I").stdout.startswith(b"HTTP/2 200"))
                self.assertTrue(y.curl("/hello", "--http1.1", "-i").stdout.startswith(b"HTTP/1.1 200"))
                many = y.curl("/hello", "--http2", "--parallel", "--parallel-max", "50", *[f"https://localhost:{y.port}/v{i % 2 + 1}" for i in range(99)])
                self.assertEqual((many.stdout.count(b"one\n"), many.stdout.count(b"two\n")), (50, 49))
                script = f"""
                  const h = require('http2'), fs = require('fs');
                  const c = h.connect('https://localhost:{y.port}', {{ca: fs.readFileSync('{y.certs}/bundle.pem'), cert: fs.readFileSync('{y.certs}/frontend.pem'), key: fs.readFileSync('{y.certs}/frontend.key')}});
                  let left = 20; for (let i = 0; i < 20; i++) {{ const r = c.request({{':path': '/blob'}}); let n = 0; r.on('data', d => n += d.length); r.on('end', () => {{ console.log(n); if (--left == 0) c.close(); }}); }}"""
                node = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=60 * SLOW)
                self.assertEqual(node.stdout.split(), ["3000000"] * 20, node.stderr)
                wait_for("the records", lambda: {d["protocol"] for d in y.access_log()} == {"HTTP/2", "HTTP/1.1"})

    def test_bodies_pass_unchanged_in_both_directions_to_http1_and_http2_services(self):
        rng = random.Random(4)
        sizes = [0, 1, 16383, 16384, 16385, 65535, 65536, 200_000]
        with H2Service(echo_body) as second, Service(answer_with_request) as first:
            for address, protocol in ((second.address, "http2"), (first.address, "http1")):
                y = Yett(address, rules=OPEN)
                y.config["clusters"][0]["protocol"] = protocol
                y.listener["routes"][0]["forward_trailers"] = True
                y.write_config()
                with y, H2Client(y) as c:
                    for size in sizes:
                        body = rng.randbytes(size)
                        length = [("content-length", str(size))] if rng.random() < 0.5 else []
                        answer = c.get("/x", method="POST", headers=length, body=body)
                        self.assertEqual(answer.status, 200, (protocol, size))
                        if protocol == "http2" and size:
                            self.assertEqual(answer.body, body)
                            self.assertEqual(answer.trailers, {"x-sum": str(sum(body))})
                        elif length and size:
                            self.assertIn(body, answer.body)
                    # An HTTP/1.1 caller of the same service.
                    body = rng.randbytes(100_000)
                    status, headers, got = y.get("/x", method="POST", body=body)
                    self.assertEqual(status, 200)
                    self.assertTrue(got == body if protocol == "http2" else body in got)
                    self.assertEqual(y.get("/x", method="HEAD")[0], 200)

    def test_what_the_service_gets_is_what_policy_saw(self):
        with H2Service(echo_body) as s:
            y = Yett(s.address, rules=OPEN)
            y.config["clusters"][0]["protocol"] = "http2"
            y.write_config()
            with y, H2Client(y) as c:
                answer = c.get("/a/./b%2e%2e/../c?q=1", headers=[("cookie", "a=1"), ("x-yett-principal", "me"), ("cookie", "b=2"), ("te", "trailers"), ("x_forwarded_for", "1.2.3.4")])
                self.assertEqual(answer.status, 200)
                seen = answer.body.decode().split("\n")
                self.assertIn(":path: /a/c?q=1", seen)
                self.assertIn(":authority: localhost", seen)
                self.assertIn("cookie: a=1; b=2", seen)
                self.assertIn("te: trailers", seen)
                self.assertIn("x-yett-principal: spiffe://example.org/frontend", seen)
                self.assertEqual([line for line in seen if line.startswith("x_forwarded")], [])
                self.assertEqual(len([line for line in seen if line.startswith("host")]), 0)

    def test_each_stream_is_decided_separately(self):
        with Nginx() as up, Yett(up.address, rules=OPEN) as y, H2Client(y) as c:
            streams = [(c.request(path), status) for path, status in [("/hello", 200), ("/admin/x", 403)] * 40]
            for stream, status in streams:
                self.assertEqual(c.wait(stream).status, status)
            wait_for("the records", lambda: len(y.query("--effect", "deny")) == 40 and len(y.query("--effect", "allow")) == 40)
            self.assertTrue(y.verify()["ok"])


class Rules(unittest.TestCase):
    """Requests that violate HTTP/2 reach no service and end their stream or connection, never the program."""

    def test_malformed_requests(self):
        P = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/x")]

        def but(**changes):
            return [(k, changes.get(k[1:], v)) for k, v in P if changes.get(k[1:], v) is not None]

        cases = {
            "no path": (but(path=None), []),
            "empty path": (but(path=""), []),
            "no scheme": (but(scheme=None), []),
            "another scheme": (but(scheme="ftp"), []),
            "no method": (but(method=None), []),
            "method that is no token": (but(method="G ET"), []),
            "path without slash": (but(path="x"), []),
            "absolute path": (but(path="http://localhost/x"), []),
            "path with a blank": (but(path="/x y"), []),
            "path with a fragment": (but(path="/x#y"), []),
            "path with CR LF": (but(path="/x\r\nhost: b"), []),
            "path with NUL": (but(path="/x\0"), []),
            "path that leaves the root": (but(path="/../x"), []),
            "encoded slash": (but(path="/a%2fb"), []),
            "no authority": (but(authority=None), []),
            "authority with user": (but(authority="a@localhost"), []),
            "authority and another host": (P, [("host", "other")]),
            "two hosts": (but(authority=None), [("host", "a"), ("host", "b")]),
            "CONNECT": ([(":method", "CONNECT"), (":authority", "localhost:80")], []),
            "CONNECT with a path": (but(method="CONNECT"), []),
            "protocol without CONNECT": (P + [(":protocol", "websocket")], []),
            "unknown pseudo header": (P + [(":foo", "x")], []),
            "two paths": (P + [(":path", "/y")], []),
            "pseudo header behind a field": (P[:3], [("x", "y"), (":path", "/x")]),
            "connection": (P, [("connection", "close")]),
            "transfer-encoding": (P, [("transfer-encoding", "chunked")]),
            "upgrade": (P, [("upgrade", "h2c")]),
            "te other than trailers": (P, [("te", "gzip")]),
            "upper case": (P, [("X-Upper", "y")]),
            "blank in a name": (P, [("x y", "z")]),
            "CR LF in a value": (P, [("x", "y\r\nadmin: 1")]),
            "NUL in a value": (P, [("x", "y\0z")]),
            "LF in a name": (P, [("x\nadmin", "1")]),
            "colon in a name": (P, [("x:y", "1")]),
            "empty name": (P, [("", "1")]),
            "content-length that is no number": (P, [("content-length", "+1")]),
            "two content-lengths": (P, [("content-length", "0"), ("content-length", "0")]),
            "content-length without a body": (P, [("content-length", "5")]),
            "another expectation": (P, [("expect", "200-ok")]),
        }
        reached = []

        def service(connection):
            got = read_head(connection)
            while got:
                reached.append(got[0])
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                got = read_head(connection)

        with Service(service) as s, Yett(s.address, rules=OPEN) as y:
            for name, (pseudo, headers) in cases.items():
                with H2Client(y) as c:
                    answer = c.wait(c.request(pseudo=pseudo, headers=headers))
                    refused = answer.reset is not None or (answer.status or 0) >= 400 or (c.closed and answer.status is None)
                    self.assertTrue(refused, f"{name}: {vars(answer)}")
                    self.assertEqual(reached, [], name)
                    if answer.status and not c.closed:  # the connection stays usable
                        self.assertEqual(c.get("/fine").status, 200, name)
                        reached.clear()
            with H2Client(y) as c:
                self.assertEqual(c.get("/fine").status, 200)
            self.assertTrue(y.verify()["ok"])

    def test_bodies_that_differ_from_their_content_length_and_forbidden_trailers(self):
        with Service(answer_with_request) as s:
            y = Yett(s.address, rules=OPEN)
            y.listener["limits"] = {"body": "1KiB"}
            y.listener["routes"][0]["forward_trailers"] = True
            y.write_config()
            with y:
                for length, body in (("3", b"abcd"), ("5", b"abcd")):
                    with H2Client(y) as c:
                        answer = c.get("/x", method="POST", headers=[("content-length", length)], body=body)
                        self.assertTrue(answer.reset is not None or c.closed or answer.status == 400, vars(answer))
                with H2Client(y) as c:
                    self.assertEqual(c.get("/x", method="POST", body=b"x" * 2000).status, 413)
                    self.assertEqual(c.get("/x", method="POST", body=b"x" * 2000, headers=[("content-length", "2000")]).status, 413)
                for name, value in (("content-length", "1"), ("host", "x"), (":path", "/y"), ("authorization", "x"), ("x-yett-principal", "x"), ("connection", "x")):
                    with H2Client(y) as c:
                        stream = c.request("/x", method="POST", body=b"abcd", end=False)
                        c.h2.send_headers(stream, [(name, value)], end_stream=True)
                        c.flush()
                        answer = c.wait(stream)
                        self.assertTrue(answer.reset is not None or c.closed or answer.status == 400, (name, vars(answer)))

    def test_head_limits(self):
        with Service(echo) as s:
            y = Yett(s.address, rules=OPEN)
            y.listener["limits"] = {"head": "8KiB", "headers": 20}
            y.write_config()
            with y:
                with H2Client(y) as c:
                    self.assertEqual(c.get("/x", headers=[(f"x-{i}", "y") for i in range(30)]).status, 431)
                    self.assertEqual(c.get("/x", headers=[("x", "y" * 9000)]).status, 431)
                    # Small on the wire, large when decoded: each repetition is one byte of HPACK.
                    self.assertEqual(c.get("/x", headers=[("x", "y" * 3000)] * 4).status, 431)
                    self.assertEqual(c.get("/x", headers=[("cookie", "a" * 1000)] * 9).status, 431)
                    self.assertEqual(c.get("/x").status, 200)
                    answer = c.get("/x", headers=[("x", "y" * 3000)] * 40)
                    self.assertTrue(c.closed or c.goaway == 11, vars(answer))

    def test_websocket_by_connect_needs_a_route_that_allows_upgrades(self):
        with Service(echo) as s, Yett(s.address, rules=OPEN) as y, H2Client(y) as c:
            stream = c.request(pseudo=[(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "localhost"), (":path", "/ws")],
                               headers=[("sec-websocket-version", "13")], end=False)
            answer = c.wait(stream)
            self.assertTrue(answer.status == 501 or answer.reset is not None, vars(answer))
            self.assertFalse(c.extended_connect)


class Flow(unittest.TestCase):
    def test_clients_and_services_that_do_not_read_use_no_memory(self):
        size = int(os.environ.get("YETT_TEST_BODY") or 256 << 20)

        def pour(connection):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
            block = b"x" * 65536
            for _ in range(size // 65536):
                connection.sendall(block)

        with Service(pour) as s, Yett(s.address, rules=OPEN, workers=1) as y, H2Client(y) as c:
            before = y.rss_mib()
            streams = [c.request(f"/{i}") for i in range(20)]
            time.sleep(2)
            self.assertLess(y.rss_mib() - before, 40 if SLOW == 1 else 1000)
            for stream in streams[1:]:
                c.h2.reset_stream(stream)
            c.flush()
            self.assertEqual(len(c.wait(streams[0], 120).body), size)
            self.assertLess(y.rss_mib() - before, 40 if SLOW == 1 else 1000)

        def dam(connection):
            read_head(connection)
            time.sleep(2 * SLOW)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        with Service(dam) as s, Yett(s.address, rules=OPEN, workers=1) as y, H2Client(y) as c:
            before = y.rss_mib()
            streams = [c.request("/up", method="POST", end=False) for _ in range(8)]
            sent = 0
            until = time.monotonic() + 1.2 * SLOW
            c.sock.settimeout(0.05)
            while time.monotonic() < until:
                for stream in streams:
                    room = min(c.h2.local_flow_control_window(stream), 16384)
                    if room > 0:
                        c.h2.send_data(stream, b"x" * room)
                        sent += room
                        c.flush()
                try:
                    c.read()
                except TimeoutError:
                    pass
            self.assertLess(sent, 120 << 20)  # flow control windows and kernel socket buffers
            self.assertLess(y.rss_mib() - before, 30 if SLOW == 1 else 1000)

    def test_both_directions_at_once(self):
        """Each piece is sent after the reply to the one before."""
        pieces = []

        def talk(connection):
            got = read_head(connection)
            data = got[1]
            connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                while b"\n" in data:
                    line, data = data.split(b"\n", 1)
                    if line.startswith(b"piece"):
                        pieces.append(line)
                        answer = b"got " + line.strip() + b"\n"
                        connection.sendall(b"%x\r\n%s\r\n" % (len(answer), answer))
                if data.startswith(b"0\r") or b"0\r\n\r\n" in data:
                    return connection.sendall(b"0\r\n\r\n")
                data += connection.recv(65536)

        with Service(talk) as s, Yett(s.address, rules=OPEN) as y, H2Client(y) as c:
            stream = c.request("/talk", method="POST", end=False)
            answer = c.answers[stream]
            for i in range(50):
                c.send(stream, b"piece %d\n" % i)
                while b"got piece %d\n" % i not in answer.body:
                    self.assertTrue(c.read())
            self.assertEqual(len(pieces), 50)

    def test_drain_sends_goaway_and_lets_streams_end(self):
        release = threading.Event()

        def slow(connection):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab")
            release.wait(20)
            connection.sendall(b"cde")

        with Service(slow) as s, Yett(s.address, rules=OPEN) as y, H2Client(y) as c:
            stream = c.request("/slow")
            while c.answers[stream].body != b"ab":
                c.read()
            y.process.send_signal(signal.SIGTERM)
            while c.goaway is None:
                self.assertTrue(c.read())
            self.assertEqual(c.goaway, 0)
            release.set()
            self.assertEqual(c.wait(stream).body, b"abcde")
            while c.read():
                pass
            y.process.wait(20 * SLOW)

    def test_idle_connections_and_incomplete_heads_time_out(self):
        with Service(echo) as s:
            y = Yett(s.address, rules=OPEN)
            y.listener["timeouts"] = {"idle": "400ms", "request_head": "400ms"}
            y.write_config()
            with y:
                with H2Client(y) as c:
                    self.assertEqual(c.get("/x").status, 200)
                    while c.read():
                        pass
                    self.assertEqual(c.goaway, 0)
                with H2Client(y) as c:
                    self.assertEqual(c.get("/x").status, 200)
                    c.raw(frame(HEADERS, 0, 3, b"\x82"))  # no END_HEADERS, and nothing follows
                    while c.read():
                        pass
                    self.assertEqual(c.goaway, 11)


class Upstreams(unittest.TestCase):
    def test_nginx_over_http2(self):
        up = Nginx()
        blob = os.urandom(2_000_000)
        (up.dir / "www/blob").write_bytes(blob)
        y = Yett(up.http2_address, rules=OPEN, workers=1)
        y.config["clusters"][0]["protocol"] = "http2"
        y.write_config()
        with up, y:
            self.assertEqual(y.get("/blob")[2], blob)
            self.assertEqual(y.curl("/blob", "--http2").stdout, blob)
            with H2Client(y) as c:
                streams = [c.request("/hello") for _ in range(90)]
                self.assertEqual({bytes(c.wait(stream).body) for stream in streams}, {b"hello\n"})

    def test_requests_share_one_connection_and_refused_ones_are_retried(self):
        refuse = [3]

        def early(connection, stream, headers):
            if refuse[0] > 0:
                refuse[0] -= 1
                connection.reset_stream(stream, 7)  # REFUSED_STREAM

        def handle(connection, stream, headers, body):
            try:
                echo_body(connection, stream, headers, body)
            except h2.exceptions.ProtocolError:
                pass  # refused

        with H2Service(handle, early) as s:
            y = Yett(s.address, rules=OPEN, workers=1)
            y.config["clusters"][0]["protocol"] = "http2"
            y.write_config()
            with y, H2Client(y) as c:
                statuses = []
                for _ in range(3):
                    statuses.append(c.get("/x", method="POST", body=b"").status)
                self.assertEqual(statuses.count(200), 3 - statuses.count(502))
                self.assertIn(200, statuses)
                streams = [c.request("/y") for _ in range(50)]
                self.assertEqual({c.wait(stream).status for stream in streams}, {200})
                self.assertLess(s.connections, 6)

    def test_an_upstream_that_violates_http2_or_goes_away_is_502(self):
        def handle(connection, stream, headers, body):
            path = dict(headers)[":path"]
            if path == "/reset":
                return connection.reset_stream(stream, 2)
            if path == "/goaway":
                connection.close_connection()
                connection.sock.sendall(connection.data_to_send())
                return connection.sock.shutdown(socket.SHUT_RDWR)
            if path == "/garbage":
                return connection.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
            bad = {"/status": [(":status", "abc")], "/upper": [(":status", "200"), ("X-Up", "1")], "/connection": [(":status", "200"), ("connection", "close")],
                   "/crlf": [(":status", "200"), ("x", "a\r\nset-cookie: b")], "/lengths": [(":status", "200"), ("content-length", "1"), ("content-length", "2")]}
            return connection.send_headers(stream, bad.get(path, [(":status", "200")]), end_stream=True)

        with H2Service(handle) as s:
            y = Yett(s.address, rules=OPEN, workers=1)
            y.config["clusters"][0]["protocol"] = "http2"
            y.write_config()
            with y:
                for path in ("/reset", "/status", "/upper", "/connection", "/crlf", "/lengths", "/garbage", "/goaway"):
                    status, headers, _ = y.get(path, method="POST", body=b"x")
                    self.assertEqual(status, 502, path)
                    self.assertNotIn("set-cookie", headers)
                    self.assertEqual(y.get("/fine")[0], 200, path)

    def test_auto_uses_the_protocol_of_the_caller(self):
        seen = []

        def service(connection):
            first = connection.recv(65536)
            seen.append("http2" if first.startswith(PREFACE[:14]) else "http1")
            if seen[-1] == "http1":
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

        with Service(service) as s:
            y = Yett(s.address, rules=OPEN, workers=1)
            y.config["clusters"][0]["protocol"] = "auto"
            y.write_config()
            with y:
                self.assertEqual(y.get("/x")[0], 200)
                with H2Client(y) as c:
                    self.assertEqual(c.get("/x").status, 503)  # no settings came: nothing was sent
                self.assertEqual(seen[:2], ["http1", "http2"])
                time.sleep(0.2 * SLOW)
                self.assertIn("closed before its HTTP/2 settings came", y.access_log()[-1]["detail"])


class Floods(unittest.TestCase):
    """Floods of cheap frames: the connection is closed, others are not affected, memory stays bounded."""

    def attacks(self):
        opened = PREFACE + frame(SETTINGS)
        request = b"\x82\x87\x84\x41\x09localhost"

        def rapid_reset(send):
            stream = 1
            while send(b"".join(frame(HEADERS, 5, s, request) + frame(RST_STREAM, 0, s, struct.pack(">I", 8)) for s in range(stream, stream + 200, 2))):
                stream += 200

        def made_you_reset(send):
            stream = 1
            while send(b"".join(frame(HEADERS, 4, s, request) + frame(WINDOW_UPDATE, 0, s, struct.pack(">I", 0)) for s in range(stream, stream + 200, 2))):
                stream += 200

        def repeat(piece):
            def attack(send):
                while send(piece * 100):
                    pass
            return attack

        def after_request(piece):
            def attack(send):
                if send(frame(HEADERS, 4, 1, request)):
                    while send(piece * 100):
                        pass
            return attack

        def continuation(send):
            if send(frame(HEADERS, 1, 1, request)):
                while send(frame(CONTINUATION, 0, 1, b"\x00\x01a\x7f" + b"\x00" + b"b" * 127) * 100):
                    pass

        def header_bomb(send):
            # One entry of 3,900 bytes in the dynamic table, then references of one byte each.
            big = b"\x40\x01x\x7f" + bytes([0x80 | ((3900 - 127) & 127), (3900 - 127) >> 7]) + b"y" * 3900
            stream = 1
            while send(frame(HEADERS, 5, stream, request + (big if stream == 1 else b"") + b"\xbe" * 12_000)):
                stream += 2

        return {
            "rapid reset": rapid_reset,
            "made you reset": made_you_reset,
            "SETTINGS": repeat(frame(SETTINGS)),
            "PING": repeat(frame(PING, 0, 0, b"12345678")),
            "empty DATA": after_request(frame(DATA, 0, 1)),
            "padded DATA": after_request(frame(DATA, 8, 1, b"\xff" + b"\0" * 255)),
            "PRIORITY": repeat(frame(PRIORITY, 0, 1, b"\0\0\0\0\x10")),
            "WINDOW_UPDATE": repeat(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))),
            "unknown frames": repeat(frame(200, 0, 0)),
            "CONTINUATION": continuation,
            "header bomb": header_bomb,
        }, opened

    def test_floods(self):
        attacks, opened = self.attacks()
        with Nginx() as up:
            y = Yett(up.address, rules='policy "p" { allow "all" { principal = anyone } }', workers=1).plaintext()
            with y:
                quiet = statistics.median(hello_times(y, 1))
                for name, attack in attacks.items():
                    before = y.rss_mib()
                    stop = threading.Event()
                    ended = []

                    def flood():
                        while not stop.is_set():
                            sock = y.raw()
                            drain = threading.Thread(target=self.read_all, args=(sock,), daemon=True)
                            drain.start()
                            end = time.monotonic() + 20 * SLOW

                            def send(data):
                                try:
                                    sock.sendall(data)
                                    return not stop.is_set() and time.monotonic() < end
                                except OSError:
                                    ended.append(1)
                                    return False

                            if send(opened):
                                attack(send)
                            sock.close()
                            time.sleep(0.05)

                    attacker = threading.Thread(target=flood, daemon=True)
                    attacker.start()
                    loud = statistics.median(hello_times(y, 1.5))
                    stop.set()
                    attacker.join(30)
                    grown = y.rss_mib() - before
                    print(f"  {name}: {len(ended)} connections ended, others' median {loud * 1e6:.0f} us ({loud / quiet:.1f} times the idle {quiet * 1e6:.0f} us), memory +{grown:.0f} MiB")
                    self.assertGreater(len(ended), 0, name)
                    if SLOW == 1:  # sanitizers keep freed memory for a while
                        self.assertLess(grown, 60, name)
                self.assertIsNone(y.process.poll())
                wait_for("events", lambda: "bad connection" in self.events(y))

    def events(self, y):
        import sqlite3
        with sqlite3.connect(f"file:{y.dir}/yett.db?mode=ro", uri=True) as db:
            return str(db.execute("select * from events").fetchall())

    def read_all(self, sock):
        try:
            while sock.recv(65536):
                pass
        except OSError:
            pass


if __name__ == "__main__":
    unittest.main()
