#include "audit/writer.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <future>

#include "audit/policies.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/file_trust.h"
#include "base/text.h"
#include "base/turns.h"
#include "policy/recording.h"

namespace yett::audit {
namespace {

// This many records are added to the chain before their batch is complete, or this many for each in-flight request: if
// there are many, they wait for each other, not for the writer.
constexpr size_t kPiece = 192;
constexpr size_t kPieceForEach = 6;
constexpr base::Millis kRetry{100};
constexpr base::Millis kIdleWait{1000};
using Clock = base::BatchQueue::Clock;

// The header of each record in the queue.
struct Frame {
  uint64_t ticket;  // of an outcome: its decision's. A decision's own is its place in the queue.
  uint32_t size;
  uint32_t personal_size;
  Kind kind;
  uint8_t entries;
  uint8_t personal_entries;
};

}  // namespace

Writer::Writer(const AuditConfig& config, base::Metrics& metrics, WriterEvents events)
    : config_(config),
      queue_({config.queue_bytes, config.queue_records}),
      wal_(config.database),
      events_(std::move(events)),
      written_(metrics.counter("yett_audit_records_total", {}, "records written to the audit database")),
      failures_(metrics.counter("yett_audit_write_failures_total", {},
                                "how often writes to the audit log failed: requests got 503 until it recovered")),
      bytes_(
          metrics.counter("yett_audit_record_bytes_total", {}, "bytes of accepted records, before they are stored")) {
  metrics.gauge("yett_audit_queue_records", "records accepted but not committed yet", [this] {
    const uint64_t taken = taken_;
    return static_cast<int64_t>(queue_.pushed() - taken);
  });
  metrics.gauge("yett_audit_wal_bytes", "size of the audit database's write-ahead log",
                [this] { return wal_.bytes(); });
}

Result<std::unique_ptr<Writer>> Writer::open(const AuditConfig& config, base::Metrics& metrics, WriterEvents events) {
  std::unique_ptr<Writer> out(new Writer(config, metrics, std::move(events)));
  TRY(out->prepare());
  out->hold(config.hold);
  out->thread_ = std::thread([writer = out.get()] { writer->run(); });
  return out;
}

Writer::~Writer() {
  finish();
}

void Writer::finish() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

Status Writer::prepare() {
  std::string key;
  if (!config_.mask_key_file.empty()) key = TRY(base::readSecretFile(config_.mask_key_file, config_.trusted_owners));
  recording_ = policy::Recording(config_.recording, std::move(key));
  chain_ = TRY(ChainWriter::open(config_));
  if (auto* taken = chain_->taken(); taken != nullptr) queue_.countIn(taken->counter());
  retention_ = std::make_unique<Retention>(config_);
  TRY(retention_->keepClock(*chain_));
  return {};
}

// Up to a few milliseconds late, which does not matter here, but at a fifth of the cost.
static int64_t coarseNanos() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

bool Writer::slow() const {
  const int64_t since = writing_since_.load(std::memory_order_relaxed);
  return since != 0 && coarseNanos() - since > config_.commit_timeout.count() * 1'000'000;
}

uint64_t Writer::push(Kind kind, uint64_t ticket, const Encoded& encoded, bool force) {
  if (!force && !healthy()) return 0;
  thread_local std::string framed;
  const Frame frame{ticket,
                    static_cast<uint32_t>(encoded.fields.size()),
                    static_cast<uint32_t>(encoded.personal.size()),
                    kind,
                    encoded.entries,
                    encoded.personal_entries};
  framed.assign(reinterpret_cast<const char*>(&frame), sizeof frame);
  framed += encoded.fields;
  framed += encoded.personal;
  const uint64_t ticket_now = queue_.push(framed, force);
  if (ticket_now != 0) bytes_.add(static_cast<int64_t>(framed.size()));
  return ticket_now;
}

static Encoded& scratch() {
  thread_local Encoded out;
  return out;
}

uint64_t Writer::append(const DecisionRecord& record) {
  encode(record, scratch());
  return push(Kind::kDecision, 0, scratch(), false);
}

void Writer::append(uint64_t ticket, const OutcomeRecord& record) {
  encode(record, scratch());
  push(Kind::kOutcome, ticket, scratch(), true);
}

void Writer::append(uint64_t ticket, const HeartbeatRecord& record) {
  encode(record, scratch());
  push(Kind::kHeartbeat, ticket, scratch(), true);
}

uint64_t Writer::append(const EventRecord& record) {
  encode(record, scratch());
  return push(Kind::kEvent, 0, scratch(), true);
}

void Writer::appendPolicy(const std::string& digest, std::string document) {
  post({[digest, document = std::move(document)](ChainWriter& chain) { return addPolicy(chain, digest, document); },
        nullptr});
}

Status Writer::runOnChain(std::function<Status(ChainWriter&)> task) {
  std::promise<Status> done;
  auto result = done.get_future();
  post({std::move(task), [&done](Status status) { done.set_value(std::move(status)); }});
  return result.get();
}

void Writer::hold(bool on) {
  post({[on](ChainWriter& chain) { return chain.setHold(on); }, nullptr});
}

void Writer::checkpointSoon() {
  post({[](ChainWriter& chain) { return chain.checkpointSoon(), Status(); }, nullptr});
}

void Writer::post(Task task) {
  {
    const base::Lock lock(tasks_mutex_);
    if (!ended_) {
      tasks_.push_back(std::move(task));
      task = {};
    }
  }
  if (task.done) task.done(Error{"the audit log is closed"});
  queue_.wake();
}

void Writer::runTasks() {
  for (;;) {
    Task task;
    {
      const base::Lock lock(tasks_mutex_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    auto status = chain_->ready();
    if (status) status = task.run(*chain_);
    tell();
    if (status) recovered();
    if (task.done) {
      task.done(std::move(status));
    } else if (!status) {
      broke(status.error().message);
      const base::Lock lock(tasks_mutex_);
      tasks_.push_front(std::move(task));
      return;
    }
  }
}

bool Writer::tasksWait() {
  const base::Lock lock(tasks_mutex_);
  return !tasks_.empty();
}

void Writer::run() {
  bool busy = false;                           // with upkeep
  if (!config_.strict) base::Turns::take({});  // nobody waits for this thread
  for (;;) {
    const bool last = queue_.closed();
    if (piece_records_ == 0 && !busy) (void)queue_.await(kIdleWait);
    // In strict mode requests wait for the commit; records that arrive during it form the next batch.
    const auto until = Clock::now() + (config_.strict || busy ? base::Millis(0) : config_.batch_interval);
    if (piece_records_ == 0) piece_records_ = queue_.take(piece_, until, enough());
    beginTurn();
    writing_since_ = coarseNanos();
    moveIntoDatabase();
    writing_since_ = 0;  // tasks do not count: operators requested them, and an erasure may take long
    runTasks();
    const bool nothing = piece_records_ == 0;
    if (!nothing) {
      const int64_t began = coarseNanos();
      writing_since_ = began;
      write(until);
      writing_since_ = 0;
      const int64_t took = (coarseNanos() - began) / 1'000'000;
      if (took > config_.commit_timeout.count())
        warn("disk",
             Error{"one batch took " + std::to_string(took) + " ms: requests were answered with 503 meanwhile"});
      if (config_.strict) {  // meanwhile the waiting requests proceed
        writing_since_ = coarseNanos();
        moveIntoDatabase();
        writing_since_ = 0;
      }
      runTasks();
    }
    if (nothing && last) return endChain();
    if (nothing && chain_->checkpointDue()) (void)writeCheckpoint();  // if it fails, a later one will do
    busy = false;
    lookAtClock();
    if (!last && chain_->ready()) keepHouse(busy);
  }
}

// The writer leaves the CPU to the event loops from time to time, unless it falls behind.
void Writer::beginTurn() {
  constexpr double kBehind = 0.05;
  base::Turns::begin(queue_.fullness() < kBehind);
}

// How many records are enough for one piece of the current batch.
size_t Writer::enough() const {
  const size_t under_way = open_decisions_.size() - std::min(open_decisions_.size(), closed_.size());
  return std::min(std::max(kPiece, kPieceForEach * under_way), config_.batch_records - batch_records_);
}

// Writes what is queued. At shutdown, records that cannot be written are dropped, so that the program ends.
void Writer::write(Clock::time_point until) {
  auto ok = gather(until);
  for (int attempt = 0; !ok; ++attempt) {
    broke(ok.error().message);
    if (queue_.closed() && attempt >= 10) return giveUp(ok.error().message);
    std::this_thread::sleep_for(kRetry);
    ok = writeAgain();
  }
  YETT_CHECK(place_ == taken_ + batch_records_);
  taken_ += batch_records_;
  const size_t records = std::exchange(batch_records_, 0);
  recovered();
  if (config_.strict && events_.durable) events_.durable(taken_);
  written_.add(static_cast<int64_t>(records));
  written_since_look_ += records;
}

// Drops all remaining records at shutdown, and reports their number once.
void Writer::giveUp(const std::string& why) {
  size_t lost = std::exchange(batch_records_, 0);
  for (lost += std::exchange(piece_records_, 0);; lost += piece_records_) {
    piece_records_ = queue_.take(piece_, Clock::time_point());
    if (piece_records_ == 0) break;
  }
  open_decisions_.clear();
  place_ = taken_ = taken_ + lost;
  noteWritten();
  chain_->skip(static_cast<int64_t>(lost));
  gave_up_ = true;
  events_.failed(std::to_string(lost) + (lost == 1 ? " record is lost: " : " records are lost: ") + why);
}

// Commits the current piece and what arrives until then. Records are added to the chain as they arrive, so that the
// writer never occupies a CPU for long. At the end, a piece may be left over, which begins the next batch.
Status Writer::gather(Clock::time_point until) {
  base::freeIfOversized(batch_, batch_.size());
  batch_.assign(piece_);
  batch_records_ = std::exchange(piece_records_, 0);
  TRY(beginBatch());
  while (batch_records_ < config_.batch_records && Clock::now() < until) {
    piece_records_ = queue_.take(piece_, until, enough());
    beginTurn();
    if (piece_records_ == 0 || tasksWait() || !chain_->fits(static_cast<int64_t>(piece_records_))) break;
    batch_ += piece_;
    batch_records_ += std::exchange(piece_records_, 0);
    if (auto ok = addToChain(piece_); !ok) return undo(std::move(ok));
  }
  return commit(chain_->checkpointDue());
}

Status Writer::writeAgain() {
  TRY(beginBatch());
  return commit(chain_->checkpointDue());
}

Status Writer::beginBatch() {
  TRY(chain_->ready());
  TRY(chain_->begin(static_cast<int64_t>(batch_records_)));
  if (auto ok = addToChain(batch_); !ok) return undo(std::move(ok));
  return {};
}

Status Writer::writeCheckpoint() {
  TRY(chain_->ready());
  TRY(chain_->begin(1));
  return commit(true);
}

void Writer::endChain() {
  if (chain_->ready()) (void)retention_->keepClock(*chain_, true);
  if (chain_->signs() && chain_->unsignedRecords() > 0) (void)writeCheckpoint();
  if (auto ok = chain_->close(); !ok && !gave_up_) events_.failed(ok.error().message);
  refuseTasks();
}

void Writer::refuseTasks() {
  std::vector<Task> left;
  {
    const base::Lock lock(tasks_mutex_);
    ended_ = true;
    for (auto task = tasks_.begin(); task != tasks_.end();) {
      if (!task->done) {  // e.g. a policy's source: still written
        ++task;
        continue;
      }
      left.push_back(std::move(*task));
      task = tasks_.erase(task);
    }
  }
  for (auto& task : left) task.done(Error{"the audit log is closed"});
}

Status Writer::addToChain(std::string_view records) {
  while (!records.empty()) {
    Frame frame;
    std::memcpy(&frame, records.data(), sizeof frame);
    records.remove_prefix(sizeof frame);
    ++place_;
    YETT_CHECK(place_ > taken_ && place_ <= queue_.pushed());
    Entry entry{.kind = frame.kind,
                .fields = records.substr(0, frame.size),
                .entries = frame.entries,
                .personal = records.substr(frame.size, frame.personal_size),
                .personal_entries = frame.personal_entries};
    records.remove_prefix(frame.size + frame.personal_size);
    if (frame.kind == Kind::kOutcome || frame.kind == Kind::kHeartbeat) {
      const auto open = open_decisions_.find(frame.ticket);
      entry.decision_seq = open == open_decisions_.end() ? 0 : open->second;
      // Removed once the batch is committed, since the batch may have to be written again.
      if (frame.kind == Kind::kOutcome) closed_.push_back(frame.ticket);
    }
    const int64_t seq = TRY(chain_->add(entry));
    if (frame.kind == Kind::kDecision) open_decisions_[place_] = seq;
  }
  chain_->workAhead();
  return {};
}

Status Writer::commit(bool checkpoint) {
  if (checkpoint) {
    if (auto ok = chain_->addCheckpoint(); !ok) return undo(std::move(ok));
  }
  noteWritten();
  if (auto ok = chain_->commit(); !ok) return undo(std::move(ok));
  for (const uint64_t ticket : closed_) open_decisions_.erase(ticket);
  closed_.clear();
  tell();
  return {};
}

Status Writer::undo(Status why) {
  chain_->rollback();
  closed_.clear();
  place_ = taken_;
  noteWritten();
  return why;
}

void Writer::noteWritten() {
  if (auto* taken = chain_->taken(); taken != nullptr) taken->setWritten(place_);
}

}  // namespace yett::audit
