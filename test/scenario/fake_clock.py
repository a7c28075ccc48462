"""A fake wall clock for a program under test, which can be set and can run faster. Timeouts use the monotonic clock and are not affected."""
import contextlib
import os
import subprocess
import time
import unittest.mock

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec* out) {
  static int (*real)(clockid_t, struct timespec*);
  static long base, speed;
  if (!real) {
    base = atol(getenv("CLOCK_BASE"));
    speed = atol(getenv("CLOCK_SPEED"));
    real = dlsym(RTLD_NEXT, "clock_gettime");
  }
  int status = real(id, out);
  if (id != CLOCK_REALTIME && id != CLOCK_BOOTTIME) return status;
  if (speed > 1) {
    struct timespec now;
    real(CLOCK_REALTIME, &now);
    long nanos = out->tv_nsec + ((now.tv_sec - base) * 1000000000L + now.tv_nsec) * (speed - 1);
    out->tv_sec += nanos / 1000000000L;
    out->tv_nsec = nanos % 1000000000L;
  }
  if (id == CLOCK_REALTIME) {
    FILE* file = fopen(getenv("CLOCK_AHEAD"), "r");
    long ahead = 0;
    if (file) { if (fscanf(file, "%ld", &ahead) != 1) ahead = 0; fclose(file); }
    out->tv_sec += ahead;
  }
  return status;
}
"""


@contextlib.contextmanager
def fake_clock(folder, speed=1):
    """Programs started inside get the fake clock. It adds the seconds in the file `ahead` of the folder and runs `speed` times as fast."""
    (folder / "clock.c").write_text(SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", folder / "clock.so", folder / "clock.c", "-ldl"], check=True)
    ahead = folder / "ahead"
    ahead.write_text("0")
    changed = {"LD_PRELOAD": str(folder / "clock.so"), "CLOCK_AHEAD": str(ahead), "CLOCK_SPEED": str(speed), "CLOCK_BASE": str(int(time.time()))}
    with unittest.mock.patch.dict(os.environ, changed):
        yield
