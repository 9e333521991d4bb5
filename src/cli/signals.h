/* The signals that ask a command to save and stop. */
#ifndef BMF_CLI_SIGNALS_H
#define BMF_CLI_SIGNALS_H

/* From here on the first INT, TERM or USR1 only sets what bmf_signals_wanted returns; another of them, a second or more
 * later, ends the process as it would have without us. Within the second it is taken for the same one, come twice: launchers
 * and shells pass a signal on to processes that have it already. */
void bmf_signals_catch(void);

/* Not 0 once a signal came. */
const volatile int *bmf_signals_wanted(void);

#endif
