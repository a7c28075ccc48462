#include "support/h1_harness.h"

namespace yett::test {

void H1Harness::feed(std::string_view bytes, size_t piece) {
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, piece == 0 ? bytes.size() : piece);
    bytes.remove_prefix(part.size());
    held_ += part;
    for (size_t used = 1; used > 0 && !held_.empty() && !finished && !aborted;) {
      used = codec_.onBytes(held_);
      held_.erase(0, used);
    }
  }
}

void H1Harness::onRequest() {
  SeenRequest& request = seen.emplace_back();
  request.method = head_.method;
  request.target = head_.target.path + (head_.target.has_query ? "?" + head_.target.query : "");
  request.websocket = head_.wants_websocket;
  request.host = head_.host;
  for (const auto& field : head_.headers.fields()) request.headers.emplace_back(field.name, field.value);
  if (answer_early) answer(200);
}

void H1Harness::onBadRequest(int status, std::string_view why) {
  bad_status = status;
  bad_why = why;
  answer(status);
}

void H1Harness::onEnd() {
  seen.back().complete = true;
  for (const auto& field : head_.trailers.fields()) seen.back().trailers.emplace_back(field.name, field.value);
  if (!answer_early) answer(200);
}

void H1Harness::onReset(http::ResetCause cause, std::string_view why) {
  seen.back().reset = true;
  if (cause == http::ResetCause::kPeerClosed) return;
  bad_status = cause == http::ResetCause::kTooLarge ? 413 : 400;
  bad_why = why;
  answer(bad_status);
}

void H1Harness::answer(int status) {
  codec_.discardBody();
  respond(status);
}

void H1Harness::respond(int status) {
  http::ResponseHead response;
  response.status = status;
  response.framing = http::Framing::kLength;
  response.content_length = 2;
  codec_.sendResponse(response, {});
  codec_.sendBody("ok");
  codec_.sendEnd({});
}

}  // namespace yett::test
