#include "workload/client.h"

#include <Poco/Exception.h>
#include <Poco/Net/SocketAddress.h>

#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "workload/messages.h"

namespace yett::workload {
namespace {

constexpr size_t kMostMessage = 4 << 20;  // as other clients of the Workload API, by gRPC's default
constexpr int64_t kStable = 5000;         // milliseconds: what lasts so long worked
constexpr base::Millis kConnect{5000};
constexpr base::Millis kSilence{10'000};
constexpr int64_t kTellEvery = 2000;  // milliseconds
constexpr const char* kNoAnswer = "has not answered yet";

// What a person can do about it.
std::string explained(const rpc::GrpcStatus& status) {
  const std::string said =
      " (" + rpc::nameOf(status.code) + (status.message.empty() ? "" : ": " + base::printable(status.message)) + ")";
  switch (status.code) {
    case rpc::GrpcCode::kOk: return "ended the stream";
    case rpc::GrpcCode::kPermissionDenied:
      return "has no identity for this process: is there a registration entry that its user, container or pod "
             "matches?" +
             said;
    case rpc::GrpcCode::kInvalidArgument:
      return "says that the header `workload.spiffe.io` is missing, which Yett sends: does something between them "
             "remove it?" +
             said;
    case rpc::GrpcCode::kUnimplemented: return "does not serve the Workload API: is it the right socket?" + said;
    default: return "ended the stream" + said;
  }
}

}  // namespace

/// One stream of answers, opened again when it ends.
class Client::Stream final : public rpc::CallEvents {
 public:
  Stream(Client& client, const char* method, std::function<void(Stream&, std::string_view)> take)
      : client_(client), method_(method), take_(std::move(take)), again_([this] { open(); }) {}

  void open() {
    opened_at_ = client_.loop_.nowMillis();
    constexpr const char* kService = "/SpiffeWorkloadAPI/";
    if (!client_.channel_->takesCalls()) {
      if (this == client_.streams_.front().get()) client_.channel_->close("the server takes no more calls");
      return;  // until the channel is made anew
    }
    client_.channel_->call({kService + std::string(method_), "localhost", {{"workload.spiffe.io", "true"}}}, "", *this);
    open_ = true;
  }
  void onMessage(std::string_view message) override { take_(*this, message); }
  void onDone(const rpc::GrpcStatus& status) override {
    open_ = false;
    client_.onEnded(*this, status);
  }

