#include "memory/remembered_db.h"

#include "base/file.h"
#include "base/file_trust.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/units.h"
#include "memory/memory_schema.h"

namespace yett::memory {
namespace {

constexpr int64_t kApplicationId = 0x59657474;  // "Yett"
constexpr size_t kQueueRecords = 20'000;
constexpr size_t kQueueBytes = 32 << 20;
constexpr size_t kMinKey = 32;  // bytes of a secret
constexpr base::Millis kWait{1000};
constexpr base::Millis kGather{200};

void frame(std::string& out, std::string_view part) {
  const auto size = static_cast<uint32_t>(part.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size).append(part);
}

std::string_view unframe(std::string_view& rest) {
  uint32_t size = 0;
  rest.copy(reinterpret_cast<char*>(&size), sizeof size);
  const auto out = rest.substr(sizeof size, size);
  rest.remove_prefix(sizeof size + size);
  return out;
}

}  // namespace

std::string programDigest() {
  auto bytes = base::readFile("/proc/self/exe", size_t{1} << 30);
  return bytes ? base::sha256Hex(bytes.value()) : "";
}

RememberedDb::RememberedDb(const CacheConfig& config, std::string key, base::Metrics& metrics)
    : config_(config),
      key_(std::move(key)),
      program_(programDigest()),
      queue_({kQueueBytes, kQueueRecords}),
      refused_(metrics.counter("yett_remembered_rows_refused_total", {},
                               "rows of the database of remembered results that failed authentication")) {}

Result<std::string> usableCacheKey(std::string key, const std::string& path) {
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
  if (key.size() >= kMinKey) return key;
  return Error{path + ": a key must have at least " + std::to_string(kMinKey) +
               " bytes: create one with `yett certs init` or `openssl rand -hex 32`"};
}

Result<std::unique_ptr<RememberedDb>> RememberedDb::open(const CacheConfig& config, base::Metrics& metrics) {
  std::string key =
      TRY(usableCacheKey(TRY(base::readSecretFile(config.key_file, config.trusted_owners)), config.key_file));
  std::unique_ptr<RememberedDb> out(new RememberedDb(config, std::move(key), metrics));
  if (out->program_.empty()) return Error{"cannot read the running program, whose digest authenticates the rows"};
  {
    const base::Lock lock(out->mutex_);
    TRY(out->prepare());
  }
  out->thread_ = std::thread([db = out.get()] { db->run(); });
  return out;
}

RememberedDb::~RememberedDb() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

Status RememberedDb::prepare() {
  db_ = std::make_unique<store::Database>(TRY(store::Database::open(config_.database, store::Database::Mode::kWrite)));
  TRY(checkOurs());
  TRY(db_->migrate({kMemorySchema1}));
  TRY(db_->execute("PRAGMA synchronous=NORMAL; PRAGMA application_id=" + std::to_string(kApplicationId)));
  store::Statement check = TRY(db_->prepare("PRAGMA quick_check(1)"));
  if (!TRY(check.step()) || check.text(0) != "ok")
    return Error{config_.database + ": is damaged: delete it; it contains only cached results"};
  return {};
}

// Refuses the file of another application: a database that is not empty must have our id and only our table.
Status RememberedDb::checkOurs() {
  store::Statement id = TRY(db_->prepare("PRAGMA application_id"));
  store::Statement tables = TRY(db_->prepare("SELECT count(*) FROM sqlite_master"));
  if (!TRY(id.step()) || !TRY(tables.step())) return Error{config_.database + ": cannot be read"};
  store::Statement others = TRY(db_->prepare(
      "SELECT count(*) FROM sqlite_master WHERE NOT (tbl_name = 'remembered' AND type IN ('table', 'index'))"));
  if (!TRY(others.step())) return Error{config_.database + ": cannot be read"};
  if ((id.integer(0) == kApplicationId && others.integer(0) == 0) || tables.integer(0) == 0) return {};
  return Error{config_.database + ": is a database of something else: choose another file"};
}

std::string RememberedDb::proof(std::string_view context, std::string_view engine, std::string_view key,
                                std::string_view value) const {
  std::string all;
  for (const auto part : {context, engine, key, value}) frame(all, part);
  return std::string(base::view(base::hmacSha256(key_, all)));
}

std::shared_ptr<const policy::RememberedStore> RememberedDb::storeFor(const std::string& policy_digest) {
  const auto hash = base::Sha256Hasher().update(policy_digest).update("\n").update(program_).finish();
  const std::string context(base::view(hash));
  auto out = std::make_shared<policy::RememberedStore>();
  out->load = [this, context](std::string_view engine, const auto& each) { load(context, engine, each); };
  out->keep = [this, context](std::string_view engine, std::string_view key, std::string_view value) {
    std::string row;
    for (const auto part : {std::string_view(context), engine, key, value}) frame(row, part);
    queue_.push(row);  // dropped if the queue is full
  };
  return out;
}

void RememberedDb::dropOthers(const std::string& policy_digest) {
  const auto hash = base::Sha256Hasher().update(policy_digest).update("\n").update(program_).finish();
  const base::Lock lock(mutex_);
  auto drop = db_->prepare("DELETE FROM remembered WHERE context <> ?");
  if (!drop) return;
  drop.value().bindBlob(1, base::view(hash));
  (void)drop.value().run();
}

void RememberedDb::load(const std::string& context, std::string_view engine,
                        const std::function<void(std::string_view, std::string_view)>& each) {
  const base::Lock lock(mutex_);
  auto rows =
      db_->prepare("SELECT key, value, proof FROM remembered WHERE context = ? AND engine = ? ORDER BY rowid DESC");
  if (!rows) return;
  rows.value().bindBlob(1, context).bind(2, engine);
  for (;;) {
    const auto more = rows.value().step();
    if (!more || !more.value()) return;
    const std::string key(rows.value().text(0)), value(rows.value().text(1));
    if (rows.value().text(2) == proof(context, engine, key, value)) each(key, value);
    else refused_.add();
  }
}

Status RememberedDb::write(std::string_view batch) {
  const base::Lock lock(mutex_);
  TRY(db_->execute("BEGIN"));
  store::Statement insert = TRY(db_->prepare("INSERT OR REPLACE INTO remembered VALUES (?, ?, ?, ?, ?)"));
  int64_t count = 0;
  while (!batch.empty()) {
    const auto context = unframe(batch), engine = unframe(batch), key = unframe(batch), value = unframe(batch);
    const std::string mac = proof(context, engine, key, value);
    insert.bindBlob(1, context).bind(2, engine).bindBlob(3, key).bindBlob(4, value).bindBlob(5, mac);
    if (auto ok = insert.run(); !ok) {
      (void)db_->execute("ROLLBACK");
      return ok;
    }
    ++count;
  }
  // Keeps the newest rows: twice what a worker remembers.
  store::Statement prune =
      TRY(db_->prepare("DELETE FROM remembered WHERE rowid <= (SELECT max(rowid) FROM remembered) - ?"));
  prune.bind(1, static_cast<int64_t>(config_.entries) * 2);
  if (count > 0) TRY(prune.run());
  TRY(db_->execute("COMMIT"));
  db_->checkpointPassive();
  return {};
}

void RememberedDb::run() {
  std::string batch;
  while (!queue_.closed() || queue_.records() > 0) {
    if (queue_.take(batch, kWait, kGather) == 0) continue;
    // A failure loses rows, which only costs time.
    if (auto ok = write(batch); !ok) {
      const base::Lock lock(mutex_);
      (void)db_->execute("ROLLBACK");
    }
  }
}

}  // namespace yett::memory
