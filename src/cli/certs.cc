#include "cli/certs.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>

#include "audit/checkpoint.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/file_trust.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/certs_files.h"
#include "cli/certs_publish.h"
#include "cli/command.h"
#include "cli/policy_dir.h"
#include "config/object_reader.h"
#include "identity/mint.h"
#include "identity/spiffe_id.h"

namespace yett::cli {
namespace {

// A file with this name may belong to another workload.
Status checkFree(const std::string& base_name, const std::string& id) {
  const bool certificate = ::access((base_name + ".pem").c_str(), F_OK) == 0;
  if (!certificate && ::access((base_name + ".key").c_str(), F_OK) != 0) return {};
  const auto pem = certificate ? base::readFile(base_name + ".pem") : Result<std::string>(Error{"none"});
  const auto names = pem ? identity::uriNames(pem.value()) : Result<std::vector<std::string>>(Error{"none"});
  if (names && names.value().size() == 1 && names.value().front() == id) return {};
  const std::string whose = names && !names.value().empty() ? "of " + base::printable(names.value().front())
                                                            : std::string("that do not belong to this identity");
  return Error{base_name + ".pem, .key: files " + whose + " already exist: choose another --name, or remove them"};
}

Status makeCa(const std::string& directory, const std::string& trust_domain) {
  const int64_t now = base::wallMicros() / 1'000'000;
  identity::CertificateSpec spec;
  spec.common_name = "Yett development CA of " + trust_domain;
  spec.uris = {"spiffe://" + trust_domain};
  spec.ca = true;
  spec.not_before = now - 300;
  spec.not_after = now + 3650LL * 86'400;
  const auto ca = TRY(identity::mint(spec, nullptr));
  std::error_code error;
  const bool made = std::filesystem::create_directories(directory, error);
  if (error) return Error{directory + ": " + error.message()};
  if (made && ::chmod(directory.c_str(), 0755) != 0) return Error{directory + ": " + std::strerror(errno)};
  TRY(checkFolder(directory));
  for (const char* name : {"/cache.key", "/mask.key"}) {
    std::array<unsigned char, 32> secret{};
    if (::getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size()))
      return Error{"cannot get random bytes for a key"};
    TRY(writeFile(directory + name, base::hex({reinterpret_cast<const char*>(secret.data()), secret.size()}) + "\n",
                  0600));
  }
  const auto audit_key = TRY(audit::generateSigningKey());
  TRY(writeFile(directory + "/audit.key", audit_key.private_pem, 0600));
  TRY(writeFile(directory + "/audit.pub", audit_key.public_pem, 0644));
  TRY(writeFile(directory + "/ca.key", ca.key_pem, 0600));
  return writeFile(directory + "/bundle.pem", ca.certificate_pem, 0644);
}

struct Flaw {
  const char* name;
  void (*spoil)(identity::CertificateSpec& spec, int64_t now);
};
constexpr Flaw kFlaws[] = {
    {"expired", [](auto& spec, int64_t now) { spec.not_before = now - 7200, spec.not_after = now - 3600; }},
    {"not-yet-valid", [](auto& spec, int64_t now) { spec.not_before = now + 3600, spec.not_after = now + 7200; }},
    {"no-id", [](auto& spec, int64_t) { spec.uris.clear(); }},
    {"two-ids", [](auto& spec, int64_t) { spec.uris.push_back(spec.uris.front() + "2"); }},
    {"other-domain", [](auto& spec, int64_t) { spec.uris = {"spiffe://other.invalid/workload"}; }},
    {"ca", [](auto& spec, int64_t) { spec.ca = true; }},
    {"no-key-usage", [](auto& spec, int64_t) { spec.key_usage = ""; }},
    {"wrong-purpose", [](auto& spec, int64_t) { spec.extended_key_usage = "codeSigning"; }},
    {"self-signed", [](auto&, int64_t) {}},
};

void spoil(identity::CertificateSpec& spec, const std::string& how, int64_t now) {
  for (const Flaw& flaw : kFlaws) {
    if (how == flaw.name) flaw.spoil(spec, now);
  }
}

Status makeIntermediate(const std::string& directory, const std::string& name, const std::string& lifetime) {
  const auto ttl = TRY(base::parseDuration(lifetime));
  if (name.empty() || name.find('/') != std::string::npos || name[0] == '.')
    return Error{"`" + base::printable(name) + "` is not a valid file name"};
  const std::string base_name = directory + "/" + name;
  for (const char* end : {".pem", ".key"}) {
    if (::access((base_name + end).c_str(), F_OK) == 0)
      return Error{base_name + end + " already exists: choose another name, or remove it"};
  }
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  const identity::KeyAndCertificate ca{TRY(trust.readSecret(directory + "/ca.key")),
                                       TRY(trust.read(directory + "/bundle.pem"))};
  reportDoubts(trust);
  TRY(checkFolder(directory));
  const int64_t now = base::wallMicros() / 1'000'000;
  identity::CertificateSpec spec;
  spec.common_name = name;
  spec.uris = TRY(identity::uriNames(ca.certificate_pem));
  spec.ca = true;
  spec.not_before = now - 300;
  spec.not_after = now + ttl.count() / 1000;
  const auto made = TRY(identity::mint(spec, &ca));
  TRY(writeFile(base_name + ".key", made.key_pem, 0600));
  return writeFile(base_name + ".pem", made.certificate_pem, 0644);
}

Status issue(const IssueOptions& options, std::string& base_name) {
  auto id = TRY(identity::SpiffeId::parse(options.spiffe_id));
  if (id.path().empty())
    return Error{"`" + id.text() + "` names only a trust domain: add the workload's path, as in `" + id.text() +
                 "/ns/shop/sa/frontend`"};
  const auto ttl = TRY(base::parseDuration(options.ttl));
  const std::string name =
      options.name.empty() ? std::string(id.path().substr(id.path().rfind('/') + 1)) : options.name;
  for (const std::string_view own : {"ca", "bundle", "audit", "cache", "mask"}) {
    if (name == own)
      return Error{"`" + name + "` is reserved for the CA's own files in this folder: choose another name with --name"};
  }
  if (name.empty() || name.find('/') != std::string::npos || name[0] == '.')
    return Error{"`" + base::printable(name) + "` is not a valid file name"};
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  const std::string issuer = options.directory + "/" + options.issuer;
  const bool by_root = options.issuer.empty();
  identity::KeyAndCertificate ca{TRY(trust.readSecret(by_root ? options.directory + "/ca.key" : issuer + ".key")),
                                 TRY(trust.read(by_root ? options.directory + "/bundle.pem" : issuer + ".pem"))};
  reportDoubts(trust);
  TRY(checkFolder(options.directory));
  auto domain = identity::uriNames(ca.certificate_pem);
  if (!domain) return std::move(domain).error().within(options.directory + "/bundle.pem");
  const std::string own_domain = "spiffe://" + std::string(id.trustDomain());
  if (domain.value().size() == 1 && domain.value().front() != own_domain)
    return Error{"`" + id.text() + "` is not in the trust domain of this CA, " +
                 base::printable(domain.value().front()) + ": no peer would accept it"};
  base_name = options.directory + "/" + name;
  TRY(checkFree(base_name, id.text()));
  const int64_t now = base::wallMicros() / 1'000'000;
  identity::CertificateSpec spec;
  spec.common_name = id.path().substr(id.path().rfind('/') + 1);
  spec.uris = {id.text()};
  spec.dns_names = options.dns_names;
  spec.ip_addresses = options.ip_addresses;
  spec.not_before = now - 300;
  spec.not_after = now + ttl.count() / 1000;
  if (!options.flaw.empty()) spoil(spec, options.flaw, now);
  const auto svid = TRY(identity::mint(spec, options.flaw == "self-signed" ? nullptr : &ca));
  TRY(writeFile(base_name + ".key", svid.key_pem, 0600));
  return writeFile(base_name + ".pem", svid.certificate_pem + (by_root ? "" : ca.certificate_pem), 0644);
}

}  // namespace

