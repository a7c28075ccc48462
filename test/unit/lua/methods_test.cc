#include "lua/methods.h"

#include <catch2/catch.hpp>

using yett::lua::MethodCalls;

TEST_CASE("string methods: code that can only call them, and code that may read them as fields") {
  for (const char* text : {"return x:sub(1, 2)", "return string.sub(x, 1)", "return r.header['x-sub']", "return t[1]",
                           "t = { ['sub'] = 1, [k] = 2 }", "f { [k] = 1, }", "return r.body.json.owner",
                           "return x[ [[a]] ]", "return 'x.sub'", "-- x.sub", "return x:lower():sub(1)"}) {
    INFO(text);
    CHECK(MethodCalls(text).callsOnly());
  }
  for (const char* text : {"return x.sub", "return x.sub(x)", "return x['sub']", "return x[k]", "return f(x)[k]",
                           "return t[1][k]", "return x['\\115ub']", "return ('a')[k]", "return x[ [[sub]] ]",
                           "local string = x return string.sub", "return function(string) return string.len end",
                           "for _, string in ipairs(x) do y = string.rep end", "string = x", "return x[0 and k]",
                           "return x['s' .. 'ub']", "return x.string.sub", "return x[#x]", "return x[(k)]"}) {
    INFO(text);
    CHECK_FALSE(MethodCalls(text).callsOnly());
  }
}
