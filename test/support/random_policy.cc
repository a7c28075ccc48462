#include "support/random_policy.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <sstream>

#include "identity/principal_id.h"

namespace yett::test {
namespace {

size_t pick(Random& random, size_t n) {
  return random() % n;
}
bool chance(Random& random, size_t percent) {
  return pick(random, 100) < percent;
}
const char* one(Random& random, const std::vector<const char*>& of) {
  return of[pick(random, of.size())];
}

const std::vector<const char*> kSegments = {"a", "b", "orders", "42", "x%20y"};
const std::vector<const char*> kHosts = {"a.example.org", "b.example.org", "example.org", "x.a.example.org", "other"};
const std::vector<const char*> kMethods = {"GET", "HEAD", "POST", "PUT"};
const std::vector<const char*> kPrincipals = {"spiffe://example.org/ns/a/sa/x",
                                              "spiffe://example.org/ns/b/sa/x",
                                              "spiffe://example.org/ns/a",
                                              "spiffe://other.org/ns/a/sa/x",
                                              "spiffe://example.org/z",
                                              "dns:corp/a.example.org",
                                              "cn:corp/z"};
const std::vector<const char*> kNames = {
    "dns:corp/a.example.org", "dns:corp/*", "dns:other/a.example.org", "cn:corp/z", "cn:corp/*", "dns:corp/b"};

bool isNamed(const std::string& id) {
  return id.starts_with("dns:") || id.starts_with("cn:");
}
const std::vector<const char*> kSources = {"10.0.0.1", "10.1.2.3", "192.168.0.7", "2001:db8::1", "127.0.0.1"};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> out;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, at);) out.push_back(part);
  return out;
}

// "/a/b/" -> {"a", "b"} and the slash.
std::vector<std::string> segmentsOf(const std::string& path, bool& slash) {
  slash = path.size() > 0 && path.back() == '/';
  auto out = split(path, '/');
  if (!out.empty()) out.erase(out.begin());
  return out;
}

// Tries every number of segments for `**`.
bool segmentsMatch(const std::vector<std::string>& wanted, size_t w, const std::vector<std::string>& sent, size_t s) {
  if (w == wanted.size()) return s == sent.size();
  const std::string& segment = wanted[w];
  if (segment == "**") {
    for (size_t next = s; next <= sent.size(); ++next) {
      if (segmentsMatch(wanted, w + 1, sent, next)) return true;
    }
    return false;
  }
  if (s == sent.size()) return false;
  // The ending of a segment; `%20` counts as one character.
  const auto ends = [&] {
    if (segment[0] != '*' || !sent[s].ends_with(segment.substr(1))) return false;
    const size_t at = sent[s].size() - (segment.size() - 1);
    const auto escape = at == 0 ? std::string::npos : sent[s].rfind('%', at - 1);
    return escape == std::string::npos || escape + 3 <= at;
  };
  const bool same = segment == "*" || segment[0] == '{' || segment == sent[s] || ends();
  return same && segmentsMatch(wanted, w + 1, sent, s + 1);
}

std::string inLowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool pathMatches(std::string pattern, std::string path, bool loose) {
  if (pattern.starts_with("re:")) {
    const std::regex re(pattern.substr(3), loose ? std::regex::ECMAScript | std::regex::icase : std::regex::ECMAScript);
    if (std::regex_match(path, re)) return true;
    return loose && path.size() > 1 && path.back() == '/' && std::regex_match(path.substr(0, path.size() - 1), re);
  }
  if (loose) pattern = inLowerCase(pattern), path = inLowerCase(path);
  bool want_slash = false;
  bool has_slash = false;
  auto wanted = segmentsOf(pattern, want_slash);
  const auto sent = segmentsOf(path, has_slash);
  const bool rest = !wanted.empty() && wanted.back() == "**";
  if (!wanted.empty() && wanted.back().starts_with("**") && !rest) {
    wanted.back().erase(0, 1);
    wanted.insert(wanted.end() - 1, "**");
  }
  return segmentsMatch(wanted, 0, sent, 0) && (rest || loose || want_slash == has_slash);
}

