"""TLS to services: who they must be, what Yett shows them, the protocol by ALPN, resumption, changes while running."""
import contextlib
import http.client
import json
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from harness import SLOW, Service, Yett, accepts, echo, free_port, read_head, run, wait_for
from test_upstreams import OPEN

SHOP = "spiffe://example.org/shop"


class TlsNginx:
    """A real nginx that wants a client certificate and says what it got."""

    def __init__(self, certificate, key, bundle, more=""):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-nginx-"))
        self.dir.chmod(0o755)
        self.address = f"127.0.0.1:{free_port()}"
        (self.dir / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {self.dir}/pid; error_log {self.dir}/error.log info;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {self.dir}/body; proxy_temp_path {self.dir}/proxy; fastcgi_temp_path {self.dir}/f; uwsgi_temp_path {self.dir}/u; scgi_temp_path {self.dir}/s;
  server {{
    listen {self.address} ssl http2;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_verify_client optional; ssl_client_certificate {bundle}; ssl_verify_depth 3;
    ssl_session_cache shared:a:1m; {more}
    location / {{ return 200 "$ssl_client_verify $server_protocol [$ssl_server_name] [$ssl_session_reused] $ssl_client_serial\\n"; }}
  }}
}}
""")

    def __enter__(self):
        self.process = subprocess.Popen(["nginx", "-c", str(self.dir / "nginx.conf"), "-p", str(self.dir)], stderr=subprocess.DEVNULL)
        wait_for("nginx to listen", lambda: accepts(int(self.address.split(":")[1])), 10)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, True)


class UpstreamTls(unittest.TestCase):
    def setUp(self):
        self.y = y = Yett(rules=OPEN).plaintext()
        self.addCleanup(shutil.rmtree, y.dir, True)
        self.addCleanup(lambda: y.process and y.process.poll() is None and y.stop())
        run("certs", "issue", SHOP, "--dir", str(y.certs), "--dns", "shop.internal")
        y.config["workers"] = 1

    def cluster(self, address, tls, **more):
        self.y.config["clusters"] = [{"name": "app", "endpoints": [address], "tls": tls, **more}]
        self.y.write_config()

    def nginx(self, who="shop", certs=None, more=""):
        certs = certs or self.y.certs
        made = TlsNginx(certs / f"{who}.pem", certs / f"{who}.key", self.y.certs / "bundle.pem", more)
        made.__enter__()
        self.addCleanup(made.__exit__)
        return made

    def get(self, path="/"):
        connection = http.client.HTTPConnection("127.0.0.1", self.y.port, timeout=30 * SLOW)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def cause(self):
        time.sleep(0.2 * SLOW)  # the access log has a thread of its own
        return self.y.access_log()[-1]

    def test_both_sides_prove_who_they_are_and_alpn_chooses_http2(self):
        up = self.nginx()
        for peer in (SHOP, "spiffe://example.org", ["spiffe://example.org/none", SHOP]):
            with self.subTest(peer):
                self.cluster(up.address, {"peer": peer, "sni": "shop.internal"})
                self.y.start()
                status, body = self.get()
                self.assertEqual(status, 200, body)
                self.assertTrue(body.startswith("SUCCESS HTTP/2.0 [shop.internal] "), body)
                self.y.stop()

    def test_protocol_http1_is_spoken_over_tls_too(self):
        up = self.nginx()
        self.cluster(up.address, {"peer": SHOP}, protocol="http1")
        self.y.start()
        self.assertTrue(self.get()[1].startswith("SUCCESS HTTP/1.1 []"))

    def test_the_wrong_service_is_refused_with_a_reason_and_told_once(self):
        up = self.nginx("other")
        self.cluster(up.address, {"peer": SHOP})
        self.y.start()
        for _ in range(3):
            status, body = self.get()
            self.assertEqual(status, 503)
            self.assertIn("the service could not prove who it is", body)
            self.assertNotIn("spiffe", body)  # the caller does not learn who is behind
        line = self.cause()
        self.assertEqual(line["result"], "upstream untrusted")
        self.assertIn("the service is `spiffe://example.org/other`, not `spiffe://example.org/shop`", json.dumps(line))
        wait_for("the event", lambda: [e for e in self.y.query("--events") if "endpoint not trusted" in json.dumps(e)])
        self.assertEqual(self.y.log().count("endpoint not trusted"), 1)

    def test_a_service_of_another_authority_is_refused(self):
        other = Yett(rules=OPEN)  # the same names from another CA
        self.addCleanup(shutil.rmtree, other.dir, True)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="yett-certs-"))
        self.addCleanup(shutil.rmtree, folder, True)
        run("certs", "init", "--dir", str(folder))
        run("certs", "issue", SHOP, "--dir", str(folder))
        up = self.nginx(certs=folder)
        self.cluster(up.address, {"peer": SHOP})
        self.y.start()
        self.assertEqual(self.get()[0], 503)
        self.assertIn("upstream untrusted", json.dumps(self.cause()))

    def test_a_dns_name_under_a_given_authority(self):
        up = self.nginx()
        ca = str(self.y.certs / "bundle.pem")
        for name, good in (("shop.internal", True), ("other.internal", False)):
            with self.subTest(name):
                self.cluster(up.address, {"peer_name": name, "ca": ca})
                self.y.start()
                status, body = self.get()
                self.assertEqual(status, 200 if good else 503, body)
                if good:
                    self.assertIn("[shop.internal]", body)
                else:
                    self.assertIn("not for `other.internal`", json.dumps(self.cause()))
                self.y.stop()
        # Without `ca`, the system's authorities count, which do not know this one.
        self.cluster(up.address, {"peer_name": "shop.internal"})
        self.y.start()
        self.assertEqual(self.get()[0], 503)

    def test_sessions_are_resumed(self):
        up = self.nginx(more="keepalive_requests 1;")
        self.cluster(up.address, {"peer": SHOP}, protocol="http1")
        self.y.start()
        seen = [self.get()[1].split()[3] for _ in range(10)]
        self.assertEqual(seen[0], "[.]")
        self.assertGreaterEqual(seen.count("[r]"), 5, seen)  # this nginx gives no new ticket with a resumed one

    def test_a_new_certificate_is_shown_and_a_new_peer_is_demanded_at_once(self):
        up = self.nginx()
        self.cluster(up.address, {"peer": SHOP})
        self.y.start()
        before = self.get()[1].split()[-1]
        run("certs", "issue", "spiffe://example.org/server", "--dir", str(self.y.certs), "--dns", "localhost", "--ip", "127.0.0.1")
        wait_for("the new certificate", lambda: self.get()[1].split()[-1] != before, 10 * SLOW)
        self.cluster(up.address, {"peer": "spiffe://example.org/none"})
        wait_for("the new peer", lambda: self.get()[0] == 503, 10 * SLOW)
        self.cluster(up.address, {"peer": SHOP})
        wait_for("the old peer", lambda: self.get()[0] == 200, 20 * SLOW)

    def test_a_stream_to_a_service_that_is_no_longer_accepted_ends(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.y.certs / "shop.pem", self.y.certs / "shop.key")
        hold = threading.Event()
        self.addCleanup(hold.set)

        def serve(plain):
            with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                if read_head(connection):
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegin")
                    hold.wait(30)

        with Service(serve) as service:
            self.cluster(service.address, {"peer": SHOP}, protocol="http1")
            self.y.start()
            with self.y.raw() as caller:
                caller.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                got = b""
                while b"begin" not in got:
                    got += caller.recv(4096)
                self.cluster(service.address, {"peer": "spiffe://example.org/none"}, protocol="http1")
                caller.settimeout(10 * SLOW)
                began = time.monotonic()
                with contextlib.suppress(ConnectionResetError):
                    while caller.recv(4096):
                        pass
                self.assertLess(time.monotonic() - began, 5 * SLOW)
            self.assertIn("no longer accepted", json.dumps(self.cause()))

    def test_a_service_that_refuses_our_certificate_is_named(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.y.certs / "shop.pem", self.y.certs / "shop.key")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.y.certs / "bundle.pem")

        def serve(plain):
            with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                echo(connection)

        with Service(serve) as service:
            self.cluster(service.address, {"peer": SHOP, "own_certificate": False}, protocol="http1")
            self.y.start()
            self.assertIn(self.get()[0], (502, 503))
            self.assertIn("certificate required", json.dumps(self.cause()))

    def test_a_plaintext_service_and_a_silent_one_are_failures_in_time(self):
        def plain(connection):
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

        with Service(plain) as service:
            self.cluster(service.address, {"peer": SHOP})
            self.y.start()
            status, _ = self.get()
            self.assertEqual(status, 503)
            self.assertIn("TLS", json.dumps(self.cause()))
            self.y.stop()

        def silent(connection):
            connection.recv(1 << 16)
            time.sleep(10)

        with Service(silent) as service:
            self.cluster(service.address, {"peer": SHOP}, connect_timeout="500ms")
            self.y.start()
            began = time.monotonic()
            self.assertEqual(self.get()[0], 503)
            self.assertLess(time.monotonic() - began, 2 * SLOW)
            self.assertIn("no connection within the connect timeout", json.dumps(self.cause()))

    def test_settings_that_cannot_work(self):
        for tls, wanted in (({}, "say whom to accept"),
                            ({"peer": SHOP, "peer_name": "a"}, "say whom to accept"),
                            ({"peer": "shop"}, "/clusters/0/tls/peer: "),
                            ({"peer": "spiffe://partner.com/a"}, "needs the bundle of partner.com"),
                            ({"peer": SHOP, "ca": "x.pem"}, "is for `peer_name`"),
                            ({"peer_name": "a b"}, "is not a DNS name"),
                            ({"peer_name": "a", "ca": "none.pem"}, "none.pem")):
            with self.subTest(tls):
                self.cluster("127.0.0.1:1", tls)
                code, _, err = __import__("test_cli").yett("check", "-c", str(self.y.dir / "yett.json"))
                self.assertEqual(code, 2, err)
                self.assertIn(wanted, err)


if __name__ == "__main__":
    unittest.main()
