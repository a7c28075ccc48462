#include "lua/patterns.h"

#include <algorithm>
#include <cstring>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "lua/state.h"

namespace yett::lua {
namespace {

constexpr int kMostCaptures = 32;
constexpr int kDeepest = 150;
constexpr ptrdiff_t kOpen = -1;      // a capture that is not closed yet
constexpr ptrdiff_t kPosition = -2;  // a capture of a position

using Byte = unsigned char;

bool isClass(Byte c, char name) {
  const bool lower = c >= 'a' && c <= 'z';
  const bool upper = c >= 'A' && c <= 'Z';
  const bool digit = c >= '0' && c <= '9';
  bool in = false;
  switch (name | 0x20) {
    case 'a': in = lower || upper; break;
    case 'c': in = c < 32 || c == 127; break;
    case 'd': in = digit; break;
    case 'g': in = c > 32 && c < 127; break;
    case 'l': in = lower; break;
    case 'p': in = c > 32 && c < 127 && !lower && !upper && !digit; break;
    case 's': in = c == ' ' || (c >= 9 && c <= 13); break;
    case 'u': in = upper; break;
    case 'w': in = lower || upper || digit; break;
    case 'x': in = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); break;
    default: return static_cast<Byte>(name) == c;
  }
  return (name & 0x20) != 0 ? in : !in;
}

// One match of one pattern. Holds nothing that an error would leak.
class Matcher {
 public:
  Matcher(lua_State* L, std::string_view text, std::string_view pattern)
      : L_(L), begin_(text.data()), end_(text.data() + text.size()), pattern_end_(pattern.data() + pattern.size()) {}

  /// The end of the match of `p` at `s`, or null. Captures are those of the last match.
  const char* matchAt(const char* s, const char* p) {
    level_ = 0;
    depth_ = 0;
    return match(s, p);
  }

  /// Pushes the captures, or the whole match where there are none; with `whole` null, nothing then.
  int pushCaptures(const char* s, const char* e) {
    const int count = level_ == 0 && s != nullptr ? 1 : level_;
    luaL_checkstack(L_, count, "too many captures");
    for (int i = 0; i < count; ++i) pushCapture(i, s, e);
    return count;
  }

  void pushCapture(int i, const char* s, const char* e) {
    if (i >= level_) {
      if (i != 0) luaL_error(L_, "invalid capture index %%%d", i + 1);
      lua_pushlstring(L_, s, static_cast<size_t>(e - s));
      return;
    }
    const Capture& capture = captures_[i];
    if (capture.size == kOpen) luaL_error(L_, "unfinished capture");
    if (capture.size == kPosition) lua_pushinteger(L_, capture.at - begin_ + 1);
    else lua_pushlstring(L_, capture.at, static_cast<size_t>(capture.size));
  }

 private:
  struct Capture {
    const char* at;
    ptrdiff_t size;
  };

  // Four looks at a byte are about one instruction.
  void step() {
    if ((++steps_ & 3) == 0) LuaState::of(L_).charge(1);
  }

  const char* classEnd(const char* p) {
    if (p == pattern_end_) luaL_error(L_, "malformed pattern (ends with a lone `%%` or `[`)");
    const char c = *p++;
    if (c == '%') {
      if (p == pattern_end_) luaL_error(L_, "malformed pattern (ends with `%%`)");
      return p + 1;
    }
    if (c != '[') return p;
    const char* begin = p;
    if (p != pattern_end_ && *p == '^') ++p;
    do {  // a `]` that comes first stands for itself
      if (p == pattern_end_) luaL_error(L_, "malformed pattern (missing `]`)");
      if (*p++ == '%' && p != pattern_end_) ++p;
    } while (p == pattern_end_ || *p != ']');
    LuaState::of(L_).charge(static_cast<uint64_t>(p - begin) / 4);
    return p + 1;
  }

  // `p` is at '[', `last` at its ']'.
  static bool inSet(Byte c, const char* p, const char* last) {
    bool found = true;
    if (p[1] == '^') {
      found = false;
      ++p;
    }
    while (++p < last) {
      if (*p == '%') {
        if (isClass(c, *++p)) return found;
      } else if (p[1] == '-' && p + 2 < last) {
        if (static_cast<Byte>(p[0]) <= c && c <= static_cast<Byte>(p[2])) return found;
        p += 2;
      } else if (static_cast<Byte>(*p) == c) {
        return found;
      }
    }
    return !found;
  }

