#include <catch2/catch.hpp>

#include "http/head.h"
#include "rpc/grpc_status.h"
#include "rpc/message_reader.h"

using namespace yett;
using namespace yett::rpc;

TEST_CASE("grpc messages: however they are cut") {
  const std::string first = "one";
  const std::string second(3000, 'x');
  const std::string bytes = framed(first) + framed("") + framed(second);
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{5}, size_t{1000}, bytes.size()}) {
    MessageReader reader(4096);
    std::vector<std::string> got;
    for (size_t at = 0; at < bytes.size(); at += piece)
      REQUIRE(reader.feed(std::string_view(bytes).substr(at, piece), [&](std::string_view m) { got.emplace_back(m); })
                  .ok());
    CHECK(got == std::vector<std::string>{first, "", second});
    CHECK_FALSE(reader.incomplete());
  }
}

TEST_CASE("grpc messages: too large, compressed, incomplete") {
  const auto none = [](std::string_view) { FAIL("a message"); };
  MessageReader small(10);
  CHECK(small.feed(framed(std::string(11, 'x')).substr(0, 5), none).error().message.starts_with("a message of "));
  MessageReader plain(10);
  CHECK_FALSE(plain.feed(std::string("\1\0\0\0\1x", 6), none).ok());
  MessageReader part(10);
  REQUIRE(part.feed(framed("abc").substr(0, 6), none).ok());
  CHECK(part.incomplete());
}

TEST_CASE("grpc status: from the trailers, or from a head without a body") {
  const auto status = [](const char* in_head, const char* in_trailers, const char* message = "") {
    http::ResponseHead head;
    if (in_head) head.headers.add("grpc-status", in_head);
    if (in_trailers) {
      head.trailers.add("grpc-status", in_trailers);
      head.trailers.add("grpc-message", message);
    }
    return statusOf(head);
  };
  CHECK(status(nullptr, "0").ok());
  CHECK(status("7", nullptr).code == GrpcCode::kPermissionDenied);
  CHECK(status("0", "3").code == GrpcCode::kInvalidArgument);
  CHECK(status(nullptr, "7", "no%20entry%0A%zz%4").message == "no entry\n%zz%4");
  CHECK(status(nullptr, nullptr).code == GrpcCode::kUnknown);
  CHECK(status(nullptr, "-1").code == GrpcCode::kUnknown);
  CHECK(status(nullptr, "99999999999999999999").code == GrpcCode::kUnknown);
  CHECK(nameOf(GrpcCode::kPermissionDenied) == "PERMISSION_DENIED");
  CHECK(nameOf(static_cast<GrpcCode>(99)) == "99");
  CHECK(codeOfHttp(503) == GrpcCode::kUnavailable);
}
