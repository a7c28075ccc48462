#include "admin/admin_pages.h"

namespace yett::admin {
namespace {

// "ok" or what is wrong; with `?verbose`, one line per condition.
Page probe(const std::vector<Condition>& conditions, const char* fine, bool verbose) {
  Page out;
  std::string lines;
  std::string wrong;
  for (const auto& condition : conditions) {
    const bool holds = condition.wrong.empty();
    lines += (holds ? "[+] " : "[-] ") + condition.name + (holds ? "" : ": " + condition.wrong) + "\n";
    if (!holds) wrong += condition.wrong + "\n";
  }
  if (!wrong.empty()) out.status = 503;
  out.body = verbose         ? lines + (wrong.empty() ? std::string(fine) + "\n" : "")
             : wrong.empty() ? std::string(fine) + "\n"
                             : wrong;
  return out;
}

}  // namespace

bool isCommand(std::string_view target) {
  return target == "/audit/erase" || target == "/reload" || target == "/drain" || target == "/log-level";
}

Page pageFor(const AdminContent& content, bool trusted, std::string_view method, std::string_view target) {
  if (method != "GET" && method != "HEAD") return {405, "text/plain", "only GET\n"};
  const auto question = target.find('?');
  const auto path = target.substr(0, question);
  const auto query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  const bool verbose = query == "verbose" || query.starts_with("verbose=");
  if (path == "/healthz") return probe(content.live(), "ok", verbose);
  if (path == "/readyz") return probe(content.ready(), "ready", verbose);
  if (path == "/startupz")
    return content.started() ? Page{200, "text/plain", "started\n"} : Page{503, "text/plain", "starting\n"};
  if (path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", content.metrics()};
  if (path == "/version") return {200, "application/json", content.version()};
  if (trusted && path == "/status") return {200, "application/json", content.status()};
  if (trusted && path == "/policies") return {200, "application/json", content.policies()};
  if (trusted && path == "/clusters") return {200, "application/json", content.clusters()};
  if (trusted && path == "/config") return {200, "application/json", content.config()};
  return {404, "text/plain",
          "no such page: /healthz /readyz /startupz /metrics /version" +
              std::string(trusted ? " /status /policies /clusters /config\n" : "\n")};
}

}  // namespace yett::admin
