bmf_mpi_test(test_merge_window RANKS 1 2 3 4 SOURCES test_merge_window.c LINK bmf_train)
bmf_mpi_test(test_train RANKS 1 2 3 4 SOURCES test_train.c LINK bmf_train)
bmf_mpi_test(test_merge_rules RANKS 8 SOURCES test_merge_rules.c LINK bmf_train)
bmf_mpi_test(test_shard RANKS 1 2 3 SOURCES test_shard.c LINK bmf_train)
