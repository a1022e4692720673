/*
 * Lanyard's guest agent: the one program of ours inside a sandbox. It starts commands and carries bytes between them, or a connection made to
 * a port of the sandbox's own loopback, and the host, as frames over one byte channel (stdin and stdout, or in a virtual machine, where it is
 * process 1, what vm.c finds):
 *
 *     u32 length | u8 type | u32 stream | payload of `length` bytes          (big endian)
 *
 * Everything it says is untrusted at the host; everything it is told is believed. Nothing allocates beyond fixed tables: at most STREAMS
 * streams with WINDOW bytes each. A peer that breaks the protocol ends the session.
 */
#define _GNU_SOURCE
#include "vm.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXEC = 1, DATA, ERRORS, END, CREDIT, SIGNAL, EXIT, PING, PONG, OPEN, RESET, LIMIT, HELLO, RESIZE, START, RESEED };
enum { STREAMS = 128, WINDOW = 256 * 1024, MAX_FRAME = 256 * 1024, CHUNK = 32 * 1024, HEADER = 9, PORTS = 8, WATCHED = 4, LOOK = 250, IDLE = 25 };
/* What a supervisor tells of its command. */
enum { STARTED = 1, FAILED, EXITED, SIGNALLED };

struct report { int32_t kind, value; };

struct stream {
  uint32_t id; /* 0: free */
  int is_exec, is_terminal, in, out, err, status, signal; /* the last: sent before the command had begun */
  pid_t group;
  unsigned place; /* its control group, in a virtual machine */
  struct report end, left; /* `left`: of a command whose group is not empty yet */
  uint32_t credit, consumed, pending;
  int in_ended, out_ended;
  unsigned char *buffer;
};

static struct stream streams[STREAMS];
static struct { int fd; uint16_t port; } doors[PORTS];
static int door_count;
static struct { const char *path; int told; } watched[WATCHED];
static int watched_count;
static const char *command_files; /* of commands: we need more ourselves */
static long process_limit, told_processes, told_files;
static uint32_t next_id = 1; /* ours are odd, the host's even */
static unsigned char inbox[HEADER + MAX_FRAME];
static size_t inbox_length;
static unsigned hosts_lost;
static int is_vm;
static int deaths = -1; /* in a virtual machine: readable when a child has ended */
static unsigned doomed[STREAMS]; /* control groups of commands that nobody hears any more, until they are empty */
/* In a virtual machine: processes that wait for a command to become. What can be done before it is known is done. */
static struct { pid_t pid; unsigned place; int in, out, err, status, order; } waiting[WAITING];
static struct { int what; struct rlimit both; } command_limits[4]; /* they are handed on: whoever waits was born before they were known */
static int command_limit_count;
static int from_host = 0, to_host = 1;

void die(const char *why) {
  fprintf(stderr, "guest agent: %s\n", why);
  for (int at = 0; at < STREAMS; at++) if (streams[at].id && streams[at].group > 0) kill(-streams[at].group, SIGKILL);
  if (is_vm && getpid() == 1) reboot(RB_AUTOBOOT);
  _exit(3);
}

static void release(struct stream *it);

/* In a virtual machine a host that is gone may come back: as the one that woke a snapshot of us. */
static void lose_host(void) {
  if (!is_vm) die("the host is gone");
  for (int at = 0; at < STREAMS; at++) if (streams[at].id) release(&streams[at]);
  inbox_length = 0;
  hosts_lost++;
  from_host = to_host = vm_channel();
}

static void put32(unsigned char *to, uint32_t value) { value = htonl(value); memcpy(to, &value, 4); }
static uint32_t get32(const unsigned char *from) { uint32_t value; memcpy(&value, from, 4); return ntohl(value); }

static void write_all(const unsigned char *bytes, size_t length) {
  while (length > 0) {
    ssize_t done = write(to_host, bytes, length);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) { lose_host(); return; }
    bytes += done;
    length -= (size_t)done;
  }
}

static void to_the_end(int fd, const void *bytes, size_t length) {
  for (ssize_t done; length > 0 && (done = write(fd, bytes, length)) > 0; length -= (size_t)done) bytes = (const char *)bytes + done;
}

