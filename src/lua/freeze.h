// Policy code keeps no state: what a condition can reach is made read-only when loading is over. Tables become proxies,
// at any depth; functions that assign to outer locals are refused.
#pragma once

#include <set>

struct lua_State;

namespace yett::lua {

/// One pass over values that may share parts: the same table gets the same proxy, so `==` and cycles go on to work.
/// Must run inside LuaState::run, in which it raises errors that say what is wrong. Uses one stack slot while it lives.
class Freezer {
 public:
  explicit Freezer(lua_State* L);

  /// Replaces the value on top of the stack by one that cannot change. `what` names it in messages. `strict`: reading a
  /// key that is not there is an error (documents), not nil (tables of code).
  void value(const char* what, bool strict);
  /// Freezes what the Lua function on top of the stack can reach.
  void function();

 private:
  void table(const char* what, bool strict);
  void enter();
  lua_State* L_;
  int cache_;
  int depth_ = 0;
  std::set<const void*> functions_;
};

/// Pushes the table behind a proxy, or the value itself: for C functions that walk tables.
void pushBehind(lua_State* L, int index);

/// The globals of a file, on top of the stack: a proxy whose store can be assigned to until loading is over. Reading a
/// name that is not there is an error.
void makeGlobals(lua_State* L);
/// Loading is over: all globals made so far are frozen, with what they hold.
void sealGlobals(lua_State* L);

}  // namespace yett::lua
