// Drives the HTTP/1.1 server codec without a socket and records what it makes of the bytes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "http/h1_server.h"

namespace yett::test {

struct SeenRequest {
  std::string method, target, host, body;
  std::vector<std::pair<std::string, std::string>> headers, trailers;
  bool complete = false;
  bool websocket = false;
  bool reset = false;
};

/// Answers every complete request with 200; keeps all it saw.
class H1Harness final : public http::Wire, public http::ServerEvents, public http::RequestHandler {
 public:
  explicit H1Harness(http::Limits limits = {}) : limits_(limits), codec_(*this, *this, limits_) {}

  /// Feeds in pieces of `piece` bytes (0: all at once), offering again what the codec did not consume.
  void feed(std::string_view bytes, size_t piece = 0);
  void eof() { codec_.onPeerClosed(); }
  /// Sends a response without regard to the request's body, as a service might.
  void respond(int status = 200);
  /// Answer once the head is read instead of at the end of the request.
  bool answer_early = false;

  /// Bytes that were not consumed.
  size_t leftover() const { return held_.size(); }

  std::vector<SeenRequest> seen;
  int bad_status = 0;
  std::string bad_why;
  std::string out;
  bool finished = false;
  bool aborted = false;

  void write(std::string_view bytes) override { out += bytes; }
  size_t buffered() const override { return 0; }
  void pauseReading() override { paused_ = true; }
  void resumeReading() override { paused_ = false; }
  void callAtBatchEnd() override { codec_.onBatchEnd(); }
  int64_t nowMillis() const override { return 0; }
  void finishWriting() override {}
  void finish() override { finished = true; }
  void abort() override { aborted = true; }
  http::RequestHandler& onStream(http::ServerStream&) override { return *this; }
  void onStreamEnd(http::RequestHandler&) override {}
  void onConnectionError(std::string_view) override {}
  http::RequestHead& requestHead() override { return head_; }
  void onRequest() override;
  void onBadRequest(int status, std::string_view why) override;
  void onBody(std::string_view data) override { seen.back().body += data; }
  void onEnd() override;
  void onReset(http::ResetCause cause, std::string_view why) override;
  void onWritable() override {}

 private:
  void answer(int status);
  const http::Limits limits_;
  http::RequestHead head_;
  http::H1Server codec_;
  std::string held_;
  bool paused_ = false;
};

}  // namespace yett::test
