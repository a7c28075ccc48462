// The warnings of `yett check` for rules that load.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "engine/json_engine.h"
#include "lua/engine.h"
#include "policy/policy_source.h"

using namespace yett;

namespace {

// The warnings for a policy with these rules; `before`: text before it in the file.
std::string warningsOf(const std::string& rules, const std::string& before = "") {
  policy::PolicySource source;
  source.files["p.lua"] = before + "policy 'p' {\n" + rules + " }";
  std::vector<std::string> problems;
  const auto set = lua::LuaRuleSet::load(source, problems);
  INFO((problems.empty() ? "" : problems[0]));
  REQUIRE(set != nullptr);
  std::string all;
  for (const auto& warning : set->warnings()) all += warning + "\n";
  return all;
}

// The warnings for a JSON rule with these fields.
std::string problemsOf(const std::string& fields) {
  policy::PolicySource source;
  source.files["r.json"] = "{\"policies\": {\"p\": {\"rules\": [\n{" + fields + "}]}}}";
  std::vector<std::string> problems;
  engine::JsonRuleSet::load(source, problems);
  std::string all;
  for (const auto& problem : problems) all += problem + "\n";
  return all;
}

}  // namespace

TEST_CASE("lint: matchers that exclude each other, methods that do not exist, names that look alike") {
  const auto warns = [](const std::string& rules, const std::string& wanted) {
    INFO(rules);
    const std::string all = warningsOf(rules);
    INFO(all);
    return wanted.empty() ? all.empty() : all.find(wanted) != std::string::npos;
  };
  CHECK(warns("allow 'a' { principal = authenticated, path = '/a/b', not_path = '/a/**' }",
              "can never match: `not_path`"));
  CHECK(warns("allow 'a' { principal = authenticated, path = '/a/**/b', not_path = '/a/**' }",
              "can never match: `not_path`"));
  CHECK(warns("allow 'a' { principal = authenticated, path = '/a/*.txt', not_path = '/a/*' }",
              "can never match: `not_path`"));
  CHECK(warns("allow 'a' { principal = authenticated, path = '/a/**.txt', not_path = '/a/**.txt' }",
              "can never match: `not_path`"));
  CHECK(warns("allow 'a' { principal = authenticated, path = '/a/**', not_path = '/a/**/b' }", ""));
  CHECK(warns("allow 'a' { principal = authenticated, path = '/a/**/b', not_path = '/a/*/b' }", ""));
  CHECK(warns("allow 'a' { principal = authenticated, path = '/a/b', not_path = '/a/*.txt' }", ""));
  CHECK(warns("allow 'a' { principal = authenticated, path = '/a/**/b', not_path = '/a/x/**' }", ""));
  CHECK(warns("allow 'a' { principal = authenticated, path = '/A', not_path = '/a' }", "can never match: `not_path`"));
  CHECK(warns("allow 'a' { principal = authenticated, path = { '/a', '/b' }, not_path = '/a' }", ""));
  CHECK(warns("deny 'a' { path = '/a', not_path = '/a' }", ""));  // it still denies /A
  CHECK(warns("deny 'a' { path = '/a', not_path = '/a', case = 'exact' }", "can never match: `not_path`"));
  CHECK(warns("allow 'a' { principal = 'spiffe://e.org/a', not_principal = 'spiffe://e.org/*' }",
              "can never match: `not_principal`"));
  CHECK(
      warns("allow 'a' { principal = authenticated, host = 'a.b', not_host = '*.b' }", "can never match: `not_host`"));
  CHECK(warns("allow 'a' { principal = authenticated, method = 'GTE' }",
              "the method `GTE`, which no registry knows, did you mean `GET`?"));
  CHECK(warns("allow 'a' { principal = authenticated, method = 'PROPFIND' }", ""));
  CHECK(warns("allow 'a' { principal = authenticated, method = 'GET', grpc = 'a.B/C' }", "a gRPC call is a POST"));
  CHECK(warns("allow 'a' { principal = authenticated, method = { 'GET', 'POST' }, grpc = 'a.B/C' }", ""));
  CHECK(
      warns("allow 'read orders' { principal = authenticated, path = '/a' }, allow 'Read-Orders' { principal = "
            "authenticated, path = '/b' }",
            "has nearly the name of"));
  CHECK(warns("allow 'b\xd0\xb0nk' { principal = authenticated, path = '/a' }",
              "mixes Latin with Greek or Cyrillic letters"));
  CHECK(warns("allow '\xd0\xb1\xd0\xb0\xd0\xbd\xd0\xba' { principal = authenticated, path = '/a' }", ""));
}

