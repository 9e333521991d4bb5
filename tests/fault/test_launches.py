"""Launches that are not what was meant, and ranks with little or nothing to do."""
import os
import unittest

from command import USAGE, CommandTest, epoch_lines

PROMISES = [  # what each of N tasks started on their own finds in its environment
    {"OMPI_COMM_WORLD_SIZE": "2"},
    {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"},
    {"PMI_SIZE": "2"},
]


class Launches(CommandTest):
    def test_tasks_that_know_nothing_of_each_other_are_refused(self):
        data = self.make_dataset()
        model = self.make_model(data)
        older, before = model.read_bytes(), self.files()
        for promise in PROMISES:
            variable = next(iter(promise))
            for args in (["train", data, "-o", model, "--epochs", 1], ["evaluate", model, data],
                         ["synth", "-o", model, "--users", 9, "--items", 9, "--ratings", 20], ["info", data]):
                with self.subTest(variable, command=args[0]):
                    message = self.fail_with(USAGE, *args, env={**os.environ, **promise})
                    self.assertTrue(message.startswith(
                        f"blendmf {args[0]}: the launcher started 2 tasks ({variable}) but MPI sees 1 rank(s): "), message)
                    self.assertIn("'srun --mpi=pmix blendmf ...'", message)
                    self.assertIn("'mpirun blendmf ...'", message)
        self.assertEqual((model.read_bytes(), self.files()), (older, before))

    def test_a_batch_script_is_no_task(self):
        self.succeed("info", self.make_dataset(), env={**os.environ, "SLURM_STEP_NUM_TASKS": "2"})


class LittleToDo(CommandTest):
    def path(self, ranks, data):
        model = self.dir / "model.h5"
        result = self.succeed("train", data, "-o", model, "--epochs", 3, "--factors", 2, "--threads", 1, ranks=ranks)
        *epochs, _ = epoch_lines(result.stdout)
        self.assertEqual(len(epochs), 3)
        on_ranks, alone = (self.json_of("evaluate", model, data, "--baselines", ranks=n) for n in (ranks, None))
        self.assertEqual(on_ranks, alone)
        return on_ranks

    def test_more_ranks_than_users(self):
        data = self.make_dataset(users=3, items=10, ratings=24)
        self.assertGreater(self.path(5, data)["ratings"], 0)

    def test_one_user_has_nearly_all_ratings(self):
        """Whoever has him has no room for others, and others have next to nothing."""
        lines = [f"1,{item},{item % 5 + 1},{item}" for item in range(1, 201)] + ["2,1,3,1", "3,2,4,2"]
        (self.dir / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "\n".join(lines) + "\n")
        self.succeed("import", "--ratings", self.dir / "ratings.csv", "-o", self.dir / "data.h5")
        for ranks in (3, 4):
            self.path(ranks, self.dir / "data.h5")

    def test_no_validation_ratings(self):
        data = self.make_dataset(split_ratios="0.8,0,0.2")
        self.assertGreater(self.path(3, data)["ratings"], 0)

    def test_nothing_but_training_ratings(self):
        self.assertEqual(self.path(3, self.make_dataset(split_ratios="1,0,0"))["ratings"], 0)


if __name__ == "__main__":
    unittest.main()
