#include "policy/recording.h"

#include <algorithm>

#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "policy/attribute_reader.h"
#include "policy/secret_names.h"
#include "target/query.h"

namespace yett::policy {

static constexpr size_t kDigestHex = 32;  // 128 bits

std::string maskKeyId(std::string_view key) {
  return base::sha256Hex(key).substr(0, 8);
}

Recording::Recording(RecordingConfig config, std::string key)
    : config_(std::move(config)), key_(std::move(key)), key_id_(key_.empty() ? "" : maskKeyId(key_)) {
  path_ = listed("path");
  principal_ = listed("principal.id");
  host_ = listed("host");
}

const Recording& Recording::plain() {
  static const Recording out({true}, "");
  return out;
}

bool isMaskable(std::string_view name) {
  for (const std::string_view whole : {"path", "principal.id", "host", "source.ip", "tls.sni", "via", "client.ip"}) {
    if (name == whole) return true;
  }
  for (const std::string_view prefix : {"header.", "query.", "body.json/"}) {
    if (name.starts_with(prefix) && name.size() > prefix.size()) return true;
  }
  return false;
}

std::string Recording::maskedNames() const {
  return (config_.plain_query ? "query plain\n" : "query masked\n") + base::joined(config_.masked, "\n") +
         (config_.claims.empty() ? "" : "\nclaims in clear\n" + base::joined(config_.claims, "\n"));
}

bool Recording::listed(std::string_view name) const {
  return std::find(config_.masked.begin(), config_.masked.end(), name) != config_.masked.end();
}

bool Recording::masks(Attr attr, std::string_view key) const {
  switch (attr) {
    case Attr::kQuery:
    case Attr::kQueryList:
      if (!config_.plain_query) return true;
      break;
    // Derived values are masked with their source.
    case Attr::kPath:
    case Attr::kRawPath:
    case Attr::kParam:
    case Attr::kGrpcService:
    case Attr::kGrpcMethod: return path_;
    case Attr::kPrincipalId:
    case Attr::kPrincipalTrustDomain:
    case Attr::kPrincipalPath: return principal_;
    case Attr::kJwt:
      if (namesWorkload(key)) return principal_;
      break;
    case Attr::kVia: return principal_ || listed("via");
    case Attr::kClientIp: return listed("source.ip") || listed("client.ip");
    case Attr::kHeader:
    case Attr::kHeaderList:
      if (key == "host" && host_) return true;
      break;
    default: break;
  }
  if (attr == Attr::kJwt && std::find(config_.claims.begin(), config_.claims.end(), key) != config_.claims.end())
    return false;
  if (isSecret(attr, key) && attr != Attr::kBodyJson) return true;
  if (config_.masked.empty()) return false;
  const Attr one = attr == Attr::kHeaderList ? Attr::kHeader : attr == Attr::kQueryList ? Attr::kQuery : attr;
  std::string what(name(one));
  if (keyed(attr)) what.append(".").append(key);
  return listed(what);
}

bool Recording::masksBody(std::string_view pointer) const {
  return listed("body.json" + std::string(pointer));
}

std::string Recording::masked(std::string_view value) const {
  if (key_.empty()) return "{\"masked\":true}";
  const auto digest = base::hmacSha256(key_, value);
  return "{\"hmac\":\"" + base::hex(base::view(digest)).substr(0, kDigestHex) + "\",\"key\":\"" + key_id_ + "\"}";
}

std::string Recording::cut(std::string_view value, bool hidden, size_t begin) const {
  std::string out = "{\"bytes\":" + std::to_string(value.size());
  if (hidden) return out + "," + masked(value).substr(1);
  size_t size = std::min(begin, value.size());
  while (size > 0 && size < value.size() && (static_cast<unsigned char>(value[size]) & 0xc0) == 0x80)
    --size;  // do not split a character
  const auto begins = value.substr(0, size);
  if (json::isUtf8(begins)) json::appendQuoted(out += ",\"begins\":", begins);
  else out += ",\"begins\":{\"hex\":\"" + base::hex(begins) + "\"}";
  return out + ",\"sha256\":\"" + base::sha256Hex(value) + "\"}";
}

// Checks every name that some service may read the key as.
bool Recording::masksQuery(std::string_view sent) const {
  std::string name = base::lowered(sent);
  std::erase_if(name, [](char c) { return c == '[' || c == ']' || c == ' '; });
  if (masks(Attr::kQuery, sent) || masks(Attr::kQuery, name)) return true;
  return std::any_of(config_.masked.begin(), config_.masked.end(), [&](std::string_view one) {
    return one.starts_with("query.") && target::maySpell(sent, one.substr(6));
  });
}

// A query in clear, with each value masked whose key is masked or names a credential.
std::string Recording::queryInClear(std::string_view query) const {
  std::string out;
  for (const auto pair : base::split(query, '&')) {
    if (!out.empty() || pair.data() != query.data()) out += '&';
    const auto equals = pair.find('=');
    auto parsed = target::parseQuery(pair);
    const bool hidden = !parsed || (!parsed.value().empty() && masksQuery(parsed.value().front().first)) ||
                        pair.find(';') != std::string_view::npos || holdsJwt(pair);
    const bool token = parsed && std::any_of(parsed.value().begin(), parsed.value().end(), [](const auto& one) {
                         return holdsJwt(one.first) || holdsJwt(one.second);
                       });
    if (token) {
      out += masked(pair);
      continue;
    }
    if (!hidden || equals == std::string_view::npos) out += hidden ? masked(pair) : std::string(pair);
    else out.append(pair.substr(0, equals + 1)).append(masked(pair.substr(equals + 1)));
  }
  return out;
}

std::string_view Recording::target(std::string_view raw, std::string& kept) const {
  const auto mark = raw.find('?');
  const std::string_view path = raw.substr(0, mark);
  const bool whole = path_ || (host_ && !path.starts_with('/'));  // a target may hold the host (RFC 9112 3.2.2)
  const bool long_path = path.size() > kLongest;
  if (!whole && !long_path && mark == std::string_view::npos) return raw;
  kept = whole ? masked(path) : long_path ? cut(path, false) : std::string(path);
  if (mark == std::string_view::npos) return kept;
  const auto query = raw.substr(mark + 1);
  kept += '?';
  // In clear only if it is short enough to keep: its pairs are checked one by one.
  kept += config_.plain_query && query.size() <= kLongest ? queryInClear(query) : masked(query);
  return kept;
}

}  // namespace yett::policy
