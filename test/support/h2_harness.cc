#include "support/h2_harness.h"

namespace yett::test {

struct H2ServerHarness::Request final : http::RequestHandler {
  Request(H2ServerHarness& owner, http::ServerStream& s) : harness(owner), stream(s) {}

  http::RequestHead& requestHead() override { return head; }
  void onRequest() override {
    note(begun, "onRequest twice");
    begun = true;
    ++harness.requests;
    if (head.target.path.empty() || head.method.empty()) note(true, "a head without method or path");
    if (harness.pause_) stream.pauseBody();
    if (harness.answering_ == Answering::kAtHead) answer(200);
    if (harness.answering_ == Answering::kReset) {
      over = true;
      stream.reset();
    }
    if (harness.answering_ == Answering::kTunnel && head.wants_websocket) {
      http::ResponseHead response;
      response.status = 101;
      response.framing = http::Framing::kTunnel;
      stream.sendResponse(response, {});
      stream.sendBody("welcome");
      tunnel = true;
    }
  }
  void onBadRequest(int status, std::string_view) override {
    ++harness.refused;
    answer(status);
  }
  void onBody(std::string_view data) override {
    note(!begun || ended || over, "a body out of place");
    note(harness.pause_ && !resumed, "a body while paused");
    harness.bodies += data;
    if (tunnel) stream.sendBody(data);
  }
  void onEnd() override {
    note(!begun || ended || over, "an end out of place");
    ended = true;
    if (tunnel) return stream.sendEnd({});
    if (harness.answering_ == Answering::kAtEnd || harness.answering_ == Answering::kInPieces) answer(200);
  }
  void onReset(http::ResetCause cause, std::string_view) override {
    note(over, "a reset after the answer");
    if (cause != http::ResetCause::kPeerClosed && !answered) return answer(400);
    over = true;
  }
  void onWritable() override { note(over && !answered, "writable after the end"); }

  void answer(int status) {
    answered = over = true;
    http::ResponseHead response;
    response.status = status;
    response.framing = harness.answering_ == Answering::kInPieces ? http::Framing::kChunked : http::Framing::kLength;
    response.content_length = 2;
    stream.discardBody();
    stream.sendResponse(response, {});
    stream.sendBody("o");
    stream.sendBody("k");
    http::HeaderMap trailers;
    if (harness.answering_ == Answering::kInPieces) trailers.add("x-sum", "1");
    stream.sendEnd(trailers);
  }
  void note(bool bad, const char* what) const {
    if (bad && harness.wrong.empty()) harness.wrong = what;
  }

  H2ServerHarness& harness;
  http::ServerStream& stream;
  http::RequestHead head;
  bool begun = false;
  bool ended = false;
  bool answered = false;
  bool over = false;  // only onStreamEnd() may still be called
  bool tunnel = false;
  bool resumed = false;
};

H2ServerHarness::H2ServerHarness(Answering answering, bool pause)
    : answering_(answering), pause_(pause), codec_(wire, *this, limits_, true) {}

H2ServerHarness::~H2ServerHarness() = default;

void H2ServerHarness::feed(std::string_view bytes) {
  if (wire.finished) return;
  codec_.onBytes(bytes);
  for (int i = 0; i < 4 && wire.flush_wanted; ++i) {
    wire.flush_wanted = false;
    codec_.onBatchEnd();
    if (!pause_) continue;
    for (auto& [handler, request] : open_) {
      if (request->over) continue;
      request->resumed = true;
      request->stream.resumeBody();
    }
  }
}

void H2ServerHarness::close() {
  codec_.onClosed();
  if (!open_.empty() && wrong.empty()) wrong = "a stream that outlives its connection";
}

http::RequestHandler& H2ServerHarness::onStream(http::ServerStream& stream) {
  auto request = std::make_unique<Request>(*this, stream);
  Request& made = *request;
  open_.emplace(&made, std::move(request));
  return made;
}

void H2ServerHarness::onStreamEnd(http::RequestHandler& handler) {
  ++ended;
  if (open_.erase(&handler) == 0 && wrong.empty()) wrong = "a stream that ended twice";
}

struct H2ClientHarness::Response final : http::ResponseHandler {
  explicit Response(H2ClientHarness& owner) : harness(owner) {}
  http::ResponseHead& responseHead() override { return head; }
  void onResponse() override {
    note(over || (begun && head.status >= 200), "a response out of place");
    begun = head.status >= 200;
    ++harness.responses;
  }
  void onBody(std::string_view data) override {
    note(over || !begun, "a body out of place");
    harness.bodies += data;
  }
  void onEnd() override {
    note(over || !begun, "an end out of place");
    over = true;
    ++harness.ended;
    harness.codec_.close(*stream);
  }
  void onReset(http::ResetCause, std::string_view) override {
    note(over, "a reset after the end");
    over = true;
    ++harness.reset;
    harness.codec_.close(*stream);
  }
  void onWritable() override { note(over, "writable after the end"); }
  void note(bool bad, const char* what) const {
    if (bad && harness.wrong.empty()) harness.wrong = what;
  }
  H2ClientHarness& harness;
  http::ClientStream* stream = nullptr;
  http::ResponseHead head;
  bool begun = false;
  bool over = false;
};

H2ClientHarness::H2ClientHarness(int requests) : codec_(wire, limits_) {
  request_.method = "POST";
  request_.target.path = "/x";
  request_.framing = http::Framing::kChunked;
  request_.headers.add("host", "a");
  for (int i = 0; i < requests; ++i) {
    auto& response = *open_.emplace_back(std::make_unique<Response>(*this));
    response.stream = &codec_.open(response);
    response.stream->sendRequest(request_, {});
    response.stream->sendBody("abc");
    if (i % 2 == 0) response.stream->sendEnd({});
  }
  codec_.onBatchEnd();
}

H2ClientHarness::~H2ClientHarness() = default;

void H2ClientHarness::feed(std::string_view bytes) {
  if (wire.finished) return;
  codec_.onBytes(bytes);
  codec_.onBatchEnd();
}

void H2ClientHarness::close() {
  if (!wire.finished) codec_.onPeerClosed(false, {});
  for (const auto& response : open_) {
    if (!response->over && wrong.empty()) wrong = "an exchange that outlives its connection";
  }
}

}  // namespace yett::test
