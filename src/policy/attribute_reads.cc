// AttributeReader: writes what was read as JSON, and masks texts that must not be recorded in clear.
#include <algorithm>
#include <cstring>
#include <deque>
#include <set>

#include "base/text.h"
#include "identity/principal.h"
#include "policy/attribute_reader.h"
#include "policy/secret_names.h"

namespace yett::policy {

using State = AttrValue::State;
using Type = AttrValue::Type;

// Once the reads of a record exceed kCrowded bytes, values longer than kShort are cut, so that 256 of them do not make
// a large record.
static constexpr size_t kCrowded = 16 << 10;
static constexpr size_t kShort = 128;

std::vector<std::string_view> AttributeReader::queryList(std::string_view key) {
  std::vector<std::string_view> out;
  peekQueryList(key, out);
  return out;
}

std::string AttributeReader::listJson(const std::vector<std::string_view>& values, const Recording& recording,
                                      bool masked) const {
  size_t bytes = 0;
  for (const auto value : values) bytes += value.size();
  constexpr size_t kMaxValues = 64;
  if (values.size() > kMaxValues ||
      bytes > Recording::kLongest) {  // as one value: its digest covers each value after its size
    std::string all;
    for (const auto value : values) all.append(std::to_string(value.size())).append(":").append(value);
    return "{\"values\":" + std::to_string(values.size()) + "," + recording.cut(all, masked).substr(1);
  }
  std::string out = "[";
  for (const auto value : values) {
    if (out.size() > 1) out += ',';
    if (masked) out += recording.masked(value);
    else if (!json::isUtf8(value)) out += "{\"hex\":\"" + base::hex(value) + "\"}";
    else json::appendQuoted(out, value);
  }
  return out + "]";
}

static void appendScalar(std::string& out, const Node& value) {
  switch (value.kind) {
    case Node::Kind::kNull: out += "null"; break;
    case Node::Kind::kBool: out += value.flag ? "true" : "false"; break;
    case Node::Kind::kInteger: out += std::to_string(value.integer); break;
    case Node::Kind::kString: json::appendQuoted(out, value.string()); break;
    default: out += "{\"" + std::string(value.kindName()) + "\":true}"; break;
  }
}

// A body is never recorded, except for the pointers that the configuration names.
std::string AttributeReader::bodyJson(const AttrValue& value, const Recording& recording) {
  std::string out = "{\"bytes\":" + std::to_string(value.text.size());
  for (const auto& pointer : recording.config().body) {
    const Node* found = atPointer(body_.root(), pointer);
    out += ',';
    json::appendQuoted(out, pointer);
    out += ':';
    if (found == nullptr) {
      out += "null";
    } else if (!recording.masksBody(pointer)) {
      const bool long_text = found->kind == Node::Kind::kString && found->string().size() > Recording::kLongest;
      if (long_text) out += recording.cut(found->string(), false);
      else appendScalar(out, *found);
    } else {
      std::string text;
      appendScalar(text, *found);
      out += recording.masked(found->kind == Node::Kind::kString ? found->string() : text);
    }
  }
  return out + "}";
}

// A token is masked wherever it stands.
bool AttributeReader::isMasked(Attr attr, std::string_view key, const AttrValue& value, const Recording& recording) {
  if (recording.masks(attr, key)) return true;
  if (attr == Attr::kHeaderList) return std::ranges::any_of(peekList(key), holdsJwt);
  if (attr == Attr::kQueryList) return std::ranges::any_of(queryList(key), holdsJwt);
  return (attr == Attr::kHeader || attr == Attr::kQuery) && value.present() && holdsJwt(value.text);
}

void AttributeReader::writeValue(json::ObjectWriter& writer, const std::string& what, Attr attr, std::string_view key,
                                 const AttrValue& value, const Recording& recording) {
  const bool masked = isMasked(attr, key, value, recording);
  const bool text = value.type == Type::kText && value.state == State::kPresent;
  std::string kept;
  if (attr == Attr::kRawPath) return void(writer.field(what, recording.target(value.text, kept)));
  if (value.state == State::kAbsent) writer.raw(what, "null");
  else if (value.state == State::kError) writer.raw(what, "{\"error\":true}");
  else if (attr == Attr::kHeaderList) writer.raw(what, listJson(peekList(key), recording, masked));
  else if (attr == Attr::kVia) writer.raw(what, listJson(peekVia(), recording, masked));
  else if (attr == Attr::kQueryList) writer.raw(what, listJson(queryList(key), recording, masked));
  else if (attr == Attr::kJwt && value.type == Type::kJson) writer.raw(what, jwtText(key, value, recording, masked));
  else if (value.type == Type::kJson) writer.raw(what, bodyJson(value, recording));
  else if (text && value.text.size() > (crowded_ ? kShort : Recording::kLongest))
    writer.raw(what, recording.cut(value.text, masked, crowded_ ? 16 : 256));
  else if (value.type == Type::kText && masked) writer.raw(what, recording.masked(value.text));
  else if (value.type == Type::kText && json::isUtf8(value.text)) writer.field(what, value.text);
  else if (value.type == Type::kText) writer.raw(what, "{\"hex\":\"" + base::hex(value.text) + "\"}");
  else if (value.type == Type::kFlag && masked)
    writer.raw(what, recording.masked(value.number != 0 ? "true" : "false"));
  else if (value.type == Type::kFlag) writer.flag(what, value.number != 0);
  else if (masked) writer.raw(what, recording.masked(std::to_string(value.number)));
  else writer.field(what, value.number);
}

namespace {

// Masks values in a text. Values are searched in the original text only, never in the masks that replace them.
class Redaction {
 public:
  explicit Redaction(std::string& text) : text_(text), hidden_(text.size()) {}

