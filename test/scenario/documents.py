"""JSON documents and what they mean: a seeded generator, a strict reader of RFC 8259, and ways to ask policy and node.

What a reader understood is rendered as text in one format for all readers: {hex of name:value,...} sorted bytewise by
name and without null members, [length|value,...], "hex of the UTF-8", #number, true, false, null.
"""
import base64
import json
import pathlib
import random
import re
import subprocess
import threading
import unicodedata
import urllib.parse

from harness import SLOW, wait_for

DEEPEST = 32
LARGEST = 2**53 - 1
READER = pathlib.Path(__file__).resolve().parent / "json_reader.js"

# The same rendering in policy's language. #i and #f tell Lua's integers from its floats.
RENDER = r"""
local function hex(text) return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

local function render(v)
  local what = type(v)
  if what == "string" then return '"' .. hex(v) .. '"' end
  if what == "boolean" then return tostring(v) end
  if what == "number" then return math.type(v) == "integer" and ("#i%d"):format(v) or ("#f%.17g"):format(v) end
  if what ~= "table" then error("a " .. what .. " in a document", 0) end
  local parts = {}
  if kind(v) == "list" then
    for i, item in ipairs(v) do parts[i] = render(item) end
    return "[" .. #v .. "|" .. table.concat(parts, ",") .. "]"
  end
  if kind(v) ~= "object" then error("a table of kind " .. tostring(kind(v)), 0) end
  for name, item in pairs(v) do parts[#parts + 1] = hex(name) .. ":" .. render(item) end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

local function said(v)
  local text = render(v)
  if #text > 1000 then error("too long to be recorded", 0) end
  return text
end
"""

WHOLE = RENDER + """
policy "documents" { allow "no" { principal = anyone, when = function(r) return false, said(r.body.json) end } }
"""

# The value under the name given in the query, in the document or in its object `item`.
BY_NAME = RENDER + """
policy "documents" { allow "no" { principal = anyone, when = function(r)
  local from = r.body.json
  if has(r.query, "in") then from = from[r.query["in"]] end
  if not has(from, r.query.name) then return false, "absent" end
  return false, said(from[r.query.name])
end } }
"""


class Refused(Exception):
    """A document that policy must not accept, and why."""


# --- names ---------------------------------------------------------------------------------------------------------

def simple_fold(text):
    """Unicode's simple case folding (CaseFolding.txt, C and S), character by character."""
    return "".join(next((f for f in (c.casefold(), c.lower()) if len(f) == 1), c) for c in text)


def fold_either_way(name, other):
    """Equal only under full case folding (ß is ss): policy may treat these as equal or not."""
    return simple_fold(name) != simple_fold(other) and name.casefold() == other.casefold()


# --- numbers -------------------------------------------------------------------------------------------------------

def number(token):
    """How policy must read a number, and whether that is certain. Raises Refused if it must be an error."""
    mantissa, _, exponent = token.lstrip("-").lower().partition("e")
    before, _, after = mantissa.partition(".")
    digits = (before + after).lstrip("0")
    if not digits:
        return "#i0", True
    shift = int(exponent or 0) - len(after)
    trailing = len(digits) - len(digits.rstrip("0"))
    if shift + trailing >= 0:  # a whole number
        if len(digits) + shift > 16:
            raise Refused("a whole number beyond 2^53-1")
        value = int(digits) * 10**shift if shift >= 0 else int(digits[:shift])
        if value > LARGEST:
            raise Refused("a whole number beyond 2^53-1")
        return f"#i{-value if token.startswith('-') else value}", True
    value = float(token)
    # Not certain if the nearest double is whole, as for 1.00000000000000000001 and 1e-400.
    return f"#f{value!r}", not value.is_integer()


def canonical(text, marks=False):
    """The text with all numbers in one notation; `marks` keeps the i of integers and the f of floats."""
    def rewrite(match):
        mark, token = match.groups()
        mark = mark if marks else ""
        if re.fullmatch(r"-?\d+", token):
            return f"#{mark}{int(token)}"
        value = float(token)
        return f"#{mark}{int(value) if value.is_integer() else repr(value)}"

    return re.sub(r"#([ifn])([^,\]}]*)", rewrite, text)


# --- the strict reader ---------------------------------------------------------------------------------------------

class Number(str):
    pass


def refuse_constant(text):
    raise Refused(f"{text} is not a number")


def unique(pairs):
    if len({name for name, _ in pairs}) < len(pairs):
        raise Refused("a name that appears twice")
    return dict(pairs)


