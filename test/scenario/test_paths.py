"""Every known trick to make a proxy and a service read a path differently, against a policy that closes /admin."""
import itertools
import re
import subprocess
import unittest
import urllib.parse

from h2_peer import H2Client
from harness import BINARY, Service, Yett, environment, read_head

RULES = 'policy "p" { allow "all" { principal = anyone }, deny "admin" { path = "/admin/**" } }'


def tricks():
    """Request targets: those of the table, and all combinations of their parts."""
    out = ["/admin", "/admin/", "/admin/x", "//admin/x", "/./admin/x", "/x/../admin/x", "/%61dmin/x", "/%41dmin/x", "/adm%69n/x", "/admin%2fx", "/admin%2Fx", "/admin%5cx", "/admin\\x", "\\admin\\x", "/x%2f..%2fadmin/x",
           "/x/..%2fadmin", "/x/..%5cadmin", "/..;/admin/x", "/x/..;/admin/x", "/x/..;a=b/admin/x", "/x/%2e%2e;/admin", "/admin;/x", "/admin;a=1/x", "/;/admin/x", "/;a/admin/x", "/.;/admin", "/x;/../admin/x",
           "/x;/..;/admin", "/%2e%2e/admin", "/x/%2e%2e/admin/x", "/x/%2E./admin/x", "/x/.%2e/admin/x", "/%252e%252e/admin", "/%2561dmin/x", "/admin%00/x", "/admin%00.png", "/admin#/x", "/x#/../admin", "/admin%23/x",
           "/admin?/../x", "/x?/../admin", "/admin%3f", "/x%3f/../../admin", "/admin%20", "/admin%09", "/%20/admin", "/admin.", "/admin%2e", "/admin/.", "/admin/..", "/admin/../admin", "/x/.../../admin", "/x//../admin",
           "/x/%2f../admin", "/x%252f..%252fadmin", "/%c0%afadmin", "/x/%c0%ae%c0%ae/admin", "/\u212admin".encode("utf-8").decode("latin-1"), "/ADMIN/x", "/Admin/x", "http://localhost/admin/x", "HTTP://localhost/admin/x", "http://localhost//admin",
           "http://localhost/x/../admin", "http://localhost?/admin", "http://other/admin", "http://user@localhost/admin", "//localhost/admin", "///admin", "/http://localhost/admin", "*", "admin/x", "/x/%61dmin/../../admin", "/admin~1/x", "/admin::$DATA",
           "/%u0061dmin", "/x/..%00/admin", "/x/..%0d/admin", "/x/../%61%64%6d%69%6e/x", "/admin%3b/x", "/x%3b/../admin", "/x/..%3b/admin"]
    dots = ["..", "%2e%2e", ".%2e", "..;", "..;x=y", "%2e%2e;", "..%00", "..%20", "...", ".", "%2e"]
    slashes = ["/", "//", "%2f", "%5c", "\\", "/;/", "/./", ";/"]
    names = ["admin", "%61dmin", "admin;v=1", "admin%20", "admin."]
    for dot, one, two, name in itertools.product(dots, slashes, slashes, names):
        out.append("/x" + one + dot + two + name + "/y")
    return out


# How services read the paths they get (according to their documentation and source).
def cleaned(path):
    kept = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept)


READERS = {
    "strict": lambda p: p,
    "nginx": lambda p: cleaned(urllib.parse.unquote(p, "latin-1")),
    "tomcat": lambda p: cleaned(urllib.parse.unquote(re.sub(r";[^/]*", "", p).replace("%2F", "%252F").replace("%5C", "%255C"), "latin-1")),
    "go": lambda p: cleaned(urllib.parse.unquote(p, "latin-1")),
    "backslash": lambda p: cleaned(urllib.parse.unquote(re.sub(r";[^/]*", "", p), "latin-1").replace("\\", "/")),
}


class Tricks(unittest.TestCase):
    def test_no_service_reads_a_forwarded_path_as_admin(self):
        targets = []

        def service(connection):
            got = read_head(connection)
            while got:
                targets.append(got[0].split(" ")[1])
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                got = read_head(connection)

        statuses = {}
        with Service(service) as s:
            for extra in ({}, {"forward_parameters": True}):
                y = Yett(s.address, rules=RULES).plaintext()
                y.listener["routes"][0].update(extra)
                y.write_config()
                with y:
                    for target in tricks():
                        connection = y.raw()
                        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin-1"))
                        got = read_head(connection)
                        statuses[got[0].split(" ")[1]] = statuses.get(got[0].split(" ")[1], 0) + 1
                        connection.close()
                    with H2Client(y, plain=True) as c:
                        for target in tricks():
                            if c.closed:
                                c = H2Client(y, plain=True)
                            c.get(target)
                self.assertTrue(y.dir)
        self.assertEqual(set(statuses), {"200", "400", "403"})
        self.assertGreater(statuses["200"], 50)
        for target in targets:
            path = target.split("?")[0]
            for name, read in READERS.items():
                seen = read(path)
                self.assertFalse(seen == "/admin" or seen.startswith("/admin/"), f"{target} is {seen} for {name}")
        print(f"  {2 * len(tricks())} targets over HTTP/1.1: statuses {statuses}; none of the {len(targets)} forwarded ones is /admin to any reader")

    def test_parameters_are_forwarded_only_if_the_route_says_so(self):
        seen = []

        def service(connection):
            got = read_head(connection)
            seen.append(got[0].split(" ")[1])
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        with Service(service) as s:
            for forward, expect in ((False, "/a/b?x"), (True, "/a;v=1/b;w=%2e?x")):
                y = Yett(s.address, rules='policy "p" { allow "a" { principal = authenticated, path = "/a/b" } }')
                y.listener["routes"][0]["forward_parameters"] = forward
                y.write_config()
                with y:
                    self.assertEqual(y.get("/a;v=1/./c/../b;w=%2e?x")[0], 200)
                self.assertEqual(seen[-1], expect.replace("%2e", "."))


class Profiles(unittest.TestCase):
    def warnings(self, profile, rules, **route):
        y = Yett(rules=rules)
        y.listener["routes"][0].update(route)
        y.config["clusters"][0]["path_profile"] = profile
        y.write_config()
        done = subprocess.run([BINARY, "check", "-c", str(y.dir / "yett.json")], capture_output=True, text=True, env=environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line for line in done.stderr.splitlines() if "disagree" in line]

    def test_check_warns_if_a_rule_and_the_service_read_paths_differently(self):
        rules = 'policy "p" {\n  allow "files" { principal = anyone, path = "/files/*" },\n  deny "admin" { path = "/admin/**" },\n  allow "all" { principal = anyone, path = "/**" },\n}'
        for profile in ("strict", "nginx", "tomcat", "go"):
            self.assertEqual(self.warnings(profile, rules), [], profile)
        for profile, count in (("strict", 0), ("tomcat", 0), ("nginx", 2), ("go", 2)):
            self.assertEqual(len(self.warnings(profile, rules, allow_encoded_slashes=True)), count, profile)
        for profile, count in (("strict", 2), ("nginx", 2), ("go", 2), ("tomcat", 0)):
            found = self.warnings(profile, rules, forward_parameters=True)
            self.assertEqual(len(found), count, (profile, found))
        nginx = self.warnings("nginx", rules, allow_encoded_slashes=True)
        self.assertIn("test.lua:3", "".join(nginx))
        self.assertIn("the service reads it as `/admin/", "".join(nginx))


if __name__ == "__main__":
    unittest.main()
