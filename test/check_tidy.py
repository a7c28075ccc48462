#!/usr/bin/env python3
"""Runs clang-tidy over src/, with clang's thread safety analysis (base/mutex.h), and fails on what it finds.

    test/check_tidy.py BUILD [FILE...]      BUILD has compile_commands.json; with no FILE, all of src/

Parsing headers takes most of the time. So files of one module are analyzed together, as one translation unit, unless
their names collide. A unit that does not compile is analyzed file by file."""
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
LARGEST = 8  # files in a unit
HIDDEN = re.compile(r"^namespace \{$(.*?)^\}  // namespace$", re.M | re.S)
NAME = re.compile(r"^(?:template <[^>]*> )?(?:(?:struct|class|enum|enum class|using) (\w+)"
                  r"|[A-Za-z][\w:<>,*& ]*?[ *&](\w+)(?:\[\w*\])?(?:\(|\{| =|;|$))", re.M)


def names(file):
    """What a file's anonymous namespaces declare."""
    return {a or b for block in HIDDEN.findall(file.read_text()) for a, b in NAME.findall(block)}


def groups(files):
    """The files of each module, in groups whose names do not collide."""
    out = []
    for file in files:
        mine = names(file)
        for group in out:
            if group[0].parent == file.parent and len(group) < LARGEST and not any(mine & names(other) for other in group):
                group.append(file)
                break
        else:
            out.append([file])
    return out


def tidy(command, folder, files):
    """What clang-tidy reports for these files, and whether they failed to compile."""
    unit = pathlib.Path(folder) / f"{files[0].parent.name}_{files[0].stem}.cc"
    unit.write_text("".join(f'#include "{file}"\n' for file in files))
    flags = [word for before, word in zip(["", *command], command) if word.startswith(("-D", "-I", "-std", "-isystem")) or before == "-isystem"]
    done = subprocess.run(["clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}", str(unit), "--", *flags,
                           "-Wthread-safety", "-Wno-deprecated-declarations"], capture_output=True, text=True)
    if done.returncode != 0 and not done.stdout:
        sys.exit(f"error: clang-tidy on {unit.name}: {done.stderr.strip()}")
    return done.stdout, done.returncode != 0 and "clang-diagnostic-error" in done.stdout


def main():
    build = pathlib.Path(sys.argv[1])
    commands = {pathlib.Path(entry["file"]): shlex.split(entry["command"])
                for entry in json.loads((build / "compile_commands.json").read_text())}
    files = [pathlib.Path(name).resolve() for name in sys.argv[2:]] or sorted((ROOT / "src").glob("*/*.cc"))
    files = [file for file in files if file in commands]
    with tempfile.TemporaryDirectory() as folder:
        def read(group):
            said, broken = tidy(commands[group[0]], folder, group)
            if broken and len(group) > 1:
                return "".join(tidy(commands[file], folder, [file])[0] for file in group)
            return said
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = "".join(pool.map(read, groups(files)))
    # Findings in a header repeat for each file that includes it.
    blocks = re.split(r"(?m)^(?=\S+:\d+:\d+: (?:warning|error): )", found)[1:]
    unique = list(dict.fromkeys(block.replace(f"{ROOT}/", "") for block in blocks))
    print("".join(unique), end="")
    print(f"   {len(files)} files, {len(unique)} findings")
    return 1 if unique else 0


sys.exit(main())
