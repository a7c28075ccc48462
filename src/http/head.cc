#include "http/head.h"

namespace yett::http {

void Head::clearShared() {
  headers.clear();
  trailers.clear();
  framing = Framing::kNone;
  content_length = 0;
  version = Version::kHttp11;
  keep_alive = true;
}

void RequestHead::clear() {
  clearShared();
  method = raw_target = {};
  target.clear();
  host.clear();
  expects_continue = wants_websocket = with_parameters = false;
}

void ResponseHead::clear() {
  clearShared();
  status = 0;
  reason = {};
}

size_t headListSize(const RequestHead& head, const HeaderMap& added) {
  constexpr size_t kEach = 32;
  size_t size =
      4 * kEach + 40 + head.method.size() + head.host.size() + head.forwardPath().size() + head.target.query.size();
  for (const auto* fields : {&head.headers, &added}) {
    for (const auto& field : fields->fields()) {
      if (!field.dropped) size += field.name.size() + field.value.size() + kEach;
    }
  }
  return size;
}

std::string_view reasonPhrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 417: return "Expectation Failed";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
}

}  // namespace yett::http
