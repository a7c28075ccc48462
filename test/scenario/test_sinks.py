"""Receivers that refuse, ask for a delay or are not receivers at all: nothing is lost or sent endlessly, and the reason is reported."""
import http.server
import json
import socket
import socketserver
import threading
import time
import unittest

from harness import SLOW, Nginx, Yett, hello_times, wait_for
from test_cli import yett
from test_evidence import OPEN, config, fill


class Receiver:
    """An OTLP receiver that answers with the result of `judge(records)`: (status, headers, body)."""

    def __init__(self, judge):
        outer = self
        self.batches = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                data = self.rfile.read(int(self.headers["content-length"]))
                if len(data) < int(self.headers["content-length"]):
                    return  # the sender was killed
                body = json.loads(data)
                records = [json.loads(r["body"]["stringValue"]) for part in body["resourceLogs"] for r in part["scopeLogs"][0]["logRecords"]]
                outer.batches.append((time.monotonic(), [r["seq"] for r in records]))
                status, headers, text = judge(records)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/logs"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def arrivals(self):
        out = {}
        for _, seqs in self.batches:
            for seq in seqs:
                out[seq] = out.get(seq, 0) + 1
        return out


def sending(address, sink, **audit):
    y = Yett(address, rules=OPEN).plaintext()
    y.config["audit"].update({"sinks": [{"name": "out", **sink}], **audit})
    y.write_config()
    return y


def metric(y, name):
    return next((int(line.split()[1]) for line in y.admin("/metrics")[1].splitlines() if line.startswith(name)), None)


class Refused(unittest.TestCase):
    def poisoned(self, partial):
        taken = set()

        def judge(records):
            bad = [r for r in records if "poison" in json.dumps(r)]
            if not bad:
                taken.update(r["seq"] for r in records)
                return 200, {}, b"{}"
            if partial:
                taken.update(r["seq"] for r in records if r not in bad)
                return 200, {}, json.dumps({"partialSuccess": {"rejectedLogRecords": str(len(bad)), "errorMessage": "too bad"}}).encode()
            return 400, {}, b"no"

        with Nginx() as up, Receiver(judge) as receiver, sending(up.address, {"type": "otlp", "url": receiver.url}) as y:
            wait_for("the first records", lambda: taken)
            with y.raw() as sock:
                sock.sendall(b"".join(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"poison" if i == 20 else b"hello") for i in range(40)))
                wait_for("the record to be put aside", lambda: metric(y, "yett_audit_sink_refused_total") == 1, 30)
            wait_for("the lag to go", lambda: metric(y, "yett_audit_sink_lag_records") == 0)
            letters = [json.loads(line) for line in (y.dir / "yett.db.sink-out.refused").read_text().splitlines()]
            self.assertEqual([letter["record"]["path"] for letter in letters], ["/poison"])
            refused = letters[0]["seq"]
            self.assertIn("too bad" if partial else "answers 400: no", letters[0]["why"])
            wait_for("the event", lambda: [e for e in y.query("--events") if e["event"] == "sink refused"])
            event = [e for e in y.query("--events") if e["event"] == "sink refused"][0]
            self.assertEqual(event["subject"], "out")
            self.assertTrue(event["detail"].startswith(f"record {refused}: "), event)
            arrivals = receiver.arrivals()
            self.assertLessEqual(max(n for seq, n in arrivals.items() if seq != refused), 2, arrivals)
            self.assertLessEqual(arrivals[refused], 6)
            self.assertIn("audit sink refused a record permanently", y.log())

    def test_a_record_that_a_partial_success_drops(self):
        self.poisoned(True)

    def test_a_record_that_causes_its_batch_to_be_refused(self):
        self.poisoned(False)

    def test_retention_keeps_refused_records_until_they_are_dealt_with(self):
        def judge(records):
            return (400, {}, b"no") if any("poison" in json.dumps(r) for r in records) else (200, {}, b"{}")

        with Nginx() as up, Receiver(judge) as receiver, sending(up.address, {"type": "otlp", "url": receiver.url}, rotate_size="1MiB",
                                                                 retention={"size": "1MiB"}, record={"headers": ["x-fill"]}) as y:
            with y.raw() as sock:
                sock.sendall(b"GET /poison HTTP/1.1\r\nHost: a\r\n\r\n")
                wait_for("the record to be put aside", lambda: metric(y, "yett_audit_sink_refused_total") == 1, 30)
            fill(y, 4000)
            wait_for("the sink", lambda: metric(y, "yett_audit_sink_lag_records") == 0, 60)
            time.sleep(6)  # retention runs every five seconds
            first = sorted(y.dir.glob("yett.0*.db"))[0]
            y.stop()
            y.start()  # the refusal survives the restart
            time.sleep(6)
            self.assertTrue(first.exists())
            (y.dir / "yett.db.sink-out.refused").rename(y.dir / "dealt-with")
            wait_for("retention", lambda: not first.exists(), 20)


