// Targets for network input. Where bytes may arrive in any pieces, the split must not matter.
#include <algorithm>

#include "fuzz/targets.h"
#include "http/h1_client.h"
#include "request/headers.h"
#include "request/xfcc.h"
#include "support/h1_harness.h"
#include "support/h2_harness.h"
#include "target/canonical.h"
#include "target/host.h"

namespace yett::fuzz {
namespace {

constexpr size_t kMax = 4096;  // feeding byte by byte takes quadratic time

std::string told(const test::H1Harness& h) {
  std::string out = std::to_string(h.bad_status) + " " + std::to_string(h.finished) + "\n";
  for (const auto& request : h.seen) {
    out += request.method + " " + request.target + " " + request.host + " " + request.body +
           (request.complete ? "." : "") + "\n";
    for (const auto& [name, value] : request.headers) out += name + ":" + value + "\n";
    for (const auto& [name, value] : request.trailers) out += "~" + name + ":" + value + "\n";
  }
  return out;
}

std::string h1Request(std::string_view bytes) {
  bytes = bytes.substr(0, kMax);
  test::H1Harness whole, pieces;
  whole.feed(bytes);
  pieces.feed(bytes, 1 + bytes.size() % 7);
  for (const auto& request : whole.seen) {
    for (const auto& [name, value] : request.headers) {
      if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) return "a line break in a header";
    }
    if (request.target != "*" && !request.target.starts_with('/')) return "a path without a slash: " + request.target;
  }
  return told(whole) == told(pieces) ? "" : "pieces matter:\n" + told(whole) + "--\n" + told(pieces);
}

// One response through the client codec.
struct Response final : test::TestWire, http::ResponseHandler {
  Response() : client(*this, limits) {
    request.method = "GET";
    request.target.path = "/";
    client.open(*this);
    client.sendRequest(request, {});
    client.sendEnd({});
  }
  void feed(std::string_view bytes, size_t piece) {
    while (!bytes.empty() && !finished) {
      const auto part = bytes.substr(0, piece);
      bytes.remove_prefix(part.size());
      held += part;
      held.erase(0, client.onBytes(held));
    }
  }
  http::ResponseHead& responseHead() override { return head; }
  void onResponse() override { log += std::to_string(head.status) + " "; }
  void onBody(std::string_view data) override { log += data; }
  void onEnd() override { log += " end"; }
  void onReset(http::ResetCause, std::string_view detail) override { log += " reset: " + std::string(detail); }
  void onWritable() override {}

  http::Limits limits;
  http::RequestHead request;
  http::ResponseHead head;
  http::H1Client client;
  std::string held, log;
};

std::string h1Response(std::string_view bytes) {
  bytes = bytes.substr(0, kMax);
  Response whole, pieces;
  whole.feed(bytes, std::string_view::npos);
  pieces.feed(bytes, 1 + bytes.size() % 7);
  // Bytes after a complete response close the connection sooner or later, depending on the split.
  const auto said = [](const Response& r) { return r.log.substr(0, r.log.find(" end")); };
  return said(whole) == said(pieces) ? "" : "pieces matter: " + whole.log + " -- " + pieces.log;
}

std::string chunked(std::string_view bytes) {
  return h1Request("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + std::string(bytes));
}

std::string targetOf(std::string_view bytes) {
  target::Target once, twice;
  if (!target::canonicalize(bytes, once)) return {};
  std::string again = once.path;
  if (once.has_query) again += "?" + once.query;
  if (!target::canonicalize(again, twice)) return "what is canonical is refused: " + again;
  if (once.path != twice.path || once.query != twice.query) return once.path + " becomes " + twice.path;
  for (const char* never : {"/../", "/./", "//", ";", "%2E", "%2e", "\\"}) {
    if (once.path.find(never) != std::string::npos)
      return "a canonical path with " + std::string(never) + ": " + once.path;
  }
  if (once.path.ends_with("/..") || once.path.ends_with("/.")) return "ends with dots: " + once.path;
  if (once.parameters.empty()) return {};
  target::Target whole;
  if (!target::canonicalize(once.parameters, whole)) return "parameters that are refused: " + once.parameters;
  if (whole.path != once.path || whole.parameters != once.parameters) return "parameters change: " + once.parameters;
  return {};
}

std::string headerMap(std::string_view bytes) {
  const std::string text = "GET / HTTP/1.1\r\nhost: a\r\n" + std::string(bytes) + "\r\n\r\n";
  http::RequestHead head;
  if (http::parseRequest(text, {}, head)) return {};
  request::dropUntrusted(head, {});
  for (const auto& field : head.headers.fields()) {
    if (field.dropped) continue;
    if (http::isHopByHop(field.id)) return "a hop-by-hop field stays: " + std::string(field.name);
    std::string folded(field.name);
    for (char& c : folded) c = c == '_' || c == '.' ? '-' : c;
    if (folded.starts_with("x-yett-") || folded == "x-forwarded-for") return "a forged field stays: " + folded;
  }
  return {};
}

// What is accepted says the same when it is written again, in no more bytes. An error quotes little.
std::string xfcc(std::string_view bytes) {
  const auto read = request::parseXfcc(bytes);
  if (!read && read.error().message.empty()) return "refused without a reason";
  if (!read) return read.error().message.size() < 200 ? "" : "a long reason: " + read.error().message;
  std::string again;
  for (const auto& caller : read.value()) {
    std::string element;
    const auto add = [&](const char* key, const std::string& value) {
      element.append(element.empty() ? "" : ";").append(key).append(request::xfccValue(value));
    };
    for (const auto& uri : caller.by) add("By=", uri);
    if (!caller.hash.empty()) add("Hash=", caller.hash);
    if (!caller.subject.empty()) add("Subject=", caller.subject);
    for (const auto& uri : caller.uris) add("URI=", uri);
    for (const auto& name : caller.dns) add("DNS=", name);
    again += (again.empty() ? "" : ",") + (element.empty() ? "By=" : element);
  }
  if (again.size() > bytes.size()) return "longer when it is written again: " + again;
  const auto twice = request::parseXfcc(again);
  if (!twice) return "what was written is refused: " + twice.error().message;
  return twice.value() == read.value() ? "" : "other callers: " + again;
}

// The first byte says what the server does with requests; the rest comes after the preface.
std::string h2Server(std::string_view bytes) {
  if (bytes.empty()) return {};
  const auto how = static_cast<unsigned char>(bytes[0]);
  test::H2ServerHarness harness(static_cast<test::Answering>(how % 6), (how & 8) != 0);
  harness.feed("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  bytes.remove_prefix(1);
  const size_t piece = (how & 16) != 0 ? 1 + how % 13 : bytes.size();
  while (!bytes.empty()) {
    harness.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  harness.close();
  return harness.wrong;
}

std::string h2Client(std::string_view bytes) {
  test::H2ClientHarness harness(3);
  const size_t piece = 1 + bytes.size() % 40;
  while (!bytes.empty()) {
    harness.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  harness.close();
  return harness.wrong;
}

constexpr Target kTargets[] = {
    {"h1_request", h1Request}, {"h1_response", h1Response}, {"chunked", chunked},    {"target", targetOf},
    {"header_map", headerMap}, {"h2_server", h2Server},     {"h2_client", h2Client}, {"xfcc", xfcc}};

}  // namespace

std::span<const Target> httpTargets() {
  return kTargets;
}

}  // namespace yett::fuzz
