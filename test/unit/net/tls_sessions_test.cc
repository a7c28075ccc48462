#include "net/tls_sessions.h"

#include <array>
#include <catch2/catch.hpp>

using namespace yett;

namespace {

// An element with this tag.
std::string element(char tag, const std::string& content) {
  std::string out(1, tag);
  if (content.size() < 0x80) out += static_cast<char>(content.size());
  else out += {static_cast<char>(0x82), static_cast<char>(content.size() >> 8), static_cast<char>(content.size())};
  return out + content;
}

constexpr char kSequence = 0x30;
const std::string kBefore = element(0x02, "\x01") + element(0x04, std::string(48, 'k'));
const std::string kPeer = element('\xa3', element(kSequence, std::string(700, 'x')));
const std::string kAfter = element('\xa4', element(0x04, "context"));

}  // namespace

TEST_CASE("tls sessions: the certificate is cut out of a session, and nothing else") {
  const std::string without = net::withoutPeer(element(kSequence, kBefore + kPeer + kAfter));
  REQUIRE(without.size() > 4);
  CHECK(without[0] == kSequence);
  CHECK(without.substr(4) == kBefore + kAfter);
  CHECK(net::withoutPeer(element(kSequence, kBefore + kAfter)).substr(4) == kBefore + kAfter);
}

TEST_CASE("tls sessions: a session in another form is not kept") {
  const std::string whole = element(kSequence, kBefore + kPeer + kAfter);
  for (size_t size = 0; size < whole.size(); ++size) CHECK(net::withoutPeer(whole.substr(0, size)).empty());
  CHECK(net::withoutPeer(whole + "x").empty());
  CHECK(net::withoutPeer(element(0x31, kBefore)).empty());
  std::string wrong = whole;
  wrong[wrong.size() - kAfter.size() + 1] = '\x7f';  // longer than what is left
  CHECK(net::withoutPeer(wrong).empty());
  wrong[wrong.size() - kAfter.size() + 1] = '\x80';  // of no stated length
  CHECK(net::withoutPeer(wrong).empty());
}

namespace {

/// A server context with the cache, and sessions made for it by hand.
struct Cached {
  explicit Cached(size_t bytes) : cache(bytes) { cache.install(context); }
  ~Cached() { SSL_CTX_free(context); }

  net::TlsSessions cache;
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
};

SSL_SESSION* madeSession(SSL* ssl, unsigned char number) {
  SSL_SESSION* session = SSL_SESSION_new();
  std::array<unsigned char, 32> id{number};
  SSL_SESSION_set1_id(session, id.data(), id.size());
  SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION);
  SSL_SESSION_set_cipher(session, sk_SSL_CIPHER_value(SSL_get_ciphers(ssl), 0));
  SSL_SESSION_set1_master_key(session, id.data(), id.size());
  return session;
}

}  // namespace

TEST_CASE("tls sessions: it is bounded, gives back what it got, and forgets what it is told to") {
  Cached server(5000);
  auto* on_new = SSL_CTX_sess_get_new_cb(server.context);
  auto* on_get = SSL_CTX_sess_get_get_cb(server.context);
  auto* on_remove = SSL_CTX_sess_get_remove_cb(server.context);
  SSL* ssl = SSL_new(server.context);
  const auto principal = std::make_shared<const identity::Principal>(identity::Principal{
      .kind = identity::Principal::Kind::kX509Svid, .id = "spiffe://example.org/a", .expires = INT64_MAX});
  const auto known = [&](unsigned char number) {
    std::array<unsigned char, 32> id{number};
    int copy = 1;
    SSL_SESSION* session = on_get(ssl, id.data(), 32, &copy);
    CHECK(copy == 0);
    const bool found = session != nullptr;
    if (found) CHECK(net::TlsSessions::principal(session)->id == "spiffe://example.org/a");
    SSL_SESSION_free(session);
    return found;
  };
  for (unsigned char i = 1; i <= 40; ++i) {
    SSL_SESSION* session = madeSession(ssl, i);
    REQUIRE(net::TlsSessions::keep(session, principal));
    CHECK(on_new(ssl, session) == 0);
    CHECK(on_new(ssl, session) == 0);  // once more: still one
    if (i == 40) CHECK(known(i));
    if (i == 40) on_remove(server.context, session);
    SSL_SESSION_free(session);
    CHECK(server.cache.bytes() <= 5000);
  }
  CHECK_FALSE(known(1));   // the oldest gave way
  CHECK_FALSE(known(40));  // removed
  CHECK(known(39));
  CHECK(server.cache.sessions() > 3);
  CHECK(server.cache.sessions() < 20);
  // A principal that is no longer valid makes a full handshake necessary.
  SSL_SESSION* expired = madeSession(ssl, 50);
  REQUIRE(net::TlsSessions::keep(expired, std::make_shared<const identity::Principal>(identity::Principal{
                                              .kind = identity::Principal::Kind::kX509Svid, .expires = 1})));
  CHECK(on_new(ssl, expired) == 0);
  CHECK_FALSE(known(50));
  SSL_SESSION_free(expired);
  SSL_free(ssl);
}
