#include "identity/file_source.h"

#include <utility>

#include "base/text.h"

namespace yett::identity {
namespace {

constexpr size_t kLargestCrl = 64 << 20;

// Keeps what was read, or why it was not.
struct Reading {
  std::vector<std::string> problems;
  void take(Result<std::string> read, std::string& to) {
    if (read) to = std::move(read).value();
    else problems.push_back(read.error().message);
  }
  Status outcome() const {
    if (problems.empty()) return {};
    return Error{base::joined(problems, "; ")};
  }
};

}  // namespace

Result<OwnSvid> FileSvid::svid(const std::string&) const {
  OwnSvid out;
  if (config_.certificate.empty()) return out;
  Reading reading;
  reading.take(trust_.read(config_.certificate), out.certificate);
  reading.take(trust_.readSecret(config_.private_key), out.key);
  TRY(reading.outcome());
  return out;
}

Result<TrustBundles::Sources> FileBundles::bundles() const {
  TrustBundles::Sources out;
  for (const auto& [domain, bundle] : config_.trust_bundles) {
    if (!bundle.given()) continue;
    const std::string path = currentFile(bundle, now_);
    auto& source = out[domain];
    source.crl_required = bundle.crl_required;
    if (path.empty()) {  // its endpoint has not answered yet, or not for too long
      source.awaited = true;
      continue;
    }
    Reading reading;
    reading.take(trust_.read(path), source.text);
    if (!bundle.crl.empty()) reading.take(trust_.read(bundle.crl, kLargestCrl), source.crl.emplace());
    source.problem = base::joined(reading.problems, "; ");
  }
  return out;
}

void addCrls(const IdentityConfig& config, base::FileTrust& trust, TrustBundles::Sources& to) {
  for (const auto& [domain, bundle] : config.trust_bundles) {
    if (bundle.given()) continue;
    std::string crl;
    Reading reading;
    reading.take(trust.read(bundle.crl, kLargestCrl), crl);
    const auto source = to.find(domain);
    if (source == to.end()) continue;  // nobody of it is trusted anyway
    source->second.crl = source->second.crl.value_or("") + crl;
    source->second.crl_required = bundle.crl_required;
    if (!reading.problems.empty()) source->second.problem = base::joined(reading.problems, "; ");
  }
}

}  // namespace yett::identity
