"""The lines written by a sink with `proof` can be verified without the database."""
import json
import subprocess
import unittest

from harness import BINARY, DOMAIN, Nginx, Yett, environment, wait_for

SHOP = f'policy "shop" {{ allow "hello" {{ principal = "{DOMAIN}/*", path = "/hello" }}, deny "orders" {{ path = "/orders/**" }} }}'


def run(*args):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, env=environment())


def yett_of(upstream, **audit):
    sink = {"name": "out", "type": "file", "path": "lines.jsonl", "proof": True}
    return Yett(upstream, rules=SHOP, audit={"database": "yett.db", "key_file": "certs/audit.key", "checkpoint_records": 20, "instance": "till-3", "sinks": [sink], **audit})


def filled(y):
    """Sends requests and stops; returns the verification of the database."""
    y.start()
    for path in ("/hello", "/orders/1?a=b", "/hello", "/closed") * 6:
        y.get(path)
    y.get("/caf%ff?q=%fe")  # invalid UTF-8: JSON cannot represent it, the proof can
    y.stop()
    return y.verify()


class FromSink(unittest.TestCase):
    def lines(self, y):
        return (y.dir / "lines.jsonl").read_bytes().splitlines(keepends=True)

    def verify(self, y, lines=None, *words):
        if lines is not None:
            (y.dir / "changed.jsonl").write_bytes(b"".join(lines))
        return run("log", "verify", "--from-sink", str(y.dir / ("lines.jsonl" if lines is None else "changed.jsonl")), *words)

    def test_sink_lines_verify_like_the_database(self):
        with Nginx() as up:
            y = yett_of(up.address)
            ours = filled(y)
            # The last checkpoint is made at the stop; the sink gets it after the next start.
            y.start()
            wait_for("the lines", lambda: len(self.lines(y)) >= ours["records"])
            y.stop()
            key = str(y.certs / "audit.pub")
            done = self.verify(y, None, "--key", key, "--format", "json")
            said = json.loads(done.stdout)
            self.assertEqual((done.returncode, said["ok"], said["authenticated"]), (0, True, True), said)
            self.assertGreaterEqual(said["records"], ours["records"])
            self.assertRegex(said["writer"], rf"^till-3, {DOMAIN}/server, key [0-9a-f]{{16}}$")
            self.assertEqual(said["writer"], ours["writer"])
            self.assertIn("written by till-3", self.verify(y).stdout)
            # Lines from a later one on verify as a part of the log.
            part = json.loads(self.verify(y, self.lines(y)[5:], "--key", key, "--format", "json").stdout)
            self.assertTrue(part["ok"] and part["authenticated"], part)
            self.assertEqual(part["continues"], json.loads(self.lines(y)[4])["hash"])
            # Duplicates are fine: sinks send again what may not have arrived.
            again = json.loads(self.verify(y, self.lines(y)[:9] + self.lines(y)[4:], "--format", "json").stdout)
            self.assertEqual((again["ok"], again["records"]), (True, said["records"]))
            # With fields in another order, as other programs may write them.
            other = [json.dumps(dict(reversed(json.loads(line).items())), indent=None).encode() + b"\n" for line in self.lines(y)]
            self.assertEqual(self.verify(y, other).returncode, 0)

    def test_changes_are_found_and_located(self):
        with Nginx() as up:
            y = yett_of(up.address)
            filled(y)
            lines = self.lines(y)
            self.assertEqual(self.verify(y, lines).returncode, 0)
            at = next(i for i, line in enumerate(lines) if b'"effect":"deny"' in line)
            seq = json.loads(lines[at])["seq"]

            def changed(make):
                line = json.loads(lines[at])
                make(line)
                return lines[:at] + [json.dumps(line).encode() + b"\n"] + lines[at + 1:]

            def erase(line):
                for name in ("principal", "path", "host", "raw_target", "reason", "source", "reads", "errors"):
                    line.pop(name, None)
                line["erased"] = True
                del line["proof"]["salt"], line["proof"]["personal"]

            for what, tampered in (
                    ("its fields do not match", changed(lambda line: line.update(effect="allow"))),
                    ("its fields do not match", changed(lambda line: line.update(path="/harmless"))),
                    ("its fields do not match", changed(lambda line: line.update(more=1))),
                    ("its fields do not match", changed(lambda line: line.pop("rule"))),
                    ("personal fields are not those", changed(lambda line: line["proof"].update(salt="00" * 16))),
                    ("does not follow", lines[:at] + lines[at + 1:]),
                    ("does not follow", lines[:at] + [lines[at + 1], lines[at]] + lines[at + 2:]),
                    ("has no `proof`", changed(lambda line: line.pop("proof"))),
                    ("`proof` is damaged", changed(lambda line: line["proof"].update(prev="xy"))),
                    ("is not JSON", lines[:at] + [b"{\n"] + lines[at:]),
                    ("cut off", lines[:-1] + [lines[-1][:-9]]),
                    ("have lost their personal fields", changed(erase))):
                done = self.verify(y, tampered, "--format", "json")
                said = json.loads(done.stdout)
                self.assertEqual((done.returncode, said["ok"]), (1, False), what)
                self.assertIn(what, said["broken"])
            self.assertIn(f":{at + 1}: record {seq}: ", json.loads(self.verify(y, changed(lambda line: line.update(path="/x")), "--format", "json").stdout)["broken"])
            # An unexpected key, and a tail that was cut off after a line.
            run("certs", "init", "--dir", str(y.dir / "stranger"))
            self.assertIn("another key", self.verify(y, lines, "--key", str(y.dir / "stranger/audit.pub")).stdout)
            last = [json.loads(line) for line in lines if b'"kind":"checkpoint"' in line][-1]
            cut = self.verify(y, lines[:at], "--checkpoint", f"{last['seq']}:{last['hash']}")
            self.assertIn("its tail was cut off", cut.stdout)
            self.assertEqual(self.verify(y, lines, "--checkpoint", f"{last['seq']}:{last['hash']}").returncode, 0)

    def test_a_missing_lines_file_is_reported(self):
        done = run("log", "verify", "--from-sink", "/nowhere/lines.jsonl")
        self.assertEqual((done.returncode, done.stderr), (2, "yett: /nowhere/lines.jsonl: No such file or directory\n"))


if __name__ == "__main__":
    unittest.main()
