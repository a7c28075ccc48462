#include "policy/token_header.h"

#include <catch2/catch.hpp>

#include "policy/token.h"

using namespace yett;

TEST_CASE("token header: a service reads the list that the token has") {
  const auto filled = [](const std::string& roles) {
    identity::VerifiedJwt verified;
    verified.claims = R"({"roles":)" + roles + "}";
    const auto token = policy::Token::create(std::move(verified));
    REQUIRE(token.ok());
    const auto value = policy::fillTokenTemplate("{claims.roles}", *token.value());
    return value ? value.value().value_or("absent") : "error: " + value.error().message;
  };
  CHECK(filled(R"(["a","b c"])") == "a,b c");
  CHECK(filled("[]") == "");
  for (const char* bad : {R"(["x"," admin"])", R"(["x","admin "])", R"(["x","\tadmin"])", R"(["x",""])",
                          R"(["x","a,b"])", R"(["x","\"a\""])", R"(["x",["a"]])"})
    CHECK(filled(bad).starts_with("error: "));
}
