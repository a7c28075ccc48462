"""Certificates expire, roots come and go and listeners change while callers stay connected. However a caller arrives, and
whatever has happened since, it is let in or kept only if a full handshake would succeed now."""
import concurrent.futures
import contextlib
import itertools
import json
import socket
import ssl
import time
import unittest

import minting
from harness import DOMAIN, SLOW, Yett, run, wait_for
from lines import HALVES, KINDS, Upstream, close_all, line, watch
from minting import MD5, SHA1, between, in_seconds, leaf, root, rsa_key

RULES = 'policy "p" { allow "frontend" { principal = "spiffe://example.org/frontend" } }'
OPEN = 'policy "p" { allow "all" { principal = anyone } }'
IN, RESUMED, OUT, ANY = "let in", "let in by resumption", "not let in", "not judged"
SOON = 6 * SLOW   # lifetime of certificates that expire soon
GRACE = 2 * SLOW  # connections must end this soon after an event or expiry
EARLY = 0.5       # and not earlier than this before it
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
numbers = itertools.count()


def yett(upstream, bundle, rules=RULES):
    """A Yett that is not started yet, without an admin port."""
    y = Yett(upstream.address, rules=rules)
    (y.dir / "callers").mkdir()
    y.config["admin"] = {}
    y.config["identity"]["trust_bundles"] = {"example.org": "example.pem", "other.org": "other.pem"}
    y.listener.update(timeouts={"idle": "300s", "request_head": "300s", "body": "300s"}, routes=[
        {"path": "/ws/**", "cluster": "app", "upgrades": ["websocket"]}, {"path": "/body/**", "cluster": "app", "buffer_body": "1KiB"}, {"path": "/**", "cluster": "app"}])
    y.write_config()
    y.replace("example.pem", bundle)
    y.replace("other.pem", root("other root").pem)
    return y


def listener(y, name, **changes):
    """Adds a listener like the first one; returns its name."""
    out = json.loads(json.dumps(y.listener))
    out.update(name=name, **changes)
    if changes.get("plaintext"):
        del out["tls"]
    y.config["listeners"].append(out)
    return name


def reload(y, files):
    """Replaces the files one by one; returns the time at which the last one took effect."""
    for name, text in files.items():
        before = y.log().count(" reloaded ")
        y.replace(name, text)
        wait_for("the reload", lambda n=before: y.log().count(" reloaded ") > n)
    return time.time()


class Caller:
    """A caller with a certificate (None: without one) that connects to a port of this Yett."""

    def __init__(self, y, minted, listener=None, plain=False, version=None, extra=()):
        self.y, self.port, self.plain, self.version, self.session = y, y.ports[listener] if listener else y.port, plain, version, None
        self.files = []
        self.tls = self.context()  # sessions are bound to it
        if minted:
            self.show(minted, extra)

    def show(self, minted, extra=()):
        name = f"callers/{next(numbers)}"
        self.y.replace(f"{name}.pem", minted.chain(*extra))
        self.y.replace(f"{name}.key", minted.key_pem)
        self.files = [str(self.y.dir / f"{name}.pem"), str(self.y.dir / f"{name}.key")]
        self.tls.load_cert_chain(*self.files)

    def context(self, who=None):
        tls = ssl.create_default_context(cafile=str(self.y.certs / "bundle.pem"))
        tls.set_ciphers("DEFAULT:@SECLEVEL=0")  # weak certificates must be refused by Yett, not by the client
        if self.version:
            tls.minimum_version = tls.maximum_version = self.version
        if self.files:
            tls.load_cert_chain(*self.files)
        return tls

    def raw(self, timeout=10):
        return socket.create_connection(("127.0.0.1", self.port), timeout * SLOW)

    def open(self):
        return self.raw() if self.plain else self.tls.wrap_socket(self.raw(), server_hostname="localhost")

    def ask(self, path):
        """Sends one request on a new connection, which resumes the last session if there is one: (status or None, resumed)."""
        status, reused = None, False
        with contextlib.suppress(OSError), self.tls.wrap_socket(self.raw(), server_hostname="localhost", session=self.session) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            answer = s.recv(4096)
            if answer.startswith(b"HTTP/1.1 "):
                status, reused, self.session = int(answer.split()[1]), s.session_reused, s.session
                s.unwrap()  # otherwise OpenSSL does not resume the session
        return status, reused


