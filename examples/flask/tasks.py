"""What takes longer than an answer may, as Celery tasks.

    celery -A tasks worker --beat

Exactly one worker has --beat: each would make a copy of what a timer sends.
"""
import os
import re
import time
from operator import mul
from urllib.request import urlopen

import psutil
import redis
from celery import Celery

from throng import SERVERS, ask, push

LIMIT = 100_000_000  # squares: some seconds of one processor

celery = Celery("tasks", broker=os.environ["VALKEY_URL"])
celery.conf.task_ignore_result = True
celery.conf.broker_connection_retry_on_startup = True
celery.conf.beat_schedule = {
    # What waits for its turn for a second is not news any more.
    "measure": {"task": "tasks.measure", "schedule": 1, "options": {"expires": 1}},
    "count": {"task": "tasks.count_members", "schedule": 0.5, "options": {"expires": 1}},
}
valkey = redis.Redis.from_url(os.environ["VALKEY_URL"], decode_responses=True)


def recount(room):
    valkey.hdel("members", room)  # somebody came or went


@celery.task
def count_members():
    """Tells the rooms how many are in them, if that is another number than they
    heard. throng knows it, also of clients whose server has died."""
    if not valkey.set("counting", 1, nx=True, ex=20):
        return
    rooms = ask("rooms?namespace=/chat&after=room:&limit=1000")["rooms"]
    now = {r["name"]: str(r["members"]) for r in rooms if r["name"].startswith("room:")}
    told = valkey.hgetall("members")
    for room in told.keys() - now.keys():
        recount(room)
    for room, count in now.items() - told.items():
        valkey.hset("members", room, count)
        push("/chat", "room_members", {"room": room[5:], "count": int(count)}, room)
    valkey.delete("counting")


def compute(sid, job, limit):
    """Starts one of a client; cancel ends it, and so does its disconnect."""
    if not 0 <= limit <= LIMIT:
        raise ValueError(f"limit must be a whole number from 0 to {LIMIT}")
    if not valkey.set(f"computing:{sid}", job, nx=True, ex=600):
        raise ValueError("one computation at a time: wait for it, or cancel it")
    add_squares.delay(sid, job, limit)


def cancel(sid):
    valkey.delete(f"computing:{sid}")  # the task looks


@celery.task
def add_squares(sid, job, limit):
    total, told, block = 0, 0, 100_000
    for start in range(0, limit, block):
        if time.monotonic() - told > 0.1:
            told = time.monotonic()
            if valkey.get(f"computing:{sid}") != job:
                return push("/compute", "computation_canceled", {"limit": limit}, sid)
            push("/compute", "computation_progress", {
                "limit": limit, "done": start, "percent": 100 * start // limit}, sid)
        numbers = range(start, min(start + block, limit))
        total += sum(map(mul, numbers, numbers))
    cancel(sid)
    push("/compute", "computation_result", {"limit": limit, "result": total}, sid)


@celery.task
def measure():
    push("/dashboard", "metrics_update", {
        "cpu": psutil.cpu_percent(0.1), "memory": psutil.virtual_memory().percent})
    text = ""
    for url in SERVERS:
        try:
            with urlopen(f"{url}/metrics", timeout=2) as answer:
                text += answer.read().decode()
        except OSError:
            pass  # its clients are with the others

    def figures(name):
        return [float(v) for v in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M)]

    push("/dashboard", "server_update", {
        "servers": len(figures("throng_connections")),
        "connections": sum(figures("throng_connections")),
        "messages": sum(figures("throng_messages_total")),
        "loop_lag_ms": 1000 * max(figures("throng_loop_lag_seconds"), default=0)})
