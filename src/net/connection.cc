#include "net/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"

namespace yett::net {
namespace {

constexpr size_t kMark = 64 << 10;         // onDrained() when the buffer goes below it
constexpr size_t kDirect = 16 << 10;       // pieces of at least this size go straight to the kernel
constexpr size_t kKeepCapacity = 4 << 10;  // an empty buffer larger than this is returned to the loop
// Lingering before a close: this many milliseconds, plus time for each discarded byte at this many bytes a second.
constexpr int64_t kLingerAtLeast = 1000;
constexpr int64_t kLingerRate = 8 << 10;
constexpr base::Millis kFinishTime{10'000};  // without progress on what is left to send
constexpr int kReadsPerEvent = 4;            // or one turn's time, then others get their turn
constexpr base::Millis kLongestWait{1600};
constexpr base::Millis kLater{50};  // before retrying a handshake that may not start yet

template <typename Get>
void readAddress(Get get, int fd, sockaddr_in6& out) {
  socklen_t size = sizeof out;
  if (get(fd, reinterpret_cast<sockaddr*>(&out), &size) != 0) out.sin6_family = AF_UNSPEC;
}

}  // namespace

Connection::Connection(EventLoop& loop, const Poco::Net::StreamSocket& socket, std::unique_ptr<Transport> transport,
                       ConnectionEvents& events)
    : loop_(loop),
      socket_(socket),
      fd_(socket_.impl()->sockfd()),
      transport_(std::move(transport)),
      events_(events),
      timer_([this] { onTimer(); }),
      turn_([this] { goOnReading(); }) {
  readAddress(::getpeername, fd_, peer_);
  readAddress(::getsockname, fd_, local_);
}

Connection::~Connection() {
  if (registered_) loop_.remove(fd_, *this);
}

void Connection::start(bool connecting) {
  state_ = connecting ? State::kConnecting : State::kHandshaking;
  interest_ = connecting ? EPOLLOUT : EPOLLIN;
  loop_.add(fd_, interest_, *this);
  registered_ = true;
  // A plain transport has no handshake to wait for; TLS waits for the first byte.
  plain_ = dynamic_cast<PlainTransport*>(transport_.get()) != nullptr;
  if (!connecting && plain_) doHandshake();
}

bool Connection::mayRead() const {
  return state_ == State::kLingering ||
         (state_ == State::kOpen && !paused_ && !yielding_ && !eof_ && in_.size() < most_in_);
}

void Connection::onEvents(uint32_t events) {
  if (state_ == State::kClosed) return;
  if (state_ == State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return close(std::strerror(error), false);
    state_ = State::kHandshaking;
  }
  if (state_ == State::kHandshaking) {
    if (!plain_) return loop_.whenThereIsTime(turn_);
    doHandshake();
    if (state_ != State::kOpen || (events & EPOLLIN) == 0) return;
  }
  if ((events & EPOLLOUT) != 0) {
    blocked_ = false;
    flush();
    if (state_ == State::kClosed) return;
  }
  if (mayRead()) {
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) doRead();
  } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    // These two cannot be masked, so a connection that may not read now would spin. After EOF the peer is gone for
    // good. Before EOF there may be bytes to read later, so the socket only leaves the poller until then.
    if (eof_) return close("the connection was reset", true);
    loop_.remove(fd_, *this);
    registered_ = false;
  }
}

void Connection::doHandshake() {
  const IoResult result = transport_->handshake();
  const bool failed = result.kind == IoResult::Kind::kError || result.kind == IoResult::Kind::kEof;
  if (result.kind != IoResult::Kind::kOk && !failed) {
    events_.onHandshake(transport_->stage());
    if (state_ != State::kHandshaking) return;
  }
  switch (result.kind) {
    case IoResult::Kind::kOk:
      state_ = State::kOpen;
      blocked_ = false;
      updateInterest();
      events_.onOpen();
      if (state_ == State::kOpen && transport_->holdsInput()) doRead();
      return;
    case IoResult::Kind::kWantRead: blocked_ = false; return updateInterest();
    case IoResult::Kind::kWantWrite: blocked_ = true; return updateInterest();
    case IoResult::Kind::kLater:
      if (registered_) loop_.remove(fd_, *this);  // its unread bytes would keep waking the loop
      registered_ = false;
      later_ = true;
      // Back off: handshakes that have waited long retry less often, so that new ones get a chance.
      wait_ = wait_.count() == 0 ? kLater : std::min(2 * wait_, kLongestWait);
      return loop_.schedule(turn_, wait_);
    default: close(transport_->failure(), false);
  }
}

