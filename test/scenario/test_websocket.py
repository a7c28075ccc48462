"""WebSocket through the real program: RFC 6455 over HTTP/1.1, RFC 8441 over HTTP/2, and peers that violate them."""
import asyncio
import base64
import contextlib
import hashlib
import logging
import os
import random
import resource
import socket
import struct
import threading
import time
import unittest

import websockets

from h2_peer import DATA, RST_STREAM, H2Client, H2Service, frame
from harness import SLOW, Service, Yett, read_head, wait_for

logging.getLogger("websockets").setLevel(logging.CRITICAL)  # cut connections are part of the tests

RULES = """
policy "p" {
  allow "socket" { principal = authenticated, method = "GET", path = "/ws/**" },
  allow "plain"  { principal = authenticated, path = "/plain/**" },
  allow "half"   { principal = authenticated, path = "/half/**", when = function(r) return r.header["x-go"] == "1" end },
  deny  "closed" { path = "/ws/admin/**", header = { upgrade = "websocket" }, public_reason = "no sockets here" },
}
"""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def handshake(path="/ws/x", version="13", key=KEY, upgrade="websocket", connection="Upgrade", extra="", method="GET"):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    for name, value in (("Upgrade", upgrade), ("Connection", connection), ("Sec-WebSocket-Version", version), ("Sec-WebSocket-Key", key)):
        if value is not None:
            lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n" + extra + "\r\n").encode()


def header(head, name):
    return next((line.split(":", 1)[1].strip() for line in head.split("\r\n") if line.lower().startswith(name + ":")), None)


def tunnel(after=lambda connection, data: None, answer=None):
    """A service that accepts a WebSocket and then passes the raw connection to `after`."""
    def handle(connection):
        got = read_head(connection)
        if not got:
            return
        key = header(got[0], "sec-websocket-key") or ""
        connection.sendall((answer or "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").format(accept=accept_of(key)).encode())
        after(connection, got[1])
    return handle


def echo_bytes(connection, data):
    while True:
        if data:
            connection.sendall(data)
        data = connection.recv(65536)
        if not data:
            connection.shutdown(socket.SHUT_WR)
            return