  bool single(const char* s, const char* p, const char* class_end) {
    step();
    if (s >= end_) return false;
    const auto c = static_cast<Byte>(*s);
    switch (*p) {
      case '.': return true;
      case '%': return isClass(c, p[1]);
      case '[': LuaState::of(L_).charge(static_cast<uint64_t>(class_end - p) / 8); return inSet(c, p, class_end - 1);
      default: return static_cast<Byte>(*p) == c;
    }
  }

  const char* match(const char* s, const char* p) {
    if (++depth_ > kDeepest) luaL_error(L_, "pattern too complex");
    const char* out = matchRest(s, p);
    --depth_;
    return out;
  }

  const char* matchRest(const char* s, const char* p) {
    for (;;) {
      step();
      if (p == pattern_end_) return s;
      if (*p == '(') return p + 1 < pattern_end_ && p[1] == ')' ? open(s, p + 2, kPosition) : open(s, p + 1, kOpen);
      if (*p == ')') return close(s, p + 1);
      if (*p == '$' && p + 1 == pattern_end_) return s == end_ ? s : nullptr;
      if (*p == '%' && p + 1 < pattern_end_) {
        if (p[1] == 'b') {
          s = balance(s, p + 2);
          if (s == nullptr) return nullptr;
          p += 4;
          continue;
        }
        if (p[1] == 'f') {
          p += 2;
          if (p == pattern_end_ || *p != '[') luaL_error(L_, "missing `[` after `%%f` in pattern");
          const char* after = classEnd(p);
          LuaState::of(L_).charge(static_cast<uint64_t>(after - p) / 2);
          const auto before = static_cast<Byte>(s == begin_ ? '\0' : s[-1]);
          const auto here = static_cast<Byte>(s == end_ ? '\0' : *s);
          if (inSet(before, p, after - 1) || !inSet(here, p, after - 1)) return nullptr;
          p = after;
          continue;
        }
        if (p[1] >= '0' && p[1] <= '9') {
          s = again(s, p[1]);
          if (s == nullptr) return nullptr;
          p += 2;
          continue;
        }
      }
      const char* after = classEnd(p);
      const char suffix = after == pattern_end_ ? '\0' : *after;
      if (suffix == '*') return longest(s, p, after);
      if (suffix == '+') return single(s, p, after) ? longest(s + 1, p, after) : nullptr;
      if (suffix == '-') return shortest(s, p, after);
      const bool matched = single(s, p, after);
      if (suffix == '?') {
        if (matched) {
          const char* out = match(s + 1, after + 1);
          if (out != nullptr) return out;
        }
        p = after + 1;
        continue;
      }
      if (!matched) return nullptr;
      ++s;
      p = after;
    }
  }

  const char* longest(const char* s, const char* p, const char* after) {
    ptrdiff_t count = 0;
    while (single(s + count, p, after)) ++count;
    for (; count >= 0; --count) {
      const char* out = match(s + count, after + 1);
      if (out != nullptr) return out;
    }
    return nullptr;
  }

  const char* shortest(const char* s, const char* p, const char* after) {
    for (;;) {
      const char* out = match(s, after + 1);
      if (out != nullptr) return out;
      if (!single(s, p, after)) return nullptr;
      ++s;
    }
  }

  const char* open(const char* s, const char* p, ptrdiff_t kind) {
    if (level_ >= kMostCaptures) luaL_error(L_, "too many captures");
    captures_[level_++] = {s, kind};
    const char* out = match(s, p);
    if (out == nullptr) --level_;
    return out;
  }

  const char* close(const char* s, const char* p) {
    int last = level_ - 1;
    while (last >= 0 && captures_[last].size != kOpen) --last;
    if (last < 0) luaL_error(L_, "invalid pattern capture");
    captures_[last].size = s - captures_[last].at;
    const char* out = match(s, p);
    if (out == nullptr) captures_[last].size = kOpen;
    return out;
  }

  const char* balance(const char* s, const char* p) {
    if (pattern_end_ - p < 2) luaL_error(L_, "malformed pattern (missing arguments to `%%b`)");
    if (s >= end_ || *s != *p) return nullptr;
    int open_ones = 1;
    while (++s < end_) {
      step();
      if (*s == p[1]) {
        if (--open_ones == 0) return s + 1;
      } else if (*s == p[0]) {
        ++open_ones;
      }
    }
    return nullptr;
  }

