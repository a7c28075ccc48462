#include "net/tls_client.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "base/sha256.h"
#include "base/text.h"
#include "identity/openssl_error.h"
#include "identity/pem.h"
#include "identity/spiffe_id.h"
#include "identity/x509_svid.h"
#include "net/tls_client_transport.h"
#include "net/tls_settings.h"

namespace yett::net {
namespace {

constexpr size_t kSessionsEach = 4;  // of one endpoint: a session of TLS 1.3 is good for one connection
constexpr size_t kMostEndpoints = 4096;

Status addAuthorities(X509_STORE* store, const std::string& pem) {
  const auto blocks = TRY(identity::certificateBlocks(pem, false));
  if (blocks.empty()) return Error{"its file contains no certificate"};
  for (const auto& block : blocks) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> in(
        BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())), BIO_free);
    const std::unique_ptr<X509, decltype(&X509_free)> cert(
        PEM_read_bio_X509(in.get(), nullptr, identity::noPassphrase, nullptr), X509_free);
    if (!cert || X509_STORE_add_cert(store, cert.get()) != 1)
      return Error{"the certificate on line " + std::to_string(block.line) + ": " + identity::opensslError()};
  }
  return {};
}

int64_t secondsOf(const ASN1_TIME* time) {
  int days = 0;
  int seconds = 0;
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> epoch(ASN1_TIME_set(nullptr, 0), ASN1_TIME_free);
  if (!epoch || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) return 0;
  return int64_t{days} * 86'400 + seconds;
}

}  // namespace

std::string TlsClient::Source::digest() const {
  base::Sha256Hasher hasher;
  const auto add = [&](std::string_view part) { hasher.update(std::to_string(part.size())).update(":").update(part); };
  for (const std::string* part : {&certificate_pem, &private_key_pem, &peer_name, &ca_pem, &key_log}) add(*part);
  add(bundles ? bundles->digest() : "");
  for (const auto& peer : peers) add(peer);
  const auto hash = hasher.finish();
  return std::string(base::view(hash));
}

Result<std::shared_ptr<const TlsClient>> TlsClient::create(const Source& source) {
  std::shared_ptr<TlsClient> out(new TlsClient);
  out->digest_ = source.digest();
  out->bundles_ = source.bundles;
  out->peers_ = source.peers;
  out->peer_name_ = source.peer_name;
  SSL_CTX* context = out->context_ = SSL_CTX_new(TLS_client_method());
  if (context == nullptr) return Error{identity::opensslError()};
  useProtocols(context);
  if (!source.certificate_pem.empty()) TRY(useIdentity(context, source.certificate_pem, source.private_key_pem));
  if (!source.key_log.empty()) {
    out->key_log_ = std::make_unique<TlsKeyLog>(source.key_log);
    out->key_log_->install(context);
  }
  if (source.peers.empty()) {
    out->authorities_ = X509_STORE_new();
    if (source.ca_pem.empty()) X509_STORE_set_default_paths(out->authorities_);
    else if (auto added = addAuthorities(out->authorities_, source.ca_pem); !added)
      return std::move(added).error().within("`ca`");
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  TlsClientTransport::install(context);
  return std::shared_ptr<const TlsClient>(std::move(out));
}

TlsClient::~TlsClient() {
  for (auto& [endpoint, sessions] : sessions_) {
    for (auto* session : sessions) SSL_SESSION_free(session);
  }
  X509_STORE_free(authorities_);
  SSL_CTX_free(context_);
}

Result<ServicePeer> TlsClient::judge(X509* leaf, STACK_OF(X509) * chain, int64_t now) const {
  if (leaf == nullptr) return Error{"the service has shown no certificate"};
  return peers_.empty() ? judgeName(leaf, chain, now) : judgeSpiffe(leaf, chain, now);
}

Result<ServicePeer> TlsClient::judgeSpiffe(X509* leaf, STACK_OF(X509) * chain, int64_t now) const {
  const auto id = identity::leafId(leaf);
  if (!id) return Error{"the service's certificate: " + id.error().message};
  const std::string& text = id.value().text();
  const std::string domain = "spiffe://" + std::string(id.value().trustDomain());
  const bool expected = std::any_of(peers_.begin(), peers_.end(),
                                    [&](const std::string& peer) { return peer == text || peer == domain; });
  if (!expected) return Error{"the service is `" + text + "`, not `" + base::joined(peers_, "` or `") + "`"};
  const auto principal = identity::verifySvid(leaf, chain, *bundles_, now, identity::Role::kServer);
  if (!principal) return Error{"the certificate of the service `" + text + "`: " + principal.error().message};
  return ServicePeer{text, principal.value().expires};
}

Result<ServicePeer> TlsClient::judgeName(X509* leaf, STACK_OF(X509) * chain, int64_t now) const {
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> verifier(X509_STORE_CTX_new(),
                                                                                 X509_STORE_CTX_free);
  if (!verifier || X509_STORE_CTX_init(verifier.get(), authorities_, leaf, chain) != 1)
    return Error{identity::opensslError()};
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(verifier.get());
  X509_VERIFY_PARAM_set_auth_level(param, 2);
  X509_VERIFY_PARAM_set_time(param, now);
  X509_STORE_CTX_set_purpose(verifier.get(), X509_PURPOSE_SSL_SERVER);
  // Only SANs count, and a wildcard is a whole label (RFC 9525 6.3).
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (X509_VERIFY_PARAM_set1_ip_asc(param, peer_name_.c_str()) != 1)
    X509_VERIFY_PARAM_set1_host(param, peer_name_.data(), peer_name_.size());
  const bool valid = X509_verify_cert(verifier.get()) == 1;
  const int why = X509_STORE_CTX_get_error(verifier.get());
  identity::opensslError();  // empties its queue
  if (!valid && (why == X509_V_ERR_HOSTNAME_MISMATCH || why == X509_V_ERR_IP_ADDRESS_MISMATCH))
    return Error{"the service's certificate is not for `" + peer_name_ + "`"};
  if (!valid) return Error{"the service's certificate for `" + peer_name_ + "`: " + X509_verify_cert_error_string(why)};
  ServicePeer out{peer_name_, INT64_MAX};
  const STACK_OF(X509)* whole = X509_STORE_CTX_get0_chain(verifier.get());
  for (int i = 0; i < sk_X509_num(whole); ++i)
    out.expires = std::min(out.expires, secondsOf(X509_get0_notAfter(sk_X509_value(whole, i))));
  return out;
}

SSL_SESSION* TlsClient::takeSession(const std::string& endpoint) const {
  const base::Lock lock(mutex_);
  const auto it = sessions_.find(endpoint);
  if (it == sessions_.end() || it->second.empty()) return nullptr;
  SSL_SESSION* out = it->second.back();
  it->second.pop_back();
  return out;
}

void TlsClient::keepSession(const std::string& endpoint, SSL_SESSION* session) const {
  std::vector<SSL_SESSION*> old;
  {
    const base::Lock lock(mutex_);
    if (!sessions_.contains(endpoint)) order_.push_back(endpoint);
    auto& kept = sessions_[endpoint];
    kept.push_back(session);
    if (kept.size() > kSessionsEach) {
      old.push_back(kept.front());
      kept.erase(kept.begin());
    }
    if (sessions_.size() > kMostEndpoints) {  // the one that came first: it may be gone
      old.insert(old.end(), sessions_[order_.front()].begin(), sessions_[order_.front()].end());
      sessions_.erase(order_.front());
      order_.pop_front();
    }
  }
  for (auto* one : old) SSL_SESSION_free(one);
}

}  // namespace yett::net