static void say(int type, uint32_t id, const void *payload, uint32_t length) {
  static unsigned char frame[HEADER + CHUNK];
  put32(frame, length);
  frame[4] = (unsigned char)type;
  put32(frame + 5, id);
  if (length) memcpy(frame + HEADER, payload, length);
  write_all(frame, HEADER + length);
}

static void say32(int type, uint32_t id, uint32_t value) {
  unsigned char bytes[4];
  put32(bytes, value);
  say(type, id, bytes, 4);
}

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static struct stream *find(uint32_t id) {
  for (int at = 0; id && at < STREAMS; at++) if (streams[at].id == id) return &streams[at];
  return NULL;
}

static struct stream *claim(uint32_t id) {
  for (int at = 0; at < STREAMS; at++) {
    struct stream *it = &streams[at];
    if (it->id) continue;
    unsigned char *buffer = it->buffer ? it->buffer : malloc(WINDOW);
    if (!buffer) return NULL;
    *it = (struct stream){.id = id, .in = -1, .out = -1, .err = -1, .status = -1, .credit = WINDOW, .buffer = buffer};
    return it;
  }
  return NULL;
}

static void doom(unsigned place) {
  vm_kill(place);
  for (int at = 0; at < STREAMS; at++) if (!doomed[at]) { doomed[at] = place; return; }
}

static void release(struct stream *it) {
  if (it->is_exec) shut(&it->in), shut(&it->out); else { it->in = -1; shut(&it->out); }
  shut(&it->err);
  shut(&it->status);
  if (it->group > 0) kill(-it->group, SIGKILL);
  if (it->place) doom(it->place);
  it->id = 0;
}

static void limit(int what, const char *value) {
  struct rlimit both = {strtoul(value, NULL, 10), strtoul(value, NULL, 10)};
  if (setrlimit(what, &both)) die("a limit could not be set");
}

/* ---- commands ---- */

/* Kills and reaps every descendant: orphans come to us, their subreaper. A command's end is the end of all it started. */
static void kill_tree(void) {
  for (int round = 0; round < 2000; round++) {
    DIR *all = opendir("/proc");
    for (struct dirent *entry; all && (entry = readdir(all));) {
      pid_t pid = atoi(entry->d_name), parent = 0;
      char path[64], text[512];
      if (pid <= 1) continue;
      snprintf(path, sizeof path, "/proc/%d/stat", pid);
      int fd = open(path, O_RDONLY | O_CLOEXEC);
      ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
      if (fd >= 0) close(fd);
      if (length <= 0) continue;
      text[length] = 0;
      char *after = strrchr(text, ')'); /* a name can hold anything, so the fields begin after the last bracket */
      if (after && sscanf(after + 1, " %*c %d", &parent) == 1 && parent == getpid()) kill(pid, SIGKILL);
    }
    if (all) closedir(all);
    pid_t dead;
    while ((dead = waitpid(-1, NULL, WNOHANG)) > 0) {}
    if (dead < 0 && errno == ECHILD) return;
    usleep(2000);
  }
}

static void tell(int fd, int kind, int value) {
  struct report report = {kind, value};
  (void)!write(fd, &report, sizeof report);
}

static void close_from(int first, int last) {
  if (first > last || syscall(SYS_close_range, first, last, 0) == 0) return;
  for (int fd = first; fd <= last && fd < 4 * STREAMS + 64; fd++) close(fd); /* a kernel without the call */
}

/* All but the first three and two more. */
static void close_others(int low, int high) {
  close_from(3, low - 1);
  close_from(low + 1, high - 1);
  close_from(high + 1, INT_MAX);
}

struct order { char *cwd, **argv, **env; };

static unsigned get16(const unsigned char *from) { return (unsigned)(from[0] << 8 | from[1]); }

/*
 * Reads u16 arguments | u16 variables | u16 columns | u16 rows | folder\0 argument\0 ... variable\0 ...; no columns: no terminal. The words stay
 * where they are, the list of them is the caller's to free. -1: it makes no sense.
 */