class World:
    """The certificates of one case. `short` names the one that expires soon."""

    def __init__(self, short=None, names=True):
        self.soon = in_seconds(SOON)

        def until(what):
            return self.soon if short == what else None
        self.root = root(expires=until("root"), identifiers=names)
        self.between = between(self.root, expires=until("between"), identifiers=names)
        self.leaf = leaf(self.between, expires=until("leaf"))
        self.renewed = root(key=self.root.key)          # the same name and key, long-lived
        self.shortened = root(key=self.root.key, expires=self.soon)
        self.namesake = root(identifiers=names)         # the same name, another key
        self.stranger = root("another root")
        self.stray = root("stray", expires=self.soon)   # in no needed chain
        self.stray_before = root("stray", expires=in_seconds(-10))


# Each row: what happened since the caller first connected; the certificates (World); changes of bundles and the like; then
# the expected results for a full handshake, a resumption, the next request on a kept connection, an open stream, and (if it
# differs from the next request) a half-sent request. If something expires, results are checked after that, and streams must
# have ended then, not earlier.
TABLE = (
    ("the root expired", dict(short="root"), dict(), (OUT, OUT, OUT, OUT)),
    ("the intermediate expired", dict(short="between"), dict(), (OUT, OUT, OUT, OUT)),
    ("the leaf expired", dict(short="leaf"), dict(), (OUT, OUT, OUT, OUT)),
    ("the root was removed from the bundle", dict(), dict(now=["stranger"]), (OUT, OUT, OUT, OUT)),
    ("a root was added to the bundle", dict(), dict(now=["stranger", "root"]), (IN, IN, IN, IN)),
    ("the other domain's bundle changed", dict(), dict(other=["stranger"]), (IN, IN, IN, IN)),
    ("a certificate that no chain needs had expired before", dict(), dict(extra=["stray_before"]), (IN, RESUMED, IN, IN)),
    ("a certificate that no chain needs expired", dict(), dict(extra=["stray"], expires=True), (IN, RESUMED, IN, IN)),
    # Further cases, found by thinking like an attacker.
    ("nothing", dict(), dict(), (IN, RESUMED, IN, IN)),
    ("Yett's own certificate was renewed", dict(), dict(svid=True), (IN, IN, IN, IN)),
    ("another root of the same name took the root's place", dict(names=False), dict(now=["namesake"]), (OUT, OUT, OUT, OUT)),
    ("another root of the same name was added", dict(names=False), dict(now=["namesake", "root"]), (IN, IN, IN, IN)),
    ("the root was removed and came back", dict(), dict(back=True), (IN, IN, OUT, OUT, ANY)),
    ("the caller's domain was removed", dict(), dict(no_domain=True), (OUT, OUT, OUT, OUT)),
    ("the root was renewed under its key, then the old one expired", dict(short="root"), dict(now=["renewed"]), (IN, IN, IN, IN)),
    ("the root was replaced by one with its key, which has expired since", dict(), dict(now=["shortened"], expires=True), (OUT, OUT, OUT, OUT)),
    ("the root expired, another one with its key is in the bundle", dict(short="root"), dict(then=["root", "renewed"]), (IN, IN, ANY, ANY)),
    ("the leaf expired, the caller has a newer one", dict(short="leaf"), dict(newer=True), (IN, IN, OUT, OUT)),
)
WAYS = ("full handshake", "TLS 1.2 resumed", "TLS 1.3 resumed", *KINDS, *HALVES)


def named(way):
    return way.replace(" ", "-").replace("/", "")


def asks(way):
    """Whether this is a connection on which a request will be sent or completed."""
    return way.endswith("idle") or way in HALVES


def column(way):
    return 0 if way == "full handshake" else 1 if "resumed" in way else 2 if way.endswith("idle") else 4 if way in HALVES else 3


