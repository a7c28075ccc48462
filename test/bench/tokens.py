#!/usr/bin/env python3
"""What a remembered token costs: CPU per request with and without `jwt` on the route, in alternating rounds. Both get the same bytes.
Needs python3-jwt and python3-cryptography. Exits with 1 if it costs more than 3 %."""
import contextlib
import json
import pathlib
import statistics
import sys
import tempfile
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from measure import Load, run_load
from peers import Certs, Service, Yett

STARTS, ROUNDS, SECONDS = 8, 2, 0.8
OPEN = 'policy "p" { allow "all" { principal = authenticated } }'


def main():
    key = rsa.generate_private_key(65537, 2048)
    token = jwt.encode({"iss": "https://idp", "aud": "orders", "sub": "jane", "groups": ["a", "b"], "exp": int(time.time()) + 3600}, key, algorithm="RS256", headers={"kid": "k"})
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        certs = Certs(folder)
        keys = folder / "keys.json"
        keys.write_text(json.dumps({"keys": [{**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": "k", "use": "sig"}]}))
        provider = {"jwt": {"corp": {"issuer": "https://idp", "audiences": ["orders"], "jwks": str(keys), "forward": True}}}
        service = Service("service", folder, certs)
        route = {"path": "/**", "cluster": "app"}
        plain, asking = (
            Yett(name, folder, certs, service, tls=True, policy=OPEN, authentication=provider, listener={"routes": [{**route, **more}]})
            for name, more in (("without", {}), ("with", {"jwt": {"corp": "required"}}))
        )
        load = Load(32, ("--path", "/orders/1", "-H", f"authorization: Bearer {token}"))
        cost = {"without": [], "with": []}
        service.start()
        try:
            for _ in range(STARTS):  # where a process lies in memory is worth several percent, so each is started anew
                with contextlib.ExitStack() as stack:
                    for peer in (plain, asking):
                        peer.start()
                        stack.callback(peer.stop)
                        peer.configure = lambda: None  # is done
                    for turn in range(ROUNDS):
                        for peer in (plain, asking) if turn % 2 == 0 else (asking, plain):
                            cost[peer.name].append(run_load(peer, load, SECONDS)["cpu_us"])
        finally:
            service.stop()
    medians = {name: statistics.median(values) for name, values in cost.items()}
    ratio = statistics.median(asked / alone for asked, alone in zip(cost["with"], cost["without"]))
    print(f"  CPU per request: {medians['without']:.1f} us without a token, {medians['with']:.1f} us with a remembered one: ratio {ratio:.3f} (at most 1.03){'' if ratio <= 1.03 else '  OVER'}")
    return 0 if ratio <= 1.03 else 1


if __name__ == "__main__":
    sys.exit(main())
