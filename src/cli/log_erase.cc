// `yett log erase`: erases personal fields from records; the chain still verifies.
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "admin/admin_client.h"
#include "audit/erase.h"
#include "audit/log_files.h"
#include "audit/open_log.h"
#include "base/file.h"
#include "base/json.h"
#include "base/resources.h"
#include "base/text.h"
#include "cli/log.h"
#include "cli/policy_dir.h"
#include "config/config.h"
#include "store/database.h"

namespace yett::cli {
namespace {

constexpr size_t kAtOnce = 20'000;  // records per request to the running Yett

Result<std::vector<int64_t>> matching(const std::string& file, const audit::Query& query) {
  std::vector<int64_t> out;
  auto reader = TRY(audit::Reader::open(file));
  TRY(reader.each(query, [&](const audit::Row& row) {
    if (!row.erased) out.push_back(row.seq);
    return true;
  }));
  const auto events = TRY(reader.callerEvents(query));
  out.insert(out.end(), events.begin(), events.end());
  std::sort(out.begin(), out.end());
  return out;
}

Result<int64_t> eraseHere(const audit::AuditConfig& config, const std::string& file, const std::vector<int64_t>& seqs,
                          const std::string& why) {
  auto chain = TRY(audit::ChainWriter::open(config));
  const int64_t count = TRY(audit::erase(*chain, file, seqs, audit::eraseReason(why, base::userName(::getuid()))));
  TRY(audit::eraseTraces(*chain, file));
  TRY(chain->close());
  return count;
}

Result<int64_t> eraseThere(const std::string& socket, const std::string& file, const std::vector<int64_t>& seqs,
                           const std::string& why) {
  int64_t count = 0;
  size_t at = 0;
  do {  // even if empty: removes what an earlier attempt left in the write-ahead log
    std::string list = "[";
    for (size_t i = at; i < std::min(seqs.size(), at + kAtOnce); ++i)
      list += (i > at ? "," : "") + std::to_string(seqs[i]);
    std::string body;
    json::ObjectWriter(body).field("file", file).field("why", why).raw("records", list + "]").end();
    uint64_t erased = 0;
    base::parseUnsigned(TRY(admin::post(socket, "/audit/erase", body)), erased);
    count += static_cast<int64_t>(erased);
    at += kAtOnce;
  } while (at < seqs.size());
  return count;
}

// Without its key, a signed log would get an event that no signature covers.
Status checkKey(const audit::AuditConfig& config) {
  if (!config.key_file.empty()) return {};
  auto db = TRY(audit::openLog(config.database));
  if (!TRY(audit::lastCheckpoint(db))) return {};
  return Error{config.database +
               ": is signed: use -c FILE with its `audit.key_file`, so that the erasure is signed too"};
}

bool asksForEverything(const audit::Query& q) {
  return q.principal.empty() && !q.anonymous && q.id.empty() && q.path.empty() && q.host.empty() && q.source.empty() &&
         q.exactly.empty() && !q.since && !q.until;
}

}  // namespace

int logErase(EraseOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  if (asksForEverything(options.query))
    return failed(Error{"choose the records to erase: --principal, --path, --id, --since or --until"});
  audit::AuditConfig config;
  config.database = options.database;
  std::string socket;
  if (!options.config.empty()) {
    config::Problems problems(options.config);
    base::FileTrust trust(base::FileTrust::Mode::kWarn);
    const auto whole = config::readConfig(options.config, problems, trust);
    reportDoubts(trust);
    if (problems.any()) return failed(Error{problems.texts().front()});
    config = whole.audit;
    socket = whole.admin.socket;
  }
  if (config.hold && options.yes)
    return failed(Error{options.config + ": the log is on hold (`audit.hold`): nothing is erased"});
  if (audit::isClosedName(config.database))
    return failed(Error{config.database + ": rotation has closed this file: name the live log instead"});
  if (auto ok = checkKey(config); !ok && options.yes) return failed(ok.error());
  const auto lock = audit::RotationLock::shared(config.database);  // so that no record moves to another file meanwhile
  std::vector<std::string> files = audit::closedFiles(config.database);
  files.push_back(config.database);
  int64_t count = 0;
  for (const auto& file : files) {
    auto seqs = matching(file, options.query);
    if (!seqs) return failed(seqs.error());
    if (!options.yes) {
      count += static_cast<int64_t>(seqs.value().size());
      continue;
    }
    // Only the writer of the chain can erase: the running Yett if there is one, else this program.
    auto done = eraseHere(config, file, seqs.value(), options.why);
    if (!done && done.error().message.find("another process writes") != std::string::npos) {
      if (socket.empty())
        return failed(Error{"yett is running and writes this log: use -c FILE with its `admin.socket`, or stop it"});
      done = eraseThere(socket, file, seqs.value(), options.why);
    }
    if (!done) return failed(done.error());
    count += done.value();
  }
  if (options.yes)
    std::cout << count << " records have lost their personal fields; the chain records this and still verifies\n";
  else std::cout << count << " records would permanently lose their personal fields: add --yes to erase\n";
  return 0;
}

}  // namespace yett::cli
