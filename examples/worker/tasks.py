"""The same chat as a Celery task: every call becomes a task, which acknowledges
it at its end.

    celery -A tasks worker
    python tasks.py        # hands the calls over; one is enough
"""
import json

from celery import Celery

from worker import GROUP, ME, STREAM, URL, answer, calls, handle, r

app = Celery("tasks", broker=URL)


@app.task(acks_late=True, reject_on_worker_lost=True, ignore_result=True)
def work(entry, fields):
    # From now on its time runs. What has waited for too long is another entry
    # by now, for which there is another task.
    if r.xclaim(STREAM, GROUP, ME, 0, [entry], justid=True):
        answer(entry, fields, handle(json.loads(fields["call"])))


if __name__ == "__main__":
    for entry, fields in calls():
        work.delay(entry, fields)
