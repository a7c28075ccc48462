#include "audit/block_filter.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/hash.h"

namespace yett::audit {
namespace {

constexpr char kVersion = 1;  // filters of other versions match anything
constexpr uint64_t kSeed = 0x79657474;
constexpr size_t kWords = 1024;  // 64 Kibit, folded when the block is closed
constexpr size_t kMinWords = 8;
constexpr int kProbes = 4;
constexpr size_t kMaxPrefixes = 8;

size_t bitOf(Token token, int probe, size_t words) {
  const uint64_t step = (token >> 32) | 1;
  return (token + static_cast<uint64_t>(probe) * step) & (words * 64 - 1);
}

}  // namespace

Token tokenOf(Term term, std::string_view value) {
  return base::hashBytes(value, kSeed + static_cast<uint64_t>(term));
}

Token prefixToken(Term term, std::string_view prefix) {
  return base::hashBytes(prefix, kSeed + 64 + static_cast<uint64_t>(term));
}

Token both(Token a, Token b) {
  return base::mixed(a ^ 0x9e3779b97f4a7c15, b ^ 0xe7037ed1a0b428db);
}

BlockFilter::BlockFilter() : bits_(kWords) {}

void BlockFilter::set(Token token) {
  for (int i = 0; i < kProbes; ++i) {
    const size_t bit = bitOf(token, i, kWords);
    bits_[bit / 64] |= uint64_t{1} << (bit % 64);
  }
}

namespace {

// "/a/b/c" begins with "/", "/a/" and "/a/b/".
template <typename Take>
void eachPrefix(Term term, std::string_view value, Take take) {
  size_t count = 0;
  for (size_t i = 0; i < value.size() && count < kMaxPrefixes; ++i) {
    if (value[i] != '/') continue;
    take(prefixToken(term, value.substr(0, i + 1)));
    ++count;
  }
}

template <typename Take>
void eachWhole(const FilteredFields& f, Take take) {
  const Token effect = tokenOf(Term::kEffect, f.effect);
  const Token principal = tokenOf(Term::kPrincipal, f.principal);
  const Token path = tokenOf(Term::kPath, f.path);
  for (const Token token :
       {effect, principal, path, tokenOf(Term::kMethod, f.method), tokenOf(Term::kPolicy, f.policy),
        tokenOf(Term::kRule, f.rule), both(effect, principal), both(effect, path), both(principal, path)})
    take(token);
}

}  // namespace

bool mayHold(std::string_view filter, const FilteredFields& fields) {
  bool out = true;
  const auto take = [&](Token token) { out = out && mayContain(filter, token); };
  eachWhole(fields, take);
  eachPrefix(Term::kPrincipal, fields.principal, take);
  eachPrefix(Term::kPath, fields.path, take);
  return out;
}

void BlockFilter::add(const FilteredFields& f) {
  const auto take = [this](Token token) { set(token); };
  eachWhole(f, take);
  if (f.principal != last_principal_) eachPrefix(Term::kPrincipal, last_principal_ = f.principal, take);
  if (f.path != last_path_) eachPrefix(Term::kPath, last_path_ = f.path, take);
}

Token BlockFilter::add(Term term, std::string_view value) {
  const Token token = tokenOf(term, value);
  set(token);
  if (term == Term::kPrincipal || term == Term::kPath) eachPrefix(term, value, [this](Token prefix) { set(prefix); });
  return token;
}

void BlockFilter::addPairs(Token effect, Token principal, Token path) {
  set(both(effect, principal));
  set(both(effect, path));
  set(both(principal, path));
}

void BlockFilter::clear() {
  std::fill(bits_.begin(), bits_.end(), 0);
  last_principal_.clear();
  last_path_.clear();
}

std::string BlockFilter::encode() const {
  std::vector<uint64_t> folded = bits_;
  // With a quarter of the bits set, one absent value in 256 is a false positive.
  const auto density = [&] {
    size_t set = 0;
    for (const uint64_t word : folded) set += static_cast<size_t>(std::popcount(word));
    return set * 8 / folded.size();  // of 512
  };
  while (folded.size() > kMinWords && density() <= 64) {
    const size_t half = folded.size() / 2;
    for (size_t i = 0; i < half; ++i) folded[i] |= folded[half + i];
    folded.resize(half);
  }
  std::string out(1, kVersion);
  out.append(reinterpret_cast<const char*>(folded.data()), folded.size() * sizeof(uint64_t));
  return out;
}

bool mayContain(std::string_view filter, Token token) {
  const size_t words = filter.empty() ? 0 : (filter.size() - 1) / sizeof(uint64_t);
  if (words == 0 || filter[0] != kVersion || !std::has_single_bit(words)) return true;
  for (int i = 0; i < kProbes; ++i) {
    const size_t bit = bitOf(token, i, words);
    if ((static_cast<unsigned char>(filter[1 + bit / 8]) >> (bit % 8) & 1) == 0) return false;
  }
  return true;
}

}  // namespace yett::audit