  Client& client_;
  const char* const method_;
  const std::function<void(Stream&, std::string_view)> take_;
  net::Timer again_;
  BackOff back_off_{250, 15'000};
  int64_t opened_at_ = 0;  // the loop's clock
  bool open_ = false;
  bool answered_ = false;  // since it was opened
  std::string why_;        // why it does not work; "" if it does
};

Client::Client(std::string socket, Events events)
    : socket_(std::move(socket)),
      events_(std::move(events)),
      again_([this] { connect(); }),
      tell_([this] { tell(); }),
      silent_([this] { judge(true); }),
      own_tokens_(loop_, events_.token_told),
      lost_(kNoAnswer) {
  state_.why = "unix://" + socket_ + " " + kNoAnswer;
  addStreams();
}

Client::~Client() {
  stop();
}

void Client::addStreams() {
  const auto add = [this](const char* method, auto read, auto into) {
    streams_.push_back(std::make_unique<Stream>(*this, method, [this, read, into](Stream& stream, std::string_view in) {
      take(stream, [&](Given& given) -> yett::Status { return (given.*into)(TRY(read(in))); });
    }));
  };
  add("FetchX509SVID", readX509Svids, &Given::take);
  add("FetchX509Bundles", readX509Bundles, &Given::takeBundles);
  add("FetchJWTBundles", readJwtBundles, &Given::takeJwtBundles);
}

yett::Status Client::start() {
  if (!loop_.failure().empty()) return Error{loop_.failure()};
  loop_.schedule(again_, base::Millis(0));
  thread_ = std::thread([this] { loop_.run(); });
  return {};
}

void Client::stop() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

void Client::connect() {
  rpc::ChannelEvents& events = *this;
  channel_ = std::make_unique<rpc::Channel>(loop_, events, kMostMessage);
  connected_ = false;
  try {
    channel_->connect(Poco::Net::SocketAddress(Poco::Net::SocketAddress::UNIX_LOCAL, socket_), kConnect);
  } catch (const Poco::Exception& e) {
    onChannelClosed(e.displayText());
  }
}

void Client::onChannelOpen() {
  lost_.clear();
  connected_ = true;
  opened_at_ = loop_.nowMillis();
  for (auto& stream : streams_) {
    stream->why_ = kNoAnswer;
    stream->open();
  }
  own_tokens_.opened(*channel_);
  loop_.schedule(silent_, kSilence);
  judge();
}

void Client::onChannelClosed(const std::string& why) {
  for (auto& stream : streams_) {
    stream->again_.cancel();
    stream->answered_ = false;
  }
  silent_.cancel();
  own_tokens_.closed();
  if (connected_ && loop_.nowMillis() - opened_at_ > kStable) back_off_.reset();
  lost_ = (connected_ ? "closed the connection: " : "cannot be reached: ") + why;
  loop_.destroyLater(std::move(channel_));
  loop_.schedule(again_, base::Millis(back_off_.next()));
  judge();
}

template <typename Take>
void Client::take(Stream& stream, Take read) {
  stream.answered_ = true;
  // Whatever kept the agent from answering is over, perhaps for the other streams too.
  for (auto& other : streams_) {
    if (!other->again_.waiting() || other->why_.empty()) continue;
    other->why_ = kNoAnswer;
    other->back_off_.reset();
    loop_.schedule(other->again_, base::Millis(0));
  }
  Given next;
  {
    const base::Lock lock(mutex_);
    next = given_;
  }
  const auto done = read(next);  // without the lock: it may take a while
  stream.why_ = done ? "" : "gave something that is refused: " + done.error().message;
  bool changed = false;
  {
    const base::Lock lock(mutex_);
    changed = !(next == given_);
    if (changed) std::swap(given_, next);
    if (&stream == streams_.front().get()) state_.answered_at = base::wallMicros() / 1'000'000;
  }
  judge();
  if (changed) events_.changed();
}

void Client::onEnded(Stream& stream, const rpc::GrpcStatus& status) {
  stream.answered_ = false;
  if (status.lost) return;  // onChannelClosed() follows, and opens the streams again
  const bool first = &stream == streams_.front().get();
  // Agents may lack what came into the API later.
  const bool absent = !first && status.code == rpc::GrpcCode::kUnimplemented;
  stream.why_ = absent ? "" : explained(status);
  if (loop_.nowMillis() - stream.opened_at_ > kStable) stream.back_off_.reset();
  if (status.code == rpc::GrpcCode::kInvalidArgument || status.code == rpc::GrpcCode::kUnimplemented)
    stream.back_off_.longest();
  if (!absent) loop_.schedule(stream.again_, base::Millis(stream.back_off_.next()));
  else if (&stream == streams_.back().get()) take(stream, [](Given& given) { return given.takeJwtBundles({}); });
  judge();
}

// Says what has changed. That there is no answer yet is told after some silence only.
void Client::judge(bool silent) {
  std::string why = lost_;
  if (why.empty()) why = streams_.front()->why_;
  for (auto& stream : streams_) {
    if (why.empty() && stream->why_ != kNoAnswer && !stream->why_.empty())
      why = stream->why_ + " (" + stream->method_ + ")";
  }
  const bool waits = why == kNoAnswer;
  if (!why.empty()) why = "unix://" + socket_ + " " + why;
  {
    const base::Lock lock(mutex_);
    state_.streaming = streams_.front()->open_ && streams_.front()->answered_;
    state_.why = why;
  }
  if (waits && !silent) return;
  untold_ = why;
  const int64_t wait = told_at_ + kTellEvery - loop_.nowMillis();
  if (wait <= 0) tell();
  else if (!tell_.waiting()) loop_.schedule(tell_, base::Millis(wait));
}

// At most every two seconds, however often it changes.
void Client::tell() {
  if (std::exchange(told_, untold_) == untold_) return;
  told_at_ = loop_.nowMillis();
  events_.told(told_);
}

Result<identity::OwnSvid> Client::svid(const std::string& spiffe_id) const {
  const base::Lock lock(mutex_);
  if (!given_.any()) return Error{state_.why};
  return given_.svid(spiffe_id);
}

Result<identity::TrustBundles::Sources> Client::bundles() const {
  const base::Lock lock(mutex_);
  return given_.bundles();
}

void Client::wantTokens(std::vector<std::string> audiences, std::string spiffe_id) {
  loop_.post([this, audiences = std::move(audiences), spiffe_id = std::move(spiffe_id)] {
    own_tokens_.want(audiences, spiffe_id);
  });
}

Client::State Client::state() const {
  const base::Lock lock(mutex_);
  return state_;
}

}  // namespace yett::workload
