"""Calls on files that fail: told with the path and exit code 4 on all ranks, older files untouched, nothing left behind."""
from injection import COMMANDS, InjectionTest, expects_io, main, spread

# what fails, how, and how many of the calls are tried: first ones and a spread of the rest
FAILURES = [("open", "EACCES", 5, 3), ("read", "EIO", 3, 6), ("write", "ENOSPC", 2, 5), ("write", "EIO", 1, 3),
            ("fsync", "EIO", 4, 0), ("rename", "EIO", 4, 0), ("ftruncate", "EIO", 2, 1), ("fallocate", "ENOSPC", 2, 0)]


class Files(InjectionTest):
    def sweep(self, command, ranks, rank, scale):
        for kind, error, first, more in FAILURES:
            calls = self.count(command, kind, ranks, rank)
            chosen = spread(calls, max(1, first // scale), more // scale) if calls else []
            # one failed read is tried once more through the library; they all fail from this one on
            onward = {"onward": 1} if kind == "read" else {}
            self.inject([self.prepare(command, ranks, calls=kind, rank=rank, at=at, errno=error, **onward)
                         for at in chosen], expects_io)

    def test_alone(self):
        for command in COMMANDS:
            with self.subTest(str(command)):
                self.sweep(command, None, 0, 1)

    def test_on_one_of_two_ranks(self):
        for command in COMMANDS:
            for rank in (0, 1) if len(command.ranks) > 1 else ():
                with self.subTest(str(command), rank=rank):
                    self.sweep(command, 2, rank, 3)


if __name__ == "__main__":
    main()
