"""A notebook's journey with the real engine: train, interrupt, resume, lose the engine, go on.

Run with the venv's Python:  python -m unittest -v test_journey
"""

import json
import os
import signal
import time
import unittest

import test_kernel as support

CELL = """%%finetune {name}
model = "pico"
data = "pairs.jsonl"
[lora]
r = 4
[train]
max_steps = {steps}
batch_size = 4
checkpoint_steps = 2
"""


def setUpModule():
    support.setUpModule()
    rows = [{"prompt": f"number {n}", "completion": f"the number {n}"} for n in range(60)]
    (support.PLACE.project / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def tearDownModule():
    support.tearDownModule()


class JourneyTest(unittest.TestCase):
    def setUp(self):
        self.kernel = support.Kernel()

    def tearDown(self):
        self.kernel.close()

    def start(self, name, steps=100_000):
        """Begin a training that does not end by itself; returns once it has a checkpoint."""
        msg_id = self.kernel.client.execute(CELL.format(name=name, steps=steps))
        runs = support.PLACE.project / ".luthier" / "runs"
        deadline = time.monotonic() + 60
        while not list(runs.glob(f"{name}-1/**/step-*")):
            self.assertLess(time.monotonic(), deadline, "no checkpoint within 60 s")
            time.sleep(0.05)
        return msg_id

    def reply(self, msg_id):
        while True:
            reply = self.kernel.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == msg_id:
                return reply["content"]

    def text(self, code):
        reply, messages = self.kernel.run(code, timeout=60)
        self.assertEqual(reply["status"], "ok", reply)
        shown = [m["content"] for m in messages if m["msg_type"] in ("display_data", "execute_result")]
        return "\n".join(content["data"]["text/plain"] for content in shown)

    def test_an_interrupt_saves_a_checkpoint_and_leaves_the_kernel_usable(self):
        msg_id = self.start("paused")
        started = time.monotonic()
        self.kernel.manager.interrupt_kernel()
        reply = self.reply(msg_id)
        self.assertEqual((reply["status"], reply["ename"]), ("error", "Interrupted"))
        self.assertIn("resume", json.dumps(reply))
        self.assertLess(time.monotonic() - started, 10)
        self.assertIn("paused", self.text("%runs"))
        self.assertIn("pico", self.text("%device"), "the model stays loaded")

    def test_a_killed_engine_is_told_and_the_run_can_be_resumed(self):
        msg_id = self.start("killed", steps=150)
        pid = int(self.text_of_device()["pid"])
        os.kill(pid, signal.SIGKILL)
        reply = self.reply(msg_id)
        self.assertEqual((reply["status"], reply["ename"]), ("error", "EngineLost"))
        self.assertIn("resume", json.dumps(reply))
        self.assertIn("broken", self.text("%runs"))
        self.assertIn("150", self.text("%resume killed-1"))
        adapter = support.PLACE.project / ".luthier" / "adapters" / "killed" / "adapter_model.safetensors"
        self.assertTrue(adapter.is_file())

    def text_of_device(self):
        done = support.subprocess.run(
            [support.program(), "device", "--json"],
            cwd=support.PLACE.project,
            env=support.PLACE.env,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)


if __name__ == "__main__":
    unittest.main()
