"""Shared by the scenarios: a real yett in its own folder, real peers, and ways to talk to them.

Everything listens on loopback and is stopped by the test that started it. The kernel picks Yett's ports: `port`,
`admin_port` and `ports` (by listener) are known once it has started, and change at a restart.
"""
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("YETT_TEST_BINARY") or str(ROOT / "build/release/yett")
SLOW = float(os.environ.get("YETT_TEST_SLOW") or 1)  # factor for all time limits; larger with sanitizers
DOMAIN = "spiffe://example.org"
RULES = """
policy "test" {
  deny "closed" { path = "/admin/**", public_reason = "admin is closed" },
  allow "frontend" { principal = "spiffe://example.org/frontend" },
}
"""


def environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith("YETT_")}
    return env


def free_port():
    """A port that nobody listens on, below the ephemeral ports, so that no outgoing connection of another process can
    take it before it is used."""
    for _ in range(1000):
        port = random.randrange(20000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


def wait_for(what, condition, seconds=5.0):
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"timed out after {seconds * SLOW:.0f} s waiting for {what}")


def wait_for_end(connection, seconds=10.0):
    """Reads until the peer ends the connection, however much it sends before."""
    end = time.monotonic() + seconds * SLOW
    connection.settimeout(seconds * SLOW)
    try:
        while connection.recv(65536):
            if time.monotonic() > end:
                raise AssertionError(f"the connection has not ended after {seconds * SLOW:.0f} s")
    except ConnectionError:
        pass


class Yett:
    """A folder with certificates, rules and configuration, and the yett process that runs on it."""

    def __init__(self, upstream="127.0.0.1:1", rules=RULES, **changes):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-scenario-"))
        self.port, self.admin_port, self.began = None, None, 0
        self.process = None
        certs = getattr(Yett, "_certs", None)
        if certs is None:
            Yett._certs = certs = pathlib.Path(tempfile.mkdtemp(prefix="yett-certs-"))
            run("certs", "init", "--dir", str(certs))
            run("certs", "issue", f"{DOMAIN}/server", "--dir", str(certs), "--dns", "localhost", "--ip", "127.0.0.1")
            for name in ("frontend", "other"):
                run("certs", "issue", f"{DOMAIN}/{name}", "--dir", str(certs))
        self.certs = self.dir / "certs"
        shutil.copytree(certs, self.certs)
        (self.dir / "rules").mkdir()
        self.write_rules(rules)
        self.config = {
            "identity": {
                "svid": {"certificate": "certs/server.pem", "private_key": "certs/server.key"},
                "trust_bundles": {"example.org": "certs/bundle.pem"},
            },
            "listeners": [{"name": "inbound", "address": "127.0.0.1:0", "tls": {"client_certificate": "required"},
                           "routes": [{"path": "/**", "cluster": "app"}]}],
            "clusters": [{"name": "app", "endpoints": [upstream]}],
            "policy": {"engines": [{"name": "main", "type": "lua", "path": "rules"}]},
            "audit": {"database": "yett.db"},
            "admin": {"address": "127.0.0.1:0", "socket": "admin.sock"},
            "access_log": "access.log",
        }
        for key, value in changes.items():
            self.config[key] = value
        self.write_config()

    @property
    def listener(self):
        return self.config["listeners"][0]

    def plaintext(self):
        """Makes the listener plaintext, for tests that are not about TLS."""
        self.listener.pop("tls", None)
        self.listener["plaintext"] = True
        self.write_config()
        return self

    def write_config(self):
        self.replace("yett.json", json.dumps(self.config, indent=1))

    def write_rules(self, text, name="test.lua"):
        self.replace(f"rules/{name}", text)

    def replace(self, name, text):
        path = self.dir / name
        temporary = path.with_name("." + path.name + ".new")
        temporary.write_text(text)
        temporary.chmod(0o600)
        temporary.rename(path)

    def start(self, command=(), until=" serving ", **process):
        """`command`: arguments instead of `-c CONFIG`; `until`: what its log then says; `process`: passed to Popen."""
        self.stderr = open(self.dir / "stderr.log", "ab")
        before = self.log()
        self.process = subprocess.Popen([BINARY, "run", *(command or ("-c", str(self.dir / "yett.json")))], stderr=self.stderr, stdout=self.stderr, env=environment(), **process)
        wait_for("yett to listen", lambda: self.process.poll() is not None or until in self.log()[len(before):], 20)
        assert self.process.poll() is None, self.log()
        self.began = len(before)
        self.port = self.ports.get(self.listener["name"])
        self.admin_port = next(map(int, self.said(r" admin listening address=\"?\S+:(\d+)\"?$")), None)
        return self

    def said(self, pattern):
        """Matches of the pattern in the log of this run."""
        return re.findall(pattern, self.log()[self.began:], re.M)

    @property
    def ports(self):
        """Ports by listener, including listeners added by a reload."""
        return {name: int(port) for name, port in self.said(r" listening listener=(\S+) address=\"?\S+:(\d+)\"?$")}

    def stop(self, how=signal.SIGTERM, expect=0):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(60 * SLOW)
        self.process = None
        self.stderr.close()
        if expect is not None:
            assert code == expect, f"yett ended with {code}:\n{self.log()}"

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        try:
            self.stop(expect=0 if kind is None else None)
            if kind is None:
                assert "Sanitizer" not in self.log(), self.log()
        finally:
            if kind is not None:
                print(self.log()[-4000:])
            shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        path = self.dir / "stderr.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def access_log(self):
        return [json.loads(line) for line in (self.dir / "access.log").read_text().splitlines()]

    def rss_mib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")

    def cpu_ticks(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def context(self, who="frontend"):
        context = ssl.create_default_context(cafile=str(self.certs / "bundle.pem"))
        if who:
            context.load_cert_chain(str(self.certs / f"{who}.pem"), str(self.certs / f"{who}.key"))
        return context

    def connect(self, who="frontend", timeout=10):
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.context(who), timeout=timeout * SLOW)
        connection.sock = None
        return connection

    def raw(self, timeout=10):
        return socket.create_connection(("127.0.0.1", self.port), timeout * SLOW)

    def raw_tls(self, who="frontend", timeout=10):
        return self.context(who).wrap_socket(self.raw(timeout), server_hostname="localhost")

    def get(self, path="/", who="frontend", method="GET", headers=None, body=None):
        connection = self.connect(who)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, dict((k.lower(), v) for k, v in response.getheaders()), response.read()
        finally:
            connection.close()

    def get_plain(self, path):
        """Only the status, over a connection without TLS."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30 * SLOW)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def log_bytes(self):
        return sum(file.stat().st_size for file in self.dir.glob("yett.db*"))

    def curl(self, path, *args, who="frontend"):
        command = ["curl", "-sS", "-m", str(30 * SLOW), "--cacert", str(self.certs / "bundle.pem")]
        if who:
            command += ["--cert", str(self.certs / f"{who}.pem"), "--key", str(self.certs / f"{who}.key")]
        return subprocess.run([*command, *args, f"https://localhost:{self.port}{path}"], capture_output=True, timeout=120 * SLOW)

    def query(self, *args):
        time.sleep(0.04 * SLOW)  # the writer gathers for 10 ms before it commits
        out = run("log", "query", "--log", str(self.dir / "yett.db"), "--format", "json", "--limit", "1000000", *args)
        return [json.loads(line) for line in out.splitlines()]

    def verify(self):
        time.sleep(0.04 * SLOW)
        done = subprocess.run([BINARY, "log", "verify", "--log", str(self.dir / "yett.db"), "--format", "json"], capture_output=True, text=True, env=environment())
        return json.loads(done.stdout)

    def admin(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10 * SLOW)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def socket_get(self, path):
        """The response body from the admin socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10 * SLOW)
            s.connect(str(self.dir / "admin.sock"))
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while piece := s.recv(65536):
                data += piece
            return data.partition(b"\r\n\r\n")[2].decode()


