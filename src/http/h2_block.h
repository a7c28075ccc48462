// HTTP/2 header blocks (RFC 9113 8): collects received fields into a head, and turns a head into fields to send.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"
#include "http/limits.h"
#include "http/request_rules.h"

namespace yett::http {

/// Collects the fields of the block being received; a connection has one at a time. Reuses its memory.
class H2Block {
 public:
  void clear();
  /// Adds one field; the grammar of its name and value is already checked.
  void add(std::string_view name, std::string_view value, const Limits& limits);
  /// Over the limits: the rest of the block was not kept. A block far over them is treated as an attack.
  bool tooLarge() const { return too_large_; }
  size_t decodedBytes() const { return decoded_; }

  /// Builds the request's head: pseudo-header fields become method, target and Host; cookie crumbs are joined (RFC 9113
  /// 8.2.3); an extended CONNECT for WebSocket (RFC 8441) becomes the equivalent GET with Upgrade.
  ParseError toRequest(bool ends, const Limits& limits, RequestHead& out);
  /// `to_head`: it answers a HEAD request.
  ParseError toResponse(bool ends, bool to_head, ResponseHead& out);
  ParseError toTrailers(Head& out);

 private:
  struct Span {
    size_t name, name_size, value, value_size;
  };
  std::string_view pseudo(std::string_view name, const char* kept) const;
  void fields(const char* kept, HeaderMap& out) const;
  void joinCookies();

  std::string text_;
  std::string cookies_;
  std::vector<Span> spans_;
  std::vector<Span> pseudos_;
  size_t decoded_ = 0;
  size_t count_ = 0;
  size_t crumbs_ = 0;
  bool too_large_ = false;
};

/// Fields to send, made anew by each call. They are views of the head they were made from: submit them before it
/// changes.
class H2Fields {
 public:
  H2Fields();
  ~H2Fields();
  void request(const RequestHead& head, const HeaderMap& added, std::string_view scheme);
  void response(const ResponseHead& head, const HeaderMap& added, bool with_length);
  void trailers(const HeaderMap& trailers);
  const nghttp2_nv* data() const;
  size_t size() const;

 private:
  void add(std::string_view name, std::string_view value);
  /// Returns whether there is a date among them.
  bool addAll(const HeaderMap& headers);
  void addLength(uint64_t length);
  std::vector<nghttp2_nv> fields_;
  char digits_[24];
  std::string path_;
};

}  // namespace yett::http
