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

// Removes the last segment from `path`, which begins with '/', and returns it.
std::string_view takeLast(std::string_view& path) {
  const auto slash = path.rfind('/');
  const auto segment = path.substr(slash + 1);
  path = path.substr(0, slash);
  return segment;
}

bool isName(std::string_view text) {
  return !text.empty() && (text[0] < '0' || text[0] > '9') && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool same(std::string_view a, std::string_view b, bool fold) {
  return a == b || (fold && base::equalsIgnoreCase(a, b));
}

bool fits(const SegmentPattern::Segment& wanted, std::string_view actual, bool fold) {
  if (!wanted.any) return same(wanted.text, actual, fold);
  if (!wanted.ending) return !actual.empty();
  if (actual.size() < wanted.text.size()) return false;
  const size_t at = actual.size() - wanted.text.size();
  // An escape (`%2F`) is one character.
  const bool within = (at > 0 && actual[at - 1] == '%') || (at > 1 && actual[at - 2] == '%');
  return !within && same(wanted.text, actual.substr(at), fold);
}

constexpr const char* kStars =
    "`*` and `{name}` stand for a whole segment, `*.txt` for one with this ending, and `**.txt` may only be the last";

}  // namespace

Result<SegmentPattern> SegmentPattern::parsePath(std::string_view text) {
  return parse(text, true);
}
Result<SegmentPattern> SegmentPattern::parseExact(std::string_view text) {
  return parse(text, false);
}

Status SegmentPattern::addCapture(std::string_view segment) {
  const std::string name(segment.substr(1, segment.size() - 2));
  if (!isName(name)) return Error{"`" + std::string(segment) + "`: a capture's name is letters, digits and `_`"};
  if (std::find(names_.begin(), names_.end(), name) != names_.end()) return Error{"captures `" + name + "` twice"};
  names_.push_back(name);
  segments_.push_back({true, false, name});
  return {};
}

// A literal, or `*` and the ending of a segment.
Status SegmentPattern::addLiteral(std::string_view segment, bool canonical) {
  const bool ending = segment.front() == '*';
  std::string literal(segment.substr(ending ? 1 : 0));
  if (literal.find_first_of("*{}") != std::string::npos) return Error{"`" + std::string(segment) + "`: " + kStars};
  if (canonical) {
    const std::string before = ending ? "/x" : "/";  // an ending of `.` is part of a segment
    literal = TRY(canonicalLiteral(before + literal)).substr(before.size());
    if (literal.empty() || literal.find('/') != std::string::npos)
      return Error{"`" + std::string(segment) + "` is not a segment of a canonical path"};
  }
  segments_.push_back({ending, ending, std::move(literal)});
  return {};
}

Result<SegmentPattern> SegmentPattern::parse(std::string_view text, bool canonical) {
  SegmentPattern pattern;
  pattern.text_ = text;
  pattern.asterisk_ = canonical && text == "*";
  if (pattern.asterisk_) return pattern;
  if (!text.starts_with('/')) return Error{"must begin with `/`"};
  std::string_view rest = text;
  while (!rest.empty()) {
    auto segment = takeSegment(rest);
    if (segment.starts_with("**") && segment.find('*', 2) == std::string_view::npos) {
      if (pattern.rest_) return Error{"has `**` twice: a pattern may have one"};
      if (segment.size() > 2 && !rest.empty()) return Error{"`" + std::string(segment) + "`: " + kStars};
      pattern.rest_ = true;
      pattern.before_ = pattern.segments_.size();
      segment.remove_prefix(segment.size() > 2 ? 1 : 2);  // `**.txt` is `**/*.txt`
      if (segment.empty()) continue;
    }
    if (segment.empty()) {
      if (!rest.empty()) return Error{"has an empty segment"};
      pattern.trailing_slash_ = true;
    } else if (segment == "*") {
      pattern.segments_.push_back({true, false, ""});
    } else if (segment.front() == '{' && segment.back() == '}') {
      TRY(pattern.addCapture(segment));
    } else {
      TRY(pattern.addLiteral(segment, canonical));
    }
  }
  if (!pattern.rest_) pattern.before_ = pattern.segments_.size();
  if (pattern.endsWithRest() && pattern.trailing_slash_) return Error{"ends with `**/`: write `**`"};
  return pattern;
}

bool SegmentPattern::endings() const {
  return std::any_of(segments_.begin(), segments_.end(), [](const Segment& segment) { return segment.ending; });
}

bool SegmentPattern::matches(std::string_view path, bool loose, bool fold) const {
  if (asterisk_) return path == "*";
  if (loose && rest_ && segments_.empty()) return true;  // `/**` matches everything, even "*" (OPTIONS)
  for (size_t i = 0; i < before_; ++i) {
    if (path.empty() || path[0] != '/') return false;
    if (!fits(segments_[i], takeSegment(path), fold)) return false;
  }
  if (endsWithRest()) return path.empty() || path[0] == '/';
  if (!rest_) {
    if (path == "/") return trailing_slash_ || loose;
    return path.empty() && (!trailing_slash_ || loose);
  }
  const bool slash = path.ends_with('/');
  if (slash != trailing_slash_ && !loose) return false;
  if (slash) path.remove_suffix(1);
  for (size_t i = segments_.size(); i > before_; --i) {
    if (path.empty() || path[0] != '/') return false;
    if (!fits(segments_[i - 1], takeLast(path), fold)) return false;
  }
  return true;
}

bool SegmentPattern::capture(std::string_view path, std::string_view name, std::string_view& out) const {
  const auto named = [name](const Segment& segment) { return segment.any && !segment.ending && segment.text == name; };
  const auto it = std::find_if(segments_.begin(), segments_.end(), named);
  if (it == segments_.end()) return false;
  auto place = static_cast<size_t>(it - segments_.begin());
  if (place < before_) {
    for (;; --place) {
      if (path.empty()) return false;
      out = takeSegment(path);
      if (place == 0) return true;
    }
  }
  if (path.ends_with('/')) path.remove_suffix(1);
  for (place = segments_.size() - place; place > 0; --place) {
    if (path.empty()) return false;
    out = takeLast(path);
  }
  return true;
}

}  // namespace yett::target
