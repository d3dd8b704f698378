#!/usr/bin/env python3
"""An engine that trains nothing: it speaks the engine's protocol and follows a script.

Tests of the kernel use it to make an engine pause, fail or die at a chosen moment. What it hears is
written to `heard.jsonl` beside its socket. The `model` of a `finetune` chooses the script: `pico`
takes 100 steps of 50 ms, `die` ends the process after 3 steps, `bad-epochs` blames a key.
"""

import json
import os
import pathlib
import socket
import struct
import sys
import threading
import time

RUNTIME = pathlib.Path(os.environ["LUTHIER_RUNTIME_DIR"])
STEPS = 100
HEARD = threading.Lock()


def hear(kind, **more):
    with HEARD, open(RUNTIME / "heard.jsonl", "a") as log:
        log.write(json.dumps(dict(kind=kind, **more)) + "\n")


class Connection:
    def __init__(self, stream):
        self.stream = stream
        self.sending = threading.Lock()
        self.cancelled = {}
        self.gone = False

    def send(self, msg_id, body):
        data = json.dumps({"id": msg_id, "body": body}).encode()
        try:
            with self.sending:
                self.stream.sendall(struct.pack("<I", len(data)) + data)
        except OSError:
            self.gone = True

    def event(self, msg_id, **event):
        self.send(msg_id, {"type": "event", "event": event})

    def result(self, msg_id, **response):
        self.send(msg_id, {"type": "result", "response": response})

    def fail(self, msg_id, kind, message, **more):
        self.send(msg_id, {"type": "error", "failure": dict(kind=kind, message=message, **more)})

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.stream.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def serve(self):
        try:
            while True:
                (size,) = struct.unpack("<I", self.read(4))
                message = json.loads(self.read(size))
                self.message(message["id"], message["body"])
        except (EOFError, OSError):
            self.gone = True

    def message(self, msg_id, body):
        if body["type"] == "hello":
            hello = {"protocol_version": body["protocol_version"], "build": body["build"], "device": "cpu"}
            self.send(msg_id, dict(type="hello", pid=os.getpid(), **hello))
        elif body["type"] == "cancel":
            hear("cancel")
            self.cancelled[body["request"]] = True
        elif body["type"] == "detach":
            hear("detach")
            self.gone = True
            self.stream.shutdown(socket.SHUT_RDWR)
        else:
            request = body["request"]
            hear("request", request=request)
            threading.Thread(target=self.request, args=(msg_id, request), daemon=True).start()

    def request(self, msg_id, request):
        kind = request["request"]
        if kind == "finetune" and request["model"] == "bad-epochs":
            message = "`epochs` is above 0, found -1"
            self.fail(msg_id, "invalid_request", message, location={"pointer": "/train/epochs"})
        elif kind == "finetune":
            self.train(msg_id, 0, dies=request["model"] == "die")
        elif kind == "resume":
            self.train(msg_id, 40, dies=False)
        elif kind == "datasets":
            self.result(msg_id, response="datasets", datasets=[])
        else:
            self.fail(msg_id, "not_found", f"no script for {kind}")

    def train(self, msg_id, start, dies):
        started = time.monotonic()
        resumed = {"resumed_from": start if start else None}
        self.event(msg_id, event="run_started", run="run-1", name="x", total_steps=STEPS, **resumed)
        for step in range(start + 1, STEPS + 1):
            time.sleep(0.05)
            if self.cancelled.get(msg_id):
                hint = "`%resume run-1` goes on"
                self.fail(msg_id, "interrupted", f"paused at step {step} with a checkpoint", hint=hint)
                hear("paused", step=step)
                return
            if dies and step == start + 3:
                os._exit(1)
            seconds = time.monotonic() - started
            self.event(
                msg_id, event="step", run="run-1", global_step=step, total_steps=STEPS, epoch=step / 50, loss=2 / step,
                learning_rate=1e-3, grad_norm=1.0, n_target_tokens=64, tokens_per_second=1000.0, elapsed_s=seconds,
            )
        hear("finished")
        self.result(
            msg_id, response="finetuned", run="run-1", name="x", adapter_dir="adapters/x", steps=STEPS, final_loss=0.02,
            seconds=5.0, n_trainable=1, n_examples=1, n_target_tokens=64, tokens_per_second=1000.0,
            losses=[[1, 2.0], [100, 0.02]], warnings=[],
        )


def main():
    path = RUNTIME / "engine.sock"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    listener.settimeout(60)
    try:
        while True:
            stream, _ = listener.accept()
            stream.settimeout(None)
            threading.Thread(target=Connection(stream).serve, daemon=True).start()
    except TimeoutError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
