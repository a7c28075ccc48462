"""What users install: the Debian package in an empty Debian, the image, the tarball. Each is built from this build and tried with ordinary tools."""
import contextlib
import gzip
import hashlib
import http.server
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenario"))
from harness import BINARY, ROOT, free_port, wait_for

BUILD = pathlib.Path(BINARY).parent
PACKAGING = pathlib.Path(ROOT) / "packaging"
KUBERNETES = BUILD.parent / "interop/python/bin/kubernetes-validate"
NEEDED = ("mmdebstrap", "dpkg-buildpackage", "unshare", "strip")


def sh(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def service():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def status(port, path, lost=None):
    """0, and the reason in `lost`, without an answer."""
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        if lost is not None:
            lost.append(repr(error))
        return 0


@contextlib.contextmanager
def inside(root, *command, read_only=False):
    """A program in its own mounts and processes, with this root; the network is the host's."""
    mounts = f"mount --bind {root} {root} && mount -t proc proc {root}/proc"
    if read_only:
        mounts += f" && mount -t tmpfs tmpfs {root}/run/yett -o mode=755,uid=65532 && mount -t tmpfs tmpfs {root}/var/lib/yett -o mode=750,uid=65532 && mount -o remount,bind,ro {root}"
    log = tempfile.TemporaryFile("w+")
    process = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", f"{mounts} && exec \"$@\"", "sh", *command], stdout=log, stderr=log)
    process.said = lambda: (log.seek(0), log.read())[1]
    try:
        yield process
    finally:
        for child in subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split():
            os.kill(int(child), signal.SIGTERM)  # unshare itself ignores it
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"it does not end: {process.said()}") from None


def edit(path, *changes):
    text = path.read_text()
    for old, new in changes:
        assert old in text, (old, text)
        text = text.replace(old, new, 1)
    path.write_text(text)


