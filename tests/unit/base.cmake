bmf_unit_test(test_base SOURCES test_base.c LINK bmf_base)
