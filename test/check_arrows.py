#!/usr/bin/env python3
"""Checks the architecture. Fails if a module includes or names another without an arrow to it, an arrow is unused, a name
is reached through a transitive include, a third-party library is included outside its files, or a file is too long.
The arrows are those of CMakeLists.txt; src/README.md explains them."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
arrows = {}
for name, deps in re.findall(r"^yett_module\((\w+)\s+(?:DEPS ([\w ]+?))?\s*(?:LIBS [^)]*)?\)", (root / "CMakeLists.txt").read_text(), re.M):
    arrows[name] = set(deps.split()) if deps else set()
arrows["app"] = set(arrows)

# header -> files (as patterns from src/) that may include it
libraries = {
    r"sqlite3(ext)?\.h": r"store/",
    r"lua\.hpp|lauxlib\.h": r"lua/",
    r"openssl/": r"identity/|net/tls_|workload/bundle_fetch|base/(aes128|sha1|sha256|random)\.cc|audit/checkpoint",
    r"zstd\.h": r"block/stream\.cc",
    r"json/": r"base/json\.cc",
    r"re2/": r"target/",
    r"absl/": r"rule/time_zone",
    r"seccomp": r"sandbox/calls",
    r"utf8proc\.h": r"policy/name_fold\.cc",
    r"Poco/": r"net/|upstream/|proxy/|admin/|sink/|workload/|rpc/channel",
    r"protozero/": r"workload/messages\.cc|upstream/health_message\.cc",
    r"librdkafka/": r"sink/kafka_sink\.cc",
    r"CLI/": r"app/main\.cc|cli/",
    r"nghttp2/": r"http/h2_",
    r"ares": r"upstream/resolver\.cc",
    # Yett's own headers that only these may include: access to a pool requires a Permit.
    r"upstream/pools?\.h": r"upstream/|serve/upstreams\.h|proxy/forwarding\.h",
}
# Uses of a module's name that mean a third-party namespace.
foreign = {("admin_client.cc", "net"), ("otlp_sink.cc", "net"), ("syslog_sink.cc", "net")}  # Poco::Net, as Net or net
MOST_LINES = 400
LONGER = {}


def included(text):
    return set(re.findall(r'^\s*#include "(\w+)/', text, re.M))


def code(text):
    """The text without comments and string literals."""
    return re.sub(r'//.*|"(?:[^"\\\n]|\\.)*"', "", text)


problems = []
used = {module: set() for module in arrows}
files = sorted((root / "src").rglob("*.h")) + sorted((root / "src").rglob("*.cc"))
for path in files:
    rel = path.relative_to(root / "src").as_posix()
    module = rel.split("/")[0]
    text = path.read_text()
    if len(text.splitlines()) > LONGER.get(rel, MOST_LINES):
        problems.append(f"src/{rel}: {len(text.splitlines())} lines, at most {MOST_LINES}")
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 120:
            problems.append(f"src/{rel}:{number}: {len(line)} columns, at most 120")
        match = re.match(r'\s*#include\s+[<"]([^">]+)[>"]', line)
        if not match:
            continue
        header = match.group(1)
        other = header.split("/")[0]
        if line.lstrip().startswith("#include \"") and other != module and other in arrows:
            used[module].add(other)
            if other not in arrows[module]:
                problems.append(f"src/{rel}:{number}: module `{module}` has no arrow to `{other}`")
        for pattern, allowed in libraries.items():
            if re.match(pattern, header) and not re.match(allowed, rel):
                problems.append(f"src/{rel}:{number}: `{header}` may only be included in {allowed}")
    own = path.with_suffix(".h")
    seen = included(text) | (included(own.read_text()) if path.suffix == ".cc" and own.exists() else set())
    bare = code(text)
    declared = set(re.findall(r"^namespace yett::(\w+) \{\nclass \w+;(?:\nclass \w+;)*\n\}", bare, re.M))
    for other in sorted(set(re.findall(r"(?<![\w:])(\w+)::", bare)) & set(arrows)):
        if other == module or (path.name, other) in foreign:
            continue
        if other not in arrows[module]:
            problems.append(f"src/{rel}: names `{other}::`, and module `{module}` has no arrow to it")
        elif other not in seen | declared:
            problems.append(f"src/{rel}: names `{other}::` but includes none of its headers")
for module, targets in arrows.items():
    if module != "app":
        for other in sorted(targets - used[module]):
            problems.append(f"CMakeLists.txt: the arrow from `{module}` to `{other}` is not used")
print("\n".join(problems) if problems else f"arrows: ok, {len(files)} files, {len(arrows)} modules")
sys.exit(1 if problems else 0)
