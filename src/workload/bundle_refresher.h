// Keeps the bundles of bundle endpoints fresh: each is a file that the configuration's reload reads like any other. The
// file is replaced when the endpoint publishes something else, and removed once the last answer is too old.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "identity/identity_config.h"
#include "workload/back_off.h"

namespace yett::workload {

/// Has a thread of its own.
class BundleRefresher {
 public:
  /// `why`: "" once it works again. Called on the refresher's thread, when it changes.
  using Told = std::function<void(const std::string& trust_domain, const std::string& why)>;
  explicit BundleRefresher(Told told) : told_(std::move(told)) {}
  /// REQUIRES: stop() returned true, or the process exits without destructors.
  ~BundleRefresher();
  BundleRefresher(const BundleRefresher&) = delete;
  BundleRefresher& operator=(const BundleRefresher&) = delete;

  /// The endpoints from now on, by trust domain; those without changes keep their schedule. Starts the thread if it is
  /// needed.
  void follow(const std::map<std::string, identity::BundleConfig>& bundles);

  /// Asks this endpoint now, but at most once in ten seconds: somebody wants keys that are not known. Any thread; waits
  /// for nothing but a mutex.
  void hurry(const std::string& domain);

  /// Ends the thread. False: it still waits for an endpoint.
  bool stop(std::chrono::milliseconds wait);

  struct Status {
    std::string trust_domain;
    int64_t refreshed = 0;  ///< seconds since 1970; 0: never
  };
  std::vector<Status> status() const;

 private:
  struct Attempt;
  struct Endpoint {
    identity::BundleConfig config;
    identity::BundleConfig authority;  // for https_spiffe: the bundle that vouches for the server
    std::shared_ptr<Attempt> hanging;  // an attempt that was given up
    int64_t due = 0;                   // steady milliseconds
    int64_t hurried = -1'000'000;      // steady milliseconds
    BackOff back_off{1000, 60'000};
    int64_t refreshed = 0;
    std::string why;
  };
  void run();
  void refresh(const std::string& domain, const Endpoint& endpoint);
  std::shared_ptr<Attempt> begin(const Endpoint& endpoint);

  const Told told_;
  mutable base::Mutex mutex_;
  base::Condition changed_;
  std::map<std::string, Endpoint> endpoints_ YETT_GUARDED_BY(mutex_);
  bool stopping_ YETT_GUARDED_BY(mutex_) = false;
  bool running_ YETT_GUARDED_BY(mutex_) = false;
  bool hurry_ YETT_GUARDED_BY(mutex_) = false;
  const std::shared_ptr<std::atomic<int>> attempts_ = std::make_shared<std::atomic<int>>(0);  // threads that fetch
  std::thread thread_;
};

}  // namespace yett::workload
