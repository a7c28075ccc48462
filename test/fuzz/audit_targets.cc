// The bytes in an audit log may come from anybody.
#include "audit/block_builder.h"
#include "audit/block_data.h"
#include "audit/query.h"
#include "audit/salts.h"
#include "base/text.h"
#include "fuzz/targets.h"
#include "sink/line_check.h"
#include "support/random_records.h"

namespace yett::fuzz {
namespace {

// Reads everything that Yett ever reads of a block.
void readAll(audit::BlockData& data) {
  const audit::Search search({.effect = "allow", .principal = "spiffe://example.org/*", .id = "x"});
  (void)search.rows(data);
  audit::Fields fields;
  for (const auto& record : data.records()) {
    if (record.kind != audit::Kind::kDecision && record.kind != audit::Kind::kOutcome) continue;
    if (!data.fields(record, fields)) break;
    (void)data.commitment(record);
  }
  auto salts = audit::Salts::read(data.salts(), data.rows(audit::Kind::kDecision));
  if (!salts) return;
  for (size_t row = 0; row < data.rows(audit::Kind::kDecision); ++row) (void)salts.value().at(row);
  std::string out;
  if (!salts.value().remove({0}, data.rows(audit::Kind::kDecision))) return;
  salts.value().write(out);
}

std::string block(std::string_view bytes) {
  audit::BlockData data;
  const auto taken = data.take(std::string(bytes));
  if (taken) readAll(data);
  return taken || !taken.error().message.empty() ? "" : "refused without a reason";
}

// Pieces, each preceded by its size in two bytes.
std::string pieces(std::string_view bytes) {
  audit::BlockData data;
  while (bytes.size() >= 2) {
    const size_t size = static_cast<unsigned char>(bytes[0]) | static_cast<size_t>(static_cast<unsigned char>(bytes[1]))
                                                                   << 8;
    bytes.remove_prefix(2);
    const auto piece = bytes.substr(0, size);
    bytes.remove_prefix(piece.size());
    if (!data.take(std::string(piece))) return {};
    readAll(data);
  }
  return {};
}

// Makes random records with the bytes as seed: a block of them must read back unchanged.
std::string records(std::string_view bytes) {
  std::seed_seq seed(bytes.begin(), bytes.end());
  std::mt19937_64 random(seed);
  audit::BlockBuilder builder;
  for (size_t i = 0, seq = 1; i < 1 + bytes.size() % 300; ++i, seq += random() % 9 == 0 ? 1 + random() % 1000 : 1) {
    builder.add(test::anyRecord(random, static_cast<int64_t>(seq)).linked());
    if (seq % 7 == 0) ++seq;
    if (random() % 5 == 0) (void)builder.piece();
  }
  std::string salts;
  audit::Salts(std::string(16, bytes.empty() ? 'x' : bytes[0])).write(salts);
  return builder.differs(builder.body(salts), salts);
}

std::string lines(std::string_view bytes) {
  const audit::Expected expected;
  sink::LineCheck check(expected);
  for (const auto line : base::split(bytes, '\n')) {
    if (!check.take(line).empty()) break;
  }
  (void)check.finish();
  return {};
}

constexpr Target kTargets[] = {
    {"audit_block", block}, {"audit_pieces", pieces}, {"audit_records", records}, {"sink_lines", lines}};

}  // namespace

std::span<const Target> auditTargets() {
  return kTargets;
}

}  // namespace yett::fuzz
