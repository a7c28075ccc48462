#include "net/tls_sessions.h"

#include <cstring>
#include <utility>

#include "base/clock.h"

namespace yett::net {
namespace {

using KeptPrincipal = TlsSessions::KeptPrincipal;

// OpenSSL copies sessions, and what is attached to them.
int sessionIndex() {
  static const int index = SSL_SESSION_get_ex_new_index(
      0, nullptr, nullptr,
      [](CRYPTO_EX_DATA*, const CRYPTO_EX_DATA*, void** data, int, long, void*) -> int {
        if (*data != nullptr) *data = new (std::nothrow) KeptPrincipal(*static_cast<KeptPrincipal*>(*data));
        return 1;
      },
      [](void*, void* data, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<KeptPrincipal*>(data); });
  return index;
}

int contextIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// The size of an element's tag and length; 0: it is cut off, or of a form that DER does not have.
size_t headSize(std::string_view der, size_t& content) {
  if (der.size() < 2) return 0;
  const auto first = static_cast<unsigned char>(der[1]);
  content = first;
  size_t head = 2;
  if (first >= 0x80) {
    const size_t bytes = first & 0x7f;
    if (bytes == 0 || bytes > 3 || der.size() < 2 + bytes) return 0;
    content = 0;
    for (size_t i = 0; i < bytes; ++i) content = content << 8 | static_cast<unsigned char>(der[2 + i]);
    head += bytes;
  }
  return content <= der.size() - head ? head : 0;
}

std::string encoded(SSL_SESSION* session) {
  const int size = i2d_SSL_SESSION(session, nullptr);
  if (size <= 0) return {};
  std::string out(static_cast<size_t>(size), '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  if (i2d_SSL_SESSION(session, &to) != size) return {};
  std::string short_form = withoutPeer(out);
  OPENSSL_cleanse(out.data(), out.size());
  return short_form;
}

bool valid(const identity::Principal& principal) {
  const int64_t now = base::wallMicros() / 1'000'000;
  return principal.anonymous() || (now >= principal.valid_from && now < principal.expires);
}

}  // namespace

std::string withoutPeer(std::string_view der) {
  constexpr char kSequence = 0x30;
  constexpr char kPeer = static_cast<char>(0xa3);
  size_t size = 0;
  const size_t head = headSize(der, size);
  if (head == 0 || der[0] != kSequence || head + size != der.size()) return {};
  std::string fields;
  for (std::string_view rest = der.substr(head); !rest.empty();) {
    size_t content = 0;
    const size_t field = headSize(rest, content);
    if (field == 0) return {};
    if (rest[0] != kPeer) fields += rest.substr(0, field + content);
    rest.remove_prefix(field + content);
  }
  if (fields.size() > 0xffff) return {};
  std::string out{kSequence, static_cast<char>(0x82), static_cast<char>(fields.size() >> 8),
                  static_cast<char>(fields.size())};
  out += fields;
  OPENSSL_cleanse(fields.data(), fields.size());
  return out;
}

size_t TlsSessions::Entry::size() const {
  constexpr size_t kNodes = 160;  // of the list and the table
  constexpr size_t kLink = sizeof(identity::CertificateLink) + 64;
  return sizeof(Entry) + kNodes + id.size() + secrets.size() + sizeof(identity::Principal) + principal->id.size() +
         principal->certificate_sha256.size() + principal->anchor_sha256.size() + principal->trust_domain.size() +
         principal->path.size() + principal->chain.size() * kLink;
}

TlsSessions::~TlsSessions() {
  for (Entry& entry : entries_) OPENSSL_cleanse(entry.secrets.data(), entry.secrets.size());
}

void TlsSessions::install(SSL_CTX* context) {
  SSL_CTX_set_ex_data(context, contextIndex(), this);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &TlsSessions::onNew);
  SSL_CTX_sess_set_get_cb(context, &TlsSessions::onGet);
  SSL_CTX_sess_set_remove_cb(context, &TlsSessions::onRemove);
}

const KeptPrincipal& TlsSessions::nobody() {
  static const KeptPrincipal kNobody = std::make_shared<const identity::Principal>();
  return kNobody;
}

KeptPrincipal TlsSessions::principal(SSL_SESSION* session) {
  const auto* kept = static_cast<const KeptPrincipal*>(SSL_SESSION_get_ex_data(session, sessionIndex()));
  return kept != nullptr ? *kept : nullptr;
}

bool TlsSessions::keep(SSL_SESSION* session, const KeptPrincipal& principal) {
  auto* kept = new (std::nothrow) KeptPrincipal(principal);
  if (kept != nullptr && SSL_SESSION_set_ex_data(session, sessionIndex(), kept) == 1) return true;
  delete kept;
  return false;
}

TlsSessions& TlsSessions::of(SSL_CTX* context) {
  return *static_cast<TlsSessions*>(SSL_CTX_get_ex_data(context, contextIndex()));
}

// Returns 0: the session stays OpenSSL's. A session whose principal is unknown is not kept.
int TlsSessions::onNew(SSL* ssl, SSL_SESSION* session) noexcept {
  try {
    Entry entry;
    entry.principal = principal(session);
    if (!entry.principal && SSL_session_reused(ssl) == 0 && SSL_get0_peer_certificate(ssl) == nullptr)
      entry.principal = nobody();
    if (!entry.principal) return 0;
    unsigned int size = 0;
    const unsigned char* id = SSL_SESSION_get_id(session, &size);
    entry.id.assign(reinterpret_cast<const char*>(id), size);
    entry.secrets = encoded(session);
    if (!entry.secrets.empty()) of(SSL_get_SSL_CTX(ssl)).put(std::move(entry));
  } catch (...) {  // no memory: the session cannot be resumed
  }
  return 0;
}

SSL_SESSION* TlsSessions::onGet(SSL* ssl, const unsigned char* id, int size, int* copy) noexcept {
  *copy = 0;  // the caller owns it
  try {
    std::string secrets;
    KeptPrincipal principal;
    const std::string_view wanted(reinterpret_cast<const char*>(id), static_cast<size_t>(size));
    if (!of(SSL_get_SSL_CTX(ssl)).get(wanted, secrets, principal) || !valid(*principal)) return nullptr;
    const auto* from = reinterpret_cast<const unsigned char*>(secrets.data());
    SSL_SESSION* session = d2i_SSL_SESSION(nullptr, &from, static_cast<long>(secrets.size()));
    OPENSSL_cleanse(secrets.data(), secrets.size());
    if (session == nullptr || keep(session, principal)) return session;
    SSL_SESSION_free(session);
  } catch (...) {
  }
  return nullptr;
}

void TlsSessions::onRemove(SSL_CTX* context, SSL_SESSION* session) noexcept {
  unsigned int size = 0;
  const unsigned char* id = SSL_SESSION_get_id(session, &size);
  of(context).remove({reinterpret_cast<const char*>(id), size});
}

void TlsSessions::put(Entry entry) {
  const base::Lock lock(mutex_);
  if (const auto known = by_id_.find(entry.id); known != by_id_.end()) drop(known->second);
  bytes_ += entry.size();
  entries_.push_back(std::move(entry));
  by_id_.emplace(entries_.back().id, std::prev(entries_.end()));
  while (bytes_ > most_) drop(entries_.begin());
}

void TlsSessions::remove(std::string_view id) {
  const base::Lock lock(mutex_);
  if (const auto known = by_id_.find(id); known != by_id_.end()) drop(known->second);
}

bool TlsSessions::get(std::string_view id, std::string& secrets, KeptPrincipal& principal) const {
  const base::Lock lock(mutex_);
  const auto known = by_id_.find(id);
  if (known == by_id_.end()) return false;
  secrets = known->second->secrets;
  principal = known->second->principal;
  return true;
}

void TlsSessions::drop(Entries::iterator at) {
  bytes_ -= at->size();
  by_id_.erase(at->id);
  OPENSSL_cleanse(at->secrets.data(), at->secrets.size());
  entries_.erase(at);
}

size_t TlsSessions::bytes() const {
  const base::Lock lock(mutex_);
  return bytes_;
}

size_t TlsSessions::sessions() const {
  const base::Lock lock(mutex_);
  return entries_.size();
}

}  // namespace yett::net