static int read_order(unsigned char *payload, uint32_t length, struct order *order) {
  if (length < 9 || payload[length - 1] != 0) return -1;
  unsigned words = get16(payload), variables = get16(payload + 2), at = 0;
  char **list = calloc(words + variables + 3, sizeof *list), *text = (char *)payload + 8, *end = (char *)payload + length;
  if (!list) die("no memory left");
  *order = (struct order){text, list, list + words + 1};
  for (text += strlen(text) + 1; text < end && at < words + variables; text += strlen(text) + 1) list[at < words ? at : at + 1] = text, at++;
  return at != words + variables || words == 0 ? -1 : 0;
}

/* Becomes the command; returns, with errno, when it cannot. */
static void become(const struct order *order) {
  if (chdir(order->cwd)) return;
  environ = order->env;
  execvp(order->argv[0], order->argv);
}

static void attach_terminal(int terminal) {
  ioctl(terminal, TIOCSCTTY, 0);
  for (int fd = 0; fd < 3; fd++) dup2(terminal, fd);
}

/* Where we are not process 1, a process between us and the command reaps what it leaves behind. */
static void supervise(int status, const int stdio[3], const struct order *order) {
  int failure[2];
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (pipe2(failure, O_CLOEXEC)) tell(status, FAILED, errno), _exit(0);
  pid_t child = fork();
  if (child == 0) {
    setsid();
    if (isatty(stdio[0])) attach_terminal(stdio[0]);
    else for (int fd = 0; fd < 3; fd++) dup2(stdio[fd], fd);
    signal(SIGPIPE, SIG_DFL);
    if (command_files) limit(RLIMIT_NOFILE, command_files);
    become(order);
    int why = errno;
    (void)!write(failure[1], &why, sizeof why);
    _exit(127);
  }
  if (child < 0) tell(status, FAILED, errno), _exit(0);
  /* We never exec, so nothing closes by itself: an end of a pipe kept here would keep the other from ever ending. */
  close_from(0, 1);
  close_others(status < failure[0] ? status : failure[0], status < failure[0] ? failure[0] : status);
  int why = 0, how = 0;
  if (read(failure[0], &why, sizeof why) == sizeof why) {
    waitpid(child, NULL, 0);
    tell(status, FAILED, why);
    _exit(0);
  }
  tell(status, STARTED, child);
  for (pid_t dead; (dead = waitpid(-1, &how, 0)) != child;) if (dead < 0 && errno != EINTR) break;
  kill_tree();
  if (WIFSIGNALED(how)) tell(status, SIGNALLED, WTERMSIG(how)); else tell(status, EXITED, WEXITSTATUS(how));
  _exit(0);
}

/* What the one who waits is told: then comes the payload of the command's frame. */
struct call { uint32_t length; int32_t terminal; /* its number, or -1 */ };

static int read_all(int fd, void *to, size_t length) {
  for (ssize_t done; length > 0; to = (char *)to + done, length -= (size_t)done) if ((done = read(fd, to, length)) <= 0) return -1;
  return 0;
}

/* As somebody whom no command can touch, until it is one itself. */
static void await_call(int from, int status) {
  struct call call;
  struct order order;
  char name[32];
  if (read_all(from, &call, sizeof call) || call.length > sizeof inbox || read_all(from, inbox, call.length) || read_order(inbox, call.length, &order)) _exit(0);
  snprintf(name, sizeof name, "/dev/pts/%d", call.terminal);
  int terminal = call.terminal < 0 ? -1 : open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal >= 0) attach_terminal(terminal);
  if ((call.terminal < 0 || terminal >= 0) && vm_become_user() == 0) become(&order);
  tell(status, FAILED, errno);
  _exit(127);
}

