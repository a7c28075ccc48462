"""What is compared with what. A group starts its subjects once; each case is a load that all of them get in alternating
rounds. The first subject of a group is compared with each of the others."""
import dataclasses

from measure import CORES, Load
from peers import LUA_MODULES, NGINX_LUA, NGINX_LUA_HTTP, Allower, Envoy, Haproxy, Nghttpx, Nginx, Yett


@dataclasses.dataclass
class Case:
    name: str
    load: Load
    quick: bool = False
    only: tuple = ()  # names of subjects; empty: all


@dataclasses.dataclass
class Group:
    name: str
    subjects: object  # make(folder, certs, service) -> [Peer]
    cases: list


def _plain(*a):
    return [Yett("yett", *a), Nginx("nginx", *a), Haproxy("haproxy", *a), Nghttpx("nghttpx", *a)]


def _mtls(*a):
    allower = Allower("allower", *a[:2])
    auth = Nginx("nginx+auth_request", *a, tls=True, location="auth_request /auth;", http=f"upstream auth {{ server 127.0.0.1:{allower.port}; keepalive 4096; }}",
                 server='location = /auth { internal; proxy_pass http://auth/; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header Connection ""; }')
    auth.beside = allower
    out = [Yett("yett", *a, tls=True), Nginx("nginx", *a, tls=True), Nginx("nginx+lua", *a, tls=True, location=NGINX_LUA, http=NGINX_LUA_HTTP, modules=LUA_MODULES), auth,
           Haproxy("haproxy", *a, tls=True), Haproxy("haproxy+lua", *a, tls=True, lua=True), Nghttpx("nghttpx", *a, tls=True)]
    return out + ([Envoy("envoy+rbac", *a, tls=True)] if Envoy.found() else [])


def _handshakes(*a):
    cache = "ssl_session_tickets off; ssl_session_cache shared:s:32m;"
    return [Yett("yett", *a, tls=True), Nginx("nginx", *a, tls=True), Nginx("nginx, sessions cached", *a, tls=True, session=cache), Haproxy("haproxy", *a, tls=True)]


def _strict(*a):
    return [Yett("yett", *a, tls=True), Yett("yett, strict", *a, tls=True, durability="strict")]


def _http2(*a):
    out = [Yett("yett", *a, tls=True), Nginx("nginx", *a, tls=True, http2=True), Haproxy("haproxy", *a, tls=True, http2=True), Nghttpx("nghttpx", *a, tls=True)]
    return out + ([Envoy("envoy+rbac", *a, tls=True, http2=True)] if Envoy.found() else [])


def many_rules(count):
    rules = "\n".join(f'  {{ effect = "allow", name = "r{i}", principal = "spiffe://example.org/frontend", method = "GET", path = "/items/{i}/**" }},' for i in range(count))
    lines = rules.replace('  { effect = "allow", name = ', "  allow ").replace(', principal', ' { principal')
    return 'policy "many" {\n' + lines + "\n}\n"


def _rules(*a):
    return [Yett("10 rules", *a, tls=True, policy=many_rules(10)), Yett("1,000 rules", *a, tls=True, policy=many_rules(1000)), Yett("100,000 rules", *a, tls=True, policy=many_rules(100_000))]


def _refusals(*a):
    out = [Yett("yett", *a, tls=True), Nginx("nginx+lua", *a, tls=True, location=NGINX_LUA, http=NGINX_LUA_HTTP, modules=LUA_MODULES), Haproxy("haproxy+lua", *a, tls=True, lua=True)]
    return out + ([Envoy("envoy+rbac", *a, tls=True)] if Envoy.found() else [])


def _unix(*a):
    return [Yett("yett, unix socket", *a, tls=True, unix=True), Nginx("nginx, unix socket", *a, tls=True, unix=True), Yett("yett", *a, tls=True)]


