/*
 * The agent as process 1 of a virtual machine. The kernel unpacked us and its modules from the initrd. The root is one tmpfs, in which the folders
 * of the disk with the system are mounted, read-only: all that a session writes lies in it, so that its size is the session's limit of disk.
 * Commands are user 1000 without a capability, each in a control group of its own: what they change is theirs, and they end as a whole.
 */
#define _GNU_SOURCE
#include "vm.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SESSION "/run/session"
#define GROUP "/sys/fs/cgroup/session"
#define READABLE "/run/readable"
#define LAYERS "/run/layers"
enum { USER = 1000, VSOCK_PORT = 1024, LAST_CAPABILITY = 63 };

/* From linux/sched.h, linux/random.h and linux/vm_sockets.h, which a C library alone does not bring. */
static const uint64_t INTO_GROUP = 0x200000000;
enum { RNDADDENTROPY = 0x40085203, RNDRESEEDCRNG = 0x5207 };
struct rand_pool_info { int entropy_count, buf_size; };
struct sockaddr_vm { sa_family_t family; unsigned short reserved; unsigned port, cid; unsigned char zero[4]; };

static char readable_disk[32]; /* the disk that is not the system's: what of the host a session may read */
static int has_readable;
static struct { const char *path; int has_layer; } system_folders[] = {{"/usr", 0}, {"/etc", 0}, {"/var", 0}};
static unsigned long file_limit, process_limit;
/* Open from the start: a session begins sooner when nothing need be looked up. */
static int randomness, memory_limit, memory_events, processes_limit, processes_peak;

static void must(int failed, const char *what) {
  char text[160];
  if (!failed) return;
  snprintf(text, sizeof text, "%.100s: %s", what, strerror(errno));
  die(text);
}

static int put_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t done = write(fd, text, strlen(text));
  close(fd);
  return done < 0 ? -1 : 0;
}

static int held_open(const char *path, int how) {
  int fd = open(path, how | O_CLOEXEC);
  must(fd < 0 && errno != ENOENT, path); /* a kernel may lack what only tells */
  return fd;
}

static ssize_t get_text(const char *path, char *text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);
  if (fd >= 0) close(fd);
  text[length > 0 ? length : 0] = 0;
  return length;
}

/* ---- boot ---- */

static int by_name(const void *one, const void *other) { return strcmp(*(char *const *)one, *(char *const *)other); }

/* The channel of QEMU has a driver by now; who has none is reached over vsock. */
static int has_serial(void) {
  int found = 0;
  DIR *all = opendir("/sys/bus/virtio/drivers/virtio_console");
  for (struct dirent *entry; all && (entry = readdir(all));) found |= !strncmp(entry->d_name, "virtio", 6);
  if (all) closedir(all);
  return found;
}

static void load_modules(void) {
  char *names[64], path[300];
  int count = 0;
  DIR *all = opendir("/modules");
  for (struct dirent *entry; all && (entry = readdir(all)) && count < 64;) if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
  if (all) closedir(all);
  qsort(names, (size_t)count, sizeof *names, by_name);
  for (int at = 0; at < count; at++) {
    snprintf(path, sizeof path, "/modules/%s", names[at]);
    if (strstr(names[at], "vsock") && has_serial()) { unlink(path); continue; }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)) fprintf(stderr, "guest agent: module %s: %s\n", names[at], strerror(errno));
    close(fd);
    unlink(path);
  }
}

static void attach(const char *source, const char *where, const char *type, unsigned long flags, const char *options) {
  mkdir(where, 0755);
  must(mount(source, where, type, flags, options), where);
}

