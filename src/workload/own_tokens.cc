#include "workload/own_tokens.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "identity/jwt.h"
#include "workload/back_off.h"
#include "workload/messages.h"

namespace yett::workload {
namespace {

int64_t nowSeconds() {
  return base::wallMicros() / 1'000'000;
}

}  // namespace

/// The token of one audience.
class OwnTokens::Fetch final : public rpc::CallEvents {
 public:
  Fetch(OwnTokens& all, std::string audience)
      : all_(all), audience_(std::move(audience)), again_([this] { begin(); }), late_([this] { giveUp(); }) {}

  void want(bool wanted) {
    if (std::exchange(wanted_, wanted) == wanted) return;
    if (wanted) begin();
    else again_.cancel();
  }

  void begin() {
    if (!wanted_ || calling_) return;
    if (all_.channel_ == nullptr) return;  // until there is a connection
    if (!all_.channel_->takesCalls()) return tell("the agent takes no more calls now"), retry();
    calling_ = true;
    asked_for_ = all_.spiffe_id_;
    all_.loop_.schedule(late_, kPatience);
    answer_.clear();
    all_.channel_->call({"/SpiffeWorkloadAPI/FetchJWTSVID", "localhost", {{"workload.spiffe.io", "true"}}},
                        jwtSvidRequest({audience_}, all_.spiffe_id_), *this);
  }

  void onMessage(std::string_view message) override { answer_ = message; }

  void onDone(const rpc::GrpcStatus& status) override {
    calling_ = false;
    late_.cancel();
    if (status.lost) return;                            // begin() is called again once there is a connection
    if (asked_for_ != all_.spiffe_id_) return begin();  // the configuration names another one by now
    const std::string said = status.message.empty() ? "" : ": " + base::printable(status.message);
    const yett::Status done =
        status.code == rpc::GrpcCode::kOk ? take() : yett::Status(Error{rpc::nameOf(status.code) + said});
    if (done) back_off_.reset();
    tell(done ? "" : done.error().message);
    if (!done) retry();
    else if (wanted_) all_.loop_.schedule(again_, base::Millis(rest_));
  }

 private:
  static constexpr base::Millis kPatience{10'000};
  void tell(const std::string& why) {
    if (std::exchange(why_, why) != why) all_.told_(audience_, why);
  }
  void retry() {
    if (wanted_) all_.loop_.schedule(again_, base::Millis(back_off_.next()));
  }
  // An agent that hangs: another connection may reach one that does not.
  void giveUp() {
    tell("the agent does not answer");
    if (all_.channel_ != nullptr) all_.channel_->close("FetchJWTSVID was not answered within ten seconds");
  }

  // Keeps the first token, and sets when to ask for the next: at half of its life, as SPIFFE's libraries do.
  yett::Status take() {
    const auto svids = TRY(readJwtSvids(answer_));
    if (svids.empty()) return Error{"the answer has no token"};
    const auto hints = TRY(identity::jwtHints(svids[0].token));
    if (hints.subject != svids[0].spiffe_id) return Error{"the token is of another subject than the answer says"};
    if (!asked_for_.empty() && hints.subject != asked_for_) return Error{"the token is of another SPIFFE ID"};
    const int64_t left = hints.expires - nowSeconds();
    if (left <= 0) return Error{"the token has expired, or never does"};
    all_.keep(audience_, {std::make_shared<const std::string>(svids[0].token), hints.expires});
    constexpr int64_t kLongest = 3600;
    rest_ = std::clamp<int64_t>(left / 2, 1, kLongest) * 1000 - between(0, 500);
    return {};
  }

  OwnTokens& all_;
  const std::string audience_;
  net::Timer again_;
  net::Timer late_;
  BackOff back_off_{250, 15'000};
  std::string answer_;
  std::string why_;
  std::string asked_for_;  // the SPIFFE ID
  int64_t rest_ = 0;       // milliseconds
  bool wanted_ = false;
  bool calling_ = false;
};

OwnTokens::OwnTokens(net::EventLoop& loop, Told told) : loop_(loop), told_(std::move(told)) {}
OwnTokens::~OwnTokens() = default;

void OwnTokens::want(const std::vector<std::string>& audiences, const std::string& spiffe_id) {
  const bool other = std::exchange(spiffe_id_, spiffe_id) != spiffe_id;
  for (const auto& audience : audiences) {
    if (!fetches_.contains(audience)) fetches_[audience] = std::make_unique<Fetch>(*this, audience);
  }
  for (auto& [audience, fetch] : fetches_)
    fetch->want(std::find(audiences.begin(), audiences.end(), audience) != audiences.end());
  if (other) {
    for (auto& [audience, fetch] : fetches_) fetch->begin();
  }
  const base::Lock lock(mutex_);
  if (other) kept_.clear();  // no service may take Yett for whom it was
  for (const auto& audience : audiences) kept_.try_emplace(audience);
  std::erase_if(kept_, [&](const auto& one) {
    return std::find(audiences.begin(), audiences.end(), one.first) == audiences.end();
  });
}

void OwnTokens::opened(rpc::Channel& channel) {
  channel_ = &channel;
  for (auto& [audience, fetch] : fetches_) fetch->begin();
}

void OwnTokens::keep(const std::string& audience, Kept kept) {
  const base::Lock lock(mutex_);
  const auto wanted = kept_.find(audience);
  if (wanted != kept_.end()) wanted->second = std::move(kept);
}

std::shared_ptr<const std::string> OwnTokens::token(const std::string& audience, int64_t now) const {
  const base::Lock lock(mutex_);
  const auto found = kept_.find(audience);
  return found != kept_.end() && now < found->second.expires ? found->second.text : nullptr;
}

std::map<std::string, int64_t> OwnTokens::expirations() const {
  std::map<std::string, int64_t> out;
  const base::Lock lock(mutex_);
  for (const auto& [audience, kept] : kept_) out[audience] = kept.expires;
  return out;
}

}  // namespace yett::workload
