#include "upstream/connector.h"

#include <Poco/Exception.h>
#include <sys/socket.h>

#include <cstring>
#include <utility>

namespace yett::upstream {

static constexpr base::Millis kHeadStart{250};  // RFC 8305 5: the recommended connection attempt delay

Result<Poco::Net::StreamSocket> beginConnect(const Poco::Net::SocketAddress& address) {
  try {
    Poco::Net::StreamSocket socket;
    socket.connectNB(address);
    if (address.family() != Poco::Net::AddressFamily::UNIX_LOCAL) socket.setNoDelay(true);
    return socket;
  } catch (const Poco::Exception& e) {
    return Error{e.message()};
  }
}

class Race::Runner final : public net::EventHandler, public net::Destroyable {
 public:
  Runner(Race& race, net::EventLoop& loop, size_t which, const Poco::Net::StreamSocket& socket)
      : race_(race), loop_(loop), which_(which), socket_(socket) {
    loop_.add(fd(), EPOLLOUT, *this);
  }
  ~Runner() override { leave(); }
  void leave() {
    if (std::exchange(registered_, false)) loop_.remove(fd(), *this);
  }
  Poco::Net::StreamSocket& socket() { return socket_; }
  void onEvents(uint32_t) override {
    if (!registered_) return;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    leave();
    if (error != 0) race_.failed(which_, std::strerror(error));
    else race_.won(which_);
  }

 private:
  int fd() const { return socket_.impl()->sockfd(); }
  Race& race_;
  net::EventLoop& loop_;
  const size_t which_;
  Poco::Net::StreamSocket socket_;
  bool registered_ = true;
};

Race::Race(net::EventLoop& loop, std::shared_ptr<const Endpoint> endpoint, base::Millis limit, Done done)
    : loop_(loop),
      endpoint_(std::move(endpoint)),
      fallback_first_(endpoint_->health->prefers_fallback.load(std::memory_order_relaxed)),
      done_(std::move(done)),
      second_([this] { start(1); }),
      limit_([this] { finish(Error{"no connection within the connect timeout"}); }),
      lost_([this] { finish(Error{why_}); }) {
  loop_.schedule(limit_, limit);
  loop_.schedule(second_, kHeadStart);
  start(0);
}

Race::~Race() {
  for (auto& runner : runners_) {
    if (!runner) continue;
    runner->leave();
    loop_.destroyLater(std::move(runner));
  }
}

void Race::start(size_t which) {
  if (which == 1 && std::exchange(second_started_, true)) return;
  const bool fallback = (which == 1) != fallback_first_;
  auto socket = beginConnect(fallback ? *endpoint_->fallback : endpoint_->address);
  if (socket) runners_[which] = std::make_unique<Runner>(*this, loop_, which, socket.value());
  else failed(which, socket.error().message);
}

void Race::failed(size_t, const std::string& why) {
  if (why_.empty()) why_ = why;
  else if (why_ != why) why_ += ", and " + why;
  if (--left_ == 0) return loop_.nextTurn(lost_);  // maybe in the constructor
  second_.cancel();
  start(1);
}

void Race::won(size_t which) {
  endpoint_->health->prefers_fallback.store((which == 1) != fallback_first_, std::memory_order_relaxed);
  finish(runners_[which]->socket());
}

void Race::finish(Result<Poco::Net::StreamSocket> socket) {
  second_.cancel();
  limit_.cancel();
  lost_.cancel();
  const Done done = std::exchange(done_, nullptr);
  if (done) done(std::move(socket));
}

}  // namespace yett::upstream
