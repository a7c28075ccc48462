#include "http/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "base/check.h"
#include "http/h2_callbacks.h"
#include "http/h2_memory.h"

namespace yett::http {

static constexpr uint32_t kFirstWindow = 16 << 10;  // for a service's response, until its caller reads some

nghttp2_session_callbacks* H2Session::callbacks() {
  static nghttp2_session_callbacks* const made = [] {
    nghttp2_session_callbacks* c = nullptr;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, &Guarded<&H2Callbacks::onBeginHeaders>::call);
    nghttp2_session_callbacks_set_on_header_callback(c, &Guarded<&H2Callbacks::onHeader>::call);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, &Guarded<&H2Callbacks::onInvalidHeader>::call);
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, &Guarded<&H2Callbacks::onBeginFrame>::call);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, &Guarded<&H2Callbacks::onFrame>::call);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, &Guarded<&H2Callbacks::onData>::call);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, &Guarded<&H2Callbacks::onClose>::call);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, &Guarded<&H2Callbacks::onSent>::call);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, &Guarded<&H2Callbacks::onInvalidFrame>::call);
    nghttp2_session_callbacks_set_error_callback2(c, &Guarded<&H2Callbacks::onError>::call);
    return c;
  }();
  return made;
}

H2Session::H2Session(Wire& wire, const Limits& limits, bool server)
    : wire_(wire),
      limits_(limits),
      flood_(wire.nowMillis(), limits.streams),
      server_(server),
      skip_(server ? NGHTTP2_CLIENT_MAGIC_LEN : 0) {
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_settings(option, 32);
  nghttp2_option_set_max_outbound_ack(option, 200);
  nghttp2_option_set_stream_reset_rate_limit(option, 100'000, 10'000);  // H2Flood is stricter
  nghttp2_option_set_max_deflate_dynamic_table_size(option, 4096);
  if (server) nghttp2_session_server_new3(&session_, callbacks(), this, option, h2Memory());
  else nghttp2_session_client_new3(&session_, callbacks(), this, option, h2Memory());
  nghttp2_option_del(option);
}

H2Session::~H2Session() {
  YETT_CHECK(!in_library_);
  nghttp2_session_del(session_);
}

void H2Session::addStream(std::unique_ptr<H2Stream> stream) {
  stream->since_ = wire_.nowMillis();
  const int32_t id = stream->id_;
  streams_.add(id, std::move(stream));
}

// Looks at every frame header, since nghttp2 does not report the frames that it ignores.
size_t H2Session::countFrames(std::string_view bytes) {
  constexpr size_t kHead = 9;
  constexpr int kRequests = 8;
  constexpr int kPieces = 64;
  const size_t size = bytes.size();
  int requests = 0;
  int pieces = 0;  // of bodies
  while (!bytes.empty() && !gone_) {
    if (skip_ > 0) {
      const size_t n = std::min<size_t>(skip_, bytes.size());
      bytes.remove_prefix(n);
      skip_ -= n;
      continue;
    }
    if ((requests == kRequests || pieces == kPieces) && frame_head_.empty()) return size - bytes.size();
    const size_t n = std::min(kHead - frame_head_.size(), bytes.size());
    frame_head_ += bytes.substr(0, n);
    bytes.remove_prefix(n);
    if (frame_head_.size() < kHead) return size;
    const auto* head = reinterpret_cast<const uint8_t*>(frame_head_.data());
    skip_ = static_cast<size_t>(head[0]) << 16 | static_cast<size_t>(head[1]) << 8 | head[2];
    const bool ack = (head[4] & NGHTTP2_FLAG_ACK) != 0;
    switch (head[3]) {
      case NGHTTP2_HEADERS:
        ++requests;
        ++seen_;
        break;
      case NGHTTP2_DATA:
        ++pieces;
        ++seen_;
        break;
      case NGHTTP2_SETTINGS:
        if (!ack) charge(H2Flood::Kind::kSettings);
        break;
      case NGHTTP2_PING:
        if (!ack) charge(H2Flood::Kind::kPing);
        break;
      case NGHTTP2_PRIORITY: charge(H2Flood::Kind::kPriority); break;
      case NGHTTP2_WINDOW_UPDATE: charge(H2Flood::Kind::kWindowUpdate); break;
      case NGHTTP2_RST_STREAM:
        if (server_) charge(H2Flood::Kind::kClosedStream);
        break;
      case NGHTTP2_CONTINUATION:
      case NGHTTP2_GOAWAY: break;  // nghttp2 limits the former and closes after the latter
      default: charge(H2Flood::Kind::kUnknown);
    }
    frame_head_.clear();
  }
  return size - bytes.size();
}

