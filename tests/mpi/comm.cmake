bmf_mpi_test(test_comm RANKS 1 2 3 4 SOURCES test_comm.c LINK bmf_comm)
bmf_mpi_test(test_comm_watched RANKS 1 2 3 4 SOURCES test_comm.c LINK bmf_comm)
target_compile_definitions(test_comm_watched PRIVATE WATCHED)
