// Messages of policy must not quote masked values.
#include <catch2/catch.hpp>

#include "policy/attribute_reader.h"
#include "policy/decision.h"
#include "policy/recording.h"
#include "support/random_policy.h"

using namespace yett;

namespace {

std::string redacted(const std::vector<std::string>& secrets, std::string text) {
  test::RequestText asked{"GET", "/", "a", "", "spiffe://example.org/x", "127.0.0.1", {}};
  for (size_t i = 0; i < secrets.size(); ++i) asked.headers.emplace_back("x-token-" + std::to_string(i), secrets[i]);
  const test::OwnedRequest request(asked);
  policy::AttributeReader reader;
  reader.reset(request.check);
  for (size_t i = 0; i < secrets.size() && i < 250; ++i)
    reader.read(policy::Attr::kHeader, "x-token-" + std::to_string(i));
  reader.redact(text, policy::Recording({}, "0123456789abcdef"));
  return text;
}

}  // namespace

TEST_CASE("redaction: overlapping, repeated and adjacent values are hidden completely") {
  CHECK(redacted({"secret"}, "is secret, and secretsecret") == "is (masked), and (masked)");
  CHECK(redacted({"abcab"}, "x abcabcab y") == "x (masked) y");
  CHECK(redacted({"abcd", "cdef"}, "x abcdef y") == "x (masked) y");
  CHECK(redacted({"aaa"}, "baaaaab") == "b(masked)b");
  CHECK(redacted({"masked", "(mas"}, "masked") == "(masked)");
  CHECK(redacted({"ab"}, "ab") == "ab");  // too short: such a text occurs anywhere
  CHECK(redacted({"secret"}, "") == "");
}

TEST_CASE("redaction: a reason that quotes too many masked values is hidden completely") {
  std::vector<std::string> secrets;
  std::string text = "begin ";
  for (int i = 0; i < 100; ++i) text += secrets.emplace_back("value" + std::to_string(1000 + i)) + " ";
  CHECK(redacted(secrets, text) == "(masked)");
}

TEST_CASE("errors: a long list is cut") {
  std::string errors;
  policy::joinErrors(errors, "");
  CHECK(errors.empty());
  policy::joinErrors(errors, "one");
  policy::joinErrors(errors, "two");
  CHECK(errors == "one; two");
  for (int i = 0; i < 1000; ++i) policy::joinErrors(errors, std::string(100, 'x'));
  CHECK(errors.size() < 4200);
  CHECK(errors.ends_with("; and more"));
}
