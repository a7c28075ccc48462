"""The service, Yett and the other proxies. Each proxy has one worker, the same service behind it and the same policy in its
own language, tuned for speed as its manual advises: keep-alive to the service, no access log, TLS 1.3."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenario"))
from harness import environment, free_port  # noqa: E402
from measure import LOAD_CORE, PROXY_CORE, ROOT, children, pinned, stop  # noqa: E402

YETT = os.environ.get("YETT_BENCH_BINARY") or str(ROOT / "build/release/yett")
ENVOY = [ROOT / "build/interop/envoy/bin/envoy"]
OPA = ROOT / "build/interop/opa_authz"


class Certs:
    """A root, a server and a client with ECDSA P-256 keys; each with a subject too, since not all peers read a URI."""

    def __init__(self, folder):
        self.ca, self.server, self.server_key = str(folder / "ca.pem"), str(folder / "server.pem"), str(folder / "server.key")
        self.client, self.client_key, self.both = str(folder / "client.pem"), str(folder / "client.key"), str(folder / "both.pem")
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self.openssl("req", "-x509", *key, "-keyout", folder / "ca.key", "-out", self.ca, "-days", "2", "-subj", "/CN=root",
                     "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                     "-addext", "subjectAltName=URI:spiffe://example.org")
        for name, extra in (("server", ",DNS:localhost"), ("client", "")):
            who = "frontend" if name == "client" else name
            extensions = folder / f"{name}.ext"
            extensions.write_text(f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n"
                                  f"subjectAltName=URI:spiffe://example.org/{who}{extra}\n")
            self.openssl("req", *key, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr", "-subj", f"/CN={who}")
            self.openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", self.ca, "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "1",
                         "-out", folder / f"{name}.pem", "-extfile", extensions)
        pathlib.Path(self.both).write_text(pathlib.Path(self.server).read_text() + pathlib.Path(self.server_key).read_text())

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Peer:
    """A process with its own folder that listens on self.port."""
    core = PROXY_CORE
    tls = False
    beside = None  # a Peer that this one depends on; its CPU counts too

    def __init__(self, name, folder, certs):
        self.name, self.certs = name, certs
        self.dir = folder / name.replace(" ", "-").replace("/", "-")
        self.dir.mkdir()
        self.dir.chmod(0o755)
        self.port = free_port()
        self.process = None

    def start(self):
        if self.beside:
            self.beside.start()
        self.requests = 0  # answered in all measurements
        self.configure()
        self.output = open(self.dir / "output", "wb")
        self.process = subprocess.Popen([*pinned(self.core), *self.command()], stdout=self.output, stderr=self.output, env=environment(), cwd=self.dir)
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} does not start:\n{self.log()}")
            time.sleep(0.05)
        return self

    @property
    def pids(self):
        return children(self.process.pid) + (self.beside.pids if self.beside else [])

    def log(self):
        return (self.dir / "output").read_text(errors="replace")[-2000:]

    def stop(self):
        if self.process is not None:
            stop(self.process, signal.SIGTERM)
            self.output.close()
        if self.beside:
            self.beside.stop()


class NginxLike(Peer):
    access_log = "off"
    modules = ""
    http = ""
    server = ""

    def configure(self):
        d = self.dir
        temporary = "".join(f"{what}_temp_path {d}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (d / "nginx.conf").write_text(f"""{self.modules}
