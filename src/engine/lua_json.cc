#include "engine/lua_json.h"

#include <lua.hpp>

namespace yett::engine {

void pushJson(lua_State* L, const json::Value& value) {
  luaL_checkstack(L, 4, "a document nested too deep");
  switch (value.type) {
    case json::Value::Type::kNull: lua_pushnil(L); return;
    case json::Value::Type::kBool: lua_pushboolean(L, value.boolean); return;
    case json::Value::Type::kInt: lua_pushinteger(L, value.integer); return;
    case json::Value::Type::kDouble: lua_pushnumber(L, value.number); return;
    case json::Value::Type::kString: lua_pushlstring(L, value.text.data(), value.text.size()); return;
    case json::Value::Type::kArray:
      lua_createtable(L, static_cast<int>(value.items.size()), 0);
      for (size_t i = 0; i < value.items.size(); ++i) {
        pushJson(L, value.items[i]);
        lua_rawseti(L, -2, static_cast<lua_Integer>(i + 1));
      }
      return;
    case json::Value::Type::kObject:
      lua_createtable(L, 0, static_cast<int>(value.fields.size()));
      for (const auto& [name, item] : value.fields) {
        lua_pushlstring(L, name.data(), name.size());
        pushJson(L, item);
        lua_rawset(L, -3);
      }
      return;
  }
}

}  // namespace yett::engine
