bmf_unit_test(test_serve SOURCES test_serve.c serve_world.c store_faults.c LINK bmf_serve)
