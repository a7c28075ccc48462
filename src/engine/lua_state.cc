#include "engine/lua_state.h"

#include <algorithm>
#include <cstdlib>
#include <lua.hpp>

#include "base/clock.h"

namespace yett::engine {
namespace {

constexpr uint64_t kCount = 1000;                // instructions between two looks at the budget
constexpr int64_t kBackstopNanos = 250'000'000;  // far above what the instruction budget takes
constexpr uint64_t kHardCapFactor = 4;
constexpr uint64_t kCollectBytes = 256 << 10;  // garbage that is worth a step of the collector

int runBody(lua_State* L) {
  const auto* body = static_cast<const std::function<void(lua_State*)>*>(lua_touserdata(L, 1));
  lua_settop(L, 0);
  (*body)(L);
  return 0;
}

}  // namespace

LuaState::LuaState() {
  state_ = lua_newstate(&LuaState::allocate, this);
  if (state_ == nullptr) std::abort();
  *static_cast<LuaState**>(lua_getextraspace(state_)) = this;
  lua_atpanic(state_, [](lua_State*) -> int { std::abort(); });
  lua_gc(state_, LUA_GCSTOP);
}

LuaState::~LuaState() {
  lua_close(state_);
}

LuaState& LuaState::of(lua_State* L) {
  return **static_cast<LuaState**>(lua_getextraspace(L));
}

// The soft limit does not fail the allocation (that would start a full collection): it ends the run at the next
// instruction.
void* LuaState::allocate(void* self, void* block, size_t old_size, size_t new_size) {
  auto& state = *static_cast<LuaState*>(self);
  if (new_size == 0) {
    std::free(block);
    return nullptr;
  }
  const size_t grown = block == nullptr ? new_size : new_size > old_size ? new_size - old_size : 0;
  if (state.running_ && grown > 0) {
    const uint64_t after = state.allocated_ + grown;
    if (after > state.budget_.memory_bytes * kHardCapFactor && !state.aborted_) return nullptr;
    state.allocated_ = after;
    if (after > state.budget_.memory_bytes && !state.over_memory_) {
      state.over_memory_ = true;
      lua_sethook(state.state_, &LuaState::onCount, LUA_MASKCOUNT, 1);
    }
  }
  state.garbage_ += grown;
  return std::realloc(block, new_size);
}

void LuaState::onCount(lua_State* L, lua_Debug*) {
  LuaState& state = of(L);
  state.reraise();
  state.instructions_ += state.step_;
  state.checkBudget();
}

void LuaState::checkBudget() {
  const bool over_time = base::steadyNanos() > deadline_;
  over_budget_ = over_memory_ || instructions_ >= budget_.instructions || over_time;
  if (!over_budget_) return;
  if (over_memory_) abort("memory budget of " + std::to_string(budget_.memory_bytes) + " bytes used up");
  abort(over_time ? "time limit of a decision used up"
                  : "instruction budget of " + std::to_string(budget_.instructions) + " used up");
}

void LuaState::abort(const std::string& why) {
  if (!aborted_) {
    aborted_ = true;
    why_ = why;
    lua_sethook(state_, &LuaState::onCount, LUA_MASKCOUNT, 1);
  }
  lua_pushliteral(state_, "aborted");
  lua_error(state_);
  std::abort();
}

void LuaState::reraise() {
  if (aborted_) abort(why_);
}

void LuaState::charge(uint64_t units) {
  reraise();
  instructions_ += units;
  if (running_) checkBudget();
}

Status LuaState::run(const policy::Budget& budget, const std::function<void(lua_State*)>& body) {
  budget_ = budget;
  step_ = std::clamp<uint64_t>(budget.instructions / 4, 1, kCount);
  instructions_ = allocated_ = 0;
  over_memory_ = over_budget_ = aborted_ = false;
  deadline_ = base::steadyNanos() + std::max<int64_t>(kBackstopNanos, static_cast<int64_t>(budget.instructions) * 1000);
  const int top = lua_gettop(state_);
  lua_sethook(state_, &LuaState::onCount, LUA_MASKCOUNT, static_cast<int>(step_));
  running_ = true;
  // Light C function and light userdata: these two pushes allocate nothing, so they cannot fail outside protection.
  lua_pushcfunction(state_, &runBody);
  lua_pushlightuserdata(state_, const_cast<std::function<void(lua_State*)>*>(&body));
  const int status = lua_pcall(state_, 1, 0, 0);
  running_ = false;
  lua_sethook(state_, nullptr, 0, 0);
  Status out;
  if (aborted_) {
    out = Error{why_};
  } else if (status == LUA_ERRMEM) {
    over_budget_ = true;
    out = Error{"memory budget of " + std::to_string(budget.memory_bytes) + " bytes used up"};
  } else if (status != LUA_OK) {
    const char* message = lua_type(state_, -1) == LUA_TSTRING ? lua_tostring(state_, -1) : nullptr;
    out = Error{message != nullptr ? message : "an error that is no string"};
  }
  lua_settop(state_, top);
  collectSome();
  return out;
}

// Between decisions, in steps as large as what was left lying: the collector never runs inside one.
void LuaState::collectSome() {
  if (garbage_ < kCollectBytes) return;
  lua_gc(state_, LUA_GCSTEP, static_cast<int>(garbage_ / 1024) + 1);
  garbage_ = 0;
}

}  // namespace yett::engine
