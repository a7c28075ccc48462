// The nghttp2 callbacks of an H2Session, for h2_session.cc only. No exception passes through nghttp2 (Guarded).
// Handlers called from here may call back, but such calls may only queue (submit, resume, terminate), give credit
// (consume, windows) or query nghttp2. Bytes are fed and fetched, and sessions freed, only from outside
// (`in_library_`).
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

#include "http/h2_session.h"

namespace yett::http {

/// Any exception (such as out of memory) ends the connection.
template <auto callback>
struct Guarded;
template <typename Out, typename... In, Out (*callback)(In...)>
struct Guarded<callback> {
  static Out call(In... in) noexcept {
    try {
      return callback(in...);
    } catch (...) {
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
  }
};

/// `self` is the session.
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
    // The rest of a block must be decoded, or later blocks cannot be; but not without limit.
    if (s.block_.decodedBytes() > 4 * s.limits_.head_bytes && !s.gone_)
      s.terminate(NGHTTP2_ENHANCE_YOUR_CALM, "a header block far over the limit");
    return 0;
  }

  // A name or value that violates the grammar (RFC 9113 8.2.1): by default, nghttp2 would only drop the field.
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
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) s.onSettings();
        return 0;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) s.onPingAnswered();
        return 0;
      case NGHTTP2_RST_STREAM:
        if (H2Stream* stream = s.find(frame->hd.stream_id)) stream->reset_by_peer_ = true;
        return 0;
      case NGHTTP2_GOAWAY: s.leaving_ = true; return 0;
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
      // A request that Yett itself refused may be retried.
      if (s.server_ && code != NGHTTP2_NO_ERROR)
        s.charge(code == NGHTTP2_REFUSED_STREAM ? H2Flood::Kind::kLateReset : H2Flood::Kind::kBadBlock);
      return 0;
    }
    stream->closed_ = true;
    s.chargeEnd(*stream, code);
    const bool waits = stream->outlives_closing_ && stream->handler_ != nullptr && !stream->reset_ &&
                       stream->in_ended_ && !stream->end_told_;
    if (!waits) s.forget(id, code);  // otherwise its handler has not consumed everything yet
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
    if (frame->hd.type == NGHTTP2_HEADERS && s.server_) s.charge(H2Flood::Kind::kBadBlock);
    if (s.broken_.empty()) s.broken_ = nghttp2_strerror(code);
    return 0;
  }

  // The library's own text quotes the peer, including credentials; the code is enough.
  static int onError(nghttp2_session*, int code, const char*, size_t, void* self) {
    auto& s = of(self);
    if (s.broken_.empty()) s.broken_ = nghttp2_strerror(code);
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
    stream->sent_total_ += n;
    stream->count();
    if (stream->was_full_) {
      stream->was_full_ = false;
      if (stream->hasRoom()) s.drained_.push_back(id);
    }
    if (stream->out_ended_ && stream->pending() == 0) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!stream->trailers_out_.fields().empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        s.fields_.trailers(stream->trailers_out_);
        nghttp2_submit_trailer(session, id, s.fields_.data(), s.fields_.size());
      }
    }
    return static_cast<ssize_t>(n);
  }
};

}  // namespace yett::http
