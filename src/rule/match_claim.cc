// Claims of verified tokens: strings, numbers, flags and lists of these.
#include <algorithm>

#include "base/text.h"
#include "policy/attribute_reader.h"
#include "rule/any_of.h"
#include "rule/matchers.h"

namespace yett::rule {
namespace {

using policy::AttrValue;
using policy::Node;
using Type = AttrValue::Type;

// Claims whose text is a list of words: RFC 8693 4.2, and the name that Microsoft gives it.
bool isScope(std::string_view claim) {
  return claim.ends_with(".scope") || claim.ends_with(".scp");
}

// One value against those that the rule wants.
class ClaimMatch {
 public:
  ClaimMatch(const KeyedMatcher& matcher, policy::AttributeReader& reader, bool loose)
      : matcher_(matcher), any_(reader), loose_(loose) {}

  bool text(std::string_view value) { return compare(value, Type::kText); }
  bool number(int64_t value) { return !stopped_ && compare(std::to_string(value), Type::kNumber); }
  bool flag(bool value) { return compare(value ? "true" : "false", Type::kFlag); }
  void doubt() { any_.doubt(); }

  // A deny also counts words between other blanks, as some services read them.
  bool words(std::string_view scope) {
    const std::string_view blanks = loose_ ? " \t\r\n\v\f" : " ";
    while (!stopped_ && !scope.empty()) {
      const auto end = std::min(scope.find_first_of(blanks), scope.size());
      if (end > 0 && text(scope.substr(0, end))) return true;
      scope.remove_prefix(std::min(end + 1, scope.size()));
    }
    return false;
  }

  bool element(const Node& node) {
    switch (node.kind) {
      case Node::Kind::kString: return text(node.string()) || (loose_ && isScope(matcher_.key) && words(node.string()));
      case Node::Kind::kInteger: return number(node.integer);
      case Node::Kind::kBool: return flag(node.flag);
      default: doubt(); return false;  // nothing that a rule can name
    }
  }

  Match result() const { return any_.result(); }
  /// The decision may compare no more.
  bool stopped() const { return stopped_; }

 private:
  bool compare(std::string_view value, Type type) {
    constexpr uint64_t kSteps = 4;
    stopped_ = stopped_ || !any_.spend(kSteps + matcher_.values.size());
    if (stopped_) return false;
    return std::any_of(matcher_.values.begin(), matcher_.values.end(), [&](const ValueMatcher& wanted) {
      if (wanted.absent || (!loose_ && !wanted.regex && wanted.type != type)) return false;
      if (wanted.regex) return (loose_ || type == Type::kText) && any_.regex(*wanted.regex, value);
      return any_.plain(wanted.text == value);
    });
  }

  const KeyedMatcher& matcher_;
  AnyOf any_;
  const bool loose_;
  bool stopped_ = false;
};

}  // namespace

std::string claimKey(std::string_view claim) {
  const auto dot = std::min(claim.find('.'), claim.size());
  return std::string(claim.substr(0, dot)) + ".claims" + std::string(claim.substr(dot));
}

Match matchClaim(const KeyedMatcher& matcher, policy::AttributeReader& reader, bool loose) {
  const std::string key = claimKey(matcher.key);
  const AttrValue value = reader.read(policy::Attr::kJwt, key);
  if (value.state == AttrValue::State::kAbsent) {
    const bool wanted =
        std::any_of(matcher.values.begin(), matcher.values.end(), [](const auto& v) { return v.absent; });
    return wanted ? Match::kYes : Match::kAbsent;
  }
  if (!value.present()) return Match::kError;
  ClaimMatch match(matcher, reader, loose);
  if (value.type == Type::kNumber) match.number(value.number);
  else if (value.type == Type::kFlag) match.flag(value.number != 0);
  else if (value.type == Type::kText && !match.text(value.text) && isScope(matcher.key)) match.words(value.text);
  if (value.type != Type::kJson) return match.result();
  const Node& node = reader.jwtJson(key);
  if (node.kind != Node::Kind::kList) return Match::kError;
  if (node.flag) match.doubt();  // a null, which services read differently
  for (uint32_t i = 0; i < node.size && !match.stopped() && !match.element(node.items[i]); ++i) {
  }
  return match.result();
}

}  // namespace yett::rule
