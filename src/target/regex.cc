#include "target/regex.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <numeric>

#include "base/text.h"

namespace yett::target {
namespace {

constexpr int64_t kMemory = 1 << 20;      // of one expression, including its automaton
constexpr int64_t kSetMemory = 64 << 20;  // of a set
constexpr int kLongestProgram = 1000;
constexpr uint64_t kMaxSetSteps = 20'000'000;
constexpr size_t kLongestText = 4096;

re2::RE2::Options options(int64_t memory) {
  re2::RE2::Options out(re2::RE2::Latin1);
  out.set_log_errors(false);
  out.set_never_capture(true);
  out.set_dot_nl(true);
  out.set_max_mem(memory);
  return out;
}

}  // namespace

Result<Regex> Regex::compile(std::string_view text) {
  const std::string shown = "re `" + base::printable(text.substr(0, 100)) + "`";
  if (text.size() > kLongestText) return Error{shown + ": over " + std::to_string(kLongestText) + " bytes"};
  Regex out;
  auto regex = std::make_shared<re2::RE2>(re2::StringPiece(text.data(), text.size()), options(kMemory));
  if (!regex->ok()) return Error{shown + ": " + base::printable(regex->error())};
  if (regex->ProgramSize() > kLongestProgram)
    return Error{shown + ": too large once compiled: shorten its repetitions"};
  out.regex_ = std::move(regex);
  return out;
}

bool Regex::matches(std::string_view text) const {
  return regex_->Match({text.data(), text.size()}, 0, text.size(), re2::RE2::ANCHOR_BOTH, nullptr, 0);
}

const std::string& Regex::text() const {
  return regex_->pattern();
}

uint64_t Regex::worstSteps(size_t size) const {
  return (size + 1) * static_cast<uint64_t>(regex_->ProgramSize());
}

struct RegexSet::Automaton {
  Automaton() : set(options(kSetMemory), re2::RE2::ANCHOR_BOTH) {}
  re2::RE2::Set set;
  bool ok = true;
};

RegexSet::RegexSet() : automaton_(std::make_unique<Automaton>()) {}
RegexSet::~RegexSet() = default;
RegexSet::RegexSet(RegexSet&&) noexcept = default;
RegexSet& RegexSet::operator=(RegexSet&&) noexcept = default;

size_t RegexSet::add(const Regex& regex) {
  all_.push_back(regex);
  steps_ += regex.worstSteps(0);
  automaton_->ok = automaton_->set.Add(regex.text(), nullptr) >= 0 && automaton_->ok;
  return all_.size() - 1;
}

void RegexSet::compile() {
  automaton_->ok = !all_.empty() && automaton_->set.Compile() && automaton_->ok;
}

void RegexSet::match(std::string_view text, std::vector<int>& out) const {
  out.clear();
  if (all_.empty()) return;
  re2::RE2::Set::ErrorInfo error{re2::RE2::Set::kNoError};
  const bool bearable = automaton_->ok && steps_ * text.size() <= kMaxSetSteps;
  const bool matched = bearable && automaton_->set.Match({text.data(), text.size()}, &out, &error);
  if (bearable && (matched || error.kind == re2::RE2::Set::kNoError)) return std::sort(out.begin(), out.end());
  out.resize(all_.size());
  std::iota(out.begin(), out.end(), 0);
}

}  // namespace yett::target
