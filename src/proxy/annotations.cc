#include "proxy/annotations.h"

#include <algorithm>

#include "base/sha256.h"
#include "base/uuid7.h"
#include "request/forwarded.h"
#include "request/headers.h"

namespace yett::proxy {

void Annotations::make(http::RequestHead& request, const authz::Permit& permit, const Provenance& from) {
  const auto& obligations = permit.obligations();
  request::dropNamed(request.headers, obligations.remove_headers);
  for (const auto& [name, value] : obligations.set_headers) added_.add(name, value);
  for (const auto& [name, value] : from.token_headers) {
    const bool set = std::any_of(
        obligations.set_headers.begin(), obligations.set_headers.end(),
        [&, &header = name](const auto& one) { return request::isNamed(header, std::span(&one.first, 1)); });
    if (!set && !request::isNamed(name, obligations.remove_headers)) added_.add(name, value);
  }
  const http::HeaderMap& sent = request.headers;
  std::string_view before;
  added_.add("x-yett-decision-id", base::view(permit.id()));
  if (!from.principal.anonymous()) {
    added_.add("x-yett-principal", from.principal.id);
  }
  if (!from.certificate.empty()) {
    forwarded_cert_ = request::joinedFields(sent, "x-forwarded-client-cert", ",");
    if (!forwarded_cert_.empty()) forwarded_cert_ += ',';
    forwarded_cert_ += from.certificate;
    added_.add("x-forwarded-client-cert", forwarded_cert_);
  }
  if (!from.peer.empty()) {
    forwarded_for_ = request::joinedFields(sent, "x-forwarded-for", ", ");
    if (!forwarded_for_.empty()) forwarded_for_ += ", ";
    forwarded_for_ += from.peer;
    added_.add("x-forwarded-for", forwarded_for_);
  }
  if (sent.find("x-forwarded-proto", before) == 0) added_.add("x-forwarded-proto", from.tls ? "https" : "http");
  if (sent.find("x-request-id", before) == 0) added_.add("x-request-id", base::view(permit.id()));
  // The extended values replace the received ones.
  for (auto& field : request.headers.fields()) {
    if (field.name == "x-forwarded-client-cert" || field.name == "x-forwarded-for") field.dropped = true;
  }
}

void Annotations::clear() {
  added_.clear();
  forwarded_for_.clear();
  forwarded_cert_.clear();
}

}  // namespace yett::proxy
