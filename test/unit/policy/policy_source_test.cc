#include <catch2/catch.hpp>
#include <filesystem>

#include "engine/json_engine.h"
#include "lua/duplicates.h"
#include "lua/engine.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

std::string found(const std::string& text) {
  std::string out;
  for (const auto& twice : lua::duplicateFields(text))
    out += twice.name + "@" + std::to_string(twice.line) + "/" + std::to_string(twice.first) + " ";
  return out;
}

bool says(const std::vector<std::string>& list, const std::string& what) {
  return std::any_of(list.begin(), list.end(), [&](const auto& one) { return one.find(what) != std::string::npos; });
}

constexpr const char* kRules =
    "local d = data 'used.json'\nlocal l = require 'lib.used'\npolicy 'p' { allow 'a' { principal = anyone } }\n";

}  // namespace

TEST_CASE("policy source: only names that appear twice in one table are found") {
  const std::pair<const char*, const char*> cases[] = {
      {"t = { a = 1, a = 2 }", "a@1/1 "},
      {"t = {\n a = 1,\n b = 2,\n ['a'] = 3 }", "a@4/2 "},
      {"t = { [\"x-y\"] = 1; ['x-y'] = 2 }", "x-y@1/1 "},
      {"deny 'a' { not_path = '/a', when = function(r) local a, b = 1, 2 return a == b end, not_path = '/b' }",
       "not_path@1/1 "},
      {"t = { a = { a = 1 }, b = { a = 1, a = 2 } }", "a@1/1 "},
      {"t = { [[a]], [ [[a]] ] = 1, a = 2 }", "a@1/1 "},
      {"t = { a = f { a = 1, b = 2 }, b = 1 }", ""},
      {"t = { a = 1 } t.a = 2 t = { a = 3 }", ""},
      {"t = { a, a, a == a, f(a), (a), 'a', [[a]] }", ""},
      {"t = { f(a, b == 1, c), a = 1 }", ""},
      {"t = { function() a = 1 a = 2 return { a = 1 } end, a = 1 }", ""},
      {"t = { function() if a then b = 1 elseif c then b = 2 else b = 3 end for i = 1, 2 do b = 1 end while a do b = 1 "
       "end "
       "repeat b = 1 until b do b = 1 end end, b = 2 }",
       ""},
      {"-- t = { a = 1, a = 2 }\n--[==[ { a = 1, a = 2 } ]==]\nt = { a = 1, --[[ a = 2, ]] b = 2 -- , a = 3\n }", ""},
      {"t = { s = '{ a = 1, a = 2 }', u = \"\\\"{a=1,a=2}\", v = [==[ ]] {a=1,a=2} ]==], a = 0x1F, b = 1e5 }", ""},
      {"t = { [a] = 1, [b] = 2, [a.x[1]] = 3, [{ a = 1 }] = 4 }", ""},
      {"#!shebang { a = 1, a = 2 }\nt = { a = 1, A = 2 }", ""},
  };
  for (const auto& [text, want] : cases) {
    INFO(text);
    CHECK(found(text) == want);
  }
}

TEST_CASE("policy source: a field that appears twice is refused, in rules, libraries and tables of headers") {
  const test::TempDir dir;
  dir.write("r/p.lua",
            "local l = require 'lib'\npolicy 'p' {\n deny 'a' { not_path = '/a',\n  not_path = '/b' },\n deny 'h' { "
            "header = { ['x-a'] = '1', ['x-a'] = '2' } } }");
  dir.write("r/lib.lua", "return { a = 1, a = 2 }");
  base::FileTrust trust;
  std::vector<std::string> problems;
  CHECK(lua::LuaRuleSet::load(policy::PolicySource::read(dir.path("r"), trust).value(), problems) == nullptr);
  CHECK(says(problems, "p.lua:4: the field `not_path` appears twice in one table, first on line 3"));
  CHECK(says(problems, "p.lua:5: the field `x-a` appears twice"));
  CHECK(says(problems, "lib.lua:1: the field `a` appears twice"));
}

