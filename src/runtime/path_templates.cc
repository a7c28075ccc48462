// Paths seen -> path templates.
#include <algorithm>

#include "base/text.h"
#include "runtime/suggest.h"

namespace yett::runtime {
namespace {

// What a segment looks like: a number, a UUID, a long hexadecimal or mixed token. "" for a word.
std::string shapeOf(std::string_view segment) {
  const auto all = [&](auto test) { return std::all_of(segment.begin(), segment.end(), test); };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (segment.empty()) return "";
  if (all(digit)) return "id";
  if (segment.size() == 36 && segment[8] == '-' && segment[13] == '-' && segment[18] == '-' && segment[23] == '-' &&
      all([](char c) { return c == '-' || base::hexValue(c) >= 0; }))
    return "uuid";
  const auto digits = static_cast<size_t>(std::count_if(segment.begin(), segment.end(), digit));
  if (segment.size() >= 12 && digits >= 3 && all([](char c) { return base::hexValue(c) >= 0; })) return "hex";
  if (segment.size() >= 16 && digits >= 3) return "token";
  return "";
}

struct Path {
  std::string raw;
  std::vector<std::string> segments;  // templates so far
  std::vector<bool> identifier;       // the segment looks like one
};

std::string joinedPath(const std::vector<std::string>& segments, const std::vector<std::string>* names) {
  std::string out;
  for (size_t i = 0; i < segments.size(); ++i) out += "/" + (names != nullptr ? (*names)[i] : segments[i]);
  return out.empty() ? "/" : out;
}

constexpr char kAny[] = "*";

// "orders" + any -> "{order_id}"
std::vector<std::string> named(const std::vector<std::string>& segments) {
  std::vector<std::string> out;
  std::set<std::string> used;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (segments[i] != kAny) {
      out.push_back(segments[i]);
      continue;
    }
    std::string before = i > 0 && segments[i - 1] != kAny ? segments[i - 1] : "";
    std::string name;
    for (const char c : before) {
      const char low = base::toLower(c);
      name += (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9' && !name.empty()) ? low : '_';
    }
    if (name.size() > 3 && name.ends_with("s")) name.pop_back();
    name = name.empty() || name.find_first_not_of('_') == std::string::npos ? "id" : name + "_id";
    while (!used.insert(name).second) name += "2";
    out.push_back("{" + name + "}");
  }
  return out;
}

}  // namespace

std::map<std::string, std::string> templatesOf(const std::set<std::string>& paths) {
  std::vector<Path> all;
  for (const auto& raw : paths) {
    Path path{raw, {}, {}};
    for (const auto segment : base::split(std::string_view(raw).substr(raw.starts_with('/') ? 1 : 0), '/')) {
      path.segments.emplace_back(segment);
      path.identifier.push_back(!shapeOf(segment).empty());
    }
    all.push_back(std::move(path));
  }
  // Position by position, left to right: generalizes what varies while all the rest is the same. Identifiers count as
  // the same elsewhere. One value stays as it is: a placeholder for it would also allow /admin.
  size_t longest = 0;
  for (const auto& path : all) longest = std::max(longest, path.segments.size());
  for (size_t at = 0; at < longest; ++at) {
    struct Values {
      std::set<std::string> all, identifiers;
    };
    std::map<std::string, Values> values;
    const auto around = [&](const Path& path) {
      std::vector<std::string> rest = path.segments;
      for (size_t i = 0; i < rest.size(); ++i) {
        if (i == at || path.identifier[i]) rest[i] = kAny;
      }
      return joinedPath(rest, nullptr);
    };
    const auto varies = [&](const Path& path) { return path.segments.size() > at && !path.segments[at].empty(); };
    for (const auto& path : all) {
      if (!varies(path)) continue;
      Values& here = values[around(path)];
      here.all.insert(path.segments[at]);
      if (path.identifier[at]) here.identifiers.insert(path.segments[at]);
    }
    std::vector<Path*> general;
    for (auto& path : all) {
      if (!varies(path)) continue;
      const Values& here = values[around(path)];
      if (here.all.size() >= kAlike || here.identifiers.size() >= 2) general.push_back(&path);
    }
    for (Path* path : general) path->segments[at] = kAny;
  }
  std::map<std::string, std::string> out;
  for (const auto& path : all) {
    const auto names = named(path.segments);
    out[path.raw] = joinedPath(path.segments, &names);
  }
  return out;
}

}  // namespace yett::runtime
