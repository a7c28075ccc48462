#include "workload/bundle_refresher.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

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
constexpr int64_t kAfterFault = 60'000;  // milliseconds

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

// The sequence of a document; -1: it has none.
int64_t sequenceOf(const std::string& text) {
  const auto content = identity::readBundle(text);
  return content && content.value().sequence ? *content.value().sequence : -1;
}

// An older answer must not replace a newer one (section 4.1.1), nor what the operator gave.
Status newer(const std::string& text, const identity::BundleConfig& config) {
  const auto given = config.file.empty() ? Result<std::string>(Error{"none"}) : base::readFile(config.file);
  const int64_t before = std::max(identity::historyOf(config).sequence, given ? sequenceOf(given.value()) : -1);
  const int64_t now = sequenceOf(text);
  if (now >= before) return {};
  return Error{"its `spiffe_sequence` " +
               (now < 0 ? std::string("is missing, and was ") + std::to_string(before)
                        : "went back from " + std::to_string(before) + " to " + std::to_string(now))};
}

// What vouches for a server by https_spiffe now.
identity::TrustBundles::Source sourceOf(const identity::BundleConfig& config) {
  identity::TrustBundles::Source out;
  std::string path = identity::currentFile(config, base::wallMicros() / 1'000'000);
  if (path.empty()) path = config.file;  // the endpoint was silent for too long: begin anew
  if (auto text = base::readFile(path)) out.text = std::move(text).value();
  if (config.crl.empty()) return out;
  auto crl = base::readFile(config.crl);
  out.crl = crl ? std::move(crl).value() : "";
  out.crl_required = config.crl_required;
  return out;
}

}  // namespace

// A fetch on a thread of its own, since a server that trickles could hold it for ever.
struct BundleRefresher::Attempt {
  base::Mutex mutex;
  base::Condition ended;
  std::optional<Result<std::string>> result YETT_GUARDED_BY(mutex);

  bool wait(std::chrono::milliseconds most) {
    base::Lock lock(mutex);
    return ended.waitFor(lock, most, [this]() YETT_REQUIRES(mutex) { return result.has_value(); });
  }
  Result<std::string> take() {
    const base::Lock lock(mutex);
    return std::move(*result);
  }
};

std::shared_ptr<BundleRefresher::Attempt> BundleRefresher::begin(const Endpoint& endpoint) {
  auto attempt = std::make_shared<Attempt>();
  std::thread fetching([attempt, count = attempts_, config = endpoint.config, authority = endpoint.authority] {
    const bool spiffe = !config.endpoint_spiffe_id.empty();
    auto got = fetchBundle(config, spiffe ? sourceOf(authority) : identity::TrustBundles::Source());
    {
      const base::Lock lock(attempt->mutex);
      attempt->result = std::move(got);
    }
    attempt->ended.notifyAll();
    --*count;
  });
  ++*attempts_;
  fetching.detach();
  return attempt;
}

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
  return *attempts_ == 0;
}

void BundleRefresher::follow(const std::map<std::string, identity::BundleConfig>& bundles) {
  const base::Lock lock(mutex_);
  std::map<std::string, Endpoint> next;
  for (const auto& [domain, config] : bundles) {
    if (config.endpoint.empty()) continue;
    Endpoint& endpoint = next[domain];
    if (const auto known = endpoints_.find(domain); known != endpoints_.end() && known->second.config == config) {
      endpoint = known->second;
    } else {
      endpoint.config = config;
      endpoint.refreshed = identity::historyOf(config).refreshed;
    }
    if (config.endpoint_spiffe_id.empty()) continue;
    const auto id = identity::SpiffeId::parse(config.endpoint_spiffe_id);
    const auto authority = id ? bundles.find(std::string(id.value().trustDomain())) : bundles.end();
    if (authority != bundles.end()) endpoint.authority = authority->second;
  }
  endpoints_ = std::move(next);
  changed_.notifyAll();
  if (endpoints_.empty() || running_ || stopping_) return;
  running_ = true;
  thread_ = std::thread([this] { run(); });
}

void BundleRefresher::hurry(const std::string& domain) {
  constexpr int64_t kLeastWait = 10'000;  // milliseconds
  const base::Lock lock(mutex_);
  const auto known = endpoints_.find(domain);
  if (known == endpoints_.end() || steadyMillis() - known->second.hurried < kLeastWait) return;
  known->second.hurried = steadyMillis();
  known->second.due = 0;
  hurry_ = true;
  changed_.notifyAll();
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
                       [&]() YETT_REQUIRES(mutex_) { return stopping_ || hurry_ || endpoints_.size() != known; });
      hurry_ = false;
      continue;
    }
    const std::string domain = next->first;
    const Endpoint endpoint = next->second;
    lock.unlock();
    bool failed = false;
    try {
      refresh(domain, endpoint);
    } catch (const std::exception&) {  // no memory, or no thread: later
      failed = true;
    }
    lock.lock();
    if (const auto known = endpoints_.find(domain); failed && known != endpoints_.end())
      known->second.due = steadyMillis() + kAfterFault;
  }
  running_ = false;
  changed_.notifyAll();
}

void BundleRefresher::refresh(const std::string& domain, const Endpoint& endpoint) {
  const auto& config = endpoint.config;
  // One attempt at a time for each endpoint.
  const auto attempt = endpoint.hanging ? endpoint.hanging : begin(endpoint);
  const bool answered = attempt->wait(config.timeout);
  auto got = answered ? attempt->take()
                      : Result<std::string>(Error{config.endpoint + " does not answer completely within `timeout`"});
  const auto before = base::readFile(config.cache);
  yett::Status done = got ? newer(got.value(), config) : yett::Status(got.error());
  if (done && (!before || before.value() != got.value())) done = replace(config.cache, got.value());
  const int64_t now = base::wallMicros() / 1'000'000;
  if (done) {
    const int64_t sequence = std::max(identity::historyOf(config).sequence, sequenceOf(got.value()));
    done = replace(identity::historyFile(config), identity::textOf(config, {now, sequence}));
  }
  const int64_t stale_in = endpoint.refreshed + config.max_stale.count() / 1000 + 1 - now;  // seconds
  const bool stale = !done && before && endpoint.refreshed != 0 && stale_in <= 0;
  if (stale) ::unlink(config.cache.c_str());
  std::string why = done ? "" : done.error().message;
  if (stale) why += ": its last answer is too old now, so its callers are refused";
  {
    const base::Lock lock(mutex_);
    const auto known = endpoints_.find(domain);
    if (known == endpoints_.end() || !(known->second.config == config)) return;
    Endpoint& state = known->second;
    state.hanging = answered ? nullptr : attempt;
    if (done) {
      state.refreshed = now;
      state.back_off.reset();
      const auto content = identity::readBundle(got.value());
      int64_t hint = content ? content.value().refresh_seconds : 0;
      if (config.key_set) hint = config.refresh.count() / 1000;
      if (hint == 0) hint = kDefaultRefresh;
      const int64_t most = config.max_stale.count() / 2;  // else it would be too old before it is asked for again
      const int64_t wait = std::min(1000 * std::clamp(hint, kLeastRefresh, kMostRefresh), most);
      state.due = steadyMillis() + between(wait * 9 / 10, wait);
    } else {
      int64_t wait = state.back_off.next();
      if (before && stale_in > 0) wait = std::min(wait, 1000 * stale_in);
      state.due = steadyMillis() + wait;
    }
    if (state.why == why || stopping_) return;
    state.why = why;
  }
  told_(domain, why);
}

}  // namespace yett::workload
