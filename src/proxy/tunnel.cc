// WebSocket exchanges: the handshake seen from the middle, and the tunnel after it.
#include "proxy/exchange.h"
#include "proxy/session.h"
#include "proxy/websocket.h"

namespace yett::proxy {

bool Exchange::opensWebSocket() const {
  return request_.wants_websocket && route_ != nullptr && route_->websocket;
}

// The upstream has agreed to switch; from here on bytes pass both ways, and not one before.
void Exchange::openTunnel() {
  http::HeaderMap added;
  if (!lease_.http2()) {
    std::string_view accept;
    if (response_.headers.find("sec-websocket-accept", accept) != 1 || accept != webSocketAccept(websocket_key_))
      return fail(502, "malformed response", "a 101 that does not answer the handshake's key");
  }
  for (auto& field : response_.headers.fields()) {
    if (field.name == "sec-websocket-accept") field.dropped = true;
  }
  std::string_view key;
  if (request_.version != http::Version::kHttp2) {
    for (const auto& field : request_.headers.fields()) {
      if (field.name == "sec-websocket-key") key = field.value;
    }
    websocket_accept_ = webSocketAccept(key);
    added.add("sec-websocket-accept", websocket_accept_);
  }
  tunnel_ = response_begun_ = true;
  status_ = request_.version == http::Version::kHttp2 ? 200 : 101;
  arm(patience());
  down_->sendResponse(response_, added);
  down_->resumeBody();
}

// One side sends no more; the other may go on (a half-closed connection), and the exchange ends with the second.
void Exchange::endTunnelHalf(bool by_client) {
  (by_client ? client_ended_ : upstream_ended_) = true;
  http::ServerStream* down = down_;
  if (by_client) lease_.stream().sendEnd({});
  if (client_ended_ && upstream_ended_) {
    lease_.release();
    finish("complete");
  }
  if (!by_client) down->sendEnd({});
}

// The service has said all it had and takes no more: the client gets what was sent, and its own half goes nowhere.
void Exchange::endTunnel() {
  http::ServerStream* down = down_;
  finish("complete");
  down->discardBody();
}

}  // namespace yett::proxy
