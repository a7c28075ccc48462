"""The JSON documents that policy reads: policy reads them as the parsers of Python and node do, or reports an error.

See documents.py; test/interop/test_readers.py does the same with Go and Java.
"""
import os
import unittest

import documents
from documents import BY_NAME, NAMES, SPELLINGS, WHOLE, Generator, Refused, ask, buffered, canonical, expected, fold_either_way, folding_characters, node, python, render_strict, simple_fold, strict, written_down
from harness import SLOW, Yett

SEED = int(os.environ.get("YETT_TEST_SEED") or 7)
COUNT = int(int(os.environ.get("YETT_TEST_DOCUMENTS") or 12_000) / SLOW)
SHOWN = int(os.environ.get("YETT_TEST_SHOWN") or 40)
JSON = ["content-type: application/json"]

# By the classes of JSONTestSuite (github.com/nst/JSONTestSuite): none of these is a valid document.
NO_DOCUMENTS = [
    # arrays
    b"[1 true]", b"[a\xe5]", b'["": 1]', b'[""],', b"[,1]", b"[1,,2]", b'["x",,]', b'["x"]]', b'["",]', b'["x"', b"[x", b"[3[4]]", b"[\xff]", b"[1:2]", b"[,]", b"[-]", b'[   , ""]', b'["a",\n4\n,1,', b"[1,]", b"[1,,]", b'["\x0ba"\\f]',
    b"[*]", b'[""', b"[1,", b"[1,\n1\n,1", b"[{}",
    # literals
    b"[fals]", b"[nul]", b"[tru]", b"[True]", b"[ false, nul", b"[ true, fals", b"[ false, tru", b"[<null>]", b"abc", b"<.>", b"a\xc3\xa5", b"\xc3\xa5", b"*", b"123\x00",
    # numbers
    b"[++1234]", b"[+1]", b"[+Inf]", b"[-01]", b"[-1.0.]", b"[-2.]", b"[-NaN]", b"[.-1]", b"[.2e-3]", b"[0.1.2]", b"[0.3e+]", b"[0.3e]", b"[0.e1]", b"[0E+]", b"[0E]", b"[0e+]", b"[0e]", b"[1.0e+]", b"[1.0e-]", b"[1.0e]", b"[1 000.0]",
    b"[1eE2]", b"[2.e+3]", b"[2.e-3]", b"[2.e3]", b"[9.e+]", b"[Inf]", b"[NaN]", "[\uff11]".encode(), b"[1+2]", b"[0x1]", b"[0x42]", b"[Infinity]", b"[0e+-1]", b"[-123.123foo]", b"[123\xe5]", b"[1e1\xe5]", b"[0\xe5]\n", b"[-Infinity]",
    b"[-foo]", b"[- 1]", b"[-012]", b"[-.123]", b"[-1x]", b"[1ea]", b"[1e\xe5]", b"[1.]", b"[.123]", b"[1.2a-3]", b"[1.8011670033376514H-308]", b"[012]", b"2@",
    # objects
    b'["x", truth]', b'{[: "x"}\n', b'{"x", null}', b'{"x"::"b"}', "{\U0001f1e8\U0001f1ed}".encode(), b'{"a":"a" 123}', b"{key: 'value'}", b'{"\xb9":"0",}', b'{"a" b}', b'{:"b"}', b'{"a" "b"}', b'{"a":', b'{"a"', b"{1:1}", b"{9999E9999:1}",
    b"{null:null,null:null}", b'{"id":0,,,,,}', b"{'a':0}", b'{"id":0,}', b'{"a":"b"}/**/', b'{"a":"b"}/**//', b'{"a":"b"}//', b'{"a":"b"}/', b'{"a":"b",,"c":"d"}', b'{a: "b"}', b'{"a":"a', b'{ "foo" : "bar", "a" }', b'{"a":"b"}#',
    # strings
    b'["\\uD800\\"]', b'["\\uD800\\u"]', b'["\\uD800\\u1"]', b'["\\uD800\\u1x"]', "[\u00e9]".encode(), b'["\\\x00"]', b'["\\x00"]', b'["\\\\\\"]', b'["\\\t"]', '["\\\U0001f300"]'.encode(), b'["\\"]', b'["\\u00A"]', b'["\\uD834\\uDd"]',
    b'["\\uD800\\uD800\\x"]', b'["\\u\xe5"]', b'["\\a"]', b'["\\uqqqq"]', b'["\\\xe5"]', b'[\\u0020"asd"]', b"[\\n]", b'"', b"['single quote']", b'["\\', b'["a\x00a"]', b'["new\nline"]', b'["\t"]', b'"\\UA66D"', b'""x',
    # structure
    b"", b" ", b"\xef\xbb\xbf", b"\xef\xbb{}", b"\xe5", b"\xe9", b"[" * 60_000, b'[{"":' * 12_000, "[\u2060]".encode(), b"[1]x", b"[1]]", b'["asd]', b"1]", b'{"x": true,', b"[][]", b"]", b"[", b"[\x00]", b"{}}", b'{"":',
    b'{"a":/*comment*/"b"}', b'{"a": true} "x"', b"['", b"[,", b"[{", b'["a', b'["a"', b"{", b"{]", b"{,", b"{[", b'{"a', b"{'a'", b'["\\{["\\{["\\{["\\{', b'{"a":"b"}#{}', b'[\\u000A""]', b"[1", b'{"asd":"asd"', b"[\x0c]",
    # what the suite leaves open but Yett refuses: invalid UTF-8, a BOM, half of a surrogate pair, deep nesting
    b"\xef\xbb\xbf{}", '["é"]'.encode("utf-16"), '["é"]'.encode("utf-16-le"), '["é"]'.encode("utf-16-be"), b'["\xff"]', b'["\xe9"]', b'["\x81"]', b'["\xc0\xaf"]', b'["\xe0\xff"]', b'["\xed\xa0\x80"]', b'["\xf4\xbf\xbf\xbf"]',
    b'["\xfc\x83\xbf\xbf\xbf\xbf"]', b'["\xfc\x80\x80\x80\x80\x80"]', b'["\xe6\x97\xa5\xd1\x88\xfa"]', b'{"\\uDFAA":0}', b'["\\uDADA"]', b'["\\uD888\\u1234"]', b'["\\uD800\\n"]', b'["\\uDd1ea"]', b'["\\uD800\\uD800\\n"]',
    b'["\\ud800"]', b'["\\ud800abc"]', b'["\\uDd1e\\uD834"]', b'["\\uDFAA"]', b"[" * 500 + b"]" * 500,
    # a name that appears twice
    b'{"a":"b","a":"c"}', b'{"a":"b","a":"b"}',
]