def run(*args):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, f"yett {' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def hello_times(y, seconds, count=10_000):
    """Times of repeated GET /hello on one plaintext connection: seconds, sorted."""
    took = []
    sock = y.raw()
    until = time.monotonic() + seconds
    while time.monotonic() < until and len(took) < count:
        began = time.perf_counter()
        sock.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        data = b""
        while b"hello\n" not in data:
            data += sock.recv(65536)
        took.append(time.perf_counter() - began)
    sock.close()
    return sorted(took)


class Service:
    """An upstream made of one function: handle(connection) for each accepted socket."""

    def __init__(self, handle):
        service = self
        self.connections = 0

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                service.connections += 1
                with contextlib.suppress(OSError):
                    handle(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def read_head(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, rest = data.split(b"\r\n\r\n", 1)
    return head.decode("latin-1"), rest


def echo(connection):
    """Answers each request (bodies only with Content-Length) with the head it received."""
    while True:
        got = read_head(connection)
        if got is None:
            return
        head, rest = got
        length = 0
        for line in head.split("\r\n")[1:]:
            if line.lower().startswith("content-length:"):
                length = int(line.split(":")[1])
        while len(rest) < length:
            rest += connection.recv(65536)
        body = head.encode("latin-1")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def accepts(port):
    """Whether something listens on this port of loopback."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


class Nginx:
    """A real nginx that serves a folder; over HTTP/2 too, at `http2_address`."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-nginx-"))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.http2_address = f"127.0.0.1:{free_port()}"
        (self.dir / "www").mkdir()
        (self.dir / "www/index.html").write_text("hello from nginx\n")
        self.dir.chmod(0o755)
        (self.dir / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {self.dir}/pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {self.dir}/body; proxy_temp_path {self.dir}/proxy; fastcgi_temp_path {self.dir}/f; uwsgi_temp_path {self.dir}/u; scgi_temp_path {self.dir}/s;
  server {{
    listen 127.0.0.1:{self.port};
    listen {self.http2_address} http2;
    root {self.dir}/www;
    location /hello {{ return 200 "hello\\n"; }}
    location /v1 {{ return 200 "one\\n"; }}
    location /v2 {{ return 200 "two\\n"; }}
  }}
}}
""")

    def __enter__(self):
        self.process = subprocess.Popen(["nginx", "-c", str(self.dir / "nginx.conf"), "-p", str(self.dir)], stderr=subprocess.DEVNULL)
        wait_for("nginx to listen", lambda: accepts(self.port), 10)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)
