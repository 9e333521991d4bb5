bmf_unit_test(test_serve SOURCES test_serve.c serve_world.c store_faults.c LINK bmf_serve)
bmf_unit_test(test_serve_memory SOURCES test_serve_memory.c serve_world.c store_faults.c LINK bmf_serve)
target_link_options(test_serve_memory PRIVATE LINKER:--wrap=bmf_alloc,--wrap=bmf_alloc_zero,--wrap=bmf_grow)