daemon off; master_process off; worker_processes 1; pid {d}/pid; error_log stderr crit; worker_rlimit_nofile 65536;
events {{ worker_connections 30000; }}
http {{
  access_log {self.access_log}; keepalive_requests 1000000000; keepalive_timeout 600s; client_max_body_size 0; tcp_nodelay on; server_tokens off;
  {temporary}
  {self.http}
  server {{
    {self.server}
  }}
}}
""")

    def command(self):
        return ["nginx", "-c", str(self.dir / "nginx.conf"), "-p", str(self.dir)]


class Service(NginxLike):
    """The upstream behind every proxy."""
    core = LOAD_CORE
    more_ports = ()

    def configure(self):
        www = self.dir / "www"
        www.mkdir()
        (www / "10k").write_bytes(b"x" * 10240)
        (www / "1m").write_bytes(b"x" * (1 << 20))
        self.http = f"root {www}; sendfile on; open_file_cache max=10; client_body_buffer_size 2m;"
        answer = 'return 200 "' + "x" * 100 + '";'
        upload = f"location /upload/ {{ proxy_pass http://127.0.0.1:{self.port}/sink; }}"
        self.server = f"""listen 127.0.0.1:{self.port} backlog=8192; listen unix:{self.dir}/service.sock backlog=8192; {"".join(f"listen 127.0.0.1:{port};" for port in self.more_ports)}
    location / {{ {answer} }} location /files/ {{ alias {www}/; }} {upload}
    location = /allow {{ return 204; }}"""
        super().configure()


class Allower(NginxLike):
    """The trivial authorization service for auth_request."""

    def configure(self):
        self.server = f"listen 127.0.0.1:{self.port} backlog=8192; location / {{ return 204; }}"
        super().configure()


class Nginx(NginxLike):
    def __init__(self, name, folder, certs, service, *, tls=False, location="", http="", modules="", server="", http2=False, unix=False, session="", access_log="off"):
        super().__init__(name, folder, certs)
        self.tls = tls
        self.modules = modules
        self.access_log = access_log
        address = f"unix:{service.dir}/service.sock" if unix else f"127.0.0.1:{service.port}"
        self.http = f"upstream app {{ server {address}; keepalive 4096; keepalive_requests 1000000000; }}\n{http}"
        secure = f"""ssl_certificate {certs.server}; ssl_certificate_key {certs.server_key}; ssl_client_certificate {certs.ca}; ssl_verify_client on;
    ssl_protocols TLSv1.3; {session}""" if tls else ""
        self.server = f"""listen 127.0.0.1:{self.port} backlog=8192{" ssl" if tls else ""}{" http2" if http2 else ""}; {secure}
    {"http2_max_concurrent_streams 256;" if http2 else ""}
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_request_buffering off;
    {server}
    location / {{ {location} proxy_pass http://app; }}"""


# The rules of POLICY below, without its condition on a header.
LUA_RULES = """
local rules = {
  { effect = "deny", prefix = "/admin/" },
  { effect = "allow", caller = "frontend", methods = { GET = true, HEAD = true }, exact = "/hello" },
  { effect = "allow", caller = "frontend", methods = { GET = true, HEAD = true }, prefix = "/items/" },
  { effect = "allow", caller = "frontend", methods = { GET = true, HEAD = true }, prefix = "/files/" },
  { effect = "allow", caller = "frontend", methods = { POST = true }, prefix = "/upload/" },
  { effect = "allow", caller = "billing", prefix = "/invoices/" },
  { effect = "allow", caller = "reports", prefix = "/reports/" },
  { effect = "allow", caller = "prometheus", methods = { GET = true }, exact = "/metrics" },
  { effect = "allow", caller = "ci", methods = { PUT = true }, prefix = "/releases/" },
  { effect = "deny", prefix = "/internal/" },
  { effect = "allow", caller = "frontend", methods = { GET = true }, prefix = "/tenants/" },
  { effect = "allow", caller = "probe", methods = { GET = true }, exact = "/healthz" },
}
local function allowed(caller, method, path)
  local found = false
  for i = 1, #rules do
    local r = rules[i]
    if (r.caller == nil or r.caller == caller) and (r.methods == nil or r.methods[method])
        and (r.exact == nil or r.exact == path) and (r.prefix == nil or path:sub(1, #r.prefix) == r.prefix) then
      if r.effect == "deny" then return false end
      found = true
    end
  end
  return found
end
"""
NGINX_LUA_HTTP = f"""init_by_lua_block {{ package.preload["policy"] = function() {LUA_RULES} return allowed end }}"""
NGINX_LUA = """access_by_lua_block {
      local allowed = require "policy"
      if not allowed(ngx.var.ssl_client_s_dn:sub(4), ngx.req.get_method(), ngx.var.uri) then return ngx.exit(403) end
    }"""
LUA_MODULES = "load_module /usr/lib/nginx/modules/ndk_http_module.so; load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;"


class Haproxy(Peer):
    def __init__(self, name, folder, certs, service, *, tls=False, lua=False, http2=False):
        super().__init__(name, folder, certs)
        self.service, self.tls, self.lua, self.http2 = service, tls, lua, http2

    def configure(self):
        if self.lua:
            (self.dir / "policy.lua").write_text(LUA_RULES + """
core.register_action("policy", { "http-req" }, function(txn)
  txn:set_var("txn.denied", not allowed(txn.sf:ssl_c_s_dn("CN"), txn.sf:method(), txn.sf:path()))
end)
""")
        bind = f" ssl crt {self.certs.both} ca-file {self.certs.ca} verify required ssl-min-ver TLSv1.3 alpn {'h2' if self.http2 else 'http/1.1'}" if self.tls else ""
        act = "http-request lua.policy\n  http-request deny if { var(txn.denied) -m bool }" if self.lua else ""
        (self.dir / "haproxy.cfg").write_text(f"""global
  nbthread 1
  maxconn 9000
  tune.ssl.cachesize 20000
  {f"lua-load {self.dir}/policy.lua" if self.lua else ""}
defaults
  mode http
  timeout client 600s
  timeout server 600s
  timeout connect 5s
  option http-keep-alive
  http-reuse always
frontend in
  bind 127.0.0.1:{self.port} backlog 8192{bind}
  option forwardfor
  {act}
  default_backend app
backend app
  server app 127.0.0.1:{self.service.port}
""")

    def command(self):
        return ["haproxy", "-db", "-f", str(self.dir / "haproxy.cfg")]


class Nghttpx(Peer):
    def __init__(self, name, folder, certs, service, *, tls=False):
        super().__init__(name, folder, certs)
        self.service, self.tls = service, tls

    def configure(self):
        pass

    def command(self):
        secure = ["--verify-client", f"--verify-client-cacert={self.certs.ca}", "--tls-min-proto-version=TLSv1.3", self.certs.server_key, self.certs.server] if self.tls else []
        return ["nghttpx", "--conf=/dev/null", f"-f127.0.0.1,{self.port}{'' if self.tls else ';no-tls'}", f"-b127.0.0.1,{self.service.port}", "--accesslog-file=/dev/null", "--errorlog-file=/dev/stderr",
                "-n1", "--single-process", "--backlog=8192", "--frontend-keep-alive-timeout=600", *secure]


class Envoy(Peer):
    """Decides by RBAC filters, or asks `opa`."""

    def __init__(self, name, folder, certs, service, *, tls=False, http2=False, opa=None):
        super().__init__(name, folder, certs)
        self.service, self.tls, self.http2, self.beside = service, tls, http2, opa

    @staticmethod
    def found():
        return ENVOY[0].exists()

    def configure(self):
        def path(kind, value):
            return {"url_path": {"path": {kind: value}}}

        def method(value):
            return {"header": {"name": ":method", "string_match": {"exact": value}}}

        def who(name):
            return [{"authenticated": {"principal_name": {"exact": f"spiffe://example.org/{name}"}}}] if self.tls else [{"any": True}]

        def one(name, *rules):
            return {"permissions": [{"and_rules": {"rules": list(rules)}}], "principals": who(name)}

        reads = {"and_rules": {"rules": [method("GET"), {"or_rules": {"rules": [path("exact", "/hello"), path("prefix", "/items/"), path("prefix", "/files/")]}}]}}
        writes = {"and_rules": {"rules": [method("POST"), path("prefix", "/upload/")]}}
        kind = "type.googleapis.com/envoy.extensions."
        allow = {"action": "ALLOW", "policies": {
            "frontend": {"permissions": [reads, writes], "principals": who("frontend")}, "billing": one("billing", path("prefix", "/invoices/")),
            "reports": one("reports", path("prefix", "/reports/")), "metrics": one("prometheus", method("GET"), path("exact", "/metrics")),
            "deploys": one("ci", method("PUT"), path("prefix", "/releases/")), "tenants": one("frontend", method("GET"), path("prefix", "/tenants/")),
            "health": one("probe", method("GET"), path("exact", "/healthz"))}}
        deny = {"action": "DENY", "policies": {"closed": {"permissions": [path("prefix", "/admin/"), path("prefix", "/internal/")], "principals": [{"any": True}]}}}

        def rbac(name, rules):
            return {"name": name, "typed_config": {"@type": kind + "filters.http.rbac.v3.RBAC", "rules": rules}}

        manager = {"@type": kind + "filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "in",
                   "codec_type": "HTTP2" if self.http2 else "HTTP1", "generate_request_id": False,
                   "route_config": {"virtual_hosts": [{"name": "app", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}]},
                   "http_filters": [*([self.beside.filter()] if self.beside else [rbac("closed", deny), rbac("allowed", allow)]), {"name": "router", "typed_config": {"@type": kind + "filters.http.router.v3.Router"}}]}
        chain = {"filters": [{"name": "http", "typed_config": manager}]}
        if self.tls:
            chain["transport_socket"] = {"name": "tls", "typed_config": {
                "@type": kind + "transport_sockets.tls.v3.DownstreamTlsContext", "require_client_certificate": True,
                "common_tls_context": {"tls_params": {"tls_minimum_protocol_version": "TLSv1_3"}, "alpn_protocols": ["h2" if self.http2 else "http/1.1"],
                                       "tls_certificates": [{"certificate_chain": {"filename": self.certs.server}, "private_key": {"filename": self.certs.server_key}}],
                                       "validation_context": {"trusted_ca": {"filename": self.certs.ca}}}}}

        def address(port):
            return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

        (self.dir / "envoy.json").write_text(json.dumps({"static_resources": {
            "listeners": [{"name": "in", "address": address(self.port), "filter_chains": [chain], "tcp_backlog_size": 8192}],
            "clusters": [{"name": "app", "type": "STATIC", "circuit_breakers": {"thresholds": [{"max_connections": 20000, "max_pending_requests": 20000, "max_requests": 20000}]},
                          "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(self.service.port)}}]}]}},
                         *([self.beside.cluster(address)] if self.beside else [])]}}))

    def command(self):
        return [str(ENVOY[0]), "-c", str(self.dir / "envoy.json"), "--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]


REGO = """package edge
default allow := false
closed if startswith(input.path, "/admin/")
closed if startswith(input.path, "/internal/")
reads if input.method in {"GET", "HEAD"}
frontend if input.principal == "spiffe://example.org/frontend"
granted if { frontend; reads; input.path == "/hello" }
granted if { frontend; reads; startswith(input.path, "/items/") }
granted if { frontend; reads; startswith(input.path, "/files/") }
granted if { frontend; input.method == "POST"; startswith(input.path, "/upload/") }
granted if { input.principal == "spiffe://example.org/billing"; startswith(input.path, "/invoices/") }
granted if { input.principal == "spiffe://example.org/reports"; startswith(input.path, "/reports/") }
granted if { input.principal == "spiffe://example.org/prometheus"; input.method == "GET"; input.path == "/metrics" }
granted if { input.principal == "spiffe://example.org/ci"; input.method == "PUT"; startswith(input.path, "/releases/") }
granted if { frontend; input.method == "GET"; startswith(input.path, "/tenants/") }
granted if { input.principal == "spiffe://example.org/probe"; input.method == "GET"; input.path == "/healthz" }
allow if { granted; not closed }
"""


class Opa(Peer):
    """OPA behind Envoy's ext_authz filter, over gRPC (test/bench/opa_authz). On the proxy's core, as a sidecar would be."""

    @staticmethod
    def found():
        return OPA.exists() and Envoy.found()

    def configure(self):
        (self.dir / "edge.rego").write_text(REGO)

    def command(self):
        return ["env", "GOMAXPROCS=1", str(OPA), f"127.0.0.1:{self.port}", str(self.dir / "edge.rego")]

    @staticmethod
    def filter():
        return {"name": "ext_authz", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", "transport_api_version": "V3",
                                                      "grpc_service": {"envoy_grpc": {"cluster_name": "opa"}, "timeout": "5s"}}}

    def cluster(self, address):
        http2 = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                                                                             "explicit_http_config": {"http2_protocol_options": {}}}}
        return {"name": "opa", "type": "STATIC", "typed_extension_protocol_options": http2,
                "load_assignment": {"cluster_name": "opa", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(self.port)}}]}]}}


