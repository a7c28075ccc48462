#include "support/tamper.h"

#include <algorithm>
#include <stdexcept>

#include "audit/block_builder.h"
#include "audit/block_source.h"
#include "audit/chain_writer.h"
#include "audit/record_keys.h"

namespace yett::test {
namespace {

using audit::Kind;

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}
void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

store::Database opened(const std::string& database) {
  return must(store::Database::open(database, store::Database::Mode::kWrite));
}

std::vector<OpenRecord> recordsOf(audit::BlockData& data) {
  std::vector<OpenRecord> out;
  for (const auto& record : data.records()) {
    OpenRecord& open = out.emplace_back(OpenRecord{record.kind, record.seq, record.mark, 0, {}, {}, {}});
    if (record.kind != Kind::kDecision && record.kind != Kind::kOutcome) continue;
    audit::Fields fields;
    must(data.fields(record, fields));
    for (size_t key = 0; key < audit::kMaxFields; ++key) open.text[key] = fields.text[key];
    open.number = fields.number;
    if (record.kind == Kind::kOutcome) std::swap(open.decision_seq, open.number[audit::OutcomeKey::kDecisionSeq]);
    open.commitment = must(data.commitment(record));
  }
  return out;
}

void write(store::Database& db, int64_t last, const std::vector<OpenRecord>& records, const audit::Salts& salts) {
  audit::BlockBuilder builder;
  audit::Encoded encoded;
  for (const auto& r : records) {
    audit::Linked linked{.kind = r.kind, .seq = r.seq, .mark = r.mark, .decision_seq = r.decision_seq};
    linked.commitment = r.commitment;
    if (r.kind == Kind::kDecision || r.kind == Kind::kOutcome) {
      audit::Fields fields;
      for (size_t key = 0; key < audit::kMaxFields; ++key) fields.text[key] = r.text[key];
      fields.number = r.number;
      audit::encodeRow(audit::layout(r.kind), fields, encoded);
      linked.fields = encoded.fields;
      linked.entries = encoded.entries;
      linked.personal = encoded.personal;
      linked.personal_entries = encoded.personal_entries;
    }
    builder.add(linked);
  }
  std::string salt_bytes;
  salts.write(salt_bytes);
  const std::string body = builder.body(salt_bytes);
  const std::string filter = builder.filter();
  auto update =
      must(db.prepare("UPDATE blocks SET first = ?, decisions = ?, time_min = ?, time_max = ?, late = ?, "
                      "filter = ?, body = ?, last = ? WHERE last = ?"));
  must(update.bind(1, builder.firstSeq())
           .bind(2, static_cast<int64_t>(builder.decisions()))
           .bind(3, builder.timeMin())
           .bind(4, builder.timeMax())
           .bind(5, builder.late())
           .bindBlob(6, filter)
           .bindBlob(7, body)
           .bind(8, builder.lastSeq())
           .bind(9, last)
           .run());
}

}  // namespace

void closeBlock(const std::string& database) {
  audit::AuditConfig config;
  config.database = database;
  closeBlock(config);
}

void closeBlock(const audit::AuditConfig& config) {
  auto chain = must(audit::ChainWriter::open(config));
  must(chain->begin(1));
  must(chain->closeBlock());
  must(chain->commit());
  must(chain->close());
}

void tamper(const std::string& database, const std::function<void(std::vector<OpenRecord>&, audit::Salts&)>& change) {
  auto db = opened(database);
  audit::BlockSource source(db);
  for (const auto& head : must(source.heads(0))) {
    auto data = must(source.body(head.last));
    auto records = recordsOf(*data);
    auto salts = must(audit::Salts::read(data->salts(), data->rows(Kind::kDecision)));
    change(records, salts);
    write(db, head.last, records, salts);
  }
}

void blank(std::vector<OpenRecord>& records, audit::Salts& salts, const std::vector<int64_t>& seqs) {
  std::vector<size_t> rows;
  size_t row = 0;
  for (auto& r : records) {
    if (r.kind != Kind::kDecision) continue;
    if (std::find(seqs.begin(), seqs.end(), r.seq) != seqs.end()) {
      audit::Fields fields;
      for (size_t key = 0; key < audit::kMaxFields; ++key) fields.text[key] = r.text[key];
      audit::Encoded encoded;
      audit::encodePersonal(audit::layout(Kind::kDecision), fields, encoded);
      std::string bytes;
      audit::personalBytes(encoded.personal, encoded.personal_entries, bytes);
      const auto hash = base::Sha256Hasher().update(must(salts.at(row))).update(bytes).finish();
      r.commitment = base::view(hash);
      const audit::Layout& layout = audit::layout(Kind::kDecision);
      for (size_t i = 0; i < layout.count; ++i) {
        if (layout.columns[i].personal) r.text[static_cast<size_t>(layout.columns[i].key)].clear();
      }
      rows.push_back(row);
    }
    ++row;
  }
  size_t decisions = row;
  must(salts.remove(rows, decisions));
}

void runSql(const std::string& database, const std::string& sql) {
  auto db = opened(database);
  must(db.execute(sql));
}

}  // namespace yett::test
