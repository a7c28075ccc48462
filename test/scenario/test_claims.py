"""What policy and the service learn of tokens and of forwarded callers: the examples of docs/tokens.md, claims, headers, JWT-SVIDs, records, replay."""
import base64
import json
import pathlib
import re
import shutil
import ssl
import subprocess
import unittest

import harness
import jwt
from harness import DOMAIN, Service, Yett, echo, wait_for
from test_tokens import ISSUER, Idp

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs/tokens.md"


def examples():
    """name -> {"json": ..., "lua": ..., "tests": ...}"""
    out = {}
    for kind, name, text in re.findall(r"```(json|lua|tests) (\w+)\n(.*?)```", DOCS.read_text(), re.S):
        out.setdefault(name, {})[kind] = text
    return out


class Claims(unittest.TestCase):
    def setUp(self):
        self.idp = Idp()
        self.service = Service(echo).__enter__()
        self.addCleanup(self.service.__exit__, None, None, None)

    def yett(self, rules, authentication, **route):
        y = Yett(self.service.address, rules=rules)
        self.addCleanup(shutil.rmtree, y.dir, True)
        y.replace("keys.json", self.idp.jwks())
        y.config["authentication"] = authentication
        y.listener["tls"]["client_certificate"] = "optional"
        y.listener["routes"] = [{"path": "/**", "cluster": "app", **route}]
        y.write_config()
        return y

    def corp(self, rules, how="optional", **provider):
        return self.yett(rules, {"jwt": {"corp": {"issuer": ISSUER, "audiences": ["orders"], "jwks": "keys.json", **provider}}}, jwt={"corp": how})

    def get(self, y, path="/x", token=None, method="GET", who=None, **headers):
        if token is not None:
            headers["Authorization"] = "Bearer " + token
        status, _, body = y.get(path, who, method, headers)
        return status, body.decode().lower()

    def bundle_document(self, y, *leave_out):
        """The trust bundle as a SPIFFE bundle document, with the provider's keys as authorities of JWT-SVIDs."""
        der = ssl.PEM_cert_to_DER_cert((y.certs / "bundle.pem").read_text())
        keys = [{"kty": "EC", "crv": "P-256", "use": "x509-svid", "x5c": [base64.b64encode(der).decode()]}]
        keys += [{**key, "use": "jwt-svid"} for key in json.loads(self.idp.jwks("d", *leave_out))["keys"]]
        return json.dumps({"keys": keys})

    def test_the_examples_of_the_documentation(self):
        ran = 0
        for name, parts in examples().items():
            given = json.loads(parts["json"])
            for providers in given["authentication"].get("jwt", {}).values():
                providers["jwks"] = "keys.json"
            y = self.yett(parts["lua"], given["authentication"])
            y.listener["routes"] = given["routes"]
            if name == "spire":
                y.replace("bundle.json", self.bundle_document(y))
                y.config["identity"]["trust_bundles"]["example.org"] = "bundle.json"
            y.write_config()
            provider = next(iter(given["authentication"].get("jwt", {}).values()), given["authentication"].get("jwt_svid"))
            base = {"iss": provider.get("issuer"), "aud": provider["audiences"]}
            with y:
                for line in parts["tests"].splitlines():
                    status, method, path, said = re.match(r"(\d+) (\w+) (\S+) +(.*)", line).groups()
                    token = {"none": None, "bad": "a.b.c"}[said] if said in ("none", "bad") else self.idp.token(**{**base, **json.loads(said)})
                    self.assertEqual(self.get(y, path, token, method)[0], int(status), (name, line))
                    ran += 1
        self.assertGreaterEqual(ran, 18)

    def test_the_service_is_told(self):
        """Headers from claims: nobody else can send them, in any spelling, on any route; policy can take them away."""
        rules = """policy "p" { allow "bare" { principal = anyone, path = "/bare", remove_header = "x-groups", set_header = { ["x-user"] = "fixed" } },
                                allow "all" { principal = anyone, not_path = "/bare" } }"""
        y = self.corp(rules, headers={"x-user": "user {subject}", "x-groups": "{claims.groups}", "x-level": "{claims.level}/{claims.ok}"})
        y.listener["routes"].insert(0, {"path": "/open", "cluster": "app"})
        y.write_config()
        with y:
            token = self.idp.token(groups=["a", "b"], level=7, ok=True)
            seen = self.get(y, "/x", token, **{"X-User": "evil", "X_Groups": "evil"})[1]
            for line in ("x-user: user jane\r\n", "x-groups: a,b\r\n", "x-level: 7/true\r\n"):
                self.assertIn(line, seen)
            self.assertNotIn("evil", seen)
            for path in ("/open", "/x"):
                seen = self.get(y, path, **{"X-User": "evil", "x_groups": "evil", "X-Level": "evil"})[1]
                self.assertNotIn("evil", seen)
                self.assertNotIn("x-user", seen)
            seen = self.get(y, "/x", self.idp.token())[1]
            self.assertIn("x-user: user jane", seen)
            self.assertNotIn("x-groups", seen)
            seen = self.get(y, "/bare", token)[1]
            self.assertIn("x-user: fixed\r\n", seen)
            self.assertNotIn("user jane", seen)
            self.assertNotIn("x-groups", seen)
            for bad in ({"groups": ["a,b"]}, {"groups": "a\r\nx-evil: 1"}, {"groups": {"a": 1}}, {"groups": ["a"], "Groups": ["b"]}, {"groups": "g" * 5000}):
                self.assertEqual(self.get(y, "/x", self.idp.token(**bad))[0], 401, bad)

    def test_two_providers_in_one_place(self):
        """A token belongs to the provider that its issuer names; one of nobody is refused."""
        both = {"audiences": ["orders"], "jwks": "keys.json"}
        y = self.yett('policy "p" { allow "a" { principal = anyone, path = "/a", jwt = "aa" }, allow "b" { principal = anyone, path = "/b", jwt = "bb", not_jwt = "aa" } }',
                      {"jwt": {"aa": {**both, "issuer": "https://a.example"}, "bb": {**both, "issuer": "https://b.example"}}}, jwt={"aa": "optional", "bb": "optional"})
        with y:
            of_a, of_b = self.idp.token(iss="https://a.example"), self.idp.token(iss="https://b.example")
            self.assertEqual([self.get(y, path, token)[0] for path, token in (("/a", of_a), ("/b", of_b), ("/a", of_b), ("/b", of_a))], [200, 200, 403, 403])
            self.assertEqual(self.get(y, "/a", self.idp.token(iss="https://c.example"))[0], 401)
            self.assertEqual(self.get(y, "/a", "a.b.c")[0], 401)
            y.listener["routes"][0]["jwt"]["aa"] = "required"
            y.write_config()
            wait_for("the reload", lambda: "reloaded" in y.log())
            self.assertEqual(self.get(y, "/b", of_b)[0], 401)

    def test_what_only_policy_may_set_is_looked_at_for_tokens(self):
        """A header that a policy sets upstream, or that Yett removes from clients' requests, may be where a token is."""
        rules = """policy "p" { deny "blocked" { claim = { ["corp.blocked"] = true } }, allow "legacy" { principal = anyone, path = "/legacy", set_header = { authorization = "Basic x" } },
                                allow "all" { principal = anyone, not_path = "/legacy" } }"""
        y = self.corp(rules, **{"from": ["header:authorization", "header:x-amzn-oidc-data"]})
        with y:
            blocked, other = self.idp.token(blocked=True), self.idp.token()
            self.assertEqual([self.get(y, "/x", token)[0] for token in (blocked, other, None)], [403, 200, 200])
            self.assertEqual([self.get(y, "/x", **{"X-Amzn-Oidc-Data": token})[0] for token in (blocked, other)], [403, 200])
            self.assertIn("authorization: basic x\r\n", self.get(y, "/legacy", other)[1])

    def test_no_token_in_a_record(self):
        """Whatever refuses the request, the tokens of all providers are gone before the record is made."""
        both = {"issuer": ISSUER, "audiences": ["orders"], "jwks": "keys.json"}
        y = self.yett('policy "p" { allow "all" { principal = anyone } }', {"jwt": {"aa": both, "bb": {**both, "from": ["header:x-b"]}}}, jwt={"aa": "required", "bb": "optional"})
        y.config["audit"]["record"] = {"headers": ["x-b", "authorization"]}
        y.write_config()
        with y:
            good = self.idp.token()
            self.assertEqual([self.get(y, "/x", token, **{"X-B": good})[0] for token in (None, "bad", good)], [401, 401, 200])
            self.assertNotIn("eyJ", json.dumps(y.query()))

    def test_headers_while_a_body_waits(self):
        """A reload adds a provider's header: a request that already waits cannot set it either."""
        y = self.corp('policy "p" { allow "all" { principal = anyone, when = function(r) return r.body.size > 0 end } }')
        y.listener["routes"][0]["buffer_body"] = "1KiB"
        y.write_config()
        with y, y.raw_tls(None) as s:
            s.sendall(b"POST /x HTTP/1.1\r\nHost: localhost\r\nX-User: evil\r\nContent-Length: 5\r\n\r\n")
            y.config["authentication"]["jwt"]["corp"]["headers"] = {"x-user": "{subject}"}
            y.write_config()
            wait_for("the reload", lambda: "reloaded" in y.log())
            s.sendall(b"hello")
            self.assertNotIn(b"evil", s.recv(65536))

    def test_settings_that_cannot_work_are_refused(self):
        both = {"issuer": ISSUER, "audiences": ["orders"], "jwks": "keys.json"}
        for jwt_settings, route, why in (
                ({"aa": {**both, "headers": {"authorization": "{subject}"}}}, {}, "is a header that `headers` of a provider sets"),
                ({"aa": {**both, "from": ["header:x_user"], "headers": {"x-user": "{subject}"}}}, {}, "is a header that `headers` of a provider sets"),
                ({"aa": {**both, "headers": {"x-user": "{subject}"}}, "bb": {**both, "headers": {"x_user": "{subject}"}}}, {}, "another one sets"),
                ({"aa": {**both, "headers": {"x-user": " {subject}"}}}, {}, "not a valid field value"),
                ({"aa": {**both, "headers": {"x-user": "{sub}"}}}, {}, "`{sub}` is not a part of a token"),
                ({"aa": both, "bb": both}, {"aa": "required", "bb": "required"}, "look for their tokens in one place"),
                ({"svid": both}, {}, "`svid` is what policy calls a JWT-SVID")):
            y = self.yett('policy "p" { allow "all" { principal = anyone } }', {"jwt": jwt_settings}, jwt=route)
            done = subprocess.run([harness.BINARY, "check", "-c", str(y.dir / "yett.json")], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, why)
            self.assertIn(why, done.stdout + done.stderr)

    def test_one_issuer_two_audiences(self):
        both = {"issuer": ISSUER, "jwks": "keys.json"}
        y = self.yett('policy "p" { allow "a" { principal = anyone, path = "/a", jwt = "admin" }, allow "o" { principal = anyone, path = "/o", jwt = "orders" } }',
                      {"jwt": {"admin": {**both, "audiences": ["admin"]}, "orders": {**both, "audiences": ["orders"]}}}, jwt={"admin": "optional", "orders": "optional"})
        with y:
            self.assertEqual([self.get(y, path, self.idp.token(aud=aud))[0] for path, aud in (("/a", "admin"), ("/o", "orders"), ("/a", "orders"), ("/o", "x"))], [200, 200, 403, 401])

    def test_records_and_replay(self):
        """Claims are masked unless they are listed; a replay decides where it can."""
        rules = 'policy "p" { allow "admins" { principal = anyone, claim = { ["corp.groups"] = "admins" }, when = function(r) return r.jwt.corp.subject ~= "x" end } }'
        wider = 'policy "p" { allow "all" { principal = anyone, claim = { ["corp.groups"] = { "admins", "guests" } } } }'
        for record, sure in (({}, False), ({"claims": ["corp.claims.groups", "corp.subject"]}, True)):
            y = self.corp(rules)
            y.config["audit"]["record"] = record
            y.write_config()
            with y:
                self.assertEqual([self.get(y, "/x", self.idp.token(groups=[group], sub="jane-of-accounts"))[0] for group in ("admins", "guests", "others")], [200, 403, 403])
                reads = json.dumps([json.loads(one["reads"]) if isinstance(one["reads"], str) else one["reads"] for one in y.query()])
                self.assertEqual("admins" in reads, sure)
                self.assertEqual("jane-of-accounts" in reads, sure)
                self.assertNotIn("eyJ", reads)
                (y.dir / "wider").mkdir()
                (y.dir / "wider/p.lua").write_text(wider)
                done = subprocess.run([harness.BINARY, "replay", "-c", str(y.dir / "yett.json"), "--policy", str(y.dir / "wider"), "--log", str(y.dir / "yett.db"), "--format", "json"], capture_output=True, text=True, env=harness.environment())
                told = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
                self.assertEqual(done.returncode, 1 if sure else 3, done.stdout + done.stderr)
                self.assertTrue(told)

    def test_a_jwt_svid(self):
        """The principal where there is no certificate; beside one it is not. It ends with its key, and the audit trail names it."""
        rules = f"""policy "p" {{ allow "workload" {{ principal = "{DOMAIN}/batch", path = "/w" }},
                                  allow "both" {{ principal = "{DOMAIN}/frontend", path = "/both", when = function(r) return r.jwt_svid.path == "/batch" and r.principal.kind == "x509-svid" end }} }}"""
        y = self.yett(rules, {"jwt_svid": {"audiences": ["orders"]}}, jwt_svid="optional")
        y.replace("bundle.json", self.bundle_document(y))
        y.config["identity"]["trust_bundles"]["example.org"] = "bundle.json"
        y.write_config()
        with y:
            svid = self.idp.token("e", sub=f"{DOMAIN}/batch", iss=None)
            status, seen = self.get(y, "/w", svid)
            self.assertEqual(status, 200, y.log())
            self.assertIn(f"x-yett-principal: {DOMAIN}/batch\r\n", seen)
            self.assertNotIn("x-forwarded-client-cert", seen)
            self.assertEqual(self.get(y, "/w", svid, who="frontend")[0], 403)
            status, seen = self.get(y, "/both", svid, who="frontend")
            self.assertEqual(status, 200)
            self.assertIn(f"uri={DOMAIN}/frontend", seen)
            self.assertEqual(self.get(y, "/w")[0], 403)
            for bad in (self.idp.token("e", sub="jane"), self.idp.token("e", sub=DOMAIN), self.idp.token("e", sub="spiffe://other.org/x"), self.idp.token("d", sub=f"{DOMAIN}/batch"),
                        self.idp.token("e", sub=f"{DOMAIN}/batch", aud="x"), self.idp.token("e", sub=f"{DOMAIN}/batch", header={"typ": "other"})):
                self.assertEqual(self.get(y, "/w", bad)[0], 401)
            recorded = [one for one in y.query("--path", "/w") if one["effect"] == "allow"]
            self.assertEqual({one["principal"] for one in recorded}, {f"{DOMAIN}/batch"})
            self.assertIn("jwt-svid", json.dumps(recorded))
            y.replace("bundle.json", self.bundle_document(y, "e"))
            wait_for("the end of the key", lambda: self.get(y, "/w", svid)[0] == 401, 10)

    def test_whom_a_forwarder_stands_before(self):
        rules = f"""policy "p" {{ allow "web" {{ principal = "{DOMAIN}/frontend", path = "/via", when = function(r) return r.via[1] == "{DOMAIN}/web" and r.client.ip == "10.1.2.3" end }},
                                  allow "ip" {{ principal = anyone, path = "/ip", when = function(r) return r.client.ip == "127.0.0.1" end }},
                                  allow "open" {{ principal = anyone, path = "/open" }} }}"""
        y = self.yett(rules, {})
        del y.config["authentication"]
        y.listener["trusted_forwarders"] = [f"{DOMAIN}/frontend"]
        y.write_config()
        element = f'Hash=ab;Subject="CN=a\\"b,O=c";URI={DOMAIN}/web'
        sent = {"X-Forwarded-Client-Cert": element, "X-Forwarded-For": "10.1.2.3"}
        with y:
            status, seen = self.get(y, "/via", who="frontend", **sent)
            self.assertEqual(status, 200)
            self.assertRegex(seen, re.escape(f"x-forwarded-client-cert: {element},by={DOMAIN}/server;hash=".lower()) + f"[0-9a-f]{{64}};uri={DOMAIN}/frontend\r\n")
            self.assertEqual(self.get(y, "/via", who="other", **sent)[0], 403)
            self.assertEqual(self.get(y, "/via", who="frontend")[0], 403)
            self.assertEqual(self.get(y, "/ip", who="frontend")[0], 403)  # no x-forwarded-for: not its own address
            self.assertEqual(self.get(y, "/ip", who="other")[0], 200)
            self.assertEqual(self.get(y, "/open", who="frontend", **{**sent, "X-Forwarded-Client-Cert": element + ';By="'})[0], 400)
            self.assertEqual(self.get(y, "/via", who="frontend", **{**sent, "X-Forwarded-Client-Cert": element + ';By="'})[0], 403)
            self.assertEqual(self.get(y, "/open", who="other", **{**sent, "X-Forwarded-Client-Cert": element + ';By="'})[0], 200)
            self.assertEqual(self.get(y, "/open", who="frontend", **sent)[0], 200)
            opened = [one for one in y.query("--path", "/open") if one["principal"] == f"{DOMAIN}/frontend"]
            self.assertIn(f"{DOMAIN}/web", json.dumps(opened[-1]["reads"]) + json.dumps(opened[0]["reads"]))
            y.listener["forwarded_client_cert"] = "sanitize_set"
            y.write_config()
            wait_for("the reload", lambda: "reloaded" in y.log())
            status, seen = self.get(y, "/open", who="frontend", **sent)
            self.assertNotIn("cn=a", seen)
            self.assertIn(f"uri={DOMAIN}/frontend\r\n", seen)
            # That is what the service gets; policy knows all the same whom the forwarder stands before.
            self.assertEqual(self.get(y, "/via", who="frontend", **sent)[0], 200)
            self.assertEqual(self.get(y, "/via", who="frontend")[0], 403)
            self.assertEqual(self.get(y, "/open", who="frontend", **{**sent, "X-Forwarded-Client-Cert": element + ';By="'})[0], 400)


if __name__ == "__main__":
    unittest.main()
