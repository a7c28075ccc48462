#include "sink/tls_client.h"

#include <Poco/Net/NetSSL.h>
#include <Poco/Net/SSLManager.h>

#include <mutex>

namespace yett::sink {

Poco::Net::Context::Ptr clientContext(const SinkConfig& config) {
  // POCO asks its SSL manager about bad certificates; without one, it would create one from application settings.
  static std::once_flag once;
  std::call_once(once, [] { Poco::Net::initializeSSL(); });
  Poco::Net::Context::Ptr context(
      new Poco::Net::Context(Poco::Net::Context::TLS_CLIENT_USE, config.private_key, config.certificate, config.bundle,
                             Poco::Net::Context::VERIFY_STRICT, 9, false, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"));
  context->requireMinimumProtocol(Poco::Net::Context::PROTO_TLSV1_2);
  context->enableExtendedCertificateVerification(true);
  return context;
}

}  // namespace yett::sink
