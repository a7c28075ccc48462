// A request's body that waits in memory for the decision.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/units.h"
#include "proxy/body_shares.h"

namespace yett::proxy {

/// Takes room in its worker's BodyShares and gives it back. Belongs to its exchange.
class WaitingBody {
 public:
  WaitingBody(BodyShares& shares, std::string& text) : shares_(shares), text_(text) {}
  WaitingBody(const WaitingBody&) = delete;
  ~WaitingBody() { release(); }

  /// `owner`: whose share it uses (all anonymous callers share one); `connection`: its connection's count. Both must
  /// outlive the wait.
  void begin(const std::string& owner, size_t* connection, int64_t now_millis);
  /// More of it is to come.
  bool growing() const { return growing_; }
  /// All of it is here; it stays until release().
  void end() { growing_ = false; }

  enum class Taken : uint8_t { kYes, kTooLarge, kNoRoom };
  /// Releases the body unless it returns kYes.
  Taken take(std::string_view data, uint64_t most);
  /// Time left for the whole body: `limit`, plus the time for the received bytes at `rate` (bytes per second; 0: no
  /// limit). Otherwise a client that sends a byte now and then could hold memory forever.
  base::Millis timeLeft(int64_t now_millis, base::Millis limit, uint64_t rate) const;
  void release();

 private:
  BodyShares& shares_;
  std::string& text_;
  const std::string* owner_ = nullptr;
  size_t* connection_ = nullptr;
  size_t held_ = 0;  // as counted in shares_
  bool growing_ = false;
  int64_t since_ = 0;  // the loop's clock
};

}  // namespace yett::proxy