/* One more who waits, if there is room. Process 1 needs nobody between itself and a command: all orphans are its own, and a command's group knows what it left. */
static void prepare(void) {
  int at = 0, in[2], out[2], err[2], status[2], order[2];
  while (at < WAITING && waiting[at].pid) at++;
  if (at == WAITING) return;
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(status, O_CLOEXEC) || pipe2(order, O_CLOEXEC)) die("no descriptors left");
  pid_t child = vm_fork(&waiting[at].place);
  if (child == 0) {
    sigset_t none;
    setsid();
    dup2(in[0], 0), dup2(out[1], 1), dup2(err[1], 2);
    /* An end of another command's pipe kept here would keep the other from ever ending. */
    close_others(status[1] < order[0] ? status[1] : order[0], status[1] < order[0] ? order[0] : status[1]);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    await_call(order[0], status[1]);
  }
  close(in[0]), close(out[1]), close(err[1]), close(status[1]), close(order[0]);
  if (child < 0) {
    int why = errno;
    close(in[1]), close(out[0]), close(err[0]), close(status[0]), close(order[1]);
    errno = why;
    return;
  }
  fcntl(in[1], F_SETFL, O_NONBLOCK), fcntl(status[0], F_SETFL, O_NONBLOCK);
  waiting[at].pid = child;
  waiting[at].in = in[1], waiting[at].out = out[0], waiting[at].err = err[0], waiting[at].status = status[0], waiting[at].order = order[1];
}

static int somebody_lacks(void) {
  for (int at = 0; at < WAITING; at++) if (!waiting[at].pid) return 1;
  return 0;
}

static int who_waits(void) {
  for (int at = 0; at < WAITING; at++) if (waiting[at].pid) return at;
  return -1;
}

/* `terminal`: our own end, or -1. 0, or -1 with errno. */
static int start_in_vm(struct stream *it, int terminal, const unsigned char *payload, uint32_t length) {
  if (who_waits() < 0) prepare();
  int at = who_waits(), number = -1;
  if (at < 0) return -1;
  struct call call = {length, terminal >= 0 && ioctl(terminal, TIOCGPTN, &number) == 0 ? number : -1};
  for (int one = 0; one < command_limit_count; one++) if (prlimit(waiting[at].pid, command_limits[one].what, &command_limits[one].both, NULL) && errno != ESRCH) die("a limit could not be set");
  it->group = waiting[at].pid, it->place = waiting[at].place, it->status = waiting[at].status;
  it->in = waiting[at].in, it->out = waiting[at].out, it->err = waiting[at].err;
  waiting[at].pid = 0;
  if (terminal >= 0) {
    close(it->in), close(it->out), shut(&it->err);
    it->out = terminal, it->in = fcntl(terminal, F_DUPFD_CLOEXEC, 0);
    if (it->in >= 0) fcntl(it->in, F_SETFL, O_NONBLOCK);
  }
  to_the_end(waiting[at].order, &call, sizeof call), to_the_end(waiting[at].order, payload, length); /* who cannot hear it has ended, which is told */
  close(waiting[at].order);
  return 0;
}

static void hear_start(struct stream *it) {
  if (it->status >= 0 && read(it->status, &it->left, sizeof it->left) < 0 && errno == EAGAIN) return;
  shut(&it->status); /* it became a command, or said why not */
  if (it->signal && it->group > 0) kill(-it->group, it->signal);
}

static void bury(pid_t dead, int how) {
  for (int at = 0; at < WAITING; at++) {
    if (waiting[at].pid != dead) continue;
    close(waiting[at].in), close(waiting[at].out), close(waiting[at].err), close(waiting[at].status), close(waiting[at].order);
    waiting[at].pid = 0;
    vm_leave(waiting[at].place);
  }
  for (int at = 0; at < STREAMS; at++) {
    struct stream *it = &streams[at];
    if (!it->id || !it->is_exec || it->group != dead) continue;
    hear_start(it);
    shut(&it->status);
    if (!it->left.kind) it->left = WIFSIGNALED(how) ? (struct report){SIGNALLED, WTERMSIG(how)} : (struct report){EXITED, WEXITSTATUS(how)};
    it->group = 0;
    if (!vm_is_empty(it->place)) vm_kill(it->place);
    return;
  }
}

