#!/usr/bin/env python3
"""Fails if schemas/config.schema.json and the parser know different keys, or if an example violates the schema."""
import json
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
schema = json.loads((root / "schemas/config.schema.json").read_text())
problems = []


def keys_of(node):
    found = set()
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "properties":
                found |= set(value)
            found |= keys_of(value)
    elif isinstance(node, list):
        for value in node:
            found |= keys_of(value)
    return found


source = "".join(path.read_text() for path in sorted((root / "src/config").glob("*.cc")))
parsed = set(re.findall(r'\.(?:text|textOrFlag|requiredText|texts|textOrTexts|textsOrObjects|fraction|flag|number|numbers|duration|durationOrZero|size|choice|object|objects|entries|weights|has)\(\s*"([\w$]+)"', source))
parsed |= set(re.findall(r'readMode\(in, "(\w+)"', source))
for key in sorted(parsed ^ keys_of(schema)):
    problems.append(f"`{key}` is known only to {'the parser' if key in parsed else 'the schema'}")


def check(value, rule, where):
    if "$ref" in rule:
        rule = schema["$defs"][rule["$ref"].split("/")[-1]]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    if "type" in rule and not isinstance(value, kinds[rule["type"]]):
        problems.append(f"{where}: is not of type {rule['type']}")
    elif "enum" in rule and value not in rule["enum"]:
        problems.append(f"{where}: not one of {rule['enum']}")
    elif isinstance(value, dict):
        for key in rule.get("required", []):
            if key not in value:
                problems.append(f"{where}: `{key}` is missing")
        for key, item in value.items():
            inner = rule.get("properties", {}).get(key, rule.get("additionalProperties"))
            if not inner:
                problems.append(f"{where}/{key}: unknown")
            else:
                check(item, inner, f"{where}/{key}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            check(item, rule.get("items", {}), f"{where}/{i}")
    elif isinstance(value, str) and "pattern" in rule and not re.search(rule["pattern"], value):
        problems.append(f"{where}: does not match {rule['pattern']}")


examples = sorted((root / "examples").glob("*/yett.json"))
for path in examples:
    text = re.sub(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', lambda m: m.group(1) or "", path.read_text(), flags=re.S)
    check(json.loads(text), schema, path.relative_to(root).as_posix())
# Other descriptions of policy: the engine's fields, their JSON schema and the editor definitions.
def names_in(file, start, end):
    text = (root / file).read_text()
    text = text[text.index(start):]
    return set(re.findall(r'"([\w.]+)"', text[:text.index(end)]))


fields = names_in("src/rule/rule_fields.cc", "names = {", "};")
rules = json.loads((root / "schemas/rules.schema.json").read_text())["$defs"]["rule"]["properties"]
for name in sorted((fields - {"when", "ttl"}) ^ (set(rules) - {"allow", "deny"})):
    problems.append(f"rule field `{name}` is known only to the engine or only to schemas/rules.schema.json")
definitions = (root / "schemas/policy.lua").read_text()
for name in sorted(fields):
    if not re.search(rf"---@field {name}\??[ ]", definitions):
        problems.append(f"schemas/policy.lua: rule field `{name}` is missing")
attributes = names_in("src/lua/request.cc", "kFields[] = {", "};") | names_in("src/lua/request.cc", "kGroupNames[] = {", "};")
for name in sorted(attributes - {""}):
    if not re.search(rf"---@field {name}\??[ ]", definitions):
        problems.append(f"schemas/policy.lua: request field `{name}` is missing")
# The fields of a class in the editor definitions.
def fields_of(name):
    return set(re.findall(r"---@field (\w+)\??[ ]", definitions.split(f"---@class {name}\n")[1].split("\n\n")[0]))


for name in sorted(names_in("src/lua/tests.cc", "kKnown[] = {", "};") ^ fields_of("yett.test")):
    problems.append(f"field `{name}` of a test is known only to src/lua/tests.cc or only to `yett.test` in schemas/policy.lua")
# docs/policy.md: the field table, where `not_...` stands for all negated fields; and the slow reference matcher of the tests.
rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", (root / "docs/policy.md").read_text().split("## Fields")[1].split("\n## ")[0], re.M)
told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
plain_fields = {name for name in fields if not name.startswith("not_")}
for name in sorted(plain_fields - told):
    problems.append(f"docs/policy.md: rule field `{name}` has no row in the table of fields")
obvious = (root / "test/support/random_policy.cc").read_text()
for name in sorted(name[4:] for name in fields if name.startswith("not_")):
    if not re.search(rf'some\("{name}[":]', obvious):
        problems.append(f"test/support/random_policy.cc: no random rule has the matcher `{name}`")
requests = set(json.loads((root / "schemas/check-request.schema.json").read_text())["properties"])
known = names_in("src/runtime/check_input.cc", "known = {", "};") | names_in("src/runtime/check_input.cc", "kCallerFields[] = {", "};")
for name in sorted(requests ^ known):
    problems.append(f"check request field `{name}` is known only to the parser or only to its schema")
print("\n".join(problems) if problems else f"schema: ok, {len(parsed)} keys, {len(examples)} examples")
sys.exit(1 if problems else 0)
