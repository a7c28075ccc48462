"""JWTs minted by libraries that nobody here wrote: jose (Node) and go-jose (Go). Yett takes the valid ones, and refuses
each of the others for its own fault. test/interop/install.sh installs both; missing ones are skipped."""
import json
import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "test/scenario"))

from harness import SLOW, Service, Yett, echo  # noqa: E402
from test_interop import OPEN, peer  # noqa: E402

ISSUER, AUDIENCE = "https://idp.example.com", "orders"
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
VALID = {*ALGORITHMS, "aud is a list", "nested claims", "no kid", "at+jwt"}
INVALID = {
    "expired": "it has expired",
    "not valid yet": "it is not valid yet (`nbf`)",
    "wrong audience": "it is for another audience (`aud`)",
    "wrong issuer": "it is of another issuer (`iss`)",
    "another key": "its signature is not valid",
    "embedded key": "its header names a key by `jwk`: only configured keys are used",
    "HS256 by PEM": "its algorithm `HS256` is never accepted",
    "HS256 by JWK": "its algorithm `HS256` is never accepted",
    "encrypted": "the token is encrypted (RFC 7516), which is not supported",
    "unsecured": "its algorithm `none` is never accepted",
}
REFUSAL = 'Bearer error="invalid_token", error_description="token of `corp`: '


class Minters(unittest.TestCase):
    def check(self, *command, cannot=()):
        """`cannot`: tokens that the library does not make."""
        done = subprocess.run([*command, ISSUER, AUDIENCE], capture_output=True, text=True, timeout=60 * SLOW)
        self.assertEqual(done.returncode, 0, done.stderr)
        minted = json.loads(done.stdout)
        self.assertEqual(set(minted["valid"]), VALID)
        self.assertEqual(set(minted["invalid"]), set(INVALID) - set(cannot))
        with Service(echo) as service:
            y = Yett(service.address, rules=OPEN)
            self.addCleanup(shutil.rmtree, y.dir, True)
            y.replace("keys.json", json.dumps(minted["jwks"]))
            y.config["authentication"] = {"jwt": {"corp": {"issuer": ISSUER, "audiences": [AUDIENCE], "algorithms": ALGORITHMS, "jwks": "keys.json"}}}
            y.listener["routes"] = [{"path": "/**", "cluster": "app", "jwt": {"corp": "required"}}]
            y.write_config()
            with y:
                self.assertEqual(y.get()[0], 401)
                wrong = []
                for name, token in {**minted["valid"], **minted["invalid"]}.items():
                    status, headers, _ = y.get(headers={"Authorization": "Bearer " + token})
                    got = (status, headers.get("www-authenticate"))
                    if got != ((401, REFUSAL + INVALID[name] + '"') if name in INVALID else (200, None)):
                        wrong.append((name, *got))
                self.assertEqual(wrong, [])
        print(f"  {len(minted['valid'])} tokens are accepted, {len(minted['invalid'])} refused")

    def test_jose(self):
        peer(self, "jose")
        if not shutil.which("node"):
            self.skipTest("there is no node on this machine")
        self.check("node", str(ROOT / "test/interop/jose_node/minter.mjs"))

    def test_go_jose(self):
        self.check(peer(self, "jose_go"), cannot=["unsecured"])


if __name__ == "__main__":
    unittest.main()