int certsInit(const std::string& directory, const std::string& trust_domain, bool force) {
  if (!identity::isTrustDomain(trust_domain))
    return failed({"`" + trust_domain + "` is not a trust domain: 1 to 255 of a-z, 0-9, `.`, `-`, `_`"});
  if (!force && std::filesystem::exists(directory + "/ca.key"))
    return failed(
        {directory + "/ca.key exists: --force replaces it, which invalidates every certificate that it has signed"});
  if (auto ok = makeCa(directory, trust_domain); !ok) return failed(ok.error());
  std::cout << "made a development CA for " << trust_domain << ": " << directory << "/bundle.pem (trust bundle), "
            << directory << "/ca.key (keep it secret)\n";
  return 0;
}

int certsIssue(const IssueOptions& options) {
  if (options.spiffe_id.empty())
    return failed({"no SPIFFE ID: use `yett certs issue spiffe://example.org/frontend`, or --profile FILE"});
  std::string base_name;
  if (auto ok = issue(options, base_name); !ok) return failed(ok.error());
  std::cout << "issued " << options.spiffe_id << ": " << base_name << ".pem, " << base_name << ".key, valid for "
            << options.ttl << "\n";
  return 0;
}

std::vector<std::string> flaws() {
  std::vector<std::string> out;
  for (const Flaw& flaw : kFlaws) out.emplace_back(flaw.name);
  return out;
}

int certsIntermediate(const std::string& directory, const std::string& name, const std::string& ttl) {
  if (auto ok = makeIntermediate(directory, name, ttl); !ok) return failed(ok.error());
  std::cout << "made the intermediate authority " << directory << "/" << name << ".pem: issue with `--from " << name
            << "`\n";
  return 0;
}

