#include "rpc/message_reader.h"

#include <algorithm>
#include <cstdint>

#include "base/units.h"

namespace yett::rpc {
namespace {

constexpr size_t kPrefix = 5;

size_t lengthIn(std::string_view prefix) {
  size_t out = 0;
  for (const char c : prefix.substr(1, kPrefix - 1)) out = out << 8 | static_cast<unsigned char>(c);
  return out;
}

}  // namespace

std::string framed(std::string_view message) {
  const auto size = static_cast<uint32_t>(message.size());
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 0xff);
  return out.append(message);
}

Status MessageReader::feed(std::string_view bytes, const std::function<void(std::string_view)>& take) {
  while (!bytes.empty()) {
    const size_t missing = held_.size() < kPrefix ? kPrefix - held_.size() : kPrefix + lengthIn(held_) - held_.size();
    const size_t part = std::min(missing, bytes.size());
    held_.append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    if (held_.size() < kPrefix) return {};
    if (held_[0] != 0) return Error{"a compressed message, which was not asked for"};
    const size_t length = lengthIn(held_);
    if (length > most_)
      return Error{"a message of " + base::formatSize(length) + ", more than the limit of " + base::formatSize(most_)};
    if (held_.size() < kPrefix + length) continue;
    const std::string message = std::move(held_);
    held_.clear();
    take(std::string_view(message).substr(kPrefix));
  }
  return {};
}

}  // namespace yett::rpc
