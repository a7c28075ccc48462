#include "policy/token_header.h"

#include <algorithm>

#include "base/text.h"
#include "policy/settable_header.h"

namespace yett::policy {
namespace {

// Splits a template: calls `plain` for text and `part` for what is in braces. Stops at the first error.
template <typename Plain, typename Part>
Status eachPiece(std::string_view text, Plain plain, Part part) {
  while (!text.empty()) {
    const auto open = std::min(text.find_first_of("{}"), text.size());
    plain(text.substr(0, open));
    if (open == text.size()) break;
    const auto close = text.find('}', open);
    if (text[open] == '}' || close == std::string_view::npos) return Error{"a brace has no twin"};
    TRY(part(text.substr(open + 1, close - open - 1)));
    text.remove_prefix(close + 1);
  }
  return {};
}

Result<std::string> scalar(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kString: return std::string(node.string());
    case Node::Kind::kBool: return std::string(node.flag ? "true" : "false");
    case Node::Kind::kInteger: return std::to_string(node.integer);
    default: return Error{std::string("holds ") + node.kindName() + ", which has no place in a header"};
  }
}

Result<std::string> listed(const Node& list) {
  std::string out;
  for (uint32_t i = 0; i < list.size; ++i) {
    const std::string item = TRY(scalar(list.items[i]));
    // The service must read the elements that the token has (RFC 9110 5.6.1).
    if (item.find_first_of(",\"") != std::string::npos) return Error{"has a comma or a quote in an element"};
    if (item.empty() || base::trimmed(item) != item)
      return Error{"has an element that is empty, or begins or ends with a blank"};
    out += (i > 0 ? "," : "") + item;
  }
  return out;
}

// Appends the value of a part; `absent` if there is none.
Status append(const TokenPart& part, std::string& out, bool& absent) {
  const AttrValue& value = part.value;
  if (value.state == AttrValue::State::kAbsent) return absent = true, Status{};
  if (!value.present()) return Error{std::string(value.text)};
  if (value.type == AttrValue::Type::kText) out += value.text;
  else if (value.type == AttrValue::Type::kNumber) out += std::to_string(value.number);
  else if (value.type == AttrValue::Type::kFlag) out += value.number != 0 ? "true" : "false";
  else if (part.node->kind == Node::Kind::kList) out += TRY(listed(*part.node));
  else return Error{std::string("is ") + part.node->kindName() + ", which has no place in a header"};
  return {};
}

}  // namespace

Status checkTokenTemplate(std::string_view text) {
  std::string plain;
  size_t parts = 0;
  TRY(eachPiece(
      text, [&](std::string_view piece) { plain += piece; },
      [&](std::string_view name) -> Status {
        plain += 'x';
        ++parts;
        const auto& known = tokenFields();
        const bool claim = name.starts_with("claims.") && name.size() > 7;
        if (claim || std::find(known.begin(), known.end(), name) != known.end()) return {};
        return Error{"`{" + base::printable(name) +
                     "}` is not a part of a token: write `{subject}` or `{claims.NAME}`"};
      }));
  if (parts == 0) return Error{"names no part of the token: write `{subject}` or `{claims.NAME}`"};
  if (!isFieldValue(plain)) return Error{"is not a valid field value (RFC 9110 5.5)"};
  return {};
}

Result<std::optional<std::string>> fillTokenTemplate(std::string_view text, const Token& token) {
  std::string out;
  bool absent = false;
  TRY(eachPiece(
      text, [&](std::string_view piece) { out += piece; },
      [&](std::string_view name) -> Status {
        auto ok = append(token.part(name), out, absent);
        return ok ? std::move(ok) : Status(std::move(ok).error().within("`" + std::string(name) + "`"));
      }));
  if (absent) return std::optional<std::string>();
  if (out.size() > kLongestHeader) return Error{"the header would have over 4096 bytes"};
  if (!isFieldValue(out)) return Error{"the header would hold what no header may (RFC 9110 5.5)"};
  return std::optional<std::string>(std::move(out));
}

}  // namespace yett::policy
