"""yett test and yett eval: the caller's connection, several engines, selection, watching, and what a failure shows."""
import json
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

from harness import BINARY, SLOW, environment, wait_for
from test_tools import yett

ID = "spiffe://example.org/client"


class PolicyTools(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-policy-tools-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def write(self, name, text):
        path = self.dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def test_coverage_tells_engines_apart(self):
        for engine in ("one", "two"):
            self.write(f"{engine}/a.lua", f'policy "p" {{\n allow "x" {{ principal = anyone, path = "/{engine}", when = function(r)\n  return true end }} }}')
        self.write("one/a_test.lua", 'test "fails first" { request = { path = "/" }, expect = allowed }\ntest "one" { request = { path = "/one" }, expect = allowed }')
        self.write("two/a_test.lua", 'test "nothing" { request = { path = "/" }, expect = denied }')
        code, out, _ = yett("test", "one", "two", "--coverage", cwd=self.dir)
        self.assertEqual(code, 1)
        self.assertIn("coverage: rules 1 of 2, lines of conditions 1 of 2", out)

    def test_properties_of_the_connection(self):
        self.write("rules/a.lua", f'''policy "p" {{
          allow "sees all" {{ principal = "{ID}", path = "/all", when = function(r)
            return r.destination.ip == "10.1.2.3" and r.destination.port == 8443 and r.tls.sni == "orders" and r.protocol == "HTTP/2"
              and r.source.ip == "2001:db8::1" and r.source.port == 55 and r.scheme == "https" end }},
          allow "forwarded" {{ principal = anyone, path = "/f", when = function(r) return has(r.header, "x-forwarded-for") end }},
          allow "plain" {{ principal = anyone, path = "/plain", when = function(r) return r.scheme == "http" and not has(r.tls, "version") end }},
        }}''')
        self.write("rules/a_test.lua", f'''
          test "all" {{ principal = "{ID}", destination = "10.1.2.3:8443", sni = "orders", protocol = "HTTP/2", source = "[2001:db8::1]:55",
                        request = {{ path = "/all" }}, expect = allowed "sees all" }}
          test "forwarder" {{ forwarder = true, request = {{ path = "/f", headers = {{ ["x-forwarded-for"] = "1.2.3.4" }} }}, expect = allowed "forwarded" }}
          test "unreadable" {{ principal = "{ID}", forwarder = true, request = {{ path = "/f", headers = {{ ["x-forwarded-for"] = "1.2.3.4", ["x-forwarded-client-cert"] = "By=\\"" }} }}, expect = rejected }}
          test "no forwarder" {{ request = {{ path = "/f", headers = {{ ["x-forwarded-for"] = "1.2.3.4" }} }}, expect = denied.by_default }}
          test "http" {{ scheme = "http", request = {{ path = "/plain" }}, expect = allowed "plain" }}
          test "https" {{ request = {{ path = "/plain" }}, expect = denied }}''')
        code, out, err = yett("test", self.dir / "rules")
        self.assertEqual((code, err), (0, ""), out)
        request = self.write("request.json", json.dumps({"path": "/all", "principal": ID, "destination": "10.1.2.3:8443", "sni": "orders", "protocol": "HTTP/2", "source": "[2001:db8::1]:55"}))
        self.assertEqual(yett("eval", self.dir / "rules", "--request", request)[0], 0)
        http = self.write("request.http", "GET /all HTTP/1.1\r\nHost: a\r\n\r\n")
        base = ("eval", self.dir / "rules", "--http", http, "--principal", ID, "--destination", "10.1.2.3:8443", "--sni", "orders", "--source", "[2001:db8::1]:55")
        self.assertEqual(yett(*base, "--protocol", "HTTP/2")[0], 0)
        self.assertEqual(yett(*base)[0], 1)
        for args, wanted in ((("--protocol", "h2"), "must be HTTP/1.1 or HTTP/2"), (("--scheme", "ftp"), "must be https or http"), (("--source", "nowhere"), "must be an address or address:port"),
                             (("--destination", "1.2.3.4:99999"), "must be an address or address:port"), (("--scheme", "http"), "a caller over http is anonymous")):
            code, _, err = yett("eval", self.dir / "rules", "--http", http, "--principal", ID, *args)
            self.assertEqual(code, 2, args)
            self.assertIn(wanted, err)

    def test_several_engines_as_in_the_configuration(self):
        self.write("main/a.lua", f'policy "main" {{ allow "all" {{ principal = anyone, path = "/**" }} }}')
        self.write("main/a_test.lua", 'test "closed by the other engine" { request = { path = "/closed" }, expect = denied "guard/closed" }\n'
                                      'test "open" { request = { path = "/x" }, expect = allowed "all" }')
        self.write("guard/b.lua", 'policy "guard" { deny "closed" { path = "/closed" }, allow "never" { principal = anyone, path = "/closed" } }')
        self.write("guard/b_test.lua", 'test "guarded" { request = { path = "/closed" }, expect = denied "closed" }')
        self.write("more/r.json", json.dumps({"policies": {"more": {"rules": [{"deny": "json", "path": "/json"}]}}}))
        self.write("more/r_test.lua", 'test "the engine rules" { request = { path = "/json" }, expect = denied "more/json" }')
        code, out, err = yett("test", "main", "guard", "more", "--coverage", cwd=self.dir)
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("4 passed, 0 failed", out)
        self.assertEqual(set(re.findall(r"^\w+/\w+_test.lua$", out, re.M)), {"main/a_test.lua", "guard/b_test.lua", "more/r_test.lua"})
        self.assertIn("never decided: b.lua:1: guard/never", out)
        self.assertEqual(yett("eval", "main", "guard", "--request", self.write("r.json", '{"path": "/closed"}'), cwd=self.dir)[0], 1)
        code, _, err = yett("test", "main", cwd=self.dir)  # alone it lacks the other engine
        self.assertEqual(code, 2)
        self.assertIn("expects the rule `guard/closed`, which does not exist", err)
        config = {"listeners": [{"name": "a", "address": "127.0.0.1:1", "plaintext": True, "routes": [{"cluster": "c"}]}], "clusters": [{"name": "c", "endpoints": ["127.0.0.1:1"]}],
                  "audit": {"database": "x.db"}, "policy": {"engines": [{"name": "m", "type": "lua", "path": "main"}, {"name": "g", "type": "lua", "path": "guard", "role": "veto"}]}}
        self.write("yett.json", json.dumps(config))
        code, out, err = yett("test", cwd=self.dir)
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("3 passed, 0 failed", out)
        self.assertEqual(yett("eval", "--request", "r.json", cwd=self.dir)[0], 1)

    def test_a_failure_shows_the_nearest_rule(self):
        self.write("rules/a.lua", f'''policy "p" {{
          allow "reads" {{ principal = "{ID}", method = {{ "GET", "HEAD" }}, path = "/orders/{{id}}" }},
          allow "by header" {{ principal = "{ID}", path = "/h", header = {{ ["x-env"] = {{ "prod", "test" }} }} }},
          allow "by condition" {{ principal = "{ID}", path = "/c", when = function(r) return r.query["a"] == "1" end }},
        }}''')
        self.write("rules/a_test.lua", f'''
          test "path" {{ principal = "{ID}", request = {{ path = "/order/42" }}, expect = allowed "reads" }}
          test "header" {{ principal = "{ID}", request = {{ path = "/h", headers = {{ ["x-env"] = "dev" }} }}, expect = allowed }}
          test "condition" {{ principal = "{ID}", request = {{ path = "/c?a=2" }}, expect = allowed }}
          test "anonymous" {{ request = {{ path = "/orders/1" }}, expect = allowed }}''')
        code, out, _ = yett("test", "rules", cwd=self.dir)
        self.assertEqual(code, 1)
        for part in ('nearest: allow "reads" (a.lua:2): `path` does not match\n                   wants /orders/{id}\n                   got   /order/42\n',
                     'nearest: allow "by header" (a.lua:3): `header` does not match\n                   wants x-env: prod, test\n                   got   x-env: dev\n',
                     'nearest: allow "by condition" (a.lua:4): its condition returned false\n                   read  query.a = 2',
                     'nearest: allow "reads" (a.lua:2): `principal` does not match\n                   wants spiffe://example.org/client\n                   got   anonymous\n'):
            self.assertIn(part, out)
        explained = yett("test", "rules", "--run", "path", "--explain", cwd=self.dir)[1]
        self.assertEqual(len(re.findall(r'allow "', explained)), 3)
        report = json.loads(yett("test", "rules", "--format", "json", cwd=self.dir)[1])
        near = {t["name"]: t["nearest"] for t in report["tests"]}
        self.assertEqual((near["path"]["failed"], near["path"]["wanted"], near["path"]["got"]), ("path", "/orders/{id}", "/order/42"))
        xml.etree.ElementTree.fromstring(yett("test", "rules", "--format", "junit", cwd=self.dir)[1])

    def test_selection(self):
        self.write("rules/a.lua", 'policy "p" { allow "a" { principal = anyone, path = "/" } }')
        self.write("rules/a_test.lua", "".join(f'test "{name}" {{ request = {{ path = "/" }}, expect = allowed }}\n' for name in ("read orders", "read users", "write orders")))
        for pattern, count in (("orders", 2), ("read*", 2), ("*orders", 2), ("r*s", 2), ("read orders", 1), ("*", 3), ("r*d*o*s", 1)):
            code, out, _ = yett("test", "rules", "--run", pattern, cwd=self.dir)
            self.assertIn(f"{count} passed, 0 failed", out, pattern)
        for pattern in ("orders*", "nothing"):
            code, _, err = yett("test", "rules", "--run", pattern, cwd=self.dir)
            self.assertEqual(code, 2)
            self.assertIn(f"--run {pattern}: no test has such a name", err)

    def test_watching(self):
        policy = self.write("rules/a.lua", 'policy "p" { allow "a" { principal = anyone, path = "/" } }')
        self.write("rules/a_test.lua", 'test "one" { request = { path = "/" }, expect = allowed }')
        with open(self.dir / "out", "w") as out:
            process = subprocess.Popen([BINARY, "test", "rules", "--watch"], cwd=self.dir, stdout=out, stderr=out, env=environment())
        try:
            said = lambda text: text in (self.dir / "out").read_text()
            wait_for("the first run", lambda: said("1 passed, 0 failed") and said("watching for changes"), 20)
            policy.write_text('policy "p" { deny "a" { path = "/" } }')
            wait_for("the second run", lambda: said("0 passed, 1 failed"), 20)
            policy.write_text('policy "p" {')
            wait_for("the problem", lambda: said("1 problem"), 20)
            time.sleep(0.7 * SLOW)
            self.assertEqual((self.dir / "out").read_text().count("1 problem"), 1)
        finally:
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(20), -signal.SIGINT)

    def test_no_control_character_reaches_a_terminal(self):
        self.write("rules/a.lua", 'policy "p" { allow "a" { principal = anyone, path = "/", when = function(r) return false, "\\27[31mred\\7" end } }')
        self.write("rules/a_test.lua", 'test "\\27[2Jгород" { request = { path = "/", headers = { ["x-a"] = "\\27[0m" } }, expect = allowed "a\\27[1m" }')
        for args in ((), ("--explain",), ("--format", "json"), ("--format", "junit")):
            out = yett("test", "rules", *args, cwd=self.dir)[1]
            self.assertNotRegex(out, r"[\x00-\x09\x0b-\x1f\x7f]")
        self.write("rules/a_test.lua", 'test "город" { request = { path = "/" }, expect = denied }')
        self.assertIn("город", yett("test", "rules", cwd=self.dir)[1])


if __name__ == "__main__":
    unittest.main()
