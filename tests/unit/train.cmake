bmf_unit_test(test_merge_coefficients SOURCES test_merge_coefficients.c LINK bmf_train)
bmf_unit_test(test_partition SOURCES test_partition.c LINK bmf_train)
bmf_unit_test(test_epoch_parts SOURCES test_epoch_parts.c LINK bmf_train)
bmf_unit_test(test_rating_pass SOURCES test_rating_pass.c LINK bmf_train)
