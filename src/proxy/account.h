// Accounts for an exchange: its outcome in the audit log, its line in the access log, its metrics.
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

/// Belongs to its exchange. Closed once per request.
class Account {
 public:
  int status = 0;  ///< sent downstream
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  Cause cause = Cause::kNone;  ///< why Yett itself answered or ended it
  std::string detail;          ///< for the operator
  std::string upstream;      ///< the endpoints that were tried, in order; after their cluster if the route has several
  std::string grpc_status;   ///< of Yett's own answer
  base::UuidText told_id{};  ///< sent to the caller if a newer decision ended the exchange

  /// The decision ID that is sent to the caller; all zero before there is one.
  const base::UuidText& toldId(const Call& call) const { return told_id[0] != '\0' ? told_id : call.decided.id; }
  /// The exchange is over. Ends `decision` (which may not be open) now, or in settle() if a shadow policy is asked
  /// first. `answer`: the service's response, or null.
  void close(const Call& call, Worker& worker, authz::OpenDecision& decision, Cause result,
             const http::ResponseHead* answer);
  /// Called after the response was sent, so that the shadow policy delays only the record.
  void settle(Call& call, Worker& worker, authz::OpenDecision& decision);
  void clear();

 private:
  void logAccess(const Call& call, Worker& worker, std::string_view result) const;
  authz::Outcome outcome(std::string_view shadow = {}) const;
  int64_t micros_ = 0;
  Cause result_ = Cause::kNone;
};

}  // namespace yett::proxy
