#include "lua/state.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <lua.hpp>

namespace yett::lua {
namespace {

constexpr uint64_t kCount = 250;      // instructions between two budget checks
constexpr uint64_t kShortCount = 25;  // if strings are long enough to make comparisons slow
constexpr size_t kLongString = 4096;
constexpr uint64_t kRunCost = 20;  // fixed cost of every run
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kSlowness = 3;  // sanitizer builds are slower
#else
constexpr int64_t kSlowness = 1;
#endif
// The backstop for work that no count sees (comparing long strings). Far above the time that the instruction budget
// takes: on a shared machine a thread is charged for time in which it did not run, which must not cause denials.
constexpr int64_t kMinCpuNanos = 20'000'000 * kSlowness;
constexpr int64_t kCpuNanosPerInstruction = 200 * kSlowness;
constexpr uint64_t kClockUnits = 2000;  // charged by C functions between two clock checks
constexpr uint64_t kHardCapFactor = 4;
constexpr uint64_t kCollectBytes = 256 << 10;  // garbage that is worth a step of the collector

// CPU time of this thread, so that a busy machine makes no decision fail.
int64_t cpuNanos() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

constexpr size_t kShortString = 40 + 64;  // LUAI_MAXSHORTLEN and a generous header: interned, so it may exist already
constexpr uint64_t kMaxRaw = 16 << 20;

}  // namespace

int LuaState::runBody(lua_State* L) {
  const Call call = *static_cast<Call*>(lua_touserdata(L, 1));
  lua_settop(L, 0);
  call.body(L, call.at);
  return 0;
}

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
// instruction. Only allocations far beyond it fail.
void* LuaState::allocate(void* self, void* block, size_t old_size, size_t new_size) {
  auto& state = *static_cast<LuaState*>(self);
  if (new_size == 0) {
    std::free(block);
    return nullptr;
  }
  // For a new object, old_size is its type (lua_Alloc in the manual).
  if (block == nullptr && old_size == LUA_TSTRING && new_size > kLongestString + 64 && state.running_ &&
      state.purpose_ == Purpose::kDecide) {
    state.over_string_ = true;
    state.arm();
  }
  if (block == nullptr && old_size == LUA_TSTRING && new_size > kLongString && state.running_) state.onLongString();
  const size_t grown = block == nullptr ? new_size : new_size > old_size ? new_size - old_size : 0;
  if (state.running_ && grown > 0) {
    state.raw_ += grown;
    if (counts(block, old_size, new_size)) state.allocated_ += grown;
    const uint64_t most_raw = state.budget_.memory_bytes * kHardCapFactor + kMaxRaw;
    if (state.allocated_ > state.budget_.memory_bytes || state.raw_ > most_raw) {
      state.over_memory_ = true;
      state.arm();
    }
    if (state.raw_ > 2 * most_raw && !state.aborted_) return nullptr;
  }
  state.garbage_ += grown;
  return std::realloc(block, new_size);
}

// Whether an allocation happens in every state that runs the same code: objects do. Not counted are short strings,
// which may exist already; the stack, the call records and the string table, which may have grown before; and the
// contents of tables, which grow at times that depend on the state's hash seed. All of these are bounded by the
// instructions that cause them, and by the hard cap.
bool LuaState::counts(const void* block, size_t old_size, size_t new_size) {
  return block == nullptr && old_size != 0 && (old_size != LUA_TSTRING || new_size > kShortString);
}

void LuaState::onLongString() {
  if (purpose_ == Purpose::kLoad) {
    long_strings_ = true;
  } else if (step_ > kShortCount && !aborted_ && !over_memory_ && !over_string_) {
    step_ = kShortCount;
    lua_sethook(state_, &LuaState::onCount, lines_ ? LUA_MASKCOUNT | LUA_MASKLINE : LUA_MASKCOUNT, kShortCount);
  }
}

void LuaState::arm() {
  lua_sethook(state_, &LuaState::onCount, LUA_MASKCOUNT, 1);
}

void LuaState::onCount(lua_State* L, lua_Debug* event) {
  LuaState& state = of(L);
  if (event->event == LUA_HOOKLINE) {
    lua_getinfo(L, "S", event);
    if (!state.aborted_) state.lines_(event->short_src, event->currentline);
    return;
  }
  state.reraise();
  state.instructions_ += state.step_;
  state.checkBudget();
}

std::string LuaState::exhausted() {
  if (over_string_) return "a string over " + std::to_string(kLongestString) + " bytes";
  if (over_memory_) return "memory budget of " + std::to_string(budget_.memory_bytes) + " bytes used up";
  if (instructions_ >= limit_) {
    if (limit_ < budget_.instructions) return "shortened instruction budget used up: the rule used up full ones before";
    return "instruction budget of " + std::to_string(budget_.instructions) + " used up";
  }
  return {};
}

void LuaState::checkBudget() {
  std::string why = exhausted();
  if (why.empty()) {
    uncharted_ = 0;
    const int64_t now = cpuNanos();
    if (deadline_ == 0) {
      const int64_t whole =
          std::max(kMinCpuNanos, static_cast<int64_t>(budget_.instructions) * kCpuNanosPerInstruction);
      deadline_ = now + (shortened_ ? whole / 10 : whole);
    }
    if (now < deadline_) return;
    why = "time limit of a decision used up";
    late_ = true;
  }
  over_budget_ = true;
  abort(why);
}

void LuaState::abort(const std::string& why) {
  if (!aborted_) {
    aborted_ = true;
    why_ = why;
    arm();
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
  uncharted_ += units + 1;
  if (!running_) return;
  // Checks the clock too, now and then: a C function may be slower than its charge.
  if (over_memory_ || over_string_ || instructions_ >= limit_ || uncharted_ >= kClockUnits) checkBudget();
}

void LuaState::suspect(uint64_t units) {
  uncharted_ += units;
  charge(1);
}

void LuaState::compile(lua_State* L, const std::string& text, const std::string& name) {
  struct Source {
    LuaState& state;
    std::string_view rest;
  } source{of(L), text};
  const auto read = [](lua_State*, void* at, size_t* size) -> const char* {
    auto& from = *static_cast<Source*>(at);
    from.state.suspect(kClockUnits);
    *size = std::min<size_t>(from.rest.size(), 16 << 10);
    const char* out = from.rest.data();
    from.rest.remove_prefix(*size);
    return *size > 0 ? out : nullptr;
  };
  if (lua_load(L, read, &source, name.c_str(), "t") != LUA_OK) {
    of(L).reraise();
    lua_error(L);
  }
}

void LuaState::begin(const policy::Budget& budget, Purpose purpose) {
  budget_ = budget;
  ++serial_;
  purpose_ = purpose;
  step_ = std::clamp<uint64_t>(budget.instructions / 4, 1, long_strings_ ? kShortCount : kCount);
  instructions_ = allocated_ = raw_ = uncharted_ = 0;
  limit_ = budget.instructions;
  deadline_ = 0;
  over_memory_ = over_string_ = over_budget_ = late_ = shortened_ = false;
}

bool LuaState::chargeRun(uint64_t instructions, uint64_t allocated) {
  if (instructions_ + instructions >= limit_ || allocated_ + allocated > budget_.memory_bytes) return false;
  instructions_ += instructions;
  allocated_ += allocated;
  return true;
}

bool LuaState::callsMethod(lua_State* L, std::string_view method) {
  lua_Debug caller;
  if (lua_getstack(L, 1, &caller) == 0 || lua_getinfo(L, "Sl", &caller) == 0 || caller.what[0] == 'C') return true;
  if (caller.source != method_chunk_) {
    const auto known = methods_.find(std::string_view(caller.source));
    method_chunk_ = caller.source;
    method_calls_ = known == methods_.end() ? nullptr : &known->second;
  }
  return method_calls_ == nullptr || method_calls_->at(method, caller.currentline);
}

void LuaState::watchLines(LineSink sink) {
  lines_ = std::move(sink);
}

Status LuaState::runAny(void (*body)(lua_State*, void*), void* at) {
  Call call{body, at};
  aborted_ = false;
  instructions_ += kRunCost;
  const int top = lua_gettop(state_);
  lua_sethook(state_, &LuaState::onCount, lines_ ? LUA_MASKCOUNT | LUA_MASKLINE : LUA_MASKCOUNT,
              static_cast<int>(step_));
  running_ = true;
  // Light C function and light userdata: these two pushes allocate nothing, so they cannot fail outside protection.
  lua_pushcfunction(state_, &runBody);
  lua_pushlightuserdata(state_, &call);
  const int status = lua_pcall(state_, 1, 0, 0);
  running_ = false;
  lua_sethook(state_, nullptr, 0, 0);
  Status out;
  const bool late = !aborted_ && deadline_ != 0 && cpuNanos() >= deadline_;
  if (late) {
    over_budget_ = late_ = true;
    out = Error{"time limit of a decision used up"};
  } else if (aborted_) {
    out = Error{why_};
  } else if (const std::string why = exhausted(); !why.empty()) {
    // Whatever it returned: if a C function ran last, no instruction followed at which to end the run.
    over_budget_ = true;
    out = Error{why};
  } else if (status != LUA_OK) {
    const char* message = lua_type(state_, -1) == LUA_TSTRING ? lua_tostring(state_, -1) : nullptr;
    out = Error{message != nullptr ? message : "an error that is not a string"};
  }
  lua_settop(state_, top);
  if (!documents_.empty()) documents_.clear();  // nothing that outlives the run can hold a part of one
  collectSome();
  return out;
}

// Runs between decisions, never inside one, in steps as large as the garbage left behind.
void LuaState::collectSome() {
  if (garbage_ < kCollectBytes) return;
  lua_gc(state_, LUA_GCSTEP, static_cast<int>(garbage_ / 1024) + 1);
  garbage_ = 0;
}

}  // namespace yett::lua