POLICY = """local teams = data "teams.json"
policy "edge" {
  deny "admin" { path = "/admin/**" },
  allow "reads" { principal = "spiffe://example.org/frontend", method = { "GET", "HEAD" }, path = { "/hello", "/items/**", "/files/**" } },
  allow "uploads" { principal = "spiffe://example.org/frontend", method = "POST", path = "/upload/**" },
  allow "billing" { principal = "spiffe://example.org/billing", path = "/invoices/**" },
  allow "reports" { principal = "spiffe://example.org/reports", path = "/reports/*/pdf" },
  allow "metrics" { principal = "spiffe://example.org/prometheus", method = "GET", path = "/metrics" },
  allow "deploys" { principal = "spiffe://example.org/ci", method = "PUT", path = "/releases/{name}" },
  deny "internal" { path = "/internal/**" },
  allow "tenants" { principal = "spiffe://example.org/frontend", method = "GET", path = "/tenants/**",
    when = function(r)
      local tenant = r.header["x-tenant"]
      if #tenant > 16 then return false end
      return tenant:sub(1, 2) == "t-" and r.principal.path == "/frontend"
    end },
  allow "orders of a team" { principal = "spiffe://example.org/frontend", method = "GET", path = "/teams/{team}/orders",
    when = function(r) return teams[r.params.team].rank >= 3 end },
  allow "small orders" { principal = "spiffe://example.org/frontend", method = "POST", path = "/upload/orders",
    when = function(r) return r.body.json.total < 1000 end },
  allow "health" { principal = "spiffe://example.org/probe", method = "GET", path = "/healthz" },
}
"""


