#include "identity/jwt.h"

#include <algorithm>
#include <optional>

#include "base/base64.h"
#include "base/json.h"
#include "base/text.h"

namespace yett::identity {
namespace {

constexpr size_t kMostHeader = 4 << 10;  // bytes, decoded
constexpr size_t kMostKeyId = 256;
constexpr int kDepth = 16;
constexpr int64_t kLatest = int64_t{1} << 53;  // seconds; numbers beyond it are not exact (RFC 7493 2.2)

using Type = json::Value::Type;

struct Parts {
  json::Value header;
  json::Value claims;
  std::string payload;
  std::string signature;
  std::string_view input;  // what is signed
};

Result<json::Value> objectOf(std::string_view text, const char* what) {
  auto value = json::parse(text, false, kDepth);
  if (!value)
    return Error{std::string(what) +
                 " is not JSON, repeats a name, is nested too deeply or has a number that is too large"};
  if (value.value().type != Type::kObject) return Error{std::string(what) + " is not a JSON object"};
  return value;
}

Result<std::string> decoded(std::string_view text, const char* what) {
  auto out = base::fromBase64(text, base::Base64::kUrl);
  if (!out) return Error{std::string(what) + " is not base64url: " + out.error().message};
  return out;
}

Result<Parts> split(std::string_view token) {
  if (token.size() > kMostJwtBytes) return Error{"the token is larger than 16 KiB"};
  const auto pieces = base::split(token, '.');
  if (pieces.size() == 5) return Error{"the token is encrypted (RFC 7516), which is not supported"};
  if (pieces.size() != 3) return Error{"the token does not have three parts"};
  Parts out;
  const std::string header = TRY(decoded(pieces[0], "its header"));
  if (header.size() > kMostHeader) return Error{"its header is larger than 4 KiB"};
  out.header = TRY(objectOf(header, "its header"));
  out.payload = TRY(decoded(pieces[1], "its payload"));
  out.signature = TRY(decoded(pieces[2], "its signature"));
  out.input = token.substr(0, pieces[0].size() + 1 + pieces[1].size());
  out.claims = TRY(objectOf(out.payload, "its payload"));
  return out;
}

// A text; nothing if it is not there.
Result<std::optional<std::string>> textIn(const json::Value& object, const char* name) {
  const json::Value* field = object.find(name);
  if (field == nullptr) return std::optional<std::string>();
  if (field->type != Type::kString) return Error{"`" + std::string(name) + "` is not a string"};
  return std::optional<std::string>(field->text);
}

// A time (RFC 7519 2, NumericDate), rounded so that the token is not valid for longer; nothing if it is not there.
Result<std::optional<int64_t>> timeIn(const json::Value& claims, const char* name) {
  const json::Value* field = claims.find(name);
  if (field == nullptr) return std::optional<int64_t>();
  const bool whole = field->type == Type::kInt;
  if (!whole && field->type != Type::kDouble) return Error{"`" + std::string(name) + "` is not a number"};
  // Beside 2^53 doubles are not exact: compare whole numbers as they are.
  const bool sane = whole ? field->integer >= 0 && field->integer < kLatest
                          : field->number >= 0 && field->number < static_cast<double>(kLatest);
  if (!sane) return Error{"`" + std::string(name) + "` is not a time"};
  return std::optional<int64_t>(whole ? field->integer : static_cast<int64_t>(field->number));
}

bool isType(std::string_view value, const std::vector<std::string>& types) {
  constexpr std::string_view kPrefix = "application/";  // may be left out (RFC 7515 4.1.9)
  if (value.size() > kPrefix.size() && base::equalsIgnoreCase(value.substr(0, kPrefix.size()), kPrefix))
    value.remove_prefix(kPrefix.size());
  return std::any_of(types.begin(), types.end(), [&](const auto& one) { return base::equalsIgnoreCase(one, value); });
}

// What a header may not have: extensions that are not understood here, and keys that the sender chose.
Status checkHeader(const json::Value& header, const JwtRules& rules) {
  for (const char* name : {"crit", "b64", "zip", "enc"}) {
    if (header.find(name) != nullptr)
      return Error{"its header has `" + std::string(name) + "`, which is not supported"};
  }
  for (const char* name : {"jwk", "jku", "x5u", "x5c"}) {
    if (header.find(name) != nullptr)
      return Error{"its header names a key by `" + std::string(name) + "`: only configured keys are used"};
  }
  const auto type = TRY(textIn(header, "typ"));
  if (type && !isType(*type, rules.types)) return Error{"its `typ` is that of another kind of token"};
  if (TRY(textIn(header, "cty"))) return Error{"its payload is another token (`cty`), which is not supported"};
  const auto key_id = TRY(textIn(header, "kid"));
  if (key_id && key_id->size() > kMostKeyId) return Error{"its `kid` is longer than 256 bytes"};
  return {};
}

Result<JwsAlgorithm> algorithmOf(const json::Value& header, const JwtRules& rules) {
  const auto named = TRY(textIn(header, "alg"));
  if (!named) return Error{"its header has no `alg`"};
  const auto algorithm = jwsAlgorithmNamed(*named);
  const std::string shown = "`" + base::printable(named->substr(0, 16)) + "`";
  if (!algorithm) return Error{"its algorithm " + shown + " is never accepted"};
  if (std::find(rules.algorithms.begin(), rules.algorithms.end(), *algorithm) == rules.algorithms.end())
    return Error{"its algorithm " + shown + " is not one of those that are configured"};
  return *algorithm;
}

Status checkTimes(const json::Value& claims, int64_t skew, int64_t now, VerifiedJwt& out) {
  const auto expires = TRY(timeIn(claims, "exp"));
  const auto not_before = TRY(timeIn(claims, "nbf"));
  const auto issued = TRY(timeIn(claims, "iat"));
  if (!expires) return Error{"it has no `exp`"};
  if (now - skew >= *expires) return Error{"it has expired"};
  if (not_before && now + skew < *not_before) return Error{"it is not valid yet (`nbf`)"};
  if (issued && now + skew < *issued) return Error{"it was issued in the future (`iat`)"};
  out.expires = *expires;
  return {};
}

// None if it has no `aud`.
Result<std::vector<std::string>> audiencesIn(const json::Value& claims) {
  std::vector<std::string> out;
  const json::Value* field = claims.find("aud");
  if (field == nullptr) return out;
  if (field->type == Type::kString) return std::vector<std::string>{field->text};
  if (field->type != Type::kArray) return Error{"`aud` is neither a string nor a list"};
  for (const auto& item : field->items) {
    if (item.type != Type::kString) return Error{"`aud` has an entry that is not a string"};
    out.push_back(item.text);
  }
  return out;
}

Status checkAudience(const json::Value& claims, const JwtRules& rules, VerifiedJwt& out) {
  if (claims.find("aud") == nullptr) return Error{"it has no `aud`"};
  out.audiences = TRY(audiencesIn(claims));
  const bool ours = std::any_of(out.audiences.begin(), out.audiences.end(), [&](const auto& one) {
    return std::find(rules.audiences.begin(), rules.audiences.end(), one) != rules.audiences.end();
  });
  if (!ours) return Error{"it is for another audience (`aud`)"};
  return {};
}

Status checkClaims(const json::Value& claims, const JwtRules& rules, int64_t now, VerifiedJwt& out) {
  const auto issuer = TRY(textIn(claims, "iss"));
  const auto subject = TRY(textIn(claims, "sub"));
  if (!rules.issuer.empty() && (!issuer || *issuer != rules.issuer))
    return Error{issuer ? "it is of another issuer (`iss`)" : "it has no `iss`"};
  out.issuer = issuer.value_or("");
  out.subject = subject.value_or("");
  TRY(checkAudience(claims, rules, out));
  return checkTimes(claims, rules.clock_skew, now, out);
}

}  // namespace

JwtResult verifyJwt(std::string_view token, const JwtRules& rules, std::span<const VerifyKey> keys, int64_t now) {
  auto parts = split(token);
  if (!parts) return JwtRefusal{parts.error().message};
  const json::Value& header = parts.value().header;
  if (auto ok = checkHeader(header, rules); !ok) return JwtRefusal{ok.error().message};
  const auto algorithm = algorithmOf(header, rules);
  if (!algorithm) return JwtRefusal{algorithm.error().message};
  const json::Value* named = header.find("kid");
  std::vector<const VerifyKey*> fitting;
  for (const auto& key : keys) {
    if (key.serves(algorithm.value()) && (named == nullptr || key.id == named->text)) fitting.push_back(&key);
  }
  if (fitting.empty()) return JwtRefusal{"none of the keys has its `kid` and serves its algorithm", true};
  if (named == nullptr && fitting.size() > 1)
    return JwtRefusal{"it has no `kid`, and several keys serve its algorithm"};
  const auto signer = std::find_if(fitting.begin(), fitting.end(), [&](const VerifyKey* key) {
    return verifies(*key, algorithm.value(), parts.value().input, parts.value().signature);
  });
  if (signer == fitting.end()) return JwtRefusal{"its signature is not valid"};
  VerifiedJwt out;
  if (auto ok = checkClaims(parts.value().claims, rules, now, out); !ok) return JwtRefusal{ok.error().message};
  out.key_id = (*signer)->id;
  out.key_digest = (*signer)->digest;
  out.claims = std::move(parts.value().payload);
  return out;
}

Result<JwtHints> jwtHints(std::string_view token) {
  const auto parts = TRY(split(token));
  JwtHints out;
  out.key_id = TRY(textIn(parts.header, "kid")).value_or("");
  out.issuer = TRY(textIn(parts.claims, "iss")).value_or("");
  out.expires = TRY(timeIn(parts.claims, "exp")).value_or(0);
  out.audiences = TRY(audiencesIn(parts.claims));
  out.subject = TRY(textIn(parts.claims, "sub")).value_or("");
  return out;
}

}  // namespace yett::identity