  void hide(std::string_view value) {
    constexpr size_t kMin = 3;    // shorter ones occur everywhere
    constexpr size_t kMax = 512;  // more values than any honest request has
    constexpr size_t kMaxFound = 64;
    if (value.size() < kMin || value.size() > text_.size() || !seen_.insert(value).second) return;
    if (seen_.size() > kMax) return hideAll();
    if (::memmem(text_.data(), text_.size(), value.data(), value.size()) == nullptr) return;
    if (++found_ > kMaxFound) return hideAll();
    mark(value);
  }

  void finish() {
    if (std::find(hidden_.begin(), hidden_.end(), true) == hidden_.end()) return;
    std::string out;
    for (size_t i = 0; i < text_.size(); ++i) {
      if (!hidden_[i]) out += text_[i];
      else if (i == 0 || !hidden_[i - 1]) out += "(masked)";
    }
    text_ = std::move(out);
  }

 private:
  void hideAll() { std::fill(hidden_.begin(), hidden_.end(), true); }

  // Marks all occurrences, overlapping ones too, in time linear in both sizes (Knuth, Morris and Pratt): a caller may
  // send repetitive text.
  void mark(std::string_view value) {
    std::vector<size_t> border(value.size());  // per prefix: its longest proper prefix that is also a suffix
    for (size_t i = 1, k = 0; i < value.size(); ++i) {
      while (k > 0 && value[i] != value[k]) k = border[k - 1];
      if (value[i] == value[k]) ++k;
      border[i] = k;
    }
    size_t marked = 0;
    for (size_t i = 0, k = 0; i < text_.size(); ++i) {
      while (k > 0 && text_[i] != value[k]) k = border[k - 1];
      if (text_[i] == value[k]) ++k;
      if (k < value.size()) continue;
      for (size_t at = std::max(marked, i + 1 - value.size()); at <= i; ++at) hidden_[at] = true;
      marked = i + 1;
      k = border[k - 1];
    }
  }

