"""CRLs and bundle documents: who is refused, which connections end, and what does not disturb anybody."""
import contextlib
import json
import os
import resource
import shutil
import ssl
import subprocess
import threading
import time
import unittest
import unittest.mock

import harness
from fake_clock import fake_clock
from harness import DOMAIN, SLOW, Nginx, Yett, run, wait_for

OPEN = 'policy "p" { allow "all" { principal = authenticated } }'


def with_crl(upstream, required=False, ttl="1d"):
    y = Yett(upstream, rules=OPEN)
    renew(y, ttl)
    y.config["identity"]["trust_bundles"]["example.org"] = {"file": "certs/bundle.pem", "crl": "certs/crl.pem", "crl_required": required}
    y.write_config()
    return y


def renew(y, ttl, *names):
    run("certs", "revoke", "--dir", y.certs, "--ttl", ttl, *[y.certs / f"{name}.pem" for name in names])


def reloaded(y, change):
    before = y.log().count(" reloaded ")
    change()
    wait_for("the reload", lambda: y.log().count(" reloaded ") > before, 10 * SLOW)


class Kept:
    """A connection that was used once."""

    def __init__(self, y, who):
        self.sock = y.raw_tls(who)
        self.ask()

    def ask(self):
        """The status; None: the connection has ended."""
        try:
            self.sock.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            got = self.sock.recv(4096)
        except OSError:
            return None
        return int(got.split()[1]) if got else None

    def ended(self):
        """Closed by Yett; asks nothing."""
        self.sock.settimeout(0.05)
        try:
            return self.sock.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            self.sock.settimeout(10 * SLOW)


class Revocation(unittest.TestCase):
    def test_a_revoked_caller_is_refused_and_its_connections_end(self):
        with Nginx() as nginx, with_crl(nginx.address) as y:
            resuming = y.context("frontend")
            with resuming.wrap_socket(y.raw(), server_hostname="localhost") as s:
                s.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
                s.recv(4096)
                session = s.session
            bad, good = Kept(y, "frontend"), Kept(y, "other")
            reloaded(y, lambda: renew(y, "1d", "frontend"))
            self.assertEqual(good.ask(), 200)
            wait_for("the end of the connection", lambda: bad.ask() is None, 5 * SLOW)
            self.assertNotEqual(y.curl("/hello").returncode, 0)
            self.assertEqual(y.curl("/hello", who="other").stdout, b"hello\n")
            with contextlib.suppress(ssl.SSLError, OSError), resuming.wrap_socket(y.raw(), server_hostname="localhost", session=session) as s:
                s.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertNotIn(b"200", s.recv(4096))
            wait_for("the event", lambda: any("was revoked" in e["detail"] for e in y.query("--events")), 5 * SLOW)
            # It is let in again only with another certificate.
            run("certs", "issue", f"{DOMAIN}/frontend", "--dir", y.certs)
            self.assertEqual(y.curl("/hello").stdout, b"hello\n")

    def test_without_a_current_crl_callers_are_refused_where_one_is_required(self):
        for required in (False, True):
            with self.subTest(required=required), Nginx() as nginx:
                seconds = int(4 * SLOW)
                with with_crl(nginx.address, required, f"{seconds}s") as y:
                    end = time.time() + seconds
                    kept = Kept(y, "frontend")
                    time.sleep(max(end - time.time(), 0) + 1)
                    self.assertEqual(y.curl("/hello").returncode == 0, not required)
                    if required:
                        wait_for("the end of the connection", lambda: kept.ask() is None, 5 * SLOW)
                    else:
                        self.assertEqual(kept.ask(), 200)
                    wait_for("the warning", lambda: "a CRL has expired" in y.log(), 5 * SLOW)
                    self.assertIn('yett_crl_next_update_timestamp_seconds{trust_domain="example.org"} ', y.admin("/metrics")[1])
                    checked = subprocess.run([harness.BINARY, "check", "-c", y.dir / "yett.json"], capture_output=True, text=True, env=harness.environment())
                    self.assertIn("the CRL of example.org is valid no longer", checked.stdout + checked.stderr)
                    reloaded(y, lambda: renew(y, "1d"))
                    self.assertEqual(y.curl("/hello").stdout, b"hello\n")

    def test_a_crl_that_is_not_ours_is_refused_and_the_old_one_stays(self):
        with Nginx() as nginx, with_crl(nginx.address) as y:
            reloaded(y, lambda: renew(y, "1d", "other"))
            stranger = y.dir / "stranger"
            run("certs", "init", "--dir", stranger)
            run("certs", "revoke", "--dir", stranger)
            y.replace("certs/crl.pem", (stranger / "crl.pem").read_text())
            wait_for("the refusal", lambda: "is not signed by an authority of the bundle" in y.log(), 10 * SLOW)
            self.assertEqual(y.curl("/hello").stdout, b"hello\n")
            self.assertNotEqual(y.curl("/hello", who="other").returncode, 0)


    def test_an_empty_crl_file_is_no_crl(self):
        with Nginx() as nginx, with_crl(nginx.address) as y:
            reloaded(y, lambda: renew(y, "1d", "frontend"))
            y.replace("certs/crl.pem", "")
            wait_for("the refusal", lambda: "contains no CRL" in y.log(), 10 * SLOW)
            self.assertNotEqual(y.curl("/hello").returncode, 0)

    def test_an_authority_that_leaves_the_bundle_takes_its_crl_with_it(self):
        """A CRL without its issuer must not keep the old bundle in force."""
        with Nginx() as nginx, with_crl(nginx.address) as y:
            other = y.dir / "another"
            run("certs", "init", "--dir", other)
            run("certs", "issue", f"{DOMAIN}/newcomer", "--dir", other)
            for name in ("newcomer.pem", "newcomer.key"):
                (y.certs / name).write_text((other / name).read_text())
                (y.certs / name).chmod(0o600)
            reloaded(y, lambda: y.replace("certs/bundle.pem", (other / "bundle.pem").read_text()))
            wait_for("the warning", lambda: "a CRL is not used" in y.log(), 5 * SLOW)
            done = subprocess.run([harness.BINARY, "certs", "inspect", y.certs / "newcomer.pem", "-c", y.dir / "yett.json"], capture_output=True, text=True, env=harness.environment())
            self.assertIn("accepted as", done.stdout)
            done = subprocess.run([harness.BINARY, "certs", "inspect", y.certs / "frontend.pem", "-c", y.dir / "yett.json"], capture_output=True, text=True, env=harness.environment())
            self.assertIn("refused", done.stdout)


