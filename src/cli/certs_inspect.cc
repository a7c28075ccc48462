#include <iostream>

#include "base/clock.h"
#include "base/file.h"
#include "base/file_trust.h"
#include "base/text.h"
#include "cli/certs.h"
#include "cli/command.h"
#include "cli/policy_dir.h"
#include "config/config.h"
#include "identity/describe.h"
#include "runtime/inputs.h"

namespace yett::cli {
namespace {

Result<std::string> verdict(const std::string& pem, const std::string& config, int64_t now) {
  config::Problems problems(config);
  base::FileTrust trust(base::FileTrust::Mode::kWarn);
  const auto read = config::readConfig(config, problems, trust);
  const auto files = runtime::readTls(read.identity, {}, problems, trust);
  if (problems.any()) return Error{problems.texts().front()};
  if (!read.identity.workload_api.empty())
    return Error{config + ": its bundles come from the Workload API, which only `yett run` asks"};
  const auto bundles = identity::TrustBundles::create(files.bundles, now);
  if (!bundles) return Error{"identity: " + bundles.error().message};
  return identity::verdictOn(pem, bundles.value(), now);
}

}  // namespace

int certsInspect(const std::string& file, const std::string& config) {
  const auto text = base::readFile(file);
  if (!text) return failed(text.error());
  const int64_t now = base::wallMicros() / 1'000'000;
  auto described = identity::describeFile(text.value(), now);
  if (!described) return failed(std::move(described).error().within(file));
  std::cout << described.value();
  if (config.empty()) return 0;
  const auto judged = verdict(text.value(), config, now);
  if (!judged) return failed(judged.error());
  std::cout << "\nverdict     " << judged.value();
  return judged.value().starts_with("accepted") ? 0 : 1;
}

}  // namespace yett::cli