/* A command's end is the end of all it started. Says whether somebody has to look again soon. */
static int sweep(void) {
  int again = 0;
  for (int at = 0; at < STREAMS; at++) {
    struct stream *it = &streams[at];
    if (!it->id || !it->left.kind || it->end.kind || it->group) continue;
    if (vm_is_empty(it->place)) { it->end = it->left; vm_leave(it->place), it->place = 0; if (it->is_terminal) it->out_ended = 0; }
    else vm_kill(it->place), again = 1;
  }
  for (int at = 0; at < STREAMS; at++) if (doomed[at]) { if (vm_is_empty(doomed[at])) vm_leave(doomed[at]), doomed[at] = 0; else vm_kill(doomed[at]), again = 1; }
  return again;
}

static void resize(int terminal, const unsigned char *size) {
  struct winsize window = {.ws_col = (unsigned short)get16(size), .ws_row = (unsigned short)get16(size + 2)};
  ioctl(terminal, TIOCSWINSZ, &window);
}

/* Our own end of a terminal of the size wanted; -1 when commands have used them all up. */
static int open_terminal(const unsigned char *size) {
  int ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (ours >= 0 && (grantpt(ours) || unlockpt(ours))) shut(&ours);
  if (ours >= 0) resize(ours, size);
  return ours;
}

