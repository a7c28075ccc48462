"""Stalls and exhausted resources: a loop blocked by a plugin, endlessly growing files, descriptors, inotify, a deleted working
directory. Yett reports the problem, keeps running, reloads and stops."""
import contextlib
import ctypes
import http.client
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import BINARY, SLOW, Nginx, Service, Yett, echo, environment, wait_for

ALLOW = 'policy "p" { allow "all" { principal = authenticated } }'


def sleepy(service, **changes):
    """A Yett whose loops sleep for the milliseconds given in the header x-sleep."""
    y = Yett(service.address, rules=ALLOW, **changes)
    shutil.copy(pathlib.Path(BINARY).parent / "plugins/test_plugin_one.so", y.dir / "sleep.so")
    (y.dir / "sleep.txt").write_text("sleep")
    y.config["policy"]["engines"].append({"name": "sleep", "type": "plugin", "role": "veto", "path": "sleep.so", "settings": "sleep.txt"})
    y.write_config()
    return y


def ask_for_sleep(y, millis):
    def ask():
        with contextlib.suppress(OSError, http.client.HTTPException):
            y.get("/x", headers={"x-sleep": str(millis)})

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


class Stalls(unittest.TestCase):
    def test_a_blocked_loop_is_reported_and_does_not_delay_a_reload(self):
        with Service(echo) as service, sleepy(service, workers=1) as y:
            y.stop()
            y.config["admin"]["liveness_stall"] = "3s"
            y.write_config()
            y.start()
            self.assertEqual(y.get("/x")[0], 200)
            self.assertEqual(y.admin("/readyz"), (200, "ready\n"))
            self.assertEqual(y.admin("/startupz")[0], 200)
            asking = ask_for_sleep(y, 6000)
            wait_for("readiness to see it", lambda: y.admin("/readyz")[0] == 503, 3)
            status, said = y.admin("/readyz?verbose")
            self.assertIn("[-] loops: loop 0 has been blocked for", said)
            self.assertIn("doing: a decision", said)
            self.assertIn("[+] audit", said)
            self.assertEqual(y.admin("/healthz")[0], 200)
            wait_for("word of it", lambda: "an event loop is blocked" in y.log())
            began = time.monotonic()
            y.write_rules(ALLOW + "-- again")
            wait_for("word that it is not in force", lambda: "is not in force on every loop" in y.log(), 5)
            self.assertLess(time.monotonic() - began, 4 * SLOW)
            self.assertIn("has not reached every loop", y.admin("/readyz")[1])
            wait_for("liveness to fail", lambda: y.admin("/healthz")[0] == 503, 5)
            self.assertRegex(y.admin("/metrics")[1], r"yett_loop_stalled_seconds [1-9]")
            wait_for("the loop to turn", lambda: "the event loop runs again" in y.log(), 10)
            wait_for("the policy to be in force", lambda: "every loop now uses the new generation" in y.log(), 20)  # the in-flight exchange is re-evaluated
            asking.join(10)
            self.assertEqual(y.admin("/readyz"), (200, "ready\n"))
            self.assertEqual(y.admin("/healthz")[0], 200)
            self.assertRegex(y.admin("/metrics")[1], r"yett_loop_stalls_total [12]\n")
            self.assertEqual([e["event"] for e in y.query("--events") if "incomplete" in e["event"]], ["reload incomplete"])
            self.assertEqual(y.get("/x")[0], 200)

    def test_a_loop_that_stays_blocked_does_not_prevent_a_stop(self):
        with Service(echo) as service:
            y = sleepy(service, workers=2, shutdown={"drain_timeout": "1s"})
            with y:
                for _ in range(5):
                    self.assertEqual(y.get("/x")[0], 200)
                ask_for_sleep(y, 60_000)
                wait_for("the loop to stand", lambda: "an event loop is blocked" in y.log())
                began = time.monotonic()
                y.stop(expect=1)
                print(f"  ended after {time.monotonic() - began:.1f} s with one of two loops stuck")
                self.assertLess(time.monotonic() - began, 15 * SLOW)
                self.assertIn("the process exits without it", y.log())
                self.assertEqual(y.verify()["ok"], True)
                self.assertGreaterEqual(len(y.query()), 5)

    def test_the_admin_listener_answers_probes_despite_any_number_of_slow_clients(self):
        with Service(echo) as service, Yett(service.address) as y:
            over = threading.Event()
            socks = []

            def dribble():
                while not over.wait(0.05):
                    for i, sock in enumerate(socks):
                        try:
                            sock.send(b"x")
                        except OSError:
                            socks[i] = connect()

            def connect():
                sock = socket.create_connection(("127.0.0.1", y.admin_port), 5)
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-")
                return sock

            socks += [connect() for _ in range(100)]
            thread = threading.Thread(target=dribble, daemon=True)
            thread.start()
            worst = 0.0
            end = time.monotonic() + 7  # longer than the timeout of a head
            while time.monotonic() < end:
                began = time.monotonic()
                self.assertEqual(y.admin("/healthz"), (200, "ok\n"))
                worst = max(worst, time.monotonic() - began)
            over.set()
            thread.join(5)
            print(f"  100 dribbling admin connections: a probe took at most {worst * 1000:.0f} ms")
            self.assertLess(worst, 0.5 * SLOW)
            many = [connect() for _ in range(600)]  # more than the limit: the oldest are closed
            for _ in range(20):
                self.assertEqual(y.admin("/healthz"), (200, "ok\n"))
            for sock in many:
                sock.close()
            # a single one gets the full timeout of a head and no more
            lone = connect()
            lone.settimeout(8 * SLOW)
            began = time.monotonic()
            with contextlib.suppress(OSError):
                while time.monotonic() - began < 8 * SLOW:
                    lone.sendall(b"x")
                    time.sleep(0.1)
            self.assertLess(time.monotonic() - began, 7 * SLOW)

    def test_the_admin_listener_keeps_connections_alive_and_refuses_bad_requests(self):
        with Service(echo) as service, Yett(service.address) as y:
            connection = http.client.HTTPConnection("127.0.0.1", y.admin_port, timeout=10)
            for method, path, status in (("GET", "/healthz", 200), ("HEAD", "/metrics", 200), ("GET", "/nowhere", 404), ("POST", "/healthz", 405), ("GET", "/config", 404), ("GET", "/version", 200)):
                connection.request(method, path)
                response = connection.getresponse()
                body = response.read()
                self.assertEqual(response.status, status, (method, path))
                self.assertEqual(len(body) == 0, method == "HEAD")
            connection.close()
            with socket.create_connection(("127.0.0.1", y.admin_port), 5) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n")
                self.assertTrue(sock.recv(65536).startswith(b"HTTP/1.1 400"))


