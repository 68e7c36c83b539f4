"""Findings in the formats of continuous integration; each a text, the same for the same findings.

Which outcome becomes what is decided once, in `wording`:

====================  ==========  =======  ==========  ===========  ========
finding               called      SARIF    annotation  JUnit        GitLab
====================  ==========  =======  ==========  ===========  ========
fail                  fail        error    error       failure      critical
fail, only a warning  fail        warning  warning     skipped      minor
inconclusive          the same    note     notice      skipped      info
fail, waived          fail        note     notice      skipped      info
pass                  pass        (none)   (none)      passed       (none)
====================  ==========  =======  ==========  ===========  ========
"""

from fairaudit.report.ci.alerts import github_annotations, gitlab_code_quality, sarif
from fairaudit.report.ci.junit import junit
from fairaudit.report.ci.pages import markdown, step_summary, text
from fairaudit.report.ci.wording import Context, Judged, outcome

__all__ = [
    "Context",
    "Judged",
    "github_annotations",
    "gitlab_code_quality",
    "junit",
    "markdown",
    "outcome",
    "sarif",
    "step_summary",
    "text",
]
