// Asks DNS, by c-ares, without blocking its loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "net/event_loop.h"
#include "upstream/endpoint.h"

struct ares_addrinfo;
struct ares_channeldata;

namespace yett::upstream {

struct ResolverConfig {
  std::vector<std::string> servers;  ///< "10.0.0.10:53"; empty: those of /etc/resolv.conf
  base::Millis min_ttl{1000};        ///< how long an answer is used at least,
  base::Millis max_ttl{300'000};     ///< and at most
  bool operator==(const ResolverConfig&) const = default;
};

/// The address of a DNS server, with its port (53 if there is none). Errors: it is no IP address.
Result<std::string> serverAddress(const std::string& text);

/// What was found for a target, and for how long it is good.
struct Resolution {
  std::vector<ResolvedAddress> addresses;  ///< not empty
  int64_t ttl = 0;                         ///< seconds
};

/// Belongs to one loop.
class Resolver {
 public:
  Resolver(net::EventLoop& loop, const ResolverConfig& config);
  ~Resolver();
  Resolver(const Resolver&) = delete;

  /// Why it cannot ask; "" if it can.
  const std::string& failure() const { return failure_; }
  /// Looks up a name (A, AAAA, /etc/hosts, search domains) or SRV records and the names that they have (RFC 2782; only
  /// those of the best priority). Calls `done` once, unless the resolver is destroyed before; maybe at once.
  using Done = std::function<void(Result<Resolution> found)>;
  void resolve(const EndpointTarget& target, Done done);

 private:
  class Descriptor;
  struct Question;
  struct Service;
  void begin();
  void end();
  void refreshChannel();
  void addresses(const std::string& name, uint16_t port, uint32_t weight, Done done);
  void service(const std::string& name, Done done);
  void watch(int fd, bool reads, bool writes);
  void tick();
  static void onSocket(void* self, int fd, int reads, int writes);
  static void onAddresses(void* question, int status, int timeouts, ares_addrinfo* found);
  static void onService(void* question, int status, int timeouts, unsigned char* answer, int size);

  net::EventLoop& loop_;
  const ResolverConfig config_;
  std::string failure_;
  ares_channeldata* channel_ = nullptr;
  int64_t configured_at_ = 0;  // modification time of resolv.conf
  size_t asking_ = 0;
  bool ending_ = false;
  std::map<int, std::unique_ptr<Descriptor>> descriptors_;
  net::Timer timer_;
};

}  // namespace yett::upstream
