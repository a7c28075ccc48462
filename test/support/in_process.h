// An event loop with its worker in the test's process: clients use socket pairs, services Unix sockets. The loop has
// its own thread; the test's thread blocks on its sockets, so nothing sleeps or guesses how long something takes.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "audit/reader.h"
#include "audit/writer.h"
#include "authz/authorizer.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "proxy/worker.h"
#include "support/temp_dir.h"

namespace yett::test {

/// One end of a connection, blocking. A read waits at most ten seconds, then throws.
class End {
 public:
  explicit End(int fd = -1);
  End(End&& other) noexcept;
  End& operator=(End&& other) noexcept;
  ~End() { close(); }
  void send(const std::string& bytes) const;
  /// Everything up to and including `mark`; later bytes stay unread.
  std::string readUntil(const std::string& mark);
  /// The body, of the content-length in `head`.
  std::string readBody(const std::string& head);
  /// Everything until the connection is closed or reset.
  std::string readRest();
  void close();

 private:
  bool readMore();
  int fd_;
  std::string read_;
};

/// A service played by the test, which accepts, reads and answers explicitly.
class TestService {
 public:
  explicit TestService(const std::string& path);
  ~TestService();
  TestService(const TestService&) = delete;
  const std::string& endpoint() const { return endpoint_; }
  /// The next connection; throws after ten seconds.
  End accept() const;
  /// No connection waits to be accepted.
  bool quiet() const;

 private:
  int fd_;
  std::string endpoint_;
};

class InProcess {
 public:
  /// `policy`: the text of p.lua. Every path is routed to the cluster `app` of these endpoints.
  InProcess(const std::string& policy, const std::vector<std::string>& endpoints, bool strict = false);
  ~InProcess();
  InProcess(const InProcess&) = delete;

  /// A caller's connection: plaintext, anonymous.
  End connect();
  /// Swaps the policy; the new one is in force when this returns.
  void setPolicy(const std::string& policy);
  /// Runs the task on the loop's thread and waits for it.
  void onLoop(const std::function<void()>& task);
  /// Ends all exchanges and the loop, and returns the logged decisions, oldest first. Call it last.
  std::vector<audit::Row> finish();
  std::string metrics() const { return metrics_.text(); }

  const TempDir dir;

 private:
  std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(const std::string& policy);
  base::Metrics metrics_;
  net::Gate descriptors_{1000};
  net::Gate gate_{1000};
  net::EventLoop loop_;
  std::unique_ptr<audit::Writer> audit_;
  std::unique_ptr<authz::Authorizer> authorizer_;
  std::unique_ptr<proxy::Worker> worker_;
  std::shared_ptr<proxy::ListenerSlot> slot_ = std::make_shared<proxy::ListenerSlot>();
  base::Counter& connections_;
  int policies_ = 0;
  std::thread thread_;
};

}  // namespace yett::test
