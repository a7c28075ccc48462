#include "target/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "base/text.h"

namespace yett::target {

static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Result<IpAddress> IpAddress::parse(std::string_view text) {
  IpAddress out;
  const std::string copy(text.substr(0, text.find('\0') == std::string_view::npos ? text.size() : 0));
  if (inet_pton(AF_INET, copy.c_str(), out.bytes_.data() + 12) == 1) {
    std::memcpy(out.bytes_.data(), kMapped, 12);
  } else if (inet_pton(AF_INET6, copy.c_str(), out.bytes_.data()) != 1) {
    return Error{"`" + base::printable(text) + "` is not an IP address"};
  }
  out.known_ = true;
  return out;
}

IpAddress IpAddress::fromSocket(const sockaddr* address) {
  IpAddress out;
  if (address->sa_family == AF_INET) {
    std::memcpy(out.bytes_.data(), kMapped, 12);
    std::memcpy(out.bytes_.data() + 12, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
    out.known_ = true;
  } else if (address->sa_family == AF_INET6) {
    std::memcpy(out.bytes_.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
    out.known_ = true;
  }
  return out;
}

bool IpAddress::isV4() const {
  return std::memcmp(bytes_.data(), kMapped, 12) == 0;
}

std::string IpAddress::text() const {
  if (!known_) return {};
  char out[INET6_ADDRSTRLEN];
  if (isV4()) inet_ntop(AF_INET, bytes_.data() + 12, out, sizeof out);
  else inet_ntop(AF_INET6, bytes_.data(), out, sizeof out);
  return out;
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const auto slash = text.find('/');
  Cidr out;
  out.base_ = TRY(IpAddress::parse(text.substr(0, slash)));
  const int width = text.substr(0, slash).find(':') == std::string_view::npos ? 32 : 128;
  uint64_t bits = static_cast<uint64_t>(width);
  if (slash != std::string_view::npos &&
      (!base::parseUnsigned(text.substr(slash + 1), bits) || bits > static_cast<uint64_t>(width))) {
    return Error{"`" + base::printable(text) + "` is not an address range: the prefix goes from 0 to " +
                 std::to_string(width)};
  }
  out.bits_ = static_cast<int>(bits) + (128 - width);
  for (int bit = out.bits_; bit < 128; ++bit) {
    if ((out.base_.bytes_[static_cast<size_t>(bit / 8)] >> (7 - bit % 8)) & 1) {
      return Error{"`" + base::printable(text) + "` has bits set past its prefix"};
    }
  }
  return out;
}

bool Cidr::contains(const IpAddress& address) const {
  if (!address.known_) return false;
  const size_t whole = static_cast<size_t>(bits_ / 8);
  if (std::memcmp(base_.bytes_.data(), address.bytes_.data(), whole) != 0) return false;
  const int rest = bits_ % 8;
  return rest == 0 || ((base_.bytes_[whole] ^ address.bytes_[whole]) >> (8 - rest)) == 0;
}

}  // namespace yett::target
