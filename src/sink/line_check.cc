#include "sink/line_check.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "audit/checkpoint.h"
#include "audit/erase.h"
#include "audit/record_keys.h"
#include "base/json.h"
#include "base/text.h"
#include "sink/record_line.h"

namespace yett::sink {
namespace {

using audit::Kind;

constexpr size_t kRecent = 65'536;  // more than any sink sends again
constexpr int kDepth = 200;         // for body values that policy read
constexpr int64_t kTell = 10'000;   // records
constexpr size_t kHash = sizeof(base::Sha256);
constexpr size_t kLogId = 16;

// Decodes a hex field; empty if it is missing. False if it is not hex.
bool hexOf(const json::Value* value, std::string& out) {
  out.clear();
  if (value == nullptr) return true;
  auto bytes = value->type == json::Value::Type::kString ? base::unhex(value->text) : Result<std::string>(Error{""});
  if (!bytes) return false;
  out = std::move(bytes).value();
  return true;
}

bool same(const json::Value& a, const json::Value& b) {
  using Type = json::Value::Type;
  if (a.type != b.type) return false;
  if (a.type == Type::kInt) return a.integer == b.integer;
  if (a.type == Type::kDouble) return a.number == b.number;
  if (a.boolean != b.boolean || a.text != b.text || a.items.size() != b.items.size() ||
      a.fields.size() != b.fields.size())
    return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!same(a.items[i], b.items[i])) return false;
  }
  for (size_t i = 0; i < a.fields.size(); ++i) {
    if (a.fields[i].first != b.fields[i].first || !same(a.fields[i].second, b.fields[i].second)) return false;
  }
  return true;
}

std::string at(int64_t seq, const std::string& what) {
  return "record " + std::to_string(seq) + ": " + what;
}

}  // namespace

// The parsed parts of a line.
struct LineCheck::Parts {
  json::Value line;
  std::string before, bytes, salt, personal, log_id;
  std::string hash;
  audit::Fields fields;
  Kind kind = Kind::kLog;
  int64_t seq = 0;
  bool erased = false;
};

// Checks that it follows the previous record.
std::string LineCheck::checkOrder(const Parts& p) {
  if (out_.records == 0) {
    out_.first_seq = p.seq;
    const bool begins = p.kind == Kind::kLog && p.before == std::string(kHash, '\0');
    if (!begins) out_.continues = base::hex(p.before);
    return {};
  }
  if (p.before != head_ || p.seq <= out_.last_seq)
    return at(p.seq, "it does not follow the record before it, " + std::to_string(out_.last_seq) +
                         ": one was removed, inserted or moved");
  if (p.seq != out_.last_seq + 1) ++out_.gaps;
  return {};
}

// Checks its personal fields against the commitment, and adds them to the other fields.
std::string LineCheck::checkPersonal(Parts& p) {
  const auto commitment = p.fields.text[audit::LinkKey::kCommitment];
  p.erased = !commitment.empty() && p.salt.empty();
  if (commitment.empty() || p.erased)
    return p.salt.empty() && p.personal.empty() ? "" : "it has personal fields without a commitment";
  if (base::view(hasher_.update(p.salt).update(p.personal).finish()) != commitment)
    return "its personal fields are not those that were recorded";
  audit::Fields personal;
  if (!audit::decode(p.personal, personal)) return "its personal fields are not in canonical form";
  const audit::Layout& layout = p.kind == Kind::kEvent ? audit::callerLayout() : audit::layout(p.kind);
  for (size_t i = 0; i < layout.count; ++i) {
    const auto key = static_cast<size_t>(layout.columns[i].key);
    if (layout.columns[i].personal) p.fields.text[key] = personal.text[key];
  }
  return {};
}

// Updates the state of the whole log.
std::string LineCheck::note(const Parts& p) {
  const auto& text = p.fields.text;
  if (p.kind == Kind::kLog) {
    const auto id = text[audit::LogKey::kLogId];
    if (!log_id_.empty() && id != log_id_) return "it begins another log than that of the records before it";
    log_id_ = id;
    out_.writer = audit::writerOf(p.fields);
  }
  if (p.kind == Kind::kCheckpoint) {
    if (log_id_.empty()) log_id_ = p.log_id;
    if (!audit::isSigned(p.fields, log_id_, p.seq, p.before)) return "its signature is invalid";
    checkpoints_.push_back({p.seq, std::string(text[audit::CheckpointKey::kPublicKey]),
                            std::string(text[audit::CheckpointKey::kNextKey]), base::hex(p.hash)});
  }
  if (p.kind == Kind::kEvent && text[audit::EventKey::kWhat] == audit::kErasedEvent)
    erased_by_events_ += p.fields.number[audit::EventKey::kCount];
  if (p.erased) ++out_.erased;
  return {};
}

