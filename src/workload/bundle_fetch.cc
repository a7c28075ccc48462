#include "workload/bundle_fetch.h"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/NetSSL.h>
#include <Poco/URI.h>
#include <openssl/ssl.h>

#include <istream>
#include <mutex>

#include "base/clock.h"
#include "base/text.h"
#include "identity/bundle_content.h"
#include "identity/jwk.h"
#include "identity/x509_svid.h"

namespace yett::workload {
namespace poco = Poco::Net;
namespace {

constexpr size_t kMostBytes = 4 << 20;
constexpr int kMostFields = 100;

// What a server by https_spiffe must prove, and why it did not.
struct Expected {
  std::string id;
  identity::TrustBundles bundles;
  std::string refusal;
};

int verifyServer(X509_STORE_CTX* chain, void* data) noexcept {
  auto& expected = *static_cast<Expected*>(data);
  try {
    const auto verdict =
        identity::verifySvid(X509_STORE_CTX_get0_cert(chain), X509_STORE_CTX_get0_untrusted(chain), expected.bundles,
                             base::wallMicros() / 1'000'000, identity::Role::kServer);
    if (!verdict) expected.refusal = verdict.error().message;
    else if (verdict.value().id != expected.id)
      expected.refusal = "the server is `" + verdict.value().id + "`, not `" + expected.id + "`";
    else return 1;
  } catch (...) {
    expected.refusal = "out of memory";
  }
  X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

poco::Context::Ptr contextFor(const identity::BundleConfig& config, Expected* expected) {
  static std::once_flag once;
  std::call_once(once, [] { poco::initializeSSL(); });
  const auto mode = expected != nullptr ? poco::Context::VERIFY_NONE : poco::Context::VERIFY_STRICT;
  poco::Context::Ptr context(new poco::Context(poco::Context::TLS_CLIENT_USE, "", "", config.ca, mode, 9,
                                               config.ca.empty(), "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"));
  context->requireMinimumProtocol(poco::Context::PROTO_TLSV1_2);
  if (expected == nullptr) {
    context->enableExtendedCertificateVerification(true);
    return context;
  }
  // POCO would compare the certificate with the host's name; an SVID has none.
  SSL_CTX_set_verify(context->sslContext(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context->sslContext(), verifyServer, expected);
  return context;
}

Result<std::string> get(const identity::BundleConfig& config, Expected* expected) {
  const Poco::URI uri(config.endpoint);
  poco::HTTPSClientSession session(uri.getHost(), uri.getPort(), contextFor(config, expected));
  session.setTimeout(Poco::Timespan(config.timeout.count() * 1000));
  poco::HTTPRequest request(poco::HTTPRequest::HTTP_GET, uri.getPathAndQuery().empty() ? "/" : uri.getPathAndQuery(),
                            poco::HTTPRequest::HTTP_1_1);
  request.set("accept", "application/json");
  session.sendRequest(request);
  poco::HTTPResponse response;
  response.setFieldLimit(kMostFields);
  std::istream& in = session.receiveResponse(response);
  if (response.getStatus() != poco::HTTPResponse::HTTP_OK)
    return Error{"answers " + std::to_string(static_cast<int>(response.getStatus()))};
  std::string out(kMostBytes + 1, '\0');
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<size_t>(in.gcount()));
  if (out.size() > kMostBytes) return Error{"sends more than 4 MiB"};
  if (config.key_set) {
    const auto keys = identity::readJwkSet(out);
    if (!keys) return Error{"sends a key set that cannot be used: " + keys.error().message};
    if (keys.value().empty()) return Error{"sends a key set without a key that verifies signatures"};
    return out;
  }
  const auto content = identity::readBundle(out);
  if (!content) return Error{"sends a bundle that cannot be used: " + content.error().message};
  if (!content.value().document) return Error{"sends no bundle document"};
  return out;
}

}  // namespace

Result<std::string> fetchBundle(const identity::BundleConfig& config, const identity::TrustBundles::Source& bundle) {
  Expected expected;
  const bool spiffe = !config.endpoint_spiffe_id.empty();
  try {
    if (spiffe) {
      const auto id = TRY(identity::SpiffeId::parse(config.endpoint_spiffe_id));
      expected.id = id.text();
      auto bundles =
          identity::TrustBundles::create({{std::string(id.trustDomain()), bundle}}, base::wallMicros() / 1'000'000);
      if (!bundles) return std::move(bundles).error();
      expected.bundles = std::move(bundles).value();
    }
    auto out = get(config, spiffe ? &expected : nullptr);
    if (!out) return Error{config.endpoint + " " + out.error().message};
    return out;
  } catch (const Poco::Exception& e) {
    const std::string why = expected.refusal.empty() ? base::lowered(e.displayText()) : expected.refusal;
    return Error{config.endpoint + ": " + why};
  } catch (const std::exception& e) {
    return Error{config.endpoint + ": " + e.what()};
  }
}

}  // namespace yett::workload
