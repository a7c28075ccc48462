#include "audit/record.h"

#include "audit/cbor.h"

namespace yett::audit {
namespace {

constexpr Column kDecisionColumns[] = {
    {"id", 2, true},          {"time", 3, false},     {"listener", 4, true}, {"route", 5, true},
    {"principal", 6, true},   {"method", 7, true},    {"host", 8, true},     {"path", 9, true},
    {"raw_target", 10, true}, {"effect", 11, true},   {"policy", 12, true},  {"rule", 13, true},
    {"reason", 14, true},     {"errors", 15, true},   {"engine", 16, true},  {"policy_digest", 17, true},
    {"cached", 18, false},    {"eval_ns", 19, false}, {"reads", 20, true},   {"would_deny", 21, true}};
constexpr Column kOutcomeColumns[] = {{"decision_seq", 2, false}, {"status", 3, false},    {"upstream", 4, true},
                                      {"bytes_in", 5, false},     {"bytes_out", 6, false}, {"duration_us", 7, false},
                                      {"result", 8, true}};
constexpr Column kEventColumns[] = {
    {"time", 2, false}, {"what", 3, true}, {"subject", 4, true}, {"detail", 5, true}, {"count", 6, false}};

// Writes the fields that are there, and counts them.
class FieldWriter {
 public:
  FieldWriter(std::string& out, uint8_t& entries) : cbor_(out), entries_(entries) { entries_ = 0; }
  void text(int key, std::string_view value) {
    if (value.empty()) return;
    cbor_.integer(key);
    cbor_.text(value);
    ++entries_;
  }
  void number(int key, int64_t value) {
    if (value == 0) return;
    cbor_.integer(key);
    cbor_.integer(value);
    ++entries_;
  }

 private:
  CborWriter cbor_;
  uint8_t& entries_;
};

}  // namespace

const Layout& layout(Kind kind) {
  static constexpr Layout kNone{nullptr, nullptr, 0};
  static constexpr Layout kDecisions{"decisions", kDecisionColumns, std::size(kDecisionColumns)};
  static constexpr Layout kOutcomes{"outcomes", kOutcomeColumns, std::size(kOutcomeColumns)};
  static constexpr Layout kEvents{"events", kEventColumns, std::size(kEventColumns)};
  switch (kind) {
    case Kind::kDecision: return kDecisions;
    case Kind::kOutcome: return kOutcomes;
    case Kind::kEvent: return kEvents;
    case Kind::kCheckpoint:
    case Kind::kLog: break;
  }
  return kNone;
}

void encode(const DecisionRecord& r, std::string& out, uint8_t& entries) {
  FieldWriter w(out, entries);
  w.text(2, r.id);
  w.number(3, r.time_micros);
  w.text(4, r.listener);
  w.text(5, r.route);
  w.text(6, r.principal);
  w.text(7, r.method);
  w.text(8, r.host);
  w.text(9, r.path);
  w.text(10, r.raw_target);
  w.text(11, r.allow ? "allow" : "deny");
  w.text(12, r.policy);
  w.text(13, r.rule);
  w.text(14, r.reason);
  w.text(15, r.errors);
  w.text(16, r.engine);
  w.text(17, r.policy_digest);
  w.number(18, r.cached ? 1 : 0);
  w.number(19, r.eval_nanos);
  w.text(20, r.reads);
  w.text(21, r.would_deny);
}

void encode(const OutcomeRecord& r, std::string& out, uint8_t& entries) {
  FieldWriter w(out, entries);
  w.number(3, r.status);
  w.text(4, r.upstream);
  w.number(5, r.bytes_in);
  w.number(6, r.bytes_out);
  w.number(7, r.duration_micros);
  w.text(8, r.result);
}

void encode(const EventRecord& r, std::string& out, uint8_t& entries) {
  FieldWriter w(out, entries);
  w.number(2, r.time_micros);
  w.text(3, r.what);
  w.text(4, r.subject);
  w.text(5, r.detail);
  w.number(6, r.count);
}

void encode(const CheckpointRecord& r, std::string& out, uint8_t& entries) {
  FieldWriter w(out, entries);
  w.number(2, r.time_micros);
  w.text(3, r.public_key);
  w.text(4, r.signature);
}

void canonicalBytes(Kind kind, int64_t seq, int64_t decision_seq, std::string_view fields, uint8_t entries,
                    std::string& out) {
  CborWriter cbor(out);
  cbor.map(entries + 2u + (decision_seq > 0 ? 1u : 0u));
  cbor.integer(0);
  cbor.integer(static_cast<int64_t>(kind));
  cbor.integer(1);
  cbor.integer(seq);
  if (decision_seq > 0) {
    cbor.integer(2);
    cbor.integer(decision_seq);
  }
  out += fields;
}

bool decode(std::string_view bytes, Fields& out) {
  out = {};
  CborReader cbor(bytes);
  const uint64_t entries = cbor.map();
  int64_t before = -1;
  for (uint64_t i = 0; i < entries && cbor.ok(); ++i) {
    const int64_t key = cbor.integer();
    if (key <= before || key >= static_cast<int64_t>(kMostFields)) return false;
    before = key;
    if (cbor.nextIsText()) out.text[static_cast<size_t>(key)] = cbor.text();
    else out.number[static_cast<size_t>(key)] = cbor.integer();
  }
  return cbor.ok() && cbor.atEnd();
}

}  // namespace yett::audit
