/* What is said about a data set that was just made: the validation report. */
#ifndef BMF_CLI_REPORT_H
#define BMF_CLI_REPORT_H

#include "cli/output.h"
#include "data/import.h"

/* The report as a table. */
void bmf_report_print(bmf_output *output, const bmf_dataset *dataset, const bmf_dataset_report *report);

/* The report as JSON: splits, totals, the import record. path: of the file written. */
json_t *bmf_report_json(const char *path, const bmf_dataset *dataset, const bmf_dataset_report *report);

/* How the data set was made, as JSON and as lines for people. */
json_t *bmf_import_record_json(const bmf_import_record *record);
void bmf_import_record_print(bmf_output *output, const bmf_import_record *record);

/* Prints and writes the report of a data set, checks that its totals agree and writes it to `path`; json as in
 * bmf_json_write. BMF_ERR_INTERNAL, with nothing written, if they do not. */
int bmf_report_and_write(const char *path, const char *json, const bmf_dataset *dataset, bmf_output *output,
                         bmf_error *err);

#endif
