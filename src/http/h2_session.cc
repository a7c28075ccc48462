#include "http/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

namespace yett::http {

static constexpr size_t kKeepCapacity = 16 << 10;

static constexpr size_t kConnectionMark = 512 << 10;

bool H2Stream::hasRoom() const {
  return pending() < kWriteMark && (pending() == 0 || session_.waiting_ < kConnectionMark);
}

void H2Stream::queueBody(std::string_view data) {
  if (data.empty() || out_ended_ || reset_) return;
  if (pending() == 0) {
    if (out_.capacity() > kKeepCapacity) std::string().swap(out_);
    out_.clear();
    sent_ = 0;
  }
  out_ += data;
  session_.waiting_ += data.size();
  if (!hasRoom()) was_full_ = true;
  nghttp2_session_resume_data(session_.session_, id_);
  session_.sendSoon();
}

void H2Stream::queueEnd(const HeaderMap& trailers) {
  if (out_ended_ || reset_) return;
  out_ended_ = true;
  size_t size = 0;
  for (const auto& field : trailers.fields()) size += field.name.size() + field.value.size();
  trailers_text_.reserve(size);  // views into it must stay good
  for (const auto& field : trailers.fields()) {
    if (field.dropped) continue;
    const char* at = trailers_text_.data() + trailers_text_.size();
    trailers_text_ += field.name;
    trailers_text_ += field.value;
    trailers_out_.add({at, field.name.size()}, {at + field.name.size(), field.value.size()});
  }
  nghttp2_session_resume_data(session_.session_, id_);
  session_.sendSoon();
}

void H2Stream::resume() {
  if (!paused_) return;
  paused_ = false;
  if (resuming_ || (held_.empty() && !in_ended_)) return;
  resuming_ = true;
  session_.resumed_.push_back(id_);
  session_.sendSoon();
}

/// What nghttp2 calls. `self` is the session; no exception may pass.
struct H2Callbacks {
  static H2Session& of(void* self) { return *static_cast<H2Session*>(self); }

  static bool beginsBlock(const nghttp2_frame* frame) { return frame->hd.type == NGHTTP2_HEADERS; }

  static int onBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (!beginsBlock(frame)) return 0;
    of(self).block_.clear();
    of(self).in_block_ = true;
    return 0;
  }

  static int onHeader(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* self) {
    auto& s = of(self);
    s.block_.add({reinterpret_cast<const char*>(name), name_size}, {reinterpret_cast<const char*>(value), value_size},
                 s.limits_);
    // The rest of a block must be decoded, or the next one cannot be; but not without end.
    if (s.block_.decodedBytes() > 4 * s.limits_.head_bytes && !s.gone_)
      s.terminate(NGHTTP2_ENHANCE_YOUR_CALM, "a header block far over the limit");
    return 0;
  }

  // A name or value that breaks the grammar (RFC 9113 8.2.1): nghttp2 would only leave the field out.
  static int onInvalidHeader(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t*, size_t,
                             const uint8_t*, size_t, uint8_t, void*) {
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int onBeginFrame(nghttp2_session*, const nghttp2_frame_hd* header, void* self) {
    if (header->type == NGHTTP2_HEADERS) of(self).onHeadersFrame(header->stream_id);
    return 0;
  }

  static int onFrame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    auto& s = of(self);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS: {
        s.in_block_ = false;
        ++s.handled_;
        const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (!s.gone_) s.onBlock(frame->hd.stream_id, frame->headers.cat, ends);
        if (H2Stream* stream = ends ? s.find(frame->hd.stream_id) : nullptr) s.endOfInput(*stream);
        return 0;
      }
      case NGHTTP2_DATA:
        ++s.handled_;
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
          if (H2Stream* stream = s.find(frame->hd.stream_id)) s.endOfInput(*stream);
        } else if (frame->hd.length == frame->data.padlen) {
          s.charge(H2Flood::Kind::kEmptyData);
        }
        return 0;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) s.onPingAnswered();
        return 0;
      case NGHTTP2_GOAWAY: s.onGoAway(); return 0;
      default: return 0;
    }
  }

  static int onData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* self) {
    auto& s = of(self);
    H2Stream* stream = s.find(id);
    if (stream == nullptr || s.gone_) {
      nghttp2_session_consume(s.session_, id, size);
      return 0;
    }
    s.deliver(*stream, {reinterpret_cast<const char*>(data), size});
    return 0;
  }

  static int onClose(nghttp2_session*, int32_t id, uint32_t code, void* self) {
    auto& s = of(self);
    H2Stream* stream = s.find(id);
    if (stream == nullptr) {
      if (code != NGHTTP2_NO_ERROR) s.charge(H2Flood::Kind::kBadBlock);
      return 0;
    }
    stream->closed_ = true;
    if (code == NGHTTP2_NO_ERROR) s.flood_.completed();
    else if (!stream->reset_) s.charge(H2Flood::Kind::kReset);
    const bool waits = stream->outlives_closing_ && stream->handler_ != nullptr && !stream->reset_ &&
                       stream->in_ended_ && !stream->end_told_;
    if (!waits) s.close(id, code);  // else its handler has not taken all yet
    return 0;
  }

  static int onSent(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    auto& s = of(self);
    if (frame->hd.type == NGHTTP2_DATA) s.flood_.dataSent();
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (H2Stream* stream = s.find(frame->hd.stream_id)) s.onHalfSent(*stream);
    return 0;
  }

  static int onInvalidFrame(nghttp2_session*, const nghttp2_frame* frame, int code, void* self) {
    auto& s = of(self);
    if (frame->hd.type == NGHTTP2_HEADERS) s.in_block_ = false;
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) ++s.handled_;
    if (s.broken_.empty()) s.broken_ = nghttp2_strerror(code);
    return 0;
  }

  static int onError(nghttp2_session*, int, const char* text, size_t size, void* self) {
    auto& s = of(self);
    if (s.broken_.empty()) s.broken_.assign(text, size);
    return 0;
  }

  static ssize_t read(nghttp2_session* session, int32_t id, uint8_t* to, size_t size, uint32_t* flags,
                      nghttp2_data_source*, void* self) {
    auto& s = of(self);
    H2Stream* stream = s.find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const size_t n = std::min(size, stream->pending());
    if (n == 0 && !stream->out_ended_) return NGHTTP2_ERR_DEFERRED;
    std::memcpy(to, stream->out_.data() + stream->sent_, n);
    stream->sent_ += n;
    s.waiting_ -= n;
    if (stream->was_full_ && stream->hasRoom()) {
      stream->was_full_ = false;
      s.drained_.push_back(id);
    }
    if (stream->out_ended_ && stream->pending() == 0) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!stream->trailers_out_.fields().empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        H2Fields fields;
        fields.trailers(stream->trailers_out_);
        nghttp2_submit_trailer(session, id, fields.data(), fields.size());
      }
    }
    return static_cast<ssize_t>(n);
  }
};

