// The tunnel of a WebSocket exchange, once the service has agreed to it.
#include "http/head.h"
#include "http/header_map.h"
#include "http/stream.h"
#include "proxy/exchange.h"
#include "proxy/websocket.h"

namespace yett::proxy {

// From here on bytes flow both ways; none did before.
void Exchange::openTunnel(http::ResponseHead& head) {
  const auto& request = call_.request;
  const bool http2 = request.version == http::Version::kHttp2;
  http::HeaderMap added;
  if (!http2) {
    std::string_view key;
    for (const auto& field : request.headers.fields()) {
      if (field.name == "sec-websocket-key") key = field.value;
    }
    websocket_accept_ = webSocketAccept(key);
    added.add("sec-websocket-accept", websocket_accept_);
  }
  call_.webSocket()->open = true;
  account_.status = http2 ? 200 : 101;
  arm(patience());
  down_->sendResponse(head, added);
  down_->resumeBody();
}

// One side has finished sending; the other may continue (a half-closed connection). The exchange ends when both have
// finished.
void Exchange::endTunnelHalf(bool by_client) {
  WebSocketCall& tunnel = *call_.webSocket();
  (by_client ? tunnel.client_ended : tunnel.service_ended) = true;
  http::ServerStream* down = down_;
  if (by_client) forwarding_->sendEnd();
  if (tunnel.client_ended && tunnel.service_ended) {
    release();
    finish(Cause::kComplete);
  }
  if (!by_client) down->sendEnd({});
}

// The service has sent everything and takes no more: the client gets what was sent, and its own data is discarded.
void Exchange::onEnough() {
  http::ServerStream* down = down_;
  finish(Cause::kComplete);
  down->discardBody();
}

}  // namespace yett::proxy
