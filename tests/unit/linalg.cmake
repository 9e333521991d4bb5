bmf_unit_test(test_topn SOURCES test_topn.c LINK bmf_linalg)
bmf_unit_test(test_gemm_scores SOURCES test_gemm_scores.c LINK bmf_linalg)
bmf_unit_test(test_ridge SOURCES test_ridge.c LINK bmf_linalg)
bmf_unit_test(test_svd SOURCES test_svd.c LINK bmf_linalg)
