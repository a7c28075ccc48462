#include "policy/token.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace yett::policy {
namespace {

using State = AttrValue::State;
using Type = AttrValue::Type;

constexpr std::string_view kClaims = "claims.";

TokenPart textPart(std::string_view text) {
  return {text.empty() ? AttrValue{} : AttrValue{State::kPresent, Type::kText, text, 0}};
}
TokenPart errorPart(std::string_view why) {
  return {{State::kError, Type::kText, why, 0}};
}

// The trust domain and the path of a SPIFFE ID.
std::string_view afterScheme(std::string_view id) {
  constexpr std::string_view kScheme = "spiffe://";
  return id.starts_with(kScheme) ? id.substr(kScheme.size()) : std::string_view();
}

// A name inside an object, followed through dots. Nothing if it cannot be read in one way only.
std::optional<const Node*> walk(const Node& object, std::string_view name) {
  const Node* at = &object;
  for (const auto step : base::split(name, '.')) {
    if (at->kind != Node::Kind::kObject) return nullptr;
    const Found found = find(*at, step, true);
    if (found.how == Found::How::kOtherSpelling || found.how == Found::How::kTwoSpellings) return std::nullopt;
    if (found.value == nullptr) return nullptr;
    at = found.value;
  }
  return at;
}

}  // namespace

const std::vector<std::string_view>& tokenFields() {
  static const std::vector<std::string_view> names = {"subject", "issuer", "audiences",    "expires",
                                                      "key_id",  "id",     "trust_domain", "path"};
  return names;
}

TokenPart partOf(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull: return {};
    case Node::Kind::kBool: return {{State::kPresent, Type::kFlag, {}, node.flag ? 1 : 0}};
    case Node::Kind::kInteger: return {{State::kPresent, Type::kNumber, {}, node.integer}};
    case Node::Kind::kString: return {{State::kPresent, Type::kText, node.string(), 0}};
    case Node::Kind::kTooLarge: return errorPart("is a number beyond 2^53-1, which parsers read differently");
    case Node::Kind::kReal:
    case Node::Kind::kList:
    case Node::Kind::kObject: break;
  }
  TokenPart out{{State::kPresent, Type::kJson, {}, 0}, &node};
  appendJson(out.text, node);
  return out;
}

Result<std::shared_ptr<const Token>> Token::create(identity::VerifiedJwt verified) {
  std::shared_ptr<Token> out(new Token(std::move(verified)));
  TRY(out->document_.parse(out->verified_.claims, Document::Limits{}));
  for (const auto& audience : out->verified_.audiences) {
    Node& node = out->audience_nodes_.emplace_back();
    node.kind = Node::Kind::kString;
    node.size = static_cast<uint32_t>(audience.size());
    node.text = audience.data();
  }
  out->audiences_.kind = Node::Kind::kList;
  out->audiences_.size = static_cast<uint32_t>(out->audience_nodes_.size());
  out->audiences_.items = out->audience_nodes_.data();
  return std::shared_ptr<const Token>(std::move(out));
}

size_t Token::bytes() const {
  return sizeof *this + verified_.claims.size() + verified_.subject.size() + document_.bytes() +
         audience_nodes_.size() * (sizeof(Node) + sizeof(std::string));
}

TokenPart Token::part(std::string_view name) const {
  const std::string_view id = afterScheme(verified_.subject);
  if (name == "subject" || name == "id") return textPart(verified_.subject);
  if (name == "issuer") return textPart(verified_.issuer);
  if (name == "key_id") return textPart(verified_.key_id);
  if (name == "expires") return {{State::kPresent, Type::kNumber, {}, verified_.expires}};
  if (name == "audiences") return partOf(audiences_);
  if (name == "trust_domain") return textPart(id.substr(0, id.find('/')));
  if (name == "path") return textPart(id.substr(std::min(id.find('/'), id.size())));
  if (name.starts_with(kClaims) && name.size() > kClaims.size()) return claim(name.substr(kClaims.size()));
  return errorPart("is not a part of a token");
}

TokenPart Token::claim(std::string_view name) const {
  constexpr std::string_view kTwice =
      "stands in the token in another spelling, or twice, which services read differently";
  const Node& all = document_.root();
  const Found whole = find(all, name, true);
  if (whole.how != Found::How::kHere && whole.how != Found::How::kAbsent) return errorPart(kTwice);
  if (name.find('.') == std::string_view::npos) return whole.value == nullptr ? TokenPart{} : partOf(*whole.value);
  const auto inside = walk(all, name);
  if (!inside || (*inside != nullptr && whole.value != nullptr)) return errorPart(kTwice);
  const Node* found = whole.value != nullptr ? whole.value : *inside;
  return found == nullptr ? TokenPart{} : partOf(*found);
}

}  // namespace yett::policy
