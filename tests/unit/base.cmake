bmf_unit_test(test_base SOURCES test_base.c LINK bmf_base)
bmf_unit_test(test_parse_decimal SOURCES test_parse_decimal.c LINK bmf_base)
bmf_unit_test(test_hash SOURCES test_hash.c LINK bmf_base)
