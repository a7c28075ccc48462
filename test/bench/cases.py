"""What is compared with what. A group starts its subjects once; each case is a load that all of them get in alternating
rounds. The first subject of a group is compared with each of the others."""
import dataclasses

from measure import CORES, Load
from peers import LUA_MODULES, NGINX_LUA, NGINX_LUA_HTTP, Allower, Envoy, Haproxy, Nghttpx, Nginx, Opa, Yett


@dataclasses.dataclass
class Case:
    name: str
    load: Load
    quick: bool = False
    before: Load = None  # run once on each subject, before the rounds


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


def _replaced(*a):
    return [Yett("yett", *a, tls=True), *([Envoy("envoy+opa", *a, tls=True, opa=Opa("opa", *a[:2]))] if Opa.found() else [])]


def _access_log(*a):
    return [Yett("yett", *a, tls=True), Yett("yett, access log", *a, tls=True, access_log="access.log"), Nginx("nginx", *a, tls=True), Nginx("nginx, access log", *a, tls=True, access_log="access.log")]


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


# With the load's own user-agent and accept, six fields besides host, as a service's HTTP library sends them.
USUAL = ("accept-encoding: gzip, deflate", "accept-language: en-GB,en;q=0.9", "x-request-id: 5f2c8a2e-1b6b-4c7e-9d5e-0a1b2c3d4e5f", "cookie: session=0123456789abcdef0123456789abcdef")
MANY = (*USUAL, *(f"x-custom-{name}: value-of-{name}-{number * 7919}" for number, name in enumerate("alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra tango uniform victor whiskey xray".split())))


def fields(*lines):
    return tuple(word for line in lines for word in ("-H", line))


GET = ("--path", "/hello", *fields(*USUAL))
ORDER = '{"id":"o-1001","customer":{"name":"Ann","country":"GB"},"lines":[' + ",".join(f'{{"sku":"a-{i}","count":{i}}}' for i in range(1, 21)) + '],"total":999}'


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
    Group("mTLS", _mtls, connections(1, 32, 256, 4096, quick=(1, 32)) + [Case("thirty fields", load(32, "--path", "/hello", *fields(*MANY)))] + BODIES),
    Group("set-ups to replace", _replaced, connections(1, 32, quick=())),
    Group("access log", _access_log, connections(32, quick=())),
    Group("after 10,000 handshakes", _idle, [Case("32 connections", load(32), before=load(8, "--reconnect", "full", "-n", 10_000, *GET))]),
    Group("handshakes", _handshakes, [Case("resumed", load(8, "--reconnect", "resumed", *GET), True), Case("full", load(8, "--reconnect", "full", *GET), True)]),
    Group("audit", _strict, connections(1, 32, 256, quick=())),
    Group("decisions", _just_yett, [Case("native match", load(32)),
                                    Case("remembered `when`", load(32, "--path", "/tenants/a", "-H", "x-tenant: t-%", "--choices", 100)),
                                    Case("fresh `when`", load(32, "--path", "/tenants/a", "-H", "x-tenant: t-%", "--choices", 100_000_000)),
                                    Case("`when` that reads data", load(32, "--path", "/teams/t%/orders", "--choices", 1000, *fields(*USUAL))),
                                    Case("body of 600 bytes, forwarded", load(32, "--method", "POST", "--path", "/upload/a", "--json", ORDER)),
                                    Case("body of 600 bytes that policy reads", load(32, "--method", "POST", "--path", "/upload/orders", "--json", ORDER))]),
    Group("rules", _rules, [Case("random hits", None)]),
    Group("HTTP/2", _http2, [Case(f"32 connections of {n} stream{'s' if n > 1 else ''}", load(32, *GET, "-m", n), n == 10) for n in (1, 10, 100)]),
    Group("refusals", _refusals, [Case("403 at the gate", load(32, "--path", "/admin/x", "--expect", 403))]),
    Group("Unix socket upstream", _unix, connections(32, quick=())),
    Group("workers", _workers, connections(256, quick=())),
    Group("idle", _idle, [Case("32 busy", load(32)), Case("32 busy beside 10,000 idle", Load(32, (*GET, "--idle", 10_000), 2))]),
]

# The promises: group, cases, subject, peers (the best of them counts), maximum ratio, target ratio.
PROMISES = [
    ("plain", ("32 connections", "256 connections"), "yett", ("nginx",), 1.15, 1.05),
    ("mTLS", ("32 connections", "256 connections"), "yett", ("nginx",), 1.10, 0.95),
    ("mTLS", ("32 connections", "256 connections"), "yett", ("nginx+lua",), 0.85, 0.75),
    ("mTLS", ("32 connections", "256 connections"), "yett", ("haproxy+lua",), 0.75, 0.60),
    ("mTLS", ("32 connections", "256 connections"), "yett", ("nginx+auth_request",), 0.65, 0.50),
    ("mTLS", ("32 connections", "256 connections"), "yett", ("envoy+rbac",), 0.40, 0.33),
    ("HTTP/2", ("32 connections of 10 streams", "32 connections of 100 streams"), "yett", ("nginx", "haproxy", "nghttpx"), 1.15, 1.0),
    ("handshakes", ("resumed",), "yett", ("nginx",), 0.60, 0.45),
    ("handshakes", ("full",), "yett", ("nginx",), 0.95, 0.80),
    ("rules", ("random hits",), "100,000 rules", ("10 rules",), 1.10, 1.02),
]

# Latencies compared with a peer's: group, case, figure, its title, the peer, maximum ratio.
LATENCIES = [
    ("mTLS", "1 connection", "p50_us", "p50", "nginx+lua", 1.0),
    ("mTLS", "32 connections", "p99_us", "p99", "nginx+lua", 1.3),
    ("mTLS", "32 connections", "p999_us", "p99.9", "nginx", 1.0),
    ("mTLS", "256 connections", "p999_us", "p99.9", "nginx", 1.0),
]

# KiB of memory for one more mTLS connection in use, at most and aim: between these cases, so that what the process needs
# once does not count.
MEMORY = ("mTLS", (32, "32 connections"), (256, "256 connections"), 48, 40)
