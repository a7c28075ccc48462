// The certificates that may vouch for identities, by trust domain. Immutable after create(); any thread.
#pragma once

#include <openssl/x509.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/bundle_content.h"
#include "identity/jwk.h"
#include "identity/revocation.h"

namespace yett::identity {

/// SHA-256 (bytes) of a certificate's DER.
std::string certificateDigest(X509* certificate);

class TrustBundles {
 public:
  /// What is known of one trust domain.
  struct Source {
    Source() = default;
    Source(std::string bundle) : text(std::move(bundle)) {}
    std::string text;                     ///< as readBundle() reads it
    std::optional<std::string> crl = {};  ///< as Revocations::read() reads it; nothing: none is configured
    bool crl_required = false;            ///< callers are refused without a current CRL of each of their issuers
    std::string jwt_keys = {};            ///< a JWK Set, as readJwtAuthorities() reads it, instead of those in `text`
    bool awaited = false;      ///< the keys of its JWT-SVIDs are not known yet; without a text, nothing of it is
    std::string problem = {};  ///< why it could not be read; "": it could
    bool operator==(const Source&) const = default;
  };
  using Sources = std::map<std::string, Source>;  // by trust domain, or `dns:NAME` or `cn:NAME`
  struct Bundle;
  /// `now`: seconds since 1970. The error names each domain whose source is refused.
  static Result<TrustBundles> create(const Sources& sources, int64_t now);
  /// Why the bundle of a domain must not replace the one before; "": it may.
  using Objection = std::function<std::string(const std::string& domain, const Bundle& bundle, const Bundle& before)>;
  /// As create(), but a domain whose source is refused keeps its bundle of `before`, if it had one, and holds back no
  /// other. Adds to `refused` why.
  static TrustBundles renew(const Sources& sources, int64_t now, const TrustBundles& before, const Objection& objection,
                            std::vector<std::string>& refused);

  struct FreeStore {
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  };
  using Store = std::unique_ptr<X509_STORE, FreeStore>;
  /// The trust anchors of one trust domain.
  struct Bundle {
    Store all;
    /// One store for each anchor that shares its name with another: OpenSSL finds an issuer by name and tries only one.
    std::vector<Store> namesakes;
    std::set<std::string, std::less<>> anchors;  ///< SHA-256 (bytes) of each certificate's DER
    std::string digest;                          ///< of its source
    std::string text_digest;                     ///< of its text alone
    std::optional<Revocations> revocations;
    bool crl_required = false;
    std::vector<VerifyKey> jwt_keys;  ///< those that verify JWT-SVIDs; others are left out
    std::optional<int64_t> sequence;  ///< of a bundle document
  };

  /// The bundle of this trust domain, or null: no other domain's certificates ever vouch for it.
  const Bundle* find(std::string_view trust_domain) const;
  using Bundles = std::map<std::string, std::shared_ptr<const Bundle>, std::less<>>;
  const Bundles& all() const { return bundles_; }
  /// The keys of its JWT-SVIDs are not known yet.
  bool awaits(std::string_view trust_domain) const;
  /// There are authorities of callers without a SPIFFE ID (named_principal.h): they stand beside the trust domains.
  bool hasNamingAuthority() const { return naming_; }
  /// SHA-256 (hex) over all domains and their certificates.
  const std::string& digest() const { return digest_; }

 private:
  static Result<std::shared_ptr<const Bundle>> read(const std::string& domain, const Source& source, int64_t now);
  void add(const std::string& domain, const Source& source, std::shared_ptr<const Bundle> bundle);
  void digestAll();
  Bundles bundles_;
  std::set<std::string, std::less<>> awaited_;
  bool more_awaited_ = false;  // who gives the keys may also know other domains
  std::string digest_;
  bool naming_ = false;
};

/// SHA-256 (hex) of a source.
std::string digestOf(const TrustBundles::Source& source);

}  // namespace yett::identity
