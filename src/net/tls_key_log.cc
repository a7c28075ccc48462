#include "net/tls_key_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

namespace yett::net {
namespace {

int contextIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

TlsKeyLog::~TlsKeyLog() {
  const base::Lock lock(mutex_);
  if (fd_ >= 0) ::close(fd_);
}

void TlsKeyLog::install(SSL_CTX* context) {
  SSL_CTX_set_ex_data(context, contextIndex(), this);
  SSL_CTX_set_keylog_callback(context, &TlsKeyLog::onLine);
}

void TlsKeyLog::onLine(const SSL* ssl, const char* line) noexcept {
  try {
    static_cast<TlsKeyLog*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), contextIndex()))->write(line);
  } catch (...) {  // without memory, the line is lost
  }
}

void TlsKeyLog::write(const char* line) {
  const std::string whole = std::string(line) + "\n";
  const base::Lock lock(mutex_);
  if (fd_ < 0) fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd_ >= 0) (void)!::write(fd_, whole.data(), whole.size());
}

}  // namespace yett::net
