"""HTTP/2 bugs found by reviewers and in attacks, tested through the real program."""
import os
import subprocess
import threading
import time
import unittest

import h2.config
import h2.connection
import h2.events
import h2.settings

from h2_peer import DATA, H2Client, H2Service, frame
from harness import BINARY, SLOW, Nginx, Service, Yett, echo, environment, free_port, read_head, wait_for
from test_http2 import OPEN


class Found(unittest.TestCase):
    """Regression tests; the name of most describes the bug."""

    def second(self, service, **changes):
        y = Yett(service.address, rules=OPEN, workers=1, **changes)
        y.config["clusters"][0]["protocol"] = "http2"
        y.write_config()
        return y

    def closed_window(self, y):
        """A client that reads nothing."""
        c = H2Client(y)
        c.h2.update_settings({4: 0})
        c.flush()
        return c

    def test_a_response_without_a_body_that_ended_late_freed_its_stream(self):
        def early(connection, stream, headers):
            path = headers[":path"]
            if path == "/fine":
                return connection.send_headers(stream, [(":status", "200"), ("content-length", "0")], end_stream=True)
            connection.send_headers(stream, [(":status", "204")] if path == "/204" else [(":status", "200"), ("content-length", "0")])
            if headers[":method"] == "POST":
                connection.increment_flow_control_window(1000)
            connection.sock.sendall(connection.data_to_send() + frame(DATA, 0, stream, b"abc"))  # and a frame that must not follow
            return None

        with H2Service(lambda *_: None, early) as s, self.second(s) as y:
            for path in ("/204", "/length"):
                for method in ("POST", "GET"):
                    with H2Client(y) as c:
                        stream = c.request(path, method=method, end=method == "GET")
                        answer = c.wait(stream)
                        self.assertEqual((answer.status, answer.body), (204 if path == "/204" else 200, b""))
                        self.assertEqual(c.get("/fine").status, 200)
            wait_for("the log", lambda: len(y.access_log()) == 8)
            self.assertEqual({line["result"] for line in y.access_log()}, {"complete"})

    def test_curl_discarded_an_early_response_that_came_together_with_a_reset(self):
        with Service(echo) as s, Yett(s.address, rules=OPEN) as y:
            body = y.dir / "body"
            for size in (5000, 300_000, 3_000_000):
                body.write_bytes(b"x" * size)
                for _ in range(4):
                    self.assertEqual(y.curl("/admin/x", "--http2", "--data-binary", f"@{body}", "-o", "/dev/null", "-w", "%{http_code}").stdout, b"403")

    def test_callers_that_read_nothing_exhausted_the_shared_upstream_connection(self):
        def handle(connection, stream, headers, body):
            size = 250_000 if dict(headers)[":path"] == "/big" else 5
            connection.send_headers(stream, [(":status", "200"), ("content-length", str(size))])
            connection.respond(stream, b"x" * size)

        with H2Service(handle) as s, self.second(s) as y:
            held = []
            for i in range(24):
                c = self.closed_window(y)
                c.request("/big")
                if i % 2:
                    held.append(c)
                else:
                    time.sleep(0.05)
                    c.close()
            time.sleep(0.3)
            began = time.monotonic()
            self.assertEqual(y.get("/small")[2], b"xxxxx")
            with H2Client(y) as c:
                self.assertEqual(len(c.get("/big").body), 250_000)
            self.assertLess(time.monotonic() - began, 5 * SLOW)
            for c in held:
                c.close()

    def test_complete_responses_that_nobody_read_had_no_timeout(self):
        with Service(echo) as s:
            y = Yett(s.address, rules=OPEN)
            y.listener["timeouts"] = {"idle": "1s", "body": "1s", "stream_idle": "1s"}
            y.write_config()
            with y:
                c = self.closed_window(y)
                streams = [c.request(path) for path in ("/x", "/admin/x") * 20]
                while c.read():
                    pass
                self.assertLessEqual({c.answers[stream].reset for stream in streams}, {2, 8})  # still being read from the service, or complete
                wait_for("the connection to end", lambda: 'yett_connections{listener="inbound"} 0' in y.admin("/metrics")[1], 8)

    def test_a_busy_connection_never_checked_for_stalled_streams(self):
        with Service(echo) as s:
            y = Yett(s.address, rules=OPEN)
            y.listener["timeouts"] = {"body": "1s"}
            y.write_config()
            with y:
                c = self.closed_window(y)
                stalled = c.request("/x")
                until = time.monotonic() + 8 * SLOW
                while not c.answers[stalled].over and time.monotonic() < until:
                    c.request("/x", method="HEAD")
                    c.sock.settimeout(0.4)
                    try:
                        c.read()
                    except TimeoutError:
                        pass
                self.assertIn(c.answers[stalled].reset, (2, 8))
                c.close()

    def test_max_connections_refused_requests_that_needed_no_new_connection(self):
        def handle(connection, stream, headers, body):
            connection.send_headers(stream, [(":status", "200")], end_stream=True)

        with H2Service(handle) as s:
            y = Yett(s.address, rules=OPEN, workers=1)
            y.config["clusters"][0].update(protocol="http2", circuit_breakers={"max_connections": 1})
            y.write_config()
            with y, H2Client(y) as c:
                streams = [c.request("/x") for _ in range(50)]
                self.assertEqual({c.wait(stream).status for stream in streams}, {200})
                self.assertEqual(s.connections, 1)

    def test_data_already_sent_to_a_slow_reader_stayed_in_memory(self):
        size = 40 << 20

        def pour(connection):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
            for _ in range(size // 65536):
                connection.sendall(b"x" * 65536)

        with Service(pour) as s, Yett(s.address, rules=OPEN, workers=1) as y, H2Client(y) as c:
            c.h2.update_settings({4: 30_000})  # less than what is buffered, so the buffer never runs empty
            c.flush()
            before = y.rss_mib()
            stream = c.request("/")
            self.assertEqual(len(c.wait(stream, 60).body), size)
            if SLOW == 1:
                self.assertLess(y.rss_mib() - before, 10)

    def test_messages_in_flight_when_a_call_ended_early_counted_as_a_flood(self):
        with Service(echo) as s, Yett(s.address, rules=OPEN) as y, H2Client(y) as c:
            while c.h2.outbound_flow_control_window < 500_000:
                c.read()
            stream = c.request("/admin/x", method="POST", end=False)
            c.raw(b"".join(frame(DATA, 0, stream, b"0123456789") for _ in range(10_000)))
            self.assertEqual(c.wait(stream).status, 403)
            self.assertEqual(c.get("/x").status, 200)

    def test_all_streams_may_be_cancelled_at_once(self):
        hold = threading.Event()

        def slow(connection):
            read_head(connection)
            hold.wait(20)

        with Service(slow) as s, Yett(s.address, rules=OPEN, workers=1) as y, H2Client(y) as c:
            kept = c.request("/kept")
            for stream in [c.request("/x") for _ in range(250)]:
                c.h2.reset_stream(stream, 8)
            c.flush()
            time.sleep(0.5)
            stream = c.request("/admin/x")
            self.assertEqual(c.wait(stream).status, 403)
            self.assertFalse(c.answers[kept].over)
            hold.set()

    def test_a_service_that_resets_streams_keeps_its_connection(self):
        def early(connection, stream, headers):
            if headers[":path"] == "/reset":
                connection.reset_stream(stream, 2)
            else:
                connection.send_headers(stream, [(":status", "200")])

        with H2Service(lambda *_: None, early) as s, self.second(s) as y, H2Client(y) as c:
            kept = c.request("/kept")
            while c.answers[kept].status is None:
                c.read()
            for _ in range(5):
                streams = [c.request("/reset") for _ in range(80)]
                self.assertEqual({c.wait(stream).status for stream in streams}, {502})
            self.assertFalse(c.answers[kept].over)
            self.assertEqual(s.connections, 1)

    def test_a_caller_whose_bundle_was_removed_could_continue_on_an_open_connection(self):
        with Service(echo) as s, Yett(s.address, rules=OPEN) as y:
            other = y.dir / "other"
            subprocess.run([BINARY, "certs", "init", "--dir", str(other)], check=True, capture_output=True, env=environment())
            c = self.closed_window(y)
            c.request("/held")
            y.replace("certs/bundle.pem", (other / "bundle.pem").read_text())
            wait_for("the reload", lambda: "changed=" in y.log())
            for i in range(5):
                c.raw(b"") if c.closed else c.request(f"/after{i}")
            time.sleep(1)
            self.assertEqual([d["path"] for d in y.query("--effect", "allow") if d["path"].startswith("/after")], [])
            c.close()

    def test_responses_that_exactly_fill_a_window_end_with_their_last_byte(self):
        """The end of the response was read only after the last byte, when no window was left to send it."""
        def chunked(connection):
            while True:
                got = read_head(connection)
                if got is None:
                    return
                size, piece = (int(n) for n in got[0].split(" ")[1].split("/")[1:])
                body = b"".join(b"%x\r\n" % min(piece, size - at) + b"x" * min(piece, size - at) + b"\r\n" for at in range(0, size, piece))
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\nx-end: 1\r\n\r\n")

        with Service(chunked) as s, Yett(s.address, rules=OPEN, workers=1) as y:
            for window, later, size in ((1, 0, 1), (100, 0, 100), (16384, 0, 16384), (65535, 0, 65535), (0, 1, 1), (0, 100, 100), (100, 4900, 5000), (65535, 65535, 131070)):
                for piece in (7, size):
                    with H2Client(y, timeout=3) as c:
                        c.h2.update_settings({4: window})
                        c.flush()
                        c.h2.increment_flow_control_window(1 << 30)
                        stream = c.request(f"/{size}/{piece}")
                        while c.answers[stream].status is None or len(c.answers[stream].body) < window:
                            self.assertTrue(c.read(give_back=False))
                        if later:
                            c.h2.increment_flow_control_window(later, stream)
                            c.flush()
                        while not c.answers[stream].over:
                            self.assertTrue(c.read(give_back=False), (window, later, size, piece))
                        self.assertEqual((c.answers[stream].ended, len(c.answers[stream].body)), (True, size), (window, later, size, piece))

    def test_one_large_head_ended_other_streams_to_nginx(self):
        up = Nginx()
        blob = os.urandom(4_000_000)
        (up.dir / "www/blob").write_bytes(blob)
        y = Yett(up.http2_address, rules=OPEN, workers=1)
        y.config["clusters"][0]["protocol"] = "http2"
        y.write_config()
        with up, y, H2Client(y) as slow:
            slow.h2.update_settings({4: 65535})
            slow.flush()
            stream = slow.request("/blob")
            while slow.answers[stream].status is None:
                self.assertTrue(slow.read(give_back=False))
            statuses = set()
            for size in (1_000, 5_000, 9_000, 20_000, 40_000):
                statuses.add((size, y.get("/hello", headers={"x-large": "a" * size})[0]))
            print(f"  nginx over HTTP/2, statuses by head size: {sorted(statuses)}")
            self.assertIn((5_000, 200), statuses)
            slow.h2.acknowledge_received_data(len(slow.answers[stream].body), stream)
            slow.flush()
            answer = slow.wait(stream, 20)
            self.assertEqual((answer.ended, bytes(answer.body) == blob), (True, True))

    def test_a_head_larger_than_the_service_announced_is_only_a_431(self):
        def serve(sock):
            connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
            connection.local_settings = h2.settings.Settings(client=False, initial_values={**dict(connection.local_settings), h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 6000})
            connection.initiate_connection()
            while True:
                sock.sendall(connection.data_to_send())
                data = sock.recv(65536)
                if not data:
                    return
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.StreamEnded):
                        connection.send_headers(event.stream_id, [(":status", "200")], end_stream=True)

        with Service(serve) as s:
            y = Yett(s.address, rules=OPEN, workers=1)
            y.config["clusters"][0]["protocol"] = "http2"
            y.write_config()
            with y:
                for size, status in ((100, 200), (5000, 200), (7000, 431), (10_000, 431), (100, 200)):
                    self.assertEqual(y.get("/x", headers={"x-large": "a" * size})[0], status, size)
                self.assertEqual(y.get("/x", method="POST", body=b"b" * 100_000, headers={"x-large": "a" * 7000})[0], 431)
                self.assertIn("SETTINGS_MAX_HEADER_LIST_SIZE", (y.dir / "access.log").read_text())


if __name__ == "__main__":
    unittest.main()
