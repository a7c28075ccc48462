"""Yett's own SVID and the bundles from the SPIFFE Workload API: waiting, rotation, refusals, an agent that comes and goes."""
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

import harness
from harness import SLOW, Nginx, Service, Yett, echo, wait_for
from minting import in_seconds
from workload_api import Authority, WorkloadApi, key_of, svids_message

OPEN = 'policy "p" { allow "all" { principal = authenticated } }'
INVALID, DENIED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED


class Agent(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-agent-"))
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.authority = Authority()
        self.api = WorkloadApi(self.dir / "agent.sock")
        self.addCleanup(self.api.stop)
        self.nginx = Nginx().__enter__()
        self.addCleanup(self.nginx.__exit__, None, None, None)

    def yett(self, **identity):
        identity = {"workload_api": f"unix://{self.api.path}", **identity}
        return Yett(self.nginx.address, rules=OPEN, identity=identity)

    def starting(self, y):
        """Enters `y`, which need not serve yet."""
        y.start(until=" admin listening ")
        self.addCleanup(shutil.rmtree, y.dir, True)

        def end():
            y.stop(expect=None)
            self.assertNotIn("Sanitizer", y.log())

        self.addCleanup(end)
        return y

    def serving(self, y):
        wait_for("yett to serve", lambda: " serving " in y.log(), 20)
        y.port = y.ports["inbound"]
        return y

    def caller(self, issued=None, ca=None):
        """A context of a caller, who trusts `ca`."""
        issued = issued or self.authority.issue("frontend")
        file = self.dir / f"caller-{time.monotonic_ns()}.pem"
        file.write_text(issued.chain() + issued.key_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=ca or self.authority.pem)
        context.load_cert_chain(file)
        return context

    def ask(self, y, context=None):
        """The status line, or the error; and the server's SPIFFE ID."""
        try:
            with (context or self.caller()).wrap_socket(y.raw(), server_hostname="localhost") as s:
                s.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
                ids = [value for kind, value in s.getpeercert()["subjectAltName"] if kind == "URI"]
                return s.recv(4096)[:12], ids[0]
        except (OSError, ssl.SSLError) as error:
            return repr(error), None

    def ready(self, y):
        status, text = y.admin("/readyz")
        return status, text


class Tokens(Agent):
    def test_tokens_towards_a_cluster(self):
        """A JWT-SVID of Yett's own in place of what the caller sent; renewed at half its life; 503 where there is none."""
        key, asked = ec.generate_private_key(ec.SECP256R1()), []

        def answer(audiences, spiffe_id):
            asked.append((audiences, spiffe_id))
            own = "spiffe://example.org/server"
            return own, jwt.encode({"sub": own, "aud": audiences, "exp": int(time.time() + 4 * SLOW), "n": len(asked)}, key, "ES256", {"kid": "k"})

        with Service(echo) as service:
            self.api.start()
            self.api.give_svid(self.authority.issue(), self.authority)
            y = self.yett()
            y.config["clusters"][0] = {"name": "app", "endpoints": [service.address], "jwt_svid": {"audience": "spiffe://example.org/app"}}
            y.write_config()
            y = self.serving(self.starting(y))
            context = self.caller()

            def token(method=b"GET"):
                """The one that the service got, or the status."""
                with context.wrap_socket(y.raw(), server_hostname="localhost") as s:
                    s.sendall(method + b" / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic callers\r\nConnection: close\r\n\r\n")
                    data = b""
                    while piece := s.recv(65536):
                        data += piece
                self.assertNotIn(b"Basic callers", data)
                found = re.search(rb"(?i)\r\nauthorization: Bearer (\S+)", data)

                return found.group(1).decode() if found else data[9:12]

            wait_for("the refusal", lambda: "no identity issued" in y.log(), 10)
            self.assertEqual(token(), b"503")
            self.api.jwt_svid = answer
            wait_for("a token", lambda: token() != b"503", 20)
            first = token()
            self.assertEqual(token(b"TRACE"), b"200")  # the caller would read it in the answer
            self.assertEqual(asked[0][0], ["spiffe://example.org/app"])
            self.assertEqual(jwt.decode(first, options={"verify_signature": False})["aud"], ["spiffe://example.org/app"])
            wait_for("the next", lambda: token() != first, 10 * SLOW)
            self.assertLess(len(asked), 8)
            self.assertRegex(y.admin("/metrics")[1], r'yett_jwt_svid_expiration_timestamp_seconds\{audience="spiffe://example.org/app"\} \d{10}')
            self.api.stop(killed=True)
            self.assertNotEqual(token(), b"503")
            wait_for("the end of the last token", lambda: token() == b"503", 10 * SLOW)
            self.api.start()
            wait_for("a token again", lambda: token() != b"503", 30)
            self.assertNotIn(first[:40], y.log() + json.dumps(y.query()))

    def test_a_jwt_svid_whose_keys_are_not_here_yet(self):
        """The agent is slow: that is not the caller's fault. 401 told it to throw its token away."""
        key = ec.generate_private_key(ec.SECP256R1())
        jwk = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())), "kid": "k", "use": "jwt-svid"}
        token = jwt.encode({"sub": "spiffe://example.org/batch", "aud": ["orders"], "exp": int(time.time() + 300)}, key, "ES256", {"kid": "k"})
        stranger = jwt.encode({"sub": "spiffe://other.org/batch", "aud": ["orders"], "exp": int(time.time() + 300)}, key, "ES256", {"kid": "k"})
        self.api.refuse("FetchJWTBundles", grpc.StatusCode.UNAVAILABLE, "not now")
        self.api.start()
        self.api.give_svid(self.authority.issue(), self.authority)
        y = self.yett()
        y.config["authentication"] = {"jwt_svid": {"audiences": ["orders"]}}
        y.config["listeners"][0]["routes"] = [{"path": "/**", "cluster": "app", "jwt_svid": "required"}]
        y.write_config()
        y = self.serving(self.starting(y))
        context = self.caller()

        def status(bearer):
            with context.wrap_socket(y.raw(), server_hostname="localhost") as s:
                s.sendall(f"GET /hello HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode())
                return int(s.recv(4096)[9:12])

        self.assertEqual((status(token), status(stranger)), (503, 503))
        self.assertIn("the keys of its trust domain are not known yet", y.log() + json.dumps(y.query()))
        self.api.give_jwt_bundles(**{"example.org": {"keys": [jwk]}})
        wait_for("the keys", lambda: status(token) == 200, 20)
        self.assertEqual(status(stranger), 401)


class Waiting(Agent):
    def test_it_waits_for_an_agent_says_why_and_then_serves(self):
        y = self.starting(self.yett())
        status, text = self.ready(y)
        self.assertEqual(status, 503)
        wait_for("the reason", lambda: "cannot be reached" in self.ready(y)[1])
        self.assertIn(str(self.api.path), self.ready(y)[1])
        self.assertEqual(y.admin("/healthz")[0], 200)
        self.assertEqual(y.admin("/metrics")[0], 200)
        self.assertNotIn(" listening listener=", y.log())

        self.api.refuse("FetchX509SVID", DENIED, "no identity issued\n\x1b[31m")
        self.api.start()
        wait_for("that there is no entry", lambda: "has no identity for this process" in self.ready(y)[1], 30)
        wait_for("the log", lambda: "PERMISSION_DENIED" in y.log())
        self.assertIn("PERMISSION_DENIED: no identity issued\\\\x0a\\\\x1b[31m", y.log())
        self.api.refuse("FetchX509SVID", INVALID, "security header missing from request")
        wait_for("that the header is missing", lambda: "`workload.spiffe.io` is missing" in self.ready(y)[1], 30)
        self.assertTrue(all(headers.get("workload.spiffe.io") == "true" for headers in self.api.headers))

        self.api.stop()
        self.api.give_svid(self.authority.issue(), self.authority)
        self.api.start()
        self.serving(y)
        self.assertEqual(self.ask(y), (b"HTTP/1.1 200", "spiffe://example.org/server"))
        wait_for("readiness", lambda: self.ready(y)[0] == 200)
        metrics = y.admin("/metrics")[1]
        self.assertIn("yett_workload_api_streaming 1", metrics)
        self.assertRegex(metrics, r"yett_workload_api_last_svid_timestamp_seconds \d{10}\n")
        checked = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))
        y.stop()

    def test_of_several_svids_the_first_or_the_one_that_is_named(self):
        svids = [self.authority.issue("first"), self.authority.issue("second")]
        self.api.give("FetchX509SVID", svids_message(svids, self.authority.bundle))
        self.api.start()
        y = self.serving(self.starting(self.yett()))
        self.assertEqual(self.ask(y)[1], "spiffe://example.org/first")
        y.stop()
        y = self.serving(self.starting(self.yett(spiffe_id="spiffe://example.org/second")))
        self.assertEqual(self.ask(y)[1], "spiffe://example.org/second")
        y.config["identity"]["spiffe_id"] = "spiffe://example.org/third"
        y.write_config()
        wait_for("the refusal", lambda: "but not spiffe://example.org/third (`identity.spiffe_id`)" in y.log(), 10)
        self.assertEqual(self.ask(y)[1], "spiffe://example.org/second")
        y.stop()
        y = self.starting(self.yett(spiffe_id="spiffe://example.org/third"))
        wait_for("the reason", lambda: "gives spiffe://example.org/first, spiffe://example.org/second, but not" in self.ready(y)[1], 20)
        self.assertNotIn(" listening listener=", y.log())

    def test_answers_that_are_not_sound_are_refused_and_told(self):
        other = Authority("other.org")
        good = self.authority.issue()
        broken = {
            "the answer has no SVID": b"",
            "not a protobuf message": b"\x0a\xff\xff\xff",
            "its certificate is that of": svids_message([good], self.authority.bundle).replace(b"\x0a\x1bspiffe://example.org/server", b"\x0a\x1bspiffe://example.org/SERVER"),
            "its bundle: certificate 1 cannot be read": svids_message([good], b"\x30\x03abc"),
            "does not match": svids_message([good], self.authority.bundle).replace(key_of(good), key_of(self.authority.issue())),
        }
        y = self.starting(self.yett())
        for why, message in broken.items():
            with self.subTest(why=why):
                self.api.give("FetchX509SVID", message)
                if self.api.server is None:
                    self.api.start()
                wait_for(why, lambda: why in y.log(), 20)
        self.api.give_svid(good, self.authority, federated={"other.org": other.bundle})
        self.serving(y)
        self.assertEqual(self.ask(y)[0], b"HTTP/1.1 200", y.log())
        # A broken bundle of one domain leaves the others' as they are.
        self.api.give_svid(self.authority.issue("renewed"), self.authority, federated={"other.org": b"\x30\x03abc"})
        wait_for("the refusal", lambda: "the bundle of `other.org`" in y.log(), 10)
        wait_for("the new SVID", lambda: self.ask(y)[1] == "spiffe://example.org/renewed", 10)
        self.assertEqual(self.ask(y, self.caller(other.issue("guest")))[0], b"HTTP/1.1 200")


