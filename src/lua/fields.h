// Converts a rule's Lua table to native form.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "rule/rule.h"

struct lua_State;

namespace yett::lua {

/// Reads the table on top of the stack. `conditions` gets the registry reference of a `when`; `problem` is called for
/// each mistake. Must run inside LuaState::run.
void readRuleTable(lua_State* L, rule::Rule& rule, std::vector<int>& conditions,
                   const std::function<void(const std::string&)>& problem);

}  // namespace yett::lua
