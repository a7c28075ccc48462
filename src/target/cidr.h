// IP addresses and address ranges. An IPv4-mapped IPv6 address always equals its IPv4 address (RFC 4291 2.5.5.2).
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.h"

struct sockaddr;

namespace yett::target {

/// An address as 16 bytes. IPv4 is stored in its mapped form, so that both spellings are equal.
class IpAddress {
 public:
  static Result<IpAddress> parse(std::string_view text);
  /// From an AF_INET or AF_INET6 socket address. For any other family (a Unix socket), known() is false.
  static IpAddress fromSocket(const sockaddr* address);

  bool known() const { return known_; }
  bool isV4() const;
  /// 16 bytes; all zero when not known.
  const std::array<unsigned char, 16>& bytes() const { return bytes_; }
  /// Dotted quad or RFC 5952 text; "" when not known.
  std::string text() const;

 private:
  friend class Cidr;
  std::array<unsigned char, 16> bytes_{};
  bool known_ = false;
};

class Cidr {
 public:
  /// "10.0.0.0/8", "2001:db8::/32", or one address. Bits set past the prefix are an error.
  static Result<Cidr> parse(std::string_view text);
  bool contains(const IpAddress& address) const;
  bool contains(const Cidr& other) const { return bits_ <= other.bits_ && contains(other.base_); }
  const IpAddress& base() const { return base_; }
  int bits() const { return bits_; }  ///< of 128

 private:
  IpAddress base_;
  int bits_ = 0;  // of 128
};

}  // namespace yett::target
