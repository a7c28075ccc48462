// SPIFFE IDs and trust domain names (SPIFFE-ID standard, sections 2.1 to 2.4). Parsed once; cannot be wrong afterwards.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::identity {

/// True if `name` is a trust domain name: 1 to 255 characters from a-z 0-9 '.' '-' '_'.
bool isTrustDomain(std::string_view name);

class SpiffeId {
 public:
  /// "spiffe://trust.domain/path". Case-sensitive, at most 2,048 bytes; no empty, "." or ".." segment, no trailing
  /// slash.
  static Result<SpiffeId> parse(std::string_view text);

  const std::string& text() const { return text_; }
  std::string_view trustDomain() const { return std::string_view(text_).substr(9, domain_size_); }
  /// Begins with '/', or empty: the trust domain itself.
  std::string_view path() const { return std::string_view(text_).substr(9 + domain_size_); }

 private:
  std::string text_;
  size_t domain_size_ = 0;
};

}  // namespace yett::identity
