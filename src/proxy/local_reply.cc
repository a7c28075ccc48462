#include "proxy/local_reply.h"

#include <algorithm>

#include "base/json.h"
#include "proxy/grpc.h"
#include "proxy/tokens.h"

namespace yett::proxy {

static bool decided(const LocalReply& reply) {
  return reply.decision_id[0] != '\0';
}

size_t sendProblem(http::ServerStream& down, const LocalReply& reply) {
  std::string body;
  json::ObjectWriter document(body);
  document.field("type", "about:blank").field("title", http::reasonPhrase(reply.status)).field("status", reply.status);
  if (!reply.detail.empty()) document.field("detail", reply.detail);
  if (decided(reply)) document.field("decision_id", base::view(reply.decision_id));
  document.end();
  body += '\n';
  http::ResponseHead head;
  head.status = reply.status;
  head.framing = http::Framing::kLength;
  head.content_length = body.size();
  http::HeaderMap fields;
  fields.add("content-type", "application/problem+json");
  fields.add("cache-control", "no-store");
  if (decided(reply)) fields.add("x-yett-decision-id", base::view(reply.decision_id));
  const bool bad =
      reply.cause == Cause::kTokenInvalid || reply.cause == Cause::kTokenExpired || reply.cause == Cause::kTokenRevoked;
  const std::string challenge = bearerChallenge(bad ? reply.detail : std::string_view());
  if (reply.status == 401) fields.add("www-authenticate", challenge);  // RFC 9110 15.5.2 wants one
  const std::string retry_after = std::to_string(std::max<int64_t>(1, reply.retry_after));
  if (reply.status == 503 || reply.status == 429) fields.add("retry-after", retry_after);
  if (reply.status == 426) fields.add("sec-websocket-version", "13");  // RFC 6455 4.4
  down.discardBody();
  down.sendResponse(head, fields);
  down.sendBody(body);
  return body.size();
}

std::string sendGrpcStatus(http::ServerStream& down, const LocalReply& reply) {
  std::string code = std::to_string(grpcCode(reply.cause, reply.status));
  std::string message;
  http::HeaderMap fields;
  fields.add("content-type", "application/grpc");
  addGrpcStatus(reply, code, message, fields);
  http::ResponseHead head;
  head.status = 200;
  down.discardBody();
  down.sendResponse(head, fields);
  return code;
}

void addGrpcStatus(const LocalReply& reply, const std::string& code, std::string& message, http::HeaderMap& to) {
  message = grpcMessage(reply.detail.empty() ? text(reply.cause) : reply.detail);
  to.add("grpc-status", code);
  to.add("grpc-message", message);
  if (decided(reply)) to.add("x-yett-decision-id", base::view(reply.decision_id));
}

}  // namespace yett::proxy
