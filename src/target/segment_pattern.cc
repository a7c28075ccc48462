#include "target/segment_pattern.h"

#include <algorithm>

#include "base/text.h"
#include "target/canonical.h"

namespace yett::target {
namespace {

// Removes the first segment from `path`, which begins with '/', and returns it.
std::string_view takeSegment(std::string_view& path) {
  const auto end = std::min(path.find('/', 1), path.size());
  const auto segment = path.substr(1, end - 1);
  path.remove_prefix(end);
  return segment;
}

bool isName(std::string_view text) {
  return !text.empty() && (text[0] < '0' || text[0] > '9') && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Result<SegmentPattern> SegmentPattern::parsePath(std::string_view text) {
  return parse(text, true);
}
Result<SegmentPattern> SegmentPattern::parseExact(std::string_view text) {
  return parse(text, false);
}

Result<SegmentPattern> SegmentPattern::parse(std::string_view text, bool canonical) {
  SegmentPattern pattern;
  pattern.text_ = text;
  pattern.asterisk_ = canonical && text == "*";
  if (pattern.asterisk_) return pattern;
  if (!text.starts_with('/')) return Error{"must begin with `/`"};
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto segment = takeSegment(rest);
    if (segment == "**") {
      if (!rest.empty()) return Error{"`**` may only be the last segment"};
      pattern.rest_ = true;
    } else if (segment.empty()) {
      if (!rest.empty()) return Error{"has an empty segment"};
      pattern.trailing_slash_ = true;
    } else if (segment == "*") {
      pattern.segments_.push_back({true, ""});
    } else if (segment.front() == '{' && segment.back() == '}') {
      const std::string name(segment.substr(1, segment.size() - 2));
      if (!isName(name)) return Error{"`" + std::string(segment) + "`: a capture's name is letters, digits and `_`"};
      if (std::find(pattern.names_.begin(), pattern.names_.end(), name) != pattern.names_.end()) {
        return Error{"captures `" + name + "` twice"};
      }
      pattern.names_.push_back(name);
      pattern.segments_.push_back({true, name});
    } else if (segment.find_first_of("*{}") != std::string_view::npos) {
      return Error{"`" + std::string(segment) + "`: `*` and `{name}` stand for a whole segment"};
    } else {
      std::string literal(segment);
      if (canonical) {
        literal = TRY(canonicalLiteral("/" + literal)).substr(1);
        if (literal.empty() || literal.find('/') != std::string::npos)
          return Error{"`" + std::string(segment) + "` is not a segment of a canonical path"};
      }
      pattern.segments_.push_back({false, std::move(literal)});
    }
  }
  return pattern;
}

bool SegmentPattern::matches(std::string_view path, bool loose, bool fold) const {
  const auto same = [fold](std::string_view a, std::string_view b) {
    return a == b || (fold && base::equalsIgnoreCase(a, b));
  };
  if (asterisk_) return path == "*";
  if (loose && rest_ && segments_.empty()) return true;  // `/**` matches everything, even "*" (OPTIONS)
  for (const auto& segment : segments_) {
    if (path.empty() || path[0] != '/') return false;
    const auto actual = takeSegment(path);
    if (segment.any ? actual.empty() : !same(actual, segment.text)) return false;
  }
  if (rest_) return path.empty() || path[0] == '/';
  if (path == "/") return trailing_slash_ || loose;
  return path.empty() && (!trailing_slash_ || loose);
}

bool SegmentPattern::capture(std::string_view path, std::string_view name, std::string_view& out) const {
  for (const auto& segment : segments_) {
    if (path.empty()) return false;
    const auto actual = takeSegment(path);
    if (segment.any && segment.text == name) {
      out = actual;
      return true;
    }
  }
  return false;
}

}  // namespace yett::target
