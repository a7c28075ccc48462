#include "lua/fields.h"

#include <algorithm>
#include <lua.hpp>

#include "base/text.h"
#include "lua/document.h"
#include "lua/freeze.h"
#include "lua/values.h"
#include "rule/rule_fields.h"

namespace yett::lua {
namespace {

class FieldReader {
 public:
  FieldReader(lua_State* L, rule::Rule& rule, std::vector<int>& conditions,
              const std::function<void(const std::string&)>& problem)
      : L_(L), rule_(rule), conditions_(conditions), problem_(problem) {}

  // The value is on top of the stack.
  void read(const std::string& field) {
    field_ = field;
    value_ = lua_gettop(L_);
    makePlain(L_, value_);
    type_ = luaL_typename(L_, value_);
    const auto& known = rule::ruleFieldNames();
    if (std::find(known.begin(), known.end(), field) == known.end())
      return problem_("unknown field `" + base::printable(field) + "`" + base::didYouMean(field, known));
    if (field == "when") return readWhen();
    if (field == "status") return readStatus();
    if (field == "audit_only") return readFlag();
    if (rule::isListField(field)) return readList();
    if (rule::isKeyedField(field)) return readKeyed();
    if (field == "set_header") return readSetHeader();
    if (field == "hours" || field == "not_hours") return readHours();
    if (field == "remove_header") return readRemoveHeader();
    if (lua_type(L_, value_) != LUA_TSTRING) return wrongType("a string");
    const std::string text(lua_tostring(L_, value_), lua_rawlen(L_, value_));
    note(field == "ttl"    ? rule::setTtl(rule_, text)
         : field == "case" ? rule::setCase(rule_, text)
                           : rule::setText(rule_, field, text));
  }

 private:
  void fail(const std::string& what) { problem_("`" + field_ + "` " + what); }
  void wrongType(const char* wanted) { fail("is a " + type_ + ", must be " + wanted); }
  // For functions whose messages name the field.
  void note(const Status& status) {
    if (!status) problem_(status.error().message);
  }

  void readWhen() {
    if (lua_type(L_, value_) != LUA_TFUNCTION) return wrongType("a function");
    rule_.condition = reference();
  }

  void readStatus() {
    if (lua_isinteger(L_, value_) == 0) return wrongType("a whole number");
    note(rule::setStatus(rule_, lua_tointeger(L_, value_)));
  }

  void readFlag() {
    if (lua_type(L_, value_) != LUA_TBOOLEAN) return wrongType("true or false");
    note(rule::setAuditOnly(rule_, lua_toboolean(L_, value_) != 0));
  }

  void readList() {
    std::vector<rule::FieldValue> values;
    if (!fieldValues(L_, value_, values)) return fail("is a " + type_ + ", must be a string or a list of strings");
    if (auto ok = rule::setMatcher(rule_, field_, values); !ok) fail(ok.error().message);
  }

  // Calls `each` with every name; its value is on top of the stack. False if the field is not a table.
  template <typename Each>
  bool eachName(const char* example, Each each) {
    if (lua_type(L_, value_) != LUA_TTABLE) return wrongType(("a table: " + field_ + example).c_str()), false;
    pushBehind(L_, value_);
    const int table = lua_gettop(L_);
    size_t count = 0;
    for (lua_pushnil(L_); lua_next(L_, table) != 0; lua_settop(L_, table + 1), ++count) {
      if (lua_type(L_, table + 1) != LUA_TSTRING) fail("has an entry without a name");
      else each(std::string(lua_tostring(L_, table + 1), lua_rawlen(L_, table + 1)));
    }
    lua_settop(L_, value_);
    if (count == 0) fail("is an empty table: give at least one name");
    return true;
  }

