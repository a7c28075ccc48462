// JWT-SVIDs of Yett's own, by audience: FetchJWTSVID of the Workload API, again before each expires.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "net/event_loop.h"
#include "rpc/channel.h"

namespace yett::workload {

class OwnTokens {
 public:
  /// Why a token could not be had, when that changes; "" once it can. On the loop's thread.
  using Told = std::function<void(const std::string& audience, const std::string& why)>;
  OwnTokens(net::EventLoop& loop, Told told);
  ~OwnTokens();
  OwnTokens(const OwnTokens&) = delete;

  /// Any thread: the token for this audience; null: there is none that is valid at `now` (seconds since 1970).
  std::shared_ptr<const std::string> token(const std::string& audience, int64_t now) const;
  /// Any thread: when each expires, by audience, in seconds since 1970; 0: there is none.
  std::map<std::string, int64_t> expirations() const;

  // On the loop's thread, like everything below.
  /// Which are kept from now on, of this SPIFFE ID ("": the agent's first).
  void want(const std::vector<std::string>& audiences, const std::string& spiffe_id);
  /// There is a connection. It outlives closed().
  void opened(rpc::Channel& channel);
  void closed() { channel_ = nullptr; }

 private:
  struct Kept {
    std::shared_ptr<const std::string> text;
    int64_t expires = 0;
  };
  class Fetch;
  void keep(const std::string& audience, Kept kept);

  net::EventLoop& loop_;
  const Told told_;
  rpc::Channel* channel_ = nullptr;
  std::string spiffe_id_;
  std::map<std::string, std::unique_ptr<Fetch>> fetches_;  // by audience; never removed: a call may be under way
  mutable base::Mutex mutex_;
  std::map<std::string, Kept> kept_ YETT_GUARDED_BY(mutex_);
};

}  // namespace yett::workload
