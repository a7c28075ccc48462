#!/usr/bin/env python3
"""Fails on an include that breaks the architecture: a module that uses one it has no arrow to, or a third-party library
outside of its files. The arrows are those of CMakeLists.txt; src/README.md explains them."""
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
    r"sqlite3\.h": r"store/",
    r"lua\.hpp|lauxlib\.h": r"engine/lua_",
    r"openssl/": r"identity/|net/tls_|base/(sha1|sha256|random)\.cc|audit/checkpoint",
    r"json/": r"base/json\.cc",
    r"re2/": r"target/",
    r"utf8proc\.h": r"policy/name_fold\.cc",
    r"Poco/": r"net/|upstream/|proxy/|admin/|sink/",
    r"librdkafka/": r"sink/kafka_sink\.cc",
    r"CLI/": r"app/main\.cc",
    r"nghttp2/": r"http/h2_",
}
problems = []
files = sorted((root / "src").rglob("*.h")) + sorted((root / "src").rglob("*.cc"))
for path in files:
    rel = path.relative_to(root / "src").as_posix()
    module = rel.split("/")[0]
    text = path.read_text()
    if len(text.splitlines()) > 600:
        problems.append(f"src/{rel}: {len(text.splitlines())} lines, at most 600")
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#include\s+[<"]([^>"]+)[>"]', line)
        if not match:
            continue
        header = match.group(1)
        other = header.split("/")[0]
        if line.lstrip().startswith("#include \"") and other != module and other in arrows and other not in arrows[module]:
            problems.append(f"src/{rel}:{number}: module `{module}` has no arrow to `{other}`")
        for pattern, allowed in libraries.items():
            if re.match(pattern, header) and not re.match(allowed, rel):
                problems.append(f"src/{rel}:{number}: `{header}` may only be included in {allowed}")
print("\n".join(problems) if problems else f"arrows: ok, {len(files)} files, {len(arrows)} modules")
sys.exit(1 if problems else 0)
