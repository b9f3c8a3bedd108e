/* A disk that fails: preloaded into a program, it lets the N-th call of a kind that changes one file system fail, counted
   over all processes.

   FAILING_DISK_STATE   a file of one struct state, shared by all processes (on another file system)
   FAILING_DISK_DEVICE  st_dev of the file system
   FAILING_DISK_AT      N, from 1; 0 only counts
   FAILING_DISK_HOW     "once", "from" (that one and all of its kind that follow), "dead" (that one and all that follow),
                        "short" (from then on a write takes half)
   FAILING_DISK_ERRNO   the number of the error
   FAILING_DISK_CALL    the kind of call, one of kinds

   What a static program does, and one that was started with an environment of its own, is not seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *const kinds[] = {"open",     "write",     "pwrite", "pwritev", "fsync",
                                    "syncfs",   "ftruncate", "rename", "mkdir",   "unlink",
                                    "sendfile", "link",      "symlink"};
#define KINDS (sizeof kinds / sizeof *kinds)

struct state {
  atomic_long counts[KINDS]; /* calls of each kind */
  atomic_long failed;        /* calls that failed */
  char first[400];           /* the first that failed: "call path" */
};

static struct state *state;
static unsigned long device;
static long at;
static int failure, is_once, is_short, is_dead;
static const char *chosen;

static const char *setting(const char *name, const char *missing) {
  const char *value = getenv(name);
  return value ? value : missing;
}

__attribute__((constructor)) static void begin(void) {
  const char *how = setting("FAILING_DISK_HOW", "once");
  int descriptor = open(setting("FAILING_DISK_STATE", "/nonexistent"), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return;
  device = strtoul(setting("FAILING_DISK_DEVICE", "0"), NULL, 10);
  at = atol(setting("FAILING_DISK_AT", "0"));
  failure = atoi(setting("FAILING_DISK_ERRNO", "5"));
  chosen = setting("FAILING_DISK_CALL", "");
  is_once = !strcmp(how, "once");
  is_short = !strcmp(how, "short");
  is_dead = !strcmp(how, "dead");
  void *memory = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (memory != MAP_FAILED) state = memory;
}

/* Counts a call; whether it is its turn to fail, which is noted. */
static int is_hit(const char *call, const char *path) {
  size_t kind = 0;
  while (kind < KINDS - 1 && strcmp(kinds[kind], call)) kind++;
  if (is_dead && atomic_load(&state->failed)) return 1;
  long number = atomic_fetch_add(&state->counts[kind], 1) + 1;
  if (strcmp(call, chosen) || !at || number < at || (is_once && number > at)) return 0;
  if (!atomic_fetch_add(&state->failed, 1)) snprintf(state->first, sizeof state->first, "%s %s", call, path);
  return 1;
}

static int hits_descriptor(const char *call, int descriptor) {
  struct stat status;
  char link[40], path[400];
  int saved = errno, is = 0;
  if (state && !fstat(descriptor, &status) && status.st_dev == device && !S_ISFIFO(status.st_mode)) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    is = is_hit(call, path);
  }
  errno = saved;
  return is;
}

static int hits_path(const char *call, int folder, const char *path) {
  struct stat status;
  char parent[4096];
  int saved = errno, is = 0;
  if (state && strlen(path) < sizeof parent) {
    strcpy(parent, path);
    char *slash = strrchr(parent, '/');
    if (!slash) strcpy(parent, ".");
    else slash[slash == parent] = 0;
    if (!fstatat(folder, parent, &status, 0) && status.st_dev == device) is = is_hit(call, path);
  }
  errno = saved;
  return is;
}

/* The real function of this name. */
#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define FAIL_IF(hit) \
  if (hit) { \
    errno = failure; \
    return -1; \
  }
