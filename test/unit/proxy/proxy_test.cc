#include <catch2/catch.hpp>

#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "proxy/route_table.h"
#include "request/header_families.h"
#include "request/headers.h"

using namespace yett;

namespace {

std::string forwarded(const std::string& headers, bool trusted) {
  http::RequestHead head;
  const auto error = http::parseRequest("GET /a HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n", {}, head);
  REQUIRE(error.status == 0);
  request::dropUntrusted(head, {trusted, {}});
  std::string out;
  http::writeRequest(head, {}, out);
  return out;
}

}  // namespace

TEST_CASE("headers: fields that only Yett may set are removed in every spelling") {
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
                           "HTTP2-Settings",
                           "x!yett!principal",
                           "x~forwarded|for",
                           "transfer!encoding",
                           "Client-Cert",
                           "Client-Cert-Chain",
                           "SSL-Client-Verify",
                           "ssl_client_s_dn",
                           "X-SSL-Client-Cert",
                           "X-Client-Cert",
                           "X-Client-Verify-Cert",
                           "X-Forwarded-User",
                           "X-Forwarded-Access-Token",
                           "X-Original-Foo",
                           "X-Envoy-Original-Path",
                           "X-Rewrite-URL",
                           "Front-End-Https",
                           "X-Auth-Request-User",
                           "X-Remote-User",
                           "Remote-User",
                           "Proxy",
                           "Script-Name",
                           "PATH_INFO",
                           "x_http_method_override",
                           "X-HttpMethod-Override",
                           "X-Method-Override",
                           "X-HTTP-Method"}) {
    INFO(name);
    CHECK(forwarded(std::string(name) + ": evil\r\n", false).find("evil") == std::string::npos);
  }
  for (const char* name :
       {"X-Kept", "Accept", "Authorization", "Cookie", "x_custom", "X-Forward", "X-Yettish", "Cf-Ray", "Content-Type",
        "Client-Version", "X-Client-Version", "Proxied", "Remote", "Script", "X-Sslx"}) {
    INFO(name);
    CHECK(forwarded(std::string(name) + ": kept\r\n", false).find("kept") != std::string::npos);
  }
}

TEST_CASE("headers: a trusted forwarder may send the exact names, but no alias") {
  CHECK(forwarded("X-Forwarded-For: 1.2.3.4\r\n", true).find("1.2.3.4") != std::string::npos);
  CHECK(forwarded("X_Forwarded_For: 1.2.3.4\r\n", true).find("1.2.3.4") == std::string::npos);
  CHECK(forwarded("X-Yett-Principal: evil\r\n", true).find("evil") == std::string::npos);
}

TEST_CASE("headers: keep_headers lets a trusted forwarder send header families, or names from them, by exact name") {
  const std::vector<std::string> keep = {"x-envoy-*", "x-auth-request-user"};
  const auto kept = [&](const std::string& name, bool forwarder) {
    http::RequestHead head;
    const std::string text = "GET / HTTP/1.1\r\nHost: h\r\n" + name + ": said\r\n\r\n";
    REQUIRE_FALSE(http::parseRequest(text, {}, head));
    request::dropUntrusted(head, {.forwarder = forwarder, .keep = keep});
    return !head.headers.fields().back().dropped;
  };
  for (const char* name : {"x-envoy-original-path", "x-auth-request-user"}) {
    CHECK(kept(name, true));
    CHECK_FALSE(kept(name, false));
  }
  for (const char* name : {"x!envoy!peer", "x-auth-request-email", "x-yett-principal", "client-cert", "proxy"})
    CHECK_FALSE(kept(name, true));
  for (const char* entry : {"x-envoy-*", "x-envoy-peer", "client-cert", "x-forwarded-*", "x-original-*"})
    CHECK(request::whyNotKept(entry).empty());
  for (const char* entry : {"x-yett-*", "proxy", "x-http-method-override", "x-rewrite-url", "x-original-url", "accept"})
    CHECK_FALSE(request::whyNotKept(entry).empty());
  CHECK(request::whyNotKept("x-envo-*").find("did you mean `x-envoy-*`?") != std::string::npos);
}

TEST_CASE("headers: duplicate request ids or traceparents are ignored, and so is a tracestate without traceparent") {
  const std::string trace = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
  CHECK(forwarded("x-request-id: a\r\n", false).find("x-request-id: a") != std::string::npos);
  CHECK(forwarded("x-request-id: a\r\nx-request-id: b\r\n", false).find("x-request-id") == std::string::npos);
  CHECK(forwarded(trace + "tracestate: a=b\r\n", false).find("tracestate: a=b") != std::string::npos);
  CHECK(forwarded(trace + trace + "tracestate: a=b\r\n", false).find("trace") == std::string::npos);
  CHECK(forwarded("tracestate: a=b\r\n", false).find("trace") == std::string::npos);
  CHECK(forwarded("trace_parent: a\r\n", false).find("trace_parent") != std::string::npos);
}

TEST_CASE("headers: fields listed in Connection are removed, except Host") {
  const auto out = forwarded("Connection: X-A, close, Host\r\nX-A: 1\r\nX-B: 2\r\n", false);
  CHECK(out.find("x-a") == std::string::npos);
  CHECK(out.find("x-b: 2") != std::string::npos);
  CHECK(out.find("host: h") != std::string::npos);
  CHECK(out.find("connection") == std::string::npos);
}

TEST_CASE("headers: a trace context is continued only if it is valid") {
  CHECK(request::validTraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  CHECK(request::validTraceParent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  CHECK(request::validTraceParent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes"));
  for (const char* bad : {"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                          "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                          "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"}) {
    CHECK_FALSE(request::validTraceParent(bad));
  }
  CHECK(forwarded("Traceparent: bad\r\nTracestate: a=b\r\n", false).find("tracestate") == std::string::npos);
}

TEST_CASE("routes: the first match by path, host and method") {
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
    const auto* found = table.value().match(head, {});
    return found != nullptr ? found->cluster : "none";
  };
  CHECK(route("POST", "x.example.org", "/api/x") == "a");
  CHECK(route("GET", "h", "/api") == "b");
  CHECK(route("POST", "h", "/api") == "none");
  CHECK(route("POST", "h", "/") == "c");
  CHECK(route("GET", "h", "*") == "none");
}