/* The system's disk is the one that has a system on it; which name it got is the hypervisor's affair. */
static void find_system(void) {
  char path[32];
  for (int round = 0; round < 1000; round++) {
    int found = 0;
    for (char letter = 'a'; letter <= 'd'; letter++) {
      snprintf(path, sizeof path, "/dev/vd%c", letter);
      if (access(path, F_OK)) continue;
      if (!found && mount(path, "/base", "erofs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) == 0) {
        if (access("/base/usr/bin", F_OK) == 0) { found = 1; continue; }
        umount("/base");
      }
      snprintf(readable_disk, sizeof readable_disk, "%s", path);
    }
    if (found) return;
    usleep(5000);
  }
  die("there is no disk with a system");
}

static void harden(void) {
  static const char *const switches[][2] = {
      {"kernel/dmesg_restrict", "1"}, {"kernel/kptr_restrict", "2"}, {"kernel/unprivileged_bpf_disabled", "1"}, {"kernel/perf_event_paranoid", "3"},
      {"kernel/yama/ptrace_scope", "2"}, {"kernel/sysrq", "0"}, {"kernel/io_uring_disabled", "2"}, {"kernel/core_pattern", "|/bin/false"},
      {"user/max_user_namespaces", "0"}, {"vm/overcommit_memory", "1"}, {"vm/unprivileged_userfaultfd", "0"}, {"kernel/panic_on_oops", "1"},
      {"fs/suid_dumpable", "0"}, {"kernel/modprobe", "/bin/false"}, {"kernel/modules_disabled", "1"},
      {"vm/stat_interval", "3600"}, {"vm/compaction_proactiveness", "0"}}; /* the last two: it keeps quiet while nothing runs */
  char path[96];
  for (size_t at = 0; at < sizeof switches / sizeof *switches; at++) {
    snprintf(path, sizeof path, "/proc/sys/%s", switches[at][0]);
    put_text(path, switches[at][1]); /* a kernel without the switch lacks what it switches */
  }
}

static void loopback(void) {
  struct ifreq it = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  must(fd < 0 || ioctl(fd, SIOCSIFFLAGS, &it), "loopback");
  close(fd);
}

static void session_folder(const char *path, mode_t mode, int owner) {
  mkdir(path, 0700);
  must(chmod(path, mode) || chown(path, (uid_t)owner, (gid_t)owner), path);
}

/* The new root, still below /root: links and folders as on the system's disk, and what of them is the system's from there. */
static void furnish(void) {
  char from[300], to[300], text[300];
  struct stat it;
  attach("tmpfs", "/root", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,mode=0755");
  DIR *all = opendir("/base");
  for (struct dirent *entry; all && (entry = readdir(all));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(from, sizeof from, "/base/%s", entry->d_name), snprintf(to, sizeof to, "/root/%s", entry->d_name);
    ssize_t length = readlink(from, text, sizeof text - 1);
    if (length > 0) text[length] = 0, must(symlink(text, to), to);
    else if (stat(from, &it) == 0 && S_ISDIR(it.st_mode)) must(mkdir(to, 0755), to);
  }
  if (all) closedir(all);
  for (size_t at = 0; at < sizeof system_folders / sizeof *system_folders; at++) {
    snprintf(from, sizeof from, "/base%s", system_folders[at].path), snprintf(to, sizeof to, "/root%s", system_folders[at].path);
    must(mount(from, to, NULL, MS_BIND, NULL), to);
  }
}

void vm_boot(void) {
  attach("devtmpfs", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755");
  int console = open("/dev/console", O_RDWR | O_NOCTTY);
  for (int fd = 0; console >= 0 && fd < 3; fd++) if (fd != console) dup2(console, fd);
  if (console > 2) close(console); /* or each command would have it */
  attach("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2");
  attach("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  load_modules();
  mkdir("/base", 0755), mkdir("/root", 0755);
  find_system();
  furnish();
  for (const char *const *name = (const char *const[]){"/dev", "/proc", "/sys", NULL}; *name; name++) {
    char where[16];
    snprintf(where, sizeof where, "/root%s", *name);
    must(mount(*name, where, NULL, MS_MOVE, NULL), where);
  }
  must(chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"), "the new root");
  must(mkdir(SESSION, 0711) || mkdir(LAYERS, 0700), SESSION);
  session_folder("/tmp", 01777, 0);
  session_folder("/home/agent", 0755, USER);
  session_folder(SESSION "/work", 0755, USER);
  session_folder(SESSION "/shm", 01777, 0);
  must(mount("/tmp", "/var/tmp", NULL, MS_BIND, NULL), "/var/tmp");
  mkdir("/dev/shm", 0755), mkdir("/dev/pts", 0755);
  must(mount(SESSION "/shm", "/dev/shm", NULL, MS_BIND, NULL), "/dev/shm");
  attach("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,uid=1000,gid=1000,mode=0620,ptmxmode=0666,max=64");
  unlink("/dev/ptmx");
  must(symlink("pts/ptmx", "/dev/ptmx"), "/dev/ptmx");
  (void)!symlink("/proc/self/fd", "/dev/fd"), (void)!symlink("fd/0", "/dev/stdin"), (void)!symlink("fd/1", "/dev/stdout"), (void)!symlink("fd/2", "/dev/stderr");
  attach("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  must(put_text("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids") || mkdir(GROUP, 0755) || put_text(GROUP "/cgroup.subtree_control", "+memory +pids"), "control groups");
  must(sethostname("sandbox", 7), "the host name");
  loopback();
  harden();
  randomness = held_open("/dev/urandom", O_WRONLY);
  memory_limit = held_open(GROUP "/memory.max", O_WRONLY), memory_events = held_open(GROUP "/memory.events", O_RDONLY);
  processes_limit = held_open(GROUP "/pids.max", O_WRONLY), processes_peak = held_open(GROUP "/pids.peak", O_RDONLY);
  /* Of every command, for all are born of us; we keep ours. */
  for (int capability = 0; capability <= LAST_CAPABILITY; capability++) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges");
}

/* ---- the channel ---- */

/* A port of virtio-serial with our name (QEMU). */
static int serial_channel(void) {
  static int fd = -1;
  char path[300], name[32];
  if (fd >= 0) return fd;
  DIR *all = opendir("/sys/class/virtio-ports");
  for (struct dirent *entry; all && fd < 0 && (entry = readdir(all));) {
    snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
    if (get_text(path, name, sizeof name) < 5 || strncmp(name, "agent", 5)) continue;
    snprintf(path, sizeof path, "/dev/%s", entry->d_name);
    fd = open(path, O_RDWR | O_CLOEXEC);
  }
  if (all) closedir(all);
  return fd;
}

/* A connection that the host makes (Firecracker). */
static int socket_channel(void) {
  static int door = -1, fd = -1;
  struct sockaddr_vm where = {.family = AF_VSOCK, .cid = ~0u, .port = VSOCK_PORT};
  if (door < 0) {
    door = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(door < 0 || bind(door, (struct sockaddr *)&where, sizeof where) || listen(door, 1), "there is no channel");
  }
  if (fd >= 0) close(fd);
  return fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
}

int vm_channel(void) {
  int fd = serial_channel();
  if (fd < 0) return socket_channel();
  /* Without a host, reads end at once: look less and less often until there is one. */
  for (useconds_t pause = 1000;; pause = pause < 100000 ? pause * 2 : pause) {
    struct pollfd it = {.fd = fd, .events = POLLIN};
    poll(&it, 1, 0);
    if (!(it.revents & POLLHUP)) return fd;
    usleep(pause);
  }
}

void vm_reseed(const unsigned char *payload, size_t length) {
  struct { struct rand_pool_info head; unsigned char bytes[256]; } entropy;
  uint64_t now = 0;
  if (length < 8 + 32 || length > 8 + sizeof entropy.bytes) die("a malformed reseed");
  for (int at = 0; at < 8; at++) now = now << 8 | payload[at];
  struct timespec time = {.tv_sec = (time_t)(now / 1000000000), .tv_nsec = (long)(now % 1000000000)};
  must(clock_settime(CLOCK_REALTIME, &time), "the clock");
  size_t size = length - 8;
  memcpy(entropy.bytes, payload + 8, size);
  entropy.head.buf_size = (int)size;
  entropy.head.entropy_count = (int)size * 8;
  must(ioctl(randomness, RNDADDENTROPY, &entropy) || ioctl(randomness, RNDRESEEDCRNG), "randomness");
  explicit_bzero(&entropy, sizeof entropy);
}

/* ---- a session ---- */

/* What shall lie in a folder of the system's gets its place by a layer over it, in memory as all that is written; so before anything else lies in it. */
static void make_room(const char *path) {
  char text[300];
  if (!strncmp(path, "/bin", 4) || !strncmp(path, "/sbin", 5) || !strncmp(path, "/lib", 4)) path = "/usr/"; /* links */
  for (size_t at = 0; at < sizeof system_folders / sizeof *system_folders; at++) {
    const char *folder = system_folders[at].path;
    size_t length = strlen(folder);
    if (system_folders[at].has_layer || strncmp(path, folder, length) || path[length] != '/') continue;
    for (const char *const *part = (const char *const[]){"", "/files", "/work", NULL}; *part; part++) {
      snprintf(text, sizeof text, LAYERS "%s%s", folder, *part);
      must(mkdir(text, 0755), text);
    }
    snprintf(text, sizeof text, "lowerdir=%s,upperdir=" LAYERS "%s/files,workdir=" LAYERS "%s/work", folder, folder, folder);
    must(mount("overlay", folder, "overlay", MS_NOSUID | MS_NODEV, text), folder);
    system_folders[at].has_layer = 1;
  }
}

static void make_folders_up_to(const char *path) {
  char part[4096];
  if (path[0] != '/' || strlen(path) >= sizeof part) die("a malformed path");
  make_room(path);
  for (size_t at = 1; path[at]; at++) {
    if (path[at] != '/') continue;
    memcpy(part, path, at);
    part[at] = 0;
    if (mkdir(part, 0755) && errno != EEXIST) must(1, part);
  }
}

/* A place for something to be mounted at: a folder or an empty file. */
static void make_place(const char *path, int is_folder) {
  struct stat it;
  make_folders_up_to(path);
  if (stat(path, &it) == 0) return;
  must(is_folder ? mkdir(path, 0755) : mknod(path, S_IFREG | 0644, 0), path);
}

/* The folder that was made for it goes there, or where there is something already, or a layer, over that. */
static void make_workspace(const char *path) {
  make_folders_up_to(path);
  if (rename(SESSION "/work", path) == 0) return;
  make_place(path, 1);
  must(mount(SESSION "/work", path, NULL, MS_BIND, NULL), path);
}

static void show(const char *path) {
  char from[4096];
  struct stat it;
  if (!has_readable) {
    mkdir(READABLE, 0700);
    must(!readable_disk[0] || mount(readable_disk, READABLE, "erofs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL), "what the session may read");
    has_readable = 1;
  }
  snprintf(from, sizeof from, READABLE "%s", path);
  must(lstat(from, &it), path);
  make_place(path, S_ISDIR(it.st_mode));
  must(mount(from, path, NULL, MS_BIND, NULL) || mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL), path);
}

static void set(int fd, const char *value, const char *what) { must(pwrite(fd, value, strlen(value), 0) < 0, what); }

int vm_option(const char *name, const char *value) {
  char text[64];
  if (!strcmp(name, "--disk")) {
    strcat(strncat(strcpy(text, "size="), value, 24), ",mode=0755");
    must(mount(NULL, "/", NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, text), "the limit of disk");
  } else if (!strcmp(name, "--memory")) set(memory_limit, value, "the limit of memory");
  else if (!strcmp(name, "--processes")) {
    process_limit = strcmp(value, "max") ? strtoul(value, NULL, 10) + WAITING : 0; /* who waits is no process of the session's */
    snprintf(text, sizeof text, "%lu", process_limit);
    set(processes_limit, process_limit ? text : value, "the limit of processes");
  }
  else if (!strcmp(name, "--workspace")) make_workspace(value);
  else if (!strcmp(name, "--readable")) show(value);
  else {
    if (!strcmp(name, "--files")) file_limit = strtoul(value, NULL, 10);
    return 0;
  }
  return 1;
}

/* ---- commands ---- */

enum { GROUPS = 136 }; /* more than there are commands */

/* Control groups are used again: to make and remove one costs more than the command may. Whether it is empty is read from an open file. */
static struct { int is_taken, folder, events; } groups[GROUPS + 1];

static int group_file(unsigned group, const char *file, int how) {
  char path[96];
  snprintf(path, sizeof path, GROUP "/e%u%s", group, file);
  if (!*file && mkdir(path, 0755) && errno != EEXIST) return -1;
  return open(path, how | O_CLOEXEC);
}

static unsigned take_group(void) {
  for (unsigned at = 1; at <= GROUPS; at++) {
    if (groups[at].is_taken) continue;
    if (!groups[at].events) {
      int folder = group_file(at, "", O_RDONLY | O_DIRECTORY), events = folder < 0 ? -1 : group_file(at, "/cgroup.events", O_RDONLY);
      if (events < 0) { if (folder >= 0) close(folder); return 0; }
      groups[at].folder = folder, groups[at].events = events;
    }
    groups[at].is_taken = 1;
    return at;
  }
  errno = EAGAIN;
  return 0;
}

void vm_leave(unsigned group) { groups[group].is_taken = 0; }

/* Born into its group: to move there later waits for every processor to have been idle once. */
pid_t vm_fork(unsigned *group) {
  unsigned taken = take_group();
  if (!taken) return -1;
  struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; } how = {.flags = INTO_GROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)groups[taken].folder};
  pid_t child = (pid_t)syscall(SYS_clone3, &how, sizeof how);
  if (child == 0) must(setgroups(0, NULL) || setresgid(USER, USER, USER), "another group");
  if (child < 0) vm_leave(taken); else *group = taken;
  return child;
}

int vm_become_user(void) { return setresuid(USER, USER, USER); }

void vm_kill(unsigned group) {
  int fd = group_file(group, "/cgroup.kill", O_WRONLY);
  (void)!write(fd, "1", 1);
  close(fd);
}

int vm_is_empty(unsigned group) {
  char text[128];
  ssize_t length = pread(groups[group].events, text, sizeof text - 1, 0);
  text[length > 0 ? length : 0] = 0;
  return strstr(text, "populated 0") != NULL;
}

/* A file of the session's group as it is now. */
static const char *group_text(int fd) {
  static char text[512];
  ssize_t length = pread(fd, text, sizeof text - 1, 0);
  text[length > 0 ? length : 0] = 0;
  return text;
}

/* The number after a word in lines `word number`. */
static unsigned long counted(const char *text, const char *word) {
  for (const char *line = text; line; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (!strncmp(line, word, strlen(word)) && line[strlen(word)] == ' ') return strtoul(line + strlen(word), NULL, 10);
  }
  return 0;
}

/* Whether a process of user 1000 has as many files open as it may. */
static int files_are_used_up(void) {
  char path[64];
  struct stat it;
  int yes = 0;
  DIR *all = opendir("/proc");
  for (struct dirent *entry; all && !yes && (entry = readdir(all));) {
    if (atoi(entry->d_name) <= 1) continue;
    snprintf(path, sizeof path, "/proc/%d/fd", atoi(entry->d_name));
    if (stat(path, &it)) continue;
    DIR *open_files = opendir(path);
    unsigned long count = 0;
    while (open_files && readdir(open_files)) count++;
    if (open_files) closedir(open_files);
    yes = count >= file_limit + 2; /* `.` and `..` */
  }
  if (all) closedir(all);
  return yes;
}

const char *vm_limit(int something_runs) {
  static int told_memory, told_processes, told_files;
  if (!told_memory && counted(group_text(memory_events), "oom_kill")) { told_memory = 1; return "memory"; }
  if (!told_processes && process_limit && strtoul(group_text(processes_peak), NULL, 10) >= process_limit) { told_processes = 1; return "processes"; }
  if (something_runs && !told_files && file_limit && files_are_used_up()) { told_files = 1; return "files"; }
  return NULL;
}
