#include "workload/messages.h"

#include <protozero/pbf_message.hpp>
#include <protozero/pbf_writer.hpp>

namespace yett::workload {
namespace {

enum class SvidsField : protozero::pbf_tag_type { kSvids = 1, kCrl = 2, kFederated = 3 };
enum class SvidField : protozero::pbf_tag_type { kId = 1, kChain = 2, kKey = 3, kBundle = 4, kHint = 5 };
enum class X509BundlesField : protozero::pbf_tag_type { kCrl = 1, kBundles = 2 };
enum class JwtBundlesField : protozero::pbf_tag_type { kBundles = 1 };
enum class EntryField : protozero::pbf_tag_type { kKey = 1, kValue = 2 };
enum class JwtSvidsField : protozero::pbf_tag_type { kSvids = 1 };
enum class JwtSvidField : protozero::pbf_tag_type { kId = 1, kToken = 2, kHint = 3 };
enum class JwtRequestField : protozero::pbf_tag_type { kAudience = 1, kId = 2 };

constexpr auto kBytes = protozero::pbf_wire_type::length_delimited;

// Calls take(field, bytes) for each field of bytes; others are skipped.
template <typename Field, typename Take>
void eachField(std::string_view message, Take take) {
  protozero::pbf_message<Field> in(message.data(), message.size());
  while (in.next()) {
    if (in.wire_type() != kBytes) {
      in.skip();
      continue;
    }
    const auto tag = in.tag();
    const auto data = in.get_view();
    take(tag, std::string_view(data.data(), data.size()));
  }
}

X509Svid svidOf(std::string_view message) {
  X509Svid out;
  eachField<SvidField>(message, [&](SvidField field, std::string_view bytes) {
    switch (field) {
      case SvidField::kId: out.spiffe_id = bytes; break;
      case SvidField::kChain: out.chain = bytes; break;
      case SvidField::kKey: out.key = bytes; break;
      case SvidField::kBundle: out.bundle = bytes; break;
      case SvidField::kHint: out.hint = bytes; break;
    }
  });
  return out;
}

Status addEntry(std::string_view message, BundlesAnswer& out) {
  constexpr std::string_view kScheme = "spiffe://";
  std::string name;
  std::string value;
  eachField<EntryField>(message, [&](EntryField field, std::string_view bytes) {
    if (field == EntryField::kKey) name = bytes;
    if (field == EntryField::kValue) value = bytes;
  });
  if (name.starts_with(kScheme)) name.erase(0, kScheme.size());
  if (!out.emplace(name, std::move(value)).second) return Error{"the trust domain `" + name + "` is there twice"};
  return {};
}

// Reads with `read(problem)`, which may throw what protozero throws and sets what else is wrong.
template <typename Read>
Status guarded(Read read) {
  Status problem;
  try {
    read(problem);
  } catch (const protozero::exception& e) {
    return Error{std::string("not a protobuf message: ") + e.what()};
  }
  return problem;
}

template <typename Field>
Result<BundlesAnswer> readBundles(std::string_view message) {
  BundlesAnswer out;
  TRY(guarded([&](Status& problem) {
    eachField<Field>(message, [&](Field field, std::string_view bytes) {
      if (field == Field::kBundles && problem) problem = addEntry(bytes, out);
    });
  }));
  return out;
}

}  // namespace

Result<X509SvidAnswer> readX509Svids(std::string_view message) {
  X509SvidAnswer out;
  TRY(guarded([&](Status& problem) {
    eachField<SvidsField>(message, [&](SvidsField field, std::string_view bytes) {
      if (field == SvidsField::kSvids) out.svids.push_back(svidOf(bytes));
      if (field == SvidsField::kCrl) out.crls.emplace_back(bytes);
      if (field == SvidsField::kFederated && problem) problem = addEntry(bytes, out.federated);
    });
  }));
  return out;
}

Result<BundlesAnswer> readX509Bundles(std::string_view message) {
  return readBundles<X509BundlesField>(message);
}

Result<BundlesAnswer> readJwtBundles(std::string_view message) {
  return readBundles<JwtBundlesField>(message);
}

Result<std::vector<JwtSvid>> readJwtSvids(std::string_view message) {
  std::vector<JwtSvid> out;
  TRY(guarded([&](Status&) {
    eachField<JwtSvidsField>(message, [&](JwtSvidsField field, std::string_view svid) {
      if (field != JwtSvidsField::kSvids) return;
      JwtSvid& one = out.emplace_back();
      eachField<JwtSvidField>(svid, [&](JwtSvidField part, std::string_view bytes) {
        if (part == JwtSvidField::kId) one.spiffe_id = bytes;
        if (part == JwtSvidField::kToken) one.token = bytes;
        if (part == JwtSvidField::kHint) one.hint = bytes;
      });
    });
  }));
  return out;
}

std::string jwtSvidRequest(const std::vector<std::string>& audiences, const std::string& spiffe_id) {
  std::string out;
  protozero::pbf_writer writer(out);
  for (const auto& audience : audiences)
    writer.add_string(static_cast<protozero::pbf_tag_type>(JwtRequestField::kAudience), audience);
  if (!spiffe_id.empty()) writer.add_string(static_cast<protozero::pbf_tag_type>(JwtRequestField::kId), spiffe_id);
  return out;
}

}  // namespace yett::workload
