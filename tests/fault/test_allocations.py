"""The 1st, 2nd, 3rd ... allocation of every command fails: exit code 5 on all ranks, one message, nothing left behind."""
from injection import COMMANDS, InjectionTest, expects_memory, main, spread


class Allocations(InjectionTest):
    def sweep(self, command, ranks, rank, first, more):
        calls = self.count(command, "alloc", ranks, rank)
        self.assertGreater(calls, 10)
        runs = [self.prepare(command, ranks, calls="alloc", rank=rank, at=at) for at in spread(calls, first, more)]
        self.inject(runs, expects_memory)

    def test_alone(self):
        for command in COMMANDS:
            with self.subTest(str(command)):
                self.sweep(command, None, 0, 100, 20)

    def test_on_one_of_several_ranks(self):
        """What comes before MPI starts, and a spread of the rest."""
        for command in COMMANDS:
            for ranks in command.ranks[1:]:
                for rank in (0, 1) if ranks == 2 else (ranks - 1,):
                    with self.subTest(str(command), ranks=ranks, rank=rank):
                        self.sweep(command, ranks, rank, 4, 14)

    def test_all_from_one_on(self):
        """Memory stays short: what is done on the way out does not need any more of it."""
        for command in COMMANDS:
            with self.subTest(str(command)):
                calls = self.count(command, "alloc")
                self.inject([self.prepare(command, calls="alloc", at=at, onward=1) for at in spread(calls, 3, 5)],
                            expects_memory)


if __name__ == "__main__":
    main()