class Documents(unittest.TestCase):
    def document(self, y, sequence, pem=None):
        return run("certs", "bundle", *([pem] if pem else ["--dir", y.certs]), "--sequence", str(sequence))

    def test_a_bundle_document_instead_of_pem_disturbs_nobody_and_never_goes_back(self):
        with Nginx() as nginx:
            y = Yett(nginx.address, rules=OPEN)
            (y.certs / "bundle.json").write_text(self.document(y, 5))
            y.config["identity"]["trust_bundles"]["example.org"] = "certs/bundle.json"
            y.write_config()
            with y:
                soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
                kept = [Kept(y, "frontend") for _ in range(1000 if SLOW == 1 and hard >= 4096 else 50)]
                # Another authority is added.
                other = y.dir / "another"
                run("certs", "init", "--dir", other)
                run("certs", "issue", f"{DOMAIN}/newcomer", "--dir", other)
                both = y.dir / "both.pem"
                both.write_text((y.certs / "bundle.pem").read_text() + (other / "bundle.pem").read_text())
                reloaded(y, lambda: y.replace("certs/bundle.json", self.document(y, 6, both)))
                self.assertEqual({one.ask() for one in kept}, {200})
                for name in ("newcomer.pem", "newcomer.key"):
                    (y.certs / name).write_text((other / name).read_text())
                    (y.certs / name).chmod(0o600)
                self.assertEqual(y.curl("/hello", who="newcomer").stdout, b"hello\n")
                y.replace("certs/bundle.json", self.document(y, 5))
                wait_for("the refusal", lambda: "`spiffe_sequence` went back from 6 to 5" in y.log(), 10 * SLOW)
                self.assertEqual(y.curl("/hello", who="newcomer").stdout, b"hello\n")
                # An empty document: the domain has revoked all its keys.
                reloaded(y, lambda: y.replace("certs/bundle.json", json.dumps({"keys": [], "spiffe_sequence": 7})))
                self.assertNotEqual(y.curl("/hello").returncode, 0)
                wait_for("the end of the connections", lambda: {one.ask() for one in kept} == {None}, 10 * SLOW)


