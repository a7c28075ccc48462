// Matches one Lua pattern (manual, 6.4.1) and counts its steps. Only for patterns.cc.
#pragma once

#include <cstring>
#include <lua.hpp>
#include <string_view>

#include "lua/state.h"

namespace yett::lua {

inline constexpr int kMaxCaptures = 32;
inline constexpr int kDeepest = 150;
inline constexpr ptrdiff_t kOpen = -1;      // a capture that is not closed yet
inline constexpr ptrdiff_t kPosition = -2;  // a capture of a position

using Byte = unsigned char;

inline bool isClass(Byte c, char name) {
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

/// Owns nothing that an error could leak.
class PatternMatcher {
 public:
  PatternMatcher(lua_State* L, std::string_view text, std::string_view pattern)
      : L_(L), begin_(text.data()), end_(text.data() + text.size()), pattern_end_(pattern.data() + pattern.size()) {}

  /// The end of the match of `p` at `s`, or null. Captures are those of the last match.
  const char* matchAt(const char* s, const char* p) {
    level_ = 0;
    depth_ = 0;
    return match(s, p);
  }

  /// Pushes the captures. If there are none: the whole match, or nothing if `s` is null.
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

  // Charges one instruction for every four steps.
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
    do {  // a leading `]` is literal
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
    if (level_ >= kMaxCaptures) luaL_error(L_, "too many captures");
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
  Capture captures_[kMaxCaptures];
};

}  // namespace yett::lua
