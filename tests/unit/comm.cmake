bmf_unit_test(test_watchdog SOURCES test_watchdog.c LINK bmf_comm)
