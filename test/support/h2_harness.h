// Drives the HTTP/2 codecs without sockets: a server that answers, resets, pauses or stays silent as configured, and a
// client that sends requests. Reports what must never happen.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "http/h2_client.h"
#include "http/h2_server.h"

namespace yett::test {

/// Keeps what is written, and remembers that a flush was requested.
class TestWire : public http::Wire {
 public:
  void write(std::string_view bytes) override { out += bytes; }
  size_t buffered() const override { return blocked ? size_t{1} << 20 : 0; }
  void pauseReading() override {}
  void resumeReading() override {}
  void callAtBatchEnd() override { flush_wanted = true; }
  int64_t nowMillis() const override { return now; }
  void finishWriting() override {}
  void finish() override { finished = true; }
  void abort() override { finished = true; }

  std::string out;
  bool blocked = false;
  bool flush_wanted = false;
  bool finished = false;
  int64_t now = 0;
};

/// What a server does with each request.
enum class Answering : uint8_t { kAtEnd, kAtHead, kNever, kReset, kInPieces, kTunnel };

class H2ServerHarness final : public http::ServerEvents {
 public:
  explicit H2ServerHarness(Answering answering, bool pause = false);
  ~H2ServerHarness() override;

  void feed(std::string_view bytes);
  /// The connection is gone: all open streams must end now.
  void close();

  http::RequestHandler& onStream(http::ServerStream& stream) override;
  void onStreamEnd(http::RequestHandler& handler) override;
  void onConnectionError(std::string_view why) override { error = why; }

  TestWire wire;
  std::string wrong;  ///< the first violation of the codec's contract; "": none
  std::string error;
  std::string bodies;  ///< all body bytes received
  int requests = 0;
  int refused = 0;
  int ended = 0;

 private:
  struct Request;
  const http::Limits limits_{.head_bytes = 16 << 10, .stream_window = 65'535, .connection_window = 65'535};
  const Answering answering_;
  const bool pause_;
  std::map<http::RequestHandler*, std::unique_ptr<Request>> open_;
  http::H2Server codec_;
};

/// Sends `requests` requests and takes any response.
class H2ClientHarness {
 public:
  explicit H2ClientHarness(int requests);
  ~H2ClientHarness();
  void feed(std::string_view bytes);
  void close();

  TestWire wire;
  std::string wrong;
  std::string bodies;
  int responses = 0;
  int ended = 0;
  int reset = 0;

 private:
  struct Response;
  const http::Limits limits_{.head_bytes = 16 << 10};
  http::RequestHead request_;
  http::H2Client codec_;
  std::vector<std::unique_ptr<Response>> open_;
};

}  // namespace yett::test
