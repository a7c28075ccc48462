#include "audit/record.h"

#include "audit/cbor.h"

namespace yett::audit {
namespace {

constexpr Column kDecisionColumns[] = {{"id", 2, true},
                                       {"time", 3, false},
                                       {"listener", 4, true},
                                       {"route", 5, true},
                                       {"principal", 6, true, true},
                                       {"method", 7, true},
                                       {"host", 8, true, true},
                                       {"path", 9, true, true},
                                       {"raw_target", 10, true, true},
                                       {"effect", 11, true},
                                       {"policy", 12, true},
                                       {"rule", 13, true},
                                       {"reason", 14, true, true},
                                       {"errors", 15, true, true},
                                       {"engine", 16, true},
                                       {"policy_digest", 17, true},
                                       {"cached", 18, false},
                                       {"eval_ns", 19, false},
                                       {"reads", 20, true, true},
                                       {"would_deny", 21, true},
                                       {"protocol", 22, true},
                                       {"source", 23, true, true}};
constexpr Column kOutcomeColumns[] = {{"decision_seq", 2, false}, {"status", 3, false},    {"upstream", 4, true},
                                      {"bytes_in", 5, false},     {"bytes_out", 6, false}, {"duration_us", 7, false},
                                      {"result", 8, true},        {"shadow", 9, true}};
constexpr Column kEventColumns[] = {
    {"time", 2, false}, {"what", 3, true}, {"subject", 4, true}, {"detail", 5, true}, {"count", 6, false}};
constexpr Column kCallerColumns[] = {{"caller", 7, true, true}, {"about", 8, true, true}};
constexpr Column kHeartbeatColumns[] = {
    {"decision_seq", 2, false}, {"time", 3, false}, {"bytes_in", 4, false}, {"bytes_out", 5, false}};

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
  static constexpr Layout kHeartbeats{"heartbeats", kHeartbeatColumns, std::size(kHeartbeatColumns)};
  switch (kind) {
    case Kind::kDecision: return kDecisions;
    case Kind::kOutcome: return kOutcomes;
    case Kind::kEvent: return kEvents;
    case Kind::kHeartbeat: return kHeartbeats;
    case Kind::kCheckpoint:
    case Kind::kLog: break;
  }
  return kNone;
}

const Layout& callerLayout() {
  static constexpr Layout kCallers{"event_callers", kCallerColumns, std::size(kCallerColumns)};
  return kCallers;
}

static void clear(Encoded& out) {
  out.fields.clear();
  out.personal.clear();
  out.entries = out.personal_entries = 0;
}

void encode(const DecisionRecord& r, Encoded& out) {
  clear(out);
  FieldWriter w(out.fields, out.entries);
  FieldWriter personal(out.personal, out.personal_entries);
  w.text(2, r.id);
  w.number(3, r.time_micros);
  w.text(4, r.listener);
  w.text(5, r.route);
  personal.text(6, r.principal);
  w.text(7, r.method);
  personal.text(8, r.host);
  personal.text(9, r.path);
  personal.text(10, r.raw_target);
  w.text(11, r.allow ? "allow" : "deny");
  w.text(12, r.policy);
  w.text(13, r.rule);
  personal.text(14, r.reason);
  personal.text(15, r.errors);
  w.text(16, r.engine);
  w.text(17, r.policy_digest);
  w.number(18, r.cached ? 1 : 0);
  w.number(19, r.eval_nanos);
  personal.text(20, r.reads);
  w.text(21, r.would_deny);
  w.text(22, r.protocol);
  personal.text(23, r.source);
}

void encodePersonal(const Layout& layout, const Fields& fields, Encoded& out) {
  clear(out);
  FieldWriter personal(out.personal, out.personal_entries);
  for (size_t i = 0; i < layout.count; ++i) {
    const Column& column = layout.columns[i];
    if (column.personal) personal.text(column.key, fields.text[static_cast<size_t>(column.key)]);
  }
}

void encode(const OutcomeRecord& r, Encoded& out) {
  clear(out);
  FieldWriter w(out.fields, out.entries);
  w.number(3, r.status);
  w.text(4, r.upstream);
  w.number(5, r.bytes_in);
  w.number(6, r.bytes_out);
  w.number(7, r.duration_micros);
  w.text(8, r.result);
  w.text(9, r.shadow);
}

void encode(const HeartbeatRecord& r, Encoded& out) {
  clear(out);
  FieldWriter w(out.fields, out.entries);
  w.number(3, r.time_micros);
  w.number(4, r.bytes_in);
  w.number(5, r.bytes_out);
}

void encode(const EventRecord& r, Encoded& out) {
  clear(out);
  FieldWriter w(out.fields, out.entries);
  w.number(2, r.time_micros);
  w.text(3, r.what);
  w.text(4, r.subject);
  w.text(5, r.detail);
  w.number(6, r.count);
  FieldWriter personal(out.personal, out.personal_entries);
  personal.text(7, r.caller);
  personal.text(8, r.about);
}

void encode(const CheckpointRecord& r, Encoded& out) {
  clear(out);
  FieldWriter w(out.fields, out.entries);
  w.number(2, r.time_micros);
  w.text(3, r.public_key);
  w.text(4, r.signature);
  w.text(5, r.next_key);
}

void canonicalBytes(Kind kind, int64_t seq, int64_t decision_seq, std::string_view fields, uint8_t entries,
                    std::string_view commitment, std::string& out) {
  CborWriter cbor(out);
  cbor.map(entries + 2u + (decision_seq > 0 ? 1u : 0u) + (commitment.empty() ? 0u : 1u));
  cbor.integer(0);
  cbor.integer(static_cast<int64_t>(kind));
  cbor.integer(1);
  cbor.integer(seq);
  if (decision_seq > 0) {
    cbor.integer(2);
    cbor.integer(decision_seq);
  }
  out += fields;
  if (commitment.empty()) return;
  cbor.integer(kCommitmentKey);
  cbor.text(commitment);
}

void personalBytes(std::string_view personal, uint8_t entries, std::string& out) {
  CborWriter(out).map(entries);
  out += personal;
}

// Reads `entries` pairs; false where they are not in canonical form.
static bool decodePairs(CborReader& cbor, uint64_t entries, Fields& out) {
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

bool decode(std::string_view bytes, Fields& out) {
  out = {};
  CborReader cbor(bytes);
  const uint64_t entries = cbor.map();
  return decodePairs(cbor, entries, out);
}

void decodeFields(std::string_view fields, uint8_t entries, Fields& out) {
  CborReader cbor(fields);
  decodePairs(cbor, entries, out);
}

}  // namespace yett::audit