# Valid documents, and what policy reads in them.
DOCUMENTS = {
    b"[[]   ]": "[1|[0|]]", b'[""]': '[1|""]', b"[]": "[0|]", b'["a"]\n': '[1|"61"]', b"[false]": "[1|false]", b'[1, "1", {}]': '[3|#i1,"31",{}]', b"[1\n]": "[1|#i1]", b" [1]": "[1|#i1]", b"[2] ": "[1|#i2]", b" [] ": "[0|]",
    b"[0e+1]": "[1|#i0]", b"[0e1]": "[1|#i0]", b"[ 4]": "[1|#i4]", b"[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]\n": "[1|#f-1e-78]", b"[20e1]": "[1|#i200]",
    b"[-0]": "[1|#i0]", b"[-123]": "[1|#i-123]", b"[-1]": "[1|#i-1]", b"[1E-2]": "[1|#f0.01]", b"[1E+2]": "[1|#i100]", b"[1e-2]": "[1|#f0.01]", b"[1e+2]": "[1|#i100]", b"[123]": "[1|#i123]", b"[123.456789]": "[1|#f123.456789]",
    b'{"asd":"sdf", "dfg":"fgh"}': '{617364:"736466",646667:"666768"}', b"{}": "{}", b'{"":0}': "{:#i0}", b'{"foo\\u0000bar": 42}': "{666f6f00626172:#i42}", b'{"a":[]}': "{61:[0|]}", b'{\n"a": "b"\n}': '{61:"62"}',
    b'{"x":[{"id": "xxxx"}], "id": "xx"}': '{6964:"7878",78:[1|{6964:"78787878"}]}', b'{"title":"\\u041f\\u043e"}': '{7469746c65:"d09fd0be"}',
    b'["\\u0060\\u012a\\u12AB"]': '[1|"60c4aae18aab"]', b'["\\uD801\\udc37"]': '[1|"f09090b7"]', b'["\\ud83d\\ude39\\ud83d\\udc8d"]': '[1|"f09f98b9f09f928d"]', b'["\\"\\\\\\/\\b\\f\\n\\r\\t"]': '[1|"225c2f080c0a0d09"]',
    b'["\\\\u0000"]': '[1|"5c7530303030"]', b'["a/*b*/c/*d//e"]': '[1|"612f2a622a2f632f2a642f2f65"]', b'["\\\\a"]': '[1|"5c61"]', b'["\\u0012"]': '[1|"12"]', b'["\\uFFFF"]': '[1|"efbfbf"]', b'[ "asd"]': '[1|"617364"]',
    b'["\\uDBFF\\uDFFF"]': '[1|"f48fbfbf"]', b'["\\u00A0"]': '[1|"c2a0"]', b'["\xf4\x8f\xbf\xbf"]': '[1|"f48fbfbf"]', b'["\xef\xbf\xbf"]': '[1|"efbfbf"]', b'["\\u0000"]': '[1|"00"]', b'["\\u002c"]': '[1|"2c"]', b'["\xcf\x80"]': '[1|"cf80"]',
    b'["\xf0\x9b\xbf\xbf"]': '[1|"f09bbfbf"]', b'" "': '"20"', b'["\\u0821"]': '[1|"e0a0a1"]', b'["\\u0123"]': '[1|"c4a3"]', b'["\xe2\x80\xa8\xe2\x80\xa9"]': '[1|"e280a8e280a9"]', b'["new\\u000Aline"]': '[1|"6e65770a6c696e65"]',
    b'["\x7f"]': '[1|"7f"]', b'["\\uFDD0\\uFFFE\\uD83F\\uDFFE"]': '[1|"efb790efbfbef09fbfbe"]', b'["\\u200B\\u2064"]': '[1|"e2808be281a4"]', b'["\\u0022\\u005C"]': '[1|"225c"]', b'["\xe2\x82\xac\xf0\x9d\x84\x9e"]': '[1|"e282acf09d849e"]',
    b"false": "false", b"42": "#i42", b"-0.1": "#f-0.1", b'"asd"': '"617364"', b"true": "true", b'""': '""', b"[true]": "[1|true]", b"[" * 32 + b"]" * 32: "[1|" * 31 + "[0|]" + "]" * 31,
    b'{"a":null}': "{}", b'{"a":{"b":null,"c":1}}': "{61:{63:#i1}}", '{"\u0130":1,"i":2,"\u0131":3}'.encode(): "{69:#i2,c4b0:#i1,c4b1:#i3}",
    '{"\u00e9":1,"e\u0301":2}'.encode(): "{65cc81:#i2,c3a9:#i1}",
}

