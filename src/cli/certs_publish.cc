#include "cli/certs_publish.h"

#include <unistd.h>

#include <iostream>

#include "base/clock.h"
#include "base/file.h"
#include "base/file_trust.h"
#include "base/units.h"
#include "cli/certs_files.h"
#include "cli/command.h"
#include "cli/policy_dir.h"
#include "identity/publish.h"

namespace yett::cli {
namespace {

Status revoke(const RevokeOptions& options, std::string& written) {
  const auto ttl = TRY(base::parseDuration(options.ttl));
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  const identity::KeyAndCertificate ca{TRY(trust.readSecret(options.directory + "/ca.key")),
                                       TRY(trust.read(options.directory + "/bundle.pem"))};
  reportDoubts(trust);
  TRY(checkFolder(options.directory));
  written = options.out.empty() ? options.directory + "/crl.pem" : options.out;
  std::string before;
  if (::access(written.c_str(), F_OK) == 0) before = TRY(base::readFile(written));
  std::vector<std::string> certificates;
  for (const auto& file : options.files) certificates.push_back(TRY(base::readFile(file)));
  const int64_t now = base::wallMicros() / 1'000'000;
  auto crl = identity::makeCrl(ca, certificates, before, {now, now + ttl.count() / 1000});
  if (!crl) return crl.error();
  return writeFile(written, crl.value(), 0644);
}

}  // namespace

int certsRevoke(const RevokeOptions& options) {
  std::string written;
  if (auto ok = revoke(options, written); !ok) return failed(ok.error());
  std::cout << "wrote " << written << ", valid for " << options.ttl << "\n";
  return 0;
}

int certsBundle(const BundleOptions& options) {
  const auto refresh = base::parseDuration(options.refresh);
  if (!refresh) return failed(refresh.error());
  const std::string file = options.file.empty() ? options.directory + "/bundle.pem" : options.file;
  auto pem = base::readFile(file);
  if (!pem) return failed(pem.error());
  auto document = identity::bundleDocument(pem.value(), options.sequence, refresh.value().count() / 1000);
  if (!document) return failed(std::move(document).error().within(file));
  std::cout << document.value();
  return 0;
}

}  // namespace yett::cli