STRICT = json.JSONDecoder(object_pairs_hook=unique, parse_float=Number, parse_int=Number, parse_constant=refuse_constant)


def strict(document):
    """The document parsed as RFC 8259 requires; numbers stay text. Raises Refused."""
    try:
        return STRICT.decode(document.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refused("invalid UTF-8") from None
    except json.JSONDecodeError as e:
        raise Refused(f"not JSON: {e.msg}") from None
    except RecursionError:
        raise Refused("too deep") from None


def text_of(value):
    try:
        return value.encode().hex()
    except UnicodeEncodeError:
        raise Refused("a lone surrogate") from None


def check_depth(value, depth=0):
    if type(value) not in (dict, list):
        return
    if depth == DEEPEST:
        raise Refused("too deep")
    for item in value.values() if type(value) is dict else value:
        check_depth(item, depth + 1)


def render_strict(value):
    """What policy must render for a value from strict(), and whether that is certain. Raises Refused."""
    certain = True

    def write(v):
        nonlocal certain
        if v is None:
            raise Refused("a null in a list")
        if type(v) is bool:
            return "true" if v else "false"
        if type(v) is Number:
            text, sure = number(v)
            certain &= sure
            return text
        if type(v) is str:
            return f'"{text_of(v)}"'
        if type(v) is list:
            return f"[{len(v)}|" + ",".join(write(item) for item in v) + "]"
        if len({simple_fold(name) for name in v}) < len(v):
            raise Refused("names that differ by case")
        certain &= len({name.casefold() for name in v}) == len(v)
        parts = [(text_of(name), item) for name, item in v.items()]
        return "{" + ",".join(sorted(f"{name}:{write(item)}" for name, item in parts if item is not None)) + "}"

    return canonical(write(value), marks=True), certain


def expected(document):
    """What policy must render for the whole document, and whether that is certain. Raises Refused."""
    value = strict(document)
    check_depth(value)
    if value is None:
        raise Refused("null is not a value")
    return render_strict(value)


# --- the readers ---------------------------------------------------------------------------------------------------

def render_python(v):
    """Renders what Python's json read in a document."""
    if v is None or type(v) is bool:
        return {None: "null", True: "true", False: "false"}[v]
    if type(v) is str:
        return '"%s"' % v.encode("utf-8", "surrogatepass").hex()
    if type(v) in (int, float):
        return f"#n{v!r}"
    if type(v) is list:
        return f"[{len(v)}|" + ",".join(map(render_python, v)) + "]"
    return "{" + ",".join(sorted(f"{name.encode('utf-8', 'surrogatepass').hex()}:{render_python(item)}" for name, item in v.items() if item is not None)) + "}"


def python(documents):
    """What Python's json reads in the documents; None for one that it refuses."""
    out = []
    for document in documents:
        try:
            out.append(canonical(render_python(json.loads(document))))
        except (ValueError, RecursionError):
            out.append(None)
    return out


def reader(command, asked):
    """What another program reads in documents; None for one that it refuses. Each entry is (document,) or (document, name,
    whether to look in `item`). Each input line is base64, then the hex of the name and true or false; each output line is
    a rendering or "-"."""
    lines = []
    for document, *name in asked:
        words = [base64.b64encode(document).decode()]
        if name:
            words += [name[0].encode().hex(), "true" if name[1] else "false"]
        lines.append(" ".join(words) + "\n")
    done = subprocess.run(command, input="".join(lines).encode(), capture_output=True, timeout=60 * SLOW)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    rows = done.stdout.decode().splitlines()
    assert len(rows) == len(asked), f"{command[0]} answered {len(rows)} times of {len(asked)}"
    return [None if row == "-" else canonical(row) for row in rows]


def node(documents):
    return reader(["node", str(READER)], [(document,) for document in documents])


class Said:
    """What policy recorded for one request: `text` is the reason, `errors` are the errors of rules."""

    def __init__(self, row):
        self.text = row["reason"]
        self.errors = row["errors"]

    @property
    def read(self):
        return not self.errors


def buffered(y, **route):
    """Makes `y` plaintext, with buffered bodies and a budget that is enough to walk whole documents."""
    y.plaintext()
    y.listener["routes"][0].update({"buffer_body": "64KiB", **route})
    y.config["policy"]["budget"] = {"instructions": 10_000_000, "memory": "16MiB"}
    y.config["workers"] = 1
    y.write_config()
    return y


def ask(y, requests):
    """Sends requests on one connection; each is a body, or (path, headers, body), or (path, headers, body, query).
    Returns a Said for each."""
    y.asked = getattr(y, "asked", 0)
    first = y.asked
    pieces = []
    for request in requests:
        path, headers, body, *query = request if type(request) is tuple else ("", ["content-type: application/json"], request)
        target = f"{path}/ask/{y.asked}" + ("?" + urllib.parse.urlencode(query[0]) if query else "")
        head = [f"POST {target} HTTP/1.1", "host: a", f"content-length: {len(body)}", *headers]
        pieces.append("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        y.asked += 1
    answers = 0
    seen = b""
    with y.raw(timeout=30) as s:
        sender = threading.Thread(target=s.sendall, args=(b"".join(pieces),), daemon=True)
        sender.start()
        while answers < len(pieces):
            piece = s.recv(65536)
            assert piece, f"the connection ended after {answers} answers: {seen[-400:]}"
            seen += piece
            statuses = re.findall(rb"HTTP/1\.1 (\d\d\d) ", seen)
            assert set(statuses) <= {b"403"}, seen[-2000:]
            answers += len(statuses)
            seen = seen[seen.rfind(b"HTTP/1.1 403 ") + 13:][-12:] if statuses else seen[-12:]
        sender.join()

    def rows():
        found = {}
        for row in y.query():
            at = row["path"].rpartition("/ask/")[2]
            if at.isdigit() and int(at) >= first:
                found[int(at)] = Said(row)
        return found if len(found) == len(pieces) else None

    found = wait_for("the records", rows, 20)
    return [found[first + i] for i in range(len(pieces))]


# --- the generator -------------------------------------------------------------------------------------------------

ODD_NUMBERS = """0 -0 0.0 -0.0 0e0 -0E+0 0e99999 0e-99999 0.000e5 7 7.0 7e0 70e-1 0.7e1 1E+2 1e2 100.00 0.1e1 1e400 -1e400 1e-400
-1e-400 1e22 1E-2 9007199254740991 9007199254740991.0 -9007199254740991 9007199254740992 -9007199254740992 9007199254740993
-9007199254740993 9007199254740991.5 9007199254740990.5 4503599627370497.5 900719925474099.1e1 9007199254740993e0
90071992547409930e-1 123456789012345678901234567890 -123456789012345678901234567890 9223372036854775807 9223372036854775808
-9223372036854775808 -9223372036854775809 18446744073709551615 18446744073709551616 2147483648 4294967296 0.1 0.2 0.3
1.7976931348623157e308 1.7976931348623159e308 5e-324 2.2250738585072011e-308 2.2250738585072014e-308 2.4703282292062327e-324
1.0000000000000000001 0.99999999999999999999 123.456e78 123.456e-789 0.500000000000000166533453693773481063544750213623046875
3.141592653589793238462643383279 1e15 1e16 1e17 1.5e3 1.25e1 12.5e-1 1e0 1e-0 1e+0 1e00 1e-1 10e-1 1e00000000000000000002""".split()
ODD_NUMBERS += ["1" + "0" * 30, "1" + "0" * 30 + "e-30", "0." + "0" * 30 + "1e31", "-" + "0." + "0" * 30 + "1e31", "1e" + "9" * 20, "1e-" + "9" * 20, "0e" + "9" * 20, "1" + "0" * 400 + "e-400",
                "0." + "3" * 60, "1" + "0" * 16 + ".5"]
NO_NUMBERS = ["01", "-01", "00", "+1", ".5", "5.", "1.e1", "1e", "1e+", "-", "--1", "0x10", "1_000", "1,0", "NaN", "-NaN", "Infinity", "-Infinity", "inf", "nan", "1f", "1L", "1n", "0b1", "0o7", "\uff11", "\u0661", "1e1.5", "1 2",
              "- 1", "1e 1", "-.5", "0.e1", "TRUE", "True", "FALSE", "Null", "NULL", "None", "nil", "undefined", "tru", "nul", "yes"]

# Names with spellings that are equal under simple case folding, and spellings that only look equal.
SPELLINGS = {
    "kind": ["kind", "Kind", "KIND", "kInD", "\u212aind", "\u212aIND", "kınd", "KİND", "k\u0456nd", "kin\uff44", "kind\u0000", "kind "],
    "user": ["user", "User", "USER", "u\u017fer", "U\u017fER", "uʂer", "us\u0435r", "u\u00dfer", "user\u200b"],
    "amount": ["amount", "Amount", "AMOUNT", "aMOUNt", "am\u03bfunt", "amounT", "a_mount", "a-mount", "ämount"],
    "straße": ["straße", "STRAẞE", "Straße", "straẞe", "strasse", "STRASSE", "\u017ftraße"],
    "\u03c3\u03af\u03b3\u03bc\u03b1\u03c2": ["\u03c3\u03af\u03b3\u03bc\u03b1\u03c2", "\u03a3\u038a\u0393\u039c\u0391\u03a3", "\u03c3\u03af\u03b3\u03bc\u03b1\u03c3", "\u03c2\u03af\u03b3\u03bc\u03b1\u03c2", "\u03a3\u03af\u03b3\u03bc\u03b1\u03c3",
                                             "\u03c3\u03b9\u0301\u03b3\u03bc\u03b1\u03c2", "\u03c3\u1f77\u03b3\u03bc\u03b1\u03c2"],
    "id": ["id", "ID", "Id", "\u0130d", "\u0131d", "i\u0307d", "I\u0307D", "\u026ad"],
    "µ": ["µ", "\u03bc", "\u039c", "m", "MU"],
    "åse": ["åse", "Åse", "\u212bse", "ÅSE", "a\u030ase", "å\u017fe"],
    "жук": ["жук", "ЖУК", "Жук", "жyк"],
    "ǆ": ["ǆ", "Ǆ", "ǅ", "dž"],
    "\U00010428": ["\U00010428", "\U00010400", "\U00010429"],
}
NAMES = list(SPELLINGS)
PLAIN_NAMES = ["a", "b", "c", "name", "items", "to", "", " ", "0", "1", "__proto__", "constructor", "toString", "len", "n", "end", "$ref", "a.b", "a/b", "\u00e9", "日", "\U0001f600", "\u0000", "\uffff"]
PIECES = ["a", "Z", "7", " ", "/", "//", "/*", "'", "é", "日", "\U0001f600", "\u2028", "\u00a0", "\x7f", "\u0080", "\uffff", "\ufeff", "\ufffd", "\u202e"]
ESCAPES = ["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000", "\\u0041", "\\u00e9", "\\u2028", "\\uffff", "\\uFEFF", "\\ud83d\\ude00", "\\uDBFF\\uDFFF", "\\uD800\\uDC00", "\\u005c", "\\u0022", "\\u001f"]
BAD_ESCAPES = ["\\ud800", "\\udc00", "\\uDBFF", "\\ude00\\ud83d", "\\ud800\\ud800", "\\ud800x", "\\ud800\\n", "\\ud800\\u0041", "\\x41", "\\a", "\\v", "\\0", "\\'", "\\U0041", "\\u12", "\\u00g0", "\\u{41}", "\\u 041", "\\u+041", "\\u0x41", "\\ ", "\\\n",
               "\n", "\t", "\x00", "\x1f", "\x01"]
BAD_BYTES = [b"\x80", b"\xff", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf0\x80\x80\x80", b"\xc3", b"\xe2\x82", b"\xf8\x88\x80\x80\x80"]
SPACE = ["", "", "", "", " ", "\n", "\t", "\r", "\r\n", "  "]
BAD_SPACE = ["\u00a0", "\f", "\v", "\u2028", "\u3000", "\ufeff", "\x00", "\x1a", "/**/", "//x\n", "#x\n", "<!---->", "\u0085", "\\n", ";"]
INSERTS = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"/", b"'", b"0", b"-", b"+", b".", b"e", b"E", b"t", b"f", b"n", b"\x00", b" ", b"\n", b"\x0c", b"\x0b", b"\xc2\xa0", b"\xef\xbb\xbf", b"\xfe", b"#", b"*", b"null", b",null", b"NaN", b"1e999"]


class Generator:
    """Generates documents from a seed. `evil` is the probability of an error at each place where one is possible."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.evil = 0.0

    def wrong(self):
        return self.random.random() < self.evil

    def pick(self, choices):
        return self.random.choice(choices)

    def space(self):
        return self.pick(BAD_SPACE if self.wrong() else SPACE)

    def number(self):
        if self.wrong():
            return self.pick(NO_NUMBERS)
        kind = self.random.random()
        if kind < 0.4:
            return self.pick(ODD_NUMBERS if self.evil else TAME_NUMBERS)
        if kind < 0.6:
            return str(self.random.randrange(-1000, 1000))
        text = self.pick(["", "-"]) + str(self.random.randrange(10 ** self.random.randrange(1, 8)))
        if self.random.random() < 0.6:
            text += "." + "".join(self.pick("0123456789") for _ in range(self.random.randrange(1, 6)))
        if self.random.random() < 0.4:
            text += self.pick("eE") + self.pick(["", "+", "-"]) + str(self.random.randrange(6))
        return text

    def quoted(self, text=None):
        if text is None:
            text = "".join(self.pick(PIECES) for _ in range(self.random.randrange(5)))
        out = ""
        for c in text:
            if c in '"\\' or c < " " or self.random.random() < 0.05:
                units = c.encode("utf-16-be")
                out += "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
            else:
                out += c
        for _ in range(self.pick([0, 0, 1, 2])):
            out += self.pick(ESCAPES)
        if self.wrong():
            out += self.pick(BAD_ESCAPES)
        return f"'{out}'" if self.wrong() and self.wrong() else f'"{out}"'

    def name(self):
        return self.pick(PLAIN_NAMES) if self.random.random() < 0.7 else self.pick(self.pick(list(SPELLINGS.values())))

    def separators(self, parts, opening, closing):
        out = opening + self.space()
        for i, part in enumerate(parts):
            out += ("" if i == 0 else self.pick(["", ",,", ";", " "]) if self.wrong() else ",") + self.space() + part + self.space()
        if self.wrong():
            out += ","
        return out + ("" if self.wrong() and self.wrong() else closing)

    def object(self, depth):
        parts = []
        seen = set()
        for _ in range(self.random.randrange(5)):
            name = self.name()
            if not self.evil and simple_fold(name) in seen:
                continue
            seen.add(simple_fold(name))
            # quoted() may append an escape, which would change the name; so it is used only for wrong names.
            written = json.dumps(name, ensure_ascii=self.random.random() < 0.3) if not self.wrong() else self.pick([name, f"'{name}'", "1", "null", self.quoted(name)])
            parts.append(written + self.space() + (self.pick(["", "::", "=", "=>"]) if self.wrong() else ":") + self.space() + self.value(depth + 1, null=True))
        return self.separators(parts, "{", "}")

    def value(self, depth=0, null=False):
        kind = self.random.random()
        if depth < 4 and kind < 0.45:
            if kind < 0.25:
                return self.object(depth)
            return self.separators([self.value(depth + 1, null=self.wrong()) for _ in range(self.random.randrange(4))], "[", "]")
        if kind < 0.7:
            return self.number()
        if kind < 0.9:
            return self.quoted()
        return self.pick(["true", "false", "null"] if null else ["true", "false"])

    def deep(self):
        depth = self.pick([30, 31, 32, 33, 34, 100])
        innermost = self.pick(["", "1", '"a"', "{}", "[]"])
        if self.random.random() < 0.5:
            return "[" * depth + innermost + "]" * depth
        return '{"a":' * depth + (innermost or "{}") + "}" * depth

    def mutated(self, document):
        data = bytearray(document)
        for _ in range(self.pick([1, 1, 1, 2, 3])):
            at = self.random.randrange(len(data) + 1)
            how = self.random.random()
            if how < 0.3 or not data:
                data[at:at] = self.pick(INSERTS)
            elif how < 0.55:
                del data[at:at + self.pick([1, 1, 1, 2, 5])]
            elif how < 0.75:
                data[at % len(data)] ^= 1 << self.random.randrange(8)
            elif how < 0.9:
                data[at:at] = self.pick(BAD_BYTES)
            else:
                del data[at:]
        return bytes(data)

    def document(self):
        self.evil = self.pick([0.0, 0.0, 0.02, 0.1])
        if self.random.random() < 0.03:
            return self.deep().encode()
        text = self.space() + (self.object(0) if self.random.random() < 0.6 else self.value()) + self.space()
        if self.wrong():
            text += self.pick(["x", "{}", "1", ",", "]", "}", "null", "\x00", "//", "#"])
        data = text.encode()
        if self.wrong():
            data = b"\xef\xbb\xbf" + data
        if self.wrong() and self.wrong():
            data = text.encode(self.pick(["utf-16", "utf-16-le", "utf-16-be", "utf-32"]))
        return self.mutated(data) if self.random.random() < 0.3 else data

    def named(self):
        """(name, whether it is looked up in the object `item`, document with the name, its spellings and other names)."""
        self.evil = 0.0
        name = self.pick(NAMES)
        parts = []
        for _ in range(self.random.randrange(1, 4)):
            spelling = self.pick([name, *SPELLINGS[name]]) if self.random.random() < 0.7 else self.name()
            value = self.pick(["null", "1", '"x"', "false", "[]", "{}", '{"a":1}', "[1,2]"])
            parts.append(json.dumps(spelling, ensure_ascii=self.random.random() < 0.3) + ":" + value)
        nested = self.random.random() < 0.3
        text = "{" + ",".join(parts) + "}"
        if nested:
            text = '{"' + self.pick(["item", "item", "item", "Item"]) + '":' + text + "}"
        return name, nested, text.encode()


def tame(token):
    try:
        number(token)
        return len(token) < 30
    except Refused:
        return False


TAME_NUMBERS = [token for token in ODD_NUMBERS if tame(token)]


def written_down():
    """Handwritten documents: known edge cases that should not depend on the generator."""
    values = [*ODD_NUMBERS, *NO_NUMBERS, "null", "true", "false", "{}", "[]", "[[]]", "[{}]", '{"a":[]}', '{"a":{}}', '{"a":null}', "[null]", "[1,null]", "[null,1]", "[1,null,3]", "[[null]]", '[{"a":null}]', '{"a":[null]}']
    values += [f'"{text}"' for text in PIECES + ESCAPES + BAD_ESCAPES]
    values += [left + right for left in ("[1", '{"a":1') for right in ("", ",", ",]", ",}", "}", "]", "]]", "}}", "] x", "} x")]
    values += ["[1,]", "[,1]", "[1,,2]", '{"a":1,}', '{,"a":1}', "{'a':1}", "{a:1}", "{1:1}", '{"a"}', '{"a":}', '{:1}', '{"a":1 "b":2}', '{"a":1;"b":2}', '{"a"=1}', "", " ", "\n", "\x00", "[1]\x00", "//\n1", "/**/1", "1//", "1/**/", "#\n1", "1 1", "'a'", '"a', "{", "[", "]", "}", '"']
    values += [f"{a}{value}{b}" for value in ("1", "[1]", '{"a":1}') for space in BAD_SPACE for a, b in ((space, ""), ("", space))]
    values += ["[" + space + "1" + space + "]" for space in BAD_SPACE + SPACE]
    values += ['{"a":1,"a":2}', '{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"":1,"":2}', '{"a":{"b":1,"b":2}}', '[{"a":1,"a":2}]', '{"a":null,"a":1}', '{"a":1,"a":null}', '{"\\ud83d\\ude00":1,"\U0001f600":2}', '{"a\\u0000":1,"a":2}', '{"a\\u0000b":1,"a\\u0000c":2}', '{"a":1,"a ":2}',
               '{"\u00e9":1,"e\u0301":2}', '{"__proto__":1,"__proto__":2}', '{"a":1,"A":2}', '{"a":{"b":1,"B":2}}', '[{"a":1,"A":2}]', '{"a":null,"A":1}', '{"a":1,"A":null}']
    values += [json.dumps({first: 1, second: 2}) for spellings in SPELLINGS.values() for first in spellings for second in spellings if first != second]
    for depth in (1, 30, 31, 32, 33, 34, 99, 100, 101, 1000, 20_000):
        values += ["[" * depth + "]" * depth, "[" * depth + "1" + "]" * depth, '{"a":' * depth + "{}" + "}" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth, '[{"a":' * (depth // 2) + "1" + "}]" * (depth // 2)]
    values = [v for v in values if len(v) < 60_000]
    out = [v.encode() for v in values]
    for bad in BAD_BYTES:
        out += [b'"' + bad + b'"', b'{"' + bad + b'":1}', b"[1" + bad + b"]", bad + b"1", b"1" + bad, b'"\\' + bad + b'"', b'"\\u00' + bad + b'"']
    for text in ("1", "[1]", '{"a":1}', '"a"', '"é"'):
        out += [text.encode(e) for e in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-7", "cp037", "latin-1")]
        out += [b"\xfe\xff" + text.encode(), b"\xff\xfe" + text.encode(), b"\xef\xbb" + text.encode()]
    return out


def folding_characters():
    """All characters that simple folding changes, with their folded form."""
    return [(chr(c), simple_fold(chr(c))) for c in range(0x80, 0x110000) if not 0xd800 <= c < 0xe000 and unicodedata.category(chr(c)) != "Cn" and simple_fold(chr(c)) != chr(c)] + [(c, c.lower()) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