class Running(Agent):
    def start(self, **identity):
        self.api.give_svid(self.authority.issue("v0"), self.authority)
        self.api.start()
        return self.serving(self.starting(self.yett(**identity)))

    def test_twenty_rotations_under_load_lose_nothing(self):
        y = self.start()
        context = self.caller()
        over, failures, done = threading.Event(), [], [0]

        def fresh():
            while not over.is_set():
                got = self.ask(y, context)
                done[0] += 1
                if got[0] != b"HTTP/1.1 200":
                    failures.append(got)

        def kept():
            with context.wrap_socket(y.raw(30), server_hostname="localhost") as s:
                while not over.is_set():
                    s.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    data = b""
                    while b"hello\n" not in data:
                        piece = s.recv(4096)
                        if not piece:
                            return failures.append("a kept connection was closed")
                        data += piece
                    done[0] += 1
                    time.sleep(0.005)

        threads = [threading.Thread(target=what) for what in (fresh, kept, kept)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 21):
                if number % 5 == 0:  # the authority's key too: at first both are trusted
                    self.authority.rotate()
                    context.load_verify_locations(cadata=self.authority.pem)
                    self.api.give_svid(self.authority.issue(f"v{number - 1}"), self.authority)
                if number % 7 == 0:  # the agent is killed and comes back
                    self.api.stop(killed=True)
                    self.api.give_svid(self.authority.issue(f"v{number}"), self.authority)
                    time.sleep(0.2)
                    self.api.start()
                else:
                    self.api.give_svid(self.authority.issue(f"v{number}"), self.authority)
                wait_for(f"rotation {number}", lambda: self.ask(y, context)[1] == f"spiffe://example.org/v{number}", 20)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        print(f" 20 rotations, {done[0]} requests, none failed", end="", flush=True)

    def test_the_last_good_stays_while_the_agent_is_away_or_refuses(self):
        y = self.start()
        self.api.refuse("FetchX509SVID", DENIED, "no identity issued")
        wait_for("the refusal", lambda: "what it last gave stays in force" in y.log(), 10)
        self.assertEqual(self.ask(y)[1], "spiffe://example.org/v0")
        wait_for("the metric", lambda: "yett_workload_api_streaming 0" in y.admin("/metrics")[1])
        self.assertEqual(self.ready(y)[0], 200)
        self.api.stop(killed=True)
        wait_for("the loss", lambda: "cannot be reached" in y.log(), 20)
        y.write_rules(OPEN.replace('"all"', '"renamed"'))
        wait_for("a reload", lambda: " reloaded " in y.log().split("cannot be reached")[1], 10)
        self.assertEqual(self.ask(y)[1], "spiffe://example.org/v0")
        self.api.give_svid(self.authority.issue("v1"), self.authority)
        self.api.start()
        wait_for("the new SVID", lambda: self.ask(y)[1] == "spiffe://example.org/v1", 30)
        wait_for("that it answers", lambda: "the Workload API answers" in y.log())
        self.assertIn("yett_workload_api_streaming 1", y.admin("/metrics")[1])

    def test_an_svid_that_expires_while_the_agent_is_away_makes_readiness_fail(self):
        end = in_seconds(8 * SLOW)
        self.api.give_svid(self.authority.issue("short", expires=end), self.authority)
        self.api.start()
        y = self.serving(self.starting(self.yett()))
        self.api.stop(killed=True)
        wait_for("the warning", lambda: "Yett's own certificate ends soon" in y.log(), 10)
        time.sleep(max(end - time.time(), 0) + 1)
        self.assertEqual(self.ready(y)[0], 503)
        self.assertIn("Yett's own certificate has expired", self.ready(y)[1])
        self.api.give_svid(self.authority.issue("long"), self.authority)
        self.api.start()
        wait_for("readiness", lambda: self.ready(y)[0] == 200, 40)
        self.assertEqual(self.ask(y)[1], "spiffe://example.org/long")

    def test_federated_bundles_come_and_go(self):
        partner = Authority("partner.com")
        guest = self.caller(partner.issue("guest"))
        y = self.start()
        self.assertNotEqual(self.ask(y, guest)[0], b"HTTP/1.1 200")
        self.api.give_svid(self.authority.issue("v1"), self.authority, federated={"partner.com": partner.bundle})
        wait_for("the partner", lambda: self.ask(y, guest)[0] == b"HTTP/1.1 200", 10)
        # FetchX509Bundles too: the newest answer counts.
        self.api.give_svid(self.authority.issue("v2"), self.authority)
        wait_for("that the partner is gone", lambda: self.ask(y, guest)[0] != b"HTTP/1.1 200", 10)
        self.api.give_bundles(**{"example.org": self.authority.bundle})
        self.api.stop()
        self.api.start()
        wait_for("the stream of bundles", lambda: self.api.opened.count("FetchX509Bundles") > 1, 20)
        wait_for("that the partner is gone", lambda: self.ask(y, guest)[0] != b"HTTP/1.1 200", 30)
        self.api.give_bundles(**{"example.org": self.authority.bundle, "partner.com": partner.bundle})
        wait_for("the partner", lambda: self.ask(y, guest)[0] == b"HTTP/1.1 200", 10)
        # A bundle that becomes empty trusts nobody.
        self.api.give_bundles(**{"example.org": self.authority.bundle, "partner.com": b""})
        wait_for("that nobody of it is trusted", lambda: self.ask(y, guest)[0] != b"HTTP/1.1 200", 10)
        self.assertEqual(self.ask(y)[0], b"HTTP/1.1 200")

    def test_an_endpoint_without_an_answer_does_not_let_the_agent_in(self):
        """Nor an empty file; and CRLs of an entry without a bundle add to those of the agent."""
        partner = Authority("partner.com")
        self.api.give_svid(self.authority.issue("v0"), self.authority, federated={"partner.com": partner.bundle})
        self.api.start()
        guest = self.caller(partner.issue("guest"))
        y = self.serving(self.starting(self.yett(trust_bundles={"partner.com": {"bundle_endpoint": "https://127.0.0.1:9/"}})))
        self.assertNotEqual(self.ask(y, guest)[0], b"HTTP/1.1 200")
        self.assertEqual(self.ask(y)[0], b"HTTP/1.1 200")
        y.replace("partner.pem", partner.pem)
        y.config["identity"]["trust_bundles"] = {"partner.com": "partner.pem"}
        y.write_config()
        wait_for("the partner", lambda: self.ask(y, guest)[0] == b"HTTP/1.1 200", 10)
        y.replace("partner.pem", "")
        wait_for("the refusal", lambda: "contains no certificate" in y.log(), 10)
        self.assertEqual(self.ask(y, guest)[0], b"HTTP/1.1 200")

    def test_a_port_that_is_taken_when_the_svid_comes(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            y = self.yett()
            y.listener["address"] = f"127.0.0.1:{taken.getsockname()[1]}"
            y.write_config()
            self.starting(y)
            self.api.give_svid(self.authority.issue(), self.authority)
            self.api.start()
            wait_for("the reason", lambda: "address already in use" in self.ready(y)[1], 20)
        self.serving(y)
        self.assertEqual(self.ask(y)[0], b"HTTP/1.1 200")

    def test_a_storm_of_answers(self):
        """Some 2,000 rotations a second: one reload a second, few log lines, little memory, a prompt end."""
        y = self.start()
        before, until = y.rss_mib(), time.monotonic() + 5
        svids = [svids_message([self.authority.issue(name)], self.authority.bundle) for name in ("a", "b")]
        while time.monotonic() < until:
            for message in svids:
                self.api.give("FetchX509SVID", message)
                time.sleep(0.001)
        self.assertLessEqual(y.log().count(" reloaded "), 10 * SLOW)
        if "release" in harness.BINARY:  # sanitizers keep what is freed
            self.assertLess(y.rss_mib() - before, 30)
        self.assertEqual(self.ask(y)[0], b"HTTP/1.1 200")
        began = time.monotonic()
        y.stop()
        self.assertLess(time.monotonic() - began, 3 * SLOW)

    def test_a_configured_bundle_goes_before_that_of_the_agent(self):
        partner, false = Authority("partner.com"), Authority("partner.com")
        (self.dir / "partner.pem").write_text(partner.pem)
        self.api.give_svid(self.authority.issue("v0"), self.authority, federated={"partner.com": false.bundle})
        self.api.start()
        y = self.serving(self.starting(self.yett(trust_bundles={"partner.com": str(self.dir / "partner.pem")})))
        self.assertEqual(self.ask(y, self.caller(partner.issue("guest")))[0], b"HTTP/1.1 200")
        self.assertNotEqual(self.ask(y, self.caller(false.issue("guest")))[0], b"HTTP/1.1 200")

    def test_a_large_answer_in_small_pieces(self):
        """3 MiB of federated bundles, and one of over 4 MiB, which is refused."""
        many = {f"d{number}.example": Authority(f"d{number}.example").bundle * 22 for number in range(300)}
        y = self.start()
        self.api.give_svid(self.authority.issue("large"), self.authority, federated=many)
        wait_for("the large answer", lambda: self.ask(y)[1] == "spiffe://example.org/large", 30)
        last = list(many)[-1]
        self.api.give_svid(self.authority.issue("too-large"), self.authority, federated={last: bytes(5 << 20)})
        wait_for("the refusal", lambda: "more than the limit of 4MiB" in y.log(), 30)
        self.assertEqual(self.ask(y)[1], "spiffe://example.org/large")

    def test_an_agent_that_says_nothing_or_nonsense(self):
        self.api.path.unlink(missing_ok=True)
        said = [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 9, bytes(range(256)) * 300]
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.api.path))
        server.listen(16)
        self.addCleanup(server.close)
        server.settimeout(30 * SLOW)
        y = self.starting(self.yett())
        for what in said[1:]:
            peer, _ = server.accept()
            peer.sendall(what)
            time.sleep(0.3)
            peer.close()
        silent = []

        def keep_all():
            while True:
                try:
                    silent.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=keep_all, daemon=True).start()
        wait_for("the reason", lambda: "has not answered yet" in self.ready(y)[1], 20)
        wait_for("that it is told", lambda: 'agent.sock has not answered yet"' in y.log(), 20)
        self.assertEqual(self.ready(y)[0], 503)
        y.stop()


