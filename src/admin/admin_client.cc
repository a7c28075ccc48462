#include "admin/admin_client.h"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/StreamCopier.h>

#include <cerrno>
#include <cstring>

namespace yett::admin {
namespace poco = Poco::Net;

namespace {

Result<std::string> ask(const std::string& socket, const std::string& method, const std::string& path,
                        const std::string& body) {
  try {
    poco::StreamSocket connection(poco::SocketAddress(poco::AddressFamily::UNIX_LOCAL, socket));
    poco::HTTPClientSession session(connection);
    session.setTimeout(Poco::Timespan(600, 0));
    poco::HTTPRequest request(method, path, poco::HTTPRequest::HTTP_1_1);
    request.setHost("localhost");
    if (method == poco::HTTPRequest::HTTP_POST) {
      request.setContentType("application/json");
      request.setContentLength64(static_cast<Poco::Int64>(body.size()));
    }
    session.sendRequest(request) << body;
    poco::HTTPResponse response;
    std::string out;
    Poco::StreamCopier::copyToString(session.receiveResponse(response), out);
    while (!out.empty() && out.back() == '\n') out.pop_back();
    if (response.getStatus() != poco::HTTPResponse::HTTP_OK) return Error{out};
    return out;
  } catch (const Poco::Exception& e) {
    const int code = e.code();
    const std::string why = code == ENOENT || code == ECONNREFUSED ? "no running yett listens there"
                            : code == EACCES                       ? "permission denied (see `admin.socket_mode`)"
                            : code != 0                            ? std::strerror(code)
                                                                   : "it closed the connection";
    return Error{"admin socket " + socket + ": " + why};
  }
}

}  // namespace

Result<std::string> get(const std::string& socket, const std::string& path) {
  return ask(socket, poco::HTTPRequest::HTTP_GET, path, "");
}

Result<std::string> post(const std::string& socket, const std::string& path, const std::string& body) {
  return ask(socket, poco::HTTPRequest::HTTP_POST, path, body);
}

}  // namespace yett::admin