class EchoServer:
    """An echo server with the websockets package, in its own thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        started = threading.Event()

        async def echo(ws, path=None):
            async for message in ws:
                await ws.send(message)

        async def main():
            server = await websockets.serve(echo, "127.0.0.1", 0, max_size=None, ping_interval=None, subprotocols=["chat"])
            self.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
            started.set()

        def run():
            asyncio.set_event_loop(self.loop)
            self.loop.create_task(main())
            self.loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        assert started.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)


def yett(address, rules=RULES, **changes):
    y = Yett(address, rules=rules, shutdown={"drain_timeout": "1s"}, **changes)
    y.listener["routes"] = [{"path": "/ws/**", "cluster": "app", "upgrades": ["websocket"]}, {"path": "/half/**", "cluster": "app", "upgrades": ["websocket"]}, {"path": "/**", "cluster": "app"}]
    y.write_config()
    return y


def opened(y, path="/ws/x", extra="", **more):
    s = y.raw_tls()
    s.sendall(handshake(path, extra=extra, **more))
    head, rest = read_head(s)
    return s, head, rest


class WebSocket(unittest.TestCase):
    def test_frames_of_all_kinds_and_sizes_come_back_unchanged(self):
        with EchoServer() as server, yett(server.address) as y:
            async def talk():
                rng = random.Random(6455)
                async with websockets.connect(f"wss://localhost:{y.port}/ws/echo", ssl=y.context(), max_size=None, ping_interval=None, subprotocols=["chat"]) as ws:
                    self.assertEqual(ws.subprotocol, "chat")
                    for size in (0, 1, 125, 126, 127, 65535, 65536, 65537, 1_000_000, 9_000_000):
                        data = rng.randbytes(size)
                        await ws.send(data)
                        self.assertEqual(await ws.recv(), data, size)
                    await ws.send("häłło 😈")
                    self.assertEqual(await ws.recv(), "häłło 😈")
                    await ws.send([b"in ", b"three ", b"fragments"])
                    self.assertEqual(await ws.recv(), b"in three fragments")
                    await (await ws.ping(b"are you there"))
                    await ws.close(1000, "bye")
                    self.assertEqual(ws.close_code, 1000)
            asyncio.run(asyncio.wait_for(talk(), 60 * SLOW))
            wait_for("the log", lambda: y.access_log())
            line = y.access_log()[0]
            self.assertEqual((line["status"], line["result"]), (101, "complete"))
            self.assertGreater(line["bytes_in"], 10_000_000)

    def test_policy_decides_the_handshake(self):
        with Service(tunnel(echo_bytes)) as s, yett(s.address) as y:
            for path, status in (("/ws/x", "101"), ("/ws/admin/x", "403"), ("/other", "403")):
                connection, head, _ = opened(y, path)
                self.assertIn(f" {status} ", head.split("\r\n")[0])
                connection.close()
            self.assertEqual(s.connections, 1)
            connection, head, _ = opened(y)
            self.assertEqual(header(head, "sec-websocket-accept"), accept_of(KEY))
            self.assertEqual(header(head, "upgrade"), "websocket")

    def test_nothing_is_forwarded_before_101(self):
        early = []

        def late(connection):
            got = read_head(connection)
            connection.settimeout(0.5)
            try:
                early.append(got[1] + connection.recv(100))
            except TimeoutError:
                early.append(got[1])
            connection.settimeout(None)
            connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_of(header(got[0], 'sec-websocket-key'))}\r\n\r\n".encode())
            echo_bytes(connection, b"")

        with Service(late) as s, yett(s.address) as y:
            connection = y.raw_tls()
            connection.sendall(handshake() + b"GET /ws/admin/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head, rest = read_head(connection)
            self.assertIn(" 101 ", head)
            while not rest.endswith(b"\r\n\r\n"):
                rest += connection.recv(65536)
            self.assertEqual(early, [b""])  # it was sent later, as bytes of the tunnel, after the service had accepted
            self.assertTrue(rest.startswith(b"GET /ws/admin/x"))

    def test_an_upstream_that_does_not_accept_gets_no_tunnel(self):
        """Upgrades that are refused, forged or of another kind; bytes after them are treated as an ordinary request."""
        smuggled = b"GET /ws/admin/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
        agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        answers = {
            agreed + "\r\n": 502,
            agreed + "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n": 502,
            agreed + "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n": 502,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n": 502,
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept}\r\n\r\n": 502,
            agreed + "Content-Length: 5\r\nSec-WebSocket-Accept: {accept}\r\n\r\n": 502,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok": 200,
            "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n": 426,
        }
        for answer, status in answers.items():
            received = []

            def after(connection, data):
                connection.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    while True:
                        received.append(data)
                        data = connection.recv(65536)
                        if not data:
                            return

            with Service(tunnel(after, answer)) as s, yett(s.address) as y:
                connection = y.raw_tls()
                connection.sendall(handshake() + smuggled)
                head, rest = read_head(connection)
                self.assertIn(f" {status} ", head.split("\r\n")[0], answer)
                time.sleep(0.2)
                self.assertNotIn(b"admin", b"".join(received), answer)
                connection.close()

    def test_invalid_handshakes(self):
        seen = []

        def service(connection):
            got = read_head(connection)
            while got:
                seen.append(got[0].lower())
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                got = read_head(connection)

        with Service(service) as s, yett(s.address) as y:
            for changes, status in (({"version": "8"}, 426), ({"version": None}, 400), ({"key": None}, 400), ({"key": "short"}, 400), ({"extra": f"Sec-WebSocket-Key: {KEY}\r\n"}, 400),
                                    ({"key": KEY[:-2] + "!="}, 400)):
                connection, head, _ = opened(y, **changes)
                self.assertIn(f" {status} ", head.split("\r\n")[0], changes)
                if status == 426:
                    self.assertEqual(header(head, "sec-websocket-version"), "13")
                connection.close()
            self.assertEqual(seen, [])
            # Not a valid upgrade, or not allowed by the route: an ordinary request, forwarded without Upgrade.
            for changes in ({"upgrade": "h2c"}, {"upgrade": "h2c", "extra": "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"}, {"connection": "keep-alive"}, {"connection": None}, {"upgrade": "websocket, h2c"}, {"extra": "Upgrade: h2c\r\n"},
                            {"path": "/plain/x"}, {"upgrade": "tls/1.2"}):
                connection, head, _ = opened(y, **changes)
                self.assertIn(" 200 ", head.split("\r\n")[0], changes)
                self.assertIsNone(header(seen[-1], "upgrade"), changes)
                self.assertIsNone(header(seen[-1], "http2-settings"), changes)
                self.assertIsNone(header(seen[-1], "connection"), changes)
                connection.close()
            connection = y.raw_tls()
            connection.sendall(handshake("/plain/x", method="POST", extra="Content-Length: 0\r\n"))
            self.assertIn(" 200 ", read_head(connection)[0])
            self.assertIsNone(header(seen[-1], "upgrade"))

    def test_half_closed_tunnels_and_their_ends(self):
        done = []

        def after(connection, data):
            while True:
                piece = connection.recv(65536)
                if not piece:
                    break
                data += piece
            connection.sendall(b"got %d" % len(data))  # after the client's half-close
            done.append(data)

        rules = RULES
        with Service(tunnel(after)) as s:
            y = yett(s.address, rules)
            y.listener.pop("tls")
            y.listener["plaintext"] = True
            y.write_rules('policy "p" { allow "all" { principal = anyone } }')
            y.write_config()
            with y:
                connection = y.raw()
                connection.sendall(handshake())
                head, rest = read_head(connection)
                self.assertIn(" 101 ", head)
                connection.sendall(b"x" * 300_000)
                connection.shutdown(socket.SHUT_WR)
                while True:
                    piece = connection.recv(65536)
                    if not piece:
                        break
                    rest += piece
                self.assertEqual(rest, b"got 300000")
                # A client that aborts: the service sees it.
                connection = y.raw()
                connection.sendall(handshake())
                read_head(connection)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
                wait_for("all connections to end", lambda: 'yett_connections{listener="inbound"} 0' in y.admin("/metrics")[1], 8)
                wait_for("the log", lambda: len(y.access_log()) == 2)
                self.assertEqual([line["result"] for line in y.access_log()], ["complete", "client closed"])

    def test_idle_and_lifetime_limits(self):
        with Service(tunnel(echo_bytes)) as s:
            for changes in ({"stream_idle": "400ms"}, {"lifetime": "400ms"}):
                y = yett(s.address)
                y.listener["timeouts"] = changes
                y.write_config()
                with y:
                    connection, head, _ = opened(y)
                    began = time.monotonic()
                    with contextlib.suppress(OSError):
                        while connection.recv(100):
                            pass
                    self.assertLess(time.monotonic() - began, 5 * SLOW)
                    wait_for("the log", lambda: y.access_log())
                    self.assertIn(y.access_log()[0]["cause"], ("upstream timeout", "lifetime over"))

    def test_over_http2(self):
        heads = []

        def keep(connection):
            got = read_head(connection)
            heads.append(got[0])
            connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_of(header(got[0], 'sec-websocket-key'))}\r\n\r\n".encode())
            echo_bytes(connection, got[1])

        def connect(c, path, headers=(("sec-websocket-version", "13"),)):
            return c.request(pseudo=[(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "localhost"), (":path", path)], headers=list(headers), end=False)

        with Service(keep) as s, yett(s.address) as y, H2Client(y) as c:
            c.get("/none")
            self.assertTrue(c.extended_connect)
            streams = [connect(c, f"/ws/{i}") for i in range(10)]
            for i, stream in enumerate(streams):
                answer = c.answers[stream]
                while answer.status is None:
                    self.assertTrue(c.read())
                self.assertEqual(answer.status, 200)
                self.assertNotIn("sec-websocket-accept", answer.headers)
                data = os.urandom(200_000)
                c.send(stream, data)
                while len(answer.body) < len(data):
                    self.assertTrue(c.read())
                self.assertEqual(answer.body, data)
            self.assertEqual({head.split("\r\n")[0] for head in heads}, {f"GET /ws/{i} HTTP/1.1" for i in range(10)})
            for stream in streams:
                c.send(stream, b"", end=True)
                self.assertTrue(c.wait(stream).ended)
            for path, status in (("/ws/admin/x", 403), ("/plain/x", 501), ("/other", 403)):
                self.assertEqual(c.wait(connect(c, path)).status, status)
            self.assertEqual(c.wait(connect(c, "/ws/x", headers=[("sec-websocket-version", "8")])).status, 426)
            wait_for("the records", lambda: len([d for d in y.query() if d["path"].startswith("/ws/")]) == 12)
            self.assertEqual({d["method"] for d in y.query()}, {"GET"})
        # An upstream that answers a handshake with 200 has not accepted the WebSocket.
        def never(connection):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        with Service(never) as s, yett(s.address) as y, H2Client(y) as c:
            self.assertEqual(c.wait(connect(c, "/ws/x")).status, 502)

    def test_data_before_the_service_accepts_waits_over_http2_too(self):
        """DATA on the CONNECT stream reached the service after the handshake's GET: a request without a decision."""
        smuggled = b"GET /ws/admin/secret HTTP/1.1\r\nhost: localhost\r\n\r\n"
        received = []

        def refuse(connection):
            got = read_head(connection)
            received.append(got[0])
            if "/warm" in got[0]:
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                return refuse(connection)
            connection.settimeout(0.5)
            data = got[1]
            with contextlib.suppress(TimeoutError):
                data += connection.recv(65536)
            received.append(data)
            connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            return None

        def agree(connection):
            got = read_head(connection)
            time.sleep(0.3)
            connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_of(header(got[0], 'sec-websocket-key'))}\r\n\r\n".encode())
            echo_bytes(connection, got[1])

        def connect(c):
            return c.request(pseudo=[(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "localhost"), (":path", "/ws/x")], headers=[("sec-websocket-version", "13")], end=False)

        with Service(refuse) as s, yett(s.address, workers=1) as y, H2Client(y) as c:
            self.assertEqual(c.get("/plain/warm").status, 200)
            stream = connect(c)
            c.send(stream, smuggled)
            self.assertEqual(c.wait(stream).status, 404)
            self.assertEqual(received[-1], b"")
        with Service(agree) as s, yett(s.address, workers=1) as y, H2Client(y) as c:
            stream = connect(c)
            c.send(stream, b"early", end=True)
            answer = c.wait(stream)
            self.assertEqual((answer.status, bytes(answer.body), answer.ended), (200, b"early", True))

    def test_to_a_service_that_speaks_http2(self):
        def early(connection, stream, headers):
            if headers.get(":protocol") == "websocket":
                connection.send_headers(stream, [(":status", "200")])
                connection.send_data(stream, b"welcome")

        with H2Service(lambda connection, stream, headers, body: connection.send_data(stream, b"bye:" + body, end_stream=True), early, websockets=True) as s:
            y = yett(s.address)
            y.config["clusters"][0]["protocol"] = "http2"
            y.write_config()
            with y:
                connection, head, rest = opened(y)
                self.assertIn(" 101 ", head)
                self.assertEqual(header(head, "sec-websocket-accept"), accept_of(KEY))
                while rest != b"welcome":
                    rest += connection.recv(100)
                connection.sendall(b"some bytes")
                connection.close()  # the service sees the stream end or reset


    def test_a_service_that_does_not_announce_websockets_gets_no_extended_connect(self):
        """RFC 8441 3: a service that does not support extended CONNECT may read it as another request."""
        seen = []
        with H2Service(lambda connection, stream, headers, body: (connection.send_headers(stream, [(":status", "200")]), connection.respond(stream, b"plain")), lambda connection, stream, headers: seen.append(headers)) as s:
            y = yett(s.address)
            y.config["clusters"][0]["protocol"] = "http2"
            y.write_config()
            with y:
                for _ in range(2):  # on a new connection, and on one whose settings are known
                    connection, head, _ = opened(y)
                    connection.close()
                    self.assertIn(" 502 ", head)
                wait_for("the access log", lambda: (y.dir / "access.log").read_text().count("the service does not support WebSocket over HTTP/2") == 2)
                self.assertEqual([h for h in seen if h.get(":method") == "CONNECT"], [])
                self.assertEqual(y.get("/ws/plain")[0], 200)


