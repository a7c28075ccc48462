#include "policy/document.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string>

#include "base/json.h"
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

namespace {

void appendMembers(std::string& out, const Node& object) {
  std::vector<const Member*> sorted(object.size);
  for (uint32_t i = 0; i < object.size; ++i) sorted[i] = object.members + i;
  std::sort(sorted.begin(), sorted.end(), [](const Member* a, const Member* b) { return a->text() < b->text(); });
  out += '{';
  for (const Member* member : sorted) {
    if (member != sorted.front()) out += ',';
    json::appendQuoted(out, member->text());
    out += ':';
    appendJson(out, member->value);
  }
  out += '}';
}

void appendItems(std::string& out, const Node& list) {
  out += '[';
  for (uint32_t i = 0; i < list.size; ++i) {
    if (i > 0) out += ',';
    appendJson(out, list.items[i]);
  }
  out += ']';
}

void appendReal(std::string& out, double real) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, real).ptr);
}

}  // namespace

void appendJson(std::string& out, const Node& value) {
  switch (value.kind) {
    case Node::Kind::kNull: out += "null"; break;
    case Node::Kind::kBool: out += value.flag ? "true" : "false"; break;
    case Node::Kind::kInteger: out += std::to_string(value.integer); break;
    case Node::Kind::kReal: appendReal(out, value.real); break;
    case Node::Kind::kTooLarge: out += "9007199254740993"; break;  // which is too large as well
    case Node::Kind::kString: json::appendQuoted(out, value.string()); break;
    case Node::Kind::kList: appendItems(out, value); break;
    case Node::Kind::kObject: appendMembers(out, value); break;
  }
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