/* The same outside a virtual machine, where there is one more process for each. `theirs`: the command's end of the terminal. */
static int start_supervised(struct stream *it, int terminal, const struct order *order) {
  char name[64];
  int in[2], out[2] = {-1, -1}, err[2] = {-1, -1}, status[2];
  if (terminal >= 0) {
    if (ptsname_r(terminal, name, sizeof name) || (out[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0 || (in[1] = fcntl(terminal, F_DUPFD_CLOEXEC, 0)) < 0) { shut(&out[1]); return -1; }
    out[0] = terminal, in[0] = err[1] = out[1];
  } else if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) die("no descriptors left");
  if (pipe2(status, O_CLOEXEC)) die("no descriptors left");
  pid_t supervisor = fork();
  if (supervisor == 0) supervise(status[1], (int[3]){in[0], out[1], err[1]}, order);
  if (supervisor < 0) tell(status[1], FAILED, errno);
  if (terminal < 0) close(in[0]), close(err[1]);
  close(out[1]), close(status[1]);
  it->in = in[1], it->out = out[0], it->err = err[0], it->status = status[0];
  fcntl(it->in, F_SETFL, O_NONBLOCK);
  return 0;
}

static void start_command(uint32_t id, unsigned char *payload, uint32_t length) {
  struct order order;
  if (read_order(payload, length, &order)) die("a malformed exec");
  struct stream *it = claim(id);
  if (!it) { say(RESET, id, "no room for another command", 27); free(order.argv); return; }
  it->is_exec = 1;
  it->is_terminal = get16(payload + 4) > 0;
  int terminal = it->is_terminal ? open_terminal(payload + 4) : -1;
  int failed = it->is_terminal && terminal < 0 ? -1 : is_vm ? start_in_vm(it, terminal, payload, length) : start_supervised(it, terminal, &order);
  if (failed && it->is_terminal) {
    shut(&terminal), release(it);
    say(RESET, id, "no terminal is free", 19);
  } else if (failed) it->end = (struct report){FAILED, errno};
  free(order.argv);
}

static void hear_supervisor(struct stream *it) {
  struct report report;
  if (read(it->status, &report, sizeof report) != sizeof report) {
    /* The command killed its own supervisor: it ends with it. */
    if (it->group > 0) kill(-it->group, SIGKILL);
    if (!it->end.kind) it->end = (struct report){SIGNALLED, SIGKILL};
    shut(&it->status);
  } else if (report.kind == STARTED) {
    it->group = report.value;
    if (it->signal) kill(-it->group, it->signal);
  }
  else it->end = report, it->group = 0;
  if (it->is_terminal) it->out_ended = 0;
}

/* ---- connections from inside ---- */

static void welcome(int door) {
  int fd = accept4(doors[door].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  struct stream *it = claim(next_id);
  if (!it) { close(fd); return; }
  next_id += 2;
  it->in = it->out = fd;
  say32(OPEN, it->id, doors[door].port);
}

/* ---- bytes ---- */

static void carry_out(struct stream *it, int *fd, int type) {
  unsigned char bytes[CHUNK];
  ssize_t length = read(*fd, bytes, it->credit < CHUNK ? it->credit : CHUNK);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length > 0) { it->credit -= (uint32_t)length; say(type, it->id, bytes, (uint32_t)length); return; }
  /* A command may close its terminal before it ends, and open it again; were we to close ours, it would be hung up. */
  if (it->is_terminal && !it->end.kind) { it->out_ended = 1; return; }
  if (it->is_exec) { shut(fd); return; }
  if (length < 0) { say(RESET, it->id, "the connection broke", 20); release(it); return; }
  it->out_ended = 1;
  say(END, it->id, NULL, 0);
}

static void grant(struct stream *it, uint32_t bytes) {
  it->consumed += bytes;
  if (it->consumed < WINDOW / 4) return;
  say32(CREDIT, it->id, it->consumed);
  it->consumed = 0;
}

static void carry_in(struct stream *it) {
  ssize_t done = write(it->in, it->buffer, it->pending);
  if (done < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (done < 0) { /* nobody reads any more: what still comes is dropped */
    grant(it, it->pending);
    it->pending = 0;
    if (it->is_exec) shut(&it->in); else it->in_ended = 2;
    return;
  }
  it->pending -= (uint32_t)done;
  memmove(it->buffer, it->buffer + done, it->pending);
  grant(it, (uint32_t)done);
}

/* A limit that a command met in its last moment is told before its end. */
static void look_at_groups(int something_runs) {
  const char *met = is_vm ? vm_limit(something_runs) : NULL;
  if (met) say(LIMIT, 0, met, (uint32_t)strlen(met));
}

/* Ends what has ended. */
static void settle(struct stream *it) {
  if (it->in_ended == 1 && it->pending == 0) {
    it->in_ended = 2;
    if (it->is_terminal && it->in >= 0) (void)!write(it->in, "\4", 1);
    if (it->is_exec) shut(&it->in); else if (it->in >= 0) shutdown(it->in, SHUT_WR);
  }
  if (!it->is_exec && it->in_ended == 2 && it->out_ended) release(it);
  else if (it->is_exec && it->end.kind && it->out < 0 && it->err < 0) {
    unsigned char bytes[8];
    put32(bytes, (uint32_t)it->end.kind), put32(bytes + 4, (uint32_t)it->end.value);
    look_at_groups(0);
    say(EXIT, it->id, bytes, 8);
    release(it);
  }
}

static void start_session(char *payload, uint32_t length);

static void obey(int type, uint32_t id, unsigned char *payload, uint32_t length) {
  struct stream *it = find(id);
  if (is_vm && type == RESEED) vm_reseed(payload, length);
  else if (is_vm && type == START) start_session((char *)payload, length);
  else if (type == EXEC && !it && id && id % 2 == 0) start_command(id, payload, length);
  else if (type == PING) say(PONG, id, payload, length < 64 ? length : 64);
  else if (!it) return; /* it has ended meanwhile */
  else if (type == DATA) {
    if (length > WINDOW - it->pending) die("the host sent past its credit");
    if (it->in < 0 || it->in_ended) { grant(it, length); return; }
    memcpy(it->buffer + it->pending, payload, length);
    it->pending += length;
  } else if (type == END) it->in_ended = it->in_ended ? it->in_ended : 1;
  else if (type == CREDIT && length == 4) it->credit += get32(payload);
  else if (type == SIGNAL && length == 4) {
    if (it->group > 0 && !(is_vm && it->status >= 0)) kill(-it->group, (int)get32(payload)); else it->signal = (int)get32(payload);
  }
  else if (type == RESIZE && length == 4) { if (it->is_terminal && it->out >= 0) resize(it->out, payload); }
  else if (type == RESET) release(it);
  else die("a frame that makes no sense");
}

static void listen_to_host(void) {
  ssize_t length = read(from_host, inbox + inbox_length, sizeof inbox - inbox_length);
  if (length < 0 && errno == EINTR) return;
  if (length <= 0) { lose_host(); return; }
  inbox_length += (size_t)length;
  size_t at = 0;
  for (unsigned host = hosts_lost; inbox_length - at >= HEADER;) {
    uint32_t payload = get32(inbox + at);
    if (payload > MAX_FRAME) die("an oversized frame");
    if (inbox_length - at < HEADER + payload) break;
    obey(inbox[at + 4], get32(inbox + at + 5), inbox + at + HEADER, payload);
    if (host != hosts_lost) return; /* it went while we answered: the rest is nobody's */
    at += HEADER + payload;
  }
  inbox_length -= at;
  memmove(inbox, inbox + at, inbox_length);
}

static void look_at_limits(void) {
  look_at_groups(1);
  for (int at = 0; at < watched_count; at++) {
    struct statvfs now;
    if (watched[at].told || statvfs(watched[at].path, &now) || now.f_bavail > 0) continue;
    watched[at].told = 1;
    say(LIMIT, 0, "disk", 4);
  }
}

static long entries_of(const char *path, int numbers_only) {
  long count = 0;
  DIR *all = opendir(path);
  for (struct dirent *entry; all && (entry = readdir(all));) count += numbers_only ? entry->d_name[0] >= '0' && entry->d_name[0] <= '9' : entry->d_name[0] != '.';
  if (all) closedir(all);
  return count;
}

/* Four times a second while something runs: says which limits are met that do not end the session. They are refused to the command, but somebody outside should know. */
static void look_around(int something_runs) {
  static long long next;
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  long long now = time.tv_sec * 1000LL + time.tv_nsec / 1000000;
  if (!something_runs || !next) next = now + LOOK;
  if (now < next) return;
  next = now + LOOK;
  for (int at = 0; at < STREAMS; at++) if (streams[at].is_terminal) streams[at].out_ended = 0;
  look_at_limits();
  if (process_limit && !told_processes && entries_of("/proc", 1) >= process_limit) told_processes = 1, say(LIMIT, 0, "processes", 9);
  DIR *all = command_files && !is_vm && !told_files ? opendir("/proc") : NULL;
  for (struct dirent *entry; all && (entry = readdir(all));) {
    char path[300];
    if (atoi(entry->d_name) <= 0 || atoi(entry->d_name) == getpid()) continue;
    snprintf(path, sizeof path, "/proc/%s/fd", entry->d_name);
    if (!told_files && entries_of(path, 0) >= atol(command_files)) told_files = 1, say(LIMIT, 0, "files", 5);
  }
  if (all) closedir(all);
}

static void hear_deaths(int told) {
  struct signalfd_siginfo which;
  if (told) while (read(deaths, &which, sizeof which) > 0) {}
  int how;
  for (pid_t dead; (dead = waitpid(-1, &how, WNOHANG)) > 0;) if (is_vm) bury(dead, how);
}

static void turn(void) {
  struct pollfd polled[2 + PORTS + 4 * STREAMS];
  int count = 0;
  int busy = 0;
  int again = is_vm && sweep();
  for (int at = 0; at < STREAMS; at++) if (streams[at].id) settle(&streams[at]);
  polled[count++] = (struct pollfd){.fd = from_host, .events = POLLIN};
  polled[count++] = (struct pollfd){.fd = deaths, .events = POLLIN};
  for (int at = 0; at < door_count; at++) polled[count++] = (struct pollfd){.fd = doors[at].fd, .events = POLLIN};
  int first = count;
  for (int at = 0; at < STREAMS; at++) {
    struct stream *it = &streams[at];
    int can = it->id && it->credit > 0;
    busy |= it->id && it->is_exec;
    polled[count++] = (struct pollfd){.fd = can && !it->out_ended ? it->out : -1, .events = POLLIN};
    polled[count++] = (struct pollfd){.fd = can ? it->err : -1, .events = POLLIN};
    polled[count++] = (struct pollfd){.fd = it->id && it->pending ? it->in : -1, .events = POLLOUT};
    polled[count++] = (struct pollfd){.fd = it->id ? it->status : -1, .events = POLLIN};
  }
  int lacks = is_vm && somebody_lacks();
  static int quiet; /* beside a command that has just begun nobody is made ready: it would wait for that */
  quiet = poll(polled, (nfds_t)count, again ? 1 : busy ? LOOK : lacks ? IDLE : -1) == 0 ? quiet + 1 : 0;
  if (quiet > (busy ? 4 : 0) && lacks && !again) prepare();
  hear_deaths(polled[1].revents);
  for (int at = 0; at < STREAMS; at++) {
    struct stream *it = &streams[at];
    struct pollfd *mine = polled + first + 4 * at;
    if (it->id && mine[0].revents) carry_out(it, &it->out, DATA);
    if (it->id && mine[1].revents && it->credit > 0) carry_out(it, &it->err, ERRORS);
    if (it->id && mine[2].revents && it->in >= 0) carry_in(it);
    if (it->id && mine[3].revents) { if (is_vm) hear_start(it); else hear_supervisor(it); }
    if (it->id) settle(it);
  }
  for (int at = 0; at < door_count; at++) if (polled[2 + at].revents) welcome(at);
  if (polled[0].revents) listen_to_host();
  look_around(busy);
}

static void open_door(const char *port) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (door_count == PORTS || fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof where) || listen(fd, 128)) die("a port could not be opened");
  doors[door_count].fd = fd;
  doors[door_count++].port = (uint16_t)atoi(port);
}

