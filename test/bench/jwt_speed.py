#!/usr/bin/env python3
"""The first verification of a token by algorithm, beside what `openssl speed` says of the signature alone on the same core.
Usage: jwt_speed.py BINARY. Exits with 1 if a token costs more than two signatures and 30 us."""
import re
import subprocess
import sys

OF = {"RS": "rsa2048", "PS": "rsa2048", "ES256": "ecdsap256", "ES384": "ecdsap384", "ES512": "ecdsap521", "EdDSA": "ed25519"}
MOST_NANOS = 30_000


def openssl():
    """By OpenSSL's name: nanoseconds of one verification. Its lines end with signatures and verifications per second."""
    names = sorted(set(OF.values()))
    said = subprocess.run(["openssl", "speed", "-mr", "-seconds", "1", *names], capture_output=True, text=True, check=True).stdout
    rows = [re.split(":", line) for line in said.splitlines() if re.match(r"\+F[246]:", line)]
    kinds = {("+F2", "2048"): "rsa2048", ("+F4", "256"): "ecdsap256", ("+F4", "384"): "ecdsap384", ("+F4", "521"): "ecdsap521", ("+F6", "253"): "ed25519"}
    return {kinds[row[0], row[2]]: 1e9 / float(row[-1]) for row in rows if (row[0], row[2]) in kinds}


def main():
    ours = {name: float(nanos) for name, nanos in map(str.split, subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout.splitlines())}
    theirs = openssl()
    over = False
    for name, nanos in ours.items():
        signature = theirs[OF.get(name) or OF[name[:2]]]
        over = over or nanos > 2 * signature + MOST_NANOS
        print(f"  {name:6} {nanos / 1000:7.1f} us a token, {signature / 1000:7.1f} us the signature (openssl speed): {(nanos - signature) / 1000:5.1f} us beside it")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
