#include "identity/pem.h"

#include <algorithm>

namespace yett::identity {
namespace {

constexpr std::string_view kDashes = "-----";
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";

Error at(int line, const std::string& what) {
  return Error{"line " + std::to_string(line) + ": " + what};
}

// The label of a whole BEGIN or END line. Nothing else of a file is ever quoted: it may be a key.
bool labelOf(std::string_view line, std::string_view begin, std::string& label) {
  constexpr size_t kLongest = 64;
  if (!line.starts_with(begin) || !line.ends_with(kDashes) || line.size() < begin.size() + kDashes.size()) return false;
  label = line.substr(begin.size(), line.size() - begin.size() - kDashes.size());
  return label.size() <= kLongest && std::all_of(label.begin(), label.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ';
         });
}

bool isBase64(std::string_view line) {
  return std::all_of(line.begin(), line.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=';
  });
}

// A header of an old form of key: "Proc-Type: 4,ENCRYPTED".
bool isHeader(std::string_view line) {
  return line.find(": ") != std::string_view::npos;
}

}  // namespace

Result<std::vector<PemBlock>> pemBlocks(std::string_view file) {
  std::vector<PemBlock> out;
  bool inside = false;
  int number = 0;
  while (!file.empty()) {
    const size_t size = std::min(file.find('\n'), file.size());
    std::string_view line = file.substr(0, size);
    file.remove_prefix(std::min(size + 1, file.size()));
    ++number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    std::string label;
    if (labelOf(line, kBegin, label)) {
      if (inside) return at(out.back().line, "the block `" + out.back().label + "` has no end");
      out.push_back({label, "", number});
      inside = true;
    } else if (labelOf(line, kEnd, label)) {
      if (!inside || label != out.back().label)
        return at(number, "the end of a block `" + label + "` that does not begin");
      out.back().text.append(line).append("\n");
      inside = false;
      continue;
    } else if (line.starts_with('#')) {
      continue;
    } else if (line.find("BEGIN ") != std::string_view::npos && line.find("END ") != std::string_view::npos) {
      return at(number, "BEGIN and END of a block on one line: the newlines are missing");
    } else if (line.find("BEGIN ") != std::string_view::npos && line.find("---") != std::string_view::npos) {
      return at(number,
                "a line that does not begin a block as it should: write it whole, at the beginning of its line");
    } else if (inside && !isBase64(line) && !isHeader(line)) {
      return at(number, "no line of a block in PEM");
    }
    if (inside) out.back().text.append(line).append("\n");
  }
  if (inside) return at(out.back().line, "the block `" + out.back().label + "` has no end: the file is cut off");
  return out;
}

Result<std::vector<PemBlock>> certificateBlocks(std::string_view file, bool with_keys) {
  auto blocks = TRY(pemBlocks(file));
  for (const auto& block : blocks) {
    if (block.label == "CERTIFICATE" || block.label == "X509 CERTIFICATE") continue;
    if (with_keys && (block.label.ends_with("PRIVATE KEY") || block.label.ends_with(" PARAMETERS"))) continue;
    return at(block.line, "`" + block.label + "` is no certificate" +
                              (block.label == "TRUSTED CERTIFICATE"
                                   ? ": write it without its settings (openssl x509 -in FILE -out FILE)"
                                   : ""));
  }
  std::erase_if(blocks, [](const PemBlock& block) { return !block.label.ends_with("CERTIFICATE"); });
  return blocks;
}

int noPassphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace yett::identity
