#include "http/h1_write.h"

#include "base/text.h"

namespace yett::http {
namespace {

void writeField(std::string_view name, std::string_view value, std::string& out) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

void writeFields(const HeaderMap& headers, std::string& out) {
  for (const auto& field : headers.fields()) {
    if (!field.dropped && !isHopByHop(field.id)) writeField(field.name, field.value, out);
  }
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
  writeFraming(head.wants_websocket ? Framing::kTunnel : head.framing, head.content_length, out);
  out += "\r\n";
}

void writeResponse(const ResponseHead& head, const HeaderMap& added, Framing framing, bool close, Version client,
                   std::string& out) {
  out += client == Version::kHttp10 ? "HTTP/1.0 " : "HTTP/1.1 ";
  base::appendNumber(out, static_cast<uint64_t>(head.status));
  out += ' ';
  out += head.reason.empty() ? reasonPhrase(head.status) : head.reason;
  out += "\r\n";
  writeFields(head.headers, out);
  writeFields(added, out);
  if (framing == Framing::kNone && head.status >= 200 && head.status != 204) {
    // An answer to HEAD, or 304: the length that a GET would have had, where the upstream gave one.
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
