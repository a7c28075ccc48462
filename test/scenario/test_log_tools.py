"""yett log: filters in policy's own patterns, what an answer leaves out, ids by their beginning, tables on a terminal."""
import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import termios
import time
import unittest

from harness import BINARY, DOMAIN, Yett, environment, wait_for
from test_tools import yett

SHOP = f'''policy "shop" {{
  allow "orders" {{ principal = "{DOMAIN}/*", path = "/orders/**" }},
  deny "город" {{ path = "/denied/**", when = function(r) return true, "потому что" end }},
}}'''


class LogTools(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.y = Yett("127.0.0.1:1", rules=SHOP)
        cls.addClassCleanup(shutil.rmtree, cls.y.dir, ignore_errors=True)
        cls.y.start()
        cls.began = int(time.time())
        for path in ("/orders", "/orders/1", "/orders/1/items", "/ordersx", "/denied/1", "/denied/" + "x" * 200):
            for who in ("frontend", "other"):
                cls.y.get(path, who=who)
        cls.y.get("/orders/2", who="frontend", headers={"Host": "shop.example.org:8443"})
        wait_for("the records", lambda: len(cls.y.query()) == 13)
        cls.y.stop()
        cls.log = str(cls.y.dir / "yett.db")

    def ask(self, *args, command="query"):
        code, out, err = yett("log", command, "--log", self.log, *args)
        return code, out, err

    def paths(self, *args):
        code, out, err = self.ask("--format", "json", "--limit", "1000", *args)
        self.assertEqual(code, 0, err)
        return [json.loads(line)["path"] for line in out.splitlines()]

    def test_patterns_of_policy(self):
        self.assertEqual(set(self.paths("--path", "/orders/{id}")), {"/orders/1", "/orders/2"})
        self.assertEqual(set(self.paths("--path", "/orders/*")), {"/orders/1", "/orders/2"})
        self.assertEqual(set(self.paths("--path", "/orders/**")), {"/orders", "/orders/1", "/orders/1/items", "/orders/2"})
        self.assertEqual(set(self.paths("--path", "/*/1/items")), {"/orders/1/items"})
        self.assertEqual(set(self.paths("--path", "/orders*")), {"/orders", "/orders/1", "/orders/1/items", "/orders/2", "/ordersx"})
        self.assertEqual(len(self.paths("--path", "/**")), 13)
        self.assertEqual(self.paths("--path", "*"), [])  # the target of OPTIONS *, not everything
        self.assertTrue(self.ask("--path", "*", command="erase")[1].startswith("0 records"))
        self.assertEqual(len(self.paths("--principal", "spiffe://EXAMPLE.org/frontend")), 7)
        self.assertEqual(len(self.paths("--principal", f"{DOMAIN}/*")), 13)
        self.assertEqual(len(self.paths("--principal", f"{DOMAIN}/front*")), 7)
        self.assertEqual(len(self.paths("--principal", f"{DOMAIN}/*/x")), 0)
        self.assertEqual(len(self.paths("--principal", f"{DOMAIN}/**", "--path", "/orders/{a}/{b}")), 2)
        stats = json.loads(self.ask("--path", "/orders/{id}", "--format", "json", "--by", "path", command="stats")[1].splitlines()[0])
        self.assertEqual(stats["count"], 2)

    def test_status_host_and_source(self):
        self.assertEqual(len(self.paths("--status", "403")), 6)
        self.assertEqual(len(self.paths("--status", "5xx")), 7)
        self.assertEqual(self.paths("--host", "Shop.Example.org"), ["/orders/2"])
        self.assertEqual(len(self.paths("--source", "127.0.0.1")), 13)
        self.assertEqual(self.paths("--source", "10.0.0.1"), [])
        exported = self.ask("--status", "4xx", command="export")[1].splitlines()
        self.assertEqual(len(exported), 6)

    def test_what_no_record_can_match_is_an_error(self):
        for args, wanted in ((("--path", "orders"), "a path begins with `/`"), (("--path", "/caf\u00e9 x"), "is not a path that a record can have"), (("--id", "*"), "is not a decision id"), (("--path", "/a/{b"), "--path `/a/{b`"), (("--path", "/a/**/**"), "--path `/a/**/**`: has `**` twice"),
                             (("--principal", "frontend"), "a caller is `anonymous` or begins with `spiffe://`"), (("--principal", "spiffe://*/x"), "a trust domain is literal"),
                             (("--method", "get"), "methods are in upper case"), (("--id", "xyz"), "is not a decision id"), (("--source", "localhost"), "is not an IP address"),
                             (("--host", "a/b"), "is not a host name"), (("--status", "200x"), "is not a status"), (("--status", "9xx"), "is not a status"),
                             (("--events", "--status", "403"), "--events can be filtered only by")):
            code, out, err = self.ask(*args)
            self.assertEqual((code, out), (2, ""), args)
            self.assertIn(wanted, err)

    def test_cut_and_empty_answers_say_so(self):
        code, out, err = self.ask("--limit", "5")
        self.assertEqual((code, len(out.splitlines())), (0, 6))
        self.assertEqual(err, "yett: the newest 5 of 13 are shown: --limit 13 shows all\n")
        self.assertEqual(self.ask("--limit", "2", "--status", "403")[2], "yett: the newest 2 of 6 are shown: --limit 6 shows all\n")
        self.assertEqual(self.ask("--limit", "13")[2], "")
        code, out, err = self.ask("--path", "/nowhere")
        self.assertEqual((code, out), (0, ""))
        self.assertRegex(err, r"^yett: no record matches; the log covers \d{4}-\S+Z to \d{4}-\S+Z\n$")
        self.assertEqual(self.ask("--path", "/nowhere", "--format", "json"), (0, "", ""))  # programs see that it is empty

    def test_ids_by_their_beginning(self):
        whole = json.loads(self.ask("--format", "json")[1].splitlines()[3])
        table = self.ask()[1]
        shown = re.findall(r"  ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4})\b", table)
        self.assertEqual(len(shown), 13)
        self.assertIn(whole["id"][:18], shown)
        rows = [json.loads(line) for line in self.ask("--format", "json", "--id", whole["id"][:-3])[1].splitlines()]
        self.assertEqual([row["seq"] for row in rows], [whole["seq"]])
        for beginning in (whole["id"], whole["id"][:-1], whole["id"].upper()[:-4]):
            code, out, err = yett("log", "show", beginning, "--log", self.log, "--format", "json")
            self.assertIn(code, (0, 3), err)
            self.assertEqual(json.loads(out)["seq"], whole["seq"])
        code, out, err = yett("log", "show", whole["id"][:3], "--log", self.log)
        self.assertEqual((code, out), (2, ""))
        self.assertIn("several decisions have ids that begin with", err)
        self.assertIn("no decision whose id begins with `ffff`", yett("log", "show", "ffff", "--log", self.log)[2])
        self.assertIn("is not a decision id", yett("log", "show", "x y", "--log", self.log)[2])

    def on_terminal(self, columns, *args, **env):
        """What a terminal of this width gets."""
        here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        process = subprocess.Popen([BINARY, "log", "query", "--log", self.log, *args], stdout=there, stderr=subprocess.DEVNULL, env={**environment(), "TERM": "xterm", **env})
        os.close(there)
        data = b""
        while True:
            try:
                piece = os.read(here, 65536)
            except OSError:
                break
            if not piece:
                break
            data += piece
        os.close(here)
        process.wait(20)
        return data.decode().replace("\r\n", "\n")

    def test_tables_fit_the_terminal(self):
        for columns in (80, 120, 200):
            text = self.on_terminal(columns, NO_COLOR="1")
            self.assertNotIn("\x1b", text)
            lines = text.splitlines()
            self.assertEqual(len(lines), 14)
            self.assertLessEqual(max(map(len, lines)), columns)
            self.assertIn("\u2026", text)
            at = lines[0].index("EFFECT")
            self.assertEqual({line[at:at + 5].strip() for line in lines[1:]}, {"ALLOW", "DENY"})
        self.assertIn("\x1b[31mDENY", self.on_terminal(120))
        self.assertNotIn("\x1b", self.on_terminal(120, TERM="dumb"))
        piped = self.ask()[1]
        self.assertIn("x" * 200, piped)  # nothing is lost in a pipe
        self.assertIn("shop: город", piped)
        self.assertIn("потому что", piped)

    def test_times(self):
        for since, count in (("last tuesday", 13), ("this quarter", 13), ("last year", 13), (str(self.began - 60), 13), (str(self.began + 86400), 0),
                             ("2001-Q3", 13), ("2100-Q1", 0), ("2020-01-01T00:00:00-0500", 13), ("2020-01-01T00:00:00+05:30", 13)):
            self.assertEqual(len(self.paths("--since", since)), count, since)
        for bad in ("last someday", "2026-Q5", "2026-Q0", "2020-01-01T00:00:00-05", "123456789", "2020-01-01T00:00:00-2500", "1000000000000d"):
            code, _, err = self.ask("--since", bad)
            self.assertEqual(code, 2, bad)
            self.assertIn("is not a time", err)


if __name__ == "__main__":
    unittest.main()