# Questions about a document that do not walk all of it; v is the document. "error" wherever a service might see more.
WALK = "(function() local n = 0 for _ in {} do n = n + 1 end return n end)()"
QUESTIONS = [
    # nulls
    ('{"a":null}', 'has(v, "a")', "false"),
    ('{"a":null}', 'optional(v, "a", 7)', "#i7"),
    ('{"a":null}', "v.a", "error"),
    ("[1,null,3]", "#v", "error"),
    ("[1,null]", "#v", "error"),
    ("[null]", "#v", "error"),
    ("[null,1]", "#v", "error"),
    ("[1,null,3]", WALK.format("ipairs(v)"), "error"),
    ("[1,null]", WALK.format("ipairs(v)"), "error"),
    ("[null]", WALK.format("ipairs(v)"), "error"),
    ("[1,null,3]", WALK.format("pairs(v)"), "error"),
    ("[1,null]", 'select("#", table.unpack(v))', "error"),
    ('["a",null]', "table.concat(v)", "error"),
    ("[1,null,3]", "v[2]", "error"),
    ("[1,null,3]", "v[3]", "#i3"),
    ("[1,2,3]", "v[4]", "error"),
    ("[1,2,3]", "#v", "#i3"),
    ("[]", "#v", "#i0"),
    ("[]", WALK.format("ipairs(v)"), "#i0"),
    # an object where policy iterates over a list, and values that are neither
    ("{}", "#v", "error"),
    ("{}", WALK.format("ipairs(v)"), "error"),
    ('{"1":"a"}', WALK.format("ipairs(v)"), "error"),
    ('{"1":"a"}', "v[1]", "error"),
    ('{"a":1}', "table.concat(v)", "error"),
    ('{"a":1}', WALK.format("pairs(v)"), "#i1"),
    ('{"items":"abc"}', WALK.format("ipairs(v.items)"), "error"),
    ('{"items":7}', WALK.format("ipairs(v.items)"), "error"),
    ('{"items":true}', WALK.format("ipairs(v.items)"), "error"),
    ('{"items":"abc"}', WALK.format("pairs(v.items)"), "error"),
    ('{"user":"abc"}', "v.user.id == nil", "error"),
    ('{"user":"abc"}', "v.user[1] == nil", "error"),
    ('{"user":7}', "v.user.id == nil", "error"),
    ('{"user":true}', "v.user.id == nil", "error"),
    ('{"user":"abc"}', 'has(v.user, "id")', "error"),
    ('{"user":7}', 'has(v.user, "id")', "error"),
    ('{"user":"abc"}', 'optional(v.user, "id", 7)', "error"),
    ('"abc"', "v.id == nil", "error"),
    ("7", "v.id == nil", "error"),
    ("[7]", "v.id == nil", "error"),
    ('{"user":{"id":1}}', "v.user.id", "#i1"),
    ('[{"user":1,"User":2}]', "(function() local item = table.unpack(v) return item.user end)()", "error"),
    ("[[1,null]]", "(function() local item = table.unpack(v) return #item end)()", "error"),
    # numbers
    ('{"n":9007199254740991}', "v.n", "#i9007199254740991"),
    ('{"n":-9007199254740991}', "v.n", "#i-9007199254740991"),
    ('{"n":9007199254740992,"m":1}', "v.n", "error"),
    ('{"n":9007199254740992,"m":1}', "v.m", "#i1"),
    ('{"n":9007199254740992,"m":1}', 'optional(v, "n", 0)', "error"),
    ('{"n":9007199254740992,"m":1}', WALK.format("pairs(v)"), "error"),
    ('{"n":1e400,"m":1}', "v.n", "error"),
    ('{"n":1e400,"m":1}', "v.m", "#i1"),
    ("[1,9007199254740993]", "v[1]", "#i1"),
    ("[1,9007199254740993]", "v[2]", "error"),
    ("[1,9007199254740993]", WALK.format("ipairs(v)"), "error"),
    ("9007199254740993", "v", "error"),
    ('{"n":7.0}', "v.n == 7 and math.type(v.n)", '"696e7465676572"'),
    ('{"n":-0.0}', "tostring(v.n)", '"30"'),
    # names in another spelling
    ('{"User":1}', "v.user", "error"),
    ('{"User":1}', 'has(v, "user")', "error"),
    ('{"User":1}', 'optional(v, "user", 7)', "error"),
    ('{"User":1}', "v.User", "#i1"),
    ('{"User":1}', 'has(v, "name")', "false"),
    ('{"user":1,"User":2}', "v.user", "error"),
    ('{"user":1,"User":2}', "v.User", "error"),
    ('{"user":1,"User":2}', 'has(v, "USER")', "error"),
    ('{"user":1,"User":2}', 'has(v, "name")', "false"),
    ('{"user":1,"User":2,"name":3}', "v.name", "#i3"),
    ('{"user":1,"User":2}', WALK.format("pairs(v)"), "error"),
    ('{"user":1,"User":null}', "v.user", "error"),
    ('{"user":null,"User":1}', "v.user", "error"),
    ('{"user":null,"User":1}', 'has(v, "user")', "error"),
    ('{"a":{"User":1}}', 'has(v.a, "user")', "error"),
    ('[{"User":1}]', 'has(v[1], "user")', "error"),
    ('{"\u212aind":1}', 'has(v, "kind")', "error"),
    ('{"kind":1,"\u212aind":2}', "v.kind", "error"),
    ('{"u\u017fer":1}', 'has(v, "user")', "error"),
    ('{"\\u017fTRASSE":1}', 'has(v, "strasse")', "error"),
    ('{"stra\u1e9ee":1}', 'has(v, "straße")', "error"),
    ('{"\u03c3\u03b1\u03c2":1}', 'has(v, "\u03c3\u03b1\u03c3")', "error"),
    ('{"\u0130d":1}', 'has(v, "id")', "false"),
    ('{"\u0131d":1}', 'has(v, "id")', "false"),
]

