#include "engine/json_engine.h"

#include <catch2/catch.hpp>

#include "lua/engine.h"
#include "rule/lint.h"

using namespace yett;

namespace {

std::string problemsOf(const std::string& text) {
  policy::PolicySource source;
  source.files["r.json"] = text;
  std::vector<std::string> problems;
  const auto set = engine::JsonRuleSet::load(source, problems);
  CHECK((set == nullptr) == !problems.empty());
  std::string all;
  for (const auto& problem : problems) all += problem + "\n";
  return all;
}

std::string fieldsOf(const std::string& fields) {
  return "{\"policies\": {\"p\": {\"rules\": [\n{" + fields + "}]}}}";
}

std::string warningsOf(const std::string& rules) {
  policy::PolicySource source;
  source.files["p.lua"] = "policy 'p' {\n" + rules + " }";
  std::vector<std::string> problems;
  const auto set = lua::LuaRuleSet::load(source, problems);
  INFO((problems.empty() ? "" : problems[0]));
  REQUIRE(set != nullptr);
  std::string all;
  for (const auto& warning : set->warnings()) all += warning + "\n";
  return all;
}

}  // namespace

TEST_CASE("rules: every mistake is reported, with its line") {
  struct Case {
    const char* text;
    const char* problem;
  };
  const std::string long_list = fieldsOf("\"deny\": \"a\", \"path\": [\"/a\", 5]");
  for (const Case& c : {Case{"", "r.json:"}, Case{"[]", "the file is an array, must be an object"},
                        Case{"{}", "`policies` is missing"}, Case{"{\"policies\": {}}", "contains no rule"},
                        Case{"{\"policies\": {}, \"polices\": {}}", "did you mean `policies`?"},
                        Case{"{\"policies\": {\"p\": {\"rules\": {}}}}", "`rules` must be an array"},
                        Case{"{\"policies\": {\"p\": {\"rules\": [5]}}}", "a rule is a number"}}) {
    INFO(c.text);
    CHECK(problemsOf(c.text).find(c.problem) != std::string::npos);
  }
  CHECK(problemsOf(fieldsOf("\"deny\": \"a\"")).empty());
  CHECK(problemsOf(fieldsOf("\"deny\": \"a\", \"allow\": \"b\"")).find("r.json:2: a rule needs either") !=
        std::string::npos);
  CHECK(problemsOf(fieldsOf("\"deny\": \"a\", \"pathh\": \"/a\""))
            .find("r.json:2: rule `a`: unknown field `pathh`, did you mean `path`?") != std::string::npos);
  CHECK(problemsOf(fieldsOf("\"deny\": \"a\", \"when\": \"x\"")).find("unknown field `when`") != std::string::npos);
  CHECK(problemsOf(fieldsOf("\"allow\": \"a\"")).find("an allow must have a `principal`") != std::string::npos);
  CHECK(problemsOf(fieldsOf("\"deny\": \"a\", \"path\": {\"re\": \"(\"}")).find("re `(`") != std::string::npos);
  CHECK(problemsOf(fieldsOf("\"deny\": \"a\", \"status\": 200")).find("must be 401, 403, 404 or 429") !=
        std::string::npos);
  CHECK(problemsOf(fieldsOf("\"deny\": \"a\", \"audit_only\": 1")).find("must be true or false") != std::string::npos);
  CHECK(problemsOf(fieldsOf("\"deny\": \"a\", \"header\": {}")).find("must be an object of names") !=
        std::string::npos);
  CHECK(problemsOf(fieldsOf("\"deny\": \"a\", \"deny\": \"b\"")).find("appears twice") != std::string::npos);
  CHECK(problemsOf(long_list).find("`path` is a number") != std::string::npos);
  CHECK(problemsOf(fieldsOf("\"deny\": \"a\"}, {\"deny\": \"a\"")).find("already has a rule with this name") !=
        std::string::npos);
}

TEST_CASE("check: warns only of what is probably a mistake") {
  CHECK(warningsOf("allow 'a' { principal = anyone }").find("`a` allows everyone everything") != std::string::npos);
  CHECK(warningsOf("allow 'a' { principal = anyone, path = '/**' }").find("allows everyone everything") !=
        std::string::npos);
  CHECK(warningsOf("deny 'd' { path = '/a/**' },\nallow 'a' { principal = authenticated, path = '/a/{id}' }")
            .find("p.lua:3: rule `a` can never allow: `d` (p.lua:2) denies everything it matches") !=
        std::string::npos);
  CHECK(warningsOf(
            "allow 'a' { principal = authenticated, path = '/**' }, allow 'b' { principal = 'spiffe://x.org/a', path "
            "= '/b' }")
            .find("`b` changes nothing: `a`") != std::string::npos);
  CHECK(warningsOf("deny 'a' { path = '/x' }, deny 'b' { path = '/x' }").find("matches the same requests as") !=
        std::string::npos);
  CHECK(warningsOf(
            "deny 'd' { path = '/a/**', method = 'POST' }, allow 'a' { principal = authenticated, path = '/a/{id}' }")
            .empty());
  CHECK(warningsOf("deny 'd' { path = '/a/**', header = { x = '1' } }, allow 'a' { principal = authenticated, path = "
                   "'/a/{id}' }")
            .empty());
  CHECK(warningsOf("deny 'd' { path = '/a/b' }, allow 'a' { principal = authenticated, path = '/a/{id}' }").empty());
  CHECK(warningsOf(
            "deny 'd' { path = '/a/**', audit_only = true }, allow 'a' { principal = authenticated, path = '/a/b' }")
            .empty());
}
