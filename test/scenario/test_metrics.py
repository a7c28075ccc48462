"""What /metrics shows; docs/metrics.md documents all of it, and the monitoring examples use only existing metrics."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from harness import BINARY, DOMAIN, Nginx, Yett, environment, free_port, run, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOP = f'''policy "shop" {{
  allow "hello" {{ principal = "{DOMAIN}/*", path = "/hello" }},
  allow "asks" {{ principal = "{DOMAIN}/*", path = "/asks", when = function(r) return r.query["a"] == "1" end }},
  deny "closed" {{ path = "/closed" }},
  deny "watched" {{ path = "/watched", audit_only = true }},
}}'''


def families(text):
    """name -> (type, {label names})"""
    out = {}
    for line in text.splitlines():
        if match := re.match(r"# TYPE (\S+) (\S+)$", line):
            out[match[1]] = (match[2], set())
        elif not line.startswith("#"):
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? ", line).groups()
            base = name if name in out else re.sub(r"_(bucket|sum|count)$", "", name)
            out[base][1].update(n for n in re.findall(r'(\w+)="', labels or "") if n != "le")
    return out


def values(text):
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}


def documented():
    out = {}
    for line in (ROOT / "docs/metrics.md").read_text().splitlines():
        if not line.startswith("| `"):
            continue
        names, kind, labels, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        for name in re.findall(r"`(\w+)`", names):
            out[name] = (kind, set(re.findall(r"`(\w+)`", labels)))
    return out


def everything(nginx):
    """A Yett with every feature that has metrics."""
    y = Yett(nginx.address, rules=SHOP, cache={"database": "remembered.db", "key_file": "certs/cache.key"})
    shutil.copytree(y.dir / "rules", y.dir / "candidate")
    y.config["policy"]["shadow"] = {"engines": [{"name": "main", "type": "lua", "path": "candidate"}]}
    run("certs", "revoke", "--dir", y.certs)
    y.config["identity"]["trust_bundles"].update({"example.org": {"file": "certs/bundle.pem", "crl": "certs/crl.pem"}, "partner.com": {"bundle_endpoint": f"https://127.0.0.1:{free_port()}/"}})
    y.config["audit"].update(key_file="certs/audit.key", sinks=[{"name": "out", "type": "file", "path": "lines.jsonl"}])
    y.write_config()
    return y


class Metrics(unittest.TestCase):
    def test_each_metric_family_is_documented_and_present_from_the_start(self):
        with Nginx() as nginx, everything(nginx) as y:
            before = y.admin("/metrics")[1]
            found = families(before)
            # Those of the Workload API and of tokens: test_workload_api, test_tokens.
            wanted = {name: it for name, it in documented().items() if not name.startswith(("yett_workload_api_", "yett_jwks_", "yett_jwt_svid_"))}
            self.assertEqual(sorted(found), sorted(wanted))
            for name, (kind, labels) in wanted.items():
                self.assertEqual(found[name], (kind, labels), name)
            checked = subprocess.run(["promtool", "check", "metrics"], input=before, capture_output=True, text=True)
            self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))
            series = values(before)
            for path, status in (("/hello", 200), ("/closed", 403), ("/elsewhere", 403), ("/asks?a=1", 404)):
                self.assertEqual(y.get(path)[0], status)
            after = values(y.admin("/metrics")[1])
            changed = {name: value - series[name] for name, value in after.items() if name in series and value != series[name]}
            for name, grown in (('yett_decisions_total{effect="deny",policy="shop",rule="closed",cached="false"}', 1),
                                ('yett_decisions_total{effect="allow",policy="shop",rule="hello",cached="false"}', 1),
                                ('yett_decisions_total{effect="deny",policy="",rule="default",cached="false"}', 1),
                                ('yett_requests_total{listener="inbound",route="/**",code="200"}', 1),
                                ('yett_requests_total{listener="inbound",route="/**",code="403"}', 2),
                                ('yett_upstream_requests_total{cluster="app"}', 2), ('yett_exchanges_ended_total{cause="denied"}', 2),
                                ('yett_handshakes_total{listener="inbound",result="done"}', 4)):
                self.assertEqual(changed.get(name), grown, name)
            self.assertNotIn('rule="watched"', before)

    def test_metrics_of_files_and_of_the_process(self):
        with Nginx() as nginx, Yett(nginx.address, rules=SHOP) as y:
            now = values(y.admin("/metrics")[1])
            self.assertEqual((now["yett_audit_healthy"], now["yett_last_reload_successful"]), (1, 1))
            self.assertAlmostEqual(now["yett_last_reload_success_timestamp_seconds"], time.time(), delta=60)
            self.assertAlmostEqual(now["process_start_time_seconds"], time.time(), delta=60)
            self.assertAlmostEqual(now["yett_certificate_expiry_timestamp_seconds"], time.time() + 30 * 86400, delta=86400)
            self.assertLess(abs(now["process_resident_memory_bytes"] / 2 ** 20 - y.rss_mib()), 16)
            self.assertGreater(now["process_open_fds"], 10)
            subprocess.run([BINARY, "certs", "issue", f"{DOMAIN}/server", "--dir", str(y.certs), "--dns", "localhost", "--ttl", "1h"],
                           check=True, capture_output=True, env=environment())
            wait_for("the new certificate", lambda: values(y.admin("/metrics")[1])["yett_certificate_expiry_timestamp_seconds"] < time.time() + 3700)
            y.write_rules("policy (")
            wait_for("the refusal", lambda: values(y.admin("/metrics")[1])["yett_last_reload_successful"] == 0)
            refused = values(y.admin("/metrics")[1])
            self.assertGreaterEqual(refused['yett_reloads_total{what="any",result="refused"}'], 1)
            y.write_rules(SHOP)
            wait_for("what is good again", lambda: values(y.admin("/metrics")[1])["yett_last_reload_successful"] == 1)

    def test_failures_of_a_cluster_are_counted_by_cause(self):
        with Yett(f"127.0.0.1:{free_port()}", rules=SHOP) as y:
            self.assertEqual(y.get("/hello")[0], 503)
            now = values(y.admin("/metrics")[1])
            self.assertEqual(now['yett_upstream_failures_total{cluster="app",cause="no_upstream"}'], 1)
            self.assertEqual(now['yett_upstream_requests_total{cluster="app"}'], 0)


class Monitoring(unittest.TestCase):
    def test_alert_rules_pass_their_tests(self):
        for args in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
            done = subprocess.run(["promtool", *args], cwd=ROOT / "examples/monitoring", capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_dashboard_and_the_rules_use_documented_metrics(self):
        known = documented()
        dashboard = json.loads((ROOT / "examples/monitoring/dashboard.json").read_text())
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        self.assertGreater(len(queries), 10)
        alerts = (ROOT / "examples/monitoring/alerts.yml").read_text()
        for text in (*queries, alerts):
            for name in re.findall(r"\b(?:yett|process)_\w+", text):
                self.assertIn(re.sub(r"_(bucket|sum|count)$", "", name), known)
        # Each query is valid PromQL.
        folder = pathlib.Path(tempfile.mkdtemp(prefix="yett-dashboard-"))
        self.addCleanup(shutil.rmtree, folder)
        rules = [{"record": f"panel:q{i}", "expr": query.replace("$__rate_interval", "5m")} for i, query in enumerate(queries)]
        (folder / "rules.json").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
        done = subprocess.run(["promtool", "check", "rules", str(folder / "rules.json")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
