#include "policy/document.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string>

#include "policy/name_fold.h"

namespace yett::policy {

const char* Node::kindName() const {
  switch (kind) {
    case Kind::kNull: return "null";
    case Kind::kBool: return "a boolean";
    case Kind::kInteger:
    case Kind::kReal:
    case Kind::kTooLarge: return "a number";
    case Kind::kString: return "a string";
    case Kind::kList: return "a list";
    case Kind::kObject: return "an object";
  }
  return "";
}

// Members are sorted by fold hash, then by name.
static std::span<const Member> alike(const Node& object, uint32_t fold) {
  const Member* end = object.members + object.size;
  if (object.size <= 8) {  // few: a scan costs less than a search
    const Member* first = object.members;
    while (first != end && first->fold != fold) ++first;
    const Member* last = first;
    while (last != end && last->fold == fold) ++last;
    return {first, last};
  }
  const auto range = std::equal_range(object.members, end, Member{nullptr, 0, fold, {}},
                                      [](const Member& a, const Member& b) { return a.fold < b.fold; });
  return {range.first, range.second};
}

Found find(const Node& object, std::string_view name, bool fold) {
  Found out;
  const auto group = alike(object, foldHash(name));
  const auto here =
      std::lower_bound(group.begin(), group.end(), name,
                       [](const Member& member, std::string_view wanted) { return member.text() < wanted; });
  if (here != group.end() && here->text() == name) out = {Found::How::kHere, &here->value};
  // Names that only share a hash are few: nobody can choose them.
  const bool other = fold && std::any_of(group.begin(), group.end(), [&](const Member& member) {
                       return member.text() != name && foldsAlike(member.text(), name);
                     });
  if (other) out = {out.value != nullptr ? Found::How::kTwoSpellings : Found::How::kOtherSpelling, nullptr};
  return out;
}

bool hasTwoSpellings(const Node& object) {
  const Member* end = object.members + object.size;
  for (const Member* first = object.members; first != end; ++first) {
    for (const Member* next = first + 1; next != end && next->fold == first->fold; ++next) {
      if (foldsAlike(first->text(), next->text())) return true;
    }
  }
  return false;
}

const Node* atPointer(const Node& root, std::string_view pointer) {
  const Node* at = &root;
  while (!pointer.empty() && at != nullptr) {
    pointer.remove_prefix(1);
    const auto end = std::min(pointer.find('/'), pointer.size());
    std::string token;
    for (size_t i = 0; i < end; ++i) {
      if (pointer[i] == '~' && i + 1 < end && (pointer[i + 1] == '0' || pointer[i + 1] == '1'))
        token += pointer[++i] == '0' ? '~' : '/';
      else token += pointer[i];
    }
    pointer.remove_prefix(end);
    if (at->kind == Node::Kind::kList) {
      size_t index = 0;
      const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), index);
      const bool whole = error == std::errc() && stop == token.data() + token.size();
      at = whole && index < at->size ? &at->items[index] : nullptr;
    } else {
      at = at->kind == Node::Kind::kObject ? find(*at, token, false).value : nullptr;
    }
  }
  return at;
}

}  // namespace yett::policy