TEST_CASE("policy source: files that look like rules but that nothing loads are reported") {
  const test::TempDir dir;
  for (const char* name :
       {"r/sub/deny.lua", "r/deny.LUA", "r/deny.json", "r/deny.lua.bak", "r/lib/unused.lua", "r/sub/x_test.lua"})
    dir.write(name, "return 1");
  for (const char* name : {"r/lib/used.lua", "r/README.md", "r/.hidden.lua"}) dir.write(name, "return 1");
  dir.write("r/used.json", "{}");
  dir.write("r/tested.json", "{}");
  dir.write("r/p_test.lua", "local t = data 'tested.json'");
  dir.write("r/p.lua", kRules);
  base::FileTrust trust;
  std::vector<std::string> problems;
  const auto rules = lua::LuaRuleSet::load(policy::PolicySource::read(dir.path("r"), trust).value(), problems);
  REQUIRE(rules != nullptr);
  const auto unused = rules->unusedFiles();
  CHECK(unused.size() == 6);
  for (const char* name : {"sub/deny.lua: nothing loads", "deny.LUA: nothing loads", "deny.json: nothing loads",
                           "deny.lua.bak: nothing", "lib/unused.lua", "sub/x_test.lua"}) {
    INFO(name);
    CHECK(says(unused, name));
  }
  dir.write("j/p.json", R"({"policies":{"p":{"rules":[{"deny":"a"}]}}})");
  dir.write("j/q.lua", "");
  const auto json = engine::JsonRuleSet::load(policy::PolicySource::read(dir.path("j"), trust).value(), problems);
  REQUIRE(json != nullptr);
  CHECK(says(json->unusedFiles(), "q.lua: nothing loads this file: the engine `lua`"));
}

TEST_CASE("policy source: only the files that a set uses matter; other files do not change it") {
  const test::TempDir dir;
  dir.write("r/lib/used.lua", "return 1");
  dir.write("r/used.json", "{}");
  dir.write("r/p.lua", std::string(kRules) + "local there = pcall(require, 'maybe')\n");
  base::FileTrust trust;
  std::vector<std::string> problems;
  const auto read = [&] { return policy::PolicySource::read(dir.path("r"), trust).value(); };
  const auto load = [&] { return lua::LuaRuleSet::load(read(), problems); };
  const auto first = load();
  REQUIRE(first != nullptr);
  CHECK(first->files().size() == 3);
  for (const char* name : {"r/README.md", "r/p_test.lua", "r/p.lua~", "r/#p.lua#", "r/p.lua.swp", "r/unused.json",
                           "r/lib/other.lua", "r/logo.json.png"}) {
    INFO(name);
    dir.write(name, "\xff text");
    CHECK(first->isOf(read()));
    CHECK(load()->digest() == first->digest());
    CHECK(load()->files() == first->files());
  }
  for (const char* name : {"r/maybe.lua", "r/new.lua", "r/lib/used.lua", "r/used.json"}) {
    INFO(name);
    const auto before = load();
    dir.write(name, name == std::string("r/used.json") ? "{\"a\":1}" : "local a = 1");
    CHECK_FALSE(before->isOf(read()));
    CHECK(load()->digest() != before->digest());
  }
  CHECK(problems.empty());
}

TEST_CASE("policy source: links to folders are followed, a link to a folder above is an error") {
  const test::TempDir dir;
  dir.write("volume/one/lib/used.lua", "return 1");
  dir.write("volume/one/used.json", "{}");
  dir.write("volume/one/p.lua", kRules);
  namespace fs = std::filesystem;
  fs::create_directory_symlink("one", dir.path("volume/..data"));
  for (const char* name : {"lib", "used.json", "p.lua"})
    fs::create_symlink(std::string("..data/") + name, dir.path(std::string("volume/") + name));
  fs::remove_all(dir.path("volume/..one"));
  fs::rename(dir.path("volume/one"), dir.path("volume/..one"));
  fs::remove(dir.path("volume/..data"));
  fs::create_directory_symlink("..one", dir.path("volume/..data"));
  base::FileTrust trust;
  std::vector<std::string> problems;
  const auto source = policy::PolicySource::read(dir.path("volume"), trust);
  REQUIRE(source.ok());
  CHECK(source.value().files.size() == 3);
  CHECK(lua::LuaRuleSet::load(source.value(), problems) != nullptr);
  fs::create_directory_symlink("..", dir.path("volume/up"));
  CHECK(policy::PolicySource::read(dir.path("volume"), trust).error().message.find("a link to a folder above") !=
        std::string::npos);
}
