"""Everything around the chain: new logs and copies are recognized, readers block nothing, a stop signs and reports the end."""
import html.parser
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import unittest

from fake_clock import fake_clock
from harness import BINARY, SLOW, Nginx, Service, Yett, environment, hello_times, read_head, run, wait_for
from test_cli import yett

OPEN = 'policy "p" { allow "all" { principal = anyone, path = "/**" } }'


def signed(address, **changes):
    y = Yett(address, rules=OPEN, **changes).plaintext()
    y.config["audit"]["key_file"] = "audit.key"
    run("certs", "init", "--dir", str(y.dir / "keys"))
    shutil.copy(y.dir / "keys/audit.key", y.dir / "audit.key")
    y.write_config()
    return y


def config(y):
    return ("-c", str(y.dir / "yett.json"))


def fill(y, count):
    """Sends `count` requests, each with a kilobyte of incompressible data in its record."""
    sock = y.raw(60)
    data = b""
    for _ in range(count):
        sock.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\nx-fill: " + os.urandom(1000).hex().encode() + b"\r\n\r\n")
        while b"hello\n" not in data:
            more = sock.recv(65536)
            assert more, data
            data += more
        data = b""
    sock.close()


class Young(unittest.TestCase):
    def test_a_new_log_is_authenticated_soon_with_the_key_from_the_configuration(self):
        with signed("127.0.0.1:1") as y:
            def authenticated(*more):
                code, out, err = yett("log", "verify", *more, "--format", "json")
                return code == 0 and json.loads(out)["authenticated"]

            wait_for("the first checkpoint", lambda: authenticated("--log", str(y.dir / "yett.db"), "--key", str(y.dir / "keys/audit.pub")), 2)
            self.assertTrue(authenticated(*config(y)))
            run("certs", "init", "--dir", str(y.dir / "others"))
            shutil.copy(y.dir / "others/audit.key", y.dir / "audit.key")
            code, out, _ = yett("log", "verify", *config(y))
            self.assertEqual(code, 1)
            self.assertIn("by another key", out)
            (y.dir / "audit.key").unlink()
            code, out, err = yett("log", "verify", *config(y))
            self.assertEqual(code, 0)
            self.assertIn("consistent, not authenticated", out)
            self.assertIn("the configured key is not checked; name its public half with --key", err)


class Copies(unittest.TestCase):
    def test_reading_a_copy_includes_its_write_ahead_log_and_creates_no_files(self):
        with Nginx() as up, Yett(up.address, rules=OPEN).plaintext() as y:
            hello_times(y, 30, 40)
            wait_for("the records", lambda: len(y.query()) == 40)
            folder = y.dir / "it's a copy? 100%#1"
            for parts in ((), ("-wal",), ("-wal", ".lock", ".rotate")):
                folder.mkdir()
                for part in ("", *parts):
                    shutil.copy(str(y.dir / "yett.db") + part, folder)
                before = sorted(os.listdir(folder))
                log = ("--log", str(folder / "yett.db"))
                code, out, err = yett("log", "verify", *log, "--format", "json")
                told = json.loads(out) if code == 0 else {"not_closed": True, "records": 0}
                self.assertEqual(told["not_closed"], not parts, out + err)
                if parts:
                    self.assertEqual(len(yett("log", "export", *log)[1].splitlines()), 40)
                    self.assertIn("40", yett("log", "sql", *log, "SELECT count(*) FROM decisions")[1])
                    for more in (("query",), ("stats",), ("show", "nothing")):
                        yett("log", *more, *log)
                    yett("replay", *log, "--policy", str(y.dir / "rules"))
                self.assertEqual(sorted(os.listdir(folder)), before)
                shutil.rmtree(folder)

    def test_a_copy_without_its_write_ahead_log_says_where_it_ends(self):
        with Nginx() as up, Yett(up.address, rules=OPEN).plaintext() as y:
            hello_times(y, 30, 40)
            wait_for("the records", lambda: len(y.query()) == 40)
            y.stop()
            y.start()
            hello_times(y, 30, 40)
            wait_for("the records", lambda: len(y.query()) == 80)
            sqlite3.connect(y.dir / "yett.db").execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            hello_times(y, 30, 5)
            wait_for("the records", lambda: len(y.query()) == 85)
            (y.dir / "copy").mkdir()
            shutil.copy(y.dir / "yett.db", y.dir / "copy")
            code, out, err = yett("log", "verify", "--log", str(y.dir / "copy/yett.db"))
            self.assertEqual(code, 0, out + err)
            self.assertRegex(out, r"it was not closed: it currently ends with record \d+. If this is a copy, its `-wal` file is missing")
            self.assertNotIn("not closed", yett("log", "verify", *config(y))[1])
            y.stop()
            self.assertNotIn("not closed", yett("log", "verify", *config(y))[1])


