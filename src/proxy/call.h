// One request and what the stages find out about it: plain data, used again for other requests.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "authz/authorizer.h"
#include "http/head.h"
#include "identity/principal.h"
#include "policy/check_request.h"
#include "proxy/listener.h"
#include "proxy/shadow.h"

namespace yett::proxy {

class Session;

/// What is spoken over the exchange decides how long it may last, how Yett answers by itself, how it ends.
struct PlainCall {};
struct GrpcCall {
  int64_t deadline_nanos = 0;  ///< of grpc-timeout, steady; 0: none
};
struct WebSocketCall {
  bool open = false;  ///< the service has agreed: bytes pass both ways, each way with an end of its own
  bool client_ended = false;
  bool service_ended = false;
};
using CallKind = std::variant<PlainCall, GrpcCall, WebSocketCall>;

/// Belongs to its exchange.
struct Call {
  Session* session = nullptr;
  http::RequestHead request;
  std::shared_ptr<const ListenerState> listener;
  std::shared_ptr<const identity::Principal> principal;  ///< of the stage `authenticate`
  CallKind kind;
  const Route* route = nullptr;       ///< of listener; null: none fits
  const Route* body_route = nullptr;  ///< whose `buffer_body` counts

  std::vector<policy::Header> headers;  ///< as policy sees them
  std::string body;                     ///< what came of it before the decision, where policy sees it
  policy::Body seen_body;
  bool request_ended = false;
  bool waited = false;  ///< between its head and its decision

  authz::Decided decided;
  Shadow shadow;
  int64_t began_wall = 0;  ///< microseconds since 1970
  int64_t began_nanos = 0;
  int64_t decided_nanos = 0;  ///< when it was last decided; steady

  /// A handshake that the route lets through.
  bool opensWebSocket() const { return request.wants_websocket && route != nullptr && route->websocket; }
  bool hasBody() const { return request.framing != http::Framing::kNone; }
  /// The route lets policy see the body, and not all of it is here.
  bool awaitsBody() const { return route != nullptr && body_route->buffer_body > 0 && hasBody() && !request_ended; }
  std::string_view routeName() const { return route != nullptr ? std::string_view(route->name) : ""; }

  GrpcCall* grpc() { return std::get_if<GrpcCall>(&kind); }
  const GrpcCall* grpc() const { return std::get_if<GrpcCall>(&kind); }
  WebSocketCall* webSocket() { return std::get_if<WebSocketCall>(&kind); }
  const WebSocketCall* webSocket() const { return std::get_if<WebSocketCall>(&kind); }
  bool tunnel() const { return webSocket() != nullptr && webSocket()->open; }

  /// Forgets all that belongs to the last request, and lets go of what it pinned. Texts keep their memory.
  void clear();
};

}  // namespace yett::proxy
