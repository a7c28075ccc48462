#include "cli/eval.h"

#include <iostream>
#include <iterator>
#include <memory>
#include <span>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/policy_dir.h"
#include "cli/traces.h"
#include "config/object_reader.h"
#include "policy/attribute_reader.h"
#include "policy/decision.h"
#include "policy/policy_set.h"
#include "policy/recording.h"
#include "policy/rule_engine.h"
#include "runtime/check_input.h"

namespace yett::cli {
namespace {

Result<std::string> readAll(const std::string& file) {
  if (file != "-") return base::readFile(file);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

Result<std::unique_ptr<runtime::CheckInput>> inputOf(const EvalOptions& options, std::span<const std::string> owned) {
  if (options.request.empty() == options.http.empty()) return Error{"give either --request or --http"};
  if (!options.http.empty()) {
    const std::string message = TRY(readAll(options.http));
    return runtime::CheckInput::fromHttp(message, options.caller, owned);
  }
  const std::string text = TRY(readAll(options.request));
  auto parsed = json::parse(text, true);
  if (!parsed) return std::move(parsed).error().within(options.request);
  return runtime::CheckInput::fromJson(parsed.value(), owned);
}

void printJson(const policy::Decision& d, const std::string& reads, const std::vector<policy::RuleTrace>& traces) {
  std::string out;
  json::ObjectWriter w(out);
  w.field("effect", d.allow ? "allow" : "deny").field("policy", d.policy).field("rule", d.rule);
  w.field("reason", d.reason).field("public_reason", d.public_reason).field("errors", d.errors);
  if (!d.allow) w.field("status", d.status);
  if (!d.would_deny.empty()) w.field("would_deny", d.would_deny);
  w.field("eval_ns", d.eval_nanos).field("policy_digest", d.policy_digest).raw("reads", reads.empty() ? "{}" : reads);
  if (d.allow && d.obligations != nullptr) {
    std::string sets;
    json::ObjectWriter headers(sets);
    for (const auto& [name, value] : d.obligations->set_headers) headers.field(name, value);
    headers.end();
    w.raw("sets", sets);
  }
  if (!traces.empty()) {
    std::string list = "[";
    for (const auto& trace : traces) list += (list.size() > 1 ? "," : "") + traceJson(trace);
    w.raw("explain", list + "]");
  }
  w.end();
  std::cout << out << "\n";
}

void printText(const policy::Decision& d, const std::string& reads, const std::vector<policy::RuleTrace>& traces) {
  printTraces(traces, "");
  if (!traces.empty()) std::cout << "\n";
  std::cout << (d.allow ? "ALLOW" : "DENY") << " by ";
  if (d.policy.empty()) std::cout << d.rule;
  else std::cout << base::printable(d.policy) << ": " << base::printable(d.rule);
  if (!d.reason.empty()) std::cout << " (" << base::printable(d.reason) << ")";
  std::cout << "\n";
  if (!d.would_deny.empty()) std::cout << "would be denied by " << base::printable(d.would_deny) << " (audit_only)\n";
  if (!d.errors.empty()) std::cout << "errors: " << base::printable(d.errors) << "\n";
  if (!reads.empty()) std::cout << "read: " << reads << "\n";
  if (!d.allow || d.obligations == nullptr) return;
  for (const auto& [name, value] : d.obligations->set_headers)
    std::cout << "sets " << base::printable(name) << ": " << base::printable(value) << "\n";
  for (const auto& name : d.obligations->remove_headers) std::cout << "removes " << base::printable(name) << "\n";
}

}  // namespace

int eval(const EvalOptions& options) {
  config::Problems problems(options.policy.config);
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  Selected selected;
  const auto set = loadSelection(options.policy, selected, problems, trust);
  reportDoubts(trust);
  if (problems.any()) return reportProblems(problems);
  const auto input = inputOf(options, selected.ownedHeaders(*set));
  auto evaluator = policy::PolicyEvaluator::create(set);
  if (!input || !evaluator) {
    std::cerr << "yett: " << (!input ? input.error() : evaluator.error()).message << "\n";
    return 2;
  }
  policy::AttributeReader reader;
  policy::Decision decision;
  evaluator.value()->decide(input.value()->request(), reader, decision);
  const std::string reads = reader.readsJson(policy::Recording::plain());
  std::vector<policy::RuleTrace> traces;
  if (options.explain) evaluator.value()->explain(input.value()->request(), reader, traces);
  if (options.format == "json") printJson(decision, reads, traces);
  else printText(decision, reads, traces);
  return decision.allow ? 0 : 1;
}

void addEval(CLI::App& app, Action& action) {
  const auto o = std::make_shared<EvalOptions>();
  auto* command = app.add_subcommand("eval", "decide one request");
  addSelection(*command, o->policy);
  command->add_option("--request", o->request, "check request as JSON: a file or -");
  command->add_option("--http", o->http, "HTTP/1.1 request: a file or -");
  command->add_option("--principal", o->caller.principal, "with --http: the caller's SPIFFE ID");
  command->add_option("--source", o->caller.source, "with --http: the caller's address or address:port")
      ->capture_default_str();
  command->add_option("--destination", o->caller.destination, "with --http: the address where the connection arrived");
  command->add_option("--sni", o->caller.sni, "with --http: the server name of the TLS handshake");
  command->add_option("--scheme", o->caller.scheme, "with --http: https or http")->capture_default_str();
  command->add_option("--protocol", o->caller.protocol, "with --http: HTTP/1.1 or HTTP/2")->capture_default_str();
  command->add_flag("--forwarder", o->caller.forwarder, "with --http: the caller is one of `trusted_forwarders`");
  command->add_option("--time", o->caller.time_seconds, "with --http: seconds since 1970");
  command->add_flag("--explain", o->explain, "every rule, and why it applies or not");
  addFormat(*command, o->format, {"text", "json"});
  command->callback([o, command, &action] {
    action = [o, command] {
      for (const char* name :
           {"--principal", "--source", "--destination", "--sni", "--scheme", "--protocol", "--forwarder", "--time"}) {
        if (o->http.empty() && command->count(name) > 0) {
          std::cerr << "yett: " << name << " is for --http: in a --request write it as a field\n";
          return 2;
        }
      }
      return eval(*o);
    };
  });
}

}  // namespace yett::cli
