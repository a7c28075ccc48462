// Writes the keys of TLS connections to a file in the format of SSLKEYLOGFILE, so that a recorded connection can be
// read by its owner. Whoever reads the file can read all traffic.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "base/mutex.h"

namespace yett::net {

/// Any thread.
class TlsKeyLog {
 public:
  /// The file is created, with mode 0600, with the first connection.
  explicit TlsKeyLog(std::string path) : path_(std::move(path)) {}
  ~TlsKeyLog();
  TlsKeyLog(const TlsKeyLog&) = delete;

  /// REQUIRES: this outlives `context`.
  void install(SSL_CTX* context);

 private:
  static void onLine(const SSL* ssl, const char* line) noexcept;
  void write(const char* line);
  const std::string path_;
  base::Mutex mutex_;
  int fd_ YETT_GUARDED_BY(mutex_) = -1;
};

}  // namespace yett::net
