"""Rules into matchers: three languages, one predicate tree. No I/O, no clock, no log."""
