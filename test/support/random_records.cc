#include "support/random_records.h"

#include <array>
#include <vector>

#include "audit/record_keys.h"
#include "base/uuid7.h"

namespace yett::test {
namespace {

using audit::Kind;
using Random = std::mt19937_64;

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

}  // namespace

MadeRecord anyRecord(Random& random, int64_t seq) {
  MadeRecord made{};
  static base::Uuid7Source ids;
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

}  // namespace yett::test
