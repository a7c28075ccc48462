#include <catch2/catch.hpp>

#include "proxy/grpc.h"
#include "proxy/websocket.h"
#include "request/grpc.h"

using namespace yett;
using namespace yett::proxy;
using namespace yett::request;

TEST_CASE("grpc: a timeout is up to eight digits and a unit, and nothing else") {
  CHECK(parseGrpcTimeout("1H") == 3'600'000'000'000);
  CHECK(parseGrpcTimeout("5M") == 300'000'000'000);
  CHECK(parseGrpcTimeout("10S") == 10'000'000'000);
  CHECK(parseGrpcTimeout("250m") == 250'000'000);
  CHECK(parseGrpcTimeout("7u") == 7000);
  CHECK(parseGrpcTimeout("99999999n") == 99'999'999);
  CHECK(parseGrpcTimeout("99999999H").value() > 0);
  for (const char* text : {"", "S", "5", "5s", "-1S", "+1S", "1.5S", "123456789S", "1 S", "S5", "0x1S", "1SS"}) {
    INFO(text);
    CHECK_FALSE(parseGrpcTimeout(text));
  }
}

TEST_CASE("grpc: what counts as a call, and the status of refusals") {
  http::RequestHead head;
  head.version = http::Version::kHttp2;
  head.method = "POST";
  const auto is = [&](std::string_view type) {
    head.headers.clear();
    head.headers.add("content-type", type);
    return isGrpc(head);
  };
  for (const char* type :
       {"application/grpc", "application/grpc+proto", "application/grpc; charset=x", "Application/GRPC"})
    CHECK(is(type));
  for (const char* type : {"application/grpcx", "application/grpc-web", "text/plain", ""}) CHECK_FALSE(is(type));
  CHECK(is("application/grpc"));
  head.method = "GET";
  CHECK_FALSE(isGrpc(head));
  CHECK(grpcStatus(403) == 7);
  CHECK(grpcStatus(401) == 16);
  CHECK(grpcStatus(503) == 14);
  CHECK(grpcStatus(400) == 13);
  CHECK(grpcMessage("100% sure\nof \xc3\xa9") == "100%25 sure%0Aof %C3%A9");
}

TEST_CASE("websocket: the example of RFC 6455 1.3, and invalid handshakes") {
  CHECK(webSocketAccept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(webSocketKey().size() == 24);
  CHECK(webSocketKey() != webSocketKey());
  const auto check = [](std::initializer_list<std::pair<const char*, const char*>> fields,
                        http::Version version = http::Version::kHttp11) {
    http::RequestHead head;
    head.version = version;
    for (const auto& [name, value] : fields) head.headers.add(name, value);
    return checkWebSocket(head).status;
  };
  CHECK(check({{"sec-websocket-version", "13"}, {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}}) == 0);
  CHECK(check({{"sec-websocket-version", "13"}}, http::Version::kHttp2) == 0);
  CHECK(check({{"sec-websocket-version", "8"}, {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}}) == 426);
  CHECK(check({{"sec-websocket-version", "13"}}) == 400);
  CHECK(check({{"sec-websocket-version", "13"}, {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ"}}) == 400);
  CHECK(check({{"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}}) == 400);
  CHECK(check({{"sec-websocket-version", "13"},
               {"sec-websocket-version", "13"},
               {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}}) == 400);
}
