#include "cli/command.h"

#include <algorithm>
#include <iostream>
#include <set>

#include "audit/log_files.h"
#include "base/text.h"
#include "cli/log.h"
#include "identity/principal_id.h"
#include "target/canonical.h"
#include "target/cidr.h"
#include "target/segment_pattern.h"

namespace yett::cli {

int failed(const Error& error) {
  const std::string text = "yett: " + error.message;
  for (const auto line : base::split(text, '\n')) std::cerr << base::forTerminal(line) << "\n";
  return 2;
}

void addConfig(CLI::App& command, std::string& config) {
  command.add_option("-c,--config", config, "configuration file")->envname("YETT_CONFIG")->default_val("yett.json");
}

void addLogSource(CLI::App& command, LogSource& source) {
  addConfig(command, source.config);
  command.add_option("--log", source.named,
                     "audit database, instead of the configured one; repeat it for the files of one chain");
}

void addFormat(CLI::App& command, std::string& format, const std::vector<std::string>& known) {
  format = known.front();
  command.add_option("--format", format, base::joined(known, ", "))->check(CLI::IsMember(known))->capture_default_str();
}

void addTimes(CLI::App& command, std::string& since, std::string& until) {
  command.add_option("--since", since, "10m, \"2 hours ago\", today, monday, 2026-11-21T12:00:00Z (UTC)");
  command.add_option("--until", until, "as --since");
}

void addFilters(CLI::App& command, audit::Query& q, bool rules) {
  // An empty script variable must not match everybody.
  const auto filter = [&](const char* name, std::string& value, const char* help) {
    command.add_option(name, value, help)->check([](const std::string& text) {
      return text.empty() ? std::string("is empty: omit it to match everything") : std::string();
    });
  };
  command.add_option("--effect", q.effect, "allow or deny")->check(CLI::IsMember({"allow", "deny"}));
  filter("--principal", q.principal,
         "SPIFFE ID, a pattern as in policy (spiffe://example.org/ns/*/sa/{name}), or `anonymous`");
  filter("--method", q.method, "method");
  filter("--path", q.path, "canonical path, or a pattern as in policy: /orders/{id}, /secret/**");
  filter("--host", q.host, "host, without a port");
  filter("--source", q.source, "address of the caller");
  if (rules) filter("--policy", q.policy, "policy");
  if (rules) filter("--rule", q.rule, "rule; `default` for default denials");
  filter("--id", q.id, "decision id, or how it begins");
}

namespace {

// A text that ends with `*` inside of a segment: what begins so.
bool isPrefix(const std::string& text) {
  return text.size() > 1 && text.ends_with('*') && text[text.size() - 2] != '/' && text[text.size() - 2] != '*' &&
         text.find_first_of("*{") == text.size() - 1;
}

// The literal beginning of a pattern, and a `*`: where the log is looked through.
std::string beginningOf(const std::string& pattern) {
  const auto wild = pattern.find_first_of("*{");
  std::string out = pattern.substr(0, wild);
  if (pattern.substr(wild) == "**" && out.ends_with('/')) out.pop_back();  // /secret/** is /secret too
  return out + "*";
}

Status readPath(audit::Query& q) {
  if (q.path == "*") {  // the target of OPTIONS *
    q.exactly.emplace_back(audit::decisionColumn("path"), "*");
    q.path.clear();
    return {};
  }
  if (!q.path.starts_with('/')) return Error{"--path `" + q.path + "`: a path begins with `/`, so no record can match"};
  const bool prefix = isPrefix(q.path);
  if (!prefix && q.path.find_first_of("*{") != std::string::npos) {
    auto pattern = target::SegmentPattern::parsePath(q.path);
    if (!pattern) return std::move(pattern).error().within("--path `" + q.path + "`");
    q.path = beginningOf(pattern.value().text());
    q.path_fits = [pattern = std::move(pattern).value()](std::string_view path) { return pattern.matches(path); };
    return {};
  }
  // Letters that a request encodes.
  auto literal = target::canonicalLiteral(std::string_view(q.path).substr(0, q.path.size() - (prefix ? 1 : 0)));
  if (!literal)
    return Error{"--path `" + q.path + "` is not a path that a record can have: " + literal.error().message};
  q.path = literal.value() + (prefix ? "*" : "");
  return {};
}

// "dns:corp/host", "cn:corp/*".
Status readNamed(audit::Query& q) {
  std::string& text = q.principal;
  const auto slash = std::min(text.find('/'), text.size());
  if (!identity::isNamingAuthority(text.substr(0, slash)))
    return Error{"--principal `" + text + "`: write `dns:NAME/host.name`, `cn:NAME/name` or `cn:NAME/*`"};
  return {};
}

Status readPrincipal(audit::Query& q) {
  constexpr std::string_view kScheme = "spiffe://";
  if (identity::isNamed(q.principal)) return readNamed(q);
  if (q.principal == "anonymous") {
    q.principal.clear();
    q.anonymous = true;
    return {};
  }
  if (const auto end = q.principal.find('/', kScheme.size());
      q.principal.starts_with(kScheme)) {  // domains have no case
    const std::string domain = base::lowered(q.principal.substr(0, end));
    q.principal.replace(0, domain.size(), domain);
  }
  const std::string& text = q.principal;
  if (isPrefix(text) && kScheme.starts_with(text.substr(0, std::min(text.size() - 1, kScheme.size())))) return {};
  const auto slash = text.find('/', kScheme.size());
  if (!text.starts_with(kScheme) || text.size() == kScheme.size())
    return Error{"--principal `" + text +
                 "`: a caller is `anonymous` or begins with `spiffe://`, `dns:` or `cn:`, so no record can match"};
  if (text.find_first_of("*{") == std::string::npos) return {};
  if (slash == std::string::npos || text.find_first_of("*{") < slash)
    return Error{"--principal `" + text + "`: a trust domain is literal; patterns are for the path after it"};
  auto pattern = target::SegmentPattern::parseExact(text.substr(slash));
  if (!pattern) return std::move(pattern).error().within("--principal `" + text + "`");
  const std::string domain = text.substr(0, slash);
  q.principal = domain + beginningOf(pattern.value().text());
  q.principal_fits = [domain, pattern = std::move(pattern).value()](std::string_view id) {
    return id.starts_with(domain) && pattern.matches(id.substr(domain.size()));
  };
  return {};
}

// What people write, as records have it. What no record can match is an error, not an empty answer.
Status normalize(audit::Query& q) {
  if (!q.principal.empty()) TRY(readPrincipal(q));
  if (!q.path.empty()) TRY(readPath(q));
  q.host = base::lowered(q.host);
  if (q.host.find('/') != std::string::npos) return Error{"--host `" + q.host + "` is not a host name"};
  const auto colon = q.host.rfind(':');
  if (colon != std::string::npos && !q.host.ends_with(']'))
    return Error{"--host `" + q.host + "`: records have the host without its port, here `" + q.host.substr(0, colon) +
                 "`"};
  if (!q.source.empty()) {
    const auto address = target::IpAddress::parse(q.source);
    if (!address) return Error{"--source `" + q.source + "` is not an IP address"};
    q.source = address.value().text();
  }
  if (q.method != "" && std::any_of(q.method.begin(), q.method.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
    return Error{"--method `" + q.method + "`: methods are in upper case, so no record can match"};
  constexpr size_t kId = 36;
  if (q.id.empty()) return {};
  q.id = base::lowered(q.id);
  if (q.id.ends_with('*')) q.id.pop_back();
  if (q.id.empty() || q.id.size() > kId || q.id.find_first_not_of("0123456789abcdef-") != std::string::npos)
    return Error{"--id `" + q.id + "` is not a decision id, nor how one begins"};
  if (q.id.size() < kId) q.id += '*';
  return {};
}

}  // namespace

int withLogs(LogSource& source, audit::Query& query, const Action& then) {
  if (auto ok = normalize(query); !ok) return failed(ok.error());
  std::set<std::string> once;
  for (const auto& log : source.named) {
    if (!once.insert(log).second) return failed(Error{"--log " + log + " is given twice"});
    source.logs.push_back(audit::refTo(log));
  }
  if (source.named.empty()) {
    auto databases = databasesOf(source.config);
    if (!databases) return failed(databases.error());
    source.logs = std::move(databases).value();
  }
  return then();
}

}  // namespace yett::cli
