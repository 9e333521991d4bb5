"""Signals stop training after an epoch, with the best epoch saved and an exit code that says so."""
import os
import signal
import subprocess
import time
import unittest

from command import STOPPED, CommandTest, Result, command_line, epoch_lines

LONG = ["--epochs", "1000000", "--patience", "0", "--factors", "4", "--threads", "1", "--merges-per-epoch", "1"]
WAIT = 20  # seconds for the first epochs, on a busy machine


class Signals(CommandTest):
    def start(self, ranks=None):
        """Training that would go on for hours, once its first epochs are over. Without `timeout` in front: the signal is
        for the program, or for mpirun."""
        data = self.make_dataset()
        line = command_line(["train", data, "-o", self.dir / "m.h5", *LONG], ranks)[4:]
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        start = time.monotonic()
        for _ in range(3):
            process.stdout.readline()
        self.assertLess(time.monotonic() - start, WAIT)
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def finish(self, process):
        stdout, stderr = process.communicate(timeout=WAIT)
        return Result(process.args, process.returncode, stdout.decode(), stderr.decode())

    def check_stopped(self, result):
        self.assertEqual(result.code, STOPPED, result.stderr)
        last = dict(epoch_lines(result.stdout)[-1])
        self.assertEqual(last["stopped"], "signal")
        model = self.json_of("info", self.dir / "m.h5")
        self.assertEqual(str(model["best_epoch"]), last["best_epoch"])
        epochs = len(model["history"])
        self.assertEqual(result.errors(), [f"blendmf train: stopped on a signal after epoch {epochs}; {self.dir / 'm.h5'} "
                                           f"holds epoch {model['best_epoch']}"])

    def test_one_process(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            with self.subTest(signal.Signals(number).name):
                process = self.start()
                process.send_signal(number)
                self.check_stopped(self.finish(process))

    def test_two_ranks_through_mpirun(self):
        process = self.start(ranks=2)
        process.send_signal(signal.SIGUSR1)  # the one that mpirun forwards
        self.check_stopped(self.finish(process))

    def test_evaluate_and_import_end_at_once(self):
        """Nothing to save: the signal ends them as it ends any program."""
        fifo = self.dir / "ratings.csv"
        os.mkfifo(fifo)
        line = command_line(["import", "--ratings", fifo, "-o", self.dir / "d.h5"])[4:]
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        time.sleep(0.5)
        process.terminate()
        self.assertEqual(self.finish(process).code, -signal.SIGTERM)
        self.assertEqual(self.files(), ["ratings.csv"])


if __name__ == "__main__":
    unittest.main()
