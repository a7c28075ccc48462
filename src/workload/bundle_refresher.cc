#include "workload/bundle_refresher.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>

#include "base/clock.h"
#include "base/file.h"
#include "identity/bundle_content.h"
#include "identity/spiffe_id.h"
#include "workload/bundle_fetch.h"

namespace yett::workload {
namespace {

constexpr int64_t kDefaultRefresh = 300;  // seconds (SPIFFE Trust Domain and Bundle, section 4.1.2)
constexpr int64_t kLeastRefresh = 5;
constexpr int64_t kMostRefresh = 86'400;
constexpr int64_t kFirstBackoff = 1000;  // milliseconds
constexpr int64_t kMostBackoff = 60'000;

// A tenth sooner at random, so that a fleet that started together does not ask together.
int64_t jittered(int64_t millis) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_int_distribution<int64_t>(millis * 9 / 10, millis)(random);
}

int64_t steadyMillis() {
  return base::steadyNanos() / 1'000'000;
}

// A temporary file next to it, then a rename: a reader sees the old file or the new one.
Status replace(const std::string& path, const std::string& content) {
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  const bool ok = fd >= 0 && ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
                  ::fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (!ok) return Error{temporary + ": cannot write: " + std::strerror(why)};
  if (::rename(temporary.c_str(), path.c_str()) != 0) return Error{path + ": cannot write: " + std::strerror(errno)};
  return {};
}

// The newer of the endpoint's answer and what is there must win (section 4.1.1).
Status newer(const std::string& text, const std::string& before) {
  const auto now = identity::readBundle(text);
  const auto then = identity::readBundle(before);
  if (!now || !then || !now.value().sequence || !then.value().sequence) return {};
  if (*now.value().sequence >= *then.value().sequence) return {};
  return Error{"its `spiffe_sequence` went back from " + std::to_string(*then.value().sequence) + " to " +
               std::to_string(*now.value().sequence)};
}

}  // namespace

BundleRefresher::~BundleRefresher() {
  (void)stop(std::chrono::hours(1));
}

bool BundleRefresher::stop(std::chrono::milliseconds wait) {
  {
    base::Lock lock(mutex_);
    stopping_ = true;
    changed_.notifyAll();
    if (!changed_.waitFor(lock, wait, [this]() YETT_REQUIRES(mutex_) { return !running_; })) return false;
  }
  if (thread_.joinable()) thread_.join();
  return true;
}

void BundleRefresher::follow(const std::map<std::string, identity::BundleConfig>& bundles) {
  const base::Lock lock(mutex_);
  std::map<std::string, Endpoint> next;
  for (const auto& [domain, config] : bundles) {
    if (config.endpoint.empty()) continue;
    Endpoint& endpoint = next[domain];
    if (const auto known = endpoints_.find(domain); known != endpoints_.end() && known->second.config == config) {
      endpoint = known->second;
      continue;
    }
    endpoint.config = config;
    endpoint.refreshed = identity::refreshedAt(config);
    if (config.endpoint_spiffe_id.empty()) continue;
    const auto id = identity::SpiffeId::parse(config.endpoint_spiffe_id);
    const auto authority = id ? bundles.find(std::string(id.value().trustDomain())) : bundles.end();
    if (authority != bundles.end()) endpoint.authority_file = authority->second.file;
  }
  endpoints_ = std::move(next);
  changed_.notifyAll();
  if (endpoints_.empty() || running_ || stopping_) return;
  running_ = true;
  thread_ = std::thread([this] { run(); });
}

std::vector<BundleRefresher::Status> BundleRefresher::status() const {
  const base::Lock lock(mutex_);
  std::vector<Status> out;
  for (const auto& [domain, endpoint] : endpoints_) out.push_back({domain, endpoint.refreshed});
  return out;
}

void BundleRefresher::run() {
  base::Lock lock(mutex_);
  while (!stopping_) {
    const auto next = std::min_element(endpoints_.begin(), endpoints_.end(),
                                       [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
    const int64_t wait = next == endpoints_.end() ? 60'000 : next->second.due - steadyMillis();
    if (wait > 0) {
      const size_t known = endpoints_.size();
      changed_.waitFor(lock, std::chrono::milliseconds(std::min<int64_t>(wait, 1000)),
                       [&]() YETT_REQUIRES(mutex_) { return stopping_ || endpoints_.size() != known; });
      continue;
    }
    const std::string domain = next->first;
    const Endpoint endpoint = next->second;
    lock.unlock();
    refresh(domain, endpoint);
    lock.lock();
  }
  running_ = false;
  changed_.notifyAll();
}

void BundleRefresher::refresh(const std::string& domain, const Endpoint& endpoint) {
  const auto& config = endpoint.config;
  const auto before = base::readFile(config.cache);
  std::string authority;
  if (!config.endpoint_spiffe_id.empty()) {
    // Its own newest bundle, or the one that the operator gave.
    const bool own = endpoint.authority_file == config.file && before;
    const auto given = own ? before : base::readFile(endpoint.authority_file);
    if (given) authority = given.value();
  }
  auto got = fetchBundle(config, authority);
  yett::Status done;
  if (!got) done = got.error();
  else if (before && before.value() != got.value()) done = newer(got.value(), before.value());
  if (done && (!before || before.value() != got.value())) done = replace(config.cache, got.value());
  const int64_t now = base::wallMicros() / 1'000'000;
  if (done) done = replace(identity::checkedFile(config), std::to_string(now) + "\n");
  const bool stale = !done && before && now - endpoint.refreshed > config.max_stale.count() / 1000;
  if (stale) ::unlink(config.cache.c_str());
  std::string why = done ? "" : done.error().message;
  if (stale) why += ": its last answer is too old now, so its callers are refused";
  {
    const base::Lock lock(mutex_);
    const auto known = endpoints_.find(domain);
    if (known == endpoints_.end() || !(known->second.config == config)) return;
    Endpoint& state = known->second;
    if (done) {
      state.refreshed = now;
      state.backoff = 0;
      const auto content = identity::readBundle(got.value());
      const int64_t hint =
          content && content.value().refresh_seconds > 0 ? content.value().refresh_seconds : kDefaultRefresh;
      state.due = steadyMillis() + jittered(1000 * std::clamp(hint, kLeastRefresh, kMostRefresh));
    } else {
      state.backoff = std::clamp(2 * state.backoff, kFirstBackoff, kMostBackoff);
      state.due = steadyMillis() + jittered(state.backoff);
    }
    if (state.why == why || stopping_) return;
    state.why = why;
  }
  told_(domain, why);
}

}  // namespace yett::workload
