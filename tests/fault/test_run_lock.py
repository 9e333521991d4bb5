"""Two runs with one checkpoint: the second is refused, by any name of the file; whoever dies is in nobody's way."""
import os
import signal
import socket
import unittest

from checkpoints import CheckpointTest
from command import IO, OK, STOPPED, run


class RunLock(CheckpointTest):
    def setUp(self):
        super().setUp()
        self.data, self.lock = self.make_dataset(), self.dir / "ck.h5.lock"

    def args(self, name, checkpoint, epochs):
        return ["train", self.data, "-o", self.dir / name, "--factors", "4", "--threads", "1", "--patience", "0",
                "--checkpoint", checkpoint, "--checkpoint-every", "1", "--resume", "--epochs", str(epochs)]

    def holder(self, ranks=None):
        """A run that would go on for long, once it has begun, and the pid of its first rank."""
        process = self.start(*self.args("first.h5", self.checkpoint, 1000000), ranks=ranks)
        self.assertTrue(process.wait_for_epochs(2))
        self.assertIsNone(process.popen.poll())
        return process, int(self.lock.read_text().split()[-1])

    def check_refused(self, pid, checkpoint, ranks=None):
        result = run(*self.args("second.h5", checkpoint, 3), ranks=ranks)
        self.assertEqual((result.code, len(result.errors())), (IO, 1), result)
        self.assertIn(f"{checkpoint}: another run is using it (host {socket.gethostname()}, pid {pid}); end it, or give this "
                      "one a checkpoint of its own", result.errors()[0])
        self.assertFalse((self.dir / "second.h5").exists())

    def test_second_run_is_refused(self):
        link = self.dir / "link.h5"
        link.symlink_to("ck.h5")
        process, pid = self.holder(ranks=2)
        self.assertIn(pid, process.rank_pids())
        for checkpoint, ranks in ((self.checkpoint, None), (self.checkpoint, 2), (link, None)):
            with self.subTest(checkpoint=checkpoint.name, ranks=ranks):
                self.check_refused(pid, checkpoint, ranks)
        self.assertEqual(run(*self.args("other.h5", self.dir / "other.ck", 2)).code, OK)
        process.popen.send_signal(signal.SIGUSR1)
        self.assertEqual(process.finish().code, STOPPED)
        self.assertFalse(self.lock.exists())
        self.readable(self.checkpoint, self.data)

    def test_a_dead_run_is_in_nobodys_way(self):
        process, pid = self.holder()
        os.kill(pid, signal.SIGKILL)
        process.popen.wait()
        self.assertTrue(self.lock.exists())
        self.assertEqual(run(*self.args("m.h5", self.checkpoint, 1)).code, OK)
        self.assertFalse(self.lock.exists())

    def test_one_that_ends_soon_is_waited_for(self):
        process, _ = self.holder()
        process.popen.send_signal(signal.SIGSTOP)
        second = self.start(*self.args("second.h5", self.checkpoint, 1))
        with self.assertRaises(Exception):
            second.popen.wait(timeout=1)
        process.popen.kill()
        self.assertEqual(second.finish().code, OK)


if __name__ == "__main__":
    unittest.main()
