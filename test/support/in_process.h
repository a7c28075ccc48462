// A whole loop with its worker in the test's own process: a client on one end of a socket pair, services on Unix sockets.
// The loop has a thread; the test's thread blocks on its ends, so that nothing sleeps or guesses how long something takes.
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

/// One end of a connection, blocking. A read waits for ten seconds at the most and then throws.
class End {
 public:
  explicit End(int fd = -1);
  End(End&& other) noexcept;
  End& operator=(End&& other) noexcept;
  ~End() { close(); }
  void send(const std::string& bytes) const;
  /// All up to `mark`, the mark included; what comes behind it stays.
  std::string readUntil(const std::string& mark);
  /// Bytes of the body that `head` announces.
  std::string readBody(const std::string& head);
  /// "" at an orderly end or a reset.
  std::string readRest();
  void close();

 private:
  bool readMore();
  int fd_;
  std::string read_;
};

/// A service that the test plays: it accepts, reads and answers when the test says so.
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
  /// `policy`: the text of p.lua. One cluster `app` of these endpoints takes every path.
  InProcess(const std::string& policy, const std::vector<std::string>& endpoints, bool strict = false);
  ~InProcess();
  InProcess(const InProcess&) = delete;

  /// A caller's connection: plaintext, anonymous.
  End connect();
  /// Another policy is in force when this returns.
  void setPolicy(const std::string& policy);
  /// Runs on the loop's thread, and waits for it.
  void onLoop(const std::function<void()>& task);
  /// The decisions, oldest first, once all exchanges have ended and the log is written. Call last: it ends the loop.
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
