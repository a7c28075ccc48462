// One Lua state with a budget: instructions, bytes and, as a backstop, time. Nothing that runs in it can outlast them:
// the count hook ends every loop, an abort is sticky (pcall cannot swallow it), and after an abort each further
// instruction raises again. One thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "lua/methods.h"
#include "policy/document.h"
#include "policy/rule_engine.h"

struct lua_State;
struct lua_Debug;

namespace yett::lua {

/// The longest string that a decision may create, in bytes.
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
  /// Runs `body(lua_State*)` protected; an error, or a used-up budget, is returned as text. Leaves the stack unchanged.
  template <typename Body>
  Status run(Body&& body) {
    return runAny([](lua_State* L, void* at) { (*static_cast<std::remove_reference_t<Body>*>(at))(L); }, &body);
  }

  lua_State* native() { return state_; }
  static LuaState& of(lua_State* L);

  /// Ends the run for good (budget used up, absent value): nothing in Lua can hide it. Does not return.
  [[noreturn]] void abort(const std::string& why);
  /// Counts work that a C function is about to do (about one per 16 bytes) as instructions.
  void charge(uint64_t units);
  /// Like charge(), for work of unknown size: charges one instruction, but makes the next clock check come earlier.
  void suspect(uint64_t units);
  /// Compiles Lua text and checks the budget's clock while reading it: the compiler runs no instructions. Leaves the
  /// function on the stack, or raises the error.
  static void compile(lua_State* L, const std::string& text, const std::string& name);
  /// Whether the last run ended because of the budget, not because of an error.
  bool overBudget() const { return over_budget_; }
  /// Whether it ended because of the clock: its instruction count does not show its cost.
  bool late() const { return late_; }
  /// Raises a pending abort again: for code that catches errors.
  void reraise();
  /// Between begin() for a decision and the next begin().
  bool deciding() const { return purpose_ == Purpose::kDecide; }
  /// A document of this decision over a copy of `text`, which documentText() is until the next call; both live until
  /// the run ends.
  policy::Document& newDocument(std::string_view text) {
    documents_.push_back(std::make_unique<Decoded>());
    documents_.back()->text = text;
    return documents_.back()->document;
  }
  std::string_view documentText() const { return documents_.back()->text; }
  /// Differs for each begin(): what one decision creates must not be used in another.
  int64_t serial() const { return serial_; }
  /// The cost of the runs since begin(). The same run costs the same in every state, whatever the state's history.
  uint64_t instructions() const { return instructions_; }
  uint64_t allocated() const { return allocated_; }
  /// Charges the cost of an earlier run instead of repeating it. Returns false and charges nothing if that run would
  /// not have ended within the budget.
  bool chargeRun(uint64_t instructions, uint64_t allocated);

  /// Limits the following runs to this many instructions, whatever is left of the budget, until begin() or allowAll().
  void allowOnly(uint64_t instructions) {
    limit_ = std::min(budget_.instructions, instructions_ + instructions);
    shortened_ = true;
  }
  void allowAll() {
    limit_ = budget_.instructions;
    shortened_ = false;
  }

  /// Sets where the text of a chunk calls string methods. Chunks without this may read all of them anywhere.
  void knowMethods(const std::string& chunk, MethodCalls calls) {
    methods_.insert_or_assign(chunk, std::move(calls));
    method_chunk_ = nullptr;
  }
  /// Whether the Lua function that is reading `method` of a string calls it on this line.
  bool callsMethod(lua_State* L, std::string_view method);

  /// Calls `sink` for every line that runs (null: off). For coverage and explanations, off the hot path.
  using LineSink = std::function<void(const char* file, int line)>;
  void watchLines(LineSink sink);
  /// The one in force.
  const LineSink& lineSink() const { return lines_; }

 private:
  struct Decoded {
    std::string text;
    policy::Document document{2048};
  };
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
  uint64_t uncharted_ = 0;  // charged since the last clock check
  int64_t serial_ = 0;
  uint64_t allocated_ = 0;  // bytes allocated since begin(), freed or not; only what is the same in every state
  uint64_t raw_ = 0;        // all bytes allocated
  uint64_t garbage_ = 0;    // bytes allocated since the collector last ran
  int64_t deadline_ = 0;    // steady nanoseconds
  bool running_ = false;
  bool over_memory_ = false;
  bool over_string_ = false;
  bool long_strings_ = false;  // some were loaded: an instruction may be slow
  Purpose purpose_ = Purpose::kLoad;
  bool aborted_ = false;
  bool over_budget_ = false;
  bool late_ = false;
  bool shortened_ = false;
  std::string why_;
  std::map<std::string, MethodCalls, std::less<>> methods_;  // by Lua's chunk name: "@p.lua"
  const char* method_chunk_ = nullptr;                       // Lua's pointer to the name of the last one
  const MethodCalls* method_calls_ = nullptr;
  LineSink lines_;
  std::vector<std::unique_ptr<Decoded>> documents_;  // that this decision has decoded
};

}  // namespace yett::lua
