#include "upstream/resolver.h"

#include <Poco/Net/IPAddress.h>
#include <ares.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/text.h"

namespace yett::upstream {
namespace {

constexpr base::Millis kTick{100};  // for the timeouts of c-ares
constexpr int kTimeout = 1000;      // milliseconds of the first try; c-ares doubles it
constexpr int kTries = 3;
constexpr const char* kNoName = "there is no such name";
constexpr const char* kNoRecords = "the name has no such records";
constexpr const char* kSystemConfig = "/etc/resolv.conf";

int64_t modifiedAt(const char* file) {
  struct stat info {};
  return ::stat(file, &info) == 0 ? info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec : 0;
}

std::string whyOf(int status) {
  switch (status) {
    case ARES_ENOTFOUND: return kNoName;
    case ARES_ENODATA: return kNoRecords;
    case ARES_ETIMEOUT: return "no DNS server answers";
    case ARES_ECONNREFUSED: return "no DNS server can be reached";
    default: return base::lowered(ares_strerror(status));
  }
}

// The addresses of one name, both families. A service with addresses of both has one endpoint for each address of the
// family with more of them (IPv6 if equal), and one of the other family as its fallback.
std::vector<ResolvedAddress> paired(std::vector<Poco::Net::SocketAddress> v6, std::vector<Poco::Net::SocketAddress> v4,
                                    const std::string& host, uint32_t weight) {
  const auto byText = [](const auto& a, const auto& b) { return a.toString() < b.toString(); };
  std::sort(v6.begin(), v6.end(), byText);
  std::sort(v4.begin(), v4.end(), byText);
  const auto& main = v6.size() >= v4.size() ? v6 : v4;
  const auto& others = v6.size() >= v4.size() ? v4 : v6;
  std::vector<ResolvedAddress> out;
  for (size_t i = 0; i < main.size(); ++i) {
    ResolvedAddress found{main[i], {}, host, weight};
    if (!others.empty()) found.fallback = others[i % others.size()];
    out.push_back(std::move(found));
  }
  return out;
}

// The smallest TTL of the answers, which the parser of c-ares leaves out. INT64_MAX: there is none.
int64_t smallestTtl(const unsigned char* answer, int size) {
  if (size < 12) return INT64_MAX;
  const auto number = [&](const unsigned char* at) { return static_cast<uint32_t>(at[0] << 8 | at[1]); };
  uint32_t questions = number(answer + 4);
  uint32_t answers = number(answer + 6);
  const unsigned char* at = answer + 12;
  const unsigned char* const end = answer + size;
  const auto skipName = [&] {
    char* name = nullptr;
    long length = 0;
    if (ares_expand_name(at, answer, size, &name, &length) != ARES_SUCCESS) return false;
    ares_free_string(name);
    at += length;
    return true;
  };
  for (; questions > 0; --questions) {
    if (!skipName() || end - at < 4) return INT64_MAX;
    at += 4;
  }
  int64_t out = INT64_MAX;
  for (; answers > 0; --answers) {
    if (!skipName() || end - at < 10) break;
    out = std::min<int64_t>(out, int64_t{number(at + 4)} << 16 | number(at + 6));
    const uint32_t length = number(at + 8);
    if (end - at < 10 + static_cast<int64_t>(length)) break;
    at += 10 + length;
  }
  return out;
}

}  // namespace

Result<std::string> serverAddress(const std::string& text) {
  const bool bare_v6 = text.find(':') != text.rfind(':') && !text.starts_with('[');
  const bool has_port = !bare_v6 && text.find(':') != std::string::npos && !text.ends_with(']');
  const std::string whole = (bare_v6 ? "[" + text + "]" : text) + (has_port ? "" : ":53");
  const size_t colon = whole.rfind(':');
  std::string host = whole.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  uint64_t port = 0;
  Poco::Net::IPAddress address;
  const bool good = base::parseUnsigned(whole.substr(colon + 1), port) && port > 0 && port <= 65'535 &&
                    Poco::Net::IPAddress::tryParse(host, address) &&
                    bracketed == (address.family() == Poco::Net::AddressFamily::IPv6);
  if (!good)
    return Error{"`" + base::printable(text) +
                 "` is not the address of a DNS server, such as `10.0.0.10` or `[fd00::10]:53`"};
  return whole;
}

struct Resolver::Question {
  Resolver& resolver;
  std::string name;
  uint16_t port = 0;
  uint32_t weight = 1;
  Done done;
};

// The names that SRV records have, being looked up.
struct Resolver::Service {
  Done done;
  Resolution found;
  size_t left = 0;
  bool lost = false;
  std::string why;
};

class Resolver::Descriptor final : public net::EventHandler, public net::Destroyable {
 public:
  Descriptor(Resolver& resolver, int fd) : resolver_(resolver), fd_(fd) {}
  ~Descriptor() override { leave(); }
  void watch(uint32_t events) {
    if (std::exchange(registered_, true)) resolver_.loop_.modify(fd_, events, *this);
    else resolver_.loop_.add(fd_, events, *this);
  }
  void leave() {
    if (std::exchange(registered_, false)) resolver_.loop_.remove(fd_, *this);
  }
  void onEvents(uint32_t events) override {
    const bool reads = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    const bool writes = (events & EPOLLOUT) != 0;
    ares_process_fd(resolver_.channel_, reads ? fd_ : ARES_SOCKET_BAD, writes ? fd_ : ARES_SOCKET_BAD);
  }

