// The values that the policy language adds to Lua: expressions, address ranges, and the answers of programs.
#pragma once

#include <string>
#include <vector>

#include "rule/rule_fields.h"

struct lua_State;

namespace yett::lua {

/// Puts re, cidr, permit, refuse, anyone and authenticated into the table on top of the stack. Must run inside
/// LuaState::run. re and cidr work only until valuesLoaded().
void openValues(lua_State* L);
void valuesLoaded(lua_State* L);

/// A string, `re "..."` or `cidr "..."` at this index as a field's value; false for anything else.
/// `scalars`: also a whole number, true or false.
bool fieldValue(lua_State* L, int index, rule::FieldValue& out, bool scalars = false);
/// One such value, or a list that contains only such values.
bool fieldValues(lua_State* L, int index, std::vector<rule::FieldValue>& out, bool scalars = false);

enum class ProgramAnswer { kNone, kPermit, kRefuse };
ProgramAnswer programAnswer(lua_State* L, int index);

}  // namespace yett::lua
