#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "audit/salts.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "fuzz/targets.h"
#include "identity/mint.h"
#include "identity/publish.h"
#include "rpc/message_reader.h"
#include "support/cases.h"
#include "support/policy_cases.h"
#include "support/random_records.h"
#include "support/signing.h"
#include "support/workload_messages.h"

using namespace yett;

namespace {

using Corpus = std::vector<std::string>;

Corpus filesOf(const std::string& directory, const std::string& ending) {
  Corpus out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file() || !entry.path().string().ends_with(ending)) continue;
    out.push_back(base::readFile(entry.path().string()).value());
  }
  std::sort(out.begin(), out.end());
  return out;
}

void add(Corpus& to, Corpus from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

std::string frame(uint8_t type, uint8_t flags, uint8_t stream, std::string_view payload) {
  std::string out{'\0', static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())};
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  out += std::string("\0\0\0", 3) + static_cast<char>(stream);
  return out += payload;
}

// Messages of all kinds, from the cases and handwritten.
void addHttp(std::map<std::string, Corpus>& out, const std::string& root) {
  for (const auto& file : test::markdownFiles(root + "/test/cases/http")) {
    for (const auto& c : test::readMarkdownCases(file)) out["h1_request"].push_back(c.input);
  }
  add(out["h1_request"], out["raw_http"]);
  out["h1_request"].push_back("GET /a HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n");
  out["h1_response"] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n",
      "HTTP/1.0 200 OK\r\n\r\nabc", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nx"};
  out["chunked"] = {"3\r\nabc\r\n0\r\n\r\n", "a\r\n0123456789\r\n3\r\nabc\r\n0\r\nx: y\r\nz: \r\n\r\n"};
  out["target"] = {"/a/b?c=d", "/%61/../b//c;v=1/%2e%2e;/x", "/a%2Fb%5c", "*", "/a;v=1/b;w/../c", "/<>\"{}|[]^`",
                   "/;/a/;x/b"};
  out["header_map"] = {"x-yett-principal: a\r\nX_Forwarded.For: b\r\nConnection: close, x-a\r\nx-a: 1",
                       "te: trailers\r\nupgrade: websocket\r\nconnection: upgrade"};
  const std::string get =
      "\x82\x87\x84\x41\x01"
      "a";
  const std::string post =
      "\x83\x87\x84\x41\x01"
      "a";
  const std::string connect = std::string("\x02\x07") + "CONNECT" +
                              "\x87\x84\x41\x01"
                              "a" +
                              std::string("\0\x09", 2) + ":protocol" + "\x09" + "websocket";
  for (const char how : {'\0', '\1', '\2', '\3', '\4', '\5', '\14', '\24', '\35'}) {
    const std::string settings = how + frame(4, 0, 0, "") + frame(4, 1, 0, "");
    out["h2_server"].push_back(settings + frame(1, 5, 1, get) + frame(1, 5, 3, get));
    out["h2_server"].push_back(settings + frame(1, 4, 1, post) + frame(0, 0, 1, "abc") +
                               frame(8, 0, 0, std::string("\0\0\1\0", 4)) + frame(0, 1, 1, "def"));
    out["h2_server"].push_back(settings + frame(1, 0, 1, get.substr(0, 3)) + frame(9, 4, 1, get.substr(3)) +
                               frame(3, 0, 1, std::string("\0\0\0\x8", 4)));
    out["h2_server"].push_back(settings + frame(1, 4, 1, connect) + frame(0, 0, 1, "hello") +
                               frame(6, 0, 0, "12345678") + frame(0, 1, 1, ""));
    out["h2_server"].push_back(settings + frame(1, 4, 1, post) + frame(0, 8, 1, std::string("\3abc\0\0\0", 7)) +
                               frame(1, 5, 1, std::string("\0\1x\1y", 5)) + frame(7, 0, 0, std::string(8, '\0')));
  }
  const std::string ok = frame(4, 0, 0, "") + frame(4, 1, 0, "");
  out["h2_client"] = {ok + frame(1, 4, 1, "\x88") + frame(0, 1, 1, "abc") + frame(1, 5, 3, "\x8d"),
                      ok +
                          frame(1, 4, 1,
                                std::string("\x08\x03"
                                            "100")) +
                          frame(1, 4, 1, "\x88") + frame(0, 0, 1, "abc") + frame(1, 5, 1, std::string("\0\1x\1y", 5)),
                      ok + frame(7, 0, 0, std::string(8, '\0')) + frame(3, 0, 5, std::string("\0\0\0\7", 4))};
}