  std::string& text_;
  std::vector<bool> hidden_;
  std::set<std::string_view> seen_;
  size_t found_ = 0;
};

// Numbers as policy would write them; `texts` keeps those.
void hideParts(const Node& node, Redaction& redaction, std::deque<std::string>& texts) {
  if (node.kind == Node::Kind::kString) return redaction.hide(node.string());
  if (node.kind == Node::Kind::kInteger) return redaction.hide(texts.emplace_back(std::to_string(node.integer)));
  if (node.kind == Node::Kind::kReal) {
    appendJson(texts.emplace_back(), node);
    return redaction.hide(texts.back());
  }
  if (!node.container()) return;
  for (uint32_t i = 0; i < node.size; ++i) {
    const bool list = node.kind == Node::Kind::kList;
    if (!list) redaction.hide(node.members[i].text());
    hideParts(list ? node.items[i] : node.members[i].value, redaction, texts);
  }
}

void hideClaim(const AttrValue& value, const Node* json, Redaction& redaction, std::deque<std::string>& texts) {
  if (json != nullptr) return hideParts(*json, redaction, texts);
  if (value.type == Type::kText) redaction.hide(value.text);
  if (value.type == Type::kNumber) redaction.hide(texts.emplace_back(std::to_string(value.number)));
}

}  // namespace

// Texts that policy made may quote what it read.
void AttributeReader::redact(std::string& text, const Recording& recording) {
  if (text.empty()) return;
  std::deque<std::string> texts;  // outlive the redaction's views
  Redaction redaction(text);
  for (const auto& read : reads_) {
    if (!isMasked(read.attr, keyOf(read), read.value, recording)) continue;
    if (read.attr == Attr::kQueryList) {
      for (const auto value : queryList(keyOf(read))) redaction.hide(value);
    } else if (read.attr == Attr::kHeaderList) {
      for (const auto& field : request_->headers) {
        if (field.name == keyOf(read)) redaction.hide(field.value);
      }
    } else if (read.attr == Attr::kVia) {
      for (const auto value : peekVia()) redaction.hide(value);
    } else if (read.attr == Attr::kJwt && read.value.present()) {
      hideClaim(read.value, read.value.type == Type::kJson ? &jwtJson(keyOf(read)) : nullptr, redaction, texts);
    } else if (read.value.type == Type::kText && read.value.state == State::kPresent) {
      redaction.hide(read.value.text);
    }
  }
  if (!request_->query.empty() && !recording.config().plain_query) redaction.hide(request_->query);
  redaction.finish();
}

static bool fromToken(const CheckRequest& request) {
  return request.principal != nullptr && request.principal->kind == identity::Principal::Kind::kJwtSvid;
}

// Where the request comes from, as far as the record does not say it otherwise: recorded even if policy did not read
// it.
void AttributeReader::noteOrigin(json::ObjectWriter& writer, const Recording& recording) {
  const auto add = [&](Attr attr) {
    const bool there = std::any_of(reads_.begin(), reads_.end(), [&](const Noted& read) { return read.attr == attr; });
    if (!there) writeValue(writer, std::string(name(attr)), attr, {}, peek(attr), recording);
  };
  if (fromToken(*request_)) add(Attr::kPrincipalKind);
  if (request_->forwarded == nullptr) return;
  add(Attr::kVia);
  add(Attr::kClientIp);
}

void AttributeReader::readsJson(const Recording& recording, std::string& out, const Obligations* obligations) {
  const auto& headers = recording.config().headers;
  out.clear();
  const size_t computed = obligations != nullptr ? obligations->computed : 0;
  const bool origin = recorded_ == nullptr && (request_->forwarded != nullptr || fromToken(*request_));
  if (reads_.empty() && headers.empty() && computed == 0 && !origin) return;
  json::ObjectWriter writer(out);
  std::string what;
  crowded_ = false;
  for (const auto& read : reads_) {
    crowded_ = out.size() > kCrowded;
    what = name(read.attr);
    if (keyed(read.attr)) what.append(".").append(keyOf(read));
    writeValue(writer, what, read.attr, keyOf(read), read.value, recording);
  }
  for (const auto& header : headers) {
    const bool there = std::any_of(reads_.begin(), reads_.end(), [&](const Noted& read) {
      return (read.attr == Attr::kHeader || read.attr == Attr::kHeaderList) && keyOf(read) == header;
    });
    if (there) continue;
    const auto count = peekList(header).size();
    const Attr attr = count > 1 ? Attr::kHeaderList : Attr::kHeader;
    writeValue(writer, std::string(name(attr)) + "." + header, attr, header, peek(attr, header), recording);
  }
  if (origin) noteOrigin(writer, recording);
  for (size_t i = 0; i < computed; ++i) {
    const auto& [name, value] = obligations->set_headers[obligations->set_headers.size() - computed + i];
    writer.raw("set_header." + name, recording.masked(value));
  }
  writer.end();
}

}  // namespace yett::policy
