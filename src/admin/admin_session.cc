#include "admin/admin_session.h"

#include <unistd.h>

#include "base/units.h"

namespace yett::admin {
namespace {

constexpr base::Millis kHead{5000};      // for a whole head, and for a whole body
constexpr base::Millis kAnswer{10'000};  // for the client to read the response
constexpr base::Millis kIdle{60'000};    // scrapers keep their connection open

const http::Limits& limits() {
  static const http::Limits all = [] {
    http::Limits out;
    out.head_bytes = 8 << 10;
    out.header_count = 64;
    out.body_bytes = 4 << 20;
    return out;
  }();
  return all;
}

// Anyone who can open the socket may read; changes need more rights.
bool mayCommand(int64_t uid) {
  return uid == 0 || uid == static_cast<int64_t>(::geteuid());
}

}  // namespace

AdminSession::AdminSession(net::EventLoop& loop, const Poco::Net::StreamSocket& socket, bool trusted,
                           const Owner& owner)
    : loop_(loop),
      trusted_(trusted),
      owner_(owner),
      connection_(loop, socket, std::make_unique<net::PlainTransport>(socket.impl()->sockfd()), *this),
      codec_(*this, *this, limits()) {}

void AdminSession::start() {
  connection_.limitOffered(limits().head_bytes);
  connection_.limitLinger(base::Millis(1000));
  connection_.start(false);
  connection_.setTimeout(kHead);
}

size_t AdminSession::onData(std::string_view bytes) {
  const size_t used = codec_.onBytes(bytes);
  watch();
  return used;
}

// One time limit covers a head from its first byte to its last, however the bytes arrive.
void AdminSession::watch() {
  if (!connection_.open() || codec_.waiting() == watched_) return;
  watched_ = codec_.waiting();
  switch (watched_) {
    case http::Waiting::kRequest: return connection_.setTimeout(kIdle);
    case http::Waiting::kHead:
    case http::Waiting::kDiscard: return connection_.setTimeout(kHead);
    default: return busy_ ? connection_.clearTimeout() : connection_.setTimeout(kAnswer);
  }
}

void AdminSession::onTimeout() {
  if (watched_ == http::Waiting::kExchange) return connection_.abort();
  codec_.onTimeout();
}

void AdminSession::onClosed(std::string_view) {
  codec_.onClosed();
  stream_ = nullptr;
  owner_.closed(*this);
}

http::RequestHandler& AdminSession::onStream(http::ServerStream& stream) {
  stream_ = &stream;
  body_.clear();
  return *this;
}

void AdminSession::onStreamEnd(http::RequestHandler&) {
  stream_ = nullptr;
  watch();
}

bool AdminSession::isCommand() const {
  return trusted_ && request_.method == "POST" && admin::isCommand(request_.raw_target);
}

void AdminSession::onRequest() {
  if (isCommand()) {  // its body comes first
    if (!request_.expects_continue) return;
    http::ResponseHead leave;
    leave.status = 100;
    return stream_->sendInterim(leave);
  }
  answer(pageFor(owner_.content, trusted_, request_.method, request_.raw_target));
}

void AdminSession::onEnd() {
  if (stream_ == nullptr || !isCommand()) return;
  if (!mayCommand(peer_)) return answer({403, "text/plain", "only root and the user that runs Yett may do that\n"});
  busy_ = true;
  connection_.clearTimeout();
  owner_.command(*this, std::string(request_.raw_target), std::move(body_));
}

void AdminSession::onBadRequest(int status, std::string_view why) {
  answer({status, "text/plain", std::string(why) + "\n"});
}

void AdminSession::onReset(http::ResetCause cause, std::string_view detail) {
  if (cause != http::ResetCause::kPeerClosed) answer({400, "text/plain", std::string(detail) + "\n"});
}

void AdminSession::answer(const Page& page) {
  busy_ = false;
  http::ServerStream* stream = stream_;
  if (stream == nullptr) return;
  http::ResponseHead head;
  head.status = page.status;
  head.framing = http::Framing::kLength;
  head.content_length = page.body.size();
  http::HeaderMap fields;
  fields.add("content-type", page.type);
  fields.add("cache-control", "no-store");
  fields.add("x-content-type-options", "nosniff");
  if (page.status == 405) fields.add("allow", "GET, HEAD");
  connection_.setTimeout(kAnswer);
  stream->discardBody();
  stream->sendResponse(head, fields);
  stream->sendBody(page.body);
  stream->sendEnd({});
}

}  // namespace yett::admin
