"""Independent reloads: a refused configuration does not block new policies or certificates, and files that no policy uses change
nothing."""
import shutil
import unittest

from harness import DOMAIN, Nginx, Yett, run, wait_for

OPEN = 'policy "test" { allow "a" { principal = authenticated, path = "/hello" } }'
CLOSED = 'policy "test" { deny "all" {} }'


def reloads(y):
    return sum(e["event"].startswith("reload ") for e in y.query("--events"))


class Independence(unittest.TestCase):
    def denied(self, y):
        y.write_rules(CLOSED)
        wait_for("the denial", lambda: y.get("/hello")[0] == 403)

    def test_a_refused_configuration_does_not_block_policy_changes(self):
        with Nginx() as up, Yett(up.address, rules=OPEN) as y:
            self.assertEqual(y.get("/hello")[0], 200)
            y.replace("yett.json", "{ nonsense")
            wait_for("the refusal", lambda: "reload refused" in y.log())
            self.denied(y)
            self.assertIn("last_reload_refused", y.socket_get("/policies"))
            self.assertIn("yett_config_restart_required 0", y.admin("/metrics")[1])
            y.write_rules(OPEN)
            wait_for("the policy", lambda: y.get("/hello")[0] == 200)
            y.write_config()
            wait_for("no refusal", lambda: "last_reload_refused" not in y.socket_get("/policies"))

    def test_a_change_that_needs_a_restart_is_reported_and_does_not_block_policy_changes(self):
        with Nginx() as up, Yett(up.address, rules=OPEN) as y:
            before = (y.dir / "yett.json").read_text()
            y.config["access_log"] = "elsewhere.log"
            y.write_config()
            wait_for("the gauge", lambda: "yett_config_restart_required 1" in y.admin("/metrics")[1])
            wait_for("the log to say so", lambda: "`access_log` cannot be changed while running" in y.log())
            self.denied(y)
            self.assertIn("yett_config_restart_required 1", y.admin("/metrics")[1])
            self.assertIn("`access_log` cannot be changed while running", y.socket_get("/policies"))
            y.replace("yett.json", before)
            wait_for("the gauge to fall", lambda: "yett_config_restart_required 0" in y.admin("/metrics")[1])

    def test_a_broken_certificate_and_a_broken_policy_do_not_block_each_other(self):
        with Nginx() as up, Yett(up.address, rules=OPEN) as y:
            whole = (y.dir / "certs/server.pem").read_text()
            y.replace("certs/server.pem", "no certificate\n")
            wait_for("the refusal", lambda: "reload refused" in y.log())
            self.denied(y)
            y.replace("certs/server.pem", whole)
            y.write_rules("policy (")
            wait_for("the refusal", lambda: "test.lua:1:" in y.log())
            fresh = y.dir / "fresh"
            run("certs", "init", "--dir", str(fresh))
            y.replace("certs/bundle.pem", (fresh / "bundle.pem").read_text())

            def refused():
                try:
                    return y.get("/hello")[0] == 0
                except OSError:
                    return True

            wait_for("the bundle without our authority", refused)
            self.assertIn("test.lua:1:", y.socket_get("/policies"))

    def test_a_fixed_policy_is_loaded_after_the_configuration_switched_to_its_directory(self):
        with Nginx() as up, Yett(up.address, rules=CLOSED) as y:
            (y.dir / "next").mkdir()
            y.replace("next/p.lua", "policy (")
            y.config["policy"]["engines"][0]["path"] = "next"
            y.write_config()
            wait_for("the refusal", lambda: "p.lua:1:" in y.log())
            y.replace("next/p.lua", OPEN)
            wait_for("the new directory", lambda: y.get("/hello")[0] == 200)


class Beside(unittest.TestCase):
    def test_files_that_no_policy_uses_change_nothing(self):
        with Nginx() as up, Yett(up.address, rules=OPEN) as y:
            digest = y.socket_get("/policies")
            for name in ("README.md", "a_test.lua", "test.lua~", "#test.lua#", "test.lua.bak", "notes.json", "picture.json.png"):
                (y.dir / "rules" / name).write_bytes(b"\xff anything")
            (y.dir / "rules/lib").mkdir()
            (y.dir / "rules/lib/unused.lua").write_text("broken (")
            shutil.copy(y.dir / "rules/test.lua", y.dir / "rules/.test.lua.swp")
            y.write_rules(OPEN.replace("/hello", "/v1"))
            wait_for("the change that counts", lambda: y.get("/v1")[0] == 200)
            y.write_rules(OPEN)
            wait_for("the change that counts", lambda: y.get("/hello")[0] == 200)
            self.assertEqual(y.socket_get("/policies"), digest)
            wait_for("the events", lambda: reloads(y) == 2)
