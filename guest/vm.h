/* What the agent does beyond its frames where it is process 1 of a virtual machine; see vm.c. */
#include <stdint.h>
#include <stddef.h>

void die(const char *why);

/* Mounts everything, loads the kernel's modules, and leaves the agent in the root that commands see. */
void vm_boot(void);
/* The channel to the host; waits until there is one. */
int vm_channel(void);
/* A clone of a snapshot wakes with the snapshot's clock and random state: sets the one, stirs the other. u64 ns since the epoch | bytes from the host. */
void vm_reseed(const unsigned char *payload, size_t length);
/* Options of a session that only a machine of its own has; 0 when it is none of these. */
int vm_option(const char *name, const char *value);
/* In the process that becomes a command: into a group of its own, as a user that may nothing. */
void vm_enter(uint32_t id);
/* In the command's supervisor: ends whatever is left in the group. */
void vm_sweep(uint32_t id);
/* The next limit that the session met and that was not told yet, or NULL. */
const char *vm_limit(int something_runs);
