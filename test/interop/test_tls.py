"""What a TLS scanner that nobody here wrote says (testssl.sh, of Debian)."""
import json
import pathlib
import subprocess
import tempfile
import unittest

from harness import DOMAIN, Nginx, Yett, run

# What a CA of one's own explains: no browser knows it, and it names no place of its CRLs.
PRIVATE = {"cert_chain_of_trust", "cert_revocation"}


class Scanner(unittest.TestCase):
    def test_nothing_above_low(self):
        with Nginx() as nginx, tempfile.TemporaryDirectory() as folder:
            y = Yett(nginx.address)
            run("certs", "issue", f"{DOMAIN}/server", "--dir", y.certs, "--dns", "localhost", "--ip", "127.0.0.1", "--ttl", "90d")
            y.listener["tls"]["client_certificate"] = "optional"  # this scanner has no client certificate
            y.write_config()
            with y:
                file = pathlib.Path(folder) / "found.json"
                subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--jsonfile", str(file), f"localhost:{y.port}"],
                               capture_output=True, timeout=600)
                self.assertEqual(y.curl("/hello").returncode, 0)
            found = json.loads(file.read_text())
        self.assertGreater(len(found), 60)
        self.assertIn("LUCKY13", {one["id"] for one in found})
        high = [f"{one['id']} ({one['severity']}): {one['finding']}" for one in found
                if one["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL") and one["id"] not in PRIVATE]
        self.assertEqual(high, [])
        print(f" {len(found)} findings, none above LOW", end="", flush=True)


if __name__ == "__main__":
    unittest.main()
