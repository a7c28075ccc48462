#include "audit/side_tables.h"

#include "audit/log_file.h"
#include "audit/policies.h"
#include "base/sha256.h"
#include "base/text.h"

namespace yett::audit {
namespace {

using Type = store::Statement::Type;

Result<std::string> checkPolicies(store::Database& db) {
  auto rows = TRY(db.prepare(
      "SELECT p.digest, p.last_seq, p.document, e.what, e.subject, e.detail FROM policies p LEFT JOIN events e ON "
      "e.seq = p.last_seq ORDER BY p.digest"));
  while (TRY(rows.step())) {
    const std::string name = "table `policies`: the row of policy " + base::printable(rows.text(0).substr(0, 80));
    if (rows.type(0) != Type::kText || rows.type(1) != Type::kInteger || rows.type(2) != Type::kText)
      return name + " has a column of the wrong type";
    if (rows.text(3) != kPolicyEvent || rows.text(4) != rows.text(0))
      return name + " is not named by any event in the chain";
    if (base::sha256Hex(rows.text(2)) != rows.text(5)) return name + " was changed";
  }
  return std::string();
}

Result<std::string> checkMeta(store::Database& db, int64_t last, std::string_view before) {
  int found = 0;
  int optional = 0;
  auto rows = TRY(db.prepare("SELECT name, value FROM meta ORDER BY name"));
  while (TRY(rows.step())) {
    const std::string name(rows.text(0));
    const bool number = rows.type(1) == Type::kInteger;
    bool good = rows.type(0) == Type::kText;
    if (name == "log_id" || name == "before") {
      good = good && rows.type(1) == Type::kBlob && rows.text(1).size() == (name == "log_id" ? 16 : 32);
    } else if (name == "lease") {
      good = good && number && rows.integer(1) >= last && rows.integer(1) <= last + kMaxLeased;
    } else if (name == "hold") {
      good = good && number && rows.integer(1) == 1;
      ++optional;
    } else if (name == "clock_ahead" || name == "clock_wait") {
      good = good && number && rows.integer(1) > 0;
      ++optional;
    } else {
      good = false;
    }
    if (name == "before") good = good && rows.text(1) == before;
    ++found;
    if (!good) return "table `meta`: `" + base::printable(name.substr(0, 80)) + "` is not what yett writes there";
  }
  return std::string(found == 3 + optional ? "" : "table `meta`: rows are missing");
}

}  // namespace

Result<std::string> checkSideTables(store::Database& db, int64_t last, std::string_view before) {
  const std::string wrong = TRY(checkPolicies(db));
  return wrong.empty() ? checkMeta(db, last, before) : wrong;
}

}  // namespace yett::audit
