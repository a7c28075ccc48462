"""Ambiguous messages through Yett to real servers: no server gets a request without a decision, and no response goes to
the wrong request."""
import collections
import contextlib
import itertools
import pathlib
import queue
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from harness import SLOW, Yett, free_port, wait_for

RULES = 'policy "p" { allow "all" { principal = anyone }, deny "admin" { path = "/admin/**" } }'
PROBES = 400

NGINX = """
daemon off; master_process off; pid {dir}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{ log_format t '$request_method $request_uri'; access_log {dir}/seen t; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{port}; root {dir}/www; }} }}
"""
APACHE = """
ServerRoot {dir}
ServerName localhost
PidFile {dir}/pid
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
DocumentRoot {dir}/www
ErrorLog {dir}/error.log
LogFormat "%m %U%q" t
CustomLog {dir}/seen t
"""
LIGHTTPD = """
server.modules = ("mod_accesslog")
server.document-root = "{dir}/www"
server.bind = "127.0.0.1"
server.port = {port}
accesslog.filename = "{dir}/seen"
accesslog.format = "%m %U%q"
"""
HAPROXY = """
global
  log stdout format raw local0
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 5s
frontend f
  bind 127.0.0.1:{port}
  log global
  log-format "%HM %HU"
  http-request return status 200 content-type text/plain lf-string "%[path,regsub(^/probe/,)]"
"""
NODE = """
require('http').createServer((q, r) => {{ require('fs').appendFileSync('{dir}/seen', q.method + ' ' + q.url + '\\n'); q.resume(); q.on('end', () => r.end(q.url.replace(/^.probe./, ''))); q.on('error', () => 0) }}).listen({port}, '127.0.0.1');
"""


class Server:
    """A real server from Debian that logs its requests and answers /probe/N with N."""

    def __init__(self, name, config, command):
        self.name = name
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"yett-{name}-"))
        self.dir.chmod(0o755)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        (self.dir / "www/probe").mkdir(parents=True)
        for i in range(PROBES):
            (self.dir / f"www/probe/{i}").write_text(str(i))
        (self.dir / "seen").touch(mode=0o666)
        (self.dir / "seen").chmod(0o666)
        (self.dir / "conf").write_text(config.format(dir=self.dir, port=self.port, modules="/usr/lib/apache2/modules"))
        self.command = [word.format(conf=self.dir / "conf", dir=self.dir) for word in command]

    def __enter__(self):
        out = open(self.dir / "seen" if self.name == "haproxy" else self.dir / "out", "ab")
        self.process = subprocess.Popen(self.command, stdout=out, stderr=subprocess.DEVNULL)
        out.close()

        def up():
            assert self.process.poll() is None, f"{self.name} did not start"
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            return False

        wait_for(self.name, up, 20)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)

    def seen(self):
        lines = (self.dir / "seen").read_text(errors="replace").splitlines()
        # haproxy logs "<BADREQ>" for a connection that ended without a request, such as those that Yett aborts.
        return [tuple(line.split(" ", 1)) for line in lines if re.match(r"^[!-~]+ \S", line) and "<BADREQ>" not in line]


def servers():
    return [
        Server("nginx", NGINX, ["nginx", "-c", "{conf}", "-p", "{dir}"]),
        Server("apache2", APACHE, ["/usr/sbin/apache2", "-f", "{conf}", "-DFOREGROUND"]),
        Server("lighttpd", LIGHTTPD, ["/usr/sbin/lighttpd", "-D", "-f", "{conf}"]),
        Server("haproxy", HAPROXY, ["/usr/sbin/haproxy", "-f", "{conf}"]),
        Server("node", NODE, ["node", "{conf}"]),
    ]