class Case:
    """One row of the table, with its own Yett; `found` maps each way to its result."""

    def __init__(self, world, what):
        self.upstream, self.what, self.found = Upstream(), what, {}
        self.world = world
        self.expires = world.get("short") or what.get("expires")
        self.y = yett(self.upstream, "")

    def pems(self, names):
        return "".join(getattr(self.w, name).pem for name in names)

    def run(self):
        with self.upstream:
            self.w = World(**self.world)
            self.y.replace("example.pem", self.pems(self.what.get("then", ["root"])))
            with self.y:
                self.arrive()
                moment = self.happen()
                watch(self.lines.values(), moment + 1.2)
                self.come_back()
                watch(self.lines.values(), moment + GRACE + 0.3)
                for way in self.lines:
                    if not asks(way):
                        self.found[way] = self.fate(self.lines[way], moment)
                close_all(self.lines.values())
                allowed = {d["path"] for d in self.y.query("--effect", "allow")}
                for way in WAYS:
                    if self.found[way] == OUT and allowed & {f"/{where}/{named(way)}" for where in ("after", "body")}:
                        self.found[way] = "not let in, but recorded as allowed"
            return self.found

    @contextlib.contextmanager
    def noting(self, way):
        try:
            yield named(way)
        except (AssertionError, OSError) as e:
            self.found[way] = f"failed before: {e!r}"

    def arrive(self):
        extra = [getattr(self.w, name) for name in self.what.get("extra", ())]
        self.resuming, self.lines = {}, {}
        for way, version in (("TLS 1.2 resumed", TLS12), ("TLS 1.3 resumed", TLS13)):
            with self.noting(way) as name:
                caller = Caller(self.y, self.w.leaf, version=version, extra=extra)
                came = [caller.ask(f"/before/{name}") for _ in range(3)]  # later sessions are themselves resumed
                assert came == [(200, False), (200, True), (200, True)], f"{came} {self.y.log()[-300:]}"
                self.resuming[way] = caller
        self.caller = Caller(self.y, self.w.leaf, extra=extra)
        for kind in (*KINDS, *HALVES):
            with self.noting(kind) as name:
                self.lines[kind] = line(self.caller, kind, name)

    def happen(self):
        what, moment = self.what, time.time()
        if "now" in what:
            moment = reload(self.y, {"example.pem": self.pems(what["now"])})
        if "other" in what:
            moment = reload(self.y, {"other.pem": self.pems(what["other"])})
        if "back" in what:
            before = (self.y.dir / "example.pem").read_text()
            reload(self.y, {"example.pem": self.w.stranger.pem})
            moment = reload(self.y, {"example.pem": before})
        if "no_domain" in what:
            del self.y.config["identity"]["trust_bundles"]["example.org"]
            moment = reload(self.y, {"yett.json": json.dumps(self.y.config)})
        if "svid" in what:
            run("certs", "issue", f"{DOMAIN}/server", "--dir", str(self.y.certs), "--name", "fresh", "--dns", "localhost", "--ip", "127.0.0.1")
            self.y.replace("certs/server.pem", (self.y.certs / "fresh.pem").read_text())
            moment = reload(self.y, {"certs/server.key": (self.y.certs / "fresh.key").read_text()})
        if "newer" in what:
            for caller in (self.caller, *self.resuming.values()):
                caller.show(leaf(self.w.between))
        if self.expires:
            assert time.time() < self.w.soon - EARLY, "too slow for what expires soon"
            moment = self.w.soon
        return moment

    def come_back(self):
        self.found["full handshake"] = IN if self.caller.ask("/after/full-handshake")[0] == 200 else OUT
        for way, caller in self.resuming.items():
            status, reused = caller.ask("/after/" + named(way))
            self.found[way] = OUT if status != 200 else RESUMED if reused else IN
        for way, held in self.lines.items():
            if not asks(way):
                continue
            path = "/after/" + named(way)
            if held.get(path) != 200:
                self.found[way] = OUT
            elif held.closing or held.get(path) != 200 or held.goaway:
                self.found[way] = "let in once more, then drained"
            else:
                self.found[way] = IN

    def fate(self, held, moment):
        if held.over is None:
            before = held.ticks()
            watch([held], time.time() + 0.5 * SLOW)
            return IN if held.ticks() > before else "open but silent"
        if self.expires and held.over < moment - EARLY:
            return f"ended {moment - held.over:.1f} s before expiry"
        return OUT if held.over < moment + GRACE else f"ended only after {held.over - moment:.1f} s"


