#include <catch2/catch.hpp>

#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "proxy/headers.h"
#include "proxy/route_table.h"

using namespace yett;

namespace {

std::string forwarded(const std::string& headers, bool trusted) {
  http::RequestHead head;
  const auto error = http::parseRequest("GET /a HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n", {}, head);
  REQUIRE(error.status == 0);
  proxy::dropUntrusted(head, trusted);
  std::string out;
  http::writeRequest(head, {}, out);
  return out;
}

}  // namespace

TEST_CASE("headers: what only Yett may say is taken away in every spelling") {
  for (const char* name : {"X-Yett-Principal",
                           "x_yett_principal",
                           "X.Yett.Principal",
                           "x-yett-anything",
                           "X-Forwarded-For",
                           "x_forwarded_for",
                           "X-Forwarded-Proto",
                           "x-forwarded.client-cert",
                           "Forwarded",
                           "X-Real-IP",
                           "x_real_ip",
                           "X-HTTP-Method-Override",
                           "X-Original-URL",
                           "Transfer_Encoding",
                           "content.length",
                           "Keep-Alive",
                           "Proxy-Authorization",
                           "TE",
                           "Upgrade",
                           "HTTP2-Settings"}) {
    INFO(name);
    CHECK(forwarded(std::string(name) + ": evil\r\n", false).find("evil") == std::string::npos);
  }
  for (const char* name : {"X-Kept", "Accept", "Authorization", "Cookie", "x_custom", "X-Forwarded", "X-Yettish"}) {
    INFO(name);
    CHECK(forwarded(std::string(name) + ": kept\r\n", false).find("kept") != std::string::npos);
  }
}

TEST_CASE("headers: a trusted forwarder keeps the exact names, and no alias") {
  CHECK(forwarded("X-Forwarded-For: 1.2.3.4\r\n", true).find("1.2.3.4") != std::string::npos);
  CHECK(forwarded("X_Forwarded_For: 1.2.3.4\r\n", true).find("1.2.3.4") == std::string::npos);
  CHECK(forwarded("X-Yett-Principal: evil\r\n", true).find("evil") == std::string::npos);
}

TEST_CASE("headers: what Connection lists goes, but not the host") {
  const auto out = forwarded("Connection: X-A, close, Host\r\nX-A: 1\r\nX-B: 2\r\n", false);
  CHECK(out.find("x-a") == std::string::npos);
  CHECK(out.find("x-b: 2") != std::string::npos);
  CHECK(out.find("host: h") != std::string::npos);
  CHECK(out.find("connection") == std::string::npos);
}

TEST_CASE("headers: a trace context is continued only where it is one") {
  CHECK(proxy::validTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  for (const char* bad : {"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                          "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                          "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"}) {
    CHECK_FALSE(proxy::validTraceParent(bad));
  }
  CHECK(forwarded("Traceparent: bad\r\nTracestate: a=b\r\n", false).find("tracestate") == std::string::npos);
}

TEST_CASE("routes: the first that fits, by path, host and method") {
  proxy::RouteConfig a, b, c;
  a.path = "/api/**";
  a.hosts = {"*.example.org"};
  a.cluster = "a";
  b.path = "/api/**";
  b.methods = {"GET"};
  b.cluster = "b";
  c.path = "/";
  c.cluster = "c";
  const auto table = proxy::RouteTable::create({a, b, c});
  REQUIRE(table.ok());
  const auto route = [&](const char* method, const char* host, const char* path) -> std::string {
    http::RequestHead head;
    head.method = method;
    head.host = host;
    head.target.path = path;
    const auto* found = table.value().match(head);
    return found != nullptr ? found->cluster : "none";
  };
  CHECK(route("POST", "x.example.org", "/api/x") == "a");
  CHECK(route("GET", "h", "/api") == "b");
  CHECK(route("POST", "h", "/api") == "none");
  CHECK(route("POST", "h", "/") == "c");
  CHECK(route("GET", "h", "*") == "none");
}
