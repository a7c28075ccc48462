"""Which callers may pass: every kind of certificate, over real TLS, with a real nginx upstream."""
import ssl
import subprocess
import unittest

from harness import DOMAIN, Nginx, Yett, run, wait_for


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def make_certificate(y, name, san, ca_dir=None, ca=False, days=1, start=None):
    """Makes a certificate that `yett certs` would never issue, with the openssl command."""
    ca_dir = ca_dir or y.certs
    config = y.certs / f"{name}.cnf"
    usage = "keyUsage=critical,digitalSignature,keyCertSign" if ca else "keyUsage=critical,digitalSignature"
    config.write_text(f"[req]\ndistinguished_name=dn\n[dn]\n[ext]\nbasicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}\n{usage}\n"
                      f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={san}\n[ca]\ndefault_ca=c\n[c]\ndatabase={y.certs}/{name}.idx\nnew_certs_dir={y.certs}\nserial={y.certs}/{name}.ser\n"
                      f"default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n")
    (y.certs / f"{name}.idx").write_text("")
    (y.certs / f"{name}.ser").write_text("1000\n")
    key, csr, pem = (str(y.certs / f"{name}{ending}") for ending in (".key", ".csr", ".pem"))
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr, "-subj", f"/CN={name}", "-config", str(config))
    dates = ["-startdate", start[0], "-enddate", start[1]] if start else ["-days", str(days)]
    openssl("ca", "-batch", "-config", str(config), "-extensions", "ext", "-cert", str(ca_dir / "bundle.pem"), "-keyfile", str(ca_dir / "ca.key"), "-in", csr, "-out", pem, "-notext", *dates)


