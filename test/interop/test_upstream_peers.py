"""Services that demand a SPIFFE ID of Yett and prove their own: a real Envoy, nginx and Go."""
import http.client
import json
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "test/scenario"))

from harness import SLOW, Yett, accepts, free_port, run, wait_for  # noqa: E402
from test_upstream_tls import SHOP, TlsNginx  # noqa: E402

BIN = ROOT / "build/interop"
ENVOY = BIN / "envoy/bin/envoy"
OPEN = 'policy "p" { allow "all" { principal = anyone } }'
OURS = "spiffe://example.org/server"


def envoy(certs, who, expects, port):
    """An Envoy that serves only the caller `expects`."""
    kind = "type.googleapis.com/envoy.extensions."
    tls = {"@type": kind + "transport_sockets.tls.v3.DownstreamTlsContext", "require_client_certificate": True,
           "common_tls_context": {"alpn_protocols": ["h2", "http/1.1"],
                                  "tls_certificates": [{"certificate_chain": {"filename": str(certs / f"{who}.pem")}, "private_key": {"filename": str(certs / f"{who}.key")}}],
                                  "validation_context": {"trusted_ca": {"filename": str(certs / "bundle.pem")},
                                                         "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": expects}}]}}}
    answer = json.dumps({"service": "envoy", "protocol": "%PROTOCOL%", "caller": "%DOWNSTREAM_PEER_URI_SAN%"})
    manager = {"@type": kind + "filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "a", "codec_type": "AUTO",
               "http_filters": [{"name": "router", "typed_config": {"@type": kind + "filters.http.router.v3.Router"}}],
               "route_config": {"virtual_hosts": [{"name": "a", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "x"}},
                                                                                            "response_headers_to_add": [{"header": {"key": "x-answer", "value": answer}}]}]}]}}
    return json.dumps({"static_resources": {"listeners": [{"name": "a", "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                                                           "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}],
                                                                              "transport_socket": {"name": "tls", "typed_config": tls}}]}]}})


class Peers(unittest.TestCase):
    def setUp(self):
        self.y = y = Yett(rules=OPEN).plaintext()
        self.addCleanup(shutil.rmtree, y.dir, True)
        self.addCleanup(lambda: y.process and y.process.poll() is None and y.stop())
        run("certs", "issue", SHOP, "--dir", str(y.certs), "--dns", "shop.internal")
        y.config["workers"] = 1

    def start(self, command, port):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        wait_for("the service", lambda: accepts(port), 15)

    def ask(self, address, peer):
        """Status, answer and the detail in the access log."""
        y = self.y
        y.config["clusters"] = [{"name": "app", "endpoints": [address], "tls": {"peer": peer}}]
        y.write_config()
        y.start()
        connection = http.client.HTTPConnection("127.0.0.1", y.port, timeout=20)
        connection.request("GET", "/")
        response = connection.getresponse()
        body = response.headers.get("x-answer") or response.read().decode()
        connection.close()
        time.sleep(0.2 * SLOW)
        detail = y.access_log()[-1].get("detail", "")
        y.stop()
        return response.status, body, detail

    def check(self, make, names_caller=True):
        """`make(who, expects)` starts a service with this certificate that serves only that caller."""
        status, body, _ = self.ask(make("shop", OURS), SHOP)
        self.assertEqual(status, 200, body)
        if names_caller:
            said = json.loads(body)
            print(f"  {said}")
            self.assertEqual((said["caller"], said["protocol"]), (OURS, "HTTP/2.0" if said["service"] == "go" else "HTTP/2"))
        # It is somebody else: Yett refuses it.
        status, _, detail = self.ask(make("other", OURS), SHOP)
        self.assertEqual(status, 503)
        self.assertIn("the service is `spiffe://example.org/other`, not `spiffe://example.org/shop`", detail)
        if names_caller:  # Yett is not whom it wants: it refuses Yett.
            status, _, detail = self.ask(make("shop", "spiffe://example.org/another"), SHOP)
            self.assertIn(status, (502, 503))
            self.assertIn("TLS: ", detail)

    def test_envoy(self):
        if not ENVOY.exists():
            self.skipTest("Envoy is missing: test/bench/run.sh installs it")

        def make(who, expects):
            port = free_port()
            path = self.y.dir / f"envoy-{port}.json"
            path.write_text(envoy(self.y.certs, who, expects, port))
            self.start([ENVOY, "-c", path, "--concurrency", "1", "--log-level", "off", "--disable-hot-restart", "--base-id", str(port)], port)
            return f"127.0.0.1:{port}"

        self.check(make)

    def test_go(self):
        if not (BIN / "go_service").exists():
            self.skipTest("the Go service is missing: test/interop/install.sh")

        def make(who, expects):
            port = free_port()
            certs = self.y.certs
            self.start([BIN / "go_service", "tls", str(port), certs / f"{who}.pem", certs / f"{who}.key", certs / "bundle.pem", expects], port)
            return f"127.0.0.1:{port}"

        self.check(make)

    def test_nginx(self):
        def make(who, _):
            made = TlsNginx(self.y.certs / f"{who}.pem", self.y.certs / f"{who}.key", self.y.certs / "bundle.pem")
            made.__enter__()
            self.addCleanup(made.__exit__)
            return made.address

        self.check(make, names_caller=False)  # it verifies the chain, but knows no SPIFFE IDs


if __name__ == "__main__":
    unittest.main()