 private:
  Resolver& resolver_;
  const int fd_;
  bool registered_ = false;
};

Resolver::Resolver(net::EventLoop& loop, const ResolverConfig& config)
    : loop_(loop), config_(config), timer_([this] { tick(); }) {
  static std::once_flag once;
  std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
  begin();
}

Resolver::~Resolver() {
  end();
}

void Resolver::begin() {
  ares_options options{};
  options.timeout = kTimeout;
  options.tries = kTries;
  options.sock_state_cb = &Resolver::onSocket;
  options.sock_state_cb_data = this;
  char lookups[] = "fb";  // /etc/hosts, then DNS
  options.lookups = lookups;
  configured_at_ = modifiedAt(kSystemConfig);
  int made = ares_init_options(&channel_, &options,
                               ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS);
  if (made != ARES_SUCCESS) channel_ = nullptr;
  else if (!config_.servers.empty())
    made = ares_set_servers_ports_csv(channel_, base::joined(config_.servers, ",").c_str());
  failure_ = made == ARES_SUCCESS ? "" : "the resolver cannot start: " + whyOf(made);
}

void Resolver::end() {
  ending_ = true;
  timer_.cancel();
  if (channel_ != nullptr) ares_destroy(channel_);  // calls onAddresses() and onService()
  channel_ = nullptr;
  for (auto& [fd, descriptor] : descriptors_) {
    descriptor->leave();
    loop_.destroyLater(std::move(descriptor));
  }
  descriptors_.clear();
  ending_ = false;
}

// resolv.conf may have changed.
void Resolver::refreshChannel() {
  if (asking_ > 0 || (failure_.empty() && modifiedAt(kSystemConfig) == configured_at_)) return;
  end();
  begin();
}

void Resolver::onSocket(void* self, int fd, int reads, int writes) {
  static_cast<Resolver*>(self)->watch(fd, reads != 0, writes != 0);
}

void Resolver::watch(int fd, bool reads, bool writes) {
  auto& descriptor = descriptors_[fd];
  if (reads || writes) {
    if (!descriptor) descriptor = std::make_unique<Descriptor>(*this, fd);
    return descriptor->watch((reads ? EPOLLIN : 0U) | (writes ? EPOLLOUT : 0U));
  }
  if (descriptor) {
    descriptor->leave();
    loop_.destroyLater(std::move(descriptor));
  }
  descriptors_.erase(fd);
}

void Resolver::tick() {
  if (channel_ == nullptr || asking_ == 0) return;
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  if (asking_ > 0 && !timer_.waiting()) loop_.schedule(timer_, kTick);
}

void Resolver::resolve(const EndpointTarget& target, Done done) {
  refreshChannel();
  if (!failure_.empty()) return done(Error{failure_});
  if (target.kind == EndpointTarget::Kind::kService) service(target.name, std::move(done));
  else addresses(target.name, target.port, 1, std::move(done));
  if (asking_ > 0 && !timer_.waiting()) loop_.schedule(timer_, kTick);
}

void Resolver::addresses(const std::string& name, uint16_t port, uint32_t weight, Done done) {
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;
  ++asking_;
  auto* question = new Question{*this, name, port, weight, std::move(done)};  // owned by c-ares until it answers
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &Resolver::onAddresses, question);
}