void Connection::doRead() {
  bool waits = false;  // for the socket: the transport holds only part of a record
  int64_t began = 0;
  for (int turn = 0; turn < kReadsPerEvent && mayRead(); ++turn) {
    if (turn > 0) {
      const int64_t now = base::steadyNanos();
      if (began == 0) began = now;
      else if (now - began > loop_.turnNanos()) break;  // level-triggered: the rest comes with the next batch
    }
    const size_t most = next_read_ > 0 ? std::min(next_read_, EventLoop::kScratchSize) : EventLoop::kScratchSize;
    next_read_ = 0;
    const IoResult result = transport_->read(loop_.scratch(), most);
    if (result.kind == IoResult::Kind::kOk) {
      if (state_ == State::kLingering) {
        lingered_ += result.bytes;
        if (lingered_ > linger_bytes_) return close("", false);
        loop_.schedule(timer_, lingerLeft());
      } else {
        deliver({loop_.scratch(), result.bytes});
      }
      if (result.bytes < most && !transport_->holdsInput()) break;
      continue;
    }
    if (result.kind == IoResult::Kind::kWantWrite) blocked_ = true;
    waits = result.kind == IoResult::Kind::kWantRead || result.kind == IoResult::Kind::kWantWrite;
    if (waits) break;
    if (result.kind == IoResult::Kind::kError)
      return close(transport_->failure().empty() ? "the connection was reset" : transport_->failure(), true);
    eof_ = true;
    if (state_ == State::kLingering) return close("", false);
    tellEof();
    break;
  }
  if (state_ == State::kClosed) return;
  if (!waits && mayRead() && transport_->holdsInput()) loop_.nextTurn(turn_);
  if (buffered() > 0 && !blocked_) wantFlush();
  updateInterest();
}

void Connection::tellEof() {
  if (!eof_ || eof_told_ || paused_ || yielding_ || state_ != State::kOpen) return;
  eof_told_ = true;
  events_.onEof();
}

// An idle connection holds little memory.
void Connection::giveBack(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeepCapacity) loop_.keepBuffer(std::exchange(buffer, {}));
}

void Connection::deliver(std::string_view bytes) {
  delivering_ = true;
  if (in_.empty()) {
    const size_t used = events_.onData(bytes);
    if (state_ == State::kOpen) in_.assign(bytes.substr(used));
  } else {
    in_.append(bytes);
    const size_t used = events_.onData(in_);
    in_.erase(0, used);
  }
  delivering_ = false;
  if (in_.empty()) giveBack(in_);
  count();
}

void Connection::write(std::string_view bytes) {
  if (state_ != State::kOpen || bytes.empty() || write_failed_ || write_ends_) return;
  while (buffered() == 0 && bytes.size() >= kDirect && !blocked_) {
    const IoResult result = transport_->write(bytes.data(), bytes.size());
    if (result.kind != IoResult::Kind::kOk) break;  // flush() handles it
    bytes.remove_prefix(result.bytes);
  }
  if (bytes.empty()) return;
  if (out_.capacity() < out_.size() + bytes.size() && out_.empty()) loop_.takeBuffer(out_);
  out_.append(bytes);
  if (buffered() == bytes.size()) last_sent_ = loop_.nowMillis();
  if (buffered() >= kMark) was_full_ = true;
  count();
  if (!blocked_) wantFlush();
}

void Connection::wantFlush() {
  if (flush_planned_) return;
  flush_planned_ = true;
  loop_.afterBatch([this] {
    flush_planned_ = false;
    if (state_ != State::kClosed) flush();
  });
}

void Connection::flush() {
  while (buffered() > 0) {
    const IoResult result = transport_->write(out_.data() + out_at_, buffered());
    if (result.kind == IoResult::Kind::kOk) {
      out_at_ += result.bytes;
      last_sent_ = loop_.nowMillis();
      if (state_ == State::kFinishing) loop_.schedule(timer_, kFinishTime);
    } else if (result.kind == IoResult::Kind::kWantWrite) {
      blocked_ = true;
      break;
    } else if (result.kind == IoResult::Kind::kWantRead) {
      break;  // retried after the next read
    } else {
      return onWriteError();
    }
  }
  if (buffered() == 0) {
    out_at_ = 0;
    giveBack(out_);
    if (state_ == State::kFinishing) return linger();
    if (write_ends_) endWriting();
  } else if (out_at_ > kMark) {
    out_.erase(0, out_at_);
    out_at_ = 0;
  }
  count();
  if (was_full_ && buffered() < kMark && state_ == State::kOpen) {
    was_full_ = false;
    events_.onDrained();
  }
  if (state_ != State::kClosed) updateInterest();
}