def _workers(*a):
    return [Yett("1 worker", *a, tls=True), Yett("2 workers", *a, tls=True, workers=2)]


def _just_yett(*a):
    return [Yett("yett", *a, tls=True)]


def _idle(*a):
    return [Yett("yett", *a, tls=True), Nginx("nginx", *a, tls=True)]


GET = ("--path", "/hello")


def load(connections, *arguments):
    return Load(connections, arguments or GET, warmup=max(0.4, connections / 500))  # time for all connections to open


def connections(*counts, quick=(32,)):
    return [Case(f"{n} connection{'s' if n > 1 else ''}", load(n), n in quick) for n in counts]


def upload(size):
    return load(32, "--method", "POST", "--path", "/upload/a", "--body", size)


BODIES = [Case("100 B up", upload(100)), Case("10 KiB up", upload(10240)), Case("1 MiB up", upload(1 << 20)),
          Case("10 KiB down", load(32, "--path", "/files/10k")), Case("1 MiB down", load(32, "--path", "/files/1m"))]

GROUPS = [
    Group("plain", _plain, connections(1, 32, 256, 4096)),
    Group("mTLS", _mtls, connections(1, 32, 256, 4096, quick=(1, 32)) + BODIES),
    Group("handshakes", _handshakes, [Case("resumed", load(8, "--reconnect", "resumed", *GET), True), Case("full", load(8, "--reconnect", "full", *GET), True)]),
    Group("audit", _strict, connections(1, 32, 256, quick=())),
    Group("decisions", _just_yett, [Case("native match", load(32)),
                                    Case("remembered `when`", load(32, "--path", "/tenants/a", "-H", "x-tenant: t-%", "--choices", 100)),
                                    Case("fresh `when`", load(32, "--path", "/tenants/a", "-H", "x-tenant: t-%", "--choices", 100_000_000))]),
    Group("rules", _rules, [Case("random hits", None)]),
    Group("HTTP/2", _http2, [Case(f"32 connections of {n} stream{'s' if n > 1 else ''}", load(32, *GET, "-m", n)) for n in (1, 10, 100)]),
    Group("refusals", _refusals, [Case("403 at the gate", load(32, "--path", "/admin/x", "--expect", 403))]),
    Group("Unix socket upstream", _unix, connections(32, quick=())),
    Group("workers", _workers, connections(256, quick=())),
    Group("idle", _idle, [Case("32 busy", load(32)), Case("32 busy beside 10,000 idle", Load(32, (*GET, "--idle", 10_000), 2))]),
]

# The promises: group, cases, subject, peer it is compared with, maximum ratio, target ratio.
PROMISES = [
    ("plain", ("32 connections", "256 connections"), "yett", "nginx", 1.35, 1.10),
    ("mTLS", ("32 connections", "256 connections"), "yett", "nginx+lua", 0.95, 0.80),
    ("mTLS", ("32 connections", "256 connections"), "yett", "nginx", 1.20, 0.95),
    ("mTLS", ("32 connections", "256 connections"), "yett", "haproxy+lua", 0.85, 0.65),
    ("mTLS", ("32 connections", "256 connections"), "yett", "nginx+auth_request", 0.65, 0.50),
    ("mTLS", ("32 connections", "256 connections"), "yett", "envoy+rbac", 0.60, 0.40),
    ("handshakes", ("resumed",), "yett", "nginx", 0.60, 0.45),
    ("handshakes", ("full",), "yett", "nginx", 0.95, 0.80),
    ("rules", ("random hits",), "100,000 rules", "10 rules", 1.10, 1.02),
]

# Latencies that should not exceed a peer's: group, case, figure, its title, the peer.
LATENCIES = [
    ("mTLS", "1 connection", "p50_us", "p50", "nginx+lua"),
    ("mTLS", "32 connections", "p999_us", "p99.9", "nginx"),
    ("mTLS", "256 connections", "p999_us", "p99.9", "nginx"),
]