static int hand_on(const char *name, const char *value) {
  int what = !strcmp(name, "--files") ? RLIMIT_NOFILE : !strcmp(name, "--file-bytes") ? RLIMIT_FSIZE : !strcmp(name, "--core-bytes") ? RLIMIT_CORE : -1;
  if (what < 0) return 0;
  int at = 0;
  while (at < command_limit_count && command_limits[at].what != what) at++;
  rlim_t most = strtoul(value, NULL, 10);
  if (at == command_limit_count) command_limit_count++;
  command_limits[at].what = what, command_limits[at].both = (struct rlimit){most, most};
  return 1;
}

static void option(const char *name, const char *value) {
  if (is_vm && (vm_option(name, value) || hand_on(name, value))) return;
  if (!strcmp(name, "--listen")) open_door(value);
  else if (!strcmp(name, "--processes")) limit(RLIMIT_NPROC, value), process_limit = atol(value);
  else if (!strcmp(name, "--files")) command_files = value;
  else if (!strcmp(name, "--file-bytes")) limit(RLIMIT_FSIZE, value);
  else if (!strcmp(name, "--core-bytes")) limit(RLIMIT_CORE, value);
  else if (!strcmp(name, "--watch") && watched_count < WATCHED) watched[watched_count++].path = value;
  else die("an unknown option");
}