class Inspect(unittest.TestCase):
    def test_it_explains_each_kind_of_file_and_the_verdict(self):
        y = with_crl("127.0.0.1:1")
        renew(y, "1d", "other")
        (y.dir / "bundle.json").write_text(run("certs", "bundle", "--dir", y.certs, "--sequence", "9"))

        def inspect(name, *more):
            done = subprocess.run([harness.BINARY, "certs", "inspect", y.dir / name, *map(str, more)], capture_output=True, text=True, env=harness.environment())
            return done.returncode, done.stdout + done.stderr

        for name, expected in (("certs/frontend.pem", "spiffe id   spiffe://example.org/frontend"), ("certs/bundle.pem", "ca          yes"), ("certs/crl.pem", "revoked     1"),
                               ("bundle.json", "sequence    9"), ("certs/frontend.key", "a block     PRIVATE KEY, which is not shown")):
            code, said = inspect(name)
            self.assertEqual(code, 0, said)
            self.assertIn(expected, said)
        config = ("-c", y.dir / "yett.json")
        self.assertEqual(inspect("certs/frontend.pem", *config)[0], 0)
        self.assertRegex(inspect("certs/frontend.pem", *config)[1], r"accepted as spiffe://example.org/frontend, for \d+ days")
        code, said = inspect("certs/other.pem", *config)
        self.assertEqual(code, 1)
        self.assertIn("was revoked", said)
        (y.dir / "cut.pem").write_text((y.certs / "frontend.pem").read_text()[:300])
        code, said = inspect("cut.pem")
        self.assertEqual(code, 2)
        self.assertIn("cut.pem", said)
        (y.dir / "none.pem").write_text("nothing")
        self.assertIn("contains no certificate", inspect("none.pem")[1])


class Flawed(unittest.TestCase):
    def test_each_flaw_is_refused_and_explained_and_an_intermediate_is_accepted(self):
        expected = {"expired": "certificate has expired", "not-yet-valid": "certificate is not yet valid", "no-id": "has 0 URI SANs", "two-ids": "has 2 URI SANs",
                    "other-domain": "no trust bundle for trust domain", "ca": "is a CA certificate", "no-key-usage": "lacks the key usage", "wrong-purpose": "certificate purpose",
                    "self-signed": "self-signed certificate"}
        with Nginx() as nginx, Yett(nginx.address, rules=OPEN) as y:
            self.assertIn("{" + ",".join(expected) + "}", run("certs", "issue", "--help").replace("\n", "").replace(" ", ""))
            for flaw, why in expected.items():
                with self.subTest(flaw=flaw):
                    run("certs", "issue", f"{DOMAIN}/bad-{flaw}", "--dir", y.certs, "--flaw", flaw, "--name", f"bad-{flaw}")
                    self.assertNotEqual(y.curl("/hello", who=f"bad-{flaw}").returncode, 0)
                    done = subprocess.run([harness.BINARY, "certs", "inspect", y.certs / f"bad-{flaw}.pem", "-c", y.dir / "yett.json"], capture_output=True, text=True, env=harness.environment())
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(why, done.stdout)
            run("certs", "intermediate", "team", "--dir", y.certs)
            run("certs", "issue", f"{DOMAIN}/member", "--dir", y.certs, "--from", "team")
            self.assertEqual(y.curl("/hello", who="member").stdout, b"hello\n")


class KeyLog(unittest.TestCase):
    def test_keys_are_written_only_where_the_setting_says_so(self):
        with Nginx() as nginx, contextlib.ExitStack() as stack:
            y = Yett(nginx.address, rules=OPEN)
            stack.callback(shutil.rmtree, y.dir, True)
            stack.callback(lambda: y.stop(expect=None))
            with unittest.mock.patch.dict(os.environ, {"SSLKEYLOGFILE": str(y.dir / "environment.log")}):
                y.start()
            y.raw_tls().close()
            self.assertFalse((y.dir / "environment.log").exists())
            (y.dir / "keys").mkdir()
            y.config["identity"]["unsafe_tls_key_log"] = "keys/keys.log"
            y.write_config()
            wait_for("the warning", lambda: "the keys of TLS connections are written to a file" in y.log())
            y.raw_tls().close()
            file = y.dir / "keys/keys.log"
            wait_for("keys", lambda: file.exists() and "CLIENT_TRAFFIC_SECRET_0 " in file.read_text())
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)
            checked = subprocess.run([harness.BINARY, "check", "-c", y.dir / "yett.json"], capture_output=True, text=True, env=harness.environment())
            self.assertIn("`unsafe_tls_key_log`: whoever has this file", checked.stderr)


