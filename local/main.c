/*
 * local: delivery into mailboxes, files and commands of this machine.
 *
 * Parent (root, event loop): letters from qmgr, the password file, fork. It reads no mail and writes none.
 * Child (the recipient, blocking): one for each user with mail, Landlocked to that home or the virtual mailbox base;
 * leaves when it had nothing to do for local_idle_time. Exec helper (the recipient, blocking): one for each command,
 * without Landlock and no_new_privs, or setgid programs break.
 * Peers: qmgr (deliver), master (control). Files: data_directory/local.instance, the mailboxes, ~/.forward.
 */
#include "local/agent.h"

int main(int argc, char **argv)
{
	static struct agent agent;

	return daemon_main(argc, argv, &agent_ops, &agent);
}
