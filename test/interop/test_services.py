"""Real services behind a real Yett: a service reads exactly what policy decided on, or does not get the request.

test/interop/install.sh installs the services; missing ones are skipped. If a test expects no particular status, Yett may
refuse a request or forward it, as long as the service does not read what policy forbids.
"""
import collections
import contextlib
import gzip
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "test/scenario"))

from harness import SLOW, Yett, free_port, wait_for  # noqa: E402

BIN = ROOT / "build/interop"
HERE = ROOT / "test/interop/services"
PYTHON = BIN / "python/bin"
LIGHTTPD = """
server.modules = ("mod_alias", "mod_cgi")
server.document-root = "{dir}"
server.bind = "127.0.0.1"
server.port = {port}
alias.url = ("/" => "{here}/echo.cgi/")
cgi.assign = (".cgi" => "/usr/bin/python3")
"""
COMMANDS = {  # service: the path that must exist, and the start command
    "django-uvicorn": (PYTHON.parent / "complete", f"{PYTHON}/uvicorn --log-level critical --host 127.0.0.1 --port {{port}} django_app:asgi"),
    "starlette-uvicorn": (PYTHON.parent / "complete", f"{PYTHON}/uvicorn --log-level critical --host 127.0.0.1 --port {{port}} starlette_app:app"),
    "django-hypercorn": (PYTHON.parent / "complete", f"{PYTHON}/hypercorn --log-level critical -b 127.0.0.1:{{port}} django_app:asgi"),
    "django-gunicorn": (PYTHON.parent / "complete", f"{PYTHON}/gunicorn --log-level critical -b 127.0.0.1:{{port}} django_app:wsgi"),
    "flask-gunicorn": (PYTHON.parent / "complete", f"{PYTHON}/gunicorn --log-level critical -b 127.0.0.1:{{port}} flask_app:app"),
    "express": (BIN / "node/complete", "node express_app.js {port}"),
    "go": (BIN / "go_service", f"{BIN}/go_service {{port}}"),
    "lighttpd": (pathlib.Path("/usr/sbin/lighttpd"), "/usr/sbin/lighttpd -D -f {dir}/conf"),
}
RULES = """
local function admin(r) return r.body.json.role == "admin" end
policy "services" {
  allow "all" { principal = anyone, not_path = { "/allow/**", "/only/**" }, set_header = { ["x-role"] = "user" } },
  allow "users" { principal = anyone, path = "/allow/**", when = function(r) return r.body.json.role == "user" end },
  allow "only" { principal = anyone, path = "/only/**", header = { ["x-env"] = "test" }, query = { role = "user" } },
  deny "roles" { path = "/roles", when = function(r) for _, v in ipairs(r.body.json.roles) do if v == "admin" then return true end end return false end },
  deny "role" { path = "/role", when = admin },
  deny "optional" { path = "/optional", when = function(r) return optional(r.body.json, "role", "user") == "admin" end },
  deny "region" { path = "/region", when = function(r) return r.body.json.region ~= "eu" end },
  deny "id" { path = "/id", when = function(r) return r.body.json.id == 7 end },
  deny "big" { path = "/big", when = function(r) return r.body.json.id == 9007199254740992 end },
  deny "kind" { path = "/kind", when = function(r) return optional(r.body.json, "kind", "public") == "secret" end },
  deny "delete" { path = "/method/**", method = "DELETE" },
  deny "admin" { path = "/admin/**" },
  deny "report" { path = "/secret/report" },
  deny "debug" { path = "/query/**", query = { debug = "1" } },
  deny "prod" { path = "/header/**", header = { ["x-env"] = "prod" } },
  deny "params" { path = "/users/{id}", when = function(r) return r.params.id == "root" or r.params.id == "é" end },
}
"""
JSON = "content-type: application/json"
FORM = "content-type: application/x-www-form-urlencoded"
MULTIPART = "content-type: multipart/form-data; boundary=B"
PART = b'\r\n--B\r\nContent-Disposition: form-data; name=role\r\n\r\nadmin\r\n--B--\r\n'
# JSON with the role `user` that is also a Brotli stream: a block that starts like JSON and decodes to 17,655 blanks; a skipped
# block, which has the role; an uncompressed block with another role; and a CR, which ends the stream.
BROTLI = b'\t{"  @\xc2\xbe@\xd4\xb2V ' + b'":0,"role":"user","y":'.ljust(130) + b"  \t" + b'{"role":"admin"}'.ljust(9221) + b"\r}"
SEPARATORS = "!#$%&'*+^`|~._"

