bmf_unit_test(test_sgd_golden SOURCES test_sgd_golden.c LINK bmf_train PkgConfig::JANSSON)
bmf_unit_test(test_sweep SOURCES test_sweep.c LINK bmf_train)
