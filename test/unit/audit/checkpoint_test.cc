#include "audit/checkpoint.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "audit/verifier.h"
#include "audit/writer.h"
#include "base/text.h"
#include "store/database.h"
#include "support/temp_dir.h"

using namespace yett;

namespace {

struct Signed {
  test::TempDir dir;
  std::string path = dir.path("yett.db");
  std::string public_key;
  std::vector<std::pair<int64_t, std::string>> told;  // the checkpoints that left the host

  void makeKey() {
    const auto pair = audit::generateSigningKey().value();
    std::ofstream(dir.path("audit.key")) << pair.private_pem;
    ::chmod(dir.path("audit.key").c_str(), 0600);
    public_key = audit::publicKeyFromPem(pair.public_pem).value();
    CHECK(audit::publicKeyFromPem(pair.private_pem).value() == public_key);
  }
  void write(int records) {
    base::Metrics metrics;
    audit::AuditConfig config{path, false, base::Millis(1), 10'000};
    config.key_file = dir.path("audit.key");
    config.checkpoint_records = 10;
    audit::WriterEvents events{
        [](const std::string&) {},
        {},
        [this](int64_t seq, const std::string& hash, const std::string&) { told.emplace_back(seq, hash); }};
    auto writer = audit::Writer::open(config, metrics, std::move(events)).value();
    for (int i = 0; i < records; ++i) {
      audit::DecisionRecord record;
      const std::string id = "id-" + std::to_string(i);
      record.id = id;
      record.allow = true;
      const uint64_t ticket = writer->append(record);
      writer->append(ticket, audit::OutcomeRecord{200, "", 0, 0, 1, "complete"});
      if (i % 7 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
  }
  audit::Verification verify(audit::Expected expected = {}) {
    return audit::verify({path}, expected, 1, [](int64_t) {}).value();
  }
};

}  // namespace

TEST_CASE("checkpoints: a signed chain is authenticated only by its own key") {
  Signed s;
  s.makeKey();
  s.write(100);
  const auto v = s.verify({.public_key = s.public_key});
  CHECK(v.broken == "");
  CHECK(v.authenticated);
  CHECK(v.checkpoints == static_cast<int64_t>(s.told.size()));
  CHECK(v.checkpoints >= 5);
  CHECK(v.signed_seq == v.last_seq);  // the end is signed
  CHECK(v.keys == std::vector<std::string>{audit::keyId(s.public_key)});
  CHECK_FALSE(s.verify().authenticated);  // no expected key was given
  const auto other = audit::publicKeyFromPem(audit::generateSigningKey().value().public_pem).value();
  const auto wrong = s.verify({.public_key = other});
  CHECK_FALSE(wrong.authenticated);
  CHECK(wrong.broken.find("by another key") != std::string::npos);
}

TEST_CASE("checkpoints: a cut-off tail is detected with a checkpoint that left the host") {
  Signed s;
  s.makeKey();
  s.write(100);
  const auto [seq, hash] = s.told.back();
  const auto [early_seq, early_hash] = s.told.front();
  CHECK(s.verify({s.public_key, seq, hash}).authenticated);
  CHECK(s.verify({s.public_key, early_seq, early_hash}).authenticated);
  // An attacker cuts the tail after a piece that ended with a checkpoint.
  auto db = store::Database::open(s.path, store::Database::Mode::kWrite).value();
  auto row =
      db.prepare("SELECT max(last) FROM tail WHERE last IN (SELECT seq FROM rare WHERE kind = 4) AND last < ?").value();
  REQUIRE(row.bind(1, seq).step().value());
  const std::string after = std::to_string(row.integer(0));
  row.reset();
  for (const char* where : {"tail WHERE last", "rare WHERE seq", "events WHERE seq"})
    REQUIRE(db.execute(std::string("DELETE FROM ") + where + " > " + after).ok());
  CHECK(s.verify({.public_key = s.public_key}).authenticated);  // on its own it looks intact
  CHECK(s.verify({s.public_key, seq, hash}).broken.find("its tail was cut off") != std::string::npos);
  CHECK(s.verify({s.public_key, early_seq, early_hash}).authenticated);
  CHECK(s.verify({s.public_key, early_seq, std::string(64, '0')}).broken.find("written anew") != std::string::npos);
}

TEST_CASE("checkpoints: an attacker with the file but not the key cannot write a chain that verifies") {
  Signed s;
  s.makeKey();
  s.write(30);
  const std::string owner = s.public_key;
  SECTION("a signature moved to another record") {
    auto db = store::Database::open(s.path, store::Database::Mode::kWrite).value();
    auto row = db.prepare("SELECT bytes FROM rare WHERE kind = 4 ORDER BY seq LIMIT 1").value();
    REQUIRE(row.step().value());
    std::string bytes(row.text(0));
    row.reset();
    bytes[bytes.size() - 1] = static_cast<char>(bytes[bytes.size() - 1] ^ 1);
    auto update =
        db.prepare("UPDATE rare SET bytes = ? WHERE seq = (SELECT min(seq) FROM rare WHERE kind = 4)").value();
    REQUIRE(update.bindBlob(1, bytes).run().ok());
    // One wrong hash in 256 has the right first byte by chance; then the signature does not match it.
    const std::string broken = s.verify().broken;
    INFO(broken);
    CHECK((broken.find("its content was changed") != std::string::npos ||
           broken.find("its signature is invalid") != std::string::npos));
  }
  SECTION("a whole log rewritten with the attacker's key") {
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::remove((s.path + suffix).c_str());
    s.makeKey();
    s.write(30);
    CHECK(s.verify().broken == "");
    CHECK(s.verify({.public_key = s.public_key}).authenticated);
    CHECK_FALSE(s.verify({.public_key = owner}).authenticated);
  }
}

TEST_CASE("checkpoints: an invalid key is refused with advice on what to do") {
  CHECK(audit::SigningKey::fromPem("").error().message.find("does not contain a private key") != std::string::npos);
  CHECK(audit::publicKeyFromPem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
            .error()
            .message.find("does not contain a key") != std::string::npos);
}
