#include "upstream/connector.h"

#include <Poco/Exception.h>

namespace yett::upstream {

Result<Poco::Net::StreamSocket> beginConnect(const Endpoint& endpoint) {
  try {
    Poco::Net::StreamSocket socket;
    socket.connectNB(endpoint.address);
    if (endpoint.address.family() != Poco::Net::AddressFamily::UNIX_LOCAL) socket.setNoDelay(true);
    return socket;
  } catch (const Poco::Exception& e) {
    return Error{e.message()};
  }
}

}  // namespace yett::upstream
