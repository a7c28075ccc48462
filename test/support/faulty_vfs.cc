#include "support/faulty_vfs.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <vector>

namespace yett::test {
namespace {

struct Undo {
  std::string path;
  int64_t offset;
  std::string before;  // the previous bytes; shorter if the file ended there
  int64_t size;        // bytes written
};

std::mutex mutex;  // protects all below
int64_t operations_done = 0;
int64_t fail_from = 0;
int64_t fail_count = 0;
int64_t lose_at = 0;  // 0: never
int64_t undone_writes = -1;
std::function<bool()> keep;
bool power_lost = false;
std::vector<Undo> unsynced;
sqlite3_vfs* real = nullptr;
sqlite3_vfs mine;

struct File {
  sqlite3_file base;
  sqlite3_file* file;
  const char* path;
};
File* of(sqlite3_file* file) {
  return reinterpret_cast<File*>(file);
}

// Under the mutex.
void losePower() {
  power_lost = true;
  undone_writes = 0;
  for (auto undo = unsynced.rbegin(); undo != unsynced.rend(); ++undo) {
    if (keep()) continue;
    ++undone_writes;
    const int fd = ::open(undo->path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) continue;
    undo->before.resize(static_cast<size_t>(undo->size));  // zeros beyond the old end of the file
    [[maybe_unused]] const ssize_t wrote = ::pwrite(fd, undo->before.data(), undo->before.size(), undo->offset);
    ::close(fd);
  }
  unsynced.clear();
}

// Under the mutex.
bool fails() {
  ++operations_done;
  if (lose_at > 0 && operations_done >= lose_at && !power_lost) losePower();
  return power_lost || (fail_from > 0 && operations_done >= fail_from && operations_done < fail_from + fail_count);
}

void noteBefore(const char* path, int64_t offset, int64_t size) {
  if (lose_at == 0 || path == nullptr) return;
  Undo undo{path, offset, "", size};
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    undo.before.resize(static_cast<size_t>(size));
    const ssize_t got = ::pread(fd, undo.before.data(), undo.before.size(), offset);
    undo.before.resize(got > 0 ? static_cast<size_t>(got) : 0);
    ::close(fd);
  }
  unsynced.push_back(std::move(undo));
}

int doClose(sqlite3_file* f) {
  return of(f)->file->pMethods->xClose(of(f)->file);
}
int doRead(sqlite3_file* f, void* to, int size, sqlite3_int64 offset) {
  return of(f)->file->pMethods->xRead(of(f)->file, to, size, offset);
}
int doWrite(sqlite3_file* f, const void* from, int size, sqlite3_int64 offset) {
  const std::lock_guard lock(mutex);
  if (fails()) return SQLITE_IOERR_WRITE;
  noteBefore(of(f)->path, offset, size);
  return of(f)->file->pMethods->xWrite(of(f)->file, from, size, offset);
}
int doTruncate(sqlite3_file* f, sqlite3_int64 size) {
  const std::lock_guard lock(mutex);
  if (fails()) return SQLITE_IOERR_TRUNCATE;
  struct stat info {};
  if (of(f)->path != nullptr && ::stat(of(f)->path, &info) == 0 && info.st_size > size)
    noteBefore(of(f)->path, size, info.st_size - size);
  return of(f)->file->pMethods->xTruncate(of(f)->file, size);
}
int doSync(sqlite3_file* f, int flags) {
  const std::lock_guard lock(mutex);
  if (fails()) return SQLITE_IOERR_FSYNC;
  const int status = of(f)->file->pMethods->xSync(of(f)->file, flags);
  if (status == SQLITE_OK && of(f)->path != nullptr)
    std::erase_if(unsynced, [&](const Undo& undo) { return undo.path == of(f)->path; });
  return status;
}
int doFileSize(sqlite3_file* f, sqlite3_int64* size) {
  return of(f)->file->pMethods->xFileSize(of(f)->file, size);
}
int doLock(sqlite3_file* f, int kind) {
  return of(f)->file->pMethods->xLock(of(f)->file, kind);
}
int doUnlock(sqlite3_file* f, int kind) {
  return of(f)->file->pMethods->xUnlock(of(f)->file, kind);
}
int doCheckReserved(sqlite3_file* f, int* out) {
  return of(f)->file->pMethods->xCheckReservedLock(of(f)->file, out);
}
int doControl(sqlite3_file* f, int op, void* arg) {
  return of(f)->file->pMethods->xFileControl(of(f)->file, op, arg);
}
int doSector(sqlite3_file* f) {
  return of(f)->file->pMethods->xSectorSize(of(f)->file);
}
int doCharacteristics(sqlite3_file* f) {
  return of(f)->file->pMethods->xDeviceCharacteristics(of(f)->file);
}
int doShmMap(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return of(f)->file->pMethods->xShmMap(of(f)->file, page, size, extend, out);
}
int doShmLock(sqlite3_file* f, int offset, int n, int flags) {
  return of(f)->file->pMethods->xShmLock(of(f)->file, offset, n, flags);
}
void doShmBarrier(sqlite3_file* f) {
  of(f)->file->pMethods->xShmBarrier(of(f)->file);
}
int doShmUnmap(sqlite3_file* f, int remove) {
  return of(f)->file->pMethods->xShmUnmap(of(f)->file, remove);
}

const sqlite3_io_methods kMethods = {
    2,          doClose,         doRead,    doWrite,  doTruncate,        doSync,   doFileSize, doLock,
    doUnlock,   doCheckReserved, doControl, doSector, doCharacteristics, doShmMap, doShmLock,  doShmBarrier,
    doShmUnmap, nullptr,         nullptr};

int doOpen(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* f, int flags, int* out_flags) {
  File* file = of(f);
  file->base.pMethods = nullptr;
  file->file = reinterpret_cast<sqlite3_file*>(file + 1);
  file->path = name;
  const int status = real->xOpen(real, name, file->file, flags, out_flags);
  if (status == SQLITE_OK) file->base.pMethods = &kMethods;
  return status;
}

}  // namespace

FaultyVfs::FaultyVfs() {
  real = sqlite3_vfs_find(nullptr);
  mine = *real;
  mine.zName = "faulty";
  mine.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
  mine.xOpen = doOpen;
  sqlite3_vfs_register(&mine, 1);
  operations_done = fail_from = fail_count = lose_at = 0;
  undone_writes = -1;
  power_lost = false;
  unsynced.clear();
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_register(real, 1);
  sqlite3_vfs_unregister(&mine);
}

void FaultyVfs::failAt(int64_t n, int64_t count) {
  const std::lock_guard lock(mutex);
  operations_done = 0;
  fail_from = n;
  fail_count = count;
}

int64_t FaultyVfs::operations() const {
  const std::lock_guard lock(mutex);
  return operations_done;
}

void FaultyVfs::losePowerAt(int64_t n, std::function<bool()> which) {
  const std::lock_guard lock(mutex);
  operations_done = 0;
  lose_at = n;
  keep = std::move(which);
}

int64_t FaultyVfs::undone() const {
  const std::lock_guard lock(mutex);
  return undone_writes;
}

}  // namespace yett::test