void Resolver::onAddresses(void* asked, int status, int, ares_addrinfo* found) {
  const std::unique_ptr<Question> question(static_cast<Question*>(asked));
  const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owned(found, ares_freeaddrinfo);
  Resolver& self = question->resolver;
  --self.asking_;
  if (self.ending_) return;
  std::vector<Poco::Net::SocketAddress> v4;
  std::vector<Poco::Net::SocketAddress> v6;
  int64_t ttl = INT64_MAX;
  for (auto* node = status == ARES_SUCCESS && found != nullptr ? found->nodes : nullptr; node != nullptr;
       node = node->ai_next) {
    if (node->ai_family == AF_INET) {
      auto address = *reinterpret_cast<const sockaddr_in*>(node->ai_addr);
      address.sin_port = htons(question->port);
      v4.emplace_back(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    } else if (node->ai_family == AF_INET6) {
      auto address = *reinterpret_cast<const sockaddr_in6*>(node->ai_addr);
      address.sin6_port = htons(question->port);
      v6.emplace_back(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    ttl = std::min<int64_t>(ttl, node->ai_ttl);
  }
  if (v4.empty() && v6.empty()) return question->done(Error{whyOf(status == ARES_SUCCESS ? ARES_ENODATA : status)});
  question->done(Resolution{paired(std::move(v6), std::move(v4), question->name, question->weight), ttl});
}

void Resolver::service(const std::string& name, Done done) {
  ++asking_;
  auto* question = new Question{*this, name, 0, 1, std::move(done)};
  ares_search(channel_, name.c_str(), ns_c_in, ns_t_srv, &Resolver::onService, question);
}

void Resolver::onService(void* asked, int status, int, unsigned char* answer, int size) {
  const std::unique_ptr<Question> question(static_cast<Question*>(asked));
  Resolver& self = question->resolver;
  --self.asking_;
  if (self.ending_) return;
  ares_srv_reply* records = nullptr;
  if (status == ARES_SUCCESS) status = ares_parse_srv_reply(answer, size, &records);
  const std::unique_ptr<ares_srv_reply, decltype(&ares_free_data)> owned(records, ares_free_data);
  if (status != ARES_SUCCESS || records == nullptr) return question->done(Error{whyOf(status)});
  uint16_t best = UINT16_MAX;
  for (auto* record = records; record != nullptr; record = record->next) best = std::min(best, record->priority);
  const auto service = std::make_shared<Service>();
  service->done = std::move(question->done);
  service->found.ttl = smallestTtl(answer, size);
  for (auto* record = records; record != nullptr; record = record->next) service->left += record->priority == best;
  for (auto* record = records; record != nullptr; record = record->next) {
    if (record->priority != best) continue;
    // A weight of 0 means "hardly ever" (RFC 2782); weights are relative, so 1 does.
    const uint32_t weight = std::clamp<uint32_t>(record->weight, 1, 1000);
    self.addresses(record->host, record->port, weight, [service](Result<Resolution> found) {
      if (found) {
        auto& all = service->found.addresses;
        all.insert(all.end(), found.value().addresses.begin(), found.value().addresses.end());
        service->found.ttl = std::min(service->found.ttl, found.value().ttl);
      } else {
        service->why = found.error().message;
        // One that does not exist is left out; of one that DNS does not tell now, the last addresses must stay.
        service->lost = service->lost || (service->why != kNoName && service->why != kNoRecords);
      }
      if (--service->left > 0) return;
      if (service->found.addresses.empty() || service->lost) service->done(Error{"its targets: " + service->why});
      else service->done(std::move(service->found));
    });
  }
}

}  // namespace yett::upstream
