#!/usr/bin/env python3
"""lossy.py - a cable between two network interfaces that can be bad.

Usage: lossy.py SEED LEFT RIGHT

Copies Ethernet frames between two interfaces whose kernels' ends are elsewhere, so that what is lost
is packets and each side's TCP has to do with it.  It begins well.  Signals change it:
USR1: one frame of ten is lost, each way.  USR2: all are.  WINCH: all from RIGHT to LEFT are.
HUP: it is well again.  (netem does the same, but not every kernel has it.)
"""
import array
import fcntl
import random
import select
import signal
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
# Checksums and segments as they are on a cable: the ends leave them to a card that is not there.
OFFLOADS = (0x15, 0x17, 0x1F, 0x24, 0x2C)  # SRXCSUM, STXCSUM, STSO, SGSO, SGRO

LOSS = {signal.SIGUSR1: (0.1, 0.1), signal.SIGUSR2: (1, 1), signal.SIGWINCH: (0, 1), signal.SIGHUP: (0, 0)}


def without_offloads(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            try:
                fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sQ", name.encode(), value.buffer_info()[0]))
            except OSError:
                pass  # it has no such thing


def end_of(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((name, 0))
    s.setblocking(False)
    return s


def main():
    dice = random.Random(int(sys.argv[1]))
    ends = [end_of(name) for name in sys.argv[2:4]]
    loss = [(0, 0)]

    def change(number, _frame):
        loss[0] = LOSS[number]

    for number in LOSS:
        signal.signal(number, change)
    while True:
        for ready in select.select(ends, [], [])[0]:
            side = ends.index(ready)
            frame, address = ready.recvfrom(65536)
            if address[2] == socket.PACKET_OUTGOING or dice.random() < loss[0][side]:
                continue
            try:
                ends[1 - side].send(frame)
            except OSError:
                pass  # its queue is full: lost as well


if __name__ == "__main__":
    if sys.argv[1] == "plain":
        for interface in sys.argv[2:]:
            without_offloads(interface)
    else:
        main()
