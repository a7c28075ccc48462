// Runs one kind of work that a request can cause, on an input of a given size: `yett_growth KIND SIZE`.
// test_growth.py counts the instructions for growing sizes. Without arguments, lists the kinds.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "engine/json_engine.h"
#include "http/h2_block.h"
#include "lua/engine.h"
#include "policy/attribute_reader.h"
#include "policy/policy_set.h"
#include "policy/recording.h"
#include "request/header_families.h"
#include "request/headers.h"
#include "support/h1_harness.h"
#include "support/h2_harness.h"
#include "support/random_policy.h"
#include "target/host.h"
#include "target/query.h"

using namespace yett;

namespace {

http::Limits widest() {
  http::Limits limits;
  limits.head_bytes = 1 << 20;
  limits.header_count = 10'000;
  return limits;
}

std::string repeated(const std::string& piece, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += piece;
  return out;
}
std::string numbered(const std::string& before, size_t count, const std::string& after) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += before + std::to_string(10'000 + i) + after;  // all of the same length
  return out;
}

void fed(const std::string& bytes, size_t piece) {
  test::H1Harness harness(widest());
  harness.feed(bytes, piece);
}

// Treats a head as the proxy does: parses it and drops the fields that callers may not set.
void cleaned(const std::string& fields, bool trailers = false) {
  http::RequestHead head;
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  const auto error = http::parseRequest(bytes, widest(), head);
  if (error) std::printf("refused: %s\n", error.why);
  const std::string owned[] = {"x-region", "x-tenant"};
  request::dropUntrusted(head, {}, owned);
  if (trailers) request::dropUntrustedTrailers(head, owned);
}

// 300 deny rules, each with the matcher that `match` returns.
std::string ruleFile(const std::function<std::string(int)>& match) {
  std::string out = "{\"policies\":{\"p\":{\"rules\":[";
  for (int i = 0; i < 300; ++i)
    out += (i > 0 ? ",{\"deny\":\"r" : "{\"deny\":\"r") + std::to_string(i) + "\"," + match(i) + "}";
  return out + "]}}}";
}

void decided(const std::string& rules, bool json, const test::RequestText& text,
             const policy::RecordingConfig& recording = {}) {
  policy::PolicySource source;
  source.files[json ? "p.json" : "p.lua"] = rules;
  std::vector<std::string> problems;
  std::shared_ptr<const policy::RuleSet> set;
  if (json) set = engine::JsonRuleSet::load(source, problems);
  else set = lua::LuaRuleSet::load(source, problems);
  if (!set) {
    std::printf("refused: %s\n", problems.empty() ? "" : problems[0].c_str());
    std::exit(3);
  }
  std::vector<policy::LoadedEngine> engines{{"main", false, set}};
  const auto evaluator =
      policy::PolicyEvaluator::create(std::make_shared<const policy::PolicySet>(std::move(engines), policy::Budget{}))
          .value();
  const test::OwnedRequest request(text);
  policy::AttributeReader reader;
  policy::Decision decision;
  evaluator->decide(request.check, reader, decision);
  const policy::Recording keyed(recording, "0123456789abcdef0123456789abcdef");
  reader.readsJson(keyed);
  reader.redact(decision.reason, keyed);
  reader.redact(decision.errors, keyed);
  std::string kept;
  keyed.target(request.check.raw_path, kept);
}

test::RequestText asking(const std::string& query) {
  return {"GET", "/x", "a", query, "spiffe://example.org/frontend", "127.0.0.1", {}};
}

void document(const std::string& text) {
  policy::Document document;
  policy::Document::Limits limits;
  limits.depth = 1'000'000;
  limits.values = 100'000'000;
  if (auto ok = document.parse(text, limits); !ok) std::printf("refused: %s\n", ok.error().message.c_str());
  else if (document.root().kind == policy::Node::Kind::kObject) policy::hasTwoSpellings(document.root());
}

void block(size_t count, const std::string& name, const std::string& value, bool number) {
  http::H2Block block;
  for (const auto& [n, v] : {std::pair{":method", "GET"}, {":path", "/"}, {":scheme", "https"}, {":authority", "a"}})
    block.add(n, v, widest());
  for (size_t i = 0; i < count; ++i) block.add(number ? name + std::to_string(10'000 + i) : name, value, widest());
  http::RequestHead head;
  if (const auto error = block.toRequest(true, widest(), head)) std::printf("refused: %s\n", error.why);
  request::dropUntrusted(head, {});
}

std::string frame(int type, int flags, uint32_t id, const std::string& payload) {
  std::string out;
  const auto bytes = [&](uint64_t value, int count) {
    for (int shift = 8 * (count - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  };
  bytes(payload.size(), 3), bytes(static_cast<uint64_t>(type), 1), bytes(static_cast<uint64_t>(flags), 1), bytes(id, 4);
  return out + payload;
}

// Many small requests, one frame per read.
void streams(size_t count) {
  test::H2ServerHarness server(test::Answering::kAtEnd);
  std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "");
  server.feed(bytes);
  for (size_t i = 0; i < count; ++i)
    server.feed(frame(1, 5, static_cast<uint32_t>(2 * i + 1),
                      "\x82\x84\x86\x41\x01"
                      "a"));
  if (static_cast<size_t>(server.requests) != count)
    std::printf("refused: %d of %zu, %s\n", server.requests, count, server.error.c_str());
}

const std::map<std::string, std::function<void(size_t)>> kKinds = {
    {"head, byte by byte",
     [](size_t n) { fed("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(n, 'x') + "\r\n\r\n", 1); }},
    {"head of many fields", [](size_t n) { cleaned(numbered("x-f-", n / 16, ": v\r\n")); }},
    {"fields in odd spellings", [](size_t n) { cleaned(numbered("X_F!", n / 16, ": v\r\n")); }},
    {"fields that are taken away", [](size_t n) { cleaned(repeated("X_Forwarded_For: a\r\n", n / 16)); }},
    {"names that Connection lists",
     [](size_t n) {
       cleaned("Connection: " + repeated("a,b,", n / 4) + "\r\nb: 1\r\n" + numbered("f", 90, ": v\r\n"));
     }},
    {"Connection and fields",
     [](size_t n) { cleaned(numbered("Connection: f", n / 32, "\r\n") + numbered("f", n / 32, ": v\r\n")); }},
    {"trailers, byte by byte",
     [](size_t n) {
       fed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: " + std::string(n, 'x') +
               "\r\n\r\n",
           1);
     }},
    {"chunks of one byte",
     [](size_t n) {
       fed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + repeated("1\r\nx\r\n", n / 6) +
               "0\r\n\r\n",
           0);
     }},
    {"pipelined requests", [](size_t n) { fed(repeated("GET / HTTP/1.1\r\nHost: a\r\n\r\n", n / 28), 0); }},
    {"segments of a path", [](size_t n) { fed("GET " + repeated("/a", n / 2) + " HTTP/1.1\r\nHost: a\r\n\r\n", 0); }},
    {"segments that go up",
     [](size_t n) {
       fed("GET " + repeated("/a", n / 5) + repeated("/..", n / 5) + "/x HTTP/1.1\r\nHost: a\r\n\r\n", 0);
     }},
    {"escapes of a path", [](size_t n) { fed("GET /" + repeated("%41", n / 3) + " HTTP/1.1\r\nHost: a\r\n\r\n", 0); }},
    {"parameters of a path",
     [](size_t n) { fed("GET " + repeated("/a;b=c", n / 6) + " HTTP/1.1\r\nHost: a\r\n\r\n", 0); }},
    {"host",
     [](size_t n) {
       std::string out;
       target::canonicalHost(repeated("a.", n / 2) + "org:80", out).ok();
     }},
    {"parameters of a content-type",
     [](size_t n) { cleaned("content-type: text/plain" + repeated("; charset", n / 9) + "\r\n"); }},
    {"query keys and 300 rules",
     [](size_t n) {
       decided(ruleFile([](int i) { return "\"query\":{\"k" + std::to_string(20'000 + i) + "\":[\"1\"]}"; }), true,
               asking(numbered("k", n / 8, "=&")));
     }},
    {"query keys in brackets and 300 rules",
     [](size_t n) {
       decided(ruleFile([](int i) { return "\"query\":{\"k" + std::to_string(20'000 + i) + "\":[\"1\"]}"; }), true,
               asking(numbered("[k", n / 8, "=&")));
     }},
    {"one query key and 300 rules",
     [](size_t n) {
       decided(ruleFile([](int i) { return "\"query\":{\"k\":[\"v" + std::to_string(i) + "\"]}"; }), true,
               asking(repeated("k=w&", n / 4)));
     }},
    {"query pairs split at ;",
     [](size_t n) {
       decided(ruleFile([](int) { return "\"query\":{\"k\":[\"1\"]}"; }), true, asking(repeated("a;", n / 2)));
     }},
    {"elements of a header and 300 rules",
     [](size_t n) {
       auto text = asking("");
       text.headers.emplace_back("x-list", repeated("a,", n / 2));
       decided(ruleFile([](int i) { return "\"header\":{\"x-list\":[\"v" + std::to_string(i) + "\"]}"; }), true, text);
     }},
    {"headers and 300 rules",
     [](size_t n) {
       auto text = asking("");
       for (size_t i = 0; i < n / 64; ++i) text.headers.emplace_back("x-f", "v");
       decided(ruleFile([](int i) { return "\"header\":{\"x-f\":[\"v" + std::to_string(i) + "\"]}"; }), true, text);
     }},
    {"a path and 300 patterns",
     [](size_t n) {
       auto text = asking("");
       text.path = repeated("/a", n / 2);
       decided(ruleFile([](int i) {
                 return "\"path\":[\"/{x}/a/" + std::string(static_cast<size_t>(i % 7), 'b') + "a/**\"]";
               }),
               true, text);
     }},
    {"masked values that a reason quotes",
     [](size_t n) {
       auto text = asking("");
       for (size_t i = 0; i < n / 64; ++i)
         text.headers.emplace_back("authorization-" + std::to_string(i),
                                   "hm" + std::string(8, static_cast<char>('a' + i % 26)));
       std::string reads;
       for (size_t i = 0; i < 28; ++i)
         reads += "..(optional(r.header['authorization-" + std::to_string(i) + "']) or '')";
       decided("policy 'p' { allow 'a' { principal = anyone, when = function(r) return false, ''" + reads + " end } }",
               false, text);
     }},
    {"a masked value that repeats itself",
     [](size_t n) {
       auto text = asking("");
       text.headers.emplace_back("authorization", std::string(n / 64, 'a'));
       decided(
           "policy 'p' { allow 'a' { principal = anyone, when = function(r) return false, r.header.authorization .. "
           "'aaaaaaaaaaaaaaa' end } }",
           false, text);
     }},
    {"a query in clear",
     [](size_t n) {
       policy::RecordingConfig clear;
       clear.plain_query = true;
       auto text = asking("");
       const policy::Recording recording(clear, "0123456789abcdef");
       std::string kept;
       recording.target("/?" + numbered("k", n / 8, "=&"), kept);
     }},
    {"names of a JSON object", [](size_t n) { document("{" + numbered("\"k", n / 12, "\":1,") + "\"z\":1}"); }},
    {"names that differ by case",
     [](size_t n) {
       document("{" + numbered("\"K", n / 24, "\":1,") + numbered("\"k", n / 24, "\":1,") + "\"z\":1}");
     }},
    {"names of many bytes", [](size_t n) { document("{\"" + repeated("é", n / 2) + "\":1}"); }},
    {"values of a JSON list", [](size_t n) { document("[" + repeated("0,", n / 2) + "0]"); }},
    {"lists in lists", [](size_t n) { document(std::string(n / 16, '[') + std::string(n / 16, ']')); }},
    {"escapes of a JSON string", [](size_t n) { document("\"" + repeated("\\u0041", n / 6) + "\""); }},
    {"cookies of HTTP/2", [](size_t n) { block(n / 34, "cookie", "a", false); }},
    {"fields of HTTP/2", [](size_t n) { block(n / 34, "x-f-", "v", true); }},
    {"requests of HTTP/2", [](size_t n) { streams(n / 64); }},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) {
    for (const auto& [kind, run] : kKinds) std::printf("%s\n", kind.c_str());
    return 0;
  }
  const auto kind = argc == 3 ? kKinds.find(argv[1]) : kKinds.end();
  if (kind == kKinds.end()) return std::fprintf(stderr, "usage: yett_growth KIND SIZE\n"), 2;
  kind->second(std::strtoull(argv[2], nullptr, 10));
}
