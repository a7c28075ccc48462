#include "lua/request.h"

#include <algorithm>
#include <lua.hpp>
#include <string>
#include <vector>

#include "base/text.h"
#include "lua/document.h"
#include "lua/state.h"
#include "lua/token.h"
#include "policy/attribute_reader.h"

namespace yett::lua {
namespace {

using policy::Attr;
using policy::AttributeReader;

enum class Group : int {
  kRoot,
  kHeader,
  kQuery,
  kParams,
  kPrincipal,
  kSource,
  kDestination,
  kTls,
  kGrpc,
  kBody,
  kJwt,
  kClient,
  kCount
};

struct Handle {
  AttributeReader** reader;
  Group group;
};

struct Field {
  Group group;
  std::string_view name;
  Attr attr;
};

constexpr Field kFields[] = {
    {Group::kRoot, "method", Attr::kMethod},
    {Group::kRoot, "path", Attr::kPath},
    {Group::kRoot, "host", Attr::kHost},
    {Group::kRoot, "scheme", Attr::kScheme},
    {Group::kRoot, "raw_path", Attr::kRawPath},
    {Group::kRoot, "protocol", Attr::kProtocol},
    {Group::kRoot, "time", Attr::kTime},
    {Group::kRoot, "via", Attr::kVia},
    {Group::kClient, "ip", Attr::kClientIp},
    {Group::kPrincipal, "id", Attr::kPrincipalId},
    {Group::kPrincipal, "path", Attr::kPrincipalPath},
    {Group::kPrincipal, "trust_domain", Attr::kPrincipalTrustDomain},
    {Group::kPrincipal, "kind", Attr::kPrincipalKind},
    {Group::kSource, "ip", Attr::kSourceIp},
    {Group::kSource, "port", Attr::kSourcePort},
    {Group::kDestination, "ip", Attr::kDestinationIp},
    {Group::kDestination, "port", Attr::kDestinationPort},
    {Group::kTls, "version", Attr::kTlsVersion},
    {Group::kTls, "cipher", Attr::kTlsCipher},
    {Group::kTls, "sni", Attr::kTlsSni},
    {Group::kGrpc, "service", Attr::kGrpcService},
    {Group::kGrpc, "method", Attr::kGrpcMethod},
    {Group::kBody, "complete", Attr::kBodyComplete},
    {Group::kBody, "size", Attr::kBodySize},
    {Group::kBody, "json", Attr::kBodyJson},
};

constexpr std::string_view kGroupNames[] = {"",    "header", "query", "params", "principal", "source", "destination",
                                            "tls", "grpc",   "body",  "jwt",    "client"};
// The token that is a JWT-SVID; also r.jwt.svid.
constexpr std::string_view kSvidField = "jwt_svid";

Handle& handleAt(lua_State* L, int index) {
  return *static_cast<Handle*>(luaL_checkudata(L, index, "yett.request"));
}

[[noreturn]] void refuse(lua_State* L, const std::string& why) {
  luaL_where(L, 1);
  LuaState::of(L).abort(std::string(lua_tostring(L, -1)) + why);
}

// Which attribute a key of a group names; groups with arbitrary keys pass the key on.
bool resolve(Group group, std::string_view key, Attr& attr, std::string_view& attr_key) {
  attr_key = {};
  switch (group) {
    case Group::kHeader:
      attr = Attr::kHeader;
      attr_key = key;
      return true;
    case Group::kQuery:
      attr = Attr::kQuery;
      attr_key = key;
      return true;
    case Group::kParams:
      attr = Attr::kParam;
      attr_key = key;
      return true;
    case Group::kJwt:
      attr = Attr::kJwt;
      attr_key = key;
      return key.find('.') == std::string_view::npos;
    case Group::kRoot:
      if (key != kSvidField) break;
      attr = Attr::kJwt;
      attr_key = policy::kSvidProvider;
      return true;
    default: break;
  }
  for (const auto& field : kFields) {
    if (field.group != group || field.name != key) continue;
    attr = field.attr;
    return true;
  }
  return false;
}

[[noreturn]] void unknownField(lua_State* L, Group group, std::string_view key) {
  std::vector<std::string_view> known;
  for (const auto& field : kFields) {
    if (field.group == group) known.push_back(field.name);
  }
  if (group == Group::kRoot) known = requestFields("");
  refuse(L, "a request has no field `" + std::string(key) + "`" + base::didYouMean(key, known));
}

// The requested key. A key that is not a string never exists, and pcall must not hide the mistake.
std::string_view keyAt(lua_State* L) {
  if (lua_type(L, 2) != LUA_TSTRING) refuse(L, std::string("a request has no field named by a ") + luaL_typename(L, 2));
  return {lua_tostring(L, 2), lua_rawlen(L, 2)};
}

// "header `x-region` ", with a long name cut.
std::string describe(Group group, std::string_view key) {
  std::string what(kGroupNames[static_cast<int>(group)]);
  return what + (what.empty() ? "`" : " `") + std::string(key.substr(0, 64)) + "` ";
}

// Charges the same each time, before parsing: a later read may find the body already parsed.
void chargeBody(lua_State* L, AttributeReader& reader, Attr attr) {
  const policy::Body* body = reader.request().body;
  if (attr == Attr::kBodyJson && body != nullptr) LuaState::of(L).charge(20 + body->bytes.size() / 2);
}

// An upper-case name would never be found, so a deny would never apply.
void checkLowerCase(lua_State* L, std::string_view key) {
  if (std::any_of(key.begin(), key.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
    refuse(L, "header `" + std::string(key.substr(0, 64)) + "`: header names are in lower case");
}

void pushList(lua_State* L, const std::vector<std::string_view>& values) {
  lua_createtable(L, static_cast<int>(values.size()), 0);
  for (size_t i = 0; i < values.size(); ++i) {
    lua_pushlstring(L, values[i].data(), values[i].size());
    lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
  }
}

int headersMethod(lua_State* L) {
  const Handle& handle = handleAt(L, 1);
  const std::string_view key = keyAt(L);
  checkLowerCase(L, key);
  AttributeReader& reader = **handle.reader;
  policy::AttrValue count;
  const auto& values = reader.readList(key, count);
  if (!count.present()) refuse(L, describe(Group::kHeader, key) + std::string(count.text));
  return pushList(L, values), 1;
}

int index(lua_State* L) {
  const Handle& handle = handleAt(L, 1);
  const std::string_view key = keyAt(L);
  Attr attr{};
  std::string_view attr_key;
  if (!resolve(handle.group, key, attr, attr_key)) {
    if (handle.group == Group::kRoot) {
      if (key == "headers") return lua_pushcfunction(L, headersMethod), 1;
      for (int i = 1; i < static_cast<int>(Group::kCount); ++i) {
        if (kGroupNames[i] == key) return lua_getiuservalue(L, 1, i), 1;
      }
    }
    unknownField(L, handle.group, key);
  }
  chargeBody(L, **handle.reader, attr);
  if (attr == Attr::kHeader) checkLowerCase(L, attr_key);
  const auto value = (*handle.reader)->read(attr, attr_key);
  if (value.state != policy::AttrValue::State::kPresent) {
    const std::string what = describe(handle.group, key);
    if (value.state != policy::AttrValue::State::kAbsent) refuse(L, what + std::string(value.text));
    refuse(L, what + "is absent: check with has() or use optional()");
  }
  AttributeReader& reader = **handle.reader;
  if (attr == Attr::kVia) pushDocument(L, reader.viaJson(), "the list `via`", true, false);
  else if (attr == Attr::kJwt) pushToken(L, handle.reader, attr_key);
  else if (value.type != policy::AttrValue::Type::kJson) pushValue(L, reader, value, attr_key);
  else pushDocument(L, reader.bodyJson().root(), "the body", true, !reader.request().body->exact_names);
  return 1;
}

int hasField(lua_State* L) {
  const Handle& handle = handleAt(L, 1);
  const std::string_view key = keyAt(L);
  Attr attr{};
  std::string_view attr_key;
  if (!resolve(handle.group, key, attr, attr_key)) unknownField(L, handle.group, key);
  chargeBody(L, **handle.reader, attr);
  if (attr == Attr::kHeader) checkLowerCase(L, attr_key);
  const auto value = (*handle.reader)->read(attr, attr_key);
  if (value.state == policy::AttrValue::State::kRefused)
    refuse(L, describe(handle.group, key) + std::string(value.text));
  lua_pushboolean(L, value.state != policy::AttrValue::State::kAbsent);
  return 1;
}

int refuseAssign(lua_State* L) {
  return luaL_error(L, "a request cannot be changed by policy");
}

void pushHandle(lua_State* L, AttributeReader** reader, Group group, int values) {
  auto* handle = static_cast<Handle*>(lua_newuserdatauv(L, sizeof(Handle), values));
  *handle = {reader, group};
  luaL_setmetatable(L, "yett.request");
}

}  // namespace

std::vector<std::string_view> requestFields(std::string_view group) {
  std::vector<std::string_view> out;
  for (const auto& field : kFields) {
    if (kGroupNames[static_cast<int>(field.group)] == group) out.push_back(field.name);
  }
  if (group == kSvidField) {
    out = tokenValueFields();
    out.push_back("claims");
  }
  if (group.empty()) {
    out.insert(out.end(), std::begin(kGroupNames) + 1, std::end(kGroupNames));
    out.push_back("headers");
    out.push_back(kSvidField);
  }
  return out;
}

void pushRequest(lua_State* L, AttributeReader** reader) {
  openTokens(L);
  luaL_newmetatable(L, "yett.request");
  const luaL_Reg methods[] = {
      {"__index", index}, {"__newindex", refuseAssign}, {"__has", hasField}, {nullptr, nullptr}};
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
  pushHandle(L, reader, Group::kRoot, static_cast<int>(Group::kCount) - 1);
  for (int i = 1; i < static_cast<int>(Group::kCount); ++i) {
    pushHandle(L, reader, static_cast<Group>(i), 0);
    lua_setiuservalue(L, -2, i);
  }
}

}  // namespace yett::lua
