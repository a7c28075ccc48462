// Who signed a chain, and whether it is who was expected.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/record.h"
#include "audit/verifier.h"

namespace yett::audit {

/// A checkpoint whose signature is good.
struct Signed {
  int64_t seq;
  std::string key, next_key;  ///< 32 bytes; the next one where it hands over, or ""
  std::string hash;           ///< of the checkpoint, hex
};

/// Who began a log, for people: instance, SPIFFE ID and key, of the fields of its first record.
std::string writerOf(const Fields& fields);

/// The signature of a checkpoint, of the record after the hash `before`, is by the key that it names. `fields` are its
/// own.
bool isSigned(const Fields& fields, std::string_view log_id, int64_t seq, std::string_view before);

/// The checkpoints of a whole log, in order. Fills what is known of keys and signatures; "" or what is wrong.
std::string checkKeys(const std::vector<Signed>& checkpoints, const Expected& expected, Verification& out);

/// The checkpoint that was saved elsewhere is one of these, of a log with the records from `out.first_seq` to
/// `out.last_seq`. "" or what is wrong; "" where none is expected.
std::string checkSaved(const std::vector<Signed>& checkpoints, const Expected& expected, const Verification& out);

}  // namespace yett::audit
