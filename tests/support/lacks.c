/* Preloaded into a program: the kernel lacks what LACKS names, as far as that program can tell. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int lacks(const char *what) {
    const char *named = getenv("LACKS");
    return named && strcmp(named, what) == 0;
}

int socket(int domain, int type, int protocol) {
    int (*next)(int, int, int) = dlsym(RTLD_NEXT, "socket");
    if (domain == AF_NETLINK && protocol == NETLINK_NETFILTER && lacks("nf_tables")) {
        errno = EPROTONOSUPPORT;
        return -1;
    }
    return next(domain, type, protocol);
}

/* The kernel's answer would have the same error; and nothing of the transaction comes true. */
ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    ssize_t (*next)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    int is_netlink = getsockname(fd, (struct sockaddr *)&own, &own_length) == 0 && own.ss_family == AF_NETLINK;
    if (is_netlink && lacks("egress") && memmem(bytes, length, "out-", 4)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return next(fd, bytes, length, flags);
}
