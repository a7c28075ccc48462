"""Bundles of other trust domains from their endpoints: https_web and https_spiffe, kept on disk, refreshed, never older."""
import contextlib
import http.server
import pathlib
import shutil
import ssl
import tempfile
import threading
import time
import unittest

from harness import SLOW, Nginx, Yett, run, wait_for

OPEN = 'policy "p" { allow "all" { principal = authenticated } }'
PARTNER = "spiffe://partner.com"


class Partner:
    """Another trust domain, which publishes its bundle."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-partner-"))
        self.ca("first")
        self.issue("first", "caller")
        self.body, self.status, self.asked = "", 200, 0
        self.server = None

    def ca(self, name):
        run("certs", "init", "--dir", self.dir / name, "--trust-domain", "partner.com")

    def issue(self, ca, name, *more):
        run("certs", "issue", f"{PARTNER}/{name}", "--dir", self.dir / ca, *more)

    def publish(self, sequence, *cas, refresh="5s"):
        pem = self.dir / "published.pem"
        pem.write_text("".join((self.dir / ca / "bundle.pem").read_text() for ca in cas))
        self.body = run("certs", "bundle", pem, "--sequence", str(sequence), "--refresh", refresh)

    @contextlib.contextmanager
    def serving(self, certificate, port=0):
        partner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                partner.asked += 1
                if self.path == "/slow":
                    self.send_response(200)
                    self.send_header("content-length", "100000")
                    self.end_headers()
                    with contextlib.suppress(OSError):
                        while not partner.trickle.wait(0.2):
                            self.wfile.write(b" ")
                            self.wfile.flush()
                    return
                self.send_response(partner.status)
                self.send_header("content-length", str(len(partner.body)))
                self.end_headers()
                self.wfile.write(partner.body.encode())

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{certificate}.pem", f"{certificate}.key")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.handle_error = lambda *_: None
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class Endpoint(unittest.TestCase):
    def setUp(self):
        self.partner = Partner()
        self.addCleanup(shutil.rmtree, self.partner.dir, ignore_errors=True)

    def yett(self, upstream, port, **settings):
        y = Yett(upstream, rules=OPEN)
        y.config["identity"]["trust_bundles"]["partner.com"] = {"bundle_endpoint": f"https://localhost:{port}/bundle", "timeout": "2s", **settings}
        y.write_config()
        self.take(y, "first", "caller")
        return y

    def take(self, y, ca, name):
        for end in ("pem", "key"):
            shutil.copy(self.partner.dir / ca / f"{name}.{end}", y.certs / f"{name}.{end}")

    def let_in(self, y, who):
        return y.curl("/hello", who=who).stdout == b"hello\n"

    def test_https_web_from_the_first_answer_to_one_that_is_too_old(self):
        partner = self.partner
        partner.publish(1, "first")
        with Nginx() as nginx:
            # The server is shown by a certificate of an ordinary authority, for its name.
            first = Yett(nginx.address)
            certificate = first.certs / "server"
            with partner.serving(certificate) as port:
                y = self.yett(nginx.address, port, ca=str(first.certs / "bundle.pem"), max_stale=f"{int(10 * SLOW)}s")
                with y:
                    wait_for("the partner", lambda: self.let_in(y, "caller"), 10 * SLOW)
                    self.assertTrue(self.let_in(y, "frontend"))
                    self.assertRegex(y.admin("/metrics")[1], r'yett_trust_bundle_last_refresh_timestamp_seconds\{trust_domain="partner.com"\} \d{10}')
                    # Another authority, which replaces the first.
                    partner.ca("second")
                    partner.issue("second", "newcomer")
                    partner.publish(2, "second")
                    self.take(y, "second", "newcomer")
                    wait_for("the new authority", lambda: self.let_in(y, "newcomer"), 20 * SLOW)
                    self.assertFalse(self.let_in(y, "caller"))
                    partner.publish(1, "first")
                    wait_for("the refusal", lambda: "went back from 2 to 1" in y.log(), 20 * SLOW)
                    self.assertTrue(self.let_in(y, "newcomer"))
                    partner.publish(3, "second")
                    wait_for("an answer", lambda: "the bundle endpoint answers" in y.log(), 20 * SLOW)
                    y.stop()
                    # Nobody answers any more: a restart uses what was kept, until that is too old.
                    partner.status = 503
                    y.start()
                    self.assertTrue(self.let_in(y, "newcomer"))
                    wait_for("the end of its trust", lambda: not self.let_in(y, "newcomer"), 30 * SLOW)
                    self.assertIn("its last answer is too old now", y.log())
                    self.assertTrue(self.let_in(y, "frontend"))

    def test_what_is_not_the_partner_is_not_believed(self):
        partner = self.partner
        with Nginx() as nginx:
            first = Yett(nginx.address)
            with partner.serving(first.certs / "server") as port, self.yett(nginx.address, port, ca=str(first.certs / "bundle.pem")) as y:
                for body, status, expected in (("not found", 404, "answers 404"), ("{}", 200, "it has no array `keys`"), ("x" * (5 << 20), 200, "more than 4 MiB"),
                                               ((partner.dir / "first/bundle.pem").read_text(), 200, "sends no bundle document")):
                    partner.body, partner.status = body, status
                    wait_for(expected, lambda: expected in y.log(), 20 * SLOW)
                self.assertFalse(self.let_in(y, "caller"))
            # A server that the authority does not vouch for.
            partner.publish(1, "first")
            partner.status = 200
            partner.issue("first", "stranger", "--dns", "localhost")
            with partner.serving(partner.dir / "first/stranger") as port, self.yett(nginx.address, port, ca=str(first.certs / "bundle.pem")) as y:
                wait_for("the refusal", lambda: "could not be refreshed" in y.log(), 20 * SLOW)
                self.assertFalse(self.let_in(y, "caller"))

    def test_https_spiffe_believes_only_the_named_identity(self):
        partner = self.partner
        partner.publish(1, "first")
        partner.issue("first", "endpoint")
        with Nginx() as nginx, partner.serving(partner.dir / "first/endpoint") as port:
            spiffe = {"profile": "https_spiffe", "file": str(partner.dir / "first/bundle.pem")}
            with self.yett(nginx.address, port, endpoint_spiffe_id=f"{PARTNER}/endpoint", **spiffe) as y:
                self.assertTrue(self.let_in(y, "caller"))  # by the file
                wait_for("an answer", lambda: (y.dir / "bundle.partner.com.json").exists(), 10 * SLOW)
                # The authority is replaced: the new bundle vouches for the endpoint from then on.
                partner.ca("second")
                partner.publish(2, "first", "second")
                partner.issue("second", "newcomer")
                self.take(y, "second", "newcomer")
                wait_for("the new authority", lambda: self.let_in(y, "newcomer"), 20 * SLOW)
            with self.yett(nginx.address, port, endpoint_spiffe_id=f"{PARTNER}/other", **spiffe) as y:
                wait_for("the refusal", lambda: f"the server is `{PARTNER}/endpoint`, not `{PARTNER}/other`" in y.log(), 20 * SLOW)
                self.assertFalse((y.dir / "bundle.partner.com.json").exists())

    def test_an_endpoint_that_trickles_holds_up_no_other_and_does_not_become_fresh(self):
        partner = self.partner
        partner.publish(1, "first")
        with Nginx() as nginx:
            first = Yett(nginx.address)
            partner.trickle = threading.Event()
            with partner.serving(first.certs / "server") as port:
                y = self.yett(nginx.address, port, ca=str(first.certs / "bundle.pem"), max_stale="1h")
                y.config["identity"]["trust_bundles"]["slow.com"] = {"bundle_endpoint": f"https://localhost:{port}/slow", "ca": str(first.certs / "bundle.pem"), "timeout": "1s"}
                y.write_config()
                with y:
                    wait_for("the report", lambda: "does not answer completely within" in y.log(), 10 * SLOW)
                    wait_for("the partner", lambda: self.let_in(y, "caller"), 10 * SLOW)
                    self.assertRegex(y.admin("/metrics")[1], r'yett_trust_bundle_last_refresh_timestamp_seconds\{trust_domain="slow.com"\} 0')
                    began = time.monotonic()
                    y.stop()
                    self.assertLess(time.monotonic() - began, 4 * SLOW)
                partner.trickle.set()

    def test_an_endpoint_that_never_answers_delays_neither_callers_nor_the_end(self):
        import socket
        with Nginx() as nginx, socket.create_server(("127.0.0.1", 0)) as silent:
            with self.yett(nginx.address, silent.getsockname()[1], timeout="30s") as y:
                self.assertTrue(self.let_in(y, "frontend"))
                time.sleep(0.5)
                began = time.monotonic()
            self.assertLess(time.monotonic() - began, 4 * SLOW)


if __name__ == "__main__":
    unittest.main()
