#include "proxy/tokens.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "http/header_map.h"
#include "identity/principal_id.h"
#include "policy/secret_names.h"
#include "policy/token_header.h"
#include "proxy/call.h"
#include "request/headers.h"

namespace yett::proxy {
namespace {

constexpr size_t kMostBytes = 4 << 20;  // of remembered tokens

// A token where a provider looks for it.
struct Sent {
  http::HeaderField* field;
  std::string_view token;
  std::string_view pair;  // of a cookie: all of it, in the field's value
};

// The first, and how many there are.
struct Found {
  Sent one{};
  size_t count = 0;
  void add(const Sent& sent) {
    if (++count == 1) one = sent;
  }
};

bool isBlank(char c) {
  return c == ' ' || c == '\t';
}

// "Bearer", blanks and the token (RFC 6750 2.1), also after another scheme, as some services read it; nothing if there
// is none.
bool bearer(std::string_view value, std::string_view& token) {
  constexpr std::string_view kScheme = "bearer";
  for (size_t at = 0; at + kScheme.size() <= value.size(); ++at) {
    const bool begins = at == 0 || isBlank(value[at - 1]) || value[at - 1] == ',' || value[at - 1] == ';';
    if (!begins || !base::equalsIgnoreCase(value.substr(at, kScheme.size()), kScheme)) continue;
    const std::string_view rest = value.substr(at + kScheme.size());
    if (!rest.empty() && !isBlank(rest[0])) continue;
    token = at == 0 ? base::trimmed(rest) : value;  // which no token is
    return true;
  }
  return false;
}

// Cookies end at a semicolon; those that some service would find after a comma make the field ambiguous.
void findInCookies(http::HeaderField& field, const std::string& name, Found& out) {
  std::string_view rest = field.value;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(';'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    bool first = true;
    for (const auto part : base::split(pair, ',')) {
      const auto equals = std::min(part.find('='), part.size());
      if (base::trimmed(part.substr(0, equals)) == name) {
        out.add({&field, base::trimmed(part.substr(std::min(equals + 1, part.size()))), pair});
        if (!first || part.size() < pair.size()) out.add({&field, {}, pair});
      }
      first = false;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

// What tokens say of themselves: parsed once, however many providers look at them.
class Hints {
 public:
  /// Valid until the next call.
  const std::optional<identity::JwtHints>& of(std::string_view token) {
    for (const auto& [known, hints] : seen_) {
      if (known.data() == token.data() && known.size() == token.size()) return hints;
    }
    auto hints = identity::jwtHints(token);
    seen_.emplace_back(token, hints ? std::optional(std::move(hints).value()) : std::nullopt);
    return seen_.back().second;
  }

 private:
  std::vector<std::pair<std::string_view, std::optional<identity::JwtHints>>> seen_;  // a deque would allocate at once
};

bool isFor(const identity::JwtProviderConfig& config, const identity::JwtHints& hints) {
  return std::any_of(hints.audiences.begin(), hints.audiences.end(), [&](const auto& one) {
    return std::find(config.audiences.begin(), config.audiences.end(), one) != config.audiences.end();
  });
}

// The provider that a token in this place belongs to: the one that its issuer names, and of several with this issuer
// the one for whose audience it is; else the first. A JWT-SVID needs no issuer.
std::string_view ownerOf(const Call& call, const identity::TokenPlace& place, std::string_view token, Hints& all) {
  if (call.asked_tokens.size() == 1) return call.asked_tokens.front().first;
  std::vector<std::pair<std::string_view, const identity::JwtProviderConfig*>> candidates;
  for (const auto& [name, required] : call.asked_tokens) {
    const auto* provider = call.listener->providers ? call.listener->providers->find(name) : nullptr;
    if (provider == nullptr) continue;
    const auto& from = provider->config.from;
    if (std::find(from.begin(), from.end(), place) != from.end()) candidates.emplace_back(name, &provider->config);
  }
  if (candidates.empty()) return {};
  if (candidates.size() == 1) return candidates.front().first;
  const auto& hints = all.of(token);
  if (!hints) return candidates.front().first;
  const bool workload = hints->subject.starts_with("spiffe://");
  const auto first = [&](auto fits) {
    const auto it =
        std::find_if(candidates.begin(), candidates.end(), [&](const auto& one) { return fits(*one.second); });
    return it == candidates.end() ? std::string_view() : it->first;
  };
  const auto issues = [&](const auto& config) { return !config.svid && config.issuer == hints->issuer; };
  for (const std::string_view found :
       {first([&](const auto& config) { return issues(config) && isFor(config, *hints); }), first(issues),
        first([&](const auto& config) { return config.svid == workload; })}) {
    if (!found.empty()) return found;
  }
  return candidates.front().first;
}

// Those of the provider; a field that is doubtful counts for each that looks there.
Found tokensOf(Call& call, std::string_view provider, const identity::JwtProviderConfig& config, Hints& hints) {
  Found all;
  for (const auto& place : config.from) {
    Found out;
    const std::string named[] = {place.cookie ? "cookie" : place.name};
    int seen = 0;
    for (auto& field : call.request.headers.fields()) {
      if (field.dropped || !request::isNamed(field.name, named)) continue;
      // Another spelling of the name, which some services read as this one, and a field that may come only once.
      const bool doubtful = field.name != named[0] || (named[0] == "authorization" && ++seen > 1);
      if (doubtful) out.add({&field, {}, {}}), out.add({&field, {}, {}});
      std::string_view token = field.value;
      if (place.cookie) findInCookies(field, place.name, out);
      else if (named[0] != "authorization" || bearer(field.value, token)) out.add({&field, token, {}});
      // In another scheme, or without one, where some services would read it.
      else if (policy::holdsJwt(field.value)) out.add({&field, {}, {}}), out.add({&field, {}, {}});
    }
    if (out.count == 1 && ownerOf(call, place, out.one.token, hints) != provider) continue;
    if (all.count == 0) all.one = out.one;
    all.count += out.count;
  }
  return all;
}

// The service does not get the token, and policy does not see it.
void drop(const Sent& sent, std::deque<std::string>& cookies) {
  if (sent.pair.empty()) {
    sent.field->dropped = true;
    return;
  }
  const std::string_view all = sent.field->value;
  const auto before = static_cast<size_t>(sent.pair.data() - all.data());
  std::string_view left = all.substr(0, before);
  std::string_view right = all.substr(before + sent.pair.size());
  if (right.starts_with(';')) right.remove_prefix(1);
  else if (left.ends_with(';')) left.remove_suffix(1);
  // A string of its own for each change: fields keep views of them.
  std::string& kept = cookies.emplace_back(left);
  kept += left.empty() ? base::trimmed(right) : right;
  sent.field->value = kept;
  sent.field->dropped = kept.empty();
}

// The request is refused, so nobody needs them; a record must not hold them.
void dropAll(Call& call, const identity::JwtProviderConfig& config) {
  for (const auto& place : config.from) {
    const std::string named[] = {place.cookie ? "cookie" : place.name};
    request::dropNamed(call.request.headers, named);
  }
}

void refuse(Call& call, Cause cause, const std::string& provider, const std::string& why) {
  call.token_refusal = cause;
  call.token_why = "token of `" + provider + "`: " + why;
}

std::shared_ptr<const identity::Principal> principalOf(const identity::VerifiedJwt& verified) {
  auto out = identity::principalWithId(verified.subject);
  if (!out) return nullptr;  // cannot be: it was verified
  out.value().kind = identity::Principal::Kind::kJwtSvid;
  return std::make_shared<const identity::Principal>(std::move(out).value());
}

Status addHeaders(Call& call, const identity::JwtProviderConfig& config, const policy::Token& token) {
  for (const auto& [name, text] : config.headers) {
    auto value = policy::fillTokenTemplate(text, token);
    if (!value) return std::move(value).error().within("header `" + name + "`");
    if (value.value() && !value.value()->empty()) call.token_headers.emplace_back(name, *std::move(value).value());
  }
  return {};
}

}  // namespace

// The end of a token is its signature, and others than verified tokens are never keys: they differ there.
size_t TokenMemory::Hash::operator()(std::string_view key) const {
  constexpr size_t kEnd = 64;
  return std::hash<std::string_view>()(key.substr(key.size() - std::min(key.size(), kEnd)));
}

TokenMemory::Outcome TokenMemory::verify(const identity::JwtProvider& provider, std::string_view name,
                                         std::string_view token, int64_t now) {
  key_.assign(name).append(1, '\n').append(token);
  for (Entries* entries : {&young_, &old_}) {
    const auto known = entries->find(key_);
    if (known == entries->end()) continue;
    const bool holds = known->second.provider_digest == provider.digest &&
                       now - provider.rules.clock_skew < known->second.token->verified().expires;
    if (!holds) break;
    Outcome out{known->second.token, {}, known->second.principal};
    if (entries == &young_) return out;
    Entry entry = std::move(known->second);
    old_.erase(known);
    keep(key_, std::move(entry));
    return out;
  }
  auto done = identity::verify(provider, token, now);
  if (!done) return {nullptr, done.refusal()};
  auto out = policy::Token::create(std::move(done.token()));
  if (!out) return {nullptr, {"its claims cannot be read in one way only: " + out.error().message}};
  auto principal = provider.config.svid ? principalOf(out.value()->verified()) : nullptr;
  keep(key_, {provider.digest, out.value(), principal});
  return {out.value(), {}, std::move(principal)};
}

void TokenMemory::keep(const std::string& key, Entry entry) {
  const size_t bytes = 2 * key.size() + entry.token->bytes() + 256;
  if (young_bytes_ + bytes > kMostBytes / 2) {
    old_ = std::move(young_);
    young_.clear();
    young_bytes_ = 0;
  }
  young_bytes_ += bytes;
  young_.insert_or_assign(key, std::move(entry));
}

static void verifyAll(Call& call, TokenMemory& memory, int64_t now_seconds) {
  Hints hints;
  for (const auto& [name, required] : call.asked_tokens) {
    const std::string provider_name(name);
    const auto* provider = call.listener->providers ? call.listener->providers->find(name) : nullptr;
    if (provider == nullptr) return refuse(call, Cause::kTokenInvalid, provider_name, "there is no such provider");
    const auto sent = tokensOf(call, name, provider->config, hints);
    if (sent.count == 0 && !required) continue;
    if (sent.count == 0) return refuse(call, Cause::kTokenMissing, provider_name, "there is none");
    if (sent.count > 1)
      return refuse(call, Cause::kTokenInvalid, provider_name, "there are several, or one that is not sent plainly");
    if (provider->keys->empty() && !provider->bundles) {
      if (memory.key_wanted) memory.key_wanted(provider_name);
      return refuse(call, Cause::kTokenKeys, provider_name, "the keys of the provider are not known yet");
    }
    const auto done = memory.verify(*provider, name, sent.one.token, now_seconds);
    if (done.refusal.key_unknown && !provider->config.svid && memory.key_wanted) memory.key_wanted(provider_name);
    if (done.refusal.keys_awaited) return refuse(call, Cause::kTokenKeys, provider_name, done.refusal.why);
    if (!done.token) return refuse(call, Cause::kTokenInvalid, provider_name, done.refusal.why);
    const identity::VerifiedJwt& verified = done.token->verified();
    call.tokens_until = std::min(call.tokens_until, verified.expires + provider->rules.clock_skew);
    call.tokens.push_back({provider_name, done.token});
    if (done.principal != nullptr && call.principal->anonymous()) call.principal = done.principal;
    if (!provider->config.forward) drop(sent.one, call.cookies);
    if (auto ok = addHeaders(call, provider->config, *done.token); !ok)
      return refuse(call, Cause::kTokenInvalid, provider_name, ok.error().message);
  }
}

void checkTokens(Call& call, TokenMemory& memory, int64_t now_seconds) {
  verifyAll(call, memory, now_seconds);
  if (call.token_refusal == Cause::kNone) return;
  for (const auto& [name, required] : call.asked_tokens) {
    const auto* provider = call.listener->providers ? call.listener->providers->find(name) : nullptr;
    if (provider != nullptr) dropAll(call, provider->config);
  }
}

void dropTokensFromTrailers(Call& call, const identity::JwtProviders* newest) {
  if (newest != nullptr) request::dropNamed(call.request.trailers, newest->ownedHeaders());
  if (call.listener->providers) request::dropNamed(call.request.trailers, call.listener->providers->ownedHeaders());
  for (const auto& [name, required] : call.asked_tokens) {
    const auto* provider = call.listener->providers ? call.listener->providers->find(name) : nullptr;
    if (provider == nullptr) continue;
    for (const auto& place : provider->config.from) {
      const std::string named[] = {place.cookie ? "cookie" : place.name};
      request::dropNamed(call.request.trailers, named);
    }
  }
}

bool stillVerified(const Call& call, const identity::JwtProviders* providers) {
  const identity::JwtProviders* before = call.listener->providers.get();  // those that verified them
  if (providers == before) return true;
  return std::all_of(call.tokens.begin(), call.tokens.end(), [&](const policy::NamedToken& one) {
    const auto* then = before->find(one.provider);
    const auto* now = providers != nullptr ? providers->find(one.provider) : nullptr;
    const identity::VerifiedJwt& verified = one.token->verified();
    return now != nullptr && now->settings == then->settings &&
           identity::hasKey(*now, verified.key_digest, verified.subject);
  });
}

std::string bearerChallenge(std::string_view why) {
  if (why.empty()) return "Bearer";
  // RFC 6750 3: no quotes and no backslashes in the description.
  std::string text(why);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '"' || c == '\\' || c < 0x20 || c > 0x7e; }, '\'');
  return "Bearer error=\"invalid_token\", error_description=\"" + text + "\"";
}

}  // namespace yett::proxy
