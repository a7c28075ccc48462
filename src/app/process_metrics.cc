#include "app/process_metrics.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <sstream>
#include <vector>

#include "base/file.h"
#include "base/resources.h"

namespace yett::app {
namespace {

std::string family(const char* name, const char* kind, const char* help, double value) {
  char number[64];
  std::snprintf(number, sizeof number, "%.15g", value);
  const std::string n(name);
  return "# HELP " + n + " " + help + "\n# TYPE " + n + " " + kind + "\n" + n + " " + number + "\n";
}

// The fields of /proc/self/stat after the program's name: [0] is the state, field 3 of proc(5).
std::vector<double> statFields() {
  const auto text = base::readFile("/proc/self/stat");
  std::vector<double> out;
  if (!text) return out;
  std::istringstream in(text.value().substr(text.value().rfind(')') + 2));
  std::string word;
  while (in >> word) out.push_back(std::strtod(word.c_str(), nullptr));
  return out;
}

// When the host started, in seconds since 1970.
double bootTime() {
  const auto text = base::readFile("/proc/stat");
  const auto at = text ? text.value().find("\nbtime ") : std::string::npos;
  return at == std::string::npos ? 0 : std::strtod(text.value().c_str() + at + 7, nullptr);
}

int64_t openDescriptors() {
  std::error_code error;
  int64_t count = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", error); !error && it != std::filesystem::end(it);
       it.increment(error))
    ++count;
  return count > 0 ? count - 1 : 0;  // without the one that lists them
}

}  // namespace

std::string processMetrics() {
  const auto stat = statFields();
  if (stat.size() < 22) return "";
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  static const double started = bootTime() + stat[19] / ticks;
  return family("process_cpu_seconds_total", "counter", "CPU time of the process, user and system, in seconds",
                (stat[11] + stat[12]) / ticks) +
         family("process_max_fds", "gauge", "file descriptors that the process may open",
                static_cast<double>(base::descriptorLimit())) +
         family("process_open_fds", "gauge", "open file descriptors", static_cast<double>(openDescriptors())) +
         family("process_resident_memory_bytes", "gauge", "resident memory in bytes", stat[21] * page) +
         family("process_start_time_seconds", "gauge", "start of the process, in seconds since 1970", started) +
         family("process_threads", "gauge", "threads of the process", stat[17]) +
         family("process_virtual_memory_bytes", "gauge", "virtual memory in bytes", stat[20]);
}

}  // namespace yett::app
