#include <nghttp2/nghttp2.h>

#include <charconv>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <vector>

#include "codec.h"

namespace load {
namespace {

class H2 final : public Codec {
 public:
  H2(const Options& options, Choices& choices, Run& run, bool once)
      : options_(options), choices_(choices), run_(run), once_(once) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &H2::onHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &H2::onData);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &H2::onClose);
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 24},
                                               {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 1 << 30);
    for (const auto& header : options.headers) {
      const auto colon = header.find(": ");
      headers_.emplace_back(header.substr(0, colon), colon == std::string::npos ? "" : header.substr(colon + 2));
    }
  }
  ~H2() override { nghttp2_session_del(session_); }

  void begin(std::string& out) override {
    for (int i = 0; i < options_.streams; ++i) ask();
    send(out);
  }

  bool onBytes(std::string_view bytes, std::string& out) override {
    const ssize_t n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    if (n != static_cast<ssize_t>(bytes.size())) return false;
    while (!once_ && streams_.size() < static_cast<size_t>(options_.streams)) ask();
    send(out);
    return nghttp2_session_want_read(session_) != 0;
  }

  bool done() const override { return once_ && streams_.empty(); }
  uint64_t waiting() const override { return streams_.size(); }

 private:
  struct Stream {
    int64_t asked;
    int status;
    size_t left;
  };

  void ask() {
    std::string path;
    choices_.fill(options_.path, path);
    std::deque<std::string> values;
    std::vector<nghttp2_nv> fields;
    const auto add = [&](const std::string& name, const std::string& value) {
      fields.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                        NGHTTP2_NV_FLAG_NONE});
    };
    static const std::string kMethod = ":method", kScheme = ":scheme", kAuthority = ":authority", kPath = ":path",
                             kLength = "content-length", kHttps = "https", kHttp = "http";
    add(kMethod, options_.method);
    add(kScheme, options_.ca.empty() ? kHttp : kHttps);
    add(kAuthority, options_.host);
    add(kPath, path);
    for (const auto& [name, value] : headers_) {
      choices_.fill(value, values.emplace_back());
      add(name, values.back());
    }
    if (options_.body > 0) add(kLength, values.emplace_back(std::to_string(options_.body)));
    const nghttp2_data_provider body{{.ptr = this}, &H2::giveBody};
    const int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                              options_.body > 0 ? &body : nullptr, nullptr);
    streams_[id] = {nanos(), 0, options_.body};
  }

  void send(std::string& out) {
    const uint8_t* data = nullptr;
    for (ssize_t n; (n = nghttp2_session_mem_send(session_, &data)) > 0;)
      out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
  }

  static ssize_t giveBody(nghttp2_session*, int32_t id, uint8_t* to, size_t size, uint32_t* flags,
                          nghttp2_data_source* source, void*) {
    size_t& left = static_cast<H2*>(source->ptr)->streams_[id].left;
    const size_t n = std::min(size, left);
    std::memset(to, 'x', n);
    left -= n;
    if (left == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }

  static int onHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* self) {
    if (std::string_view(reinterpret_cast<const char*>(name), name_size) == ":status")
      std::from_chars(reinterpret_cast<const char*>(value), reinterpret_cast<const char*>(value) + value_size,
                      static_cast<H2*>(self)->streams_[frame->hd.stream_id].status);
    return 0;
  }

  static int onData(nghttp2_session*, uint8_t, int32_t, const uint8_t*, size_t size, void* self) {
    Run& run = static_cast<H2*>(self)->run_;
    if (run.measuring) run.bytes += size;
    return 0;
  }

  static int onClose(nghttp2_session*, int32_t id, uint32_t error, void* self) {
    auto& h2 = *static_cast<H2*>(self);
    const auto it = h2.streams_.find(id);
    if (it == h2.streams_.end()) return 0;
    h2.run_.answer(it->second.asked, error == 0 && it->second.status == h2.options_.expect);
    h2.streams_.erase(it);
    return 0;
  }

  const Options& options_;
  Choices& choices_;
  Run& run_;
  const bool once_;
  nghttp2_session* session_ = nullptr;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::unordered_map<int32_t, Stream> streams_;
};

}  // namespace

std::unique_ptr<Codec> makeH2(const Options& options, Choices& choices, Run& run, bool once) {
  return std::make_unique<H2>(options, choices, run, once);
}

}  // namespace load
