"""The commands that users start with (init, check, admin), and their messages about mistakes."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

from harness import BINARY, DOMAIN, SLOW, Yett, environment, free_port, wait_for

SHOP = f'policy "shop" {{ allow "hello" {{ principal = "{DOMAIN}/*", path = "/hello" }} }}'
WORDS_OF_LIBRARIES = ("value, object or array expected", "object member name", "Exception", "POCO", "Poco", "Json::", "terminate called")


def yett(*args, cwd=None, stdin="", **process):
    done = subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, env=environment(), cwd=cwd, input=stdin, timeout=60 * SLOW, **process)
    return done.returncode, done.stdout, done.stderr


class Folder(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="yett-tools-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def complains(self, text, wanted, name="yett.json"):
        (self.dir / name).write_text(text)
        code, out, err = yett("check", "-c", name, cwd=self.dir)
        self.assertEqual((code, out), (2, ""), err)
        self.assertIn(wanted, err)
        for word in WORDS_OF_LIBRARIES:
            self.assertNotIn(word, err)
        return err


class Hints(Folder):
    def test_json_that_is_not_json(self):
        for text, line, wanted in (
                ('{\n "a": 1,\n}', 3, "remove the comma before `}`"),
                ('{ "a": [1,\n2, ] }', 2, "remove the comma before `]`"),
                ("{ 'a': 1 }", 1, "double quotes"),
                ('{\n # x\n "a": 1 }', 2, "comments begin with `//`"),
                ("listeners:\n  - name: x\n", 1, "this looks like YAML"),
                ("---\nlisteners: []\n", 1, "this looks like YAML"),
                ('{ "a": True }', 1, "`True` must be written in lower case"),
                ('{ "a": ${PORT} }', 1, "variables are not replaced"),
                ('{ "a": "x }', 1, "no closing quote"),
                ('{ "a": 1 "b": 2 }', 1, "a comma is missing before"),
                ('{ "a" 1 }', 1, "a `:` is missing"),
                ('{ a: 1 }', 1, "a name in double quotes is expected instead of `a`"),
                ('{ "a": 1, "a": 2 }', 1, "the key `a` appears twice"),
                ('{ "a": 1 } x', 1, "after the end of the document"),
                ('{ "a": 1', 1, "ends too early"),
                ('{ "a": "\\x" }', 1, "escape"),
                ("", 1, "the file is empty"),
                (" \n\n", 3, "the file is empty"),
                ("[" * 3000, 1, "nested too deeply")):
            err = self.complains(text, wanted)
            self.assertTrue(err.startswith(f"yett: yett.json:{line}: "), (text, err))
            self.assertEqual(err.count("\n"), 2, (text, err))

    def test_values_in_the_notation_of_other_programs(self):
        def config(endpoint):
            return json.dumps({"listeners": [{"name": "a", "address": "127.0.0.1:1", "plaintext": True, "routes": [{"cluster": "c"}]}],
                               "clusters": [{"name": "c", "endpoints": [endpoint]}], "audit": {"database": "x.db"},
                               "policy": {"engines": [{"name": "m", "type": "lua", "path": "rules"}]}})

        (self.dir / "rules").mkdir()
        (self.dir / "rules" / "a.lua").write_text(SHOP)
        for endpoint, wanted in (("https://orders", "is a URL: write host:port, here `orders:443`, and `tls` beside `endpoints`"), ("http://orders/", "is a URL: write host:port, here `orders:80`"),
                                 ("${HOST}:80", "holds a variable"), ("127.0.0.1:$PORT", "holds a variable"), ("{{ .Values.host }}:80", "holds a variable"), ("orders", "has no port"), ("127.0.0.1:99999", "has no port from 1 to 65535"),
                                 ("unix:/run/a.sock", "write `unix:///run/a.sock`"), ("/run/a.sock", "is a path: for a Unix socket write `unix:///run/a.sock`"),
                                 ("8080", "names no host: write, for example, `127.0.0.1:8080`"), ("*:8080", "names no host"), ("a b:80", "`a b` is neither an IP address nor a host name"),
                                 ("::1:80", "write an IPv6 address in brackets"), ("dns:orders", "has no port"), ("srv:_http._tcp.orders:80", "the records have the port"),
                                 ("srv:", "write the name of the SRV records")):
            err = self.complains(config(endpoint), wanted)
            self.assertEqual(err.count("\n"), 2, err)

    def test_a_command_or_an_option_that_does_not_exist(self):
        for args, wanted in ((("chek",), "`chek` is not a command of `yett`, did you mean `check`?"),
                             (("log", "qury"), "`qury` is not a command of `yett log`, did you mean `query`?"),
                             (("run", "--confg", "x"), "`yett run` has no option `--confg`, did you mean `--config`?"),
                             (("log", "query", "--effekt=deny"), "`yett log query` has no option `--effekt`, did you mean `--effect`?"),
                             (("--hlep",), "`yett` has no option `--hlep`, did you mean `--help`?"), ((), "`yett` needs a command"), (("certs",), "`yett certs` needs a command"), (("version", "x"), "does not know what to do with `x`"),
                             (("c\x1b[31mheck",), "is not a command")):
            code, out, err = yett(*args)
            self.assertEqual((code, out), (2, ""), args)
            self.assertIn(wanted, err)
            self.assertNotIn("\x1b", err)
        code, _, err = yett("check", cwd=self.dir)
        self.assertEqual(code, 2)
        self.assertIn("yett.json: there is no such file: `yett init` writes one, `-c FILE` or YETT_CONFIG names another", err)
        self.assertIn("there is no such policy directory or configuration", yett("check", "nowhere", cwd=self.dir)[2])


class Init(Folder):
    def test_its_output_runs(self):
        port, service, admin = free_port(), free_port(), free_port()
        code, out, err = yett("init", "gate", "--port", port, "--upstream", f"127.0.0.1:{service}", cwd=self.dir)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("yett run -c gate/yett.json", out)
        config = self.dir / "gate" / "yett.json"
        config.write_text(config.read_text().replace("9901", str(admin)))
        self.assertEqual(yett("test", "gate/rules", cwd=self.dir)[0], 0)
        code, out, err = yett("check", "--strict", "-c", "gate/yett.json", cwd=self.dir)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"inbound  127.0.0.1:{port}, mutual TLS", out)
        server = subprocess.Popen(["/usr/bin/python3", "-m", "http.server", str(service), "--bind", "127.0.0.1"], cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        gate = subprocess.Popen([BINARY, "run", "-c", "gate/yett.json"], cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        try:
            for at in (port, service):
                wait_for("a port", lambda: socket.socket().connect_ex(("127.0.0.1", at)) == 0, 20)
            certs = self.dir / "gate" / "certs"
            curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", certs / "bundle.pem", "--cert", certs / "client.pem", "--key", certs / "client.key"]
            statuses = [subprocess.run([*curl, f"https://localhost:{port}{path}"], capture_output=True, text=True).stdout for path in ("/", "/admin/x")]
            self.assertEqual(statuses, ["200", "403"])
        finally:
            for process in (gate, server):
                process.terminate()
                process.wait(30)

    def test_nothing_is_overwritten_and_wrong_input_is_reported(self):
        self.assertEqual(yett("init", cwd=self.dir)[0], 0)
        before = {p: p.read_bytes() for p in self.dir.rglob("*") if p.is_file()}
        code, _, err = yett("init", cwd=self.dir)
        self.assertEqual(code, 2)
        self.assertIn("yett.json, rules/service.lua, rules/service_test.lua exist: --force replaces all of them, and keeps a copy as .bak", err)
        self.assertEqual(before, {p: p.read_bytes() for p in self.dir.rglob("*") if p.is_file()})
        (self.dir / "rules/service.lua").write_text("-- mine")
        self.assertEqual(yett("init", "--force", cwd=self.dir)[0], 0)
        self.assertEqual((self.dir / "service.lua.bak").read_text(), "-- mine")
        self.assertEqual(yett("check", "--strict", cwd=self.dir)[0], 0)
        for args, wanted in ((("--port", "0"), "--port"), (("--upstream", "https://x"), "is not host:port"), (("--upstream", 'a"b:80'), "is not an address"),
                             (("--trust-domain", "A_B!"), "is not a trust domain")):
            code, _, err = yett("init", "x", *args, cwd=self.dir)
            self.assertEqual(code, 2, args)
            self.assertIn(wanted, err)
            self.assertFalse((self.dir / "x").exists())


class Check(unittest.TestCase):
    def setUp(self):
        self.y = Yett("127.0.0.1:1", rules=SHOP, admin={"address": f"127.0.0.1:{free_port()}"})
        self.y.listener["address"] = f"127.0.0.1:{free_port()}"
        self.y.write_config()
        self.addCleanup(shutil.rmtree, self.y.dir, ignore_errors=True)

    def check(self, *args):
        return yett("check", "-c", "yett.json", *args, cwd=self.y.dir)

    def test_the_summary(self):
        code, out, err = self.check()
        self.assertEqual(code, 0, err)
        self.assertRegex(err, r"^yett: note: sandbox: the process may write to \S+, which also holds \S+: keep [^\n]*\n$")
        for part in ("certificate  spiffe://example.org/server, valid for ", "trusts       example.org", "/**  -> app", "app  127.0.0.1:1, HTTP/1.1",
                     "main  lua rules: 1 allow, 0 deny", "audit       yett.db, batched, not signed", "memory: at most ", "disk: "):
            self.assertIn(part, out)

    def test_check_finds_what_run_would_fail_on(self):
        def problem(change, *wanted, warning=False):
            kept = json.dumps(self.y.config)
            change(self.y.config)
            self.y.write_config()
            code, out, err = self.check()
            self.assertEqual(code, 0 if warning else 2, err)
            for part in wanted:
                self.assertIn(part, err)
            if not warning:  # `yett run` reports the same
                self.assertEqual(yett("run", "-c", "yett.json", cwd=self.y.dir)[0], 2)
            self.y.config = json.loads(kept)
            self.y.write_config()

        def listener(**fields):
            return lambda config: config["listeners"][0].update(fields)

        problem(lambda c: c["audit"].update(database="no/such/yett.db"), "audit: the folder ", "no/such does not exist: create it")
        problem(lambda c: c.update(access_log="nowhere/access.log"), "access_log: the folder ")
        problem(listener(address="unix:///" + "x" * 120), "a socket path can have at most 107")
        problem(listener(address=f"unix://{self.y.dir}/rules"), "exists and is not a socket")
        problem(listener(address="192.0.2.1:8443"), "no interface of this host has this address")
        problem(listener(address="no.such.host.invalid:1"), "`no.such.host.invalid` is neither an IP address nor a name")
        problem(listener(address="127.0.0.1"), "has no port: write `127.0.0.1:8443`")
        problem(listener(address=":8443"), "/listeners/0/address: `:8443` names no address: write `0.0.0.0:8443` for all IPv4 addresses, `[::]:8443`")
        problem(listener(address="*:8443"), "names no address")
        problem(listener(address="8443"), "names no address")
        problem(listener(address="/run/x.sock"), "write `unix:///run/x.sock`")
        problem(lambda c: c["listeners"][0]["routes"][0].update(cluster="ap"), "/listeners/0/routes/0/cluster: `ap` is not the name of a cluster, did you mean `app`?")
        problem(lambda c: c["admin"].update(address=":9901"), "/admin/address: `:9901` names no address")
        problem(lambda c: c["admin"].update(address="0.0.0.0:" + c["listeners"][0]["address"].split(":")[1]), "is the address of listener `inbound` too, as 127.0.0.1")
        problem(lambda c: c["identity"]["svid"].update(private_key="certs/frontend.key"), "the private key does not match the certificate: key values mismatch")
        problem(lambda c: c["admin"].update(address=c["listeners"][0]["address"]), "is the address of listener `inbound` too")
        problem(lambda c: c["clusters"][0].update(endpoints=[c["listeners"][0]["address"]]), "Yett would send requests to itself", warning=True)
        problem(lambda c: c["audit"].update(retention={"size": "900000GiB"}), "are free", warning=True)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            problem(listener(address=f"127.0.0.1:{taken.getsockname()[1]}"), "another process listens on", warning=True)

    def test_check_tells_programs_what_would_be_served(self):
        code, out, err = yett("check", "-c", "yett.json", "--format", "json", cwd=self.y.dir)
        self.assertEqual(code, 0, err)
        serves = json.loads(out)["serves"]
        self.assertEqual([(c["name"], c["endpoints"]) for c in serves["clusters"]], [("app", self.y.config["clusters"][0]["endpoints"])])
        self.assertEqual(serves["listeners"][0]["routes"][0]["cluster"], "app")
        self.assertEqual(serves["listeners"][0]["security"], "mutual TLS")
        self.assertEqual((serves["audit"]["database"].split("/")[-1], serves["engines"][0]["type"]), ("yett.db", "lua"))

    def test_commands_of_the_log_without_a_configuration(self):
        for command in (("log", "query"), ("log", "verify"), ("suggest",), ("replay", "--policy", "rules"), ("log", "sql", "SELECT 1")):
            code, _, err = yett(*command, "-c", "none.json", cwd=self.y.dir)
            self.assertEqual((code, err), (2, "yett: none.json: there is no such file: name the log with --log FILE, or the configuration with -c FILE or YETT_CONFIG\n"), command)
        self.assertIn("records have the host without its port, here `a.b`", yett("log", "query", "--log", "yett.db", "--host", "a.b:80", cwd=self.y.dir)[2])

    def test_zero_where_it_means_none(self):
        self.y.config["shutdown"] = {"delay": "0s"}
        self.y.listener["routes"][0]["idle_timeout"] = "0ms"
        self.y.write_config()
        self.assertEqual(self.check()[0], 0)
        self.y.config["shutdown"] = {"drain_timeout": "0s"}
        self.y.write_config()
        code, _, err = self.check()
        self.assertEqual(code, 2)
        self.assertIn("/shutdown/drain_timeout: is zero: must be longer than 0", err)

    def test_its_own_certificate(self):
        certs = self.y.certs
        for args, wanted in ((("--ttl", "1s"), "no longer (expired"),):
            subprocess.run([BINARY, "certs", "issue", f"{DOMAIN}/server", "--dir", str(certs), *args], check=True, capture_output=True, env=environment())
            wait_for("the end of a certificate", lambda: wanted in self.check()[2], 20)
            self.assertEqual(self.check("--strict")[0], 2)
        other = self.y.dir / "other"
        subprocess.run([BINARY, "certs", "init", "--dir", str(other)], check=True, capture_output=True, env=environment())
        subprocess.run([BINARY, "certs", "issue", f"{DOMAIN}/server", "--dir", str(other)], check=True, capture_output=True, env=environment())
        for ending in ("pem", "key"):
            shutil.copy(other / f"server.{ending}", certs / f"server.{ending}")
        code, _, err = self.check()
        self.assertEqual(code, 0)
        self.assertIn("callers with the bundle of its own trust domain refuse", err)

    def test_json_names_files_from_here(self):
        self.y.write_rules('policy "p" {\n  allow "a" { principal = anyone, pathh = "/x" } }')
        code, out, err = self.check("--format", "json")
        self.assertEqual((code, err), (2, ""))
        self.assertEqual(json.loads(out)["problems"], [{"file": "rules/test.lua", "line": 2, "message": "rule `a`: unknown field `pathh`, did you mean `path`?"}])
        self.assertIn("yett: rules/test.lua:2: rule `a`: unknown field", self.check()[2])
        self.y.write_rules('policy "p" { allow "a" { principal = anyone, path = "/x" }, allow "b" { principal = anyone, path = "/x" } }')
        code, out, _ = self.check("--format", "json")
        found = json.loads(out)
        self.assertEqual((code, found["ok"], found["problems"], len(found["warnings"])), (0, True, [], 1))
        self.assertEqual(found["warnings"][0]["file"], "rules/test.lua")
        code, out, _ = self.check("--format", "json", "--strict")
        self.assertEqual((code, json.loads(out)["ok"]), (2, False))


class Admin(unittest.TestCase):
    def test_status_reload_level_and_drain(self):
        y = Yett("127.0.0.1:1", rules=SHOP)
        with y:
            def admin(*args, **process):
                return yett("admin", *args, "-c", y.dir / "yett.json", **process)

            code, out, err = admin("status")
            self.assertEqual((code, err), (0, ""))
            self.assertRegex(out, r"yett \S+, pid \d+, serving for \d+ s, log level info\n")
            status = json.loads(admin("status", "--format", "json")[1])
            self.assertEqual((status["pid"], status["state"], status["rules"]), (y.process.pid, "serving", 1))
            self.assertIn("nothing has changed: policy " + status["policy"], admin("reload")[1])
            y.write_rules(SHOP.replace("/hello", "/other"))
            code, out, _ = admin("reload")
            self.assertEqual(code, 0)
            after = json.loads(admin("status", "--format", "json")[1])["policy"]
            self.assertNotEqual(after, status["policy"])
            y.write_rules("policy (")
            code, out, err = admin("reload")
            self.assertEqual((code, out), (2, ""))
            self.assertIn("policy test.lua:1: ", err)
            code, out, _ = admin("status")
            self.assertIn("REFUSED", out)
            y.write_rules(SHOP)
            self.assertEqual(admin("log-level", "debug")[1], "log level info -> debug\n")
            self.assertEqual(admin("log-level", "loud")[0], 2)
            self.assertEqual(json.loads(admin("status", "--format", "json")[1])["log_level"], "debug")
            self.assertEqual(admin("drain")[0], 0)
            self.assertEqual(y.process.wait(30), 0)
            code, _, err = admin("status")
            self.assertEqual(code, 2)
            self.assertIn("no running yett listens there", err)
            done = subprocess.run([BINARY, "log", "query", "--events", "--format", "json", "-c", str(y.dir / "yett.json")], capture_output=True, text=True, env=environment())
            said = [(e["subject"].split(" ")[0], e["detail"]) for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "admin command"]
            self.assertEqual([d for _, d in said], ["reload", "reload", "reload", "log level info -> debug", "drain"])
            self.assertEqual({who for who, _ in said}, {"uid"})

    @unittest.skipUnless(os.geteuid() == 0, "takes root")
    def test_other_users_may_read_but_not_change(self):
        y = Yett("127.0.0.1:1", rules=SHOP)
        y.config["admin"]["socket_mode"] = "0666"
        y.write_config()
        y.dir.chmod(0o755)
        with y:
            def as_nobody(method, path):
                code = ("import socket,os,sys;os.setgid(65534);os.setuid(65534);s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);"
                        "s.sendall(f'{sys.argv[2]} {sys.argv[3]} HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{{}}'.encode());"
                        "print(s.recv(65536).split()[1].decode())")
                return subprocess.run(["/usr/bin/python3", "-c", code, str(y.dir / "admin.sock"), method, path], capture_output=True, text=True).stdout.strip()

            self.assertEqual(as_nobody("GET", "/status"), "200")
            for path in ("/reload", "/drain", "/log-level", "/audit/erase"):
                self.assertEqual(as_nobody("POST", path), "403", path)
            self.assertIsNone(y.process.poll())
            self.assertEqual(y.admin("/status")[0], 404)  # not over TCP


if __name__ == "__main__":
    unittest.main()
