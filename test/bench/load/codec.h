// Turns requests into bytes and bytes into responses: HTTP/1.1 with our own code, HTTP/2 with nghttp2.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "options.h"
#include "run.h"

namespace load {

class Codec {
 public:
  virtual ~Codec() = default;
  /// The connection is open: appends the first requests to `out`.
  virtual void begin(std::string& out) = 0;
  /// Consumes all bytes and appends what to send next to `out`. False if the response is malformed.
  virtual bool onBytes(std::string_view bytes, std::string& out) = 0;
  /// All requests are answered, and no more will be sent.
  virtual bool done() const = 0;
  /// Requests not answered yet.
  virtual uint64_t waiting() const = 0;
};

/// `once`: one request for each connection.
std::unique_ptr<Codec> makeH1(const Options& options, Choices& choices, Run& run, bool once);
std::unique_ptr<Codec> makeH2(const Options& options, Choices& choices, Run& run, bool once);

}  // namespace load