class Configuration(Agent):
    def check(self, identity):
        y = Yett(self.nginx.address, rules=OPEN, identity=identity)
        self.addCleanup(shutil.rmtree, y.dir, True)
        env = {**harness.environment(), "SPIFFE_ENDPOINT_SOCKET": f"unix://{self.api.path}"} if identity.get("workload_api") is True else harness.environment()
        done = subprocess.run([harness.BINARY, "check", "-c", y.dir / "yett.json"], capture_output=True, text=True, env=env)
        return done.returncode, done.stdout + done.stderr

    def test_what_is_wrong_is_said_where_it_is(self):
        for identity, why in [
            ({"workload_api": "tcp://127.0.0.1:1"}, '/identity/workload_api: `tcp://127.0.0.1:1` is not "unix:///" and the path of a socket'),
            ({"workload_api": "unix:///" + "x" * 120}, "/identity/workload_api: the path of a socket has at most 107 bytes"),
            ({"workload_api": "unix://agent.sock"}, "/identity/workload_api: `unix://agent.sock` is not"),
            ({"workload_api": 7}, "/identity/workload_api: is a number, must be a string"),
            ({"workload_api": "unix:///run/a.sock", "svid": {"certificate": "a", "private_key": "b"}}, "/identity/svid: `workload_api` gives the SVID: configure one of them"),
            ({"spiffe_id": "spiffe://example.org/a"}, "/identity/spiffe_id: chooses among what `workload_api` gives"),
            ({"workload_api": "unix:///run/a.sock", "spiffe_id": "a"}, "/identity/spiffe_id:"),
            ({}, "/listeners/0/tls: needs `/identity/svid` or `/identity/workload_api`"),
        ]:
            with self.subTest(identity=identity):
                code, text = self.check(identity)
                self.assertEqual(code, 2, text)
                self.assertIn(why, text)

    def test_check_names_the_socket_and_does_not_ask_it(self):
        for identity in ({"workload_api": f"unix://{self.api.path}"}, {"workload_api": True}):
            code, text = self.check(identity)
            self.assertEqual(code, 0, text)
            self.assertIn(f"from unix://{self.api.path}, which `check` does not ask", text)

    def test_without_the_variable(self):
        y = Yett(self.nginx.address, rules=OPEN, identity={"workload_api": True})
        self.addCleanup(shutil.rmtree, y.dir, True)
        env = {name: value for name, value in os.environ.items() if name != "SPIFFE_ENDPOINT_SOCKET"}
        done = subprocess.run([harness.BINARY, "check", "-c", y.dir / "yett.json"], capture_output=True, text=True, env=env)
        self.assertIn("is true, but the environment has no SPIFFE_ENDPOINT_SOCKET", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