TEST_CASE("lint: mistakes that a condition would show only when it runs") {
  const auto warns = [](const std::string& body, const std::string& wanted, const std::string& before = "",
                        const std::string& kind = "deny", const std::string& more = "") {
    const std::string rules = kind + " 'a' { " + (kind == "allow" ? "principal = authenticated, " : "") + more +
                              "path = '/a', when = function(r) " + body + " end }";
    INFO(before + rules);
    const std::string all = warningsOf(rules, before);
    INFO(all);
    return wanted.empty() ? all.empty() : all.find(wanted) != std::string::npos;
  };
  CHECK(warns("return r.pth == '/x'", "a request has no field `pth`: reading it is an error, did you mean `path`?"));
  CHECK(warns("return r.principal.pathh == '/x'", "`principal` has no field `pathh`"));
  CHECK(warns("return has(r.header, 'X-Env')", "header `X-Env`: write header names in lower case"));
  CHECK(warns("return #r:headers('x') > 1", ""));
  CHECK(warns("return has(r.query, 'Anything')", ""));
  CHECK(warns("return r.params.id == '1'", "`path` captures no `id`"));
  CHECK(warns("return r.headers['x-a'] == '1'", "`r.headers` is a function"));
  CHECK(warns("return r.jwt.corp.groups == 'x'", "a token has no `groups`"));
  CHECK(warns("return r.jwt_svid.subjct == 'x'", "`jwt_svid` has no field `subjct`"));
  CHECK(warns("return r:header('x-a') == '1'", "a request has no method `header`"));
  CHECK(warns("return r.query.a == nil", "an absent value is an error, never nil"));
  CHECK(warns("return string.startswith(r.path, '/')", "`string` has no `startswith`"));
  CHECK(warns("return json.parse(r.path)", "`json` has no `parse`, did you mean `decode`?"));
  CHECK(warns("return M:check(r)", "", "local M = {}\nfunction M:check(r) return self ~= nil end\n"));
  CHECK(warns("return #r:headers('x-env') > 0 and r.header['x-env'] == 'a'", ""));
  CHECK(warns("return helper(r) and r.header['x-env'] == 'a'", "",
              "local function helper(r) return has(r.header, 'x-env') end\n"));
  CHECK(warns("return ownr(r)", "`ownr` is not defined: reading it is an error, did you mean `owner`?",
              "local function owner(r) return true end\n"));
  CHECK(
      warns("local t = { unknown = 1 } for k, v in pairs(t) do if v == 1 then return true end end return t.x == nil "
            "and not t.unknown",
            ""));
  CHECK(warns("goto done ::done:: return true", ""));
  CHECK(warns("return r.header['x-env'] == 'prod'", "deny `a` also denies every request without the header `x-env`"));
  CHECK(warns("return r.header.env == 'prod'", "without the header `env`"));
  CHECK(warns("return r.header['x-env'] == 'prod'", "", "", "allow"));
  CHECK(warns("return has(r.header, 'x-env') and r.header['x-env'] == 'prod'", ""));
  CHECK(warns("return optional(r.header, 'x-env', '') == 'prod'", ""));
  CHECK(warns("return r.header['x-env'] == 'prod'", "", "", "deny", "header = { ['x-env'] = { 'prod', 'test' } }, "));
  CHECK(warns("local r = { pth = 1 } return r.pth == 1", ""));  // another r
}

TEST_CASE("one mistake is reported as one problem") {
  const auto count = [](const std::string& rules) {
    const std::string all = problemsOf(rules);
    INFO(all);
    return std::count(all.begin(), all.end(), '\n');
  };
  CHECK(count("\"allow\": \"a\", \"principl\": \"anyone\"") == 1);
  CHECK(count("\"allow\": \"a\", \"principal\": \"spiffe://\"") == 1);
  CHECK(count("\"allow\": \"a\", \"path\": \"/a\"") == 1);
}
