"""The policy language in the whole program: headers that policy computes, and rules that hold at some hours."""
import json
import time
import unittest

from fake_clock import fake_clock
from harness import BINARY, SLOW, Service, Yett, read_head
from test_policy import answer_with_request
from test_tools import yett
from test_websocket import accept_of, echo_bytes, header, opened

HEADERS = """
policy "p" {
  allow "user" {
    principal = authenticated, path = "/users/{name}",
    set_header = { ["x-user"] = function(r) return r.params.name .. "@" .. r.header["x-realm"] end, ["x-kind"] = "user" },
  },
  allow "body" {
    principal = authenticated, path = "/body", method = "POST",
    when = function(r) return r.body.json.ok end,
    set_header = { ["x-token"] = function(r) return r.body.json.token end },
  },
}
"""

HOURS = """
policy "p" {
  allow "office hours" { principal = authenticated, path = "/**", hours = { "09:00-18:00", zone = "UTC" } },
}
"""


def echo_or_answer(connection):
    """A service of WebSockets and of plain requests."""
    got = read_head(connection)
    key = header(got[0], "sec-websocket-key") if got else None
    if key:
        connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_of(key)}\r\n\r\n".encode())
        echo_bytes(connection, got[1])
    elif got:
        connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")


class Headers(unittest.TestCase):
    def test_a_computed_header_reaches_the_service_and_is_recorded_masked(self):
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules=HEADERS)
            y.listener["routes"][0]["buffer_body"] = "4KiB"
            y.write_config()
            with y:
                for name in ("alice", "bob", "alice"):  # the second time remembered
                    status, _, body = y.get(f"/users/{name}", headers={"x-realm": "corp", "x-user": "root@corp"})
                    body = body.decode()
                    self.assertEqual(status, 200)
                    lines = body.lower().split("\r\n")
                    self.assertEqual([line for line in lines if line.startswith("x-user")], [f"x-user: {name}@corp"])
                    self.assertIn("x-kind: user", lines)
                self.assertEqual(y.get("/users/alice")[0], 403)
                self.assertEqual(y.get("/users/alice", headers={"x-realm": "c\td"})[0], 200)
                self.assertEqual(y.get("/users/a%0db", headers={"x-realm": "corp"})[0], 400)
                headers = {"content-type": "application/json"}
                status, _, body = y.get("/body", method="POST", body=json.dumps({"ok": True, "token": "s3cr3t-value"}), headers=headers)
                self.assertEqual(status, 200)
                self.assertIn(b"x-token: s3cr3t-value", body.lower())
                self.assertEqual(y.get("/body", method="POST", body=json.dumps({"ok": True, "token": "a\r\nx-admin: 1"}), headers=headers)[0], 403)
                self.assertEqual(y.get("/body", method="POST", body=json.dumps({"ok": True}), headers=headers)[0], 403)
                self.assertIn('yett_remembered_hits_total{policy="p"} ', y.admin("/metrics")[1])
                y.stop()
                rows = y.query()
                self.assertTrue(all("s3cr3t-value" not in json.dumps(row) for row in rows))
                allowed = [row for row in rows if row["effect"] == "allow"]
                self.assertEqual(len(allowed), 5)
                for row in allowed:
                    name = "set_header.x-token" if row["path"] == "/body" else "set_header.x-user"
                    self.assertIn("hmac" if "hmac" in row["reads"][name] else "masked", row["reads"][name])
                denied = [row for row in rows if row["effect"] == "deny"]
                self.assertTrue(any("x-realm` is absent" in row["errors"] for row in denied), denied)
                self.assertTrue(any("not valid in a header" in row["errors"] for row in denied))
                self.assertTrue(y.verify()["ok"])
                code, out, err = yett("replay", "-c", str(y.dir / "yett.json"), "--policy", str(y.dir / "rules"), "--format", "json")
                report = json.loads(out)
                self.assertEqual((report["newly_denied"], report["newly_allowed"]), (0, 0), out)

    def test_a_computed_value_is_never_written_to_disk(self):
        rules = 'policy "p" { allow "a" { principal = authenticated, path = "/{x}", when = function(r) return r.params.x ~= "y" end, set_header = { ["x-t"] = function(r) return "s3cr3t-" .. r.params.x end } } }'
        with Service(answer_with_request) as service:
            y = Yett(service.address, rules=rules)
            y.config["cache"] = {"database": "cache.db", "key_file": "certs/cache.key"}
            y.write_config()
            with y:
                for _ in range(2):
                    self.assertIn(b"x-t: s3cr3t-abc", y.get("/abc")[2].lower())
                y.stop()
                files = list(y.dir.glob("cache.db*")) + list(y.dir.glob("yett.db*"))
                self.assertTrue(any(b"abc" in path.read_bytes() for path in y.dir.glob("cache.db*")))  # the condition's result is there
                self.assertEqual([path.name for path in files if b"s3cr3t-" + b"abc" in path.read_bytes()], [])

    def test_the_json_engine_copies_values(self):
        y = Yett("127.0.0.1:1")
        rules = y.dir / "json"
        rules.mkdir()
        rule = {"allow": "a", "principal": "anyone", "path": "/{x}/**", "set_header": {"x-caller": {"from": "params.x"}, "x-b": {"from": "header.x-a"}}}
        (rules / "r.json").write_text(json.dumps({"policies": {"p": {"rules": [rule]}}}))
        request = y.dir / "request.json"
        request.write_text(json.dumps({"path": "/shop/y", "headers": {"x-a": "1"}}))
        code, out, _ = yett("eval", rules, "--request", request, "--format", "json")
        self.assertEqual((code, json.loads(out)["sets"]), (0, {"x-b": "1", "x-caller": "shop"}))
        request.write_text(json.dumps({"path": "/shop/y"}))
        code, out, _ = yett("eval", rules, "--request", request)
        self.assertEqual(code, 1)
        self.assertIn("`set_header` of `x-b`: the value to copy is absent", out)
        for bad in ("body.json", "headers.x", "nothing", "params"):
            rule["set_header"] = {"x-a": {"from": bad}}
            (rules / "r.json").write_text(json.dumps({"policies": {"p": {"rules": [rule]}}}))
            self.assertIn(f"`{bad}` is not an attribute with a single value", yett("eval", rules, "--request", request)[2])

    def test_tests_and_eval_show_the_headers(self):
        y = Yett("127.0.0.1:1", rules=HEADERS)
        test = 'test "user" { principal = "spiffe://a.b/c", request = { path = "/users/bo", headers = { ["x-realm"] = "r" } }, expect = allowed "user", sets = { ["x-user"] = "%s" } }'
        (y.dir / "rules/p_test.lua").write_text(test % "bo@r")
        code, out, err = yett("test", y.dir / "rules", "--explain")
        self.assertEqual(code, 0, out + err)
        self.assertIn("sets  x-user: bo@r", out)
        (y.dir / "rules/p_test.lua").write_text(test % "al@r")
        code, out, _ = yett("test", y.dir / "rules")
        self.assertEqual(code, 1)
        self.assertIn("expected the header `x-user` to be set to `al@r`, got `bo@r`", out)