bool callerMatches(const std::string& pattern, const std::string& id) {
  if (pattern == "anyone") return true;
  if (id.empty()) return false;
  if (isNamed(id)) return isNamed(pattern) && pathMatches("/" + pattern, "/" + id, false);
  if (isNamed(pattern)) return false;
  if (pattern == "authenticated") return true;
  if (pattern.starts_with("re:")) return std::regex_match(id, std::regex(pattern.substr(3)));
  return pathMatches("/" + pattern.substr(9), "/" + id.substr(9), false);
}

bool hostMatches(const std::string& pattern, const std::string& host) {
  if (pattern.starts_with("re:")) return std::regex_match(host, std::regex(pattern.substr(3)));
  if (pattern.starts_with("*.")) return host.size() > pattern.size() - 1 && host.ends_with(pattern.substr(1));
  return pattern == host;
}

bool sourceMatches(const std::string& range, const std::string& source) {
  static const std::map<std::string, std::vector<std::string>> kInside = {
      {"10.0.0.0/8", {"10.0.0.1", "10.1.2.3"}},
      {"10.0.0.0/16", {"10.0.0.1"}},
      {"10.1.2.3", {"10.1.2.3"}},
      {"2001:db8::/32", {"2001:db8::1"}},
      {"::ffff:10.0.0.1", {"10.0.0.1"}},
      {"0.0.0.0/0", {"10.0.0.1", "10.1.2.3", "192.168.0.7", "127.0.0.1"}}};
  const auto& inside = kInside.at(range);
  return std::find(inside.begin(), inside.end(), source) != inside.end();
}

