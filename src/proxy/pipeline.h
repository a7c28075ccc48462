// The order of stages: the only place that states it.
#pragma once

#include <optional>
#include <string_view>

#include "authz/authorizer.h"

namespace yett::proxy {

class Exchange;

/// The cause of an end that a change of policy brought.
inline constexpr std::string_view kNewerPolicy = "ended by a newer policy";

class Pipeline {
 public:
  /// Takes a parsed request to its answer or to its upstream.
  static void run(Exchange& exchange);
  /// Goes on where `pending` stopped: its record is on disk, or will not be.
  static void resume(Exchange& exchange, const authz::Pending& pending);
  /// The policy has changed while the exchange is under way: decides again, and ends it where it is allowed no more.
  /// `cause`: what the outcome says then.
  static void recheck(Exchange& exchange, std::string_view cause = kNewerPolicy);
  /// After a wait between the decision and the service: asks again where it was long. False where the exchange has
  /// ended.
  static bool stillAllowed(Exchange& exchange);

 private:
  static void normalize(Exchange& exchange);
  static void match(Exchange& exchange);
  static std::string_view outdated(Exchange& e, const policy::CheckRequest& check);
  /// `early`: the body is not here yet; null where it may make an allow.
  static std::optional<authz::Answer> authorize(Exchange& exchange, bool early);
  static policy::CheckRequest question(Exchange& exchange, int64_t now_micros, bool early = false);
  static void annotate(Exchange& exchange);
  static void askLater(Exchange& e, const policy::CheckRequest& check, bool allowed);
  static void oblige(Exchange& exchange, const policy::Obligations& obligations);
};

/// Sends the request upstream. Takes the leave that only the authorization stage can give.
void forward(Exchange& exchange, authz::Permit&& permit);

}  // namespace yett::proxy
