// AttributeReader for the body of a request: whether it is JSON, and why not.
#include "policy/attribute_reader.h"
#include "policy/json_type.h"

namespace yett::policy {

static constexpr Document::Limits kLimits{};

// Reads of the body include the headers that say how to parse its bytes.
bool AttributeReader::noteBodyHeaders() {
  if (request_->body == nullptr) return true;
  for (const char* header : {"content-type", "content-encoding"}) {
    if (read(Attr::kHeader, header).state == AttrValue::State::kRefused) return false;
  }
  return true;
}

// Parses the body into body_; returns what is wrong, or "".
std::string_view AttributeReader::readBody() {
  if (!peekList("content-encoding").empty()) return "cannot be read as JSON: it has a content-encoding";
  if (spelledOtherwise("content-type") || spelledOtherwise("content-encoding"))
    return "cannot be read as JSON: content-type or content-encoding was sent in another spelling";
  const auto& types = peekList("content-type");
  if (types.size() != 1 || !isJsonType(types[0], request_->body->json_types))
    return "cannot be read as JSON: it needs exactly one content-type, for JSON in UTF-8";
  const auto parsed = body_.parse(request_->body->bytes, kLimits);
  if (!parsed) return body_error_ = "cannot be read as JSON: " + parsed.error().message;
  if (body_.root().kind == Node::Kind::kNull) return "is null, which is not a value";
  if (body_.root().kind == Node::Kind::kTooLarge) return "is a number beyond 2^53-1, which parsers read differently";
  return {};
}

AttrValue AttributeReader::findBody() {
  const Body* body = request_->body;
  if (body == nullptr || !body->complete || body->bytes.empty()) return {};
  if (!body_parsed_) {
    body_parsed_ = true;
    body_problem_ = readBody();
  }
  if (!body_problem_.empty()) return {AttrValue::State::kError, AttrValue::Type::kText, body_problem_, 0};
  return {AttrValue::State::kPresent, AttrValue::Type::kJson, body->bytes, 0};
}

}  // namespace yett::policy
