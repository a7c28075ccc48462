#include <catch2/catch.hpp>
#include <random>

#include "audit/block_builder.h"
#include "audit/block_data.h"
#include "audit/chain_writer.h"
#include "audit/record_keys.h"
#include "audit/salts.h"
#include "audit/verifier.h"
#include "support/random_records.h"
#include "support/tamper.h"
#include "support/temp_dir.h"

using namespace yett;
using audit::Kind;
using Random = std::mt19937_64;

namespace {

void check(const test::MadeRecord& made, audit::BlockData& data, size_t i) {
  const auto& record = data.records()[i];
  REQUIRE(record.kind == made.kind);
  REQUIRE(record.seq == made.seq);
  REQUIRE(record.mark == made.mark);
  REQUIRE(record.erased == !made.commitment.empty());
  if (made.kind != Kind::kDecision && made.kind != Kind::kOutcome) return;
  audit::Fields fields;
  REQUIRE(data.fields(record, fields).ok());
  REQUIRE(data.commitment(record).value() == made.commitment);
  if (made.kind == Kind::kOutcome) {
    REQUIRE(fields.number[audit::OutcomeKey::kDecisionSeq] == made.decision_seq);
    fields.number[audit::OutcomeKey::kDecisionSeq] = 0;
  }
  audit::Encoded again;
  audit::encodeRow(audit::layout(made.kind), fields, again);
  REQUIRE(again.fields == made.encoded.fields);
  REQUIRE(again.personal == made.encoded.personal);
}

}  // namespace

TEST_CASE("block: all added records are read back, from the whole and from pieces, and the proof is valid") {
  Random random(7);
  audit::BlockBuilder builder;
  for (const size_t size : {1, 2, 3, 40, 255, 256, 257, 1500}) {
    INFO(size);
    std::vector<test::MadeRecord> made;
    int64_t seq = 1 + static_cast<int64_t>(random() % 1000);
    audit::BlockData pieces;
    size_t decisions = 0;
    for (size_t i = 0; i < size; ++i) {
      made.push_back(test::anyRecord(random, seq));
      builder.add(made.back().linked());
      decisions += made.back().kind == Kind::kDecision ? 1 : 0;
      seq += random() % 30 == 0 ? 1 + static_cast<int64_t>(random() % 100'000) : 1;
      if (random() % 20 == 0 || i + 1 == size) REQUIRE(pieces.take(builder.piece()).ok());
    }
    std::string salts;
    audit::Salts("0123456789abcdef").write(salts);
    const std::string body = builder.body(salts);
    CHECK(builder.differs(body, salts) == "");
    CHECK(builder.differs(body, salts + "x") == "its salts differ");
    audit::BlockData whole;
    REQUIRE(whole.take(body).ok());
    REQUIRE(whole.records().size() == size);
    REQUIRE(pieces.records().size() == size);
    CHECK(whole.rows(Kind::kDecision) == decisions);
    CHECK(whole.salts() == salts);
    for (size_t i = 0; i < size; ++i) {
      check(made[i], whole, i);
      check(made[i], pieces, i);
    }
    builder.clear();
  }
}

TEST_CASE("block: a changed body fails the proof, or its records are unchanged") {
  Random random(8);
  audit::BlockBuilder builder;
  for (int64_t seq = 1; seq <= 300; ++seq) builder.add(test::anyRecord(random, seq).linked());
  std::string salts;
  audit::Salts("0123456789abcdef").write(salts);
  const std::string body = builder.body(salts);
  int found = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string changed = body;
    if (i % 4 == 0) changed.resize(random() % changed.size());
    else changed[random() % changed.size()] ^= static_cast<char>(1 << random() % 8);
    found += builder.differs(changed, salts).empty() ? 0 : 1;
  }
  // The rest are changes of meaningless bits in a frame.
  CHECK(found > 2950);
}

TEST_CASE("block: the filter is the same as computed from the rows, however they are added") {
  Random random(9);
  audit::BlockBuilder builder;
  audit::BlockFilter plain;
  for (int64_t seq = 1; seq <= 700; ++seq) {
    const test::MadeRecord made = test::anyRecord(random, seq);
    builder.add(made.linked());
    if (random() % 50 == 0) (void)builder.piece();
    if (made.kind != Kind::kDecision) continue;
    audit::Fields fields;
    audit::decodeFields(made.encoded.fields, made.encoded.entries, fields);
    audit::decodeFields(made.encoded.personal, made.encoded.personal_entries, fields);
    using audit::DecisionKey;
    plain.add({fields.text[DecisionKey::kEffect], fields.text[DecisionKey::kPrincipal],
               fields.text[DecisionKey::kMethod], fields.text[DecisionKey::kPath], fields.text[DecisionKey::kPolicy],
               fields.text[DecisionKey::kRule]});
  }
  CHECK(builder.filter() == plain.encode());
}

namespace {

int damaged = 0;  // how many more bodies to damage

std::string encodeWrongly(audit::BlockBuilder& builder, std::string_view salts) {
  std::string out = builder.body(salts);
  if (damaged-- > 0) out[out.size() / 2] = static_cast<char>(out[out.size() / 2] ^ 1);
  return out;
}

}  // namespace

TEST_CASE("block: a wrongly encoded block is not written, and its records stay in the tail") {
  const auto how = GENERATE(audit::VerifyBlocks::kAll, audit::VerifyBlocks::kSampled);  // the first one is sampled
  const test::TempDir dir;
  audit::AuditConfig config;
  config.database = dir.path("yett.db");
  REQUIRE(audit::ChainWriter::open(config).value()->close().ok());
  test::runSql(config.database, "UPDATE meta SET value = 100000 WHERE name = 'lease'");
  {
    auto db = store::Database::open(config.database, store::Database::Mode::kWrite).value();
    audit::ChainTail tail(how, encodeWrongly);
    REQUIRE(tail.resume(db).ok());
    REQUIRE(db.execute("BEGIN").ok());
    audit::DecisionRecord decision;
    decision.id = "x";
    decision.path = "/orders/42";
    audit::Encoded encoded;
    audit::encode(decision, encoded);
    int64_t seq = tail.last();
    for (size_t i = 0; i < audit::kBlockDecisions; ++i)
      REQUIRE(tail.add(++seq, {.kind = Kind::kDecision,
                               .fields = encoded.fields,
                               .entries = encoded.entries,
                               .personal = encoded.personal,
                               .personal_entries = encoded.personal_entries})
                  .ok());
    REQUIRE(tail.put().ok());
    REQUIRE(db.execute("COMMIT; BEGIN").ok());
    damaged = 1;
    const auto wrong = tail.close();
    REQUIRE_FALSE(wrong.ok());
    CHECK(wrong.error().message.find("differs from what was hashed") != std::string::npos);
    REQUIRE(db.execute("ROLLBACK").ok());
    CHECK(audit::verify({config.database}, {}, 1, [](int64_t) {}).value().broken == "");
    REQUIRE(tail.resume(db).ok());
    REQUIRE(db.execute("BEGIN").ok());
    REQUIRE(tail.close().ok());  // the encoder works again
    REQUIRE(db.execute("COMMIT").ok());
  }
  const auto v = audit::verify({config.database}, {}, 1, [](int64_t) {}).value();
  CHECK(v.broken == "");
  CHECK(v.records == 1 + static_cast<int64_t>(audit::kBlockDecisions));
}