nghttp2_session_callbacks* H2Session::callbacks() {
  static nghttp2_session_callbacks* const made = [] {
    nghttp2_session_callbacks* c = nullptr;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, &H2Callbacks::onBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(c, &H2Callbacks::onHeader);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, &H2Callbacks::onInvalidHeader);
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, &H2Callbacks::onBeginFrame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, &H2Callbacks::onFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, &H2Callbacks::onData);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, &H2Callbacks::onClose);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, &H2Callbacks::onSent);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, &H2Callbacks::onInvalidFrame);
    nghttp2_session_callbacks_set_error_callback2(c, &H2Callbacks::onError);
    return c;
  }();
  return made;
}

H2Session::H2Session(Wire& wire, const Limits& limits, bool server)
    : wire_(wire), limits_(limits), flood_(wire.nowMillis()), skip_(server ? NGHTTP2_CLIENT_MAGIC_LEN : 0) {
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_settings(option, 32);
  nghttp2_option_set_max_outbound_ack(option, 200);
  nghttp2_option_set_max_deflate_dynamic_table_size(option, 4096);
  if (server) nghttp2_session_server_new2(&session_, callbacks(), this, option);
  else nghttp2_session_client_new2(&session_, callbacks(), this, option);
  nghttp2_option_del(option);
}

H2Session::~H2Session() {
  nghttp2_session_del(session_);
}

H2Stream* H2Session::find(int32_t id) {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second.get();
}

void H2Session::addStream(std::unique_ptr<H2Stream> stream) {
  const int32_t id = stream->id_;
  streams_.emplace(id, std::move(stream));
}

// Looks at every frame's head, since nghttp2 tells nothing of those that it ignores.
void H2Session::countFrames(std::string_view bytes) {
  constexpr size_t kHead = 9;
  while (!bytes.empty() && !gone_) {
    if (skip_ > 0) {
      const size_t n = std::min<size_t>(skip_, bytes.size());
      bytes.remove_prefix(n);
      skip_ -= n;
      continue;
    }
    const size_t n = std::min(kHead - frame_head_.size(), bytes.size());
    frame_head_ += bytes.substr(0, n);
    bytes.remove_prefix(n);
    if (frame_head_.size() < kHead) return;
    const auto* head = reinterpret_cast<const uint8_t*>(frame_head_.data());
    skip_ = static_cast<size_t>(head[0]) << 16 | static_cast<size_t>(head[1]) << 8 | head[2];
    const bool ack = (head[4] & NGHTTP2_FLAG_ACK) != 0;
    switch (head[3]) {
      case NGHTTP2_DATA:
      case NGHTTP2_HEADERS: ++seen_; break;
      case NGHTTP2_SETTINGS:
        if (!ack) charge(H2Flood::Kind::kSettings);
        break;
      case NGHTTP2_PING:
        if (!ack) charge(H2Flood::Kind::kPing);
        break;
      case NGHTTP2_PRIORITY: charge(H2Flood::Kind::kPriority); break;
      case NGHTTP2_WINDOW_UPDATE: charge(H2Flood::Kind::kWindowUpdate); break;
      case NGHTTP2_RST_STREAM: charge(H2Flood::Kind::kClosedStream); break;
      case NGHTTP2_CONTINUATION:
      case NGHTTP2_GOAWAY: break;  // nghttp2 limits the ones, and goes after the others
      default: charge(H2Flood::Kind::kUnknown);
    }
    frame_head_.clear();
  }
}

