"""Why pods do not run, in one sentence, with advice."""