// Blocks as Yett writes them: whole and in pieces.
void addBlocks(std::map<std::string, Corpus>& out) {
  std::mt19937_64 random(1);
  for (const int64_t size : {1, 5, 40, 300}) {
    audit::BlockBuilder builder;
    std::string pieces;
    for (int64_t seq = 1; seq <= size; ++seq) {
      builder.add(test::anyRecord(random, seq).linked());
      if (seq % 10 != 0 && seq != size) continue;
      const std::string piece = builder.piece();
      pieces += static_cast<char>(piece.size());
      pieces += static_cast<char>(piece.size() >> 8);
      pieces += piece;
    }
    std::string salts;
    audit::Salts salted("0123456789abcdef");
    if (builder.decisions() > 1) (void)salted.remove({0}, builder.decisions());
    salted.write(salts);
    out["audit_block"].push_back(builder.body(salts));
    out["audit_pieces"].push_back(pieces);
    out["audit_records"].push_back("seed " + std::to_string(size));
  }
}

// Bundles, CRLs and sessions as they are published.
void addIdentity(std::map<std::string, Corpus>& out) {
  constexpr int64_t kNow = 1'800'000'000;
  identity::CertificateSpec spec;
  spec.ca = true;
  spec.uris = {"spiffe://example.org"};
  spec.not_before = kNow - 1000;
  spec.not_after = kNow + 1'000'000;
  const auto root = identity::mint(spec, nullptr).value();
  const auto between = identity::mint(spec, &root).value();
  identity::CertificateSpec leaf;
  leaf.uris = {"spiffe://example.org/a"};
  leaf.not_before = kNow - 10;
  leaf.not_after = kNow + 1000;
  const auto who = identity::mint(leaf, &root).value();
  out["bundle"] = {root.certificate_pem, root.certificate_pem + between.certificate_pem,
                   identity::bundleDocument(root.certificate_pem, 7, 300).value(),
                   R"({"keys":[{"kty":"EC","use":"jwt-svid","kid":"k","crv":"P-256","x":"AA","y":"AB"}]})",
                   R"({"keys":[],"spiffe_sequence":1})"};
  const std::string crl = identity::makeCrl(root, {who.certificate_pem}, "", {kNow - 10, kNow + 1000}).value();
  out["crl"] = {root.certificate_pem + crl, crl,
                root.certificate_pem + between.certificate_pem + crl +
                    identity::makeCrl(between, {}, "", {kNow - 10, kNow + 50}).value()};
  const auto own = test::workloadOf("example.org", "a");
  const workload::BundlesAnswer bundles = {{"example.org", own.svid.bundle}, {"partner.com", ""}};
  out["workload_api"] = {'\0' + test::messageOf({{own.svid}, {}, bundles}), '\1' + test::messageOf(bundles, 2),
                         '\2' + test::messageOf({{"example.org", R"({"keys":[{"kty":"EC","kid":"k"}]})"}}, 1),
                         std::string("\3\x0a\x06\x0a\x01"
                                     "a\x12\x01t",
                                     9)};
  out["grpc_messages"] = {rpc::framed("one") + rpc::framed("") + rpc::framed(std::string(300, 'x'))};
  out["jwt"] = {
      "{\"alg\":\"ES256\",\"kid\":\"e\"}\n{\"iss\":\"i\",\"aud\":[\"a\"],\"exp\":1800000100,\"nbf\":1,\"iat\":1}",
      "{\"alg\":\"ES256\",\"typ\":\"JWT\"}\n{\"iss\":\"i\",\"aud\":\"a\",\"exp\":1800000100.5,\"sub\":\"s\"}",
      "eyJhbGciOiJub25lIn0.e30."};
  out["jwks"] = {"{\"keys\":[" + test::SigningKey::ec("P-256", "e").jwk() + "]}",
                 "{\"keys\":[" + test::SigningKey::rsa(2048, "r").jwk() + "]}",
                 "{\"keys\":[" + test::SigningKey::ed25519("d").jwk() + R"(,{"kty":"oct","k":"AA"}]})"};
  out["tls_session"] = {std::string("\x30\x0a\x02\x01\x01\xa3\x03\x02\x01\x05\xa4\x00", 12),
                        std::string("\x30\x82\x00\x03\x02\x01\x01", 7)};
}

