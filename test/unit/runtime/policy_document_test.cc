// A policy restored from the log is the same policy, whatever bytes its files contain.
#include "runtime/policy_document.h"

#include <catch2/catch.hpp>

#include "engine/json_engine.h"
#include "lua/engine.h"

using namespace yett;

namespace {

std::shared_ptr<const policy::PolicySet> setOf(const std::map<std::string, std::string>& files) {
  policy::PolicySource source;
  source.files = files;
  source.digest = policy::PolicySource::digestOf(files);
  std::vector<std::string> problems;
  auto rules = lua::LuaRuleSet::load(std::move(source), problems);
  INFO((problems.empty() ? "" : problems.front()));
  REQUIRE(rules != nullptr);
  return std::make_shared<const policy::PolicySet>(std::vector<policy::LoadedEngine>{{"main", false, rules}},
                                                   policy::Budget{});
}

constexpr const char* kSets =
    "policy 'p' { allow 'a' { principal = anyone, set_header = { ['x-b'] = '1', ['x-a'] = '2' } } }";

}  // namespace

TEST_CASE("policy document: files are restored byte for byte, and the headers that rules set are listed") {
  const std::map<std::string, std::string> cases[] = {
      {{"p.lua", kSets}},
      {{"p.lua", std::string("-- r\xe9gion\n") + kSets}},
      {{"p.lua", std::string("-- nul \0 and \x7f\n", 15) + kSets}},
      {{"p\xe9.lua", kSets}},
      {{"p.lua", std::string("local d = data 'caf\xe9.json' local e = data 'e.json'\n") + kSets},
       {"caf\xe9.json", "{}"},
       {"e.json", "[\"\xc3\xa9\"]"}},
  };
  for (const auto& files : cases) {
    const auto set = setOf(files);
    const std::string document = runtime::documentOf(*set);
    CHECK(runtime::ownedHeadersOf(document) == std::vector<std::string>{"x-a", "x-b"});
    const auto again = runtime::policyFromDocument(document);
    INFO((again ? "" : again.error().message));
    REQUIRE(again);
    CHECK(again.value()->digest() == set->digest());
    CHECK(again.value()->engines()[0].rules->files() == files);
  }
}

TEST_CASE("policy document: if the headers that rules set are missing or malformed, they are unknown") {
  CHECK_FALSE(runtime::ownedHeadersOf("{}").has_value());
  CHECK_FALSE(runtime::ownedHeadersOf("nonsense").has_value());
  CHECK_FALSE(runtime::ownedHeadersOf(R"({"owned_headers":"x-a"})").has_value());
  CHECK_FALSE(runtime::ownedHeadersOf(R"({"owned_headers":[1]})").has_value());
  CHECK(runtime::ownedHeadersOf(R"({"owned_headers":[]})") == std::vector<std::string>{});
  for (const char* hex : {"zz", "6", "6g"}) {
    const auto set =
        runtime::policyFromDocument(std::string(R"({"engines":[{"type":"lua","hex_files":{")") + hex + R"(":"61"}}]})");
    CHECK_FALSE(set);
  }
}
