"""Proxying: bodies of any size in both directions, and every way in which an upstream or a client can fail."""
import hashlib
import os
import socket
import ssl
import struct
import threading
import time
import unittest

import harness
from harness import SLOW, Nginx, Service, Yett, free_port, wait_for

BLOCK = hashlib.sha256(b"yett").digest() * 2048  # 64 KiB
SIZE = int(os.environ.get("YETT_TEST_BODY") or 1 << 30)


def sink_and_source(connection):
    """PUT: answers with the SHA-256 and the size of the body. GET /cl, /chunked: answers with SIZE bytes."""
    got = harness.read_head(connection)
    if got is None:
        return
    head, rest = got
    lower = head.lower()
    if head.startswith("GET"):
        chunked = "/chunked" in head.split(" ")[1]
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % SIZE))
        for _ in range(SIZE // len(BLOCK)):
            connection.sendall((b"%x\r\n" % len(BLOCK) + BLOCK + b"\r\n") if chunked else BLOCK)
        if chunked:
            connection.sendall(b"0\r\nX-Trailer: yes\r\n\r\n")
        return
    digest, size = hashlib.sha256(), 0
    reader = connection.makefile("rb", 1 << 20)
    if "transfer-encoding: chunked" in lower:
        buffered = Prefixed(rest, reader)
        while True:
            n = int(buffered.line(), 16)
            if n == 0:
                buffered.line()
                break
            data = buffered.read(n)
            digest.update(data)
            size += n
            buffered.read(2)
    else:
        length = next(int(line.split(":")[1]) for line in lower.split("\r\n") if line.startswith("content-length:"))
        buffered = Prefixed(rest, reader)
        while size < length:
            data = buffered.read(min(1 << 20, length - size))
            digest.update(data)
            size += len(data)
    body = f"{digest.hexdigest()} {size}".encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


class Prefixed:
    def __init__(self, rest, reader):
        self.rest, self.reader = rest, reader

    def line(self):
        if b"\n" in self.rest:
            line, self.rest = self.rest.split(b"\n", 1)
            return line
        line, self.rest = self.rest + self.reader.readline(), b""
        return line

    def read(self, n):
        data, self.rest = self.rest[:n], self.rest[n:]
        while len(data) < n:
            piece = self.reader.read(n - len(data))
            if not piece:
                raise OSError("cut")
            data += piece
        return data


def expected():
    digest = hashlib.sha256()
    for _ in range(SIZE // len(BLOCK)):
        digest.update(BLOCK)
    return digest.hexdigest()


class Streaming(unittest.TestCase):
    def test_a_large_body_up_and_down_with_length_and_chunked_within_64_mib(self):
        want = expected()
        with Service(sink_and_source) as service, Yett(service.address) as y:
            for path in ("/cl", "/chunked"):
                connection = y.connect(timeout=120)
                connection.request("GET", path)
                response = connection.getresponse()
                digest, size = hashlib.sha256(), 0
                while data := response.read(1 << 20):
                    digest.update(data)
                    size += len(data)
                self.assertEqual((digest.hexdigest(), size), (want, SIZE), path)
                connection.close()
            for chunked in (False, True):
                connection = y.connect(timeout=120)
                blocks = (BLOCK for _ in range(SIZE // len(BLOCK)))
                headers = {} if chunked else {"Content-Length": str(SIZE)}
                connection.request("PUT", "/up", body=blocks, headers=headers, encode_chunked=chunked)
                self.assertEqual(connection.getresponse().read().decode(), f"{want} {SIZE}")
                connection.close()
            if SLOW == 1:
                print(f"  {SIZE >> 20} MiB each way, twice: {y.rss_mib():.1f} MiB resident")
                self.assertLess(y.rss_mib(), 64)

    def test_a_slow_reader_does_not_slow_others(self):
        with Service(sink_and_source) as service, Nginx() as nginx:
            y = Yett(service.address, workers=1)
            y.config["clusters"].append({"name": "nginx", "endpoints": [nginx.address]})
            y.listener["routes"].insert(0, {"path": "/hello", "cluster": "nginx"})
            y.write_config()
            with y:
                slow = y.raw_tls()
                slow.sendall(b"GET /cl HTTP/1.1\r\nHost: localhost\r\n\r\n")
                slow.recv(1000)
                time.sleep(0.3)
                before = y.rss_mib()
                times = []
                for _ in range(50):
                    began = time.monotonic()
                    self.assertEqual(y.get("/hello")[0], 200)
                    times.append(time.monotonic() - began)
                self.assertLess(sorted(times)[45], 0.25 * SLOW)
                if SLOW == 1:
                    self.assertLess(y.rss_mib(), before + 16)
                slow.close()

    def test_endpoints_take_turns_even_if_connections_are_kept_alive(self):
        """A kept connection was reused whatever its endpoint: one of two endpoints got all requests of a quiet caller."""
        with Nginx() as one, Nginx() as two:
            for up, name in ((one, "one"), (two, "two")):
                (up.dir / "www/name").write_text(name)
            for protocol in ("http1", "http2"):
                y = Yett(one.address, workers=1)
                second = protocol == "http2"
                y.config["clusters"][0].update(protocol=protocol, balance="round_robin", endpoints=[u.http2_address if second else u.address for u in (one, two)])
                y.write_config()
                with y:
                    connection = y.connect()
                    answers = []
                    for _ in range(20):
                        connection.request("GET", "/name")
                        answers.append(connection.getresponse().read())
                    self.assertEqual(answers.count(b"one"), 10, (protocol, answers))

    def test_an_endpoint_that_refuses_connections_is_skipped_for_a_while(self):
        with Nginx() as up:
            y = Yett(up.address, workers=1)
            y.config["clusters"][0]["endpoints"] = [f"127.0.0.1:{free_port()}", up.address]
            y.write_config()
            with y:
                connection = y.connect()
                for _ in range(20):
                    connection.request("GET", "/hello")
                    response = connection.getresponse()
                    self.assertEqual((response.status, response.read()), (200, b"hello\n"))

    def test_trailers_interim_responses_and_head_requests(self):
        def service(connection):
            head, rest = harness.read_head(connection)
            if "100-continue" in head.lower():
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                while len(rest) < 3:
                    rest += connection.recv(100)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + rest)
            elif head.startswith("HEAD"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            elif "/early" in head:
                connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n")
            else:
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        with Service(service) as s:
            y = Yett(s.address, rules='policy "p" { allow "all" { principal = anyone } }').plaintext()
            with y:
                def talk(request, then=b""):
                    with y.raw() as c:
                        c.sendall(request)
                        out = b""
                        if then:
                            out += c.recv(1000)
                            c.sendall(then)
                        c.settimeout(0.7 * SLOW)
                        try:
                            while data := c.recv(65536):
                                out += data
                        except (TimeoutError, socket.timeout):
                            pass
                        return out.decode()

                out = talk(b"PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", b"abc")
                self.assertTrue(out.startswith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), out)
                self.assertTrue(out.endswith("\r\n\r\nabc"), out)
                out = talk(b"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n")
                self.assertIn("content-length: 1000\r\n", out)
                self.assertTrue(out.endswith("\r\n\r\n"))
                out = talk(b"GET /early HTTP/1.1\r\nHost: h\r\n\r\n")
                self.assertIn("103", out)
                self.assertIn("0\r\nx-t: 1\r\n\r\n", out)
                out = talk(b"GET /early HTTP/1.0\r\nHost: h\r\n\r\n")
                self.assertNotIn("103", out)
                self.assertNotIn("chunked", out)
                self.assertTrue(out.endswith("\r\n\r\na"), out)
                out = talk(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
                self.assertTrue(out.startswith("HTTP/1.1 204 No Content\r\n"))


class Failures(unittest.TestCase):
    def test_an_unreachable_upstream_is_503_a_slow_one_504_a_broken_one_502(self):
        def service(connection):
            head, _ = harness.read_head(connection)
            if "/slow" in head:
                time.sleep(3)
            elif "/garbage" in head:
                connection.sendall(b"HELLO\r\n\r\n")
            elif "/both" in head:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            elif "/huge" in head:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n")

        with Service(service) as s:
            y = Yett(s.address)
            y.config["clusters"].append({"name": "absent", "endpoints": [f"127.0.0.1:{free_port()}"]})
            y.listener["routes"] = [{"path": "/absent", "cluster": "absent"}, {"path": "/**", "cluster": "app", "response_timeout": "300ms"}]
            y.write_config()
            with y:
                for path, status, cause in (("/absent", 503, "no upstream"), ("/slow", 504, "upstream timeout"), ("/garbage", 502, "malformed response"), ("/both", 502, "malformed response"),
                                            ("/huge", 502, "response head too large"), ("/closed", 502, "upstream closed")):
                    got, headers, body = y.get(path)
                    self.assertEqual(got, status, path)
                    self.assertEqual(headers["content-type"], "application/problem+json")
                    self.assertIn(headers["x-yett-decision-id"], body.decode())
                    wait_for("the access log", lambda p=path: [line for line in y.access_log() if line["path"] == p])
                    line = [line for line in y.access_log() if line["path"] == path][0]
                    self.assertEqual((line["status"], line["cause"]), (status, cause))
                wait_for("outcomes", lambda: all("outcome" in d for d in y.query()))
                self.assertEqual([d["outcome"]["status"] for d in y.query()], [503, 504, 502, 502, 502, 502])

    def test_a_response_cut_in_the_middle_never_looks_complete(self):
        def service(connection):
            head, _ = harness.read_head(connection)
            framing = {"/cl": b"Content-Length: 1000\r\n\r\nabc", "/chunked": b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "/partial": b"Transfer-Encoding: chunked\r\n\r\n1"}[head.split(" ")[1]]
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing)
            time.sleep(0.1)

        def until_close_reset(connection):
            harness.read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nabc")
            time.sleep(0.2)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        with Service(service) as s, Yett(s.address) as y:
            for path in ("/cl", "/chunked", "/partial"):
                done = y.curl(path)
                self.assertNotEqual(done.returncode, 0, path)
                with y.context().wrap_socket(y.raw(), server_hostname="localhost", suppress_ragged_eofs=False) as c:
                    c.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                    with self.assertRaises((ConnectionError, ssl.SSLError, OSError)):
                        while c.recv(65536):
                            pass
            wait_for("outcomes", lambda: all("outcome" in d for d in y.query()))
            self.assertEqual({d["outcome"]["result"] for d in y.query()}, {"upstream closed"})
        with Service(until_close_reset) as s, Yett(s.address) as y:
            self.assertNotEqual(y.curl("/x").returncode, 0)

    def test_a_request_on_a_dead_kept_alive_connection_is_retried_only_if_that_is_safe(self):
        seen = []

        def service(connection):
            head, rest = harness.read_head(connection)
            seen.append(head.split(" ")[0])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            got = harness.read_head(connection)  # the next request arrives while the connection closes
            if got:
                seen.append("dropped " + got[0].split(" ")[0])

        with Service(service) as s, Yett(s.address, workers=1) as y:
            self.assertEqual(y.get("/a")[0], 200)
            self.assertEqual(y.get("/b")[0], 200)
            self.assertEqual(y.get("/c", method="POST", body=b"x")[0], 502)
            self.assertEqual(seen, ["GET", "dropped GET", "GET", "dropped POST"])

    def test_clients_that_disconnect_or_stall_leave_nothing_behind(self):
        with Service(sink_and_source) as s:
            y = Yett(s.address, rules='policy "p" { allow "all" { principal = anyone, path = "/cl" }, deny "d" { path = "/d" } }').plaintext()
            y.listener["timeouts"] = {"request_head": "300ms", "idle": "600ms", "body": "400ms"}
            y.write_config()
            with y:
                # Each stops at another stage; all must be closed soon, without a busy loop.
                for request in (b"", b"G", b"GET /cl HTTP/1.1\r\n", b"GET /cl HTTP/1.1\r\nHost: h\r\n\r\n", b"PUT /cl HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nab",
                                b"POST /d HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nab", b"PUT /cl HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"):
                    held = y.raw()
                    held.sendall(request)
                    closed = y.raw()
                    closed.sendall(request)
                    closed.close()
                    threading.Timer(2 * SLOW, held.close).start()
                wait_for("all connections to end", lambda: 'yett_connections{listener="inbound"} 0' in y.admin("/metrics")[1], 8)

                before = y.cpu_ticks()
                time.sleep(1)
                self.assertLess(y.cpu_ticks() - before, 20, "busy without a connection")

    def test_a_client_that_sends_requests_and_does_not_read_uses_no_memory(self):
        """An attacker pipelined denied requests without reading: 748 MiB in 12 seconds."""
        with Yett("127.0.0.1:1", rules='policy "p" { deny "all" {} }').plaintext() as y:
            c = y.raw()
            c.setblocking(False)
            end = time.monotonic() + 2
            sent = 0
            while time.monotonic() < end and sent < 50_000_000:
                try:
                    sent += c.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 1000)
                except BlockingIOError:
                    time.sleep(0.01)
            if SLOW == 1:
                self.assertLess(y.rss_mib(), 40)
            c.close()

    def test_a_client_that_resets_while_its_request_waits_leaves_no_busy_loop(self):
        """A half-close or a pipelined request, then a reset: the poller reported HUP forever."""
        def slow(connection):
            harness.read_head(connection)
            time.sleep(2.5)

        with Service(slow) as s, Yett(s.address, rules='policy "p" { allow "all" { principal = anyone } }').plaintext() as y:
            for half_close in (True, False):
                c = y.raw()
                c.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n" + (b"" if half_close else b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n"))
                if half_close:
                    c.shutdown(socket.SHUT_WR)
                time.sleep(0.2)
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                c.close()
            before = y.cpu_ticks()
            time.sleep(1)
            self.assertLess(y.cpu_ticks() - before, 30)

    def test_half_a_tls_record_leaves_no_busy_loop(self):
        """OpenSSL reports pending input while it waits for the rest of a record."""
        with Yett("127.0.0.1:1") as y:
            sock = y.raw()
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = y.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    incoming.write(sock.recv(65536))
            tls.write(b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n")
            record = outgoing.read()
            sock.sendall(record[:-20])
            time.sleep(0.2)
            before = y.cpu_ticks()
            time.sleep(1)
            self.assertLess(y.cpu_ticks() - before, 30)
            sock.sendall(record[-20:])
            incoming.write(sock.recv(65536))
            while True:
                try:
                    self.assertIn(b"403 Forbidden", tls.read(4096))
                    break
                except ssl.SSLWantReadError:
                    incoming.write(sock.recv(65536))
            sock.close()

    def test_an_upstream_connection_that_opens_too_late_is_not_used(self):
        """The upstream accepted after the exchange had answered 504, and got a request without a permit."""
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for f in fillers:
            f.setblocking(False)
            f.connect_ex(full.getsockname())
        y = Yett("127.0.0.1:%d" % full.getsockname()[1], workers=1)
        y.config["clusters"][0]["connect_timeout"] = "8s"
        y.listener["routes"][0]["response_timeout"] = "300ms"
        y.write_config()
        with y:
            self.assertEqual(y.get("/late")[0], 504)
            for _ in range(3):
                self.assertEqual(y.get("/admin/x")[0], 403)
            received, end = b"", time.monotonic() + 5
            full.settimeout(0.5)
            while time.monotonic() < end:  # once there is room in the backlog, the kernel's retry connects
                try:
                    connection, _ = full.accept()
                    connection.settimeout(0.3)
                    received += connection.recv(1000)
                except (TimeoutError, socket.timeout):
                    continue
            self.assertEqual(received, b"")
            self.assertEqual(y.get("/admin/x")[0], 403)
        for s in (full, *fillers):
            s.close()

    def test_a_slow_client_does_not_spoil_the_upstream_connection_for_the_next(self):
        """The last piece of a response paused the connection, which then returned to the pool paused."""
        body = b"x" * 8_000_000

        def service(connection):
            while harness.read_head(connection):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        with Service(service) as s, Yett(s.address, workers=1, rules='policy "p" { allow "all" { principal = anyone } }').plaintext() as y:
            for _ in range(4):
                slow = socket.socket()
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect(("127.0.0.1", y.port))
                slow.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                while slow.recv(65536):
                    time.sleep(0.0005)
                slow.close()
                fast = y.raw(5)
                fast.sendall(b"GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                data = b""
                while piece := fast.recv(65536):
                    data += piece
                self.assertTrue(data.endswith(body))
                fast.close()

    def test_the_last_response_arrives_complete_however_late_it_is_read(self):
        """A close one second after the last write discarded data that the kernel had not sent yet."""
        body = b"y" * 1_000_000

        def service(connection):
            harness.read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        with Service(service) as s, Yett(s.address) as y:
            c = y.raw_tls()
            c.sendall(b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            time.sleep(2.5)
            data = b""
            while piece := c.recv(65536):
                data += piece
            self.assertEqual(len(data.split(b"\r\n\r\n", 1)[1]), len(body))

    def test_unix_sockets_and_ipv6_on_both_sides(self):
        rules = 'policy "p" { allow "local" { principal = anyone, path = "/hello", when = function(r) return not has(r.source, "ip") or r.source.ip == "::1" end } }'
        y = Yett("127.0.0.1:1", rules=rules)
        path = y.dir / "up.sock"
        up = socket.socket(socket.AF_UNIX)
        up.bind(str(path))
        up.listen(16)

        def serve():
            while True:
                try:
                    connection, _ = up.accept()
                except OSError:
                    return
                threading.Thread(target=harness.echo, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        listener = {"plaintext": True, "routes": [{"path": "/**", "cluster": "app"}]}
        y.config["listeners"] = [{"name": "unix", "address": f"unix://{y.dir}/in.sock", **listener}, {"name": "six", "address": "[::1]:0", **listener}]
        y.config["clusters"] = [{"name": "app", "endpoints": [f"unix://{path}"]}]
        y.write_config()
        with socket.socket(socket.AF_UNIX) as stale:  # a stale socket without a listener: it is replaced
            stale.bind(str(y.dir / "in.sock"))
        with y:
            for _ in range(2):
                c = socket.socket(socket.AF_UNIX)
                c.connect(str(y.dir / "in.sock"))
                six = socket.create_connection(("::1", y.ports["six"]))
                for s in (c, six):
                    s.sendall(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                    self.assertIn(b"200 OK", s.recv(4096))
                    s.close()
            self.assertEqual([d["listener"] for d in y.query("--effect", "allow")], ["unix", "six"] * 2)
        self.assertFalse((y.dir / "in.sock").exists())
        up.close()

    def test_limits_answer_and_close(self):
        y = Yett("127.0.0.1:1").plaintext()
        y.listener["limits"] = {"head": "2KiB", "headers": 10, "body": "1KiB"}
        y.write_config()
        with y:
            for request, status in ((b"GET /" + b"a" * 4000, 414), (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 4000, 431), (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a: b\r\n" * 10 + b"\r\n", 431),
                                    (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n", 413), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET /..%2f..;/x HTTP/1.1\r\nHost: h\r\n\r\n", 403),
                                    (b"GET /a/..;/x HTTP/1.1\r\nHost: h\r\n\r\n", 400)):
                with y.raw() as c:
                    c.sendall(request)
                    self.assertIn(f"HTTP/1.1 {status} ", c.recv(4096).decode(), request[:40])
            wait_for("bad requests in the log", lambda: any(e["event"] == "bad request" for e in y.query("--events")))

    def test_more_connections_than_the_limit_wait_and_are_served_later(self):
        with Nginx() as nginx:
            y = Yett(nginx.address, rules='policy "p" { allow "all" { principal = anyone } }', max_connections=4).plaintext()
            with y:
                first = [y.raw() for _ in range(4)]
                time.sleep(0.2)
                late = y.raw()
                late.sendall(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                late.settimeout(0.3)
                with self.assertRaises((TimeoutError, socket.timeout)):
                    late.recv(100)
                first[0].close()
                late.settimeout(5 * SLOW)
                self.assertIn(b"200 OK", late.recv(1000))
                for c in first[1:] + [late]:
                    c.close()


if __name__ == "__main__":
    unittest.main()
