// Requests from a test or a person instead of a connection. They go through the real parser and normalization, so that
// policy sees what it would see in production.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "http/head.h"
#include "identity/principal.h"
#include "policy/check_request.h"

namespace yett::runtime {

/// What the connection would provide.
struct Caller {
  std::string principal;  ///< SPIFFE ID; "": anonymous
  std::string source = "127.0.0.1";
  int64_t time_seconds = 0;
};

class CheckInput {
 public:
  /// A whole HTTP/1.1 request. `owned`: headers that only policy may set. The error says why Yett would answer with
  /// 4xx before any policy, as "400: ...", or what is wrong with the caller.
  static Result<std::unique_ptr<CheckInput>> fromHttp(std::string_view message, const Caller& caller,
                                                      std::span<const std::string> owned);
  /// schemas/check-request.schema.json.
  static Result<std::unique_ptr<CheckInput>> fromJson(const json::Value& value, std::span<const std::string> owned);

  CheckInput(const CheckInput&) = delete;
  const policy::CheckRequest& request() const { return check_; }

 private:
  CheckInput() = default;
  Status take(std::string_view message, const Caller& caller, std::span<const std::string> owned);
  http::RequestHead head_;
  std::string body_bytes_;
  policy::Body body_;
  identity::Principal principal_;
  std::vector<policy::Header> headers_;
  policy::CheckRequest check_;
};

/// The fields principal, source and time of a check request; ignores the others.
Result<Caller> callerOf(const json::Value& value);

/// The principal for a SPIFFE ID; "": anonymous.
Result<identity::Principal> principalOf(const std::string& spiffe_id);

}  // namespace yett::runtime
