#!/usr/bin/env python3
"""What many endpoints cost: CPU per request with one endpoint and with a hundred, in alternating rounds. All endpoints are
ports of the same service. With a path as argument, also the one endpoint of another yett, such as an older one. Exits with 1 if a hundred cost more than 3 %."""
import contextlib
import pathlib
import socket
import statistics
import sys
import tempfile

from measure import Load, run_load
from peers import Certs, Nginx, Service, Yett

STARTS, ROUNDS, SECONDS, MANY = 3, 4, 0.8, 100
OPEN = 'policy "p" { allow "all" { principal = authenticated } }'


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        certs = Certs(folder)
        service = Service("service", folder, certs)
        with contextlib.ExitStack() as stack:  # ports that are free, all different
            sockets = [stack.enter_context(socket.socket()) for _ in range(MANY - 1)]
            for one in sockets:
                one.bind(("127.0.0.1", 0))
            service.more_ports = [one.getsockname()[1] for one in sockets]
        limits = {"max_connections": 20000, "max_pending_requests": 20000, "max_requests": 40000}
        ports = [service.port, *service.more_ports]
        peers = {}
        for name, count in (("one", 1), ("hundred", MANY)):
            cluster = {"name": "app", "endpoints": [f"127.0.0.1:{port}" for port in ports[:count]], "circuit_breakers": limits}
            peers[name] = Yett(name, folder, certs, service, tls=True, policy=OPEN, clusters=[cluster])
            peers["nginx-" + name] = nginx = Nginx("nginx-" + name, folder, certs, service, tls=True)
            nginx.http = nginx.http.replace(f"server 127.0.0.1:{service.port};", "".join(f"server 127.0.0.1:{port};" for port in ports[:count]))
        if len(sys.argv) > 1:
            peers["other"] = Yett("other", folder, certs, service, tls=True, policy=OPEN)
            peers["other"].command = lambda: [sys.argv[1], "run", "-c", "yett.json"]
        load = Load(32, ("--path", "/orders/1"))
        cost = {name: [] for name in peers}
        service.start()
        try:
            for _ in range(STARTS):  # where a process lies in memory is worth several percent, so each is started anew
                with contextlib.ExitStack() as stack:
                    for peer in peers.values():
                        peer.start()
                        stack.callback(peer.stop)
                        peer.configure = lambda: None  # is done
                    for turn in range(ROUNDS):
                        for name in sorted(peers, reverse=turn % 2 == 1):  # forward and backward
                            cost[name].append(run_load(peers[name], load, SECONDS)["cpu_us"])
        finally:
            service.stop()
    floor = statistics.median(many / one for many, one in zip(cost["nginx-hundred"], cost["nginx-one"]))
    ratio = statistics.median(many / one for many, one in zip(cost["hundred"], cost["one"]))
    print(f"  CPU per request: {statistics.median(cost['one']):.1f} us with one endpoint, {statistics.median(cost['hundred']):.1f} us with {MANY}: ratio {ratio:.3f} (at most 1.03){'' if ratio <= 1.03 else '  OVER'}")
    print(f"  nginx: {statistics.median(cost['nginx-one']):.1f} us with one, {statistics.median(cost['nginx-hundred']):.1f} us with {MANY}: ratio {floor:.3f}: what so many sockets cost the kernel")
    if "other" in cost:
        other = statistics.median(one / before for one, before in zip(cost["one"], cost["other"]))
        print(f"  {statistics.median(cost['other']):.1f} us for the other yett: ratio {other:.3f}")
    return 0 if ratio <= 1.03 else 1


if __name__ == "__main__":
    sys.exit(main())