def at_the_same_time(jobs):
    """Runs the jobs in parallel, since each waits in real time; returns their results or exceptions."""
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        futures = [pool.submit(job) for job in jobs]
        concurrent.futures.wait(futures)
    return [future.exception() or future.result() for future in futures]


class Since(unittest.TestCase):
    maxDiff = None

    def test_each_way_to_connect_is_judged_as_a_full_handshake_would_be_now(self):
        found = at_the_same_time([Case(world, what).run for _, world, what, _ in TABLE])
        for (happened, _, _, expected), ways in zip(TABLE, found):
            for way in WAYS:
                want = (*expected, expected[2])[column(way)]
                with self.subTest(happened=happened, way=way):
                    self.assertIsInstance(ways, dict)
                    self.assertNotIn("failed before", ways[way])
                    if want != ANY:
                        self.assertEqual(IN if (want, ways[way]) == (IN, RESUMED) else ways[way], want)

    def test_the_last_second_of_a_certificate_is_the_same_for_all(self):
        """In the final second of a certificate a full handshake was refused, but other ways were let in."""
        top = root()
        with Upstream() as upstream, yett(upstream, top.pem) as y:
            last = leaf(top, expires=in_seconds(3 * SLOW))
            callers = [Caller(y, last, version=version) for version in (TLS12, TLS13)]
            for caller in callers:
                self.assertEqual(caller.ask("/before")[0], 200)
            kept = line(Caller(y, last), "HTTP/1.1 idle")
            time.sleep(last.expires + 0.1 - time.time())
            found = {"full handshake": Caller(y, last).ask("/after")[0], "TLS 1.2 resumed": callers[0].ask("/after")[0], "TLS 1.3 resumed": callers[1].ask("/after")[0],
                     "kept-alive": kept.get("/after")}
            if time.time() > last.expires + 0.9:
                self.skipTest("too slow to ask all in one second")
            self.assertEqual(len({status == 200 for status in found.values()}), 1, found)
            kept.sock.close()


RSA = rsa_key(2048)
# Parameters of the root, the intermediate and the leaf. The signature of a root does not matter: a root is trusted as it is.
STRENGTH = (
    ("P-256 and SHA-256", {}, {}, {}, IN),
    ("RSA-2048 and SHA-256", {"key": RSA}, {"key": RSA}, {"key": RSA}, IN),
    ("a root of P-256 signed with SHA-1", {"digest": SHA1}, {}, {}, IN),
    ("a root of RSA-2048 signed with SHA-1", {"key": RSA, "digest": SHA1}, {}, {}, IN),
    ("a root of RSA-2048 signed with MD5", {"key": RSA, "digest": MD5}, {}, {}, IN),
    ("a leaf signed with SHA-1 by P-256", {}, {}, {"digest": SHA1}, OUT),
    ("a leaf signed with SHA-1 by RSA-2048", {}, {"key": RSA}, {"digest": SHA1}, OUT),
    ("a leaf signed with MD5", {}, {"key": RSA}, {"digest": MD5}, OUT),
    ("an intermediate signed with SHA-1", {}, {"digest": SHA1}, {}, OUT),
    ("an intermediate signed with MD5", {"key": RSA}, {"digest": MD5}, {}, OUT),
    ("a leaf of RSA-512", {}, {}, {"key": rsa_key(512)}, OUT),
    ("a leaf of RSA-1024", {}, {}, {"key": rsa_key(1024)}, OUT),
    ("an intermediate of RSA-512", {}, {"key": rsa_key(512)}, {}, OUT),
    ("an intermediate of RSA-1024", {}, {"key": rsa_key(1024)}, {}, OUT),
)
WEAK_ROOTS = (512, 1024)


