// Rules learned from a log must not allow what the log denies.
#include "runtime/suggest.h"

#include <catch2/catch.hpp>

#include "lua/engine.h"

using namespace yett;

namespace {

audit::Row row(const std::string& principal, const std::string& method, const std::string& path, bool allowed) {
  audit::Row out{};
  out.principal = principal;
  out.method = method;
  out.path = path;
  out.effect = allowed ? "allow" : "deny";
  out.time = 1'800'000'000'000'000;
  return out;
}

std::vector<std::string> problemsOf(const runtime::Suggestion& suggestion) {
  policy::PolicySource source;
  source.files["p.lua"] = suggestion.policyText("p");
  std::vector<std::string> problems;
  lua::LuaRuleSet::load(std::move(source), problems);
  return problems;
}

}  // namespace

TEST_CASE("suggest: anonymous callers lead to a rule for everybody, with a deny for callers who were denied") {
  runtime::Learner learner;
  learner.add(row("", "GET", "/public", true));
  learner.add(row("spiffe://example.org/alice", "GET", "/public", true));
  learner.add(row("spiffe://example.org/bob", "GET", "/public", false));
  const auto out = learner.suggest();
  CHECK(problemsOf(out).empty());
  REQUIRE(out.denies.size() == 1);
  CHECK(out.denies[0].principals == std::set<std::string>{"spiffe://example.org/bob"});
}

TEST_CASE("suggest: a token that policy wanted stays wanted, and those that tokens kept out do not count") {
  runtime::Learner learner;
  const auto read = [](audit::Row row, const char* reads) {
    row.reads = reads;
    return row;
  };
  for (const char* path : {"/orders/1", "/orders/2"}) {
    learner.add(read(row("", "GET", path, true), R"({"jwt.corp.claims.groups":{"masked":true}})"));
    learner.add(read(row("", "GET", path, false), R"({"jwt.corp":null})"));
    audit::Row refused = row("", "GET", path, false);
    refused.rule = "authentication";
    learner.add(refused);
  }
  learner.add(row("", "GET", "/public", true));
  const auto out = learner.suggest();
  CHECK(problemsOf(out).empty());
  CHECK(out.denied == 2);
  CHECK(out.denies.empty());
  INFO(out.policyText("p"));
  REQUIRE(out.rules.size() == 2);
  CHECK(out.rules[0].path == "/orders/{order_id}");
  CHECK(out.rules[0].token == "corp");
  CHECK(out.rules[0].also_denied == 0);
  CHECK(out.rules[1].token.empty());
  CHECK(out.policyText("p").find("jwt       = \"corp\"") != std::string::npos);
  CHECK(out.testText().find("jwt = { corp = {} }") != std::string::npos);
}

TEST_CASE("suggest: requests that no rule can express are left out, and the rest still loads") {
  runtime::Learner learner;
  learner.add(row("spiffe://example.org/a", "GET", "/" + std::string(500, 'x'), true));
  learner.add(row("spiffe://example.org/a", "get", "/lower", true));
  learner.add(row("spiffe://example.org/a", "GET", "/star/*", true));
  learner.add(row("spiffe://example.org/a", "GET", "/quote%22%5C/\x01", true));
  learner.add(row("spiffe://example.org/a", "GET", "/fine", true));
  const auto out = learner.suggest();
  CHECK(out.left_out == 3);
  CHECK(problemsOf(out) == std::vector<std::string>{});
}

TEST_CASE("suggest: path templates generalize identifiers and segments with many values") {
  const auto t = runtime::templatesOf({"/orders/1", "/orders/2", "/orders/22/items", "/orders/23/items", "/v/7/x", "/7",
                                       "/users/a", "/users/b", "/health", "/", "/files/0123456789abcdef01",
                                       "/files/0123456789abcdef02", "/t/v1", "/t/v2", "/t/v3", "/t/v4", "/t/v5"});
  CHECK(t.at("/orders/1") == "/orders/{order_id}");
  CHECK(t.at("/orders/22/items") == "/orders/{order_id}/items");
  CHECK(t.at("/users/a") == "/users/a");
  CHECK(t.at("/t/v3") == "/t/{t_id}");
  CHECK(t.at("/files/0123456789abcdef01") == "/files/{file_id}");
  CHECK(t.at("/") == "/");
  CHECK(t.at("/v/7/x") == "/v/7/x");  // one value: a placeholder would also allow /v/admin/x
  CHECK(t.at("/7") == "/7");
}

TEST_CASE("suggest: the host is part of what was seen, and the width of a rule is said") {
  runtime::Learner learner;
  const auto at = [](const char* host, const std::string& path, bool allowed) {
    auto out = row("spiffe://example.org/a", "GET", path, allowed);
    out.host = host;
    return out;
  };
  learner.add(at("one.example.org", "/x/1", true));
  learner.add(at("one.example.org", "/x/2", true));
  learner.add(at("two.example.org", "/y", true));
  learner.add(at("two.example.org", "/x/1", false));
  const auto out = learner.suggest();
  CHECK(problemsOf(out).empty());
  REQUIRE(out.rules.size() == 2);
  CHECK(out.denies.empty());  // another host
  CHECK(out.rules[0].hosts == std::set<std::string>{"one.example.org"});
  const std::string text = out.policyText("p");
  CHECK(text.find("host      = \"one.example.org\"") != std::string::npos);
  CHECK(text.find("-- WIDER than seen: {x_id} allows any segment; 2 values seen") != std::string::npos);
  CHECK(text.find("WIDER") == text.rfind("WIDER"));
}
