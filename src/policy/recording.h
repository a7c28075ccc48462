// Which values of a request may be recorded: in clear, as a keyed digest, or not at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace yett::policy {

enum class Attr : uint8_t;

struct RecordingConfig {
  bool plain_query = false;               ///< query strings in clear; else masked, in the target and in what was read
  std::vector<std::string> masked = {};   ///< attributes by name; isMaskable() says which
  std::vector<std::string> headers = {};  ///< recorded with every decision, read or not; in lower case
  std::vector<std::string> claims = {};   ///< parts of tokens in clear: "corp.subject", "corp.claims.groups"
  std::vector<std::string> body = {};     ///< JSON pointers (RFC 6901) into a body that policy has read
  bool operator==(const RecordingConfig&) const = default;
};

/// Immutable; any thread.
class Recording {
 public:
  Recording() = default;
  /// `key`: for the digests; "": masked values cannot be compared.
  Recording(RecordingConfig config, std::string key);

  /// Everything in clear except what looks like a credential: for interactive use.
  static const Recording& plain();

  /// Whether the value of an attribute must not be written in clear.
  bool masks(Attr attr, std::string_view key) const;
  /// The same for the value at a JSON pointer into the body.
  bool masksBody(std::string_view pointer) const;
  /// {"masked":true}, or {"hmac":"...","key":"..."}: equal values have equal digests.
  std::string masked(std::string_view value) const;
  /// Values longer than this are kept as their size, their first bytes and their digest.
  static constexpr size_t kLongest = 4096;
  /// {"bytes":5000,"begins":"...","sha256":"..."}; `masked`: {"bytes":5000,"hmac":"...","key":"..."}.
  std::string cut(std::string_view value, bool masked, size_t begin = 256) const;
  /// `value`, or the result of cut() if it is too long; `kept` stores that.
  std::string_view shortened(std::string_view value, std::string& kept) const {
    return value.size() <= kLongest ? value : std::string_view(kept = cut(value, false));
  }
  /// A target as it may be recorded: with its query masked, unless it may be plain.
  std::string_view target(std::string_view raw, std::string& kept) const;
  const RecordingConfig& config() const { return config_; }
  /// Differs between two that mask different attributes.
  std::string maskedNames() const;

 private:
  bool listed(std::string_view name) const;
  bool masksQuery(std::string_view sent) const;
  std::string queryInClear(std::string_view query) const;
  bool path_ = false, principal_ = false, host_ = false;
  RecordingConfig config_;
  std::string key_;
  std::string key_id_;
};

/// "path" (with values derived from it), "principal.id" (likewise), "host", "source.ip", "tls.sni", "via", "client.ip",
/// "header.NAME", "query.NAME", "body.json/POINTER".
bool isMaskable(std::string_view name);

/// The first 8 hex digits of the SHA-256 of a mask key: how records name it.
std::string maskKeyId(std::string_view key);

}  // namespace yett::policy
