// The SPIFFE Workload API client: keeps the streams of one agent open, over a Unix socket, and what it last gave.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "identity/source.h"
#include "net/event_loop.h"
#include "rpc/channel.h"
#include "workload/back_off.h"
#include "workload/given.h"
#include "workload/own_tokens.h"

namespace yett::workload {

/// Has a thread of its own, with a loop. The sources may be read by any thread.
class Client final : public identity::SvidSource, public identity::BundleSource, private rpc::ChannelEvents {
 public:
  struct Events {
    /// Something new was given.
    std::function<void()> changed;
    /// Why the API does not work; "" once it works again. When it changes.
    std::function<void(const std::string& why)> told;
    OwnTokens::Told token_told;
  };
  /// `socket`: the absolute path. `events` are called on the client's thread.
  Client(std::string socket, Events events);
  ~Client() override;
  Client(const Client&) = delete;

  /// Connects, and reconnects for ever.
  yett::Status start();
  /// No events are called after it.
  void stop();

  Result<identity::OwnSvid> svid(const std::string& spiffe_id) const override;
  Result<identity::TrustBundles::Sources> bundles() const override;

  /// Any thread: keeps tokens of Yett's own for these audiences.
  void wantTokens(std::vector<std::string> audiences, std::string spiffe_id);
  const OwnTokens& ownTokens() const { return own_tokens_; }

  struct State {
    bool streaming = false;   ///< the agent has answered, and the stream of the SVID is open
    int64_t answered_at = 0;  ///< when it last gave an SVID, in seconds since 1970; 0: never
    std::string why;          ///< why it does not work now; "" if it does
  };
  State state() const;

 private:
  static constexpr int64_t kLongAgo = 1'000'000;
  class Stream;
  void connect();
  void onChannelOpen() override;
  void onChannelClosed(const std::string& why) override;
  void addStreams();
  template <typename Take>
  void take(Stream& stream, Take read);
  void onEnded(Stream& stream, const rpc::GrpcStatus& status);
  void judge(bool silent = false);
  void tell();

  const std::string socket_;
  const Events events_;
  net::EventLoop loop_;
  net::Timer again_;
  net::Timer tell_;
  net::Timer silent_;                             // until a connection without answers is told
  std::vector<std::unique_ptr<Stream>> streams_;  // that of the SVID first
  OwnTokens own_tokens_;
  std::unique_ptr<rpc::Channel> channel_;
  BackOff back_off_{250, 15'000};
  std::string lost_;  // why there is no connection; "" if there is one
  std::string untold_, told_;
  int64_t told_at_ = -kLongAgo;  // the loop's clock
  int64_t opened_at_ = 0;        // likewise: the connection
  bool connected_ = false;
  std::thread thread_;
  mutable base::Mutex mutex_;
  Given given_ YETT_GUARDED_BY(mutex_);
  State state_ YETT_GUARDED_BY(mutex_);
};

}  // namespace yett::workload
