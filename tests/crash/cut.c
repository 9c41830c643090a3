/* cut DIRECTORY: the file system of DIRECTORY loses its device now, and everything that was not synced with it */
#include <fcntl.h>
#include <linux/ioctl.h>
#include <linux/types.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define FS_IOC_SHUTDOWN _IOR('X', 125, __u32)
#define NO_LOG_FLUSH 2u

int main(int argc, char **argv)
{
	__u32 how = NO_LOG_FLUSH;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0 || ioctl(fd, FS_IOC_SHUTDOWN, &how) < 0) {
		perror("cut");
		return 1;
	}
	return 0;
}