bool H2Session::receive(std::string_view bytes) {
  if (gone_) return false;
  broken_.clear();
  countFrames(bytes);
  if (gone_) return false;
  in_library_ = true;
  const auto n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  in_library_ = false;
  if (n < 0) {
    terminate(NGHTTP2_PROTOCOL_ERROR, broken_.empty() ? nghttp2_strerror(static_cast<int>(n)) : broken_.c_str());
  }
  // Of DATA and HEADERS that were begun all but the last have been handled, or are of streams that are closed.
  for (; seen_ > handled_ + ignored_ + 1 && !gone_; ++ignored_) charge(H2Flood::Kind::kClosedStream);
  sendSoon();
  bury();
  return !gone_;
}

void H2Session::terminate(uint32_t code, std::string_view why) {
  if (gone_) return;
  gone_ = true;
  nghttp2_session_terminate_session(session_, code);
  if (!why.empty()) onBroken(why);
  sendSoon();
}

void H2Session::charge(H2Flood::Kind kind) {
  if (gone_ || flood_.charge(kind, wire_.nowMillis())) return;
  terminate(NGHTTP2_ENHANCE_YOUR_CALM, std::string("too many ") + H2Flood::name(kind));
}

void H2Session::deliver(H2Stream& stream, std::string_view data) {
  if (stream.reset_ || stream.handler_ == nullptr) {
    nghttp2_session_consume(session_, stream.id_, data.size());
    return;
  }
  if (stream.paused_ || !stream.held_.empty()) {
    stream.held_ += data;
    return;
  }
  nghttp2_session_consume(session_, stream.id_, data.size());
  stream.received_ += data.size();
  if (stream.body_limit_ > 0 && stream.received_ > stream.body_limit_) return stream.onTooLarge();
  stream.handler_->onBody(data);
}

void H2Session::close(int32_t id, uint32_t code) {
  const auto it = streams_.find(id);
  if (it == streams_.end()) return;
  // What is held of its body will not be taken, but counts against the connection's window until it is.
  if (!it->second->held_.empty()) nghttp2_session_consume_connection(session_, it->second->held_.size());
  dead_.push_back(take(it));
  onStreamClosed(*dead_.back(), code);
}

std::unique_ptr<H2Stream> H2Session::take(std::map<int32_t, std::unique_ptr<H2Stream>>::iterator at) {
  std::unique_ptr<H2Stream> out = std::move(at->second);
  waiting_ -= out->pending();
  out->out_.clear();
  out->sent_ = 0;
  streams_.erase(at);
  return out;
}

void H2Session::endOfInput(H2Stream& stream) {
  stream.in_ended_ = true;
  if (!stream.held_.empty() || stream.paused_ || stream.end_told_ || stream.reset_ || stream.handler_ == nullptr)
    return;
  stream.end_told_ = true;
  stream.handler_->onEnd();
}

// Of streams whose handlers can take bytes again. Not from resume(), which the handler may have called from anywhere.
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
      deliver(*stream, held);
      stream = find(id);
    }
    if (stream == nullptr || !stream->in_ended_) continue;
    endOfInput(*stream);
    if (stream->closed_ && stream->end_told_) close(id, NGHTTP2_NO_ERROR);
  }
}

void H2Session::sendSoon() {
  if (send_planned_) return;
  send_planned_ = true;
  wire_.flushSoon();
}

// Moves what nghttp2 has to the wire, up to the mark.
void H2Session::pump() {
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
    if (!broken_.empty()) onBroken(broken_);
  }
  if (gone_) {
    closeStreams(broken_.empty() ? "the connection ended" : std::string(broken_));
    wire_.finish();
  }
  bury();
}

bool H2Session::submitResponse(H2Stream& stream, const H2Fields& fields, bool body) {
  nghttp2_data_provider provider{{0}, &H2Callbacks::read};
  sendSoon();
  return nghttp2_submit_response(session_, stream.id_, fields.data(), fields.size(), body ? &provider : nullptr) == 0;
}

void H2Session::submitInterim(H2Stream& stream, const H2Fields& fields) {
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id_, nullptr, fields.data(), fields.size(), nullptr);
  sendSoon();
}

int32_t H2Session::submitRequest(const H2Fields& fields, bool body) {
  nghttp2_data_provider provider{{0}, &H2Callbacks::read};
  sendSoon();
  return nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), body ? &provider : nullptr, nullptr);
}

void H2Session::submitSettings(bool server, bool websockets) {
  std::vector<nghttp2_settings_entry> settings{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window},
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

void H2Session::closeStreams(std::string_view why) {
  gone_ = true;
  while (!streams_.empty()) {
    dead_.push_back(take(streams_.begin()));
    H2Stream& stream = *dead_.back();
    onConnectionLost(stream, why);
  }
}

void H2Session::bury() {
  if (!in_library_) dead_.clear();
}

}  // namespace yett::http
