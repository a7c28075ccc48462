#include "admin/admin_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <deque>
#include <list>
#include <thread>

#include "admin/admin_session.h"
#include "base/batch_queue.h"
#include "base/mutex.h"
#include "base/resources.h"
#include "net/listener.h"

namespace yett::admin {
/// The loop, its thread, and the thread for work that may block.
class AdminServer::Running {
 public:
  Running(AdminContent content, size_t most_sessions) : content_(std::move(content)), most_sessions_(most_sessions) {}

  ~Running() {
    {
      const base::Lock lock(mutex_);
      ends_ = true;
      wake_.notifyAll();
    }
    if (worker_.joinable()) worker_.join();
    loop_.post([this] {
      for (auto& side : sides_) {
        side->acceptor.reset();
        while (!side->sessions.empty()) side->sessions.front()->close();
      }
    });
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }

  Status listen(const std::string& address, mode_t mode, bool trusted, std::string& bound,
                std::shared_ptr<net::ListeningSocket> socket = nullptr) {
    if (!loop_.failure().empty()) return Error{loop_.failure()};
    if (socket == nullptr) socket = TRY(net::ListeningSocket::open(address, mode));
    if (!trusted) bound = socket->address();
    Side& side = *sides_.emplace_back(std::make_unique<Side>(content_));
    side.trusted = trusted;
    side.owner.command = [this](AdminSession& session, std::string path, std::string body) {
      later(session, std::move(path), std::move(body));
    };
    side.owner.closed = [this, &side](AdminSession& session) { remove(side, session); };
    side.acceptor = std::make_unique<net::Acceptor>(
        loop_, std::move(socket), gate_,
        [this, &side](const Poco::Net::StreamSocket& accepted) { accept(side, accepted); });
    return {};
  }

  void run() {
    thread_ = std::thread([this] { loop_.run(); });
    worker_ = std::thread([this] { work(); });
  }

 private:
  struct Side {
    explicit Side(const AdminContent& content) : owner{content, {}, {}} {}
    bool trusted = false;
    AdminSession::Owner owner;
    std::list<std::unique_ptr<AdminSession>> sessions;  // the oldest first
    std::unique_ptr<net::Acceptor> acceptor;
  };
  struct Command {
    AdminSession* session;
    std::string path;
    std::string body;
    int64_t peer;  // user ID
  };

  void accept(Side& side, Poco::Net::StreamSocket socket) {
    if (side.sessions.size() >= most_sessions_) {
      const auto idle =
          std::find_if(side.sessions.begin(), side.sessions.end(), [](const auto& s) { return !s->busy(); });
      (idle != side.sessions.end() ? *idle : side.sessions.front())->close();
    }
    ucred credentials{};
    socklen_t size = sizeof credentials;
    const bool known =
        side.trusted && ::getsockopt(socket.impl()->sockfd(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0;
    const int64_t peer = known ? static_cast<int64_t>(credentials.uid) : -1;
    side.sessions.push_back(std::make_unique<AdminSession>(loop_, std::move(socket), side.trusted, side.owner));
    side.sessions.back()->knowPeer(peer);
    side.sessions.back()->start();
  }

  void remove(Side& side, AdminSession& session) {
    for (auto it = side.sessions.begin(); it != side.sessions.end(); ++it) {
      if (it->get() != &session) continue;
      {
        const base::Lock lock(mutex_);
        for (auto& one : waiting_) {
          if (one.session == &session) one.session = nullptr;
        }
        if (at_work_ == &session) at_work_ = nullptr;
      }
      loop_.destroyLater(std::move(*it));
      side.sessions.erase(it);
      gate_.leave();
      return;
    }
  }

  void later(AdminSession& session, std::string path, std::string body) {
    const base::Lock lock(mutex_);
    waiting_.push_back({&session, std::move(path), std::move(body), session.peer()});
    wake_.notifyAll();
  }

  void work() {
    base::Lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this]() YETT_REQUIRES(mutex_) { return ends_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      Command command = std::move(waiting_.front());
      waiting_.pop_front();
      at_work_ = command.session;
      lock.unlock();
      const auto done = content_.command(command.path, command.body, base::userName(command.peer));
      const Page page{done ? 200 : 400, "text/plain", (done ? done.value() : done.error().message) + "\n"};
      loop_.post([this, page] { finish(page); });
      lock.lock();
      wake_.wait(lock,
                 [this]() YETT_REQUIRES(mutex_) { return finished_; });  // the loop runs until this thread has ended
      finished_ = false;
    }
  }

  // On the loop: the requester may be gone by now.
  void finish(const Page& page) {
    AdminSession* session = nullptr;
    {
      const base::Lock lock(mutex_);
      session = std::exchange(at_work_, nullptr);
      finished_ = true;
      wake_.notifyAll();
    }
    if (session != nullptr) session->answer(page);
  }

  const AdminContent content_;
  const size_t most_sessions_;
  net::EventLoop loop_;
  net::Gate gate_{static_cast<int64_t>(2 * most_sessions_ + 16)};
  std::vector<std::unique_ptr<Side>> sides_;
  std::thread thread_;

  base::Mutex mutex_;
  base::Condition wake_;
  std::deque<Command> waiting_ YETT_GUARDED_BY(mutex_);
  AdminSession* at_work_ YETT_GUARDED_BY(mutex_) = nullptr;  // whose command is running
  bool finished_ YETT_GUARDED_BY(mutex_) = false;
  bool ends_ YETT_GUARDED_BY(mutex_) = false;
  std::thread worker_;
};

AdminServer::AdminServer() = default;
AdminServer::~AdminServer() = default;

Result<std::unique_ptr<AdminServer>> AdminServer::start(const AdminConfig& config, AdminContent content,
                                                        size_t most_sessions,
                                                        std::shared_ptr<net::ListeningSocket> opened) {
  std::unique_ptr<AdminServer> out(new AdminServer);
  out->running_ = std::make_unique<Running>(std::move(content), most_sessions);
  if (!config.address.empty()) {
    if (auto ok = out->running_->listen(config.address, 0600, false, out->address_, std::move(opened)); !ok)
      return std::move(ok).error().within("admin");
  }
  if (!config.socket.empty()) {
    if (auto ok = out->running_->listen("unix://" + config.socket, config.socket_mode, true, out->address_); !ok)
      return std::move(ok).error().within("admin");
  }
  out->running_->run();
  return out;
}

}  // namespace yett::admin
