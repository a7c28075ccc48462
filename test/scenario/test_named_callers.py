"""Callers without a SPIFFE ID (identity.x509_principals): who they are, what matches them, and what is refused."""
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import time
import unittest

import harness
from harness import DOMAIN, Nginx, Service, Yett, echo, run, wait_for
from minting import between, leaf, mint, root

RULES = """
policy "p" {
  allow "web" { principal = { "dns:corp/web.example.com", "cn:staff/Jane Doe" }, path = "/web" },
  allow "all of corp" { principal = "dns:corp/*", path = "/corp" },
  allow "svids" { principal = authenticated, path = "/svid" },
  allow "any pattern" { principal = re ".*", path = "/re" },
  allow "not evil" { principal = anyone, not_principal = "spiffe://evil.org/**", path = "/other" },
  allow "not bad" { principal = anyone, not_principal = "dns:corp/bad.example.com", path = "/known" },
  allow "all" { principal = anyone, path = "/all" },
  allow "kind" { principal = anyone, path = "/kind", when = function(r) return r.principal.kind == "x509-dns" end },
}
"""


class NamedCallers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.corp, cls.staff, cls.other = root("corp"), root("staff"), root("other")
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-named-"))
        (cls.dir / "corp.pem").write_text(cls.corp.pem)
        (cls.dir / "staff.pem").write_text(cls.staff.pem)
        cls.nginx = Nginx().__enter__()
        cls.y = cls.yett().start()

    @classmethod
    def tearDownClass(cls):
        cls.y.stop()
        cls.nginx.__exit__(None, None, None)
        shutil.rmtree(cls.y.dir, True)
        shutil.rmtree(cls.dir, True)

    @classmethod
    def yett(cls, **principals):
        y = Yett(cls.nginx.address, rules=RULES)
        y.config["identity"]["x509_principals"] = principals or {
            "corp": {"ca": str(cls.dir / "corp.pem"), "from": "dns"}, "staff": {"ca": str(cls.dir / "staff.pem"), "from": "cn"}}
        y.write_config()
        return y

    def ask(self, minted, path="/all", y=None, tls=None):
        """The status; "refused" if the handshake fails."""
        y = y or self.y
        file = self.dir / f"caller-{time.monotonic_ns()}.pem"
        file.write_text(minted.chain() + minted.key_pem)
        context = y.context(None)
        context.load_cert_chain(file)
        if tls:
            context.maximum_version = tls
        try:
            with context.wrap_socket(y.raw(), server_hostname="localhost") as s:
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                answer = s.recv(4096)
                return int(answer[9:12]) if answer else "refused"
        except (ssl.SSLError, ConnectionError):
            return "refused"

    def paths(self, minted):
        """The paths that are allowed."""
        return [path for path in ("web", "corp", "svid", "re", "other", "known", "all", "kind") if self.ask(minted, "/" + path) != 403]

    def test_only_patterns_that_name_them_match(self):
        web = mint("ignored", self.corp, dns=["Web.Example.COM"])
        self.assertEqual(self.paths(web), ["web", "corp", "known", "all", "kind"])
        self.assertEqual(self.paths(mint("x", self.corp, dns=["bad.example.com"])), ["corp", "all", "kind"])
        self.assertEqual(self.paths(mint("Jane Doe", self.staff)), ["web", "known", "all"])
        self.assertEqual(self.paths(mint("jane doe", self.staff)), ["known", "all"])  # common names have case
        record = self.y.query("--principal", "dns:corp/web.example.com")[0]
        self.assertEqual(record["principal"], "dns:corp/web.example.com")
        self.assertGreater(len(self.y.query("--principal", "cn:staff/*")), 5)
        self.assertEqual(self.ask(mint("x", between(self.corp), dns=["web.example.com"]), "/web"), 404)
        self.assertEqual(self.ask(web, "/web", tls=ssl.TLSVersion.TLSv1_2), 404)

    def test_svids_are_as_before(self):
        for path, status in (("/svid", 404), ("/re", 404), ("/web", 403), ("/corp", 403), ("/known", 404), ("/other", 404)):
            self.assertEqual(self.y.get(path)[0], status, path)

    def test_a_certificate_with_a_uri_is_never_one(self):
        for uri in (f"{DOMAIN}/web", "https://web.example.com/", "spiffe://corp/web.example.com"):
            self.assertEqual(self.ask(mint("x", self.corp, uri=uri, dns=["web.example.com"])), "refused", uri)

    def test_names_that_are_refused(self):
        for dns in ([], ["a.example.com", "b.example.com"], ["*.example.com"], ["web.example.com."], ["a..b"], ["-a.example.com"],
                    ["web/example.com"], ["web.example.com\x00.evil"], ["we b"], ["x" * 64], ["."], [("a" * 60 + ".") * 5 + "com"]):
            self.assertEqual(self.ask(mint("web.example.com", self.corp, dns=dns)), "refused", dns)
        for names in (["a", "b"], ["a/b"], ["*"], ["Jäne"], [" a"], ["a "], ["a\x00b"], ["a;b"], ['a"b'], [".."], ["{x}"], ["a%2fb"], ["a\nb"]):
            self.assertEqual(self.ask(mint("x", self.staff, names=names)), "refused", names)

    def test_who_does_not_vouch(self):
        self.assertEqual(self.ask(mint("x", self.other, dns=["web.example.com"])), "refused")
        self.assertEqual(self.ask(mint("x", dns=["web.example.com"])), "refused")
        self.assertEqual(self.ask(mint("x", self.corp, dns=["web.example.com"], expires=int(time.time()) - 5)), "refused")
        self.assertEqual(self.ask(mint("web.example.com", self.corp, ca=True, dns=["web.example.com"])), "refused")
        # The CA of these callers never vouches for SVIDs, nor a trust domain's for these callers.
        self.assertEqual(self.ask(leaf(self.corp)), "refused")

    def test_two_authorities_that_vouch_for_one_caller(self):
        both = {"corp": {"ca": str(self.dir / "corp.pem"), "from": "dns"}, "again": {"ca": str(self.dir / "corp.pem"), "from": "dns"}}
        with self.yett(**both) as y:
            self.assertEqual(self.ask(mint("x", self.corp, dns=["web.example.com"]), y=y), "refused")

    def test_what_the_service_is_told(self):
        with Service(echo) as service:
            y = self.yett()
            y.config["clusters"][0]["endpoints"] = [service.address]
            y.write_config()
            with y:
                seen = {}
                for minted, path in ((mint("x", self.corp, dns=["web.example.com"]), "/web"), (mint("Jane Doe", self.staff), "/web")):
                    file = self.dir / "told.pem"
                    file.write_text(minted.chain() + minted.key_pem)
                    context = y.context(None)
                    context.load_cert_chain(file)
                    with context.wrap_socket(y.raw(), server_hostname="localhost") as s:
                        s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                        data = b""
                        while piece := s.recv(65536):
                            data += piece
                    for line in data.decode().split("\r\n"):
                        name, _, value = line.partition(": ")
                        seen.setdefault(name.lower(), []).append(value)
        self.assertEqual(seen["x-yett-principal"], ["dns:corp/web.example.com", "cn:staff/Jane Doe"])
        self.assertRegex(seen["x-forwarded-client-cert"][0], r"^By=spiffe://[^;]+;Hash=[0-9a-f]{64};DNS=web.example.com$")
        self.assertRegex(seen["x-forwarded-client-cert"][1], r'^By=spiffe://[^;]+;Hash=[0-9a-f]{64};Subject="CN=Jane Doe"$')

    def test_a_connection_ends_when_its_ca_is_gone(self):
        y = self.yett()
        with y:
            minted = mint("x", self.corp, dns=["web.example.com"])
            file = self.dir / "kept.pem"
            file.write_text(minted.chain() + minted.key_pem)
            context = y.context(None)
            context.load_cert_chain(file)
            with context.wrap_socket(y.raw(), server_hostname="localhost") as s:
                s.sendall(b"GET /web HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 404"))
                del y.config["identity"]["x509_principals"]["corp"]
                y.write_config()
                wait_for("the reload", lambda: " reloaded " in y.log())
                s.settimeout(10 * harness.SLOW)
                self.assertEqual(s.recv(65536), b"")
            self.assertEqual(self.ask(minted, y=y), "refused")

    def test_what_check_says(self):
        for principals, rules, why in [
            ({"corp": {"from": "dns"}}, RULES, "/identity/x509_principals/corp: `ca` is missing"),
            ({"corp": {"ca": "x.pem"}}, RULES, "/identity/x509_principals/corp: `from` is missing: where the caller's name is, `dns` or `cn`"),
            ({"corp": {"ca": "x.pem", "from": "uri"}}, RULES, "/identity/x509_principals/corp/from:"),
            ({"corp": "x.pem"}, RULES, "/identity/x509_principals: `corp` is not an object with `ca` and `from`"),
            ({"Corp": {"ca": "x.pem", "from": "dns"}}, RULES, "/identity/x509_principals: `Corp` is not a name"),
            ({}, 'policy "p" { allow "a" { principal = "dns:crp/a" } }', "names the trust domain `dns:crp`, which has no bundle"),
            ({}, 'policy "p" { allow "a" { principal = "dns:corp/*.example.com" } }', "can match nothing: `*.example.com` is not a plain DNS name"),
            ({}, 'policy "p" { allow "a" { principal = "dns:corp/A.example.com" } }', "can match nothing"),
            ({}, 'policy "p" { allow "a" { principal = "dns:corp" } }', "write `dns:NAME/host.name` or `cn:NAME/name`"),
            ({}, 'policy "p" { allow "a" { principal = "cn:staff/a/b" } }', "can match nothing"),
        ]:
            with self.subTest(why=why):
                y = self.yett(**principals)
                self.addCleanup(shutil.rmtree, y.dir, True)
                y.write_rules(rules)
                done = subprocess.run([harness.BINARY, "check", "-c", y.dir / "yett.json"], capture_output=True, text=True, env=harness.environment())
                self.assertIn(why, done.stdout + done.stderr)

    def test_policy_tests_and_eval_know_them(self):
        y = self.yett()
        self.addCleanup(shutil.rmtree, y.dir, True)
        (y.dir / "rules" / "p_test.lua").write_text('''
test "web" { principal = "dns:corp/web.example.com", request = { method = "GET", path = "/web" }, expect = allowed "web" }
test "svid" { principal = "cn:staff/Jane Doe", request = { method = "GET", path = "/svid" }, expect = denied }
''')
        self.assertIn("2 passed", run("test", y.dir / "rules"))


if __name__ == "__main__":
    unittest.main()