class Strength(unittest.TestCase):
    def test_weak_signatures_and_short_keys_are_refused(self):
        made = []
        for number, (what, of_root, of_between, of_leaf, want) in enumerate(STRENGTH):
            top = root(f"root {number}", **of_root)
            made.append((what, top, leaf(between(top, f"between {number}", **of_between), **of_leaf), want))
        with Upstream() as upstream, yett(upstream, "".join(top.pem for _, top, _, _ in made)) as y:
            for what, _, shown, want in made:
                for version in (TLS12, TLS13):
                    with self.subTest(what=what, version=version.name):
                        status, _ = Caller(y, shown, version=version).ask("/hello")
                        self.assertEqual(IN if status == 200 else OUT, want)
            with self.subTest(what="each refusal is recorded"):
                failed = " ".join(e["detail"] for e in y.query("--events") if e["event"] == "handshake failed")
                for why in ("ee certificate key too weak", "ca certificate key too weak", "ca signature digest algorithm too weak"):
                    self.assertIn(why, failed)
            # Such a key is refused in a root too, either when the bundle is read or at a handshake.
            tops = [root(f"weak root {bits}", key=rsa_key(bits)) for bits in WEAK_ROOTS]
            y.replace("example.pem", "".join(top.pem for top in tops))
            wait_for("the bundle to be read", lambda: " reloaded " in y.log() or "reload refused" in y.log())
            for top, bits in zip(tops, WEAK_ROOTS):
                with self.subTest(what=f"a root of RSA-{bits}"):
                    self.assertIsNone(Caller(y, leaf(top)).ask("/hello")[0])


class Namesakes(unittest.TestCase):
    def test_roots_with_the_same_name_are_told_apart_by_key(self):
        tops = [root("the same", identifiers=False) for _ in range(3)]
        foreign = root("the same", identifiers=False)
        for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
            with Upstream() as upstream, yett(upstream, "".join(tops[i].pem for i in order)) as y:
                for place, number in enumerate(order):
                    with self.subTest(place=place, of="a leaf of the root"):
                        self.assertEqual(Caller(y, leaf(tops[number], identifiers=False)).ask("/x")[0], 200)
                    with self.subTest(place=place, of="a leaf of an intermediate"):
                        self.assertEqual(Caller(y, leaf(between(tops[number], identifiers=False), identifiers=False)).ask("/x")[0], 200)
                self.assertIsNone(Caller(y, leaf(foreign, identifiers=False)).ask("/x")[0])

    def test_intermediates_with_the_same_name_are_told_apart_by_key(self):
        top = root()
        middles = [between(top, "the same", identifiers=False) for _ in range(2)]
        with Upstream() as upstream, yett(upstream, top.pem + "".join(middle.pem for middle in middles)) as y:
            for place, middle in enumerate(middles):
                with self.subTest(place=place):
                    self.assertEqual(Caller(y, leaf(middle, identifiers=False)).ask("/x")[0], 200)

    def test_cross_signed_certificates_do_not_slow_down_verification(self):
        """There are too many chains to try them all: 14 keys of one name, each signed by every other."""
        top = root("the same", identifiers=False)
        keys = [minting.ec_key() for _ in range(14)]
        selves = [root("the same", key=key, identifiers=False) for key in keys]
        web = [between(one, "the same", key=key, identifiers=False) for one in selves for key in keys if one.key is not key]
        with Upstream() as upstream, yett(upstream, top.pem + root("the same", identifiers=False).pem) as y:
            caller = Caller(y, leaf(selves[0], identifiers=False), extra=web)
            began = time.monotonic()
            self.assertIsNone(caller.ask("/x")[0])
            self.assertLess(time.monotonic() - began, 1 * SLOW)
            self.assertEqual(Caller(y, leaf(top, identifiers=False)).ask("/x")[0], 200)


# The mode of a listener before and after ("gone": removed), and whether its connections stay.
LISTENERS = (
    ("removed", "required", "gone", False),
    ("removed-plain", "plaintext", "gone", False),
    ("required-to-optional", "required", "optional", False),
    ("required-to-none", "required", "none", False),
    ("optional-to-required", "optional", "required", False),
    ("none-to-required", "none", "required", False),
    ("plaintext-to-tls", "plaintext", "required", False),
    ("tls-to-plaintext", "required", "plaintext", False),
    ("untouched", "required", "required", True),
    ("untouched-none", "none", "none", True),
    ("untouched-plain", "plaintext", "plaintext", True),
)
DRAINED = ("HTTP/1.1 idle", "HTTP/1.1 response", "HTTP/2 idle", "HTTP/2 stream")


