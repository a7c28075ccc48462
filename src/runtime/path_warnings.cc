#include "runtime/path_warnings.h"

#include <set>

#include "proxy/route_table.h"
#include "target/canonical.h"
#include "target/path_profile.h"

namespace yett::runtime {
namespace {

constexpr size_t kMaxWarnings = 50;

// The segments of a path that matches the pattern.
std::vector<std::string> sample(const target::SegmentPattern& pattern) {
  std::vector<std::string> out;
  for (const auto& segment : pattern.segments()) out.push_back(segment.example());
  if (pattern.rest()) out.insert(out.begin() + static_cast<ptrdiff_t>(pattern.before()), {"y", "z"});
  return out;
}

std::string joined(const std::vector<std::string>& segments, size_t encoded_before, size_t parameter_after) {
  std::string out;
  for (size_t i = 0; i < segments.size(); ++i) {
    out += i > 0 && i == encoded_before ? "%2F" : "/";
    out += segments[i];
    if (i == parameter_after) out += ";v=1";
  }
  return out.empty() ? "/" : out;
}

// Paths that the route accepts and that a service may read differently.
std::vector<std::string> probes(const target::SegmentPattern& pattern, const proxy::Route& route) {
  constexpr size_t kNone = SIZE_MAX;
  if (pattern.asterisk()) return {};
  auto segments = sample(pattern);
  std::vector<std::string> out{joined(segments, kNone, kNone)};
  if (route.forward_parameters) {
    for (size_t i = 0; i < segments.size(); ++i) out.push_back(joined(segments, kNone, i));
  }
  if (!route.allow_encoded_slashes) return out;
  for (size_t i = 1; i < segments.size(); ++i) out.push_back(joined(segments, i, kNone));
  segments.push_back("more");  // where the pattern ends, or its last segment is any
  out.push_back(joined(segments, segments.size() - 1, kNone));
  return out;
}

// How policy and the service read the probe if they differ; else "".
std::string disagreement(const target::SegmentPattern& pattern, const proxy::Route& route, target::PathProfile profile,
                         const std::string& probe) {
  target::Target target;
  if (!target::canonicalize(probe, target) || !route.path.matches(target.path)) return {};
  if (target.encoded_slash && !route.allow_encoded_slashes) return {};
  const bool whole = route.forward_parameters && !target.parameters.empty();
  const std::string seen = target::readAs(profile, whole ? target.parameters : target.path);
  const bool covers = pattern.matches(target.path, true);
  if (covers == pattern.matches(seen, true)) return {};
  return "policy reads `" + probe + "` as `" + target.path + "`, which it " + (covers ? "covers" : "does not cover") +
         "; the service reads it as `" + seen + "`, which is " + (covers ? "not covered" : "covered");
}

}  // namespace

std::vector<std::string> pathWarnings(const Generation& generation) {
  std::vector<std::string> out;
  std::set<std::string> told;
  for (const auto& listener : generation.config.listeners) {
    const auto routes = proxy::RouteTable::create(listener.routes);
    if (!routes) continue;
    for (const auto& route : routes.value().routes()) {
      const auto& cluster = generation.clusters.at(route.cluster)->config;
      if (!route.allow_encoded_slashes && !route.forward_parameters) continue;  // then all read the same
      for (const auto& engine : generation.policy->engines()) {
        for (const auto& rule : engine.rules->rules()) {
          for (const auto& pattern : rule.paths) {
            for (const auto& probe : probes(pattern, route)) {
              const std::string how = disagreement(pattern, route, cluster.path_profile, probe);
              const std::string at = rule.position + " " + pattern.text() + " " + route.name + " " + cluster.name;
              if (how.empty() || !told.insert(at).second) continue;
              out.push_back(rule.position + ": path `" + pattern.text() + "` of rule `" + rule.rule +
                            "` and the service of cluster `" + cluster.name + "` (path_profile " +
                            target::name(cluster.path_profile) + ") disagree on route `" + route.name + "`: " + how);
              if (out.size() == kMaxWarnings) return out;
            }
          }
        }
      }
    }
  }
  return out;
}

}  // namespace yett::runtime