@unittest.skipUnless("release" in harness.BINARY, "the fake clock is preloaded, which sanitizers do not allow")
class Clock(unittest.TestCase):
    def test_a_clock_that_is_stepped_by_an_hour_both_ways(self):
        """What fails, fails closed, is told, and recovers. `other` is valid for half an hour, the rest for days."""
        with Nginx() as nginx:
            y = Yett(nginx.address, rules=OPEN)
            renew(y, "1d")
            y.config["identity"]["trust_bundles"]["example.org"] = {"file": "certs/bundle.pem", "crl": "certs/crl.pem", "crl_required": True}
            y.write_config()
            run("certs", "issue", f"{DOMAIN}/other", "--dir", y.certs, "--ttl", "30m")
            # The host's clock is right, so the callers verify Yett's certificate with it.
            with fake_clock(y.dir), y:
                ahead = y.dir / "ahead"
                kept, short = Kept(y, "frontend"), Kept(y, "other")
                self.assertEqual((kept.ask(), short.ask()), (200, 200))

                ahead.write_text("3600")
                wait_for("the end of the short-lived caller", short.ended, 10 * SLOW)
                self.assertEqual((kept.ask(), y.get("/hello")[0]), (200, 200))
                self.assertRaises((OSError, ssl.SSLError), y.get, "/hello", "other")
                self.assertIn("the clock was stepped", y.log())
                self.assertIn("certificate has expired", json.dumps(y.query("--events")))

                ahead.write_text("0")
                self.assertEqual((kept.ask(), y.get("/hello")[0], y.get("/hello", "other")[0]), (200, 200, 200))

                ahead.write_text("-3600")
                wait_for("that it is told", lambda: "own certificate is not valid yet" in y.log(), 10 * SLOW)
                status, text = y.admin("/readyz")
                self.assertEqual(status, 503)
                self.assertIn("Yett's own certificate is not valid yet", text)
                self.assertRaises((OSError, ssl.SSLError), y.get, "/hello")
                self.assertRaises((OSError, ssl.SSLError), y.get, "/hello", "other")

                ahead.write_text("0")
                wait_for("readiness", lambda: y.admin("/readyz")[0] == 200, 10 * SLOW)
                self.assertEqual((y.get("/hello")[0], y.get("/hello", "other")[0]), (200, 200))
                self.assertTrue(y.verify()["ok"])


class OwnCertificate(unittest.TestCase):
    def test_an_expired_own_certificate_is_told_and_makes_readiness_fail(self):
        with Nginx() as nginx:
            y = Yett(nginx.address, rules=OPEN)
            seconds = int(6 * SLOW)
            names = ["--dns", "localhost", "--ip", "127.0.0.1"]
            run("certs", "issue", f"{DOMAIN}/server", "--dir", y.certs, "--ttl", f"{seconds}s", *names)
            with y:
                end = time.time() + seconds
                self.assertEqual(y.admin("/readyz")[0], 200)
                wait_for("the warning", lambda: "Yett's own certificate ends soon" in y.log(), 5 * SLOW)
                time.sleep(max(end - time.time(), 0) + 1)
                status, text = y.admin("/readyz")
                self.assertEqual(status, 503)
                self.assertIn("Yett's own certificate has expired", text)
                wait_for("the error", lambda: "Yett's own certificate has expired: callers refuse it" in y.log(), 5 * SLOW)
                run("certs", "issue", f"{DOMAIN}/server", "--dir", y.certs, *names)
                wait_for("readiness", lambda: y.admin("/readyz")[0] == 200, 10 * SLOW)
                self.assertEqual(y.curl("/hello").stdout, b"hello\n")

    def test_rotations_of_the_own_certificate_lose_no_handshake(self):
        """New handshakes use the newest certificate, and no connection is dropped."""
        count = int(os.environ.get("YETT_TEST_ROTATIONS") or 40)
        with Nginx() as nginx, Yett(nginx.address, rules=OPEN) as y:
            names = ["--dns", "localhost", "--ip", "127.0.0.1"]
            kept = [Kept(y, "frontend") for _ in range(20)]
            over, failures, done = threading.Event(), [], [0]

            def load():
                context = y.context()
                while not over.is_set():
                    try:
                        with context.wrap_socket(y.raw(), server_hostname="localhost") as s:
                            s.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
                            if not s.recv(4096).startswith(b"HTTP/1.1 200"):
                                failures.append("no answer")
                        done[0] += 1
                    except OSError as error:
                        failures.append(repr(error))

            threads = [threading.Thread(target=load) for _ in range(2)]
            for thread in threads:
                thread.start()
            before = y.rss_mib()
            try:
                for number in range(count):
                    run("certs", "issue", f"{DOMAIN}/server", "--dir", y.certs, *names)
                    time.sleep(0.1)
                    if number % 100 == 99:
                        self.assertEqual({one.ask() for one in kept}, {200})
                        if number == 99:
                            before = y.rss_mib()  # caches are full
                serial = ssl.PEM_cert_to_DER_cert((y.certs / "server.pem").read_text())

                def newest():
                    with y.context().wrap_socket(y.raw(), server_hostname="localhost") as s:
                        return s.getpeercert(True) == serial

                wait_for("the newest certificate", newest, 10 * SLOW)
            finally:
                over.set()
                for thread in threads:
                    thread.join()
            self.assertEqual(failures, [])
            self.assertEqual({one.ask() for one in kept}, {200})
            print(f"\n  {count} rotations during {done[0]} handshakes: none failed; {y.rss_mib() - before:+.1f} MiB")


if __name__ == "__main__":
    unittest.main()
