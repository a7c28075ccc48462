#include "audit/block_source.h"

namespace yett::audit {
namespace {

using Type = store::Statement::Type;

constexpr size_t kHashSize = sizeof(base::Sha256);

// An error about a block, with its place.
Error of(const std::string& which, const Error& error) {
  return Error{which + ": " + error.message};
}

}  // namespace

Result<std::vector<BlockHead>> BlockSource::heads(int64_t from) {
  // Without filter and body: selecting them would read them.
  auto rows =
      TRY(db_->prepare("SELECT first, last, decisions, time_min, time_max, late FROM blocks WHERE last >= ? "
                       "ORDER BY last"));
  rows.bind(1, from);
  std::vector<BlockHead> out;
  while (TRY(rows.step())) {
    for (int i = 0; i < 6; ++i) {
      if (rows.type(i) != Type::kInteger) return Error{"table `blocks` is damaged"};
    }
    if (!out.empty() && rows.integer(1) <= out.back().last) return Error{"table `blocks` is damaged"};
    out.push_back({.first = rows.integer(0),
                   .last = rows.integer(1),
                   .decisions = rows.integer(2),
                   .time_min = rows.integer(3),
                   .time_max = rows.integer(4),
                   .late = rows.integer(5)});
  }
  return out;
}

Result<std::string> BlockSource::filter(int64_t last) {
  auto row = TRY(db_->prepare("SELECT filter FROM blocks WHERE last = ?"));
  return TRY(row.bind(1, last).step()) ? std::string(row.text(0)) : std::string();
}

Result<std::optional<BlockData>> BlockSource::body(int64_t last) {
  auto row = TRY(db_->prepare("SELECT body FROM blocks WHERE last = ?"));
  if (!TRY(row.bind(1, last).step())) return std::optional<BlockData>();
  BlockData out;
  if (auto taken = out.take(std::string(row.text(0))); !taken)
    return of("the block that ends with record " + std::to_string(last), taken.error());
  return std::optional(std::move(out));
}

Result<std::optional<OpenBlock>> BlockSource::tail() {
  auto rows = TRY(db_->prepare("SELECT hash, bytes, last FROM tail ORDER BY last"));
  std::optional<OpenBlock> out;
  while (TRY(rows.step())) {
    const std::string_view hash = rows.text(0);
    const int64_t last = rows.integer(2);
    if (rows.type(0) != Type::kBlob || rows.type(1) != Type::kBlob || hash.size() != kHashSize + kSaltSize)
      return Error{"the open block: its row " + std::to_string(last) + " of table `tail` has no hash, or no bytes"};
    if (!out) out.emplace();
    else if (hash.substr(kHashSize) != out->seed) return Error{"the open block: its salts have two seeds"};
    out->hash = hash.substr(0, kHashSize);
    out->seed = hash.substr(kHashSize);
    if (auto taken = out->data.take(std::string(rows.text(1))); !taken) return of("the open block", taken.error());
    if (out->data.records().empty() || out->data.records().back().seq != last)
      return Error{"the open block: its row " + std::to_string(last) + " of table `tail` ends with another record"};
    out->ends.emplace_back(last, out->hash);
  }
  return out;
}

Result<std::pair<int64_t, std::string>> BlockSource::end() {
  for (const char* sql : {"SELECT last, hash FROM tail ORDER BY last DESC LIMIT 1",
                          "SELECT last, hash FROM blocks ORDER BY last DESC LIMIT 1"}) {
    auto row = TRY(db_->prepare(sql));
    if (!TRY(row.step())) continue;
    if (row.text(1).size() < kHashSize) return Error{"the hash of its last record is damaged"};
    return std::pair(row.integer(0), std::string(row.text(1).substr(0, kHashSize)));
  }
  return std::pair(int64_t{0}, std::string());
}

Result<int64_t> BlockSource::first() {
  auto row = TRY(db_->prepare("SELECT first FROM blocks ORDER BY last LIMIT 1"));
  if (TRY(row.step())) return row.integer(0);
  const auto open = TRY(tail());
  return open ? open->data.records().front().seq : 0;
}

Result<std::string> BlockSource::before(int64_t last) {
  if (last != 0) {
    auto row = TRY(db_->prepare("SELECT prev FROM blocks WHERE last = ?"));
    if (TRY(row.bind(1, last).step())) return std::string(row.text(0));
    return Error{"the block that ends with record " + std::to_string(last) + " is gone"};
  }
  auto row = TRY(db_->prepare("SELECT hash FROM blocks ORDER BY last DESC LIMIT 1"));
  if (TRY(row.step())) return std::string(row.text(0));
  return TRY(metaBytes(*db_, "before")).value_or("");
}

Result<std::optional<std::string>> metaBytes(store::Database& db, std::string_view name) {
  auto row = TRY(db.prepare("SELECT value FROM meta WHERE name = ?"));
  if (!TRY(row.bind(1, name).step())) return std::optional<std::string>();
  return std::optional(std::string(row.text(0)));
}

Result<std::optional<int64_t>> metaNumber(store::Database& db, std::string_view name) {
  auto row = TRY(db.prepare("SELECT value FROM meta WHERE name = ?"));
  if (!TRY(row.bind(1, name).step())) return std::optional<int64_t>();
  return std::optional(row.integer(0));
}

}  // namespace yett::audit
