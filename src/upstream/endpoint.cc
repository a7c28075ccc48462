#include "upstream/endpoint.h"

#include <Poco/Net/IPAddress.h>

#include <algorithm>

#include "base/text.h"
#include "net/listener.h"

namespace yett::upstream {
namespace {

constexpr std::string_view kDns = "dns:";
constexpr std::string_view kSrv = "srv:";

std::string_view withoutScheme(std::string_view text) {
  for (const auto scheme : {kDns, kSrv}) {
    if (text.starts_with(scheme)) return text.substr(scheme.size());
  }
  return text;
}

bool isIpAddress(const std::string& host) {
  Poco::Net::IPAddress parsed;
  return Poco::Net::IPAddress::tryParse(host, parsed);
}

bool same(const Endpoint& a, const Endpoint& b) {
  return a.name == b.name && a.address == b.address && a.fallback == b.fallback && a.weight == b.weight &&
         a.zone == b.zone && a.host == b.host;
}

// The object that was there before, if it is unchanged; one that differs only in its settings keeps its health.
std::shared_ptr<const Endpoint> adopted(Endpoint made, const Endpoints* before) {
  if (before != nullptr) {
    for (const auto& old : *before) {
      if (old->name != made.name || !(old->address == made.address)) continue;
      if (same(*old, made)) return old;
      made.health = old->health;
    }
  }
  if (!made.health) made.health = std::make_shared<EndpointHealth>();
  return std::make_shared<const Endpoint>(std::move(made));
}

}  // namespace

Result<EndpointTarget> parseTarget(const std::string& address) {
  EndpointTarget out;
  if (address.starts_with(kSrv)) {
    out.kind = EndpointTarget::Kind::kService;
    out.name = address.substr(kSrv.size());
    return out;
  }
  if (address.starts_with("unix://")) return out;
  const std::string text(withoutScheme(address));
  const size_t colon = text.rfind(':');
  uint64_t port = 0;
  if (colon == std::string::npos || !base::parseUnsigned(text.substr(colon + 1), port) || port == 0 || port > 65'535)
    return Error{"`" + base::printable(address) + "` is not host:port"};
  out.name = text.substr(0, colon);
  out.port = static_cast<uint16_t>(port);
  const bool literal = out.name.starts_with('[') || isIpAddress(out.name);
  if (!literal) out.kind = EndpointTarget::Kind::kName;
  return out;
}

Result<std::shared_ptr<EndpointSet>> EndpointSet::create(const std::vector<EndpointConfig>& configs,
                                                         const EndpointSet* before) {
  auto out = std::make_shared<EndpointSet>();
  std::vector<State> known;
  std::shared_ptr<const Endpoints> old;
  if (before != nullptr) {
    const base::Lock lock(before->mutex_);
    known = before->states_;
    old = before->now_;
  }
  const base::Lock lock(out->mutex_);
  out->now_ = old;
  for (const auto& config : configs) {
    Target target{TRY(parseTarget(config.address)), config};
    State state;
    if (target.kind == EndpointTarget::Kind::kAddress) {
      for (const auto& address : TRY(net::parseAddresses(std::string(withoutScheme(config.address)))))
        state.addresses.push_back({address, {}, "", 1});
      state.settled = true;
    }
    for (size_t i = 0; before != nullptr && !state.settled && i < before->targets_.size(); ++i) {
      if (before->targets_[i].config.address == config.address) state = known[i];
    }
    out->targets_.push_back(std::move(target));
    out->states_.push_back(std::move(state));
  }
  out->rebuild();
  return out;
}

void EndpointSet::rebuild() {
  std::vector<Endpoint> all;
  for (size_t i = 0; i < targets_.size(); ++i) {
    const Target& target = targets_[i];
    const bool named = target.kind != EndpointTarget::Kind::kAddress;
    const std::string text(withoutScheme(target.config.address));
    for (const auto& found : states_[i].addresses) {
      Endpoint endpoint{.name = named ? text + " (" + found.address.toString() + ")" : text,
                        .address = found.address,
                        .fallback = found.fallback,
                        .host = found.host,
                        .weight = target.config.weight * found.weight,
                        .zone = target.config.zone,
                        .health = nullptr};
      // Several targets may lead to one address: it is one endpoint with all their weight.
      const auto twin = std::find_if(all.begin(), all.end(),
                                     [&](const Endpoint& other) { return other.address == endpoint.address; });
      if (twin != all.end()) twin->weight += endpoint.weight;
      else all.push_back(std::move(endpoint));
    }
  }
  auto made = std::make_shared<Endpoints>();
  for (auto& endpoint : all) made->push_back(adopted(std::move(endpoint), now_.get()));
  now_ = std::move(made);
  version_.fetch_add(1, std::memory_order_release);
}

bool EndpointSet::resolved(size_t target, std::vector<ResolvedAddress> addresses) {
  const auto before = [](const ResolvedAddress& a, const ResolvedAddress& b) {
    return a.address.toString() < b.address.toString();
  };
  std::sort(addresses.begin(), addresses.end(), before);  // resolvers shuffle them
  const base::Lock lock(mutex_);
  State& state = states_[target];
  state.problem.clear();
  state.settled = true;
  if (state.addresses == addresses) return false;
  state.addresses = std::move(addresses);
  rebuild();
  return true;
}

void EndpointSet::failed(size_t target, const std::string& why) {
  const base::Lock lock(mutex_);
  states_[target].problem = why;
  states_[target].settled = true;
}

std::shared_ptr<const Endpoints> EndpointSet::now() const {
  const base::Lock lock(mutex_);
  return now_;
}

std::string EndpointSet::problem() const {
  const base::Lock lock(mutex_);
  std::string out;
  for (size_t i = 0; i < targets_.size(); ++i) {
    if (states_[i].problem.empty() || !states_[i].addresses.empty()) continue;
    out += (out.empty() ? "`" : "; `") + targets_[i].config.address + "`: " + states_[i].problem;
  }
  return out;
}

bool EndpointSet::waits() const {
  const base::Lock lock(mutex_);
  return std::any_of(states_.begin(), states_.end(), [](const State& state) { return !state.settled; });
}

}  // namespace yett::upstream
