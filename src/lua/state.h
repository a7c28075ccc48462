// One Lua state with a budget: instructions, bytes and, as a backstop, time. Nothing that runs in it can outlast them:
// the count hook ends every loop, an abort is sticky (pcall cannot swallow it), and after an abort each further
// instruction raises again. One thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "lua/methods.h"
#include "policy/rule_engine.h"

struct lua_State;
struct lua_Debug;

namespace yett::lua {

/// Bytes of a string that a decision may make.
inline constexpr size_t kLongestString = 64 << 10;

class LuaState {
 public:
  LuaState();
  ~LuaState();
  LuaState(const LuaState&) = delete;

  enum class Purpose {
    kLoad,
    kDecide,  ///< strings over 64 KiB end the run
  };
  /// Begins a decision (or a load): the runs that follow share this budget.
  void begin(const policy::Budget& budget, Purpose purpose);
  /// Runs `body(lua_State*)` protected; an error, or the end of the budget, comes back as text. Leaves the stack as it
  /// was.
  template <typename Body>
  Status run(Body&& body) {
    return runAny([](lua_State* L, void* at) { (*static_cast<std::remove_reference_t<Body>*>(at))(L); }, &body);
  }

  lua_State* native() { return state_; }
  static LuaState& of(lua_State* L);

  /// Ends the run for good, as nothing in Lua can hide: the budget, an absent value. Does not return.
  [[noreturn]] void abort(const std::string& why);
  /// Counts work that a C function is about to do (about one per 16 bytes) as instructions.
  void charge(uint64_t units);
  /// As charge(), for work that may be more than it seems: costs nothing but an earlier look at the clock.
  void suspect(uint64_t units);
  /// Compiles Lua text, looking at the budget's clock while it reads: the compiler runs no instructions. Leaves the
  /// function on the stack, or raises the error.
  static void compile(lua_State* L, const std::string& text, const std::string& name);
  /// What the last run ended for is the budget, not something that it did.
  bool overBudget() const { return over_budget_; }
  /// What it ended for is the clock: instructions do not show what it took.
  bool late() const { return late_; }
  /// Raises the abort again where there is one: for what catches errors.
  void reraise();
  /// A number for each begin(): what is made in one must not be used in another.
  int64_t serial() const { return serial_; }
  /// What the runs since begin() have cost. The same run costs the same in every state, whatever it did before.
  uint64_t instructions() const { return instructions_; }
  uint64_t allocated() const { return allocated_; }
  /// Charges what a run has cost before, in place of the run. False, and nothing charged, where it would not have ended
  /// within the budget.
  bool chargeRun(uint64_t instructions, uint64_t allocated);

  /// The runs that follow may take no more than this, whatever is left of the budget; until begin() or allowAll().
  void allowOnly(uint64_t instructions) {
    limit_ = std::min(budget_.instructions, instructions_ + instructions);
    shortened_ = true;
  }
  void allowAll() {
    limit_ = budget_.instructions;
    shortened_ = false;
  }

  /// Where the text of a chunk calls methods of strings; nothing is known of other chunks, and all is allowed there.
  void knowMethods(const std::string& chunk, MethodCalls calls) {
    methods_.insert_or_assign(chunk, std::move(calls));
    method_chunk_ = nullptr;
  }
  /// Whether the Lua function that has just asked for `method` of a string calls it there.
  bool callsMethod(lua_State* L, std::string_view method);

  /// Calls back for every line that runs (null: for none): coverage and explanations, off the hot path.
  using LineSink = std::function<void(const char* file, int line)>;
  void watchLines(LineSink sink);

 private:
  struct Call {
    void (*body)(lua_State*, void*);
    void* at;
  };
  static int runBody(lua_State* L);
  Status runAny(void (*body)(lua_State*, void*), void* at);
  static bool counts(const void* block, size_t old_size, size_t new_size);
  static void* allocate(void* self, void* block, size_t old_size, size_t new_size);
  static void onCount(lua_State* L, lua_Debug*);
  void arm();
  void onLongString();
  std::string exhausted();
  void checkBudget();
  void collectSome();

  lua_State* state_ = nullptr;
  policy::Budget budget_;
  uint64_t instructions_ = 0;
  uint64_t step_ = 0;
  uint64_t limit_ = 0;      // instructions: the budget, or less for one run
  uint64_t uncharted_ = 0;  // charged since the last look at the clock
  int64_t serial_ = 0;
  uint64_t allocated_ = 0;  // bytes asked for since begin(), freed or not; only what is the same in every state
  uint64_t raw_ = 0;        // all of them
  uint64_t garbage_ = 0;    // bytes asked for since the collector last worked
  int64_t deadline_ = 0;    // steady nanoseconds
  bool running_ = false;
  bool over_memory_ = false;
  bool over_string_ = false;
  bool long_strings_ = false;  // some were loaded: each instruction may take long
  Purpose purpose_ = Purpose::kLoad;
  bool aborted_ = false;
  bool over_budget_ = false;
  bool late_ = false;
  bool shortened_ = false;
  std::string why_;
  std::map<std::string, MethodCalls, std::less<>> methods_;  // by chunk name, as Lua has it: "@p.lua"
  const char* method_chunk_ = nullptr;                       // Lua's own text of the last one's name
  const MethodCalls* method_calls_ = nullptr;
  LineSink lines_;
};

}  // namespace yett::lua
