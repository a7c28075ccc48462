#include "support/in_process.h"

#include <Poco/Net/StreamSocketImpl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <future>
#include <stdexcept>

#include "lua/engine.h"
#include "proxy/route_table.h"

namespace yett::test {
namespace {

constexpr int kPatience = 10'000;  // milliseconds

void await(int fd) {
  pollfd waits{fd, POLLIN, 0};
  if (::poll(&waits, 1, kPatience) != 1) throw std::runtime_error("nothing came within ten seconds");
}

}  // namespace

End::End(int fd) : fd_(fd) {}
End::End(End&& other) noexcept : fd_(std::exchange(other.fd_, -1)), read_(std::move(other.read_)) {}
End& End::operator=(End&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(read_, other.read_);
  return *this;
}

void End::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void End::send(const std::string& bytes) const {
  if (::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error("not all could be sent");
}

bool End::readMore() {
  await(fd_);
  char buffer[65536];
  const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
  if (n > 0) read_.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

std::string End::readUntil(const std::string& mark) {
  size_t at = 0;
  while ((at = read_.find(mark)) == std::string::npos) {
    if (!readMore()) throw std::runtime_error("it ended before `" + mark + "`: " + read_);
  }
  std::string out = read_.substr(0, at + mark.size());
  read_.erase(0, at + mark.size());
  return out;
}

std::string End::readBody(const std::string& head) {
  const auto at = head.find("ontent-length: ");
  if (at == std::string::npos) return {};
  const size_t size = std::stoul(head.substr(at + 15));
  while (read_.size() < size) {
    if (!readMore()) throw std::runtime_error("it ended within the body");
  }
  std::string out = read_.substr(0, size);
  read_.erase(0, size);
  return out;
}

std::string End::readRest() {
  while (readMore()) {
  }
  return std::exchange(read_, {});
}

TestService::TestService(const std::string& path)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), endpoint_("unix://" + path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd_, 16) != 0)
    throw std::runtime_error("cannot listen on " + path);
}

TestService::~TestService() {
  ::close(fd_);
}

End TestService::accept() const {
  await(fd_);
  return End(::accept(fd_, nullptr, nullptr));
}

bool TestService::quiet() const {
  pollfd waits{fd_, POLLIN, 0};
  return ::poll(&waits, 1, 0) == 0;
}

InProcess::InProcess(const std::string& policy, const std::vector<std::string>& endpoints, bool strict)
    : connections_(metrics_.counter("connections", {}, "", "gauge")) {
  audit::AuditConfig audit;
  audit.database = dir.path("yett.db");
  audit.strict = strict;
  audit::WriterEvents events;
  events.failed = [](const std::string&) {};
  events.durable = [this](uint64_t ticket) {
    loop_.post([this, ticket] {
      if (worker_) worker_->onDurable(ticket);
    });
  };
  audit_ = audit::Writer::open(audit, metrics_, std::move(events)).value();
  authorizer_ = std::make_unique<authz::Authorizer>(*audit_, metrics_);
  authorizer_->swap(evaluatorOf(policy));
  worker_ = std::make_unique<proxy::Worker>(
      loop_, *authorizer_, proxy::Worker::Shared{gate_, descriptors_, metrics_}, proxy::MemoryBudget{},
      [](std::string_view, std::string_view, std::string_view, std::string_view) {});
  auto state = std::make_shared<proxy::ListenerState>();
  state->config.name = "test";
  state->config.plaintext = true;
  proxy::RouteConfig route;
  route.cluster = "app";
  state->config.routes = {route};
  state->routes = std::make_shared<const proxy::RouteTable>(proxy::RouteTable::create(state->config.routes).value());
  slot_->state = state;
  slot_->connections = &connections_;
  upstream::ClusterConfig cluster;
  cluster.name = "app";
  for (const auto& endpoint : endpoints) cluster.endpoints.push_back({endpoint});
  cluster.balance = upstream::Balance::kRoundRobin;
  worker_->upstreams.update({{"app", upstream::Cluster::create(cluster).value()}});
  thread_ = std::thread([this] { loop_.run(); });
}

InProcess::~InProcess() {
  if (thread_.joinable()) finish();
}

std::unique_ptr<policy::PolicyEvaluator> InProcess::evaluatorOf(const std::string& policy) {
  const std::string folder = "rules" + std::to_string(++policies_);
  dir.write(folder + "/p.lua", policy);
  base::FileTrust trust;
  std::vector<std::string> problems;
  auto rules = lua::LuaRuleSet::load(policy::PolicySource::read(dir.path(folder), trust).value(), problems);
  if (rules == nullptr) throw std::runtime_error(problems.empty() ? "no rules" : problems[0]);
  return policy::PolicyEvaluator::create(
             std::make_shared<const policy::PolicySet>(std::vector<policy::LoadedEngine>{{"main", false, rules}},
                                                       policy::Budget{}))
      .value();
}

void InProcess::onLoop(const std::function<void()>& task) {
  std::promise<void> done;
  loop_.post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

End InProcess::connect() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) throw std::runtime_error("no socket pair");
  onLoop([&] {
    gate_.enter();
    Poco::Net::StreamSocket socket(new Poco::Net::StreamSocketImpl(pair[0]));
    socket.setBlocking(false);
    worker_->accept(slot_, std::move(socket));
  });
  return End(pair[1]);
}

void InProcess::setPolicy(const std::string& policy) {
  auto evaluator = evaluatorOf(policy);
  onLoop([&] {
    evaluator = authorizer_->swap(std::move(evaluator));
    worker_->onPolicy();
  });
}

std::vector<audit::Row> InProcess::finish() {
  onLoop([this] { worker_->registry.closeAll(); });
  loop_.stop();
  thread_.join();
  worker_.reset();
  authorizer_.reset();
  audit_.reset();
  auto rows = audit::Reader::open(dir.path("yett.db")).value().decisions({.limit = 1000}).value();
  return rows;
}

}  // namespace yett::test