  const char* again(const char* s, char digit) {
    const int i = digit - '1';
    if (i < 0 || i >= level_ || captures_[i].size == kOpen) luaL_error(L_, "invalid capture index %%%d", i + 1);
    if (captures_[i].size == kPosition) return nullptr;
    const auto size = static_cast<size_t>(captures_[i].size);
    LuaState::of(L_).charge(size / 16);
    if (static_cast<size_t>(end_ - s) < size || std::memcmp(captures_[i].at, s, size) != 0) return nullptr;
    return s + size;
  }

  lua_State* L_;
  const char* begin_;
  const char* end_;
  const char* pattern_end_;
  int level_ = 0;
  int depth_ = 0;
  uint32_t steps_ = 0;
  Capture captures_[kMostCaptures];
};

std::string_view textAt(lua_State* L, int index) {
  luaL_checktype(L, index, LUA_TSTRING);
  const std::string_view out(lua_tostring(L, index), lua_rawlen(L, index));
  if (out.size() > kLongestString) luaL_error(L, "a string over %d bytes", static_cast<int>(kLongestString));
  return out;
}

// The 0-based offset where a search begins, or more than the text's size.
size_t startAt(lua_State* L, int index, size_t size) {
  lua_Integer from = luaL_optinteger(L, index, 1);
  if (from < 0) from = std::max<lua_Integer>(1, static_cast<lua_Integer>(size) + from + 1);
  if (from == 0) from = 1;
  return static_cast<size_t>(from - 1);
}

int findPlain(lua_State* L, std::string_view text, std::string_view wanted, size_t from) {
  LuaState::of(L).charge(1 + text.size() / 16 + (text.size() / 64) * (wanted.size() / 16));
  const auto at = text.find(wanted, from);
  if (at == std::string_view::npos) return lua_pushnil(L), 1;
  lua_pushinteger(L, static_cast<lua_Integer>(at + 1));
  lua_pushinteger(L, static_cast<lua_Integer>(at + wanted.size()));
  return 2;
}

int search(lua_State* L, bool find) {
  const auto text = textAt(L, 1);
  auto pattern = textAt(L, 2);
  const size_t from = startAt(L, 3, text.size());
  LuaState::of(L).charge(2);
  if (from > text.size()) return lua_pushnil(L), 1;
  if (find && (lua_toboolean(L, 4) != 0 || pattern.find_first_of("^$*+?.([%-") == std::string_view::npos))
    return findPlain(L, text, pattern, from);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  Matcher matcher(L, text, pattern);
  for (const char* s = text.data() + from; s <= text.data() + text.size(); ++s) {
    const char* e = matcher.matchAt(s, pattern.data());
    if (e != nullptr) {
      if (!find) return matcher.pushCaptures(s, e);
      lua_pushinteger(L, s - text.data() + 1);
      lua_pushinteger(L, e - text.data());
      return 2 + matcher.pushCaptures(nullptr, nullptr);
    }
    if (anchored) break;
  }
  return lua_pushnil(L), 1;
}

int stringFind(lua_State* L) {
  return search(L, true);
}
int stringMatch(lua_State* L) {
  return search(L, false);
}

// Upvalues: text, pattern, the offset to go on from, the offset where the last match ended (or -1), the decision.
int gmatchNext(lua_State* L) {
  if (lua_tointeger(L, lua_upvalueindex(5)) != LuaState::of(L).serial())
    return luaL_error(L, "an iterator cannot be used in another decision than the one that made it");
  const std::string_view text(lua_tostring(L, lua_upvalueindex(1)), lua_rawlen(L, lua_upvalueindex(1)));
  const std::string_view pattern(lua_tostring(L, lua_upvalueindex(2)), lua_rawlen(L, lua_upvalueindex(2)));
  const char* last = text.data() + lua_tointeger(L, lua_upvalueindex(4));
  Matcher matcher(L, text, pattern);
  for (const char* s = text.data() + lua_tointeger(L, lua_upvalueindex(3)); s <= text.data() + text.size(); ++s) {
    const char* e = matcher.matchAt(s, pattern.data());
    if (e == nullptr || e == last) continue;
    for (const int upvalue : {3, 4}) {
      lua_pushinteger(L, e - text.data());
      lua_replace(L, lua_upvalueindex(upvalue));
    }
    return matcher.pushCaptures(s, e);
  }
  return 0;
}

int stringGmatch(lua_State* L) {
  const auto text = textAt(L, 1);
  textAt(L, 2);
  const size_t from = startAt(L, 3, text.size());
  lua_settop(L, 2);
  lua_pushinteger(L, static_cast<lua_Integer>(std::min(from, text.size() + 1)));
  lua_pushinteger(L, -1);
  lua_pushinteger(L, LuaState::of(L).serial());
  lua_pushcclosure(L, gmatchNext, 5);
  return 1;
}

// The replacement string, with %0 to %9 and %%.
void addExpanded(lua_State* L, Matcher& matcher, std::string_view replacement, const char* s, const char* e,
                 std::string& out) {
  uint32_t items = 0;
  for (size_t i = 0; i < replacement.size(); ++i) {
    if (out.size() > kLongestString) luaL_error(L, "a string over %d bytes", static_cast<int>(kLongestString));
    if ((++items & 3) == 0) LuaState::of(L).charge(1);
    const char c = replacement[i];
    if (c != '%') {
      out += c;
      continue;
    }
    if (++i == replacement.size()) luaL_error(L, "invalid use of `%%` in replacement string");
    const char what = replacement[i];
    if (what == '%') {
      out += '%';
    } else if (what == '0') {
      out.append(s, static_cast<size_t>(e - s));
    } else if (what >= '1' && what <= '9') {
      matcher.pushCapture(what - '1', s, e);
      size_t size = 0;
      const char* text = luaL_tolstring(L, -1, &size);
      LuaState::of(L).charge(2 + size / 16);
      out.append(text, size);
      lua_pop(L, 2);
    } else {
      luaL_error(L, "invalid use of `%%` in replacement string");
    }
  }
}

void addReplacement(lua_State* L, Matcher& matcher, const char* s, const char* e, std::string& out) {
  const int type = lua_type(L, 3);
  if (type == LUA_TSTRING) return addExpanded(L, matcher, {lua_tostring(L, 3), lua_rawlen(L, 3)}, s, e, out);
  if (type == LUA_TFUNCTION) {
    lua_pushvalue(L, 3);
    const int count = matcher.pushCaptures(s, e);
    lua_call(L, count, 1);
  } else {
    matcher.pushCapture(0, s, e);
    lua_gettable(L, 3);
  }
  if (lua_toboolean(L, -1) == 0) {
    out.append(s, static_cast<size_t>(e - s));
  } else if (lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER) {
    size_t size = 0;
    const char* text = lua_tolstring(L, -1, &size);
    out.append(text, size);
  } else {
    luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  }
  lua_pop(L, 1);
}

int stringGsub(lua_State* L) {
  const auto text = textAt(L, 1);
  auto pattern = textAt(L, 2);
  const int type = lua_type(L, 3);
  if (type != LUA_TSTRING && type != LUA_TTABLE && type != LUA_TFUNCTION)
    luaL_argerror(L, 3, "string, table or function expected");
  lua_Integer left = luaL_optinteger(L, 4, static_cast<lua_Integer>(text.size()) + 1);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  lua_Integer count = 0;
  {
    std::string out;  // errors are C++ exceptions here: it is destroyed
    Matcher matcher(L, text, pattern);
    const char* s = text.data();
    const char* end = text.data() + text.size();
    const char* last = nullptr;
    while (left > 0) {
      const char* e = matcher.matchAt(s, pattern.data());
      if (e != nullptr && e != last) {
        ++count;
        --left;
        LuaState::of(L).charge(2);
        addReplacement(L, matcher, s, e, out);
        s = last = e;
      } else if (s < end) {
        out += *s++;
      } else {
        break;
      }
      if (out.size() > kLongestString) luaL_error(L, "a string over %d bytes", static_cast<int>(kLongestString));
      if (anchored) break;
    }
    out.append(s, static_cast<size_t>(end - s));
    LuaState::of(L).charge(out.size() / 16);
    lua_pushlstring(L, out.data(), out.size());
  }
  lua_pushinteger(L, count);
  return 2;
}

}  // namespace

void takePatternFunctions(lua_State* L) {
  const luaL_Reg functions[] = {
      {"find", stringFind}, {"match", stringMatch}, {"gmatch", stringGmatch}, {"gsub", stringGsub}, {nullptr, nullptr}};
  luaL_setfuncs(L, functions, 0);
}

}  // namespace yett::lua