class Listeners(unittest.TestCase):
    def test_only_connections_of_a_changed_listener_are_drained_at_once(self):
        top = root()
        modes = {mode: {"plaintext": True} if mode == "plaintext" else {"tls": {"client_certificate": mode}} for mode in ("required", "optional", "none", "plaintext")}
        with Upstream() as upstream:
            y = yett(upstream, top.pem, OPEN)
            for name, before, _, _ in LISTENERS:
                listener(y, name, **modes[before])
            y.write_config()
            with y:
                lines = {}
                for name, before, _, goes_on in LISTENERS:
                    caller = Caller(y, leaf(top) if before == "required" else None, listener=name, plain=before == "plaintext")
                    for kind in DRAINED:
                        lines[name, kind, goes_on] = line(caller, kind, name)
                kept = []
                for one in y.config["listeners"][1:]:
                    before, after = next((before, after) for name, before, after, _ in LISTENERS if name == one["name"])
                    if after != before:
                        one.pop("tls", None)
                        one.pop("plaintext", None)
                        one.update(modes.get(after, {}))
                    if after != "gone":
                        kept.append(one)
                y.config["listeners"][1:] = kept
                moment = reload(y, {"yett.json": json.dumps(y.config)})
                watch(lines.values(), moment + GRACE)
                upstream_before = len(upstream.paths)
                for (name, kind, goes_on), held in lines.items():
                    with self.subTest(listener=name, kind=kind, then="at once"):
                        if goes_on:
                            self.assertEqual((held.closed, held.over, held.goaway), (None, None, None))
                        elif kind.endswith("idle"):
                            self.assertIsNotNone(held.closed)
                        else:
                            self.assertIsNone(held.over, "a stream was cut")
                            self.assertTrue(held.goaway or kind == "HTTP/1.1 response")
                            held.further = held.send(f"/further/{name}")
                watch(lines.values(), time.time() + 0.5 * SLOW)
                upstream.finish.set()
                moment = time.time()
                watch(lines.values(), moment + GRACE)
                for (name, kind, goes_on), held in lines.items():
                    with self.subTest(listener=name, kind=kind, then="at the end"):
                        if goes_on:
                            self.assertEqual(held.get(f"/on/{name}"), 200)
                            self.assertFalse(held.closing)
                        else:
                            self.assertIsNotNone(held.closed)
                            if not kind.endswith("idle"):
                                self.assertTrue(held.finished(), "a stream was cut")
                            if kind == "HTTP/1.1 response":
                                self.assertEqual(held.answers(), 1)
                close_all(lines.values())
                self.assertEqual([path for path in upstream.paths[upstream_before:] if path.startswith("/further")], [])
                self.assertEqual([d["path"] for d in y.query("--effect", "allow") if d["path"].startswith("/further")], [])

    def test_a_draining_stream_of_a_removed_listener_ends_when_its_caller_is_no_longer_trusted(self):
        """A draining stream may last long. It must end if its caller's root is removed or its certificate expires."""
        top = root()
        left = {"removed": None, "required-to-none": {"tls": {"client_certificate": "none"}}, "tls-to-plaintext": {"plaintext": True}}
        with Upstream() as upstream:
            y = yett(upstream, top.pem, OPEN)
            for name in left:
                listener(y, name)
            y.write_config()
            with y:
                soon = in_seconds(SOON)
                lines = {(name, kind, since): line(Caller(y, leaf(top, expires=soon if since == "it expired" else None), listener=name), kind)
                         for name in left for kind in KINDS if not kind.endswith("idle") for since in ("it expired", "the root was removed")}
                y.config["listeners"] = y.config["listeners"][:1] + [
                    {**{k: v for k, v in one.items() if k != "tls"}, **left[one["name"]]} for one in y.config["listeners"][1:] if left[one["name"]]]
                reload(y, {"yett.json": json.dumps(y.config)})
                self.assertLess(time.time(), soon - EARLY, "too slow for what expires soon")
                watch(lines.values(), soon - EARLY)
                for (name, kind, since), held in lines.items():
                    with self.subTest(listener=name, kind=kind, since="it was drained"):
                        self.assertIsNone(held.over)
                watch(lines.values(), soon + GRACE)
                moment = reload(y, {"example.pem": root("another root").pem})
                for (name, kind, since), held in lines.items():
                    with self.subTest(listener=name, kind=kind, since=since):
                        self.assertEqual(held.over is not None, since == "it expired")
                watch(lines.values(), moment + GRACE)
                for (name, kind, since), held in lines.items():
                    if since == "the root was removed":
                        with self.subTest(listener=name, kind=kind, since=since):
                            self.assertIsNotNone(held.over)
                close_all(lines.values())


