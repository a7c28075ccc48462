// `yett log erase`: takes the personal fields out of records, and leaves the proof.
#include <algorithm>
#include <iostream>

#include "admin/admin_client.h"
#include "audit/erase.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/log.h"
#include "config/config.h"

namespace yett::cli {
namespace {

constexpr size_t kAtOnce = 20'000;  // records in one request to the running Yett

Result<std::vector<int64_t>> matching(const std::string& file, const audit::Query& query) {
  std::vector<int64_t> out;
  auto reader = TRY(audit::Reader::open(file));
  TRY(reader.each(query, [&](const audit::Row& row) {
    if (!row.erased) out.push_back(row.seq);
    return true;
  }));
  return out;
}

Status eraseHere(const audit::AuditConfig& config, const std::string& file, const std::vector<int64_t>& seqs,
                 const std::string& why) {
  auto chain = TRY(audit::ChainWriter::open(config));
  TRY(audit::erase(*chain, file, seqs, why));
  TRY(audit::eraseTraces(*chain));
  return chain->close();
}

Status eraseThere(const std::string& socket, const std::string& file, const std::vector<int64_t>& seqs,
                  const std::string& why) {
  for (size_t at = 0; at < seqs.size(); at += kAtOnce) {
    std::string list = "[";
    for (size_t i = at; i < std::min(seqs.size(), at + kAtOnce); ++i)
      list += (i > at ? "," : "") + std::to_string(seqs[i]);
    std::string body;
    json::ObjectWriter(body).field("file", file).field("why", why).raw("records", list + "]").end();
    TRY(admin::post(socket, "/audit/erase", body));
  }
  return {};
}

bool asksForEverything(const audit::Query& q) {
  return q.principal.empty() && q.id.empty() && q.path.empty() && !q.since && !q.until;
}

}  // namespace

int logErase(EraseOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  if (asksForEverything(options.query))
    return failed(Error{"say whose or which records: --principal, --path, --id, --since or --until"});
  audit::AuditConfig config;
  config.database = options.database;
  std::string socket;
  if (!options.config.empty()) {
    config::Problems problems(options.config);
    const auto whole = config::readConfig(options.config, problems);
    if (problems.any()) return failed(Error{problems.texts().front()});
    config = whole.audit;
    socket = whole.admin.socket;
  }
  std::vector<std::string> files = audit::closedFiles(config.database);
  files.push_back(config.database);
  int64_t count = 0;
  for (const auto& file : files) {
    auto seqs = matching(file, options.query);
    if (!seqs) return failed(seqs.error());
    count += static_cast<int64_t>(seqs.value().size());
    if (!options.yes || seqs.value().empty()) continue;
    // Whoever writes the chain must do it: the one that runs, or else this program.
    auto done = eraseHere(config, file, seqs.value(), options.why);
    if (!done && done.error().message.find("another process writes") != std::string::npos) {
      if (socket.empty())
        return failed(Error{"yett is running and writes this log: say -c FILE with its `admin.socket`, or stop it"});
      done = eraseThere(socket, file, seqs.value(), options.why);
    }
    if (!done) return failed(done.error());
  }
  if (options.yes) std::cout << count << " decisions have lost their personal fields; the chain says so and still verifies\n";
  else std::cout << count << " decisions would lose their personal fields, for good: say --yes to do it\n";
  return 0;
}

}  // namespace yett::cli
