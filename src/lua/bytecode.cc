#include "lua/bytecode.h"

#include <algorithm>
#include <cstdint>
#include <lua.hpp>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "lua/state.h"

namespace yett::lua {
namespace {

static_assert(LUA_VERSION_NUM == 504, "this file parses the precompiled chunk format of Lua 5.4");

// ldump.c and lopcodes.h of Lua 5.4.
constexpr size_t kHeaderSize = 4 + 1 + 1 + 6 + 3 + 8 + 8;
constexpr uint32_t kSetUpvalue = 10;

class Chunk {
 public:
  explicit Chunk(std::string_view bytes) : rest_(bytes) { skip(kHeaderSize + 1); }

  /// The function's own upvalues that it, or a function inside it, assigns to.
  std::set<size_t> function() {
    string();  // source
    number();  // first line
    number();  // last line
    skip(3);   // parameters, vararg, stack size
    std::set<size_t> assigned;
    for (size_t n = number(); n > 0; --n) {
      const uint32_t instruction = word();
      if ((instruction & 0x7f) == kSetUpvalue) assigned.insert((instruction >> 16) & 0xff);
    }
    for (size_t n = number(); n > 0; --n) constant();
    std::vector<std::pair<bool, size_t>> upvalues;  // of this function: is it a register of its parent, and its index
    for (size_t n = number(); n > 0; --n) {
      const bool in_stack = byte() != 0;
      upvalues.emplace_back(in_stack, byte());
      skip(1);
    }
    last_upvalues_ = upvalues;
    for (size_t n = number(); n > 0; --n) {
      const std::set<size_t> inner = function();
      for (const size_t index : inner) {
        if (index < last_upvalues_.size() && !last_upvalues_[index].first)
          assigned.insert(last_upvalues_[index].second);
      }
    }
    skip(number());  // line info
    for (size_t n = number(); n > 0; --n) number(), number();
    for (size_t n = number(); n > 0; --n) string(), number(), number();
    for (size_t n = number(); n > 0; --n) string();
    last_upvalues_ = std::move(upvalues);  // for the caller, to map our upvalues to its own
    return assigned;
  }
  bool ok() const { return ok_ && rest_.empty(); }

 private:
  void skip(size_t n) {
    if (n > rest_.size()) ok_ = false;
    rest_.remove_prefix(std::min(n, rest_.size()));
  }
  unsigned char byte() {
    if (rest_.empty()) return ok_ = false, 0;
    const auto out = static_cast<unsigned char>(rest_[0]);
    rest_.remove_prefix(1);
    return out;
  }
  uint32_t word() {
    uint32_t out = 0;
    for (int shift = 0; shift < 32; shift += 8) out |= static_cast<uint32_t>(byte()) << shift;
    return out;
  }
  size_t number() {
    size_t out = 0;
    while (ok_) {
      const unsigned char b = byte();
      out = out << 7 | (b & 0x7f);
      if ((b & 0x80) != 0) break;
    }
    if (out > rest_.size() * 8 + 64 && out > (1u << 30)) ok_ = false;
    return ok_ ? out : 0;
  }
  void string() {
    const size_t size = number();
    if (size > 0) skip(size - 1);
  }
  void constant() {
    switch (byte()) {
      case LUA_TNUMBER:  // integer
      case LUA_TNUMBER | 1 << 4: skip(8); return;
      case LUA_TSTRING:  // short
      case LUA_TSTRING | 1 << 4: string(); return;
      case LUA_TNIL:
      case LUA_TBOOLEAN:
      case LUA_TBOOLEAN | 1 << 4: return;
      default: ok_ = false;
    }
  }

  std::string_view rest_;
  std::vector<std::pair<bool, size_t>> last_upvalues_;
  bool ok_ = true;
};

int append(lua_State*, const void* data, size_t size, void* to) {
  static_cast<std::string*>(to)->append(static_cast<const char*>(data), size);
  return 0;
}

}  // namespace

std::string assignedUpvalue(lua_State* L) {
  std::string dumped;
  lua_dump(L, append, &dumped, 1);
  LuaState::of(L).charge(dumped.size() / 16);
  Chunk chunk(dumped);
  const auto assigned = chunk.function();
  if (!chunk.ok()) return "?";  // reject what cannot be parsed
  if (assigned.empty()) return {};
  const char* name = lua_getupvalue(L, -1, static_cast<int>(*assigned.begin()) + 1);
  if (name == nullptr) return "?";
  std::string out(name);
  lua_pop(L, 1);
  return out.empty() ? "?" : out;
}

}  // namespace yett::lua