def messages():
    """Hundreds of ways to delimit a message, each hiding a second request where another parser would find it."""
    hidden = "GET /admin/{n} HTTP/1.1\r\nHost: a\r\nX: y"
    inner = hidden + "\r\n\r\n"
    size = len(inner.format(n=1000))
    chunk = f"{size:x}\r\n" + inner + "\r\n0\r\n\r\n"
    te = ["Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding:chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked",
          "Transfer-Encoding: chunked, chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding:\x0bchunked", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: CHUNKED", "Transfer_Encoding: chunked", "X: y\nTransfer-Encoding: chunked",
          "X: y\rTransfer-Encoding: chunked", "Transfer-Encoding:\r\n chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", " Transfer-Encoding: chunked", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding:", "transfer-encoding\x00: chunked", ""]
    cl = ["Content-Length: 0", f"Content-Length: {size}", "Content-Length: +{size}", "Content-Length: 0, {size}", "Content-Length: 0\r\nContent-Length: {size}", "Content-Length: {size}\r\nContent-Length: {size}", "Content-Length: 0{size}", "Content-Length: -1",
          "Content-Length: 0x{size:x}", "Content-Length : {size}", "Content-Length: {size} 0", "Content-Length:\r\n {size}", "Content_Length: {size}", "Content-Length: 18446744073709551616", "Content-Length:", ""]
    for one, two in itertools.product(te, cl):
        two = re.sub(r"\{size(:x)?\}", lambda m: f"{size:x}" if m[1] else str(size), two)
        for body in (inner, chunk):
            lines = [line for line in ("POST /m/{n} HTTP/1.1", "Host: a", one, two) if line]
            yield "\r\n".join(lines) + "\r\n\r\n" + body
    for line in (f"{size:x};a=b", f"{size:x};a\n", f"0x{size:x}", f"+{size:x}", f" {size:x}", f"{size:x} ", f"-1", f"00000000000000000000{size:x}", f"{size:x}\n", f"{size:x}\r", f"10000000000000000{size:x}", "ffffffffffffffff", f"{size:x}\r\n\r", "0;\r\n" + inner[:20], "", "g"):
        yield "POST /m/{n} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + line + "\r\n" + inner + "\r\n0\r\n\r\n"
    for end in ("0\r\n\r\n" + inner, "0\r\nContent-Length: 5\r\n\r\n" + inner, "0\r\nTransfer-Encoding: chunked\r\n\r\n" + inner, "0\n\n" + inner, "0\r\nX: y\n\n" + inner, "00\r\n\r\n" + inner, "0\r\n" + inner, "0\r\nHost: b\r\n\r\n" + inner, "5\r\nabcdeX\r\n0\r\n\r\n" + inner, "5\r\nabcde0\r\n\r\n" + inner):
        yield "POST /m/{n} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + end
    for line in ("GET /m/{n} HTTP/1.0", "GET /m/{n} HTTP/0.9", "GET /m/{n}", "GET /m/{n} HTTP/2.0", "GET  /m/{n} HTTP/1.1", "GET /m/{n} HTTP/1.1 ", "GET\t/m/{n} HTTP/1.1", "GET /m/{n} http/1.1", "GET /m/{n} HTTP/1.1\r", " GET /m/{n} HTTP/1.1", "GET /m/{n}\r\n HTTP/1.1", "GET http://a/m/{n} HTTP/1.1",
                 "GET http://b/m/{n} HTTP/1.1", "CONNECT a:80 HTTP/1.1", "GET /m/{n}#x HTTP/1.1", "PRI * HTTP/2.0", "HEAD /m/{n} HTTP/1.1", "OPTIONS * HTTP/1.1", "TRACE /m/{n} HTTP/1.1", "\r\n\r\nGET /m/{n} HTTP/1.1", "\nGET /m/{n} HTTP/1.1"):
        for more in ("", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Connection: keep-alive, content-length\r\nContent-Length: 5\r\n", "Connection: close\r\n", "Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAMAAABk\r\n",
                     "Expect: 100-continue\r\nContent-Length: " + str(size) + "\r\n", "Host: b\r\n", "X: y\r\n z\r\n", "X\r\n", ": y\r\n", "X : y\r\n", "X: a\x00b\r\n", "X: a\rb\r\n"):
            yield line + "\r\nHost: a\r\n" + more + "\r\n" + inner


class Desync(unittest.TestCase):
    def send(self, y, message, wait):
        with contextlib.suppress(OSError):
            connection = y.raw(5)
            connection.sendall(message.encode("latin-1"))
            connection.settimeout(wait)
            with contextlib.suppress(TimeoutError):
                while connection.recv(65536):
                    pass
            connection.close()

    def probe(self, y, wrong):
        """Sends probes on one connection, pipelined and one by one, while other clients send ambiguous messages."""
        connection = y.raw(20)
        data = b""
        for i in range(0, PROBES, 2):
            connection.sendall(b"".join(b"GET /probe/%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in (i, i + 1)))
            for n in (i, i + 1):
                body = None
                while body is None:
                    head, end, rest = data.partition(b"\r\n\r\n")
                    if end:
                        chunked = b"chunked" in head.lower()
                        size = re.search(rb"content-length: (\d+)", head.lower())
                        if chunked and rest.find(b"0\r\n\r\n") >= 0:
                            whole, _, data = rest.partition(b"0\r\n\r\n")
                            body = b"".join(whole.split(b"\r\n")[1::2])
                        elif size and len(rest) >= int(size[1]):
                            body, data = rest[:int(size[1])], rest[int(size[1]):]
                    if body is None:
                        piece = connection.recv(65536)
                        if not piece:
                            return wrong.append((n, "closed"))
                        data += piece
                if body != b"%d" % n:
                    wrong.append((n, body))
        connection.close()
        return None

    def test_real_servers(self):
        every = list(messages())
        for server in servers():
            with server, Yett(server.address, rules=RULES, workers=1).plaintext() as y:
                todo = queue.SimpleQueue()
                for n, message in enumerate(every):
                    todo.put(message.replace("{n}", str(1000 + n)))
                wrong = []

                def work():
                    with contextlib.suppress(queue.Empty):
                        while True:
                            self.send(y, todo.get_nowait(), 0.15 * SLOW)

                threads = [threading.Thread(target=work) for _ in range(24)] + [threading.Thread(target=self.probe, args=(y, wrong)) for _ in range(2)]
                for t in threads:
                    t.start()
                for t in threads:
                    t.join()
                self.assertEqual(wrong, [], server.name)
                wait_for("the records", lambda: len(y.query("--effect", "allow")) >= 2 * PROBES)
                server.process.terminate()  # which flushes its log
                server.process.wait(20)
                decided = collections.Counter((d["method"], d["path"]) for d in y.query("--effect", "allow"))
                seen = collections.Counter((method, path.split("?")[0]) for method, path in server.seen())
                self.assertGreaterEqual(seen[("GET", "/probe/0")], 2, server.name)
                for request, count in seen.items():
                    self.assertLessEqual(count, 2 * decided[request], f"{server.name} saw {request} {count} times, decided {decided[request]} times")  # may be retried
                    self.assertFalse(request[1].startswith("/admin"), f"{server.name} saw {request}")
                    if request[0] == "POST":
                        self.assertLessEqual(count, decided[request], request)
                print(f"  {server.name}: {len(every)} ambiguous messages, {sum(seen.values())} requests seen, all decided; {2 * PROBES} answers to the right requests")


if __name__ == "__main__":
    unittest.main()
