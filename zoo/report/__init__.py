"""`report.html`: one file that shows a run, or a sweep, to somebody who has neither it nor Zoo."""
