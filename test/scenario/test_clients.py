"""What real clients and services expect of a proxy between them, taken from public bug reports about other proxies."""
import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from h2_peer import H2Client
from harness import BINARY, DOMAIN, SLOW, Nginx, Service, Yett, environment, hello_times, read_head, run, wait_for

OPEN = 'policy "p" { allow "all" { principal = anyone, path = "/**" }, deny "admin" { path = "/admin/**" } }'


def heads(seen):
    """A service that records the heads it gets and answers 200."""
    def serve(connection):
        got = read_head(connection)
        while got:
            seen.append(got[0])
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            got = read_head(connection)
    return serve


class Uploads(unittest.TestCase):
    def upload(self, y, size, pause=0.0):
        with y.raw(60) as sock:
            sock.sendall(f"POST /admin/x HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
            sent, piece = 0, b"x" * 65536
            while sent < size:
                sock.sendall(piece[:size - sent])
                sent += len(piece)
                time.sleep(pause)
            answer = b""
            while data := sock.recv(65536):
                answer += data
            return answer

    def test_a_refused_upload_gets_its_response(self):
        with Nginx() as up, Yett(up.address, rules=OPEN).plaintext() as y:
            for size, pause in ((20 << 20, 0), (3 << 20, 0.0625)):
                answer = self.upload(y, size, pause)
                self.assertTrue(answer.startswith(b"HTTP/1.1 403 "), answer[:200])
                self.assertIn(b"connection: close", answer)
                self.assertIn(b"decision_id", answer)
            big = y.dir / "big"
            big.write_bytes(b"x" * (20 << 20))
            done = subprocess.run(["curl", "-sS", "-m", "60", "-T", str(big), "-H", "Expect:", "-w", "%{http_code}", "-o", "/dev/null", f"http://127.0.0.1:{y.port}/admin/x"], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, "403"), done.stderr)

    def test_a_refused_upload_that_stalls_is_closed(self):
        with Nginx() as up, Yett(up.address, rules=OPEN).plaintext() as y:
            with y.raw(60) as sock:
                sock.sendall(b"POST /admin/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
                began = time.monotonic()
                while sock.recv(65536):
                    pass
                wait_for("the end of the connection", lambda: 'yett_connections{listener="inbound"} 0\n' in y.admin("/metrics")[1], 8 * SLOW)
                self.assertLess(time.monotonic() - began, 8 * SLOW)


class Messages(unittest.TestCase):
    def test_requests_without_a_body_reach_the_service_with_correct_framing(self):
        seen = []
        with Service(heads(seen)) as s, Yett(s.address, rules=OPEN).plaintext() as y, H2Client(y, plain=True) as c:
            self.assertEqual(c.wait(c.request("/a", method="POST")).status, 200)
            self.assertIn("content-length: 0", seen[-1])
            stream = c.request("/b", end=False)
            c.h2.end_stream(stream)  # an empty DATA frame
            c.flush()
            self.assertEqual(c.wait(stream).status, 200)
            self.assertNotIn("transfer-encoding", seen[-1].lower())
            began = time.monotonic()
            stream = c.request("/c", end=False)  # a GET whose body arrives late or never
            wait_for("the request", lambda: "/c " in seen[-1], 5)
            self.assertLess(time.monotonic() - began, 4 * SLOW)
            self.assertIn("transfer-encoding: chunked", seen[-1].lower())
            answer = c.wait(c.request("/d"))
            self.assertRegex(answer.headers["date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
            self.assertNotIn("traceparent", "".join(seen))

    def test_an_unusual_body_reaches_the_service_complete(self):
        bodies = []

        def serve(connection):
            got = read_head(connection)
            while got:
                body = got[1]
                while not body.endswith(b"0\r\n\r\n"):
                    body += connection.recv(65536)
                bodies.append(body)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                got = read_head(connection)

        for durability in ("batched", "strict"):
            with Service(serve) as s, Yett(s.address, rules=OPEN, audit={"database": "yett.db", "durability": durability}).plaintext() as y, H2Client(y, plain=True) as c:
                for _ in range(2):  # to a cold pool, then to a warm one
                    stream = c.request("/a", method="DELETE", end=False)
                    c.send(stream, b"FIRST")
                    c.send(stream, b"SECOND", end=True)
                    self.assertEqual(c.wait(stream).status, 200)
                    self.assertIn(b"FIRST", bodies[-1])
                    self.assertIn(b"SECOND", bodies[-1])

    def test_cookie_crumbs_are_joined_into_one_field(self):
        seen = []
        with Service(heads(seen)) as s, Yett(s.address, rules=OPEN).plaintext() as y, H2Client(y, plain=True) as c:
            crumbs = [("cookie", f"c{i}=v{i}") for i in range(105)]
            self.assertEqual(c.wait(c.request("/a", headers=crumbs)).status, 200)
            self.assertIn("cookie: " + "; ".join(f"{n}" for _, n in crumbs), seen[-1])
            self.assertEqual(c.wait(c.request("/a", headers=[("cookie", "")] * 1100)).status, 431)

    def test_asterisk_form_requests_are_routed_and_decided(self):
        seen = []
        with Service(heads(seen)) as s:
            y = Yett(s.address, rules='policy "p" { allow "ask" { principal = anyone, path = "*", method = "OPTIONS" }, allow "a" { principal = anyone, path = "/a" } }').plaintext()
            y.listener["routes"] = [{"path": "*", "cluster": "app"}, {"path": "/a", "cluster": "app"}]
            y.write_config()
            with y:
                for target, host, expect in (("*", "a", b"200"), ("http://a", "a", b"200"), ("/a", "a", b"200"), ("/b", "a", b"403")):
                    with y.raw() as sock:
                        sock.sendall(f"OPTIONS {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                        self.assertEqual(sock.recv(1000)[9:12], expect, target)
                self.assertEqual([head.split("\r\n")[0] for head in seen], ["OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1", "OPTIONS /a HTTP/1.1"])

    def test_refusals_name_their_reason(self):
        def many(connection):
            got = read_head(connection)
            if got:
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % i for i in range(150)) + b"content-length: 2\r\n\r\nok")
        with Service(many) as s:
            y = Yett(s.address, rules=OPEN).plaintext()
            y.start()
            with y.raw() as sock:
                sock.sendall(b"GET /a/b\x1b[2J\xff?token=secret HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = sock.recv(4000)
                self.assertIn(b"400", answer[:20])
                self.assertIn(b"is not allowed in a path", answer)
            line = wait_for("the line", lambda: y.access_log())[-1]
            self.assertEqual((line["status"], line["target"]), (400, "/a/b\\x1b[2J\\xff"))
            self.assertNotIn("secret", json.dumps(line))
            for target, shown in (("http://joe:secret@a/x", "http://***@a/x"), ("/cb#token=secret", "/cb")):
                with y.raw() as sock:
                    before = len(y.access_log())
                    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                    self.assertIn(b"400", sock.recv(4000)[:20])
                self.assertEqual(wait_for("the line", lambda: y.access_log()[before:])[-1]["target"], shown)
            self.assertEqual(y.get_plain("/x"), 502)
            line = wait_for("the line", lambda: y.access_log()[3:])[-1]
            self.assertEqual((line["cause"], line["detail"]), ("response head too large", "a response with more fields than `max_response_fields`"))
            y.config["clusters"][0]["max_response_fields"] = 200
            y.write_config()
            wait_for("the reload", lambda: "reloaded" in y.log())
            with y.raw() as sock:
                sock.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual(sock.recv(1000)[9:12], b"200")
            y.stop()


class AccessLog(unittest.TestCase):
    def lines(self, path):
        return [json.loads(line) for line in path.read_text().splitlines()]

    def test_both_signals_reopen_it(self):
        with Nginx() as up, Yett(up.address, rules=OPEN).plaintext() as y:
            for n, name in ((1, signal.SIGUSR1), (2, signal.SIGHUP)):
                hello_times(y, 30, 3)
                wait_for("the lines", lambda: len(y.access_log()) == 3)
                (y.dir / "access.log").rename(y.dir / f"access.log.{n}")
                hello_times(y, 30, 2)
                y.process.send_signal(name)
                wait_for("the new file", lambda: (y.dir / "access.log").exists())
                hello_times(y, 30, 1)
                wait_for("its line", lambda: len(y.access_log()) == 1)
                self.assertEqual(len(self.lines(y.dir / f"access.log.{n}")), 5)
                os.truncate(y.dir / "access.log", 0)  # copytruncate
            hello_times(y, 30, 4)
            wait_for("the lines", lambda: len(y.access_log()) == 4)

    def test_a_torn_line_is_not_joined_to_the_next_and_lost_lines_are_counted(self):
        with Nginx() as up:
            y = Yett(up.address, rules=OPEN).plaintext()
            log = y.dir / "access.log"
            before = 64 << 20  # larger than every other file, since the limit applies to all files
            log.touch()
            os.truncate(log, before)
            y.start()
            hello_times(y, 30, 3)

            def added():
                with open(log, "rb") as file:
                    file.seek(before)
                    return file.read().decode()

            wait_for("the lines", lambda: added().count("\n") == 3)
            size = log.stat().st_size
            old = resource.prlimit(y.process.pid, resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))
            y.get_plain("/hello")
            wait_for("the error", lambda: "lines are being lost" in y.log())
            resource.prlimit(y.process.pid, resource.RLIMIT_FSIZE, old)
            hello_times(y, 30, 2)
            wait_for("the recovery", lambda: "access log can be written again" in y.log())
            wait_for("the note", lambda: '{"dropped_log_lines":1}' in added())
            whole = []
            for line in added().splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    whole.append(json.loads(line))
            self.assertEqual(len(whole), 6)
            self.assertIn("yett_access_log_lost_lines_total 1\n", y.admin("/metrics")[1])
            y.stop()

    def test_a_dead_reader_is_reported_and_a_new_one_gets_lines(self):
        with Nginx() as up:
            y = Yett(up.address, rules=OPEN).plaintext()
            os.mkfifo(y.dir / "access.log")
            reader = os.open(y.dir / "access.log", os.O_RDONLY | os.O_NONBLOCK)
            y.start()
            try:
                hello_times(y, 30, 1)
                wait_for("the line", lambda: self.some(reader))
                os.close(reader)
                y.get_plain("/hello")
                wait_for("the error", lambda: "lines are being lost" in y.log() and "broken pipe" in y.log().lower())
                reader = os.open(y.dir / "access.log", os.O_RDONLY | os.O_NONBLOCK)
                y.get_plain("/hello")
                y.process.send_signal(signal.SIGUSR1)
                time.sleep(0.6 * SLOW)
                y.get_plain("/hello")
                wait_for("a line", lambda: self.some(reader))
            finally:
                os.close(reader)
                y.stop()

    def some(self, fd):
        with contextlib.suppress(BlockingIOError):
            return os.read(fd, 65536)


class Configuration(unittest.TestCase):
    def check(self, y):
        done = subprocess.run([BINARY, "check", "-c", str(y.dir / "yett.json")], capture_output=True, text=True, env=environment(), timeout=20 * SLOW)
        return done.returncode, done.stdout + done.stderr

    def test_unknown_environment_variables_are_a_warning(self):
        done = subprocess.run([BINARY, "version"], capture_output=True, text=True, env={**environment(), "YETT_PORT_8080_TCP": "tcp://10.0.0.1:8080", "YETT_CONFIGG": "x"})
        self.assertEqual(done.returncode, 0)
        self.assertIn("warning: the environment variable `YETT_PORT_8080_TCP` is not a Yett setting", done.stderr)
        self.assertIn("did you mean `YETT_CONFIG`?", done.stderr)

    def test_a_host_with_a_port_is_an_error(self):
        y = Yett()
        y.listener["routes"][0]["hosts"] = ["a.example:8080"]
        y.write_config()
        code, out = self.check(y)
        self.assertEqual((code, "`a.example:8080` has a port: write the host without it" in out), (2, True), out)

    def test_malformed_endpoints_are_errors(self):
        for endpoint, why in (("127.0.0.1:70000", "has no port from 1 to 65535"), ("127.0.0.1:0", "has no port from 1 to 65535"), ("::1:80", "write an IPv6 address in brackets")):
            code, out = self.check(Yett(endpoint))
            self.assertEqual((code, why in out), (2, True), out)

    def test_pem_that_would_be_skipped_is_an_error(self):
        y = Yett()
        bundle = (y.certs / "bundle.pem").read_text()
        server = (y.certs / "server.pem").read_text()
        indented = "".join("  " + line + "\n" for line in bundle.splitlines())
        for name, text, why in (
                ("bundle.pem", bundle + indented, "malformed BEGIN line"),
                ("bundle.pem", bundle + bundle.replace("-----BEGIN", "---BEGIN"), "malformed BEGIN line"),
                ("bundle.pem", bundle + bundle.replace("-----BEGIN CERTIFICATE-----\n", ""), "has no matching BEGIN line"),
                ("bundle.pem", bundle + bundle.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), "`TRUSTED CERTIFICATE` is not a certificate"),
                ("bundle.pem", bundle + bundle[:200], "the file is cut off"),
                ("server.pem", server + bundle[:len(bundle) // 2], "the file is cut off"),
                ("server.pem", server + bundle.replace("MII", "!!!", 1), "not a valid line in a PEM block")):
            before = (y.certs / name).read_text()
            y.replace(f"certs/{name}", text)
            code, out = self.check(y)
            self.assertEqual((code, why in out), (2, True), (why, out))
            y.replace(f"certs/{name}", before)
        self.assertEqual(self.check(y)[0], 0, self.check(y))
        y.replace("certs/server.pem", "Subject: some text\n\n" + server + "\n# its issuer\n#-----BEGIN CERTIFICATE-----\n" + bundle)
        self.assertEqual(self.check(y)[0], 0, self.check(y))

    def test_no_error_quotes_a_key(self):
        y = Yett()
        key = (y.certs / "server.key").read_text()
        secret = key.splitlines()[1]
        for text, why in ((key.replace("\n", " "), "BEGIN and END of a block on one line"), (key.replace("\n", "\r"), "BEGIN and END of a block on one line"),
                          (key.replace(secret, "  " + secret), "not a valid line in a PEM block"), (key[:-30], "the file is cut off")):
            y.replace("certs/server.key", text)
            code, out = self.check(y)
            self.assertEqual((code, why in out), (2, True), out)
            self.assertNotIn(secret[4:20], out)

    def test_a_key_with_a_passphrase_is_an_error_and_blocks_no_other_reload(self):
        with Nginx() as up, Yett(up.address, rules=OPEN) as y:
            plain = (y.certs / "server.key").read_text()
            subprocess.run(["openssl", "pkey", "-in", str(y.certs / "server.key"), "-aes256", "-passout", "pass:x", "-out", str(y.dir / "locked")], check=True, capture_output=True)
            y.replace("certs/server.key", (y.dir / "locked").read_text())
            wait_for("the refusal", lambda: "has a passphrase" in y.log())
            y.write_rules('policy "p" { deny "all" { path = "/**" } }')
            wait_for("the denial", lambda: y.get("/hello")[0] == 403)
            y.replace("certs/server.key", plain)


class Connections(unittest.TestCase):
    def test_a_p521_client_certificate_in_both_versions(self):
        with Nginx() as up, Yett(up.address, rules=OPEN) as y:
            folder = y.dir
            key, csr, pem, ext = (str(folder / name) for name in ("c.key", "c.csr", "c.pem", "c.ext"))
            subprocess.run(["openssl", "ecparam", "-name", "secp521r1", "-genkey", "-noout", "-out", key], check=True, capture_output=True)
            subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/", "-out", csr], check=True, capture_output=True)
            pathlib.Path(ext).write_text(f"subjectAltName=critical,URI:{DOMAIN}/p521\nkeyUsage=critical,digitalSignature\nbasicConstraints=CA:false\n")
            subprocess.run(["openssl", "x509", "-req", "-in", csr, "-CA", str(y.certs / "bundle.pem"), "-CAkey", str(y.certs / "ca.key"), "-days", "2", "-extfile", ext, "-out", pem], check=True, capture_output=True)
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = ssl.create_default_context(cafile=str(y.certs / "bundle.pem"))
                context.load_cert_chain(pem, key)
                context.minimum_version = context.maximum_version = version
                with context.wrap_socket(y.raw(), server_hostname="localhost") as sock:
                    sock.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                    self.assertEqual(sock.recv(1000)[9:12], b"200", version)

    def test_all_addresses_of_a_name_are_tried(self):
        with Nginx() as up:  # on 127.0.0.1; `localhost` may also be ::1
            port = up.address.rsplit(":", 1)[1]
            with Yett(f"localhost:{port}", rules=OPEN).plaintext() as y:
                self.assertEqual([y.get_plain("/hello") for _ in range(6)], [200] * 6)

    def test_idle_upstream_connections_are_closed_without_a_reset(self):
        ends = []

        def serve(connection):
            if read_head(connection):
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                try:
                    ends.append(connection.recv(10))
                except OSError as error:
                    ends.append(error)

        with Service(serve) as s:
            y = Yett(s.address, rules=OPEN).plaintext()
            y.config["clusters"][0]["idle_timeout"] = "300ms"
            y.write_config()
            with y:
                self.assertEqual(y.get_plain("/a"), 200)
                wait_for("the end", lambda: ends)
                self.assertEqual(ends, [b""])

    def test_shutdown_is_orderly_and_a_successor_can_bind_the_port(self):
        slow = threading.Event()

        def serve(connection):
            if read_head(connection):
                slow.wait(20)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

        with Service(serve) as s:
            y = Yett(s.address, rules=OPEN, shutdown={"delay": "300ms", "drain_timeout": "20s"}).plaintext()
            y.start()
            idle, busy = y.raw(), y.raw(30)
            busy.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_for("the request", lambda: 'yett_connections{listener="inbound"} 2\n' in y.admin("/metrics")[1])
            y.process.send_signal(signal.SIGTERM)
            self.assertEqual(idle.recv(10), b"")  # an orderly close, not a reset
            wait_for("the listening socket to close", lambda: socket.socket().connect_ex(("127.0.0.1", y.port)) != 0, 3)
            with socket.socket() as next_one:
                next_one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                next_one.bind(("127.0.0.1", y.port))
                next_one.listen()
            slow.set()
            self.assertEqual(busy.recv(1000)[9:12], b"200")
            y.stop()

    def test_a_listening_socket_is_handed_to_the_next_process_without_refused_connections(self):
        with Nginx() as up:
            listening = socket.socket()
            listening.bind(("127.0.0.1", 0))
            listening.listen(1024)
            port = listening.getsockname()[1]
            folders = []

            def start():
                y = Yett(up.address, rules=OPEN).plaintext()
                y.listener["address"] = "fd://http"
                y.write_config()
                folders.append(y)

                def pass_socket():
                    os.dup2(listening.fileno(), 3)
                    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="http")

                # LISTEN_PID can be set only once the process exists, so a shell sets it.
                wrapper = ["sh", "-c", f'LISTEN_PID=$$ exec "{BINARY}" run -c "{y.dir / "yett.json"}"']
                y.stderr = open(y.dir / "stderr.log", "ab")
                env = {**environment(), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
                os.set_inheritable(listening.fileno(), True)
                y.process = subprocess.Popen(wrapper, stderr=y.stderr, stdout=y.stderr, env=env, pass_fds=(3,), preexec_fn=lambda: os.dup2(listening.fileno(), 3))
                wait_for("yett to listen", lambda: " serving " in y.log() or y.process.poll() is not None, 20)
                self.assertIsNone(y.process.poll(), y.log())
                return y

            over, done, failures = threading.Event(), [], []

            def ask():
                while not over.is_set():
                    try:
                        with socket.create_connection(("127.0.0.1", port), 10) as sock:
                            sock.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                            done.append(sock.recv(1000)[9:12])
                    except OSError as error:
                        failures.append(error)

            now = start()
            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(3):
                following = start()
                now.stop()
                now = following
            over.set()
            for thread in threads:
                thread.join()
            now.stop()
            self.assertEqual((failures, {status for status in done}), ([], {b"200"}))
            print(f"  three hand-overs under load: {len(done)} requests, none refused")

    def test_descriptors_and_waiting_connections_appear_in_metrics(self):
        with Nginx() as up:
            y = Yett(up.address, rules=OPEN, max_connections=3).plaintext()
            y.start()
            y.write_rules(OPEN + " -- changed")  # listeners outlive the configuration that created them
            wait_for("the reload", lambda: "reloaded" in y.log())
            held = [y.raw() for _ in range(6)]
            wait_for("the warning", lambda: "connections wait in the backlog" in y.log())
            text = y.admin("/metrics")[1]
            self.assertIn("yett_connections_limit 3\n", text)
            self.assertRegex(text, r'yett_accept_failures_total\{listener="inbound",reason="limit"\} [1-9]')
            self.assertGreaterEqual(int(re.search(r"^yett_descriptors (\d+)$", text, re.M)[1]), 3)
            self.assertGreater(int(re.search(r"^yett_descriptors_limit (\d+)$", text, re.M)[1]), 100)
            for sock in held:
                sock.close()
            y.stop()


if __name__ == "__main__":
    unittest.main()
