"""Rust cells as Jupyter clients meet them: live displays, questions, interrupts, floods of output.

One kernel serves all tests: its compiler takes seconds to start. The prelude that the Rust tests have
compiled (target/tmp) is used if it is there.
"""

import pathlib
import time
import unittest
from queue import Empty

import test_kernel
from test_kernel import Kernel, Place, program

KERNEL = None


def setUpModule():
    global KERNEL
    test_kernel.PLACE = place = Place()
    env = dict(place.env)
    compiled = pathlib.Path(program()).parents[1] / "tmp" / "rust-cells" / "prelude"
    if compiled.is_dir():
        env["LUTHIER_PRELUDE_DIR"] = str(compiled)
    KERNEL = Kernel(env)
    reply, _ = KERNEL.run("let kept = 41;", timeout=600)
    assert reply["status"] == "ok", reply


def tearDownModule():
    KERNEL.close()
    test_kernel.PLACE.remove()


def outputs(messages):
    """What the cell itself caused: without the line that says what is being compiled."""
    waiting = ("", "Compiling", "Starting the Rust compiler", "Preparing the prelude of Rust cells")
    is_wait = lambda m: m["content"].get("data", {}).get("text/plain") in waiting
    return [m for m in messages if m["msg_type"] not in ("status", "execute_input") and not is_wait(m)]


class LiveDisplayTest(unittest.TestCase):
    def test_displays_updates_and_text_keep_their_order(self):
        code = """println!("before");
let shown = display(Content::text("0 %").html("<b>0</b> %"));
println!("between");
shown.update("100 %");
clear_output(true);
println!("after");"""
        reply, messages = KERNEL.run(code, timeout=60)
        self.assertEqual(reply["status"], "ok", reply)
        found = [(m["msg_type"], m["content"]) for m in outputs(messages)]
        kinds = [kind for kind, _ in found]
        self.assertEqual(kinds, ["stream", "display_data", "stream", "update_display_data", "clear_output", "stream"])
        self.assertEqual(found[1][1]["data"], {"text/plain": "0 %", "text/html": "<b>0</b> %"})
        self.assertEqual(found[1][1]["transient"], found[3][1]["transient"])
        self.assertEqual(found[4][1], {"wait": True})

    def test_a_display_is_updated_by_a_later_cell_and_while_the_cell_runs(self):
        KERNEL.run('let bar = display("start");', timeout=60)
        started = time.monotonic()
        msg_id = KERNEL.client.execute('bar.update("middle"); std::thread::sleep(std::time::Duration::from_secs(2));')
        while True:
            message = KERNEL.client.get_iopub_msg(timeout=30)
            if message["parent_header"].get("msg_id") == msg_id and message["msg_type"] == "update_display_data":
                break
        with self.assertRaises(Empty):
            KERNEL.client.get_shell_msg(timeout=0.5)  # the cell still sleeps
        self.assertEqual(KERNEL.client.get_shell_msg(timeout=30)["content"]["status"], "ok")
        KERNEL.messages(msg_id)
        self.assertLess(time.monotonic() - started, 60)

    def test_ten_thousand_lines_arrive(self):
        reply, messages = KERNEL.run('for i in 0..10_000 { println!("line {i}"); }', timeout=120)
        self.assertEqual(reply["status"], "ok")
        text = "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream")
        self.assertEqual(text, "".join(f"line {i}\n" for i in range(10_000)))
        self.assertLess(len(messages), 2_000, "a flood is merged into few messages")

    def test_a_carriage_return_shows_before_the_newline(self):
        code = 'for i in 0..3 { print!("\\r{i}"); std::thread::sleep(std::time::Duration::from_millis(400)); }'
        reply, messages = KERNEL.run(code, timeout=60)
        pieces = [m["content"]["text"] for m in messages if m["msg_type"] == "stream"]
        self.assertEqual("".join(pieces), "\r0\r1\r2")
        self.assertGreaterEqual(len(pieces), 2, pieces)


class QuestionTest(unittest.TestCase):
    def ask(self, code, value, **options):
        client = KERNEL.client
        asked = []

        def answer(message):
            asked.append(message["content"])
            client.input(value)

        reply = client.execute_interactive(code, allow_stdin=True, stdin_hook=answer, timeout=60, output_hook=lambda m: None, **options)
        return reply["content"], asked

    def test_a_question_reaches_the_person_and_the_answer_the_cell(self):
        reply, asked = self.ask('let name = input("Name? ")?;', "ada")
        self.assertEqual(reply["status"], "ok", reply)
        self.assertEqual(asked, [{"prompt": "Name? ", "password": False}])
        reply, messages = KERNEL.run('println!("hello {name}");', timeout=60)
        self.assertIn("hello ada\n", [m["content"].get("text") for m in messages])

    def test_a_password_is_asked_for_as_one(self):
        reply, asked = self.ask('let length = input_password("Key: ")?.len();', "s3cret")
        self.assertEqual((reply["status"], asked[0]["password"]), ("ok", True))

    def test_a_client_that_takes_no_questions_is_told_so(self):
        reply, _ = KERNEL.run('input("Name? ")?', timeout=60, allow_stdin=False)
        self.assertEqual(reply["status"], "error")
        self.assertIn("stdin is not allowed", reply["evalue"])

    def test_an_interrupt_ends_the_question_and_keeps_variables(self):
        client = KERNEL.client
        msg_id = client.execute('input("never answered ")?', allow_stdin=True)
        client.get_stdin_msg(timeout=60)
        client.control_channel.send(client.session.msg("interrupt_request", {}))
        client.get_control_msg(timeout=10)
        reply = client.get_shell_msg(timeout=10)["content"]
        self.assertEqual((reply["status"], reply["ename"]), ("error", "Interrupted"))
        KERNEL.messages(msg_id)
        reply, messages = KERNEL.run("kept + 1", timeout=60)
        self.assertIn("42", [m["content"].get("data", {}).get("text/plain") for m in messages])


class LatencyTest(unittest.TestCase):
    def test_kernel_info_is_answered_while_a_cell_compiles(self):
        client = KERNEL.client
        msg_id = client.execute("let v: Vec<u64> = (0..1000u64).map(|x| x.wrapping_mul(x)).collect();")
        slowest = 0.0
        for _ in range(10):
            started = time.monotonic()
            client.control_channel.send(client.session.msg("kernel_info_request", {}))
            client.get_control_msg(timeout=5)
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(0.05)
        self.assertEqual(client.get_shell_msg(timeout=60)["content"]["status"], "ok")
        KERNEL.messages(msg_id)
        # A loaded machine adds its own delays; a kernel that waits for its compiler takes longer by far.
        self.assertLess(slowest, 1.0)


if __name__ == "__main__":
    unittest.main()
