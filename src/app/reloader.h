// Watches the files of the current generation: knows what was tried, what is changing, and when to try. No exception
// from reading, building, applying or watching leaves it. Main thread only.
#pragma once

#include <string>
#include <vector>

#include "app/expiry_watch.h"
#include "app/server.h"
#include "app/watcher.h"
#include "base/log.h"
#include "config/config.h"
#include "config/object_reader.h"

namespace yett::app {

class Reloader {
 public:
  /// `file`: absolute. Both outlive it.
  Reloader(Server& server, base::Logger& log, const std::string& file);

  /// For poll(); negative if there is none.
  int fd() const { return watcher_.fd(); }
  /// Time until onTime() is due.
  int waitMillis() const;
  /// fd() is readable.
  void onEvents();
  void onTime();
  /// Reads the files and applies what they hold now. False: nothing differs from what is in force.
  bool now();
  /// The Workload API has given something new.
  void onGiven();
  /// Why the current files are not in force, each problem once; empty if all of them are.
  const std::vector<std::string>& refusal() const { return refusal_; }
  /// Reopens the access log.
  void reopenLogs() { server_.reopenLogs(); }

 private:
  static constexpr int64_t kLongAgo = 1'000'000;
  template <typename Step>
  void guarded(Step step);
  void watch(std::vector<std::string> sources);
  void look();
  void lookAtClock();
  void takeGiven();
  /// False: nothing differs from what is in force.
  bool reload(std::string seen, bool may_again, bool look_up = false);
  std::vector<std::string> addOutside(config::Problems& problems) const;
  bool applyRest(config::Problems& problems);
  void follow(std::vector<std::string> sources, bool refused);
  void refuse(const std::vector<std::string>& problems);

  Server& server_;
  base::Logger& log_;
  const std::string file_;
  std::vector<std::string> sources_;
  Watcher watcher_;
  ExpiryWatch expiry_;
  std::string tried_;  // fingerprint of what the last reload was built from
  std::string seen_;   // fingerprint of a change that may not be finished
  std::vector<std::string> refusal_;
  std::string told_missing_;
  bool changing_ = false;
  int64_t changing_since_ = 0;
  int64_t quiet_at_ = 0;
  int64_t look_at_ = 0;
  int64_t given_at_ = 0;  // when what the Workload API gave is taken; 0: nothing new
  int64_t given_taken_ = -kLongAgo;
  std::vector<std::string> given_refusal_;
  int64_t clock_offset_ = 0;  // microseconds from the steady clock to the wall clock
  int64_t again_at_ = 0;
};

}  // namespace yett::app
