bmf_mpi_test(test_evaluate RANKS 1 2 3 4 7
  SOURCES test_evaluate.c evaluate_world.c evaluate_checker.c
  LINK bmf_eval)
