#include "upstream/health_message.h"

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

namespace yett::upstream {

// In both messages, field 1 is all there is.
static constexpr protozero::pbf_tag_type kField = 1;

std::string healthRequest(const std::string& service) {
  std::string out;
  if (!service.empty()) protozero::pbf_writer(out).add_string(kField, service);
  return out;
}

int healthStatus(std::string_view message) {
  try {
    protozero::pbf_reader reader(message.data(), message.size());
    int out = 0;
    while (reader.next()) {
      if (reader.tag() == kField) out = reader.get_enum();
      else reader.skip();
    }
    return out;
  } catch (const protozero::exception&) {
    return -1;
  }
}

}  // namespace yett::upstream