// Counts the minutes of a range one by one. The last entry is the zone: UTC, or two hours east of it.
bool hoursMatch(const std::vector<std::string>& entries, int64_t time) {
  const int64_t local = time + (entries.back() == "UTC" ? 0 : 7200);
  const auto minute = static_cast<int>(local / 60 % 1440), day = static_cast<int>((local / 86'400 + 3) % 7);
  static const std::map<std::string, std::string> kDays = {{"mon-fri", "01234"}, {"sat-mon", "560"}, {"wed", "2"}};
  std::string days;
  std::vector<std::string> ranges;
  for (const auto& entry : std::vector<std::string>(entries.begin(), entries.end() - 1)) {
    if (kDays.contains(entry)) days += kDays.at(entry);
    else ranges.push_back(entry);
  }
  if (days.empty()) days = "0123456";
  if (ranges.empty()) ranges.emplace_back("00:00-24:00");
  for (const auto& range : ranges) {
    const int begin = std::stoi(range.substr(0, 2)) * 60 + std::stoi(range.substr(3, 2));
    int end = std::stoi(range.substr(6, 2)) * 60 + std::stoi(range.substr(9, 2));
    if (end <= begin) end += 1440;
    for (const char d : days) {
      for (int at = begin; at < end; ++at) {
        if (at % 1440 == minute && (d - '0' + at / 1440) % 7 == day) return true;
      }
    }
  }
  return false;
}

enum class Found { kNo, kYes, kUnsure, kAbsent, kNoOfMany };

Found keyed(const std::vector<std::string>& wanted, const std::vector<std::string>& sent, bool loose) {
  const bool none = std::find(wanted.begin(), wanted.end(), "absent:") != wanted.end();
  if (sent.empty()) return none ? Found::kYes : Found::kAbsent;
  if (!loose && sent.size() > 1) return Found::kUnsure;
  for (const auto& value : sent) {
    for (const auto& w : wanted) {
      if (w.starts_with("re:") ? std::regex_match(value, std::regex(w.substr(3))) : w != "absent:" && w == value)
        return Found::kYes;
    }
  }
  return sent.size() > 1 ? Found::kNoOfMany : Found::kNo;
}

// "package.Service/Method", or "package.Service/*". A loose match looks only at the path.
Found call(const std::vector<std::string>& wanted, const RequestText& r, bool loose) {
  std::vector<std::string> types;
  for (const auto& [name, value] : r.headers) {
    if (name == "content-type") types.push_back(value);
  }
  bool slash = false;
  const auto segments = segmentsOf(r.path, slash);
  if (!loose &&
      (r.method != "POST" || types != std::vector<std::string>{"application/grpc"} || slash || segments.size() != 2))
    return Found::kAbsent;
  const auto first = r.path.find('/', 1);
  const std::string service = segments.empty() ? "" : segments[0];
  std::string method = first == std::string::npos ? "" : r.path.substr(first + 1);
  if (loose && method.ends_with('/')) method.pop_back();
  for (const auto& w : wanted) {
    const auto parts = split(w, '/');
    const auto same = [&](const std::string& a, const std::string& b) {
      return loose ? inLowerCase(a) == inLowerCase(b) : a == b;
    };
    if (same(parts[0], service) && (parts[1] == "*" || same(parts[1], method))) return Found::kYes;
  }
  return Found::kNo;
}

Found look(const std::string& field, const std::vector<std::string>& wanted, const RequestText& r, bool loose) {
  const auto any = [&](auto match) {
    return std::any_of(wanted.begin(), wanted.end(), match) ? Found::kYes : Found::kNo;
  };
  if (field == "method")
    return any([&](const auto& m) { return m == r.method || (loose && m == "GET" && r.method == "HEAD"); });
  if (field == "path") return any([&](const auto& p) { return pathMatches(p, r.path, loose); });
  if (field == "host") return any([&](const auto& h) { return hostMatches(h, r.host); });
  if (field == "hours") return hoursMatch(wanted, r.time) ? Found::kYes : Found::kNo;
  if (field == "source") return any([&](const auto& s) { return sourceMatches(s, r.source); });
  if (field == "grpc") return call(wanted, r, loose);
  if (field == "principal") {
    const Found found = any([&](const auto& p) { return callerMatches(p, r.principal); });
    const bool patterns =
        std::any_of(wanted.begin(), wanted.end(), [](const auto& p) { return p != "anyone" && p != "authenticated"; });
    const bool comparable =
        r.principal.empty() ? false : !isNamed(r.principal) || std::any_of(wanted.begin(), wanted.end(), isNamed);
    return found == Found::kNo && !comparable && patterns ? Found::kAbsent : found;
  }
  if (field == "jwt") return r.token ? Found::kYes : Found::kNo;
  if (field.starts_with("claim:")) {
    const Found found = keyed(wanted, r.groups, true);
    return found == Found::kNoOfMany ? Found::kNo : found;  // a list, not several values
  }
  const std::string key = field.substr(field.find(':') + 1);
  std::vector<std::string> sent;
  if (field.starts_with("header:")) {
    for (const auto& [name, value] : r.headers) {
      if (name == key) sent.push_back(value);
    }
  } else {
    for (const auto& pair : split(r.query, '&')) {
      const auto equals = pair.find('=');
      if (pair.substr(0, equals) == key) sent.push_back(equals == std::string::npos ? "" : pair.substr(equals + 1));
    }
  }
  return keyed(wanted, sent, loose);
}

bool applies(const RuleText& rule, const RequestText& r) {
  for (const auto& [field, values] : rule.fields) {
    const bool twin = field.starts_with("not_");
    // A deny matches loosely, an allow strictly, and a `not_` field the other way round.
    const Found found = look(twin ? field.substr(4) : field, values, r, twin ? rule.allow : !rule.allow);
    bool holds = false;
    if (!twin) holds = found == Found::kYes || (found == Found::kUnsure && !rule.allow);
    else holds = rule.allow ? found == Found::kNo : found != Found::kYes;
    if (!holds) return false;
  }
  return true;
}

std::string randomPattern(Random& random, bool principal) {
  std::string out = principal ? one(random, {"spiffe://example.org", "spiffe://other.org"}) : "";
  const size_t count = pick(random, 4) + (principal ? 1 : 0);
  const size_t rest = chance(random, 20) ? pick(random, 4) : count;
  for (size_t i = 0; i < count; ++i) {
    if (i == rest) out += "/**";
    out += '/';
    if (chance(random, 8)) out += principal ? one(random, {"*a", "*x"}) : one(random, {"*s", "*2", "*20y", "*0y"});
    else if (chance(random, 25)) out += principal || chance(random, 50) ? "*" : "{s" + std::to_string(i) + "}";
    else out += principal ? one(random, {"ns", "a", "b", "sa", "x", "z"}) : one(random, kSegments);
  }
  if (rest < count) return out + (principal || chance(random, 70) ? "" : "/");
  if (!principal && chance(random, 10)) return out + one(random, {"/**s", "/**2", "/**y"});
  if (chance(random, 35)) return out + "/**";
  if (!principal && (out.empty() || chance(random, 15))) out += '/';
  return out;
}

std::string quoted(const std::string& value) {
  if (value == "absent:") return "{\"absent\": true}";
  std::string escaped;
  for (const char c : value) escaped += c == '\\' || c == '"' ? std::string("\\") + c : std::string(1, c);
  return value.starts_with("re:") ? "{\"re\": \"" + escaped.substr(3) + "\"}" : "\"" + escaped + "\"";
}

std::string quotedList(const std::vector<std::string>& values) {
  std::string out;
  for (const auto& value : values) out += (out.empty() ? "\"" : ", \"") + value + "\"";
  return out;
}

std::string list(const std::vector<std::string>& values) {
  std::string out;
  for (const auto& value : values) out += (out.empty() ? "" : ", ") + quoted(value);
  return values.size() == 1 ? out : "[" + out + "]";
}

}  // namespace

identity::Principal principalOf(const std::string& id) {
  return id.empty() ? identity::Principal() : identity::principalWithId(id).value();
}

OwnedRequest::OwnedRequest(const RequestText& text) : text_(text), principal_(principalOf(text.principal)) {
  for (const auto& [name, value] : text_.headers) headers_.push_back({name, value});
  check.method = text_.method;
  check.scheme = "https";
  check.host = text_.host;
  check.path = text_.path;
  check.raw_path = text_.path;
  check.protocol = "HTTP/1.1";
  check.query = text_.query;
  check.headers = headers_;
  check.principal = &principal_;
  check.source = target::IpAddress::parse(text_.source).value();
  check.time_seconds = text_.time;
  if (!text_.token) return;
  identity::VerifiedJwt verified;
  if (!text_.groups.empty()) verified.claims = "\"groups\": [" + quotedList(text_.groups) + "]";
  verified.claims = "{" + verified.claims + "}";
  tokens_.push_back({"corp", policy::Token::create(std::move(verified)).value()});
  check.tokens = tokens_;
}

std::string RuleText::json() const {
  std::string out = std::string("{\"") + (allow ? "allow" : "deny") + "\": \"" + name + "\"";
  std::map<std::string, std::string> tables;
  for (const auto& [field, values] : fields) {
    const auto colon = field.find(':');
    if (field.ends_with("hours")) {
      const auto zone = std::string("\"zone\": \"") + values.back() + "\"";
      out += ", \"" + field + "\": {" + zone + ", \"at\": [" + quotedList({values.begin(), values.end() - 1}) + "]}";
    } else if (colon == std::string::npos) {
      out += ", \"" + field + "\": " + list(values);
    } else {
      std::string& table = tables[field.substr(0, colon)];
      table += (table.empty() ? "" : ", ") + ("\"" + field.substr(colon + 1) + "\": ") + list(values);
    }
  }
  if (audit_only) out += ", \"audit_only\": true";
  for (const auto& [field, table] : tables) out += ", \"" + field + "\": {" + table + "}";
  return out + "}";
}

RuleText randomRule(Random& random, int number) {
  RuleText rule;
  rule.policy = one(random, {"p", "q"});
  rule.name = "r" + std::to_string(number);
  rule.allow = chance(random, 65);
  const auto some = [&](const std::string& field, size_t percent, auto value) {
    for (const char* twin : {"", "not_"}) {
      if (!chance(random, *twin == 0 ? percent : percent / 5)) continue;
      auto& values = rule.fields[twin + field];
      for (size_t n = chance(random, 70) ? 1 : 2 + pick(random, chance(random, 3) ? 300 : 3); n > 0; --n)
        values.push_back(value());
    }
  };
  some("path", 85, [&]() -> std::string {
    return chance(random, 8) ? one(random, {"re:/(a|b)/[0-9]+", "re:/a.*", "re:/orders(/.*)?"})
                             : randomPattern(random, false);
  });
  some("principal", 60, [&]() -> std::string {
    if (chance(random, 20)) return one(random, {"anyone", "authenticated"});
    if (chance(random, 6)) return one(random, {"re:spiffe://example\\.org/.*", "re:.*"});
    if (chance(random, 15)) return one(random, kNames);
    return chance(random, 40) ? one(random, kPrincipals) : randomPattern(random, true);
  });
  some("method", 40, [&] { return one(random, kMethods); });
  some("host", 25, [&]() -> std::string {
    return chance(random, 10)   ? "re:[ab]\\.example\\.org"
           : chance(random, 40) ? one(random, {"*.example.org", "*.a.example.org"})
                                : one(random, kHosts);
  });
  some("source", 20, [&] {
    return one(random, {"10.0.0.0/8", "10.0.0.0/16", "10.1.2.3", "2001:db8::/32", "::ffff:10.0.0.1", "0.0.0.0/0"});
  });
  some("header:x-a", 15, [&] { return one(random, {"1", "2", "re:[0-9]", "absent:"}); });
  some("header:x-b", 8, [&] { return one(random, {"1", "2"}); });
  some("grpc", 8, [&] { return one(random, {"a.B/C", "a.B/*", "a.D/C"}); });
  some("query:k", 10, [&] { return one(random, {"v", "w", "", "absent:"}); });
  some("jwt", 8, [] { return "corp"; });
  some("claim:corp.groups", 12, [&] { return one(random, {"a", "b", "re:[bc]", "absent:"}); });
  some("hours", 10, [&] {
    return one(random, {"09:00-18:00", "22:30-06:15", "00:00-24:00", "mon-fri", "sat-mon", "wed"});
  });
  for (auto& [field, values] : rule.fields) {
    if (!field.ends_with("hours")) continue;
    values.resize(std::min<size_t>(values.size(), 3));
    values.emplace_back(one(random, {"UTC", "Etc/GMT-2"}));
  }
  if (rule.allow && !rule.fields.contains("principal")) rule.fields["principal"] = {"anyone"};
  return rule;
}

RequestText randomRequest(Random& random) {
  RequestText r;
  r.method = one(random, kMethods);
  for (size_t n = pick(random, 4); n > 0; --n) r.path += std::string("/") + one(random, kSegments);
  if (r.path.empty() || chance(random, 15)) r.path += "/";
  if (chance(random, 15)) {
    r.path = one(random, {"/a.B/C", "/a.B/D", "/a.D/C", "/A.b/c", "/a.B/C/", "/a.B", "/a.B/C/D"});
    if (chance(random, 70)) r.method = "POST";
    if (chance(random, 80)) r.headers.emplace_back("content-type", one(random, {"application/grpc", "text/plain"}));
    if (chance(random, 10)) r.headers.emplace_back("content-type", "application/grpc");
  }
  r.host = one(random, kHosts);
  r.source = one(random, kSources);
  if (chance(random, 85)) r.principal = one(random, kPrincipals);
  for (const char* name : {"x-a", "x-b"}) {
    for (size_t n = chance(random, 60) ? 1 : pick(random, 3); n > 0; --n)
      r.headers.emplace_back(name, one(random, {"1", "2", "z"}));
  }
  r.token = chance(random, 60);
  for (size_t n = r.token ? pick(random, 4) : 0; n > 0; --n) r.groups.emplace_back(one(random, {"a", "b", "c", "d"}));
  r.time += static_cast<int64_t>(pick(random, 14 * 86'400));
  for (size_t n = pick(random, 3); n > 0; --n)
    r.query += (r.query.empty() ? "" : "&") + std::string(one(random, {"k=v", "k=w", "k", "j=v"}));
  return r;
}

std::string rulesJson(const std::vector<RuleText>& rules) {
  std::map<std::string, std::string> policies;
  for (const auto& rule : rules) {
    std::string& text = policies[rule.policy];
    text += (text.empty() ? "" : ",\n") + rule.json();
  }
  std::string out;
  for (const auto& [name, text] : policies)
    out += (out.empty() ? "\"" : ", \"") + name + "\": {\"rules\": [" + text + "]}";
  return "{\"policies\": {" + out + "}}";
}

std::string obviousDecision(const std::vector<RuleText>& rules, const RequestText& request) {
  for (const bool allow : {false, true}) {
    const RuleText* first = nullptr;
    for (const auto& rule : rules) {
      if (rule.allow != allow || !applies(rule, request)) continue;
      if (first == nullptr || std::tie(rule.policy, rule.name) < std::tie(first->policy, first->name)) first = &rule;
    }
    if (first != nullptr) return std::string(allow ? "allow " : "deny ") + first->policy + "/" + first->name;
  }
  return "deny /default";
}

}  // namespace yett::test