services = {}  # running services: name -> port
y = None


class Running:
    """A service's process, with a folder for its files."""

    def __init__(self, name, command):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"yett-{name}-"))
        self.port = free_port()
        (self.dir / "conf").write_text(LIGHTTPD.format(dir=self.dir, here=HERE, port=self.port))
        self.environment = {**os.environ, "NODE_PATH": str(BIN / "node/node_modules"), "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.dir)}
        self.command = command.format(port=self.port, dir=self.dir).replace("express_app.js", str(HERE / "express_app.js")).split()

    def __enter__(self):
        self.process = subprocess.Popen(self.command, cwd=self.dir, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def up(self):
        assert self.process.poll() is None, f"{self.command} ended"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


def setUpModule():
    global y
    stack = contextlib.ExitStack()
    unittest.addModuleCleanup(stack.close)
    running = {}
    for name, (needed, command) in COMMANDS.items():
        if needed.exists():
            running[name] = stack.enter_context(Running(name, command))
        else:
            print(f"  {name} is not installed")
    for name, service in running.items():
        wait_for(name, service.up, 20)
        services[name] = service.port
    if not services:
        raise unittest.SkipTest("no service is installed")
    y = Yett(rules=RULES, workers=1).plaintext()
    y.config["clusters"] = [{"name": name, "endpoints": [f"127.0.0.1:{port}"]} for name, port in services.items()]
    more = {"path": "/**", "buffer_body": "1MiB", "forward_trailers": True}
    y.listener["routes"] = [{**more, "hosts": [name], "cluster": name} for name in services] + [{**more, "cluster": next(iter(services))}]
    y.write_config()
    stack.enter_context(y)


def ask(service, line, *headers, body=b"", trailers=False):
    """Sends one request as given. Returns the status, what the service read (if it did), and all bytes."""
    framing = ["transfer-encoding: chunked"] if trailers else [f"content-length: {len(body)}"] if body else []
    lines = [f"{line} HTTP/1.1", f"Host: {service}", "Connection: close", *framing, *([] if trailers else headers)]
    if trailers:
        body = b"%x\r\n%s\r\n0\r\n" % (len(body), body) + "".join(f"{one}\r\n" for one in headers).encode("latin-1") + b"\r\n"
    with y.raw() as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        pieces, rest = rest, b""
        while (size := int(pieces.partition(b"\r\n")[0] or b"0", 16)) > 0:
            pieces = pieces.partition(b"\r\n")[2]
            rest, pieces = rest + pieces[:size], pieces[size + 2:]
    status = int(head.split(b" ")[1]) if head else 0
    answer = {}
    with contextlib.suppress(ValueError):
        answer = json.loads(rest)
    return status, answer if status == 200 and "service" in answer else {}, data


def read(answer, key):
    """What the service read for this key, in a JSON body or in a form."""
    return [part[key] for part in (answer.get("body"), answer.get("form")) if isinstance(part, dict) and key in part]


def header(answer, name):
    """What the service read for this header name, as sent or in CGI form."""
    return "".join(str(value) for key, value in answer.get("headers", {}).items() if key.lower() in (name, "http_" + name.replace("-", "_")))


class Reading(unittest.TestCase):
    def none_of(self, attacks, reads, trailers=False):
        """Sends each attack (description, request line, headers or trailers, body) to each service: `reads` must find nothing."""
        wrong = collections.defaultdict(list)
        for what, line, headers, body in attacks:
            for service in services:
                status, answer, _ = ask(service, line, *headers, body=body, trailers=trailers)
                if status in (0, 502, 503, 504) or reads(answer):
                    wrong[what].append(f"{service} {status}")
        if wrong:
            self.fail("".join(f"\n  {what}: {' '.join(who)}" for what, who in wrong.items()))

    def all_are(self, expected, attacks, text=b""):
        """Each of these requests gets this status from every service."""
        wrong = collections.defaultdict(list)
        for what, line, headers, body in attacks:
            for service in services:
                status, _, data = ask(service, line, *headers, body=body)
                if status != expected or text not in data.partition(b"\r\n\r\n")[2]:
                    wrong[what].append(f"{service} {status}")
        if wrong:
            self.fail("".join(f"\n  {what}: {' '.join(who)}" for what, who in wrong.items()))


def bodies(path, *texts, headers=(JSON,)):
    for text in texts:
        raw = text if isinstance(text, bytes) else text.encode()
        yield f"POST {path} {raw[:90]!r}", f"POST {path}", headers, raw


class Bodies(Reading):
    def test_a_denied_member_of_a_list_is_never_read(self):
        """A null in a list, or an object instead of a list, hid what followed it."""
        attacks = bodies("/roles", '{"roles":["user",null,"admin"]}', '{"roles":[null,"admin"]}', '{"roles":{"a":"admin"}}', '{"roles":{"admin":true}}', '{"roles":"admin"}', '{"roles":{"1":"user","2":"admin"}}', '{"roles":{"0":"admin"}}', '{"roles":["user"],"Roles":["admin"]}',
                         '{"Roles":["admin"]}', '{"roles":["user"],"role\u017f":["admin"]}', '{"roles":["user"],"role\\u017f":["admin"]}', '{"roles":[],"roles":["admin"]}', '{"roles":["user"],"r\\u006fles":["admin"]}', '{"roles":["adm\\u0069n"]}', '{"roles":["user",["admin"],"admin"]}',
                         '{"roles":["user",{},"admin"]}', '{"roles":[null,null,null,null,null,null,null,"admin"]}', b'{"roles":["user"]}\0,{"roles":["admin"]}')
        self.none_of(attacks, lambda answer: answer.get("admin"))

    def test_a_denied_text_is_never_read(self):
        """A body that policy and service parse differently bypassed a deny."""
        texts = ['{"role":"admin"}', '{"role":"adm\\u0069n"}', '{"r\\u006fle":"admin"}', b'{"role":"user"}\0{"role":"admin"}', b'\0{"role":"admin"}', b'\xef\xbb\xbf{"role":"admin"}', '{"role":"user","role":"admin"}', '{"role":"user","r\\u006fle":"admin"}', '{"role":"user","Role":"admin"}',
                 '{"role":"user","ROLE":"admin"}', '{"Role":"admin"}', '{"x":NaN,"role":"admin"}', '{"x":-Infinity,"role":"admin"}', '{"role":"admin",}', '/**/{"role":"admin"}', '{"role":"admin"//\n}', b'{"x":"\xff","role":"admin"}', b'{"\xff":1,"role":"admin"}', b'{"x":"\xed\xa0\x80","role":"admin"}',
                 '{"x":"\\ud800","role":"admin"}', '{"x":1e999,"role":"admin"}', '{"x":' + "9" * 400 + ',"role":"admin"}', '{"x":' + "[" * 40 + "]" * 40 + ',"role":"admin"}', '{"x":[' + "0," * 20_001 + '0],"role":"admin"}', '{"role":"admin"} x', '{"role":"admin"}{"role":"user"}', '[{"role":"admin"}]',
                 '{"x":01,"role":"admin"}', '{"x":+1,"role":"admin"}', "{'role':'admin'}", '\ufeff\ufeff{"role":"admin"}', '{"x":"\t\n","role":"admin"}', '{"":{},"role":"admin"}', "null", '{"role":"user","rol\\u0045":"admin"}', '{"role":"user","role\\u0000":"admin"}']
        texts += ['{"role":"admin"}'.encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")]
        self.none_of([*bodies("/role", *texts), *bodies("/optional", *texts)], lambda answer: "admin" in read(answer, "role"))

    def test_a_value_other_than_the_allowed_one_is_never_read(self):
        """A service treated a key in another case as the one that policy read."""
        attacks = bodies("/region", '{"region":"eu","Region":"us"}', '{"Region":"us"}', '{"Region":"us","region":"eu"}', '{"region":"eu","REGION":"us"}', '{"region":"eu","region":"us"}', '{"region":"eu","re\\u0067ion":"us"}', '{"region":"eu"} {"region":"us"}', b'{"region":"eu"}\0{"region":"us"}')
        self.none_of(attacks, lambda answer: "us" in read(answer, "region"))

    def test_a_key_with_a_letter_that_folds_to_another_is_never_read(self):
        """The Kelvin sign, which Go treats as a k."""
        attacks = bodies("/kind", '{"\u212aind":"secret"}', '{"\\u212aind":"secret"}', '{"kind":"public","\u212aind":"secret"}', '{"kind":"public","\\u212Aind":"secret"}', '{"kind":"public","KIND":"secret"}', '{"Kind":"secret"}')
        self.none_of(attacks, lambda answer: "secret" in read(answer, "kind"))

    def test_a_denied_number_is_never_read(self):
        """A number written differently bypassed a deny."""
        attacks = bodies("/id", *('{"id":%s}' % n for n in ("7", "7.0", "7e0", "70e-1", "0.7E+1", "7.00000000000000000000001", "6.9999999999999999999999", "07", "+7", "7.", "0x7", "7.0e00", "700000000000000000000e-20", "0." + "0" * 400 + "7e401", "7" + "0" * 400 + "e-400")), '{"id":7,"id":8}', '{"id":8,"ID":7}', '{"id":8,"Id":7.0}')
        self.none_of(attacks, lambda answer: 7 in read(answer, "id"))

    def test_a_denied_number_over_2_to_the_53_is_never_read(self):
        """A service rounded a number to one that policy denies."""
        attacks = bodies("/big", *('{"id":%s}' % n for n in ("9007199254740992", "9007199254740993", "9007199254740993.0", "9007199254740992.5", "9007199254740991.6", "9007199254740993e0", "900719925474099300e-2")))
        self.none_of(attacks, lambda answer: 9007199254740992 in read(answer, "id"))

    def test_the_service_reads_what_was_allowed_whatever_the_content_type(self):
        """A body that is JSON to policy and a form to the service, or JSON in another charset or compressed."""
        tricks = ['{"role":"user","x":"&role=admin&"}', b'{"role":"user"}\0&role=admin', '{"role":"user","x":"&r%6fle=admin&"}', '{"role":"user","x":"\\u0000&role=admin&"}']
        names = ["content-type: Application/X-WWW-Form-URLEncoded", FORM + "; charset=utf-8", FORM + "; a=application/json", FORM + ";+json", FORM + "; x=/json", FORM + ", application/json", JSON + ", application/x-www-form-urlencoded", FORM + " ;application/json"]
        attacks = [a for headers in [(FORM,), (JSON, FORM), (FORM, JSON), *((name,) for name in names), (FORM, "content_type: application/json"), (JSON, "content_type: application/x-www-form-urlencoded"), (JSON, "content!type: application/x-www-form-urlencoded")] for a in bodies("/allow/it", *tricks, headers=headers)]
        parts = [b'{"role":"user"}\0' + PART, b'{"role":"user","x":"' + PART + b'"}', b'{"role":"user"}' + PART, b'{"role":"user","x":"' + PART.replace(b"\r\n", b"\n") + b'"}']
        attacks += [a for headers in [(MULTIPART,), (JSON, MULTIPART), (MULTIPART, JSON), (MULTIPART + "; x=application/json",), (MULTIPART + "; x=+json",)] for a in bodies("/allow/it", *parts, headers=headers)]
        both = '{"role":"user","+AHI-ole":"admin"}'  # in UTF-7 the second key is the first
        attacks += [a for charset in ("utf-7", '"UTF-7"', "unicode-1-1-utf-7", "utf-7-imap", "utf-8; charset=utf-7", "utf-7; charset=utf-8") for a in bodies("/allow/it", both, both.replace("+", "&"), headers=(f"{JSON}; charset={charset}",))]
        attacks += [a for name in ("utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le") for a in bodies("/allow/it", '{"role":"admin"}'.encode(name), headers=(f"{JSON}; charset={name}",))]
        attacks += bodies("/allow/it", BROTLI, headers=(JSON, "content-encoding: br"))
        attacks += bodies("/allow/it", '{"role":"user","Role":"admin"}', '{"role":"user","ROLE":"admin"}', '{"role":"user","role":"admin"}', b'{"role":"user"}\0{"role":"admin"}')
        packed = b'{"role":"admin"}'
        for name, raw in (("gzip", gzip.compress(packed)), ("x-gzip", gzip.compress(packed)), ("deflate", zlib.compress(packed)), ("GZIP", gzip.compress(packed))):
            attacks += bodies("/allow/it", raw, b'{"role":"user"}\0' + raw, headers=(JSON, f"content-encoding: {name}"))
        self.none_of([(f"{what} {headers}", line, headers, body) for what, line, headers, body in attacks], lambda answer: "admin" in read(answer, "role"))

    def test_a_deny_holds_in_every_charset(self):
        """A charset that policy did not know encoded what it denies."""
        seven = ['{"role":"+AGEAZABtAGkAbg-"}', '{"role":"user","+AHI-ole":"admin"}', '{"role":"user","x":"+ACIALAAi-role+ACIAOgAi-admin"}']
        attacks = [(f"{charset} {what}", line, headers, body) for charset in ("utf-7", "UTF-7", "unicode-1-1-utf-7", '"utf-7"') for path in ("/role", "/optional") for what, line, headers, body in bodies(path, *seven, headers=(f"{JSON}; charset={charset}",))]
        attacks += [*bodies("/role", BROTLI, headers=(JSON, "content-encoding: br")), *bodies("/role", "role=admin", headers=(FORM,))]
        self.none_of(attacks, lambda answer: "admin" in read(answer, "role"))


class Heads(Reading):
    def test_a_method_in_another_case_is_refused(self):
        """Some services treat `delete` as DELETE."""
        self.all_are(400, [(name, f"{name} /method/1", (), b"") for name in ("delete", "Delete", "dElEtE", "DELETe")], b"DELETE")

    def test_a_header_name_that_a_service_folds_cannot_forge_an_identity(self):
        """CGI and its successors turn non-letters into `_`: another name became one that Yett or a rule sets."""
        owned = ("x-yett-principal", "x-yett-decision-id", "x-role", "x-forwarded-client-cert", "x-forwarded-for")
        names = [name.replace("-", c) for c in SEPARATORS for name in owned] + ["x-yett_principal", "X_Yett!Principal", "x-yett.principal", "X-ROLE"]
        reads = lambda answer: any("forged" in header(answer, name) for name in owned)  # noqa: E731
        self.none_of([(name, "GET /names", (f"{name}: forged",), b"") for name in names], reads)
        self.none_of([(f"trailer {name}", "POST /names", (f"{name}: forged",), b"{}") for name in names], reads, trailers=True)

    def test_a_header_name_that_a_service_folds_cannot_forge_an_identity_over_http2(self):
        for c in SEPARATORS:
            done = subprocess.run(["curl", "-sS", "-m", "20", "--http2-prior-knowledge", f"http://127.0.0.1:{y.port}/names", "-H", f"Host: {next(reversed(services))}", "-H", f"x{c}role: forged", "-H", f"x{c}yett{c}principal: forged"], capture_output=True, timeout=30)
            self.assertEqual(done.returncode, 0, done.stderr)
            with contextlib.suppress(ValueError):
                answer = json.loads(done.stdout)
                self.assertNotIn("forged", header(answer, "x-role") + header(answer, "x-yett-principal"), c)

    def test_a_header_name_that_a_service_folds_is_denied_like_the_folded_one(self):
        """A header that policy denies was sent under another name that a service treats as the same."""
        self.none_of([(f"x{c}env", "GET /header/1", (*more, f"x{c}env: prod"), b"") for c in SEPARATORS for more in ((), ("x-env: test",))], lambda answer: "prod" in header(answer, "x-env"))

    def test_headers_that_only_a_proxy_may_send_are_removed(self):
        """A caller claimed an identity in a header that services trust a proxy to set."""
        names = ["client-cert", "client-cert-chain", "ssl-client-verify", "ssl-client-s-dn", "x-ssl-client-cert", "x-client-cert", "x-client-verify-cert", "x-forwarded-user", "x-forwarded-host", "x-forwarded-access-token", "x-original-url", "x-original-foo", "x-envoy-original-path", "x-rewrite-url",
                 "front-end-https", "x-auth-request-user", "x-remote-user", "proxy", "x-http-method-override", "x_http_method_override", "x-httpmethod-override"]
        passed = lambda answer: "forged" in json.dumps(answer.get("headers", {}))  # noqa: E731
        self.none_of([(name, "GET /names", (f"{name}: forged",), b"") for name in names], passed)
        self.none_of([(f"trailer {name}", "POST /names", (f"{name}: forged",), b"{}") for name in names], passed, trailers=True)

    def test_a_header_does_not_move_the_path(self):
        """gunicorn trusts these from any local peer, and so from Yett."""
        self.none_of([(f"{header} {path}", f"GET {path}", (header,), b"") for header, path in (("SCRIPT_NAME: /x", "/x/admin/users"), ("script_name: /x", "/x/admin/users"), ("PATH_INFO: /admin/users", "/x"), ("script-name: /x", "/x/admin/users"))], lambda answer: (answer.get("path") or "").startswith("/admin"))

    def test_a_content_type_does_not_change_the_query(self):
        """Django reads the query in the charset of the body."""
        attacks = [(f"{query} {kind}", f"GET /query/1?{query}", (f"content-type: {kind}",), b"") for query, kind in (("debug=%2BADE-", "text/plain; charset=utf-7"), ("%2BAGQ-ebug=1", "application/json; charset=utf-7"), ("+AGQ-ebug=1", "text/plain;charset=utf7"), ("debug=%5Cx31", "text/plain; charset=unicode_escape"), ("x=1+ACY-debug=1", "image/png; charset=U7"))]
        self.none_of(attacks, lambda answer: answer.get("query", {}).get("debug") in ("1", ["1"]))


class Targets(Reading):
    def test_a_denied_path_in_another_case_is_denied(self):
        """Express routes in any case."""
        self.all_are(403, [(path, f"GET {path}", (), b"") for path in ("/admin/users", "/ADMIN/users", "/Admin/users", "/aDmIn/USERS", "/%41dmin/users", "/x/../ADMIN/users", "//ADMIN//users")])

    def test_a_denied_path_with_a_trailing_newline_is_not_reached(self):
        """Starlette and FastAPI match a path with `$`, which also matches before a final newline."""
        self.none_of([(path, f"GET {path}", (), b"") for path in ("/secret/report", "/secret/report%0A", "/secret/report%0a", "/secret/report%0D%0A", "/secret%2Freport", "/secret/report%0A/..%0A")], lambda answer: answer.get("admin"))

    def test_a_denied_query_is_denied_however_it_is_spelt(self):
        """A key that a service treats as the one that policy denies."""
        keys = ("debug=1", "Debug=1", "debug[]=1", "[debug]=1", "debug[0]=1", "a=2;debug=1", "x=1&DEBUG=1", "debug=%31", "debug%5B%5D=1", "%5Bdebug%5D=1", "d%65bug=1", "debug=0&debug=1", "a=2;Debug[]=1", "debug[][]=1", "[debug][]=1", "debug[0][0]=1", "debug=0&debug[]=1")
        self.all_are(403, [(key, f"GET /query/1?{key}", (), b"") for key in keys])
        self.all_are(400, [(key, f"GET /query/1?{key}", (), b"") for key in ("a=%00", "debug%00=1")])

    def test_the_service_reads_only_values_that_an_allow_matched(self):
        """A second spelling of a key or header name added a value to the one that policy allows."""
        queries = ("role=user&role=admin", "role=user&Role=admin", "role=user&role[]=admin", "role=user&[role]=admin", "[role]=admin&role=user", "role=user&role[0]=admin", "role=user&r%6fle=admin", "role=user;role=admin", "x=;role=admin&role=user", "role=user&role%5B%5D=admin", "role=user&%5Brole%5D=admin", "role=user&role[x]=admin")
        attacks = [(query, f"GET /only/1?{query}", ("x-env: test",), b"") for query in queries]
        attacks += [(f"x{c}env", "GET /only/1?role=user", more, b"") for c in SEPARATORS for more in (("x-env: test", f"x{c}env: prod"), (f"x{c}env: prod", "x-env: test"))]
        self.none_of(attacks, lambda answer: "admin" in json.dumps(answer.get("query", {}).get("role")) or "prod" in header(answer, "x-env"))

    def test_a_captured_path_parameter_is_what_the_service_reads(self):
        """Policy compared the value before it was unescaped."""
        self.all_are(403, [(path, f"GET {path}", (), b"") for path in ("/users/root", "/users/%72oot", "/users/r%6Fot", "/users/root/", "/users/%C3%A9", "/users/%c3%a9", "/users/root;x=1")])


class Honest(Reading):
    """Requests of honest callers pass and are read correctly."""

    def test_types_of_json_pass(self):
        for service in services:
            for kind in ("application/json", "application/problem+json", "application/vnd.api+json", "application/json; charset=UTF-8", 'Application/JSON;Charset="utf-8"', "application/json;charset=utf-8"):
                for path in ("/role", "/allow/it"):
                    status, answer, data = ask(service, f"POST {path}", f"content-type: {kind}", body='{"role":"user","name":"Zoë 😀","n":[1,2.5,null,true,-0,1e3]}'.encode())
                    self.assertEqual((status, read(answer, "role")), (200, ["user"]), f"{service} {kind} {path} {data[-300:]}")

    def test_lists_and_numbers_pass(self):
        for service in services:
            for path, text in (("/roles", '{"roles":["user","guest"]}'), ("/roles", '{"roles":[]}'), ("/id", '{"id":8}'), ("/id", '{"id":7.5}'), ("/region", '{"region":"eu"}'), ("/kind", '{"kind":"public"}'), ("/kind", '{}')):
                self.assertEqual(ask(service, f"POST {path}", JSON, body=text.encode())[0], 200, f"{service} {path} {text}")

    def test_forms_pass_if_policy_reads_no_body(self):
        for service in services:
            status, answer, _ = ask(service, "POST /form", FORM, body=b"role=admin&x=%C3%A9")
            self.assertEqual((status, answer.get("form")), (200, {"role": "admin", "x": "é"}), service)

    def test_bodies_that_policy_does_not_read_pass(self):
        for service in services:
            for headers, body in (((JSON, "content-encoding: gzip"), gzip.compress(b"{}")), ((MULTIPART,), PART[2:]), (("content-type: text/plain; charset=utf-8",), b"text"), (("content-type: application/octet-stream",), bytes(range(256)))):
                status, _, data = ask(service, "POST /any", *headers, body=body)
                self.assertEqual(status, 200, f"{service} {headers} {data[-300:]}")

    def test_methods_pass(self):
        for service in services:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "HEAD"):
                status, answer, _ = ask(service, f"{method} /any?a=b%20c&a=%C3%A9", "x-custom: v", "accept-language: en", body=b"{}" if method in ("POST", "PUT", "PATCH") else b"")
                self.assertEqual(status, 200, f"{service} {method}")
                if method != "HEAD":
                    self.assertEqual((answer["method"], answer["query"].get("a")), (method, ["b c", "é"]), service)
                    self.assertIn("v", json.dumps(answer["headers"]), service)

    def test_common_clients_pass(self):
        """curl, and the clients of Python, Node and Go."""
        text = '{"role":"user"}'
        url = f"http://127.0.0.1:{y.port}/allow/it"
        answers = {"curl": subprocess.run(["curl", "-sS", "-m", "20", "--json", text, url], capture_output=True, text=True, timeout=30).stdout}
        connection = http.client.HTTPConnection("127.0.0.1", y.port, timeout=10 * SLOW)
        connection.request("POST", "/allow/it", body=text, headers={"Content-Type": "application/json"})
        answers["http.client"] = connection.getresponse().read().decode()
        connection.close()
        if shutil.which("node"):
            script = "fetch(process.argv[1], {method: 'POST', body: process.argv[2], headers: {'content-type': 'application/json'}}).then(r => r.text()).then(t => console.log(t))"
            answers["fetch"] = subprocess.run(["node", "-e", script, url, text], capture_output=True, text=True, timeout=30).stdout
        if "go" in services:
            answers["go"] = subprocess.run([str(BIN / "go_service"), "post", url, text], capture_output=True, text=True, timeout=30).stdout
        for client, answer in answers.items():
            self.assertIn('"role":"user"', answer.replace(" ", ""), client)


if __name__ == "__main__":
    unittest.main()
