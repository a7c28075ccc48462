#include "lua/json.h"

#include <algorithm>
#include <cmath>
#include <lua.hpp>

#include "lua/document.h"

namespace yett::lua {

json::Value toJson(lua_State* L, int index, int depth) {
  if (depth > 50) luaL_error(L, "a table nested too deep");
  luaL_checkstack(L, 4, "a table nested too deep");
  json::Value out;
  index = lua_absindex(L, index);
  if (isDocument(L, index)) {
    lua_pushvalue(L, index);
    makePlain(L, -1);
    out = toJson(L, -1, depth);
    lua_pop(L, 1);
    return out;
  }
  switch (lua_type(L, index)) {
    case LUA_TNIL: return out;
    case LUA_TBOOLEAN:
      out.type = json::Value::Type::kBool;
      out.boolean = lua_toboolean(L, index) != 0;
      return out;
    case LUA_TNUMBER:
      out.type = lua_isinteger(L, index) != 0 ? json::Value::Type::kInt : json::Value::Type::kDouble;
      out.integer = lua_tointeger(L, index);
      out.number = lua_tonumber(L, index);
      if (!std::isfinite(out.number)) luaL_error(L, "a number that JSON cannot represent");
      return out;
    case LUA_TSTRING:
      out.type = json::Value::Type::kString;
      out.text.assign(lua_tostring(L, index), lua_rawlen(L, index));
      return out;
    case LUA_TTABLE: break;
    default: luaL_error(L, "a %s is not allowed here", luaL_typename(L, index));
  }
  const auto size = static_cast<lua_Integer>(lua_rawlen(L, index));
  out.type = size > 0 ? json::Value::Type::kArray : json::Value::Type::kObject;
  for (lua_Integer i = 1; i <= size; ++i) {
    lua_rawgeti(L, index, i);
    out.items.push_back(toJson(L, -1, depth + 1));
    lua_pop(L, 1);
  }
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    const bool name = lua_type(L, -2) == LUA_TSTRING;
    if (size > 0 && !name) continue;  // a list item
    if (size > 0) luaL_error(L, "a table with both list items and names cannot become JSON");
    if (!name) luaL_error(L, "a table's keys must be names");
    out.fields.emplace_back(lua_tostring(L, -2), toJson(L, -1, depth + 1));
  }
  std::sort(out.fields.begin(), out.fields.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

}  // namespace yett::lua