class Identity(unittest.TestCase):
    def test_each_kind_of_certificate_is_accepted_or_refused_correctly(self):
        with Nginx() as nginx, Yett(nginx.address) as y:
            foreign = y.dir / "foreign"
            run("certs", "init", "--dir", str(foreign))
            good = f"URI:{DOMAIN}/frontend"
            make_certificate(y, "sound", good)
            make_certificate(y, "expired", good, start=("20200101000000Z", "20200102000000Z"))
            make_certificate(y, "foreign", good, ca_dir=foreign)
            make_certificate(y, "twouris", f"{good},URI:{DOMAIN}/other")
            make_certificate(y, "caflag", good, ca=True)
            make_certificate(y, "nouri", "DNS:frontend")

            done = y.curl("/hello", who="sound")
            self.assertEqual((done.returncode, done.stdout), (0, b"hello\n"), done.stderr)
            self.assertEqual(y.get("/admin/x")[0], 403)
            self.assertEqual(y.get("/hello", who="other")[0], 403)
            for who in ("expired", "foreign", "twouris", "caflag", "nouri", None):
                done = y.curl("/hello", who=who)
                self.assertNotEqual(done.returncode, 0, who)
                self.assertEqual(done.stdout, b"", who)

            wait_for("six failed handshakes in the log", lambda: len([e for e in y.query("--events") if e["event"] == "handshake failed"]) >= 6)
            failures = " ".join(e["detail"] for e in y.query("--events") if e["event"] == "handshake failed")
            for why in ("certificate has expired", "has 2 URI SANs", "is a CA certificate", "has 0 URI SANs", "peer did not return a certificate", f"`{DOMAIN}/frontend`"):
                self.assertIn(why, failures)
            decisions = y.query()
            self.assertEqual([(d["principal"], d["effect"], d["rule"]) for d in decisions],
                             [(f"{DOMAIN}/frontend", "allow", "frontend"), (f"{DOMAIN}/frontend", "deny", "closed"), (f"{DOMAIN}/other", "deny", "default")])

    def test_optional_mode_takes_callers_without_certificate_as_anonymous_but_refuses_bad_ones(self):
        with Nginx() as nginx:
            y = Yett(nginx.address, rules='policy "p" { allow "all" { principal = anyone, path = "/hello" }, allow "known" { principal = authenticated } }')
            y.listener["tls"]["client_certificate"] = "optional"
            y.write_config()
            with y:
                make_certificate(y, "expired", f"URI:{DOMAIN}/frontend", start=("20200101000000Z", "20200102000000Z"))
                self.assertEqual(y.curl("/hello", who=None).stdout, b"hello\n")
                self.assertEqual(y.get("/index.html", who=None)[0], 403)
                self.assertEqual(y.get("/index.html")[0], 200)
                done = y.curl("/hello", who="expired")
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(done.stdout, b"")
                self.assertEqual([d["principal"] for d in y.query()], ["", "", f"{DOMAIN}/frontend"])

    def test_mode_none_requests_no_certificate_and_trusts_none(self):
        with Nginx() as nginx:
            y = Yett(nginx.address, rules='policy "p" { allow "all" { principal = anyone, path = "/hello" }, allow "known" { principal = authenticated } }')
            y.listener["tls"]["client_certificate"] = "none"
            y.write_config()
            with y:
                self.assertEqual(y.curl("/hello").stdout, b"hello\n")
                self.assertEqual(y.get("/index.html")[0], 403)
                self.assertEqual({d["principal"] for d in y.query()}, {""})

    def test_a_resumed_session_keeps_its_principal(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with Nginx() as nginx, Yett(nginx.address) as y:
                context = y.context()
                context.minimum_version = context.maximum_version = version
                session = None
                reused = []
                for _ in range(4):
                    with context.wrap_socket(y.raw(), server_hostname="localhost", session=session) as s:
                        s.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 200"))
                        reused.append(s.session_reused)
                        session = s.session
                        s.unwrap()
                self.assertTrue(any(reused[1:]), f"{version}: {reused}")
                self.assertEqual({d["principal"] for d in y.query()}, {f"{DOMAIN}/frontend"})

    def test_identity_headers_come_only_from_yett(self):
        import harness
        with harness.Service(harness.echo) as service, Yett(service.address) as y:
            spoofed = {"X-Yett-Principal": "spiffe://evil/x", "X_Yett_Principal": "spiffe://evil/x", "x.yett.principal": "spiffe://evil/x", "X-Forwarded-Client-Cert": "evil", "X-Forwarded-For": "6.6.6.6",
                       "X_Forwarded_For": "6.6.6.6", "X-Forwarded-Proto": "evil", "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6", "X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/admin",
                       "Transfer_Encoding": "chunked", "Content.Length": "5", "X-Yett-" + "a" * 60: "evil", "X_Yett_" + "b" * 60: "evil",
                       "Connection": "X-Secret, X-Yett-Principal", "X-Secret": "1", "X-Kept": "yes", "X-Request-Id": "abc-1", "Upgrade": "h2c", "HTTP2-Settings": "x"}
            head = y.get("/", headers=spoofed)[2].decode().lower()
            for gone in ("evil", "traceparent", "6.6.6.6", "x-secret", "override", "x-original-url", "transfer_encoding", "content.length", "x-yett-a", "x_yett_b", "upgrade", "http2-settings", "connection:"):
                self.assertNotIn(gone, head)
            for there in (f"x-yett-principal: {DOMAIN}/frontend", "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: https", f";uri={DOMAIN}/frontend", "x-kept: yes", "x-request-id: abc-1",
                          "x-yett-decision-id: "):
                self.assertIn(there, head)
            y.listener["trusted_forwarders"] = [f"{DOMAIN}/frontend"]
            y.write_config()
            wait_for("the reload", lambda: "reloaded" in y.log())
            head = y.get("/", headers={"X-Forwarded-For": "6.6.6.6", "X_Forwarded_For": "7.7.7.7"})[2].decode().lower()
            self.assertIn("x-forwarded-for: 6.6.6.6, 127.0.0.1", head)
            self.assertNotIn("7.7.7.7", head)


if __name__ == "__main__":
    unittest.main()
