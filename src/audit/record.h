// What the audit log keeps: decisions, their outcomes, events. A record is a list of numbered fields, the same in the
// chain (CBOR map, keys ascending) and in the plain tables (columns); docs/audit.md lists them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::audit {

enum class Kind : uint8_t { kLog = 0, kDecision = 1, kOutcome = 2, kEvent = 3, kCheckpoint = 4, kHeartbeat = 5 };

/// Keys are below this.
inline constexpr size_t kMaxFields = 26;
/// No record has a larger number: no log gets this far in a thousand years.
inline constexpr int64_t kMaxSeq = int64_t{1} << 62;
inline constexpr size_t kSaltSize = 16;

/// The first record of a log file: who writes it.
struct LogRecord {
  int64_t time_micros = 0;
  std::string_view log_id;      ///< 16 bytes
  std::string_view instance;    ///< the name of the Yett that writes it
  std::string_view spiffe_id;   ///< its SPIFFE ID at the start, "" if it has none, or if it waits for one
  std::string_view public_key;  ///< 32 bytes, of the key that signs the log's checkpoints; "": nothing is signed
};

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
  std::string_view protocol;
  std::string_view source;  ///< the address of the socket's peer
};

struct OutcomeRecord {
  int status = 0;
  std::string_view upstream;
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  int64_t duration_micros = 0;
  std::string_view result;  ///< "complete", or why not
  std::string_view shadow;  ///< "allow" or "deny", and "policy/rule", if the shadow policy decides differently
};

/// The progress of a stream that is still open.
struct HeartbeatRecord {
  int64_t time_micros = 0;
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
};

struct EventRecord {
  int64_t time_micros = 0;
  std::string_view what;     ///< docs/audit.md lists them
  std::string_view subject;  ///< listener, file or configuration
  std::string_view detail;
  int64_t count = 1;
  // For an event caused by a caller, instead of `detail`; personal.
  std::string_view caller = {};  ///< its SPIFFE ID, if it had one
  std::string_view about = {};   ///< what was wrong, and the address it came from
};

/// The chain's head, signed.
struct CheckpointRecord {
  int64_t time_micros = 0;
  std::string_view public_key;     ///< 32 bytes
  std::string_view signature;      ///< 64 bytes, of checkpointMessage()
  std::string_view next_key = {};  ///< 32 bytes: the key that signs from here on; the signature covers it
};

/// A column of a plain table: its CBOR key, whether it is text, whether it is personal.
struct Column {
  const char* name;
  int key;
  bool text;
  bool personal = false;
};
/// The columns of a kind in key order, after `seq`; the key of a decision_seq is 2.
struct Layout {
  const char* table;
  const Column* columns;
  size_t count;
};
const Layout& layout(Kind kind);
/// The personal columns of events, which are in a separate table.
const Layout& callerLayout();

/// A record's fields without kind and seq, as CBOR key-value pairs. Empty and zero fields are left out. Personal fields
/// are separate: they enter the chain only as a commitment, so that erasing them does not break the chain.
struct Encoded {
  std::string fields;
  std::string personal;
  uint8_t entries = 0;
  uint8_t personal_entries = 0;
};
/// Each overwrites `out`.
void encode(const LogRecord& record, Encoded& out);
void encode(const DecisionRecord& record, Encoded& out);
void encode(const OutcomeRecord& record, Encoded& out);
void encode(const HeartbeatRecord& record, Encoded& out);
void encode(const EventRecord& record, Encoded& out);
void encode(const CheckpointRecord& record, Encoded& out);

/// The canonical bytes of a link: {0: kind, 1: seq, (2: decision_seq,) fields..., (25: commitment)}. `decision_seq`
/// only for outcomes and heartbeats, `commitment` only if there are personal fields: in decisions, and in events caused
/// by a caller.
void canonicalBytes(Kind kind, int64_t seq, int64_t decision_seq, std::string_view fields, uint8_t entries,
                    std::string_view commitment, std::string& out);

/// What a commitment hashes, after the salt: the personal fields as one CBOR map.
void personalBytes(std::string_view personal, uint8_t entries, std::string& out);

/// A link's fields by key, as views into its bytes.
struct Fields {
  std::array<std::string_view, kMaxFields> text{};
  std::array<int64_t, kMaxFields> number{};
};
/// False if the bytes are not in canonical form.
bool decode(std::string_view bytes, Fields& out);
/// Adds fields that encode() wrote. They are trusted.
void decodeFields(std::string_view fields, uint8_t entries, Fields& out);
/// Re-encodes a whole row as encode() did, from fields that decode() and decodeFields() filled.
void encodeRow(const Layout& layout, const Fields& fields, Encoded& out);
/// Re-encodes the personal columns of `fields` as encode() did.
void encodePersonal(const Layout& layout, const Fields& fields, Encoded& out);

}  // namespace yett::audit