size_t H2Session::receive(std::string_view bytes) {
  if (gone_) return bytes.size();
  broken_.clear();
  const size_t size = bytes.size();
  bytes = bytes.substr(0, countFrames(bytes));
  if (gone_) return size;
  YETT_CHECK(!in_library_);
  in_library_ = true;
  const auto n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  in_library_ = false;
  if (n < 0) {
    terminate(NGHTTP2_PROTOCOL_ERROR, broken_.empty() ? nghttp2_strerror(static_cast<int>(n)) : broken_.c_str());
  }
  // All DATA and HEADERS frames seen, except the last one, are either handled or belong to closed streams.
  for (; server_ && seen_ > handled_ + ignored_ + 1 && !gone_; ++ignored_) {
    if (late_ > 0) --late_;
    else charge(H2Flood::Kind::kClosedStream);
  }
  if (const int64_t now = wire_.nowMillis(); now - ticked_ >= 1000) {
    ticked_ = now;
    onTick(now);
  }
  // Frames that nghttp2 generates by itself, for a peer that causes them but does not read.
  if (nghttp2_session_get_outbound_queue_size(session_) > 2000 + 4 * limits_.streams)
    terminate(NGHTTP2_ENHANCE_YOUR_CALM, "too many frames that the peer does not read");
  sendSoon();
  bury();
  return gone_ ? size : bytes.size();
}

void H2Session::terminate(uint32_t code, std::string_view why) {
  if (gone_) return;
  gone_ = true;
  nghttp2_session_terminate_session(session_, code);
  if (!why.empty()) onBroken(why);
  sendSoon();
}

// Charges or credits the peer for the end of a stream.
void H2Session::chargeEnd(const H2Stream& stream, uint32_t code) {
  constexpr int64_t kPremature = 100;  // ms: a request canceled sooner was hardly serious
  const bool given_up = stream.reset_by_peer_ || (code != NGHTTP2_NO_ERROR && !stream.reset_);
  if (!given_up) flood_.completed();
  else if (server_)  // an upstream can only reset what we requested, which bounds it
    charge(wire_.nowMillis() - stream.since_ < kPremature ? H2Flood::Kind::kReset : H2Flood::Kind::kLateReset);
  if (!stream.in_ended_ && !stream.reset_by_peer_) letComeLate();
}

void H2Session::charge(H2Flood::Kind kind) {
  if (gone_ || flood_.charge(kind, wire_.nowMillis())) return;
  terminate(NGHTTP2_ENHANCE_YOUR_CALM, std::string("too many ") + H2Flood::name(kind));
}

void H2Session::deliver(H2Stream& stream, std::string_view data) {
  stream.beforeData();
  if (stream.reset_ || stream.handler_ == nullptr) {
    nghttp2_session_consume_connection(session_, data.size());  // but not the stream's own window
    return;
  }
  if (stream.paused_ || !stream.held_.empty()) {
    stream.held_ += data;
    stream.count();
    // Many callers share a connection to an upstream: one that does not read must not use up its window.
    if (!server_) nghttp2_session_consume_connection(session_, data.size());
    return;
  }
  nghttp2_session_consume(session_, stream.id_, data.size());
  take(stream, data);
}

void H2Session::take(H2Stream& stream, std::string_view data) {
  stream.received_ += data.size();
  // Once the caller has read some of a response, the rest may come faster.
  if (!server_ && !stream.widened_ && stream.received_ > kFirstWindow) {
    stream.widened_ = true;
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream.id_,
                                          static_cast<int32_t>(limits_.stream_window));
  }
  if (stream.body_limit_ > 0 && stream.received_ > stream.body_limit_) return stream.onTooLarge();
  stream.handler_->onBody(data);
}

void H2Session::forget(int32_t id, uint32_t code) {
  const H2Stream* stream = streams_.find(id);
  if (stream == nullptr) return;
  // Held body bytes will never be read, but would keep counting against the connection's window.
  if (server_ && !stream->held_.empty()) nghttp2_session_consume_connection(session_, stream->held_.size());
  dead_.push_back(unlink(id));
  onStreamClosed(*dead_.back(), code);
}

std::unique_ptr<H2Stream> H2Session::unlink(int32_t id) {
  std::unique_ptr<H2Stream> out = streams_.take(id);
  waiting_ -= out->pending();
  out->out_.clear();
  out->sent_ = 0;
  out->counted_.set(0);
  return out;
}

void H2Session::endOfInput(H2Stream& stream) {
  if (!stream.in_ended_) stream.beforeEnd();
  stream.in_ended_ = true;
  // The end of a response takes no memory and may be sent with bytes already queued, so it is not paused.
  const bool paused = stream.paused_ && server_;
  if (!stream.held_.empty() || paused || stream.end_told_ || stream.reset_ || stream.handler_ == nullptr) return;
  stream.end_told_ = true;
  stream.handler_->onEnd();
}

