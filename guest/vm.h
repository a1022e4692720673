/* What the agent does beyond its frames where it is process 1 of a virtual machine; see vm.c. */
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

/* Processes that wait for a command to become. */
enum { WAITING = 2 };

void die(const char *why);

/* Mounts everything, loads the kernel's modules, and leaves the agent in the root that commands see. */
void vm_boot(void);
/* The channel to the host; waits until there is one. */
int vm_channel(void);
/* A clone of a snapshot wakes with the snapshot's clock and random state: sets the one, stirs the other. u64 ns since the epoch | bytes from the host. */
void vm_reseed(const unsigned char *payload, size_t length);
/* Options of a session that only a machine of its own has; 0 when it is none of these. */
int vm_option(const char *name, const char *value);
/* As fork, with the child in a group of its own, whose number it leaves; -1 with errno. */
pid_t vm_fork(unsigned *group);
/* In the child: a user that may nothing. 0, or -1 with errno. */
int vm_become_user(void);
/* Ends all that is in a group. */
void vm_kill(unsigned group);
int vm_is_empty(unsigned group);
/* The next command may have it; it is empty. */
void vm_leave(unsigned group);
/* The next limit that the session met and that was not told yet, or NULL. */
const char *vm_limit(int something_runs);