@unittest.skipUnless(os.geteuid() == 0 and all(shutil.which(tool) for tool in NEEDED), f"needs root and {', '.join(NEEDED)}")
class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode != 0:
            raise unittest.SkipTest("this machine makes no namespaces")
        if subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True).returncode != 0:
            raise unittest.SkipTest("packages are built from a git checkout")
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-packages-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)

    def debian(self, name="root", *packages):
        """An empty Debian 12, with these packages."""
        root = self.dir / name
        sources = [str(path) for path in [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")] if path.is_file() and path.suffix in (".list", ".sources")]
        done = subprocess.run(["mmdebstrap", "--variant=minbase", "--mode=root", *([f"--include={','.join(packages)}"] if packages else []), "bookworm", str(root), *sources], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"no Debian mirror: {done.stderr.splitlines()[-1] if done.stderr else done.returncode}")
        return root

    def test_the_debian_package_from_install_to_purge(self):
        said = sh(PACKAGING / "build-deb.sh", "--from", BUILD, self.dir)
        package = next(self.dir.glob("yett_*.deb"))
        first = hashlib.sha256(package.read_bytes()).hexdigest()
        sh(PACKAGING / "build-deb.sh", "--from", BUILD, self.dir)
        self.assertEqual(hashlib.sha256(package.read_bytes()).hexdigest(), first, "two packages of one build differ")
        if shutil.which("lintian"):
            done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", package], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        unit = sh("systemd-analyze", "security", "--offline=true", "--no-pager", PACKAGING / "debian/yett.service") if shutil.which("systemd-analyze") else ""
        exposure = re.search(r"exposure level for yett.service: ([\d.]+)", unit)
        if exposure:
            self.assertLessEqual(float(exposure[1]), 1.5)
        root = self.debian()
        before = self.files(root)
        shutil.copy(package, root / "tmp/yett.deb")
        began = time.monotonic()
        sh("chroot", root, "sh", "-c", "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends /tmp/yett.deb")
        installed = time.monotonic()
        self.assertEqual((root / "var/lib/yett").stat().st_mode & 0o777, 0o750)
        port = free_port()
        with service() as upstream:
            (root / "run/yett").mkdir()
            sh("chroot", root, "chown", "yett", "/run/yett")
            run = ("chroot", root, "setpriv", "--reuid=yett", "--regid=yett", "--clear-groups", "/usr/bin/yett", "run", "-c", "/etc/yett/yett.json")
            edit(root / "etc/yett/yett.json", ("127.0.0.1:8443", f"127.0.0.1:{port}"), ("127.0.0.1:8080", f"127.0.0.1:{upstream}"))
            with inside(root, *run):  # as installed, everything is denied
                wait_for("an answer", lambda: status(port, "/hello"), 20)
                self.assertEqual(status(port, "/hello"), 403)
            edit(root / "etc/yett/rules/main.lua", ("  deny \"everything\" { path = \"/**\"", "  allow \"hello\" { principal = anyone, path = \"/hello\" },\n  deny \"admin\" { path = \"/admin/**\""))
            starting = time.monotonic()
            with inside(root, *run) as process:
                wait_for("an answer", lambda: status(port, "/hello"), 20)
                ready = time.monotonic()
                self.assertEqual((status(port, "/hello"), status(port, "/other"), status(port, "/admin/x")), (200, 403, 403))
                self.assertIn("sandbox files=restricted", process.said())
        print(f"\n  {said.splitlines()[-1]}; exposure {exposure[1] if exposure else '?'}; installed in {installed - began:.0f} s, ready {(ready - starting) * 1000:.0f} ms after the start")
        shown = sh("chroot", root, "sh", "-c", "yett --version && yett check -c /etc/yett/yett.json && yett log verify --log /var/lib/yett/audit.db")
        self.assertIn("ok", shown)
        self.assertTrue((root / "usr/share/man/man1/yett-log-query.1.gz").exists())
        self.assertIn("the configuration of Yett", gzip.decompress((root / "usr/share/man/man5/yett.json.5.gz").read_bytes()).decode())
        sh("bash", "-c", f"source {root}/usr/share/bash-completion/completions/yett; COMP_WORDS=(yett log que); COMP_CWORD=2; _yett; [[ ${{COMPREPLY[0]}} == query ]]")
        sh("chroot", root, "apt-get", "remove", "-q", "-y", "yett")
        self.assertTrue((root / "etc/yett/yett.json").exists())  # kept until the purge, as the log
        self.assertTrue((root / "var/lib/yett/audit.db").exists())
        sh("chroot", root, "apt-get", "purge", "-q", "-y", "yett")
        left = {path for path in self.files(root) - before if "yett" in path and not path.startswith(("/tmp", "/run", "/var/log/apt"))}
        self.assertEqual(left, set())
        self.assertNotIn("yett", (root / "etc/passwd").read_text())

    @unittest.skipUnless(shutil.which("systemd-nspawn") and shutil.which("nsenter"), "needs systemd-nspawn")
    def test_the_unit_in_a_booted_system_and_an_upgrade_under_load(self):
        sh(PACKAGING / "build-deb.sh", "--from", BUILD, self.dir)
        root = self.debian("booted", "systemd", "systemd-sysv")
        shutil.copy(next(self.dir.glob("yett_*.deb")), root / "root/yett.deb")
        sh("chroot", root, "sh", "-c", "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends /root/yett.deb")
        port = free_port()
        with service() as upstream:
            edit(root / "etc/yett/yett.json", ("127.0.0.1:8443", "fd://inbound"), ("127.0.0.1:8080", f"127.0.0.1:{upstream}"))
            edit(root / "etc/yett/rules/main.lua", ("  deny \"everything\" { path = \"/**\"", "  allow \"hello\" { principal = anyone, path = \"/hello\" },\n  deny \"admin\" { path = \"/admin/**\""))
            (root / "etc/systemd/system/yett.socket.d").mkdir(parents=True)
            (root / "etc/systemd/system/yett.socket.d/port.conf").write_text(f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n")
            with self.booted(root) as run:
                run("systemctl", "start", "yett.socket", "yett.service")
                self.assertEqual((status(port, "/hello"), status(port, "/other")), (200, 403))
                exposure = re.search(r"exposure level for yett.service: ([\d.]+)", run("systemd-analyze", "security", "--no-pager", "yett"))
                self.assertLessEqual(float(exposure[1]), 1.5)
                said = run("journalctl", "-u", "yett", "--no-pager")
                self.assertIn("sandbox files=restricted ports=restricted calls=restricted", said)
                self.an_instance_of_its_own(root, run, upstream)
                pid = run("systemctl", "show", "yett", "-p", "MainPID", "--value").strip()
                self.assertIn("CapEff:\t0000000000000000", run("grep", "CapEff", f"/proc/{pid}/status"))
                run("systemctl", "reload", "yett")
                counts, lost, over = {}, [], threading.Event()

                def load():
                    while not over.is_set():
                        got = status(port, "/hello", lost)
                        counts[got] = counts.get(got, 0) + 1

                threads = [threading.Thread(target=load) for _ in range(4)]
                for thread in threads:
                    thread.start()
                try:
                    time.sleep(1)
                    run("sh", "-c", "dpkg -i /root/yett.deb || (journalctl -u yett -u yett.socket --no-pager | tail -20; false)")
                    time.sleep(1)
                finally:
                    over.set()
                    for thread in threads:
                        thread.join()
                self.assertNotEqual(run("systemctl", "show", "yett", "-p", "MainPID", "--value").strip(), pid)
                print(f"\n  exposure {exposure[1]} in the booted system; {counts[200]} requests while the package was installed again and restarted, {sum(counts.values()) - counts[200]} lost")
                self.assertEqual((set(counts), lost), ({200}, []), run("journalctl", "-u", "yett", "-u", "yett.socket", "--no-pager", "-n", "30"))

    def an_instance_of_its_own(self, root, run, upstream):
        """Beside yett.service: its own configuration, policy, log and admin socket."""
        port = free_port()
        folder = root / "etc/yett/orders"
        run("install", "-d", "-o", "root", "-g", "yett", "-m", "750", "/etc/yett/orders")
        run("cp", "-a", "/etc/yett/rules", "/etc/yett/orders/rules")
        run("cp", "-a", "/etc/yett/yett.json", "/etc/yett/orders/yett.json")
        edit(folder / "yett.json", ('"fd://inbound",', f'"127.0.0.1:{port}",'), ("/var/lib/yett/", "/var/lib/yett/orders/"), ("/var/log/yett/", "/var/log/yett/orders/"), ("/run/yett/", "/run/yett-orders/"))
        edit(folder / "rules/main.lua", ("/hello", "/orders"))
        run("systemctl", "start", "yett@orders")
        self.assertEqual((status(port, "/orders"), status(port, "/hello")), (200, 403))
        self.assertIn(f"127.0.0.1:{port}", run("yett", "admin", "status", "-c", "/etc/yett/orders/yett.json"))
        run("yett", "log", "verify", "--log", "/var/lib/yett/orders/audit.db")
        self.assertEqual(run("stat", "-c", "%U %a", "/var/lib/yett/orders").strip(), "yett 750")
        run("systemctl", "stop", "yett@orders")
        self.assertEqual(run("systemctl", "is-active", "yett").strip(), "active")

    @contextlib.contextmanager
    def booted(self, root):
        """The root as a container with systemd, in the network of the host."""
        boot = f"mount -t tmpfs tmpfs /run && exec systemd-nspawn -q -b -D {root} --register=no --keep-unit --system-call-filter='landlock_create_ruleset landlock_add_rule landlock_restrict_self'"
        process = subprocess.Popen(["unshare", "--mount", "sh", "-c", boot], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            def leader():
                if process.poll() is not None:
                    self.skipTest(f"no container with systemd: {process.stderr.read().decode()[-300:]}")
                return subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()

            init = wait_for("the container", leader, 30)[0]

            def run(*command):
                return sh("nsenter", "--target", init, "--all", *command)

            def up():
                done = subprocess.run(["nsenter", "--target", init, "--all", "systemctl", "is-system-running"], capture_output=True, text=True)
                return done.stdout.strip() in ("running", "degraded")

            began = time.monotonic()
            while not up():
                if time.monotonic() - began > 60:
                    self.skipTest("systemd does not boot in a container here")
                time.sleep(0.2)
            yield run
        finally:
            if process.poll() is None:
                for child in subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split():
                    os.kill(int(child), signal.SIGRTMIN + 4)  # power off
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()

    def files(self, root):
        return {"/" + str(path.relative_to(root)) for top in ("etc", "usr", "var", "lib") for path in (root / top).rglob("*")}

    def test_the_image_runs_without_any_other_file_and_without_root(self):
        print("\n  " + sh(PACKAGING / "bundle.py", "image", BUILD, self.dir).strip())
        archive = self.dir / "yett-image.tar"
        first = hashlib.sha256(archive.read_bytes()).hexdigest()
        sh(PACKAGING / "bundle.py", "image", BUILD, self.dir)
        self.assertEqual(hashlib.sha256(archive.read_bytes()).hexdigest(), first)
        self.assertLess(archive.stat().st_size, 60_000_000)
        with tarfile.open(archive) as tar:
            def read(digest):
                data = tar.extractfile("blobs/sha256/" + digest.removeprefix("sha256:")).read()
                self.assertEqual("sha256:" + hashlib.sha256(data).hexdigest(), digest)
                return data

            manifest = json.loads(read(json.load(tar.extractfile("index.json"))["manifests"][0]["digest"]))
            config = json.loads(read(manifest["config"]["digest"]))
            layer = gzip.decompress(read(manifest["layers"][0]["digest"]))
        self.assertEqual("sha256:" + hashlib.sha256(layer).hexdigest(), config["rootfs"]["diff_ids"][0])
        self.assertEqual(config["config"]["User"], "65532:65532")
        root = self.dir / "image"
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            tar.extractall(root)
        (root / "proc").mkdir()
        document = json.loads((root / "usr/share/yett/sbom.spdx.json").read_text())
        self.assertIn("libssl3", {item["name"] for item in document["packages"]})
        self.assertTrue((root / "usr/share/zoneinfo/Europe/Berlin").exists())
        port = free_port()
        with service() as upstream:
            edit(root / "etc/yett/yett.json", ("127.0.0.1:8443", f"127.0.0.1:{port}"), ("127.0.0.1:8080", f"127.0.0.1:{upstream}"))
            edit(root / "etc/yett/rules/main.lua", ("  deny \"everything\" { path = \"/**\"", "  allow \"hello\" { principal = anyone, path = \"/hello\", hours = { \"mon-sun\", zone = \"Europe/Berlin\" } },\n  deny \"x\" { path = \"/x\""))
            command = ["chroot", "--userspec=65532:65532", str(root), *config["config"]["Entrypoint"], *config["config"]["Cmd"]]
            with inside(root, *command, read_only=True) as process:
                wait_for("an answer", lambda: status(port, "/hello") or process.poll() is not None, 20)
                self.assertEqual((status(port, "/hello"), status(port, "/other")), (200, 403), process.said())
                # The health check, as an engine runs it: in the same mounts.
                init = sh("pgrep", "-P", str(process.pid)).split()[0]
                sh("nsenter", "--target", init, "--mount", "--pid", "chroot", "--userspec=65532:65532", root, *config["config"]["Healthcheck"]["Test"][1:])

    def test_the_configuration_of_the_kubernetes_example(self):
        text = (PACKAGING / "kubernetes/sidecar.yaml").read_text()
        held = {name: re.sub("^    ", "", body, flags=re.M) for name, body in re.findall(r"^  ([\w.]+): \|\n((?:    .*\n|\n)+)", text, re.M)}
        folder = self.dir / "kubernetes"
        (folder / "policy").mkdir(parents=True)
        (folder / "policy/main.lua").write_text(held["main.lua"])
        sh(BINARY, "init", folder / "new")
        changed = held["yett.json"]
        for old, new in (("/certs/tls.crt", folder / "new/certs/server.pem"), ("/certs/tls.key", folder / "new/certs/server.key"), ("/certs/ca.crt", folder / "new/certs/bundle.pem"), ('"/policy"', f'"{folder}/policy"'),
                         ("/var/lib/yett/audit.db", folder / "audit.db"), ("/run/yett/admin.sock", folder / "admin.sock")):
            self.assertIn(old, changed)
            changed = changed.replace(old, str(new))
        (folder / "yett.json").write_text(changed)
        self.assertIn("orders", sh(BINARY, "check", "-c", folder / "yett.json"))
        sh(BINARY, "check", folder / "policy", "--strict")
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertRegex(text, name + r": \{ httpGet: \{ path: /\w+z, port: admin \}")
        self.assertEqual(set(re.findall(r"port: (\d+)|containerPort: (\d+)", text)), {("443", ""), ("", "8443"), ("", "9901")})

    @unittest.skipUnless(KUBERNETES.exists(), "needs kubernetes-validate")
    def test_the_kubernetes_example_against_the_schemas_of_kubernetes(self):
        example = PACKAGING / "kubernetes/sidecar.yaml"
        for version in ("1.29", "1.33", "1.37"):  # 1.29 is the first with native sidecars
            sh(KUBERNETES, "--strict", "-k", version, example)
        wrong = self.dir / "wrong.yaml"
        wrong.write_text(example.read_text().replace("readinessProbe:", "readynessProbe:"))
        done = subprocess.run([KUBERNETES, "--strict", "-k", "1.37", wrong], capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("readynessProbe", done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which("patchelf"), "needs patchelf")
    def test_the_tarball_runs_where_it_was_unpacked(self):
        print("\n  " + sh(PACKAGING / "bundle.py", "tarball", BUILD, self.dir).strip())
        archive = next(self.dir.glob("yett-*.tar.gz"))
        sh("sha256sum", "-c", archive.name + ".sha256", cwd=self.dir)
        place = self.dir / "a place with blanks"
        place.mkdir()
        sh("tar", "-xzf", archive, "-C", place)
        program = next(place.glob("yett-*/bin/yett"))
        loaded = sh("ldd", program)
        self.assertNotIn("not found", loaded)
        outside = [line for line in loaded.splitlines() if "=> /" in line and str(place) not in line and not re.search(r"lib(c|m|dl|pthread|rt|resolv)\.so", line)]
        self.assertEqual(outside, [])
        sh(program, "init", self.dir / "new")
        sh(program, "check", "-c", self.dir / "new/yett.json")
        sh(program, "test", self.dir / "new/rules")


if __name__ == "__main__":
    unittest.main()
