"""Yett's identity from a real SPIRE server and agent; test/interop/install.sh installs them. Skipped if they are missing.

What a double of the Workload API shows better (broken answers, many rotations) is in test/scenario/test_workload_api.py.
"""
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "test/scenario"))

from harness import DOMAIN, SLOW, Nginx, Yett, free_port, wait_for  # noqa: E402
from minting import leaf, root  # noqa: E402

BIN = ROOT / "build/interop/spire"
OPEN = 'policy "p" { allow "all" { principal = authenticated } }'
SERVED = b"HTTP/1.1 200"
# SPIRE renews an SVID after half of its life. An agent's own SVID lives longer, so that the agent may be away for a while.
SERVER = """
server {{
  bind_address = "127.0.0.1"
  bind_port = "{port}"
  socket_path = "{dir}/server.sock"
  data_dir = "{dir}"
  trust_domain = "example.org"
  ca_key_type = "ec-p256"
  ca_ttl = "24h"
  agent_ttl = "1h"
  default_x509_svid_ttl = "1m"
}}
plugins {{
  DataStore "sql" {{ plugin_data {{ database_type = "sqlite3", connection_string = "{dir}/server.sqlite3" }} }}
  KeyManager "memory" {{ plugin_data {{}} }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
}}
"""
AGENT = """
agent {{
  server_address = "127.0.0.1"
  server_port = "{port}"
  socket_path = "{dir}/agent.sock"
  data_dir = "{dir}"
  trust_bundle_path = "{dir}/first-bundle.pem"
  trust_domain = "example.org"
  experimental {{ sync_interval = "1s" }}
}}
plugins {{
  NodeAttestor "join_token" {{ plugin_data {{}} }}
  KeyManager "disk" {{ plugin_data {{ directory = "{dir}" }} }}
  WorkloadAttestor "unix" {{ plugin_data {{}} }}
}}
"""


