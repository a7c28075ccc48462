"""The process confines itself: what an attacker inside it can reach, and what still works."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import unittest
import unittest.mock

from harness import BINARY, SLOW, Service, Yett, environment, free_port, wait_for
from test_policy import answer_with_request
from test_tools import yett

PROBE = pathlib.Path(BINARY).parent / "plugins/sandbox_probe.so"
RELEASE = "release" in BINARY  # a build with sanitizers restricts only files and ports


def probing(upstream="127.0.0.1:1", **changes):
    """A Yett whose second engine tries what the header `x-attempt` says."""
    y = Yett(upstream, **changes)
    y.config["policy"]["engines"].append({"name": "probe", "type": "plugin", "path": str(PROBE)})
    (y.dir / "settings").write_text("x")
    y.write_config()
    return y


class Confined(unittest.TestCase):
    def outcome(self, y, what, arg="-"):
        y.get("/hello", headers={"x-attempt": what, "x-with": arg})
        return y.query()[-1]["rule"]

    @unittest.skipUnless(PROBE.exists(), "it is part of the tests' build")
    def test_each_attempt_of_an_attacker_inside_the_process_is_refused(self):
        secret = pathlib.Path("/etc/yett-test-secret")
        name = f"yett-test-{os.getpid()}"
        with socket.socket() as other, socket.socket(socket.AF_UNIX) as hidden:
            hidden.bind("\0" + name)
            hidden.listen()
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = str(other.getsockname()[1])
            y = probing()
            outside = subprocess.Popen(["sleep", "60"])
            try:
                secret.write_text("x")
                with y:
                    attempts = [("read", "/etc/shadow"), ("read", str(secret)), ("read", "/root"), ("read", f"/proc/{outside.pid}/environ"), ("read", "/var/log"),
                                ("write", "/etc/yett-test-made"), ("write", "/usr/lib/yett-test-made"), ("write", "/var/tmp/yett-test-made"), ("write", str(secret)),
                                ("connect", port), ("listen", str(free_port()))]
                    if RELEASE:
                        attempts += [("mptcp", "-"), ("sctp", "-"), ("fastopen", port), ("prlimit", str(outside.pid)), ("chmod", str(secret)), ("chown", str(secret)), ("utime", str(secret)), ("xattr", str(secret)), ("shm", "-"),
                                     ("execmem", str(y.dir / "code")), ("abstract", name)]
                        attempts += [("exec", "/bin/true"), ("fork", "-"), ("vfork", "-"), ("clone", "-"), ("ptrace", str(outside.pid)), ("raw", "-"), ("packet", "-"), ("vsock", "-"), ("netlink", "-"),
                                     ("mount", "-"), ("unshare", "-"), ("keyctl", "-"), ("bpf", "-"), ("io_uring", "-"), ("setuid", "-"), ("capset", "-")]
                    attempts.append(("kill", str(outside.pid)))
                    for what, arg in attempts:
                        with self.subTest(what=what, arg=arg):
                            self.assertIn(self.outcome(y, what, arg), ("EPERM", "EACCES"))
                    print(f"\n  {len(attempts)} attempts from inside the process refused")
                    # What Yett itself may do still works.
                    for what, arg in (("read", str(y.dir / "yett.json")), ("read", "/etc/hosts"), ("write", str(y.dir / "made")), ("route", "-")):
                        self.assertEqual(self.outcome(y, what, arg), "done", (what, arg))
            finally:
                secret.unlink()
                outside.kill()
                outside.wait()

    def test_the_process_has_no_privilege_and_leaves_no_core(self):
        with Yett() as y:
            status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{y.process.pid}/status").read_text().splitlines())
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"):
                self.assertEqual(int(status[name], 16), 0, name)
            self.assertEqual(status["NoNewPrivs"].strip(), "1")
            if RELEASE:
                self.assertEqual(status["Seccomp"].strip(), "2")
                limits = pathlib.Path(f"/proc/{y.process.pid}/limits").read_text()
                self.assertRegex(limits, r"Max core file size +0 +0")
                for task in os.listdir(f"/proc/{y.process.pid}/task"):  # every thread
                    text = pathlib.Path(f"/proc/{y.process.pid}/task/{task}/status").read_text()
                    self.assertIn("Seccomp:\t2", text)
                    self.assertIn("CapEff:\t0000000000000000", text)
            self.assertIn(" sandbox files=restricted ports=restricted", y.log())

    def test_a_privileged_port_is_opened_before_the_privilege_is_given_up(self):
        port = next(p for p in range(900, 1000) if self.free(p))
        y = Yett()
        y.listener["address"] = f"127.0.0.1:{port}"
        y.config["admin"]["address"] = f"127.0.0.1:{port + 1}" if self.free(port + 1) else "127.0.0.1:0"
        y.write_config()
        with y:
            self.assertEqual(y.ports["inbound"], port)
            with socket.create_connection(("127.0.0.1", port), 5):
                pass

    def free(self, port):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True

    def test_files_are_replaced_by_renaming_as_before(self):
        with Service(answer_with_request) as service, Yett(service.address) as y:
            self.assertEqual(y.get("/hello")[0], 200)
            rules = y.dir / "rules"
            other = y.dir / "rules.new"
            other.mkdir()
            (other / "test.lua").write_text('policy "p" { allow "other" { principal = authenticated, path = "/other" } }')
            rules.rename(y.dir / "rules.old")
            other.rename(rules)
            wait_for("the new policy", lambda: y.get("/other")[0] == 200, 10)

    def test_a_reload_that_needs_more_is_refused_and_says_so(self):
        with Service(answer_with_request) as service:
            y = Yett(service.address)
            with y:
                y.config["clusters"][0]["endpoints"].append("127.0.0.1:1")
                y.write_config()
                wait_for("the refusal", lambda: "needs a restart" in y.log(), 10)
                self.assertIn("the sandbox does not allow connecting to port 1: needs a restart", y.log())
                self.assertEqual(y.get("/hello")[0], 200)
                y.config["clusters"][0]["endpoints"] = [service.address]
                y.config["policy"]["engines"][0]["path"] = "/opt/yett-none/rules"
                y.write_config()
                wait_for("the refusal", lambda: "does not allow reading /opt/yett-none: needs a restart" in y.log(), 10)
                self.assertEqual(y.get("/hello")[0], 200)
                # A policy that changes meanwhile is not held back.
                y.write_rules('policy "p" { deny "all" { path = "/**" } }')
                wait_for("the new policy", lambda: y.get("/hello")[0] == 403, 10)

    def test_a_replaced_folder_is_reported(self):
        y = Yett()
        home = y.dir / "release"
        home.mkdir()
        for name in ("yett.json", "certs", "rules"):
            (y.dir / name).rename(home / name)
        y.start(("-c", str(home / "yett.json")))
        try:
            shutil.copytree(home, y.dir / "next", ignore=shutil.ignore_patterns("*.db*", "*.sock"))
            home.rename(y.dir / "old")
            (y.dir / "next").rename(home)
            wait_for("the refusal", lambda: "release was replaced since the start, and the sandbox does not allow reading the new one: needs a restart" in y.log(), 10)
        finally:
            y.process.send_signal(signal.SIGTERM)
            y.process.wait(20 * SLOW)
            shutil.rmtree(y.dir, ignore_errors=True)

    def test_a_link_in_the_middle_of_a_path_may_be_swapped(self):
        y = Yett()
        for version, path in (("v1", "/one"), ("v2", "/two")):
            (y.dir / "sets" / version / "rules").mkdir(parents=True)
            (y.dir / "sets" / version / "rules/p.lua").write_text(f'policy "p" {{ allow "a" {{ principal = authenticated, path = "{path}" }} }}')
        (y.dir / "sets/current").symlink_to("v1")
        y.config["policy"]["engines"][0]["path"] = "sets/current/rules"
        y.config["audit"]["database"] = "log/yett.db"
        (y.dir / "log").mkdir()
        with Service(answer_with_request) as service:
            y.config["clusters"][0]["endpoints"] = [service.address]
            y.write_config()
            with y:
                self.assertEqual((y.get("/one")[0], y.get("/two")[0]), (200, 403))
                (y.dir / "sets/next").symlink_to("v2")
                (y.dir / "sets/next").rename(y.dir / "sets/current")
                wait_for("the other policy", lambda: y.get("/two")[0] == 200, 10)

    def test_paths_of_the_configuration(self):
        for path, why in (("/", "would allow everything"), ("/no/such/folder", "does not exist: create it"), ("~/x", "`~` is not replaced")):
            y = Yett()
            y.config["sandbox"] = {"paths": [path]}
            y.write_config()
            code, _, err = yett("check", "-c", str(y.dir / "yett.json"))
            self.assertEqual(code, 2)
            self.assertIn(why, err)
        y = Yett()
        y.config["sandbox"] = {"paths": ["/var/tmp/"]}
        y.write_config()
        self.assertIn("write    /var/tmp\n", yett("check", "-c", str(y.dir / "yett.json"), "--sandbox")[1])
        self.assertIn("which also holds", yett("check", "-c", str(y.dir / "yett.json"))[2])

    def test_settings_and_switches(self):
        with Service(answer_with_request) as service, Service(answer_with_request) as other:
            y = Yett(service.address)
            y.config["sandbox"] = {"ports": "any", "paths": ["/var/tmp"]}
            y.write_config()
            with y:
                self.assertIn("ports=\"not restricted\"", y.log())
                y.config["clusters"][0]["endpoints"] = [other.address]
                y.write_config()
                wait_for("the reload", lambda: " reloaded " in y.log(), 10)
                self.assertEqual(y.get("/hello")[0], 200)
        y = Yett()
        y.config["sandbox"] = {"port": "any"}
        y.write_config()
        self.assertIn("/sandbox/port: unknown key, did you mean `ports`?", yett("check", "-c", str(y.dir / "yett.json"))[2])
        code, out, _ = yett("check", "-c", str(Yett().dir / "yett.json"), "--sandbox")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"sandbox\n  write    \S+")
        self.assertRegex(out, r"\n  listen   ")

    def test_a_log_directly_in_etc_is_refused(self):
        y = Yett()
        y.config["audit"]["database"] = "/etc/yett.db"
        y.write_config()
        code, _, err = yett("check", "-c", str(y.dir / "yett.json"))
        self.assertEqual(code, 2)
        self.assertIn("audit.database: /etc/yett.db is directly in /etc, where the sandbox lets nothing be written: use a folder of its own", err)

    def test_the_switch_that_turns_it_off_is_named_unsafe(self):
        y = Yett()
        done = subprocess.Popen([BINARY, "run", "-c", str(y.dir / "yett.json"), "--unsafe-no-sandbox"], stderr=subprocess.PIPE, env=environment())
        try:
            line = done.stderr.readline().decode()
            self.assertIn('warning no sandbox why=--unsafe-no-sandbox', line)
            time.sleep(0.5 * SLOW)
            self.assertIn("Seccomp:\t0", pathlib.Path(f"/proc/{done.pid}/status").read_text())
        finally:
            done.send_signal(signal.SIGTERM)
            done.communicate(timeout=20 * SLOW)


class ServiceManager(unittest.TestCase):
    """The protocol of systemd: readiness, the watchdog, and the end."""

    def test_a_service_manager_is_told(self):
        for address in ("path", "abstract"):
            with self.subTest(address=address), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                y = Yett()
                name = str(y.dir / "notify") if address == "path" else f"@yett-test-{os.getpid()}"
                manager.bind(name if address == "path" else "\0" + name[1:])
                manager.settimeout(20 * SLOW)
                with unittest.mock.patch.dict(os.environ, {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"}):
                    y.start()
                told = manager.recv(200).decode()
                while "READY" not in told:  # it may be alive before
                    told = manager.recv(200).decode()
                self.assertIn("READY=1", told)
                began = time.monotonic()
                for _ in range(5):
                    self.assertEqual(manager.recv(200), b"WATCHDOG=1\n")
                self.assertLess(time.monotonic() - began, 3 * SLOW)
                y.stop()
                last = b""
                manager.settimeout(0.2)
                while b"STOPPING" not in last:
                    last = manager.recv(200)
                self.assertIn(b"STOPPING=1", last)


if __name__ == "__main__":
    unittest.main()
