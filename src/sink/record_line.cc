#include "sink/record_line.h"

#include "audit/record_keys.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

namespace yett::sink {
namespace {

using audit::Kind;

constexpr const char* kKinds[] = {"log", "decision", "outcome", "event", "checkpoint", "heartbeat"};

// A record's own fields. `reads` is JSON already.
void writeFields(const audit::Fields& fields, const audit::Layout& layout, json::ObjectWriter& w, Record& out) {
  for (size_t i = 0; i < layout.count; ++i) {
    const std::string_view name = layout.columns[i].name;
    const auto key = static_cast<size_t>(layout.columns[i].key);
    const int64_t number = fields.number[key];
    const std::string_view text = fields.text[key];
    if (!layout.columns[i].text) {
      if (name == "time") out.time = number;
      if (name == "time") w.field("time", base::formatTime(out.time));
      else if (name == "cached") w.flag(name, number != 0);
      else w.field(name, number);
      continue;
    }
    if (name == "effect") out.effect = text;
    if (name == "reads" && !text.empty()) w.rawOrText(name, text);
    else if (!text.empty()) w.field(name, text);
  }
}

void hexField(json::ObjectWriter& w, std::string_view name, std::string_view bytes) {
  if (!bytes.empty()) w.field(name, base::hex(bytes));
}

void textField(json::ObjectWriter& w, std::string_view name, std::string_view text) {
  if (!text.empty()) w.field(name, text);
}

void writeCheckpoint(const LineOf& of, json::ObjectWriter& w, Record& out) {
  using audit::CheckpointKey;
  const audit::Fields& fields = *of.fields;
  out.time = fields.number[CheckpointKey::kTime];
  w.field("time", base::formatTime(out.time));
  w.field("log_id", base::hex(of.log_id));  // the signature covers it
  w.field("public_key", base::hex(fields.text[CheckpointKey::kPublicKey]));
  w.field("signature", base::hex(fields.text[CheckpointKey::kSignature]));
  hexField(w, "next_key", fields.text[CheckpointKey::kNextKey]);
}

void writeLog(const audit::Fields& fields, json::ObjectWriter& w, Record& out) {
  using audit::LogKey;
  out.time = fields.number[LogKey::kTime];
  w.field("time", base::formatTime(out.time)).field("log_id", base::hex(fields.text[LogKey::kLogId]));
  textField(w, "instance", fields.text[LogKey::kInstance]);
  textField(w, "spiffe_id", fields.text[LogKey::kSpiffeId]);
  hexField(w, "public_key", fields.text[LogKey::kPublicKey]);
}

void writeProof(const LineOf::Proof& proof, json::ObjectWriter& w) {
  std::string json;
  json::ObjectWriter p(json);
  p.field("prev", base::hex(proof.before)).field("bytes", base::hex(proof.bytes));
  hexField(p, "salt", proof.salt);
  hexField(p, "personal", proof.personal);
  p.end();
  w.raw("proof", json);
}

}  // namespace

Record writeLine(const LineOf& of) {
  const audit::Fields& fields = *of.fields;
  Record out{of.seq, 0, kKinds[static_cast<size_t>(of.kind)], "", ""};
  json::ObjectWriter w(out.line);
  w.field("seq", of.seq).field("kind", out.kind);
  const audit::Layout& layout = audit::layout(of.kind);
  if (layout.table != nullptr) writeFields(fields, layout, w, out);
  if (of.kind == Kind::kEvent) {
    textField(w, "caller", fields.text[audit::EventKey::kCaller]);
    textField(w, "about", fields.text[audit::EventKey::kAbout]);
  }
  if (of.erased) w.flag("erased", true);
  if (of.kind == Kind::kCheckpoint) writeCheckpoint(of, w, out);
  if (of.kind == Kind::kLog) writeLog(fields, w, out);
  w.field("hash", base::hex(of.hash));
  if (of.proof != nullptr) writeProof(*of.proof, w);
  w.end();
  return out;
}

}  // namespace yett::sink
