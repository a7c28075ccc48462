#include "base/metrics.h"

namespace yett::base {

void Histogram::observeMicros(int64_t micros) {
  size_t bucket = 0;
  while (bucket < kBoundsMicros.size() && micros > kBoundsMicros[bucket]) ++bucket;
  buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(micros, std::memory_order_relaxed);
}

// Label values come from configuration and policy; the format escapes \, " and newline.
std::string labelText(const std::vector<Label>& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += out.empty() ? "{" : ",";
    out += name;
    out += "=\"";
    for (const char c : value) {
      if (c == '\n') out += "\\n";
      else if (c == '"' || c == '\\') (out += '\\') += c;
      else out += c;
    }
    out += '"';
  }
  if (!out.empty()) out += '}';
  return out;
}

Counter& Metrics::counter(std::string_view name, const std::vector<Label>& labels, std::string_view help,
                          const char* kind) {
  const Lock lock(mutex_);
  Family& family = families_[std::string(name)];
  family.help = help;
  family.kind = kind;
  Counter*& series = family.series[labelText(labels)];
  if (series == nullptr) series = &counters_.emplace_back();
  return *series;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help) {
  const Lock lock(mutex_);
  Family& family = families_[std::string(name)];
  family.help = help;
  family.kind = "histogram";
  if (family.histogram == nullptr) family.histogram = &histograms_.emplace_back();
  return *family.histogram;
}

void Metrics::gauge(std::string_view name, std::string_view help, std::function<int64_t()> read, Shown shown) {
  const Lock lock(mutex_);
  Family& family = families_[std::string(name)];
  family.help = help;
  family.kind = "gauge";
  family.read = std::move(read);
  family.shown = shown;
}

void Metrics::counted(std::string_view name, std::string_view help, std::function<int64_t()> read) {
  gauge(name, help, std::move(read));
  const Lock lock(mutex_);
  families_[std::string(name)].kind = "counter";
}

static std::string seconds(int64_t micros) {
  std::string digits = std::to_string(micros % 1'000'000);
  digits.insert(0, 6 - digits.size(), '0');
  return std::to_string(micros / 1'000'000) + "." + digits;
}

std::string Metrics::text() const {
  const Lock lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += "# HELP " + name + " " + family.help + "\n# TYPE " + name + " " + family.kind + "\n";
    for (const auto& [labels, series] : family.series)
      out += name + labels + " " + std::to_string(series->value()) + "\n";
    if (family.read) {
      const int64_t value = family.read();
      out += name + " " + (family.shown == Shown::kSeconds ? seconds(value) : std::to_string(value)) + "\n";
    }
    if (family.histogram == nullptr) continue;
    int64_t total = 0;
    for (size_t i = 0; i <= Histogram::kBoundsMicros.size(); ++i) {
      total += family.histogram->buckets_[i].load(std::memory_order_relaxed);
      const std::string bound = i < Histogram::kBoundsMicros.size() ? seconds(Histogram::kBoundsMicros[i]) : "+Inf";
      out += name + "_bucket{le=\"" + bound + "\"} " + std::to_string(total) + "\n";
    }
    out += name + "_sum " + seconds(family.histogram->sum_.load(std::memory_order_relaxed)) + "\n";
    out += name + "_count " + std::to_string(total) + "\n";
  }
  return out;
}

}  // namespace yett::base
