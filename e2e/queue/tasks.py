"""A Celery worker that tells browsers when its work is done."""

import os

from celery import Celery
from flask_socketio import SocketIO

url = os.environ["QUEUE_URL"]
app = Celery("tasks", broker=url)
app.conf.broker_connection_retry_on_startup = True
socketio = SocketIO(message_queue=url)


@app.task
def add(x, y, namespace="/"):
    socketio.emit("sum", {"x": x, "y": y, "sum": x + y}, namespace=namespace)