class Found(unittest.TestCase):
    """Regression tests; the names describe the bugs."""

    def test_final_data_of_a_service_that_stopped_reading_was_lost(self):
        """DATA with END_STREAM and RST_STREAM(NO_ERROR) in one read (RFC 9113 8.1): the data is complete."""
        said = b"last words" * 1500

        def early(connection, stream, headers):
            connection.send_headers(stream, [(":status", "200")])
            for at in range(0, len(said), 10_000):
                connection.send_data(stream, said[at:at + 10_000], end_stream=at + 10_000 >= len(said))
            connection.sock.sendall(connection.data_to_send() + frame(RST_STREAM, 0, stream, struct.pack(">I", 0)))

        with H2Service(lambda *_: None, early, websockets=True) as s:
            y = yett(s.address, workers=1)
            y.config["clusters"][0]["protocol"] = "http2"
            y.write_config()
            with y:
                for _ in range(20):
                    connection, head, rest = opened(y)
                    self.assertIn(" 101 ", head)
                    connection.settimeout(10 * SLOW)
                    time.sleep(0.02)
                    connection.sendall(b"more")  # the service no longer reads it
                    while len(rest) < len(said):
                        piece = connection.recv(65536)
                        self.assertTrue(piece, f"{len(rest)} of {len(said)} bytes came")
                        rest += piece
                    self.assertEqual(rest, said)
                    self.assertEqual(connection.recv(100), b"")  # and an orderly close
                    connection.close()
                with H2Client(y) as c:
                    for _ in range(20):
                        stream = c.request(pseudo=[(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "localhost"), (":path", "/ws/x")], headers=[("sec-websocket-version", "13")], end=False)
                        c.wait(stream)
                        self.assertEqual((bytes(c.answers[stream].body), c.answers[stream].ended), (said, True))
                wait_for("connections to end", lambda: 'yett_connections{listener="inbound"} 0' in y.admin("/metrics")[1])
                self.assertEqual({line["result"] for line in y.access_log()}, {"complete"})

    def test_a_tunnel_was_used_after_free_when_its_service_half_closed_and_aborted(self):
        for breakage in ("reset", "reset 0", "close"):
            ready = threading.Event()

            def early(connection, stream, headers):
                connection.send_headers(stream, [(":status", "200")])
                for _ in range(4 if breakage == "close" else 1):
                    connection.send_data(stream, b"x" * 4_000)
                connection.end_stream(stream)
                connection.sock.sendall(connection.data_to_send())
                ready.wait(10)
                if breakage == "close":
                    return connection.sock.shutdown(socket.SHUT_RDWR)
                connection.sock.sendall(frame(RST_STREAM, 0, stream, struct.pack(">I", 8 if breakage == "reset" else 0)))
                return None

            with H2Service(lambda *_: None, early, websockets=True) as s:
                y = yett(s.address, workers=1)
                y.config["clusters"][0]["protocol"] = "http2"
                y.write_config()
                with y, H2Client(y) as c:
                    c.h2.update_settings({4: 0 if breakage == "close" else 65535})
                    c.flush()
                    stream = c.request(pseudo=[(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "localhost"), (":path", "/ws/x")], headers=[("sec-websocket-version", "13")], end=False)
                    while c.answers[stream].status is None:
                        self.assertTrue(c.read())
                    ready.set()
                    time.sleep(0.3)
                    for _ in range(5):
                        c.raw(frame(DATA, 0, stream, b"more"))
                        time.sleep(0.02)
                    other = c.request("/none")
                    while c.answers[other].status is None:  # its body may have no window left
                        self.assertTrue(c.read())
                    self.assertEqual(c.answers[other].status, 403)
                    self.assertIsNone(y.process.poll())


