#include "request/xfcc.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.h"

namespace yett::request {
namespace {

constexpr size_t kMostBytes = 16 << 10;
constexpr size_t kMostElements = 64;
constexpr std::string_view kNeedQuotes = " ,;=\"\\";

enum Key : size_t { kHash, kCert, kChain, kSubject, kIssuer, kBy, kUri, kDns };
constexpr std::string_view kKeys[] = {"Hash",   "Cert", "Chain", "Subject",
                                      "Issuer", "By",   "URI",   "DNS"};  // in the order of Key

bool mayRepeat(size_t key) {
  return key > kIssuer;
}

bool isPrintable(char c) {
  return c >= 0x20 && c < 0x7f;
}

// A piece of the header for a message. It is short: it may be of a person's certificate.
std::string shown(std::string_view text) {
  constexpr size_t kMost = 24;
  return "`" + base::printable(text.substr(0, kMost)) + (text.size() > kMost ? "..." : "") + "`";
}

// Reads from the front of what is left.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  Result<ForwardedCaller> element() {
    if (rest_.empty() || rest_.front() == ',') return Error{"it is empty"};
    ForwardedCaller out;
    size_t seen = 0;
    do {
      const size_t key = TRY(readKey());
      const size_t bit = size_t{1} << key;
      if ((seen & bit) != 0 && !mayRepeat(key)) return Error{std::string(kKeys[key]) + " is given twice"};
      seen |= bit;
      auto value = readValue();
      if (!value) return std::move(value).error().within(std::string(kKeys[key]));
      keep(out, key, std::move(value).value());
    } while (take(';'));
    return out;
  }

  /// Whether another element follows. REQUIRES: element() was read.
  bool takeComma() {
    takeSpaces();
    if (!take(',')) return false;
    takeSpaces();
    return true;
  }

 private:
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void takeSpaces() { rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size())); }

  Result<size_t> readKey() {
    const auto name = rest_.substr(0, rest_.find_first_of("=;,\""));
    rest_.remove_prefix(name.size());
    if (name.empty()) return Error{"a key is missing"};
    if (!take('=')) return Error{"no `=` after " + shown(name)};
    const auto* const found = std::find_if(std::begin(kKeys), std::end(kKeys),
                                           [&](std::string_view key) { return base::equalsIgnoreCase(key, name); });
    if (found == std::end(kKeys)) return Error{"unknown key " + shown(name)};
    return static_cast<size_t>(found - std::begin(kKeys));
  }

  // A value, with the check that it ends where a pair or an element does.
  Result<std::string> readValue() {
    std::string out;
    const bool quoted = take('"');
    if (quoted) {
      TRY(readQuoted(out));
    } else {
      out = rest_.substr(0, rest_.find_first_of(kNeedQuotes));
      rest_.remove_prefix(out.size());
    }
    const size_t after = rest_.find_first_not_of(' ');
    const bool ends = rest_.empty() || rest_.front() == ';' || (after != std::string_view::npos && rest_[after] == ',');
    if (!ends && quoted) return Error{shown(rest_) + " stands after the closing quote"};
    if (!ends) return Error{"the value needs quotes for " + shown(rest_)};
    return out;
  }

  Status readQuoted(std::string& out) {
    for (size_t i = 0; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return {};
      }
      const auto follows = [&](char c) { return rest_.substr(i + 1).starts_with(c); };
      const bool escapes = rest_[i] == '\\' && (follows('"') || follows('\\'));
      if (escapes) ++i;
      // Envoy's reader and writer do not agree on what this is: see the header.
      if (escapes && rest_[i] == '\\' && i + 1 < rest_.size() && !follows('"') && !follows('\\'))
        return Error{"a doubled backslash before " + shown(rest_.substr(i + 1, 1)) + " is ambiguous"};
      out += rest_[i];
    }
    return Error{"its quotes are not closed"};
  }

  static void keep(ForwardedCaller& to, size_t key, std::string value) {
    if (value.empty()) return;
    switch (key) {
      case kHash: to.hash = std::move(value); break;
      case kSubject: to.subject = std::move(value); break;
      case kBy: to.by.push_back(std::move(value)); break;
      case kUri: to.uris.push_back(std::move(value)); break;
      case kDns: to.dns.push_back(std::move(value)); break;
      default: break;  // Cert, Chain and Issuer
    }
  }

  std::string_view rest_;
};

}  // namespace

Result<std::vector<ForwardedCaller>> parseXfcc(std::string_view value) {
  if (value.empty()) return Error{"the header is empty"};
  if (value.size() > kMostBytes) return Error{"the header has over " + std::to_string(kMostBytes) + " bytes"};
  for (size_t i = 0; i < value.size(); ++i) {
    if (!isPrintable(value[i])) return Error{"byte " + std::to_string(i + 1) + " is not printable ASCII"};
  }
  std::vector<ForwardedCaller> out;
  Reader reader(value);
  do {
    if (out.size() == kMostElements) return Error{"over " + std::to_string(kMostElements) + " elements"};
    auto element = reader.element();
    if (!element) return std::move(element).error().within("element " + std::to_string(out.size() + 1));
    out.push_back(std::move(element).value());
  } while (reader.takeComma());
  return out;
}

std::string xfccValue(std::string_view raw) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (isPrintable(c)) text += c;
    else text.append({'\\', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  if (!text.empty() && text.find_first_of(kNeedQuotes) == std::string::npos) return text;
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '"';
    if (text[i] == '"' || (text[i] == '\\' && (next == '"' || next == '\\'))) out += '\\';
    out += text[i];
  }
  return out += '"';
}

}  // namespace yett::request
