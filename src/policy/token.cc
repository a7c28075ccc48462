#include "policy/token.h"

#include <algorithm>

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

// Every value that a name leads to: a dot is a part of a member's name, or leads into it.
class Walk {
 public:
  /// Whether there is one value at most, in one spelling.
  bool follow(const Node& object, std::string_view name) {
    constexpr int kMostSteps = 64;
    if (++steps_ > kMostSteps) return false;
    if (object.kind != Node::Kind::kObject) return false;  // it stands in the way
    for (size_t end = name.find('.');; end = name.find('.', end + 1)) {
      const bool whole = end == std::string_view::npos;
      const Found found = find(object, whole ? name : name.substr(0, end), true);
      if (found.how == Found::How::kOtherSpelling || found.how == Found::How::kTwoSpellings) return false;
      if (whole) return found.value == nullptr || add(found.value);
      const bool leads = found.value != nullptr && found.value->kind != Node::Kind::kNull;
      if (leads && !follow(*found.value, name.substr(end + 1))) return false;
    }
  }
  const Node* found() const { return found_; }

 private:
  bool add(const Node* value) {
    if (found_ != nullptr) return false;
    found_ = value;
    return true;
  }
  const Node* found_ = nullptr;
  int steps_ = 0;
};

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
  for (const char* name : {"iss", "sub", "aud", "exp", "nbf"}) {
    const auto how = find(out->document_.root(), name, true).how;
    if (how == Found::How::kOtherSpelling || how == Found::How::kTwoSpellings)
      return Error{"`" + std::string(name) + "` stands there in another spelling, which some services read"};
  }
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
  Walk walk;
  if (!walk.follow(document_.root(), name))
    return errorPart("stands in the token in another spelling, or in two ways, or below what is not an object");
  return walk.found() == nullptr ? TokenPart{} : partOf(*walk.found());
}

}  // namespace yett::policy
