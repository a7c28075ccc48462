#include <catch2/catch.hpp>
#include <random>

#include "audit/block_builder.h"
#include "audit/block_data.h"
#include "audit/record_keys.h"
#include "audit/salts.h"
#include "base/uuid7.h"

using namespace yett;
using audit::Kind;
using Random = std::mt19937_64;

namespace {

// A record with its strings.
struct Made {
  Kind kind;
  int64_t seq;
  int64_t decision_seq = 0;
  char mark;
  audit::Encoded encoded;
  std::string commitment;

  audit::Linked linked() const {
    return {.kind = kind,
            .seq = seq,
            .mark = mark,
            .decision_seq = decision_seq,
            .fields = encoded.fields,
            .entries = encoded.entries,
            .personal = encoded.personal,
            .personal_entries = encoded.personal_entries,
            .commitment = commitment};
  }
};

std::string anyText(Random& random) {
  const std::string few = "v" + std::to_string(random() % 5);
  switch (random() % 10) {
    case 0: return "";
    case 1: return "=" + std::string(random() % 3, '=');
    case 2: return std::string(random() % 200, static_cast<char>(random()));
    case 3: return std::to_string(random());
    default: return few;
  }
}

int64_t anyNumber(Random& random) {
  return random() % 4 == 0 ? static_cast<int64_t>(random()) : static_cast<int64_t>(random() % 300);
}

Made anyRecord(Random& random, base::Uuid7Source& ids, int64_t seq) {
  Made made{};
  made.seq = seq;
  made.mark = static_cast<char>(random());
  const auto what = random() % 20;
  made.kind = what < 9    ? Kind::kDecision
              : what < 17 ? Kind::kOutcome
                          : static_cast<Kind>(std::array{0, 3, 4, 5}[random() % 4]);
  if (made.kind != Kind::kDecision && made.kind != Kind::kOutcome) return made;
  audit::Fields fields;
  std::vector<std::string> texts;
  texts.reserve(40);
  const audit::Layout& layout = audit::layout(made.kind);
  for (size_t i = 0; i < layout.count; ++i) {
    const auto key = static_cast<size_t>(layout.columns[i].key);
    if (layout.columns[i].text) fields.text[key] = texts.emplace_back(anyText(random));
    else fields.number[key] = anyNumber(random);
  }
  if (made.kind == Kind::kOutcome) {
    made.decision_seq =
        random() % 10 == 0 || seq == 1 ? 0 : 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(seq - 1));
    fields.number[audit::OutcomeKey::kDecisionSeq] = 0;
  } else {
    const int64_t time = 1'790'000'000'000'000 + static_cast<int64_t>(random() % 1'000'000);
    if (random() % 9 != 0) fields.number[audit::DecisionKey::kTime] = time;
    if (random() % 9 != 0) fields.text[audit::DecisionKey::kId] = texts.emplace_back(base::view(ids.next(time)));
    if (random() % 2 != 0) fields.text[audit::DecisionKey::kRawTarget] = fields.text[audit::DecisionKey::kPath];
    if (random() % 12 == 0) {
      made.commitment.resize(32);
      for (char& c : made.commitment) c = static_cast<char>(random());
      for (size_t i = 0; i < layout.count; ++i) {
        if (layout.columns[i].personal) fields.text[static_cast<size_t>(layout.columns[i].key)] = {};
      }
    }
  }
  audit::encodeRow(layout, fields, made.encoded);
  return made;
}

void check(const Made& made, audit::BlockData& data, size_t i) {
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

TEST_CASE("block: whatever is added comes back, from the whole and from pieces, and the proof holds") {
  Random random(7);
  base::Uuid7Source ids;
  audit::BlockBuilder builder;
  for (const size_t size : {1, 2, 3, 40, 255, 256, 257, 1500}) {
    INFO(size);
    std::vector<Made> made;
    int64_t seq = 1 + static_cast<int64_t>(random() % 1000);
    audit::BlockData pieces;
    size_t decisions = 0;
    for (size_t i = 0; i < size; ++i) {
      made.push_back(anyRecord(random, ids, seq));
      builder.add(made.back().linked());
      decisions += made.back().kind == Kind::kDecision ? 1 : 0;
      seq += random() % 30 == 0 ? 1 + static_cast<int64_t>(random() % 100'000) : 1;
      if (random() % 20 == 0 || i + 1 == size) REQUIRE(pieces.take(builder.piece()).ok());
    }
    std::string salts;
    audit::Salts("0123456789abcdef").write(salts);
    const std::string body = builder.body(salts);
    CHECK(builder.differs(body, salts) == "");
    CHECK(builder.differs(body, salts + "x") == "it has other salts");
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

TEST_CASE("block: of a changed body the proof says so, or nothing that it holds is another") {
  Random random(8);
  base::Uuid7Source ids;
  audit::BlockBuilder builder;
  for (int64_t seq = 1; seq <= 300; ++seq) builder.add(anyRecord(random, ids, seq).linked());
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
  // What is left are bits of a frame that mean nothing.
  CHECK(found > 2950);
}

TEST_CASE("block: the filter is what the rows alone would give, however they come") {
  Random random(9);
  base::Uuid7Source ids;
  audit::BlockBuilder builder;
  audit::BlockFilter plain;
  for (int64_t seq = 1; seq <= 700; ++seq) {
    const Made made = anyRecord(random, ids, seq);
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