// Inputs of each kind from this project, and those of test/fuzz/corpus/<target>, which once broke something.
std::map<std::string, Corpus> corpora() {
  const std::string root = YETT_SOURCE_DIR;
  std::map<std::string, Corpus> out;
  for (const char* dir : {"/rules", "/examples"}) {
    add(out["policy_lua"], filesOf(root + dir, ".lua"));
    add(out["test_lua"], filesOf(root + dir, "_test.lua"));
    add(out["rules_json"], filesOf(root + dir, ".json"));
    add(out["data_json"], filesOf(root + dir, ".json"));
  }
  for (const char* file : {"language", "problems", "sandbox"}) {
    for (const auto& c : test::readPolicyCases(file)) {
      for (const auto& [name, text] : c.files) out[name.ends_with(".lua") ? "policy_lua" : "data_json"].push_back(text);
    }
  }
  out["raw_http"] = {"GET /orders/42?a=1 HTTP/1.1\r\nHost: orders\r\nX-A: 1\r\n\r\n",
                     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
                     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n",
                     "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n"};
  out["check_request"] = {
      R"({"method": "GET", "path": "/a?b=c", "host": "h", "headers": {"x": ["1", "2"], "y": "z"}, "body": "x",
    "principal": "spiffe://example.org/a", "source": "::1", "time": 5})"};
  addHttp(out, root);
  addBlocks(out);
  addIdentity(out);
  for (const auto& target : fuzz::targets()) {
    const std::string more = root + "/test/fuzz/corpus/" + target.name;
    if (std::filesystem::exists(more)) add(out[target.name], filesOf(more, ""));
  }
  return out;
}

std::string mutated(const Corpus& corpus, std::mt19937_64& random) {
  static const Corpus kPieces = {"{",
                                 "}",
                                 "\"",
                                 "'",
                                 "[",
                                 "]",
                                 "(",
                                 ")",
                                 "\\",
                                 "\0",
                                 "\xff",
                                 "nil",
                                 "true",
                                 "re ",
                                 "data 'd.json'",
                                 "\r\n",
                                 "when",
                                 "principal",
                                 "**",
                                 "*",
                                 "{x}",
                                 "%2e",
                                 "..",
                                 "999999999999999999999",
                                 "-1",
                                 "0x",
                                 "function(r)",
                                 "end",
                                 " = ",
                                 ",",
                                 "allow 'x' ",
                                 "not_path",
                                 "anyone",
                                 "return",
                                 "while true do end",
                                 "\n\n"};
  std::string out = corpus[random() % corpus.size()];
  for (size_t n = 1 + random() % 4; n > 0; --n) {
    const size_t at = out.empty() ? 0 : random() % out.size();
    switch (random() % 7) {
      case 0:
        if (!out.empty()) out[at] = static_cast<char>(random());
        break;
      case 1: out.insert(at, kPieces[random() % kPieces.size()]); break;
      case 2: out.erase(at, random() % 20); break;
      case 3: out.erase(at); break;
      case 4: {
        const std::string& other = corpus[random() % corpus.size()];
        if (!other.empty()) out.insert(at, other.substr(random() % other.size(), random() % 60));
        break;
      }
      case 5: out.insert(at, out.substr(random() % (out.size() + 1), random() % 40)); break;
      default: out.insert(at, std::string(1 + random() % 300, "(){}[]-a.\"'*"[random() % 12]));
    }
  }
  return out;
}

}  // namespace

TEST_CASE("fuzz: the corpora and their mutations cause no crash and no hang, and are refused with a location") {
  const char* wanted = std::getenv("YETT_TEST_FUZZ");
  const int rounds = wanted != nullptr ? std::atoi(wanted) : 400;
  std::mt19937_64 random(42);
  auto all = corpora();
  for (const auto& target : fuzz::targets()) {
    const Corpus& corpus = all[target.name];
    REQUIRE_FALSE(corpus.empty());
    int64_t slowest = 0;
    for (int i = 0; i < static_cast<int>(corpus.size()) + rounds; ++i) {
      const std::string bytes =
          i < static_cast<int>(corpus.size()) ? corpus[static_cast<size_t>(i)] : mutated(corpus, random);
      const auto began = std::chrono::steady_clock::now();
      const std::string wrong = target.run(bytes);
      slowest = std::max<int64_t>(
          slowest,
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count());
      if (wrong.empty()) continue;
      INFO(target.name << ": " << wrong << "\n" << base::printable(bytes));
      REQUIRE(wrong.empty());
    }
    INFO(target.name);
    CHECK(slowest < 5000);
  }
}
