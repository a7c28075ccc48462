// What the Workload API sends: gRPC messages in pieces, and the messages themselves.
#include "fuzz/targets.h"
#include "identity/trust_bundle.h"
#include "rpc/message_reader.h"
#include "workload/given.h"

namespace yett::fuzz {
namespace {

constexpr int64_t kNow = 1'800'000'000;

struct Messages {
  std::vector<std::string> all;
  std::string refusal;
};

Messages readIn(std::string_view bytes, size_t piece) {
  constexpr size_t kMost = 1 << 16;
  Messages out;
  rpc::MessageReader reader(kMost);
  while (!bytes.empty()) {
    const auto done =
        reader.feed(bytes.substr(0, piece), [&](std::string_view message) { out.all.emplace_back(message); });
    bytes.remove_prefix(std::min(piece, bytes.size()));
    if (done) continue;
    out.refusal = done.error().message.empty() ? "without a reason" : done.error().message;
    break;
  }
  return out;
}

// The messages are the same, however the bytes are cut.
std::string grpcMessages(std::string_view bytes) {
  const auto whole = readIn(bytes, SIZE_MAX);
  for (const size_t piece : {1, 3, 7}) {
    const auto parts = readIn(bytes, piece);
    if (parts.all != whole.all || parts.refusal != whole.refusal) return "other messages in pieces";
  }
  return whole.refusal == "without a reason" ? whole.refusal : "";
}

// Whatever comes, what is kept can be used. The first byte says which answer it is.
std::string workloadApi(std::string_view bytes) {
  if (bytes.empty()) return "";
  const std::string_view message = bytes.substr(1);
  workload::Given given;
  const auto taken = [&]() -> Status {
    switch (bytes[0] % 4) {
      case 0: return given.take(TRY(workload::readX509Svids(message)));
      case 1: return given.takeBundles(TRY(workload::readX509Bundles(message)));
      case 2: return given.takeJwtBundles(TRY(workload::readJwtBundles(message)));
      default: (void)TRY(workload::readJwtSvids(message)); return {};
    }
  }();
  if (!taken && taken.error().message.empty()) return "refused without a reason";
  const auto bundles = identity::TrustBundles::create(given.bundles(), kNow);
  if (!bundles) return "bundles that cannot be used: " + bundles.error().message;
  return given.any() == given.svid("").ok() ? "" : "an SVID that is not there";
}

constexpr Target kTargets[] = {{"grpc_messages", grpcMessages}, {"workload_api", workloadApi}};

}  // namespace

std::span<const Target> workloadTargets() {
  return kTargets;
}

}  // namespace yett::fuzz