class Readers(unittest.TestCase):
    def small(self, up, **audit):
        y = Yett(up.address, rules=OPEN).plaintext()
        y.config["audit"].update({"rotate_size": "1MiB", "record": {"headers": ["x-fill"]}, **audit})
        y.write_config()
        return y

    def closed(self, y):
        return sorted(f.name for f in y.dir.glob("yett.0*.db"))

    def test_a_paused_reader_blocks_neither_rotation_nor_retention(self):
        with Nginx() as up, self.small(up, retention={"size": "8MiB"}) as y:
            fill(y, 3000)
            reader = subprocess.Popen([BINARY, "log", "export", *config(y)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
            first = reader.stdout.readline()
            held = sqlite3.connect(y.dir / "yett.db", isolation_level=None)
            held.execute("BEGIN")
            held.execute("SELECT count(*) FROM blocks").fetchall()
            traffic = [threading.Thread(target=fill, args=(y, 6000)) for _ in range(2)]
            for one in traffic:
                one.start()
            wait_for("rotation", lambda: len(self.closed(y)) >= 3, 60)
            for one in traffic:
                one.join()
            self.assertLess((y.dir / "yett.db-wal").stat().st_size, 64 << 20)
            held.close()
            wait_for("the write-ahead logs of closed files to be emptied", lambda: not sum(f.stat().st_size for f in y.dir.glob("yett.0*.db-wal")), 10)
            rest = reader.stdout.read()
            self.assertEqual(reader.wait(30), 0, reader.stderr.read())
            ids = [json.loads(line)["id"] for line in (first + rest).splitlines()]
            self.assertEqual(len(ids), len(set(ids)))
            print(f"  a paused export continued with {len(ids)} decisions while {len(self.closed(y))} files were closed and others deleted")
            self.assertTrue(y.verify()["ok"])

    def test_a_write_ahead_log_that_grew_because_of_a_reader_is_truncated(self):
        with Nginx() as up, Yett(up.address, rules=OPEN).plaintext() as y:
            hello_times(y, 30, 10)
            held = sqlite3.connect(y.dir / "yett.db", isolation_level=None)
            held.execute("BEGIN")
            held.execute("SELECT count(*) FROM blocks").fetchall()
            wal = y.dir / "yett.db-wal"
            until = time.monotonic() + 60 * SLOW
            while wal.stat().st_size < 18 << 20 and time.monotonic() < until:
                hello_times(y, 10, 4000)
            self.assertGreater(wal.stat().st_size, 18 << 20)
            wait_for("the metric", lambda: float(re.search(r"^yett_audit_wal_bytes (\d+)", y.admin("/metrics")[1], re.M)[1]) > 18 << 20, 5)
            held.close()
            wait_for("the space to be given back", lambda: wal.stat().st_size < 16 << 20, 10)


class Tail(unittest.TestCase):
    def test_a_tail_that_falls_behind_shows_every_record_across_rotations(self):
        with Nginx() as up:
            y = Readers().small(up)
            with y:
                hello_times(y, 30, 1)
                wait_for("the record", lambda: len(y.query()) == 1)
                tail = subprocess.Popen([BINARY, "log", "tail", *config(y), "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
                seen = [json.loads(tail.stdout.readline())]
                tail.send_signal(signal.SIGSTOP)
                fill(y, 4000)
                wait_for("all records", lambda: len(yett("log", "export", *config(y))[1].splitlines()) == 4001, 30)
                self.assertGreater(len(list(y.dir.glob("yett.0*.db"))), 1)
                tail.send_signal(signal.SIGCONT)
                began = time.monotonic()
                while len(seen) < 4001:
                    seen.append(json.loads(tail.stdout.readline()))
                took = time.monotonic() - began
                print(f"  tail caught up on 4,000 records in {took:.2f} s")
                self.assertEqual(len({row["id"] for row in seen}), 4001)
                self.assertEqual([row["seq"] for row in seen], sorted(row["seq"] for row in seen))
                tail.terminate()
                self.assertEqual(tail.communicate(timeout=10)[1], b"")


def streaming(connection):
    """Sends a response that never ends."""
    if read_head(connection) is None:
        return
    connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"5\r\ntick\n\r\n")
        time.sleep(0.05)


class End(unittest.TestCase):
    def sent(self, y):
        file = y.dir / "sink.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def checkpoints(self, y):
        return [line for line in self.sent(y) if line["kind"] == "checkpoint"]

    def first_line(self, y):
        with y.raw() as sock:
            sock.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            return sock.recv(1000).split(b"\r\n")[0]

    def make(self, address, **changes):
        y = signed(address, **changes)
        y.config["audit"]["sinks"] = [{"name": "file", "type": "file", "path": "sink.jsonl"}]
        y.write_config()
        return y

    def test_a_stop_sends_its_last_checkpoint_to_the_sinks(self):
        with Nginx() as up, self.make(up.address) as y:
            hello_times(y, 30, 50)
            y.stop()
            told = json.loads(yett("log", "verify", *config(y), "--format", "json")[1])
            last = self.sent(y)[-1]
            self.assertEqual((last["kind"], last["seq"]), ("checkpoint", told["last_seq"]))
            self.assertEqual((told["authenticated"], told["signed_seq"]), (True, told["last_seq"]))

    def test_decisions_are_signed_even_if_yett_is_killed_while_draining(self):
        with Service(streaming) as service, self.make(service.address) as y:
            sock = y.raw()
            sock.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b"tick", sock.recv(65536) + sock.recv(65536))
            wait_for("the decision in the sink", lambda: any(line["kind"] == "decision" for line in self.sent(y)), 5)
            decision = [line for line in self.sent(y) if line["kind"] == "decision"][-1]["seq"]
            y.process.send_signal(signal.SIGTERM)
            wait_for("a checkpoint that covers it", lambda: any(c["seq"] > decision for c in self.checkpoints(y)), 2)
            time.sleep(0.3)
            self.assertIsNone(y.process.poll())
            y.stop(signal.SIGKILL, None)
            checkpoint = self.checkpoints(y)[-1]
            code, out, err = yett("log", "verify", *config(y), "--checkpoint", f"{checkpoint['seq']}:{checkpoint['hash']}")
            self.assertEqual(code, 0, out + err)
            self.assertIn("authenticated", out)

    def test_delay_and_signals(self):
        with Service(streaming) as service, self.make(service.address, shutdown={"delay": "60s", "drain_timeout": "60s"}) as y:
            sock = y.raw()
            sock.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            sock.recv(1000)
            y.process.send_signal(signal.SIGTERM)
            wait_for("not ready", lambda: y.admin("/readyz")[0] == 503)
            self.assertIn("draining", y.admin("/readyz")[1])
            late = y.raw()
            late.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b"200 OK", late.recv(1000))
            y.write_rules('policy "p" { deny "all" {} }')  # policy changes apply until the end
            wait_for("the denial", lambda: b" 403 " in self.first_line(y))
            y.process.send_signal(signal.SIGTERM)
            wait_for("draining", lambda: " draining " in y.log())
            y.process.send_signal(signal.SIGQUIT)
            y.stop()
            self.assertTrue(y.verify()["ok"])

    def test_a_sink_that_is_down_delays_a_stop_only_by_its_timeout(self):
        with Nginx() as up:
            y = signed(up.address, shutdown={"sink_flush_timeout": "2s"})
            y.config["audit"]["sinks"] = [{"name": "otlp", "type": "otlp", "url": "http://127.0.0.1:1/v1/logs"}]
            y.write_config()
            with y:
                hello_times(y, 30, 5)
                began = time.monotonic()
                y.stop()
                self.assertGreater(time.monotonic() - began, 1.5)
                self.assertLess(time.monotonic() - began, 6 * SLOW)


def sets(y):
    """The events of clock steps, in all files."""
    rows = [json.loads(line) for line in yett("log", "query", *config(y), "--events", "--format", "json", "--limit", "10000")[1].splitlines()]
    return [row for row in rows if row["event"] == "clock set"]


@unittest.skipUnless("release" in BINARY, "a preloaded library conflicts with sanitizers")
class Clock(unittest.TestCase):
    def test_a_clock_that_is_set_forward_is_an_event_and_deletes_nothing(self):
        with Nginx() as up:
            y = Readers().small(up, retention={"age": "1h"})
            with fake_clock(y.dir):
                y.start()
            try:
                fill(y, 3000)
                closed = wait_for("rotation", lambda: sorted(y.dir.glob("yett.0*.db")), 10)
                y.replace("ahead", str(7 * 86400))
                wait_for("the event", lambda: sets(y), 20)
                event = sets(y)[0]
                self.assertRegex(event["detail"], r"^forward by 604(799|80\d) s, from ")
                self.assertIn("for a day, this step is ignored for the age of records", y.log())
                time.sleep(7)  # retention runs every five seconds
                self.assertTrue(closed[0].exists())
                fill(y, 10)
                y.replace("ahead", "0")
                wait_for("the way back", lambda: len(sets(y)) == 2, 20)
                fill(y, 10)
                wait_for("all", lambda: len(yett("log", "export", *config(y))[1].splitlines()) == 3020)
                seqs = [json.loads(line)["seq"] for line in yett("log", "export", *config(y))[1].splitlines()]
                self.assertEqual(seqs, sorted(seqs))  # ordered by number, whatever the clock said
            finally:
                y.stop()


    def test_a_restart_does_not_make_a_wrong_clock_trusted(self):
        with Nginx() as up:
            for retention in ({"age": "1h"}, {"size": "1MiB", "min_age": "1d"}):
                y = Readers().small(up, retention=retention)
                with fake_clock(y.dir):
                    y.start()
                    fill(y, 3000)
                    wait_for("rotation", lambda: sorted(y.dir.glob("yett.0*.db")), 10)
                    y.replace("ahead", str(7 * 86400))
                    wait_for("the event", lambda: sets(y), 20)
                    closed = sorted(y.dir.glob("yett.0*.db"))
                    if "age" in retention:  # with a size limit the log would be full of records that are too young
                        fill(y, 3000)  # whole files from after the step
                    for _ in range(2):
                        y.stop()
                        y.start()
                        time.sleep(7)
                        self.assertTrue(closed[0].exists(), retention)
                    if "age" in retention:
                        before = sorted(y.dir.glob("yett.0*.db"))
                        later = [file for file in before if file not in closed][1:]  # the first has older records
                        self.assertTrue(later)
                        for file in set(before) - set(later):
                            file.unlink()
                        time.sleep(7)
                        self.assertTrue(all(file.exists() for file in later))  # they are young as well
                    y.stop()


class Hold(unittest.TestCase):
    def test_hold_stops_retention_and_erasure_and_survives_restarts(self):
        with Nginx() as up:
            y = Readers().small(up, retention={"size": "1MiB"}, hold=True)
            with y:
                fill(y, 4000)
                files = wait_for("rotation", lambda: sorted(y.dir.glob("yett.0*.db")), 10)
                time.sleep(6)
                self.assertTrue(files[0].exists())
                self.assertEqual([e["event"] for e in y.query("--events") if e["event"].startswith("hold")], [])  # recorded in the first file
                erase = ("log", "erase", *config(y), "--principal", "anonymous", "--reason", "ticket 12", "--yes")
                code, _, err = yett(*erase)
                self.assertEqual((code, "is on hold" in err), (2, True), err)
                y.stop()
                code, _, err = yett("log", "erase", "--log", str(y.dir / "yett.db"), "--principal", "anonymous", "--yes")
                self.assertEqual((code, "is on hold" in err), (2, True), err)
                y.start()
                time.sleep(6)
                self.assertTrue(files[0].exists())
                y.config["audit"]["hold"] = False
                y.write_config()
                wait_for("the end of the hold", lambda: [e for e in y.query("--events") if e["event"] == "hold ended"])
                wait_for("retention", lambda: not files[0].exists(), 15)
                hello_times(y, 30, 3)  # rotation may have left the live file empty
                wait_for("the records", lambda: len(y.query()) >= 3)
                code, out, err = yett(*erase)
                self.assertEqual(code, 0, err)
                erased = [e for e in y.query("--events") if e["event"] == "erased"]
                self.assertRegex(erased[-1]["subject"], r"^ticket 12; asked by uid \d+")
                self.assertTrue(y.verify()["ok"])

    def test_min_age_wins_over_size(self):
        with Nginx() as up:
            y = Yett(up.address, rules=OPEN).plaintext()
            y.config["audit"].update({"record": {"headers": ["x-fill"]}, "retention": {"size": "1MiB", "min_age": "1h"}})
            y.write_config()
            with y:
                def status():
                    with y.raw() as sock:
                        sock.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                        return sock.recv(100)[9:12]

                before = y.verify()["first_seq"]
                fill(y, 2500)
                wait_for("a refusal", lambda: status() == b"503", 15)
                self.assertEqual(y.admin("/readyz")[0], 503)
                self.assertIn("younger than `retention.min_age`", y.log())
                self.assertEqual(y.verify()["first_seq"], before)


class Report(unittest.TestCase):
    def test_a_report_answers_the_questions_of_an_auditor(self):
        with Nginx() as up, signed(up.address) as y:
            hello_times(y, 30, 30)
            wait_for("the records", lambda: len(y.query()) == 30)
            y.write_rules('policy "p" {\n  allow "all" { principal = anyone, path = "/**" },\n  deny "admin" { path = "/admin/**", reason = "<script>alert(1)</script>" },\n}')

            def status(path):
                with y.raw() as sock:
                    sock.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                    return sock.recv(100)[9:12]

            wait_for("the denial", lambda: status(b"/admin/x") == b"403")
            wait_for("its record", lambda: y.query("--effect", "deny"))
            self.assertEqual(yett("log", "erase", *config(y), "--id", y.query()[0]["id"], "--reason", "ticket 12", "--yes")[0], 0)
            out = str(y.dir / "report.html")
            code, _, err = yett("log", "report", *config(y), "--out", out)
            self.assertEqual(code, 0, err)
            text = (y.dir / "report.html").read_text()
            parsed = html.parser.HTMLParser()
            tags = []
            parsed.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))
            parsed.feed(text)
            self.assertFalse({"script", "img", "link", "iframe"} & {tag for tag, _ in tags})
            self.assertFalse([a for _, a in tags if {"src", "href"} & set(a)])  # no network access
            for part in ("Intact, and signed by the required key", "1 denied", "/admin/x", "ticket 12; asked by uid", "<ins>+   deny &quot;admin&quot;", "&lt;script&gt;"):
                self.assertIn(part, text)
            self.assertEqual(yett("log", "report", *config(y), "--out", out)[0], 2)  # does not overwrite
            self.assertIn("No decision was made", yett("log", "report", *config(y), "--until", "2020-01-01T00:00:00Z")[1])
            y.stop()
            db = sqlite3.connect(y.dir / "yett.db")
            db.execute("UPDATE events SET detail = 'nothing' WHERE what = 'erased'")
            db.commit()
            db.close()
            code, out, err = yett("log", "report", *config(y))
            self.assertEqual(code, 1)
            self.assertIn("BROKEN: ", out)
