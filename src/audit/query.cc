#include "audit/query.h"

#include <algorithm>

#include "base/check.h"
#include "base/uuid7.h"

namespace yett::audit {

size_t decisionColumn(std::string_view name) {
  const Layout& l = layout(Kind::kDecision);
  size_t i = 0;
  while (i < l.count && name != l.columns[i].name) ++i;
  YETT_CHECK(i < l.count);
  return i;
}

Search::Search(const Query& query) : query_(query) {
  // A UUIDv7 contains its creation time, so a search for one looks only there.
  if (const auto millis = base::uuid7Millis(query.id)) {
    constexpr int64_t kMargin = 1'000'000;
    query_.since = std::max(query.since.value_or(INT64_MIN), *millis * 1000 - kMargin);
    query_.until = std::min(query.until.value_or(INT64_MAX), *millis * 1000 + kMargin);
  }
  want(Term::kEffect, "effect", query.effect);
  want(Term::kPrincipal, "principal", query.principal, query.principal_fits);
  want(Term::kPath, "path", query.path, query.path_fits);
  want(Term::kMethod, "method", query.method);
  want(Term::kPolicy, "policy", query.policy);
  want(Term::kRule, "rule", query.rule);
  if (query.id.ends_with('*')) wanted_.push_back({Place::kId, query.id.substr(0, query.id.size() - 1), true});
  else if (!query.id.empty()) wantExactly(Place::kId, query.id);
  if (!query.host.empty()) wantExactly(decisionColumn("host"), query.host);
  if (!query.source.empty()) wantExactly(decisionColumn("source"), query.source);
  if (query.anonymous) wantExactly(decisionColumn("principal"), "");
  for (const auto& [column, text] : query.exactly) wantExactly(column, text);
  for (const auto& [a, b] : {std::pair(effect_, principal_), std::pair(effect_, path_), std::pair(principal_, path_)}) {
    if (a && b) tokens_.push_back(both(*a, *b));
  }
}

// With a trailing `*`, by prefix.
void Search::want(Term term, const char* column, const std::string& wanted,
                  const std::function<bool(std::string_view)>& fits) {
  if (wanted.empty()) return;
  if (wanted.back() != '*') return wantExactly(decisionColumn(column), wanted);
  wanted_.push_back({decisionColumn(column), wanted.substr(0, wanted.size() - 1), true, fits});
  const auto slash = wanted.rfind('/');
  const bool few = std::count(wanted.begin(), wanted.end(), '/') <= 8;  // more prefixes are not in a filter
  if (slash != std::string::npos && few && (term == Term::kPath || term == Term::kPrincipal))
    tokens_.push_back(prefixToken(term, std::string_view(wanted).substr(0, slash + 1)));
}

void Search::wantExactly(size_t column, const std::string& text) {
  wanted_.push_back({column, text, false});
  const auto known = [&](const char* name, Term term, std::optional<Token>* pair) {
    if (column != decisionColumn(name)) return;
    tokens_.push_back(tokenOf(term, text));
    if (pair != nullptr) *pair = tokens_.back();
  };
  known("effect", Term::kEffect, &effect_);
  known("principal", Term::kPrincipal, &principal_);
  known("path", Term::kPath, &path_);
  known("method", Term::kMethod, nullptr);
  known("policy", Term::kPolicy, nullptr);
  known("rule", Term::kRule, nullptr);
}

bool Search::mayBeIn(const BlockHead& head) const {
  return head.decisions > 0 && head.last > query_.after_seq && head.first <= query_.up_to_seq &&
         (!query_.since || head.time_max >= *query_.since) && (!query_.until || head.time_min < *query_.until);
}

bool Search::mayBeIn(std::string_view filter) const {
  return std::all_of(tokens_.begin(), tokens_.end(), [&](Token token) { return mayContain(filter, token); });
}

// Compares each distinct text once, then looks up the result for each row.
Status Search::keepText(BlockData& data, const Wanted& wanted, std::vector<uint32_t>& rows) const {
  const auto fits = [&](std::string_view text) {
    if (wanted.prefix ? !text.starts_with(wanted.text) : text != wanted.text) return false;
    return !wanted.fits || wanted.fits(text);
  };
  if (wanted.column == Place::kId) {
    const auto* ids = TRY(data.ids());
    std::erase_if(rows, [&](uint32_t row) { return !fits(ids->text(row)); });
    return {};
  }
  if (wanted.column == Place::kRawTarget) {  // may be stored as "=", the path
    Status read;
    std::erase_if(rows, [&](uint32_t row) {
      auto text = data.text(Kind::kDecision, wanted.column, row);
      if (!text) read = text.error();
      return !text || !fits(text.value());
    });
    return read;
  }
  const auto* texts = TRY(data.texts(Kind::kDecision, wanted.column));
  std::vector<bool> good(texts->entries());
  for (size_t i = 0; i < good.size(); ++i) good[i] = fits(texts->entry(i));
  std::erase_if(rows, [&](uint32_t row) { return !good[texts->rows()[row]]; });
  return {};
}

Result<std::vector<uint32_t>> Search::rows(BlockData& data) const {
  std::vector<uint32_t> out;
  const size_t count = data.rows(Kind::kDecision);
  out.reserve(count);
  for (uint32_t row = 0; row < count; ++row) {
    const int64_t seq = data.record(Kind::kDecision, row).seq;
    if (seq > query_.after_seq && seq <= query_.up_to_seq) out.push_back(row);
  }
  if (query_.since || query_.until) {
    const auto& times = TRY(data.numbers(Kind::kDecision, Place::kTime))->rows();
    std::erase_if(out, [&](uint32_t row) {
      return (query_.since && times[row] < *query_.since) || (query_.until && times[row] >= *query_.until);
    });
  }
  for (const auto& wanted : wanted_) {
    if (out.empty()) break;
    TRY(keepText(data, wanted, out));
  }
  return out;
}

}  // namespace yett::audit