class Waiting(unittest.TestCase):
    def test_retry_after_is_respected(self):
        answers = [(503, {"Retry-After": "3"}, b"")]
        judge = lambda records: answers.pop() if answers else (200, {}, b"{}")
        with Nginx() as up, Receiver(judge) as receiver, sending(up.address, {"type": "otlp", "url": receiver.url}) as y:
            wait_for("the second try", lambda: len(receiver.batches) > 1, 10)
            self.assertGreater(receiver.batches[1][0] - receiver.batches[0][0], 2.9)

    def test_a_response_that_is_not_otlp_is_not_a_delivery(self):
        for body in (b"<html>Welcome</html>", b'{"status":"ok"}', b"[]", b""):
            with self.subTest(body), Nginx() as up, Receiver(lambda records, b=body: (200, {}, b)) as receiver, \
                    sending(up.address, {"type": "otlp", "url": receiver.url}) as y:
                wait_for("the report", lambda: "answers 200 without an OTLP response" in y.log())
                self.assertGreater(metric(y, "yett_audit_sink_lag_records"), 0)

    def test_kafka_failures_are_reported_with_the_reason(self):
        with Nginx() as up, sending(up.address, {"type": "kafka", "brokers": "127.0.0.1:1", "topic": "t", "timeout": "2s"}) as y:
            wait_for("the report", lambda: "Connection refused" in y.log(), 20)


class Syslog(unittest.TestCase):
    def test_syslog_messages_do_not_exceed_the_size_that_receivers_accept(self):
        got = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while head := b"".join(iter(lambda: self.rfile.read(1), b" ")) if self.rfile.peek(1) else b"":
                    got.append(self.rfile.read(int(head)))

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with Nginx() as up, sending(up.address, {"type": "syslog", "address": "127.0.0.1:%d" % server.server_address[1], "plaintext": True},
                                        record={"headers": ["x-a", "x-b", "x-c"]}) as y:
                with y.raw() as sock:
                    sock.sendall(b"GET /" + b"p" * 5000 + b" HTTP/1.1\r\nHost: a\r\nx-a: " + b"a" * 3000 + b"\r\nx-b: " + b"b" * 3000 + b"\r\nx-c: " + b"c" * 3000 + b"\r\n\r\n")
                    sock.recv(100)
                row = wait_for("the decision", lambda: y.query())[0]
                wait_for("the sink", lambda: metric(y, "yett_audit_sink_lag_records") == 0)
                time.sleep(0.2)
                self.assertLessEqual(max(map(len, got)), 8 << 10)
                lines = [json.loads(message[message.index(b"\xef\xbb\xbf") + 3:]) for message in got]
                cut = [line for line in lines if line.get("cut")]
                self.assertEqual([(line["seq"], line["id"], line["effect"]) for line in cut], [(row["seq"], row["id"], "allow")])
                self.assertGreater(cut[0]["bytes"], 8 << 10)
        finally:
            server.shutdown()
            server.server_close()


class Online(unittest.TestCase):
    def test_check_tries_each_sink(self):
        with Receiver(lambda records: (200, {}, b"{}")) as good, Receiver(lambda records: (404, {}, b"nothing here")) as bad:
            y = sending("127.0.0.1:1", {"type": "otlp", "url": good.url})
            y.config["audit"]["sinks"] += [
                {"name": "lost", "type": "otlp", "url": bad.url},
                {"name": "log", "type": "syslog", "address": "127.0.0.1:1", "plaintext": True, "timeout": "2s"},
                {"name": "bus", "type": "kafka", "brokers": "127.0.0.1:1", "topic": "t", "timeout": "2s"},
                {"name": "disk", "type": "file", "path": "lines.jsonl"}]
            y.write_config()
            code, out, err = yett("check", *config(y), "--online")
            self.assertEqual(code, 1, out + err)
            self.assertIn("sink `out`: ok", out)
            self.assertIn("sink `disk`: ok", out)
            self.assertIn("sink `lost`: ", err)
            self.assertIn("answers 404: nothing here", err)
            self.assertIn("sink `log`: 127.0.0.1:1: connection refused", err)
            self.assertRegex(err, r"sink `bus`: .*Connection refused")
            y.config["audit"]["sinks"] = y.config["audit"]["sinks"][:1]
            y.write_config()
            self.assertEqual(yett("check", *config(y), "--online")[0], 0)