class Yett(Peer):
    def log_bytes(self):
        """What the audit log takes on disk."""
        return sum(path.stat().st_size for path in self.dir.glob("yett.db*"))

    def __init__(self, name, folder, certs, service, *, tls=False, durability="batched", policy=POLICY, unix=False, workers=1, listener=None, **changes):
        super().__init__(name, folder, certs)
        self.tls = tls
        if workers > 1:
            self.core = sorted(os.sched_getaffinity(0))[:workers]
        routes = [{"path": "/upload/orders", "cluster": "app", "buffer_body": "16KiB"}, {"path": "/**", "cluster": "app"}]
        listening = {"name": "inbound", "address": f"127.0.0.1:{self.port}", "routes": routes}
        listening.update({"tls": {"client_certificate": "required"}} if tls else {"plaintext": True})
        listening.update(listener or {})
        self.policy = policy if tls else policy.replace('principal = "spiffe://example.org/frontend"', "principal = anyone")
        self.config = {
            "workers": workers,
            "identity": {"svid": {"certificate": certs.server, "private_key": certs.server_key}, "trust_bundles": {"example.org": certs.ca}},
            "listeners": [listening],
            "clusters": [{"name": "app", "endpoints": [f"unix://{service.dir}/service.sock" if unix else f"127.0.0.1:{service.port}"], "circuit_breakers": {"max_connections": 20000, "max_pending_requests": 20000, "max_requests": 40000}}],
            "policy": {"engines": [{"name": "main", "type": "lua", "path": "rules"}]},
            "audit": {"database": "yett.db", "durability": durability},
            "admin": {"socket": "admin.sock"},
            "access_log": "off", "max_connections": 30000,
        }
        self.config.update(changes)

    def configure(self):
        (self.dir / "rules").mkdir()
        (self.dir / "rules/edge.lua").write_text(self.policy)
        (self.dir / "rules/teams.json").write_text(json.dumps({f"t{i}": {"rank": 3 + i % 5} for i in range(1000)}))
        (self.dir / "yett.json").write_text(json.dumps(self.config))
        (self.dir / "yett.json").chmod(0o600)

    def command(self):
        return [YETT, "run", "-c", "yett.json"]
