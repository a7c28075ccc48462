// Looks after the endpoints of all clusters, off the loops that serve: resolves names when their answers run out, and
// checks health. Has a thread of its own.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "net/event_loop.h"
#include "upstream/cluster.h"
#include "upstream/health_check.h"
#include "upstream/notice.h"
#include "upstream/resolver.h"

namespace yett::upstream {

class Watch {
 public:
  using Clusters = std::map<std::string, std::shared_ptr<const Cluster>>;
  /// `told`: called on this thread.
  explicit Watch(Told told);
  ~Watch();
  Watch(const Watch&) = delete;

  /// Any thread, as below. The clusters from now on; what is known of those that stay is kept. Starts the thread if
  /// there is something to look after.
  void follow(const Clusters& clusters, const ResolverConfig& resolver);
  /// Resolves all names again.
  void resolveNow();
  /// Waits until each name has been resolved or has failed, for at most `limit`.
  static void await(const Clusters& clusters, base::Millis limit);
  /// Ends the thread.
  void stop();

 private:
  struct Name;
  struct Checked;
  void take(const Clusters& clusters, const ResolverConfig& resolver);
  void takeNames(const Clusters& clusters);
  void takeChecks(const Clusters& clusters);
  void resolve(Name& name);
  void resolved(Name& name, Result<Resolution> found);
  void drop(Checked& checked);
  void check(Checked& checked);
  void judge(Checked& checked, const std::string& why);
  base::Millis spread(base::Millis around);

  const Told told_;
  net::EventLoop loop_;
  Clusters clusters_;
  ResolverConfig config_;
  std::unique_ptr<Resolver> resolver_;
  std::vector<std::unique_ptr<Name>> names_;
  std::vector<std::unique_ptr<Checked>> checks_;
  std::minstd_rand random_{std::random_device{}()};
  base::Mutex mutex_;
  std::thread thread_ YETT_GUARDED_BY(mutex_);
};

}  // namespace yett::upstream