int certsIssueProfiles(const std::vector<std::string>& files, const IssueOptions& defaults) {
  for (const auto& file : files) {
    auto text = base::readFile(file);
    if (!text) return failed(text.error());
    auto parsed = json::parse(text.value(), true);
    if (!parsed) return failed(std::move(parsed).error().within(file));
    config::Problems problems(file);
    IssueOptions options = defaults;
    {
      config::ObjectReader profile(parsed.value(), "", problems);
      profile.requiredText("id", options.spiffe_id);
      profile.text("name", options.name);
      profile.texts("dns", options.dns_names);
      profile.texts("ip", options.ip_addresses);
      profile.text("ttl", options.ttl);
    }
    for (const auto& problem : problems.texts()) std::cerr << "yett: " << problem << "\n";
    if (problems.any()) return 2;
    if (const int code = certsIssue(options); code != 0) return code;
  }
  return 0;
}

void addCerts(CLI::App& app, Action& action) {
  struct Options {
    IssueOptions issue;
    std::vector<std::string> profiles;
    std::string trust_domain = "example.org";
    std::string file;
    std::string config;
    bool force = false;
  };
  const auto o = std::make_shared<Options>();
  auto* certs = app.add_subcommand("certs", "a development CA that mints X.509-SVIDs");
  certs->require_subcommand(1);
  auto* init = certs->add_subcommand("init", "create the CA");
  init->add_option("--dir", o->issue.directory, "folder")->capture_default_str();
  init->add_option("--trust-domain", o->trust_domain, "trust domain")->capture_default_str();
  init->add_flag("--force", o->force, "replace an existing CA");
  init->callback([o, &action] { action = [o] { return certsInit(o->issue.directory, o->trust_domain, o->force); }; });
  auto* issue = certs->add_subcommand("issue", "mint an SVID and its key");
  auto* id = issue->add_option("id", o->issue.spiffe_id, "SPIFFE ID");
  issue->add_option("--dir", o->issue.directory, "folder of the CA")->capture_default_str();
  auto* name =
      issue->add_option("--name", o->issue.name, "file name without extension (default: last segment of the ID)");
  auto* dns = issue->add_option("--dns", o->issue.dns_names, "DNS name, for a server's certificate");
  auto* ip = issue->add_option("--ip", o->issue.ip_addresses, "IP address, for a server's certificate");
  issue->add_option("--from", o->issue.issuer, "intermediate authority that issues it (certs intermediate)");
  issue->add_option("--flaw", o->issue.flaw, "for tests: what is wrong with it")->check(CLI::IsMember(flaws()));
  auto* ttl = issue->add_option("--ttl", o->issue.ttl, "time to live")->capture_default_str();
  issue->add_option("--profile", o->profiles, "JSON file with these settings (certs/README.md); may be repeated")
      ->excludes(id)
      ->excludes(name)
      ->excludes(dns)
      ->excludes(ip)
      ->excludes(ttl);
  issue->callback([o, &action] {
    action = [o] { return o->profiles.empty() ? certsIssue(o->issue) : certsIssueProfiles(o->profiles, o->issue); };
  });
  auto* between = certs->add_subcommand("intermediate", "make an authority below the CA");
  between->add_option("name", o->file, "file name without extension")->required();
  between->add_option("--dir", o->issue.directory, "folder of the CA")->capture_default_str();
  between->add_option("--ttl", o->issue.ttl, "time to live")->capture_default_str();
  between->callback(
      [o, &action] { action = [o] { return certsIntermediate(o->issue.directory, o->file, o->issue.ttl); }; });
  const auto r = std::make_shared<RevokeOptions>();
  auto* revoke = certs->add_subcommand("revoke", "revoke certificates: write the CRL anew");
  revoke->add_option("files", r->files, "certificates (PEM); none: only renew the CRL");
  revoke->add_option("--dir", r->directory, "folder of the CA")->capture_default_str();
  revoke->add_option("--ttl", r->ttl, "time until the next update")->capture_default_str();
  revoke->add_option("--out", r->out, "file of the CRL (default: crl.pem in the folder)");
  revoke->callback([r, &action] { action = [r] { return certsRevoke(*r); }; });
  const auto b = std::make_shared<BundleOptions>();
  auto* bundle = certs->add_subcommand("bundle", "print a SPIFFE bundle document");
  bundle->add_option("file", b->file, "PEM file with CA certificates (default: the CA's own bundle)");
  bundle->add_option("--dir", b->directory, "folder of the CA")->capture_default_str();
  bundle->add_option("--sequence", b->sequence, "spiffe_sequence")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  bundle->add_option("--refresh", b->refresh, "spiffe_refresh_hint")->capture_default_str();
  bundle->callback([b, &action] { action = [b] { return certsBundle(*b); }; });
  auto* inspect = certs->add_subcommand("inspect", "show what is in a certificate, chain, bundle or CRL");
  inspect->add_option("file", o->file, "certificate, chain, bundle or CRL: a PEM file or a bundle document")
      ->required();
  inspect->add_option("-c,--config", o->config,
                      "also say what Yett with this configuration would think of a caller with it");
  inspect->callback([o, &action] { action = [o] { return certsInspect(o->file, o->config); }; });
}

}  // namespace yett::cli
