"""What a fourth review of tokens found: keys that another provider's callers held back, tokens in forms that only the service reads, and tools that said something else."""
import json
import subprocess
import threading
import time
import unittest

import test_tokens
from harness import BINARY, SLOW, environment, wait_for
from test_tokens import ISSUER, KeyServer


def tool(*args):
    """Its exit status, and all that it said."""
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, env=environment())
    return done.returncode, done.stdout + done.stderr


class Edges(unittest.TestCase):
    setUp = test_tokens.Tokens.setUp
    yett = test_tokens.Tokens.yett
    get = test_tokens.Tokens.get

    def test_callers_of_one_provider_do_not_hold_back_the_keys_of_another(self):
        keys = KeyServer({"/a": self.idp.jwks(), "/b": self.idp.jwks("e")})
        y = self.yett()
        both = {"issuer": ISSUER, "audiences": ["orders"], "algorithms": ["RS256", "ES256"], "ca": "certs/bundle.pem", "refresh_interval": "1h"}
        y.config["authentication"]["jwt"] = {"a": {**both, "jwks": keys.url + "/a"}, "b": {**both, "jwks": keys.url + "/b"}}
        y.config["listeners"][0]["routes"] = [{"path": f"/{name}/**", "cluster": "app", "jwt": {name: "required"}} for name in "ab"]
        y.write_config()
        keys.start(y, self)
        with y:
            wait_for("the keys", lambda: [self.get(y, f"/{name}/x", self.idp.token())[0] for name in "ab"] == [200, 200], 30)
            over = threading.Event()
            forged = self.idp.token("nobody", "RS256", key=self.idp.keys["r"][0])

            def flood():
                while not over.wait(0.05):
                    y.get("/a/x", headers={"Authorization": "Bearer " + forged})

            flooding = threading.Thread(target=flood)
            flooding.start()
            try:
                time.sleep(10.5)  # `b` was asked for its first keys, and may be asked again
                wait_for("a fetch for the flood", lambda: keys.asked.count("/a") > 1, 15 * SLOW)
                keys.texts["/b"] = self.idp.jwks()
                began = time.monotonic()
                wait_for("the new key", lambda: self.get(y, "/b/x", self.idp.token("e"))[0] == 200, 20 * SLOW)
                self.assertLess(time.monotonic() - began, 8 * SLOW)
            finally:
                over.set()
                flooding.join()

    def test_head_needs_the_token_of_get(self):
        routes = [{"path": "/one", "methods": ["GET"], "cluster": "app", "jwt": {"corp": "required"}}, {"path": "/**", "cluster": "app"}]
        with self.yett(routes) as y:
            status = lambda method, **headers: y.get("/one", method=method, headers=headers)[0]
            token = {"Authorization": "Bearer " + self.idp.token()}
            self.assertEqual([status("GET"), status("HEAD"), status("POST")], [401, 401, 200])
            self.assertEqual([status("GET", **token), status("HEAD", **token)], [200, 200])

    def test_a_token_that_only_the_service_would_read(self):
        token = self.idp.token(blocked=True)
        with self.yett(forward=True) as y:
            y.write_rules('policy "p" { deny "blocked" { claim = { ["corp.blocked"] = true } }, allow "all" { principal = anyone } }')
            wait_for("the policy", lambda: self.get(y, "/maybe/x", token)[0] == 403, 10)
            for value in ("Token " + token, "JWT " + token, token, "Bearer:" + token, "Bearer," + token, '"Bearer ' + token, "DPoP " + token):
                self.assertEqual(self.get(y, "/maybe/x", Authorization=value)[0], 401, value[:12])
                self.assertIn("authorization", self.get(y, "/open/x", Authorization=value)[2])  # nobody asks there
            for value in ("Basic amFuZTpzZWNyZXQ=", "Token 1.2.3", "Negotiate abc"):
                self.assertIn(value.lower(), self.get(y, "/maybe/x", Authorization=value)[2])

    def test_registered_claims_have_one_spelling(self):
        with self.yett() as y:
            self.assertEqual(self.get(y, "/x", self.idp.token(Other="x"))[0], 200)
            for claims in ({"Sub": "x"}, {"AUD": "x"}, {"sub": None, "Sub": "x"}, {"Exp": 1}):
                status, asks, _ = self.get(y, "/x", self.idp.token(**claims))
                self.assertEqual(status, 401, claims)
                self.assertIn("stands there in another spelling", asks)

    def test_what_a_deny_reads_in_scopes(self):
        y = self.yett()
        y.write_rules('policy "p" { deny "admins" { claim = { ["corp.scope"] = "admin" } }, allow "readers" { principal = anyone, claim = { ["corp.scope"] = "read" } } }')
        y.write_rules("""
for name, scope in pairs { tab = "read x\\tadmin", line = "read\\nadmin", list = { "read", "x admin" } } do
  test(name) { request = { path = "/", jwt = { corp = { scope = scope } } }, expect = denied("admins") }
end
test("a tab is no separator for an allow") { request = { path = "/", jwt = { corp = { scope = "read\\tx" } } }, expect = denied.by_default }
test("words") { request = { path = "/", jwt = { corp = { scope = "x read" } } }, expect = allowed("readers") }
""".replace("\\\\", "\\"), "p_test.lua")
        status, said = tool("test", str(y.dir / "rules"))
        self.assertEqual(status, 0, said)

    def test_tools_say_what_happens(self):
        y = self.yett([{"path": "/both", "cluster": "app", "jwt": {"corp": "optional"}}, {"path": "/**", "cluster": "app", "jwt": {"corp": "required"}}], headers={"x-role": "{claims.role}"})
        config = ("-c", str(y.dir / "yett.json"))
        y.write_rules('policy "p" { deny "guests" { header = { ["x-role"] = "guest" } }, allow "all" { principal = anyone } }')
        y.write_rules('test("a header of the caller") { request = { path = "/", headers = { ["x-role"] = "guest" } }, expect = allowed("all") }', "p_test.lua")
        said = tool("check", *config)[1]
        self.assertIn("wants the header `x-role`, which only a token of `corp` sets, after policy", said)
        self.assertRegex(said, r"/both +-> app, with perhaps a token of corp\n")
        self.assertRegex(said, r"/\*\* +-> app, with a token of corp\n")
        status, said = tool("test", *config)
        self.assertEqual(status, 0, said)
        request = json.dumps({"path": "/", "headers": {"x-role": "guest"}})
        (y.dir / "request.json").write_text(request)
        self.assertEqual(tool("eval", *config, "--request", str(y.dir / "request.json"))[0], 0)
        for token, why in (("crop = { sub = 'jane' }", "has a token of `crop`, a provider that the configuration does not have, did you mean `corp`?"),
                           ("corp = { exp = 1000 }", "`exp` is over at the time of the request")):
            y.write_rules('test("x") { request = { path = "/", jwt = { ' + token + ' } }, expect = allowed("all") }', "p_test.lua")
            status, said = tool("test", *config)
            self.assertNotEqual(status, 0)
            self.assertIn(why, said)
        for value, why in (("3.5", "must give a string, a whole number, true or false, or a list of these"), ("9007199254740993", "is beyond 2^53-1")):
            y.write_rules('policy "p" { allow "all" { principal = anyone, claim = { ["corp.level"] = ' + value + " } } }")
            y.write_rules("", "p_test.lua")
            self.assertIn(why, tool("check", *config)[1])
        (y.dir / "keys.json").unlink()
        self.assertEqual(tool("check", *config)[1].count("keys.json"), 1)


if __name__ == "__main__":
    unittest.main()
