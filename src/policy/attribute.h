// The attributes of a request that policy can read, and their values.
#pragma once

#include <cstdint>
#include <string_view>

namespace yett::policy {

enum class Attr : uint8_t {
  kMethod,
  kScheme,
  kHost,
  kPath,
  kRawPath,
  kProtocol,
  kQuery,
  kQueryList,
  kHeader,
  kHeaderList,
  kParam,  // these five have a key, and kJwt
  kPrincipalId,
  kPrincipalTrustDomain,
  kPrincipalPath,
  kPrincipalKind,
  kSourceIp,
  kSourcePort,
  kDestinationIp,
  kDestinationPort,
  kTlsVersion,
  kTlsCipher,
  kTlsSni,
  kTime,
  kGrpcService,
  kGrpcMethod,
  kBodyComplete,
  kBodySize,
  kBodyJson,
  kJwt,  // of a verified token, with a key: `corp` (whether there is one), `corp.subject`, `corp.claims.groups`
  kVia,  // a list
  kClientIp,
};
inline constexpr Attr kLastAttr = Attr::kClientIp;

/// The name as policy writes it: "header", "principal.id". A keyed attribute adds its key.
std::string_view name(Attr attr);
/// "header.x-region" -> kHeader, "x-region"; false if it is not an attribute. `key` points into `what`.
bool attributeNamed(std::string_view what, Attr& attr, std::string_view& key);
/// Whether its name suggests a secret value (a body, credentials, tokens), which must never be recorded.
bool isSecret(Attr attr, std::string_view key);
/// Whether the key of a kJwt is the SPIFFE ID of a JWT-SVID, or a part of it.
bool namesWorkload(std::string_view key);
/// Whether the attribute has a key.
bool keyed(Attr attr);
/// Whether it is part of the body.
bool ofBody(Attr attr);

/// What was found of one attribute.
struct AttrValue {
  enum class State : uint8_t {
    kPresent,
    kAbsent,
    kError,    ///< present, but not a single value
    kRefused,  ///< over a limit, or unknown: not even presence is reported
  };
  enum class Type : uint8_t { kText, kNumber, kFlag, kJson };
  State state = State::kAbsent;
  Type type = Type::kText;
  /// The text, or the bytes of a JSON body; the message of kError and kRefused. Valid while the request is.
  std::string_view text;
  int64_t number = 0;  ///< 0 or 1 for a flag; the length of a list

  bool present() const { return state == State::kPresent; }
};

}  // namespace yett::policy
