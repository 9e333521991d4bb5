bmf_unit_test(test_metrics SOURCES test_metrics.c LINK bmf_eval PkgConfig::JANSSON)
bmf_unit_test(test_baselines SOURCES test_baselines.c LINK bmf_eval)
