#include "support/workload_messages.h"

#include <protozero/pbf_writer.hpp>

#include "base/base64.h"
#include "identity/mint.h"

namespace yett::test {
namespace {

constexpr int64_t kNow = 1'800'000'000;

std::string derOf(const std::string& pem) {
  std::string text;
  size_t at = pem.find('\n') + 1;
  for (const size_t end = pem.find("-----END"); at < end; ++at) {
    if (pem[at] != '\n') text += pem[at];
  }
  return base::fromBase64(text, base::Base64::kPadded).value();
}

void addEntries(protozero::pbf_writer& writer, uint32_t tag, const std::map<std::string, std::string>& entries) {
  for (const auto& [domain, bytes] : entries) {
    protozero::pbf_writer entry(writer, tag);
    entry.add_string(1, "spiffe://" + domain);
    entry.add_bytes(2, bytes);
  }
}

}  // namespace

Workload workloadOf(const std::string& domain, const std::string& name) {
  identity::CertificateSpec spec;
  spec.common_name = domain;
  spec.ca = true;
  spec.uris = {"spiffe://" + domain};
  spec.not_before = kNow - 1000;
  spec.not_after = kNow + 1'000'000;
  const auto root = identity::mint(spec, nullptr).value();
  identity::CertificateSpec leaf;
  leaf.uris = {"spiffe://" + domain + "/" + name};
  leaf.not_before = kNow - 10;
  leaf.not_after = kNow + 1000;
  const auto minted = identity::mint(leaf, &root).value();
  return {{leaf.uris[0], derOf(minted.certificate_pem), derOf(minted.key_pem), derOf(root.certificate_pem), ""},
          minted.certificate_pem};
}

std::string messageOf(const workload::X509SvidAnswer& answer) {
  std::string out;
  protozero::pbf_writer writer(out);
  for (const auto& svid : answer.svids) {
    protozero::pbf_writer one(writer, 1);
    one.add_string(1, svid.spiffe_id);
    one.add_bytes(2, svid.chain);
    one.add_bytes(3, svid.key);
    one.add_bytes(4, svid.bundle);
    one.add_string(5, svid.hint);
  }
  for (const auto& crl : answer.crls) writer.add_bytes(2, crl);
  addEntries(writer, 3, answer.federated);
  return out;
}

std::string messageOf(const workload::BundlesAnswer& answer, uint32_t tag) {
  std::string out;
  protozero::pbf_writer writer(out);
  addEntries(writer, tag, answer);
  return out;
}

}  // namespace yett::test
