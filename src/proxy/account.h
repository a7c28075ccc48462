// What an exchange adds up to: its outcome in the audit log, its line in the access log, its share of the metrics.
#pragma once

#include <cstdint>
#include <string>

#include "authz/authorizer.h"
#include "base/uuid7.h"
#include "http/head.h"
#include "proxy/call.h"
#include "proxy/cause.h"

namespace yett::proxy {

class Worker;

/// Belongs to its exchange. Closed once for each request.
class Account {
 public:
  int status = 0;  ///< sent downstream
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  Cause cause = Cause::kNone;  ///< why Yett answered, or ended it, by itself
  std::string detail;          ///< for the operator
  std::string upstream;        ///< the endpoint
  std::string grpc_status;     ///< of Yett's own answer
  base::UuidText told_id{};    ///< what the caller is told, where a newer decision ended the exchange

  /// The decision that the caller is told about; all zero before there is one.
  const base::UuidText& toldId(const Call& call) const { return told_id[0] != '\0' ? told_id : call.decided.id; }
  /// The exchange is over. `decision` (may be not open) is ended now, or by settle() where the shadow has a say first.
  /// `answer`: the service's, or null.
  void close(const Call& call, Worker& worker, authz::OpenDecision& decision, Cause result,
             const http::ResponseHead* answer);
  /// The answer is out, so what the policy in the shadow says keeps nobody waiting but the record.
  void settle(Call& call, Worker& worker, authz::OpenDecision& decision);
  void clear();

 private:
  void logAccess(const Call& call, Worker& worker, std::string_view result) const;
  authz::Outcome outcome(std::string_view shadow = {}) const;
  int64_t micros_ = 0;
  Cause result_ = Cause::kNone;
};

}  // namespace yett::proxy
