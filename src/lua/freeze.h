// Policy code keeps no state: after loading, everything a condition can reach becomes read-only. Tables become proxies,
// at any depth; functions that assign to outer locals are rejected.
#pragma once

#include <set>

struct lua_State;

namespace yett::lua {

/// One pass over values that may share parts: the same table gets the same proxy, so `==` and cycles still work. Must
/// run inside LuaState::run, where it raises an error for what it rejects. Uses one stack slot while it lives.
class Freezer {
 public:
  explicit Freezer(lua_State* L);

  /// Replaces the value on top of the stack with a read-only one. `what` names it in messages. `strict`: reading a
  /// missing key is an error (documents), not nil (tables of code).
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

/// Pops the table on top of the stack and makes it a read-only field `name` of the table at `globals`. Must run inside
/// LuaState::run.
void frozenLibrary(lua_State* L, int globals, const char* name);

/// Pushes the table behind a proxy, or the value itself if it is not one. For C functions that iterate over tables.
void pushBehind(lua_State* L, int index);

/// Replaces the table of a file's globals, on top of the stack, with a proxy that allows assignments until loading is
/// over. Reading an unknown name is an error.
void makeGlobals(lua_State* L);
/// Ends loading: freezes all globals made so far, with everything they hold.
void sealGlobals(lua_State* L);

}  // namespace yett::lua
