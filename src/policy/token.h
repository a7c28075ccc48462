// A verified token (RFC 7519) as policy reads it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/jwt.h"
#include "policy/attribute.h"
#include "policy/document.h"

namespace yett::policy {

/// The name under which policy finds a JWT-SVID, beside the names of the configured providers.
inline constexpr std::string_view kSvidProvider = "svid";

/// A part of a token: a value, and its node if it is JSON.
struct TokenPart {
  AttrValue value;
  const Node* node = nullptr;  ///< of a list, an object or a fraction
  std::string text = {};       ///< the JSON of that node; `value` has a view of it only in AttributeReader
};

/// Immutable; any thread.
class Token {
 public:
  /// Errors: the claims are not what Document::parse() accepts, or have a registered one in another spelling.
  static Result<std::shared_ptr<const Token>> create(identity::VerifiedJwt verified);
  Token(const Token&) = delete;

  const identity::VerifiedJwt& verified() const { return verified_; }
  /// About how much memory it takes.
  size_t bytes() const;
  /// `subject`, `issuer`, `audiences`, `expires`, `key_id`; of a JWT-SVID also `id`, `trust_domain` and `path`;
  /// `claims.NAME`. A dot in NAME leads into an object, or is a part of a name: `claims.realm_access.roles`. An error
  /// if it can be read in two ways, stands there in another spelling, or leads into what is no object.
  TokenPart part(std::string_view name) const;

 private:
  explicit Token(identity::VerifiedJwt verified) : verified_(std::move(verified)), document_(4096) {}
  TokenPart claim(std::string_view name) const;
  identity::VerifiedJwt verified_;
  Document document_;
  std::vector<Node> audience_nodes_;
  Node audiences_;
};

/// The parts of a token that are not claims.
const std::vector<std::string_view>& tokenFields();

/// The token of one provider.
struct NamedToken {
  std::string provider;
  std::shared_ptr<const Token> token;
};

/// A value as its attribute has it: scalars as such, everything else as JSON. `node` outlives the result.
TokenPart partOf(const Node& node);

}  // namespace yett::policy