class Memory(unittest.TestCase):
    @unittest.skipIf(SLOW > 1, "sanitizers reserve more than any limit")
    def test_out_of_memory_only_closes_single_connections(self):
        with Service(echo) as service:
            y = Yett(service.address, rules=ALLOW, workers=1)
            y.listener["routes"].insert(0, {"path": "/body", "cluster": "app", "buffer_body": "16MiB"})
            y.write_config()
            with y:
                self.assertEqual(y.get("/x")[0], 200)
                status = pathlib.Path(f"/proc/{y.process.pid}/status").read_text()
                size = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmSize"))

                def post():
                    with contextlib.suppress(OSError, http.client.HTTPException):
                        y.get("/body", method="POST", body=b"x" * 15_000_000)

                for more in (8 << 20, 1 << 20, 0):
                    resource.prlimit(y.process.pid, resource.RLIMIT_AS, (size + more, resource.RLIM_INFINITY))
                    posts = [threading.Thread(target=post, daemon=True) for _ in range(12)]
                    for one in posts:
                        one.start()
                    while any(one.is_alive() for one in posts):
                        self.assertEqual(y.get("/x")[0], 200)
                        time.sleep(0.02)
                    y.write_rules(ALLOW + f"-- {more}")
                    time.sleep(0.3)
                self.assertIn("exception on an event loop", y.log())
                resource.prlimit(y.process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                wait_for("the newest policy", lambda: y.log().count(" reloaded ") > 0, 8)
                for _ in range(15):  # closed connections have returned their share
                    self.assertEqual(y.get("/body", method="POST", body=b"x" * 15_000_000)[0], 200)
                self.assertEqual(y.admin("/readyz"), (200, "ready\n"))


    def test_unread_responses_have_a_budget_and_only_large_holders_are_cut_off(self):
        with Nginx() as up:
            (up.dir / "www/blob").write_bytes(b"x" * 20_000_000)
            y = Yett(up.address, rules='policy "p" { allow "all" { principal = anyone } }', workers=1, memory_limit="64MiB").plaintext()  # 32 MiB for responses
            with y:
                before = y.rss_mib()
                slow = []
                for _ in range(600):
                    sock = socket.socket()
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    sock.connect(("127.0.0.1", y.port))
                    sock.sendall(b"GET /blob HTTP/1.1\r\nHost: a\r\n\r\n")
                    slow.append(sock)
                shed = lambda: int(re.search(r"yett_shed_total (\d+)", y.admin("/metrics")[1])[1])
                connection = http.client.HTTPConnection("127.0.0.1", y.port, timeout=10 * SLOW)
                end = time.monotonic() + 4 * SLOW
                count = 0
                while time.monotonic() < end:  # an innocent caller on one connection, who must not be affected
                    connection.request("GET", "/hello")
                    response = connection.getresponse()
                    self.assertEqual((response.status, response.read()), (200, b"hello\n"))
                    count += 1
                cut = shed()
                held = int(re.search(r"yett_held_bytes (\d+)", y.admin("/metrics")[1])[1])
                print(f"  600 callers who read nothing: {cut} cut off, {held >> 20} MiB held, {y.rss_mib() - before:.0f} MiB more; another's {count} requests succeeded")
                self.assertGreater(cut, 0)
                self.assertLess(cut, 600)
                self.assertLessEqual(held, 33 << 20)
                for sock in slow:
                    sock.close()
                wait_for("nothing to be held", lambda: "yett_held_bytes 0\n" in y.admin("/metrics")[1], 8)


class Reloads(unittest.TestCase):
    def test_files_of_any_size_neither_crash_nor_block_it(self):
        with Service(echo) as service, Yett(service.address, rules=ALLOW) as y:
            with open(y.dir / "rules/core", "wb") as core:  # like a core dump
                core.truncate(1 << 40)
            y.write_rules(ALLOW + "-- one")
            wait_for("a reload beside it", lambda: y.log().count(" reloaded ") == 1)
            with open(y.dir / "rules/more.json", "wb") as huge:
                huge.truncate(1 << 40)
            wait_for("a refusal", lambda: "the policy files are larger than 256MiB" in y.log())
            self.assertEqual(y.get("/x")[0], 200)
            (y.dir / "rules/more.json").unlink()
            y.write_rules(ALLOW + "-- two")
            wait_for("a reload without it", lambda: y.log().count(" reloaded ") >= 2)
            with open(y.dir / "yett.json", "ab") as config:
                config.truncate(1 << 40)
            wait_for("a refusal", lambda: "yett.json: is larger than" in y.log())
            y.write_config()
            self.assertEqual(y.get("/x")[0], 200)

    def test_a_constantly_changing_file_does_not_block_reloads(self):
        with Service(echo) as service, Yett(service.address, rules=ALLOW) as y:
            over = threading.Event()

            def append(name):
                while not over.wait(0.03):
                    with open(y.dir / name, "a") as file:
                        file.write("-- more\n")

            (y.dir / "rules/busy.lua").write_text("-- busy\n")
            for name in ("rules/notes.log", "rules/busy.lua"):
                threading.Thread(target=append, args=(name,), daemon=True).start()
            time.sleep(0.5)
            y.write_rules('policy "p" { deny "all" {} }')
            began = time.monotonic()
            wait_for("the new policy", lambda: y.get("/x")[0] == 403, 8)
            print(f"  in force after {time.monotonic() - began:.1f} s with a policy file that grows every 30 ms")
            wait_for("the warning", lambda: "keep changing" in y.log(), 5)
            over.set()

    def test_symlink_cycles(self):
        with Service(echo) as service, Yett(service.address, rules=ALLOW) as y:
            (y.dir / "rules/lib").mkdir()
            for i in range(4):
                (y.dir / f"rules/lib/l{i}").symlink_to(".")
            y.write_rules(ALLOW + "-- now")
            wait_for("a refusal", lambda: "is a link to a folder above" in y.log(), 8)
            for i in range(4):
                (y.dir / f"rules/lib/l{i}").unlink()
            y.write_rules(ALLOW + "-- again")
            wait_for("a reload", lambda: " reloaded " in y.log(), 8)
            before = y.cpu_ticks()
            time.sleep(1)
            self.assertLess(y.cpu_ticks() - before, 30 * SLOW)

    def test_a_deploy_that_replaces_its_working_directory(self):
        with Service(echo) as service:
            y = Yett(service.address, rules=ALLOW)
            y.config["sandbox"] = {"paths": [str(y.dir)]}  # the folder above the one that is replaced
            y.write_config()
            home = y.dir / "release"
            home.mkdir()
            for name in ("yett.json", "certs", "rules"):
                (y.dir / name).rename(home / name)
            y.start(("-c", "yett.json"), cwd=home)
            try:
                shutil.copytree(home, y.dir / "next", ignore=shutil.ignore_patterns("*.db*", "*.sock"))
                home.rename(y.dir / "old")
                (y.dir / "next").rename(home)
                shutil.rmtree(y.dir / "old")
                (home / "rules/test.lua").write_text('policy "p" { deny "all" {} }')
                wait_for("the policy of the new folder", lambda: " reloaded " in y.log(), 8)
                self.assertIsNone(y.process.poll())
            finally:
                y.process.send_signal(signal.SIGTERM)
                y.process.wait(20)
                shutil.rmtree(y.dir, ignore_errors=True)

    def test_without_inotify_it_polls_every_two_seconds(self):
        libc = ctypes.CDLL(None, use_errno=True)
        taken = []
        while len(taken) < 200_000:
            fd = libc.inotify_init1(os.O_CLOEXEC)
            if fd < 0:
                break
            taken.append(fd)
        try:
            with Service(echo) as service, Yett(service.address, rules=ALLOW) as y:
                self.assertIn("detected only every two seconds", y.log())
                self.assertIn("max_user_instances", y.log())
                y.write_rules('policy "p" { deny "all" {} }')
                wait_for("the new policy", lambda: y.get("/x")[0] == 403, 8)
        finally:
            for fd in taken:
                os.close(fd)

    def test_few_descriptors(self):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        with Service(echo) as service:
            y = Yett(service.address, rules=ALLOW, workers=2)
            y.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)))
            try:
                self.assertIn("RLIMIT_NOFILE is too low", y.log())
                socks = [y.raw() for _ in range(300)]  # more than its limit
                time.sleep(0.5)
                self.assertEqual(y.admin("/healthz")[0], 200)
                y.write_rules(ALLOW + "-- again")
                wait_for("a reload", lambda: " reloaded " in y.log())
                for sock in socks:
                    sock.close()
                wait_for("an answer", lambda: y.get("/x")[0] == 200)
            finally:
                y.stop()
                shutil.rmtree(y.dir, ignore_errors=True)
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), before)


if __name__ == "__main__":
    unittest.main()