// Delivers held bytes to handlers that have resumed. Not done in resume(), since a handler may call it from anywhere.
void H2Session::runResumed() {
  const auto ids = std::move(resumed_);
  resumed_.clear();
  for (const int32_t id : ids) {
    H2Stream* stream = find(id);
    if (stream == nullptr) continue;
    stream->resuming_ = false;
    if (stream->paused_) continue;
    if (!stream->held_.empty()) {
      const std::string held = std::move(stream->held_);
      stream->held_.clear();
      stream->count();
      if (server_) nghttp2_session_consume_connection(session_, held.size());
      nghttp2_session_consume_stream(session_, id, held.size());
      if (!stream->reset_ && stream->handler_ != nullptr) take(*stream, held);
      stream = find(id);
    }
    if (stream == nullptr || !stream->in_ended_) continue;
    endOfInput(*stream);
    if (stream->closed_ && (stream->end_told_ || stream->handler_ == nullptr)) forget(id, NGHTTP2_NO_ERROR);
  }
}

size_t H2Session::heldByStreams() const {
  size_t out = 0;
  streams_.each([&out](const H2Stream& stream) { out += stream.counted_.bytes(); });
  return out;
}

void H2Session::sendSoon() {
  if (send_planned_) return;
  send_planned_ = true;
  wire_.callAtBatchEnd();
}

// Moves nghttp2's output to the wire, up to the write mark.
void H2Session::pump() {
  YETT_CHECK(!in_library_);
  in_library_ = true;
  const uint8_t* data = nullptr;
  while (wire_.buffered() < kWriteMark) {
    const auto n = nghttp2_session_mem_send(session_, &data);
    if (n < 0) gone_ = true;
    if (n <= 0) break;
    wire_.write({reinterpret_cast<const char*>(data), static_cast<size_t>(n)});
  }
  in_library_ = false;
}

void H2Session::send() {
  send_planned_ = false;
  runResumed();
  pump();
  while (!drained_.empty() && !gone_) {
    const auto drained = std::move(drained_);
    drained_.clear();
    for (const int32_t id : drained) {
      H2Stream* stream = find(id);
      if (stream != nullptr && stream->handler_ != nullptr && !stream->reset_) stream->handler_->onWritable();
    }
    pump();
  }
  if (!gone_ && nghttp2_session_want_read(session_) == 0) {
    gone_ = true;  // a connection error that nghttp2 has answered, or a drained connection
    if (!broken_.empty() || !leaving_) onBroken(broken_.empty() ? "a connection error" : std::string_view(broken_));
  }
  if (gone_) {
    closeStreams(broken_.empty() ? "the connection ended" : std::string(broken_));
    wire_.finish();
  }
  bury();
}

bool H2Session::submitResponse(H2Stream& stream, bool body) {
  nghttp2_data_provider provider{{0}, &Guarded<&H2Callbacks::read>::call};
  sendSoon();
  return nghttp2_submit_response(session_, stream.id_, fields_.data(), fields_.size(), body ? &provider : nullptr) == 0;
}

void H2Session::submitInterim(H2Stream& stream) {
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id_, nullptr, fields_.data(), fields_.size(), nullptr);
  sendSoon();
}

int32_t H2Session::submitRequest(bool body) {
  nghttp2_data_provider provider{{0}, &Guarded<&H2Callbacks::read>::call};
  sendSoon();
  return nghttp2_submit_request(session_, nullptr, fields_.data(), fields_.size(), body ? &provider : nullptr, nullptr);
}

void H2Session::submitSettings(bool server, bool websockets) {
  std::vector<nghttp2_settings_entry> settings{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
       server ? limits_.stream_window : std::min(limits_.stream_window, kFirstWindow)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits_.head_bytes)}};
  if (server) settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams});
  else settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  if (websockets) settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<int32_t>(limits_.connection_window));
  sendSoon();
}

void H2Session::resetStream(H2Stream& stream, uint32_t code) {
  if (stream.reset_ || stream.closed_) return;
  stream.reset_ = true;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, code);
  sendSoon();
}

void H2Session::refused() {
  letComeLate();
  sendSoon();
}

// Frames sent before the peer knew of the end are not a flood: allow as many small frames as its window holds.
void H2Session::letComeLate() {
  constexpr int64_t kMaxLate = 1 << 18;  // frames
  late_ = std::min<int64_t>(late_ + limits_.stream_window / 10, kMaxLate);
}

void H2Session::closeStreams(std::string_view why) {
  gone_ = true;
  while (!streams_.empty()) {
    dead_.push_back(unlink(streams_.any()));
    H2Stream& stream = *dead_.back();
    onConnectionLost(stream, why);
  }
}

void H2Session::bury() {
  if (!in_library_) dead_.clear();
}

}  // namespace yett::http
