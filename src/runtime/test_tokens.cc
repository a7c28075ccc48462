#include "runtime/test_tokens.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "identity/spiffe_id.h"

namespace yett::runtime {
namespace {

using json::Value;
using Type = Value::Type;

// A claim that must be a text; `missing` if it is not there.
Result<std::string> textOf(const Value& claims, const char* name, std::string missing) {
  const Value* found = claims.find(name);
  if (found == nullptr) return missing;
  if (found->type == Type::kString) return found->text;
  return Error{"`" + std::string(name) + "` is " + found->typeName() + ", must be a string"};
}

Result<std::vector<std::string>> audiencesOf(const Value& claims) {
  const Value* found = claims.find("aud");
  if (found == nullptr) return std::vector<std::string>{"test"};
  if (found->type == Type::kString) return std::vector<std::string>{found->text};
  std::vector<std::string> out;
  for (const auto& item : found->items) {
    if (item.type == Type::kString) out.push_back(item.text);
  }
  if (found->type != Type::kArray || out.size() != found->items.size() || out.empty())
    return Error{"`aud` must be a string or a list of strings"};
  return out;
}

// Adds a claim that is not there.
void add(Value& claims, const char* name, Value value) {
  if (claims.find(name) != nullptr) return;
  claims.fields.emplace_back(name, std::move(value));
  std::sort(claims.fields.begin(), claims.fields.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
}

Value textValue(const std::string& text) {
  Value out;
  out.type = Type::kString;
  out.text = text;
  return out;
}

Value numberValue(int64_t number) {
  Value out;
  out.type = Type::kInt;
  out.integer = number;
  return out;
}

Result<policy::NamedToken> tokenOf(const std::string& provider, Value claims, int64_t now) {
  constexpr int64_t kHour = 3600;
  if (claims.type != Type::kObject)
    return Error{std::string("is ") + claims.typeName() + ", must be an object of claims"};
  identity::VerifiedJwt verified;
  verified.issuer = TRY(textOf(claims, "iss", "test"));
  verified.subject = TRY(textOf(claims, "sub", ""));
  verified.audiences = TRY(audiencesOf(claims));
  verified.key_id = "test";
  const Value* expires = claims.find("exp");
  if (expires != nullptr && expires->type != Type::kInt) return Error{"`exp` must be whole seconds since 1970"};
  verified.expires = expires != nullptr ? expires->integer : now + kHour;
  if (verified.expires <= now)
    return Error{"`exp` is over at the time of the request: such a token never reaches policy, Yett answers 401"};
  if (provider == policy::kSvidProvider) {
    const auto id = TRY(identity::SpiffeId::parse(verified.subject));
    if (id.path().empty()) return Error{"`sub` must be the SPIFFE ID of a workload"};
  }
  add(claims, "iss", textValue(verified.issuer));
  add(claims, "aud", textValue(verified.audiences[0]));
  add(claims, "exp", numberValue(verified.expires));
  verified.claims = json::text(claims);
  return policy::NamedToken{provider, TRY(policy::Token::create(std::move(verified)))};
}

}  // namespace

Result<std::vector<policy::NamedToken>> testTokens(const Value& providers, int64_t now) {
  if (providers.type != Type::kObject)
    return Error{std::string("`jwt` is ") + providers.typeName() + ", must be an object of providers and their claims"};
  std::vector<policy::NamedToken> out;
  for (const auto& [provider, claims] : providers.fields) {
    auto token = tokenOf(provider, claims, now);
    if (!token) return std::move(token).error().within("`jwt`: `" + base::printable(provider) + "`");
    out.push_back(std::move(token).value());
  }
  return out;
}

}  // namespace yett::runtime
