// What no shell can do, for pods that are attacked: a static program of several words.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int call(const char *host, int port, int wait) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_aton(host, &to.sin_addr);
  int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(s, (struct sockaddr *)&to, sizeof to);
  struct pollfd p = {s, POLLOUT, 0};
  poll(&p, 1, wait);
  return s;
}

int main(int n, char **a) {
  const char *name = strrchr(a[0], '/') ? strrchr(a[0], '/') + 1 : a[0];
  if (strcmp(name, "tool") || n < 2) return 0;  // a copy by another name does nothing
  const char *what = a[1];
  if (!strcmp(what, "memfd")) {
    int fd = memfd_create("x", 0), in = open("/bin/tool", O_RDONLY);
    char b[65536];
    for (ssize_t r; (r = read(in, b, sizeof b)) > 0;)
      if (write(fd, b, r) != r) return 1;
    char *none[] = {"kworker", 0};
    fexecve(fd, none, environ);
    return 1;
  }
  if (!strcmp(what, "ptrace")) {
    pid_t child = fork();
    if (!child) { sleep(2); _exit(0); }
    ptrace(PTRACE_ATTACH, child, 0, 0);
    waitpid(child, 0, 0);
    kill(child, SIGKILL);
    return 0;
  }
  if (!strcmp(what, "fork")) { if (!fork()) _exit(0); wait(0); return 0; }
  if (!strcmp(what, "scan") && n == 5) {
    for (int port = atoi(a[3]); port < atoi(a[4]); port++) close(call(a[2], port, 5));
    return 0;
  }
  if (!strcmp(what, "connect") && n == 4) { close(call(a[2], atoi(a[3]), 200)); return 0; }
  if (!strcmp(what, "reverse") && n == 4) {
    int s = call(a[2], atoi(a[3]), 500);
    fcntl(s, F_SETFL, 0);
    for (int fd = 0; fd < 3; fd++) dup2(s, fd);
    execl("/bin/sh", "sh", "-c", "true", (char *)0);
    return 1;
  }
  if (!strcmp(what, "unix") && n == 3) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strncpy(to.sun_path, a[2], sizeof to.sun_path - 1);
    connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to);
    return 0;
  }
  if (!strcmp(what, "root")) { setresuid(99, 99, 0); return setuid(0); }
  if (!strcmp(what, "nobody")) return setuid(99);
  if (!strcmp(what, "bpf")) {  // a filter of sockets that lets nothing pass
    struct { unsigned char code, regs; short off; int imm; } no[] = {{0xb7}, {0x95}};
    struct { unsigned type, size; unsigned long code, license; unsigned long more[12]; } a = {
        1, 2, (unsigned long)no, (unsigned long)"GPL"};
    return syscall(SYS_bpf, 5, &a, sizeof a) < 0;
  }
  return 0;
}
