/*
 * A directory seen through a disk that takes its time: slow_disk SOURCE MOUNTPOINT MICROSECONDS
 *
 * A FUSE file system that hands everything on to SOURCE; but from the signal USR1 on each read that the kernel has to ask
 * for, as its page cache does not have it, takes so many microseconds, any number of them at a time, as on storage behind
 * a network. Root only; runs until it is unmounted (fusermount3 -u). For bench/cold.sh.
 */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char *source;
static useconds_t microseconds;
static volatile sig_atomic_t slow;

/* Where a path is in truth. */
#define REAL(path) \
  char real[PATH_MAX]; \
  if (snprintf(real, sizeof real, "%s%s", source, path) >= (int)sizeof real) return -ENAMETOOLONG

/* What a system call says: its result, or the error. */
static int said(int result) { return result == -1 ? -errno : result; }

/* Who asks owns what is made, not root. */
static int given(int result, const char *real) {
  const struct fuse_context *asks = fuse_get_context();
  if (result == -1) return -errno;
  return lchown(real, asks->uid, asks->gid) == -1 ? -errno : 0;
}

static void *begin(struct fuse_conn_info *conn, struct fuse_config *config) {
  config->kernel_cache = 1; /* nobody else changes the files */
  conn->max_background = 1024;
  conn->congestion_threshold = 1024;
  return NULL;
}

static int get_attributes(const char *path, struct stat *st, struct fuse_file_info *file) {
  REAL(path);
  return said(file ? fstat((int)file->fh, st) : lstat(real, st));
}
static int make_directory(const char *path, mode_t mode) {
  REAL(path);
  return given(mkdir(real, mode), real);
}
static int remove_directory(const char *path) {
  REAL(path);
  return said(rmdir(real));
}
static int remove_file(const char *path) {
  REAL(path);
  return said(unlink(real));
}
static int rename_file(const char *path, const char *to, unsigned flags) {
  REAL(path);
  char target[PATH_MAX];
  if (snprintf(target, sizeof target, "%s%s", source, to) >= (int)sizeof target) return -ENAMETOOLONG;
  return said(renameat2(AT_FDCWD, real, AT_FDCWD, target, flags));
}
static int change_mode(const char *path, mode_t mode, struct fuse_file_info *file) {
  REAL(path);
  (void)file;
  return said(chmod(real, mode));
}
static int change_owner(const char *path, uid_t user, gid_t group, struct fuse_file_info *file) {
  REAL(path);
  (void)file;
  return said(lchown(real, user, group));
}
static int cut(const char *path, off_t size, struct fuse_file_info *file) {
  REAL(path);
  return said(file ? ftruncate((int)file->fh, size) : truncate(real, size));
}
static int open_file(const char *path, struct fuse_file_info *file) {
  REAL(path);
  const int fd = open(real, file->flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW));
  if (fd == -1) return -errno;
  file->fh = (uint64_t)fd;
  return 0;
}
static int create_file(const char *path, mode_t mode, struct fuse_file_info *file) {
  REAL(path);
  const int fd = open(real, file->flags | O_CREAT, mode);
  if (fd == -1) return -errno;
  file->fh = (uint64_t)fd;
  return given(0, real);
}
static int read_file(const char *path, char *to, size_t size, off_t at, struct fuse_file_info *file) {
  (void)path;
  if (slow) usleep(microseconds);
  return said((int)pread((int)file->fh, to, size, at));
}
static int write_file(const char *path, const char *from, size_t size, off_t at, struct fuse_file_info *file) {
  (void)path;
  return said((int)pwrite((int)file->fh, from, size, at));
}
static int allocate(const char *path, int mode, off_t at, off_t length, struct fuse_file_info *file) {
  (void)path;
  return said(fallocate((int)file->fh, mode, at, length));
}
static int sync_file(const char *path, int data_only, struct fuse_file_info *file) {
  (void)path;
  return said(data_only ? fdatasync((int)file->fh) : fsync((int)file->fh));
}
static int sync_directory(const char *path, int data_only, struct fuse_file_info *file) {
  (void)path, (void)data_only, (void)file;
  return 0;
}
static int close_file(const char *path, struct fuse_file_info *file) {
  (void)path;
  return said(close((int)file->fh));
}
static int space(const char *path, struct statvfs *st) {
  REAL(path);
  return said(statvfs(real, st));
}
static int list(const char *path, void *buffer, fuse_fill_dir_t fill, off_t at, struct fuse_file_info *file,
                enum fuse_readdir_flags flags) {
  REAL(path);
  (void)at, (void)file, (void)flags;
  DIR *directory = opendir(real);
  if (directory == NULL) return -errno;
  for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) fill(buffer, entry->d_name, NULL, 0, 0);
  closedir(directory);
  return 0;
}

static const struct fuse_operations operations = {
  .init = begin, .getattr = get_attributes, .mkdir = make_directory, .rmdir = remove_directory, .unlink = remove_file,
  .rename = rename_file, .chmod = change_mode, .chown = change_owner, .truncate = cut, .open = open_file,
  .create = create_file, .read = read_file, .write = write_file, .fallocate = allocate, .fsync = sync_file,
  .fsyncdir = sync_directory, .release = close_file, .statfs = space, .readdir = list,
};

static void become_slow(int number) {
  (void)number;
  slow = 1;
}

int main(int argc, char **argv) {
  if (argc != 4 || argv[1][0] != '/' || argv[2][0] != '/' || atoi(argv[3]) < 0) {
    fprintf(stderr, "usage: %s /SOURCE /MOUNTPOINT MICROSECONDS\n", argv[0]);
    return 2;
  }
  source = argv[1];
  microseconds = (useconds_t)atoi(argv[3]);
  /* (As many threads as reads may be waited for at a time.) */
  char *arguments[] = {argv[0], argv[2], "-f", "-o", "allow_other,default_permissions,max_threads=256,max_idle_threads=256", NULL};
  signal(SIGUSR1, become_slow);
  umask(0);
  return fuse_main(5, arguments, &operations, NULL);
}