class Spire:
    """A SPIRE server and an agent in a folder of their own. The name of the folder is short, as names of sockets must be."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-spire-"))
        self.socket = self.dir / "agent.sock"
        self.processes = {}
        port = free_port()
        for name, text in (("server", SERVER), ("agent", AGENT)):
            (self.dir / f"{name}.conf").write_text(text.format(dir=self.dir, port=port))

    def run(self, name, *args):
        with open(self.dir / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen([BIN / f"spire-{name}", "run", "-config", self.dir / f"{name}.conf", *args], stdout=log, stderr=log)

        def healthy():
            assert self.processes[name].poll() is None, self.log(name)
            done = subprocess.run([BIN / f"spire-{name}", "healthcheck", "-socketPath", self.dir / f"{name}.sock"], capture_output=True)
            return done.returncode == 0

        wait_for(f"the SPIRE {name}", healthy, 30)

    def start(self):
        self.run("server")
        (self.dir / "first-bundle.pem").write_text(self.bundle())
        token = self.server("token", "generate")["value"]
        self.parent = f"{DOMAIN}/spire/agent/join_token/{token}"
        self.run("agent", "-joinToken", token)

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
            process.wait(30 * SLOW)
        shutil.rmtree(self.dir, ignore_errors=True)

    def kill(self, name):
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait(30 * SLOW)

    def log(self, name):
        return (self.dir / f"{name}.log").read_text(errors="replace")

    def call(self, *args):
        command = [BIN / "spire-server", *args, "-socketPath", self.dir / "server.sock"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30 * SLOW)
        assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
        return done.stdout

    def server(self, *args):
        """The answer of a command of the server."""
        return json.loads(self.call(*args, "-output", "json"))

    def bundle(self):
        return self.call("bundle", "show")

    def add_entry(self, name, *more):
        """An entry for this user's processes, which Yett is one of; its ID."""
        got = self.server("entry", "create", "-parentID", self.parent, "-spiffeID", f"{DOMAIN}/{name}", "-selector", f"unix:uid:{os.getuid()}", *more)
        return got["results"][0]["entry"]["id"]

    def remove_entry(self, number):
        self.server("entry", "delete", "-entryID", number)

    def authority(self, what, *of):
        """Prepares or activates an authority, or another step of its life; its ID."""
        (about,) = self.server("localauthority", "x509", what, *(("-authorityID", *of) if of else ())).values()
        return about["authority_id"]

    def mint(self, name):
        """A file with the certificate and the key of a caller."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        self.call("x509", "mint", "-spiffeID", f"{DOMAIN}/{name}", "-ttl", "1h", "-write", folder)
        (folder / "both.pem").write_text((folder / "svid.pem").read_text() + (folder / "key.pem").read_text())
        return folder / "both.pem"


def telling(test):
    """A test that shows the logs if it fails."""
    @functools.wraps(test)
    def told(self):
        try:
            test(self)
        except BaseException:
            print("\n".join(["", "yett:", self.y.log()[-6000:], "agent:", self.spire.log("agent")[-3000:]]))
            raise

    return told


class RealSpire(unittest.TestCase):
    def setUp(self):
        if not (BIN / "spire-server").exists():
            self.skipTest("SPIRE is not installed")
        self.spire = Spire()
        self.addCleanup(self.spire.stop)
        self.spire.start()
        self.nginx = Nginx().__enter__()
        self.addCleanup(self.nginx.__exit__, None, None, None)
        self.y = Yett(self.nginx.address, rules=OPEN, identity={"workload_api": f"unix://{self.spire.socket}"})
        self.addCleanup(shutil.rmtree, self.y.dir, True)
        self.addCleanup(lambda: self.y.stop(expect=None))
        self.context = self.caller(self.spire.mint("frontend"))

    def caller(self, file):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=self.spire.bundle())
        context.load_cert_chain(file)
        return context

    def serve(self):
        """Starts Yett, and waits until it serves."""
        self.y.start(until=" admin listening ")
        self.wait_to_serve()

    def wait_to_serve(self):
        wait_for("yett to serve", lambda: " serving " in self.y.log(), 30)
        self.y.port = self.y.ports["inbound"]

    def ask(self, context=None):
        """The status line, or the error; and the server's SPIFFE ID and serial number."""
        try:
            with (context or self.context).wrap_socket(self.y.raw()) as s:
                s.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
                peer = s.getpeercert()
                return s.recv(4096)[:12], dict(peer["subjectAltName"])["URI"], peer["serialNumber"]
        except (OSError, ssl.SSLError) as error:
            return repr(error), None, None

    def serves(self, context=None):
        return self.ask(context)[0] == SERVED

    def new_svid(self, before, seconds=60):
        """Waits until the serial number is not `before`; the new one."""
        wait_for("a new SVID", lambda: self.ask()[2] not in (before, None), seconds)
        return self.ask()[2]

    def streaming(self, value):
        return f"yett_workload_api_streaming {value}\n" in self.y.admin("/metrics")[1]

    def ready(self):
        return self.y.admin("/readyz")

    @contextlib.contextmanager
    def traffic(self):
        """Requests on new connections and on a kept one; none of them may fail."""
        over, failures, done = threading.Event(), [], [0]

        def fresh():
            while not over.is_set():
                got = self.ask()
                done[0] += 1
                if got[0] != SERVED:
                    failures.append(got)
                time.sleep(0.005)

        def kept():
            with self.context.wrap_socket(self.y.raw(30)) as s:
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

        threads = [threading.Thread(target=what) for what in (fresh, kept)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        print(f" {done[0]} requests, none failed", end="", flush=True)

    @telling
    def test_waiting_rotation_and_an_agent_that_is_killed(self):
        y = self.y
        y.start(until=" admin listening ")
        wait_for("that there is no entry", lambda: "has no identity for this process" in self.ready()[1], 20)
        self.assertEqual(self.ready()[0], 503)
        self.assertIn("PERMISSION_DENIED: no identity issued", y.log())
        self.assertNotIn(" listening listener=", y.log())

        entry = self.spire.add_entry("server")
        self.wait_to_serve()
        wait_for("readiness", lambda: self.ready()[0] == 200)
        status, name, serial = self.ask()
        self.assertEqual((status, name), (SERVED, f"{DOMAIN}/server"))
        self.assertTrue(self.streaming(1))

        with self.traffic():
            serial = self.new_svid(serial)
            self.spire.kill("agent")
            wait_for("the loss", lambda: self.streaming(0), 10)
            wait_for("the log", lambda: "agent.sock cannot be reached" in y.log())
            self.assertIn("what it last gave stays in force", y.log())
            time.sleep(2)
            self.assertEqual(self.ask(), (SERVED, f"{DOMAIN}/server", serial))
            self.assertEqual(self.ready()[0], 200)
            self.spire.run("agent")
            serial = self.new_svid(serial)
            wait_for("the stream", lambda: self.streaming(1), 10)
            wait_for("that it answers", lambda: "the Workload API answers" in y.log(), 20)

            self.spire.remove_entry(entry)
            wait_for("the refusal", lambda: self.streaming(0), 20)
            self.assertEqual(self.ask(), (SERVED, f"{DOMAIN}/server", serial))
            self.assertEqual(self.ready()[0], 200)
        y.stop()

    @telling
    def test_an_entry_that_is_deleted_until_the_svid_expires_and_made_again(self):
        entry = self.spire.add_entry("server", "-x509SVIDTTL", "20")
        self.serve()
        self.spire.remove_entry(entry)
        wait_for("that the SVID expires", lambda: self.ready()[0] == 503, 40)
        self.assertIn("Yett's own certificate has expired", self.ready()[1])
        self.assertNotEqual(self.ask()[0], SERVED)
        self.spire.add_entry("renamed")
        wait_for("readiness", lambda: self.ready()[0] == 200, 30)
        self.assertEqual(self.ask()[:2], (SERVED, f"{DOMAIN}/renamed"))
        self.y.stop()

    @telling
    def test_a_new_authority_replaces_the_old_one(self):
        self.spire.add_entry("server")
        self.serve()
        old_authority, old_caller, serial = self.spire.authority("show"), self.context, self.ask()[2]
        with self.traffic():
            authority = self.spire.authority("prepare")
            old_caller.load_verify_locations(cadata=self.spire.bundle())
            self.spire.authority("activate", authority)
            new_caller = self.caller(self.spire.mint("frontend"))
            wait_for("that the new authority is trusted", lambda: self.serves(new_caller), 20)
            self.spire.authority("taint", old_authority)
            self.new_svid(serial, 20)
        with old_caller.wrap_socket(self.y.raw()) as kept:
            kept.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(kept.recv(4096)[:12], SERVED)
            self.spire.authority("revoke", old_authority)
            wait_for("that the old authority is not trusted", lambda: not self.serves(old_caller), 20)
            with contextlib.suppress(OSError):
                kept.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertNotEqual(kept.recv(4096)[:12], SERVED)
        # A context that trusts only the new authority: what Yett presents is signed by it.
        self.assertTrue(self.serves(self.caller(self.spire.mint("frontend"))))
        self.y.stop()

    @telling
    def test_federation_comes_and_goes(self):
        partner = root("partner.com")
        guest = leaf(partner, uri="spiffe://partner.com/guest")
        bundle, file = self.spire.dir / "partner.pem", self.spire.dir / "guest.pem"
        bundle.write_text(partner.pem)
        file.write_text(guest.chain() + guest.key_pem)
        self.spire.server("bundle", "set", "-id", "spiffe://partner.com", "-path", bundle)
        # SPIRE orders SVIDs by the IDs of their entries.
        self.spire.add_entry("first", "-entryID", "a")
        self.spire.add_entry("second", "-entryID", "b", "-federatesWith", "spiffe://partner.com")
        self.y.config["identity"]["spiffe_id"] = f"{DOMAIN}/second"
        self.y.write_config()
        self.serve()
        self.assertEqual(self.ask(self.caller(file))[:2], (SERVED, f"{DOMAIN}/second"))
        self.spire.server("bundle", "delete", "-id", "spiffe://partner.com", "-mode", "dissociate")
        wait_for("that the partner is not trusted", lambda: not self.serves(self.caller(file)), 20)
        self.assertEqual(self.ask()[:2], (SERVED, f"{DOMAIN}/second"))
        self.y.stop()


if __name__ == "__main__":
    unittest.main()
