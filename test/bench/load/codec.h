// Requests to bytes, bytes to answers: HTTP/1.1 by a few lines of our own, HTTP/2 by nghttp2.
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
  /// The connection is open: the first requests, appended to `out`.
  virtual void begin(std::string& out) = 0;
  /// Takes all bytes; what is to be said next is appended to `out`. False where the answer makes no sense.
  virtual bool onBytes(std::string_view bytes, std::string& out) = 0;
  /// All that was asked is answered, and nothing more will be asked.
  virtual bool done() const = 0;
  /// Requests without an answer.
  virtual uint64_t waiting() const = 0;
};

/// `once`: one request for each connection.
std::unique_ptr<Codec> makeH1(const Options& options, Choices& choices, Run& run, bool once);
std::unique_ptr<Codec> makeH2(const Options& options, Choices& choices, Run& run, bool once);

}  // namespace load
