"""Faults of tokens, bundles and routes that a review has found, each as it was shown."""
import json
import pathlib
import shutil
import socket
import ssl
import tempfile
import threading
import time
import unittest

import test_tokens
from h2_peer import H2Service
from harness import SLOW, Service, run, wait_for, wait_for_end
from test_tokens import ISSUER, Idp, KeyServer, stream


class Found(unittest.TestCase):
    setUp = test_tokens.Tokens.setUp
    yett = test_tokens.Tokens.yett
    get = test_tokens.Tokens.get

    def fresh_bundle(self):
        folder = tempfile.mkdtemp(prefix="yett-other-")
        self.addCleanup(shutil.rmtree, folder, True)
        run("certs", "init", "--dir", folder)
        return (pathlib.Path(folder) / "bundle.pem").read_text()

    def is_refused(self, y):
        try:
            y.get("/open/x")
            return False
        except (OSError, ssl.SSLError):
            return True

    def test_a_broken_key_set_holds_back_no_other(self):
        """A stolen key was accepted for as long as another provider's file was broken."""
        y = self.yett()
        y.replace("other.json", Idp().jwks())
        y.config["authentication"]["jwt"]["other"] = {"issuer": "https://other.example", "audiences": ["orders"], "algorithms": ["RS256"], "jwks": "other.json"}
        y.write_config()
        with y:
            stolen = self.idp.token("e")
            self.assertEqual(self.get(y, "/x", stolen)[0], 200)
            y.replace("other.json", "{}")
            wait_for("the refusal", lambda: "provider `other`" in y.log(), 10)
            y.replace("keys.json", self.idp.jwks("e"))
            wait_for("the end of the key", lambda: self.get(y, "/x", stolen)[0] == 401, 10)
            self.assertEqual(self.get(y, "/x", self.idp.token("r"))[0], 200)
            self.assertIn("provider `other`", y.socket_get("/policies"))

    def test_a_broken_bundle_holds_back_no_other(self):
        y = self.yett()
        y.replace("partner.pem", self.fresh_bundle())
        y.replace("own.pem", (y.certs / "bundle.pem").read_text())
        y.config["identity"]["trust_bundles"].update({"partner.com": "partner.pem", "example.org": "own.pem"})
        y.write_config()
        with y:
            y.replace("partner.pem", "nonsense")
            wait_for("the refusal", lambda: "bundle of partner.com" in y.log(), 10)
            self.assertFalse(self.is_refused(y))
            y.replace("own.pem", self.fresh_bundle())
            wait_for("the end of the callers", lambda: self.is_refused(y), 10)

    def test_a_broken_certificate_holds_back_no_bundle(self):
        for broken in ("certs/server.pem", "certs/server.key"):
            y = self.yett()
            y.replace("own.pem", (y.certs / "bundle.pem").read_text())
            y.config["identity"]["trust_bundles"]["example.org"] = "own.pem"
            y.write_config()
            with y:
                (y.dir / broken).write_text("nonsense")
                wait_for("the refusal", lambda: "refused" in y.log(), 10)
                self.assertFalse(self.is_refused(y))
                y.replace("own.pem", self.fresh_bundle())
                wait_for("the end of the callers", lambda: self.is_refused(y), 10)

    def test_keys_belong_to_their_url(self):
        """The keys of a staging provider vouched for production until its own came."""
        keys = KeyServer({"/staging": self.idp.jwks()})
        y = self.yett(jwks=keys.url + "/staging", ca="certs/bundle.pem", refresh_interval="1h")
        keys.start(y, self)
        self.addCleanup(lambda: y.stop(expect=None))
        y.start()
        wait_for("the keys", lambda: self.get(y, "/x", self.idp.token())[0] == 200, 30)
        y.stop()
        y.start()
        self.assertEqual(self.get(y, "/x", self.idp.token())[0], 200)  # kept over a restart
        y.config["authentication"]["jwt"]["corp"]["jwks"] = keys.url + "/production"
        y.write_config()
        wait_for("the end of the other keys", lambda: self.get(y, "/x", self.idp.token())[0] == 503, 10)

    def test_a_stream_of_a_removed_listener_ends_with_its_key(self):
        with Service(stream) as service:
            y = self.yett()
            y.config["clusters"][0]["endpoints"] = [service.address]
            y.config["listeners"].append({**y.config["listeners"][0], "name": "old"})
            y.write_config()
            with y:
                plain = socket.create_connection(("127.0.0.1", y.ports["old"]))
                with y.context("frontend").wrap_socket(plain, server_hostname="localhost") as s:
                    s.sendall(f"GET /x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.idp.token('e')}\r\n\r\n".encode())
                    self.assertIn(b"200 OK", s.recv(4096))
                    del y.config["listeners"][-1]
                    y.write_config()
                    wait_for("the reload", lambda: " reloaded " in y.log(), 10)
                    y.replace("keys.json", self.idp.jwks("e"))
                    wait_for_end(s)
                wait_for("the outcome", lambda: "the token's key or provider is gone" in json.dumps(y.query()), 10)

    def test_a_policy_and_keys_that_change_together(self):
        """What was under way was decided again with the old keys, and never again."""
        with Service(stream) as service:
            y = self.yett()
            y.config["clusters"][0]["endpoints"] = [service.address]
            y.write_config()
            with y, y.raw_tls() as s:
                s.sendall(f"GET /x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.idp.token('e')}\r\n\r\n".encode())
                self.assertIn(b"200 OK", s.recv(4096))
                y.replace("keys.json", self.idp.jwks("e"))
                y.replace("rules/test.lua", 'policy "other" { allow "all" { principal = anyone } }')
                wait_for_end(s)
                wait_for("the outcome", lambda: "the token's key or provider is gone" in json.dumps(y.query()), 10)
                self.assertEqual(y.log().count(" reloaded "), 1)

    def test_no_route_is_chosen_by_what_only_policy_and_tokens_may_set(self):
        y = self.yett(routes=[{"path": "/**", "headers": {"x-tier": "gold"}, "cluster": "gold"}, {"path": "/**", "cluster": "app"}])
        with Service(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngold")) as gold:
            y.config["clusters"].append({"name": "gold", "endpoints": [gold.address]})
            y.write_config()
            with y:
                self.assertEqual(self.get(y, "/x", **{"x-tier": "gold"})[2], "gold")
                y.write_rules('policy "p" { allow "all" { principal = anyone, set_header = { ["x-tier"] = "tin" } } }')
                wait_for("the policy", lambda: "x-tier: tin" in self.get(y, "/x", **{"x-tier": "gold"})[2], 10)
                y.config["authentication"]["jwt"]["corp"]["headers"] = {"x-tier": "{claims.tier}"}
                y.write_config()
                wait_for("the refusal", lambda: "`x-tier` is one that only a token of `corp` may set" in y.log(), 10)

    def test_a_newer_policy_owns_its_headers_while_a_request_waits(self):
        """The service got what the caller had written there."""
        came = threading.Event()

        def handle(connection, number, headers, body):
            connection.send_headers(number, [(":status", "200")])
            connection.respond(number, str(headers).encode())

        service = H2Service(handle)
        serve = service.serve

        def late(sock):
            came.set()
            time.sleep(2 * SLOW)  # Yett waits for its settings
            serve(sock)

        service.serve = late
        y = self.yett(routes=[{"path": "/**", "cluster": "app"}])
        y.config["clusters"] = [{"name": "app", "endpoints": [service.address], "protocol": "http2", "connect_timeout": f"{int(10 * SLOW)}s"}]
        y.write_config()
        with y, y.raw_tls() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Role: admin\r\nX-User: admin\r\nConnection: close\r\n\r\n")
            self.assertTrue(came.wait(10 * SLOW))
            y.config["authentication"]["jwt"]["corp"]["headers"] = {"x-user": "{subject}"}
            y.replace("rules/test.lua", 'policy "p" { allow "all" { principal = anyone, set_header = { ["x-role"] = "guest" } } }')
            y.write_config()
            s.settimeout(20 * SLOW)
            seen = b""
            while piece := s.recv(65536):
                seen += piece
            self.assertIn("reloaded", y.log())
            self.assertIn(b"200", seen[:15])
            self.assertNotIn(b"admin", seen)

    def test_a_token_is_masked_wherever_policy_reads_it(self):
        y = self.yett(routes=[{"path": "/**", "cluster": "app"}], **{"from": ["header:x-user-context"]})
        y.write_rules('policy "p" { allow "all" { principal = anyone, when = function(r) return #r.header["x-user-context"] > 0 and #r.query.t >= 0, "it is " .. r.header["x-user-context"] end } }')
        y.config["cache"] = {"database": "cache.db", "key_file": "cache.key"}
        (y.dir / "cache.key").write_text("k" * 40)
        (y.dir / "cache.key").chmod(0o600)
        y.config["audit"]["record"] = {"query": "plain"}
        y.write_config()
        token = self.idp.token()
        with y:
            self.assertEqual(self.get(y, f"/x?t={token}", **{"X-User-Context": token})[0], 200)
            self.assertEqual(self.get(y, f"/x?t={token.replace('.', '%2E')}", **{"X-User-Context": token})[0], 200)
            self.assertEqual(self.get(y, "/x?t=1", **{"X-User-Context": "plain"})[0], 200)
            records = json.dumps(y.query())
            self.assertIn('"plain"', records)
            self.assertNotIn(token[:30], records)
        for file in y.dir.glob("*"):
            if file.is_file():
                self.assertNotIn(token[:60].encode(), file.read_bytes(), file)


if __name__ == "__main__":
    unittest.main()
