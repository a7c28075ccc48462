#include <catch2/catch.hpp>

#include "support/in_process.h"

using namespace yett;
using test::End;
using test::InProcess;
using test::TestService;

namespace {

const std::string kOpen = "policy 'p' { deny 'closed' { path = '/closed/**' }, allow 'all' { principal = anyone } }";
const std::string kHeadEnd = "\r\n\r\n";

std::string get(const std::string& path, const std::string& method = "GET") {
  return method + " " + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

const std::string kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// In a short form for tests; oldest first.
std::vector<std::string> results(InProcess& yett) {
  std::vector<std::string> out;
  for (const auto& row : yett.finish()) out.push_back(row.effect + " " + std::to_string(row.status) + " " + row.result);
  return out;
}

struct Folder {
  test::TempDir dir;
  std::string path(const std::string& name) const { return dir.path(name); }
};

}  // namespace

TEST_CASE("exchange: an allowed request is forwarded with its decision's id, a denied one is not forwarded") {
  const Folder folder;
  TestService service(folder.path("s"));
  InProcess yett(kOpen, {service.endpoint()});
  End client = yett.connect();
  client.send(get("/closed/x"));
  std::string head = client.readUntil(kHeadEnd);
  CHECK(head.starts_with("HTTP/1.1 403"));
  client.readBody(head);
  CHECK(service.quiet());
  client.send(get("/x"));
  End served = service.accept();
  const std::string asked = served.readUntil(kHeadEnd);
  CHECK(asked.starts_with("GET /x HTTP/1.1\r\n"));
  CHECK(asked.find("x-yett-decision-id: ") != std::string::npos);
  served.send(kAnswer);
  head = client.readUntil(kHeadEnd);
  CHECK(head.starts_with("HTTP/1.1 200"));
  CHECK(client.readBody(head) == "ok");
  CHECK(results(yett) == std::vector<std::string>{"deny 403 denied", "allow 200 complete"});
}

TEST_CASE("exchange: if a kept connection closes during a GET, it is retried once; during a POST it is a 502") {
  const Folder folder;
  TestService service(folder.path("s"));
  InProcess yett(kOpen, {service.endpoint()});
  End client = yett.connect();
  const auto served = [&] {
    End end = service.accept();
    end.readUntil(kHeadEnd);
    return end;
  };
  client.send(get("/first"));
  End kept = served();
  kept.send(kAnswer);
  client.readBody(client.readUntil(kHeadEnd));
  client.send(get("/second"));
  kept.readUntil(kHeadEnd);
  kept.close();  // without a response: the request is retried on a new connection
  End fresh = served();
  fresh.send(kAnswer);
  CHECK(client.readUntil(kHeadEnd).starts_with("HTTP/1.1 200"));
  client.readUntil("ok");
  client.send(get("/third", "POST"));
  fresh.readUntil(kHeadEnd);
  fresh.close();
  CHECK(client.readUntil(kHeadEnd).starts_with("HTTP/1.1 502"));
  CHECK(service.quiet());
  CHECK(results(yett) ==
        std::vector<std::string>{"allow 200 complete", "allow 200 complete", "allow 502 upstream closed"});
}

TEST_CASE("exchange: a client that disconnects ends its request at the service") {
  const Folder folder;
  TestService service(folder.path("s"));
  InProcess yett(kOpen, {service.endpoint()});
  End client = yett.connect();
  client.send(get("/x"));
  End served = service.accept();
  served.readUntil(kHeadEnd);
  client.close();
  CHECK(served.readRest().empty());
  CHECK(results(yett) == std::vector<std::string>{"allow 0 client closed"});
}

TEST_CASE("exchange: a newer policy aborts a response that has begun and refuses one that has not") {
  const Folder folder;
  TestService service(folder.path("s"));
  InProcess yett(kOpen, {service.endpoint()});
  End begun = yett.connect();
  begun.send(get("/begun"));
  End answering = service.accept();
  answering.readUntil(kHeadEnd);
  answering.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
  begun.readUntil("some");
  End waiting = yett.connect();
  waiting.send(get("/waiting"));
  End silent = service.accept();
  silent.readUntil(kHeadEnd);
  yett.setPolicy("policy 'p' { deny 'all' {} }");
  CHECK(begun.readRest().empty());
  const std::string head = waiting.readUntil(kHeadEnd);
  CHECK(head.starts_with("HTTP/1.1 403"));
  waiting.readBody(head);
  CHECK(answering.readRest().empty());
  CHECK(silent.readRest().empty());
  auto said = results(yett);
  CHECK(std::count(said.begin(), said.end(), "allow 200 ended by a newer policy") == 1);
  CHECK(std::count(said.begin(), said.end(), "allow 403 ended by a newer policy") == 1);
}

TEST_CASE("exchange: in strict mode nothing reaches the service before the record is on disk") {
  const Folder folder;
  TestService service(folder.path("s"));
  InProcess yett(kOpen, {service.endpoint()}, true);
  for (int i = 0; i < 20; ++i) {
    End client = yett.connect();
    client.send(get("/" + std::to_string(i)));
    End served = service.accept();
    const auto rows = audit::Reader::open(yett.dir.path("yett.db")).value().decisions({.limit = 1000}).value();
    CHECK(rows.size() == static_cast<size_t>(i) + 1);
    served.readUntil(kHeadEnd);
    served.send(kAnswer);
    client.readUntil("ok");
  }
}

TEST_CASE("upstream: endpoints take turns, and one that refuses connections is skipped") {
  const Folder folder;
  TestService one(folder.path("1"));
  TestService two(folder.path("2"));
  InProcess yett(kOpen, {one.endpoint(), "unix://" + folder.path("nobody"), two.endpoint()});
  End client = yett.connect();
  std::vector<End> kept;
  const auto ask = [&](End& at) {
    at.readUntil(kHeadEnd);
    at.send(kAnswer);
    client.readUntil("ok");
  };
  client.send(get("/1"));
  kept.push_back(one.accept());
  ask(kept[0]);
  client.send(get("/2"));  // the second endpoint's turn: nothing listens there, so the third gets it
  kept.push_back(two.accept());
  ask(kept[1]);
  for (const size_t at : {0, 1, 0, 1, 0}) {  // the third endpoint has had its turn
    client.send(get("/more"));
    ask(kept[at]);
  }
  CHECK(one.quiet());
  CHECK(two.quiet());
}
