# SPDX-License-Identifier: Apache-2.0
"""Starts a program as an older kernel would: before Linux 6.16 it has no SO_PASSRIGHTS, before
6.6 no fchmodat2.

    python older.py PROGRAM [ARGUMENT...]
"""

import ctypes
import errno
import os
import sys

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
OPTION_NAME, EQUALS, SO_PASSRIGHTS = 2, 4, 83
FCHMODAT2 = 452


class Comparison(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    ]


def main() -> None:
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(ALLOW))
    unknown = ctypes.c_uint32(ERRNO | errno.ENOPROTOOPT)
    missing = ctypes.c_uint32(ERRNO | errno.ENOSYS)
    assert lib.seccomp_rule_add(context, missing, FCHMODAT2, 0) == 0
    number = lib.seccomp_syscall_resolve_name(b"setsockopt")
    rule = Comparison(OPTION_NAME, EQUALS, SO_PASSRIGHTS, 0)
    assert lib.seccomp_rule_add_array(context, unknown, number, 1, ctypes.byref(rule)) == 0
    assert lib.seccomp_load(context) == 0
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
