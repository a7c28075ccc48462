// A suggestion as the files of a policy directory.
#include <algorithm>
#include <cstdio>

#include "audit/reader.h"
#include "base/clock.h"
#include "base/text.h"
#include "policy/token.h"
#include "runtime/suggest.h"

namespace yett::runtime {
namespace {

// A Lua string literal.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", byte);
      out += escape;
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + "\"";
}

std::string listOf(const std::set<std::string>& values) {
  if (values.contains("")) return "anyone";
  if (values.size() == 1) return quoted(*values.begin());
  std::string out = "{";
  for (const auto& value : values) out += (out.size() > 1 ? ", " : " ") + quoted(value);
  return out + " }";
}

// Nothing if one of them is unknown: then the rule is for every host.
std::string hostField(const std::set<std::string>& hosts) {
  return hosts.empty() || hosts.contains("") ? "" : ",\n    host      = " + listOf(hosts);
}

std::string counted(size_t n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

// What a rule allows beyond what was seen, as comments.
std::string widthOf(const SuggestedRule& rule) {
  std::string out;
  for (auto open = rule.path.find('{'); open != std::string::npos; open = rule.path.find('{', open + 1)) {
    const std::string name = rule.path.substr(open, rule.path.find('}', open) - open + 1);
    const auto place = std::count(rule.path.begin(), rule.path.begin() + static_cast<std::ptrdiff_t>(open), '/');
    std::set<std::string_view> values;
    for (const auto& path : rule.seen_paths) {
      const auto segments = base::split(path, '/');
      if (segments.size() > static_cast<size_t>(place)) values.insert(segments[static_cast<size_t>(place)]);
    }
    out += "  -- WIDER than seen: " + name + " allows any segment; " + counted(values.size(), "value") + " seen\n";
  }
  for (const auto& principal : rule.principals) {
    if (principal.find('*') != std::string::npos)
      out += "  -- WIDER than seen: any caller like " + principal + "; " +
             counted(rule.seen_principals.size(), "caller") + " seen\n";
  }
  if (!rule.token.empty()) out += "  -- WIDER than seen: any token of `" + rule.token + "`, whatever it claims\n";
  if (rule.hosts.contains("")) out += "  -- WIDER than seen: any host, since some requests had none\n";
  return out;
}

// The field `jwt` of a test.
std::string tokenOf(const SuggestedRule& rule) {
  if (rule.token.empty()) return "";
  const bool svid = rule.token == policy::kSvidProvider;
  return "  jwt = { " + rule.token + " = {" + (svid ? " sub = " + quoted(rule.example.principal) + " " : "") + "} },\n";
}

}  // namespace

std::string Suggestion::policyText(const std::string& name) const {
  std::string out = "-- Suggested from " + std::to_string(allowed) +
                    " allowed decisions. The evidence for each rule is above it:\n"
                    "-- read it, and keep only the rules that you intend. What was never seen is denied.\npolicy " +
                    quoted(name) + " {\n";
  for (size_t i = 0; i < denies.size(); ++i) {
    const auto& deny = denies[i];
    out += "  -- " + counted(static_cast<size_t>(deny.count), "time") + " denied, and never allowed\n  deny " +
           quoted("seen denied " + std::to_string(i + 1) + ": " + deny.path.substr(0, 200)) +
           " {\n    principal = " + listOf(deny.principals) + ",\n    method    = " + listOf(deny.methods) +
           hostField(deny.hosts) + ",\n    path      = " + quoted(deny.path) + ",\n  },\n";
  }
  for (const auto& rule : rules) {
    out += "  -- " + counted(static_cast<size_t>(rule.count), "time") + ", " + base::formatTime(rule.first) + " to " +
           base::formatTime(rule.last) + "; " + counted(rule.seen_paths.size(), "path") + ", " +
           counted(rule.seen_principals.size(), "caller") + " seen\n";
    out += widthOf(rule);
    if (rule.also_denied > 0)
      out += "  -- CAREFUL: the same was denied " + counted(static_cast<size_t>(rule.also_denied), "time") +
             ": something other than caller, method and path decided\n";
    out += "  allow " + quoted(rule.name) + " {\n    principal = " + listOf(rule.principals) +
           ",\n    method    = " + listOf(rule.methods) + hostField(rule.hosts) +
           ",\n    path      = " + quoted(rule.path) +
           (rule.token.empty() ? "" : ",\n    jwt       = " + quoted(rule.token)) + ",\n  },\n";
  }
  return out + "}\n";
}

std::string Suggestion::testText() const {
  std::string out = "-- One request that was seen for each rule, and a caller who was never seen.\n";
  for (const auto& rule : rules) {
    const audit::Row& r = rule.example;
    out += "test " + quoted("seen: " + rule.name) + " {\n";
    if (!r.principal.empty()) out += "  principal = " + quoted(r.principal) + ",\n";
    out += "  request = { method = " + quoted(r.method) + ", path = " + quoted(r.path) +
           (r.host.empty() ? "" : ", host = " + quoted(r.host)) + " },\n" + tokenOf(rule) + "  expect = allowed " +
           quoted(rule.name) + ",\n}\n";
  }
  return out +
         "test \"never seen\" {\n  principal = \"spiffe://never.seen/stranger\",\n  request = { method = \"GET\", path "
         "= "
         "\"/never-seen\" },\n  expect = denied.by_default,\n}\n";
}

}  // namespace yett::runtime
