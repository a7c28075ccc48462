#include "net/transport.h"

#include <sys/socket.h>

#include <cerrno>

namespace yett::net {
namespace {

IoResult failed(IoResult::Kind would_block) {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {would_block, 0};
  return {IoResult::Kind::kError, 0};
}

}  // namespace

IoResult PlainTransport::read(char* to, size_t size) {
  const ssize_t n = ::recv(fd_, to, size, 0);
  if (n > 0) return {IoResult::Kind::kOk, static_cast<size_t>(n)};
  return n == 0 ? IoResult{IoResult::Kind::kEof, 0} : failed(IoResult::Kind::kWantRead);
}

IoResult PlainTransport::write(const char* from, size_t size) {
  const ssize_t n = ::send(fd_, from, size, MSG_NOSIGNAL);
  return n >= 0 ? IoResult{IoResult::Kind::kOk, static_cast<size_t>(n)} : failed(IoResult::Kind::kWantWrite);
}

void PlainTransport::shutdownWrite() {
  ::shutdown(fd_, SHUT_WR);
}

const std::shared_ptr<const identity::Principal>& PlainTransport::principal() const {
  static const auto anonymous = std::make_shared<const identity::Principal>();
  return anonymous;
}

const std::string& PlainTransport::failure() const {
  static const std::string none;
  return none;
}

}  // namespace yett::net
