"""System calls by name, with their numbers on x86-64 and on ARM 64 (-1 where there is none): ``name:x86_64:aarch64``.

What a worker needs was measured with ``strace -ff`` over every decoder, recognizer and format, from the moment that its
models are loaded; what C libraries use in place of those calls, by version and machine, stands beside them.
"""

from __future__ import annotations

import platform

# Linux 6.1, asm/unistd_64.h and asm-generic/unistd.h
_NEEDED = """
read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 open:2:-1 openat:257:56
openat2:437:437 close:3:57 close_range:436:436 lseek:8:62 access:21:-1 faccessat:269:48 faccessat2:439:439
stat:4:-1 lstat:6:-1 fstat:5:80 newfstatat:262:79 statx:332:291 readlink:89:-1 readlinkat:267:78 getcwd:79:17
getdents64:217:61 statfs:137:43 fstatfs:138:44 mkdir:83:-1 mkdirat:258:34 unlink:87:-1 unlinkat:263:35
rename:82:-1 renameat:264:38 renameat2:316:276 rmdir:84:-1 ftruncate:77:46 fallocate:285:47 fsync:74:82
fdatasync:75:83 flock:73:32 dup:32:23 dup2:33:-1 dup3:292:24 pipe:22:-1 pipe2:293:59 fadvise64:221:223
sendfile:40:71 copy_file_range:326:285 mmap:9:222 munmap:11:215 mprotect:10:226 mremap:25:216 madvise:28:233
brk:12:214 mlock:149:228 munlock:150:229 mincore:27:232 mbind:237:235 get_mempolicy:239:236
set_mempolicy:238:237 membarrier:324:283 futex:202:98 futex_waitv:449:449 set_robust_list:273:99
get_robust_list:274:100 rseq:334:293 set_tid_address:218:96 sched_yield:24:124 sched_getaffinity:204:123
sched_setaffinity:203:122 sched_getparam:143:121 sched_getscheduler:145:120 getcpu:309:168 rt_sigaction:13:134
rt_sigprocmask:14:135 rt_sigreturn:15:139 sigaltstack:131:132 exit:60:93 exit_group:231:94
restart_syscall:219:128 recvmsg:47:212 recvfrom:45:207 sendmsg:46:211 sendto:44:206 poll:7:-1 ppoll:271:73
select:23:-1 pselect6:270:72 epoll_create1:291:20 epoll_ctl:233:21 epoll_wait:232:-1 epoll_pwait:281:22
eventfd2:290:19 getpid:39:172 getppid:110:173 gettid:186:178 getuid:102:174 geteuid:107:175 getgid:104:176
getegid:108:177 getrlimit:97:163 getrusage:98:165 times:100:153 uname:63:160 sysinfo:99:179 getrandom:318:278
umask:95:166 clock_gettime:228:113 clock_getres:229:114 clock_nanosleep:230:115 nanosleep:35:101
gettimeofday:96:169 time:201:-1 arch_prctl:158:-1
"""
_NEEDED_IN_PART = """
clone:56:220 clone3:435:435 prctl:157:167 prlimit64:302:261 ioctl:16:29 tgkill:234:131 fcntl:72:25 socket:41:198
"""
_NEVER_NEEDED = """
io_uring_setup:425:425 ptrace:101:117 process_vm_readv:310:270 process_vm_writev:311:271 kill:62:129
tkill:200:130 rt_sigqueueinfo:129:138 rt_tgsigqueueinfo:297:240 pidfd_open:434:434 pidfd_getfd:438:438
pidfd_send_signal:424:424 execve:59:221 execveat:322:281 unshare:272:97 setns:308:268 mount:165:40
umount2:166:39 pivot_root:155:41 chroot:161:51 bpf:321:280 perf_event_open:298:241 userfaultfd:323:282
add_key:248:217 request_key:249:218 keyctl:250:219 chmod:90:-1 fchmod:91:52 fchmodat:268:53 fchmodat2:452:452
chown:92:-1 fchown:93:55 lchown:94:-1 fchownat:260:54 utime:132:-1 utimes:235:-1 utimensat:280:88
futimesat:261:-1 setxattr:188:5 lsetxattr:189:6 fsetxattr:190:7 removexattr:197:14 lremovexattr:198:15
fremovexattr:199:16 link:86:-1 linkat:265:37 symlink:88:-1 symlinkat:266:36 mknod:133:-1 mknodat:259:33
shmget:29:194 shmat:30:196 shmctl:31:195 msgget:68:186 semget:64:190 mq_open:240:180 setpriority:141:140
sched_setscheduler:144:119 sched_setattr:314:274 setrlimit:160:164 reboot:169:142 swapon:167:224
init_module:175:105 finit_module:313:273
"""
_COLUMNS = {"x86_64": 1, "aarch64": 2}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""As seccomp tells them."""
SECCOMP = {"x86_64": 317, "aarch64": 277}
"""The call that installs filters."""


def _numbers(table: str) -> dict[str, int]:
    column = _COLUMNS.get(platform.machine())
    rows = [entry.split(":") for entry in table.split()] if column else []
    return {row[0]: int(row[column or 0]) for row in rows if row[column or 0] != "-1"}


NEEDED = _numbers(_NEEDED)
"""Allowed with any arguments."""
IN_PART = _numbers(_NEEDED_IN_PART)
"""Allowed with some arguments."""
NEVER = _numbers(_NEVER_NEEDED)
"""Refused even to workers whose networks run on an accelerator, whose drivers need more than was measured."""
