#include "admin/admin_client.h"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/StreamCopier.h>

namespace yett::admin {
namespace net = Poco::Net;

Result<std::string> post(const std::string& socket, const std::string& path, const std::string& body) {
  try {
    net::StreamSocket connection(net::SocketAddress(net::AddressFamily::UNIX_LOCAL, socket));
    net::HTTPClientSession session(connection);
    session.setTimeout(Poco::Timespan(600, 0));
    net::HTTPRequest request(net::HTTPRequest::HTTP_POST, path, net::HTTPRequest::HTTP_1_1);
    request.setHost("localhost");
    request.setContentType("application/json");
    request.setContentLength64(static_cast<Poco::Int64>(body.size()));
    session.sendRequest(request) << body;
    net::HTTPResponse response;
    std::string out;
    Poco::StreamCopier::copyToString(session.receiveResponse(response), out);
    while (!out.empty() && out.back() == '\n') out.pop_back();
    if (response.getStatus() != net::HTTPResponse::HTTP_OK) return Error{out};
    return out;
  } catch (const Poco::Exception& e) {
    return Error{"the running yett cannot be asked at " + socket + ": " + e.displayText()};
  }
}

}  // namespace yett::admin