std::string LineCheck::take(std::string_view text) {
  Parts p;
  auto parsed = json::parse(text, false, kDepth);
  if (!parsed) return "it is not JSON: " + parsed.error().message;
  p.line = std::move(parsed).value();
  const json::Value* proof = p.line.find("proof");
  if (proof == nullptr) return "it has no `proof`: set `proof` to true in the sink, which affects later records only";
  if (!hexOf(proof->find("prev"), p.before) || !hexOf(proof->find("bytes"), p.bytes) ||
      !hexOf(proof->find("salt"), p.salt) || !hexOf(proof->find("personal"), p.personal) ||
      !hexOf(p.line.find("log_id"), p.log_id) || p.before.size() != kHash)
    return "its `proof` is damaged";
  if (!audit::decode(p.bytes, p.fields)) return "the bytes in its `proof` are not a canonical record";
  const int64_t kind = p.fields.number[audit::LinkKey::kKind];
  p.seq = p.fields.number[audit::LinkKey::kSeq];
  if (kind < 0 || kind > static_cast<int64_t>(Kind::kHeartbeat) || p.seq <= 0)
    return "the bytes in its `proof` are not a canonical record";
  p.kind = static_cast<Kind>(kind);
  p.hash = base::view(hasher_.update(p.before).update(p.bytes).finish());
  const auto before = recent_.find(p.seq);
  const bool again = before != recent_.end() && before->second == p.hash;
  std::string wrong = again ? "" : checkOrder(p);
  if (!wrong.empty()) return wrong;
  wrong = checkPersonal(p);
  if (wrong.empty()) {
    const LineOf::Proof parts{p.before, p.bytes, p.salt, p.personal};
    const Record written = writeLine({p.seq, p.kind, &p.fields, p.erased, p.log_id, p.hash, &parts});
    auto should = json::parse(written.line, false, kDepth);
    if (written.line != text && (!should || !same(should.value(), p.line))) wrong = "its fields do not match its proof";
  }
  if (wrong.empty() && !again) wrong = note(p);
  if (!wrong.empty()) return at(p.seq, wrong);
  if (again) return {};
  ++out_.records;
  out_.last_seq = p.seq;
  head_ = p.hash;
  recent_.emplace(p.seq, p.hash);
  if (recent_.size() > kRecent) recent_.erase(recent_.begin());
  return {};
}

audit::Verification LineCheck::finish() {
  out_.head = base::hex(head_);
  const auto broken = [&](std::string what) {
    if (out_.broken.empty()) out_.broken = std::move(what);
  };
  if (out_.records == 0) broken("it contains no records");
  if (out_.erased > erased_by_events_)
    broken(std::to_string(out_.erased) +
           " records have lost their personal fields, but the events in these lines account for only " +
           std::to_string(erased_by_events_) + ": give the lines that follow these, too");
  broken(audit::checkKeys(checkpoints_, *expected_, out_));
  broken(audit::checkSaved(checkpoints_, *expected_, out_));
  if (!out_.broken.empty()) out_.authenticated = false;
  return out_;
}

Result<audit::Verification> verifyLines(const std::vector<std::string>& files, const audit::Expected& expected,
                                        const std::function<void(int64_t)>& progress) {
  LineCheck check(expected);
  int64_t records = 0;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return Error{file + ": " + std::strerror(errno)};
    std::string line;
    for (int64_t number = 1; std::getline(in, line); ++number) {
      const std::string wrong = in.eof() ? "it is cut off: it has no newline at the end" : check.take(line);
      if (!wrong.empty()) {
        audit::Verification out = check.finish();
        out.broken = file + ":" + std::to_string(number) + ": " + wrong;
        out.authenticated = false;
        return out;
      }
      if (++records % kTell == 0) progress(records);
    }
    if (in.bad()) return Error{file + ": cannot be read: " + std::strerror(errno)};
  }
  return check.finish();
}

}  // namespace yett::sink
