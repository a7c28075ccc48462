#include "audit/key_check.h"

#include <algorithm>

#include "audit/checkpoint.h"
#include "audit/record_keys.h"

namespace yett::audit {

std::string writerOf(const Fields& fields) {
  std::string out(fields.text[LogKey::kInstance]);
  const auto add = [&](std::string_view what) { (out += out.empty() ? "" : ", ") += what; };
  if (const auto id = fields.text[LogKey::kSpiffeId]; !id.empty()) add(id);
  if (const auto key = fields.text[LogKey::kPublicKey]; !key.empty()) add("key " + keyId(key));
  return out;
}

bool isSigned(const Fields& fields, std::string_view log_id, int64_t seq, std::string_view before) {
  const auto key = fields.text[CheckpointKey::kPublicKey];
  const auto next = fields.text[CheckpointKey::kNextKey];
  return key.size() == 32 && (next.empty() || next.size() == 32) &&
         verifySignature(key, checkpointMessage(log_id, seq, before, next), fields.text[CheckpointKey::kSignature]);
}

// The expected key is trusted, and each key that a trusted key handed over to.
std::string checkKeys(const std::vector<Signed>& checkpoints, const Expected& expected, Verification& out) {
  std::vector<std::string> trusted;
  if (!expected.public_key.empty()) trusted.push_back(expected.public_key);
  const auto isTrusted = [&](const std::string& key) {
    return std::find(trusted.begin(), trusted.end(), key) != trusted.end();
  };
  bool last = false;
  for (const auto& c : checkpoints) {
    if (const std::string id = keyId(c.key); std::find(out.keys.begin(), out.keys.end(), id) == out.keys.end())
      out.keys.push_back(id);
    last = isTrusted(c.key);
    if (last && !c.next_key.empty()) {
      trusted.push_back(c.next_key);
      std::erase(trusted, c.key);  // what it signs after handing over does not count
    }
    ++out.checkpoints;
    out.signed_seq = c.seq;
  }
  if (!expected.public_key.empty() && checkpoints.empty())
    return "no checkpoint: nothing in this log is signed by " + keyId(expected.public_key);
  // The last checkpoint covers all earlier ones, whoever signed those.
  if (!expected.public_key.empty() && !checkpoints.empty() && !last)
    return "record " + std::to_string(checkpoints.back().seq) + ": it is a checkpoint by another key, " +
           keyId(checkpoints.back().key) + ", not by the expected key, " + keyId(expected.public_key);
  out.authenticated = last;
  return {};
}

std::string checkSaved(const std::vector<Signed>& checkpoints, const Expected& expected, const Verification& out) {
  if (expected.checkpoint_seq == 0) return {};
  const std::string saved = std::to_string(expected.checkpoint_seq);
  if (expected.checkpoint_seq > out.last_seq)
    return "the log ends with record " + std::to_string(out.last_seq) + ", before the saved checkpoint " + saved +
           ": its tail was cut off";
  if (expected.checkpoint_seq < out.first_seq)
    return "the saved checkpoint " + saved + " cannot be checked: the log begins after it, with record " +
           std::to_string(out.first_seq);
  const bool found = std::any_of(checkpoints.begin(), checkpoints.end(), [&](const Signed& c) {
    return c.seq == expected.checkpoint_seq && c.hash == expected.checkpoint_hash;
  });
  return found ? "" : "record " + saved + ": it is not the saved checkpoint: the log was written anew";
}

}  // namespace yett::audit