@unittest.skipUnless("release" in BINARY, "a preloaded library conflicts with sanitizers")
class Hours(unittest.TestCase):
    def test_streams_end_when_the_hours_of_their_rule_end(self):
        with Service(echo_or_answer) as service:
            y = Yett(service.address, rules=HOURS)
            y.listener["routes"][0]["upgrades"] = ["websocket"]
            y.write_config()
            now = int(time.time())
            open_at = (10 * 3600 - now) % 86400
            with fake_clock(y.dir):
                y.replace("ahead", str(open_at))
                y.start()
            try:
                sock, head, _ = opened(y)
                self.assertIn(" 101 ", head)
                text = b"\x81\x82\x00\x00\x00\x00hi"  # masked with zeros
                self.assertEqual(y.get("/a")[0], 200)
                y.replace("ahead", str(open_at + 7 * 3600))
                time.sleep(1.5)
                sock.sendall(text)
                self.assertEqual(sock.recv(100), text)  # at 17:00; the echo is masked too, which Yett does not mind
                y.replace("ahead", str(open_at + 8 * 3600 + 5))
                sock.settimeout(3 * SLOW)
                while sock.recv(100):
                    pass
                self.assertEqual(y.get("/a")[0], 403)
                y.replace("ahead", str(open_at + 24 * 3600))
                self.assertEqual(y.get("/a")[0], 200)
            finally:
                y.stop()
            ended = [row for row in y.query() if row["effect"] == "deny"]
            self.assertEqual([row["rule"] for row in ended], ["default", "default"])
            results = {row.get("outcome", {}).get("result") for row in y.query()}
            self.assertIn("ended by the hours of a rule", results)


if __name__ == "__main__":
    unittest.main()
