// A session and its caller's certificate: how long it is valid, with which bundles, and what happens to the connection
// afterwards.
#include <algorithm>
#include <random>

#include "base/clock.h"
#include "proxy/session.h"

namespace yett::proxy {
namespace {

constexpr int64_t kLongestLead = 300;  // seconds before the end
constexpr base::Millis kLongestSleep{3'600'000};
constexpr base::Millis kLastWords{200};  // for answers to in-flight requests at the end

// Random, between a twentieth and a tenth of what is left, so that callers do not all reconnect at the same time.
int64_t leadMillis(int64_t left_seconds) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const int64_t most = std::min(left_seconds * 100, kLongestLead * 1000);
  return std::uniform_int_distribution<int64_t>(most / 2, std::max<int64_t>(most, most / 2))(random);
}

}  // namespace

void Session::beginTrust() {
  const auto& principal = *connection_.principal();
  reviewed_ = worker_.bundles();
  if (principal.anonymous()) return;
  const int64_t now = base::wallMicros() / 1'000'000;
  trusted_until_ =
      limits_owner_->tls ? connection_.transport().trustedUntil(limits_owner_->tls->bundles(), now) : principal.expires;
  // The bundles may have changed during the handshake.
  if (limits_owner_->tls && reviewed_ && limits_owner_->tls->bundles().digest() != reviewed_->digest())
    reviewed_ = nullptr;
  scheduleExpiry(trustedUntil(now));
  if (outlived()) worker_.loop.afterBatch([this] { review(); });
}

// A random tenth sooner, so that callers that connected together do not all reconnect together.
void Session::limitAge() {
  const base::Millis most = limits_owner_->config.max_connection_age;
  if (most.count() == 0) return;
  thread_local std::minstd_rand random{std::random_device{}()};
  const int64_t age = std::uniform_int_distribution<int64_t>(most.count() * 9 / 10, most.count())(random);
  worker_.loop.schedule(age_timer_, base::Millis(std::max<int64_t>(age, 1)));
}

int64_t Session::trustedUntil(int64_t now) {
  const auto& principal = *connection_.principal();
  if (principal.anonymous()) return INT64_MAX;
  const auto& bundles = worker_.bundles();
  const bool ignores = limits_owner_->config.on_expiry == OnExpiry::kIgnore;
  if (reviewed_ != bundles && bundles) {
    const auto* before = reviewed_ ? reviewed_->find(principal.trust_domain) : nullptr;
    const auto* after = bundles->find(principal.trust_domain);
    // A change of another domain, or a new generation with the same bundles, does not affect this caller.
    const bool same = before != nullptr && after != nullptr && before->digest == after->digest;
    reviewed_ = bundles;
    if (!same) {
      const int64_t when = ignores ? std::min(now, principal.expires - 1) : now;
      trusted_until_ = connection_.transport().trustedUntil(*bundles, when);
      if (trusted_until_ > 0) scheduleExpiry(trusted_until_);
    }
  }
  return ignores && trusted_until_ > 0 ? INT64_MAX : trusted_until_;
}

bool Session::outlived() const {
  const auto& then = limits_owner_->config;
  const auto& now = slot_->state->config;
  return slot_->removed || then.plaintext != now.plaintext || then.client_certificate != now.client_certificate;
}

void Session::review() {
  if (!opened_) {
    if (outlived()) close({});
    return;
  }
  const int64_t now = base::wallMicros() / 1'000'000;
  if (trustedUntil(now) <= now) return distrust();
  if (!connection_.principal()->anonymous()) scheduleExpiry(trusted_until_);  // the clock may have been stepped
  if (outlived()) drain();
}

// In-flight requests are decided again and refused; then the connection closes.
void Session::distrust() {
  if (distrusted_) return;
  distrusted_ = true;
  worker_.subjects.recheckSoon();
  worker_.loop.schedule(expiry_timer_, kLastWords);
  drain();
}

void Session::scheduleExpiry(int64_t until) {
  const bool never = until == INT64_MAX || until <= 0 || limits_owner_->config.on_expiry == OnExpiry::kIgnore;
  if (never || distrusted_) return expiry_timer_.cancel();
  const int64_t now = base::wallMicros() / 1000;
  const int64_t end = until * 1000;
  drain_at_ = end - leadMillis(std::max<int64_t>(0, until - now / 1000));
  const int64_t next = limits_owner_->config.on_expiry == OnExpiry::kDrain ? drain_at_ : end;
  worker_.loop.schedule(expiry_timer_, std::clamp(base::Millis(next - now), base::Millis(1), kLongestSleep));
}

void Session::onExpiry() {
  if (distrusted_) return connection_.abort();
  const int64_t now = base::wallMicros() / 1000;
  const int64_t end = trusted_until_ * 1000;
  if (now >= end) {
    // Another chain may be valid for the caller by now: with a root that was renewed with the same key.
    if (worker_.bundles()) trusted_until_ = connection_.transport().trustedUntil(*worker_.bundles(), now / 1000);
    if (trusted_until_ * 1000 <= now) return distrust();
    return scheduleExpiry(trusted_until_);
  }
  const bool drains = limits_owner_->config.on_expiry == OnExpiry::kDrain && now >= drain_at_;
  const int64_t next = drains || limits_owner_->config.on_expiry != OnExpiry::kDrain ? end : drain_at_;
  worker_.loop.schedule(expiry_timer_, std::clamp(base::Millis(next - now), base::Millis(1), kLongestSleep));
  if (drains) drain();
}

}  // namespace yett::proxy