class OnExpiry(unittest.TestCase):
    WORDS = (None, "drain", "close", "ignore")

    def setting(self, word):
        return {"tls": {"client_certificate": "required", **({"on_peer_certificate_expiry": word} if word else {})}}

    def test_what_a_listener_does_when_a_certificate_expires(self):
        top, other = root(), root("another root")
        with Upstream() as upstream:
            y = yett(upstream, top.pem)
            for word in self.WORDS:
                listener(y, f"on-{word}", **self.setting(word))
            y.write_config()
            with y:
                shown = leaf(between(top), expires=in_seconds(5 * SLOW))
                lines, resuming = {}, {}
                for word in self.WORDS:
                    caller = Caller(y, shown, listener=f"on-{word}")
                    for kind in KINDS:
                        lines[word, kind] = line(caller, kind, word)
                    for version in (TLS12, TLS13):
                        resuming[word, version.name] = caller = Caller(y, shown, listener=f"on-{word}", version=version)
                        self.assertEqual([caller.ask("/before") for _ in range(2)], [(200, False), (200, True)])
                self.assertLess(time.time(), shown.expires - EARLY, "too slow for what expires soon")
                watch(lines.values(), shown.expires + GRACE + 0.3)
                for (word, kind), held in lines.items():
                    with self.subTest(word=word, kind=kind):
                        if word == "ignore":
                            self.assertEqual((held.closed, held.over, held.goaway), (None, None, None))
                            continue
                        self.assertIsNotNone(held.closed)
                        if word == "close" or not kind.endswith("idle"):
                            self.assertGreater(held.over, shown.expires - EARLY)  # an idle connection may be drained sooner
                        if word != "close" and kind.startswith("HTTP/2"):
                            self.assertIsNotNone(held.goaway)
                for (word, version), caller in resuming.items():
                    with self.subTest(word=word, resumed=version):
                        self.assertIsNone(caller.ask("/after-expiry")[0])
                ignoring = {kind: held for (word, kind), held in lines.items() if word == "ignore"}
                self.go_on(ignoring, "past expiry")
                reload(y, {"other.pem": other.pem})
                self.go_on(ignoring, "the other domain's bundle changed")
                reload(y, {"rules/test.lua": RULES.replace("policy", "\npolicy").replace('allow "frontend"', 'allow "renamed"')})
                self.go_on(ignoring, "policy changed")
                moment = reload(y, {"example.pem": other.pem})
                watch(ignoring.values(), moment + GRACE)
                for kind, held in ignoring.items():
                    with self.subTest(kind=kind, since="the root was removed"):
                        self.assertIsNotNone(held.over)
                close_all(lines.values())

    def go_on(self, lines, since):
        before = {kind: held.ticks() for kind, held in lines.items() if not kind.endswith("idle")}
        watch(lines.values(), time.time() + 0.7 * SLOW)
        for kind, held in lines.items():
            with self.subTest(kind=kind, since=since):
                if kind.endswith("idle"):
                    self.assertEqual(held.get("/ignored"), 200)
                    self.assertFalse(held.closing)
                else:
                    self.assertGreater(held.ticks(), before[kind])

    def test_an_expiry_far_in_the_future_is_not_treated_as_near(self):
        """Milliseconds beyond 31, 32 or 63 bits, the year 2050 (another time format) and the latest possible time."""
        ends = [in_seconds(2 ** 31 / 1000 + 2), in_seconds(2 ** 32 / 1000 + 2), 2 ** 31 - 1, 2 ** 31 + 1, 2 ** 32 + 1, 2524608000, 253402300799]
        top = root(expires=253402300799)
        with Upstream() as upstream, yett(upstream, top.pem) as y:
            lines = {(kind, end): line(Caller(y, leaf(top, expires=end)), kind) for kind in ("HTTP/1.1 idle", "HTTP/2 stream") for end in ends}
            watch(lines.values(), time.time() + 3)
            for (kind, end), held in lines.items():
                with self.subTest(kind=kind, end=end):
                    self.assertIsNone(held.over)
            close_all(lines.values())


if __name__ == "__main__":
    unittest.main()
