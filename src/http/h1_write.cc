#include "http/h1_write.h"

#include "base/clock.h"
#include "base/text.h"
#include "http/request_rules.h"

namespace yett::http {
namespace {

void writeField(std::string_view name, std::string_view value, std::string& out) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

/// Returns whether there is a date among them.
bool writeFields(const HeaderMap& headers, std::string& out) {
  bool dated = false;
  for (const auto& field : headers.fields()) {
    if (field.dropped || isHopByHop(field.id)) continue;
    writeField(field.name, field.value, out);
    dated = dated || field.id == FieldId::kDate;
  }
  return dated;
}

void writeFraming(Framing framing, uint64_t length, std::string& out) {
  if (framing == Framing::kChunked) {
    out += "transfer-encoding: chunked\r\n";
  } else if (framing == Framing::kTunnel) {
    out += "upgrade: websocket\r\nconnection: upgrade\r\n";
  } else if (framing == Framing::kLength) {
    out += "content-length: ";
    base::appendNumber(out, length);
    out += "\r\n";
  }
}

}  // namespace

std::string& headScratch() {
  thread_local std::string out;
  out.clear();
  return out;
}

void writeRequest(const RequestHead& head, const HeaderMap& added, std::string& out) {
  out += head.method;
  out += ' ';
  out += head.forwardPath();
  if (head.target.has_query) {
    out += '?';
    out += head.target.query;
  }
  out += " HTTP/1.1\r\n";
  writeFields(head.headers, out);
  writeFields(added, out);
  if (saysLengthZero(head)) out += "content-length: 0\r\n";
  writeFraming(head.wants_websocket ? Framing::kTunnel : head.framing, head.content_length, out);
  out += "\r\n";
}

void writeResponse(const ResponseHead& head, const HeaderMap& added, Framing framing, bool close, Version client,
                   std::string& out) {
  out += "HTTP/1.1 ";  // our version, regardless of the client's (RFC 9110 2.5)
  base::appendNumber(out, static_cast<uint64_t>(head.status));
  out += ' ';
  out += head.reason.empty() ? reasonPhrase(head.status) : head.reason;
  out += "\r\n";
  const bool dated = writeFields(head.headers, out);
  writeFields(added, out);
  if (!dated && head.status >= 200) writeField("date", base::httpDate(), out);
  if (framing == Framing::kNone && head.status >= 200 && head.status != 204) {
    // A response to HEAD, or a 304: the length that a GET would have had, if the upstream sent one.
    for (const auto& field : head.headers.fields()) {
      if (field.id == FieldId::kContentLength) writeField(field.name, field.value, out);
    }
  }
  writeFraming(framing, head.content_length, out);
  if (close && framing != Framing::kTunnel) out += "connection: close\r\n";
  else if (client == Version::kHttp10 && head.status >= 200) out += "connection: keep-alive\r\n";
  out += "\r\n";
}

void writeChunkHead(size_t size, std::string& out) {
  char digits[16];
  int at = 16;
  do {
    digits[--at] = "0123456789abcdef"[size & 15];
    size >>= 4;
  } while (size > 0);
  out.append(digits + at, static_cast<size_t>(16 - at));
  out += "\r\n";
}

void writeLastChunk(const HeaderMap& trailers, std::string& out) {
  out += "0\r\n";
  writeFields(trailers, out);
  out += "\r\n";
}

}  // namespace yett::http
