#include "admin/admin_client.h"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/StreamCopier.h>

namespace yett::admin {
namespace poco = Poco::Net;

Result<std::string> post(const std::string& socket, const std::string& path, const std::string& body) {
  try {
    poco::StreamSocket connection(poco::SocketAddress(poco::AddressFamily::UNIX_LOCAL, socket));
    poco::HTTPClientSession session(connection);
    session.setTimeout(Poco::Timespan(600, 0));
    poco::HTTPRequest request(poco::HTTPRequest::HTTP_POST, path, poco::HTTPRequest::HTTP_1_1);
    request.setHost("localhost");
    request.setContentType("application/json");
    request.setContentLength64(static_cast<Poco::Int64>(body.size()));
    session.sendRequest(request) << body;
    poco::HTTPResponse response;
    std::string out;
    Poco::StreamCopier::copyToString(session.receiveResponse(response), out);
    while (!out.empty() && out.back() == '\n') out.pop_back();
    if (response.getStatus() != poco::HTTPResponse::HTTP_OK) return Error{out};
    return out;
  } catch (const Poco::Exception& e) {
    return Error{"the running yett cannot be asked at " + socket + ": " + e.displayText()};
  }
}

}  // namespace yett::admin
