#include "admin/admin_server.h"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/ServerSocket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/unix_socket.h"

namespace yett::admin {
namespace net = Poco::Net;
namespace {

class Handler final : public net::HTTPRequestHandler {
 public:
  Handler(const AdminContent& content, bool trusted) : content_(content), trusted_(trusted) {}

  void handleRequest(net::HTTPServerRequest& request, net::HTTPServerResponse& response) override {
    response.set("X-Content-Type-Options", "nosniff");
    response.set("Cache-Control", "no-store");
    if (trusted_ && request.getMethod() == "POST" && request.getURI() == "/audit/erase")
      return erase(request, response);
    if (request.getMethod() != "GET" && request.getMethod() != "HEAD") {
      response.set("Allow", "GET, HEAD");
      return send(response, 405, "text/plain", "only GET\n");
    }
    const std::string path = request.getURI().substr(0, request.getURI().find('?'));
    if (path == "/healthz") return send(response, 200, "text/plain", "ok\n");
    if (path == "/readyz") {
      const std::string why = content_.not_ready();
      return send(response, why.empty() ? 200 : 503, "text/plain", why.empty() ? "ready\n" : why + "\n");
    }
    if (path == "/metrics") return send(response, 200, "text/plain; version=0.0.4; charset=utf-8", content_.metrics());
    if (path == "/version") return send(response, 200, "application/json", content_.version());
    if (trusted_ && path == "/policies") return send(response, 200, "application/json", content_.policies());
    if (trusted_ && path == "/config") return send(response, 200, "application/json", content_.config());
    send(response, 404, "text/plain",
         "no such page: /healthz /readyz /metrics /version" + std::string(trusted_ ? " /policies /config\n" : "\n"));
  }

 private:
  void erase(net::HTTPServerRequest& request, net::HTTPServerResponse& response) {
    constexpr std::streamsize kMostBody = 4 << 20;
    std::string body(static_cast<size_t>(kMostBody), '\0');
    request.stream().read(body.data(), kMostBody);
    body.resize(static_cast<size_t>(request.stream().gcount()));
    const auto done = content_.erase(body);
    send(response, done ? 200 : 400, "text/plain", (done ? done.value() : done.error().message) + "\n");
  }
  static void send(net::HTTPServerResponse& response, int status, const std::string& type, const std::string& body) {
    response.setStatusAndReason(static_cast<net::HTTPResponse::HTTPStatus>(status));
    response.setContentType(type);
    response.sendBuffer(body.data(), body.size());
  }
  const AdminContent& content_;
  const bool trusted_;
};

class Factory final : public net::HTTPRequestHandlerFactory {
 public:
  Factory(const AdminContent& content, bool trusted) : content_(content), trusted_(trusted) {}
  net::HTTPRequestHandler* createRequestHandler(const net::HTTPServerRequest&) override {
    return new Handler(content_, trusted_);
  }

 private:
  const AdminContent& content_;
  const bool trusted_;
};

}  // namespace

struct AdminServer::Servers {
  AdminContent content;
  std::unique_ptr<net::HTTPServer> tcp;
  std::unique_ptr<net::HTTPServer> local;

  std::unique_ptr<net::HTTPServer> serve(const net::ServerSocket& socket, bool trusted) {
    auto* params = new net::HTTPServerParams;
    params->setMaxThreads(2);
    params->setMaxQueued(16);
    params->setTimeout(Poco::Timespan(10, 0));
    params->setKeepAlive(false);
    auto server = std::make_unique<net::HTTPServer>(new Factory(content, trusted), socket, params);
    server->start();
    return server;
  }
};

AdminServer::AdminServer() : servers_(std::make_unique<Servers>()) {}

AdminServer::~AdminServer() {
  if (servers_->tcp) servers_->tcp->stopAll(true);
  if (servers_->local) servers_->local->stopAll(true);
  if (!socket_path_.empty()) ::unlink(socket_path_.c_str());
}

Result<std::unique_ptr<AdminServer>> AdminServer::start(const AdminConfig& config, AdminContent content) {
  std::unique_ptr<AdminServer> out(new AdminServer);
  out->servers_->content = std::move(content);
  try {
    if (!config.address.empty()) {
      net::ServerSocket socket;
      socket.bind(net::SocketAddress(config.address), true, false);
      socket.listen(16);
      out->address_ = socket.address().toString();
      out->servers_->tcp = out->servers_->serve(socket, false);
    }
  } catch (const Poco::Exception& e) {
    return Error{"admin: cannot listen on " + config.address + ": " + base::lowered(e.message())};
  }
  try {
    if (!config.socket.empty()) {
      if (auto room = base::makeRoomForSocket(config.socket); !room) return std::move(room).error().within("admin");
      net::ServerSocket socket;
      {
        const base::ModeLimit limit(config.socket_mode);  // so that there is no moment in which others could connect
        socket.bind(net::SocketAddress(net::AddressFamily::UNIX_LOCAL, config.socket), false);
      }
      socket.listen(16);
      out->socket_path_ = config.socket;
      out->servers_->local = out->servers_->serve(socket, true);
    }
  } catch (const Poco::Exception& e) {
    return Error{"admin: cannot listen on " + config.socket + ": " + base::lowered(e.message())};
  }
  return out;
}

}  // namespace yett::admin