/* A write of this many bytes: shortened, or failed. */
#define WRITE_OF(size, hit) \
  if (hit) { \
    if (is_short) size = size > 1 ? size / 2 : size; \
    else FAIL_IF(1) \
  }

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  WRITE_OF(size, hits_descriptor("write", fd))
  return real(fd, data, size);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
  REAL(pwrite64);
  WRITE_OF(size, hits_descriptor("pwrite", fd))
  return real(fd, data, size, offset);
}
ssize_t writev(int fd, const struct iovec *pieces, int count) {
  REAL(writev);
  WRITE_OF(count, hits_descriptor("write", fd))
  return real(fd, pieces, count);
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset) {
  REAL(pwritev64);
  WRITE_OF(count, hits_descriptor("pwritev", fd))
  return real(fd, pieces, count, offset);
}
ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count, off64_t offset, int flags) {
  REAL(pwritev64v2);
  WRITE_OF(count, hits_descriptor("pwritev", fd))
  return real(fd, pieces, count, offset, flags);
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t size) {
  REAL(sendfile64);
  WRITE_OF(size, hits_descriptor("sendfile", out))
  return real(out, in, offset, size);
}
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
  REAL(copy_file_range);
  WRITE_OF(size, hits_descriptor("sendfile", out))
  return real(in, from, out, to, size, flags);
}

#define ON_DESCRIPTOR(name, call) \
  int name(int fd) { \
    REAL(name); \
    FAIL_IF(hits_descriptor(call, fd)) \
    return real(fd); \
  }
ON_DESCRIPTOR(fsync, "fsync")
ON_DESCRIPTOR(fdatasync, "fsync")
ON_DESCRIPTOR(syncfs, "syncfs")
int ftruncate64(int fd, off64_t size) {
  REAL(ftruncate64);
  FAIL_IF(hits_descriptor("ftruncate", fd))
  return real(fd, size);
}

#define IS_ABSENT(folder, path) faccessat(folder, path, F_OK, AT_SYMLINK_NOFOLLOW)
#define ON_PATH_IF(condition, name, call, parameters, folder, path, arguments) \
  int name parameters { \
    REAL(name); \
    FAIL_IF((condition) && hits_path(call, folder, path)) \
    return real arguments; \
  }
#define ON_PATH(...) ON_PATH_IF(1, __VA_ARGS__)
ON_PATH_IF(IS_ABSENT(AT_FDCWD, path), mkdir, "mkdir", (const char *path, mode_t mode), AT_FDCWD, path, (path, mode))
ON_PATH_IF(IS_ABSENT(folder, path), mkdirat, "mkdir", (int folder, const char *path, mode_t mode), folder, path,
           (folder, path, mode))
ON_PATH(rename, "rename", (const char *from, const char *to), AT_FDCWD, to, (from, to))
ON_PATH(link, "link", (const char *from, const char *to), AT_FDCWD, to, (from, to))
ON_PATH(symlink, "symlink", (const char *target, const char *path), AT_FDCWD, path, (target, path))
ON_PATH(unlink, "unlink", (const char *path), AT_FDCWD, path, (path))
ON_PATH(unlinkat, "unlink", (int folder, const char *path, int flags), folder, path, (folder, path, flags))
ON_PATH(rmdir, "unlink", (const char *path), AT_FDCWD, path, (path))
ON_PATH(renameat, "rename", (int one, const char *from, int two, const char *to), two, to, (one, from, two, to))
ON_PATH(linkat, "link", (int one, const char *from, int two, const char *to, int flags), two, to,
        (one, from, two, to, flags))
ON_PATH(symlinkat, "symlink", (const char *target, int folder, const char *path), folder, path,
        (target, folder, path))

/* Opening counts where it makes a file. */
#define MODE(flags, mode) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | __O_TMPFILE)) { \
    va_list rest; \
    va_start(rest, flags); \
    mode = va_arg(rest, mode_t); \
    va_end(rest); \
  }
#define IS_NEW(folder, path, flags) (((flags) & O_CREAT) && IS_ABSENT(folder, path))
#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    MODE(flags, mode) \
    FAIL_IF(IS_NEW(AT_FDCWD, path, flags) && hits_path("open", AT_FDCWD, path)) \
    return real(path, flags, mode); \
  }
#define OPENAT(name) \
  int name(int folder, const char *path, int flags, ...) { \
    REAL(name); \
    MODE(flags, mode) \
    FAIL_IF(IS_NEW(folder, path, flags) && hits_path("open", folder, path)) \
    return real(folder, path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
