#include "audit/taken_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

#include "audit/log_file.h"

namespace yett::audit {
namespace {

constexpr uint64_t kMagic = 0x3130'6e656b617479;  // "ytaken01"
constexpr size_t kSize = 4096;
constexpr size_t kIdSize = 16;
constexpr size_t kBootSize = 36;

std::atomic<char*> mapped{nullptr};  // the page of the one log that this process writes
std::atomic<bool> gone{false};       // its file was truncated

// If somebody truncates the file, stores to the page fault. Counts from then on go to anonymous memory and are lost.
void onBusError(int, siginfo_t* info, void*) {
  char* const page = mapped.load();
  char* const at = static_cast<char*>(info->si_addr);
  if (info->si_code > 0 && page != nullptr && at >= page && at < page + kSize &&
      ::mmap(page, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
    gone = true;
    return;
  }
  ::signal(SIGBUS, SIG_DFL);  // the fault repeats on return and ends the process
}

void standBusErrors() {
  struct sigaction action {};
  action.sa_sigaction = onBusError;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

// After a kill between two stores, the page is either untrusted or right: `magic` is stored last, and a slot is valid
// only if its number is that of the last record in the log.
struct TakenPage::Layout {
  std::atomic<uint64_t> magic;
  char log_id[kIdSize];
  char boot[kBootSize];
  std::atomic<uint64_t> inode;  // of this file: a copy has a different one
  struct Slot {
    std::atomic<int64_t> seq;       // of the last record of a commit
    std::atomic<uint64_t> written;  // accepted records that are written, including that commit
  } slots[2];
  alignas(64) std::atomic<uint64_t> taken;
};

std::unique_ptr<TakenPage> TakenPage::open(const std::string& path) {
  static_assert(sizeof(Layout) <= kSize);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return nullptr;
  // Allocates the file before mapping it: a store into a hole on a full disk would end the process.
  void* page = MAP_FAILED;
  struct stat info {};
  if (::fchmod(fd, 0600) == 0 && ::fstat(fd, &info) == 0 && ::posix_fallocate(fd, 0, kSize) == 0)
    page = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (page == MAP_FAILED) return nullptr;
  mapped = static_cast<char*>(page);
  standBusErrors();
  return std::unique_ptr<TakenPage>(new TakenPage(static_cast<Layout*>(page), path, info.st_ino));
}

TakenPage::TakenPage(Layout* page, std::string path, uint64_t inode)
    : page_(page), path_(std::move(path)), inode_(inode), before_(page->taken.load()), written_(before_) {
  std::ifstream boot("/proc/sys/kernel/random/boot_id");  // procfs: read it in one go
  std::getline(boot, boot_);
  if (boot_.size() != kBootSize) boot_.clear();
}

TakenPage::~TakenPage() {
  char* own = reinterpret_cast<char*>(page_);
  mapped.compare_exchange_strong(own, nullptr);
  ::munmap(page_, kSize);
}

std::optional<int64_t> TakenPage::lost(std::string_view log_id, int64_t last) {
  if (boot_.empty() || page_->magic.load() != kMagic) return std::nullopt;
  if (page_->inode.load() != inode_) return std::nullopt;
  if (log_id != std::string_view(page_->log_id, kIdSize) || boot_ != std::string_view(page_->boot, kBootSize))
    return std::nullopt;
  for (const int known : {0, 1}) {
    const auto& slot = page_->slots[known];
    const uint64_t written = slot.written.load();
    if (slot.seq.load() != last || written > before_ || before_ - written > kMaxLeased) continue;
    slot_ = known ^ 1;
    return static_cast<int64_t>(before_ - written);
  }
  return std::nullopt;
}

void TakenPage::distrust() {
  page_->magic.store(0);
}

void TakenPage::begin(std::string_view log_id, int64_t last) {
  if (boot_.empty() || log_id.size() != kIdSize) return;
  distrust();
  page_->inode.store(inode_);
  std::memcpy(page_->log_id, log_id.data(), kIdSize);
  std::memcpy(page_->boot, boot_.data(), kBootSize);
  page_->taken.store(0);
  before_ = written_ = 0;
  for (auto& slot : page_->slots) {
    slot.seq.store(last);
    slot.written.store(0);
  }
  slot_ = 0;
  page_->magic.store(kMagic);
}

std::atomic<uint64_t>& TakenPage::counter() {
  return page_->taken;
}

void TakenPage::note(int64_t seq) {
  if (gone.exchange(false)) ::unlink(path_.c_str());  // what is left there is out of date
  auto& slot = page_->slots[slot_];
  slot.seq.store(-1);
  slot.written.store(written_);
  slot.seq.store(seq);
}

}  // namespace yett::audit
