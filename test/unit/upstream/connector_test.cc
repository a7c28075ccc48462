#include "upstream/connector.h"

#include <Poco/Net/ServerSocket.h>

#include <catch2/catch.hpp>

using namespace yett;

namespace {

// An endpoint whose own address refuses, and whose other one takes connections.
struct Half {
  Poco::Net::ServerSocket server{Poco::Net::SocketAddress("127.0.0.1", 0)};
  std::shared_ptr<upstream::Endpoint> endpoint = std::make_shared<upstream::Endpoint>();
  Half() {
    Poco::Net::ServerSocket taken(Poco::Net::SocketAddress("127.0.0.2", 0));  // closed again: nobody listens there
    endpoint->address = taken.address();
    endpoint->fallback = server.address();
    endpoint->health = std::make_shared<upstream::EndpointHealth>();
  }
};

}  // namespace

TEST_CASE("race: the other address is tried, whatever another race finds out meanwhile") {
  const Half half;
  for (const bool elsewhere : {false, true}) {
    net::EventLoop loop;
    half.endpoint->health->prefers_fallback = false;
    std::string got;
    upstream::Race race(loop, half.endpoint, base::Millis(3000), [&](Result<Poco::Net::StreamSocket> socket) {
      got = socket ? socket.value().peerAddress().toString() : socket.error().message;
      loop.stop();
    });
    half.endpoint->health->prefers_fallback = elsewhere;  // another race was quicker
    loop.run();
    CHECK(got == half.server.address().toString());
    CHECK(half.endpoint->health->prefers_fallback);
  }
}
