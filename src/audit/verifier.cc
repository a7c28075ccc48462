#include "audit/verifier.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <thread>

#include "audit/block_source.h"
#include "audit/chain_check.h"
#include "audit/chain_writer.h"
#include "audit/erase.h"
#include "audit/key_check.h"
#include "audit/open_log.h"
#include "audit/policies.h"
#include "audit/reader.h"
#include "audit/retention.h"
#include "audit/side_tables.h"
#include "base/text.h"
#include "store/database.h"

namespace yett::audit {
namespace {

constexpr size_t kMinShare = 8;  // minimum of blocks per thread

// A file, and what all its stretches share.
struct File {
  LogRef ref;
  std::unique_ptr<store::Database> db;  // one snapshot, also of a log that is being written
  std::string log_id;
  std::string wrong;   // what is wrong with its schema
  bool begun = false;  // it has rows
  std::vector<StretchOf> parts;
  std::vector<StretchResult> stretches;
};

// Checks the stretches of one file, each on its own thread with its own connection.
Status checkParallel(File& file, const std::function<void(int64_t)>& progress) {
  file.stretches.resize(file.parts.size());
  std::vector<Status> results(file.parts.size());
  std::atomic<int64_t> done{0};
  std::vector<std::thread> workers;
  const auto check = [&](size_t i) -> Status {
    auto db = TRY(openLog(file.ref));
    TRY(db.execute("BEGIN"));
    file.stretches[i] = TRY(checkStretch(db, file.parts[i], file.log_id, [&](int64_t more) {
      const int64_t all = done += more;
      if (i == 0) progress(all);
    }));
    return {};
  };
  for (size_t i = 0; i < file.parts.size(); ++i) workers.emplace_back([&, i] { results[i] = check(i); });
  for (auto& worker : workers) worker.join();
  for (auto& result : results) TRY(std::move(result));
  return {};
}

// Checks that an event in the chain, in the same file or a later one, names each decision that was erased.
Result<std::string> checkErased(const std::vector<File>& files, int64_t& count) {
  std::map<int64_t, StretchResult::Named> events;
  for (const auto& file : files) {
    for (const auto& s : file.stretches) {
      for (const auto& event : s.events) {
        if (event.subject == kErasedEvent) events.emplace(event.seq, event);
      }
    }
  }
  // The rows must be exactly those that the event names. They may be in one file only; after a crash all or none are
  // there.
  std::map<int64_t, std::vector<int64_t>> by_event;
  std::vector<int64_t> named;
  for (const auto& file : files) {
    auto rows = TRY(file.db->prepare("SELECT event_seq, seq FROM erased ORDER BY event_seq, seq"));
    while (TRY(rows.step())) {
      if (rows.type(0) != store::Statement::Type::kInteger)
        return "record " + std::to_string(rows.integer(1)) +
               ": its row in table `erased` has a column of the wrong type";
      by_event[rows.integer(0)].push_back(rows.integer(1));
      named.push_back(rows.integer(1));
    }
  }
  for (auto& [seq, seqs] : by_event) {
    std::sort(seqs.begin(), seqs.end());
    const auto event = events.find(seq);
    if (event == events.end())
      return "record " + std::to_string(seqs.front()) +
             ": table `erased` names an event that is not in the chain, or "
             "that no checkpoint covers (if this file is one of several: give all files of the log)";
    if (seqs.back() >= seq || static_cast<int64_t>(seqs.size()) != event->second.count ||
        erasedDigest(seqs) != event->second.detail)
      return "record " + std::to_string(seq) + ": table `erased` names other records than those that were erased";
  }
  std::sort(named.begin(), named.end());
  for (const auto& file : files) {
    for (const auto& s : file.stretches) {
      count += static_cast<int64_t>(s.erased.size());
      for (const int64_t seq : s.erased) {
        if (!std::binary_search(named.begin(), named.end(), seq))
          return "record " + std::to_string(seq) +
                 ": its personal fields are gone, but no event that a checkpoint covers says that they were erased";
      }
    }
  }
  return std::string();
}

// An event that excuses missing data counts only if a later checkpoint covers it, and if it is not in a range that a
// start found unsigned. A log without any checkpoint is consistent at best.
void dropUncovered(std::vector<File>& files, Verification& out) {
  int64_t signed_seq = 0;
  std::vector<std::pair<int64_t, int64_t>> unsigned_tails;
  for (const auto& file : files) {
    for (const auto& s : file.stretches) {
      for (const auto& c : s.checkpoints) signed_seq = std::max(signed_seq, c.seq);
      for (const auto& event : s.events) {
        if (event.subject == kSigningEvent) out.signing_begins = event.seq;
        if (event.subject == kKeyEvent) out.key_breaks = event.seq;
        uint64_t from = 0;
        uint64_t to = 0;
        const auto blank = event.detail.find(' ');
        if (event.subject == kUnsignedEvent && blank != std::string::npos &&
            base::parseUnsigned(event.detail.substr(0, blank), from) &&
            base::parseUnsigned(event.detail.substr(blank + 1), to))
          unsigned_tails.emplace_back(from, to);
      }
    }
  }
  if (out.key_breaks > signed_seq) out.key_breaks = 0;  // nothing is signed after it
  if (signed_seq == 0) return;
  for (auto& file : files) {
    for (auto& s : file.stretches) {
      std::erase_if(s.events, [&](const StretchResult::Named& event) {
        if (event.subject != kErasedEvent && event.subject != kRetentionEvent) return false;
        return event.seq > signed_seq ||
               std::any_of(unsigned_tails.begin(), unsigned_tails.end(),
                           [&](const auto& tail) { return event.seq >= tail.first && event.seq <= tail.second; });
      });
    }
  }
}

// Checks a file's beginning: if retention deleted records, its first link must follow one that an event names.
std::string checkBeginning(const File& file, const std::vector<File>& all, const std::string& before,
                           Verification& out) {
  const StretchResult& first = file.stretches.front();
  const std::string prev = base::hex(first.first_prev);
  std::string named;  // the hash before the first link, if an event names it as the last deleted one
  int64_t through = 0;
  for (const auto& any : all) {
    for (const auto& s : any.stretches) {
      for (const auto& event : s.events) {
        if (event.subject != kRetentionEvent || !event.detail.starts_with("through ")) continue;
        const auto space = event.detail.find(' ', 8);
        uint64_t seq = 0;
        if (space == std::string::npos || !base::parseUnsigned(event.detail.substr(8, space - 8), seq)) continue;
        through = std::max(through, static_cast<int64_t>(seq));
        if (event.detail.substr(space + 1) == prev) named = prev;
      }
    }
  }
  for (const auto& s : file.stretches) {
    for (const auto& event : s.events) {
      if (event.subject == kPolicyEvent && event.seq > through)
        return "record " + std::to_string(event.seq) + ": the source of policy " + event.detail + " is missing";
    }
  }
  if (!before.empty()) {
    if (before != prev)
      return "record " + std::to_string(first.first_seq) + ": it does not follow the last record of the previous file";
    return {};
  }
  if (first.begins_log && prev == std::string(64, '0')) return {};
  // If retention was interrupted, it has deleted less than it announced.
  if (!named.empty() || first.first_seq <= through) {
    out.deleted_through = first.first_seq - 1;
    return {};
  }
  if (!first.begins_log)
    return "record " + std::to_string(first.first_seq) +
           ": the log does not begin with its first record, but no event that a checkpoint covers says why";
  out.continues = prev;
  return {};
}

Result<Verification> join(std::vector<File>& files, const Expected& expected) {
  Verification out;
  for (const auto& file : files) {
    if (!file.wrong.empty()) return out.broken = file.ref.path + ": its schema was changed: " + file.wrong, out;
  }
  dropUncovered(files, out);
  // Yett may have stopped between closing a file and writing the first record of the next.
  if (files.size() > 1 && !files.back().begun) files.pop_back();
  std::vector<Signed> checkpoints;
  std::string before;
  const auto broken = [&](std::string what) {
    if (out.broken.empty()) out.broken = std::move(what);
  };
  for (auto& file : files) {
    store::Database& db = *file.db;
    if (file.stretches.empty()) return out.broken = "the log has no first record", out;
    for (size_t i = 0; i < file.stretches.size(); ++i) {
      StretchResult& s = file.stretches[i];
      if (i > 0) {
        if (s.first_seq != out.last_seq + 1) ++out.gaps;
        if (s.records > 0 && base::hex(s.first_prev) != before)
          broken("record " + std::to_string(s.first_seq) +
                 ": it does not follow the record before it: one was removed, inserted or moved");
      } else {
        if (out.records == 0) out.first_seq = s.first_seq;
        else if (s.first_seq != out.last_seq + 1) ++out.gaps;
        if (s.broken.empty() && s.records == 0) broken(file.ref.path + ": the log has no first record");
        else if (s.records > 0) broken(checkBeginning(file, files, before, out));
      }
      broken(s.broken);
      if (!s.writer.empty()) out.writer = s.writer;
      out.records += s.records;
      out.gaps += s.gaps;
      if (s.records > 0) out.last_seq = s.last_seq;
      before = s.head;
      checkpoints.insert(checkpoints.end(), s.checkpoints.begin(), s.checkpoints.end());
      if (!out.broken.empty()) return out;
    }
    if (const std::string wrong = TRY(checkSideTables(db, out.last_seq, file.stretches.front().first_prev));
        !wrong.empty())
      broken(file.ref.path + ": " + wrong);
  }
  out.head = before;
  broken(TRY(checkErased(files, out.erased)));
  broken(checkKeys(checkpoints, expected, out));
  broken(checkSaved(checkpoints, expected, out));
  if (!out.broken.empty()) out.authenticated = false;
  return out;
}

// Divides the blocks of a file among threads. The last one also gets the open block.
Status divide(File& file, unsigned threads) {
  std::vector<int64_t> ends;
  auto rows = TRY(file.db->prepare("SELECT last FROM blocks ORDER BY last"));
  while (TRY(rows.step())) ends.push_back(rows.integer(0));
  const size_t shares = std::clamp<size_t>(ends.size() / kMinShare, 1, threads);
  int64_t from = INT64_MIN;
  for (size_t i = 1; i < shares; ++i) {
    const int64_t to = ends[ends.size() * i / shares];
    file.parts.push_back({from, to, false});
    from = to + 1;
  }
  file.parts.push_back({from, INT64_MAX, true});
  return {};
}

Result<File> openFile(const LogRef& ref) {
  File out{.ref = ref};
  Judged judged = TRY(openToJudge(ref));
  out.db = std::make_unique<store::Database>(std::move(judged.db));
  out.wrong = std::move(judged.wrong);
  out.begun = judged.has_rows;
  if (!out.begun) return out;
  if (auto id = TRY(metaBytes(*out.db, "log_id"))) out.log_id = *id;
  return out;
}

// A clean end returns leased numbers. While the log is being written, and after a crash, there is a write-ahead log. If
// numbers are leased but it is missing, the file was not closed.
Result<bool> wasNotClosed(File& file, int64_t last) {
  if (!file.begun || !file.wrong.empty()) return false;
  if (::access((file.ref.path + "-wal").c_str(), F_OK) == 0) return false;
  return TRY(metaNumber(*file.db, "lease")).value_or(0) > last;
}

Status checkFile(File& file, unsigned threads, const std::function<void(int64_t)>& progress) {
  if (!file.begun) return {};
  TRY(divide(file, threads));
  if (file.parts.size() > 1) return checkParallel(file, progress);
  int64_t done = 0;
  file.stretches.push_back(
      TRY(checkStretch(*file.db, file.parts[0], file.log_id, [&](int64_t more) { progress(done += more); })));
  return {};
}

}  // namespace

Result<Verification> verify(const std::vector<LogRef>& databases, const Expected& expected, unsigned threads,
                            const std::function<void(int64_t)>& progress) {
  // If the log is being written, each thread sees a different snapshot. If they find something wrong, one thread checks
  // again in a single snapshot, and names the first problem.
  for (const unsigned share : {std::max(1u, threads), 1u}) {
    std::vector<File> files;
    for (const auto& path : databases) files.push_back(TRY(openFile(path)));
    for (auto& file : files) TRY(checkFile(file, share, progress));
    Verification out = TRY(join(files, expected));
    out.not_closed = !files.empty() && TRY(wasNotClosed(files.back(), out.last_seq));
    if (out.broken.empty() || share == 1) return out;
  }
  return Error{"not reached"};
}

}  // namespace yett::audit
