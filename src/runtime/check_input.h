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
#include "request/question.h"

namespace yett::runtime {

/// What the connection would provide.
struct Caller {
  std::string principal;             ///< SPIFFE ID; "": anonymous
  std::string source = "127.0.0.1";  ///< address, or address:port
  std::string destination = {};      ///< address, or address:port; "": unknown
  std::string sni = {};
  std::string scheme = "https";                 ///< or http: no TLS
  std::string protocol = "HTTP/1.1";            ///< or HTTP/2
  bool forwarder = false;                       ///< one of `trusted_forwarders`
  std::vector<std::string> forwarders = {};     ///< the others, as far as they are known
  std::vector<policy::NamedToken> tokens = {};  ///< as if they had been verified
  int64_t time_seconds = 0;                     ///< 0: now
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
  Status arrive(const Caller& caller);
  Status takeSvid(const Caller& caller);
  http::RequestHead head_;
  Caller caller_;
  request::Arrival arrival_;
  std::string body_bytes_;
  policy::Body body_;
  identity::Principal principal_;
  std::vector<policy::Header> headers_;
  policy::Forwarded forwarded_;
  policy::CheckRequest check_;
};

/// The fields of a check request that describe the connection; ignores the others.
Result<Caller> callerOf(const json::Value& value);

/// Whether a field of a check request describes the connection.
bool isCallerField(std::string_view name);

/// The principal for a SPIFFE ID; "": anonymous.
Result<identity::Principal> principalOf(const std::string& spiffe_id);

}  // namespace yett::runtime