# The results of ipairs and pairs when called with arguments they are not meant for.
WALKERS = [
    ("[1]", "(function() local walk = ipairs(v) return walk(1, 0) end)()", "error"),
    ("[1]", "(function() local walk = ipairs(v) return walk() end)()", "error"),
    ("[1]", '(function() local walk = ipairs(v) return walk("abc", 0) end)()', "error"),
    ("[1]", "(function() local walk = ipairs(v) return walk({ 7 }, 0) end)()", "error or #i1"),
    ("[1]", "(function() local walk = ipairs(v) return walk(r, 0) end)()", "error"),
    ('[[1],{"abcdefgh":"abcdefgh"}]', "(function() local walk = ipairs(v[1]) return walk(v[2], 0) end)()", "error"),
    ("[[1],[2,null]]", "(function() local walk = ipairs(v[1]) return walk(v[2], 1) end)()", "error"),
    ('{"a":1}', "(function() local walk = pairs(v) walk() return walk(r, 0) == nil end)()", "true"),
    ("[1]", "(function() local walk = ipairs({ 7 }) return walk(1, 0) end)()", "error"),
    ("[1]", "(function() local walk = ipairs({ 7 }) return walk() end)()", "error"),
    ("[1]", '(function() local walk = ipairs({ 7 }) return walk("abc", 0) end)()', "error"),
    ("[1]", "(function() local walk = ipairs({ 7 }) return walk(r, 0) end)()", "error"),
    ("[1,null]", "(function() local walk = ipairs({ 7 }) return walk(v, 0) end)()", "error or #i1"),
    ("[1]", "(function() local walk, _, first = ipairs(v) local _, item = walk(v, first) return item end)()", "#i1"),
]

