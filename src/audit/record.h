// What the audit log keeps: decisions, their outcomes, events. A record is a list of numbered fields, the same in the
// chain (CBOR map, keys ascending) and in the plain tables (columns); docs/audit.md lists them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::audit {

enum class Kind : uint8_t { kLog = 0, kDecision = 1, kOutcome = 2, kEvent = 3, kCheckpoint = 4 };

/// Most fields that a record has, kind and seq included.
inline constexpr size_t kMostFields = 22;

/// One decision, as the exchange knows it. Views: valid during the call that takes it.
struct DecisionRecord {
  std::string_view id;
  int64_t time_micros = 0;
  std::string_view listener, route, principal, method, host, path, raw_target;
  bool allow = false;
  std::string_view policy, rule, reason, errors, engine, policy_digest;
  bool cached = false;
  int64_t eval_nanos = 0;
  std::string_view reads;
  std::string_view would_deny;  ///< "policy/rule" of an audit_only deny that applies
};

struct OutcomeRecord {
  int status = 0;
  std::string_view upstream;
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  int64_t duration_micros = 0;
  std::string_view result;  ///< "complete", or why not
};

struct EventRecord {
  int64_t time_micros = 0;
  std::string_view what;  ///< "start", "stop", "reload accepted", "reload refused", "handshake failed", "bad request"
  std::string_view subject;  ///< listener, file or configuration
  std::string_view detail;
  int64_t count = 1;
};

/// The chain's head, signed.
struct CheckpointRecord {
  int64_t time_micros = 0;
  std::string_view public_key;  ///< 32 bytes
  std::string_view signature;   ///< 64 bytes, of checkpointMessage()
};

/// A column of a plain table: its CBOR key, and whether it is text.
struct Column {
  const char* name;
  int key;
  bool text;
};
/// The columns of a kind in key order, after `seq`; the key of an outcome's decision_seq is 2.
struct Layout {
  const char* table;
  const Column* columns;
  size_t count;
};
const Layout& layout(Kind kind);

/// A record's fields without kind and seq, as CBOR key-value pairs; `entries` counts them. Empty and zero fields are
/// left out.
void encode(const DecisionRecord& record, std::string& out, uint8_t& entries);
void encode(const OutcomeRecord& record, std::string& out, uint8_t& entries);
void encode(const EventRecord& record, std::string& out, uint8_t& entries);
void encode(const CheckpointRecord& record, std::string& out, uint8_t& entries);

/// The canonical bytes of a link: {0: kind, 1: seq, (2: decision_seq,) fields...}. `decision_seq` only for outcomes.
void canonicalBytes(Kind kind, int64_t seq, int64_t decision_seq, std::string_view fields, uint8_t entries,
                    std::string& out);

/// A link's fields by key, as views into its bytes.
struct Fields {
  std::array<std::string_view, kMostFields> text{};
  std::array<int64_t, kMostFields> number{};
};
/// False where the bytes are not in canonical form.
bool decode(std::string_view bytes, Fields& out);

}  // namespace yett::audit