  void readKeyed() {
    eachName(" = { [\"x-name\"] = \"value\" }", [&](const std::string& key) {
      std::vector<rule::FieldValue> values;
      const bool claim = field_.ends_with("claim");
      if (!fieldValues(L_, lua_gettop(L_), values, claim))
        return fail(claim ? "must give a string, a whole number, true or false, or a list of these for each name"
                          : "must give a string or a list of strings for each name");
      if (auto ok = rule::addKeyedMatcher(rule_, field_, key, std::move(values)); !ok) fail(ok.error().message);
    });
  }

  int reference() {
    lua_pushvalue(L_, -1);
    conditions_.push_back(luaL_ref(L_, LUA_REGISTRYINDEX));
    return static_cast<int>(conditions_.size()) - 1;
  }

  // { "09:00-18:00", "mon-fri", zone = "Europe/Berlin" }
  void readHours() {
    constexpr const char* kWanted = "a table such as { \"09:00-18:00\", \"mon-fri\", zone = \"Europe/Berlin\" }";
    if (lua_type(L_, value_) != LUA_TTABLE) return wrongType(kWanted);
    pushBehind(L_, value_);
    const int table = lua_gettop(L_);
    std::vector<std::string> entries;
    std::string zone;
    lua_Integer named = 0;
    const auto textAt = [&](std::string& out) {
      if (lua_type(L_, -1) == LUA_TSTRING) out.assign(lua_tostring(L_, -1), lua_rawlen(L_, -1));
      return lua_type(L_, -1) == LUA_TSTRING;
    };
    bool good = lua_getfield(L_, table, "zone") == LUA_TNIL || (++named, textAt(zone));
    const auto size = static_cast<lua_Integer>(lua_rawlen(L_, table));
    for (lua_Integer i = 1; i <= size && good; ++i) {
      lua_rawgeti(L_, table, i);
      good = textAt(entries.emplace_back());
      lua_settop(L_, table);
    }
    lua_settop(L_, table);
    lua_Integer all = 0;
    for (lua_pushnil(L_); lua_next(L_, table) != 0; lua_pop(L_, 1)) ++all;
    lua_settop(L_, value_);
    if (!good || all != size + named) return fail(std::string("must be ") + kWanted);
    if (auto ok = rule::setHours(rule_, field_, entries, zone); !ok) fail(ok.error().message);
  }

  void readSetHeader() {
    eachName(" = { [\"x-name\"] = \"value\" }", [&](const std::string& name) {
      if (lua_type(L_, -1) == LUA_TFUNCTION) return note(rule::addComputed(rule_, {name, reference()}));
      if (lua_type(L_, -1) != LUA_TSTRING) return fail("must give a string or a function for each name");
      note(rule::addObligation(rule_, field_, name, {lua_tostring(L_, -1), lua_rawlen(L_, -1)}));
    });
  }

  void readRemoveHeader() {
    std::vector<rule::FieldValue> values;
    if (!fieldValues(L_, value_, values) || values.empty())
      return fail("is a " + type_ + ", must be a name or a list of names");
    for (const auto& value : values) note(rule::addObligation(rule_, field_, value.text, ""));
  }

  lua_State* L_;
  rule::Rule& rule_;
  std::vector<int>& conditions_;
  const std::function<void(const std::string&)>& problem_;
  std::string field_;
  std::string type_;
  int value_ = 0;
};

}  // namespace

void readRuleTable(lua_State* L, rule::Rule& rule, std::vector<int>& conditions,
                   const std::function<void(const std::string&)>& problem) {
  pushBehind(L, -1);
  const int table = lua_gettop(L);
  std::vector<std::string> fields;
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) fields.emplace_back(lua_tostring(L, -2), lua_rawlen(L, -2));
    else problem("has an entry without a name");
  }
  std::sort(fields.begin(), fields.end());
  FieldReader reader(L, rule, conditions, problem);
  for (const auto& field : fields) {
    lua_pushlstring(L, field.data(), field.size());
    lua_rawget(L, table);
    reader.read(field);
    lua_settop(L, table);
  }
  lua_pop(L, 1);
  if (auto ok = rule::finishRule(rule, fields); !ok) problem(ok.error().message);
}

}  // namespace yett::lua