TYPES_OF_JSON = [
    ["content-type: application/json"], ["Content-Type: Application/JSON"], ["content-type: application/json; charset=utf-8"], ["content-type: application/json;charset=UTF-8"], ['content-type: application/json; charset="utf-8"'],
    ["content-type: application/vnd.api+json"], ["content-type: application/problem+JSON; charset=utf-8"], ["content-type:application/json \t"],
]
OTHER_TYPES = [
    [], ["content-type: text/plain"], ["content-type:"], ["content-type: json"], ["content-type: application/jsonp"], ["content-type: application/jsonl"], ["content-type: application/xjson"], ["content-type: xapplication/json"],
    ["content-type: application/json+xml"], ["content-type: application/x-www-form-urlencoded"], ["content-type: multipart/form-data; boundary=json"], ["content-type: application/xml; type=application/json"],
    ["content-type: application/json; charset=utf-16"], ["content-type: application/json; charset=iso-8859-1"], ["content-type: application/json; charset=utf-8; charset=utf-16"],
    ["content-type: application/json, text/plain"], ["content-type: text/plain, application/json"], ["content-type: application/json application/json"], ["content-type: application /json"],
    ["content-type: application/json", "content-type: application/json"], ["content-type: application/json", "content-type: text/plain"], ["content-type: text/plain", "content-type: application/json"],
    ["content-type: application/json", "content-encoding: gzip"], ["content-type: application/json", "content-encoding: br, gzip"], ["content-type: application/json", "Content-Encoding: x-unknown"],
]


