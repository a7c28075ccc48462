#include "http/stream.h"

namespace yett::http {

const char* name(ResetCause cause) {
  switch (cause) {
    case ResetCause::kPeerClosed: return "peer closed";
    case ResetCause::kProtocolError: return "protocol error";
    case ResetCause::kTimeout: return "timeout";
    case ResetCause::kTooLarge: return "too large";
    case ResetCause::kLocal: return "local";
    case ResetCause::kReset: return "reset";
    case ResetCause::kRefused: return "refused";
    case ResetCause::kEnough: return "enough";
    case ResetCause::kHeadTooLarge: return "head too large";
  }
  return "";
}

}  // namespace yett::http
