#include "audit/record.h"

#include "audit/cbor.h"
#include "audit/record_keys.h"
#include "base/check.h"

namespace yett::audit {
namespace {

constexpr Column kDecisionColumns[] = {{"id", DecisionKey::kId, true},
                                       {"time", DecisionKey::kTime, false},
                                       {"listener", DecisionKey::kListener, true},
                                       {"route", DecisionKey::kRoute, true},
                                       {"principal", DecisionKey::kPrincipal, true, true},
                                       {"method", DecisionKey::kMethod, true},
                                       {"host", DecisionKey::kHost, true, true},
                                       {"path", DecisionKey::kPath, true, true},
                                       {"raw_target", DecisionKey::kRawTarget, true, true},
                                       {"effect", DecisionKey::kEffect, true},
                                       {"policy", DecisionKey::kPolicy, true},
                                       {"rule", DecisionKey::kRule, true},
                                       {"reason", DecisionKey::kReason, true, true},
                                       {"errors", DecisionKey::kErrors, true, true},
                                       {"engine", DecisionKey::kEngine, true},
                                       {"policy_digest", DecisionKey::kPolicyDigest, true},
                                       {"cached", DecisionKey::kCached, false},
                                       {"eval_ns", DecisionKey::kEvalNanos, false},
                                       {"reads", DecisionKey::kReads, true, true},
                                       {"would_deny", DecisionKey::kWouldDeny, true},
                                       {"protocol", DecisionKey::kProtocol, true},
                                       {"source", DecisionKey::kSource, true, true}};
constexpr Column kOutcomeColumns[] = {{"decision_seq", OutcomeKey::kDecisionSeq, false},
                                      {"status", OutcomeKey::kStatus, false},
                                      {"upstream", OutcomeKey::kUpstream, true},
                                      {"bytes_in", OutcomeKey::kBytesIn, false},
                                      {"bytes_out", OutcomeKey::kBytesOut, false},
                                      {"duration_us", OutcomeKey::kDurationMicros, false},
                                      {"result", OutcomeKey::kResult, true},
                                      {"shadow", OutcomeKey::kShadow, true}};
constexpr Column kEventColumns[] = {{"time", EventKey::kTime, false},
                                    {"what", EventKey::kWhat, true},
                                    {"subject", EventKey::kSubject, true},
                                    {"detail", EventKey::kDetail, true},
                                    {"count", EventKey::kCount, false}};
constexpr Column kCallerColumns[] = {{"caller", EventKey::kCaller, true, true},
                                     {"about", EventKey::kAbout, true, true}};
constexpr Column kHeartbeatColumns[] = {{"decision_seq", HeartbeatKey::kDecisionSeq, false},
                                        {"time", HeartbeatKey::kTime, false},
                                        {"bytes_in", HeartbeatKey::kBytesIn, false},
                                        {"bytes_out", HeartbeatKey::kBytesOut, false}};

// Writes the fields that are not empty, and counts them.
class FieldWriter {
 public:
  FieldWriter(std::string& out, uint8_t& entries) : cbor_(out), entries_(entries) { entries_ = 0; }
  void text(int key, std::string_view value) {
    if (value.empty()) return;
    cbor_.entry(key, value);
    ++entries_;
  }
  void number(int key, int64_t value) {
    if (value == 0) return;
    cbor_.entry(key, value);
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

void encode(const LogRecord& r, Encoded& out) {
  clear(out);
  FieldWriter w(out.fields, out.entries);
  w.number(LogKey::kTime, r.time_micros);
  w.text(LogKey::kLogId, r.log_id);
  w.text(LogKey::kInstance, r.instance);
  w.text(LogKey::kSpiffeId, r.spiffe_id);
  w.text(LogKey::kPublicKey, r.public_key);
}

void encode(const DecisionRecord& r, Encoded& out) {
  clear(out);
  FieldWriter w(out.fields, out.entries);
  FieldWriter personal(out.personal, out.personal_entries);
  w.text(DecisionKey::kId, r.id);
  w.number(DecisionKey::kTime, r.time_micros);
  w.text(DecisionKey::kListener, r.listener);
  w.text(DecisionKey::kRoute, r.route);
  personal.text(DecisionKey::kPrincipal, r.principal);
  w.text(DecisionKey::kMethod, r.method);
  personal.text(DecisionKey::kHost, r.host);
  personal.text(DecisionKey::kPath, r.path);
  personal.text(DecisionKey::kRawTarget, r.raw_target);
  w.text(DecisionKey::kEffect, r.allow ? "allow" : "deny");
  w.text(DecisionKey::kPolicy, r.policy);
  w.text(DecisionKey::kRule, r.rule);
  personal.text(DecisionKey::kReason, r.reason);
  personal.text(DecisionKey::kErrors, r.errors);
  w.text(DecisionKey::kEngine, r.engine);
  w.text(DecisionKey::kPolicyDigest, r.policy_digest);
  w.number(DecisionKey::kCached, r.cached ? 1 : 0);
  w.number(DecisionKey::kEvalNanos, r.eval_nanos);
  personal.text(DecisionKey::kReads, r.reads);
  w.text(DecisionKey::kWouldDeny, r.would_deny);
  w.text(DecisionKey::kProtocol, r.protocol);
  personal.text(DecisionKey::kSource, r.source);
}

void encodeRow(const Layout& layout, const Fields& fields, Encoded& out) {
  clear(out);
  FieldWriter plain(out.fields, out.entries);
  FieldWriter personal(out.personal, out.personal_entries);
  for (size_t i = 0; i < layout.count; ++i) {
    const Column& column = layout.columns[i];
    const auto key = static_cast<size_t>(column.key);
    FieldWriter& to = column.personal ? personal : plain;
    if (column.text) to.text(column.key, fields.text[key]);
    else to.number(column.key, fields.number[key]);
  }
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
  w.number(OutcomeKey::kStatus, r.status);
  w.text(OutcomeKey::kUpstream, r.upstream);
  w.number(OutcomeKey::kBytesIn, r.bytes_in);
  w.number(OutcomeKey::kBytesOut, r.bytes_out);
  w.number(OutcomeKey::kDurationMicros, r.duration_micros);
  w.text(OutcomeKey::kResult, r.result);
  w.text(OutcomeKey::kShadow, r.shadow);
}

void encode(const HeartbeatRecord& r, Encoded& out) {
  clear(out);
  FieldWriter w(out.fields, out.entries);
  w.number(HeartbeatKey::kTime, r.time_micros);
  w.number(HeartbeatKey::kBytesIn, r.bytes_in);
  w.number(HeartbeatKey::kBytesOut, r.bytes_out);
}

void encode(const EventRecord& r, Encoded& out) {
  clear(out);
  FieldWriter w(out.fields, out.entries);
  w.number(EventKey::kTime, r.time_micros);
  w.text(EventKey::kWhat, r.what);
  w.text(EventKey::kSubject, r.subject);
  w.text(EventKey::kDetail, r.detail);
  w.number(EventKey::kCount, r.count);
  FieldWriter personal(out.personal, out.personal_entries);
  personal.text(EventKey::kCaller, r.caller);
  personal.text(EventKey::kAbout, r.about);
}

void encode(const CheckpointRecord& r, Encoded& out) {
  clear(out);
  FieldWriter w(out.fields, out.entries);
  w.number(CheckpointKey::kTime, r.time_micros);
  w.text(CheckpointKey::kPublicKey, r.public_key);
  w.text(CheckpointKey::kSignature, r.signature);
  w.text(CheckpointKey::kNextKey, r.next_key);
}

void canonicalBytes(Kind kind, int64_t seq, int64_t decision_seq, std::string_view fields, uint8_t entries,
                    std::string_view commitment, std::string& out) {
  CborWriter cbor(out);
  cbor.map(entries + 2u + (decision_seq > 0 ? 1u : 0u) + (commitment.empty() ? 0u : 1u));
  cbor.entry(LinkKey::kKind, static_cast<int64_t>(kind));
  cbor.entry(LinkKey::kSeq, seq);
  if (decision_seq > 0) {
    cbor.entry(OutcomeKey::kDecisionSeq, decision_seq);
  }
  out += fields;
  if (commitment.empty()) return;
  cbor.integer(LinkKey::kCommitment);
  cbor.text(commitment);
}

void personalBytes(std::string_view personal, uint8_t entries, std::string& out) {
  CborWriter(out).map(entries);
  out += personal;
}

// Reads `entries` pairs; false if they are not in canonical form.
static bool decodePairs(CborReader& cbor, uint64_t entries, Fields& out) {
  int64_t before = -1;
  for (uint64_t i = 0; i < entries && cbor.ok(); ++i) {
    const int64_t key = cbor.integer();
    if (key <= before || key >= static_cast<int64_t>(kMaxFields)) return false;
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

namespace {

// The head of an item that CborWriter wrote: its form is not checked.
struct Head {
  unsigned major;
  uint64_t value;
};
Head takeHead(const unsigned char*& at) {
  const unsigned first = *at++;
  const unsigned info = first & 31;
  uint64_t value = info;
  if (info >= 24) {
    const unsigned bytes = 1u << (info - 24);
    value = 0;
    for (unsigned i = 0; i < bytes; ++i) value = value << 8 | *at++;
  }
  return {first >> 5, value};
}

}  // namespace

void decodeFields(std::string_view fields, uint8_t entries, Fields& out) {
  const auto* at = reinterpret_cast<const unsigned char*>(fields.data());
  for (unsigned i = 0; i < entries; ++i) {
    const size_t key = takeHead(at).value;
    const Head item = takeHead(at);
    if (item.major == 2 || item.major == 3) {
      out.text[key] = {reinterpret_cast<const char*>(at), item.value};
      at += item.value;
    } else {
      out.number[key] = static_cast<int64_t>(item.major == 0 ? item.value : ~item.value);
    }
  }
  YETT_CHECK(at == reinterpret_cast<const unsigned char*>(fields.data()) + fields.size());
}

}  // namespace yett::audit
