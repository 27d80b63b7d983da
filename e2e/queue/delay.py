"""Queues tasks for the worker: delay.py COUNT"""

import sys

from tasks import add

for n in range(int(sys.argv[1])):
    add.delay(n, n)
