// Checks which keys signed a chain, and whether they are the expected ones.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/record.h"
#include "audit/verifier.h"

namespace yett::audit {

/// A checkpoint with a valid signature.
struct Signed {
  int64_t seq;
  std::string key, next_key;  ///< 32 bytes; `next_key`: the key it hands over to, or ""
  std::string hash;           ///< of the checkpoint, hex
};

/// Who began a log, as readable text: instance, SPIFFE ID and key, from the fields of its first record.
std::string writerOf(const Fields& fields);

/// Whether the key that a checkpoint names has signed it. `fields` are the checkpoint's; `before` is the hash that it
/// follows.
bool isSigned(const Fields& fields, std::string_view log_id, int64_t seq, std::string_view before);

/// Checks the checkpoints of a whole log, in order. Sets what `out` says of keys and signatures; "" or what is wrong.
std::string checkKeys(const std::vector<Signed>& checkpoints, const Expected& expected, Verification& out);

/// Checks that the checkpoint that was saved elsewhere is one of these. The log has the records from `out.first_seq` to
/// `out.last_seq`. "" or what is wrong; "" if none is expected.
std::string checkSaved(const std::vector<Signed>& checkpoints, const Expected& expected, const Verification& out);

}  // namespace yett::audit
