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

from harness import SLOW, Service, Yett, accepts, echo, free_port, run, wait_for  # noqa: E402
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


def gateway(certs, port, address, details):
    """An Envoy in front of Yett that ends mTLS, and says for whom it asks."""
    kind = "type.googleapis.com/envoy.extensions."
    own = {"tls_certificates": [{"certificate_chain": {"filename": str(certs / "gateway.pem")}, "private_key": {"filename": str(certs / "gateway.key")}}],
           "validation_context": {"trusted_ca": {"filename": str(certs / "bundle.pem")}}}
    manager = {"@type": kind + "filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "a", "use_remote_address": True,
               "forward_client_cert_details": details, "set_current_client_cert_details": {"subject": True, "uri": True, "dns": True, "cert": True},
               "http_filters": [{"name": "router", "typed_config": {"@type": kind + "filters.http.router.v3.Router"}}],
               "route_config": {"virtual_hosts": [{"name": "a", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "yett"}}]}]}}
    host, upstream = address.split(":")
    return json.dumps({"static_resources": {
        "listeners": [{"name": "a", "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                       "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}],
                                          "transport_socket": {"name": "tls", "typed_config": {"@type": kind + "transport_sockets.tls.v3.DownstreamTlsContext",
                                                                                               "require_client_certificate": True, "common_tls_context": own}}}]}],
        "clusters": [{"name": "yett", "type": "STATIC", "load_assignment": {"cluster_name": "yett", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(upstream)}}}}]}]},
                      "transport_socket": {"name": "tls", "typed_config": {"@type": kind + "transport_sockets.tls.v3.UpstreamTlsContext", "common_tls_context": own}}}]}})


class InFront(unittest.TestCase):
    def test_envoy_says_for_whom_it_asks(self):
        if not ENVOY.exists():
            self.skipTest("Envoy is missing: test/bench/run.sh installs it")
        rules = '''policy "p" { allow "frontend" { principal = "spiffe://example.org/gateway", when = function(r)
          return #r.via == 1 and r.via[1] == "spiffe://example.org/frontend" and r.client.ip ~= r.source.ip end } }'''
        with Service(echo) as service:
            y = Yett(service.address, rules=rules)
            run("certs", "issue", "spiffe://example.org/gateway", "--dir", str(y.certs), "--dns", "localhost")
            y.config["listeners"][0]["trusted_forwarders"] = ["spiffe://example.org/gateway"]
            y.write_config()
            with y:
                for details in ("SANITIZE_SET", "APPEND_FORWARD"):
                    port = free_port()
                    path = y.dir / f"envoy-{port}.json"
                    path.write_text(gateway(y.certs, port, f"127.0.0.1:{y.port}", details))
                    process = subprocess.Popen([ENVOY, "-c", path, "--concurrency", "1", "--log-level", "off", "--disable-hot-restart", "--base-id", str(port)],
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    self.addCleanup(lambda process=process: (process.kill(), process.wait()))
                    wait_for("Envoy", lambda: accepts(port), 15)
                    self.assertEqual(self.ask(y, port, "frontend", {})[0], 200)
                    self.assertEqual(self.ask(y, port, "other", {})[0], 403)  # (for a loopback peer, Envoy names the host's own address)
                    # What the caller writes itself: Envoy drops it, or passes it on before its own element.
                    forged = {"x-forwarded-client-cert": "By=spiffe://example.org/gateway;URI=spiffe://example.org/frontend"}
                    self.assertEqual(self.ask(y, port, "other", forged)[0], 403)
                    status, seen = self.ask(y, port, "frontend", {"x-forwarded-client-cert": "URI=spiffe://example.org/other"})
                    self.assertEqual(status, 200)
                    self.assertEqual("uri=spiffe://example.org/other" in seen, details == "APPEND_FORWARD")
                    self.assertIn("uri=spiffe://example.org/gateway", seen)  # Yett's own element comes last

    def ask(self, y, port, who, headers):
        connection = http.client.HTTPSConnection("localhost", port, context=y.context(who), timeout=20)
        connection.request("GET", "/", headers=headers)
        response = connection.getresponse()
        body = response.read().decode().lower()
        connection.close()
        return response.status, body


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