/* payload: name\0 value\0 ...: what other agents are told by their arguments */
static void start_session(char *payload, uint32_t length) {
  if (length == 0 || payload[length - 1] != 0 || !(payload = memcpy(malloc(length), payload, length))) die("a malformed start");
  for (char *name = payload, *end = payload + length; name < end;) {
    char *value = name + strlen(name) + 1;
    if (value >= end) die("a malformed start");
    option(name, value);
    name = value + strlen(value) + 1;
  }
  say(HELLO, 0, "1", 1);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  is_vm = getpid() == 1 && !strcmp(argv[0], "/init");
  if (is_vm) {
    vm_boot();
    sigset_t death;
    sigemptyset(&death), sigaddset(&death, SIGCHLD);
    sigprocmask(SIG_BLOCK, &death, NULL);
    deaths = signalfd(-1, &death, SFD_NONBLOCK | SFD_CLOEXEC);
    from_host = to_host = vm_channel();
  }
  else prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_DUMPABLE, 0); /* or commands could open our channel through /proc */
  for (int at = 1; !is_vm && at + 1 < argc; at += 2) option(argv[at], argv[at + 1]);
  fcntl(from_host, F_SETFD, FD_CLOEXEC);
  fcntl(to_host, F_SETFD, FD_CLOEXEC);
  if (!is_vm) say(HELLO, 0, "1", 1);
  for (;;) turn();
}