void Connection::onWriteError() {
  if (!reads_on_ || !mayRead()) return close("the connection was reset", true);
  write_failed_ = true;
  out_.clear();
  out_at_ = 0;
  count();
  doRead();
}

void Connection::updateInterest() {
  if (state_ == State::kClosed || state_ == State::kNew) return;
  const bool read = state_ == State::kHandshaking || mayRead();
  const uint32_t wanted = (read ? EPOLLIN : 0u) | (blocked_ || state_ == State::kConnecting ? EPOLLOUT : 0u);
  if (wanted == interest_ && (registered_ || wanted == 0)) return;
  interest_ = wanted;
  if (registered_) loop_.modify(fd_, wanted, *this);
  else loop_.add(fd_, wanted, *this);
  registered_ = true;
}

void Connection::pauseReading() {
  if (paused_) return;
  paused_ = true;
  // A short pause costs no system call: the interest is updated when the kernel next has something.
  if (!delivering_) updateInterest();
}

void Connection::resumeReading() {
  if (!paused_) return;
  paused_ = false;
  if (!yielding_) loop_.nextTurn(turn_);  // otherwise it continues when its turn comes
}

void Connection::yield(base::Millis delay) {
  yielding_ = true;
  if (delay.count() > 0) loop_.schedule(turn_, delay);
  else loop_.nextTurn(turn_);
}

// Runs in its own turn, not inside resumeReading(): the resuming code is on the stack, and one busy connection must not
// monopolize the loop.
void Connection::goOnReading() {
  if (state_ == State::kHandshaking && std::exchange(later_, false)) return loop_.whenThereIsTime(turn_);
  if (state_ == State::kHandshaking) return doHandshake();
  yielding_ = false;
  if (state_ != State::kOpen || paused_) return;
  if (!in_.empty()) {
    const std::string held = std::move(in_);
    in_.clear();
    deliver(held);
  }
  if (mayRead() && transport_->holdsInput()) return doRead();
  tellEof();
  updateInterest();
}

void Connection::finishWriting() {
  if (state_ != State::kOpen) return;
  write_ends_ = true;
  if (buffered() == 0) endWriting();
  else if (!blocked_) wantFlush();
}

void Connection::endWriting() {
  if (!write_ended_) transport_->shutdownWrite();
  write_ended_ = true;
}

void Connection::finish() {
  if (state_ != State::kOpen) return;
  state_ = State::kFinishing;
  loop_.schedule(timer_, kFinishTime);
  if (buffered() == 0) linger();
  else if (!blocked_) wantFlush();
}

// Without this, bytes that the peer still sends would make the kernel reset the connection and the last answer would be
// lost.
void Connection::linger() {
  endWriting();
  if (eof_) return close("", false);
  state_ = State::kLingering;
  linger_since_ = loop_.nowMillis();
  loop_.schedule(timer_, lingerLeft());
  updateInterest();
}

base::Millis Connection::lingerLeft() const {
  const int64_t earned = kLingerAtLeast + static_cast<int64_t>(lingered_) * 1000 / kLingerRate;
  const int64_t until = linger_since_ + std::min<int64_t>(earned, longest_linger_.count());
  return base::Millis(std::max<int64_t>(until - loop_.nowMillis(), 0));
}

void Connection::limitLinger(base::Millis longest, uint64_t bytes) {
  longest_linger_ = longest;
  linger_bytes_ = bytes;
  if (state_ != State::kLingering) return;
  longest_linger_ += base::Millis(loop_.nowMillis() - linger_since_);  // from now on
  loop_.schedule(timer_, lingerLeft());
}

void Connection::onTimer() {
  if (state_ == State::kFinishing) return close("", true);
  if (state_ == State::kLingering) return close("", false);  // the kernel still sends what it has
  events_.onTimeout();
}

void Connection::abort(std::string_view why) {
  close(why, true);
}

void Connection::close(std::string_view why, bool reset) {
  if (state_ == State::kClosed) return;
  const std::string reason(why);
  if (registered_) loop_.remove(fd_, *this);
  registered_ = false;
  state_ = State::kClosed;
  timer_.cancel();
  turn_.cancel();
  held_.set(0);
  if (reset) {
    const struct linger now { 1, 0 };
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  socket_.close();
  events_.onClosed(reason);
}

}  // namespace yett::net
