// Somebody who may write the file of an audit log: changes its blocks as one who knows their form would.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "audit/audit_config.h"
#include "audit/record.h"
#include "audit/salts.h"

namespace yett::test {

/// A record of a block. Texts and numbers of decisions and outcomes by key.
struct OpenRecord {
  audit::Kind kind;
  int64_t seq;
  char mark;
  int64_t decision_seq = 0;
  std::array<std::string, audit::kMaxFields> text;
  std::array<int64_t, audit::kMaxFields> number{};
  std::string commitment;  ///< of a decision whose personal fields are gone
};

/// The open block of a log becomes a closed one.
void closeBlock(const std::string& database);
void closeBlock(const audit::AuditConfig& config);
/// Hands the records of each closed block to `change`, and writes the block again: its body, its filter, its numbers and
/// times. Hashes stay as they are.
void tamper(const std::string& database, const std::function<void(std::vector<OpenRecord>&, audit::Salts&)>& change);
/// Takes the personal fields of these decisions away, and leaves their commitments.
void blank(std::vector<OpenRecord>& records, audit::Salts& salts, const std::vector<int64_t>& seqs);
/// Runs SQL on the file.
void runSql(const std::string& database, const std::string& sql);

}  // namespace yett::test
