#!/usr/bin/env python3
"""Writes man pages and shell completions from the help texts of the program, the schema and docs/policy.md.

usage: packaging/generate.py BINARY DIRECTORY
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Command:
    """A command as its help text describes it."""

    def __init__(self, binary, words):
        self.words = words
        text = subprocess.run([binary, *words, "--help"], capture_output=True, text=True, check=True).stdout
        self.about, rest = text.split("\nUsage: ", 1)
        self.about = self.about.strip()
        self.usage, *sections = rest.split("\n\n")
        self.entries = {}
        for section in sections:
            title, _, body = section.strip("\n").partition(":\n")
            self.entries[title] = list(self.parse(body))
        self.commands = [Command(binary, [*words, spec]) for spec, _ in self.entries.get("Subcommands", [])]

    @staticmethod
    def parse(body):
        """(specification, text) of each entry: in two columns, or the text on the next line."""
        lines = body.split("\n")
        i = 0
        while i < len(lines):
            line = lines[i][2:]
            i += 1
            parts = re.split(r"  +", line, maxsplit=1)
            if len(parts) == 1 and i < len(lines) and lines[i].startswith(" " * 20):
                parts.append(lines[i].strip())
                i += 1
            if len(parts) == 1 and not line.startswith("-"):  # "id TEXT Excludes: --profile SPIFFE ID"
                parts = [line, ""]
            while i < len(lines) and lines[i].startswith(" " * 20):
                parts[-1] += " " + lines[i].strip()
                i += 1
            if parts[0].strip():
                yield parts[0].strip(), parts[1].strip() if len(parts) > 1 else ""

    def name(self):
        return "-".join(["yett", *self.words])

    def options(self):
        """(names, whether it takes a value, values, text)"""
        for spec, text in self.entries.get("Options", []):
            names = spec.split(" ")[0].split(",")
            choices = re.search(r"\{([^}]*)\}", spec)
            yield names, " TEXT" in spec or " INT" in spec or " FLOAT" in spec or " UINT" in spec, choices[1].split(",") if choices else [], text

    def all(self):
        yield self
        for command in self.commands:
            yield from command.all()


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def shown(spec):
    """`--format TEXT:{table,json}=table` without what CLI parsers add."""
    spec = re.sub(r" (Excludes|Needs): .*", "", spec)
    spec = re.sub(r"TEXT:\{([^}]*)\}", lambda m: m[1].replace(",", "|"), spec)
    return re.sub(r":[A-Z]+ in \[(\d+) - (\d+)\]", r" (\1 to \2)", spec)


def man_page(command, version):
    full = " ".join(["yett", *command.words])
    out = [f'.TH {command.name().upper()} 1 "" "Yett {version}" "Yett"', ".SH NAME", f"{roff(command.name())} \\- {roff(command.about.splitlines()[0])}", ".SH SYNOPSIS", roff(command.usage)]
    for title, section in (("Positionals", "ARGUMENTS"), ("Options", "OPTIONS")):
        if title in command.entries:
            out.append(f".SH {section}")
            for spec, text in command.entries[title]:
                out += [".TP", f"\\fB{roff(shown(spec))}\\fR", roff(text)]
    if command.commands:
        out.append(".SH COMMANDS")
        for sub in command.commands:
            out += [".TP", f"\\fB{roff(' '.join(['yett', *sub.words]))}\\fR", roff(sub.about)]
    if not command.words:
        out += [".SH FILES", ".TP", "\\fI/etc/yett/yett.json\\fR", "the configuration of the service that the package installs: \\fByett.json\\fR(5)",
                ".TP", "\\fI/var/lib/yett\\fR", "its audit log", ".SH ENVIRONMENT", ".TP", "\\fBYETT_CONFIG\\fR", "the configuration file, instead of yett.json in the working directory",
                ".TP", "\\fBYETT_LOG_LEVEL\\fR", "debug, info, warning or error"]
    else:
        out += [".SH EXIT STATUS", "0 if it succeeded, 1 if the answer is no (a denial, a failed test, a broken log), 2 after an error."]
    parent = ["yett", *command.words[:-1]] if command.words else []
    also = ([f"\\fB{roff('-'.join(parent))}\\fR(1)"] if parent else []) + [f"\\fB{roff(c.name())}\\fR(1)" for c in command.commands] + ["\\fByett.json\\fR(5)", "\\fByett\\-policy\\fR(7)"]
    out += [".SH SEE ALSO", ", ".join(also)]
    return "\n".join(out) + "\n"


def schema_page(version):
    schema = json.loads((ROOT / "schemas/config.schema.json").read_text())
    definitions = schema.get("$defs", {})
    out = [f'.TH YETT.JSON 5 "" "Yett {version}" "Yett"', ".SH NAME", "yett.json \\- the configuration of Yett", ".SH DESCRIPTION",
           "JSON with comments. Relative paths are relative to the file. Unknown and repeated keys are errors; \\fByett check\\fR reports all problems at once, and \\fByett init\\fR writes a first file. "
           "The file /usr/share/doc/yett/docs/configuration.md explains the sections.", ".SH KEYS"]

    def kind(value):
        if "enum" in value:
            return " or ".join(json.dumps(v) for v in value["enum"])
        name = value.get("$ref", "").split("/")[-1] or value.get("type", "")
        return {"object": "", "array": "list", "integer": "number", "boolean": "true or false", "string": "text"}.get(name, name)

    def walk(value, path):
        value = {**definitions.get(value.get("$ref", "").split("/")[-1], {}), **value}
        for name, item in value.get("properties", {}).items():
            if name == "$schema":
                continue
            here = f"{path}.{name}" if path else name
            inner = {**definitions.get(item.get("$ref", "").split("/")[-1], {}), **item}
            each = inner.get("items", {})
            nested = inner if "properties" in inner else {**definitions.get(each.get("$ref", "").split("/")[-1], {}), **each}
            label = here + ("[]" if "properties" in nested and nested is not inner else "")
            what = ", ".join(part for part in (kind(item), f"default {json.dumps(item['default'])}" if "default" in item else "",
                                               f"{item['minimum']} to {item['maximum']}" if "minimum" in item and "maximum" in item else "") if part)
            out.extend([".TP", f"\\fB{roff(label)}\\fR" + (f" ({roff(what)})" if what else ""), roff(item.get("description", inner.get("description", "")) or "\\&")])
            if "properties" in nested:
                walk(nested, label)

    walk(schema, "")
    out += [".SH SEE ALSO", "\\fByett\\fR(1), \\fByett\\-check\\fR(1), \\fByett\\-policy\\fR(7)"]
    return "\n".join(out) + "\n"


def policy_page(version):
    """docs/policy.md as a man page: headings, paragraphs, code, lists and tables."""
    def inline(text):
        text = re.sub(r"\[([^\]]*)\]\(([^)]*)\)", r"\1", text)
        text = roff(text)
        text = re.sub(r"\*\*(.+?)\*\*", r"\\fB\1\\fR", text)
        return re.sub(r"`([^`]*)`", r"\\fI\1\\fR", text)

    out = [f'.TH YETT-POLICY 7 "" "Yett {version}" "Yett"', ".SH NAME", "yett-policy \\- the policy language of Yett"]
    code = False
    for line in (ROOT / "docs/policy.md").read_text().split("\n"):
        is_code = line.startswith("    ")
        if is_code != code and (is_code or line):
            out.append(".nf" if is_code else ".fi")
            code = is_code
        if is_code:
            out.append(roff(line))
        elif line.startswith("# "):
            out.append(".SH DESCRIPTION")
        elif line.startswith("## "):
            out.append(f".SH {roff(line[3:].upper())}")
        elif re.match(r"\|[-|]+\|$", line):
            continue
        elif line.startswith("| "):
            first, *rest = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            out += [".TP", inline(first) or "\\&", inline("; ".join(cell for cell in rest if cell)) or "\\&"]
        elif line.startswith("* "):
            out += [".IP \\(bu 2", inline(line[2:])]
        elif not line:
            out.append(".PP")
        else:
            out.append(inline(line.strip()))
    out += [".SH SEE ALSO", "\\fByett\\fR(1), \\fByett\\-check\\fR(1), \\fByett\\-test\\fR(1), \\fByett\\-eval\\fR(1), \\fByett.json\\fR(5)"]
    return "\n".join(out) + "\n"


def bash(root):
    cases = []
    for command in root.all():
        words = [c.words[-1] for c in command.commands] + [name for names, *_ in command.options() for name in names]
        cases.append(f'    "{" ".join(command.words)}") words="{" ".join(words)}" ;;')
    values = {name: choices for command in root.all() for names, _, choices, _ in command.options() if choices for name in names}
    chosen = [f'    {name}) COMPREPLY=($(compgen -W "{" ".join(choices)}" -- "$cur")); return ;;' for name, choices in sorted(values.items())]
    known = sorted({" ".join(c.words) for c in root.all() if c.words})
    return f'''# bash completion for yett
_yett() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} path="" word words=""
  case "$prev" in
{chr(10).join(chosen)}
  esac
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "|{"|".join(known)}|" in *"|${{path:+$path }}$word|"*) path="${{path:+$path }}$word" ;; esac
  done
  case "$path" in
{chr(10).join(cases)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [[ $cur == -* ]] || COMPREPLY+=($(compgen -f -- "$cur"))
}}
complete -o filenames -F _yett yett
'''


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def fish(root):
    out = ["# fish completion for yett", "complete -c yett -f"]
    for command in root.all():
        seen = " ".join(f"__fish_seen_subcommand_from {word};" + (" and" if i + 1 < len(command.words) else "") for i, word in enumerate(command.words)).rstrip(";")
        subs = " ".join(c.words[-1] for c in command.commands)
        here = seen or "__fish_use_subcommand"
        unless = f"{seen + '; and ' if seen else ''}not __fish_seen_subcommand_from {subs}" if subs else here
        for sub in command.commands:
            out.append(f"complete -c yett -n {quoted(unless)} -a {sub.words[-1]} -d {quoted(sub.about.splitlines()[0])}")
        for names, value, choices, text in command.options():
            flags = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in names)
            more = f" -x -a {quoted(' '.join(choices))}" if choices else " -r" if value else ""
            out.append(f"complete -c yett -n {quoted(here)} {flags}{more} -d {quoted(text)}")
    return "\n".join(out) + "\n"


def zsh(root):
    out = ["#compdef yett", "_yett() {", "  local path=\"\" word", "  for word in ${words[2,CURRENT-1]}; do", "    case \"${path:+$path }$word\" in"]
    out += [f"      {quoted(' '.join(c.words))}) path={quoted(' '.join(c.words))} ;;" for c in root.all() if c.words]
    out += ["    esac", "  done", "  case \"$path\" in"]
    for command in root.all():
        entries = [(c.words[-1], c.about.splitlines()[0]) for c in command.commands] + [(name, text) for names, _, _, text in command.options() for name in names]
        items = " ".join(quoted(f"{name}:{text}".replace("\\", "")) for name, text in entries)
        out.append(f"    {quoted(' '.join(command.words))}) local -a list=({items}); _describe command list; _files ;;")
    return "\n".join([*out, "  esac", "}", '_yett "$@"']) + "\n"


def main(binary, directory):
    root = Command(binary, [])
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[1].rstrip(",")
    into = pathlib.Path(directory)
    files = {f"man/{command.name()}.1": man_page(command, version) for command in root.all()}
    files.update({"man/yett.json.5": schema_page(version), "man/yett-policy.7": policy_page(version), "completions/yett.bash": bash(root), "completions/yett.fish": fish(root), "completions/_yett": zsh(root)})
    for name, text in files.items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(f"{len(files)} files in {into}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
