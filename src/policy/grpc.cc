#include "policy/grpc.h"

#include "base/text.h"

namespace yett::policy {

bool isGrpcType(std::string_view type) {
  constexpr std::string_view kGrpc = "application/grpc";
  return type.size() >= kGrpc.size() && base::equalsIgnoreCase(type.substr(0, kGrpc.size()), kGrpc) &&
         (type.size() == kGrpc.size() || type[kGrpc.size()] == '+' || type[kGrpc.size()] == ';');
}

}  // namespace yett::policy
