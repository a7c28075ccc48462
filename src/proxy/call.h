// One request and what the stages find out about it: plain data, reused for other requests.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "authz/authorizer.h"
#include "http/head.h"
#include "identity/principal.h"
#include "policy/check_request.h"
#include "proxy/cause.h"
#include "proxy/listener.h"
#include "proxy/route_table.h"
#include "proxy/shadow.h"

namespace yett::proxy {

class Session;

/// The protocol of the exchange decides how long it may last, how Yett's own answers look, and how it ends.
struct PlainCall {};
struct GrpcCall {
  int64_t deadline_nanos = 0;  ///< of grpc-timeout, steady; 0: none
};
struct WebSocketCall {
  bool open = false;  ///< the service has agreed: bytes flow both ways, and each direction ends separately
  bool client_ended = false;
  bool service_ended = false;
};
using CallKind = std::variant<PlainCall, GrpcCall, WebSocketCall>;

/// Belongs to its exchange.
struct Call {
  Session* session = nullptr;
  http::RequestHead request;
  std::shared_ptr<const ListenerState> listener;
  std::shared_ptr<const identity::Principal> principal;  ///< set by the stage `authenticate`
  CallKind kind;
  const Route* route = nullptr;            ///< of `listener`; null: none matches
  RouteTable::Tokens asked_tokens;         ///< providers, and whether their token is required
  Cause token_refusal = Cause::kNone;      ///< set by the stage `tokens`
  std::string token_why;                   ///< likewise: why
  int64_t tokens_until = INT64_MAX;        ///< when the first of the tokens ends, in seconds since 1970
  std::deque<std::string> cookies;         ///< fields without the tokens in them
  std::vector<policy::NamedToken> tokens;  ///< verified by the providers of `listener`
  std::vector<std::pair<std::string, std::string>> token_headers;  ///< that tell the service of them
  bool forwarder = false;                      ///< the caller is one of the listener's trusted forwarders
  bool may_forward = false;                    ///< the listener has some, and the caller shows a certificate
  policy::Forwarded forwarded;                 ///< what a forwarder says; of others, their own address
  const std::string* split_cluster = nullptr;  ///< the one that was chosen among the route's `clusters`
  const Route* body_route = nullptr;           ///< the route whose `buffer_body` applies

  std::vector<policy::Header> headers;  ///< as policy sees them
  std::string body;                     ///< the part received before the decision, if policy sees it
  policy::Body seen_body;
  bool request_ended = false;
  bool waited = false;  ///< for the body, between head and decision

  authz::Decided decided;
  Shadow shadow;
  int64_t retry_after = 0;  ///< seconds, for the caller of a request that a rate limit refuses; 0: nothing to say
  int64_t began_wall = 0;   ///< microseconds since 1970
  int64_t began_nanos = 0;
  int64_t decided_nanos = 0;  ///< when it was last decided; steady
  uint64_t policy_epoch = 0;  ///< the worker's, then
  uint64_t other_epoch = 0;

  /// A WebSocket handshake that the route allows.
  bool opensWebSocket() const { return request.wants_websocket && route != nullptr && route->websocket; }
  bool hasBody() const { return request.framing != http::Framing::kNone; }
  /// The route lets policy see the body, and not all of it has arrived.
  bool awaitsBody() const { return route != nullptr && body_route->buffer_body > 0 && hasBody() && !request_ended; }
  /// REQUIRES: there is a route.
  const std::string& clusterName() const { return split_cluster != nullptr ? *split_cluster : route->cluster; }
  std::string_view routeName() const { return route != nullptr ? std::string_view(route->name) : ""; }

  GrpcCall* grpc() { return std::get_if<GrpcCall>(&kind); }
  const GrpcCall* grpc() const { return std::get_if<GrpcCall>(&kind); }
  WebSocketCall* webSocket() { return std::get_if<WebSocketCall>(&kind); }
  const WebSocketCall* webSocket() const { return std::get_if<WebSocketCall>(&kind); }
  bool tunnel() const { return webSocket() != nullptr && webSocket()->open; }

  /// Clears everything of the last request and releases what it pinned. Strings keep their memory.
  void clear();
};

}  // namespace yett::proxy