class Documents(unittest.TestCase):
    def none(self, problems):
        if problems:
            self.fail(f"{len(problems)} documents:\n" + "\n".join(problems[:SHOWN]))

    def test_policy_reads_only_valid_json_and_reads_it_as_other_parsers_do(self):
        generator = Generator(SEED)
        corpus = list(dict.fromkeys(written_down() + [generator.document() for _ in range(COUNT)]))
        with buffered(Yett(rules=WHOLE)) as y:
            answers = ask(y, corpus)
        problems = []
        counts = {"read": 0, "error": 0}
        agreed = {"python": 0, "node": 0}
        for document, said, *readers in zip(corpus, answers, python(corpus), node(corpus)):
            shown = f"{document[:150]!r}: "
            counts["read" if said.read else "error"] += 1
            if "too long to be recorded" in said.errors:
                continue
            try:
                want, certain = expected(document)
                if not said.read and certain:
                    problems.append(f"{shown}valid but an error: {said.errors}")
                elif said.read and certain and canonical(said.text, marks=True) != want:
                    problems.append(f"{shown}{said.text} instead of {want}")
            except Refused as why:
                if said.read:
                    problems.append(f"{shown}read as {said.text} although invalid: {why}")
            for name, got in zip(agreed, readers):
                if said.read and got is not None:
                    agreed[name] += 1
                    if got != canonical(said.text):
                        problems.append(f"{shown}policy reads {said.text}, {name} {got}")
        self.none(problems)
        print(f"  {len(corpus)} documents (seed {SEED}): {counts['read']} read, {counts['error']} errors; {agreed['python']} read the same by Python, {agreed['node']} by node")
        self.assertGreater(counts["read"], len(corpus) / 4)
        self.assertGreater(counts["error"], len(corpus) / 4)

    def test_invalid_documents_of_the_public_suite_are_errors_and_valid_ones_are_read(self):
        corpus = NO_DOCUMENTS + list(DOCUMENTS)
        with buffered(Yett(rules=WHOLE)) as y:
            answers = ask(y, corpus)
        problems = [f"{document[:80]!r}: read as {said.text[:80]}" for document, said in zip(corpus, answers) if document in NO_DOCUMENTS and said.read]
        for document, said in zip(corpus, answers):
            if document in DOCUMENTS and (not said.read or canonical(said.text, marks=True) != DOCUMENTS[document]):
                problems.append(f"{document[:80]!r}: {said.text or said.errors} instead of {DOCUMENTS[document]}")
        self.none(problems)

    def check_questions(self, questions):
        rules = "\n".join(f'  allow "q{i}" {{ principal = anyone, path = "/q{i}/**", when = function(r) local v = r.body.json return false, said({question}) end }},' for i, (_, question, _) in enumerate(questions))
        with buffered(Yett(rules=f'{documents.RENDER}\npolicy "questions" {{\n{rules}\n}}')) as y:
            answers = ask(y, [(f"/q{i}", JSON, document.encode()) for i, (document, _, _) in enumerate(questions)])
        problems = []
        for (document, question, want), said in zip(questions, answers):
            got = canonical(said.text, marks=True) if said.read else "error"
            if got not in want.split(" or "):
                problems.append(f"{question} of {document}: {got} instead of {want}{'; ' + said.errors if not said.read else ''}")
        self.none(problems)

    def test_questions_of_a_condition_never_hide_what_a_service_may_see(self):
        self.check_questions(QUESTIONS)

    def test_iterators_of_documents_refuse_anything_else(self):
        self.check_questions(WALKERS)

    def test_a_name_is_read_only_if_no_other_spelling_of_it_is_in_the_object(self):
        generator = Generator(SEED)
        corpus = [generator.named() for _ in range(COUNT // 4)]
        corpus += [(name, False, f'{{"{spelling}":1}}'.encode()) for name in NAMES for spelling in SPELLINGS[name] if "\0" not in spelling]
        corpus += [(fold, False, f'{{"x{other}":1}}'.encode()) for other, fold in (("", "x"), *((c, "x" + f) for c, f in folding_characters()))]
        corpus += [("X" + c, False, f'{{"x{f}":1,"y":2}}'.encode()) for c, f in folding_characters()]
        with buffered(Yett(rules=BY_NAME)) as y:
            answers = ask(y, [("", JSON, document, {"name": name, **({"in": "item"} if nested else {})}) for name, nested, document in corpus])
        problems = []
        counts = {"value": 0, "absent": 0, "error": 0}
        for (name, nested, document), said in zip(corpus, answers):
            either = False
            try:
                value = strict(document)
                for key in ("item", name) if nested else (name,):
                    if type(value) is not dict:
                        raise Refused("not an object")
                    either = either or any(fold_either_way(key, other) for other in value)
                    if [other for other in value if simple_fold(other) == simple_fold(key)] not in ([], [key]):
                        raise Refused("another spelling")
                    value = value.get(key)
                want = "absent" if value is None else render_strict(value)[0]
            except Refused:
                want = "error"
            got = canonical(said.text, marks=True) if said.read else "error"
            counts[got if got in counts else "value"] += 1
            if got != want and not (either and got == "error"):
                problems.append(f"{name} {'in item ' if nested else ''}of {document.decode()}: {got} instead of {want}")
        self.none(problems)
        print(f"  {len(corpus)} names: {counts['value']} values, {counts['absent']} absent, {counts['error']} errors")

    def test_a_route_with_exact_names_accepts_several_spellings_in_one_object(self):
        corpus = [(b'{"user":1,"User":2}', "#i1"), (b'{"User":2}', "absent"), ('{"user":1,"u\u017fer":2}'.encode(), "#i1"), (b'{"user":1,"user":2}', "error"), (b'{"user":null,"User":2}', "absent")]
        with buffered(Yett(rules=BY_NAME), json_keys="exact") as y:
            answers = ask(y, [("", JSON, document, {"name": "user"}) for document, _ in corpus])
            self.assertEqual([said.text if said.read else "error" for said in answers], [want for _, want in corpus])
        with buffered(Yett(rules=WHOLE), json_keys="exact") as y:
            document = '{"user":1,"User":2,"u\u017fer":3}'.encode()
            self.assertEqual([canonical(said.text) for said in ask(y, [document])], python([document]))

    def test_only_a_body_with_exactly_one_json_content_type_is_read(self):
        with buffered(Yett(rules=WHOLE)) as y:
            wanted = [(headers, want) for _ in range(2) for pair in zip(TYPES_OF_JSON * 4, OTHER_TYPES) for headers, want in zip(pair, ("#i7", "error"))]
            answers = ask(y, [("", headers, b"7") for headers, _ in wanted])
            problems = [f"{headers}: {said.text or said.errors} instead of {want}" for (headers, want), said in zip(wanted, answers) if (said.text if said.read else "error") != want]
            self.none(problems)

    def test_a_charset_that_is_not_ascii_compatible_is_refused(self):
        """Django under WSGI decodes the query with this charset, so a deny of debug=1 missed `?debug=%2BADE-`."""
        with Yett(rules='policy "p" { allow "all" { principal = anyone } }').plaintext() as y:
            for charset, status in (("utf-7", 400), ('"UTF-7"', 400), ("utf-8; charset=utf-7", 400), ("utf-8; charset*=utf-7", 400), ("utf-8; charset*0=utf-; charset*1=7", 400), ("unicode_escape", 400), ("U7", 400), ("cp037", 400), ("utf-8", 503), ("ISO-8859-15", 503), ("windows-1252", 503), ("Shift_JIS", 503), ("utf-16", 503)):
                with y.raw() as s:
                    s.sendall(f"GET /?debug=%2BADE- HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain; charset={charset}\r\n\r\n".encode())
                    self.assertEqual(s.recv(4096).split()[1], str(status).encode(), charset)

    def test_a_route_can_name_more_content_types_as_json(self):
        with buffered(Yett(rules=WHOLE), json_types=["text/plain"]) as y:
            answers = ask(y, [("", [f"content-type: {kind}"], b"7") for kind in ("text/plain", "text/plain; charset=utf-8", "application/json", "text/plain; charset=utf-16", "text/html")])
            self.assertEqual([said.read for said in answers], [True, True, True, False, False])


if __name__ == "__main__":
    unittest.main()
