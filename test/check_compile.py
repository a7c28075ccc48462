#!/usr/bin/env python3
"""Checks that wrong code does not compile: each file of test/compile has cases. The first must compile; each of the others
must fail with an error that matches its pattern. Usage: check_compile.py BUILD_DIRECTORY"""
import json
import pathlib
import re
import shlex
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
build = pathlib.Path(sys.argv[1]).resolve()


def flags():
    """The compiler and flags used for one proxy file, without its input and output."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"].endswith("/src/proxy/forwarding.cc"):
            words = shlex.split(entry["command"])
            compiler = [w for w in words if not w.endswith("ccache")][0]
            return [compiler, *(w for w in words if w.startswith(("-I", "-D", "-std"))), *system_folders(words)]
    sys.exit("check_compile: the build directory has no command for src/proxy/forwarding.cc")


def system_folders(words):
    return [w for a, b in zip(words, words[1:]) if a == "-isystem" for w in (a, b)]


def compiled(file, case):
    done = subprocess.run([*flags(), "-fsyntax-only", f"-DCASE={case}", file], capture_output=True, text=True, timeout=300)
    return done.returncode == 0, done.stderr


problems = []
count = 0
for file in sorted((root / "test/compile").glob("*.cc")):
    cases = re.findall(r"^#(?:el)?if CASE == (\d+)(?:\s+// error: (.*))?$", file.read_text(), re.M)
    for case, pattern in cases:
        count += 1
        good, errors = compiled(file, case)
        where = f"{file.relative_to(root)}, case {case}"
        if not pattern and not good:
            problems.append(f"{where}: must compile:\n{errors}")
        elif pattern and good:
            problems.append(f"{where}: compiles but must not")
        elif pattern and not any(re.search(pattern, line) for line in errors.splitlines() if "error:" in line):
            problems.append(f"{where}: fails, but no error matches `{pattern}`:\n{errors}")
print("\n".join(problems) if problems else f"compile: ok, {count} cases")
sys.exit(1 if problems else 0)