class Thousands(unittest.TestCase):
    def test_a_thousand_websockets_obey_the_newest_policy(self):
        count = int(os.environ.get("YETT_TEST_CONNECTIONS") or 1000)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
        with EchoServer() as server, yett(server.address) as y:
            async def talk():
                context = y.context()
                gate = asyncio.Semaphore(50)

                async def one(path):
                    async with gate:
                        return await websockets.connect(f"wss://localhost:{y.port}{path}", ssl=context, extra_headers={"x-go": "1"}, ping_interval=None, open_timeout=60 * SLOW, close_timeout=1)

                kept = await asyncio.gather(*(one(f"/ws/{i}") for i in range(count // 2)))
                ended = await asyncio.gather(*(one(f"/half/{i}") for i in range(count // 2)))
                memory = y.rss_mib()
                y.write_rules(RULES.replace('== "1"', '== "2"'))
                began = time.monotonic()
                await asyncio.gather(*(asyncio.wait_for(ws.wait_closed(), 30 * SLOW) for ws in ended))
                took = time.monotonic() - began
                print(f"  {len(ended)} of {count} open WebSockets ended within {took * 1000:.0f} ms of the policy edit; {memory / count * 1024:.0f} KiB each with its TLS")
                self.assertLess(took, 2 * SLOW)
                for ws in kept:
                    await ws.send("still here")
                answers = await asyncio.gather(*(asyncio.wait_for(ws.recv(), 30 * SLOW) for ws in kept))
                self.assertEqual(set(answers), {"still here"})
                for ws in kept + ended:
                    ws.transport.abort()
            asyncio.run(talk())
            wait_for("the records", lambda: len([d for d in y.query("--effect", "allow") if d["path"].startswith("/half/") and d.get("outcome", {}).get("result") == "ended by a newer policy"]) == count // 2, 20)


if __name__ == "__main__":
    unittest.main()
