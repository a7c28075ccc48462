// Changes the blocks of an audit log as an attacker would who can write the file and knows its format.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "audit/audit_config.h"
#include "audit/record.h"
#include "audit/salts.h"

namespace yett::test {

/// A decoded record of a block. Texts and numbers of decisions and outcomes are indexed by key.
struct OpenRecord {
  audit::Kind kind;
  int64_t seq;
  char mark;
  int64_t decision_seq = 0;
  std::array<std::string, audit::kMaxFields> text;
  std::array<int64_t, audit::kMaxFields> number{};
  std::string commitment;  ///< of a decision whose personal fields were erased
};

/// Closes the open block of a log.
void closeBlock(const std::string& database);
void closeBlock(const audit::AuditConfig& config);
/// Passes the records of each closed block to `change` and rewrites the block: its body, filter, numbers and times.
/// Hashes stay unchanged.
void tamper(const std::string& database, const std::function<void(std::vector<OpenRecord>&, audit::Salts&)>& change);
/// Erases the personal fields of these decisions and leaves their commitments.
void blank(std::vector<OpenRecord>& records, audit::Salts& salts, const std::vector<int64_t>& seqs);
/// Runs SQL on the file.
void runSql(const std::string& database, const std::string& sql);

}  // namespace yett::test
