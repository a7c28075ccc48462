#include "target/path_profile.h"

#include <vector>

#include "base/text.h"
#include "target/canonical.h"

namespace yett::target {
namespace {

std::string unescaped(std::string_view path) {
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    const int high = path[i] == '%' && i + 2 < path.size() ? base::hexValue(path[i + 1]) : -1;
    const int low = high >= 0 ? base::hexValue(path[i + 2]) : -1;
    if (low >= 0) i += 2;
    out += low >= 0 ? static_cast<char>(high * 16 + low) : path[i];
  }
  return out;
}

std::string withoutParameters(std::string_view path) {
  std::string out;
  bool inside = false;
  for (const char c : path) {
    if (c == '/') inside = false;
    else if (c == ';') inside = true;
    if (!inside) out += c;
  }
  return out;
}

// Merges slashes and resolves dot segments, never above the root.
std::string cleaned(std::string_view path) {
  std::vector<std::string_view> kept;
  const bool slash_at_end = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
  while (!path.empty()) {
    const auto end = path.find('/');
    const auto segment = path.substr(0, end);
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") kept.push_back(segment);
    else if (!kept.empty()) kept.pop_back();
  }
  std::string out;
  for (const auto segment : kept) (out += '/') += segment;
  if (out.empty() || slash_at_end) out += '/';
  return out;
}

// Escapes the characters that a segment must escape, except `but`.
std::string escaped(std::string_view path, char but) {
  std::string out;
  for (const char c : path) {
    if (c == '/' || c == but) out += c;
    else appendSegmentByte(out, static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

const char* name(PathProfile profile) {
  switch (profile) {
    case PathProfile::kStrict: return "strict";
    case PathProfile::kNginx: return "nginx";
    case PathProfile::kTomcat: return "tomcat";
    case PathProfile::kGo: return "go";
  }
  return "";
}

std::string readAs(PathProfile profile, std::string_view path) {
  switch (profile) {
    case PathProfile::kStrict: return escaped(path, '%');
    case PathProfile::kNginx:
    case PathProfile::kGo: return escaped(cleaned(unescaped(path)), '/');
    case PathProfile::kTomcat: return cleaned(withoutParameters(path));
  }
  return std::string(path);
}

}  // namespace yett::target
